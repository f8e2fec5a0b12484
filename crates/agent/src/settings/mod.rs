//! What the operator decides, as plain data.
//!
//! Field names, units and defaults are those of the configuration file. [`AgentSettings::validate`] finds every
//! problem at once; reading a file is the business of the program, not of this crate.

mod connector;
mod host;
mod list;
mod redirect;
mod restriction;
mod schedule;
mod secret;
mod selector;
mod validate;
mod validate_recipients;
mod validate_restrictions;

use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName, OrAddress};

pub use connector::{
    Activation, AddressSpaceEntry, AssociationSettings, BindErrorCoding, Conformance, ConnectorSettings,
    FormSettings, HoldSettings, RetrySettings, RtsSettings, TransferTimeouts,
};
pub use host::{DEFAULT_PORT, HostError, split_host};
pub use list::{DistributionList, Members};
pub use redirect::{Redirect, RedirectFrom, RedirectionClass};
pub use restriction::{DeliveryRestriction, LinkRestrictions, Originators, RelayTo, WhenBarred};
pub use schedule::{Schedule, ScheduleError};
pub use secret::Secret;
pub use selector::{CallSelectors, SelectorError, Selectors, ServedSelectors, parse_selector, selector_text};
pub use validate::SettingsProblem;

/// Everything the agent is configured with.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSettings {
    /// The MTA itself.
    pub mta: MtaSettings,
    /// Its links to adjacent MTAs, in the order of the file.
    pub connectors: Vec<ConnectorSettings>,
    /// Distribution lists that are expanded here; at most 4096.
    pub lists: Vec<DistributionList>,
    /// Recipients in whose place somebody else receives, the most particular first: an address goes before patterns,
    /// and of two patterns the first of the file; at most 100000, of them 256 patterns.
    pub redirections: Vec<Redirect>,
    /// Who may send to mailboxes here; the first that matches counts; at most 256. Default: everybody.
    pub restrictions: Vec<DeliveryRestriction>,
}

impl AgentSettings {
    /// An MTA with these connectors, and without distribution lists, redirections and
    /// restrictions.
    pub fn new(mta: MtaSettings, connectors: Vec<ConnectorSettings>) -> Self {
        AgentSettings {
            mta,
            connectors,
            lists: Vec::new(),
            redirections: Vec::new(),
            restrictions: Vec::new(),
        }
    }

    /// The connector with this name.
    pub fn connector(&self, name: &str) -> Option<&ConnectorSettings> {
        self.connectors.iter().find(|connector| connector.name == name)
    }

    /// Every problem, in the order of the file; empty when the settings can be used.
    pub fn validate(&self) -> Vec<SettingsProblem> {
        validate::problems(self)
    }
}

