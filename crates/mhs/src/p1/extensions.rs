//! Extension fields of envelopes, recipients and reports (X.411 ExtensionField).

use core::fmt;
use core::ops::Range;

use ber::{BitString, Octets, Oid, Tag, Tlv, Writer};

use super::MAX_EXTENSIONS;
use super::extension_table::{StandardExtension, standard_extension};
use super::trace::{
    InternalTraceInformation, InternalTraceInformationElement, decode_internal_trace, encode_internal_trace,
};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::kept::List;

/// The extensions of one field, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(List<ExtensionField>);

/// One extension. Immutable: what came leaves as it came, what changes is replaced.
#[derive(Clone, Debug)]
pub struct ExtensionField {
    extension_type: ExtensionType,
    criticality: Criticality,
    encoding: Encoding,
}

/// The octets of an extension.
#[derive(Clone, Debug)]
enum Encoding {
    /// Of our own making: the value alone.
    New { value: Octets },
    /// All of them, and where the value is among them; NULL if it is absent.
    Whole { raw: Octets, value: Option<Range<usize>> },
}

/// NULL: the value of an extension that has none.
const NULL: &[u8] = &[5, 0];

/// What an extension is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionType {
    /// A number of X.411; unknown ones are kept.
    Standard(i64),
    /// An object identifier.
    Private(Oid),
}

/// How the number of an extension's type is coded. Both are always read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtensionCoding {
    /// As X.411 has it: `80 01 nn`.
    #[default]
    Standard,
    /// As some older MTAs have it, in an explicit tag: `a0 03 02 01 nn`.
    Legacy,
}

/// When an MTA that does not understand the extension must not go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Criticality {
    /// It must not accept a submission.
    pub for_submission: bool,
    /// It must not transfer.
    pub for_transfer: bool,
    /// It must not deliver.
    pub for_delivery: bool,
}

impl Criticality {
    /// Not critical.
    pub const NONE: Criticality =
        Criticality { for_submission: false, for_transfer: false, for_delivery: false };

    fn from_bits(bits: &BitString) -> Self {
        Criticality { for_submission: bits.bit(0), for_transfer: bits.bit(1), for_delivery: bits.bit(2) }
    }

    fn to_bits(self) -> BitString {
        let mut bits = BitString::default();
        for (n, on) in [self.for_submission, self.for_transfer, self.for_delivery].into_iter().enumerate() {
            if on {
                bits.set(n, true);
            }
        }
        bits
    }
}

impl ExtensionField {
    /// An extension of our own making. `value` is one complete encoding; empty stands for NULL.
    pub fn new(extension_type: ExtensionType, criticality: Criticality, value: Vec<u8>) -> Self {
        let value = if value.is_empty() { NULL.into() } else { value.into() };
        ExtensionField { extension_type, criticality, encoding: Encoding::New { value } }
    }

    /// What it is.
    pub fn extension_type(&self) -> &ExtensionType {
        &self.extension_type
    }

    /// Its criticality.
    pub fn criticality(&self) -> Criticality {
        self.criticality
    }

    /// Encoding of its value; NULL if there was none.
    pub fn value(&self) -> &[u8] {
        match &self.encoding {
            Encoding::New { value } => value,
            Encoding::Whole { raw, value } => value.clone().and_then(|value| raw.get(value)).unwrap_or(NULL),
        }
    }

    /// The same extension in this coding; octet for octet as it came if it came in it.
    #[must_use]
    pub fn with_coding(&self, coding: ExtensionCoding) -> Self {
        let now = match &self.encoding {
            Encoding::New { .. } => ExtensionCoding::Standard,
            Encoding::Whole { raw, .. } => self.coding_of(raw),
        };
        if now == coding {
            return self.clone();
        }
        let raw = Writer::encode(|w| self.write_fields(w, coding));
        // The value is written last, with definite lengths around it: nothing follows it.
        let value = self.has_value().then(|| raw.len().saturating_sub(self.value().len())..raw.len());
        let encoding = Encoding::Whole { raw: raw.into(), value };
        ExtensionField {
            extension_type: self.extension_type.clone(),
            criticality: self.criticality,
            encoding,
        }
    }

    /// In which coding an encoding is; an object identifier has one only.
    fn coding_of(&self, raw: &[u8]) -> ExtensionCoding {
        let first =
            ber::Reader::new(raw).any().and_then(|field| field.reader()).and_then(|mut fields| fields.any());
        match (first, &self.extension_type) {
            (Ok(first), ExtensionType::Standard(_)) if first.constructed => ExtensionCoding::Legacy,
            _ => ExtensionCoding::Standard,
        }
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let extension_type = ExtensionType::decode(&reader.any().field("type")?).field("type")?;
        let criticality = match reader.optional(Tag::context(1)).field("criticality")? {
            Some(bits) => Criticality::from_bits(&bits.bit_string().field("criticality")?),
            None => Criticality::NONE,
        };
        let value = match reader.optional(Tag::context(2)).field("value")? {
            Some(value) => {
                let value = value.explicit().field("value")?;
                let start = value.offset() - tlv.offset();
                Some(start..start + value.raw.len())
            }
            None => None,
        };
        let encoding = Encoding::Whole { raw: tlv.raw.into(), value };
        Ok(ExtensionField { extension_type, criticality, encoding })
    }

    fn has_value(&self) -> bool {
        self.value() != NULL
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        match &self.encoding {
            Encoding::Whole { raw, .. } => w.raw(raw),
            Encoding::New { .. } => self.write_fields(w, ExtensionCoding::Standard),
        }
    }

