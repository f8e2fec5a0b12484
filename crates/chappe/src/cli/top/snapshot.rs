//! What the service says of itself at one moment, and what follows from it for people: ages and rates.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::client::Client;
use crate::model::{Connector, Event, Monitor, Page, Queue, Status, Traffic};
use crate::time_text;

/// Over how many seconds messages are counted.
pub(super) const RATE_SECONDS: i64 = 60;

/// Everything that one frame shows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) connectors: Vec<Connector>,
    pub(super) queues: Vec<Queue>,
    pub(super) monitors: Vec<Monitor>,
    /// All that the service keeps in memory, oldest first.
    #[serde(skip)]
    pub(super) events: Vec<Event>,
}

/// One connector with its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) associations: u64,
    /// What waits, and its octets; nothing while they are counted after a start.
    pub(super) messages: Option<u64>,
    pub(super) octets: Option<u64>,
    /// Age of the oldest message, seconds.
    pub(super) oldest: Option<i64>,
    /// Messages transferred out and in, a minute.
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) retry_in_s: Option<u64>,
    pub(super) failure: Option<String>,
}

impl Snapshot {
    /// Asks the service.
    pub(super) fn take(client: &Client) -> Result<Snapshot, Failure> {
        let connectors: Page<Connector> = client.get("/api/v1/connectors", &[])?;
        let queues: Page<Queue> = client.get("/api/v1/queues", &[])?;
        let monitors: Page<Monitor> = client.get("/api/v1/monitors", &[])?;
        let events: Page<Event> = client.get("/api/v1/events", &[])?;
        Ok(Snapshot {
            status: client.get("/api/v1/status", &[])?,
            connectors: connectors.items,
            queues: queues.items,
            monitors: monitors.items,
            events: events.items,
        })
    }

    /// The connectors at `now` (seconds since 1970), in no order.
    pub(super) fn rows(&self, now: i64, rates: &Rates) -> Vec<Row> {
        let recent = |event: &&Event| seconds(&event.time).is_some_and(|at| at > now - RATE_SECONDS);
        let recent: Vec<&Event> = self.events.iter().filter(recent).collect();
        let told = self.told_seconds(now);
        let count = |kind: &str, name: &str| {
            let count = recent.iter().filter(|event| event.kind == kind && event.subject == name).count();
            a_minute(count as u64, told)
        };
        let row = |connector: &Connector| {
            let counted = rates.of(&connector.name);
            let by_events =
                || (count("object-sent", &connector.name), count("object-received", &connector.name));
            let (sent, received) = counted.unwrap_or_else(by_events);
            let queue = self.queues.iter().find(|queue| queue.connector == connector.name);
            Row {
                name: connector.name.clone(),
                state: queue.map_or(&connector.state, |queue| &queue.state).clone(),
                associations: connector.associations,
                messages: queue.and_then(|queue| queue.messages),
                octets: queue.and_then(|queue| queue.octets),
                oldest: queue.and_then(|queue| seconds(queue.oldest.as_deref()?)).map(|at| (now - at).max(0)),
                sent,
                received,
                retry_in_s: connector.retry_in_s,
                failure: connector
                    .last_failure
                    .clone()
                    .filter(|_| connector.failing_since.is_some() || connector.consecutive_failures > 0),
            }
        };
        self.connectors.iter().map(row).collect()
    }

    /// Of how many of the last seconds there are all events: under load the service keeps those of a shorter time.
    fn told_seconds(&self, now: i64) -> i64 {
        let first = self.events.first().filter(|event| event.number > 1);
        let since = first.and_then(|event| seconds(&event.time)).map(|at| now - at);
        since.map_or(RATE_SECONDS, |told| told.clamp(1, RATE_SECONDS))
    }
}

/// What each connector had sent and received by a moment.
type Passed = BTreeMap<String, (u64, u64)>;

/// How much passes, by the counters of one look and another.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// When the service was started that these are of.
    started: String,
    /// When it was looked, and what each connector had sent and received by then.
    looks: VecDeque<(i64, Passed)>,
}

impl Rates {
    /// Takes what was seen at `now`.
    pub(super) fn note(&mut self, now: i64, snapshot: &Snapshot) {
        // A new process counts from zero; a clock that is set back is as bad.
        let is_ahead = self.looks.back().is_some_and(|(at, _)| *at > now);
        if self.started != snapshot.status.info.started || is_ahead {
            self.started.clone_from(&snapshot.status.info.started);
            self.looks.clear();
        }
        let counted = |connector: &Connector| {
            let Traffic { messages_in, messages_out, .. } = connector.traffic;
            (connector.name.clone(), (messages_out, messages_in))
        };
        self.looks.push_back((now, snapshot.connectors.iter().map(counted).collect()));
        // The first one is a minute old, or a little more.
        while self.looks.get(1).is_some_and(|(at, _)| now - at >= RATE_SECONDS) {
            self.looks.pop_front();
        }
    }

    /// Sent and received a minute over one connector; nothing as long as there are no two looks some time apart.
    fn of(&self, connector: &str) -> Option<(u64, u64)> {
        let ((before, then), (at, now)) = (self.looks.front()?, self.looks.back()?);
        let (then, now) = (then.get(connector)?, now.get(connector)?);
        let passed = at - before;
        let rate = |then: u64, now: u64| a_minute(now.saturating_sub(then), passed);
        (passed > 0).then(|| (rate(then.0, now.0), rate(then.1, now.1)))
    }
}

/// As many a minute as `count` in so many seconds.
fn a_minute(count: u64, seconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0).max(1);
    count.saturating_mul(RATE_SECONDS.unsigned_abs()).saturating_add(seconds / 2) / seconds
}

/// Seconds since 1970.
pub(super) fn seconds(time: &str) -> Option<i64> {
    time_text::parse(time).map(clock::WallTime::unix)
}

/// A time span as a person reads it at a glance: `59 s`, `5 m`, `3 h`, `12 d`.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} m", seconds / 60),
        6_000..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
