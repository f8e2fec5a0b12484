//! A single APDU dressed as a whole association, and TSDUs in and out of TPKTs.
//!
//! Written without the protocol layers of the product, so that it can judge them.

use ber::{Tag, Writer};

use crate::{GoldenVector, PcapBuilder, Ports, Side};

/// Octets of one COTP data TPDU: 8192 less its header, the largest of class 0.
const MAX_TPDU_DATA: usize = 8189;
/// GT + AS with activity identifier 1.
const ACTIVITY_START: &[u8] = &[0x01, 0x00, 0x2D, 0x05, 0x29, 0x03, 0x02, 0x01, 0x01];
/// GT + AE with serial number 1.
const ACTIVITY_END: &[u8] = &[0x01, 0x00, 0x29, 0x03, 0x2A, 0x01, b'1'];
/// PT + AEA with serial number 1.
const ACTIVITY_END_ACK: &[u8] = &[0x02, 0x00, 0x2A, 0x03, 0x2A, 0x01, b'1'];
/// CR of class 0 with TPDUs of 8192 octets.
const CONNECT_TPDU: &[u8] = &[9, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 0x0D];
/// Its CC.
const CONFIRM_TPDU: &[u8] = &[9, 0xD0, 0, 1, 0, 2, 0, 0xC0, 1, 0x0D];

/// A capture of one association, to port 102, over which nothing but this MTS-APDU is transferred.
///
/// tshark can't be given an APDU alone: only the presentation contexts of the association tell it what it reads.
pub fn wrap_apdu(apdu: &[u8]) -> PcapBuilder {
    let turns = [
        (Side::Initiator, tpkt(CONNECT_TPDU)),
        (Side::Responder, tpkt(CONFIRM_TPDU)),
        (Side::Initiator, split_tsdu(&GoldenVector::Connect.octets())),
        (Side::Responder, split_tsdu(&GoldenVector::Accept.octets())),
        (Side::Initiator, split_tsdu(ACTIVITY_START)),
        (Side::Initiator, split_tsdu(&transfer(apdu))),
        (Side::Initiator, split_tsdu(ACTIVITY_END)),
        (Side::Responder, split_tsdu(ACTIVITY_END_ACK)),
        (Side::Initiator, split_tsdu(&GoldenVector::Finish.octets())),
        (Side::Responder, split_tsdu(&GoldenVector::Disconnect.octets())),
    ];
    PcapBuilder::new()
        .conversation(Ports::default(), turns.iter().map(|(side, octets)| (*side, octets.as_slice())))
}

/// The TSDU of an RT-TRANSFER in one segment: GT + DT, P-DATA in context 3, an EXTERNAL of context 5.
fn transfer(apdu: &[u8]) -> Vec<u8> {
    let external = Writer::encode(|w| {
        w.constructed(Tag::EXTERNAL, |w| {
            w.integer(Tag::INTEGER, 5);
            w.constructed(Tag::context(0), |w| w.raw(apdu));
        });
    });
    let data = Writer::encode(|w| {
        w.constructed(Tag::application(1), |w| {
            w.constructed(Tag::SEQUENCE, |w| {
                w.integer(Tag::INTEGER, 3);
                w.constructed(Tag::context(0), |w| w.primitive(Tag::OCTET_STRING, &external));
            });
        });
    });
    [&[0x01, 0x00, 0x01, 0x00], data.as_slice()].concat()
}

/// A TSDU as TPKTs with data TPDUs of at most 8192 octets.
pub fn split_tsdu(tsdu: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pieces = tsdu.chunks(MAX_TPDU_DATA).peekable();
    while let Some(piece) = pieces.next() {
        let end_of_tsdu = if pieces.peek().is_none() { 0x80 } else { 0 };
        out.extend(tpkt(&[&[0x02, 0xF0, end_of_tsdu], piece].concat()));
    }
    out
}

/// The TSDUs in a stream of TPKTs, as far as it goes: data TPDUs joined, others left out.
///
/// # Panics
/// The stream is not one of TPKTs.
pub fn tsdus_of(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut tsdus = Vec::new();
    let mut open = Vec::new();
    let mut rest = stream;
    while let [3, _, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((packet, after)) = rest.split_at_checked(length) else { break };
        rest = after;
        match packet.get(4..) {
            Some([header, code, sequence, ..]) if code & 0xF0 == 0xF0 => {
                open.extend_from_slice(packet.get(5 + usize::from(*header)..).unwrap_or_default());
                if sequence & 0x80 != 0 {
                    tsdus.push(std::mem::take(&mut open));
                }
            }
            Some(_) => {}
            None => panic!("TPKT of {length} octets"),
        }
    }
    assert!(rest.is_empty() || rest.first() == Some(&3), "not a TPKT: {:02x?}", rest.get(..8));
    tsdus
}

fn tpkt(tpdu: &[u8]) -> Vec<u8> {
    let length = (tpdu.len() + 4) as u16;
    [&[3, 0][..], &length.to_be_bytes(), tpdu].concat()
}
