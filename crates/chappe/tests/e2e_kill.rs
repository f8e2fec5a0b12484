//! `kill -9` of either MTA at any moment of a run: all messages and reports arrive, none twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use support::http::{self, NoAnswer};
use support::{ANNA, OPERATIONS, Pair, Plan, Random, Site, json, wait_within};

/// A whole run takes a small part of this on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// One stream of messages, and what its submitters know of them.
struct Stream {
    from: &'static str,
    to: &'static str,
    report: &'static str,
    messages: u64,
    /// MTS-identifiers of the messages which the MTA has said to have accepted, by subject.
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// Subjects of submissions without an answer: accepted or not, but never twice.
    unknown: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    give_up: AtomicBool,
}

impl Stream {
    fn new(from: &'static str, to: &'static str, report: &'static str, messages: u64) -> Stream {
        Stream {
            from,
            to,
            report,
            messages,
            acknowledged: Mutex::default(),
            unknown: Mutex::default(),
            next: AtomicU64::new(0),
            give_up: AtomicBool::new(false),
        }
    }

    fn count(&self) -> u64 {
        self.acknowledged().len() as u64
    }

    fn acknowledged(&self) -> BTreeMap<String, String> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unknown(&self) -> BTreeSet<String> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Submits messages of different subjects until enough have been acknowledged.
    fn submit(&self, api: SocketAddr) {
        while self.count() < self.messages && !self.give_up.load(Ordering::Relaxed) {
            let subject = format!("number {}", self.next.fetch_add(1, Ordering::Relaxed));
            let path = format!(
                "/api/v1/messages?from={}&to={}&report={}&subject={}",
                http::encode(self.from),
                http::encode(self.to),
                self.report,
                http::encode(&subject)
            );
            let answer = loop {
                match http::request(api, "POST", &path, subject.as_bytes()) {
                    Err(NoAnswer::NotSent) if !self.give_up.load(Ordering::Relaxed) => {
                        // The MTA was killed and is not back yet.
                        thread::sleep(Duration::from_millis(10));
                    }
                    answer => break answer,
                }
            };
            match answer {
                Ok(answer) => {
                    assert_eq!(answer.status, 201, "{subject}: {}", answer.body);
                    let id = json(&answer.body)["mts_id"].as_str().unwrap_or_default().to_owned();
                    let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                    acknowledged.insert(subject, id);
                }
                Err(NoAnswer::NotSent | NoAnswer::Unknown) => {
                    self.unknown.lock().unwrap_or_else(PoisonError::into_inner).insert(subject);
                }
            }
        }
    }

    /// Every acknowledged message is at `site`, and none is there twice.
    fn assert_arrived_once(&self, site: &Site) {
        let (acknowledged, unknown) = (self.acknowledged(), self.unknown());
        let times = times(site.subjects(self.to));
        let doubled: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
        assert!(doubled.is_empty(), "delivered more than once at {}: {doubled:?}", site.name);
        let lost: Vec<_> = acknowledged.keys().filter(|subject| !times.contains_key(*subject)).collect();
        assert!(lost.is_empty(), "never delivered at {}: {lost:?}", site.name);
        let strange: Vec<_> = times
            .keys()
            .filter(|subject| !acknowledged.contains_key(*subject) && !unknown.contains(*subject))
            .collect();
        assert!(strange.is_empty(), "never submitted, but at {}: {strange:?}", site.name);
    }
}

fn times(texts: impl IntoIterator<Item = String>) -> BTreeMap<String, u32> {
    let mut times = BTreeMap::new();
    for text in texts {
        *times.entry(text).or_default() += 1;
    }
    times
}

/// Ends the submitters when the test fails, or it would wait for them without end.
struct GiveUp<'a>(&'a [Stream]);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|stream| stream.give_up.store(true, Ordering::Relaxed));
    }
}

