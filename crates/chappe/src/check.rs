//! What the records of a data directory mean, and whether what they refer to is there.
//!
//! A record that can't be understood, or whose content is damaged or missing, holds nothing up once it is in quarantine:
//! with `repair` it is moved there, with its reference. Reference counts that are too low are raised, since a content
//! would else go while a record still needs it; those too high only keep space and are left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use agent::record::{
    DUPLICATE, DUPLICATE_AGE, Item, MAILBOX, MailboxItem, MailboxKey, MailboxRecord, OUTBOUND, OutboundKey,
    OutboundRecord, PARKED, QUARANTINE, Record, TRIED, TriedRecord, WORK, WhetherTold, WorkKey, WorkRecord,
};
use clock::WallTime;
use mhs::p1::{MessageTransferEnvelope, MtsApdu};
use spool::{Batch, BodyId, EmbeddedSpool, Examined, Gravity, Space, Spool, block_on};

/// Records read at once.
const PAGE: usize = 512;

/// What is in a data directory.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Entries of each queue, mailbox entries and what is in quarantine.
    pub(crate) queues: BTreeMap<String, u64>,
}

/// What one record tells.
struct Told {
    queue: String,
    body: Option<BodyId>,
}

/// Looks at every record, adds what is wrong to `examined`, and repairs it if asked to.
pub(crate) fn look(examined: &mut Examined, repair: bool) -> Contents {
    let mut contents = Contents::default();
    let Some(spool) = examined.spool.take() else { return contents };
    let bodies: BTreeMap<BodyId, u32> = match all_bodies(&spool) {
        Ok(bodies) => bodies,
        Err(error) => {
            examined.find(Gravity::Serious, format!("the list of contents can't be read: {error}"), None);
            return contents;
        }
    };
    let damaged: BTreeSet<BodyId> = examined.damaged_bodies.iter().copied().collect();
    let mut references: BTreeMap<BodyId, u32> = BTreeMap::new();
    // What something outside the quarantine needs.
    let mut needed: BTreeSet<BodyId> = BTreeSet::new();
    for space in [WORK, OUTBOUND, MAILBOX, PARKED, QUARANTINE] {
        let mut after: Option<Vec<u8>> = None;
        // What can't be read has been found already.
        while let Ok(page) = block_on(spool.scan(space, b"", after.as_deref(), PAGE)) {
            for (key, value) in &page {
                // What is in quarantine is whatever it was before.
                let told = match (space, key.split_first()) {
                    (QUARANTINE, Some((&was, key))) => tell(Space(was), key, value)
                        .map(|told| Told { queue: "quarantine".to_owned(), ..told }),
                    _ => tell(space, key, value),
                };
                let trouble = match &told {
                    Ok(Told { body: Some(body), queue }) => {
                        let count = references.entry(*body).or_default();
                        *count = count.saturating_add(1);
                        if !bodies.contains_key(body) {
                            Some(format!("{queue}: the content {body} of an entry is missing"))
                        } else if damaged.contains(body) {
                            Some(format!("{queue}: the content {body} of an entry is damaged"))
                        } else {
                            None
                        }
                    }
                    Ok(Told { body: None, .. }) => None,
                    Err(error) => Some(format!("{}: {error}", name(space))),
                };
                let (queue, body) =
                    told.map_or_else(|_| (name(space).to_owned(), None), |told| (told.queue, told.body));
                let (queue, trouble) = match trouble {
                    Some(what) if space != QUARANTINE => {
                        let done = repair.then(|| put_aside(&spool, space, key, value, &what));
                        let moved = matches!(done, Some(Ok(())));
                        let done = done.map(|done| match done {
                            Ok(()) => "put into quarantine".to_owned(),
                            Err(error) => format!("could not be put into quarantine: {error}"),
                        });
                        (if moved { "quarantine".to_owned() } else { queue }, Some((what, done)))
                    }
                    // It holds nothing up there.
                    Some(_) | None => (queue, None),
                };
                if queue != "quarantine" {
                    needed.extend(body);
                }
                let count = contents.queues.entry(queue).or_default();
                *count = count.saturating_add(1);
                if let Some((what, done)) = trouble {
                    examined.find(Gravity::Damaged, what, done);
                }
            }
            after = page.last().map(|(key, _)| key.clone());
            if page.len() < PAGE {
                break;
            }
        }
    }
    for body in damaged.difference(&needed) {
        examined.excuse(*body);
    }
    compare_references(examined, &spool, &bodies, &references, repair);
    compare_duplicates(examined);
    examined.spool = Some(spool);
    contents
}

