//! `chappe completions` and `chappe man`: what a shell and `man` are to know of the commands, from their own description.

use std::path::PathBuf;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::Arguments;
use super::failure::Failure;
use super::output;

/// Print what a shell needs to complete commands and options
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe completions bash > /usr/share/bash-completion/completions/chappe\n  chappe completions zsh > /usr/share/zsh/vendor-completions/_chappe\n  chappe completions fish > ~/.config/fish/completions/chappe.fish"
)]
pub(super) struct Completions {
    /// The shell.
    shell: Dialect,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dialect {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let shell = match self.shell {
            Dialect::Bash => Shell::Bash,
            Dialect::Zsh => Shell::Zsh,
            Dialect::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        generate(shell, &mut Arguments::command(), "chappe", &mut script);
        output::print(&String::from_utf8_lossy(&script))
    }
}

/// Write the manual: a page for each command into a directory, or the main one to standard output
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe man | man -l -\n  chappe man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// Where the pages go, as `chappe.1`, `chappe-queue.1` and so on; made if it is not there.
    directory: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Some(directory) = &self.directory else {
            let mut page = Vec::new();
            // Writing to memory does not fail.
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .map_err(|error| Failure::Failed(format!("cannot write the page: {error}")))?;
            return output::print(&String::from_utf8_lossy(&page));
        };
        let written = std::fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), directory));
        written.map_err(|error| Failure::Failed(format!("cannot write to {}: {error}", directory.display())))
    }
}
