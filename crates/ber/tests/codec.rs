//! Laws of the codec, and the attacks that it must survive.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ber::{BitString, Error, ErrorKind, Header, Length, Oid, Reader, Tag, Tlv, Writer};
use proptest::prelude::*;

#[test]
fn every_length_form_of_a_primitive_is_read() {
    for octets in [&[0x04, 1, 7][..], &[0x04, 0x81, 1, 7], &[0x04, 0x84, 0, 0, 0, 1, 7]] {
        let tlv = Reader::new(octets).any().unwrap();
        assert_eq!(tlv.contents, [7]);
        assert_eq!(tlv.raw, octets);
    }
}

#[test]
fn constructed_and_indefinite_strings_are_joined() {
    // OCTET STRING, indefinite, of three segments, one of them constructed itself.
    let octets = [0x24, 0x80, 0x04, 2, b'a', b'b', 0x24, 0x80, 0x04, 1, b'c', 0, 0, 0x04, 1, b'd', 0, 0];
    let tlv = Reader::new(&octets).any().unwrap();
    assert_eq!(tlv.octets().unwrap().as_ref(), b"abcd");
    assert_eq!(tlv.raw, octets);
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let indefinite: Vec<u8> = std::iter::repeat_n([0x30, 0x80], 10_000).flatten().collect();
    assert_eq!(Reader::new(&indefinite).next().unwrap_err().kind, ErrorKind::TooDeep);

    let mut definite = Vec::new();
    for _ in 0..10_000 {
        let mut w = Writer::new();
        w.header(Tag::SEQUENCE, true, definite.len() as u64);
        let mut next = w.into_vec();
        next.extend_from_slice(&definite);
        definite = next;
    }
    let mut tlv = Reader::new(&definite).any().unwrap();
    let mut levels = 0;
    let error = loop {
        match tlv.reader().and_then(|mut r| r.any()) {
            Ok(inner) => tlv = inner,
            Err(error) => break error,
        }
        levels += 1;
    };
    assert_eq!((levels, error.kind), (64, ErrorKind::TooDeep));
}

