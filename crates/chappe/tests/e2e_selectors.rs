//! Several connectors to one address and one MTA, told apart by selectors; and calls for selectors nobody has.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use serde_json::Value;
use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, Site, items, wait_for};

const GAMMA: &str = "S=operations;O=Acme;P=GAMMA;A= ;C=GB";

/// A connector with selectors, to `MTA-peer` at `host`.
fn connector(name: &str, peer: &str, prmd: &str, host: std::net::SocketAddr, selectors: &str) -> String {
    let plan = Plan { connector: selectors.to_owned(), ..Plan::default() };
    let old = format!("name = \"to-{}\"", peer.to_lowercase());
    plan.link(peer, prmd, host).replacen(&old, &format!("name = \"{name}\""), 1)
}

fn listening(text: &str, selectors: &str) -> String {
    text.replacen("[listen]\n", &format!("[listen]\nselectors = [{selectors}]\n"), 1)
}

/// Texts of the events of this kind, with their subjects in front.
fn events(site: &Site, kind: &str) -> Vec<String> {
    let text = |event: &Value| {
        format!("{} {}", event["subject"].as_str().unwrap_or(""), event["text"].as_str().unwrap())
    };
    items(&site.ask("/api/v1/events")).iter().filter(|event| event["kind"] == kind).map(text).collect()
}

fn wait_for_event(site: &Site, kind: &str, parts: &[&str]) {
    wait_for(&format!("an event {kind} with {parts:?} at {}", site.name), || {
        events(site, kind).into_iter().find(|text| parts.iter().all(|part| text.contains(part)))
    });
}

#[test]
fn connectors_to_one_mta_at_one_address_are_told_apart_by_selectors() {
    let plan = Plan::default();
    let Pair { mut a, mut b } = plan.build();
    a.configure(
        &(plan.text(&a, "ALPHA")
            + &connector("one", "B", "BETA", b.p1, "called_selectors = { transport = \"one\" }")
            + &connector(
                "two",
                "B",
                "GAMMA",
                b.p1,
                "called_selectors = { transport = \"0x74776f\", session = \"'0002'H\", presentation = \"p2\" }",
            )),
    );
    let served =
        "{ transport = \"one\" }, { transport = \"two\", session = \"0x0002\", presentation = \"p2\" }";
    let both = "local = [\"P=BETA;A= ;C=GB\", \"P=GAMMA;A= ;C=GB\"]";
    b.configure(
        &(listening(&plan.text(&b, "BETA"), served).replacen("local = [\"P=BETA;A= ;C=GB\"]", both, 1)
            + &connector("from-one", "A", "ALPHA", a.p1, "calling_selectors = { transport = \"one\" }")
            + &connector("from-two", "A", "ALPHA", a.p1, "calling_selectors = { transport = \"two\" }")),
    );
    b.start();
    a.start();
    a.send(ANNA, OPERATIONS, "first");
    a.send(ANNA, GAMMA, "second");
    b.wait_for_mail(OPERATIONS, 1);
    b.wait_for_mail(GAMMA, 1);
    for name in ["from-one", "from-two"] {
        wait_for_event(&b, "association-opened", &[name, "accepted from MTA-A"]);
    }
    // The way back, by either connector: a call of B's from its selector `one` is A's connector that calls it.
    b.send(OPERATIONS, ANNA, "back");
    a.wait_for_mail(ANNA, 1);
    let opened = events(&b, "association-opened").into_iter().filter(|text| text.contains(" with MTA-A at "));
    let called: Vec<&str> =
        opened.map(|text| if text.contains("from-one") { "one" } else { "two" }).collect();
    assert_eq!(called.len(), 1, "one message, one association: {called:?}");
    wait_for_event(&a, "association-opened", &[called[0], "accepted from MTA-B"]);

    // What is shown can be written into a configuration.
    let shown = a.json(&["connector", "show", "two"]);
    let selectors = serde_json::json!({ "transport": "two", "session": "0x0002", "presentation": "p2" });
    assert_eq!(shown["called_selectors"], selectors);
    let text = a.run(&["connector", "show", "two"]).ok();
    assert!(text.contains("transport two, session 0x0002, presentation p2"), "{text}");
}

#[test]
fn who_calls_selectors_of_nobody_is_refused_at_their_layer_and_both_ends_say_why() {
    let plan = Plan::default();
    let Pair { mut a, mut b } = plan.build();
    let calling = |name: &str, selectors: &str| {
        let space = name.to_uppercase();
        connector(name, "B", &space, b.p1, &format!("called_selectors = {{ {selectors} }}"))
    };
    let wrong = [
        ("wrong-t", "transport = \"0x00ff\"", "DR reason 3: address unknown", "transport selector 0x00ff"),
        (
            "wrong-s",
            "transport = \"T\", session = \"other\"",
            "reason 129: session selector unknown",
            "session selector `other`",
        ),
        (
            "wrong-p",
            "transport = \"T\", session = \"S\", presentation = \"p\"",
            "reason 3: called presentation address unknown",
            "presentation selector `p`",
        ),
        (
            "without-p",
            "transport = \"T\", session = \"S\"",
            "reason 3: called",
            "without a presentation selector",
        ),
    ];
    let connectors: String = wrong.iter().map(|(name, selectors, ..)| calling(name, selectors)).collect();
    a.configure(&(plan.text(&a, "ALPHA") + &connectors));
    let served = "{ transport = \"T\", session = \"S\", presentation = \"P\" }";
    b.configure(&(listening(&plan.text(&b, "BETA"), served) + &plan.link("A", "ALPHA", a.p1)));
    b.start();
    a.start();
    for (name, _, ours, theirs) in wrong {
        a.run(&["connector", "connect", name]).ok();
        wait_for_event(&a, "connection-not-opened", &[name, ours]);
        wait_for_event(&b, "selector-mismatch", &[theirs, "is not served here"]);
    }

    // A reload serves them all.
    let text = std::fs::read_to_string(b.config()).unwrap();
    b.configure(&text.replacen(&format!("selectors = [{served}]\n"), "", 1));
    b.signal("HUP");
    for (name, ..) in wrong {
        wait_for(&format!("{name} to connect"), || {
            a.run(&["connector", "connect", name]).ok();
            events(&a, "association-opened").into_iter().find(|text| text.starts_with(name))
        });
    }
}

#[test]
fn connectors_that_nothing_tells_apart_are_a_mistake_that_names_both() {
    let plan = Plan::default();
    let Pair { a, b } = plan.build();
    let selectors = "called_selectors = { transport = \"same\" }";
    a.configure(
        &(plan.text(&a, "ALPHA")
            + &connector("one", "B", "BETA", b.p1, selectors)
            + &connector(
                "two",
                "C",
                "GAMMA",
                b.p1,
                &format!("remote_mta_aliases = [\"MTA-B\"]\n{selectors}"),
            )),
    );
    let file = a.config();
    let said = support::chappe(&["config", "check", file.to_str().unwrap()]).failed(2);
    assert!(said.contains("connectors `one` and `two` are both to `MTA-B`"), "{said}");
    let bad =
        a.file("bad.toml", std::fs::read_to_string(&file).unwrap().replace("\"same\"", "\"0x7\"").as_bytes());
    let said = support::chappe(&["config", "check", bad.to_str().unwrap()]).failed(2);
    assert!(said.contains("`0x7` is not hexadecimal"), "{said}");
}
