//! The open association (X.228 clause 7): transfer in both directions, and the turn.

mod indication;
mod request;
mod turn;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

pub(in crate::rtse) use self::turn::Turn;
use super::config::RtseConfig;
use super::machine::RtpmAction;
use super::receiver::Receiver;
use super::resume::Interrupted;
use super::sender::Sender;
use super::service::RtIndication;
use crate::presentation::{PRequest, SyncRequest};

/// What an open association is busy with.
#[derive(Clone, Debug)]
pub(in crate::rtse) enum Phase {
    /// Nothing.
    Ready,
    /// Our APDU is on its way. The deadline is there while only the peer can let it go on.
    Sending { sender: Sender, until: Option<MonoTime> },
    /// All of our APDU is sent, the peer has not taken responsibility yet.
    AwaitEndConfirm { until: MonoTime },
    /// Our APDU was given up; the peer has not confirmed that.
    Discarding {
        /// Reason of its exception report.
        reason: Option<u8>,
        /// The APDU was complete when our user gave it up, so the peer may have accepted it.
        complete: bool,
        until: MonoTime,
    },
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
    /// The transfer in progress, if it can be resumed.
    pub(in crate::rtse) fn interrupted(&self) -> Option<Interrupted> {
        None
    }

    pub(in crate::rtse) fn name(&self) -> &'static str {
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
    pub(in crate::rtse) fn timer(&self, config: &RtseConfig) -> Option<(MonoTime, Duration)> {
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

    /// Octets of the peer's arrived that are not yet a whole SSDU.
    pub(in crate::rtse) fn received(&mut self, patience: MonoTime) {
        match self {
            Phase::Receiving { until: Some(until), .. } | Phase::Refused { until, .. } => *until = patience,
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Receiving { until: None, .. }
            | Phase::AwaitAcceptance
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => {}
        }
    }

    /// Octets of ours have left, so what the peer has to answer may not have reached it yet.
    pub(in crate::rtse) fn wrote(&mut self, patience: MonoTime) {
        match self {
            Phase::Sending { until: Some(until), .. }
            | Phase::AwaitEndConfirm { until }
            | Phase::Discarding { until, .. } => *until = patience,
            Phase::Ready
            | Phase::Sending { until: None, .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance
            | Phase::Refused { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => {}
        }
    }
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
