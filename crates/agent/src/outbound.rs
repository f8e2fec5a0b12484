//! The end of a copy's stay in an outbound queue: transferred, tried again, sent another way, or too old.

use std::time::Duration;

use clock::WallTime;
use mhs::codes::{NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason};
use mhs::p1::{P1Error, Report};

use crate::about::Telling;
use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Departure, Discard, Effect, Kind, Sequence, Step};
use crate::quarantine::unreadable;
use crate::record::{
    Failure, Item, OUTBOUND, OutboundKey, OutboundRecord, RESUME, Rank, Record, Tries, WorkRecord,
};

/// Why a transfer came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferFailure {
    /// How.
    pub kind: TransferFailureKind,
    /// What happened, for people.
    pub text: String,
}

/// The ways in which a transfer can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferFailureKind {
    /// The association was lost before this transfer began. Does not count: the message had no part in it.
    NotStarted,
    /// The association was lost or aborted while it was being transferred.
    Interrupted,
    /// The peer could not take it at this time.
    RefusedTransient,
    /// The peer will never take it.
    RefusedPermanent,
    /// It took longer than the transfer timeout.
    TimedOut,
    /// One side can't transfer anything at this time. Does not count: it is no fault of the message.
    Postponed,
    /// It can't take the form of this link. The settings have changed since it was queued, so it is routed anew.
    WrongForm,
}

/// Why a connector does not carry what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCarried {
    /// It could not be opened as often as a message may wait for that.
    OpenRetriesExhausted,
    /// It is not in the settings any more.
    Removed,
    /// An operator empties its queue.
    Drained,
}

impl NotCarried {
    /// For people; it is in the non-delivery report if there is no other way.
    fn text(self) -> &'static str {
        match self {
            NotCarried::OpenRetriesExhausted => "the next MTA could not be reached",
            NotCarried::Removed => "the connector was taken out of use",
            NotCarried::Drained => "an operator has emptied the queue of its connector",
        }
    }
}

/// What follows a failed transfer.
#[derive(Debug)]
pub enum Failed {
    /// It stays in its queue and may be tried again after a while.
    Retry {
        /// To be committed first.
        step: Step,
        /// How long to leave it alone.
        after: Duration,
        /// The record as it is from now on.
        record: Box<OutboundRecord>,
    },
    /// It is back in the work queue: another connector, or a report.
    Settled(Step),
}

impl Agent {
    /// The peer has taken over responsibility. `telling` is what [`crate::settings::ConnectorSettings::on_wire`] gave
    /// with the form in which it went.
    pub fn transferred(&self, key: &[u8], record: &OutboundRecord, telling: Option<Telling>) -> Step {
        let mut step = leave(key, record, Departure::Transferred);
        if let Some(Telling { about, is_downgraded }) = telling {
            if let Some(Effect::Dequeued { about: told, .. }) = step.effects.first_mut() {
                *told = Some(Box::new(about));
            }
            if let Some(connector) = connector_of(key).filter(|_| is_downgraded) {
                let mts_identifier = record.mts_identifier.clone();
                step.effects.insert(0, Effect::Downgraded { connector, mts_identifier });
            }
        }
        release(&record.item, &mut step);
        step
    }

    /// A transfer has failed.
    pub fn transfer_failed(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: &OutboundRecord,
        failure: &TransferFailure,
    ) -> Failed {
        let retry =
            connector_of(key).and_then(|name| self.settings().connector(&name).map(|found| found.retry));
        let retry = retry.unwrap_or_default();
        let mut record = record.clone();
        let after = match failure.kind {
            TransferFailureKind::NotStarted => Duration::ZERO,
            TransferFailureKind::Postponed => Duration::from_secs(u64::from(retry.transfer_interval_s)),
            TransferFailureKind::Interrupted
            | TransferFailureKind::RefusedTransient
            | TransferFailureKind::TimedOut => {
                record.attempts = record.attempts.saturating_add(1);
                Duration::from_secs(u64::from(retry.transfer_interval_s))
            }
            TransferFailureKind::WrongForm => {
                return Failed::Settled(self.route_anew(now, sequence, key, &record));
            }
            TransferFailureKind::RefusedPermanent => {
                let code = (Reason::TRANSFER_FAILURE, Diagnostic::UNABLE_TO_COMPLETE_TRANSFER);
                return Failed::Settled(self.give_up(now, sequence, key, &record, code, &failure.text));
            }
        };
        // The first transfer is no repetition.
        if record.attempts > retry.max_transfer_retries {
            let code = (Reason::TRANSFER_FAILURE, Diagnostic::TRANSFER_ATTEMPTS_LIMIT_REACHED);
            return Failed::Settled(self.give_up(now, sequence, key, &record, code, &failure.text));
        }
        record.last_failure = Some(failure.text.clone());
        let mut step = Step::default();
        step.batch.assert_present(OUTBOUND, key).put(OUTBOUND, key, record.encode());
        step.effects.push(Effect::TransferRetry {
            connector: connector_of(key).unwrap_or_default(),
            mts_identifier: record.mts_identifier.clone(),
            attempts: record.attempts,
            text: failure.text.clone(),
        });
        Failed::Retry { step, after, record: Box::new(record) }
    }

    /// Sends a copy back to be routed without its connector, which does not carry it.
    pub fn without_connector(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: &OutboundRecord,
        why: NotCarried,
    ) -> Step {
        let code = (Reason::TRANSFER_FAILURE, Diagnostic::MTS_CONGESTION);
        self.give_up(now, sequence, key, record, code, why.text())
    }

