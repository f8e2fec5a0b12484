//! What can be wrong at the presentation layer, and whose fault it is.

use ber::Oid;

use super::ppdu::{ContextResult, Mode};
use super::user_data::ContextId;
use crate::failure::Blame;

/// A failure which ends the presentation connection. By the time it is returned, what the peer must be sent (ARP,
/// ARU or CPR) is in the machine's output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresentationError {
    /// A PPDU that is no such PPDU.
    #[error("malformed {ppdu}: {source}")]
    Malformed {
        /// The PPDU that stands at this place.
        ppdu: &'static str,
        /// What is wrong with the encoding.
        source: ber::Error,
    },
    /// A value in a context that was never agreed.
    #[error("{ppdu} carries a value in context {context}, which was not agreed")]
    UnknownContext {
        /// The PPDU.
        ppdu: &'static str,
        /// The context named there.
        context: ContextId,
    },
    /// Simply-encoded data while there is not exactly one context.
    #[error("{ppdu} is simply encoded although {contexts} contexts were agreed")]
    SimplyEncoded {
        /// The PPDU.
        ppdu: &'static str,
        /// Size of the defined context set.
        contexts: usize,
    },
    /// A value in a transfer syntax that was not agreed for its context.
    #[error("{ppdu} carries a value in transfer syntax {syntax}")]
    TransferSyntax {
        /// The PPDU.
        ppdu: &'static str,
        /// The syntax named there.
        syntax: Oid,
    },
    /// One identifier for two proposed contexts.
    #[error("CP proposes context {context} twice")]
    DuplicateContext {
        /// The identifier.
        context: ContextId,
    },
    /// An identifier that no context can have.
    #[error("CP proposes context {context}, which is no identifier")]
    ContextIdentifier {
        /// The identifier.
        context: ContextId,
    },
    /// The peer does not offer version 1, or answered another.
    #[error("peer does not speak version 1 of the presentation protocol")]
    Version,
    /// The CPA is longer than the session version allows its user data to be: the peer proposed so many contexts, or our
    /// user has so much to say.
    #[error("acceptance of {octets} octets where the session layer takes {limit}")]
    AnswerTooLong {
        /// Its length.
        octets: usize,
        /// The limit.
        limit: usize,
    },
    /// A result list of another length than the proposal.
    #[error("CPA answers {answered} contexts where {proposed} were proposed")]
    ResultCount {
        /// Contexts proposed.
        proposed: usize,
        /// Results.
        answered: usize,
    },
    /// The session layer gave something that has no place in this state.
    #[error("{event} in state {state}")]
    Unexpected {
        /// What came.
        event: &'static str,
        /// The state it came in.
        state: &'static str,
    },
    /// A mode that does not exist, or in an answer another one than was proposed.
    #[error("mode {0:?} has no place here")]
    Mode(Mode),
    /// The peer did not propose a context that the application needs.
    #[error("peer proposed no usable context for abstract syntax {syntax}")]
    NotProposed {
        /// The abstract syntax.
        syntax: Oid,
    },
    /// The peer rejected a context that the application needs.
    #[error("peer did not accept the context for abstract syntax {syntax}: {result:?}")]
    NotAccepted {
        /// The abstract syntax.
        syntax: Oid,
        /// The peer's answer.
        result: ContextResult,
    },
    /// Our own side asked for something that this state does not allow.
    #[error("request {request} in state {state}")]
    RequestOutOfState {
        /// The request.
        request: &'static str,
        /// The state.
        state: &'static str,
    },
}

impl PresentationError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            PresentationError::Malformed { .. }
            | PresentationError::UnknownContext { .. }
            | PresentationError::SimplyEncoded { .. }
            | PresentationError::TransferSyntax { .. }
            | PresentationError::DuplicateContext { .. }
            | PresentationError::ContextIdentifier { .. }
            | PresentationError::ResultCount { .. }
            | PresentationError::Unexpected { .. } => Blame::PeerMisbehaved,
            PresentationError::Mode(_)
            | PresentationError::Version
            | PresentationError::NotProposed { .. }
            | PresentationError::NotAccepted { .. } => Blame::PeerIncompatible,
            PresentationError::AnswerTooLong { .. } => Blame::LimitReached,
            PresentationError::RequestOutOfState { .. } => Blame::Local,
        }
    }

    /// Whether the peer was told by a refusal or a user's abort, so that no ARP is due.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            PresentationError::Mode(_)
            | PresentationError::Version
            | PresentationError::AnswerTooLong { .. }
            | PresentationError::NotProposed { .. }
            | PresentationError::NotAccepted { .. } => true,
            PresentationError::Malformed { .. }
            | PresentationError::UnknownContext { .. }
            | PresentationError::SimplyEncoded { .. }
            | PresentationError::TransferSyntax { .. }
            | PresentationError::DuplicateContext { .. }
            | PresentationError::ContextIdentifier { .. }
            | PresentationError::ResultCount { .. }
            | PresentationError::Unexpected { .. }
            | PresentationError::RequestOutOfState { .. } => false,
        }
    }

    /// Abort-reason of the ARP that goes out (X.226).
    pub(super) fn arp_reason(&self) -> i64 {
        match self {
            PresentationError::Malformed { .. } => 1,
            PresentationError::Unexpected { .. } => 3,
            PresentationError::UnknownContext { .. }
            | PresentationError::SimplyEncoded { .. }
            | PresentationError::TransferSyntax { .. }
            | PresentationError::DuplicateContext { .. }
            | PresentationError::ContextIdentifier { .. }
            | PresentationError::ResultCount { .. } => 6,
            PresentationError::Mode(_)
            | PresentationError::Version
            | PresentationError::AnswerTooLong { .. }
            | PresentationError::NotProposed { .. }
            | PresentationError::NotAccepted { .. }
            | PresentationError::RequestOutOfState { .. } => 0,
        }
    }
}
