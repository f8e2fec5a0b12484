//! A look through the store before it is worked on, in bounded time: after a disorderly stop, if the settings say so.
//!
//! Opening a store finds out in any case whether the index and its files are whole. This looks at what is in them: first
//! the records of all queues, whether they can be understood and their contents are there, then the contents, the
//! youngest first, since those were written when the end came. It only reads: what is damaged is told, and dealt with
//! where it is met, as always. What time does not suffice for is left to `chappe check`.

use std::time::{Duration, Instant};

use agent::record::{
    Item, MAILBOX, MailboxItem, MailboxKey, MailboxRecord, OUTBOUND, OutboundKey, OutboundRecord, PARKED,
    Record, WORK, WorkKey, WorkRecord,
};
use spool::{BodyId, CheckOnStart, EmbeddedSpool, LastStop, Space, Spool, SpoolError, block_on};

use crate::recovery;

/// Records read at once, and names of contents looked through at once.
const PAGE: usize = 512;
/// Octets of a content read at once.
const PIECE: usize = 1 << 20;
/// Findings that are described; more are only counted.
const DESCRIBED: usize = 20;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// The first findings, in words.
    pub(crate) findings: Vec<String>,
    /// How many there are.
    pub(crate) count: u64,
    records: u64,
    bodies: u64,
    /// Whether there was time for everything.
    complete: bool,
    took: Duration,
}

/// There is no time left.
struct Over;

/// Looks, if this is to be done at this start. It blocks.
pub(crate) fn look(spool: &EmbeddedSpool, when: CheckOnStart, limit: Duration) -> Option<Looked> {
    let wanted = match (when, spool.last_stop()) {
        (CheckOnStart::Always, LastStop::InOrder | LastStop::Disorderly)
        | (CheckOnStart::AfterUncleanStop, LastStop::Disorderly) => true,
        (CheckOnStart::Never, _)
        | (CheckOnStart::AfterUncleanStop, LastStop::InOrder)
        | (_, LastStop::NoneBefore) => false,
    };
    if !wanted {
        return None;
    }
    let began = Instant::now();
    let mut looked = Looked::default();
    let is_over = || began.elapsed() >= limit;
    looked.complete = looked.records(spool, is_over).and_then(|()| looked.bodies(spool, is_over)).is_ok();
    looked.took = began.elapsed();
    Some(looked)
}

impl std::fmt::Display for Looked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Looked { count, records, bodies, complete, took, .. } = self;
        let rest =
            if *complete { "" } else { "; there was no time for the rest, which `chappe check` looks at" };
        write!(
            f,
            "the store was looked through: {records} records and {bodies} contents in {:.1} s, {count} findings{rest}",
            took.as_secs_f64()
        )
    }
}

impl Looked {
    fn find(&mut self, what: String) {
        self.count = self.count.saturating_add(1);
        if self.findings.len() < DESCRIBED {
            self.findings.push(what);
        }
    }

    fn records(&mut self, spool: &EmbeddedSpool, is_over: impl Fn() -> bool) -> Result<(), Over> {
        for space in [WORK, OUTBOUND, PARKED, MAILBOX] {
            let mut after: Option<Vec<u8>> = None;
            loop {
                if is_over() {
                    return Err(Over);
                }
                let page = match block_on(spool.scan(space, b"", after.as_deref(), PAGE)) {
                    Ok(page) => page,
                    Err(error) => {
                        self.find(format!("the {} can't be read: {error}", name(space)));
                        break;
                    }
                };
                for (key, value) in &page {
                    self.records = self.records.saturating_add(1);
                    let trouble = match body_of(space, key, value) {
                        Ok(Some(body)) => block_on(spool.body_len(body)).err().map(|error| error.to_string()),
                        Ok(None) => None,
                        Err(why) => Some(why),
                    };
                    if let Some(why) = trouble {
                        self.find(format!("{}, entry {key:02x?}: {why}", name(space)));
                    }
                }
                after = page.last().map(|(key, _)| key.clone());
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads contents to their end, where their checksums are compared, from the youngest to the oldest.
    fn bodies(&mut self, spool: &EmbeddedSpool, is_over: impl Fn() -> bool) -> Result<(), Over> {
        let mut below = u64::MAX;
        loop {
            let youngest = match last_below(spool, below) {
                Ok(Some(youngest)) => youngest,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.find(format!("the list of contents can't be read: {error}"));
                    return Ok(());
                }
            };
            let from = youngest.saturating_sub(PAGE as u64 - 1);
            let after = from.checked_sub(1).map(BodyId);
            let page = spool.bodies(after, PAGE).unwrap_or_default();
            for entry in page.iter().rev().filter(|entry| entry.body.0 <= youngest) {
                if is_over() {
                    return Err(Over);
                }
                self.bodies = self.bodies.saturating_add(1);
                if let Err(error) = read(spool, entry.body) {
                    self.find(error.to_string());
                }
            }
            below = from;
        }
    }
}

/// The greatest name of a content below `below`. Names are given out in order but with gaps, and the list is read upward
/// only, so it is looked for by halving.
fn last_below(spool: &EmbeddedSpool, below: u64) -> Result<Option<u64>, SpoolError> {
    let first_from = |from: u64| {
        let page = spool.bodies(from.checked_sub(1).map(BodyId), 1)?;
        Ok::<_, SpoolError>(page.first().map(|entry| entry.body.0).filter(|name| *name < below))
    };
    let Some(mut found) = first_from(0)? else { return Ok(None) };
    let (mut low, mut high) = (found, below);
    // There is one at `found`, and none from `high` on.
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(middle.saturating_add(1))? {
            Some(name) => (found, low) = (name, name),
            None => high = middle,
        }
    }
    Ok(Some(found))
}

fn read(spool: &EmbeddedSpool, body: BodyId) -> Result<(), SpoolError> {
    let mut offset = 0_u64;
    loop {
        match block_on(spool.read_body(body, offset, PIECE)) {
            Ok(piece) if piece.is_empty() => return Ok(()),
            Ok(piece) => offset = offset.saturating_add(piece.len() as u64),
            Err(error) => return Err(error),
        }
    }
}

/// Understands a record; tells the content it refers to.
fn body_of(space: Space, key: &[u8], value: &[u8]) -> Result<Option<BodyId>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let no_key = || "its key is none".to_owned();
    let of_item = |item: &Item| match item {
        Item::Message { body, .. } => Some(*body),
        Item::Report { .. } | Item::Probe { .. } => None,
    };
    match space {
        WORK => {
            WorkKey::parse(key).ok_or_else(no_key)?;
            Ok(of_item(&WorkRecord::decode(value).map_err(|error| text(&error))?.item))
        }
        OUTBOUND => {
            OutboundKey::parse(key).ok_or_else(no_key)?;
            Ok(of_item(&OutboundRecord::decode(value).map_err(|error| text(&error))?.item))
        }
        MAILBOX => {
            MailboxKey::parse(key).ok_or_else(no_key)?;
            match MailboxRecord::decode(value).map_err(|error| text(&error))?.kind {
                MailboxItem::Message { body, .. } => Ok(Some(body)),
                MailboxItem::Report { .. } => Ok(None),
            }
        }
        _ => recovery::parked_body(value).map_err(|error| text(&error)),
    }
}

