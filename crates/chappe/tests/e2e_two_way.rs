//! Mail both ways at once over associations on which the turn passes to and fro.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use support::http;
use support::{ANNA, OPERATIONS, Pair, Plan, Site, wait_for};

const MESSAGES: usize = 150;

/// Submits all messages of one side, without the detour over the command line, which would leave gaps between them.
fn submit_all(site: &Site, from: &str, to: &str) {
    let [from, to] = [from, to].map(http::encode);
    for number in 0..MESSAGES {
        let path = format!("/api/v1/messages?from={from}&to={to}&report=delivery&subject={number}");
        let answer = http::request(site.api, "POST", &path, b"x").expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
}

#[test]
fn the_turn_passes_to_and_fro_without_a_failure() {
    // One association alone: both sides need the turn on it, for messages and for reports.
    for max_associations in [1, 10] {
        let plan = Plan {
            connector: "two_way_alternate = true\n".to_owned(),
            association: format!("max_associations = {max_associations}\nthreshold_messages = 1\n"),
            ..Plan::default()
        };
        let Pair { a, b } = plan.start();
        std::thread::scope(|scope| {
            scope.spawn(|| submit_all(&a, ANNA, OPERATIONS));
            scope.spawn(|| submit_all(&b, OPERATIONS, ANNA));
        });
        for (site, mailbox) in [(&a, ANNA), (&b, OPERATIONS)] {
            wait_for(&format!("all messages and reports at {}", site.name), || {
                (site.mailbox_size(mailbox) >= 2 * MESSAGES as u64).then_some(())
            });
            site.wait_until_empty();
            assert_eq!(site.mailbox_size(mailbox), 2 * MESSAGES as u64);
            assert_eq!(site.subjects(mailbox).len(), MESSAGES);
            for trouble in ["internal-error", "transfer-failed", "association-ended-abnormally"] {
                assert_eq!(site.logged(trouble), 0, "{trouble} with up to {max_associations} associations");
            }
        }
    }
}
