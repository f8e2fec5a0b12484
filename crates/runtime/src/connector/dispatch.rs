//! Gives what waits to idle associations, the most urgent first, and what has failed behind the rest.

use std::sync::Arc;
use std::time::Duration;

use agent::connector::{AssociationId, PolicyEvent};
use agent::record::{OUTBOUND, OutboundKey, OutboundRecord, Rank, Record};
use clock::MonoTime;

use super::Connector;
use super::lines::Line;
use crate::depth::Total;
use crate::line::{Command, Outgoing};
use crate::retries::Due;
use crate::taken::Taken;

impl Connector {
    /// Gives waiting messages to idle associations, the most urgent first, and what has failed behind all that has not.
    pub(super) async fn dispatch(&mut self) {
        while !self.entry.is_frozen() {
            let Some((association, key)) = self.next() else { return };
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
            let resume = match self.resumable(&key, &record).await {
                Ok(resume) => resume,
                Err(error) => {
                    self.entry.backlog.put_back(&key);
                    return self.store_trouble(&error.to_string());
                }
            };
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

    /// What goes next, taken out of its place, and on which association.
    fn next(&mut self) -> Option<(AssociationId, Vec<u8>)> {
        let now = self.shared.clocks.mono();
        let entry = Arc::clone(&self.entry);
        let Some(first) = entry.backlog.first() else {
            let due = entry.retries.first_due()?;
            let association = self.idle_line(due.urgent)?;
            entry.retries.take(&due.key)?;
            return Some((association, due.key));
        };
        let overdue = self.overdue().filter(|(_, turn)| *turn <= now).map(|(due, _)| due);
        if let Some(due) = overdue
            && let Some(association) = self.idle_line(due.urgent)
            && entry.retries.take(&due.key).is_some()
        {
            self.behind.goes_ahead(now, due.key.clone());
            return Some((association, due.key));
        }
        let urgent = OutboundKey::parse(&first).is_some_and(|key| key.rank == Rank::Urgent);
        let association = self.idle_line(urgent)?;
        Some((association, entry.backlog.take()?))
    }

    fn idle_line(&self, urgent: bool) -> Option<AssociationId> {
        let usable = |line: &Line| line.idle && (urgent || !line.urgent_only);
        self.lines.iter().find(|(_, line)| usable(line)).map(|(id, _)| *id)
    }

    /// What goes next of all that has failed and is due, and when it goes before what has not failed. `None` while the last
    /// one that did so is being transferred.
    fn overdue(&self) -> Option<(Due, MonoTime)> {
        let entry = &self.entry;
        let in_hand = |key| entry.backlog.is_taken(key) && entry.retries.time(key).is_none();
        if self.behind.last_ahead().is_some_and(in_hand) {
            return None;
        }
        let due = entry.retries.longest_due()?;
        let turn = self.behind.turn(due.at, self.stays_behind());
        Some((due, turn))
    }

    /// When something of what has failed has its time next.
    pub(super) fn next_retry(&self) -> Option<MonoTime> {
        let waits = self.entry.backlog.first().is_some();
        let turn = if waits { self.overdue().map(|(_, turn)| turn) } else { None };
        [self.entry.retries.next(), turn].into_iter().flatten().min()
    }

    /// How long what is to be tried again lets others pass, as long as nothing breaks meanwhile.
    pub(super) fn stays_behind(&self) -> Duration {
        let retry = &self.settings.retry;
        Duration::from_secs(u64::from(retry.open_interval_s.max(retry.transfer_interval_s))) * 2
    }

    pub(super) fn tell_what_waits(&mut self) {
        if self.entry.is_frozen() {
            // What is frozen wants no association.
            return self.policy(PolicyEvent::Queue { urgent: 0, other: 0, queued: 0, octets: 0 });
        }
        let (urgent, other) = self.waiting();
        // While it is being counted, at least so much. What an operator holds is not in the queue.
        let Total { messages: queued, octets, .. } = self.entry.depth.total();
        self.policy(PolicyEvent::Queue { urgent, other, queued, octets });
    }
}
