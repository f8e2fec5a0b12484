//! What outlives a broken association (X.218: recovery): the associations that can be recovered, and transfers in that
//! can be resumed. [`store`] keeps the latter over a restart in order.
//!
//! Who asks for something here is known by the name of a session connection, which the peer has made up. It counts
//! only together with the connector over which the association was bound, or where there is no connector yet with
//! the address of the peer's host; and a name that is used twice is none.

mod associations;
mod parked;
mod records;
pub(crate) mod store;

pub use records::parked_body;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{MonoTime, WallTime};
use osi::rtse::{ReceiverState, SessionConnectionIdentifier};
use tokio::sync::watch;

use crate::association::Receiving;
use associations::Associations;
use parked::ParkedTransfers;
pub(crate) use parked::{Dropped, Found, TransferName};
pub(crate) use records::{Interruption, ParkedHead, ParkedRecord, ResumeRecord};

/// How long an association that is taken over may take to let go.
const CUT_TIMEOUT: Duration = Duration::from_secs(10);

/// State of all recoveries of one MTA.
#[derive(Default)]
pub(crate) struct Recovery {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    associations: Associations,
    parked: ParkedTransfers<Kept>,
}

/// What is kept of a transfer in.
pub(crate) enum Kept {
    /// As it was when it was interrupted.
    Here(Box<Reception>),
    /// In the store, since a restart: key and record.
    Stored(Vec<u8>, Box<ParkedRecord>),
}

/// An interrupted transfer in.
pub(crate) struct Reception {
    /// RTSE's part.
    pub(crate) receiver: ReceiverState,
    /// What has come of it.
    pub(crate) receiving: Receiving,
    /// Whether its association was in normal mode.
    pub(crate) normal_mode: bool,
    /// When it was interrupted.
    pub(crate) at: WallTime,
}

/// A live association under the name of its session connection. It is gone from there when this is dropped.
pub(crate) struct Presence {
    recovery: Arc<Recovery>,
    connector: String,
    connection: SessionConnectionIdentifier,
}

/// What follows when an association is entered.
pub(crate) struct Entered {
    /// Its presence.
    pub(crate) presence: Presence,
    /// Becomes true when another association takes its place.
    pub(crate) cut: watch::Receiver<bool>,
    /// What was kept under the same name.
    pub(crate) dropped: Vec<Dropped<Kept>>,
}

/// An association that ended abnormally and may be recovered by the peer that had opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recoverable {
    /// The connector that it was bound for.
    pub(crate) connector: String,
    /// The peer's host.
    pub(crate) peer: IpAddr,
    /// Whether it was in normal mode.
    pub(crate) normal_mode: bool,
}

impl Recovery {
    /// Enters a live association. `peer` is given if the peer may recover it. Without a complete name it has no presence,
    /// and nothing of it can be taken up later.
    pub(crate) fn enter(
        self: &Arc<Self>,
        connector: &str,
        connection: &SessionConnectionIdentifier,
        peer: Option<IpAddr>,
    ) -> Option<Entered> {
        if !connection.is_complete() {
            return None;
        }
        let mut state = self.lock();
        let dropped = state.parked.forget_connection(connector, connection);
        let cut = state.associations.enter(connection, peer);
        let (connector, connection) = (connector.to_owned(), connection.clone());
        Some(Entered {
            presence: Presence { recovery: Arc::clone(self), connector, connection },
            cut,
            dropped,
        })
    }

    /// A peer at `host` wants to recover the association on this session connection. If it seems alive here it is
    /// ended first. What is found is not found again.
    pub(crate) async fn claim(
        &self,
        now: impl Fn() -> MonoTime,
        connection: &SessionConnectionIdentifier,
        host: IpAddr,
    ) -> Option<Recoverable> {
        let alive = self.lock().associations.alive_from(connection, host);
        if let Some(cut) = alive {
            end(&cut).await;
        }
        self.lock().associations.claim(now(), connection, host)
    }

    /// A peer asks for a transfer. If it still seems to be under way on an association, that is ended: the peer knows
    /// better, and the transfer stands where it was.
    pub(crate) async fn find(&self, now: impl Fn() -> MonoTime, name: &TransferName) -> Found<Kept> {
        let found = self.find_here(now(), name);
        let Found::Unknown = found else { return found };
        let alive = self.lock().associations.receiving(name);
        let Some(cut) = alive else { return found };
        end(&cut).await;
        self.find_here(now(), name)
    }

