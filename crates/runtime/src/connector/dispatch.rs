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

/// What of a queue could go next, each told by whether it is urgent.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The first that has not failed.
    fresh: Option<bool>,
    /// What has failed and has its turn before that.
    overdue: Option<bool>,
    /// The first that has failed and is due: an urgent one if there is any.
    due: Option<bool>,
}

/// Which of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Fresh,
    Overdue,
    Due,
}

impl Waiting {
    /// What goes next and whether it is urgent; `can_go` tells whether an association is idle for what is, and for what isn't.
    fn choose(self, can_go: impl Fn(bool) -> bool) -> Option<(Choice, bool)> {
        let choice =
            |what: Option<bool>, choice| what.filter(|urgent| can_go(*urgent)).map(|urgent| (choice, urgent));
        // The association that is kept for urgent mail has nothing to do but what is urgent, even if that has failed.
        let may_be_behind = self.due.filter(|urgent| self.fresh.is_none() || *urgent && !can_go(false));
        choice(self.overdue.filter(|_| self.fresh.is_some()), Choice::Overdue)
            .or_else(|| choice(self.fresh, Choice::Fresh))
            .or_else(|| choice(may_be_behind, Choice::Due))
    }
}

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
        loop {
            let first = entry.backlog.first();
            let fresh = first.map(|key| OutboundKey::parse(&key).is_some_and(|key| key.rank == Rank::Urgent));
            let overdue = self.overdue().filter(|(_, turn)| *turn <= now).map(|(due, _)| due);
            let due = entry.retries.first_due();
            let urgent = |due: &Option<Due>| due.as_ref().map(|due| due.urgent);
            let waiting = Waiting { fresh, overdue: urgent(&overdue), due: urgent(&due) };
            let (choice, urgent) = waiting.choose(|urgent| self.idle_line(urgent).is_some())?;
            let association = self.idle_line(urgent)?;
            let taken = match choice {
                Choice::Fresh => entry.backlog.take(),
                Choice::Due => due.filter(|due| entry.retries.take(&due.key).is_some()).map(|due| due.key),
                Choice::Overdue => {
                    let taken = overdue.filter(|due| entry.retries.take(&due.key).is_some());
                    taken.map(|due| due.key).inspect(|key| self.behind.goes_ahead(now, key.clone()))
                }
            };
            // If an operator was faster, there is another first one.
            if let Some(key) = taken {
                return Some((association, key));
            }
        }
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

    /// When something of what has failed goes before what waits next.
    pub(super) fn next_turn(&self) -> Option<MonoTime> {
        self.entry.backlog.first()?;
        self.overdue().map(|(_, turn)| turn)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_association_is_idle_while_something_waits_that_may_go_on_it() {
        const ANY: [Option<bool>; 3] = [None, Some(false), Some(true)];
        for (fresh, overdue, due) in
            ANY.iter().flat_map(|a| ANY.iter().flat_map(move |b| ANY.iter().map(move |c| (*a, *b, *c))))
        {
            // What is overdue is due, and what is urgent comes first of what is due.
            if overdue.is_some() && due.is_none() || overdue == Some(true) && due == Some(false) {
                continue;
            }
            let waiting = Waiting { fresh, overdue, due };
            for (ordinary, reserved) in [(false, false), (false, true), (true, false), (true, true)] {
                let chosen = waiting.choose(|urgent| ordinary || urgent && reserved);
                let told = format!("{waiting:?}, {ordinary}, {reserved}: {chosen:?}");
                let urgent_waits = [fresh, due].contains(&Some(true));
                let any_waits = fresh.is_some() || due.is_some();
                assert_eq!(chosen.is_some(), ordinary && any_waits || reserved && urgent_waits, "{told}");
                let Some((choice, urgent)) = chosen else { continue };
                assert!(ordinary || urgent, "{told}");
                match choice {
                    Choice::Fresh => assert!(fresh == Some(urgent), "{told}"),
                    Choice::Overdue => assert!(overdue == Some(urgent) && fresh.is_some(), "{told}"),
                    // Behind all that has not failed and could go.
                    Choice::Due => assert!(due == Some(urgent) && (fresh.is_none() || !ordinary), "{told}"),
                }
            }
        }
    }
}
