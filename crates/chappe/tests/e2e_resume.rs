//! Services that are stopped or killed in the middle of a large transfer, and started again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::time::Duration;

use support::{ANNA, OPERATIONS, Pair, Plan, Random, Site};
use testkit::{Fault, Proxy, Recording, Side};

const LARGE: usize = 4 << 20;
/// Octets that may stand unconfirmed when a transfer breaks: the window, and one checkpoint more.
const UNCONFIRMED: usize = 6 * 30 * 1024;
/// What the pipes between two services hold: the proxy reads what has not been confirmed and never will be.
const IN_FLIGHT: usize = 256 * 1024;

/// A pair with a slow link from A to B, on which a part of a large message has passed.
fn half_sent() -> (Pair, Proxy, Vec<u8>) {
    let mut plan = Plan { mta: "stop_timeout_s = 4\n".to_owned(), ..Plan::default() };
    let proxy = Proxy::start(plan.b_p1).unwrap();
    plan.a_connects_to = proxy.address();
    proxy.plan(Fault::Delay(Duration::from_millis(60)));
    let pair = plan.start();
    let content = Random::new().octets(LARGE);
    let file = pair.a.file("large.bin", &content);
    let file = file.to_str().unwrap();
    pair.a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "large", "--file", file]);
    proxy
        .wait(support::DEADLINE, |recordings| sent(recordings) > LARGE / 4)
        .expect("a part of the file passes");
    assert!(sent(&proxy.recordings()) < LARGE / 2, "too fast to be stopped");
    (pair, proxy, content)
}

fn sent(recordings: &[Recording]) -> usize {
    let segments = recordings.iter().flat_map(|recording| &recording.segments);
    segments.filter(|s| s.side == Side::Initiator).map(|s| s.octets.len()).sum()
}

/// The large message is in the mailbox, whole and once.
fn arrived_once(pair: &Pair, content: &[u8]) {
    let mail = pair.b.wait_for_mail(OPERATIONS, 1);
    pair.a.wait_until_empty();
    pair.b.wait_until_empty();
    assert_eq!(pair.b.subjects(OPERATIONS), ["large"]);
    let number = mail[0]["number"].to_string();
    let out = pair.b.path("out.bin");
    let export = ["mailbox", "export", OPERATIONS, &number, "--attachment", "1", "--output"];
    support::Outcome::ok(pair.b.run(&[&export[..], &[out.to_str().unwrap()]].concat()));
    assert!(support::site::read(&out) == content, "the file differs from what was submitted");
}

/// It went on where it had stopped: the wire has not seen it twice.
fn was_resumed(receiver: &Site, proxy: &Proxy) {
    assert_eq!(receiver.logged("transfer-resumed"), 1, "nothing was resumed");
    // Base64 of the file and headers are a part more than the file itself; a message begun anew is twice as much.
    let (octets, most) = (sent(&proxy.recordings()), LARGE + LARGE / 100 + UNCONFIRMED + IN_FLIGHT);
    assert!(octets < most, "{octets} octets were sent, at most {most} expected");
}

#[test]
fn a_sender_stopped_in_mid_transfer_goes_on_after_its_restart() {
    let (mut pair, proxy, content) = half_sent();
    assert_eq!(pair.a.stop().code(), Some(0));
    assert_eq!(pair.a.logged("transfer-interrupted"), 1);
    assert!(pair.b.mailbox(OPERATIONS).is_empty(), "half a message was delivered");
    pair.a.start();
    arrived_once(&pair, &content);
    was_resumed(&pair.b, &proxy);
}

#[test]
fn a_receiver_stopped_in_mid_transfer_goes_on_after_its_restart() {
    let (mut pair, proxy, content) = half_sent();
    assert_eq!(pair.b.stop().code(), Some(0));
    assert_eq!(pair.b.logged("transfer-interrupted"), 1);
    pair.b.start();
    assert!(pair.b.mailbox(OPERATIONS).is_empty(), "half a message was delivered");
    arrived_once(&pair, &content);
    was_resumed(&pair.b, &proxy);
}

#[test]
fn a_sender_killed_in_mid_transfer_delivers_once_after_its_restart() {
    let (mut pair, _proxy, content) = half_sent();
    pair.a.kill();
    pair.a.start();
    arrived_once(&pair, &content);
}

#[test]
fn a_receiver_killed_in_mid_transfer_is_sent_the_whole_message_again() {
    let (mut pair, _proxy, content) = half_sent();
    pair.b.kill();
    pair.b.start();
    arrived_once(&pair, &content);
    // What it had was in memory only, which is said and not counted as a failed transfer.
    assert_eq!(pair.b.logged("transfer-resumed"), 0);
    assert_eq!(pair.a.logged("will be sent from the beginning"), 1);
}

#[test]
fn both_killed_one_after_the_other_deliver_once() {
    let (mut pair, proxy, content) = half_sent();
    pair.b.kill();
    pair.b.start();
    let before = sent(&proxy.recordings());
    proxy.wait(support::DEADLINE, |recordings| sent(recordings) > before + LARGE / 8).expect("it goes on");
    pair.a.kill();
    pair.a.start();
    arrived_once(&pair, &content);
}
