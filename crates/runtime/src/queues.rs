//! What is in the queues, page by page: of all of them or of one, everything or what a selection asks for.
//!
//! A page is found by reading on from where the one before it ended. However rare what is asked for may be, one request
//! reads a bounded part of the store; a page may then be short, or empty, and more follows all the same.

use std::fmt;

use agent::record::{
    HELD, HeldKey, Item, OUTBOUND, OutboundRecord, Rank, Record, WORK, WorkKey, held_prefix, outbound_prefix,
};
use agent::settings::Activation;
use agent::{CopyRecord, QueuedCopy};
use clock::WallTime;
use mhs::p1::{MessageTransferEnvelope, MtsApdu, PerRecipientFields, TraceInformation};
use mhs::{AddressPattern, OrAddress};
use spool::Space;

use crate::backlog::{Backlog, First};
use crate::handle::{AdminError, Handle};
use crate::pages::Pages;
use crate::status::{CopyState, LinkStatus, QueueStatus, QueuedMessage};

/// Name of the queue of what was accepted and not yet routed.
const WORK_QUEUE: &str = "work";
/// Recipients shown of one queued message.
const RECIPIENTS_SHOWN: usize = 100;
/// Records that one request reads at most.
const MOST_READ: usize = 10_000;

/// Which copies are meant: those for which all holds that is given.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// In the queue of this connector, or held from it; `work` for the work queue.
    pub queue: Option<String>,
    /// From this originator (of a report: to this destination).
    pub originator: Option<AddressPattern>,
    /// For one of these recipients at least.
    pub recipient: Option<AddressPattern>,
    /// Received by this MTA longer ago than this, seconds.
    pub older_than_s: Option<u64>,
    /// Of this priority in its queue.
    pub priority: Option<Rank>,
    /// In this state.
    pub state: Option<CopyState>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Selection { queue, originator, recipient, older_than_s, priority, state } = self;
        let parts = [
            queue.as_ref().map(|queue| format!("in queue {queue}")),
            originator.as_ref().map(|originator| format!("from {originator}")),
            recipient.as_ref().map(|recipient| format!("to {recipient}")),
            older_than_s.map(|seconds| format!("older than {seconds} s")),
            priority.map(|rank| format!("of priority {}", rank.name())),
            state.map(|state| format!("that are {}", state.name())),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("all") } else { f.write_str(&parts.join(", ")) }
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct MessagePage {
    /// What is in it.
    pub items: Vec<QueuedMessage>,
    /// Where the next page begins, if there may be one.
    pub next: Option<String>,
}

/// A copy, and what is known of it besides.
pub(crate) struct Found {
    pub(crate) copy: QueuedCopy,
    pub(crate) message: QueuedMessage,
}

/// A walk through the queues.
pub(crate) struct Walk {
    sections: std::vec::IntoIter<(Space, Vec<u8>)>,
    pages: Option<(Space, Pages)>,
}

impl Selection {
    /// Everything that belongs to one queue.
    pub fn queue(name: &str) -> Selection {
        Selection { queue: Some(name.to_owned()), ..Selection::default() }
    }

    /// Whether it takes a copy, its state aside.
    fn takes(&self, copy: &QueuedCopy, now: WallTime) -> bool {
        let age = now.unix().saturating_sub(copy.arrived().unix());
        let is_older = |seconds: u64| u64::try_from(age).is_ok_and(|age| age > seconds);
        if self.priority.is_some_and(|rank| rank != copy.rank())
            || self.older_than_s.is_some_and(|seconds| !is_older(seconds))
        {
            return false;
        }
        if self.originator.is_none() && self.recipient.is_none() {
            return true;
        }
        // An address that can't be read is no one's.
        let Some(parties) = Parties::of(copy.item()) else { return false };
        let is = |pattern: &Option<AddressPattern>, addresses: &[OrAddress]| {
            pattern
                .as_ref()
                .is_none_or(|pattern| addresses.iter().any(|address| pattern.matches(address).is_some()))
        };
        is(&self.originator, std::slice::from_ref(&parties.originator))
            && is(&self.recipient, &parties.recipients)
    }
}

impl Walk {
    /// Where a walk that has come to this key goes on.
    pub(crate) fn place(space: Space, key: &[u8]) -> String {
        std::iter::once(&space.0).chain(key).map(|octet| format!("{octet:02x}")).collect()
    }

