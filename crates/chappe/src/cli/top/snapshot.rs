//! What the service says of itself at one moment, and what follows from it for people: ages and rates.

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::client::Client;
use crate::model::{Connector, Event, Monitor, Page, Queue, Status};
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
    /// Messages transferred out and in within the last minute.
    pub(super) sent: usize,
    pub(super) received: usize,
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
    pub(super) fn rows(&self, now: i64) -> Vec<Row> {
        let recent = |event: &&Event| seconds(&event.time).is_some_and(|at| at > now - RATE_SECONDS);
        let recent: Vec<&Event> = self.events.iter().filter(recent).collect();
        let count = |kind: &str, name: &str| {
            recent.iter().filter(|event| event.kind == kind && event.subject == name).count()
        };
        let row = |connector: &Connector| {
            let queue = self.queues.iter().find(|queue| queue.connector == connector.name);
            Row {
                name: connector.name.clone(),
                state: queue.map_or(&connector.state, |queue| &queue.state).clone(),
                associations: connector.associations,
                messages: queue.and_then(|queue| queue.messages),
                octets: queue.and_then(|queue| queue.octets),
                oldest: queue.and_then(|queue| seconds(queue.oldest.as_deref()?)).map(|at| (now - at).max(0)),
                sent: count("object-sent", &connector.name),
                received: count("object-received", &connector.name),
                retry_in_s: connector.retry_in_s,
                failure: connector
                    .last_failure
                    .clone()
                    .filter(|_| connector.failing_since.is_some() || connector.consecutive_failures > 0),
            }
        };
        self.connectors.iter().map(row).collect()
    }
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
