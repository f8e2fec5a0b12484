//! One MTA: starts its tasks, holds them, stops them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::record::{OUTBOUND, OutboundKey, OutboundRecord, Record, outbound_prefix};
use agent::settings::ConnectorSettings;
use agent::{Agent, AgentSettings, SettingsProblem};
use spool::{CommitError, EmbeddedSpool, OpenError, Options, Spool, SpoolError};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::clocks::Clocks;
use crate::connector::Connector;
use crate::events::EventKind;
use crate::handle::Handle;
use crate::limits::RuntimeLimits;
use crate::sequence::{DurableSequence, SequenceError};
use crate::shared::Shared;
use crate::{housekeeping, listener, work};

/// Records read by one step of a scan.
const PAGE: usize = 512;

/// What an MTA process is started with.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// What the agent decides by.
    pub settings: AgentSettings,
    /// Directory of the store; created if it does not exist.
    pub data_dir: PathBuf,
    /// Addresses on which peers are accepted.
    pub p1: Vec<SocketAddr>,
    /// How long stopping in order may take.
    pub stop_timeout: Duration,
    /// Settings of the embedded store.
    pub spool: Options,
    /// Limits and timers.
    pub limits: RuntimeLimits,
}

/// Why an MTA did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict themselves.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<SettingsProblem>),
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Read(#[from] SpoolError),
    /// The store can't be written.
    #[error("the store can't be written: {0}")]
    Commit(#[from] CommitError),
    /// The durable counter is unusable.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// An address can't be listened on.
    #[error("can't listen for P1 on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReloadSummary {
    /// Connectors that are new.
    pub added: Vec<String>,
    /// Connectors whose settings are others now.
    pub changed: Vec<String>,
    /// Connectors that are gone; their queues were routed anew.
    pub removed: Vec<String>,
}

/// A running MTA. Dropping it ends it at once; [`Mta::stop`] ends it in order.
pub struct Mta {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    connectors: Arc<Mutex<Connectors>>,
    p1: Vec<SocketAddr>,
    stop_timeout: Duration,
}

/// The running connector tasks. Held while a reload is under way, so that two can't mix.
pub(crate) struct Connectors {
    running: BTreeMap<String, (Arc<ConnectorSettings>, JoinHandle<()>)>,
}

impl Mta {
    /// Opens the store, takes up every queue where it stood, and accepts peers.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub async fn start(config: RuntimeConfig) -> Result<Mta, StartError> {
        let (dir, options) = (config.data_dir.clone(), config.spool.clone());
        let opened = tokio::task::spawn_blocking(move || EmbeddedSpool::open(dir, options)).await;
        let spool = opened.map_err(|_| StartError::Read(SpoolError::Closed))??;
        Mta::start_on(config, Arc::new(spool)).await
    }

    /// The same on a store that is open already, whatever its engine.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on(config: RuntimeConfig, spool: Arc<dyn Spool>) -> Result<Mta, StartError> {
        let agent = Agent::new(config.settings).map_err(StartError::Settings)?;
        let mut listeners = Vec::new();
        for address in config.p1 {
            let listener =
                TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })?;
            listeners.push(listener);
        }
        let p1 = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let sequence = DurableSequence::open(&*spool).await?;
        let slots = Arc::new(Semaphore::new(config.limits.max_associations));
        let shared = Arc::new(Shared::new(Clocks::start(), config.limits, spool, sequence, agent));
        let settings = shared.agent().settings().connectors.clone();
        requeue_orphans(&shared, &settings).await?;
        let mut connectors = Connectors { running: BTreeMap::new() };
        for connector in settings {
            connectors.start(&shared, connector).await?;
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(work::run(Arc::clone(&shared)));
        tasks.spawn(housekeeping::run(Arc::clone(&shared)));
        for listener in listeners {
            tasks.spawn(listener::run(Arc::clone(&shared), listener, Arc::clone(&slots)));
        }
        let mta = Mta {
            shared,
            tasks,
            connectors: Arc::new(Mutex::new(connectors)),
            p1,
            stop_timeout: config.stop_timeout,
        };
        let name = mta.shared.agent().settings().mta.name.to_string();
        mta.shared.event(
            EventKind::StartupComplete,
            &name,
            format!("{name} is up, version {}", crate::VERSION),
        );
        Ok(mta)
    }

    /// For administration and submission.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared), Arc::clone(&self.connectors))
    }

    /// The addresses on which peers are accepted, ports filled in.
    pub fn p1_addresses(&self) -> Vec<SocketAddr> {
        self.p1.clone()
    }

    /// Ends in order: no new associations, transfers under way are finished, associations closed. What has not
    /// ended within the stop timeout is cut off, without loss: whatever was not confirmed is still queued.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        for (_, entry) in self.shared.connectors() {
            entry.stop.send_replace(true);
        }
        let tasks = &mut self.tasks;
        let connectors = Arc::clone(&self.connectors);
        let ending = async {
            let mut connectors = connectors.lock().await;
            for (_, task) in connectors.running.values_mut() {
                // A task that panicked has ended as well.
                let _ = task.await;
            }
            while tasks.join_next().await.is_some() {}
        };
        let in_order = tokio::time::timeout(self.stop_timeout, ending).await.is_ok();
        self.tasks.shutdown().await;
        let how = if in_order { "in order" } else { "after the stop timeout; associations were cut off" };
        let name = self.shared.agent().settings().mta.name.to_string();
        self.shared.event(EventKind::ClosedownComplete, &name, format!("{name} has stopped {how}"));
    }
}

