//! Gives the space of mostly dead segments back: the bodies that still live in one move to the growing segment, and
//! the file goes when none is left.
//!
//! The committer's thread does this between its steps, in pieces of bounded size, so that nobody else changes the
//! index meanwhile. A piece is a step like any other: copies and what it changes in the index are forced to the disk
//! together, and only an empty file is unlinked. A crash between any two of these leaves each body in one of both places and
//! the index in agreement. A segment in which something can't be read stays as it is.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::Shared;
use super::committer;
use super::disk::failed;
use super::place::{Location, MemoryBody};
use super::record::{self, Record};
use super::segment::Segments;
use super::step::IndexBatch;
use crate::staging::Counted;
use crate::{BodyId, SpoolError};

/// Octets of bodies moved by one piece, unless a single one is larger.
const PIECE_OCTETS: u64 = 1 << 20;
/// Records looked at by one piece.
const PIECE_RECORDS: u32 = 512;

/// A segment on its way out.
pub(super) struct Compaction {
    number: u64,
    path: PathBuf,
    file: File,
    /// Where the next record begins.
    at: u64,
    len: u64,
    /// Of the steps in it.
    salt: u32,
}

/// A body found alive, with what it takes to move it.
struct Living {
    id: BodyId,
    from: Location,
    references: u32,
    body: MemoryBody,
}

/// What a piece did.
pub(super) struct Piece {
    /// Old and new places of the bodies that moved, durably.
    pub(super) moved: Vec<(Location, Location)>,
    /// Whether the segment has been gone through.
    pub(super) finished: bool,
}

impl Compaction {
    pub(super) fn begin(shared: &Shared, number: u64) -> Result<Compaction, SpoolError> {
        let path = shared.directory.segment(number);
        let file = shared.disk.open(&path).map_err(failed("open", &path))?;
        let len = file.metadata().map_err(failed("look at", &path))?.len();
        Ok(Compaction { number, path, file, at: 0, len, salt: 0 })
    }

    /// Moves some bodies.
    ///
    /// # Errors
    /// A write failed; nothing has moved.
    pub(super) fn piece(
        &mut self,
        shared: &Arc<Shared>,
        segments: &mut Segments,
    ) -> Result<Piece, SpoolError> {
        let living = self.find(shared);
        let mut batch = IndexBatch::default();
        let mut moved = Vec::with_capacity(living.len());
        for Living { id, from, references, body } in &living {
            let to = segments.append(*id, body)?;
            batch.put_body(*id, &to, *references);
            moved.push((*from, to));
        }
        if !moved.is_empty() {
            committer::commit(shared, segments, &batch)?;
        }
        Ok(Piece { moved, finished: self.at >= self.len })
    }

    /// Reads on in the segment until enough has been found. What can't be read is left where it is; behind a header
    /// that is none nothing can be found any more.
    fn find(&mut self, shared: &Shared) -> Vec<Living> {
        let mut living = Vec::new();
        let (mut octets, mut records) = (0_u64, 0_u32);
        while self.at < self.len && octets < PIECE_OCTETS && records < PIECE_RECORDS {
            let Some((record, record_len)) = self.header(shared) else {
                self.at = self.len;
                break;
            };
            if let Record::Beginning(_, salt) = record {
                self.salt = salt;
            }
            if let Record::Body(id, len) = record
                && let Some(found) = self.body(shared, id, len)
            {
                living.push(found);
                octets = octets.saturating_add(len);
            }
            self.at = self.at.saturating_add(record_len);
            records = records.saturating_add(1);
        }
        living
    }

    fn header(&self, shared: &Shared) -> Option<(Record, u64)> {
        let mut header = [0; record::HEADER];
        shared.disk.read_exact_at(&self.file, &self.path, &mut header, self.at).ok()?;
        let record = Record::parse(&header, self.salt)?;
        Some((record, record.len().filter(|record_len| *record_len <= self.len)?))
    }

    /// The body here, if it lives and is whole.
    fn body(&self, shared: &Shared, id: BodyId, len: u64) -> Option<Living> {
        let Counted { place: from, references } = shared.index.body(id).ok()??;
        if (from.segment, from.offset, from.len) != (self.number, self.at, len) {
            return None;
        }
        let mut payload = vec![0; usize::try_from(len).ok()?];
        let at = self.at.saturating_add(record::HEADER as u64);
        shared.disk.read_exact_at(&self.file, &self.path, &mut payload, at).ok()?;
        if crc32c::crc32c(&payload) != from.crc {
            return None;
        }
        Some(Living { id, from, references, body: MemoryBody { payload, crc: from.crc } })
    }
}
