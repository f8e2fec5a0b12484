//! Messages that have to wait: for a peer that is down, for a time to come.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use clock::WallTime;
use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, items, wait_for, wait_within};

#[test]
fn a_message_waits_for_a_peer_that_is_down_and_goes_when_it_is_up() {
    let plan = Plan { retry: "open_interval_s = 2\n".to_owned(), ..Plan::default() };
    let Pair { mut a, mut b } = plan.build();
    a.start();
    let id = a.send(ANNA, OPERATIONS, "patience");
    let queued = wait_for("the message in the queue", || items(&a.json(&["queue", "show", "to-b"])).pop());
    assert_eq!(queued["mts_id"], id, "{queued}");
    let connector = wait_for("a connector that waits for its next try", || {
        let connector = items(&a.json(&["connector", "list"])).remove(0);
        (connector["state"] == "retry").then_some(connector)
    });
    let failure = connector["last_failure"].as_str().unwrap();
    assert!(failure.contains("refused") && failure.contains(&b.p1.to_string()), "{connector}");
    assert!(connector["retry_in_s"].as_u64().is_some_and(|seconds| seconds <= 2), "{connector}");
    assert!(connector["consecutive_failures"].as_u64().is_some_and(|failures| failures >= 1), "{connector}");
    assert_eq!(connector["waiting"], 1, "{connector}");
    let table = a.run(&["connector", "list"]).ok();
    assert!(table.contains("retry") && table.contains("refused"), "{table}");
    // It goes on trying, and says so each time.
    wait_for("a third try", || (a.logged("connection-not-opened") >= 3).then_some(()));

    b.start();
    let tries = a.logged("connection-not-opened");
    b.wait_for_mail(OPERATIONS, 1);
    // One more may have been under way while B started; then the next one has to succeed.
    assert!(a.logged("connection-not-opened") <= tries + 1, "{}", a.log());
    a.wait_until_empty();
    let connector = items(&a.json(&["connector", "list"])).remove(0);
    assert_eq!((&connector["consecutive_failures"], &connector["last_failure"]), (&0.into(), &().into()));
    assert_eq!(b.subjects(OPERATIONS), ["patience"]);
}

#[test]
fn what_waits_is_still_there_after_a_restart() {
    let Pair { mut a, mut b } = Plan::default().build();
    a.start();
    let ids: Vec<String> = (0..5).map(|n| a.send(ANNA, OPERATIONS, &n.to_string())).collect();
    wait_for("all in the queue", || (items(&a.json(&["queue", "show", "to-b"])).len() == 5).then_some(()));
    assert_eq!(a.stop().code(), Some(0));
    a.start();
    let queued = items(&a.json(&["queue", "show", "to-b"]));
    let seen: Vec<&str> = queued.iter().filter_map(|message| message["mts_id"].as_str()).collect();
    assert_eq!(seen, ids);
    b.start();
    b.wait_for_mail(OPERATIONS, 5);
    assert_eq!(b.subjects(OPERATIONS), ["0", "1", "2", "3", "4"]);
}

/// The time that many seconds from now, as the command line takes it.
fn in_seconds(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    WallTime::from_unix(i64::try_from(now + seconds).unwrap()).to_string()
}

#[test]
fn a_deferred_message_is_held_until_its_time_even_across_a_kill() {
    let Pair { mut a, b } = Plan::default().start();
    let [held, soon] = [in_seconds(15), in_seconds(4)];
    let submit = |subject: &str, time: &str| {
        let message = ["--from", ANNA, "--to", OPERATIONS, "--text", "x"];
        a.submit(&[&message[..], &["--subject", subject, "--deferred", time]].concat())
    };
    let held_id = submit("held", &held);
    submit("soon", &soon);
    a.send(ANNA, OPERATIONS, "now");
    wait_for("the message that is not deferred", || {
        b.subjects(OPERATIONS).pop().filter(|last| last == "now")
    });
    wait_for("the message with the earlier time", || {
        b.subjects(OPERATIONS).pop().filter(|last| last == "soon")
    });
    // A kill before the copy is removed would be another test.
    wait_for("the removal of what was transferred", || (a.waiting().len() == 1).then_some(()));
    a.kill();
    a.start();
    let waiting = a.waiting();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!((&waiting[0]["mts_id"], &waiting[0]["queue"]), (&held_id.into(), &"work".into()));
    assert_eq!(b.subjects(OPERATIONS), ["now", "soon"]);

    let mail = wait_within(support::DEADLINE, "the held message", || {
        Some(b.mailbox(OPERATIONS)).filter(|mail| mail.len() == 3)
    });
    for (item, time) in [(&mail[1], &soon), (&mail[2], &held)] {
        // Both are RFC 3339 in UTC, so their texts are in the order of the times.
        assert!(item["delivered"].as_str().unwrap() >= time.as_str(), "deferred to {time}: {item}");
    }
    a.wait_until_empty();
    b.wait_until_empty();
    assert_eq!(b.subjects(OPERATIONS), ["now", "soon", "held"]);
}
