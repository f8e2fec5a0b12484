//! `chappe queue`: what waits for which connector.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::{self, Table};
use super::{Online, Paging, more};
use crate::client::segment;
use crate::model::{Page, Queue as QueueModel, QueuedMessage};

/// Queues of messages that wait for a connector
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe queue list\n  chappe queue show to-b")]
pub(super) struct Queue {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: QueueCommand,
}

#[derive(Debug, Subcommand)]
enum QueueCommand {
    /// List the queues
    #[command(after_help = "Example:\n  chappe queue list")]
    List,
    /// Show the messages of one queue, the next to be sent first
    #[command(after_help = "Example:\n  chappe queue show to-b --limit 10")]
    Show {
        /// Name of the connector.
        connector: String,
        #[command(flatten)]
        paging: Paging,
    },
}

impl Queue {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            QueueCommand::List => self.online.show("/api/v1/queues", &[], list),
            QueueCommand::Show { connector, paging } => {
                let path = format!("/api/v1/queues/{}", segment(&connector));
                self.online.show(&path, &paging.query(), |page: Page<QueuedMessage>| {
                    if page.items.is_empty() {
                        return format!("Nothing waits for {connector}.\n");
                    }
                    messages(&page)
                })
            }
        }
    }
}

fn list(page: Page<QueueModel>) -> String {
    if page.items.is_empty() {
        return "There are no connectors, so there are no queues.\n".to_owned();
    }
    let mut table =
        Table::new(&["CONNECTOR", "STATE", "MESSAGES", "SIZE", "OLDEST", "NEXT TRY", "LAST FAILURE"]);
    for queue in &page.items {
        table.row([
            queue.connector.clone(),
            queue.state.clone(),
            queue.messages.to_string(),
            output::size(queue.octets),
            output::or_dash(queue.oldest.as_deref()),
            queue.retry_in_s.map_or_else(|| "-".to_owned(), |seconds| format!("in {seconds} s")),
            output::or_dash(queue.last_failure.as_deref()),
        ]);
    }
    table.text()
}

/// A page of queued messages as a table.
pub(super) fn messages(page: &Page<QueuedMessage>) -> String {
    let mut table = Table::new(&[
        "NUMBER", "QUEUE", "KIND", "PRIORITY", "STATE", "SIZE", "QUEUED", "TRIES", "FROM", "TO", "MTS-ID",
    ]);
    for message in &page.items {
        let first = message.recipients.first().map_or("-", String::as_str);
        let others = message.recipients.len().saturating_sub(1);
        table.row([
            message.number.to_string(),
            message.queue.clone(),
            message.kind.clone(),
            message.priority.clone(),
            message.state.clone(),
            output::size(message.size),
            message.queued.clone(),
            message.attempts.to_string(),
            output::or_dash(Some(&message.originator)),
            if others > 0 {
                format!("{first} and {}", output::count(others as u64, "other"))
            } else {
                first.to_owned()
            },
            message.mts_id.clone(),
        ]);
    }
    table.text() + &more(page.next.as_deref())
}
