//! Two access stacks, in either form, with their users, and a line between them that carries what the script says, when
//! it says it, and that may be cut or disturbed.
//!
//! Always: each stack ends, once, and nothing follows the last indication or Close; each invocation has one outcome
//! before the end, and each of the peer's is told once and ends once; the limits hold; refused requests have no effect;
//! few octets go out for many that came. As long as the line changes nothing: what is told is what was invoked, a result is
//! the one that was given, and neither accuses the other. If nobody cuts the line either, cooperating users bring every
//! association to its end in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ber::{Oid, Tag, Writer};
use clock::{MonoTime, WallTime};
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
use crate::stack::is_packet;

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
    let mut pair = Pair {
        now: MonoTime::START,
        ends: [End::new(initiator), End::new(AccessStack::responder(b))],
        honest: true,
        disturbed: false,
    };
    for side in [0, 1] {
        let mut out = Vec::new();
        pair.ends[side].stack.start(pair.now, &mut out);
        pair.check(side, out);
    }
    script.each_operation(|code, script| pair.operation(usize::from(code >> 7), code & 0x7F, script));
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

/// An end and what its user knows.
struct End {
    stack: AccessStack,
    /// Sent and not carried.
    wire: VecDeque<u8>,
    last: Option<AccessIndication>,
    closed: bool,
    /// The transport connection has ended here.
    gone: bool,
    /// The user was asked to answer the bind.
    asked: bool,
    /// All that was ever invoked, and what of it has no outcome.
    invoked: BTreeMap<i64, (Code, Vec<u8>)>,
    ours: BTreeSet<i64>,
    /// Invocations of the peer's that have not ended, with their arguments, and all answers that were given.
    theirs: BTreeMap<i64, Vec<u8>>,
    given: BTreeMap<i64, Reply>,
    /// Octets that came or were asked to be sent, and those that were sent.
    came: usize,
    sent: usize,
    /// Changes with everything that is told.
    told: usize,
}

struct Pair {
    now: MonoTime,
    ends: [End; 2],
    /// The line has changed nothing.
    honest: bool,
    /// Somebody cut the line, aborted or let time run out.
    disturbed: bool,
}

