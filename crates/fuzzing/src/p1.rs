//! MTS-APDUs: what is read goes out with the octets it came with, in 1984 and 1988 form alike; a stream in any chunks
//! gives the same as the whole, and holds no more than its limits.

use ber::{Reader, Tag};
use mhs::p1::{ApduPart, ApduReader, Limits, MessageTransferEnvelope, MtsApdu, message_header};
use mhs::{DecodeError, render};

use crate::Script;

/// What a streaming reader makes of the octets, contents joined.
fn stream(octets: &[u8], limits: Limits, chunk: usize) -> Result<Vec<ApduPart>, DecodeError> {
    let mut reader = ApduReader::new(limits);
    let mut parts = Vec::new();
    for piece in octets.chunks(chunk) {
        if let Err(error) = reader.push(piece, &mut parts) {
            assert_eq!(reader.push(&[0], &mut parts), Err(error.clone()), "an error must last");
            assert_eq!(reader.finish(), Err(error.clone()));
            return Err(error);
        }
    }
    reader.finish()?;
    assert!(reader.is_complete());
    assert_eq!(reader.position(), octets.len() as u64);
    let mut joined: Vec<ApduPart> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (_, ApduPart::Content(more)) if more.is_empty() => panic!("an empty piece of content"),
            (Some(ApduPart::Content(content)), ApduPart::Content(more)) => content.extend(more),
            (_, part) => joined.push(part),
        }
    }
    Ok(joined)
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let chunk = usize::from(script.octet()).max(1);
    let limit = match u64::from(script.number()) {
        0 => None,
        limit => Some(limit),
    };
    let octets = octets.get(3..).unwrap_or_default();
    let limits = limit.map_or_else(Limits::default, |limit| Limits {
        max_envelope_octets: limit,
        max_report_octets: limit,
        max_content_octets: limit,
    });
    let whole = stream(octets, limits, octets.len().max(1));
    let pieces = stream(octets, limits, chunk);
    // Where an error is seen may depend on the pieces, whether there is one may not.
    assert_eq!(pieces.as_ref().ok(), whole.as_ref().ok());
    if let (Ok(parts), Some(limit)) = (&whole, limit) {
        for part in parts {
            if let ApduPart::Content(content) = part {
                assert!(content.len() as u64 <= limit);
            }
        }
        assert_eq!(
            stream(octets, Limits::default(), chunk).as_ref(),
            Ok(parts),
            "a limit changes nothing else"
        );
    }
    let apdu = MtsApdu::from_octets(octets);
    if limit.is_none()
        && let Ok(apdu) = &apdu
        && let Ok(parts) = &whole
    {
        same(parts, apdu);
    }
    if let Ok(apdu) = &apdu {
        relay(octets, apdu);
    }
    // An envelope by itself, as records hold it.
    if let Ok(envelope) = MessageTransferEnvelope::from_octets(octets) {
        let again = envelope.to_octets();
        assert_eq!(MessageTransferEnvelope::from_octets(&again), Ok(envelope));
    }
}

/// What came in pieces is what came whole.
fn same(parts: &[ApduPart], apdu: &MtsApdu) {
    match (parts, apdu) {
        ([ApduPart::MessageEnvelope(envelope), rest @ .., ApduPart::End], MtsApdu::Message(message)) => {
            assert_eq!(**envelope, message.envelope);
            let content = match rest {
                [] => &[][..],
                [ApduPart::Content(content)] => content,
                other => panic!("between envelope and end: {other:?}"),
            };
            assert_eq!(content, &**message.content);
        }
        ([ApduPart::Probe(probe), ApduPart::End], MtsApdu::Probe(other)) => assert_eq!(probe, other),
        ([ApduPart::Report(report), ApduPart::End], MtsApdu::Report(other)) => assert_eq!(report, other),
        (parts, apdu) => panic!("{parts:?} is not {apdu:?}"),
    }
}

fn relay(octets: &[u8], apdu: &MtsApdu) {
    assert!(!render::apdu(apdu).to_string().is_empty());
    let again = apdu.to_octets();
    assert_eq!(MtsApdu::from_octets(&again).as_ref(), Ok(apdu));
    let MtsApdu::Message(message) = apdu else { return };
    let head = message_header(&message.envelope, message.content.len() as u64);
    let sent = [head.as_slice(), &message.content].concat();
    let Ok(MtsApdu::Message(relayed)) = MtsApdu::from_octets(&sent) else {
        panic!("what is relayed can't be read");
    };
    assert_eq!(relayed.envelope, message.envelope);
    assert_eq!(*relayed.content, *message.content);
    // Members that nothing was changed in leave with the octets they came with; those of the envelope's own SET may come
    // in another order.
    let (came, left) = (members(octets), members(&sent));
    if let (Some(mut came), Some(mut left)) = (came, left) {
        came.sort_unstable();
        left.sort_unstable();
        assert_eq!(came, left, "an envelope changes by being relayed");
    }
}

/// The encodings of the members of a message's envelope.
fn members(apdu: &[u8]) -> Option<Vec<&[u8]>> {
    let mut message = Reader::new(apdu).any().ok()?.reader().ok()?;
    let mut envelope = message.expect(Tag::SET).ok()?.reader().ok()?;
    let mut members = Vec::new();
    while let Some(member) = envelope.next().ok()? {
        members.push(member.raw);
    }
    Some(members)
}