#[test]
fn lies_about_length_are_found_before_anything_is_allocated() {
    for octets in [
        &[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF][..],
        &[0x04, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x30, 3, 0x04, 5, 0],
        &[0x30, 0x80, 0x04, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
    ] {
        let result = Reader::new(octets).any().and_then(|t| t.reader()?.any().map(|_| ()));
        assert_eq!(result.unwrap_err().kind, ErrorKind::Truncated, "{octets:02x?}");
    }
    assert_eq!(Reader::new(&[0x04, 0xFF]).any().unwrap_err().kind, ErrorKind::LengthTooLarge);
    assert_eq!(Reader::new(&[0x04, 0x80, 0, 0]).any().unwrap_err().kind, ErrorKind::IndefinitePrimitive);
    assert_eq!(Reader::new(&[0x00, 0x00]).any().unwrap_err().kind, ErrorKind::UnexpectedEoc);
    assert_eq!(Reader::new(&[0x1F, 0x80, 0x80, 0x01, 0]).any().unwrap_err().kind, ErrorKind::TagTooLarge);
    assert_eq!(
        Reader::new(&[0x1F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0]).any().unwrap_err().kind,
        ErrorKind::TagTooLarge
    );
}

/// A longer form that one reader takes for the end and another for an element makes two values of the same octets.
#[test]
fn the_end_of_contents_has_one_form() {
    for end in [&[0x1F, 0, 0][..], &[0, 0x81, 0], &[0x20, 0], &[0, 1, 7], &[0x20, 0x80]] {
        assert_eq!(Header::parse(end), Err(ErrorKind::UnexpectedEoc), "{end:02x?}");
        let octets = [&[0x24, 0x80, 0x04, 1, b'a'], end, &[0, 0]].concat();
        assert_eq!(Reader::new(&octets).any().unwrap_err().kind, ErrorKind::UnexpectedEoc, "{end:02x?}");
    }
}

#[test]
fn errors_name_the_octet() {
    let octets = [0x30, 6, 0x02, 1, 5, 0x04, 1, 9];
    let mut fields = Reader::new(&octets).any().unwrap().reader().unwrap();
    fields.expect(Tag::INTEGER).unwrap();
    let error = fields.expect(Tag::INTEGER).unwrap_err();
    assert_eq!(
        error,
        Error {
            kind: ErrorKind::UnexpectedTag { expected: Tag::INTEGER, found: Tag::OCTET_STRING },
            offset: 5
        }
    );
    assert_eq!(error.to_string(), "expected [UNIVERSAL 2], found [UNIVERSAL 4] at octet 5");
}

#[test]
fn integers_at_the_edges() {
    for (octets, value) in [
        (&[0x02, 1, 0x80][..], Some(-128)),
        (&[0x02, 2, 0, 0x80], Some(128)),
        (&[0x02, 9, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Some(i64::MAX)),
        (&[0x02, 9, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], Some(i64::MIN)),
        (&[0x02, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 0], None),
        (&[0x02, 9, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0, 0], None),
        (&[0x02, 0], None),
    ] {
        assert_eq!(Reader::new(octets).any().unwrap().integer().ok(), value, "{octets:02x?}");
    }
}

#[test]
fn bit_strings() {
    let tlv_octets = [0x03, 3, 7, 0xA8, 0x80];
    let value = Reader::new(&tlv_octets).any().unwrap().bit_string().unwrap();
    assert_eq!(
        (0..10).map(|n| value.bit(n)).collect::<Vec<_>>(),
        [1, 0, 1, 0, 1, 0, 0, 0, 1, 0].map(|b| b == 1)
    );
    let mut built = BitString::default();
    for n in [0, 2, 4, 8] {
        built.set(n, true);
    }
    assert_eq!(built, value);
    assert!(Reader::new(&[0x03, 0]).any().unwrap().bit_string().is_err());
    assert!(Reader::new(&[0x03, 2, 8, 0]).any().unwrap().bit_string().is_err());
    assert!(Reader::new(&[0x03, 1, 3]).any().unwrap().bit_string().is_err());
}

#[test]
fn object_identifiers() {
    for text in ["2.6.0.1.6", "1.3.26.0.4406.0.4.1", "2.1.1", "2.999.4294967295", "0.39", "1.0"] {
        let arcs: Vec<u32> = text.split('.').map(|arc| arc.parse().unwrap()).collect();
        let oid = Oid::from_arcs(&arcs).unwrap();
        assert_eq!(oid.to_string(), text);
        assert_eq!(Oid::from_contents(oid.contents()), Some(oid));
    }
    assert_eq!(Oid::from_arcs(&[1]), None);
    assert_eq!(Oid::from_arcs(&[1, 40]), None);
    assert_eq!(Oid::from_arcs(&[3, 0]), None);
    assert_eq!(Oid::from_contents(&[0x56, 0x80]), None);
    assert_eq!(Oid::from_contents(&[]), None);
}

/// A tree of encodings in every form that BER allows.
#[derive(Clone, Debug)]
enum Node {
    Primitive(u32, Vec<u8>),
    Constructed(u32, bool, Vec<Node>),
}

impl Node {
    fn write(&self, w: &mut Writer) {
        match self {
            Node::Primitive(number, contents) => w.primitive(Tag::context(*number), contents),
            Node::Constructed(number, false, children) => {
                w.constructed(Tag::context(*number), |w| children.iter().for_each(|child| child.write(w)));
            }
            Node::Constructed(number, true, children) => {
                let mut identifier = Writer::new();
                identifier.header(Tag::context(*number), true, 0);
                let identifier = identifier.into_vec();
                w.raw(&identifier[..identifier.len() - 1]);
                w.raw(&[0x80]);
                children.iter().for_each(|child| child.write(w));
                w.raw(&[0, 0]);
            }
        }
    }

    fn check(&self, tlv: Tlv<'_>) {
        match self {
            Node::Primitive(number, contents) => {
                assert_eq!((tlv.tag, tlv.primitive().unwrap()), (Tag::context(*number), &contents[..]));
            }
            Node::Constructed(number, _, children) => {
                assert_eq!(tlv.tag, Tag::context(*number));
                let mut reader = tlv.reader().unwrap();
                for child in children {
                    child.check(reader.any().unwrap());
                }
                reader.finish().unwrap();
            }
        }
    }
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = (0u32..300_000, proptest::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(number, contents)| Node::Primitive(number, contents));
    leaf.prop_recursive(6, 40, 5, |inner| {
        (0u32..300, any::<bool>(), proptest::collection::vec(inner, 0..5))
            .prop_map(|(number, indefinite, children)| Node::Constructed(number, indefinite, children))
    })
}

/// A string in segments, some of them segmented again.
#[derive(Clone, Debug)]
enum Segment {
    Octets(Vec<u8>),
    Segmented(bool, Vec<Segment>),
}

impl Segment {
    fn write(&self, w: &mut Writer) {
        match self {
            Segment::Octets(octets) => w.primitive(Tag::OCTET_STRING, octets),
            Segment::Segmented(false, segments) => {
                w.constructed(Tag::OCTET_STRING, |w| segments.iter().for_each(|segment| segment.write(w)));
            }
            Segment::Segmented(true, segments) => {
                w.raw(&[0x24, 0x80]);
                segments.iter().for_each(|segment| segment.write(w));
                w.raw(&[0, 0]);
            }
        }
    }

    fn octets(&self) -> Vec<u8> {
        match self {
            Segment::Octets(octets) => octets.clone(),
            Segment::Segmented(_, segments) => segments.iter().flat_map(Segment::octets).collect(),
        }
    }
}

fn segment() -> impl Strategy<Value = Segment> {
    let leaf = prop::collection::vec(any::<u8>(), 0..5).prop_map(Segment::Octets);
    leaf.prop_recursive(6, 60, 5, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 0..5))
            .prop_map(|(indefinite, segments)| Segment::Segmented(indefinite, segments))
    })
}

