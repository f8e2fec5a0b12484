//! One MTA: starts its tasks, holds them, stops them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::{Agent, AgentSettings, SettingsProblem};
use spool::{CommitError, EmbeddedSpool, OpenError, Options, Spool, SpoolError};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::connectors::{Connectors, OrphansError};
use crate::events::EventKind;
use crate::handle::Handle;
use crate::limits::RuntimeLimits;
use crate::listeners::{ListenError, Listeners};
use crate::recorder::RecorderSettings;
use crate::sequence::{DurableSequence, SequenceError};
use crate::shared::Shared;
use crate::supervisor::{Work, supervise};
use crate::work::Decide;
use crate::world::{Surroundings, World};
use crate::{housekeeping, listeners, monitor, recovery, start_check, tracking_index, trials, work};

/// How much of the stop timeout is for writing what was interrupted, at most; a fifth of it if that is less.
const PERSIST_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// What is recorded of associations.
    pub recorder: RecorderSettings,
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
    /// What earlier settings have left in the store can't be taken over.
    #[error(transparent)]
    Queues(#[from] OrphansError),
    /// An address can't be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// A running MTA. Dropping it ends it at once; [`Mta::stop`] ends it in order.
pub struct Mta {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    handle: Handle,
    stop_timeout: Duration,
    /// The store, if it was opened here.
    own_store: Option<Arc<EmbeddedSpool>>,
}

impl Mta {
    /// Opens the store, takes up every queue where it stood, and accepts peers.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub async fn start(config: RuntimeConfig) -> Result<Mta, StartError> {
        let (dir, options) = (config.data_dir.clone(), config.spool.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let (when, limit) = (options.check_on_start, options.check_limit);
            let spool = EmbeddedSpool::open(dir, options)?;
            let looked = start_check::look(&spool, when, limit);
            Ok::<_, OpenError>((spool, looked))
        });
        let (spool, looked) = opened.await.map_err(|_| StartError::Read(SpoolError::Closed))??;
        let spool = Arc::new(spool);
        let beside = Some(config.data_dir.join("tracking"));
        let shared_spool = Arc::<EmbeddedSpool>::clone(&spool);
        let mut mta =
            Mta::start_beside(config, shared_spool, Surroundings::default(), work::decide, beside).await?;
        mta.own_store = Some(spool);
        if let Some(looked) = looked {
            for what in &looked.findings {
                mta.shared.event(EventKind::StoreFailed, "", what);
            }
            mta.shared.event(EventKind::StoreChecked, "", looked.to_string());
        }
        Ok(mta)
    }

    /// The same on a store that is open already, whatever its engine.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on(config: RuntimeConfig, spool: Arc<dyn Spool>) -> Result<Mta, StartError> {
        Mta::start_with(config, spool, Surroundings::default(), work::decide).await
    }

    /// The same with `world` in place of the system: for a simulation.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_in(
        config: RuntimeConfig,
        spool: Arc<dyn Spool>,
        world: Arc<dyn World>,
    ) -> Result<Mta, StartError> {
        Mta::start_with(config, spool, Surroundings::World(world), work::decide).await
    }

    /// The same with another way to decide, for tests of what becomes of a decision that goes wrong.
    pub(crate) async fn start_with(
        config: RuntimeConfig,
        spool: Arc<dyn Spool>,
        surroundings: Surroundings,
        decide: Decide,
    ) -> Result<Mta, StartError> {
        Mta::start_beside(config, spool, surroundings, decide, None).await
    }

    /// The same with the directory of an index of message tracking.
    async fn start_beside(
        config: RuntimeConfig,
        spool: Arc<dyn Spool>,
        surroundings: Surroundings,
        decide: Decide,
        tracking_index: Option<PathBuf>,
    ) -> Result<Mta, StartError> {
        let agent = Agent::new(config.settings).map_err(StartError::Settings)?;
        let sockets = listeners::open(&surroundings, &config.p1)?;
        let sequence = DurableSequence::open(&*spool).await?;
        let mut shared = Shared::new(
            surroundings,
            config.limits,
            config.recorder,
            spool,
            sequence,
            agent,
            config.stop_timeout,
        );
        shared.decide = decide;
        shared.open_tracking_index(tracking_index).await;
        let shared = Arc::new(shared);
        recovery::store::load(&shared).await?;
        trials::load(&shared).await?;
        let settings = shared.agent().settings().connectors.clone();
        let mut connectors = Connectors::default();
        for connector in settings {
            connectors.start(&shared, connector).await?;
        }
        if connectors.requeue_orphans(&shared).await? {
            // Housekeeping goes on with it.
            shared.orphans.notify_one();
        }
        let connectors = Arc::new(Mutex::new(connectors));
        let mut tasks = JoinSet::new();
        let mut keep = |name, begin: Box<dyn FnMut() -> Work + Send>| {
            tasks.spawn(supervise(Arc::clone(&shared), name, begin));
        };
        let of_work = Arc::clone(&shared);
        keep("work", Box::new(move || Box::pin(work::run(Arc::clone(&of_work)))));
        let of_trials = Arc::clone(&shared);
        keep("trials", Box::new(move || Box::pin(trials::run(Arc::clone(&of_trials)))));
        let (of_house, connectors_of_house) = (Arc::clone(&shared), Arc::clone(&connectors));
        let house = move || housekeeping::run(Arc::clone(&of_house), Arc::clone(&connectors_of_house));
        let of_index = Arc::clone(&shared);
        keep("tracking index", Box::new(move || Box::pin(tracking_index::run(Arc::clone(&of_index)))));
        keep("housekeeping", Box::new(move || Box::pin(house())));
        let mut listeners = Listeners::default();
        listeners.start(&shared, sockets);
        let listeners = Arc::new(Mutex::new(listeners));
        let handle = Handle::new(Arc::clone(&shared), Arc::clone(&connectors), Arc::clone(&listeners));
        let of_monitors = handle.clone();
        keep("link monitors", Box::new(move || Box::pin(monitor::run(of_monitors.clone()))));
        let mta = Mta { shared, tasks, handle, stop_timeout: config.stop_timeout, own_store: None };
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
        self.handle.clone()
    }

    /// The addresses on which peers are accepted, ports filled in.
    pub async fn p1_addresses(&self) -> Vec<SocketAddr> {
        self.handle.p1_addresses().await
    }

    /// Waits until a defect keeps the MTA from going on, and tells which: it is to be stopped then, and a new process
    /// to be started.
    pub async fn surrendered(&self) -> String {
        self.shared.surrender.given().await
    }

    /// Ends in order: no new associations, transfers under way are finished or, if they are long, interrupted so that
    /// they can be resumed, associations closed. What has not ended within the stop timeout is cut off, without loss:
    /// whatever was not confirmed is still queued.
    pub async fn stop(mut self) {
        self.shared.stop.give();
        for (_, entry) in self.shared.connectors() {
            entry.stop.give();
        }
        let tasks = &mut self.tasks;
        let (connectors, listeners) =
            (Arc::clone(&self.handle.connectors), Arc::clone(&self.handle.listeners));
        let ending = async {
            let mut connectors = connectors.lock().await;
            for (_, task) in connectors.running.values_mut() {
                // A task that panicked has ended as well.
                let _ = task.await;
            }
            listeners.lock().await.ended().await;
            while tasks.join_next().await.is_some() {}
        };
        // Both together, so that the whole takes no longer than was promised.
        let to_persist = PERSIST_TIMEOUT.min(self.stop_timeout / 5);
        let in_order = tokio::time::timeout(self.stop_timeout - to_persist, ending).await.is_ok();
        let own_store = self.own_store.take();
        let shared = &self.shared;
        let ending = async {
            self.tasks.shutdown().await;
            let mut listeners = self.handle.listeners.lock().await;
            listeners.cut_off();
            listeners.ended().await;
            drop(listeners);
            recovery::store::persist(shared, to_persist).await;
            let ended = tokio::task::spawn_blocking(move || own_store.map_or(Ok(()), |store| store.end()));
            if let Ok(Err(error)) = ended.await {
                let text = format!("the next start will take this stop for a disorderly one: {error}");
                shared.event(EventKind::StoreFailed, "", text);
            }
            // It can be made again, so it goes last.
            shared.close_tracking_index().await;
        };
        // Both end by themselves; a disk that does not answer must not hold up the end either.
        let _ = tokio::time::timeout(to_persist, ending).await;
        let how = if in_order { "in order" } else { "after the stop timeout; associations were cut off" };
        let name = self.shared.agent().settings().mta.name.to_string();
        self.shared.event(EventKind::ClosedownComplete, &name, format!("{name} has stopped {how}"));
    }
}

