//! Two access stacks joined in memory, with virtual time, any chunking, and a line that can be cut.
#![allow(dead_code, reason = "each test uses another part of it")]

use core::time::Duration;
use std::collections::VecDeque;

use ber::{Oid, Tag, Writer};
use clock::{MonoTime, WallTime};
use osi::access::{
    AccessAction, AccessConfig, AccessContext, AccessError, AccessIndication, AccessRequest, AccessStack,
    Form,
};
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, InvokeId};
use osi::rose::{Invocation, InvokeProblem, OperationClass, Outcome, Reply, RoIndication};
use osi::rtse::RtseConfig;
use osi::stack::SessionReference;

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;

/// What the peer does with an operation.
pub(crate) const ECHO: i64 = 31;
pub(crate) const FAIL: i64 = 32;
pub(crate) const REJECT: i64 = 33;
pub(crate) const SILENT: i64 = 34;
/// Invokes `ECHO` as a child, and answers when that is answered.
pub(crate) const PARENT: i64 = 35;
/// Is left to the test.
pub(crate) const HOLD: i64 = 36;

/// The context of message submission, as both forms propose it.
pub(crate) const SUBMISSION: ContextId = ContextId(5);

fn oid(arcs: &[u32]) -> Oid {
    Oid::from_arcs(arcs).unwrap()
}

/// Message submission, 2.6.0.2.1.
pub(crate) fn submission() -> Oid {
    oid(&[2, 6, 0, 2, 1])
}

/// Message delivery of 1988, 2.6.0.2.2.
pub(crate) fn delivery() -> Oid {
    oid(&[2, 6, 0, 2, 2])
}

pub(crate) fn direct() -> AccessConfig {
    let context = AccessContext {
        application_context: oid(&[2, 6, 0, 1, 0]),
        bind_syntax: oid(&[2, 6, 0, 2, 11]),
        operation_syntaxes: vec![submission(), delivery()],
    };
    AccessConfig::new(context, Form::Direct)
}

pub(crate) fn reliable() -> AccessConfig {
    let context = AccessContext {
        application_context: oid(&[2, 6, 0, 1, 2]),
        bind_syntax: oid(&[2, 6, 0, 2, 8]),
        operation_syntaxes: vec![submission(), delivery()],
    };
    AccessConfig::new(context, Form::Reliable(RtseConfig::default()))
}

pub(crate) fn forms() -> [AccessConfig; 2] {
    [direct(), reliable()]
}

pub(crate) fn octets(count: usize) -> Vec<u8> {
    let contents: Vec<u8> = (0..count).map(|index| (index * 7 + index / 256) as u8).collect();
    Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &contents))
}

pub(crate) const ARGUMENT: &[u8] = &[0x31, 0x02, 0x05, 0x00];
pub(crate) const RESULT: &[u8] = &[0x31, 0x00];
pub(crate) const ERROR: &[u8] = &[0x02, 0x01, 0x02];

pub(crate) struct End {
    pub(crate) stack: AccessStack,
    pub(crate) told: Vec<AccessIndication>,
    pub(crate) reject_bind: Option<bool>,
    /// Leaves the bind to the test.
    pub(crate) undecided: bool,
    /// Answers with this instead of what it was asked.
    pub(crate) reply_with: Option<Reply>,
    /// What an accepted bind is answered with.
    pub(crate) bind_result: Vec<u8>,
    pub(crate) wire: VecDeque<u8>,
    pub(crate) close_seen: bool,
    /// Our children of the peer's invocations.
    children: Vec<(i64, i64)>,
}

pub(crate) struct Pair {
    pub(crate) now: MonoTime,
    pub(crate) ends: [End; 2],
    pub(crate) chunk: usize,
    /// Packets as they were sent, for a capture.
    pub(crate) turns: Vec<(testkit::Side, Vec<u8>)>,
    /// After so many octets in all nothing more arrives, and the line is reset or falls silent.
    pub(crate) cut: Option<(usize, bool)>,
    carried: usize,
}

pub(crate) fn reference() -> SessionReference {
    SessionReference { user_reference: "ua".to_owned(), time: WallTime::from_unix(1_795_321_800) }
}

