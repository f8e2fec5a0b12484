//! Gives what waits to idle associations, the most urgent first, and what has failed behind the rest.

use std::time::Duration;

use agent::connector::PolicyEvent;
use agent::record::{OUTBOUND, OutboundKey, OutboundRecord, Rank, Record};
use clock::MonoTime;

use super::Connector;
use super::lines::Line;
use crate::depth::Total;
use crate::line::{Command, Outgoing};
use crate::taken::Taken;

impl Connector {
    /// Gives waiting messages to idle associations, the most urgent first.
    pub(super) async fn dispatch(&mut self) {
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

    /// Puts back what is to be tried again, behind all that has not failed: a message at which a peer breaks every
    /// association would else be the first on each new one, and none behind it would ever go.
    pub(super) fn let_in(&self) {
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
