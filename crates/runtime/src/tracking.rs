//! Message tracking as the store has it: read for people, and kept to its age.
//!
//! What is written, and when it is too old, the agent decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::TrackRecord;
use agent::record::{Rank, Record, TRACK, TrackKey, track_day_end, track_digest};
use mhs::MtsIdentifier;
use serde::Serialize;
use spool::SpoolError;

use crate::handle::AdminError;
use crate::shared::Shared;

/// Entries read of one identifier.
const MAX_ENTRIES: usize = 1_000;
/// Reports on one message of which everything is read.
const MAX_REPORTS: usize = 50;
/// Entries removed by one commit.
const PAGE: usize = 1_000;
/// Commits of one round of housekeeping.
const PAGES: usize = 20;

/// What became of one message, probe or report.
#[derive(Clone, Debug, Serialize)]
pub struct Tracking {
    /// Its MTS-identifier.
    pub mts_id: String,
    /// What happened to it and to the reports on it, in order.
    pub items: Vec<Tracked>,
    /// Whether more happened than is shown.
    pub cut: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Tracked {
    /// When, RFC 3339.
    pub time: String,
    /// Number of the event in the tracking log of Exchange, where it has one.
    pub event_id: Option<u16>,
    /// The event, in words.
    pub event: agent::TrackEvent,
    /// To what: the message or probe, or a report on it.
    pub mts_id: String,
    /// Of a report: what it is about, where the event tells it.
    pub subject_mts_id: Option<String>,
    /// The connector concerned.
    pub connector: Option<String>,
    /// Who sent it.
    pub originator: Option<String>,
    /// The first recipients concerned.
    pub recipients: Vec<String>,
    /// How many there are.
    pub recipient_count: u32,
    /// `urgent`, `normal` or `non-urgent`, where the event tells it.
    pub priority: Option<&'static str>,
    /// Octets of content, where the event tells it.
    pub size: Option<u64>,
    /// What else there is to say.
    pub text: Option<String>,
}

impl From<TrackRecord> for Tracked {
    fn from(record: TrackRecord) -> Self {
        Tracked {
            time: record.time.to_string(),
            event_id: record.event.number(),
            event: record.event,
            priority: record.priority().map(|rank| match rank {
                Rank::Urgent => "urgent",
                Rank::Normal => "normal",
                Rank::NonUrgent => "non-urgent",
            }),
            mts_id: record.mts_identifier,
            subject_mts_id: record.subject,
            connector: record.connector,
            originator: record.originator,
            recipients: record.recipients,
            recipient_count: record.recipient_count,
            size: record.size,
            text: record.text,
        }
    }
}

/// What is known of this identifier and of the reports on it.
pub(crate) async fn find(shared: &Shared, identifier: &str) -> Result<Tracking, AdminError> {
    // However it was written: entries have the text that is printed.
    let mts_id =
        identifier.parse::<MtsIdentifier>().map_or_else(|_| identifier.to_owned(), |id| id.to_string());
    let mut found = BTreeMap::new();
    let mut cut = collect(shared, &mts_id, &mut found).await?;
    let about = |record: &TrackRecord| record.subject.as_ref() == Some(&mts_id);
    let mut reports: Vec<String> =
        found.values().filter(|record| about(record)).map(|record| record.mts_identifier.clone()).collect();
    reports.sort_unstable();
    reports.dedup();
    cut |= reports.len() > MAX_REPORTS;
    for report in reports.iter().take(MAX_REPORTS) {
        cut |= collect(shared, report, &mut found).await?;
    }
    let ours =
        |record: &TrackRecord| record.mts_identifier == mts_id || reports.contains(&record.mts_identifier);
    let items = found.into_values().filter(ours).map(Tracked::from).collect();
    Ok(Tracking { mts_id, items, cut })
}

/// Adds the entries of one identifier by their number, day by day; tells whether there are more.
async fn collect(
    shared: &Shared,
    mts_id: &str,
    found: &mut BTreeMap<u64, TrackRecord>,
) -> Result<bool, AdminError> {
    let spool = &*shared.spool;
    let digest = track_digest(mts_id);
    let mut room = MAX_ENTRIES;
    let mut after = None;
    // Each round takes the next day of which there is anything: at most a year of them.
    while let Some((key, _)) = spool.scan(TRACK, &[], after.as_deref(), 1).await?.into_iter().next() {
        let Some(TrackKey { day, .. }) = TrackKey::parse(&key) else {
            after = Some(key);
            continue;
        };
        let prefix = TrackKey { day, digest, sequence: 0 }.prefix();
        let page = spool.scan(TRACK, &prefix, None, room.saturating_add(1)).await?;
        let is_more = page.len() > room;
        for (key, octets) in page.into_iter().take(room) {
            room = room.saturating_sub(1);
            let Some(key) = TrackKey::parse(&key) else { continue };
            found.insert(key.sequence, TrackRecord::decode(&octets)?);
        }
        if is_more {
            return Ok(true);
        }
        after = Some(track_day_end(day));
    }
    Ok(false)
}

/// Removes what is too old, a portion of it; tells whether there is more.
pub(crate) async fn forget(shared: &Arc<Shared>) -> Result<bool, SpoolError> {
    for _ in 0..PAGES {
        let page = shared.spool.scan(TRACK, &[], None, PAGE).await?;
        let keys = page.iter().map(|(key, _)| key.as_slice());
        let (step, more) = shared.agent().forget_tracking(shared.clocks.wall(), keys);
        if let Err(error) = shared.commit(step).await {
            shared.store_failed(&error);
            return Ok(false);
        }
        if !more || page.len() < PAGE {
            return Ok(false);
        }
    }
    Ok(true)
}
