//! From the plan for each recipient to copies, mailbox entries and reports, and the references to the body that
//! they hold.

use std::collections::{HashMap, HashSet};

use clock::WallTime;
use mhs::p1::{MessageTransferEnvelope, PerRecipientFields};
use spool::BodyId;

use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Effect, Kind, Sequence, Step};
use crate::links::Links;
use crate::process::checks;
use crate::process::expand::Subject;
use crate::process::recipient::{Redirected, is_originators};
use crate::record::{
    Failure, MAILBOX, MailboxItem, MailboxKey, MailboxRecord, OUTBOUND, OutboundKey, OutboundRecord, Rank,
    Record, Source, WORK, WorkRecord,
};
use crate::report::{Outcome, Reporting};
use crate::settings::DistributionList;
use crate::trace::OtherAction;
use crate::transfer::{Changed, Transfer, is_blind};

/// A batch that has grown beyond this takes no further copies. One copy is at most an envelope longer, so the
/// batch stays well within what a spool commits at once.
const PORTION_OCTETS: usize = 16 << 20;
/// Most recipients shown to one another in a delivered envelope: what is stored for a message grows with its
/// recipients, not with their square.
const MAX_DISCLOSED: usize = 256;

/// An item of the work queue, and what it is decided with.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) now: WallTime,
    pub(super) sequence: &'a dyn Sequence,
    pub(super) links: &'a dyn Links,
    pub(super) key: &'a [u8],
    pub(super) record: &'a WorkRecord,
    /// The content, if it was asked for.
    pub(super) content: Option<&'a [u8]>,
    /// What is known of the content of an interpersonal message of 1988: that it uses nothing beyond P2.
    pub(super) is_p2: bool,
}

/// What is to be done for each recipient, by its place in the envelope.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// In the order in which the connectors were first used; places in ascending order.
    copies: Vec<(String, Vec<usize>)>,
    by_name: HashMap<String, usize>,
    deliveries: Vec<(usize, String)>,
    expansions: Vec<(usize, &'a DistributionList)>,
    settled: Vec<(usize, Outcome)>,
    /// Recipients of lists that have expanded it before.
    dropped: Vec<usize>,
    /// Recipients about whom nothing is done yet.
    held: Vec<usize>,
    redirections: Vec<(usize, Vec<Redirected>)>,
    changed: Changed,
}

impl<'a> Plan<'a> {
    pub(super) fn uses(&self, connector: &str) -> bool {
        self.by_name.contains_key(connector)
    }

    pub(super) fn send(&mut self, place: usize, connector: String) {
        let next = self.copies.len();
        let index = *self.by_name.entry(connector.clone()).or_insert(next);
        match self.copies.get_mut(index) {
            Some((_, places)) => places.push(place),
            None => self.copies.push((connector, vec![place])),
        }
    }

    pub(super) fn deliver(&mut self, place: usize, mailbox: String) {
        self.deliveries.push((place, mailbox));
    }

    pub(super) fn expand(&mut self, place: usize, list: &'a DistributionList) {
        self.expansions.push((place, list));
    }

    pub(super) fn settle(&mut self, place: usize, outcome: Outcome) {
        self.settled.push((place, outcome));
    }

    pub(super) fn drop(&mut self, place: usize) {
        self.dropped.push(place);
    }

    pub(super) fn redirect(
        &mut self,
        place: usize,
        changed: PerRecipientFields,
        redirections: Vec<Redirected>,
    ) {
        self.changed.insert(place, changed);
        self.redirections.push((place, redirections));
    }

    /// Leaves only the copies for connectors that take deferred mail before its time: about the other recipients nothing
    /// is decided until then.
    pub(super) fn hold(&mut self, responsible: &[usize], passes: impl Fn(&str) -> bool) {
        self.copies.retain(|(connector, _)| passes(connector));
        self.deliveries.clear();
        self.expansions.clear();
        self.settled.clear();
        self.dropped.clear();
        let gone: HashSet<usize> = self.copies.iter().flat_map(|(_, places)| places).copied().collect();
        self.held = responsible.iter().filter(|place| !gone.contains(place)).copied().collect();
    }