    fn parse(place: &str) -> Option<(Space, Vec<u8>)> {
        let digits = place.as_bytes();
        if !digits.iter().all(u8::is_ascii_hexdigit) || !digits.len().is_multiple_of(2) {
            return None;
        }
        let octets = digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        let octets = octets.collect::<Option<Vec<u8>>>()?;
        let (space, key) = octets.split_first()?;
        Some((Space(*space), key.to_vec()))
    }

    /// The next records, with their space; `None` at the end.
    async fn next(&mut self, handle: &Handle) -> Result<Option<SpacePage>, AdminError> {
        loop {
            if self.pages.is_none() {
                self.pages = self.sections.next().map(|(space, prefix)| (space, Pages::new(space, prefix)));
            }
            let Some((space, pages)) = &mut self.pages else { return Ok(None) };
            match pages.next(&*handle.shared.spool).await? {
                Some(page) => return Ok(Some((*space, page))),
                None => self.pages = None,
            }
        }
    }
}

/// Records of one space.
type SpacePage = (Space, Vec<(Vec<u8>, Vec<u8>)>);

impl Handle {
    /// Every connector's queue.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn queues(&self) -> Result<Vec<QueueStatus>, AdminError> {
        let mut queues = Vec::new();
        for (connector, entry) in self.shared.connectors() {
            let total = entry.depth.total();
            let view = entry.view.borrow().clone();
            queues.push(QueueStatus {
                oldest: self.oldest(&connector, &entry.backlog).await?,
                connector,
                state: if entry.is_frozen() { "frozen" } else { view.state }.to_owned(),
                messages: total.is_complete.then_some(total.messages),
                octets: total.is_complete.then_some(total.octets),
                held: entry.held(),
                counting: !total.is_complete || entry.held().is_none(),
                retry_in_s: view.retry_at.map(|at| at.saturating_since(self.shared.clocks.mono()).as_secs()),
                last_failure: view.last_failure,
            });
        }
        Ok(queues)
    }

    /// Every link at a glance.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn links(&self) -> Result<Vec<LinkStatus>, AdminError> {
        let agent = self.shared.agent();
        let mut links = Vec::new();
        for (name, entry) in self.shared.connectors() {
            let Some(settings) = agent.settings().connector(&name) else { continue };
            let total = entry.depth.total();
            let oldest =
                if entry.depth.is_empty() { None } else { self.oldest(&name, &entry.backlog).await? };
            let view = entry.view.borrow().clone();
            links.push(LinkStatus {
                remote_mta: settings.remote_mta.to_string(),
                state: view.state.to_owned(),
                frozen: entry.is_frozen(),
                opens_nothing: matches!(settings.activation, Activation::Never | Activation::RemoteInitiated),
                associations: self.shared.registry.count(&name),
                messages: total.is_complete.then_some(total.messages),
                octets: total.is_complete.then_some(total.octets),
                held: entry.held(),
                oldest,
                next_retry: view.retry_time.map(|time| time.to_string()),
                last_failure: view.last_failure,
                failing_since: view.outage.since().map(|since| since.to_string()),
                failed_attempts: view.outage.attempts(),
                max_open_retries: settings.retry.max_open_retries,
                traffic: self.shared.traffic.status(&name),
                name,
            });
        }
        Ok(links)
    }

    /// A page of what a selection asks for: the work queue, the queues of the connectors in the order of transfer, then
    /// what is held. `after` is where the page before it ended.
    ///
    /// # Errors
    /// No such connector or place, or the store can't be read.
    pub async fn messages(
        &self,
        selection: &Selection,
        after: Option<&str>,
        limit: usize,
    ) -> Result<MessagePage, AdminError> {
        let mut walk = self.walk(selection, after)?;
        let (found, next) = self.page(&mut walk, selection, limit, |_| true).await?;
        Ok(MessagePage { items: found.into_iter().map(|found| found.message).collect(), next })
    }

    /// A message in any queue by its number or its MTS-identifier. A message with several next hops is in several
    /// queues; all its copies are returned.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn message(&self, reference: &str) -> Result<Vec<QueuedMessage>, AdminError> {
        Ok(self.copies(reference).await?.into_iter().map(|found| found.message).collect())
    }

    /// The first copy of a message by its number or its MTS-identifier, with its envelope.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn copy(&self, reference: &str) -> Result<Option<QueuedCopy>, AdminError> {
        Ok(self.copies(reference).await?.into_iter().next().map(|found| found.copy))
    }

    pub(crate) fn walk(&self, selection: &Selection, after: Option<&str>) -> Result<Walk, AdminError> {
        let all = match &selection.queue {
            None => vec![(WORK, Vec::new()), (OUTBOUND, Vec::new()), (HELD, Vec::new())],
            Some(name) if self.shared.connector(name).is_some() => {
                vec![(OUTBOUND, outbound_prefix(name)), (HELD, held_prefix(name))]
            }
            Some(name) if name == WORK_QUEUE => vec![(WORK, Vec::new()), (HELD, vec![WORK.0])],
            Some(name) => return Err(AdminError::NoSuchConnector(name.clone())),
        };
        let Some(place) = after else { return Ok(Walk { sections: all.into_iter(), pages: None }) };
        let nowhere = || AdminError::NoSuchPlace(place.to_owned());
        let (space, key) = Walk::parse(place).ok_or_else(nowhere)?;
        let mut sections = all.into_iter().skip_while(move |(section, _)| *section != space);
        let (space, prefix) = sections.next().ok_or_else(nowhere)?;
        let pages = Some((space, Pages::new(space, prefix).after(Some(key))));
        Ok(Walk { sections: sections.collect::<Vec<_>>().into_iter(), pages })
    }

    /// Walks on until `limit` copies are found that the selection and `wanted` take, or enough has been read; the second
    /// value is where to go on.
    pub(crate) async fn page(
        &self,
        walk: &mut Walk,
        selection: &Selection,
        limit: usize,
        wanted: impl Fn(&QueuedCopy) -> bool,
    ) -> Result<(Vec<Found>, Option<String>), AdminError> {
        let (mut found, mut read) = (Vec::new(), 0_usize);
        let now = self.shared.clocks.wall();
        while let Some((space, page)) = walk.next(self).await? {
            for (key, value) in &page {
                read += 1;
                if let Some(copy) = readable(space, key, value)
                    && wanted(&copy)
                    && selection.takes(&copy, now)
                {
                    let message = self.describe(&copy);
                    if selection.state.is_none_or(|state| state == message.state) {
                        found.push(Found { copy, message });
                    }
                }
                if found.len() >= limit || read >= MOST_READ {
                    return Ok((found, Some(Walk::place(space, key))));
                }
            }
        }
        Ok((found, None))
    }

    /// Every copy of a message by its number or its MTS-identifier.
    pub(crate) async fn copies(&self, reference: &str) -> Result<Vec<Found>, AdminError> {
        let Ok(number) = reference.parse::<u64>() else { return self.copies_of(reference).await };
        let mut keys = Vec::new();
        for rank in Rank::ALL {
            keys.push(HeldKey::Work(WorkKey { rank, sequence: number }));
            for (connector, _) in self.shared.connectors() {
                let key = agent::record::OutboundKey { connector, rank, sequence: number };
                keys.push(HeldKey::Outbound(key));
            }
        }
        let mut found = Vec::new();
        for key in keys {
            let there = match &key {
                HeldKey::Work(key) => (WORK, key.encode()),
                HeldKey::Outbound(key) => (OUTBOUND, key.encode()),
            };
            for (space, key) in [there, (HELD, key.encode())] {
                if let Some(value) = self.shared.spool.get(space, &key).await? {
                    found.extend(readable(space, &key, &value).map(|copy| self.with_message(copy)));
                }
            }
        }
        if found.is_empty() {
            // Held from the queue of a connector that is gone, perhaps.
            let walk = Walk { sections: vec![(HELD, Vec::new())].into_iter(), pages: None };
            return self.all(walk, |copy| copy.number() == number).await;
        }
        Ok(found)
    }

    async fn copies_of(&self, identifier: &str) -> Result<Vec<Found>, AdminError> {
        let walk = self.walk(&Selection::default(), None)?;
        let is_meant = |copy: &QueuedCopy| match &copy.record {
            CopyRecord::Outbound(_, record) => record.mts_identifier == identifier,
            CopyRecord::Work(_, record) => {
                Parties::of(&record.item).is_some_and(|parties| parties.mts_id == identifier)
            }
        };
        self.all(walk, is_meant).await
    }

    async fn all(
        &self,
        mut walk: Walk,
        wanted: impl Fn(&QueuedCopy) -> bool,
    ) -> Result<Vec<Found>, AdminError> {
        let mut all = Vec::new();
        while let Some((space, page)) = walk.next(self).await? {
            for (key, value) in &page {
                let copy = readable(space, key, value).filter(|copy| wanted(copy));
                all.extend(copy.map(|copy| self.with_message(copy)));
            }
        }
        Ok(all)
    }

    async fn oldest(&self, connector: &str, backlog: &Backlog) -> Result<Option<String>, AdminError> {
        let spool = &self.shared.spool;
        let mut oldest = None;
        for rank in Rank::ALL {
            let prefix = [outbound_prefix(connector), vec![rank.octet()]].concat();
            let behind = match backlog.first_of(&prefix) {
                First::Nowhere => continue,
                First::Behind(behind) => behind,
                First::At(key) => Some(key),
            };
            let at = match &behind {
                Some(key) if key.starts_with(&prefix) => spool.get(OUTBOUND, key).await?,
                Some(_) | None => None,
            };
            let octets = match at {
                Some(octets) => Some(octets),
                None => {
                    spool.scan(OUTBOUND, &prefix, behind.as_deref(), 1).await?.pop().map(|(_, value)| value)
                }
            };
            if let Some(octets) = octets {
                let queued = OutboundRecord::decode(&octets)?.queued;
                oldest = Some(oldest.map_or(queued, |oldest| queued.min(oldest)));
            }
        }
        Ok(oldest.map(|time| time.to_string()))
    }

    pub(crate) fn with_message(&self, copy: QueuedCopy) -> Found {
        Found { message: self.describe(&copy), copy }
    }

    fn describe(&self, copy: &QueuedCopy) -> QueuedMessage {
        let parties = Parties::of(copy.item());
        let (state, next_try_in_s) = self.state(copy);
        let shown = parties.as_ref().map_or(&[][..], |parties| &parties.recipients);
        let recipients = shown.iter().take(RECIPIENTS_SHOWN).map(ToString::to_string).collect();
        let (mts_id, originator) = match (&copy.record, &parties) {
            (CopyRecord::Outbound(_, record), _) => {
                (record.mts_identifier.clone(), record.originator.clone())
            }
            (CopyRecord::Work(..), Some(parties)) => {
                (parties.mts_id.clone(), parties.originator_name.clone())
            }
            (CopyRecord::Work(..), None) => ("unreadable".to_owned(), String::new()),
        };
        let (queued, expires, attempts, last_failure) = match &copy.record {
            CopyRecord::Work(_, record) => {
                (record.arrived, None, 0, record.failure.as_ref().map(|failure| failure.text.clone()))
            }
            CopyRecord::Outbound(_, record) => (
                record.queued,
                Some(record.expires.to_string()),
                record.attempts,
                record.last_failure.clone(),
            ),
        };
        QueuedMessage {
            number: copy.number(),
            queue: copy.connector().unwrap_or(WORK_QUEUE).to_owned(),
            kind: copy.item().kind(),
            mts_id,
            originator,
            recipients,
            recipient_count: shown.len(),
            priority: copy.rank().name(),
            size: copy.item().size(),
            submitted: parties.and_then(|parties| parties.submitted).map(|time| time.to_string()),
            received: copy.arrived().to_string(),
            queued: queued.to_string(),
            expires,
            deferred_until: self.deferred_until(copy).map(|time| time.to_string()),
            attempts,
            state,
            next_try_in_s,
            last_failure,
        }
    }

    /// The time before which something in the work queue is not to be delivered, if it is to come.
    fn deferred_until(&self, copy: &QueuedCopy) -> Option<WallTime> {
        let (CopyRecord::Work(..), Item::Message { envelope, .. }) = (&copy.record, copy.item()) else {
            return None;
        };
        let envelope = MessageTransferEnvelope::from_octets(envelope).ok()?;
        let time = envelope.deferred_delivery_time.as_ref()?.to_wall()?;
        (time > self.shared.clocks.wall()).then_some(time)
    }

    fn state(&self, copy: &QueuedCopy) -> (CopyState, Option<u64>) {
        if copy.is_held {
            return (CopyState::Held, None);
        }
        let Some(connector) = copy.connector() else {
            let CopyRecord::Work(_, record) = &copy.record else { return (CopyState::Waiting, None) };
            return match (self.deferred_until(copy), record.left()) {
                (Some(_), _) => (CopyState::Deferred, None),
                (None, Some(_)) => (CopyState::PendingReroute, None),
                (None, None) => (CopyState::Waiting, None),
            };
        };
        let Some(entry) = self.shared.connector(connector) else { return (CopyState::Waiting, None) };
        let (_, key) = copy.place();
        let now = self.shared.clocks.mono();
        let retry = entry.retries.time(&key);
        if let Some(at) = retry.filter(|at| *at > now) {
            return (CopyState::Retry, Some(at.saturating_since(now).as_secs()));
        }
        // One whose time has come waits for its turn as all others do.
        if retry.is_none() && entry.backlog.is_taken(&key) {
            return (CopyState::InTransfer, None);
        }
        let retry_at = if entry.is_frozen() { None } else { entry.view.borrow().retry_at };
        (CopyState::Waiting, retry_at.map(|at| at.saturating_since(now).as_secs()))
    }
}

