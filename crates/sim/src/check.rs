//! The checker: what was submitted, in books of its own, against what the stores hold when everything has drained.
//!
//! Messages are known by a number in their contents and in their content identifiers, never by what an MTA says of
//! them. Only the forms of records and reports are read with the program's decoders.

use std::collections::BTreeMap;

use agent::record::{
    MAILBOX, MailboxItem, MailboxRecord, OUTBOUND, PARKED, QUARANTINE, RESUME, Record, WORK,
};
use mhs::p1::{MtsApdu, ReportType};
use spool::{BodyId, MemorySpool, Space, Spool, block_on};

/// Records read at once.
const PAGE: usize = 1_000;

/// One message of the books.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its number.
    pub number: u64,
    /// Where it was submitted.
    pub site: String,
    /// Its originator.
    pub originator: String,
    /// Its recipients.
    pub recipients: Vec<String>,
    /// Octets of content.
    pub length: usize,
    /// Whether the originator wants to hear of deliveries, too.
    pub delivery_reports: bool,
    /// What must become of it.
    pub expected: Expected,
    /// It was on its way over a link that was taken away: nobody can know whether it had arrived, so that delivery and a
    /// non-delivery report may both be true.
    pub doubtful: bool,
    /// Whether the submission was confirmed; if not, the whole message may be there or not.
    pub accepted: bool,
}

/// What must become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Delivery or a non-delivery report.
    Either,
    /// Delivery to everybody.
    Delivery,
    /// Non-delivery reports on everybody.
    NonDelivery,
}

/// What became of one recipient, or of the reports on it: how often.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    delivered: usize,
    reported_delivered: usize,
    reported_lost: usize,
}

/// The books of a run.
#[derive(Debug, Default)]
pub struct Books {
    sent: Vec<Sent>,
    /// Deliveries that scripted peers have taken responsibility for: number and recipient.
    taken: Vec<(u64, String)>,
}

/// The content of message `number`: its number and octets that follow from it.
pub fn content(number: u64, length: usize) -> Vec<u8> {
    let mut octets = number.to_be_bytes().to_vec();
    let mut state = number;
    while octets.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        octets.extend_from_slice(&state.to_be_bytes());
    }
    octets.truncate(length.max(8));
    octets
}

/// The content identifier of message `number`.
pub fn content_identifier(number: u64) -> String {
    format!("M {number}")
}

/// The number of a message with these octets as content, if they are the ones.
pub fn number_of(octets: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(*octets.first_chunk()?);
    (content(number, octets.len()) == octets).then_some(number)
}

impl Books {
    /// The number of the next message.
    pub fn next(&self) -> u64 {
        self.sent.len() as u64 + 1
    }

    /// Enters a message.
    pub fn enter(&mut self, sent: Sent) {
        self.sent.push(sent);
    }

