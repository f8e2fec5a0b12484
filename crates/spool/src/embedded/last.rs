//! What a store says of itself outside the index: how its last process left it, and the number of its last step.
//!
//! The file `LAST` is one line in one sector, with a checksum. An opening forces "running" to the disk before anything
//! else is written, and only an end in order makes "stopped" of it. In between each step writes its number, after the
//! step has become durable in the log and without waiting for the disk. So the number is never ahead of what the store
//! should hold, and a store behind it has lost a step that was acknowledged: octets that have rotted in the last step
//! look like a step that a power cut has torn, and this number tells them apart. After a power cut the
//! number may be older than the index, which says nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::{failed, sync_directory};
use crate::SpoolError;

/// Name of the file.
pub(super) const NAME: &str = "LAST";
const LABEL: &str = "chappe-last 1";
/// More than the line is long.
const LINE: u64 = 96;

/// How the process that had a store before this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastStop {
    /// There was none: the store is new.
    NoneBefore,
    /// It wrote what waited and closed the store.
    InOrder,
    /// It was killed, crashed or lost its power; or it was of a version that did not tell.
    Disorderly,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) stopped: bool,
    pub(super) step: u64,
}

/// The file, open.
#[derive(Debug)]
pub(super) struct Last {
    file: File,
    path: PathBuf,
}

impl Told {
    /// Reads the file in `root`; `None` if there is none that can be understood.
    pub(super) fn read(root: &Path) -> Result<Option<Told>, SpoolError> {
        let path = root.join(NAME);
        let mut octets = Vec::new();
        match File::open(&path) {
            Ok(file) => {
                file.take(LINE).read_to_end(&mut octets).map_err(failed("read", &path))?;
                Ok(Told::parse(&octets))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", &path)(error)),
        }
    }

    fn line(self) -> Vec<u8> {
        let state = if self.stopped { "stopped" } else { "running" };
        let text = format!("{LABEL} {state} {:016x}", self.step);
        format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes())).into_bytes()
    }

    fn parse(octets: &[u8]) -> Option<Told> {
        let line = str::from_utf8(octets).ok()?.strip_suffix('\n')?;
        let (text, sum) = line.rsplit_once(' ')?;
        if u32::from_str_radix(sum, 16).ok()? != crc32c::crc32c(text.as_bytes()) {
            return None;
        }
        let (state, step) = text.strip_prefix(LABEL)?.strip_prefix(' ')?.split_once(' ')?;
        let stopped = match state {
            "stopped" => true,
            "running" => false,
            _ => return None,
        };
        Some(Told { stopped, step: u64::from_str_radix(step, 16).ok()? })
    }
}

impl Last {
    /// Says durably that the store is in use, and that `step` was its last step.
    ///
    /// # Errors
    /// The disk refuses. No space for a file that is not there yet is no error but `None`: a store on a full disk must
    /// open, and what is missing says less than a file would, and nothing wrong.
    pub(super) fn begin(root: &Path, step: u64) -> Result<Option<Last>, SpoolError> {
        let path = root.join(NAME);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let last = match file.map_err(failed("open", &path)) {
            Ok(file) => Last { file, path },
            Err(SpoolError::NoSpace { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_new = last.file.metadata().map_err(failed("look at", &last.path))?.len() == 0;
        match last.write(Told { stopped: false, step }).and_then(|()| last.sync()) {
            Ok(()) => {}
            Err(SpoolError::NoSpace { .. }) if is_new => return Ok(None),
            Err(error) => return Err(error),
        }
        if is_new {
            sync_directory(root)?;
        }
        Ok(Some(last))
    }

    /// A step has become durable.
    pub(super) fn note(&self, step: u64) {
        // A number that is too low claims less than is true.
        let _ = self.write(Told { stopped: false, step });
    }

    /// Says durably that the store was closed in order after `step`.
    pub(super) fn end(&self, step: u64) -> Result<(), SpoolError> {
        self.write(Told { stopped: true, step })?;
        self.sync()
    }

    fn write(&self, told: Told) -> Result<(), SpoolError> {
        self.file.write_all_at(&told.line(), 0).map_err(failed("write", &self.path))
    }

    fn sync(&self) -> Result<(), SpoolError> {
        self.file.sync_all().map_err(failed("sync", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_back_and_nothing_else() {
        for (stopped, step) in [(true, 0), (false, 17), (true, u64::MAX)] {
            let told = Told { stopped, step };
            let line = told.line();
            assert_eq!(Told::parse(&line), Some(told));
            assert!((line.len() as u64) < LINE);
            for at in 0..line.len() {
                assert_eq!(Told::parse(&line[..at]), None);
                let mut bad = line.clone();
                bad[at] ^= 1;
                assert_eq!(Told::parse(&bad), None, "octet {at}");
            }
        }
    }
}
