//! An MTA without a network: agent, store in memory, a counter and a time that tests set.

use std::sync::atomic::{AtomicU64, Ordering};

use agent::record::{
    Item, MAILBOX, MailboxItem, MailboxRecord, OUTBOUND, OutboundKey, OutboundRecord, QUARANTINE, Record,
    WORK, WorkRecord, mailbox_prefix, outbound_prefix,
};
use agent::settings::{AddressSpaceEntry, AgentSettings, ConnectorSettings, MtaSettings, RelayTo};
use agent::{Agent, Effect, IncomingApdu, Links, Moment, Processed, Sequence, Step, Submission};
use clock::WallTime;
use mhs::p1::{MessageTransferEnvelope, MtsApdu, ProbeTransferEnvelope, Report, Stretch};
use mhs::{AddressPattern, MtaName, MtsIdentifier, OrAddress};
use spool::{CommitError, FinishedBody, MemorySpool, Space, Spool, block_on};

pub(crate) const NOW: WallTime = WallTime::from_unix(1_795_321_800);

pub(crate) struct Mta {
    pub(crate) agent: Agent,
    pub(crate) spool: MemorySpool,
    pub(crate) counter: Counter,
    pub(crate) now: WallTime,
    pub(crate) effects: Vec<Effect>,
    pub(crate) links: Waiting,
}

/// Connectors that wait after a failed open.
#[derive(Default)]
pub(crate) struct Waiting(pub(crate) Vec<&'static str>);

impl Links for Waiting {
    fn is_waiting(&self, connector: &str) -> bool {
        self.0.contains(&connector)
    }
}

pub(crate) struct Counter(AtomicU64);

impl Sequence for Counter {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

pub(crate) fn address(text: &str) -> OrAddress {
    text.parse().unwrap()
}

pub(crate) fn pattern(text: &str) -> AddressPattern {
    AddressPattern::parse(text).unwrap()
}

/// Settings of MTA-`prmd`, which delivers `P=prmd;A= ;C=GB`, has connectors `to-x` for each (x, address space), and
/// relays between all of them.
pub(crate) fn settings(prmd: &str, connectors: &[(&str, &str)]) -> AgentSettings {
    let name = MtaName::new(&format!("MTA-{prmd}")).unwrap();
    let domain = format!("C=GB;A= ;P={prmd}").parse().unwrap();
    let mut mta = MtaSettings::new(name, domain);
    mta.local = vec![pattern(&format!("P={prmd};A= ;C=GB"))];
    let connectors = connectors.iter().map(|(peer, space)| {
        let mut connector =
            ConnectorSettings::new(format!("to-{peer}"), MtaName::new(&format!("MTA-{peer}")).unwrap());
        connector.hosts = vec!["127.0.0.1:10102".into()];
        connector.relay_to = RelayTo::Anywhere;
        connector.address_space = vec![AddressSpaceEntry { space: pattern(space), cost: 1 }];
        connector
    });
    AgentSettings::new(mta, connectors.collect())
}

/// MTA-A with a connector to B for `P=B` and one to C for the rest of the country.
pub(crate) fn mta_a() -> Mta {
    Mta::new(settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]))
}

/// MTA-B with a connector to A for everything else.
pub(crate) fn mta_b() -> Mta {
    Mta::new(settings("B", &[("A", "C=*")]))
}

pub(crate) fn user(name: &str, prmd: &str) -> OrAddress {
    address(&format!("S={name};O=Acme;P={prmd};A= ;C=GB"))
}

