//! Link monitors as an operator meets them: settings, listings, mistakes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::time::{Duration, Instant};

use common::{Service, chappe};

const MONITOR: &str = "[[link_monitor]]\nname = \"self\"\nfrom = \"S=monitor;P=ALPHA;A= ;C=GB\"\n\
                       to = \"S=anna;P=ALPHA;A= ;C=GB\"\nevery_s = 10\n";

#[test]
fn a_monitor_is_listed_and_shown_and_leaves_no_mail_behind() {
    let service = Service::start("", MONITOR);
    let end = Instant::now() + Duration::from_secs(60);
    let shown = loop {
        let shown: serde_json::Value =
            serde_json::from_str(&service.run(&["monitor", "show", "self", "--json"]).ok()).unwrap();
        if shown["state"] == "on time" {
            break shown;
        }
        assert!(Instant::now() < end, "{shown}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(shown["answer"], "delivery report");
    let table = service.run(&["monitor", "list"]).ok();
    assert!(table.starts_with("NAME ") && table.contains("on time"), "{table}");
    let text = service.run(&["monitor", "show", "self"]).ok();
    assert!(text.contains("a probe every 10 s") && text.contains("a delivery report after"), "{text}");
    service.run(&["monitor", "show", "other"]).failed(1);
    while service.run(&["mailbox", "list"]).ok().contains("monitor") {
        assert!(Instant::now() < end, "the answer stays in the mailbox");
    }
    // A reload takes it away.
    Service::write_config(service.dir.path(), "", "");
    service.signal("-HUP");
    while !service.run(&["monitor", "list"]).ok().contains("There are no link monitors") {
        assert!(Instant::now() < end, "it is still there");
    }
}

#[test]
fn mistakes_in_a_monitor_s_settings_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let check = |rest: &str| {
        Service::write_config(dir.path(), "", rest);
        chappe(&["config", "check", dir.path().join("chappe.toml").to_str().unwrap()]).failed(2)
    };
    let elsewhere = check(&MONITOR.replace("S=monitor;P=ALPHA", "S=monitor;P=GAMMA"));
    assert!(elsewhere.contains("answers to link monitor `self` would not come here"), "{elsewhere}");
    let twice = check(&format!("{MONITOR}{MONITOR}"));
    assert!(twice.contains("two link monitors have the name `self`"), "{twice}");
    let wrong = check(&format!("{MONITOR}kind = \"mail\"\nlate_after_s = 1\n"));
    for part in ["`kind` = \"mail\" is not known", "`late_after_s` = 1 is out of range"] {
        assert!(wrong.contains(part), "{wrong}");
    }
}
