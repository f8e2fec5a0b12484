//! Shared segment files, as the committer sees them: one that grows, and how many bodies live in each.
//!
//! Between the bodies stand the steps: what each changes in the index, behind the bodies that it brings. One sync makes
//! both durable, and the step with it; all steps of all shared segments are the log from which module `log` makes the
//! index whole after a power cut. So a file with steps goes only when the index holds them durably.
//!
//! A file never grows again after the store was closed: its end may be torn. It goes when no body lives in it
//! and it is not the one that grows. One that is mostly dead is a case for module `compaction`.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::disk::{DiskFile, failed};
use super::place::{Location, MemoryBody, OwnSegment};
use super::record::{self, BEGINNING_LEN};
use super::step::IndexBatch;
use crate::{BodyId, SpoolError};

/// Octets written to find out whether there is space.
const PROBE: usize = 64 << 10;
/// The part of a segment's size that must be dead before its bodies are moved.
const WORTH: u64 = 64;
/// Octets gathered before a write.
const BUFFER: usize = 256 << 10;

pub(super) struct Segments {
    shared: Arc<Shared>,
    live: BTreeMap<u64, Live>,
    growing: Option<Growing>,
    /// Last step in each segment that has any and was filled by this process.
    last_steps: BTreeMap<u64, u64>,
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
    /// Three quarters of the file are dead, and enough to be worth the writing.
    fn is_sparse(&self, segment_size: u64) -> bool {
        let dead = self.len.saturating_sub(self.octets);
        self.octets <= self.len / 4 && dead >= segment_size / WORTH
    }
}

/// How the growing segment stands between two steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    number: Option<u64>,
    synced: u64,
    last_step: Option<u64>,
}

/// A segment without bodies.
pub(super) struct Emptied {
    pub(super) number: u64,
    /// The last step in it: its file must stay until the index holds that durably.
    pub(super) last_step: Option<u64>,
}

struct Growing {
    number: u64,
    path: PathBuf,
    file: DiskFile,
    /// What is still to be written. Dropped with the rest after a failure: a second try would put it behind the remains of
    /// the first.
    buffer: Vec<u8>,
    /// Octets appended, those in the buffer included.
    len: u64,
    /// Octets that were forced to the disk.
    synced: u64,
    salt: u32,
}

impl Segments {
    pub(super) fn new(shared: Arc<Shared>, live: BTreeMap<u64, Live>) -> Self {
        let size = shared.options.segment_size;
        let sparse =
            live.iter().filter(|(_, live)| live.is_sparse(size)).map(|(number, _)| *number).collect();
        Segments {
            shared,
            live,
            growing: None,
            last_steps: BTreeMap::new(),
            touched: BTreeSet::new(),
            sparse,
            new_name: false,
        }
    }

    /// Appends a body; durable after [`Segments::sync`].
    pub(super) fn append(&mut self, id: BodyId, body: &MemoryBody) -> Result<Location, SpoolError> {
        let len = body.payload.len() as u64;
        let octets = record::record_len(len).unwrap_or(u64::MAX);
        let growing = self.with_room_for(octets)?;
        let location = Location { segment: growing.number, offset: growing.len, len, crc: body.crc };
        growing.write(&record::header(id, Some(len)))?;
        growing.write(&body.payload)?;
        growing.write(&record::trailer(id, len, body.crc))?;
        Ok(location)
    }

    /// Appends the step behind its bodies; durable after [`Segments::sync`].
    pub(super) fn append_step(&mut self, step: u64, batch: &IndexBatch) -> Result<(), SpoolError> {
        let mut changes = Vec::new();
        batch.encode(&mut changes);
        let len = changes.len() as u64;
        let growing = self.with_room_for(record::record_len(len).unwrap_or(u64::MAX))?;
        growing.write(&record::step_header(step, len, growing.salt))?;
        growing.write(&changes)?;
        growing.write(&record::step_trailer(step, &changes, growing.salt))?;
        let number = growing.number;
        self.last_steps.insert(number, step);
        Ok(())
    }

    /// The growing segment: another one if this one has no room for so many octets.
    fn with_room_for(&mut self, octets: u64) -> Result<&mut Growing, SpoolError> {
        let size = self.shared.options.segment_size;
        let full =
            |growing: &Growing| growing.len > BEGINNING_LEN && growing.len.saturating_add(octets) > size;
        if self.growing.as_ref().is_some_and(full) {
            self.retire()?;
        }
        match &mut self.growing {
            Some(growing) => Ok(growing),
            none => Ok(none.insert(Growing::begin(&self.shared, &mut self.new_name)?)),
        }
    }

