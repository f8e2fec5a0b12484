//! The log: all steps, as they stand in the shared segments between the bodies.
//!
//! The index is told of a step after the log has it durably, and does not force its own journal to the disk each time.
//! So after a power cut, or after damage to the journal, the index may lack steps; this module reads them from the
//! segments again. Each shared segment begins with the number of the first step that may stand in it, steps follow one
//! another without gaps, and a file with steps goes only when the index holds them durably: whatever the index lacks is
//! there.
//!
//! Only the last step can be torn, because each was forced to the disk together with its bodies before the next one was
//! begun. It never happened then, even where its record is whole and only a body of it is not. Something that can't be
//! read with a later step behind it is damage: of the log, or of a single body, which is for its reader to find.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::directory::Directory;
use super::disk::failed;
use super::record::{self, HEADER, Record, TRAILER};
use super::step::IndexBatch;
use crate::{BodyId, SpoolError};

const BUFFER: usize = 256 << 10;
/// Octets searched at once for a step behind damage.
const SEARCH: usize = 1 << 20;
/// Octets of a body checked at once.
const PIECE: usize = 64 << 10;

/// Takes what each step changes.
pub(super) type OnStep<'a> = &'a mut dyn FnMut(&IndexBatch) -> Result<(), SpoolError>;

/// Reads the steps after `after` in order, from the segments in `files`; returns the number of the last step there is, or
/// `after`.
///
/// # Errors
/// [`SpoolError::IndexDamaged`] if a step can't be read that others follow, [`SpoolError::IndexBehind`] if all that is left
/// stood behind others, an error of `on_step`, or the disk's.
pub(super) fn replay(
    directory: &Directory,
    files: &BTreeMap<u64, u64>,
    after: u64,
    on_step: OnStep<'_>,
) -> Result<u64, SpoolError> {
    let mut expected = after.saturating_add(1);
    let mut segments = beginnings(directory, files, expected)?.into_iter().rev().peekable();
    while let Some(mut segment) = segments.next() {
        let end = segments.peek().map_or(u64::MAX, |next| next.beginning);
        let stopped = segment.read(&mut expected, end, on_step)?;
        if expected == end {
            continue;
        }
        // Only where nothing follows may an end be torn, or anything have been taken back.
        match segments.peek() {
            Some(next) if !stopped => {
                return Err(SpoolError::IndexDamaged { path: next.path.clone(), valid: 0 });
            }
            Some(_) => return Err(segment.damaged()),
            None if stopped && segment.has_step_behind(expected)? => return Err(segment.damaged()),
            None => {}
        }
    }
    Ok(expected.saturating_sub(1))
}

/// The shared segments, newest first, back to the one in which step `expected` stands or would stand.
fn beginnings(
    directory: &Directory,
    files: &BTreeMap<u64, u64>,
    expected: u64,
) -> Result<Vec<Segment>, SpoolError> {
    let mut found = Vec::new();
    for &number in files.keys().rev() {
        let path = directory.segment(number);
        if let Some(segment) = Segment::open(path)? {
            let beginning = segment.beginning;
            found.push(segment);
            if beginning <= expected {
                return Ok(found);
            }
        }
    }
    match found.last() {
        // What is wanted stood before all that is left.
        Some(first) => Err(SpoolError::IndexBehind {
            path: directory.index(),
            step: expected.saturating_sub(1),
            acknowledged: first.beginning.saturating_sub(1),
        }),
        None => Ok(found),
    }
}

/// A shared segment, being read.
struct Segment {
    path: PathBuf,
    file: BufReader<File>,
    len: u64,
    /// First step that may stand in it.
    beginning: u64,
    salt: u32,
    /// Where the next record is.
    at: u64,
    /// Bodies since the last step, and where their payloads are.
    bodies: Vec<(BodyId, u64, u64)>,
}

/// Why nothing more can be read in order.
enum Stop {
    Invalid,
    Failed(SpoolError),
}

