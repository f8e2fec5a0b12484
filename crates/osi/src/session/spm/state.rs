//! States of the session machine. Each holds what is known in it and nothing else.

use alloc::boxed::Box;
use alloc::vec::Vec;

use clock::MonoTime;

use super::{SessionState, Version};
use crate::session::spdu::{Cn, TsduMax};
use crate::session::{ConnectionIdentifier, InitialTurn, SConnect, SessionError};

/// Where the connection stands. The numbers in the comments are those of the state tables of X.225.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Initiator before the transport connection (STA 01B).
    AwaitTransport { connect: SConnect },
    /// Responder before the transport connection (STA 01).
    AwaitTransportIndication,
    /// Responder, CN is due (STA 01C).
    AwaitCn { deadline: MonoTime },
    /// CN indicated more user data than it carried, OA sent (STA 01D). The CN collects the rest.
    AwaitCdo { deadline: MonoTime, cn: Box<Cn>, proposal: Proposal },
    /// CN sent with the first part of its user data; the rest is due when OA comes (STA 02B).
    AwaitOa { deadline: MonoTime, offer: Offer, rest: Vec<u8> },
    /// CN sent (STA 02A).
    AwaitAc { deadline: MonoTime, offer: Offer },
    /// CN indicated, the user has to answer (STA 08).
    AwaitConnectResponse { proposal: Proposal },
    /// Data transfer (STA 713 and those that it leads to).
    Open(Open),
    /// FN sent (STA 03).
    AwaitDn { deadline: MonoTime, open: Open },
    /// FN indicated, the user has to answer (STA 09).
    AwaitReleaseResponse { open: Open },
    /// DN or RF sent: the peer ends the transport connection (STA 16).
    AwaitTDisconnect { deadline: MonoTime },
    /// AB sent: the peer answers AA or ends the transport connection (STA 16).
    AwaitAbortAccept { deadline: MonoTime },
    /// Over.
    Closed,
}

/// What our CN proposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) version_min: Version,
    pub(super) version_max: Version,
    pub(super) tsdu_max: u16,
    pub(super) initial_turn: InitialTurn,
    pub(super) responder_may_take_turn: bool,
}

/// What a CN proposed, as far as it can be settled before the user has answered.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub(super) settled: Settled,
    pub(super) identifier: ConnectionIdentifier,
    /// The sizes that AC answers, if there is segmenting.
    pub(super) tsdu_max: Option<TsduMax>,
    /// The token setting that CN proposed, if there are tokens.
    pub(super) token_setting: Option<u8>,
    /// Who has the tokens by it.
    pub(super) assignment: Assignment,
    /// Whether OA has been sent.
    pub(super) overflow: bool,
}

/// What a token setting says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) initial_turn: InitialTurn,
    pub(super) responder_may_take_turn: bool,
}

/// What both sides have settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) version: Version,
    /// Octets of a TSDU of ours, if data has to be segmented.
    pub(super) send_max: Option<usize>,
    pub(super) turn: Turn,
}

/// Who holds the turn: the data, synchronize-minor and major/activity tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Ours,
    Theirs,
    /// Duplex: there are no tokens, and both sides send data and may release.
    NoTokens,
}

impl Turn {
    pub(super) fn name(self) -> &'static str {
        match self {
            Turn::Ours => "ours",
            Turn::Theirs => "the peer's",
            Turn::NoTokens => "not in use",
        }
    }
}

/// An established connection.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) settled: Settled,
    pub(super) phase: Phase,
    /// The SSDU that is arriving in segments.
    pub(super) assembly: Option<Held>,
    /// The SSDU of ours that is being sent in pieces.
    pub(super) outgoing: Option<Outgoing>,
}

/// An SSDU that is arriving.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// Its beginning.
    Octets(Vec<u8>),
    /// What has come of it has been given to the user.
    PassedOn,
}

impl Held {
    /// Octets held.
    pub(super) fn octets(&self) -> usize {
        match self {
            Held::Octets(octets) => octets.len(),
            Held::PassedOn => 0,
        }
    }
}