    /// Whether nothing is to be done for anybody.
    pub(super) fn is_idle(&self) -> bool {
        self.copies.is_empty()
            && self.deliveries.is_empty()
            && self.expansions.is_empty()
            && self.settled.is_empty()
            && self.dropped.is_empty()
    }

    pub(super) fn has_failures(&self) -> bool {
        self.failures().next().is_some()
    }

    /// Why recipients can't be served.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.settled.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Delivered | Outcome::Expanded => None,
        })
    }
}

impl Agent {
    /// `left` is the connector from whose queue it has come back, and what it was there: a copy that returns to that
    /// queue is not marked as rerouted.
    pub(super) fn carry_out(
        &self,
        work: &Work<'_>,
        transfer: &Transfer,
        left: Option<(&str, Transfer)>,
        plan: Plan<'_>,
    ) -> Step {
        let Work { now, sequence, key, record, content, .. } = *work;
        let mut step = Step::default();
        step.batch.assert_present(WORK, key).delete(WORK, key);
        let Plan {
            copies, deliveries, expansions, mut settled, dropped, held, redirections, changed, ..
        } = plan;
        let mut rest = held;
        let mut references: u32 = 0;
        let assigned = assigned(&redirections);
        for copy in copies {
            if step.batch.octets() > PORTION_OCTETS {
                rest.extend(copy.1);
                continue;
            }
            references = references.saturating_add(1);
            let stays = left.as_ref().filter(|(connector, _)| *connector == copy.0);
            let transfer = stays.map_or(transfer, |(_, as_it_was)| as_it_was);
            self.queue_copy(work, transfer, &changed, &assigned, &copy, &mut step);
        }
        let mut served = HashSet::new();
        let wants_bare = !deliveries.is_empty() || !expansions.is_empty();
        let delivery = if wants_bare { Delivery::of(transfer) } else { None };
        for (place, mailbox) in deliveries {
            if step.batch.octets() > PORTION_OCTETS {
                rest.push(place);
                continue;
            }
            // Named twice, a mailbox gets one copy; both recipients are delivered to.
            if let Some(delivery) = &delivery
                && served.insert(mailbox.clone())
            {
                delivery.deliver(now, sequence, place, changed.get(&place), mailbox, &mut step);
                references = references.saturating_add(1);
            }
            settled.push((place, Outcome::Delivered));
        }
        let mut expanded = HashSet::new();
        for (place, list) in expansions {
            // Named twice, it is expanded once; the second recipient has been served by that.
            let key = list.address.canonical_key();
            if expanded.contains(&key) {
                settled.push((place, Outcome::Expanded));
                continue;
            }
            if step.batch.octets() > PORTION_OCTETS {
                rest.push(place);
                continue;
            }
            expanded.insert(key);
            let recipient = changed.get(&place).or_else(|| transfer.recipients().get(place));
            let (Some(delivery), Some(recipient)) = (&delivery, recipient) else { continue };
            let subject = delivery.subject(record);
            let copies = self.expand(now, sequence, &subject, recipient, list, &mut step);
            references = references.saturating_add(copies);
            // The members' own reports tell the originator, if there are members and he is to be told.
            if copies == 0 || !list.reports_to_originator {
                settled.push((place, Outcome::Expanded));
            }
        }
        rest.sort_unstable();
        // Whoever reads of a delivery has read before why it is to somebody else.
        let done = std::mem::take(&mut step.effects);
        announce(transfer, &rest, &dropped, redirections, &mut step);
        step.effects.extend(done);
        settled.sort_by_key(|(place, _)| *place);
        let reporting = Reporting { now, sequence, arrived: record.arrived, changed: &changed, content };
        self.report(&reporting, transfer, &settled, &mut step);
        if !rest.is_empty() {
            references = references.saturating_add(1);
            // Under a new key: whoever takes work must not mistake it for what has just been done.
            let item = transfer.copy_for(&rest, &Changed::new()).to_item();
            add_work(&mut step, sequence, transfer.rank(), &WorkRecord { item, ..record.clone() });
        }
        if let Some(body) = transfer.body() {
            // The work record held one reference, which the first copy takes over.
            match references {
                0 => step.batch.release(body),
                1 => &mut step.batch,
                more => step.batch.retain(body, more - 1),
            };
        }
        step
    }

