//! Two machines back to back, random users on both sides, and a model that knows what each of them has been asked and
//! told: every invocation has one outcome, the right one, and nothing grows beyond its bound.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use core::time::Duration;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ber::{Reader, Tag, Writer};
use clock::MonoTime;
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, InvokeId};
use osi::rose::{
    Fault, Invocation, InvokeProblem, OperationClass, Outcome, Problem, Reply, ReplyProblem,
    ReturnResultProblem, RoAction, RoIndication, Role, Ropm, RopmEvent, RoseConfig, State,
};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

const CONTEXT: ContextId = ContextId(7);
const PARENT: i64 = 1;
const CHILD: i64 = 2;
const OUTSTANDING_MAX: usize = 4;
const WAITING_MAX: usize = 3;
const CLASSES: [OperationClass; 5] = [
    OperationClass::Synchronous,
    OperationClass::Asynchronous,
    OperationClass::ReportsFailure,
    OperationClass::ReportsSuccess,
    OperationClass::Unreported,
];

#[derive(Clone, Debug)]
enum Step {
    Invoke {
        class: usize,
        parent: bool,
        linked: Option<usize>,
        seconds: u64,
    },
    Reply {
        which: usize,
        kind: u8,
    },
    RejectReply(i64),
    /// The oldest APDU reaches the other end; its sender learns of it before or after what comes of it.
    Transfer {
        confirm_first: bool,
    },
    Fail,
    Wait(u64),
    Release,
    ReleaseRefused,
    /// Octets that no machine has sent.
    Garbage(Vec<u8>),
    Lose,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        12 => (any::<usize>(), any::<bool>(), prop::option::of(any::<usize>()), 1u64..30)
            .prop_map(|(class, parent, linked, seconds)| Step::Invoke { class, parent, linked, seconds }),
        10 => (any::<usize>(), 0u8..4).prop_map(|(which, kind)| Step::Reply { which, kind }),
        24 => any::<bool>().prop_map(|confirm_first| Step::Transfer { confirm_first }),
        1 => (1i64..20).prop_map(Step::RejectReply),
        2 => Just(Step::Fail),
        3 => (1u64..10).prop_map(Step::Wait),
        1 => Just(Step::Release),
        2 => Just(Step::ReleaseRefused),
        4 => garbage().prop_map(Step::Garbage),
        1 => Just(Step::Lose),
    ];
    prop::collection::vec((0usize..2, step), 0..120)
}

/// APDUs of every kind about invocations that there may be, and some that are none.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (1u8..6, 1u8..20, 0u8..9).prop_map(|(tag, id, last)| vec![0xA0 | tag, 6, 2, 1, id, 2, 1, last]),
        (1u8..20, 0u8..5, 0u8..9).prop_map(|(id, choice, code)| vec![
            0xA4,
            6,
            2,
            1,
            id,
            0x80 | choice,
            1,
            code
        ]),
        prop::collection::vec(any::<u8>(), 0..12),
    ]
}

/// What the model knows of an invocation. Its token is its argument, and the value of its result.
struct Known {
    end: usize,
    class: OperationClass,
    delivered: bool,
    reply: Option<Reply>,
    outcome: Option<Outcome>,
}

struct End {
    machine: Ropm,
    /// With the token of the Invoke in it, if it is one.
    queue: VecDeque<(Vec<u8>, Option<i64>)>,
    /// Tokens of our invocations by identifier.
    ours: BTreeMap<i64, i64>,
    /// Tokens of the peer's that are not answered, by identifier.
    theirs: BTreeMap<i64, i64>,
}

struct Model {
    ends: [End; 2],
    known: BTreeMap<i64, Known>,
    now: MonoTime,
    /// Nothing but the two machines has spoken, and nothing was lost.
    honest: bool,
    seen: BTreeSet<&'static str>,
}

fn value(token: i64) -> Vec<u8> {
    Writer::encode(|w| w.integer(Tag::INTEGER, token))
}

fn token(value: &[u8]) -> Option<i64> {
    Reader::new(value).any().ok()?.integer().ok()
}

