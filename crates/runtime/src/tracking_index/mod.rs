//! The index of message tracking: by which words of subject, originator and recipients which messages of which hours are
//! found.
//!
//! It is no part of any step of a message. A step that is durable leaves its entries here in a bounded queue and goes on;
//! a task of its own makes words of them, a portion in memory, and writes it to an index beside the store
//! ([`spool::SideIndex`]) when it is large enough or its hour is over. Which hours the index is known to have is kept with
//! it. What is missing (after a disorderly stop, when the queue was full, when the index is new or was removed) is read
//! again from the entries themselves, in the background, the newest hours first. Until then these hours are searched
//! without it, so that it is only ever a matter of time.

mod chunk;
mod coverage;
mod filler;
mod lookup;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent::TrackRecord;
use agent::record::TrackKey;
use spool::{SideIndex, SpoolError};
use tokio::sync::Notify;

use chunk::Chunk;
use coverage::Coverage;

use crate::events::EventKind;
use crate::shared::Shared;

pub(crate) use chunk::message_keys;
pub(crate) use filler::run;
pub(crate) use lookup::Next;
pub(crate) use words::{Field, Word};
pub use words::{QueryError, TrackingQuery};

/// Entries that wait for their words at most: more of them are read from the store later.
const MAX_WAITING: usize = 32_768;
/// So many that wait are not left for the next look.
const MANY_WAITING: usize = 4_096;
/// Messages behind words in memory, one by one, that are written without waiting for the end of the hour.
const MAX_POSTINGS: usize = 200_000;

/// The index, shared by those who fill it and those who search.
pub(crate) struct TrackingIndex {
    side: SideIndex,
    waiting: Mutex<Waiting>,
    live: Mutex<Live>,
    news: Notify,
}

/// What was left by steps.
#[derive(Default)]
struct Waiting {
    entries: Vec<TrackRecord>,
    /// An hour of which entries found no room.
    lost: Option<u32>,
}

/// What is known now.
struct Live {
    /// What is not yet on the disk.
    chunk: Chunk,
    coverage: Coverage,
    /// Whether the disk has room.
    may_write: bool,
    /// Why nothing more is written, if it is so.
    failure: Option<String>,
}

/// How far the index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackingIndexStatus {
    /// Whether nothing is missing: searches need read nothing else.
    pub is_complete: bool,
    /// Octets on the disk, about.
    pub octets: u64,
}

impl TrackingIndex {
    /// Opens the index in `directory`; one that can't be opened is begun anew. `hour` is now, `first` the first number
    /// that entries of this process can have.
    pub(crate) fn open(directory: &Path, hour: u32, first: u64) -> Result<TrackingIndex, SpoolError> {
        let side = match SideIndex::open(directory) {
            Ok(side) => side,
            Err(_) => {
                SideIndex::remove(directory)?;
                SideIndex::open(directory)?
            }
        };
        let coverage = Coverage::after_start(side.noted(coverage::NOTE)?.as_deref(), hour, first);
        // From here on it says that the end is missing, until there is an end in order.
        side.note([(coverage::NOTE, coverage.encode())])?;
        Ok(TrackingIndex {
            side,
            waiting: Mutex::default(),
            live: Mutex::new(Live { chunk: Chunk::of_hour(hour), coverage, may_write: true, failure: None }),
            news: Notify::new(),
        })
    }

    /// Leaves entries that have become durable.
    pub(crate) fn leave(&self, entries: Vec<TrackRecord>) {
        let mut waiting = lock(&self.waiting);
        if waiting.entries.len() >= MAX_WAITING {
            let hour = entries.iter().map(|entry| TrackKey::hour_of(entry.time)).min();
            waiting.lost = waiting.lost.min(hour).or(waiting.lost).or(hour);
            return;
        }
        let had = waiting.entries.len();
        waiting.entries.extend(entries);
        if had < MANY_WAITING && waiting.entries.len() >= MANY_WAITING {
            drop(waiting);
            self.news.notify_one();
        }
    }

