//! One TCP connection and the protocol stack on it: moves octets and time, gives out indications.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::settings::RtsSettings;
use osi::failure::Layer;
use osi::rtse::{Agreed, RtIndication, RtRequest, SessionConnectionIdentifier};
use osi::stack::{LayerStates, RequestError, Settlement, Stack, StackAction};
use tokio::io::Interest;
use tokio::time::Instant;

use crate::clocks::Clocks;
use crate::ledger::{Account, Connection};
use crate::loss::Loss;
use crate::recorder::Tap;
use crate::world::Socket;

/// Octets read from the socket at once.
const READ: usize = 16 * 1024;
/// Nothing is read, and no further segment is asked for, while more octets than this wait to be sent.
const OUTBOUND_LIMIT: usize = 256 * 1024;
/// The same while the buffers of all associations together are nearly full: enough to go on with.
const SHORT_LIMIT: usize = 32 * 1024;
/// How long a finished connection may take to send its last octets.
const LINGER: Duration = Duration::from_secs(5);

/// Octets that have passed a connection, and how its layers stand, for those who look on from outside.
#[derive(Debug)]
pub(crate) struct Passed {
    received: AtomicU64,
    sent: AtomicU64,
    /// Written when a layer changes its state, a few times in a message.
    layers: Mutex<(LayerStates, Settlement)>,
}

impl Passed {
    fn new(layers: LayerStates) -> Passed {
        let layers = Mutex::new((layers, Settlement::default()));
        Passed { received: AtomicU64::default(), sent: AtomicU64::default(), layers }
    }

    /// Received and sent so far.
    pub(crate) fn octets(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// How the layers stand, and what they have settled.
    pub(crate) fn layers(&self) -> (LayerStates, Settlement) {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, (LayerStates, Settlement)> {
        // It is replaced as a whole.
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives one [`Stack`]. All methods are cheap but [`Link::next`], which waits.
pub(crate) struct Link {
    socket: Socket,
    peer: SocketAddr,
    stack: Stack,
    clocks: Clocks,
    outbound: VecDeque<u8>,
    actions: Vec<StackAction>,
    indications: VecDeque<RtIndication>,
    read_closed: bool,
    closing: Option<Instant>,
    /// Octets wait to be sent and none has left since.
    unsent_since: Option<Instant>,
    passed: Arc<Passed>,
    /// What was told of the layers.
    layers: LayerStates,
    /// Where everything is recorded, unless the recorder is off.
    tap: Option<Tap>,
    /// Octets in `indications`.
    indicated: u64,
    /// The opening has a deadline of its own.
    opening: bool,
    counted: Connection,
    /// A peer that takes nothing for so long is gone, whatever its TCP says.
    stalled: Duration,
}

impl Link {
    /// Puts `stack` on a connected socket and starts it.
    pub(crate) fn new(
        socket: Socket,
        peer: SocketAddr,
        stack: Stack,
        clocks: Clocks,
        tap: Option<Tap>,
        counted: Connection,
        stalled: Duration,
    ) -> Self {
        let layers = stack.layers();
        let mut link = Link {
            socket,
            peer,
            stack,
            clocks,
            outbound: VecDeque::new(),
            actions: Vec::new(),
            indications: VecDeque::new(),
            read_closed: false,
            closing: None,
            unsent_since: None,
            passed: Arc::new(Passed::new(layers)),
            layers,
            tap,
            indicated: 0,
            opening: true,
            counted,
            stalled,
        };
        link.stack.start(link.clocks.mono(), &mut link.actions);
        link.absorb();
        link
    }

    /// Address of the peer.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The connector that the association turned out to belong to, and its account.
    pub(crate) fn belongs_to(&mut self, connector: &str, account: &Arc<Account>) {
        self.counted.belongs_to(account);
        if let Some(tap) = &self.tap {
            tap.belongs_to(connector);
        }
    }

    /// Lowers what is agreed to what the connector wants, before the bind is accepted.
    pub(crate) fn agree_at_most(&mut self, rts: &RtsSettings) {
        self.stack.agree_at_most(rts.checkpoint_size_kb, rts.window_size);
    }

    /// What was settled, while the association is open.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.stack.agreed()
    }

    /// Whether this side holds the turn.
    pub(crate) fn has_turn(&self) -> bool {
        self.stack.has_turn()
    }

    /// Whether the stack is further on than the indications taken from here.
    pub(crate) fn is_ahead(&self) -> bool {
        !self.indications.is_empty()
    }

    /// Whether the peer was refused because of the selectors that it called.
    pub(crate) fn was_called_in_vain(&self) -> bool {
        self.stack.was_called_in_vain()
    }

    /// An indication that is here already, however much waits to be sent: for the end of an association whose peer
    /// takes nothing.
    pub(crate) fn queued(&mut self) -> Option<RtIndication> {
        self.pop()
    }

    /// The opening is over, and so is its deadline.
    pub(crate) fn is_open(&mut self) {
        self.opening = false;
        self.count();
    }

    /// The name of the session connection; there once the opening has begun.
    pub(crate) fn session_connection(&self) -> Option<&SessionConnectionIdentifier> {
        self.stack.session_connection()
    }

    /// The activity in which the peer's APDU comes, from its start to its acceptance.
    pub(crate) fn receiving_activity(&self) -> Option<&[u8]> {
        self.stack.receiving_activity()
    }

    /// Octets that wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.outbound.len()
    }

    /// Octets received and sent on the socket so far.
    pub(crate) fn octets(&self) -> (u64, u64) {
        self.passed.octets()
    }

    /// Where these are counted.
    pub(crate) fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.passed)
    }

