//! `chappe status`: whether all is well, on one screen.

use clap::Args;

use super::Online;
use super::failure::Failure;
use super::output::{self, Table};
use crate::model::{Holder, Status as StatusModel};

/// Reasons shown.
const MOST_REASONS: usize = 10;
/// Holders shown; the API has all of them.
const MOST_HOLDERS: usize = 10;

/// Show whether all is well, and what is not
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chappe status")]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) online: Online,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.online.show("/api/v1/status", &[], text)
    }
}

fn text(status: StatusModel) -> String {
    let counter = |name: &str| status.info.counters.get(name).copied().unwrap_or(0).to_string();
    let resources = &status.resources;
    let mut text = output::fields(&[
        ("MTA", format!("{} in {}, version {}", status.info.name, status.info.domain, status.info.version)),
        ("State", status.condition.clone()),
        ("Running since", status.info.started.clone()),
        ("Connectors", format!("{}, {} of them failing", status.connectors, status.failing)),
        ("Associations", format!("{} of {}", status.associations, resources.limits.slots)),
        (
            "Queued",
            match (status.queued, status.queued_octets) {
                (Some(messages), Some(octets)) => {
                    format!("{}, {}", output::count(messages, "message"), output::size(octets))
                }
                (None, _) | (_, None) => "what was there at the start is being counted".to_owned(),
            },
        ),
        (
            "Buffered",
            format!("{} of {}", output::size(resources.total.octets), output::size(resources.limits.octets)),
        ),
        ("Transferred in", counter("transferred_in")),
        ("Transferred out", counter("transferred_out")),
        ("Delivered", counter("delivered")),
        ("Non-delivered", counter("non_delivered")),
    ]);
    for reason in status.reasons.iter().take(MOST_REASONS) {
        text.push_str(&format!("! {}\n", output::one_line(reason)));
    }
    let more = status.reasons.len().saturating_sub(MOST_REASONS);
    if more > 0 {
        text.push_str(&format!("! and {more} more, see `chappe connector list`\n"));
    }
    text.push_str(&holders(resources.connectors.iter().chain([&resources.unbound])));
    text
}

/// Who holds most.
fn holders<'a>(all: impl Iterator<Item = &'a Holder>) -> String {
    let mut holding: Vec<&Holder> = all.filter(|holder| holder.held.slots + holder.held.tasks > 0).collect();
    if holding.is_empty() {
        return String::new();
    }
    holding.sort_by_key(|holder| std::cmp::Reverse((holder.held.slots, holder.held.octets)));
    let mut table = Table::new(&["HELD BY", "PLACES", "TASKS", "SOCKETS", "TIMERS", "OCTETS"]);
    for holder in holding.iter().take(MOST_HOLDERS) {
        let held = holder.held;
        let name = holder.connector.clone().unwrap_or_else(|| "(not bound)".to_owned());
        let numbers = [held.slots, held.tasks, held.sockets, held.timers, held.octets];
        table.row(std::iter::once(name).chain(numbers.map(|number| number.to_string())));
    }
    let more = holding.len().saturating_sub(MOST_HOLDERS);
    let more = if more > 0 { format!("and {more} more\n") } else { String::new() };
    format!("\n{}{more}", table.text())
}
