//! A queue with a thread behind it, for lines that go where writing may take time. Whoever has something to say never waits:
//! what does not fit is counted, and the count is told when lines get through again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait.
pub(super) const QUEUE: usize = 1_024;
/// Between two tellings of losses.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);

enum Job {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The near end of the queue.
#[derive(Debug)]
pub(super) struct Outlet {
    queue: SyncSender<Job>,
    counts: Arc<Counts>,
}

/// What both ends know.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Lines that are in the queue, or on their way from it.
    waiting: AtomicU64,
    lost: AtomicU64,
}

/// Where lines go at the far end.
pub(super) trait Far: Send + 'static {
    /// Passes one on; tells whether it has got there.
    fn pass_on(&mut self, octets: &[u8]) -> bool;

    /// So many lines were lost before this moment, at which they get through again.
    fn tell_lost(&mut self, lost: u64);
}

/// Waits for what is in the queue.
#[derive(Debug)]
pub(super) struct Flush(SyncSender<Job>);

impl Flush {
    /// Returns when everything said before has been passed on, or after `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        let (done, passed) = sync_channel(1);
        // A full queue means that nothing moves: what is in it is lost with the process.
        if self.0.try_send(Job::Flush(done)).is_ok() {
            let _ = passed.recv_timeout(patience);
        }
    }
}

impl Outlet {
    /// Starts the thread, under this name.
    pub(super) fn start(name: &str, far: impl Far) -> io::Result<Outlet> {
        let (queue, jobs) = sync_channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let end = End { far, counts: Arc::clone(&counts), complained: None };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || end.run(&jobs))?;
        Ok(Outlet { queue, counts })
    }

    /// For the end of the program.
    pub(super) fn flush(&self) -> Flush {
        Flush(self.queue.clone())
    }

    /// Queues a line, or counts it as lost.
    pub(super) fn send(&self, octets: Vec<u8>) {
        self.counts.waiting.fetch_add(1, Ordering::AcqRel);
        if self.queue.try_send(Job::Line(octets)).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::AcqRel);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether no line is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.waiting.load(Ordering::Acquire) == 0
    }

    /// Lines that were lost and not told of.
    #[cfg(test)]
    pub(super) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

/// The far end of the queue.
struct End<F> {
    far: F,
    counts: Arc<Counts>,
    complained: Option<Instant>,
}

impl<F: Far> End<F> {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Flush(done) => {
                    // Whoever asked may have gone.
                    let _ = done.try_send(());
                }
                Job::Line(octets) => {
                    self.pass_on(&octets);
                    self.counts.waiting.fetch_sub(1, Ordering::AcqRel);
                }
            }
        }
    }

    fn pass_on(&mut self, octets: &[u8]) {
        if !self.far.pass_on(octets) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_soon = self.complained.is_some_and(|at| at.elapsed() < COMPLAINT_PAUSE);
        let lost = if is_soon { 0 } else { self.counts.lost.swap(0, Ordering::Relaxed) };
        if lost > 0 {
            self.complained = Some(Instant::now());
            self.far.tell_lost(lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Passes on as long as it is let.
    struct Gate {
        open: Receiver<()>,
        passed: Sender<String>,
    }

    impl Far for Gate {
        fn pass_on(&mut self, octets: &[u8]) -> bool {
            let is_open = self.open.recv().is_ok();
            self.passed.send(String::from_utf8_lossy(octets).into_owned()).unwrap();
            is_open
        }

        fn tell_lost(&mut self, lost: u64) {
            self.passed.send(format!("lost {lost}")).unwrap();
        }
    }

    #[test]
    fn who_says_something_never_waits_and_hears_of_what_was_lost() {
        let ((let_it, open), (passed, heard)) = (channel(), channel());
        let outlet = Outlet::start("test", Gate { open, passed }).unwrap();
        // One is on its way at most, and so many wait.
        let said = QUEUE + 1 + 7;
        for n in 0..said {
            outlet.send(n.to_string().into_bytes());
        }
        let lost = outlet.lost();
        assert!((7..=8).contains(&lost) && !outlet.is_empty());
        for _ in 0..said {
            let_it.send(()).unwrap();
        }
        assert_eq!(heard.recv().unwrap(), "0");
        assert_eq!(heard.recv().unwrap(), format!("lost {lost}"));
        outlet.flush().wait(Duration::from_secs(60));
        assert!(outlet.is_empty() && outlet.lost() == 0);
        let rest: Vec<String> = heard.try_iter().collect();
        assert_eq!(rest.len() as u64, said as u64 - lost - 1);
        assert_eq!((rest[0].as_str(), rest.is_sorted_by_key(|n| n.parse::<u64>().unwrap())), ("1", true));
    }
}
