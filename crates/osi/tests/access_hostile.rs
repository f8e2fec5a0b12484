//! Access associations with peers and lines that do not behave: cut anywhere, damaged, too much, or of another kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/access.rs"]
mod access;

use core::time::Duration;

use access::{A, B, ECHO, FAIL, PARENT, Pair, forms, octets, reference, reliable, submission};
use osi::access::{AccessAction, AccessConfig, AccessIndication, AccessRequest, AccessStack, Form};
use osi::failure::{Blame, Layer};
use osi::rose::Outcome;
use osi::rtse::{DialogueMode, OpenData, RtIndication, SessionConnectionIdentifier};
use osi::stack::{ApplicationContext, Stack, StackAction, StackConfig};

#[test]
fn an_apdu_that_is_too_long_harms_what_it_must() {
    for config in forms() {
        let small = AccessConfig { apdu_octets_max: 10_000, ..config.clone() };
        let mut pair = Pair::new(config.clone(), small);
        pair.start();
        pair.invoke(A, ECHO, octets(9_000));
        pair.pump();
        assert_eq!(pair.ends[A].outcomes(), [(1, Outcome::Result(octets(9_000)))]);
        pair.invoke(A, ECHO, octets(20_000));
        pair.pump();
        match config.form {
            // Refused alone, and the association goes on.
            Form::Reliable(_) => {
                assert_eq!(pair.ends[A].outcomes()[1..], [(2, Outcome::NotTransferred)]);
                pair.invoke(A, ECHO, octets(1));
                pair.pump();
                assert_eq!(pair.ends[A].outcomes()[2..], [(3, Outcome::Result(octets(1)))]);
            }
            Form::Direct => {
                let Some(AccessIndication::Aborted(aborted)) = pair.ends[B].told.last() else { panic!() };
                assert_eq!(aborted.blame, Blame::LimitReached);
                assert_eq!(pair.ends[A].outcomes()[1..], [(2, Outcome::Ended { transferred: true })]);
                pair.run_to_end();
            }
        }
    }
}

#[test]
fn a_monologue_and_a_recovery_are_refused() {
    for recover in [false, true] {
        let data = match recover {
            false => OpenData::Open(vec![0xB0, 2, 5, 0]),
            true => OpenData::Recover(SessionConnectionIdentifier::default()),
        };
        // What P1 opens with, in contexts of P3.
        let context = reliable().context;
        let mut sly = StackConfig::new(ApplicationContext {
            application_context: context.application_context,
            bind_and_rtse_syntax: context.bind_syntax,
            apdu_syntax: submission(),
        });
        sly.rtse.dialogue_mode =
            if recover { DialogueMode::TwoWayAlternate } else { DialogueMode::Monologue };
        let mut a = Stack::initiator(sly, data, reference());
        let mut b = AccessStack::responder(reliable());
        let now = clock::MonoTime::START;
        let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
        a.start(now, &mut from_a);
        b.start(now, &mut from_b);
        let (mut told_a, mut told_b) = (Vec::new(), Vec::new());
        while !from_a.is_empty() || !from_b.is_empty() {
            for action in core::mem::take(&mut from_a) {
                match action {
                    StackAction::Transmit(octets) => b.receive(now, &octets, &mut from_b),
                    StackAction::Indication(indication) => told_a.push(indication),
                    StackAction::Close => {}
                }
            }
            for action in core::mem::take(&mut from_b) {
                match action {
                    AccessAction::Transmit(octets) => a.receive(now, &octets, &mut from_a),
                    AccessAction::Indication(indication) => told_b.push(indication),
                    AccessAction::Close => {}
                }
            }
        }
        assert!(matches!(told_a[..], [RtIndication::OpenRefused(_)]), "{told_a:?}");
        let [AccessIndication::Aborted(aborted)] = &told_b[..] else { panic!("{told_b:?}") };
        assert_eq!((aborted.layer, aborted.blame), (Layer::Rtse, Blame::PeerIncompatible));
    }
}

#[test]
fn a_line_cut_anywhere_ends_both_sides_in_bounded_time() {
    for config in forms() {
        let mut config = config;
        config.apdu_octets_max = 10_000;
        let scenario = |cut| {
            let mut pair = Pair::new(config.clone(), config.clone());
            pair.cut = cut;
            pair.start();
            if !pair.ends[A].told.is_empty() && !pair.ends[A].is_over() {
                for operation in [ECHO, PARENT] {
                    pair.invoke(A, operation, octets(10));
                }
                pair.pump();
                if !pair.ends[A].is_over() {
                    pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
                }
            }
            let took = pair.run_to_end();
            assert!(took <= Duration::from_secs(1300), "{took:?}");
            pair
        };
        let whole: usize = scenario(None).turns.iter().map(|(_, octets)| octets.len()).sum();
        assert!(whole > 500);
        for at in (0..whole).step_by(3) {
            for reset in [false, true] {
                let pair = scenario(Some((at, reset)));
                assert!(pair.ends.iter().all(|end| end.is_over() && end.close_seen), "{at} {reset}");
            }
        }
    }
}

/// What a peer sends in a good conversation.
fn recorded(config: &AccessConfig, from: testkit::Side) -> Vec<u8> {
    let mut pair = Pair::bound(config);
    pair.invoke(A, PARENT, octets(10));
    pair.invoke(B, FAIL, octets(10));
    pair.pump();
    pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
    pair.run_to_end();
    pair.turns.iter().filter(|(side, _)| *side == from).flat_map(|(_, octets)| octets.clone()).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::with_cases(400)
    })]

    #[test]
    fn a_damaged_conversation_ends_like_any_other(
        form in 0..2_usize,
        initiator: bool,
        damage in proptest::collection::vec((0..2000_usize, proptest::prelude::any::<u8>()), 1..6),
        chunk in 1..300_usize,
    ) {
        let config = &forms()[form];
        let side = if initiator { testkit::Side::Responder } else { testkit::Side::Initiator };
        let mut octets = recorded(config, side);
        for (at, octet) in damage {
            let at = at % octets.len();
            octets[at] = octet;
        }
        let mut pair = Pair::new(config.clone(), config.clone());
        let under_test = if initiator { A } else { B };
        let now = pair.now;
        let mut out = Vec::new();
        let end = &mut pair.ends[under_test];
        end.stack.start(now, &mut out);
        end.perform(now, out);
        for piece in octets.chunks(chunk) {
            let mut out = Vec::new();
            end.stack.receive(now, piece, &mut out);
            end.perform(now, out);
        }
        let mut out = Vec::new();
        end.stack.transport_closed(now, false, &mut out);
        end.perform(now, out);
        assert!(end.is_over() && end.stack.is_finished());
    }
}
