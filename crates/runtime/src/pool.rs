//! Threads on which decisions are made, so that one that takes long, or never ends, holds up no other and no task.
//!
//! Usually one thread makes them in the order in which they came. If it takes long over one while others wait, another
//! thread goes on with those. A thread can't be stopped: what never ends keeps its thread, and there are only so many.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::shelter::{Panicked, sheltered};

/// How long the thread of a decision may leave others waiting.
const LONG: Duration = Duration::from_millis(200);
/// How long a thread has nothing to do before it ends, but for the last one.
const IDLE: Duration = Duration::from_secs(10);
/// Most threads.
const MOST_THREADS: usize = 8;
/// Their stacks, octets: what nests deeply should find the limit on nesting first.
const STACK: usize = 8 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when it is dropped, each after the decision that it makes.
pub(crate) struct Pool {
    inner: Option<Arc<Inner>>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// When each thread that is not idle began what it does.
    running: BTreeMap<u64, Instant>,
    idle: usize,
    /// One of these has been woken and has not looked yet. To wake another costs a system call, and would be in vain: one
    /// thread makes decisions in their order.
    woken: bool,
    begun: u64,
    closed: bool,
}

/// A decision that is being made.
pub(crate) struct Decision<T> {
    outcome: oneshot::Receiver<Result<T, Panicked>>,
    began: Arc<OnceLock<Instant>>,
    inner: Option<Arc<Inner>>,
    /// Budgets that it has used up.
    overdue: u32,
}

/// Why a decision is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecided {
    /// It never will be.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// It takes longer than it may. It may be waited for once more.
    #[error("it has taken {0} s so far and may take {1} s")]
    Overdue(u64, u64),
}

impl Pool {
    /// Threads, or if not `threaded` none: then decisions are made where they are asked for.
    pub(crate) fn new(threaded: bool) -> Pool {
        Pool { inner: threaded.then(Arc::default) }
    }

    /// Begins a decision. The number of those begun and not ended is for the caller to bound.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        decide: impl FnOnce() -> T + Send + 'static,
    ) -> Decision<T> {
        let (sender, outcome) = oneshot::channel();
        let began = Arc::new(OnceLock::new());
        let job = {
            let began = Arc::clone(&began);
            move || {
                // Set by this job alone, once.
                let _ = began.set(Instant::now());
                // Nobody waits any more if it comes too late.
                let _ = sender.send(sheltered(decide));
            }
        };
        match &self.inner {
            None => job(),
            Some(inner) => inner.add(Box::new(job)),
        }
        Decision { outcome, began, inner: self.inner.clone(), overdue: 0 }
    }

    /// Whether every thread that there may be has been at one decision for longer than `budget` three times over.
    pub(crate) fn is_blocked(&self, budget: Duration) -> bool {
        let Some(inner) = &self.inner else { return false };
        let state = inner.lock();
        let stuck = state.running.values().filter(|since| since.elapsed() > budget * 3).count();
        stuck >= MOST_THREADS
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(inner) = &self.inner {
            inner.lock().closed = true;
            inner.more.notify_all();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; a poisoned lock is as good as a clean one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, job: Job) {
        let mut state = self.lock();
        state.waiting.push_back(job);
        if state.idle > 0 {
            self.wake(state);
        } else if state.running.is_empty() {
            self.spawn(state);
        }
    }

    /// Lets another thread begin if something waits and all that are at work have been at one thing for long.
    fn relieve(self: &Arc<Self>) {
        let state = self.lock();
        let all_long = state.running.values().all(|since| since.elapsed() >= LONG);
        if state.waiting.is_empty() || !all_long {
            return;
        }
        if state.idle > 0 {
            self.wake(state);
        } else if state.running.len() < MOST_THREADS {
            self.spawn(state);
        }
    }

    /// Wakes an idle thread, unless one is awake already and only has to be given a processor.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if !std::mem::replace(&mut state.woken, true) {
            drop(state);
            self.more.notify_one();
        }
    }

    fn spawn(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.begun += 1;
        let number = state.begun;
        state.running.insert(number, Instant::now());
        drop(state);
        let inner = Arc::clone(self);
        let thread = std::thread::Builder::new().name("decider".to_owned()).stack_size(STACK);
        if let Err(error) = thread.spawn(move || inner.run(number)) {
            tracing::warn!("no thread for a decision: {error}");
            // Whoever waits asks again.
            self.lock().running.remove(&number);
        }
    }

    fn run(&self, number: u64) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                state.running.insert(number, Instant::now());
                drop(state);
                job();
                state = self.lock();
                continue;
            }
            state.running.remove(&number);
            if state.closed {
                return;
            }
            state.idle += 1;
            let (next, waited) = self.more.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.idle -= 1;
            state.woken = false;
            let others = state.idle + state.running.len();
            if waited.timed_out() && state.waiting.is_empty() && others > 0 {
                return;
            }
            state.running.insert(number, Instant::now());
        }
    }
}

