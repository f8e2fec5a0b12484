//! Reports that this MTA makes about messages and probes (X.411 report generation).
//!
//! A report goes into the work queue like anything else, and finds its way from there: to a mailbox of this MTA or
//! over a connector. The originating MTA asks in its bits of the per-recipient indicators what it wants to be told;
//! what the originator wants is for the originating MTA to judge. The content is returned with non-delivery, if the
//! originator wants it and it is short. A report on what a distribution list has expanded goes to that list.

use clock::WallTime;
use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use mhs::p1::{
    DlExpansion, DlExpansionHistory, LastTraceInformation, OriginatingMtaReport, PerRecipientFields,
    PerRecipientReportFields, Report, StandardExtension,
};
use mhs::{OrName, UtcTime};

use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Effect, Sequence, Step};
use crate::record::{Failure, Item, Rank, Source, Tries, WorkRecord};
use crate::transfer::{Changed, Transfer};

/// Most recipients in one report. A message may have 32767; what is said about them must fit into what other MTAs
/// take as a report.
const MAX_RECIPIENTS_PER_REPORT: usize = 512;

/// How it ended for a recipient.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Delivered,
    /// It is a distribution list, whose members have it now.
    Expanded,
    Failed(Failure),
}

/// What reports are made with.
#[derive(Clone, Copy)]
pub(crate) struct Reporting<'a> {
    pub(crate) now: WallTime,
    pub(crate) sequence: &'a dyn Sequence,
    /// When the subject arrived here.
    pub(crate) arrived: WallTime,
    /// Who received in place of recipients.
    pub(crate) changed: &'a Changed,
    /// The content, if it is to be returned.
    pub(crate) content: Option<&'a [u8]>,
}

impl Agent {
    /// Makes the reports on the recipients that are settled, by their place in the envelope, and puts them into the
    /// work queue.
    pub(crate) fn report(
        &self,
        reporting: &Reporting<'_>,
        transfer: &Transfer,
        settled: &[(usize, Outcome)],
        step: &mut Step,
    ) {
        let mut reported = Vec::new();
        for (place, outcome) in settled {
            let changed = reporting.changed.get(place);
            let Some(recipient) = changed.or_else(|| transfer.recipients().get(*place)) else { continue };
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
        // Returned once is enough.
        let mut content = reporting.content;
        for part in reported.chunks(MAX_RECIPIENTS_PER_REPORT) {
            let fails = part.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
            let content = if fails { content.take() } else { None };
            self.report_on(&Reporting { content, ..*reporting }, transfer, part, step);
        }
    }

    fn report_on(
        &self,
        reporting: &Reporting<'_>,
        transfer: &Transfer,
        recipients: &[(&PerRecipientFields, &Outcome)],
        step: &mut Step,
    ) {
        let Reporting { now, sequence, arrived, content, .. } = *reporting;
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
        let extensions = &mut report.envelope.extensions;
        here.add_internal(UtcTime::from_wall(now), extensions);
        extensions.set_reporting_mta_name(here.domain, here.mta);
        if let Some(label) = transfer.extensions().standard(StandardExtension::MESSAGE_SECURITY_LABEL) {
            extensions.set(label.clone());
        }
        if let Some((last, history)) = walk_back(transfer) {
            extensions.set_originator_and_dl_expansion_history(&history);
            report.envelope.report_destination_name = last;
        }
        if let Some(correlator) = transfer.extensions().standard(StandardExtension::CONTENT_CORRELATOR) {
            report.content.extensions.set(correlator.clone());
        }
        let audited = recipients.iter().any(|(recipient, _)| {
            recipient.per_recipient_indicators.originating_mta_report() == OriginatingMtaReport::Audited
        });
        if audited {
            report.content.subject_intermediate_trace_information = Some(transfer.trace().clone());
        }
        let content = content.filter(|content| !content.is_empty());
        report.content.returned_content = content.map(|content| content.to_vec().into());
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
            tries: Tries::default(),
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
        let delivered =
            |user| LastTraceInformation::delivered(arrival.clone(), UtcTime::from_wall(now), user);
        let mut fields = match outcome {
            Outcome::Delivered => {
                let user = match self.settings().mta.domain.prmd {
                    Some(_) => TypeOfMtsUser::PRIVATE,
                    None => TypeOfMtsUser::PUBLIC,
                };
                PerRecipientReportFields::about(recipient, delivered(user))
            }
            Outcome::Expanded => PerRecipientReportFields::about(recipient, delivered(TypeOfMtsUser::DL)),
            Outcome::Failed(failure) => {
                let reason = NonDeliveryReasonCode(failure.reason);
                let diagnostic = NonDeliveryDiagnosticCode(failure.diagnostic);
                let last = LastTraceInformation::not_delivered(arrival, reason, Some(diagnostic));
                PerRecipientReportFields::about(recipient, last).with_supplementary_information(&failure.text)
            }
        };
        // The originator knows the name he wrote, not the one of who received in its place.
        let redirections = recipient.extensions.standard(StandardExtension::REDIRECTION_HISTORY);
        if let (Some(field), Ok(history)) = (redirections, recipient.extensions.redirection_history()) {
            fields.originally_intended_recipient_name =
                history.first().map(|redirection| redirection.intended_recipient.clone());
            fields.extensions.set(field.clone());
        }
        fields
    }
}

/// Where a report on what lists have expanded goes: to the last of them, with the way from there back to the
/// originator. `None` if no list has.
fn walk_back(transfer: &Transfer) -> Option<(OrName, DlExpansionHistory)> {
    let lists = transfer.extensions().dl_expansion_history().ok()?;
    let last = lists.last()?.name.clone();
    // The first element of the trace is from the MTA that it was submitted to.
    let time = transfer.trace().first()?.arrival_time.clone();
    let originator = DlExpansion { name: transfer.originator().clone(), time };
    let mut history = vec![originator.into()];
    history.extend(lists.into_vec());
    Some((last, DlExpansionHistory::new(history)))
}

/// Whether the originating MTA wants to be told. Non-delivery is told unless nothing else can be meant: neither bit
/// set is illegal, and silence would lose mail.
fn is_wanted(recipient: &PerRecipientFields, outcome: &Outcome) -> bool {
    match (outcome, recipient.per_recipient_indicators.originating_mta_report()) {
        (Outcome::Failed(_), _) => true,
        (Outcome::Delivered | Outcome::Expanded, wish) => {
            matches!(wish, OriginatingMtaReport::Report | OriginatingMtaReport::Audited)
        }
    }
}
