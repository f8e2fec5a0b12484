//! The ordered index: records of the callers, and where each body is with its references.
//!
//! Everything lives in ONE keyspace, told apart by the first octet of the key; the spaces above
//! [`Space::LAST`] are the engine's. One keyspace means one table in memory, one flush, and no idle keyspace
//! whose old changes keep the journal from being cut; the price is the sixteen reserved spaces. Values are never
//! separated from keys: large ones don't come here.

use std::error::Error as StdError;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::disk::{Disk, DiskCall, failed as disk_failed, is_no_space};
use super::entry::{self, BODIES, body_key};
use super::journal::{self, Wanted};
use super::last::Last;
use super::place::Location;
use super::step::IndexBatch;
use super::{BodyEntry, Options};
use crate::spool::ScanResult;
use crate::staging::{Counted, full_key};
use crate::sync::lock;
use crate::{BodyId, Space, SpoolError};

pub(super) const ENGINE: Space = Space(0xF1);
const BODY_ID_LIMIT: &[u8] = b"body-id-limit";
/// Number of the last step, in the batch of each: it tells that batch of the journal from all others.
pub(super) const STEP: &[u8] = b"step";

/// Smallest journal that the index can be told to keep to.
const JOURNAL_BYTES: u64 = 64 << 20;
/// One would not do: while it compacts, each step asks for what is newest to be set aside, and as soon as a thousand such
/// requests wait the thread that serves them may wait for itself. Of two, the first leaves compactions to the second by
/// handing them over again and again, which costs it a processor for as long as that one is busy.
const WORKERS: usize = 2;
/// How often a step opens the database anew because a background task keeps failing.
const REOPENINGS: usize = 5;

/// The index.
///
/// A step is durable before it comes here: it stands in the log (module `log`). The index is only told, and writes to its
/// own journal without forcing it to the disk; [`Index::persist`] does that for all at once. What a power cut takes
/// from the journal the log gives back.
///
/// A write that fails leaves the database unusable for writing until it is opened again. Where only space was
/// missing this is done here, after what was written of the batch has been taken out of the journal: such a step
/// is known not to be in the index.
pub(super) struct Index {
    path: PathBuf,
    options: Options,
    disk: Disk,
    /// `None` only if it could not be opened again.
    open: RwLock<Option<Open>>,
    /// Held while anything is written.
    step: Mutex<Step>,
    /// A background task failed, and the system tells of a failed write only once: what was written before may not be on the
    /// disk although a synchronization now would say so.
    uncertain: AtomicBool,
}

/// The last step that was applied.
struct Step {
    number: u64,
    /// Where its number is kept beside the index, if it is.
    kept: Option<Last>,
}

struct Open {
    // Before the database: its handle must go first when the index closes.
    keyspace: Keyspace,
    database: Database,
}

impl Open {
    fn at(path: &Path, options: &Options) -> Result<Open, SpoolError> {
        let database = Database::builder(path)
            .cache_size(options.index_cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()
            .map_err(failed("open"))?;
        let memtable = options.index_memtable_bytes;
        let keyspace = database
            .keyspace("spool", || KeyspaceCreateOptions::default().max_memtable_size(memtable))
            .map_err(failed("open"))?;
        Ok(Open { keyspace, database })
    }

    /// Writes `batch`, which `mark` tells from all others.
    fn write(
        &self,
        batch: &IndexBatch,
        mark: &Wanted<'_>,
        durability: PersistMode,
    ) -> Result<(), fjall::Error> {
        let mut write = self.database.batch();
        for (key, value) in batch.changes() {
            match value {
                Some(value) => write.insert(&self.keyspace, key, value),
                None => write.remove(&self.keyspace, key),
            }
        }
        write.insert(&self.keyspace, mark.key, mark.value);
        write.durability(Some(durability)).commit()
    }
}

impl Index {
    /// Opens the index, or makes one. Its journals must have been mended.
    ///
    /// # Errors
    /// The index can't be opened.
    pub(super) fn open(path: &Path, options: &Options, disk: Disk) -> Result<Index, SpoolError> {
        let index = Index {
            path: path.to_owned(),
            options: options.clone(),
            disk,
            open: RwLock::new(Some(Open::at(path, options)?)),
            step: Mutex::new(Step { number: 0, kept: None }),
            uncertain: AtomicBool::new(false),
        };
        lock(&index.step).number = index.number(STEP, "the number of steps")?.unwrap_or(0);
        Ok(index)
    }

    /// Number of the last step.
    pub(super) fn step(&self) -> u64 {
        lock(&self.step).number
    }

    /// From now on the number of each step is written there as well.
    pub(super) fn keep_step(&self, kept: Option<Last>) {
        lock(&self.step).kept = kept;
    }

