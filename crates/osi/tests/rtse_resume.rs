//! Interrupted transfers and associations, step by step, and what of it is on the wire.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/begun.rs"]
mod begun;
#[path = "support/manual.rs"]
mod manual;
#[path = "support/pair.rs"]
mod pair;

use begun::{Begun, aborted, cut, octets, receiving, resumed, sending, small, spdus, tsdus, wanted};
use manual::{A, B, Manual};
use osi::failure::Blame;
use osi::presentation::UserData;
use osi::presentation::ppdu::Abort;
use osi::rtse::{
    AbortReason, Aborted, InitialTurn, OpenData, RefuseReason, RequestError, ResumePoint, RtIndication,
    RtRequest, SessionConnectionIdentifier,
};
use osi::session::spdu::Spdu;
use osi::stack::StackConfig;
use pair::{BIND_RESULT, config, two_way, x410};

#[test]
fn a_transfer_is_interrupted_and_resumed_on_the_same_association() {
    for config in [config(), x410(config())] {
        let mut begun = Begun::new(config);
        let before = octets(&begun.pair.take(B));
        begun.pair.ask(A, RtRequest::TransferInterrupt);
        assert_eq!(tsdus(&begun.pair, A), [[1, 0, 0x19, 3, 0x32, 1, 0]], "AI after GT, without a reason");
        begun.pair.carry(A);
        assert_eq!(tsdus(&begun.pair, B), [[2, 0, 0x1A, 0]], "AIA after PT");
        begun.pair.settle();
        let [RtIndication::TransferInterrupted { interrupted: kept, reason: None }] = &begun.pair.take(B)[..]
        else {
            panic!()
        };
        let state = receiving(kept);
        let told = begun.pair.take(A);
        let Some(RtIndication::TransferInterrupted { interrupted, reason: None }) = told.last() else {
            panic!("{told:?}")
        };
        let point = sending(interrupted);
        assert_eq!((&point.activity[..], point.serial, point.length), (&[2, 1, 1][..], 1, 4004));
        assert_eq!(state.activity(), point.activity);
        assert!(state.knows(1) && !state.knows(2), "the second was not confirmed");
        assert_eq!(before, begun.apdu[..begun.offset]);

        // Something else goes first.
        begun.pair.ask(A, RtRequest::Transfer { length: 2 });
        begun.pair.ask(A, RtRequest::Segment(vec![4, 0]));
        begun.pair.settle();
        begun.pair.ask(B, RtRequest::TransferAccept);
        begun.pair.settle();
        begun.pair.take(A);
        begun.pair.take(B);

        begun.pair.ask(A, RtRequest::Resume { from: point.clone(), connection: None });
        let linking = [0x21, 8, 0x29, 3, 2, 1, 1, 0x2A, 1, 0x31];
        let resume = [&[1, 0, 0x1D, 15][..], &linking, &[0x29, 3, 2, 1, 3]].concat();
        assert_eq!(tsdus(&begun.pair, A), [resume], "AR after GT: old activity and checkpoint, new activity");
        begun.pair.settle();
        assert_eq!(
            begun.pair.take(B),
            [RtIndication::Resume {
                activity: vec![2, 1, 1],
                connection: None,
                serial: 1,
                resumed_as: vec![2, 1, 3]
            }]
        );
        begun.pair.ask(B, RtRequest::ResumeAccept(Box::new(state)));
        begun.finish(&point);
        let told = begun.pair.take(B);
        assert_eq!([before, octets(&told)].concat(), begun.apdu);
        assert!(!told.contains(&RtIndication::TransferStart));
        begun.pair.ask(B, RtRequest::TransferAccept);
        begun.pair.settle();
        assert_eq!(begun.pair.take(A).last(), Some(&RtIndication::TransferConfirm));
    }
}

