//! Settings of a transport machine, and what goes into it and comes out: TPDUs on one side, the service primitives of
//! X.214 on the other.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::tpdu::TpduSize;

/// Settings of a transport machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CotpConfig {
    /// Calling transport selector, sent by an initiator unless empty.
    pub calling_selector: Vec<u8>,
    /// Called transport selector, sent by an initiator unless empty.
    pub called_selector: Vec<u8>,
    /// Largest TPDU offered (initiator) or agreed to (responder), and with that the largest sent. Over
    /// [`TpduSize::MAX`] an initiator offers that and prefers more.
    pub tpdu_size: TpduSize,
    /// Longest TSDU taken, in octets.
    pub max_tsdu: usize,
    /// How long an initiator waits for the answer to CR, and a responder for CR.
    pub connect_timeout: Duration,
}

impl Default for CotpConfig {
    fn default() -> Self {
        CotpConfig {
            calling_selector: Vec::new(),
            called_selector: Vec::new(),
            tpdu_size: TpduSize::MAX,
            max_tsdu: 16 * 1024 * 1024,
            connect_timeout: Duration::from_secs(60),
        }
    }
}

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CotpEvent<'a> {
    /// The TCP connection is up. An initiator sends CR; for a responder the time for CR begins to run.
    Start,
    /// A TPDU arrived.
    Tpdu(&'a [u8]),
    /// The transport user asks for something.
    Request(TRequest),
    /// The TCP connection is gone.
    TransportClosed,
    /// The time of [`super::Cotp::deadline`] has come.
    Deadline,
}

/// What the transport user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TRequest {
    /// T-CONNECT response.
    Accept,
    /// T-DISCONNECT request that answers a T-CONNECT indication.
    Refuse {
        /// See [`super::tpdu::DrReason`].
        reason: u8,
    },
    /// T-DATA request: one TSDU.
    Data(Vec<u8>),
    /// T-DATA request, of which these are the next octets. Between the first and the last of them there is no other.
    DataPart {
        /// The octets.
        octets: Vec<u8>,
        /// Whether the TSDU ends with them.
        last: bool,
    },
    /// T-DISCONNECT request.
    Disconnect,
}

impl TRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            TRequest::Accept => "T-CONNECT response",
            TRequest::Refuse { .. } => "T-CONNECT refusal",
            TRequest::Data(_) | TRequest::DataPart { .. } => "T-DATA",
            TRequest::Disconnect => "T-DISCONNECT",
        }
    }
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CotpAction {
    /// Send this TPDU.
    Tpdu(Vec<u8>),
    /// Tell the transport user.
    Indication(TIndication),
    /// Close the TCP connection, after what was sent.
    Close,
}

/// What the transport user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TIndication {
    /// T-CONNECT indication: answer with [`TRequest::Accept`] or [`TRequest::Refuse`].
    Connect {
        /// Calling transport selector; empty when absent.
        calling: Vec<u8>,
        /// Called transport selector; empty when absent.
        called: Vec<u8>,
    },
    /// T-CONNECT confirm.
    Confirm,
    /// T-DATA indication: a whole TSDU.
    Data(Vec<u8>),
    /// T-DATA indication of a TSDU that is longer than [`super::Cotp::pass_on`] says: its next octets.
    DataPart {
        /// The octets, at least one unless they are the last.
        octets: Vec<u8>,
        /// Whether the TSDU ends with them.
        last: bool,
    },
    /// A TSDU grew over the limit after [`super::Cotp::user_is_open`]. Nothing of it is kept, and nothing will be given of
    /// what still comes of it; the connection goes on, so that the user can tell the peer.
    TooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// T-DISCONNECT indication: the connection is over, or was refused.
    Disconnect(TDisconnect),
}

/// Parameters of a T-DISCONNECT indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TDisconnect {
    /// Whether the connection had been established.
    pub established: bool,
    /// Why it ended; the peer, or the network, ended it.
    pub reason: TDisconnectReason,
}

/// Why a transport connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TDisconnectReason {
    /// The peer sent DR with this reason, see [`super::tpdu::DrReason`].
    Dr(u8),
    /// The peer sent ER with this cause, see [`super::tpdu::ErCause`].
    Er(u8),
    /// The TCP connection ended.
    Closed,
}

/// Where a transport connection stands, see [`super::Cotp::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CotpState {
    /// Initiator: no TCP connection yet.
    NotStarted,
    /// Initiator: CR sent.
    AwaitCc,
    /// Responder: no CR yet.
    AwaitCr,
    /// Responder: CR indicated, the user has to answer.
    AwaitUser,
    /// Established.
    Open,
    /// Over.
    Closed,
}

impl CotpState {
    /// The state in words.
    pub fn name(self) -> &'static str {
        match self {
            CotpState::NotStarted => "not started",
            CotpState::AwaitCc => "awaiting CC",
            CotpState::AwaitCr => "awaiting CR",
            CotpState::AwaitUser => "awaiting the user's answer to CR",
            CotpState::Open => "open",
            CotpState::Closed => "closed",
        }
    }
}

impl fmt::Display for CotpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
