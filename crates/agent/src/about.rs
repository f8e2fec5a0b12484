//! Who sent something and to whom, in text form and bounded: what effects tell of it beside its identifier.

use mhs::MtsIdentifier;
use mhs::p1::{MessageTransferEnvelope, PerRecipientFields, ProbeTransferEnvelope, Recipients, Report};

use crate::record::Rank;

/// Most recipients named.
const MAX_NAMED: usize = 32;

/// What people want to know of a message, probe or report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its priority.
    pub rank: Rank,
    /// Who sent it; empty for a report.
    pub originator: String,
    /// The first recipients that whoever has it is responsible for, at most 32; of a report, its destination.
    pub recipients: Vec<String>,
    /// Of a report: the message or probe that it is about.
    pub subject: Option<MtsIdentifier>,
    /// Of a message that came in or was submitted: the subject in its heading.
    pub ipm_subject: Option<String>,
}

/// What there is to tell of something once it has been transferred. It is made when it takes the form of its link: it is
/// decoded for that anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// Who sent it, and to whom.
    pub about: About,
    /// Whether 1984 P1 leaves out some of it.
    pub is_downgraded: bool,
}

impl About {
    pub(crate) fn message(envelope: &MessageTransferEnvelope) -> About {
        About {
            rank: Rank::of(*envelope.priority),
            originator: envelope.originator_name.to_string(),
            recipients: named(&envelope.per_recipient_fields),
            subject: None,
            ipm_subject: None,
        }
    }

    pub(crate) fn probe(probe: &ProbeTransferEnvelope) -> About {
        About {
            rank: Rank::Urgent,
            originator: probe.originator_name.to_string(),
            recipients: named(&probe.per_recipient_fields),
            subject: None,
            ipm_subject: None,
        }
    }

    pub(crate) fn report(report: &Report) -> About {
        About {
            rank: Rank::Urgent,
            originator: String::new(),
            recipients: vec![report.envelope.report_destination_name.to_string()],
            subject: Some((*report.content.subject_identifier).clone()),
            ipm_subject: None,
        }
    }
}

fn named(recipients: &Recipients) -> Vec<String> {
    let responsible = recipients.iter().filter(|recipient| recipient.responsibility());
    responsible
        .take(MAX_NAMED)
        .map(|recipient: &PerRecipientFields| recipient.address().to_string())
        .collect()
}
