//! `chappe queue`: what waits for which connector.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::operate::{self, Consent, Wording};
use super::output::{self, Table};
use super::{Online, Paging, more};
use crate::client::segment;
use crate::model::{Page, QuarantineItem, Queue as QueueModel, QueueChange, QueuedMessage};

/// Queues of messages that wait for a connector
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe queue list\n  chappe queue show to-b\n  chappe queue freeze to-b"
)]
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
    /// Transfer nothing from a queue until it is thawed, also after a restart
    ///
    /// What is being transferred is finished. What comes in is not concerned, and messages still become too old.
    #[command(after_help = "Example:\n  chappe queue freeze to-b")]
    Freeze {
        /// Name of the connector.
        connector: String,
    },
    /// Transfer from a frozen queue again
    #[command(after_help = "Example:\n  chappe queue thaw to-b")]
    Thaw {
        /// Name of the connector.
        connector: String,
    },
    /// Try everything in a queue now, whatever timers say
    #[command(after_help = "Example:\n  chappe queue retry to-b")]
    Retry {
        /// Name of the connector.
        connector: String,
    },
    /// Have everything in a queue routed again to other connectors
    ///
    /// What no other connector takes stays, as does what is held or being transferred. What is routed to the connector
    /// later is queued there as before.
    #[command(after_help = "Examples:\n  chappe queue drain to-b --dry-run\n  chappe queue drain to-b --yes")]
    Drain {
        /// Name of the connector.
        connector: String,
        #[command(flatten)]
        consent: Consent,
    },
}

impl Queue {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            QueueCommand::List => {
                self.online.show("/api/v1/queues", &[], list)?;
                self.tell_of_quarantine()
            }
            QueueCommand::Show { connector, paging } => {
                let path = format!("/api/v1/queues/{}", segment(&connector));
                self.online.show(&path, &paging.query(), |page: Page<QueuedMessage>| {
                    if page.items.is_empty() {
                        return format!("Nothing waits for {connector}.\n");
                    }
                    messages(&page)
                })
            }
            QueueCommand::Freeze { connector } => change(&self.online, &connector, "freeze", |changed| {
                if changed { "is frozen" } else { "was frozen already" }
            }),
            QueueCommand::Thaw { connector } => {
                change(
                    &self.online,
                    &connector,
                    "thaw",
                    |changed| {
                        if changed { "is thawed" } else { "was not frozen" }
                    },
                )
            }
            QueueCommand::Retry { connector } => {
                change(&self.online, &connector, "retry", |_| "is tried now")
            }
            QueueCommand::Drain { connector, consent } => {
                let path = format!("/api/v1/queues/{}/drain", segment(&connector));
                let what = Wording { verb: "route again", done: "routed again" };
                operate::on_all(&self.online, &path, Vec::new(), what, &consent)
            }
        }
    }
}

impl Queue {
    /// A list of queues must not hide that something is in none of them.
    fn tell_of_quarantine(&self) -> Result<(), Failure> {
        if self.online.json {
            return Ok(());
        }
        let query = [("limit", "1".to_owned())];
        let page: Page<QuarantineItem> = self.online.client()?.get("/api/v1/quarantine", &query)?;
        if page.items.is_empty() {
            return Ok(());
        }
        output::print("Something is in quarantine: see `chappe quarantine list`.\n")
    }
}

fn change(
    online: &Online,
    connector: &str,
    what: &str,
    words: impl FnOnce(bool) -> &'static str,
) -> Result<(), Failure> {
    let path = format!("/api/v1/queues/{}/{what}", segment(connector));
    let answer: QueueChange = online.client()?.order(&path, &[])?;
    online.print(&answer, |answer| {
        format!("The queue of {} {}.\n", output::one_line(&answer.connector), words(answer.changed))
    })
}

fn list(page: Page<QueueModel>) -> String {
    if page.items.is_empty() {
        return "There are no connectors, so there are no queues.\n".to_owned();
    }
    let mut table =
        Table::new(&["CONNECTOR", "STATE", "MESSAGES", "SIZE", "HELD", "OLDEST", "NEXT TRY", "LAST FAILURE"]);
    for queue in &page.items {
        table.row([
            queue.connector.clone(),
            queue.state.clone(),
            queue.messages.map_or_else(counting, |messages| messages.to_string()),
            queue.octets.map_or_else(counting, output::size),
            queue.held.map_or_else(counting, |messages| messages.to_string()),
            output::or_dash(queue.oldest.as_deref()),
            next_try(queue.retry_in_s),
            output::or_dash(queue.last_failure.as_deref()),
        ]);
    }
    table.text()
}

/// Instead of a number that is not known yet.
fn counting() -> String {
    "counting".to_owned()
}

/// When the next try is.
pub(super) fn next_try(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("in {seconds} s"))
}

/// A page of queued messages as a table.
pub(super) fn messages(page: &Page<QueuedMessage>) -> String {
    let mut table = Table::new(&[
        "NUMBER",
        "QUEUE",
        "KIND",
        "PRIORITY",
        "STATE",
        "SIZE",
        "SUBMITTED",
        "RECEIVED",
        "EXPIRES",
        "NEXT TRY",
        "TRIES",
        "FROM",
        "TO",
        "MTS-ID",
    ]);
    for message in &page.items {
        let first = message.recipients.first().map_or("-", String::as_str);
        let others = message.recipient_count.saturating_sub(1);
        table.row([
            message.number.to_string(),
            message.queue.clone(),
            message.kind.clone(),
            message.priority.clone(),
            message.state.clone(),
            output::size(message.size),
            output::or_dash(message.submitted.as_deref()),
            message.received.clone(),
            output::or_dash(message.expires.as_deref()),
            next_try(message.next_try_in_s),
            message.attempts.to_string(),
            output::or_dash(Some(&message.originator)),
            if others > 0 {
                format!("{first} and {}", output::count(others, "other"))
            } else {
                first.to_owned()
            },
            message.mts_id.clone(),
        ]);
    }
    table.text() + &more(page.next.as_deref())
}
