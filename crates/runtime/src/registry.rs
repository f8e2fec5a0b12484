//! Who is there: the live associations and the connectors, for administration and for limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clock::WallTime;
use osi::rtse::{Agreed, DialogueMode};
use tokio::sync::{mpsc, watch};

use crate::backlog::Backlog;
use crate::depth::Depth;
use crate::layers::layers;
use crate::line::{ConnectorView, Message};
use crate::link::Passed;
use crate::retries::Retries;
use crate::signal::Signal;
use crate::status::{AssociationState, AssociationStatus, Role};

/// All live associations.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    next: AtomicU64,
    associations: Mutex<BTreeMap<u64, Entry>>,
}

/// One association, and where its octets are counted once there is a connection.
#[derive(Debug)]
struct Entry {
    status: AssociationStatus,
    passed: Option<Arc<Passed>>,
}

/// One association's place in the registry; it is left when this is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    id: u64,
}

/// What others hold of a connector's task.
#[derive(Debug)]
pub(crate) struct ConnectorEntry {
    /// The window over its queue.
    pub(crate) backlog: Backlog,
    /// To its task.
    pub(crate) messages: mpsc::Sender<Message>,
    /// What its task shows of itself.
    pub(crate) view: watch::Receiver<ConnectorView>,
    /// Given when this connector and its associations are to end.
    pub(crate) stop: Signal,
    /// Associations that may be transferring out of the queue, and removals under way.
    users: watch::Sender<usize>,
    /// How much is in the queue.
    pub(crate) depth: Depth,
    /// Messages that wait after a failed transfer.
    pub(crate) retries: Retries,
    /// Nothing is to be transferred from the queue.
    frozen: AtomicBool,
    /// Messages of the queue that an operator holds.
    held: Held,
}

/// What an operator holds.
#[derive(Debug, Default)]
struct Held {
    messages: AtomicU64,
    changes: AtomicU64,
    is_counted: AtomicBool,
}

/// Held by whatever may change a connector's queue; a successor waits until none is left.
#[derive(Debug)]
pub(crate) struct InUse(Arc<ConnectorEntry>);

impl Registry {
    /// Number for a new association.
    pub(crate) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Enters an association that is being opened.
    pub(crate) fn enter(
        self: &Arc<Self>,
        id: u64,
        connector: Option<&str>,
        peer: String,
        role: Role,
        since: WallTime,
    ) -> Registration {
        let status = AssociationStatus {
            id,
            connector: connector.map(str::to_owned),
            peer,
            role,
            state: AssociationState::Opening,
            dialogue: None,
            checkpoint_size_kb: None,
            window_size: None,
            since: since.to_string(),
            received: 0,
            sent: 0,
            octets_in: 0,
            octets_out: 0,
            layers: Vec::new(),
        };
        self.lock().insert(id, Entry { status, passed: None });
        Registration { registry: Arc::clone(self), id }
    }

    /// All associations, by number.
    pub(crate) fn list(&self) -> Vec<AssociationStatus> {
        let now = |entry: &Entry| {
            let mut status = entry.status.clone();
            if let Some(passed) = &entry.passed {
                (status.octets_in, status.octets_out) = passed.octets();
                status.layers = layers(&status, passed.layers());
            }
            status
        };
        self.lock().values().map(now).collect()
    }

    /// Connections from one address on which no bind has come yet.
    pub(crate) fn unbound_from(&self, address: IpAddr) -> usize {
        let from = |a: &AssociationStatus| {
            a.peer.parse::<SocketAddr>().is_ok_and(|peer| peer.ip() == address)
                && a.role == Role::Responder
                && a.state == AssociationState::Opening
        };
        self.lock().values().filter(|entry| from(&entry.status)).count()
    }

