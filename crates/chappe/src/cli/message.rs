//! `chappe message`: messages on their way through this MTA.

use clap::{Args, Subcommand};
use mhs::AddressPattern;

use super::failure::Failure;
use super::operate::{self, Consent, Wording};
use super::output;
use super::queue;
use super::selection::{Recipient, Selection, To};
use super::{Online, Paging};
use crate::client::segment;
use crate::model::{Page, QueuedMessage};

/// Messages that this MTA is responsible for
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe message list --queue to-b --older-than 2h\n  chappe message show 4711\n  chappe message delete --no-ndr 4711"
)]
pub(super) struct Message {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: MessageCommand,
}

#[derive(Debug, Subcommand)]
enum MessageCommand {
    /// List the messages of all queues, or those that are selected
    #[command(
        after_help = "Examples:\n  chappe message list --limit 100\n  chappe message list --queue to-b --from \"P=ALPHA;A= ;C=GB\" --state held"
    )]
    List {
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        recipient: To,
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
    /// Delete messages, with a report to the originator unless --no-ndr is given
    ///
    /// What is being transferred is left alone: its peer may have it already. Reports are deleted without a report.
    #[command(
        after_help = "Examples:\n  chappe message delete 4711\n  chappe message delete --no-ndr --queue to-b --older-than 2d --dry-run"
    )]
    Delete {
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        recipient: To,
        /// The originator gets a non-delivery report, if he wants one. This is the default.
        #[arg(long, conflicts_with = "no_ndr")]
        ndr: bool,
        /// Nobody is told.
        #[arg(long)]
        no_ndr: bool,
    },
    /// Take messages out of their queue until they are released, also after a restart
    ///
    /// What is held does not become too old.
    #[command(
        after_help = "Examples:\n  chappe message hold 4711\n  chappe message hold --to \"P=BETA;A= ;C=GB\""
    )]
    Hold {
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        recipient: To,
    },
    /// Put messages that are held back into their queue
    #[command(after_help = "Examples:\n  chappe message release 4711\n  chappe message release --all")]
    Release {
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        recipient: To,
    },
    /// Put messages into the queue of another connector, whatever its address spaces are
    #[command(
        after_help = "Examples:\n  chappe message move --to to-d 4711\n  chappe message move --to to-d --queue to-b --recipient \"P=BETA;A= ;C=GB\""
    )]
    Move {
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        recipient: Recipient,
        /// The connector.
        #[arg(long, value_name = "CONNECTOR")]
        to: String,
    },
    /// Change the place of messages in their queue; the priority of their originator stays
    #[command(after_help = "Examples:\n  chappe message priority --set urgent 4711")]
    Priority {
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        recipient: To,
        /// The priority with which they wait from now on.
        #[arg(long, value_parser = ["urgent", "normal", "non-urgent"])]
        set: String,
    },
}

/// Messages named one by one, or selected.
#[derive(Debug, Args)]
struct Targets {
    /// Numbers of messages, or their MTS-identifiers.
    messages: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// All messages of all queues.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    consent: Consent,
}

impl Targets {
    fn operate(
        &self,
        online: &Online,
        recipient: Option<&AddressPattern>,
        operation: &str,
        parameters: Vec<(&'static str, String)>,
        what: Wording,
    ) -> Result<(), Failure> {
        let mut query = self.selection.query(recipient);
        match (self.messages.is_empty(), query.is_empty() && !self.all) {
            (false, true) => {
                operate::on_each(online, &self.messages, operation, &parameters, what, &self.consent)
            }
            (true, false) => {
                query.extend(self.all.then(|| ("all", "true".to_owned())));
                query.extend(parameters);
                let path = format!("/api/v1/selection/{operation}");
                operate::on_all(online, &path, query, what, &self.consent)
            }
            (false, false) => {
                Err(Failure::Usage("name messages, or select them; not both at the same time".to_owned()))
            }
            (true, true) => Err(Failure::Usage(
                "no messages are named and none selected; see --help, or give --all".to_owned(),
            )),
        }
    }
}

impl Message {
    pub(super) fn run(self) -> Result<(), Failure> {
        let online = &self.online;
        match self.command {
            MessageCommand::List { selection, recipient, paging } => {
                let query = [selection.query(recipient.to.as_ref()), paging.query()].concat();
                self.online.show("/api/v1/messages", &query, |page: Page<QueuedMessage>| {
                    if page.items.is_empty() && page.next.is_none() {
                        return "Nothing is waiting.\n".to_owned();
                    }
                    queue::messages(&page)
                })
            }
            MessageCommand::Show { message } => {
                self.online.show(&format!("/api/v1/messages/{}", segment(&message)), &[], show)
            }
            MessageCommand::Delete { targets, recipient, ndr: _, no_ndr } => {
                let what = Wording { verb: "delete", done: "deleted" };
                let parameters = vec![("report", (!no_ndr).to_string())];
                targets.operate(online, recipient.to.as_ref(), "delete", parameters, what)
            }
            MessageCommand::Hold { targets, recipient } => {
                let what = Wording { verb: "hold", done: "held" };
                targets.operate(online, recipient.to.as_ref(), "hold", Vec::new(), what)
            }
            MessageCommand::Release { targets, recipient } => {
                let what = Wording { verb: "release", done: "released" };
                targets.operate(online, recipient.to.as_ref(), "release", Vec::new(), what)
            }
            MessageCommand::Move { targets, recipient, to } => {
                let what = Wording { verb: "move", done: "moved" };
                targets.operate(online, recipient.recipient.as_ref(), "move", vec![("connector", to)], what)
            }
            MessageCommand::Priority { targets, recipient, set } => {
                let what = Wording { verb: "change the priority of", done: "changed" };
                targets.operate(online, recipient.to.as_ref(), "priority", vec![("set", set)], what)
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
        ("Submitted", output::or_dash(message.submitted.as_deref())),
        ("Received", message.received.clone()),
        ("Queued", message.queued.clone()),
        ("Expires", output::or_dash(message.expires.as_deref())),
        ("Next try", queue::next_try(message.next_try_in_s)),
        ("Failed transfers", message.attempts.to_string()),
        ("Last failure", output::or_dash(message.last_failure.as_deref())),
    ];
    lines.extend(message.recipients.iter().map(|recipient| ("Recipient", recipient.clone())));
    output::fields(&lines)
}