/// The octets of a string, read level by level.
fn by_levels(tlv: &Tlv<'_>) -> Result<Vec<u8>, ErrorKind> {
    if !tlv.constructed {
        return Ok(tlv.contents.to_vec());
    }
    let mut reader = tlv.reader().map_err(|error| error.kind)?;
    let mut octets = Vec::new();
    while let Some(segment) = reader.next().map_err(|error| error.kind)? {
        if segment.tag != Tag::OCTET_STRING {
            let (expected, found) = (Tag::OCTET_STRING, segment.tag);
            return Err(ErrorKind::UnexpectedTag { expected, found });
        }
        octets.extend(by_levels(&segment)?);
    }
    Ok(octets)
}

#[test]
fn segments_nest_as_deep_as_the_reader_allows() {
    for indefinite in [false, true] {
        let nested = |levels: usize| {
            let innermost = Segment::Octets(vec![7]);
            let whole = (0..levels).fold(innermost, |inner, _| Segment::Segmented(indefinite, vec![inner]));
            Writer::encode(|w| whole.write(w))
        };
        let read = |octets: &[u8]| {
            let tlv = Reader::with_depth(octets, 5).any()?;
            tlv.octets().map(|octets| octets.into_owned())
        };
        assert_eq!(read(&nested(5)), Ok(vec![7]));
        assert_eq!(read(&nested(6)).unwrap_err().kind, ErrorKind::TooDeep);
    }
}

