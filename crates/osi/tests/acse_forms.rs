//! What X.227 leaves to the peer: every form of every APDU is read, everything optional may be there or not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/ber_forms.rs"]
mod ber_forms;

use ber::{Oid, Tag, Writer};
use ber_forms::{FORMS, in_pieces, reform};
use osi::acse::apdu::{Aare, Aarq, Abrt, AcseApdu, AeTitle, AssociateResult, Diagnostic, External, Release};
use osi::acse::{
    AAssociate, ABSTRACT_SYNTAX_ACSE, AIndication, ARequest, Acpm, AcpmAction, AcpmConfig, AcpmEvent,
    AcseError,
};
use osi::presentation::{ContextId, Contexts, PConnect, PIndication, PRequest, PValue};
use proptest::prelude::*;

const NULL: [u8; 2] = [5, 0];
const BER: Oid = Oid::from_static(&[0x51, 1]);

fn oid(arcs: &[u32]) -> Oid {
    Oid::from_arcs(arcs).unwrap()
}

/// 2.6.0.1.6.
fn application_context() -> Oid {
    oid(&[2, 6, 0, 1, 6])
}

fn user_syntax() -> Oid {
    oid(&[2, 6, 0, 2, 12])
}

fn config() -> AcpmConfig {
    AcpmConfig {
        application_context: application_context(),
        user_syntax: user_syntax(),
        called: AeTitle::default(),
        calling: AeTitle::default(),
    }
}

fn contexts() -> Contexts {
    Contexts::propose(&[ABSTRACT_SYNTAX_ACSE, user_syntax()])
}

fn external() -> External {
    External::new(ContextId(3), NULL.to_vec())
}

fn aarq() -> Aarq {
    Aarq {
        version1: true,
        application_context: application_context(),
        called: AeTitle::default(),
        calling: AeTitle::default(),
        user_information: vec![external()],
    }
}

fn aare() -> Aare {
    Aare {
        application_context: application_context(),
        result: AssociateResult::Accepted,
        diagnostic: Diagnostic::NULL,
        user_information: vec![external()],
    }
}

fn values(encoding: Vec<u8>) -> Vec<PValue> {
    vec![PValue { context: ContextId(1), encoding }]
}

/// What a machine that waits for an association makes of this APDU.
fn hear(apdu: Vec<u8>) -> Result<AAssociate, AcseError> {
    let mut out = Vec::new();
    let connect = PConnect { contexts: contexts(), user_data: values(apdu), ..PConnect::default() };
    Acpm::new(config()).handle(AcpmEvent::Presentation(PIndication::Connect(connect)), &mut out)?;
    match out.pop() {
        Some(AcpmAction::Indication(AIndication::Associate(associate))) => Ok(associate),
        other => panic!("{other:?}"),
    }
}

fn awaiting() -> Acpm {
    let mut acpm = Acpm::new(config());
    let connect = PConnect { contexts: contexts(), ..PConnect::default() };
    let associate = AAssociate { connect, user_information: NULL.to_vec() };
    acpm.handle(AcpmEvent::Request(ARequest::Associate(associate)), &mut Vec::new()).unwrap();
    acpm
}

fn associated() -> Acpm {
    let mut acpm = awaiting();
    let user_data = values(AcseApdu::Aare(aare()).encode());
    acpm.handle(AcpmEvent::Presentation(PIndication::ConnectConfirm { user_data }), &mut Vec::new()).unwrap();
    acpm
}

fn told(mut acpm: Acpm, indication: PIndication) -> Result<AIndication, AcseError> {
    let mut out = Vec::new();
    acpm.handle(AcpmEvent::Presentation(indication), &mut out)?;
    match out.pop() {
        Some(AcpmAction::Indication(indication)) => Ok(indication),
        other => panic!("{other:?}"),
    }
}

/// An AARQ with these octets among its fields.
fn raw_aarq(before: &[u8], user_information: &[u8]) -> Vec<u8> {
    Writer::encode(|w| {
        w.constructed(Tag::application(0), |w| {
            w.constructed(Tag::context(1), |w| w.oid(Tag::OBJECT_IDENTIFIER, &application_context()));
            w.raw(before);
            w.constructed(Tag::context(30), |w| w.raw(user_information));
        });
    })
}

