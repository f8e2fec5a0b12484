//! What X.226 leaves to the peer: every form of every PPDU is read, everything optional may be there or not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/ber_forms.rs"]
mod ber_forms;

use ber::{Oid, Tag, Writer};
use ber_forms::{FORMS, in_pieces, reform};
use osi::acse::ABSTRACT_SYNTAX_ACSE;
use osi::failure::Blame;
use osi::presentation::ppdu::{Abort, ByMode, ContextDefinition, ContextResult, Cp, Cpa, Cpr};
use osi::presentation::{
    ContextId, Contexts, PConnect, PIndication, PRequest, PValue, Pdv, PdvValue, Ppm, PpmAction, PpmConfig,
    PpmEvent, PresentationError, TRANSFER_SYNTAX_BER, UserData,
};
use osi::session::{SAccept, SConnect, SsIndication, SsRequest};
use proptest::prelude::*;

const NULL: [u8; 2] = [5, 0];

fn oid(arcs: &[u32]) -> Oid {
    Oid::from_arcs(arcs).unwrap()
}

fn application() -> Oid {
    oid(&[2, 6, 0, 2, 12])
}

fn config() -> PpmConfig {
    PpmConfig { syntaxes: vec![ABSTRACT_SYNTAX_ACSE, application()], ..PpmConfig::default() }
}

fn definition(context: i64, abstract_syntax: Oid) -> ContextDefinition {
    let transfer_syntaxes = vec![TRANSFER_SYNTAX_BER];
    ContextDefinition { context: ContextId(context), abstract_syntax, transfer_syntaxes }
}

fn definitions() -> Vec<ContextDefinition> {
    vec![definition(1, ABSTRACT_SYNTAX_ACSE), definition(3, application())]
}

fn cp() -> Cp<'static> {
    Cp {
        calling_selector: Some(b"psA".to_vec()),
        called_selector: Some(b"psB".to_vec()),
        contexts: definitions(),
        user_data: Some(UserData::Full(vec![Pdv::new(ContextId(3), NULL.to_vec())])),
        ..Cp::default()
    }
}

/// What a machine that waits for a connection makes of this CP.
fn hear(user_data: Vec<u8>) -> (Result<(), PresentationError>, Vec<PpmAction>) {
    let mut out = Vec::new();
    let connect = SConnect { user_data, ..SConnect::default() };
    let result = Ppm::new(config()).handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out);
    (result, out)
}

fn indicated(user_data: Vec<u8>) -> PConnect {
    match hear(user_data) {
        (Ok(()), out) => match out.into_iter().next() {
            Some(PpmAction::Indication(PIndication::Connect(connect))) => connect,
            other => panic!("{other:?}"),
        },
        (Err(error), _) => panic!("{error}"),
    }
}

/// The CPR that refuses this CP.
fn refused(user_data: Vec<u8>) -> (PresentationError, Cpr<'static>) {
    let (result, out) = hear(user_data);
    let [PpmAction::Session(SsRequest::ConnectRefuse(refuse))] = &out[..] else { panic!("{out:?}") };
    assert_eq!(refuse.reason, 2);
    let cpr = Cpr::decode(&refuse.user_data).unwrap().unwrap();
    let Cpr { responding_selector, results, provider_reason, .. } = cpr;
    (result.unwrap_err(), Cpr { responding_selector, results, provider_reason, user_data: None })
}

fn connected() -> Ppm {
    let mut ppm = Ppm::new(config());
    let mut out = Vec::new();
    let connect = SConnect { user_data: cp().encode(), ..SConnect::default() };
    ppm.handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out).unwrap();
    ppm.handle(PpmEvent::Request(PRequest::ConnectAccept { user_data: Vec::new() }), &mut out).unwrap();
    ppm
}

fn data(octets: &[u8]) -> Result<Vec<PValue>, PresentationError> {
    let mut out = Vec::new();
    connected().handle(PpmEvent::Session(SsIndication::Data(octets.to_vec())), &mut out)?;
    match out.pop() {
        Some(PpmAction::Indication(PIndication::Data(values))) => Ok(values),
        other => panic!("{other:?}"),
    }
}

fn value(encoding: &[u8]) -> PValue {
    PValue { context: ContextId(3), encoding: encoding.to_vec() }
}

fn encode(data: &UserData<'_>) -> Vec<u8> {
    Writer::encode(|w| data.encode(w))
}