    /// Forces everything that was applied to the disk; returns the last step that is certain to be there. Steps may be
    /// applied meanwhile.
    ///
    /// # Errors
    /// After [`SpoolError::NoSpace`] it may be tried again.
    pub(super) fn persist(&self) -> Result<u64, SpoolError> {
        if self.uncertain.load(Ordering::Acquire) {
            let last = lock(&self.step);
            self.open_again(None, last.number)?;
            if self.uncertain.load(Ordering::Acquire) {
                return Err(disk_failed("write again", &self.path)(io::ErrorKind::StorageFull.into()));
            }
        }
        let step = self.step();
        // By names of its own: the database would hold up the steps of others as long as this takes. A journal that is
        // begun now holds later steps only, and one that goes has gone to tables.
        for path in journal::journals(&self.path)? {
            match File::open(&path) {
                Ok(file) => file.sync_data().map_err(disk_failed("sync", &path))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(disk_failed("open", &path)(error)),
            }
        }
        Ok(step)
    }

    /// Says durably that nothing follows in order.
    pub(super) fn end(&self) -> Result<(), SpoolError> {
        self.persist()?;
        let step = lock(&self.step);
        step.kept.as_ref().map_or(Ok(()), |kept| kept.end(step.number))
    }

    /// First body name that is not yet set aside; `None` in an index without a store.
    pub(super) fn body_id_limit(&self) -> Result<Option<u64>, SpoolError> {
        self.number(BODY_ID_LIMIT, "the body names")
    }

    fn number(&self, key: &[u8], what: &str) -> Result<Option<u64>, SpoolError> {
        let Some(value) = self.get(ENGINE, key)? else { return Ok(None) };
        let octets = <[u8; 8]>::try_from(&*value)
            .map_err(|_| SpoolError::BadEntry { what: what.to_owned(), octets: value.len() })?;
        Ok(Some(u64::from_be_bytes(octets)))
    }

    /// Durably sets aside all body names below `limit`. This is no step: it is not in the log.
    pub(super) fn set_body_id_limit(&self, limit: u64) -> Result<(), SpoolError> {
        let last = lock(&self.step);
        let (key, value) = (full_key(ENGINE, BODY_ID_LIMIT), limit.to_be_bytes());
        let mark = Wanted { key: &key, value: &value };
        self.write(&IndexBatch::default(), &mark, PersistMode::SyncData, last.number)
    }

    /// Applies `batch` as that step, which is later than the last; visible when it returns `Ok`. It is durable already.
    ///
    /// # Errors
    /// After [`SpoolError::NoSpace`] it is known not to have been applied, and may be tried again. After any other
    /// error nothing is known.
    pub(super) fn apply(&self, step: u64, batch: &IndexBatch) -> Result<(), SpoolError> {
        let mut last = lock(&self.step);
        let (key, value) = (full_key(ENGINE, STEP), step.to_be_bytes());
        let mark = Wanted { key: &key, value: &value };
        self.write(batch, &mark, PersistMode::Buffer, last.number)?;
        last.number = step;
        if let Some(kept) = &last.kept {
            kept.note(step);
        }
        Ok(())
    }

    /// Writes a batch, or nothing of it. `last` is the last step before it.
    fn write(
        &self,
        batch: &IndexBatch,
        mark: &Wanted<'_>,
        durability: PersistMode,
        last: u64,
    ) -> Result<(), SpoolError> {
        let mut outcome = self.try_write(batch, mark, durability);
        for _ in 0..REOPENINGS {
            let Err(fjall::Error::Poisoned) = outcome else { break };
            // A background task failed before; nothing of this batch was written. What the task would have done is
            // done again from the journal, and may fail again as long as the disk is short of space.
            self.open_again(Some(mark), last)?;
            outcome = self.try_write(batch, mark, durability);
        }
        let Err(error) = outcome else { return Ok(()) };
        match no_space(error) {
            Ok(source) => {
                self.open_again(Some(mark), last)?;
                Err(disk_failed("write to", &self.path)(source))
            }
            Err(error) => Err(failed("commit")(error)),
        }
    }

    fn try_write(
        &self,
        batch: &IndexBatch,
        mark: &Wanted<'_>,
        durability: PersistMode,
    ) -> Result<(), fjall::Error> {
        self.disk.ask(DiskCall::CommitIndex, &self.path)?;
        match &*self.read() {
            Some(open) => open.write(batch, mark, durability),
            None => Err(fjall::Error::Poisoned),
        }
    }

