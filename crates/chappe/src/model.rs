//! The HTTP API's JSON, as the service writes it and the command line reads it.
//!
//! These types are the contract with every client; what the runtime and the agent call things may change behind
//! them. Addresses are in the text form of RFC 1685, times in RFC 3339, sizes in octets.

mod mailbox;
mod queue;
mod settings;
mod status;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use mailbox::{
    DeliveredMessage, DeliveredReport, Mailbox, MailboxContent, MailboxItem, MailboxPage, Outcome, Part,
    ReportedRecipient,
};
pub(crate) use queue::{
    Operated, OperatedCopy, OutOfQuarantine, QuarantineItem, Queue, QueueChange, QueuedMessage,
};
pub(crate) use settings::{
    ConfigProblem, ConfigReloaded, ConfigReplaced, ConfigText, ConfigVerdict, Connecting,
    ConnectorSettingsPages, Route, RouteComparison, Setting, SettingsPage,
};
pub(crate) use status::{Held, Holder, Resources, Status, StatusInfo};

/// Answer to every request that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ErrorBody {
    /// The failure.
    pub(crate) error: ErrorText,
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ErrorText {
    /// What failed.
    pub(crate) what: String,
    /// Why, and what to do.
    pub(crate) why: String,
}

/// Whether all is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Health {
    /// `ready`, `degraded` or `stopping`.
    pub(crate) condition: String,
    /// What is not well; only told to those who may know.
    pub(crate) reasons: Vec<String>,
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Session {
    /// Name of the token, or what the client says of itself where none is asked for.
    pub(crate) name: String,
    /// `viewer`, `operator` or `administrator`.
    pub(crate) role: String,
    /// What tells who it is: `token`, `session` (the cookie), or `none`.
    pub(crate) how: String,
    /// How long the session goes on.
    pub(crate) expires_in_s: Option<u64>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// If there are more: what to give as `after` for the next page.
    pub(crate) next: Option<String>,
}

/// A message was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Submitted {
    /// Its MTS-identifier; if it has only blind copies, that of the first.
    pub(crate) mts_id: String,
    /// Octets of its content.
    pub(crate) content_octets: u64,
    /// The copies for blind copy recipients, which are messages of their own.
    #[serde(default)]
    pub(crate) blind_copies: Vec<BlindCopy>,
}

/// A copy for one blind copy recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BlindCopy {
    /// The recipient.
    pub(crate) recipient: String,
    /// The MTS-identifier of the copy.
    pub(crate) mts_id: String,
}

/// A probe was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Probed {
    /// Its MTS-identifier.
    pub(crate) mts_id: String,
}

/// A link monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Monitor {
    /// Its name.
    pub(crate) name: String,
    /// Who sends.
    pub(crate) from: String,
    /// Where the path ends.
    pub(crate) to: String,
    /// `probe` or `message`.
    pub(crate) kind: String,
    /// How often something is sent, seconds.
    pub(crate) every_s: u64,
    /// After how many seconds an answer is late.
    pub(crate) late_after_s: u64,
    /// After how many seconds that is an alarm.
    pub(crate) alarm_after_s: u64,
    /// `waiting`, `on time`, `late` or `alarm`.
    pub(crate) state: String,
    /// When the oldest that needs an answer was sent.
    pub(crate) waiting_since: Option<String>,
    /// How many seconds ago that was.
    pub(crate) waiting_s: Option<u64>,
    /// How many are without an answer.
    pub(crate) unanswered: u64,
    /// When something was sent last.
    pub(crate) last_sent: Option<String>,
    /// When an answer came last.
    pub(crate) last_answer: Option<String>,
    /// What that was.
    pub(crate) answer: Option<String>,
    /// How many seconds it had taken.
    pub(crate) round_trip_s: Option<u64>,
    /// Seconds until something is sent again.
    pub(crate) next_in_s: u64,
    /// Why the last could not be sent, or came back from this very MTA.
    pub(crate) problem: Option<String>,
    /// When answers were late, the newest first; at most 20 are remembered.
    #[serde(default)]
    pub(crate) late: Vec<LateSpell>,
}

/// A time in which a link monitor had no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LateSpell {
    /// When what had no answer was sent.
    pub(crate) since: String,
    /// When an answer came again; none while it goes on.
    pub(crate) until: Option<String>,
    /// How many seconds it was from the one to the other.
    pub(crate) lasted_s: Option<u64>,
    /// Whether it became an alarm.
    pub(crate) alarm: bool,
}