/// An SSDU of ours whose end is still to come.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    /// Without segmenting: it is one TSDU, which has begun.
    Tsdu,
    /// In segments, each a TSDU.
    Segments {
        /// Whether one has been sent.
        begun: bool,
        /// Octets that wait until it is known whether others follow.
        unsent: Vec<u8>,
    },
}

/// What an established connection is doing. Who may do what in it depends on the turn as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No activity.
    Idle,
    /// The peer gives its tokens one by one; these are here.
    TokensArriving(u8),
    /// GTC sent (STA 18). The turn counts as the peer's.
    AwaitGta,
    /// An activity of the holder of the turn is going on.
    Activity(Sync),
    /// Our AE is not answered yet.
    AwaitAea(Sync),
    /// The peer's AE is indicated, the user has to answer.
    AwaitEndResponse(Sync),
    /// AI sent. With the serial number of our AE, as long as that may still be answered.
    AwaitAia { end: Option<u32> },
    /// AD sent. The same.
    AwaitAda { end: Option<u32> },
    /// AI indicated, the user has to answer.
    AwaitInterruptResponse,
    /// AD indicated, the user has to answer.
    AwaitDiscardResponse,
    /// ED sent: what the peer sends is dropped until it interrupts or discards the activity.
    ExceptionSent,
    /// ED or ER received: our user has to interrupt or discard the activity.
    ExceptionReceived,
}

/// Serial numbers of synchronization points (V(A) and V(M) of X.225).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sync {
    /// Lowest number that is not confirmed.
    pub(super) unconfirmed: u32,
    /// Next number to be used.
    pub(super) next: u32,
}

impl Sync {
    pub(super) fn starting_at(serial: u32) -> Self {
        Sync { unconfirmed: serial, next: serial }
    }

    pub(super) fn point(self) -> Self {
        Sync { next: self.next.saturating_add(1), ..self }
    }

    /// Confirms every point up to `serial`; `None` if that is not outstanding.
    pub(super) fn confirm(self, serial: u32) -> Option<Self> {
        (self.unconfirmed..self.next)
            .contains(&serial)
            .then(|| Sync { unconfirmed: serial.saturating_add(1), ..self })
    }
}

impl Open {
    pub(super) fn new(settled: Settled) -> Self {
        Open { settled, phase: Phase::Idle, assembly: None, outgoing: None }
    }

