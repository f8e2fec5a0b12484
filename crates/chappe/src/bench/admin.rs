//! What relaying loses while consoles look on: a long queue waits for a dead peer, and mail for others is relayed by turns
//! without anybody looking and with many who do what the console does.
//!
//! A console holds one live stream and reads it, and fetches the page of messages that it shows again as often as the console
//! does when a queue changes all the time. Each run is beside one of the other kind, in one MTA process on one store.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::fill::fill;
use super::peer::PASSWORD;
use super::process::{MtaProcess, ask, free_address, get};
use super::timed::{Load, Run, Times, sink};
use super::{AdminArgs, BenchError, io, middle};

/// Between two looks of a console at its page: as in `console/fetched.js`.
const LOOKS: Duration = Duration::from_millis(1_500);
/// What the pages ask for, by turns. Most of them ask for nothing: they live on the stream.
const PAGES: [&str; 4] = [
    "/api/v1/messages?queue=dead&limit=50",
    "/api/v1/queues",
    "/api/v1/messages?limit=50",
    "/api/v1/connectors",
];
/// How long anything of the API may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is asked for.
const LEAST_THROUGHPUT: f64 = 0.95;

#[derive(Debug, Serialize)]
struct Figures {
    clients: u32,
    queued: u64,
    alone: Run,
    watched: Run,
    throughput_ratio: f64,
    p99_ratio: f64,
    pages_per_second: f64,
    stream_octets_per_second: f64,
}

pub(super) fn run(args: &AdminArgs) -> Result<(), BenchError> {
    let temporary = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = temporary.map_err(io("make a temporary directory"))?;
    let data = dir.path().join("data");
    fill(&data, args.queued, args.size, |_| ("dead".to_owned(), "DEAD".to_owned()))?;
    // One run before those that count, since a process that has just started is slower.
    let (fast, paced) = (args.messages, args.messages / 2);
    let runs = 1 + 2 * u64::from(args.rounds);
    let times = Arc::new(Times::new(runs * (fast + paced)));
    let host = sink("SINK", Arc::clone(&times))?;
    let (p1, api) = (free_address()?, free_address()?);
    let _mta = MtaProcess::start(dir.path(), &configuration(&data, p1, api, host), p1)?;
    until_counted(api)?;

    let load = Load { p1, size: args.size, times, fast, paced };
    let mut next = 0;
    let mut run = |pace| {
        let first = next;
        next += fast + paced;
        load.run(first, pace, |_| "SINK".to_owned())
    };
    let mut pace = run(None)?.per_second;
    let (mut alone, mut watched, mut looks) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..args.rounds {
        // What the machine does besides changes with time, so the two take turns in being first.
        for is_watched in if round % 2 == 0 { [false, true] } else { [true, false] } {
            if is_watched {
                let consoles = Consoles::start(api, args.clients)?;
                watched.push(run(Some(pace))?);
                looks.push(consoles.stop()?);
            } else {
                alone.push(run(Some(pace))?);
                pace = middle(alone.iter().map(|run| run.per_second));
            }
        }
    }
    let figures = Figures {
        clients: args.clients,
        queued: args.queued,
        alone: Run::median(&alone),
        watched: Run::median(&watched),
        throughput_ratio: Run::ratio(&watched, &alone, |run| run.per_second),
        p99_ratio: Run::ratio(&watched, &alone, |run| run.p99_ms),
        pages_per_second: middle(looks.iter().map(|looks| looks.pages)),
        stream_octets_per_second: middle(looks.iter().map(|looks| looks.octets)),
    };
    print(args, &figures);
    Ok(())
}

fn print(args: &AdminArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!("admin: {} consoles, {} messages queued for a dead peer", figures.clients, figures.queued);
    figures.alone.print("nobody looks");
    figures.watched.print("consoles look");
    println!(
        "  consoles         {:>10.1} pages/s, {:.0} octets/s of streams",
        figures.pages_per_second, figures.stream_octets_per_second
    );
    let verdict = if figures.throughput_ratio >= LEAST_THROUGHPUT { "met" } else { "NOT met" };
    println!(
        "  ratio            {:>10.2} of the throughput (at least {LEAST_THROUGHPUT}: {verdict}), {:.2} of p99",
        figures.throughput_ratio, figures.p99_ratio
    );
}

