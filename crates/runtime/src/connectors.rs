//! The running connectors: started with the MTA, changed by a reload.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::record::{FROZEN, OUTBOUND, OutboundKey, OutboundRecord, Record, outbound_prefix};
use agent::settings::ConnectorSettings;
use agent::{Agent, AgentSettings, NotCarried, SettingsProblem};
use clock::MonoTime;
use spool::{CommitError, SpoolError};
use tokio::task::{JoinHandle, JoinSet};

use crate::connector::Connector;
use crate::events::EventKind;
use crate::line::Message;
use crate::listeners::{ListenError, Listeners};
use crate::pages::Pages;
use crate::recovery;
use crate::registry::ConnectorEntry;
use crate::shared::Shared;
use crate::shelter::sheltered;

/// How long a connector may take to end before its task is cut off, and then what uses its queue to let go of it before
/// nobody waits any longer: a removal from the queue, say, for which the disk has no space.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause before a connector whose task has died for the second time in a row is started again; it doubles each time.
const FIRST_DEATH_PAUSE: Duration = Duration::from_secs(5);
/// Longest such pause.
const LONGEST_DEATH_PAUSE: Duration = Duration::from_secs(300);
/// How long after it has been started again the death of a connector's task counts.
const DEATH_COUNTS_FOR: Duration = Duration::from_secs(600);

/// Pages of a queue that nobody looks after which are routed anew at once.
const ORPHAN_PAGES: usize = 8;

/// Why new settings did not come into force: the old ones are as they were.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// They contradict themselves.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<SettingsProblem>),
    /// Peers can't be accepted where they are to be.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The MTA is stopping.
    #[error("the MTA is stopping")]
    Stopping,
}

/// Why what is queued for connectors that do not exist was not routed anew.
#[derive(Debug, thiserror::Error)]
pub enum OrphansError {
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Read(#[from] SpoolError),
    /// The store can't be written.
    #[error("the store can't be written: {0}")]
    Commit(#[from] CommitError),
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
    /// Addresses at which peers are accepted now and were not, ports filled in.
    pub listens: Vec<SocketAddr>,
    /// Addresses at which they were accepted and are no longer; their associations live on.
    pub listens_no_more: Vec<SocketAddr>,
    /// What is not done yet, and why. The settings are in force all the same, and the MTA goes on trying.
    pub outstanding: Vec<String>,
}

impl std::fmt::Display for ReloadSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let [added, changed, removed] = [&self.added, &self.changed, &self.removed].map(|names| list(names));
        write!(f, "connectors added: {added}; changed: {changed}; removed: {removed}")?;
        let addresses =
            |all: &[SocketAddr]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !self.listens.is_empty() {
            write!(f, "; peers are accepted at {}", addresses(&self.listens))?;
        }
        if !self.listens_no_more.is_empty() {
            write!(f, "; no more at {}", addresses(&self.listens_no_more))?;
        }
        if !self.outstanding.is_empty() {
            write!(f, "; not done yet, but tried again: {}", self.outstanding.join("; "))?;
        }
        Ok(())
    }
}

/// The running connector tasks. Held while a reload is under way, so that two can't mix.
#[derive(Default)]
pub(crate) struct Connectors {
    pub(crate) running: BTreeMap<String, (Arc<ConnectorSettings>, JoinHandle<()>)>,
    /// How often tasks have died in a row, and when each may be started again.
    died: BTreeMap<String, (u32, MonoTime)>,
    /// Those whose tasks have ended and whose queues are still in use. Until they are not, nobody else touches them.
    ending: BTreeMap<String, Arc<ConnectorEntry>>,
}

impl Connectors {
    pub(crate) async fn start(
        &mut self,
        shared: &Arc<Shared>,
        settings: ConnectorSettings,
    ) -> Result<(), SpoolError> {
        let settings = Arc::new(settings);
        // Spread by name and start time, so that MTAs which fail together do not try together.
        let seed = settings.name.bytes().fold(shared.started.unix().unsigned_abs(), |sum, octet| {
            sum.wrapping_mul(31).wrapping_add(u64::from(octet))
        });
        let (mut connector, entry) =
            Connector::new(Arc::clone(shared), Arc::clone(&settings), (seed % 101) as u16);
        connector.load_interruptions().await?;
        entry.set_frozen(shared.spool.get(FROZEN, settings.name.as_bytes()).await?.is_some());
        shared.add_connector(&settings.name, Arc::clone(&entry));
        // Whatever gets its number from here on is announced to the new entry.
        entry.depth.announced_from(shared.sequence.upcoming());
        // A stop that began during a reload has not seen it.
        if shared.stop.is_given() {
            entry.stop.give();
        }
        let name = settings.name.clone();
        self.running.insert(name, (settings, tokio::spawn(connector.run())));
        Ok(())
    }

