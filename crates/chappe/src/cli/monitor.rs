//! `chappe monitor`: the link monitors.

use clap::{Args, Subcommand};

use super::Online;
use super::failure::Failure;
use super::output::{self, Table};
use crate::client::segment;
use crate::model::{Monitor as MonitorModel, Page};

/// Link monitors: what is sent along a path on a schedule, and whether it is answered in time
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe monitor list\n  chappe monitor show to-b")]
pub(super) struct Monitor {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: MonitorCommand,
}

#[derive(Debug, Subcommand)]
enum MonitorCommand {
    /// List the link monitors and how they stand
    #[command(after_help = "Example:\n  chappe monitor list")]
    List,
    /// Show one link monitor in full
    #[command(after_help = "Example:\n  chappe monitor show to-b")]
    Show {
        /// Name of the link monitor.
        monitor: String,
    },
}

impl Monitor {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            MonitorCommand::List => self.online.show("/api/v1/monitors", &[], list),
            MonitorCommand::Show { monitor } => {
                self.online.show(&format!("/api/v1/monitors/{}", segment(&monitor)), &[], show)
            }
        }
    }
}

fn list(page: Page<MonitorModel>) -> String {
    if page.items.is_empty() {
        return "There are no link monitors; `chappe config init` shows how to set one up.\n".to_owned();
    }
    let mut table =
        Table::new(&["NAME", "TO", "KIND", "STATE", "WAITING SINCE", "LAST ANSWER", "TOOK", "NEXT"]);
    for monitor in page.items {
        table.row([
            monitor.name,
            monitor.to,
            monitor.kind,
            monitor.state,
            output::or_dash(monitor.waiting_since.as_deref()),
            output::or_dash(monitor.last_answer.as_deref()),
            output::or_dash(monitor.round_trip_s.map(|s| format!("{s} s")).as_deref()),
            format!("in {} s", monitor.next_in_s),
        ]);
    }
    table.text()
}

fn show(monitor: MonitorModel) -> String {
    let took = monitor.round_trip_s.map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
    let answer = monitor.answer.as_deref().map(|answer| format!(", a {answer}{took}")).unwrap_or_default();
    let waiting = monitor.waiting_s.map(|seconds| format!(", {seconds} s")).unwrap_or_default();
    output::fields(&[
        ("Link monitor", monitor.name),
        ("From", monitor.from),
        ("To", monitor.to),
        ("Sends", format!("a {} every {} s", monitor.kind, monitor.every_s)),
        ("Late after", format!("{} s", monitor.late_after_s)),
        ("Alarm after", format!("{} s", monitor.alarm_after_s)),
        ("State", monitor.state),
        ("Waiting since", output::or_dash(monitor.waiting_since.as_deref()) + &waiting),
        ("Unanswered", monitor.unanswered.to_string()),
        ("Last sent", output::or_dash(monitor.last_sent.as_deref())),
        ("Last answer", output::or_dash(monitor.last_answer.as_deref()) + &answer),
        ("Next", format!("in {} s", monitor.next_in_s)),
        ("Problem", output::or_dash(monitor.problem.as_deref())),
    ])
}
