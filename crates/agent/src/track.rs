//! Message tracking: the life of each message, probe and report as durable entries, written in the batch of the change
//! that they tell of.
//!
//! The numbers of the events are those of the tracking log that Exchange administrators know. Entries are found by the
//! MTS-identifier, those of a report by that of its subject as well; they go when they are `tracking_days` old, and the
//! oldest as soon as there are more than `tracking_entries`. What a step adds is bounded: tracking never makes a batch too
//! large for the spool.

use clock::WallTime;
use mhs::p1::MessageTransferEnvelope;
use serde::{Deserialize, Serialize};

use crate::about::About;
use crate::agent::Agent;
use crate::effect::{Departure, Discard, Effect, Kind, Sequence, Step};
use crate::record::{Rank, Record, TRACK, TrackKey, codec, track_digest};

/// Most entries of one step; what a fan-out to more recipients than that does is told of the first.
const MAX_ENTRIES: usize = 1_024;
/// A batch larger than this gets no entries: it has to stay within what a spool commits at once.
const MAX_BATCH: usize = 48 << 20;
/// Most recipients named in one entry.
const MAX_NAMED: usize = 32;
/// Longest text in an entry, octets.
const MAX_TEXT: usize = 512;

/// What happened. The order is that of the stored form: new ones go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackEvent {
    /// A message was transferred in.
    MessageIn,
    /// A probe was transferred in.
    ProbeIn,
    /// A report was transferred in.
    ReportIn,
    /// A message was submitted here.
    MessageSubmitted,
    /// A probe was submitted here.
    ProbeSubmitted,
    /// A probe was transferred out.
    ProbeOut,
    /// A message was transferred out.
    MessageOut,
    /// A report was transferred out.
    ReportOut,
    /// A message was put into mailboxes.
    MessageDelivered,
    /// A report was put into a mailbox.
    ReportDelivered,
    /// A distribution list was expanded.
    ListExpanded,
    /// Another recipient was chosen in place of one.
    Redirected,
    /// Another connector was chosen in place of one.
    Rerouted,
    /// A message was transferred in 1984 P1, which left out some of it.
    Downgraded,
    /// A report ended here, because nobody asked for it.
    ReportAbsorbed,
    /// A report was made.
    ReportGenerated,
    /// A report was dropped because its destination can't be reached.
    ReportDiscarded,
    /// An operator deleted a message.
    MessageDeleted,
    /// An operator deleted a probe.
    ProbeDeleted,
    /// An operator deleted a report.
    ReportDeleted,
    /// A recipient can't be reached.
    NonDelivered,
    /// A message or probe was dropped as a whole.
    Discarded,
}

