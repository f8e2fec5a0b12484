//! Parked transfers over a restart: written at a stop in order, taken up at the start, copied when they are resumed.
//!
//! A body that is in the store can't be written on, so the one that is resumed is a copy. After `kill -9` nothing is
//! found, and the peer begins anew.

use std::sync::Arc;
use std::time::Duration;

use agent::Step;
use agent::record::{PARKED, ParkedKey, Record};
use mhs::p1::ApduReader;
use spool::{BodyId, BodyWriter, CommitError, SpoolError};

use super::{Dropped, Kept, ParkedRecord, Reception, TransferName};
use crate::association::Receiving;
use crate::events::EventKind;
use crate::pages::Pages;
use crate::shared::Shared;

/// Octets copied at once.
const PIECE: usize = 1 << 20;

/// Why a transfer could not be stored.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    /// What came last has not reached the disk.
    #[error(transparent)]
    Body(#[from] SpoolError),
    /// The record could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why a stored transfer can't be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] SpoolError),
    /// The record does not fit to the content, to itself, or to the limits of today.
    #[error("what was stored of it is of no use")]
    Unusable,
}

/// Writes what is parked, at the end of an MTA that stops in order.
pub(crate) async fn persist(shared: &Arc<Shared>, limit: Duration) {
    let all = shared.recovery.take_all();
    let writing = async {
        for (names, _, kept) in all {
            match kept {
                Kept::Here(reception) => {
                    let connector = names.first().map_or_else(String::new, |name| name.connector.clone());
                    if let Err(error) = write(shared, names, *reception).await {
                        shared.event(
                            EventKind::InterruptedTransferDropped,
                            &connector,
                            format!("an interrupted transfer could not be stored: {error}"),
                        );
                    }
                }
                // It is where it was.
                Kept::Stored(..) => {}
            }
        }
    };
    // What is not written begins anew, as after a crash.
    let _ = tokio::time::timeout(limit, writing).await;
}

async fn write(
    shared: &Arc<Shared>,
    names: Vec<TransferName>,
    reception: Reception,
) -> Result<(), WriteError> {
    let Some(connector) = names.first().map(|name| name.connector.clone()) else { return Ok(()) };
    let Some(parts) = reception.receiving.into_parts(shared).await? else { return Ok(()) };
    let mut step = Step::default();
    let body = parts.body.map(|body| (body.len(), step.batch.link_body(body)));
    let record = ParkedRecord {
        names: names.into_iter().map(|name| (name.connection, name.activity)).collect(),
        receiver: reception.receiver,
        normal_mode: reception.normal_mode,
        reader: parts.reader,
        head: parts.head,
        body: body.map(|(length, body)| (body.0, length)),
        complete: parts.complete,
        at: reception.at.unix(),
    };
    let key = ParkedKey { connector, sequence: agent::Sequence::next(&shared.sequence) };
    step.batch.put(PARKED, key.encode(), record.encode());
    Ok(shared.commit(step).await?)
}

/// Takes up what was parked when the MTA stopped. What is too old, damaged, or of a connector that is gone goes.
pub(crate) async fn load(shared: &Arc<Shared>) -> Result<(), SpoolError> {
    let mut pages = Pages::new(PARKED, Vec::new());
    while let Some(page) = pages.next(&*shared.spool).await? {
        for (key, octets) in page {
            match ParkedRecord::decode(&octets) {
                Ok(record) => take_up(shared, key, record).await,
                Err(error) => {
                    let text = format!("an interrupted transfer in the store can't be read: {error}");
                    shared.event(EventKind::InterruptedTransferDropped, "", text);
                    let mut step = Step::default();
                    step.batch.delete(PARKED, key);
                    settle(shared, step).await;
                }
            }
        }
    }
    Ok(())
}

