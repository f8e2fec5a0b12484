//! Many connectors, some of them dead: what the others are slowed down by, against a run in which all are healthy.
//!
//! In both runs the same connectors are configured and the same ones are given the load that is measured. Those that are dead
//! in the one run are healthy in the other, where what was queued for them has gone before anything is measured.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::dead::{DeadPeer, Failing};
use super::peer::PASSWORD;
use super::process::{MtaProcess, free_address};
use super::timed::{Load, Run, Times, generate, sink};
use super::{BenchError, IsolationArgs, io};
use crate::cli::failure::Failure;
use crate::client::Client;
use crate::descriptors;
use crate::model::Status;

/// Ways to be dead, in turn: four of ten swallow SYNs, four accept and are silent.
const DEAD: [Failing; 10] = [
    Failing::Swallowed,
    Failing::Silent,
    Failing::Swallowed,
    Failing::Silent,
    Failing::SlowReader,
    Failing::Swallowed,
    Failing::Silent,
    Failing::OneOctet,
    Failing::Swallowed,
    Failing::Silent,
];
/// Octets of content.
const SIZE: usize = 2_048;
/// A minute without a single message means that the MTA is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// What is asked for.
const LEAST_THROUGHPUT: f64 = 0.95;
const MOST_LATENCY: f64 = 1.25;

/// One number of dead connectors.
#[derive(Debug, Serialize)]
struct Figures {
    connectors: u32,
    dead: u32,
    all_healthy: Run,
    beside_dead: Run,
    throughput_ratio: f64,
    p99_ratio: f64,
}

pub(super) fn run(args: &IsolationArgs) -> Result<(), BenchError> {
    descriptors::provide(8_192).map_err(BenchError::Descriptors)?;
    let dead = if args.dead.is_empty() { vec![1, 100, 199] } else { args.dead.clone() };
    for dead in dead {
        let healthy = args.connectors.checked_sub(dead).filter(|healthy| *healthy > 0);
        let healthy = healthy.ok_or_else(|| {
            BenchError::Mta(format!(
                "{dead} of {} connectors can't be dead: one has to live",
                args.connectors
            ))
        })?;
        let mut runs = (Vec::new(), Vec::new());
        for round in 0..args.rounds {
            // What the machine does besides changes with time, so the two take turns in being first.
            let order = if round % 2 == 0 { [false, true] } else { [true, false] };
            let mut pace = None;
            for are_dead in order {
                let run = one_run(args, healthy, dead, are_dead, pace)?;
                pace = Some(run.per_second);
                if are_dead { runs.1.push(run) } else { runs.0.push(run) }
            }
        }
        let (all_healthy, beside_dead) = (Run::median(&runs.0), Run::median(&runs.1));
        let figures = Figures {
            connectors: args.connectors,
            dead,
            all_healthy,
            beside_dead,
            throughput_ratio: Run::ratio(&runs.1, &runs.0, |run| run.per_second),
            p99_ratio: Run::ratio(&runs.1, &runs.0, |run| run.p99_ms),
        };
        print(args, &figures);
    }
    Ok(())
}

fn print(args: &IsolationArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!("isolation: {} of {} connectors dead", figures.dead, figures.connectors);
    figures.all_healthy.print("all healthy");
    figures.beside_dead.print("beside the dead");
    let verdict = |good: bool| if good { "met" } else { "NOT met" };
    println!(
        "  ratio            {:>10.2} of the throughput (at least {LEAST_THROUGHPUT}: {}), {:.2} of p99 (at most \
         {MOST_LATENCY}: {})",
        figures.throughput_ratio,
        verdict(figures.throughput_ratio >= LEAST_THROUGHPUT),
        figures.p99_ratio,
        verdict(figures.p99_ratio <= MOST_LATENCY)
    );
}