    /// A submission was confirmed.
    pub fn confirm(&mut self, number: u64) {
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.number == number) {
            sent.accepted = true;
        }
    }

    /// What this site has for this domain may be on its way over a link that is taken away now.
    pub fn doubt(&mut self, site: &str, domain: &str) {
        let part = format!("P={domain};");
        for sent in self.sent.iter_mut().filter(|sent| sent.site == site) {
            sent.doubtful |= sent.recipients.iter().any(|recipient| recipient.contains(&part));
        }
    }

    /// A scripted peer has taken responsibility for a recipient.
    pub fn taken(&mut self, number: u64, recipient: String) {
        self.taken.push((number, recipient));
    }

    /// Messages whose submission was confirmed.
    pub fn accepted(&self) -> usize {
        self.sent.iter().filter(|sent| sent.accepted).count()
    }

    /// Compares the books with the stores, and the stores with emptiness. `stores` are those of all MTAs, by name.
    pub fn judge(&self, stores: &[(String, MemorySpool)], found: &mut Vec<String>) {
        let mut fates: BTreeMap<(u64, String), Fate> = BTreeMap::new();
        for (number, recipient) in &self.taken {
            fates.entry((*number, canonical(recipient))).or_default().delivered += 1;
        }
        for (site, store) in stores {
            left_over(site, store, found);
            self.mailboxes(site, store, &mut fates, found);
        }
        for sent in &self.sent {
            judge_one(sent, &mut fates, found);
        }
        for ((number, recipient), fate) in fates {
            found.push(format!("out of nothing: message {number} for {recipient}: {fate:?}"));
        }
    }

    fn mailboxes(
        &self,
        site: &str,
        store: &MemorySpool,
        fates: &mut BTreeMap<(u64, String), Fate>,
        found: &mut Vec<String>,
    ) {
        let mut bodies = std::collections::BTreeSet::new();
        for (_, octets) in records(store, MAILBOX) {
            let Ok(record) = MailboxRecord::decode(&octets) else {
                found.push(format!("{site}: a mailbox record can't be read"));
                continue;
            };
            match &record.kind {
                MailboxItem::Message { body, content_length, .. } => {
                    bodies.insert(*body);
                    let octets = read(store, *body);
                    match number_of(&octets).filter(|_| octets.len() as u64 == *content_length) {
                        Some(number) => {
                            let recipient = canonical(&record.recipient);
                            fates.entry((number, recipient)).or_default().delivered += 1;
                        }
                        None => found.push(format!(
                            "{site}: {} for {} arrived with another content",
                            record.mts_identifier, record.recipient
                        )),
                    }
                }
                MailboxItem::Report { apdu } => self.report(site, &record.recipient, apdu, fates, found),
            }
        }
        let held = store.stats().bodies;
        if held != bodies.len() as u64 {
            found.push(format!("{site}: {held} bodies are stored for {} in mailboxes", bodies.len()));
        }
    }

    fn report(
        &self,
        site: &str,
        mailbox: &str,
        apdu: &[u8],
        fates: &mut BTreeMap<(u64, String), Fate>,
        found: &mut Vec<String>,
    ) {
        let Ok(MtsApdu::Report(report)) = MtsApdu::from_octets(apdu) else {
            return found.push(format!("{site}: a report can't be read"));
        };
        let identifier = report.content.content_identifier.as_deref();
        let number = identifier.and_then(|id| id.0.strip_prefix("M ")).and_then(|id| id.parse::<u64>().ok());
        let Some(sent) = number.and_then(|number| self.sent.iter().find(|sent| sent.number == number)) else {
            return found.push(format!("{site}: a report about nothing that was sent: {identifier:?}"));
        };
        if canonical(mailbox) != canonical(&sent.originator) {
            found.push(format!("{site}: a report on message {} went to {mailbox}", sent.number));
        }
        for fields in &*report.content.per_recipient_fields {
            let recipient = canonical(&fields.actual_recipient_name.to_string());
            let fate = fates.entry((sent.number, recipient)).or_default();
            match fields.last_trace_information.report_type {
                ReportType::Delivery(_) => fate.reported_delivered += 1,
                ReportType::NonDelivery(_) => fate.reported_lost += 1,
            }
        }
    }
}

fn judge_one(sent: &Sent, fates: &mut BTreeMap<(u64, String), Fate>, found: &mut Vec<String>) {
    let mut settled = 0;
    for recipient in &sent.recipients {
        let fate = fates.remove(&(sent.number, canonical(recipient))).unwrap_or_default();
        let times = fate.delivered + fate.reported_lost;
        settled += times;
        let wrong = |what: &str| {
            format!("{what}: message {} of {} for {recipient}: {fate:?}", sent.number, sent.site)
        };
        match (sent.accepted, times) {
            (_, 1) | (false, 0) => {}
            (_, 2) if sent.doubtful && fate.delivered == 1 => {}
            (true, 0) => found.push(wrong("lost")),
            (_, _) => found.push(wrong("more than once")),
        }
        let unexpected = match sent.expected {
            Expected::Either => false,
            Expected::Delivery => fate.reported_lost > 0,
            Expected::NonDelivery => fate.delivered > 0,
        };
        if unexpected {
            found.push(wrong("the wrong end"));
        }
        let reports = usize::from(sent.delivery_reports && fate.delivered > 0);
        if fate.reported_delivered != reports {
            found.push(wrong("delivery reports"));
        }
    }
    if !sent.accepted && !sent.doubtful && settled != 0 && settled != sent.recipients.len() {
        found.push(format!("message {} of {}: submitted in part", sent.number, sent.site));
    }
}

/// What must be empty when everything has drained.
fn left_over(site: &str, store: &MemorySpool, found: &mut Vec<String>) {
    let spaces = [
        (WORK, "work queue"),
        (OUTBOUND, "outbound queues"),
        (RESUME, "transfers out to be resumed"),
        (PARKED, "transfers in to be resumed"),
        (QUARANTINE, "records that can't be understood"),
    ];
    for (space, name) in spaces {
        let left = records(store, space).len();
        if left > 0 {
            found.push(format!("{site}: {left} left in its {name}"));
        }
    }
}

