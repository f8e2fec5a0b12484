//! Two session machines back to back: whole conversations, collisions, segmenting, release, abort.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use osi::failure::Blame;
use osi::session::spdu::{FunctionalUnits, Spdu, decode_tsdu};
use osi::session::{
    ActivityResume, ConnectionIdentifier, InitialTurn, ProviderAbort, ProviderAbortCause, ReasonCode,
    SAccept, SConnect, SRefuse, SessionConfig, SessionError, Spm, SpmAction, SpmEvent, SsIndication,
    SsRequest, Version,
};
use proptest::prelude::*;

#[path = "support/session_pair.rs"]
mod session_pair;
use session_pair::{INITIATOR, Pair, RESPONDER, Wire};

fn config() -> SessionConfig {
    SessionConfig::default()
}

fn connected() -> Pair {
    Pair::connected(config(), config())
}

fn start() -> SsRequest {
    SsRequest::ActivityStart { activity: vec![2, 1, 1] }
}

fn connect() -> SConnect {
    SConnect {
        calling_selector: Some(b"ssA".to_vec()),
        called_selector: Some(b"ssB".to_vec()),
        identifier: ConnectionIdentifier {
            user_reference: Some(vec![0x14, 1, b'x']),
            common_reference: Some(vec![0x17, 0]),
            additional_reference: None,
        },
        initial_turn: InitialTurn::Initiator,
        responder_may_take_turn: false,
        response_limit: None,
        user_data: vec![1, 2, 3],
    }
}

#[test]
fn connecting_carries_everything_both_ways() {
    let mut pair = Pair::new(config(), config(), connect());
    pair.settle();
    let indicated = SConnect { response_limit: Some(65_536), ..connect() };
    assert_eq!(pair.take(RESPONDER), [SsIndication::Connect(indicated)]);
    assert_eq!(pair.spms[RESPONDER].version(), Some(Version::V2));
    let accept = SAccept {
        responding_selector: Some(b"ssB".to_vec()),
        identifier: connect().identifier,
        take_turn: false,
        user_data: vec![4; 10_240],
    };
    pair.ask(RESPONDER, SsRequest::ConnectAccept(accept.clone()));
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectConfirm(accept)]);
    assert_eq!(pair.spms[INITIATOR].version(), Some(Version::V2));
    assert!(pair.spms[INITIATOR].has_turn() && !pair.spms[RESPONDER].has_turn());
}

#[test]
fn version_is_the_highest_that_both_allow() {
    let only = |version| SessionConfig { version_min: version, version_max: version, ..config() };
    for (initiator, responder, settled) in [
        (config(), only(Version::V1), Version::V1),
        (only(Version::V1), config(), Version::V1),
        (only(Version::V2), config(), Version::V2),
    ] {
        let pair = Pair::connected(initiator, responder);
        assert_eq!([pair.spms[0].version(), pair.spms[1].version()], [Some(settled); 2]);
    }
    let mut pair = Pair::new(only(Version::V2), only(Version::V1), SConnect::default());
    pair.settle();
    let error = SessionError::Version { peer: 2 };
    assert_eq!(error.blame(), Blame::PeerIncompatible);
    let cause = ProviderAbortCause::Detected(error);
    let abort = ProviderAbort { by_peer: false, cause };
    assert_eq!(pair.take(RESPONDER), [SsIndication::ProviderAbort(abort)]);
    let refused = SRefuse { reason: 132, user_data: vec![] };
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refused)]);
    assert!(pair.spms.iter().all(Spm::is_closed));
}

#[test]
fn long_user_data_of_connect_asks_for_version_2() {
    let long = SConnect { user_data: vec![9; 513], ..SConnect::default() };
    let mut pair = Pair::new(config(), config(), long.clone());
    let Some(Wire::Tsdu(tsdu)) = pair.wires[RESPONDER].front() else { panic!("no CN") };
    let Some(Spdu::Cn(cn)) = decode_tsdu(tsdu).unwrap().pop() else { panic!("no CN") };
    assert_eq!(cn.item.version, Some(2));
    pair.settle();
    let indicated = SConnect { response_limit: Some(65_536), ..long };
    assert_eq!(pair.take(RESPONDER), [SsIndication::Connect(indicated)]);

    for (config, octets) in
        [(config(), 65_537), (SessionConfig { version_max: Version::V1, ..config() }, 513)]
    {
        let too_long = SConnect { user_data: vec![9; octets], ..SConnect::default() };
        let mut spm = Spm::initiator(config, too_long);
        let mut out = Vec::new();
        let error = spm.handle(Default::default(), SpmEvent::TConnectConfirm, &mut out).unwrap_err();
        assert_eq!(error.blame(), Blame::Local);
        assert!(spm.is_closed());
        assert!(matches!(out.as_slice(), [SpmAction::Indication(_), SpmAction::TDisconnect]), "{out:?}");
    }
}

