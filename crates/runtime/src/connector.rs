//! The task of one connector: gives queued messages to its associations, opens and closes them as the policy says.
//!
//! Each connector has its own task, queue window, timers and association slots. It never waits for a peer: opening
//! and transferring happen in tasks of their own, which report back by [`Message`].

mod interrupted;
mod opening;
mod settle;
mod survey;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use agent::connector::{AssociationId, ConnectorPolicy, PolicyAction, PolicyEvent};
use agent::record::{OUTBOUND, OutboundKey, OutboundRecord, Rank, Record};
use agent::settings::{Activation, ConnectorSettings, Schedule};
use clock::MonoTime;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use crate::association;
use crate::backlog::Backlog;
use crate::depth::Total;
use crate::events::EventKind;
use crate::ledger::{Caller, Hold, Resource};
use crate::line::{Command, ConnectorView, Joined, Message, Outgoing, Recover};
use crate::outage::Outage;
use crate::recovery::ResumeRecord;
use crate::registry::ConnectorEntry;
use crate::shared::Shared;
use crate::taken::Taken;

/// How often a queue is looked through for messages that have waited too long.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);
/// How often it is seen to at least whether a selected time has begun.
const SCHEDULE_LOOK: Duration = Duration::from_secs(60);
/// Wait after the store failed to answer.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// An association of this connector.
struct Line {
    commands: mpsc::Sender<Command>,
    /// Open, in the direction that we need, and not transferring.
    idle: bool,
    /// Kept for urgent messages, reports and probes.
    urgent_only: bool,
    /// Opened by the peer for its own messages only.
    receive_only: bool,
    /// Its task had gone when it was last looked at.
    is_silent: bool,
}

pub(crate) struct Connector {
    shared: Arc<Shared>,
    settings: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    messages: mpsc::Receiver<Message>,
    view: watch::Sender<ConnectorView>,
    policy: ConnectorPolicy,
    lines: BTreeMap<AssociationId, Line>,
    tasks: JoinSet<()>,
    /// The walk through the queue that is under way, one at most.
    surveys: JoinSet<()>,
    /// Another one is wanted when it has ended.
    survey_due: bool,
    /// The association of each task.
    opened_by: HashMap<Id, AssociationId>,
    next_expiry: MonoTime,
    /// The quarter of an hour that the policy has been told of, and when the next one has to be looked for.
    quarter: Option<i64>,
    next_quarter: Option<MonoTime>,
    /// Items whose transfer was interrupted, and until when it can be resumed.
    interrupted: BTreeMap<Vec<u8>, (MonoTime, ResumeRecord)>,
    /// The association to recover by the next open, and until when.
    recover: Option<(MonoTime, Recover)>,
    /// The store did not answer; nothing is dispatched before this.
    pause_until: Option<MonoTime>,
    last_failure: Option<String>,
    /// It could not be opened: what waits may have a better way now.
    reroute_due: bool,
    outage: Outage,
    /// Its deadlines, for the ledger.
    timers: Hold,
    /// The settings have changed: what waits may belong elsewhere.
    recheck_due: bool,
}

