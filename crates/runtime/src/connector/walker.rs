//! How walks through a whole queue get on with others: whoever takes one is a task beside that of the connector.
//!
//! A queue may be a million messages long, so a connector does not wait for a walk. Of all walks of the MTA one reads at a
//! time, and it rests in proportion to what it has worked: transfers keep nearly all of the machine however long queues are.

use std::sync::Arc;
use std::time::Duration;

use agent::Step;
use agent::record::OUTBOUND;
use agent::settings::ConnectorSettings;
use clock::MonoTime;
use spool::{CommitError, SpoolError};
use tokio::sync::SemaphorePermit;
use tokio::task::JoinSet;

use crate::events::EventKind;
use crate::pages::Pages;
use crate::registry::ConnectorEntry;
use crate::shared::Shared;
use crate::shelter::Panicked;
use crate::trials::Fallen;

/// Who walks through the queue of a connector.
#[derive(Clone)]
pub(super) struct Walker {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Arc<ConnectorSettings>,
    pub(super) entry: Arc<ConnectorEntry>,
}

/// The MTA or the connector is stopping.
#[derive(Debug)]
pub(super) struct Stopping;

impl Walker {
    /// The queue from its start.
    pub(super) fn pages(&self) -> Pages {
        Pages::new(OUTBOUND, self.entry.backlog.prefix().to_vec())
    }

    /// Waits until it may read, and tells when that was.
    pub(super) async fn turn(&self) -> Result<(SemaphorePermit<'_>, MonoTime), Stopping> {
        tokio::select! {
            biased;
            () = self.entry.stop.given() => Err(Stopping),
            permit = self.shared.surveys.acquire() => {
                // Nobody closes it.
                Ok((permit.map_err(|_| Stopping)?, self.shared.clocks.mono()))
            }
        }
    }

    /// Rests from a page that was begun then, so many times what it took.
    pub(super) async fn rest(&self, began: MonoTime, times: u32) -> Result<(), Stopping> {
        let took: Duration = self.shared.clocks.mono().saturating_since(began);
        // Others come in between even if the clock has not moved.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            () = self.entry.stop.given() => Err(Stopping),
            () = tokio::time::sleep(took * times) => Ok(()),
        }
    }

    /// Takes an item that was read as `octets`, unless somebody has it, or it is another by now: it may have been transferred
    /// in vain since.
    pub(super) async fn claim(&self, key: &[u8], octets: &[u8]) -> Result<bool, SpoolError> {
        let backlog = &self.entry.backlog;
        if self.entry.stop.is_given() || !backlog.take_this(key) {
            return Ok(false);
        }
        match self.shared.spool.get(OUTBOUND, key).await {
            Ok(Some(now)) if now == octets => Ok(true),
            Ok(Some(_)) => {
                backlog.put_back(key);
                Ok(false)
            }
            Ok(None) => {
                backlog.gone(key);
                Ok(false)
            }
            Err(error) => {
                backlog.put_back(key);
                Err(error)
            }
        }
    }

    /// An item that was claimed has brought out a defect: that must not end a walk, and counts as a failure of the item.
    pub(super) fn fell(&self, key: &[u8], panicked: &Panicked) {
        let entry = Arc::clone(&self.entry);
        self.shared.trials.fell(Fallen { entry, key: key.to_vec(), why: panicked.to_string() });
    }

    /// Lets an item that was claimed leave the queue by this step.
    pub(super) fn leave(&self, key: Vec<u8>, step: Step, commits: &mut JoinSet<()>) {
        let (shared, entry) = (Arc::clone(&self.shared), Arc::clone(&self.entry));
        commits.spawn(async move {
            match shared.commit(step).await {
                Ok(()) => {}
                // Settled by somebody else meanwhile.
                Err(CommitError::AssertionFailed { .. }) => entry.backlog.gone(&key),
                Err(error) => shared.store_failed(&error),
            }
        });
    }

    pub(super) fn tell_of_store(&self, error: &SpoolError) {
        let text = format!("the queue can't be read: {error}");
        self.shared.event(EventKind::StoreFailed, &self.settings.name, text);
    }
}
