//! What the runtime shows of itself: snapshots of what the engine holds, never of what it was told.

use agent::settings::{Selectors, selector_text};
use serde::Serialize;

/// One association, as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct AssociationStatus {
    /// Number of the association in this process.
    pub id: u64,
    /// Connector, once the bind has told it.
    pub connector: Option<String>,
    /// Address of the peer's end.
    pub peer: String,
    /// `initiator` if this MTA opened it, else `responder`.
    pub role: Role,
    /// What it is doing.
    pub state: AssociationState,
    /// `monologue` or `two-way-alternate`, once agreed.
    pub dialogue: Option<&'static str>,
    /// Agreed checkpoint size in units of 1,024 octets; 0 for none.
    pub checkpoint_size_kb: Option<u32>,
    /// Agreed window in checkpoints.
    pub window_size: Option<u32>,
    /// When the connection was made, RFC 3339.
    pub since: String,
    /// Messages, probes and reports transferred in.
    pub received: u64,
    /// Messages, probes and reports transferred out.
    pub sent: u64,
    /// Octets received on the connection, of all layers.
    pub octets_in: u64,
    /// Octets sent on it.
    pub octets_out: u64,
    /// How its layers stand, from transport to RTSE; empty until there is a connection.
    pub layers: Vec<LayerStatus>,
}

/// One layer of an association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerStatus {
    /// `transport`, `session`, `presentation`, `ACSE` or `RTSE`.
    pub layer: &'static str,
    /// What its protocol machine is doing, in words.
    pub state: &'static str,
    /// What it has settled with the peer, as far as it has.
    pub settled: Vec<SettledValue>,
}

/// Something that two ends have settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettledValue {
    /// What it is.
    pub name: &'static str,
    /// In words.
    pub value: String,
}

/// What the flight recorder has of one connection.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingStatus {
    /// Number of the association.
    pub association: u64,
    /// Connector, if it became known.
    pub connector: Option<String>,
    /// `initiator` if this MTA opened it, else `responder`.
    pub role: Role,
    /// Our end.
    pub local: String,
    /// The peer's end.
    pub peer: String,
    /// When the connection was made, RFC 3339.
    pub began: String,
    /// When it ended, RFC 3339, if it has.
    pub ended: Option<String>,
    /// TPDUs at hand.
    pub tpdus: u64,
    /// Memory that they take, in octets.
    pub octets: u64,
    /// TPDUs that are lost, between what opened the association and the oldest of the others.
    pub lost_tpdus: u64,
}

/// Which end of an association this MTA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// This MTA opened the association.
    Initiator,
    /// The peer opened it.
    Responder,
}

/// What an association is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssociationState {
    /// Connecting or binding.
    Opening,
    /// Bound; nothing is being transferred.
    Idle,
    /// Waiting for the turn.
    AwaitingTurn,
    /// Transferring out.
    Sending,
    /// Transferring in.
    Receiving,
    /// Being closed or aborted.
    Closing,
}

/// The queue of one connector.
#[derive(Clone, Debug, Serialize)]
pub struct QueueStatus {
    /// Connector.
    pub connector: String,
    /// `frozen`, or the state of the connector in the words of [`ConnectorStatus::state`].
    pub state: String,
    /// Messages, probes and reports in the queue, those being transferred included; none while it is being counted.
    pub messages: Option<u64>,
    /// Their octets.
    pub octets: Option<u64>,
    /// Messages, probes and reports beside these that an operator holds; none until they are counted.
    pub held: Option<u64>,
    /// What earlier processes left is being counted. The queue is worked on meanwhile.
    pub counting: bool,
    /// When the oldest of them was queued, RFC 3339.
    pub oldest: Option<String>,
    /// Seconds until the connector tries again, when it waits after a failure.
    pub retry_in_s: Option<u64>,
    /// Why the last attempt failed.
    pub last_failure: Option<String>,
}