impl End {
    fn new(stack: AccessStack) -> Self {
        End {
            stack,
            told: Vec::new(),
            reject_bind: None,
            undecided: false,
            reply_with: None,
            bind_result: RESULT.to_vec(),
            wire: VecDeque::new(),
            close_seen: false,
            children: Vec::new(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.told.last().is_some_and(AccessIndication::is_last)
    }

    pub(crate) fn outcomes(&self) -> Vec<(i64, Outcome)> {
        let outcomes = self.told.iter().filter_map(|told| match told {
            AccessIndication::Remote(RoIndication::Outcome { invoke_id, outcome }) => {
                Some((*invoke_id, outcome.clone()))
            }
            _ => None,
        });
        outcomes.collect()
    }

    pub(crate) fn perform(&mut self, now: MonoTime, actions: Vec<AccessAction>) {
        for action in actions {
            match action {
                AccessAction::Transmit(octets) => {
                    assert!(!self.close_seen, "nothing is sent after Close");
                    self.wire.extend(octets);
                    self.stack.wrote(now);
                }
                AccessAction::Close => {
                    assert!(!self.close_seen, "Close comes once");
                    self.close_seen = true;
                }
                AccessAction::Indication(indication) => {
                    assert!(!self.is_over(), "{indication:?} after the end");
                    self.told.push(indication.clone());
                    self.user(now, indication);
                }
            }
        }
    }

    fn user(&mut self, now: MonoTime, indication: AccessIndication) {
        match indication {
            AccessIndication::Bind(_) if self.undecided => {}
            AccessIndication::Bind(_) => {
                let request = match self.reject_bind {
                    Some(transient) => AccessRequest::BindReject { error: ERROR.to_vec(), transient },
                    None => AccessRequest::BindAccept { result: self.bind_result.clone() },
                };
                match self.request(now, request) {
                    Ok(()) | Err(AccessError::Ended { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            AccessIndication::Remote(RoIndication::Invoke {
                invoke_id: InvokeId::Present(id),
                operation: Code::Local(operation),
                argument,
                context,
                ..
            }) => {
                let code = Code::Local(9);
                let reply = match operation {
                    FAIL => Reply::Error { code, parameter: argument },
                    REJECT => Reply::Reject(InvokeProblem::MISTYPED_ARGUMENT),
                    SILENT => Reply::Silent,
                    HOLD => return,
                    PARENT => {
                        let mut out = Vec::new();
                        let invocation = Invocation {
                            context,
                            linked_to: Some(id),
                            ..invocation(context, ECHO, argument)
                        };
                        match self.stack.invoke(now, invocation, 1, &mut out) {
                            Ok(child) => self.children.push((child, id)),
                            // The end may come in the same batch as what the user asks for here, and so may a damaged
                            // conversation ask for a child while it is being released.
                            Err(AccessError::Ended { .. } | AccessError::Rose(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                        return self.perform(now, out);
                    }
                    _ => self.reply_with.clone().unwrap_or(Reply::Result(argument)),
                };
                self.reply(now, id, reply);
            }
            AccessIndication::Remote(RoIndication::Outcome {
                invoke_id,
                outcome: Outcome::Result(value),
            }) => {
                if let Some(at) = self.children.iter().position(|(child, _)| *child == invoke_id) {
                    let (_, parent) = self.children.swap_remove(at);
                    self.reply(now, parent, Reply::Result(value));
                }
            }
            AccessIndication::Remote(_)
            | AccessIndication::BindConfirm { .. }
            | AccessIndication::BindRefused(_)
            | AccessIndication::Closed { .. }
            | AccessIndication::Aborted(_) => {}
        }
    }

    pub(crate) fn reply(&mut self, now: MonoTime, id: i64, reply: Reply) {
        let mut out = Vec::new();
        match self.stack.reply(now, id, reply, 1, &mut out) {
            // The end may come in the same batch as what the user answers here.
            Ok(()) | Err(AccessError::Ended { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        self.perform(now, out);
    }

    pub(crate) fn request(&mut self, now: MonoTime, request: AccessRequest) -> Result<(), AccessError> {
        let mut out = Vec::new();
        let result = self.stack.request(now, request, &mut out);
        self.perform(now, out);
        result
    }
}

pub(crate) fn invocation(context: ContextId, operation: i64, argument: Vec<u8>) -> Invocation {
    Invocation {
        context,
        operation: Code::Local(operation),
        argument,
        class: OperationClass::Asynchronous,
        linked_to: None,
        children: vec![Code::Local(ECHO)],
        timeout: Duration::from_secs(600),
    }
}

impl Pair {
    pub(crate) fn new(a: AccessConfig, b: AccessConfig) -> Self {
        Pair::of(AccessStack::initiator(a, ARGUMENT.to_vec(), reference()), AccessStack::responder(b))
    }

    pub(crate) fn of(a: AccessStack, b: AccessStack) -> Self {
        Pair {
            now: MonoTime::START,
            ends: [End::new(a), End::new(b)],
            chunk: usize::MAX,
            turns: Vec::new(),
            cut: None,
            carried: 0,
        }
    }

    pub(crate) fn start(&mut self) {
        for end in &mut self.ends {
            let mut out = Vec::new();
            end.stack.start(self.now, &mut out);
            end.perform(self.now, out);
        }
        self.pump();
    }

    /// Bound, and what was told up to then is taken.
    pub(crate) fn bound(config: &AccessConfig) -> Self {
        let mut pair = Pair::new(config.clone(), config.clone());
        pair.start();
        assert_eq!(pair.ends[A].told, [AccessIndication::BindConfirm { result: RESULT.to_vec() }]);
        assert!(matches!(pair.ends[B].told[..], [AccessIndication::Bind(_)]));
        for end in &mut pair.ends {
            end.told.clear();
        }
        pair
    }

    pub(crate) fn invoke(&mut self, side: usize, operation: i64, argument: Vec<u8>) -> i64 {
        let invocation = invocation(SUBMISSION, operation, argument);
        self.invoke_as(side, invocation, 1).unwrap()
    }

    pub(crate) fn invoke_as(
        &mut self,
        side: usize,
        invocation: Invocation,
        priority: u32,
    ) -> Result<i64, AccessError> {
        let mut out = Vec::new();
        let result = self.ends[side].stack.invoke(self.now, invocation, priority, &mut out);
        self.ends[side].perform(self.now, out);
        result
    }

    pub(crate) fn request(&mut self, side: usize, request: AccessRequest) {
        self.ends[side].request(self.now, request).unwrap();
    }

    /// Carries octets both ways until there are none.
    pub(crate) fn pump(&mut self) {
        for _ in 0..10_000_000 {
            if !(self.carry(A) | self.carry(B)) {
                return;
            }
        }
        panic!("the ends never fall silent");
    }

    fn is_cut(&self) -> bool {
        self.cut.is_some_and(|(at, _)| self.carried >= at)
    }

    fn carry(&mut self, from: usize) -> bool {
        let to = 1 - from;
        let mut count = self.ends[from].wire.len().min(self.chunk);
        if let Some((at, reset)) = self.cut {
            count = count.min(at.saturating_sub(self.carried));
            if self.is_cut() {
                for end in &mut self.ends {
                    end.wire.clear();
                    if reset && !end.close_seen {
                        let mut out = Vec::new();
                        end.stack.transport_closed(self.now, true, &mut out);
                        end.perform(self.now, out);
                    }
                }
                return false;
            }
        }
        let octets: Vec<u8> = self.ends[from].wire.drain(..count).collect();
        self.carried += count;
        if !octets.is_empty() {
            let side = if from == A { testkit::Side::Initiator } else { testkit::Side::Responder };
            self.turns.push((side, octets.clone()));
            let mut out = Vec::new();
            self.ends[to].stack.receive(self.now, &octets, &mut out);
            self.ends[to].perform(self.now, out);
        }
        if self.ends[from].close_seen && self.ends[from].wire.is_empty() && !self.ends[to].close_seen {
            let mut out = Vec::new();
            self.ends[to].stack.transport_closed(self.now, false, &mut out);
            self.ends[to].perform(self.now, out);
            return true;
        }
        count > 0
    }

    /// Lets time pass up to the next deadline; whether there was one.
    pub(crate) fn pass(&mut self) -> bool {
        let deadlines = self.ends.iter().filter_map(|end| end.stack.deadline());
        let Some(deadline) = deadlines.min() else { return false };
        assert!(deadline >= self.now, "a deadline in the past was not met");
        self.now = deadline;
        for end in &mut self.ends {
            let mut out = Vec::new();
            end.stack.tick(self.now, &mut out);
            end.perform(self.now, out);
            assert!(
                end.stack.deadline().is_none_or(|after| after > self.now),
                "a deadline stays in the past"
            );
        }
        self.pump();
        true
    }

    /// Lets time pass until both ends are finished; an end that would wait for ever is aborted by its user. Gives how
    /// long it took.
    pub(crate) fn run_to_end(&mut self) -> Duration {
        let start = self.now;
        for _ in 0..1000 {
            self.pump();
            if self.ends.iter().all(|end| end.stack.is_finished()) {
                return self.now.saturating_since(start);
            }
            if !self.pass() {
                for end in &mut self.ends {
                    if !end.is_over() {
                        end.request(self.now, AccessRequest::Abort).unwrap();
                    }
                }
            }
        }
        panic!("the ends do not come to an end: {:?} / {:?}", self.ends[A].told, self.ends[B].told);
    }
}