fn raw_cp(mode: &[u8], parameters: impl FnOnce(&mut Writer)) -> Vec<u8> {
    Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.constructed(Tag::context(0), |w| w.raw(mode));
            w.constructed(Tag::context(2), parameters);
        });
    })
}

fn definition_list(w: &mut Writer, entries: &[u8]) {
    w.constructed(Tag::context(4), |w| w.raw(entries));
}

fn entries(definitions: &[ContextDefinition]) -> Vec<u8> {
    Writer::encode(|w| {
        for entry in definitions {
            w.constructed(Tag::SEQUENCE, |w| {
                w.integer(Tag::INTEGER, entry.context.0);
                w.oid(Tag::OBJECT_IDENTIFIER, &entry.abstract_syntax);
                w.constructed(Tag::SEQUENCE, |w| {
                    for syntax in &entry.transfer_syntaxes {
                        w.oid(Tag::OBJECT_IDENTIFIER, syntax);
                    }
                });
            });
        }
    })
}

/// A CP, octet by octet from X.226.
const CP: &[u8] = &[
    0x31, 0x40, 0xA0, 0x03, 0x80, 0x01, 0x01, 0xA2, 0x39, 0x81, 0x03, b'p', b's', b'A', 0x82, 0x03, b'p',
    b's', b'B', 0xA4, 0x22, 0x30, 0x0F, 0x02, 0x01, 0x01, 0x06, 0x04, 0x52, 1, 0, 1, 0x30, 0x04, 0x06, 0x02,
    0x51, 1, 0x30, 0x0F, 0x02, 0x01, 0x03, 0x06, 0x04, 0x56, 0, 2, 12, 0x30, 0x04, 0x06, 0x02, 0x51, 1, 0x61,
    0x09, 0x30, 0x07, 0x02, 0x01, 0x03, 0xA0, 0x02, 5, 0,
];

#[test]
fn every_ppdu_is_known_in_both_directions() {
    assert_eq!(cp().encode(), CP);
    assert_eq!(Cp::decode(CP).unwrap(), ByMode::Normal(cp()));

    let cpa = Cpa {
        responding_selector: Some(b"psB".to_vec()),
        results: vec![
            ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER)),
            ContextResult::UserRejection(None),
            ContextResult::ProviderRejection(Some(3)),
        ],
        user_data: Some(UserData::Full(vec![Pdv::new(ContextId(1), NULL.to_vec())])),
        ..Cpa::default()
    };
    let octets = [
        0x31, 0x2F, 0xA0, 3, 0x80, 1, 1, 0xA2, 0x28, 0x83, 3, b'p', b's', b'B', 0xA5, 0x16, 0x30, 7, 0x80, 1,
        0, 0x81, 2, 0x51, 1, 0x30, 3, 0x80, 1, 1, 0x30, 6, 0x80, 1, 2, 0x82, 1, 3, 0x61, 9, 0x30, 7, 2, 1, 1,
        0xA0, 2, 5, 0,
    ];
    assert_eq!(cpa.encode(), octets);
    assert_eq!(Cpa::decode(&octets).unwrap(), ByMode::Normal(cpa));

    let cpr = Cpr { provider_reason: Some(2), ..Cpr::default() };
    assert_eq!(cpr.encode(), [0x30, 3, 0x8A, 1, 2]);
    assert_eq!(Cpr::decode(&[0x30, 3, 0x8A, 1, 2]).unwrap(), Some(cpr));
    let cpr = Cpr {
        results: vec![ContextResult::ProviderRejection(Some(1))],
        user_data: Some(UserData::Full(vec![Pdv::new(ContextId(1), NULL.to_vec())])),
        ..Cpr::default()
    };
    let octets =
        [0x30, 0x15, 0xA5, 8, 0x30, 6, 0x80, 1, 2, 0x82, 1, 1, 0x61, 9, 0x30, 7, 2, 1, 1, 0xA0, 2, 5, 0];
    assert_eq!(cpr.encode(), octets);
    assert_eq!(Cpr::decode(&octets).unwrap(), Some(cpr));
    assert_eq!(Cpr::decode(&[0x31, 0]).unwrap(), None);

    let aru = Abort::Aru(Some(UserData::Full(vec![Pdv::new(ContextId(1), NULL.to_vec())])));
    let octets =
        [0xA0, 0x16, 0xA0, 9, 0x30, 7, 2, 1, 1, 6, 2, 0x51, 1, 0x61, 9, 0x30, 7, 2, 1, 1, 0xA0, 2, 5, 0];
    assert_eq!(aru.encode(&[(ContextId(1), TRANSFER_SYNTAX_BER)]), octets);
    assert_eq!(Abort::decode(&octets).unwrap(), aru);
    assert_eq!(Abort::Aru(None).encode(&[]), [0xA0, 0]);
    assert_eq!(Abort::decode(&[0xA0, 0]).unwrap(), Abort::Aru(None));
    for reason in 0..=6 {
        let arp = Abort::Arp { reason: Some(reason), event: Some(7) };
        let octets = [0x30, 6, 0x80, 1, reason as u8, 0x81, 1, 7];
        assert_eq!(arp.encode(&[]), octets);
        assert_eq!(Abort::decode(&octets).unwrap(), arp);
    }
    assert_eq!(Abort::decode(&[0x30, 0]).unwrap(), Abort::Arp { reason: None, event: None });
    assert_eq!(Abort::decode(&[0x31, 0]).unwrap(), Abort::X410);

    let td = UserData::Full(vec![Pdv::new(ContextId(3), NULL.to_vec())]);
    let octets = [0x61, 9, 0x30, 7, 2, 1, 3, 0xA0, 2, 5, 0];
    assert_eq!(encode(&td), octets);
    assert_eq!(UserData::decode(&octets).unwrap(), td);
    let td = UserData::Simple(NULL.to_vec().into());
    assert_eq!(encode(&td), [0x40, 2, 5, 0]);
    assert_eq!(UserData::decode(&[0x40, 2, 5, 0]).unwrap(), td);
    assert_eq!(UserData::decode(&[0x60, 6, 4, 1, 5, 4, 1, 0]).unwrap(), td);
}

