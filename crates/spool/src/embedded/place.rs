//! Where a body is: on its way in memory or in a file of its own, or settled in a segment.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Shared, record};

/// A settled body: which segment, from where, how long, with what checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) segment: u64,
    /// Offset of the header.
    pub(super) offset: u64,
    /// Octets of payload.
    pub(super) len: u64,
    /// CRC-32C of the payload.
    pub(super) crc: u32,
}

impl Location {
    /// Octets of the whole record.
    pub(super) fn record_len(&self) -> u64 {
        record::record_len(self.len).unwrap_or(u64::MAX)
    }
}

/// The whereabouts of a body which a batch names.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a segment, known to the index.
    Settled(Location),
    /// Complete in memory; the committer appends it to a shared segment.
    Memory(Arc<MemoryBody>),
    /// Complete and durable in a segment of its own, not yet known to the index.
    OwnSegment(Arc<OwnSegment>, Location),
}

/// A small body.
#[derive(Debug)]
pub(super) struct MemoryBody {
    pub(super) payload: Vec<u8>,
    pub(super) crc: u32,
}

/// A segment file written by one body alone; removed when dropped before a batch keeps it.
pub(super) struct OwnSegment {
    shared: Arc<Shared>,
    number: u64,
    kept: AtomicBool,
}

/// What [`crate::FinishedBody`] carries for this engine.
pub(super) struct Reservation {
    /// The store it was reserved from. Keeps the directory locked while the reservation lives.
    pub(super) shared: Arc<Shared>,
    pub(super) place: Place,
}

impl OwnSegment {
    pub(super) fn new(shared: Arc<Shared>, number: u64) -> Self {
        OwnSegment { shared, number, kept: AtomicBool::new(false) }
    }

    /// From here on the index may refer to the file: it stays.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    /// The index does not refer to the file after all.
    pub(super) fn let_go(&self) {
        self.kept.store(false, Ordering::Release);
    }
}

impl Drop for OwnSegment {
    fn drop(&mut self) {
        if self.kept.load(Ordering::Acquire) {
            return;
        }
        // A file that can't be removed now is found and removed when the store is next opened.
        if self.shared.disk.remove(&self.shared.directory.segment(self.number)).is_ok() {
            self.shared.counters.segments.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for OwnSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnSegment").field("number", &self.number).finish_non_exhaustive()
    }
}