#[test]
fn an_association_is_recovered_and_the_transfer_resumed_on_it() {
    for (config, string) in [(config(), 4), (x410(config()), 0x14)] {
        let mut begun = Begun::new(config.clone());
        let (point, state, connection) = cut(&mut begun);
        let before = octets(&begun.pair.take(B));
        assert_eq!(connection.to_string(), format!("host-a {}", time()));

        let data = OpenData::Recover(connection.clone());
        begun.pair = Manual::connect(small(config.clone()), small(config), data.clone(), "again");
        let told = begun.pair.take(B);
        let [RtIndication::Open(open)] = &told[..] else { panic!("{told:?}") };
        assert_eq!(open.data, data);
        assert_eq!(Some(&open.connection), begun.pair.stacks[A].session_connection());
        assert_ne!(open.connection, connection, "the new session connection has a name of its own");
        begun.pair.ask(B, RtRequest::OpenAccept { user_data: BIND_RESULT.to_vec() });
        begun.pair.settle();
        let told = begun.pair.take(A);
        assert!(
            matches!(&told[..], [RtIndication::OpenConfirm { user_data, .. }] if user_data.is_empty()),
            "nobody binds again: {told:?}"
        );
        begun.pair.ask(A, RtRequest::Resume { from: point.clone(), connection: Some(connection.clone()) });
        let name = [&[string, 6][..], b"host-a"].concat();
        let time = [&[0x17, 13][..], time().as_bytes()].concat();
        let linking =
            [&[0x0A, 8][..], &name, &[0x0B, 15], &time, &[0x29, 3, 2, 1, 1, 0x2A, 1, 0x31]].concat();
        let resume = [&[1, 0, 0x1D, 42, 0x21, 35][..], &linking, &[0x29, 3, 2, 1, 1]].concat();
        assert_eq!(tsdus(&begun.pair, A), [resume]);
        begun.pair.settle();
        assert_eq!(
            begun.pair.take(B),
            [RtIndication::Resume {
                activity: vec![2, 1, 1],
                connection: Some(connection),
                serial: 1,
                resumed_as: vec![2, 1, 1]
            }]
        );
        begun.pair.ask(B, RtRequest::ResumeAccept(Box::new(state)));
        begun.finish(&point);
        assert_eq!([before, octets(&begun.pair.take(B))].concat(), begun.apdu);
    }
}

/// The common reference of the connections here.
fn time() -> String {
    let c = clock::WallTime::from_unix(1_795_321_800).civil();
    format!("{:02}{:02}{:02}{:02}{:02}{:02}Z", c.year % 100, c.month, c.day, c.hour, c.minute, c.second)
}