async fn take_up(shared: &Arc<Shared>, key: Vec<u8>, record: ParkedRecord) {
    let connector = ParkedKey::parse(&key).map(|key| key.connector).unwrap_or_default();
    let agent = shared.agent();
    let timeout = agent.settings().connector(&connector).map_or(0, |found| found.rts.recovery_timeout_s);
    let age = shared.clocks.wall().unix().saturating_sub(record.at).max(0);
    let left = u32::try_from(age).map_or(0, |age| timeout.saturating_sub(age));
    let names = record.names.iter().map(|(connection, activity)| TransferName {
        connector: connector.clone(),
        connection: connection.clone(),
        activity: activity.clone(),
    });
    let names = names.collect();
    let kept = Kept::Stored(key, Box::new(record));
    if left == 0 {
        return discard(shared, vec![Dropped { connector, kept }], "its time was over").await;
    }
    let until = shared.clocks.mono() + Duration::from_secs(u64::from(left));
    discard(shared, shared.recovery.park(names, until, kept), "too many").await;
}

/// Makes a stored transfer one that can go on. The record is gone then, whatever comes of it.
pub(crate) async fn restore(
    shared: &Arc<Shared>,
    key: Vec<u8>,
    record: ParkedRecord,
) -> Result<Reception, RestoreError> {
    let reception = rebuild(shared, &record).await;
    // The copy is made: without it, as without a copy, the stored one is of no use any more.
    settle(shared, removal(key, record.body)).await;
    reception
}

async fn rebuild(shared: &Arc<Shared>, record: &ParkedRecord) -> Result<Reception, RestoreError> {
    let reader =
        ApduReader::restore(shared.limits().apdu, record.reader.clone()).ok_or(RestoreError::Unusable)?;
    let body = match record.body {
        Some((body, length)) => Some(copy(shared, BodyId(body), length).await?),
        None => None,
    };
    let receiving = Receiving::from_parts(reader, record.head.as_ref(), body, record.complete)
        .ok_or(RestoreError::Unusable)?;
    Ok(Reception {
        receiver: record.receiver.clone(),
        receiving,
        normal_mode: record.normal_mode,
        at: clock::WallTime::from_unix(record.at),
    })
}

async fn copy(shared: &Arc<Shared>, body: BodyId, length: u64) -> Result<Box<dyn BodyWriter>, RestoreError> {
    let mut writer = shared.spool.begin_body()?;
    while writer.len() < length {
        let piece = shared.spool.read_body(body, writer.len(), PIECE).await?;
        if piece.is_empty() {
            return Err(RestoreError::Unusable);
        }
        let may_block = writer.write_may_block(piece.len());
        let write = move || writer.write(&piece).map(|()| writer);
        writer = shared.surroundings.blocking(may_block, write).await?;
    }
    if writer.len() == length { Ok(writer) } else { Err(RestoreError::Unusable) }
}

/// Lets go of what was dropped, and says so.
pub(crate) async fn discard(shared: &Arc<Shared>, dropped: Vec<Dropped<Kept>>, why: &str) {
    for Dropped { connector, kept } in dropped {
        let octets = match &kept {
            Kept::Here(reception) => reception.receiver.octets(),
            Kept::Stored(_, record) => record.receiver.octets(),
        };
        shared.event(
            EventKind::InterruptedTransferDropped,
            &connector,
            format!(
                "a transfer in that was interrupted after {octets} octets can't be resumed any more: {why}"
            ),
        );
        match kept {
            // The writer's space is given back with it.
            Kept::Here(reception) => drop(reception),
            Kept::Stored(key, record) => settle(shared, removal(key, record.body)).await,
        }
    }
}

fn removal(key: Vec<u8>, body: Option<(u64, u64)>) -> Step {
    let mut step = Step::default();
    step.batch.assert_present(PARKED, key.clone()).delete(PARKED, key);
    if let Some((body, _)) = body {
        step.batch.release(BodyId(body));
    }
    step
}

async fn settle(shared: &Arc<Shared>, step: Step) {
    match shared.commit(step).await {
        // Gone already.
        Ok(()) | Err(CommitError::AssertionFailed { .. }) => {}
        Err(error) => shared.store_failed(&error),
    }
}
