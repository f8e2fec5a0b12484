//! What is put aside: records that can't be understood, and items whose handling fails again and again or takes the process
//! with it. In quarantine an item holds nothing up and nothing touches it; what it refers to stays, and an operator can have
//! it tried again or delete it.

use clock::WallTime;
use mhs::codes::{NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason};
use mhs::p1::P1Error;
use spool::{BodyId, Space};

use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Departure, Effect, Sequence, Step};
use crate::outbound::leave;
use crate::record::{
    Failure, HeldKey, Item, MAILBOX, MailboxItem, MailboxRecord, OUTBOUND, OutboundRecord, QUARANTINE, Rank,
    Record, RecordError, TRIED, TriedRecord, WorkRecord,
};
use crate::report::{Outcome, Reporting};
use crate::transfer::{Changed, Transfer};

/// Something in quarantine, as far as it can be told without looking into its envelope: that may be what brought it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Key that it had, with the octet of its space in front.
    pub key: HeldKey,
    /// What it is, where it came from, and what else of it goes back to the work queue with it.
    pub record: WorkRecord,
    /// Its MTS-identifier and originator in text form, if the record tells.
    pub named: Option<(String, String)>,
}

/// Key in [`QUARANTINE`] and [`TRIED`] of an item.
pub fn aside_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut aside = vec![space.0];
    aside.extend_from_slice(key);
    aside
}

/// Puts a record aside that could not be understood: it is kept for people to look at, with whatever it refers to,
/// and holds nothing up.
pub fn quarantine(space: Space, key: &[u8], value: Vec<u8>, why: String) -> Step {
    let mut step = Step::default();
    let aside = aside_key(space, key);
    step.batch.assert_present(space, key).delete(space, key).put(QUARANTINE, aside.clone(), value);
    step.effects.push(Effect::Quarantined { key: aside, why });
    step
}

/// A record which is whole, but what it holds is no envelope or APDU.
pub(crate) fn unreadable(space: Space, key: &[u8], record: &impl Record, error: &P1Error) -> Step {
    quarantine(space, key, record.encode(), error.to_string())
}

/// Puts an item aside whose handling fails, with the note on how it was tried. Looks at its record only.
pub fn poisonous(space: Space, key: &[u8], value: Vec<u8>, tried: &TriedRecord) -> Step {
    let aside = aside_key(space, key);
    let mut step = Step::default();
    if space == OUTBOUND
        && let Ok(record) = OutboundRecord::decode(&value)
    {
        step = leave(key, &record, Departure::GivenUp);
    } else {
        step.batch.assert_present(space, key).delete(space, key);
    }
    step.batch.put(QUARANTINE, aside.clone(), value).put(TRIED, aside, tried.encode());
    step
}

/// Takes something out of quarantine and puts it back into the work queue, to be tried as if it had just come. One that
/// waited for a connector is routed anew.
pub fn release_quarantined(sequence: &dyn Sequence, quarantined: &Quarantined) -> Step {
    let aside = quarantined.key.encode();
    let mut step = Step::default();
    step.batch.assert_present(QUARANTINE, aside.clone());
    step.batch.delete(QUARANTINE, aside.clone()).delete(TRIED, aside);
    add_work(&mut step, sequence, quarantined.rank(), &quarantined.record);
    step
}

/// Deletes something in quarantine for good, with what it holds of a content if that can be told. Nobody is told.
pub fn delete_quarantined(aside: &[u8], value: &[u8]) -> Step {
    let mut step = Step::default();
    step.batch.assert_present(QUARANTINE, aside).delete(QUARANTINE, aside).delete(TRIED, aside);
    if let Some(body) = body_of(aside, value) {
        step.batch.release(body);
    }
    step
}

fn body_of(aside: &[u8], value: &[u8]) -> Option<BodyId> {
    if let Ok(Some(quarantined)) = Quarantined::decode(aside, value) {
        return quarantined.body();
    }
    match MailboxRecord::decode(value).ok()?.kind {
        MailboxItem::Message { body, .. } if aside.first() == Some(&MAILBOX.0) => Some(body),
        MailboxItem::Message { .. } | MailboxItem::Report { .. } => None,
    }
}

impl Quarantined {
    /// The item in a record of [`QUARANTINE`]; `None` if it came from neither the work queue nor that of a connector.
    ///
    /// # Errors
    /// The record is damaged.
    pub fn decode(aside: &[u8], value: &[u8]) -> Result<Option<Quarantined>, RecordError> {
        let Some(key) = HeldKey::parse(aside) else { return Ok(None) };
        Ok(Some(match key {
            HeldKey::Work(_) => Quarantined { key, record: WorkRecord::decode(value)?, named: None },
            HeldKey::Outbound(_) => {
                let record = OutboundRecord::decode(value)?;
                let named = Some((record.mts_identifier, record.originator));
                let record = WorkRecord {
                    item: record.item,
                    source: record.source,
                    arrived: record.arrived,
                    exhausted: record.exhausted,
                    failure: None,
                    tries: record.tries,
                };
                Quarantined { key, record, named }
            }
        }))
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        match &self.key {
            HeldKey::Work(key) => key.sequence,
            HeldKey::Outbound(key) => key.sequence,
        }
    }

    /// Its priority.
    pub fn rank(&self) -> Rank {
        match &self.key {
            HeldKey::Work(key) => key.rank,
            HeldKey::Outbound(key) => key.rank,
        }
    }

    /// The connector in whose queue it was, if it was in one.
    pub fn connector(&self) -> Option<&str> {
        match &self.key {
            HeldKey::Work(_) => None,
            HeldKey::Outbound(key) => Some(&key.connector),
        }
    }

    /// Its content.
    pub fn body(&self) -> Option<BodyId> {
        match &self.record.item {
            Item::Message { body, .. } => Some(*body),
            Item::Report { .. } | Item::Probe { .. } => None,
        }
    }
}

impl Agent {
    /// Tells the originator of something in quarantine that those recipients get nothing for whom this MTA is responsible.
    /// Gives the step and its MTS-identifier; `None` if nobody is to be told. This reads the envelope, which may be what is
    /// wrong with it: the caller must be ready for a panic, and for worse.
    ///
    /// # Errors
    /// It can't be read.
    pub fn report_on_quarantined(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        quarantined: &Quarantined,
    ) -> Result<Option<(Step, String)>, P1Error> {
        let transfer = match &quarantined.record.item {
            Item::Message { envelope, body, content_length } => {
                Transfer::message(envelope, *body, *content_length)?
            }
            Item::Probe { apdu } => Transfer::probe(apdu)?,
            // A report never makes a report.
            Item::Report { .. } => return Ok(None),
        };
        let failure = Failure {
            reason: Reason::UNABLE_TO_TRANSFER.0,
            diagnostic: Diagnostic::UNABLE_TO_COMPLETE_TRANSFER.0,
            text: "this MTA can't process it".to_owned(),
        };
        let settled: Vec<(usize, Outcome)> =
            transfer.responsible().into_iter().map(|at| (at, Outcome::Failed(failure.clone()))).collect();
        let changed = Changed::new();
        let arrived = quarantined.record.arrived;
        // The content may be what is wrong as well, and stays here.
        let reporting = Reporting { now, sequence, arrived, changed: &changed, content: None };
        let mut step = Step::default();
        self.report(&reporting, &transfer, &settled, &mut step);
        Ok(Some((step, transfer.identifier().to_string())))
    }
}
