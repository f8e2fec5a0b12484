//! Envelope of a message (X.411 MessageTransferEnvelope).

use core::fmt;

use ber::{Tag, Tlv, Writer};

use super::extensions::{ExtensionCoding, Extensions};
use super::indicators::PerMessageIndicators;
use super::recipient::{PerRecipientFields, Recipients};
use super::trace::{TRACE, TraceInformation, decode_trace, write_trace};
use crate::error::{DecodeError, Within};
use crate::kept::{Kept, Layout, Presence};
use crate::or_address::OR_NAME;
use crate::{ContentType, EncodedInformationTypes, MtsIdentifier, OrName, UtcTime, text};

/// Envelope of a message. What is not changed leaves as it came, unknown members included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTransferEnvelope {
    /// Identifies the message.
    pub message_identifier: Kept<MtsIdentifier>,
    /// Originator.
    pub originator_name: OrName,
    /// What the content was made of.
    pub original_encoded_information_types: Option<EncodedInformationTypes>,
    /// What the content is.
    pub content_type: Kept<ContentType>,
    /// The originator's own reference.
    pub content_identifier: Option<Kept<ContentIdentifier>>,
    /// Priority; normal if absent.
    pub priority: Kept<Priority>,
    /// Indicators; all zero if absent.
    pub per_message_indicators: Kept<PerMessageIndicators>,
    /// Not to be delivered before this time.
    pub deferred_delivery_time: Option<Kept<UtcTime>>,
    /// PerDomainBilateralInformation as its encoding, tag `[1]` included. Meant for other domains.
    pub per_domain_bilateral_information: Option<Vec<u8>>,
    /// Recipients, all of them in every copy.
    pub per_recipient_fields: Recipients,
    /// Trace.
    pub trace_information: TraceInformation,
    /// Extensions.
    pub extensions: Extensions,
    layout: Layout<Field>,
}

/// The originator's reference to a message, up to 16 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentIdentifier(pub String);

/// Priority; the value on the wire of a larger number is not the higher priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// 0.
    #[default]
    Normal,
    /// 1.
    NonUrgent,
    /// 2.
    Urgent,
    /// A number that X.411 does not have. To be treated as normal.
    Other(i64),
}

impl Priority {
    pub(crate) fn number(self) -> i64 {
        match self {
            Priority::Normal => 0,
            Priority::NonUrgent => 1,
            Priority::Urgent => 2,
            Priority::Other(number) => number,
        }
    }
}

impl From<i64> for Priority {
    fn from(number: i64) -> Self {
        match number {
            0 => Priority::Normal,
            1 => Priority::NonUrgent,
            2 => Priority::Urgent,
            other => Priority::Other(other),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Priority::Normal => f.write_str("normal"),
            Priority::NonUrgent => f.write_str("non-urgent"),
            Priority::Urgent => f.write_str("urgent"),
            Priority::Other(number) => write!(f, "unknown ({number})"),
        }
    }
}

impl ContentIdentifier {
    pub(crate) const TAG: Tag = Tag::application(10);

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Kept<Self>, DecodeError> {
        Ok(Kept::received(ContentIdentifier(text::decode(tlv)?), tlv))
    }

    pub(crate) fn write(value: &Option<Kept<Self>>, w: &mut Writer) {
        if let Some(identifier) = value {
            identifier.write(w, |id, w| w.primitive(Self::TAG, &text::to_latin1(&id.0)));
        }
    }
}

impl fmt::Display for ContentIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) const IDENTIFIER: Tag = Tag::application(4);
pub(super) const EITS: Tag = Tag::application(5);
const PRIORITY: Tag = Tag::application(7);
pub(super) const PER_MESSAGE_INDICATORS: Tag = Tag::application(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    MessageIdentifier,
    OriginatorName,
    OriginalEits,
    ContentType,
    ContentIdentifier,
    Priority,
    PerMessageIndicators,
    DeferredDeliveryTime,
    BilateralInformation,
    PerRecipientFields,
    TraceInformation,
    Extensions,
}

/// The order of the module, with the long per-recipient fields last as in the module.
const ALL: [Field; 12] = [
    Field::MessageIdentifier,
    Field::OriginatorName,
    Field::OriginalEits,
    Field::ContentType,
    Field::ContentIdentifier,
    Field::Priority,
    Field::PerMessageIndicators,
    Field::DeferredDeliveryTime,
    Field::BilateralInformation,
    Field::TraceInformation,
    Field::Extensions,
    Field::PerRecipientFields,
];

fn field_of(tlv: &Tlv<'_>) -> Option<(Field, &'static str)> {
    Some(match tlv.tag {
        IDENTIFIER => (Field::MessageIdentifier, "message-identifier"),
        OR_NAME => (Field::OriginatorName, "originator-name"),
        EITS => (Field::OriginalEits, "original-encoded-information-types"),
        tag if ContentType::is_tag(tag) => (Field::ContentType, "content-type"),
        ContentIdentifier::TAG => (Field::ContentIdentifier, "content-identifier"),
        PRIORITY => (Field::Priority, "priority"),
        PER_MESSAGE_INDICATORS => (Field::PerMessageIndicators, "per-message-indicators"),
        tag if tag == Tag::context(0) => (Field::DeferredDeliveryTime, "deferred-delivery-time"),
        tag if tag == Tag::context(1) => (Field::BilateralInformation, "per-domain-bilateral-information"),
        tag if tag == Tag::context(2) => (Field::PerRecipientFields, "per-recipient-fields"),
        TRACE => (Field::TraceInformation, "trace-information"),
        tag if tag == Tag::context(3) => (Field::Extensions, "extensions"),
        _ => return None,
    })
}

