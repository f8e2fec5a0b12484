//! The receiving side of a transfer that is resumed: our user is asked whether it has the beginning, and what comes
//! before it has answered is held.

use alloc::vec::Vec;

use super::super::error::{RequestError, RtseError};
use super::super::event::RtpmAction;
use super::super::receiver::Receiver;
use super::super::resume::ReceiverState;
use super::super::service::RtIndication;
use super::{Open, Phase};
use crate::presentation::{PIndication, SyncIndication, SyncRequest};
use crate::session::{ActivityResume, ReasonCode};

/// Octets held while our user looks for the transfer. What comes in one piece is taken whatever its size, since it has
/// been taken by the layers below.
const HELD_OCTETS_MAX: usize = 256 * 1024;
/// Primitives held in that time.
const HELD_MAX: usize = 1024;

/// A resumed transfer that our user has not answered for.
#[derive(Clone, Debug)]
pub(in crate::rtse) struct Asked {
    /// The activity that takes the place of the interrupted one.
    activity: Vec<u8>,
    /// The checkpoint from which the sender goes on.
    serial: u32,
    held: Vec<PIndication>,
    octets: usize,
}

impl Asked {
    /// Keeps what came for when the answer is known.
    pub(super) fn hold(&mut self, indication: PIndication) -> Result<(), RtseError> {
        let octets = match &indication {
            PIndication::Data(values) => values.iter().map(|value| value.encoding.len()).sum(),
            PIndication::DataPart { parts, .. } => parts.iter().map(|part| part.octets.len()).sum(),
            PIndication::Sync(_)
            | PIndication::TokenPlease { .. }
            | PIndication::Connect(_)
            | PIndication::ConnectConfirm { .. }
            | PIndication::ConnectRejected { .. }
            | PIndication::ConnectRefusedByProvider { .. }
            | PIndication::ConnectRefusedBySession(_)
            | PIndication::Release { .. }
            | PIndication::ReleaseConfirm { .. }
            | PIndication::UAbort { .. }
            | PIndication::PAbort(_) => 0,
        };
        let sum = self.octets.saturating_add(octets);
        if (self.octets > 0 && sum > HELD_OCTETS_MAX) || self.held.len() >= HELD_MAX {
            return Err(RtseError::Held { octets: HELD_OCTETS_MAX });
        }
        self.octets = sum;
        self.held.push(indication);
        Ok(())
    }

    /// How the sender has to be answered if it has stopped the transfer since.
    fn stopped(&self) -> Option<SyncRequest> {
        match self.held.last() {
            Some(PIndication::Sync(SyncIndication::ActivityDiscard(_))) => {
                Some(SyncRequest::ActivityDiscardResponse)
            }
            Some(PIndication::Sync(SyncIndication::ActivityInterrupt(_))) => {
                Some(SyncRequest::ActivityInterruptResponse)
            }
            Some(_) | None => None,
        }
    }
}

impl Open<'_> {
    /// Asks our user.
    pub(super) fn ask_for_resumed(&mut self, resume: ActivityResume) {
        let ActivityResume { new_activity, old_activity, serial, old_connection } = resume;
        let asked = Asked { activity: new_activity.clone(), serial, held: Vec::new(), octets: 0 };
        *self.phase = Phase::ResumeAsked { asked };
        // Some name the connection in any case.
        let connection = old_connection.map(Into::into).filter(|old| self.connection != Some(old));
        let activity = old_activity;
        self.indicate(RtIndication::Resume { activity, connection, serial, resumed_as: new_activity });
    }

    pub(super) fn resume_accept(
        &mut self,
        state: ReceiverState,
        name: &'static str,
    ) -> Result<(), RequestError> {
        let asked = self.asked(name)?;
        let (form, window) = (self.settled.form(), self.settled.agreed.window_size);
        let receiver = Receiver::resume(state, asked.serial, asked.activity.clone(), &form, window)?;
        let phase = Phase::Receiving { receiver: Box::new(receiver), until: Some(self.patience()) };
        self.answered(phase);
        Ok(())
    }

    pub(super) fn resume_completed(&mut self, name: &'static str) -> Result<(), RequestError> {
        self.asked(name)?;
        let phase = Phase::Swallowing { until: self.patience() };
        self.answered(phase);
        Ok(())
    }

    pub(super) fn resume_refuse(&mut self, name: &'static str) -> Result<(), RequestError> {
        match self.asked(name)?.stopped() {
            // The sender was faster.
            Some(response) => self.given_up(response, None),
            None => {
                let until = self.patience();
                *self.phase = Phase::Refused { receiver: None, indicate: false, until };
                self.sync(SyncRequest::ExceptionReport(ReasonCode::UNRECOVERABLE_PROCEDURAL_ERROR));
            }
        }
        Ok(())
    }

    fn asked(&self, name: &'static str) -> Result<&Asked, RequestError> {
        match &*self.phase {
            Phase::ResumeAsked { asked } => Ok(asked),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => {
                Err(RequestError::OutOfState { request: name, state: self.phase.name() })
            }
        }
    }

    /// Goes to the phase in which what was held is taken, and has it come again.
    fn answered(&mut self, phase: Phase) {
        let Phase::ResumeAsked { asked } = core::mem::replace(self.phase, phase) else { return };
        if asked.stopped().is_none() {
            self.ask_for_turn_now();
        }
        self.out.extend(asked.held.into_iter().map(RtpmAction::Replay));
    }
}
