//! Accepts TCP connections of peers, within the association limit.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::{JoinError, JoinSet};

use crate::association;
use crate::bind::{self, Place};
use crate::events::EventKind;
use crate::ledger::Caller;
use crate::shared::Shared;
use crate::world::{Listener, Socket};

/// Wait after accepting failed, for example for want of file descriptors: trying at once would only spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);
/// Wait before an address is tried again that was given up for another one and then could not be had back.
const REOPEN_RETRY: Duration = Duration::from_secs(5);
/// Connections that wait when a listener goes, and are taken in before: no more than the system lets wait.
const LAST_LOOK: usize = 1_024;

/// Connections from one address on which no bind has come yet. More would let one host take every slot.
const UNBOUND_PER_ADDRESS: usize = 64;

/// Where peers come in: a socket that listens, and the tasks of the associations that peers have opened there. It outlives the
/// task of a listener that dies and is started again, and the socket, when a reload has done away with that.
pub(crate) struct Doorway {
    place: Place,
    door: std::sync::Mutex<Door>,
    /// The door is another than before.
    changed: Notify,
    /// The task has let go of a socket.
    released: Notify,
    associations: Mutex<JoinSet<()>>,
}

#[derive(Clone)]
enum Door {
    Open(Arc<Listener>),
    /// Another listener is to have the port.
    Aside,
    /// It was aside, and could not be had again.
    Lost,
    /// For good.
    Closed,
}

impl Doorway {
    /// Of a socket that listens at this place.
    pub(crate) fn new(place: Place, socket: Listener) -> Arc<Doorway> {
        Arc::new(Doorway {
            place,
            door: std::sync::Mutex::new(Door::Open(Arc::new(socket))),
            changed: Notify::new(),
            released: Notify::new(),
            associations: Mutex::default(),
        })
    }

    /// Where it is, as the settings have it.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The address listened on, its port filled in, while there is one.
    pub(crate) fn address(&self) -> Option<std::net::SocketAddr> {
        match self.door() {
            Door::Open(socket) => socket.local_addr().ok(),
            Door::Aside | Door::Lost | Door::Closed => None,
        }
    }

    /// Nobody comes in from now on. Connections that wait are taken in before, and associations live on.
    pub(crate) async fn close(&self) {
        self.replace(Door::Closed).await;
    }

    /// The same for now: another listener is to have the port.
    pub(crate) async fn step_aside(&self) {
        self.replace(Door::Aside).await;
    }

    /// Listens as before, after [`Doorway::step_aside`]. If the port can't be had now it is tried again and again.
    pub(crate) async fn come_back(&self, shared: &Shared) -> std::io::Result<()> {
        let opened = shared.surroundings.listen(self.place);
        let (door, outcome) = match opened {
            Ok(socket) => (Door::Open(Arc::new(socket)), Ok(())),
            Err(error) => (Door::Lost, Err(error)),
        };
        self.replace(door).await;
        outcome
    }

    async fn replace(&self, door: Door) {
        let before = std::mem::replace(&mut *self.lock(), door);
        self.changed.notify_one();
        if let Door::Open(socket) = before {
            // The port is free when nobody has the socket any more.
            while Arc::strong_count(&socket) > 1 {
                self.released.notified().await;
            }
        }
    }

    fn door(&self) -> Door {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The socket, in the hands of the task that accepts. Whoever waits for it hears when it is let go of, even by a panic.
struct InHand<'a> {
    socket: Option<Arc<Listener>>,
    doorway: &'a Doorway,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.socket = None;
        self.doorway.released.notify_one();
    }
}

/// Accepts until the MTA stops or the listener is done away with, then waits for the associations that are there.
pub(crate) async fn run(shared: Arc<Shared>, doorway: Arc<Doorway>) {
    // Whoever ran before is dead.
    let mut associations = doorway.associations.lock().await;
    while !shared.stop.is_given() {
        match doorway.door() {
            Door::Open(socket) => accept(&shared, &doorway, socket, &mut associations).await,
            Door::Aside => aside(&shared, &doorway, &mut associations, None).await,
            Door::Lost => aside(&shared, &doorway, &mut associations, Some(REOPEN_RETRY)).await,
            Door::Closed => break,
        }
    }
    // Nobody is to connect to an MTA that is going.
    *doorway.lock() = Door::Closed;
    while let Some(ended) = associations.join_next().await {
        tell_of_panic(&shared, ended);
    }
}

/// Accepts until the socket is taken away.
async fn accept(
    shared: &Arc<Shared>,
    doorway: &Doorway,
    socket: Arc<Listener>,
    associations: &mut JoinSet<()>,
) {
    let in_hand = InHand { socket: Some(socket), doorway };
    let Some(listener) = in_hand.socket.as_deref() else { return };
    loop {
        // In this order, so that a stop is never behind in a flood of connections.
        tokio::select! {
            biased;
            () = shared.stop.given() => return,
            () = doorway.changed.notified() => break,
            Some(ended) = associations.join_next() => tell_of_panic(shared, ended),
            accepted = listener.accept() => match accepted {
                Ok(accepted) => admit(shared, accepted, associations),
                Err(error) => {
                    shared.event(EventKind::AssociationLimit, "", format!("accepting a connection failed: {error}"));
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    // Whoever was let in by the system believes that he is in. The system is asked once more who that is.
    tokio::task::yield_now().await;
    for _ in 0..LAST_LOOK {
        tokio::select! {
            biased;
            Ok(accepted) = listener.accept() => admit(shared, accepted, associations),
            () = std::future::ready(()) => return,
        }
    }
}

/// Waits until there is a socket again, or looks for one after a time.
async fn aside(
    shared: &Arc<Shared>,
    doorway: &Doorway,
    associations: &mut JoinSet<()>,
    look_after: Option<Duration>,
) {
    let time = async {
        match look_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = shared.stop.given() => {}
        () = doorway.changed.notified() => {}
        Some(ended) = associations.join_next() => tell_of_panic(shared, ended),
        () = time => match shared.surroundings.listen(doorway.place) {
            Ok(socket) => *doorway.lock() = Door::Open(Arc::new(socket)),
            Err(error) => {
                let text = format!("can't listen for P1 on {}: {error}; it is tried again", doorway.place.address);
                shared.event_caused(EventKind::ListenerLost, "", &text, text.clone());
            }
        },
    }
}

fn admit(
    shared: &Arc<Shared>,
    (socket, peer): (Socket, std::net::SocketAddr),
    associations: &mut JoinSet<()>,
) {
    let peer = bind::canonical(peer);
    if shared.registry.unbound_from(peer.ip()) >= UNBOUND_PER_ADDRESS {
        let text = format!("connection refused: {UNBOUND_PER_ADDRESS} from this address wait to bind");
        return shared.event(EventKind::AssociationLimit, &peer.to_string(), text);
    }
    match shared.ledger.slot(Caller::Unbound) {
        Ok(slot) => {
            let shared = Arc::clone(shared);
            associations.spawn(association::accept(shared, socket, peer, slot));
        }
        Err(error) => {
            let text = format!("connection refused: {error}");
            shared.event(EventKind::AssociationLimit, &peer.to_string(), text);
        }
    }
}

/// An association tells itself how it ended, unless it panicked; what it had in hand has been given back by then.
fn tell_of_panic(shared: &Shared, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        let text = format!("the task of an association that a peer had opened failed: {error}");
        shared.event(EventKind::InternalError, "", text);
    }
}
