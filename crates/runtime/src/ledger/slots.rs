//! Room for associations: one budget for all, of which every connector has a reserve that nobody else can take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Account, Hold};

/// For whom an association is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller<'a> {
    /// It has called and not bound yet: nobody knows for whom.
    Unbound,
    /// This connector.
    Connector(&'a str),
}

/// There is no room that this caller may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{used} of {limit} associations exist, and the others are reserved")]
pub(crate) struct NoSlot {
    used: u64,
    limit: u64,
}

/// How many slots are taken, and by whom.
#[derive(Debug)]
pub(super) struct Slots {
    limit: u64,
    /// What each connector is to have in any case.
    reserve: u64,
    connectors: BTreeSet<String>,
    /// Taken, by connector; those that are no connectors (any more) are under `None`.
    taken: BTreeMap<Option<String>, u64>,
}

/// One slot, and the task that uses it. Free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    key: Option<String>,
    slot: Hold,
    task: Hold,
}

impl Slots {
    pub(super) fn new(limit: u64, reserve: u64) -> Slots {
        Slots { limit, reserve, connectors: BTreeSet::new(), taken: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, connector: &str) {
        self.connectors.insert(connector.to_owned());
    }

    pub(super) fn remove(&mut self, connector: &str) {
        self.connectors.remove(connector);
    }

    /// A connector below its reserve always gets one; anybody else only what no reserve needs.
    pub(super) fn take(&mut self, caller: Caller<'_>) -> Result<(), NoSlot> {
        let used: u64 = self.taken.values().sum();
        let reserve = self.reserve_each();
        let own = match caller {
            Caller::Connector(name) if self.connectors.contains(name) => self.taken_by(name),
            Caller::Connector(_) | Caller::Unbound => u64::MAX,
        };
        let needed = if own < reserve { 0 } else { self.reserved_and_free(reserve) };
        if used.saturating_add(needed) >= self.limit {
            return Err(NoSlot { used, limit: self.limit });
        }
        *self.taken.entry(key(caller)).or_default() += 1;
        Ok(())
    }

    pub(super) fn give(&mut self, key: &Option<String>) {
        if let Some(count) = self.taken.get_mut(key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.taken.remove(key);
            }
        }
    }

    /// What each connector can be promised: with more connectors than room, less than was asked for.
    fn reserve_each(&self) -> u64 {
        // One share more than there are connectors, so that something is left for those who call.
        let shares = self.connectors.len() as u64 + 1;
        self.reserve.min(self.limit / shares)
    }

    fn reserved_and_free(&self, reserve: u64) -> u64 {
        self.connectors.iter().map(|name| reserve.saturating_sub(self.taken_by(name))).sum()
    }

    fn taken_by(&self, connector: &str) -> u64 {
        // A look-up without making a key of its own is not worth it for what happens once an association.
        self.taken.get(&Some(connector.to_owned())).copied().unwrap_or(0)
    }
}

impl Slot {
    pub(super) fn new(caller: Caller<'_>, slot: Hold, task: Hold) -> Slot {
        Slot { key: key(caller), slot, task }
    }

    /// A peer has bound: what it has taken as one of the unknown callers counts for its connector now.
    pub(crate) fn belongs_to(&mut self, connector: &str, account: &Arc<Account>) {
        let new = Some(connector.to_owned());
        let ledger = Arc::clone(&self.slot.ledger);
        let mut slots = ledger.lock_slots();
        slots.give(&self.key);
        *slots.taken.entry(new.clone()).or_default() += 1;
        drop(slots);
        self.key = new;
        self.slot.move_to(account);
        self.task.move_to(account);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slot.ledger.lock_slots().give(&self.key);
    }
}

fn key(caller: Caller<'_>) -> Option<String> {
    match caller {
        Caller::Unbound => None,
        Caller::Connector(name) => Some(name.to_owned()),
    }
}
