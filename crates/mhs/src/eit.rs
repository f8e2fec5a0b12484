//! Encoded information types (X.411): which kinds of body part a content holds.

use core::fmt;

use ber::{BitString, Octets, Oid, Reader, Tag, Tlv, Writer};

use crate::error::{DecodeError, DecodeErrorKind, Within};

/// Encoded information types. What came keeps its encoding; a change makes a new one without the
/// non-basic parameters of facsimile and teletex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedInformationTypes {
    built_in: BitString,
    extended: Vec<Oid>,
    raw: Option<Octets>,
}

const APPLICATION_5: Tag = Tag::application(5);
/// ub-encoded-information-types.
const MAX_EXTENDED: usize = 1024;

/// Names of the bits of BuiltInEncodedInformationTypes; bit 1 was telex.
const BUILT_IN_NAMES: [&str; 10] = [
    "unknown",
    "telex",
    "ia5-text",
    "g3-facsimile",
    "g4-class-1",
    "teletex",
    "videotex",
    "voice",
    "sfd",
    "mixed-mode",
];

impl EncodedInformationTypes {
    /// Bit number of ia5-text.
    pub const IA5_TEXT: usize = 2;

    /// No type at all.
    pub fn new() -> Self {
        EncodedInformationTypes::default()
    }

    /// ia5-text alone.
    pub fn ia5_text() -> Self {
        EncodedInformationTypes::new().with_built_in(EncodedInformationTypes::IA5_TEXT)
    }

    /// These types and a built-in one, by its bit number.
    #[must_use]
    pub fn with_built_in(mut self, bit: usize) -> Self {
        self.raw = None;
        self.built_in.set(bit, true);
        self
    }

    /// These types and an extended one.
    #[must_use]
    pub fn with_extended(mut self, oid: Oid) -> Self {
        self.raw = None;
        if !self.extended.contains(&oid) {
            self.extended.push(oid);
        }
        self
    }

    /// These types and the general-text types for character sets `registrations` of the international
    /// register (id-cs-eit-authority, 1.0.10021.7.1.0.N).
    #[must_use]
    pub fn with_general_text(self, registrations: &[u32]) -> Self {
        registrations
            .iter()
            .filter_map(|&n| Oid::from_arcs(&[1, 0, 10021, 7, 1, 0, n]))
            .fold(self, EncodedInformationTypes::with_extended)
    }

    /// These types and file-transfer (id-eit-file-transfer, 2.6.1.12.0).
    #[must_use]
    pub fn with_file_transfer(self) -> Self {
        self.with_extended(FILE_TRANSFER)
    }

    /// Whether the built-in type with this bit number is there.
    pub fn has_built_in(&self, bit: usize) -> bool {
        self.built_in.bit(bit)
    }

    /// The extended types.
    pub fn extended(&self) -> &[Oid] {
        &self.extended
    }

    /// Whether no type is named.
    pub fn is_empty(&self) -> bool {
        self.extended.is_empty() && self.built_in.octets.iter().all(|&octet| octet == 0)
    }

    /// These types as 1984 knows them: built-in types 0 to 9 with the non-basic parameters, and *undefined* in place of
    /// all others. Octet for octet as they came if 1984 knows them all.
    #[must_use]
    pub fn to_1984(&self) -> Self {
        let known = BUILT_IN_NAMES.len();
        let bits = self.built_in.octets.len().saturating_mul(8).saturating_sub(self.built_in.unused.into());
        let others = (known..bits).any(|bit| self.built_in.bit(bit));
        let old_members = |raw: &[u8]| {
            let members = Reader::new(raw).any().and_then(|types| types.reader());
            let mut members = members.ok()?;
            let mut parameters = Vec::new();
            let mut only_old = true;
            while let Some(member) = members.next().ok()? {
                match member.tag {
                    tag if (1..=3).map(Tag::context).any(|old| tag == old) => parameters.push(member.raw),
                    tag if tag == Tag::context(0) => {}
                    _ => only_old = false,
                }
            }
            Some((parameters.concat(), only_old))
        };
        let (parameters, only_old) = match &self.raw {
            Some(raw) => old_members(raw).unwrap_or_default(),
            None => (Vec::new(), self.extended.is_empty()),
        };
        if !others && only_old {
            return self.clone();
        }
        let mut built_in = BitString::default();
        for bit in (0..known).filter(|&bit| self.built_in.bit(bit)) {
            built_in.set(bit, true);
        }
        if others || !self.extended.is_empty() {
            built_in.set(0, true);
        }
        let raw = Writer::encode(|w| {
            w.constructed(APPLICATION_5, |w| {
                w.bit_string(Tag::context(0), &built_in);
                w.raw(&parameters);
            });
        });
        EncodedInformationTypes { built_in, extended: Vec::new(), raw: Some(raw.into()) }
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut types = EncodedInformationTypes { raw: Some(tlv.raw.into()), ..Default::default() };
        let mut reader = tlv.reader()?;
        while let Some(member) = reader.next()? {
            if member.tag == Tag::context(0) {
                types.built_in = member.bit_string().field("built-in-encoded-information-types")?;
            } else if member.tag == Tag::context(4) {
                let mut oids = member.reader()?;
                while let Some(oid) = oids.next()? {
                    if types.extended.len() >= MAX_EXTENDED {
                        let kind = DecodeErrorKind::TooMany { limit: MAX_EXTENDED };
                        return Err(DecodeError::new(kind, oid.offset()));
                    }
                    types.extended.push(oid.oid().field("extended-encoded-information-types")?);
                }
            }
        }
        Ok(types)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        if let Some(raw) = &self.raw {
            w.raw(raw);
            return;
        }
        w.constructed(APPLICATION_5, |w| {
            w.bit_string(Tag::context(0), &self.built_in);
            if !self.extended.is_empty() {
                w.constructed(Tag::context(4), |w| {
                    self.extended.iter().for_each(|oid| w.oid(Tag::OBJECT_IDENTIFIER, oid));
                });
            }
        });
    }
}

/// 2.6.1.12.0
const FILE_TRANSFER: Oid = Oid::from_static(&[0x56, 1, 12, 0]);

/// Names and object identifiers separated by commas.
impl fmt::Display for EncodedInformationTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for bit in 0..self.built_in.octets.len().saturating_mul(8).min(64) {
            if self.built_in.bit(bit) {
                match BUILT_IN_NAMES.get(bit) {
                    Some(name) => write!(f, "{separator}{name}")?,
                    None => write!(f, "{separator}bit {bit}")?,
                }
                separator = ", ";
            }
        }
        for oid in &self.extended {
            write!(f, "{separator}{oid}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}
