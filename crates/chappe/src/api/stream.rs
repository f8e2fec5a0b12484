//! All at a glance, live: `GET /api/v1/stream`, as server-sent events.
//!
//! However many look, the MTA is looked at once a second, and not at all if nobody does: one task makes each frame,
//! and every stream sends the same octets. A stream begins with the whole (`state`); then follows what changed
//! (`change`), each second even if that is nothing, and new events as they come (`events`). Of those that tell that all
//! goes well a few come in a second, and the number of the others: two for each message relayed would cost more than
//! relaying, and nobody reads so fast. Warnings and errors always come at once. A client that reads too slowly gets the
//! whole again in place of what it missed. A stream ends within a second of what let it in: its session, or its token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use runtime::{Handle, LinkStatus};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::Api;
use super::error::ApiError;
use super::guard;
use super::pieces::Pieces;
use super::query::Query;

/// Streams at one time: half of the connections that the API takes.
const MAX_STREAMS: usize = 64;
/// Frames that a slow client may be behind before it gets the whole again.
const FRAMES_BEHIND: usize = 16;
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two frames of events: a storm comes in few frames.
const EVENT_PAUSE: Duration = Duration::from_millis(100);
/// Newest warnings and errors in one frame; whoever wants older ones asks for them.
const MOST_TROUBLES: usize = 200;
/// Events between two looks that are mere information.
const MOST_INFORMATION: usize = 20;
/// How long a client may take for one frame before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the frames of all streams.
pub(super) struct Hub {
    handle: Handle,
    places: Arc<Semaphore>,
    frames: broadcast::Sender<Told>,
    shown: Mutex<Shown>,
}

/// What is sent to every stream.
#[derive(Clone)]
enum Told {
    Frame(Bytes),
    /// There is no more.
    End,
}

/// What streams have been told.
#[derive(Default)]
struct Shown {
    /// Whether frames are being made.
    is_running: bool,
    is_closed: bool,
    glance: Value,
    links: BTreeMap<String, LinkStatus>,
    /// Why the newest look found less than it should.
    trouble: Option<String>,
    /// When it was, RFC 3339.
    time: String,
    /// Events up to here, exclusively, have been told, or left out.
    next_event: u64,
    /// Since the newest look: how many that are mere information were told, and how many of any kind were not.
    information: usize,
    left_out: u64,
}

impl Hub {
    pub(super) fn new(handle: Handle) -> Hub {
        let (frames, _) = broadcast::channel(FRAMES_BEHIND);
        Hub { handle, places: Arc::new(Semaphore::new(MAX_STREAMS)), frames, shown: Mutex::default() }
    }

