//! A signal that is given once and holds for ever: that something is to end.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// The signal. Who waits for it is woken in the order of waiting, so that a stop can be repeated exactly.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    given: AtomicBool,
    waiting: Notify,
}

impl Signal {
    /// Gives it; again changes nothing.
    pub(crate) fn give(&self) {
        self.given.store(true, Ordering::SeqCst);
        self.waiting.notify_waiters();
    }

    /// Whether it was given.
    pub(crate) fn is_given(&self) -> bool {
        self.given.load(Ordering::SeqCst)
    }

    /// Waits until it is given, or was given before.
    pub(crate) async fn given(&self) {
        // Made before looking: one that is given in between is not missed.
        let notified = self.waiting.notified();
        if !self.is_given() {
            notified.await;
        }
    }
}
