//! What two users ask for at the same moment: refusals, cancelled transfers and the turn, crossing on the line.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pair.rs"]
mod pair;

use std::time::Duration;

use manual::{A, B, Manual};
use osi::failure::{Blame, Layer};
use osi::rtse::{AbortReason, Aborted, Interrupted, RtIndication, RtRequest};
use pair::{config, two_way};
use proptest::prelude::*;

fn ended(told: &[RtIndication]) -> &Aborted {
    match told.last() {
        Some(RtIndication::Aborted(aborted)) => aborted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_turn_asked_for_after_a_refusal_waits_until_the_apdu_is_given_up() {
    let mut pair = Manual::open(two_way(), two_way());
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.carry(A);
    pair.ask(B, RtRequest::TransferRefuse { transient: true });
    pair.sent[B].clear();
    for priority in [7, 3, 5] {
        pair.ask(B, RtRequest::TurnPlease { priority });
    }
    assert!(pair.sent[B].is_empty(), "the session layer would not take it now");

    let mut pair = Manual::open(two_way(), two_way());
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.carry(A);
    pair.ask(B, RtRequest::TransferRefuse { transient: true });
    for priority in [7, 3, 5] {
        pair.ask(B, RtRequest::TurnPlease { priority });
    }
    pair.settle();
    assert_eq!(pair.take(B), [RtIndication::TransferStart, RtIndication::TransferDiscarded]);
    let [.., failed, please] = &pair.take(A)[..] else { panic!() };
    assert_eq!(*failed, RtIndication::TransferFailed { reason: Some(5) });
    assert_eq!(*please, RtIndication::TurnPlease { priority: 3 }, "once, with the most urgent priority");
    pair.ask(A, RtRequest::TurnGive);
    pair.settle();
    assert_eq!(pair.take(B), [RtIndication::TurnGive]);
}

#[test]
fn a_turn_under_way_is_held_by_nobody_who_gave_it() {
    let mut pair = Manual::open(two_way(), two_way());
    pair.ask(A, RtRequest::TurnGive);
    assert!(!pair.stacks[A].has_turn() && !pair.stacks[B].has_turn());
    pair.carry(A);
    assert!(!pair.stacks[A].has_turn() && pair.stacks[B].has_turn());
    pair.settle();
    assert!(!pair.stacks[A].has_turn() && pair.stacks[B].has_turn());
}

#[test]
fn a_turn_that_never_comes_ends_the_association() {
    let seconds = Duration::from_secs;
    let mut b = two_way();
    b.rtse.turn_timeout = seconds(40);
    let mut pair = Manual::open(two_way(), b);
    assert_eq!(pair.stacks[B].deadline(), None);
    pair.ask(B, RtRequest::TurnPlease { priority: 1 });
    assert_eq!(pair.stacks[B].deadline(), Some(pair.now + seconds(40)));
    pair.now = pair.now + seconds(10);
    pair.ask(B, RtRequest::TurnPlease { priority: 0 });
    assert_eq!(pair.stacks[B].deadline(), Some(pair.now + seconds(30)), "asking again gives no more time");
    pair.settle();
    // A transfer of the peer's is progress; the time runs anew after it.
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.ask(A, RtRequest::Segment(vec![4, 0]));
    pair.settle();
    assert_eq!(pair.stacks[B].deadline(), None, "it is our user's move");
    pair.now = pair.now + seconds(100);
    pair.ask(B, RtRequest::TransferAccept);
    assert_eq!(pair.stacks[B].deadline(), Some(pair.now + seconds(40)));
    pair.expire(B);
    let told = pair.take(B);
    let aborted = ended(&told);
    assert_eq!((aborted.layer, aborted.blame), (Layer::Rtse, Blame::PeerGone));
    assert!(aborted.text.contains("40 s") && aborted.text.contains("give the turn"), "{}", aborted.text);

    let mut pair = Manual::open(two_way(), two_way());
    pair.ask(B, RtRequest::TurnPlease { priority: 1 });
    pair.settle();
    pair.ask(A, RtRequest::TurnGive);
    pair.settle();
    assert_eq!(pair.stacks[B].deadline(), None, "it came");
}

/// A has sent all of an APDU, B has accepted it, and A gives it up before it knows.
fn crossing() -> Manual {
    let mut pair = Manual::open(two_way(), two_way());
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.ask(A, RtRequest::Segment(vec![4, 0]));
    while pair.carry(A) {}
    pair.ask(B, RtRequest::TransferAccept);
    pair.ask(A, RtRequest::TransferCancel);
    pair.take(A);
    pair.take(B);
    pair
}

#[test]
fn an_acceptance_that_crosses_the_cancelling_counts() {
    let mut pair = crossing();
    pair.carry(B);
    let told = pair.take(A);
    assert_eq!(told[0], RtIndication::TransferConfirm);
    assert_eq!(ended(&told).reason, Some(AbortReason::TRANSFER_COMPLETED));
    assert_eq!(told.len(), 2);
}

#[test]
fn cancelling_what_has_been_accepted_is_answered_by_an_abort_that_says_so() {
    let mut pair = crossing();
    // The acceptance itself is lost on the way, so that only the abort tells.
    pair.sent[B].clear();
    pair.carry(A);
    let told = pair.take(B);
    let aborted = ended(&told);
    assert_eq!((aborted.by_peer, aborted.reason), (false, Some(AbortReason::TRANSFER_COMPLETED)));
    assert_ne!(aborted.blame, Blame::PeerMisbehaved);
    pair.carry(B);
    let told = pair.take(A);
    assert_eq!(told[0], RtIndication::TransferConfirm);
    let aborted = ended(&told);
    assert_eq!((aborted.by_peer, aborted.reason), (true, Some(AbortReason::TRANSFER_COMPLETED)));
}

#[test]
fn an_abort_confirms_nothing_that_was_not_sent_whole() {
    let mut pair = Manual::open(config(), config());
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.ask(A, RtRequest::TransferCancel);
    pair.settle();
    pair.take(A);
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.ask(A, RtRequest::TransferCancel);
    pair.ask(B, RtRequest::Abort(AbortReason::TRANSFER_COMPLETED));
    pair.carry(B);
    assert!(matches!(pair.take(A)[..], [RtIndication::SegmentWanted { .. }, RtIndication::Aborted(_)]));
}

/// What a user, or the line, does next.
#[derive(Clone, Debug)]
enum Next {
    Carry(usize),
    Ask(usize, RtRequest),
    /// Gives what is wanted.
    Feed(usize),
    /// Secures the last checkpoint that came.
    Secure(usize),
}

fn next() -> impl Strategy<Value = Next> {
    let end = || prop_oneof![Just(A), Just(B)];
    let request = prop_oneof![
        (1u64..4000).prop_map(|length| RtRequest::Transfer { length }),
        Just(RtRequest::TransferCancel),
        Just(RtRequest::TransferAccept),
        any::<bool>().prop_map(|transient| RtRequest::TransferRefuse { transient }),
        (0u32..9).prop_map(|priority| RtRequest::TurnPlease { priority }),
        Just(RtRequest::TurnGive),
    ];
    prop_oneof![
        6 => end().prop_map(Next::Carry),
        4 => (end(), request).prop_map(|(end, request)| Next::Ask(end, request)),
        3 => end().prop_map(Next::Feed),
        1 => end().prop_map(Next::Secure),
    ]
}

fn encoding(length: u64) -> Vec<u8> {
    match length {
        0..=129 => {
            let mut octets = vec![4, length.saturating_sub(2) as u8];
            octets.resize(length as usize, 0);
            octets
        }
        _ => {
            let mut octets = vec![4, 0x82];
            octets.extend((length as u16 - 4).to_be_bytes());
            octets.resize(length as usize, 0);
            octets
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What RTSE takes as a request the layers below take too, and no order of requests makes two ends that keep to
    /// the protocol find fault with one another. Every transfer that is begun has exactly one outcome.
    #[test]
    fn no_request_breaks_the_protocol(steps in proptest::collection::vec(next(), 1..120)) {
        let mut small = two_way();
        small.rtse.checkpoint_size_kb = 1;
        small.rtse.window_size = 2;
        let mut pair = Manual::open(small.clone(), small);
        let mut apdus = [Vec::new(), Vec::new()];
        let mut begun = [0, 0];
        for step in steps {
            match step {
                Next::Carry(end) => { pair.carry(end); }
                Next::Ask(_, RtRequest::Transfer { length: 1 }) => {}
                Next::Ask(end, request) => {
                    let length = if let RtRequest::Transfer { length } = request { Some(length) } else { None };
                    if let (Ok(()), Some(length)) = (pair.request(end, request), length) {
                        apdus[end] = encoding(length);
                        begun[end] += 1;
                        // What an earlier transfer wanted is void.
                        let wanted = pair.told[end].pop();
                        pair.told[end].retain(|told| !matches!(told, RtIndication::SegmentWanted { .. }));
                        pair.told[end].extend(wanted);
                    }
                }
                Next::Feed(end) => {
                    let wanted = pair.told[end].iter().rev().find_map(|told| match told {
                        RtIndication::SegmentWanted { octets } => Some(*octets),
                        _ => None,
                    });
                    if let Some(octets) = wanted && octets <= apdus[end].len() {
                        let rest = apdus[end].split_off(octets);
                        let segment = std::mem::replace(&mut apdus[end], rest);
                        pair.told[end].retain(|told| !matches!(told, RtIndication::SegmentWanted { .. }));
                        let _ = pair.request(end, RtRequest::Segment(segment));
                    }
                }
                Next::Secure(end) => {
                    let serial = pair.told[end].iter().rev().find_map(|told| match told {
                        RtIndication::Checkpoint { serial } => Some(*serial),
                        _ => None,
                    });
                    if let Some(serial) = serial {
                        let _ = pair.request(end, RtRequest::CheckpointSecured { serial });
                    }
                }
            }
        }
        pair.settle();
        for end in [A, B] {
            for told in &pair.told[end] {
                if let RtIndication::Aborted(aborted) = told {
                    let crossed = aborted.reason == Some(AbortReason::TRANSFER_COMPLETED);
                    prop_assert!(crossed, "{aborted:?}");
                }
            }
            let outcomes = pair.told[end].iter().filter(|told| matches!(
                told,
                RtIndication::TransferConfirm | RtIndication::TransferFailed { .. }
            ) || matches!(
                told,
                RtIndication::TransferInterrupted { interrupted, .. }
                    if matches!(**interrupted, Interrupted::Sending(_))
            )).count();
            prop_assert!(outcomes == begun[end] || outcomes + 1 == begun[end], "{outcomes} of {begun:?}");
        }
    }
}
