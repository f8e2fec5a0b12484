//! Where an association stands between the two users of RTSE (X.228), apart from the transfers in it.

use clock::MonoTime;

use super::connection::SessionConnectionIdentifier;
use super::open::Settled;
use super::resume::OpenData;
use super::service::InitialTurn;
use super::transfer::{Phase, Turn};
use crate::presentation::PConnect;

/// State of an [`Rtpm`](super::Rtpm).
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nothing has happened. An initiator has what it will open the association with.
    Idle { open: Option<Box<(PConnect, OpenData)>> },
    /// Responder: waits for the RTORQ.
    AwaitOpen { until: MonoTime },
    /// RTORQ sent.
    AwaitConfirm { settled: Settled, recovering: bool, until: MonoTime },
    /// RTORQ received and indicated.
    AwaitResponse {
        settled: Settled,
        /// What is to be recovered.
        recover: Option<SessionConnectionIdentifier>,
        initial_turn: InitialTurn,
    },
    /// The association is open.
    Open { settled: Settled, turn: Turn, phase: Phase },
    /// Over.
    Ended,
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            State::Idle { .. } => "not started",
            State::AwaitOpen { .. } => "waiting for the association to be opened",
            State::AwaitConfirm { .. } => "waiting for the answer to the open request",
            State::AwaitResponse { .. } => "opening is being decided",
            State::Open { phase, .. } => phase.name(),
            State::Ended => "ended",
        }
    }
}