    /// Forces everything appended to the disk.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        if let Some(growing) = &mut self.growing {
            growing.sync(&self.shared)?;
        }
        self.sync_names()
    }

    fn sync_names(&mut self) -> Result<(), SpoolError> {
        if self.new_name {
            self.shared.disk.sync_directory(self.shared.directory.segments())?;
            self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.new_name = false;
        }
        Ok(())
    }

    /// Takes back what was appended since `before`, whether it was forced to the disk meanwhile or not. How the end of the
    /// segment looks after a failed write is unknown, so nothing more is appended to it.
    ///
    /// # Errors
    /// It can't be said whether the step is there: it may come back when the store is next opened.
    pub(super) fn take_back(&mut self, before: Before) -> Result<(), SpoolError> {
        let Some(growing) = self.growing.take() else { return Ok(()) };
        self.touched.insert(growing.number);
        match before.last_step {
            Some(step) if before.number == Some(growing.number) => {
                self.last_steps.insert(growing.number, step);
            }
            Some(_) | None => {
                self.last_steps.remove(&growing.number);
            }
        }
        let stays = if before.number == Some(growing.number) { before.synced } else { 0 };
        growing.file.shorten(stays).map_err(failed("shorten", &growing.path))?;
        growing.file.sync_data().map_err(failed("sync", &growing.path))
    }

    /// How things stand before a step, for [`Segments::take_back`].
    pub(super) fn before(&self) -> Before {
        let growing = self.growing.as_ref();
        let number = growing.map(|growing| growing.number);
        Before {
            number,
            synced: growing.map_or(0, |growing| growing.synced),
            last_step: number.and_then(|number| self.last_steps.get(&number).copied()),
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
            if live.is_sparse(self.shared.options.segment_size) {
                self.sparse.insert(location.segment);
            }
        }
        self.touched.insert(location.segment);
    }

    /// Takes the segments out that are empty and will stay so.
    pub(super) fn take_empty(&mut self) -> Vec<Emptied> {
        let growing = self.growing.as_ref().map(|growing| growing.number);
        let touched = std::mem::take(&mut self.touched);
        let empty: Vec<u64> = touched
            .into_iter()
            .filter(|&number| Some(number) != growing)
            .filter(|number| self.live.get(number).is_none_or(|live| live.bodies == 0))
            .collect();
        let mut emptied = Vec::with_capacity(empty.len());
        for number in empty {
            if let Some(live) = self.live.remove(&number) {
                self.shared.counters.segment_octets.fetch_sub(live.len, Ordering::Relaxed);
            }
            emptied.push(Emptied { number, last_step: self.last_steps.remove(&number) });
        }
        emptied
    }

    /// A segment that is mostly dead, not empty and will not grow any more; each is given once.
    pub(super) fn take_sparse(&mut self) -> Option<u64> {
        let growing = self.growing.as_ref().map(|growing| growing.number);
        let (live, size) = (&self.live, self.shared.options.segment_size);
        let found = self.sparse.iter().copied().find(|number| Some(*number) != growing)?;
        self.sparse.remove(&found);
        live.get(&found).filter(|live| live.bodies > 0 && live.is_sparse(size)).map(|_| found)
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
            let (number, len) = (full.number, full.len);
            self.touched.insert(number);
            self.growing = None;
            // The steps behind its last body are dead as well.
            if let Some(live) = self.live.get_mut(&number) {
                let more = len.saturating_sub(live.len);
                live.len = live.len.saturating_add(more);
                self.shared.counters.segment_octets.fetch_add(more, Ordering::Relaxed);
                if live.is_sparse(self.shared.options.segment_size) {
                    self.sparse.insert(number);
                }
            }
            // A step behind it in the next segment must not be found without it.
            self.sync_names()?;
        }
        Ok(())
    }
}

impl Growing {
    fn begin(shared: &Shared, new_name: &mut bool) -> Result<Growing, SpoolError> {
        let (number, path, file) = shared.create_segment()?;
        *new_name = true;
        let buffer = Vec::with_capacity(BUFFER);
        let mut growing = Growing { number, path, file, buffer, len: 0, synced: 0, salt: salt() };
        growing.write(&record::beginning(shared.index.step().saturating_add(1), growing.salt))?;
        Ok(growing)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        if self.buffer.len().saturating_add(octets.len()) > BUFFER {
            self.flush()?;
        }
        if octets.len() > BUFFER {
            self.file.write_all(octets).map_err(failed("write", &self.path))?;
        } else {
            self.buffer.extend_from_slice(octets);
        }
        self.len = self.len.saturating_add(octets.len() as u64);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SpoolError> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer).map_err(failed("write", &self.path))?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn sync(&mut self, shared: &Shared) -> Result<(), SpoolError> {
        if self.len > self.synced {
            self.flush()?;
            self.file.sync_data().map_err(failed("sync", &self.path))?;
            shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.synced = self.len;
        }
        Ok(())
    }
}

/// A number that nobody outside can know.
fn salt() -> u32 {
    let octets = RandomState::new().build_hasher().finish().to_le_bytes();
    let [a, b, c, d, ..] = octets;
    u32::from_le_bytes([a, b, c, d])
}