impl Model {
    fn new() -> Self {
        let end = |role| {
            let config = RoseConfig {
                outgoing_max: OUTSTANDING_MAX,
                // One less than the peer may have, so that some are rejected.
                incoming_max: OUTSTANDING_MAX - 1,
                waiting_max: WAITING_MAX,
                ..RoseConfig::new(role)
            };
            let machine = Ropm::new(config);
            End { machine, queue: VecDeque::new(), ours: BTreeMap::new(), theirs: BTreeMap::new() }
        };
        Model {
            ends: [end(Role::Initiator), end(Role::Responder)],
            known: BTreeMap::new(),
            now: MonoTime::START,
            honest: true,
            seen: BTreeSet::new(),
        }
    }

    fn step(&mut self, at: usize, step: &Step) {
        match step {
            Step::Invoke { class, parent, linked, seconds } => {
                let class = CLASSES[class % CLASSES.len()];
                self.invoke(at, class, *parent, *linked, *seconds);
            }
            Step::Reply { which, kind } => self.reply(at, *which, *kind),
            Step::RejectReply(invoke_id) => {
                let problem = ReplyProblem::Result(ReturnResultProblem::MISTYPED_RESULT);
                let mut out = Vec::new();
                let done = self.ends[at].machine.reject_reply(*invoke_id, CONTEXT, problem, &mut out);
                assert_eq!(done.is_ok(), !out.is_empty());
                self.act(at, out, None);
            }
            Step::Transfer { confirm_first } => self.transfer(at, *confirm_first),
            Step::Fail => {
                if self.ends[at].queue.pop_front().is_some() {
                    self.honest = false;
                    self.handle(at, RopmEvent::NotTransferred);
                }
            }
            Step::Wait(seconds) => {
                self.now = self.now + Duration::from_secs(*seconds);
                for end in 0..2 {
                    self.handle(end, RopmEvent::Deadline);
                    assert!(self.ends[end].machine.deadline().is_none_or(|deadline| deadline > self.now));
                }
            }
            Step::Release => drop(self.ends[at].machine.release()),
            Step::ReleaseRefused => drop(self.ends[at].machine.release_refused()),
            Step::Garbage(octets) => {
                self.honest = false;
                self.handle(at, RopmEvent::Received { context: CONTEXT, octets: octets.clone() });
            }
            Step::Lose => self.lose(),
        }
        for end in &self.ends {
            assert!(end.machine.outgoing() <= OUTSTANDING_MAX);
            assert!(end.machine.incoming() < OUTSTANDING_MAX);
            assert!(end.machine.waiting() <= 2 * WAITING_MAX);
            assert_eq!(end.machine.waiting(), end.queue.len());
            assert_eq!(end.machine.incoming(), end.theirs.len());
            assert_eq!(end.machine.outgoing(), end.ours.len());
        }
    }

    fn invoke(
        &mut self,
        at: usize,
        class: OperationClass,
        parent: bool,
        linked: Option<usize>,
        seconds: u64,
    ) {
        let token = self.known.len() as i64;
        let end = &mut self.ends[at];
        let linked_to = linked
            .filter(|_| !end.theirs.is_empty())
            .map(|linked| *end.theirs.keys().nth(linked % end.theirs.len()).unwrap());
        let invocation = Invocation {
            context: CONTEXT,
            operation: Code::Local(if linked_to.is_some() && !parent { CHILD } else { PARENT }),
            argument: value(token),
            class,
            linked_to,
            children: if parent { vec![Code::Local(CHILD)] } else { Vec::new() },
            timeout: Duration::from_secs(seconds),
        };
        let mut out = Vec::new();
        match end.machine.invoke(self.now, invocation, &mut out) {
            Ok(invoke_id) => {
                assert_eq!(end.ours.insert(invoke_id, token), None);
                let known = Known { end: at, class, delivered: false, reply: None, outcome: None };
                self.known.insert(token, known);
            }
            Err(_) => assert_eq!(out, []),
        }
        self.act(at, out, Some(token));
    }

