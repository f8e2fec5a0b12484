//! Limits, deadlines and the rules of operation and association classes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use core::time::Duration;

use ber::ErrorKind;
use clock::MonoTime;
use osi::failure::Blame;
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, Invoke, InvokeId, OperationResult, Reject, ReturnResult, RoseApdu};
use osi::rose::{
    AssociationClass, Invocation, InvokeProblem, OperationClass, Outcome, Problem, Reply, RequestError,
    RoAction, RoIndication, Role, Ropm, RopmEvent, RoseConfig, RoseError, State,
};

const CONTEXT: ContextId = ContextId(5);

fn at(seconds: u64) -> MonoTime {
    MonoTime::after_start(Duration::from_secs(seconds))
}

fn invocation(class: OperationClass, seconds: u64) -> Invocation {
    Invocation {
        context: CONTEXT,
        operation: Code::Local(3),
        argument: Vec::new(),
        class,
        linked_to: None,
        children: Vec::new(),
        timeout: Duration::from_secs(seconds),
    }
}

fn plain() -> Invocation {
    invocation(OperationClass::Asynchronous, 60)
}

fn invoke(invoke_id: InvokeId) -> RopmEvent {
    let operation = Code::Local(3);
    let apdu = RoseApdu::Invoke(Invoke { invoke_id, linked_id: None, operation, argument: vec![5, 0] });
    RopmEvent::Received { context: CONTEXT, octets: apdu.encode() }
}

fn answer(invoke_id: i64) -> RopmEvent {
    let apdu = RoseApdu::ReturnResult(ReturnResult { invoke_id: InvokeId::Present(invoke_id), result: None });
    RopmEvent::Received { context: CONTEXT, octets: apdu.encode() }
}

fn machine() -> Ropm {
    Ropm::new(RoseConfig::new(Role::Initiator))
}

fn outcome(invoke_id: i64, outcome: Outcome) -> RoAction {
    RoAction::Indication(RoIndication::Outcome { invoke_id, outcome })
}

