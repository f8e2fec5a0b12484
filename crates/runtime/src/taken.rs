//! A queued item that somebody has in hand. However that ends, by a return, an error, a task that is cut off or a panic, the
//! item is never left taken: what nobody has settled goes back to its queue.

use std::sync::Arc;

use crate::registry::ConnectorEntry;
use crate::trials::{Fallen, Trials};

/// A key that is taken in the window of its queue. It goes back when this is dropped, unless the item has left the queue by
/// then. If that is because of a panic, that counts as a failure of the item first.
pub(crate) struct Taken {
    trials: Arc<Trials>,
    entry: Arc<ConnectorEntry>,
    key: Vec<u8>,
    is_kept: bool,
}

impl Taken {
    /// Of a key that the caller has just taken.
    pub(crate) fn new(trials: &Arc<Trials>, entry: &Arc<ConnectorEntry>, key: Vec<u8>) -> Taken {
        Taken { trials: Arc::clone(trials), entry: Arc::clone(entry), key, is_kept: false }
    }

    /// The key in the queue.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key stays taken: it is handed over to somebody else, or must not be sent again by this process.
    pub(crate) fn keep(mut self) -> Vec<u8> {
        self.is_kept = true;
        std::mem::take(&mut self.key)
    }

    /// The item is no longer in the store.
    pub(crate) fn gone(self) {
        let entry = Arc::clone(&self.entry);
        entry.backlog.gone(&self.keep());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if std::thread::panicking() {
            let (entry, key) = (Arc::clone(&self.entry), std::mem::take(&mut self.key));
            let why = "a panic in the association that transferred it".to_owned();
            return self.trials.fell(Fallen { entry, key, why });
        }
        // Nothing happens if it was settled: then it is taken no more.
        self.entry.backlog.put_back(&self.key);
    }
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taken").field("key", &self.key).finish_non_exhaustive()
    }
}
