//! What can be wrong with remote operations, and whose fault it is.

use super::apdu::{ApduKind, InvokeId, Reject};
use super::problem::{GeneralProblem, Problem};
use crate::failure::Blame;

/// Octets that are no APDU of ROSE, and what a Reject has to say about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {}: {source}", .kind.map_or("APDU of ROSE", ApduKind::name))]
pub struct DecodeError {
    /// Which APDU it was to be, as far as the tag told.
    pub kind: Option<ApduKind>,
    /// Its invoke identifier; absent where it could not be read.
    pub invoke_id: InvokeId,
    /// The problem.
    pub problem: GeneralProblem,
    /// What is wrong with the encoding.
    pub source: ber::Error,
}

impl DecodeError {
    pub(super) fn new(
        kind: Option<ApduKind>,
        invoke_id: InvokeId,
        problem: GeneralProblem,
        source: ber::Error,
    ) -> Self {
        DecodeError { kind, invoke_id, problem, source }
    }

    /// The Reject that answers it; `None` if it was to be a Reject itself, which is never answered.
    pub fn reject(&self) -> Option<Reject> {
        (self.kind != Some(ApduKind::Reject))
            .then_some(Reject { invoke_id: self.invoke_id, problem: Problem::General(self.problem) })
    }
}

/// A fault of the peer's that does not end the association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// What came is no APDU. It was rejected, unless it was to be a Reject.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// An APDU that has no place here. It was rejected.
    #[error("rejected ({}) APDU of invocation {}", .0.problem, .0.invoke_id)]
    Rejected(Reject),
}

/// A failure which ends the association. By the time it is returned, every outstanding invocation has its outcome and
/// the abort is in the machine's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoseError {
    /// The peer provokes rejects and does not let them through.
    #[error("{waiting} APDUs wait for their transfer while the peer sends more to be rejected")]
    Flooded {
        /// APDUs that wait.
        waiting: usize,
    },
}

impl RoseError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            RoseError::Flooded { .. } => Blame::PeerMisbehaved,
        }
    }
}

/// Why a request was not carried out. Nothing was sent and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The association is over.
    #[error("request after the end of the association")]
    Ended,
    /// The association is being released, so nothing new may be invoked.
    #[error("invocation while the association is being released")]
    Releasing,
    /// The association class leaves invoking to the other end.
    #[error("invocation by the end of the association that may not invoke")]
    MayNotInvoke,
    /// A synchronous operation has not been answered.
    #[error("invocation while synchronous invocation {invoke_id} is outstanding")]
    Synchronous {
        /// The synchronous invocation.
        invoke_id: i64,
    },
    /// As many invocations as may be are outstanding.
    #[error("more than {limit} outstanding invocations")]
    TooManyInvocations {
        /// The limit.
        limit: usize,
    },
    /// As many APDUs as may be wait for their transfer. Try again after the next has gone.
    #[error("more than {limit} APDUs that wait for their transfer")]
    TooManyWaiting {
        /// The limit.
        limit: usize,
    },
    /// No invocation of the peer's with this identifier is outstanding.
    #[error("peer has no outstanding invocation {invoke_id}")]
    UnknownInvocation {
        /// The identifier given.
        invoke_id: i64,
    },
    /// An argument, a result or a parameter that is not one encoding.
    #[error("{what} is not one encoding: {source}")]
    NotOneEncoding {
        /// Which it was.
        what: &'static str,
        /// What is wrong with it.
        source: ber::Error,
    },
}
