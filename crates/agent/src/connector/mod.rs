//! When a connector opens and closes associations: a state machine without sockets and clocks.
//!
//! The runtime tells it what waits and what became of each association; it answers with [`PolicyAction`]s. One
//! `Open` is one round over all hosts of the connector; its end is one `Opened` or one `OpenFailed`. The machine
//! counts what is open, being opened or being closed, so it never asks for more than the setting allows, and after
//! a failure it stays quiet for the open interval, however much waits. It does not choose messages, bound the time
//! of an open, or know what an association is made of.

mod failures;
mod permission;
#[cfg(test)]
mod permission_tests;
mod settle;
mod slot;
#[cfg(test)]
mod tests;

use std::time::Duration;

use clock::{MonoTime, WallTime};

use crate::settings::{Activation, AssociationSettings, ConnectorSettings, HoldSettings, RetrySettings};
use failures::Failures;
use permission::Permission;
use slot::{Direction, Slot, Stage};

/// Decides for one connector.
#[derive(Clone, Debug)]
pub struct ConnectorPolicy {
    settings: PolicySettings,
    /// Thousandths by which the open interval is lengthened, 0 to 100.
    jitter_per_mille: u16,
    next_id: u64,
    slots: Vec<Slot>,
    urgent: usize,
    other: usize,
    queued: u64,
    octets: u64,
    /// It is one of the times selected by [`Activation::SelectedTimes`].
    in_schedule: bool,
    /// A selected time has begun, and no association has been opened since.
    call_due: bool,
    /// No open before this time.
    wait: Option<MonoTime>,
    failures: Failures,
    /// An association broke during a transfer and none has completed a transfer since.
    broke_in_transfer: bool,
    /// A transfer of the peer's that was interrupted wants an association even if nothing waits.
    connect_now: bool,
    /// An operator wants an association even if nothing waits, and whatever time it is.
    forced: bool,
    /// A transfer was interrupted that can be resumed.
    recovery: Option<Recovery>,
    stopping: bool,
}

/// While an interrupted transfer can be resumed, time counts: opens are tried in quick succession.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recovery {
    /// When it can't be resumed any more.
    until: MonoTime,
    /// What follows the next failure.
    next_wait: Duration,
}

/// Wait after the first failure to open for a transfer that can be resumed; it doubles with each further one.
const FIRST_RECOVERY_WAIT: Duration = Duration::from_secs(1);

/// Longest wait for a place of our own.
const PLACE_WAIT: Duration = Duration::from_secs(5);

/// What the policy needs of the connector's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PolicySettings {
    activation: Activation,
    urgent_ignores_schedule: bool,
    call_at_selected_times: bool,
    hold: HoldSettings,
    two_way_alternate: bool,
    retry: RetrySettings,
    association: AssociationSettings,
}

/// Names an association of one connector, inbound ones included; never reused by the same policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssociationId(pub u64);

/// What the policy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// How many items wait and could be sent now: those in transfer or in their transfer interval do not count.
    Queue {
        /// Urgent messages, reports and probes.
        urgent: usize,
        /// All others.
        other: usize,
        /// All that is queued, whether or not the window of the queue has it.
        queued: u64,
        /// Octets of that.
        octets: u64,
    },
    /// A quarter of an hour has begun, or the connector has: for [`Activation::SelectedTimes`] alone.
    Schedule {
        /// Whether it is one of those selected.
        active: bool,
    },
    /// An association that was to be opened is open and idle.
    Opened(AssociationId),
    /// Every host was tried, none gave an association. This ends the association's life.
    OpenFailed {
        /// Which.
        association: AssociationId,
        /// When, for [`ConnectorPolicy::failures_since`].
        at: WallTime,
    },
    /// Nobody was called: this MTA has no place for an association. This ends the association's life, and is no failure
    /// of the peer's.
    NoPlace(AssociationId),
    /// The peer has opened an association; its name comes from [`ConnectorPolicy::reserve_id`].
    InboundOpened(AssociationId),
    /// An open association is gone. This ends its life.
    Ended {
        /// Which.
        association: AssociationId,
        /// Released in order, by either side; false for an abort or a lost connection.
        orderly: bool,
        /// When, for [`ConnectorPolicy::failures_since`].
        at: WallTime,
    },
    /// A transfer was interrupted because its association broke, and can be resumed. That the association has ended is told after this, and is no failure.
    Interrupted {
        /// Which.
        association: AssociationId,
        /// When it can't be resumed any more.
        until: MonoTime,
        /// It was a transfer of the peer's: it goes on only if the association is there again, whether or not
        /// something waits here.
        theirs: bool,
        /// The association has brought something forward: not as the one before it, perhaps. Those of a peer whose
        /// transfers break again and again at the same octet are opened more and more slowly.
        further: bool,
    },
    /// A transfer from us began on an association.
    Busy(AssociationId),
    /// That transfer has come to an end; the association can take another.
    Idle {
        /// Which.
        association: AssociationId,
        /// The peer has confirmed it.
        transferred: bool,
    },
    /// An operator wants a connection now, whatever the wait says and whether or not something waits.
    ConnectNow,
    /// The time of [`ConnectorPolicy::deadline`] has come.
    Deadline,
    /// No association is to be opened any more, and those which are there are to be closed.
    Stop,
}

