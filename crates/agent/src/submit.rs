//! Submission by a local user (X.411 message submission, probe submission): checked strictly, unlike what is relayed.

use std::collections::HashSet;

use ber::{Tag, Writer};
use clock::WallTime;
use mhs::p1::{
    ContentIdentifier, Criticality, ExtensionField, ExtensionType, Extensions, MessageTransferEnvelope,
    OriginatingMtaReport, OriginatorReport, PerMessageIndicators, PerRecipientFields, PerRecipientIndicators,
    ProbeTransferEnvelope, StandardExtension,
};
use mhs::{Kept, MtsIdentifier, OrAddress, OrName, UtcTime};
use spool::FinishedBody;

use crate::about::About;
use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Effect, Kind, Sequence, Step};
use crate::record::{Item, Rank, Source, Tries, WorkRecord};
use crate::routing::RouteDecision;
use crate::selection::Traveller;
use crate::submission::{ReportRequest, Submission, SubmissionRecipient, SubmitError, SubmitProblem};

impl Agent {
    /// Accepts a message from a local user, whose content is `body`, and gives it its identifier.
    ///
    /// # Errors
    /// Everything that is wrong with it, address by address. A well-formed address that leads nowhere is no error:
    /// it is reported as non-delivered.
    pub fn submit(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        submission: &Submission,
        body: FinishedBody,
    ) -> Result<(MtsIdentifier, Step), SubmitError> {
        self.judge(now, submission, body.len())?;
        let mut step = Step::default();
        let identifier = self.accept_message(now, sequence, submission, body, &mut step);
        Ok((identifier, step))
    }

    /// Accepts several messages from a local user, all or none of them: what he takes for one message that has blind
    /// copies. Gives their identifiers in order.
    ///
    /// # Errors
    /// Everything that is wrong with the first of them in which something is wrong.
    pub fn submit_all(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        copies: Vec<(Submission, FinishedBody)>,
    ) -> Result<(Vec<MtsIdentifier>, Step), SubmitError> {
        for (submission, body) in &copies {
            self.judge(now, submission, body.len())?;
        }
        let mut step = Step::default();
        let identifiers = copies
            .into_iter()
            .map(|(submission, body)| self.accept_message(now, sequence, &submission, body, &mut step))
            .collect();
        Ok((identifiers, step))
    }

    /// Accepts a probe from a local user: whether a message like `submission`, with a content of `content_length`
    /// octets if that is known, would be delivered. Priority, deferred and latest delivery time, disclosure of recipients
    /// and return of the content have no place in a probe.
    ///
    /// # Errors
    /// As for a message. A recipient who can't be reached is reported.
    pub fn probe(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        submission: &Submission,
        content_length: Option<u64>,
    ) -> Result<(MtsIdentifier, Step), SubmitError> {
        self.judge(now, submission, content_length.unwrap_or(0))?;
        let here = self.here();
        let identifier = self.new_identifier(now, sequence);
        let mut probe = ProbeTransferEnvelope::new(
            identifier.clone(),
            OrName::new(submission.originator.clone()),
            submission.content_type.clone(),
            recipients(submission),
            here.first_trace(now),
        );
        here.add_internal(UtcTime::from_wall(now), &mut probe.extensions);
        prohibit(submission, &mut probe.extensions);
        probe.original_encoded_information_types = submission.encoded_information_types.clone();
        probe.content_identifier = content_identifier(submission);
        probe.content_length =
            content_length.map(|octets| Kept::new(i64::try_from(octets).unwrap_or(i64::MAX)));
        probe.per_message_indicators = indicators_of([
            (1, submission.implicit_conversion_prohibited),
            (2, submission.alternate_recipient_allowed),
        ]);
        let mut step = Step::default();
        step.effects.push(Effect::Submitted {
            kind: Kind::Probe,
            mts_identifier: identifier.clone(),
            originator: submission.originator.to_string(),
            about: self.about(|| About::probe(&probe)),
            size: content_length.unwrap_or(0),
            recipients: u32::try_from(probe.per_recipient_fields.len()).unwrap_or(u32::MAX),
        });
        let record = WorkRecord {
            item: Item::Probe { apdu: probe.to_octets() },
            source: Source::Submission,
            arrived: now,
            exhausted: Vec::new(),
            failure: None,
            tries: Tries::default(),
        };
        add_work(&mut step, sequence, Rank::Urgent, &record);
        Ok((identifier, step))
    }