impl Drop for Mta {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        for (_, entry) in self.shared.connectors() {
            entry.stop.send_replace(true);
        }
        if let Ok(connectors) = self.connectors.try_lock() {
            for (_, task) in connectors.running.values() {
                task.abort();
            }
        }
    }
}

impl Connectors {
    async fn start(&mut self, shared: &Arc<Shared>, settings: ConnectorSettings) -> Result<(), SpoolError> {
        let settings = Arc::new(settings);
        // Spread by name and start time, so that MTAs which fail together do not try together.
        let seed = settings.name.bytes().fold(shared.started.unix().unsigned_abs(), |sum, octet| {
            sum.wrapping_mul(31).wrapping_add(u64::from(octet))
        });
        let (connector, entry) =
            Connector::new(Arc::clone(shared), Arc::clone(&settings), (seed % 101) as u16);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page =
                shared.spool.scan(OUTBOUND, &outbound_prefix(&settings.name), after.as_deref(), PAGE).await?;
            for (_, octets) in &page {
                if let Ok(record) = OutboundRecord::decode(octets) {
                    entry.counted(record.size);
                }
            }
            after = page.last().map(|(key, _)| key.clone());
            if page.len() < PAGE {
                break;
            }
        }
        shared.add_connector(&settings.name, entry);
        let name = settings.name.clone();
        self.running.insert(name, (settings, tokio::spawn(connector.run())));
        Ok(())
    }

    async fn stop(&mut self, shared: &Arc<Shared>, name: &str) {
        let Some((_, task)) = self.running.remove(name) else { return };
        if let Some(entry) = shared.connector(name) {
            entry.stop.send_replace(true);
        }
        let abort = task.abort_handle();
        if tokio::time::timeout(Duration::from_secs(10), task).await.is_err() {
            abort.abort();
        }
        shared.remove_connector(name);
    }

    /// Puts new settings into force while mail flows.
    pub(crate) async fn reload(
        &mut self,
        shared: &Arc<Shared>,
        settings: AgentSettings,
    ) -> Result<ReloadSummary, StartError> {
        let agent = Agent::new(settings.clone()).map_err(StartError::Settings)?;
        let wanted: BTreeMap<&str, &ConnectorSettings> =
            settings.connectors.iter().map(|connector| (connector.name.as_str(), connector)).collect();
        let mut summary = ReloadSummary::default();
        for (name, (running, _)) in &self.running {
            match wanted.get(name.as_str()) {
                None => summary.removed.push(name.clone()),
                Some(wanted) if **wanted != **running => summary.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        // From here on nothing new is routed to a connector that goes away.
        shared.replace_agent(agent);
        for name in summary.removed.iter().chain(&summary.changed) {
            self.stop(shared, name).await;
        }
        for connector in &settings.connectors {
            if !self.running.contains_key(&connector.name) {
                if !summary.changed.contains(&connector.name) {
                    summary.added.push(connector.name.clone());
                }
                self.start(shared, connector.clone()).await?;
            }
        }
        requeue_orphans(shared, &settings.connectors).await?;
        shared.event(
            EventKind::ConfigurationReloaded,
            "",
            format!(
                "connectors added: {:?}, changed: {:?}, removed: {:?}",
                summary.added, summary.changed, summary.removed
            ),
        );
        Ok(summary)
    }
}

/// Routes anew what is queued for connectors that are no longer configured.
async fn requeue_orphans(shared: &Arc<Shared>, connectors: &[ConnectorSettings]) -> Result<(), StartError> {
    let known: BTreeSet<&str> = connectors.iter().map(|connector| connector.name.as_str()).collect();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = shared.spool.scan(OUTBOUND, &[], after.as_deref(), 1).await?;
        let Some((key, octets)) = page.into_iter().next() else { return Ok(()) };
        let Some(parsed) = OutboundKey::parse(&key) else {
            after = Some(key);
            continue;
        };
        if known.contains(parsed.connector.as_str()) {
            // The separator of a key is 0x00: this is behind every record of the connector.
            after = Some([parsed.connector.as_bytes(), &[1]].concat());
            continue;
        }
        match OutboundRecord::decode(&octets) {
            Ok(record) => {
                let step = shared.agent().reroute(shared.clocks.wall(), &shared.sequence, &key, &record);
                shared.commit(step).await?;
            }
            Err(error) => {
                shared.event(
                    EventKind::StoreFailed,
                    &parsed.connector,
                    format!("a record is damaged: {error}"),
                );
                after = Some(key);
            }
        }
    }
}
