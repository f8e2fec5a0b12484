//! User data of S-CONNECT that CN can't carry: OA and CDO, in both roles, with and without segmenting, at every limit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use clock::MonoTime;
use osi::failure::Blame;
use osi::session::spdu::{Cn, ConnectItem, Enclosure, FunctionalUnits, Spdu, TsduMax, UserData, decode_tsdu};
use osi::session::{
    ProviderAbort, ProviderAbortCause, SAccept, SConnect, SRefuse, SessionConfig, SessionError, SessionState,
    Spm, SpmAction, SpmEvent, SsIndication, SsRequest, Version,
};
use proptest::prelude::*;

#[path = "support/session_pair.rs"]
mod session_pair;
use session_pair::{INITIATOR, Pair, RESPONDER, Wire, only};

fn config() -> SessionConfig {
    SessionConfig::default()
}

/// Octets of which no piece is like another.
fn octets(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(length).collect()
}

fn long(length: usize) -> SConnect {
    SConnect { called_selector: Some(b"ssB".to_vec()), user_data: octets(length), ..SConnect::default() }
}

fn indicated(length: usize) -> SsIndication {
    SsIndication::Connect(SConnect { response_limit: Some(65_536), ..long(length) })
}

/// What is on its way to a side.
fn sent(pair: &Pair, to: usize) -> Vec<Spdu> {
    let spdus = pair.wires[to].iter().map(|wire| match wire {
        Wire::Tsdu(tsdu) => decode_tsdu(tsdu).unwrap().pop().unwrap(),
        Wire::TsduPart(..) | Wire::TDisconnect => panic!("the connection ended"),
    });
    spdus.collect()
}

#[test]
fn the_first_10240_octets_go_in_cn_and_the_rest_when_it_is_asked_for() {
    let mut pair = Pair::new(config(), config(), long(25_000));
    let Some(Spdu::Cn(cn)) = only(sent(&pair, RESPONDER)) else { panic!("no CN") };
    assert!(cn.data_overflow);
    assert_eq!((cn.user_data, cn.item.version), (octets(10_240), Some(2)));
    assert_eq!(pair.spms[INITIATOR].state(), SessionState::AwaitOa);

    pair.arrive(RESPONDER);
    assert_eq!(sent(&pair, INITIATOR), [Spdu::Oa { tsdu_max: None, version: Some(2) }]);
    assert_eq!(pair.spms[RESPONDER].state(), SessionState::AwaitCdo);
    assert_eq!(pair.take(RESPONDER), [], "not before all of it is here");

    pair.arrive(INITIATOR);
    let pieces: Vec<(usize, Option<Enclosure>)> = sent(&pair, RESPONDER)
        .iter()
        .map(|spdu| match spdu {
            Spdu::Cdo { user } => (user.octets.len(), user.enclosure),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pieces, [(10_229, Some(Enclosure::MIDDLE)), (25_000 - 10_240 - 10_229, Some(Enclosure::END))]);
    pair.settle();
    assert_eq!(pair.take(RESPONDER), [indicated(25_000)]);
    assert_eq!(pair.spms[RESPONDER].version(), Some(Version::V2));

    let accept = SAccept { user_data: octets(20_000), ..SAccept::default() };
    pair.ask(RESPONDER, SsRequest::ConnectAccept(accept.clone()));
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectConfirm(accept)]);
    assert!(pair.spms[INITIATOR].has_turn());
}

#[test]
fn the_spdus_of_overflow_on_the_wire() {
    for (tsdu, spdu) in [
        (&b"\x10\x03\x16\x01\x02"[..], Spdu::Oa { tsdu_max: None, version: Some(2) }),
        (
            b"\x10\x09\x15\x04\x07\xF9\x00\x00\x16\x01\x02",
            Spdu::Oa {
                tsdu_max: Some(TsduMax { from_initiator: 2041, from_responder: 0 }),
                version: Some(2),
            },
        ),
        (b"\x10\x00", Spdu::Oa { tsdu_max: None, version: None }),
        (
            b"\x0F\x07\x19\x01\x00\xC1\x02ab",
            Spdu::Cdo { user: UserData { enclosure: Some(Enclosure::MIDDLE), octets: b"ab".to_vec() } },
        ),
        (
            b"\x0F\x03\x19\x01\x02",
            Spdu::Cdo { user: UserData { enclosure: Some(Enclosure::END), octets: vec![] } },
        ),
        (b"\x0D\x03\x3C\x01\x01", Spdu::Cn(Cn { data_overflow: true, ..Cn::default() })),
    ] {
        assert_eq!(only(decode_tsdu(tsdu).unwrap()).as_ref(), Some(&spdu));
        assert_eq!(spdu.to_tsdu().unwrap(), tsdu);
    }
}

