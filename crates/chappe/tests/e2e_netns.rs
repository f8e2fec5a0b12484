//! Real processes, real sockets and real network faults: namespaces joined by a cable that is cut, swallows, or resets.
//!
//! Needs the right to make network namespaces, `ip` and `nft`; without them each test says loudly that it was skipped. The
//! cuts after a given octet and the delays, which a cable can't do, are in the tests with the proxy (`e2e_resume.rs`,
//! `e2e_stop.rs`, `e2e_lost_answer.rs`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod netns;
mod support;

use std::thread;
use std::time::Duration;

use netns::{Fault, Mta, Network};
use support::{ANNA, OPERATIONS, Random, items, wait_within};

/// Far longer than anything here takes on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(180);
const TO_B: &str = "\"10.99.0.2:1102\"";
const FAULTS: [Fault; 5] = [Fault::LinkDown, Fault::Drop, Fault::DropToB, Fault::DropToA, Fault::Reset];

fn both(network: &Network) -> (Mta, Mta) {
    let (mut a, mut b) = (network.a("", TO_B, ""), network.b());
    b.start();
    a.start();
    (a, b)
}

/// Waits until exactly these subjects are in the mailbox, and nothing is left that could still be delivered twice.
fn arrives_once(from: &Mta, to: &Mta, mailbox: &str, subjects: &[String]) {
    let mut expected = subjects.to_vec();
    expected.sort();
    wait_within(PATIENCE, "all mail", || (to.subjects(mailbox).len() >= expected.len()).then_some(()));
    wait_within(PATIENCE, "empty queues", || {
        (from.ask(&["status"])["queued"] == 0 && to.ask(&["status"])["queued"] == 0).then_some(())
    });
    assert_eq!(to.subjects(mailbox), expected, "lost, or twice");
}

/// S4: traffic both ways with a large message in the middle, the network goes away and comes back.
fn mail_survives(fault: Fault) {
    let Some(network) = Network::lay(&format!("mail survives {fault:?}")) else { return };
    let (a, b) = both(&network);
    let (mut to_b, mut to_a) = (Vec::new(), Vec::new());
    let mut send = |round: &str| {
        for n in 0..3 {
            to_b.push(format!("{round} {n}"));
            to_a.push(format!("{round} {n}"));
            a.send(ANNA, OPERATIONS, &format!("{round} {n}"));
            b.send(OPERATIONS, ANNA, &format!("{round} {n}"));
        }
    };
    send("before");
    a.send_file(ANNA, OPERATIONS, "large", &Random::new().octets(24 << 20));
    // Wherever it happens to be now.
    thread::sleep(Duration::from_millis(150));
    network.fault(fault);
    send("meanwhile");
    // Until both have failed to open: then whatever was open before is known to be gone.
    a.wait_for_failures("link", 1);
    b.wait_for_failures("link", 1);
    network.heal();
    send("after");
    to_b.push("large".to_owned());
    arrives_once(&a, &b, OPERATIONS, &to_b);
    arrives_once(&b, &a, ANNA, &to_a);
    for mta in [&a, &b] {
        mta.wait_until_free("link");
        let log = mta.log();
        for part in [" connect-error 4284 ", " connection-not-opened 4287 ", " link-recovered "] {
            assert!(log.contains(part), "no {part} in\n{log}");
        }
    }
}

#[test]
fn mail_survives_a_link_that_goes_down() {
    mail_survives(Fault::LinkDown);
}

#[test]
fn mail_survives_a_cut_without_a_word() {
    mail_survives(Fault::Drop);
}

#[test]
fn mail_survives_resets() {
    mail_survives(Fault::Reset);
}

/// One direction still works, so one side believes for longer than the other that all is well.
#[test]
fn mail_survives_a_cut_in_one_direction() {
    for fault in [Fault::DropToB, Fault::DropToA] {
        let Some(network) = Network::lay(&format!("mail survives {fault:?}")) else { return };
        let (a, b) = both(&network);
        a.send_file(ANNA, OPERATIONS, "large", &Random::new().octets(24 << 20));
        thread::sleep(Duration::from_millis(150));
        network.fault(fault);
        a.send(ANNA, OPERATIONS, "meanwhile");
        a.wait_for_failures("link", 1);
        network.heal();
        a.send(ANNA, OPERATIONS, "after");
        arrives_once(&a, &b, OPERATIONS, &["large", "meanwhile", "after"].map(str::to_owned));
        a.wait_until_free("link");
        b.wait_until_free("link");
    }
}