    fn write_fields(&self, w: &mut Writer, coding: ExtensionCoding) {
        w.constructed(Tag::SEQUENCE, |w| {
            match &self.extension_type {
                ExtensionType::Standard(number) if coding == ExtensionCoding::Legacy => {
                    w.constructed(Tag::context(0), |w| w.integer(Tag::INTEGER, *number));
                }
                ExtensionType::Standard(number) => w.integer(Tag::context(0), *number),
                ExtensionType::Private(oid) => w.oid(Tag::context(3), oid),
            }
            if self.criticality != Criticality::NONE {
                w.bit_string(Tag::context(1), &self.criticality.to_bits());
            }
            if self.has_value() {
                w.constructed(Tag::context(2), |w| w.raw(self.value()));
            }
        });
    }
}

impl PartialEq for ExtensionField {
    fn eq(&self, other: &Self) -> bool {
        self.extension_type == other.extension_type
            && self.criticality == other.criticality
            && self.value() == other.value()
    }
}

impl Eq for ExtensionField {}

impl ExtensionType {
    /// Either alternative under its implicit tag, or, as older implementations have it, wrapped in an
    /// explicit one.
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let inner = if tlv.constructed { tlv.explicit()? } else { *tlv };
        match tlv.tag {
            tag if tag == Tag::context(0) || tag == Tag::INTEGER => {
                Ok(ExtensionType::Standard(inner.integer()?))
            }
            tag if tag == Tag::context(3) || tag == Tag::OBJECT_IDENTIFIER => {
                Ok(ExtensionType::Private(inner.oid()?))
            }
            tag => Err(DecodeError::new(DecodeErrorKind::Choice(tag), tlv.offset())),
        }
    }
}

/// `internal-trace-information (38)`, or the object identifier.
impl fmt::Display for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExtensionType::Standard(number) => {
                let name = standard_extension(*number).map_or("unknown-extension", |known| known.name);
                write!(f, "{name} ({number})")
            }
            ExtensionType::Private(oid) => oid.fmt(f),
        }
    }
}

impl fmt::Display for Criticality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.for_submission, "for-submission"),
            (self.for_transfer, "for-transfer"),
            (self.for_delivery, "for-delivery"),
        ];
        let names: Vec<&str> = all.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        f.write_str(if names.is_empty() { "not critical" } else { "critical " })?;
        f.write_str(&names.join(", "))
    }
}

impl Extensions {
    /// No extensions.
    pub fn new() -> Self {
        Extensions::default()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &ExtensionField> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The standard extension with this number.
    pub fn standard(&self, number: i64) -> Option<&ExtensionField> {
        self.get(&ExtensionType::Standard(number))
    }

    /// The extension of this type.
    pub fn get(&self, extension_type: &ExtensionType) -> Option<&ExtensionField> {
        self.iter().find(|field| field.extension_type == *extension_type)
    }

    /// Replaces the extension of the same type where it stands, or adds the field at the end.
    pub fn set(&mut self, field: ExtensionField) {
        match self.0.iter_mut().find(|old| old.extension_type == field.extension_type) {
            Some(old) => *old = field,
            None => self.0.push(field),
        }
    }

    /// Removes the extension of this type.
    pub fn remove(&mut self, extension_type: &ExtensionType) {
        self.0.retain(|field| field.extension_type != *extension_type);
    }

    /// Keeps only the extensions that `keep` approves of.
    pub fn retain(&mut self, keep: impl FnMut(&ExtensionField) -> bool) {
        self.0.retain(keep);
    }

    /// Puts all of them into this coding. Those which came in it keep their octets.
    pub fn recode(&mut self, coding: ExtensionCoding) {
        self.0.iter_mut().for_each(|field| *field = field.with_coding(coding));
    }

    /// The internal trace (extension 38); empty if there is none.
    ///
    /// # Errors
    /// The value of the extension is no internal trace.
    pub fn internal_trace(&self) -> Result<InternalTraceInformation, DecodeError> {
        match self.standard(StandardExtension::INTERNAL_TRACE_INFORMATION) {
            Some(field) => decode_internal_trace(field.value()).field("internal-trace-information"),
            None => Ok(InternalTraceInformation::default()),
        }
    }

    /// Adds an element at the end of the internal trace, which is made if there is none. The elements that
    /// are there stay octet for octet.
    ///
    /// # Errors
    /// What is there is no internal trace.
    pub fn push_internal_trace(
        &mut self,
        element: InternalTraceInformationElement,
    ) -> Result<(), DecodeError> {
        let extension_type = ExtensionType::Standard(StandardExtension::INTERNAL_TRACE_INFORMATION);
        let mut trace = self.internal_trace()?;
        trace.push(element.into());
        let criticality = self.get(&extension_type).map_or(Criticality::NONE, ExtensionField::criticality);
        self.set(ExtensionField::new(extension_type, criticality, encode_internal_trace(&trace)));
        Ok(())
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        List::decode(tlv, Tag::SEQUENCE, MAX_EXTENSIONS, ExtensionField::decode).map(Extensions)
    }

    pub(crate) fn write(&self, tag: Tag, w: &mut Writer) {
        if !self.0.is_absent() {
            self.0.write(w, tag, ExtensionField::write);
        }
    }
}

impl FromIterator<ExtensionField> for Extensions {
    fn from_iter<I: IntoIterator<Item = ExtensionField>>(fields: I) -> Self {
        Extensions(List::new(fields.into_iter().collect()))
    }
}