    fn judge(&self, now: WallTime, submission: &Submission, octets: u64) -> Result<(), SubmitError> {
        let mut problems = self.problems(submission, octets);
        problems.extend(impossible_times(now, submission));
        if problems.is_empty() { Ok(()) } else { Err(SubmitError { problems }) }
    }

    /// Adds a message that was checked to a step.
    fn accept_message(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        submission: &Submission,
        body: FinishedBody,
        step: &mut Step,
    ) -> MtsIdentifier {
        let identifier = self.new_identifier(now, sequence);
        let envelope = self.envelope(now, identifier.clone(), submission);
        let content_length = body.len();
        step.effects.push(Effect::Submitted {
            kind: Kind::Message,
            mts_identifier: identifier.clone(),
            originator: submission.originator.to_string(),
            about: self.about_message(&envelope, submission.subject.clone()),
            size: content_length,
            recipients: u32::try_from(submission.recipients.len()).unwrap_or(u32::MAX),
        });
        let body = step.batch.link_body(body);
        let record = WorkRecord {
            item: Item::Message { envelope: envelope.to_octets(), body, content_length },
            source: Source::Submission,
            arrived: now,
            exhausted: Vec::new(),
            failure: None,
            tries: Tries::default(),
        };
        add_work(step, sequence, Rank::of(submission.priority), &record);
        identifier
    }

    fn envelope(
        &self,
        now: WallTime,
        identifier: MtsIdentifier,
        submission: &Submission,
    ) -> MessageTransferEnvelope {
        let here = self.here();
        let mut envelope = MessageTransferEnvelope::new(
            identifier,
            OrName::new(submission.originator.clone()),
            submission.content_type.clone(),
            recipients(submission),
            here.first_trace(now),
        );
        here.add_internal(UtcTime::from_wall(now), &mut envelope.extensions);
        envelope.original_encoded_information_types = submission.encoded_information_types.clone();
        envelope.priority = Kept::new(submission.priority);
        envelope.deferred_delivery_time = submission.deferred.map(|time| Kept::new(UtcTime::from_wall(time)));
        envelope.content_identifier = content_identifier(submission);
        prohibit(submission, &mut envelope.extensions);
        if let Some(time) = submission.latest_delivery {
            envelope.extensions.set(latest_delivery(time));
        }
        envelope.per_message_indicators = indicators_of([
            (0, submission.disclose_recipients),
            (1, submission.implicit_conversion_prohibited),
            (2, submission.alternate_recipient_allowed),
            (3, submission.return_content),
        ]);
        envelope
    }

    fn problems(&self, submission: &Submission, octets: u64) -> Vec<SubmitProblem> {
        let settings = &self.settings().mta;
        let mut found = Vec::new();
        let originator = &submission.originator;
        for problem in address_problems(originator) {
            found.push(SubmitProblem::OriginatorInvalid { address: originator.to_string(), problem });
        }
        let why = match self.route_quietly(originator, Traveller::default(), &|_| false) {
            RouteDecision::Local { .. } => None,
            RouteDecision::List { .. } => Some("it is a distribution list".to_owned()),
            RouteDecision::Connectors(connectors) => {
                Some(format!("it is reached over {}", connectors.join(", ")))
            }
            RouteDecision::Unknown(failure) => Some(failure.to_string()),
        };
        if let Some(why) = why {
            found.push(SubmitProblem::OriginatorNotLocal { address: originator.to_string(), why });
        }
        let count = submission.recipients.len();
        if count == 0 {
            found.push(SubmitProblem::NoRecipient);
        }
        if u32::try_from(count).is_ok_and(|count| count <= settings.max_recipients) {
            for (index, recipient) in submission.recipients.iter().enumerate() {
                let address = &recipient.address;
                found.extend(address_problems(address).map(|problem| SubmitProblem::RecipientInvalid {
                    index,
                    address: address.to_string(),
                    problem,
                }));
                if let Some(address) = &recipient.alternate {
                    found.extend(address_problems(address).map(|problem| SubmitProblem::AlternateInvalid {
                        address: address.to_string(),
                        problem,
                    }));
                }
            }
        } else {
            found.push(SubmitProblem::TooManyRecipients { count, limit: settings.max_recipients });
        }
        if let Some(limit_kb) = settings.message_size_limit_kb
            && octets > limit_kb.saturating_mul(1024)
        {
            found.push(SubmitProblem::ContentTooLong { octets, limit_kb });
        }
        if let Some(text) = &submission.content_identifier
            && (text.is_empty() || text.len() > 16 || !mhs::text::is_printable(text))
        {
            found.push(SubmitProblem::ContentIdentifier(text.clone()));
        }
        found
    }
}

