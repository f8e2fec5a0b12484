//! Reports that this MTA makes about messages and probes (X.411 report generation).
//!
//! A report goes into the work queue like anything else, and finds its way from there: to a mailbox of this MTA or
//! over a connector. The originating MTA asks in its bits of the per-recipient indicators what it wants to be told;
//! what the originator wants is for the originating MTA to judge. The content of the subject is not returned.

use clock::WallTime;
use mhs::UtcTime;
use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use mhs::p1::{
    LastTraceInformation, OriginatingMtaReport, PerRecipientFields, PerRecipientReportFields, Report,
    StandardExtension,
};

use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Effect, Sequence, Step};
use crate::record::{Failure, Item, Rank, Source, WorkRecord};
use crate::transfer::Transfer;

/// Most recipients in one report. A message may have 32767; what is said about them must fit into what other MTAs
/// take as a report.
const MAX_RECIPIENTS_PER_REPORT: usize = 512;

/// How it ended for a recipient.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Delivered,
    Failed(Failure),
}

impl Agent {
    /// Makes the reports on the recipients that are settled, by their place in the envelope, and puts them into the
    /// work queue.
    pub(crate) fn report(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        arrived: WallTime,
        transfer: &Transfer,
        settled: &[(usize, Outcome)],
        step: &mut Step,
    ) {
        let mut reported = Vec::new();
        for (place, outcome) in settled {
            let Some(recipient) = transfer.recipients().get(*place) else { continue };
            if let Outcome::Failed(failure) = outcome {
                step.effects.push(Effect::NonDelivered {
                    mts_identifier: transfer.identifier().clone(),
                    recipient: recipient.recipient_name.to_string(),
                    reason: NonDeliveryReasonCode(failure.reason),
                    diagnostic: NonDeliveryDiagnosticCode(failure.diagnostic),
                    text: failure.text.clone(),
                });
            }
            if is_wanted(recipient, outcome) {
                reported.push((recipient, outcome));
            }
        }
        for part in reported.chunks(MAX_RECIPIENTS_PER_REPORT) {
            self.report_on(now, sequence, arrived, transfer, part, step);
        }
    }

    fn report_on(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        arrived: WallTime,
        transfer: &Transfer,
        recipients: &[(&PerRecipientFields, &Outcome)],
        step: &mut Step,
    ) {
        let here = self.here();
        let identifier = self.new_identifier(now, sequence);
        let fields =
            recipients.iter().map(|(recipient, outcome)| self.fields(now, arrived, recipient, outcome));
        let fields: Vec<PerRecipientReportFields> = fields.collect();
        let trace = here.first_trace(now);
        let mut report = match transfer {
            Transfer::Message { envelope, .. } => {
                Report::about_message(identifier.clone(), trace, envelope, fields)
            }
            Transfer::Probe(probe) => Report::about_probe(identifier.clone(), trace, probe, fields),
        };
        here.add_internal(UtcTime::from_wall(now), &mut report.envelope.extensions);
        if let Some(correlator) = transfer.extensions().standard(StandardExtension::CONTENT_CORRELATOR) {
            report.content.extensions.set(correlator.clone());
        }
        let audited = recipients.iter().any(|(recipient, _)| {
            recipient.per_recipient_indicators.originating_mta_report() == OriginatingMtaReport::Audited
        });
        if audited {
            report.content.subject_intermediate_trace_information = Some(transfer.trace().clone());
        }
        let failed = recipients.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).count();
        step.effects.push(Effect::ReportMade {
            mts_identifier: identifier,
            subject: transfer.identifier().clone(),
            delivered: u32::try_from(recipients.len().saturating_sub(failed)).unwrap_or(u32::MAX),
            non_delivered: u32::try_from(failed).unwrap_or(u32::MAX),
        });
        let record = WorkRecord {
            item: Item::Report { apdu: report.to_octets() },
            source: Source::Agent,
            arrived: now,
            exhausted: Vec::new(),
            failure: None,
        };
        add_work(step, sequence, Rank::Urgent, &record);
    }

    fn fields(
        &self,
        now: WallTime,
        arrived: WallTime,
        recipient: &PerRecipientFields,
        outcome: &Outcome,
    ) -> PerRecipientReportFields {
        let arrival = UtcTime::from_wall(arrived);
        match outcome {
            Outcome::Delivered => {
                let user = match self.settings().mta.domain.prmd {
                    Some(_) => TypeOfMtsUser::PRIVATE,
                    None => TypeOfMtsUser::PUBLIC,
                };
                let last = LastTraceInformation::delivered(arrival, UtcTime::from_wall(now), user);
                PerRecipientReportFields::about(recipient, last)
            }
            Outcome::Failed(failure) => {
                let reason = NonDeliveryReasonCode(failure.reason);
                let diagnostic = NonDeliveryDiagnosticCode(failure.diagnostic);
                let last = LastTraceInformation::not_delivered(arrival, reason, Some(diagnostic));
                PerRecipientReportFields::about(recipient, last).with_supplementary_information(&failure.text)
            }
        }
    }
}

/// Whether the originating MTA wants to be told. Non-delivery is told unless nothing else can be meant: neither bit
/// set is illegal, and silence would lose mail.
fn is_wanted(recipient: &PerRecipientFields, outcome: &Outcome) -> bool {
    match (outcome, recipient.per_recipient_indicators.originating_mta_report()) {
        (Outcome::Failed(_), _) => true,
        (Outcome::Delivered, OriginatingMtaReport::Report | OriginatingMtaReport::Audited) => true,
        (Outcome::Delivered, OriginatingMtaReport::NonDelivery | OriginatingMtaReport::None) => false,
    }
}
