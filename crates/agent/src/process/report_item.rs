//! A report on its way: passed on, put into the originator's mailbox, or dropped. It never makes another report.

use clock::WallTime;
use mhs::p1::{OriginatorReport, Report, ReportType, StandardExtension};

use super::fan_out::{Work, enqueue, put_in_mailbox};
use crate::agent::Agent;
use crate::effect::{Discard, Effect, Kind, Sequence, Step};
use crate::quarantine::unreadable;
use crate::record::{Item, MailboxItem, OutboundRecord, Rank, Source, WORK, WorkRecord};
use crate::routing::RouteDecision;
use crate::selection::Traveller;
use crate::trace;

impl Agent {
    pub(super) fn process_report(&self, work: &Work<'_>, apdu: &[u8]) -> Step {
        let Work { now, sequence, links, key, record, .. } = *work;
        let mut report = match Report::from_octets(apdu) {
            Ok(report) => report,
            Err(error) => return unreadable(WORK, key, record, &error),
        };
        let mut step = Step::default();
        step.batch.assert_present(WORK, key).delete(WORK, key);
        if let Some(why) = self.report_loops(record, &report) {
            discard(&report, why, &mut step);
            return step;
        }
        let destination = report.envelope.report_destination_name.address();
        let identifier = report.envelope.report_identifier.to_string();
        let obstacle = if self.has_1984_links() { report.to_1984().err() } else { None };
        let traveller = Traveller {
            incoming: record.source.connector(),
            exhausted: &record.exhausted,
            kind: Some(Kind::Report),
            trace: Some(&report.envelope.trace_information),
            tries: Some(&record.tries),
            now: Some(now),
            links: Some(links),
            identifier: &identifier,
            obstacle_in_1984: obstacle.as_ref(),
            ..Traveller::default()
        };
        match self.route_quietly(destination, traveller, &|_| false) {
            RouteDecision::Local { mailbox } => {
                self.deliver_report(now, sequence, mailbox, report, &mut step)
            }
            RouteDecision::Connectors(names) => {
                if let Some(last) = record.left() {
                    let attempted = self.settings().connector(last);
                    let envelope = &mut report.envelope;
                    let (trace, extensions) = (&mut envelope.trace_information, &mut envelope.extensions);
                    self.here().reroute(trace, extensions, attempted);
                }
                if let Some(connector) = names.first() {
                    self.queue_report(now, sequence, record, connector, report, &mut step);
                }
            }
            RouteDecision::List { .. } => {
                if let Some(list) = self.list(destination) {
                    self.list_report(sequence, record, list, report, &mut step);
                }
            }
            RouteDecision::Unknown(failure) => {
                discard(&report, Discard::Unroutable(failure.to_string()), &mut step);
            }
        }
        step
    }

    fn report_loops(&self, record: &WorkRecord, report: &Report) -> Option<Discard> {
        let (trace, extensions) = (&report.envelope.trace_information, &report.envelope.extensions);
        let arrives = match record.source {
            Source::Connector(_) => record.left().is_none(),
            Source::Submission | Source::Agent => false,
        };
        let comes_back = arrives && self.here().is_loop(trace, extensions);
        let too_far = trace::exceeds(self.settings().mta.hop_limit, trace, extensions);
        (comes_back || too_far).then_some(Discard::Loop)
    }

    /// The originating MTA ends the way of a report: it keeps to itself what the originator did not ask for.
    fn deliver_report(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        mailbox: String,
        mut report: Report,
        step: &mut Step,
    ) {
        // The owner of a list gets what the list wants reported, whatever the originator wants.
        let is_owners = report.envelope.extensions.standard(StandardExtension::REPORTING_DL_NAME).is_some();
        report.content.per_recipient_fields.retain(|recipient| {
            let wish = recipient.per_recipient_indicators.originator_report();
            let wish = if is_owners { OriginatorReport::Report } else { wish };
            match (&recipient.last_trace_information.report_type, wish) {
                (ReportType::Delivery(_), OriginatorReport::Report)
                | (ReportType::NonDelivery(_), OriginatorReport::Report | OriginatorReport::NonDelivery) => {
                    true
                }
                (ReportType::Delivery(_), OriginatorReport::NonDelivery | OriginatorReport::None)
                | (ReportType::NonDelivery(_), OriginatorReport::None) => false,
            }
        });
        if report.content.per_recipient_fields.is_empty() {
            discard(&report, Discard::NotRequested, step);
            return;
        }
        let item = MailboxItem::Report { apdu: report.to_octets() };
        let address = report.envelope.report_destination_name.to_string();
        let identifier = &report.envelope.report_identifier;
        put_in_mailbox(now, sequence, item, Kind::Report, identifier, address, mailbox, step);
    }

    fn queue_report(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        record: &WorkRecord,
        connector: &str,
        report: Report,
        step: &mut Step,
    ) {
        let identifier = (*report.envelope.report_identifier).clone();
        if let Some(from) = record.left().filter(|from| *from != connector) {
            let (from, to) = (from.to_owned(), connector.to_owned());
            step.effects.push(Effect::Rerouted { mts_identifier: identifier.clone(), from, to });
        }
        let item = Item::Report { apdu: report.to_octets() };
        let outbound = OutboundRecord {
            size: item.size(),
            item,
            source: record.source.clone(),
            arrived: record.arrived,
            queued: now,
            expires: record.arrived.plus_seconds(self.timeout_seconds(Rank::Normal)),
            attempts: 0,
            mts_identifier: identifier.to_string(),
            originator: report.envelope.report_destination_name.to_string(),
            recipients: 1,
            exhausted: record.exhausted.clone(),
            last_failure: None,
            tries: record.tries.clone(),
        };
        enqueue(sequence, connector, Rank::Urgent, &outbound, &identifier, step);
    }
}

pub(super) fn discard(report: &Report, why: Discard, step: &mut Step) {
    let mts_identifier = (*report.envelope.report_identifier).clone();
    step.effects.push(Effect::Discarded { kind: Kind::Report, mts_identifier, why });
}