#[test]
fn every_apdu_is_known_in_both_directions() {
    let user = [0xBE, 9, 0x28, 7, 2, 1, 3, 0xA0, 2, 5, 0];
    let name = [0xA1, 6, 6, 4, 0x56, 0, 1, 6];
    let title = |name: &[u8]| AeTitle {
        ap_title: Some([&[6, name.len() as u8][..], name].concat()),
        ae_qualifier: Some(vec![2, 1, 9]),
    };
    let known: Vec<(AcseApdu, Vec<u8>)> = vec![
        (AcseApdu::Aarq(aarq()), [&[0x60, 19][..], &name, &user].concat()),
        (
            AcseApdu::Aarq(Aarq { version1: false, user_information: vec![], ..aarq() }),
            [&[0x60, 11, 0x80, 1, 0][..], &name].concat(),
        ),
        (
            AcseApdu::Aarq(Aarq { called: title(&[0x2A, 1]), calling: title(&[0x2A, 2]), ..aarq() }),
            [
                &[0x60, 41][..],
                &name,
                &[0xA2, 4, 6, 2, 0x2A, 1, 0xA3, 3, 2, 1, 9, 0xA6, 4, 6, 2, 0x2A, 2, 0xA7, 3, 2, 1, 9],
                &user,
            ]
            .concat(),
        ),
        (
            AcseApdu::Aare(aare()),
            [&[0x61, 31][..], &name, &[0xA2, 3, 2, 1, 0, 0xA3, 5, 0xA1, 3, 2, 1, 0], &user].concat(),
        ),
        (
            AcseApdu::Aare(Aare {
                result: AssociateResult::RejectedTransient,
                diagnostic: Diagnostic::NO_COMMON_VERSION,
                user_information: vec![],
                ..aare()
            }),
            [&[0x61, 20][..], &name, &[0xA2, 3, 2, 1, 2, 0xA3, 5, 0xA2, 3, 2, 1, 2]].concat(),
        ),
        (
            AcseApdu::Aare(Aare {
                result: AssociateResult::RejectedPermanent,
                diagnostic: Diagnostic::User(14),
                user_information: vec![],
                ..aare()
            }),
            [&[0x61, 20][..], &name, &[0xA2, 3, 2, 1, 1, 0xA3, 5, 0xA1, 3, 2, 1, 14]].concat(),
        ),
        (AcseApdu::Rlrq(Release::default()), vec![0x62, 0]),
        (
            AcseApdu::Rlrq(Release { reason: Some(30), user_information: vec![external()] }),
            [&[0x62, 14, 0x80, 1, 30][..], &user].concat(),
        ),
        (AcseApdu::Rlre(Release { reason: Some(1), user_information: vec![] }), vec![0x63, 3, 0x80, 1, 1]),
        (
            AcseApdu::Rlre(Release { reason: None, user_information: vec![external()] }),
            [&[0x63, 11][..], &user].concat(),
        ),
        (AcseApdu::Abrt(Abrt { by_provider: true, user_information: vec![] }), vec![0x64, 3, 0x80, 1, 1]),
        (
            AcseApdu::Abrt(Abrt { by_provider: false, user_information: vec![external()] }),
            [&[0x64, 14, 0x80, 1, 0][..], &user].concat(),
        ),
    ];
    for (apdu, octets) in known {
        assert_eq!(apdu.encode(), octets, "{apdu:?}");
        assert_eq!(AcseApdu::decode(&octets).unwrap(), apdu);
    }
    assert_eq!(external().encode(), user[2..]);
    assert_eq!(External::decode(&user[2..]).unwrap(), external());
}

