//! Shared segment files, as the committer sees them: one that grows, and how many bodies live in each.
//!
//! A file never grows again after the store was closed: its end may be torn. It goes when no body lives in it
//! and it is not the one that grows. One that is mostly dead is a case for module `compaction`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::disk::{DiskFile, failed};
use super::place::{Location, MemoryBody, OwnSegment};
use super::record;
use crate::{BodyId, SpoolError};

/// Octets written to find out whether there is space.
const PROBE: usize = 64 << 10;
/// Octets gathered before a write.
const BUFFER: usize = 256 << 10;

pub(super) struct Segments {
    shared: Arc<Shared>,
    live: BTreeMap<u64, Live>,
    growing: Option<Growing>,
    /// Segments which may have become empty in this step.
    touched: BTreeSet<u64>,
    /// Segments which may have become mostly dead.
    sparse: BTreeSet<u64>,
    /// The directory has a name which is not yet durable.
    new_name: bool,
}

/// What lives in a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    pub(super) bodies: u64,
    /// Octets of their records.
    pub(super) octets: u64,
    /// Octets of the file, as far as anything ever lived in them.
    pub(super) len: u64,
}

impl Live {
    /// Three quarters of the file are dead.
    fn is_sparse(&self) -> bool {
        self.octets <= self.len / 4
    }
}

struct Growing {
    number: u64,
    path: PathBuf,
    file: BufWriter<DiskFile>,
    len: u64,
    dirty: bool,
}

impl Segments {
    pub(super) fn new(shared: Arc<Shared>, live: BTreeMap<u64, Live>) -> Self {
        let sparse = live.iter().filter(|(_, live)| live.is_sparse()).map(|(number, _)| *number).collect();
        Segments { shared, live, growing: None, touched: BTreeSet::new(), sparse, new_name: false }
    }

    /// Appends a body; durable after [`Segments::sync`].
    pub(super) fn append(&mut self, id: BodyId, body: &MemoryBody) -> Result<Location, SpoolError> {
        let len = body.payload.len() as u64;
        let octets = record::record_len(len).unwrap_or(u64::MAX);
        let full = |growing: &Growing| {
            growing.len > 0 && growing.len.saturating_add(octets) > self.shared.options.segment_size
        };
        if self.growing.as_ref().is_some_and(full) {
            self.retire()?;
        }
        let growing = match &mut self.growing {
            Some(growing) => growing,
            none => none.insert(Growing::begin(&self.shared, &mut self.new_name)?),
        };
        let location = Location { segment: growing.number, offset: growing.len, len, crc: body.crc };
        growing.write(&record::header(id, Some(len)))?;
        growing.write(&body.payload)?;
        growing.write(&record::trailer(id, len, body.crc))?;
        growing.len = growing.len.saturating_add(octets);
        growing.dirty = true;
        Ok(location)
    }

    /// Forces everything appended to the disk.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        if let Some(growing) = &mut self.growing {
            growing.sync(&self.shared)?;
        }
        if self.new_name {
            self.shared.disk.sync_directory(self.shared.directory.segments())?;
            self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.new_name = false;
        }
        Ok(())
    }

    /// Appends nothing more to the growing segment: how its end looks after a failed write is unknown. What was
    /// forced to the disk before stays good.
    pub(super) fn abandon_growing(&mut self) {
        if let Some(growing) = self.growing.take() {
            self.touched.insert(growing.number);
            // What is left in the buffer is not to be tried again by closing it.
            drop(growing.file.into_parts());
        }
    }

    /// Finds out whether a segment could be written: makes a file with some octets and removes it.
    pub(super) fn probe(&self) -> Result<(), SpoolError> {
        let (number, path, mut file) = self.shared.create_segment()?;
        let written = file.write_all(&[0; PROBE]).map_err(failed("write", &path));
        let written = written.and_then(|()| file.sync_data().map_err(failed("sync", &path)));
        drop(file);
        drop(OwnSegment::new(Arc::clone(&self.shared), number));
        written
    }

    /// A body settled, durably.
    pub(super) fn settled(&mut self, location: &Location) {
        let octets = location.record_len();
        let live = self.live.entry(location.segment).or_default();
        let len = live.len.max(location.offset.saturating_add(octets));
        let counters = &self.shared.counters;
        counters.segment_octets.fetch_add(len.saturating_sub(live.len), Ordering::Relaxed);
        counters.live_octets.fetch_add(octets, Ordering::Relaxed);
        *live =
            Live { bodies: live.bodies.saturating_add(1), octets: live.octets.saturating_add(octets), len };
    }

    /// A settled body is gone, durably.
    pub(super) fn gone(&mut self, location: &Location) {
        if let Some(live) = self.live.get_mut(&location.segment) {
            let octets = location.record_len();
            live.bodies = live.bodies.saturating_sub(1);
            live.octets = live.octets.saturating_sub(octets);
            self.shared.counters.live_octets.fetch_sub(octets, Ordering::Relaxed);
            if live.is_sparse() {
                self.sparse.insert(location.segment);
            }
        }
        self.touched.insert(location.segment);
    }

    /// Takes the segments out that are empty and will stay so.
    pub(super) fn take_empty(&mut self) -> Vec<u64> {
        let growing = self.growing.as_ref().map(|growing| growing.number);
        let touched = std::mem::take(&mut self.touched);
        let empty: Vec<u64> = touched
            .into_iter()
            .filter(|&number| Some(number) != growing)
            .filter(|number| self.live.get(number).is_none_or(|live| live.bodies == 0))
            .collect();
        for number in &empty {
            if let Some(live) = self.live.remove(number) {
                self.shared.counters.segment_octets.fetch_sub(live.len, Ordering::Relaxed);
            }
        }
        empty
    }

    /// A segment that is mostly dead, not empty and will not grow any more; each is given once.
    pub(super) fn take_sparse(&mut self) -> Option<u64> {
        let growing = self.growing.as_ref().map(|growing| growing.number);
        let live = &self.live;
        let found = self.sparse.iter().copied().find(|number| Some(*number) != growing)?;
        self.sparse.remove(&found);
        live.get(&found).filter(|live| live.bodies > 0 && live.is_sparse()).map(|_| found)
    }

    /// Whether [`Segments::take_sparse`] has anything to look at.
    pub(super) fn has_sparse(&self) -> bool {
        let growing = self.growing.as_ref().map(|growing| growing.number);
        self.sparse.iter().any(|number| Some(*number) != growing)
    }

    /// Lets go of the growing segment, for the end of the store.
    pub(super) fn close(&mut self) {
        if let Some(growing) = self.growing.take() {
            self.touched.insert(growing.number);
        }
    }

    /// Forces the growing segment to the disk and lets it go.
    fn retire(&mut self) -> Result<(), SpoolError> {
        if let Some(full) = &mut self.growing {
            full.sync(&self.shared)?;
            self.touched.insert(full.number);
            self.growing = None;
        }
        Ok(())
    }
}

impl Growing {
    fn begin(shared: &Shared, new_name: &mut bool) -> Result<Growing, SpoolError> {
        let (number, path, file) = shared.create_segment()?;
        *new_name = true;
        Ok(Growing { number, path, file: BufWriter::with_capacity(BUFFER, file), len: 0, dirty: false })
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        self.file.write_all(octets).map_err(failed("write", &self.path))
    }

    fn sync(&mut self, shared: &Shared) -> Result<(), SpoolError> {
        if self.dirty {
            self.file.flush().map_err(failed("write", &self.path))?;
            self.file.get_ref().sync_data().map_err(failed("sync", &self.path))?;
            shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.dirty = false;
        }
        Ok(())
    }
}
