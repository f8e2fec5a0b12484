//! The associations of a connector: opened, joined by peers, ended.

use std::sync::Arc;

use agent::connector::{AssociationId, PolicyEvent};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError};

use super::Connector;
use crate::association;
use crate::events::EventKind;
use crate::line::Command;

/// An association of this connector.
pub(super) struct Line {
    pub(super) commands: mpsc::Sender<Command>,
    /// Open, in the direction that we need, and not transferring.
    pub(super) idle: bool,
    /// Kept for urgent messages, reports and probes.
    pub(super) urgent_only: bool,
    /// Opened by the peer for its own messages only.
    pub(super) receive_only: bool,
    /// Its task had gone when it was last looked at.
    pub(super) is_silent: bool,
}

impl Connector {
    pub(super) fn admit(&mut self, two_way: bool, commands: mpsc::Sender<Command>) -> Option<AssociationId> {
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
            self.works();
            self.policy(PolicyEvent::InboundOpened(association));
        }
        Some(association)
    }

    pub(super) fn open(&mut self, association: AssociationId, urgent_only: bool) {
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

    pub(super) fn ended(&mut self, association: AssociationId, orderly: bool, why: Option<String>) {
        let was_there = self.lines.remove(&association).is_some();
        if was_there && !orderly {
            self.behind.broke(self.shared.clocks.mono());
        }
        let is_lost = was_there && !orderly && self.lines.is_empty() && !self.entry.stop.is_given();
        if is_lost {
            let text =
                format!("no association with {} is left: the last one broke", self.settings.remote_mta);
            self.event(EventKind::ConnectionsLost, text);
        }
        self.policy(PolicyEvent::Ended { association, orderly, at: self.shared.clocks.wall() });
        if is_lost {
            self.broke(why);
        }
    }

    /// A task says itself what became of its association, unless it panicked: then its place must not stay taken.
    pub(super) fn task_ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let association = self.opened_by.remove(&id);
        if let (Err(error), Some(association)) = (ended, association) {
            let text = format!("the task of an association failed: {error}");
            self.event(EventKind::InternalError, text.clone());
            self.ended(association, false, Some(text));
        }
    }

    /// Frees the places of associations whose tasks are gone without having said so: each had its time to. A task that
    /// panics before it has become an association has nothing that would speak for it.
    pub(super) fn sweep(&mut self) {
        let mut gone = Vec::new();
        for (association, line) in &mut self.lines {
            if std::mem::replace(&mut line.is_silent, line.commands.is_closed()) {
                gone.push(*association);
            }
        }
        for association in gone {
            self.event(EventKind::InternalError, "an association had ended and never said so".to_owned());
            self.ended(association, false, None);
        }
    }

    /// An idle association is closed while something waits that it could have taken: a watchdog at work.
    pub(super) fn tell_if_idle_with_work(&self, association: AssociationId) {
        let (urgent, other) = self.waiting();
        let could = |line: &Line| line.idle && (urgent > 0 || (other > 0 && !line.urgent_only));
        let is_frozen = self.entry.is_frozen();
        if self.lines.get(&association).is_some_and(could) && !is_frozen && self.pause_until.is_none() {
            let waiting = urgent + other;
            let text = format!("association closed that did nothing although {waiting} messages wait");
            self.event(EventKind::IdleWithWork, text);
        }
    }
}