#[test]
fn every_form_of_an_encoding_is_read() {
    for form in FORMS {
        let encoding = reform(&NULL, form);
        let associate = hear(reform(&AcseApdu::Aarq(aarq()).encode(), form)).unwrap();
        assert_eq!(associate.user_information, encoding, "{form:?}");

        let user_data = values(reform(&AcseApdu::Aare(aare()).encode(), form));
        let confirm = told(awaiting(), PIndication::ConnectConfirm { user_data }).unwrap();
        assert_eq!(confirm, AIndication::AssociateConfirm { user_information: encoding.clone() });

        let rejected = Aare {
            result: AssociateResult::RejectedTransient,
            diagnostic: Diagnostic::APPLICATION_CONTEXT,
            ..aare()
        };
        let user_data = values(reform(&AcseApdu::Aare(rejected).encode(), form));
        let AIndication::AssociateRejected(reject) =
            told(awaiting(), PIndication::ConnectRejected { user_data }).unwrap()
        else {
            panic!()
        };
        assert_eq!((reject.transient, reject.diagnostic), (true, Some(Diagnostic::User(2))));
        assert_eq!(reject.user_information, encoding);

        let release = Release { reason: Some(0), user_information: vec![external()] };
        let user_data = values(reform(&AcseApdu::Rlrq(release).encode(), form));
        let released = told(associated(), PIndication::Release { user_data }).unwrap();
        assert_eq!(released, AIndication::Release { user_information: encoding.clone() });

        let abrt = Abrt { by_provider: true, user_information: vec![external()] };
        let user_data = values(reform(&AcseApdu::Abrt(abrt).encode(), form));
        let aborted = told(associated(), PIndication::UAbort { user_data }).unwrap();
        assert_eq!(aborted, AIndication::Abort { by_provider: true, user_information: encoding });
    }
}

#[test]
fn an_external_names_and_embeds_its_value_in_any_way() {
    let references: [&[u8]; 4] = [&[], &[6, 2, 0x51, 1], &[2, 1, 3], &[6, 2, 0x51, 1, 2, 1, 3]];
    let descriptor: [&[u8]; 3] = [&[], &[7, 3, b'R', b'T', b'S'], &[0x27, 5, 0x19, 3, b'R', b'T', b'S']];
    let in_octets = in_pieces(Tag::context(1), &NULL, &[]);
    let in_bits = in_pieces(Tag::context(2), &NULL, &[0]);
    let encodings: [&[u8]; 6] = [
        &[0xA0, 2, 5, 0],
        &[0xA0, 0x80, 5, 0, 0, 0],
        &[0x81, 2, 5, 0],
        &[0x82, 3, 0, 5, 0],
        &in_octets,
        &in_bits,
    ];
    let mut read = 0;
    for reference in references {
        for descriptor in descriptor {
            for encoding in encodings {
                let contents = [reference, descriptor, encoding].concat();
                let external = Writer::encode(|w| w.constructed(Tag::EXTERNAL, |w| w.raw(&contents)));
                let found = External::decode(&external).unwrap();
                assert_eq!(found.encoding, NULL);
                assert_eq!(found.indirect_reference.is_some(), reference.ends_with(&[2, 1, 3]));
                assert_eq!(found.direct_reference.is_some(), reference.starts_with(&[6]));
                assert_eq!(hear(raw_aarq(&[], &external)).unwrap().user_information, NULL);
                read += 1;
            }
        }
    }
    assert_eq!(read, 72);
    // What is none: without a value, with two, with bits that are no octets, with fields out of order.
    for contents in [
        &[2, 1, 3][..],
        &[2, 1, 3, 0xA0, 2, 5, 0, 0xA0, 2, 5, 0],
        &[2, 1, 3, 0xA0, 4, 5, 0, 5, 0],
        &[2, 1, 3, 0xA0, 0],
        &[2, 1, 3, 0x82, 2, 4, 0x50],
        &[2, 1, 3, 0xA3, 2, 5, 0],
        &[2, 1, 3, 6, 2, 0x51, 1, 0xA0, 2, 5, 0],
    ] {
        let external = Writer::encode(|w| w.constructed(Tag::EXTERNAL, |w| w.raw(contents)));
        assert!(External::decode(&external).is_err(), "{contents:?}");
        assert!(matches!(hear(raw_aarq(&[], &external)), Err(AcseError::Malformed { .. })));
    }
}

