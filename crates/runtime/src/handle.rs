//! What administration asks of a running MTA, and local users of their mailboxes. What they submit is in `submission`.

use std::sync::Arc;
use std::time::Duration;

use agent::record::{
    Item, MAILBOX, MailboxKey, MailboxRecord, OUTBOUND, OutboundKey, OutboundRecord, Rank, Record,
    RecordError, WORK, WorkKey, WorkRecord, mailbox_prefix, outbound_prefix,
};
use agent::settings::AgentSettings;
use agent::{Route, RouteDecision, RouteQuestion};
use clock::WallTime;
use mhs::OrAddress;
use mhs::p1::{MessageTransferEnvelope, MtsApdu};
use spool::{BodyId, SpoolError};
use tokio::sync::Mutex;

use crate::connectors::{Connectors, ReloadError, ReloadSummary};
use crate::events::Event;
use crate::ledger::Resource;
use crate::limits::RuntimeLimits;
use crate::line::Message;
use crate::pages::Pages;
use crate::registry::ConnectorEntry;
use crate::shared::Shared;
use crate::status::{
    AssociationStatus, Condition, ConnectorStatus, MailboxStatus, MtaInfo, MtaStatus, QueueStatus,
    QueuedMessage, RecordingStatus, ResourceStatus,
};
use crate::tracking::{self, Tracking};

/// Recipients shown of one queued message.
const RECIPIENTS_SHOWN: usize = 100;

/// Access to a running MTA. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    connectors: Arc<Mutex<Connectors>>,
}

/// Why an administrative request failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No connector of this name.
    #[error("there is no connector `{0}`")]
    NoSuchConnector(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] SpoolError),
    /// A stored record is damaged.
    #[error("a stored record is damaged: {0}")]
    Record(#[from] RecordError),
}

/// One entry of a mailbox.
#[derive(Clone, Debug)]
pub struct MailboxEntry {
    /// Number, unique in this MTA and rising.
    pub number: u64,
    /// What was delivered.
    pub record: MailboxRecord,
}

