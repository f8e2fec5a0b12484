//! Known encodings of the RTSE APDUs, in both modes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use osi::presentation::PresentationMode;
use osi::rtse::apdu::{ConnectionData, Rtab, Rtoac, Rtorj, Rtorq, RtseApdu};
use osi::rtse::{AbortReason, DialogueMode, SessionConnectionIdentifier};
use osi::session::ConnectionIdentifier;

#[test]
fn known_encodings() {
    let open = |user_data: &[u8]| ConnectionData::Open(user_data.to_vec());
    let rtorq = |checkpoint_size_kb, window_size, connection_data| {
        let dialogue_mode = DialogueMode::Monologue;
        RtseApdu::Rtorq(Rtorq {
            checkpoint_size_kb,
            window_size,
            dialogue_mode,
            connection_data,
            application_protocol: None,
        })
    };
    let decode = |octets: &[u8]| RtseApdu::decode(octets).unwrap();
    // Window absent, dialogue mode explicit; and no size at all, without user data.
    assert_eq!(
        decode(&[0xB0, 12, 0x80, 1, 63, 0x82, 1, 0, 0xA3, 4, 0xA0, 2, 5, 0]),
        rtorq(63, 3, open(&[5, 0]))
    );
    assert_eq!(decode(&[0xB0, 4, 0xA3, 2, 0x80, 0]), rtorq(0, 3, open(&[])));
    let whole = [0xB0, 12, 0x80, 1, 1, 0x81, 1, 3, 0xA3, 4, 0xA0, 2, 5, 0];
    assert_eq!(rtorq(1, 3, open(&[5, 0])).encode(), whole);
    let rtoac = RtseApdu::Rtoac(Rtoac { checkpoint_size_kb: 1, window_size: 3, connection_data: open(&[]) });
    assert_eq!(rtoac.encode(), [0xB1, 10, 0x80, 1, 1, 0x81, 1, 3, 0xA2, 2, 0x80, 0]);
    // The bind error of PP is a bare integer.
    let rtorj = RtseApdu::Rtorj(Rtorj { refuse_reason: None, user_data: vec![2, 1, 2] });
    assert_eq!(decode(&[0xB2, 5, 0xA1, 3, 2, 1, 2]), rtorj);
    assert_eq!(rtorj.encode(), [0xB2, 5, 0xA1, 3, 2, 1, 2]);
    let rtab = RtseApdu::Rtab(Rtab { reason: Some(AbortReason(4)), user_data: Vec::new() });
    assert_eq!(rtab.encode(), [0xB6, 3, 0x80, 1, 4]);
    assert_eq!(decode(&[0xB6, 3, 0x80, 1, 4]), rtab);
    assert_eq!(decode(&[0x36, 3, 0x80, 1, 4]), rtab, "with the class of the tag mistaken");
    assert_eq!(RtseApdu::Rttp(5).encode(), [2, 1, 5]);
    assert_eq!(decode(&[0x24, 0x80, 4, 1, 7, 4, 1, 8, 0, 0]), RtseApdu::Rttr(vec![7, 8]));
    assert_eq!(RtseApdu::Rttr(vec![7, 8]).encode(), [4, 2, 7, 8]);
    assert!(RtseApdu::decode(&[0xB0, 7, 0x80, 1, 0xFF, 0xA3, 2, 0x80, 0]).is_err(), "a negative size");
    assert!(RtseApdu::decode(&[0xB3, 0]).is_err());
}

#[test]
fn known_encodings_of_x410_mode() {
    let connection_data = || ConnectionData::Open(vec![5, 0]);
    let rtorq = Rtorq {
        checkpoint_size_kb: 1,
        window_size: 3,
        dialogue_mode: DialogueMode::TwoWayAlternate,
        connection_data: connection_data(),
        application_protocol: Some(12),
    };
    let encoded = [0x31, 18, 0x80, 1, 1, 0x81, 1, 3, 0x82, 1, 1, 0xA3, 4, 0xA0, 2, 5, 0, 0x84, 1, 12];
    let in_x410 = |apdu: RtseApdu| apdu.encode_in(PresentationMode::X410);
    assert_eq!(in_x410(RtseApdu::Rtorq(rtorq.clone())), encoded);
    assert_eq!(Rtorq::decode_x410(&encoded), Ok(rtorq));
    let rtoac = Rtoac { checkpoint_size_kb: 1, window_size: 3, connection_data: connection_data() };
    let encoded = [0x31, 12, 0x80, 1, 1, 0x81, 1, 3, 0xA2, 4, 0xA0, 2, 5, 0];
    assert_eq!(in_x410(RtseApdu::Rtoac(rtoac.clone())), encoded);
    assert_eq!(Rtoac::decode_x410(&encoded), Ok(rtoac));
    let rtorj = Rtorj { refuse_reason: Some(2), user_data: Vec::new() };
    assert_eq!(in_x410(RtseApdu::Rtorj(rtorj.clone())), [0x31, 3, 0x80, 1, 2]);
    assert_eq!(Rtorj::decode_x410(&[0x31, 3, 0x80, 1, 2]), Ok(rtorj));
    let rtab = Rtab { reason: Some(AbortReason(4)), user_data: Vec::new() };
    assert_eq!(in_x410(RtseApdu::Rtab(rtab.clone())), [0x31, 3, 0x80, 1, 4]);
    assert_eq!(Rtab::decode_x410(&[0x31, 3, 0x80, 1, 4]), Ok(rtab));
    assert_eq!(in_x410(RtseApdu::Rttp(5)), [2, 1, 5]);
    assert_eq!(in_x410(RtseApdu::Rttr(vec![7, 8])), [7, 8]);
    assert!(Rtab::decode_x410(&[0xB6, 3, 0x80, 1, 4]).is_err(), "the tag of normal mode");
    assert!(Rtab::decode_x410(&[0x31, 0, 5, 0]).is_err(), "something after it");
}

