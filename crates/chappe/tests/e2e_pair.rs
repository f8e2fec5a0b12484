//! The two MTAs of `examples/pair`, as a person at the terminal starts and uses them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::fs;

use serde_json::Value;
use support::site::read;
use support::{ANNA, OPERATIONS, Outcome, Pair, Site, chappe, items, json, port, repository, wait_for};

/// The shipped files, with free ports and directories of their own put in place of those in them.
fn shipped_pair() -> Pair {
    let [a_p1, b_p1, a_api, b_api] =
        [port(), port(), port(), port()].map(|port| ([127, 0, 0, 1], port).into());
    let a = Site::new("A", a_p1, a_api);
    let b = Site::new("B", b_p1, b_api);
    for (site, file) in [(&a, "a.toml"), (&b, "b.toml")] {
        let path = repository().join("examples/pair").join(file);
        let mut text = fs::read_to_string(&path).unwrap();
        let own_api = if file == "a.toml" { ("127.0.0.1:8401", a_api) } else { ("127.0.0.1:8402", b_api) };
        let ports = [("127.0.0.1:10102", a_p1), ("127.0.0.1:10103", b_p1), own_api];
        let directory = format!("\"examples/pair/data/{}\"", &file[..1]);
        let replaced = ports
            .map(|(shipped, own)| (format!("\"{shipped}\""), format!("\"{own}\"")))
            .into_iter()
            .chain([(directory, format!("{:?}", site.data()))]);
        for (shipped, own) in replaced {
            assert_eq!(text.matches(&shipped).count(), 1, "{shipped} in {file}");
            text = text.replace(&shipped, &own);
        }
        site.configure(&text);
    }
    Pair { a, b }
}

fn started() -> Pair {
    let mut pair = shipped_pair();
    pair.a.start();
    pair.b.start();
    pair
}

#[test]
fn the_shipped_files_are_right() {
    for (file, name) in [("examples/pair/a.toml", "MTA-A"), ("examples/pair/b.toml", "MTA-B")] {
        let text = chappe(&["config", "check", file]).ok();
        assert!(text.starts_with(&format!("{file}: ok\n")) && text.contains(name), "{text}");
        let verdict = json(&chappe(&["config", "check", file, "--json"]).ok());
        assert_eq!(verdict["ok"], true, "{verdict}");
    }
}

#[test]
fn a_message_crosses_the_pair_and_its_report_comes_back() {
    let Pair { a, b } = started();
    let id = a.submit(&[
        "--from",
        ANNA,
        "--to",
        OPERATIONS,
        "--subject",
        "Line open",
        "--text",
        "Semaphore is up.\nGrüße",
        "--report",
        "delivery",
    ]);
    assert!(id.starts_with("C=GB;A= ;P=ALPHA;L="), "{id}");

    b.wait_for_mail(OPERATIONS, 1);
    let shown = b.run(&["mailbox", "show", OPERATIONS]).ok();
    for part in ["Line open", "\nSemaphore is up.\nGrüße\n", "S=anna;O=Acme;P=ALPHA;A= ;C=GB", &id] {
        assert!(shown.contains(part), "no {part} in\n{shown}");
    }
    // Upper and lower case and the order of an address are free.
    assert_eq!(b.run(&["mailbox", "show", "/c=gb/a= /p=beta/o=acme/s=OPERATIONS/"]).ok(), shown);

    a.wait_for_mail(ANNA, 1);
    let report = a.run(&["mailbox", "show", ANNA]).ok();
    assert!(report.contains(&format!("delivery report for {id}")), "{report}");
    assert!(!report.contains("non-delivery"), "{report}");
    assert!(report.contains(&format!("{OPERATIONS} delivered at 20")), "{report}");
    a.wait_until_empty();
    b.wait_until_empty();
}

