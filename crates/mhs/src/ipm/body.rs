//! Body parts (X.420): which kinds there are, their text, and their encoded information types.
//!
//! Text, files, forwarded messages and bilaterally defined parts are taken apart; every other kind keeps its encoding.

use std::borrow::Cow;

use ber::{Oid, Tag, Tlv, Writer};

use super::charset::{self, RightSet};
use super::file_transfer::FileTransfer;
use super::{Ipm, MAX_FORWARDED_DEPTH, list, oids};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::{EncodedInformationTypes, text};

pub(super) const IA5_TEXT: Tag = Tag::context(0);
const TELETEX: Tag = Tag::context(5);
const MESSAGE: Tag = Tag::context(9);
const BILATERALLY_DEFINED: Tag = Tag::context(14);
pub(super) const EXTENDED: Tag = Tag::context(15);

/// Pages of one teletex part, character sets of one general text.
const MAX_ELEMENTS: usize = 4096;

/// One part of a message's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyPart {
    /// `[0]` ia5-text.
    Ia5Text(Ia5Text),
    /// `[5]` teletex.
    Teletex(TeletexText),
    /// `[9]` message: a forwarded message.
    Message(Box<ForwardedIpm>),
    /// `[14]` bilaterally-defined.
    BilaterallyDefined(BilaterallyDefined),
    /// `[15]` extended, general-text.
    GeneralText(GeneralText),
    /// `[15]` extended, file-transfer.
    FileTransfer(Box<FileTransfer>),
    /// Any other, kept as it came.
    Other(OtherPart),
}

/// Text in the International Alphabet No. 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ia5Text {
    /// repertoire: 5 is ia5, 2 is ita2.
    pub repertoire: i64,
    /// The octets of the IA5String.
    pub octets: Vec<u8>,
}

/// Teletex pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeletexText {
    /// Encoding of the parameters.
    pub parameters: Vec<u8>,
    /// The octets of each page's TeletexString.
    pub pages: Vec<Vec<u8>>,
}

/// A message inside this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedIpm {
    /// Encoding of the parameters: time and envelope with which it had been delivered.
    pub parameters: Vec<u8>,
    /// The message.
    pub ipm: Ipm,
}

/// Octets that only the two parties understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilaterallyDefined(pub Vec<u8>);

/// Text in character sets of the ISO register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneralText {
    /// CharacterSetRegistration numbers.
    pub registrations: Vec<i64>,
    /// The octets of the GeneralString.
    pub octets: Vec<u8>,
}

/// A body part that is not taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPart {
    /// Tag of the alternative.
    pub tag: Tag,
    /// Type of an extended body part's data.
    pub data_type: Option<Oid>,
    /// The whole encoding.
    pub raw: Vec<u8>,
}

impl BodyPart {
    /// A text part: IA5 if all its characters are, else general text (ISO 8859-1, or UTF-8 if that is too narrow).
    /// Line feeds that stand alone become carriage return and line feed, which end a line in both kinds.
    pub fn text_part(text: &str) -> Self {
        let text = with_line_ends(text);
        if text.is_ascii() {
            return BodyPart::Ia5Text(Ia5Text { repertoire: 5, octets: text.into_owned().into_bytes() });
        }
        let general = charset::encode_general(&text);
        BodyPart::GeneralText(GeneralText {
            registrations: general.registrations.iter().map(|&number| i64::from(number)).collect(),
            octets: general.octets,
        })
    }

    /// The words of a text part; `None` if it is none.
    pub fn text(&self) -> Option<String> {
        match self {
            BodyPart::Ia5Text(part) => Some(text::from_latin1(&part.octets)),
            BodyPart::Teletex(part) => {
                let pages = part.pages.iter().map(|page| charset::decode(page, RightSet::Teletex));
                Some(pages.collect::<Vec<_>>().join("\u{0C}"))
            }
            BodyPart::GeneralText(part) => Some(part.text()),
            BodyPart::Message(_)
            | BodyPart::BilaterallyDefined(_)
            | BodyPart::FileTransfer(_)
            | BodyPart::Other(_) => None,
        }
    }