#[test]
fn every_form_of_an_encoding_is_read() {
    let cpa = Cpa {
        results: vec![ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER)); 2],
        user_data: Some(UserData::Full(vec![Pdv::new(ContextId(3), NULL.to_vec())])),
        ..Cpa::default()
    };
    let cpr = Cpr {
        results: vec![ContextResult::ProviderRejection(Some(1)), ContextResult::UserRejection(Some(0))],
        provider_reason: Some(1),
        ..Cpr::default()
    };
    let arp = Abort::Arp { reason: Some(6), event: Some(0) };
    let aru = Abort::Aru(Some(UserData::Full(vec![Pdv::new(ContextId(1), NULL.to_vec())])));
    for form in FORMS {
        let known = indicated(cp().encode());
        // What a value is encoded like is kept.
        let encoding = reform(&NULL, form);
        let expected = PConnect { user_data: vec![value(&encoding)], ..known };
        assert_eq!(indicated(reform(&cp().encode(), form)), expected, "{form:?}");

        let mut ppm = Ppm::new(config());
        let contexts = Contexts::propose(&config().syntaxes);
        let mut out = Vec::new();
        let connect = PConnect { contexts, ..PConnect::default() };
        ppm.handle(PpmEvent::Request(PRequest::Connect(connect)), &mut out).unwrap();
        out.clear();
        let accept = SAccept { user_data: reform(&cpa.encode(), form), ..SAccept::default() };
        ppm.handle(PpmEvent::Session(SsIndication::ConnectConfirm(accept)), &mut out).unwrap();
        let confirm = PIndication::ConnectConfirm { user_data: vec![value(&encoding)] };
        assert_eq!(out, [PpmAction::Indication(confirm)]);

        assert_eq!(Cpr::decode(&reform(&cpr.encode(), form)).unwrap().unwrap(), cpr, "{form:?}");
        assert_eq!(Abort::decode(&reform(&arp.encode(&[]), form)).unwrap(), arp);
        let octets = reform(&aru.encode(&[(ContextId(1), TRANSFER_SYNTAX_BER)]), form);
        assert!(matches!(Abort::decode(&octets).unwrap(), Abort::Aru(Some(_))));
    }
}

#[test]
fn selectors_may_come_in_pieces() {
    let octets = raw_cp(&[0x80, 1, 1], |w| {
        w.raw(&in_pieces(Tag::context(1), b"psA", &[]));
        w.raw(&in_pieces(Tag::context(2), b"psB", &[]));
        definition_list(w, &entries(&definitions()));
    });
    let connect = indicated(octets);
    assert_eq!(connect.calling_selector.as_deref(), Some(&b"psA"[..]));
    assert_eq!(connect.called_selector.as_deref(), Some(&b"psB"[..]));
}

