//! Two access stacks, in either form, with their users, and a line between them that carries what the script says, when
//! it says it, and that may be cut or disturbed.
//!
//! Always: each stack ends, once, and nothing follows the last indication or Close; each invocation has one outcome
//! before the end, and each of the peer's is told once and ends once; the limits hold; refused requests have no effect;
//! few octets go out for many that came. As long as the line changes nothing: what is told is what was invoked, a result is
//! the one that was given, and neither accuses the other. If nobody cuts the line either, cooperating users bring every
//! association to its end in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ber::{Oid, Tag, Writer};
use clock::WallTime;
use osi::access::{
    AccessAction, AccessConfig, AccessContext, AccessError, AccessIndication, AccessRequest, AccessStack,
    Form,
};
use osi::failure::Blame;
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, InvokeId};
use osi::rose::{
    AssociationClass, Invocation, InvokeProblem, OperationClass, Outcome, Reply, ReplyProblem,
    ReturnResultProblem, RoIndication,
};
use osi::rtse::RtseConfig;
use osi::stack::SessionReference;

use crate::Script;
use crate::line::{Conversation, End, Line, User};

/// Most invocations that may be outstanding, of ours and of the peer's.
const OUTGOING_MAX: usize = 5;
const INCOMING_MAX: usize = 4;
/// Octets that an end may send for each one that came or that its user gave it, and what it may send anyway. A value of
/// a few octets that is to be rejected costs an activity with all its acknowledgements.
const SENT_PER_OCTET: usize = 60;
const SENT_ANYWAY: usize = 20_000;

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let (a, b) = (config(script.octet()), config(script.octet()));
    let time = WallTime::from_unix(1_700_000_000);
    let reference = SessionReference { user_reference: "fuzz".to_owned(), time };
    let initiator = AccessStack::initiator(a, vec![0x31, 0x02, 0x05, 0x00], reference);
    let ends = [initiator, AccessStack::responder(b)].map(|stack| (stack, AccessUser::default()));
    let mut pair = Pair::between(ends);
    script.each_operation(|code, script| pair.act(usize::from(code >> 7), code & 0x7F, script));
    pair.finish();
}

fn oid(arcs: &[u32]) -> Oid {
    Oid::from_arcs(arcs).expect("a legal object identifier")
}

/// The abstract syntaxes of operations: message submission and message delivery.
fn syntax(number: u8) -> Oid {
    oid(&[2, 6, 0, 2, 1 + u32::from(number % 2)])
}

/// Settings that a script chooses.
fn config(flags: u8) -> AccessConfig {
    let direct = flags & 1 == 0;
    let context = AccessContext {
        application_context: oid(&[2, 6, 0, 1, if direct { 0 } else { 2 }]),
        bind_syntax: oid(&[2, 6, 0, 2, if direct { 11 } else { 8 }]),
        operation_syntaxes: if flags & 2 == 0 { vec![syntax(0), syntax(1)] } else { vec![syntax(0)] },
    };
    let rtse = RtseConfig {
        checkpoint_size_kb: u32::from(flags >> 2 & 1),
        window_size: u32::from(flags >> 3 & 3),
        ..RtseConfig::default()
    };
    let form = if direct { Form::Direct } else { Form::Reliable(rtse) };
    let mut config = AccessConfig::new(context, form);
    config.outgoing_max = OUTGOING_MAX;
    config.incoming_max = INCOMING_MAX;
    config.apdu_octets_max = if flags & 0x20 == 0 { 20_000 } else { 3_000 };
    config.session.tsdu_max = if flags & 0x40 == 0 { 0 } else { 700 };
    if flags & 0x80 != 0 {
        config.association_class = AssociationClass::InitiatorInvokes;
    }
    config
}

/// What the user at an end knows.
#[derive(Default)]
struct AccessUser {
    /// The user was asked to answer the bind.
    asked: bool,
    /// All that was ever invoked, and what of it has no outcome.
    invoked: BTreeMap<i64, (Code, Vec<u8>)>,
    ours: BTreeSet<i64>,
    /// Invocations of the peer's that have not ended, with their arguments, and all answers that were given.
    theirs: BTreeMap<i64, Vec<u8>>,
    given: BTreeMap<i64, Reply>,
    /// Changes with everything that is told.
    told: usize,
}

type Pair = Line<AccessStack, AccessUser>;

/// A value like hardly another.
fn value(script: &mut Script<'_>) -> Vec<u8> {
    match script.octet() {
        0..=0x3F => Vec::new(),
        0x40..=0xF7 => {
            let length = script.number() % 4_000;
            let contents: Vec<u8> = (0..length).map(|place| (place / 5) as u8 ^ length as u8).collect();
            Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &contents))
        }
        0xF8..=0xFF => script.octets().to_vec(),
    }
}

