//! What has to be done now and then: numbers reserved ahead, the duplicate history kept to its age, interrupted
//! transfers dropped after their time, message tracking kept to its age and size, long queues told of.

use std::sync::Arc;
use std::time::Duration;

use agent::record::DUPLICATE_AGE;
use spool::SpoolError;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::alarms::Alarms;
use crate::connectors::Connectors;
use crate::events::EventKind;
use crate::ledger::Resource;
use crate::recovery;
use crate::shared::Shared;
use crate::tracking;

/// How often the sequence is looked at.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many of those pass between two looks at the duplicate history.
const HISTORY_EVERY: u32 = 120;
/// The same for messages of connectors that do not exist.
const ORPHANS_EVERY: u32 = 12;
/// Entries removed by one commit, and commits of one round: what one leaves is for the next, since mail would be delayed
/// by removing what a long standstill has made old all at once.
const PAGE: usize = 1_000;
const PAGES: usize = 40;

/// Runs until the MTA stops.
pub(crate) async fn run(shared: Arc<Shared>, connectors: Arc<Mutex<Connectors>>) {
    let mut round = 0u32;
    let mut trouble: Option<String> = None;
    let mut tracking = tracking::Keeper::default();
    let mut orphaned = false;
    let mut old_history = false;
    let mut levels = Levels::default();
    let mut alarms = Alarms::default();
    while !shared.stop.is_given() {
        let now = shared.spool.unhealthy_reason().map(|reason| reason.to_string());
        match (&trouble, &now) {
            (None, Some(reason)) => {
                shared.event(
                    EventKind::StoreUnhealthy,
                    "",
                    format!("no new messages are accepted: {reason}"),
                );
            }
            (Some(_), None) => shared.event(EventKind::StoreHealthy, "", "messages are accepted again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if now.is_some() {
            // Half a message is the first thing to give space back.
            recovery::store::discard(&shared, shared.recovery.drop_all(), "the store is in trouble").await;
        }
        trouble = now;
        let expired = shared.recovery.expire(shared.clocks.mono());
        recovery::store::discard(&shared, expired, "its time is over").await;
        if let Err(error) = shared.sequence.reserve(&*shared.spool).await {
            shared.event(EventKind::StoreFailed, "", format!("numbers can't be reserved: {error}"));
        }
        if old_history || round.is_multiple_of(HISTORY_EVERY) {
            match forget_duplicates(&shared).await {
                Ok(is_more) => old_history = is_more,
                Err(error) => {
                    let text = format!("the duplicate history can't be trimmed: {error}");
                    shared.event(EventKind::StoreFailed, "", text);
                }
            }
        }
        if let Err(error) = tracking.keep(&shared, round.is_multiple_of(HISTORY_EVERY)).await {
            let text = format!("old message tracking can't be removed: {error}");
            shared.event(EventKind::StoreFailed, "", text);
        }
        if let Ok(mut connectors) = connectors.try_lock()
            && let Err(error) = connectors.revive(&shared).await
        {
            shared.event(EventKind::StoreFailed, "", format!("a connector can't be started again: {error}"));
        }
        // A message may have been routed to a connector in the moment in which a reload removed it.
        if (orphaned || round.is_multiple_of(ORPHANS_EVERY))
            && let Ok(connectors) = connectors.try_lock()
        {
            orphaned = false;
            match connectors.requeue_orphans(&shared).await {
                Ok(false) => {}
                // In the next round, which follows at once.
                Ok(true) => shared.orphans.notify_one(),
                Err(error) => {
                    let text = format!("orphaned messages can't be routed: {error}");
                    shared.event(EventKind::StoreFailed, "", text);
                }
            }
        }
        if shared.pool.is_blocked(shared.limits().processing_timeout) {
            let why = "no thread is left for decisions: each hangs over an item that never comes to an end";
            shared.event(EventKind::InternalError, "", format!("{why}; the service ends"));
            shared.surrender.give(why.to_owned());
        }
        alarms.look(&shared).await;
        round = round.wrapping_add(1);
        let next = Instant::now() + INTERVAL;
        loop {
            shared.beat();
            levels.tell(&shared);
            tokio::select! {
                biased;
                // The reload that is to blame is under way, perhaps; it looks for them at its end, or this does after it.
                () = shared.orphans.notified(), if !orphaned => {
                    orphaned = true;
                    break;
                }
                () = shared.stop.given() => break,
                () = tokio::time::sleep_until(next) => break,
                () = shared.ledger.changed() => {}
            }
        }
    }
}

/// Budgets of which it was told that they are nearly used up.
#[derive(Default)]
struct Levels {
    told: Vec<Resource>,
}

impl Levels {
    fn tell(&mut self, shared: &Shared) {
        for what in [Resource::Slot, Resource::Octets] {
            let Some(level) = shared.ledger.level(what) else { continue };
            let was_told = self.told.contains(&what);
            let (held, limit) = (level.held, level.limit);
            if level.is_high() && !was_told {
                self.told.push(what);
                shared.event(EventKind::ResourcesLow, "", format!("{held} of {limit} {what} are in use"));
            } else if level.is_low() && was_told {
                self.told.retain(|told| *told != what);
                let text = format!("{held} of {limit} {what} are in use, enough are free again");
                shared.event(EventKind::ResourcesRecovered, "", text);
            }
        }
    }
}

/// Removes digests older than the history; its keys begin with the time, so the first young one ends it. Tells whether
/// there is more.
async fn forget_duplicates(shared: &Arc<Shared>) -> Result<bool, SpoolError> {
    for _ in 0..PAGES {
        shared.beat();
        let page = shared.spool.scan(DUPLICATE_AGE, &[], None, PAGE).await?;
        let keys = page.iter().map(|(key, _)| key.as_slice());
        let (step, more) = shared.agent().forget_duplicates(shared.clocks.wall(), keys);
        if let Err(error) = shared.commit(step).await {
            // Entries that stay are removed next time, or after the restart that a broken store needs.
            shared.store_failed(&error);
            return Ok(false);
        }
        if !more || page.len() < PAGE {
            return Ok(false);
        }
    }
    Ok(true)
}
