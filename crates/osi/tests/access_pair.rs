//! Access associations end to end, in both forms: bind, operations both ways at once, unbind, and all the ways in which
//! they may end otherwise.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/access.rs"]
mod access;

use core::time::Duration;

use access::{
    A, ARGUMENT, B, ECHO, ERROR, FAIL, HOLD, PARENT, Pair, REJECT, RESULT, SILENT, SUBMISSION, delivery,
    direct, forms, invocation, octets, reference, reliable, submission,
};
use osi::access::{
    AccessAction, AccessConfig, AccessError, AccessIndication, AccessRequest, AccessStack, Form,
};
use osi::failure::{Blame, Layer};
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, Reject};
use osi::rose::{
    AssociationClass, Fault, Invocation, InvokeProblem, OperationClass, Outcome, Problem, Reply, RoIndication,
};
use osi::rtse::{DialogueMode, OpenData, RtIndication, SessionConnectionIdentifier};
use osi::stack::{ApplicationContext, Stack, StackAction, StackConfig};

fn rtse(config: &mut AccessConfig) -> Option<&mut osi::rtse::RtseConfig> {
    match &mut config.form {
        Form::Direct => None,
        Form::Reliable(rtse) => Some(rtse),
    }
}

#[test]
fn bind_operate_unbind() {
    for config in forms() {
        let mut pair = Pair::new(config.clone(), config.clone());
        pair.start();
        let [AccessIndication::Bind(bind)] = &pair.ends[B].told[..] else { panic!() };
        assert_eq!(bind.argument, ARGUMENT);
        assert_eq!(pair.ends[A].told, [AccessIndication::BindConfirm { result: RESULT.to_vec() }]);

        let operations = [ECHO, FAIL, REJECT, SILENT, PARENT];
        let mut ids = Vec::new();
        for side in [A, B] {
            for operation in operations {
                ids.push(pair.invoke(side, operation, octets(100)));
            }
        }
        pair.pump();
        let rejected = Problem::Invoke(InvokeProblem::MISTYPED_ARGUMENT);
        for side in [A, B] {
            let end = &pair.ends[side];
            let mut own: Vec<_> = end.outcomes().into_iter().filter(|(id, _)| *id <= 5).collect();
            own.sort_by_key(|(id, _)| *id);
            assert_eq!(
                own,
                [
                    (1, Outcome::Result(octets(100))),
                    (2, Outcome::Error { code: Code::Local(9), parameter: octets(100) }),
                    (3, Outcome::Rejected(rejected)),
                    (5, Outcome::Result(octets(100))),
                ]
            );
            // The child that the peer's parent led to.
            assert_eq!(end.outcomes().len(), 5);
        }

        pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
        let mut out = Vec::new();
        let late = invocation(SUBMISSION, ECHO, octets(1));
        let state = pair.ends[A].stack.invoke(pair.now, late, 0, &mut out);
        assert!(matches!(state, Err(AccessError::Rose(_) | AccessError::Ended { .. })), "{state:?}");
        pair.run_to_end();
        let closed = AccessIndication::Closed { unbind: Vec::new() };
        for end in &pair.ends {
            assert_eq!(end.told.last(), Some(&closed));
        }
        // The silent operation is over when the association is.
        let ended = (4, Outcome::Ended { transferred: true });
        for end in &pair.ends {
            assert!(end.outcomes().contains(&ended));
        }
    }
}

