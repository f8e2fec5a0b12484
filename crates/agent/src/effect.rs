//! What a decision leads to: a batch for the spool and effects to be announced once it is committed.

use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, RedirectionReason};
use mhs::{GlobalDomainIdentifier, MtsIdentifier};
use spool::Batch;

use crate::about::About;
use crate::record::Rank;

/// Gives numbers that are unique for ever, restarts included, and never go down.
pub trait Sequence {
    /// The next number.
    fn next(&self) -> u64;
}

/// One decision. The batch is committed first; the effects are announced after that, or not at all.
#[derive(Debug, Default)]
pub struct Step {
    /// What changes in the spool, all or nothing.
    pub batch: Batch,
    /// What that means, in order.
    pub effects: Vec<Effect>,
}

/// Kind of a thing that is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A message.
    Message,
    /// A report.
    Report,
    /// A probe.
    Probe,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Message => "message",
            Kind::Report => "report",
            Kind::Probe => "probe",
        })
    }
}

/// Something that has happened once the batch is committed: for the event log, for counters and to wake whoever
/// has work now.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// There is something to process.
    WorkAdded {
        /// Its priority.
        rank: Rank,
        /// Its number in the work queue.
        sequence: u64,
    },
    /// Responsibility was taken over from a peer.
    Accepted {
        /// What it is.
        kind: Kind,
        /// Its identifier.
        mts_identifier: MtsIdentifier,
        /// The connector it came in on.
        connector: String,
        /// Length of the content, or of the APDU without content; octets.
        size: u64,
        /// Recipients that this MTA is responsible for.
        recipients: u32,
        /// Who sent it, and to whom; if there is message tracking.
        about: Option<Box<About>>,
    },
    /// A user's message or probe was accepted.
    Submitted {
        /// What it is: a message or a probe.
        kind: Kind,
        /// The identifier given to it.
        mts_identifier: MtsIdentifier,
        /// Who sent it.
        originator: String,
        /// Length of the content, octets.
        size: u64,
        /// Number of recipients.
        recipients: u32,
        /// Who sent it, and to whom; if there is message tracking.
        about: Option<Box<About>>,
    },
    /// A copy waits for transfer.
    Queued {
        /// The connector.
        connector: String,
        /// Its priority.
        rank: Rank,
        /// Its number in the queue.
        sequence: u64,
        /// Its identifier.
        mts_identifier: MtsIdentifier,
        /// Length of the content, or of the APDU without content; octets.
        size: u64,
        /// Recipients that the next MTA becomes responsible for.
        recipients: u32,
    },
    /// A copy is no longer in a queue.
    Dequeued {
        /// The connector.
        connector: String,
        /// Its priority.
        rank: Rank,
        /// Its number in the queue.
        sequence: u64,
        /// Its identifier in text form.
        mts_identifier: String,
        /// Length of the content, or of the APDU without content; octets.
        size: u64,
        /// Recipients that were left to the next MTA.
        recipients: u32,
        /// How it left.
        why: Departure,
        /// What it is.
        kind: Kind,
        /// Of what was transferred: who sent it, and to whom; if there is message tracking.
        about: Option<Box<About>>,
    },
    /// An operator holds a copy, which belongs to the queue of this connector.
    Held {
        /// The connector.
        connector: String,
    },
    /// A copy of the queue of this connector is held no more.
    HeldNoMore {
        /// The connector.
        connector: String,
    },
    /// A message was transferred in 1984 P1, which left out some of it.
    Downgraded {
        /// The connector.
        connector: String,
        /// Its identifier in text form.
        mts_identifier: String,
    },
    /// A transfer failed and will be repeated.
    TransferRetry {
        /// The connector.
        connector: String,
        /// Its identifier in text form.
        mts_identifier: String,
        /// Failed transfers that count against the limit.
        attempts: u32,
        /// What happened.
        text: String,
    },
    /// Another connector was chosen after one was given up.
    Rerouted {
        /// Its identifier.
        mts_identifier: MtsIdentifier,
        /// The connector given up.
        from: String,
        /// The connector chosen.
        to: String,
    },
    /// Something is in a mailbox.
    Delivered {
        /// What it is: a message or a report.
        kind: Kind,
        /// The address, in text form.
        mailbox: String,
        /// Its number in the mailbox.
        sequence: u64,
        /// Its identifier.
        mts_identifier: MtsIdentifier,
        /// Length of the content, or of the APDU of a report; octets.
        size: u64,
    },
    /// Another recipient was chosen in place of one.
    Redirected {
        /// The message or probe.
        mts_identifier: MtsIdentifier,
        /// The recipient before, in text form.
        from: String,
        /// The recipient from now on, in text form.
        to: String,
        /// Why.
        reason: RedirectionReason,
    },
    /// A distribution list was expanded; its members are recipients of messages in the work queue.
    Expanded {
        /// The message.
        mts_identifier: MtsIdentifier,
        /// The list, in text form.
        list: String,
        /// Members who get it.
        members: u32,
    },
    /// A message reached a distribution list a second time by way of its members; nobody gets it twice.
    ExpansionLoop {
        /// The message.
        mts_identifier: MtsIdentifier,
        /// The list, in text form.
        list: String,
    },
    /// A report on members of a distribution list was passed on, to the originator of the message (or the list before
    /// this one) or to the owner of the list.
    ReportPassedOn {
        /// The report.
        mts_identifier: MtsIdentifier,
        /// The list, in text form.
        list: String,
        /// Its new destination, in text form.
        to: String,
    },
    /// A recipient can't be reached; a report says so if one was asked for.
    NonDelivered {
        /// The message or probe.
        mts_identifier: MtsIdentifier,
        /// The recipient, in text form.
        recipient: String,
        /// Reason.
        reason: NonDeliveryReasonCode,
        /// Diagnostic.
        diagnostic: NonDeliveryDiagnosticCode,
        /// What happened, for people.
        text: String,
    },
    /// A report was made; it is in the work queue now.
    ReportMade {
        /// The identifier of the report.
        mts_identifier: MtsIdentifier,
        /// The message or probe it is about.
        subject: MtsIdentifier,
        /// Recipients reported as delivered.
        delivered: u32,
        /// Recipients reported as not delivered.
        non_delivered: u32,
    },
    /// Something was dropped for good.
    Discarded {
        /// What it was.
        kind: Kind,
        /// Its identifier.
        mts_identifier: MtsIdentifier,
        /// Why.
        why: Discard,
    },
    /// The domain in the identifier is not the domain of the first trace element. The item goes on.
    SubmittingDomainInconsistent {
        /// Its identifier.
        mts_identifier: MtsIdentifier,
        /// The domain of the first trace element.
        traced: GlobalDomainIdentifier,
    },
    /// A record could not be understood and was put aside, whole.
    Quarantined {
        /// Its key in [`crate::record::QUARANTINE`].
        key: Vec<u8>,
        /// What is wrong with it.
        why: String,
    },
}

