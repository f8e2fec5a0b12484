//! Transfer-in: taking over responsibility from a peer (X.411 message, probe and report transfer).
//!
//! Nearly everything is accepted: what can't be delivered is reported by this MTA, not left to the peer. The
//! batch remembers the transfer, and asserts that it is not remembered yet: a commit that fails on that assertion
//! is a repetition, which is answered as accepted and stored nowhere.

use clock::WallTime;
use mhs::MtsIdentifier;
use mhs::p1::{MessageTransferEnvelope, ProbeTransferEnvelope, Report, TraceInformation};
use spool::{Batch, FinishedBody};
use thiserror::Error;

use crate::about::About;
use crate::agent::Agent;
use crate::duplicate;
use crate::effect::{Discard, Effect, Kind, Sequence, Step};
use crate::record::{
    DUPLICATE, DUPLICATE_AGE, DuplicateAgeKey, Item, Rank, Record, Source, Tries, WORK, WorkKey, WorkRecord,
};
use crate::trace::Here;

/// A complete APDU from a peer.
#[derive(Debug)]
pub enum IncomingApdu {
    /// A message.
    Message {
        /// Its envelope.
        envelope: Box<MessageTransferEnvelope>,
        /// Its content.
        body: FinishedBody,
        /// The subject in its heading, if it is known.
        subject: Option<String>,
    },
    /// A report.
    Report(Box<Report>),
    /// A probe.
    Probe(Box<ProbeTransferEnvelope>),
}

/// Why responsibility can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The connector was removed while the transfer was under way.
    #[error("connector {connector} is not configured any more")]
    UnknownConnector {
        /// Its name.
        connector: String,
    },
}

impl Refusal {
    /// Whether the same transfer may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Refusal::UnknownConnector { .. } => true,
        }
    }
}

impl Agent {
    pub(crate) fn here(&self) -> Here<'_> {
        let mta = &self.settings().mta;
        Here { domain: &mta.domain, mta: &mta.name, shared_domain: mta.shared_domain }
    }

    /// Takes over an APDU that came in on connector `from`. The peer is told that it was accepted when the batch is
    /// committed, or when its commit fails with [`spool::CommitError::AssertionFailed`].
    ///
    /// # Errors
    /// Responsibility can't be taken; the peer keeps it.
    pub fn transfer_in(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        from: &str,
        apdu: IncomingApdu,
    ) -> Result<Step, Refusal> {
        if self.settings().connector(from).is_none() {
            return Err(Refusal::UnknownConnector { connector: from.to_owned() });
        }
        let mut step = Step::default();
        let (item, rank) = match apdu {
            IncomingApdu::Message { envelope, body, subject } => {
                self.message_in(now, from, *envelope, (body, subject), &mut step)
            }
            IncomingApdu::Report(report) => self.report_in(now, from, *report, &mut step),
            IncomingApdu::Probe(probe) => self.probe_in(now, from, *probe, &mut step),
        };
        if let Some(item) = item {
            let source = Source::Connector(from.to_owned());
            let record = WorkRecord {
                item,
                source,
                arrived: now,
                exhausted: Vec::new(),
                failure: None,
                tries: Tries::default(),
            };
            add_work(&mut step, sequence, rank, &record);
        }
        Ok(step)
    }

    fn message_in(
        &self,
        now: WallTime,
        from: &str,
        mut envelope: MessageTransferEnvelope,
        (body, subject): (FinishedBody, Option<String>),
        step: &mut Step,
    ) -> (Option<Item>, Rank) {
        let rank = Rank::of(*envelope.priority);
        let responsible = envelope.per_recipient_fields.iter().filter(|r| r.responsibility()).count();
        let identifier = (*envelope.message_identifier).clone();
        let accepted =
            Accepted { kind: Kind::Message, identifier, from, size: body.len(), recipients: responsible };
        let about = self.about_message(&envelope, subject);
        accepted.announce(about, &envelope.trace_information, step);
        if responsible == 0 {
            // `body` goes out of scope: its space is given back.
            accepted.discard(step);
            return (None, rank);
        }
        remember(&mut step.batch, now, duplicate::message(&envelope));
        self.here().arrive(now, &mut envelope.trace_information, &mut envelope.extensions);
        let content_length = body.len();
        let body = step.batch.link_body(body);
        (Some(Item::Message { envelope: envelope.to_octets(), body, content_length }), rank)
    }

    fn report_in(
        &self,
        now: WallTime,
        from: &str,
        mut report: Report,
        step: &mut Step,
    ) -> (Option<Item>, Rank) {
        let accepted = Accepted {
            kind: Kind::Report,
            identifier: (*report.envelope.report_identifier).clone(),
            from,
            size: 0,
            recipients: report.content.per_recipient_fields.len(),
        };
        accepted.announce(self.about(|| About::report(&report)), &report.envelope.trace_information, step);
        remember(&mut step.batch, now, duplicate::report(&report));
        let envelope = &mut report.envelope;
        self.here().arrive(now, &mut envelope.trace_information, &mut envelope.extensions);
        (Some(Item::Report { apdu: report.to_octets() }), Rank::Urgent)
    }

    fn probe_in(
        &self,
        now: WallTime,
        from: &str,
        mut probe: ProbeTransferEnvelope,
        step: &mut Step,
    ) -> (Option<Item>, Rank) {
        let responsible = probe.per_recipient_fields.iter().filter(|r| r.responsibility()).count();
        let identifier = (*probe.probe_identifier).clone();
        let accepted = Accepted { kind: Kind::Probe, identifier, from, size: 0, recipients: responsible };
        accepted.announce(self.about(|| About::probe(&probe)), &probe.trace_information, step);
        if responsible == 0 {
            accepted.discard(step);
            return (None, Rank::Urgent);
        }
        remember(&mut step.batch, now, duplicate::probe(&probe));
        self.here().arrive(now, &mut probe.trace_information, &mut probe.extensions);
        (Some(Item::Probe { apdu: probe.to_octets() }), Rank::Urgent)
    }

    /// Forgets transfers older than `duplicate_history_days`. `keys` are keys of
    /// [`crate::record::DUPLICATE_AGE`] in order, from the first; the second value tells that all of them were old,
    /// so that there may be more.
    pub fn forget_duplicates<'k>(
        &self,
        now: WallTime,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> (Step, bool) {
        let days = i64::from(self.settings().mta.duplicate_history_days);
        let oldest = now.plus_seconds(-days * 86_400);
        let mut step = Step::default();
        for key in keys {
            match DuplicateAgeKey::parse(key) {
                Some(age) if age.accepted < oldest => {
                    step.batch.delete(DUPLICATE, age.digest);
                    step.batch.delete(DUPLICATE_AGE, key);
                }
                Some(_) => return (step, false),
                // Not one of ours: of no use to anybody.
                None => {
                    step.batch.delete(DUPLICATE_AGE, key);
                }
            }
        }
        let more = !step.batch.is_empty();
        (step, more)
    }
}

