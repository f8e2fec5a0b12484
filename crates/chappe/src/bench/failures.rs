//! Many failed connections of every kind, in both directions: what the MTA process holds afterwards is what it held before.

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mhs::MtaName;
use osi::stack::StackConfig;
use runtime::p1_application;
use serde::Serialize;
use socket2::SockRef;

use super::dead::{DeadPeer, Failing};
use super::peer::{self, PASSWORD, Peer};
use super::process::{MtaProcess, free_address};
use super::{BenchError, FailuresArgs, io};
use crate::client::Client;
use crate::descriptors;
use crate::model::{Connecting, Held, Resources, Status};

/// Connectors that fail at the same time.
const AT_ONCE: u64 = 25;
/// The same where each failure takes a bind time-out, which is a second here.
const AT_ONCE_SILENT: u64 = 200;
/// Transfers that one message may fail before it is non-delivered: the most that the configuration takes.
const TRANSFER_RETRIES: u64 = 100;
/// Callers at one time.
const CALLERS: u64 = 16;
/// The same where each waits for the bind time-out; fewer than one address may have.
const CALLERS_SILENT: u64 = 50;
/// A kind that comes no further in this time is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// How long what is held may take to go when nothing fails any more, in looks of a fifth of a second.
const LOOKS: u32 = 100;

/// How a caller fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calling {
    Silent,
    Garbage,
    Reset,
    HalfOpen,
    UnknownName,
    WrongPassword,
    LostInTransfer,
}

const CALLING: [(Calling, &str); 7] = [
    (Calling::Silent, "silent"),
    (Calling::Garbage, "TPKT garbage"),
    (Calling::Reset, "RST"),
    (Calling::HalfOpen, "half-open"),
    (Calling::UnknownName, "bind: unknown name"),
    (Calling::WrongPassword, "bind: wrong password"),
    (Calling::LostInTransfer, "lost in transfer"),
];

/// What the process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Measure {
    descriptors: u64,
    sockets: u64,
    threads: u64,
    resident_kib: u64,
    held: Held,
}

/// One kind of failure.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    kind: String,
    failures: u64,
    seconds: f64,
    after: Measure,
}

#[derive(Debug, Serialize)]
struct Report {
    before: Measure,
    kinds: Vec<Figures>,
    /// After half of the failures of each kind.
    between: Measure,
    after: Measure,
    /// The most that was ever resident: before, between, after.
    peaks_kib: [u64; 3],
    memory_ratio: f64,
    memory_ratios_of_halves: [f64; 2],
    nothing_held: bool,
}

struct Bench {
    mta: MtaProcess,
    api: Client,
    p1: SocketAddr,
    next: AtomicU64,
}

pub(super) fn run(args: &FailuresArgs) -> Result<(), BenchError> {
    descriptors::provide(4_096).map_err(BenchError::Descriptors)?;
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).map_err(io("make the directory"))?;
    let (p1, api) = (free_address()?, free_address()?);
    let links = links()?;
    let mta = MtaProcess::start(&dir, &configuration(&dir, p1, api, &links), p1)?;
    let api = Client::new(&format!("http://{api}"), None, None).map_err(asked)?;
    let bench = Bench { mta, api, p1, next: AtomicU64::new(0) };

    // A process that has worked: the index holds the newest changes in memory up to a bound, whoever makes them, and without
    // mail the few that failures make would fill it all the time that is measured.
    bench.mail(args.mail)?;
    // What the first failures need once for all, recordings and buffers of the allocator, is no cost of the others.
    bench.all_kinds(&links, args.warm_up)?;
    let before = bench.settled()?;
    let peak_before = bench.mta.memory_kib()?;
    // In two halves: what grows with the failures grows in both, what is reached once and kept in the first alone.
    let first = args.failures / 2;
    let mut kinds = bench.all_kinds(&links, first)?;
    let between = bench.settled()?;
    let peak_between = bench.mta.memory_kib()?;
    kinds.extend(bench.all_kinds(&links, args.failures - first)?);
    let after = bench.settled()?;
    let ratio = |after: &Measure, before: &Measure| after.resident_kib as f64 / before.resident_kib as f64;
    let report = Report {
        before,
        kinds,
        between,
        after,
        peaks_kib: [peak_before, peak_between, bench.mta.memory_kib()?],
        memory_ratio: ratio(&after, &before),
        memory_ratios_of_halves: [ratio(&between, &before), ratio(&after, &between)],
        nothing_held: after.held == Held::default(),
    };
    print(args, &report);
    if !report.nothing_held || after.sockets > before.sockets {
        return Err(BenchError::Mta("something is held although nothing is under way".to_owned()));
    }
    Ok(())
}

