//! A store in memory that does something else in some places than it should.

use std::sync::Arc;

use spool::{
    Batch, BodyId, BodyWriter, BoxFuture, Commit, LastStop, MemorySpool, Space, Spool, SpoolError, Stats,
    Unhealthy,
};

/// What is different about a store. Whatever is not said is as it should be.
pub trait Twist: Send + Sync + 'static {
    /// A content is begun.
    fn begin_body(&self) {}

    /// A batch is to be committed.
    fn commit(&self, store: &Arc<MemorySpool>, batch: Batch) -> Commit {
        store.commit(batch)
    }

    /// Keys with this prefix are looked for.
    ///
    /// # Errors
    /// They can't be read.
    fn scan(&self, _space: Space, _prefix: &[u8]) -> Result<(), SpoolError> {
        Ok(())
    }

    /// A content of this length is read.
    fn read_body(&self, _length: u64) {}

    /// Whether the store takes on responsibility.
    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        None
    }
}

/// The store.
#[derive(Default)]
pub struct Twisted<T> {
    /// What it holds.
    pub store: Arc<MemorySpool>,
    /// What is different.
    pub twist: T,
}

impl<T: Twist> Twisted<T> {
    /// An empty one.
    pub fn new(twist: T) -> Arc<Self> {
        Arc::new(Twisted { store: Arc::default(), twist })
    }
}

impl<T: Twist> Spool for Twisted<T> {
    fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError> {
        self.twist.begin_body();
        self.store.begin_body()
    }

    fn commit(&self, batch: Batch) -> Commit {
        self.twist.commit(&self.store, batch)
    }

    fn get(&self, space: Space, key: &[u8]) -> BoxFuture<'_, Result<Option<Vec<u8>>, SpoolError>> {
        self.store.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(Vec<u8>, Vec<u8>)>, SpoolError>> {
        match self.twist.scan(space, prefix) {
            Ok(()) => self.store.scan(space, prefix, after, limit),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn body_len(&self, body: BodyId) -> BoxFuture<'_, Result<u64, SpoolError>> {
        self.store.body_len(body)
    }

    fn read_body(&self, body: BodyId, offset: u64, max: usize) -> BoxFuture<'_, Result<Vec<u8>, SpoolError>> {
        Box::pin(async move {
            self.twist.read_body(self.store.body_len(body).await?);
            self.store.read_body(body, offset, max).await
        })
    }

    fn last_stop(&self) -> LastStop {
        self.store.last_stop()
    }

    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        self.twist.unhealthy_reason().or_else(|| self.store.unhealthy_reason())
    }

    fn stats(&self) -> Stats {
        self.store.stats()
    }
}
