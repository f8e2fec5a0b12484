//! A network in memory: hosts by address, paths between them that can be cut, held and slowed, connections that behave
//! as those of TCP do when that happens.
//!
//! Octets are never lost or changed on the way, as TCP promises: on a cut path they wait, as they do while TCP repeats
//! them, and after [`GIVEN_UP`] each end finds out for itself that the other is not there. There are no packets, no
//! congestion and no sequence numbers.

mod connection;
mod host;
mod pump;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use runtime::EventKind;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::digest::Digest;
use crate::random::Random;

pub use connection::{Line, Listening};
pub use host::HostWorld;

use connection::Wire;

/// Silence after which an end holds the other for dead: TCP's keepalive and user timeout as the runtime sets them.
pub const GIVEN_UP: Duration = Duration::from_secs(120);
/// Silence after which TCP asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How octets come from one host to another.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Nothing passes.
    pub cut: bool,
    /// The time that an octet takes, and by how much it may vary.
    pub latency: Duration,
    /// Octets a second, if that is bounded.
    pub rate: Option<u64>,
}

/// What happens to a connection when so many octets have passed in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Both ends see a reset.
    Reset,
    /// Only the sending end sees a reset: the other end's is half-open.
    ResetSender,
    /// Only the receiving end sees a reset.
    ResetReceiver,
    /// The path that the octets take is cut for this time.
    CutOneWay(Duration),
    /// Both paths are cut for this time.
    CutBoth(Duration),
}

/// A strike that waits for its octet.
#[derive(Clone, Copy, Debug)]
struct Planned {
    from: IpAddr,
    to: IpAddr,
    /// Octets that still pass before it, on connections in this direction together.
    octets: u64,
    strike: Strike,
}

/// Where a scenario wants something done wrong, to see that the checks notice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sabotage {
    /// Every so many connections one end is never given back.
    pub leak: bool,
    /// All connections wait for one another's slowest.
    pub blocking: bool,
    /// A connection is tried again and again behind the back of who asked for it.
    pub again: bool,
}

/// The network; clones are the same.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    start: Instant,
    random: Random,
    digest: Arc<Digest>,
    sabotage: Sabotage,
    state: Mutex<State>,
    /// A path or a host has changed.
    changed: Notify,
    turnstile: tokio::sync::Mutex<()>,
    /// All faults have ended.
    healed: Notify,
}

#[derive(Debug, Default)]
struct State {
    paths: BTreeMap<(IpAddr, IpAddr), Path>,
    down: BTreeMap<IpAddr, bool>,
    listeners: BTreeMap<SocketAddr, Arc<Mutex<Queue>>>,
    names: BTreeMap<String, Vec<IpAddr>>,
    wires: BTreeMap<u64, Weak<Wire>>,
    planned: Vec<Planned>,
    next_wire: u64,
    next_port: BTreeMap<IpAddr, u16>,
    skew: BTreeMap<IpAddr, i64>,
    attempts: Vec<(IpAddr, SocketAddr, Instant)>,
    keep_attempts: bool,
    /// How often one host has tried to connect to another.
    tried: BTreeMap<(IpAddr, IpAddr), u64>,
    carried: u64,
    leaked: Vec<Arc<Wire>>,
    told: BTreeMap<String, u64>,
}

/// Connections that wait to be accepted.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<Wire>>,
    waker: Option<Waker>,
    closed: bool,
}

impl Default for Path {
    fn default() -> Self {
        Path { cut: false, latency: Duration::from_millis(5), rate: None }
    }
}

impl Network {
    /// A network without hosts. Must be made on the runtime on which it is used.
    pub fn new(random: Random, digest: Arc<Digest>, sabotage: Sabotage) -> Network {
        let inner = Inner {
            start: Instant::now(),
            random,
            digest,
            sabotage,
            state: Mutex::default(),
            changed: Notify::new(),
            turnstile: tokio::sync::Mutex::default(),
            healed: Notify::new(),
        };
        Network { inner: Arc::new(inner) }
    }

    /// Virtual time since the network was made.
    pub fn elapsed(&self) -> Duration {
        self.inner.start.elapsed()
    }

    /// Changes the path from one host to another; the way back is a path of its own.
    pub fn change(&self, from: IpAddr, to: IpAddr, change: impl FnOnce(&mut Path)) {
        change(self.lock().paths.entry((from, to)).or_default());
        self.announce();
    }

    /// Changes both paths between two hosts.
    pub fn change_both(&self, a: IpAddr, b: IpAddr, change: impl Fn(&mut Path)) {
        self.change(a, b, &change);
        self.change(b, a, &change);
    }

