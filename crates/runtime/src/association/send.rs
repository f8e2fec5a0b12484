//! Transfer out: the record in the form of the link, content streamed from the spool, removal once the peer has confirmed.

use std::sync::Arc;
use std::time::Duration;

use agent::record::{OUTBOUND, OutboundKey, OutboundRecord, RESUME, Rank, Record};
use agent::settings::{ConnectorSettings, TransferTimeouts};
use agent::{Failed, FormError, OnWire, Step, Telling, TransferFailure, TransferFailureKind, apdu_digest};
use mhs::p1::Stretch;
use osi::rtse::RtRequest;
use osi::stack::RequestError;
use spool::{CommitError, SpoolError};
use tokio::time::Instant;

use super::Association;
use crate::content;
use crate::events::EventKind;
use crate::ledger::{Caller, Resource};
use crate::line::{Message, Outgoing};
use crate::recovery::{Interruption, ResumeRecord};
use crate::shelter::sheltered;
use crate::status::AssociationState;
use crate::taken::Taken;
use crate::trials;

/// An item on its way out.
pub(super) struct Sending {
    pub(super) outgoing: Box<Outgoing>,
    /// [`apdu_digest`] of it.
    pub(super) digest: [u8; 32],
    /// What is resumed, if it does not begin at the first octet.
    pub(super) resumes: Option<Interruption>,
    /// The form in which it goes over this link.
    wire: OnWire,
    /// What message tracking tells of it once it has been transferred.
    telling: Option<Telling>,
    position: u64,
    /// What the transfer may take (X.400 connector setting, by priority and size).
    time_allowed: Duration,
    /// Set once RT-TRANSFER has been requested.
    deadline: Option<Instant>,
    /// Set once the protocol has all of it: when the peer's answer is due.
    answer_by: Option<Instant>,
    /// We have discarded it, for this reason; the peer's answer is awaited.
    given_up: Option<TransferFailure>,
}

impl Sending {
    fn new(
        outgoing: Box<Outgoing>,
        connector: &ConnectorSettings,
        is_p2: bool,
        is_tracked: bool,
        normal_mode: bool,
    ) -> Result<Sending, (Box<Outgoing>, FormError)> {
        let (wire, telling) = match connector.on_wire(&outgoing.record.item, is_p2, is_tracked) {
            Ok(form) => form,
            Err(error) => return Err((outgoing, error)),
        };
        let rank = OutboundKey::parse(outgoing.taken.key()).map_or(Rank::Normal, |key| key.rank);
        let time_allowed = time_allowed(&connector.transfer_timeout, rank, outgoing.record.size);
        let mode: &[u8] = if normal_mode { b"normal" } else { b"x410" };
        let digest = apdu_digest(mode, wire.header(), &outgoing.record.item);
        let mut sending = Sending {
            outgoing,
            digest,
            resumes: None,
            wire,
            telling,
            position: 0,
            time_allowed,
            deadline: None,
            answer_by: None,
            given_up: None,
        };
        let remembered = sending.outgoing.resume.as_ref().and_then(|resume| resume.interruption.clone());
        // What was changed since is another APDU, whose octets must not be put behind those of the first.
        sending.resumes = remembered.filter(|interruption| {
            interruption.digest == sending.digest && interruption.point.length == sending.length()
        });
        Ok(sending)
    }

    /// RT-TRANSFER is being requested.
    pub(super) fn start(&mut self) {
        self.deadline = Some(Instant::now() + self.time_allowed);
    }

    pub(super) fn is_started(&self) -> bool {
        self.deadline.is_some()
    }

    /// When the transfer, or the peer's answer, has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadline = self.deadline.filter(|_| self.given_up.is_none())?;
        Some(self.answer_by.map_or(deadline, |answer_by| answer_by.min(deadline)))
    }

    /// Whether nothing is left to be done but by the peer, who has to take responsibility.
    pub(super) fn awaits_answer(&self) -> bool {
        self.answer_by.is_some() && self.given_up.is_none()
    }

    /// Octets of the APDU.
    pub(super) fn length(&self) -> u64 {
        self.wire.length()
    }

    /// Priority with which the turn is asked for: 0 is the most urgent.
    pub(super) fn turn_priority(&self) -> u32 {
        OutboundKey::parse(self.outgoing.taken.key()).map_or(0, |key| u32::from(key.rank.octet()))
    }

    fn record(&self) -> &OutboundRecord {
        &self.outgoing.record
    }
}