    /// Stops these connectors, all at the same time, and waits until nothing of theirs touches their queues, but not
    /// for ever.
    async fn stop(&mut self, shared: &Arc<Shared>, names: impl Iterator<Item = &String>) {
        let mut ending = JoinSet::new();
        for name in names {
            let (Some((_, mut task)), Some(entry)) = (self.running.remove(name), shared.connector(name))
            else {
                continue;
            };
            self.ending.insert(name.clone(), Arc::clone(&entry));
            ending.spawn(async move {
                entry.stop.give();
                if tokio::time::timeout(STOP_TIMEOUT, &mut task).await.is_err() {
                    task.abort();
                    let _ = task.await;
                }
                // Associations of the peer's end by themselves within their grace.
                let _ = tokio::time::timeout(STOP_TIMEOUT, entry.unused()).await;
            });
        }
        while ending.join_next().await.is_some() {}
        self.let_go(shared);
    }

    /// Forgets those that have ended and whose queues nobody uses any more.
    fn let_go(&mut self, shared: &Shared) {
        self.ending.retain(|name, entry| {
            if entry.is_used() {
                return true;
            }
            shared.remove_connector(name);
            false
        });
    }

    /// Starts what should run and does not: connectors whose tasks have ended although nobody stopped them, which is a
    /// defect, and those that a reload could not start because the store did not answer. Neither must cost mail more
    /// than a pause.
    pub(crate) async fn revive(&mut self, shared: &Arc<Shared>) -> Result<(), SpoolError> {
        if shared.stop.is_given() {
            return Ok(());
        }
        let now = shared.clocks.mono();
        self.died.retain(|_, (_, at)| now.saturating_since(*at) < DEATH_COUNTS_FOR);
        let ended = self.running.iter().filter(|(_, (_, task))| task.is_finished());
        let ended: Vec<String> = ended.map(|(name, _)| name.clone()).collect();
        for name in &ended {
            let (deaths, at) = self.died.entry(name.clone()).or_insert((0, now));
            let pause = FIRST_DEATH_PAUSE * 2_u32.saturating_pow(deaths.saturating_sub(1));
            let pause = if *deaths == 0 { Duration::ZERO } else { pause.min(LONGEST_DEATH_PAUSE) };
            (*deaths, *at) = (deaths.saturating_add(1), now + pause);
            let text = format!(
                "its task ended unexpectedly; the connector is started again in {} s",
                pause.as_secs()
            );
            shared.event(EventKind::InternalError, name, text);
        }
        self.stop(shared, ended.iter()).await;
        self.let_go(shared);
        for connector in &shared.agent().settings().connectors {
            // One that dies at once each time must not cost the others more than a look.
            let may_start = self.died.get(&connector.name).is_none_or(|(_, at)| *at <= now);
            if may_start && !self.exists(&connector.name) {
                self.start(shared, connector.clone()).await?;
            }
        }
        Ok(())
    }

    /// Whether a queue has somebody who looks after it, or who has not let go of it yet.
    fn exists(&self, name: &str) -> bool {
        self.running.contains_key(name) || self.ending.contains_key(name)
    }

