//! `chappe events`: what happened lately.

use clap::Args;

use super::Online;
use super::failure::Failure;
use super::output::{self, Table};
use crate::model::{Event, Page};

/// Show the newest events
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe events --limit 20\n  chappe events --after 120")]
pub(super) struct Events {
    /// Only events behind this number.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Most events shown, the newest of them, 1 to 1000. Without it: all that are kept in memory.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    #[command(flatten)]
    pub(super) online: Online,
}

impl Events {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut query: Vec<_> = self.after.iter().map(|after| ("after", after.to_string())).collect();
        query.extend(self.limit.iter().map(|limit| ("limit", limit.to_string())));
        self.online.show("/api/v1/events", &query, |page: Page<Event>| {
            if page.items.is_empty() {
                return "Nothing happened.\n".to_owned();
            }
            let mut table =
                Table::new(&["NUMBER", "TIME", "SEVERITY", "ID", "EVENT", "TIMES", "SUBJECT", "TEXT"]);
            for event in &page.items {
                table.row([
                    event.number.to_string(),
                    event.time.clone(),
                    event.severity.clone(),
                    output::or_dash(event.exchange_id.map(|id| id.to_string()).as_deref()),
                    event.kind.clone(),
                    event.count.unwrap_or(1).to_string(),
                    output::or_dash(Some(&event.subject)),
                    event.text.clone(),
                ]);
            }
            table.text()
        })
    }
}
