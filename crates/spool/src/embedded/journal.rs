//! The journal of the index, read by the store itself before the index opens it.
//!
//! The index writes each batch to its journal as a start, items and an end with a checksum; the disk has it some time
//! later. When the power fails any part of what was written lately may be missing, and the index then refuses to open,
//! or takes the place for the end of the journal and drops everything behind it. This module tells what is there: an
//! invalid batch with nothing valid behind it is a torn tail and is cut off; one with a valid batch behind it is
//! doubtful, and module `opening` finds out whether the log has what is missing.
//!
//! The form is that of the index's format 3: start (1, items u32, number u64), item (2, type, compression,
//! keyspace u64, key length u16, value length u32, length as stored u32, key, value), clear (4, keyspace u64), end
//! (3, XXH3-64 of items and clears, magic). Numbers are little-endian; what follows the last batch is zeros.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::disk::{failed, sync_directory};
use super::index::{ENGINE, STEP};
use crate::SpoolError;
use crate::staging::full_key;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const END_MAGIC: [u8; 4] = *b"FJL\x03";
const BUFFER: usize = 256 << 10;
/// Octets searched at once for what follows an invalid batch.
const SEARCH: usize = 1 << 20;
/// Places behind an invalid batch which are looked at more closely.
const CANDIDATES: usize = 4096;

/// What a journal holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Octets of valid batches from the beginning.
    pub(super) valid: u64,
    /// Their number.
    pub(super) batches: u64,
    /// Whether something other than zeros, but no valid batch, follows them.
    pub(super) torn: bool,
    /// Where valid batches go on behind an invalid one.
    pub(super) resumes: Option<u64>,
    /// Number of the last step in a valid batch, those behind an invalid one left out.
    pub(super) step: Option<u64>,
    /// Number of the last step in a valid batch behind an invalid one.
    pub(super) step_behind: Option<u64>,
}

/// A batch in which a key has this value.
pub(super) struct Wanted<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Journals of an index, oldest first.
pub(super) fn journals(index: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(index) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", index)(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed("list", index))?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        if let Some(number) = number {
            found.insert(number, path);
        }
    }
    Ok(found.into_values().collect())
}

/// Makes the journals of an index fit to be opened: cuts off a torn tail. `acknowledged` is a step, if one is known, which
/// had become durable.
///
/// # Errors
/// [`SpoolError::IndexDamaged`] if a journal is damaged before its end, or if the end that lacks held what was
/// acknowledged; nothing was changed then.
pub(super) fn mend(index: &Path, acknowledged: Option<u64>) -> Result<(), SpoolError> {
    let state = State::of(index, acknowledged)?;
    if let Some((path, valid)) = state.broken.into_iter().chain(state.doubtful).next() {
        return Err(SpoolError::IndexDamaged { path, valid });
    }
    state.torn.into_iter().try_for_each(|(path, valid)| cut(&path, valid))
}

/// What is wrong with the journals of an index.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Journals with an end that nobody needs, and how much of them is valid.
    pub(super) torn: Vec<(PathBuf, u64)>,
    /// Journals which lack at their end what was written, as far as they can tell, and how much of them is valid.
    pub(super) doubtful: Vec<(PathBuf, u64)>,
    /// Journals which lack something that later journals build on, and how much of them is valid: a journal is forced to
    /// the disk before the next one is begun.
    pub(super) broken: Vec<(PathBuf, u64)>,
    /// The last step that is known of, readable or not.
    pub(super) last: Option<u64>,
}

impl State {
    pub(super) fn of(index: &Path, acknowledged: Option<u64>) -> Result<State, SpoolError> {
        let mut state = State { last: acknowledged, ..State::default() };
        let mut step = None;
        for path in journals(index)? {
            let scan = scan(&path)?;
            step = step.max(scan.step);
            state.last = state.last.max(scan.step).max(scan.step_behind);
            if scan.batches > 0 {
                state.broken.append(&mut state.torn);
                state.broken.append(&mut state.doubtful);
            }
            if scan.resumes.is_some() {
                state.doubtful.push((path, scan.valid));
            } else if scan.torn {
                state.torn.push((path, scan.valid));
            }
        }
        if is_behind(step, acknowledged) {
            state.doubtful.append(&mut state.torn);
        }
        Ok(state)
    }
}

