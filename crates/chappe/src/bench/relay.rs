//! Generator → MTA → sink. The MTA is durable as always; nothing is switched off for the measurement.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::flow::{self, Arrived};
use super::peer::{self, PASSWORD, Peer, Template};
use super::process::{MtaProcess, free_address};
use super::{BenchError, RelayArgs, io, middle, store};

/// Commits and transfers without an MTA of which each time the median is taken, as many as so many octets allow.
const SAMPLES: usize = 200;
const SAMPLE_OCTETS: usize = 64 << 20;
/// What is asked for: of processor time, of the store's rate, and of a single association's time.
const MOST_CPU_MS: f64 = 0.25;
const LEAST_OF_SPOOL: f64 = 0.5;
const MOST_OF_LEAST: f64 = 2.0;

/// The figures of one run.
#[derive(Debug, Serialize)]
struct Figures {
    messages: u64,
    size_octets: usize,
    associations: u32,
    seconds: f64,
    accepted_per_second: f64,
    relayed_per_second: f64,
    cpu_ms_per_message: f64,
    idle_memory_kib: u64,
    peak_memory_kib: u64,
    spool_per_second: f64,
    ratio_to_spool: f64,
    commit_ms: f64,
    round_trip_ms: f64,
    /// Time between two accepted messages of one association, as a ratio to one commit and one round trip.
    ratio_to_commit_and_round_trip: f64,
}

pub(super) fn run(args: &RelayArgs) -> Result<(), BenchError> {
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).map_err(io("make the directory"))?;
    let arrived = Arc::new(Arrived::default());
    let sink = {
        let arrived = Arc::clone(&arrived);
        flow::sink("SINK", move || {
            arrived.add();
        })?
    };
    let mut least = Least::default();
    least.measure(&dir.join("commits-before"), args.size, sink)?;
    let before = arrived.count();
    let address = free_address()?;
    let mta = MtaProcess::start(&dir, &configuration(args, &dir, address, sink)?, address)?;

    let idle_memory = mta.resident_kib()?;
    let cpu_before = mta.cpu()?;
    let template =
        Arc::new(Template::new(args.size).map_err(|error| BenchError::Association(error.to_string()))?);
    let start = Instant::now();
    let accepted =
        flow::generate(
            address,
            args.associations,
            args.messages,
            move |number| Ok(template.message(number)),
        )?;
    arrived.wait(before + args.messages)?;
    let took = start.elapsed();
    let cpu = mta.cpu()?.saturating_sub(cpu_before);
    let memory = mta.memory_kib()?;
    drop(mta);
    least.measure(&dir.join("commits-after"), args.size, sink)?;

    let spool =
        store::measure(&dir.join("spool-alone"), args.messages, args.size, args.associations as usize)?;
    let relayed = per_second(args.messages, took);
    let figures = Figures {
        messages: args.messages,
        size_octets: args.size,
        associations: args.associations,
        seconds: took.as_secs_f64(),
        accepted_per_second: per_second(args.messages, accepted),
        relayed_per_second: relayed,
        cpu_ms_per_message: cpu.as_secs_f64() * 1_000.0 / args.messages as f64,
        idle_memory_kib: idle_memory,
        peak_memory_kib: memory,
        spool_per_second: spool,
        ratio_to_spool: relayed / spool,
        commit_ms: least.commit_ms(),
        round_trip_ms: least.round_trip_ms(),
        ratio_to_commit_and_round_trip: accepted.as_secs_f64() * 1_000.0 * f64::from(args.associations)
            / args.messages as f64
            / (least.commit_ms() + least.round_trip_ms()),
    };
    print(args, &figures);
    Ok(())
}

