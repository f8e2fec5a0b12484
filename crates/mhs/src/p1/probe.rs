//! Probe (X.411 ProbeTransferEnvelope): a message without content that asks whether delivery would be
//! possible.

use ber::{Tag, Tlv, Writer};

use super::envelope::write_per_message_indicators;
use super::envelope::{ContentIdentifier, EITS, IDENTIFIER, PER_MESSAGE_INDICATORS};
use super::extensions::{ExtensionCoding, Extensions};
use super::indicators::PerMessageIndicators;
use super::recipient::{PerRecipientFields, Recipients};
use super::trace::{TRACE, TraceInformation, decode_trace, write_trace};
use crate::error::{DecodeError, Within};
use crate::kept::{Kept, Layout};
use crate::or_address::OR_NAME;
use crate::{ContentType, EncodedInformationTypes, MtsIdentifier, OrName};

/// A probe, which is all envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTransferEnvelope {
    /// Identifies the probe.
    pub probe_identifier: Kept<MtsIdentifier>,
    /// Originator.
    pub originator_name: OrName,
    /// What the content would be made of.
    pub original_encoded_information_types: Option<EncodedInformationTypes>,
    /// What the content would be.
    pub content_type: Kept<ContentType>,
    /// The originator's own reference.
    pub content_identifier: Option<Kept<ContentIdentifier>>,
    /// How many octets the content would have.
    pub content_length: Option<Kept<i64>>,
    /// Indicators; all zero if absent.
    pub per_message_indicators: Kept<PerMessageIndicators>,
    /// PerDomainBilateralInformation as its encoding, tag `[1]` included.
    pub per_domain_bilateral_information: Option<Vec<u8>>,
    /// Trace.
    pub trace_information: TraceInformation,
    /// Extensions.
    pub extensions: Extensions,
    /// Recipients.
    pub per_recipient_fields: Recipients,
    layout: Layout<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    ProbeIdentifier,
    OriginatorName,
    OriginalEits,
    ContentType,
    ContentIdentifier,
    ContentLength,
    PerMessageIndicators,
    BilateralInformation,
    TraceInformation,
    Extensions,
    PerRecipientFields,
}

const ALL: [Field; 11] = [
    Field::ProbeIdentifier,
    Field::OriginatorName,
    Field::OriginalEits,
    Field::ContentType,
    Field::ContentIdentifier,
    Field::ContentLength,
    Field::PerMessageIndicators,
    Field::BilateralInformation,
    Field::TraceInformation,
    Field::Extensions,
    Field::PerRecipientFields,
];

/// Tag of a probe in an MTS-APDU.
pub(super) const PROBE: Tag = Tag::context(2);

fn field_of(tlv: &Tlv<'_>) -> Option<(Field, &'static str)> {
    Some(match tlv.tag {
        IDENTIFIER => (Field::ProbeIdentifier, "probe-identifier"),
        OR_NAME => (Field::OriginatorName, "originator-name"),
        EITS => (Field::OriginalEits, "original-encoded-information-types"),
        tag if ContentType::is_tag(tag) => (Field::ContentType, "content-type"),
        ContentIdentifier::TAG => (Field::ContentIdentifier, "content-identifier"),
        tag if tag == Tag::context(0) => (Field::ContentLength, "content-length"),
        PER_MESSAGE_INDICATORS => (Field::PerMessageIndicators, "per-message-indicators"),
        tag if tag == Tag::context(1) => (Field::BilateralInformation, "per-domain-bilateral-information"),
        TRACE => (Field::TraceInformation, "trace-information"),
        tag if tag == Tag::context(2) => (Field::PerRecipientFields, "per-recipient-fields"),
        tag if tag == Tag::context(3) => (Field::Extensions, "extensions"),
        _ => return None,
    })
}

