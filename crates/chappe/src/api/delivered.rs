//! What stands in a mailbox, read as far as it takes to show it.

use agent::record::{MailboxItem as Stored, MailboxRecord};
use mhs::ipm::{Ipm, OrDescriptor, PartSummary, RecipientSpecifier, Summary};
use mhs::p1::{MessageTransferEnvelope, MtsApdu, PerRecipientReportFields, ReportType};
use mhs::{ContentType, UtcTime};
use runtime::MailboxEntry;
use spool::BodyId;

use super::Api;
use super::error::ApiError;
use crate::model::{
    DeliveredMessage, DeliveredReport, MailboxContent, MailboxItem, Outcome, Part, ReportedRecipient,
};

/// Octets of a content that are read to show it in a list.
pub(super) const GLANCE_OCTETS: usize = 64 << 10;
/// Octets of a content that are read to show it alone.
pub(super) const FULL_OCTETS: usize = 4 << 20;
/// Recipients shown of one field of a heading, or of a report.
const RECIPIENTS_SHOWN: usize = 1000;

/// An entry of a mailbox for the API; at most `octets` of a content are read.
pub(super) async fn item(api: &Api, entry: MailboxEntry, octets: usize) -> Result<MailboxItem, ApiError> {
    let MailboxRecord { kind, delivered, mts_identifier, .. } = entry.record;
    let content = match kind {
        Stored::Message { envelope, body, content_length } => {
            let envelope = MessageTransferEnvelope::from_octets(&envelope);
            match envelope {
                Ok(envelope) => {
                    MailboxContent::Message(message(api, &envelope, body, content_length, octets).await?)
                }
                Err(error) => MailboxContent::Unreadable { problem: format!("the envelope: {error}") },
            }
        }
        Stored::Report { apdu } => report(&apdu),
    };
    Ok(MailboxItem {
        number: entry.number,
        delivered: delivered.to_string(),
        mts_id: mts_identifier,
        content,
    })
}

/// A message for the API; at most `octets` of its content are read.
pub(super) async fn message(
    api: &Api,
    envelope: &MessageTransferEnvelope,
    body: BodyId,
    content_octets: u64,
    octets: usize,
) -> Result<DeliveredMessage, ApiError> {
    let mut message = DeliveredMessage {
        from: envelope.originator_name.address().to_string(),
        priority: envelope.priority.to_string(),
        content_type: envelope.content_type.to_string(),
        content_octets,
        ..DeliveredMessage::default()
    };
    if !is_interpersonal(&envelope.content_type) {
        message.problem = Some("contents of this type are not shown; export the octets".to_owned());
        return Ok(message);
    }
    let first = api.handle.read_body(body, 0, octets).await?;
    match Ipm::summary(&first) {
        Ok(summary) => describe(summary, &mut message),
        Err(error) => message.problem = Some(format!("the content can't be understood: {error}")),
    }
    Ok(message)
}

/// Whether a content of this type is P2 or P22.
pub(super) fn is_interpersonal(content_type: &ContentType) -> bool {
    [ContentType::P2, ContentType::P22].contains(content_type)
}

fn describe(summary: Summary, message: &mut DeliveredMessage) {
    let heading = &summary.heading;
    message.subject = heading.subject_text();
    message.to = named(&heading.primary_recipients);
    message.cc = named(&heading.copy_recipients);
    message.bcc = named(&heading.blind_copy_recipients);
    message.parts = summary.parts.iter().enumerate().map(|(n, summary)| part(n + 1, summary)).collect();
    if summary.more {
        message.problem = Some("there are more body parts; export the content to see them".to_owned());
    }
}

fn named(recipients: &[RecipientSpecifier]) -> Vec<String> {
    recipients.iter().take(RECIPIENTS_SHOWN).map(|named| descriptor(&named.recipient)).collect()
}

fn descriptor(descriptor: &OrDescriptor) -> String {
    match (&descriptor.formal_name, &descriptor.free_form_name) {
        (Some(name), _) => name.address().to_string(),
        (None, _) => descriptor.free_form_text().unwrap_or_default(),
    }
}

fn part(number: usize, summary: &PartSummary) -> Part {
    let file = summary.file_octets.as_ref().map(|range| range.end.saturating_sub(range.start));
    Part {
        number,
        kind: summary.kind.clone().into_owned(),
        octets: file.or(summary.octets),
        file_name: summary.file_name.clone(),
        text: summary.text.clone(),
        cut: summary.text_cut,
    }
}

fn report(apdu: &[u8]) -> MailboxContent {
    let report = match MtsApdu::from_octets(apdu) {
        Ok(MtsApdu::Report(report)) => report,
        Ok(MtsApdu::Message(_) | MtsApdu::Probe(_)) => {
            return MailboxContent::Unreadable { problem: "stored as a report, but it is none".to_owned() };
        }
        Err(error) => return MailboxContent::Unreadable { problem: format!("the report: {error}") },
    };
    let content = &report.content;
    MailboxContent::Report(DeliveredReport {
        subject_mts_id: content.subject_identifier.to_string(),
        content_identifier: content.content_identifier.as_ref().map(|identifier| identifier.to_string()),
        recipients: content.per_recipient_fields.iter().take(RECIPIENTS_SHOWN).map(recipient).collect(),
    })
}

fn recipient(fields: &PerRecipientReportFields) -> ReportedRecipient {
    let outcome = match &fields.last_trace_information.report_type {
        ReportType::Delivery(delivery) => Outcome::Delivered { time: time(&delivery.message_delivery_time) },
        ReportType::NonDelivery(failure) => Outcome::NonDelivered {
            reason: failure.reason.to_string(),
            diagnostic: failure.diagnostic.map(|diagnostic| diagnostic.to_string()),
        },
    };
    ReportedRecipient {
        address: fields.actual_recipient_name.address().to_string(),
        outcome,
        information: fields.supplementary_information.as_ref().map(|text| text.to_string()),
    }
}

/// A time of the wire in RFC 3339, or as it came if it is no legal time.
fn time(time: &UtcTime) -> String {
    time.to_wall()
        .map_or_else(|| String::from_utf8_lossy(time.octets()).into_owned(), |wall| wall.to_string())
}
