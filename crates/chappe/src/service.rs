//! The running service: the MTA, its HTTP API and the signals that stop or reload it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runtime::{Handle, Mta, ReloadError, ReloadSummary, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::api::{self, Front, FrontError, Gate};
use crate::config::Config;
use crate::descriptors;
use crate::keeper::Keeper;
use crate::log::{Log, LogSettings};
use crate::notify::{State, notify, watchdog_interval};
use crate::tls::TlsError;

/// Files that are open besides those of associations: segments and index of the store, the API's connections.
const OTHER_FILES: u64 = 1_024;

/// How long requests of the API may take to end when everything else has.
const API_GRACE: Duration = Duration::from_millis(500);
/// How long the MTA may be silent before the service manager is not told any more that it is alive. It shows itself every
/// five seconds.
const MAX_SILENCE: Duration = Duration::from_secs(20);

/// Why the service did not start or ended in disorder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// The MTA did not start.
    #[error("the MTA did not start: {0}")]
    Start(#[from] StartError),
    /// The API's address can't be used.
    #[error(transparent)]
    Api(#[from] FrontError),
    /// The API can't speak TLS.
    #[error("TLS of the API: {0}")]
    Tls(#[from] TlsError),
    /// The system does not deliver signals.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The MTA gave itself up; a new process begins with what is in the store.
    #[error("stopped because of a defect of the program: {0}; start it again, nothing is lost")]
    Defect(String),
    /// A second signal asked for an end at once.
    #[error("stopped at once by a second signal; what was not confirmed is still queued")]
    StoppedAtOnce,
}

/// Runs until a signal stops it. `file` is where `config` came from and is read again on SIGHUP.
pub(crate) async fn run(file: &Path, config: Config) -> Result<(), ServiceError> {
    let mut signals = Signals::new().map_err(ServiceError::Signals)?;
    // Each association has a socket; the store, the listeners and the API have the rest.
    let mut config = config;
    if let Err(missing) = descriptors::provide(config.limits.max_associations as u64 + OTHER_FILES) {
        // Refusing an association is better than having no descriptor for a file of the store.
        let possible = descriptors::left_after(OTHER_FILES);
        let possible = usize::try_from(possible).unwrap_or(usize::MAX).min(config.limits.max_associations);
        tracing::warn!("{missing}; until then there are {possible} associations at most");
        config.limits.max_associations = possible;
    }
    // First the API's address: a mistake there must not leave a store half opened.
    let listener = api::listen(&config.listen)?;
    let gate = Arc::new(Gate::new(config.listen.api_tokens.clone()));
    gate.replace_tls(config.listen.api_tls.as_ref())?;
    gate.limit_requests(config.listen.api_requests_per_s);
    // A store that takes long to open must not hold up a stop either.
    let mta = tokio::select! {
        mta = Mta::start(config.runtime()) => mta?,
        () = signals.stop() => return Ok(()),
    };
    mta.handle().set_monitors(config.monitors.clone());
    for address in mta.p1_addresses().await {
        tracing::info!("listening for peers on {address}");
    }
    let keeper = Keeper::new(file, config, mta.handle(), gate);
    if let Some(listener) = listener {
        keeper.open_api(listener).await;
    }
    notify(State::Ready);
    let watchdog = watchdog_interval().map(|interval| tokio::spawn(feed_watchdog(mta.handle(), interval)));
    let mut defect = None;
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            why = mta.surrendered() => {
                defect = Some(why);
                Asked::Stop
            }
        };
        if let Asked::Stop = asked {
            break;
        }
        notify(State::Reloading);
        tokio::select! {
            // What went wrong is in the log.
            _ = keeper.reload() => {}
            // The connectors that it waits for are ended by the stop as well.
            () = signals.stop() => break,
        }
        notify(State::Ready);
    }
    notify(State::Stopping);
    tracing::info!("stopping; a second signal stops at once");
    let ending = async {
        // The API goes last, so that the stop can be watched; it has no work of its own to finish.
        mta.stop().await;
        keeper.close_api(API_GRACE).await;
    };
    let ended = tokio::select! {
        () = ending => defect.map_or(Ok(()), |why| Err(ServiceError::Defect(why))),
        () = signals.stop() => Err(ServiceError::StoppedAtOnce),
    };
    if let Some(watchdog) = watchdog {
        watchdog.abort();
    }
    ended
}

