//! Messages whose way through an MTA is timed one by one: when each was given to it, and when it came out.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::flow::{Arrived, name, stack};
use super::peer::{self, Peer};
use super::{BenchError, io, middle};

/// Associations of the generator.
const GENERATORS: u64 = 8;
/// Share of the throughput at which latencies are measured.
const PACE: f64 = 0.3;

/// When each message was given to the MTA and when it came out, in microseconds since the start.
pub(super) struct Times {
    start: Instant,
    given: Vec<AtomicU64>,
    arrived: Vec<AtomicU64>,
    count: Arrived,
}

impl Times {
    pub(super) fn new(messages: u64) -> Times {
        let zeros = || (0..messages).map(|_| AtomicU64::new(0)).collect();
        Times { start: Instant::now(), given: zeros(), arrived: zeros(), count: Arrived::default() }
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
            self.count.add();
        }
    }

    fn at<'a>(&self, times: &'a [AtomicU64], number: u64) -> Option<&'a AtomicU64> {
        times.get(usize::try_from(number).ok()?)
    }

    /// Waits until so many have arrived.
    fn wait(&self, messages: u64) -> Result<(), BenchError> {
        self.count.wait(messages)
    }

    /// The median and the 99th percentile, in milliseconds, of those from one number up to another.
    fn percentiles(&self, from: u64, to: u64) -> (f64, f64) {
        let time = |times: &[AtomicU64], n| self.at(times, n).map_or(0, |time| time.load(Ordering::Relaxed));
        let mut all: Vec<f64> = (from..to)
            .map(|n| time(&self.arrived, n).saturating_sub(time(&self.given, n)) as f64 / 1_000.0)
            .collect();
        all.sort_by(f64::total_cmp);
        let at =
            |percent: usize| all.get((all.len() * percent / 100).min(all.len().saturating_sub(1))).copied();
        (at(50).unwrap_or(f64::NAN), at(99).unwrap_or(f64::NAN))
    }
}

/// Between two messages at a pace at which latency is not made of waiting in the queue, if so many went through in a second.
fn pause(per_second: f64) -> Duration {
    Duration::from_secs_f64(1.0 / (per_second * PACE).max(1.0))
}

/// Gives `messages` to the MTA, one every `interval` if there is one. `what` tells to whom the nth goes, and its number.
pub(super) fn generate(
    p1: SocketAddr,
    messages: u64,
    size: usize,
    times: Option<Arc<Times>>,
    what: impl Fn(u64) -> (String, u64) + Clone + Send + 'static,
    interval: Option<Duration>,
) -> Result<(), BenchError> {
    let name = name("GENERATOR")?;
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
                    let apdu = peer::message_to(&prmd, number, size)
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
pub(super) fn sink(called: &str, times: Arc<Times>) -> Result<SocketAddr, BenchError> {
    let called = name(called)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("listen as a sink"))?;
    let address = listener.local_addr().map_err(io("find a sink's port"))?;
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (times, called) = (Arc::clone(&times), called.clone());
            thread::spawn(move || {
                // An association that fails is the MTA's to repeat; the count tells whether it did.
                let Ok(mut peer) = Peer::accept(socket, &called, stack()) else { return };
                let note = |apdu: &[u8]| {
                    peer::number_of(apdu).inspect(|number| times.arrived(*number));
                };
                while let Ok(true) = peer.take(note) {}
            });
        }
    });
    Ok(address)
}

/// What was measured of one load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Run {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Run {
    /// Each figure's median.
    pub(super) fn median(runs: &[Run]) -> Run {
        let of = |value: fn(&Run) -> f64| middle(runs.iter().map(value));
        Run {
            per_second: of(|run| run.per_second),
            p50_ms: of(|run| run.p50_ms),
            p99_ms: of(|run| run.p99_ms),
        }
    }

    /// The median of what a figure is in the one kind of runs, as ratio to that of the other kind beside it.
    pub(super) fn ratio(runs: &[Run], to: &[Run], of: fn(&Run) -> f64) -> f64 {
        middle(runs.iter().zip(to).map(|(run, other)| of(run) / of(other)))
    }

    pub(super) fn print(self, what: &str) {
        println!(
            "  {what:<16} {:>10.0} messages/s   p50 {:>8.2} ms   p99 {:>8.2} ms",
            self.per_second, self.p50_ms, self.p99_ms
        );
    }
}

/// What is relayed: first as fast as it goes, then at a pace at which latency is not made of waiting in the queue.
pub(super) struct Load {
    pub(super) p1: SocketAddr,
    /// Octets of content.
    pub(super) size: usize,
    pub(super) times: Arc<Times>,
    pub(super) fast: u64,
    pub(super) paced: u64,
}

impl Load {
    /// `first` is the number of the first message; `to` tells for which domain each is. Without a `pace` it follows from the
    /// first part.
    pub(super) fn run(
        &self,
        first: u64,
        pace: Option<f64>,
        to: impl Fn(u64) -> String + Clone + Send + 'static,
    ) -> Result<Run, BenchError> {
        let &Load { p1, size, fast, paced, .. } = self;
        let (middle, end) = (first + fast, first + fast + paced);
        let times = || Some(Arc::clone(&self.times));
        let from = |from: u64| {
            let to = to.clone();
            move |n| (to(n), from + n)
        };
        let start = Instant::now();
        generate(p1, fast, size, times(), from(first), None)?;
        self.times.wait(middle)?;
        let per_second = fast as f64 / start.elapsed().as_secs_f64();
        let interval = pause(pace.unwrap_or(per_second));
        generate(p1, paced, size, times(), from(middle), Some(interval))?;
        self.times.wait(end)?;
        let (p50_ms, p99_ms) = self.times.percentiles(middle, end);
        Ok(Run { per_second, p50_ms, p99_ms })
    }
}