/// The connectors of one kind of failure.
struct Link {
    how: Failing,
    connectors: Vec<String>,
    peer: DeadPeer,
}

fn links() -> Result<Vec<Link>, BenchError> {
    let ways = Failing::AT_OPEN.into_iter().chain([Failing::AbortInTransfer, Failing::ResetInTransfer]);
    let link = |(number, how): (usize, Failing)| {
        let many = if how == Failing::Silent { AT_ONCE_SILENT } else { AT_ONCE };
        let connectors = (0..many).map(|n| format!("K{number}-{n}")).collect();
        // One name for all: the bind does not tell which connector it is for.
        Ok(Link { how, connectors, peer: DeadPeer::start(how, &peer_name(number))? })
    };
    ways.enumerate().map(link).collect()
}

fn peer_name(number: usize) -> String {
    format!("DEAD-{number}")
}

impl Bench {
    /// Has messages delivered.
    fn mail(&self, messages: u64) -> Result<(), BenchError> {
        let name = MtaName::new("GENERATOR").map_err(|error| BenchError::Association(error.to_string()))?;
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            let generators: Vec<_> = (0..CALLERS)
                .map(|_| {
                    scope.spawn(|| -> Result<(), BenchError> {
                        let mut generator = Peer::connect(self.p1, &name, stack())?;
                        while next.fetch_add(1, Ordering::Relaxed) < messages {
                            generator.transfer(&self.message("GENERATOR")?)?;
                        }
                        generator.close()
                    })
                })
                .collect();
            generators.into_iter().try_for_each(|generator| {
                generator.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    fn all_kinds(&self, links: &[Link], failures: u64) -> Result<Vec<Figures>, BenchError> {
        let mut kinds = Vec::new();
        for link in links {
            let start = Instant::now();
            match link.how {
                Failing::AbortInTransfer | Failing::ResetInTransfer => self.fail_transfers(link, failures)?,
                Failing::Refused
                | Failing::Swallowed
                | Failing::Silent
                | Failing::Garbage
                | Failing::Disconnect
                | Failing::SessionRefuse
                | Failing::PresentationReject
                | Failing::BindName
                | Failing::BindPassword
                | Failing::Busy
                | Failing::Reset
                | Failing::HalfOpen
                | Failing::SlowReader
                | Failing::OneOctet => self.fail_opens(link, failures)?,
            }
            kinds.push(self.figures(format!("called: {}", link.how.name()), failures, start)?);
        }
        for (how, name) in CALLING {
            let start = Instant::now();
            self.fail_calls(how, failures)?;
            kinds.push(self.figures(format!("calling: {name}"), failures, start)?);
        }
        Ok(kinds)
    }

    fn figures(&self, kind: String, failures: u64, start: Instant) -> Result<Figures, BenchError> {
        let seconds = start.elapsed().as_secs_f64();
        Ok(Figures { kind, failures, seconds, after: self.settled()? })
    }

    /// Has every connector of a kind try again and again.
    fn fail_opens(&self, link: &Link, failures: u64) -> Result<(), BenchError> {
        let mut left = failures;
        while left > 0 {
            let round = left.min(link.connectors.len() as u64);
            let goal = self.failed_opens()? + round;
            let connectors = link.connectors.iter().take(usize::try_from(round).unwrap_or(usize::MAX));
            connectors.map(|connector| self.connect(connector)).collect::<Result<Vec<_>, _>>()?;
            let mut patience = Patience::new(link.how.name());
            while self.failed_opens()? < goal {
                patience.wait(goal)?;
            }
            left -= round;
        }
        Ok(())
    }

    /// Has messages fail in transfer, each as often as it may; then its originator gets a report, and it is gone.
    fn fail_transfers(&self, link: &Link, failures: u64) -> Result<(), BenchError> {
        let name = MtaName::new("GENERATOR").map_err(|error| BenchError::Association(error.to_string()))?;
        let mut generator = Peer::connect(self.p1, &name, stack())?;
        // A message is tried once and then again as often as it may.
        let messages = usize::try_from(failures.div_ceil(TRANSFER_RETRIES + 1)).unwrap_or(usize::MAX);
        for connector in link.connectors.iter().cycle().take(messages) {
            generator.transfer(&self.message(connector)?)?;
        }
        generator.close()?;
        let goal = link.peer.failed() + failures;
        let mut patience = Patience::new(link.how.name());
        while link.peer.failed() < goal || self.status()?.queued != Some(0) {
            // Nobody waits for the open interval.
            for connector in link.connectors.iter().take(messages) {
                self.connect(connector)?;
            }
            patience.wait(link.peer.failed())?;
        }
        Ok(())
    }

    fn message(&self, prmd: &str) -> Result<Vec<u8>, BenchError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        peer::message_to(prmd, number, 512).map_err(|error| BenchError::Association(error.to_string()))
    }

    fn fail_calls(&self, how: Calling, failures: u64) -> Result<(), BenchError> {
        let callers = if how == Calling::Silent { CALLERS_SILENT } else { CALLERS };
        let taken = Arc::new(AtomicU64::new(0));
        let apdu = self.message("K0-0")?;
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let (p1, taken, apdu) = (self.p1, Arc::clone(&taken), apdu.clone());
                thread::spawn(move || -> Result<(), BenchError> {
                    while taken.fetch_add(1, Ordering::Relaxed) < failures {
                        call(how, p1, &apdu)?;
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| BenchError::Association("a caller's thread panicked".to_owned()))??;
        }
        Ok(())
    }

    fn connect(&self, connector: &str) -> Result<(), BenchError> {
        let path = format!("/api/v1/connectors/{connector}/connect");
        let answer = self.api.post::<Connecting>(&path, &[], "text/plain", 0, &mut std::io::empty());
        answer.map(|_| ()).map_err(asked)
    }

    fn status(&self) -> Result<Status, BenchError> {
        self.api.get("/api/v1/status", &[]).map_err(asked)
    }

    fn failed_opens(&self) -> Result<u64, BenchError> {
        Ok(self.status()?.info.counters.get("failed_opens").copied().unwrap_or(0))
    }

    fn measure(&self) -> Result<Measure, BenchError> {
        let resources: Resources = self.api.get("/api/v1/resources", &[]).map_err(asked)?;
        Ok(Measure {
            descriptors: self.mta.descriptors()?,
            sockets: self.mta.sockets()?,
            threads: self.mta.threads()?,
            resident_kib: self.mta.resident_kib()?,
            held: resources.total,
        })
    }

    /// What the process has when nothing is under way any more.
    fn settled(&self) -> Result<Measure, BenchError> {
        let mut last = self.measure()?;
        for _ in 0..LOOKS {
            thread::sleep(Duration::from_millis(200));
            let now = self.measure()?;
            if now == last && now.held == Held::default() {
                break;
            }
            last = now;
        }
        Ok(last)
    }
}

/// One call that fails, and the wait until the MTA has let go of it.
fn call(how: Calling, p1: SocketAddr, apdu: &[u8]) -> Result<(), BenchError> {
    let connect = || TcpStream::connect(p1).map_err(io("call the MTA"));
    let name = |text: &str| MtaName::new(text).map_err(|error| BenchError::Association(error.to_string()));
    match how {
        Calling::Silent => until_closed(connect()?),
        Calling::Garbage => {
            let socket = connect()?;
            // The MTA may have hung up before all of it is there.
            let _ = std::io::Write::write_all(&mut &socket, b"GET / HTTP/1.1\r\n\r\n");
            until_closed(socket);
        }
        Calling::Reset => {
            let socket = connect()?;
            SockRef::from(&socket).set_linger(Some(Duration::ZERO)).map_err(io("reset a connection"))?;
        }
        Calling::HalfOpen => {
            let socket = connect()?;
            socket.shutdown(Shutdown::Write).map_err(io("close half a connection"))?;
            until_closed(socket);
        }
        Calling::UnknownName => refused(Peer::connect(p1, &name("NOBODY")?, stack()))?,
        Calling::WrongPassword => refused(Peer::connect(p1, &name("PICKY")?, stack()))?,
        Calling::LostInTransfer => {
            let mut peer = Peer::connect(p1, &name("GENERATOR")?, stack())?;
            peer.begin_transfer(apdu)?;
        }
    }
    Ok(())
}

fn refused(bound: Result<Peer, BenchError>) -> Result<(), BenchError> {
    match bound {
        Ok(_) => Err(BenchError::Association("a bind that had to be refused was accepted".to_owned())),
        Err(_) => Ok(()),
    }
}

fn until_closed(mut socket: TcpStream) {
    let mut octets = [0; 1_024];
    // An end by a reset is an end as well.
    while socket.read(&mut octets).is_ok_and(|count| count > 0) {}
}

/// Waits in small steps, and gives up when nothing has moved for long.
struct Patience {
    what: &'static str,
    last: u64,
    since: Instant,
}

impl Patience {
    fn new(what: &'static str) -> Patience {
        Patience { what, last: u64::MAX, since: Instant::now() }
    }

    fn wait(&mut self, progress: u64) -> Result<(), BenchError> {
        if progress != self.last {
            (self.last, self.since) = (progress, Instant::now());
        }
        if self.since.elapsed() >= STUCK {
            return Err(BenchError::Mta(format!("{}: nothing happens any more", self.what)));
        }
        thread::sleep(Duration::from_millis(2));
        Ok(())
    }
}

fn stack() -> StackConfig {
    StackConfig::new(p1_application())
}

fn asked(failure: crate::cli::failure::Failure) -> BenchError {
    BenchError::Mta(failure.to_string())
}

fn print(args: &FailuresArgs, report: &Report) {
    if args.json {
        println!("{}", serde_json::json!(report));
        return;
    }
    let line = |what: &str, count: &str, seconds: &str, m: &Measure| {
        println!(
            "  {what:<32} {count:>8} {seconds:>8} {:>12} {:>8} {:>8} {:>13} {:>6}",
            m.descriptors,
            m.sockets,
            m.threads,
            m.resident_kib,
            m.held.slots + m.held.tasks + m.held.sockets + m.held.timers + m.held.octets
        );
    };
    println!(
        "failures: {} of each kind, in two halves, after {} messages and {} of each",
        args.failures, args.mail, args.warm_up
    );
    println!(
        "  {:<32} {:>8} {:>8} {:>12} {:>8} {:>8} {:>13} {:>6}",
        "", "failures", "seconds", "descriptors", "sockets", "threads", "resident KiB", "held"
    );
    line("before", "", "", &report.before);
    let (first, second) = report.kinds.split_at(report.kinds.len() / 2);
    for (half, at_end, what) in
        [(first, &report.between, "after the first half"), (second, &report.after, "after the second half")]
    {
        for kind in half {
            line(&kind.kind, &kind.failures.to_string(), &format!("{:.1}", kind.seconds), &kind.after);
        }
        line(what, "", "", at_end);
    }
    let [first, second] = report.memory_ratios_of_halves;
    println!(
        "  memory ratio {:.3}: {first:.3} in the first half, {second:.3} in the second",
        report.memory_ratio
    );
    let [before, between, after] = report.peaks_kib;
    println!(
        "  peak memory {before} KiB before, {between} KiB after the first half, {after} KiB after the second"
    );
}

fn configuration(dir: &Path, p1: SocketAddr, api: SocketAddr, links: &[Link]) -> String {
    let data = dir.join("data");
    let mut text = format!(
        "[mta]\nname = \"MTA\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"BENCH\" }}\ndata_dir = {data:?}\n\
         local = [\"P=GENERATOR;A= ;C=GB\"]\n\
         [listen]\np1 = [\"{p1}\"]\napi = \"{api}\"\n\
         [limits]\nbind_timeout_s = 1\nconnect_timeout_s = 1\n\
         [[connector]]\nname = \"generator\"\nremote_mta = \"GENERATOR\"\nremote_password = \"{PASSWORD}\"\n\
         activation = \"never\"\nrelay_to = [\"*\"]\n[connector.rts]\nrecovery_timeout_s = 0\n\
         [connector.association]\nmax_associations = 50\n\
         [[connector]]\nname = \"picky\"\nremote_mta = \"PICKY\"\nremote_password = \"another\"\n\
         activation = \"never\"\n"
    );
    for (number, link) in links.iter().enumerate() {
        for connector in &link.connectors {
            text += &format!(
                "[[connector]]\nname = \"{connector}\"\nremote_mta = \"{}\"\nremote_password = \"{PASSWORD}\"\n\
                 hosts = [\"{}\"]\naddress_space = [{{ address = \"P={connector};A= ;C=GB\", cost = 1 }}]\n\
                 called_selectors = {{ transport = \"{connector}\" }}\n\
                 [connector.rts]\nrecovery_timeout_s = 0\n\
                 [connector.retry]\nmax_open_retries = 10000\nopen_interval_s = 1\n\
                 max_transfer_retries = {TRANSFER_RETRIES}\ntransfer_interval_s = 0\n\
                 [connector.association]\nlifetime_s = 1\n",
                peer_name(number),
                link.peer.address()
            );
        }
    }
    text
}