impl ProbeTransferEnvelope {
    /// A probe with the mandatory fields.
    pub fn new(
        probe_identifier: MtsIdentifier,
        originator_name: OrName,
        content_type: ContentType,
        recipients: Vec<PerRecipientFields>,
        trace_information: TraceInformation,
    ) -> Self {
        ProbeTransferEnvelope {
            probe_identifier: Kept::new(probe_identifier),
            originator_name,
            original_encoded_information_types: None,
            content_type: Kept::new(content_type),
            content_identifier: None,
            content_length: None,
            per_message_indicators: Kept::default(),
            per_domain_bilateral_information: None,
            trace_information,
            extensions: Extensions::new(),
            per_recipient_fields: Recipients::new(recipients),
            layout: Layout::default(),
        }
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut identifier = None;
        let mut originator = None;
        let mut eits = None;
        let mut content_type = None;
        let mut content_identifier = None;
        let mut content_length = None;
        let mut indicators = Kept::default();
        let mut bilateral = None;
        let mut trace = None;
        let mut extensions = Extensions::new();
        let mut recipients = None;
        let layout = Layout::decode(tlv, field_of, |field, member| {
            match field {
                Field::ProbeIdentifier => {
                    identifier = Some(Kept::received(MtsIdentifier::decode(member)?, member));
                }
                Field::OriginatorName => originator = Some(OrName::decode(member)?),
                Field::OriginalEits => eits = Some(EncodedInformationTypes::decode(member)?),
                Field::ContentType => {
                    content_type = Some(Kept::received(ContentType::decode(member)?, member));
                }
                Field::ContentIdentifier => content_identifier = Some(ContentIdentifier::decode(member)?),
                Field::ContentLength => {
                    // Some implementations wrap the INTEGER in an explicit tag.
                    let length = if member.constructed { member.explicit()? } else { *member };
                    content_length = Some(Kept::received(length.integer()?, member));
                }
                Field::PerMessageIndicators => {
                    indicators = Kept::received(PerMessageIndicators(member.bit_string()?), member);
                }
                Field::BilateralInformation => bilateral = Some(member.raw.to_vec()),
                Field::TraceInformation => trace = Some(decode_trace(member)?),
                Field::Extensions => extensions = Extensions::decode(member)?,
                Field::PerRecipientFields => recipients = Some(PerRecipientFields::decode_list(member)?),
            }
            Ok(())
        })?;
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(ProbeTransferEnvelope {
            probe_identifier: identifier.ok_or_else(|| missing("probe-identifier"))?,
            originator_name: originator.ok_or_else(|| missing("originator-name"))?,
            original_encoded_information_types: eits,
            content_type: content_type.ok_or_else(|| missing("content-type"))?,
            content_identifier,
            content_length,
            per_message_indicators: indicators,
            per_domain_bilateral_information: bilateral,
            trace_information: trace.ok_or_else(|| missing("trace-information"))?,
            extensions,
            per_recipient_fields: recipients.ok_or_else(|| missing("per-recipient-fields"))?,
            layout,
        })
    }

    /// Reads a probe from its whole encoding, a SET under the tag it has in an MTS-APDU.
    ///
    /// # Errors
    /// The octets are no probe, or something follows it.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ber::Reader::new(octets);
        let tlv = reader.expect(PROBE).field("probe")?;
        let probe = ProbeTransferEnvelope::decode(&tlv).field("probe")?;
        reader.finish().field("probe")?;
        Ok(probe)
    }

    /// The whole encoding, under the tag it has in an MTS-APDU.
    pub fn to_octets(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.layout.write(w, PROBE, &ALL, |field, presence, w| match field {
            Field::ProbeIdentifier => self.probe_identifier.write(w, MtsIdentifier::write),
            Field::OriginatorName => self.originator_name.write(OR_NAME, w),
            Field::OriginalEits => {
                if let Some(types) = &self.original_encoded_information_types {
                    types.write(w);
                }
            }
            Field::ContentType => self.content_type.write(w, ContentType::write),
            Field::ContentIdentifier => ContentIdentifier::write(&self.content_identifier, w),
            Field::ContentLength => {
                if let Some(length) = &self.content_length {
                    length.write(w, |length, w| w.integer(Tag::context(0), *length));
                }
            }
            Field::PerMessageIndicators => {
                write_per_message_indicators(&self.per_message_indicators, presence, w);
            }
            Field::BilateralInformation => {
                if let Some(raw) = &self.per_domain_bilateral_information {
                    w.raw(raw);
                }
            }
            Field::TraceInformation => write_trace(&self.trace_information, w),
            Field::Extensions => self.extensions.write(Tag::context(3), w),
            Field::PerRecipientFields => PerRecipientFields::write_list(&self.per_recipient_fields, w),
        });
    }

    /// Puts all extensions, those of recipients too, into this coding.
    pub fn recode_extensions(&mut self, coding: ExtensionCoding) {
        self.extensions.recode(coding);
        self.per_recipient_fields.iter_mut().for_each(|recipient| recipient.extensions.recode(coding));
    }

    pub(super) fn forget_unknown_members(&mut self) {
        self.layout.forget_unknown();
    }

    /// Encodings of members that X.411 does not have.
    pub fn unknown_members(&self) -> impl Iterator<Item = &[u8]> {
        self.layout.unknown()
    }
}
