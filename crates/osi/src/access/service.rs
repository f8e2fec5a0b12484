//! What the user of an access association asks for and is told, beside the remote operations themselves.

use alloc::vec::Vec;

use crate::presentation::ContextId;
use crate::rose::{self, RoIndication};
use crate::rtse::{Aborted, OpenRefused, Selectors};

/// What the user asks for about the association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessRequest {
    /// Answers [`AccessIndication::Bind`]: the bind succeeded.
    BindAccept {
        /// Bind result: one encoding, without the wrapper of X.880.
        result: Vec<u8>,
    },
    /// Answers [`AccessIndication::Bind`]: the bind failed.
    BindReject {
        /// Parameter of the bind error: one encoding, empty for none.
        error: Vec<u8>,
        /// Whether trying again later may help (AARE rejected-transient).
        transient: bool,
    },
    /// Initiator: ends the association. What waits for its transfer goes first; what has not been answered by then never
    /// will be.
    Unbind {
        /// Argument of the unbind: one encoding, empty for none. P3 and P7 have none, and RTSE carries none.
        argument: Vec<u8>,
    },
    /// Ends the association at once.
    Abort,
}

/// What the user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessIndication {
    /// Responder: a peer wants to bind. Answer with `BindAccept` or `BindReject`.
    Bind(BindIndication),
    /// Initiator: the bind succeeded; operations may be invoked.
    BindConfirm {
        /// Bind result: one encoding.
        result: Vec<u8>,
    },
    /// Initiator: the bind, or something under it, was refused. Its user data is the parameter of the bind error. The
    /// association is over.
    BindRefused(OpenRefused),
    /// Something about remote operations.
    Remote(RoIndication),
    /// The association ended in order: unbound, or a bind was refused by this side.
    Closed {
        /// What the peer put into the release: argument (responder) or result (initiator) of the unbind; mostly empty.
        unbind: Vec<u8>,
    },
    /// The association ended abnormally.
    Aborted(Aborted),
}

impl AccessIndication {
    /// Whether nothing is indicated after this.
    pub fn is_last(&self) -> bool {
        match self {
            AccessIndication::BindRefused(_)
            | AccessIndication::Closed { .. }
            | AccessIndication::Aborted(_) => true,
            AccessIndication::Bind(_)
            | AccessIndication::BindConfirm { .. }
            | AccessIndication::Remote(_) => false,
        }
    }
}

/// A peer that wants to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindIndication {
    /// Bind argument: one encoding, without the wrapper of X.880.
    pub argument: Vec<u8>,
    /// The selectors that the peer called and called from.
    pub selectors: Selectors,
}

/// Why a request was not carried out. Nothing was sent and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The association is over.
    #[error("{request} after the end of the association")]
    Ended {
        /// The request.
        request: &'static str,
    },
    /// There is no association yet, or no bind to be answered, or it is being ended.
    #[error("{request} while {state}")]
    OutOfState {
        /// The request.
        request: &'static str,
        /// The state.
        state: &'static str,
    },
    /// Unbinding is up to the initiator (X.880: unless the connection package says otherwise, which those of P3 and P7
    /// do not).
    #[error("unbind by the responder")]
    MayNotUnbind,
    /// RTSE releases without user data.
    #[error("argument of an unbind over RTSE")]
    UnbindArgument,
    /// A presentation context that was not agreed for operations.
    #[error("context {0} was not agreed for operations")]
    Context(ContextId),
    /// An argument, a result or a parameter longer than an APDU may be.
    #[error("value of {octets} octets where an APDU has at most {limit}")]
    TooLong {
        /// Its length.
        octets: usize,
        /// The limit.
        limit: usize,
    },
    /// A value of the bind that is not one encoding.
    #[error("{request} with what is not one encoding: {source}")]
    NotOneEncoding {
        /// The request.
        request: &'static str,
        /// What is wrong with it.
        source: ber::Error,
    },
    /// Remote operations do not allow it.
    #[error(transparent)]
    Rose(#[from] rose::RequestError),
}