/// Whether journals whose last step is `step` lack one that was acknowledged. Journals without any step tell nothing: what
/// was in them has gone to the tables.
pub(super) fn is_behind(step: Option<u64>, acknowledged: Option<u64>) -> bool {
    step.zip(acknowledged).is_some_and(|(step, acknowledged)| step < acknowledged)
}

/// Takes the batch which holds what is `wanted`, and all that follows it, out of the journals. They are still to be mended.
pub(super) fn take_back(index: &Path, wanted: &Wanted<'_>) -> Result<(), SpoolError> {
    for path in journals(index)? {
        if let Some(from) = find(&path, wanted)? {
            cut(&path, from)?;
        }
    }
    Ok(())
}

/// Reads one journal.
pub(super) fn scan(path: &Path) -> Result<Scan, SpoolError> {
    let mut reader = Journal::open(path)?;
    reader.scan().map_err(failed("read", path))
}

/// Cuts off what follows the first `valid` octets, durably.
pub(super) fn cut(path: &Path, valid: u64) -> Result<(), SpoolError> {
    let file = OpenOptions::new().write(true).open(path).map_err(failed("open", path))?;
    file.set_len(valid).map_err(failed("shorten", path))?;
    file.sync_all().map_err(failed("sync", path))
}

/// Puts copies of the journals in their places, durably.
pub(super) fn write_again(index: &Path) -> Result<(), SpoolError> {
    let new = index.with_file_name("journal.new");
    for path in journals(index)? {
        let valid = scan(&path)?.valid;
        if let Err(error) = copy_beginning(&path, &new, valid) {
            // On a disk without space it takes some. If it stays it is written over the next time.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        fs::rename(&new, &path).map_err(failed("rename", &new))?;
    }
    sync_directory(index)
}

/// Copies the first `valid` octets of a journal to `to`, durably; what was there goes.
pub(super) fn copy_beginning(path: &Path, to: &Path, valid: u64) -> Result<(), SpoolError> {
    let source = File::open(path).map_err(failed("open", path))?;
    let mut out = File::create(to).map_err(failed("create", to))?;
    io::copy(&mut source.take(valid), &mut out).map_err(failed("write", to))?;
    out.sync_all().map_err(failed("sync", to))
}

/// Where the first batch begins that holds what is `wanted`, among the valid ones.
fn find(path: &Path, wanted: &Wanted<'_>) -> Result<Option<u64>, SpoolError> {
    let mut reader = Journal::open(path)?;
    let find = |reader: &mut Journal| {
        let mut at = 0;
        loop {
            match reader.batch(Some(wanted))? {
                Found::Batch { holds: true } => return Ok(Some(at)),
                Found::Batch { holds: false } => at = reader.position,
                Found::Nothing | Found::Invalid => return Ok(None),
            }
        }
    };
    find(&mut reader).map_err(failed("read", path))
}

/// Copies the valid batches of a damaged journal, those behind damage included, to `to`, which must not be there
/// yet; returns how many there are. It is durable when this returns.
pub(super) fn salvage(path: &Path, to: &Path) -> Result<u64, SpoolError> {
    let mut reader = Journal::open(path)?;
    let mut out = File::create_new(to).map_err(failed("create", to))?;
    let mut batches = 0_u64;
    loop {
        let from = reader.position;
        let scan = reader.scan().map_err(failed("read", path))?;
        let mut source = File::open(path).map_err(failed("open", path))?;
        source.seek(SeekFrom::Start(from)).map_err(failed("read", path))?;
        io::copy(&mut source.take(scan.valid.saturating_sub(from)), &mut out).map_err(failed("write", to))?;
        batches = batches.saturating_add(scan.batches);
        match scan.resumes {
            Some(next) => reader.go(next).map_err(failed("read", path))?,
            None => break,
        }
    }
    out.sync_all().map_err(failed("sync", to))?;
    Ok(batches)
}

/// One step of reading.
enum Found {
    Batch {
        holds: bool,
    },
    /// Zeros, or the end.
    Nothing,
    Invalid,
}

/// Why a batch can't be read.
enum Stop {
    Invalid,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Stop::Invalid } else { Stop::Io(error) }
    }
}

