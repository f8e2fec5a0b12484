//! Many connectors, some of them dead: what the others are slowed down by, against a run in which all are healthy.
//!
//! In both runs the same connectors are configured and the same ones are given the load that is measured. Those that are dead
//! in the one run are healthy in the other, where what was queued for them has gone before anything is measured.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mhs::MtaName;
use osi::stack::StackConfig;
use runtime::p1_application;
use serde::Serialize;

use super::dead::{DeadPeer, Failing};
use super::peer::{self, PASSWORD, Peer};
use super::process::{MtaProcess, free_address};
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
/// Associations of the generator.
const GENERATORS: u64 = 8;
/// Octets of content.
const SIZE: usize = 2_048;
/// Share of the throughput at which latencies are measured.
const PACE: f64 = 0.3;
/// A minute without a single message means that the MTA is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// What is asked for.
const LEAST_THROUGHPUT: f64 = 0.95;
const MOST_LATENCY: f64 = 1.25;

/// One run.
#[derive(Clone, Copy, Debug, Serialize)]
struct Run {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

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
        let (all_healthy, beside_dead) = (median(&runs.0), median(&runs.1));
        let ratio = |of: fn(&Run) -> f64| {
            let mut each: Vec<f64> =
                runs.1.iter().zip(&runs.0).map(|(beside, healthy)| of(beside) / of(healthy)).collect();
            middle(&mut each)
        };
        let figures = Figures {
            connectors: args.connectors,
            dead,
            all_healthy,
            beside_dead,
            throughput_ratio: ratio(|run| run.per_second),
            p99_ratio: ratio(|run| run.p99_ms),
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
    for (what, run) in [("all healthy", figures.all_healthy), ("beside the dead", figures.beside_dead)] {
        println!(
            "  {what:<16} {:>10.0} messages/s   p50 {:>8.2} ms   p99 {:>8.2} ms",
            run.per_second, run.p50_ms, run.p99_ms
        );
    }
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

fn median(runs: &[Run]) -> Run {
    let of = |value: fn(&Run) -> f64| middle(&mut runs.iter().map(value).collect::<Vec<_>>());
    Run { per_second: of(|run| run.per_second), p50_ms: of(|run| run.p50_ms), p99_ms: of(|run| run.p99_ms) }
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// When each message was given to the MTA and when it came out, in microseconds since the start.
struct Times {
    start: Instant,
    given: Vec<AtomicU64>,
    arrived: Vec<AtomicU64>,
    count: AtomicU64,
}

impl Times {
    fn new(messages: u64) -> Times {
        let zeros = || (0..messages).map(|_| AtomicU64::new(0)).collect();
        Times { start: Instant::now(), given: zeros(), arrived: zeros(), count: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    fn given(&self, number: u64) {
        self.at(&self.given, number).inspect(|time| time.store(self.now(), Ordering::Relaxed));
    }

    fn arrived(&self, number: u64) {
        if let Some(time) = self.at(&self.arrived, number)
            && time.swap(self.now(), Ordering::Relaxed) == 0
        {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn at<'a>(&self, times: &'a [AtomicU64], number: u64) -> Option<&'a AtomicU64> {
        times.get(usize::try_from(number).ok()?)
    }

    /// Waits until so many have arrived.
    fn wait(&self, messages: u64) -> Result<(), BenchError> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let count = self.count.load(Ordering::Relaxed);
            if count >= messages {
                return Ok(());
            }
            if count != last {
                (last, since) = (count, Instant::now());
            }
            if since.elapsed() >= STUCK {
                return Err(BenchError::Mta(format!("{count} of {messages} messages came, then nothing")));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn latencies(&self, from: u64, to: u64) -> Vec<f64> {
        let time = |times: &[AtomicU64], n| self.at(times, n).map_or(0, |time| time.load(Ordering::Relaxed));
        let mut all: Vec<f64> = (from..to)
            .map(|n| time(&self.arrived, n).saturating_sub(time(&self.given, n)) as f64 / 1_000.0)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

fn one_run(
    args: &IsolationArgs,
    healthy: u32,
    others: u32,
    are_dead: bool,
    pace: Option<f64>,
) -> Result<Run, BenchError> {
    let dir = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    // First as fast as it goes, then at a pace at which latency is not made of waiting in the queue.
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
    let mta = MtaProcess::start(dir.path(), &configuration(dir.path(), p1, api, &links), p1)?;

    // The queues of the dead are full before anything is measured, those of others are empty; the numbers of what is in them
    // are none of the others'.
    let queued = u64::from(args.queued);
    generate(
        p1,
        u64::from(others) * queued,
        None,
        move |n| (other_name(u32::try_from(n / queued.max(1)).unwrap_or(0)), u64::MAX - n),
        None,
    )?;
    until_settled(api, u64::from(others) * queued, are_dead)?;
    let to = move |n: u64| healthy_name(u32::try_from(n % u64::from(healthy)).unwrap_or(0));
    let start = Instant::now();
    generate(p1, fast, Some(Arc::clone(&times)), move |n| (to(n), n), None)?;
    times.wait(fast)?;
    let per_second = fast as f64 / start.elapsed().as_secs_f64();
    let interval = Duration::from_secs_f64(1.0 / (pace.unwrap_or(per_second) * PACE).max(1.0));
    generate(p1, paced, Some(Arc::clone(&times)), move |n| (to(n), fast + n), Some(interval))?;
    times.wait(fast + paced)?;
    drop(mta);
    let latencies = times.latencies(fast, fast + paced);
    let percentile = |percent: usize| {
        latencies.get((latencies.len() * percent / 100).min(latencies.len().saturating_sub(1))).copied()
    };
    Ok(Run {
        per_second,
        p50_ms: percentile(50).unwrap_or(f64::NAN),
        p99_ms: percentile(99).unwrap_or(f64::NAN),
    })
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

/// Gives `messages` to the MTA, one every `interval` if there is one. `what` tells to whom the nth goes, and its number.
fn generate(
    p1: SocketAddr,
    messages: u64,
    times: Option<Arc<Times>>,
    what: impl Fn(u64) -> (String, u64) + Clone + Send + 'static,
    interval: Option<Duration>,
) -> Result<(), BenchError> {
    let name = mta_name("GENERATOR")?;
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let threads: Vec<_> = (0..GENERATORS.min(messages))
        .map(|_| {
            let (name, next, times, what) = (name.clone(), Arc::clone(&next), times.clone(), what.clone());
            thread::spawn(move || -> Result<(), BenchError> {
                let mut peer = Peer::connect(p1, &name, stack())?;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= messages {
                        return peer.close();
                    }
                    if let Some(interval) = interval {
                        let at = interval.mul_f64(n as f64);
                        thread::sleep(at.saturating_sub(start.elapsed()));
                    }
                    let (prmd, number) = what(n);
                    let apdu = peer::message_to(&prmd, number, SIZE)
                        .map_err(|error| BenchError::Association(error.to_string()))?;
                    if let Some(times) = &times {
                        times.given(number);
                    }
                    peer.transfer(&apdu)?;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| BenchError::Association("a generator thread panicked".to_owned()))??;
    }
    Ok(())
}

/// Starts a peer of this name that takes everything.
fn sink(name: &str, times: Arc<Times>) -> Result<SocketAddr, BenchError> {
    let name = mta_name(name)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("listen as a sink"))?;
    let address = listener.local_addr().map_err(io("find a sink's port"))?;
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (times, name) = (Arc::clone(&times), name.clone());
            thread::spawn(move || {
                // An association that fails is the MTA's to repeat; the count tells whether it did.
                let Ok(mut peer) = Peer::accept(socket, &name, stack()) else { return };
                let note = |apdu: &[u8]| {
                    peer::number_of(apdu).inspect(|number| times.arrived(*number));
                };
                while let Ok(true) = peer.take(note) {}
            });
        }
    });
    Ok(address)
}

fn healthy_name(number: u32) -> String {
    format!("WELL{number}")
}

fn other_name(number: u32) -> String {
    format!("OTHER{number}")
}

fn mta_name(text: &str) -> Result<MtaName, BenchError> {
    MtaName::new(text).map_err(|error| BenchError::Association(error.to_string()))
}

fn stack() -> StackConfig {
    StackConfig::new(p1_application())
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
