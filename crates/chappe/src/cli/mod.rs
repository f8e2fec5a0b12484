//! The command line: one module per command group, all of them on the same client, tables and exit statuses.

mod association;
mod check;
mod completions;
mod config;
mod connector;
mod decode;
mod events;
mod export;
pub(crate) mod failure;
mod mailbox;
mod mailbox_text;
mod message;
mod monitor;
mod operate;
pub(crate) mod output;
mod probe;
mod progress;
mod quarantine;
mod queue;
mod route;
mod selection;
mod serve;
mod status;
mod submit;
mod top;
mod track;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mhs::OrAddress;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bench::Bench;
use crate::client::Client;
use failure::Failure;

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(
    name = "chappe",
    version,
    about = "Chappe, an X.400 message transfer agent",
    after_help = "Examples:\n  chappe demo\n  chappe serve --config chappe.toml\n  chappe --api http://127.0.0.1:8402 mailbox list\n\nExit status: 0 success, 1 failure, 2 wrong usage or configuration, 3 service not reachable."
)]
struct Arguments {
    #[command(flatten)]
    ahead: Ahead,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Status(status::Status),
    Top(top::Top),
    #[command(subcommand)]
    Config(config::Config),
    Submit(Box<submit::Submit>),
    Probe(Box<probe::Probe>),
    Mailbox(Box<mailbox::Mailbox>),
    Queue(queue::Queue),
    Quarantine(quarantine::Quarantine),
    Message(Box<message::Message>),
    Connector(connector::Connector),
    Association(association::Association),
    Monitor(monitor::Monitor),
    Track(track::Track),
    Events(events::Events),
    Route(Box<route::Route>),
    Decode(decode::Decode),
    Check(check::Check),
    Completions(completions::Completions),
    Man(completions::Man),
    Demo(Demo),
    #[command(subcommand)]
    Bench(Bench),
}

/// Runs the command that the process's arguments name.
pub(crate) fn run() -> ExitCode {
    // On wrong usage clap itself explains and ends the process with status 2.
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.to_string().lines() {
                eprintln!("chappe: {}", output::one_line(line));
            }
            failure.exit_code()
        }
    }
}

/// Runs one command line, given without the program's name.
pub(crate) fn run_arguments(arguments: &[&str]) -> Result<(), Failure> {
    let words = std::iter::once("chappe").chain(arguments.iter().copied());
    Arguments::try_parse_from(words).map_err(|error| Failure::Usage(error.to_string()))?.run()
}

impl Arguments {
    fn run(self) -> Result<(), Failure> {
        let Arguments { ahead, mut command } = self;
        command.take(ahead)?;
        command.run()
    }
}

impl Command {
    /// Takes over the options that stood before the command; those behind it win.
    fn take(&mut self, ahead: Ahead) -> Result<(), Failure> {
        let json = ahead.json;
        match self {
            Command::Status(command) => command.online.take(ahead),
            Command::Top(command) => command.online.take(ahead),
            Command::Submit(command) => command.online.take(ahead),
            Command::Probe(command) => command.online.take(ahead),
            Command::Mailbox(command) => command.online.take(ahead),
            Command::Queue(command) => command.online.take(ahead),
            Command::Quarantine(command) => command.online.take(ahead),
            Command::Message(command) => command.online.take(ahead),
            Command::Connector(command) => command.online.take(ahead),
            Command::Association(command) => command.online.take(ahead),
            Command::Monitor(command) => command.online.take(ahead),
            Command::Track(command) => command.online.take(ahead),
            Command::Events(command) => command.online.take(ahead),
            Command::Route(command) => command.online.take(ahead),
            Command::Decode(command) => {
                command.json |= json;
                return ahead.refuse_service("decode");
            }
            Command::Check(command) => {
                command.json |= json;
                return ahead.refuse_service("check");
            }
            Command::Config(config::Config::Check { json: own, .. }) => {
                *own |= json;
                return ahead.refuse_service("config");
            }
            Command::Bench(bench) => {
                bench.set_json(json);
                return ahead.refuse_service("bench");
            }
            Command::Config(config::Config::Diff { online, .. }) => online.take(ahead),
            Command::Config(config::Config::Init { .. }) => return ahead.refuse_all("config init"),
            Command::Completions(_) => return ahead.refuse_all("completions"),
            Command::Man(_) => return ahead.refuse_all("man"),
            Command::Serve(_) => return ahead.refuse_all("serve"),
            Command::Demo(_) => return ahead.refuse_all("demo"),
        }
        Ok(())
    }

