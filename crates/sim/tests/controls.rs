//! Each check notices what it is there for: the harness does something wrong, and violations must appear.

use sim::{Control, Scenario, run};

/// Whether one of some seeds is found wrong in these words.
fn is_noticed(scenario: Scenario, control: Control, words: &str) -> bool {
    (1..12).any(|seed| run(scenario, seed, Some(control), false).violations.iter().any(|v| v.contains(words)))
}

#[test]
fn a_leaked_connection_is_noticed() {
    assert!(is_noticed(Scenario::S1, Control::Leak, "connections are still open"));
}

#[test]
fn links_that_wait_for_one_another_are_noticed() {
    assert!(is_noticed(Scenario::S2, Control::Blocking, "beside"));
}

#[test]
fn addresses_that_are_tried_again_are_noticed() {
    assert!(is_noticed(Scenario::S3, Control::Loop, "was tried"));
}

#[test]
fn a_disk_that_forgets_is_noticed() {
    assert!(is_noticed(Scenario::S4, Control::LostResume, "lost: message"));
}

#[test]
fn a_private_element_is_noticed() {
    assert!(is_noticed(Scenario::S5, Control::Private, "a third-party MTA got extension"));
}
