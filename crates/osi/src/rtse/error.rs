//! What can be wrong at RTSE, and whose fault it is.

use core::time::Duration;

use super::external::ExternalError;
use super::service::{AbortReason, RefuseReason};
use crate::failure::Blame;
use crate::presentation::ContextId;

/// A failure which ends the association. By the time it is returned, what the peer must be sent (RTAB or RTORJ) is
/// in the machine's output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtseError {
    /// An APDU that is none.
    #[error("malformed APDU in the {primitive}: {source}")]
    Malformed {
        /// The primitive that carried it.
        primitive: &'static str,
        /// What is wrong with the encoding.
        source: ber::Error,
    },
    /// A primitive without the APDU that it must carry.
    #[error("{primitive} carries no {expected}")]
    Missing {
        /// The primitive.
        primitive: &'static str,
        /// The APDU that belongs there.
        expected: &'static str,
    },
    /// Another APDU than the one that has its place there.
    #[error("{primitive} carries {found} instead of {expected}")]
    WrongApdu {
        /// The primitive.
        primitive: &'static str,
        /// The APDU found.
        found: &'static str,
        /// The APDU that belongs there.
        expected: &'static str,
    },
    /// A value in a context that is not that of RTSE.
    #[error("{primitive} carries a value in context {context}, which is not that of RTSE")]
    Context {
        /// The primitive.
        primitive: &'static str,
        /// The context named there.
        context: ContextId,
    },
    /// What is transferred is not wrapped as it must be.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A primitive which has no place in this state.
    #[error("{event} while {state}")]
    Unexpected {
        /// What came.
        event: &'static str,
        /// The state it came in.
        state: &'static str,
    },
    /// The peer opens a new association where an old one is recovered, or the other way round.
    #[error("A-ASSOCIATE confirm answers \"{asked}\" by \"{answered}\"")]
    ConnectionData {
        /// What the RTORQ said.
        asked: &'static str,
        /// What the RTOAC says.
        answered: &'static str,
    },
    /// The peer opens in X.410 mode for something else than is offered.
    #[error("peer opens for application protocol {found:?}, which is not offered")]
    ApplicationProtocol {
        /// The number, if there is one.
        found: Option<i64>,
    },
    /// The peer wants two-way alternate.
    #[error("peer wants two-way alternate, only monologue is offered")]
    TwoWayAlternate,
    /// The peer gave up an APDU when we had accepted it already. Nobody's fault: the two met on their way.
    #[error("peer gave up an APDU that had been accepted")]
    GivenUpTooLate,
    /// The peer sent more of a resumed transfer than is held while our user looks for it.
    #[error("more than {octets} octets of a resumed transfer before it is known here")]
    Held {
        /// The limit in octets.
        octets: usize,
    },
    /// The peer accepted an APDU that we were giving up. Nobody's fault: the two met on their way.
    #[error("peer accepted an APDU that was being given up")]
    AcceptedAfterAll,
    /// The peer did not do what was due.
    #[error("peer let {} s pass while {state}", .after.as_secs())]
    Timeout {
        /// What was waited for.
        state: &'static str,
        /// How long.
        after: Duration,
    },
}

impl RtseError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            RtseError::Malformed { .. }
            | RtseError::Missing { .. }
            | RtseError::WrongApdu { .. }
            | RtseError::Context { .. }
            | RtseError::External(_)
            | RtseError::ConnectionData { .. }
            | RtseError::Unexpected { .. } => Blame::PeerMisbehaved,
            RtseError::ApplicationProtocol { .. } | RtseError::TwoWayAlternate => Blame::PeerIncompatible,
            RtseError::Held { .. } => Blame::LimitReached,
            RtseError::Timeout { .. } | RtseError::GivenUpTooLate | RtseError::AcceptedAfterAll => {
                Blame::PeerGone
            }
        }
    }

    /// The reason that goes out in the RTAB; `None` where an RTORJ is the answer.
    pub fn abort_reason(&self) -> Option<AbortReason> {
        match self {
            RtseError::Malformed { .. }
            | RtseError::Missing { .. }
            | RtseError::WrongApdu { .. }
            | RtseError::Context { .. }
            | RtseError::External(_)
            | RtseError::ConnectionData { .. }
            | RtseError::Unexpected { .. } => Some(AbortReason::PROTOCOL_ERROR),
            RtseError::ApplicationProtocol { .. } | RtseError::TwoWayAlternate => None,
            RtseError::GivenUpTooLate | RtseError::AcceptedAfterAll => Some(AbortReason::TRANSFER_COMPLETED),
            RtseError::Held { .. } | RtseError::Timeout { .. } => Some(AbortReason::TEMPORARY_PROBLEM),
        }
    }
}

impl RtseError {
    /// The reason that goes out in the RTORJ of X.410 mode, where that is the answer.
    pub(super) fn refuse_reason(&self) -> RefuseReason {
        match self {
            RtseError::TwoWayAlternate => RefuseReason::UNACCEPTABLE_DIALOGUE_MODE,
            RtseError::ApplicationProtocol { .. }
            | RtseError::Malformed { .. }
            | RtseError::Missing { .. }
            | RtseError::WrongApdu { .. }
            | RtseError::Context { .. }
            | RtseError::External(_)
            | RtseError::ConnectionData { .. }
            | RtseError::Unexpected { .. }
            | RtseError::GivenUpTooLate
            | RtseError::AcceptedAfterAll
            | RtseError::Held { .. }
            | RtseError::Timeout { .. } => RefuseReason::VALIDATION_FAILURE,
        }
    }
}

/// Why a request was not carried out. Nothing was sent and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The state does not allow it.
    #[error("{request} while {state}")]
    OutOfState {
        /// The request.
        request: &'static str,
        /// The state.
        state: &'static str,
    },
    /// Only the holder of the turn may ask for it.
    #[error("{request} without the turn")]
    NoTurn {
        /// The request.
        request: &'static str,
    },
    /// The turn is here already.
    #[error("turn requested while it is here")]
    HasTurn,
    /// The turn does not move in monologue.
    #[error("{request} in monologue")]
    Monologue {
        /// The request.
        request: &'static str,
    },
    /// A segment of another length than was wanted.
    #[error("segment of {given} octets where {wanted} were wanted")]
    SegmentLength {
        /// Octets that were asked for; 0 if none were.
        wanted: usize,
        /// Octets given.
        given: usize,
    },
    /// An APDU too long for an association of these settings: to be sent in one piece, where there are no checkpoints,
    /// or for the number of checkpoints that there may be.
    #[error(
        "APDU of {length} octets exceeds the limit of {limit} with the checkpoint size of this association"
    )]
    TooLong {
        /// Its length in octets.
        length: u64,
        /// The limit in octets.
        limit: u64,
    },
    /// What is to be resumed can't be.
    #[error("the transfer can't be resumed: {problem}")]
    NotResumable {
        /// Why not.
        problem: &'static str,
    },
    /// A checkpoint that has not come or is secured already.
    #[error("checkpoint {serial} is not one of those after {secured} up to {received}")]
    Checkpoint {
        /// The checkpoint named.
        serial: u32,
        /// The last secured.
        secured: u32,
        /// The last received.
        received: u32,
    },
    /// The association is over.
    #[error("{request} after the end of the association")]
    Ended {
        /// The request.
        request: &'static str,
    },
}
