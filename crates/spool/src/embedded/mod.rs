//! The embedded engine: bodies in segment files, records in an ordered index, one directory, one process.
//!
//! ```text
//! LOCK  FORMAT  LAST  segments/0000000000000000.seg ...  index/
//! ```
//!
//! Small bodies are appended to a shared segment by the committer thread; a large one streams to a segment of its
//! own. An entry of the index names the place of each body and counts its references. One durable step writes many
//! batches with one sync: their bodies and, behind them, what they change in the index go to the shared segment, and then
//! the index is told (modules `committer`, `log`). Reads run in the caller: an index lookup or a read
//! of a piece of a file, mostly served from memory; an asynchronous caller that minds a slow disk asks for pieces
//! of moderate size, or reads on a thread that may block.
//!
//! Two threads belong to a store: the committer, and a sweeper that unlinks empty segments.

mod check;
mod committer;
mod compaction;
mod directory;
mod disk;
mod entry;
mod index;
mod journal;
mod last;
mod log;
mod opening;
mod options;
mod place;
mod queue;
mod reader;
mod record;
mod recovery;
mod reserve;
mod segment;
mod step;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

pub use check::{BodyEntry, Examined, Finding, Gravity, OnProgress, Stage as CheckStage};
use committer::Committer;
use directory::{Directory, Found};
pub use disk::DiskCall;
#[cfg(feature = "conformance")]
pub use disk::DiskJudge;
use disk::{Disk, DiskFile};
use index::Index;
pub use last::LastStop;
use last::{Last, Told};
use log::Gaps;
use opening::Opened;
pub use options::{CheckOnStart, OpenError, Options};
use queue::Queue;
use reader::Reader;
use recovery::Recovered;
use reserve::Reserve;
use segment::{Emptied, Segments};
use writer::EmbeddedBodyWriter;

use crate::spool::ScanResult;
use crate::staging::check_space;
use crate::sync::lock;
use crate::{Batch, BodyId, BodyWriter, BoxFuture, Commit, Space, Spool, SpoolError, Stats, Unhealthy};

/// A store in a directory of the local file system.
///
/// Dropping it, like [`EmbeddedSpool::close`], writes what waits and ends its threads. Writers and finished bodies
/// which outlive it keep the directory locked.
#[derive(Debug)]
pub struct EmbeddedSpool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    last_stop: LastStop,
}

/// What the store's threads, writers and readers share.
struct Shared {
    options: Options,
    disk: Disk,
    // Before the directory, so that the lock is let go after the index is closed.
    index: Index,
    directory: Directory,
    queue: Queue,
    reader: Reader,
    reserve: Reserve,
    counters: Counters,
    next_segment: AtomicU64,
    body_ids: Mutex<BodyIds>,
    health: Mutex<Health>,
}

/// Names not yet given out, durably set aside.
#[derive(Debug)]
struct BodyIds {
    next: u64,
    limit: u64,
}

#[derive(Debug, Default)]
struct Health {
    stopped: Option<Arc<SpoolError>>,
    no_space: Option<Arc<SpoolError>>,
    last_error: Option<String>,
}

#[derive(Debug, Default)]
struct Counters {
    batches_applied: AtomicU64,
    batches_refused: AtomicU64,
    commits: AtomicU64,
    syncs: AtomicU64,
    bodies: AtomicU64,
    body_octets: AtomicU64,
    segments: AtomicU64,
    bodies_damaged: AtomicU64,
    live_octets: AtomicU64,
    segment_octets: AtomicU64,
    bodies_moved: AtomicU64,
}

impl EmbeddedSpool {
    /// Opens the store in `directory`, or makes a new one there if it is empty or not there.
    ///
    /// # Errors
    /// See [`OpenError`]. Damaged bodies are no reason: they are counted in [`Stats::bodies_damaged`].
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<EmbeddedSpool, OpenError> {
        Self::open_on(directory.as_ref(), options, Disk::default(), Gaps::Refuse)
    }

    /// The same on a file system whose calls `judge` may refuse.
    ///
    /// # Errors
    /// As [`EmbeddedSpool::open`].
    #[cfg(feature = "conformance")]
    pub fn open_judged(
        directory: impl AsRef<Path>,
        options: Options,
        judge: DiskJudge,
    ) -> Result<EmbeddedSpool, OpenError> {
        Self::open_on(directory.as_ref(), options, Disk::judged(judge), Gaps::Refuse)
    }

