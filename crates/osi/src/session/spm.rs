//! Session protocol machine.

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

use super::{SConnect, SessionError, SsIndication, SsRequest};

/// Session protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Version 1: user data of at most 512 octets (9 in AB).
    V1,
    /// Version 2: user data of at most 10 240 octets.
    V2,
}

/// Settings of a session machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Maximum TSDU size in octets that is proposed in both directions; 0 for no segmenting.
    pub tsdu_max: u16,
    /// Longest SSDU taken, in octets.
    pub max_ssdu: usize,
    /// How long to wait for the peer's end of the connection after an abort.
    pub abort_timeout: Duration,
    /// How long to wait for the answer to CN (initiator), or for CN (responder).
    pub connect_timeout: Duration,
    /// How long to wait for the answer to FN, and for the peer to end the transport connection after DN or RF.
    pub release_timeout: Duration,
    /// Lowest version offered or accepted.
    pub version_min: Version,
    /// Highest version offered or accepted.
    pub version_max: Version,
}

impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig {
            tsdu_max: 0,
            max_ssdu: 16 * 1024 * 1024,
            abort_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(60),
            release_timeout: Duration::from_secs(30),
            version_min: Version::V1,
            version_max: Version::V2,
        }
    }
}

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpmEvent<'a> {
    /// Initiator: the transport connection is established.
    TConnectConfirm,
    /// Responder: the transport connection is established (its acceptance has been sent).
    TConnectIndication,
    /// A whole TSDU arrived.
    Tsdu(&'a [u8]),
    /// The transport connection is gone.
    TDisconnect,
    /// The session user asks for something.
    Request(SsRequest),
    /// The time of [`Spm::deadline`] has come.
    Deadline,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpmAction {
    /// Send this TSDU.
    Tsdu(Vec<u8>),
    /// Tell the session user.
    Indication(SsIndication),
    /// End the transport connection, after what was sent.
    TDisconnect,
}

/// Session protocol machine.
#[derive(Clone, Debug)]
pub struct Spm {
    config: SessionConfig,
}

impl Spm {
    /// A machine that sends CN for `connect` once the transport connection is there.
    pub fn initiator(config: SessionConfig, connect: SConnect) -> Self {
        let _ = connect;
        Spm { config }
    }

    /// A machine that waits for CN.
    pub fn responder(config: SessionConfig) -> Self {
        Spm { config }
    }

    /// Advances by one event.
    ///
    /// # Errors
    /// See [`SessionError`]. After an error of the peer `out` holds what is due to it and to the user.
    pub fn handle(
        &mut self,
        now: MonoTime,
        event: SpmEvent<'_>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let _ = (now, event, out);
        Err(SessionError::RequestOutOfState { request: "any", state: "closed" })
    }

    /// When [`SpmEvent::Deadline`] is due.
    pub fn deadline(&self) -> Option<MonoTime> {
        None
    }

    /// Whether this side holds the turn (all tokens).
    pub fn has_turn(&self) -> bool {
        false
    }

    /// The version in use, once it is settled.
    pub fn version(&self) -> Option<Version> {
        Some(self.config.version_max)
    }

    /// Whether nothing more will happen.
    pub fn is_closed(&self) -> bool {
        true
    }
}
