//! Operations on one message or on many: dry runs, the question before something is done, and what is said after it.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use serde::Serialize;

use super::Online;
use super::failure::Failure;
use super::output;
use crate::client::{Client, segment};
use crate::model::{Operated, OperatedCopy};

/// Copies in one request: the service commits them together in the time that an answer may take.
const PAGE: usize = 500;
/// Copies that a JSON answer names.
const MOST_NAMED: usize = 1_000;

/// Whether to ask, and whether to do it at all.
#[derive(Debug, Args)]
pub(super) struct Consent {
    /// Only tell what would be done, and to which messages.
    #[arg(long)]
    dry_run: bool,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
}

/// What an operation is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wording {
    /// To do it.
    pub(super) verb: &'static str,
    /// It has been done.
    pub(super) done: &'static str,
}

/// What has come of it.
#[derive(Debug, Default, Serialize)]
struct Summary {
    items: Vec<OperatedCopy>,
    done: u64,
    refused: u64,
    dry_run: bool,
}

/// Does something to all copies of some messages, named one by one. Deleting is asked about.
pub(super) fn on_each(
    online: &Online,
    references: &[String],
    operation: &str,
    parameters: &[(&'static str, String)],
    what: Wording,
    consent: &Consent,
) -> Result<(), Failure> {
    let client = online.client()?;
    if operation == "delete" && !consent.dry_run {
        let question = format!("{} {}?", capitalized(what.verb), output::one_line(&references.join(", ")));
        if !consent.is_given(&question)? {
            return nothing_done();
        }
    }
    let mut query = parameters.to_vec();
    query.extend(consent.dry_run.then(|| ("dry_run", "true".to_owned())));
    let mut telling = Telling::new(online, what, consent.dry_run);
    for reference in references {
        let path = format!("/api/v1/messages/{}", segment(reference));
        let answer: Operated = match operation {
            "delete" => client.delete(&path, &query)?,
            _ => client.order(&format!("{path}/{operation}"), &query)?,
        };
        telling.page(answer)?;
    }
    telling.end()
}

/// Does something to all that the query selects, part by part. It is counted first, and asked about.
pub(super) fn on_all(
    online: &Online,
    path: &str,
    query: Vec<(&'static str, String)>,
    what: Wording,
    consent: &Consent,
) -> Result<(), Failure> {
    let client = online.client()?;
    if consent.dry_run {
        let mut telling = Telling::new(online, what, true);
        each_page(&client, path, &query, true, |page| telling.page(page))?;
        return telling.end();
    }
    if !consent.yes && is_terminal() {
        let mut possible = 0_u64;
        each_page(&client, path, &query, true, |page| {
            possible += page.items.iter().filter(|copy| copy.done).count() as u64;
            Ok(())
        })?;
        let question = format!("{} {}?", capitalized(what.verb), output::count(possible, "message"));
        if possible > 0 && !consent.is_given(&question)? {
            return nothing_done();
        }
    } else if !consent.yes && path.ends_with("/delete") {
        return Err(Failure::Usage(
            "--yes: nobody can be asked whether all that is selected is to be deleted; see --dry-run"
                .to_owned(),
        ));
    }
    let mut telling = Telling::new(online, what, false);
    each_page(&client, path, &query, false, |page| telling.page(page))?;
    telling.end()
}

fn each_page(
    client: &Client,
    path: &str,
    query: &[(&'static str, String)],
    dry_run: bool,
    mut page: impl FnMut(Operated) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut query = query.to_vec();
    query.push(("limit", PAGE.to_string()));
    query.extend(dry_run.then(|| ("dry_run", "true".to_owned())));
    let place = query.len();
    loop {
        let answer: Operated = client.order(path, &query)?;
        let next = answer.next.clone();
        page(answer)?;
        let Some(next) = next else { return Ok(()) };
        query.truncate(place);
        query.push(("after", next));
    }
}

impl Consent {
    /// Asks, if there is somebody to be asked.
    /// Whether something is to be done that is asked about once: not in a dry run.
    pub(super) fn allows(&self, question: &str) -> Result<bool, Failure> {
        Ok(!self.dry_run && self.is_given(question)?)
    }

    fn is_given(&self, question: &str) -> Result<bool, Failure> {
        if self.yes || !is_terminal() {
            return Ok(true);
        }
        let cannot = |error: io::Error| Failure::Failed(format!("cannot ask: {error}; give --yes"));
        let mut terminal = io::stderr();
        write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).map_err(cannot)?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(cannot)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn nothing_done() -> Result<(), Failure> {
    Err(Failure::Failed("nothing was done".to_owned()))
}

fn capitalized(verb: &str) -> String {
    let mut rest = verb.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Tells what became of each copy as it is known, or everything at the end as JSON.
struct Telling<'a> {
    online: &'a Online,
    what: Wording,
    summary: Summary,
}

impl<'a> Telling<'a> {
    fn new(online: &'a Online, what: Wording, dry_run: bool) -> Self {
        Telling { online, what, summary: Summary { dry_run, ..Summary::default() } }
    }

    fn page(&mut self, page: Operated) -> Result<(), Failure> {
        let mut text = String::new();
        for copy in page.items {
            match copy.done {
                true => self.summary.done += 1,
                false => self.summary.refused += 1,
            }
            // What was done as it was wanted need not be told one by one.
            if self.summary.dry_run || !copy.done {
                text += &line(&copy, self.what);
            }
            if self.online.json && self.summary.items.len() < MOST_NAMED {
                self.summary.items.push(copy);
            }
        }
        if self.online.json { Ok(()) } else { output::print(&text) }
    }

    fn end(self) -> Result<(), Failure> {
        let Telling { online, what, summary } = self;
        let (done, refused) = (summary.done, summary.refused);
        online.print(&summary, |summary| {
            let (done, would) =
                (output::count(done, "message"), if summary.dry_run { "would be " } else { "" });
            match (summary.done, refused) {
                (0, 0) => "There is nothing to be done.\n".to_owned(),
                (_, 0) => format!("{done} {would}{}.\n", what.done),
                (_, refused) => format!("{done} {would}{}, {refused} left as before.\n", what.done),
            }
        })?;
        if refused > 0 && !summary.dry_run {
            return Err(Failure::Failed(format!("{} not {}", output::count(refused, "message"), what.done)));
        }
        Ok(())
    }
}

fn line(copy: &OperatedCopy, what: Wording) -> String {
    let outcome = match &copy.why {
        None => format!("would be {}", what.done),
        Some(why) => format!("stays: {why}"),
    };
    let to = copy.recipient.as_deref().unwrap_or("-");
    let from = output::or_dash(Some(&copy.originator));
    let text = format!(
        "{} {} in {}, from {from} to {to}, {}: {outcome}",
        copy.kind, copy.number, copy.queue, copy.mts_id
    );
    output::one_line(&text) + "\n"
}