struct Journal {
    file: BufReader<File>,
    /// Where the next octet is read.
    position: u64,
    len: u64,
    /// Number of the step in the batch being read, and in the last valid one.
    step: Option<u64>,
    valid_step: Option<u64>,
}

impl Journal {
    fn open(path: &Path) -> Result<Journal, SpoolError> {
        let file = File::open(path).map_err(failed("open", path))?;
        let len = file.metadata().map_err(failed("look at", path))?.len();
        let file = BufReader::with_capacity(BUFFER, file);
        Ok(Journal { file, position: 0, len, step: None, valid_step: None })
    }

    fn go(&mut self, to: u64) -> io::Result<()> {
        self.position = self.file.seek(SeekFrom::Start(to))?;
        Ok(())
    }

    /// Reads on from the position, which is left somewhere behind.
    fn scan(&mut self) -> io::Result<Scan> {
        let mut scan = Scan {
            valid: self.position,
            batches: 0,
            torn: false,
            resumes: None,
            step: None,
            step_behind: None,
        };
        let found = loop {
            match self.batch(None)? {
                Found::Batch { .. } => {
                    scan.valid = self.position;
                    scan.batches = scan.batches.saturating_add(1);
                }
                found @ (Found::Nothing | Found::Invalid) => break found,
            }
        };
        let anything = match found {
            Found::Nothing => self.anything_after(scan.valid)?,
            Found::Batch { .. } | Found::Invalid => true,
        };
        scan.step = self.valid_step;
        if anything {
            scan.torn = true;
            scan.resumes = self.resumes_after(scan.valid)?;
        }
        if let Some(from) = scan.resumes {
            self.valid_step = None;
            self.go(from)?;
            while let Found::Batch { .. } = self.batch(None)? {}
            scan.step_behind = self.valid_step;
        }
        Ok(scan)
    }

    fn batch(&mut self, wanted: Option<&Wanted<'_>>) -> io::Result<Found> {
        match self.read_batch(wanted) {
            Ok(found) => Ok(found),
            Err(Stop::Invalid) => Ok(Found::Invalid),
            Err(Stop::Io(error)) => Err(error),
        }
    }

    fn read_batch(&mut self, wanted: Option<&Wanted<'_>>) -> Result<Found, Stop> {
        if self.position >= self.len {
            return Ok(Found::Nothing);
        }
        match self.octet()? {
            0 => return Ok(Found::Nothing),
            START => {}
            _ => return Err(Stop::Invalid),
        }
        self.step = None;
        let items = u32::from_le_bytes(self.array()?);
        let _number: [u8; 8] = self.array()?;
        let mut hash = Xxh3::new();
        let mut holds = false;
        for _ in 0..items {
            match self.octet()? {
                ITEM => holds |= self.item(&mut hash, wanted)?,
                CLEAR => {
                    let keyspace: [u8; 8] = self.array()?;
                    hash.update(&[CLEAR]);
                    hash.update(&keyspace);
                }
                _ => return Err(Stop::Invalid),
            }
        }
        if self.octet()? != END
            || u64::from_le_bytes(self.array()?) != hash.digest()
            || self.array::<4>()? != END_MAGIC
        {
            return Err(Stop::Invalid);
        }
        self.valid_step = self.step.or(self.valid_step);
        Ok(Found::Batch { holds })
    }

