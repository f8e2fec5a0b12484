//! A seed decides everything: the same seed is the same run, octet for octet and microsecond for microsecond.

use sim::{Scenario, run};

#[test]
fn a_seed_replays_exactly() {
    for scenario in Scenario::ALL {
        for seed in 7..10 {
            let [first, second] = [(); 2].map(|()| run(scenario, seed, None, false));
            assert_eq!(first.digest, second.digest, "{scenario} seed {seed}");
            assert_eq!(first.violations, second.violations, "{scenario} seed {seed}");
        }
    }
}

#[test]
fn other_seeds_are_other_runs() {
    for scenario in Scenario::ALL {
        assert_ne!(run(scenario, 7, None, false).digest, run(scenario, 8, None, false).digest, "{scenario}");
    }
}
