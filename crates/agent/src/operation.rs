//! What an operator does to one copy of something in a queue: delete it, hold it and release it, put it into another
//! queue, change its place, or have it routed again without its connector.
//!
//! Each is one step, so that a copy is never in two places and never nowhere. What is held is out of its queue: it is
//! not transferred, not processed and does not become too old until it is released. Whether a copy is being transferred
//! is known to the runtime, which must not ask for an operation on one that is: the peer may have it already.

use clock::WallTime;
use mhs::MtsIdentifier;
use mhs::codes::{NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason};
use mhs::p1::{P1Error, Report};
use spool::{BodyId, Space};

use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Departure, Discard, Effect, Kind, Sequence, Step};
use crate::links::Moment;
use crate::outbound::{NotCarried, leave};
use crate::record::{
    FROZEN, Failure, HELD, HeldKey, Item, OUTBOUND, OutboundKey, OutboundRecord, Rank, Record, RecordError,
    WORK, WorkKey, WorkRecord,
};
use crate::report::{Outcome, Reporting};
use crate::transfer::{Changed, Transfer};

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Not to be sent on any more.
    Delete {
        /// Whether the originator is told by a non-delivery report, if he wants to be told. There is none about reports.
        report: bool,
    },
    /// To stay where it is until it is released.
    Hold,
    /// To go on after it was held.
    Release,
    /// To be sent over another connector, whatever its address spaces are. What is held stays so.
    Move {
        /// The connector.
        to: String,
    },
    /// To have another place in its queue. The priority that its originator gave it, and when it is given up, are as
    /// before.
    Priority(Rank),
    /// To be routed again without its connector.
    Reroute,
}

/// Why an operation is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationRefused {
    /// It has to be released first, or is held already.
    #[error("it is held")]
    Held,
    /// There is nothing to release.
    #[error("it is not held")]
    NotHeld,
    /// It is in the work queue.
    #[error("it has not been routed yet, so it waits for no connector")]
    NotRouted,
    /// The connector is not in the settings.
    #[error("there is no connector `{0}`")]
    NoSuchConnector(String),
    /// It is there already.
    #[error("it is in the queue of {0} already")]
    SameQueue(String),
    /// It would go back.
    #[error("it came in over {0}, or from the same MTA, which would take it for a loop")]
    WayBack(String),
    /// The connector does not take contents of this length.
    #[error("its content is longer than {0} takes")]
    TooLong(String),
    /// It has this priority already.
    #[error("it has this priority already")]
    SamePriority,
    /// Without its connector, somebody would not get it.
    #[error("no other way leads to all of its recipients: {0}")]
    NoOtherWay(String),
    /// It can't be understood.
    #[error("it can't be read: {0}")]
    Unreadable(#[from] P1Error),
}

/// What follows from an operation.
#[derive(Debug)]
pub enum Operated {
    /// To be committed.
    Done(Step),
    /// The report is to return the content: to be read, and given to [`Agent::operate`] when it is asked again.
    ContentWanted {
        /// Where the content is.
        body: BodyId,
        /// Its length, octets.
        length: usize,
    },
}

/// A copy of a message, report or probe in the store, held or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedCopy {
    /// Whether an operator holds it.
    pub is_held: bool,
    /// Which queue it is in or, if it is held, belongs to; and what it is.
    pub record: CopyRecord,
}

/// A copy, by the queue that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyRecord {
    /// In the work queue.
    Work(WorkKey, WorkRecord),
    /// In the queue of a connector.
    Outbound(OutboundKey, OutboundRecord),
}

impl QueuedCopy {
    /// The copy that a record of [`WORK`], [`OUTBOUND`] or [`HELD`] is; `None` for a key of another form.
    ///
    /// # Errors
    /// The record is damaged.
    pub fn decode(space: Space, key: &[u8], value: &[u8]) -> Result<Option<QueuedCopy>, RecordError> {
        let (is_held, key) = match space {
            WORK => (false, WorkKey::parse(key).map(HeldKey::Work)),
            OUTBOUND => (false, OutboundKey::parse(key).map(HeldKey::Outbound)),
            HELD => (true, HeldKey::parse(key)),
            _ => (false, None),
        };
        let Some(key) = key else { return Ok(None) };
        let record = match key {
            HeldKey::Work(key) => CopyRecord::Work(key, WorkRecord::decode(value)?),
            HeldKey::Outbound(key) => CopyRecord::Outbound(key, OutboundRecord::decode(value)?),
        };
        Ok(Some(QueuedCopy { is_held, record }))
    }

