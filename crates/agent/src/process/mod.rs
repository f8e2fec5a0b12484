//! The work queue: what becomes of an item this MTA is responsible for, decided for every recipient, in one batch.
//!
//! A message or probe is checked as a whole, then each recipient that is ours is delivered, handed to a connector
//! or non-delivered, and reports are made at once. Every copy names all recipients; responsibility is set for those
//! of its own hop, so that over all copies, mailboxes and reports each recipient is taken care of exactly once. A
//! fan-out too large for one batch is done in portions: the rest goes back to the work queue,
//! with the responsibility for what is done cleared.
//!
//! Between check and routing, `recipient` looks for who is to receive in place of a recipient; `expand` replaces
//! distribution lists by their members. Conversion would have its place there; it is not done.

mod checks;
mod detour;
mod expand;
mod fan_out;
mod list_report;
mod recipient;
mod report_item;

use clock::WallTime;
use spool::BodyId;

use crate::agent::Agent;
use crate::effect::{Discard, Effect, Step};
use crate::links::Moment;
use crate::quarantine::unreadable;
use crate::record::{Item, WORK, WorkRecord};
use crate::report::Outcome;
use crate::settings::WhenBarred;
use crate::transfer::Transfer;
use fan_out::{Plan, Work};
use recipient::{Common, Way};

/// What became of an item of the work queue.
#[derive(Debug)]
pub enum Processed {
    /// It is settled; the step may put a rest of it back into the work queue under a new key.
    Done(Step),
    /// It stays where it is until this time: its delivery is deferred, and no connector on its way takes it before.
    NotBefore(WallTime),
    /// A report is to return its content, which is at most `return_content_kb` long: to be read and given to
    /// [`Agent::process_with_content`].
    ContentWanted {
        /// Where the content is.
        body: BodyId,
        /// Its length, octets.
        length: usize,
    },
}

impl Agent {
    /// Decides about an item of the work queue, whose key is `key`.
    ///
    /// `is_p2` is what [`mhs::ipm::P2Check`] says about the content of a message, if there are 1984 links and
    /// [`crate::asks_for_p2`] names it; false if nobody has looked.
    pub fn process(&self, moment: Moment<'_>, key: &[u8], record: &WorkRecord, is_p2: bool) -> Processed {
        let Moment { now, sequence, links } = moment;
        self.process_item(Work { now, sequence, links, key, record, content: None, is_p2 })
    }

    /// The same for an item whose content was wanted and is `content`; empty if it can't be read, so that a report
    /// goes without it.
    pub fn process_with_content(
        &self,
        moment: Moment<'_>,
        key: &[u8],
        record: &WorkRecord,
        content: &[u8],
        is_p2: bool,
    ) -> Processed {
        let Moment { now, sequence, links } = moment;
        self.process_item(Work { now, sequence, links, key, record, content: Some(content), is_p2 })
    }

    fn process_item(&self, work: Work<'_>) -> Processed {
        let Work { key, record, .. } = work;
        let transfer = match &record.item {
            Item::Message { envelope, body, content_length } => {
                Transfer::message(envelope, *body, *content_length)
            }
            Item::Probe { apdu } => Transfer::probe(apdu),
            Item::Report { apdu } => {
                return Processed::Done(self.process_report(&work, apdu));
            }
        };
        match transfer {
            Ok(transfer) => self.process_transfer(&work, transfer),
            Err(error) => Processed::Done(unreadable(WORK, key, record, &error)),
        }
    }

    fn process_transfer(&self, work: &Work<'_>, mut transfer: Transfer) -> Processed {
        let (now, record) = (work.now, work.record);
        let deferred = checks::deferred_until(&transfer);
        let held = deferred.filter(|time| *time > now);
        if let Some(time) = held {
            if !self.settings().connectors.iter().any(|connector| connector.pass_on_deferred) {
                return Processed::NotBefore(time);
            }
        } else if deferred.is_some_and(|time| time > record.arrived) {
            let (trace, extensions) = transfer.trace_mut();
            self.here().release(now, trace, extensions);
        }
        let responsible = transfer.responsible();
        if responsible.is_empty() {
            return Processed::Done(drop_work(work.key, &transfer, Discard::NoResponsibility));
        }
        if self.is_barred(record, &transfer) == Some(WhenBarred::Discard) {
            return Processed::Done(drop_work(work.key, &transfer, Discard::Barred));
        }
        let left = record.left().map(|last| (last, transfer.clone()));
        if let Some((last, _)) = left {
            let attempted = self.settings().connector(last);
            let (trace, extensions) = transfer.trace_mut();
            self.here().reroute(trace, extensions, attempted);
        }
        let mut plan = self.plan(work, &transfer, &responsible);
        if let Some(time) = held {
            let passes = |name: &str| self.settings().connector(name).is_some_and(|c| c.pass_on_deferred);
            plan.hold(&responsible, passes);
            if plan.is_idle() {
                return Processed::NotBefore(time);
            }
        }
        if work.content.is_none()
            && plan.has_failures()
            && let Some((body, length)) = self.returnable(&transfer)
        {
            return Processed::ContentWanted { body, length };
        }
        Processed::Done(self.carry_out(work, &transfer, left, plan))
    }

    /// The content that a non-delivery report returns: if the originator wants it and it is short enough.
    pub(crate) fn returnable(&self, transfer: &Transfer) -> Option<(BodyId, usize)> {
        let limit = u64::from(self.settings().mta.return_content_kb).saturating_mul(1024);
        let length = transfer.content_length();
        if !transfer.indicators().content_return_request() || length > limit {
            return None;
        }
        Some((transfer.body()?, usize::try_from(length).ok()?))
    }

    fn plan<'a>(&'a self, work: &Work<'_>, transfer: &Transfer, responsible: &[usize]) -> Plan<'a> {
        let (now, record) = (work.now, work.record);
        let mut plan = Plan::default();
        if let Some(failure) = self.check(now, record, transfer) {
            for &place in responsible {
                plan.settle(place, Outcome::Failed(failure.clone()));
            }
            return plan;
        }
        let common = Common::of(self, transfer, work.is_p2);
        for &place in responsible {
            let Some(recipient) = transfer.recipients().get(place) else { continue };
            let resolved = self.resolve(work, transfer, &common, recipient, &plan);
            if let Some(changed) = resolved.changed {
                plan.redirect(place, changed, resolved.redirections);
            }
            match (resolved.way, transfer) {
                (Way::Mailbox(mailbox), _) => plan.deliver(place, mailbox),
                (Way::Connector(connector), _) => plan.send(place, connector),
                (Way::List(list), Transfer::Message { .. }) => plan.expand(place, list),
                // A probe is answered for the list, not for its members.
                (Way::List(_), Transfer::Probe(_)) => plan.settle(place, Outcome::Expanded),
                (Way::ListAgain, _) => plan.drop(place),
                (Way::Nowhere(failure), _) => plan.settle(place, Outcome::Failed(failure)),
            }
        }
        plan
    }
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