/// One connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Connector {
    /// Name.
    pub(crate) name: String,
    /// Name of the remote MTA.
    pub(crate) remote_mta: String,
    /// Further names that it may give.
    pub(crate) remote_mta_aliases: Vec<String>,
    /// Selectors that are called.
    pub(crate) called_selectors: Selectors,
    /// Our own selectors on this link.
    pub(crate) calling_selectors: Selectors,
    /// Hosts in the order in which they are tried.
    pub(crate) hosts: Vec<String>,
    /// State.
    pub(crate) state: String,
    /// Open associations.
    pub(crate) associations: u64,
    /// Messages waiting.
    pub(crate) waiting: u64,
    /// Failed opens in a row.
    pub(crate) consecutive_failures: u32,
    /// Seconds until the next attempt after a failure.
    pub(crate) retry_in_s: Option<u64>,
    /// When that is.
    #[serde(default)]
    pub(crate) next_retry: Option<String>,
    /// Why the last attempt failed.
    pub(crate) last_failure: Option<String>,
    /// Since when no association could be opened.
    pub(crate) failing_since: Option<String>,
    /// Attempts that failed since then.
    pub(crate) failed_attempts: u64,
    /// How many failed opens in a row a message waits for.
    pub(crate) max_open_retries: u32,
    /// What has passed the link.
    #[serde(default)]
    pub(crate) traffic: Traffic,
    /// What its associations hold.
    pub(crate) held: Held,
    /// Address spaces with their costs.
    pub(crate) address_spaces: Vec<String>,
}

/// What has passed a link since the start of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Traffic {
    /// Messages, probes and reports transferred in.
    pub(crate) messages_in: u64,
    /// Messages, probes and reports transferred out.
    pub(crate) messages_out: u64,
    /// Octets of what was transferred in.
    pub(crate) octets_in: u64,
    /// Octets of what was transferred out.
    pub(crate) octets_out: u64,
    /// Recipients for whom this MTA became responsible.
    pub(crate) recipients_in: u64,
    /// Recipients for whom the next MTA became responsible.
    pub(crate) recipients_out: u64,
    /// Associations that the peer opened.
    pub(crate) associations_in: u64,
    /// Associations that this MTA opened.
    pub(crate) associations_out: u64,
    /// Times that it could not open one.
    pub(crate) failed_opens: u64,
    /// When something was last transferred.
    pub(crate) last_transfer: Option<String>,
    /// When an association was last opened.
    pub(crate) last_association: Option<String>,
}

/// Selectors as they are written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Selectors {
    /// Transport selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<String>,
    /// Session selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// Presentation selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) presentation: Option<String>,
}

/// One association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Association {
    /// Number in this process.
    pub(crate) id: u64,
    /// Connector, once known.
    pub(crate) connector: Option<String>,
    /// Address of the peer.
    pub(crate) peer: String,
    /// `initiator` or `responder`.
    pub(crate) role: String,
    /// What it is doing.
    pub(crate) state: String,
    /// `monologue` or `two-way-alternate`.
    pub(crate) dialogue: Option<String>,
    /// Agreed checkpoint size.
    pub(crate) checkpoint_size_kb: Option<u32>,
    /// Agreed window.
    pub(crate) window_size: Option<u32>,
    /// When it was made.
    pub(crate) since: String,
    /// Transferred in.
    pub(crate) received: u64,
    /// Transferred out.
    pub(crate) sent: u64,
    /// Octets received on the connection, of all layers.
    #[serde(default)]
    pub(crate) octets_in: u64,
    /// Octets sent on it.
    #[serde(default)]
    pub(crate) octets_out: u64,
    /// How its layers stand, from transport to RTSE; empty until there is a connection.
    #[serde(default)]
    pub(crate) layers: Vec<AssociationLayer>,
}

/// One layer of an association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AssociationLayer {
    /// `transport`, `session`, `presentation`, `ACSE` or `RTSE`.
    pub(crate) layer: String,
    /// What its protocol machine is doing, in words.
    pub(crate) state: String,
    /// What it has settled with the peer, as far as it has.
    pub(crate) settled: Vec<SettledValue>,
}

/// Something that two ends have settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SettledValue {
    /// What it is.
    pub(crate) name: String,
    /// In words.
    pub(crate) value: String,
}