    /// Opens the database anew, without the batch that has this mark. `last` is the last step before it.
    ///
    /// # Errors
    /// Never [`SpoolError::NoSpace`]: whether the batch is gone is unknown.
    fn open_again(&self, mark: Option<&Wanted<'_>>, last: u64) -> Result<(), SpoolError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Closed first: what it still holds in memory of the failed write goes to the file now or never.
        *open = None;
        let mend = || {
            mark.map_or(Ok(()), |mark| journal::take_back(&self.path, mark))?;
            journal::mend(&self.path, Some(last))?;
            match journal::write_again(&self.path) {
                Ok(()) => self.uncertain.store(false, Ordering::Release),
                Err(SpoolError::NoSpace { .. }) => self.uncertain.store(true, Ordering::Release),
                Err(error) => return Err(error),
            }
            Open::at(&self.path, &self.options)
        };
        let opened = mend().map_err(|error| match error {
            error @ SpoolError::NoSpace { .. } => {
                SpoolError::Index { action: "be opened again", source: Box::new(error) }
            }
            other => other,
        })?;
        *open = Some(opened);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Open>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `read` on the open keyspace.
    fn with<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Keyspace) -> Result<T, fjall::Error>,
    ) -> Result<T, SpoolError> {
        match &*self.read() {
            Some(open) => read(&open.keyspace).map_err(failed(action)),
            None => Err(failed(action)(fjall::Error::Poisoned)),
        }
    }

    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, SpoolError> {
        self.with("read", |keyspace| keyspace.contains_key(key))
    }

    pub(super) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        let value = self.with("read", |keyspace| keyspace.get(full_key(space, key)))?;
        Ok(value.map(|value| value.to_vec()))
    }

    pub(super) fn scan(&self, space: Space, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> ScanResult {
        let prefix = full_key(space, prefix);
        let after = after.map(|after| full_key(space, after));
        let lower = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix.clone()),
        };
        let upper = successor(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        if !is_range(&lower, &upper) {
            return Ok(Vec::new());
        }
        self.with("scan", |keyspace| {
            let mut found = Vec::new();
            for guard in keyspace.range((lower, upper)).take(limit) {
                let (key, value) = guard.into_inner()?;
                found.push((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()));
            }
            Ok(found)
        })
    }

    /// Where a body is and how many references it has.
    pub(super) fn body(&self, body: BodyId) -> Result<Option<Counted<Location>>, SpoolError> {
        match self.with("read", |keyspace| keyspace.get(body_key(body)))? {
            Some(value) => entry::decode(body, &value).map(Some),
            None => Ok(None),
        }
    }

    /// Bodies after `after`, at most `limit`.
    pub(super) fn bodies_after(
        &self,
        after: Option<BodyId>,
        limit: usize,
    ) -> Result<Vec<BodyEntry>, SpoolError> {
        let after = after.map(|after| after.0.to_be_bytes());
        let page = self.scan(BODIES, b"", after.as_ref().map(|after| &after[..]), limit)?;
        Ok(page
            .into_iter()
            .map(|(name, value)| {
                let body = BodyId(<[u8; 8]>::try_from(&*name).map_or(0, u64::from_be_bytes));
                let understood =
                    entry::decode(body, &value).ok().map(|counted| (counted.references, counted.place.len));
                BodyEntry { body, understood }
            })
            .collect())
    }

    /// Calls `each` with all bodies in ascending order of names. An entry that can't be understood is an error of
    /// its own.
    pub(super) fn each_body(
        &self,
        mut each: impl FnMut(BodyId, Result<Counted<Location>, SpoolError>),
    ) -> Result<(), SpoolError> {
        self.with("scan", |keyspace| {
            for guard in keyspace.prefix([BODIES.0]) {
                let (key, value) = guard.into_inner()?;
                // A name of another length is nobody's; its entry can't be understood either.
                let (body, counted) = match entry::body_of(&key) {
                    Some(body) => (body, entry::decode(body, &value)),
                    None => {
                        let error = SpoolError::BadEntry { what: format!("{key:?}"), octets: value.len() };
                        (BodyId(0), Err(error))
                    }
                };
                each(body, counted);
            }
            Ok(())
        })
    }
}

/// The least key greater than all keys which start with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&octet| octet != 0xFF)?;
    let mut successor = prefix.get(..=last)?.to_vec();
    if let Some(octet) = successor.last_mut() {
        *octet = octet.saturating_add(1);
    }
    Some(successor)
}

/// False when the bounds have nothing between them.
fn is_range(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    match (lower, upper) {
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
            low < high
        }
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
    }
}

/// Whether a write failed for want of space: ENOSPC or EDQUOT somewhere below the error.
fn no_space(error: fjall::Error) -> Result<io::Error, fjall::Error> {
    let kind = {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        loop {
            match cause {
                Some(error) => match error.downcast_ref::<io::Error>().filter(|error| is_no_space(error)) {
                    Some(found) => break Some(found.kind()),
                    None => cause = error.source(),
                },
                None => break None,
            }
        }
    };
    match kind {
        Some(kind) => Ok(io::Error::new(kind, error)),
        None => Err(error),
    }
}

fn failed(action: &'static str) -> impl FnOnce(fjall::Error) -> SpoolError {
    move |error| SpoolError::Index { action, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors() {
        assert_eq!(successor(b"\x01ab"), Some(b"\x01ac".to_vec()));
        assert_eq!(successor(b"\x01\xff\xff"), Some(b"\x02".to_vec()));
        assert_eq!(successor(b"\xff"), None);
    }
}
