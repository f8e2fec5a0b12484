//! O/R addresses: decoding and text forms never fail otherwise than by an answer, and lose nothing; the equality of
//! addresses and the matching of patterns keep their laws.

use ber::{Reader, Tag};
use mhs::{AddressPattern, OrAddress, OrName};

pub(crate) fn run(octets: &[u8]) {
    if let Ok(text) = std::str::from_utf8(octets) {
        texts(text);
    }
    if let Ok(Some(tlv)) = Reader::new(octets).next()
        && let Ok(name) = OrName::decode(&tlv)
    {
        assert_eq!(name.raw(), Some(tlv.raw), "what is relayed leaves as it came");
        check(name.address());
        // What is written anew, too, means the same, but for characters that the string type of an attribute has not got
        // and that came in one of another type. Written once more it stays as it is.
        let again = written_anew(name.address());
        if !beyond_latin1(name.address()) {
            assert_eq!(again.canonical_key(), name.address().canonical_key());
        }
        assert_eq!(written_anew(&again).canonical_key(), again.canonical_key());
        let tagged = ber::Writer::encode(|w| name.write(Tag::context(0), w));
        assert!(Reader::new(&tagged).any().is_ok());
    }
}

fn written_anew(address: &OrAddress) -> OrAddress {
    let octets = OrName::new(address.clone()).encode();
    let tlv = Reader::new(&octets).any().expect("an encoding of ours is an encoding");
    OrName::decode(&tlv).expect("an encoding of ours is read").address().clone()
}

/// Whether any value has characters that no string type of one octet each has: those that are shown escaped count, too.
fn beyond_latin1(address: &OrAddress) -> bool {
    let shown = format!("{address:?}");
    shown.contains("\\u{") || shown.chars().any(|c| c > '\u{ff}')
}

fn texts(text: &str) {
    let address = OrAddress::parse(text);
    if let Ok(address) = &address {
        let printed = address.to_string();
        let again = OrAddress::parse(&printed).expect("a printed address parses");
        assert_eq!(again.canonical_key(), address.canonical_key(), "{text:?} became {printed:?}");
        check(address);
        // A pattern of all attributes of an address matches it, if it is a pattern at all.
        if let Ok(pattern) = AddressPattern::parse(&printed)
            && !printed.contains('*')
        {
            assert!(pattern.matches(address).is_some(), "{printed:?} does not match itself");
        }
    }
    if let Ok(pattern) = AddressPattern::parse(text) {
        let printed = pattern.to_string();
        let again = AddressPattern::parse(&printed).expect("a printed pattern parses");
        assert_eq!(again.specificity(), pattern.specificity());
        assert_eq!(again.to_string(), printed);
        if let Ok(address) = &address {
            assert_eq!(again.matches(address), pattern.matches(address));
        }
    }
}

fn check(address: &OrAddress) {
    let key = address.canonical_key();
    assert!(address.is_same_address(address), "{key}");
    let _ = address.validate_for_submission();
    // Not every encoded address has a text form that is read back; one that has means the same.
    if let Ok(again) = OrAddress::parse(&address.to_string()) {
        assert_eq!(again.is_same_address(address), again.canonical_key() == key);
        let text = again.to_string();
        let third = OrAddress::parse(&text).expect("what was printed from a parsed address parses");
        assert_eq!(third.canonical_key(), again.canonical_key(), "{text}");
    }
}