/// What is announced about a transfer.
struct Accepted<'a> {
    kind: Kind,
    identifier: MtsIdentifier,
    from: &'a str,
    size: u64,
    recipients: usize,
}

impl Accepted<'_> {
    fn announce(&self, about: Option<Box<About>>, trace: &TraceInformation, step: &mut Step) {
        step.effects.push(Effect::Accepted {
            kind: self.kind,
            mts_identifier: self.identifier.clone(),
            connector: self.from.to_owned(),
            size: self.size,
            recipients: u32::try_from(self.recipients).unwrap_or(u32::MAX),
            about,
        });
        let first = trace.first().map(|element| &element.domain);
        if let Some(traced) = first.filter(|traced| !traced.is_same_domain(&self.identifier.domain)) {
            step.effects.push(Effect::SubmittingDomainInconsistent {
                mts_identifier: self.identifier.clone(),
                traced: traced.clone(),
            });
        }
    }

    fn discard(&self, step: &mut Step) {
        step.effects.push(Effect::Discarded {
            kind: self.kind,
            mts_identifier: self.identifier.clone(),
            why: Discard::NoResponsibility,
        });
    }
}

fn remember(batch: &mut Batch, now: WallTime, digest: duplicate::Key) {
    batch.assert_absent(DUPLICATE, digest);
    batch.put(DUPLICATE, digest, Vec::new());
    batch.put(DUPLICATE_AGE, DuplicateAgeKey { accepted: now, digest }.encode(), Vec::new());
}

/// Puts something into the work queue.
pub(crate) fn add_work(step: &mut Step, sequence: &dyn Sequence, rank: Rank, record: &WorkRecord) {
    let number = sequence.next();
    step.batch.put(WORK, WorkKey { rank, sequence: number }.encode(), record.encode());
    step.effects.push(Effect::WorkAdded { rank, sequence: number });
}
