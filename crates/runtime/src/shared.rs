//! What all tasks of one MTA share: the store, the agent, the registry, the event log.
//!
//! The only lock that tasks of different peers both take is held for a map look-up, never across an await.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use agent::record::{OutboundKey, WorkKey};
use agent::{Agent, Departure, Discard, Effect, IncomingApdu, Links, Moment, Step};
use clock::WallTime;
use mhs::codes::NonDeliveryDiagnosticCode;
use osi::stack::SessionReference;
use spool::{Batch, CommitError, Spool};
use tokio::sync::{Notify, Semaphore};

use crate::backlog::Backlog;
use crate::carried_on::CarriedOn;
use crate::clocks::Clocks;
use crate::events::{EventKind, EventLog};
use crate::ledger::Ledger;
use crate::limits::RuntimeLimits;
use crate::monitor::Monitors;
use crate::pool::Pool;
use crate::recorder::{Recorder, RecorderSettings};
use crate::recovery::Recovery;
use crate::registry::{ConnectorEntry, Registry};
use crate::sequence::DurableSequence;
use crate::signal::Signal;
use crate::status::Counters;
use crate::supervisor::Surrender;
use crate::times::Times;
use crate::tracking_index::TrackingIndex;
use crate::traffic::Traffic;
use crate::trials::Trials;
use crate::work::{self, Decide, Deferred};
use crate::world::Surroundings;

/// The most of [`Shared::stop_grace`].
const MAX_STOP_GRACE: Duration = Duration::from_secs(8);
/// Wait before a step is tried again for which there was no space.
const SPACE_RETRY: Duration = Duration::from_secs(1);
/// Characters of the MTA's name in a session connection identifier, which has room for 62 octets.
const NAME_IN_REFERENCE: usize = 20;

/// State of one MTA.
pub(crate) struct Shared {
    pub(crate) clocks: Clocks,
    pub(crate) started: WallTime,
    pub(crate) spool: Arc<dyn Spool>,
    pub(crate) sequence: DurableSequence,
    pub(crate) registry: Arc<Registry>,
    /// What connectors and callers hold, and may hold.
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) events: EventLog,
    /// What watches over links.
    pub(crate) monitors: Monitors,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) counters: Counts,
    /// What has passed each link.
    pub(crate) traffic: Traffic,
    /// How long things took.
    pub(crate) times: Times,
    /// What outlives broken associations.
    pub(crate) recovery: Arc<Recovery>,
    /// How long an association may take to end in order when its connector or the MTA stops.
    pub(crate) stop_grace: Duration,
    /// The system, or what takes its place.
    pub(crate) surroundings: Surroundings,
    /// When housekeeping last came round, in milliseconds of the monotonic clock.
    beat: AtomicU64,
    /// The window over the work queue.
    pub(crate) work: Backlog,
    /// What of it waits for a time.
    pub(crate) deferred: Deferred,
    /// Given when the MTA stops.
    pub(crate) stop: Signal,
    /// Where decisions are made.
    pub(crate) pool: Arc<Pool>,
    /// How they are made about the work queue.
    pub(crate) decide: Decide,
    /// Items whose handling fails.
    pub(crate) trials: Arc<Trials>,
    /// Given when the MTA has to end because of a defect.
    pub(crate) surrender: Surrender,
    /// Records of message tracking in the store, as far as they are counted.
    pub(crate) tracked: AtomicU64,
    /// By what entries of message tracking are found, if there is such an index.
    pub(crate) tracking_index: Option<Arc<TrackingIndex>>,
    agent: RwLock<Arc<Agent>>,
    limits: RwLock<Arc<RuntimeLimits>>,
    /// Tells when a connector has been started.
    pub(crate) connector_changes: Notify,
    connectors: Mutex<BTreeMap<String, Arc<ConnectorEntry>>>,
    /// Something was queued for a connector that is not running.
    pub(crate) orphans: Notify,
    /// Of all walks through queues one reads at a time.
    pub(crate) surveys: Semaphore,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) transferred_in: Count,
    pub(crate) transferred_out: Count,
    pub(crate) duplicates: Count,
    pub(crate) submitted: Count,
    pub(crate) delivered: Count,
    pub(crate) non_delivered: Count,
    pub(crate) failed_opens: Count,
    pub(crate) loops: Count,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn now(&self) -> Counters {
        Counters {
            transferred_in: self.transferred_in.now(),
            transferred_out: self.transferred_out.now(),
            duplicates: self.duplicates.now(),
            submitted: self.submitted.now(),
            delivered: self.delivered.now(),
            non_delivered: self.non_delivered.now(),
            failed_opens: self.failed_opens.now(),
            loops: self.loops.now(),
        }
    }
}

