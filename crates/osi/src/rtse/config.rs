use alloc::vec::Vec;
use core::time::Duration;

use super::service::{DialogueMode, InitialTurn, Mode};

/// Settings of RTSE for one association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtseConfig {
    /// Mode in which an initiator opens. A responder takes the mode that comes.
    pub mode: Mode,
    /// Application protocols that a responder takes in X.410 mode; without any, that mode is refused.
    pub application_protocols: Vec<i64>,
    /// Checkpoint size to propose, or the most to agree to, in units of 1,024 octets; 0 for no checkpoints of our
    /// own wish.
    pub checkpoint_size_kb: u32,
    /// Window size to propose, or the most to agree to, in checkpoints; at least 1.
    pub window_size: u32,
    /// Dialogue mode to propose; a responder with `Monologue` refuses two-way alternate.
    pub dialogue_mode: DialogueMode,
    /// Who has the turn at the start (X.218), as an initiator proposes it; a responder takes what comes. For an
    /// association that is recovered it is whoever had the turn at its end.
    pub initial_turn: InitialTurn,
    /// Most octets of one segment that is sent, whatever checkpoint size was agreed, and most that are asked for at once
    /// if there are no checkpoints, so that an APDU is one segment; at least 1,024.
    pub segment_octets_max: usize,
    /// Time for the association to be opened, from the start of the transport connection: for the initiator until
    /// the answer to the bind, for the responder until the bind.
    pub open_timeout: Duration,
    /// Time without any progress during a transfer: without an answer of the peer that is due, and without octets that
    /// arrive or leave.
    pub transfer_timeout: Duration,
    /// Time for the peer to take the turn that it was given, and to give the turn that it was asked for; the latter
    /// begins anew with the end of each transfer of the peer's.
    pub turn_timeout: Duration,
    /// Time for the peer to answer the release.
    pub release_timeout: Duration,
}

impl Default for RtseConfig {
    fn default() -> Self {
        RtseConfig {
            mode: Mode::default(),
            application_protocols: Vec::new(),
            checkpoint_size_kb: 30,
            window_size: 5,
            dialogue_mode: DialogueMode::Monologue,
            initial_turn: InitialTurn::Initiator,
            segment_octets_max: 64 * 1024,
            open_timeout: Duration::from_secs(60),
            transfer_timeout: Duration::from_secs(300),
            turn_timeout: Duration::from_secs(60),
            release_timeout: Duration::from_secs(60),
        }
    }
}
