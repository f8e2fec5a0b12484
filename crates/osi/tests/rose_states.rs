//! Every state of the remote operations machine meets every event and every request.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use core::time::Duration;

use clock::MonoTime;
use osi::presentation::ContextId;
use osi::rose::apdu::{
    ApduKind, Code, Invoke, InvokeId, OperationResult, Reject, ReturnError, ReturnResult, RoseApdu,
};
use osi::rose::{
    AssociationClass, Fault, Invocation, InvokeProblem, OperationClass, Outcome, Problem, Reply,
    ReplyProblem, RequestError, ReturnErrorProblem, ReturnResultProblem, RoAction, RoIndication, Role, Ropm,
    RopmEvent, RoseConfig, State,
};

const CONTEXT: ContextId = ContextId(3);
const OURS: i64 = 10;
const CHILD: i64 = 50;
/// The one invocation of the peer's that is outstanding.
const THEIRS: i64 = 7;
const UNKNOWN: i64 = 99;

/// Our outstanding invocations, by class: identifiers 1 to 5, answer due after 10 to 50 seconds. The first has
/// children; the Invoke of the last has not been transferred.
const CLASSES: [OperationClass; 5] = [
    OperationClass::Asynchronous,
    OperationClass::ReportsFailure,
    OperationClass::ReportsSuccess,
    OperationClass::Unreported,
    OperationClass::Synchronous,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Open,
    /// The peer may have no more invocations than it has.
    Full,
    /// The peer may not invoke but children.
    OneSided,
    Releasing,
    Ended,
}

const CASES: [Case; 5] = [Case::Open, Case::Full, Case::OneSided, Case::Releasing, Case::Ended];

fn at(seconds: u64) -> MonoTime {
    MonoTime::after_start(Duration::from_secs(seconds))
}

fn invocation(class: OperationClass, seconds: u64) -> Invocation {
    Invocation {
        context: CONTEXT,
        operation: Code::Local(OURS),
        argument: vec![5, 0],
        class,
        linked_to: None,
        children: Vec::new(),
        timeout: Duration::from_secs(seconds),
    }
}

fn received(apdu: &RoseApdu) -> RopmEvent {
    RopmEvent::Received { context: CONTEXT, octets: apdu.encode() }
}

fn invoke(invoke_id: InvokeId, linked_id: Option<InvokeId>, operation: i64) -> RoseApdu {
    RoseApdu::Invoke(Invoke { invoke_id, linked_id, operation: Code::Local(operation), argument: vec![] })
}

fn result(invoke_id: InvokeId, operation: Option<i64>) -> RoseApdu {
    let result = operation
        .map(|operation| OperationResult { operation: Code::Local(operation), value: vec![0x31, 0] });
    RoseApdu::ReturnResult(ReturnResult { invoke_id, result })
}

fn error(invoke_id: InvokeId) -> RoseApdu {
    RoseApdu::ReturnError(ReturnError { invoke_id, error: Code::Local(1), parameter: vec![] })
}

fn reject(invoke_id: InvokeId, choice: u32, code: i64) -> RoseApdu {
    RoseApdu::Reject(Reject { invoke_id, problem: Problem::from_code(choice, code).unwrap() })
}