#[test]
fn refusal_by_the_user_brings_its_data() {
    let mut pair = Pair::new(config(), config(), connect());
    pair.settle();
    let refuse = SRefuse { reason: 2, user_data: vec![0x30, 0] };
    pair.ask(RESPONDER, SsRequest::ConnectRefuse(refuse.clone()));
    let Some(Wire::Tsdu(rf)) = pair.wires[INITIATOR].front() else { panic!("no RF") };
    let Some(Spdu::Rf(rf)) = decode_tsdu(rf).unwrap().pop() else { panic!("no RF") };
    assert_eq!(rf.identifier, connect().identifier);
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refuse)]);
    assert!(pair.spms.iter().all(Spm::is_closed));
}

#[test]
fn other_functional_units_are_refused() {
    let mut pair = Pair::new(config(), config(), SConnect::default());
    let Some(Wire::Tsdu(tsdu)) = pair.wires[RESPONDER].pop_front() else { panic!("no CN") };
    let Some(Spdu::Cn(mut cn)) = decode_tsdu(&tsdu).unwrap().pop() else { panic!("no CN") };
    cn.user_requirements = Some(FunctionalUnits(2));
    let error = pair.event(RESPONDER, SpmEvent::Tsdu(&Spdu::Cn(cn).to_tsdu().unwrap())).unwrap_err();
    assert_eq!(error, SessionError::FunctionalUnits { peer: 2, ours: 0x0249 });
    pair.settle();
    let refused = SRefuse { reason: 134, user_data: vec![] };
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectRefused(refused)]);
}

#[test]
fn an_activity_with_checkpoints() {
    let mut pair = connected();
    pair.ask(INITIATOR, start());
    for octet in 1..=3 {
        pair.ask(INITIATOR, SsRequest::Data(vec![octet; 1024]));
        pair.ask(INITIATOR, SsRequest::SyncMinor);
    }
    pair.ask(INITIATOR, SsRequest::Data(vec![4; 10]));
    pair.ask(INITIATOR, SsRequest::ActivityEnd);
    pair.settle();
    let point = |serial| SsIndication::SyncMinor { serial, confirm: true };
    assert_eq!(
        pair.take(RESPONDER),
        [
            SsIndication::ActivityStart { activity: vec![2, 1, 1] },
            SsIndication::Data(vec![1; 1024]),
            point(1),
            SsIndication::Data(vec![2; 1024]),
            point(2),
            SsIndication::Data(vec![3; 1024]),
            point(3),
            SsIndication::Data(vec![4; 10]),
            SsIndication::ActivityEnd { serial: 4 },
        ]
    );
    // Confirming 2 confirms 1; none can be confirmed twice, nor before it is set.
    pair.ask(RESPONDER, SsRequest::SyncMinorResponse { serial: 2 });
    for serial in [0, 1, 2, 4, 5] {
        let again = SpmEvent::Request(SsRequest::SyncMinorResponse { serial });
        let error = pair.event(RESPONDER, again).unwrap_err();
        assert_eq!(error, SessionError::RequestSerial { serial, from: 3, to: 4 });
    }
    pair.ask(RESPONDER, SsRequest::SyncMinorResponse { serial: 3 });
    pair.ask(RESPONDER, SsRequest::ActivityEndResponse);
    pair.settle();
    let confirmed = |serial| SsIndication::SyncMinorConfirm { serial };
    assert_eq!(pair.take(INITIATOR), [confirmed(2), confirmed(3), SsIndication::ActivityEndConfirm]);
    // Numbers begin anew with the next activity.
    pair.ask(INITIATOR, start());
    pair.ask(INITIATOR, SsRequest::SyncMinor);
    pair.settle();
    assert_eq!(pair.take(RESPONDER).pop(), Some(point(1)));
}

