//! `chappe message`: messages on their way through this MTA.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output;
use super::queue;
use super::{Online, Paging};
use crate::client::segment;
use crate::model::{Page, QueuedMessage};

/// Messages that this MTA is responsible for
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe message list\n  chappe message show 4711")]
pub(super) struct Message {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: MessageCommand,
}

#[derive(Debug, Subcommand)]
enum MessageCommand {
    /// List the messages of all queues
    #[command(after_help = "Example:\n  chappe message list --limit 100")]
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show every copy of one message in full
    #[command(
        after_help = "Examples:\n  chappe message show 4711\n  chappe message show \"C=GB;A= ;P=ALPHA;L=MTA-A-261122090406Z-1\""
    )]
    Show {
        /// Number of the message, or its MTS-identifier.
        message: String,
    },
}

impl Message {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            MessageCommand::List { paging } => {
                self.online.show("/api/v1/messages", &paging.query(), |page: Page<QueuedMessage>| {
                    if page.items.is_empty() {
                        return "Nothing is waiting.\n".to_owned();
                    }
                    queue::messages(&page)
                })
            }
            MessageCommand::Show { message } => {
                self.online.show(&format!("/api/v1/messages/{}", segment(&message)), &[], show)
            }
        }
    }
}

fn show(page: Page<QueuedMessage>) -> String {
    let copies: Vec<String> = page.items.iter().map(copy).collect();
    copies.join("\n")
}

fn copy(message: &QueuedMessage) -> String {
    let mut lines = vec![
        ("Number", message.number.to_string()),
        ("MTS-identifier", message.mts_id.clone()),
        ("Kind", message.kind.clone()),
        ("Queue", message.queue.clone()),
        ("State", message.state.clone()),
        ("Priority", message.priority.clone()),
        ("Size", output::size(message.size)),
        ("Originator", output::or_dash(Some(&message.originator))),
        ("Queued", message.queued.clone()),
        ("Expires", output::or_dash(message.expires.as_deref())),
        ("Failed transfers", message.attempts.to_string()),
        ("Last failure", output::or_dash(message.last_failure.as_deref())),
    ];
    lines.extend(message.recipients.iter().map(|recipient| ("Recipient", recipient.clone())));
    output::fields(&lines)
}
