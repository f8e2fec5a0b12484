//! The task that sees to items which were in hand when something died of them, and to the reports on what is in quarantine.
//! Whoever dies can do nothing more than name its item.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::record::{OUTBOUND, TriedRecord};
use tokio::sync::Notify;

use super::{Sentence, failed, sweep, telling};
use crate::registry::ConnectorEntry;
use crate::shared::Shared;

/// How often it is looked whether what had failed has left its queue meanwhile.
const SWEEP: Duration = Duration::from_secs(60);

/// A queued item that was taken, and still is, when something panicked over it.
#[derive(Debug)]
pub(crate) struct Fallen {
    /// The connector in whose queue it is.
    pub(crate) entry: Arc<ConnectorEntry>,
    /// Its key.
    pub(crate) key: Vec<u8>,
    /// What happened.
    pub(crate) why: String,
}

/// What waits for the task. Bounded by what can be in hand, and by what three failures each have led to.
#[derive(Debug, Default)]
pub(super) struct List {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    fallen: Vec<Fallen>,
    /// Keys in the quarantine whose originators are to be told.
    to_tell: Vec<(Vec<u8>, TriedRecord)>,
}

impl List {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Lists are changed entry by entry; a poisoned lock is as good as a clean one.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn to_tell(&self, aside: Vec<u8>, note: TriedRecord) {
        self.lock().to_tell.push((aside, note));
        self.added.notify_one();
    }
}

impl super::Trials {
    /// Names an item over which something has panicked. Can be called while it still does.
    pub(crate) fn fell(&self, fallen: Fallen) {
        self.fallen.lock().fallen.push(fallen);
        self.fallen.added.notify_one();
    }
}

/// Runs until the MTA stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    while !shared.stop.is_given() {
        let Waiting { fallen, to_tell } = std::mem::take(&mut *shared.trials.fallen.lock());
        for Fallen { entry, key, why } in fallen {
            match failed(&shared, OUTBOUND, &key, &why).await {
                Sentence::Again(wait) => {
                    entry.retries.insert(shared.clocks.mono() + wait, key);
                    // Its task has to look at the time of the first one again.
                    entry.backlog.nudge();
                }
                Sentence::Quarantined => entry.backlog.gone(&key),
            }
        }
        for (aside, note) in to_tell {
            telling::tell(&shared, aside, note).await;
        }
        tokio::select! {
            biased;
            () = shared.stop.given() => {}
            () = shared.trials.fallen.added.notified() => {}
            () = tokio::time::sleep(SWEEP) => sweep(&shared).await,
        }
    }
}