    fn run(self) -> Result<(), Failure> {
        match self {
            Command::Serve(command) => command.run(),
            Command::Status(command) => command.run(),
            Command::Top(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Submit(command) => command.run(),
            Command::Probe(command) => command.run(),
            Command::Mailbox(command) => command.run(),
            Command::Queue(command) => command.run(),
            Command::Quarantine(command) => command.run(),
            Command::Message(command) => command.run(),
            Command::Connector(command) => command.run(),
            Command::Association(command) => command.run(),
            Command::Monitor(command) => command.run(),
            Command::Track(command) => command.run(),
            Command::Events(command) => command.run(),
            Command::Route(command) => command.run(),
            Command::Decode(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Demo(demo) => {
                crate::demo::run(demo.once).map_err(|error| Failure::Failed(error.to_string()))
            }
            Command::Bench(bench) => bench.run().map_err(|error| Failure::Failed(error.to_string())),
        }
    }
}

/// Show three MTAs exchanging real messages on this machine
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chappe demo --once")]
struct Demo {
    /// End after the first delivery and its reports instead of running on.
    #[arg(long)]
    once: bool,
}

/// Where the service is if nothing else is said.
const DEFAULT_API: &str = "http://127.0.0.1:8400";

/// The options of [`Online`] when they stand before the command.
#[derive(Debug, Args)]
struct Ahead {
    /// Address of the service's HTTP API [env: CHAPPE_API] [default: http://127.0.0.1:8400].
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// File with the API's token, if the service asks for one [env: CHAPPE_TOKEN_FILE].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the certificate of the authority that the service's own is from, with https [env: CHAPPE_CA_FILE] [default: those that the system trusts].
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Ahead {
    /// For a command that asks no service.
    fn refuse_service(&self, command: &str) -> Result<(), Failure> {
        let option = match (&self.api, &self.token_file, &self.ca_file) {
            (Some(_), _, _) => "--api",
            (None, Some(_), _) => "--token-file",
            (None, None, Some(_)) => "--ca-file",
            (None, None, None) => return Ok(()),
        };
        Err(Failure::Usage(format!("{option}: `chappe {command}` asks no service; leave it out")))
    }

    /// For a command that asks no service and prints no data.
    fn refuse_all(&self, command: &str) -> Result<(), Failure> {
        if self.json {
            return Err(Failure::Usage(format!("--json: `chappe {command}` prints no data; leave it out")));
        }
        self.refuse_service(command)
    }
}

/// What every command that asks the service takes.
///
/// The environment is read here and not by the parser, which would show a variable that is set as an option that
/// must be given, and would take an empty one as a value.
#[derive(Debug, Args)]
struct Online {
    /// Address of the service's HTTP API [env: CHAPPE_API] [default: http://127.0.0.1:8400].
    #[arg(long, value_name = "URL", global = true)]
    api: Option<String>,
    /// File with the API's token, if the service asks for one [env: CHAPPE_TOKEN_FILE].
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// File with the certificate of the authority that the service's own is from, with https [env: CHAPPE_CA_FILE] [default: those that the system trusts].
    #[arg(long, value_name = "FILE", global = true)]
    ca_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl Online {
    fn take(&mut self, ahead: Ahead) {
        self.api = self.api.take().or(ahead.api);
        self.token_file = self.token_file.take().or(ahead.token_file);
        self.ca_file = self.ca_file.take().or(ahead.ca_file);
        self.json |= ahead.json;
    }

    fn client(&self) -> Result<Client, Failure> {
        let api = match &self.api {
            Some(api) => api.clone(),
            None => match std::env::var_os("CHAPPE_API").filter(|value| !value.is_empty()) {
                Some(value) => value.into_string().map_err(|_| {
                    Failure::Usage("CHAPPE_API: not UTF-8; write it as http://HOST:PORT".to_owned())
                })?,
                None => DEFAULT_API.to_owned(),
            },
        };
        let from_environment =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let token_file = self.token_file.clone().or_else(|| from_environment("CHAPPE_TOKEN_FILE"));
        let ca_file = self.ca_file.clone().or_else(|| from_environment("CHAPPE_CA_FILE"));
        Client::new(&api, token_file.as_deref(), ca_file.as_deref())
    }

    /// Asks for `path` and prints the answer: as it is with `--json`, else through `text`.
    fn show<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        text: impl FnOnce(T) -> String,
    ) -> Result<(), Failure> {
        let client = self.client()?;
        if self.json {
            output::print_json(&client.get::<serde_json::Value>(path, query)?)
        } else {
            output::print(&text(client.get(path, query)?))
        }
    }

    /// Prints an answer that is already there.
    fn print<T: Serialize>(&self, answer: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json { output::print_json(answer) } else { output::print(&text(answer)) }
    }
}

/// Which part of a long list is shown.
#[derive(Debug, Args)]
struct Paging {
    /// Most items shown, 1 to 1000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Show what follows this item: the value that the page before named.
    #[arg(long, value_name = "ITEM")]
    after: Option<String>,
}

impl Paging {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.after.clone().map(|after| ("after", after)));
        query
    }
}

/// The line that ends a page which is not the last.
fn more(next: Option<&str>) -> String {
    next.map_or_else(String::new, |next| {
        format!("More follows: repeat the command with --after '{}'\n", output::one_line(next))
    })
}

/// An O/R address as an argument.
fn address(text: &str) -> Result<OrAddress, String> {
    OrAddress::parse(text)
        .map_err(|error| format!("{error}; write it as in \"S=operations;O=Acme;P=ALPHA;A= ;C=GB\""))
}