    /// Sends a copy that has become too old back to be reported about; `None` if it has not.
    pub fn expired(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: &OutboundRecord,
    ) -> Option<Step> {
        if now < record.expires {
            return None;
        }
        if let Item::Report { apdu } = &record.item {
            return Some(expire_report(key, record, apdu));
        }
        let failure = Failure {
            reason: Reason::UNABLE_TO_TRANSFER.0,
            diagnostic: Diagnostic::MAXIMUM_TIME_EXPIRED.0,
            text: record
                .last_failure
                .clone()
                .unwrap_or_else(|| "it waited too long for its transfer".to_owned()),
        };
        let (exhausted, tries) = (record.exhausted.clone(), record.tries.clone());
        Some(back_to_work(sequence, key, record, exhausted, tries, failure, Departure::Expired))
    }

    /// Puts a copy back into the work queue as if it had not been routed yet.
    pub(crate) fn route_anew(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: &OutboundRecord,
    ) -> Step {
        if let Some(step) = self.expired(now, sequence, key, record) {
            return step;
        }
        let work = WorkRecord {
            item: record.item.clone(),
            source: record.source.clone(),
            arrived: record.arrived,
            exhausted: record.exhausted.clone(),
            failure: None,
            tries: record.tries.clone(),
        };
        let mut step = leave(key, record, Departure::GivenUp);
        let rank = OutboundKey::parse(key).map_or(Rank::Normal, |key| key.rank);
        add_work(&mut step, sequence, rank, &work);
        step
    }

    /// Puts a copy back into the work queue, where it is routed without this connector or non-delivered with these
    /// codes.
    fn give_up(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        key: &[u8],
        record: &OutboundRecord,
        (reason, diagnostic): (Reason, Diagnostic),
        text: &str,
    ) -> Step {
        // A copy that is too old is not sent on a detour.
        if let Some(step) = self.expired(now, sequence, key, record) {
            return step;
        }
        let (mut exhausted, mut tries) = (record.exhausted.clone(), record.tries.clone());
        if let Some(name) = connector_of(key) {
            tries = tries.after(&name, 0);
            if !exhausted.contains(&name) {
                exhausted.push(name);
            }
        }
        let failure = Failure { reason: reason.0, diagnostic: diagnostic.0, text: text.to_owned() };
        back_to_work(sequence, key, record, exhausted, tries, failure, Departure::GivenUp)
    }
}

/// Moves a copy from its queue to the work queue, to be routed again or reported about.
pub(crate) fn back_to_work(
    sequence: &dyn Sequence,
    key: &[u8],
    record: &OutboundRecord,
    exhausted: Vec<String>,
    tries: Tries,
    failure: Failure,
    why: Departure,
) -> Step {
    let work = WorkRecord {
        item: record.item.clone(),
        source: record.source.clone(),
        arrived: record.arrived,
        exhausted,
        failure: Some(failure),
        tries,
    };
    let mut step = leave(key, record, why);
    let rank = OutboundKey::parse(key).map_or(Rank::Normal, |key| key.rank);
    add_work(&mut step, sequence, rank, &work);
    step
}

pub(crate) fn connector_of(key: &[u8]) -> Option<String> {
    OutboundKey::parse(key).map(|key| key.connector)
}

/// Takes a copy out of its queue, and with it what is remembered of an interrupted transfer. Asserting that it is
/// there keeps two decisions about the same copy apart.
pub(crate) fn leave(key: &[u8], record: &OutboundRecord, why: Departure) -> Step {
    let mut step = Step::default();
    step.batch.assert_present(OUTBOUND, key).delete(OUTBOUND, key).delete(RESUME, key);
    if let Some(OutboundKey { connector, rank, sequence }) = OutboundKey::parse(key) {
        step.effects.push(Effect::Dequeued {
            connector,
            rank,
            sequence,
            mts_identifier: record.mts_identifier.clone(),
            size: record.size,
            recipients: record.recipients,
            why,
            kind: match record.item {
                Item::Message { .. } => Kind::Message,
                Item::Report { .. } => Kind::Report,
                Item::Probe { .. } => Kind::Probe,
            },
            about: None,
        });
    }
    step
}

fn release(item: &Item, step: &mut Step) {
    match item {
        Item::Message { body, .. } => {
            step.batch.release(*body);
        }
        Item::Report { .. } | Item::Probe { .. } => {}
    }
}

fn expire_report(key: &[u8], record: &OutboundRecord, apdu: &[u8]) -> Step {
    match Report::from_octets(apdu) {
        Ok(report) => {
            let mut step = leave(key, record, Departure::Expired);
            let mts_identifier = (*report.envelope.report_identifier).clone();
            step.effects.push(Effect::Discarded {
                kind: Kind::Report,
                mts_identifier,
                why: Discard::Expired,
            });
            step
        }
        Err(error) => put_aside(key, record, &error),
    }
}

/// Quarantines a copy whose octets are unreadable; its queue is shorter by it.
fn put_aside(key: &[u8], record: &OutboundRecord, error: &P1Error) -> Step {
    let mut step = unreadable(OUTBOUND, key, record, error);
    step.batch.delete(RESUME, key);
    step.effects.extend(leave(key, record, Departure::GivenUp).effects);
    step
}