    fn reply(&mut self, at: usize, which: usize, kind: u8) {
        let end = &mut self.ends[at];
        if end.theirs.is_empty() {
            return;
        }
        let (&invoke_id, &token) = end.theirs.iter().nth(which % end.theirs.len()).unwrap();
        let reply = match kind {
            0 => Reply::Result(value(token)),
            1 => Reply::Error { code: Code::Local(token), parameter: value(token) },
            2 => Reply::Reject(InvokeProblem::MISTYPED_ARGUMENT),
            _ => Reply::Silent,
        };
        let mut out = Vec::new();
        if end.machine.reply(invoke_id, reply.clone(), &mut out).is_ok() {
            end.theirs.remove(&invoke_id);
            if let Some(known) = self.known.get_mut(&token) {
                known.reply = Some(reply);
            }
        }
        self.act(at, out, None);
    }

    fn transfer(&mut self, at: usize, confirm_first: bool) {
        let Some((octets, token)) = self.ends[at].queue.pop_front() else { return };
        if let Some(known) = token.and_then(|token| self.known.get_mut(&token)) {
            known.delivered = true;
        }
        if confirm_first {
            self.handle(at, RopmEvent::Transferred);
        }
        self.handle(1 - at, RopmEvent::Received { context: CONTEXT, octets });
        if !confirm_first {
            self.handle(at, RopmEvent::Transferred);
        }
    }

    fn lose(&mut self) {
        for end in 0..2 {
            self.ends[end].queue.clear();
            self.handle(end, RopmEvent::Ended);
            assert_eq!(self.ends[end].machine.state(), State::Ended);
            assert_eq!(self.ends[end].machine.deadline(), None);
        }
    }

    fn handle(&mut self, at: usize, event: RopmEvent) {
        let mut out = Vec::new();
        let result = self.ends[at].machine.handle(self.now, event, &mut out);
        assert_eq!(result.is_err(), out.contains(&RoAction::Abort));
        self.act(at, out, None);
        if result.is_err() {
            self.seen.insert("flooded");
            self.lose();
        }
    }

    fn act(&mut self, at: usize, out: Vec<RoAction>, invoked: Option<i64>) {
        for action in out {
            match action {
                RoAction::Transfer { context, apdu } => {
                    assert_eq!(context, CONTEXT);
                    self.ends[at].queue.push_back((apdu, invoked));
                }
                RoAction::Indication(indication) => self.indicated(at, indication),
                RoAction::Abort => self.ends[at].queue.clear(),
            }
        }
    }

    fn indicated(&mut self, at: usize, indication: RoIndication) {
        match indication {
            RoIndication::Invoke { invoke_id, argument, linked_to, .. } => {
                let InvokeId::Present(invoke_id) = invoke_id else { panic!("not allowed here") };
                // What was not sent by the other machine has no token, or a wrong one.
                let token = token(&argument).unwrap_or(-1);
                if linked_to.is_some() {
                    self.seen.insert("linked");
                }
                if self.honest {
                    let known = &self.known[&token];
                    assert!(known.end != at && known.reply.is_none());
                    assert!(!self.ends[at].theirs.values().any(|other| *other == token));
                }
                assert_eq!(self.ends[at].theirs.insert(invoke_id, token), None);
            }
            RoIndication::Outcome { invoke_id, outcome } => {
                let token = self.ends[at].ours.remove(&invoke_id).unwrap();
                self.judge(token, &outcome);
                let known = self.known.get_mut(&token).unwrap();
                assert_eq!(known.end, at);
                assert_eq!(known.outcome.replace(outcome), None);
            }
            RoIndication::Abandoned { invoke_id } => {
                assert!(self.ends[at].theirs.remove(&invoke_id).is_some());
            }
            RoIndication::Fault(Fault::Malformed(error)) => assert!(!self.honest, "{error}"),
            RoIndication::Fault(Fault::Rejected(_))
            | RoIndication::Rejected(_)
            | RoIndication::ReplyNotTransferred { .. } => {}
        }
    }

