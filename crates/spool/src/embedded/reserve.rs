//! Watches the free space of the file system, so that the store stops taking on responsibility while there is
//! still room to work off what it has.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::sync::lock;
use crate::{SpoolError, Unhealthy};

/// How often free space is measured as a matter of course.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    reserve_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    measured: Instant,
    verdict: Option<Unhealthy>,
}

impl Reserve {
    /// Measures at once.
    pub(super) fn new(path: PathBuf, reserve_bytes: u64) -> Self {
        let verdict = measure(&path, reserve_bytes);
        Reserve { path, reserve_bytes, state: Mutex::new(State { measured: Instant::now(), verdict }) }
    }

    /// Measures again if the last time is long enough ago.
    pub(super) fn tick(&self) {
        if lock(&self.state).measured.elapsed() >= INTERVAL {
            self.measure();
        }
    }

    /// Measures now.
    pub(super) fn measure(&self) {
        let verdict = measure(&self.path, self.reserve_bytes);
        *lock(&self.state) = State { measured: Instant::now(), verdict };
    }

    /// What the last measurement says.
    pub(super) fn verdict(&self) -> Option<Unhealthy> {
        lock(&self.state).verdict.clone()
    }
}

fn measure(path: &PathBuf, reserve_bytes: u64) -> Option<Unhealthy> {
    match rustix::fs::statvfs(path) {
        Ok(space) => {
            // What a process without privilege may still use.
            let available_bytes = space.f_bavail.saturating_mul(space.f_frsize);
            (available_bytes < reserve_bytes)
                .then_some(Unhealthy::DiskReserve { available_bytes, reserve_bytes })
        }
        Err(errno) => {
            let error =
                SpoolError::File { action: "measure the space of", path: path.clone(), source: errno.into() };
            Some(Unhealthy::SpaceUnknown { cause: Arc::new(error) })
        }
    }
}