#[test]
fn a_peer_that_misnumbers_or_confirms_too_much_is_aborted() {
    let mut open = connected();
    open.ask(INITIATOR, start());
    open.ask(INITIATOR, SsRequest::SyncMinor);
    open.settle();
    open.take(RESPONDER);
    let user = Default::default;
    for (side, spdu, error) in [
        (
            RESPONDER,
            Spdu::Mip { confirm: true, serial: 3, user: user() },
            SessionError::SerialNumber { spdu: "MIP", found: 3, expected: 2 },
        ),
        (
            RESPONDER,
            Spdu::Ae { serial: 1, user: user() },
            SessionError::SerialNumber { spdu: "AE", found: 1, expected: 2 },
        ),
        (
            INITIATOR,
            Spdu::Mia { serial: 2, user: user() },
            SessionError::NotOutstanding { found: 2, from: 1, to: 2 },
        ),
        (INITIATOR, Spdu::Gtc, SessionError::Turn { spdu: "GTC", turn: "ours" }),
        (
            RESPONDER,
            Spdu::Mia { serial: 1, user: user() },
            SessionError::Turn { spdu: "MIA", turn: "the peer's" },
        ),
    ] {
        let mut pair = open.clone();
        let tsdu = spdu.to_tsdu().unwrap();
        assert_eq!(pair.event(side, SpmEvent::Tsdu(&tsdu)), Err(error.clone()));
        assert_eq!(error.blame(), Blame::PeerMisbehaved);
        let Some(Wire::Tsdu(ab)) = pair.wires[1 - side].front() else { panic!("no AB") };
        let reflected = tsdu[..tsdu.len().min(9)].to_vec();
        let Some(Spdu::Ab { transport_disconnect: Some(item), reflected: sent, .. }) =
            decode_tsdu(ab).unwrap().pop()
        else {
            panic!("no AB")
        };
        assert_eq!((item.0, sent), (5, reflected.clone()));
        pair.run_out();
        let cause = ProviderAbortCause::AbortSpdu { transport_disconnect: 5, reflected };
        let seen = pair.take(1 - side);
        assert_eq!(seen, [SsIndication::ProviderAbort(ProviderAbort { by_peer: true, cause })]);
        assert!(pair.spms.iter().all(Spm::is_closed));
    }
}

#[test]
fn the_turn_goes_over_and_comes_back() {
    let mut pair = connected();
    for (from, to) in [(INITIATOR, RESPONDER), (RESPONDER, INITIATOR)] {
        pair.ask(to, SsRequest::TokenPlease { user_data: vec![2, 1, 0] });
        pair.settle();
        assert_eq!(pair.take(from), [SsIndication::TokenPlease { user_data: vec![2, 1, 0] }]);
        pair.ask(from, SsRequest::ControlGive);
        assert!(!pair.spms[from].has_turn() && !pair.spms[to].has_turn(), "the turn is on the wire");
        pair.settle();
        assert_eq!(pair.take(to), [SsIndication::ControlGive]);
        assert_eq!(pair.take(from), [SsIndication::ControlGiven]);
        assert!(!pair.spms[from].has_turn() && pair.spms[to].has_turn());
        pair.ask(to, start());
        pair.ask(to, SsRequest::ActivityEnd);
        pair.settle();
        assert_eq!(pair.take(from).len(), 2);
        pair.ask(from, SsRequest::ActivityEndResponse);
        pair.settle();
        assert_eq!(pair.take(to), [SsIndication::ActivityEndConfirm]);
    }
}

#[test]
fn a_request_for_the_turn_may_cross_its_gift_and_the_release() {
    let mut pair = connected();
    pair.ask(RESPONDER, SsRequest::TokenPlease { user_data: vec![1] });
    pair.ask(INITIATOR, SsRequest::ControlGive);
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ControlGiven]);
    assert_eq!(pair.take(RESPONDER), [SsIndication::ControlGive]);
    pair.ask(INITIATOR, SsRequest::TokenPlease { user_data: vec![1] });
    pair.ask(RESPONDER, SsRequest::Release { user_data: vec![] });
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::Release { user_data: vec![] }]);
    assert_eq!(pair.take(RESPONDER), []);
}

