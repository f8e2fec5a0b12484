//! Stopping and reloading a service with work under way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::fs;
use std::time::Duration;

use support::{ANNA, OPERATIONS, Pair, Plan, Random, Site, items, wait_for};
use testkit::{Fault, Proxy, Recording, Side};

const LARGE: usize = 4 << 20;

/// A pair whose link from A to B passes on one piece of data every so often. Nothing is resumed: e2e_resume.rs is about
/// that.
fn slow_network(stop_timeout_s: u32, delay: Duration) -> (Pair, Proxy) {
    let mut plan = Plan {
        mta: format!("stop_timeout_s = {stop_timeout_s}\n"),
        rts: "recovery_timeout_s = 0\n".to_owned(),
        ..Plan::default()
    };
    let proxy = Proxy::start(plan.b_p1).unwrap();
    plan.a_connects_to = proxy.address();
    proxy.plan(Fault::Delay(delay));
    (plan.start(), proxy)
}

/// Submits a large file at A and waits until part of it, and not all, has been transferred. Gives its content.
fn begin_large(pair: &Pair, proxy: &Proxy) -> Vec<u8> {
    let content = Random::new().octets(LARGE);
    let file = pair.a.file("large.bin", &content);
    let file = file.to_str().unwrap();
    pair.a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "large", "--file", file]);
    proxy
        .wait(support::DEADLINE, |recordings| recordings.first().is_some_and(|first| sent(first) > LARGE / 8))
        .expect("a part of the file passes");
    assert!(
        proxy.recordings().first().is_some_and(|first| sent(first) < LARGE / 2),
        "too fast to be stopped"
    );
    content
}

