//! `chappe demo`, the first thing that a newcomer runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use support::{Outcome, chappe};

#[test]
fn the_demo_delivers_and_reports_and_ends() {
    let shown = chappe(&["demo", "--once"]).ok();
    for part in [
        "The semaphore line from Paris to Lille is up.",
        "Line open",
        "S=operations;O=Telegraph;P=LILLE;A= ;C=FR delivered at 20",
        "S=nobody;O=Telegraph;P=LILLE;A= ;C=FR non-delivery: ",
    ] {
        assert!(shown.contains(part), "no {part} in\n{shown}");
    }
}
