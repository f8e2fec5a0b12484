//! Report: delivery and non-delivery of a message (X.411 ReportTransferEnvelope, ReportTransferContent).

use ber::{Tag, Tlv, Writer};

use super::MAX_RECIPIENTS;
use super::envelope::{ContentIdentifier, EITS, IDENTIFIER, MessageTransferEnvelope};
use super::extensions::{ExtensionCoding, Extensions};
use super::probe::ProbeTransferEnvelope;
use super::report_recipient::PerRecipientReportFields;
use super::trace::{TRACE, TraceInformation, decode_trace, write_trace};
use crate::error::{DecodeError, Within};
use crate::kept::{Frame, Kept, Layout, List};
use crate::or_address::OR_NAME;
use crate::{ContentType, EncodedInformationTypes, MtsIdentifier, OrName};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Envelope.
    pub envelope: ReportTransferEnvelope,
    /// Content.
    pub content: ReportTransferContent,
    frame: Frame,
}

/// Envelope of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTransferEnvelope {
    /// Identifies the report.
    pub report_identifier: Kept<MtsIdentifier>,
    /// Who is to get it: originator of the subject, or a distribution list on the way back.
    pub report_destination_name: OrName,
    /// Trace of the report.
    pub trace_information: TraceInformation,
    /// Extensions.
    pub extensions: Extensions,
    layout: Layout<EnvelopeField>,
}

/// Content of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTransferContent {
    /// The message or probe reported on.
    pub subject_identifier: Kept<MtsIdentifier>,
    /// Trace of the subject, for an audited report.
    pub subject_intermediate_trace_information: Option<TraceInformation>,
    /// From the subject.
    pub original_encoded_information_types: Option<EncodedInformationTypes>,
    /// From the subject.
    pub content_type: Option<Kept<ContentType>>,
    /// From the subject.
    pub content_identifier: Option<Kept<ContentIdentifier>>,
    /// The subject's content.
    pub returned_content: Option<Kept<Vec<u8>>>,
    /// AdditionalInformation as its encoding, tag `[2]` included. Bilateral, deprecated.
    pub additional_information: Option<Vec<u8>>,
    /// Extensions.
    pub extensions: Extensions,
    /// The recipients reported on.
    pub per_recipient_fields: List<PerRecipientReportFields>,
    layout: Layout<ContentField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EnvelopeField {
    ReportIdentifier,
    ReportDestinationName,
    TraceInformation,
    Extensions,
}

const ENVELOPE: [EnvelopeField; 4] = [
    EnvelopeField::ReportIdentifier,
    EnvelopeField::ReportDestinationName,
    EnvelopeField::TraceInformation,
    EnvelopeField::Extensions,
];

