//! Queues, what is in them, and what was done to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The queue of one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Queue {
    /// Connector.
    pub(crate) connector: String,
    /// `frozen`, or the state of the connector.
    pub(crate) state: String,
    /// Messages, probes and reports in it; none while they are being counted.
    pub(crate) messages: Option<u64>,
    /// Their octets.
    pub(crate) octets: Option<u64>,
    /// Those beside them that an operator holds.
    pub(crate) held: Option<u64>,
    /// What earlier processes left is being counted.
    pub(crate) counting: bool,
    /// When the oldest was queued.
    pub(crate) oldest: Option<String>,
    /// Seconds until the next attempt after a failure.
    pub(crate) retry_in_s: Option<u64>,
    /// When that is.
    #[serde(default)]
    pub(crate) next_retry: Option<String>,
    /// Why the last attempt failed.
    pub(crate) last_failure: Option<String>,
}

/// One entry of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct QueuedMessage {
    /// Number, unique for ever in this MTA.
    pub(crate) number: u64,
    /// Connector whose queue it is in, or `work`.
    pub(crate) queue: String,
    /// `message`, `probe` or `report`.
    pub(crate) kind: String,
    /// MTS-identifier.
    pub(crate) mts_id: String,
    /// Originator, or destination of a report.
    pub(crate) originator: String,
    /// Recipients that this copy is for, the first 100 of them.
    pub(crate) recipients: Vec<String>,
    /// How many there are.
    pub(crate) recipient_count: u64,
    /// `urgent`, `normal` or `non-urgent`.
    pub(crate) priority: String,
    /// Octets of content.
    pub(crate) size: u64,
    /// When it was submitted.
    pub(crate) submitted: Option<String>,
    /// When this MTA took responsibility for it.
    pub(crate) received: String,
    /// When it was queued.
    pub(crate) queued: String,
    /// When it is given up.
    pub(crate) expires: Option<String>,
    /// Before when it is not delivered.
    #[serde(default)]
    pub(crate) deferred_until: Option<String>,
    /// Transfers of it that failed.
    pub(crate) attempts: u32,
    /// `waiting`, `retry`, `in transfer`, `deferred`, `pending reroute` or `held`.
    pub(crate) state: String,
    /// Seconds until it, or its connector, is tried again after a failure.
    pub(crate) next_try_in_s: Option<u64>,
    /// Why the last transfer failed.
    pub(crate) last_failure: Option<String>,
}

/// An operator's change to a queue was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct QueueChange {
    /// The connector.
    pub(crate) connector: String,
    /// False if it was so already.
    pub(crate) changed: bool,
}

/// Something in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct QuarantineItem {
    /// Its number.
    pub(crate) number: u64,
    /// The queue that it was in.
    pub(crate) queue: String,
    /// `message`, `report`, `probe`, or `record` if it can't be read.
    pub(crate) kind: String,
    /// Octets, if that is known.
    pub(crate) size: Option<u64>,
    /// When this MTA took responsibility for it.
    pub(crate) received: Option<String>,
    /// MTS-identifier, if it is known.
    pub(crate) mts_id: Option<String>,
    /// Originator, if he is known.
    pub(crate) originator: Option<String>,
    /// What happened.
    pub(crate) why: String,
    /// When that was.
    pub(crate) since: Option<String>,
    /// How often its handling has failed.
    pub(crate) failures: u32,
    /// How often the process has died with it in hand.
    pub(crate) deaths: u32,
    /// Whether a non-delivery report was made.
    pub(crate) told: bool,
}

/// Something has left the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OutOfQuarantine {
    /// The number that it had there.
    pub(crate) number: u64,
}

/// What became of an operation on some copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Operated {
    /// Each of them.
    pub(crate) items: Vec<OperatedCopy>,
    /// If there may be more: what to give as `after` to go on.
    pub(crate) next: Option<String>,
    /// Nothing was changed: it was only asked about.
    pub(crate) dry_run: bool,
}

/// What became of an operation on one copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OperatedCopy {
    /// Its number.
    pub(crate) number: u64,
    /// Connector whose queue it was in, or `work`.
    pub(crate) queue: String,
    /// `message`, `probe` or `report`.
    pub(crate) kind: String,
    /// MTS-identifier.
    pub(crate) mts_id: String,
    /// Originator, or destination of a report.
    pub(crate) originator: String,
    /// The first of its recipients.
    pub(crate) recipient: Option<String>,
    /// Whether it was done, or would be.
    pub(crate) done: bool,
    /// Why not.
    pub(crate) why: Option<String>,
}
