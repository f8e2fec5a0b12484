//! Lines that break and peers that talk nonsense: every stack ends, in bounded time, and holds no more than it may.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/pair.rs"]
mod pair;

use std::time::Duration;

use clock::MonoTime;
use osi::failure::Layer;
use osi::rtse::RtIndication;
use osi::stack::{Stack, StackAction, StackConfig};
use pair::{Cut, Pair, Then, apdu, config, two_way, x410};
use proptest::prelude::*;

fn conversation(a: StackConfig, b: StackConfig) -> Pair {
    let mut pair = Pair::new(a, b);
    pair.a.send.extend([apdu(1500), apdu(40)]);
    pair.b.refuse.extend([None, Some(true)]);
    pair.a.then = Then::Close;
    pair
}

fn small() -> StackConfig {
    let mut config = config();
    config.rtse.checkpoint_size_kb = 1;
    config
}

#[test]
fn a_line_cut_at_any_octet_ends_both_stacks() {
    let mut whole = conversation(small(), small());
    whole.start();
    whole.run_to_end();
    let lengths = (whole.a.sent.len(), whole.b.sent.len());
    assert!(lengths.0 > 1800 && lengths.1 > 200, "{lengths:?}");
    let mut cuts = 0;
    for (from_a, length) in [(true, lengths.0), (false, lengths.1)] {
        for at in 0..length {
            for how in [Cut::Reset, Cut::Silence] {
                let mut pair = conversation(small(), small());
                pair.cut = Some((from_a, at, how));
                pair.start();
                let took = pair.run_to_end();
                assert_eq!(
                    (pair.a.endings(), pair.b.endings()),
                    (1, 1),
                    "cut at {at} from_a {from_a} {how:?}"
                );
                assert!(pair.a.close_seen && pair.b.close_seen);
                // Each end waits for its peer once at most, then for its abort to be answered.
                assert!(
                    took <= Duration::from_secs(300 + 60 + 35),
                    "{took:?} at {at} from_a {from_a} {how:?}"
                );
                if how == Cut::Reset {
                    assert_eq!(took, Duration::ZERO);
                }
                assert!(pair.b.received.len() <= 1);
                cuts += 1;
            }
        }
    }
    assert_eq!(cuts, 2 * (lengths.0 + lengths.1));
}

/// Before the association is open anybody may be at the other end: the limit on a TSDU is small.
#[test]
fn a_stranger_cannot_have_much_stored() {
    let mut stack = Stack::responder(config());
    let mut out = Vec::new();
    stack.start(MonoTime::START, &mut out);
    stack.receive(MonoTime::START, &[3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 1, 0], &mut out);
    let mut dt = vec![3, 0, 0x20, 7, 2, 0xF0, 0];
    dt.resize(0x2007, 0);
    let taken = (0..100).take_while(|_| {
        stack.receive(MonoTime::START, &dt, &mut out);
        !stack.is_finished()
    });
    assert_eq!(taken.count(), 2, "packets of 8 KiB");
}

#[test]
fn whoever_answers_a_call_cannot_have_much_stored_before_the_association_is_open() {
    for (max_user_data, packets) in [(64 * 1024, 8), (10_240, 2)] {
        let mut caller = config();
        caller.session.max_user_data = max_user_data;
        let mut pair = Pair::new(caller, config());
        let mut out = Vec::new();
        pair.a.stack.start(MonoTime::START, &mut out);
        pair.a.stack.receive(MonoTime::START, &[3, 0, 0, 11, 6, 0xD0, 0, 1, 0, 9, 0], &mut out);
        let mut dt = vec![3, 0, 0x20, 7, 2, 0xF0, 0];
        dt.resize(0x2007, 0);
        let told = (0..100).take_while(|_| {
            pair.a.stack.receive(MonoTime::START, &dt, &mut out);
            !out.iter().any(|action| matches!(action, StackAction::Indication(RtIndication::Aborted(_))))
        });
        assert_eq!(told.count(), packets, "packets of 8 KiB");
    }
}