impl TrackEvent {
    /// The number in the tracking log of Exchange, where it has one.
    pub fn number(self) -> Option<u16> {
        match self {
            TrackEvent::MessageIn => Some(0),
            TrackEvent::ProbeIn => Some(1),
            TrackEvent::ReportIn => Some(2),
            TrackEvent::MessageSubmitted => Some(4),
            TrackEvent::ProbeSubmitted => Some(5),
            TrackEvent::ProbeOut => Some(6),
            TrackEvent::MessageOut => Some(7),
            TrackEvent::ReportOut => Some(8),
            TrackEvent::MessageDelivered => Some(9),
            TrackEvent::ReportDelivered => Some(10),
            TrackEvent::ListExpanded => Some(26),
            TrackEvent::Redirected => Some(28),
            TrackEvent::Rerouted => Some(29),
            TrackEvent::Downgraded => Some(31),
            TrackEvent::ReportAbsorbed => Some(33),
            TrackEvent::ReportGenerated => Some(34),
            TrackEvent::ReportDiscarded => Some(43),
            TrackEvent::MessageDeleted => Some(50),
            TrackEvent::ProbeDeleted => Some(51),
            TrackEvent::ReportDeleted => Some(52),
            TrackEvent::NonDelivered | TrackEvent::Discarded => None,
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRecord {
    /// What happened.
    pub event: TrackEvent,
    /// When.
    #[serde(with = "codec::wall")]
    pub time: WallTime,
    /// To what: its MTS-identifier in text form.
    pub mts_identifier: String,
    /// Of a report: the MTS-identifier of what it is about, where the event tells it.
    pub subject: Option<String>,
    /// The connector concerned.
    pub connector: Option<String>,
    /// Who sent it.
    pub originator: Option<String>,
    /// The recipients concerned, at most 32 of them: mailboxes, a list, who was to receive before a redirection.
    pub recipients: Vec<String>,
    /// How many there are of these.
    pub recipient_count: u32,
    /// Length of the content, or of the APDU without content; octets.
    pub size: Option<u64>,
    /// Octet of the [`Rank`].
    pub rank: Option<u8>,
    /// What else there is to say, in words.
    pub text: Option<String>,
    /// Of a message that came in or was submitted: the subject in its heading, if it is kept.
    pub ipm_subject: Option<String>,
}

impl TrackRecord {
    fn new(event: TrackEvent, mts_identifier: String) -> TrackRecord {
        TrackRecord {
            event,
            time: WallTime::from_unix(0),
            mts_identifier,
            subject: None,
            connector: None,
            originator: None,
            recipients: Vec::new(),
            recipient_count: 0,
            size: None,
            rank: None,
            text: None,
            ipm_subject: None,
        }
    }

    fn about(mut self, about: Option<Box<About>>, size: u64, recipients: u32) -> TrackRecord {
        self.recipient_count = recipients;
        self.size = Some(size);
        let Some(about) = about else { return self };
        let About { rank, originator, recipients, subject, ipm_subject } = *about;
        if subject.is_some() {
            // A report goes to one, however many it tells of.
            self.recipient_count = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
        }
        self.subject = subject.as_ref().map(ToString::to_string);
        self.originator = Some(originator).filter(|name| !name.is_empty()).map(cut);
        self.recipients = recipients.into_iter().map(cut).collect();
        self.rank = Some(rank.octet());
        self.ipm_subject = ipm_subject.map(cut);
        self
    }

    fn over(mut self, connector: &str) -> TrackRecord {
        self.connector = Some(connector.to_owned());
        self
    }

    fn recipient(mut self, name: &str) -> TrackRecord {
        self.recipients = vec![cut(name.to_owned())];
        self.recipient_count = 1;
        self
    }

    fn text(mut self, text: String) -> TrackRecord {
        self.text = Some(cut(text));
        self
    }

    /// The priority, if the event tells it.
    pub fn priority(&self) -> Option<Rank> {
        self.rank.and_then(Rank::from_octet)
    }

    /// Whether it is to be found by its subject as well: the first that this MTA knows of a report.
    fn is_first_of_report(&self) -> bool {
        matches!(self.event, TrackEvent::ReportIn | TrackEvent::ReportGenerated)
    }

    /// Takes up another delivery of the same message.
    fn joins(&mut self, other: &TrackRecord) -> bool {
        let is_delivery = self.event == TrackEvent::MessageDelivered;
        if !is_delivery || other.event != self.event || other.mts_identifier != self.mts_identifier {
            return false;
        }
        let room = MAX_NAMED.saturating_sub(self.recipients.len());
        self.recipients.extend(other.recipients.iter().take(room).cloned());
        self.recipient_count = self.recipient_count.saturating_add(other.recipient_count);
        true
    }
}

/// What tracking has added to a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// Records: an entry that is found by two identifiers is two.
    pub records: u64,
    /// The entries, in order.
    pub entries: Vec<TrackRecord>,
}

impl Agent {
    /// Whether there is message tracking.
    pub fn tracks(&self) -> bool {
        self.settings().mta.tracking_days > 0
    }

    /// Whether message tracking keeps the subjects of messages.
    pub fn tracks_subjects(&self) -> bool {
        self.tracks() && self.settings().mta.tracking_subjects
    }

    /// What tracking keeps of something, if there is tracking.
    pub(crate) fn about(&self, about: impl FnOnce() -> About) -> Option<Box<About>> {
        self.tracks().then(|| Box::new(about()))
    }

    /// The same of a message with this subject.
    pub(crate) fn about_message(
        &self,
        envelope: &MessageTransferEnvelope,
        subject: Option<String>,
    ) -> Option<Box<About>> {
        let ipm_subject = subject.filter(|_| self.tracks_subjects());
        self.about(|| About { ipm_subject, ..About::message(envelope) })
    }

    /// Adds to a step what message tracking keeps of it, and takes out of its effects what is in them for this alone.
    /// Called once for each step, before it is committed.
    pub fn track(&self, now: WallTime, sequence: &dyn Sequence, step: &mut Step) -> Traced {
        if !self.tracks() {
            return Traced::default();
        }
        let mut entries: Vec<TrackRecord> = Vec::new();
        for entry in step.effects.iter_mut().filter_map(entry) {
            if entries.last_mut().is_some_and(|last| last.joins(&entry)) {
                continue;
            }
            if entries.len() == MAX_ENTRIES {
                break;
            }
            entries.push(entry);
        }
        let hour = TrackKey::hour_of(now);
        let mut traced = Traced { records: 0, entries: Vec::with_capacity(entries.len()) };
        for mut entry in entries {
            if step.batch.octets() > MAX_BATCH {
                break;
            }
            entry.time = now;
            let value = entry.encode();
            let number = sequence.next();
            let key = |identifier: &str| {
                TrackKey { hour, digest: track_digest(identifier), sequence: number }.encode()
            };
            if let Some(subject) = entry.subject.as_deref().filter(|_| entry.is_first_of_report()) {
                step.batch.put(TRACK, key(subject), value.clone());
                traced.records = traced.records.saturating_add(1);
            }
            step.batch.put(TRACK, key(&entry.mts_identifier), value);
            traced.records = traced.records.saturating_add(1);
            traced.entries.push(entry);
        }
        traced
    }

    /// Forgets what is older than `tracking_days`, and the oldest of the `kept` records that are more than
    /// `tracking_entries`. `keys` are keys of [`TRACK`] in order, from the first; the second value tells that all of them
    /// had to go, so that there may be more.
    pub fn forget_tracking<'k>(
        &self,
        now: WallTime,
        kept: u64,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> (Step, bool) {
        let mta = &self.settings().mta;
        let oldest = match mta.tracking_days {
            0 => None,
            days => Some(TrackKey::hour_of(now).saturating_sub(days.saturating_mul(24))),
        };
        let mut excess = kept.saturating_sub(mta.tracking_entries.into());
        let mut step = Step::default();
        for key in keys {
            // What is none of ours is of no use to anybody.
            let is_young =
                TrackKey::parse(key).is_some_and(|key| oldest.is_some_and(|oldest| key.hour >= oldest));
            if is_young && excess == 0 {
                return (step, false);
            }
            excess = excess.saturating_sub(1);
            step.batch.delete(TRACK, key);
        }
        let more = !step.batch.is_empty();
        (step, more)
    }
}

/// What is kept of an effect, which it is taken from where nobody else wants it.
fn entry(effect: &mut Effect) -> Option<TrackRecord> {
    let record = TrackRecord::new;
    Some(match effect {
        Effect::Accepted { kind, mts_identifier, connector, size, recipients, about } => {
            let event = match kind {
                Kind::Message => TrackEvent::MessageIn,
                Kind::Probe => TrackEvent::ProbeIn,
                Kind::Report => TrackEvent::ReportIn,
            };
            record(event, mts_identifier.to_string()).about(about.take(), *size, *recipients).over(connector)
        }
        Effect::Submitted { kind, mts_identifier, originator: _, size, recipients, about } => {
            let event = match kind {
                Kind::Message => TrackEvent::MessageSubmitted,
                Kind::Probe => TrackEvent::ProbeSubmitted,
                // Nobody submits one.
                Kind::Report => return None,
            };
            record(event, mts_identifier.to_string()).about(about.take(), *size, *recipients)
        }
        Effect::Dequeued { connector, mts_identifier, size, recipients, why, kind, about, .. } => {
            let event = match (why, kind) {
                (Departure::Transferred, Kind::Message) => TrackEvent::MessageOut,
                (Departure::Transferred, Kind::Probe) => TrackEvent::ProbeOut,
                (Departure::Transferred, Kind::Report) => TrackEvent::ReportOut,
                // What comes of it is told by what follows: another connector or a report.
                (
                    Departure::GivenUp
                    | Departure::Expired
                    | Departure::Deleted
                    | Departure::Held
                    | Departure::Moved,
                    _,
                ) => return None,
            };
            record(event, mts_identifier.clone()).about(about.take(), *size, *recipients).over(connector)
        }
        Effect::Downgraded { connector, mts_identifier } => {
            record(TrackEvent::Downgraded, mts_identifier.clone()).over(connector)
        }
        Effect::Rerouted { mts_identifier, from, to } => {
            let text = format!("in place of connector {from}");
            record(TrackEvent::Rerouted, mts_identifier.to_string()).over(to).text(text)
        }
        Effect::Delivered { kind, mailbox, mts_identifier, size, .. } => {
            let event = match kind {
                Kind::Report => TrackEvent::ReportDelivered,
                Kind::Message | Kind::Probe => TrackEvent::MessageDelivered,
            };
            let delivered = record(event, mts_identifier.to_string()).recipient(mailbox);
            TrackRecord { size: Some(*size), ..delivered }
        }
        Effect::Redirected { mts_identifier, from, to, reason } => {
            let text = format!("to {to}: {reason}");
            record(TrackEvent::Redirected, mts_identifier.to_string()).recipient(from).text(text)
        }
        Effect::Expanded { mts_identifier, list, members } => {
            let text = format!("to {members} members");
            record(TrackEvent::ListExpanded, mts_identifier.to_string()).recipient(list).text(text)
        }
        Effect::NonDelivered { mts_identifier, recipient, reason, diagnostic, text } => {
            let text = format!("{reason}, {diagnostic}: {text}");
            record(TrackEvent::NonDelivered, mts_identifier.to_string()).recipient(recipient).text(text)
        }
        Effect::ReportMade { mts_identifier, subject, delivered, non_delivered } => {
            let text = format!("{delivered} delivered, {non_delivered} not delivered");
            let made = record(TrackEvent::ReportGenerated, mts_identifier.to_string()).text(text);
            TrackRecord { subject: Some(subject.to_string()), ..made }
        }
        Effect::Discarded { kind, mts_identifier, why } => {
            record(end(*kind, why), mts_identifier.to_string()).text(why.to_string())
        }
        Effect::WorkAdded { .. }
        | Effect::Queued { .. }
        | Effect::Held { .. }
        | Effect::HeldNoMore { .. }
        | Effect::TransferRetry { .. }
        | Effect::ExpansionLoop { .. }
        | Effect::ReportPassedOn { .. }
        | Effect::SubmittingDomainInconsistent { .. }
        | Effect::Quarantined { .. } => return None,
    })
}

/// What the end of something is called.
fn end(kind: Kind, why: &Discard) -> TrackEvent {
    match (why, kind) {
        (Discard::Deleted, Kind::Message) => TrackEvent::MessageDeleted,
        (Discard::Deleted, Kind::Probe) => TrackEvent::ProbeDeleted,
        (Discard::Deleted, Kind::Report) => TrackEvent::ReportDeleted,
        (Discard::Absorbed(_) | Discard::NotRequested, Kind::Report) => TrackEvent::ReportAbsorbed,
        (
            Discard::NoResponsibility
            | Discard::Barred
            | Discard::Unroutable(_)
            | Discard::Loop
            | Discard::Expired,
            Kind::Report,
        ) => TrackEvent::ReportDiscarded,
        (
            Discard::NoResponsibility
            | Discard::Barred
            | Discard::Unroutable(_)
            | Discard::Loop
            | Discard::Expired
            | Discard::Absorbed(_)
            | Discard::NotRequested,
            Kind::Message | Kind::Probe,
        ) => TrackEvent::Discarded,
    }
}

/// A text cut to what an entry has room for.
fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
    }
    text
}
