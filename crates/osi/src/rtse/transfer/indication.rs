//! What the peer may do while the association is open.

use alloc::vec::Vec;

use clock::MonoTime;

use super::super::apdu::RtseApdu;
use super::super::config::RtseConfig;
use super::super::error::RtseError;
use super::super::machine::RtpmAction;
use super::super::names::sync_name;
use super::super::open::Settled;
use super::super::service::{DialogueMode, RtIndication};
use super::{Phase, Turn, indicate, sync, want};
use crate::presentation::{PIndication, PValue, PresentationMode, SyncIndication, SyncRequest};
use crate::session::ReasonCode;

impl Phase {
    /// Takes what the presentation layer says.
    pub(in crate::rtse) fn indication(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &Settled,
        turn: &mut Turn,
        indication: PIndication,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let patience = now + config.transfer_timeout;
        match indication {
            PIndication::Data(values) => self.data(patience, settled, values, out),
            PIndication::Sync(event) => self.sync(now, config, settled, turn, event, out),
            PIndication::TokenPlease { user_data } => turn_please(settled, turn.is_ours(), user_data, out),
            // These go to association control and never come here.
            PIndication::Connect(_)
            | PIndication::ConnectConfirm { .. }
            | PIndication::ConnectRejected { .. }
            | PIndication::ConnectRefusedByProvider { .. }
            | PIndication::ConnectRefusedBySession(_)
            | PIndication::Release { .. }
            | PIndication::ReleaseConfirm { .. }
            | PIndication::UAbort { .. }
            | PIndication::PAbort(_) => self.unexpected("primitive of association control"),
        }
    }

    fn data(
        &mut self,
        patience: MonoTime,
        settled: &Settled,
        values: Vec<PValue>,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        match self {
            Phase::Receiving { receiver, until } => {
                let mut apdu = Vec::new();
                for value in values {
                    receiver.data(&segment(settled, value)?, &mut apdu)?;
                }
                if !apdu.is_empty() {
                    indicate(out, RtIndication::TransferData(apdu));
                }
                if until.is_some() {
                    *until = Some(patience);
                }
                Ok(())
            }
            // What was on its way when the exception was reported.
            Phase::Refused { .. } => Ok(()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::AwaitAcceptance
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected("P-DATA indication"),
        }
    }

    fn sync(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &Settled,
        turn: &mut Turn,
        event: SyncIndication,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let name = sync_name(&event);
        let patience = now + config.transfer_timeout;
        match (event, &mut *self) {
            (SyncIndication::ActivityStart { .. }, Phase::Ready) if !turn.is_ours() => {
                turn.transfer_begins();
                let receiver = settled.receiver();
                *self = Phase::Receiving { receiver, until: Some(patience) };
                indicate(out, RtIndication::TransferStart);
            }
            (SyncIndication::ActivityResume(_), Phase::Ready) if !turn.is_ours() => {
                turn.transfer_begins();
                // Nothing is kept of interrupted activities.
                sync(out, SyncRequest::ExceptionReport(ReasonCode::UNRECOVERABLE_PROCEDURAL_ERROR));
                *self = Phase::Refused { indicate: false, until: patience };
            }
            (SyncIndication::Minor { serial, confirm }, Phase::Receiving { receiver, until }) => {
                if confirm {
                    receiver.checkpoint(serial);
                    *until = None;
                    indicate(out, RtIndication::Checkpoint { serial });
                } else if until.is_some() {
                    *until = Some(patience);
                }
            }
            (SyncIndication::ActivityEnd { .. }, Phase::Receiving { receiver, .. }) => {
                receiver.finish()?;
                *self = Phase::AwaitAcceptance;
                indicate(out, RtIndication::TransferEnd);
            }
            (
                SyncIndication::ActivityDiscard(_),
                Phase::Receiving { .. } | Phase::AwaitAcceptance | Phase::Refused { .. },
            ) => {
                self.given_up(SyncRequest::ActivityDiscardResponse, out);
                turn.transfer_ended(now, config, settled, false, out);
            }
            // Without resuming, an interrupt comes to the same.
            (
                SyncIndication::ActivityInterrupt(_),
                Phase::Receiving { .. } | Phase::AwaitAcceptance | Phase::Refused { .. },
            ) => {
                self.given_up(SyncRequest::ActivityInterruptResponse, out);
                turn.transfer_ended(now, config, settled, false, out);
            }
            // It crossed the acceptance of the APDU. X.228 has an abort with a reason of its own for this.
            (SyncIndication::ActivityDiscard(_) | SyncIndication::ActivityInterrupt(_), Phase::Ready)
                if matches!(turn, Turn::Theirs(theirs) if theirs.completed) =>
            {
                return Err(RtseError::GivenUpTooLate);
            }
            (SyncIndication::MinorConfirm { serial }, Phase::Sending { sender, until }) => {
                sender.confirm(serial);
                want(sender, out);
                *until = sender.is_blocked().then_some(patience);
            }
            (SyncIndication::MinorConfirm { .. }, Phase::AwaitEndConfirm { until }) => *until = patience,
            (SyncIndication::ActivityEndConfirm, Phase::AwaitEndConfirm { .. }) => {
                *self = Phase::Ready;
                indicate(out, RtIndication::TransferConfirm);
            }
            (
                SyncIndication::ExceptionReport(ReasonCode(reason)),
                Phase::Sending { .. } | Phase::AwaitEndConfirm { .. },
            ) => {
                sync(out, SyncRequest::ActivityDiscard(ReasonCode::NON_SPECIFIC));
                *self = Phase::Discarding { reason: Some(reason), complete: false, until: patience };
            }
            (
                SyncIndication::ProviderExceptionReport,
                Phase::Sending { .. } | Phase::AwaitEndConfirm { .. },
            ) => {
                sync(out, SyncRequest::ActivityDiscard(ReasonCode::NON_SPECIFIC));
                *self = Phase::Discarding { reason: None, complete: false, until: patience };
            }
            (SyncIndication::ProviderExceptionReport, Phase::Receiving { .. } | Phase::AwaitAcceptance) => {
                *self = Phase::Refused { indicate: true, until: patience };
            }
            (SyncIndication::ActivityDiscardConfirm, Phase::Discarding { reason, .. }) => {
                let reason = *reason;
                *self = Phase::Ready;
                indicate(out, RtIndication::TransferFailed { reason });
            }
            (SyncIndication::ControlGive, Phase::Ready)
                if !turn.is_ours() && settled.agreed.dialogue_mode == DialogueMode::TwoWayAlternate =>
            {
                *turn = Turn::Ours;
                indicate(out, RtIndication::TurnGive);
            }
            (SyncIndication::ControlGiven, Phase::AwaitTurnTaken { .. }) => {
                *turn = Turn::theirs();
                *self = Phase::Ready;
                indicate(out, RtIndication::TurnGiven);
            }
            // A peer that keeps to X.228 aborts as soon as it learns of the discard, so there is nothing to wait for.
            (SyncIndication::ActivityEndConfirm, Phase::Discarding { complete: true, .. }) => {
                indicate(out, RtIndication::TransferConfirm);
                return Err(RtseError::AcceptedAfterAll);
            }
            // What was on its way when the APDU was given up.
            (
                SyncIndication::MinorConfirm { .. }
                | SyncIndication::ExceptionReport(_)
                | SyncIndication::ProviderExceptionReport,
                Phase::Discarding { .. },
            )
            | (SyncIndication::ActivityEndConfirm, Phase::Discarding { complete: false, .. })
            | (
                SyncIndication::Minor { .. }
                | SyncIndication::ActivityEnd { .. }
                | SyncIndication::ProviderExceptionReport,
                Phase::Refused { .. },
            ) => {}
            (
                SyncIndication::ActivityStart { .. }
                | SyncIndication::ActivityResume(_)
                | SyncIndication::ControlGive,
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::Minor { .. } | SyncIndication::ActivityEnd { .. },
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::AwaitAcceptance
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::ActivityDiscard(_) | SyncIndication::ActivityInterrupt(_),
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::MinorConfirm { .. },
                Phase::Ready
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::ActivityEndConfirm,
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::ExceptionReport(_),
                Phase::Ready
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::ProviderExceptionReport,
                Phase::Ready | Phase::AwaitTurnTaken { .. } | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::ActivityDiscardConfirm,
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            )
            | (
                SyncIndication::ControlGiven,
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitRelease { .. },
            )
            // We never interrupt.
            | (
                SyncIndication::ActivityInterruptConfirm,
                Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. },
            ) => return self.unexpected(name),
        }
        Ok(())
    }

