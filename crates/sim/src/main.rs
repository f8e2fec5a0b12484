//! `sim`: runs scenarios with seeds. The last line counts the violations.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use sim::{Control, Outcome, Scenario, run_series};

/// Real time after which a run counts as one that never ends.
const ENDLESS: Duration = Duration::from_secs(300);
/// The same for one with a given number of attempts.
const ENDLESS_SERIES: Duration = Duration::from_secs(6 * 3_600);

/// Plays scenarios on simulated networks; every run is decided by its seed and can be repeated.
#[derive(Debug, Parser)]
#[command(name = "sim", after_help = "Example: sim --scenario s4 --seeds 100 --start 1")]
struct Arguments {
    /// s1, s2, s3, s4, s5 or all.
    #[arg(long, default_value = "all")]
    scenario: String,
    /// Runs of each scenario.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// S1 alone: go on in one series until so many attempts to connect have failed.
    #[arg(long)]
    attempts: Option<u64>,
    /// Do something wrong in the harness, to see that it is noticed: leak, blocking, loop, lost-resume or private.
    #[arg(long)]
    control: Option<Control>,
    /// Print what happens on the network.
    #[arg(long)]
    trace: bool,
    /// Print every run.
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let scenarios = match arguments.scenario.as_str() {
        "all" => Scenario::ALL.to_vec(),
        one => match one.parse() {
            Ok(scenario) => vec![scenario],
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        },
    };
    let mut violations = 0;
    let mut totals = Totals::default();
    for &scenario in &scenarios {
        for seed in arguments.start..arguments.start.saturating_add(arguments.seeds) {
            let begin = Instant::now();
            let outcome = bounded(scenario, seed, &arguments);
            totals.add(&outcome);
            if arguments.verbose {
                println!(
                    "{scenario} seed {seed}: digest {:016x}, {} messages, {} connections, {} octets, {} virtual s, \
                     drained in {} s, {:.2} s",
                    outcome.digest,
                    outcome.messages,
                    outcome.connections,
                    outcome.octets,
                    outcome.seconds,
                    outcome.drained_in,
                    begin.elapsed().as_secs_f64()
                );
            }
            if !outcome.memory_kb.is_empty() {
                println!(
                    "{scenario} seed {seed}: {} attempts failed in {} virtual h and {:.0} s; resident after each tenth of \
                     them, KB: {:?}",
                    outcome.failed,
                    outcome.seconds / 3_600,
                    begin.elapsed().as_secs_f64(),
                    outcome.memory_kb
                );
            }
            if outcome.violations.is_empty() {
                continue;
            }
            violations += 1;
            println!("{scenario} seed {seed}: {} violations", outcome.violations.len());
            for violation in &outcome.violations {
                println!("  {violation}");
            }
            let control =
                arguments.control.map(|control| format!(" --control {control}")).unwrap_or_default();
            println!(
                "  replay: cargo run --release -p sim -- --scenario {scenario} --seeds 1 --start {seed}{control}"
            );
        }
    }
    let runs = arguments.seeds.saturating_mul(scenarios.len() as u64);
    if arguments.verbose {
        println!("events: {:?}", totals.told);
    }
    println!(
        "{} messages, {} connections, {} octets, {} virtual hours; slowest drain {} s; digest {:016x}",
        totals.messages,
        totals.connections,
        totals.octets,
        totals.seconds / 3_600,
        totals.slowest_drain,
        totals.digest
    );
    println!("sim: {runs} seeds, {violations} violations");
    if violations > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

#[derive(Default)]
struct Totals {
    messages: u64,
    connections: u64,
    octets: u64,
    seconds: u64,
    slowest_drain: u64,
    digest: u64,
    told: BTreeMap<String, u64>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.messages += outcome.messages as u64;
        self.connections += outcome.connections;
        self.octets += outcome.octets;
        self.seconds += outcome.seconds;
        self.slowest_drain = self.slowest_drain.max(outcome.drained_in);
        self.digest = self.digest.rotate_left(1) ^ outcome.digest;
        for (kind, count) in &outcome.told {
            *self.told.entry(kind.clone()).or_default() += count;
        }
    }
}

/// A run on a thread of its own. One that never ends is a violation that ends the program: nothing can stop it.
fn bounded(scenario: Scenario, seed: u64, arguments: &Arguments) -> Outcome {
    let (control, trace) = (arguments.control, arguments.trace);
    let attempts = arguments.attempts.filter(|_| scenario == Scenario::S1);
    let endless = if attempts.is_some() { ENDLESS_SERIES } else { ENDLESS };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens only when the program has ended.
        let _ = sender.send(run_series(scenario, seed, control, trace, attempts));
    });
    match receiver.recv_timeout(endless) {
        Ok(outcome) => outcome,
        Err(error) => {
            println!("{scenario} seed {seed}: the run did not end: {error}");
            println!(
                "  replay: cargo run --release -p sim -- --scenario {scenario} --seeds 1 --start {seed}"
            );
            println!("sim: 1 seeds, 1 violations");
            std::process::exit(1);
        }
    }
}
