//! Accepts TCP connections of peers, within the association limit.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};

use crate::association;
use crate::bind;
use crate::events::EventKind;
use crate::ledger::Caller;
use crate::shared::Shared;
use crate::world::Listener;

/// Wait after accepting failed, for example for want of file descriptors: trying at once would only spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);

/// Connections from one address on which no bind has come yet. More would let one host take every slot.
const UNBOUND_PER_ADDRESS: usize = 64;

/// What outlives the task of a listener that dies and is started again: its socket, until the MTA stops, and the tasks of
/// the associations that peers have opened.
pub(crate) struct Doorway {
    socket: std::sync::Mutex<Option<Arc<Listener>>>,
    associations: Mutex<JoinSet<()>>,
}

impl Doorway {
    /// Of a socket that listens.
    pub(crate) fn new(socket: Listener) -> Arc<Doorway> {
        let socket = std::sync::Mutex::new(Some(Arc::new(socket)));
        Arc::new(Doorway { socket, associations: Mutex::default() })
    }

    fn socket(&self) -> std::sync::MutexGuard<'_, Option<Arc<Listener>>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts until the MTA stops, then waits for the associations that are ending.
pub(crate) async fn run(shared: Arc<Shared>, doorway: Arc<Doorway>) {
    // Whoever ran before is dead.
    let mut associations = doorway.associations.lock().await;
    let Some(listener) = doorway.socket().clone() else { return };
    while !shared.stop.is_given() {
        // In this order, so that a stop is never behind in a flood of connections.
        tokio::select! {
            biased;
            () = shared.stop.given() => {}
            Some(ended) = associations.join_next() => tell_of_panic(&shared, ended),
            accepted = listener.accept() => match accepted.map(|(socket, peer)| (socket, bind::canonical(peer))) {
                Ok((_, peer)) if shared.registry.unbound_from(peer.ip()) >= UNBOUND_PER_ADDRESS => {
                    let text = format!("connection refused: {UNBOUND_PER_ADDRESS} from this address wait to bind");
                    shared.event(EventKind::AssociationLimit, &peer.to_string(), text);
                }
                Ok((socket, peer)) => match shared.ledger.slot(Caller::Unbound) {
                    Ok(slot) => {
                        let shared = Arc::clone(&shared);
                        associations.spawn(association::accept(shared, socket, peer, slot));
                    }
                    Err(error) => {
                        let text = format!("connection refused: {error}");
                        shared.event(EventKind::AssociationLimit, &peer.to_string(), text);
                    }
                },
                Err(error) => {
                    shared.event(EventKind::AssociationLimit, "", format!("accepting a connection failed: {error}"));
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    // Nobody is to connect to an MTA that is going.
    drop((doorway.socket().take(), listener));
    while let Some(ended) = associations.join_next().await {
        tell_of_panic(&shared, ended);
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