#[test]
fn a_refused_recovery_is_a_refused_opening() {
    // ACSE's diagnostic for no reason given; the refuse reason of X.410 mode for one that can't recover.
    for (config, code) in [(config(), Some(1)), (x410(config()), Some(1))] {
        let mut begun = Begun::new(config.clone());
        let (_, _, connection) = cut(&mut begun);
        let mut pair = Manual::connect(config.clone(), config, OpenData::Recover(connection), "again");
        let refuse_reason = RefuseReason::CANNOT_RECOVER;
        pair.ask(B, RtRequest::OpenReject { user_data: Vec::new(), refuse_reason, transient: false });
        pair.settle();
        let told = pair.take(A);
        let [RtIndication::OpenRefused(refused)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((refused.code, refused.transient), (code, false));
    }
}

#[test]
fn both_ends_take_the_turn_from_the_connect() {
    for initial_turn in [InitialTurn::Initiator, InitialTurn::Responder] {
        for config in [config(), two_way(), x410(two_way())] {
            let mut a = config.clone();
            a.rtse.initial_turn = initial_turn;
            let mut pair = Manual::open(a, config);
            let holder = match initial_turn {
                InitialTurn::Initiator => A,
                InitialTurn::Responder => B,
            };
            assert!(pair.stacks[holder].has_turn() && !pair.stacks[1 - holder].has_turn());
            pair.ask(holder, RtRequest::Transfer { length: 2 });
            pair.ask(holder, RtRequest::Segment(vec![4, 0]));
            pair.settle();
            pair.ask(1 - holder, RtRequest::TransferAccept);
            pair.settle();
            assert_eq!(pair.take(holder).last(), Some(&RtIndication::TransferConfirm));
        }
    }
}

#[test]
fn a_receiver_that_does_not_know_the_transfer_refuses_it_and_the_sender_begins_anew() {
    for fed in [0, 2] {
        let (mut begun, ..) = resumed(two_way());
        for _ in 0..fed {
            begun.feed(A);
            begun.pair.carry(A);
            begun.pair.carry(A);
        }
        begun.pair.ask(B, RtRequest::ResumeRefuse);
        // Only the end of the activity lets the turn be asked for.
        begun.pair.ask(B, RtRequest::TurnPlease { priority: 1 });
        assert_eq!(tsdus(&begun.pair, B), [[2, 0, 0x30, 3, 0x32, 1, 6]], "ED, unrecoverable");
        begun.pair.settle();
        let told = begun.pair.take(A);
        let failed = RtIndication::TransferFailed { reason: Some(6) };
        let please = RtIndication::TurnPlease { priority: 1 };
        assert_eq!(told[told.len() - 2..], [failed, please]);
        assert!(begun.pair.take(B).iter().all(|told| matches!(told, RtIndication::Resume { .. })));
        begun.pair.ask(A, RtRequest::Transfer { length: 2 });
    }
}

#[test]
fn a_receiver_that_accepted_it_before_passes_everything_over() {
    let (mut begun, _, _) = resumed(config());
    begun.pair.take(B);
    // What comes before the answer is held, checkpoints among it.
    begun.feed(A);
    begun.pair.settle();
    begun.pair.ask(B, RtRequest::ResumeCompleted);
    let confirmed =
        |pair: &Manual| spdus(pair, B).iter().filter(|spdu| matches!(spdu, Spdu::Mia { .. })).count();
    assert_eq!(confirmed(&begun.pair), 1);
    begun.pair.settle();
    while begun.offset < begun.apdu.len() {
        begun.feed(A);
        begun.pair.settle();
    }
    assert_eq!(begun.pair.take(A).last(), Some(&RtIndication::TransferConfirm));
    assert_eq!(begun.pair.take(B), []);
    // Given up after that it is answered as any that was accepted.
    begun.pair.ask(A, RtRequest::Transfer { length: 2 });
}

#[test]
fn a_sender_that_stops_what_was_accepted_before_is_told_so() {
    for request in [RtRequest::TransferCancel, RtRequest::TransferInterrupt] {
        let (mut begun, _, _) = resumed(config());
        begun.pair.ask(B, RtRequest::ResumeCompleted);
        begun.pair.ask(A, request);
        begun.pair.settle();
        let told = begun.pair.take(A);
        assert_eq!(told[told.len() - 2], RtIndication::TransferConfirm);
        let Aborted { reason, interrupted, by_peer, .. } = aborted(&told);
        assert_eq!(
            (*reason, interrupted.is_none(), *by_peer),
            (Some(AbortReason::TRANSFER_COMPLETED), true, true)
        );
    }
}

/// What an abort of B's is on the wire, and what A hears, while A resumes a transfer.
fn abort_while_resuming(config: StackConfig, reason: AbortReason) -> (Vec<u8>, Vec<RtIndication>) {
    let (mut begun, _, _) = resumed(config);
    begun.pair.take(A);
    begun.pair.ask(B, RtRequest::Abort(reason));
    let sent = spdus(&begun.pair, B);
    let [Spdu::Ab { user, .. }] = &sent[..] else { panic!("{sent:?}") };
    let wire = user.octets.clone();
    begun.pair.settle();
    (wire, begun.pair.take(A))
}

#[test]
fn aborts_that_speak_of_the_resumed_activity_are_understood() {
    for (reason, confirmed) in
        [(AbortReason::TRANSFER_COMPLETED, true), (AbortReason::UNRECOGNIZED_ACTIVITY, false)]
    {
        let rtab = [0xB6, 3, 0x80, 1, reason.0 as u8];
        let (wire, told) = abort_while_resuming(config(), reason);
        let Ok(Abort::Aru(Some(UserData::Full(values)))) = Abort::decode(&wire) else {
            panic!("{wire:02x?}")
        };
        let abrt = values[0].value.octets();
        assert!(abrt.windows(rtab.len()).any(|octets| octets == rtab), "{abrt:02x?}");
        let (wire, told_in_x410) = abort_while_resuming(x410(config()), reason);
        assert_eq!(wire, [0x31, 3, 0x80, 1, reason.0 as u8]);
        for told in [told, told_in_x410] {
            assert_eq!(told[0] == RtIndication::TransferConfirm, confirmed, "{told:?}");
            let aborted = aborted(&told);
            assert_eq!((aborted.reason, &aborted.interrupted), (Some(reason), &None));
            assert_eq!(aborted.blame, Blame::PeerGone);
        }
    }
    let (_, told) = abort_while_resuming(config(), AbortReason::TEMPORARY_PROBLEM);
    assert!(aborted(&told).interrupted.is_some(), "any other leaves it open");
}

#[test]
fn every_abnormal_end_in_mid_transfer_can_be_gone_on_from() {
    // A timer of either end, an abort by either user.
    for (end, expire) in [(A, true), (B, true), (A, false), (B, false)] {
        let mut begun = Begun::new(config());
        if expire {
            begun.feed(A);
            if end == A {
                begun.pair.sent[A].clear();
            } else {
                begun.pair.ask(B, RtRequest::CheckpointSecured { serial: 2 });
            }
            begun.pair.expire(end);
        } else {
            begun.pair.ask(end, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
        }
        begun.pair.settle();
        for end in [A, B] {
            let told = begun.pair.take(end);
            let interrupted = aborted(&told).interrupted.as_ref().unwrap();
            match end {
                A => assert!(sending(interrupted).serial >= 1),
                _ => assert!(receiving(interrupted).knows(1)),
            }
        }
    }
}

#[test]
fn without_a_confirmed_checkpoint_there_is_nothing_to_go_on_from() {
    let mut pair = Manual::open(small(config()), small(config()));
    pair.ask(A, RtRequest::Transfer { length: 4000 });
    let octets = wanted(&pair.told[A]);
    pair.ask(A, RtRequest::Segment(vec![0; octets]));
    let mut cancelled = pair.clone();
    cancelled.ask(A, RtRequest::TransferInterrupt);
    assert!(matches!(spdus(&cancelled, A).last(), Some(Spdu::Ad { .. })));
    cancelled.settle();
    assert_eq!(cancelled.take(A).last(), Some(&RtIndication::TransferFailed { reason: None }));
    pair.settle();
    pair.ask(A, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
    pair.settle();
    for end in [A, B] {
        assert_eq!(aborted(&pair.take(end)).interrupted, None);
    }
}

#[test]
fn a_refusal_for_now_interrupts_and_one_for_good_discards() {
    for transient in [true, false] {
        let mut begun = Begun::new(config());
        begun.pair.ask(B, RtRequest::TransferRefuse { transient });
        begun.pair.take(B);
        begun.pair.settle();
        let told = (begun.pair.take(A).pop().unwrap(), begun.pair.take(B));
        if transient {
            let (RtIndication::TransferInterrupted { interrupted, reason: Some(5) }, theirs) = told else {
                panic!("{told:?}")
            };
            let [RtIndication::TransferInterrupted { interrupted: kept, .. }] = &theirs[..] else {
                panic!("{theirs:?}")
            };
            assert!(receiving(kept).knows(sending(&interrupted).serial));
        } else {
            assert_eq!(told.0, RtIndication::TransferFailed { reason: Some(6) });
            assert_eq!(told.1, [RtIndication::TransferDiscarded]);
        }
    }
}

#[test]
fn a_transfer_that_is_cancelled_while_it_is_interrupted_has_failed() {
    let mut begun = Begun::new(config());
    begun.pair.ask(A, RtRequest::TransferInterrupt);
    begun.pair.ask(A, RtRequest::TransferCancel);
    begun.pair.settle();
    assert_eq!(begun.pair.take(A).last(), Some(&RtIndication::TransferFailed { reason: None }));
}

/// X.225 drops an AEA that crosses AI. But then a peer without a memory of its own would take the APDU twice.
#[test]
fn an_acceptance_that_crosses_the_interrupt_counts() {
    for config in [config(), x410(config())] {
        let mut begun = Begun::new(config);
        let point =
            ResumePoint { activity: vec![2, 1, 1], serial: 1, offset: begun.offset as u64, length: 4000 };
        begun.finish(&point);
        begun.pair.ask(B, RtRequest::TransferAccept);
        begun.pair.ask(A, RtRequest::TransferInterrupt);
        begun.pair.take(A);
        begun.pair.carry(B);
        let told = begun.pair.take(A);
        assert_eq!(told.first(), Some(&RtIndication::TransferConfirm), "{told:?}");
        let aborted = aborted(&told);
        assert_eq!(aborted.reason, Some(AbortReason::TRANSFER_COMPLETED));
        assert_eq!(aborted.interrupted, None);
    }
}

#[test]
fn a_resumed_transfer_that_is_stopped_before_the_answer_is_stopped_after_it() {
    for (stop, cancelled) in [(RtRequest::TransferCancel, true), (RtRequest::TransferInterrupt, false)] {
        let ask = |answer: Option<RtRequest>| {
            let (mut begun, _, state) = resumed(config());
            begun.feed(A);
            begun.pair.ask(A, stop.clone());
            begun.pair.settle();
            begun.pair.take(B);
            begun.pair.ask(B, answer.unwrap_or(RtRequest::ResumeAccept(Box::new(state))));
            begun.pair.settle();
            (begun.pair.take(A).pop().unwrap(), begun.pair.take(B))
        };
        let (sender, receiver) = ask(Some(RtRequest::ResumeRefuse));
        assert_eq!(sender == RtIndication::TransferFailed { reason: None }, cancelled, "{sender:?}");
        assert_eq!(receiver, []);
        let (sender, receiver) = ask(None);
        assert_eq!(sender == RtIndication::TransferFailed { reason: None }, cancelled, "{sender:?}");
        match receiver.last().unwrap() {
            RtIndication::TransferDiscarded => assert!(cancelled),
            RtIndication::TransferInterrupted { interrupted, .. } => {
                assert!(!cancelled);
                assert_eq!(receiving(interrupted).activity(), [2, 1, 1], "the new activity");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_does_not_fit_is_not_resumed() {
    let not = |result: Result<(), RequestError>| {
        assert!(matches!(result, Err(RequestError::NotResumable { .. })), "{result:?}");
    };
    let good = ResumePoint { activity: vec![2, 1, 1], serial: 1, offset: 1, length: 2 };
    let mut pair = Manual::open(config(), config());
    for from in [
        ResumePoint { activity: Vec::new(), ..good.clone() },
        ResumePoint { activity: vec![0; 7], ..good.clone() },
        ResumePoint { serial: 0, ..good.clone() },
        ResumePoint { serial: 999_999, ..good.clone() },
        ResumePoint { offset: 2, ..good.clone() },
    ] {
        not(pair.request(A, RtRequest::Resume { from, connection: None }));
    }
    let nameless = Some(SessionConnectionIdentifier::default());
    not(pair.request(A, RtRequest::Resume { from: good.clone(), connection: nameless }));
    let from = ResumePoint { length: u64::MAX, ..good };
    let result = pair.request(A, RtRequest::Resume { from, connection: None });
    assert!(matches!(result, Err(RequestError::TooLong { .. })), "{result:?}");

    // State of the other mode, and of another checkpoint.
    let (_, _, state) = resumed(x410(config()));
    let (mut begun, _, _) = resumed(config());
    not(begun.pair.request(B, RtRequest::ResumeAccept(Box::new(state))));
    let (mut begun, _, state) = resumed(config());
    begun.pair.ask(B, RtRequest::ResumeRefuse);
    begun.pair.settle();
    let unknown = ResumePoint { activity: vec![2, 1, 1], serial: 9, offset: 10, length: 20 };
    begun.pair.ask(A, RtRequest::Resume { from: unknown, connection: None });
    begun.pair.settle();
    not(begun.pair.request(B, RtRequest::ResumeAccept(Box::new(state))));
    begun.pair.ask(B, RtRequest::ResumeRefuse);
}

#[test]
fn what_is_held_before_the_answer_is_bounded() {
    let mut big = config();
    big.rtse.checkpoint_size_kb = 64;
    big.rtse.window_size = 9;
    let mut pair = Manual::open(big.clone(), big);
    let from = ResumePoint { activity: vec![2, 1, 1], serial: 1, offset: 1, length: 1_000_000 };
    pair.ask(A, RtRequest::Resume { from, connection: None });
    for _ in 0..9 {
        let octets = wanted(&pair.told[A]);
        let _ = pair.request(A, RtRequest::Segment(vec![0; octets]));
        pair.settle();
    }
    let told = pair.take(B);
    assert_eq!(aborted(&told).blame, Blame::LimitReached, "{}", aborted(&told).text);
}
