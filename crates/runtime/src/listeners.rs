//! Where peers are accepted: opened with the MTA, changed by a reload while mail flows.
//!
//! A change is all or nothing. What is to be new listens before anything that was there goes, so that a port which can't be
//! had costs nobody anything; only where the new takes the port of the old, as `0.0.0.0:102` that of `127.0.0.1:102`, the
//! old one steps aside for the moment of the attempt. Associations live on wherever they came in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::bind::{Place, places};
use crate::events::EventKind;
use crate::listener::{self, Doorway};
use crate::shared::Shared;
use crate::supervisor::supervise;
use crate::world::{Listener, Surroundings};

/// An address on which peers can't be accepted.
#[derive(Debug, thiserror::Error)]
#[error("can't listen for P1 on {address}: {error}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub error: io::Error,
}

/// The listeners of an MTA.
#[derive(Default)]
pub(crate) struct Listeners {
    /// Those that are wanted.
    doorways: Vec<Arc<Doorway>>,
    /// The tasks of all, and of those that have gone and whose associations live on.
    tasks: JoinSet<()>,
}

/// What is to be changed; the sockets listen, and nobody accepts on them yet.
pub(crate) struct Change {
    added: Vec<(Place, Listener)>,
    removed: Vec<Arc<Doorway>>,
}

/// What was changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Addresses on which peers are accepted now and were not.
    pub(crate) added: Vec<SocketAddr>,
    /// The reverse.
    pub(crate) removed: Vec<SocketAddr>,
}

/// Sockets for all these addresses, or none.
pub(crate) fn open(
    surroundings: &Surroundings,
    addresses: &[SocketAddr],
) -> Result<Vec<(Place, Listener)>, ListenError> {
    places(addresses).into_iter().map(|place| Ok((place, listen(surroundings, place)?))).collect()
}

fn listen(surroundings: &Surroundings, place: Place) -> Result<Listener, ListenError> {
    surroundings.listen(place).map_err(|error| ListenError { address: place.address, error })
}

impl Listeners {
    /// Accepts on these sockets from now on.
    pub(crate) fn start(&mut self, shared: &Arc<Shared>, sockets: Vec<(Place, Listener)>) {
        for (place, socket) in sockets {
            let doorway = Doorway::new(place, socket);
            self.doorways.push(Arc::clone(&doorway));
            let of_task = Arc::clone(shared);
            let begin = move || {
                let work = listener::run(Arc::clone(&of_task), Arc::clone(&doorway));
                Box::pin(work) as crate::supervisor::Work
            };
            self.tasks.spawn(supervise(Arc::clone(shared), "listener", begin));
        }
    }

    /// The addresses on which peers are accepted, ports filled in.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.doorways.iter().filter_map(|doorway| doorway.address()).collect()
    }

    /// Opens what is missing of `wanted`. If that fails everything is as it was.
    pub(crate) async fn prepare(
        &mut self,
        shared: &Arc<Shared>,
        wanted: &[SocketAddr],
    ) -> Result<Change, ListenError> {
        while self.tasks.try_join_next().is_some() {}
        let mut removed = self.doorways.clone();
        let mut missing = places(wanted);
        missing.retain(|place| match removed.iter().position(|doorway| doorway.place() == *place) {
            Some(kept) => {
                removed.remove(kept);
                false
            }
            None => true,
        });
        let in_the_way = |place: &Place| removed.iter().any(|old| old.place().shares_port(place));
        let (blocked, free): (Vec<Place>, Vec<Place>) = missing.into_iter().partition(in_the_way);
        let mut added = Vec::new();
        for place in free {
            added.push((place, listen(&shared.surroundings, place)?));
        }
        let mut aside: Vec<Arc<Doorway>> = Vec::new();
        for place in blocked {
            for doorway in removed.iter().filter(|old| old.place().shares_port(&place)) {
                if !aside.iter().any(|one| Arc::ptr_eq(one, doorway)) {
                    doorway.step_aside().await;
                    aside.push(Arc::clone(doorway));
                }
            }
            match listen(&shared.surroundings, place) {
                Ok(socket) => added.push((place, socket)),
                Err(error) => {
                    drop(added);
                    for doorway in aside {
                        come_back(shared, &doorway).await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(Change { added, removed })
    }

    /// Makes the change.
    pub(crate) async fn commit(&mut self, shared: &Arc<Shared>, change: Change) -> Changed {
        let Change { added, removed } = change;
        let address = |(_, socket): &(Place, Listener)| socket.local_addr().ok();
        let mut changed = Changed { added: added.iter().filter_map(address).collect(), ..Changed::default() };
        self.start(shared, added);
        self.doorways.retain(|doorway| !removed.iter().any(|gone| Arc::ptr_eq(gone, doorway)));
        for doorway in removed {
            changed.removed.push(doorway.address().unwrap_or(doorway.place().address));
            doorway.close().await;
        }
        changed
    }

    /// Waits until all have ended, after a stop.
    pub(crate) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Cuts all off, associations as well.
    pub(crate) fn cut_off(&mut self) {
        self.tasks.abort_all();
        self.doorways.clear();
    }
}

async fn come_back(shared: &Arc<Shared>, doorway: &Doorway) {
    if let Err(error) = doorway.come_back(shared).await {
        let address = doorway.place().address;
        let text = format!("can't listen for P1 on {address} any more: {error}; it is tried again");
        shared.event(EventKind::ListenerLost, "", text);
    }
}
