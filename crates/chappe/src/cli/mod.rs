//! The command line: one module per command group, all of them on the same client, tables and exit statuses.

mod association;
mod config;
mod connector;
mod decode;
mod events;
pub(crate) mod failure;
mod mailbox;
mod mailbox_text;
mod message;
mod output;
mod progress;
mod queue;
mod route;
mod serve;
mod submit;

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
    after_help = "Exit status: 0 success, 1 failure, 2 wrong usage or configuration, 3 service not reachable."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    #[command(subcommand)]
    Config(config::Config),
    Submit(submit::Submit),
    Mailbox(mailbox::Mailbox),
    Queue(queue::Queue),
    Message(message::Message),
    Connector(connector::Connector),
    Association(association::Association),
    Events(events::Events),
    Route(route::Route),
    Decode(decode::Decode),
    Demo(Demo),
    #[command(subcommand)]
    Bench(Bench),
}

/// Runs the command that the process's arguments name.
pub(crate) fn run() -> ExitCode {
    // On wrong usage clap itself explains and ends the process with status 2.
    match Arguments::parse().command.run() {
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
    Arguments::try_parse_from(words).map_err(|error| Failure::Usage(error.to_string()))?.command.run()
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Command::Serve(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Submit(command) => command.run(),
            Command::Mailbox(command) => command.run(),
            Command::Queue(command) => command.run(),
            Command::Message(command) => command.run(),
            Command::Connector(command) => command.run(),
            Command::Association(command) => command.run(),
            Command::Events(command) => command.run(),
            Command::Route(command) => command.run(),
            Command::Decode(command) => command.run(),
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

/// What every command that asks the service takes.
#[derive(Debug, Args)]
struct Online {
    /// Address of the service's HTTP API.
    #[arg(
        long,
        value_name = "URL",
        env = "CHAPPE_API",
        default_value = "http://127.0.0.1:8400",
        global = true
    )]
    api: String,
    /// File with the API's token, if the service asks for one.
    #[arg(long, value_name = "FILE", env = "CHAPPE_TOKEN_FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl Online {
    fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.api, self.token_file.as_deref())
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
