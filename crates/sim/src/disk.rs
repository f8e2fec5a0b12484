//! The disk of a simulated MTA: [`MemorySpool`] behind a delay, so that there is always something that is written and
//! not yet synchronized when the power goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spool::{
    Batch, BodyId, BodyWriter, BoxFuture, Commit, Fault, LastStop, MemorySpool, Space, Spool, SpoolError,
    Stats, Unhealthy,
};

use crate::random::Random;

/// Longest that a synchronization takes, in microseconds.
const SLOWEST: u64 = 8_000;

/// What a scan gives: keys and values, ascending.
type Records = Result<Vec<(Vec<u8>, Vec<u8>)>, SpoolError>;

/// A disk in use. Clones are the same.
#[derive(Clone, Debug)]
pub struct Disk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spool: MemorySpool,
    random: Random,
    /// A synchronization is on its way.
    under_way: AtomicBool,
    /// Further time that each takes.
    stall: Mutex<Duration>,
    /// What the store held when it began to lie about synchronizations.
    forgets: Option<MemorySpool>,
}

impl Disk {
    /// A disk with what `spool` holds.
    pub fn new(spool: MemorySpool, random: Random) -> Disk {
        spool.hold_sync();
        let (under_way, stall) = (AtomicBool::new(false), Mutex::default());
        Disk { inner: Arc::new(Inner { spool, random, under_way, stall, forgets: None }) }
    }

    /// The same, but a crash takes away everything since this moment, however often it was said to be durable.
    pub fn lying(spool: MemorySpool, random: Random) -> Disk {
        // A store of which a crash was taken is closed; two crashes make two stores with the same content.
        let (kept, used) = twice(&spool);
        used.hold_sync();
        let (under_way, stall) = (AtomicBool::new(false), Mutex::default());
        Disk { inner: Arc::new(Inner { spool: used, random, under_way, stall, forgets: Some(kept) }) }
    }

    /// The next synchronization fails: nothing more is written until a restart, which finds the batch, or not.
    pub fn fail(&self, fault: Fault) {
        self.inner.spool.fail_next_commit(fault);
    }

    /// From now on each synchronization takes this much longer.
    pub fn stall(&self, time: Duration) {
        *self.inner.stall.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// What is left after a crash at this moment: all that was synchronized, and perhaps a part of the rest.
    pub fn crash(&self) -> MemorySpool {
        let unsynced = self.inner.spool.unsynced();
        let survivor = self.inner.spool.crash_keeping(self.inner.random.below(unsynced + 1));
        self.inner.forgets.clone().unwrap_or(survivor)
    }

    /// What is left after an end in order.
    pub fn close(&self) -> MemorySpool {
        self.inner.spool.end()
    }

    /// The store, to look into.
    pub fn spool(&self) -> &MemorySpool {
        &self.inner.spool
    }

    fn synchronize(&self) {
        if self.inner.under_way.swap(true, Ordering::Relaxed) {
            return;
        }
        let stall = *self.inner.stall.lock().unwrap_or_else(PoisonError::into_inner);
        let time = stall + Duration::from_micros(self.inner.random.within(100..SLOWEST));
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            inner.under_way.store(false, Ordering::Relaxed);
            inner.spool.release_sync();
            inner.spool.hold_sync();
        });
    }
}

/// Two stores with the content of one.
fn twice(spool: &MemorySpool) -> (MemorySpool, MemorySpool) {
    (spool.crash(), spool.crash())
}

impl Spool for Disk {
    fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError> {
        self.inner.spool.begin_body()
    }

    fn commit(&self, batch: Batch) -> Commit {
        let commit = self.inner.spool.commit(batch);
        if self.inner.spool.unsynced() > 0 {
            self.synchronize();
        }
        commit
    }

    fn get(&self, space: Space, key: &[u8]) -> BoxFuture<'_, Result<Option<Vec<u8>>, SpoolError>> {
        self.inner.spool.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> BoxFuture<'_, Records> {
        self.inner.spool.scan(space, prefix, after, limit)
    }

    fn body_len(&self, body: BodyId) -> BoxFuture<'_, Result<u64, SpoolError>> {
        self.inner.spool.body_len(body)
    }

    fn read_body(&self, body: BodyId, offset: u64, max: usize) -> BoxFuture<'_, Result<Vec<u8>, SpoolError>> {
        self.inner.spool.read_body(body, offset, max)
    }

    fn last_stop(&self) -> LastStop {
        self.inner.spool.last_stop()
    }

    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        self.inner.spool.unhealthy_reason()
    }

    fn stats(&self) -> Stats {
        self.inner.spool.stats()
    }
}