    /// The kind of part by its name in X.420, or the object identifier of an unknown extended one.
    pub fn kind(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            BodyPart::Ia5Text(_) => "ia5-text",
            BodyPart::Teletex(_) => "teletex",
            BodyPart::Message(_) => "message",
            BodyPart::BilaterallyDefined(_) => "bilaterally-defined",
            BodyPart::GeneralText(_) => "general-text",
            BodyPart::FileTransfer(_) => "file-transfer",
            BodyPart::Other(part) => return kind_of(part.tag, part.data_type.as_ref()),
        })
    }

    pub(super) fn decode(tlv: &Tlv<'_>, depth: u8) -> Result<Self, DecodeError> {
        Ok(match tlv.tag {
            IA5_TEXT => BodyPart::Ia5Text(Ia5Text::decode(tlv).field("ia5-text")?),
            TELETEX => BodyPart::Teletex(TeletexText::decode(tlv).field("teletex")?),
            MESSAGE if depth < MAX_FORWARDED_DEPTH => {
                BodyPart::Message(Box::new(ForwardedIpm::decode(tlv, depth + 1).field("message")?))
            }
            BILATERALLY_DEFINED => {
                let octets = tlv.octets().field("bilaterally-defined")?.into_owned();
                BodyPart::BilaterallyDefined(BilaterallyDefined(octets))
            }
            EXTENDED => decode_extended(tlv).field("extended")?,
            tag => BodyPart::Other(OtherPart { tag, data_type: None, raw: tlv.raw.to_vec() }),
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            BodyPart::Ia5Text(part) => w.constructed(IA5_TEXT, |w| {
                w.constructed(Tag::SET, |w| {
                    if part.repertoire != 5 {
                        w.integer(Tag::context(0), part.repertoire);
                    }
                });
                w.primitive(Tag::IA5_STRING, &part.octets);
            }),
            BodyPart::Teletex(part) => w.constructed(TELETEX, |w| {
                w.raw(&part.parameters);
                w.constructed(Tag::SEQUENCE, |w| {
                    part.pages.iter().for_each(|page| w.primitive(Tag::TELETEX_STRING, page));
                });
            }),
            BodyPart::Message(part) => w.constructed(MESSAGE, |w| {
                w.raw(&part.parameters);
                w.constructed(Tag::SEQUENCE, |w| part.ipm.write_fields(w));
            }),
            BodyPart::BilaterallyDefined(part) => w.primitive(BILATERALLY_DEFINED, &part.0),
            BodyPart::GeneralText(part) => w.constructed(EXTENDED, |w| {
                write_instance(w, Tag::context(0), &oids::EP_GENERAL_TEXT, |w| {
                    w.constructed(Tag::SET, |w| {
                        part.registrations.iter().for_each(|&number| w.integer(Tag::INTEGER, number));
                    });
                });
                write_instance(w, Tag::EXTERNAL, &oids::ET_GENERAL_TEXT, |w| {
                    w.primitive(Tag::GENERAL_STRING, &part.octets);
                });
            }),
            BodyPart::FileTransfer(part) => w.constructed(EXTENDED, |w| part.write(w)),
            BodyPart::Other(part) => w.raw(&part.raw),
        }
    }

    /// Adds the encoded information type of this part.
    fn add_types(&self, types: EncodedInformationTypes) -> EncodedInformationTypes {
        match self {
            BodyPart::Ia5Text(_) => types.with_built_in(EncodedInformationTypes::IA5_TEXT),
            BodyPart::Teletex(_) => types.with_built_in(5),
            BodyPart::Message(part) => {
                part.ipm.body.iter().fold(types, |types, inner| inner.add_types(types))
            }
            BodyPart::GeneralText(part) => {
                let numbers: Vec<u32> =
                    part.registrations.iter().filter_map(|&number| u32::try_from(number).ok()).collect();
                types.with_general_text(&numbers)
            }
            BodyPart::FileTransfer(_) => types.with_file_transfer(),
            BodyPart::BilaterallyDefined(_) => types.with_built_in(0),
            BodyPart::Other(part) => match (part.tag, &part.data_type) {
                (EXTENDED, Some(id)) if *id == oids::ET_VOICE => types.with_extended(oids::EIT_VOICE),
                (EXTENDED, Some(id)) if *id == oids::ET_IA5_TEXT => {
                    types.with_built_in(EncodedInformationTypes::IA5_TEXT)
                }
                (tag, _) => types.with_built_in(match (tag.class, tag.number) {
                    (ber::Class::Context, 3) => 3,
                    (ber::Class::Context, 4) => 4,
                    (ber::Class::Context, 6) => 6,
                    (ber::Class::Context, 11) => 9,
                    _ => 0,
                }),
            },
        }
    }
}

/// The original-encoded-information-types of an envelope whose content has this body (X.420: the logical union
/// of those of the parts; what has no type of its own is *unknown*, bit 0).
pub fn encoded_information_types(body: &[BodyPart]) -> EncodedInformationTypes {
    body.iter().fold(EncodedInformationTypes::new(), |types, part| part.add_types(types))
}

impl Ia5Text {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        let repertoire = repertoire(&fields.expect(Tag::SET).field("parameters")?).field("parameters")?;
        let data = fields.expect(Tag::IA5_STRING).field("data")?;
        Ok(Ia5Text { repertoire, octets: data.octets().field("data")?.into_owned() })
    }
}

fn repertoire(parameters: &Tlv<'_>) -> Result<i64, DecodeError> {
    let mut members = parameters.reader()?;
    while let Some(member) = members.next()? {
        if member.tag == Tag::context(0) {
            return Ok(member.integer()?);
        }
    }
    Ok(5)
}

impl TeletexText {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        let parameters = fields.expect(Tag::SET).field("parameters")?.raw.to_vec();
        let data = fields.expect(Tag::SEQUENCE).field("data")?;
        let pages = list(&data, MAX_ELEMENTS, |page| Ok(page.octets()?.into_owned())).field("data")?;
        Ok(TeletexText { parameters, pages })
    }
}