impl<T> Decision<T> {
    /// Waits for the decision, from when it is begun to be made for `budget` at most. After [`Undecided::Overdue`] it may
    /// be waited for again, for a further budget.
    pub(crate) async fn within(&mut self, budget: Duration) -> Result<T, Undecided> {
        loop {
            tokio::select! {
                biased;
                outcome = &mut self.outcome => return match outcome {
                    Ok(Ok(decided)) => Ok(decided),
                    Ok(Err(panicked)) => Err(panicked.into()),
                    // A thread always answers; only the end of the process takes it away.
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep(LONG) => {}
            }
            if let Some(inner) = &self.inner {
                inner.relieve();
            }
            let taken = self.began.get().map_or(Duration::ZERO, Instant::elapsed);
            if taken > budget * (self.overdue + 1) {
                self.overdue += 1;
                return Err(Undecided::Overdue(taken.as_secs(), budget.as_secs()));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails, and what is tested")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const EVER: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn decisions_are_made_in_order_and_a_panic_ends_one_of_them() {
        let pool = Pool::new(true);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut decisions: Vec<_> = (0..100)
            .map(|n| {
                let order = Arc::clone(&order);
                pool.begin(move || {
                    order.lock().unwrap_or_else(PoisonError::into_inner).push(n);
                    assert!(n != 50, "fifty");
                    n
                })
            })
            .collect();
        for (n, decision) in decisions.iter_mut().enumerate() {
            match decision.within(EVER).await {
                Ok(decided) => assert_eq!(decided, n),
                Err(Undecided::Panicked(why)) => {
                    assert_eq!((n, why.to_string()), (50, "a panic: fifty".into()))
                }
                Err(Undecided::Overdue(..)) => panic!("an hour has passed"),
            }
        }
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*order, (0..100).collect::<Vec<_>>(), "one thread was enough");
    }

    #[tokio::test]
    async fn one_that_never_ends_holds_up_no_other() {
        let pool = Pool::new(true);
        let (release, gate) = mpsc::channel::<()>();
        let mut stuck = pool.begin(move || gate.recv().is_ok());
        let mut other = pool.begin(|| 7);
        assert_eq!(other.within(EVER).await.unwrap(), 7);
        let budget = Duration::from_millis(1);
        for _ in 0..3 {
            assert!(matches!(stuck.within(budget).await, Err(Undecided::Overdue(..))));
        }
        assert!(!pool.is_blocked(budget), "seven threads are left");
        release.send(()).unwrap();
        assert!(stuck.within(EVER).await.unwrap(), "late is better than never");
    }

    #[tokio::test]
    async fn an_idle_thread_goes_on_with_what_waits_behind_one_that_never_ends() {
        let pool = Pool::new(true);
        let (release, gate) = mpsc::channel::<()>();
        let mut first = pool.begin(move || gate.recv().is_ok());
        assert_eq!(pool.begin(|| 1).within(EVER).await.unwrap(), 1, "by a second thread");
        release.send(()).unwrap();
        assert!(first.within(EVER).await.unwrap());
        // Both are idle. The first of these is given to one of them, which is woken once.
        let (release, gate) = mpsc::channel::<()>();
        let mut stuck = pool.begin(move || gate.recv().is_ok());
        let mut others: Vec<_> = (0..20).map(|n| pool.begin(move || n)).collect();
        for (n, other) in others.iter_mut().enumerate() {
            assert_eq!(other.within(EVER).await.unwrap(), n);
        }
        release.send(()).unwrap();
        assert!(stuck.within(EVER).await.unwrap());
    }

    #[tokio::test]
    async fn when_every_thread_is_stuck_that_is_told() {
        let pool = Pool::new(true);
        let (mut stuck, mut gates) = (Vec::new(), Vec::new());
        for _ in 0..MOST_THREADS {
            let (gate, closed) = mpsc::channel::<()>();
            gates.push(gate);
            stuck.push(pool.begin(move || closed.recv().is_ok()));
        }
        while !pool.is_blocked(Duration::from_millis(1)) {
            for decision in &mut stuck {
                let _ = decision.within(Duration::from_millis(1)).await;
            }
        }
        drop(gates);
    }

    #[tokio::test]
    async fn without_threads_it_is_made_at_once() {
        let pool = Pool::new(false);
        let here = std::thread::current().id();
        let mut decision = pool.begin(move || std::thread::current().id() == here);
        assert!(decision.within(EVER).await.unwrap());
    }
}