fn sent(action: &RoAction) -> RoseApdu {
    match action {
        RoAction::Transfer { context: CONTEXT, apdu } => RoseApdu::decode(apdu).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn rejected(invoke_id: i64, problem: InvokeProblem) -> RoseApdu {
    RoseApdu::Reject(Reject { invoke_id: InvokeId::Present(invoke_id), problem: Problem::Invoke(problem) })
}

#[test]
fn thirty_two_invocations_each_way() {
    let (mut machine, mut out) = (machine(), Vec::new());
    for _ in 0..32 {
        machine.invoke(at(0), plain(), &mut out).unwrap();
    }
    let refused = machine.invoke(at(0), plain(), &mut out);
    assert_eq!(refused, Err(RequestError::TooManyInvocations { limit: 32 }));
    // An answer makes room for one more.
    machine.handle(at(0), answer(9), &mut out).unwrap();
    assert_eq!(machine.invoke(at(0), plain(), &mut out), Ok(33));
    assert!(machine.invoke(at(0), plain(), &mut out).is_err());

    for id in 100..132 {
        machine.handle(at(0), invoke(InvokeId::Present(id)), &mut out).unwrap();
    }
    out.clear();
    machine.handle(at(0), invoke(InvokeId::Present(132)), &mut out).unwrap();
    assert_eq!(sent(&out[0]), rejected(132, InvokeProblem::RESOURCE_LIMITATION));
    machine.reply(110, Reply::Silent, &mut out).unwrap();
    machine.handle(at(0), invoke(InvokeId::Present(132)), &mut out).unwrap();
    assert_eq!((machine.outgoing(), machine.incoming()), (32, 32));
}

#[test]
fn each_invocation_has_its_own_deadline() {
    let (mut machine, mut out) = (machine(), Vec::new());
    assert_eq!(machine.deadline(), None);
    for seconds in [30, 10, 20] {
        machine.invoke(at(1), invocation(OperationClass::Asynchronous, seconds), &mut out).unwrap();
    }
    assert_eq!(machine.deadline(), Some(at(11)));
    machine.handle(at(5), answer(3), &mut out).unwrap();
    machine.handle(at(5), RopmEvent::Transferred, &mut out).unwrap();
    out.clear();
    machine.handle(at(10), RopmEvent::Deadline, &mut out).unwrap();
    assert_eq!(out, []);
    machine.handle(at(11), RopmEvent::Deadline, &mut out).unwrap();
    assert_eq!(out, [outcome(2, Outcome::Expired { transferred: false })]);
    assert_eq!(machine.deadline(), Some(at(31)));
    machine.handle(at(40), RopmEvent::Deadline, &mut out).unwrap();
    assert_eq!(out[1..], [outcome(1, Outcome::Expired { transferred: true })]);
    assert_eq!(machine.deadline(), None);
    // The answer comes after all, and its number is not used again soon.
    out.clear();
    machine.handle(at(41), answer(1), &mut out).unwrap();
    assert!(matches!(sent(&out[0]), RoseApdu::Reject(Reject { problem: Problem::ReturnResult(_), .. })));
    assert_eq!(machine.invoke(at(41), plain(), &mut out), Ok(4));
}

#[test]
fn a_synchronous_operation_is_waited_for() {
    let (mut machine, mut out) = (machine(), Vec::new());
    machine.invoke(at(0), plain(), &mut out).unwrap();
    let id = machine.invoke(at(0), invocation(OperationClass::Synchronous, 60), &mut out).unwrap();
    assert_eq!(machine.invoke(at(0), plain(), &mut out), Err(RequestError::Synchronous { invoke_id: id }));
    // The peer may invoke, and a child of that is not held up.
    machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    machine.invoke(at(0), Invocation { linked_to: Some(1), ..plain() }, &mut out).unwrap();
    machine.handle(at(0), answer(id), &mut out).unwrap();
    machine.invoke(at(0), plain(), &mut out).unwrap();
}

#[test]
fn the_association_class_says_who_invokes() {
    for (association_class, initiator, responder) in [
        (AssociationClass::InitiatorInvokes, true, false),
        (AssociationClass::ResponderInvokes, false, true),
        (AssociationClass::BothInvoke, true, true),
    ] {
        for (role, ours, theirs) in
            [(Role::Initiator, initiator, responder), (Role::Responder, responder, initiator)]
        {
            let mut machine = Ropm::new(RoseConfig { association_class, ..RoseConfig::new(role) });
            let mut out = Vec::new();
            let invoked = machine.invoke(at(0), plain(), &mut out);
            assert_eq!(invoked, if ours { Ok(1) } else { Err(RequestError::MayNotInvoke) });
            out.clear();
            machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
            assert_eq!(machine.incoming(), usize::from(theirs));
            if !theirs {
                assert_eq!(sent(&out[0]), rejected(1, InvokeProblem::UNRECOGNIZED_OPERATION));
            }
        }
    }
}

#[test]
fn without_identifier_only_where_the_syntax_has_it() {
    let mut machine = Ropm::new(RoseConfig { absent_ids: true, ..RoseConfig::new(Role::Responder) });
    let mut out = Vec::new();
    machine.handle(at(0), invoke(InvokeId::Absent), &mut out).unwrap();
    let [RoAction::Indication(RoIndication::Invoke { invoke_id: InvokeId::Absent, argument, .. })] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(argument, &[5, 0]);
    assert_eq!(machine.incoming(), 0);
}

#[test]
fn a_result_names_its_operation_and_goes_back_the_way_it_came() {
    let (mut machine, mut out) = (machine(), Vec::new());
    machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    out.clear();
    machine.reply(1, Reply::Result(vec![0x31, 0]), &mut out).unwrap();
    let result = Some(OperationResult { operation: Code::Local(3), value: vec![0x31, 0] });
    let expected = RoseApdu::ReturnResult(ReturnResult { invoke_id: InvokeId::Present(1), result });
    assert_eq!(out.iter().map(sent).collect::<Vec<_>>(), [expected]);
}

#[test]
fn values_must_be_one_encoding() {
    let (mut machine, mut out) = (machine(), Vec::new());
    machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    out.clear();
    for (value, expected) in [
        (vec![5], ErrorKind::Truncated),
        (vec![5, 0, 5, 0], ErrorKind::Trailing),
        (vec![0, 0], ErrorKind::UnexpectedEoc),
    ] {
        let what = |done: Result<(), RequestError>| match done {
            Err(RequestError::NotOneEncoding { what, source }) if source.kind == expected => what,
            other => panic!("{other:?}"),
        };
        let invocation = Invocation { argument: value.clone(), ..plain() };
        assert_eq!(what(machine.invoke(at(0), invocation, &mut out).map(drop)), "argument");
        assert_eq!(what(machine.reply(1, Reply::Result(value.clone()), &mut out)), "result");
        let error = Reply::Error { code: Code::Local(1), parameter: value };
        assert_eq!(what(machine.reply(1, error, &mut out)), "parameter");
    }
    assert_eq!((machine.outgoing(), machine.incoming(), out.len()), (0, 1, 0));
}

#[test]
fn what_waits_for_its_transfer_is_bounded() {
    let mut machine = Ropm::new(RoseConfig { waiting_max: 3, ..RoseConfig::new(Role::Initiator) });
    let mut out = Vec::new();
    machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    for _ in 0..3 {
        machine.invoke(at(0), plain(), &mut out).unwrap();
    }
    // Nothing of ours is added, and nothing is lost: the answer can be given later.
    let full = Err(RequestError::TooManyWaiting { limit: 3 });
    assert_eq!(machine.invoke(at(0), plain(), &mut out).map(drop), full);
    assert_eq!(machine.reply(1, Reply::Result(vec![]), &mut out), full);
    assert_eq!((machine.outgoing(), machine.incoming()), (3, 1));
    // Rejects still find room, until the peer overdoes it.
    for _ in 0..3 {
        machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    }
    assert_eq!(machine.waiting(), 6);
    machine.handle(at(0), RopmEvent::Transferred, &mut out).unwrap();
    machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    out.clear();
    let error = machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap_err();
    assert_eq!(error, RoseError::Flooded { waiting: 6 });
    assert_eq!(error.blame(), Blame::PeerMisbehaved);
    assert_eq!(
        out,
        [
            RoAction::Abort,
            outcome(1, Outcome::Ended { transferred: true }),
            outcome(2, Outcome::Ended { transferred: false }),
            outcome(3, Outcome::Ended { transferred: false }),
            RoAction::Indication(RoIndication::Abandoned { invoke_id: 1 }),
        ]
    );
    assert_eq!((machine.state(), machine.waiting(), machine.deadline()), (State::Ended, 0, None));
}

#[test]
fn what_cannot_be_transferred_is_told_to_whom_it_concerns() {
    let (mut machine, mut out) = (machine(), Vec::new());
    machine.handle(at(0), invoke(InvokeId::Present(1)), &mut out).unwrap();
    machine.invoke(at(0), invocation(OperationClass::Asynchronous, 1), &mut out).unwrap();
    machine.reply(1, Reply::Result(vec![]), &mut out).unwrap();
    machine.handle(at(0), answer(77), &mut out).unwrap();
    machine.invoke(at(0), plain(), &mut out).unwrap();
    machine.handle(at(1), RopmEvent::Deadline, &mut out).unwrap();
    out.clear();
    // The invocation that has expired, the answer, the reject, and the invocation that is still outstanding.
    let mut told = Vec::new();
    for _ in 0..5 {
        machine.handle(at(1), RopmEvent::NotTransferred, &mut out).unwrap();
        told.push(core::mem::take(&mut out));
    }
    let reply = RoAction::Indication(RoIndication::ReplyNotTransferred { invoke_id: 1 });
    assert_eq!(told, [vec![], vec![reply], vec![], vec![outcome(2, Outcome::NotTransferred)], vec![]]);
}
