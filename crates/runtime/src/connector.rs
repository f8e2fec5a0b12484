//! The task of one connector: gives queued messages to its associations, opens and closes them as the policy says.
//!
//! Each connector has its own task, queue window, timers and association slots. It never waits for a peer: opening
//! and transferring happen in tasks of their own, which report back by [`Message`].

mod behind;
mod dispatch;
mod interrupted;
mod lines;
mod moving;
mod opening;
mod survey;
mod view;
mod walker;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use agent::connector::{AssociationId, ConnectorPolicy, PolicyAction, PolicyEvent};
use agent::record::OUTBOUND;
use agent::settings::{Activation, ConnectorSettings, Schedule};
use clock::MonoTime;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};

use crate::backlog::Backlog;
use crate::events::EventKind;
use crate::ledger::{Caller, Hold, Resource};
use crate::line::{Command, ConnectorView, Joined, Message, Recover};
use crate::outage::Outage;
use crate::registry::ConnectorEntry;
use crate::shared::Shared;

use behind::Behind;
use interrupted::Interruptions;
use lines::Line;
use moving::Reasons;
use walker::Walker;

/// How often a queue is looked through for messages that have waited too long.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);
/// How often it is seen to at least whether a selected time has begun.
const SCHEDULE_LOOK: Duration = Duration::from_secs(60);
/// Wait after the store failed to answer.
const STORE_RETRY: Duration = Duration::from_secs(5);

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
    /// The walk for what would better go another way, one at most.
    moves: JoinSet<Reasons>,
    /// Why another one is wanted.
    reasons: Reasons,
    /// The association of each task.
    opened_by: HashMap<Id, AssociationId>,
    next_expiry: MonoTime,
    /// The quarter of an hour that the policy has been told of, and when the next one has to be looked for.
    quarter: Option<i64>,
    next_quarter: Option<MonoTime>,
    /// Items whose transfer was interrupted.
    interrupted: Arc<Interruptions>,
    /// The association to recover by the next open, and until when.
    recover: Option<(MonoTime, Recover)>,
    /// The store did not answer; nothing is dispatched before this.
    pause_until: Option<MonoTime>,
    /// Where what has failed stands in the queue.
    behind: Behind,
    last_failure: Option<String>,
    outage: Outage,
    /// Its deadlines, for the ledger.
    timers: Hold,
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
        let interrupted = Arc::new(Interruptions::new(settings.rts));
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
            moves: JoinSet::new(),
            reasons: Reasons::default(),
            opened_by: HashMap::new(),
            interrupted,
            recover: None,
            pause_until: None,
            behind: Behind::default(),
            last_failure: None,
            outage: Outage::default(),
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
                Some(ended) = self.moves.join_next() => self.moves_ended(ended),
                () = entry.backlog.changed() => {}
            }
        }
        // Associations see the stop signal themselves; they end within the stop timeout.
        self.messages.close();
        self.lines.clear();
        while self.tasks.join_next().await.is_some() {}
        while self.surveys.join_next().await.is_some() {}
        while self.moves.join_next().await.is_some() {}
    }

    async fn work(&mut self) {
        let now = self.shared.clocks.mono();
        self.entry.retries.look(now);
        if self.pause_until.is_some_and(|at| now < at) {
            return;
        }
        self.pause_until = None;
        self.move_what_waits();
        if let Err(error) = self.entry.backlog.refill(&*self.shared.spool).await {
            self.store_trouble(&error.to_string());
            return;
        }
        self.dispatch().await;
        self.tell_what_waits();
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
                    self.ended(association, false, None);
                }
            }
            Message::Idle { association, transferred } => {
                if let Some(line) = self.lines.get_mut(&association).filter(|line| !line.receive_only) {
                    line.idle = true;
                    self.policy(PolicyEvent::Idle { association, transferred });
                }
            }
            Message::Ended { association, orderly, why } => self.ended(association, orderly, why),
            Message::Retry { key, after, resume } => {
                match resume {
                    Some(resume) => self.interrupted.remember(key.clone(), self.resumable_until(), resume),
                    None => self.interrupted.forget(&key),
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
                    self.interrupted.remember(key.clone(), until, resume);
                    self.entry.backlog.put_back(&key);
                }
                if let Some(recover) = recover {
                    self.recover = Some((until, recover));
                }
                self.policy(PolicyEvent::Interrupted { association, until, theirs, further });
            }
            Message::ConnectNow => self.policy(PolicyEvent::ConnectNow),
            Message::Recheck => self.reasons.settings = true,
        }
    }

    fn walker(&self) -> Walker {
        Walker {
            shared: Arc::clone(&self.shared),
            settings: Arc::clone(&self.settings),
            entry: Arc::clone(&self.entry),
        }
    }

    fn resumable_until(&self) -> MonoTime {
        self.shared.clocks.mono() + Duration::from_secs(u64::from(self.settings.rts.recovery_timeout_s))
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

    fn deadline(&self) -> MonoTime {
        let mut at = self.next_expiry;
        let now = self.shared.clocks.mono();
        // What has had its turn waits for an association, which tells when it is idle. A time that has come since the last
        // look is looked at once.
        let retry = [self.entry.retries.next(), self.next_turn().filter(|at| *at > now)];
        // Then it has failed long ago enough not to be called failing any more, if nothing waits.
        let outage = self.outage.since().and(self.policy.waits_until()).filter(|at| *at > now);
        let others = [self.policy.deadline(), self.pause_until, self.next_quarter, outage];
        for other in others.into_iter().chain(retry).flatten() {
            at = at.min(other);
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
