//! One connection: what each end has written and read, and how each end learns of the other's.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use runtime::{Connection, Incoming};
use tokio::io::{Interest, Ready};
use tokio::sync::Notify;

use super::{Network, Queue};

/// Octets that one end may have written before the other has them, and those that wait to be read.
pub(super) const BUFFER: usize = 64 * 1024;

/// A connection. End 0 has opened it, end 1 has accepted it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) number: u64,
    pub(super) addresses: [SocketAddr; 2],
    state: Mutex<State>,
    /// Something has changed for the pump of the direction that begins at this end.
    pub(super) stirred: [Notify; 2],
}

#[derive(Debug, Default)]
struct State {
    ends: [End; 2],
}

#[derive(Debug, Default)]
struct End {
    /// Written here, not yet at the other end.
    outgoing: VecDeque<u8>,
    /// Come from the other end, not yet read.
    arrived: VecDeque<u8>,
    /// The other end has closed, and everything of it has arrived.
    finished: bool,
    /// Nobody holds this end any more.
    dropped: bool,
    /// What the holder of this end is told.
    error: Option<io::ErrorKind>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What the pump of one direction finds.
pub(super) enum Load {
    /// Octets wait, so many.
    Octets(usize),
    /// The sender has closed and nothing waits.
    Finished,
    /// Nothing waits.
    Nothing,
    /// The sending end is gone without closing in order.
    Broken {
        /// Its system says so, to whoever it can reach.
        tells: bool,
    },
}

impl End {
    fn wake(&mut self) -> Vec<Waker> {
        [self.reader.take(), self.writer.take()].into_iter().flatten().collect()
    }
}

impl Wire {
    pub(super) fn new(number: u64, addresses: [SocketAddr; 2]) -> Wire {
        Wire { number, addresses, state: Mutex::default(), stirred: [Notify::new(), Notify::new()] }
    }

    pub(super) fn is_between(&self, a: IpAddr, b: IpAddr) -> bool {
        let [x, y] = self.addresses.map(|address| address.ip());
        (x, y) == (a, b) || (x, y) == (b, a)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().ends.iter().any(|end| !end.dropped)
    }

    /// Both holders have let go and nothing is left to be carried.
    pub(super) fn is_over(&self) -> bool {
        self.lock().ends.iter().all(|end| end.dropped && (end.outgoing.is_empty() || end.error.is_some()))
    }

    /// The holder of this end has let go.
    pub(super) fn is_dropped(&self, at: usize) -> bool {
        self.lock().ends[at].dropped
    }

    pub(super) fn load(&self, from: usize) -> Load {
        let state = self.lock();
        let end = &state.ends[from];
        if let Some(error) = end.error {
            return Load::Broken { tells: error == io::ErrorKind::ConnectionAborted };
        }
        match (end.outgoing.len(), end.dropped) {
            (0, true) => Load::Finished,
            (0, false) => Load::Nothing,
            (octets, _) => Load::Octets(octets),
        }
    }

    /// Room for what arrives at this end; `None` if nobody is there to take it.
    pub(super) fn room(&self, at: usize) -> Option<usize> {
        let state = self.lock();
        let end = &state.ends[at];
        (!end.dropped && end.error.is_none()).then(|| BUFFER.saturating_sub(end.arrived.len()))
    }