#[test]
fn what_is_optional_may_be_there_and_what_is_unknown_is_passed_over() {
    let plain = indicated(cp().encode());
    let user_data =
        |w: &mut Writer| w.raw(&encode(&UserData::Full(vec![Pdv::new(ContextId(3), NULL.to_vec())])));
    // Everything that the 1994 text has, with a mode-selector that has grown.
    let full = raw_cp(&[0x80, 1, 1, 0x85, 1, 9], |w| {
        // Version 1 and one that there is not.
        w.primitive(Tag::context(0), &[6, 0xC0]);
        w.primitive(Tag::context(1), b"psA");
        w.primitive(Tag::context(2), b"psB");
        definition_list(w, &entries(&definitions()));
        // Default context, requirements, session requirements, protocol options, nominated context, extensions.
        w.raw(&[0xA6, 0x0A, 0x80, 4, 0x56, 0, 2, 12, 0x81, 2, 0x51, 1]);
        w.primitive(Tag::context(8), &[6, 0xC0]);
        w.primitive(Tag::context(9), &[2, 0x92, 0x40]);
        w.raw(&[0xAB, 4, 3, 2, 5, 0xE0]);
        w.raw(&[0xAC, 3, 2, 1, 3]);
        w.raw(&[0xAE, 4, 0x30, 2, 5, 0]);
        w.raw(&[0xBF, 0x63, 2, 5, 0]);
        w.raw(&[0xDF, 0x7F, 1, 0]);
        user_data(w);
    });
    assert_eq!(indicated(full.clone()), plain);
    // An unknown member of the SET, in front, and the same user data once more as a CPC behind.
    let fields = ber::Reader::new(&full).expect(Tag::SET).unwrap().contents.to_vec();
    let mut grown = Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.raw(&[0xA9, 2, 5, 0]);
            w.raw(&fields);
        });
    });
    grown.extend(encode(&UserData::Full(vec![Pdv::new(ContextId(3), NULL.to_vec())])));
    assert_eq!(indicated(grown), plain);
    // Nothing but what there must be.
    let least = raw_cp(&[0x80, 1, 1], |w| definition_list(w, &entries(&definitions())));
    let connect = indicated(least);
    assert_eq!((connect.calling_selector, connect.called_selector), (None, None));
    assert_eq!(connect.user_data, []);

    // The answers, likewise.
    let answer = Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.constructed(Tag::context(2), |w| {
                w.primitive(Tag::context(0), &[7, 0x80]);
                w.raw(&[0xA5, 18]);
                w.raw(&[0x30, 7, 0x80, 1, 0, 0x81, 2, 0x51, 1]);
                w.raw(&[0x30, 7, 0x80, 1, 0, 0x81, 2, 0x51, 1]);
                w.primitive(Tag::context(8), &[6, 0]);
                w.primitive(Tag::context(9), &[2, 0x92, 0x40]);
                w.raw(&[0xAD, 3, 2, 1, 3]);
            });
            w.raw(&[0xA0, 3, 0x80, 1, 1]);
        });
    });
    let ByMode::Normal(cpa) = Cpa::decode(&answer).unwrap() else { panic!() };
    assert_eq!(cpa.results, vec![ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER)); 2]);
    // A refusal with a default-context-result.
    let cpr = Cpr::decode(&[0x30, 6, 0x87, 1, 2, 0x8A, 1, 5]).unwrap().unwrap();
    assert_eq!(cpr.provider_reason, Some(5));
}

#[test]
fn another_version_is_refused_as_such() {
    let cp = Cp { version1: false, ..cp() };
    let (error, cpr) = refused(cp.encode());
    assert_eq!((&error, error.blame()), (&PresentationError::Version, Blame::PeerIncompatible));
    assert_eq!((cpr.provider_reason, cpr.results), (Some(4), vec![]));

    let mut ppm = Ppm::new(config());
    let mut out = Vec::new();
    let connect = PConnect { contexts: Contexts::propose(&config().syntaxes), ..PConnect::default() };
    ppm.handle(PpmEvent::Request(PRequest::Connect(connect)), &mut out).unwrap();
    out.clear();
    let cpa = Cpa { version1: false, results: vec![ContextResult::Accepted(None); 2], ..Cpa::default() };
    let accept = SAccept { user_data: cpa.encode(), ..SAccept::default() };
    let result = ppm.handle(PpmEvent::Session(SsIndication::ConnectConfirm(accept)), &mut out);
    assert_eq!(result, Err(PresentationError::Version));
    assert!(matches!(out[..], [PpmAction::Session(SsRequest::Abort { .. })]));
}

