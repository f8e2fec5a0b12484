//! A TCP proxy that records what passes and breaks connections on purpose.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::{PcapBuilder, Ports, Segment, Side};

/// A TCP proxy on a loopback port of its own which records every connection and breaks it as told.
///
/// [`Proxy::plan`] says what happens to the connections to come, one fault each; connections beyond the plan pass
/// untouched. Dropping the proxy cuts everything.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What happens to one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: octets pass as they come.
    #[default]
    Pass,
    /// Reset at once, without a connection to the target.
    Refuse,
    /// Every piece of data waits so long before it is passed on.
    Delay(Duration),
    /// Breaks once `octets` octets of `side` have been passed on.
    Cut {
        /// The side whose octets are counted.
        side: Side,
        /// Octets that still get through.
        octets: u64,
        /// What happens then.
        how: Break,
    },
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both ends see the connection closed in order (FIN).
    Close,
    /// Both ends see a reset.
    Reset,
    /// Nothing passes any more in either direction, but the connections stay open.
    Silence,
}

/// What passed over one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The data that was passed on, in order.
    pub segments: Vec<Segment>,
    /// Whether the proxy broke the connection as planned.
    pub broken: bool,
    /// Whether the connection is over in both directions.
    pub ended: bool,
    half_ended: bool,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    plan: VecDeque<Fault>,
    recordings: Vec<Recording>,
    open: Vec<Option<(TcpStream, TcpStream)>>,
    stopping: bool,
}

impl Proxy {
    /// Listens on an ephemeral loopback port; connections go on to `target`.
    ///
    /// # Errors
    /// No socket to be had.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { target, state: Mutex::default(), changed: Condvar::new() });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Proxy { address, shared, acceptor: Some(acceptor) })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a fault for the next connection that has none yet.
    pub fn plan(&self, fault: Fault) {
        self.shared.lock().plan.push_back(fault);
    }

    /// What has passed so far, one recording a connection, in the order in which they were accepted.
    pub fn recordings(&self) -> Vec<Recording> {
        self.shared.lock().recordings.clone()
    }

    /// Waits until `ready` approves of the recordings and gives them; `None` after `limit`.
    pub fn wait(&self, limit: Duration, ready: impl Fn(&[Recording]) -> bool) -> Option<Vec<Recording>> {
        let end = Instant::now() + limit;
        let mut state = self.shared.lock();
        while !ready(&state.recordings) {
            let left = end.checked_duration_since(Instant::now())?;
            (state, _) =
                self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        Some(state.recordings.clone())
    }

    /// The recordings as a capture, all of them to port 102.
    pub fn to_pcap(&self) -> PcapBuilder {
        let mut pcap = PcapBuilder::new();
        for (number, recording) in (0u16..).zip(self.recordings()) {
            let ports = Ports { initiator: 40_000 + number % 20_000, responder: 102 };
            let turns = recording.segments.iter().map(|segment| (segment.side, segment.octets.as_slice()));
            pcap = pcap.conversation(ports, turns);
        }
        pcap
    }

    /// Breaks every connection that is open now.
    pub fn break_all(&self, how: Break) {
        let mut state = self.shared.lock();
        let open: Vec<usize> = (0..state.open.len()).collect();
        for number in open {
            state.break_connection(number, how);
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.break_all(Break::Reset);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of the thread has been printed; the drop of a failing test must not panic again.
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn break_connection(&mut self, number: usize, how: Break) {
        let (Some(slot), Some(recording)) = (self.open.get_mut(number), self.recordings.get_mut(number))
        else {
            return;
        };
        if !recording.ended {
            recording.broken = true;
        }
        let end: fn(&TcpStream) = match how {
            // The streams stay in their slot, so nothing is closed; nothing is passed on either.
            Break::Silence => return,
            Break::Close => shut,
            Break::Reset => reset,
        };
        recording.ended = true;
        if let Some((near, far)) = slot.take() {
            end(&near);
            end(&far);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((near, _)) = listener.accept() else { return };
        let mut state = shared.lock();
        if state.stopping {
            return;
        }
        let fault = state.plan.pop_front().unwrap_or_default();
        let number = state.recordings.len();
        state.recordings.push(Recording::default());
        state.open.push(None);
        drop(state);
        let far = if fault == Fault::Refuse { None } else { TcpStream::connect(shared.target).ok() };
        let Some(far) = far else {
            reset(&near);
            let mut state = shared.lock();
            if let Some(recording) = state.recordings.get_mut(number) {
                recording.broken = fault == Fault::Refuse;
                recording.ended = true;
            }
            shared.changed.notify_all();
            continue;
        };
        // Small records must not wait for one another: the proxy is to be invisible.
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let copies = (near.try_clone(), far.try_clone(), near.try_clone(), far.try_clone());
        let (Ok(near_copy), Ok(far_copy), Ok(near_kept), Ok(far_kept)) = copies else { return };
        if let Some(slot) = shared.lock().open.get_mut(number) {
            *slot = Some((near_kept, far_kept));
        }
        for (side, from, to) in [(Side::Initiator, near, far), (Side::Responder, far_copy, near_copy)] {
            let shared = Arc::clone(shared);
            thread::spawn(move || pass(&shared, number, side, fault, from, to));
        }
    }
}

/// Passes on what `side` sends until it ends or is broken.
fn pass(shared: &Shared, number: usize, side: Side, fault: Fault, mut from: TcpStream, mut to: TcpStream) {
    let mut left = match fault {
        Fault::Cut { side: counted, octets, how } if counted == side => Some((octets, how)),
        Fault::Pass | Fault::Refuse | Fault::Delay(_) | Fault::Cut { .. } => None,
    };
    let mut buffer = vec![0; 65_536];
    loop {
        if let Some((0, how)) = left {
            shared.lock().break_connection(number, how);
            shared.changed.notify_all();
            return;
        }
        let read = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        if let Fault::Delay(delay) = fault {
            thread::sleep(delay);
        }
        let limit = left.map_or(read, |(octets, _)| usize::try_from(octets).unwrap_or(read).min(read));
        let Some(data) = buffer.get(..limit) else { break };
        {
            // Recorded before it is sent: who has received something finds it in the recording.
            let mut state = shared.lock();
            let Some(recording) = state.recordings.get_mut(number) else { return };
            if recording.broken {
                return;
            }
            recording.segments.push(Segment { side, octets: data.to_vec() });
            shared.changed.notify_all();
        }
        if to.write_all(data).is_err() {
            break;
        }
        if let Some((octets, _)) = &mut left {
            *octets -= limit as u64;
        }
    }
    let mut state = shared.lock();
    let silent = state.recordings.get(number).is_some_and(|recording| recording.broken);
    if !silent {
        // Half a close is passed on as such; the other direction goes on until it ends too.
        let _ = to.shutdown(Shutdown::Write);
    }
    if let Some(recording) = state.recordings.get_mut(number) {
        recording.ended |= recording.half_ended;
        recording.half_ended = true;
    }
    shared.changed.notify_all();
}

fn shut(stream: &TcpStream) {
    // Fails only where the peer has closed already, which is what is wanted.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Makes the close of `stream` a reset. A linger time of zero throws away what is unsent; the reset goes out when
/// the last copy of the socket is closed, which ending the threads that read it brings about.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    let _ = stream.shutdown(Shutdown::Read);
}
