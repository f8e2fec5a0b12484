//! `chappe association`: the connections of this moment, and what the flight recorder has of them and of earlier ones.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::{self, Table};
use super::{Online, export};
use crate::ladder::{LadderPage, text};
use crate::model::{Association as AssociationModel, Page, Recording};

/// Associations that are open now, and recordings
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe association list\n  chappe association record 17 --output 17.pcap\n  chappe decode 17.pcap"
)]
pub(super) struct Association {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: AssociationCommand,
}

#[derive(Debug, Subcommand)]
enum AssociationCommand {
    /// List the associations
    #[command(after_help = "Example:\n  chappe association list")]
    List,
    /// Write what is recorded of an association as a packet capture, for Wireshark or `chappe decode`
    ///
    /// It has what opened the association and its last TPDUs, with the addresses and times of the connection; the TCP
    /// segments around them are made up. Passwords are masked, parts of messages are in it.
    #[command(after_help = "Example:\n  chappe association record 17 --output 17.pcap")]
    Record {
        /// Number of the association, open or ended: `chappe association recordings` lists them.
        number: u64,
        /// A file that is not there yet; standard output if absent.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Draw what is recorded of an association as a ladder: who sent what when, layer by layer
    ///
    /// The newest steps, oldest of them first. TPDUs that are not at hand any more leave a gap; passwords are masked, parts
    /// of messages are in it.
    #[command(
        after_help = "Example:\n  chappe association ladder 17\n  chappe association ladder 17 --brief --limit 500"
    )]
    Ladder {
        /// Number of the association, open or ended: `chappe association recordings` lists them.
        number: u64,
        /// Most steps shown, 1 to 1000.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Show what follows this step: CONNECTION.NUMBER.
        #[arg(long, value_name = "STEP", conflicts_with = "before")]
        after: Option<String>,
        /// Show what is before this step: CONNECTION.NUMBER.
        #[arg(long, value_name = "STEP")]
        before: Option<String>,
        /// Draw the arrows alone.
        #[arg(long)]
        brief: bool,
    },
    /// List what is recorded, associations that have ended included
    #[command(after_help = "Example:\n  chappe association recordings")]
    Recordings,
}

impl Association {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            AssociationCommand::List => self.online.show("/api/v1/associations", &[], list),
            AssociationCommand::Recordings => self.online.show("/api/v1/recordings", &[], recordings),
            AssociationCommand::Ladder { number, limit, after, before, brief } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(after.map(|after| ("after", after)));
                query.extend(before.map(|before| ("before", before)));
                let path = format!("/api/v1/associations/{number}/ladder");
                self.online.show(&path, &query, |page: LadderPage| ladder(&page, brief))
            }
            AssociationCommand::Record { .. } if self.online.json => Err(Failure::Usage(
                "--json: a packet capture is written as it is; `chappe decode --json FILE` makes JSON of it"
                    .to_owned(),
            )),
            AssociationCommand::Record { number, output } => {
                let path = format!("/api/v1/associations/{number}/recording");
                let (content, length) = self.online.client()?.stream(&path)?;
                export::save(content, length, output.as_deref())
            }
        }
    }
}

fn ladder(page: &LadderPage, brief: bool) -> String {
    let mut text = String::new();
    if let Some(previous) = &page.previous {
        text.push_str(&format!(
            "Older steps: repeat the command with --before {}\n",
            output::one_line(previous)
        ));
    }
    text.push_str(&output::many_lines(&text::draw(page, brief)));
    if let Some(next) = &page.next {
        text.push_str(&format!("Newer steps: repeat the command with --after {}\n", output::one_line(next)));
    }
    text
}

fn list(page: Page<AssociationModel>) -> String {
    if page.items.is_empty() {
        return "No association is open.\n".to_owned();
    }
    let mut table = Table::new(&[
        "ID",
        "CONNECTOR",
        "PEER",
        "ROLE",
        "STATE",
        "DIALOGUE",
        "CHECKPOINT",
        "WINDOW",
        "SINCE",
        "IN",
        "OUT",
    ]);
    for association in &page.items {
        table.row([
            association.id.to_string(),
            output::or_dash(association.connector.as_deref()),
            association.peer.clone(),
            association.role.clone(),
            association.state.clone(),
            output::or_dash(association.dialogue.as_deref()),
            association.checkpoint_size_kb.map_or_else(|| "-".to_owned(), |kb| format!("{kb} KB")),
            association.window_size.map_or_else(|| "-".to_owned(), |window| window.to_string()),
            association.since.clone(),
            association.received.to_string(),
            association.sent.to_string(),
        ]);
    }
    table.text()
}

fn recordings(page: Page<Recording>) -> String {
    if page.items.is_empty() {
        return "Nothing is recorded.\n".to_owned();
    }
    let mut table =
        Table::new(&["ID", "CONNECTOR", "PEER", "ROLE", "BEGAN", "ENDED", "TPDUS", "LOST", "MEMORY"]);
    for recording in &page.items {
        table.row([
            recording.association.to_string(),
            output::or_dash(recording.connector.as_deref()),
            recording.peer.clone(),
            recording.role.clone(),
            recording.began.clone(),
            output::or_dash(recording.ended.as_deref()),
            recording.tpdus.to_string(),
            recording.lost_tpdus.to_string(),
            output::size(recording.octets),
        ]);
    }
    table.text()
}
