//! What an operator sees of the quarantine and does to it. Nothing in it is decoded here beyond its record: its envelope may
//! be what brought it there.

use agent::record::{Item, QUARANTINE, Record, Source, TRIED, TriedRecord, WhetherTold};
use agent::{Quarantined, Step};
use ber::{Tag, Writer};
use serde::Serialize;
use spool::BodyId;

use crate::handle::{AdminError, Handle};
use crate::pages::Pages;

/// Something in quarantine.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantineStatus {
    /// Its number, by which it is released and deleted.
    pub number: u64,
    /// The queue that it was in: a connector, `work`, or `unknown`.
    pub queue: String,
    /// `message`, `report`, `probe`, or `record` if it can't be read.
    pub kind: &'static str,
    /// The connector that it came in over, if it came in over one.
    pub from: Option<String>,
    /// When this MTA took responsibility for it.
    pub received: Option<String>,
    /// Length of its content, or of the APDU without content; octets.
    pub size: Option<u64>,
    /// Its MTS-identifier, if it is known.
    pub mts_id: Option<String>,
    /// Its originator, if he is known.
    pub originator: Option<String>,
    /// What happened.
    pub why: String,
    /// When it last happened.
    pub since: Option<String>,
    /// How often its handling has failed.
    pub failures: u32,
    /// How often the process has died with it in hand.
    pub deaths: u32,
    /// Whether a non-delivery report was made.
    pub told: bool,
}

/// A part of what is in quarantine.
#[derive(Clone, Debug)]
pub struct QuarantinePage {
    /// What is in it.
    pub items: Vec<QuarantineStatus>,
    /// Number after which the next page begins, if there may be one.
    pub next: Option<u64>,
}

/// Something in quarantine as it is stored.
#[derive(Clone, Debug)]
pub struct QuarantinedOctets {
    /// The MTS-APDU, of a message what stands in front of its content; of what can't be read the record itself.
    pub head: Vec<u8>,
    /// Content of a message and its length.
    pub content: Option<(BodyId, u64)>,
}

/// Number in the key of something in quarantine: every key that can get there ends with one.
fn number_of(aside: &[u8]) -> u64 {
    aside.last_chunk::<8>().map_or(0, |number| u64::from_be_bytes(*number))
}

