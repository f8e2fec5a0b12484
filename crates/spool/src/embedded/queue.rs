//! Batches on their way to the committer: first come, first served, and bounded.
//!
//! Up to a number of octets wait inside the queue. A batch that finds no room is parked, in order, until there
//! is; parked batches are as many as there are unresolved commits, because a parked batch whose commit was
//! dropped is forgotten.
//!
//! A synchronization that has begun makes everybody wait who comes after it. So as long as batches keep coming for which
//! somebody outside waits, one for which nobody does begins none of its own at once: it waits a moment for their company.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::sync::{lock, wait_for};
use crate::{Batch, Commit, CommitError, Completer};

/// What a waiting batch costs beyond its octets, per operation: the operation itself.
const OP_OCTETS: usize = 64;
/// Most batches written with one step.
const GROUP_BATCHES: usize = 1024;
/// Octets after which a step takes no further batch.
const GROUP_OCTETS: usize = 16 << 20;
/// For how many delays after an urgent batch the next one is expected.
const EXPECTED: u32 = 8;
/// Parked batches below which it isn't worth looking for dropped commits.
const PURGE_MIN: usize = 64;

/// A batch and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) completer: Completer,
    octets: usize,
}

/// What the committer finds.
#[derive(Debug)]
pub(super) enum Taken {
    /// Batches to be written with one step, at least one.
    Group(Vec<Job>),
    /// Nothing came in time.
    Idle,
    /// Nothing is left and nothing will come.
    Closed,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    octets_max: usize,
    delay: Duration,
}

#[derive(Debug)]
struct State {
    admitted: VecDeque<Job>,
    /// When the first of these was, or one before it.
    admitted_since: Option<Instant>,
    admitted_octets: usize,
    /// Admitted batches which may not wait.
    urgent: usize,
    /// When the last such batch came.
    urgent_came: Option<Instant>,
    parked: VecDeque<Job>,
    purge_at: usize,
    closed: bool,
    taker: Taker,
}

/// What the committer does. To wake it costs a system call, whether it sleeps or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    Works,
    /// For anything at all.
    Waits,
    /// For something that may not wait.
    WaitsForCompany,
}

impl Queue {
    pub(super) fn new(octets_max: usize, delay: Duration) -> Self {
        let state = State {
            admitted: VecDeque::new(),
            admitted_since: None,
            admitted_octets: 0,
            urgent: 0,
            urgent_came: None,
            parked: VecDeque::new(),
            purge_at: PURGE_MIN,
            closed: false,
            taker: Taker::Works,
        };
        Queue { state: Mutex::new(state), arrived: Condvar::new(), octets_max, delay }
    }

    /// Never blocks for long; the commit resolves when the batch was taken and written.
    pub(super) fn push(&self, batch: Batch) -> Commit {
        let mut state = lock(&self.state);
        if state.closed {
            return Commit::ready(Err(CommitError::Closed));
        }
        let (commit, completer) = Commit::pending();
        let octets = batch.octets().saturating_add(batch.len().saturating_mul(OP_OCTETS));
        if !batch.is_patient() {
            state.urgent_came = Some(Instant::now());
        }
        state.park(Job { batch, completer, octets });
        state.admit(self.octets_max);
        let wakes = match state.taker {
            Taker::Works => false,
            Taker::Waits => true,
            Taker::WaitsForCompany => !state.expects_company(self.delay),
        };
        drop(state);
        if wakes {
            self.arrived.notify_one();
        }
        commit
    }

    /// Takes what waits, or waits for something up to `idle`.
    pub(super) fn take(&self, idle: Duration) -> Taken {
        let mut state = lock(&self.state);
        let until = Instant::now().checked_add(idle);
        while state.admitted.is_empty() && !state.closed {
            let left = until.map_or(idle, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            // Then a batch that may wait is looked for: it need not wake anybody, who would only wait on for company.
            let looks = state.is_company_near(self.delay);
            state.taker = if looks { Taker::WaitsForCompany } else { Taker::Waits };
            state = wait_for(&self.arrived, state, if looks { left.min(self.delay) } else { left });
        }
        while let Some(left) = state.waits_for_company(self.delay) {
            state.taker = Taker::WaitsForCompany;
            state = wait_for(&self.arrived, state, left);
        }
        state.taker = Taker::Works;
        let (mut group, mut octets) = (Vec::new(), 0_usize);
        while group.len() < GROUP_BATCHES && octets < GROUP_OCTETS {
            let Some(job) = state.admitted.pop_front() else { break };
            state.admitted_octets = state.admitted_octets.saturating_sub(job.octets);
            state.urgent = state.urgent.saturating_sub(usize::from(!job.batch.is_patient()));
            octets = octets.saturating_add(job.octets);
            group.push(job);
            state.admit(self.octets_max);
        }
        match (group.is_empty(), state.closed) {
            (false, _) => Taken::Group(group),
            (true, false) => Taken::Idle,
            (true, true) => Taken::Closed,
        }
    }

    /// Lets nothing more in; what waits is still to be taken.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.arrived.notify_all();
    }

