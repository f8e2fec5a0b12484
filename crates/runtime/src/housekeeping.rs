//! What has to be done now and then: numbers reserved ahead, the duplicate history kept to its age.

use std::sync::Arc;
use std::time::Duration;

use agent::record::{DUPLICATE, DUPLICATE_AGE, DuplicateAgeKey};
use spool::{Batch, SpoolError};

use crate::events::EventKind;
use crate::shared::Shared;

/// How often the sequence is looked at.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many of those pass between two looks at the duplicate history.
const HISTORY_EVERY: u32 = 120;
/// Entries removed by one commit.
const PAGE: usize = 1_000;

/// Runs until the MTA stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut round = 0u32;
    while !*stop.borrow() {
        if let Err(error) = shared.sequence.reserve(&*shared.spool).await {
            shared.event(EventKind::StoreFailed, "", format!("numbers can't be reserved: {error}"));
        }
        if round.is_multiple_of(HISTORY_EVERY)
            && let Err(error) = forget_duplicates(&shared).await
        {
            shared.event(
                EventKind::StoreFailed,
                "",
                format!("the duplicate history can't be trimmed: {error}"),
            );
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Removes digests older than the history; its keys begin with the time, so the scan ends at the first young one.
async fn forget_duplicates(shared: &Shared) -> Result<(), SpoolError> {
    let days = shared.agent().settings().mta.duplicate_history_days;
    let oldest = shared.clocks.wall().plus_seconds(-i64::from(days) * 86_400);
    loop {
        let page = shared.spool.scan(DUPLICATE_AGE, &[], None, PAGE).await?;
        let mut batch = Batch::default();
        for (key, _) in &page {
            let Some(age) = DuplicateAgeKey::parse(key) else { continue };
            if age.accepted >= oldest {
                break;
            }
            batch.delete(DUPLICATE_AGE, key.clone()).delete(DUPLICATE, age.digest);
        }
        let removed = batch.len() / 2;
        if removed > 0 && shared.spool.commit(batch).await.is_err() {
            // The committer has reported it; entries that stay are removed next time.
            return Ok(());
        }
        if removed < PAGE {
            return Ok(());
        }
    }
}