fn one_run(
    args: &IsolationArgs,
    healthy: u32,
    others: u32,
    are_dead: bool,
    pace: Option<f64>,
) -> Result<Run, BenchError> {
    let dir = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let (fast, paced) = (args.messages, args.messages / 2);
    let times = Arc::new(Times::new(fast + paced));
    let mut links = Vec::new();
    for n in 0..healthy {
        let name = healthy_name(n);
        links.push((sink(&name, Arc::clone(&times))?, name));
    }
    let mut dead = Vec::new();
    for (n, how) in (0..others).zip(DEAD.into_iter().cycle()) {
        let name = other_name(n);
        let address = if are_dead {
            let peer = DeadPeer::start(how, &name)?;
            let address = peer.address();
            dead.push(peer);
            address
        } else {
            sink(&name, Arc::clone(&times))?
        };
        links.push((address, name));
    }
    // After all the others, or one of them could take what is free now.
    let (p1, api) = (free_address()?, free_address()?);
    let _mta = MtaProcess::start(dir.path(), &configuration(dir.path(), p1, api, &links), p1)?;

    // The queues of the dead are full before anything is measured, those of others are empty; the numbers of what is in them
    // are none of the others'.
    let queued = u64::from(args.queued);
    generate(
        p1,
        u64::from(others) * queued,
        SIZE,
        None,
        move |n| (other_name(u32::try_from(n / queued.max(1)).unwrap_or(0)), u64::MAX - n),
        None,
    )?;
    until_settled(api, u64::from(others) * queued, are_dead)?;
    let to = move |n: u64| healthy_name(u32::try_from(n % u64::from(healthy)).unwrap_or(0));
    let load = Load { p1, size: SIZE, times, fast, paced };
    load.run(0, pace, to)
}

/// Waits until so many messages wait in the queues of connectors, or have gone over them.
fn until_settled(api: SocketAddr, messages: u64, wait_for_good: bool) -> Result<(), BenchError> {
    let asked = |failure: Failure| BenchError::Mta(failure.to_string());
    let api = Client::new(&format!("http://{api}"), None, None).map_err(asked)?;
    let (mut last, mut since) = (u64::MAX, Instant::now());
    loop {
        let status = api.get::<Status>("/api/v1/status", &[]).map_err(asked)?;
        let transferred = status.info.counters.get("transferred_out").copied().unwrap_or(0);
        // What is being counted is not settled yet.
        let settled = if wait_for_good { status.queued.unwrap_or(0) } else { transferred };
        if settled == messages {
            return Ok(());
        }
        if settled != last {
            (last, since) = (settled, Instant::now());
        }
        if since.elapsed() >= STUCK {
            return Err(BenchError::Mta(format!("{settled} messages are where {messages} should be")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn healthy_name(number: u32) -> String {
    format!("WELL{number}")
}

fn other_name(number: u32) -> String {
    format!("OTHER{number}")
}

fn configuration(dir: &Path, p1: SocketAddr, api: SocketAddr, links: &[(SocketAddr, String)]) -> String {
    let data = dir.join("data");
    // Times so short that the dead are tried again and again while the others are measured.
    let mut text = format!(
        "[mta]\nname = \"MTA\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"BENCH\" }}\ndata_dir = {data:?}\n\
         [listen]\np1 = [\"{p1}\"]\napi = \"{api}\"\n\
         [limits]\nbind_timeout_s = 4\nconnect_timeout_s = 2\nmax_associations = 4000\n\
         [[connector]]\nname = \"generator\"\nremote_mta = \"GENERATOR\"\nremote_password = \"{PASSWORD}\"\n\
         activation = \"never\"\nrelay_to = [\"*\"]\naddress_space = [{{ address = \"P=GENERATOR;A= ;C=GB\" }}]\n\
         [connector.association]\nmax_associations = 50\n"
    );
    for (host, name) in links {
        text += &format!(
            "[[connector]]\nname = \"{name}\"\nremote_mta = \"{name}\"\nremote_password = \"{PASSWORD}\"\n\
             hosts = [\"{host}\"]\naddress_space = [{{ address = \"P={name};A= ;C=GB\", cost = 1 }}]\n\
             [connector.retry]\nopen_interval_s = 1\n"
        );
    }
    text
}