/// Per-recipient fields of the recipients, each once.
fn recipients(submission: &Submission) -> Vec<PerRecipientFields> {
    let mut named = HashSet::new();
    let distinct =
        submission.recipients.iter().filter(|recipient| named.insert(recipient.address.canonical_key()));
    let recipients = (1_i64..).zip(distinct).map(|(number, recipient)| {
        let name = OrName::new(recipient.address.clone());
        let mut fields = PerRecipientFields::new(name, number, indicators(recipient));
        if let Some(alternate) = &recipient.alternate {
            let number = StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
            fields.extensions.set_name(number, &OrName::new(alternate.clone()));
        }
        fields
    });
    recipients.collect()
}

fn content_identifier(submission: &Submission) -> Option<Kept<ContentIdentifier>> {
    submission.content_identifier.clone().map(|text| Kept::new(ContentIdentifier(text)))
}

/// PerMessageIndicators with those bits that are on.
fn indicators_of<const N: usize>(bits: [(usize, bool); N]) -> Kept<PerMessageIndicators> {
    let mut flags = PerMessageIndicators::default();
    for (bit, _) in bits.into_iter().filter(|(_, on)| *on) {
        flags.set(bit, true);
    }
    Kept::new(flags)
}

/// Says what must not be done with it.
fn prohibit(submission: &Submission, extensions: &mut Extensions) {
    for (number, on) in [
        (StandardExtension::RECIPIENT_REASSIGNMENT_PROHIBITED, submission.reassignment_prohibited),
        (StandardExtension::DL_EXPANSION_PROHIBITED, submission.dl_expansion_prohibited),
    ] {
        if on {
            extensions.set(prohibited(number));
        }
    }
}

/// An extension that says "prohibited", with the criticality that X.411 recommends.
fn prohibited(number: i64) -> ExtensionField {
    let critical = Criticality { for_delivery: true, ..Criticality::NONE };
    let value = Writer::encode(|w| w.integer(Tag::ENUMERATED, 1));
    ExtensionField::new(ExtensionType::Standard(number), critical, value)
}

/// The extension latest-delivery-time, with the criticality that X.411 recommends.
fn latest_delivery(time: WallTime) -> ExtensionField {
    let critical = Criticality { for_delivery: true, ..Criticality::NONE };
    let value = Writer::encode(|w| w.primitive(Tag::UTC_TIME, UtcTime::from_wall(time).octets()));
    ExtensionField::new(ExtensionType::Standard(StandardExtension::LATEST_DELIVERY_TIME), critical, value)
}

/// What is wrong with the times between which it is to be delivered.
fn impossible_times(now: WallTime, submission: &Submission) -> Vec<SubmitProblem> {
    let cant_be_said = |time: &WallTime| UtcTime::from_wall(*time).to_wall() != Some(*time);
    let mut found = Vec::new();
    if let Some(time) = submission.deferred.filter(cant_be_said) {
        found.push(SubmitProblem::DeferredOutOfRange { time });
    }
    if let Some(time) = submission.latest_delivery {
        let earliest = submission.deferred.map_or(now, |deferred| deferred.max(now));
        if cant_be_said(&time) {
            found.push(SubmitProblem::LatestDeliveryOutOfRange { time });
        } else if time <= earliest {
            found.push(SubmitProblem::LatestDeliveryTooEarly { time, earliest });
        }
    }
    found
}

fn address_problems(address: &OrAddress) -> impl Iterator<Item = String> {
    address.validate_for_submission().err().unwrap_or_default().into_iter().map(|problem| problem.to_string())
}

/// What the originator wants to be told goes to the originating MTA in any case: it tells what is told to whom.
fn indicators(recipient: &SubmissionRecipient) -> PerRecipientIndicators {
    let (mta, originator) = match recipient.report {
        ReportRequest::None => (OriginatingMtaReport::NonDelivery, OriginatorReport::None),
        ReportRequest::NonDelivery => (OriginatingMtaReport::NonDelivery, OriginatorReport::NonDelivery),
        ReportRequest::Delivery => (OriginatingMtaReport::Report, OriginatorReport::Report),
    };
    PerRecipientIndicators::new(true, mta, originator)
}
