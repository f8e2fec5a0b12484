//! The EXTERNAL around an APDU, and the walker that finds the end of an encoding: chunking never matters, and what
//! they find is what the whole-buffer reader finds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use osi::presentation::ContextId;
use osi::rtse::external::{ExternalError, ExternalReader, head};
use osi::rtse::walker::Walker;
use proptest::prelude::*;

/// A random encoding: values, and lengths definite or not.
#[derive(Clone, Debug)]
enum Node {
    Primitive(u8, Vec<u8>),
    Constructed(u8, bool, Vec<Node>),
}

fn node() -> impl Strategy<Value = Node> {
    let leaf =
        (1u8..30, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(|(t, v)| Node::Primitive(t, v));
    leaf.prop_recursive(6, 40, 5, |inner| {
        (1u8..30, any::<bool>(), proptest::collection::vec(inner, 0..5))
            .prop_map(|(tag, indefinite, nodes)| Node::Constructed(tag, indefinite, nodes))
    })
}

fn encode(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Primitive(tag, value) => {
            let encoded = ber::Writer::encode(|w| w.primitive(ber::Tag::context(u32::from(*tag)), value));
            out.extend(encoded);
        }
        Node::Constructed(tag, indefinite, nodes) => {
            let mut contents = Vec::new();
            nodes.iter().for_each(|node| encode(node, &mut contents));
            if *indefinite {
                out.extend([0x20 | tag, 0x80]);
                out.extend(contents);
                out.extend([0, 0]);
            } else {
                let tag = ber::Tag::application(u32::from(*tag));
                out.extend(ber::Writer::encode(|w| w.constructed(tag, |w| w.raw(&contents))));
            }
        }
    }
}

fn read(octets: &[u8], chunk: usize) -> Result<Vec<u8>, ExternalError> {
    let mut reader = ExternalReader::new(vec![ContextId(5)]);
    let mut out = Vec::new();
    for piece in octets.chunks(chunk) {
        reader.feed(piece, &mut out)?;
    }
    reader.finish()?;
    Ok(out)
}