    fn queue_copy(
        &self,
        work: &Work<'_>,
        transfer: &Transfer,
        changed: &Changed,
        assigned: &HashSet<usize>,
        (connector, places): &(String, Vec<usize>),
        step: &mut Step,
    ) {
        let Work { now, sequence, record, .. } = *work;
        let mut copy = transfer.copy_for(places, changed);
        // Where it came from says nothing about where it may go, should it have to go another way.
        let is_ours = places.iter().all(|place| assigned.contains(place));
        let source = if is_ours { Source::Agent } else { record.source.clone() };
        if places.iter().any(|place| changed.contains_key(place)) {
            let (trace, extensions) = copy.trace_mut();
            self.here().mark(OtherAction::Redirected, trace, extensions);
        }
        let item = copy.to_item();
        let outbound = OutboundRecord {
            size: item.size(),
            item,
            source,
            arrived: record.arrived,
            queued: now,
            expires: self.expiry(record, transfer),
            attempts: 0,
            mts_identifier: transfer.identifier().to_string(),
            originator: transfer.originator().to_string(),
            recipients: u32::try_from(places.len()).unwrap_or(u32::MAX),
            exhausted: record.exhausted.clone(),
            last_failure: None,
            tries: record.tries.clone(),
        };
        if let Some(from) = record.left().filter(|from| *from != connector) {
            step.effects.push(Effect::Rerouted {
                mts_identifier: transfer.identifier().clone(),
                from: from.to_owned(),
                to: connector.to_owned(),
            });
        }
        enqueue(sequence, connector, transfer.rank(), &outbound, transfer.identifier(), step);
    }

    /// When a message is too old, counted from its arrival or from the time it was deferred to.
    fn expiry(&self, record: &WorkRecord, transfer: &Transfer) -> WallTime {
        let start = checks::deferred_until(transfer).map_or(record.arrived, |time| time.max(record.arrived));
        let rank = match transfer {
            Transfer::Message { .. } => transfer.rank(),
            // It goes first like what is urgent, but it is not given up sooner than other mail.
            Transfer::Probe(_) => Rank::Normal,
        };
        let too_old = start.plus_seconds(self.timeout_seconds(rank));
        checks::latest_delivery(transfer.extensions()).map_or(too_old, |latest| latest.min(too_old))
    }

    pub(super) fn timeout_seconds(&self, rank: Rank) -> i64 {
        let timeouts = &self.settings().mta.message_timeout;
        let minutes = match rank {
            Rank::Urgent => timeouts.urgent_min,
            Rank::Normal => timeouts.normal_min,
            Rank::NonUrgent => timeouts.non_urgent_min,
        };
        i64::from(minutes) * 60
    }
}

/// Places of the recipients in whose place somebody receives whom the settings of this MTA name.
fn assigned(redirections: &[(usize, Vec<Redirected>)]) -> HashSet<usize> {
    let last = |(place, all): &(usize, Vec<Redirected>)| Some((*place, all.last()?.reason));
    redirections
        .iter()
        .filter_map(last)
        .filter(|(_, reason)| !is_originators(*reason))
        .map(|(p, _)| p)
        .collect()
}

/// Says what was done about recipients beside delivery, transfer and reports; of those in `rest` nothing was.
fn announce(
    transfer: &Transfer,
    rest: &[usize],
    dropped: &[usize],
    redirections: Vec<(usize, Vec<Redirected>)>,
    step: &mut Step,
) {
    let done = redirections.into_iter().filter(|(place, _)| rest.binary_search(place).is_err());
    for Redirected { from, to, reason } in done.flat_map(|(_, redirections)| redirections) {
        let mts_identifier = transfer.identifier().clone();
        step.effects.push(Effect::Redirected { mts_identifier, from, to, reason });
    }
    for &place in dropped {
        let Some(recipient) = transfer.recipients().get(place) else { continue };
        let list = recipient.recipient_name.to_string();
        step.effects.push(Effect::ExpansionLoop { mts_identifier: transfer.identifier().clone(), list });
    }
}

