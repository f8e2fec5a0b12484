//! Shared segment files, as the committer sees them: one that grows, and how many bodies live in each.
//!
//! A file never grows again after the store was closed: its end may be torn. It goes when no body lives in it
//! and it is not the one that grows. A file with few live bodies among many
//! dead ones keeps its space for now: a compactor would append the live records to the growing file and settle
//! them anew with an index commit, which this module's counts and the record headers leave room for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::directory::failed;
use super::place::{Location, MemoryBody};
use super::record;
use crate::{BodyId, SpoolError};

/// Octets gathered before a write.
const BUFFER: usize = 256 << 10;

pub(super) struct Segments {
    shared: Arc<Shared>,
    /// Live bodies per segment.
    live: BTreeMap<u64, u64>,
    growing: Option<Growing>,
    /// Segments which may have become empty in this step.
    touched: BTreeSet<u64>,
    /// The directory has a name which is not yet durable.
    new_name: bool,
}

struct Growing {
    number: u64,
    path: PathBuf,
    file: BufWriter<File>,
    len: u64,
    dirty: bool,
}

impl Segments {
    pub(super) fn new(shared: Arc<Shared>, live: BTreeMap<u64, u64>) -> Self {
        Segments { shared, live, growing: None, touched: BTreeSet::new(), new_name: false }
    }

    /// Appends a body; durable after [`Segments::sync`].
    pub(super) fn append(&mut self, id: BodyId, body: &MemoryBody) -> Result<Location, SpoolError> {
        let len = body.payload.len() as u64;
        let octets = record::record_len(len).unwrap_or(u64::MAX);
        let mut growing = match self.growing.take() {
            Some(growing) if growing.len.saturating_add(octets) <= self.shared.options.segment_size => {
                growing
            }
            full => {
                if let Some(full) = full {
                    self.retire(full)?;
                }
                self.begin()?
            }
        };
        let location = Location { segment: growing.number, offset: growing.len, len, crc: body.crc };
        growing.write(&record::header(id, Some(len)))?;
        growing.write(&body.payload)?;
        growing.write(&record::trailer(id, len, body.crc))?;
        growing.len = growing.len.saturating_add(octets);
        growing.dirty = true;
        self.growing = Some(growing);
        Ok(location)
    }

    /// Forces everything appended to the disk.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        if let Some(growing) = &mut self.growing {
            growing.sync(&self.shared)?;
        }
        if self.new_name {
            self.shared.directory.sync_segments()?;
            self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
            self.new_name = false;
        }
        Ok(())
    }

    /// A body settled, durably.
    pub(super) fn settled(&mut self, location: &Location) {
        let live = self.live.entry(location.segment).or_default();
        *live = live.saturating_add(1);
    }

    /// A settled body is gone, durably.
    pub(super) fn gone(&mut self, location: &Location) {
        if let Some(live) = self.live.get_mut(&location.segment) {
            *live = live.saturating_sub(1);
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
            .filter(|number| self.live.get(number).is_none_or(|&live| live == 0))
            .collect();
        for number in &empty {
            self.live.remove(number);
        }
        empty
    }

    /// Lets go of the growing segment, for the end of the store.
    pub(super) fn close(&mut self) {
        if let Some(growing) = self.growing.take() {
            self.touched.insert(growing.number);
        }
    }

    fn begin(&mut self) -> Result<Growing, SpoolError> {
        let (number, path, file) = self.shared.create_segment()?;
        self.new_name = true;
        Ok(Growing { number, path, file: BufWriter::with_capacity(BUFFER, file), len: 0, dirty: false })
    }

    fn retire(&mut self, mut full: Growing) -> Result<(), SpoolError> {
        full.sync(&self.shared)?;
        self.touched.insert(full.number);
        Ok(())
    }
}

impl Growing {
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