impl Shared {
    pub(crate) fn new(
        surroundings: Surroundings,
        limits: RuntimeLimits,
        recorder: RecorderSettings,
        spool: Arc<dyn Spool>,
        sequence: DurableSequence,
        agent: Agent,
        stop_timeout: Duration,
    ) -> Shared {
        let ledger = Arc::new(Ledger::new(limits.resources()));
        let clocks = Clocks::start(surroundings.clone());
        Shared {
            started: clocks.wall(),
            clocks,
            limits: RwLock::new(Arc::new(limits)),
            connector_changes: Notify::new(),
            spool,
            sequence,
            registry: Arc::default(),
            ledger,
            events: EventLog::default(),
            monitors: Monitors::default(),
            recorder: Arc::new(Recorder::new(recorder)),
            counters: Counts::default(),
            traffic: Traffic::default(),
            times: Times::default(),
            recovery: Arc::default(),
            // What is left of the timeout is for the store and for the peers to hear of the end.
            stop_grace: MAX_STOP_GRACE.min(stop_timeout / 4 * 3),
            pool: Arc::new(Pool::new(surroundings.has_threads())),
            surroundings,
            beat: AtomicU64::new(0),
            work: Backlog::new(agent::record::WORK, Vec::new()),
            deferred: Deferred::default(),
            stop: Signal::default(),
            decide: work::decide,
            trials: Arc::default(),
            surrender: Surrender::default(),
            tracked: AtomicU64::new(0),
            tracking_index: None,
            agent: RwLock::new(Arc::new(agent)),
            connectors: Mutex::default(),
            orphans: Notify::new(),
            surveys: Semaphore::new(1),
        }
    }

