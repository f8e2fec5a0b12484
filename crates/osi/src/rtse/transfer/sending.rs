//! The side that sends: what its user asks for, and what the receiver answers.

use alloc::vec::Vec;

use ber::{Tag, Writer};

use super::super::apdu::RtseApdu;
use super::super::connection::SessionConnectionIdentifier;
use super::super::error::{RequestError, RtseError};
use super::super::event::RtpmAction;
use super::super::resume::{Interrupted, ResumePoint};
use super::super::sender::{Sender, Sent};
use super::super::service::RtIndication;
use super::{Open, Phase, Stop};
use crate::presentation::{PRequest, PValue, PresentationMode, SyncRequest};
use crate::session::{ActivityResume, ReasonCode};

impl Open<'_> {
    pub(super) fn transfer(&mut self, length: u64, name: &'static str) -> Result<(), RequestError> {
        self.may_send(name)?;
        let head = self.settled.head(length);
        let sender = Sender::new(self.config, &self.settled.agreed, head, length)?;
        let activity = self.settled.next_activity();
        self.sync(SyncRequest::ActivityStart { activity: activity.clone() });
        self.begin(sender.named(activity));
        Ok(())
    }

    pub(super) fn resume(
        &mut self,
        from: &ResumePoint,
        connection: Option<&SessionConnectionIdentifier>,
        name: &'static str,
    ) -> Result<(), RequestError> {
        self.may_send(name)?;
        let old_connection =
            match connection.filter(|connection| self.connection != Some(*connection)) {
                None => None,
                Some(other) => Some(other.to_old_connection().ok_or(RequestError::NotResumable {
                    problem: "its session connection has no full name",
                })?),
            };
        let sender = Sender::resume(self.config, &self.settled.agreed, from)?;
        let activity = self.settled.next_activity();
        self.sync(SyncRequest::ActivityResume(ActivityResume {
            new_activity: activity.clone(),
            old_activity: from.activity.clone(),
            serial: from.serial,
            old_connection,
        }));
        self.begin(sender.named(activity));
        Ok(())
    }

    /// Refuses what can only begin where nothing else is going on.
    fn may_send(&self, name: &'static str) -> Result<(), RequestError> {
        match &*self.phase {
            Phase::Ready if self.turn.is_ours() => Ok(()),
            Phase::Ready => Err(RequestError::NoTurn { request: name }),
            Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    fn begin(&mut self, mut sender: Sender) {
        let wanted = sender.want();
        *self.phase = Phase::Sending { sender: Box::new(sender), until: None };
        self.want(wanted);
    }

    fn want(&mut self, octets: Option<usize>) {
        if let Some(octets) = octets {
            self.indicate(RtIndication::SegmentWanted { octets });
        }
    }

    pub(super) fn segment(&mut self, octets: &[u8], name: &'static str) -> Result<(), RequestError> {
        let patience = self.patience();
        match &mut *self.phase {
            Phase::Sending { sender, until } => {
                match sender.segment(octets)? {
                    Sent::Checkpointed(data) => {
                        let wanted = sender.want();
                        *until = sender.is_blocked().then_some(patience);
                        self.rttr(data);
                        self.sync(SyncRequest::Minor);
                        self.want(wanted);
                    }
                    Sent::Part { start, octets, last: false } => {
                        let wanted = sender.want();
                        self.rttr_part(start, octets, false);
                        self.want(wanted);
                    }
                    Sent::Part { start, octets, last: true } => {
                        *self.phase = Phase::AwaitEndConfirm { sender: sender.clone(), until: patience };
                        self.rttr_part(start, octets, true);
                        self.sync(SyncRequest::ActivityEnd);
                    }
                    Sent::Last(data) => {
                        *self.phase = Phase::AwaitEndConfirm { sender: sender.clone(), until: patience };
                        self.rttr(data);
                        // No checkpoint: the end of the activity is one.
                        self.sync(SyncRequest::ActivityEnd);
                    }
                }
                Ok(())
            }
            // The user gave it before it knew that the transfer had been stopped.
            Phase::Discarding { .. } | Phase::Interrupting { .. } => Ok(()),
            Phase::Ready
            | Phase::AwaitEndConfirm { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    pub(super) fn cancel(&mut self, name: &'static str) -> Result<(), RequestError> {
        match &mut *self.phase {
            Phase::Sending { .. } | Phase::AwaitEndConfirm { .. } => {
                self.discard(None);
                Ok(())
            }
            // The user does not know yet that the transfer has been stopped.
            Phase::Discarding { .. } => Ok(()),
            Phase::Interrupting { point, .. } => {
                *point = None;
                Ok(())
            }
            Phase::Ready
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    pub(super) fn interrupt(&mut self, name: &'static str) -> Result<(), RequestError> {
        match &mut *self.phase {
            Phase::Sending { .. } | Phase::AwaitEndConfirm { .. } => {
                self.stop(None);
                Ok(())
            }
            Phase::Discarding { .. } | Phase::Interrupting { .. } => Ok(()),
            Phase::Ready
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    /// Interrupts the transfer, or discards it if no checkpoint is confirmed: there would be nothing to resume.
    fn stop(&mut self, reason: Option<u8>) {
        let (Phase::Sending { sender, .. } | Phase::AwaitEndConfirm { sender, .. }) = &*self.phase else {
            return;
        };
        let Some(point) = sender.point() else { return self.discard(reason) };
        let stop = self.phase.stop(reason);
        self.sync(SyncRequest::ActivityInterrupt(ReasonCode::NON_SPECIFIC));
        *self.phase = Phase::Interrupting { point: Some(point), stop, until: self.patience() };
    }

    fn discard(&mut self, reason: Option<u8>) {
        let stop = self.phase.stop(reason);
        self.sync(SyncRequest::ActivityDiscard(ReasonCode::NON_SPECIFIC));
        *self.phase = Phase::Discarding { stop, until: self.patience() };
    }

    /// ED, or ER without a reason.
    pub(super) fn exception(
        &mut self,
        reason: Option<ReasonCode>,
        name: &'static str,
    ) -> Result<(), RtseError> {
        let until = self.patience();
        match (&mut *self.phase, reason) {
            // These speak of a trouble of the receiver's that may pass.
            (
                Phase::Sending { .. } | Phase::AwaitEndConfirm { .. },
                Some(reason @ (ReasonCode::RECEIVING_ABILITY_JEOPARDIZED | ReasonCode::LOCAL_SS_USER_ERROR)),
            ) => self.stop(Some(reason.0)),
            (Phase::Sending { .. } | Phase::AwaitEndConfirm { .. }, reason) => {
                self.discard(reason.map(|reason| reason.0));
            }
            // On its way when the APDU was given up.
            (Phase::Discarding { .. } | Phase::Interrupting { .. }, _) => {}
            (Phase::Receiving { .. } | Phase::AwaitAcceptance { .. }, None) => {
                *self.phase = Phase::Refused { receiver: None, indicate: true, until };
            }
            (Phase::Refused { .. }, None) => {}
            (Phase::Receiving { .. } | Phase::AwaitAcceptance { .. } | Phase::Refused { .. }, Some(_))
            | (
                Phase::Ready
                | Phase::ResumeAsked { .. }
                | Phase::Swallowing { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
                _,
            ) => return self.unexpected(name),
        }
        Ok(())
    }

    pub(super) fn minor_confirm(&mut self, serial: u32, name: &'static str) -> Result<(), RtseError> {
        let patience = self.patience();
        match &mut *self.phase {
            Phase::Sending { sender, until } => {
                sender.confirm(serial);
                let wanted = sender.want();
                *until = sender.is_blocked().then_some(patience);
                self.want(wanted);
                Ok(())
            }
            Phase::AwaitEndConfirm { sender, until } => {
                sender.confirm(serial);
                *until = patience;
                Ok(())
            }
            // On its way when the APDU was stopped.
            Phase::Discarding { .. } | Phase::Interrupting { .. } => Ok(()),
            Phase::Ready
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn end_confirm(&mut self, name: &'static str) -> Result<(), RtseError> {
        match &mut *self.phase {
            Phase::AwaitEndConfirm { .. } => {
                *self.phase = Phase::Ready;
                self.indicate(RtIndication::TransferConfirm);
                Ok(())
            }
            // A peer that keeps to X.228 aborts as soon as it learns that the transfer was stopped, so there is nothing
            // to wait for.
            Phase::Discarding { stop: Stop { complete: true, .. }, .. }
            | Phase::Interrupting { stop: Stop { complete: true, .. }, .. } => {
                self.indicate(RtIndication::TransferConfirm);
                *self.phase = Phase::Ready;
                Err(RtseError::AcceptedAfterAll)
            }
            Phase::Discarding { stop: Stop { complete: false, .. }, .. }
            | Phase::Interrupting { stop: Stop { complete: false, .. }, .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn discard_confirm(&mut self, name: &'static str) -> Result<(), RtseError> {
        match &mut *self.phase {
            Phase::Discarding { stop: Stop { reason, .. }, .. } => {
                let reason = *reason;
                *self.phase = Phase::Ready;
                self.indicate(RtIndication::TransferFailed { reason });
                Ok(())
            }
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn interrupt_confirm(&mut self, name: &'static str) -> Result<(), RtseError> {
        match &mut *self.phase {
            Phase::Interrupting { point, stop: Stop { reason, .. }, .. } => {
                let reason = *reason;
                let indication = match point.take() {
                    Some(point) => RtIndication::TransferInterrupted {
                        interrupted: Box::new(Interrupted::Sending(point)),
                        reason,
                    },
                    None => RtIndication::TransferFailed { reason },
                };
                *self.phase = Phase::Ready;
                self.indicate(indication);
                Ok(())
            }
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    fn rttr(&mut self, octets: Vec<u8>) {
        let encoding = RtseApdu::Rttr(octets).encode_in(self.settled.mode());
        let value = PValue { context: self.settled.rtse_context(), encoding };
        self.out.push(RtpmAction::Presentation(PRequest::Data(Vec::from([value]))));
    }

    /// The next octets of an RTTR.
    fn rttr_part(&mut self, start: Option<u64>, octets: Vec<u8>, last: bool) {
        let head = |length| match self.settled.mode() {
            PresentationMode::Normal => {
                let mut head = Writer::new();
                head.header(Tag::OCTET_STRING, false, length);
                head.into_vec()
            }
            PresentationMode::X410 => Vec::new(),
        };
        let (start, octets) = match start {
            None => (None, octets),
            Some(length) => {
                let mut all = head(length);
                let length = length.saturating_add(all.len() as u64);
                all.extend_from_slice(&octets);
                (Some((self.settled.rtse_context(), length)), all)
            }
        };
        self.out.push(RtpmAction::Presentation(PRequest::DataPart { start, octets, last }));
    }
}