/// What the policy wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// Try every host once, in order, until one gives an association.
    Open {
        /// Its name from now on.
        association: AssociationId,
        /// Only urgent messages, reports and probes may be sent on it.
        urgent_only: bool,
    },
    /// End an association in order, or an attempt to open one at once. Its end is then told as usual.
    Close(AssociationId),
}

/// The connector as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorState {
    /// At least one association is open.
    Active,
    /// None is open, one is being opened.
    Opening,
    /// None is open; one will be as soon as something waits.
    Ready,
    /// None is open; the next attempt is made at this time.
    Retry {
        /// When.
        until: MonoTime,
    },
    /// None is open; the peer has to open one.
    Remote,
    /// None is open; it is not the time to open one.
    Scheduled,
    /// None is open; one will be when more waits.
    Held,
    /// The connector never opens associations.
    Disabled,
    /// Associations are being closed for good.
    Stopping,
    /// None is left and none will come.
    Stopped,
}

impl ConnectorPolicy {
    /// A policy with nothing open. `jitter_per_mille` lengthens the open interval by that many thousandths, at most
    /// 100, so that many connectors with the same settings don't retry in step.
    pub fn new(settings: &ConnectorSettings, jitter_per_mille: u16) -> Self {
        let settings = PolicySettings::of(settings);
        ConnectorPolicy {
            settings,
            jitter_per_mille: jitter_per_mille.min(100),
            next_id: 1,
            slots: Vec::new(),
            urgent: 0,
            other: 0,
            queued: 0,
            octets: 0,
            in_schedule: false,
            call_due: false,
            wait: None,
            failures: Failures::new(settings.retry.max_open_retries),
            broke_in_transfer: false,
            connect_now: false,
            forced: false,
            recovery: None,
            stopping: false,
        }
    }

    /// Takes over changed settings. What is open stays as long as it is in use.
    pub fn apply(&mut self, settings: &ConnectorSettings) {
        self.settings = PolicySettings::of(settings);
        self.failures.set_limit(self.settings.retry.max_open_retries);
    }