    /// Closes, and drops what waits: nobody is left to take it.
    pub(super) fn abandon(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let jobs: Vec<Job> = state.admitted.drain(..).collect();
        let parked: Vec<Job> = state.parked.drain(..).collect();
        (state.admitted_octets, state.urgent) = (0, 0);
        drop(state);
        drop((jobs, parked));
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(super) fn len(&self) -> usize {
        let state = lock(&self.state);
        state.admitted.len().saturating_add(state.parked.len())
    }
}

impl State {
    /// Whether everything that is admitted may wait, and something that may not is likely to come soon.
    fn expects_company(&self, delay: Duration) -> bool {
        let patient = !self.admitted.is_empty() && self.urgent == 0 && self.parked.is_empty() && !self.closed;
        patient && self.is_company_near(delay)
    }

    /// Whether something that may not wait is likely to come soon.
    fn is_company_near(&self, delay: Duration) -> bool {
        self.urgent_came.is_some_and(|came| came.elapsed() < delay.saturating_mul(EXPECTED))
    }

    /// How much longer what is admitted waits for company, if it does.
    fn waits_for_company(&self, delay: Duration) -> Option<Duration> {
        let since = self.admitted_since.filter(|_| self.expects_company(delay))?;
        Some(delay.saturating_sub(since.elapsed())).filter(|left| !left.is_zero())
    }

    fn park(&mut self, job: Job) {
        self.parked.push_back(job);
        if self.parked.len() >= self.purge_at {
            self.parked.retain(|job| !job.completer.is_abandoned());
            self.purge_at = self.parked.len().saturating_mul(2).max(PURGE_MIN);
        }
    }

    /// Lets parked batches in as long as there is room. A batch larger than all room gets in when it is alone.
    fn admit(&mut self, octets_max: usize) {
        while let Some(job) = self.parked.front() {
            let octets = self.admitted_octets.saturating_add(job.octets);
            if octets > octets_max && !self.admitted.is_empty() {
                return;
            }
            let Some(job) = self.parked.pop_front() else { return };
            self.admitted_octets = octets;
            self.urgent = self.urgent.saturating_add(usize::from(!job.batch.is_patient()));
            if self.admitted.is_empty() {
                self.admitted_since = Some(Instant::now());
            }
            self.admitted.push_back(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Space;

    fn batch(octets: usize) -> Batch {
        let mut batch = Batch::default();
        batch.put(Space(0), b"", vec![0; octets]);
        batch
    }

    fn group(queue: &Queue) -> Vec<usize> {
        match queue.take(Duration::ZERO) {
            Taken::Group(jobs) => jobs.iter().map(|job| job.batch.octets()).collect(),
            Taken::Idle | Taken::Closed => Vec::new(),
        }
    }

    #[test]
    fn order_holds_when_batches_have_to_park() {
        let queue = Queue::new(1000, Duration::ZERO);
        let commits: Vec<Commit> = [600, 700, 1, 5000, 2].map(|octets| queue.push(batch(octets))).into();
        assert_eq!(queue.len(), 5);
        assert_eq!(lock(&queue.state).admitted.len(), 1);
        assert_eq!(group(&queue), [600, 700, 1, 5000, 2]);
        assert!(matches!(queue.take(Duration::ZERO), Taken::Idle));
        drop(commits);
    }

    #[test]
    fn parked_batches_without_a_waiter_are_forgotten() {
        let queue = Queue::new(10, Duration::ZERO);
        let first = queue.push(batch(10));
        for _ in 0..10 * PURGE_MIN {
            drop(queue.push(batch(10)));
        }
        assert!(queue.len() <= PURGE_MIN + 1, "{}", queue.len());
        drop(first);
    }

    #[test]
    fn closing_lets_the_rest_drain() {
        let queue = Queue::new(1000, Duration::ZERO);
        let commit = queue.push(batch(1));
        queue.close();
        assert!(matches!(queue.push(batch(1)).wait(), Err(CommitError::Closed)));
        assert_eq!(group(&queue), [1]);
        assert!(matches!(commit.wait(), Err(CommitError::Closed)), "the job was dropped without an outcome");
        assert!(matches!(queue.take(Duration::ZERO), Taken::Closed));
    }

    fn patient(octets: usize) -> Batch {
        let mut batch = batch(octets);
        batch.may_wait();
        batch
    }

    #[test]
    fn who_may_wait_is_taken_in_the_end_without_waking_anybody() {
        let queue = Queue::new(1000, Duration::from_millis(1));
        let urgent = queue.push(batch(1));
        assert_eq!(group(&queue), [1]);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| match queue.take(Duration::from_secs(3600)) {
                Taken::Group(jobs) => jobs.len(),
                Taken::Idle | Taken::Closed => 0,
            });
            let alone = queue.push(patient(2));
            assert_eq!(taken.join().unwrap(), 1);
            drop(alone);
        });
        drop(urgent);
    }

    #[test]
    fn who_may_wait_does_so_for_company_that_is_expected() {
        // Longer than any test takes.
        let queue = Queue::new(1000, Duration::from_secs(3600));
        let first = queue.push(patient(1));
        assert_eq!(group(&queue), [1], "nobody is expected");
        let urgent = queue.push(batch(2));
        assert_eq!(group(&queue), [2]);
        let patient_one = queue.push(patient(3));
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| group(&queue));
            let company = queue.push(batch(4));
            assert_eq!(taken.join().unwrap(), [3, 4], "in the order in which they came");
            drop(company);
        });
        // What would fill the queue waits for nobody, and neither does the end.
        let commits = [queue.push(patient(600)), queue.push(patient(700))];
        assert_eq!(group(&queue), [600, 700]);
        let last = queue.push(patient(5));
        queue.close();
        assert_eq!(group(&queue), [5]);
        drop((first, urgent, patient_one, commits, last));
    }
}
