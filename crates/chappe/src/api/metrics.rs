//! `GET /metrics`: how the MTA stands, for Prometheus; and `GET /health`, for whatever else watches.
//!
//! The text format 0.0.4 is a dozen lines to write, so no library stands between the engine's numbers and it. All series
//! are there from the start, for every connector; counters begin with the process and never go back; ages of empty queues
//! are 0, and what is not counted yet is NaN.

use std::fmt::{Display, Write as _};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use clock::WallTime;
use runtime::{Condition, ConnectorStatus, Held, HistogramStatus, LinkTraffic, QueueStatus, Role};

use super::error::ApiError;
use super::gate::{Caller, Shown};
use super::query::Query;
use super::{Answer, Api};
use crate::model::Health;
use crate::time_text;

/// What Prometheus calls this format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text in the making.
struct Text(String);

impl Text {
    /// Begins a metric.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One series of it.
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, text) in labels {
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
            before = ',';
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// A metric with one series.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.value(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &HistogramStatus) {
        self.metric(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound, count) in &histogram.up_to {
            self.value(&bucket, &[("le", &bound.to_string())], count);
        }
        self.value(&bucket, &[("le", "+Inf")], histogram.count);
        self.value(&format!("{name}_sum"), &[], histogram.sum_s);
        self.value(&format!("{name}_count"), &[], histogram.count);
    }
}

/// A number, or what the format has for one that is not known at the moment.
fn known(number: Option<u64>) -> String {
    number.map_or_else(|| "NaN".to_owned(), |number| number.to_string())
}

/// A label's value, as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

pub(super) async fn metrics(State(api): State<Api>, query: Query) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    let mut text = Text(String::new());
    whole(&api, &mut text);
    links(&api, &mut text);
    queues(&api, &mut text).await?;
    events(&api, &mut text);
    resources(&api, &mut text);
    let times = api.handle.times();
    text.histogram("chappe_commit_seconds", "How long commits to the store took.", &times.commits);
    text.histogram(
        "chappe_transit_seconds",
        "How long messages, probes and reports were here that the next MTA took over.",
        &times.transits,
    );
    Ok(([(header::CONTENT_TYPE, FORMAT)], text.0))
}

/// The MTA as a whole.
fn whole(api: &Api, text: &mut Text) {
    let status = api.handle.status();
    let info = &status.info;
    text.metric("chappe_info", "gauge", "Who this is; always 1.");
    let labels = [("name", info.name.as_str()), ("domain", &info.domain), ("version", info.version)];
    text.value("chappe_info", &labels, 1);
    let started = time_text::parse(&info.started).map_or(0, WallTime::unix);
    text.one("chappe_start_time_seconds", "gauge", "When the process began to work, Unix time.", started);
    text.metric("chappe_condition", "gauge", "1 for the condition that it is in.");
    for (name, condition) in
        [("ready", Condition::Ready), ("degraded", Condition::Degraded), ("stopping", Condition::Stopping)]
    {
        text.value("chappe_condition", &[("condition", name)], u8::from(status.condition == condition));
    }
    let accepts = u8::from(info.unhealthy.is_none() && !api.handle.is_stopping());
    text.one("chappe_accepts_messages", "gauge", "1 if new messages are accepted.", accepts);
    let counters = &info.counters;
    for (name, help, value) in [
        ("chappe_submitted_total", "Messages and probes submitted here.", counters.submitted),
        ("chappe_delivered_total", "Messages and reports put into mailboxes.", counters.delivered),
        ("chappe_non_delivered_total", "Recipients that were not delivered to.", counters.non_delivered),
        ("chappe_duplicates_total", "Repeated transfers that were suppressed.", counters.duplicates),
        (
            "chappe_loops_total",
            "Recipients not delivered to, and reports dropped, since what was for them went in a circle.",
            counters.loops,
        ),
    ] {
        text.one(name, "counter", help, value);
    }
    let work = api.handle.work_queue();
    for (name, help, value) in [
        (
            "chappe_work_queue_messages",
            "Messages, probes and reports that wait to be routed or delivered, deferred ones included.",
            work.messages,
        ),
        (
            "chappe_work_queue_more",
            "1 if there may be more of them than that, on disk only.",
            u64::from(work.more),
        ),
        (
            "chappe_deferred_messages",
            "Those that wait for the time before which they are not to be delivered.",
            work.deferred,
        ),
    ] {
        text.one(name, "gauge", help, value);
    }
}