#[test]
fn an_error_in_a_nested_segment_names_its_place() {
    // An INTEGER among the segments; a segment that is longer than what holds it.
    for (octets, kind, offset) in [
        (
            &[0x24, 0x80, 4, 1, 1, 0x24, 5, 4, 1, 2, 2, 0, 0, 0][..],
            ErrorKind::UnexpectedTag { expected: Tag::OCTET_STRING, found: Tag::INTEGER },
            10,
        ),
        (&[0x24, 6, 0x24, 3, 4, 2, 1, 0], ErrorKind::Truncated, 4),
        (&[0x24, 4, 0x24, 2, 0, 0], ErrorKind::UnexpectedEoc, 4),
        (&[0x24, 5, 0x24, 0x80, 4, 1, 7], ErrorKind::Truncated, 7),
    ] {
        let error = Reader::new(octets).any().unwrap().octets().unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{octets:02x?}");
    }
}

proptest! {
    #[test]
    fn segments_make_the_string_they_were_cut_from(segment in segment()) {
        let octets = Writer::encode(|w| segment.write(w));
        let read = Reader::new(&octets).any().unwrap();
        prop_assert_eq!(read.octets().unwrap(), segment.octets());
    }

    /// One pass finds what reading level by level finds, in what is wrong too.
    #[test]
    fn segments_are_read_as_level_by_level(
        segment in segment(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut octets = Writer::encode(|w| Segment::Segmented(true, vec![segment]).write(w));
        for (at, to) in changes {
            let at = at.index(octets.len());
            octets[at] = to;
        }
        if let Ok(tlv) = Reader::new(&octets).any() && tlv.tag == Tag::OCTET_STRING {
            let expected = by_levels(&tlv);
            let found = tlv.octets();
            prop_assert_eq!(found.is_ok(), expected.is_ok());
            if let (Ok(found), Ok(expected)) = (found, expected) {
                prop_assert_eq!(found.into_owned(), expected);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(node in node()) {
        let mut w = Writer::new();
        node.write(&mut w);
        let octets = w.into_vec();
        let mut reader = Reader::new(&octets);
        let tlv = reader.any().unwrap();
        prop_assert_eq!(tlv.raw, &octets[..]);
        node.check(tlv);
        reader.finish().unwrap();
    }

    #[test]
    fn no_prefix_of_an_encoding_is_an_encoding(node in node(), cut in any::<prop::sample::Index>()) {
        let mut w = Writer::new();
        node.write(&mut w);
        let octets = w.into_vec();
        prop_assert!(Reader::new(&octets[..cut.index(octets.len())]).any().is_err());
    }

    #[test]
    fn integers_round_trip_in_the_fewest_octets(value in any::<i64>(), shift in 0u32..64) {
        let value = value >> shift;
        let octets = Writer::encode(|w| w.integer(Tag::INTEGER, value));
        prop_assert_eq!(Reader::new(&octets).any().unwrap().integer().unwrap(), value);
        let minimal = octets.len() == 3 || !matches!((octets[2], octets[3] & 0x80), (0, 0) | (0xFF, 0x80));
        prop_assert!(minimal);
    }

    #[test]
    fn any_octets_end_in_an_answer(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        fn walk(mut reader: Reader<'_>) {
            while let Ok(Some(tlv)) = reader.next() {
                let _ = (tlv.integer(), tlv.boolean(), tlv.oid(), tlv.bit_string(), tlv.octets());
                if let Ok(inner) = tlv.reader() {
                    walk(inner);
                }
            }
        }
        walk(Reader::new(&octets));
    }

    #[test]
    fn a_header_never_needs_more_than_fifteen_octets(octets in proptest::collection::vec(any::<u8>(), 15..16)) {
        prop_assert!(!matches!(Header::parse(&octets), Ok(None)));
    }

    #[test]
    fn lengths_round_trip(length in any::<u64>(), shift in 0u32..64) {
        let mut w = Writer::new();
        w.header(Tag::OCTET_STRING, false, length >> shift);
        let header = Header::parse(w.as_slice()).unwrap().unwrap();
        prop_assert_eq!(header.length, Length::Definite(length >> shift));
        prop_assert_eq!(header.size, w.len());
    }
}
