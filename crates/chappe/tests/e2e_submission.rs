//! What else local users submit: messages with copies that the others know of or don't, and probes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use serde_json::{Value, json};
use support::site::read;
use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, Site, wait_for};

const BERT: &str = "S=bert;O=Acme;P=ALPHA;A= ;C=GB";
const NIGHT: &str = "S=night;O=Acme;P=BETA;A= ;C=GB";
/// Blind copy recipients, one on each side; nothing else has their names in it.
const LURKER: &str = "S=lurker;O=Acme;P=BETA;A= ;C=GB";
const SHADOW: &str = "S=shadow;O=Acme;P=ALPHA;A= ;C=GB";

const OPEN: [&str; 8] = ["--from", ANNA, "--to", OPERATIONS, "--cc", NIGHT, "--cc", BERT];
const BLIND: [&str; 4] = ["--bcc", LURKER, "--bcc", SHADOW];

/// Submits, and gives the answer of the service.
fn submit(site: &Site, arguments: &[&[&str]]) -> Value {
    site.json(&[&["submit"], arguments.concat().as_slice()].concat())
}

/// The only message in a mailbox, and the octets of its content.
fn received(site: &Site, mailbox: &str) -> (Value, Vec<u8>) {
    let entry = site.wait_for_mail(mailbox, 1).remove(0);
    assert_eq!(site.mailbox(mailbox).len(), 1);
    let (number, file) = (entry["number"].to_string(), site.path(&format!("export-{}", entry["number"])));
    site.run(&["mailbox", "export", mailbox, &number, "--output", file.to_str().unwrap()]).ok();
    (entry, read(&file))
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// What each of the five has to have, and must not have.
fn check_copies(pair: &Pair, submitted: &Value) {
    let open = submitted["mts_id"].as_str().unwrap();
    let blind = submitted["blind_copies"].as_array().unwrap();
    let of =
        |recipient: &str| blind.iter().find(|copy| copy["recipient"] == recipient).unwrap()["mts_id"].clone();
    assert_eq!(blind.len(), 2, "{submitted}");
    for (site, mailbox) in [(&pair.b, OPERATIONS), (&pair.b, NIGHT), (&pair.a, BERT)] {
        let (entry, octets) = received(site, mailbox);
        assert_eq!(entry["mts_id"], open, "{entry:#}");
        assert_eq!((&entry["to"], &entry["cc"]), (&json!([OPERATIONS]), &json!([NIGHT, BERT])), "{entry:#}");
        assert_eq!(entry["bcc"], json!([]), "{entry:#}");
        assert!(contains(&octets, "night") && !contains(&octets, "lurker") && !contains(&octets, "shadow"));
    }
    for (site, mailbox, other) in [(&pair.b, LURKER, "shadow"), (&pair.a, SHADOW, "lurker")] {
        let (entry, octets) = received(site, mailbox);
        assert_eq!(entry["mts_id"], of(mailbox), "{entry:#}");
        assert_ne!(entry["mts_id"], open, "{entry:#}");
        assert_eq!((&entry["to"], &entry["cc"]), (&json!([OPERATIONS]), &json!([NIGHT, BERT])), "{entry:#}");
        assert_eq!(entry["bcc"], json!([mailbox]), "{entry:#}");
        assert!(!contains(&octets, other));
    }
}

#[test]
fn blind_copy_recipients_are_seen_by_nobody_but_themselves() {
    let mut pair = Plan::default().build();
    pair.a.start();
    // Whatever is asked for: the others are shown to one another, not who has a blind copy.
    let text = ["--subject", "plan", "--text", "x", "--request", "disclose-recipients"];
    let submitted = submit(&pair.a, &[&OPEN, &BLIND, &text]);
    // What waits for the link is two messages, and neither envelope names recipients of the other.
    let waiting = wait_for("both copies to wait", || Some(pair.a.waiting()).filter(|all| all.len() == 2));
    let mut recipients: Vec<&Value> = waiting.iter().map(|message| &message["recipients"]).collect();
    recipients.sort_by_key(|names| names.as_array().unwrap().len());
    assert_eq!(recipients, [&json!([LURKER]), &json!([OPERATIONS, NIGHT])]);
    pair.b.start();
    check_copies(&pair, &submitted);
}

#[test]
fn blind_copies_of_a_file_have_the_whole_file() {
    let pair = Plan::default().start();
    let octets: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = pair.a.file("plan.bin", &octets);
    let submitted = submit(&pair.a, &[&OPEN, &BLIND, &["--file", file.to_str().unwrap()]]);
    check_copies(&pair, &submitted);
    for (site, mailbox) in [(&pair.b, LURKER), (&pair.a, SHADOW), (&pair.b, OPERATIONS)] {
        let entry = site.mailbox(mailbox).remove(0);
        let (number, path) = (entry["number"].to_string(), site.path("attachment"));
        let arguments = ["mailbox", "export", mailbox, &number, "--attachment", "1", "--output"];
        site.run(&[&arguments[..], &[path.to_str().unwrap()]].concat()).ok();
        assert!(read(&path) == octets, "{mailbox}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn the_identifiers_of_all_copies_are_printed_that_of_the_open_one_first() {
    let pair = Plan::default().start();
    let words = ["--from", ANNA, "--to", BERT, "--bcc", SHADOW, "--subject", "s", "--text", "x"];
    let printed = pair.a.submit(&words);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert_eq!(received(&pair.a, BERT).0["mts_id"], lines[0]);
    let copy = received(&pair.a, SHADOW).0["mts_id"].as_str().unwrap().to_owned();
    assert_eq!(lines[1], format!("{copy} to blind copy recipient {SHADOW}"));
    // Who is named openly as well needs no blind copy; who is named twice gets one.
    let upper = SHADOW.to_uppercase();
    let again =
        ["--from", ANNA, "--to", BERT, "--bcc", BERT, "--bcc", SHADOW, "--bcc", &upper, "--text", "x"];
    let answer = submit(&pair.a, &[&again]);
    assert_eq!(answer["blind_copies"].as_array().unwrap().len(), 1, "{answer}");
    // A message with nothing but a blind copy.
    let alone = pair.a.submit(&["--from", ANNA, "--bcc", SHADOW, "--text", "x"]);
    assert!(alone.ends_with(&format!(" to blind copy recipient {SHADOW}")) && alone.lines().count() == 1);
    let last = pair.a.wait_for_mail(SHADOW, 3).remove(2);
    assert_eq!((&last["to"], &last["bcc"]), (&json!([]), &json!([SHADOW])), "{last:#}");
}

#[test]
fn one_bad_blind_copy_recipient_keeps_the_whole_message_back() {
    let pair = Plan { mta: "max_recipients = 1\n".to_owned(), ..Plan::default() }.start();
    let words = ["submit", "--from", ANNA, "--to", BERT, "--cc", OPERATIONS, "--bcc", SHADOW, "--text", "x"];
    let why = pair.a.run(&words).failed(1);
    assert!(why.contains("there are 2 recipients, the limit is 1"), "{why}");
    let many: Vec<String> = (0..33).map(|n| format!("S=n{n};O=Acme;P=ALPHA;A= ;C=GB")).collect();
    let mut words = vec!["submit", "--from", ANNA, "--text", "x"];
    words.extend(many.iter().flat_map(|name| ["--bcc", name]));
    let why = pair.a.run(&words).failed(1);
    assert!(why.contains("33 blind copy recipients, the limit is 32"), "{why}");
    assert_eq!(pair.a.counter("submitted"), 0);
    assert_eq!(pair.a.mailbox_size(SHADOW), 0);
}

/// Submits a probe; gives its MTS-identifier.
fn probe(site: &Site, arguments: &[&str]) -> String {
    let words = [&["probe", "--from", ANNA], arguments].concat();
    site.run(&words).ok().trim().to_owned()
}

/// Names of the events of one identifier.
fn events(site: &Site, mts_id: &str) -> Vec<String> {
    let tracking = site.json(&["track", mts_id]);
    let own = tracking["items"].as_array().unwrap().iter().filter(|item| item["mts_id"] == mts_id);
    own.map(|item| item["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_probe_is_answered_by_a_report_and_delivers_nothing() {
    let pair = Plan::default().start();
    let id = probe(&pair.a, &["--to", OPERATIONS, "--content-length", "5000"]);
    let report = pair.a.wait_for_mail(ANNA, 1).remove(0);
    assert_eq!(
        (&report["kind"], &report["subject_mts_id"]),
        (&"report".into(), &id.as_str().into()),
        "{report:#}"
    );
    let recipients = report["recipients"].as_array().unwrap();
    assert_eq!(recipients.len(), 1, "{report:#}");
    assert_eq!(recipients[0]["address"], OPERATIONS, "{report:#}");
    assert_eq!(recipients[0]["outcome"], "delivered", "{report:#}");
    pair.a.wait_until_empty();
    pair.b.wait_until_empty();
    assert_eq!(pair.b.mailbox_size(OPERATIONS), 0);
    assert_eq!(events(&pair.a, &id), ["probe-submitted", "probe-out"]);
    assert_eq!(events(&pair.b, &id), ["probe-in"]);
    let report = report["mts_id"].as_str().unwrap();
    assert_eq!(events(&pair.b, report), ["report-generated", "report-out"]);
    assert_eq!(events(&pair.a, report), ["report-in", "report-delivered"]);
}

#[test]
fn a_probe_tells_of_each_recipient_what_would_become_of_a_message() {
    let plan = Plan { connector: "max_message_size_kb = 100\n".to_owned(), ..Plan::default() };
    let pair = plan.start();
    let nowhere = "S=x;O=Acme;P=GAMMA;A= ;C=GB";
    probe(&pair.a, &["--to", BERT, "--to", nowhere, "--to", OPERATIONS, "--content-length", "200000"]);
    let told = wait_for("what would become of all three", || {
        let reports = pair.a.mailbox(ANNA);
        let told = |report: &Value| report["recipients"].as_array().unwrap().clone();
        Some(reports.iter().flat_map(told).collect::<Vec<_>>()).filter(|told| told.len() == 3)
    });
    let of = |address: &str| told.iter().find(|recipient| recipient["address"] == address).unwrap();
    assert_eq!(of(BERT)["outcome"], "delivered", "{told:#?}");
    assert_eq!(of(nowhere)["outcome"], "non-delivered", "{told:#?}");
    assert_eq!(of(OPERATIONS)["outcome"], "non-delivered", "{told:#?}");
    assert!(of(OPERATIONS)["diagnostic"].as_str().unwrap().contains("content-too-long"), "{told:#?}");
    assert_eq!(pair.a.mailbox_size(BERT), 0);
}

#[test]
fn a_probe_that_asks_for_bad_news_only_is_not_answered_by_good_ones() {
    let pair = Plan::default().start();
    let silent = probe(&pair.a, &["--to", OPERATIONS, "--report", "non-delivery"]);
    let heard = probe(&pair.a, &["--to", OPERATIONS, "--content-type", "p2"]);
    let report = pair.a.wait_for_mail(ANNA, 1).remove(0);
    assert_eq!(report["subject_mts_id"], heard.as_str(), "{report:#}");
    pair.a.wait_until_empty();
    pair.b.wait_until_empty();
    assert_eq!(pair.a.mailbox_size(ANNA), 1, "nothing about {silent}");
    let why = pair.a.run(&["probe", "--from", OPERATIONS, "--to", ANNA]).failed(1);
    assert!(why.contains("is no mailbox of this MTA"), "{why}");
}

#[test]
fn a_latest_delivery_time_is_taken_if_it_can_be_kept() {
    let pair = Plan::default().start();
    let words = ["submit", "--from", ANNA, "--to", OPERATIONS, "--text", "x", "--latest-delivery"];
    let why = pair.a.run(&[&words[..], &["2020-01-01T00:00:00Z"]].concat()).failed(1);
    assert!(why.contains("latest delivery at 2020-01-01T00:00:00Z is not after"), "{why}");
    let why = pair.a.run(&[&words[..], &["2050-01-01T00:00:00Z"]].concat()).failed(1);
    assert!(why.contains("times end with the year 2049"), "{why}");
    let deferred = ["--deferred", "2049-01-02T00:00:00Z"];
    let why = pair.a.run(&[&words[..], &["2049-01-01T00:00:00Z"], &deferred].concat()).failed(1);
    assert!(why.contains("is not after 2049-01-02T00:00:00Z"), "{why}");
    let id = pair.a.submit(&[&words[1..], &["2049-01-01T00:00:00Z"]].concat());
    assert_eq!(pair.b.wait_for_mail(OPERATIONS, 1)[0]["mts_id"], id, "both MTAs heed a critical extension");
    assert_eq!(pair.a.counter("submitted"), 1);
}