    /// Where it is in the store.
    pub fn place(&self) -> (Space, Vec<u8>) {
        match (self.is_held, &self.record) {
            (false, CopyRecord::Work(key, _)) => (WORK, key.encode()),
            (false, CopyRecord::Outbound(key, _)) => (OUTBOUND, key.encode()),
            (true, CopyRecord::Work(key, _)) => (HELD, HeldKey::Work(*key).encode()),
            (true, CopyRecord::Outbound(key, _)) => (HELD, HeldKey::Outbound(key.clone()).encode()),
        }
    }

    /// What it is.
    pub fn item(&self) -> &Item {
        match &self.record {
            CopyRecord::Work(_, record) => &record.item,
            CopyRecord::Outbound(_, record) => &record.item,
        }
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        match &self.record {
            CopyRecord::Work(key, _) => key.sequence,
            CopyRecord::Outbound(key, _) => key.sequence,
        }
    }

    /// Its place in its queue.
    pub fn rank(&self) -> Rank {
        match &self.record {
            CopyRecord::Work(key, _) => key.rank,
            CopyRecord::Outbound(key, _) => key.rank,
        }
    }

    /// The connector in whose queue it is, or was before it was held.
    pub fn connector(&self) -> Option<&str> {
        match &self.record {
            CopyRecord::Work(..) => None,
            CopyRecord::Outbound(key, _) => Some(&key.connector),
        }
    }

    /// When this MTA took responsibility for it.
    pub fn arrived(&self) -> WallTime {
        match &self.record {
            CopyRecord::Work(_, record) => record.arrived,
            CopyRecord::Outbound(_, record) => record.arrived,
        }
    }

    /// Takes it away from where it is. What it holds of a body goes over to whoever follows.
    fn taken_away(&self, why: Departure) -> Step {
        let (space, key) = self.place();
        match (&self.record, self.is_held) {
            (CopyRecord::Outbound(_, record), false) => leave(&key, record, why),
            (CopyRecord::Outbound(held, _), true) => {
                let mut step = Step::default();
                step.batch.assert_present(space, key.clone()).delete(space, key);
                step.effects.push(Effect::HeldNoMore { connector: held.connector.clone() });
                step
            }
            (CopyRecord::Work(..), _) => {
                let mut step = Step::default();
                step.batch.assert_present(space, key.clone()).delete(space, key);
                step
            }
        }
    }

    /// Puts it where it says that it is.
    fn put(&self, identifier: MtsIdentifier, step: &mut Step) {
        let (space, key) = self.place();
        match &self.record {
            CopyRecord::Work(key_there, record) => {
                step.batch.put(space, key, record.encode());
                if !self.is_held {
                    let WorkKey { rank, sequence } = *key_there;
                    step.effects.push(Effect::WorkAdded { rank, sequence });
                }
            }
            CopyRecord::Outbound(key_there, record) => {
                step.batch.put(space, key, record.encode());
                let OutboundKey { connector, rank, sequence } = key_there.clone();
                step.effects.push(if self.is_held {
                    Effect::Held { connector }
                } else {
                    let (size, recipients) = (record.size, record.recipients);
                    let mts_identifier = identifier;
                    Effect::Queued { connector, rank, sequence, mts_identifier, size, recipients }
                });
            }
        }
    }
}

/// What a copy says of itself.
enum Read {
    Transfer(Transfer),
    Report(Box<Report>),
}

impl Read {
    fn of(item: &Item) -> Result<Read, P1Error> {
        Ok(match item {
            Item::Message { envelope, body, content_length } => {
                Read::Transfer(Transfer::message(envelope, *body, *content_length)?)
            }
            Item::Probe { apdu } => Read::Transfer(Transfer::probe(apdu)?),
            Item::Report { apdu } => Read::Report(Box::new(Report::from_octets(apdu)?)),
        })
    }

    fn identifier(&self) -> MtsIdentifier {
        match self {
            Read::Transfer(transfer) => transfer.identifier().clone(),
            Read::Report(report) => (*report.envelope.report_identifier).clone(),
        }
    }
}

