//! Messages on their way through an MTA: generators that bring them and sinks that take them, each association a thread.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mhs::{MtaName, NameError};
use osi::stack::StackConfig;
use runtime::p1_application;

use super::peer::Peer;
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
    let address = listener.local_addr().map_err(io("find a sink's port"))?;
    let called = name(called)?;
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (called, each) = (called.clone(), each.clone());
            thread::spawn(move || {
                let Ok(mut peer) = Peer::accept(socket, &called, stack()) else { return };
                while let Ok(true) = peer.swallow(&each) {}
            });
        }
    });
    Ok(address)
}

/// Brings `messages`, of which `make` makes each, over so many associations. Returns how long it took until the last one was
/// answered for.
pub(super) fn generate(
    to: SocketAddr,
    associations: u32,
    messages: u64,
    make: impl Fn(u64) -> Result<Vec<u8>, NameError> + Clone + Send + 'static,
) -> Result<Duration, BenchError> {
    let name = name("GENERATOR")?;
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let threads: Vec<_> = (0..u64::from(associations).min(messages))
        .map(|_| {
            let (name, next, make) = (name.clone(), Arc::clone(&next), make.clone());
            thread::spawn(move || -> Result<(), BenchError> {
                let mut peer = Peer::connect(to, &name, stack())?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= messages {
                        return peer.close();
                    }
                    let apdu = make(number).map_err(|error| BenchError::Association(error.to_string()))?;
                    peer.transfer(&apdu)?;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| BenchError::Association("a generator thread panicked".to_owned()))??;
    }
    Ok(start.elapsed())
}

pub(super) fn stack() -> StackConfig {
    StackConfig::new(p1_application())
}

pub(super) fn name(text: &str) -> Result<MtaName, BenchError> {
    MtaName::new(text).map_err(|error| BenchError::Association(error.to_string()))
}