    fn open_on(
        directory: &Path,
        options: Options,
        disk: Disk,
        gaps: Gaps,
    ) -> Result<EmbeddedSpool, OpenError> {
        let (directory, found) = Directory::lock(directory)?;
        if found == Found::Nothing {
            directory.begin_creation()?;
        }
        let told = Told::read(directory.root())?;
        let files = recovery::list(directory.segments())?;
        let Opened { index, highest_body } =
            opening::open(&directory, found, &options, disk.clone(), told, &files, gaps)?;
        let last_stop = match (found, told) {
            (Found::Nothing, _) => LastStop::NoneBefore,
            // A version that does not write the file may have been at work after it was written.
            (Found::Store | Found::OlderStore, Some(told)) if told.stopped && told.step == index.step() => {
                LastStop::InOrder
            }
            (Found::Store | Found::OlderStore, _) => LastStop::Disorderly,
        };
        if found != Found::Nothing {
            index.keep_step(Last::begin(directory.root(), index.step())?);
        }
        let body_ids = BodyIds::open(&index, highest_body, &options)?;
        let recovered = Recovered::find(&directory, &index, &disk, &files, gaps)?;
        if found != Found::Store {
            directory.mark_complete()?;
        }
        if found == Found::Nothing {
            index.keep_step(Last::begin(directory.root(), index.step())?);
        }
        let shared = Arc::new(Shared {
            queue: Queue::new(options.queue_bytes, options.commit_delay),
            reader: Reader::default(),
            reserve: Reserve::new(directory.root().to_owned(), options.reserve_bytes),
            counters: Counters {
                bodies: recovered.bodies.into(),
                body_octets: recovered.body_octets.into(),
                segments: recovered.segments.into(),
                bodies_damaged: recovered.damaged.into(),
                live_octets: recovered.live.values().map(|live| live.octets).sum::<u64>().into(),
                segment_octets: recovered.live.values().map(|live| live.len).sum::<u64>().into(),
                ..Counters::default()
            },
            next_segment: AtomicU64::new(recovered.next_segment),
            body_ids: Mutex::new(body_ids),
            health: Mutex::new(Health { last_error: recovered.first_damage, ..Health::default() }),
            options: Options { inline_limit: options.inline_limit.min(INLINE_LIMIT_MAX), ..options },
            index,
            directory,
            disk,
        });
        let spool = EmbeddedSpool { shared: Arc::clone(&shared), threads: Mutex::default(), last_stop };
        let (sweeper, emptied) = mpsc::channel();
        let segments = Segments::new(Arc::clone(&shared), recovered.live);
        let committer = Committer::new(Arc::clone(&shared), segments, sweeper);
        spool.spawn("spool-commit", move || committer.run())?;
        spool.spawn("spool-sweep", move || sweep(&shared, &emptied))?;
        Ok(spool)
    }

    /// Writes what waits, ends the threads and lets the directory go, unless writers or finished bodies still
    /// hold it.
    pub fn close(self) {
        drop(self);
    }

    /// Writes what waits and notes durably that the store was stopped in order, which the next opening tells by
    /// [`Spool::last_stop`]. Reading goes on; commits are refused from now on. Dropping does the same; this is for who
    /// can't know when the last owner lets the store go. It blocks.
    ///
    /// # Errors
    /// The disk refuses the note: the next opening takes this stop for a disorderly one. Nothing else depends on it.
    pub fn end(&self) -> Result<(), SpoolError> {
        self.shared.queue.close();
        let mut threads = lock(&self.threads);
        if threads.is_empty() {
            return Ok(());
        }
        let mut in_order = self.shared.stopped().is_none();
        for thread in threads.drain(..) {
            // A thread that panicked has already closed the queue behind it.
            in_order &= thread.join().is_ok();
        }
        if in_order && self.shared.stopped().is_none() { self.shared.index.end() } else { Ok(()) }
    }

    /// The directory, with all links resolved.
    pub fn directory(&self) -> &Path {
        self.shared.directory.root()
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        lock(&self.threads).push(thread.map_err(|source| OpenError::Thread { source })?);
        Ok(())
    }
}

/// Most that [`Options::inline_limit`] counts for: a batch must be able to carry such a body.
const INLINE_LIMIT_MAX: usize = 16 << 20;

