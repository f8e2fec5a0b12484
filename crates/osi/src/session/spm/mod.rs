//! Session protocol machine (X.225), for the functional units of RTSE or for duplex.
//!
//! One [`Spm`] is one session connection on one transport connection. It keeps the rules of the turn, of
//! activities and of serial numbers, so that its user can't break the protocol, and judges what the peer sends
//! by the same rules. It knows nothing of what the user data means.

mod control;
mod establish;
mod outline;
mod overflow;
mod pieces;
mod receive;
mod release;
mod request;
mod segment;
mod state;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

use self::control::Assembly;
pub use self::outline::SessionState;
use self::pieces::Arriving;
use self::state::{Held, State, Turn};
use super::spdu::{FunctionalUnits, Spdu, TransportDisconnect, UserData, decode_tsdu};
use super::{ProviderAbort, ProviderAbortCause, SConnect, SessionError, SsIndication, SsRequest};
use crate::failure::Blame;

/// Octets of user data that CN can carry.
const CN_USER_DATA_OCTETS_MAX: usize = 10_240;
/// Longest TSDU that makes sense before a CN has come: CN with all it can carry, and some room.
const CN_TSDU_OCTETS_MAX: usize = 16 * 1024;
/// What an SPDU has beside its user data, with some room.
const SPDU_ROOM_OCTETS: usize = 1024;
/// Octets of an invalid TSDU that AB reflects at most.
const REFLECTED_OCTETS_MAX: usize = 9;

/// Session protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Version 1: user data of at most 512 octets (9 in AB).
    V1,
    /// Version 2: user data of any length; what does not fit into one SPDU goes in segments, that of CN in CDO.
    V2,
}

impl Version {
    fn bit(self) -> u8 {
        match self {
            Version::V1 => 1,
            Version::V2 => 2,
        }
    }
}

/// Settings of a session machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Maximum TSDU size in octets that is proposed, or agreed to, in both directions; 0 for no segmenting.
    /// Values from 1 to 7 leave no room for data and are taken as 8.
    pub tsdu_max: u16,
    /// Longest SSDU taken, in octets. Where SSDUs are given in pieces it is the longest TSDU of other SPDUs that comes in
    /// pieces.
    pub max_ssdu: usize,
    /// Longest SSDU that is given whole, in octets; a longer one is given in pieces ([`SsIndication::DataPart`]) and is
    /// never too long. `None`: each is given whole.
    pub pass_on_above: Option<usize>,
    /// Longest user data of an SPDU other than DT that is sent or taken in version 2, in octets, with all its segments.
    /// That of S-CONNECT request is held before anybody has shown a password.
    pub max_user_data: usize,
    /// Whether the peer is told that it may concatenate several SPDUs of category 2. They are taken in any case, and
    /// never sent.
    pub extended_concatenation: bool,
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
            pass_on_above: None,
            max_user_data: 64 * 1024,
            extended_concatenation: false,
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
    /// The next octets of a TSDU arrived that the transport layer gives in pieces. The first of them are so many that all
    /// that stands before the data in it is among them, if it has any.
    TsduPart {
        /// The octets.
        octets: &'a [u8],
        /// Whether the TSDU ends with them.
        last: bool,
    },
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
    /// Send these octets of a TSDU.
    TsduPart {
        /// The octets.
        octets: Vec<u8>,
        /// Whether the TSDU ends with them.
        last: bool,
    },
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
    /// User data of an SPDU other than CN and DT that is arriving in segments.
    control: Assembly,
    /// The TSDU that is arriving in pieces.
    arriving: Arriving,
}

impl Spm {
    /// A machine that sends CN for `connect` once the transport connection is there.
    pub fn initiator(config: SessionConfig, connect: SConnect) -> Self {
        Spm {
            config,
            state: State::AwaitTransport { connect },
            control: Assembly::default(),
            arriving: Arriving::default(),
        }
    }

    /// A machine that waits for CN.
    pub fn responder(config: SessionConfig) -> Self {
        Spm {
            config,
            state: State::AwaitTransportIndication,
            control: Assembly::default(),
            arriving: Arriving::default(),
        }
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
            SpmEvent::TsduPart { octets, last } => self.tsdu_part(now, octets, last, out),
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
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
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
        self.state.settled().map(|settled| settled.version)
    }