impl Connector {
    /// Prepares a connector; [`Connector::run`] starts it.
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Arc<ConnectorSettings>,
        jitter_per_mille: u16,
    ) -> (Connector, Arc<ConnectorEntry>) {
        let (sender, messages) = mpsc::channel(256);
        let (view, view_receiver) = watch::channel(ConnectorView::default());
        let backlog = Backlog::new(OUTBOUND, agent::record::outbound_prefix(&settings.name));
        let entry = Arc::new(ConnectorEntry::new(backlog, sender, view_receiver));
        let connector = Connector {
            timers: {
                shared.ledger.open_account(&settings.name);
                let account = shared.ledger.account(Caller::Connector(&settings.name));
                shared.ledger.hold(&account, Resource::Timer, 0)
            },
            policy: ConnectorPolicy::new(&settings, jitter_per_mille),
            next_expiry: shared.clocks.mono() + EXPIRY_INTERVAL,
            shared,
            settings,
            entry: Arc::clone(&entry),
            messages,
            view,
            quarter: None,
            next_quarter: None,
            lines: BTreeMap::new(),
            tasks: JoinSet::new(),
            surveys: JoinSet::new(),
            survey_due: false,
            opened_by: HashMap::new(),
            interrupted: BTreeMap::new(),
            recover: None,
            pause_until: None,
            last_failure: None,
            reroute_due: false,
            outage: Outage::default(),
            recheck_due: false,
        };
        (connector, entry)
    }

    /// Runs until the connector or the MTA stops.
    pub(crate) async fn run(mut self) {
        self.keep_schedule();
        self.survey();
        while !self.entry.stop.is_given() {
            self.work().await;
            self.show();
            let wake = self.shared.clocks.instant(self.deadline());
            let entry = Arc::clone(&self.entry);
            // In this order: neither a stop nor a timer is ever behind in a flood of reports.
            tokio::select! {
                biased;
                () = entry.stop.given() => {}
                () = tokio::time::sleep_until(wake) => self.timers().await,
                Some(message) = self.messages.recv() => {
                    self.message(message);
                    // Whatever else has been reported is taken in before anything is decided.
                    while let Ok(message) = self.messages.try_recv() {
                        self.message(message);
                    }
                }
                Some(ended) = self.tasks.join_next_with_id() => self.task_ended(ended),
                Some(ended) = self.surveys.join_next() => self.survey_ended(ended),
                () = entry.backlog.changed() => {}
            }
        }
        // Associations see the stop signal themselves; they end within the stop timeout.
        self.messages.close();
        self.lines.clear();
        while self.tasks.join_next().await.is_some() {}
        while self.surveys.join_next().await.is_some() {}
    }

    async fn work(&mut self) {
        let now = self.shared.clocks.mono();
        if self.pause_until.is_some_and(|at| now < at) {
            return;
        }
        self.pause_until = None;
        if std::mem::take(&mut self.reroute_due) {
            self.reroute().await;
        }
        if std::mem::take(&mut self.recheck_due) {
            self.recheck().await;
        }
        if let Err(error) = self.entry.backlog.refill(&*self.shared.spool).await {
            self.store_trouble(&error.to_string());
            return;
        }
        self.let_in();
        self.dispatch().await;
        self.let_in();
        self.tell_what_waits();
    }

    /// Puts back what is to be tried again, behind all that has not failed: a message at which a peer breaks every
    /// association would else be the first on each new one, and none behind it would ever go.
    fn let_in(&self) {
        let now = self.shared.clocks.mono();
        let until = match self.waiting() {
            (0, 0) => now,
            (_, _) => match now.since_start().checked_sub(self.stays_behind()) {
                Some(until) => MonoTime::after_start(until),
                None => return,
            },
        };
        while let Some(key) = self.entry.retries.take_due(until) {
            self.entry.backlog.put_back(&key);
        }
    }

    /// How long what is to be tried again lets others pass at most.
    fn stays_behind(&self) -> Duration {
        let retry = &self.settings.retry;
        Duration::from_secs(u64::from(retry.open_interval_s.max(retry.transfer_interval_s))) * 2
    }

    fn tell_what_waits(&mut self) {
        if self.entry.is_frozen() {
            // What is frozen wants no association.
            return self.policy(PolicyEvent::Queue { urgent: 0, other: 0, queued: 0, octets: 0 });
        }
        let (urgent, other) = self.waiting();
        // While it is being counted, at least so much.
        let Total { messages: queued, octets, .. } = self.entry.depth.total();
        // What an operator holds waits for him, not for others to come.
        let queued = queued.saturating_sub(self.entry.held().unwrap_or(0));
        self.policy(PolicyEvent::Queue { urgent, other, queued, octets });
    }

    /// Tells the policy when a quarter of an hour begins that its times are made of.
    fn keep_schedule(&mut self) {
        let Activation::SelectedTimes(times) = self.settings.activation else { return };
        let now = self.shared.clocks.wall();
        if self.quarter != Some(Schedule::quarter(now)) {
            self.quarter = Some(Schedule::quarter(now));
            self.policy(PolicyEvent::Schedule { active: times.is_active(now) });
        }
        let left = Duration::from_secs(Schedule::seconds_to_next_quarter(now));
        // The wall clock may be set.
        self.next_quarter = Some(self.shared.clocks.mono() + left.min(SCHEDULE_LOOK));
    }

    /// Gives waiting messages to idle associations, the most urgent first.
    async fn dispatch(&mut self) {
        while !self.entry.is_frozen() {
            let Some(first) = self.entry.backlog.first() else { return };
            let urgent = OutboundKey::parse(&first).is_some_and(|key| key.rank == Rank::Urgent);
            let usable = |line: &Line| line.idle && (urgent || !line.urgent_only);
            let Some(association) = self.lines.iter().find(|(_, line)| usable(line)).map(|(id, _)| *id)
            else {
                return;
            };
            let Some(key) = self.entry.backlog.take() else { return };
            if let Some(at) = self.shared.trials.not_before(OUTBOUND, &key)
                && self.shared.clocks.mono() < at
            {
                self.entry.retries.insert(at, key);
                continue;
            }
            let record = match self.shared.spool.get(OUTBOUND, &key).await {
                Ok(Some(octets)) => OutboundRecord::decode(&octets).map_err(|error| (octets, error)),
                Ok(None) => {
                    self.entry.backlog.gone(&key);
                    continue;
                }
                Err(error) => {
                    self.entry.backlog.put_back(&key);
                    return self.store_trouble(&error.to_string());
                }
            };
            let record = match record {
                Ok(record) => record,
                Err((octets, error)) => {
                    // For people to look at; it was never counted as part of the queue.
                    let why = format!("a queued record can't be understood: {error}");
                    let step = agent::quarantine(OUTBOUND, &key, octets, why);
                    match self.shared.commit(step).await {
                        Ok(()) | Err(spool::CommitError::AssertionFailed { .. }) => {
                            self.entry.backlog.gone(&key);
                        }
                        Err(error) => self.shared.store_failed(&error),
                    }
                    continue;
                }
            };
            let resume = self.resumable(&key, &record);
            let Some(line) = self.lines.get_mut(&association) else { continue };
            line.idle = false;
            let outgoing = Box::new(Outgoing {
                taken: Taken::new(&self.shared.trials, &self.entry, key),
                record,
                resume,
            });
            if line.commands.try_send(Command::Transfer(outgoing)).is_err() {
                // It has ended and is about to say so.
                self.lines.remove(&association);
                continue;
            }
            // First what still waits: the policy must not open an association for what has just been taken.
            self.tell_what_waits();
            self.policy(PolicyEvent::Busy(association));
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Opened(association) => self.opened(association),
            Message::NotOpened { association, why, recover } => self.not_opened(association, why, recover),
            Message::Inbound { settings, two_way, commands, reply } => {
                let joined = if *settings == *self.settings {
                    self.admit(two_way, commands).map_or(Joined::Full, Joined::As)
                } else {
                    Joined::Outdated
                };
                if let (Err(_), Joined::As(association)) = (reply.send(joined), joined) {
                    self.ended(association, false);
                }
            }
            Message::Idle { association, transferred } => {
                if let Some(line) = self.lines.get_mut(&association).filter(|line| !line.receive_only) {
                    line.idle = true;
                    self.policy(PolicyEvent::Idle { association, transferred });
                }
            }
            Message::Ended { association, orderly } => self.ended(association, orderly),
            Message::Retry { key, after, resume } => {
                match resume {
                    Some(resume) => self.remember(key.clone(), self.resumable_until(), resume),
                    None => {
                        self.interrupted.remove(&key);
                    }
                }
                if after.is_zero() {
                    self.entry.backlog.put_back(&key);
                } else {
                    self.entry.retries.insert(self.shared.clocks.mono() + after, key);
                }
            }
            Message::Interrupted { association, item, recover, further } => {
                let until = self.resumable_until();
                let theirs = item.is_none();
                if let Some((key, resume)) = item {
                    self.remember(key.clone(), until, resume);
                    self.entry.backlog.put_back(&key);
                }
                if let Some(recover) = recover {
                    self.recover = Some((until, recover));
                }
                self.policy(PolicyEvent::Interrupted { association, until, theirs, further });
            }
            Message::ConnectNow => self.policy(PolicyEvent::ConnectNow),
            Message::Recheck => self.recheck_due = true,
        }
    }

    fn resumable_until(&self) -> MonoTime {
        self.shared.clocks.mono() + Duration::from_secs(u64::from(self.settings.rts.recovery_timeout_s))
    }

    fn admit(&mut self, two_way: bool, commands: mpsc::Sender<Command>) -> Option<AssociationId> {
        let receiving = self.lines.values().filter(|line| line.receive_only).count();
        if !self.policy.accepts_inbound() || receiving >= self.settings.association.max_associations as usize
        {
            return None;
        }
        let association = self.policy.reserve_id();
        let line =
            Line { commands, idle: false, urgent_only: false, receive_only: !two_way, is_silent: false };
        self.lines.insert(association, line);
        if two_way {
            self.policy(PolicyEvent::InboundOpened(association));
        }
        Some(association)
    }

    fn ended(&mut self, association: AssociationId, orderly: bool) {
        let was_there = self.lines.remove(&association).is_some();
        if was_there && !orderly && self.lines.is_empty() && !self.entry.stop.is_given() {
            let text =
                format!("no association with {} is left: the last one broke", self.settings.remote_mta);
            self.event(EventKind::ConnectionsLost, text);
        }
        self.policy(PolicyEvent::Ended { association, orderly, at: self.shared.clocks.wall() });
    }

    async fn timers(&mut self) {
        let now = self.shared.clocks.mono();
        if self.policy.deadline().is_some_and(|at| at <= now) {
            self.policy(PolicyEvent::Deadline);
        }
        if self.next_quarter.is_some_and(|at| at <= now) {
            self.keep_schedule();
        }
        if self.next_expiry <= now {
            self.next_expiry = now + EXPIRY_INTERVAL;
            self.sweep();
            self.expire_interruptions().await;
            self.survey();
        }
    }

    fn policy(&mut self, event: PolicyEvent) {
        let mut actions = Vec::new();
        self.policy.handle(self.shared.clocks.mono(), event, &mut actions);
        for action in actions {
            match action {
                PolicyAction::Open { association, urgent_only } => self.open(association, urgent_only),
                PolicyAction::Close(association) => {
                    self.tell_if_idle_with_work(association);
                    if let Some(line) = self.lines.get_mut(&association) {
                        line.idle = false;
                        // Full only if it has ended and is about to say so.
                        let _ = line.commands.try_send(Command::Close);
                    }
                }
            }
        }
    }

    /// An idle association is closed while something waits that it could have taken: a watchdog at work.
    fn tell_if_idle_with_work(&self, association: AssociationId) {
        let (urgent, other) = self.waiting();
        let could = |line: &Line| line.idle && (urgent > 0 || (other > 0 && !line.urgent_only));
        let is_frozen = self.entry.is_frozen();
        if self.lines.get(&association).is_some_and(could) && !is_frozen && self.pause_until.is_none() {
            let waiting = urgent + other;
            let text = format!("association closed that did nothing although {waiting} messages wait");
            self.event(EventKind::IdleWithWork, text);
        }
    }

    fn open(&mut self, association: AssociationId, urgent_only: bool) {
        let (commands, receiver) = mpsc::channel(4);
        let line = Line { commands, idle: false, urgent_only, receive_only: false, is_silent: false };
        self.lines.insert(association, line);
        let now = self.shared.clocks.mono();
        let recover = self.recover.take_if(|_| !urgent_only).filter(|(until, _)| *until > now);
        let task = self.tasks.spawn(association::open(
            Arc::clone(&self.shared),
            Arc::clone(&self.settings),
            Arc::clone(&self.entry),
            association,
            receiver,
            recover,
        ));
        self.opened_by.insert(task.id(), association);
    }

    /// A task says itself what became of its association, unless it panicked: then its place must not stay taken.
    fn task_ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let association = self.opened_by.remove(&id);
        if let (Err(error), Some(association)) = (ended, association) {
            let text = format!("the task of an association failed: {error}");
            self.event(EventKind::InternalError, text.clone());
            self.last_failure = Some(text);
            self.ended(association, false);
        }
    }

    /// Frees the places of associations whose tasks are gone without having said so: each had its time to. A task that
    /// panics before it has become an association has nothing that would speak for it.
    fn sweep(&mut self) {
        let mut gone = Vec::new();
        for (association, line) in &mut self.lines {
            if std::mem::replace(&mut line.is_silent, line.commands.is_closed()) {
                gone.push(*association);
            }
        }
        for association in gone {
            self.event(EventKind::InternalError, "an association had ended and never said so".to_owned());
            self.ended(association, false);
        }
    }

    fn deadline(&self) -> MonoTime {
        let mut at = self.next_expiry;
        let now = self.shared.clocks.mono();
        let retry = self.entry.retries.first();
        let retry = retry.map(|at| if at <= now { at + self.stays_behind() } else { at });
        // Then it has failed long ago enough not to be called failing any more, if nothing waits.
        let outage = self.outage.since().and(self.policy.waits_until()).filter(|at| *at > now);
        for other in [self.policy.deadline(), retry, self.pause_until, self.next_quarter, outage] {
            at = other.map_or(at, |other| at.min(other));
        }
        at
    }

    fn store_trouble(&mut self, why: &str) {
        self.event(EventKind::StoreFailed, format!("the queue can't be read: {why}"));
        self.pause_until = Some(self.shared.clocks.mono() + STORE_RETRY);
    }

    fn event(&self, kind: EventKind, text: String) {
        self.shared.event(kind, &self.settings.name, text);
    }
}
