//! What the APDUs of the peer do to the machine, and which of them are rejected (X.229; the constraints in X.880,
//! Generic-ROS-PDUs, name the problem of each).

use alloc::vec::Vec;

use super::apdu::{ApduKind, Invoke, InvokeId, Reject, ReturnError, ReturnResult, RoseApdu};
use super::error::{DecodeError, Fault, RoseError};
use super::machine::{Incoming, Outgoing, Ropm, State, Waiting, outcome};
use super::problem::{GeneralProblem, InvokeProblem, Problem, ReturnErrorProblem, ReturnResultProblem};
use super::service::{Outcome, RoAction, RoIndication};
use crate::presentation::ContextId;

impl Ropm {
    /// One APDU, while the association is not over. Puts out one APDU at most.
    pub(super) fn received(
        &mut self,
        context: ContextId,
        octets: &[u8],
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        match RoseApdu::decode(octets) {
            Ok(RoseApdu::Invoke(invoke)) => self.invoked(context, invoke, out),
            Ok(RoseApdu::ReturnResult(answer)) => self.result(context, answer, out),
            Ok(RoseApdu::ReturnError(answer)) => self.error(context, answer, out),
            Ok(RoseApdu::Reject(reject)) => {
                self.rejected(reject, out);
                Ok(())
            }
            Err(error) => self.malformed(context, error, out),
        }
    }

    fn invoked(
        &mut self,
        context: ContextId,
        invoke: Invoke,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        if let Err(problem) = self.judge(&invoke) {
            return self.reject(context, Reject { invoke_id: invoke.invoke_id, problem }, out);
        }
        if let InvokeId::Present(invoke_id) = invoke.invoke_id {
            self.incoming.insert(invoke_id, Incoming { context, operation: invoke.operation.clone() });
        }
        let linked_to = invoke.linked_id.and_then(present);
        out.push(RoAction::Indication(RoIndication::Invoke {
            invoke_id: invoke.invoke_id,
            context,
            linked_to,
            operation: invoke.operation,
            argument: invoke.argument,
        }));
        Ok(())
    }

    /// Whether the peer may invoke this now.
    fn judge(&self, invoke: &Invoke) -> Result<(), Problem> {
        let invoke_id = present(invoke.invoke_id);
        if invoke_id.is_none() && !self.config.absent_ids {
            return Err(Problem::General(GeneralProblem::MISTYPED_PDU));
        }
        if invoke_id.is_some_and(|id| self.incoming.contains_key(&id)) {
            return Err(Problem::Invoke(InvokeProblem::DUPLICATE_INVOCATION));
        }
        match self.state {
            State::Open => {}
            State::Releasing | State::Ended => {
                return Err(Problem::Invoke(InvokeProblem::RELEASE_IN_PROGRESS));
            }
        }
        match invoke.linked_id {
            // An invocation without an identifier is never remembered, so nothing can be linked to it.
            Some(linked) => match present(linked).and_then(|id| self.outgoing.get(&id)) {
                None => return Err(Problem::Invoke(InvokeProblem::UNRECOGNIZED_LINKED_ID)),
                Some(parent) if parent.children.is_empty() => {
                    return Err(Problem::Invoke(InvokeProblem::LINKED_RESPONSE_UNEXPECTED));
                }
                Some(parent) if !parent.children.contains(&invoke.operation) => {
                    return Err(Problem::Invoke(InvokeProblem::UNEXPECTED_LINKED_OPERATION));
                }
                Some(_) => {}
            },
            // The operations of an end that may not invoke are none, so whichever this is, it is not one of them.
            None if !self.config.association_class.may_invoke(self.config.role.other()) => {
                return Err(Problem::Invoke(InvokeProblem::UNRECOGNIZED_OPERATION));
            }
            None => {}
        }
        if invoke_id.is_some() && self.incoming.len() >= self.config.incoming_max {
            return Err(Problem::Invoke(InvokeProblem::RESOURCE_LIMITATION));
        }
        Ok(())
    }

