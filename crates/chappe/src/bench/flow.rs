//! Messages on their way through an MTA: generators that bring them and sinks that take them, one thread for all
//! associations of each.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mhs::{MtaName, NameError};
use osi::rtse::RtRequest;
use osi::stack::StackConfig;
use runtime::p1_application;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::{LocalSet, spawn_local};

use super::exchange::{self, Bound, Called, Ended, Exchange, Job, Take, Transfer};
use super::peer::READ;
use super::{BenchError, io};

/// Without an answer or a single message for so long the MTA is stuck.
pub(super) const STUCK: Duration = Duration::from_secs(120);

/// How many messages have come to the sinks.
#[derive(Debug, Default)]
pub(super) struct Arrived(AtomicU64);

impl Arrived {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more; gives how many there are now.
    pub(super) fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits until there are so many.
    pub(super) fn wait(&self, wanted: u64) -> Result<(), BenchError> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let count = self.count();
            if count >= wanted {
                return Ok(());
            }
            if count != last {
                (last, since) = (count, Instant::now());
            }
            if since.elapsed() >= STUCK {
                return Err(BenchError::Mta(format!(
                    "relayed {count} of {wanted} messages, then nothing for {} s",
                    STUCK.as_secs()
                )));
            }
            thread::sleep(Duration::from_micros(500));
        }
    }
}

/// Takes whatever is brought to the MTA `called`; `each` is told of each message before it is
/// answered for.
///
/// It stands as long as this process. An association that fails is the MTA's to repeat; the count tells whether it did.
pub(super) fn sink(called: &str, each: impl Fn() + Clone + Send + 'static) -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("listen as a sink"))?;
    listener.set_nonblocking(true).map_err(io("listen as a sink"))?;
    let address = listener.local_addr().map_err(io("find a sink's port"))?;
    let called = name(called)?;
    let runtime = runtime()?;
    thread::spawn(move || {
        LocalSet::new().block_on(&runtime, async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((socket, _)) = listener.accept().await {
                spawn_local(swallow(socket, called.clone(), each.clone()));
            }
        });
    });
    Ok(address)
}

/// An association that fails is the MTA's to repeat.
async fn swallow(socket: TcpStream, called: MtaName, each: impl Fn()) {
    let exchange = Exchange::responder(stack());
    let Ok(mut line) = Line::on(socket, exchange) else { return };
    if line.run(&mut Called).await.is_err() || line.exchange.put(exchange::bind_accepted(&called)).is_err() {
        return;
    }
    while let Ok(true) = line.run(&mut Take::new(|_: &[u8]| each())).await {}
}

/// Brings `messages`, of which `make` makes each, over so many associations. Returns how long it took until the last one was
/// answered for.
pub(super) fn generate(
    to: SocketAddr,
    associations: u32,
    messages: u64,
    make: impl Fn(u64) -> Result<Vec<u8>, NameError> + Clone + 'static,
) -> Result<Duration, BenchError> {
    let name = name("GENERATOR")?;
    let next = Rc::new(Cell::new(0));
    let start = Instant::now();
    LocalSet::new().block_on(&runtime()?, async {
        let brought: Vec<_> = (0..u64::from(associations).min(messages))
            .map(|_| spawn_local(bring(to, name.clone(), Rc::clone(&next), messages, make.clone())))
            .collect();
        for association in brought {
            association.await.map_err(|_| BenchError::Association("a generator panicked".to_owned()))??;
        }
        Ok(start.elapsed())
    })
}

/// Brings the next message, as long as there is one.
async fn bring(
    to: SocketAddr,
    name: MtaName,
    next: Rc<Cell<u64>>,
    messages: u64,
    make: impl Fn(u64) -> Result<Vec<u8>, NameError>,
) -> Result<(), BenchError> {
    let socket = TcpStream::connect(to).await.map_err(io("connect to the MTA"))?;
    let mut line = Line::on(socket, Exchange::initiator(&name, stack()))?;
    line.run(&mut Bound).await?;
    while next.get() < messages {
        let number = next.replace(next.get() + 1);
        let apdu = make(number).map_err(|error| BenchError::Association(error.to_string()))?;
        let mut transfer = Transfer::begin(&mut line.exchange, &apdu)?;
        line.run(&mut transfer).await?;
    }
    line.exchange.put(RtRequest::Close)?;
    line.run(&mut Ended).await
}

/// One association of many that share a thread.
struct Line {
    socket: TcpStream,
    exchange: Exchange,
    incoming: Box<[u8]>,
}

impl Line {
    fn on(socket: TcpStream, exchange: Exchange) -> Result<Line, BenchError> {
        socket.set_nodelay(true).map_err(io("set TCP_NODELAY"))?;
        Ok(Line { socket, exchange, incoming: vec![0; READ].into_boxed_slice() })
    }

    async fn run<J: Job>(&mut self, job: &mut J) -> Result<J::Done, BenchError> {
        loop {
            let done = self.exchange.advance(job)?;
            let Exchange { outgoing, .. } = &mut self.exchange;
            self.socket.write_all(outgoing).await.map_err(io("write to an association"))?;
            outgoing.clear();
            if let Some(done) = done {
                return Ok(done);
            }
            if self.exchange.is_silent() && !self.exchange.has_ended() {
                let read = self.socket.read(&mut self.incoming).await;
                let count = read.map_err(io("read from an association"))?;
                self.exchange.receive(self.incoming.get(..count).unwrap_or_default());
            }
        }
    }
}

/// One thread for all associations of a side: it takes as little of the processors from the MTA as can be.
fn runtime() -> Result<Runtime, BenchError> {
    tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(io("start a runtime"))
}

pub(super) fn stack() -> StackConfig {
    StackConfig::new(p1_application())
}

pub(super) fn name(text: &str) -> Result<MtaName, BenchError> {
    MtaName::new(text).map_err(|error| BenchError::Association(error.to_string()))
}
