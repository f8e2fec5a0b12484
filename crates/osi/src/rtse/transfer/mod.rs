//! The open association (X.228 clause 7): transfer in both directions, and the turn.
//!
//! [`Phase`] is what an association is busy with; [`Open`] advances it. Sending, receiving, the resuming of a
//! transfer by the receiver, and the turn have a module each. Each request and each event is a function there, with one
//! exhaustive match over the phases.

mod receiving;
mod resuming;
mod sending;
mod turn;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

use self::resuming::Asked;
pub(in crate::rtse) use self::turn::Turn;
use super::config::RtseConfig;
use super::connection::SessionConnectionIdentifier;
use super::error::{RequestError, RtseError};
use super::event::RtpmAction;
use super::names::sync_name;
use super::open::Settled;
use super::receiver::Receiver;
use super::resume::{Interrupted, ResumePoint};
use super::sender::Sender;
use super::service::{RtIndication, RtRequest};
use crate::presentation::{PIndication, PRequest, SyncIndication, SyncRequest};

/// What an open association is busy with.
#[derive(Clone, Debug)]
pub(in crate::rtse) enum Phase {
    /// Nothing.
    Ready,
    /// Our APDU is on its way. The deadline is there while only the peer can let it go on.
    Sending { sender: Box<Sender>, until: Option<MonoTime> },
    /// All of our APDU is sent, the peer has not taken responsibility yet.
    AwaitEndConfirm { sender: Box<Sender>, until: MonoTime },
    /// Our APDU was given up; the peer has not confirmed that.
    Discarding { stop: Stop, until: MonoTime },
    /// Our APDU was interrupted; the peer has not confirmed that.
    Interrupting {
        /// From where it can go on; nothing if our user gave it up meanwhile.
        point: Option<ResumePoint>,
        stop: Stop,
        until: MonoTime,
    },
    /// The peer's APDU is on its way. The deadline is there while it is the peer's move.
    Receiving { receiver: Box<Receiver>, until: Option<MonoTime> },
    /// All of the peer's APDU is here, our user has not taken responsibility yet.
    AwaitAcceptance { receiver: Box<Receiver> },
    /// We reported an exception, or the session did; the sender must give its APDU up, or interrupt it.
    Refused {
        /// What has come of it, if the refusal was for now only.
        receiver: Option<Box<Receiver>>,
        /// Whether the user knows of this APDU.
        indicate: bool,
        until: MonoTime,
    },
    /// The peer resumes a transfer that our user has to look for.
    ResumeAsked { asked: Asked },
    /// The peer sends what our user accepted before.
    Swallowing { until: MonoTime },
    /// The turn was given; the peer has not taken it yet.
    AwaitTurnTaken { until: MonoTime },
    /// RLRQ sent.
    AwaitRelease { until: MonoTime },
}

/// How a transfer of ours came to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtse) struct Stop {
    /// Reason of the peer's exception report, if there was one.
    reason: Option<u8>,
    /// The APDU was complete when it was stopped, so the peer may have accepted it.
    complete: bool,
    /// It was a resumed transfer, so the peer may have accepted it before.
    resumed: bool,
}

impl Stop {
    /// Whether the peer may say that it has accepted the APDU.
    fn may_be_accepted(self) -> bool {
        self.complete || self.resumed
    }
}

impl Phase {
    /// The transfer in progress, if it can be resumed.
    pub(in crate::rtse) fn interrupted(&self) -> Option<Interrupted> {
        match self {
            Phase::Sending { sender, .. } | Phase::AwaitEndConfirm { sender, .. } => {
                sender.point().map(Interrupted::Sending)
            }
            Phase::Interrupting { point, .. } => point.clone().map(Interrupted::Sending),
            Phase::Receiving { receiver, .. }
            | Phase::AwaitAcceptance { receiver }
            | Phase::Refused { receiver: Some(receiver), .. } => receiver.state().map(Interrupted::Receiving),
            // What the user was asked for it still has.
            Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::Refused { receiver: None, .. }
            | Phase::Discarding { .. }
            | Phase::Ready
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => None,
        }
    }

    /// Whether an APDU of ours is on its way as one segment of which only a part has gone.
    pub(in crate::rtse) fn is_in_segment(&self) -> bool {
        match self {
            Phase::Sending { sender, .. } => sender.is_in_segment(),
            Phase::Ready
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => false,
        }
    }

