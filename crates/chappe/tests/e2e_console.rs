//! The console's files and the stream that keeps it up to date, as a client sees them. The pages themselves are tested in
//! a browser, in the crate `browser`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::http::request;
use support::{ANNA, DEADLINE, OPERATIONS, Pair, Plan, Site, items, json, wait_for};

/// Streams at one time.
const MAX_STREAMS: usize = 64;

fn send(site: &Site, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(site.api).expect("the API listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream.write_all(format!("{head}\r\nhost: localhost\r\n\r\n").as_bytes()).expect("the API reads");
    stream
}

/// The whole answer to a request, which must close the connection.
fn answer(site: &Site, head: &str) -> String {
    let mut text = String::new();
    send(site, &format!("{head}\r\nconnection: close")).read_to_string(&mut text).expect("an answer");
    text
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// A stream of server-sent events.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(site: &Site) -> Stream {
        let mut stream = Stream(BufReader::new(send(site, "GET /api/v1/stream HTTP/1.1")));
        let mut status = String::new();
        stream.0.read_line(&mut status).expect("a status");
        assert!(status.contains("200"), "{status}");
        stream
    }

    /// The next event; nothing at the end.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                name = Some(event.trim().to_owned());
            } else if let (Some(data), Some(name)) = (line.strip_prefix("data: "), &name) {
                return Some((name.clone(), json(data)));
            }
        }
    }

    /// Reads until an event of this name passes.
    fn until(&mut self, wanted: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            match self.next() {
                Some((name, data)) if name == wanted && is_it(&data) => return data,
                Some(_) => {}
                None => break,
            }
        }
        panic!("no `{wanted}` as it was waited for");
    }
}

#[test]
fn files_of_the_console_come_with_a_policy_and_are_sent_once() {
    let mut site = Plan::default().build().a;
    site.start();
    let to_browser = answer(&site, "GET / HTTP/1.1\r\naccept: text/html,*/*;q=0.8");
    assert!(to_browser.starts_with("HTTP/1.1 307"), "{to_browser}");
    assert_eq!(header(&to_browser, "location"), "/console/");
    let to_others = answer(&site, "GET / HTTP/1.1\r\naccept: */*");
    assert!(to_others.contains("/console/") && to_others.contains("/api/v1/stream"), "{to_others}");
    let page = answer(&site, "GET /console/ HTTP/1.1");
    assert!(header(&page, "content-security-policy").contains("default-src 'self'"), "{page}");
    assert!(!page.contains("<script>") && !page.contains("style=\""), "{page}");
    let script = answer(&site, "GET /console/pages/overview.js HTTP/1.1");
    assert!(header(&script, "content-type").starts_with("text/javascript"), "{script}");
    let tag = header(&script, "etag");
    let again = answer(&site, &format!("GET /console/pages/overview.js HTTP/1.1\r\nif-none-match: {tag}"));
    assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{again}");
    let missing = answer(&site, "GET /console/../Cargo.toml HTTP/1.1");
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
}

#[test]
fn a_stream_tells_all_then_what_changes_and_ends_with_the_service() {
    // One attempt, so that nothing changes after it.
    let plan = Plan { retry: "open_interval_s = 600\n".to_owned(), ..Plan::default() };
    let Pair { mut a, b } = plan.build();
    a.start();
    let mut stream = Stream::open(&a);
    let (name, state) = stream.next().expect("an event");
    assert_eq!((name.as_str(), &state["status"]["condition"]), ("state", &Value::from("ready")));
    assert_eq!(state["links"][0]["name"], "to-b");
    assert_eq!(state["links"][0]["messages"], 0);
    // MTA-B does not run.
    let id = a.send(ANNA, OPERATIONS, "waits");
    stream.until("events", |events| events.to_string().contains(&id));
    let failing = stream.until("change", |change| change["links"][0]["failing_since"].is_string());
    assert_eq!((&failing["links"][0]["messages"], &failing["links"][0]["name"]), (&1.into(), &"to-b".into()));
    // A second one begins with the whole as it is now.
    let (name, state) = Stream::open(&a).next().expect("an event");
    assert_eq!((name.as_str(), &state["status"]["failing"]), ("state", &Value::from(1)));
    // What does not change is not told again.
    let still = stream.until("change", |change| change.get("links").is_none());
    assert!(still["time"].is_string(), "{still}");
    drop(b);
    assert!(a.stop().success());
    while stream.next().is_some() {}
}

#[test]
fn a_flood_of_what_goes_well_is_told_as_a_number_and_hides_no_trouble() {
    /// Events between two looks that are mere information.
    const FEW: usize = 20;
    let Pair { mut a, b: _down } = Plan::default().build();
    a.start();
    let mut stream = Stream::open(&a);
    stream.until("state", |_| true);
    let news = |after: u64| items(&a.ask(&format!("/api/v1/events?after={after}")));
    let number = |event: &Value| event["number"].as_u64().expect("a number");
    let before = news(0).last().map_or(0, number);
    let ended = AtomicBool::new(false);
    let (mut told, mut left_out, mut together) = (Vec::new(), 0, 0);
    let mut read = |stream: &mut Stream| {
        let (name, data) = stream.next().expect("more of the stream");
        if name == "change" {
            left_out += data["events_left_out"].as_u64().unwrap_or(0);
            together = 0;
        } else {
            let events = data.as_array().expect("events");
            told.extend(events.iter().map(number));
            together += events.iter().filter(|event| event["severity"] == "information").count();
            assert!(together <= FEW, "{together} in a second");
        }
        (told.len() as u64, left_out)
    };
    thread::scope(|threads| {
        threads.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let answer = request(a.api, "POST", "/api/v1/queues/to-b/freeze", b"").expect("an answer");
                assert!([200, 429].contains(&answer.status), "{answer:?}");
            }
        });
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end && read(&mut stream).1 < 100 {}
        ended.store(true, Ordering::Relaxed);
    });
    let happened = news(before).last().map_or(0, number) - before;
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let (told, left_out) = read(&mut stream);
        if left_out >= 100 && told + left_out == happened {
            break;
        }
    }
    assert_eq!(told.len() as u64 + left_out, happened, "each is told or counted");
    assert!(left_out >= 100 && told.is_sorted() && told.first().is_some_and(|first| *first > before));

    // MTA-B does not run.
    a.run(&["queue", "thaw", "to-b"]);
    a.send(ANNA, OPERATIONS, "waits");
    stream.until("events", |events| events.to_string().contains("connection-not-opened"));
}

#[test]
fn streams_are_limited_and_leave_room_for_requests() {
    let mut site = Plan::default().build().a;
    site.start();
    let mut streams: Vec<Stream> = (0..MAX_STREAMS).map(|_| Stream::open(&site)).collect();
    let refused = answer(&site, "GET /api/v1/stream HTTP/1.1");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("streams are open"), "{refused}");
    let (name, _) = streams[MAX_STREAMS - 1].next().expect("an event");
    assert_eq!(name, "state");
    streams.truncate(MAX_STREAMS / 2);
    // The service notices at the next frame that they are gone.
    wait_for("a place for a stream", || answer_begins(&site).starts_with("HTTP/1.1 200").then_some(()));
}

/// The first line of the answer to one who wants a stream.
fn answer_begins(site: &Site) -> String {
    let mut line = String::new();
    let mut reader = BufReader::new(send(site, "GET /api/v1/stream HTTP/1.1"));
    reader.get_ref().set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    reader.read_line(&mut line).expect("a status");
    line
}