/// What an operator sees when a cable is cut in the middle of a transfer, long before anything is tried again: since when, why,
/// and that mail waits.
#[test]
fn a_cut_without_a_word_is_told_as_soon_as_it_is_known() {
    let Some(network) = Network::lay("a cut is told") else { return };
    let (mut a, mut b) = (network.a("", TO_B, ""), network.b());
    a.change("transfer_interval_s = 1\n", "transfer_interval_s = 3600\n");
    for mta in [&a, &b] {
        mta.change("lifetime_s = 2\n", "lifetime_s = 600\n");
    }
    b.start();
    a.start();
    a.send(ANNA, OPERATIONS, "before");
    arrives_once(&a, &b, OPERATIONS, &["before".to_owned()]);
    assert_eq!(a.ask(&["status"])["condition"], "ready");
    network.fault(Fault::Drop);
    a.send(ANNA, OPERATIONS, "meanwhile");
    let status = wait_within(PATIENCE, "a complaint", || {
        let status = a.ask(&["status"]);
        (status["condition"] == "degraded").then_some(status)
    });
    let reason = status["reasons"][0].as_str().unwrap();
    assert!(reason.starts_with("connector link has failed since "), "{status}");
    assert!(reason.contains("association broke: no answer any more"), "{status}");
    let connector = a.connector("link");
    assert_eq!(connector["failed_attempts"], 0, "nothing was tried so far: {connector}");
    assert!(connector["failing_since"].is_string(), "{connector}");
    assert_eq!(a.ask(&["status"])["queued"], 1);
    assert!(a.log().contains(" broke, TCP layer: no answer any more"), "{}", a.log());
    network.heal();
    a.ask(&["queue", "retry", "link"]);
    arrives_once(&a, &b, OPERATIONS, &["before", "meanwhile"].map(str::to_owned));
    assert_eq!(a.ask(&["status"])["condition"], "ready");
}

#[test]
fn a_kill_during_the_fault_loses_nothing() {
    let Some(network) = Network::lay("a kill during the fault") else { return };
    let (mut a, mut b) = both(&network);
    a.send_file(ANNA, OPERATIONS, "large", &Random::new().octets(24 << 20));
    thread::sleep(Duration::from_millis(150));
    network.fault(Fault::Drop);
    a.send(ANNA, OPERATIONS, "meanwhile");
    b.kill();
    a.wait_for_failures("link", 1);
    a.kill();
    network.heal();
    a.start();
    a.wait_for_failures("link", 1);
    b.start();
    arrives_once(&a, &b, OPERATIONS, &["large", "meanwhile"].map(str::to_owned));
}

/// S1: whatever the way to fail, nothing is held afterwards, and the next attempt succeeds when the peer is well.
#[test]
fn failed_attempts_hold_nothing_and_the_next_one_succeeds() {
    let Some(network) = Network::lay("failed attempts hold nothing") else { return };
    let (mut a, mut b) = (network.a("", TO_B, ""), network.b());
    a.start();
    let mut expected = Vec::new();
    for (round, fault) in [None].into_iter().chain(FAULTS.map(Some)).enumerate() {
        // Without a fault: nobody listens.
        fault.inspect(|fault| network.fault(*fault));
        expected.push(format!("round {round}"));
        a.send(ANNA, OPERATIONS, &format!("round {round}"));
        a.wait_for_failures("link", 3);
        let failing = a.ask(&["status"]);
        assert_eq!(failing["condition"], "degraded", "{failing}");
        network.heal();
        b.start();
        arrives_once(&a, &b, OPERATIONS, &expected);
        assert_eq!(a.ask(&["status"])["condition"], "ready", "{fault:?}");
        a.wait_until_free("link");
        b.kill();
    }
}