impl Association {
    pub(super) async fn begin_transfer(&mut self, outgoing: Box<Outgoing>) {
        let matters = self.connector.speaks_1984();
        let is_p2 = match content::is_p2(&self.shared, &outgoing.record.item, matters).await {
            Ok(is_p2) => is_p2,
            // The disk may answer again; the message is tried again.
            Err(error) => {
                let failure = failure(TransferFailureKind::Postponed, error.to_string());
                self.settle_failure(outgoing, failure, false).await;
                return self.idle(false).await;
            }
        };
        let is_tracked = self.shared.agent().tracks();
        let noted = trials::in_hand(&self.shared, OUTBOUND, outgoing.taken.key()).await;
        let sending =
            sheltered(|| Sending::new(outgoing, &self.connector, is_p2, is_tracked, self.normal_mode));
        if let Some(noted) = noted {
            noted.survived().await;
        }
        let sending = match sending {
            Ok(sending) => sending,
            // The item counts it; the association has nothing to do with it.
            Err(panicked) => {
                let text = format!("association {}: no form for a transfer: {panicked}", self.number);
                self.event(EventKind::InternalError, text);
                return self.idle(false).await;
            }
        };
        match sending {
            Ok(sending) => {
                let remembered = sending.outgoing.resume.as_ref();
                if sending.resumes.is_none() && remembered.is_some_and(|resume| resume.interruption.is_some())
                {
                    let text = format!(
                        "{} {} is not what it was when it was interrupted; it is sent from the beginning",
                        sending.record().item.kind(),
                        sending.record().mts_identifier
                    );
                    self.event(EventKind::ResumptionRefused, text);
                }
                self.outgoing = Some(sending);
                self.proceed().await;
            }
            Err((outgoing, error)) => {
                let kind = match error {
                    FormError::Unreadable(_) => TransferFailureKind::RefusedPermanent,
                    FormError::Downgrade(_) => TransferFailureKind::WrongForm,
                };
                self.settle_failure(outgoing, failure(kind, error.to_string()), false).await;
                self.idle(false).await;
            }
        }
    }

    /// Answers the protocol's wish for the next octets.
    pub(super) async fn segment(&mut self, octets: usize) {
        let Some(sending) = &mut self.outgoing else {
            return self.defect("octets wanted, but nothing is in transfer");
        };
        let (timeouts, patience) = (&self.connector.transfer_timeout, self.progress.patience());
        let mut segment = Vec::with_capacity(octets);
        while segment.len() < octets {
            let wanted = octets - segment.len();
            let (body, offset, length) = match (sending.wire.at(sending.position), sending.wire.body()) {
                (Some(Stretch::Octets(part)), _) => {
                    let part = part.get(..wanted.min(part.len())).unwrap_or_default();
                    sending.position += part.len() as u64;
                    segment.extend_from_slice(part);
                    continue;
                }
                (Some(Stretch::Content { offset, length }), Some(body)) => (body, offset, length),
                (Some(Stretch::Content { .. }), None) | (None, _) => {
                    return self.defect("more octets wanted than the APDU has");
                }
            };
            let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(wanted);
            match self.shared.spool.read_body(body, offset, wanted).await {
                Ok(piece) if !piece.is_empty() => {
                    sending.position += piece.len() as u64;
                    segment.extend_from_slice(&piece);
                }
                Ok(_) => {
                    return self.cancel_transfer("the stored content is shorter than its envelope says");
                }
                Err(error @ (SpoolError::Damaged { .. } | SpoolError::NoSuchBody { .. })) => {
                    return self.cancel_transfer(&error.to_string());
                }
                // The disk may answer again; the message is tried again.
                Err(error) => return self.give_up(TransferFailureKind::Postponed, error.to_string()),
            }
        }
        if sending.position >= sending.length() {
            // For what is not sent yet as long as for any part of a message, and for the answer as for one KB more.
            let unsent = (self.link.unsent() + segment.len()) as u64;
            let rank = OutboundKey::parse(sending.outgoing.taken.key()).map_or(Rank::Normal, |key| key.rank);
            let time = time_allowed(timeouts, rank, unsent.saturating_add(1024));
            sending.answer_by = Some(Instant::now() + time.max(patience));
        }
        self.request_if_in_time(RtRequest::Segment(segment));
    }

