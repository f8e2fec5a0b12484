//! What the agent keeps in the spool: record types, the spaces they live in and their keys.
//!
//! A value is a format version octet followed by the record in postcard encoding. A version once released stays
//! readable: a changed record gets a new version number, and [`Record::decode`] goes on to accept the old one.
//! Addresses and envelopes inside records are the octets of P1, so their format can't change with the program.

pub(crate) mod codec;
mod key;
mod tried;
mod tries;

use clock::WallTime;
use mhs::p1::Priority;
use serde::{Deserialize, Serialize};
use spool::{BodyId, Space};

pub use codec::{Record, RecordError};
pub use key::{
    DuplicateAgeKey, HeldKey, MailboxKey, OutboundKey, ParkedKey, TrackKey, WorkKey, held_prefix,
    mailbox_prefix, outbound_prefix, track_digest, track_hour_end,
};
pub use tried::{TriedRecord, WhetherTold};
pub use tries::Tries;

/// Accepted and not yet processed. Key: [`WorkKey`]; value: [`WorkRecord`].
pub const WORK: Space = Space(1);
/// Waiting for transfer. Key: [`OutboundKey`]; value: [`OutboundRecord`].
pub const OUTBOUND: Space = Space(2);
/// Delivered. Key: [`MailboxKey`]; value: [`MailboxRecord`].
pub const MAILBOX: Space = Space(3);
/// Transfers already accepted. Key: 32 octets of digest; value: none.
pub const DUPLICATE: Space = Space(4);
/// The same by age, so that they can be forgotten in order. Key: [`DuplicateAgeKey`]; value: none.
pub const DUPLICATE_AGE: Space = Space(5);
/// Records which could not be understood, with the value they had; never deleted by the agent. Key: octet of the
/// space they were in, then the key they had there.
pub const QUARANTINE: Space = Space(6);
/// Small facts about the data directory itself; owned by the runtime.
pub const META: Space = Space(7);
/// Where the transfer of a queued item was interrupted. Key: that of the item in [`OUTBOUND`], with which it goes at
/// the latest; value: a record of the runtime, which alone knows associations.
pub const RESUME: Space = Space(8);
/// Transfers in that were interrupted, over a restart. Key: [`ParkedKey`]; value: a record of the runtime, which may
/// hold a reference to a body.
pub const PARKED: Space = Space(9);
/// Message tracking. Key: [`TrackKey`]; value: [`crate::TrackRecord`].
pub const TRACK: Space = Space(10);
/// What an operator has taken out of its queue for a while; nothing looks at it until it is released. Key: [`HeldKey`];
/// value: the record as it was in its queue.
pub const HELD: Space = Space(11);
/// Queues that an operator has frozen: nothing is transferred from them. Key: the name of the connector; value: none.
pub const FROZEN: Space = Space(12);

/// What went wrong in the handling of an item, and whether it is in hand in a process that may die of it. Key: octet of the
/// space that it is in, key that it has there, also when it is in [`QUARANTINE`]; value: [`TriedRecord`].
pub const TRIED: Space = Space(13);

/// Priority of a queue entry: lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// Urgent messages, reports and probes: 0.
    Urgent,
    /// Normal messages: 1.
    Normal,
    /// Non-urgent messages: 2.
    NonUrgent,
}

impl Rank {
    /// All, in order.
    pub const ALL: [Rank; 3] = [Rank::Urgent, Rank::Normal, Rank::NonUrgent];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Rank::Urgent => "urgent",
            Rank::Normal => "normal",
            Rank::NonUrgent => "non-urgent",
        }
    }

    /// The octet in keys.
    pub const fn octet(self) -> u8 {
        match self {
            Rank::Urgent => 0,
            Rank::Normal => 1,
            Rank::NonUrgent => 2,
        }
    }

    /// The rank of an octet in a key.
    pub const fn from_octet(octet: u8) -> Option<Rank> {
        match octet {
            0 => Some(Rank::Urgent),
            1 => Some(Rank::Normal),
            2 => Some(Rank::NonUrgent),
            _ => None,
        }
    }

    /// The rank of a message with this priority; an unknown priority counts as normal.
    pub fn of(priority: Priority) -> Rank {
        match priority {
            Priority::Urgent => Rank::Urgent,
            Priority::Normal | Priority::Other(_) => Rank::Normal,
            Priority::NonUrgent => Rank::NonUrgent,
        }
    }
}

