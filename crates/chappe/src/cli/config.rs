//! `chappe config check`, `chappe config diff` and `chappe config init`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::failure::Failure;
use super::{Online, output};
use crate::config::{self, ConfigError};
use crate::model::ConfigVerdict;

/// Type of a configuration in a request.
pub(super) const TOML: &str = "application/toml";

/// Check a configuration file, compare it with that of a service, or write a starting one
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  chappe config init chappe.toml\n  chappe config check chappe.toml\n  chappe config diff edited.toml"
)]
pub(super) enum Config {
    /// Check a configuration file: prints every mistake with line, column and what to do
    #[command(after_help = "Example:\n  chappe config check /etc/chappe/chappe.toml")]
    Check {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell what a service would do otherwise with this file: settings, connectors, and what takes a restart
    ///
    /// The service checks the file; secrets that it writes as ******** are those that are in force.
    #[command(after_help = "Example:\n  chappe config diff edited.toml")]
    Diff {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        online: Online,
    },
    /// Write a commented starting file with every setting, its unit, range and default
    #[command(after_help = "Example:\n  chappe config init chappe.toml")]
    Init {
        /// The file to write; it must not be there yet. Without it the text goes to standard output.
        file: Option<PathBuf>,
    },
}

impl Config {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Config::Check { file, json } => check(&file, json),
            Config::Diff { file, online } => diff(&file, &online),
            Config::Init { file: Some(file) } => init(&file),
            Config::Init { file: None } => output::print(config::starting_file()),
        }
    }
}

/// What `--json` prints for a file.
#[derive(Serialize)]
struct Verdict<'a> {
    file: String,
    ok: bool,
    problems: Vec<VerdictProblem<'a>>,
}

#[derive(Serialize)]
struct VerdictProblem<'a> {
    line: usize,
    column: usize,
    what: &'a str,
    fix: &'a str,
}

fn check(file: &Path, json: bool) -> Result<(), Failure> {
    let result = config::load(file);
    if json {
        let problems = match &result {
            Ok(_) | Err(ConfigError::Unreadable { .. }) => Vec::new(),
            Err(ConfigError::Invalid { problems, .. }) => problems
                .iter()
                .map(|p| VerdictProblem { line: p.line, column: p.column, what: &p.what, fix: &p.fix })
                .collect(),
        };
        output::print_json(&Verdict { file: file.display().to_string(), ok: result.is_ok(), problems })?;
    }
    let config = result.map_err(|error| {
        Failure::Usage(match &error {
            ConfigError::Invalid { problems, .. } if json => {
                let number = output::count(problems.len() as u64, "problem");
                format!("{}: {number}, which the JSON names", file.display())
            }
            ConfigError::Invalid { .. } | ConfigError::Unreadable { .. } => error.to_string(),
        })
    })?;
    if json {
        return Ok(());
    }
    let mta = &config.settings.mta;
    let mut text = format!("{}: ok\n", file.display());
    text.push_str(&format!("  MTA {} in domain {}\n", mta.name, mta.domain));
    let list = |addresses: Vec<String>| match addresses.as_slice() {
        [] => "nothing".to_owned(),
        some => some.join(", "),
    };
    text.push_str(&format!("  delivers {}\n", list(mta.local.iter().map(ToString::to_string).collect())));
    let p1 = config.listen.p1.iter().map(ToString::to_string).collect();
    text.push_str(&format!("  listens for peers on {}\n", list(p1)));
    match config.listen.api {
        Some(api) => {
            let tls = if config.listen.api_tls.is_some() { ", with TLS" } else { "" };
            text.push_str(&format!("  API on {api}{tls}\n"));
        }
        None => text.push_str("  no API\n"),
    }
    text.push_str(&format!("  store in {}\n", config.data_dir.display()));
    for connector in &config.settings.connectors {
        text.push_str(&format!(
            "  connector {} to {} at {}\n",
            connector.name,
            connector.remote_mta,
            list(connector.hosts.clone())
        ));
    }
    output::print(&text)
}

/// The text of a configuration file, for a service to read.
pub(super) fn text_of(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}; name a readable file", file.display())))
}

fn diff(file: &Path, online: &Online) -> Result<(), Failure> {
    let text = text_of(file)?;
    let length = text.len() as u64;
    let verdict: ConfigVerdict =
        online.client()?.post("/api/v1/config/check", &[], TOML, length, &mut text.as_bytes())?;
    if online.json {
        output::print_json(&verdict)?;
    }
    let name = file.display();
    if !verdict.ok {
        let lines = verdict.problems.iter();
        let lines: Vec<String> =
            lines.map(|p| format!("{name}:{}:{}: {}; {}", p.line, p.column, p.what, p.fix)).collect();
        return Err(Failure::Usage(lines.join("\n")));
    }
    if online.json {
        return Ok(());
    }
    let mut text = String::new();
    for sentence in &verdict.words {
        text.push_str(&format!("{}\n", output::one_line(sentence)));
    }
    if verdict.words.is_empty() {
        text.push_str("Nothing is different.\n");
    }
    for setting in &verdict.restart {
        text.push_str(&format!("Takes a restart: {}\n", output::one_line(setting)));
    }
    output::print(&text)
}

fn init(file: &Path) -> Result<(), Failure> {
    let written = fs::File::create_new(file)
        .and_then(|mut out| out.write_all(config::starting_file().as_bytes()).and_then(|()| out.sync_all()));
    match written {
        Ok(()) => output::print(&format!(
            "{}: written; edit it, then run `chappe config check {}`\n",
            file.display(),
            file.display()
        )),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::Failed(format!(
            "{}: is there already and was left as it is; name another file",
            file.display()
        ))),
        Err(error) => Err(Failure::Failed(format!("{}: cannot write: {error}", file.display()))),
    }
}