impl Pair {
    fn act(&mut self, side: usize, code: u8, script: &mut Script<'_>) {
        match code {
            code if self.operation(side, code, script) => {}
            0x18..=0x1F => {
                for _ in 0..10 {
                    self.cooperate(0);
                    self.cooperate(1);
                    self.carry_all();
                }
            }
            0x20..=0x2D => self.cooperate(side),
            0x2E | 0x2F => self.ends[side].stack.wrote(self.now),
            0x3E | 0x3F => {
                if script.one_in(4) {
                    self.disturbed = true;
                    let _ = self.request(side, AccessRequest::Abort);
                }
            }
            0x40..=0x5F => self.invoke(side, code, script),
            0x60..=0x73 => {
                let id = match script.octet() {
                    0xFF => 77,
                    place => {
                        let theirs = &self.ends[side].user.theirs;
                        let at = usize::from(place) % theirs.len().max(1);
                        theirs.keys().nth(at).copied().unwrap_or_default()
                    }
                };
                let reply = match code % 8 {
                    0..=3 => Reply::Result(value(script)),
                    4 | 5 => Reply::Error { code: Code::Local(2), parameter: value(script) },
                    6 => Reply::Reject(InvokeProblem::MISTYPED_ARGUMENT),
                    _ => Reply::Silent,
                };
                let _ = self.reply(side, id, reply);
            }
            0x74..=0x77 => self.reject_reply(side, script),
            0x78 | 0x79 => {
                let _ = self.request(side, AccessRequest::BindAccept { result: value(script) });
            }
            0x7A => {
                let error = value(script);
                let transient = script.one_in(2);
                let _ = self.request(side, AccessRequest::BindReject { error, transient });
            }
            _ => {
                let _ = self.request(side, AccessRequest::Unbind { argument: value(script) });
            }
        }
    }

    fn context(&self, side: usize, script: &mut Script<'_>) -> ContextId {
        let number = script.octet();
        self.ends[side].stack.context(&syntax(number)).unwrap_or(ContextId(i64::from(number)))
    }

    fn invoke(&mut self, side: usize, code: u8, script: &mut Script<'_>) {
        let context = self.context(side, script);
        let invocation = Invocation {
            context,
            operation: Code::Local(i64::from(script.octet() % 8)),
            argument: value(script),
            class: match code % 8 {
                0 => OperationClass::Synchronous,
                1..=4 => OperationClass::Asynchronous,
                5 => OperationClass::ReportsFailure,
                6 => OperationClass::ReportsSuccess,
                _ => OperationClass::Unreported,
            },
            linked_to: script.one_in(4).then(|| i64::from(script.octet() % 8)),
            children: vec![Code::Local(5)],
            timeout: Duration::from_secs(10 + u64::from(code)),
        };
        let kept = (invocation.operation.clone(), invocation.argument.clone());
        let mut out = Vec::new();
        let end = &mut self.ends[side];
        let result = end.stack.invoke(self.now, invocation, u32::from(code % 3), &mut out);
        if let Ok(id) = result {
            end.came += kept.1.len() + 1;
            assert!(end.user.ours.insert(id), "identifier {id} is outstanding twice");
            assert!(end.user.invoked.insert(id, kept).is_none(), "identifier {id} is used again");
        }
        self.checked(side, result.map(|_| ()), out);
    }

    fn reply(&mut self, side: usize, id: i64, reply: Reply) -> bool {
        let kept = reply.clone();
        let mut out = Vec::new();
        let end = &mut self.ends[side];
        let result = end.stack.reply(self.now, id, reply, 1, &mut out);
        if result.is_ok() {
            assert!(end.user.theirs.remove(&id).is_some(), "answered {id}, which nobody has invoked");
            if let Reply::Result(value) | Reply::Error { parameter: value, .. } = &kept {
                end.came += value.len();
            }
            end.came += 1;
            end.user.given.insert(id, kept);
        }
        self.checked(side, result, out)
    }

    fn reject_reply(&mut self, side: usize, script: &mut Script<'_>) {
        let context = self.context(side, script);
        let id = i64::from(script.octet() % 8);
        let problem = ReplyProblem::Result(ReturnResultProblem::MISTYPED_RESULT);
        let mut out = Vec::new();
        let result = self.ends[side].stack.reject_reply(self.now, id, context, problem, &mut out);
        self.ends[side].came += usize::from(result.is_ok());
        self.checked(side, result, out);
    }

    fn request(&mut self, side: usize, request: AccessRequest) -> bool {
        let answers = matches!(&request, AccessRequest::BindAccept { .. } | AccessRequest::BindReject { .. });
        let mut out = Vec::new();
        let end = &mut self.ends[side];
        let result = end.stack.request(self.now, request, &mut out);
        if answers && result.is_ok() {
            assert!(end.user.asked, "a bind is answered that nobody was asked about");
            end.user.asked = false;
        }
        end.came += 5_000 * usize::from(result.is_ok());
        self.checked(side, result, out)
    }

    /// Whether the request was taken.
    fn checked(&mut self, side: usize, result: Result<(), AccessError>, out: Vec<AccessAction>) -> bool {
        if let Err(error) = &result {
            assert!(!error.to_string().is_empty());
            assert!(out.is_empty(), "a refused request has an effect: {error}");
        }
        self.check(side, out);
        result.is_ok()
    }
}

