//! `chappe track`: what became of a message, also before the last restart, and which message it is.

use std::fmt::Write as _;

use clap::Args;

use super::failure::Failure;
use super::output::{self, Table};
use super::{Online, Paging, more};
use crate::client::{Client, segment};
use crate::model::{Page, Tracked, Tracking};

/// Items asked for at once by an export.
const AT_ONCE: usize = 1_000;
/// Before everything.
const EVER: &str = "1970-01-01T00:00:00Z";
/// The first line of an export.
const COLUMNS: &str = "time,event_id,event,mts_id,about,connector,originator,recipients,recipient_count,priority,size,subject,text\n";

/// Show what became of a message, probe or report; or find it by subject, originator, recipient and time
///
/// Words are looked for whole, in any order and case; one that ends in * stands for all that begin so. Of an address,
/// attributes such as "S=anna;O=Acme" are looked for as they are.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe track \"C=GB;A= ;P=ALPHA;L=MTA-A-261122090406Z-1\"\n  chappe track --subject \"invoice 4711\"\n  chappe track --from \"S=anna;O=Acme\" --to bob --since 2026-11-01T00:00:00Z\n  chappe track --since 2026-11-01T00:00:00Z --csv > november.csv\n  chappe track --csv > all.csv"
)]
pub(super) struct Track {
    /// MTS-identifier, as `chappe submit` printed it. The reports on a message are shown with it.
    #[arg(value_name = "MTS-ID", required_unless_present_any = ["search", "csv"], conflicts_with_all = ["search", "csv"])]
    mts_id: Option<String>,
    #[command(flatten)]
    search: Search,
    #[command(flatten)]
    paging: Paging,
    /// Print all that is found as comma-separated values, however much it is; without --since and --until all that is kept.
    #[arg(long, conflicts_with_all = ["json", "limit"])]
    csv: bool,
    #[command(flatten)]
    pub(super) online: Online,
}

/// What to look for.
#[derive(Debug, Args)]
#[group(id = "search", required = false, multiple = true)]
struct Search {
    /// Words of the subject.
    #[arg(long, value_name = "WORDS")]
    subject: Option<String>,
    /// Words or attributes of the originator's address.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// The same of a recipient's.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Text anywhere in identifiers and addresses; reads everything in the time that is searched.
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
    /// Over this connector.
    #[arg(long, value_name = "NAME")]
    connector: Option<String>,
    /// Of this kind, as in `message-in`.
    #[arg(long)]
    event: Option<String>,
    /// Not before, as in 2026-11-22T18:00:00Z [default: all with --subject, --from, --to or --csv, else a day before --until].
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after [default: now].
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Search {
    fn query(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("subject", &self.subject),
            ("originator", &self.from),
            ("recipient", &self.to),
            ("find", &self.find),
            ("connector", &self.connector),
            ("event", &self.event),
            ("since", &self.since),
            ("until", &self.until),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }

    /// Whether the service looks at one day only, since nothing is given that it could look up.
    fn is_of_a_day(&self) -> bool {
        let Search { subject, from, to, since, .. } = self;
        [subject, from, to, since].iter().all(|given| given.is_none())
    }
}

impl Track {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(mts_id) = &self.mts_id {
            return self.online.show(&format!("/api/v1/tracking/{}", segment(mts_id)), &[], show);
        }
        let client = self.online.client()?;
        let after = self.paging.after.clone();
        if self.csv {
            return self.export(&client, after);
        }
        let most = usize::try_from(self.paging.limit).unwrap_or(AT_ONCE);
        let mut found = Page { items: Vec::new(), next: after };
        // A part may be empty and have another behind it.
        loop {
            let part =
                self.part(&client, most.saturating_sub(found.items.len()).max(1), found.next.take())?;
            found.items.extend(part.items);
            found.next = part.next;
            if found.next.is_none() || found.items.len() >= most {
                let mut text = list(&found);
                if self.search.is_of_a_day() {
                    text += match &self.search.until {
                        None => "Only the last day was searched; --since looks further back.\n",
                        Some(_) => "Only the day before --until was searched; --since looks further back.\n",
                    };
                }
                return self.online.print(&found, |_| text);
            }
        }
    }

    fn part(&self, client: &Client, limit: usize, after: Option<String>) -> Result<Page<Tracked>, Failure> {
        client.get("/api/v1/tracking", &self.query(limit, after))
    }