#[test]
fn stopping_an_activity_from_either_end() {
    let reason = ReasonCode::LOCAL_SS_USER_ERROR;
    for exception_first in [false, true] {
        for discard in [false, true] {
            let mut pair = connected();
            pair.ask(INITIATOR, start());
            pair.ask(INITIATOR, SsRequest::Data(vec![1]));
            pair.ask(INITIATOR, SsRequest::SyncMinor);
            pair.settle();
            pair.take(RESPONDER);
            if exception_first {
                // These cross the exception report, so the responder drops them.
                pair.ask(INITIATOR, SsRequest::Data(vec![2]));
                pair.ask(INITIATOR, SsRequest::ActivityEnd);
                pair.ask(RESPONDER, SsRequest::ExceptionReport(reason));
                pair.settle();
                assert_eq!(pair.take(RESPONDER), []);
                assert_eq!(pair.take(INITIATOR), [SsIndication::ExceptionReport(reason)]);
            }
            // These cross AI or AD, so the initiator drops them.
            let late = if exception_first { None } else { Some(SsRequest::SyncMinorResponse { serial: 1 }) };
            late.into_iter().for_each(|request| pair.ask(RESPONDER, request));
            let (request, indication, response, confirm) = if discard {
                (
                    SsRequest::ActivityDiscard(reason),
                    SsIndication::ActivityDiscard(reason),
                    SsRequest::ActivityDiscardResponse,
                    SsIndication::ActivityDiscardConfirm,
                )
            } else {
                (
                    SsRequest::ActivityInterrupt(reason),
                    SsIndication::ActivityInterrupt(reason),
                    SsRequest::ActivityInterruptResponse,
                    SsIndication::ActivityInterruptConfirm,
                )
            };
            pair.ask(INITIATOR, request);
            pair.settle();
            assert_eq!(pair.take(RESPONDER), [indication]);
            pair.ask(RESPONDER, response);
            pair.settle();
            assert_eq!(pair.take(INITIATOR), [confirm]);
            pair.ask(INITIATOR, start());
            pair.settle();
            assert_eq!(pair.take(RESPONDER).len(), 1, "the connection goes on");
        }
    }
}

#[test]
fn an_end_that_crosses_a_discard_is_confirmed_all_the_same() {
    let mut pair = connected();
    pair.ask(INITIATOR, start());
    pair.ask(INITIATOR, SsRequest::ActivityEnd);
    pair.settle();
    pair.take(RESPONDER);
    pair.ask(RESPONDER, SsRequest::ActivityEndResponse);
    pair.ask(INITIATOR, SsRequest::ActivityDiscard(ReasonCode::NON_SPECIFIC));
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ActivityEndConfirm]);
    assert_eq!(pair.take(RESPONDER), [SsIndication::ActivityDiscard(ReasonCode::NON_SPECIFIC)]);
}

#[test]
fn resuming_goes_on_from_the_confirmed_point() {
    let resume = ActivityResume {
        new_activity: vec![2, 1, 2],
        old_activity: vec![2, 1, 1],
        serial: 41,
        old_connection: None,
    };
    let mut pair = connected();
    pair.ask(INITIATOR, SsRequest::ActivityResume(resume.clone()));
    pair.ask(INITIATOR, SsRequest::SyncMinor);
    pair.settle();
    let point = SsIndication::SyncMinor { serial: 42, confirm: true };
    assert_eq!(pair.take(RESPONDER), [SsIndication::ActivityResume(resume), point]);
}

#[test]
fn release_ends_both_sides_in_order() {
    let mut pair = connected();
    pair.ask(INITIATOR, SsRequest::Release { user_data: vec![1] });
    pair.settle();
    assert_eq!(pair.take(RESPONDER), [SsIndication::Release { user_data: vec![1] }]);
    pair.ask(RESPONDER, SsRequest::ReleaseResponse { user_data: vec![2] });
    assert!(!pair.spms[RESPONDER].is_closed(), "the side that sent FN ends the transport connection");
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ReleaseConfirm { user_data: vec![2] }]);
    assert_eq!(pair.take(RESPONDER), []);
    assert!(pair.spms.iter().all(Spm::is_closed));
}

#[test]
fn a_peer_that_does_not_hang_up_after_release_is_hung_up_on() {
    let mut pair = connected();
    pair.ask(INITIATOR, SsRequest::Release { user_data: vec![] });
    pair.settle();
    pair.ask(RESPONDER, SsRequest::ReleaseResponse { user_data: vec![] });
    pair.wires[INITIATOR].clear();
    pair.now = pair.spms[RESPONDER].deadline().unwrap();
    pair.event(RESPONDER, SpmEvent::Deadline).unwrap();
    assert!(matches!(pair.wires[INITIATOR].front(), Some(Wire::TDisconnect)));
    assert!(pair.spms[RESPONDER].is_closed());
}