/// What is recorded of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Recording {
    /// Number of the association.
    pub(crate) association: u64,
    /// Connector, if it became known.
    pub(crate) connector: Option<String>,
    /// `initiator` or `responder`.
    pub(crate) role: String,
    /// Our end.
    pub(crate) local: String,
    /// The peer's end.
    pub(crate) peer: String,
    /// When it was made.
    pub(crate) began: String,
    /// When it ended.
    pub(crate) ended: Option<String>,
    /// TPDUs at hand.
    pub(crate) tpdus: u64,
    /// Memory that they take.
    pub(crate) octets: u64,
    /// TPDUs that are lost.
    pub(crate) lost_tpdus: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Event {
    /// Number since the start of the service.
    pub(crate) number: u64,
    /// When.
    pub(crate) time: String,
    /// `information`, `warning` or `error`.
    pub(crate) severity: String,
    /// What kind of event.
    pub(crate) kind: String,
    /// Number of the Exchange MTA's event, if it has such a one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exchange_id: Option<u16>,
    /// What part of the MTA it is about.
    pub(crate) category: String,
    /// How often it has happened, if it was repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    /// When it happened first, if it was repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    /// Connector or peer concerned.
    #[serde(default)]
    pub(crate) subject: String,
    /// What happened and why.
    pub(crate) text: String,
}

/// What one kind of event means, in the words of `docs/events.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EventHelp {
    /// The kind.
    pub(crate) kind: String,
    /// Number of the Exchange MTA's event, if it has such a one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exchange_id: Option<u16>,
    /// What part of the MTA it is about.
    pub(crate) category: String,
    /// `information`, `warning` or `error`.
    pub(crate) severity: String,
    /// What has happened.
    pub(crate) meaning: String,
    /// What makes it happen.
    pub(crate) cause: String,
    /// What an operator does about it.
    pub(crate) to_do: String,
}

/// What became of a message, and of the reports on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tracking {
    /// Its MTS-identifier.
    pub(crate) mts_id: String,
    /// What happened, in order.
    pub(crate) items: Vec<Tracked>,
    /// Whether more happened.
    pub(crate) cut: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tracked {
    /// When.
    pub(crate) time: String,
    /// Number of the event in the tracking log of Exchange.
    pub(crate) event_id: Option<u16>,
    /// The event.
    pub(crate) event: String,
    /// To what.
    pub(crate) mts_id: String,
    /// Of a report: what it is about.
    pub(crate) subject_mts_id: Option<String>,
    /// The connector concerned.
    pub(crate) connector: Option<String>,
    /// Who sent it.
    pub(crate) originator: Option<String>,
    /// The first recipients concerned.
    pub(crate) recipients: Vec<String>,
    /// How many there are.
    pub(crate) recipient_count: u32,
    /// `urgent`, `normal` or `non-urgent`.
    pub(crate) priority: Option<String>,
    /// Octets of content.
    pub(crate) size: Option<u64>,
    /// The subject of a message that came in or was submitted, if it is kept and the caller may see it.
    #[serde(default)]
    pub(crate) subject: Option<String>,
    /// What else there is to say.
    pub(crate) text: Option<String>,
}

/// A message on its way, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Envelope {
    /// Number of the copy.
    pub(crate) number: u64,
    /// `message`, `probe` or `report`.
    pub(crate) kind: String,
    /// The first 1000 recipients; of a report none.
    pub(crate) recipients: Vec<EnvelopeRecipient>,
    /// The way that it has come; the last one is this MTA.
    pub(crate) hops: Vec<Hop>,
    /// Its content, if there is one and the caller may see it.
    pub(crate) content: Option<DeliveredMessage>,
    /// Every field by its name in X.411.
    pub(crate) tree: Field,
}

/// A recipient as the envelope names him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EnvelopeRecipient {
    /// His number in the message.
    pub(crate) number: i64,
    /// His address.
    pub(crate) address: String,
    /// Whether this copy is for him.
    pub(crate) responsible: bool,
    /// What the originator wants to be told: `none`, `non-delivery` or `delivery`.
    pub(crate) report: String,
}

/// A domain, or an MTA of a domain, that a message has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Hop {
    /// The MTA, if it is known.
    pub(crate) mta: Option<String>,
    /// The domain.
    pub(crate) domain: String,
    /// When the message came there.
    pub(crate) arrival: String,
    /// What was done there besides passing it on.
    pub(crate) actions: Vec<String>,
}

impl Hop {
    /// One where nothing was done.
    pub(crate) fn new(mta: Option<String>, domain: String, arrival: String) -> Hop {
        Hop { mta, domain, arrival, actions: Vec::new() }
    }
}

/// A decoded field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: String,
    /// Its value in words.
    pub(crate) value: Option<String>,
    /// Its members.
    pub(crate) children: Vec<Field>,
}
