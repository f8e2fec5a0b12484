//! The store alone, beside the least store there could be and what the disk does: the limit of what stands above it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use spool::{Batch, EmbeddedSpool, Options, Space, Spool, Throughput};

use super::plain_log::PlainLog;
use super::{BenchError, SpoolArgs, io, middle};

/// How long the disk alone is measured in each round.
const RAW_TIME: Duration = Duration::from_millis(500);
/// Octets appended before each synchronization of that.
const RAW_OCTETS: usize = 4_096;
/// Share of the plain log's rate that is asked for.
const LEAST_OF_LOG: f64 = 0.70;

/// One round: the three by turns.
#[derive(Clone, Copy, Debug, Serialize)]
struct Round {
    fdatasync_per_second: f64,
    log_per_second: f64,
    spool_per_second: f64,
    spool_to_log: f64,
    log_syncs: u64,
    spool_syncs: u64,
    spool_store_median_ms: f64,
    spool_store_p99_ms: f64,
}

pub(super) fn run(args: &SpoolArgs) -> Result<(), BenchError> {
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).map_err(io("make the directory"))?;
    let mut rounds = Vec::new();
    for number in 0..args.rounds {
        let at = tempfile::tempdir_in(&dir).map_err(io("make a temporary directory"))?;
        let raw = fdatasync_per_second(at.path())?;
        // What the machine does besides changes with time, so the two take turns in being first.
        let (log, spool) = if number % 2 == 0 {
            let log = measure_log(args, at.path())?;
            (log, measure_spool(args, at.path())?)
        } else {
            let spool = measure_spool(args, at.path())?;
            (measure_log(args, at.path())?, spool)
        };
        rounds.push(Round {
            fdatasync_per_second: raw,
            log_per_second: log.messages_per_second(),
            spool_per_second: spool.messages_per_second(),
            spool_to_log: spool.messages_per_second() / log.messages_per_second(),
            log_syncs: log.syncs,
            spool_syncs: spool.syncs,
            spool_store_median_ms: spool.store_median.as_secs_f64() * 1_000.0,
            spool_store_p99_ms: spool.store_p99.as_secs_f64() * 1_000.0,
        });
    }
    print(args, &rounds);
    Ok(())
}

fn print(args: &SpoolArgs, rounds: &[Round]) {
    let of = |value: fn(&Round) -> f64| middle(rounds.iter().map(value));
    let (raw, log, spool) =
        (of(|r| r.fdatasync_per_second), of(|r| r.log_per_second), of(|r| r.spool_per_second));
    let ratio = of(|r| r.spool_to_log);
    if args.json {
        let figures = serde_json::json!({
            "messages": args.messages, "size_octets": args.size, "producers": args.producers,
            "consumers": consumers(args.producers), "fdatasync_per_second": raw, "log_per_second": log,
            "messages_per_second": spool, "spool_to_log": ratio, "rounds": rounds,
        });
        println!("{figures}");
        return;
    }
    println!(
        "spool: {} messages of {} octets, {} producers, {} consumers; enqueue + read + delete; median of {} rounds",
        args.messages,
        args.size,
        args.producers,
        consumers(args.producers),
        rounds.len()
    );
    println!(
        "  the disk        {raw:>10.0} times/s {RAW_OCTETS} octets appended and forced to it, one at a time"
    );
    let (log_syncs, spool_syncs) = (of(|r| r.log_syncs as f64), of(|r| r.spool_syncs as f64));
    let sharing = |syncs: f64| 2.0 * args.messages as f64 / syncs.max(1.0);
    println!(
        "  a plain log     {log:>10.0} messages/s, {:.1} steps for each synchronization",
        sharing(log_syncs)
    );
    println!(
        "  the spool       {spool:>10.0} messages/s, {:.1} steps for each synchronization",
        sharing(spool_syncs)
    );
    println!(
        "  stored in       {:>10.2} ms half of them, {:.2} ms 99 of 100",
        of(|r| r.spool_store_median_ms),
        of(|r| r.spool_store_p99_ms)
    );
    let verdict = if ratio >= LEAST_OF_LOG { "met" } else { "NOT met" };
    println!(
        "  ratio           {ratio:>10.2} of the plain log (at least {LEAST_OF_LOG:.2} at 64 producers: {verdict})"
    );
}

fn measure_log(args: &SpoolArgs, dir: &Path) -> Result<Throughput, BenchError> {
    let log = PlainLog::create(&dir.join("log")).map_err(io("make a plain log"))?;
    spool::measure(&log, args.producers, consumers(args.producers), args.size, args.messages)
        .map_err(|error| BenchError::Spool(error.to_string()))
}

fn measure_spool(args: &SpoolArgs, dir: &Path) -> Result<Throughput, BenchError> {
    throughput(&dir.join("spool"), args.messages, args.size, args.producers)
}

/// Messages a second through a fresh store in `dir`.
pub(super) fn measure(dir: &Path, messages: u64, size: usize, producers: usize) -> Result<f64, BenchError> {
    throughput(dir, messages, size, producers).map(|found| found.messages_per_second())
}

fn throughput(dir: &Path, messages: u64, size: usize, producers: usize) -> Result<Throughput, BenchError> {
    let spool = open(dir)?;
    spool::measure(&spool, producers, consumers(producers), size, messages)
        .map_err(|error| BenchError::Spool(error.to_string()))
}

/// How long each of `count` commits takes that store one message, one after the other, in a fresh store in `dir`.
pub(super) fn commits(dir: &Path, size: usize, count: usize) -> Result<Vec<Duration>, BenchError> {
    let spool = open(dir)?;
    let payload = vec![b'x'; size];
    (0..count)
        .map(|number| {
            let start = Instant::now();
            let mut writer = spool.begin_body().map_err(|error| BenchError::Spool(error.to_string()))?;
            writer.write(&payload).map_err(|error| BenchError::Spool(error.to_string()))?;
            let mut batch = Batch::default();
            batch.link_body(writer.finish().map_err(|error| BenchError::Spool(error.to_string()))?);
            batch.put(Space(0), number.to_be_bytes(), [0; 128]);
            spool.commit(batch).wait().map_err(|error| BenchError::Spool(error.to_string()))?;
            Ok(start.elapsed())
        })
        .collect()
}

/// How often a second the disk takes a page at the end of a file for good.
fn fdatasync_per_second(dir: &Path) -> Result<f64, BenchError> {
    let mut file =
        OpenOptions::new().append(true).create_new(true).open(dir.join("raw")).map_err(io("make a file"))?;
    let (start, mut times) = (Instant::now(), 0_u32);
    while start.elapsed() < RAW_TIME {
        file.write_all(&[b'x'; RAW_OCTETS]).map_err(io("append to a file"))?;
        file.sync_data().map_err(io("force a file to the disk"))?;
        times += 1;
    }
    Ok(f64::from(times) / start.elapsed().as_secs_f64())
}

fn open(dir: &Path) -> Result<EmbeddedSpool, BenchError> {
    EmbeddedSpool::open(dir, Options::default()).map_err(|error| BenchError::Spool(error.to_string()))
}

fn consumers(producers: usize) -> usize {
    (producers / 2).max(1)
}