    /// Bound associations of one connector.
    pub(crate) fn count(&self, connector: &str) -> usize {
        self.lock()
            .values()
            .map(|entry| &entry.status)
            .filter(|a| a.connector.as_deref() == Some(connector) && a.state != AssociationState::Opening)
            .count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Entry>> {
        // Entries are replaced as wholes; a poisoned lock is as good as a clean one.
        self.associations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    pub(crate) fn bound(&self, connector: &str, agreed: &Agreed) {
        self.update(|status| {
            status.connector = Some(connector.to_owned());
            status.state = AssociationState::Idle;
            status.dialogue = Some(match agreed.dialogue_mode {
                DialogueMode::Monologue => "monologue",
                DialogueMode::TwoWayAlternate => "two-way-alternate",
            });
            status.checkpoint_size_kb = Some(agreed.checkpoint_size_kb);
            status.window_size = Some(agreed.window_size);
        });
    }

    /// Number of the association.
    pub(crate) fn number(&self) -> u64 {
        self.id
    }

    /// The octets that pass its connection are counted here, and how its layers stand is told here.
    pub(crate) fn counted_by(&self, passed: Arc<Passed>) {
        if let Some(entry) = self.registry.lock().get_mut(&self.id) {
            entry.passed = Some(passed);
        }
    }

    pub(crate) fn set_state(&self, state: AssociationState) {
        self.update(|status| status.state = state);
    }

    pub(crate) fn received(&self) {
        self.update(|status| status.received += 1);
    }

    pub(crate) fn sent(&self) {
        self.update(|status| status.sent += 1);
    }

    fn update(&self, change: impl FnOnce(&mut AssociationStatus)) {
        if let Some(entry) = self.registry.lock().get_mut(&self.id) {
            change(&mut entry.status);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

impl ConnectorEntry {
    pub(crate) fn new(
        backlog: Backlog,
        messages: mpsc::Sender<Message>,
        view: watch::Receiver<ConnectorView>,
    ) -> Self {
        ConnectorEntry {
            backlog,
            messages,
            view,
            stop: Signal::default(),
            users: watch::Sender::new(0),
            depth: Depth::default(),
            retries: Retries::default(),
            frozen: AtomicBool::new(false),
            held: Held::default(),
        }
    }

    /// Whether nothing is to be transferred from the queue.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// Freezes or thaws the queue.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
        self.backlog.nudge();
    }

    /// Messages of the queue that an operator holds; `None` until they are counted.
    pub(crate) fn held(&self) -> Option<u64> {
        self.held.is_counted.load(Ordering::Relaxed).then(|| self.held.messages.load(Ordering::Relaxed))
    }

    /// One more is held.
    pub(crate) fn hold(&self) {
        self.held.changes.fetch_add(1, Ordering::Relaxed);
        self.held.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// One is held no more.
    pub(crate) fn hold_no_more(&self) {
        self.held.changes.fetch_add(1, Ordering::Relaxed);
        // One that was released while its connector was being changed has not been counted.
        let _ =
            self.held.messages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| held.checked_sub(1));
    }

    /// Rises whenever an operator holds or releases one.
    pub(crate) fn hold_changes(&self) -> u64 {
        self.held.changes.load(Ordering::Relaxed)
    }

    /// So many are held.
    pub(crate) fn set_held(&self, messages: u64) {
        self.held.messages.store(messages, Ordering::Relaxed);
        self.held.is_counted.store(true, Ordering::Relaxed);
    }

    /// Ends the wait of all that wait after a failed transfer.
    pub(crate) fn retry_all(&self) {
        for key in self.retries.take_all() {
            self.backlog.put_back(&key);
        }
    }

    /// Marks the queue as in use until the mark is dropped.
    pub(crate) fn in_use(self: &Arc<Self>) -> InUse {
        self.users.send_modify(|users| *users += 1);
        InUse(Arc::clone(self))
    }

    /// Whether somebody uses the queue.
    pub(crate) fn is_used(&self) -> bool {
        *self.users.borrow() > 0
    }

    /// Waits until nobody uses the queue.
    pub(crate) async fn unused(&self) {
        // The sender lives in self, so waiting can't fail.
        let _ = self.users.subscribe().wait_for(|users| *users == 0).await;
    }

    /// A record was committed to the queue.
    pub(crate) fn queued(&self, key: Vec<u8>, octets: u64) {
        self.depth.queued(&key, octets);
        self.backlog.added(key);
    }

    /// A taken record is gone from the spool.
    pub(crate) fn dequeued(&self, key: &[u8], octets: u64) {
        self.depth.dequeued(key, octets);
        self.backlog.gone(key);
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.users.send_modify(|users| *users -= 1);
    }
}