    fn item(&mut self, hash: &mut Xxh3, wanted: Option<&Wanted<'_>>) -> Result<bool, Stop> {
        let head: [u8; 20] = self.array()?;
        hash.update(&[ITEM]);
        hash.update(&head);
        let &[_kind, compression, _, _, _, _, _, _, _, _, k0, k1, _, _, _, _, v0, v1, v2, v3] = &head;
        let key_len = usize::from(u16::from_le_bytes([k0, k1]));
        let value_len = u64::from(u32::from_le_bytes([v0, v1, v2, v3]));
        let left = self.len.saturating_sub(self.position);
        if compression != 0 || (key_len as u64).saturating_add(value_len) > left {
            return Err(Stop::Invalid);
        }
        let mut key = vec![0; key_len];
        self.exact(&mut key)?;
        hash.update(&key);
        let compared = wanted.filter(|wanted| wanted.key == key && wanted.value.len() as u64 == value_len);
        let mut same = compared.is_some();
        let is_step = key == full_key(ENGINE, STEP);
        let (mut piece, mut seen) = ([0; 4096], 0_u64);
        while seen < value_len {
            let step = usize::try_from(value_len.saturating_sub(seen)).unwrap_or(usize::MAX).min(piece.len());
            let piece = piece.get_mut(..step).unwrap_or_default();
            self.exact(piece)?;
            hash.update(piece);
            if let Some(wanted) = compared {
                let from = usize::try_from(seen).unwrap_or(usize::MAX);
                same &= wanted.value.get(from..from.saturating_add(step)) == Some(&*piece);
            }
            if is_step {
                self.step = <[u8; 8]>::try_from(&*piece).ok().map(u64::from_be_bytes);
            }
            seen = seen.saturating_add(step as u64);
        }
        Ok(same)
    }

    /// Whether anything but zeros stands at `from` or behind.
    fn anything_after(&mut self, from: u64) -> io::Result<bool> {
        let mut anything = false;
        self.data_after(from, |_, octets| {
            anything = octets.iter().any(|&octet| octet != 0);
            !anything
        })?;
        Ok(anything)
    }

    /// Where a valid batch begins behind the invalid one at `from`: right after the end of another.
    fn resumes_after(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut candidates = Vec::new();
        let mut last = [0; 3];
        self.data_after(from, |at, octets| {
            let joined = [&last[..], octets].concat();
            for (offset, window) in joined.windows(END_MAGIC.len()).enumerate() {
                if window == END_MAGIC {
                    // Three octets of the piece before stand in front.
                    candidates.push(at.saturating_add(offset as u64).saturating_add(1));
                }
            }
            if let Some(tail) = joined.last_chunk() {
                last = *tail;
            }
            candidates.len() < CANDIDATES
        })?;
        for at in candidates {
            self.go(at)?;
            if let Found::Batch { .. } = self.batch(None)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Hands over what stands at `from` and behind in pieces, holes left out, until `take` has enough.
    fn data_after(&mut self, from: u64, mut take: impl FnMut(u64, &[u8]) -> bool) -> io::Result<()> {
        let mut at = from;
        let mut piece = vec![0; SEARCH];
        while at < self.len {
            let file = self.file.get_ref();
            at = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
                Ok(data) => data,
                Err(rustix::io::Errno::NXIO) => break,
                // A file system which knows no holes has data everywhere.
                Err(_) => at,
            };
            self.go(at)?;
            let step = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
            let piece = piece.get_mut(..step).unwrap_or_default();
            self.file.read_exact(piece)?;
            if !take(at, piece) {
                break;
            }
            at = at.saturating_add(step as u64);
        }
        Ok(())
    }

    fn octet(&mut self) -> Result<u8, Stop> {
        let [octet] = self.array()?;
        Ok(octet)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut octets = [0; N];
        self.exact(&mut octets)?;
        Ok(octets)
    }

    fn exact(&mut self, octets: &mut [u8]) -> Result<(), Stop> {
        self.file.read_exact(octets)?;
        self.position = self.position.saturating_add(octets.len() as u64);
        Ok(())
    }
}
