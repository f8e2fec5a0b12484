//! Two whole stacks in memory: opening, transfers, the turn, closing, refusals, aborts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/pair.rs"]
mod pair;

use std::time::Duration;

use ber::Oid;
use osi::failure::{Blame, Layer};
use osi::rtse::{AbortReason, DialogueMode, OpenData, RequestError, RtIndication, RtRequest};
use osi::stack::{LayerStates, StackAction};
use pair::{BIND, BIND_ERROR, BIND_RESULT, Pair, Then, apdu, config, two_way};
use proptest::prelude::*;

fn aborted(end: &pair::End) -> &osi::rtse::Aborted {
    match end.last() {
        Some(RtIndication::Aborted(aborted)) => aborted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn opens_transfers_and_closes() {
    let mut pair = Pair::new(config(), config());
    pair.a.send.extend([apdu(10), apdu(100_000), Vec::new(), apdu(5)]);
    let sent: Vec<_> = pair.a.send.iter().cloned().collect();
    pair.a.then = Then::Close;
    pair.start();
    assert!(pair.run_to_end() < Duration::from_secs(1), "nothing waits for a timer");
    assert!(matches!(
        &pair.a.log[0],
        RtIndication::OpenConfirm { user_data, agreed }
            if user_data == BIND_RESULT && agreed.checkpoint_size_kb == 30 && agreed.window_size == 5
    ));
    assert!(matches!(&pair.b.log[0], RtIndication::Open(open) if open.data == OpenData::Open(BIND.to_vec())));
    assert_eq!(pair.b.received, sent);
    assert_eq!(pair.a.last(), Some(&RtIndication::Closed));
    assert_eq!(pair.b.last(), Some(&RtIndication::Closed));
    assert_eq!(pair.a.log.iter().filter(|i| **i == RtIndication::TransferConfirm).count(), 4);
}

#[test]
fn each_layer_tells_how_it_stands_and_what_it_has_settled() {
    let mut pair = Pair::new(config(), config());
    let before = pair.a.stack.layers();
    assert_eq!((before.transport, before.session), ("not started", "not started"));
    assert_eq!(pair.a.stack.settlement().contexts, []);
    pair.a.send.push_back(apdu(10));
    pair.start();
    pair.pump();
    for (end, session, turn) in
        [(&pair.a, "open with the turn", true), (&pair.b, "open without the turn", false)]
    {
        let layers = end.stack.layers();
        let LayerStates { transport, presentation, association, reliable_transfer, .. } = layers;
        assert_eq!((layers.session, layers.has_turn), (session, turn));
        assert_eq!(
            [transport, presentation, association, reliable_transfer],
            ["open", "connected", "associated", "no transfer is in progress"]
        );
        let settled = end.stack.settlement();
        assert_eq!(
            (settled.tpdu_octets, settled.session_version, settled.is_x410),
            (Some(2_048), Some(2), false)
        );
        assert_eq!(settled.contexts.len(), 3, "{settled:?}");
        assert_eq!(settled.connection, pair.a.stack.settlement().connection, "one name at both ends");
    }
    pair.a.stack.transport_closed(pair.now, true, &mut Vec::new());
    assert_eq!(pair.a.stack.layers().transport, "closed");
}

#[test]
fn a_megabyte_passes_through_every_window() {
    for window in 1..=5 {
        let mut a = config();
        a.rtse.window_size = window;
        a.rtse.checkpoint_size_kb = 1;
        let mut pair = Pair::new(a, config());
        pair.a.send.push_back(apdu(1_000_000));
        let sent = pair.a.send[0].clone();
        pair.a.then = Then::Close;
        pair.start();
        pair.run_to_end();
        assert_eq!(pair.b.received, [sent]);
        assert!(pair.a.segment_max <= 1024);
        let checkpoints = pair.b.log.iter().filter(|i| matches!(i, RtIndication::Checkpoint { .. })).count();
        assert_eq!(checkpoints, 1_000_017 / 1024, "a checkpoint after each segment but the last");
    }
}

#[test]
fn the_sender_stops_at_the_window_and_goes_on_when_checkpoints_are_secured() {
    for window in 1..=4 {
        let mut a = config();
        a.rtse.window_size = window;
        a.rtse.checkpoint_size_kb = 1;
        let mut pair = Pair::new(a, config());
        pair.start();
        // The receiving user does nothing by itself here.
        let mut out = Vec::new();
        pair.a.stack.request(pair.now, RtRequest::Transfer { length: 20_000 }, &mut out).unwrap();
        let mut wanted = 0;
        let mut given = 0;
        loop {
            let mut more = None;
            let mut octets = Vec::new();
            for action in out.drain(..) {
                match action {
                    StackAction::Transmit(sent) => octets.extend(sent),
                    StackAction::Indication(RtIndication::SegmentWanted { octets }) => {
                        wanted += 1;
                        more = Some(octets);
                    }
                    other => panic!("{other:?}"),
                }
            }
            let mut ignored = Vec::new();
            pair.b.stack.receive(pair.now, &octets, &mut ignored);
            let Some(more) = more else { break };
            given += more;
            pair.a.stack.request(pair.now, RtRequest::Segment(vec![5; more]), &mut out).unwrap();
        }
        assert_eq!(wanted, window, "no more is asked for than the window allows");
        assert!(given <= 1024 * window as usize);
        // Everything up to the last checkpoint at once.
        let mut out = Vec::new();
        pair.b.stack.request(pair.now, RtRequest::CheckpointSecured { serial: window }, &mut out).unwrap();
        let [StackAction::Transmit(mia)] = &out[..] else { panic!("{out:?}") };
        let mut out = Vec::new();
        pair.a.stack.receive(pair.now, mia, &mut out);
        assert!(matches!(out[..], [StackAction::Indication(RtIndication::SegmentWanted { octets: 1024 })]));
    }
}

#[test]
fn without_checkpoints_an_apdu_goes_in_one_segment() {
    let mut a = config();
    a.rtse.checkpoint_size_kb = 0;
    let mut pair = Pair::new(a, config());
    let message = apdu(299_000);
    pair.a.send.push_back(message.clone());
    pair.start();
    assert_eq!(pair.b.received, [message]);
    assert!(!pair.b.log.iter().any(|i| matches!(i, RtIndication::Checkpoint { .. })));
    assert_eq!(pair.a.segment_max, 64 * 1024, "nobody has to hold all of it");
    pair.a.send.push_back(apdu(3));
    pair.a.then = Then::Close;
    pair.a.next(pair.now);
    pair.run_to_end();
    assert_eq!(pair.b.received.len(), 2);
}

#[test]
fn the_turn_passes_both_ways() {
    let mut pair = Pair::new(two_way(), two_way());
    pair.a.send.push_back(apdu(2_000));
    pair.b.send.extend([apdu(70_000), apdu(3)]);
    pair.a.then = Then::GiveTurn;
    pair.b.then = Then::GiveTurn;
    pair.start();
    assert_eq!(pair.b.received, [apdu(2_000)]);
    assert_eq!(pair.a.received, [apdu(70_000), apdu(3)]);
    assert!(pair.a.stack.has_turn() && !pair.b.stack.has_turn());
    pair.b.request(pair.now, RtRequest::TurnPlease { priority: 2 });
    pair.pump();
    assert_eq!(pair.a.last(), Some(&RtIndication::TurnPlease { priority: 2 }));
    pair.a.request(pair.now, RtRequest::TurnGive);
    pair.pump();
    assert!(!pair.a.stack.has_turn() && pair.b.stack.has_turn());
    // It gives the turn back before the initiator closes.
    pair.b.request(pair.now, RtRequest::TurnGive);
    pair.a.then = Then::Close;
    pair.run_to_end();
    assert_eq!((pair.a.last(), pair.b.last()), (Some(&RtIndication::Closed), Some(&RtIndication::Closed)));
}

#[test]
fn an_initiator_may_open_with_the_turn_on_the_other_side() {
    let mut pair = Pair::new(two_way(), two_way());
    pair.start();
    let mut octets = pair.a.sent.clone();
    // The token setting item of the CN.
    let at = octets.windows(3).position(|item| item == [0x1A, 1, 0]).unwrap();
    octets[at + 2] = 0x15;
    let mut b = pair::End::new(osi::stack::Stack::responder(two_way()));
    let mut out = Vec::new();
    b.stack.start(pair.now, &mut out);
    b.stack.receive(pair.now, &octets, &mut out);
    b.perform(pair.now, out);
    assert!(b.stack.has_turn());
    assert_eq!(b.stack.request(pair.now, RtRequest::Transfer { length: 1 }, &mut Vec::new()), Ok(()));
}

#[test]
fn the_turn_can_be_asked_for_during_a_transfer() {
    let mut pair = Pair::new(two_way(), two_way());
    pair.start();
    let mut out = Vec::new();
    pair.a.stack.request(pair.now, RtRequest::Transfer { length: 4 }, &mut out).unwrap();
    out.retain(|action| matches!(action, StackAction::Transmit(_)));
    pair.a.perform(pair.now, out);
    pair.pump();
    pair.b.request(pair.now, RtRequest::TurnPlease { priority: 0 });
    pair.pump();
    assert_eq!(pair.a.last(), Some(&RtIndication::TurnPlease { priority: 0 }));
    pair.a.request(pair.now, RtRequest::Segment(vec![4, 2, 1, 2]));
    pair.pump();
    assert_eq!(pair.a.last(), Some(&RtIndication::TransferConfirm));
    assert_eq!(pair.b.received, [[4, 2, 1, 2]]);
}

#[test]
fn monologue_is_what_a_monologue_peer_gets_and_two_way_is_refused_by_it() {
    let mut pair = Pair::new(config(), two_way());
    pair.start();
    assert_eq!(pair.a.stack.agreed().unwrap().dialogue_mode, DialogueMode::Monologue);
    let error = pair.a.stack.request(pair.now, RtRequest::TurnGive, &mut Vec::new());
    assert_eq!(error, Err(RequestError::Monologue { request: "RT-TURN-GIVE request" }));

    let mut pair = Pair::new(two_way(), config());
    pair.start();
    pair.run_to_end();
    assert!(matches!(pair.a.last(), Some(RtIndication::OpenRefused(refused)) if !refused.transient));
    assert_eq!(aborted(&pair.b).blame, Blame::PeerIncompatible);
}

#[test]
fn a_rejected_bind_reaches_the_initiator_with_its_data() {
    for transient in [false, true] {
        let mut pair = Pair::new(config(), config());
        pair.b.reject_bind = Some(transient);
        pair.start();
        pair.run_to_end();
        let Some(RtIndication::OpenRefused(refused)) = pair.a.last() else { panic!("{:?}", pair.a.log) };
        assert_eq!(refused.user_data, BIND_ERROR);
        assert_eq!(refused.transient, transient);
        assert_eq!(refused.layer, Layer::Application);
        assert_eq!(pair.b.last(), Some(&RtIndication::Closed));
    }
}

#[test]
fn another_application_context_is_rejected_for_good() {
    let mut a = config();
    a.application.application_context = Oid::from_arcs(&[2, 6, 0, 1, 7]).unwrap();
    let mut pair = Pair::new(a, config());
    pair.start();
    pair.run_to_end();
    let Some(RtIndication::OpenRefused(refused)) = pair.a.last() else { panic!("{:?}", pair.a.log) };
    assert_eq!((refused.layer, refused.code, refused.transient), (Layer::Acse, Some(2), false));
    let b = aborted(&pair.b);
    assert_eq!((b.layer, b.blame), (Layer::Acse, Blame::PeerIncompatible));
    assert!(b.text.contains("2.6.0.1.7"), "{}", b.text);
}

#[test]
fn unknown_abstract_syntaxes_are_refused_at_the_presentation_layer() {
    let mut a = config();
    a.application.apdu_syntax = Oid::from_arcs(&[2, 6, 0, 2, 99]).unwrap();
    let mut pair = Pair::new(a, config());
    pair.start();
    pair.run_to_end();
    assert!(matches!(pair.a.last(), Some(RtIndication::OpenRefused(_))), "{:?}", pair.a.log);
    let b = aborted(&pair.b);
    assert_eq!((b.layer, b.blame), (Layer::Presentation, Blame::PeerIncompatible));
}

#[test]
fn a_refused_apdu_does_not_end_the_association() {
    for early in [false, true] {
        for (transient, reason) in [(true, 5), (false, 6)] {
            let mut a = config();
            a.rtse.checkpoint_size_kb = 1;
            let mut pair = Pair::new(a, config());
            pair.a.send.extend([apdu(20_000), apdu(20_001)]);
            pair.b.refuse.extend([Some(transient)]);
            pair.b.refuse_early = early;
            pair.a.then = Then::Close;
            pair.start();
            pair.run_to_end();
            assert_eq!(pair.b.received, [apdu(20_001)]);
            assert_eq!(pair.a.failures(), [Some(reason)]);
            // What is refused for now can be gone on with, once a checkpoint is confirmed.
            let interrupted = |told: &RtIndication| matches!(told, RtIndication::TransferInterrupted { .. });
            let resumable = transient && !early;
            assert_eq!(pair.a.log.iter().any(interrupted), resumable, "{transient} {early}");
            assert_eq!(pair.b.log.iter().any(interrupted), resumable);
            assert_eq!(pair.b.log.contains(&RtIndication::TransferDiscarded), !resumable);
            assert_eq!(pair.a.last(), Some(&RtIndication::Closed));
            assert_eq!(pair.b.last(), Some(&RtIndication::Closed));
        }
    }
}

#[test]
fn a_cancelled_transfer_does_not_end_the_association() {
    let mut pair = Pair::new(config(), config());
    pair.start();
    let mut out = Vec::new();
    pair.a.stack.request(pair.now, RtRequest::Transfer { length: 100_000 }, &mut out).unwrap();
    out.retain(|action| matches!(action, StackAction::Transmit(_)));
    pair.a.perform(pair.now, out);
    pair.a.request(pair.now, RtRequest::TransferCancel);
    pair.pump();
    assert_eq!(pair.a.last(), Some(&RtIndication::TransferFailed { reason: None }));
    assert_eq!(pair.b.last(), Some(&RtIndication::TransferDiscarded));
    pair.a.send.push_back(apdu(77));
    pair.a.then = Then::Close;
    pair.a.next(pair.now);
    pair.run_to_end();
    assert_eq!(pair.b.received, [apdu(77)]);
}

#[test]
fn an_abort_reaches_the_other_end_with_its_reason() {
    for from_a in [true, false] {
        let mut pair = Pair::new(config(), config());
        pair.start();
        let (from, to) = if from_a { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
        from.request(pair.now, RtRequest::Abort(AbortReason::USER_ERROR));
        assert_eq!(aborted(from).blame, Blame::Local);
        let _ = to;
        let took = pair.run_to_end();
        assert!(took < Duration::from_secs(1), "{took:?}");
        let to = aborted(if from_a { &pair.b } else { &pair.a });
        assert_eq!((to.layer, to.reason, to.by_peer), (Layer::Rtse, Some(AbortReason::USER_ERROR), true));
    }
}

#[test]
fn an_abort_before_the_association_closes_the_connection() {
    let mut pair = Pair::new(config(), config());
    for end in [&mut pair.a, &mut pair.b] {
        let mut out = Vec::new();
        end.stack.start(pair.now, &mut out);
        end.perform(pair.now, out);
        end.request(pair.now, RtRequest::Abort(AbortReason::USER_ERROR));
        assert_eq!(aborted(end).blame, Blame::Local);
        assert!(end.close_seen);
    }
    let error = pair.a.stack.request(pair.now, RtRequest::Close, &mut Vec::new());
    assert_eq!(error, Err(RequestError::Ended { request: "RT-CLOSE request" }));
}

#[test]
fn requests_out_of_place_change_nothing() {
    let mut pair = Pair::new(config(), config());
    pair.start();
    let mut out = Vec::new();
    for request in [
        RtRequest::OpenAccept { user_data: Vec::new() },
        RtRequest::Segment(Vec::new()),
        RtRequest::TransferCancel,
        RtRequest::CheckpointSecured { serial: 1 },
        RtRequest::TransferAccept,
        RtRequest::TransferRefuse { transient: true },
        RtRequest::TurnPlease { priority: 0 },
    ] {
        assert!(pair.a.stack.request(pair.now, request.clone(), &mut out).is_err(), "{request:?}");
        assert!(pair.b.stack.request(pair.now, request, &mut out).is_err());
    }
    for request in [RtRequest::Transfer { length: 1 }, RtRequest::Close] {
        assert!(matches!(
            pair.b.stack.request(pair.now, request, &mut out),
            Err(RequestError::NoTurn { .. })
        ));
    }
    assert!(out.is_empty());
    pair.a.send.push_back(apdu(9));
    pair.a.then = Then::Close;
    pair.a.next(pair.now);
    pair.run_to_end();
    assert_eq!(pair.b.received, [apdu(9)]);
}

#[test]
fn a_peer_that_never_answers_is_given_up_in_time() {
    let mut pair = Pair::new(config(), config());
    pair.cut = Some((true, 0, pair::Cut::Silence));
    pair.start();
    let took = pair.run_to_end();
    assert!(took <= Duration::from_secs(60 + 35), "{took:?}");
    assert_eq!(aborted(&pair.a).blame, Blame::PeerGone);
    assert_eq!(aborted(&pair.b).blame, Blame::PeerGone);
}

#[test]
fn a_caller_who_never_binds_is_hung_up_on_in_time() {
    let mut b = config();
    b.rtse.open_timeout = Duration::from_secs(9);
    let mut pair = Pair::new(config(), b);
    let mut out = Vec::new();
    pair.b.stack.start(pair.now, &mut out);
    pair.b.stack.receive(pair.now, &[3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 1, 0], &mut out);
    out.clear();
    assert_eq!(pair.b.stack.deadline(), Some(pair.now + Duration::from_secs(9)));
    pair.b.stack.tick(pair.now + Duration::from_secs(9), &mut out);
    let [StackAction::Indication(RtIndication::Aborted(aborted)), StackAction::Close] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((aborted.layer, aborted.blame), (Layer::Rtse, Blame::PeerGone));
}

#[test]
fn the_session_layer_waits_as_long_as_rtse_does() {
    let seconds = Duration::from_secs;
    let mut a = config();
    a.rtse.open_timeout = seconds(100);
    let mut pair = Pair::new(a, config());
    // Only the transport connection comes about.
    let mut out = Vec::new();
    pair.a.stack.start(pair.now, &mut out);
    pair.a.stack.receive(pair.now, &[3, 0, 0, 11, 6, 0xD0, 0, 1, 0, 9, 0], &mut out);
    assert_eq!(pair.a.stack.deadline(), Some(pair.now + seconds(100)));

    let mut a = config();
    a.rtse.release_timeout = seconds(7);
    let mut pair = Pair::new(a, config());
    pair.start();
    pair.a.stack.request(pair.now, RtRequest::Close, &mut Vec::new()).unwrap();
    assert_eq!(pair.a.stack.deadline(), Some(pair.now + seconds(7)));
    let mut a = config();
    a.rtse.release_timeout = seconds(70);
    let mut pair = Pair::new(a, config());
    pair.start();
    pair.a.stack.request(pair.now, RtRequest::Close, &mut Vec::new()).unwrap();
    assert_eq!(pair.a.stack.deadline(), Some(pair.now + seconds(70)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the chunking and the settings, the APDUs arrive as they were sent.
    #[test]
    fn chunking_and_settings_never_matter(
        chunk in 1usize..3000,
        k in 0u32..4,
        window in 1u32..6,
        tsdu_max in prop_oneof![Just(0u16), 200u16..5000],
        sizes in proptest::collection::vec(0usize..9000, 1..4),
    ) {
        let mut a = config();
        a.rtse.checkpoint_size_kb = k;
        a.rtse.window_size = window;
        a.session.tsdu_max = tsdu_max;
        let mut pair = Pair::new(a, config());
        pair.chunk = chunk;
        let sent: Vec<_> = sizes.into_iter().map(apdu).collect();
        pair.a.send.extend(sent.iter().cloned());
        pair.a.then = Then::Close;
        pair.start();
        pair.run_to_end();
        prop_assert_eq!(&pair.b.received, &sent);
        prop_assert_eq!(pair.a.last(), Some(&RtIndication::Closed));
        prop_assert_eq!(pair.b.last(), Some(&RtIndication::Closed));
    }
}
