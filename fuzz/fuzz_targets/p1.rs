//! MTS-APDUs: what is read goes out with the octets it came with; a stream of any chunks gives the same as the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mhs::p1::{ApduPart, ApduReader, Limits, MtsApdu, message_header};
use mhs::render;

/// What a streaming reader makes of the octets, contents joined.
fn stream(octets: &[u8], chunk: usize) -> Result<Vec<ApduPart>, mhs::DecodeError> {
    let mut reader = ApduReader::new(Limits::default());
    let mut parts = Vec::new();
    for piece in octets.chunks(chunk) {
        reader.push(piece, &mut parts)?;
    }
    reader.finish()?;
    let mut joined: Vec<ApduPart> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(ApduPart::Content(content)), ApduPart::Content(more)) => content.extend(more),
            (_, part) => joined.push(part),
        }
    }
    Ok(joined)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, octets) = input;
    let whole = stream(octets, octets.len().max(1));
    let pieces = stream(octets, usize::from(chunk).max(1));
    // Where an error is seen may depend on the pieces, whether there is one may not.
    assert_eq!(pieces.as_ref().ok(), whole.as_ref().ok());
    if let Ok(apdu) = MtsApdu::from_octets(octets) {
        let _ = render::apdu(&apdu).to_string();
        let again = apdu.to_octets();
        assert_eq!(MtsApdu::from_octets(&again).as_ref(), Ok(&apdu));
        if let MtsApdu::Message(message) = &apdu {
            let head = message_header(&message.envelope, message.content.len() as u64);
            let sent = [head.as_slice(), &message.content].concat();
            let Ok(MtsApdu::Message(relayed)) = MtsApdu::from_octets(&sent) else {
                panic!("what is relayed can't be read");
            };
            assert_eq!(relayed.envelope, message.envelope);
            assert_eq!(*relayed.content, *message.content);
        }
    }
});
