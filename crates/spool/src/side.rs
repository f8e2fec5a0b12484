//! An index beside the store, for what can be made again from the store: searching, not mail.
//!
//! Nothing here takes part in a [`crate::Batch`]: whoever fills it does so when there is time, and begins anew when it
//! is gone or can't be opened. Entries stand on shelves, which are numbered; a shelf that is not wanted any more goes as
//! a whole. What was put in one call is there together or not at all, after a power cut too. Calls block on the disk.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::SpoolError;

/// Smallest journal that the index can be told to keep to.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Memory for the newest part of a shelf.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// Memory for blocks read back.
const CACHE_BYTES: u64 = 16 << 20;
/// Files held open.
const FILES: usize = 64;

/// The index. Dropping it closes it.
pub struct SideIndex {
    // Before the database: handles must go first when the index closes.
    shelves: RwLock<BTreeMap<u32, Keyspace>>,
    notes: Keyspace,
    database: Database,
}

/// What to do with the rest of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Go on.
    On,
    /// Enough.
    Enough,
}

impl SideIndex {
    /// Opens the index in `directory`, or begins one.
    ///
    /// # Errors
    /// It can't be opened: [`SideIndex::remove`] it, and fill a new one.
    pub fn open(directory: &Path) -> Result<SideIndex, SpoolError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| SpoolError::File { action: "create", path: directory.to_owned(), source })?;
        let database = Database::builder(directory)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .max_cached_files(Some(FILES))
            .worker_threads(1)
            .open()
            .map_err(failed("open"))?;
        let notes = database
            .keyspace("notes", || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES))
            .map_err(failed("open"))?;
        let names = database.list_keyspace_names();
        let numbers = names.iter().filter_map(|name| name.strip_prefix("shelf-")?.parse().ok());
        let shelves = numbers.map(|number| Ok((number, shelf(&database, number)?)));
        let shelves = RwLock::new(shelves.collect::<Result<_, SpoolError>>()?);
        Ok(SideIndex { shelves, notes, database })
    }

    /// Removes the index in `directory`, which nobody has open.
    ///
    /// # Errors
    /// The file system refused.
    pub fn remove(directory: &Path) -> Result<(), SpoolError> {
        match fs::remove_dir_all(directory) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::File { action: "remove", path: directory.to_owned(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Numbers of the shelves, ascending.
    pub fn shelves(&self) -> Vec<u32> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Puts entries on a shelf, which is made if there is none, and notes beside all shelves; durable on return.
    ///
    /// # Errors
    /// The disk refused: whether they are there is not known.
    pub fn put(
        &self,
        shelf: u32,
        entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
        notes: impl IntoIterator<Item = (&'static str, Vec<u8>)>,
    ) -> Result<(), SpoolError> {
        let shelf = self.made(shelf)?;
        let mut batch = self.database.batch();
        for (key, value) in entries {
            batch.insert(&shelf, key, value);
        }
        for (name, value) in notes {
            batch.insert(&self.notes, name, value);
        }
        batch.durability(Some(PersistMode::SyncData)).commit().map_err(failed("write"))
    }

    /// Changes notes alone; durable on return.
    ///
    /// # Errors
    /// The disk refused.
    pub fn note(&self, notes: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Result<(), SpoolError> {
        let mut batch = self.database.batch();
        for (name, value) in notes {
            batch.insert(&self.notes, name, value);
        }
        batch.durability(Some(PersistMode::SyncData)).commit().map_err(failed("write"))
    }

    /// What was noted under a name.
    ///
    /// # Errors
    /// The disk refused, or what it gives is damaged.
    pub fn noted(&self, name: &str) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(self.notes.get(name).map_err(failed("read"))?.map(|value| value.to_vec()))
    }

    /// Shows `each` the entries of a shelf in order, from the first that is not before `from`, until it has enough.
    ///
    /// # Errors
    /// The disk refused, or what it gives is damaged.
    pub fn walk(
        &self,
        shelf: u32,
        from: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Walk,
    ) -> Result<(), SpoolError> {
        let Some(shelf) = self.shelf(shelf) else { return Ok(()) };
        let from = Bound::Included(from.to_vec());
        for guard in shelf.range((from, Bound::<Vec<u8>>::Unbounded)) {
            let (key, value) = guard.into_inner().map_err(failed("read"))?;
            if each(&key, &value) == Walk::Enough {
                break;
            }
        }
        Ok(())
    }

    /// Removes a shelf with all that is on it.
    ///
    /// # Errors
    /// The disk refused.
    pub fn clear(&self, shelf: u32) -> Result<(), SpoolError> {
        let gone = self.shelves.write().unwrap_or_else(PoisonError::into_inner).remove(&shelf);
        gone.map_or(Ok(()), |shelf| self.database.delete_keyspace(shelf).map_err(failed("remove a part of")))
    }

    /// Octets that it takes on the disk, about.
    pub fn octets(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }

    fn shelf(&self, number: u32) -> Option<Keyspace> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// The shelf, which is made if there is none.
    fn made(&self, number: u32) -> Result<Keyspace, SpoolError> {
        if let Some(there) = self.shelf(number) {
            return Ok(there);
        }
        let made = shelf(&self.database, number)?;
        self.shelves.write().unwrap_or_else(PoisonError::into_inner).insert(number, made.clone());
        Ok(made)
    }
}

impl std::fmt::Debug for SideIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SideIndex").field("shelves", &self.shelves()).finish()
    }
}

fn shelf(database: &Database, number: u32) -> Result<Keyspace, SpoolError> {
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    database.keyspace(&format!("shelf-{number}"), options).map_err(failed("open"))
}

fn failed(action: &'static str) -> impl FnOnce(fjall::Error) -> SpoolError {
    move |error| SpoolError::Index { action, source: Box::new(error) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn keys(index: &SideIndex, shelf: u32, from: &[u8]) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        index
            .walk(shelf, from, |key, _| {
                keys.push(key.to_vec());
                Walk::On
            })
            .unwrap();
        keys
    }

    #[test]
    fn what_was_put_is_there_when_it_is_opened_again_and_a_shelf_goes_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("side");
        let index = SideIndex::open(&path).unwrap();
        index.put(7, [(b"b".to_vec(), vec![2]), (b"a".to_vec(), vec![1])], [("done", vec![9])]).unwrap();
        index.put(8, [(b"c".to_vec(), vec![])], []).unwrap();
        drop(index);
        let index = SideIndex::open(&path).unwrap();
        assert_eq!(index.shelves(), [7, 8]);
        assert_eq!(keys(&index, 7, b""), [b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(keys(&index, 7, b"aa"), [b"b".to_vec()]);
        assert_eq!(index.noted("done").unwrap(), Some(vec![9]));
        index.clear(7).unwrap();
        assert_eq!(index.shelves(), [8]);
        assert!(keys(&index, 7, b"").is_empty());
        assert_eq!(index.shelves(), [8], "looking makes no shelf");
        drop(index);
        assert_eq!(SideIndex::open(&path).unwrap().shelves(), [8]);
    }

    #[test]
    fn a_walk_ends_when_it_has_enough() {
        let directory = tempfile::tempdir().unwrap();
        let index = SideIndex::open(directory.path()).unwrap();
        index.put(0, (0..10_u8).map(|n| (vec![n], vec![n])), []).unwrap();
        let mut seen = Vec::new();
        let enough = |key: &[u8], _: &[u8]| {
            seen.push(key[0]);
            if seen.len() == 3 { Walk::Enough } else { Walk::On }
        };
        index.walk(0, &[4], enough).unwrap();
        assert_eq!(seen, [4, 5, 6]);
    }

    #[test]
    fn an_index_in_disorder_is_told_and_can_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("side");
        drop(SideIndex::open(&path).unwrap());
        // What is left of a file system after an accident.
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::write(entry.path(), b"neither here nor there").unwrap();
            } else {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        assert!(SideIndex::open(&path).is_err());
        SideIndex::remove(&path).unwrap();
        SideIndex::remove(&path).unwrap();
        assert!(SideIndex::open(&path).unwrap().shelves().is_empty());
    }
}