impl Mta {
    pub(crate) fn new(settings: AgentSettings) -> Mta {
        Mta {
            agent: Agent::new(settings).unwrap_or_else(|problems| panic!("{problems:?}")),
            spool: MemorySpool::new(),
            counter: Counter(AtomicU64::new(1)),
            now: NOW,
            effects: Vec::new(),
            links: Waiting::default(),
        }
    }

    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment { now: self.now, sequence: &self.counter, links: &self.links }
    }

    pub(crate) fn body(&self, content: &[u8]) -> FinishedBody {
        let mut writer = self.spool.begin_body().unwrap();
        writer.write(content).unwrap();
        writer.finish().unwrap()
    }

    pub(crate) fn commit(&mut self, step: Step) {
        self.try_commit(step).unwrap();
    }

    pub(crate) fn try_commit(&mut self, mut step: Step) -> Result<(), CommitError> {
        self.agent.track(self.now, &self.counter, &mut step);
        let Step { batch, effects } = step;
        self.spool.commit(batch).wait()?;
        self.effects.extend(effects);
        Ok(())
    }

    pub(crate) fn submit(&mut self, submission: &Submission) -> MtsIdentifier {
        let body = self.body(b"content");
        let (identifier, step) = self.agent.submit(self.now, &self.counter, submission, body).unwrap();
        self.commit(step);
        identifier
    }

    pub(crate) fn receive(&mut self, from: &str, apdu: &[u8]) -> Result<(), CommitError> {
        let incoming = match MtsApdu::from_octets(apdu).unwrap() {
            MtsApdu::Message(message) => IncomingApdu::Message {
                body: self.body(&message.content),
                envelope: Box::new(message.envelope.clone()),
                subject: None,
            },
            MtsApdu::Report(report) => IncomingApdu::Report(report),
            MtsApdu::Probe(probe) => IncomingApdu::Probe(probe),
        };
        let step = self.agent.transfer_in(self.now, &self.counter, from, incoming).unwrap();
        self.try_commit(step)
    }

    pub(crate) fn receive_message(&mut self, from: &str, envelope: &MessageTransferEnvelope) {
        let message = mhs::p1::Message::new(envelope.clone(), b"content".to_vec());
        self.receive(from, &MtsApdu::Message(Box::new(message)).to_octets()).unwrap();
    }

    pub(crate) fn scan(&self, space: Space, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        block_on(self.spool.scan(space, prefix, None, 100_000)).unwrap()
    }

    /// Processes the work queue until nothing but deferred mail is left; tells until when that waits.
    pub(crate) fn work(&mut self) -> Vec<WallTime> {
        for _ in 0..1000 {
            let mut waiting = Vec::new();
            let mut progress = false;
            for (key, value) in self.scan(WORK, b"") {
                let record = WorkRecord::decode(&value).unwrap();
                let is_p2 = self.agent.has_1984_links() && self.is_p2(&record.item);
                let mut processed = self.agent.process(self.moment(), &key, &record, is_p2);
                if let Processed::ContentWanted { body, length } = processed {
                    let content = block_on(self.spool.read_body(body, 0, length)).unwrap();
                    let (agent, moment) = (&self.agent, self.moment());
                    processed = agent.process_with_content(moment, &key, &record, &content, is_p2);
                }
                match processed {
                    Processed::Done(step) => {
                        self.commit(step);
                        progress = true;
                    }
                    Processed::NotBefore(time) => waiting.push(time),
                    Processed::ContentWanted { .. } => panic!("the content was given"),
                }
            }
            if !progress {
                return waiting;
            }
        }
        panic!("the work queue never becomes empty");
    }

    pub(crate) fn queue(&self, connector: &str) -> Vec<(Vec<u8>, OutboundRecord)> {
        let entries = self.scan(OUTBOUND, &outbound_prefix(connector)).into_iter();
        entries.map(|(key, value)| (key, OutboundRecord::decode(&value).unwrap())).collect()
    }

    /// Whether the content of a message uses nothing beyond P2.
    pub(crate) fn is_p2(&self, item: &Item) -> bool {
        let Some((body, length)) = agent::asks_for_p2(item) else { return false };
        let mut check = mhs::ipm::P2Check::new(length);
        while let Some((offset, octets)) = check.wants() {
            check.supply(&block_on(self.spool.read_body(body, offset, octets)).unwrap());
        }
        check.verdict() == Some(mhs::ipm::P2Verdict::P2)
    }

    /// The octets of a copy as they would be sent.
    pub(crate) fn apdu(&self, connector: &str, record: &OutboundRecord) -> Vec<u8> {
        let settings = self.agent.settings().connector(connector).unwrap();
        let (wire, _) = settings.on_wire(&record.item, self.is_p2(&record.item), false).unwrap();
        let content = wire.body().map(|body| block_on(self.spool.read_body(body, 0, usize::MAX)).unwrap());
        let mut apdu = Vec::new();
        while let Some(stretch) = wire.at(apdu.len() as u64) {
            match stretch {
                Stretch::Octets(part) => apdu.extend_from_slice(&part),
                Stretch::Content { offset, length } => {
                    let (offset, length) = (offset as usize, length as usize);
                    apdu.extend_from_slice(&content.as_ref().unwrap()[offset..offset + length]);
                }
            }
        }
        assert_eq!(apdu.len() as u64, wire.length());
        apdu
    }

    /// What tracking tells of a copy once it has been transferred.
    pub(crate) fn telling(&self, connector: &str, record: &OutboundRecord) -> Option<agent::Telling> {
        let settings = self.agent.settings().connector(connector).unwrap();
        settings.on_wire(&record.item, self.is_p2(&record.item), self.agent.tracks()).unwrap().1
    }

    /// What a peer reads of the message that stands at `place` in the queue of a connector.
    pub(crate) fn sent(&self, connector: &str, place: usize) -> MessageTransferEnvelope {
        match MtsApdu::from_octets(&self.apdu(connector, &self.queue(connector)[place].1)).unwrap() {
            MtsApdu::Message(message) => message.envelope,
            other => panic!("{other:?} is no message"),
        }
    }

    /// Transfers the whole queue of a connector to `peer`, where it comes in on connector `incoming`.
    pub(crate) fn transfer(&mut self, connector: &str, peer: &mut Mta, incoming: &str) -> usize {
        let queue = self.queue(connector);
        for (key, record) in &queue {
            peer.receive(incoming, &self.apdu(connector, record)).unwrap();
            let step = self.agent.transferred(key, record, self.telling(connector, record));
            self.commit(step);
        }
        peer.work();
        queue.len()
    }

    pub(crate) fn mailbox(&self, address: &OrAddress) -> Vec<MailboxRecord> {
        let entries = self.scan(MAILBOX, &mailbox_prefix(&address.canonical_key())).into_iter();
        entries.map(|(_, value)| MailboxRecord::decode(&value).unwrap()).collect()
    }

    pub(crate) fn reports_in(&self, address: &OrAddress) -> Vec<Report> {
        let entries = self.mailbox(address).into_iter();
        entries
            .filter_map(|record| match record.kind {
                MailboxItem::Report { apdu } => Some(Report::from_octets(&apdu).unwrap()),
                MailboxItem::Message { .. } => None,
            })
            .collect()
    }

    pub(crate) fn messages_in(&self, address: &OrAddress) -> Vec<MessageTransferEnvelope> {
        let entries = self.mailbox(address).into_iter();
        entries
            .filter_map(|record| match record.kind {
                MailboxItem::Message { envelope, .. } => {
                    Some(MessageTransferEnvelope::from_octets(&envelope).unwrap())
                }
                MailboxItem::Report { .. } => None,
            })
            .collect()
    }

    pub(crate) fn quarantined(&self) -> usize {
        self.scan(QUARANTINE, b"").len()
    }

    /// Reasons and diagnostics of all recipients non-delivered so far.
    pub(crate) fn non_delivered(&self) -> Vec<(i64, i64, String)> {
        let effects = self.effects.iter();
        effects
            .filter_map(|effect| match effect {
                Effect::NonDelivered { reason, diagnostic, recipient, .. } => {
                    Some((reason.0, diagnostic.0, recipient.clone()))
                }
                _ => None,
            })
            .collect()
    }

    pub(crate) fn sequence_of(&self, key: &[u8]) -> u64 {
        OutboundKey::parse(key).unwrap().sequence
    }
}

