//! The log: all steps, as they stand in the shared segments between the bodies.
//!
//! The index is told of a step after the log has it durably, and does not force its own journal to the disk each time.
//! So after a power cut, or after damage to the journal, the index may lack steps; this module reads them from the
//! segments again. Each shared segment begins with the number of the first step that may stand in it, steps follow one
//! another without gaps, and a file with steps goes only when the index holds them durably: whatever the index lacks is
//! there.
//!
//! Only the last step can be torn, because each was forced to the disk together with its bodies before the next one was
//! begun. It never happened then, even where its record is whole and only a body of it is not. What can't be read before a
//! step that is there is of no consequence for it: an old step, or a single body, which is for its reader to find. A
//! missing step that others follow is damage.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::directory::Directory;
use super::disk::{failed, is_bad_block, sync_directory};
use super::record::{self, BEGINNING_LEN, HEADER, Record, TRAILER};
use super::step::IndexBatch;
use crate::{BodyId, SpoolError};

/// Octets searched at once for the next step behind damage.
const SEARCH: usize = 64 << 10;
/// Octets of a body read at once.
const PIECE: usize = 64 << 10;

/// The log of a store.
pub(super) struct Log<'a> {
    pub(super) directory: &'a Directory,
    /// The segments and their lengths.
    pub(super) files: &'a BTreeMap<u64, u64>,
    /// A step that is known to have been acknowledged, or 0.
    pub(super) acknowledged: u64,
    pub(super) gaps: Gaps,
}

/// What becomes of a step that is missing while others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Nothing is read.
    Refuse,
    /// It is left out: the store is repaired as far as that can be.
    Skip,
}

/// What the log holds.
#[derive(Debug)]
pub(super) struct Found {
    /// The last step, or the one after which it was read.
    pub(super) last: u64,
    /// Where the last step stands, if it was read.
    tail: Option<Tail>,
}

/// A piece of a segment: the bodies of a step, and the step.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    from: u64,
    to: u64,
}

/// Takes the number of each step and what it changes.
pub(super) type OnStep<'a> = &'a mut dyn FnMut(u64, &IndexBatch) -> Result<(), SpoolError>;

