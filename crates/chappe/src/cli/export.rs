//! What comes out of a service as octets: to a new file, or to standard output.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::failure::Failure;
use super::progress::Progress;

/// Copies `content`, which has `length` octets if that is known, to `output`, else to standard output.
pub(super) fn save(content: impl Read, length: Option<u64>, output: Option<&Path>) -> Result<(), Failure> {
    match output {
        Some(path) => to_file(Progress::new(content, length), path),
        None => to_stdout(content),
    }
}

fn to_stdout(mut content: impl Read) -> Result<(), Failure> {
    match io::copy(&mut content, &mut io::stdout().lock()) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Failed(format!("cannot copy to standard output: {error}"))),
    }
}

/// Copies the stream to a file that must be new.
fn to_file(mut content: impl Read, path: &Path) -> Result<(), Failure> {
    let mut file = File::create_new(path).map_err(|error| {
        Failure::Failed(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{}: is there already and was left as it is; name another file", path.display())
            }
            _ => format!("{}: cannot write: {error}", path.display()),
        })
    })?;
    let copied = io::copy(&mut content, &mut file).and_then(|_| file.sync_all());
    copied.map_err(|error| Failure::Failed(format!("{}: written in part only: {error}", path.display())))
}
