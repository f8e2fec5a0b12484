//! The resource ledger: what each connector, and all callers that have not bound yet, hold at this moment.
//!
//! Association slots, tasks, sockets, timers and buffered octets are taken from here as [`Hold`]s, which give back what
//! they are for when they are dropped: by a return, an error, a panic or a task that is cut off alike. So a count that
//! does not return to zero when a connector has nothing to do is a leak, and can be seen as one.
//!
//! Slots and octets have a budget ([`slots`]). Reaching four fifths of it is told before anything is refused. The
//! ledger counts what belongs to associations; the tasks of listeners, connectors and the store are always there, and
//! the octets that the layers and the flight recorder keep have bounds of their own.

mod slots;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::status::{Held, HolderStatus, ResourceLimits, ResourceStatus};
use slots::Slots;
pub(crate) use slots::{Caller, NoSlot, Slot};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Room for one association, being opened or open.
    Slot,
    /// A task that works for a peer.
    Task,
    /// A socket to a peer.
    Socket,
    /// A deadline that something waits for.
    Timer,
    /// Octets that wait to be sent or to be looked at.
    Octets,
}

const KINDS: usize = 5;

/// Amounts of each resource.
#[derive(Debug, Default)]
struct Amounts([AtomicU64; KINDS]);

/// What one connector, or all that have not bound, hold, and the most that it ever was.
#[derive(Debug, Default)]
pub(crate) struct Account {
    now: Amounts,
    peak: Amounts,
}

/// All accounts of one MTA.
#[derive(Debug)]
pub(crate) struct Ledger {
    total: Arc<Account>,
    unbound: Arc<Account>,
    connectors: Mutex<BTreeMap<String, Entry>>,
    slots: Mutex<Slots>,
    limits: ResourceLimits,
    /// Told when a budget may have come near its end, or away from it.
    changed: Notify,
}

#[derive(Debug)]
struct Entry {
    account: Arc<Account>,
    /// Its connector exists; if not, only what it still holds keeps it here.
    open: bool,
}

/// An amount of one resource, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    ledger: Arc<Ledger>,
    account: Arc<Account>,
    what: Resource,
    amount: u64,
}

/// What one connection holds besides its slot: the socket, the deadlines of its layers, the octets in its buffers.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Hold,
    timers: Hold,
    octets: Hold,
}

/// A budget that is nearly used up, or is not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Of which resource.
    pub(crate) what: Resource,
    /// Held now.
    pub(crate) held: u64,
    /// The budget.
    pub(crate) limit: u64,
}

impl Level {
    /// Four fifths are held: time to say so.
    pub(crate) fn is_high(self) -> bool {
        self.held.saturating_mul(5) >= self.limit.saturating_mul(4)
    }

    /// Far enough below that it is worth saying as well.
    pub(crate) fn is_low(self) -> bool {
        self.held.saturating_mul(10) < self.limit.saturating_mul(7)
    }
}

impl Ledger {
    /// An empty ledger with these budgets.
    pub(crate) fn new(limits: ResourceLimits) -> Ledger {
        Ledger {
            total: Arc::default(),
            unbound: Arc::default(),
            connectors: Mutex::default(),
            slots: Mutex::new(Slots::new(limits.slots, limits.slots_reserved)),
            limits,
            changed: Notify::new(),
        }
    }

    /// Opens the account of a connector that has been started.
    pub(crate) fn open_account(&self, connector: &str) {
        let mut connectors = self.lock();
        let fresh = || Entry { account: Arc::default(), open: true };
        connectors.entry(connector.to_owned()).or_insert_with(fresh).open = true;
        self.lock_slots().add(connector);
    }

    /// The connector is no more. What it holds stays counted until it is given back.
    pub(crate) fn close_account(&self, connector: &str) {
        let mut connectors = self.lock();
        if let Some(entry) = connectors.get_mut(connector) {
            entry.open = false;
        }
        connectors.retain(|_, entry| entry.open || !entry.account.now.is_zero());
        self.lock_slots().remove(connector);
    }

    /// Room for an association of `caller`, with a count of the task that will drive it.
    ///
    /// # Errors
    /// All room that is not reserved for others is taken.
    pub(crate) fn slot(self: &Arc<Self>, caller: Caller<'_>) -> Result<Slot, NoSlot> {
        self.lock_slots().take(caller)?;
        self.changed.notify_one();
        let account = self.account(caller);
        Ok(Slot::new(caller, self.hold(&account, Resource::Slot, 1), self.hold(&account, Resource::Task, 1)))
    }

    /// The account of a caller; that of all unknown callers if its connector is gone.
    pub(crate) fn account(&self, caller: Caller<'_>) -> Arc<Account> {
        match caller {
            Caller::Unbound => Arc::clone(&self.unbound),
            Caller::Connector(name) => {
                self.lock().get(name).map_or(&self.unbound, |entry| &entry.account).clone()
            }
        }
    }