#[test]
fn of_several_externals_the_user_gets_its_own() {
    let named = |context, value: u8| External::new(ContextId(context), vec![2, 1, value]);
    let unnamed = |direct: Option<Oid>, value| External {
        direct_reference: direct,
        indirect_reference: None,
        encoding: vec![2, 1, value],
    };
    for (list, expected) in [
        (vec![named(1, 1), named(3, 2), named(3, 3)], Some(2)),
        (vec![named(9, 1), unnamed(None, 2)], Some(2)),
        (vec![unnamed(Some(BER), 1), named(3, 2)], Some(2)),
        (vec![unnamed(Some(BER), 1), unnamed(None, 2)], Some(1)),
        (vec![named(1, 1), named(9, 2)], None),
    ] {
        let apdu = AcseApdu::Aarq(Aarq { user_information: list, ..aarq() });
        match (hear(apdu.encode()), expected) {
            (Ok(associate), Some(value)) => assert_eq!(associate.user_information, [2, 1, value]),
            (Err(AcseError::UserContext { context, .. }), None) => assert_eq!(context, ContextId(1)),
            other => panic!("{other:?}"),
        }
    }
    let none = AcseApdu::Aarq(Aarq { user_information: vec![], ..aarq() });
    assert_eq!(hear(none.encode()).unwrap().user_information, []);
    assert_eq!(hear(raw_aarq(&[], &[])).unwrap().user_information, []);
    let many = |count| AcseApdu::Aarq(Aarq { user_information: vec![external(); count], ..aarq() }).encode();
    assert!(hear(many(16)).is_ok());
    assert!(hear(many(17)).is_err());
}

#[test]
fn everything_optional_in_an_aarq_may_be_there() {
    let rdn = [0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x13, 2, b'A', b'E'];
    let tagged =
        |number: u8, contents: &[u8]| [&[0xA0 | number, contents.len() as u8][..], contents].concat();
    let form1 = |first: u8| {
        let name = [&[0x30, 13][..], &rdn].concat();
        [tagged(first, &name), tagged(first + 1, &rdn)].concat()
    };
    let form2 = |first: u8| [tagged(first, &[6, 2, 0x2A, 1]), tagged(first + 1, &[2, 1, 7])].concat();
    let invocations = |first: u8| [tagged(first, &[2, 1, 1]), tagged(first + 1, &[2, 2, 1, 0])].concat();
    // sender-acse-requirements, mechanism-name, authentication-value in each of its forms, context name list,
    // implementation-information, and the fields that the later edition adds.
    let rest: Vec<Vec<u8>> = vec![
        vec![0x8A, 2, 6, 0xC0],
        vec![0x8B, 3, 0x2A, 1, 2],
        vec![0xAC, 3, 0x80, 1, b'x'],
        vec![0xAC, 4, 0x81, 2, 0, 0xFF],
        vec![0xAC, 6, 0xA2, 4, 0xA0, 2, 5, 0],
        vec![0xAC, 9, 0xA3, 7, 6, 3, 0x2A, 1, 2, 5, 0],
        vec![0xAD, 4, 6, 2, 0x2A, 1],
        vec![0x9D, 4, b't', b'e', b's', b't'],
        vec![0xAE, 2, 0xA0, 0],
        vec![0xAF, 0],
        vec![0xB0, 0],
        // What nobody knows, of every class.
        vec![0x9F, 99, 1, 0],
        vec![0x5F, 99, 1, 0],
        vec![0xDF, 99, 1, 0],
    ];
    let expected = hear(raw_aarq(&[], &external().encode())).unwrap();
    for titles in [form1(2), form2(2), [form1(2), form2(6)].concat(), form1(6)] {
        assert_eq!(hear(raw_aarq(&titles, &external().encode())).unwrap(), expected);
    }
    for invocations in [invocations(4), invocations(8)] {
        assert_eq!(hear(raw_aarq(&invocations, &external().encode())).unwrap(), expected);
    }
    for field in &rest {
        assert_eq!(hear(raw_aarq(field, &external().encode())).unwrap(), expected, "{field:?}");
    }
    let all = [form1(2), invocations(4), form2(6), invocations(8), rest.concat()].concat();
    assert_eq!(hear(raw_aarq(&all, &external().encode())).unwrap(), expected);
    // The version among others, and the default said.
    for version in [&[0x80, 2, 7, 0x80][..], &[0x80, 2, 6, 0xC0], &[0x80, 3, 0, 0x80, 1]] {
        assert_eq!(hear(raw_aarq(version, &external().encode())).unwrap(), expected);
    }
    for version in [&[0x80, 2, 6, 0x40][..], &[0x80, 1, 0]] {
        assert_eq!(hear(raw_aarq(version, &external().encode())), Err(AcseError::Version));
    }
}

