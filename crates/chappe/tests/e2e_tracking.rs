//! What became of a message is known at both ends of a link, also after a restart of both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use serde_json::Value;
use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, wait_for};

/// Numbers and names of the events of one identifier, in order.
fn events(tracking: &Value, mts_id: &str) -> Vec<(u64, String)> {
    let items = tracking["items"].as_array().unwrap().iter();
    items
        .filter(|item| item["mts_id"] == mts_id)
        .map(|item| (item["event_id"].as_u64().unwrap(), item["event"].as_str().unwrap().to_owned()))
        .collect()
}

fn named(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(number, name)| (*number, (*name).to_owned())).collect()
}

/// Sends a message from anna at A to operations at B, waits for the report, and gives the identifiers of both.
fn send(pair: &Pair) -> (String, String) {
    let words =
        ["--from", ANNA, "--to", OPERATIONS, "--subject", "path", "--text", "x", "--report", "delivery"];
    let id = pair.a.submit(&words);
    let report = pair.a.wait_for_mail(ANNA, 1).remove(0);
    assert_eq!(report["subject_mts_id"], id, "{report}");
    pair.a.wait_until_empty();
    pair.b.wait_until_empty();
    (id, report["mts_id"].as_str().unwrap().to_owned())
}

fn restart(pair: &mut Pair) {
    for site in [&mut pair.a, &mut pair.b] {
        assert!(site.stop().success());
        site.start();
    }
}

#[test]
fn the_path_of_a_message_and_its_report_is_known_at_both_mtas_after_a_restart() {
    let mut pair = Plan::default().start();
    let (id, report) = send(&pair);
    restart(&mut pair);

    let at_a = pair.a.json(&["track", &id]);
    assert_eq!(events(&at_a, &id), named(&[(4, "message-submitted"), (7, "message-out")]), "{at_a:#}");
    assert_eq!(events(&at_a, &report), named(&[(2, "report-in"), (10, "report-delivered")]), "{at_a:#}");
    let submitted = &at_a["items"][0];
    assert_eq!(submitted["originator"], ANNA, "{submitted}");
    assert_eq!(submitted["recipients"], serde_json::json!([OPERATIONS]), "{submitted}");
    assert_eq!((&submitted["priority"], &submitted["recipient_count"]), (&"normal".into(), &1.into()));
    assert_eq!(at_a["items"][1]["connector"], "to-b", "{at_a:#}");

    let at_b = pair.b.json(&["track", &id]);
    let expected = [(0, "message-in"), (9, "message-delivered")];
    assert_eq!(events(&at_b, &id), named(&expected), "{at_b:#}");
    assert_eq!(events(&at_b, &report), named(&[(34, "report-generated"), (8, "report-out")]), "{at_b:#}");
    assert_eq!(at_b["items"][1]["recipients"], serde_json::json!([OPERATIONS]), "{at_b:#}");

    // By its own name a report shows what it is about.
    let of_report = pair.a.json(&["track", &report]);
    assert_eq!(events(&of_report, &report), events(&at_a, &report));
    assert!(events(&of_report, &id).is_empty(), "{of_report:#}");
    assert_eq!(of_report["items"][0]["subject_mts_id"], id, "{of_report:#}");

    let text = pair.b.run(&["track", &id]).ok();
    for part in [&id, ANNA, "message-in", "message-delivered", "to-a", "report-generated"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    // However the identifier is written.
    let other = id.replacen("C=GB;A= ;P=ALPHA;", "/p=ALPHA/a= /c=GB/", 1);
    assert_eq!(pair.b.run(&["track", &other]).ok(), text);
}

#[test]
fn a_message_is_found_by_its_subject_and_its_addresses_at_both_mtas_after_a_restart() {
    let mut pair = Plan::default().start();
    let (id, _) = send(&pair);
    restart(&mut pair);
    for site in [&pair.a, &pair.b] {
        for words in
            [&["--subject", "PATH"][..], &["--subject", "pa*", "--from", ANNA], &["--to", OPERATIONS]]
        {
            let found = site.json(&[&["track"], words].concat());
            let items = found["items"].as_array().unwrap();
            assert!(items.iter().any(|item| item["mts_id"] == id), "{words:?}: {found:#}");
        }
        for words in [["--subject", "pat"], ["--subject", "nowhere"], ["--from", "S=nobody"]] {
            let found = site.json(&[&["track"], &words[..]].concat());
            assert_eq!(found["items"], serde_json::json!([]), "{words:?}");
        }
        let table = site.run(&["track", "--subject", "path"]).ok();
        assert!(table.contains("SUBJECT") && table.contains(&id), "{table}");
        let lines = site.run(&["track", "--since", "2020-01-01T00:00:00Z", "--csv"]).ok();
        let first = lines.lines().next().unwrap();
        assert_eq!(first.split(',').count(), 13, "{first}");
        assert!(lines.contains(&format!("\"{id}\",\"\",")) && lines.contains(",\"path\","), "{lines}");
        assert_eq!(site.run(&["track", "--csv"]).ok(), lines);
        let table = site.run(&["track", "--event", "message-in"]).ok();
        assert!(table.ends_with("Only the last day was searched; --since looks further back.\n"), "{table}");
    }
    let failed = pair.a.run(&["track", "--subject", "!"]).failed(2);
    assert!(failed.contains("no word"), "{failed}");
    pair.a.run(&["track"]).failed(2);
}

#[test]
fn what_is_not_known_is_said_so_and_tracking_can_be_switched_off() {
    let plan = Plan { mta: "tracking_days = 0\n".to_owned(), ..Plan::default() };
    let pair = plan.start();
    let (id, _) = send(&pair);
    for site in [&pair.a, &pair.b] {
        let failed = site.run(&["track", &id]).failed(1);
        assert!(failed.contains("nothing is known") && failed.contains("tracking_days"), "{failed}");
    }
}

#[test]
fn switching_tracking_off_forgets_what_was_kept() {
    let mut pair = Plan::default().start();
    let (id, _) = send(&pair);
    assert!(!pair.a.json(&["track", &id])["items"].as_array().unwrap().is_empty());
    pair.a.stop();
    let text = std::fs::read_to_string(pair.a.config()).unwrap();
    pair.a.configure(&text.replacen("[mta]\n", "[mta]\ntracking_days = 0\n", 1));
    pair.a.start();
    wait_for("the entries to go", || (pair.a.run(&["track", &id]).status.code() == Some(1)).then_some(()));
}
