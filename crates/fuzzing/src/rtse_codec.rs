//! RTSE APDUs of both modes: what is read and written again reads the same. The EXTERNAL comes off a stream whatever the
//! chunks. What finds the end of an encoding in a stream agrees with what reads it whole.

use ber::Reader;
use osi::presentation::{ContextId, PresentationMode};
use osi::rtse::apdu::{Rtoac, Rtorq, RtseApdu};
use osi::rtse::external::{ExternalError, ExternalReader, head};
use osi::rtse::walker::Walker;

const CONTEXT: ContextId = ContextId(5);

fn take_off(octets: &[u8], chunk: usize) -> Result<Vec<u8>, ExternalError> {
    let mut reader = ExternalReader::new(vec![CONTEXT]);
    let mut out = Vec::new();
    for piece in octets.chunks(chunk) {
        reader.feed(piece, &mut out)?;
    }
    reader.finish()?;
    Ok(out)
}

pub(crate) fn run(octets: &[u8]) {
    let Some((chunk, octets)) = octets.split_first() else { return };
    let chunk = usize::from(*chunk).max(1);
    if let Ok(apdu) = RtseApdu::decode(octets) {
        assert!(!apdu.name().is_empty());
        assert_eq!(RtseApdu::decode(&apdu.encode()), Ok(apdu));
    }
    if let Ok(rtorq) = Rtorq::decode_x410(octets) {
        let again = RtseApdu::Rtorq(rtorq.clone()).encode_in(PresentationMode::X410);
        assert_eq!(Rtorq::decode_x410(&again), Ok(rtorq));
    }
    if let Ok(rtoac) = Rtoac::decode_x410(octets) {
        let again = RtseApdu::Rtoac(rtoac.clone()).encode_in(PresentationMode::X410);
        assert_eq!(Rtoac::decode_x410(&again), Ok(rtoac));
    }
    let whole = take_off(octets, octets.len().max(1));
    assert_eq!(take_off(octets, chunk), whole);
    if let Ok(apdu) = whole {
        assert!(apdu.len() < octets.len());
    }
    walk(octets, chunk);
}

fn walk(octets: &[u8], chunk: usize) {
    let mut walker = Walker::new(ber::DEFAULT_DEPTH);
    let mut taken = 0;
    let mut result = Ok(());
    for piece in octets.chunks(chunk) {
        match walker.feed(piece) {
            Ok(now) => taken += now,
            Err(error) => result = Err(error),
        }
        if result.is_err() || walker.is_done() {
            break;
        }
    }
    let read = Reader::new(octets).any().map(|element| element.raw.len());
    match (read, result) {
        (Ok(length), Ok(())) => assert_eq!((walker.is_done(), taken), (true, length)),
        (Ok(length), Err(error)) => panic!("{length} octets are an encoding, the walker says {error}"),
        // The reader looks at what is inside a header too big to be here only if all of it is here.
        (Err(_), Ok(())) => {
            assert!(!walker.is_done() || octets.is_empty(), "the end of an encoding that is none")
        }
        (Err(_), Err(_)) => {}
    }
    // What we wrap ourselves comes off again, if it is one element.
    if let Ok(length) = Reader::new(octets).any().map(|element| element.raw.len())
        && length == octets.len()
    {
        let mut wrapped = head(CONTEXT, octets.len() as u64);
        wrapped.extend_from_slice(octets);
        assert_eq!(take_off(&wrapped, chunk).as_deref(), Ok(octets));
    }
}
