//! What is found in the mailbox of a monitor, and what it means.

use agent::record::{MailboxItem, MailboxRecord};
use mhs::OrAddress;
use mhs::p1::{MessageTransferEnvelope, MtsApdu, ReportType};
use spool::BodyId;

use super::watch::Answer;

/// Content identifier of what monitors send; reports bring it back. At most 16 characters of PrintableString.
pub(super) const CONTENT_IDENTIFIER: &str = "LINK MONITOR";

/// An entry that is the monitors' own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A report on something that a monitor has sent.
    Report {
        /// Identifier of that.
        subject: String,
        /// What it means; nothing but words if this MTA made it about what has not left it.
        answer: Result<Answer, String>,
    },
    /// A message, from this address.
    Message {
        /// Canonical key of the originator.
        originator: String,
        /// Whether a monitor has sent it.
        is_monitors: bool,
        /// Its content, which goes with it.
        body: BodyId,
    },
}

/// What an entry of a mailbox is; nothing if it can't be read, which leaves it to people.
pub(super) fn read(record: MailboxRecord) -> Option<Found> {
    match record.kind {
        MailboxItem::Message { envelope, body, .. } => {
            let envelope = MessageTransferEnvelope::from_octets(&envelope).ok()?;
            let identifier = envelope.content_identifier.as_ref();
            Some(Found::Message {
                originator: key(envelope.originator_name.address()),
                is_monitors: identifier.is_some_and(|identifier| identifier.0.trim() == CONTENT_IDENTIFIER),
                body,
            })
        }
        MailboxItem::Report { apdu } => {
            let MtsApdu::Report(report) = MtsApdu::from_octets(&apdu).ok()? else { return None };
            let identifier = report.content.content_identifier.as_ref();
            if identifier.is_some_and(|identifier| identifier.0.trim() != CONTENT_IDENTIFIER) {
                return None;
            }
            let made_by = &report.envelope.report_identifier;
            let subject = &report.content.subject_identifier;
            // What monitors send is submitted here, so its identifier shows what those of this MTA are like.
            let is_own = made_by.domain == subject.domain && maker(&made_by.local) == maker(&subject.local);
            let mut failure = None;
            for recipient in &*report.content.per_recipient_fields {
                if let ReportType::NonDelivery(why) = &recipient.last_trace_information.report_type {
                    let diagnostic = why.diagnostic.map(|code| format!(", {code}")).unwrap_or_default();
                    let told = recipient.supplementary_information.as_ref();
                    let told = told.map(|text| format!(": {}", **text)).unwrap_or_default();
                    failure =
                        Some(format!("reported here as not delivered: {}{diagnostic}{told}", why.reason));
                }
            }
            let answer = match (failure, is_own) {
                (None, _) => Ok(Answer::Delivery),
                (Some(_), false) => Ok(Answer::NonDelivery),
                (Some(why), true) => Err(why),
            };
            Some(Found::Report { subject: subject.to_string(), answer })
        }
    }
}

/// What the agent of this program puts in front of time and number in the local part of an MTS-identifier.
fn maker(local: &str) -> Option<&str> {
    local.rsplitn(3, '-').nth(2)
}

/// An address as mailboxes are told apart.
pub(super) fn key(address: &OrAddress) -> String {
    address.canonical_key()
}
