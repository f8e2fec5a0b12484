//! `chappe connector`: the links to adjacent MTAs.

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use super::Online;
use super::failure::Failure;
use super::output::{self, Table};
use crate::client::segment;
use crate::model::{Connecting, Connector as ConnectorModel, Page, Selectors};

/// Links to adjacent MTAs
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe connector list\n  chappe connector connect to-b")]
pub(super) struct Connector {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: ConnectorCommand,
}

#[derive(Debug, Subcommand)]
enum ConnectorCommand {
    /// List the connectors and how they stand
    #[command(after_help = "Example:\n  chappe connector list")]
    List,
    /// Show one connector in full
    #[command(after_help = "Example:\n  chappe connector show to-b")]
    Show {
        /// Name of the connector.
        connector: String,
    },
    /// Open an association now, whatever the retry timer says
    #[command(after_help = "Example:\n  chappe connector connect to-b")]
    Connect {
        /// Name of the connector.
        connector: String,
    },
}

impl Connector {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            ConnectorCommand::List => self.online.show("/api/v1/connectors", &[], list),
            ConnectorCommand::Show { connector } => {
                self.online.show(&format!("/api/v1/connectors/{}", segment(&connector)), &[], show)
            }
            ConnectorCommand::Connect { connector } => {
                let path = format!("/api/v1/connectors/{}/connect", segment(&connector));
                let answer: Connecting =
                    self.online.client()?.post(&path, &[], "text/plain", 0, &mut std::io::empty())?;
                self.online.print(&answer, |answer| {
                    let name = output::one_line(&answer.connector);
                    format!("{name} connects now; `chappe connector show {name}` tells how it went.\n")
                })
            }
        }
    }
}

fn next_try(connector: &ConnectorModel) -> String {
    connector.retry_in_s.map_or_else(|| "-".to_owned(), |seconds| format!("in {seconds} s"))
}

fn list(page: Page<ConnectorModel>) -> String {
    if page.items.is_empty() {
        return "There are no connectors.\n".to_owned();
    }
    let mut table = Table::new(&[
        "NAME",
        "REMOTE MTA",
        "STATE",
        "ASSOCIATIONS",
        "WAITING",
        "FAILURES",
        "NEXT TRY",
        "LAST FAILURE",
    ]);
    for connector in &page.items {
        table.row([
            connector.name.clone(),
            connector.remote_mta.clone(),
            connector.state.clone(),
            connector.associations.to_string(),
            connector.waiting.to_string(),
            connector.consecutive_failures.to_string(),
            next_try(connector),
            output::or_dash(connector.last_failure.as_deref()),
        ]);
    }
    table.text()
}

/// As they can be written in the configuration.
fn selectors(selectors: &Selectors) -> String {
    let each = [
        ("transport", &selectors.transport),
        ("session", &selectors.session),
        ("presentation", &selectors.presentation),
    ];
    let shown = each.iter().filter_map(|(name, text)| Some(format!("{name} {}", text.as_ref()?)));
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(", ") }
}

fn show(connector: ConnectorModel) -> String {
    let lines = [
        ("Connector", connector.name.clone()),
        (
            "Remote MTA",
            std::iter::once(&connector.remote_mta)
                .chain(&connector.remote_mta_aliases)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("Called selectors", selectors(&connector.called_selectors)),
        ("Calling selectors", selectors(&connector.calling_selectors)),
        ("Hosts", output::or_dash(Some(&connector.hosts.join(", ")))),
        ("State", connector.state.clone()),
        ("Associations", connector.associations.to_string()),
        ("Waiting", output::count(connector.waiting, "message")),
        ("Failures in a row", connector.consecutive_failures.to_string()),
        ("Failing since", output::or_dash(connector.failing_since.as_deref())),
        (
            "Try",
            match connector.failed_attempts {
                0 => "-".to_owned(),
                failed => format!("{} of {} failed", failed, connector.max_open_retries),
            },
        ),
        ("Next try", next_try(&connector)),
        ("Last failure", output::or_dash(connector.last_failure.as_deref())),
        (
            "Held",
            format!(
                "{} places, {} tasks, {} sockets, {} timers, {} octets",
                connector.held.slots,
                connector.held.tasks,
                connector.held.sockets,
                connector.held.timers,
                connector.held.octets
            ),
        ),
        ("Address spaces", output::or_dash(Some(&connector.address_spaces.join(", ")))),
    ];
    let mut text = output::fields(&lines);
    if connector.failing_since.is_some() {
        let name = &connector.name;
        let _ = writeln!(
            text,
            "\nWhat waits: `chappe queue show {name}`. When the cause is mended: `chappe queue retry {name}`, which tries at once."
        );
    }
    text
}