fn in_case(case: Case) -> Ropm {
    let mut config = RoseConfig { incoming_max: 8, ..RoseConfig::new(Role::Initiator) };
    if case == Case::Full {
        config.incoming_max = 1;
    }
    let mut machine = Ropm::new(config);
    let mut out = Vec::new();
    // An end that may not invoke comes to an invocation by a child of ours.
    let theirs = if case == Case::OneSided {
        config.association_class = AssociationClass::InitiatorInvokes;
        machine = Ropm::new(config);
        invoke(InvokeId::Present(THEIRS), Some(InvokeId::Present(1)), CHILD)
    } else {
        invoke(InvokeId::Present(THEIRS), None, 20)
    };
    for (class, number) in CLASSES.into_iter().zip(1..) {
        let mut invocation = invocation(class, number * 10);
        if number == 1 {
            invocation.children = vec![Code::Local(CHILD)];
        }
        assert_eq!(machine.invoke(at(0), invocation, &mut out), Ok(number as i64));
        if number < 5 {
            machine.handle(at(0), RopmEvent::Transferred, &mut out).unwrap();
        }
    }
    machine.handle(at(0), received(&theirs), &mut out).unwrap();
    match case {
        Case::Open | Case::Full | Case::OneSided => {}
        Case::Releasing => machine.release().unwrap(),
        Case::Ended => machine.handle(at(0), RopmEvent::Ended, &mut out).unwrap(),
    }
    let state = match case {
        Case::Open | Case::Full | Case::OneSided => State::Open,
        Case::Releasing => State::Releasing,
        Case::Ended => State::Ended,
    };
    let outstanding = if case == Case::Ended { (0, 0, 0) } else { (5, 1, 1) };
    assert_eq!((machine.outgoing(), machine.incoming(), machine.waiting()), outstanding);
    assert_eq!(machine.state(), state);
    machine
}

