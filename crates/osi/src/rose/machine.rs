use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use ber::Reader;
use clock::MonoTime;

use super::apdu::{Code, Invoke, InvokeId, OperationResult, Reject, ReturnError, ReturnResult, RoseApdu};
use super::config::RoseConfig;
use super::error::{RequestError, RoseError};
use super::problem::Problem;
use super::service::{Invocation, OperationClass, Outcome, Reply, ReplyProblem, RoAction, RoIndication};
use crate::presentation::ContextId;

/// Remote operations protocol machine (X.229), one per association, for both ends of it.
///
/// It keeps identifiers and operation codes of what is outstanding, never an argument or a result.
#[derive(Clone, Debug)]
pub struct Ropm {
    pub(super) config: RoseConfig,
    pub(super) state: State,
    next_id: i32,
    /// Our invocations that have no outcome, by our identifier.
    pub(super) outgoing: BTreeMap<i64, Outgoing>,
    /// The peer's invocations that are not answered, by the peer's identifier.
    pub(super) incoming: BTreeMap<i64, Incoming>,
    /// What is being transferred or waits for it, in order.
    waiting: VecDeque<Waiting>,
}

/// State of a [`Ropm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Operations may be invoked.
    Open,
    /// The association is being released: what is outstanding is finished, nothing new begins.
    Releasing,
    /// The association is over.
    Ended,
}

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RopmEvent {
    /// The peer transferred an APDU.
    Received {
        /// The presentation context it came in.
        context: ContextId,
        /// The octets.
        octets: Vec<u8>,
    },
    /// The oldest [`RoAction::Transfer`] that was not reported yet has been carried out. Without effect when there is
    /// none.
    Transferred,
    /// The oldest [`RoAction::Transfer`] that was not reported yet has failed, and the association goes on. Without
    /// effect when there is none.
    NotTransferred,
    /// The time of [`Ropm::deadline`] has come.
    Deadline,
    /// The association ended, in whatever way.
    Ended,
}

/// An invocation of ours without an outcome.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) operation: Code,
    pub(super) class: OperationClass,
    pub(super) children: Vec<Code>,
    until: MonoTime,
    transferred: bool,
}

/// An invocation of the peer's that is not answered.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) context: ContextId,
    pub(super) operation: Code,
}

/// What an APDU that waits for its transfer belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    /// An invocation of ours.
    Invoke(i64),
    /// An answer to an invocation of the peer's, or its rejection by the user.
    Reply(i64),
    /// A Reject that nobody waits for.
    Reject,
}

