//! `kill -9` at any moment under full load: what was accepted arrives, and arrives once.
//!
//! Generators number their messages and keep to a number until its transfer has been answered for: after a lost answer the
//! same message, with the same identifier, is transferred again, which the MTA has to recognise. Sinks count how often
//! they have answered for each number. Of an association that the kill has cut off the last answer may not have reached the
//! MTA, and the removal that belongs to the one before may not have become durable: one is written while the next message
//! is transferred. Such messages have to be transferred again, and whoever takes them knows them by their identifier. They
//! are counted by themselves; every other second arrival is a duplicate.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::flow;
use super::peer::{self, PASSWORD, Peer};
use super::process::{MtaProcess, free_address};
use super::{BenchError, io};

/// Longest time between a start and the kill after it.
const LONGEST_LIFE: Duration = Duration::from_millis(1_000);
/// Time without any message in which nothing comes any more, once all have been accepted.
const QUIET: Duration = Duration::from_secs(5);
/// How long a start may take, and the last messages: a campaign runs beside other work.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most messages of a campaign, one octet each.
const MOST: u64 = 200_000_000;

#[derive(Clone, Debug, Args)]
pub(crate) struct CrashArgs {
    /// Kills, 1 to 1,000,000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    kills: u32,
    /// Octets of content of each message.
    #[arg(long, default_value_t = 2_048)]
    size: usize,
    /// Associations of the generators.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    associations: u32,
    /// Of the moments of the kills; from the clock if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Directory for the store; a temporary one if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Figures {
    kills: u32,
    seed: u64,
    seconds: f64,
    accepted: u64,
    transferred_again: u64,
    arrived: u64,
    taken_again: u64,
    lost: u64,
    duplicated: u64,
}

/// What generators and sinks know of each message.
struct Ledger {
    next: AtomicU64,
    again: AtomicU64,
    accepted: AtomicU64,
    arrived: AtomicU64,
    /// How often the sinks have answered for each number.
    times: Vec<AtomicU8>,
    /// Numbers answered for last, or next to last, on associations that ended, and how often that was so.
    doubtful: Mutex<BTreeMap<u64, u8>>,
    ending: AtomicBool,
}

#[derive(Debug, Default, PartialEq)]
struct Verdict {
    arrived: u64,
    lost: u64,
    taken_again: u64,
    duplicated: u64,
}

pub(super) fn run(args: &CrashArgs) -> Result<(), BenchError> {
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).map_err(io("make the directory"))?;
    let seed = args.seed.unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| since.as_nanos() as u64)
    });
    let most = (u64::from(args.kills) + 10) * 20_000;
    let ledger = Arc::new(Ledger::new(most.min(MOST)));
    let sink = start_sink(&ledger)?;
    let address = free_address()?;
    let configuration = configuration(args.associations, &dir, address, sink)?;
    let start = Instant::now();
    let generators: Vec<_> = (0..args.associations)
        .map(|_| {
            let (ledger, size) = (Arc::clone(&ledger), args.size);
            thread::spawn(move || ledger.generate(address, size))
        })
        .collect();
    let mut random = Random(seed | 1);
    for kill in 0..args.kills {
        let mta = MtaProcess::start_within(PATIENCE, &dir, &configuration, address)?;
        thread::sleep(random.below(LONGEST_LIFE));
        drop(mta);
        if !args.json && (kill + 1) % 100 == 0 {
            eprintln!("{} kills, {} accepted", kill + 1, ledger.accepted.load(Ordering::Relaxed));
        }
    }
    let mta = MtaProcess::start_within(PATIENCE, &dir, &configuration, address)?;
    ledger.ending.store(true, Ordering::Relaxed);
    for generator in generators {
        generator.join().map_err(|_| BenchError::Association("a generator thread panicked".to_owned()))??;
    }
    ledger.settle();
    drop(mta);
    let verdict = ledger.verdict();
    let figures = Figures {
        kills: args.kills,
        seed,
        seconds: start.elapsed().as_secs_f64(),
        accepted: ledger.accepted.load(Ordering::Relaxed),
        transferred_again: ledger.again.load(Ordering::Relaxed),
        arrived: verdict.arrived,
        taken_again: verdict.taken_again,
        lost: verdict.lost,
        duplicated: verdict.duplicated,
    };
    print(args, &figures);
    if figures.lost + figures.duplicated > 0 {
        return Err(BenchError::Mta(format!(
            "{} messages lost, {} duplicated",
            figures.lost, figures.duplicated
        )));
    }
    Ok(())
}

fn print(args: &CrashArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!(
        "crash: killed under load {} times in {:.0} s, seed {}",
        figures.kills, figures.seconds, figures.seed
    );
    println!("  accepted          {:>10} messages", figures.accepted);
    println!("  transferred again {:>10}, the answer having been lost", figures.transferred_again);
    println!("  arrived           {:>10}", figures.arrived);
    println!("  arrived again     {:>10}, the sink's answer having been lost", figures.taken_again);
    println!("  lost              {:>10}", figures.lost);
    println!("  duplicated        {:>10}", figures.duplicated);
}

/// Takes what the MTA brings, and answers for it.
fn start_sink(ledger: &Arc<Ledger>) -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("listen as the sink"))?;
    let address = listener.local_addr().map_err(io("find the sink's port"))?;
    let (name, ledger) = (flow::name("SINK")?, Arc::clone(ledger));
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (name, ledger) = (name.clone(), Arc::clone(&ledger));
            thread::spawn(move || {
                let Ok(mut peer) = Peer::accept(socket, &name, flow::stack()) else { return };
                let mut last = [None; 2];
                while let Ok(true) = peer.take(|apdu| {
                    let number = peer::number_of(apdu);
                    number.inspect(|number| ledger.arrived(*number));
                    last = [number, last[0]];
                }) {}
                last.into_iter().flatten().for_each(|number| ledger.doubt(number));
            });
        }
    });
    Ok(address)
}

