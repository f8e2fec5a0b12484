//! RTSE APDUs: what is read and written again reads the same. The EXTERNAL comes off a stream whatever the chunks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use osi::presentation::{ContextId, PresentationMode};
use osi::rtse::apdu::{Rtoac, Rtorq, RtseApdu};
use osi::rtse::external::{ExternalError, ExternalReader, head};

fn take_off(octets: &[u8], chunk: usize) -> Result<Vec<u8>, ExternalError> {
    let mut reader = ExternalReader::new(vec![ContextId(5)]);
    let mut out = Vec::new();
    for piece in octets.chunks(chunk) {
        reader.feed(piece, &mut out)?;
    }
    reader.finish()?;
    Ok(out)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, octets) = input;
    if let Ok(apdu) = RtseApdu::decode(octets) {
        let again = apdu.encode();
        assert_eq!(RtseApdu::decode(&again), Ok(apdu));
    }
    if let Ok(rtorq) = Rtorq::decode_x410(octets) {
        let again = RtseApdu::Rtorq(rtorq.clone()).encode_in(PresentationMode::X410);
        assert_eq!(Rtorq::decode_x410(&again), Ok(rtorq));
    }
    if let Ok(rtoac) = Rtoac::decode_x410(octets) {
        let again = RtseApdu::Rtoac(rtoac.clone()).encode_in(PresentationMode::X410);
        assert_eq!(Rtoac::decode_x410(&again), Ok(rtoac));
    }
    let chunk = usize::from(chunk).max(1);
    assert_eq!(take_off(octets, chunk), take_off(octets, octets.len().max(1)));
    // What we wrap ourselves comes off again, if it is one element.
    let mut reader = ber::Reader::new(octets);
    if !octets.is_empty() && reader.any().is_ok() && reader.finish().is_ok() {
        let mut wrapped = head(ContextId(5), octets.len() as u64);
        wrapped.extend_from_slice(octets);
        assert_eq!(take_off(&wrapped, chunk).as_deref(), Ok(octets));
    }
});