/// How a copy left an outbound queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The next MTA has it.
    Transferred,
    /// It goes back to the work queue: another connector, or a report.
    GivenUp,
    /// It was too old.
    Expired,
    /// An operator deleted it.
    Deleted,
    /// An operator holds it.
    Held,
    /// An operator put it into another queue, or to another place in this one.
    Moved,
}

/// Why something was dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    /// No recipient is marked as this MTA's responsibility.
    #[error("no recipient is marked as this MTA's responsibility")]
    NoResponsibility,
    /// A message or probe whose originator is barred on the link that it came in over.
    #[error("its originator is barred on the link that it came in over")]
    Barred,
    /// A report whose destination can't be reached; a report never makes a report.
    #[error("its destination can't be reached: {0}")]
    Unroutable(String),
    /// A report that came back.
    #[error("it came back")]
    Loop,
    /// A report that was too old.
    #[error("it was too old")]
    Expired,
    /// A report on a member of a distribution list which passes reports on to nobody.
    #[error("distribution list {0} passes it on to nobody")]
    Absorbed(String),
    /// An operator did not want it to go on.
    #[error("an operator deleted it")]
    Deleted,
    /// A report the originator did not ask for: it ends at the originating MTA.
    #[error("its originator did not ask for it")]
    NotRequested,
}
