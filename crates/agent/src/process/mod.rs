//! The work queue: what becomes of an item this MTA is responsible for, decided for every recipient, in one batch.
//!
//! A message or probe is checked as a whole, then each recipient that is ours is delivered, handed to a connector
//! or non-delivered, and reports are made at once. Every copy names all recipients; responsibility is set for those
//! of its own hop, so that over all copies, mailboxes and reports each recipient is taken care of exactly once. A
//! fan-out too large for one batch is done in portions: the rest goes back to the work queue,
//! with the responsibility for what is done cleared.
//!
//! Distribution lists, redirection and conversion have their place between check and routing; none is done here.

mod checks;
mod fan_out;
mod report_item;

use clock::WallTime;
use mhs::p1::P1Error;
use spool::Space;

use crate::agent::Agent;
use crate::effect::{Discard, Effect, Sequence, Step};
use crate::record::{Failure, Item, QUARANTINE, Record, WORK, WorkRecord};
use crate::report::Outcome;
use crate::routing::{RouteDecision, RouteFailure, Traveller};
use crate::transfer::Transfer;
use checks::Critical;
use fan_out::Plan;

/// What became of an item of the work queue.
#[derive(Debug)]
pub enum Processed {
    /// It is settled; the step may put a rest of it back into the work queue under a new key.
    Done(Step),
    /// It stays where it is until this time: its delivery is deferred.
    NotBefore(WallTime),
}

impl Agent {
    /// Decides about an item of the work queue, whose key is `key`.
    pub fn process(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: WorkRecord,
    ) -> Processed {
        let transfer = match &record.item {
            Item::Message { envelope, body, content_length } => {
                Transfer::message(envelope, *body, *content_length)
            }
            Item::Probe { apdu } => Transfer::probe(apdu),
            Item::Report { apdu } => {
                return Processed::Done(self.process_report(now, sequence, key, &record, apdu));
            }
        };
        match transfer {
            Ok(transfer) => self.process_transfer(now, sequence, key, &record, transfer),
            Err(error) => Processed::Done(unreadable(WORK, key, &record, &error)),
        }
    }

    fn process_transfer(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: &WorkRecord,
        mut transfer: Transfer,
    ) -> Processed {
        if let Some(time) = checks::deferred_until(&transfer) {
            if time > now {
                return Processed::NotBefore(time);
            }
            if time > record.arrived {
                self.here().release(now, transfer.trace_mut().0);
            }
        }
        let responsible = transfer.responsible();
        if responsible.is_empty() {
            return Processed::Done(drop_work(key, &transfer, Discard::NoResponsibility));
        }
        if !record.exhausted.is_empty() {
            let (trace, extensions) = transfer.trace_mut();
            self.here().reroute(trace, extensions);
        }
        let plan = self.plan(now, record, &transfer, &responsible);
        Processed::Done(self.carry_out(now, sequence, key, record, &transfer, plan))
    }

    fn plan(&self, now: WallTime, record: &WorkRecord, transfer: &Transfer, responsible: &[usize]) -> Plan {
        let mut plan = Plan::default();
        if let Some(failure) = self.check(now, record, transfer) {
            for &place in responsible {
                plan.settle(place, Outcome::Failed(failure.clone()));
            }
            return plan;
        }
        let critical = Critical::of(transfer.extensions());
        for &place in responsible {
            let Some(recipient) = transfer.recipients().get(place) else { continue };
            let critical = critical.and(Critical::of(&recipient.extensions));
            let traveller = Traveller {
                incoming: record.source.connector(),
                exhausted: &record.exhausted,
                content_length: transfer.content_length(),
            };
            let decision = self.route_quietly(recipient.address(), traveller, &|name| plan.uses(name));
            match decision {
                RouteDecision::Local { .. } if critical.for_delivery => {
                    plan.settle(place, Outcome::Failed(checks::unsupported_critical()));
                }
                RouteDecision::Local { mailbox } => plan.deliver(place, mailbox),
                RouteDecision::Connectors(_) if critical.for_transfer => {
                    plan.settle(place, Outcome::Failed(checks::unsupported_critical()));
                }
                RouteDecision::Connectors(names) => match names.into_iter().next() {
                    Some(best) => plan.send(place, best),
                    None => {
                        plan.settle(place, Outcome::Failed(self.unroutable(record, &RouteFailure::NoMatch)))
                    }
                },
                RouteDecision::Unknown(failure) => {
                    plan.settle(place, Outcome::Failed(self.unroutable(record, &failure)));
                }
            }
        }
        plan
    }

    /// What a report says about a recipient without a way: why the last way failed, if there was one.
    fn unroutable(&self, record: &WorkRecord, why: &RouteFailure) -> Failure {
        if let (RouteFailure::Exhausted, Some(failure)) = (why, &record.failure) {
            return failure.clone();
        }
        let (reason, diagnostic) = why.codes();
        Failure { reason: reason.0, diagnostic: diagnostic.0, text: why.to_string() }
    }
}

/// Puts a record aside that could not be understood: it is kept for people to look at, with whatever it refers to,
/// and holds nothing up.
fn quarantine(space: Space, key: &[u8], value: Vec<u8>, why: String) -> Step {
    let mut step = Step::default();
    let mut aside = vec![space.0];
    aside.extend_from_slice(key);
    step.batch.assert_present(space, key).delete(space, key).put(QUARANTINE, aside.clone(), value);
    step.effects.push(Effect::Quarantined { key: aside, why });
    step
}

/// A record which is whole, but what it holds is no envelope or APDU.
pub(crate) fn unreadable(space: Space, key: &[u8], record: &impl Record, error: &P1Error) -> Step {
    quarantine(space, key, record.encode(), error.to_string())
}

/// Takes something out of the work queue for good.
fn drop_work(key: &[u8], transfer: &Transfer, why: Discard) -> Step {
    let mut step = Step::default();
    step.batch.assert_present(WORK, key).delete(WORK, key);
    if let Some(body) = transfer.body() {
        step.batch.release(body);
    }
    let (kind, mts_identifier) = (transfer.kind(), transfer.identifier().clone());
    step.effects.push(Effect::Discarded { kind, mts_identifier, why });
    step
}