#[test]
fn contexts_are_judged_one_by_one_and_answered_in_order() {
    let other = || oid(&[1, 2, 3]);
    let mut list = vec![
        definition(2, other()),
        definition(127, ABSTRACT_SYNTAX_ACSE),
        definition(40_000, application()),
        definition(9, other()),
        definition(11, application()),
        definition(13, application()),
    ];
    // BER among others, in any place; without it; without any.
    list[2].transfer_syntaxes = vec![other(), TRANSFER_SYNTAX_BER, oid(&[2, 1, 2, 0])];
    list[4].transfer_syntaxes = vec![other()];
    list[5].transfer_syntaxes = vec![];
    let cp = Cp { contexts: list, user_data: None, ..cp() };
    let mut ppm = Ppm::new(config());
    let mut out = Vec::new();
    let connect = SConnect { user_data: cp.encode(), ..SConnect::default() };
    ppm.handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out).unwrap();
    out.clear();
    ppm.handle(PpmEvent::Request(PRequest::ConnectAccept { user_data: Vec::new() }), &mut out).unwrap();
    let [PpmAction::Session(SsRequest::ConnectAccept(accept))] = &out[..] else { panic!() };
    let ByMode::Normal(cpa) = Cpa::decode(&accept.user_data).unwrap() else { panic!() };
    let accepted = || ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER));
    assert_eq!(
        cpa.results,
        [
            ContextResult::ProviderRejection(Some(1)),
            accepted(),
            accepted(),
            ContextResult::ProviderRejection(Some(1)),
            ContextResult::ProviderRejection(Some(2)),
            ContextResult::ProviderRejection(Some(2)),
        ]
    );
    assert_eq!(ppm.contexts().unwrap().len(), 2);
}

#[test]
fn a_context_proposed_twice_or_with_no_identifier_is_refused() {
    for (context, expected) in [
        (3, PresentationError::DuplicateContext { context: ContextId(3) }),
        (0, PresentationError::ContextIdentifier { context: ContextId(0) }),
        (-5, PresentationError::ContextIdentifier { context: ContextId(-5) }),
    ] {
        let mut contexts = definitions();
        contexts.push(definition(context, application()));
        let (result, out) = hear(Cp { contexts, ..cp() }.encode());
        assert_eq!(result, Err(expected));
        let [PpmAction::Session(SsRequest::Abort { user_data })] = &out[..] else { panic!("{out:?}") };
        // invalid-ppdu-parameter-value
        assert_eq!(Abort::decode(user_data).unwrap(), Abort::Arp { reason: Some(6), event: None });
    }
}

#[test]
fn so_many_contexts_that_the_answer_has_no_room_are_refused() {
    let many = |count: i64, syntax: Oid| {
        let mut contexts = definitions();
        contexts.extend((0..count).map(|index| definition(5 + 2 * index, syntax.clone())));
        Cp { contexts, ..cp() }.encode()
    };
    let answer = |octets: Vec<u8>, limit, user_data: Vec<PValue>| {
        let mut ppm = Ppm::new(config());
        let mut out = Vec::new();
        let connect = SConnect { user_data: octets, response_limit: Some(limit), ..SConnect::default() };
        let result = ppm.handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out).and_then(|()| {
            out.clear();
            ppm.handle(PpmEvent::Request(PRequest::ConnectAccept { user_data }), &mut out)
        });
        (result, out)
    };
    for (count, syntax, limit, said, fits) in [
        (10, oid(&[1, 2, 3]), 512, 100, true),
        (40, oid(&[1, 2, 3]), 512, 0, true),
        (40, oid(&[1, 2, 3]), 512, 300, false),
        (100, oid(&[1, 2, 3]), 512, 0, false),
        (100, oid(&[1, 2, 3]), 10_240, 300, true),
        (600, application(), 10_240, 0, true),
        (1000, oid(&[1, 2, 3]), 10_240, 5_000, false),
    ] {
        let user_data = vec![PValue {
            context: ContextId(1),
            encoding: Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &vec![7; said])),
        }];
        let (result, out) = answer(many(count, syntax), limit, user_data);
        match &out[..] {
            [PpmAction::Session(SsRequest::ConnectAccept(accept))] => {
                assert!(fits && result.is_ok());
                assert!(accept.user_data.len() <= limit);
                let ByMode::Normal(cpa) = Cpa::decode(&accept.user_data).unwrap() else { panic!() };
                let accepted = |result: &&ContextResult| matches!(result, ContextResult::Accepted(_));
                assert!(cpa.results.iter().filter(accepted).count() <= 64);
            }
            [PpmAction::Session(SsRequest::ConnectRefuse(refuse))] => {
                assert!(!fits, "{count} {limit} {said}");
                assert!(matches!(result, Err(PresentationError::AnswerTooLong { .. })), "{result:?}");
                assert!(refuse.user_data.len() <= limit);
                let cpr = Cpr::decode(&refuse.user_data).unwrap().unwrap();
                assert_eq!(cpr.provider_reason, Some(2));
            }
            other => panic!("{other:?}"),
        }
    }
    // A refusal has room for what it must say, or says less.
    let mut contexts = vec![definition(1, ABSTRACT_SYNTAX_ACSE)];
    contexts.extend((0..100).map(|index| definition(5 + 2 * index, oid(&[1, 2, 3]))));
    let octets = Cp { contexts, user_data: None, ..cp() }.encode();
    let (result, out) = answer(octets, 512, Vec::new());
    assert!(matches!(result, Err(PresentationError::NotProposed { .. })), "{result:?}");
    let [PpmAction::Session(SsRequest::ConnectRefuse(refuse))] = &out[..] else { panic!("{out:?}") };
    let expected = Cpr::default();
    assert_eq!(Cpr::decode(&refuse.user_data).unwrap().unwrap(), expected);
}