    /// Identifier of the activity of the peer's that is here.
    pub(in crate::rtse) fn receiving_activity(&self) -> Option<&[u8]> {
        match self {
            Phase::Receiving { receiver, .. }
            | Phase::AwaitAcceptance { receiver }
            | Phase::Refused { receiver: Some(receiver), .. } => Some(receiver.activity()),
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Refused { receiver: None, .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => None,
        }
    }

    /// Whether a peer that aborts with "transfer completed" speaks of the transfer in progress: X.228 lets it do so where
    /// we stopped it too late, or sent once more what it had accepted.
    pub(in crate::rtse) fn may_be_accepted(&self) -> bool {
        match self {
            Phase::Sending { sender, .. } | Phase::AwaitEndConfirm { sender, .. } => sender.is_resumed(),
            Phase::Discarding { stop, .. } | Phase::Interrupting { stop, .. } => stop.may_be_accepted(),
            Phase::Ready
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => false,
        }
    }

    /// How the transfer is being stopped, if it is ours.
    fn stop(&self, reason: Option<u8>) -> Stop {
        let (complete, resumed) = match self {
            Phase::Sending { sender, .. } => (false, sender.is_resumed()),
            Phase::AwaitEndConfirm { sender, .. } => (true, sender.is_resumed()),
            Phase::Discarding { stop, .. } | Phase::Interrupting { stop, .. } => {
                (stop.complete, stop.resumed)
            }
            Phase::Ready
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => (false, false),
        };
        Stop { reason, complete, resumed }
    }

    pub(in crate::rtse) fn name(&self) -> &'static str {
        match self {
            Phase::Ready => "no transfer is in progress",
            Phase::Sending { .. } => "an APDU is being sent",
            Phase::AwaitEndConfirm { .. } => "waiting for the peer to accept the APDU",
            Phase::Discarding { .. } => "waiting for the peer to confirm the discard",
            Phase::Interrupting { .. } => "waiting for the peer to confirm the interrupt",
            Phase::Receiving { .. } => "an APDU is being received",
            Phase::AwaitAcceptance { .. } => "a received APDU awaits its acceptance",
            Phase::Refused { .. } => "waiting for the peer to discard a refused APDU",
            Phase::ResumeAsked { .. } => "a resumed transfer is being looked for",
            Phase::Swallowing { .. } => "waiting for the end of an APDU that was accepted before",
            Phase::AwaitTurnTaken { .. } => "waiting for the peer to take the turn",
            Phase::AwaitRelease { .. } => "waiting for the peer to answer the release",
        }
    }

    /// When the peer must have done something, and how long it had.
    pub(in crate::rtse) fn timer(&self, config: &RtseConfig) -> Option<(MonoTime, Duration)> {
        match self {
            Phase::Ready | Phase::AwaitAcceptance { .. } | Phase::ResumeAsked { .. } => None,
            Phase::Sending { until, .. } | Phase::Receiving { until, .. } => {
                until.map(|until| (until, config.transfer_timeout))
            }
            Phase::AwaitEndConfirm { until, .. }
            | Phase::Discarding { until, .. }
            | Phase::Interrupting { until, .. }
            | Phase::Refused { until, .. }
            | Phase::Swallowing { until } => Some((*until, config.transfer_timeout)),
            Phase::AwaitTurnTaken { until } => Some((*until, config.turn_timeout)),
            Phase::AwaitRelease { until } => Some((*until, config.release_timeout)),
        }
    }

