//! A connector could not be opened: whether what waits for it goes another way from now on.

use mhs::codes::{NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason};
use mhs::p1::{MessageTransferEnvelope, PerRecipientFields, ProbeTransferEnvelope, Report};
use mhs::{ContentType, OrAddress, OrName};

use crate::agent::Agent;
use crate::effect::{Departure, Kind, Step};
use crate::links::Moment;
use crate::outbound::{back_to_work, connector_of};
use crate::record::{Failure, Item, OutboundKey, OutboundRecord, Rank};
use crate::routing::RouteDecision;
use crate::selection::Traveller;

impl Agent {
    /// Whether anything that goes over this connector might go over another one: whether an address space of another can
    /// match, as closely, what matches one of its own. Asked at each failed open, and it spares most a look at all that
    /// waits.
    pub fn has_alternatives(&self, connector: &str) -> bool {
        let connectors = &self.settings().connectors;
        let Some(this) = self.settings().connector(connector) else { return true };
        let others = connectors.iter().filter(|other| other.name != connector);
        others.flat_map(|other| &other.address_space).any(|other| {
            this.address_space.iter().any(|own| {
                own.space.may_overlap(&other.space) && own.space.specificity() == other.space.specificity()
            })
        })
    }

    /// A copy has waited for a connector that could not be opened, `failures` times since it was queued. It goes back
    /// to be routed anew if another connector is better now, by its first recipient; else, and while that one waits after a
    /// failed open as well, it stays, `None`.
    pub fn rerouted(
        &self,
        moment: Moment<'_>,
        key: &[u8],
        record: &OutboundRecord,
        failures: u32,
    ) -> Option<Step> {
        let connector = connector_of(key)?;
        let tries = record.tries.after(&connector, failures);
        let first = FirstRecipient::of(&record.item)?;
        let rank = OutboundKey::parse(key).map_or(Rank::Normal, |key| key.rank);
        let traveller = Traveller {
            incoming: record.source.connector(),
            exhausted: &record.exhausted,
            tries: Some(&tries),
            now: Some(moment.now),
            links: Some(moment.links),
            identifier: &record.mts_identifier,
            content_length: record.size,
            kind: Some(first.kind),
            originator: first.originator.as_ref().map(OrName::address),
            priority: (first.kind == Kind::Message).then_some(rank),
            content_type: first.content_type.as_ref(),
            ..Traveller::default()
        };
        let RouteDecision::Connectors(names) = self.route_quietly(&first.address, traveller, &|_| false)
        else {
            return None;
        };
        // What can't be said in 1984 P1 is found out when it is routed; until then nothing is sent there on a detour.
        let is_1984 = |name: &str| self.settings().connector(name).is_some_and(|c| c.speaks_1984());
        let mut names = names.iter().filter(|name| is_1984(&connector) || !is_1984(name));
        let best = names.next()?;
        // Where nobody gets through either it would only come back from, again and again.
        if *best == connector || moment.links.is_waiting(best) {
            return None;
        }
        let failure = Failure {
            reason: Reason::TRANSFER_FAILURE.0,
            diagnostic: Diagnostic::MTS_CONGESTION.0,
            text: "the next MTA could not be reached".to_owned(),
        };
        let exhausted = record.exhausted.clone();
        let sequence = moment.sequence;
        Some(back_to_work(sequence, key, record, exhausted, tries, failure, Departure::GivenUp))
    }
}

impl Agent {
    /// By the settings of today, a copy does not belong into the queue in which it waits: its first recipient is reached
    /// here, or over other connectors. It goes back to be routed anew. One that is not reached at all by these settings
    /// stays where it was queued, `None`: that may be a slip, and it leads somewhere.
    pub fn misplaced(&self, moment: Moment<'_>, key: &[u8], record: &OutboundRecord) -> Option<Step> {
        let connector = connector_of(key)?;
        let first = FirstRecipient::of(&record.item)?;
        let traveller = Traveller {
            incoming: record.source.connector(),
            exhausted: &record.exhausted,
            now: Some(moment.now),
            kind: Some(first.kind),
            ..Traveller::default()
        };
        let elsewhere = match self.route_quietly(&first.address, traveller, &|_| false) {
            RouteDecision::Connectors(names) => !names.contains(&connector),
            RouteDecision::Local { .. } | RouteDecision::List { .. } => true,
            RouteDecision::Unknown(_) => false,
        };
        elsewhere.then(|| self.route_anew(moment.now, moment.sequence, key, record))
    }
}

/// What routing asks about the first recipient that a copy is for.
struct FirstRecipient {
    kind: Kind,
    address: OrAddress,
    originator: Option<OrName>,
    content_type: Option<ContentType>,
}

impl FirstRecipient {
    /// `None` if the octets are unreadable: that is found out by whoever has to send them.
    fn of(item: &Item) -> Option<Self> {
        match item {
            Item::Message { envelope, .. } => {
                let envelope = MessageTransferEnvelope::from_octets(envelope).ok()?;
                let address = first_responsible(envelope.per_recipient_fields.iter())?;
                Some(FirstRecipient {
                    kind: Kind::Message,
                    address,
                    originator: Some(envelope.originator_name.clone()),
                    content_type: Some((*envelope.content_type).clone()),
                })
            }
            Item::Probe { apdu } => {
                let probe = ProbeTransferEnvelope::from_octets(apdu).ok()?;
                let address = first_responsible(probe.per_recipient_fields.iter())?;
                Some(FirstRecipient {
                    kind: Kind::Probe,
                    address,
                    originator: Some(probe.originator_name.clone()),
                    content_type: Some((*probe.content_type).clone()),
                })
            }
            Item::Report { apdu } => {
                let report = Report::from_octets(apdu).ok()?;
                let address = report.envelope.report_destination_name.address().clone();
                Some(FirstRecipient { kind: Kind::Report, address, originator: None, content_type: None })
            }
        }
    }
}

fn first_responsible<'a>(mut recipients: impl Iterator<Item = &'a PerRecipientFields>) -> Option<OrAddress> {
    recipients.find(|recipient| recipient.responsibility()).map(|recipient| recipient.address().clone())
}
