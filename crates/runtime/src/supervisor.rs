//! Sees to the tasks without which an MTA is none: one that dies, which is a defect of this program, is started again, after a
//! growing pause. If one dies again and again the service ends in order, with a failure: whoever has started it starts a
//! new process, which a defect in what this one has in memory can't reach.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::events::EventKind;
use crate::shared::Shared;
use crate::shelter::sheltered_async;
use crate::signal::Signal;

/// What a task does.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Deaths of one task after which the service ends.
const MOST_DEATHS: usize = 5;
/// How long a death counts.
const COUNTED_FOR: Duration = Duration::from_secs(600);
/// Pause after the first death; it doubles with each that counts.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Says that the service has to end because of a defect, and why.
#[derive(Debug, Default)]
pub(crate) struct Surrender {
    why: Mutex<Option<String>>,
    given: Signal,
}

impl Surrender {
    /// Gives the service up. The first reason stands.
    pub(crate) fn give(&self, why: String) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.given.give();
    }

    /// Waits until the service is given up, and tells why.
    pub(crate) async fn given(&self) -> String {
        self.given.given().await;
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }
}

/// Runs a task, by what `begin` makes for each life of it, until it ends by itself.
pub(crate) async fn supervise(
    shared: Arc<Shared>,
    name: &'static str,
    mut begin: impl FnMut() -> Work + Send,
) {
    let mut deaths = Vec::new();
    loop {
        let Err(panicked) = sheltered_async(begin()).await else { return };
        let now = shared.clocks.mono();
        deaths.retain(|at| now.saturating_since(*at) < COUNTED_FOR);
        deaths.push(now);
        if deaths.len() >= MOST_DEATHS {
            let minutes = COUNTED_FOR.as_secs() / 60;
            let why =
                format!("the task {name} has died {MOST_DEATHS} times within {minutes} minutes: {panicked}");
            shared.event(EventKind::InternalError, "", format!("{why}; the service ends"));
            return shared.surrender.give(why);
        }
        let text = format!("the task {name} died of {panicked}; it is started again");
        shared.event(EventKind::InternalError, "", text);
        let doubled = u32::try_from(deaths.len() - 1).unwrap_or(0);
        tokio::select! {
            biased;
            () = shared.stop.given() => return,
            () = tokio::time::sleep(FIRST_PAUSE * 2_u32.saturating_pow(doubled)) => {}
        }
    }
}