/// One message of a queue in full.
#[derive(Clone, Debug)]
pub struct MessageDetail {
    /// As in a listing.
    pub summary: QueuedMessage,
    /// Envelope and, for probes and reports, everything.
    pub item: Item,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>, connectors: Arc<Mutex<Connectors>>) -> Handle {
        Handle { shared, connectors }
    }

    /// Every connector's queue.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn queues(&self) -> Result<Vec<QueueStatus>, AdminError> {
        let mut queues = Vec::new();
        for (connector, entry) in self.shared.connectors() {
            let (messages, octets) = entry.depth();
            let view = entry.view.borrow().clone();
            queues.push(QueueStatus {
                oldest: self.oldest(&connector).await?,
                connector,
                state: view.state.to_owned(),
                messages,
                octets,
                retry_in_s: view.retry_at.map(|at| at.saturating_since(self.shared.clocks.mono()).as_secs()),
                last_failure: view.last_failure,
            });
        }
        Ok(queues)
    }

    /// A page of one queue in the order of transfer: at most `limit` entries after the one numbered `after`.
    /// The work queue is called `work`.
    ///
    /// # Errors
    /// No such connector, or the store can't be read.
    pub async fn queue(
        &self,
        connector: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<QueuedMessage>, AdminError> {
        let entry = self.shared.connector(connector);
        if entry.is_none() && connector != "work" {
            return Err(AdminError::NoSuchConnector(connector.to_owned()));
        }
        let mut found = Vec::new();
        let mut skipping = after.is_some();
        let mut pages = match &entry {
            Some(_) => Pages::new(OUTBOUND, outbound_prefix(connector)),
            None => Pages::new(WORK, Vec::new()),
        };
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            for (key, octets) in page {
                let number = sequence_of(&key);
                if skipping {
                    skipping = Some(number) != after;
                    continue;
                }
                found.push(match &entry {
                    Some(entry) => self.outbound_summary(entry, connector, &key, &octets)?.summary,
                    None => self.work_summary(&key, &octets)?.summary,
                });
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// A message in any queue by its number or its MTS-identifier. A message with several next hops is in several
    /// queues; all its copies are returned.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn message(&self, reference: &str) -> Result<Vec<MessageDetail>, AdminError> {
        let number = reference.parse::<u64>().ok();
        let mut found = Vec::new();
        for (connector, entry) in self.shared.connectors() {
            let mut pages = Pages::new(OUTBOUND, outbound_prefix(&connector));
            while let Some(page) = pages.next(&*self.shared.spool).await? {
                for (key, octets) in &page {
                    if number.is_some_and(|number| number != sequence_of(key)) {
                        continue;
                    }
                    let detail = self.outbound_summary(&entry, &connector, key, octets)?;
                    if number.is_some() || detail.summary.mts_id == reference {
                        found.push(detail);
                    }
                }
            }
        }
        let mut pages = Pages::new(WORK, Vec::new());
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            for (key, octets) in &page {
                let detail = self.work_summary(key, octets)?;
                if number == Some(detail.summary.number) || detail.summary.mts_id == reference {
                    found.push(detail);
                }
            }
        }
        Ok(found)
    }

    /// All connectors.
    pub fn connectors(&self) -> Vec<ConnectorStatus> {
        let agent = self.shared.agent();
        let mut all = Vec::new();
        for (name, entry) in self.shared.connectors() {
            let Some(settings) = agent.settings().connector(&name) else { continue };
            let view = entry.view.borrow().clone();
            all.push(ConnectorStatus {
                remote_mta: settings.remote_mta.to_string(),
                remote_mta_aliases: settings.remote_mta_aliases.iter().map(ToString::to_string).collect(),
                called_selectors: (&settings.called_selectors).into(),
                calling_selectors: (&settings.calling_selectors).into(),
                hosts: settings.hosts.clone(),
                state: view.state.to_owned(),
                associations: self.shared.registry.count(&name),
                waiting: view.waiting,
                consecutive_failures: view.consecutive_failures,
                retry_in_s: view.retry_at.map(|at| at.saturating_since(self.shared.clocks.mono()).as_secs()),
                last_failure: view.last_failure,
                failing_since: view.outage.since().map(|since| since.to_string()),
                failed_attempts: view.outage.attempts(),
                max_open_retries: settings.retry.max_open_retries,
                held: self.shared.ledger.held_by(&name),
                address_spaces: settings
                    .address_space
                    .iter()
                    .map(|entry| format!("{} (cost {})", entry.space, entry.cost))
                    .collect(),
                name,
            });
        }
        all
    }

    /// What the flight recorder has: recordings of ended associations, oldest first, then of live ones.
    pub fn recordings(&self) -> Vec<RecordingStatus> {
        self.shared.recorder.list()
    }

    /// The recordings of one association as a packet capture in libpcap's classic format.
    pub fn recording(&self, association: u64) -> Option<Vec<u8>> {
        self.shared.recorder.capture(association)
    }

    /// Makes a connector try to connect now, whatever its retry timer says.
    ///
    /// # Errors
    /// No such connector.
    pub async fn connect(&self, connector: &str) -> Result<(), AdminError> {
        let entry = self.shared.connector(connector);
        let entry = entry.ok_or_else(|| AdminError::NoSuchConnector(connector.to_owned()))?;
        // A connector that is ending connects no more.
        let _ = entry.messages.send(Message::ConnectNow).await;
        Ok(())
    }

    /// All live associations.
    pub fn associations(&self) -> Vec<AssociationStatus> {
        self.shared.registry.list()
    }

    /// Where a message to `address` would go, and why.
    pub fn route(&self, address: &OrAddress, question: RouteQuestion<'_>) -> Route {
        self.shared.agent().route_now(address, question, self.shared.moment())
    }

    /// What is at this address, without looking at redirections.
    pub fn lookup(&self, address: &OrAddress) -> RouteDecision {
        self.shared.agent().lookup(address)
    }

    /// Mailboxes that have content, with the number of their entries.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxStatus>, AdminError> {
        let mut mailboxes: Vec<MailboxStatus> = Vec::new();
        let mut current = String::new();
        let mut pages = Pages::new(MAILBOX, Vec::new());
        while let Some(page) = pages.next(&*self.shared.spool).await? {
            for (key, octets) in &page {
                let Some(key) = MailboxKey::parse(key) else { continue };
                match mailboxes.last_mut() {
                    Some(last) if key.mailbox == current => last.entries += 1,
                    Some(_) | None => {
                        let address = MailboxRecord::decode(octets)?.recipient;
                        mailboxes.push(MailboxStatus { address, entries: 1 });
                        current = key.mailbox;
                    }
                }
            }
        }
        Ok(mailboxes)
    }

    /// A page of a mailbox, oldest first: at most `limit` entries after number `after`.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn mailbox(
        &self,
        address: &OrAddress,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MailboxEntry>, AdminError> {
        let mailbox = address.canonical_key();
        let prefix = mailbox_prefix(&mailbox);
        let after = after.map(|sequence| MailboxKey { mailbox, sequence }.encode());
        let page = self.shared.spool.scan(MAILBOX, &prefix, after.as_deref(), limit).await?;
        let mut entries = Vec::with_capacity(page.len());
        for (key, octets) in page {
            let Some(key) = MailboxKey::parse(&key) else { continue };
            entries.push(MailboxEntry { number: key.sequence, record: MailboxRecord::decode(&octets)? });
        }
        Ok(entries)
    }

    /// One entry of a mailbox.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn mailbox_entry(
        &self,
        address: &OrAddress,
        number: u64,
    ) -> Result<Option<MailboxEntry>, AdminError> {
        let key = MailboxKey { mailbox: address.canonical_key(), sequence: number }.encode();
        match self.shared.spool.get(MAILBOX, &key).await? {
            Some(octets) => Ok(Some(MailboxEntry { number, record: MailboxRecord::decode(&octets)? })),
            None => Ok(None),
        }
    }

    /// Up to `max` octets of a stored content from `offset`; empty at the end.
    ///
    /// # Errors
    /// No such body, or it is damaged.
    pub async fn read_body(&self, body: BodyId, offset: u64, max: usize) -> Result<Vec<u8>, SpoolError> {
        self.shared.spool.read_body(body, offset, max).await
    }

    /// Puts new settings into force: connectors are added, changed and removed while mail flows.
    ///
    /// # Errors
    /// The settings contradict themselves (the old ones stay in force), or the store fails.
    pub async fn reload(&self, settings: AgentSettings) -> Result<ReloadSummary, ReloadError> {
        self.connectors.lock().await.reload(&self.shared, settings).await
    }

    /// Puts new limits into force for associations that are opened from now on. What was shared out at the start stays:
    /// see [`RuntimeLimits::with_resources_of`].
    pub fn apply_limits(&self, limits: RuntimeLimits) {
        self.shared.replace_limits(limits);
    }

    /// The MTA as a whole.
    pub fn info(&self) -> MtaInfo {
        let agent = self.shared.agent();
        MtaInfo {
            name: agent.settings().mta.name.to_string(),
            domain: agent.settings().mta.domain.to_string(),
            version: crate::VERSION,
            started: self.shared.started.to_string(),
            unhealthy: self.shared.spool.unhealthy_reason().map(|reason| reason.to_string()),
            counters: self.shared.counters.now(),
        }
    }

    /// The MTA at a glance.
    pub fn status(&self) -> MtaStatus {
        let info = self.info();
        let mut reasons: Vec<String> =
            info.unhealthy.iter().map(|reason| format!("no new messages are accepted: {reason}")).collect();
        for what in [Resource::Slot, Resource::Octets] {
            if let Some(level) = self.shared.ledger.level(what).filter(|level| level.is_high()) {
                reasons.push(format!("{} of {} {what} are in use", level.held, level.limit));
            }
        }
        let (mut failing, mut queued, mut queued_octets) = (0, 0, 0);
        let connectors = self.shared.connectors();
        for (name, entry) in &connectors {
            let (messages, octets) = entry.depth();
            queued += messages;
            queued_octets += octets;
            let view = entry.view.borrow();
            if let Some(since) = view.outage.since() {
                failing += 1;
                let why = view.last_failure.as_deref().unwrap_or("for reasons unknown");
                reasons.push(format!("connector {name} has failed since {since}: {why}"));
            }
        }
        let condition = match (self.is_stopping(), reasons.is_empty()) {
            (true, _) => Condition::Stopping,
            (false, true) => Condition::Ready,
            (false, false) => Condition::Degraded,
        };
        MtaStatus {
            info,
            condition,
            reasons,
            connectors: connectors.len(),
            failing,
            associations: self.shared.registry.list().len(),
            queued,
            queued_octets,
            resources: self.resources(),
        }
    }

    /// Whether it is ending.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_given()
    }

    /// How long ago the MTA last showed that it is alive. It does every five seconds, whatever its peers do.
    pub fn since_alive(&self) -> Duration {
        self.shared.since_beat()
    }

    /// What connectors and callers hold of what associations need, and what there is.
    pub fn resources(&self) -> ResourceStatus {
        self.shared.ledger.status()
    }

    /// The newest events whose number is `after` or above.
    pub fn events(&self, after: u64) -> Vec<Event> {
        self.shared.events.since(after)
    }

    /// What became of a message, probe or report and of the reports on it, by its MTS-identifier; over restarts, as far
    /// back as tracking is kept.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn track(&self, mts_identifier: &str) -> Result<Tracking, AdminError> {
        tracking::find(&self.shared, mts_identifier).await
    }

    async fn oldest(&self, connector: &str) -> Result<Option<String>, AdminError> {
        let mut oldest = None;
        for rank in Rank::ALL {
            let prefix = [outbound_prefix(connector), vec![rank.octet()]].concat();
            let first = self.shared.spool.scan(OUTBOUND, &prefix, None, 1).await?;
            if let Some((_, octets)) = first.first() {
                let queued = OutboundRecord::decode(octets)?.queued;
                oldest = Some(oldest.map_or(queued, |oldest| queued.min(oldest)));
            }
        }
        Ok(oldest.map(|time| time.to_string()))
    }

    fn outbound_summary(
        &self,
        entry: &ConnectorEntry,
        connector: &str,
        key: &[u8],
        octets: &[u8],
    ) -> Result<MessageDetail, AdminError> {
        let record = OutboundRecord::decode(octets)?;
        let rank = OutboundKey::parse(key).map_or(Rank::Normal, |key| key.rank);
        let summary = QueuedMessage {
            number: sequence_of(key),
            queue: connector.to_owned(),
            kind: record.item.kind(),
            mts_id: record.mts_identifier,
            originator: record.originator,
            recipients: parties(&record.item).2,
            priority: priority(rank),
            size: record.size,
            queued: record.queued.to_string(),
            expires: Some(record.expires.to_string()),
            deferred_until: None,
            attempts: record.attempts,
            state: if entry.backlog.is_taken(key) { "in transfer" } else { "waiting" },
            last_failure: record.last_failure,
        };
        Ok(MessageDetail { summary, item: record.item })
    }

    fn work_summary(&self, key: &[u8], octets: &[u8]) -> Result<MessageDetail, AdminError> {
        let record = WorkRecord::decode(octets)?;
        let rank = WorkKey::parse(key).map_or(Rank::Normal, |key| key.rank);
        let (mts_id, originator, recipients) = parties(&record.item);
        let left = record.left().is_some();
        let deferred_until = deferred_until(&record.item).filter(|time| *time > self.shared.clocks.wall());
        let summary = QueuedMessage {
            number: sequence_of(key),
            queue: "work".to_owned(),
            kind: record.item.kind(),
            mts_id,
            originator,
            recipients,
            priority: priority(rank),
            size: match &record.item {
                Item::Message { content_length, .. } => *content_length,
                Item::Report { apdu } | Item::Probe { apdu } => apdu.len() as u64,
            },
            queued: record.arrived.to_string(),
            expires: None,
            attempts: 0,
            state: match (&deferred_until, left) {
                (Some(_), _) => "deferred",
                (None, true) => "pending reroute",
                (None, false) => "waiting",
            },
            deferred_until: deferred_until.map(|time| time.to_string()),
            last_failure: record.failure.map(|failure| failure.text),
        };
        Ok(MessageDetail { summary, item: record.item })
    }
}