/// Whether a store has anything to be routed or transferred.
pub fn is_drained(store: &MemorySpool) -> bool {
    [WORK, OUTBOUND].iter().all(|space| records_some(store, *space, 1).is_empty())
}

/// Whether a store holds nothing of interrupted transfers either.
pub fn is_settled(store: &MemorySpool) -> bool {
    is_drained(store) && [RESUME, PARKED].iter().all(|space| records_some(store, *space, 1).is_empty())
}

fn records_some(store: &MemorySpool, space: Space, most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    // A store that has crashed holds nothing that anybody asks for.
    block_on(store.scan(space, &[], None, most)).unwrap_or_default()
}

fn records(store: &MemorySpool, space: Space) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    loop {
        let after = all.last().map(|(key, _)| key.clone());
        let page = block_on(store.scan(space, &[], after.as_deref(), PAGE)).unwrap_or_default();
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return all;
        }
    }
}

fn read(store: &MemorySpool, body: BodyId) -> Vec<u8> {
    block_on(store.read_body(body, 0, usize::MAX)).unwrap_or_default()
}

/// One spelling of an address: the letters and digits of its members, in order.
fn canonical(address: &str) -> String {
    let mut members: Vec<String> = address
        .split([';', '/'])
        .map(|member| member.trim().to_ascii_uppercase())
        .filter(|member| !member.is_empty())
        .collect();
    members.sort();
    members.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    const READER: &str = "S=reader;P=BETA;A= ;C=GB";

    /// What is found when one message was sent, that had to be delivered, and these were taken.
    fn found(taken: &[(u64, &str)], change: impl FnOnce(&mut Sent)) -> Vec<String> {
        let mut sent = Sent {
            number: 1,
            site: "ALPHA".to_owned(),
            originator: "S=writer;P=ALPHA;A= ;C=GB".to_owned(),
            recipients: vec![READER.to_owned()],
            length: 8,
            delivery_reports: false,
            expected: Expected::Delivery,
            doubtful: false,
            accepted: true,
        };
        change(&mut sent);
        let mut books = Books::default();
        books.enter(sent);
        for (number, recipient) in taken {
            books.taken(*number, (*recipient).to_owned());
        }
        let mut found = Vec::new();
        books.judge(&[], &mut found);
        found
    }

    fn is_told(found: &[String], words: &str) -> bool {
        found.len() == 1 && found.iter().any(|told| told.contains(words))
    }

    #[test]
    fn once_is_right_and_nothing_else() {
        assert_eq!(found(&[(1, READER)], |_| {}), Vec::<String>::new());
        assert!(is_told(&found(&[], |_| {}), "lost: message 1"));
        assert!(is_told(&found(&[(1, READER), (1, READER)], |_| {}), "more than once: message 1"));
        assert!(is_told(&found(&[(1, READER), (2, READER)], |_| {}), "out of nothing: message 2"));
        let other = "S=other;P=BETA;A= ;C=GB";
        assert!(is_told(&found(&[(1, READER), (1, other)], |_| {}), "out of nothing: message 1"));
    }

    #[test]
    fn what_was_not_confirmed_may_be_missing_and_not_twice() {
        let unconfirmed = |sent: &mut Sent| sent.accepted = false;
        assert_eq!(found(&[], unconfirmed), Vec::<String>::new());
        let twice = found(&[(1, READER), (1, READER)], unconfirmed);
        assert!(twice.iter().any(|told| told.starts_with("more than once")), "{twice:?}");
        let doubtful = |sent: &mut Sent| sent.doubtful = true;
        let twice = found(&[(1, READER), (1, READER)], doubtful);
        assert!(is_told(&twice, "more than once"), "doubt is about reports, not about copies: {twice:?}");
    }

    #[test]
    fn the_end_that_was_expected_is_the_only_one() {
        let unknown = |sent: &mut Sent| sent.expected = Expected::NonDelivery;
        assert!(is_told(&found(&[(1, READER)], unknown), "the wrong end"));
        let reported = |sent: &mut Sent| sent.delivery_reports = true;
        assert!(is_told(&found(&[(1, READER)], reported), "delivery reports"));
    }
}
