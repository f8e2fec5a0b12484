//! Reads bodies and verifies them on the way.
//!
//! The checksum of a body covers all of it, while readers ask for pieces. The reader keeps, per body, the checksum
//! of the longest prefix seen so far; every read that continues the prefix extends it, whichever of several
//! readers it serves. When a read reaches the end, the prefix is complete in the usual case and is compared; if
//! not (somebody skipped, or the note was displaced), the whole body is read once more to judge it. So no read
//! returns the last octet of a body which was never found whole, and a body that is read in order is read once.
//! What was found whole is not judged again until the note is displaced or the store opened again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};

use super::Shared;
use super::disk::{failed, is_bad_block};
use super::place::Location;
use super::record;
use crate::sync::lock;
use crate::{BodyId, Damage, MAX_READ_OCTETS, SpoolError};

/// Segment files held open for readers.
const OPEN_FILES: usize = 128;
/// Bodies whose checksum is under way or done.
const PREFIXES: usize = 4096;
/// Octets read at once when a whole body is judged.
const VERIFY_STEP: u64 = 256 << 10;

/// What readers share.
#[derive(Debug, Default)]
pub(super) struct Reader {
    files: Mutex<Files>,
    prefixes: Mutex<BTreeMap<BodyId, Prefix>>,
}

#[derive(Debug, Default)]
struct Files {
    open: BTreeMap<u64, Arc<File>>,
    /// Segments about to be unlinked: not to be opened any more, or they would keep their space.
    retired: BTreeSet<u64>,
}

/// Checksum of the first octets of a body.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    octets: u64,
    crc: u32,
}

/// Why octets could not be read.
enum Fault {
    Damage(Damage),
    Error(SpoolError),
}

impl From<SpoolError> for Fault {
    fn from(error: SpoolError) -> Self {
        Fault::Error(error)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Fault::Damage(damage)
    }
}

impl Reader {
    /// Up to `max` octets of `body` from `offset`.
    pub(super) fn read(
        &self,
        shared: &Shared,
        body: BodyId,
        offset: u64,
        max: usize,
    ) -> Result<Vec<u8>, SpoolError> {
        let place = || Ok(shared.index.body(body)?.ok_or(SpoolError::NoSuchBody { body })?.place);
        let mut location = place()?;
        loop {
            match self.read_verified(shared, body, &location, offset, max) {
                Ok(octets) => return Ok(octets),
                Err(Fault::Error(error)) => return Err(error),
                Err(Fault::Damage(damage)) => {
                    // The body may have gone or moved between the two looks, and its segment with it.
                    let now = place()?;
                    if now == location {
                        let location = shared.directory.segment(location.segment).display().to_string();
                        return Err(SpoolError::Damaged { body, location, damage });
                    }
                    location = now;
                }
            }
        }
    }

    /// Forgets a body that is gone.
    pub(super) fn forget(&self, body: BodyId) {
        lock(&self.prefixes).remove(&body);
    }

    /// Closes a segment for good; to be called before it is unlinked.
    pub(super) fn retire(&self, segment: u64) {
        let mut files = lock(&self.files);
        files.retired.insert(segment);
        files.open.remove(&segment);
    }

    /// The segment is unlinked.
    pub(super) fn retired(&self, segment: u64) {
        lock(&self.files).retired.remove(&segment);
    }

