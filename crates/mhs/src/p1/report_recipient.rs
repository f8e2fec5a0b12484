//! What a report says about one recipient (X.411 PerRecipientReportTransferFields).

use ber::{Tag, Tlv, Writer};

use super::extensions::Extensions;
use super::indicators::PerRecipientIndicators;
use super::recipient::PerRecipientFields;
use crate::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::kept::{Kept, Layout};
use crate::{EncodedInformationTypes, OrName, UtcTime, text};

/// What a report says about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerRecipientReportFields {
    /// To whom it was delivered or should have been.
    pub actual_recipient_name: OrName,
    /// The recipient's number in the subject.
    pub originally_specified_recipient_number: Kept<i64>,
    /// Copied from the subject.
    pub per_recipient_indicators: Kept<PerRecipientIndicators>,
    /// When, and what happened.
    pub last_trace_information: Kept<LastTraceInformation>,
    /// To whom the originator sent it, if it was redirected.
    pub originally_intended_recipient_name: Option<OrName>,
    /// Text for people, up to 256 printable characters.
    pub supplementary_information: Option<Kept<String>>,
    /// Extensions.
    pub extensions: Extensions,
    layout: Layout<Field>,
}

/// LastTraceInformation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTraceInformation {
    /// When the subject arrived in the reporting domain.
    pub arrival_time: UtcTime,
    /// What the content was converted to.
    pub converted_encoded_information_types: Option<EncodedInformationTypes>,
    /// What happened.
    pub report_type: ReportType,
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportType {
    /// It was delivered.
    Delivery(Delivery),
    /// It was not.
    NonDelivery(NonDelivery),
}

/// Delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub message_delivery_time: UtcTime,
    /// To what.
    pub type_of_mts_user: TypeOfMtsUser,
}

/// Non-delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonDelivery {
    /// Why.
    pub reason: NonDeliveryReasonCode,
    /// Why, in detail.
    pub diagnostic: Option<NonDeliveryDiagnosticCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    ActualRecipient,
    Number,
    Indicators,
    LastTrace,
    OriginallyIntended,
    SupplementaryInformation,
    Extensions,
}

const ALL: [Field; 7] = [
    Field::ActualRecipient,
    Field::Number,
    Field::Indicators,
    Field::LastTrace,
    Field::OriginallyIntended,
    Field::SupplementaryInformation,
    Field::Extensions,
];

const ACTUAL_RECIPIENT: Tag = Tag::context(0);
const NUMBER: Tag = Tag::context(1);
const INDICATORS: Tag = Tag::context(2);
const LAST_TRACE: Tag = Tag::context(3);
const ORIGINALLY_INTENDED: Tag = Tag::context(4);
const SUPPLEMENTARY: Tag = Tag::context(5);
const EXTENSIONS: Tag = Tag::context(6);
const EITS: Tag = Tag::application(5);

fn field_of(tlv: &Tlv<'_>) -> Option<(Field, &'static str)> {
    Some(match tlv.tag {
        ACTUAL_RECIPIENT => (Field::ActualRecipient, "actual-recipient-name"),
        NUMBER => (Field::Number, "originally-specified-recipient-number"),
        INDICATORS => (Field::Indicators, "per-recipient-indicators"),
        LAST_TRACE => (Field::LastTrace, "last-trace-information"),
        ORIGINALLY_INTENDED => (Field::OriginallyIntended, "originally-intended-recipient-name"),
        SUPPLEMENTARY => (Field::SupplementaryInformation, "supplementary-information"),
        EXTENSIONS => (Field::Extensions, "extensions"),
        _ => return None,
    })
}

