//! Starting with a long queue: how soon the service answers, transfers and accepts, and what memory it takes, as ratios to
//! a short queue in the same run.
//!
//! The store is filled directly, with what messages leave there that came over P1: content, queue entry and the digest of
//! the transfer. The MTA then starts on it as a process of its own, and sinks take what comes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::fill::fill;
use super::flow::{self, Arrived, STUCK};
use super::peer::{self, PASSWORD};
use super::process::{MtaProcess, free_address, get};
use super::{BenchError, StartArgs, io};

/// Messages of which the rate of draining is taken.
const DRAINED: u64 = 10_000;
/// Messages of which the rate of accepting is taken, and associations that bring them.
const ACCEPTED: u64 = 4_000;
const GENERATORS: u32 = 8;
/// What is asked for.
const FIRST_TRANSFER: f64 = 5.0;

/// Figures of one queue.
#[derive(Debug, Serialize)]
struct Figures {
    messages: u64,
    connectors: u32,
    fill_seconds: f64,
    store_mib: u64,
    api_ready_seconds: f64,
    first_transfer_seconds: f64,
    drained_messages: u64,
    drained_per_second: f64,
    queue_list_seconds: f64,
    queue_show_seconds: f64,
    counted_seconds: f64,
    accepted_per_second: f64,
    memory_at_first_transfer_kib: u64,
    peak_memory_kib: u64,
}

