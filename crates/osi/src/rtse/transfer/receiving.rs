//! The side that receives: what the sender does, and what our user answers.

use alloc::vec::Vec;

use super::super::apdu::RtseApdu;
use super::super::error::{RequestError, RtseError};
use super::super::open::Settled;
use super::super::receiver::{Answer, Receiver};
use super::super::segment::RttrReader;
use super::super::service::RtIndication;
use super::{Open, Phase};
use crate::presentation::{PIndication, PPart, PValue, PresentationMode, SyncIndication, SyncRequest};
use crate::session::{ActivityResume, ReasonCode};

impl Open<'_> {
    pub(super) fn activity_start(&mut self, activity: Vec<u8>, name: &'static str) -> Result<(), RtseError> {
        self.may_begin(name)?;
        self.turn.transfer_begins();
        let receiver = Receiver::new(activity, self.settled.form(), self.settled.agreed.window_size);
        *self.phase = Phase::Receiving { receiver: Box::new(receiver), until: Some(self.patience()) };
        self.indicate(RtIndication::TransferStart);
        Ok(())
    }

    pub(super) fn activity_resume(
        &mut self,
        resume: ActivityResume,
        name: &'static str,
    ) -> Result<(), RtseError> {
        self.may_begin(name)?;
        self.turn.transfer_begins();
        self.ask_for_resumed(resume);
        Ok(())
    }

    /// Refuses an activity that begins where the peer can begin none.
    fn may_begin(&self, name: &'static str) -> Result<(), RtseError> {
        match &*self.phase {
            Phase::Ready if !self.turn.is_ours() => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
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

    pub(super) fn data(&mut self, values: Vec<PValue>) -> Result<(), RtseError> {
        let patience = self.patience();
        match &mut *self.phase {
            Phase::Receiving { receiver, until } => {
                let segments: Vec<_> =
                    values.into_iter().map(|value| segment(self.settled, value)).collect::<Result<_, _>>()?;
                let mut apdu = Vec::new();
                for octets in segments {
                    receiver.data(&octets, &mut apdu)?;
                }
                if until.is_some() {
                    *until = Some(patience);
                }
                if !apdu.is_empty() {
                    self.indicate(RtIndication::TransferData(apdu));
                }
                Ok(())
            }
            Phase::ResumeAsked { asked } => asked.hold(PIndication::Data(values)),
            Phase::Swallowing { until } => {
                *until = patience;
                Ok(())
            }
            // What was on its way when the exception was reported.
            Phase::Refused { .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected("P-DATA indication"),
        }
    }

    pub(super) fn data_part(&mut self, parts: Vec<PPart>, first: bool, last: bool) -> Result<(), RtseError> {
        let patience = self.patience();
        match &mut *self.phase {
            Phase::Receiving { receiver, until } => {
                if first {
                    receiver.arriving = RttrReader::default();
                }
                let mut apdu = Vec::new();
                for part in parts {
                    let octets = segment_part(self.settled, &mut receiver.arriving, part)?;
                    receiver.data(&octets, &mut apdu)?;
                }
                if until.is_some() {
                    *until = Some(patience);
                }
                if !apdu.is_empty() {
                    self.indicate(RtIndication::TransferData(apdu));
                }
                Ok(())
            }
            Phase::ResumeAsked { asked } => asked.hold(PIndication::DataPart { parts, first, last }),
            Phase::Swallowing { until } => {
                *until = patience;
                Ok(())
            }
            // What was on its way when the exception was reported.
            Phase::Refused { .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected("P-DATA indication"),
        }
    }

    pub(super) fn minor(&mut self, serial: u32, confirm: bool, name: &'static str) -> Result<(), RtseError> {
        let patience = self.patience();
        match &mut *self.phase {
            Phase::Receiving { until, .. } if !confirm => {
                *until = until.map(|_| patience);
                Ok(())
            }
            Phase::Receiving { receiver, until } => {
                match receiver.checkpoint(serial) {
                    Answer::User => {
                        *until = None;
                        self.indicate(RtIndication::Checkpoint { serial });
                    }
                    Answer::Known => {
                        *until = until.map(|_| patience);
                        self.sync(SyncRequest::MinorResponse { serial });
                    }
                }
                Ok(())
            }
            Phase::ResumeAsked { asked } => {
                asked.hold(PIndication::Sync(SyncIndication::Minor { serial, confirm }))
            }
            Phase::Swallowing { until } => {
                *until = patience;
                if confirm {
                    self.sync(SyncRequest::MinorResponse { serial });
                }
                Ok(())
            }
            Phase::Refused { .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn activity_end(&mut self, serial: u32, name: &'static str) -> Result<(), RtseError> {
        match &mut *self.phase {
            Phase::Receiving { receiver, .. } => {
                receiver.finish()?;
                *self.phase = Phase::AwaitAcceptance { receiver: receiver.clone() };
                self.indicate(RtIndication::TransferEnd);
                Ok(())
            }
            Phase::ResumeAsked { asked } => {
                asked.hold(PIndication::Sync(SyncIndication::ActivityEnd { serial }))
            }
            Phase::Swallowing { .. } => {
                self.completed();
                Ok(())
            }
            Phase::Refused { .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn activity_discard(
        &mut self,
        reason: ReasonCode,
        name: &'static str,
    ) -> Result<(), RtseError> {
        match &mut *self.phase {
            Phase::Receiving { .. } | Phase::AwaitAcceptance { .. } | Phase::Refused { .. } => {
                let known = !matches!(self.phase, Phase::Refused { indicate: false, .. });
                self.given_up(
                    SyncRequest::ActivityDiscardResponse,
                    known.then_some(RtIndication::TransferDiscarded),
                );
                Ok(())
            }
            Phase::ResumeAsked { asked } => {
                asked.hold(PIndication::Sync(SyncIndication::ActivityDiscard(reason)))
            }
            // X.228 has an abort with a reason of its own for what was accepted before.
            Phase::Swallowing { .. } => Err(RtseError::GivenUpTooLate),
            Phase::Ready if self.turn.has_completed() => Err(RtseError::GivenUpTooLate),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn activity_interrupt(
        &mut self,
        reason: ReasonCode,
        name: &'static str,
    ) -> Result<(), RtseError> {
        match &mut *self.phase {
            Phase::Receiving { .. } | Phase::AwaitAcceptance { .. } | Phase::Refused { .. } => {
                let known = !matches!(self.phase, Phase::Refused { indicate: false, .. });
                let indication = match self.phase.interrupted() {
                    Some(interrupted) => {
                        let interrupted = Box::new(interrupted);
                        Some(RtIndication::TransferInterrupted { interrupted, reason: None })
                    }
                    // The sender can't come back to it.
                    None => known.then_some(RtIndication::TransferDiscarded),
                };
                self.given_up(SyncRequest::ActivityInterruptResponse, indication);
                Ok(())
            }
            Phase::ResumeAsked { asked } => {
                asked.hold(PIndication::Sync(SyncIndication::ActivityInterrupt(reason)))
            }
            Phase::Swallowing { .. } => Err(RtseError::GivenUpTooLate),
            Phase::Ready if self.turn.has_completed() => Err(RtseError::GivenUpTooLate),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn checkpoint_secured(&mut self, serial: u32, name: &'static str) -> Result<(), RequestError> {
        let patience = self.patience();
        match &mut *self.phase {
            Phase::Receiving { receiver, until } => {
                receiver.secure(serial)?;
                *until = (!receiver.owes_confirmation()).then_some(patience);
                self.sync(SyncRequest::MinorResponse { serial });
                Ok(())
            }
            // The acceptance of the whole will confirm it.
            Phase::AwaitAcceptance { .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    pub(super) fn accept(&mut self, name: &'static str) -> Result<(), RequestError> {
        match &*self.phase {
            Phase::AwaitAcceptance { .. } => {
                self.completed();
                Ok(())
            }
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    pub(super) fn refuse(&mut self, transient: bool, name: &'static str) -> Result<(), RequestError> {
        let until = self.patience();
        match &*self.phase {
            Phase::Receiving { receiver, .. } | Phase::AwaitAcceptance { receiver } => {
                let receiver = transient.then(|| receiver.clone());
                *self.phase = Phase::Refused { receiver, indicate: true, until };
                self.sync(SyncRequest::ExceptionReport(refusal(transient)));
                Ok(())
            }
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    /// The responsibility for the peer's APDU is ours.
    fn completed(&mut self) {
        self.sync(SyncRequest::ActivityEndResponse);
        *self.phase = Phase::Ready;
        self.transfer_ended(true);
    }

    /// The sender stopped its transfer.
    pub(super) fn given_up(&mut self, response: SyncRequest, indication: Option<RtIndication>) {
        *self.phase = Phase::Ready;
        self.sync(response);
        if let Some(indication) = indication {
            self.indicate(indication);
        }
        self.transfer_ended(false);
    }
}

/// Reason of the exception report by which an APDU is refused. X.228 lets the sender give an APDU up for good on
/// 6, and try again on the others.
fn refusal(transient: bool) -> ReasonCode {
    if transient { ReasonCode::LOCAL_SS_USER_ERROR } else { ReasonCode::UNRECOVERABLE_PROCEDURAL_ERROR }
}

/// The octets of an RTTR, which in X.410 mode has nothing around them.
fn segment(settled: &Settled, value: PValue) -> Result<Vec<u8>, RtseError> {
    let primitive = "P-DATA indication";
    if !settled.is_rtse(value.context) {
        return Err(RtseError::Context { primitive, context: value.context });
    }
    match settled.mode() {
        PresentationMode::Normal => {}
        PresentationMode::X410 => return Ok(value.encoding),
    }
    match RtseApdu::decode(&value.encoding) {
        Ok(RtseApdu::Rttr(octets)) => Ok(octets),
        Ok(
            found @ (RtseApdu::Rtorq(_)
            | RtseApdu::Rtoac(_)
            | RtseApdu::Rtorj(_)
            | RtseApdu::Rttp(_)
            | RtseApdu::Rtab(_)),
        ) => Err(RtseError::WrongApdu { primitive, found: found.name(), expected: "RTTR" }),
        Err(source) => Err(RtseError::Malformed { primitive, source }),
    }
}

/// The same of a piece of one.
fn segment_part(settled: &Settled, arriving: &mut RttrReader, part: PPart) -> Result<Vec<u8>, RtseError> {
    let PPart { context, octets, last } = part;
    if !settled.is_rtse(context) {
        return Err(RtseError::Context { primitive: "P-DATA indication", context });
    }
    match settled.mode() {
        PresentationMode::Normal => {}
        PresentationMode::X410 => return Ok(octets),
    }
    let mut segment = Vec::new();
    arriving.take(&octets, last, &mut segment)?;
    Ok(segment)
}