/// Parts of a session connection identifier as they are in a CN: the user reference as T61String or OCTET STRING.
fn connection(string: u8, additional: Option<&[u8]>) -> SessionConnectionIdentifier {
    SessionConnectionIdentifier::from(ConnectionIdentifier {
        user_reference: Some(vec![string, 2, b'a', b'b']),
        common_reference: Some([&[0x17, 13][..], b"261122043000Z"].concat()),
        additional_reference: additional.map(|octets| [&[0x14, octets.len() as u8][..], octets].concat()),
    })
}

#[test]
fn known_encodings_of_recovery() {
    let rtorq = |connection, application_protocol| Rtorq {
        checkpoint_size_kb: 1,
        window_size: 3,
        dialogue_mode: DialogueMode::Monologue,
        connection_data: ConnectionData::Recover(connection),
        application_protocol,
    };
    let rtoac = |connection| Rtoac {
        checkpoint_size_kb: 1,
        window_size: 3,
        connection_data: ConnectionData::Recover(connection),
    };
    let sizes = [0x80, 1, 1, 0x81, 1, 3];
    let time = [&[0x17, 13][..], b"261122043000Z"].concat();

    // Normal mode: an OCTET STRING.
    let octets = [&[0xB0, 29][..], &sizes, &[0xA3, 21, 0xA1, 19, 4, 2, b'a', b'b'], &time].concat();
    let apdu = RtseApdu::Rtorq(rtorq(connection(4, None), None));
    assert_eq!(apdu.encode(), octets);
    assert_eq!(RtseApdu::decode(&octets), Ok(apdu));
    let octets = [&[0xB1, 29][..], &sizes, &[0xA2, 21, 0xA1, 19, 4, 2, b'a', b'b'], &time].concat();
    let apdu = RtseApdu::Rtoac(rtoac(connection(4, None)));
    assert_eq!(apdu.encode(), octets);
    assert_eq!(RtseApdu::decode(&octets), Ok(apdu));
    // The additional reference is implicit here, and a T61String in the SPDUs.
    let additional = [0x80, 2, b'x', b'y'];
    let octets =
        [&[0xB0, 33][..], &sizes, &[0xA3, 25, 0xA1, 23, 4, 2, b'a', b'b'], &time, &additional].concat();
    let apdu = RtseApdu::Rtorq(rtorq(connection(4, Some(b"xy")), None));
    assert_eq!(apdu.encode(), octets);
    assert_eq!(RtseApdu::decode(&octets), Ok(apdu));

    // X.410 mode: a T61String, and the application protocol.
    let recover = [&[0xA3, 21, 0xA1, 19, 0x14, 2, b'a', b'b'][..], &time].concat();
    let octets = [&[0x31, 32][..], &sizes, &recover, &[0x84, 1, 12]].concat();
    let set = rtorq(connection(0x14, None), Some(12));
    assert_eq!(RtseApdu::Rtorq(set.clone()).encode_in(PresentationMode::X410), octets);
    assert_eq!(Rtorq::decode_x410(&octets), Ok(set));
    let octets = [&[0x31, 29][..], &sizes, &[0xA2, 21, 0xA1, 19, 0x14, 2, b'a', b'b'], &time].concat();
    let set = rtoac(connection(0x14, None));
    assert_eq!(RtseApdu::Rtoac(set.clone()).encode_in(PresentationMode::X410), octets);
    assert_eq!(Rtoac::decode_x410(&octets), Ok(set));

    // Nothing that names a connection.
    for wrong in [
        &[][..],
        &[4, 2, b'a', b'b'],
        &[&[2, 1, 1][..], &time].concat(),
        &[&time[..], &[4, 2, b'a', b'b']].concat(),
        &[&[4, 63][..], &[b'a'; 63], &time].concat(),
        &[&[4, 2, b'a', b'b'][..], &time, &[0x80, 3, 1, 2, 3]].concat(),
        &[&[4, 2, b'a', b'b'][..], &time, &[5, 0]].concat(),
    ] {
        let octets = ber::Writer::encode(|w| {
            w.constructed(ber::Tag::context(16), |w| {
                w.constructed(ber::Tag::context(3), |w| {
                    w.constructed(ber::Tag::context(1), |w| w.raw(wrong));
                });
            });
        });
        assert!(RtseApdu::decode(&octets).is_err(), "{wrong:02x?}");
    }
}

#[test]
fn a_session_connection_is_known_whatever_kind_of_string_names_it() {
    use std::collections::{BTreeSet, HashSet};

    let names = [connection(4, None), connection(0x14, None), connection(4, Some(b"x"))];
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), 2);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(names[0].to_string(), "ab 261122043000Z");
    assert_eq!(names[2].to_string(), "ab 261122043000Z x");
    assert!(names[0].is_complete());
    assert!(!SessionConnectionIdentifier::default().is_complete());
    // What is no encoding is compared and shown as it is.
    let odd = |octets: &[u8]| {
        SessionConnectionIdentifier::from(ConnectionIdentifier {
            user_reference: Some(octets.to_vec()),
            ..ConnectionIdentifier::default()
        })
    };
    assert_eq!(odd(&[4, 9, b'a']), odd(&[4, 9, b'a']));
    assert_ne!(odd(&[4, 9, b'a']), odd(b"a"));
    assert_eq!(odd(b"a").to_string(), "a ");
}