impl Log<'_> {
    /// Reads the steps after `after` in order.
    ///
    /// # Errors
    /// [`SpoolError::IndexDamaged`] if a step can't be read that others follow, [`SpoolError::IndexBehind`] if all that is
    /// left stood behind others, an error of `on_step`, or the disk's.
    pub(super) fn read(&self, after: u64, on_step: OnStep<'_>) -> Result<Found, SpoolError> {
        let mut expected = after.saturating_add(1);
        let mut segments = self.segments(expected)?.into_iter().rev().peekable();
        if let Some(first) = segments.peek().filter(|first| first.beginning > expected) {
            if self.gaps == Gaps::Refuse {
                return Err(SpoolError::IndexBehind {
                    path: self.directory.index(),
                    step: after,
                    acknowledged: first.beginning.saturating_sub(1),
                });
            }
            expected = first.beginning;
        }
        let mut tail = None;
        while let Some(mut segment) = segments.next() {
            let end = segments.peek().map_or(u64::MAX, |next| next.beginning);
            segment.read(self, &mut expected, end, on_step)?;
            tail = segment.tail().or(tail);
            if end != u64::MAX && expected < end {
                if self.gaps == Gaps::Refuse {
                    return Err(segment.damaged());
                }
                expected = end;
            }
        }
        Ok(Found { last: expected.saturating_sub(1), tail })
    }

    /// Makes sure that the last step is on the disk. Whoever wrote it may have ended before it was, and what is read may
    /// come from the memory of the system, which tells of a failed write only once: so it is written again.
    pub(super) fn make_durable(&self, found: &Found) -> Result<(), SpoolError> {
        let Some(Tail { path, from, to }) = &found.tail else { return Ok(()) };
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open", path))?;
        for (mut at, end) in [(0, BEGINNING_LEN), (*from, *to)] {
            let mut piece = vec![0; PIECE];
            while at < end {
                let octets = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
                let piece = piece.get_mut(..octets).unwrap_or_default();
                file.read_exact_at(piece, at).map_err(failed("read", path))?;
                file.write_all_at(piece, at).map_err(failed("write", path))?;
                at = at.saturating_add(octets as u64);
            }
        }
        file.sync_data().map_err(failed("sync", path))?;
        sync_directory(self.directory.segments())
    }

    /// The shared segments, newest first, back to the one in which step `expected` stands or would stand.
    fn segments(&self, expected: u64) -> Result<Vec<Segment>, SpoolError> {
        let mut found = Vec::new();
        for &number in self.files.keys().rev() {
            if let Some(segment) = Segment::open(self.directory.segment(number))? {
                let beginning = segment.beginning;
                found.push(segment);
                if beginning <= expected {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// A shared segment, being read.
struct Segment {
    path: PathBuf,
    file: File,
    len: u64,
    /// First step that may stand in it.
    beginning: u64,
    salt: u32,
    /// Where the next record is.
    at: u64,
    /// Bodies since the last step, and where their payloads are.
    bodies: Vec<(BodyId, u64, u64)>,
    /// From where to where the last step that was handed over goes.
    last: Option<(u64, u64)>,
}

/// Why nothing more can be read in order.
enum Stop {
    Invalid,
    Failed(SpoolError),
}

impl Segment {
    /// `None` if it is no shared segment, or of a version that wrote no steps, or never got its beginning.
    fn open(path: PathBuf) -> Result<Option<Segment>, SpoolError> {
        let file = match File::open(&path) {
            Err(error) if is_bad_block(&error) => return Ok(None),
            file => file.map_err(failed("open", &path))?,
        };
        let len = file.metadata().map_err(failed("look at", &path))?.len();
        let mut segment =
            Segment { path, file, len, beginning: 0, salt: 0, at: 0, bodies: Vec::new(), last: None };
        let mut octets = [0; record::BEGINNING_OCTETS];
        match segment.exact(0, &mut octets) {
            Ok(()) => {}
            Err(Stop::Invalid) => return Ok(None),
            Err(Stop::Failed(error)) => return Err(error),
        }
        let Some((beginning, salt)) = record::parse_beginning(&octets) else { return Ok(None) };
        (segment.beginning, segment.salt, segment.at) = (beginning, salt, BEGINNING_LEN);
        Ok(Some(segment))
    }

    fn tail(&self) -> Option<Tail> {
        self.last.map(|(from, to)| Tail { path: self.path.clone(), from, to })
    }

    /// Hands over the steps from `expected` up to, not including, `end`.
    fn read(
        &mut self,
        log: &Log<'_>,
        expected: &mut u64,
        end: u64,
        on_step: OnStep<'_>,
    ) -> Result<(), SpoolError> {
        while self.at < self.len && *expected < end {
            let step = *expected;
            let certain = step <= log.acknowledged || end != u64::MAX;
            match self.step(step, certain) {
                Ok(Some(batch)) => {
                    on_step(step, &batch)?;
                    *expected = step.saturating_add(1);
                }
                Ok(None) => {}
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Invalid) => {
                    let Some((number, at)) = self.find_step(self.at, 0)? else { return Ok(()) };
                    if number > step {
                        if log.gaps == Gaps::Refuse {
                            return Err(self.damaged());
                        }
                        *expected = number.min(end);
                    } else if number == step
                        && !certain
                        && self.find_step(at, step.saturating_add(1))?.is_none()
                    {
                        return Ok(());
                    }
                    // What stands before it can't be read, and is not needed.
                    self.bodies.clear();
                    self.at = at;
                }
            }
        }
        Ok(())
    }

    /// Goes over the next record; what it changes if it is that step, `None` if it is an earlier one or no step. A step
    /// that is not `certain` to have been made durable needs its bodies whole.
    fn step(&mut self, expected: u64, certain: bool) -> Result<Option<IndexBatch>, Stop> {
        let mut header = [0; HEADER];
        self.exact(self.at, &mut header)?;
        let record = Record::parse(&header, self.salt).ok_or(Stop::Invalid)?;
        let end = record.len().and_then(|len| len.checked_add(self.at)).filter(|end| *end <= self.len);
        let end = end.ok_or(Stop::Invalid)?;
        let payload = self.at.saturating_add(HEADER as u64);
        let found = match record {
            Record::Step(step, _) if step > expected => return Err(Stop::Invalid),
            Record::Step(step, len) if step == expected => {
                let batch = self.changes(step, len, payload)?.ok_or(Stop::Invalid)?;
                if !certain && !self.has_whole_bodies()? {
                    let later = self.find_step(end, step.saturating_add(1)).map_err(Stop::Failed)?;
                    later.ok_or(Stop::Invalid)?;
                }
                let first = self.bodies.first().map(|(_, _, payload)| payload.saturating_sub(HEADER as u64));
                self.last = Some((first.unwrap_or(self.at), end));
                Some(batch)
            }
            Record::Step(..) | Record::Beginning(..) => None,
            Record::Body(body, len) => {
                self.bodies.push((body, len, payload));
                None
            }
        };
        if !matches!(record, Record::Body(..)) {
            self.bodies.clear();
        }
        self.at = end;
        Ok(found)
    }

    /// The changes of a step, if they and the trailer are as they were written.
    fn changes(&self, step: u64, len: u64, payload: u64) -> Result<Option<IndexBatch>, Stop> {
        let mut changes = vec![0; usize::try_from(len).map_err(|_| Stop::Invalid)?];
        self.exact(payload, &mut changes)?;
        let mut trailer = [0; TRAILER];
        self.exact(payload.saturating_add(len), &mut trailer)?;
        if trailer != record::step_trailer(step, &changes, self.salt) {
            return Ok(None);
        }
        Ok(IndexBatch::decode(&changes))
    }

    /// Whether the bodies since the last step are as they were written.
    fn has_whole_bodies(&self) -> Result<bool, Stop> {
        let mut piece = vec![0; PIECE];
        for &(body, len, payload) in &self.bodies {
            let (mut at, mut crc) = (payload, 0);
            let end = payload.saturating_add(len);
            while at < end {
                let octets = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
                let piece = piece.get_mut(..octets).unwrap_or_default();
                match self.exact(at, piece) {
                    Ok(()) => {}
                    Err(Stop::Invalid) => return Ok(false),
                    Err(error @ Stop::Failed(_)) => return Err(error),
                }
                crc = crc32c::crc32c_append(crc, piece);
                at = at.saturating_add(octets as u64);
            }
            let mut trailer = [0; TRAILER];
            self.exact(end, &mut trailer)?;
            if trailer != record::trailer(body, len, crc) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first whole step at `from` or behind whose number is not below `least`, and where it is.
    fn find_step(&self, from: u64, least: u64) -> Result<Option<(u64, u64)>, SpoolError> {
        let mut at = from;
        let mut piece = vec![0; SEARCH];
        while at < self.len {
            let octets = usize::try_from(self.len.saturating_sub(at)).unwrap_or(SEARCH).min(SEARCH);
            let piece = piece.get_mut(..octets).unwrap_or_default();
            match self.exact(at, piece) {
                // What the disk can't read is passed over.
                Err(Stop::Invalid) => piece.fill(0),
                Err(Stop::Failed(error)) => return Err(error),
                Ok(()) => {}
            }
            for (offset, window) in piece.windows(HEADER).enumerate() {
                let header = <&[u8; HEADER]>::try_from(window).ok();
                let record = header.and_then(|header| Record::parse(header, self.salt));
                let Some(Record::Step(number, len)) = record else { continue };
                let found = at.saturating_add(offset as u64);
                if number >= least && self.is_whole(number, len, found.saturating_add(HEADER as u64))? {
                    return Ok(Some((number, found)));
                }
            }
            if octets < SEARCH {
                break;
            }
            // A header may lie across two pieces.
            at = at.saturating_add(octets.saturating_sub(HEADER - 1) as u64);
        }
        Ok(None)
    }

    fn is_whole(&self, step: u64, len: u64, payload: u64) -> Result<bool, SpoolError> {
        if len > self.len.saturating_sub(payload) {
            return Ok(false);
        }
        match self.changes(step, len, payload) {
            Ok(changes) => Ok(changes.is_some()),
            Err(Stop::Invalid) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn exact(&self, at: u64, octets: &mut [u8]) -> Result<(), Stop> {
        self.file.read_exact_at(octets, at).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof || is_bad_block(&error) {
                Stop::Invalid
            } else {
                Stop::Failed(failed("read", &self.path)(error))
            }
        })
    }

    fn damaged(&self) -> SpoolError {
        SpoolError::IndexDamaged { path: self.path.clone(), valid: self.at }
    }
}
