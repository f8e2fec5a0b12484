//! The configuration of a running service: looked at, checked, replaced and asked what it would do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::fs;

use serde_json::Value;
use support::http::{Answer, request, request_with};
use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, Site, items};

const PATH: &str = "/api/v1/config";

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// Text and digest.
fn shown(site: &Site) -> (String, String) {
    let answer = site.ask(PATH);
    (answer["text"].as_str().unwrap().to_owned(), answer["digest"].as_str().unwrap().to_owned())
}

fn put(site: &Site, text: &str, digest: &str) -> Answer {
    let fields = format!("if-match: \"{digest}\"\r\nchappe-operator: tester\r\n");
    request_with(site.api, "PUT", PATH, &fields, text.as_bytes()).unwrap()
}

fn check(site: &Site, text: &str) -> Value {
    let answer = request(site.api, "POST", "/api/v1/config/check", text.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    parsed(&answer)
}

fn connectors(site: &Site) -> Vec<String> {
    let all = items(&site.ask("/api/v1/connectors"));
    all.iter().map(|connector| connector["name"].as_str().unwrap().to_owned()).collect()
}

const TO_C: &str = "\n[[connector]]\nname = \"to-c\"\nremote_mta = \"MTA-C\"\nhosts = [\"127.0.0.1:1\"]\n\
                    address_space = [{ address = \"P=GAMMA;A= ;C=GB\" }]\n";

#[test]
fn an_edited_configuration_is_checked_applied_and_written_and_secrets_survive_it() {
    let Pair { a, b } = Plan::default().start();
    let before = fs::read_to_string(a.config()).unwrap();
    let (text, digest) = shown(&a);
    assert!(text.contains("********") && !text.contains("password of"), "{text}");
    assert_eq!(check(&a, &text)["differences"], Value::Array(Vec::new()));

    // Edit, validate, diff.
    let edited = format!("{}{TO_C}", text.replace("open_interval_s = 1\n", "open_interval_s = 2\n"));
    let verdict = check(&a, &edited);
    assert_eq!((&verdict["ok"], verdict["restart"].as_array().unwrap().len()), (&Value::Bool(true), 0));
    let words = verdict["words"].to_string();
    for part in ["connector to-c is added", "connector to-b: retry.open_interval_s is 2 instead of 1"] {
        assert!(words.contains(part), "no `{part}` in {words}");
    }
    assert_eq!(verdict["words"].as_array().unwrap().len(), 2);
    assert_eq!(connectors(&a), ["to-b"], "a check changes nothing");

    // Apply.
    let answer = put(&a, &edited, &digest);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = parsed(&answer);
    assert_eq!((&answer["added"][0], &answer["changed"][0]), (&"to-c".into(), &"to-b".into()), "{answer}");
    assert_eq!(connectors(&a), ["to-b", "to-c"]);
    assert_eq!(fs::read_to_string(a.path("chappe.toml.1")).unwrap(), before);
    let written = fs::read_to_string(a.config()).unwrap();
    assert!(written.contains("password of A") && !written.contains("********"), "{written}");
    let (_, now) = shown(&a);
    assert_eq!(answer["digest"], now.as_str());
    let events = a.run(&["events", "--json"]).ok();
    assert!(events.contains("tester: replace the configuration (connector to-b: retry"), "{events}");
    // Both still know each other's passwords.
    a.send(ANNA, OPERATIONS, "after the edit");
    b.wait_for_mail(OPERATIONS, 1);

    // The one who edited the old text is told so, and so is who gives no digest.
    let answer = put(&a, &text, &digest);
    assert_eq!(answer.status, 412, "{}", answer.body);
    assert!(answer.body.contains(&now), "{}", answer.body);
    assert_eq!(request(a.api, "PUT", PATH, text.as_bytes()).unwrap().status, 428);
    assert_eq!(connectors(&a), ["to-b", "to-c"]);

    // An edit by hand is not overwritten, and is taken when it has been read.
    a.configure(&written.replace(TO_C, ""));
    assert_eq!(put(&a, &edited, &now).status, 412);
    assert_eq!(a.ask(PATH)["changed_on_disk"], true);
    let answer = request(a.api, "POST", "/api/v1/config/reload", &[]).unwrap();
    assert_eq!(parsed(&answer)["removed"][0], "to-c", "{}", answer.body);
    assert_eq!(a.ask(PATH)["changed_on_disk"], false);
    assert_eq!(connectors(&a), ["to-b"]);
}

#[test]
fn whatever_is_wrong_leaves_the_service_and_the_file_as_they_were() {
    let Pair { mut a, b: _b } = Plan::default().build();
    a.start();
    let before = fs::read_to_string(a.config()).unwrap();
    let (text, digest) = shown(&a);
    let wrong = format!("{text}\n[[connector]]\nname = \"to-c\"\nremote_password = \"********\"\nhots = 1\n");
    let verdict = check(&a, &wrong);
    let last = wrong.lines().count();
    let problems = verdict["problems"].as_array().unwrap();
    assert!(
        problems
            .iter()
            .any(|problem| problem["line"] == last && problem["fix"].as_str().unwrap().contains("hosts")),
        "{verdict}"
    );
    for (text, status) in [(wrong.as_str(), 422), ("[mta", 422), ("", 422), ("\u{0}", 422)] {
        let answer = put(&a, text, &digest);
        assert_eq!(answer.status, status, "{text}: {}", answer.body);
    }
    // Asterisks that stand for nothing.
    let new = text.replace("to-b", "to-d");
    assert!(new.contains("********"));
    let verdict = check(&a, &new);
    assert!(verdict["problems"].to_string().contains("connector to-d.remote_password"), "{verdict}");
    // The file for the text before can't be written.
    fs::create_dir(a.path("chappe.toml.1")).unwrap();
    let answer = put(&a, &format!("{text}{TO_C}"), &digest);
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert_eq!(connectors(&a), ["to-b"]);
    assert_eq!(fs::read_to_string(a.config()).unwrap(), before);
    let left: Vec<_> = fs::read_dir(a.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // It goes on with the same digest once the way is free.
    fs::remove_dir(a.path("chappe.toml.1")).unwrap();
    assert_eq!(put(&a, &format!("{text}{TO_C}"), &digest).status, 200);
    // What takes a restart is written and told.
    let (text, digest) = shown(&a);
    let verdict = check(&a, &format!("{text}\n[recorder]\nended = 7\n"));
    assert_eq!(verdict["restart"][0], "[recorder]", "{verdict}");
    // Of two at the same time one is the first.
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (a, digest) = (&a, &digest);
                let text = format!("{text}\n[recorder]\nended = {}\n", n + 10);
                scope.spawn(move || put(a, &text, digest).status)
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 412).count(), 3, "{answers:?}");
    a.stop();
    a.start();
    assert_eq!(connectors(&a), ["to-b", "to-c"], "what was applied is what a restart finds");
}