    fn read_verified(
        &self,
        shared: &Shared,
        body: BodyId,
        location: &Location,
        offset: u64,
        max: usize,
    ) -> Result<Vec<u8>, Fault> {
        let left = location.len.saturating_sub(offset);
        if left == 0 && offset > 0 {
            return Ok(Vec::new());
        }
        let file = self.file(shared, location.segment)?;
        let all = usize::try_from(location.len).ok().filter(|len| *len <= max.min(MAX_READ_OCTETS));
        if let (0, Some(len)) = (offset, all) {
            return self.read_whole(shared, &file, body, location, len);
        }
        if offset == 0 {
            let mut header = [0; record::HEADER];
            read_exact(shared, &file, location, location.offset, &mut header)?;
            if !record::is_header_of(&header, body, location.len) {
                return Err(Damage::Header.into());
            }
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(max).min(MAX_READ_OCTETS);
        let mut octets = vec![0; wanted];
        read_exact(shared, &file, location, payload_at(location, offset)?, &mut octets)?;
        let prefix = self.extend(body, offset, &octets);
        if wanted as u64 == left {
            self.judge(shared, &file, body, location, prefix)?;
        }
        Ok(octets)
    }

    /// The whole of a body, with one read of all that stands of it.
    fn read_whole(
        &self,
        shared: &Shared,
        file: &File,
        body: BodyId,
        location: &Location,
        len: usize,
    ) -> Result<Vec<u8>, Fault> {
        let end = record::HEADER.saturating_add(len);
        let mut octets = vec![0; end.saturating_add(record::TRAILER)];
        read_exact(shared, file, location, location.offset, &mut octets)?;
        if !octets.first_chunk().is_some_and(|header| record::is_header_of(header, body, location.len)) {
            return Err(Damage::Header.into());
        }
        let payload = octets.get(record::HEADER..end).unwrap_or_default();
        let found = crc32c::crc32c(payload);
        if found != location.crc {
            return Err(Damage::Checksum { expected: location.crc, found }.into());
        }
        if octets.get(end..) != Some(&record::trailer(body, location.len, location.crc)) {
            return Err(Damage::Trailer.into());
        }
        octets.truncate(end);
        octets.drain(..record::HEADER);
        Ok(octets)
    }

    fn file(&self, shared: &Shared, segment: u64) -> Result<Arc<File>, Fault> {
        let mut files = lock(&self.files);
        if let Some(file) = files.open.get(&segment) {
            return Ok(Arc::clone(file));
        }
        if files.retired.contains(&segment) {
            return Err(Damage::Missing.into());
        }
        let path = shared.directory.segment(segment);
        let file = match shared.disk.open(&path) {
            Ok(file) => Arc::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Damage::Missing.into()),
            Err(error) if is_bad_block(&error) => return Err(Damage::Unreadable.into()),
            Err(error) => return Err(failed("open", &path)(error).into()),
        };
        if files.open.len() >= OPEN_FILES {
            files.open.pop_first();
        }
        files.open.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Extends the known prefix of a body by what was just read, and returns it.
    fn extend(&self, body: BodyId, offset: u64, octets: &[u8]) -> Prefix {
        let known = lock(&self.prefixes).get(&body).copied().unwrap_or_default();
        let fresh = known.octets.checked_sub(offset).and_then(|seen| usize::try_from(seen).ok());
        let Some(fresh) = fresh.and_then(|seen| octets.get(seen..)).filter(|fresh| !fresh.is_empty()) else {
            return known;
        };
        let extended = Prefix {
            octets: known.octets.saturating_add(fresh.len() as u64),
            crc: crc32c::crc32c_append(known.crc, fresh),
        };
        let mut prefixes = lock(&self.prefixes);
        if prefixes.len() >= PREFIXES && !prefixes.contains_key(&body) {
            prefixes.pop_first();
        }
        let prefix = prefixes.entry(body).or_default();
        if prefix.octets < extended.octets {
            *prefix = extended;
        }
        extended
    }

    /// Compares the checksum of the whole body, and its trailer, with what the index says.
    fn judge(
        &self,
        shared: &Shared,
        file: &File,
        body: BodyId,
        location: &Location,
        prefix: Prefix,
    ) -> Result<(), Fault> {
        let found =
            if prefix.octets == location.len { prefix.crc } else { checksum(shared, file, location)? };
        if found != location.crc {
            // The next reader starts afresh: a fault of the moment should not outlive it.
            self.forget(body);
            return Err(Damage::Checksum { expected: location.crc, found }.into());
        }
        let mut trailer = [0; record::TRAILER];
        read_exact(shared, file, location, payload_at(location, location.len)?, &mut trailer)?;
        if trailer != record::trailer(body, location.len, location.crc) {
            return Err(Damage::Trailer.into());
        }
        Ok(())
    }
}

/// CRC-32C of a whole payload, read for the purpose.
fn checksum(shared: &Shared, file: &File, location: &Location) -> Result<u32, Fault> {
    let (mut crc, mut offset) = (0, 0_u64);
    while offset < location.len {
        let step = VERIFY_STEP.min(location.len.saturating_sub(offset));
        let mut octets = vec![0; usize::try_from(step).unwrap_or_default()];
        read_exact(shared, file, location, payload_at(location, offset)?, &mut octets)?;
        crc = crc32c::crc32c_append(crc, &octets);
        offset = offset.saturating_add(step);
    }
    Ok(crc)
}

/// Place in the file of octet `offset` of the payload. An entry that points past any file is damage.
fn payload_at(location: &Location, offset: u64) -> Result<u64, Damage> {
    let start = location.offset.checked_add(record::HEADER as u64).ok_or(Damage::Truncated)?;
    start.checked_add(offset).ok_or(Damage::Truncated)
}

fn read_exact(
    shared: &Shared,
    file: &File,
    location: &Location,
    at: u64,
    octets: &mut [u8],
) -> Result<(), Fault> {
    let path = shared.directory.segment(location.segment);
    match shared.disk.read_exact_at(file, &path, octets, at) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Damage::Truncated.into()),
        Err(error) if is_bad_block(&error) => Err(Damage::Unreadable.into()),
        Err(error) => Err(failed("read", &path)(error).into()),
    }
}