/// A message, report or probe as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A message: its envelope here, its content in a body of the spool.
    Message {
        /// Encoded message transfer envelope (the SET).
        envelope: Vec<u8>,
        /// The content octets. A record holds one reference.
        #[serde(with = "codec::body")]
        body: BodyId,
        /// Length of the content, octets.
        content_length: u64,
    },
    /// A report.
    Report {
        /// The complete encoded MTS-APDU.
        apdu: Vec<u8>,
    },
    /// A probe.
    Probe {
        /// The complete encoded MTS-APDU.
        apdu: Vec<u8>,
    },
}

impl Item {
    /// `message`, `report` or `probe`.
    pub fn kind(&self) -> &'static str {
        match self {
            Item::Message { .. } => "message",
            Item::Report { .. } => "report",
            Item::Probe { .. } => "probe",
        }
    }

    /// Length of the content of a message, of the APDU of a report or probe; octets.
    pub fn size(&self) -> u64 {
        match self {
            Item::Message { content_length, .. } => *content_length,
            Item::Report { apdu } | Item::Probe { apdu } => u64::try_from(apdu.len()).unwrap_or(u64::MAX),
        }
    }
}

/// Where an item came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Submitted here by a user.
    Submission,
    /// Transferred in over the connector of this name.
    Connector(String),
    /// Made by this MTA: a report.
    Agent,
}

impl Source {
    /// The connector it came in on.
    pub fn connector(&self) -> Option<&str> {
        match self {
            Source::Connector(name) => Some(name),
            Source::Submission | Source::Agent => None,
        }
    }
}

/// Why an item could not go where it was sent; kept so that a non-delivery report can say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Non-delivery reason code (X.411).
    pub reason: i64,
    /// Non-delivery diagnostic code (X.411).
    pub diagnostic: i64,
    /// For people: what happened.
    pub text: String,
}

/// An item that this MTA is responsible for and has not processed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRecord {
    /// What it is.
    pub item: Item,
    /// Where it came from.
    pub source: Source,
    /// When this MTA took responsibility for it.
    #[serde(with = "codec::wall")]
    pub arrived: WallTime,
    /// Connectors which were tried and given up.
    pub exhausted: Vec<String>,
    /// Why the last of them was given up.
    pub failure: Option<Failure>,
    /// Connectors over which this copy was to go, and how often each of them could not be opened meanwhile; the one it
    /// has come from last.
    pub tries: Tries,
}

impl WorkRecord {
    /// The connector in whose queue it was before, if it has come from one.
    pub fn left(&self) -> Option<&str> {
        self.tries.last().or_else(|| self.exhausted.last().map(String::as_str))
    }
}

/// An item waiting for transfer over one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundRecord {
    /// What is sent. Responsibility is set for the recipients of this hop only.
    pub item: Item,
    /// Where it came from.
    pub source: Source,
    /// When this MTA took responsibility for it.
    #[serde(with = "codec::wall")]
    pub arrived: WallTime,
    /// When it was put into this queue.
    #[serde(with = "codec::wall")]
    pub queued: WallTime,
    /// When it will be non-delivered if it is still here.
    #[serde(with = "codec::wall")]
    pub expires: WallTime,
    /// Transfers of it over this connector that have failed.
    pub attempts: u32,
    /// Its MTS-identifier in text form.
    pub mts_identifier: String,
    /// Originator, or destination of a report, in text form.
    pub originator: String,
    /// Content length of a message, length of the APDU of a report or probe; octets.
    pub size: u64,
    /// Recipients which the next MTA becomes responsible for.
    pub recipients: u32,
    /// Connectors which were tried and given up before this one.
    pub exhausted: Vec<String>,
    /// The last failed transfer.
    pub last_failure: Option<String>,
    /// Connectors over which this copy was to go before, and how often each of them could not be opened meanwhile.
    pub tries: Tries,
}

/// What was delivered to a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxRecord {
    /// The message or report.
    pub kind: MailboxItem,
    /// When.
    #[serde(with = "codec::wall")]
    pub delivered: WallTime,
    /// Its own MTS-identifier in text form.
    pub mts_identifier: String,
    /// The address it was delivered to, in text form.
    pub recipient: String,
}

/// A message or report in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailboxItem {
    /// A message.
    Message {
        /// Encoded message transfer envelope with the per-recipient fields which the recipient may see.
        envelope: Vec<u8>,
        /// The content octets. A record holds one reference.
        #[serde(with = "codec::body")]
        body: BodyId,
        /// Length of the content, octets.
        content_length: u64,
    },
    /// A delivery or non-delivery report.
    Report {
        /// The complete encoded MTS-APDU.
        apdu: Vec<u8>,
    },
}