    /// Puts new settings into force while mail flows; with `door`, peers are accepted there from then on.
    pub(crate) async fn reload(
        &mut self,
        shared: &Arc<Shared>,
        settings: AgentSettings,
        door: Option<(&mut Listeners, &[SocketAddr])>,
    ) -> Result<ReloadSummary, ReloadError> {
        if shared.stop.is_given() {
            return Err(ReloadError::Stopping);
        }
        let agent = Agent::new(settings.clone()).map_err(ReloadError::Settings)?;
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
        let door = match door {
            Some((listeners, wanted)) => {
                let change = listeners.prepare(shared, wanted).await?;
                Some((listeners, change))
            }
            None => None,
        };
        // From here on nothing new is routed to a connector that goes away.
        shared.replace_agent(agent);
        self.stop(shared, summary.removed.iter().chain(&summary.changed)).await;
        for name in &summary.changed {
            shared.recovery.forget_associations(name);
        }
        for name in &summary.removed {
            let dropped = shared.recovery.forget_connector(name);
            recovery::store::discard(shared, dropped, "the connector was removed").await;
        }
        for name in self.ending.keys() {
            summary
                .outstanding
                .push(format!("{name}: its queue is still in use by what goes by the old settings"));
        }
        // The new settings are in force: what can't be done now is done later, whatever else can.
        for connector in &settings.connectors {
            let name = &connector.name;
            if self.exists(name) {
                continue;
            }
            if !summary.changed.contains(name) {
                summary.added.push(name.clone());
            }
            if let Err(error) = self.start(shared, connector.clone()).await {
                summary.outstanding.push(format!("{name}: its queue can't be read: {error}"));
            }
        }
        if let Some((listeners, change)) = door {
            // Whoever comes in meets the new connectors.
            let changed = listeners.commit(shared, change).await;
            (summary.listens, summary.listens_no_more) = (changed.added, changed.removed);
        }
        match self.requeue_orphans(shared).await {
            Ok(false) => {}
            // Housekeeping goes on with it.
            Ok(true) => shared.orphans.notify_one(),
            Err(error) => {
                shared.orphans.notify_one();
                summary
                    .outstanding
                    .push(format!("what waits for removed connectors can't be routed: {error}"));
            }
        }
        for (_, entry) in shared.connectors() {
            // One that is ending has nothing to look at; the others read their messages.
            let _ = entry.messages.send(Message::Recheck).await;
        }
        let kind = if summary.outstanding.is_empty() {
            EventKind::ConfigurationReloaded
        } else {
            EventKind::ConfigurationIncomplete
        };
        shared.event(kind, "", summary.to_string());
        Ok(summary)
    }

    /// Routes anew what is queued for connectors that do not exist (any more), but no more than some at once: whoever waits
    /// for this has other work. Tells whether there is more.
    pub(crate) async fn requeue_orphans(&self, shared: &Arc<Shared>) -> Result<bool, OrphansError> {
        let (mut after, mut pages_left): (Option<Vec<u8>>, _) = (None, ORPHAN_PAGES);
        loop {
            let first = shared.spool.scan(OUTBOUND, &[], after.as_deref(), 1).await?.into_iter().next();
            let Some((key, _)) = first else { return Ok(false) };
            let Some(OutboundKey { connector, .. }) = OutboundKey::parse(&key) else {
                after = Some(key);
                continue;
            };
            // The separator of a key is 0x00: this is behind every record of the connector.
            after = Some([connector.as_bytes(), &[1]].concat());
            // One that is in the settings and is not running will be.
            if shared.agent().settings().connector(&connector).is_some() || self.exists(&connector) {
                continue;
            }
            let mut pages = Pages::new(OUTBOUND, outbound_prefix(&connector));
            while let Some(page) = pages.next(&*shared.spool).await? {
                if pages_left == 0 {
                    return Ok(true);
                }
                pages_left -= 1;
                requeue(shared, page).await?;
            }
        }
    }
}

/// Routes a page of a queue anew that nobody looks after.
async fn requeue(shared: &Arc<Shared>, page: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), CommitError> {
    let agent = shared.agent();
    let mut commits = JoinSet::new();
    for (key, octets) in page {
        let step = match OutboundRecord::decode(&octets) {
            Ok(record) => {
                let (now, sequence, why) = (shared.clocks.wall(), &shared.sequence, NotCarried::Removed);
                sheltered(|| agent.without_connector(now, sequence, &key, &record, why))
                    .map_err(|panicked| panicked.to_string())
            }
            Err(error) => Err(format!("a queued record can't be understood: {error}")),
        };
        // For people to look at; nobody else would ever take it.
        let step = step.unwrap_or_else(|why| agent::quarantine(OUTBOUND, &key, octets, why));
        let shared = Arc::clone(shared);
        commits.spawn(async move { shared.commit(step).await });
    }
    let mut outcome = Ok(());
    while let Some(committed) = commits.join_next().await {
        match committed {
            // What is gone was settled by somebody else.
            Ok(Ok(()) | Err(CommitError::AssertionFailed { .. })) => {}
            Ok(Err(error)) => outcome = Err(error),
            Err(_) => outcome = Err(CommitError::Closed),
        }
    }
    outcome
}