    /// Lets octets arrive, and gives them back to be recorded.
    pub(super) fn arrive(&self, from: usize, octets: usize) -> Vec<u8> {
        let mut state = self.lock();
        let octets = octets.min(state.ends[from].outgoing.len());
        let moved: Vec<u8> = state.ends[from].outgoing.drain(..octets).collect();
        state.ends[1 - from].arrived.extend(&moved);
        let wakers = [state.ends[from].writer.take(), state.ends[1 - from].reader.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        moved
    }

    /// The other end of `from` learns that it has closed.
    pub(super) fn finish(&self, from: usize) {
        let mut state = self.lock();
        let end = &mut state.ends[1 - from];
        end.finished = true;
        let wakers = end.wake();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The holder of an end is told that the connection is lost.
    pub(super) fn fail(&self, at: usize, error: io::ErrorKind) {
        let mut state = self.lock();
        let end = &mut state.ends[at];
        end.error.get_or_insert(error);
        end.outgoing.clear();
        let wakers = end.wake();
        drop(state);
        self.stir();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn reset(&self, ends: [bool; 2]) {
        for at in [0, 1] {
            if ends[at] {
                self.fail(at, io::ErrorKind::ConnectionReset);
            }
        }
    }

    /// The process at this host has ended: what it had not read makes a reset of the closing.
    pub(super) fn kill(&self, host: IpAddr) {
        for at in [0, 1] {
            if self.addresses[at].ip() == host {
                let unread = !self.lock().ends[at].arrived.is_empty();
                if unread {
                    self.fail(at, io::ErrorKind::ConnectionAborted);
                }
                self.drop_end(at);
            }
        }
    }

    /// The host has forgotten the connection.
    pub(super) fn forget(&self, host: IpAddr) {
        for at in [0, 1] {
            if self.addresses[at].ip() == host {
                self.fail(at, io::ErrorKind::NotConnected);
                self.drop_end(at);
            }
        }
    }

    /// Nobody holds this end any more.
    pub(super) fn drop_end(&self, at: usize) {
        let mut state = self.lock();
        let end = &mut state.ends[at];
        end.dropped = true;
        end.arrived.clear();
        let wakers = end.wake();
        drop(state);
        self.stir();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn stir(&self) {
        for stirred in &self.stirred {
            stirred.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of a connection, in the hands of an MTA or of a scripted peer.
#[derive(Debug)]
pub struct Line {
    pub(super) wire: Arc<Wire>,
    pub(super) at: usize,
}

impl Line {
    /// Waits for octets; none if the other end has closed or the connection is lost.
    pub async fn read(&self, most: usize) -> Vec<u8> {
        let mut octets = vec![0; most];
        loop {
            match self.try_read(&mut octets) {
                Ok(count) => {
                    octets.truncate(count);
                    return octets;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = std::future::poll_fn(|context| self.poll_ready(context, Interest::READABLE));
                    if ready.await.is_err() {
                        return Vec::new();
                    }
                }
                Err(_) => return Vec::new(),
            }
        }
    }

    /// Writes all octets; false if the connection is lost.
    pub async fn write(&self, mut octets: &[u8]) -> bool {
        while !octets.is_empty() {
            match self.try_write(octets) {
                Ok(count) => octets = octets.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = std::future::poll_fn(|context| self.poll_ready(context, Interest::WRITABLE));
                    if ready.await.is_err() {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Waits until the other end has closed or the connection is lost, reading nothing.
    pub async fn ended(&self) {
        std::future::poll_fn(|context| {
            let mut state = self.wire.lock();
            let end = &mut state.ends[self.at];
            if end.finished || end.dropped || end.error.is_some() {
                return Poll::Ready(());
            }
            end.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the connection by a reset.
    pub fn reset(&self) {
        self.wire.reset([true, true]);
    }

    /// The address of the other end.
    pub fn peer(&self) -> SocketAddr {
        self.wire.addresses[1 - self.at]
    }
}

impl Connection for Line {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.wire.addresses[self.at])
    }

    fn poll_ready(&self, context: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        let mut state = self.wire.lock();
        let end = &mut state.ends[self.at];
        let lost = end.error.is_some() || end.dropped;
        let mut ready = Ready::EMPTY;
        if interest.is_readable() && (lost || end.finished || !end.arrived.is_empty()) {
            ready |= Ready::READABLE;
        }
        if interest.is_writable() && (lost || end.outgoing.len() < BUFFER) {
            ready |= Ready::WRITABLE;
        }
        if !ready.is_empty() {
            return Poll::Ready(Ok(ready));
        }
        if interest.is_readable() {
            end.reader = Some(context.waker().clone());
        }
        if interest.is_writable() {
            end.writer = Some(context.waker().clone());
        }
        Poll::Pending
    }

    fn try_read(&self, octets: &mut [u8]) -> io::Result<usize> {
        let mut state = self.wire.lock();
        let end = &mut state.ends[self.at];
        if end.dropped {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if end.arrived.is_empty() {
            return match (end.error, end.finished) {
                (Some(error), _) => Err(error.into()),
                (None, true) => Ok(0),
                (None, false) => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let count = octets.len().min(end.arrived.len());
        for (to, from) in octets.iter_mut().zip(end.arrived.drain(..count)) {
            *to = from;
        }
        drop(state);
        // There is room again.
        self.wire.stirred[1 - self.at].notify_one();
        Ok(count)
    }

    fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        let mut state = self.wire.lock();
        let end = &mut state.ends[self.at];
        if let Some(error) = end.error.or(end.dropped.then_some(io::ErrorKind::NotConnected)) {
            return Err(error.into());
        }
        let count = octets.len().min(BUFFER.saturating_sub(end.outgoing.len()));
        if count == 0 && !octets.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        end.outgoing.extend(octets.iter().take(count));
        drop(state);
        self.wire.stirred[self.at].notify_one();
        Ok(count)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let unread = {
            let state = self.wire.lock();
            let end = &state.ends[self.at];
            !end.arrived.is_empty() && !end.dropped
        };
        // TCP resets a connection that is closed with octets unread.
        if unread {
            self.wire.fail(self.at, io::ErrorKind::ConnectionAborted);
        }
        self.wire.drop_end(self.at);
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listening {
    pub(super) network: Network,
    pub(super) address: SocketAddr,
    pub(super) queue: Arc<Mutex<Queue>>,
}

impl Listening {
    /// The next connection; `None` when the host has ended.
    pub async fn accept(&self) -> Option<Line> {
        std::future::poll_fn(|context| self.poll_line(context)).await
    }

    fn poll_line(&self, context: &mut Context<'_>) -> Poll<Option<Line>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.waiting.pop_front() {
            Some(wire) => Poll::Ready(Some(Line { wire, at: 1 })),
            None if queue.closed => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Incoming for Listening {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Connection>, SocketAddr)>> {
        match self.poll_line(context) {
            Poll::Ready(Some(line)) => {
                let peer = line.peer();
                Poll::Ready(Ok((Box::new(line), peer)))
            }
            // The host is no more; nobody is there to be told.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.network.close_listener(self.address, &self.queue);
    }
}