impl Handle {
    /// A part of what is in quarantine, at most `limit`, in the order of the queues that it was in; `after` is the number of
    /// the last that the part before had.
    ///
    /// # Errors
    /// The store can't be read, or `after` is not there.
    pub async fn quarantine(&self, after: Option<u64>, limit: usize) -> Result<QuarantinePage, AdminError> {
        let after = match after {
            None => None,
            Some(number) => Some(self.quarantined(number).await?.0),
        };
        let mut items = Vec::new();
        let mut pages = Pages::new(QUARANTINE, Vec::new()).after(after);
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            for (aside, value) in page {
                if items.len() >= limit {
                    let next = items.last().map(|item: &QuarantineStatus| item.number);
                    return Ok(QuarantinePage { items, next });
                }
                let note = self.shared.spool.get(TRIED, &aside).await?;
                let note = note.and_then(|note| TriedRecord::decode(&note).ok());
                items.push(describe(&aside, &value, note));
            }
        }
        Ok(QuarantinePage { items, next: None })
    }

    /// The octets of something in quarantine.
    ///
    /// # Errors
    /// There is no such item, or the store can't be read.
    pub async fn quarantined_octets(&self, number: u64) -> Result<QuarantinedOctets, AdminError> {
        let (aside, value) = self.quarantined(number).await?;
        Ok(match Quarantined::decode(&aside, &value).ok().flatten().map(|found| found.record.item) {
            Some(Item::Message { envelope, body, content_length }) => {
                let inside = Writer::encode(|w| {
                    w.raw(&envelope);
                    w.header(Tag::OCTET_STRING, false, content_length);
                });
                let mut head = Writer::new();
                // The message of the MTS-APDU.
                head.header(Tag::context(0), true, content_length.saturating_add(inside.len() as u64));
                head.raw(&inside);
                QuarantinedOctets { head: head.into_vec(), content: Some((body, content_length)) }
            }
            Some(Item::Report { apdu } | Item::Probe { apdu }) => {
                QuarantinedOctets { head: apdu, content: None }
            }
            None => QuarantinedOctets { head: value, content: None },
        })
    }

    /// Puts something in quarantine back into the work queue, with three tries as if it had just come. `by` tells who
    /// wants it, for the event log.
    ///
    /// # Errors
    /// There is no such item, it can't be read, or the store fails.
    pub async fn release_quarantined(&self, number: u64, by: &str) -> Result<(), AdminError> {
        let (aside, value) = self.quarantined(number).await?;
        let found = Quarantined::decode(&aside, &value)?;
        let found = found.ok_or_else(|| AdminError::NotQuarantined(number))?;
        let step = agent::release_quarantined(&self.shared.sequence, &found);
        self.leave_quarantine(number, step, "release from quarantine", by).await
    }

    /// Deletes something in quarantine for good. Nobody is told.
    ///
    /// # Errors
    /// There is no such item, or the store fails.
    pub async fn delete_quarantined(&self, number: u64, by: &str) -> Result<(), AdminError> {
        let (aside, value) = self.quarantined(number).await?;
        let step = agent::delete_quarantined(&aside, &value);
        self.leave_quarantine(number, step, "delete from quarantine", by).await
    }

    async fn leave_quarantine(
        &self,
        number: u64,
        step: Step,
        what: &str,
        by: &str,
    ) -> Result<(), AdminError> {
        let done = self.shared.commit(step).await;
        let refused = done.as_ref().err().map(ToString::to_string);
        self.audit("quarantine", by, &format!("{what}: number {number}"), refused);
        Ok(done?)
    }

    async fn quarantined(&self, number: u64) -> Result<(Vec<u8>, Vec<u8>), AdminError> {
        let mut pages = Pages::new(QUARANTINE, Vec::new());
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            if let Some(found) = page.into_iter().find(|(aside, _)| number_of(aside) == number) {
                return Ok(found);
            }
        }
        Err(AdminError::NotQuarantined(number))
    }
}

fn describe(aside: &[u8], value: &[u8], note: Option<TriedRecord>) -> QuarantineStatus {
    let decoded = Quarantined::decode(aside, value);
    let unreadable = match &decoded {
        Ok(Some(_)) => "its envelope or APDU can't be read".to_owned(),
        Ok(None) => "it can't be understood".to_owned(),
        Err(error) => error.to_string(),
    };
    let found = decoded.ok().flatten();
    let (failures, deaths) = note.as_ref().map_or((0, 0), |note| (note.failures, note.deaths));
    let record = found.as_ref().map(|found| &found.record);
    let named = found.as_ref().and_then(|found| found.named.clone());
    let (mts_id, originator) = named.unzip();
    QuarantineStatus {
        number: number_of(aside),
        queue: match &found {
            Some(found) => found.connector().unwrap_or("work").to_owned(),
            None => "unknown".to_owned(),
        },
        kind: record.map_or("record", |record| record.item.kind()),
        from: record.and_then(|record| match &record.source {
            Source::Connector(name) => Some(name.clone()),
            Source::Submission | Source::Agent => None,
        }),
        received: record.map(|record| record.arrived.to_string()),
        size: record.map(|record| record.item.size()),
        mts_id: mts_id.or_else(|| note.as_ref().and_then(|note| note.mts_identifier.clone())),
        originator,
        why: note.as_ref().map_or(unreadable, |note| note.last.clone()),
        since: note.as_ref().map(|note| note.time.to_string()),
        failures,
        deaths,
        told: note.is_some_and(|note| note.told == WhetherTold::Told),
    }
}