pub(crate) fn envelope_of(item: &Item) -> MessageTransferEnvelope {
    match item {
        Item::Message { envelope, .. } => MessageTransferEnvelope::from_octets(envelope).unwrap(),
        other => panic!("{other:?} is no message"),
    }
}

pub(crate) fn probe_of(item: &Item) -> ProbeTransferEnvelope {
    match item {
        Item::Probe { apdu } => ProbeTransferEnvelope::from_octets(apdu).unwrap(),
        other => panic!("{other:?} is no probe"),
    }
}

/// An envelope as a foreign MTA of domain X would send it: recipients with numbers from 1, all with these
/// indicators (an octet).
pub(crate) fn foreign(local: &str, recipients: &[(&OrAddress, u8)]) -> MessageTransferEnvelope {
    use mhs::p1::{PerRecipientFields, PerRecipientIndicators, TraceInformation, TraceInformationElement};
    let domain: mhs::GlobalDomainIdentifier = "C=GB;A= ;P=X".parse().unwrap();
    let fields = (1_i64..).zip(recipients).map(|(number, (address, bits))| {
        let indicators = PerRecipientIndicators(ber::BitString { unused: 0, octets: vec![*bits].into() });
        PerRecipientFields::new((*address).clone().into(), number, indicators)
    });
    let element = TraceInformationElement::relayed(domain.clone(), mhs::UtcTime::from_wall(NOW));
    MessageTransferEnvelope::new(
        MtsIdentifier::new(domain, local).unwrap(),
        user("origin", "X").into(),
        mhs::ContentType::P22,
        fields.collect(),
        TraceInformation::new(vec![element.into()]),
    )
}