    /// An outcome must agree with what the other side did.
    fn judge(&mut self, token: i64, outcome: &Outcome) {
        let (known, honest) = (&self.known[&token], self.honest);
        let name = match outcome {
            Outcome::Result(result) => {
                assert!(known.class.reports_success());
                assert!(!honest || known.reply == Some(Reply::Result(result.clone())));
                "result"
            }
            Outcome::Error { code, parameter } => {
                assert!(known.class.reports_failure());
                let reply = Reply::Error { code: code.clone(), parameter: parameter.clone() };
                assert!(!honest || known.reply == Some(reply));
                "error"
            }
            Outcome::Rejected(problem) => {
                let by_user = matches!(known.reply, Some(Reply::Reject(_)));
                let by_machine = [
                    InvokeProblem::RESOURCE_LIMITATION,
                    InvokeProblem::RELEASE_IN_PROGRESS,
                    InvokeProblem::UNRECOGNIZED_LINKED_ID,
                    InvokeProblem::LINKED_RESPONSE_UNEXPECTED,
                    InvokeProblem::UNEXPECTED_LINKED_OPERATION,
                ]
                .map(Problem::Invoke);
                let allowed = match by_user {
                    true => *problem == Problem::Invoke(InvokeProblem::MISTYPED_ARGUMENT),
                    false => known.reply.is_none() && by_machine.contains(problem),
                };
                assert!(!honest || allowed, "{problem}");
                "rejected"
            }
            Outcome::BadReply(_) => {
                let misplaced = match &known.reply {
                    Some(Reply::Result(_)) => !known.class.reports_success(),
                    Some(Reply::Error { .. }) => !known.class.reports_failure(),
                    Some(Reply::Reject(_) | Reply::Silent) | None => false,
                };
                assert!(!honest || misplaced);
                "bad reply"
            }
            Outcome::Expired { transferred } => {
                assert!(!transferred || known.delivered);
                "expired"
            }
            Outcome::NotTransferred => {
                assert!(!known.delivered);
                "not transferred"
            }
            Outcome::Ended { transferred } => {
                assert!(!transferred || known.delivered);
                "ended"
            }
        };
        self.seen.insert(name);
    }

    /// Lets everything through and answers everything, as long as there is something.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            if self.ends.iter().all(|end| end.queue.is_empty() && end.theirs.is_empty()) {
                return;
            }
            for at in 0..2 {
                self.transfer(at, true);
                let oldest = self.ends[at].theirs.values().next().copied();
                let failure = oldest
                    .and_then(|token| self.known.get(&token))
                    .is_some_and(|known| !known.class.reports_success());
                self.reply(at, 0, u8::from(failure));
            }
        }
        panic!("does not come to rest");
    }
}

/// The same cases each time, since what they reach is asserted.
fn runner() -> TestRunner {
    let config = ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn every_invocation_has_exactly_one_outcome() {
    let seen = RefCell::new(BTreeSet::new());
    let mut runner = runner();
    let ran = runner.run(&steps(), |steps| {
        let mut model = Model::new();
        for (at, step) in &steps {
            model.step(*at, step);
        }
        model.lose();
        for known in model.known.values() {
            assert!(known.outcome.is_some());
        }
        seen.borrow_mut().extend(model.seen);
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    // Chance must have been everywhere, or the test has shown less than it claims.
    let everywhere = [
        "bad reply",
        "ended",
        "error",
        "expired",
        "flooded",
        "linked",
        "not transferred",
        "rejected",
        "result",
    ];
    assert_eq!(seen.into_inner().into_iter().collect::<Vec<_>>(), everywhere);
}

/// With two ends that keep to the rules and an association that holds, whatever must be answered is, before its time
/// is over.
#[test]
fn what_must_be_answered_is() {
    let answered = RefCell::new(0);
    let mut runner = runner();
    let ran = runner.run(&steps(), |steps| {
        let mut model = Model::new();
        for (at, step) in &steps {
            match step {
                Step::Invoke { .. } | Step::Transfer { .. } | Step::Release | Step::ReleaseRefused => {
                    model.step(*at, step);
                }
                Step::Reply { kind: 0..=2, .. } => model.step(*at, step),
                Step::Reply { .. }
                | Step::RejectReply(_)
                | Step::Fail
                | Step::Wait(_)
                | Step::Garbage(_)
                | Step::Lose => {}
            }
        }
        model.settle();
        for known in model.known.values() {
            let always = known.class.reports_success() && known.class.reports_failure();
            if always {
                let outcome = known.outcome.as_ref();
                assert!(
                    matches!(
                        outcome,
                        Some(Outcome::Result(_) | Outcome::Error { .. } | Outcome::Rejected(_))
                    ),
                    "{outcome:?}"
                );
                *answered.borrow_mut() += 1;
            }
        }
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let answered = answered.into_inner();
    assert!(answered > 1_000, "only {answered}");
}
