//! Runs one scenario with one seed, on a runtime of its own whose clock stands still until everybody waits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic;
use std::sync::{Arc, Once};

use crate::digest::Digest;
use crate::network::{Network, Sabotage};
use crate::random::Random;
use crate::scenario::{Control, Scenario, Stage};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that was wrong.
    pub violations: Vec<String>,
    /// The digest of everything that happened.
    pub digest: u64,
    /// Messages whose submission was confirmed.
    pub messages: usize,
    /// Virtual seconds.
    pub seconds: u64,
    /// Octets carried by the network.
    pub octets: u64,
    /// Connections that were tried.
    pub connections: u64,
    /// Virtual seconds from the end of the faults until everything had drained.
    pub drained_in: u64,
    /// Attempts to connect that failed, where a scenario counts them.
    pub failed: u64,
    /// Resident memory after each tenth of these, in KB, if it was asked for so many.
    pub memory_kb: Vec<u64>,
    /// How often MTAs have told of what.
    pub told: BTreeMap<String, u64>,
}

thread_local! {
    /// Panics on this thread: those of tasks are swallowed by the runtime.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Runs `scenario` with `seed`. With a `control`, the harness does something wrong, which must be noticed. With
/// `trace` what happens on the network is printed.
pub fn run(scenario: Scenario, seed: u64, control: Option<Control>, trace: bool) -> Outcome {
    run_series(scenario, seed, control, trace, None)
}

/// The same; with `attempts`, S1 goes on until so many attempts to connect have failed, all in one series.
pub fn run_series(
    scenario: Scenario,
    seed: u64,
    control: Option<Control>,
    trace: bool,
    attempts: Option<u64>,
) -> Outcome {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let inner = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.with(|panics| panics.set(panics.get() + 1));
            inner(info);
        }));
    });
    PANICS.with(|panics| panics.set(0));
    let built = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = built else { return failed("the runtime did not start") };
    let mut outcome = runtime.block_on(async {
        let random = Random::new(seed ^ scenario.salt());
        let digest = Arc::new(Digest::new(trace));
        let sabotage = Sabotage {
            leak: control == Some(Control::Leak),
            blocking: control == Some(Control::Blocking),
            again: control == Some(Control::Loop),
        };
        let network = Network::new(random.split(), Arc::clone(&digest), sabotage);
        let mut stage = Stage::new(network.clone(), random, Arc::clone(&digest), control);
        stage.attempts = attempts;
        scenario.play(&mut stage).await;
        let books = stage.books();
        digest.octets(books.as_bytes());
        Outcome {
            messages: stage.accepted(),
            seconds: network.elapsed().as_secs(),
            octets: network.carried(),
            connections: network.connections(),
            drained_in: stage.drained_in.as_secs(),
            failed: stage.failed,
            memory_kb: stage.memory_kb,
            told: network.told(),
            violations: stage.found,
            digest: digest.value(),
        }
    });
    let panics = PANICS.with(Cell::get);
    if panics > 0 {
        outcome.violations.push(format!("{panics} tasks panicked"));
    }
    outcome
}

fn failed(why: &str) -> Outcome {
    Outcome {
        violations: vec![why.to_owned()],
        digest: 0,
        messages: 0,
        seconds: 0,
        octets: 0,
        connections: 0,
        drained_in: 0,
        failed: 0,
        memory_kb: Vec::new(),
        told: BTreeMap::new(),
    }
}
