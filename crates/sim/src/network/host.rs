//! One host of the network, as an MTA or a scripted peer on it sees the world.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clock::WallTime;
use runtime::{Connection, Incoming, World, WorldFuture};
use tokio::time::Instant;

use super::connection::{Line, Listening, Wire};
use super::{Network, Queue, pump};
use crate::random::Random;

/// When every simulation begins: a time in 2026.
const EPOCH: i64 = 1_790_000_000;
/// First port given to an end that connects.
const FIRST_PORT: u16 = 40_000;
/// Connections that wait to be accepted; more are refused.
const BACKLOG: usize = 1_024;
/// One of so many connections is kept by the sabotage of that name.
const LEAKED_EACH: u64 = 7;

/// A host.
#[derive(Debug)]
pub struct HostWorld {
    network: Network,
    host: IpAddr,
    random: Random,
    ended: AtomicBool,
}

impl HostWorld {
    /// The host with this address.
    pub fn new(network: &Network, host: IpAddr, random: Random) -> HostWorld {
        HostWorld { network: network.clone(), host, random, ended: AtomicBool::new(false) }
    }

    /// What ran on the host has ended: nothing connects from here any more. It comes back with a world of its own.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Connects to `address`; waits as long as nothing answers.
    ///
    /// # Errors
    /// Refused.
    pub async fn open(&self, address: SocketAddr) -> io::Result<Line> {
        let network = &self.network;
        if self.ended.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        network.note_attempt(self.host, address);
        let _turnstile = network.turnstile().await;
        loop {
            let (there, back) =
                (network.path(self.host, address.ip()), network.path(address.ip(), self.host));
            if there.cut || back.cut {
                network.inner.changed.notified().await;
                continue;
            }
            tokio::time::sleep(network.passage(&there, 0) + network.passage(&back, 0)).await;
            if !network.path(self.host, address.ip()).cut && !network.path(address.ip(), self.host).cut {
                break;
            }
        }
        let queue = network.lock().listeners.get(&address).cloned();
        let Some(queue) = queue else {
            network.record("refused", &[u64::from(address.port())], &[]);
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let mut waiting = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed || waiting.waiting.len() >= BACKLOG {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let wire = network.wire(self.host, address);
        network.record("connected", &[wire.number, u64::from(address.port())], &[]);
        waiting.waiting.push_back(Arc::clone(&wire));
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        for from in [0, 1] {
            tokio::spawn(pump::run(network.clone(), Arc::clone(&wire), from));
        }
        Ok(Line { wire, at: 0 })
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// Somebody does already.
    pub fn accept_on(&self, address: SocketAddr) -> io::Result<Listening> {
        let queue = Arc::<Mutex<Queue>>::default();
        let mut state = self.network.lock();
        if state.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(address, Arc::clone(&queue));
        Ok(Listening { network: self.network.clone(), address, queue })
    }
}

impl World for HostWorld {
    fn wall(&self) -> WallTime {
        let skew = self.network.lock().skew.get(&self.host).copied().unwrap_or(0);
        let elapsed = i64::try_from(self.network.elapsed().as_secs()).unwrap_or(i64::MAX);
        WallTime::from_unix(EPOCH.saturating_add(elapsed).saturating_add(skew))
    }

    fn secret(&self, _number: u64) -> u64 {
        self.random.number()
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> WorldFuture<'a, Vec<SocketAddr>> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => Some(vec![address]),
            Err(_) => self.network.lock().names.get(host).cloned(),
        };
        let addresses = found.unwrap_or_default().into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Box::pin(std::future::ready(match addresses {
            none if Vec::is_empty(&none) => Err(io::Error::other("no such host")),
            some => Ok(some),
        }))
    }

    fn connect(&self, address: SocketAddr, from: Option<IpAddr>) -> WorldFuture<'_, Box<dyn Connection>> {
        Box::pin(async move {
            // A host has one address.
            if from.is_some_and(|from| from != self.host) {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            if self.network.inner.sabotage.again {
                for _ in 0..3 {
                    drop(self.open(address).await);
                }
            }
            let line = self.open(address).await?;
            self.network.leak(&line);
            Ok(Box::new(line) as Box<dyn Connection>)
        })
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        Ok(Box::new(self.accept_on(address)?))
    }
}

impl Network {
    pub(super) fn close_listener(&self, address: SocketAddr, queue: &Arc<Mutex<Queue>>) {
        let mut state = self.lock();
        if state.listeners.get(&address).is_some_and(|own| Arc::ptr_eq(own, queue)) {
            state.listeners.remove(&address);
        }
        drop(state);
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        let waiting: Vec<_> = queue.waiting.drain(..).collect();
        drop(queue);
        for wire in waiting {
            wire.fail(1, io::ErrorKind::ConnectionAborted);
            wire.drop_end(1);
        }
    }

    fn wire(&self, from: IpAddr, to: SocketAddr) -> Arc<Wire> {
        let mut state = self.lock();
        state.next_wire += 1;
        let number = state.next_wire;
        let port = state.next_port.entry(from).or_insert(FIRST_PORT);
        *port = port.checked_add(1).unwrap_or(FIRST_PORT);
        let wire = Arc::new(Wire::new(number, [SocketAddr::new(from, *port), to]));
        if state.wires.len() > 64 {
            state.wires.retain(|_, wire| wire.strong_count() > 0);
        }
        state.wires.insert(number, Arc::downgrade(&wire));
        wire
    }

    fn note_attempt(&self, from: IpAddr, to: SocketAddr) {
        let mut state = self.lock();
        *state.tried.entry((from, to.ip())).or_default() += 1;
        if state.keep_attempts {
            state.attempts.push((from, to, Instant::now()));
        }
    }

    /// The sabotage of that name: an end is held that nobody gives back.
    fn leak(&self, line: &Line) {
        if self.inner.sabotage.leak && line.wire.number.is_multiple_of(LEAKED_EACH) {
            self.lock().leaked.push(Arc::clone(&line.wire));
        }
    }
}