fn name(space: Space) -> &'static str {
    match space {
        WORK => "work queue",
        OUTBOUND => "queues",
        MAILBOX => "mailboxes",
        _ => "interrupted transfers",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use spool::{Batch, Options};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn store(spool: &EmbeddedSpool, octets: &[u8]) -> BodyId {
        let mut writer = spool.begin_body().unwrap();
        writer.write(octets).unwrap();
        let mut batch = Batch::default();
        let body = batch.link_body(writer.finish().unwrap());
        spool.commit(batch).wait().unwrap();
        body
    }

    #[test]
    fn names_are_found_downward_over_gaps() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { body_id_step: 1_000, reserve_bytes: 0, ..Options::default() };
        let mut names = Vec::new();
        for _ in 0..3 {
            // Each opening leaves a gap behind it.
            let spool = EmbeddedSpool::open(directory.path(), options.clone()).unwrap();
            names.extend((0..4).map(|_| store(&spool, b"content").0));
        }
        let spool = EmbeddedSpool::open(directory.path(), options).unwrap();
        let mut found = Vec::new();
        let mut below = u64::MAX;
        while let Some(name) = last_below(&spool, below).unwrap() {
            found.push(name);
            below = name;
        }
        names.reverse();
        assert_eq!(found, names);
    }

    #[test]
    fn damage_is_told_and_nothing_is_changed() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { reserve_bytes: 0, ..Options::default() };
        let spool = EmbeddedSpool::open(directory.path(), options.clone()).unwrap();
        for _ in 0..3 {
            store(&spool, &[7; 5_000]);
        }
        let mut batch = Batch::default();
        batch.put(OUTBOUND, *b"to-b\0\x01\0\0\0\0\0\0\0\x05", *b"no record");
        spool.commit(batch).wait().unwrap();
        assert!(look(&spool, CheckOnStart::Always, LONG).is_none(), "what is new needs no look");
        spool.close();
        let segment = directory.path().join("segments/0000000000000000.seg");
        let mut octets = std::fs::read(&segment).unwrap();
        octets[6_000] ^= 1;
        std::fs::write(&segment, &octets).unwrap();

        let spool = EmbeddedSpool::open(directory.path(), options).unwrap();
        assert!(look(&spool, CheckOnStart::AfterUncleanStop, LONG).is_none());
        assert!(look(&spool, CheckOnStart::Never, LONG).is_none());
        let looked = look(&spool, CheckOnStart::Always, LONG).unwrap();
        assert_eq!((looked.count, looked.records, looked.bodies, looked.complete), (2, 1, 3, true));
        assert_eq!(looked.findings.len(), 2, "{looked:?}");
        assert!(looked.findings[0].contains("queues"), "{looked:?}");
        let cut = look(&spool, CheckOnStart::Always, Duration::ZERO).unwrap();
        assert!(!cut.complete && cut.to_string().contains("no time"), "{cut}");
        assert_eq!(std::fs::read(&segment).unwrap(), octets);
        assert_eq!(spool.stats().batches_applied, 0);
    }
}
