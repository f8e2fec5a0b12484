//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

/// A command failed. The text is one line for standard error: what, where, why, what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The thing asked for failed.
    Failed(String),
    /// Wrong usage or a wrong configuration file. May hold several lines, one per mistake.
    Usage(String),
    /// The service can't be reached.
    Unreachable(String),
}

impl Failure {
    /// The exit status: 1 failed, 2 wrong usage or configuration, 3 service not reachable.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Failed(_) => ExitCode::from(1),
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Unreachable(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(text) | Failure::Usage(text) | Failure::Unreachable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}