fn all_bodies(spool: &EmbeddedSpool) -> Result<BTreeMap<BodyId, u32>, spool::SpoolError> {
    let mut bodies = BTreeMap::new();
    let mut after = None;
    loop {
        let page = spool.bodies(after, PAGE)?;
        after = page.last().map(|entry| entry.body);
        let full = page.len() == PAGE;
        bodies.extend(
            page.into_iter().map(|entry| (entry.body, entry.understood.map_or(0, |(count, _)| count))),
        );
        if !full {
            return Ok(bodies);
        }
    }
}

/// Understands a record, its key and the envelope or APDU in it.
fn tell(space: Space, key: &[u8], value: &[u8]) -> Result<Told, String> {
    let no_key = || format!("an entry has the key {key:02x?}, which is none");
    let no_record =
        |error: &dyn std::fmt::Display| format!("the entry {key:02x?} can't be understood: {error}");
    let item = |item: &Item| match item {
        Item::Message { envelope, body, .. } => match MessageTransferEnvelope::from_octets(envelope) {
            Ok(_) => Ok(Some(*body)),
            Err(error) => Err(no_record(&error)),
        },
        Item::Report { apdu } | Item::Probe { apdu } => match MtsApdu::from_octets(apdu) {
            Ok(_) => Ok(None),
            Err(error) => Err(no_record(&error)),
        },
    };
    match space {
        WORK => {
            WorkKey::parse(key).ok_or_else(no_key)?;
            let record = WorkRecord::decode(value).map_err(|error| no_record(&error))?;
            Ok(Told { queue: "work".to_owned(), body: item(&record.item)? })
        }
        OUTBOUND => {
            let key = OutboundKey::parse(key).ok_or_else(no_key)?;
            let record = OutboundRecord::decode(value).map_err(|error| no_record(&error))?;
            Ok(Told { queue: key.connector, body: item(&record.item)? })
        }
        MAILBOX => {
            MailboxKey::parse(key).ok_or_else(no_key)?;
            let record = MailboxRecord::decode(value).map_err(|error| no_record(&error))?;
            let body = match record.kind {
                MailboxItem::Message { body, .. } => Some(body),
                MailboxItem::Report { .. } => None,
            };
            Ok(Told { queue: "mailboxes".to_owned(), body })
        }
        PARKED => {
            let body = runtime::parked_body(value).map_err(|error| no_record(&error))?;
            Ok(Told { queue: "interrupted".to_owned(), body })
        }
        other => Err(format!("an entry of space {} has no meaning", other.0)),
    }
}

fn name(space: Space) -> &'static str {
    match space {
        WORK => "work",
        OUTBOUND => "outbound queues",
        MAILBOX => "mailboxes",
        PARKED => "interrupted",
        _ => "quarantine",
    }
}

fn put_aside(
    spool: &EmbeddedSpool,
    space: Space,
    key: &[u8],
    value: &[u8],
    why: &str,
) -> Result<(), spool::CommitError> {
    let aside = [&[space.0], key].concat();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = WallTime::from_unix(i64::try_from(now).unwrap_or_default());
    // What is damaged is not what its originator sent, so he is told by whoever looks at it.
    let note = TriedRecord { last: why.to_owned(), told: WhetherTold::Not, ..TriedRecord::new(now) };
    let mut batch = Batch::default();
    batch.put(TRIED, aside.clone(), note.encode());
    batch.assert_present(space, key).assert_absent(QUARANTINE, aside.clone());
    batch.delete(space, key).put(QUARANTINE, aside, value);
    spool.commit(batch).wait()
}

fn compare_references(
    examined: &mut Examined,
    spool: &EmbeddedSpool,
    bodies: &BTreeMap<BodyId, u32>,
    references: &BTreeMap<BodyId, u32>,
    repair: bool,
) {
    for (body, &counted) in bodies {
        let needed = references.get(body).copied().unwrap_or(0);
        let what = format!("content {body} counts {counted} references, and {needed} entries refer to it");
        if counted > needed {
            examined.find(Gravity::Harmless, format!("{what}; its space is not given back"), None);
        } else if counted < needed && !examined.damaged_bodies.contains(body) {
            let done = repair.then(|| {
                let mut batch = Batch::default();
                batch.retain(*body, needed - counted);
                match spool.commit(batch).wait() {
                    Ok(()) => "the count was raised".to_owned(),
                    Err(error) => format!("the count could not be raised: {error}"),
                }
            });
            examined.find(Gravity::Damaged, what, done);
        }
    }
}

fn compare_duplicates(examined: &mut Examined) {
    let count =
        |space| examined.records.iter().find(|(found, _)| *found == space).map_or(0, |(_, count)| *count);
    let (digests, ages) = (count(DUPLICATE), count(DUPLICATE_AGE));
    if digests != ages {
        let what = format!("the duplicate history has {digests} transfers and {ages} ages");
        examined.find(Gravity::Harmless, what, None);
    }
}
