//! A few seeds of each scenario: no violations.

#![allow(clippy::panic, reason = "a panic is how a test fails")]

use sim::{Scenario, run};

fn clean(scenario: Scenario, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let outcome = run(scenario, seed, None, false);
        assert!(
            outcome.violations.is_empty(),
            "replay: cargo run --release -p sim -- --scenario {scenario} --seeds 1 --start {seed}\n{:#?}",
            outcome.violations
        );
        assert!(outcome.messages > 0, "{scenario} seed {seed} has sent nothing");
        assert!(outcome.connections > 0, "{scenario} seed {seed} has connected nothing");
    }
}

#[test]
fn s1_peers_that_fail_in_every_way_use_nothing_up() {
    clean(Scenario::S1, 100..110);
}

#[test]
fn s2_dead_peers_never_slow_another() {
    clean(Scenario::S2, 100..108);
}

#[test]
fn s3_vanished_connectors_and_stops_in_any_state_hang_nothing() {
    clean(Scenario::S3, 100..115);
}

#[test]
fn s4_networks_that_break_recover_and_nothing_is_lost_or_doubled() {
    clean(Scenario::S4, 100..120);
}

#[test]
fn s5_third_parties_get_standard_p1_and_nothing_else() {
    clean(Scenario::S5, 100..115);
}

/// What has failed went before what had not, again and again.
#[test]
fn s5_what_has_failed_stays_behind() {
    for seed in [400_270, 400_618, 400_957] {
        clean(Scenario::S5, seed..seed + 1);
    }
}
