//! Session protocol machine (X.225), for the functional units of RTSE or for duplex.
//!
//! One [`Spm`] is one session connection on one transport connection. It keeps the rules of the turn, of
//! activities and of serial numbers, so that its user can't break the protocol, and judges what the peer sends
//! by the same rules. It knows nothing of what the user data means.

mod establish;
mod receive;
mod release;
mod request;
mod segment;
mod state;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

use self::state::{State, Turn};
use super::spdu::{FunctionalUnits, Spdu, TransportDisconnect, UserData, decode_tsdu};
use super::{ProviderAbort, ProviderAbortCause, SConnect, SessionError, SsIndication, SsRequest};
use crate::failure::Blame;

/// Octets of an invalid TSDU that AB reflects at most.
const REFLECTED_OCTETS_MAX: usize = 9;

/// Session protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Version 1: user data of at most 512 octets (9 in AB).
    V1,
    /// Version 2: user data of at most 10 240 octets.
    V2,
}

impl Version {
    fn bit(self) -> u8 {
        match self {
            Version::V1 => 1,
            Version::V2 => 2,
        }
    }

    fn user_data_octets_max(self) -> usize {
        match self {
            Version::V1 => 512,
            Version::V2 => 10_240,
        }
    }

    fn abort_user_data_octets_max(self) -> usize {
        match self {
            Version::V1 => 9,
            Version::V2 => self.user_data_octets_max(),
        }
    }
}

/// Settings of a session machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Maximum TSDU size in octets that is proposed, or agreed to, in both directions; 0 for no segmenting.
    /// Values from 1 to 7 leave no room for data and are taken as 8.
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
    /// What is proposed, and what a peer must offer: [`FunctionalUnits::RTSE`] or [`FunctionalUnits::DUPLEX`].
    pub functional_units: FunctionalUnits,
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
            functional_units: FunctionalUnits::RTSE,
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
    /// A TSDU is longer than the transport layer takes; it was dropped.
    TsduTooLong {
        /// The limit in octets.
        limit: usize,
    },
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
    state: State,
}

impl Spm {
    /// A machine that sends CN for `connect` once the transport connection is there.
    pub fn initiator(config: SessionConfig, connect: SConnect) -> Self {
        Spm { config, state: State::AwaitTransport { connect } }
    }

    /// A machine that waits for CN.
    pub fn responder(config: SessionConfig) -> Self {
        Spm { config, state: State::AwaitTransportIndication }
    }

    /// Advances by one event.
    ///
    /// After the end of the connection, and while the peer's reaction to an abort is awaited, whatever the peer
    /// sends is dropped.
    ///
    /// # Errors
    /// [`SessionError::RequestOutOfState`] and the other `Request…` errors refuse what the own side asked for
    /// and change nothing, unless it was the first CN: that ends the machine. With every other error the
    /// connection is over: `out` holds the SPDU that is due to the peer and
    /// [`SsIndication::ProviderAbort`], and [`SpmAction::TDisconnect`] has been or will be put out.
    pub fn handle(
        &mut self,
        now: MonoTime,
        event: SpmEvent<'_>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        match event {
            SpmEvent::TConnectConfirm => self.transport_confirmed(now, out),
            SpmEvent::TConnectIndication => self.transport_indicated(now),
            SpmEvent::Tsdu(tsdu) => self.tsdu(now, tsdu, out),
            SpmEvent::TsduTooLong { limit } => self.tsdu_too_long(now, limit, out),
            SpmEvent::TDisconnect => {
                self.transport_gone(out);
                Ok(())
            }
            SpmEvent::Request(request) => self.request(now, request, out),
            SpmEvent::Deadline => self.expired(now, out),
        }
    }

    /// When [`SpmEvent::Deadline`] is due.
    pub fn deadline(&self) -> Option<MonoTime> {
        self.state.deadline()
    }

    /// Whether this side holds the turn (all tokens) on an open connection.
    pub fn has_turn(&self) -> bool {
        match &self.state {
            State::Open(open) | State::AwaitDn { open, .. } => open.settled.turn == Turn::Ours,
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => false,
        }
    }

    /// The version in use, from its choice until the end of the connection.
    pub fn version(&self) -> Option<Version> {
        self.state.version()
    }

    /// Octets that are here of an SSDU which is not whole yet.
    pub fn partial_octets(&self) -> usize {
        match &self.state {
            State::Open(open) | State::AwaitDn { open, .. } => open.assembly.as_ref().map_or(0, Vec::len),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => 0,
        }
    }

    /// Whether nothing more will happen.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn tsdu(&mut self, now: MonoTime, tsdu: &[u8], out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        // These states have nothing more to say to the peer, so nothing that comes can be an error.
        if let State::AwaitTDisconnect { .. } | State::AwaitAbortAccept { .. } | State::Closed = self.state {
            self.drain(tsdu, out);
            return Ok(());
        }
        let spdus = match decode_tsdu(tsdu) {
            Ok(spdus) => spdus,
            Err(error) => return Err(self.fail(now, error.into(), tsdu, out)),
        };
        for spdu in spdus {
            if let Err(error) = self.spdu(now, spdu, out) {
                return Err(self.fail(now, error, tsdu, out));
            }
        }
        Ok(())
    }

    fn tsdu_too_long(
        &mut self,
        now: MonoTime,
        limit: usize,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        match self.state {
            State::AwaitTDisconnect { .. } | State::AwaitAbortAccept { .. } | State::Closed => Ok(()),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. } => {
                Err(self.fail(now, SessionError::TsduTooLong { limit }, &[], out))
            }
        }
    }

    /// Ends the connection because of `error`: AB to the peer, S-P-ABORT to the user.
    fn fail(
        &mut self,
        now: MonoTime,
        error: SessionError,
        tsdu: &[u8],
        out: &mut Vec<SpmAction>,
    ) -> SessionError {
        let indication = provider_abort(false, ProviderAbortCause::Detected(error.clone()));
        // A refused CN has been answered by RF, which left nothing to abort.
        if matches!(self.state, State::AwaitTDisconnect { .. }) {
            out.push(indication);
            return error;
        }
        let (reason, reflected) = match error.blame() {
            Blame::PeerMisbehaved => (
                TransportDisconnect::PROTOCOL_ERROR,
                tsdu.get(..REFLECTED_OCTETS_MAX).unwrap_or(tsdu).to_vec(),
            ),
            Blame::PeerIncompatible | Blame::LimitReached => {
                (TransportDisconnect::IMPLEMENTATION_RESTRICTION, Vec::new())
            }
            Blame::PeerGone | Blame::Local => (TransportDisconnect::NO_REASON, Vec::new()),
        };
        let ab = Spdu::Ab {
            transport_disconnect: Some(TransportDisconnect(TransportDisconnect::RELEASE | reason)),
            reflected,
            user: UserData::default(),
        };
        out.extend(ab.to_tsdu().ok().map(SpmAction::Tsdu));
        out.push(indication);
        self.await_abort_accept(now, out);
        error
    }
}

fn provider_abort(by_peer: bool, cause: ProviderAbortCause) -> SpmAction {
    SpmAction::Indication(SsIndication::ProviderAbort(ProviderAbort { by_peer, cause }))
}
