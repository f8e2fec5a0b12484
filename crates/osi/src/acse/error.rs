//! What can be wrong at the association layer, and whose fault it is.

use ber::Oid;

use super::apdu::AssociateResult;
use crate::failure::Blame;
use crate::presentation::ContextId;

/// A failure which ends the association. By the time it is returned, what the peer must be sent (ABRT or a
/// rejecting AARE) is in the machine's output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcseError {
    /// An APDU that is none.
    #[error("malformed APDU in the {primitive}: {source}")]
    Malformed {
        /// The presentation primitive that carried it.
        primitive: &'static str,
        /// What is wrong with the encoding.
        source: ber::Error,
    },
    /// A primitive without the APDU that it must carry.
    #[error("{primitive} carries no {expected}")]
    Missing {
        /// The presentation primitive.
        primitive: &'static str,
        /// The APDU that belongs there.
        expected: &'static str,
    },
    /// Another APDU than the one that has its place there.
    #[error("{primitive} carries {found} instead of {expected}")]
    WrongApdu {
        /// The presentation primitive.
        primitive: &'static str,
        /// The APDU found.
        found: &'static str,
        /// The APDU that belongs there.
        expected: &'static str,
    },
    /// User information in a context that is not that of the user.
    #[error("user information of the {apdu} is in context {context}, which is not that of the application")]
    UserContext {
        /// The APDU.
        apdu: &'static str,
        /// The context named there.
        context: ContextId,
    },
    /// An AARE that rejects, in a presentation connection that was accepted.
    #[error("AARE with result {result:?} in an accepted presentation connection")]
    ContradictoryResult {
        /// The result.
        result: AssociateResult,
    },
    /// The presentation layer gave something that has no place in this state.
    #[error("{event} in state {state}")]
    Unexpected {
        /// What came.
        event: &'static str,
        /// The state it came in.
        state: &'static str,
    },
    /// Another application context than ours.
    #[error("application context {found} instead of {ours}")]
    ApplicationContext {
        /// The peer's.
        found: Oid,
        /// Ours.
        ours: Oid,
    },
    /// The peer does not offer version 1.
    #[error("peer does not offer version 1 of ACSE")]
    Version,
    /// Our own side asked for something that this state does not allow.
    #[error("request {request} in state {state}")]
    RequestOutOfState {
        /// The request.
        request: &'static str,
        /// The state.
        state: &'static str,
    },
}

impl AcseError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            AcseError::Malformed { .. }
            | AcseError::Missing { .. }
            | AcseError::WrongApdu { .. }
            | AcseError::UserContext { .. }
            | AcseError::ContradictoryResult { .. }
            | AcseError::Unexpected { .. } => Blame::PeerMisbehaved,
            AcseError::ApplicationContext { .. } | AcseError::Version => Blame::PeerIncompatible,
            AcseError::RequestOutOfState { .. } => Blame::Local,
        }
    }
}
