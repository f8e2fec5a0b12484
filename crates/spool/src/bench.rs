//! Measures a store with the work of a transfer agent: messages come in, are read back, and go.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::sync::lock;
use crate::{Batch, BodyId, CommitError, Space, Spool, SpoolError, block_on};

/// Space used by the measurement; its records are gone when it ends well.
const SPACE: Space = Space::LAST;
/// Octets of the record that stands for an envelope.
const ENVELOPE: usize = 128;
/// Octets read at once.
const CHUNK: usize = 64 << 10;
/// Durable messages per consumer that may wait to be consumed.
const BACKLOG: usize = 64;

/// What a measurement found.
#[derive(Clone, Debug, PartialEq)]
pub struct Throughput {
    /// Messages which were stored durably, read back and removed durably.
    pub messages: u64,
    /// Octets of their bodies.
    pub body_octets: u64,
    /// From the first reservation to the last removal.
    pub elapsed: Duration,
    /// Half of the messages were stored durably within this time.
    pub store_median: Duration,
    /// All but one in a hundred were stored durably within this time.
    pub store_p99: Duration,
    /// Calls that forced data to the disk.
    pub syncs: u64,
}

impl Throughput {
    /// Messages stored, read and removed per second.
    pub fn messages_per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// A measurement did not come to its end.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// A body could not be written or read.
    #[error("the measurement failed: {0}")]
    Spool(#[from] SpoolError),
    /// A batch could not be committed.
    #[error("the measurement failed: {0}")]
    Commit(#[from] CommitError),
    /// A body came back with another length.
    #[error("body {body} came back with {found} octets instead of {stored}")]
    Length {
        /// The body.
        body: BodyId,
        /// Octets stored.
        stored: u64,
        /// Octets read.
        found: u64,
    },
}

/// Passes `messages` messages with bodies of `body_bytes` octets through `spool`: `producers` threads store them,
/// `consumers` threads read and remove them as they become durable. At least one thread of each kind runs.
///
/// The store should be otherwise idle. Keys of the measurement begin with "measure" in [`Space::LAST`].
///
/// # Errors
/// A failure ends the thread that meets it; the others go on, and the first failure is returned.
pub fn measure(
    spool: &dyn Spool,
    producers: usize,
    consumers: usize,
    body_bytes: usize,
    messages: u64,
) -> Result<Throughput, MeasureError> {
    let (producers, consumers) = (producers.max(1), consumers.max(1));
    let payload = payload(body_bytes);
    let syncs_before = spool.stats().syncs;
    let next = Mutex::new(0..messages);
    let (sender, receiver) = mpsc::sync_channel(consumers.saturating_mul(BACKLOG));
    let receiver = Arc::new(Mutex::new(receiver));
    let start = Instant::now();
    let mut stored = thread::scope(|scope| {
        let producing: Vec<_> = (0..producers)
            .map(|_| {
                let (sender, next, payload) = (sender.clone(), &next, &payload);
                scope.spawn(move || produce(spool, next, payload, &sender))
            })
            .collect();
        let consuming: Vec<_> = (0..consumers)
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || consume(spool, &receiver, body_bytes as u64))
            })
            .collect();
        // Each side ends when the other is gone, so neither may be kept alive from here.
        drop((sender, receiver));
        let mut stored = Vec::new();
        let mut outcome = Ok(());
        for thread in producing {
            match thread.join().unwrap_or_else(|panic| resume_unwind(panic)) {
                Ok(times) => stored.extend(times),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        for thread in consuming {
            outcome = outcome.and(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        outcome.map(|()| stored)
    })?;
    stored.sort_unstable();
    let quantile = |of_thousand: usize| {
        let index = stored.len().saturating_mul(of_thousand) / 1000;
        stored.get(index).or(stored.last()).copied().unwrap_or_default()
    };
    Ok(Throughput {
        messages,
        body_octets: messages.saturating_mul(body_bytes as u64),
        elapsed: start.elapsed(),
        store_median: quantile(500),
        store_p99: quantile(990),
        syncs: spool.stats().syncs.saturating_sub(syncs_before),
    })
}

/// A message that is durable.
struct Stored {
    key: Vec<u8>,
    body: BodyId,
}

/// Stores messages until none is left; returns how long each took.
fn produce(
    spool: &dyn Spool,
    next: &Mutex<Range<u64>>,
    payload: &[u8],
    sender: &SyncSender<Stored>,
) -> Result<Vec<Duration>, MeasureError> {
    let mut times = Vec::new();
    loop {
        let Some(number) = lock(next).next() else { return Ok(times) };
        let key = [b"measure", &number.to_be_bytes()[..]].concat();
        let start = Instant::now();
        let mut writer = spool.begin_body()?;
        for chunk in payload.chunks(CHUNK) {
            writer.write(chunk)?;
        }
        let mut batch = Batch::default();
        let body = batch.link_body(writer.finish()?);
        batch.put(SPACE, &key[..], [0; ENVELOPE]);
        spool.commit(batch).wait()?;
        times.push(start.elapsed());
        if sender.send(Stored { key, body }).is_err() {
            // All consumers failed; what happened is theirs to tell.
            return Ok(times);
        }
    }
}

/// Reads and removes messages until no producer is left.
fn consume(
    spool: &dyn Spool,
    receiver: &Mutex<Receiver<Stored>>,
    body_bytes: u64,
) -> Result<(), MeasureError> {
    loop {
        let Ok(Stored { key, body }) = lock(receiver).recv() else { return Ok(()) };
        let mut found = 0_u64;
        loop {
            let chunk = block_on(spool.read_body(body, found, CHUNK))?;
            if chunk.is_empty() {
                break;
            }
            found = found.saturating_add(chunk.len() as u64);
        }
        if found != body_bytes {
            return Err(MeasureError::Length { body, stored: body_bytes, found });
        }
        let mut batch = Batch::default();
        batch.assert_present(SPACE, &key[..]).delete(SPACE, key).release(body);
        spool.commit(batch).wait()?;
    }
}

/// Octets without a pattern, so that nothing below can profit from one.
fn payload(octets: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..octets)
        .map(|_| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, MemorySpool};

    #[test]
    fn every_message_comes_and_goes() {
        let spool = MemorySpool::new();
        let found = measure(&spool, 3, 2, 100_000, 200).unwrap();
        assert_eq!((found.messages, found.body_octets), (200, 20_000_000));
        assert!(found.store_median <= found.store_p99 && found.store_p99 <= found.elapsed);
        assert_eq!(spool.stats().bodies, 0);
        assert!(block_on(spool.scan(SPACE, b"", None, 1)).unwrap().is_empty());
        assert_eq!(spool.stats().batches_applied, 400);
    }

    #[test]
    fn a_failing_store_ends_the_measurement() {
        let spool = MemorySpool::new();
        spool.fail_next_commit(Fault::Lost);
        assert!(matches!(
            measure(&spool, 2, 2, 10, 10_000),
            Err(MeasureError::Commit(_) | MeasureError::Spool(_))
        ));
    }
}