#[test]
fn aborts_reach_the_other_side_and_may_collide() {
    let mut pair = connected();
    pair.ask(INITIATOR, SsRequest::Abort { user_data: vec![1, 2] });
    assert!(!pair.spms[INITIATOR].is_closed());
    pair.settle();
    assert_eq!(pair.take(RESPONDER), [SsIndication::Abort { user_data: vec![1, 2] }]);
    assert_eq!(pair.take(INITIATOR), []);
    assert!(pair.spms.iter().all(Spm::is_closed));

    let mut pair = connected();
    pair.ask(INITIATOR, SsRequest::Abort { user_data: vec![] });
    pair.ask(RESPONDER, SsRequest::Abort { user_data: vec![] });
    pair.settle();
    assert_eq!([pair.take(INITIATOR), pair.take(RESPONDER)], [vec![], vec![]]);
    assert!(pair.spms.iter().all(Spm::is_closed));

    let mut pair = connected();
    pair.ask(INITIATOR, SsRequest::Abort { user_data: vec![] });
    pair.wires[RESPONDER].clear();
    pair.run_out();
    assert!(pair.spms[INITIATOR].is_closed(), "a lost abort is drained for a time only");
}

#[test]
fn an_abort_in_version_1_goes_without_what_does_not_fit() {
    let one = SessionConfig { version_max: Version::V1, ..config() };
    for (octets, arrived) in [(9, 9), (10, 0)] {
        let mut pair = Pair::connected(one.clone(), one.clone());
        pair.ask(INITIATOR, SsRequest::Abort { user_data: vec![1; octets] });
        pair.settle();
        assert_eq!(pair.take(RESPONDER), [SsIndication::Abort { user_data: vec![1; arrived] }]);
    }
}

#[test]
fn user_data_over_the_limit_is_refused_and_changes_nothing() {
    let mut pair = connected();
    let request = SsRequest::Release { user_data: vec![0; 65_537] };
    let error = pair.event(INITIATOR, SpmEvent::Request(request)).unwrap_err();
    assert!(matches!(error, SessionError::RequestInvalid { request: "S-RELEASE", .. }), "{error}");
    let request = SsRequest::ActivityStart { activity: vec![0; 7] };
    assert!(pair.event(INITIATOR, SpmEvent::Request(request)).is_err());
    assert!(pair.wires.iter().all(|wire| wire.is_empty()));
    pair.ask(INITIATOR, start());
}

#[test]
fn segments_are_used_only_where_both_sides_propose_them() {
    let sized = |tsdu_max| SessionConfig { tsdu_max, ..config() };
    for (ours, theirs, longest) in [(20, 30, 20), (30, 20, 20), (0, 20, 104), (20, 0, 104), (3, 0xFFFF, 8)] {
        let mut pair = Pair::connected(sized(ours), sized(theirs));
        pair.ask(INITIATOR, start());
        pair.ask(INITIATOR, SsRequest::Data(vec![5; 100]));
        // Segmenting is of data; the AS before it is as long as it is.
        let lengths = pair.wires[RESPONDER].iter().skip(1).map(|wire| match wire {
            Wire::Tsdu(tsdu) => tsdu.len(),
            Wire::TsduPart(..) => panic!("nobody sends in parts here"),
            Wire::TDisconnect => panic!("the connection ended"),
        });
        assert_eq!(lengths.max(), Some(longest), "{ours} {theirs}");
        pair.settle();
        assert_eq!(pair.take(RESPONDER).pop(), Some(SsIndication::Data(vec![5; 100])));
    }
}