#[test]
fn everything_optional_in_the_answers_may_be_there() {
    let name = [0xA1, 6, 6, 4, 0x56, 0, 1, 6];
    let more: &[u8] = &[
        0xA4, 4, 6, 2, 0x2A, 1, 0xA5, 3, 2, 1, 7, 0xA6, 3, 2, 1, 1, 0xA7, 3, 2, 1, 1, 0x88, 2, 7, 0x80, 0x89,
        3, 0x2A, 1, 2, 0xAA, 3, 0x80, 1, b'x', 0xAB, 4, 6, 2, 0x2A, 1, 0xAC, 0, 0x9D, 1, b'i',
    ];
    let user = [0xBE, 9, 0x28, 7, 2, 1, 3, 0xA0, 2, 5, 0];
    let aare = |result: u8, diagnostic: &[u8]| {
        let contents =
            [&[0x80, 2, 7, 0x80][..], &name, &[0xA2, 3, 2, 1, result], diagnostic, more, &user].concat();
        values(Writer::encode(|w| w.constructed(Tag::application(1), |w| w.raw(&contents))))
    };
    let diagnostic: &[u8] = &[0xA3, 5, 0xA1, 3, 2, 1, 0];
    for diagnostic in [diagnostic, &[]] {
        let user_data = aare(0, diagnostic);
        let confirm = told(awaiting(), PIndication::ConnectConfirm { user_data }).unwrap();
        assert_eq!(confirm, AIndication::AssociateConfirm { user_information: NULL.to_vec() });
    }
    // A result that is none of the three rejects.
    for (result, transient) in [(1, false), (2, true), (9, false)] {
        let user_data = aare(result, diagnostic);
        let AIndication::AssociateRejected(reject) =
            told(awaiting(), PIndication::ConnectRejected { user_data }).unwrap()
        else {
            panic!()
        };
        assert_eq!((reject.transient, reject.user_information), (transient, NULL.to_vec()));
        let user_data = aare(result, diagnostic);
        let result = told(awaiting(), PIndication::ConnectConfirm { user_data });
        assert!(matches!(result, Err(AcseError::ContradictoryResult { .. })), "{result:?}");
    }

    // Releases with and without reason and user information, and with an ASO-qualifier and an identifier.
    let reasons: [&[u8]; 5] = [&[], &[0x80, 1, 0], &[0x80, 1, 1], &[0x80, 1, 30], &[0x80, 2, 1, 0]];
    for reason in reasons {
        for more in [&[][..], &[0xAD, 3, 2, 1, 7, 0x8E, 1, 1]] {
            for (user, expected) in [(&[][..], &[][..]), (&user, &NULL)] {
                let contents = [reason, more, user].concat();
                let apdu = |number| {
                    values(Writer::encode(|w| w.constructed(Tag::application(number), |w| w.raw(&contents))))
                };
                let user_information = expected.to_vec();
                let released = told(associated(), PIndication::Release { user_data: apdu(2) }).unwrap();
                assert_eq!(released, AIndication::Release { user_information: user_information.clone() });
                let mut acpm = associated();
                let release = ARequest::Release { user_information: Vec::new() };
                acpm.handle(AcpmEvent::Request(release), &mut Vec::new()).unwrap();
                let confirmed = told(acpm, PIndication::ReleaseConfirm { user_data: apdu(3) }).unwrap();
                assert_eq!(confirmed, AIndication::ReleaseConfirm { user_information });
            }
        }
    }

    // Aborts with every diagnostic there is and one that there is not.
    for diagnostic in 0..9 {
        let contents = [&[0x80, 1, 0, 0x81, 1, diagnostic][..], &user].concat();
        let user_data = values(Writer::encode(|w| w.constructed(Tag::application(4), |w| w.raw(&contents))));
        let aborted = told(associated(), PIndication::UAbort { user_data }).unwrap();
        let expected = AIndication::Abort { by_provider: false, user_information: NULL.to_vec() };
        assert_eq!(aborted, expected);
    }
}

#[test]
fn the_apdu_is_found_among_other_values() {
    let other = PValue { context: ContextId(3), encoding: NULL.to_vec() };
    let mut user_data = vec![other];
    user_data.extend(values(AcseApdu::Aarq(aarq()).encode()));
    let connect = PConnect { contexts: contexts(), user_data, ..PConnect::default() };
    assert!(told(Acpm::new(config()), PIndication::Connect(connect)).is_ok());
}