    /// The agent with the settings of the moment.
    pub(crate) fn agent(&self) -> Arc<Agent> {
        Arc::clone(&self.agent.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The limits of the moment.
    pub(crate) fn limits(&self) -> Arc<RuntimeLimits> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts new limits into force, for what begins from now on. What was shared out at the start stays.
    pub(crate) fn replace_limits(&self, limits: RuntimeLimits) {
        let mut current = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(limits.with_resources_of(&current));
    }

    /// What decisions have to know of this moment.
    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment { now: self.clocks.wall(), sequence: &self.sequence, links: self }
    }

    /// Puts new settings into force.
    pub(crate) fn replace_agent(&self, agent: Agent) {
        *self.agent.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(agent);
    }

    /// Housekeeping is at work.
    pub(crate) fn beat(&self) {
        let now = self.clocks.mono().since_start().as_millis();
        self.beat.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago housekeeping was at work: it never waits for a peer, so this is short while the MTA is sound.
    pub(crate) fn since_beat(&self) -> Duration {
        let last = Duration::from_millis(self.beat.load(Ordering::Relaxed));
        self.clocks.mono().since_start().saturating_sub(last)
    }

    /// The connector of this name, if it is running.
    pub(crate) fn connector(&self, name: &str) -> Option<Arc<ConnectorEntry>> {
        self.lock_connectors().get(name).cloned()
    }

    /// All running connectors by name.
    pub(crate) fn connectors(&self) -> Vec<(String, Arc<ConnectorEntry>)> {
        self.lock_connectors().iter().map(|(name, entry)| (name.clone(), Arc::clone(entry))).collect()
    }

    pub(crate) fn add_connector(&self, name: &str, entry: Arc<ConnectorEntry>) {
        self.ledger.open_account(name);
        self.lock_connectors().insert(name.to_owned(), entry);
        self.connector_changes.notify_waiters();
    }

    pub(crate) fn remove_connector(&self, name: &str) {
        self.lock_connectors().remove(name);
        self.ledger.close_account(name);
    }

    /// Makes one step durable, then announces what it means. While the disk is full the step waits: what it settles
    /// has happened, and most steps give space back.
    ///
    /// Both happen even if the caller goes away meanwhile: a step that is durable but not announced would be work
    /// that nobody does until a restart.
    pub(crate) async fn commit(self: &Arc<Self>, step: Step) -> Result<(), CommitError> {
        self.commit_patiently(step, true).await
    }

    /// As [`Shared::commit`], for a step by which this MTA becomes responsible for something: a full disk refuses it.
    pub(crate) async fn accept(self: &Arc<Self>, step: Step) -> Result<(), CommitError> {
        self.commit_patiently(step, false).await
    }

    async fn commit_patiently(self: &Arc<Self>, mut step: Step, patiently: bool) -> Result<(), CommitError> {
        let traced = self.agent().track(self.clocks.wall(), &self.sequence, &mut step);
        let shared = Arc::clone(self);
        let carried = CarriedOn::new(async move {
            if !step.batch.is_empty() {
                // Counted first: housekeeping must not take away what isn't counted yet.
                shared.tracked.fetch_add(traced.records, Ordering::Relaxed);
                if let Err(error) = shared.write(step.batch, patiently).await {
                    shared.tracked.fetch_sub(traced.records, Ordering::Relaxed);
                    return Err(error);
                }
                if let Some(index) = &shared.tracking_index {
                    index.leave(traced.entries);
                }
            }
            for effect in step.effects {
                shared.announce(effect);
            }
            Ok(())
        });
        // Whether a step that ends by a defect is durable is found out at the next start.
        carried.await.unwrap_or(Err(CommitError::Closed))
    }

    async fn write(&self, mut batch: Batch, patiently: bool) -> Result<(), CommitError> {
        loop {
            let again = if patiently { batch.duplicate() } else { None };
            let began = self.clocks.mono();
            let committed = self.spool.commit(batch).await;
            self.times.commits.observe(self.clocks.mono().saturating_since(began));
            match (committed, again) {
                (Err(CommitError::NoSpace { .. }), Some(again)) if !self.stop.is_given() => batch = again,
                (outcome, _) => return outcome,
            }
            tokio::select! {
                () = tokio::time::sleep(SPACE_RETRY) => {}
                () = self.stop.given() => {}
            }
        }
    }

    /// The store refused a step that had to be made, and not for want of space. It refuses all further ones, so
    /// accepting ends by itself.
    pub(crate) fn store_failed(&self, error: &CommitError) {
        self.event(EventKind::StoreFailed, "", format!("a step could not be made durable: {error}"));
    }

    pub(crate) fn event(&self, kind: EventKind, subject: &str, text: impl Into<String>) {
        self.events.record(self.clocks.wall(), kind, subject, text);
    }

    /// An event that is like another of its kind if the causes are the same, whatever else the text says.
    pub(crate) fn event_caused(&self, kind: EventKind, subject: &str, cause: &str, text: String) {
        self.events.record_caused(self.clocks.wall(), kind, subject, cause, text);
    }

    /// Session connection identifier for a new association (X.228: user reference and time). Who knows it may recover
    /// the association, so nobody must guess it: it has 64 bits of a hash under a random key of this process.
    pub(crate) fn session_reference(&self, number: u64) -> SessionReference {
        let agent = self.agent();
        let name: String = agent.settings().mta.name.as_str().chars().take(NAME_IN_REFERENCE).collect();
        SessionReference {
            user_reference: format!("{name}-{number}-{:016x}", self.surroundings.secret(number)),
            time: self.clocks.wall(),
        }
    }

    fn announce(&self, effect: Effect) {
        match effect {
            Effect::WorkAdded { rank, sequence } => self.work.added(WorkKey { rank, sequence }.encode()),
            Effect::Queued { connector, rank, sequence, size, .. } => {
                let key = OutboundKey { connector: connector.clone(), rank, sequence }.encode();
                match self.connector(&connector) {
                    Some(entry) => entry.queued(key, size),
                    // A reload has changed or removed the connector since this was decided. One that was changed finds
                    // it in the store when it starts; what was left to one that is gone is looked for.
                    None => self.orphans.notify_one(),
                }
            }
            Effect::Dequeued { connector, rank, sequence, size, why, recipients, .. } => {
                if why == Departure::Transferred {
                    self.traffic.sent(&connector, size, recipients, self.clocks.wall());
                }
                let key = OutboundKey { connector: connector.clone(), rank, sequence }.encode();
                if let Some(entry) = self.connector(&connector) {
                    entry.dequeued(&key, size);
                }
            }
            Effect::Held { connector } => {
                if let Some(entry) = self.connector(&connector) {
                    entry.hold();
                }
            }
            Effect::HeldNoMore { connector } => {
                if let Some(entry) = self.connector(&connector) {
                    entry.hold_no_more();
                }
            }
            Effect::Accepted { connector, size, recipients, .. } => {
                self.counters.transferred_in.add();
                self.traffic.received(&connector, size, recipients, self.clocks.wall());
            }
            Effect::Submitted { mts_identifier, originator, size, recipients, .. } => {
                self.counters.submitted.add();
                self.event(
                    EventKind::Submitted,
                    "",
                    format!("{mts_identifier} from {originator}, {size} octets, {recipients} recipients"),
                );
            }
            // The settings of the link say as much; tracking keeps it.
            Effect::Downgraded { .. } => {}
            Effect::TransferRetry { connector, mts_identifier, attempts, text } => self.event(
                EventKind::TransferFailed,
                &connector,
                format!("{mts_identifier} will be tried again, {attempts} failed so far: {text}"),
            ),
            Effect::Rerouted { mts_identifier, from, to } => {
                // All that leaves a connector for another is of one cause, however many messages it is.
                let text = format!("{mts_identifier} rerouted to {to}");
                self.event_caused(EventKind::Rerouted, &from, &to, text);
            }
            Effect::Delivered { kind, mailbox, mts_identifier, sequence, .. } => {
                self.counters.delivered.add();
                self.monitors.delivered(&mailbox, sequence);
                self.event(
                    EventKind::Delivered,
                    "",
                    format!("{kind} {mts_identifier} delivered to {mailbox}"),
                );
            }
            Effect::Redirected { mts_identifier, from, to, reason } => {
                let text = format!("{mts_identifier} to {from} redirected to {to}: {reason}");
                self.event(EventKind::Redirected, "", text);
            }
            Effect::Expanded { mts_identifier, list, members } => {
                let text = format!("{mts_identifier} to {list} goes to its {members} members");
                self.event(EventKind::ListExpanded, "", text);
            }
            Effect::ExpansionLoop { mts_identifier, list } => {
                let text = format!("{mts_identifier} came to {list} again and goes to nobody twice");
                self.event(EventKind::ListExpanded, "", text);
            }
            Effect::ReportPassedOn { mts_identifier, list, to } => {
                let text = format!("report {mts_identifier} from {list} to {to}");
                self.event(EventKind::ReportPassedOn, "", text);
            }
            Effect::NonDelivered { mts_identifier, recipient, reason, diagnostic, text } => {
                self.counters.non_delivered.add();
                if diagnostic == NonDeliveryDiagnosticCode::LOOP_DETECTED {
                    self.counters.loops.add();
                }
                self.event(
                    EventKind::NonDelivery,
                    "",
                    format!("{mts_identifier} to {recipient}: {reason}, {diagnostic}: {text}"),
                );
            }
            Effect::ReportMade { mts_identifier, subject, delivered, non_delivered } => self.event(
                EventKind::ReportGenerated,
                "",
                format!(
                    "{mts_identifier} about {subject}: {delivered} delivered, {non_delivered} not delivered"
                ),
            ),
            // Whoever did it says so.
            Effect::Discarded { why: Discard::Deleted, .. } => {}
            Effect::Discarded { kind, mts_identifier, why } => {
                if why == Discard::Loop {
                    self.counters.loops.add();
                }
                self.event(EventKind::ReportDiscarded, "", format!("{kind} {mts_identifier}: {why}"));
            }
            Effect::SubmittingDomainInconsistent { mts_identifier, traced } => self.event(
                EventKind::SubmittingDomainInconsistent,
                "",
                format!("{mts_identifier}: first trace element names another domain, {traced}"),
            ),
            Effect::Quarantined { key, why } => {
                self.event(EventKind::Quarantined, "", format!("record {key:02x?} was put aside: {why}"));
            }
        }
    }

    fn lock_connectors(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<ConnectorEntry>>> {
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links for Shared {
    fn is_waiting(&self, connector: &str) -> bool {
        let now = self.clocks.mono();
        let waits =
            |entry: Arc<ConnectorEntry>| entry.view.borrow().waits_until.is_some_and(|until| now < until);
        self.connector(connector).is_some_and(waits)
    }
}

/// What an APDU is, for the event log.
pub(crate) fn describe(apdu: &IncomingApdu) -> String {
    match apdu {
        IncomingApdu::Message { envelope, body, .. } => {
            format!("message {} ({} octets)", *envelope.message_identifier, body.len())
        }
        IncomingApdu::Report(report) => format!("report {}", *report.envelope.report_identifier),
        IncomingApdu::Probe(probe) => format!("probe {}", *probe.probe_identifier),
    }
}
