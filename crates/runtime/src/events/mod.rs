//! The event log: what an operator is told, with the event numbers that Exchange administrators know.

mod kinds;
mod repeats;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use clock::WallTime;
use serde::Serialize;
use tokio::sync::watch;

pub use kinds::{Category, EventKind, Severity};
use repeats::{Repeats, Told};

/// Events kept in memory for the API, so many that are mere information and so many others: what goes well, thousands of
/// times a second, pushes nothing out that does not. The log itself goes to `tracing`.
const KEPT: usize = 1_000;

/// One line of the event log.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Number since the start of the process.
    pub number: u64,
    /// When, RFC 3339.
    pub time: String,
    /// What kind.
    pub kind: EventKind,
    /// Exchange event number, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_id: Option<u16>,
    /// What part of the MTA it is about.
    pub category: Category,
    /// How much it matters.
    pub severity: Severity,
    /// Connector or peer concerned; empty when none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What happened and why, in words.
    pub text: String,
    /// How often it has happened so far, if it was repeated: more than when it was told, if it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// When it happened first, RFC 3339, if it was repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// Some of the newest events.
#[derive(Clone, Debug, Default)]
pub struct EventDigest {
    /// Oldest first.
    pub events: Vec<Event>,
    /// How many of those that are mere information are among them.
    pub information: usize,
    /// How many more there were.
    pub left_out: u64,
    /// The number that the next event gets.
    pub next: u64,
}

/// Writes events to `tracing` and keeps the newest for the API.
///
/// Of kinds that a peer can cause again and again, what is like the one before it is told the second, fourth, eighth time
/// and so on, with a count; those between only raise the count of the last one told.
#[derive(Debug, Default)]
pub struct EventLog {
    kept: Mutex<Kept>,
    /// The number that the next event gets.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    information: VecDeque<Event>,
    /// Warnings and errors.
    troubles: VecDeque<Event>,
    repeats: Repeats,
    /// How often each kind has happened.
    counts: BTreeMap<EventKind, u64>,
}

/// Tells of new events.
///
/// It gives numbers and no references: who held one while asking for the events would stop whoever records one, and with
/// that the MTA.
#[derive(Debug)]
pub struct EventNews(watch::Receiver<u64>);

impl EventNews {
    /// The number that the next event gets, as far as is known now.
    pub fn latest(&mut self) -> u64 {
        *self.0.borrow_and_update()
    }

    /// Waits until there are events that [`latest`](Self::latest) has not told of, and tells. None if there will be none.
    pub async fn next(&mut self) -> Option<u64> {
        self.0.changed().await.ok()?;
        Some(self.latest())
    }
}

impl EventLog {
    /// Records an event. Two of a kind are alike if their texts differ in numbers only.
    pub(crate) fn record(&self, time: WallTime, kind: EventKind, subject: &str, text: impl Into<String>) {
        let text = text.into();
        let cause = repeats::without_numbers(&text);
        self.record_caused(time, kind, subject, &cause, text);
    }

    /// Records an event. Two of a kind are alike if their causes are the same.
    pub(crate) fn record_caused(
        &self,
        time: WallTime,
        kind: EventKind,
        subject: &str,
        cause: &str,
        mut text: String,
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept.counts.entry(kind).or_default() += 1;
        let number = kept.next;
        let (mut count, mut since) = (None, None);
        if kind.is_condensed() {
            match kept.repeats.note(time, kind, subject, cause, number) {
                Told::First => {}
                Told::Again { times, first } => {
                    text = format!("{text} ({times} times since {first})");
                    (count, since) = (Some(times), Some(first.to_string()));
                }
                Told::Not { told_as, times, first } => {
                    if let Some(last) = kept.of(kind).iter_mut().rev().find(|event| event.number == told_as) {
                        (last.count, last.since) = (Some(times), Some(first.to_string()));
                    }
                    return;
                }
            }
        }
        let (severity, exchange_id) = (kind.severity(), kind.exchange_id());
        let (event, id, category) = (kind.name(), exchange_id, kind.category().name());
        match severity {
            Severity::Information => tracing::info!(event, id, category, subject, "{text}"),
            Severity::Warning => tracing::warn!(event, id, category, subject, "{text}"),
            Severity::Error => tracing::error!(event, id, category, subject, "{text}"),
        }
        kept.next += 1;
        let next = kept.next;
        let events = kept.of(kind);
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(Event {
            number,
            time: time.to_string(),
            kind,
            exchange_id,
            category: kind.category(),
            severity,
            subject: subject.to_owned(),
            text,
            count,
            since,
        });
        self.news.send_replace(next);
    }

    /// What was wrong with `subject` is over: if it happens again it is news.
    pub(crate) fn is_over(&self, subject: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).repeats.forget(subject);
    }

    /// How often each kind has happened since the start, those included that were not told again.
    pub fn counts(&self) -> Vec<(EventKind, u64)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        EventKind::ALL.iter().map(|kind| (*kind, kept.counts.get(kind).copied().unwrap_or(0))).collect()
    }

    /// Tells of each new event.
    pub(crate) fn news(&self) -> EventNews {
        EventNews(self.news.subscribe())
    }

    /// The newest events, oldest first, whose number is `after` or above.
    pub fn since(&self, after: u64) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let events = from(&kept.information, after).chain(from(&kept.troubles, after)).cloned();
        in_order(events.collect())
    }

    /// Of the events whose number is `after` or above, no more than the oldest so many that are mere information, and the
    /// newest so many others. It costs what it gives, however much has happened.
    pub(crate) fn digest(&self, after: u64, information: usize, troubles: usize) -> EventDigest {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let few = from(&kept.information, after).take(information);
        let newest = from(&kept.troubles, after).rev().take(troubles);
        let events: Vec<Event> = few.chain(newest).cloned().collect();
        let next = kept.next;
        drop(kept);
        let information = events.iter().filter(|event| event.severity == Severity::Information).count();
        let left_out = next.saturating_sub(after).saturating_sub(events.len() as u64);
        EventDigest { events: in_order(events), information, left_out, next }
    }
}

impl Kept {
    /// Where events of a kind are kept.
    fn of(&mut self, kind: EventKind) -> &mut VecDeque<Event> {
        match kind.severity() {
            Severity::Information => &mut self.information,
            Severity::Warning | Severity::Error => &mut self.troubles,
        }
    }
}

/// Those whose number is `after` or above.
fn from(events: &VecDeque<Event>, after: u64) -> impl DoubleEndedIterator<Item = &Event> {
    events.range(events.partition_point(|event| event.number < after)..)
}

fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_unstable_by_key(|event| event.number);
    events
}

#[cfg(test)]
mod tests;