#[test]
fn values_are_embedded_in_any_way() {
    let two = || [NULL, [5, 0]].concat();
    type Make = fn(Vec<u8>) -> PdvValue<'static>;
    let octet: Make = |octets| PdvValue::OctetAligned(octets.into());
    let bits: Make = |octets| PdvValue::Arbitrary(octets.into());
    let single: Make = |octets| PdvValue::SingleAsn1Type(octets.into());
    for (value, count) in [
        (single(NULL.to_vec()), 1),
        (octet(NULL.to_vec()), 1),
        (bits(NULL.to_vec()), 1),
        // Several values in one list, of known length or not.
        (octet(two()), 2),
        (bits(two()), 2),
        (octet([&[0x30, 0x80, 5, 0, 0, 0][..], &NULL].concat()), 2),
        (octet(vec![]), 0),
    ] {
        for transfer_syntax in [None, Some(TRANSFER_SYNTAX_BER)] {
            let pdv = || Pdv {
                transfer_syntax: transfer_syntax.clone(),
                context: ContextId(3),
                value: value.clone(),
            };
            // One list, and two lists in one PPDU.
            for lists in [1, 2] {
                let octets = encode(&UserData::Full((0..lists).map(|_| pdv()).collect()));
                let values = data(&octets).unwrap();
                assert_eq!(values.len(), count * lists);
                assert!(values.iter().all(|value| value.context == ContextId(3)));
                assert_eq!(
                    values.iter().flat_map(|value| value.encoding.clone()).collect::<Vec<_>>(),
                    (0..lists).flat_map(|_| value.octets().to_vec()).collect::<Vec<_>>()
                );
            }
        }
    }
    // In pieces.
    for (tag, before) in [(1, &[][..]), (2, &[0])] {
        let octets = Writer::encode(|w| {
            w.constructed(UserData::FULL, |w| {
                w.constructed(Tag::SEQUENCE, |w| {
                    w.integer(Tag::INTEGER, 3);
                    w.raw(&in_pieces(Tag::context(tag), &two(), before));
                });
            });
        });
        assert_eq!(data(&octets).unwrap(), [value(&NULL), value(&NULL)]);
    }
    // Each context keeps its values, in the order in which they came.
    let lists = vec![
        Pdv::new(ContextId(3), NULL.to_vec()),
        Pdv::new(ContextId(1), vec![1, 1, 0]),
        Pdv::new(ContextId(3), vec![2, 1, 7]),
    ];
    let contexts: Vec<_> =
        data(&encode(&UserData::Full(lists))).unwrap().iter().map(|value| value.context.0).collect();
    assert_eq!(contexts, [3, 1, 3]);
}

