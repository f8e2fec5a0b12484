//! Mailboxes, and what was delivered to them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Mailbox {
    /// Its address.
    pub(crate) address: String,
    /// Messages and reports in it.
    pub(crate) entries: u64,
}

/// One page of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MailboxPage {
    /// The messages and reports, oldest first.
    pub(crate) items: Vec<MailboxItem>,
    /// If there are more behind them: what to give as `after` for the next page.
    pub(crate) next: Option<String>,
    /// If the newest were asked for: how many are older than those shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) older: Option<u64>,
}

/// A message or report in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MailboxItem {
    /// Number in the mailbox, growing with time.
    pub(crate) number: u64,
    /// When it was delivered.
    pub(crate) delivered: String,
    /// MTS-identifier.
    pub(crate) mts_id: String,
    /// What was delivered.
    #[serde(flatten)]
    pub(crate) content: MailboxContent,
}

/// What was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum MailboxContent {
    /// A message.
    Message(DeliveredMessage),
    /// A delivery or non-delivery report.
    Report(DeliveredReport),
    /// Something that is stored but can't be understood.
    Unreadable {
        /// Why.
        problem: String,
    },
}

/// A delivered message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DeliveredMessage {
    /// Originator, from the envelope.
    pub(crate) from: String,
    /// Primary recipients, from the heading.
    pub(crate) to: Vec<String>,
    /// Copy recipients, from the heading.
    #[serde(default)]
    pub(crate) cc: Vec<String>,
    /// Blind copy recipients, from the heading: in a copy for one of them he alone should be named.
    #[serde(default)]
    pub(crate) bcc: Vec<String>,
    /// `urgent`, `normal` or `non-urgent`.
    pub(crate) priority: String,
    /// Content type.
    pub(crate) content_type: String,
    /// Octets of content.
    pub(crate) content_octets: u64,
    /// Subject.
    pub(crate) subject: Option<String>,
    /// Body parts.
    pub(crate) parts: Vec<Part>,
    /// Why the content is not shown, or not in full.
    pub(crate) problem: Option<String>,
}

/// A body part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Part {
    /// Number in the message, from 1: what `--attachment` takes.
    pub(crate) number: usize,
    /// Kind by its name in X.420.
    pub(crate) kind: String,
    /// Octets, of the file if it is one, else of the whole part.
    pub(crate) octets: Option<u64>,
    /// Name of the file.
    pub(crate) file_name: Option<String>,
    /// The text, if it is one.
    pub(crate) text: Option<String>,
    /// Whether the text goes on.
    pub(crate) cut: bool,
}

/// A delivered report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DeliveredReport {
    /// MTS-identifier of the message or probe that it is about.
    pub(crate) subject_mts_id: String,
    /// The content identifier which the originator gave.
    pub(crate) content_identifier: Option<String>,
    /// What became of each recipient.
    pub(crate) recipients: Vec<ReportedRecipient>,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReportedRecipient {
    /// The recipient.
    pub(crate) address: String,
    /// The outcome.
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// Supplementary information in words.
    pub(crate) information: Option<String>,
}

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Delivered.
    Delivered {
        /// When.
        time: String,
    },
    /// Not delivered.
    NonDelivered {
        /// Non-delivery reason with its code.
        reason: String,
        /// Non-delivery diagnostic with its code.
        diagnostic: Option<String>,
    },
}
