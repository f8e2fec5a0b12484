//! `chappe serve`: the service in the foreground.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::config;
use crate::log::{Log, check_filter};
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
    /// [env: CHAPPE_LOG] [default: what the configuration says, else info].
    #[arg(long, value_name = "FILTER", value_parser = check_filter)]
    log: Option<String>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let filter = match (self.log, std::env::var("CHAPPE_LOG")) {
            (Some(filter), _) => Some(filter),
            (None, Ok(filter)) if !filter.is_empty() => {
                Some(check_filter(&filter).map_err(|error| Failure::Usage(format!("CHAPPE_LOG: {error}")))?)
            }
            (None, _) => None,
        };
        let config = config::load(&self.config).map_err(|error| Failure::Usage(error.to_string()))?;
        // Kept to the end, so that the last lines get where they are to go.
        let _log = Log::start(&config.log, filter.as_deref())
            .map_err(|error| Failure::Usage(format!("the log can't be written: {error}")))?;
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