#[test]
fn exactly_10240_octets_need_no_overflow() {
    let pair = Pair::new(config(), config(), long(10_240));
    let Some(Spdu::Cn(cn)) = only(sent(&pair, RESPONDER)) else { panic!("no CN") };
    assert!(!cn.data_overflow);
    assert_eq!(pair.spms[INITIATOR].state(), SessionState::AwaitAc);
}

#[test]
fn too_much_is_refused_and_not_kept() {
    let small = SessionConfig { max_user_data: 15_000, ..config() };
    let mut pair = Pair::new(config(), small, long(25_000));
    pair.settle();
    // After OA, RF says the version.
    let refused = SRefuse { reason: 134, user_data: vec![] };
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refused)]);
    let error = SessionError::SsduTooLong { limit: 15_000 };
    assert_eq!(error.blame(), Blame::LimitReached);
    let cause = ProviderAbortCause::Detected(error);
    let aborted = SsIndication::ProviderAbort(ProviderAbort { by_peer: false, cause });
    assert_eq!(pair.take(RESPONDER), [aborted]);
    assert_eq!(pair.spms[RESPONDER].partial_octets(), 0);
    assert!(pair.spms.iter().all(Spm::is_closed));
}

#[test]
fn a_refusal_after_overflow_says_the_version() {
    for overflow in [false, true] {
        let mut pair = Pair::new(config(), config(), long(if overflow { 10_241 } else { 10 }));
        pair.settle();
        pair.ask(RESPONDER, SsRequest::ConnectRefuse(SRefuse { reason: 2, user_data: octets(30_000) }));
        let Some(Spdu::Rf(rf)) = only(sent(&pair, INITIATOR)) else { panic!("no RF") };
        assert_eq!(rf.version, overflow.then_some(2));
        assert_eq!(rf.user_requirements, Some(FunctionalUnits::RTSE), "with user data");
        pair.settle();
        let refused = SRefuse { reason: 2, user_data: octets(30_000) };
        assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refused)]);
    }
}

#[test]
fn a_peer_that_knows_no_overflow_refuses_and_one_of_version_1_is_not_asked() {
    let one = SessionConfig { version_max: Version::V1, ..config() };
    let mut pair = Pair::new(config(), one.clone(), long(20_000));
    pair.settle();
    let refused = SRefuse { reason: 132, user_data: vec![] };
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refused)]);

    let mut spm = Spm::initiator(one, long(513));
    let error = spm.handle(MonoTime::START, SpmEvent::TConnectConfirm, &mut Vec::new()).unwrap_err();
    assert_eq!(error.blame(), Blame::Local);

    // An OA that chooses version 1 after all has not understood.
    let mut pair = Pair::new(config(), config(), long(20_000));
    let oa = Spdu::Oa { tsdu_max: None, version: None }.to_tsdu().unwrap();
    let error = pair.event(INITIATOR, SpmEvent::Tsdu(&oa)).unwrap_err();
    assert_eq!(error, SessionError::Version { peer: 1 });
}

#[test]
fn a_silent_end_of_overflow_is_given_up() {
    for side in [INITIATOR, RESPONDER] {
        let mut pair = Pair::new(config(), config(), long(20_000));
        if side == RESPONDER {
            pair.arrive(RESPONDER);
        }
        let started = pair.now;
        pair.now = pair.spms[side].deadline().unwrap();
        assert_eq!(pair.now, started + config().connect_timeout, "overflow gives no more time");
        let error = pair.event(side, SpmEvent::Deadline).unwrap_err();
        assert_eq!(error.blame(), Blame::PeerGone);
    }
}

