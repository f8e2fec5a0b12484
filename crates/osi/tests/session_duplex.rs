//! The duplex functional unit: both sides send when they like, and either may release.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/session_pair.rs"]
mod session_pair;

use osi::session::spdu::{Cn, ConnectItem, Enclosure, FunctionalUnits, RefuseReason, Spdu, dt_tsdu};
use osi::session::{
    ProviderAbort, ProviderAbortCause, ReasonCode, SConnect, SRefuse, SessionConfig, SessionError,
    SsIndication, SsRequest,
};
use session_pair::{INITIATOR, Pair, RESPONDER, Wire};

fn duplex() -> SessionConfig {
    SessionConfig { functional_units: FunctionalUnits::DUPLEX, ..SessionConfig::default() }
}

fn connected() -> Pair {
    Pair::connected(duplex(), duplex())
}

fn data(side: usize, number: u8) -> SsRequest {
    SsRequest::Data(vec![side as u8, number])
}

#[test]
fn cn_and_ac_name_the_unit_and_no_tokens() {
    let mut pair = Pair::new(duplex(), duplex(), SConnect::default());
    let Some(Wire::Tsdu(cn)) = pair.wires[RESPONDER].front() else { panic!() };
    // Protocol options and both versions, no token setting; user requirements 0002.
    assert_eq!(cn[..], [0x0D, 0x0C, 5, 6, 0x13, 1, 0, 0x16, 1, 3, 0x14, 2, 0, 2]);
    pair.settle();
    pair.ask(RESPONDER, SsRequest::ConnectAccept(Default::default()));
    let Some(Wire::Tsdu(ac)) = pair.wires[INITIATOR].front() else { panic!() };
    assert_eq!(ac[..], [0x0E, 0x0C, 5, 6, 0x13, 1, 0, 0x16, 1, 2, 0x14, 2, 0, 2]);
    pair.settle();
    assert!(matches!(pair.take(INITIATOR)[..], [SsIndication::ConnectConfirm(_)]));
    assert!(!pair.spms.iter().any(osi::session::Spm::has_turn));
}

#[test]
fn data_crosses() {
    for tsdu_max in [0, 8, 9] {
        let config = || SessionConfig { tsdu_max, ..duplex() };
        let mut pair = Pair::connected(config(), config());
        for number in 0..3 {
            pair.ask(INITIATOR, data(INITIATOR, number));
            pair.ask(RESPONDER, data(RESPONDER, number));
        }
        pair.settle();
        for (side, other) in [(INITIATOR, RESPONDER), (RESPONDER, INITIATOR)] {
            let expected: Vec<_> =
                (0..3).map(|number| SsIndication::Data(vec![other as u8, number])).collect();
            assert_eq!(pair.take(side), expected, "{tsdu_max}");
        }
    }
}

#[test]
fn what_crosses_a_release_arrives() {
    for releasing in [INITIATOR, RESPONDER] {
        let other = 1 - releasing;
        let mut pair = connected();
        pair.ask(other, data(other, 0));
        pair.ask(releasing, SsRequest::Release { user_data: vec![1] });
        assert!(matches!(
            pair.event(releasing, osi::session::SpmEvent::Request(data(releasing, 1))),
            Err(SessionError::RequestOutOfState { .. })
        ));
        pair.settle();
        // The side that was asked finishes what it has to say before it answers.
        pair.ask(other, data(other, 1));
        pair.ask(other, SsRequest::ReleaseResponse { user_data: vec![2] });
        pair.run_out();
        assert_eq!(pair.take(other), [SsIndication::Release { user_data: vec![1] }]);
        assert_eq!(
            pair.take(releasing),
            [
                SsIndication::Data(vec![other as u8, 0]),
                SsIndication::Data(vec![other as u8, 1]),
                SsIndication::ReleaseConfirm { user_data: vec![2] },
            ]
        );
        assert!(pair.spms.iter().all(osi::session::Spm::is_closed));
    }
}