/// Submits all messages of `streams`, the first from A, the second from B, `submitters` at a time each, while A and B
/// in turn are killed and started again, `kills` times altogether.
fn run(pair: &mut Pair, streams: &[Stream], submitters: usize, kills: u64, random: &mut Random) {
    let (a, b) = (&mut pair.a, &mut pair.b);
    let total = streams.iter().map(|stream| stream.messages).sum::<u64>();
    let submitted = || streams.iter().map(Stream::count).sum::<u64>();
    thread::scope(|scope| {
        for (stream, api) in streams.iter().zip([a.api, b.api]) {
            for _ in 0..submitters {
                scope.spawn(move || stream.submit(api));
            }
        }
        let _give_up = GiveUp(streams);
        for kill in 0..kills {
            // Submissions and deliveries are counted together, so that kills fall on both ends of the run.
            let part = 2 * total / kills;
            let moment = kill * part + random.below(part * 9 / 10);
            wait_within(PATIENCE, "progress between two kills", || {
                let delivered = a.mailbox_size(ANNA) + b.mailbox_size(OPERATIONS);
                (submitted() + delivered >= moment).then_some(())
            });
            // Not right behind an answer or a delivery, but anywhere between two.
            thread::sleep(Duration::from_micros(random.below(30_000)));
            let victim = if kill.is_multiple_of(2) { &mut *a } else { &mut *b };
            victim.kill();
            victim.start();
        }
        wait_within(PATIENCE, "the last acknowledgement", || (submitted() >= total).then_some(()));
    });
    let unknown = streams.iter().map(|stream| stream.unknown().len()).sum::<usize>();
    println!("{kills} kills, {unknown} submissions without an answer");
}

/// Waits until nothing is under way: first messages, then the reports on them, each from one side and from the other.
fn settle(a: &Site, b: &Site) {
    for _ in 0..2 {
        a.wait_until_empty();
        b.wait_until_empty();
    }
}

fn plan() -> Plan {
    Plan {
        retry: "open_interval_s = 1\ntransfer_interval_s = 1\nmax_transfer_retries = 100\n".to_owned(),
        ..Plan::default()
    }
}

#[test]
fn no_message_is_lost_or_doubled_when_either_mta_is_killed_at_any_moment() {
    let mut random = Random::new();
    let mut pair = plan().start();
    let streams = [Stream::new(ANNA, OPERATIONS, "non-delivery", 1_000)];
    run(&mut pair, &streams, 4, 10, &mut random);
    let Pair { a, b } = pair;
    settle(&a, &b);
    streams[0].assert_arrived_once(&b);
    assert!(a.mailbox(ANNA).is_empty(), "a non-delivery report: {:?}", a.mailbox(ANNA));
}

#[test]
fn every_message_gets_one_report_when_either_mta_is_killed_with_mail_both_ways() {
    let mut random = Random::new();
    let both_ways = Plan { connector: "two_way_alternate = true\n".to_owned(), ..plan() };
    let mut pair = both_ways.start();
    let streams =
        [Stream::new(ANNA, OPERATIONS, "delivery", 200), Stream::new(OPERATIONS, ANNA, "delivery", 200)];
    run(&mut pair, &streams, 2, 8, &mut random);
    let Pair { a, b } = pair;
    settle(&a, &b);
    for (stream, origin, destination) in [(&streams[0], &a, &b), (&streams[1], &b, &a)] {
        stream.assert_arrived_once(destination);
        let reports = origin.mailbox(stream.from).into_iter().filter(|item| item["kind"] == "report");
        let ids = reports.filter_map(|item| item["subject_mts_id"].as_str().map(str::to_owned));
        let times = times(ids);
        let acknowledged = stream.acknowledged();
        let lost: Vec<_> = acknowledged.values().filter(|id| !times.contains_key(*id)).collect();
        assert!(lost.is_empty(), "never reported at {}: {lost:?}", origin.name);
        let doubled: Vec<_> = times.into_iter().filter(|(_, times)| *times != 1).collect();
        assert!(doubled.is_empty(), "reported more than once at {}: {doubled:?}", origin.name);
    }
}