/// A line of the table: what, its figure, and how many decimals it has.
type Row = (&'static str, fn(&Figures) -> f64, usize);

pub(super) fn run(args: &StartArgs) -> Result<(), BenchError> {
    let short = one_queue(args, args.baseline)?;
    let long = one_queue(args, args.messages)?;
    if args.json {
        let ratios = serde_json::json!({
            "first_transfer": long.first_transfer_seconds / short.first_transfer_seconds,
            "drained_per_second": long.drained_per_second / short.drained_per_second,
            "accepted_per_second": long.accepted_per_second / short.accepted_per_second,
            "peak_memory": long.peak_memory_kib as f64 / short.peak_memory_kib as f64,
        });
        println!("{}", serde_json::json!({ "short": short, "long": long, "ratios": ratios }));
        return Ok(());
    }
    println!(
        "start: {} messages queued for {} connectors, {} octets each",
        args.messages, args.connectors, args.size
    );
    println!("  {:<34} {:>12} {:>12} {:>8}", "queued", short.messages, long.messages, "ratio");
    let rows: [Row; 11] = [
        ("store, MiB", |f| f.store_mib as f64, 0),
        ("API answers after, s", |f| f.api_ready_seconds, 3),
        ("first transfer after, s", |f| f.first_transfer_seconds, 3),
        ("all counted after, s", |f| f.counted_seconds, 3),
        ("drained, messages/s", |f| f.drained_per_second, 0),
        ("accepted, messages/s", |f| f.accepted_per_second, 0),
        ("chappe queue list, s", |f| f.queue_list_seconds, 3),
        ("chappe queue show, s", |f| f.queue_show_seconds, 3),
        ("memory at first transfer, KiB", |f| f.memory_at_first_transfer_kib as f64, 0),
        ("peak memory, KiB", |f| f.peak_memory_kib as f64, 0),
        ("filling the store, s", |f| f.fill_seconds, 1),
    ];
    for (what, of, digits) in rows {
        let (short, long) = (of(&short), of(&long));
        println!("  {what:<34} {short:>12.digits$} {long:>12.digits$} {:>8.2}", long / short);
    }
    let verdict = if long.first_transfer_seconds < FIRST_TRANSFER { "met" } else { "NOT met" };
    println!("  first transfer in less than {FIRST_TRANSFER} s: {verdict}");
    Ok(())
}

fn one_queue(args: &StartArgs, messages: u64) -> Result<Figures, BenchError> {
    let temporary = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = temporary.map_err(io("make a temporary directory"))?;
    let data = dir.path().join("data");
    let began = Instant::now();
    fill(&data, messages, args.size, |number| {
        let to = u32::try_from(number % u64::from(args.connectors)).unwrap_or(0);
        (connector_name(to), sink_name(to))
    })?;
    let fill_seconds = began.elapsed().as_secs_f64();
    let store_mib = size_of(&data) >> 20;

    let (p1, api) = (free_address()?, free_address()?);
    let sinks = Arc::new(Taken::new(messages.min(DRAINED)));
    let hosts = (0..args.connectors).map(|number| {
        let sinks = Arc::clone(&sinks);
        flow::sink(&sink_name(number), move || sinks.took_one())
    });
    let hosts: Vec<SocketAddr> = hosts.collect::<Result<_, _>>()?;
    let text = configuration(&data, p1, api, &hosts);
    let start = sinks.start;
    let offset = start.elapsed();
    let answered = std::thread::spawn(move || first_answer(api, start));
    let mta = MtaProcess::start(dir.path(), &text, p1)?;
    sinks.count.wait(1)?;
    let memory_at_first_transfer_kib = mta.memory_kib()?;
    sinks.count.wait(sinks.wanted)?;
    let ready = answered.join().map_err(|_| BenchError::Mta("its API was not asked".to_owned()))??;
    let address = format!("http://{api}");
    let list = command(&address, &["queue", "list"])?;
    let show = command(&address, &["queue", "show", &connector_name(0)])?;
    let counted = wait_until_counted(api, start)?;
    for number in 0..args.connectors {
        command(&address, &["queue", "freeze", &connector_name(number)])?;
    }
    let accepted_per_second = accept(p1, messages, args)?;
    let (first, last) = (sinks.time(&sinks.first), sinks.time(&sinks.last));
    let peak_memory_kib = mta.memory_kib()?;
    drop(mta);
    Ok(Figures {
        messages,
        connectors: args.connectors,
        fill_seconds,
        store_mib,
        api_ready_seconds: ready.saturating_sub(offset).as_secs_f64(),
        first_transfer_seconds: first.saturating_sub(offset).as_secs_f64(),
        drained_messages: sinks.wanted,
        drained_per_second: sinks.wanted.saturating_sub(1) as f64 / last.saturating_sub(first).as_secs_f64(),
        queue_list_seconds: list.as_secs_f64(),
        queue_show_seconds: show.as_secs_f64(),
        counted_seconds: counted.saturating_sub(offset).as_secs_f64(),
        accepted_per_second,
        memory_at_first_transfer_kib,
        peak_memory_kib,
    })
}

fn size_of(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().map_while(Result::ok);
    let octets = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(octets).sum()
}

/// What has reached the sinks.
struct Taken {
    start: Instant,
    wanted: u64,
    count: Arrived,
    /// When the first and the last wanted one came, in microseconds since the start.
    first: AtomicU64,
    last: AtomicU64,
}

impl Taken {
    fn new(wanted: u64) -> Taken {
        let zero = || AtomicU64::new(0);
        Taken { start: Instant::now(), wanted, count: Arrived::default(), first: zero(), last: zero() }
    }

    fn took_one(&self) {
        let count = self.count.add();
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        if count == 1 {
            self.first.store(now, Ordering::Relaxed);
        }
        if count == self.wanted {
            self.last.store(now, Ordering::Relaxed);
        }
    }

    fn time(&self, when: &AtomicU64) -> Duration {
        Duration::from_micros(when.load(Ordering::Relaxed))
    }
}

/// When the API has first answered.
fn first_answer(api: SocketAddr, start: Instant) -> Result<Duration, BenchError> {
    while start.elapsed() < STUCK {
        if get(api, "/api/v1/status").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return Ok(start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(BenchError::Mta("its API does not answer".to_owned()))
}

/// When nothing is said to be still counted.
fn wait_until_counted(api: SocketAddr, start: Instant) -> Result<Duration, BenchError> {
    while start.elapsed() < STUCK {
        let answer = get(api, "/api/v1/status").map_err(io("ask the API"))?;
        if !answer.contains("\"counting\":true") {
            return Ok(start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(BenchError::Mta("its queues are not counted".to_owned()))
}

/// How long a command of this program takes.
fn command(api: &str, arguments: &[&str]) -> Result<Duration, BenchError> {
    let program = std::env::current_exe().map_err(io("find this program"))?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(["--api", api])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(io("run a command"))?;
    let took = start.elapsed();
    if status.success() {
        Ok(took)
    } else {
        Err(BenchError::Mta(format!("`chappe {}` failed", arguments.join(" "))))
    }
}

/// Messages a second that the MTA accepts; they join the queues.
fn accept(p1: SocketAddr, queued: u64, args: &StartArgs) -> Result<f64, BenchError> {
    let (connectors, size) = (u64::from(args.connectors), args.size);
    let make =
        move |n| peer::message_to(&sink_name(u32::try_from(n % connectors).unwrap_or(0)), queued + n, size);
    Ok(ACCEPTED as f64 / flow::generate(p1, GENERATORS, ACCEPTED, make)?.as_secs_f64())
}

fn connector_name(number: u32) -> String {
    format!("sink{number}")
}

fn sink_name(number: u32) -> String {
    format!("SINK{number}")
}

fn configuration(data: &Path, p1: SocketAddr, api: SocketAddr, hosts: &[SocketAddr]) -> String {
    let mut text = format!(
        "[mta]\nname = \"MTA\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"BENCH\" }}\ndata_dir = {data:?}\n\
         [listen]\np1 = [\"{p1}\"]\napi = \"{api}\"\n\
         [limits]\nmax_associations = 4000\n\
         [[connector]]\nname = \"generator\"\nremote_mta = \"GENERATOR\"\nremote_password = \"{PASSWORD}\"\n\
         activation = \"never\"\nrelay_to = [\"*\"]\naddress_space = [{{ address = \"P=GENERATOR;A= ;C=GB\" }}]\n\
         [connector.association]\nmax_associations = 50\n"
    );
    for (number, host) in (0..).zip(hosts) {
        let (connector, sink) = (connector_name(number), sink_name(number));
        text += &format!(
            "[[connector]]\nname = \"{connector}\"\nremote_mta = \"{sink}\"\nremote_password = \"{PASSWORD}\"\n\
             hosts = [\"{host}\"]\naddress_space = [{{ address = \"P={sink};A= ;C=GB\", cost = 1 }}]\n"
        );
    }
    text
}