#[test]
fn the_place_of_an_error_does_not_depend_on_the_pieces() {
    // An indefinite [0] around an indefinite APDU in which a length can't be.
    let inside = [0x28, 0x80, 0x02, 1, 5, 0xA0, 0x80, 0x30, 0x80, 0x04, 1, 7, 0x04, 0xFF, 0, 0];
    // The same in an EXTERNAL that ends before it.
    let behind = [0x28, 10, 0x02, 1, 5, 0xA0, 0x80, 0x30, 0x80, 0x04, 1, 7, 0x04, 0xFF, 0, 0];
    for octets in [inside, behind] {
        let whole = read(&octets, octets.len());
        assert!(whole.is_err());
        for chunk in 1..octets.len() {
            assert_eq!(read(&octets, chunk), whole, "in pieces of {chunk}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The walker ends where the reader ends, whatever follows and however it comes.
    #[test]
    fn the_walker_agrees_with_the_reader(node in node(), tail in proptest::collection::vec(any::<u8>(), 0..20), chunk in 1usize..40) {
        let mut octets = Vec::new();
        encode(&node, &mut octets);
        let length = octets.len();
        prop_assert_eq!(ber::Reader::new(&octets).any().unwrap().raw.len(), length);
        octets.extend(tail);
        let mut walker = Walker::new(64);
        let mut walked = 0;
        for piece in octets.chunks(chunk) {
            let taken = walker.feed(piece).unwrap();
            walked += taken;
            if taken < piece.len() {
                break;
            }
        }
        prop_assert!(walker.is_done());
        prop_assert_eq!(walked, length);
    }

    /// On anything at all, both agree on whether it is an encoding, and how long it is.
    #[test]
    fn the_walker_agrees_with_the_reader_on_garbage(octets in proptest::collection::vec(prop_oneof![Just(0u8), Just(0x80), Just(0x30), any::<u8>()], 0..60), chunk in 1usize..10) {
        let mut walker = Walker::new(64);
        let mut walked = 0;
        let mut failed = false;
        for piece in octets.chunks(chunk) {
            match walker.feed(piece) {
                Ok(taken) => walked += taken,
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        match ber::Reader::new(&octets).any() {
            Ok(element) => {
                prop_assert!(walker.is_done());
                prop_assert_eq!(walked, element.raw.len());
            }
            Err(_) => prop_assert!(failed || !walker.is_done()),
        }
    }

    /// Every form of EXTERNAL gives its value, whatever the chunking; cut anywhere or with something behind, none.
    #[test]
    fn every_form_gives_the_value(node in node(), form in 0usize..8, indefinite: bool, direct: bool, descriptor: bool, chunk in 1usize..50, cut in any::<prop::sample::Index>()) {
        let mut value = Vec::new();
        encode(&node, &mut value);
        let mut contents = Vec::new();
        if direct {
            contents.extend([6, 2, 0x51, 1]);
        }
        contents.extend([2, 1, 5]);
        if descriptor {
            contents.extend([7, 3, b'a', b'b', b'c']);
        }
        let (first, second) = value.split_at(value.len() / 2);
        let segments = |tag, lead: &[u8]| {
            ber::Writer::encode(|w| {
                w.primitive(tag, &[lead, first].concat());
                w.primitive(tag, &[lead, second].concat());
            })
        };
        let wrapped = match form {
            0 | 1 => ber::Writer::encode(|w| w.constructed(ber::Tag::context(0), |w| w.raw(&value))),
            2 => [&[0xA0, 0x80][..], &value, &[0, 0]].concat(),
            3 => ber::Writer::encode(|w| w.primitive(ber::Tag::context(1), &value)),
            4 => ber::Writer::encode(|w| w.constructed(ber::Tag::context(1), |w| w.raw(&segments(ber::Tag::OCTET_STRING, &[])))),
            5 => [&[0xA1, 0x80][..], &segments(ber::Tag::OCTET_STRING, &[]), &[0, 0]].concat(),
            6 => ber::Writer::encode(|w| w.primitive(ber::Tag::context(2), &[&[0], &value[..]].concat())),
            _ => [&[0xA2, 0x80][..], &segments(ber::Tag::BIT_STRING, &[0]), &[0, 0]].concat(),
        };
        contents.extend(wrapped);
        let external = if indefinite {
            [&[0x28, 0x80][..], &contents, &[0, 0]].concat()
        } else {
            ber::Writer::encode(|w| w.constructed(ber::Tag::EXTERNAL, |w| w.raw(&contents)))
        };
        prop_assert_eq!(read(&external, chunk), Ok(value));
        prop_assert!(read(&external[..cut.index(external.len())], chunk).is_err());
        let longer = [&external[..], &[5]].concat();
        let trailing = matches!(read(&longer, chunk), Err(ExternalError::Trailing { .. }));
        prop_assert!(trailing);
    }

    #[test]
    fn garbage_is_refused_or_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..80), start in any::<bool>()) {
        let octets = if start { [&[0x28, 0x80, 2, 1, 5][..], &octets].concat() } else { octets };
        prop_assert_eq!(read(&octets, 1).is_ok(), read(&octets, 1000).is_ok());
    }

    /// Our own head with any APDU behind it is an EXTERNAL with that APDU.
    #[test]
    fn our_own_head(length in 0usize..70_000, context in 1i64..70_000) {
        let apdu = vec![5; length];
        let external = [head(ContextId(context), length as u64), apdu.clone()].concat();
        let mut reader = ber::Reader::new(&external);
        prop_assert_eq!(reader.any().unwrap().raw.len(), external.len());
        let mut reader = ExternalReader::new(vec![ContextId(1), ContextId(context)]);
        let mut out = Vec::new();
        reader.feed(&external, &mut out).unwrap();
        reader.finish().unwrap();
        prop_assert_eq!(out, apdu);
    }
}

#[test]
fn each_fault_has_its_name() {
    let external = |contents: &[u8]| {
        let whole = ber::Writer::encode(|w| w.constructed(ber::Tag::EXTERNAL, |w| w.raw(contents)));
        read(&whole, 3).unwrap_err()
    };
    assert_eq!(external(&[2, 1, 7, 0xA0, 2, 5, 0]), ExternalError::Context(ContextId(7)));
    assert_eq!(external(&[0xA0, 2, 5, 0]), ExternalError::NoContext);
    assert!(matches!(external(&[6, 2, 0x51, 2, 2, 1, 5]), ExternalError::TransferSyntax(_)));
    assert!(matches!(external(&[2, 1, 5, 0xA0, 3, 5, 0]), ExternalError::Overrun { .. }));
    assert!(matches!(external(&[2, 1, 5, 0xA0, 2, 5, 0, 5, 0]), ExternalError::Trailing { .. }));
    assert!(matches!(external(&[2, 1, 5, 0x82, 3, 1, 5, 0]), ExternalError::UnusedBits));
    assert!(matches!(external(&[2, 1, 5, 0xA3, 0]), ExternalError::Element { .. }));
    assert!(matches!(external(&[2, 70]), ExternalError::Overrun { .. }));
    assert!(matches!(read(&[0x30, 0x80], 1), Err(ExternalError::Element { .. })));
    assert!(matches!(
        read(&[0x28, 0x80, 6, 0x82, 0xFF, 0xFF], 1),
        Err(ExternalError::Reference { octets: 0xFFFF })
    ));
    let deep = [&[0x28, 0x80, 2, 1, 5, 0xA0, 0x80][..], &[0x30, 0x80].repeat(100)].concat();
    assert!(matches!(read(&deep, 1), Err(ExternalError::Encoding { kind: ber::ErrorKind::TooDeep, .. })));
    assert_eq!(read(&[0x28], 1), Err(ExternalError::Incomplete { octets: 1 }));
}