#[test]
fn chunks_do_not_matter() {
    for config in forms() {
        let mut told = Vec::new();
        for chunk in [1, 2, 3, 7, 100, usize::MAX] {
            let mut pair = Pair::new(config.clone(), config.clone());
            pair.chunk = chunk;
            pair.start();
            for operation in [ECHO, FAIL, PARENT] {
                pair.invoke(A, operation, octets(3000));
            }
            pair.pump();
            pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
            pair.run_to_end();
            let [a, b] = pair.ends;
            told.push((a.told, b.told));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

#[test]
fn a_bind_may_be_refused() {
    for config in forms() {
        for transient in [false, true] {
            let mut pair = Pair::new(config.clone(), config.clone());
            pair.ends[B].reject_bind = Some(transient);
            pair.start();
            pair.run_to_end();
            let [AccessIndication::BindRefused(refused)] = &pair.ends[A].told[..] else { panic!() };
            assert_eq!((refused.layer, refused.transient), (Layer::Application, transient));
            assert_eq!(refused.user_data, ERROR);
            let closed = AccessIndication::Closed { unbind: Vec::new() };
            assert_eq!(pair.ends[B].told.last(), Some(&closed));
        }
    }
}

#[test]
fn contexts_selectors_and_forms_that_do_not_fit_are_refused() {
    for config in forms() {
        let mut other = config.clone();
        other.context.application_context = ber::Oid::from_arcs(&[2, 6, 0, 1, 9]).unwrap();
        let mut syntax = config.clone();
        syntax.context.bind_syntax = ber::Oid::from_arcs(&[2, 6, 0, 2, 99]).unwrap();
        let mut selector = config.clone();
        selector.accepted_transport_selectors = Some(vec![b"elsewhere".to_vec()]);
        for (responder, layer) in
            [(other, Layer::Acse), (syntax, Layer::Presentation), (selector, Layer::Cotp)]
        {
            let mut pair = Pair::new(config.clone(), responder);
            pair.start();
            pair.run_to_end();
            let [AccessIndication::BindRefused(refused)] = &pair.ends[A].told[..] else {
                panic!("{:?}", pair.ends[A].told)
            };
            // A CPR without a provider's reason is the user's refusal, which ACSE tells.
            let told = if layer == Layer::Presentation { Layer::Acse } else { layer };
            assert!(refused.layer == told || refused.layer == Layer::Rtse, "{refused:?}");
            let [AccessIndication::Aborted(aborted)] = &pair.ends[B].told[..] else { panic!() };
            assert_eq!((aborted.layer, aborted.blame), (layer, Blame::PeerIncompatible));
        }
    }
    for (a, b) in [(direct(), reliable()), (reliable(), direct())] {
        let mut pair = Pair::new(a, b);
        pair.start();
        pair.run_to_end();
        let [AccessIndication::BindRefused(refused)] = &pair.ends[A].told[..] else { panic!() };
        assert_eq!(refused.layer, Layer::Session);
    }
}

#[test]
fn operations_are_in_the_contexts_that_both_have() {
    for config in forms() {
        let mut fewer = config.clone();
        fewer.context.operation_syntaxes.pop();
        for (a, b) in [(config.clone(), fewer.clone()), (fewer, config)] {
            let mut pair = Pair::new(a, b);
            pair.start();
            for side in [A, B] {
                assert_eq!(pair.ends[side].stack.context(&submission()), Some(SUBMISSION));
                assert_eq!(pair.ends[side].stack.context(&delivery()), None);
                // Neither the context of ACSE nor that of the bind is one of operations, nor is one that there is not.
                for context in [1, 3, 7, 9] {
                    let context = ContextId(context);
                    let invocation = Invocation { context, ..invocation(SUBMISSION, ECHO, octets(1)) };
                    assert_eq!(pair.invoke_as(side, invocation, 0), Err(AccessError::Context(context)));
                }
                pair.invoke(side, ECHO, octets(1));
            }
            pair.pump();
            assert!(pair.ends.iter().all(|end| end.outcomes().len() == 1));
        }
    }
}

#[test]
fn either_side_may_abort_at_any_time() {
    for config in forms() {
        for side in [A, B] {
            let mut pair = Pair::bound(&config);
            pair.invoke(A, HOLD, octets(1));
            pair.invoke(B, HOLD, octets(1));
            pair.pump();
            pair.request(side, AccessRequest::Abort);
            let took = pair.run_to_end();
            assert_eq!(took, Duration::ZERO);
            for (index, end) in pair.ends.iter().enumerate() {
                let [.., AccessIndication::Remote(RoIndication::Abandoned { invoke_id: 1 }), last] =
                    &end.told[..]
                else {
                    panic!("{:?}", end.told)
                };
                assert_eq!(end.outcomes(), [(1, Outcome::Ended { transferred: true })]);
                let AccessIndication::Aborted(aborted) = last else { panic!("{last:?}") };
                assert_eq!(aborted.by_peer, index != side);
            }
        }
        // Before anything, before the connection, and while the bind is being decided.
        let mut stack = AccessStack::initiator(config.clone(), ARGUMENT.to_vec(), reference());
        let mut out = Vec::new();
        stack.start(clock::MonoTime::START, &mut out);
        stack.request(clock::MonoTime::START, AccessRequest::Abort, &mut out).unwrap();
        assert!(stack.is_finished());
        let mut stack = AccessStack::responder(config.clone());
        stack.request(clock::MonoTime::START, AccessRequest::Abort, &mut out).unwrap();
        assert!(stack.is_finished());
        let late = stack.request(clock::MonoTime::START, AccessRequest::Abort, &mut out);
        assert_eq!(late, Err(AccessError::Ended { request: "abort" }));
    }
}

#[test]
fn requests_out_of_place_change_nothing() {
    for config in forms() {
        let mut pair = Pair::bound(&config);
        let context = ContextId(5);
        let accept = || AccessRequest::BindAccept { result: vec![] };
        let reject = || AccessRequest::BindReject { error: vec![], transient: false };
        let unbind = || AccessRequest::Unbind { argument: vec![] };
        for (side, request) in [(A, accept()), (A, reject()), (B, accept()), (B, reject())] {
            let result = pair.ends[side].request(pair.now, request);
            assert!(matches!(result, Err(AccessError::OutOfState { .. })), "{result:?}");
        }
        assert_eq!(pair.ends[B].request(pair.now, unbind()), Err(AccessError::MayNotUnbind));
        let torn = AccessRequest::Unbind { argument: vec![5] };
        let result = pair.ends[A].request(pair.now, torn);
        assert!(matches!(result, Err(AccessError::NotOneEncoding { .. } | AccessError::UnbindArgument)));
        let limit = config.apdu_octets_max;
        let long = invocation(SUBMISSION, ECHO, octets(limit));
        let result = pair.invoke_as(A, long, 0);
        assert!(matches!(result, Err(AccessError::TooLong { .. })), "{result:?}");
        pair.invoke(A, ECHO, octets(1));
        pair.pump();
        assert_eq!(pair.ends[A].outcomes(), [(1, Outcome::Result(octets(1)))]);

        // Before the association is there.
        let mut out = Vec::new();
        let mut stack = AccessStack::initiator(config.clone(), ARGUMENT.to_vec(), reference());
        stack.start(pair.now, &mut out);
        let early = Invocation { context, ..invocation(SUBMISSION, ECHO, vec![]) };
        for request in [accept(), unbind()] {
            let result = stack.request(pair.now, request, &mut out);
            assert!(matches!(result, Err(AccessError::OutOfState { .. })));
        }
        assert!(matches!(stack.invoke(pair.now, early, 0, &mut out), Err(AccessError::OutOfState { .. })));
        let result = stack.reply(pair.now, 1, Reply::Silent, 0, &mut out);
        assert!(matches!(result, Err(AccessError::OutOfState { .. })));
    }
}

#[test]
fn an_unbind_argument_arrives_where_there_can_be_one() {
    let mut pair = Pair::bound(&direct());
    pair.request(A, AccessRequest::Unbind { argument: octets(2) });
    pair.run_to_end();
    assert_eq!(pair.ends[B].told, [AccessIndication::Closed { unbind: octets(2) }]);
    assert_eq!(pair.ends[A].told, [AccessIndication::Closed { unbind: vec![] }]);
    let mut pair = Pair::bound(&reliable());
    let result = pair.ends[A].request(pair.now, AccessRequest::Unbind { argument: octets(2) });
    assert_eq!(result, Err(AccessError::UnbindArgument));
}

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
fn an_association_class_holds() {
    for config in forms() {
        let config = AccessConfig { association_class: AssociationClass::InitiatorInvokes, ..config };
        let mut pair = Pair::bound(&config);
        let theirs = invocation(SUBMISSION, ECHO, octets(1));
        assert_eq!(
            pair.invoke_as(B, theirs, 0),
            Err(AccessError::Rose(osi::rose::RequestError::MayNotInvoke))
        );
        pair.invoke(A, PARENT, octets(1));
        pair.pump();
        assert_eq!(pair.ends[A].outcomes(), [(1, Outcome::Result(octets(1)))]);
    }
}

#[test]
fn what_is_not_answered_expires_and_a_late_answer_is_rejected() {
    for config in forms() {
        let mut pair = Pair::bound(&config);
        let hold = invocation(SUBMISSION, HOLD, octets(1));
        pair.invoke_as(A, Invocation { timeout: Duration::from_secs(5), ..hold }, 0).unwrap();
        pair.pump();
        assert!(pair.pass());
        assert_eq!(pair.ends[A].outcomes(), [(1, Outcome::Expired { transferred: true })]);
        let now = pair.now;
        pair.ends[B].reply(now, 1, Reply::Result(octets(1)));
        pair.pump();
        let [.., AccessIndication::Remote(RoIndication::Fault(Fault::Rejected(_)))] = &pair.ends[A].told[..]
        else {
            panic!("{:?}", pair.ends[A].told)
        };
        let Some(AccessIndication::Remote(RoIndication::Rejected(Reject { .. }))) = pair.ends[B].told.last()
        else {
            panic!("{:?}", pair.ends[B].told)
        };
    }
}

#[test]
fn an_unbind_waits_for_what_is_to_be_transferred() {
    for config in forms() {
        let mut pair = Pair::bound(&config);
        let mut out = Vec::new();
        let now = pair.now;
        for _ in 0..5 {
            let invocation = invocation(SUBMISSION, HOLD, octets(200_000));
            pair.ends[A].stack.invoke(now, invocation, 0, &mut out).unwrap();
        }
        pair.ends[A].stack.request(now, AccessRequest::Unbind { argument: vec![] }, &mut out).unwrap();
        let again = pair.ends[A].stack.request(now, AccessRequest::Unbind { argument: vec![] }, &mut out);
        assert!(matches!(again, Err(AccessError::OutOfState { .. })));
        pair.ends[A].perform(now, out);
        pair.run_to_end();
        let invoked =
            |told: &AccessIndication| matches!(told, AccessIndication::Remote(RoIndication::Invoke { .. }));
        assert_eq!(pair.ends[B].told.iter().filter(|told| invoked(told)).count(), 5);
        assert_eq!(pair.ends[A].told.len(), 6);
        assert_eq!(pair.ends[A].told.last(), Some(&AccessIndication::Closed { unbind: vec![] }));
    }
}

#[test]
fn the_turn_goes_to_the_more_urgent_and_nobody_waits_for_ever() {
    for (ours, theirs) in [(0, 0), (0, 1), (1, 0)] {
        let mut pair = Pair::bound(&reliable());
        let mut out = [Vec::new(), Vec::new()];
        let now = pair.now;
        for side in [A, B] {
            let priority = if side == A { ours } else { theirs };
            for _ in 0..4 {
                let invocation = Invocation {
                    class: OperationClass::Unreported,
                    ..invocation(SUBMISSION, SILENT, octets(100))
                };
                pair.ends[side].stack.invoke(now, invocation, priority, &mut out[side]).unwrap();
            }
        }
        let [a, b] = out;
        pair.ends[B].perform(now, b);
        pair.ends[A].perform(now, a);
        pair.pump();
        let invoked = |end: usize| {
            pair.ends[end]
                .told
                .iter()
                .filter(|told| matches!(told, AccessIndication::Remote(RoIndication::Invoke { .. })))
                .count()
        };
        assert_eq!((invoked(A), invoked(B)), (4, 4));
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

#[test]
fn settings_of_rtse_do_not_matter() {
    for (checkpoint_size_kb, window_size) in [(0, 1), (1, 1), (1, 7), (30, 5)] {
        let mut config = reliable();
        let rtse = rtse(&mut config).unwrap();
        rtse.checkpoint_size_kb = checkpoint_size_kb;
        rtse.window_size = window_size;
        let mut pair = Pair::bound(&config);
        pair.chunk = 1000;
        for side in [A, B] {
            pair.invoke(side, ECHO, octets(100_000));
        }
        pair.pump();
        for end in &pair.ends {
            assert_eq!(end.outcomes(), [(1, Outcome::Result(octets(100_000)))]);
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
