//! Writes the seeds of every target into DIRECTORY/TARGET, for libFuzzer to begin with.
#![allow(clippy::print_stderr, reason = "a tool for the command line")]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: fuzz-seeds DIRECTORY");
        return ExitCode::from(2);
    };
    match write(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &std::path::Path) -> std::io::Result<()> {
    for (number, seed) in fuzzing::seeds().into_iter().enumerate() {
        let folder = directory.join(seed.target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{number:04}")), seed.octets)?;
    }
    Ok(())
}