impl ForwardedIpm {
    fn decode(tlv: &Tlv<'_>, depth: u8) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        let parameters = fields.expect(Tag::SET).field("parameters")?.raw.to_vec();
        let data = fields.expect(Tag::SEQUENCE).field("data")?;
        Ok(ForwardedIpm { parameters, ipm: Ipm::decode_fields(&data, depth).field("data")? })
    }
}

impl GeneralText {
    /// The text in words.
    pub fn text(&self) -> String {
        charset::decode(&self.octets, charset::right_set_of(&self.registrations))
    }
}

/// An INSTANCE OF, which is an EXTERNAL with direct reference and a single ASN.1 type: its type and its value.
pub(super) struct Instance<'a> {
    pub(super) id: Oid,
    pub(super) value: Tlv<'a>,
}

impl<'a> Instance<'a> {
    pub(super) fn decode(tlv: &Tlv<'a>) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        let id = fields.expect(Tag::OBJECT_IDENTIFIER).field("type-id")?.oid().field("type-id")?;
        let value = fields.expect(Tag::context(0)).field("value")?.explicit().field("value")?;
        Ok(Instance { id, value })
    }
}

pub(super) fn write_instance(w: &mut Writer, tag: Tag, id: &Oid, value: impl FnOnce(&mut Writer)) {
    w.constructed(tag, |w| {
        w.oid(Tag::OBJECT_IDENTIFIER, id);
        w.constructed(Tag::context(0), value);
    });
}

fn decode_extended(tlv: &Tlv<'_>) -> Result<BodyPart, DecodeError> {
    let mut fields = tlv.reader()?;
    let parameters = fields.optional(Tag::context(0)).field("parameters")?;
    let data = fields.expect(Tag::EXTERNAL).field("data")?;
    // Data in another of EXTERNAL's forms is legal for types that are not known here.
    let Ok(instance) = Instance::decode(&data) else {
        let data_type = data.reader()?.optional(Tag::OBJECT_IDENTIFIER)?.and_then(|id| id.oid().ok());
        return Ok(BodyPart::Other(OtherPart { tag: EXTENDED, data_type, raw: tlv.raw.to_vec() }));
    };
    if instance.id == oids::ET_GENERAL_TEXT {
        let registrations = match &parameters {
            Some(parameters) => registrations(parameters).field("parameters")?,
            None => Vec::new(),
        };
        let octets = instance.value.octets().field("data")?.into_owned();
        return Ok(BodyPart::GeneralText(GeneralText { registrations, octets }));
    }
    if instance.id == oids::ET_FILE_TRANSFER {
        let part = FileTransfer::decode(parameters.as_ref(), &instance.value)?;
        return Ok(BodyPart::FileTransfer(Box::new(part)));
    }
    Ok(BodyPart::Other(OtherPart { tag: EXTENDED, data_type: Some(instance.id), raw: tlv.raw.to_vec() }))
}

pub(super) fn registrations(parameters: &Tlv<'_>) -> Result<Vec<i64>, DecodeError> {
    let instance = Instance::decode(parameters)?;
    if instance.value.tag != Tag::SET {
        let kind = ber::ErrorKind::UnexpectedTag { expected: Tag::SET, found: instance.value.tag };
        return Err(DecodeError::new(DecodeErrorKind::Encoding(kind), instance.value.offset()));
    }
    list(&instance.value, MAX_ELEMENTS, |number| Ok(number.integer()?))
}

/// The name in X.420 of a kind of body part.
pub(super) fn kind_of(tag: Tag, data_type: Option<&Oid>) -> Cow<'static, str> {
    let basic = match (tag.class, tag.number) {
        (ber::Class::Context, 0) => "ia5-text",
        (ber::Class::Context, 3) => "g3-facsimile",
        (ber::Class::Context, 4) => "g4-class1",
        (ber::Class::Context, 5) => "teletex",
        (ber::Class::Context, 6) => "videotex",
        (ber::Class::Context, 7) => "nationally-defined",
        (ber::Class::Context, 8) => "encrypted",
        (ber::Class::Context, 9) => "message",
        (ber::Class::Context, 11) => "mixed-mode",
        (ber::Class::Context, 14) => "bilaterally-defined",
        (ber::Class::Context, 15) => match data_type {
            Some(id) => {
                return oids::name(id).map_or_else(|| Cow::Owned(format!("extended {id}")), Cow::Borrowed);
            }
            None => "extended",
        },
        _ => return Cow::Owned(format!("body part {tag}")),
    };
    Cow::Borrowed(basic)
}

/// `text` with CR LF at the end of every line.
fn with_line_ends(text: &str) -> Cow<'_, str> {
    let mut previous = '\0';
    let alone = |c: char| {
        let found = c == '\n' && previous != '\r';
        previous = c;
        found
    };
    if !text.contains(alone) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut previous = '\0';
    for c in text.chars() {
        if c == '\n' && previous != '\r' {
            out.push('\r');
        }
        out.push(c);
        previous = c;
    }
    Cow::Owned(out)
}