impl PerRecipientReportFields {
    /// What happened to `recipient` of the subject.
    pub fn about(recipient: &PerRecipientFields, last_trace_information: LastTraceInformation) -> Self {
        PerRecipientReportFields {
            actual_recipient_name: recipient.recipient_name.clone(),
            originally_specified_recipient_number: Kept::new(
                *recipient.originally_specified_recipient_number,
            ),
            per_recipient_indicators: Kept::new(recipient.per_recipient_indicators.clone().into_value()),
            last_trace_information: Kept::new(last_trace_information),
            originally_intended_recipient_name: None,
            supplementary_information: None,
            extensions: Extensions::new(),
            layout: Layout::default(),
        }
    }

    /// These fields with a text for people: cut to 256 characters, others than printable ones replaced by
    /// `?`.
    #[must_use]
    pub fn with_supplementary_information(mut self, text: &str) -> Self {
        let printable = |c: char| if text::is_printable(c.encode_utf8(&mut [0; 4])) { c } else { '?' };
        let text: String = text.chars().take(256).map(printable).collect();
        self.supplementary_information = (!text.is_empty()).then(|| Kept::new(text));
        self
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut actual = None;
        let mut number = None;
        let mut indicators = None;
        let mut last_trace = None;
        let mut intended = None;
        let mut supplementary = None;
        let mut extensions = Extensions::new();
        let layout = Layout::decode(tlv, field_of, |field, member| {
            match field {
                Field::ActualRecipient => actual = Some(OrName::decode(member)?),
                Field::Number => number = Some(Kept::received(member.integer()?, member)),
                Field::Indicators => {
                    let bits = PerRecipientIndicators(member.bit_string()?);
                    indicators = Some(Kept::received(bits, member));
                }
                Field::LastTrace => {
                    last_trace = Some(Kept::received(LastTraceInformation::decode(member)?, member));
                }
                Field::OriginallyIntended => intended = Some(OrName::decode(member)?),
                Field::SupplementaryInformation => {
                    supplementary = Some(Kept::received(text::decode(member)?, member));
                }
                Field::Extensions => extensions = Extensions::decode(member)?,
            }
            Ok(())
        })?;
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(PerRecipientReportFields {
            actual_recipient_name: actual.ok_or_else(|| missing("actual-recipient-name"))?,
            originally_specified_recipient_number: number
                .ok_or_else(|| missing("originally-specified-recipient-number"))?,
            per_recipient_indicators: indicators.ok_or_else(|| missing("per-recipient-indicators"))?,
            last_trace_information: last_trace.ok_or_else(|| missing("last-trace-information"))?,
            originally_intended_recipient_name: intended,
            supplementary_information: supplementary,
            extensions,
            layout,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.layout.write(w, Tag::SET, &ALL, |field, _, w| match field {
            // Implicit tags: they replace the tag of the O/R name.
            Field::ActualRecipient => self.actual_recipient_name.write(ACTUAL_RECIPIENT, w),
            Field::Number => {
                self.originally_specified_recipient_number.write(w, |number, w| w.integer(NUMBER, *number));
            }
            Field::Indicators => {
                self.per_recipient_indicators.write(w, |bits, w| w.bit_string(INDICATORS, &bits.0));
            }
            Field::LastTrace => self.last_trace_information.write(w, LastTraceInformation::write),
            Field::OriginallyIntended => {
                if let Some(name) = &self.originally_intended_recipient_name {
                    name.write(ORIGINALLY_INTENDED, w);
                }
            }
            Field::SupplementaryInformation => {
                if let Some(text) = &self.supplementary_information {
                    text.write(w, |text, w| w.primitive(SUPPLEMENTARY, &text::to_latin1(text)));
                }
            }
            Field::Extensions => self.extensions.write(EXTENSIONS, w),
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

impl LastTraceInformation {
    /// The recipient got the message.
    pub fn delivered(arrival: UtcTime, delivery: UtcTime, to: TypeOfMtsUser) -> Self {
        LastTraceInformation {
            arrival_time: arrival,
            converted_encoded_information_types: None,
            report_type: ReportType::Delivery(Delivery {
                message_delivery_time: delivery,
                type_of_mts_user: to,
            }),
        }
    }

    /// The recipient did not get the message.
    pub fn not_delivered(
        arrival: UtcTime,
        reason: NonDeliveryReasonCode,
        diagnostic: Option<NonDeliveryDiagnosticCode>,
    ) -> Self {
        LastTraceInformation {
            arrival_time: arrival,
            converted_encoded_information_types: None,
            report_type: ReportType::NonDelivery(NonDelivery { reason, diagnostic }),
        }
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut arrival_time = None;
        let mut converted = None;
        let mut report_type = None;
        let mut reader = tlv.reader()?;
        while let Some(member) = reader.next()? {
            match member.tag {
                tag if tag == Tag::context(0) => {
                    arrival_time = Some(UtcTime::decode(&member).field("arrival-time")?);
                }
                tag if tag == Tag::context(1) => {
                    let inner = member.explicit().field("report-type")?;
                    report_type = Some(ReportType::decode(&inner).field("report-type")?);
                }
                EITS => {
                    let types = EncodedInformationTypes::decode(&member);
                    converted = Some(types.field("converted-encoded-information-types")?);
                }
                _ => {}
            }
        }
        let missing = |name| DecodeError::missing(name, tlv.offset());
        Ok(LastTraceInformation {
            arrival_time: arrival_time.ok_or_else(|| missing("arrival-time"))?,
            converted_encoded_information_types: converted,
            report_type: report_type.ok_or_else(|| missing("report-type"))?,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.constructed(LAST_TRACE, |w| {
            self.arrival_time.write(Tag::context(0), w);
            if let Some(types) = &self.converted_encoded_information_types {
                types.write(w);
            }
            w.constructed(Tag::context(1), |w| self.report_type.write(w));
        });
    }
}

impl ReportType {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut first = None;
        let mut second = None;
        let mut reader = tlv.reader()?;
        while let Some(member) = reader.next()? {
            if member.tag == Tag::context(0) {
                first = Some(member);
            } else if member.tag == Tag::context(1) {
                second = Some(member);
            }
        }
        match tlv.tag {
            tag if tag == Tag::context(0) => {
                let time =
                    first.ok_or_else(|| DecodeError::missing("message-delivery-time", tlv.offset()))?;
                let user = second.map(|user| user.integer()).transpose().field("type-of-MTS-user")?;
                Ok(ReportType::Delivery(Delivery {
                    message_delivery_time: UtcTime::decode(&time).field("message-delivery-time")?,
                    type_of_mts_user: user.map_or(TypeOfMtsUser::PUBLIC, TypeOfMtsUser),
                }))
            }
            tag if tag == Tag::context(1) => {
                let name = "non-delivery-reason-code";
                let reason = first.ok_or_else(|| DecodeError::missing(name, tlv.offset()))?;
                let diagnostic = second.map(|code| code.integer()).transpose();
                Ok(ReportType::NonDelivery(NonDelivery {
                    reason: NonDeliveryReasonCode(reason.integer().field(name)?),
                    diagnostic: diagnostic
                        .field("non-delivery-diagnostic-code")?
                        .map(NonDeliveryDiagnosticCode),
                }))
            }
            tag => Err(DecodeError::new(DecodeErrorKind::Choice(tag), tlv.offset())),
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            ReportType::Delivery(delivery) => w.constructed(Tag::context(0), |w| {
                delivery.message_delivery_time.write(Tag::context(0), w);
                if delivery.type_of_mts_user != TypeOfMtsUser::PUBLIC {
                    w.integer(Tag::context(1), delivery.type_of_mts_user.0);
                }
            }),
            ReportType::NonDelivery(non_delivery) => w.constructed(Tag::context(1), |w| {
                w.integer(Tag::context(0), non_delivery.reason.0);
                if let Some(diagnostic) = non_delivery.diagnostic {
                    w.integer(Tag::context(1), diagnostic.0);
                }
            }),
        }
    }
}
