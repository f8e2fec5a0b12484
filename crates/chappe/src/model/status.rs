//! The MTA at a glance, and what is held of its resources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Amounts of what associations need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Held {
    /// Places of associations.
    pub(crate) slots: u64,
    /// Tasks that work for a peer.
    pub(crate) tasks: u64,
    /// Sockets to peers.
    pub(crate) sockets: u64,
    /// Deadlines that something waits for.
    pub(crate) timers: u64,
    /// Octets that wait to be sent or to be looked at.
    pub(crate) octets: u64,
}

/// What one connector holds, or all callers that have not bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Holder {
    /// Connector; none for callers that have not bound.
    pub(crate) connector: Option<String>,
    /// Held now.
    pub(crate) held: Held,
    /// The most that it ever held.
    pub(crate) peak: Held,
}

/// What is held, of what there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Resources {
    /// The budgets.
    pub(crate) limits: ResourceLimits,
    /// Held now by all together.
    pub(crate) total: Held,
    /// The most that they ever held together.
    pub(crate) peak: Held,
    /// Callers that have not bound.
    pub(crate) unbound: Holder,
    /// By connector.
    pub(crate) connectors: Vec<Holder>,
}

/// Budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ResourceLimits {
    /// Associations.
    pub(crate) slots: u64,
    /// Of these, what each connector has for itself.
    pub(crate) slots_reserved: u64,
    /// Buffered octets.
    pub(crate) octets: u64,
}

/// The MTA at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Status {
    /// Name and the like.
    pub(crate) info: StatusInfo,
    /// `ready`, `degraded` or `stopping`.
    pub(crate) condition: String,
    /// What is not well.
    pub(crate) reasons: Vec<String>,
    /// Connectors.
    pub(crate) connectors: u64,
    /// Of these, the ones that can't open associations.
    pub(crate) failing: u64,
    /// Associations.
    pub(crate) associations: u64,
    /// Messages in the queues of connectors; none while they are being counted.
    pub(crate) queued: Option<u64>,
    /// Their octets.
    pub(crate) queued_octets: Option<u64>,
    /// What earlier processes left is being counted.
    pub(crate) counting: bool,
    /// What associations hold.
    pub(crate) resources: Resources,
}

/// Who the MTA is and what it has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StatusInfo {
    /// MTA name.
    pub(crate) name: String,
    /// Global domain identifier.
    pub(crate) domain: String,
    /// Version of the program.
    pub(crate) version: String,
    /// When it was started.
    pub(crate) started: String,
    /// Why no new messages are accepted, if that is so.
    #[serde(default)]
    pub(crate) unhealthy: Option<String>,
    /// Counters since then.
    pub(crate) counters: std::collections::BTreeMap<String, u64>,
}