/// How a link monitor stands.
#[derive(Clone, Debug, Serialize)]
pub struct MonitorStatus {
    /// Its name.
    pub name: String,
    /// Who sends.
    pub from: String,
    /// Where the path ends.
    pub to: String,
    /// `probe` or `message`.
    pub kind: String,
    /// How often something is sent, seconds.
    pub every_s: u64,
    /// After how many seconds an answer is late.
    pub late_after_s: u64,
    /// After how many seconds that is an alarm.
    pub alarm_after_s: u64,
    /// `waiting` (nothing was answered so far), `on time`, `late` or `alarm`.
    pub state: String,
    /// When the oldest that needs an answer was sent, RFC 3339; none if everything is answered.
    pub waiting_since: Option<String>,
    /// How many seconds ago that was.
    pub waiting_s: Option<u64>,
    /// How many are without an answer.
    pub unanswered: usize,
    /// When something was sent last, RFC 3339.
    pub last_sent: Option<String>,
    /// When an answer came last, RFC 3339.
    pub last_answer: Option<String>,
    /// What that was: `delivery report`, `non-delivery report` or `reply`.
    pub answer: Option<String>,
    /// How many seconds it had taken.
    pub round_trip_s: Option<u64>,
    /// Seconds until something is sent again.
    pub next_in_s: u64,
    /// Why the last could not be sent, or came back from this very MTA.
    pub problem: Option<String>,
    /// When answers were late, the newest first; at most 20 are remembered.
    pub late: Vec<LateSpell>,
}

/// A time in which a link monitor had no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LateSpell {
    /// When what had no answer was sent, RFC 3339.
    pub since: String,
    /// When an answer came again, RFC 3339; none while it goes on.
    pub until: Option<String>,
    /// How many seconds it was from the one to the other.
    pub lasted_s: Option<u64>,
    /// Whether it became an alarm.
    pub alarm: bool,
}

/// One entry of a queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueuedMessage {
    /// Number, unique for ever in this MTA: what `message show` takes.
    pub number: u64,
    /// Connector whose queue it is in, or `work` for the work queue.
    pub queue: String,
    /// `message`, `probe` or `report`.
    pub kind: &'static str,
    /// MTS-identifier.
    pub mts_id: String,
    /// Originator (of a report: its destination).
    pub originator: String,
    /// Recipients that this copy is for, at most 100 of them.
    pub recipients: Vec<String>,
    /// How many there are.
    pub recipient_count: usize,
    /// `urgent`, `normal` or `non-urgent`.
    pub priority: &'static str,
    /// Octets of content.
    pub size: u64,
    /// When it was submitted, by its trace; RFC 3339.
    pub submitted: Option<String>,
    /// When this MTA took responsibility for it, RFC 3339.
    pub received: String,
    /// When it was queued here, RFC 3339.
    pub queued: String,
    /// When it is given up, RFC 3339; none in the work queue.
    pub expires: Option<String>,
    /// Not delivered before this time, RFC 3339, if the originator wished so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred_until: Option<String>,
    /// Transfers of it that failed.
    pub attempts: u32,
    /// What it is waiting for.
    pub state: CopyState,
    /// Seconds until it, or its connector, is tried again after a failure.
    pub next_try_in_s: Option<u64>,
    /// Why the last transfer failed.
    pub last_failure: Option<String>,
}

/// What a copy in a queue is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum CopyState {
    /// Its turn.
    #[serde(rename = "waiting")]
    Waiting,
    /// The time of its next transfer, after one that failed.
    #[serde(rename = "retry")]
    Retry,
    /// The end of its transfer.
    #[serde(rename = "in transfer")]
    InTransfer,
    /// A time that its originator wished.
    #[serde(rename = "deferred")]
    Deferred,
    /// In the work queue: another way than the one from which it has come back.
    #[serde(rename = "pending reroute")]
    PendingReroute,
    /// An operator, to release it.
    #[serde(rename = "held")]
    Held,
}

impl CopyState {
    /// All.
    pub const ALL: [CopyState; 6] = [
        CopyState::Waiting,
        CopyState::Retry,
        CopyState::InTransfer,
        CopyState::Deferred,
        CopyState::PendingReroute,
        CopyState::Held,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            CopyState::Waiting => "waiting",
            CopyState::Retry => "retry",
            CopyState::InTransfer => "in transfer",
            CopyState::Deferred => "deferred",
            CopyState::PendingReroute => "pending reroute",
            CopyState::Held => "held",
        }
    }
}