#[test]
fn a_cdo_without_its_enclosure_item_is_the_last_one() {
    let mut pair = Pair::new(config(), config(), long(20_000));
    pair.arrive(RESPONDER);
    let cdo = Spdu::Cdo { user: UserData::whole(vec![1]) }.to_tsdu().unwrap();
    pair.event(RESPONDER, SpmEvent::Tsdu(&cdo)).unwrap();
    let Some(SsIndication::Connect(connect)) = only(pair.take(RESPONDER)) else { panic!("no CN") };
    assert_eq!(connect.user_data.len(), 10_241);
}

/// The limit for a TSDU follows what can come next.
#[test]
fn strangers_get_no_room_before_they_asked_for_it() {
    let mut pair = Pair::new(config(), config(), long(25_000));
    let limit = |pair: &Pair, side: usize| pair.spms[side].opening_tsdu_octets_max();
    assert_eq!(limit(&pair, RESPONDER), Some(16 * 1024));
    assert_eq!(limit(&pair, INITIATOR), Some(64 * 1024 + 1024));
    pair.arrive(RESPONDER);
    assert_eq!(limit(&pair, RESPONDER), Some(64 * 1024 + 1024 - 10_240), "what is here counts");
    pair.settle();
    pair.ask(RESPONDER, SsRequest::ConnectAccept(SAccept::default()));
    assert_eq!(limit(&pair, RESPONDER), None);
}

#[test]
fn a_connection_identifier_and_selectors_survive_overflow() {
    let item = ConnectItem { version: Some(2), token_setting: Some(0x15), ..ConnectItem::default() };
    let cn = Cn {
        user_requirements: Some(FunctionalUnits::RTSE),
        item,
        called_selector: Some(b"x".to_vec()),
        data_overflow: true,
        user_data: vec![1, 2],
        ..Cn::default()
    };
    let mut spm = Spm::responder(config());
    let mut out = Vec::new();
    spm.handle(MonoTime::START, SpmEvent::TConnectIndication, &mut out).unwrap();
    // A CN need not be full before it overflows.
    spm.handle(MonoTime::START, SpmEvent::Tsdu(&Spdu::Cn(cn).to_tsdu().unwrap()), &mut out).unwrap();
    let end = UserData { enclosure: Some(Enclosure::END), octets: vec![3] };
    let cdo = Spdu::Cdo { user: end }.to_tsdu().unwrap();
    spm.handle(MonoTime::START, SpmEvent::Tsdu(&cdo), &mut out).unwrap();
    let Some(SpmAction::Indication(SsIndication::Connect(connect))) = out.last() else { panic!("{out:?}") };
    assert_eq!(connect.called_selector.as_deref(), Some(&b"x"[..]));
    assert_eq!(connect.user_data, [1, 2, 3]);
    assert_eq!(connect.initial_turn, osi::session::InitialTurn::Responder);
}

proptest! {
    #[test]
    fn user_data_of_any_length_arrives(
        length in prop_oneof![0usize..2000, 9_000usize..65_536],
        ours in prop_oneof![Just(0u16), 8u16..300, 300u16..=u16::MAX],
        theirs in prop_oneof![Just(0u16), 8u16..300, 300u16..=u16::MAX],
    ) {
        let sized = |tsdu_max| SessionConfig { tsdu_max, ..config() };
        let mut pair = Pair::new(sized(ours), sized(theirs), long(length));
        pair.arrive(RESPONDER);
        pair.arrive(INITIATOR);
        if ours != 0 && theirs != 0 {
            let max = usize::from(ours.min(theirs).max(8));
            for wire in &pair.wires[RESPONDER] {
                let Wire::Tsdu(tsdu) = wire else { panic!("the connection ended") };
                prop_assert!(tsdu.len() <= max, "{} in {max}", tsdu.len());
            }
        }
        pair.settle();
        prop_assert_eq!(pair.take(RESPONDER), [indicated(length)]);
    }
}
