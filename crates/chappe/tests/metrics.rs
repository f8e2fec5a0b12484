//! What Prometheus gets, and what the files for it expect.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use common::{ANNA, BERT, Service};
use serde_json::Value;

const CONNECTOR: &str = "[[connector]]\nname = \"to-b\"\nremote_mta = \"MTA-B\"\nhosts = [\"127.0.0.1:1\"]\n\
                         address_space = [{ address = \"P=BETA;A= ;C=GB\", cost = 3 }]\n";

fn get(service: &Service, path: &str) -> String {
    let answer = service.raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Asks until it is so.
fn wait_until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every series with its value; fails if the text is not in the format.
fn series(text: &str) -> BTreeMap<String, f64> {
    let mut typed = BTreeSet::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(typed.insert(name.to_owned()), "twice: {line}");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let plain = name.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| plain.strip_suffix(end));
            assert!(typed.contains(plain) || base.is_some_and(|base| typed.contains(base)), "{line}");
            assert!(found.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
        }
    }
    found
}

#[test]
fn all_series_are_there_from_the_start_and_counters_only_rise() {
    let mut service = Service::start("", CONNECTOR);
    let before = series(&get(&service, "/metrics"));
    assert_eq!(before["chappe_messages_total{direction=\"out\",connector=\"to-b\"}"], 0.0);
    assert_eq!(before["chappe_queue_oldest_seconds{connector=\"to-b\"}"], 0.0);
    assert_eq!(before["chappe_condition{condition=\"ready\"}"], 1.0);
    assert_eq!(before["chappe_events_total{kind=\"internal-error\",severity=\"error\"}"], 0.0);
    service.submit(&["--to", "S=x;P=BETA;A= ;C=GB", "--subject", "x", "--text", "y"]);
    service.submit(&["--to", BERT, "--subject", "x", "--text", "y"]);
    service.wait_for_log("delivered to");
    let failed = "chappe_failed_opens_total{connector=\"to-b\"}";
    wait_until("to-b has failed", || series(&get(&service, "/metrics"))[failed] >= 1.0);
    let after = series(&get(&service, "/metrics"));
    assert_eq!(after["chappe_queue_messages{connector=\"to-b\"}"], 1.0);
    assert!(after["chappe_connector_failing_seconds{connector=\"to-b\"}"] >= 1.0);
    assert!(after["chappe_failed_opens_total{connector=\"to-b\"}"] >= 1.0);
    assert_eq!((after["chappe_submitted_total"], after["chappe_delivered_total"]), (2.0, 1.0));
    assert!(after["chappe_commit_seconds_count"] >= 2.0);
    assert_eq!(after["chappe_commit_seconds_bucket{le=\"+Inf\"}"], after["chappe_commit_seconds_count"]);
    let names = |all: &BTreeMap<String, f64>| all.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&before), names(&after), "series came or went");
    for (name, value) in &before {
        if name.contains("_total") || name.contains("_bucket") {
            assert!(after[name] >= *value, "{name} went back");
        }
    }
    let health: Value = serde_json::from_str(&get(&service, "/health")).unwrap();
    assert_eq!(health["condition"], "degraded", "{health}");
    assert!(health["reasons"][0].as_str().unwrap().contains("to-b"), "{health}");
    // Deleted messages are gone from the gauges as well.
    service.run(&["message", "delete", "--no-ndr", "--yes", "--from", ANNA]).ok();
    let gone = series(&get(&service, "/metrics"));
    assert_eq!(gone["chappe_queue_messages{connector=\"to-b\"}"], 0.0);
    assert_eq!(gone["chappe_queue_oldest_seconds{connector=\"to-b\"}"], 0.0);
}

#[test]
fn what_is_deferred_is_in_the_work_queue_until_its_time_or_until_somebody_deletes_it() {
    let service = Service::start("", "");
    let work = || {
        let all = series(&get(&service, "/metrics"));
        (all["chappe_work_queue_messages"], all["chappe_deferred_messages"], all["chappe_work_queue_more"])
    };
    wait_until("the work queue has been read", || work() == (0.0, 0.0, 0.0));
    for _ in 0..2 {
        let submit =
            ["submit", "--from", ANNA, "--to", BERT, "--text", "y", "--deferred", "2040-12-24T18:00:00Z"];
        service.run(&submit).ok();
    }
    wait_until("both are deferred", || work() == (2.0, 2.0, 0.0));
    service.run(&["message", "delete", "--no-ndr", "--yes", "--all"]).ok();
    wait_until("both are gone", || work() == (0.0, 0.0, 0.0));
}

#[test]
fn every_metric_in_the_examples_exists() {
    let service = Service::start("", CONNECTOR);
    let known: BTreeSet<String> = series(&get(&service, "/metrics"))
        .keys()
        .map(|name| name.split('{').next().unwrap().to_owned())
        .collect();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/monitoring");
    for (file, least) in [("alerts.yml", 8), ("dashboard.json", 12)] {
        let text = std::fs::read_to_string(directory.join(file)).unwrap();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let used: BTreeSet<&str> =
            text.split(|c| !is_part(c)).filter(|word| word.starts_with("chappe_")).collect();
        assert!(used.len() >= least, "{file}: {used:?}");
        for name in used {
            assert!(known.contains(name), "{file}: there is no metric {name}");
        }
    }
    let dashboard = std::fs::read_to_string(directory.join("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() >= 8);
}

#[test]
fn who_has_no_token_learns_that_something_is_wrong_and_not_what() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "t0ken").unwrap();
    Service::write_config(dir.path(), &format!("api_token_file = {token:?}"), CONNECTOR);
    let service = Service::start_in(dir);
    let token = service.dir.path().join("token");
    service.run(&["connector", "connect", "to-b", "--token-file", token.to_str().unwrap()]).ok();
    let health = || serde_json::from_str::<Value>(&get(&service, "/health")).unwrap();
    wait_until("to-b has failed", || health()["condition"] == "degraded");
    let health = health();
    assert_eq!((&health["condition"], &health["reasons"]), (&"degraded".into(), &serde_json::json!([])));
    let refused = service.raw("GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
}
