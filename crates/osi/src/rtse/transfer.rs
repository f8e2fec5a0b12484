//! The open association (X.228 clause 7): transfer in both directions, and the turn.

use alloc::vec::Vec;
use core::time::Duration;

use ber::{Tag, Writer};
use clock::MonoTime;

use super::apdu::RtseApdu;
use super::config::RtseConfig;
use super::error::{RequestError, RtseError};
use super::machine::RtpmAction;
use super::open::Settled;
use super::receiver::Receiver;
use super::sender::{Sender, Sent};
use super::service::{DialogueMode, RtIndication, RtRequest};
use crate::presentation::{PIndication, PRequest, PValue, SyncIndication, SyncRequest};
use crate::session::ReasonCode;

/// What an open association is busy with.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Nothing.
    Ready,
    /// Our APDU is on its way. The deadline is there while only the peer can let it go on.
    Sending { sender: Sender, until: Option<MonoTime> },
    /// All of our APDU is sent, the peer has not taken responsibility yet.
    AwaitEndConfirm { until: MonoTime },
    /// Our APDU was given up; the peer has not confirmed that. With the reason of its exception report.
    Discarding { reason: Option<u8>, until: MonoTime },
    /// The peer's APDU is on its way. The deadline is there while it is the peer's move.
    Receiving { receiver: Receiver, until: Option<MonoTime> },
    /// All of the peer's APDU is here, our user has not taken responsibility yet.
    AwaitAcceptance,
    /// We reported an exception, or the session did; the sender must give its APDU up.
    Refused {
        /// Whether the user knows of this APDU.
        indicate: bool,
        until: MonoTime,
    },
    /// The turn was given; the peer has not taken it yet.
    AwaitTurnTaken { until: MonoTime },
    /// RLRQ sent.
    AwaitRelease { until: MonoTime },
}

