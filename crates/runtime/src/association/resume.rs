//! Interrupted transfers (X.218, X.228: recovery): what is kept when an association breaks, and how a transfer goes on
//! later, on this association or another one.

use std::sync::Arc;
use std::time::Duration;

use agent::record::Record;
use agent::{Failed, TransferFailure, TransferFailureKind};
use osi::failure::Layer;
use osi::rtse::{
    AbortReason, Aborted, InitialTurn, Interrupted, ReceiverState, ResumePoint, RtRequest,
    SessionConnectionIdentifier,
};
use osi::stack::RequestError;
use spool::CommitError;

use super::{Association, refusal_of};
use crate::events::EventKind;
use crate::line::{Message, Outgoing, Recover};
use crate::recovery::{Found, Interruption, Kept, Reception, ResumeRecord, TransferName, store};
use crate::status::{AssociationState, Role};

/// When a transfer is tried again that was interrupted because of a passing trouble of the receiver.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// How a transfer of ours was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The connection was lost.
    Lost,
    /// The association was aborted.
    Broken,
    /// By the peer or by us, on an association that goes on.
    Asked,
}

impl Association {
    /// How long an interrupted transfer may wait to be resumed; `None` if none is.
    pub(super) fn recovery_timeout(&self) -> Option<Duration> {
        let seconds = self.connector.rts.recovery_timeout_s;
        (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
    }

    /// The association has ended in the middle of a transfer that can be resumed.
    pub(super) async fn broken(&mut self, interrupted: Interrupted, aborted: &Aborted, text: &str) {
        match interrupted {
            Interrupted::Receiving(state) => self.park(state, true).await,
            Interrupted::Sending(point) if !is_verdict(aborted) && !self.is_declined(&point, aborted) => {
                let cause = if aborted.layer == Layer::Tcp { Cause::Lost } else { Cause::Broken };
                self.interrupted(point, cause, text, TransferFailureKind::Interrupted).await;
            }
            Interrupted::Sending(_) => {}
        }
    }

    /// Whether a transfer of ours was resumed and nothing of it was confirmed since.
    fn is_no_further(&self, point: &ResumePoint) -> bool {
        let resumed = self.outgoing.as_ref().and_then(|sending| sending.resumes.as_ref());
        resumed.is_some_and(|resumed| resumed.point.serial == point.serial)
    }

    /// Whether the connection was lost as well when it was tried before to resume it here.
    fn was_in_vain(&self) -> bool {
        let remembered = self.outgoing.as_ref().and_then(|sending| sending.outgoing.resume.as_ref());
        remembered.is_some_and(|resume| resume.in_vain)
    }

    /// Whether the peer's answer to the resumption of a transfer was to abort. Not every implementation has it.
    fn is_declined(&self, point: &ResumePoint, aborted: &Aborted) -> bool {
        let passing =
            |reason| matches!(reason, AbortReason::LOCAL_SYSTEM_PROBLEM | AbortReason::TEMPORARY_PROBLEM);
        let said = aborted.by_peer && aborted.layer != Layer::Tcp && !aborted.reason.is_some_and(passing);
        // Some close the connection and say nothing, as a network does that breaks. It would hardly do so each time.
        let lost = aborted.layer == Layer::Tcp && self.was_in_vain();
        (said || lost) && self.is_no_further(point)
    }

    /// A transfer was interrupted, the association goes on.
    pub(super) async fn transfer_interrupted(&mut self, interrupted: Interrupted, reason: Option<u8>) {
        match interrupted {
            Interrupted::Receiving(state) => {
                self.receives_nothing();
                self.park(state, false).await;
                self.registration.set_state(AssociationState::Idle);
            }
            Interrupted::Sending(point) => {
                let text = match reason {
                    Some(reason) => format!("the peer can't take it now (exception report, reason {reason})"),
                    None => "interrupted by this side".to_owned(),
                };
                match reason {
                    // Whatever it says by that, it may say it again each time that this is resumed.
                    Some(_) if self.is_no_further(&point) => {
                        self.transfer_failed(text, refusal_of(reason)).await;
                    }
                    Some(_) | None => {
                        self.interrupted(point, Cause::Asked, &text, refusal_of(reason)).await;
                    }
                }
                self.registration.set_state(AssociationState::Idle);
                self.idle(false).await;
            }
        }
    }

    /// Keeps where a transfer of ours was interrupted. As long as each interruption gets further than those before it,
    /// it is no failure.
    async fn interrupted(
        &mut self,
        point: ResumePoint,
        cause: Cause,
        text: &str,
        otherwise: TransferFailureKind,
    ) {
        let (Some(_), Some(connection)) =
            (self.recovery_timeout(), self.presence.as_ref().and_then(|presence| presence.name()).cloned())
        else {
            return self.transfer_failed(text.to_owned(), otherwise).await;
        };
        // The first time that the connection is lost when it is resumed, the network is blamed.
        let in_vain = cause == Cause::Lost && self.is_no_further(&point);
        let excused = in_vain && !self.was_in_vain();
        let Some(sending) = self.outgoing.take() else { return };
        let furthest = sending.outgoing.resume.as_ref().map_or(0, |record| record.furthest);
        let offset = point.offset;
        // Whoever stops has not failed.
        let gets_on = offset > furthest || self.stopping.is_some() || excused;
        let what = format!(
            "{} {} interrupted after {offset} of {} octets confirmed",
            sending.outgoing.record.item.kind(),
            sending.outgoing.record.mts_identifier,
            point.length
        );
        let interruption = match sending.resumes {
            // Nothing was confirmed since it was resumed, so the peer may not even know that it was.
            Some(resumed) if resumed.point.serial == point.serial => resumed,
            Some(_) | None => Interruption { connection: connection.clone(), point, digest: sending.digest },
        };
        let resume = ResumeRecord {
            interruption: Some(interruption),
            furthest: furthest.max(offset),
            at: self.shared.clocks.wall().unix(),
            in_vain,
        };
        let recover = (cause != Cause::Asked && self.role == Role::Initiator)
            .then_some(Recover { connection, turn: InitialTurn::Initiator });
        let Outgoing { taken, record, .. } = *sending.outgoing;
        let shared = Arc::clone(&self.shared);
        let (step, after) = if gets_on {
            (shared.agent().transfer_interrupted(taken.key(), resume.encode()), None)
        } else {
            let text = format!("{what}, no further than before: {text}");
            let failure = TransferFailure { kind: otherwise, text };
            match shared.agent().transfer_failed(
                shared.clocks.wall(),
                &shared.sequence,
                taken.key(),
                &record,
                &failure,
            ) {
                Failed::Retry { mut step, after, record: _ } => {
                    step.batch.put(agent::record::RESUME, taken.key(), resume.encode());
                    (step, Some(after))
                }
                Failed::Settled(step) => {
                    let text = format!("it is not tried again: {}", failure.text);
                    self.event(EventKind::TransferFailed, text);
                    return self.settled(taken, step).await;
                }
            }
        };
        match shared.commit(step).await {
            Ok(()) if after.is_none() => {
                self.event(EventKind::TransferInterrupted, format!("{what}: {text}"));
            }
            Ok(()) => {}
            // Settled by somebody else meanwhile.
            Err(CommitError::AssertionFailed { .. }) => return taken.gone(),
            Err(error) => return self.store_failed(taken, &error),
        }
        let key = taken.keep();
        let association = self.id;
        let message = match (cause, after) {
            (Cause::Lost | Cause::Broken, None) => {
                let further = !in_vain;
                Message::Interrupted { association, item: Some((key, resume)), recover, further }
            }
            (Cause::Asked, None) => Message::Retry { key, after: AFTER_TROUBLE, resume: Some(resume) },
            (Cause::Lost | Cause::Broken | Cause::Asked, Some(after)) => {
                Message::Retry { key, after, resume: Some(resume) }
            }
        };
        self.tell(message).await;
    }

    /// The peer does not know any more what we wanted to resume, or does not want it: the item is sent from its first
    /// octet, at once. That is no failure, since the interruption was none only because it got further than the last.
    pub(super) async fn resumption_refused(&mut self, outgoing: Outgoing, why: &str) {
        let Outgoing { taken, record, resume } = outgoing;
        self.event(
            EventKind::ResumptionRefused,
            format!(
                "{} {} will be sent from the beginning: {why}",
                record.item.kind(),
                record.mts_identifier
            ),
        );
        let resume = ResumeRecord {
            interruption: None,
            furthest: resume.as_ref().map_or(0, |resume| resume.furthest),
            at: resume.map_or_else(|| self.shared.clocks.wall().unix(), |resume| resume.at),
            in_vain: false,
        };
        let step = self.shared.agent().transfer_interrupted(taken.key(), resume.encode());
        match self.shared.commit(step).await {
            Ok(()) => {
                let key = taken.keep();
                self.tell(Message::Retry { key, after: Duration::ZERO, resume: Some(resume) }).await;
            }
            Err(CommitError::AssertionFailed { .. }) => taken.gone(),
            Err(error) => self.store_failed(taken, &error),
        }
    }

    /// Keeps a transfer of the peer's that was interrupted.
    async fn park(&mut self, receiver: ReceiverState, ends: bool) {
        let Some(mut receiving) = self.receiving.take() else { return };
        let Some(timeout) = self.recovery_timeout() else { return };
        let Some(presence) = &self.presence else { return };
        let Some(name) = presence.transfer(receiver.activity()) else { return };
        let octets = receiver.octets();
        if let Some(reason) = self.shared.spool.unhealthy_reason() {
            let text = format!(
                "a transfer in was interrupted after {octets} octets and can't be resumed: nothing is kept, {reason}"
            );
            return self.event(EventKind::InterruptedTransferDropped, text);
        }
        // The one by which it was resumed stays: a peer that never learned the newest uses that.
        let mut names = std::mem::take(&mut receiving.names);
        presence.keep_own(&mut names);
        if !names.contains(&name) {
            names.insert(0, name);
        }
        self.further |= receiving.resumed_at.is_some_and(|at| octets > at);
        let connection = presence.name().cloned();
        let now = self.shared.clocks.mono();
        let reception =
            Reception { receiver, receiving, normal_mode: self.normal_mode, at: self.shared.clocks.wall() };
        let dropped = self.shared.recovery.park(names, now + timeout, Kept::Here(Box::new(reception)));
        self.event(
            EventKind::TransferInterrupted,
            format!(
                "a transfer in on association {} was interrupted after {octets} octets; they are kept for {} s",
                self.number,
                timeout.as_secs()
            ),
        );
        store::discard(&self.shared, dropped, "too many are kept").await;
        if ends && self.role == Role::Initiator && self.stopping.is_none() {
            let recover = connection.map(|connection| Recover { connection, turn: InitialTurn::Responder });
            let (association, further) = (self.id, self.further);
            self.tell(Message::Interrupted { association, item: None, recover, further }).await;
        }
    }

    /// The peer wants to go on with a transfer that was interrupted.
    pub(super) async fn resume_asked(
        &mut self,
        activity: &[u8],
        connection: Option<SessionConnectionIdentifier>,
        serial: u32,
        resumed_as: &[u8],
    ) {
        self.registration.set_state(AssociationState::Receiving);
        let answer = match self.find(activity, connection, serial, resumed_as).await {
            Ok(Some(reception)) => return self.resume(reception).await,
            Ok(None) => RtRequest::ResumeCompleted,
            Err(why) => {
                let text = format!("a transfer in can't be resumed on association {}: {why}", self.number);
                self.event(EventKind::ResumptionRefused, text);
                RtRequest::ResumeRefuse
            }
        };
        self.registration.set_state(AssociationState::Idle);
        self.request_if_in_time(answer);
    }

    /// What was kept of a transfer; `None` if it had completed.
    async fn find(
        &mut self,
        activity: &[u8],
        connection: Option<SessionConnectionIdentifier>,
        serial: u32,
        resumed_as: &[u8],
    ) -> Result<Option<Reception>, String> {
        if self.recovery_timeout().is_none() {
            return Err("recovery is switched off for this connector".to_owned());
        }
        let Some(here) = self.presence.as_ref().and_then(|presence| presence.transfer(resumed_as)) else {
            return Err("the association has no name of its own".to_owned());
        };
        let mut name = here.clone();
        name.activity = activity.to_vec();
        if let Some(connection) = connection {
            name.connection = connection;
        }
        let shared = Arc::clone(&self.shared);
        let found = if name.connection == here.connection {
            shared.recovery.find_here(shared.clocks.mono(), &name)
        } else {
            tokio::select! {
                biased;
                found = shared.recovery.find(|| shared.clocks.mono(), &name) => found,
                () = self.entry.stop.given() => {
                    return Err("this side stops while another association has it".to_owned());
                }
            }
        };
        let mut reception = match found {
            Found::Parked(Kept::Here(reception)) => *reception,
            Found::Parked(Kept::Stored(key, record)) => store::restore(&shared, key, *record)
                .await
                .map_err(|error| format!("it can't be read from the store: {error}"))?,
            Found::Completed => {
                self.event(
                    EventKind::TransferResumed,
                    format!(
                        "a transfer in that the peer resumes on association {} had completed before",
                        self.number
                    ),
                );
                // It may be cut off once more, and asked for by its newest name.
                self.remember_completed(vec![here]);
                return Ok(None);
            }
            Found::Unknown => return Err("nothing is known of it (any more)".to_owned()),
        };
        if reception.normal_mode != self.normal_mode {
            return Err("it began in another mode".to_owned());
        }
        if !reception.receiver.knows(serial) {
            return Err(format!("checkpoint {serial} is not one of those at which it stopped"));
        }
        reception.receiving.names = vec![here, name];
        Ok(Some(reception))
    }

    async fn resume(&mut self, mut reception: Reception) {
        reception.receiving.resumed_at = Some(reception.receiver.octets());
        let Reception { receiver, receiving, normal_mode, at } = reception;
        let octets = receiver.octets();
        match self.link.request(RtRequest::ResumeAccept(Box::new(receiver.clone()))) {
            Ok(()) => {
                self.receives(&receiving.names).await;
                self.receiving = Some(receiving);
                let text =
                    format!("a transfer in goes on after {octets} octets on association {}", self.number);
                self.event(EventKind::TransferResumed, text);
            }
            // It has broken again before anything came of it.
            Err(RequestError::Ended { .. }) => {
                let Some(timeout) = self.recovery_timeout() else { return };
                let names = receiving.names.clone();
                let until = self.shared.clocks.mono() + timeout;
                let kept = Kept::Here(Box::new(Reception { receiver, receiving, normal_mode, at }));
                // It takes the place that it left: nothing has to go for it.
                drop(self.shared.recovery.park(names, until, kept));
            }
            Err(error) => {
                self.event(EventKind::ResumptionRefused, format!("a transfer in can't be resumed: {error}"));
                self.registration.set_state(AssociationState::Idle);
                self.request_if_in_time(RtRequest::ResumeRefuse);
            }
        }
    }

    /// A transfer in begins, or goes on, that the peer may call by these names, the first of which is new.
    pub(super) async fn receives(&mut self, names: &[TransferName]) {
        let Some(presence) = &self.presence else { return };
        let dropped = presence.receives(names);
        store::discard(&self.shared, dropped, "its name is used again").await;
    }

    /// The transfer in is stopped, and nobody need end this association for it.
    pub(super) fn receives_nothing(&self) {
        if let Some(presence) = &self.presence {
            presence.receives_nothing();
        }
    }

    /// Remembers that the transfer with these names is complete, for a peer that does not hear of it.
    pub(super) fn remember_completed(&self, mut names: Vec<TransferName>) {
        let (Some(timeout), Some(presence)) = (self.recovery_timeout(), &self.presence) else { return };
        presence.keep_own(&mut names);
        for name in names {
            self.shared.recovery.complete(name, self.shared.clocks.mono() + timeout);
        }
    }
}

/// Whether an abort by the peer says something about what was in transfer, rather than about the peer.
fn is_verdict(aborted: &Aborted) -> bool {
    aborted.by_peer
        && aborted.reason.is_some_and(|reason| match reason {
            AbortReason::LOCAL_SYSTEM_PROBLEM | AbortReason::TEMPORARY_PROBLEM => false,
            AbortReason(_) => true,
        })
}