    /// The sender gave its APDU up.
    fn given_up(&mut self, response: SyncRequest, out: &mut Vec<RtpmAction>) {
        let known = !matches!(self, Phase::Refused { indicate: false, .. });
        *self = Phase::Ready;
        sync(out, response);
        if known {
            indicate(out, RtIndication::TransferDiscarded);
        }
    }

    fn unexpected(&self, event: &'static str) -> Result<(), RtseError> {
        Err(RtseError::Unexpected { event, state: self.name() })
    }
}

fn turn_please(
    settled: &Settled,
    turn: bool,
    user_data: Vec<PValue>,
    out: &mut Vec<RtpmAction>,
) -> Result<(), RtseError> {
    let primitive = "P-TOKEN-PLEASE indication";
    let priority = match user_data.into_iter().next() {
        // Asked for without a word on how urgently.
        None => u32::MAX,
        Some(value) => {
            if !settled.is_rtse(value.context) {
                return Err(RtseError::Context { primitive, context: value.context });
            }
            match RtseApdu::decode(&value.encoding) {
                Ok(RtseApdu::Rttp(priority)) => u32::try_from(priority.max(0)).unwrap_or(u32::MAX),
                Ok(
                    found @ (RtseApdu::Rtorq(_)
                    | RtseApdu::Rtoac(_)
                    | RtseApdu::Rtorj(_)
                    | RtseApdu::Rttr(_)
                    | RtseApdu::Rtab(_)),
                ) => return Err(RtseError::WrongApdu { primitive, found: found.name(), expected: "RTTP" }),
                Err(source) => return Err(RtseError::Malformed { primitive, source }),
            }
        }
    };
    // One that asks in monologue asks in vain; one whose question met the turn on its way has it already.
    if turn && settled.agreed.dialogue_mode == DialogueMode::TwoWayAlternate {
        indicate(out, RtIndication::TurnPlease { priority });
    }
    Ok(())
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
