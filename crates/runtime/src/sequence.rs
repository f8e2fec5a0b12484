//! Numbers that are never given out twice, not even after a crash.

use std::sync::atomic::{AtomicU64, Ordering};

use agent::record::META;
use spool::{Batch, CommitError, Spool, SpoolError};

/// Numbers reserved by one durable commit.
const STEP: u64 = 1 << 20;
/// A further step is reserved when fewer numbers than this are left.
const LOW_WATER: u64 = STEP / 2;
const KEY: &[u8] = b"sequence";

/// Counter whose high-water mark is durable. Queue keys and local message identifiers come from it.
#[derive(Debug)]
pub(crate) struct DurableSequence {
    next: AtomicU64,
    reserved: AtomicU64,
    /// The first number that this process can have given out.
    first: u64,
}

impl DurableSequence {
    /// Continues after every number that an earlier process can have given out.
    pub(crate) async fn open(spool: &dyn Spool) -> Result<Self, SequenceError> {
        let mark = match spool.get(META, KEY).await? {
            None => 1,
            Some(octets) => u64::from_be_bytes(
                octets.try_into().map_err(|octets: Vec<u8>| SequenceError::Malformed(octets.len()))?,
            ),
        };
        let sequence =
            DurableSequence { next: AtomicU64::new(mark), reserved: AtomicU64::new(mark), first: mark };
        sequence.reserve(spool).await?;
        Ok(sequence)
    }

    /// The first number that this process can have given out; all earlier ones come from others before it.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// A number that has not been given out yet; all that will be are no lower.
    pub(crate) fn upcoming(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// The first number that the next process can give out, if no more are reserved.
    pub(crate) fn following(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// Reserves a further step if the numbers run low. Called by the housekeeping task.
    pub(crate) async fn reserve(&self, spool: &dyn Spool) -> Result<(), SequenceError> {
        let next = self.next.load(Ordering::Relaxed);
        let reserved = self.reserved.load(Ordering::Relaxed);
        if reserved.saturating_sub(next) >= LOW_WATER {
            return Ok(());
        }
        let mark = next.max(reserved).saturating_add(STEP);
        let mut batch = Batch::default();
        batch.put(META, KEY, mark.to_be_bytes());
        spool.commit(batch).await?;
        self.reserved.store(mark, Ordering::Relaxed);
        Ok(())
    }
}

impl agent::Sequence for DurableSequence {
    fn next(&self) -> u64 {
        // Housekeeping reserves ahead every few seconds; half a million numbers can't be used up in between.
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The durable counter can't be read or moved.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The store failed to read it.
    #[error(transparent)]
    Read(#[from] SpoolError),
    /// The store failed to write it.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The stored mark is not eight octets.
    #[error("the stored sequence mark has {0} octets instead of 8")]
    Malformed(usize),
}