    /// A peer asks for a transfer that was interrupted on the very association on which it asks.
    pub(crate) fn find_here(&self, now: MonoTime, name: &TransferName) -> Found<Kept> {
        self.lock().parked.find(now, name)
    }

    /// Keeps an interrupted transfer; gives what had to go for it.
    pub(crate) fn park(&self, names: Vec<TransferName>, until: MonoTime, kept: Kept) -> Vec<Dropped<Kept>> {
        self.lock().parked.park(names, until, kept)
    }

    /// Remembers that a transfer has completed.
    pub(crate) fn complete(&self, name: TransferName, until: MonoTime) {
        self.lock().parked.complete(name, until);
    }

    /// Drops what has waited too long.
    pub(crate) fn expire(&self, now: MonoTime) -> Vec<Dropped<Kept>> {
        let mut state = self.lock();
        state.associations.expire(now);
        state.parked.expire(now)
    }

    /// The connector's settings have changed: its associations have to be bound anew.
    pub(crate) fn forget_associations(&self, connector: &str) {
        self.lock().associations.forget_connector(connector);
    }

    /// The connector is gone, and with it all that is kept for its peer.
    pub(crate) fn forget_connector(&self, connector: &str) -> Vec<Dropped<Kept>> {
        let mut state = self.lock();
        state.associations.forget_connector(connector);
        state.parked.forget_connector(connector)
    }

    /// Drops every transfer that is parked.
    pub(crate) fn drop_all(&self) -> Vec<Dropped<Kept>> {
        let all = self.lock().parked.take_all();
        all.into_iter()
            .filter_map(|(names, _, kept)| {
                names.into_iter().next().map(|name| Dropped { connector: name.connector, kept })
            })
            .collect()
    }

    /// Takes out all that is parked.
    fn take_all(&self) -> Vec<(Vec<TransferName>, MonoTime, Kept)> {
        self.lock().parked.take_all()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Tables are changed entry by entry; a poisoned lock is as good as a clean one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    /// The name of the session connection, unless another association turned out to have the same.
    pub(crate) fn name(&self) -> Option<&SessionConnectionIdentifier> {
        self.recovery.lock().associations.is_unique(&self.connection).then_some(&self.connection)
    }

    /// The name of a transfer on it.
    pub(crate) fn transfer(&self, activity: &[u8]) -> Option<TransferName> {
        self.name().map(|connection| TransferName {
            connector: self.connector.clone(),
            connection: connection.clone(),
            activity: activity.to_vec(),
        })
    }

    /// A transfer in begins on it, which the peer may call by these names, the first of which is new. Gives what was
    /// kept under that one.
    pub(crate) fn receives(&self, names: &[TransferName]) -> Vec<Dropped<Kept>> {
        let mut state = self.recovery.lock();
        state.associations.receives(&self.connection, names.to_vec());
        names.first().map_or_else(Vec::new, |name| state.parked.begin(name))
    }

    /// The transfer in was stopped in order; the association goes on.
    pub(crate) fn receives_nothing(&self) {
        self.recovery.lock().associations.receives(&self.connection, Vec::new());
    }

    /// Those of these names of a transfer on it that are no other association's.
    pub(crate) fn keep_own(&self, names: &mut Vec<TransferName>) {
        let state = self.recovery.lock();
        names.retain(|name| !state.associations.is_of_another(&name.connection, &self.connection));
    }

    /// It has ended abnormally, and may be recovered until then.
    pub(crate) fn broken(self, recoverable: Recoverable, until: MonoTime) {
        if self.name().is_some() {
            self.recovery.lock().associations.broken(self.connection.clone(), recoverable, until);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.recovery.lock().associations.leave(&self.connection);
    }
}

/// Ends an association and waits until it has let go.
async fn end(cut: &watch::Sender<bool>) {
    cut.send_replace(true);
    // One that does not let go keeps what it has: then nothing is found.
    let _ = tokio::time::timeout(CUT_TIMEOUT, cut.closed()).await;
}
