//! Accepts TCP connections of peers, within the association limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

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

/// Accepts until the MTA stops, then waits for the associations that are ending.
pub(crate) async fn run(shared: Arc<Shared>, listener: Listener) {
    let mut associations = JoinSet::new();
    while !shared.stop.is_given() {
        // In this order, so that a stop is never behind in a flood of connections.
        tokio::select! {
            biased;
            () = shared.stop.given() => {}
            Some(_) = associations.join_next() => {}
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
    drop(listener);
    while associations.join_next().await.is_some() {}
}