impl Agent {
    /// Does what an operator wants to one copy, which nobody is transferring. `content` is what
    /// [`Operated::ContentWanted`] asked for, empty if it can't be read; `is_p2` as for [`Agent::process`].
    ///
    /// # Errors
    /// It can't be done to this copy.
    pub fn operate(
        &self,
        moment: Moment<'_>,
        copy: &QueuedCopy,
        operation: &Operation,
        content: Option<&[u8]>,
        is_p2: bool,
    ) -> Result<Operated, OperationRefused> {
        let Moment { now, sequence, .. } = moment;
        let read = Read::of(copy.item())?;
        let step = match operation {
            Operation::Delete { report } => {
                return Ok(self.delete(now, sequence, copy, read, *report, content));
            }
            Operation::Hold if copy.is_held => return Err(OperationRefused::Held),
            Operation::Hold => {
                let mut step = copy.taken_away(Departure::Held);
                QueuedCopy { is_held: true, ..copy.clone() }.put(read.identifier(), &mut step);
                step
            }
            Operation::Release if !copy.is_held => return Err(OperationRefused::NotHeld),
            Operation::Release => release(sequence, copy, read.identifier()),
            Operation::Move { to } => self.move_to(now, copy, read, to)?,
            Operation::Priority(rank) => change_priority(copy, read.identifier(), *rank)?,
            Operation::Reroute => {
                let (CopyRecord::Outbound(key, record), false) = (&copy.record, copy.is_held) else {
                    return Err(if copy.is_held {
                        OperationRefused::Held
                    } else {
                        OperationRefused::NotRouted
                    });
                };
                let without = without(key, record);
                if let Some(why) = self.dead_end(moment, &without, is_p2)? {
                    return Err(OperationRefused::NoOtherWay(why));
                }
                self.without_connector(now, sequence, &key.encode(), record, NotCarried::Drained)
            }
        };
        Ok(Operated::Done(step))
    }

    /// Nothing is to be transferred from the queue of this connector until it is thawed, restarts included.
    pub fn freeze(&self, connector: &str) -> Step {
        let mut step = Step::default();
        step.batch.put(FROZEN, connector, Vec::new());
        step
    }

    /// The end of that.
    pub fn thaw(&self, connector: &str) -> Step {
        let mut step = Step::default();
        step.batch.delete(FROZEN, connector);
        step
    }

    fn delete(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        copy: &QueuedCopy,
        read: Read,
        report: bool,
        content: Option<&[u8]>,
    ) -> Operated {
        let transfer = match &read {
            Read::Transfer(transfer) => Some(transfer),
            Read::Report(_) => None,
        };
        let reported = transfer.filter(|_| report);
        if let (Some(transfer), None) = (reported, content)
            && let Some((body, length)) = self.returnable(transfer)
        {
            return Operated::ContentWanted { body, length };
        }
        let mut step = copy.taken_away(Departure::Deleted);
        let kind = transfer.map_or(Kind::Report, Transfer::kind);
        let (mts_identifier, why) = (read.identifier(), Discard::Deleted);
        step.effects.push(Effect::Discarded { kind, mts_identifier, why });
        if let Some(transfer) = reported {
            let failure = Failure {
                reason: Reason::UNABLE_TO_TRANSFER.0,
                diagnostic: Diagnostic::UNABLE_TO_COMPLETE_TRANSFER.0,
                text: "an operator deleted it".to_owned(),
            };
            let settled: Vec<(usize, Outcome)> =
                transfer.responsible().into_iter().map(|at| (at, Outcome::Failed(failure.clone()))).collect();
            let changed = Changed::new();
            let reporting = Reporting { now, sequence, arrived: copy.arrived(), changed: &changed, content };
            self.report(&reporting, transfer, &settled, &mut step);
        }
        if let Some(body) = transfer.and_then(Transfer::body) {
            step.batch.release(body);
        }
        Operated::Done(step)
    }

