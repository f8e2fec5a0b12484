//! What is still to be done because of one event, for the layers and for what is above them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::acse::AIndication;
use crate::failure::{Blame, Layer};
use crate::lower::{self, End};
use crate::presentation::{ContextId, PIndication};
use crate::rose::RoIndication;
use crate::rtse::{AbortReason, Aborted, OpenRefused, Selectors};

/// Something to be done, here or below.
pub(super) type Step = lower::Step<Own>;

/// What is above the layers up to ACSE goes on by itself.
#[derive(Debug)]
pub(super) enum Own {
    /// A timer of the carrier has run out.
    Deadline,
    /// For the carrier, from above.
    Command(Command),
    /// From the carrier.
    Carried(Carried),
    /// Tell the user.
    Remote(RoIndication),
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

impl From<End> for Carried {
    fn from(end: End) -> Self {
        match end {
            End::Refused(refused) => Carried::Refused(refused),
            End::Aborted(aborted) => Carried::Aborted(aborted),
        }
    }
}

/// The association ends for this reason.
pub(super) fn aborted(layer: Layer, blame: Blame, reason: Option<AbortReason>, text: String) -> Step {
    Step::End(End::Aborted(Aborted { layer, blame, by_peer: false, reason, interrupted: None, text }))
}

/// For the carrier.
pub(super) fn command(command: Command) -> Step {
    Step::Upper(Own::Command(command))
}

/// From the carrier.
pub(super) fn carried(carried: Carried) -> Step {
    Step::Upper(Own::Carried(carried))
}
