//! Every state of an access association meets every request, and either side may abort in any of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/access.rs"]
mod access;

use core::time::Duration;

use access::{A, ARGUMENT, B, ECHO, HOLD, Pair, SUBMISSION, forms, invocation, octets, reference};
use osi::access::{AccessConfig, AccessError, AccessIndication, AccessRequest, AccessStack};
use osi::presentation::ContextId;
use osi::rose::{Invocation, Outcome, Reply, RoIndication};

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

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// It is carried out.
    Yes,
    /// The state does not allow it.
    No,
    /// Unbinding is not the responder's.
    NotOurs,
    /// Remote operations do not allow it.
    Rose,
    /// There is no association any more.
    Over,
}
use Cell::{No, NotOurs, Over, Rose, Yes};

#[derive(Clone, Copy, Debug)]
enum Ask {
    BindAccept,
    BindReject,
    Unbind,
    Abort,
    Invoke,
    Reply,
    RejectReply,
}

/// Answers in each state: opening as initiator and as responder, deciding, bound as initiator and as responder, unbinding
/// as initiator, over.
const TABLE: [(Ask, [Cell; 7]); 7] = [
    (Ask::BindAccept, [No, No, Yes, No, No, No, Over]),
    (Ask::BindReject, [No, No, Yes, No, No, No, Over]),
    (Ask::Unbind, [No, No, No, Yes, NotOurs, No, Over]),
    (Ask::Abort, [Yes, Yes, Yes, Yes, Yes, Yes, Over]),
    (Ask::Invoke, [No, No, No, Yes, Yes, Rose, Over]),
    (Ask::Reply, [No, No, No, Yes, Yes, Yes, Over]),
    (Ask::RejectReply, [No, No, No, Yes, Yes, Yes, Over]),
];

/// A stack in the state of this number.
fn in_state(config: &AccessConfig, state: usize) -> AccessStack {
    let now = clock::MonoTime::START;
    let mut out = Vec::new();
    match state {
        0 => {
            let mut stack = AccessStack::initiator(config.clone(), ARGUMENT.to_vec(), reference());
            stack.start(now, &mut out);
            stack
        }
        1 => {
            let mut stack = AccessStack::responder(config.clone());
            stack.start(now, &mut out);
            stack
        }
        2 => {
            let mut pair = Pair::new(config.clone(), config.clone());
            pair.ends[B].undecided = true;
            pair.start();
            let [_, b] = pair.ends;
            b.stack
        }
        3 | 4 => {
            let mut pair = Pair::bound(config);
            // Something for the one that is asked to answer.
            let other = if state == 3 { B } else { A };
            pair.invoke(other, HOLD, octets(1));
            pair.pump();
            let [a, b] = pair.ends;
            if state == 3 { a.stack } else { b.stack }
        }
        5 => {
            let mut pair = Pair::bound(config);
            pair.invoke(B, HOLD, octets(1));
            pair.pump();
            pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
            let [a, _] = pair.ends;
            a.stack
        }
        _ => {
            let mut pair = Pair::bound(config);
            pair.request(A, AccessRequest::Abort);
            let [a, _] = pair.ends;
            a.stack
        }
    }
}

#[test]
fn every_state_meets_every_request() {
    let mut cells = 0;
    for config in forms() {
        for (ask, expected) in TABLE {
            for (state, expected) in expected.into_iter().enumerate() {
                cells += 1;
                let mut stack = in_state(&config, state);
                let (now, mut out) = (clock::MonoTime::START, Vec::new());
                let mut request = |request| stack.request(now, request, &mut out);
                let result = match ask {
                    Ask::BindAccept => request(AccessRequest::BindAccept { result: vec![] }),
                    Ask::BindReject => request(AccessRequest::BindReject { error: vec![], transient: false }),
                    Ask::Unbind => request(AccessRequest::Unbind { argument: vec![] }),
                    Ask::Abort => request(AccessRequest::Abort),
                    Ask::Invoke => {
                        stack.invoke(now, invocation(SUBMISSION, ECHO, vec![]), 0, &mut out).map(drop)
                    }
                    Ask::Reply => stack.reply(now, 1, Reply::Result(vec![]), 0, &mut out),
                    Ask::RejectReply => {
                        let problem = osi::rose::ReturnResultProblem::MISTYPED_RESULT;
                        let problem = osi::rose::ReplyProblem::Result(problem);
                        stack.reject_reply(now, 1, SUBMISSION, problem, &mut out)
                    }
                };
                let cell = match result {
                    Ok(()) => Yes,
                    Err(AccessError::OutOfState { .. }) => No,
                    Err(AccessError::MayNotUnbind) => NotOurs,
                    Err(AccessError::Rose(_)) => Rose,
                    Err(AccessError::Ended { .. }) => Over,
                    Err(
                        error @ (AccessError::UnbindArgument
                        | AccessError::Context(_)
                        | AccessError::TooLong { .. }
                        | AccessError::NotOneEncoding { .. }),
                    ) => panic!("{error}"),
                };
                assert_eq!(cell, expected, "{ask:?} in state {state}");
                assert!(cell == Yes || out.is_empty(), "a refused request does nothing");
            }
        }
    }
    assert_eq!(cells, 2 * 7 * 7);
}
