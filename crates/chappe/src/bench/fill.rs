//! Fills a store directly with what messages leave there that came over P1 and wait: content, queue entry
//! and the digest of the transfer.

use std::collections::VecDeque;
use std::path::Path;

use agent::record::{
    DUPLICATE, DUPLICATE_AGE, DuplicateAgeKey, Item, META, OUTBOUND, OutboundKey, OutboundRecord, Rank,
    Record, Source, Tries,
};
use clock::WallTime;
use spool::{Batch, EmbeddedSpool, Options, Spool};

use super::{BenchError, peer};

/// Messages put into the store by one step, and steps under way at once.
const BATCH: u64 = 500;
const BATCHES: usize = 4;

/// Puts `messages` into a new store. `to` tells in the queue of which connector the nth waits, and for which private domain it is;
/// generators number theirs from `messages` on.
pub(super) fn fill(
    data: &Path,
    messages: u64,
    size: usize,
    to: impl Fn(u64) -> (String, String),
) -> Result<(), BenchError> {
    let store = |error: &dyn std::fmt::Display| BenchError::Spool(error.to_string());
    let spool = EmbeddedSpool::open(data, Options::default()).map_err(|error| store(&error))?;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = WallTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let content = vec![b'x'; size];
    let mut under_way = VecDeque::new();
    let mut next = 0;
    while next < messages {
        let mut batch = Batch::default();
        for number in next..messages.min(next + BATCH) {
            let mut writer = spool.begin_body().map_err(|error| store(&error))?;
            writer.write(&content).map_err(|error| store(&error))?;
            let body = batch.link_body(writer.finish().map_err(|error| store(&error))?);
            let (connector, prmd) = to(number);
            let envelope = peer::envelope_to(&prmd, number)
                .map_err(|error| BenchError::Association(error.to_string()))?;
            let record = OutboundRecord {
                mts_identifier: envelope.message_identifier.to_string(),
                originator: envelope.originator_name.to_string(),
                item: Item::Message { envelope: envelope.to_octets(), body, content_length: size as u64 },
                source: Source::Connector("generator".to_owned()),
                arrived: now,
                queued: now,
                expires: WallTime::from_unix(now.unix() + 2 * 86_400),
                attempts: 0,
                size: size as u64,
                recipients: 1,
                exhausted: Vec::new(),
                last_failure: None,
                tries: Tries::default(),
            };
            // From 1, as the sequence of a store begins.
            let key = OutboundKey { connector, rank: Rank::Normal, sequence: number + 1 };
            batch.put(OUTBOUND, key.encode(), record.encode());
            let digest = digest(number);
            batch.put(DUPLICATE, digest, []);
            batch.put(DUPLICATE_AGE, DuplicateAgeKey { accepted: now, digest }.encode(), []);
        }
        next = messages.min(next + BATCH);
        batch.put(META, *b"sequence", (next + 1).to_be_bytes());
        under_way.push_back(spool.commit(batch));
        if under_way.len() >= BATCHES
            && let Some(commit) = under_way.pop_front()
        {
            commit.wait().map_err(|error| store(&error))?;
        }
    }
    for commit in under_way {
        commit.wait().map_err(|error| store(&error))?;
    }
    Ok(())
}

/// Like a digest: spread over all values.
fn digest(number: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    let mut state = number;
    for part in digest.chunks_exact_mut(8) {
        // The finalizer of SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        part.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    digest
}