/// The MTA itself: its identity, what it delivers and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct MtaSettings {
    /// Name in the bind and in internal trace information; 1 to 32 characters.
    pub name: MtaName,
    /// Password for binds to and from connectors that have no `local_password`; at most 64 characters. Default none.
    pub password: Option<Secret>,
    /// The management domain that this MTA belongs to, as written in trace information and MTS-identifiers.
    pub domain: GlobalDomainIdentifier,
    /// Our own addresses as peers have to call them; at most 64. Default none: whatever is called is served.
    pub served_selectors: Vec<ServedSelectors>,
    /// Other MTAs of the domain are reached through other domains as well, so that a message which comes back to the
    /// domain has not necessarily come back to this MTA. Default false.
    pub shared_domain: bool,
    /// Address spaces delivered here. May be empty for an MTA which only relays.
    pub local: Vec<AddressPattern>,
    /// `None` (default): every address in `local` is a mailbox. `Some`: only these, the rest of `local` is unknown.
    pub mailboxes: Option<Vec<OrAddress>>,
    /// Who receives what is addressed to a local address without mailbox, if the originator allows an alternate
    /// recipient (X.411 recipient-MD-assigned-alternate-recipient). Default none: it is non-delivered.
    pub dead_letter: Option<OrAddress>,
    /// Longest content that a non-delivery report returns if the originator wants it back, in KB of 1024 octets; 0
    /// to 1024, 0 for none. Default 64.
    pub return_content_kb: u32,
    /// Longest content accepted, in KB of 1024 octets; at least 1. Default no limit.
    pub message_size_limit_kb: Option<u64>,
    /// How long a message may stay in the MTS.
    pub message_timeout: MessageTimeouts,
    /// Most trace elements on a message that is still passed on; 1 to 512. Default 512.
    pub hop_limit: u32,
    /// For how many days a transfer is remembered, so that its repetition is recognised; 1 to 365. Default 15.
    pub duplicate_history_days: u32,
    /// For how many days message tracking keeps what became of a message; 0 to 365, 0 for no tracking. Default 7.
    pub tracking_days: u32,
    /// Most records that message tracking keeps, the oldest go first; 1000 to 100 million. Default 2 million.
    pub tracking_entries: u32,
    /// Whether message tracking keeps the subjects of messages. Default true.
    pub tracking_subjects: bool,
    /// Most recipients of one message; 1 to 32767. Default 32767.
    pub max_recipients: u32,
    /// Of several connectors for an address, look at the cost before whether they fail. Default false.
    pub least_cost_only: bool,
}

impl MtaSettings {
    /// An MTA with the defaults of every setting that has one, delivering nothing.
    pub fn new(name: MtaName, domain: GlobalDomainIdentifier) -> Self {
        MtaSettings {
            name,
            password: None,
            domain,
            served_selectors: Vec::new(),
            shared_domain: false,
            local: Vec::new(),
            mailboxes: None,
            dead_letter: None,
            return_content_kb: MtaSettings::DEFAULT_RETURN_CONTENT_KB,
            message_size_limit_kb: None,
            message_timeout: MessageTimeouts::default(),
            hop_limit: MtaSettings::DEFAULT_HOP_LIMIT,
            duplicate_history_days: MtaSettings::DEFAULT_DUPLICATE_HISTORY_DAYS,
            tracking_days: MtaSettings::DEFAULT_TRACKING_DAYS,
            tracking_entries: MtaSettings::DEFAULT_TRACKING_ENTRIES,
            tracking_subjects: true,
            max_recipients: MtaSettings::DEFAULT_MAX_RECIPIENTS,
            least_cost_only: false,
        }
    }

    /// Default and upper bound of `hop_limit`.
    pub const DEFAULT_HOP_LIMIT: u32 = 512;
    /// Default of `duplicate_history_days`.
    pub const DEFAULT_DUPLICATE_HISTORY_DAYS: u32 = 15;
    /// Default of `tracking_days`.
    pub const DEFAULT_TRACKING_DAYS: u32 = 7;
    /// Default of `tracking_entries`.
    pub const DEFAULT_TRACKING_ENTRIES: u32 = 2_000_000;
    /// Default of `return_content_kb`.
    pub const DEFAULT_RETURN_CONTENT_KB: u32 = 64;
    /// Default and upper bound of `max_recipients`.
    pub const DEFAULT_MAX_RECIPIENTS: u32 = 32_767;
}

/// Age at which a message is non-delivered, by priority, counted from its arrival or its deferred delivery time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageTimeouts {
    /// Urgent messages, minutes; 1 to 65536. Default 2880 (2 days).
    pub urgent_min: u32,
    /// Normal messages and reports, minutes; 1 to 65536. Default 10080 (7 days).
    pub normal_min: u32,
    /// Non-urgent messages, minutes; 1 to 65536. Default 14400 (10 days).
    pub non_urgent_min: u32,
}

impl Default for MessageTimeouts {
    fn default() -> Self {
        MessageTimeouts { urgent_min: 2_880, normal_min: 10_080, non_urgent_min: 14_400 }
    }
}
