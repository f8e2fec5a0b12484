//! The system calls of the segment files, in one place, and how their failures are told apart.
//!
//! With the feature `conformance` each call first asks a judge, so that tests can make a disk full, read-only or
//! broken at any call. Without it there is no judge and nothing is left of the question. The index does its own
//! input and output; its judge is asked once per commit.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::SpoolError;

/// What the engine is about to ask of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskCall {
    /// Make a segment file.
    Create,
    /// Write to a segment file. Refused, half of the octets have been written.
    Write,
    /// Cut a step that failed off a segment file.
    Shorten,
    /// Force a segment file to the disk.
    Sync,
    /// Force the names of the segment files to the disk.
    SyncDirectory,
    /// Open a segment file for reading.
    Open,
    /// Read from a segment file.
    Read,
    /// Unlink a segment file.
    Remove,
    /// Commit to the index.
    CommitIndex,
}

/// Decides whether a call goes through: `Some` is what the caller gets instead.
#[cfg(feature = "conformance")]
pub type DiskJudge = std::sync::Arc<dyn Fn(DiskCall, &Path) -> Option<io::Error> + Send + Sync>;

/// The file system as the engine uses it.
#[derive(Clone, Default)]
pub(super) struct Disk {
    #[cfg(feature = "conformance")]
    judge: Option<DiskJudge>,
}

/// A segment file open for writing.
pub(super) struct DiskFile {
    file: File,
    path: PathBuf,
    disk: Disk,
}

impl Disk {
    #[cfg(feature = "conformance")]
    pub(super) fn judged(judge: DiskJudge) -> Disk {
        Disk { judge: Some(judge) }
    }

    #[cfg(feature = "conformance")]
    pub(super) fn ask(&self, call: DiskCall, path: &Path) -> io::Result<()> {
        match self.judge.as_ref().and_then(|judge| judge(call, path)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "conformance"))]
    pub(super) fn ask(&self, _call: DiskCall, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Makes a file that must not be there yet.
    pub(super) fn create(&self, path: &Path) -> Result<DiskFile, SpoolError> {
        let file = self.ask(DiskCall::Create, path).and_then(|()| File::create_new(path));
        let file = file.map_err(failed("create", path))?;
        Ok(DiskFile { file, path: path.to_owned(), disk: self.clone() })
    }

    /// Opens a file for [`Disk::read_exact_at`].
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        self.ask(DiskCall::Open, path)?;
        File::open(path)
    }

    pub(super) fn read_exact_at(
        &self,
        file: &File,
        path: &Path,
        octets: &mut [u8],
        at: u64,
    ) -> io::Result<()> {
        self.ask(DiskCall::Read, path)?;
        file.read_exact_at(octets, at)
    }

    pub(super) fn remove(&self, path: &Path) -> Result<(), SpoolError> {
        self.ask(DiskCall::Remove, path).and_then(|()| fs::remove_file(path)).map_err(failed("remove", path))
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &Path) -> Result<(), SpoolError> {
        self.ask(DiskCall::SyncDirectory, path).map_err(failed("sync", path))?;
        sync_directory(path)
    }
}

impl DiskFile {
    /// Cuts off what stands behind `len` octets.
    pub(super) fn shorten(&self, len: u64) -> io::Result<()> {
        self.disk.ask(DiskCall::Shorten, &self.path)?;
        self.file.set_len(len)
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.disk.ask(DiskCall::Sync, &self.path)?;
        self.file.sync_data()
    }
}

impl Write for DiskFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.disk.ask(DiskCall::Write, &self.path) {
            // As a disk does that fills up in the middle.
            self.file.write_all(octets.get(..octets.len() / 2).unwrap_or_default())?;
            return Err(error);
        }
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), SpoolError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}

/// Names what was tried on which file. No space, or no more of a quota, is an error of its own: it passes.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| {
        if is_no_space(&source) {
            SpoolError::NoSpace { action, path, source }
        } else {
            SpoolError::File { action, path, source }
        }
    }
}

/// Whether the medium, not the system, refuses: EIO. Other places may be readable.
pub(super) fn is_bad_block(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// ENOSPC or EDQUOT.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