fn print(args: &RelayArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!(
        "relay: {} messages of {} octets over {} associations in {:.2} s",
        figures.messages, figures.size_octets, figures.associations, figures.seconds
    );
    println!("  accepted        {:>10.0} messages/s", figures.accepted_per_second);
    println!("  relayed         {:>10.0} messages/s", figures.relayed_per_second);
    println!(
        "  CPU             {:>10.3} ms/message (MTA process only; at most {MOST_CPU_MS} at 2 KB: {})",
        figures.cpu_ms_per_message,
        verdict(figures.cpu_ms_per_message <= MOST_CPU_MS)
    );
    println!(
        "  peak memory     {:>10} KiB, {} KiB above what it has when idle",
        figures.peak_memory_kib,
        figures.peak_memory_kib.saturating_sub(figures.idle_memory_kib)
    );
    println!(
        "  spool alone     {:>10.0} messages/s (enqueue + read + delete, same machine, same run)",
        figures.spool_per_second
    );
    println!(
        "  ratio           {:>10.2} of the spool alone (at least {LEAST_OF_SPOOL}: {})",
        figures.ratio_to_spool,
        verdict(figures.ratio_to_spool >= LEAST_OF_SPOOL)
    );
    println!(
        "  one commit      {:>10.3} ms, one round trip {:.3} ms (a transfer to the sink without an MTA)",
        figures.commit_ms, figures.round_trip_ms
    );
    let wanted = if args.associations == 1 {
        let met = verdict(figures.ratio_to_commit_and_round_trip <= MOST_OF_LEAST);
        format!(" (at most {MOST_OF_LEAST}: {met})")
    } else {
        String::new()
    };
    println!(
        "  one transfer    {:>10.2} of the time of both{wanted}",
        figures.ratio_to_commit_and_round_trip
    );
}

fn verdict(good: bool) -> &'static str {
    if good { "met" } else { "NOT met" }
}

/// What a transfer can't do without: one commit of the store, and the way to the other side and back.
#[derive(Default)]
struct Least {
    commits: Vec<Duration>,
    round_trips: Vec<Duration>,
}

impl Least {
    fn measure(&mut self, dir: &Path, size: usize, sink: SocketAddr) -> Result<(), BenchError> {
        let samples = (SAMPLE_OCTETS / size.max(1)).clamp(1, SAMPLES);
        self.commits.extend(store::commits(dir, size, samples)?);
        let mut peer = Peer::connect(sink, &flow::name("RELAY")?, flow::stack())?;
        let apdu = peer::message(0, size).map_err(|error| BenchError::Association(error.to_string()))?;
        for _ in 0..samples {
            let start = Instant::now();
            peer.transfer(&apdu)?;
            self.round_trips.push(start.elapsed());
        }
        peer.close()
    }

    fn commit_ms(&self) -> f64 {
        middle(self.commits.iter().map(|time| time.as_secs_f64() * 1_000.0))
    }

    fn round_trip_ms(&self) -> f64 {
        middle(self.round_trips.iter().map(|time| time.as_secs_f64() * 1_000.0))
    }
}

fn per_second(messages: u64, took: Duration) -> f64 {
    messages as f64 / took.as_secs_f64()
}

fn configuration(
    args: &RelayArgs,
    dir: &Path,
    mta: SocketAddr,
    sink: SocketAddr,
) -> Result<String, BenchError> {
    let api = free_address()?;
    let data = dir.join("data");
    // One association is kept for urgent messages, so one more than the generator has is configured.
    let associations = args.associations + 1;
    Ok(format!(
        r#"
[mta]
name = "RELAY"
password = "{PASSWORD}"
domain = {{ country = "GB", admd = " ", prmd = "RELAY" }}
data_dir = "{}"
local = ["P=RELAY;A= ;C=GB"]

[listen]
p1 = ["{mta}"]
api = "{api}"

[[connector]]
name = "generator"
remote_mta = "GENERATOR"
remote_password = "{PASSWORD}"
hosts = ["127.0.0.1:1"]
address_space = [{{ address = "P=GENERATOR;A= ;C=GB", cost = 1 }}]
relay_to = ["sink"]
[connector.association]
max_associations = {associations}

[[connector]]
name = "sink"
remote_mta = "SINK"
remote_password = "{PASSWORD}"
hosts = ["{sink}"]
address_space = [{{ address = "P=SINK;A= ;C=GB", cost = 1 }}]
[connector.association]
threshold_messages = 1
max_associations = {associations}
"#,
        data.display()
    ))
}
