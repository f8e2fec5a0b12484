//! One hostile connection: octets out as they are given, answers in as short words.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use testkit::{Connection, Side, split_tsdu, tsdus_of};

use super::Mta;
use super::answers::{answers, count};
use super::replay::recorded;

/// CR of class 0 which proposes TPDUs of 8192 octets, in its packet.
pub const CONNECT_REQUEST: &[u8] = &[3, 0, 0, 14, 9, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 0x0D];

/// A connection to an MTA.
pub struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    /// TCP only.
    pub fn connect(mta: &Mta) -> Wire {
        Wire { stream: mta.connect(), received: Vec::new() }
    }

    /// TCP and the transport connection.
    pub fn transport(mta: &Mta) -> Wire {
        let mut wire = Wire::connect(mta);
        wire.send(CONNECT_REQUEST);
        wire.until("CC");
        wire
    }

    /// An association with the recorded bind.
    pub fn bound(mta: &Mta) -> Wire {
        let mut wire = Wire::transport(mta);
        wire.tsdu(&connect_tsdu());
        wire.until("AC");
        wire
    }

    /// The address that the MTA sees.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Sends octets. That the MTA may have closed already is part of the game.
    pub fn send(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets);
    }

    /// Sends a TSDU in as many packets as it needs.
    pub fn tsdu(&mut self, tsdu: &[u8]) {
        self.send(&split_tsdu(tsdu));
    }

    /// Reads until an answer of this name has come.
    pub fn until(&mut self, name: &str) {
        let mut piece = [0; 4096];
        while count(&answers(&self.received), name) == 0 {
            let length = self.stream.read(&mut piece).unwrap();
            assert_ne!(length, 0, "closed without {name}: {:?}", answers(&self.received));
            self.received.extend_from_slice(&piece[..length]);
        }
    }

    /// Nothing more is sent: reads until the MTA closes and gives all answers.
    pub fn rest(mut self) -> Vec<String> {
        let mut piece = [0; 4096];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error}, after {:?}", answers(&self.received)),
            }
            // An abort is answered by ending the connection, as a peer which received one does.
            let found = answers(&self.received);
            if count(&found, "AB") + count(&found, "RF") > 0 {
                let _ = self.stream.shutdown(Shutdown::Write);
            }
        }
        answers(&self.received)
    }
}

/// A recorded conversation of a script with one message, its MTS-identifier replaced by one of twelve characters.
pub fn conversation(identifier: &str) -> Connection {
    const RECORDED: &[u8] = b"c2-x-noncrit";
    assert_eq!(identifier.len(), RECORDED.len());
    let mut connection = recorded("pp-odd-unknown-extensions.pcap", 20102).remove(0);
    let mut replaced = 0;
    for segment in &mut connection.segments {
        while let Some(at) = segment.octets.windows(RECORDED.len()).position(|window| window == RECORDED) {
            segment.octets[at..at + RECORDED.len()].copy_from_slice(identifier.as_bytes());
            replaced += 1;
        }
    }
    assert!(replaced > 0, "the recording has another identifier");
    connection
}

/// The TSDU with which the script opened: CN, CP, AARQ, RTORQ and bind.
pub fn connect_tsdu() -> Vec<u8> {
    tsdus_of(&conversation("unused-12345").octets(Side::Initiator)).remove(0)
}

/// Replaces octets by others of the same length, wherever they stand.
pub fn patched(octets: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = octets.to_vec();
    let mut at = 0;
    let mut found = false;
    while at + from.len() <= out.len() {
        if out[at..].starts_with(from) {
            out[at..at + from.len()].copy_from_slice(to);
            found = true;
        }
        at += 1;
    }
    assert!(found, "{from:02x?} is not there");
    out
}

/// GT + AS.
pub const ACTIVITY_START: &[u8] = &[0x01, 0x00, 0x2D, 0x05, 0x29, 0x03, 0x02, 0x01, 0x01];
/// GT + AE with serial number 1.
pub const ACTIVITY_END: &[u8] = &[0x01, 0x00, 0x29, 0x03, 0x2A, 0x01, b'1'];

/// GT + DT with this SS-user data.
pub fn data(user: &[u8]) -> Vec<u8> {
    [&[0x01, 0x00, 0x01, 0x00], user].concat()
}

/// User data with one value in a presentation context.
pub fn presented(context: u8, value: &[u8]) -> Vec<u8> {
    ber::Writer::encode(|w| {
        w.constructed(ber::Tag::application(1), |w| {
            w.constructed(ber::Tag::SEQUENCE, |w| {
                w.integer(ber::Tag::INTEGER, i64::from(context));
                w.constructed(ber::Tag::context(0), |w| w.raw(value));
            });
        });
    })
}

/// GT + DT with a segment of an RT-TRANSFER.
pub fn segment(octets: &[u8]) -> Vec<u8> {
    let rttr = ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, octets));
    data(&presented(3, &rttr))
}

/// An MTS-APDU as it is transferred: in an EXTERNAL of context 5.
pub fn external(apdu: &[u8]) -> Vec<u8> {
    ber::Writer::encode(|w| {
        w.constructed(ber::Tag::EXTERNAL, |w| {
            w.integer(ber::Tag::INTEGER, 5);
            w.constructed(ber::Tag::context(0), |w| w.raw(apdu));
        });
    })
}