    /// Asks for the transfer of what is to be sent.
    pub(super) async fn request_transfer(&mut self) {
        let Some(sending) = &mut self.outgoing else { return };
        let length = sending.length();
        let here = self.link.session_connection();
        let request = match &sending.resumes {
            None => RtRequest::Transfer { length },
            Some(Interruption { connection, point, digest: _ }) => {
                sending.position = point.offset;
                let connection = (here != Some(connection)).then(|| connection.clone());
                RtRequest::Resume { from: point.clone(), connection }
            }
        };
        match self.link.request(request) {
            // The last indication is on its way already and says why.
            Ok(()) | Err(RequestError::Ended { .. }) => {
                sending.start();
                self.registration.set_state(AssociationState::Sending);
                if sending.resumes.is_some() {
                    let text = format!(
                        "{} {}: the rest from octet {} of {length} on is offered on association {}",
                        sending.record().item.kind(),
                        sending.record().mts_identifier,
                        sending.position,
                        self.number
                    );
                    self.event(EventKind::ResumptionRequested, text);
                }
            }
            // Nothing was sent: this item can't go over an association like this one, others can.
            Err(error @ RequestError::TooLong { .. }) => {
                if let Some(sending) = self.outgoing.take() {
                    let failure = failure(TransferFailureKind::RefusedPermanent, error.to_string());
                    self.settle_failure(sending.outgoing, failure, false).await;
                }
                self.idle(false).await;
            }
            Err(error) => self.defect(&error.to_string()),
        }
    }

    fn cancel_transfer(&mut self, why: &str) {
        self.give_up(TransferFailureKind::RefusedPermanent, why.to_owned());
    }

    pub(super) fn transfer_timed_out(&mut self) {
        let Some(sending) = &self.outgoing else { return };
        let allowed = sending.time_allowed.as_secs();
        let why = if sending.deadline == sending.deadline() {
            format!("the transfer took longer than {allowed} s")
        } else {
            "the peer has all of it and did not confirm it in time".to_owned()
        };
        self.give_up(TransferFailureKind::TimedOut, why);
    }

    /// Discards the transfer in progress. What becomes of the item is decided by the peer's answer: it may have
    /// taken responsibility just before it heard of the discard.
    pub(super) fn give_up(&mut self, kind: TransferFailureKind, why: String) {
        if let Some(sending) = &mut self.outgoing {
            sending.given_up = Some(failure(kind, why));
        }
        self.request_if_in_time(RtRequest::TransferCancel);
    }

    pub(super) async fn transfer_confirmed(&mut self) {
        let Some(mut sending) = self.outgoing.take() else {
            return self.defect("a transfer was confirmed, but nothing is in transfer");
        };
        // One removal may be under way while the next message is transferred, never two.
        if let Some(removal) = self.removal.take() {
            let _ = removal.await;
        }
        self.shared.counters.transferred_out.add();
        let here = self.shared.clocks.wall().unix().saturating_sub(sending.record().arrived.unix());
        self.shared.times.transits.observe(Duration::from_secs(u64::try_from(here).unwrap_or(0)));
        self.registration.sent();
        self.registration.set_state(AssociationState::Idle);
        let resumed = sending.resumes.as_ref().map_or_else(String::new, |resumed| {
            format!(", resumed at octet {} of {}", resumed.point.offset, resumed.point.length)
        });
        self.event(
            EventKind::ObjectSent,
            format!(
                "{} {} sent on association {}{resumed}",
                sending.record().item.kind(),
                sending.record().mts_identifier,
                self.number
            ),
        );
        let shared = Arc::clone(&self.shared);
        let telling = sending.telling.take();
        let Outgoing { taken, record, .. } = *sending.outgoing;
        // The peer has it: whatever happens here, this process must not send it again.
        let key = taken.keep();
        let mut step = shared.agent().transferred(&key, &record, telling);
        step.batch.may_wait();
        let in_use = self.entry.in_use();
        let account = shared.ledger.account(Caller::Connector(&self.connector.name));
        let task = shared.ledger.hold(&account, Resource::Task, 1);
        self.removal = Some(tokio::spawn(async move {
            let _held = (in_use, task);
            if let Err(error) = shared.commit(step).await {
                shared.store_failed(&error);
            }
        }));
        self.idle(true).await;
    }

    /// The transfer in progress failed. The caller tells the connector what becomes of the association.
    pub(super) async fn transfer_failed(&mut self, text: String, kind: TransferFailureKind) {
        let Some(mut sending) = self.outgoing.take() else { return };
        if sending.resumes.is_some() && sending.given_up.is_none() && sending.is_started() {
            return self.resumption_refused(*sending.outgoing, &text).await;
        }
        let failure = match (sending.given_up.take(), sending.is_started()) {
            (Some(failure), _) => failure,
            (None, true) => failure(kind, text),
            (None, false) => {
                // Nothing of it was sent: as if it had never been taken.
                return;
            }
        };
        // The peer may have it, and only its answer is lost.
        let unanswered =
            failure.kind == TransferFailureKind::Interrupted && sending.position >= sending.length();
        self.settle_failure(sending.outgoing, failure, unanswered).await;
    }

