//! Remote operations composed with all layers under them: what the access protocols P3 and P7 sit on.
//!
//! [`AccessStack`] is to them what [`Stack`](crate::stack::Stack) is to P1, with the same driver: octets and time go in,
//! octets and indications come out. There are two forms (X.882), which the application context names:
//!
//! * [`Form::Direct`]: bind and unbind are user information of ACSE, APDUs are P-DATA over the duplex functional unit of
//!   the session layer. Both ends send when they like.
//! * [`Form::Reliable`]: bind rides in RT-OPEN, each APDU is one RT-TRANSFER in an EXTERNAL that names its context, the
//!   end is RT-CLOSE. Both ends take turns: an end with something to say asks for the turn with the priority of what is
//!   most urgent, and an end that is asked gives it unless what it has to say is more urgent.
//!
//! Bind argument, result and error go without their wrappers through this interface ([`bind`](crate::rose::bind) has
//! them). Which operations there are is the user's knowledge, as in [`rose`](mod@crate::rose).
//!
//! # APDUs are whole
//!
//! An operation's argument or result is one piece of memory here, at most [`AccessConfig::apdu_octets_max`], times the
//! number of outstanding invocations in the worst case. In P3 and P7 it may hold a message. To stream one, the carrier
//! would have to give an APDU out as it comes: over RTSE the octets come in segments already (`TransferData`), in the
//! direct form the session layer would have to hand on the segments of an SSDU; ROSE then reads the header of an APDU
//! (kind, identifiers, operation) as soon as it is there and passes the rest on, as P1's reader does with its envelope.
//! Until somebody needs that, the limit is what there is.

mod config;
mod direct;
mod reliable;
mod run;
mod service;
mod step;

use alloc::boxed::Box;
use alloc::vec::Vec;

use ber::{Oid, Reader};
use clock::MonoTime;

pub use config::{AccessConfig, AccessContext, Form};
pub use service::{AccessError, AccessIndication, AccessRequest, BindIndication};

use direct::Direct;
use reliable::Reliable;
use run::from_ropm;
use step::{Command, Own, Step};

use crate::lower::Lower;
use crate::presentation::{ContextId, Contexts, PConnect, PresentationMode};
use crate::rose::bind::{BindApdu, BindKind};
use crate::rose::{self, Invocation, Reply, ReplyProblem, Role, Ropm, RopmEvent};
use crate::rtse::{AbortReason, InitialTurn, Mode, OpenData, Rtpm};
use crate::stack::SessionReference;

/// What the driver of an [`AccessStack`] is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessAction {
    /// Send these octets.
    Transmit(Vec<u8>),
    /// Close the TCP connection, after what was sent. The last action of every stack.
    Close,
    /// Tell the user.
    Indication(AccessIndication),
}

/// One access association, from TPKT up to remote operations.
///
/// Driven like [`Stack`](crate::stack::Stack). Exactly one of BindRefused, Closed and Aborted is indicated, after the
/// outcome of every invocation that had none; nothing is after it. [`AccessAction::Close`] comes exactly once, in
/// bounded time after that.
#[derive(Clone, Debug)]
pub struct AccessStack {
    config: AccessConfig,
    role: Role,
    lower: Lower,
    carrier: Carrier,
    stage: Stage,
}

/// What is between remote operations and the layers below.
#[derive(Clone, Debug)]
enum Carrier {
    Direct(Box<Direct>),
    Reliable(Box<Reliable>),
}

/// How far the association is.
#[derive(Clone, Debug)]
enum Stage {
    /// Nothing has come of it yet.
    Opening,
    /// Responder: the user has to answer the bind.
    Deciding,
    /// Operations may be invoked, unless it is being released.
    Bound(Ropm),
    /// The last indication was given.
    Ended,
}

/// Steps that one event may cause, besides sending. A P-DATA with the most values that the presentation layer takes, each
/// of them to be rejected, causes some seven thousand.
const STEPS_MAX: usize = 20_000;
/// Octets that an APDU has beside the value in it, at most: identifiers, an operation code, headers.
const AROUND_VALUE: usize = 256;
/// Urgency of what the machine rejects by itself: whoever sent it had better know.
const REJECT_PRIORITY: u32 = 0;

