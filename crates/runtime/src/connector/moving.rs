//! What waits and would better go another way, by the links' state or by new settings: it is looked for page by page, beside
//! the work on the queue.

use std::sync::Arc;

use agent::Step;
use agent::connector::ConnectorPolicy;
use agent::record::{OutboundRecord, Record};
use spool::SpoolError;
use tokio::task::{JoinError, JoinSet};

use super::interrupted::Interruptions;
use super::walker::{Stopping, Walker};
use super::{Connector, STORE_RETRY};
use crate::events::EventKind;
use crate::shelter::sheltered;

/// Rest after each page, in times of what it took: mail waits for it that has a better way.
const MOVING_REST: u32 = 1;

/// Why a queue is looked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reasons {
    /// The connector could not be opened: what waits may have a better way now.
    pub(super) failed: bool,
    /// The settings have changed: what waits may belong elsewhere.
    pub(super) settings: bool,
}

/// One walk.
struct Moving {
    walker: Walker,
    /// As it was when the walk began: what has failed since is for the next one.
    policy: ConnectorPolicy,
    interrupted: Arc<Interruptions>,
    reasons: Reasons,
}

impl Connector {
    /// Begins a walk for what there is reason for, unless one is under way: then it follows that one.
    pub(super) fn move_what_waits(&mut self) {
        if self.reasons == Reasons::default() || !self.moves.is_empty() {
            return;
        }
        let mut reasons = std::mem::take(&mut self.reasons);
        // What is frozen stays, and what has nowhere else to go.
        reasons.failed &=
            !self.entry.is_frozen() && self.shared.agent().has_alternatives(&self.settings.name);
        if reasons == Reasons::default() {
            return;
        }
        if reasons.failed {
            // One that has gone to and fro may have seen its last failed open by now.
            self.next_expiry = self.shared.clocks.mono();
            // Whoever routes what is sent back has to see that this connector waits.
            self.show();
        }
        let moving = Moving {
            walker: self.walker(),
            policy: self.policy.clone(),
            interrupted: Arc::clone(&self.interrupted),
            reasons,
        };
        self.moves.spawn(moving.run());
    }

    /// A walk has ended, and has left this to be done.
    pub(super) fn moves_ended(&mut self, ended: Result<Reasons, JoinError>) {
        match ended {
            Ok(Reasons { failed: false, settings: false }) => {}
            Ok(left) => {
                self.reasons.failed |= left.failed;
                self.reasons.settings |= left.settings;
                self.pause_until = Some(self.shared.clocks.mono() + STORE_RETRY);
            }
            Err(error) => {
                self.event(EventKind::InternalError, format!("a walk through the queue failed: {error}"));
            }
        }
    }
}

impl Moving {
    /// Gives what is left to be done because the store did not answer.
    async fn run(mut self) -> Reasons {
        let reasons = self.reasons;
        match self.walk().await {
            Ok(Ok(()) | Err(Stopping)) => Reasons::default(),
            Err(error) => {
                self.walker.tell_of_store(&error);
                reasons
            }
        }
    }

    async fn walk(&mut self) -> Result<Result<(), Stopping>, SpoolError> {
        let mut pages = self.walker.pages();
        loop {
            let Ok((turn, began)) = self.walker.turn().await else { return Ok(Err(Stopping)) };
            // Once it works again nothing has to leave it.
            self.reasons.failed &= self.walker.entry.view.borrow().outage.since().is_some();
            if self.reasons == Reasons::default() {
                return Ok(Ok(()));
            }
            let Some(page) = pages.next(&*self.walker.shared.spool).await? else { return Ok(Ok(())) };
            let mut commits = JoinSet::new();
            let mut unread = Ok(());
            for (key, octets) in page {
                let Ok(record) = OutboundRecord::decode(&octets) else { continue };
                match self.better(&key, &octets, &record).await {
                    Ok(Some(step)) => self.walker.leave(key, step, &mut commits),
                    Ok(None) => {}
                    Err(error) => {
                        unread = Err(error);
                        break;
                    }
                }
            }
            // A store that is full makes these wait, and others must not.
            drop(turn);
            while commits.join_next().await.is_some() {}
            unread?;
            if self.walker.rest(began, MOVING_REST).await.is_err() {
                return Ok(Err(Stopping));
            }
        }
    }

    /// The step by which an item leaves the queue if that is better; it has been claimed then.
    async fn better(
        &self,
        key: &[u8],
        octets: &[u8],
        record: &OutboundRecord,
    ) -> Result<Option<Step>, SpoolError> {
        let shared = &self.walker.shared;
        let agent = shared.agent();
        let failures = match self.reasons.failed {
            true => self.policy.failures_since(record.queued, shared.clocks.wall()),
            false => 0,
        };
        let decide = || {
            let misplaced =
                self.reasons.settings.then(|| agent.misplaced(shared.moment(), key, record)).flatten();
            // What can be resumed stays for as long as it can.
            let rerouted = || agent.rerouted(shared.moment(), key, record, failures);
            match misplaced {
                Some(step) => Some((step, false)),
                None => (failures > 0).then(rerouted).flatten().map(|step| (step, true)),
            }
        };
        let decided = match sheltered(decide) {
            Ok(Some(decided)) => decided,
            Ok(None) => return Ok(None),
            Err(panicked) => {
                if self.walker.claim(key, octets).await? {
                    self.walker.fell(key, &panicked);
                }
                return Ok(None);
            }
        };
        let (step, may_be_doubtful) = decided;
        if may_be_doubtful && self.interrupted.is_in_doubt(shared, key).await? {
            return Ok(None);
        }
        Ok(self.walker.claim(key, octets).await?.then_some(step))
    }
}
