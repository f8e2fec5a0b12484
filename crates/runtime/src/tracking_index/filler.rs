//! The task that fills the index: with what steps leave, and with what is missing.

use std::sync::Arc;
use std::time::Duration;

use agent::TrackRecord;
use agent::record::{Record, TRACK, TrackKey, track_digest};
use spool::SpoolError;
use tokio::time::Instant;

use super::chunk::{Chunk, shelf_end};
use super::{MAX_POSTINGS, TrackingIndex, lock};
use crate::events::EventKind;
use crate::shared::Shared;

/// How often it is looked at what steps have left.
const INTERVAL: Duration = Duration::from_secs(1);
/// Entries read at once.
const PAGE: usize = 1_000;
/// How often what is too old is looked for.
const OLD_EVERY: Duration = Duration::from_secs(600);

/// Runs until the MTA stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Some(index) = shared.tracking_index.clone() else { return };
    let mut old_at = Instant::now();
    // What another life of this task had begun.
    lock(&index.live).coverage.give_up();
    while !shared.stop.is_given() {
        let worked = round(&shared, &index).await;
        let is_old_time = Instant::now() >= old_at;
        let worked = match worked {
            Ok(is_behind) if is_old_time => {
                old_at = Instant::now() + OLD_EVERY;
                forget(&shared, &index).await.map(|()| is_behind)
            }
            worked => worked,
        };
        let is_behind = match worked {
            Ok(is_behind) => is_behind,
            Err(error) => {
                fail(&shared, &index, &error);
                false
            }
        };
        if !is_behind {
            tokio::select! {
                biased;
                () = shared.stop.given() => {}
                () = index.news.notified() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }
}

/// From now on nothing is written until the next start: searching takes longer, that is all.
fn fail(shared: &Shared, index: &TrackingIndex, error: &SpoolError) {
    let mut live = lock(&index.live);
    live.coverage.give_up();
    if live.failure.is_none() {
        live.failure = Some(error.to_string());
        let text =
            format!("searching message tracking is slow until the next start: its index fails: {error}");
        shared.event(EventKind::StoreFailed, "", text);
    }
}

/// Takes what steps have left, then reads an hour again if one is missing; tells whether more are.
async fn round(shared: &Arc<Shared>, index: &Arc<TrackingIndex>) -> Result<bool, SpoolError> {
    let is_healthy = shared.spool.unhealthy_reason().is_none();
    take(shared, index, is_healthy).await?;
    if !is_healthy || lock(&index.live).failure.is_some() || is_idle(index) {
        return Ok(false);
    }
    let oldest = oldest(shared).await?.unwrap_or(u32::MAX);
    let hour = lock(&index.live).coverage.begin(oldest);
    match hour {
        Some(hour) => read_again(shared, index, hour).await,
        None => Ok(false),
    }
}

fn is_idle(index: &TrackingIndex) -> bool {
    lock(&index.live).coverage.is_complete()
}

/// Takes what steps have left.
async fn take(shared: &Shared, index: &Arc<TrackingIndex>, may_write: bool) -> Result<(), SpoolError> {
    let now = TrackKey::hour_of(shared.clocks.wall());
    let index = Arc::clone(index);
    let work = move || {
        let mut live = lock(&index.live);
        live.may_write = may_write;
        index.absorb(&mut live, may_write)?;
        if may_write && now != live.chunk.hour {
            index.write(&mut live, now, may_write)?;
        }
        Ok(())
    };
    shared.surroundings.blocking(true, work).await
}

/// The hour of the oldest entry.
async fn oldest(shared: &Shared) -> Result<Option<u32>, SpoolError> {
    let first = shared.spool.scan(TRACK, &[], None, 1).await?;
    Ok(first.first().and_then(|(key, _)| TrackKey::parse(key)).map(|key| key.hour))
}

/// Reads the entries of an hour from the store; true, for there may be more hours.
async fn read_again(shared: &Arc<Shared>, index: &Arc<TrackingIndex>, hour: u32) -> Result<bool, SpoolError> {
    let mut chunk = Chunk::of_hour(hour);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let began = Instant::now();
        let page = shared.spool.scan(TRACK, &hour.to_be_bytes(), after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|(key, _)| key.clone());
        for (key, octets) in &page {
            let (Some(key), Ok(entry)) = (TrackKey::parse(key), TrackRecord::decode(octets)) else {
                continue;
            };
            // What is found by the subject of a report stands here under another identifier.
            if key.digest == track_digest(&entry.mts_identifier) {
                chunk.add(&entry);
            }
        }
        if is_last || chunk.postings() >= MAX_POSTINGS {
            let full = std::mem::replace(&mut chunk, Chunk::of_hour(hour));
            let index = Arc::clone(index);
            let work = move || {
                let mut live = lock(&index.live);
                if is_last {
                    live.coverage.finish();
                }
                let put = if full.is_empty() { Ok(()) } else { index.put(full, &mut live.coverage) };
                if put.is_err() {
                    live.coverage.lose_from(hour);
                }
                put
            };
            shared.surroundings.blocking(true, work).await?;
        }
        if is_last {
            return Ok(true);
        }
        // As much time for others as this has taken.
        tokio::select! {
            biased;
            () = shared.stop.given() => {
                lock(&index.live).coverage.give_up();
                return Ok(false);
            }
            () = tokio::time::sleep(began.elapsed()) => {}
        }
        take(shared, index, shared.spool.unhealthy_reason().is_none()).await?;
    }
}

/// Removes what is older than every entry.
async fn forget(shared: &Shared, index: &Arc<TrackingIndex>) -> Result<(), SpoolError> {
    let Some(oldest) = oldest(shared).await? else { return Ok(()) };
    let index = Arc::clone(index);
    let work = move || {
        index
            .side
            .shelves()
            .into_iter()
            .filter(|shelf| shelf_end(*shelf) < oldest)
            .try_for_each(|shelf| index.side.clear(shelf))
    };
    shared.surroundings.blocking(true, work).await
}