fn envelope_field_of(tlv: &Tlv<'_>) -> Option<(EnvelopeField, &'static str)> {
    Some(match tlv.tag {
        IDENTIFIER => (EnvelopeField::ReportIdentifier, "report-identifier"),
        OR_NAME => (EnvelopeField::ReportDestinationName, "report-destination-name"),
        TRACE => (EnvelopeField::TraceInformation, "trace-information"),
        tag if tag == Tag::context(1) => (EnvelopeField::Extensions, "extensions"),
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentField {
    SubjectIdentifier,
    SubjectTrace,
    OriginalEits,
    ContentType,
    ContentIdentifier,
    ReturnedContent,
    AdditionalInformation,
    Extensions,
    PerRecipientFields,
}

const CONTENT: [ContentField; 9] = [
    ContentField::SubjectIdentifier,
    ContentField::SubjectTrace,
    ContentField::OriginalEits,
    ContentField::ContentType,
    ContentField::ContentIdentifier,
    ContentField::ReturnedContent,
    ContentField::AdditionalInformation,
    ContentField::Extensions,
    ContentField::PerRecipientFields,
];

fn content_field_of(tlv: &Tlv<'_>) -> Option<(ContentField, &'static str)> {
    Some(match tlv.tag {
        IDENTIFIER => (ContentField::SubjectIdentifier, "subject-identifier"),
        TRACE => (ContentField::SubjectTrace, "subject-intermediate-trace-information"),
        EITS => (ContentField::OriginalEits, "original-encoded-information-types"),
        tag if ContentType::is_tag(tag) => (ContentField::ContentType, "content-type"),
        ContentIdentifier::TAG => (ContentField::ContentIdentifier, "content-identifier"),
        tag if tag == Tag::context(0) => (ContentField::PerRecipientFields, "per-recipient-fields"),
        tag if tag == Tag::context(1) => (ContentField::ReturnedContent, "returned-content"),
        tag if tag == Tag::context(2) => (ContentField::AdditionalInformation, "additional-information"),
        tag if tag == Tag::context(3) => (ContentField::Extensions, "extensions"),
        _ => return None,
    })
}

/// Tag of a report in an MTS-APDU.
pub(super) const REPORT: Tag = Tag::context(1);

impl Report {
    /// A report of our own making.
    pub fn new(envelope: ReportTransferEnvelope, content: ReportTransferContent) -> Self {
        Report { envelope, content, frame: Frame::New }
    }

    /// A report about a message: to its originator, echoing what X.411 wants echoed of its envelope.
    ///
    /// The subject's trace, returned content and extensions are the caller's to add.
    pub fn about_message(
        report_identifier: MtsIdentifier,
        trace_information: TraceInformation,
        subject: &MessageTransferEnvelope,
        recipients: Vec<PerRecipientReportFields>,
    ) -> Self {
        let mut content =
            ReportTransferContent::new(subject.message_identifier.clone().into_value(), recipients);
        content.original_encoded_information_types = subject.original_encoded_information_types.clone();
        content.content_type = Some(subject.content_type.clone());
        content.content_identifier = subject.content_identifier.clone();
        let destination = subject.originator_name.clone();
        Report::new(ReportTransferEnvelope::new(report_identifier, destination, trace_information), content)
    }

    /// A report about a probe.
    pub fn about_probe(
        report_identifier: MtsIdentifier,
        trace_information: TraceInformation,
        subject: &ProbeTransferEnvelope,
        recipients: Vec<PerRecipientReportFields>,
    ) -> Self {
        let mut content =
            ReportTransferContent::new(subject.probe_identifier.clone().into_value(), recipients);
        content.original_encoded_information_types = subject.original_encoded_information_types.clone();
        content.content_type = Some(subject.content_type.clone());
        content.content_identifier = subject.content_identifier.clone();
        let destination = subject.originator_name.clone();
        Report::new(ReportTransferEnvelope::new(report_identifier, destination, trace_information), content)
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let envelope = reader.expect(Tag::SET).field("envelope")?;
        let envelope = ReportTransferEnvelope::decode(&envelope).field("envelope")?;
        let content = reader.expect(Tag::SET).field("content")?;
        let content = ReportTransferContent::decode(&content).field("content")?;
        reader.finish()?;
        Ok(Report { envelope, content, frame: Frame::of(tlv) })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.frame.write(w, REPORT, |w| {
            self.envelope.write(w);
            self.content.write(w);
        });
    }

    /// Puts all extensions, those of content and recipients too, into this coding.
    pub fn recode_extensions(&mut self, coding: ExtensionCoding) {
        self.envelope.extensions.recode(coding);
        self.content.extensions.recode(coding);
        self.content.per_recipient_fields.iter_mut().for_each(|fields| fields.extensions.recode(coding));
    }

    pub(super) fn forget_unknown_members(&mut self) {
        self.envelope.layout.forget_unknown();
        self.content.layout.forget_unknown();
    }

    /// Reads a report from its whole encoding, under the tag it has in an MTS-APDU.
    ///
    /// # Errors
    /// The octets are no report, or something follows it.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ber::Reader::new(octets);
        let tlv = reader.expect(REPORT).field("report")?;
        let report = Report::decode(&tlv).field("report")?;
        reader.finish().field("report")?;
        Ok(report)
    }

    /// The whole encoding, under the tag it has in an MTS-APDU.
    pub fn to_octets(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }
}

impl ReportTransferEnvelope {
    /// An envelope without extensions.
    pub fn new(report_identifier: MtsIdentifier, destination: OrName, trace: TraceInformation) -> Self {
        ReportTransferEnvelope {
            report_identifier: Kept::new(report_identifier),
            report_destination_name: destination,
            trace_information: trace,
            extensions: Extensions::new(),
            layout: Layout::default(),
        }
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut identifier = None;
        let mut destination = None;
        let mut trace = None;
        let mut extensions = Extensions::new();
        let layout = Layout::decode(tlv, envelope_field_of, |field, member| {
            match field {
                EnvelopeField::ReportIdentifier => {
                    identifier = Some(Kept::received(MtsIdentifier::decode(member)?, member));
                }
                EnvelopeField::ReportDestinationName => destination = Some(OrName::decode(member)?),
                EnvelopeField::TraceInformation => trace = Some(decode_trace(member)?),
                EnvelopeField::Extensions => extensions = Extensions::decode(member)?,
            }
            Ok(())
        })?;
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(ReportTransferEnvelope {
            report_identifier: identifier.ok_or_else(|| missing("report-identifier"))?,
            report_destination_name: destination.ok_or_else(|| missing("report-destination-name"))?,
            trace_information: trace.ok_or_else(|| missing("trace-information"))?,
            extensions,
            layout,
        })
    }

    fn write(&self, w: &mut Writer) {
        self.layout.write(w, Tag::SET, &ENVELOPE, |field, _, w| match field {
            EnvelopeField::ReportIdentifier => self.report_identifier.write(w, MtsIdentifier::write),
            EnvelopeField::ReportDestinationName => self.report_destination_name.write(OR_NAME, w),
            EnvelopeField::TraceInformation => write_trace(&self.trace_information, w),
            EnvelopeField::Extensions => self.extensions.write(Tag::context(1), w),
        });
    }

    /// Encodings of members that X.411 does not have.
    pub fn unknown_members(&self) -> impl Iterator<Item = &[u8]> {
        self.layout.unknown()
    }
}

impl ReportTransferContent {
    /// A content with the mandatory fields.
    pub fn new(subject_identifier: MtsIdentifier, recipients: Vec<PerRecipientReportFields>) -> Self {
        ReportTransferContent {
            subject_identifier: Kept::new(subject_identifier),
            subject_intermediate_trace_information: None,
            original_encoded_information_types: None,
            content_type: None,
            content_identifier: None,
            returned_content: None,
            additional_information: None,
            extensions: Extensions::new(),
            per_recipient_fields: List::new(recipients),
            layout: Layout::default(),
        }
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut identifier = None;
        let mut subject_trace = None;
        let mut eits = None;
        let mut content_type = None;
        let mut content_identifier = None;
        let mut returned_content = None;
        let mut additional_information = None;
        let mut extensions = Extensions::new();
        let mut recipients = None;
        let layout = Layout::decode(tlv, content_field_of, |field, member| {
            match field {
                ContentField::SubjectIdentifier => {
                    identifier = Some(Kept::received(MtsIdentifier::decode(member)?, member));
                }
                ContentField::SubjectTrace => subject_trace = Some(decode_trace(member)?),
                ContentField::OriginalEits => eits = Some(EncodedInformationTypes::decode(member)?),
                ContentField::ContentType => {
                    content_type = Some(Kept::received(ContentType::decode(member)?, member));
                }
                ContentField::ContentIdentifier => {
                    content_identifier = Some(ContentIdentifier::decode(member)?);
                }
                ContentField::ReturnedContent => {
                    returned_content = Some(Kept::received(member.octets()?.into_owned(), member));
                }
                ContentField::AdditionalInformation => additional_information = Some(member.raw.to_vec()),
                ContentField::Extensions => extensions = Extensions::decode(member)?,
                ContentField::PerRecipientFields => {
                    let list =
                        List::decode(member, Tag::SET, MAX_RECIPIENTS, PerRecipientReportFields::decode)?;
                    recipients = Some(list);
                }
            }
            Ok(())
        })?;
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(ReportTransferContent {
            subject_identifier: identifier.ok_or_else(|| missing("subject-identifier"))?,
            subject_intermediate_trace_information: subject_trace,
            original_encoded_information_types: eits,
            content_type,
            content_identifier,
            returned_content,
            additional_information,
            extensions,
            per_recipient_fields: recipients.ok_or_else(|| missing("per-recipient-fields"))?,
            layout,
        })
    }

    fn write(&self, w: &mut Writer) {
        self.layout.write(w, Tag::SET, &CONTENT, |field, _, w| match field {
            ContentField::SubjectIdentifier => self.subject_identifier.write(w, MtsIdentifier::write),
            ContentField::SubjectTrace => {
                if let Some(trace) = &self.subject_intermediate_trace_information {
                    write_trace(trace, w);
                }
            }
            ContentField::OriginalEits => {
                if let Some(types) = &self.original_encoded_information_types {
                    types.write(w);
                }
            }
            ContentField::ContentType => {
                if let Some(content_type) = &self.content_type {
                    content_type.write(w, ContentType::write);
                }
            }
            ContentField::ContentIdentifier => ContentIdentifier::write(&self.content_identifier, w),
            ContentField::ReturnedContent => {
                if let Some(content) = &self.returned_content {
                    content.write(w, |octets, w| w.primitive(Tag::context(1), octets));
                }
            }
            ContentField::AdditionalInformation => {
                if let Some(raw) = &self.additional_information {
                    w.raw(raw);
                }
            }
            ContentField::Extensions => self.extensions.write(Tag::context(3), w),
            ContentField::PerRecipientFields => {
                let list = &self.per_recipient_fields;
                list.write(w, Tag::context(0), PerRecipientReportFields::write);
            }
        });
    }

    /// Encodings of members that X.411 does not have.
    pub fn unknown_members(&self) -> impl Iterator<Item = &[u8]> {
        self.layout.unknown()
    }
}
