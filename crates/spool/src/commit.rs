//! The two ends of a pending commit: [`Commit`] waits, [`Completer`] tells the outcome.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

use crate::CommitError;
use crate::sync::{lock, wait};

/// Resolves when a batch is durable, or is known not to be applied, or storage failed.
///
/// Dropping it does not take the batch back.
#[derive(Debug)]
#[must_use = "a batch is durable only when its commit resolves to Ok"]
pub struct Commit {
    ticket: Arc<Ticket>,
}

/// For engines: tells the outcome of one batch. Dropped without telling, it says [`CommitError::Closed`].
#[derive(Debug)]
pub struct Completer {
    ticket: Arc<Ticket>,
}

#[derive(Debug, Default)]
struct Ticket {
    state: Mutex<State>,
    resolved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<(), CommitError>>,
    waker: Option<Waker>,
    /// A thread waits: to wake one costs a system call, whether there is one or not.
    blocks: bool,
}

impl Commit {
    /// For engines: a commit whose outcome comes later.
    pub fn pending() -> (Commit, Completer) {
        let ticket = Arc::<Ticket>::default();
        (Commit { ticket: Arc::clone(&ticket) }, Completer { ticket })
    }

    /// For engines: a commit whose outcome is known.
    pub fn ready(outcome: Result<(), CommitError>) -> Commit {
        let (commit, completer) = Commit::pending();
        completer.complete(outcome);
        commit
    }

    /// Blocks the calling thread until the outcome is known. Not for use inside an asynchronous task.
    ///
    /// # Errors
    /// As the future.
    pub fn wait(self) -> Result<(), CommitError> {
        let mut state = lock(&self.ticket.state);
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            state.blocks = true;
            state = wait(&self.ticket.resolved, state);
        }
    }
}

impl Future for Commit {
    type Output = Result<(), CommitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.ticket.state);
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(outcome.clone());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Completer {
    /// Tells the outcome.
    pub fn complete(self, outcome: Result<(), CommitError>) {
        self.ticket.resolve(outcome);
    }

    /// True when nobody can learn the outcome any more.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.ticket) == 1
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.ticket.resolve(Err(CommitError::Closed));
    }
}

impl Ticket {
    /// The first outcome counts.
    fn resolve(&self, outcome: Result<(), CommitError>) {
        let mut state = lock(&self.state);
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome);
        let (waker, blocks) = (state.waker.take(), state.blocks);
        drop(state);
        if blocks {
            self.resolved.notify_all();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