#[test]
fn an_unknown_recipient_is_reported_to_the_originator() {
    let Pair { a, b } = started();
    // Nobody routes GAMMA at A; B has no route for what its connector to A does not cover.
    let nowhere = "S=x;O=Acme;P=GAMMA;A= ;C=GB";
    let id = a.send(ANNA, nowhere, "to nowhere");
    let entry = a.wait_for_mail(ANNA, 1).remove(0);
    assert_eq!(entry["kind"], "report", "{entry}");
    assert_eq!(entry["subject_mts_id"], id, "{entry}");
    let shown = a.run(&["mailbox", "show", ANNA]).ok();
    assert!(shown.contains(&format!("non-delivery report for {id}")), "{shown}");
    assert!(shown.contains(&format!("{nowhere} non-delivery: unable-to-transfer (1)")), "{shown}");
    assert!(b.mailbox(OPERATIONS).is_empty());
}

#[test]
fn a_recipient_unknown_at_the_far_end_is_reported_across_the_link() {
    let Pair { mut a, mut b } = shipped_pair();
    let text = fs::read_to_string(b.config()).unwrap();
    let only = format!("[mta]\nmailboxes = [\"{OPERATIONS}\"]\n");
    b.configure(&text.replacen("[mta]\n", &only, 1));
    a.start();
    b.start();
    let nobody = "S=nobody;O=Acme;P=BETA;A= ;C=GB";
    let id =
        a.submit(&["--from", ANNA, "--to", nobody, "--to", OPERATIONS, "--subject", "half", "--text", "x"]);
    // The one that exists is delivered to all the same.
    b.wait_for_mail(OPERATIONS, 1);
    let entry = a.wait_for_mail(ANNA, 1).remove(0);
    assert_eq!(entry["kind"], "report", "{entry}");
    assert_eq!(entry["subject_mts_id"], id, "{entry}");
    let shown = a.run(&["mailbox", "show", ANNA]).ok();
    assert!(shown.contains(&format!("{nobody} non-delivery:")), "{shown}");
    assert!(shown.contains("unrecognised-OR-name (0)"), "{shown}");
    assert!(!shown.contains("operations"), "delivery to this one was not asked about:\n{shown}");
}

#[test]
fn what_waits_and_what_is_connected_can_be_looked_at() {
    let Pair { a, mut b } = started();
    // One message over the link, so that there is an association.
    a.send(ANNA, OPERATIONS, "first");
    b.wait_for_mail(OPERATIONS, 1);
    let associations = a.json(&["association", "list"]);
    let association = items(&associations).remove(0);
    assert_eq!(association["connector"], "to-b", "{association}");
    assert_eq!(association["role"], "initiator", "{association}");
    assert_eq!(association["dialogue"], "monologue", "{association}");
    let table = a.run(&["association", "list"]).ok();
    assert!(table.contains("to-b") && table.contains("initiator"), "{table}");
    let other = items(&b.json(&["association", "list"])).remove(0);
    assert_eq!((&other["connector"], &other["role"]), (&Value::from("to-a"), &Value::from("responder")));

    assert_eq!(b.stop().code(), Some(0));
    let id = a.send(ANNA, OPERATIONS, "second");
    let queued = wait_for("a message in the queue of to-b", || {
        items(&a.json(&["queue", "show", "to-b"])).into_iter().next()
    });
    assert_eq!(queued["mts_id"], id, "{queued}");
    assert_eq!(queued["recipients"], Value::from(vec![OPERATIONS]), "{queued}");
    assert!(a.run(&["queue", "show", "to-b"]).ok().contains(&id));
    let queues = a.json(&["queue", "list"]);
    assert_eq!(queues["items"][0]["connector"], "to-b", "{queues}");
    assert_eq!(queues["items"][0]["messages"], 1, "{queues}");
    assert!(a.run(&["queue", "list"]).ok().contains("to-b"));

    let number = queued["number"].to_string();
    for reference in [&id, &number] {
        let shown = a.run(&["message", "show", reference]).ok();
        assert!(shown.contains(&id) && shown.contains(OPERATIONS) && shown.contains("to-b"), "{shown}");
        assert_eq!(items(&a.json(&["message", "show", reference]))[0]["mts_id"], id);
    }
    assert!(a.run(&["message", "list"]).ok().contains(&id));
    assert_eq!(items(&a.json(&["message", "list"])).len(), 1);

    let connectors = a.run(&["connector", "list"]).ok();
    assert!(connectors.contains("to-b") && connectors.contains("MTA-B"), "{connectors}");
    assert_eq!(a.json(&["connector", "list"])["items"][0]["remote_mta"], "MTA-B");
    assert_eq!(a.json(&["connector", "show", "to-b"])["waiting"], 1);

    let route = a.run(&["route", OPERATIONS]).ok();
    assert!(route.contains("transferred over connector to-b"), "{route}");
    assert_eq!(a.json(&["route", OPERATIONS])["decision"], "connector");
    assert_eq!(a.json(&["route", ANNA])["decision"], "local");

    // The file says 30 s between attempts; an operator need not wait for that.
    b.start();
    a.run(&["connector", "connect", "to-b"]).ok();
    let mail = b.wait_for_mail(OPERATIONS, 2);
    assert_eq!(mail[1]["mts_id"], id);
    a.wait_until_empty();
}

