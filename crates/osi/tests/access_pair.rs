//! Access associations end to end, in both forms: bind, operations both ways at once, unbind, and all the ways in which
//! they may end otherwise.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/access.rs"]
mod access;

use core::time::Duration;

use access::{
    A, ARGUMENT, B, ECHO, ERROR, FAIL, HOLD, PARENT, Pair, REJECT, RESULT, SILENT, SUBMISSION, delivery,
    direct, forms, invocation, octets, reliable, submission,
};
use osi::access::{AccessConfig, AccessError, AccessIndication, AccessRequest, Form};
use osi::failure::{Blame, Layer};
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, Reject};
use osi::rose::{
    AssociationClass, Fault, Invocation, InvokeProblem, OperationClass, Outcome, Problem, Reply, RoIndication,
};
use osi::stack::ServedSelectors;

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
        let serving = |transport: &str, session: &str, presentation: &str| {
            let octets = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
            let (transport, session, presentation) =
                (octets(transport), octets(session), octets(presentation));
            let served = vec![ServedSelectors { transport, session, presentation }];
            AccessConfig { served, ..config.clone() }
        };
        // What the responder is told, and what the initiator: a CPR without a provider's reason is the user's refusal.
        for (responder, layer, told) in [
            (other, Layer::Acse, Layer::Acse),
            (syntax, Layer::Presentation, Layer::Acse),
            (serving("T", "", ""), Layer::Cotp, Layer::Cotp),
            (serving("", "S", ""), Layer::Session, Layer::Session),
            (serving("", "", "P"), Layer::Presentation, Layer::Presentation),
        ] {
            let mut pair = Pair::new(config.clone(), responder);
            pair.start();
            pair.run_to_end();
            let [AccessIndication::BindRefused(refused)] = &pair.ends[A].told[..] else {
                panic!("{:?}", pair.ends[A].told)
            };
            assert_eq!(refused.layer, told);
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

#[test]
fn what_crosses_an_unbind_harms_nobody() {
    for config in forms() {
        let mut pair = Pair::bound(&config);
        pair.invoke(B, HOLD, octets(1));
        pair.pump();
        pair.ends[A].told.clear();
        // An invocation and an answer of the responder's, and then an answer of the initiator's that is too late.
        pair.invoke(A, HOLD, octets(1));
        pair.pump();
        let now = pair.now;
        pair.invoke(B, ECHO, octets(1));
        pair.ends[B].reply(now, 1, Reply::Result(octets(1)));
        pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
        pair.ends[A].reply(now, 1, Reply::Result(octets(1)));
        pair.run_to_end();
        let closed = AccessIndication::Closed { unbind: Vec::new() };
        for end in &pair.ends {
            assert_eq!(end.told.last(), Some(&closed), "{:?}", end.told);
        }
        let late = AccessIndication::Remote(RoIndication::ReplyNotTransferred { invoke_id: 1 });
        assert!(pair.ends[A].told.contains(&late), "{:?}", pair.ends[A].told);
    }
}