    fn result(
        &mut self,
        context: ContextId,
        answer: ReturnResult,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        let invoke_id = answer.invoke_id;
        let problem = |problem| Reject { invoke_id, problem: Problem::ReturnResult(problem) };
        let operation = answer.result.as_ref().map(|result| &result.operation);
        match self.outstanding(invoke_id) {
            // A result of another operation is none of this invocation.
            Some((_, outgoing)) if operation.is_some_and(|operation| *operation != outgoing.operation) => {
                self.reject(context, problem(ReturnResultProblem::UNRECOGNIZED_INVOCATION), out)
            }
            Some((id, outgoing)) if !outgoing.class.reports_success() => {
                self.bad_reply(context, id, problem(ReturnResultProblem::RESULT_RESPONSE_UNEXPECTED), out)
            }
            Some((id, _)) => {
                let value = answer.result.map(|result| result.value).unwrap_or_default();
                self.finish(id, Outcome::Result(value), out);
                Ok(())
            }
            None => self.reject(context, problem(ReturnResultProblem::UNRECOGNIZED_INVOCATION), out),
        }
    }

    fn error(
        &mut self,
        context: ContextId,
        answer: ReturnError,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        let invoke_id = answer.invoke_id;
        let problem = |problem| Reject { invoke_id, problem: Problem::ReturnError(problem) };
        match self.outstanding(invoke_id) {
            Some((id, outgoing)) if !outgoing.class.reports_failure() => {
                self.bad_reply(context, id, problem(ReturnErrorProblem::ERROR_RESPONSE_UNEXPECTED), out)
            }
            Some((id, _)) => {
                self.finish(id, Outcome::Error { code: answer.error, parameter: answer.parameter }, out);
                Ok(())
            }
            None => self.reject(context, problem(ReturnErrorProblem::UNRECOGNIZED_INVOCATION), out),
        }
    }

    /// A Reject is never rejected, whatever it says.
    fn rejected(&mut self, reject: Reject, out: &mut Vec<RoAction>) {
        let invocation = match reject.problem {
            // A general problem may also be with an answer of ours to an invocation that has the same number at the
            // peer. That cannot be told apart; an Invoke is what needs an outcome.
            Problem::General(_) | Problem::Invoke(_) => self.outstanding(reject.invoke_id).map(|(id, _)| id),
            Problem::ReturnResult(_) | Problem::ReturnError(_) => None,
        };
        match invocation {
            Some(id) => self.finish(id, Outcome::Rejected(reject.problem), out),
            None => out.push(RoAction::Indication(RoIndication::Rejected(reject))),
        }
    }

    fn malformed(
        &mut self,
        context: ContextId,
        error: DecodeError,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        if let Some(reject) = error.reject() {
            self.put_reject(context, reject, out)?;
        }
        out.push(RoAction::Indication(RoIndication::Fault(Fault::Malformed(error))));
        // What was to be an answer is the only one that there will be.
        let answered = match error.kind {
            Some(ApduKind::ReturnResult | ApduKind::ReturnError) => self.outstanding(error.invoke_id),
            Some(ApduKind::Invoke | ApduKind::Reject) | None => None,
        };
        if let Some(id) = answered.map(|(id, _)| id) {
            self.finish(id, Outcome::BadReply(Problem::General(error.problem)), out);
        }
        Ok(())
    }

    fn bad_reply(
        &mut self,
        context: ContextId,
        id: i64,
        reject: Reject,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        self.reject(context, reject, out)?;
        self.finish(id, Outcome::BadReply(reject.problem), out);
        Ok(())
    }

    fn reject(
        &mut self,
        context: ContextId,
        reject: Reject,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        self.put_reject(context, reject, out)?;
        out.push(RoAction::Indication(RoIndication::Fault(Fault::Rejected(reject))));
        Ok(())
    }

    fn put_reject(
        &mut self,
        context: ContextId,
        reject: Reject,
        out: &mut Vec<RoAction>,
    ) -> Result<(), RoseError> {
        let waiting = self.waiting();
        if waiting >= self.config.waiting_max.saturating_mul(2) {
            return Err(RoseError::Flooded { waiting });
        }
        self.transfer(Waiting::Reject, context, &RoseApdu::Reject(reject), out);
        Ok(())
    }

    fn finish(&mut self, id: i64, what: Outcome, out: &mut Vec<RoAction>) {
        self.outgoing.remove(&id);
        out.push(outcome(id, what));
    }

    fn outstanding(&self, invoke_id: InvokeId) -> Option<(i64, &Outgoing)> {
        let id = present(invoke_id)?;
        self.outgoing.get(&id).map(|outgoing| (id, outgoing))
    }
}

fn present(invoke_id: InvokeId) -> Option<i64> {
    match invoke_id {
        InvokeId::Present(id) => Some(id),
        InvokeId::Absent => None,
    }
}
