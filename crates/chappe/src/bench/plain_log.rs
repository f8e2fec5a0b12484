//! The least store that is durable: one file, to which everything is appended, and one synchronization for all that waits.
//!
//! It is what [`spool::EmbeddedSpool`] is compared with, driven by the same measurement through the same trait. It has no
//! records that could be looked up, no checks, no recovery, and never gives space back.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use spool::{
    Batch, BodyId, BodyWriter, BoxFuture, Commit, CommitError, Completer, FinishedBody, LastStop, Op, Space,
    Spool, SpoolError, Stats, Unhealthy,
};

/// The log.
pub(super) struct PlainLog {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    file: File,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bodies: Mutex<HashMap<BodyId, Place>>,
    next_body: AtomicU64,
    syncs: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<(Batch, Completer)>,
    closed: bool,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    len: usize,
}

struct Writer {
    id: BodyId,
    octets: Vec<u8>,
}

impl PlainLog {
    /// Makes a log in `dir`.
    pub(super) fn create(dir: &Path) -> Result<PlainLog, std::io::Error> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("log");
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(&path)?;
        let shared = Arc::new(Shared {
            path,
            file,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            bodies: Mutex::default(),
            next_body: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        });
        let committer = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("log-commit".to_owned()).spawn(move || shared.run())?
        };
        Ok(PlainLog { shared, committer: Some(committer) })
    }
}

impl Drop for PlainLog {
    fn drop(&mut self) {
        lock(&self.shared.waiting).closed = true;
        self.shared.arrived.notify_all();
        if let Some(committer) = self.committer.take() {
            // It has nobody left to tell.
            let _ = committer.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut end = 0;
        loop {
            let jobs = {
                let mut waiting = lock(&self.waiting);
                while waiting.jobs.is_empty() && !waiting.closed {
                    waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::take(&mut waiting.jobs)
            };
            if jobs.is_empty() {
                return;
            }
            let (mut octets, mut settled, mut gone) = (Vec::new(), Vec::new(), Vec::new());
            let mut completers = Vec::with_capacity(jobs.len());
            for (batch, completer) in jobs {
                for op in batch.into_ops() {
                    encode(op, end, &mut octets, &mut settled, &mut gone);
                }
                completers.push(completer);
            }
            let written = (&self.file).write_all(&octets).and_then(|()| self.file.sync_data());
            self.syncs.fetch_add(1, Ordering::Relaxed);
            end += octets.len() as u64;
            let outcome = written.map_err(|source| CommitError::Io {
                cause: Arc::new(SpoolError::File { action: "append to", path: self.path.clone(), source }),
            });
            let mut bodies = lock(&self.bodies);
            bodies.extend(settled);
            for body in gone {
                bodies.remove(&body);
            }
            drop(bodies);
            for completer in completers {
                completer.complete(outcome.clone());
            }
        }
    }
}

/// Appends one operation, which is all that this log knows of it.
fn encode(
    op: Op,
    end: u64,
    octets: &mut Vec<u8>,
    settled: &mut Vec<(BodyId, Place)>,
    gone: &mut Vec<BodyId>,
) {
    let mut field = |tag: u8, parts: [&[u8]; 2]| {
        octets.push(tag);
        for part in parts {
            octets.extend_from_slice(&(part.len() as u64).to_le_bytes());
            octets.extend_from_slice(part);
        }
        octets.len()
    };
    match op {
        Op::Put { key, value, .. } => {
            field(1, [&key, &value]);
        }
        Op::Delete { key, .. } => {
            field(2, [&key, &[]]);
        }
        Op::AssertAbsent { .. } | Op::AssertPresent { .. } | Op::Retain { .. } => {}
        Op::Link { body } => {
            let id = body.id();
            if let Ok(body) = body.into_reservation().downcast::<Vec<u8>>() {
                let after = field(3, [&id.0.to_le_bytes(), &body]);
                let offset = end + (after - body.len()) as u64;
                settled.push((id, Place { offset, len: body.len() }));
            }
        }
        Op::Release { body } => {
            field(4, [&body.0.to_le_bytes(), &[]]);
            gone.push(body);
        }
    }
}

impl BodyWriter for Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.octets.extend_from_slice(bytes);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    fn write_may_block(&self, _octets: usize) -> bool {
        false
    }

    fn finish_may_block(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>) -> Result<FinishedBody, SpoolError> {
        let len = self.octets.len();
        Ok(FinishedBody::new(self.id, len as u64, len, Box::new(self.octets)))
    }
}

impl Spool for PlainLog {
    fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError> {
        let id = BodyId(self.shared.next_body.fetch_add(1, Ordering::Relaxed));
        Ok(Box::new(Writer { id, octets: Vec::new() }))
    }

    fn commit(&self, batch: Batch) -> Commit {
        let (commit, completer) = Commit::pending();
        lock(&self.shared.waiting).jobs.push((batch, completer));
        self.shared.arrived.notify_one();
        commit
    }

    fn get(&self, _space: Space, _key: &[u8]) -> BoxFuture<'_, Result<Option<Vec<u8>>, SpoolError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn scan(
        &self,
        _space: Space,
        _prefix: &[u8],
        _after: Option<&[u8]>,
        _limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(Vec<u8>, Vec<u8>)>, SpoolError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn body_len(&self, body: BodyId) -> BoxFuture<'_, Result<u64, SpoolError>> {
        let place = lock(&self.shared.bodies).get(&body).copied();
        Box::pin(std::future::ready(
            place.map(|place| place.len as u64).ok_or(SpoolError::NoSuchBody { body }),
        ))
    }

    fn read_body(&self, body: BodyId, offset: u64, max: usize) -> BoxFuture<'_, Result<Vec<u8>, SpoolError>> {
        Box::pin(async move {
            let place = lock(&self.shared.bodies).get(&body).copied();
            let place = place.ok_or(SpoolError::NoSuchBody { body })?;
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(place.len);
            let mut octets = vec![0; max.min(place.len - from)];
            self.shared.file.read_exact_at(&mut octets, place.offset + from as u64).map_err(|source| {
                SpoolError::File { action: "read", path: self.shared.path.clone(), source }
            })?;
            Ok(octets)
        })
    }

    fn last_stop(&self) -> LastStop {
        LastStop::NoneBefore
    }

    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        None
    }

    fn stats(&self) -> Stats {
        Stats { syncs: self.shared.syncs.load(Ordering::Relaxed), ..Stats::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measurement_finds_all_it_has_stored() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = PlainLog::create(dir.path()).expect("a log");
        let found = spool::measure(&log, 3, 2, 5_000, 200).expect("a measurement");
        assert_eq!((found.messages, found.body_octets), (200, 1_000_000));
        assert!(found.syncs > 0, "nothing was forced to the disk");
        assert!(lock(&log.shared.bodies).is_empty(), "not all was removed");
    }
}
