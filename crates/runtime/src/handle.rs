//! What administration asks of a running MTA, and local users of their mailboxes. What they submit is in `submission`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::record::{MAILBOX, MailboxKey, MailboxRecord, Record, RecordError, mailbox_prefix};
use agent::settings::{AgentSettings, ConnectorSettings, SettingsProblem};
use agent::{Agent, Route, RouteDecision, RouteQuestion, TrackRecord};
use mhs::OrAddress;
use spool::{BodyId, CommitError, SpoolError};
use tokio::sync::Mutex;

use crate::connectors::{Connectors, ReloadError, ReloadSummary};
use crate::events::{Event, EventDigest, EventKind, EventNews};
use crate::ledger::Resource;
use crate::limits::RuntimeLimits;
use crate::line::Message;
use crate::listeners::Listeners;
use crate::pages::Pages;
use crate::recorder::RecordedConnection;
use crate::shared::Shared;
use crate::status::{
    AssociationStatus, Condition, ConnectorStatus, MailboxStatus, MtaInfo, MtaStatus, RecordingStatus,
    ResourceStatus, TimesStatus, WorkQueueStatus,
};
use crate::tracking::{self, Tracking};
use crate::tracking_index::{TrackingIndexStatus, TrackingQuery};
use crate::tracking_search::{self, TrackingPage, TrackingSpan};

/// Access to a running MTA. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connectors: Arc<Mutex<Connectors>>,
    pub(crate) listeners: Arc<Mutex<Listeners>>,
}