    pub(crate) fn status(&self) -> TrackingIndexStatus {
        TrackingIndexStatus { is_complete: self.is_complete(), octets: self.side.octets() }
    }

    fn is_complete(&self) -> bool {
        lock(&self.live).coverage.is_complete()
    }

    /// Makes words of what waits, and writes what is large enough or of an hour that is over, if it may write. May block
    /// on the disk.
    fn absorb(&self, live: &mut Live, may_write: bool) -> Result<(), SpoolError> {
        let Waiting { entries, lost } = std::mem::take(&mut *lock(&self.waiting));
        if let Some(hour) = lost {
            live.coverage.reach(hour);
            live.coverage.lose_from(hour);
        }
        let first = entries.iter().map(|entry| TrackKey::hour_of(entry.time)).min();
        let taken = entries.iter().try_for_each(|entry| {
            let hour = TrackKey::hour_of(entry.time);
            if hour != live.chunk.hour || live.chunk.postings() >= MAX_POSTINGS {
                self.write(live, hour, may_write)?;
            }
            live.chunk.add(entry);
            Ok(())
        });
        if let Some(first) = first.filter(|_| taken.is_err()) {
            // What comes behind the one that failed is in no portion.
            live.coverage.lose_from(first);
        }
        taken
    }

    /// Writes what is in memory, and goes on with `hour`.
    fn write(&self, live: &mut Live, hour: u32, may_write: bool) -> Result<(), SpoolError> {
        let chunk = std::mem::replace(&mut live.chunk, Chunk::of_hour(hour));
        live.coverage.reach(hour.max(chunk.hour));
        if chunk.is_empty() {
            return Ok(());
        }
        let of = chunk.hour;
        let may_write = may_write && live.failure.is_none();
        let written = if may_write { self.put(chunk, &mut live.coverage) } else { Ok(()) };
        if !may_write || written.is_err() {
            // It is no longer in memory.
            live.coverage.lose_from(of);
        }
        written
    }

    fn put(&self, chunk: Chunk, coverage: &mut Coverage) -> Result<(), SpoolError> {
        let shelf = chunk::shelf_of(chunk.hour);
        let entries = chunk.into_entries(coverage.next_number());
        self.side.put(shelf, entries, [(coverage::NOTE, coverage.encode())])
    }

    /// Writes all that is in memory and says that nothing is missing but what was missing before. `next` is the first
    /// number that entries of the next process can have. May block on the disk.
    pub(crate) fn close(&self, next: u64) -> Result<(), SpoolError> {
        let mut live = lock(&self.live);
        self.absorb(&mut live, true)?;
        let hour = live.chunk.hour;
        self.write(&mut live, hour, true)?;
        if live.failure.is_some() {
            return Ok(());
        }
        live.coverage.end(next);
        self.side.note([(coverage::NOTE, live.coverage.encode())])
    }
}

impl Shared {
    /// Opens the index in `directory`, if there is to be one. Without it searching takes longer, and that is all.
    pub(crate) async fn open_tracking_index(&mut self, directory: Option<PathBuf>) {
        let Some(directory) = directory else { return };
        let (hour, first) = (TrackKey::hour_of(self.clocks.wall()), self.sequence.first());
        let work = move || TrackingIndex::open(&directory, hour, first);
        match self.surroundings.blocking(true, work).await {
            Ok(index) => self.tracking_index = Some(Arc::new(index)),
            Err(error) => {
                let text = format!("searching message tracking is slow: its index can't be opened: {error}");
                self.event(EventKind::StoreFailed, "", text);
            }
        }
    }

    /// Writes what is still in memory, at the end of a stop.
    pub(crate) async fn close_tracking_index(&self) {
        let Some(index) = self.tracking_index.clone() else { return };
        let next = self.sequence.following();
        // If it fails the next start reads again what is missing.
        let _: Result<(), SpoolError> = self.surroundings.blocking(true, move || index.close(next)).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
