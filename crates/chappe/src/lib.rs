//! The program `chappe`: command line, configuration file and HTTP API of an X.400 message transfer agent.
//!
//! It wires the crates together and shows them to people; what an MTA decides is in `agent`, what it does with
//! sockets and disks in `runtime`. Every command that asks a running service goes through `client` to `api`.
//!
//! It is a library only so that what reads files can be looked at by itself.

mod api;
mod bench;
mod check;
mod cli;
mod client;
pub mod config;
pub mod decode;
mod demo;
mod descriptors;
mod keeper;
mod ladder;
mod log;
mod model;
mod notify;
mod roles;
mod service;
mod style;
mod time_text;
mod tls;

use std::process::ExitCode;

/// Does what the command line says.
pub fn main() -> ExitCode {
    cli::run()
}
