//! `chappe quarantine`: what this program could not deal with.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::operate::Consent;
use super::output::{self, Table};
use super::{Online, Paging, export, more};
use crate::model::{OutOfQuarantine, Page, QuarantineItem};

/// What was put aside because this program could not deal with it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe quarantine list\n  chappe quarantine export 4711 --output 4711.ber\n  chappe quarantine release 4711"
)]
pub(super) struct Quarantine {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List what is in quarantine, and why
    #[command(after_help = "Example:\n  chappe quarantine list")]
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Write something in quarantine to a file, octet for octet
    ///
    /// It is the MTS-APDU as it is stored, content included; of a record that can't be read, the record.
    #[command(after_help = "Example:\n  chappe quarantine export 4711 --output 4711.ber")]
    Export {
        /// Its number.
        number: u64,
        /// A file that is not there yet; standard output if absent.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Put something in quarantine back into the work queue: it is tried again, three times
    ///
    /// A non-delivery report that was made is not taken back.
    #[command(after_help = "Example:\n  chappe quarantine release 4711")]
    Release {
        /// Its number.
        number: u64,
    },
    /// Delete something in quarantine for good; nobody is told
    #[command(after_help = "Example:\n  chappe quarantine delete 4711")]
    Delete {
        /// Its number.
        number: u64,
        #[command(flatten)]
        consent: Consent,
    },
}

impl Quarantine {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = |number: u64| format!("/api/v1/quarantine/{number}");
        match self.command {
            QuarantineCommand::List { paging } => {
                self.online.show("/api/v1/quarantine", &paging.query(), list)
            }
            QuarantineCommand::Export { .. } if self.online.json => {
                Err(Failure::Usage("--json: octets are written as they are; leave it out".to_owned()))
            }
            QuarantineCommand::Export { number, output } => {
                let (content, length) = self.online.client()?.stream(&path(number))?;
                export::save(content, length, output.as_deref())
            }
            QuarantineCommand::Release { number } => {
                let answer: OutOfQuarantine =
                    self.online.client()?.order(&format!("{}/release", path(number)), &[])?;
                self.online.print(&answer, |answer| format!("{} is tried again.\n", answer.number))
            }
            QuarantineCommand::Delete { number, consent } => {
                if !consent.allows(&format!("Delete {number} for good?"))? {
                    return output::print("Nothing was done.\n");
                }
                let answer: OutOfQuarantine = self.online.client()?.delete(&path(number), &[])?;
                self.online.print(&answer, |answer| format!("{} is deleted.\n", answer.number))
            }
        }
    }
}

fn list(page: Page<QuarantineItem>) -> String {
    if page.items.is_empty() && page.next.is_none() {
        return "Nothing is in quarantine.\n".to_owned();
    }
    let mut table = Table::new(&[
        "NUMBER", "QUEUE", "KIND", "SIZE", "RECEIVED", "FAILURES", "DEATHS", "SINCE", "REPORTED", "FROM",
        "MTS-ID", "WHY",
    ]);
    for item in &page.items {
        table.row([
            item.number.to_string(),
            item.queue.clone(),
            item.kind.clone(),
            item.size.map_or_else(|| "-".to_owned(), output::size),
            output::or_dash(item.received.as_deref()),
            item.failures.to_string(),
            item.deaths.to_string(),
            output::or_dash(item.since.as_deref()),
            if item.told { "yes" } else { "no" }.to_owned(),
            output::or_dash(item.originator.as_deref()),
            output::or_dash(item.mts_id.as_deref()),
            item.why.clone(),
        ]);
    }
    table.text() + &more(page.next.as_deref())
}
