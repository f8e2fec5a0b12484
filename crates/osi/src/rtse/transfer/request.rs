//! What the user may ask for while the association is open.

use alloc::vec::Vec;

use clock::MonoTime;

use super::super::apdu::RtseApdu;
use super::super::config::RtseConfig;
use super::super::error::RequestError;
use super::super::machine::RtpmAction;
use super::super::open::Settled;
use super::super::sender::{Sender, Sent};
use super::super::service::{DialogueMode, RtRequest};
use super::{Phase, Turn, sync, want};
use crate::presentation::{PRequest, PValue, SyncRequest};
use crate::session::ReasonCode;

impl Phase {
    /// Carries out a request that concerns a transfer or the turn.
    #[allow(clippy::too_many_arguments, reason = "the parts of one state, borrowed from the machine")]
    pub(in crate::rtse) fn request(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &mut Settled,
        turn: &mut Turn,
        request: RtRequest,
        name: &'static str,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RequestError> {
        let patience = now + config.transfer_timeout;
        let out_of_state =
            |phase: &Phase| Err(RequestError::OutOfState { request: name, state: phase.name() });
        match (request, &mut *self) {
            (RtRequest::Transfer { length }, Phase::Ready) => {
                if !turn.is_ours() {
                    return Err(RequestError::NoTurn { request: name });
                }
                let mut sender = Sender::new(config, &settled.agreed, settled.head(length), length)?;
                sync(out, SyncRequest::ActivityStart { activity: settled.next_activity() });
                want(&mut sender, out);
                *self = Phase::Sending { sender, until: None };
                Ok(())
            }
            (RtRequest::Segment(octets), Phase::Sending { sender, until }) => {
                match sender.segment(&octets)? {
                    Sent::Checkpointed(data) => {
                        out.push(rttr(settled, data));
                        sync(out, SyncRequest::Minor);
                        want(sender, out);
                        *until = sender.is_blocked().then_some(patience);
                    }
                    Sent::Last(data) => {
                        out.push(rttr(settled, data));
                        // No checkpoint: the end of the activity is one.
                        sync(out, SyncRequest::ActivityEnd);
                        *self = Phase::AwaitEndConfirm { until: patience };
                    }
                }
                Ok(())
            }
            // The user gave it before it knew that the transfer had failed.
            (RtRequest::Segment(_) | RtRequest::TransferCancel, Phase::Discarding { .. }) => Ok(()),
            (RtRequest::TransferCancel, Phase::Sending { .. } | Phase::AwaitEndConfirm { .. }) => {
                sync(out, SyncRequest::ActivityDiscard(ReasonCode::NON_SPECIFIC));
                let complete = matches!(self, Phase::AwaitEndConfirm { .. });
                *self = Phase::Discarding { reason: None, complete, until: patience };
                Ok(())
            }
            (RtRequest::CheckpointSecured { serial }, Phase::Receiving { receiver, until }) => {
                receiver.secure(serial)?;
                sync(out, SyncRequest::MinorResponse { serial });
                *until = (!receiver.owes_confirmation()).then_some(patience);
                Ok(())
            }
            // The acceptance of the whole will confirm it.
            (RtRequest::CheckpointSecured { .. }, Phase::AwaitAcceptance) => Ok(()),
            (RtRequest::TransferAccept, Phase::AwaitAcceptance) => {
                sync(out, SyncRequest::ActivityEndResponse);
                *self = Phase::Ready;
                turn.transfer_ended(now, config, settled, true, out);
                Ok(())
            }
            (RtRequest::TransferRefuse { transient }, Phase::Receiving { .. } | Phase::AwaitAcceptance) => {
                sync(out, SyncRequest::ExceptionReport(refusal(transient)));
                *self = Phase::Refused { indicate: true, until: patience };
                Ok(())
            }
            (
                RtRequest::TurnPlease { priority },
                Phase::Ready | Phase::Receiving { .. } | Phase::AwaitAcceptance,
            ) => {
                two_way(settled, name)?;
                let Turn::Theirs(theirs) = turn else { return Err(RequestError::HasTurn) };
                theirs.ask(now, config, settled, priority, out);
                Ok(())
            }
            (RtRequest::TurnPlease { priority }, Phase::Refused { .. }) => {
                two_way(settled, name)?;
                let Turn::Theirs(theirs) = turn else { return Err(RequestError::HasTurn) };
                theirs.ask_later(priority);
                Ok(())
            }
            (RtRequest::TurnGive, Phase::Ready) => {
                two_way(settled, name)?;
                if !turn.is_ours() {
                    return Err(RequestError::NoTurn { request: name });
                }
                sync(out, SyncRequest::ControlGive);
                *self = Phase::AwaitTurnTaken { until: now + config.turn_timeout };
                Ok(())
            }
            (
                RtRequest::Transfer { .. },
                phase @ (Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::Segment(_),
                phase @ (Phase::Ready
                | Phase::AwaitEndConfirm { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::TransferCancel,
                phase @ (Phase::Ready
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::CheckpointSecured { .. },
                phase @ (Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::TransferAccept,
                phase @ (Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Receiving { .. }
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::TransferRefuse { .. },
                phase @ (Phase::Ready
                | Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::TurnPlease { .. },
                phase @ (Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            )
            | (
                RtRequest::TurnGive,
                phase @ (Phase::Sending { .. }
                | Phase::AwaitEndConfirm { .. }
                | Phase::Discarding { .. }
                | Phase::Receiving { .. }
                | Phase::AwaitAcceptance
                | Phase::Refused { .. }
                | Phase::AwaitTurnTaken { .. }
                | Phase::AwaitRelease { .. }),
            ) => out_of_state(phase),
            (
                RtRequest::TransferInterrupt
                | RtRequest::Resume { .. }
                | RtRequest::ResumeAccept(_)
                | RtRequest::ResumeRefuse
                | RtRequest::ResumeCompleted,
                phase,
            ) => out_of_state(phase),
            // These are the machine's own and never come here.
            (
                RtRequest::OpenAccept { .. }
                | RtRequest::OpenReject { .. }
                | RtRequest::Close
                | RtRequest::Abort(_),
                phase,
            ) => out_of_state(phase),
        }
    }
}

/// Reason of the exception report by which an APDU is refused. X.228 lets the sender give an APDU up for good on
/// 6, and try again on the others.
fn refusal(transient: bool) -> ReasonCode {
    if transient { ReasonCode::LOCAL_SS_USER_ERROR } else { ReasonCode::UNRECOVERABLE_PROCEDURAL_ERROR }
}

fn two_way(settled: &Settled, request: &'static str) -> Result<(), RequestError> {
    match settled.agreed.dialogue_mode {
        DialogueMode::TwoWayAlternate => Ok(()),
        DialogueMode::Monologue => Err(RequestError::Monologue { request }),
    }
}

fn rttr(settled: &Settled, octets: Vec<u8>) -> RtpmAction {
    let encoding = RtseApdu::Rttr(octets).encode_in(settled.mode());
    RtpmAction::Presentation(PRequest::Data(Vec::from([PValue {
        context: settled.rtse_context(),
        encoding,
    }])))
}