    /// Ends all faults: every path is as it was, nothing is planned any more, every host is up.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.paths.clear();
        state.planned.clear();
        state.down.clear();
        drop(state);
        self.inner.healed.notify_waiters();
        self.announce();
    }

    /// Strikes when `octets` more have passed from one host to another.
    pub fn plan(&self, from: IpAddr, to: IpAddr, octets: u64, strike: Strike) {
        self.lock().planned.push(Planned { from, to, octets, strike });
    }

    /// Ends every connection of a host at once, as the end of its process does: peers hear of it if they can be
    /// reached.
    pub fn kill(&self, host: IpAddr) {
        for wire in self.wires() {
            wire.kill(host);
        }
        self.unlisten(host);
    }

    /// The host loses its power: nobody hears of it. Connections are gone when it comes back.
    pub fn power_off(&self, host: IpAddr) {
        self.lock().down.insert(host, true);
        for wire in self.wires() {
            wire.forget(host);
        }
        self.unlisten(host);
        self.announce();
    }

    /// The host has its power again.
    pub fn power_on(&self, host: IpAddr) {
        self.lock().down.remove(&host);
        self.announce();
    }

    /// Resets every connection between two hosts.
    pub fn reset(&self, a: IpAddr, b: IpAddr) {
        for wire in self.wires() {
            if wire.is_between(a, b) {
                wire.reset([true, true]);
            }
        }
    }

    /// The addresses of a host name.
    pub fn name(&self, name: &str, addresses: Vec<IpAddr>) {
        self.lock().names.insert(name.to_owned(), addresses);
    }

    /// Sets a host's clock of the time of day off by so many seconds.
    pub fn skew(&self, host: IpAddr, seconds: i64) {
        self.lock().skew.insert(host, seconds);
    }

    /// Connections of which one end at least is still held by somebody.
    pub fn open(&self) -> usize {
        let open = self.wires().iter().filter(|wire| wire.is_open()).count();
        open + self.lock().leaked.len()
    }

    /// Octets that have arrived somewhere.
    pub fn carried(&self) -> u64 {
        self.lock().carried
    }

    /// An MTA has told of something of this kind.
    pub fn tell(&self, kind: EventKind) {
        *self.lock().told.entry(format!("{kind:?}")).or_default() += 1;
    }

    /// How often MTAs have told of what, as far as their logs reached back when they ended.
    pub fn told(&self) -> BTreeMap<String, u64> {
        self.lock().told.clone()
    }

    /// Whether everything that happens is printed.
    pub fn traces(&self) -> bool {
        self.inner.digest.traces()
    }

    /// Connections that were made.
    pub fn connections(&self) -> u64 {
        self.lock().next_wire
    }

    /// From now on it is remembered who tried to connect to what.
    pub fn keep_attempts(&self) {
        self.lock().keep_attempts = true;
    }

    /// Who tried to connect to what, and when.
    pub fn attempts(&self) -> Vec<(IpAddr, SocketAddr, Instant)> {
        self.lock().attempts.clone()
    }

    /// How often two hosts have tried to connect to one another, whichever way and whatever came of it.
    pub fn tried_between(&self, a: IpAddr, b: IpAddr) -> u64 {
        let state = self.lock();
        [(a, b), (b, a)].iter().filter_map(|pair| state.tried.get(pair)).sum()
    }

    fn unlisten(&self, host: IpAddr) {
        let mut state = self.lock();
        let mut closed = Vec::new();
        state.listeners.retain(|address, queue| {
            let stays = address.ip() != host;
            if !stays {
                closed.push(Arc::clone(queue));
            }
            stays
        });
        drop(state);
        for queue in closed {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.closed = true;
            let waiting: Vec<_> = queue.waiting.drain(..).collect();
            let waker = queue.waker.take();
            drop(queue);
            for wire in waiting {
                wire.drop_end(1);
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn path(&self, from: IpAddr, to: IpAddr) -> Path {
        let state = self.lock();
        let mut path = state.paths.get(&(from, to)).copied().unwrap_or_default();
        path.cut |= state.down.contains_key(&from) || state.down.contains_key(&to);
        path
    }

    /// A time for one passage, varied a little.
    fn passage(&self, path: &Path, octets: usize) -> Duration {
        let latency = u64::try_from(path.latency.as_micros()).unwrap_or(u64::MAX).max(1);
        let varied = Duration::from_micros(latency / 2 + self.inner.random.within(0..latency));
        match path.rate {
            None => varied,
            Some(rate) => {
                varied + Duration::from_micros((octets as u64).saturating_mul(1_000_000) / rate.max(1))
            }
        }
    }

    /// How many of `octets` pass from `from` to `to` before something strikes, and what does then.
    fn struck(&self, from: IpAddr, to: IpAddr, octets: u64) -> (u64, Option<Strike>) {
        let mut state = self.lock();
        let of_path = |planned: &Planned| planned.from == from && planned.to == to;
        let least =
            state.planned.iter().filter(|planned| of_path(planned)).map(|planned| planned.octets).min();
        let passes = least.map_or(octets, |least| least.min(octets));
        for planned in state.planned.iter_mut().filter(|planned| of_path(planned)) {
            planned.octets -= passes;
        }
        state.carried += passes;
        let due = state.planned.iter().position(|planned| of_path(planned) && planned.octets == 0);
        (passes, due.map(|index| state.planned.remove(index).strike))
    }

    /// Cuts a path for a while.
    fn cut_for(&self, from: IpAddr, to: IpAddr, time: Duration) {
        self.change(from, to, |path| path.cut = true);
        let network = self.clone();
        tokio::spawn(async move {
            // Over when its time is, or when all faults end.
            if tokio::time::timeout(time, network.inner.healed.notified()).await.is_err() {
                network.change(from, to, |path| path.cut = false);
            }
        });
    }

    /// The sabotage that makes everybody wait for everybody.
    async fn turnstile(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.inner.sabotage.blocking { Some(self.inner.turnstile.lock().await) } else { None }
    }

    fn wires(&self) -> Vec<Arc<Wire>> {
        let mut state = self.lock();
        state.wires.retain(|_, wire| wire.strong_count() > 0);
        state.wires.values().filter_map(Weak::upgrade).collect()
    }

    fn record(&self, what: &str, numbers: &[u64], octets: &[u8]) {
        let time = u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.inner.digest.event(what, time, numbers, octets);
    }

    fn announce(&self) {
        self.inner.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