/// One connector, as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectorStatus {
    /// Name.
    pub name: String,
    /// Name of the remote MTA.
    pub remote_mta: String,
    /// Further names that it may give.
    pub remote_mta_aliases: Vec<String>,
    /// Selectors that are called when we open an association.
    pub called_selectors: SelectorTexts,
    /// Our own selectors on this link.
    pub calling_selectors: SelectorTexts,
    /// Hosts, in the order in which they are tried.
    pub hosts: Vec<String>,
    /// `active`, `ready`, `retry`, `disabled` and so on.
    pub state: String,
    /// Open associations, both roles.
    pub associations: usize,
    /// Messages waiting in memory's window of the queue.
    pub waiting: usize,
    /// Failed opens in a row.
    pub consecutive_failures: u32,
    /// Seconds until the next attempt.
    pub retry_in_s: Option<u64>,
    /// Why the last attempt failed.
    pub last_failure: Option<String>,
    /// Since when no association could be opened, RFC 3339, if so.
    pub failing_since: Option<String>,
    /// Attempts to open one that failed since then.
    pub failed_attempts: u64,
    /// How many failed opens in a row a message waits for.
    pub max_open_retries: u32,
    /// When the next attempt is made, RFC 3339, when it waits after a failure.
    pub next_retry: Option<String>,
    /// What has passed the link since the start of the process.
    pub traffic: LinkTraffic,
    /// What its associations hold at this moment.
    pub held: Held,
    /// Address spaces with their costs.
    pub address_spaces: Vec<String>,
}

/// What has passed one link since the start of the process, and when it was last used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkTraffic {
    /// Messages, probes and reports transferred in.
    pub messages_in: u64,
    /// Messages, probes and reports transferred out.
    pub messages_out: u64,
    /// Octets of what was transferred in.
    pub octets_in: u64,
    /// Octets of what was transferred out.
    pub octets_out: u64,
    /// Recipients for whom this MTA became responsible.
    pub recipients_in: u64,
    /// Recipients for whom the next MTA became responsible.
    pub recipients_out: u64,
    /// Associations that the peer opened.
    pub associations_in: u64,
    /// Associations that this MTA opened.
    pub associations_out: u64,
    /// Times that it could not open one.
    pub failed_opens: u64,
    /// When something was last transferred, RFC 3339.
    pub last_transfer: Option<String>,
    /// When an association was last opened, RFC 3339.
    pub last_association: Option<String>,
}

/// One link at a glance: its connector, its queue and what has passed. Times rather than ages, so that it changes only
/// when something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    /// Connector.
    pub name: String,
    /// Name of the remote MTA.
    pub remote_mta: String,
    /// State of the connector, as in [`ConnectorStatus::state`].
    pub state: String,
    /// Whether nothing is transferred from its queue.
    pub frozen: bool,
    /// Whether it never opens associations by itself, whatever waits.
    pub opens_nothing: bool,
    /// Open associations, both roles.
    pub associations: usize,
    /// Messages, probes and reports in the queue, those being transferred included; none while it is being counted.
    pub messages: Option<u64>,
    /// Their octets.
    pub octets: Option<u64>,
    /// Messages, probes and reports beside these that an operator holds; none until they are counted.
    pub held: Option<u64>,
    /// When the oldest of the queue was queued, RFC 3339.
    pub oldest: Option<String>,
    /// When the next attempt is made, RFC 3339, when it waits after a failure.
    pub next_retry: Option<String>,
    /// Why the last attempt failed.
    pub last_failure: Option<String>,
    /// Since when no association could be opened, RFC 3339, if so.
    pub failing_since: Option<String>,
    /// Attempts to open one that failed since then.
    pub failed_attempts: u64,
    /// How many failed opens in a row a message waits for.
    pub max_open_retries: u32,
    /// What has passed it.
    pub traffic: LinkTraffic,
}

/// Selectors as they are written in the configuration; what is absent is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SelectorTexts {
    /// Transport selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Session selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Presentation selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presentation: Option<String>,
}

impl From<&Selectors> for SelectorTexts {
    fn from(selectors: &Selectors) -> SelectorTexts {
        let text = |selector: &[u8]| (!selector.is_empty()).then(|| selector_text(selector));
        SelectorTexts {
            transport: text(&selectors.transport),
            session: text(&selectors.session),
            presentation: text(&selectors.presentation),
        }
    }
}