/// Queue keys end with the number of the entry.
fn sequence_of(key: &[u8]) -> u64 {
    key.last_chunk::<8>().map_or(0, |octets| u64::from_be_bytes(*octets))
}

/// The time before which a message is not to be delivered.
fn deferred_until(item: &Item) -> Option<WallTime> {
    let Item::Message { envelope, .. } = item else { return None };
    MessageTransferEnvelope::from_octets(envelope).ok()?.deferred_delivery_time.as_ref()?.to_wall()
}

fn priority(rank: Rank) -> &'static str {
    match rank {
        Rank::Urgent => "urgent",
        Rank::Normal => "normal",
        Rank::NonUrgent => "non-urgent",
    }
}

/// MTS-identifier, originator and responsible recipients of an item.
fn parties(item: &Item) -> (String, String, Vec<String>) {
    let unreadable = || ("unreadable".to_owned(), String::new(), Vec::new());
    match item {
        Item::Message { envelope, .. } => match MessageTransferEnvelope::from_octets(envelope) {
            Ok(envelope) => (
                envelope.message_identifier.to_string(),
                envelope.originator_name.to_string(),
                responsible(envelope.per_recipient_fields.iter()),
            ),
            Err(_) => unreadable(),
        },
        Item::Probe { apdu } | Item::Report { apdu } => match MtsApdu::from_octets(apdu) {
            Ok(MtsApdu::Probe(probe)) => (
                probe.probe_identifier.to_string(),
                probe.originator_name.to_string(),
                responsible(probe.per_recipient_fields.iter()),
            ),
            Ok(MtsApdu::Report(report)) => {
                let destination = report.envelope.report_destination_name.to_string();
                (report.envelope.report_identifier.to_string(), destination.clone(), vec![destination])
            }
            Ok(MtsApdu::Message(_)) | Err(_) => unreadable(),
        },
    }
}

fn responsible<'a>(recipients: impl Iterator<Item = &'a mhs::p1::PerRecipientFields>) -> Vec<String> {
    recipients
        .filter(|recipient| recipient.responsibility())
        .take(RECIPIENTS_SHOWN)
        .map(|recipient| recipient.address().to_string())
        .collect()
}