    fn move_to(
        &self,
        now: WallTime,
        copy: &QueuedCopy,
        mut read: Read,
        to: &str,
    ) -> Result<Step, OperationRefused> {
        let CopyRecord::Outbound(key, record) = &copy.record else { return Err(OperationRefused::NotRouted) };
        let target = self.settings().connector(to);
        let target = target.ok_or_else(|| OperationRefused::NoSuchConnector(to.to_owned()))?;
        if key.connector == to {
            return Err(OperationRefused::SameQueue(to.to_owned()));
        }
        if let Some(incoming) = record.source.connector() {
            let same_mta = |from| target.shared_name(from).is_some();
            if incoming == to || self.settings().connector(incoming).is_some_and(same_mta) {
                return Err(OperationRefused::WayBack(incoming.to_owned()));
            }
        }
        let is_too_long = |kb: u64| record.size > kb.saturating_mul(1024);
        if target.max_message_size_kb.is_some_and(is_too_long) {
            return Err(OperationRefused::TooLong(to.to_owned()));
        }
        // The trace tells of the detour, so that MTAs which it passes again don't take it for a loop.
        let attempted = self.settings().connector(&key.connector);
        let (trace, extensions) = match &mut read {
            Read::Transfer(transfer) => transfer.trace_mut(),
            Read::Report(report) => {
                let envelope = &mut report.envelope;
                (&mut envelope.trace_information, &mut envelope.extensions)
            }
        };
        self.here().reroute(trace, extensions, attempted);
        let identifier = read.identifier();
        let item = match &read {
            Read::Transfer(transfer) => transfer.to_item(),
            Read::Report(report) => Item::Report { apdu: report.to_octets() },
        };
        let WorkRecord { mut exhausted, tries, .. } = without(key, record);
        exhausted.retain(|name| name != to);
        let moved = OutboundRecord {
            item,
            queued: now,
            attempts: 0,
            exhausted,
            tries,
            last_failure: None,
            ..record.clone()
        };
        let there = OutboundKey { connector: to.to_owned(), ..key.clone() };
        let mut step = copy.taken_away(Departure::Moved);
        step.effects.push(Effect::Rerouted {
            mts_identifier: identifier.clone(),
            from: key.connector.clone(),
            to: to.to_owned(),
        });
        QueuedCopy { is_held: copy.is_held, record: CopyRecord::Outbound(there, moved) }
            .put(identifier, &mut step);
        Ok(step)
    }
}

/// Puts a copy back. One of the work queue gets a new number: whoever takes work must not mistake it for what was there
/// before.
fn release(sequence: &dyn Sequence, copy: &QueuedCopy, identifier: MtsIdentifier) -> Step {
    // Of what is held nothing departs from a queue.
    let mut step = copy.taken_away(Departure::Moved);
    match &copy.record {
        CopyRecord::Work(key, record) => add_work(&mut step, sequence, key.rank, record),
        CopyRecord::Outbound(..) => {
            QueuedCopy { is_held: false, ..copy.clone() }.put(identifier, &mut step);
        }
    }
    step
}

fn change_priority(
    copy: &QueuedCopy,
    identifier: MtsIdentifier,
    rank: Rank,
) -> Result<Step, OperationRefused> {
    if copy.rank() == rank {
        return Err(OperationRefused::SamePriority);
    }
    let record = match &copy.record {
        CopyRecord::Work(..) => return Err(OperationRefused::NotRouted),
        CopyRecord::Outbound(key, record) => {
            CopyRecord::Outbound(OutboundKey { rank, ..key.clone() }, record.clone())
        }
    };
    let mut step = copy.taken_away(Departure::Moved);
    QueuedCopy { is_held: copy.is_held, record }.put(identifier, &mut step);
    Ok(step)
}

/// What would be processed if the connector of this copy were given up.
fn without(key: &OutboundKey, record: &OutboundRecord) -> WorkRecord {
    let mut exhausted = record.exhausted.clone();
    if !exhausted.contains(&key.connector) {
        exhausted.push(key.connector.clone());
    }
    WorkRecord {
        item: record.item.clone(),
        source: record.source.clone(),
        arrived: record.arrived,
        exhausted,
        failure: None,
        tries: record.tries.after(&key.connector, 0),
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Operation::Delete { report: true } => f.write_str("delete with report"),
            Operation::Delete { report: false } => f.write_str("delete without report"),
            Operation::Hold => f.write_str("hold"),
            Operation::Release => f.write_str("release"),
            Operation::Move { to } => write!(f, "move to {to}"),
            Operation::Priority(rank) => write!(f, "priority {}", rank.name()),
            Operation::Reroute => f.write_str("route again"),
        }
    }
}