/// One mailbox with content.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxStatus {
    /// O/R address, as the first entry was addressed.
    pub address: String,
    /// Messages and reports in it.
    pub entries: u64,
}

/// The MTA as a whole.
#[derive(Clone, Debug, Serialize)]
pub struct MtaInfo {
    /// MTA name.
    pub name: String,
    /// Global domain identifier.
    pub domain: String,
    /// Version of the program.
    pub version: &'static str,
    /// When it was started, RFC 3339.
    pub started: String,
    /// Why the store does not take on new responsibility, if so.
    pub unhealthy: Option<String>,
    /// Counters since the start.
    pub counters: Counters,
}

/// Whether all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It accepts and transfers messages.
    Ready,
    /// It works, but something does not.
    Degraded,
    /// It is ending.
    Stopping,
}

/// The MTA at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct MtaStatus {
    /// Name, counters and the like.
    pub info: MtaInfo,
    /// Whether all is well.
    pub condition: Condition,
    /// What is not, in words.
    pub reasons: Vec<String>,
    /// Connectors.
    pub connectors: usize,
    /// Of these, the ones that can't open associations.
    pub failing: usize,
    /// Associations, those being opened included.
    pub associations: usize,
    /// Messages, probes and reports in the queues of connectors; none while some of them are being counted.
    pub queued: Option<u64>,
    /// Their octets.
    pub queued_octets: Option<u64>,
    /// What earlier processes left is being counted.
    pub counting: bool,
    /// What associations hold, of what there is.
    pub resources: ResourceStatus,
}

/// Counters since the start of the process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counters {
    /// Messages, probes and reports transferred in.
    pub transferred_in: u64,
    /// Messages, probes and reports transferred out.
    pub transferred_out: u64,
    /// Repetitions of completed transfers that were suppressed.
    pub duplicates: u64,
    /// Messages submitted.
    pub submitted: u64,
    /// Messages and reports put into mailboxes.
    pub delivered: u64,
    /// Recipients that were not delivered to.
    pub non_delivered: u64,
    /// Opens of associations that failed.
    pub failed_opens: u64,
    /// Recipients that were not delivered to, and reports that were dropped, since what was for them went in a circle.
    pub loops: u64,
}

/// The work queue: what waits for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WorkQueueStatus {
    /// Messages, probes and reports, as far as they are in memory.
    pub messages: u64,
    /// Whether there may be more, on disk only.
    pub more: bool,
    /// Of these, what waits for the time before which it is not to be delivered.
    pub deferred: u64,
}

/// How long something took, and how often.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistogramStatus {
    /// Bounds in seconds, rising, and how many took no longer.
    pub up_to: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// All together, in seconds.
    pub sum_s: f64,
}

/// How long things took since the start of the process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimesStatus {
    /// Commits to the store.
    pub commits: HistogramStatus,
    /// From when this MTA became responsible for a message, probe or report to when the next one did.
    pub transits: HistogramStatus,
}

/// Amounts of what associations need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Places of associations, being opened or open.
    pub slots: u64,
    /// Tasks that work for a peer.
    pub tasks: u64,
    /// Sockets to peers.
    pub sockets: u64,
    /// Deadlines that something waits for.
    pub timers: u64,
    /// Octets that wait to be sent or to be looked at.
    pub octets: u64,
}

/// Budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceLimits {
    /// Associations of all connectors and callers together.
    pub slots: u64,
    /// Of these, what each connector has for itself.
    pub slots_reserved: u64,
    /// Buffered octets above four fifths of which every association gets along with little.
    pub octets: u64,
}

/// What one connector holds, or all callers that have not bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HolderStatus {
    /// Connector; none for callers that have not bound.
    pub connector: Option<String>,
    /// Held now.
    pub held: Held,
    /// The most of each that was ever held.
    pub peak: Held,
}

/// What is held, of what there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceStatus {
    /// The budgets.
    pub limits: ResourceLimits,
    /// Held now by all together.
    pub total: Held,
    /// The most of each that was ever held together.
    pub peak: Held,
    /// Callers that have not bound.
    pub unbound: HolderStatus,
    /// By connector.
    pub connectors: Vec<HolderStatus>,
}