impl User<AccessStack> for AccessUser {
    fn indicated(&mut self, peer: &mut Self, honest: bool, indication: AccessIndication) {
        let end = self;
        end.told += 1;
        if indication.is_last() {
            assert!(end.ours.is_empty(), "ended without an outcome of {:?}", end.ours);
            assert!(end.theirs.is_empty(), "neither answered nor abandoned: {:?}", end.theirs.keys());
        }
        match indication {
            AccessIndication::Bind(_) => end.asked = true,
            AccessIndication::BindConfirm { .. } => {}
            AccessIndication::Remote(RoIndication::Invoke { invoke_id, operation, argument, .. }) => {
                let InvokeId::Present(id) = invoke_id else { panic!("an invocation without identifier") };
                if honest {
                    let invoked = peer.invoked.get(&id);
                    assert_eq!(invoked, Some(&(operation, argument.clone())), "not what was invoked");
                    assert!(!end.given.contains_key(&id), "{id} is told again");
                }
                assert!(end.theirs.insert(id, argument).is_none(), "{id} is told twice");
            }
            AccessIndication::Remote(RoIndication::Outcome { invoke_id, outcome }) => {
                assert!(end.ours.remove(&invoke_id), "a second outcome of {invoke_id}");
                if honest {
                    answered(&outcome, peer.given.get(&invoke_id));
                }
            }
            AccessIndication::Remote(RoIndication::Abandoned { invoke_id }) => {
                assert!(end.theirs.remove(&invoke_id).is_some(), "{invoke_id} ends twice");
            }
            AccessIndication::Remote(
                RoIndication::Rejected(_) | RoIndication::ReplyNotTransferred { .. } | RoIndication::Fault(_),
            ) => {}
            AccessIndication::Aborted(aborted) => {
                let accused = aborted.blame == Blame::PeerMisbehaved;
                assert!(!honest || !accused, "accused an honest peer: {aborted:?}");
                end.asked = false;
            }
            AccessIndication::Closed { .. } | AccessIndication::BindRefused(_) => end.asked = false,
        }
    }

    fn holds(end: &End<AccessStack, Self>) {
        let (user, sent, came) = (&end.user, end.sent, end.came);
        assert!(user.ours.len() <= OUTGOING_MAX && user.theirs.len() <= INCOMING_MAX);
        assert!(sent <= came * SENT_PER_OCTET + SENT_ANYWAY, "{sent} octets were sent for {came}");
    }
}

impl Conversation for Pair {
    type Progress = [(usize, usize, bool, bool); 2];

    fn cooperate(&mut self, side: usize) {
        if self.ends[side].last.is_some() {
            return;
        }
        let end = &self.ends[side].user;
        let taken = if end.asked {
            self.request(side, AccessRequest::BindAccept { result: vec![0x31, 0x00] })
        } else if let Some((&id, argument)) = end.theirs.first_key_value() {
            let fits = argument.len() < 2_000 && ber::Reader::new(argument).any().is_ok();
            let value = if fits { argument.clone() } else { vec![0x05, 0x00] };
            self.reply(side, id, Reply::Result(value))
        } else {
            return;
        };
        assert!(taken || self.ends[side].last.is_some(), "what was asked for is refused");
    }

    fn close(&mut self) -> bool {
        self.request(0, AccessRequest::Unbind { argument: Vec::new() })
    }

    fn abort(&mut self, side: usize) {
        let _ = self.request(side, AccessRequest::Abort);
    }

    fn is_abort(&self, side: usize) -> bool {
        matches!(self.ends[side].last, Some(AccessIndication::Aborted(_)))
    }

    fn excused(&self) -> bool {
        self.ends.iter().any(|end| match &end.last {
            Some(AccessIndication::Aborted(aborted)) => {
                matches!(aborted.blame, Blame::LimitReached | Blame::PeerIncompatible)
            }
            Some(_) | None => false,
        })
    }

    fn progress(&self) -> Self::Progress {
        [&self.ends[0], &self.ends[1]]
            .map(|end| (end.user.told, end.user.theirs.len(), end.user.asked, end.closed))
    }
}

/// Over an honest line an outcome is what the performer gave.
fn answered(outcome: &Outcome, given: Option<&Reply>) {
    match (outcome, given) {
        (Outcome::Result(value), Some(Reply::Result(result))) => assert_eq!(value, result),
        (Outcome::Error { parameter: value, .. }, Some(Reply::Error { parameter, .. })) => {
            assert_eq!(value, parameter);
        }
        (Outcome::Result(_) | Outcome::Error { .. }, given) => panic!("{outcome:?}, but {given:?} was given"),
        (Outcome::Rejected(_), Some(given)) => {
            assert!(matches!(given, Reply::Reject(_)), "rejected, but {given:?} was given");
        }
        (
            Outcome::Rejected(_)
            | Outcome::BadReply(_)
            | Outcome::Expired { .. }
            | Outcome::NotTransferred
            | Outcome::Ended { .. },
            _,
        ) => {}
    }
}
