//! A queued item that somebody has in hand. However that ends, by a return, an error, a task that is cut off or a panic, the
//! item is never left taken: what nobody has settled goes back to its queue.

use std::sync::Arc;

use crate::registry::ConnectorEntry;

/// A key that is taken in the window of its queue. It goes back when this is dropped, unless the item has left the queue by
/// then.
#[derive(Debug)]
pub(crate) struct Taken {
    entry: Arc<ConnectorEntry>,
    key: Vec<u8>,
    is_kept: bool,
}

impl Taken {
    /// Of a key that the caller has just taken.
    pub(crate) fn new(entry: &Arc<ConnectorEntry>, key: Vec<u8>) -> Taken {
        Taken { entry: Arc::clone(entry), key, is_kept: false }
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
        if !self.is_kept {
            // Nothing happens if it was settled: then it is taken no more.
            self.entry.backlog.put_back(&self.key);
        }
    }
}
