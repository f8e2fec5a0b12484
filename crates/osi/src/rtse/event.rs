//! What goes into the machine from below, and what comes out of it.

use super::service::RtIndication;
use crate::acse::{AIndication, ARequest};
use crate::presentation::{PIndication, PRequest};

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtpmEvent {
    /// Association control says something.
    Association(AIndication),
    /// The presentation layer says something about data, activities or the turn.
    Presentation(PIndication),
    /// The time of [`Rtpm::deadline`](super::Rtpm::deadline) has come.
    Deadline,
}

/// What the machine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtpmAction {
    /// To association control.
    Association(ARequest),
    /// To the presentation layer.
    Presentation(PRequest),
    /// To the user.
    Indication(RtIndication),
    /// To this machine: what came from the presentation layer and could not be taken then. It comes in before anything
    /// else.
    Replay(PIndication),
}
