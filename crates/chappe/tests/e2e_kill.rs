//! `kill -9` of either MTA at any moment of a run of 1,000 messages: all arrive, none twice.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use support::http::{self, NoAnswer};
use support::{ANNA, OPERATIONS, Pair, Plan, Random, wait_within};

const MESSAGES: u64 = 1_000;
const SUBMITTERS: usize = 4;
/// A, B, A, B …
const KILLS: u64 = 10;
/// A whole run takes a small part of this on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// What the submitters know.
#[derive(Default)]
struct Submitted {
    /// Subjects of the messages which the MTA has said to have accepted.
    acknowledged: Mutex<BTreeSet<String>>,
    /// Subjects of submissions without an answer: accepted or not, but never twice.
    unknown: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    give_up: AtomicBool,
}

impl Submitted {
    fn count(&self) -> u64 {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Submits messages of different subjects until enough have been acknowledged.
    fn submit(&self, api: std::net::SocketAddr) {
        while self.count() < MESSAGES && !self.give_up.load(Ordering::Relaxed) {
            let subject = format!("number {}", self.next.fetch_add(1, Ordering::Relaxed));
            let path = format!(
                "/api/v1/messages?from={}&to={}&subject={}",
                http::encode(ANNA),
                http::encode(OPERATIONS),
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
            let known = match answer {
                Ok(answer) => {
                    assert_eq!(answer.status, 201, "{subject}: {}", answer.body);
                    &self.acknowledged
                }
                Err(NoAnswer::NotSent | NoAnswer::Unknown) => &self.unknown,
            };
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(subject);
        }
    }
}

#[test]
fn no_message_is_lost_or_doubled_when_either_mta_is_killed_at_any_moment() {
    let mut random = Random::new();
    let plan = Plan {
        retry: "open_interval_s = 1\ntransfer_interval_s = 1\nmax_transfer_retries = 100\n".to_owned(),
        ..Plan::default()
    };
    let Pair { mut a, mut b } = plan.start();
    let submitted = Submitted::default();
    thread::scope(|scope| {
        for _ in 0..SUBMITTERS {
            let api = a.api;
            let submitted = &submitted;
            scope.spawn(move || submitted.submit(api));
        }
        // A panic below must end the submitters, or the scope would wait for them without end.
        let _give_up = GiveUp(&submitted.give_up);
        // Submissions and deliveries are counted together, so that kills fall on both ends of the run.
        for kill in 0..KILLS {
            let part = 2 * MESSAGES / KILLS;
            let moment = kill * part + random.below(part * 9 / 10);
            wait_within(PATIENCE, "progress between two kills", || {
                let delivered = b.mailbox_size(OPERATIONS);
                (submitted.count() + delivered >= moment).then_some(())
            });
            // Not right behind an answer or a delivery, but anywhere between two.
            thread::sleep(Duration::from_micros(random.below(30_000)));
            let victim = if kill % 2 == 0 { &mut a } else { &mut b };
            victim.kill();
            victim.start();
        }
        wait_within(PATIENCE, "the last acknowledgement", || (submitted.count() >= MESSAGES).then_some(()));
    });

    let acknowledged = submitted.acknowledged.into_inner().unwrap_or_else(PoisonError::into_inner);
    let unknown = submitted.unknown.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(acknowledged.len() as u64 >= MESSAGES);
    wait_within(PATIENCE, "all acknowledged messages at B", || {
        (b.mailbox_size(OPERATIONS) >= acknowledged.len() as u64
            && acknowledged.is_subset(&b.subjects(OPERATIONS).into_iter().collect()))
        .then_some(())
    });
    // What is queued twice has still time to arrive twice.
    a.wait_until_empty();
    b.wait_until_empty();
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for subject in b.subjects(OPERATIONS) {
        *times.entry(subject).or_default() += 1;
    }
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "delivered more than once: {doubled:?}");
    let lost: Vec<_> = acknowledged.iter().filter(|subject| !times.contains_key(*subject)).collect();
    assert!(lost.is_empty(), "never delivered: {lost:?}");
    let strange: Vec<_> = times
        .keys()
        .filter(|subject| !acknowledged.contains(*subject) && !unknown.contains(*subject))
        .collect();
    assert!(strange.is_empty(), "never submitted: {strange:?}");
    assert!(a.mailbox(ANNA).is_empty(), "a non-delivery report: {:?}", a.mailbox(ANNA));
}

struct GiveUp<'a>(&'a AtomicBool);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