#[test]
fn values_that_are_none_are_refused() {
    let list =
        |value| encode(&UserData::Full(vec![Pdv { transfer_syntax: None, context: ContextId(3), value }]));
    let malformed = |octets: &[u8]| matches!(data(octets), Err(PresentationError::Malformed { .. }));
    assert!(malformed(&list(PdvValue::OctetAligned(vec![5].into()))));
    assert!(malformed(&list(PdvValue::Arbitrary(vec![5, 0, 5].into()))));
    assert!(malformed(&list(PdvValue::SingleAsn1Type([NULL, NULL].concat().into()))));
    assert!(malformed(&list(PdvValue::SingleAsn1Type(vec![].into()))));
    // Bits that make no octets.
    assert!(malformed(&[0x61, 9, 0x30, 7, 2, 1, 3, 0x82, 2, 4, 0x50]));
    // More values than anybody needs.
    assert!(!malformed(&list(PdvValue::OctetAligned(NULL.repeat(1024).into()))));
    assert!(malformed(&list(PdvValue::OctetAligned(NULL.repeat(1025).into()))));
    let half = || Pdv {
        transfer_syntax: None,
        context: ContextId(3),
        value: PdvValue::OctetAligned(NULL.repeat(600).into()),
    };
    assert!(malformed(&encode(&UserData::Full(vec![half(), half()]))));
}

#[test]
fn simply_encoded_data_needs_one_context() {
    let simple = encode(&UserData::Simple([NULL, NULL].concat().into()));
    let result = data(&simple);
    assert_eq!(result, Err(PresentationError::SimplyEncoded { ppdu: "TD", contexts: 2 }));
    // With one, it holds any number of values.
    let one = PpmConfig { syntaxes: vec![application()], ..PpmConfig::default() };
    for (octets, count) in [(vec![], 0), (NULL.to_vec(), 1), ([NULL, NULL].concat(), 2)] {
        let contexts = vec![definition(3, application())];
        let cp = Cp { contexts, user_data: Some(UserData::Simple(octets.into())), ..cp() };
        let mut out = Vec::new();
        let connect = SConnect { user_data: cp.encode(), ..SConnect::default() };
        Ppm::new(one.clone()).handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out).unwrap();
        let [PpmAction::Indication(PIndication::Connect(connect))] = &out[..] else { panic!("{out:?}") };
        assert_eq!(connect.user_data, vec![value(&NULL); count]);
    }
}

#[test]
fn provider_reasons_of_a_refusal_are_all_understood() {
    for reason in 0..=9_u8 {
        let mut ppm = Ppm::new(config());
        let mut out = Vec::new();
        let connect = PConnect { contexts: Contexts::propose(&config().syntaxes), ..PConnect::default() };
        ppm.handle(PpmEvent::Request(PRequest::Connect(connect)), &mut out).unwrap();
        out.clear();
        let refuse = osi::session::SRefuse { reason: 2, user_data: vec![0x30, 3, 0x8A, 1, reason] };
        ppm.handle(PpmEvent::Session(SsIndication::ConnectRefused(refuse)), &mut out).unwrap();
        let expected = PIndication::ConnectRefusedByProvider { reason: i64::from(reason) };
        assert_eq!(out, [PpmAction::Indication(expected)]);
    }
}

#[test]
fn what_is_sent_is_the_plainest_form() {
    let mut out = Vec::new();
    let values = vec![value(&NULL), PValue { context: ContextId(1), encoding: NULL.to_vec() }];
    connected().handle(PpmEvent::Request(PRequest::Data(values)), &mut out).unwrap();
    // Fully encoded, single-ASN1-type, without a transfer syntax, each value in a list of its own, short lengths.
    let expected = vec![0x61, 18, 0x30, 7, 2, 1, 3, 0xA0, 2, 5, 0, 0x30, 7, 2, 1, 1, 0xA0, 2, 5, 0];
    assert_eq!(out, [PpmAction::Session(SsRequest::Data(expected))]);
}

fn pdv() -> impl Strategy<Value = Pdv<'static>> {
    let octets = proptest::collection::vec(any::<u8>(), 0..20)
        .prop_map(|contents| Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &contents)));
    (proptest::option::of(Just(TRANSFER_SYNTAX_BER)), 1_i64..200, 0..3, octets).prop_map(
        |(transfer_syntax, context, form, octets)| Pdv {
            transfer_syntax,
            context: ContextId(context),
            value: match form {
                0 => PdvValue::SingleAsn1Type(octets.into()),
                1 => PdvValue::OctetAligned(octets.into()),
                _ => PdvValue::Arbitrary(octets.into()),
            },
        },
    )
}

fn user_data() -> impl Strategy<Value = Option<UserData<'static>>> {
    proptest::option::of(prop_oneof![
        proptest::collection::vec(pdv(), 0..4).prop_map(UserData::Full),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|octets| UserData::Simple(octets.into())),
    ])
}

