//! Opening the files that a setting names.

use std::fs::{self, File};
use std::io;

/// Opens a file to be read, if it is one. A named pipe would be waited for until somebody writes to it, a device is of no
/// end: neither must hold up a start or a reload.
pub(super) fn open(path: &str) -> io::Result<File> {
    // Looked at before it is opened: it is the opening of a pipe that waits.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    File::open(path)
}