impl Drop for EmbeddedSpool {
    fn drop(&mut self) {
        // Without the note the next opening looks more closely than it needs to.
        let _ = self.end();
    }
}

impl Spool for EmbeddedSpool {
    fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError> {
        if let Some(cause) = self.shared.stopped() {
            return Err(SpoolError::Stopped { cause });
        }
        if self.shared.queue.is_closed() {
            return Err(SpoolError::Closed);
        }
        let id = self.shared.next_body_id()?;
        Ok(Box::new(EmbeddedBodyWriter::new(Arc::clone(&self.shared), id)))
    }

    fn commit(&self, batch: Batch) -> Commit {
        if let Err(refusal) = batch.check() {
            self.shared.counters.batches_refused.fetch_add(1, Ordering::Relaxed);
            return Commit::ready(Err(refusal));
        }
        if batch.is_empty() {
            return Commit::ready(Ok(()));
        }
        self.shared.queue.push(batch)
    }

    fn get(&self, space: Space, key: &[u8]) -> BoxFuture<'_, Result<Option<Vec<u8>>, SpoolError>> {
        let key = key.to_vec();
        Box::pin(async move {
            check_space(space)?;
            self.shared.index.get(space, &key).inspect_err(|error| self.shared.note(error))
        })
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> BoxFuture<'_, ScanResult> {
        let prefix = prefix.to_vec();
        let after = after.map(<[u8]>::to_vec);
        Box::pin(async move {
            check_space(space)?;
            let found = self.shared.index.scan(space, &prefix, after.as_deref(), limit);
            found.inspect_err(|error| self.shared.note(error))
        })
    }

    fn body_len(&self, body: BodyId) -> BoxFuture<'_, Result<u64, SpoolError>> {
        Box::pin(async move {
            let counted = self.shared.index.body(body).inspect_err(|error| self.shared.note(error))?;
            counted.map(|counted| counted.place.len).ok_or(SpoolError::NoSuchBody { body })
        })
    }

    fn read_body(&self, body: BodyId, offset: u64, max: usize) -> BoxFuture<'_, Result<Vec<u8>, SpoolError>> {
        Box::pin(async move {
            let read = self.shared.reader.read(&self.shared, body, offset, max);
            read.inspect_err(|error| match error {
                SpoolError::NoSuchBody { .. } => {}
                SpoolError::Damaged { .. }
                | SpoolError::File { .. }
                | SpoolError::NoSpace { .. }
                | SpoolError::IndexDamaged { .. }
                | SpoolError::IndexBehind { .. }
                | SpoolError::Index { .. }
                | SpoolError::BadEntry { .. }
                | SpoolError::ReservedSpace { .. }
                | SpoolError::Abandoned { .. }
                | SpoolError::Stopped { .. }
                | SpoolError::Closed => self.shared.note(error),
            })
        })
    }

    fn last_stop(&self) -> LastStop {
        self.last_stop
    }

    fn unhealthy_reason(&self) -> Option<Unhealthy> {
        let health = lock(&self.shared.health);
        match (&health.stopped, &health.no_space) {
            (Some(cause), _) => Some(Unhealthy::Stopped { cause: Arc::clone(cause) }),
            (None, Some(cause)) => Some(Unhealthy::NoSpace { cause: Arc::clone(cause) }),
            (None, None) => {
                drop(health);
                self.shared.reserve.verdict()
            }
        }
    }

    fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            batches_applied: read(&counters.batches_applied),
            batches_refused: read(&counters.batches_refused),
            commits: read(&counters.commits),
            syncs: read(&counters.syncs),
            bodies: read(&counters.bodies),
            body_octets: read(&counters.body_octets),
            segments: read(&counters.segments),
            live_octets: read(&counters.live_octets),
            dead_octets: read(&counters.segment_octets).saturating_sub(read(&counters.live_octets)),
            bodies_moved: read(&counters.bodies_moved),
            batches_waiting: self.shared.queue.len() as u64,
            bodies_damaged: read(&counters.bodies_damaged),
            last_error: lock(&self.shared.health).last_error.clone(),
        }
    }
}

impl Shared {
    /// Creates the next segment file. Its name is not yet durable.
    fn create_segment(&self) -> Result<(u64, PathBuf, DiskFile), SpoolError> {
        let number = self.next_segment.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.segment(number);
        let file = self.disk.create(&path)?;
        self.counters.segments.fetch_add(1, Ordering::Relaxed);
        self.reserve.measure();
        Ok((number, path, file))
    }

