//! Whether an association may be opened at all: activation, times, and how much waits.

use super::{ConnectorPolicy, Slot};
use crate::settings::Activation;

/// What may be opened by us now, the wait after a failure aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// Any association.
    All,
    /// Associations for what is urgent: it is not a selected time, which urgent mail ignores.
    Urgent,
    /// None, unless an operator wants one and the connector is one that opens associations.
    Nothing,
}

impl ConnectorPolicy {
    pub(super) fn permission(&self) -> Permission {
        if self.stopping {
            return Permission::Nothing;
        }
        match self.settings.activation {
            Activation::Always => Permission::All,
            Activation::SelectedTimes(_) if self.in_schedule => Permission::All,
            Activation::SelectedTimes(_) if self.settings.urgent_ignores_schedule => Permission::Urgent,
            Activation::SelectedTimes(_) | Activation::Never | Activation::RemoteInitiated => {
                Permission::Nothing
            }
        }
    }

    /// Whether an operator can have an association opened, schedule or not.
    pub(super) fn may_be_forced(&self) -> bool {
        match self.settings.activation {
            Activation::Always | Activation::SelectedTimes(_) => !self.stopping,
            Activation::Never | Activation::RemoteInitiated => false,
        }
    }

    /// Whether an association of ours may go on being open.
    pub(super) fn is_permitted(&self, slot: &Slot) -> bool {
        match self.permission() {
            Permission::All => true,
            Permission::Urgent => slot.urgent_only || slot.forced,
            Permission::Nothing => slot.forced && self.may_be_forced(),
        }
    }

    /// Whether what waits is too little to open an association for it. What can be resumed is not held: its time is
    /// short.
    pub(super) fn is_held(&self) -> bool {
        let hold = self.settings.hold;
        let waiting = self.urgent.saturating_add(self.other);
        let asks = |limit: u32, reached: bool| limit > 0 && reached;
        let held = hold.until_kb > 0 || hold.until_messages > 0;
        let enough = asks(hold.until_kb, self.octets >= u64::from(hold.until_kb) * 1024)
            || asks(hold.until_messages, self.queued >= u64::from(hold.until_messages))
            || hold.urgent_overrides && self.urgent > 0
            || self.recovery.is_some();
        held && waiting > 0 && !enough
    }
}