impl End {
    fn new(stack: AccessStack) -> Self {
        End {
            stack,
            wire: VecDeque::new(),
            last: None,
            closed: false,
            gone: false,
            asked: false,
            invoked: BTreeMap::new(),
            ours: BTreeSet::new(),
            theirs: BTreeMap::new(),
            given: BTreeMap::new(),
            came: 0,
            sent: 0,
            told: 0,
        }
    }
}

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
    fn operation(&mut self, side: usize, code: u8, script: &mut Script<'_>) {
        match code {
            0..=0x0F => self.carry(side, usize::from(script.number())),
            0x10..=0x17 => self.carry_all(),
            0x18..=0x1F => {
                for _ in 0..10 {
                    self.cooperate(0);
                    self.cooperate(1);
                    self.carry_all();
                }
            }
            0x20..=0x2D => self.cooperate(side),
            0x2E | 0x2F => self.ends[side].stack.wrote(self.now),
            0x30..=0x33 => {
                self.disturbed = true;
                self.expire();
            }
            0x34..=0x37 => {
                // Less than any timer, but several of them are not.
                self.disturbed = true;
                self.now = self.now + Duration::from_secs(u64::from(script.octet() % 50));
                self.tick();
            }
            0x38 => {
                self.disturbed = true;
                let reset = script.one_in(2);
                self.lost(side, reset);
            }
            0x39 | 0x3A => {
                self.honest = false;
                let octets = script.octets().to_vec();
                self.ends[side].wire.extend(octets);
            }
            0x3B..=0x3D => {
                self.honest = false;
                let (at, to) = (usize::from(script.number()), script.octet());
                let wire = &mut self.ends[side].wire;
                let length = wire.len().max(1);
                if let Some(octet) = wire.get_mut(at % length) {
                    *octet = to;
                }
            }
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
                        let theirs = &self.ends[side].theirs;
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
            assert!(end.ours.insert(id), "identifier {id} is outstanding twice");
            assert!(end.invoked.insert(id, kept).is_none(), "identifier {id} is used again");
        }
        self.checked(side, result.map(|_| ()), out);
    }

    fn reply(&mut self, side: usize, id: i64, reply: Reply) -> bool {
        let kept = reply.clone();
        let mut out = Vec::new();
        let end = &mut self.ends[side];
        let result = end.stack.reply(self.now, id, reply, 1, &mut out);
        if result.is_ok() {
            assert!(end.theirs.remove(&id).is_some(), "answered {id}, which nobody has invoked");
            if let Reply::Result(value) | Reply::Error { parameter: value, .. } = &kept {
                end.came += value.len();
            }
            end.came += 1;
            end.given.insert(id, kept);
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
            assert!(end.asked, "a bind is answered that nobody was asked about");
            end.asked = false;
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

    /// The user does what it was asked for.
    fn cooperate(&mut self, side: usize) {
        let end = &self.ends[side];
        if end.last.is_some() {
            return;
        }
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

    fn carry(&mut self, from: usize, most: usize) {
        let count = self.ends[from].wire.len().min(most);
        let octets: Vec<u8> = self.ends[from].wire.drain(..count).collect();
        let to = 1 - from;
        if !octets.is_empty() && !self.ends[to].gone {
            let mut out = Vec::new();
            self.ends[to].came += octets.len();
            self.ends[to].stack.receive(self.now, &octets, &mut out);
            self.check(to, out);
        }
        if self.ends[from].closed && self.ends[from].wire.is_empty() {
            self.lost(to, false);
        }
    }

    fn carry_all(&mut self) {
        for _ in 0..300 {
            self.carry(0, usize::MAX);
            self.carry(1, usize::MAX);
            if self.ends.iter().all(|end| end.wire.is_empty()) {
                return;
            }
        }
        assert!(!self.honest, "the ends never fall silent");
    }

    /// The transport connection ends for this side.
    fn lost(&mut self, side: usize, reset: bool) {
        if !self.ends[side].gone {
            self.ends[side].gone = true;
            self.ends[1 - side].wire.clear();
            let mut out = Vec::new();
            self.ends[side].stack.transport_closed(self.now, reset, &mut out);
            self.check(side, out);
        }
    }

    /// Time passes up to the next deadline; whether there was one.
    fn expire(&mut self) -> bool {
        let deadline = self.ends.iter().filter_map(|end| end.stack.deadline()).min();
        self.now = deadline.map_or(self.now, |deadline| deadline.max(self.now));
        self.tick();
        deadline.is_some()
    }

    fn tick(&mut self) {
        for side in [0, 1] {
            let mut out = Vec::new();
            self.ends[side].stack.tick(self.now, &mut out);
            self.check(side, out);
            let later = self.ends[side].stack.deadline().is_none_or(|deadline| deadline > self.now);
            assert!(later, "a deadline stays in the past");
        }
    }

    fn check(&mut self, side: usize, out: Vec<AccessAction>) {
        for action in out {
            assert!(!self.ends[side].closed, "{action:?} after Close");
            match action {
                AccessAction::Transmit(packet) => {
                    is_packet(&packet);
                    self.ends[side].sent += packet.len();
                    if !self.ends[1 - side].gone {
                        self.ends[side].wire.extend(packet);
                    }
                }
                AccessAction::Close => {
                    assert!(self.ends[side].last.is_some(), "closed without a word to the user");
                    self.ends[side].closed = true;
                    self.ends[side].gone = true;
                }
                AccessAction::Indication(indication) => {
                    assert!(self.ends[side].last.is_none(), "{indication:?} after the end");
                    self.ends[side].told += 1;
                    self.indicated(side, indication);
                }
            }
        }
        let end = &self.ends[side];
        assert!(end.ours.len() <= OUTGOING_MAX && end.theirs.len() <= INCOMING_MAX);
        assert!(
            end.sent <= end.came * SENT_PER_OCTET + SENT_ANYWAY,
            "{} octets were sent for {}",
            end.sent,
            end.came
        );
    }

    fn indicated(&mut self, side: usize, indication: AccessIndication) {
        let honest = self.honest;
        let (end, peer) = match &mut self.ends {
            [a, b] if side == 0 => (a, b),
            [a, b] => (b, a),
        };
        if indication.is_last() {
            assert!(end.ours.is_empty(), "ended without an outcome of {:?}", end.ours);
            assert!(end.theirs.is_empty(), "neither answered nor abandoned: {:?}", end.theirs.keys());
            end.last = Some(indication.clone());
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

    /// Users that do what they are asked for, and then unbind; time passes where nothing else can happen.
    fn finish(&mut self) {
        let undisturbed = self.honest && !self.disturbed;
        for _ in 0..2_000 {
            self.carry_all();
            if self.ends.iter().all(|end| end.stack.is_finished()) {
                break;
            }
            let before = self.progress();
            self.cooperate(0);
            self.cooperate(1);
            self.carry_all();
            if self.progress() != before {
                continue;
            }
            let unbinding = self.request(0, AccessRequest::Unbind { argument: Vec::new() });
            self.carry_all();
            if unbinding || self.progress() != before || self.expire() {
                continue;
            }
            for side in [0, 1] {
                let _ = self.request(side, AccessRequest::Abort);
            }
        }
        for (side, end) in self.ends.iter().enumerate() {
            assert!(end.stack.is_finished(), "end {side} does not end");
            assert!(end.closed && end.last.is_some());
            assert_eq!(end.stack.deadline(), None);
            let aborted = matches!(end.last, Some(AccessIndication::Aborted(_)));
            let excused = !undisturbed || self.excused();
            assert!(!aborted || excused, "aborted, though nothing went wrong: {:?}", end.last);
        }
    }

    /// What does not fit or does not go together.
    fn excused(&self) -> bool {
        self.ends.iter().any(|end| match &end.last {
            Some(AccessIndication::Aborted(aborted)) => {
                matches!(aborted.blame, Blame::LimitReached | Blame::PeerIncompatible)
            }
            Some(_) | None => false,
        })
    }

    /// Changes with everything that happens at either end.
    fn progress(&self) -> [(usize, usize, bool, bool); 2] {
        [&self.ends[0], &self.ends[1]].map(|end| (end.told, end.theirs.len(), end.asked, end.closed))
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