/// What has gone over each link.
fn links(api: &Api, text: &mut Text) {
    type Pair = fn(&LinkTraffic) -> (u64, u64);
    let connectors = api.handle.connectors();
    let metrics: [(&str, &str, Pair); 4] = [
        ("chappe_messages_total", "Messages, probes and reports transferred.", |link| {
            (link.messages_in, link.messages_out)
        }),
        ("chappe_octets_total", "Octets of what was transferred.", |link| (link.octets_in, link.octets_out)),
        ("chappe_recipients_total", "Recipients for whom responsibility was transferred.", |link| {
            (link.recipients_in, link.recipients_out)
        }),
        ("chappe_associations_total", "Associations opened: by the peer (in), by this MTA (out).", |link| {
            (link.associations_in, link.associations_out)
        }),
    ];
    for (name, help, pair) in metrics {
        text.metric(name, "counter", help);
        for ConnectorStatus { name: connector, traffic, .. } in &connectors {
            let (inward, outward) = pair(traffic);
            for (direction, value) in [("in", inward), ("out", outward)] {
                text.value(name, &[("direction", direction), ("connector", connector)], value);
            }
        }
    }
    let name = "chappe_failed_opens_total";
    text.metric(name, "counter", "Times that no association could be opened.");
    for connector in &connectors {
        text.value(name, &[("connector", &connector.name)], connector.traffic.failed_opens);
    }
}

