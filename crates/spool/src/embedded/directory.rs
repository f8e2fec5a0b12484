//! The directory of a store: its lock, its format mark, and the names in it.
//!
//! `LOCK` is held exclusively as long as anything of the store is alive and names the holder. `FORMAT` is written
//! last when a store is made: a directory without it never acknowledged anything, so an interrupted creation is
//! begun again.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::disk::{failed, sync_directory};
use crate::SpoolError;

/// Format of the directory, the records and the index entries that this version writes.
///
/// Format 1 had no log: the index was forced to the disk with each step. Such a store is read, and becomes one of this
/// format when it is opened for writing.
pub(super) const FORMAT: u32 = 2;
/// The oldest format that this version reads.
const FORMAT_OLDEST: u32 = 1;
const FORMAT_LABEL: &str = "chappe-spool ";

/// A locked directory.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    segments: PathBuf,
    /// Holds the lock until dropped.
    _lock: File,
}

/// Whether a store was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A complete store.
    Store,
    /// A complete store of an older format.
    OlderStore,
    /// Nothing, or a creation that didn't end.
    Nothing,
}

impl Directory {
    /// Locks a directory that must be there and checks its format.
    pub(super) fn lock_existing(root: &Path) -> Result<(Directory, Found), OpenError> {
        if !root.join("FORMAT").is_file() {
            return Err(OpenError::NoStore { directory: root.to_owned() });
        }
        Self::lock(root)
    }

    /// Creates what is missing of the directory itself, locks it and checks its format.
    pub(super) fn lock(root: &Path) -> Result<(Directory, Found), OpenError> {
        // Mail is private: what lies below is reachable through this directory only.
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(failed("create", root))?;
        let root = root.canonicalize().map_err(failed("resolve", root))?;
        let lock = take_lock(&root)?;
        let segments = root.join("segments");
        let directory = Directory { root, segments, _lock: lock };
        let found = directory.check_format()?;
        Ok((directory, found))
    }

    /// Prepares an empty store; [`Directory::mark_complete`] ends the creation.
    pub(super) fn begin_creation(&self) -> Result<(), OpenError> {
        let index = self.index();
        if index.try_exists().map_err(failed("look at", &index))? {
            fs::remove_dir_all(&index).map_err(failed("remove the unfinished", &index))?;
        }
        fs::create_dir_all(&self.segments).map_err(failed("create", &self.segments))?;
        Ok(())
    }

    /// Writes the format mark of this version durably, and the names of all that was made before.
    pub(super) fn mark_complete(&self) -> Result<(), SpoolError> {
        // The index does not do so for the directories of its keyspaces.
        sync_names_below(&self.index())?;
        let (new, mark) = (self.root.join("FORMAT.new"), self.root.join("FORMAT"));
        let mut file = File::create(&new).map_err(failed("create", &new))?;
        file.write_all(format!("{FORMAT_LABEL}{FORMAT}\n").as_bytes()).map_err(failed("write", &new))?;
        file.sync_all().map_err(failed("sync", &new))?;
        fs::rename(&new, &mark).map_err(failed("rename", &new))?;
        sync_directory(&self.root)?;
        match self.root.parent() {
            Some(parent) => sync_directory(parent),
            None => Ok(()),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Where files go that can't be used.
    pub(super) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(super) fn segments(&self) -> &Path {
        &self.segments
    }

    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.segments.join(format!("{number:016x}.seg"))
    }

    fn check_format(&self) -> Result<Found, OpenError> {
        let path = self.root.join("FORMAT");
        let mut text = String::new();
        match File::open(&path) {
            Ok(file) => {
                // The mark is short; a long file is not it.
                let read = file.take(64).read_to_string(&mut text);
                if let Err(error) = read {
                    if error.kind() == io::ErrorKind::InvalidData {
                        return Err(OpenError::UnknownFormat { path });
                    }
                    return Err(failed("read", &path)(error).into());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.check_empty(),
            Err(error) => return Err(failed("open", &path)(error).into()),
        }
        let number = text.strip_prefix(FORMAT_LABEL).and_then(|rest| rest.trim_end().parse::<u32>().ok());
        match number {
            Some(FORMAT_OLDEST..=FORMAT) if !self.index().is_dir() || !self.segments.is_dir() => {
                Err(OpenError::IndexMissing { directory: self.root.clone() })
            }
            Some(FORMAT) => Ok(Found::Store),
            Some(FORMAT_OLDEST..FORMAT) => Ok(Found::OlderStore),
            Some(found) if found > FORMAT => {
                Err(OpenError::NewerFormat { directory: self.root.clone(), found, supported: FORMAT })
            }
            Some(_) | None => Err(OpenError::UnknownFormat { path }),
        }
    }

    /// A directory without format mark may hold an unfinished creation, and nothing else.
    fn check_empty(&self) -> Result<Found, OpenError> {
        for entry in fs::read_dir(&self.root).map_err(failed("list", &self.root))? {
            let name = entry.map_err(failed("list", &self.root))?.file_name().to_string_lossy().into_owned();
            if !["LOCK", "FORMAT.new", "index", "segments"].contains(&name.as_str()) {
                return Err(OpenError::NotEmpty { directory: self.root.clone(), entry: name });
            }
        }
        let bodies = self.segments.is_dir()
            && fs::read_dir(&self.segments).map_err(failed("list", &self.segments))?.next().is_some();
        if bodies {
            let entry = "segments of bodies".to_owned();
            return Err(OpenError::NotEmpty { directory: self.root.clone(), entry });
        }
        Ok(Found::Nothing)
    }
}

/// Makes the names in a directory and in those below it durable.
fn sync_names_below(path: &Path) -> Result<(), SpoolError> {
    for entry in fs::read_dir(path).map_err(failed("list", path))? {
        let entry = entry.map_err(failed("list", path))?;
        if entry.file_type().map_err(failed("look at", path))?.is_dir() {
            sync_names_below(&entry.path())?;
        }
    }
    sync_directory(path)
}

fn take_lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join("LOCK");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who holds it is a courtesy: when it can't be read, the refusal stands all the same.
            let holder = file.take(16).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { directory: root.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source).into()),
    }
    file.set_len(0).map_err(failed("write", &path))?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(failed("write", &path))?;
    Ok(file)
}