impl AccessStack {
    /// A connection that we make. `argument` is that of the bind, one encoding; `identifier` names the session
    /// connection.
    pub fn initiator(config: AccessConfig, argument: Vec<u8>, identifier: SessionReference) -> Self {
        let selector = |selector: &[u8]| (!selector.is_empty()).then(|| selector.to_vec());
        let connect = PConnect {
            mode: PresentationMode::Normal,
            calling_selector: selector(&config.local.presentation),
            called_selector: selector(&config.remote.presentation),
            calling_session_selector: selector(&config.local.session),
            called_session_selector: selector(&config.remote.session),
            identifier: identifier.identifier(Mode::Normal1988),
            initial_turn: InitialTurn::Initiator,
            contexts: Contexts::propose(&config.syntaxes()),
            user_data: Vec::new(),
        };
        let bind = BindApdu { kind: BindKind::BindInvoke, value: argument }.encode();
        let syntax = config.context.bind_syntax.clone();
        let carrier = match &config.form {
            Form::Direct => Carrier::Direct(Box::new(Direct::initiator(connect, bind))),
            Form::Reliable(rtse) => {
                let rtpm =
                    Rtpm::initiator(config.rtse(rtse), syntax.clone(), syntax, connect, OpenData::Open(bind));
                Carrier::Reliable(Box::new(Reliable::new(rtpm, config.apdu_octets_max)))
            }
        };
        let lower = Lower::initiator(config.lower(config.tpdu_size_offered));
        AccessStack::new(config, Role::Initiator, lower, carrier)
    }

    /// A connection that a peer makes to us.
    pub fn responder(config: AccessConfig) -> Self {
        let syntax = config.context.bind_syntax.clone();
        let carrier = match &config.form {
            Form::Direct => Carrier::Direct(Box::new(Direct::responder())),
            Form::Reliable(rtse) => {
                let rtpm = Rtpm::responder(config.rtse(rtse), syntax.clone(), syntax);
                Carrier::Reliable(Box::new(Reliable::new(rtpm, config.apdu_octets_max)))
            }
        };
        let lower = Lower::responder(config.lower(config.tpdu_size));
        AccessStack::new(config, Role::Responder, lower, carrier)
    }

    fn new(config: AccessConfig, role: Role, lower: Lower, carrier: Carrier) -> Self {
        AccessStack { config, role, lower, carrier, stage: Stage::Opening }
    }

    /// The TCP connection is up.
    pub fn start(&mut self, now: MonoTime, out: &mut Vec<AccessAction>) {
        let steps = match &mut self.carrier {
            Carrier::Direct(direct) => direct.start(),
            Carrier::Reliable(reliable) => reliable.start(now),
        };
        self.run(now, steps, out);
        let steps = self.lower.start(now);
        self.run(now, steps, out);
    }

    /// Octets arrived, in any pieces.
    pub fn receive(&mut self, now: MonoTime, octets: &[u8], out: &mut Vec<AccessAction>) {
        let mut rest = octets;
        while let Some((steps, arrival)) = self.lower.receive(now, &mut rest) {
            self.run(now, steps, out);
            if self.lower.comes_on(arrival)
                && let Carrier::Reliable(reliable) = &mut self.carrier
            {
                reliable.received(now);
            }
        }
    }

    /// The driver has sent some of what it was given to transmit.
    pub fn wrote(&mut self, now: MonoTime) {
        if let Carrier::Reliable(reliable) = &mut self.carrier {
            reliable.wrote(now);
        }
    }

    /// RO-INVOKE request. `priority` is what the turn is asked for with, 0 the most urgent; without RTSE it has no meaning.
    /// Gives the identifier under which the outcome will be told.
    ///
    /// # Errors
    /// It is not allowed now, its context was not agreed, or its argument is too long. Nothing was sent.
    pub fn invoke(
        &mut self,
        now: MonoTime,
        invocation: Invocation,
        priority: u32,
        out: &mut Vec<AccessAction>,
    ) -> Result<i64, AccessError> {
        self.fits(invocation.argument.len())?;
        self.is_operational(invocation.context)?;
        let ropm = self.ropm("RO-INVOKE")?;
        let mut actions = Vec::new();
        let invoke_id = ropm.invoke(now, invocation, &mut actions)?;
        self.run(now, from_ropm(actions, priority), out);
        Ok(invoke_id)
    }