#[test]
fn what_needs_a_token_is_not_to_be_had() {
    let requests = [
        SsRequest::SyncMinor,
        SsRequest::SyncMinorResponse { serial: 1 },
        SsRequest::ActivityStart { activity: vec![1] },
        SsRequest::ActivityEnd,
        SsRequest::ActivityEndResponse,
        SsRequest::ActivityDiscard(ReasonCode(0)),
        SsRequest::ExceptionReport(ReasonCode(0)),
        SsRequest::TokenPlease { user_data: vec![] },
        SsRequest::ControlGive,
    ];
    for side in [INITIATOR, RESPONDER] {
        for request in requests.clone() {
            let mut pair = connected();
            let result = pair.event(side, osi::session::SpmEvent::Request(request));
            assert!(matches!(result, Err(SessionError::RequestOutOfState { .. })));
            pair.ask(side, data(side, 1));
        }
        let user = osi::session::spdu::UserData::default;
        let spdus = [
            Spdu::As { activity: vec![1], user: user() },
            Spdu::Mip { confirm: true, serial: 1, user: user() },
            Spdu::Ae { serial: 1, user: user() },
            Spdu::Ad { reason: None },
            Spdu::Ed { reason: None, user: user() },
            Spdu::Gtc,
            Spdu::Gta,
            Spdu::Gt { tokens: 0x15 },
        ];
        for spdu in spdus {
            let mut pair = connected();
            let result = pair.event(side, osi::session::SpmEvent::Tsdu(&spdu.to_tsdu().unwrap()));
            assert!(
                matches!(result, Err(SessionError::Turn { .. } | SessionError::UnexpectedSpdu { .. })),
                "{spdu:?}: {result:?}"
            );
        }
    }
}

#[test]
fn a_release_does_not_cut_an_ssdu_in_two() {
    let config = || SessionConfig { tsdu_max: 64, ..duplex() };
    let mut pair = Pair::connected(config(), config());
    pair.event(RESPONDER, osi::session::SpmEvent::Tsdu(&dt_tsdu(Some(Enclosure::of(true, false)), &[1])))
        .unwrap();
    let finish = Spdu::Fn { transport_disconnect: None, user: Default::default() };
    let result = pair.event(RESPONDER, osi::session::SpmEvent::Tsdu(&finish.to_tsdu().unwrap()));
    assert!(matches!(result, Err(SessionError::Enclosure { .. })), "{result:?}");
}

#[test]
fn units_settle_to_duplex_or_to_nothing() {
    // A peer that leaves the choice gets duplex; one that offers the units of RTSE alone is refused, either way round.
    for (units, accepted) in
        [(Some(0x0003), true), (Some(0x0202 | 0x0400), true), (Some(0x0249), false), (None, false)]
    {
        let cn = Spdu::Cn(Cn {
            item: ConnectItem { version: Some(2), token_setting: Some(0), ..ConnectItem::default() },
            user_requirements: units.map(FunctionalUnits),
            ..Cn::default()
        });
        let mut pair = Pair::new(duplex(), duplex(), SConnect::default());
        pair.wires[RESPONDER].clear();
        let result = pair.event(RESPONDER, osi::session::SpmEvent::Tsdu(&cn.to_tsdu().unwrap()));
        assert_eq!(result.is_ok(), accepted, "{units:?}");
        if !accepted {
            assert!(matches!(result, Err(SessionError::FunctionalUnits { ours: 2, .. })));
            pair.wires[INITIATOR].truncate(1);
            pair.settle();
            let refuse = SRefuse { reason: RefuseReason::IMPLEMENTATION_RESTRICTION, user_data: vec![] };
            assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refuse)]);
        }
    }
    let mut pair = Pair::new(duplex(), SessionConfig::default(), SConnect::default());
    pair.settle();
    assert!(matches!(pair.take(INITIATOR)[..], [SsIndication::ConnectRefused(_)]));
    let cause = |side: &mut Vec<SsIndication>| match side.pop() {
        Some(SsIndication::ProviderAbort(ProviderAbort { by_peer: false, cause })) => cause,
        other => panic!("{other:?}"),
    };
    let units = SessionError::FunctionalUnits { peer: 2, ours: 0x0249 };
    assert_eq!(cause(&mut pair.take(RESPONDER)), ProviderAbortCause::Detected(units));
}