#[test]
fn what_was_delivered_can_be_listed_exported_and_decoded() {
    let Pair { a, b } = started();
    let octets = support::Random::new().octets(300_000);
    let file = a.file("plan.bin", &octets);
    a.send(ANNA, OPERATIONS, "text only");
    b.wait_for_mail(OPERATIONS, 1);
    a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "a file", "--file", file.to_str().unwrap()]);
    let mail = b.wait_for_mail(OPERATIONS, 2);
    assert_eq!(b.subjects(OPERATIONS), ["text only", "a file"]);

    let boxes = b.json(&["mailbox", "list"]);
    assert_eq!(boxes["items"][0]["entries"], 2, "{boxes}");
    assert!(b.run(&["mailbox", "list"]).ok().contains("operations"));
    assert!(b.run(&["mailbox", "list", OPERATIONS]).ok().contains("a file"));
    assert_eq!(b.json(&["mailbox", "list", OPERATIONS])["items"], Value::from(mail.clone()));

    let number = mail[1]["number"].to_string();
    let [out, content] = [b.path("out.bin"), b.path("content.p22")];
    let attachment = ["mailbox", "export", OPERATIONS, &number, "--attachment", "1", "--output"];
    b.run(&[&attachment[..], &[out.to_str().unwrap()]].concat()).ok();
    assert!(read(&out) == octets, "the file differs from what was submitted");
    let whole = ["mailbox", "export", OPERATIONS, &number, "--output", content.to_str().unwrap()];
    b.run(&whole).ok();
    let decoded = chappe(&["decode", content.to_str().unwrap()]).ok();
    assert!(decoded.contains("a file") && decoded.contains("plan.bin"), "{decoded}");
    let tree = json(&chappe(&["decode", content.to_str().unwrap(), "--json"]).ok());
    assert_eq!(tree["kind"], "content", "{tree}");
}

#[test]
fn exit_statuses_tell_what_kind_of_failure_it_was() {
    let Pair { a, mut b } = started();
    for arguments in [
        &["queue", "show", "no-such-connector"][..],
        &["connector", "show", "no-such-connector"],
        &["connector", "connect", "no-such-connector"],
        &["message", "show", "no-such-message"],
        &["mailbox", "show", ANNA, "4711"],
        &["mailbox", "export", ANNA, "4711"],
        // Not an originator of this MTA.
        &["submit", "--from", OPERATIONS, "--to", ANNA, "--text", "x"],
    ] {
        a.run(arguments).failed(1);
    }
    for arguments in [
        &["mailbox", "show", "nonsense"][..],
        &["submit", "--from", ANNA, "--text", "x"],
        &["submit", "--from", ANNA, "--to", ANNA, "--text", "x", "--priority", "high"],
        &["queue", "show"],
        &["no-such-command"],
    ] {
        a.run(arguments).failed(2);
    }
    b.stop();
    // Each waits a moment for a service that is starting, so all at the same time.
    let b = &b;
    std::thread::scope(|scope| {
        for arguments in [
            &["mailbox", "list"][..],
            &["queue", "list"],
            &["message", "list"],
            &["connector", "list"],
            &["association", "list"],
            &["route", ANNA],
        ] {
            scope.spawn(move || {
                let why = b.run(arguments).failed(3);
                assert!(why.contains(&b.url()), "{why}");
            });
        }
    });
}