    fn next_body_id(&self) -> Result<BodyId, SpoolError> {
        let mut ids = lock(&self.body_ids);
        if ids.next >= ids.limit {
            let limit = ids.next.saturating_add(self.options.body_id_step.max(1));
            match self.index.set_body_id_limit(limit) {
                Ok(()) => {}
                Err(error @ SpoolError::NoSpace { .. }) => {
                    self.met(&error);
                    return Err(error);
                }
                // What else of the journal is on the disk is unknown then.
                Err(error) => return Err(SpoolError::Stopped { cause: self.stop(error) }),
            }
            ids.limit = limit;
        }
        let id = BodyId(ids.next);
        ids.next = ids.next.saturating_add(1);
        Ok(id)
    }

    /// Why nothing more is written, if so.
    fn stopped(&self) -> Option<Arc<SpoolError>> {
        lock(&self.health).stopped.clone()
    }

    /// Ends writing for good.
    fn stop(&self, error: SpoolError) -> Arc<SpoolError> {
        let cause = Arc::new(error);
        let mut health = lock(&self.health);
        health.last_error = Some(cause.to_string());
        Arc::clone(health.stopped.get_or_insert(cause))
    }

    /// Why a write found no space, if the last one did.
    fn no_space(&self) -> Option<Arc<SpoolError>> {
        lock(&self.health).no_space.clone()
    }

    /// There is no space until a write finds some.
    fn ran_out_of_space(&self, error: SpoolError) -> Arc<SpoolError> {
        self.note(&error);
        let cause = Arc::new(error);
        lock(&self.health).no_space = Some(Arc::clone(&cause));
        cause
    }

    /// A write found space.
    fn found_space(&self) {
        lock(&self.health).no_space = None;
    }

    /// Keeps the error of a body's writer for the operator. What the error says of the disk holds for all.
    fn met(&self, error: &SpoolError) {
        self.note(error);
        if let SpoolError::NoSpace { action, path, source } = error {
            let source = std::io::Error::new(source.kind(), source.to_string());
            let error = SpoolError::NoSpace { action, path: path.clone(), source };
            lock(&self.health).no_space.get_or_insert(Arc::new(error));
        }
    }

    /// Keeps an error for the operator.
    fn note(&self, error: &SpoolError) {
        lock(&self.health).last_error = Some(error.to_string());
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl BodyIds {
    /// Sets a fresh range aside; what was left of the last one is not used, nor any name up to `highest`.
    fn open(index: &Index, highest: Option<BodyId>, options: &Options) -> Result<BodyIds, SpoolError> {
        let next =
            index.body_id_limit()?.unwrap_or(1).max(highest.map_or(0, |highest| highest.0.saturating_add(1)));
        let limit = next.saturating_add(options.body_id_step.max(1));
        index.set_body_id_limit(limit)?;
        Ok(BodyIds { next, limit })
    }
}

/// Unlinks emptied segments until the committer ends.
fn sweep(shared: &Shared, emptied: &Receiver<Emptied>) {
    let mut persisted = 0;
    // Those for which the index has to be written again, and there is no space for that.
    let mut waiting = Vec::new();
    for emptied in emptied {
        waiting.push(emptied);
        if waiting.iter().any(|emptied| emptied.last_step.is_some_and(|step| step > persisted)) {
            match shared.index.persist() {
                Ok(step) => persisted = step,
                Err(error @ SpoolError::NoSpace { .. }) => shared.note(&error),
                // What the journal holds of the steps is unknown now; the log still has them, but it must not go on.
                Err(error) => {
                    shared.stop(error);
                    return;
                }
            }
        }
        waiting.retain(|emptied| {
            let certain = emptied.last_step.is_none_or(|step| step <= persisted);
            if certain {
                unlink(shared, emptied.number);
            }
            !certain
        });
    }
}

fn unlink(shared: &Shared, number: u64) {
    let path = shared.directory.segment(number);
    match shared.disk.remove(&path) {
        Ok(()) => {
            shared.counters.segments.fetch_sub(1, Ordering::Relaxed);
        }
        // It is tried again when the store is next opened.
        Err(error) => shared.note(&error),
    }
    shared.reader.retired(number);
}