/// Those who look on.
struct Consoles {
    start: Instant,
    ended: Arc<AtomicBool>,
    octets: Arc<AtomicU64>,
    threads: Vec<JoinHandle<std::io::Result<u64>>>,
}

/// What they have seen in a second.
struct Looks {
    pages: f64,
    octets: f64,
}

impl Consoles {
    /// Starts so many; each has its stream before this returns.
    fn start(api: SocketAddr, clients: u32) -> Result<Consoles, BenchError> {
        let consoles = Consoles {
            start: Instant::now(),
            ended: Arc::default(),
            octets: Arc::default(),
            threads: Vec::new(),
        };
        (0..clients).try_fold(consoles, |mut consoles, client| {
            let stream = ask(api, "/api/v1/stream").map_err(io("open a live stream"))?;
            let (ended, octets) = (Arc::clone(&consoles.ended), Arc::clone(&consoles.octets));
            thread::spawn(move || read_stream(stream, &ended, &octets));
            let ended = Arc::clone(&consoles.ended);
            // Not all at the same moment.
            let offset = LOOKS * client / clients;
            consoles.threads.push(thread::spawn(move || look(api, client as usize, offset, &ended)));
            Ok(consoles)
        })
    }

    /// Ends them.
    fn stop(self) -> Result<Looks, BenchError> {
        self.ended.store(true, Ordering::Relaxed);
        let seconds = self.start.elapsed().as_secs_f64();
        let mut pages = 0;
        for thread in self.threads {
            let looked = thread.join().map_err(|_| BenchError::Mta("a console panicked".to_owned()))?;
            pages += looked.map_err(io("look at a page"))?;
        }
        let octets = self.octets.load(Ordering::Relaxed) as f64;
        Ok(Looks { pages: pages as f64 / seconds, octets: octets / seconds })
    }
}

/// Reads a stream until it is told to end; frames come each second.
fn read_stream(mut stream: TcpStream, ended: &AtomicBool, octets: &AtomicU64) {
    let mut piece = [0; 16 << 10];
    while !ended.load(Ordering::Relaxed) {
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => octets.fetch_add(length as u64, Ordering::Relaxed),
            Ok(_) | Err(_) => return,
        };
    }
}

/// Looks at pages until it is told to end; gives how many.
fn look(api: SocketAddr, client: usize, offset: Duration, ended: &AtomicBool) -> std::io::Result<u64> {
    thread::sleep(offset);
    let mut pages = 0;
    for page in PAGES.iter().cycle().skip(client) {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let answer = get(api, page)?;
        if !answer.starts_with("HTTP/1.1 200") {
            let head = answer.lines().next().unwrap_or_default();
            return Err(std::io::Error::other(format!("{page}: {head}")));
        }
        pages += 1;
        thread::sleep(LOOKS);
    }
    Ok(pages)
}

/// Waits until what was in the store is counted, which the load would otherwise share the disk with.
fn until_counted(api: SocketAddr) -> Result<(), BenchError> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if get(api, "/api/v1/status").is_ok_and(|answer| answer.contains("\"counting\":false")) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(BenchError::Mta("its queues are not counted".to_owned()))
}

fn configuration(data: &Path, p1: SocketAddr, api: SocketAddr, sink: SocketAddr) -> String {
    let mut text = format!(
        "[mta]\nname = \"MTA\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"BENCH\" }}\ndata_dir = {data:?}\n\
         [listen]\np1 = [\"{p1}\"]\napi = \"{api}\"\n\
         [[connector]]\nname = \"generator\"\nremote_mta = \"GENERATOR\"\nremote_password = \"{PASSWORD}\"\n\
         activation = \"never\"\nrelay_to = [\"*\"]\naddress_space = [{{ address = \"P=GENERATOR;A= ;C=GB\" }}]\n\
         [connector.association]\nmax_associations = 50\n"
    );
    let dead = SocketAddr::from(([127, 0, 0, 1], 1));
    for (name, mta, host) in [("dead", "DEAD", dead), ("sink", "SINK", sink)] {
        text += &format!(
            "[[connector]]\nname = \"{name}\"\nremote_mta = \"{mta}\"\nremote_password = \"{PASSWORD}\"\n\
             hosts = [\"{host}\"]\naddress_space = [{{ address = \"P={mta};A= ;C=GB\", cost = 1 }}]\n"
        );
    }
    text
}
