//! The transitions of [`ConnectorPolicy`] and the rules which follow every event: what is to be closed, then what
//! is to be opened.

use std::time::Duration;

use clock::{MonoTime, WallTime};

use super::permission::Permission;
use super::slot::{Direction, Slot, Stage};
use super::{AssociationId, ConnectorPolicy, FIRST_RECOVERY_WAIT, PLACE_WAIT, PolicyAction, Recovery, limit};

impl ConnectorPolicy {
    pub(super) fn opened(&mut self, now: MonoTime, id: AssociationId) {
        if let Some(slot) = self.slot(id)
            && slot.stage == Stage::Opening
        {
            slot.stage = Stage::Idle { since: now };
            self.wait = None;
            self.call_due = false;
        }
    }

    pub(super) fn open_failed(&mut self, now: MonoTime, id: AssociationId, at: WallTime) {
        let Some(slot) = self.remove(id) else { return };
        match slot.stage {
            Stage::Opening => self.failed(now, at),
            // We gave the attempt up ourselves.
            Stage::Closing => {}
            // The runtime says `Ended` for these; take it as that.
            Stage::Idle { .. } | Stage::Busy => self.lost(now, &slot, at),
        }
    }

    pub(super) fn no_place(&mut self, now: MonoTime, id: AssociationId) {
        match self.remove(id).map(|slot| slot.stage) {
            Some(Stage::Opening) => self.wait = Some(now + PLACE_WAIT.min(self.open_interval())),
            // We gave the attempt up ourselves; what is open has a place.
            Some(Stage::Closing | Stage::Idle { .. } | Stage::Busy) | None => {}
        }
    }

    pub(super) fn inbound_opened(&mut self, now: MonoTime, id: AssociationId, out: &mut Vec<PolicyAction>) {
        if self.slot(id).is_some() {
            return;
        }
        let accepted = self.accepts_inbound();
        let stage = if accepted { Stage::Idle { since: now } } else { Stage::Closing };
        if !accepted {
            out.push(PolicyAction::Close(id));
        }
        let direction = Direction::Inbound;
        self.slots.push(Slot {
            id,
            direction,
            stage,
            urgent_only: false,
            forced: false,
            since: now,
            productive: false,
            interrupted: false,
        });
    }

    pub(super) fn ended(&mut self, now: MonoTime, id: AssociationId, orderly: bool, at: WallTime) {
        let Some(slot) = self.remove(id) else { return };
        match (slot.direction, slot.stage) {
            // We have asked for it, or it was the peer's.
            (_, Stage::Closing) | (Direction::Inbound, _) => {}
            (Direction::Outbound, Stage::Opening) => self.failed(now, at),
            (Direction::Outbound, Stage::Idle { .. } | Stage::Busy)
                if slot.productive || slot.interrupted => {}
            // Released by the peer before anything was sent on it. No fault, but a peer that does so each time
            // must not be called again and again.
            (Direction::Outbound, Stage::Idle { .. }) if orderly => {
                self.wait = Some(slot.since + self.open_interval());
            }
            (Direction::Outbound, Stage::Idle { .. } | Stage::Busy) => self.lost(now, &slot, at),
        }
    }

    pub(super) fn busy(&mut self, id: AssociationId) {
        if let Some(slot) = self.slot(id)
            && slot.is_idle()
        {
            slot.stage = Stage::Busy;
        }
    }

    pub(super) fn idle(&mut self, now: MonoTime, id: AssociationId, transferred: bool) {
        let Some(slot) = self.slot(id) else { return };
        match slot.stage {
            Stage::Busy => slot.stage = Stage::Idle { since: now },
            Stage::Closing => {}
            Stage::Opening | Stage::Idle { .. } => return,
        }
        if transferred {
            slot.productive = true;
            self.broke_in_transfer = false;
            self.recovery = None;
            self.failures.clear();
        }
    }

    pub(super) fn interrupted(
        &mut self,
        now: MonoTime,
        id: AssociationId,
        until: MonoTime,
        theirs: bool,
        further: bool,
    ) {
        if let Some(slot) = self.slot(id) {
            slot.interrupted = true;
        }
        self.connect_now |= theirs && self.permission() == Permission::All;
        match self.recovery.filter(|recovery| !further && now < recovery.until) {
            // The one before it was of no more use: haste is of none either.
            Some(Recovery { next_wait, .. }) => {
                let next = now + next_wait;
                let next_wait = next_wait.saturating_mul(2);
                self.recovery = (next < until).then_some(Recovery { until, next_wait });
                self.wait = Some(if next < until { next } else { now + self.open_interval() });
            }
            None => {
                self.recovery = Some(Recovery { until, next_wait: FIRST_RECOVERY_WAIT });
                self.wait = None;
            }
        }
    }

    pub(super) fn connect_now(&mut self) {
        if self.may_be_forced() {
            self.wait = None;
            // What is open or on its way already is what the operator wants.
            let there = |slot: &Slot| slot.direction == Direction::Outbound && slot.stage != Stage::Closing;
            self.forced = !self.slots.iter().any(there);
        }
    }

    /// An association broke before it was of use.
    fn lost(&mut self, now: MonoTime, slot: &Slot, at: WallTime) {
        let in_transfer = slot.stage == Stage::Busy;
        // One message which the peer can't stomach must not hold up the others: the first time, the next
        // association is opened at once, and that message waits for its transfer interval.
        if in_transfer && !self.broke_in_transfer {
            self.broke_in_transfer = true;
        } else {
            self.failed(now, at);
        }
    }