    /// Octets of a TSDU of ours, if data has to be segmented.
    pub fn segment_octets(&self) -> Option<usize> {
        self.state.settled().and_then(|settled| settled.send_max)
    }

    /// Where the connection stands.
    pub fn state(&self) -> SessionState {
        self.state.kind()
    }

    /// The longest TSDU that makes sense now, in octets, while the connection is being established. Until then nobody
    /// has shown who it is, so that the transport layer should keep no more. What is here of user data that comes in
    /// pieces counts.
    pub fn opening_tsdu_octets_max(&self) -> Option<usize> {
        let missing = self.config.max_user_data.saturating_sub(self.partial_octets());
        let with_user_data = missing.saturating_add(SPDU_ROOM_OCTETS);
        let limit = match &self.state {
            State::AwaitTransport { .. } | State::AwaitTransportIndication | State::AwaitCn { .. } => {
                Some(CN_TSDU_OCTETS_MAX)
            }
            State::AwaitCdo { .. } => Some(with_user_data),
            State::AwaitOa { .. } | State::AwaitAc { .. } | State::AwaitConnectResponse { .. } => {
                Some(with_user_data.max(CN_TSDU_OCTETS_MAX))
            }
            State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => None,
        };
        limit.map(|limit| limit.min(self.config.max_ssdu))
    }

    /// Octets that are here of user data which is not whole yet.
    pub fn partial_octets(&self) -> usize {
        self.control.octets() + self.partial_ssdu_octets() + self.arriving.octets()
    }

    fn partial_ssdu_octets(&self) -> usize {
        match &self.state {
            State::Open(open) | State::AwaitDn { open, .. } => open.assembly.as_ref().map_or(0, Held::octets),
            State::AwaitCdo { cn, .. } => cn.user_data.len(),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitOa { .. }
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
        let mut spdus = match decode_tsdu(tsdu) {
            Ok(spdus) => spdus,
            Err(error) => return Err(self.fail(now, error.into(), tsdu, out)),
        };
        // Tokens that are given or asked for ahead of other SPDUs take effect after those (X.225): the sender still had
        // them for what it sent.
        spdus.sort_by_key(moves_tokens);
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
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
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
        self.control = Assembly::default();
        let indication = provider_abort(false, ProviderAbortCause::Detected(error.clone()));
        // A refused CN has been answered by RF, which left nothing to abort.
        if matches!(self.state, State::AwaitTDisconnect { .. }) {
            out.push(indication);
            return error;
        }
        // Inside a TSDU of ours there is no place for it.
        if self.state.is_in_tsdu() {
            out.push(indication);
            self.close_transport(out);
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

/// Whether an SPDU of category 0 is more than the empty one that goes ahead of others.
fn moves_tokens(spdu: &Spdu) -> bool {
    match spdu {
        Spdu::Gt { tokens } => *tokens != 0,
        Spdu::Pt { tokens, user } => *tokens != 0 || *user != UserData::default(),
        Spdu::Cn(_)
        | Spdu::Cdo { .. }
        | Spdu::Oa { .. }
        | Spdu::Ac(_)
        | Spdu::Rf(_)
        | Spdu::Fn { .. }
        | Spdu::Dn { .. }
        | Spdu::Nf { .. }
        | Spdu::Ab { .. }
        | Spdu::Aa
        | Spdu::Gtc
        | Spdu::Gta
        | Spdu::Pr
        | Spdu::Dt { .. }
        | Spdu::As { .. }
        | Spdu::Ar { .. }
        | Spdu::Ai { .. }
        | Spdu::Aia
        | Spdu::Ad { .. }
        | Spdu::Ada
        | Spdu::Ae { .. }
        | Spdu::Map { .. }
        | Spdu::Aea { .. }
        | Spdu::Mip { .. }
        | Spdu::Mia { .. }
        | Spdu::Ed { .. }
        | Spdu::Er { .. }
        | Spdu::Segment { .. } => false,
    }
}