impl Segment {
    /// `None` if it is no shared segment, or of a version that wrote no steps, or never got its beginning.
    fn open(path: PathBuf) -> Result<Option<Segment>, SpoolError> {
        let file = File::open(&path).map_err(failed("open", &path))?;
        let len = file.metadata().map_err(failed("look at", &path))?.len();
        let file = BufReader::with_capacity(BUFFER, file);
        let mut segment = Segment { path, file, len, beginning: 0, salt: 0, at: 0, bodies: Vec::new() };
        match segment.header() {
            Ok(Record::Beginning(step, salt)) => {
                (segment.beginning, segment.salt) = (step, salt);
                Ok(Some(segment))
            }
            Ok(Record::Body(..) | Record::Step(..)) | Err(Stop::Invalid) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Hands over the steps from `expected` up to, not including, `end`. True if something that can't be read, rather than
    /// the end of the file, ended it.
    fn read(&mut self, expected: &mut u64, end: u64, on_step: OnStep<'_>) -> Result<bool, SpoolError> {
        while self.at < self.len && *expected < end {
            match self.step(*expected) {
                Ok(Some(batch)) => {
                    on_step(&batch)?;
                    *expected = expected.saturating_add(1);
                }
                Ok(None) => {}
                Err(Stop::Invalid) => return Ok(true),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Goes over the next record; what it changes if it is that step, `None` if it is an earlier one or no step.
    fn step(&mut self, expected: u64) -> Result<Option<IndexBatch>, Stop> {
        let record = self.header()?;
        let end = record.len().and_then(|len| len.checked_add(self.at)).filter(|end| *end <= self.len);
        let end = end.ok_or(Stop::Invalid)?;
        let found = match record {
            Record::Step(step, _) if step > expected => return Err(Stop::Invalid),
            Record::Step(step, len) if step == expected => {
                let batch = self.changes(step, len)?.ok_or(Stop::Invalid)?;
                if !self.has_whole_bodies()? && !self.has_step_behind(step).map_err(Stop::Failed)? {
                    return Err(Stop::Invalid);
                }
                Some(batch)
            }
            Record::Step(..) | Record::Beginning(..) => None,
            Record::Body(body, len) => {
                let payload = self.at.saturating_add(HEADER as u64);
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

    fn header(&mut self) -> Result<Record, Stop> {
        self.go(self.at)?;
        let mut header = [0; HEADER];
        self.exact(&mut header)?;
        Record::parse(&header, self.salt).ok_or(Stop::Invalid)
    }

    /// The changes of a step behind its header; `None` if they, or the trailer, are not as they were written.
    fn changes(&mut self, step: u64, len: u64) -> Result<Option<IndexBatch>, Stop> {
        let mut changes = vec![0; usize::try_from(len).map_err(|_| Stop::Invalid)?];
        self.exact(&mut changes)?;
        let mut trailer = [0; TRAILER];
        self.exact(&mut trailer)?;
        if trailer != record::step_trailer(step, &changes, self.salt) {
            return Ok(None);
        }
        Ok(IndexBatch::decode(&changes))
    }

    /// Whether the bodies since the last step are as they were written.
    fn has_whole_bodies(&mut self) -> Result<bool, Stop> {
        let mut piece = vec![0; PIECE];
        for (body, len, payload) in std::mem::take(&mut self.bodies) {
            self.go(payload)?;
            let (mut left, mut crc) = (len, 0);
            while left > 0 {
                let step = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
                let piece = piece.get_mut(..step).unwrap_or_default();
                self.exact(piece)?;
                crc = crc32c::crc32c_append(crc, piece);
                left = left.saturating_sub(step as u64);
            }
            let mut trailer = [0; TRAILER];
            self.exact(&mut trailer)?;
            if trailer != record::trailer(body, len, crc) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a whole step later than `step` stands anywhere from here on.
    fn has_step_behind(&mut self, step: u64) -> Result<bool, SpoolError> {
        let mut from = self.at;
        let mut piece = vec![0; SEARCH];
        while from < self.len {
            let octets = usize::try_from(self.len.saturating_sub(from)).unwrap_or(usize::MAX).min(SEARCH);
            let piece = piece.get_mut(..octets).unwrap_or_default();
            match self.go(from).and_then(|()| self.exact(piece)) {
                Ok(()) => {}
                Err(Stop::Invalid) => return Ok(false),
                Err(Stop::Failed(error)) => return Err(error),
            }
            for (offset, window) in piece.windows(HEADER).enumerate() {
                let header = <&[u8; HEADER]>::try_from(window).ok();
                let record = header.and_then(|header| Record::parse(header, self.salt));
                let Some(Record::Step(number, len)) = record else { continue };
                let payload = from.saturating_add((offset as u64).saturating_add(HEADER as u64));
                if number > step && self.is_whole(number, len, payload)? {
                    return Ok(true);
                }
            }
            if octets < SEARCH {
                break;
            }
            // A header may lie across two pieces.
            from = from.saturating_add((octets.saturating_sub(HEADER - 1)) as u64);
        }
        Ok(false)
    }

    fn is_whole(&mut self, step: u64, len: u64, payload: u64) -> Result<bool, SpoolError> {
        if len > self.len.saturating_sub(payload) {
            return Ok(false);
        }
        match self.go(payload).and_then(|()| self.changes(step, len)) {
            Ok(changes) => Ok(changes.is_some()),
            Err(Stop::Invalid) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn go(&mut self, to: u64) -> Result<(), Stop> {
        let position = self.file.stream_position().map_err(|error| self.stop(error))?;
        // Keeps the buffer where it can.
        let moved = match i64::try_from(to).ok().zip(i64::try_from(position).ok()) {
            Some((to, position)) => self.file.seek_relative(to.saturating_sub(position)),
            None => self.file.seek(SeekFrom::Start(to)).map(|_| ()),
        };
        moved.map_err(|error| self.stop(error))
    }

    fn exact(&mut self, octets: &mut [u8]) -> Result<(), Stop> {
        self.file.read_exact(octets).map_err(|error| self.stop(error))
    }

    fn stop(&self, error: io::Error) -> Stop {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Stop::Invalid
        } else {
            Stop::Failed(failed("read", &self.path)(error))
        }
    }

    fn damaged(&self) -> SpoolError {
        SpoolError::IndexDamaged { path: self.path.clone(), valid: self.at }
    }
}