fn result() -> impl Strategy<Value = ContextResult> {
    prop_oneof![
        proptest::option::of(Just(TRANSFER_SYNTAX_BER)).prop_map(ContextResult::Accepted),
        proptest::option::of(0_i64..4).prop_map(ContextResult::UserRejection),
        proptest::option::of(0_i64..4).prop_map(ContextResult::ProviderRejection),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_in_every_form(
        version1: bool,
        selector in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5)),
        contexts in proptest::collection::vec(1_i64..i64::MAX, 0..5),
        results in proptest::collection::vec(result(), 1..5),
        reason in proptest::option::of(0_i64..8),
        user_data in user_data(),
    ) {
        let contexts = contexts.into_iter().map(|context| definition(context, application())).collect();
        let cp = Cp {
            version1,
            calling_selector: selector.clone(),
            called_selector: None,
            contexts,
            user_data: user_data.clone(),
        };
        let cpa =
            Cpa { version1, responding_selector: selector.clone(), results: results.clone(), user_data: user_data.clone() };
        let cpr = Cpr { responding_selector: selector, results, provider_reason: reason, user_data: user_data.clone() };
        let aru = Abort::Aru(user_data.clone());
        let arp = Abort::Arp { reason, event: reason };
        assert_eq!(Cp::decode(&cp.encode()).unwrap(), ByMode::Normal(cp.clone()));
        assert_eq!(Cpa::decode(&cpa.encode()).unwrap(), ByMode::Normal(cpa.clone()));
        assert_eq!(Cpr::decode(&cpr.encode()).unwrap(), Some(cpr.clone()));
        assert_eq!(Abort::decode(&aru.encode(&[])).unwrap(), aru);
        assert_eq!(Abort::decode(&arp.encode(&[])).unwrap(), arp);
        if let Some(data) = &user_data {
            assert_eq!(&UserData::decode(&encode(data)).unwrap(), data);
        }
        for form in FORMS {
            prop_assert!(Cp::decode(&reform(&cp.encode(), form)).is_ok());
            prop_assert!(Cpa::decode(&reform(&cpa.encode(), form)).is_ok());
            prop_assert!(Cpr::decode(&reform(&cpr.encode(), form)).is_ok());
        }
    }

    #[test]
    fn no_octets_whatever_break_a_machine(
        octets in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            // A good PPDU, damaged.
            (0_usize..5, proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)).prop_map(|(which, damage)| {
                let data = UserData::Full(vec![Pdv::new(ContextId(3), NULL.to_vec())]);
                let mut octets = match which {
                    0 => cp().encode(),
                    1 => encode(&data),
                    2 => Abort::Aru(Some(data)).encode(&[(ContextId(1), TRANSFER_SYNTAX_BER)]),
                    3 => Cpr { user_data: Some(data), ..Cpr::default() }.encode(),
                    _ => Cpa { results: vec![ContextResult::Accepted(None); 2], ..Cpa::default() }.encode(),
                };
                for (at, octet) in damage {
                    let at = at % octets.len();
                    octets[at] = octet;
                }
                octets
            }),
        ],
    ) {
        let awaiting = || {
            let mut ppm = Ppm::new(config());
            let connect = PConnect { contexts: Contexts::propose(&config().syntaxes), ..PConnect::default() };
            ppm.handle(PpmEvent::Request(PRequest::Connect(connect)), &mut Vec::new()).unwrap();
            ppm
        };
        let user_data = || octets.clone();
        let events = [
            (Ppm::new(config()), SsIndication::Connect(SConnect { user_data: user_data(), ..SConnect::default() })),
            (awaiting(), SsIndication::ConnectConfirm(SAccept { user_data: user_data(), ..SAccept::default() })),
            (awaiting(), SsIndication::ConnectRefused(osi::session::SRefuse { reason: 2, user_data: user_data() })),
            (connected(), SsIndication::Data(user_data())),
            (connected(), SsIndication::TokenPlease { user_data: user_data() }),
            (connected(), SsIndication::Release { user_data: user_data() }),
            (connected(), SsIndication::Abort { user_data: user_data() }),
        ];
        for (mut ppm, event) in events {
            let mut out = Vec::new();
            let result = ppm.handle(PpmEvent::Session(event), &mut out);
            // Something comes of it, one thing and no more, and after a failure nothing can follow.
            prop_assert_eq!(out.len(), 1);
            if result.is_err() {
                prop_assert_eq!(ppm.state().name(), "closed");
            }
        }
    }
}