fn sent(recording: &Recording) -> usize {
    recording.segments.iter().filter(|s| s.side == Side::Initiator).map(|s| s.octets.len()).sum()
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

#[test]
fn a_stop_lets_a_transfer_finish_that_can() {
    let (mut pair, proxy) = slow_network(20, Duration::from_millis(10));
    let content = begin_large(&pair, &proxy);
    assert_eq!(pair.a.stop().code(), Some(0));
    assert!(pair.a.log().contains("has stopped in order"), "not in order");
    // All of it had got through before A ended: A has nothing left to send.
    pair.b.wait_for_mail(OPERATIONS, 1);
    assert_eq!(proxy.recordings().len(), 1);
    pair.a.start();
    arrived_once(&pair, &content);
}

#[test]
fn a_stop_of_the_sender_cuts_off_a_transfer_that_takes_too_long() {
    let (mut pair, proxy) = slow_network(1, Duration::from_millis(500));
    let content = begin_large(&pair, &proxy);
    pair.a.signal("TERM");
    assert_eq!(pair.a.wait_for_end().code(), Some(0));
    assert!(pair.a.log().contains("after the stop timeout"), "nothing was cut off");
    assert!(pair.b.mailbox(OPERATIONS).is_empty(), "half a message was delivered");
    pair.a.start();
    arrived_once(&pair, &content);
}

#[test]
fn a_stop_of_the_receiver_cuts_off_a_transfer_that_takes_too_long() {
    let (mut pair, proxy) = slow_network(1, Duration::from_millis(500));
    let content = begin_large(&pair, &proxy);
    assert_eq!(pair.b.stop().code(), Some(0));
    assert!(pair.b.log().contains("after the stop timeout"), "nothing was cut off");
    wait_for("the message back in A's queue", || {
        let queued = items(&pair.a.json(&["queue", "show", "to-b"])).pop()?;
        (queued["state"] == "waiting").then_some(())
    });
    pair.b.start();
    arrived_once(&pair, &content);
}

#[test]
fn a_second_signal_stops_at_once() {
    let (mut pair, proxy) = slow_network(3600, Duration::from_millis(500));
    let content = begin_large(&pair, &proxy);
    pair.a.signal("TERM");
    wait_for("the first signal in the log", || pair.a.log().contains("a second signal").then_some(()));
    pair.a.signal("TERM");
    assert_eq!(pair.a.wait_for_end().code(), Some(1));
    pair.a.start();
    arrived_once(&pair, &content);
}

/// A third site, GAMMA, which knows A; and what A's file needs to know it.
fn gamma(plan: &Plan) -> (Site, String) {
    let site = Site::new("C", support::pair::loopback(), support::pair::loopback());
    site.configure(&(plan.text(&site, "GAMMA") + &plan.link("A", "ALPHA", plan.a_p1)));
    let link = plan.link("C", "GAMMA", site.p1);
    (site, link)
}

#[test]
fn a_reload_adds_a_connector_and_mail_flows_over_it() {
    let plan = Plan::default();
    let Pair { mut a, b } = plan.start();
    let (mut c, link) = gamma(&plan);
    c.start();
    let carol = "S=carol;O=Acme;P=GAMMA;A= ;C=GB";
    a.send(ANNA, OPERATIONS, "before");
    assert_eq!(a.json(&["route", carol])["decision"], "unknown");
    let text = fs::read_to_string(a.config()).unwrap();
    a.configure(&(text + &link));
    a.signal("HUP");
    wait_for("the new connector", || (items(&a.json(&["connector", "list"])).len() == 2).then_some(()));
    assert!(
        a.log().contains("connectors added: to-c; changed: none; removed: none"),
        "not said what changed"
    );
    a.submit(&[
        "--from",
        ANNA,
        "--to",
        carol,
        "--to",
        OPERATIONS,
        "--subject",
        "after",
        "--text",
        "x",
        "--report",
        "delivery",
    ]);
    c.wait_for_mail(carol, 1);
    b.wait_for_mail(OPERATIONS, 2);
    // Both report back.
    let reported = |report: &serde_json::Value| report["recipients"].as_array().map_or(0, Vec::len);
    wait_for("reports of both", || (a.mailbox(ANNA).iter().map(reported).sum::<usize>() == 2).then_some(()));
    assert_eq!(c.subjects(carol), ["after"]);
    assert_eq!(b.subjects(OPERATIONS), ["before", "after"]);

    // And away again: the connector is gone, and so is the way.
    let text = fs::read_to_string(a.config()).unwrap();
    a.configure(text.strip_suffix(&link).unwrap());
    a.signal("HUP");
    wait_for("one connector less", || (items(&a.json(&["connector", "list"])).len() == 1).then_some(()));
    assert_eq!(a.json(&["route", carol])["decision"], "unknown");
}

#[test]
fn a_reload_of_a_bad_file_changes_nothing_and_says_why() {
    let plan = Plan::default();
    let Pair { mut a, b } = plan.start();
    let good = fs::read_to_string(a.config()).unwrap();
    let bad = good.replace("open_interval_s = 1", "open_interval_s = 0").replace("cost = 1", "cost = 101")
        + "[nonsense]\n";
    a.configure(&bad);
    a.signal("HUP");
    let errors = "the configuration stays as it was: ";
    wait_for("three errors in the log", || (a.logged(errors) == 3).then_some(()));
    for part in ["open_interval_s", "cost", "nonsense"] {
        let said = a.log().lines().any(|line| line.contains(errors) && line.contains(part));
        assert!(said, "no error about {part} in the log");
    }
    assert_eq!(items(&a.json(&["connector", "list"])).len(), 1);
    a.send(ANNA, OPERATIONS, "still here");
    b.wait_for_mail(OPERATIONS, 1);
    // A file that can't be read is no reason to stop either.
    fs::remove_file(a.config()).unwrap();
    a.signal("HUP");
    wait_for("an error about the file that is gone", || (a.logged(errors) == 4).then_some(()));
    a.send(ANNA, OPERATIONS, "and here");
    b.wait_for_mail(OPERATIONS, 2);
    // A good file is taken again.
    a.configure(&good);
    a.signal("HUP");
    wait_for("a reload", || (a.logged("configuration read again") == 1).then_some(()));
}