/// S2: peers that swallow what is sent to them hold up nobody else.
#[test]
fn dead_links_hold_up_no_other() {
    let Some(network) = Network::lay("dead links hold up no other") else { return };
    let dead: String = (0..20)
        .map(|n| {
            format!(
                "[[connector]]\nname = \"dead-{n}\"\nremote_mta = \"DEAD-{n}\"\nhosts = [\"10.99.0.{}\"]\n\
                 address_space = [{{ address = \"P=DEAD{n};A= ;C=GB\" }}]\n\
                 [connector.retry]\nopen_interval_s = 1\n",
                100 + n
            )
        })
        .collect();
    let (mut a, mut b) = (network.a("", TO_B, &dead), network.b());
    b.start();
    a.start();
    let mut expected = Vec::new();
    for n in 0..20 {
        a.send(ANNA, &format!("S=nobody;P=DEAD{n};A= ;C=GB"), "x");
        expected.push(format!("mail {n}"));
        a.send(ANNA, OPERATIONS, &format!("mail {n}"));
    }
    wait_within(PATIENCE, "all mail", || (b.subjects(OPERATIONS).len() == expected.len()).then_some(()));
    a.wait_for_failures("dead-19", 2);
    a.send(ANNA, OPERATIONS, "mail 20");
    wait_within(PATIENCE, "the last mail", || (b.subjects(OPERATIONS).len() == 21).then_some(()));
    let status = a.ask(&["status"]);
    assert_eq!((&status["failing"], &status["queued"]), (&20.into(), &20.into()), "{status}");
}

/// S3: a peer with several names, of which one is good; and stops in every state end.
#[test]
fn each_address_is_tried_once_a_round_and_a_stop_ends_in_every_state() {
    let Some(network) = Network::lay("stops in every state") else { return };
    let hosts = "\"10.99.0.77:1102\", \"10.99.0.77:1102\", \"no-such-host.invalid:1102\", \"[fd00::1]:1102\", \
                 \"10.99.0.2:1102\"";
    let (mut a, mut b) = (network.a("", hosts, ""), network.b());
    b.start();
    a.start();
    a.send(ANNA, OPERATIONS, "first");
    arrives_once(&a, &b, OPERATIONS, &["first".to_owned()]);
    let errors = items(&a.ask(&["events"]));
    let errors = errors.iter().filter(|event| event["kind"] == "connect-error");
    let tried = errors.filter(|event| event["text"].as_str().unwrap().contains("10.99.0.77")).count();
    assert_eq!(tried, 1, "an address that is listed twice is tried once\n{}", a.log());
    // While it connects, in a round that is full of addresses which do not answer.
    network.fault(Fault::Drop);
    a.send(ANNA, OPERATIONS, "second");
    wait_within(PATIENCE, "an attempt", || (a.connector("link")["state"] == "opening").then_some(()));
    assert!(a.stop().success());
    // While it waits for the next attempt.
    a.start();
    wait_within(PATIENCE, "a wait", || (a.connector("link")["state"] == "retry").then_some(()));
    assert!(a.stop().success());
    network.heal();
    a.start();
    arrives_once(&a, &b, OPERATIONS, &["first", "second"].map(str::to_owned));
    // While something is in transfer that can't go on.
    a.send_file(ANNA, OPERATIONS, "third", &Random::new().octets(48 << 20));
    wait_within(PATIENCE, "a transfer", || {
        let all = items(&a.ask(&["association", "list"]));
        all.iter().any(|one| one["state"] == "sending").then_some(())
    });
    network.fault(Fault::Drop);
    assert!(a.stop().success());
    network.heal();
    a.start();
    arrives_once(&a, &b, OPERATIONS, &["first", "second", "third"].map(str::to_owned));
    // As a receiver, with the sender gone without a word.
    network.fault(Fault::DropToB);
    assert!(b.stop().success());
    assert!(a.stop().success());
}

/// S3: while a peer has accepted and is silent, in the bind.
#[test]
fn a_stop_ends_while_a_peer_is_silent_in_the_bind() {
    let Some(network) = Network::lay("a stop in the bind") else { return };
    let mut a = network.a("", TO_B, "");
    // Accepts, because the kernel does, and says nothing: it never looks.
    let script = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => '10.99.0.2', LocalPort => 1102, \
                  Listen => 5, ReuseAddr => 1) or die; sleep 600;";
    let mut silent = network.in_b("perl", &["-e", script]);
    a.start();
    a.send(ANNA, OPERATIONS, "x");
    wait_within(PATIENCE, "an association in the bind", || {
        let all = items(&a.ask(&["association", "list"]));
        all.iter().any(|one| one["state"] == "opening").then_some(())
    });
    let ended = a.stop();
    silent.kill().unwrap();
    silent.wait().unwrap();
    assert!(ended.success());
}