#[test]
fn segments_that_do_not_fit_together_are_refused() {
    let dt = |enclosure| {
        let enclosure = Some(osi::session::spdu::Enclosure(enclosure));
        Spdu::Dt { enclosure, data: vec![1; 6] }.to_tsdu().unwrap()
    };
    let point = Spdu::Mip { confirm: true, serial: 1, user: Default::default() }.to_tsdu().unwrap();
    let sized = SessionConfig { tsdu_max: 100, max_ssdu: 15, ..config() };
    let mut segmenting = Pair::connected(sized.clone(), sized);
    segmenting.ask(INITIATOR, start());
    segmenting.settle();
    let problem = |enclosure, problem| SessionError::Enclosure { spdu: "DT", enclosure, problem };
    for (pair, tsdus, error) in [
        (&segmenting, vec![dt(2)], problem(2, "no SSDU has begun")),
        (&segmenting, vec![dt(1), dt(3)], problem(3, "the SSDU before has not ended")),
        (
            &segmenting,
            vec![dt(1), point],
            problem(0, "an SPDU that may not stand in an SSDU came before its end"),
        ),
        (&segmenting, vec![dt(1), dt(0), dt(0)], SessionError::SsduTooLong { limit: 15 }),
    ] {
        let mut pair = pair.clone();
        let (last, before) = tsdus.split_last().unwrap();
        for tsdu in before {
            pair.event(RESPONDER, SpmEvent::Tsdu(tsdu)).unwrap();
        }
        assert_eq!(pair.event(RESPONDER, SpmEvent::Tsdu(last)), Err(error));
    }
}

proptest! {
    #[test]
    fn any_data_survives_any_segmenting(
        ours: u16, theirs: u16, small in 0u16..40, use_small: bool,
        ssdus in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..5)
    ) {
        let ours = if use_small { small } else { ours };
        let sized = |tsdu_max| SessionConfig { tsdu_max, ..config() };
        let mut pair = Pair::connected(sized(ours), sized(theirs));
        pair.ask(INITIATOR, start());
        for ssdu in &ssdus {
            pair.ask(INITIATOR, SsRequest::Data(ssdu.clone()));
        }
        if ours != 0 && theirs != 0 {
            let max = usize::from(ours.max(8).min(theirs.max(8)));
            for wire in pair.wires[RESPONDER].iter().skip(1) {
                let Wire::Tsdu(tsdu) = wire else { panic!("the connection ended") };
                prop_assert!(tsdu.len() <= max);
            }
        }
        pair.settle();
        let arrived = pair.take(RESPONDER).split_off(1);
        let expected: Vec<SsIndication> = ssdus.into_iter().map(SsIndication::Data).collect();
        prop_assert_eq!(arrived, expected);
    }
}

#[test]
fn a_transport_that_ends_anywhere_ends_both() {
    for cut in 0..40 {
        let mut pair = Pair::new(config(), config(), SConnect::default());
        let mut left = cut;
        // A user that says yes to everything and wants one transfer.
        let mut asked = 0;
        let wants = [
            start(),
            SsRequest::Data(vec![1]),
            SsRequest::SyncMinor,
            SsRequest::Data(vec![2]),
            SsRequest::ActivityEnd,
        ];
        let mut answered = [0, 0];
        loop {
            let side = if pair.wires[RESPONDER].is_empty() { INITIATOR } else { RESPONDER };
            if left == 0 || !pair.arrive(side) {
                break;
            }
            left -= 1;
            for side in [INITIATOR, RESPONDER] {
                let new = pair.indications[side].split_off(answered[side]);
                pair.indications[side].extend(new.iter().cloned());
                answered[side] = pair.indications[side].len();
                for indication in new {
                    let answers: Vec<SsRequest> = match indication {
                        SsIndication::Connect(_) => vec![SsRequest::ConnectAccept(SAccept::default())],
                        SsIndication::ConnectConfirm(_) => {
                            asked += 1;
                            wants.to_vec()
                        }
                        SsIndication::SyncMinor { serial, .. } => {
                            vec![SsRequest::SyncMinorResponse { serial }]
                        }
                        SsIndication::ActivityEnd { .. } => vec![SsRequest::ActivityEndResponse],
                        SsIndication::ActivityEndConfirm => vec![SsRequest::Release { user_data: vec![] }],
                        SsIndication::Release { .. } => {
                            vec![SsRequest::ReleaseResponse { user_data: vec![] }]
                        }
                        _ => vec![],
                    };
                    answers.into_iter().for_each(|answer| pair.ask(side, answer));
                }
            }
        }
        assert!(asked <= 1);
        pair.wires = Default::default();
        for side in [INITIATOR, RESPONDER] {
            pair.event(side, SpmEvent::TDisconnect).unwrap();
        }
        assert!(pair.spms.iter().all(Spm::is_closed));
        if cut == 39 {
            let released = SsIndication::ReleaseConfirm { user_data: vec![] };
            assert_eq!(pair.take(INITIATOR).pop(), Some(released), "uncut it runs to its end");
        }
    }
}