    pub(super) fn kind(&self) -> SessionState {
        match (self.phase, self.settled.turn) {
            (Phase::Idle, Turn::Ours) => SessionState::OpenWithTurn,
            (Phase::Idle, Turn::Theirs) => SessionState::OpenWithoutTurn,
            (Phase::Idle, Turn::NoTokens) => SessionState::OpenInDuplex,
            (Phase::TokensArriving(_), _) => SessionState::TokensArriving,
            (Phase::AwaitGta, _) => SessionState::AwaitGta,
            (Phase::Activity(_), Turn::Ours) => SessionState::Sending,
            (Phase::Activity(_), Turn::Theirs | Turn::NoTokens) => SessionState::Receiving,
            (Phase::AwaitAea(_), _) => SessionState::AwaitAea,
            (Phase::AwaitEndResponse(_), _) => SessionState::AwaitEndResponse,
            (Phase::AwaitAia { .. }, _) => SessionState::AwaitAia,
            (Phase::AwaitAda { .. }, _) => SessionState::AwaitAda,
            (Phase::AwaitInterruptResponse, _) => SessionState::AwaitInterruptResponse,
            (Phase::AwaitDiscardResponse, _) => SessionState::AwaitDiscardResponse,
            (Phase::ExceptionSent, _) => SessionState::ExceptionSent,
            (Phase::ExceptionReceived, _) => SessionState::ExceptionReceived,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind().name()
    }

    pub(super) fn unexpected(&self, spdu: &'static str) -> SessionError {
        SessionError::UnexpectedSpdu { spdu, state: self.name() }
    }

    /// Refuses an SPDU that only the holder of the turn may send, if the peer does not hold it.
    pub(super) fn needs_turn_of_peer(&self, spdu: &'static str) -> Result<(), SessionError> {
        self.needs_turn(spdu, Turn::Theirs)
    }

    /// Refuses an SPDU that only the side without the turn may send, if the peer holds it.
    pub(super) fn needs_turn_of_ours(&self, spdu: &'static str) -> Result<(), SessionError> {
        self.needs_turn(spdu, Turn::Ours)
    }

    /// Refuses FN and, outside the functional units of RTSE, DT of a peer that does not hold the turn where there is one.
    pub(super) fn needs_data_right_of_peer(&self, spdu: &'static str) -> Result<(), SessionError> {
        match self.settled.turn {
            Turn::NoTokens => Ok(()),
            Turn::Ours | Turn::Theirs => self.needs_turn_of_peer(spdu),
        }
    }

    fn needs_turn(&self, spdu: &'static str, turn: Turn) -> Result<(), SessionError> {
        if self.settled.turn == turn {
            Ok(())
        } else {
            Err(SessionError::Turn { spdu, turn: self.settled.turn.name() })
        }
    }
}

impl State {
    pub(super) fn kind(&self) -> SessionState {
        match self {
            State::AwaitTransport { .. } => SessionState::AwaitTransport,
            State::AwaitTransportIndication => SessionState::AwaitTransportIndication,
            State::AwaitCn { .. } => SessionState::AwaitCn,
            State::AwaitCdo { .. } => SessionState::AwaitCdo,
            State::AwaitOa { .. } => SessionState::AwaitOa,
            State::AwaitAc { .. } => SessionState::AwaitAc,
            State::AwaitConnectResponse { .. } => SessionState::AwaitConnectResponse,
            State::Open(open) => open.kind(),
            State::AwaitDn { .. } => SessionState::AwaitDn,
            State::AwaitReleaseResponse { .. } => SessionState::AwaitReleaseResponse,
            State::AwaitTDisconnect { .. } => SessionState::AwaitTDisconnect,
            State::AwaitAbortAccept { .. } => SessionState::AwaitAbortAccept,
            State::Closed => SessionState::Closed,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind().name()
    }

    pub(super) fn unexpected(&self, spdu: &'static str) -> SessionError {
        SessionError::UnexpectedSpdu { spdu, state: self.name() }
    }

    pub(super) fn out_of_state(&self, request: &'static str) -> SessionError {
        SessionError::RequestOutOfState { request, state: self.name() }
    }

    /// The established connection, or `None` in every other state.
    pub(super) fn open(&mut self) -> Option<&mut Open> {
        match self {
            State::Open(open) => Some(open),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => None,
        }
    }

    /// Whether a TSDU of ours has been sent in part, so that nothing else can be sent.
    pub(super) fn is_in_tsdu(&self) -> bool {
        match self {
            State::Open(open) | State::AwaitReleaseResponse { open } | State::AwaitDn { open, .. } => {
                matches!(open.outgoing, Some(Outgoing::Tsdu))
            }
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => false,
        }
    }

    /// When this state ends by itself.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        match self {
            State::AwaitCn { deadline }
            | State::AwaitCdo { deadline, .. }
            | State::AwaitOa { deadline, .. }
            | State::AwaitAc { deadline, .. }
            | State::AwaitDn { deadline, .. }
            | State::AwaitTDisconnect { deadline }
            | State::AwaitAbortAccept { deadline } => Some(*deadline),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitReleaseResponse { .. }
            | State::Closed => None,
        }
    }

    /// What was settled, from the choice of a version until the end of the connection.
    pub(super) fn settled(&self) -> Option<Settled> {
        match self {
            State::AwaitCdo { proposal, .. } | State::AwaitConnectResponse { proposal } => {
                Some(proposal.settled)
            }
            State::Open(open) => Some(open.settled),
            State::AwaitDn { open, .. } | State::AwaitReleaseResponse { open } => Some(open.settled),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => None,
        }
    }
}