/// Tells the service manager that the MTA is alive, for as long as it is: one that hangs is restarted.
async fn feed_watchdog(handle: Handle, interval: Duration) {
    loop {
        if handle.since_alive() < MAX_SILENCE.max(interval) {
            notify(State::Alive);
        }
        tokio::time::sleep(interval).await;
    }
}

/// Why a configuration was not put into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The MTA does not take it.
    #[error(transparent)]
    Mta(#[from] ReloadError),
    /// The API can't be served where it is to be.
    #[error(transparent)]
    Api(#[from] FrontError),
}

/// Puts another configuration into force, and gives what is in force then: what takes a restart stays as it is. One that
/// the MTA refuses leaves everything as it was.
pub(crate) async fn apply(
    current: &Config,
    new: Config,
    handle: &Handle,
    gate: &Gate,
    front: &Mutex<Front>,
) -> Result<(Config, ReloadSummary), ApplyError> {
    let waiting = needs_restart(current, &new);
    if !waiting.is_empty() {
        tracing::warn!("{} take effect at the next start only", waiting.join(", "));
    }
    let prepared = front.lock().await.prepare(&new.listen).await;
    let step = match prepared {
        Ok(step) => step,
        Err(error) => {
            handle.reload_refused(&error.to_string());
            return Err(error.into());
        }
    };
    match handle.reload_listening(new.settings.clone(), new.listen.p1.clone()).await {
        Ok(summary) => {
            handle.apply_limits(new.limits.clone());
            handle.set_monitors(new.monitors.clone());
            // What is asked for changes between the old place and the new one, so that neither lets in whom it should not.
            let mut front = front.lock().await;
            front.leave(&step).await;
            gate.replace_tokens(&new.listen.api_tokens);
            gate.limit_requests(new.listen.api_requests_per_s);
            if let Err(error) = gate.replace_tls(new.listen.api_tls.as_ref()) {
                // The file was read with the same eyes; nobody comes in if there was none before.
                tracing::error!("the certificate of the API stays as it was: {error}");
            }
            front.go_on(step);
            drop(front);
            let log = LogSettings { syslog: current.log.syslog.clone(), ..new.log };
            if let Err(error) = Log::follow(&log) {
                tracing::error!("the log stays as it was: {error}");
            }
            tracing::info!("configuration read again; {summary}");
            let limits = new.limits.with_resources_of(&current.limits);
            let source = new.source;
            let monitors = new.monitors;
            let listen = new.listen;
            let config =
                Config { settings: new.settings, listen, limits, source, monitors, log, ..current.clone() };
            Ok((config, summary))
        }
        Err(error) => {
            front.lock().await.stay(step);
            handle.reload_refused(&error.to_string());
            Err(error.into())
        }
    }
}

/// What of a configuration takes effect at the next start only, because it is different from what is in force.
pub(crate) fn needs_restart(current: &Config, new: &Config) -> Vec<&'static str> {
    let found = [
        (current.settings.mta.name != new.settings.mta.name, "mta.name"),
        (current.data_dir != new.data_dir, "mta.data_dir"),
        (current.stop_timeout != new.stop_timeout, "mta.stop_timeout_s"),
        (
            !new.limits.has_resources_of(&current.limits),
            "max_associations, reserved_associations and max_buffer_mb of [limits]",
        ),
        (current.spool != new.spool, "[spool]"),
        (current.recorder != new.recorder, "[recorder]"),
        (current.log.syslog != new.log.syslog, "syslog, facility and syslog_form of [log]"),
    ];
    found.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect()
}

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Waits for a signal to stop; reloading no longer makes sense.
    async fn stop(&mut self) {
        while let Asked::Reload = self.next().await {}
    }
}
