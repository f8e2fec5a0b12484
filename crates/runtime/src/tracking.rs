//! Message tracking as the store has it: read for people, and kept to its age and size.
//!
//! What is written, and when it is too old, the agent decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use agent::TrackRecord;
use agent::record::{Rank, Record, TRACK, TrackKey, track_digest, track_hour_end};
use mhs::MtsIdentifier;
use serde::Serialize;
use spool::SpoolError;

use crate::handle::AdminError;
use crate::shared::Shared;

/// Entries read of one identifier.
const MAX_ENTRIES: usize = 1_000;
/// Reports on one message of which everything is read.
const MAX_REPORTS: usize = 50;
/// Entries counted by one scan, or removed by one commit.
const PAGE: usize = 1_000;
/// Scans or commits of one round of housekeeping.
const PAGES: usize = 40;

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
    /// The subject in the heading of a message, where the event tells it.
    pub subject: Option<String>,
    /// What else there is to say.
    pub text: Option<String>,
}

impl From<TrackRecord> for Tracked {
    fn from(record: TrackRecord) -> Self {
        Tracked {
            time: record.time.to_string(),
            event_id: record.event.number(),
            event: record.event,
            priority: record.priority().map(Rank::name),
            mts_id: record.mts_identifier,
            subject_mts_id: record.subject,
            connector: record.connector,
            originator: record.originator,
            recipients: record.recipients,
            recipient_count: record.recipient_count,
            size: record.size,
            subject: record.ipm_subject,
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

/// Adds the entries of one identifier by their number, hour by hour; tells whether there are more.
async fn collect(
    shared: &Shared,
    mts_id: &str,
    found: &mut BTreeMap<u64, TrackRecord>,
) -> Result<bool, AdminError> {
    let spool = &*shared.spool;
    let digest = track_digest(mts_id);
    let mut room = MAX_ENTRIES;
    for hour in hours(shared, mts_id).await? {
        let prefix = TrackKey { hour, digest, sequence: 0 }.prefix();
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
    }
    Ok(false)
}

/// The hours in which there may be something of an identifier: by the index, or else all of which there is anything, which is
/// a year of them at most.
async fn hours(shared: &Shared, mts_id: &str) -> Result<Vec<u32>, AdminError> {
    if let Some(index) = shared.tracking_index.clone() {
        let identifier = mts_id.to_owned();
        let look = move || index.hours_of(&identifier, MAX_ENTRIES);
        if let Some(hours) = shared.surroundings.blocking(true, look).await? {
            return Ok(hours);
        }
    }
    let mut hours = Vec::new();
    let mut after = None;
    while let Some((key, _)) = shared.spool.scan(TRACK, &[], after.as_deref(), 1).await?.into_iter().next() {
        after = Some(match TrackKey::parse(&key) {
            Some(TrackKey { hour, .. }) => {
                hours.push(hour);
                track_hour_end(hour)
            }
            None => key,
        });
    }
    Ok(hours)
}

/// Keeps tracking to its age and size, a portion at a time: what one portion leaves is for the next round of
/// housekeeping, since removing it all at once would delay mail.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// How far what earlier processes left has been counted.
    counted: Counted,
    /// Whether the last portion left some of what is too old.
    is_behind: bool,
}

/// What earlier processes left: before all of it is counted nothing is removed, or it would be counted twice.
#[derive(Debug, Default)]
enum Counted {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Up to this key.
    To(Vec<u8>),
    /// All of it.
    All,
}

impl Keeper {
    /// One round. `is_time` says that it is time to look for what has become too old.
    pub(crate) async fn keep(&mut self, shared: &Arc<Shared>, is_time: bool) -> Result<(), SpoolError> {
        self.is_behind |= is_time;
        if !self.count(shared).await? {
            return Ok(());
        }
        let most = u64::from(shared.agent().settings().mta.tracking_entries);
        if self.is_behind || shared.tracked.load(Ordering::Relaxed) > most {
            // Whatever comes of it, a store in trouble is left alone until it is time again.
            self.is_behind = false;
            self.is_behind = forget(shared).await?;
        }
        Ok(())
    }

    /// Counts a portion; tells whether everything is counted.
    async fn count(&mut self, shared: &Shared) -> Result<bool, SpoolError> {
        // What this process writes it counts itself.
        let ours = shared.sequence.first();
        for _ in 0..PAGES {
            let after = match &self.counted {
                Counted::Nothing => None,
                Counted::To(key) => Some(key.as_slice()),
                Counted::All => return Ok(true),
            };
            let page = shared.spool.scan(TRACK, &[], after, PAGE).await?;
            let is_earlier = |key: &[u8]| TrackKey::parse(key).is_none_or(|key| key.sequence < ours);
            let earlier = page.iter().filter(|(key, _)| is_earlier(key)).count();
            shared.tracked.fetch_add(earlier as u64, Ordering::Relaxed);
            self.counted = match page.into_iter().nth(PAGE - 1) {
                Some((last, _)) => Counted::To(last),
                None => Counted::All,
            };
        }
        Ok(matches!(self.counted, Counted::All))
    }
}

/// Removes a portion of what is too old or too much; tells whether there is more.
async fn forget(shared: &Arc<Shared>) -> Result<bool, SpoolError> {
    for _ in 0..PAGES {
        let page = shared.spool.scan(TRACK, &[], None, PAGE).await?;
        let keys = page.iter().map(|(key, _)| key.as_slice());
        let kept = shared.tracked.load(Ordering::Relaxed);
        let (step, more) = shared.agent().forget_tracking(shared.clocks.wall(), kept, keys);
        let gone = step.batch.len() as u64;
        if let Err(error) = shared.commit(step).await {
            shared.store_failed(&error);
            return Ok(false);
        }
        // Only this task takes away, so it never goes below zero.
        shared.tracked.fetch_sub(gone, Ordering::Relaxed);
        if !more || page.len() < PAGE {
            return Ok(false);
        }
    }
    Ok(true)
}
