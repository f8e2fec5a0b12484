//! `chappe check`: an offline look through a data directory.

use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use spool::{CheckStage, EmbeddedSpool, Examined, Gravity, Options};

use super::failure::Failure;
use super::output;
use crate::check::{self, Contents};

/// Time between two updates of the bar.
const PACE: Duration = Duration::from_millis(100);

/// Check a data directory while the service is stopped
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe check /var/lib/chappe\n  chappe check /var/lib/chappe --repair\n\nExit status: 0 nothing is wrong, 1 something is or was, 2 there is no store, or it is in use.\nAfter --repair check again: the repaired store should be clean."
)]
pub(super) struct Check {
    /// The data directory (`mta.data_dir`).
    dir: PathBuf,
    /// Put what can't be used into quarantine, so that everything else flows. Nothing is deleted.
    #[arg(long)]
    repair: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut bar = Bar::new();
        let examined =
            EmbeddedSpool::examine(&self.dir, Options::default(), self.repair, &mut |stage, done, all| {
                bar.show(stage, done, all);
            });
        let mut examined = examined.map_err(|error| Failure::Usage(error.to_string()))?;
        let contents = check::look(&mut examined, self.repair);
        drop(bar);
        // What was put aside is durable before anything is said.
        drop(examined.spool.take());
        if self.json {
            output::print_json(&self.report(&examined, &contents))?;
        } else {
            output::print(&text(&examined, &contents))?;
        }
        match examined.worst {
            None | Some(Gravity::Harmless) => Ok(()),
            Some(Gravity::Damaged | Gravity::Serious) => {
                Err(Failure::Failed(format!("{}: {}", self.dir.display(), verdict(&examined))))
            }
        }
    }

    fn report(&self, examined: &Examined, contents: &Contents) -> serde_json::Value {
        let findings = examined.findings.iter().map(|finding| {
            json!({ "gravity": gravity(finding.gravity), "what": finding.what, "done": finding.done })
        });
        json!({
            "directory": self.dir.display().to_string(),
            "verdict": verdict(examined),
            "worst": examined.worst.map(gravity),
            "findings": findings.collect::<Vec<_>>(),
            "count": examined.count,
            "queues": contents.queues,
            "bodies": examined.bodies,
            "body_octets": examined.body_octets,
        })
    }
}

fn gravity(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Harmless => "harmless",
        Gravity::Damaged => "damaged",
        Gravity::Serious => "serious",
    }
}

/// The result in one plain line.
fn verdict(examined: &Examined) -> String {
    let all_done = examined
        .findings
        .iter()
        .filter(|finding| finding.gravity > Gravity::Harmless)
        .all(|finding| finding.done.is_some())
        && examined.count == examined.findings.len() as u64;
    match examined.worst {
        None => "clean, no errors found".to_owned(),
        Some(Gravity::Harmless) => "clean; what was noticed is harmless".to_owned(),
        Some(_) if all_done => "repaired, some data may have been lost; check again".to_owned(),
        Some(Gravity::Damaged) => "some messages are damaged, all others are whole".to_owned(),
        Some(Gravity::Serious) => "serious errors".to_owned(),
    }
}

fn text(examined: &Examined, contents: &Contents) -> String {
    let mut text = String::new();
    for finding in &examined.findings {
        text.push_str(&format!("{}: {}\n", gravity(finding.gravity), output::one_line(&finding.what)));
        if let Some(done) = &finding.done {
            text.push_str(&format!("  {}\n", output::one_line(done)));
        }
    }
    let described = examined.findings.len() as u64;
    if examined.count > described {
        text.push_str(&format!("and {} more\n", examined.count - described));
    }
    let mut table = output::Table::new(&["QUEUE", "ENTRIES"]);
    for (name, entries) in &contents.queues {
        table.row([name.clone(), entries.to_string()]);
    }
    if !contents.queues.is_empty() {
        text.push_str(&table.text());
    }
    let (bodies, size) = (examined.bodies, output::size(examined.body_octets));
    text.push_str(&format!("{bodies} contents, {size}\n{}\n", verdict(examined)));
    text
}

/// How far it is, on a terminal.
struct Bar {
    next: Option<Instant>,
    shown: bool,
}

impl Bar {
    fn new() -> Bar {
        Bar { next: io::stderr().is_terminal().then(|| Instant::now() + PACE), shown: false }
    }

    fn show(&mut self, stage: CheckStage, done: u64, all: Option<u64>) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + PACE);
        self.shown = true;
        let line = match (stage, all) {
            (CheckStage::Journals, _) => "journals".to_owned(),
            (CheckStage::Records, _) => format!("{done} records"),
            (CheckStage::Bodies, all) => super::progress::line(done, all),
        };
        // Nothing depends on it.
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