impl Ledger {
    fn new(numbers: u64) -> Ledger {
        Ledger {
            next: AtomicU64::new(0),
            again: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            times: (0..numbers).map(|_| AtomicU8::new(0)).collect(),
            doubtful: Mutex::default(),
            ending: AtomicBool::new(false),
        }
    }

    fn arrived(&self, number: u64) {
        let times = usize::try_from(number).ok().and_then(|number| self.times.get(number));
        if let Some(times) = times {
            // As much as an octet holds is more than enough to be found.
            let before = times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_add(1));
            if before == Ok(0) {
                self.arrived.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The answer for this number may have been lost with its association.
    fn doubt(&self, number: u64) {
        let mut doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        let times = doubtful.entry(number).or_default();
        *times = times.saturating_add(1);
    }

    fn verdict(&self) -> Verdict {
        let doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        let given = self.next.load(Ordering::Relaxed);
        let mut verdict = Verdict::default();
        for (number, times) in (0..given).zip(&self.times) {
            let times = times.load(Ordering::Relaxed);
            let again = times.saturating_sub(1);
            let excused = again.min(doubtful.get(&number).copied().unwrap_or(0));
            verdict.arrived += u64::from(times > 0);
            verdict.lost += u64::from(times == 0);
            verdict.taken_again += u64::from(excused);
            verdict.duplicated += u64::from(again - excused);
        }
        verdict
    }

    /// Brings one message after the other until the end, each as often as it takes.
    fn generate(&self, to: SocketAddr, size: usize) -> Result<(), BenchError> {
        let name = flow::name("GENERATOR")?;
        let mut peer = None;
        while !self.ending.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.times.len() as u64 {
                return Err(BenchError::Mta("more messages than a campaign has numbers".to_owned()));
            }
            let apdu =
                peer::message(number, size).map_err(|error| BenchError::Association(error.to_string()))?;
            loop {
                let mut association = match peer.take() {
                    Some(association) => association,
                    // It is killed, or starting.
                    None => match Peer::connect(to, &name, flow::stack()) {
                        Ok(association) => association,
                        Err(_) => {
                            thread::sleep(Duration::from_millis(5));
                            continue;
                        }
                    },
                };
                if association.transfer(&apdu).is_ok() {
                    peer = Some(association);
                    break;
                }
                self.again.fetch_add(1, Ordering::Relaxed);
            }
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
        match peer {
            Some(peer) => peer.close(),
            None => Ok(()),
        }
    }

    /// Waits until nothing comes any more.
    fn settle(&self) {
        let begin = Instant::now();
        let (mut last, mut since) = (self.sum(), Instant::now());
        while begin.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(100));
            let now = self.sum();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            let all = self.arrived.load(Ordering::Relaxed) >= self.accepted.load(Ordering::Relaxed);
            if all && since.elapsed() >= QUIET {
                return;
            }
        }
    }

    /// All answers of the sinks, repeated ones included.
    fn sum(&self) -> u64 {
        self.times.iter().map(|times| u64::from(times.load(Ordering::Relaxed))).sum()
    }
}

/// xorshift64*: the moments need to be spread, no more.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20) % micros)
    }
}

fn configuration(
    associations: u32,
    dir: &Path,
    mta: SocketAddr,
    sink: SocketAddr,
) -> Result<String, BenchError> {
    let (data, api) = (dir.join("data"), free_address()?);
    let associations = associations + 1;
    // Each start finds the associations of its predecessor gone; it must not wait for minutes to try again.
    Ok(format!(
        "[mta]\nname = \"RELAY\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"RELAY\" }}\ndata_dir = {data:?}\n\
         [listen]\np1 = [\"{mta}\"]\napi = \"{api}\"\n\
         [[connector]]\nname = \"generator\"\nremote_mta = \"GENERATOR\"\nremote_password = \"{PASSWORD}\"\n\
         activation = \"never\"\naddress_space = [{{ address = \"P=GENERATOR;A= ;C=GB\" }}]\nrelay_to = [\"sink\"]\n\
         [connector.association]\nmax_associations = {associations}\n\
         [[connector]]\nname = \"sink\"\nremote_mta = \"SINK\"\nremote_password = \"{PASSWORD}\"\n\
         hosts = [\"{sink}\"]\naddress_space = [{{ address = \"P=SINK;A= ;C=GB\", cost = 1 }}]\n\
         [connector.association]\nthreshold_messages = 1\nmax_associations = {associations}\n\
         [connector.retry]\nopen_interval_s = 1\ntransfer_interval_s = 1\nmax_transfer_retries = 100\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_doubt_is_excused() {
        let ledger = Ledger::new(10);
        ledger.next.store(6, Ordering::Relaxed);
        for number in [0, 1, 1, 2, 2, 3, 3, 3, 5] {
            ledger.arrived(number);
        }
        for number in [1, 3, 5] {
            ledger.doubt(number);
        }
        // Twice: 2 without excuse, 3 once more than is excused. Never: 4.
        assert_eq!(ledger.verdict(), Verdict { arrived: 5, lost: 1, taken_again: 2, duplicated: 2 });
    }
}
