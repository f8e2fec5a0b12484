//! One association as the policy sees it.

use clock::MonoTime;

use super::AssociationId;

/// One association, from the wish to open it to its end.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) id: AssociationId,
    pub(super) direction: Direction,
    pub(super) stage: Stage,
    /// Reserved for what is urgent.
    pub(super) urgent_only: bool,
    /// Asked for by an operator, so that it may be open at other than selected times.
    pub(super) forced: bool,
    /// When it was asked for, or when the peer opened it.
    pub(super) since: MonoTime,
    /// The peer has confirmed at least one transfer on it.
    pub(super) productive: bool,
    /// A transfer on it was interrupted and can be resumed.
    pub(super) interrupted: bool,
}

/// Who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Outbound,
    Inbound,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Asked for, no answer yet.
    Opening,
    /// Open, nothing in transfer from us.
    Idle { since: MonoTime },
    /// Open, a transfer from us is under way.
    Busy,
    /// Its close was asked for, its end not told yet.
    Closing,
}

impl Slot {
    pub(super) fn is_open(&self) -> bool {
        match self.stage {
            Stage::Idle { .. } | Stage::Busy => true,
            Stage::Opening | Stage::Closing => false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        match self.stage {
            Stage::Idle { .. } => true,
            Stage::Opening | Stage::Busy | Stage::Closing => false,
        }
    }
}
