//! `chappe track`: what became of a message, also before the last restart.

use clap::Args;

use super::Online;
use super::failure::Failure;
use super::output::{self, Table};
use crate::client::segment;
use crate::model::{Tracked, Tracking};

/// Show what became of a message, probe or report
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chappe track \"C=GB;A= ;P=ALPHA;L=MTA-A-261122090406Z-1\"")]
pub(super) struct Track {
    /// MTS-identifier, as `chappe submit` printed it. The reports on a message are shown with it.
    #[arg(value_name = "MTS-ID")]
    mts_id: String,
    #[command(flatten)]
    pub(super) online: Online,
}

impl Track {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.online.show(&format!("/api/v1/tracking/{}", segment(&self.mts_id)), &[], show)
    }
}

fn show(tracking: Tracking) -> String {
    let mut text = head(&tracking);
    let mut table = Table::new(&["TIME", "ID", "EVENT", "OF", "WHERE", "DETAILS"]);
    for item in &tracking.items {
        let of = if item.mts_id == tracking.mts_id { "" } else { local(&item.mts_id) };
        table.row([
            item.time.clone(),
            item.event_id.map_or_else(|| "-".to_owned(), |number| number.to_string()),
            item.event.clone(),
            output::or_dash(Some(of)),
            output::or_dash(item.connector.as_deref()),
            details(item),
        ]);
    }
    text.push_str(&table.text());
    if tracking.cut {
        text.push_str("More happened than is shown.\n");
    }
    text
}

/// What stays the same all the way.
fn head(tracking: &Tracking) -> String {
    let own = || tracking.items.iter().filter(|item| item.mts_id == tracking.mts_id);
    let mut lines = vec![("MTS-identifier", tracking.mts_id.clone())];
    let subject = own().find_map(|item| item.subject_mts_id.clone());
    lines.extend(subject.map(|subject| ("Report on", subject)));
    lines.extend(own().find_map(|item| item.originator.clone()).map(|name| ("Originator", name)));
    lines.extend(own().find_map(|item| item.priority.clone()).map(|priority| ("Priority", priority)));
    lines.extend(own().find_map(|item| item.size).map(|size| ("Size", output::size(size))));
    output::fields(&lines)
}

/// Of a report in the life of its subject: what its own identifier has after the domain.
fn local(mts_id: &str) -> &str {
    mts_id.rsplit_once("L=").map_or(mts_id, |(_, local)| local)
}

fn details(item: &Tracked) -> String {
    let shown = u32::try_from(item.recipients.len()).unwrap_or(u32::MAX);
    let mut parts = item.recipients.clone();
    match item.recipient_count.saturating_sub(shown) {
        0 => {}
        more => parts.push(format!("and {more} more")),
    }
    let mut text = parts.join(", ");
    if let Some(more) = &item.text {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(more);
    }
    output::or_dash(Some(&text))
}
