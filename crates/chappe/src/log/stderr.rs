//! Standard error, which may be a pipe that nobody reads, or a terminal that somebody has stopped: no mail waits for it.
//!
//! A line is written at once, by whoever says it, if the system has room for it, so that it is there whatever becomes of the
//! process in the next moment. Only what finds no room waits in a queue, for a thread that may be held up.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Format;
use super::line::{Line, Look};
use super::outlet::{Far, Flush, Outlet};

/// What a pipe that takes something at all takes in one piece.
const AT_ONCE: usize = 4_096;

/// How lines look, which may change.
#[derive(Clone, Debug)]
pub(super) struct SharedLook(Arc<RwLock<Look>>);

impl SharedLook {
    pub(super) fn new(look: Look) -> SharedLook {
        SharedLook(Arc::new(RwLock::new(look)))
    }

    /// From now on lines look so.
    pub(super) fn set_format(&self, format: Format) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).format = format;
    }

    fn now(&self) -> Look {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Standard error.
#[derive(Debug)]
pub(super) struct Stderr {
    look: SharedLook,
    /// Whoever has it writes.
    turn: Arc<Mutex<()>>,
    queue: Outlet,
    /// A terminal may have room and stop in the middle.
    is_terminal: bool,
}

impl Stderr {
    /// Starts the thread for what has to wait.
    pub(super) fn start(look: SharedLook) -> io::Result<Stderr> {
        let turn = Arc::new(Mutex::new(()));
        let queue = Outlet::start("log", Late { turn: Arc::clone(&turn), look: look.clone() })?;
        Ok(Stderr { look, turn, queue, is_terminal: io::stderr().is_terminal() })
    }

    /// For the end of the program.
    pub(super) fn flush(&self) -> Flush {
        self.queue.flush()
    }

    /// Says a line. Never waits.
    pub(super) fn say(&self, line: &Line) {
        let line = line.on_stderr(self.look.now());
        if self.is_terminal || line.len() > AT_ONCE || !self.said_at_once(&line) {
            self.queue.send(line.into_bytes());
        }
    }

    /// Whether it could be, and is.
    fn said_at_once(&self, line: &str) -> bool {
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        // What waits comes first.
        let is_free = self.queue.is_empty() && has_room();
        if is_free {
            write(line.as_bytes());
        }
        drop(turn);
        is_free
    }
}

/// Whether a write of [`AT_ONCE`] octets would not wait.
fn has_room() -> bool {
    let stderr = io::stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where nobody reads any more a write fails at once.
    poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
}

fn write(octets: &[u8]) -> bool {
    // There is nobody left to be told that this does not work.
    io::stderr().lock().write_all(octets).is_ok()
}

/// Writes what has waited.
struct Late {
    turn: Arc<Mutex<()>>,
    look: SharedLook,
}

impl Far for Late {
    fn pass_on(&mut self, octets: &[u8]) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        write(octets)
    }

    fn tell_lost(&mut self, lost: u64) {
        // Not by way of the queue, which may be full again.
        let line = Line::own(format!("{lost} lines of the log were lost: standard error was not read"));
        self.pass_on(line.on_stderr(self.look.now()).as_bytes());
    }
}