impl Ropm {
    /// A machine for an association that has just been opened.
    pub fn new(config: RoseConfig) -> Self {
        Ropm {
            config,
            state: State::Open,
            next_id: 1,
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Number of our invocations that have no outcome.
    pub fn outgoing(&self) -> usize {
        self.outgoing.len()
    }

    /// Number of the peer's invocations that are not answered.
    pub fn incoming(&self) -> usize {
        self.incoming.len()
    }

    /// Number of APDUs whose transfer has not been reported.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When [`RopmEvent::Deadline`] is due.
    pub fn deadline(&self) -> Option<MonoTime> {
        self.outgoing.values().map(|outgoing| outgoing.until).min()
    }

    /// RO-INVOKE request. Gives the identifier under which the outcome will be told.
    ///
    /// # Errors
    /// The state, the association class or a limit does not allow it, or the argument is not one encoding.
    pub fn invoke(
        &mut self,
        now: MonoTime,
        invocation: Invocation,
        out: &mut Vec<RoAction>,
    ) -> Result<i64, RequestError> {
        match self.state {
            State::Open => {}
            State::Releasing => return Err(RequestError::Releasing),
            State::Ended => return Err(RequestError::Ended),
        }
        match invocation.linked_to {
            Some(parent) if !self.incoming.contains_key(&parent) => {
                return Err(RequestError::UnknownInvocation { invoke_id: parent });
            }
            // Its invoker waits for the parent, and the parent for the child: neither the class of the association
            // nor a synchronous operation of ours may come between them.
            Some(_) => {}
            None if !self.config.association_class.may_invoke(self.config.role) => {
                return Err(RequestError::MayNotInvoke);
            }
            None => {
                if let Some(invoke_id) = self.synchronous() {
                    return Err(RequestError::Synchronous { invoke_id });
                }
            }
        }
        if self.outgoing.len() >= self.config.outgoing_max {
            return Err(RequestError::TooManyInvocations { limit: self.config.outgoing_max });
        }
        self.has_room()?;
        one_encoding("argument", &invocation.argument)?;
        let invoke_id = self.free_id();
        let apdu = RoseApdu::Invoke(Invoke {
            invoke_id: InvokeId::Present(invoke_id),
            linked_id: invocation.linked_to.map(InvokeId::Present),
            operation: invocation.operation.clone(),
            argument: invocation.argument,
        });
        let outgoing = Outgoing {
            operation: invocation.operation,
            class: invocation.class,
            children: invocation.children,
            until: now + invocation.timeout,
            transferred: false,
        };
        self.outgoing.insert(invoke_id, outgoing);
        self.transfer(Waiting::Invoke(invoke_id), invocation.context, &apdu, out);
        Ok(invoke_id)
    }

    /// Answers an invocation of the peer's, which ends it: RO-RESULT, RO-ERROR or RO-REJECT-U request, or nothing.
    ///
    /// # Errors
    /// No such invocation is outstanding, too much waits for its transfer, or the value is not one encoding.
    pub fn reply(
        &mut self,
        invoke_id: i64,
        reply: Reply,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RequestError> {
        self.not_ended()?;
        let Some(incoming) = self.incoming.get(&invoke_id) else {
            return Err(RequestError::UnknownInvocation { invoke_id });
        };
        let context = incoming.context;
        let id = InvokeId::Present(invoke_id);
        let apdu = match reply {
            Reply::Result(value) => {
                one_encoding("result", &value)?;
                let operation = incoming.operation.clone();
                let result = (!value.is_empty()).then_some(OperationResult { operation, value });
                Some(RoseApdu::ReturnResult(ReturnResult { invoke_id: id, result }))
            }
            Reply::Error { code, parameter } => {
                one_encoding("parameter", &parameter)?;
                Some(RoseApdu::ReturnError(ReturnError { invoke_id: id, error: code, parameter }))
            }
            Reply::Reject(problem) => {
                Some(RoseApdu::Reject(Reject { invoke_id: id, problem: Problem::Invoke(problem) }))
            }
            Reply::Silent => None,
        };
        if let Some(apdu) = apdu {
            self.has_room()?;
            self.transfer(Waiting::Reply(invoke_id), context, &apdu, out);
        }
        self.incoming.remove(&invoke_id);
        Ok(())
    }

    /// RO-REJECT-U request for a result or an error that was told as an outcome, in the context of the invocation: the
    /// type of its value or its error code is not what the operation has.
    ///
    /// # Errors
    /// The association is over, or too much waits for its transfer.
    pub fn reject_reply(
        &mut self,
        invoke_id: i64,
        context: ContextId,
        problem: ReplyProblem,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RequestError> {
        self.not_ended()?;
        self.has_room()?;
        let invoke_id = InvokeId::Present(invoke_id);
        let reject = RoseApdu::Reject(Reject { invoke_id, problem: problem.into() });
        self.transfer(Waiting::Reject, context, &reject, out);
        Ok(())
    }

    /// The user has asked for the release of the association, or has been asked for it: from now on nothing is
    /// invoked, and what the peer invokes is rejected.
    ///
    /// # Errors
    /// The association is over.
    pub fn release(&mut self) -> Result<(), RequestError> {
        self.not_ended()?;
        self.state = State::Releasing;
        Ok(())
    }

    /// The release was refused, and the association goes on.
    ///
    /// # Errors
    /// The association is over.
    pub fn release_refused(&mut self) -> Result<(), RequestError> {
        self.not_ended()?;
        self.state = State::Open;
        Ok(())
    }

    /// Advances by one event.
    ///
    /// # Errors
    /// The association cannot go on. Every outstanding invocation has its outcome in `out` then, and the abort is there.
    pub fn handle(
        &mut self,
        now: MonoTime,
        event: RopmEvent,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        match (event, self.state) {
            (RopmEvent::Received { context, octets }, State::Open | State::Releasing) => {
                return self.received(context, &octets, out).inspect_err(|_| {
                    out.push(RoAction::Abort);
                    self.end(out);
                });
            }
            (RopmEvent::Transferred, State::Open | State::Releasing) => {
                if let Some(Waiting::Invoke(invoke_id)) = self.waiting.pop_front()
                    && let Some(outgoing) = self.outgoing.get_mut(&invoke_id)
                {
                    outgoing.transferred = true;
                }
            }
            (RopmEvent::NotTransferred, State::Open | State::Releasing) => self.not_transferred(out),
            (RopmEvent::Deadline, State::Open | State::Releasing) => self.expire(now, out),
            (RopmEvent::Ended, State::Open | State::Releasing) => self.end(out),
            // What was on its way when the association ended.
            (
                RopmEvent::Received { .. }
                | RopmEvent::Transferred
                | RopmEvent::NotTransferred
                | RopmEvent::Deadline
                | RopmEvent::Ended,
                State::Ended,
            ) => {}
        }
        Ok(())
    }

    fn not_transferred(&mut self, out: &mut Vec<RoAction>) {
        match self.waiting.pop_front() {
            Some(Waiting::Invoke(invoke_id)) if self.outgoing.remove(&invoke_id).is_some() => {
                out.push(outcome(invoke_id, Outcome::NotTransferred));
            }
            Some(Waiting::Reply(invoke_id)) => {
                out.push(RoAction::Indication(RoIndication::ReplyNotTransferred { invoke_id }));
            }
            // The invocation has expired already, or nobody waits.
            Some(Waiting::Invoke(_) | Waiting::Reject) | None => {}
        }
    }

    fn expire(&mut self, now: MonoTime, out: &mut Vec<RoAction>) {
        self.outgoing.retain(|&invoke_id, outgoing| {
            let expired = outgoing.until <= now;
            if expired {
                out.push(outcome(invoke_id, Outcome::Expired { transferred: outgoing.transferred }));
            }
            !expired
        });
    }

    fn end(&mut self, out: &mut Vec<RoAction>) {
        self.state = State::Ended;
        self.waiting.clear();
        for (invoke_id, outgoing) in core::mem::take(&mut self.outgoing) {
            out.push(outcome(invoke_id, Outcome::Ended { transferred: outgoing.transferred }));
        }
        for invoke_id in core::mem::take(&mut self.incoming).into_keys() {
            out.push(RoAction::Indication(RoIndication::Abandoned { invoke_id }));
        }
    }

    /// Puts an APDU out. Whether there is room has been checked.
    pub(super) fn transfer(
        &mut self,
        waiting: Waiting,
        context: ContextId,
        apdu: &RoseApdu,
        out: &mut Vec<RoAction>,
    ) {
        self.waiting.push_back(waiting);
        out.push(RoAction::Transfer { context, apdu: apdu.encode() });
    }

    /// An identifier that no outstanding invocation has. The numbers go up, so that an answer that comes too late meets
    /// no younger invocation; they stay within 32 bits, which every peer can hold.
    fn free_id(&mut self) -> i64 {
        loop {
            let id = self.next_id;
            self.next_id = id.checked_add(1).unwrap_or(1);
            // Ends: there are more numbers than outstanding invocations, each of which takes memory.
            if !self.outgoing.contains_key(&i64::from(id)) {
                return i64::from(id);
            }
        }
    }

    fn synchronous(&self) -> Option<i64> {
        let synchronous = |outgoing: &Outgoing| outgoing.class == OperationClass::Synchronous;
        self.outgoing.iter().find(|(_, outgoing)| synchronous(outgoing)).map(|(&invoke_id, _)| invoke_id)
    }

    fn has_room(&self) -> Result<(), RequestError> {
        let limit = self.config.waiting_max;
        if self.waiting.len() < limit { Ok(()) } else { Err(RequestError::TooManyWaiting { limit }) }
    }

    fn not_ended(&self) -> Result<(), RequestError> {
        match self.state {
            State::Open | State::Releasing => Ok(()),
            State::Ended => Err(RequestError::Ended),
        }
    }
}

pub(super) fn outcome(invoke_id: i64, outcome: Outcome) -> RoAction {
    RoAction::Indication(RoIndication::Outcome { invoke_id, outcome })
}

/// Checks a value of the user's: the peer would have to reject an APDU with anything else in it.
fn one_encoding(what: &'static str, octets: &[u8]) -> Result<(), RequestError> {
    let mut reader = Reader::new(octets);
    reader
        .next()
        .and_then(|_| reader.finish())
        .map_err(|source| RequestError::NotOneEncoding { what, source })
}