impl Phase {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Phase::Ready => "no transfer is in progress",
            Phase::Sending { .. } => "an APDU is being sent",
            Phase::AwaitEndConfirm { .. } => "waiting for the peer to accept the APDU",
            Phase::Discarding { .. } => "waiting for the peer to confirm the discard",
            Phase::Receiving { .. } => "an APDU is being received",
            Phase::AwaitAcceptance => "a received APDU awaits its acceptance",
            Phase::Refused { .. } => "waiting for the peer to discard a refused APDU",
            Phase::AwaitTurnTaken { .. } => "waiting for the peer to take the turn",
            Phase::AwaitRelease { .. } => "waiting for the peer to answer the release",
        }
    }

    /// When the peer must have done something, and how long it had.
    pub(super) fn timer(&self, config: &RtseConfig) -> Option<(MonoTime, Duration)> {
        match self {
            Phase::Ready | Phase::AwaitAcceptance => None,
            Phase::Sending { until, .. } | Phase::Receiving { until, .. } => {
                until.map(|until| (until, config.transfer_timeout))
            }
            Phase::AwaitEndConfirm { until }
            | Phase::Discarding { until, .. }
            | Phase::Refused { until, .. } => Some((*until, config.transfer_timeout)),
            Phase::AwaitTurnTaken { until } => Some((*until, config.turn_timeout)),
            Phase::AwaitRelease { until } => Some((*until, config.release_timeout)),
        }
    }

    /// Carries out a request that concerns a transfer or the turn.
    #[allow(clippy::too_many_arguments, reason = "the parts of one state, borrowed from the machine")]
    pub(super) fn request(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &mut Settled,
        turn: bool,
        request: RtRequest,
        name: &'static str,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RequestError> {
        let patience = now + config.transfer_timeout;
        let out_of_state =
            |phase: &Phase| Err(RequestError::OutOfState { request: name, state: phase.name() });
        match (request, &mut *self) {
            (RtRequest::Transfer { length }, Phase::Ready) => {
                if !turn {
                    return Err(RequestError::NoTurn { request: name });
                }
                let mut sender = Sender::new(config, &settled.agreed, settled.apdu_context(), length)?;
                sync(out, SyncRequest::ActivityStart { activity: settled.next_activity() });
                want(&mut sender, out);
                *self = Phase::Sending { sender, until: None };
                Ok(())
            }
            (RtRequest::Segment(octets), Phase::Sending { sender, until }) => {
                match sender.segment(&octets)? {
                    Sent::Checkpointed(data) => {
                        out.push(rttr(settled, &data));
                        sync(out, SyncRequest::Minor);
                        want(sender, out);
                        *until = sender.is_blocked().then_some(patience);
                    }
                    Sent::Last(data) => {
                        out.push(rttr(settled, &data));
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
                *self = Phase::Discarding { reason: None, until: patience };
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
                Ok(())
            }
            (RtRequest::TransferRefuse { transient }, Phase::Receiving { .. } | Phase::AwaitAcceptance) => {
                sync(out, SyncRequest::ExceptionReport(refusal(transient)));
                *self = Phase::Refused { indicate: true, until: patience };
                Ok(())
            }
            (
                RtRequest::TurnPlease { priority },
                Phase::Ready | Phase::Receiving { .. } | Phase::AwaitAcceptance | Phase::Refused { .. },
            ) => {
                two_way(settled, name)?;
                if turn {
                    return Err(RequestError::HasTurn);
                }
                let rttp = RtseApdu::Rttp(i64::from(priority)).encode();
                let user_data = Vec::from([PValue { context: settled.rtse_context(), encoding: rttp }]);
                out.push(RtpmAction::Presentation(PRequest::TokenPlease { user_data }));
                Ok(())
            }
            (RtRequest::TurnGive, Phase::Ready) => {
                two_way(settled, name)?;
                if !turn {
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

    /// Takes what the presentation layer says.
    pub(super) fn indication(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &Settled,
        turn: &mut bool,
        indication: PIndication,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let patience = now + config.transfer_timeout;
        match indication {
            PIndication::Data(values) => self.data(patience, settled, values, out),
            PIndication::Sync(event) => self.sync(patience, settled, turn, event, out),
            PIndication::TokenPlease { user_data } => turn_please(settled, *turn, user_data, out),
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
                for value in values {
                    let octets = receiver.data(&segment(settled, value)?)?;
                    if !octets.is_empty() {
                        out.push(RtpmAction::Indication(RtIndication::TransferData(octets)));
                    }
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
        patience: MonoTime,
        settled: &Settled,
        turn: &mut bool,
        event: SyncIndication,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let name = sync_name(&event);
        match (event, &mut *self) {
            (SyncIndication::ActivityStart { .. }, Phase::Ready) if !*turn => {
                let receiver = Receiver::new(settled.apdu.clone());
                *self = Phase::Receiving { receiver, until: Some(patience) };
                indicate(out, RtIndication::TransferStart);
            }
            (SyncIndication::ActivityResume(_), Phase::Ready) if !*turn => {
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
            ) => self.given_up(SyncRequest::ActivityDiscardResponse, out),
            // Without resuming, an interrupt comes to the same.
            (
                SyncIndication::ActivityInterrupt(_),
                Phase::Receiving { .. } | Phase::AwaitAcceptance | Phase::Refused { .. },
            ) => self.given_up(SyncRequest::ActivityInterruptResponse, out),
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
                *self = Phase::Discarding { reason: Some(reason), until: patience };
            }
            (
                SyncIndication::ProviderExceptionReport,
                Phase::Sending { .. } | Phase::AwaitEndConfirm { .. },
            ) => {
                sync(out, SyncRequest::ActivityDiscard(ReasonCode::NON_SPECIFIC));
                *self = Phase::Discarding { reason: None, until: patience };
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
                if !*turn && settled.agreed.dialogue_mode == DialogueMode::TwoWayAlternate =>
            {
                *turn = true;
                indicate(out, RtIndication::TurnGive);
            }
            (SyncIndication::ControlGiven, Phase::AwaitTurnTaken { .. }) => {
                *turn = false;
                *self = Phase::Ready;
                indicate(out, RtIndication::TurnGiven);
            }
            // What was on its way when the APDU was given up.
            (
                SyncIndication::MinorConfirm { .. }
                | SyncIndication::ActivityEndConfirm
                | SyncIndication::ExceptionReport(_)
                | SyncIndication::ProviderExceptionReport,
                Phase::Discarding { .. },
            )
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

/// The octets of an RTTR.
fn segment(settled: &Settled, value: PValue) -> Result<Vec<u8>, RtseError> {
    let primitive = "P-DATA indication";
    if !settled.is_rtse(value.context) {
        return Err(RtseError::Context { primitive, context: value.context });
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

fn rttr(settled: &Settled, octets: &[u8]) -> RtpmAction {
    let encoding = Writer::encode(|w| w.primitive(Tag::OCTET_STRING, octets));
    RtpmAction::Presentation(PRequest::Data(Vec::from([PValue {
        context: settled.rtse_context(),
        encoding,
    }])))
}

fn want(sender: &mut Sender, out: &mut Vec<RtpmAction>) {
    if let Some(octets) = sender.want() {
        indicate(out, RtIndication::SegmentWanted { octets });
    }
}

fn sync(out: &mut Vec<RtpmAction>, request: SyncRequest) {
    out.push(RtpmAction::Presentation(PRequest::Sync(request)));
}

fn indicate(out: &mut Vec<RtpmAction>, indication: RtIndication) {
    out.push(RtpmAction::Indication(indication));
}

fn sync_name(event: &SyncIndication) -> &'static str {
    match event {
        SyncIndication::Minor { .. } => "P-SYNC-MINOR indication",
        SyncIndication::MinorConfirm { .. } => "P-SYNC-MINOR confirm",
        SyncIndication::ActivityStart { .. } => "P-ACTIVITY-START indication",
        SyncIndication::ActivityResume(_) => "P-ACTIVITY-RESUME indication",
        SyncIndication::ActivityEnd { .. } => "P-ACTIVITY-END indication",
        SyncIndication::ActivityEndConfirm => "P-ACTIVITY-END confirm",
        SyncIndication::ActivityInterrupt(_) => "P-ACTIVITY-INTERRUPT indication",
        SyncIndication::ActivityInterruptConfirm => "P-ACTIVITY-INTERRUPT confirm",
        SyncIndication::ActivityDiscard(_) => "P-ACTIVITY-DISCARD indication",
        SyncIndication::ActivityDiscardConfirm => "P-ACTIVITY-DISCARD confirm",
        SyncIndication::ExceptionReport(_) => "P-U-EXCEPTION-REPORT indication",
        SyncIndication::ProviderExceptionReport => "P-P-EXCEPTION-REPORT indication",
        SyncIndication::ControlGive => "P-CONTROL-GIVE indication",
        SyncIndication::ControlGiven => "P-CONTROL-GIVE acknowledgement",
    }
}
