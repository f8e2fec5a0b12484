//! What an operator does to queues and messages, by commands against real processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use serde_json::Value;
use support::network::{Network, domain, node, user};
use support::{Outcome, Site, items, wait_for};

/// A, with a way to B and a dearer one by way of C.
fn network() -> Network {
    Network::start(&[
        node("A").link("B", &[(&domain("B"), 1)]).link("C", &[(&domain("B"), 50), (&domain("C"), 1)]),
        node("B").link("A", &[(&domain("A"), 1)]).link("C", &[(&domain("C"), 1)]),
        node("C").link("A", &[(&domain("A"), 1)]).link("B", &[(&domain("B"), 1)]),
    ])
}

fn queue(site: &Site, connector: &str) -> Value {
    let queues = items(&site.json(&["queue", "list"]));
    queues.into_iter().find(|queue| queue["connector"] == connector).expect("there is such a queue")
}

/// Waits until so many messages are in a queue, and gives them.
fn waiting(site: &Site, connector: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} messages in {connector}"), || {
        Some(items(&site.json(&["queue", "show", connector]))).filter(|found| found.len() == count)
    })
}

fn actions(site: &Site) -> Vec<String> {
    let events = items(&site.json(&["events"])).into_iter();
    let actions = events.filter(|event| event["kind"] == "operator-action");
    actions.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_queue_is_frozen_fills_and_flows_when_it_is_thawed() {
    let mut network = network();
    let (anna, bob) = (user("anna", "A"), user("bob", "B"));
    let a = network.site("A");
    assert_eq!(a.run(&["queue", "freeze", "to-b"]).ok(), "The queue of to-b is frozen.\n");
    assert_eq!(a.run(&["queue", "freeze", "to-b"]).ok(), "The queue of to-b was frozen already.\n");
    for subject in ["1", "2", "3"] {
        a.send(&anna, &bob, subject);
    }
    waiting(a, "to-b", 3);
    assert_eq!(queue(a, "to-b")["state"], "frozen");
    assert!(a.run(&["queue", "retry", "to-b"]).failed(1).contains("frozen"));
    // What comes in is not concerned.
    network.site("B").send(&bob, &anna, "incoming");
    network.site("A").wait_for_mail(&anna, 1);

    network.site_mut("A").kill();
    network.site_mut("A").start();
    let a = network.site("A");
    assert_eq!(queue(a, "to-b")["state"], "frozen");
    assert_eq!(waiting(a, "to-b", 3).len(), 3);
    assert_eq!(network.site("B").mailbox_size(&bob), 0);
    assert_eq!(a.run(&["queue", "thaw", "to-b"]).ok(), "The queue of to-b is thawed.\n");
    network.site("B").wait_for_mail(&bob, 3);
    assert_eq!(network.site("B").subjects(&bob), ["1", "2", "3"]);
    a.run(&["queue", "retry", "to-b"]).ok();
    a.run(&["queue", "freeze", "to-z"]).failed(1);
    assert!(actions(a).iter().any(|text| text.ends_with(": thaw the queue: done")), "{:?}", actions(a));
}

#[test]
fn a_queue_is_drained_to_another_connector_and_what_has_no_other_way_stays() {
    let network = network();
    let (anna, bob) = (user("anna", "A"), user("bob", "B"));
    let a = network.site("A");
    for connector in ["to-b", "to-c"] {
        a.run(&["queue", "freeze", connector]).ok();
    }
    let ids: Vec<String> = ["1", "2"].iter().map(|subject| a.send(&anna, &bob, subject)).collect();
    let stays = a.send(&anna, &user("carol", "C"), "stays");
    waiting(a, "to-b", 2);
    waiting(a, "to-c", 1);
    let told = a.run(&["queue", "drain", "to-b", "--dry-run"]).ok();
    assert!(
        ids.iter().all(|id| told.contains(id)) && told.contains("2 messages would be routed again"),
        "{told}"
    );
    waiting(a, "to-b", 2);
    let done = a.json(&["queue", "drain", "to-b"]);
    assert_eq!((&done["done"], &done["refused"]), (&2.into(), &0.into()), "{done}");
    waiting(a, "to-b", 0);
    waiting(a, "to-c", 3);
    let refused = a.run(&["queue", "drain", "to-c"]).failed(1);
    assert!(refused.contains("3 messages not routed again"), "{refused}");
    waiting(a, "to-c", 3);
    assert_eq!(a.mailbox_size(&anna), 0, "nobody is told that it failed");
    a.run(&["queue", "thaw", "to-c"]).ok();
    network.site("B").wait_for_mail(&bob, 2);
    network.site("C").wait_for_mail(&user("carol", "C"), 1);
    assert_eq!(network.messages("A", "C").len(), 3);
    assert!(a.run(&["track", &ids[0]]).ok().contains("rerouted"));
    assert!(!a.run(&["track", &stays]).ok().contains("rerouted"));
}

#[test]
fn messages_are_deleted_moved_and_put_first() {
    let network = network();
    let (anna, bob) = (user("anna", "A"), user("bob", "B"));
    let a = network.site("A");
    a.run(&["queue", "freeze", "to-b"]).ok();
    a.run(&["queue", "freeze", "to-c"]).ok();
    let ids: Vec<String> = (0..5).map(|n| a.send(&anna, &bob, &n.to_string())).collect();
    a.send(&user("otto", "A"), &bob, "of another");
    waiting(a, "to-b", 6);

    a.run(&["message", "delete", &ids[0]]).ok();
    let mail = a.wait_for_mail(&anna, 1);
    assert_eq!((&mail[0]["kind"], &mail[0]["subject_mts_id"]), (&"report".into(), &ids[0].clone().into()));
    let recipient = &mail[0]["recipients"][0];
    assert_eq!(recipient["outcome"], "non-delivered", "{recipient}");
    assert_eq!(recipient["diagnostic"], "unable-to-complete-transfer (48)", "{recipient}");
    let track = a.json(&["track", &ids[0]]);
    let events: Vec<u64> = items(&track).iter().filter_map(|item| item["event_id"].as_u64()).collect();
    assert!(events.contains(&50) && events.contains(&34), "{track}");

    a.run(&["message", "delete", "--no-ndr", &ids[1]]).ok();
    a.run(&["message", "delete", "--no-ndr", &ids[1]]).failed(1);
    a.run(&["message", "priority", "--set", "urgent", &ids[4]]).ok();
    let order = waiting(a, "to-b", 4);
    assert_eq!(order[0]["mts_id"], ids[4]);
    a.run(&["message", "move", "--to", "to-c", &ids[2]]).ok();
    assert_eq!(waiting(a, "to-c", 1)[0]["mts_id"], ids[2]);
    assert!(a.run(&["message", "move", "--to", "to-z", &ids[3]]).failed(1).contains("no connector `to-z`"));

    // A selection is told first, and nobody can be asked here.
    let otto = ["--from", &user("otto", "A")];
    let told = a.run(&[&["message", "delete", "--no-ndr", "--dry-run"][..], &otto].concat()).ok();
    assert!(told.contains("1 message would be deleted"), "{told}");
    let refused = a.run(&[&["message", "delete", "--no-ndr"][..], &otto].concat()).failed(2);
    assert!(refused.contains("--yes"), "{refused}");
    waiting(a, "to-b", 3);
    let done = a.run(&[&["message", "delete", "--no-ndr", "--yes"][..], &otto].concat()).ok();
    assert_eq!(done, "1 message deleted.\n");
    a.run(&["message", "delete", "--yes"]).failed(2);
    a.run(&["message", "delete", "--ndr", "--no-ndr", "1"]).failed(2);
    let old = ["message", "list", "--older-than", "1d"];
    assert_eq!(a.run(&old).ok(), "Nothing is waiting.\n");
    assert_eq!(items(&a.json(&["message", "list", "--to", &domain("B")])).len(), 3);
    assert_eq!(items(&a.json(&["message", "list", "--queue", "to-b", "--priority", "urgent"])).len(), 1);

    a.run(&["queue", "thaw", "to-b"]).ok();
    a.run(&["queue", "thaw", "to-c"]).ok();
    network.site("B").wait_for_mail(&bob, 3);
    network.wait_until_empty();
    let mut subjects = network.site("B").subjects(&bob);
    subjects.sort();
    assert_eq!(subjects, ["2", "3", "4"]);
    assert_eq!(a.mailbox_size(&anna), 1);
    let told = actions(a);
    assert_eq!(
        told.iter().filter(|text| text.contains(": delete with report: message ")).count(),
        1,
        "{told:?}"
    );
}

#[test]
fn what_is_held_is_held_across_a_kill_while_the_rest_flows() {
    let mut network = network();
    let (anna, bob) = (user("anna", "A"), user("bob", "B"));
    let a = network.site("A");
    a.run(&["queue", "freeze", "to-b"]).ok();
    let ids: Vec<String> = (0..4).map(|n| a.send(&anna, &bob, &n.to_string())).collect();
    waiting(a, "to-b", 4);
    a.run(&["message", "hold", &ids[1], &ids[2]]).ok();
    assert!(a.run(&["message", "hold", &ids[1]]).failed(1).contains("it is held"));
    let list = queue(a, "to-b");
    assert_eq!((&list["messages"], &list["held"]), (&2.into(), &2.into()), "{list}");
    network.site_mut("A").kill();
    network.site_mut("A").start();
    let a = network.site("A");
    a.run(&["queue", "thaw", "to-b"]).ok();
    network.site("B").wait_for_mail(&bob, 2);
    assert_eq!(network.site("B").subjects(&bob), ["0", "3"]);
    let held = wait_for("the two that are held", || {
        Some(items(&a.json(&["message", "list", "--state", "held"]))).filter(|held| held.len() == 2)
    });
    let seen: Vec<&str> = held.iter().filter_map(|message| message["mts_id"].as_str()).collect();
    assert_eq!(seen, [&ids[1], &ids[2]]);
    let done = a.run(&["message", "release", "--queue", "to-b", "--yes"]).ok();
    assert_eq!(done, "2 messages released.\n");
    network.site("B").wait_for_mail(&bob, 4);
    network.wait_until_empty();
    let mut released = network.site("B").subjects(&bob).split_off(2);
    // They were released together: whichever was first.
    released.sort();
    assert_eq!(released, ["1", "2"]);
}