/// Why an administrative request failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No connector of this name.
    #[error("there is no connector `{0}`")]
    NoSuchConnector(String),
    /// No message of this number or MTS-identifier is in any queue.
    #[error("no message `{0}` is in any queue")]
    NoSuchMessage(String),
    /// Nothing of this number is in quarantine, or nothing that could go back.
    #[error("nothing of number {0} that can be used is in quarantine")]
    NotQuarantined(u64),
    /// No place in a list.
    #[error("`{0}` is no place in the list")]
    NoSuchPlace(String),
    /// Nothing is transferred from the queue of this connector until it is thawed.
    #[error("the queue of {0} is frozen")]
    Frozen(String),
    /// This connector opens no associations.
    #[error("{0} opens no associations: it is {1}")]
    OpensNothing(String, &'static str),
    /// The store does not take a change.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] SpoolError),
    /// A stored record is damaged.
    #[error("a stored record is damaged: {0}")]
    Record(#[from] RecordError),
}

/// One entry of a mailbox.
#[derive(Clone, Debug)]
pub struct MailboxEntry {
    /// Number, unique in this MTA and rising.
    pub number: u64,
    /// What was delivered.
    pub record: MailboxRecord,
}

impl Handle {
    pub(crate) fn new(
        shared: Arc<Shared>,
        connectors: Arc<Mutex<Connectors>>,
        listeners: Arc<Mutex<Listeners>>,
    ) -> Handle {
        Handle { shared, connectors, listeners }
    }

    /// The addresses on which peers are accepted, ports filled in.
    pub async fn p1_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.lock().await.addresses()
    }

    /// All connectors.
    pub fn connectors(&self) -> Vec<ConnectorStatus> {
        let agent = self.shared.agent();
        let mut all = Vec::new();
        for (name, entry) in self.shared.connectors() {
            let Some(settings) = agent.settings().connector(&name) else { continue };
            let view = entry.view.borrow().clone();
            all.push(ConnectorStatus {
                remote_mta: settings.remote_mta.to_string(),
                remote_mta_aliases: settings.remote_mta_aliases.iter().map(ToString::to_string).collect(),
                called_selectors: (&settings.called_selectors).into(),
                calling_selectors: (&settings.calling_selectors).into(),
                hosts: settings.hosts.clone(),
                state: view.state.to_owned(),
                associations: self.shared.registry.count(&name),
                waiting: view.waiting,
                consecutive_failures: view.consecutive_failures,
                next_retry: view.retry_time.map(|time| time.to_string()),
                traffic: self.shared.traffic.status(&name),
                retry_in_s: view.retry_at.map(|at| at.saturating_since(self.shared.clocks.mono()).as_secs()),
                last_failure: view.last_failure,
                failing_since: view.outage.since().map(|since| since.to_string()),
                failed_attempts: view.outage.attempts(),
                max_open_retries: settings.retry.max_open_retries,
                held: self.shared.ledger.held_by(&name),
                address_spaces: settings
                    .address_space
                    .iter()
                    .map(|entry| format!("{} (cost {})", entry.space, entry.cost))
                    .collect(),
                name,
            });
        }
        all
    }

    /// The settings that a connector has at this moment.
    pub fn connector_settings(&self, name: &str) -> Option<ConnectorSettings> {
        self.shared.agent().settings().connector(name).cloned()
    }

    /// What the flight recorder has: recordings of ended associations, oldest first, then of live ones.
    pub fn recordings(&self) -> Vec<RecordingStatus> {
        self.shared.recorder.list()
    }

    /// The recordings of one association as a packet capture in libpcap's classic format.
    pub fn recording(&self, association: u64) -> Option<Vec<u8>> {
        self.shared.recorder.capture(association)
    }

    /// The recordings of one association, TPDU by TPDU: a connection for each address that was tried, oldest first.
    pub fn recorded(&self, association: u64) -> Vec<RecordedConnection> {
        self.shared.recorder.recorded(association)
    }

    /// Makes a connector try to connect now, whatever its retry timer says.
    ///
    /// # Errors
    /// No such connector.
    pub async fn connect(&self, connector: &str, by: &str) -> Result<(), AdminError> {
        let entry = self.entry(connector)?;
        // A connector that is ending connects no more.
        let _ = entry.messages.send(Message::ConnectNow).await;
        self.audit(connector, by, "connect", None);
        Ok(())
    }

    /// All live associations.
    pub fn associations(&self) -> Vec<AssociationStatus> {
        self.shared.registry.list()
    }

    /// Where a message to `address` would go, and why.
    pub fn route(&self, address: &OrAddress, question: RouteQuestion<'_>) -> Route {
        self.shared.agent().route_now(address, question, self.shared.moment())
    }

    /// The same with other settings, which are not put into force. Connectors that are in both stand as they do now.
    ///
    /// # Errors
    /// The settings contradict themselves.
    pub fn route_under(
        &self,
        settings: AgentSettings,
        address: &OrAddress,
        question: RouteQuestion<'_>,
    ) -> Result<Route, Vec<SettingsProblem>> {
        Ok(Agent::new(settings)?.route_now(address, question, self.shared.moment()))
    }

    /// Looks at the settings in force.
    pub fn settings<T>(&self, look: impl FnOnce(&AgentSettings) -> T) -> T {
        look(self.shared.agent().settings())
    }

    /// What is at this address, without looking at redirections.
    pub fn lookup(&self, address: &OrAddress) -> RouteDecision {
        self.shared.agent().lookup(address)
    }

    /// Mailboxes that have content, with the number of their entries.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxStatus>, AdminError> {
        let mut mailboxes: Vec<MailboxStatus> = Vec::new();
        let mut current = String::new();
        let mut pages = Pages::new(MAILBOX, Vec::new());
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            for (key, octets) in &page {
                let Some(key) = MailboxKey::parse(key) else { continue };
                match mailboxes.last_mut() {
                    Some(last) if key.mailbox == current => last.entries += 1,
                    Some(_) | None => {
                        let address = MailboxRecord::decode(octets)?.recipient;
                        mailboxes.push(MailboxStatus { address, entries: 1 });
                        current = key.mailbox;
                    }
                }
            }
        }
        Ok(mailboxes)
    }

    /// A page of a mailbox, oldest first: at most `limit` entries after number `after`.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn mailbox(
        &self,
        address: &OrAddress,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MailboxEntry>, AdminError> {
        let mailbox = address.canonical_key();
        let prefix = mailbox_prefix(&mailbox);
        let after = after.map(|sequence| MailboxKey { mailbox, sequence }.encode());
        let page = self.shared.spool.scan(MAILBOX, &prefix, after.as_deref(), limit).await?;
        let mut entries = Vec::with_capacity(page.len());
        for (key, octets) in page {
            let Some(key) = MailboxKey::parse(&key) else { continue };
            entries.push(MailboxEntry { number: key.sequence, record: MailboxRecord::decode(&octets)? });
        }
        Ok(entries)
    }

    /// One entry of a mailbox.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn mailbox_entry(
        &self,
        address: &OrAddress,
        number: u64,
    ) -> Result<Option<MailboxEntry>, AdminError> {
        let key = MailboxKey { mailbox: address.canonical_key(), sequence: number }.encode();
        match self.shared.spool.get(MAILBOX, &key).await? {
            Some(octets) => Ok(Some(MailboxEntry { number, record: MailboxRecord::decode(&octets)? })),
            None => Ok(None),
        }
    }

    /// Up to `max` octets of a stored content from `offset`; empty at the end.
    ///
    /// # Errors
    /// No such body, or it is damaged.
    pub async fn read_body(&self, body: BodyId, offset: u64, max: usize) -> Result<Vec<u8>, SpoolError> {
        self.shared.spool.read_body(body, offset, max).await
    }

    /// Puts new settings into force: connectors are added, changed and removed while mail flows.
    ///
    /// It goes on to its end even if the caller goes away meanwhile: half a reload would leave connectors without a task.
    ///
    /// # Errors
    /// The settings contradict themselves, or the MTA is stopping; the old settings stay in force. Whatever else goes wrong
    /// is in the summary.
    pub async fn reload(&self, settings: AgentSettings) -> Result<ReloadSummary, ReloadError> {
        self.clone().reload_in_a_task(settings, None).await
    }

    /// The same, and from then on peers are accepted at the addresses `p1` and no others. Associations live on, wherever
    /// they were accepted.
    ///
    /// # Errors
    /// As for [`Handle::reload`]; and one of the addresses can't be listened on: all settings stay as they are then.
    pub async fn reload_listening(
        &self,
        settings: AgentSettings,
        p1: Vec<SocketAddr>,
    ) -> Result<ReloadSummary, ReloadError> {
        self.clone().reload_in_a_task(settings, Some(p1)).await
    }

    async fn reload_in_a_task(
        self,
        settings: AgentSettings,
        p1: Option<Vec<SocketAddr>>,
    ) -> Result<ReloadSummary, ReloadError> {
        let task = tokio::spawn(async move {
            let mut connectors = self.connectors.lock().await;
            let mut listeners = self.listeners.lock().await;
            let door = p1.as_deref().map(|p1| (&mut *listeners, p1));
            connectors.reload(&self.shared, settings, door).await
        });
        // A task that does not end in order ends with the process.
        task.await.unwrap_or(Err(ReloadError::Stopping))
    }

    /// Records that new settings did not come into force, and why.
    pub fn reload_refused(&self, why: &str) {
        let text = format!("the configuration stays as it was: {why}");
        self.shared.event(EventKind::ConfigurationRefused, "", text);
    }

    /// Puts new limits into force for associations that are opened from now on. What was shared out at the start stays:
    /// see [`RuntimeLimits::with_resources_of`].
    pub fn apply_limits(&self, limits: RuntimeLimits) {
        self.shared.replace_limits(limits);
    }

    /// The MTA as a whole.
    pub fn info(&self) -> MtaInfo {
        let agent = self.shared.agent();
        MtaInfo {
            name: agent.settings().mta.name.to_string(),
            domain: agent.settings().mta.domain.to_string(),
            version: crate::VERSION,
            started: self.shared.started.to_string(),
            unhealthy: self.shared.spool.unhealthy_reason().map(|reason| reason.to_string()),
            counters: self.shared.counters.now(),
        }
    }

    /// The MTA at a glance.
    pub fn status(&self) -> MtaStatus {
        let info = self.info();
        let mut reasons: Vec<String> =
            info.unhealthy.iter().map(|reason| format!("no new messages are accepted: {reason}")).collect();
        for what in [Resource::Slot, Resource::Octets] {
            if let Some(level) = self.shared.ledger.level(what).filter(|level| level.is_high()) {
                reasons.push(format!("{} of {} {what} are in use", level.held, level.limit));
            }
        }
        let (mut failing, mut queued, mut queued_octets, mut counting) = (0, 0_u64, 0_u64, false);
        let connectors = self.shared.connectors();
        for (name, entry) in &connectors {
            let total = entry.depth.total();
            queued = queued.saturating_add(total.messages);
            queued_octets = queued_octets.saturating_add(total.octets);
            counting |= !total.is_complete;
            let view = entry.view.borrow();
            if let Some(since) = view.outage.since() {
                failing += 1;
                let why = view.last_failure.as_deref().unwrap_or("for reasons unknown");
                reasons.push(format!("connector {name} has failed since {since}: {why}"));
            }
        }
        reasons.extend(self.shared.monitors.complaints());
        let condition = match (self.is_stopping(), reasons.is_empty()) {
            (true, _) => Condition::Stopping,
            (false, true) => Condition::Ready,
            (false, false) => Condition::Degraded,
        };
        MtaStatus {
            info,
            condition,
            reasons,
            connectors: connectors.len(),
            failing,
            associations: self.shared.registry.list().len(),
            queued: (!counting).then_some(queued),
            queued_octets: (!counting).then_some(queued_octets),
            counting,
            resources: self.resources(),
        }
    }

    /// Whether it is ending.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_given()
    }

    /// The time of day as the MTA has it, RFC 3339.
    pub fn now(&self) -> String {
        self.shared.clocks.wall().to_string()
    }

    /// How long ago the MTA last showed that it is alive. It does every five seconds, whatever its peers do.
    pub fn since_alive(&self) -> Duration {
        self.shared.since_beat()
    }

    /// What connectors and callers hold of what associations need, and what there is.
    pub fn resources(&self) -> ResourceStatus {
        self.shared.ledger.status()
    }

    /// What waits for a decision.
    pub fn work_queue(&self) -> WorkQueueStatus {
        let (messages, more) = self.shared.work.known();
        WorkQueueStatus { messages: messages as u64, more, deferred: self.shared.deferred.count() as u64 }
    }

    /// The newest events whose number is `after` or above.
    pub fn events(&self, after: u64) -> Vec<Event> {
        self.shared.events.since(after)
    }

    /// Of the events from number `after` on, the oldest so many that are mere information, and the newest so many others.
    pub fn event_digest(&self, after: u64, information: usize, troubles: usize) -> EventDigest {
        self.shared.events.digest(after, information, troubles)
    }

    /// Tells of new events.
    pub fn event_news(&self) -> EventNews {
        self.shared.events.news()
    }

    /// A part of what happened between two times, newest hours first, of what `query` asks for and `wanted` takes.
    ///
    /// # Errors
    /// No such place, or the store can't be read.
    pub async fn search_tracking(
        &self,
        span: TrackingSpan,
        query: &TrackingQuery,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&TrackRecord) -> bool,
    ) -> Result<TrackingPage, AdminError> {
        tracking_search::search(&self.shared, span, query, after, limit, wanted).await
    }

    /// How far the index of message tracking has come; none where the store is not on a disk.
    pub fn tracking_index(&self) -> Option<TrackingIndexStatus> {
        self.shared.tracking_index.as_ref().map(|index| index.status())
    }

    /// How often each kind of event has happened since the start.
    pub fn event_counts(&self) -> Vec<(EventKind, u64)> {
        self.shared.events.counts()
    }

    /// How long things took since the start.
    pub fn times(&self) -> TimesStatus {
        let times = &self.shared.times;
        TimesStatus { commits: times.commits.now(), transits: times.transits.now() }
    }

    /// What became of a message, probe or report and of the reports on it, by its MTS-identifier; over restarts, as far
    /// back as tracking is kept.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn track(&self, mts_identifier: &str) -> Result<Tracking, AdminError> {
        tracking::find(&self.shared, mts_identifier).await
    }
}
