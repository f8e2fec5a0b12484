//! The web console in a real browser, on live MTAs, with a link that is really cut. What is pressed there is looked for
//! where it has to happen: in the API, and at the other MTA. Pictures of the pages are kept, by day and by night.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "../../../chappe/tests/support/mod.rs"]
mod support;

mod ladder;
mod links;
mod look;
mod messages;
mod monitors;
mod pages;
mod quarantine;
mod roles;
mod settings;

use std::io::Write;

use browser::{Browser, BrowserError, Driver};
use serde_json::Value;
use support::{Plan, Site, items};

type Test = Result<(), BrowserError>;

/// A browser at the console of this site. Where there is none on this machine the test is skipped, and says so.
fn console(test: &str, site: &Site) -> Result<Option<Browser>, BrowserError> {
    if !Driver::is_there() {
        let required = std::env::var_os("CHAPPE_REQUIRE_BROWSER").is_some_and(|value| value == "1");
        assert!(!required, "{test}: chromium-driver is not installed, and CHAPPE_REQUIRE_BROWSER=1");
        // Not eprintln: that would be captured. A failed write can't be told to anyone.
        let _ = writeln!(std::io::stderr(), "SKIPPED: chromium-driver is not installed ({test})");
        return Ok(None);
    }
    let browser = Browser::open(&site.url())?;
    browser.resize(1280, 800)?;
    Ok(Some(browser))
}

/// A plan of a pair in which an association is tried for once, and again only when somebody asks for it.
fn patient() -> Plan {
    let retry = "open_interval_s = 3600\ntransfer_interval_s = 1\n".to_owned();
    Plan { retry, ..Plan::default() }
}

/// What the API says of a queue.
fn queue(site: &Site, connector: &str) -> Value {
    let queues = items(&site.ask("/api/v1/queues"));
    queues.into_iter().find(|queue| queue["connector"] == connector).expect("there is such a queue")
}

/// Scripts that fail and files that may not be loaded are faults of the console.
fn has_no_complaints(browser: &Browser) -> Test {
    let complaints = browser.complaints()?;
    assert!(complaints.is_empty(), "{complaints:#?}");
    Ok(())
}