impl MessageTransferEnvelope {
    /// An envelope with the mandatory fields.
    pub fn new(
        message_identifier: MtsIdentifier,
        originator_name: OrName,
        content_type: ContentType,
        recipients: Vec<PerRecipientFields>,
        trace_information: TraceInformation,
    ) -> Self {
        MessageTransferEnvelope {
            message_identifier: Kept::new(message_identifier),
            originator_name,
            original_encoded_information_types: None,
            content_type: Kept::new(content_type),
            content_identifier: None,
            priority: Kept::default(),
            per_message_indicators: Kept::default(),
            deferred_delivery_time: None,
            per_domain_bilateral_information: None,
            per_recipient_fields: Recipients::new(recipients),
            trace_information,
            extensions: Extensions::new(),
            layout: Layout::default(),
        }
    }

    /// Reads an envelope from its whole encoding (a SET).
    ///
    /// # Errors
    /// The octets are no envelope, or something follows it.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ber::Reader::new(octets);
        let tlv = reader.expect(Tag::SET).field("envelope")?;
        let envelope = MessageTransferEnvelope::decode(&tlv).field("envelope")?;
        reader.finish().field("envelope")?;
        Ok(envelope)
    }

    /// The whole encoding (a SET).
    pub fn to_octets(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut identifier = None;
        let mut originator = None;
        let mut eits = None;
        let mut content_type = None;
        let mut content_identifier = None;
        let mut priority = Kept::default();
        let mut indicators = Kept::default();
        let mut deferred = None;
        let mut bilateral = None;
        let mut recipients = None;
        let mut trace = None;
        let mut extensions = Extensions::new();
        let layout = Layout::decode(tlv, field_of, |field, member| {
            match field {
                Field::MessageIdentifier => {
                    identifier = Some(Kept::received(MtsIdentifier::decode(member)?, member));
                }
                Field::OriginatorName => originator = Some(OrName::decode(member)?),
                Field::OriginalEits => eits = Some(EncodedInformationTypes::decode(member)?),
                Field::ContentType => {
                    content_type = Some(Kept::received(ContentType::decode(member)?, member));
                }
                Field::ContentIdentifier => content_identifier = Some(ContentIdentifier::decode(member)?),
                Field::Priority => priority = Kept::received(Priority::from(member.integer()?), member),
                Field::PerMessageIndicators => {
                    indicators = Kept::received(PerMessageIndicators(member.bit_string()?), member);
                }
                Field::DeferredDeliveryTime => {
                    deferred = Some(Kept::received(UtcTime::decode(member)?, member));
                }
                Field::BilateralInformation => bilateral = Some(member.raw.to_vec()),
                Field::PerRecipientFields => recipients = Some(PerRecipientFields::decode_list(member)?),
                Field::TraceInformation => trace = Some(decode_trace(member)?),
                Field::Extensions => extensions = Extensions::decode(member)?,
            }
            Ok(())
        })?;
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(MessageTransferEnvelope {
            message_identifier: identifier.ok_or_else(|| missing("message-identifier"))?,
            originator_name: originator.ok_or_else(|| missing("originator-name"))?,
            original_encoded_information_types: eits,
            content_type: content_type.ok_or_else(|| missing("content-type"))?,
            content_identifier,
            priority,
            per_message_indicators: indicators,
            deferred_delivery_time: deferred,
            per_domain_bilateral_information: bilateral,
            per_recipient_fields: recipients.ok_or_else(|| missing("per-recipient-fields"))?,
            trace_information: trace.ok_or_else(|| missing("trace-information"))?,
            extensions,
            layout,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.layout.write(w, Tag::SET, &ALL, |field, presence, w| match field {
            Field::MessageIdentifier => self.message_identifier.write(w, MtsIdentifier::write),
            Field::OriginatorName => self.originator_name.write(OR_NAME, w),
            Field::OriginalEits => {
                if let Some(types) = &self.original_encoded_information_types {
                    types.write(w);
                }
            }
            Field::ContentType => self.content_type.write(w, ContentType::write),
            Field::ContentIdentifier => ContentIdentifier::write(&self.content_identifier, w),
            Field::Priority => {
                if presence == Presence::Received || *self.priority != Priority::Normal {
                    self.priority.write(w, |priority, w| w.integer(PRIORITY, priority.number()));
                }
            }
            Field::PerMessageIndicators => {
                write_per_message_indicators(&self.per_message_indicators, presence, w);
            }
            Field::DeferredDeliveryTime => {
                if let Some(time) = &self.deferred_delivery_time {
                    time.write(w, |time, w| time.write(Tag::context(0), w));
                }
            }
            Field::BilateralInformation => {
                if let Some(raw) = &self.per_domain_bilateral_information {
                    w.raw(raw);
                }
            }
            Field::PerRecipientFields => PerRecipientFields::write_list(&self.per_recipient_fields, w),
            Field::TraceInformation => write_trace(&self.trace_information, w),
            Field::Extensions => self.extensions.write(Tag::context(3), w),
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

pub(super) fn write_per_message_indicators(
    indicators: &Kept<PerMessageIndicators>,
    presence: Presence,
    w: &mut Writer,
) {
    if presence == Presence::Received || **indicators != PerMessageIndicators::default() {
        indicators.write(w, |bits, w| w.bit_string(PER_MESSAGE_INDICATORS, &bits.0));
    }
}
