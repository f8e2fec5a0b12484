//! `chappe serve`: the service in the foreground.

use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::failure::Failure;
use crate::config;
use crate::service;

/// Run the service in the foreground
///
/// SIGTERM and SIGINT stop it (a second one at once), SIGHUP makes it read the configuration again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chappe serve --config /etc/chappe/chappe.toml")]
pub(super) struct Serve {
    /// Configuration file.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// What is logged to standard error: a level (error, warn, info, debug, trace), or levels by module
    /// [env: CHAPPE_LOG] [default: info].
    #[arg(long, value_name = "FILTER", value_parser = filter)]
    log: Option<String>,
}

/// A filter is checked where it is typed, so that a slip is wrong usage and not a silent log.
fn filter(text: &str) -> Result<String, String> {
    // The library takes a lone word that is no level for the name of a module.
    let lone = text.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.contains(['=', '[']));
    for word in lone {
        word.parse::<LevelFilter>().map_err(|_| {
            format!("`{word}` is no level; write error, warn, info, debug or trace, or MODULE=LEVEL")
        })?;
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let log = match (self.log, std::env::var("CHAPPE_LOG")) {
            (Some(log), _) => log,
            (None, Ok(log)) if !log.is_empty() => {
                filter(&log).map_err(|error| Failure::Usage(format!("CHAPPE_LOG: {error}")))?
            }
            (None, _) => "info".to_owned(),
        };
        let config = config::load(&self.config).map_err(|error| Failure::Usage(error.to_string()))?;
        let filter = EnvFilter::try_new(log).map_err(|error| Failure::Usage(format!("--log: {error}")))?;
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Failed(format!("cannot start the service's threads: {error}")))?;
        let result = runtime.block_on(service::run(&self.config, config));
        // What is still blocked in file I/O must not hold the process up beyond its stop timeout.
        runtime.shutdown_background();
        result.map_err(|error| Failure::Failed(error.to_string()))
    }
}