    /// A name for an association that the peer opens.
    pub fn reserve_id(&mut self) -> AssociationId {
        let id = AssociationId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// Whether one more association of the peer's can be taken.
    pub fn accepts_inbound(&self) -> bool {
        let inbound = self.slots.iter().filter(|slot| slot.direction == Direction::Inbound).count();
        !self.stopping && inbound < limit(self.settings.association.max_associations)
    }

    /// Handles an event and appends what is to be done. Events about associations which are over, or which it
    /// never heard of, change nothing.
    pub fn handle(&mut self, now: MonoTime, event: PolicyEvent, out: &mut Vec<PolicyAction>) {
        match event {
            PolicyEvent::Queue { urgent, other, queued, octets } => {
                (self.urgent, self.other) = (urgent, other);
                (self.queued, self.octets) = (queued, octets);
            }
            PolicyEvent::Schedule { active } => {
                self.in_schedule = active;
                self.call_due = active && self.settings.call_at_selected_times;
                self.connect_now &= active;
            }
            PolicyEvent::Opened(id) => self.opened(now, id),
            PolicyEvent::OpenFailed { association, at } => self.open_failed(now, association, at),
            PolicyEvent::NoPlace(id) => self.no_place(now, id),
            PolicyEvent::InboundOpened(id) => self.inbound_opened(now, id, out),
            PolicyEvent::Ended { association, orderly, at } => self.ended(now, association, orderly, at),
            PolicyEvent::Interrupted { association, until, theirs, further } => {
                self.interrupted(now, association, until, theirs, further);
            }
            PolicyEvent::Busy(id) => self.busy(id),
            PolicyEvent::Idle { association, transferred } => self.idle(now, association, transferred),
            PolicyEvent::ConnectNow => self.connect_now(),
            PolicyEvent::Deadline => {}
            PolicyEvent::Stop => self.stopping = true,
        }
        self.settle(now, out);
    }

    /// When [`PolicyEvent::Deadline`] is due, if nothing happens before.
    pub fn deadline(&self) -> Option<MonoTime> {
        let idle = self.slots.iter().filter_map(|slot| self.idle_deadline(slot)).min();
        let wait = self.wait.filter(|_| self.wants_more().is_some());
        [idle, wait].into_iter().flatten().min()
    }

    /// The state for people.
    pub fn state(&self) -> ConnectorState {
        if self.stopping {
            return if self.slots.is_empty() { ConnectorState::Stopped } else { ConnectorState::Stopping };
        }
        if self.slots.iter().any(Slot::is_open) {
            return ConnectorState::Active;
        }
        if self.slots.iter().any(|slot| slot.stage == Stage::Opening) {
            return ConnectorState::Opening;
        }
        match self.settings.activation {
            Activation::Never => ConnectorState::Disabled,
            Activation::RemoteInitiated => ConnectorState::Remote,
            Activation::Always | Activation::SelectedTimes(_) => {
                let wanted = self.wants_more().is_some();
                match self.wait {
                    // Without anything to send nothing is going to be tried, however recent the failure.
                    Some(until) if wanted => ConnectorState::Retry { until },
                    Some(_) | None if !wanted && self.permission() != Permission::All => {
                        ConnectorState::Scheduled
                    }
                    Some(_) | None if !wanted && self.is_held() => ConnectorState::Held,
                    Some(_) | None => ConnectorState::Ready,
                }
            }
        }
    }

    /// Until when no association is opened after a failure, whether or not one is wanted.
    pub fn waits_until(&self) -> Option<MonoTime> {
        self.wait
    }

    /// Associations which are open, being opened or being closed.
    pub fn associations(&self) -> usize {
        self.slots.len()
    }

    /// Failed opens in a row.
    pub fn consecutive_failures(&self) -> u32 {
        self.failures.in_a_row()
    }

    /// Failed opens since `queued` as the clock stands `now`, counted up to `max_open_retries`; none when a transfer
    /// succeeded since. They are not remembered over a restart, and fewer are when the clock is set back: a message's age
    /// bounds its stay in any case.
    pub fn failures_since(&self, queued: WallTime, now: WallTime) -> u32 {
        self.failures.between(queued, now)
    }

    /// Whether an item that waits since `queued`, and had seen `before` failed opens of this connector when it came, has
    /// seen as many as it may.
    pub fn is_exhausted(&self, queued: WallTime, now: WallTime, before: u32) -> bool {
        self.failures_since(queued, now).saturating_add(before) >= self.settings.retry.max_open_retries
    }
}

impl PolicySettings {
    fn of(settings: &ConnectorSettings) -> Self {
        PolicySettings {
            activation: settings.activation,
            urgent_ignores_schedule: settings.urgent_ignores_schedule,
            call_at_selected_times: settings.call_at_selected_times && settings.two_way_alternate,
            hold: settings.hold,
            two_way_alternate: settings.two_way_alternate,
            retry: settings.retry,
            association: settings.association,
        }
    }
}

/// A limit of the settings as a count; at least one.
fn limit(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX).max(1)
}