    fn query(&self, limit: usize, after: Option<String>) -> Vec<(&'static str, String)> {
        let mut query = self.search.query();
        // An export that ends a day ago without a word is one that is missed when it is needed.
        query.extend((self.csv && self.search.is_of_a_day()).then(|| ("since", EVER.to_owned())));
        query.push(("limit", limit.to_string()));
        query.extend(after.map(|after| ("after", after)));
        query
    }

    fn export(&self, client: &Client, mut after: Option<String>) -> Result<(), Failure> {
        output::print(COLUMNS)?;
        loop {
            let part = self.part(client, AT_ONCE, after)?;
            output::print(&part.items.iter().map(line).collect::<String>())?;
            after = part.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// An item as a line of an export.
fn line(item: &Tracked) -> String {
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let fields = [
        item.time.clone(),
        number(item.event_id.map(u64::from)),
        item.event.clone(),
        item.mts_id.clone(),
        item.subject_mts_id.clone().unwrap_or_default(),
        item.connector.clone().unwrap_or_default(),
        item.originator.clone().unwrap_or_default(),
        item.recipients.join(" | "),
        item.recipient_count.to_string(),
        item.priority.clone().unwrap_or_default(),
        number(item.size),
        item.subject.clone().unwrap_or_default(),
        item.text.clone().unwrap_or_default(),
    ];
    let mut line = String::new();
    for (n, field) in fields.iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        // A field that begins so is a formula to a spreadsheet.
        let guard = if field.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        let field = output::one_line(field).replace('"', "\"\"");
        // Writing into a string does not fail.
        let _ = write!(line, "\"{guard}{field}\"");
    }
    line.push('\n');
    line
}

/// What a search has found.
fn list(page: &Page<Tracked>) -> String {
    if page.items.is_empty() && page.next.is_none() {
        return "Nothing found.\n".to_owned();
    }
    let mut table = Table::new(&["TIME", "EVENT", "MTS-ID", "FROM", "TO", "SUBJECT", "WHERE"]);
    for item in &page.items {
        let to = item.recipients.first().cloned().unwrap_or_default();
        let to = match item.recipient_count {
            0 | 1 => to,
            many => format!("{to} and {} more", many - 1),
        };
        table.row([
            item.time.clone(),
            item.event.clone(),
            item.mts_id.clone(),
            output::or_dash(item.originator.as_deref()),
            output::or_dash(Some(&to)),
            output::or_dash(item.subject.as_deref()),
            output::or_dash(item.connector.as_deref()),
        ]);
    }
    table.text() + &more(page.next.as_deref())
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
    lines.extend(own().find_map(|item| item.subject.clone()).map(|subject| ("Subject", subject)));
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        track: Track,
    }

    #[test]
    fn an_export_without_a_time_is_of_all_that_is_kept() {
        let since = |line: &[&str]| {
            let Line { track } = Line::try_parse_from([&["track"], line].concat()).unwrap();
            let query = track.query(1, None);
            query.into_iter().find(|(name, _)| *name == "since").map(|(_, since)| since)
        };
        for all in
            [&["--csv"][..], &["--csv", "--connector", "to-b"], &["--csv", "--until", "2026-11-01T00:00:00Z"]]
        {
            assert_eq!(since(all).as_deref(), Some(EVER), "{all:?}");
        }
        assert_eq!(
            since(&["--csv", "--since", "2026-11-01T00:00:00Z"]).as_deref(),
            Some("2026-11-01T00:00:00Z")
        );
        // The service looks words up, however far back.
        for other in [&["--csv", "--subject", "x"][..], &["--connector", "to-b"]] {
            assert_eq!(since(other), None, "{other:?}");
        }
        for wrong in [&[][..], &["--csv", "C=GB;L=1"], &["--csv", "--json"]] {
            assert!(Line::try_parse_from([&["track"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_line_of_an_export_holds_nothing_that_ends_a_field_or_is_a_formula() {
        let item = Tracked {
            time: "2026-11-22T18:00:00Z".into(),
            event_id: Some(0),
            event: "message-in".into(),
            mts_id: "C=GB;A= ;L=1".into(),
            subject_mts_id: None,
            connector: Some("to-b".into()),
            originator: Some("S=\"a\",b".into()),
            recipients: vec!["S=b".into(), "S=c".into()],
            recipient_count: 2,
            priority: Some("normal".into()),
            size: Some(7),
            subject: Some("=cmd()\nnext".into()),
            text: None,
        };
        let line = line(&item);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains("\"S=\"\"a\"\",b\",\"S=b | S=c\",\"2\",\"normal\",\"7\",\"'=cmd()"), "{line}");
    }
}