    /// Puts a request in; what it causes is sent by the following [`Link::next`].
    pub(crate) fn request(&mut self, request: RtRequest) -> Result<(), RequestError> {
        let opens = matches!(request, RtRequest::OpenAccept { .. });
        let result = self.stack.request(self.clocks.mono(), request, &mut self.actions);
        self.absorb();
        if let Some(tap) = self.tap.as_ref().filter(|_| opens) {
            tap.opened();
        }
        result
    }

    /// The next indication if it is here already, unless much waits to be sent.
    pub(crate) fn ready(&mut self) -> Option<RtIndication> {
        if self.is_ready() { self.pop() } else { None }
    }

    fn is_ready(&self) -> bool {
        !self.indications.is_empty() && self.outbound.len() < self.most()
    }

    /// Nothing is read, and no further segment is asked for, while so many octets wait to be sent.
    fn most(&self) -> usize {
        if self.counted.is_tight() { SHORT_LIMIT } else { OUTBOUND_LIMIT }
    }

    /// The next indication; `None` once the connection is closed and nothing more will come.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped and the call made again.
    pub(crate) async fn next(&mut self) -> Option<RtIndication> {
        loop {
            if let Some(indication) = self.ready() {
                return Some(indication);
            }
            if !self.outbound.is_empty() {
                // Most often the socket has room, and nothing has to be waited for.
                self.write();
                // A peer that takes whatever comes must not keep this thread from all others.
                tokio::task::consume_budget().await;
                if self.is_ready() {
                    continue;
                }
            }
            let gives_up = self.closing;
            if gives_up.is_some() && self.outbound.is_empty() {
                return self.pop();
            }
            let now = self.clocks.mono();
            let mut deadline = self.stack.deadline().map(|at| self.clocks.instant(at));
            for at in [gives_up, self.unsent_since.map(|since| since + self.stalled)].into_iter().flatten() {
                deadline = Some(deadline.map_or(at, |d| d.min(at)));
            }
            let wants_read = !self.read_closed && gives_up.is_none() && self.outbound.len() < self.most();
            let interest = match (wants_read, !self.outbound.is_empty()) {
                (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
                (true, false) => Some(Interest::READABLE),
                (false, true) => Some(Interest::WRITABLE),
                (false, false) => None,
            };
            let ready = async {
                match interest {
                    Some(interest) => self.socket.ready(interest).await,
                    None => std::future::pending().await,
                }
            };
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // The timer first: a peer that always has an octet to send must not hold it up.
            tokio::select! {
                biased;
                () = timer => {
                    if gives_up.is_some_and(|at| Instant::now() >= at) {
                        self.outbound.clear();
                    } else if self.unsent_since.is_some_and(|since| since.elapsed() >= self.stalled) {
                        self.lost(&Loss::Stalled(self.stalled));
                    } else {
                        self.stack.tick(now.max(self.clocks.mono()), &mut self.actions);
                        self.absorb();
                    }
                }
                ready = ready => match ready {
                    // What is to be written is written before the next wait.
                    Ok(ready) if wants_read && ready.is_readable() => self.read(),
                    Ok(_) => {}
                    Err(error) => self.lost(&Loss::Broken(error)),
                },
            }
        }
    }

    /// Sends what is left to send and lets the peer end the connection; closes it if that takes too long.
    ///
    /// Due after the last indication: that one comes as soon as the outcome is certain, while the PDU which tells the
    /// peer may still wait to be written.
    pub(crate) async fn finish(&mut self) {
        let _ = tokio::time::timeout(LINGER, async { while self.next().await.is_some() {} }).await;
    }

    fn pop(&mut self) -> Option<RtIndication> {
        let indication = self.indications.pop_front()?;
        self.indicated -= octets_of(&indication);
        self.count();
        Some(indication)
    }

    /// Tells the ledger how many deadlines and octets there are.
    fn count(&mut self) {
        let timers = [
            self.opening,
            self.stack.deadline().is_some(),
            self.closing.is_some(),
            self.unsent_since.is_some(),
        ];
        let timers = timers.into_iter().filter(|is_set| *is_set).count() as u64;
        self.counted.set(timers, self.outbound.len() as u64 + self.indicated);
    }

    fn read(&mut self) {
        let mut octets = [0; READ];
        match self.socket.try_read(&mut octets) {
            Ok(0) => self.lost(&Loss::Closed),
            Ok(count) => {
                self.passed.received.fetch_add(count as u64, Ordering::Relaxed);
                let received = octets.get(..count).unwrap_or_default();
                if let Some(tap) = &self.tap {
                    tap.received(received);
                }
                self.stack.receive(self.clocks.mono(), received, &mut self.actions);
                self.absorb();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.lost(&Loss::Broken(error)),
        }
    }

    fn write(&mut self) {
        let mut has_sent = false;
        while !self.outbound.is_empty() {
            let (front, _) = self.outbound.as_slices();
            match self.socket.try_write(front) {
                Ok(count) => {
                    has_sent |= count > 0;
                    self.passed.sent.fetch_add(count as u64, Ordering::Relaxed);
                    self.outbound.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return self.lost(&Loss::Broken(error)),
            }
        }
        if has_sent {
            self.stack.wrote(self.clocks.mono());
            self.unsent_since = (!self.outbound.is_empty()).then(Instant::now);
        }
        if self.outbound.capacity() > OUTBOUND_LIMIT {
            self.outbound.shrink_to(READ);
        }
        self.count();
    }

    /// The peer closed the connection or it broke.
    fn lost(&mut self, loss: &Loss) {
        let reset = !matches!(loss, Loss::Closed);
        self.read_closed = true;
        if let Some(tap) = &self.tap {
            tap.closed_by_peer(reset);
        }
        if reset {
            self.outbound.clear();
            self.unsent_since = None;
        }
        self.stack.transport_closed(self.clocks.mono(), reset, &mut self.actions);
        // The stack knows that the connection is gone, and the socket how.
        for action in &mut self.actions {
            if let StackAction::Indication(RtIndication::Aborted(aborted)) = action
                && aborted.layer == Layer::Tcp
            {
                aborted.text = loss.to_string();
            }
        }
        self.absorb();
        self.closing.get_or_insert_with(|| Instant::now() + LINGER);
    }

    fn absorb(&mut self) {
        for action in self.actions.drain(..) {
            match action {
                StackAction::Transmit(octets) => {
                    if let Some(tap) = &self.tap {
                        tap.sent(&octets);
                    }
                    self.outbound.extend(octets);
                    if !self.outbound.is_empty() {
                        self.unsent_since.get_or_insert_with(Instant::now);
                    }
                }
                StackAction::Indication(indication) => {
                    if let (Some(tap), RtIndication::OpenConfirm { .. }) = (&self.tap, &indication) {
                        tap.opened();
                    }
                    self.indicated += octets_of(&indication);
                    self.indications.push_back(indication);
                }
                StackAction::Close => {
                    self.closing.get_or_insert_with(|| Instant::now() + LINGER);
                }
            }
        }
        self.count();
        self.tell_layers();
    }

    /// Tells those who look on from outside how the layers stand, if that is another way than before.
    fn tell_layers(&mut self) {
        let layers = self.stack.layers();
        if layers == self.layers {
            return;
        }
        // Nothing more is settled once the association is open.
        let settles = self.opening || layers.association != self.layers.association;
        self.layers = layers;
        let settlement = settles.then(|| self.stack.settlement());
        let mut told = self.passed.lock();
        told.0 = layers;
        if let Some(settlement) = settlement {
            told.1 = settlement;
        }
    }
}

/// The octets of an APDU that an indication brings.
fn octets_of(indication: &RtIndication) -> u64 {
    if let RtIndication::TransferData(octets) = indication { octets.len() as u64 } else { 0 }
}
