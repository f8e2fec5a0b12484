//! The BER reader: any octets are read or refused; what is read lies where it says, means the same when it is
//! written again, and nothing is nested deeper than was allowed.

use ber::{BitString, DEFAULT_DEPTH, Header, Length, Reader, Tag, Tlv, Writer};

pub(crate) fn run(octets: &[u8]) {
    header(octets);
    let end = walk(Reader::new(octets), 0);
    assert!(end <= octets.len());
    // A lower limit refuses more and reads nothing else.
    for depth in [0, 1, 3] {
        if let Ok(Some(shallow)) = Reader::with_depth(octets, depth).next() {
            let deep =
                Reader::new(octets).next().expect("the lower limit let it through").expect("an element");
            assert_eq!((shallow.tag, shallow.raw, shallow.contents), (deep.tag, deep.raw, deep.contents));
        }
    }
}

/// A header is complete at its last octet and not before, and its size has a bound.
fn header(octets: &[u8]) {
    let Ok(Some(header)) = Header::parse(octets) else { return };
    assert!((2..=15).contains(&header.size), "{header:?}");
    let (own, _) = octets.split_at(header.size);
    assert_eq!(Header::parse(own), Ok(Some(header)));
    for end in 0..header.size {
        assert_eq!(Header::parse(own.split_at(end).0), Ok(None));
    }
    if let Length::Definite(length) = header.length {
        let mut w = Writer::new();
        w.header(header.tag, header.constructed, length);
        let again = Header::parse(w.as_slice()).expect("a header of ours").expect("a whole header");
        assert_eq!(
            (again.tag, again.constructed, again.length),
            (header.tag, header.constructed, header.length)
        );
        assert!(again.size <= header.size, "ours is the shortest");
    }
}

/// Reads everything; gives the offset at which the reader stopped.
fn walk(mut reader: Reader<'_>, depth: u16) -> usize {
    assert!(depth <= DEFAULT_DEPTH + 1, "nested deeper than the limit");
    loop {
        let before = (reader.offset(), reader.rest());
        let peeked = reader.peek();
        match reader.next() {
            Ok(Some(tlv)) => {
                assert_eq!(peeked, Ok(Some(tlv.tag)));
                assert_eq!(reader.offset() - before.0, tlv.raw.len());
                assert!(before.1.starts_with(tlv.raw));
                element(&tlv, depth);
            }
            Ok(None) => {
                assert_eq!(reader.finish(), Ok(()));
                return reader.offset();
            }
            Err(_) => return reader.offset(),
        }
    }
}

fn element(tlv: &Tlv<'_>, depth: u16) {
    assert!(tlv.contents.len() + 2 <= tlv.raw.len());
    // The element alone is the element.
    let mut alone = Reader::new(tlv.raw);
    if let Ok(Some(again)) = alone.next() {
        assert_eq!((again.tag, again.contents, again.raw), (tlv.tag, tlv.contents, tlv.raw));
        assert_eq!(alone.finish(), Ok(()));
    }
    values(tlv);
    match tlv.reader() {
        Ok(inner) => {
            assert!(tlv.constructed);
            walk(inner, depth + 1);
        }
        Err(_) => assert!(!tlv.constructed || depth >= DEFAULT_DEPTH),
    }
}

fn values(tlv: &Tlv<'_>) {
    if let Ok(value) = tlv.integer() {
        let again = Writer::encode(|w| w.integer(Tag::INTEGER, value));
        assert_eq!(one(&again).integer(), Ok(value));
        assert!(again.len() <= 2 + tlv.contents.len(), "ours is the shortest");
    }
    if let Ok(value) = tlv.boolean() {
        let again = Writer::encode(|w| w.boolean(Tag::BOOLEAN, value));
        assert_eq!(one(&again).boolean(), Ok(value));
    }
    if let Ok(value) = tlv.oid() {
        let again = Writer::encode(|w| w.oid(Tag::OBJECT_IDENTIFIER, &value));
        assert_eq!(one(&again).contents, tlv.contents);
        assert!(!value.to_string().is_empty());
    }
    if let Ok(value) = tlv.bit_string() {
        let again = Writer::encode(|w| w.bit_string(Tag::BIT_STRING, &value));
        assert_eq!(one(&again).bit_string().as_ref(), Ok(&value));
        bits(value);
    }
    if let Ok(value) = tlv.octets() {
        assert!(value.len() <= tlv.contents.len());
        let again = Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &value));
        assert_eq!(one(&again).octets(), Ok(value));
    }
}

/// Setting a bit sets that bit and no other.
fn bits(mut value: BitString) {
    let before = value.clone();
    let count = before.octets.len() * 8;
    let n = count % 13;
    value.set(n, !before.bit(n));
    assert_eq!(value.bit(n), !before.bit(n));
    assert!((0..count).filter(|&other| other != n).all(|other| value.bit(other) == before.bit(other)));
}

fn one(octets: &[u8]) -> Tlv<'_> {
    Reader::new(octets).any().expect("an encoding of ours")
}