/// Puts something into the queue of a connector.
pub(super) fn enqueue(
    sequence: &dyn Sequence,
    connector: &str,
    rank: Rank,
    outbound: &OutboundRecord,
    identifier: &mhs::MtsIdentifier,
    step: &mut Step,
) {
    let number = sequence.next();
    let key = OutboundKey { connector: connector.to_owned(), rank, sequence: number };
    step.batch.put(OUTBOUND, key.encode(), outbound.encode());
    step.effects.push(Effect::Queued {
        connector: connector.to_owned(),
        rank,
        sequence: number,
        mts_identifier: identifier.clone(),
        size: outbound.size,
        recipients: outbound.recipients,
    });
}

/// What is delivered of a message: the same for every recipient but for the recipients that are shown.
struct Delivery<'a> {
    envelope: &'a MessageTransferEnvelope,
    /// The envelope without recipients: made once, so that the work grows with the recipients, not with their square.
    bare: MessageTransferEnvelope,
    disclosed: bool,
    body: BodyId,
    content_length: u64,
}

impl<'a> Delivery<'a> {
    /// `None` for a probe, which leaves nothing in a mailbox.
    fn of(transfer: &'a Transfer) -> Option<Self> {
        let Transfer::Message { envelope, body, content_length } = transfer else { return None };
        let mut bare = (**envelope).clone();
        bare.per_recipient_fields.retain(|_| false);
        let disclosed = envelope.per_message_indicators.disclosure_of_other_recipients()
            && envelope.per_recipient_fields.len() <= MAX_DISCLOSED;
        Some(Delivery { envelope, bare, disclosed, body: *body, content_length: *content_length })
    }

    fn subject(&self, record: &'a WorkRecord) -> Subject<'_> {
        Subject { record, bare: &self.bare, body: self.body, content_length: self.content_length }
    }

    /// Puts the message into the mailbox of one recipient, or of who receives in its place.
    fn deliver(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        place: usize,
        changed: Option<&PerRecipientFields>,
        mailbox: String,
        step: &mut Step,
    ) {
        let recipient = changed.or_else(|| self.envelope.per_recipient_fields.get(place));
        let Some(recipient) = recipient else { return };
        let mut delivered = self.bare.clone();
        if self.disclosed {
            for (index, other) in self.envelope.per_recipient_fields.iter().enumerate() {
                if index != place && is_blind(other) {
                    continue;
                }
                let mut other = if index == place { recipient } else { other }.clone();
                other.set_responsibility(index == place);
                delivered.per_recipient_fields.push(other);
            }
        } else {
            delivered.per_recipient_fields.push(recipient.clone());
        }
        let item = MailboxItem::Message {
            envelope: delivered.to_octets(),
            body: self.body,
            content_length: self.content_length,
        };
        let identifier = &self.envelope.message_identifier;
        let address = recipient.address().to_string();
        put_in_mailbox(now, sequence, item, Kind::Message, identifier, address, mailbox, step);
    }
}

#[expect(clippy::too_many_arguments, reason = "a mailbox entry is made of all of them")]
pub(super) fn put_in_mailbox(
    now: WallTime,
    sequence: &dyn Sequence,
    item: MailboxItem,
    kind: Kind,
    identifier: &mhs::MtsIdentifier,
    address: String,
    mailbox: String,
    step: &mut Step,
) {
    let number = sequence.next();
    let size = match &item {
        MailboxItem::Message { content_length, .. } => *content_length,
        MailboxItem::Report { apdu } => u64::try_from(apdu.len()).unwrap_or(u64::MAX),
    };
    let record = MailboxRecord {
        kind: item,
        delivered: now,
        mts_identifier: identifier.to_string(),
        recipient: address.clone(),
    };
    step.batch.put(MAILBOX, MailboxKey { mailbox, sequence: number }.encode(), record.encode());
    step.effects.push(Effect::Delivered {
        kind,
        mailbox: address,
        sequence: number,
        mts_identifier: identifier.clone(),
        size,
    });
}