#[test]
fn what_would_become_of_a_message_is_told_without_doing_it() {
    let Pair { mut a, b: _b } = Plan::default().build();
    a.start();
    let gamma = "S=x;O=Acme;P=GAMMA;A= ;C=GB";
    let edited = a.file("edited.toml", format!("{}{TO_C}", shown(&a).0).as_bytes());
    let edited = edited.to_str().unwrap();
    let comparison = a.json(&["route", gamma, "--config", edited]);
    assert_eq!(comparison["changed"], true, "{comparison}");
    assert_eq!(comparison["now"]["decision"], "unknown", "{comparison}");
    assert_eq!(comparison["then"]["connectors"][0], "to-c", "{comparison}");
    assert_eq!(connectors(&a), ["to-b"]);
    let same = a.json(&["route", OPERATIONS, "--config", edited]);
    assert_eq!((&same["changed"], &same["now"]), (&Value::Bool(false), &same["then"]), "{same}");
    let text = a.run(&["route", gamma, "--config", edited]).ok();
    for part in ["Now: ", "non-delivered", "edited.toml: ", "transferred over connector to-c", "another one"]
    {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    // A connector that only the edited one has.
    let incoming = a.json(&["route", OPERATIONS, "--config", edited, "--incoming", "to-c"]);
    assert!(incoming["now"].is_null() && incoming["then"].is_object(), "{incoming}");
    a.run(&["route", OPERATIONS, "--config", edited, "--incoming", "to-z"]).failed(1);

    let text = a.run(&["config", "diff", edited]).ok();
    assert_eq!(text, "connector to-c is added\n");
    let wrong = a.file("wrong.toml", b"[mta]\nname = 1\n");
    let wrong = wrong.to_str().unwrap();
    let said = a.run(&["config", "diff", wrong]).failed(2);
    assert!(said.contains("wrong.toml:2:8: "), "{said}");
    let said = a.run(&["route", gamma, "--config", wrong]).failed(1);
    assert!(said.contains("2:8: "), "{said}");
}