    /// RO-RESULT, RO-ERROR or RO-REJECT-U request: answers an invocation of the peer's, which ends it.
    ///
    /// # Errors
    /// No such invocation is outstanding, or the value is too long. Nothing was sent, and the invocation is outstanding
    /// still.
    pub fn reply(
        &mut self,
        now: MonoTime,
        invoke_id: i64,
        reply: Reply,
        priority: u32,
        out: &mut Vec<AccessAction>,
    ) -> Result<(), AccessError> {
        match &reply {
            Reply::Result(value) | Reply::Error { parameter: value, .. } => self.fits(value.len())?,
            Reply::Reject(_) | Reply::Silent => {}
        }
        let ropm = self.ropm("answer to RO-INVOKE")?;
        let mut actions = Vec::new();
        ropm.reply(invoke_id, reply, &mut actions)?;
        self.run(now, from_ropm(actions, priority), out);
        Ok(())
    }

    /// RO-REJECT-U request for an answer of the peer's; see [`Ropm::reject_reply`].
    ///
    /// # Errors
    /// The association is not open, or the context was not agreed.
    pub fn reject_reply(
        &mut self,
        now: MonoTime,
        invoke_id: i64,
        context: ContextId,
        problem: ReplyProblem,
        out: &mut Vec<AccessAction>,
    ) -> Result<(), AccessError> {
        self.is_operational(context)?;
        let ropm = self.ropm("RO-REJECT-U")?;
        let mut actions = Vec::new();
        ropm.reject_reply(invoke_id, context, problem, &mut actions)?;
        self.run(now, from_ropm(actions, REJECT_PRIORITY), out);
        Ok(())
    }

    /// Carries out a request about the association.
    ///
    /// # Errors
    /// It is not allowed in this state. Nothing was sent and nothing has changed.
    pub fn request(
        &mut self,
        now: MonoTime,
        request: AccessRequest,
        out: &mut Vec<AccessAction>,
    ) -> Result<(), AccessError> {
        let name = request.name();
        let command = match (request, &mut self.stage) {
            (_, Stage::Ended) => return Err(AccessError::Ended { request: name }),
            (AccessRequest::BindAccept { result }, Stage::Deciding) => {
                one_encoding(name, &result)?;
                self.lower.open();
                self.stage = Stage::Bound(Ropm::new(self.config.rose(self.role)));
                Command::Accept(BindApdu { kind: BindKind::BindResult, value: result }.encode())
            }
            (AccessRequest::BindReject { error, transient }, Stage::Deciding) => {
                one_encoding(name, &error)?;
                let user_data = BindApdu { kind: BindKind::BindError, value: error }.encode();
                Command::Reject { user_data, transient }
            }
            (AccessRequest::Unbind { argument }, Stage::Bound(ropm)) => {
                if self.role == Role::Responder {
                    return Err(AccessError::MayNotUnbind);
                }
                if matches!(self.carrier, Carrier::Reliable(_)) && !argument.is_empty() {
                    return Err(AccessError::UnbindArgument);
                }
                one_encoding(name, &argument)?;
                match ropm.state() {
                    rose::State::Open => {}
                    rose::State::Releasing | rose::State::Ended => {
                        let state = "the association is being released";
                        return Err(AccessError::OutOfState { request: name, state });
                    }
                }
                ropm.release()?;
                Command::Release { user_data: wrapped(BindKind::UnbindInvoke, argument) }
            }
            (AccessRequest::Abort, Stage::Opening | Stage::Deciding | Stage::Bound(_)) => {
                Command::Abort(AbortReason::USER_ERROR)
            }
            (
                AccessRequest::BindAccept { .. } | AccessRequest::BindReject { .. },
                stage @ (Stage::Opening | Stage::Bound(_)),
            )
            | (AccessRequest::Unbind { .. }, stage @ (Stage::Opening | Stage::Deciding)) => {
                return Err(AccessError::OutOfState { request: name, state: stage.name() });
            }
        };
        self.run(now, Vec::from([step::command(command)]), out);
        Ok(())
    }