    /// Holds `amount` of `what` for `account`.
    pub(crate) fn hold(self: &Arc<Self>, account: &Arc<Account>, what: Resource, amount: u64) -> Hold {
        let mut hold = Hold { ledger: Arc::clone(self), account: Arc::clone(account), what, amount: 0 };
        hold.set(amount);
        hold
    }

    /// A connection that `caller` has made or is making, with one deadline for that.
    pub(crate) fn connection(self: &Arc<Self>, caller: Caller<'_>) -> Connection {
        let account = self.account(caller);
        Connection {
            socket: self.hold(&account, Resource::Socket, 1),
            timers: self.hold(&account, Resource::Timer, 1),
            octets: self.hold(&account, Resource::Octets, 0),
        }
    }

    /// Octets are scarce: every association is to get along with little.
    pub(crate) fn is_tight(&self) -> bool {
        self.level(Resource::Octets).is_some_and(Level::is_high)
    }

    /// How much of a budget is held, of resources that have one.
    pub(crate) fn level(&self, what: Resource) -> Option<Level> {
        let limit = match what {
            Resource::Slot => self.limits.slots,
            Resource::Octets => self.limits.octets,
            // One of each for a slot, or a few: bounded with the slots.
            Resource::Task | Resource::Socket | Resource::Timer => return None,
        };
        Some(Level { what, held: self.total.now.get(what), limit })
    }

    /// Waits until a level may have changed enough to be looked at.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Everything, for people and for tests.
    pub(crate) fn status(&self) -> ResourceStatus {
        let holder = |name: Option<&str>, account: &Account| HolderStatus {
            connector: name.map(str::to_owned),
            held: account.now.read(),
            peak: account.peak.read(),
        };
        let mut connectors = self.lock();
        connectors.retain(|_, entry| entry.open || !entry.account.now.is_zero());
        ResourceStatus {
            limits: self.limits,
            total: self.total.now.read(),
            peak: self.total.peak.read(),
            unbound: holder(None, &self.unbound),
            connectors: connectors.iter().map(|(name, entry)| holder(Some(name), &entry.account)).collect(),
        }
    }

    /// What one connector holds.
    pub(crate) fn held_by(&self, connector: &str) -> Held {
        self.lock().get(connector).map_or_else(Held::default, |entry| entry.account.now.read())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // Entries are replaced as wholes; a poisoned lock is as good as a clean one.
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Changes the amount.
    pub(crate) fn set(&mut self, amount: u64) {
        if amount == self.amount {
            return;
        }
        for account in [&*self.account, &*self.ledger.total] {
            account.change(self.what, self.amount, amount);
        }
        self.amount = amount;
        if let Some(level) = self.ledger.level(self.what)
            && (level.is_high() || level.is_low())
        {
            self.ledger.changed.notify_one();
        }
    }

    /// Counts it for another account from now on.
    pub(crate) fn move_to(&mut self, account: &Arc<Account>) {
        self.account.change(self.what, self.amount, 0);
        account.change(self.what, 0, self.amount);
        self.account = Arc::clone(account);
    }
}

impl Connection {
    /// Counts deadlines and octets anew.
    pub(crate) fn set(&mut self, timers: u64, octets: u64) {
        self.timers.set(timers);
        self.octets.set(octets);
    }

    /// A peer has bound: the connection is its connector's from now on.
    pub(crate) fn belongs_to(&mut self, account: &Arc<Account>) {
        for hold in [&mut self.socket, &mut self.timers, &mut self.octets] {
            hold.move_to(account);
        }
    }

    /// Octets are scarce: this connection is to get along with little.
    pub(crate) fn is_tight(&self) -> bool {
        self.octets.ledger.is_tight()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Account {
    fn change(&self, what: Resource, from: u64, to: u64) {
        let count = &self.now.0[what.index()];
        if to > from {
            let now = count.fetch_add(to - from, Ordering::Relaxed) + (to - from);
            self.peak.0[what.index()].fetch_max(now, Ordering::Relaxed);
        } else {
            count.fetch_sub(from - to, Ordering::Relaxed);
        }
    }
}

impl Amounts {
    fn get(&self, what: Resource) -> u64 {
        self.0[what.index()].load(Ordering::Relaxed)
    }

    fn is_zero(&self) -> bool {
        self.read() == Held::default()
    }

    fn read(&self) -> Held {
        Held {
            slots: self.get(Resource::Slot),
            tasks: self.get(Resource::Task),
            sockets: self.get(Resource::Socket),
            timers: self.get(Resource::Timer),
            octets: self.get(Resource::Octets),
        }
    }
}

impl Resource {
    fn index(self) -> usize {
        match self {
            Resource::Slot => 0,
            Resource::Task => 1,
            Resource::Socket => 2,
            Resource::Timer => 3,
            Resource::Octets => 4,
        }
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Resource::Slot => "associations",
            Resource::Task => "tasks",
            Resource::Socket => "sockets",
            Resource::Timer => "timers",
            Resource::Octets => "buffered octets",
        })
    }
}

#[cfg(test)]
mod tests;