/// In few letters: what goes out and what the user is told.
fn told(out: &[RoAction]) -> String {
    let id = |invoke_id: &InvokeId| match invoke_id {
        InvokeId::Present(id) => id.to_string(),
        InvokeId::Absent => "-".to_owned(),
    };
    let problem = |problem: Problem| format!("{}.{}", problem.code().0, problem.code().1);
    let words = out.iter().map(|action| match action {
        RoAction::Abort => "abort".to_owned(),
        RoAction::Transfer { context, apdu } => {
            assert_eq!(*context, CONTEXT);
            match RoseApdu::decode(apdu).unwrap() {
                RoseApdu::Invoke(apdu) => format!(">invoke {}", id(&apdu.invoke_id)),
                RoseApdu::ReturnResult(apdu) => format!(">result {}", id(&apdu.invoke_id)),
                RoseApdu::ReturnError(apdu) => format!(">error {}", id(&apdu.invoke_id)),
                RoseApdu::Reject(apdu) => {
                    format!(">reject {} {}", id(&apdu.invoke_id), problem(apdu.problem))
                }
            }
        }
        RoAction::Indication(indication) => match indication {
            RoIndication::Invoke { invoke_id, .. } => format!("invoked {}", id(invoke_id)),
            RoIndication::Outcome { invoke_id, outcome } => {
                let outcome = match outcome {
                    Outcome::Result(_) => "result".to_owned(),
                    Outcome::Error { .. } => "error".to_owned(),
                    Outcome::Rejected(why) => format!("rejected {}", problem(*why)),
                    Outcome::BadReply(why) => format!("bad {}", problem(*why)),
                    Outcome::Expired { transferred } => format!("expired {transferred}"),
                    Outcome::NotTransferred => "not transferred".to_owned(),
                    Outcome::Ended { transferred } => format!("ended {transferred}"),
                };
                format!("{invoke_id} {outcome}")
            }
            RoIndication::Rejected(reject) => {
                format!("rejected {} {}", id(&reject.invoke_id), problem(reject.problem))
            }
            RoIndication::ReplyNotTransferred { invoke_id } => format!("reply {invoke_id} not transferred"),
            RoIndication::Abandoned { invoke_id } => format!("abandoned {invoke_id}"),
            RoIndication::Fault(Fault::Malformed(_)) => "malformed".to_owned(),
            RoIndication::Fault(Fault::Rejected(_)) => "fault".to_owned(),
        },
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Events with what they do in the open state.
fn events() -> Vec<(RopmEvent, String)> {
    use InvokeId::{Absent, Present};
    let mut list = Vec::new();
    let mut add = |apdu: RoseApdu, told: &str| list.push((received(&apdu), told.to_owned()));
    add(invoke(Present(8), None, 20), "invoked 8");
    add(invoke(Present(1), None, 20), "invoked 1");
    add(invoke(Present(THEIRS), None, 20), ">reject 7 1.0, fault");
    add(invoke(Absent, None, 20), ">reject - 0.1, fault");
    add(invoke(Present(8), Some(Present(1)), CHILD), "invoked 8");
    add(invoke(Present(8), Some(Present(1)), 20), ">reject 8 1.7, fault");
    add(invoke(Present(8), Some(Present(5)), CHILD), ">reject 8 1.6, fault");
    add(invoke(Present(8), Some(Present(UNKNOWN)), CHILD), ">reject 8 1.5, fault");
    add(invoke(Present(8), Some(Present(THEIRS)), CHILD), ">reject 8 1.5, fault");
    add(invoke(Present(8), Some(Absent), CHILD), ">reject 8 1.5, fault");
    for (class, id) in CLASSES.into_iter().zip(1..) {
        let (success, failure) = match class {
            OperationClass::Synchronous | OperationClass::Asynchronous => (true, true),
            OperationClass::ReportsFailure => (false, true),
            OperationClass::ReportsSuccess => (true, false),
            OperationClass::Unreported => (false, false),
        };
        let or = |allowed, outcome: &str, problem| match allowed {
            true => format!("{id} {outcome}"),
            false => format!(">reject {id} {problem}, fault, {id} bad {problem}"),
        };
        add(result(Present(id), Some(OURS)), &or(success, "result", "2.1"));
        add(result(Present(id), None), &or(success, "result", "2.1"));
        add(result(Present(id), Some(20)), &format!(">reject {id} 2.0, fault"));
        add(error(Present(id)), &or(failure, "error", "3.1"));
        add(reject(Present(id), 1, 1), &format!("{id} rejected 1.1"));
        add(reject(Present(id), 0, 1), &format!("{id} rejected 0.1"));
    }
    for id in [THEIRS, UNKNOWN] {
        add(result(Present(id), None), &format!(">reject {id} 2.0, fault"));
        add(error(Present(id)), &format!(">reject {id} 3.0, fault"));
        for choice in 0..4 {
            add(reject(Present(id), choice, 0), &format!("rejected {id} {choice}.0"));
        }
    }
    add(result(Absent, None), ">reject - 2.0, fault");
    add(error(Absent), ">reject - 3.0, fault");
    for choice in 0..4 {
        add(reject(Absent, choice, 2), &format!("rejected - {choice}.2"));
    }
    // Of an answer that is outstanding still: it cannot have been answered.
    add(reject(Present(1), 2, 0), "rejected 1 2.0");
    add(reject(Present(1), 3, 0), "rejected 1 3.0");
    let octets: [(&[u8], &str); 8] = [
        (&[], ">reject - 0.2, malformed"),
        (&[0x30, 0], ">reject - 0.0, malformed"),
        (&[0xA1, 3, 2, 1, 8], ">reject 8 0.1, malformed"),
        (&[0xA1, 3, 2, 1, 1], ">reject 1 0.1, malformed"),
        (&[0xA2, 5, 2, 1, 1, 5, 0], ">reject 1 0.1, malformed, 1 bad 0.1"),
        (&[0xA3, 3, 2, 1, 2], ">reject 2 0.1, malformed, 2 bad 0.1"),
        (&[0xA3, 3, 2, 1, 99], ">reject 99 0.1, malformed"),
        (&[0xA4, 3, 2, 1, 1], "malformed"),
    ];
    for (octets, told) in octets {
        let event = RopmEvent::Received { context: CONTEXT, octets: octets.to_vec() };
        list.push((event, told.to_owned()));
    }
    list.push((RopmEvent::Transferred, String::new()));
    list.push((RopmEvent::NotTransferred, "5 not transferred".to_owned()));
    list.push((RopmEvent::Deadline, "1 expired true, 2 expired true".to_owned()));
    let ended = "1 ended true, 2 ended true, 3 ended true, 4 ended true, 5 ended false, abandoned 7";
    list.push((RopmEvent::Ended, ended.to_owned()));
    list
}

/// What differs from the open state.
fn expected(case: Case, event: &RopmEvent, open: &str) -> String {
    let RopmEvent::Received { octets, .. } = event else {
        return if case == Case::Ended { String::new() } else { open.to_owned() };
    };
    let (invoke_id, linked) = match RoseApdu::decode(octets) {
        Ok(RoseApdu::Invoke(invoke)) if !open.contains("1.0") && !open.contains("0.1") => {
            (invoke.invoke_id, invoke.linked_id.is_some())
        }
        Ok(_) | Err(_) => return if case == Case::Ended { String::new() } else { open.to_owned() },
    };
    let InvokeId::Present(id) = invoke_id else { panic!("told apart above") };
    match case {
        Case::Full if open.starts_with("invoked") => format!(">reject {id} 1.3, fault"),
        Case::OneSided if !linked => format!(">reject {id} 1.1, fault"),
        Case::Open | Case::Full | Case::OneSided => open.to_owned(),
        Case::Releasing => format!(">reject {id} 1.4, fault"),
        Case::Ended => String::new(),
    }
}

/// The kind of an event, with the kind of APDU. It does not compile when there is one that the tables do not know.
fn kind(event: &RopmEvent) -> usize {
    match event {
        RopmEvent::Received { octets, .. } => match RoseApdu::decode(octets).as_ref().map(RoseApdu::kind) {
            Err(_) => 0,
            Ok(ApduKind::Invoke) => 1,
            Ok(ApduKind::ReturnResult) => 2,
            Ok(ApduKind::ReturnError) => 3,
            Ok(ApduKind::Reject) => 4,
        },
        RopmEvent::Transferred => 5,
        RopmEvent::NotTransferred => 6,
        RopmEvent::Deadline => 7,
        RopmEvent::Ended => 8,
    }
}

/// The state of each case, likewise.
fn cases_in(state: State) -> &'static [Case] {
    match state {
        State::Open => &[Case::Open, Case::Full, Case::OneSided],
        State::Releasing => &[Case::Releasing],
        State::Ended => &[Case::Ended],
    }
}

#[test]
fn the_tables_are_whole() {
    let mut kinds = [0; 9];
    for (event, _) in events() {
        kinds[kind(&event)] += 1;
    }
    assert_eq!(kinds, [8, 10, 18, 8, 24, 1, 1, 1, 1]);
    for case in CASES {
        assert!(cases_in(in_case(case).state()).contains(&case), "{case:?}");
    }
    let cases = [State::Open, State::Releasing, State::Ended].map(|state| cases_in(state).len());
    assert_eq!(cases.iter().sum::<usize>(), CASES.len());
}

#[test]
fn every_state_meets_every_event() {
    let (mut cells, mut rejects, mut ignored) = (0, 0, 0);
    for case in CASES {
        for (event, open) in events() {
            cells += 1;
            let mut machine = in_case(case);
            let (before, mut out) = ((machine.outgoing(), machine.incoming(), machine.state()), Vec::new());
            machine.handle(at(25), event.clone(), &mut out).unwrap();
            let told = told(&out);
            assert_eq!(told, expected(case, &event, &open), "{case:?}: {event:?}");
            let outcomes = out
                .iter()
                .filter(|action| matches!(action, RoAction::Indication(RoIndication::Outcome { .. })));
            assert_eq!(machine.outgoing() + outcomes.count(), before.0);
            let invoked = usize::from(told.starts_with("invoked"));
            let abandoned = usize::from(told.contains("abandoned"));
            assert_eq!(machine.incoming(), before.1 + invoked - abandoned);
            assert_eq!(machine.deadline().is_some(), machine.outgoing() > 0);
            let next = if event == RopmEvent::Ended { State::Ended } else { before.2 };
            assert_eq!(machine.state(), next);
            rejects += usize::from(told.starts_with(">reject"));
            ignored += usize::from(told.is_empty());
        }
    }
    assert_eq!((cells, rejects, ignored), (360, 132, 76));
}

type Request = fn(&mut Ropm, &mut Vec<RoAction>) -> Result<(), RequestError>;

/// Requests with what they do in the open state.
fn requests() -> Vec<(Request, Result<&'static str, RequestError>)> {
    fn child(linked_to: i64) -> Invocation {
        Invocation { linked_to: Some(linked_to), ..invocation(OperationClass::Synchronous, 60) }
    }
    vec![
        (
            |m, out| m.invoke(at(0), invocation(OperationClass::Asynchronous, 60), out).map(drop),
            Err(RequestError::Synchronous { invoke_id: 5 }),
        ),
        (|m, out| m.invoke(at(0), child(THEIRS), out).map(drop), Ok(">invoke 6")),
        (
            |m, out| m.invoke(at(0), child(1), out).map(drop),
            Err(RequestError::UnknownInvocation { invoke_id: 1 }),
        ),
        (|m, out| m.reply(THEIRS, Reply::Result(vec![]), out), Ok(">result 7")),
        (|m, out| m.reply(THEIRS, Reply::Result(vec![5, 0]), out), Ok(">result 7")),
        (
            |m, out| m.reply(THEIRS, Reply::Error { code: Code::Local(1), parameter: vec![] }, out),
            Ok(">error 7"),
        ),
        (|m, out| m.reply(THEIRS, Reply::Reject(InvokeProblem::MISTYPED_ARGUMENT), out), Ok(">reject 7 1.2")),
        (|m, out| m.reply(THEIRS, Reply::Silent, out), Ok("")),
        (
            |m, out| m.reply(UNKNOWN, Reply::Silent, out),
            Err(RequestError::UnknownInvocation { invoke_id: UNKNOWN }),
        ),
        (
            |m, out| {
                let problem = ReplyProblem::Result(ReturnResultProblem::MISTYPED_RESULT);
                m.reject_reply(UNKNOWN, CONTEXT, problem, out)
            },
            Ok(">reject 99 2.2"),
        ),
        (
            |m, out| {
                let problem = ReplyProblem::Error(ReturnErrorProblem::UNEXPECTED_ERROR);
                m.reject_reply(UNKNOWN, CONTEXT, problem, out)
            },
            Ok(">reject 99 3.3"),
        ),
        (|m, _| m.release(), Ok("")),
        (|m, _| m.release_refused(), Ok("")),
    ]
}

#[test]
fn every_state_meets_every_request() {
    let (mut cells, mut allowed) = (0, 0);
    for case in CASES {
        for (index, (request, open)) in requests().into_iter().enumerate() {
            cells += 1;
            let expected = match case {
                Case::Open | Case::Full | Case::OneSided => open,
                Case::Releasing if index < 3 => Err(RequestError::Releasing),
                Case::Releasing => open,
                Case::Ended => Err(RequestError::Ended),
            };
            let mut machine = in_case(case);
            let before = (machine.outgoing(), machine.incoming(), machine.waiting(), machine.state());
            let mut out = Vec::new();
            let done = request(&mut machine, &mut out);
            let after = (machine.outgoing(), machine.incoming(), machine.waiting(), machine.state());
            assert_eq!(
                done.as_ref().map(|()| told(&out)),
                expected.as_ref().map(|told| told.to_string()),
                "{case:?} {index}"
            );
            match done {
                Ok(()) => {
                    allowed += 1;
                    let (invoked, answered) =
                        (usize::from(index == 1), usize::from((3..=7).contains(&index)));
                    let state = [State::Releasing, State::Open];
                    let state = index.checked_sub(11).map_or(before.3, |index| state[index]);
                    let waiting = before.2 + out.len();
                    assert_eq!(after, (before.0 + invoked, before.1 - answered, waiting, state));
                }
                Err(_) => {
                    assert!(out.is_empty());
                    assert_eq!(after, before);
                }
            }
        }
    }
    assert_eq!((cells, allowed), (65, 39));
}