    /// Lets go of an item whose transfer has not begun: the association is to end.
    pub(super) fn put_back_unsent(&mut self) {
        drop(self.outgoing.take_if(|sending| !sending.is_started()));
    }

    /// The transfer in progress may be interrupted, so that it can be resumed after a stop. As long as nothing is
    /// confirmed of it this discards it, which is no failure of it either.
    pub(super) fn interrupt_for_stop(&mut self) {
        if let Some(sending) = self.outgoing.as_mut().filter(|sending| sending.deadline().is_some()) {
            let why = "this side stops".to_owned();
            sending.given_up = Some(failure(TransferFailureKind::Postponed, why));
            self.request_if_in_time(RtRequest::TransferInterrupt);
        }
    }

    async fn settle_failure(&mut self, outgoing: Box<Outgoing>, failure: TransferFailure, unanswered: bool) {
        let Outgoing { taken, record, resume } = *outgoing;
        let shared = Arc::clone(&self.shared);
        let now = shared.clocks.wall();
        match shared.agent().transfer_failed(now, &shared.sequence, taken.key(), &record, &failure) {
            Failed::Retry { mut step, after, record: _ } => {
                let doubt = unanswered.then(|| ResumeRecord::unanswered(resume.as_ref(), now));
                if let Some(doubt) = &doubt {
                    step.batch.put(RESUME, taken.key(), doubt.encode());
                } else if resume.is_some() {
                    // Nothing that was interrupted is left at the peer.
                    step.batch.delete(RESUME, taken.key());
                }
                match shared.commit(step).await {
                    Ok(()) => {
                        let key = taken.keep();
                        self.tell(Message::Retry { key, after, resume: doubt }).await;
                    }
                    // Settled by somebody else meanwhile.
                    Err(CommitError::AssertionFailed { .. }) => taken.gone(),
                    Err(error) => self.store_failed(taken, &error),
                }
            }
            Failed::Settled(step) => {
                let (kind, id) = (record.item.kind(), &record.mts_identifier);
                let text = format!("{kind} {id} is not tried again: {}", failure.text);
                self.event(EventKind::TransferFailed, text);
                self.settled(taken, step).await;
            }
        }
    }

    /// The item leaves the queue by this step.
    pub(super) async fn settled(&mut self, taken: Taken, step: Step) {
        match self.shared.commit(step).await {
            Ok(()) => drop(taken.keep()),
            Err(CommitError::AssertionFailed { .. }) => taken.gone(),
            Err(error) => self.store_failed(taken, &error),
        }
    }

    /// What has become of an item can't be made durable. It stays taken: sent again it would fail again, for ever.
    pub(super) fn store_failed(&self, taken: Taken, error: &CommitError) {
        drop(taken.keep());
        self.shared.store_failed(error);
    }
}

fn failure(kind: TransferFailureKind, text: String) -> TransferFailure {
    TransferFailure { kind, text }
}

/// Seconds per KB begun of content; at most a year, which no transfer waits for.
fn time_allowed(timeouts: &TransferTimeouts, rank: Rank, octets: u64) -> Duration {
    let per_kb = match rank {
        Rank::Urgent => timeouts.urgent_s_per_kb,
        Rank::Normal => timeouts.normal_s_per_kb,
        Rank::NonUrgent => timeouts.non_urgent_s_per_kb,
    };
    let seconds = u64::from(per_kb).saturating_mul(octets.div_ceil(1024).max(1));
    Duration::from_secs(seconds.min(365 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_a_transfer_grows_with_its_size_by_priority() {
        let timeouts = TransferTimeouts::default();
        let allowed = |rank, octets| time_allowed(&timeouts, rank, octets).as_secs();
        assert_eq!(
            [Rank::Urgent, Rank::Normal, Rank::NonUrgent].map(|rank| allowed(rank, 1)),
            [1000, 2000, 3000]
        );
        assert_eq!(
            [0, 1024, 1025, 10 << 10].map(|octets| allowed(Rank::Urgent, octets)),
            [1000, 1000, 2000, 10_000]
        );
        let other = TransferTimeouts { urgent_s_per_kb: 7, ..timeouts };
        assert_eq!(time_allowed(&other, Rank::Urgent, 3000), Duration::from_secs(21));
        assert_eq!(allowed(Rank::NonUrgent, u64::MAX), 365 * 86_400, "and no more than a year");
    }
}
