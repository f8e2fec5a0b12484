//! What goes wrong in the session layer.

use core::fmt;

use super::spdu::SpduError;
use crate::failure::Blame;

/// Why [`super::Spm::handle`] refused an event.
///
/// Except for the `Request…` variants the connection is over: the machine has sent what is due to the peer
/// and indicated [`ProviderAbort`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A TSDU is no valid sequence of SPDUs.
    #[error("{0}")]
    Spdu(#[from] SpduError),
    /// An SPDU came in a state where X.225 does not allow it.
    #[error("{spdu} SPDU received while {state}")]
    UnexpectedSpdu {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// The state.
        state: &'static str,
    },
    /// An SPDU came that only the holder of the turn (or only the other side) may send.
    #[error("{spdu} SPDU received from the side which may not send it: the turn is {turn}")]
    Turn {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// Who holds the turn.
        turn: &'static str,
    },
    /// A GT SPDU gives tokens where none can be given: inside an activity, or while one ends.
    #[error("GT SPDU gives tokens {tokens:#04x}, which can be given outside an activity only")]
    TokensGiven {
        /// The token item.
        tokens: u8,
    },
    /// A synchronization point has the wrong serial number.
    #[error("{spdu} SPDU carries serial number {found}, expected {expected}")]
    SerialNumber {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// The number found.
        found: u32,
        /// The number that was due.
        expected: u32,
    },
    /// A minor synchronization acknowledgement names a point that is not outstanding.
    #[error("MIA SPDU confirms point {found}, outstanding are {from} up to but not including {to}")]
    NotOutstanding {
        /// The number found.
        found: u32,
        /// First outstanding point.
        from: u32,
        /// The next point to be used.
        to: u32,
    },
    /// The peer offers no protocol version that is spoken and allowed here, or it chose one not offered.
    #[error("no common session protocol version: the peer's are {peer:#04x}")]
    Version {
        /// The peer's version octet.
        peer: u8,
    },
    /// The peer does not offer the functional units that are needed, or it accepted others than those.
    #[error("session functional units {peer:#06x} do not settle to {ours:#06x}")]
    FunctionalUnits {
        /// The peer's user requirements.
        peer: u16,
        /// What this side needs.
        ours: u16,
    },
    /// The initial token setting does not put all tokens on one side.
    #[error("token setting {setting:#04x} does not put all tokens on one side")]
    TokenSetting {
        /// The token setting item.
        setting: u8,
    },
    /// The peer chose a maximum TSDU size which no data can be segmented to.
    #[error("the peer's maximum TSDU size of {octets} octets leaves no room for data")]
    TsduSize {
        /// The size in octets.
        octets: u16,
    },
    /// User data of an SPDU is longer than the protocol version allows.
    #[error("{spdu} SPDU carries {octets} octets of user data, {limit} are allowed")]
    UserDataTooLong {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// Length found, in octets.
        octets: usize,
        /// The limit in octets.
        limit: usize,
    },
    /// An SPDU other than DT came in segments, which version 1 does not have.
    #[error("{spdu} SPDU is segmented, which protocol version 1 does not allow")]
    SegmentedSpdu {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
    },
    /// The enclosure items of SPDUs do not make an SSDU.
    #[error("enclosure item {enclosure:#04x} of the {spdu} SPDU does not fit: {problem}")]
    Enclosure {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// The enclosure item.
        enclosure: u8,
        /// What does not fit.
        problem: &'static str,
    },
    /// An SSDU, or the user data of another SPDU, grew over the limit.
    #[error("SSDU exceeds the limit of {limit} octets")]
    SsduTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// A TSDU grew over the limit.
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
        /// Name of the primitive.
        request: &'static str,
        /// The state.
        state: &'static str,
    },
    /// Our user confirmed a synchronization point that is not outstanding. Nothing was sent, nothing changed.
    #[error("S-SYNC-MINOR response for point {serial}, outstanding are {from} up to but not including {to}")]
    RequestSerial {
        /// The number given.
        serial: u32,
        /// First outstanding point.
        from: u32,
        /// The next point to be used.
        to: u32,
    },
    /// Our user asked for something that no SPDU can express. Nothing was sent, nothing changed; only a connection that
    /// can't be asked for is over before it began.
    #[error("{request} request is invalid: {problem}")]
    RequestInvalid {
        /// Name of the primitive.
        request: &'static str,
        /// What is wrong.
        problem: SpduError,
    },
}

impl SessionError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            SessionError::Spdu(error) => error.blame(),
            SessionError::UnexpectedSpdu { .. }
            | SessionError::Turn { .. }
            | SessionError::SerialNumber { .. }
            | SessionError::NotOutstanding { .. }
            | SessionError::UserDataTooLong { .. }
            | SessionError::SegmentedSpdu { .. }
            | SessionError::Enclosure { .. } => Blame::PeerMisbehaved,
            SessionError::TokensGiven { .. }
            | SessionError::Version { .. }
            | SessionError::FunctionalUnits { .. }
            | SessionError::TokenSetting { .. }
            | SessionError::TsduSize { .. } => Blame::PeerIncompatible,
            SessionError::SsduTooLong { .. } | SessionError::TsduTooLong { .. } => Blame::LimitReached,
            SessionError::Timeout { .. } => Blame::PeerGone,
            SessionError::RequestOutOfState { .. }
            | SessionError::RequestSerial { .. }
            | SessionError::RequestInvalid { .. } => Blame::Local,
        }
    }
}

/// S-P-ABORT: the session provider, ours or the peer's, ended the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAbort {
    /// Whether the peer's side ended it rather than we.
    pub by_peer: bool,
    /// Why.
    pub cause: ProviderAbortCause,
}

/// Cause of a [`ProviderAbort`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderAbortCause {
    /// The transport connection ended under the session connection.
    TransportDisconnect,
    /// The peer's session machine sent an AB SPDU.
    AbortSpdu {
        /// Its transport disconnect item (X.225 PI 17); 0x04 says protocol error.
        transport_disconnect: u8,
        /// Its reflect parameter values: what it could not digest.
        reflected: Vec<u8>,
    },
    /// We ended it for this reason.
    Detected(SessionError),
}

impl ProviderAbort {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match &self.cause {
            ProviderAbortCause::TransportDisconnect => Blame::PeerGone,
            ProviderAbortCause::AbortSpdu { transport_disconnect, .. } => {
                // The peer says that we broke the protocol, or that it can't go on.
                if transport_disconnect & super::spdu::TransportDisconnect::PROTOCOL_ERROR != 0 {
                    Blame::Local
                } else {
                    Blame::PeerGone
                }
            }
            ProviderAbortCause::Detected(error) => error.blame(),
        }
    }
}

impl fmt::Display for ProviderAbort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            ProviderAbortCause::TransportDisconnect => f.write_str("transport connection ended"),
            ProviderAbortCause::AbortSpdu { transport_disconnect, reflected } => {
                write!(f, "AB SPDU received, transport disconnect {transport_disconnect:#04x}")?;
                if !reflected.is_empty() {
                    write!(f, ", reflected octets {reflected:02x?}")?;
                }
                Ok(())
            }
            ProviderAbortCause::Detected(error) => error.fmt(f),
        }
    }
}
