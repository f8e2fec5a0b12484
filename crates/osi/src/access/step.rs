//! What is still to be done because of one event, for the layers and for what is above them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::acse::{AIndication, AcpmEvent};
use crate::cotp::{TIndication, TRequest};
use crate::failure::{Blame, Layer};
use crate::presentation::{ContextId, PIndication, PpmEvent};
use crate::rose::RoIndication;
use crate::rtse::{AbortReason, Aborted, OpenRefused, RtIndication, Selectors};
use crate::session::SsRequest;

/// Something for one of the layers.
#[derive(Debug)]
pub(super) enum Step {
    Cotp(TRequest),
    FromCotp(TIndication),
    Spm(SessionInput),
    Ppm(PpmEvent),
    Acpm(AcpmEvent),
    Transmit(Vec<u8>),
    /// End the transport connection.
    Disconnect,
    /// The transport layer is through: close.
    Close,
    /// For the carrier, from below.
    Carrier(CarrierEvent),
    /// For the carrier, from above.
    Command(Command),
    /// From the carrier.
    Carried(Carried),
    /// Tell the user.
    Remote(RoIndication),
}

/// [`crate::session::SpmEvent`], owned.
#[derive(Debug)]
pub(super) enum SessionInput {
    ConnectConfirm,
    ConnectIndication,
    Tsdu(Vec<u8>),
    TsduPart { octets: Vec<u8>, last: bool },
    TsduTooLong { limit: usize },
    Disconnected,
    Request(SsRequest),
    Deadline,
}

/// What happens to the carrier of the operations.
#[derive(Debug)]
pub(super) enum CarrierEvent {
    Association(AIndication),
    Presentation(PIndication),
    Deadline,
}

/// What remote operations and bind ask of their carrier.
#[derive(Debug)]
pub(super) enum Command {
    /// Accept the association, with this encoding.
    Accept(Vec<u8>),
    /// Refuse it.
    Reject { user_data: Vec<u8>, transient: bool },
    /// Transfer an APDU of ROSE.
    Transfer(Transfer),
    /// The next octets of the APDU in transfer are wanted.
    Segment { octets: usize },
    /// End the association once everything is transferred.
    Release { user_data: Vec<u8> },
    /// End the association at once.
    Abort(AbortReason),
}

/// An APDU that is to be transferred.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) context: ContextId,
    pub(super) apdu: Vec<u8>,
    /// 0 is the most urgent.
    pub(super) priority: u32,
}

/// What the carrier tells.
#[derive(Debug)]
pub(super) enum Carried {
    /// A peer opens an association.
    Open {
        user_data: Vec<u8>,
        selectors: Selectors,
    },
    /// The peer accepted ours.
    Confirm {
        user_data: Vec<u8>,
    },
    Apdu {
        context: ContextId,
        octets: Vec<u8>,
    },
    /// The oldest APDU that was to be transferred has been.
    Transferred,
    /// It could not be.
    NotTransferred,
    /// The association is over; nothing is after these.
    Refused(OpenRefused),
    Closed {
        user_data: Vec<u8>,
    },
    Aborted(Aborted),
}

impl Carried {
    /// The end of an association in the words of RTSE; `None` if it is not over.
    pub(super) fn end(indication: RtIndication) -> Option<Self> {
        match indication {
            RtIndication::OpenRefused(refused) => Some(Carried::Refused(refused)),
            RtIndication::Closed => Some(Carried::Closed { user_data: Vec::new() }),
            RtIndication::Aborted(aborted) => Some(Carried::Aborted(aborted)),
            RtIndication::Open(_)
            | RtIndication::OpenConfirm { .. }
            | RtIndication::SegmentWanted { .. }
            | RtIndication::TransferConfirm
            | RtIndication::TransferFailed { .. }
            | RtIndication::TransferInterrupted { .. }
            | RtIndication::Resume { .. }
            | RtIndication::TransferStart
            | RtIndication::TransferData(_)
            | RtIndication::Checkpoint { .. }
            | RtIndication::TransferEnd
            | RtIndication::TransferDiscarded
            | RtIndication::TurnPlease { .. }
            | RtIndication::TurnGive
            | RtIndication::TurnGiven => None,
        }
    }
}

/// A layer of ours ended the association because of this error.
pub(super) fn failed(layer: Layer, blame: Blame, error: &impl fmt::Display) -> Step {
    aborted(layer, blame, None, format!("{error}"))
}

pub(super) fn aborted(layer: Layer, blame: Blame, reason: Option<AbortReason>, text: String) -> Step {
    Step::Carried(Carried::Aborted(Aborted { layer, blame, by_peer: false, reason, interrupted: None, text }))
}

/// The last word on a transport connection, as a step.
pub(super) fn ended(indication: RtIndication) -> Vec<Step> {
    Carried::end(indication).map(Step::Carried).into_iter().collect()
}
