//! What networks of real MTAs do together: five in a line, a ring, a star, and lists and redirections across them.
//!
//! Every link passes a proxy that records it, so that tests count transfers, read traces where they were made, and have
//! tshark judge all that went over the wires.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod doubt;
mod line;
mod lists;
mod ring;
mod rules;
mod star;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;

/// What a report in a mailbox says of each recipient: address, and `delivered` or the diagnostic of its
/// non-delivery.
fn said(report: &Value) -> Vec<(String, String)> {
    let recipients = report["recipients"].as_array().unwrap_or_else(|| panic!("no report: {report}")).iter();
    let mut said: Vec<(String, String)> = recipients
        .map(|recipient| {
            let outcome = match recipient["outcome"].as_str() {
                Some("non-delivered") => &recipient["diagnostic"],
                Some(_) | None => &recipient["outcome"],
            };
            (recipient["address"].as_str().unwrap().to_owned(), outcome.as_str().unwrap_or("none").to_owned())
        })
        .collect();
    said.sort();
    said
}