    /// The TCP connection has ended; `reset` if not in order.
    pub fn transport_closed(&mut self, now: MonoTime, reset: bool, out: &mut Vec<AccessAction>) {
        let steps = self.lower.transport_closed(now, reset);
        self.run(now, steps, out);
    }

    /// When [`AccessStack::tick`] is due, at the latest.
    pub fn deadline(&self) -> Option<MonoTime> {
        let upper = [self.carrier_deadline(), self.rose_deadline()].into_iter().flatten().min();
        self.lower.deadline(upper)
    }

    /// Time has passed. Without effect before the deadline.
    pub fn tick(&mut self, now: MonoTime, out: &mut Vec<AccessAction>) {
        let steps = self.lower.tick_transport(now);
        self.run(now, steps, out);
        // From the top: it has more to tell the peer.
        if self.lower.is_due(now, self.rose_deadline()) {
            let steps = self.rose(now, RopmEvent::Deadline);
            self.run(now, steps, out);
        }
        if self.lower.is_due(now, self.carrier_deadline()) {
            self.run(now, Vec::from([Step::Upper(Own::Deadline)]), out);
        }
        let steps = self.lower.tick_session(now);
        self.run(now, steps, out);
        let steps = self.lower.tick_close(now);
        self.run(now, steps, out);
    }

    /// The presentation context of an abstract syntax of operations, if the peer has it too and the bind has been
    /// answered or is being decided.
    pub fn context(&self, syntax: &Oid) -> Option<ContextId> {
        self.lower.contexts()?.of(syntax)
    }

    /// Whether the association is over and the connection closed (or the driver told to close it).
    pub fn is_finished(&self) -> bool {
        self.is_over() && self.lower.is_closed()
    }

    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    fn carrier_deadline(&self) -> Option<MonoTime> {
        match &self.carrier {
            _ if self.is_over() => None,
            Carrier::Direct(_) => None,
            Carrier::Reliable(reliable) => reliable.deadline(),
        }
    }

    fn rose_deadline(&self) -> Option<MonoTime> {
        match &self.stage {
            Stage::Bound(ropm) => ropm.deadline(),
            Stage::Opening | Stage::Deciding | Stage::Ended => None,
        }
    }

    fn ropm(&mut self, request: &'static str) -> Result<&mut Ropm, AccessError> {
        match &mut self.stage {
            Stage::Bound(ropm) => Ok(ropm),
            Stage::Ended => Err(AccessError::Ended { request }),
            stage @ (Stage::Opening | Stage::Deciding) => {
                Err(AccessError::OutOfState { request, state: stage.name() })
            }
        }
    }

    fn fits(&self, octets: usize) -> Result<(), AccessError> {
        let limit = self.config.apdu_octets_max;
        if octets.saturating_add(AROUND_VALUE) > limit {
            return Err(AccessError::TooLong { octets, limit });
        }
        Ok(())
    }

    /// Contexts are known as long as there is an association; that there is none is said elsewhere.
    fn is_operational(&self, context: ContextId) -> Result<(), AccessError> {
        match &self.stage {
            Stage::Bound(_) if !self.is_for_operations(context) => Err(AccessError::Context(context)),
            Stage::Bound(_) | Stage::Opening | Stage::Deciding | Stage::Ended => Ok(()),
        }
    }
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Stage::Opening => "the association is being opened",
            Stage::Deciding => "the bind is being decided",
            Stage::Bound(_) => "the association is open",
            Stage::Ended => "the association is over",
        }
    }
}

impl AccessRequest {
    fn name(&self) -> &'static str {
        match self {
            AccessRequest::BindAccept { .. } | AccessRequest::BindReject { .. } => "answer to the bind",
            AccessRequest::Unbind { .. } => "unbind",
            AccessRequest::Abort => "abort",
        }
    }
}

/// Checks a value of the user's; it may be left out.
fn one_encoding(request: &'static str, octets: &[u8]) -> Result<(), AccessError> {
    let mut reader = Reader::new(octets);
    reader
        .next()
        .and_then(|_| reader.finish())
        .map_err(|source| AccessError::NotOneEncoding { request, source })
}

/// A value in its wrapper, or nothing if there is none.
fn wrapped(kind: BindKind, value: Vec<u8>) -> Vec<u8> {
    if value.is_empty() { Vec::new() } else { BindApdu { kind, value }.encode() }
}
