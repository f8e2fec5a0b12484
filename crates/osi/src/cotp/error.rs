//! What goes wrong in the transport layer.

use super::tpdu::TpduError;
use crate::failure::Blame;

/// Why [`super::Cotp::handle`] refused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CotpError {
    /// The peer sent no valid TPDU.
    #[error("{0}")]
    Tpdu(#[from] TpduError),
    /// A TPDU came in a state where X.224 class 0 does not allow it.
    #[error("{tpdu} TPDU received while {state}")]
    UnexpectedTpdu {
        /// Abbreviation of the TPDU.
        tpdu: &'static str,
        /// The state.
        state: &'static str,
    },
    /// A CC TPDU answers another connection request than ours.
    #[error("CC TPDU carries destination reference {found:#06x}, ours is {expected:#06x}")]
    Reference {
        /// The reference found.
        found: u16,
        /// Our reference.
        expected: u16,
    },
    /// The peer asks for a protocol class other than 0, without class 0 as an alternative.
    #[error("the peer wants transport class {class}; RFC 1006 has class 0 only")]
    Class {
        /// The class.
        class: u8,
    },
    /// A TSDU grew over the limit before the user's own connection was open.
    #[error("TSDU exceeds the limit of {limit} octets")]
    TsduTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// The peer did not answer in time.
    #[error("the peer did not answer in time while {state}")]
    Timeout {
        /// The state.
        state: &'static str,
    },
    /// Our user asked for something that the state does not allow. Nothing was sent, nothing changed.
    #[error("{request} requested while {state}")]
    RequestOutOfState {
        /// Name of the request.
        request: &'static str,
        /// The state.
        state: &'static str,
    },
}

impl CotpError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            CotpError::Tpdu(error) => error.blame(),
            CotpError::UnexpectedTpdu { .. } | CotpError::Reference { .. } => Blame::PeerMisbehaved,
            CotpError::Class { .. } => Blame::PeerIncompatible,
            CotpError::TsduTooLong { .. } => Blame::LimitReached,
            CotpError::Timeout { .. } => Blame::PeerGone,
            CotpError::RequestOutOfState { .. } => Blame::Local,
        }
    }
}