#[test]
fn what_is_sent_is_the_plainest_form() {
    let mut out = Vec::new();
    let connect = PConnect { contexts: contexts(), ..PConnect::default() };
    let associate = AAssociate { connect, user_information: NULL.to_vec() };
    Acpm::new(config()).handle(AcpmEvent::Request(ARequest::Associate(associate)), &mut out).unwrap();
    let Some(AcpmAction::Presentation(PRequest::Connect(connect))) = out.pop() else { panic!() };
    // No version, no titles, no requirements: an application context and one EXTERNAL with an indirect reference.
    assert_eq!(connect.user_data, values(AcseApdu::Aarq(aarq()).encode()));
}

fn some_external() -> impl Strategy<Value = External> {
    (proptest::option::of(Just(BER)), proptest::option::of(0_i64..300), 0_usize..30).prop_map(
        |(direct_reference, context, length)| External {
            direct_reference,
            indirect_reference: context.map(ContextId),
            encoding: Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &vec![7; length])),
        },
    )
}

fn some_apdu() -> impl Strategy<Value = AcseApdu> {
    let externals = || proptest::collection::vec(some_external(), 0..4);
    let release = || {
        (proptest::option::of(any::<i64>()), externals())
            .prop_map(|(reason, user_information)| Release { reason, user_information })
    };
    let title = || {
        (proptest::option::of(Just(vec![6, 2, 0x2A, 1])), proptest::option::of(Just(vec![2, 1, 7])))
            .prop_map(|(ap_title, ae_qualifier)| AeTitle { ap_title, ae_qualifier })
    };
    let diagnostic =
        prop_oneof![any::<i64>().prop_map(Diagnostic::User), any::<i64>().prop_map(Diagnostic::Provider)];
    let result = prop_oneof![
        Just(AssociateResult::Accepted),
        Just(AssociateResult::RejectedPermanent),
        Just(AssociateResult::RejectedTransient)
    ];
    prop_oneof![
        (any::<bool>(), title(), title(), externals()).prop_map(
            |(version1, called, calling, user_information)| {
                AcseApdu::Aarq(Aarq { version1, called, calling, user_information, ..aarq() })
            }
        ),
        (result, diagnostic, externals()).prop_map(|(result, diagnostic, user_information)| {
            AcseApdu::Aare(Aare { result, diagnostic, user_information, ..aare() })
        }),
        release().prop_map(AcseApdu::Rlrq),
        release().prop_map(AcseApdu::Rlre),
        (any::<bool>(), externals()).prop_map(|(by_provider, user_information)| {
            AcseApdu::Abrt(Abrt { by_provider, user_information })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_in_every_form(apdu in some_apdu()) {
        let octets = apdu.encode();
        prop_assert_eq!(&AcseApdu::decode(&octets).unwrap(), &apdu);
        for form in FORMS {
            prop_assert_eq!(AcseApdu::decode(&reform(&octets, form)).unwrap().name(), apdu.name());
        }
        for cut in 0..octets.len() {
            prop_assert!(AcseApdu::decode(&octets[..cut]).is_err());
        }
    }

    #[test]
    fn no_octets_whatever_break_a_machine(
        apdu in some_apdu(),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
    ) {
        let mut octets = apdu.encode();
        for (at, octet) in damage {
            let at = at % octets.len();
            octets[at] = octet;
        }
        let user_data = || values(octets.clone());
        let connect = PConnect { contexts: contexts(), user_data: user_data(), ..PConnect::default() };
        let events = [
            (Acpm::new(config()), PIndication::Connect(connect)),
            (awaiting(), PIndication::ConnectConfirm { user_data: user_data() }),
            (awaiting(), PIndication::ConnectRejected { user_data: user_data() }),
            (associated(), PIndication::Release { user_data: user_data() }),
            (associated(), PIndication::UAbort { user_data: user_data() }),
        ];
        for (mut acpm, event) in events {
            let mut out = Vec::new();
            let result = acpm.handle(AcpmEvent::Presentation(event), &mut out);
            // One thing comes of it, and after a failure nothing can follow.
            prop_assert_eq!(out.len(), 1);
            if result.is_err() {
                prop_assert_eq!(acpm.state().name(), "closed");
            }
        }
    }
}