    fn failed(&mut self, now: MonoTime, at: WallTime) {
        // What has a short time to be resumed does not wait for the ordinary interval, nor are the attempts that it
        // makes beyond the ordinary ones counted. Doubling ends them even if the time is long.
        if let Some(recovery) = &mut self.recovery {
            let until = now + recovery.next_wait;
            if until < recovery.until {
                recovery.next_wait = recovery.next_wait.saturating_mul(2);
                self.wait = Some(until);
                return;
            }
            self.recovery = None;
        }
        self.failures.record(at);
        self.wait = Some(now + self.open_interval());
    }

    fn open_interval(&self) -> Duration {
        let millis =
            u64::from(self.settings.retry.open_interval_s) * (1000 + u64::from(self.jitter_per_mille));
        Duration::from_millis(millis)
    }

    /// Brings what is open in line with what is wanted.
    pub(super) fn settle(&mut self, now: MonoTime, out: &mut Vec<PolicyAction>) {
        if self.wait.is_some_and(|until| until <= now) {
            self.wait = None;
        }
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get(index) else { break };
            if self.is_to_close(now, slot) {
                out.push(PolicyAction::Close(slot.id));
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.stage = Stage::Closing;
                }
            }
        }
        if self.wait.is_none()
            && let Some(urgent_only) = self.wants_more()
        {
            self.connect_now = false;
            let forced = std::mem::take(&mut self.forced);
            let association = self.reserve_id();
            self.slots.push(Slot {
                id: association,
                direction: Direction::Outbound,
                stage: Stage::Opening,
                urgent_only,
                forced,
                since: now,
                productive: false,
                interrupted: false,
            });
            out.push(PolicyAction::Open { association, urgent_only });
        }
    }

    fn is_to_close(&self, now: MonoTime, slot: &Slot) -> bool {
        match slot.stage {
            Stage::Closing => false,
            Stage::Opening => self.stopping || !self.is_permitted(slot),
            // A transfer is ended by the runtime at a checkpoint when it is told to close.
            Stage::Busy => self.stopping,
            Stage::Idle { .. } => {
                let unwanted = slot.direction == Direction::Outbound && !self.is_permitted(slot);
                self.stopping || unwanted || self.idle_deadline(slot).is_some_and(|at| at <= now)
            }
        }
    }

    /// When an idle association has lived long enough. One that has something to send and does not is stuck, and
    /// is given the time of an orderly end more, as a watchdog. The peer's associations are the peer's to close.
    pub(super) fn idle_deadline(&self, slot: &Slot) -> Option<MonoTime> {
        match (slot.direction, slot.stage) {
            (Direction::Outbound, Stage::Idle { since }) => {
                let lifetime = self.settings.association.lifetime_s;
                let waiting =
                    if slot.urgent_only { self.urgent > 0 } else { self.urgent > 0 || self.other > 0 };
                let patience = if waiting { self.settings.association.disconnect_s } else { 0 };
                Some(since + Duration::from_secs(u64::from(lifetime.max(patience))))
            }
            (Direction::Inbound, _)
            | (Direction::Outbound, Stage::Opening | Stage::Busy | Stage::Closing) => None,
        }
    }

    /// Whether one more association is wanted, wait aside, and if so whether it is reserved for what is urgent.
    pub(super) fn wants_more(&self) -> Option<bool> {
        // One attempt at a time: a dead peer costs one attempt per interval, whatever waits.
        if self.slots.iter().any(|slot| slot.stage == Stage::Opening) {
            return None;
        }
        let settings = &self.settings.association;
        let most = limit(settings.max_associations);
        let outbound = self.slots.iter().filter(|slot| slot.direction == Direction::Outbound).count();
        if outbound >= most {
            return None;
        }
        let usable = |slot: &&Slot| {
            slot.is_open() && (slot.direction == Direction::Outbound || self.settings.two_way_alternate)
        };
        let ordinary = self.slots.iter().filter(usable).filter(|slot| !slot.urgent_only).count();
        let reserved = self.slots.iter().any(|slot| slot.urgent_only);
        let all_busy = !self.slots.iter().filter(usable).any(Slot::is_idle);
        match self.permission() {
            Permission::All => {}
            Permission::Urgent | Permission::Nothing if self.forced && self.may_be_forced() => {
                return (ordinary == 0).then_some(false);
            }
            Permission::Urgent => {
                return (self.urgent > 0 && all_busy && !reserved && !self.is_held()).then_some(true);
            }
            Permission::Nothing => return None,
        }
        // With two or more, the last is kept for what is urgent.
        let reserve = usize::from(most > 1 && !reserved);
        let waiting = self.urgent.saturating_add(self.other);
        let held = ordinary == 0 && self.is_held();
        let wanted = if ordinary == 0 {
            let asked = self.forced || self.connect_now || self.call_due;
            asked || !held && (self.other > 0 || (self.urgent > 0 && !reserved))
        } else {
            waiting > ordinary.saturating_mul(limit(settings.threshold_messages))
        };
        if wanted && outbound.saturating_add(reserve) < most {
            return Some(false);
        }
        (self.urgent > 0 && !held && all_busy && !reserved && most > 1).then_some(true)
    }

    fn slot(&mut self, id: AssociationId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.id == id)
    }

    fn remove(&mut self, id: AssociationId) -> Option<Slot> {
        let index = self.slots.iter().position(|slot| slot.id == id)?;
        Some(self.slots.remove(index))
    }
}
