//! O/R addresses: decoding and text forms never fail otherwise than by an answer, and lose nothing.
#![no_main]

use ber::{Reader, Tag};
use libfuzzer_sys::fuzz_target;
use mhs::{AddressPattern, OrAddress, OrName};

fn check(address: &OrAddress) {
    let key = address.canonical_key();
    assert!(address.is_same_address(address), "{key}");
    let _ = address.validate_for_submission();
    // Not every encoded address has a text form that is read back; one that has means the same.
    if let Ok(again) = OrAddress::parse(&address.to_string()) {
        let text = again.to_string();
        let third = OrAddress::parse(&text).expect("what was printed from a parsed address parses");
        assert_eq!(third.canonical_key(), again.canonical_key(), "{text}");
    }
}

fuzz_target!(|octets: &[u8]| {
    if let Ok(text) = std::str::from_utf8(octets) {
        if let Ok(address) = OrAddress::parse(text) {
            let printed = address.to_string();
            let again = OrAddress::parse(&printed).expect("a printed address parses");
            assert_eq!(again.canonical_key(), address.canonical_key(), "{text:?} became {printed:?}");
            check(&address);
        }
        if let Ok(pattern) = AddressPattern::parse(text) {
            let again = AddressPattern::parse(&pattern.to_string()).expect("a printed pattern parses");
            assert_eq!(again.specificity(), pattern.specificity());
        }
    }
    if let Ok(Some(tlv)) = Reader::new(octets).next()
        && let Ok(name) = OrName::decode(&tlv)
    {
        check(name.address());
        let again = name.encode();
        let tlv = Reader::new(&again).any().expect("an encoding of ours is an encoding");
        let read = OrName::decode(&tlv).expect("an encoding of ours is read");
        assert_eq!(read.address(), name.address());
        let _ = ber::Writer::encode(|w| name.write(Tag::context(0), w));
    }
});
