//! The contract between the transfer agent and whatever keeps its messages.

use std::pin::Pin;

use crate::{Batch, BodyId, BodyWriter, Commit, LastStop, Space, SpoolError, Unhealthy};

/// A future of this crate's traits.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most octets of a body which one read returns.
pub const MAX_READ_OCTETS: usize = 16 << 20;

/// A durable store of records and bodies.
///
/// Reads see every batch whose commit has resolved, and nothing of a batch before it is durable.
pub trait Spool: Send + Sync + 'static {
    /// Reserves a body. Nothing is visible until a batch links it; dropping the writer, or the
    /// [`crate::FinishedBody`] it becomes, gives the space back.
    ///
    /// # Errors
    /// The store has stopped, is closed, or can't make out a new name.
    fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError>;

    /// Applies `batch` as one step: durable when the future resolves to `Ok`, never partially visible.
    ///
    /// Batches apply in the order of the calls as far as they come from one thread. The call itself never
    /// blocks; when the store is behind, the future waits for room. A batch whose future is dropped may still be
    /// applied.
    fn commit(&self, batch: Batch) -> Commit;

    /// The value of `key`.
    ///
    /// # Errors
    /// Storage failed, or the space is reserved.
    fn get(&self, space: Space, key: &[u8]) -> BoxFuture<'_, Result<Option<Vec<u8>>, SpoolError>>;

    /// Keys and values in ascending order of keys, as octet strings: those which start with `prefix` and are
    /// greater than `after`, at most `limit`. The whole answer is of one moment.
    ///
    /// # Errors
    /// Storage failed, or the space is reserved.
    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> BoxFuture<'_, ScanResult>;

    /// Length of a body in octets.
    ///
    /// # Errors
    /// No such body, or storage failed.
    fn body_len(&self, body: BodyId) -> BoxFuture<'_, Result<u64, SpoolError>>;

    /// Up to `max` octets from `offset`, and never more than [`MAX_READ_OCTETS`]: fewer only at the end of the
    /// body, none at or after it.
    ///
    /// Octets are delivered before the whole body is verified, but no read returns the last octet of a damaged
    /// body: that read fails. Who reads in order must therefore not act on a body before its end was read.
    ///
    /// # Errors
    /// No such body, [`SpoolError::Damaged`], or storage failed.
    fn read_body(&self, body: BodyId, offset: u64, max: usize) -> BoxFuture<'_, Result<Vec<u8>, SpoolError>>;

    /// How the process ended that had this store before.
    fn last_stop(&self) -> LastStop;

    /// Why the store should not be given new responsibility now, if so. Cheap, and never blocks on storage.
    fn unhealthy_reason(&self) -> Option<Unhealthy>;

    /// Counters and gauges.
    fn stats(&self) -> Stats;
}

/// What a scan gives: keys and values, ascending.
pub(crate) type ScanResult = Result<Vec<(Vec<u8>, Vec<u8>)>, SpoolError>;

/// Counters since the store was opened, and gauges of the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches applied.
    pub batches_applied: u64,
    /// Batches refused by an assertion, a limit or a missing body.
    pub batches_refused: u64,
    /// Durable steps taken; each applied one or more batches.
    pub commits: u64,
    /// Calls which forced data to the disk: segments, directories and the index.
    pub syncs: u64,
    /// Bodies with at least one reference.
    pub bodies: u64,
    /// Octets of those bodies.
    pub body_octets: u64,
    /// Files which hold bodies.
    pub segments: u64,
    /// Octets which those bodies take in their files, framing included.
    pub live_octets: u64,
    /// Octets of the files which nothing lives in any more.
    pub dead_octets: u64,
    /// Bodies moved out of files that were mostly dead.
    pub bodies_moved: u64,
    /// Batches taken but not yet durable, those which wait for room included.
    pub batches_waiting: u64,
    /// Bodies found cut short or missing when the store was opened.
    pub bodies_damaged: u64,
    /// The last failure of storage, as text for an operator.
    pub last_error: Option<String>,
}