/// Takes the octets of one side of a conversation, changed, into a fresh stack, and lets all its time pass.
fn survive(mut stack: Stack, octets: &[u8], chunk: usize) -> Vec<RtIndication> {
    let mut now = MonoTime::START;
    let mut out = Vec::new();
    stack.start(now, &mut out);
    for piece in octets.chunks(chunk.max(1)) {
        stack.receive(now, piece, &mut out);
        assert!(out.len() < 100_000, "a few octets cause endless actions");
    }
    stack.transport_closed(now, false, &mut out);
    for _ in 0..100 {
        let Some(deadline) = stack.deadline() else { break };
        now = deadline;
        stack.tick(now, &mut out);
    }
    assert!(stack.is_finished(), "{stack:?}");
    assert_eq!(out.iter().filter(|action| **action == StackAction::Close).count(), 1);
    out.into_iter()
        .filter_map(|action| match action {
            StackAction::Indication(indication) => Some(indication),
            StackAction::Transmit(_) | StackAction::Close => None,
        })
        .collect()
}

fn ends_once(log: &[RtIndication]) -> bool {
    let endings = log.iter().filter(|i| {
        matches!(i, RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_))
    });
    endings.count() == 1
        && matches!(
            log.last(),
            Some(RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_))
        )
}

#[test]
fn another_protocol_is_told_apart_at_once() {
    let log = survive(Stack::responder(config()), b"GET / HTTP/1.1\r\n\r\n", 1);
    let [RtIndication::Aborted(aborted)] = &log[..] else { panic!("{log:?}") };
    assert_eq!(aborted.layer, Layer::Tpkt);
}

#[test]
fn a_tsdu_without_end_is_not_stored() {
    let mut small = config();
    small.max_tsdu = 20_000;
    let mut stack = Stack::responder(small);
    let mut out = Vec::new();
    stack.start(MonoTime::START, &mut out);
    let cr = [3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 1, 0];
    stack.receive(MonoTime::START, &cr, &mut out);
    assert!(matches!(out[..], [StackAction::Transmit(_)]));
    let mut dt = vec![3, 0, 0x20, 7, 2, 0xF0, 0];
    dt.resize(0x2007, 0);
    for _ in 0..10 {
        stack.receive(MonoTime::START, &dt, &mut out);
    }
    let log: Vec<_> = out.iter().filter(|action| matches!(action, StackAction::Indication(_))).collect();
    let [StackAction::Indication(RtIndication::Aborted(aborted))] = log[..] else { panic!("{log:?}") };
    assert_eq!(aborted.blame, osi::failure::Blame::LimitReached);
    assert!(stack.is_finished());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn octets_that_mean_nothing(octets in proptest::collection::vec(any::<u8>(), 0..400), chunk in 1usize..50) {
        prop_assert!(ends_once(&survive(Stack::responder(config()), &octets, chunk)));
    }

    /// One octet of a good conversation is changed: whatever layer it hits, the stack ends in order.
    #[test]
    fn one_octet_changed(
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        from_a in any::<bool>(),
        in_x410_mode in any::<bool>(),
    ) {
        let mode = |config| if in_x410_mode { x410(config) } else { config };
        let mut whole = conversation(mode(small()), mode(two_way()));
        whole.start();
        whole.run_to_end();
        let mut pair = conversation(mode(small()), mode(two_way()));
        let mut sent = if from_a { whole.a.sent } else { whole.b.sent };
        let index = at.index(sent.len());
        sent[index] = to;
        let stack = if from_a { &mut pair.b } else { &mut pair.a };
        let mut now = MonoTime::START;
        let mut out = Vec::new();
        stack.stack.start(now, &mut out);
        stack.perform(now, out);
        // The user of this end answers; what it then sends goes nowhere.
        for piece in sent.chunks(7) {
            if stack.close_seen {
                break;
            }
            let mut out = Vec::new();
            stack.stack.receive(now, piece, &mut out);
            stack.perform(now, out);
        }
        for _ in 0..100 {
            let Some(deadline) = stack.stack.deadline() else { break };
            now = deadline;
            let mut out = Vec::new();
            stack.stack.tick(now, &mut out);
            stack.perform(now, out);
        }
        if !stack.stack.is_finished() {
            let mut out = Vec::new();
            stack.stack.transport_closed(now, false, &mut out);
            stack.perform(now, out);
        }
        prop_assert!(stack.stack.is_finished());
        prop_assert_eq!(stack.endings(), 1);
    }
}