impl Drop for Mta {
    fn drop(&mut self) {
        self.shared.stop.give();
        for (_, entry) in self.shared.connectors() {
            entry.stop.give();
        }
        if let Ok(mut listeners) = self.handle.listeners.try_lock() {
            listeners.cut_off();
        }
        if let Ok(connectors) = self.handle.connectors.try_lock() {
            for (_, task) in connectors.running.values() {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use agent::record::{HELD, HeldKey, Item, OUTBOUND, OutboundKey, OutboundRecord, Rank, Record, Source};
    use agent::settings::{ConnectorSettings, MtaSettings};
    use clock::WallTime;
    use mhs::{GlobalDomainIdentifier, MtaName};
    use spool::{Batch, MemorySpool};
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::line::{Joined, Message};

    fn connector(name: &str) -> ConnectorSettings {
        let mut connector = ConnectorSettings::new(name, MtaName::new("PEER").unwrap());
        connector.hosts = vec!["127.0.0.1:102".into()];
        connector
    }

    /// A queue entry, as far as queues look at one.
    fn queued() -> Vec<u8> {
        let now = WallTime::from_unix(1_700_000_000);
        let record = OutboundRecord {
            item: Item::Report { apdu: Vec::new() },
            source: Source::Agent,
            arrived: now,
            queued: now,
            expires: WallTime::from_unix(i64::from(i32::MAX)),
            attempts: 0,
            mts_identifier: String::new(),
            originator: String::new(),
            size: 10,
            recipients: 1,
            exhausted: Vec::new(),
            last_failure: None,
            tries: agent::record::Tries::default(),
        };
        record.encode()
    }

    async fn started() -> Mta {
        let domain = GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: None };
        let settings = MtaSettings::new(MtaName::new("HERE").unwrap(), domain);
        let config = RuntimeConfig {
            settings: AgentSettings::new(settings, vec![connector("peer")]),
            data_dir: PathBuf::new(),
            p1: Vec::new(),
            stop_timeout: Duration::from_secs(10),
            spool: Options::default(),
            limits: RuntimeLimits::default(),
            recorder: RecorderSettings::default(),
        };
        Mta::start_on(config, Arc::new(MemorySpool::new())).await.unwrap()
    }

    #[tokio::test]
    async fn a_connector_whose_task_has_ended_is_started_again() {
        let mta = started().await;
        let before = mta.shared.connector("peer").unwrap();
        // Held, so that housekeeping does not do it first.
        let mut connectors = mta.handle.connectors.lock().await;
        connectors.running["peer"].1.abort();
        while !connectors.running["peer"].1.is_finished() {
            tokio::task::yield_now().await;
        }
        connectors.revive(&mta.shared).await.unwrap();
        assert!(!connectors.running["peer"].1.is_finished());
        drop(connectors);
        let after = mta.shared.connector("peer").unwrap();
        assert!(!Arc::ptr_eq(&before, &after), "the new one has a queue window of its own");
        let told = mta.handle().events(0);
        assert!(told.iter().any(|e| e.kind == EventKind::InternalError && e.subject == "peer"), "{told:?}");
        mta.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_place_of_an_association_that_ended_without_a_word_becomes_free() {
        let mta = started().await;
        let entry = mta.shared.connector("peer").unwrap();
        let most = connector("peer").association.max_associations;
        let join = async || {
            let (commands, _) = mpsc::channel(1);
            let (reply, joined) = oneshot::channel();
            let settings = Arc::new(connector("peer"));
            let message = Message::Inbound { settings, two_way: false, commands, reply };
            entry.messages.send(message).await.unwrap();
            joined.await.unwrap()
        };
        for _ in 0..most {
            assert!(matches!(join().await, Joined::As(_)));
        }
        assert_eq!(join().await, Joined::Full);
        tokio::time::sleep(Duration::from_secs(130)).await;
        assert!(matches!(join().await, Joined::As(_)));
        mta.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connector_that_dies_again_and_again_is_given_more_time() {
        let mta = started().await;
        let mut connectors = mta.handle.connectors.lock().await;
        let mut pauses = Vec::new();
        for _ in 0..4 {
            connectors.running["peer"].1.abort();
            while !connectors.running["peer"].1.is_finished() {
                tokio::task::yield_now().await;
            }
            let died = mta.shared.clocks.mono();
            while connectors.running.get("peer").is_none_or(|(_, task)| task.is_finished()) {
                connectors.revive(&mta.shared).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            pauses.push(mta.shared.clocks.mono().saturating_since(died).as_secs());
        }
        assert_eq!(pauses, [1, 6, 11, 21]);
        drop(connectors);
        mta.stop().await;
    }

    /// The disk may have no space for the removal of what a peer has taken, for as long as it likes.
    #[tokio::test(start_paused = true)]
    async fn a_queue_that_stays_in_use_holds_up_its_connector_and_no_reload() {
        let mta = started().await;
        let handle = mta.handle();
        let before = mta.shared.connector("peer").unwrap();
        let in_use = before.in_use();
        let mut changed = connector("peer");
        changed.association.lifetime_s += 1;
        let mut settings = mta.shared.agent().settings().clone();
        let mut other = connector("other");
        other.remote_mta = MtaName::new("OTHER").unwrap();
        settings.connectors = vec![changed, other];
        let summary = handle.reload(settings.clone()).await.unwrap();
        assert!(summary.outstanding[0].starts_with("peer: "), "{summary:?}");
        assert!(mta.shared.connector("other").is_some());
        assert!(Arc::ptr_eq(&before, &mta.shared.connector("peer").unwrap()), "nobody else touches it");
        // Nor does a second one, nor housekeeping.
        assert_eq!(handle.reload(settings).await.unwrap().outstanding.len(), 1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(Arc::ptr_eq(&before, &mta.shared.connector("peer").unwrap()));
        drop(in_use);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let after = mta.shared.connector("peer").unwrap();
        assert!(!Arc::ptr_eq(&before, &after) && !after.stop.is_given());
        mta.stop().await;
    }

    #[tokio::test]
    async fn a_connector_that_a_reload_starts_during_a_stop_ends_as_well() {
        let mta = started().await;
        mta.shared.stop.give();
        let mut connectors = mta.handle.connectors.lock().await;
        connectors.start(&mta.shared, connector("late")).await.unwrap();
        let (_, task) = connectors.running.remove("late").unwrap();
        drop(connectors);
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        mta.stop().await;
    }

    #[tokio::test]
    async fn a_long_queue_is_worked_on_before_it_is_counted() {
        const LONG: u64 = 1_000;
        let mta = started().await;
        let (handle, shared) = (mta.handle(), Arc::clone(&mta.shared));
        let mut batch = Batch::default();
        for sequence in 0..LONG {
            let key = OutboundKey { connector: "long".into(), rank: Rank::Normal, sequence };
            batch.put(OUTBOUND, key.encode(), queued());
        }
        let held = OutboundKey { connector: "long".into(), rank: Rank::Normal, sequence: LONG };
        batch.put(HELD, HeldKey::Outbound(held).encode(), queued());
        shared.spool.commit(batch).await.unwrap();
        // Their numbers were given out before the connector starts.
        while agent::Sequence::next(&shared.sequence) <= LONG {}
        // Nothing can be counted for the moment.
        let reading = shared.surveys.acquire().await.unwrap();
        let mut connectors = mta.handle.connectors.lock().await;
        connectors.start(&shared, connector("long")).await.unwrap();
        drop(connectors);
        let entry = shared.connector("long").unwrap();
        while entry.backlog.first().is_none() {
            tokio::task::yield_now().await;
        }
        let queue =
            handle.queues().await.unwrap().into_iter().find(|queue| queue.connector == "long").unwrap();
        assert_eq!((queue.messages, queue.octets, queue.held, queue.counting), (None, None, None, true));
        let status = handle.status();
        assert_eq!((status.queued, status.queued_octets, status.counting), (None, None, true));

        drop(reading);
        let counted = async {
            loop {
                let queues = handle.queues().await.unwrap();
                let queue = queues.into_iter().find(|queue| queue.connector == "long").unwrap();
                if !queue.counting {
                    return queue;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let queue = tokio::time::timeout(Duration::from_secs(60), counted).await.unwrap();
        assert_eq!((queue.messages, queue.octets, queue.held), (Some(LONG), Some(LONG * 10), Some(1)));
        assert_eq!((handle.status().queued, handle.status().counting), (Some(LONG), false));
        mta.stop().await;
    }
}