/// The copy in a record. One that is damaged is left out: the event log tells of it, and it must not hide the others.
fn readable(space: Space, key: &[u8], value: &[u8]) -> Option<QueuedCopy> {
    QueuedCopy::decode(space, key, value).ok().flatten()
}

/// Who has to do with an item.
struct Parties {
    mts_id: String,
    originator: OrAddress,
    originator_name: String,
    /// Those that this MTA is responsible for.
    recipients: Vec<OrAddress>,
    submitted: Option<WallTime>,
}

impl Parties {
    /// `None` if the item is unreadable.
    fn of(item: &Item) -> Option<Parties> {
        match item {
            Item::Message { envelope, .. } => {
                let envelope = MessageTransferEnvelope::from_octets(envelope).ok()?;
                Some(Parties {
                    mts_id: envelope.message_identifier.to_string(),
                    originator: envelope.originator_name.address().clone(),
                    originator_name: envelope.originator_name.to_string(),
                    recipients: responsible(envelope.per_recipient_fields.iter()),
                    submitted: submitted(&envelope.trace_information),
                })
            }
            Item::Probe { apdu } | Item::Report { apdu } => match MtsApdu::from_octets(apdu).ok()? {
                MtsApdu::Probe(probe) => Some(Parties {
                    mts_id: probe.probe_identifier.to_string(),
                    originator: probe.originator_name.address().clone(),
                    originator_name: probe.originator_name.to_string(),
                    recipients: responsible(probe.per_recipient_fields.iter()),
                    submitted: submitted(&probe.trace_information),
                }),
                MtsApdu::Report(report) => {
                    let destination = report.envelope.report_destination_name.address().clone();
                    Some(Parties {
                        mts_id: report.envelope.report_identifier.to_string(),
                        originator: destination.clone(),
                        originator_name: report.envelope.report_destination_name.to_string(),
                        recipients: vec![destination],
                        submitted: submitted(&report.envelope.trace_information),
                    })
                }
                MtsApdu::Message(_) => None,
            },
        }
    }
}

fn responsible<'a>(recipients: impl Iterator<Item = &'a PerRecipientFields>) -> Vec<OrAddress> {
    recipients
        .filter(|recipient| recipient.responsibility())
        .map(|recipient| recipient.address().clone())
        .collect()
}

/// When it came into its first domain, which is when it was submitted there.
fn submitted(trace: &TraceInformation) -> Option<WallTime> {
    trace.first()?.arrival_time.to_wall()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        assert_eq!(Walk::place(OUTBOUND, b"to-b\0"), "02746f2d6200");
        assert_eq!(Walk::parse("02746f2d6200"), Some((OUTBOUND, b"to-b\0".to_vec())));
        assert_eq!(Walk::parse("01"), Some((WORK, Vec::new())));
        for odd in ["", "0", "0x", "+1", "x", "\u{e9}"] {
            assert_eq!(Walk::parse(odd), None, "{odd}");
        }
    }
}