    /// Octets of the peer's arrived that are not yet a whole SSDU.
    pub(in crate::rtse) fn received(&mut self, patience: MonoTime) {
        match self {
            Phase::Receiving { until: Some(until), .. }
            | Phase::Refused { until, .. }
            | Phase::Swallowing { until } => *until = patience,
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { until: None, .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::ResumeAsked { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => {}
        }
    }

    /// Octets of ours have left, so what the peer has to answer may not have reached it yet.
    pub(in crate::rtse) fn wrote(&mut self, patience: MonoTime) {
        match self {
            Phase::Sending { until: Some(until), .. }
            | Phase::AwaitEndConfirm { until, .. }
            | Phase::Discarding { until, .. }
            | Phase::Interrupting { until, .. } => *until = patience,
            Phase::Ready
            | Phase::Sending { until: None, .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => {}
        }
    }
}

/// An open association, for the time of one request or event.
pub(in crate::rtse) struct Open<'a> {
    pub(in crate::rtse) now: MonoTime,
    pub(in crate::rtse) config: &'a RtseConfig,
    pub(in crate::rtse) connection: Option<&'a SessionConnectionIdentifier>,
    pub(in crate::rtse) settled: &'a mut Settled,
    pub(in crate::rtse) turn: &'a mut Turn,
    pub(in crate::rtse) phase: &'a mut Phase,
    pub(in crate::rtse) out: &'a mut Vec<RtpmAction>,
}

impl Open<'_> {
    /// Carries out a request that concerns a transfer or the turn.
    pub(in crate::rtse) fn request(
        &mut self,
        request: RtRequest,
        name: &'static str,
    ) -> Result<(), RequestError> {
        match request {
            RtRequest::Transfer { length } => self.transfer(length, name),
            RtRequest::Resume { from, connection } => self.resume(&from, connection.as_ref(), name),
            RtRequest::Segment(octets) => self.segment(&octets, name),
            RtRequest::TransferCancel => self.cancel(name),
            RtRequest::TransferInterrupt => self.interrupt(name),
            RtRequest::CheckpointSecured { serial } => self.checkpoint_secured(serial, name),
            RtRequest::TransferAccept => self.accept(name),
            RtRequest::TransferRefuse { transient } => self.refuse(transient, name),
            RtRequest::ResumeAccept(state) => self.resume_accept(*state, name),
            RtRequest::ResumeRefuse => self.resume_refuse(name),
            RtRequest::ResumeCompleted => self.resume_completed(name),
            RtRequest::TurnPlease { priority } => self.ask_for_turn(priority, name),
            RtRequest::TurnGive => self.give_turn(name),
            // These are the machine's own and never come here.
            RtRequest::OpenAccept { .. }
            | RtRequest::OpenReject { .. }
            | RtRequest::Close
            | RtRequest::Abort(_) => self.out_of_state(name),
        }
    }

    /// Takes what the presentation layer says.
    pub(in crate::rtse) fn indication(&mut self, indication: PIndication) -> Result<(), RtseError> {
        match indication {
            PIndication::Data(values) => self.data(values),
            PIndication::DataPart { parts, first, last } => self.data_part(parts, first, last),
            PIndication::Sync(event) => self.on_sync(event),
            PIndication::TokenPlease { user_data } => self.turn_please(user_data),
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

    fn on_sync(&mut self, event: SyncIndication) -> Result<(), RtseError> {
        let name = sync_name(&event);
        match event {
            SyncIndication::ActivityStart { activity } => self.activity_start(activity, name),
            SyncIndication::ActivityResume(resume) => self.activity_resume(resume, name),
            SyncIndication::Minor { serial, confirm } => self.minor(serial, confirm, name),
            SyncIndication::ActivityEnd { serial } => self.activity_end(serial, name),
            SyncIndication::ActivityDiscard(reason) => self.activity_discard(reason, name),
            SyncIndication::ActivityInterrupt(reason) => self.activity_interrupt(reason, name),
            SyncIndication::MinorConfirm { serial } => self.minor_confirm(serial, name),
            SyncIndication::ActivityEndConfirm => self.end_confirm(name),
            SyncIndication::ActivityDiscardConfirm => self.discard_confirm(name),
            SyncIndication::ActivityInterruptConfirm => self.interrupt_confirm(name),
            SyncIndication::ExceptionReport(reason) => self.exception(Some(reason), name),
            SyncIndication::ProviderExceptionReport => self.exception(None, name),
            SyncIndication::ControlGive => self.control_give(name),
            SyncIndication::ControlGiven => self.control_given(name),
        }
    }

    fn patience(&self) -> MonoTime {
        self.now + self.config.transfer_timeout
    }

    fn sync(&mut self, request: SyncRequest) {
        self.out.push(RtpmAction::Presentation(PRequest::Sync(request)));
    }

    fn indicate(&mut self, indication: RtIndication) {
        self.out.push(RtpmAction::Indication(indication));
    }

    fn out_of_state(&self, request: &'static str) -> Result<(), RequestError> {
        Err(RequestError::OutOfState { request, state: self.phase.name() })
    }

    fn unexpected(&self, event: &'static str) -> Result<(), RtseError> {
        Err(RtseError::Unexpected { event, state: self.phase.name() })
    }
}
