//! Reports: envelope and content are read or refused; what is read is shown, written and read again the same, and leaves
//! with the octets it came with. A report about any message or probe that can be read can be read itself.

use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode};
use mhs::p1::{
    LastTraceInformation, MtsApdu, PerRecipientFields, PerRecipientReportFields, Report,
    ReportTransferContent, ReportTransferEnvelope, TraceInformation,
};
use mhs::{UtcTime, render};

pub(crate) fn run(octets: &[u8]) {
    if let Ok(report) = Report::from_octets(octets) {
        assert_eq!(report.to_octets(), octets, "an unchanged report leaves as it came");
        check(octets, &report);
    }
    match MtsApdu::from_octets(octets) {
        Ok(MtsApdu::Report(report)) => {
            assert_eq!(Report::from_octets(octets), Ok(*report), "one reader takes what the other refuses");
        }
        Ok(MtsApdu::Message(message)) => {
            let fields = message.envelope.per_recipient_fields.iter().map(about).collect();
            let identifier = message.envelope.message_identifier.clone().into_value();
            let trace = message.envelope.trace_information.clone();
            ours(&Report::about_message(identifier, trace, &message.envelope, fields));
        }
        Ok(MtsApdu::Probe(probe)) => {
            let fields = probe.per_recipient_fields.iter().map(about).collect();
            let identifier = probe.probe_identifier.clone().into_value();
            ours(&Report::about_probe(identifier, probe.trace_information.clone(), &probe, fields));
        }
        Err(_) => {}
    }
}

fn about(recipient: &PerRecipientFields) -> PerRecipientReportFields {
    let arrival = UtcTime::from_octets(b"261122120000Z");
    let diagnostic = Some(NonDeliveryDiagnosticCode::UNRECOGNISED_OR_NAME);
    let trace =
        LastTraceInformation::not_delivered(arrival, NonDeliveryReasonCode::UNABLE_TO_TRANSFER, diagnostic);
    PerRecipientReportFields::about(recipient, trace)
}

/// A report that was made here reads as what was said.
fn ours(report: &Report) {
    let octets = report.to_octets();
    let read = Report::from_octets(&octets).expect("a report of ours is read");
    assert_eq!(read.to_octets(), octets);
    compare(&read.content, &report.content);
}

fn check(octets: &[u8], report: &Report) {
    assert!(!render::report(report).to_string().is_empty());
    // Put together anew from its parts it still reads, and says the same of each recipient.
    let recipients = report.content.per_recipient_fields.clone().into_vec();
    let content =
        ReportTransferContent::new(report.content.subject_identifier.clone().into_value(), recipients);
    let trace: TraceInformation = report.envelope.trace_information.clone();
    let envelope = ReportTransferEnvelope::new(
        report.envelope.report_identifier.clone().into_value(),
        report.envelope.report_destination_name.clone(),
        trace,
    );
    let anew = Report::new(envelope, content);
    ours(&anew);
    let length = anew.to_octets().len();
    assert!(length <= 2 * octets.len() + 256, "a report of {} octets became {length}", octets.len());
}

fn compare(left: &ReportTransferContent, right: &ReportTransferContent) {
    assert_eq!(left.per_recipient_fields.len(), right.per_recipient_fields.len());
    for (left, right) in left.per_recipient_fields.iter().zip(right.per_recipient_fields.iter()) {
        assert_eq!(left.last_trace_information.report_type, right.last_trace_information.report_type);
        assert_eq!(
            left.actual_recipient_name.address().canonical_key(),
            right.actual_recipient_name.address().canonical_key()
        );
    }
}