/// Connectors and their queues, as they stand.
async fn queues(api: &Api, text: &mut Text) -> Result<(), ApiError> {
    type Measure<'a> = &'a dyn Fn(&QueueStatus) -> Option<u64>;
    let now = time_text::parse(&api.handle.now()).map_or(0, WallTime::unix);
    let since = |time: &Option<String>| {
        let since = time.as_deref().and_then(time_text::parse).map(WallTime::unix);
        since.map_or(0, |since| u64::try_from(now.saturating_sub(since)).unwrap_or(0))
    };
    let queues = api.handle.queues().await?;
    let metrics: [(&str, &str, Measure<'_>); 6] = [
        (
            "chappe_queue_messages",
            "Messages, probes and reports in the queue; NaN while it is counted.",
            &|queue| queue.messages,
        ),
        ("chappe_queue_octets", "Their octets.", &|queue| queue.octets),
        ("chappe_queue_held", "Those beside them that an operator holds.", &|queue| queue.held),
        (
            "chappe_queue_oldest_seconds",
            "How long the oldest of them has been in the queue; 0 if it is empty.",
            &|queue| match (queue.messages, &queue.oldest) {
                (Some(0), _) => Some(0),
                (None, None) => None,
                (_, oldest) => Some(since(oldest)),
            },
        ),
        ("chappe_queue_frozen", "1 if the queue is frozen.", &|queue| {
            Some(u64::from(queue.state == "frozen"))
        }),
        ("chappe_queue_counting", "1 while what an earlier process left is counted.", &|queue| {
            Some(u64::from(queue.counting))
        }),
    ];
    for (name, help, value) in metrics {
        text.metric(name, "gauge", help);
        for queue in &queues {
            text.value(name, &[("connector", &queue.connector)], known(value(queue)));
        }
    }
    let connectors = api.handle.connectors();
    let name = "chappe_connector_failing_seconds";
    text.metric(
        name,
        "gauge",
        "How long no association could be opened; 0 if the link works or was not tried.",
    );
    for connector in &connectors {
        // A link that has just failed is failing.
        let age = if connector.failing_since.is_some() { since(&connector.failing_since).max(1) } else { 0 };
        text.value(name, &[("connector", &connector.name)], age);
    }
    let name = "chappe_connector_retry_seconds";
    text.metric(name, "gauge", "How long until the next attempt to open; 0 if none waits.");
    for connector in &connectors {
        text.value(name, &[("connector", &connector.name)], connector.retry_in_s.unwrap_or(0));
    }
    let (associations, name) = (api.handle.associations(), "chappe_associations");
    text.metric(name, "gauge", "Open associations: opened by the peer (in), by this MTA (out).");
    for connector in &connectors {
        for (direction, role) in [("in", Role::Responder), ("out", Role::Initiator)] {
            let theirs = |a: &&runtime::AssociationStatus| {
                a.connector.as_deref() == Some(connector.name.as_str()) && a.role == role
            };
            let count = associations.iter().filter(theirs).count();
            text.value(name, &[("direction", direction), ("connector", &connector.name)], count);
        }
    }
    Ok(())
}

/// How often what has happened.
fn events(api: &Api, text: &mut Text) {
    text.metric("chappe_events_total", "counter", "Events, those that were not told again included.");
    for (kind, count) in api.handle.event_counts() {
        let severity = kind.severity().name();
        text.value("chappe_events_total", &[("kind", kind.name()), ("severity", severity)], count);
    }
}

/// What associations hold of what there is.
fn resources(api: &Api, text: &mut Text) {
    type Amount = fn(&Held) -> u64;
    let kinds: [(&str, Amount); 5] = [
        ("slots", |held| held.slots),
        ("tasks", |held| held.tasks),
        ("sockets", |held| held.sockets),
        ("timers", |held| held.timers),
        ("octets", |held| held.octets),
    ];
    let resources = api.handle.resources();
    text.metric(
        "chappe_held",
        "gauge",
        "What associations hold; of callers that have not bound, without a connector.",
    );
    let holders = std::iter::once(&resources.unbound).chain(&resources.connectors);
    for holder in holders {
        for (kind, amount) in kinds {
            let connector = holder.connector.as_deref().unwrap_or_default();
            text.value("chappe_held", &[("resource", kind), ("connector", connector)], amount(&holder.held));
        }
    }
    text.metric("chappe_limit", "gauge", "What associations may hold together.");
    for (kind, limit) in [("slots", resources.limits.slots), ("octets", resources.limits.octets)] {
        text.value("chappe_limit", &[("resource", kind)], limit);
    }
}

/// Whether all is well; the reasons why not are for those who have shown who they are.
pub(super) async fn health(State(api): State<Api>, caller: Caller, query: Query) -> impl IntoResponse {
    let answer: Answer<Health> = query.only(&[]).map(|_| {
        let status = api.handle.status();
        let is_trusted = (api.site.is_open && !api.gate.has_tokens()) || caller.shown != Shown::Nothing;
        let condition = match status.condition {
            Condition::Ready => "ready",
            Condition::Degraded => "degraded",
            Condition::Stopping => "stopping",
        };
        let reasons = if is_trusted { status.reasons } else { Vec::new() };
        Json(Health { condition: condition.to_owned(), reasons })
    });
    let stopping = api.handle.is_stopping() && answer.is_ok();
    let status = if stopping { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    answer.map(|health| (status, health))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_can_hold_what_a_name_can() {
        let mut text = Text(String::new());
        text.metric("m", "gauge", "What.");
        text.value("m", &[("a", "x\"y\\z"), ("b", "")], 7);
        text.value("m", &[], 1.5);
        assert_eq!(text.0, "# HELP m What.\n# TYPE m gauge\nm{a=\"x\\\"y\\\\z\",b=\"\"} 7\nm 1.5\n");
    }

    #[test]
    fn a_histogram_ends_with_all_of_it() {
        let mut text = Text(String::new());
        let histogram = HistogramStatus { up_to: vec![(0.5, 1), (2.0, 3)], count: 4, sum_s: 9.25 };
        text.histogram("h", "How long.", &histogram);
        let lines: Vec<&str> = text.0.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "h_bucket{le=\"0.5\"} 1",
                "h_bucket{le=\"2\"} 3",
                "h_bucket{le=\"+Inf\"} 4",
                "h_sum 9.25",
                "h_count 4"
            ]
        );
    }
}
