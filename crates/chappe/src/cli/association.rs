//! `chappe association`: the connections of this moment.

use clap::{Args, Subcommand};

use super::Online;
use super::failure::Failure;
use super::output::{self, Table};
use crate::model::{Association as AssociationModel, Page};

/// Associations that are open now
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chappe association list")]
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
}

impl Association {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            AssociationCommand::List => self.online.show("/api/v1/associations", &[], list),
        }
    }
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