    /// Ends all streams; none begins any more.
    pub(super) fn close(&self) {
        self.shown().is_closed = true;
        // Without streams nobody needs to know.
        let _ = self.frames.send(Told::End);
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // It is replaced value by value; after a panic the next look makes it right.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins: what to begin with, if somebody has looked already, and what follows.
    fn join(self: &Arc<Self>) -> (Option<Bytes>, broadcast::Receiver<Told>) {
        let mut shown = self.shown();
        let frames = self.frames.subscribe();
        if shown.is_closed {
            let _ = self.frames.send(Told::End);
        } else if !shown.is_running {
            *shown = Shown { is_running: true, ..Shown::default() };
            tokio::spawn(Arc::clone(self).run());
        }
        (shown.whole(), frames)
    }

    /// Looks until nobody listens.
    async fn run(self: Arc<Self>) {
        let mut news = self.handle.event_news();
        self.shown().next_event = news.latest();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    {
                        let mut shown = self.shown();
                        if shown.is_closed || self.frames.receiver_count() == 0 {
                            shown.is_running = false;
                            return;
                        }
                    }
                    self.look().await;
                }
                Some(_) = news.next() => {
                    self.tell_events();
                    tokio::time::sleep_until(Instant::now() + EVENT_PAUSE).await;
                }
            }
        }
    }

    async fn look(&self) {
        let glance = glance(&self.handle);
        let links = self.handle.links().await;
        let mut shown = self.shown();
        let is_first = shown.time.is_empty();
        shown.time = self.handle.now();
        let mut change = json!({ "time": shown.time });
        shown.information = 0;
        let left_out = std::mem::take(&mut shown.left_out);
        if left_out > 0 {
            change["events_left_out"] = json!(left_out);
        }
        if glance != shown.glance {
            change["status"] = glance.clone();
            shown.glance = glance;
        }
        let trouble = links.as_ref().err().map(ToString::to_string);
        if let Ok(links) = links {
            let links: BTreeMap<String, LinkStatus> =
                links.into_iter().map(|link| (link.name.clone(), link)).collect();
            let changed: Vec<&LinkStatus> =
                links.values().filter(|link| shown.links.get(&link.name) != Some(*link)).collect();
            let gone: Vec<&String> = shown.links.keys().filter(|name| !links.contains_key(*name)).collect();
            if !changed.is_empty() {
                change["links"] = json!(changed);
            }
            if !gone.is_empty() {
                change["gone"] = json!(gone);
            }
            shown.links = links;
        }
        if trouble != shown.trouble {
            change["trouble"] = json!(trouble);
            shown.trouble = trouble;
        }
        let frame = if is_first { shown.whole() } else { Some(frame("change", &change)) };
        if let Some(frame) = frame {
            // Under the lock, so that whoever joins has either the whole with this in it, or this.
            let _ = self.frames.send(Told::Frame(frame));
        }
    }

    fn tell_events(&self) {
        let mut shown = self.shown();
        let room = MOST_INFORMATION.saturating_sub(shown.information);
        let news = self.handle.event_digest(shown.next_event, room, MOST_TROUBLES);
        shown.next_event = news.next;
        shown.information += news.information;
        shown.left_out += news.left_out;
        if !news.events.is_empty() {
            let _ = self.frames.send(Told::Frame(frame("events", &json!(news.events))));
        }
    }
}

impl Shown {
    /// All of it, once there is something.
    fn whole(&self) -> Option<Bytes> {
        if self.time.is_empty() {
            return None;
        }
        let links: Vec<&LinkStatus> = self.links.values().collect();
        let whole =
            json!({ "time": self.time, "status": self.glance, "links": links, "trouble": self.trouble });
        Some(frame("state", &whole))
    }
}

/// What there is besides links.
fn glance(handle: &Handle) -> Value {
    let status = handle.status();
    let resources = &status.resources;
    json!({
        "name": status.info.name,
        "domain": status.info.domain,
        "version": status.info.version,
        "started": status.info.started,
        "counters": status.info.counters,
        "condition": status.condition,
        "reasons": status.reasons,
        "connectors": status.connectors,
        "failing": status.failing,
        "associations": status.associations,
        "queued": status.queued,
        "queued_octets": status.queued_octets,
        "resources": { "limits": resources.limits, "total": resources.total },
    })
}

/// One server-sent event. JSON has no line breaks of its own.
fn frame(event: &str, data: &Value) -> Bytes {
    format!("event: {event}\ndata: {data}\n\n").into()
}

pub(super) async fn stream(
    State(api): State<Api>,
    head: HeaderMap,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&[])?;
    let hub = Arc::clone(&api.hub);
    let Ok(place) = Arc::clone(&hub.places).try_acquire_owned() else {
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{MAX_STREAMS} streams are open"),
            "close some, or ask for /api/v1/status now and then",
        ));
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _place = place;
        let (whole, mut frames) = hub.join();
        if let Some(whole) = whole
            && !pass(&sender, whole).await
        {
            return;
        }
        loop {
            let told = tokio::select! {
                told = frames.recv() => told,
                () = sender.closed() => return,
            };
            // There is something to tell each second.
            if !guard::still_admits(&api, &head) {
                return;
            }
            let next = match told {
                Ok(Told::Frame(frame)) => Some(frame),
                Ok(Told::End) | Err(broadcast::error::RecvError::Closed) => return,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let shown = hub.shown();
                    frames = frames.resubscribe();
                    shown.whole()
                }
            };
            if let Some(next) = next
                && !pass(&sender, next).await
            {
                return;
            }
        }
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(Pieces(receiver))).into_response())
}

/// Whether the client has taken it.
async fn pass(sender: &mpsc::Sender<Bytes>, frame: Bytes) -> bool {
    matches!(tokio::time::timeout(PATIENCE, sender.send(frame)).await, Ok(Ok(())))
}
