//! Per-recipient fields of message and probe (X.411 PerRecipientMessageTransferFields).

use ber::{Tag, Tlv, Writer};

use super::MAX_RECIPIENTS;
use super::extensions::Extensions;
use super::indicators::PerRecipientIndicators;
use crate::error::DecodeError;
use crate::kept::{Kept, Layout, List};
use crate::{OrAddress, OrName};

/// The recipients of a message or probe.
pub type Recipients = List<PerRecipientFields>;

/// One recipient of a message or probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerRecipientFields {
    /// Name.
    pub recipient_name: OrName,
    /// The recipient's number in the message as it was submitted, from 1. Reports refer to it.
    pub originally_specified_recipient_number: Kept<i64>,
    /// Responsibility and report requests.
    pub per_recipient_indicators: Kept<PerRecipientIndicators>,
    /// A conversion that the originator asked for (X.411 ExplicitConversion).
    pub explicit_conversion: Option<Kept<i64>>,
    /// Extensions.
    pub extensions: Extensions,
    layout: Layout<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    RecipientName,
    Number,
    Indicators,
    ExplicitConversion,
    Extensions,
}

const ALL: [Field; 5] =
    [Field::RecipientName, Field::Number, Field::Indicators, Field::ExplicitConversion, Field::Extensions];

fn field_of(tlv: &Tlv<'_>) -> Option<(Field, &'static str)> {
    match tlv.tag {
        crate::or_address::OR_NAME => Some((Field::RecipientName, "recipient-name")),
        tag if tag == Tag::context(0) => Some((Field::Number, "originally-specified-recipient-number")),
        tag if tag == Tag::context(1) => Some((Field::Indicators, "per-recipient-indicators")),
        tag if tag == Tag::context(2) => Some((Field::ExplicitConversion, "explicit-conversion")),
        tag if tag == Tag::context(3) => Some((Field::Extensions, "extensions")),
        _ => None,
    }
}

impl PerRecipientFields {
    /// A recipient without explicit conversion and extensions.
    pub fn new(name: OrName, number: i64, indicators: PerRecipientIndicators) -> Self {
        PerRecipientFields {
            recipient_name: name,
            originally_specified_recipient_number: Kept::new(number),
            per_recipient_indicators: Kept::new(indicators),
            explicit_conversion: None,
            extensions: Extensions::new(),
            layout: Layout::default(),
        }
    }

    /// The recipient's address.
    pub fn address(&self) -> &OrAddress {
        self.recipient_name.address()
    }

    /// Whether the MTA that receives this copy has to deal with the recipient.
    pub fn responsibility(&self) -> bool {
        self.per_recipient_indicators.responsibility()
    }

    /// Sets or clears responsibility; everything else stays octet for octet.
    pub fn set_responsibility(&mut self, on: bool) {
        if self.responsibility() != on {
            self.per_recipient_indicators.edit().set_responsibility(on);
        }
    }

    pub(crate) fn decode_list(tlv: &Tlv<'_>) -> Result<Recipients, DecodeError> {
        List::decode(tlv, Tag::SET, MAX_RECIPIENTS, PerRecipientFields::decode)
    }

    pub(crate) fn write_list(list: &Recipients, w: &mut Writer) {
        list.write(w, Tag::context(2), PerRecipientFields::write);
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut name = None;
        let mut number = None;
        let mut indicators = None;
        let mut explicit_conversion = None;
        let mut extensions = Extensions::new();
        let layout = Layout::decode(tlv, field_of, |field, member| {
            match field {
                Field::RecipientName => name = Some(OrName::decode(member)?),
                Field::Number => number = Some(Kept::received(member.integer()?, member)),
                Field::Indicators => {
                    let bits = PerRecipientIndicators(member.bit_string()?);
                    indicators = Some(Kept::received(bits, member));
                }
                Field::ExplicitConversion => {
                    explicit_conversion = Some(Kept::received(member.integer()?, member));
                }
                Field::Extensions => extensions = Extensions::decode(member)?,
            }
            Ok(())
        })?;
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(PerRecipientFields {
            recipient_name: name.ok_or_else(|| missing("recipient-name"))?,
            originally_specified_recipient_number: number
                .ok_or_else(|| missing("originally-specified-recipient-number"))?,
            per_recipient_indicators: indicators.ok_or_else(|| missing("per-recipient-indicators"))?,
            explicit_conversion,
            extensions,
            layout,
        })
    }

    fn write(&self, w: &mut Writer) {
        self.layout.write(w, Tag::SET, &ALL, |field, _, w| match field {
            Field::RecipientName => self.recipient_name.write(crate::or_address::OR_NAME, w),
            Field::Number => self
                .originally_specified_recipient_number
                .write(w, |number, w| w.integer(Tag::context(0), *number)),
            Field::Indicators => {
                self.per_recipient_indicators.write(w, |bits, w| w.bit_string(Tag::context(1), &bits.0));
            }
            Field::ExplicitConversion => {
                if let Some(conversion) = &self.explicit_conversion {
                    conversion.write(w, |number, w| w.integer(Tag::context(2), *number));
                }
            }
            Field::Extensions => self.extensions.write(Tag::context(3), w),
        });
    }

    pub(super) fn forget_unknown_members(&mut self) {
        self.layout.forget_unknown();
    }

    /// Encodings of members that X.411 does not have.
    pub fn unknown_members(&self) -> impl Iterator<Item = &[u8]> {
        self.layout.unknown()
    }
}
