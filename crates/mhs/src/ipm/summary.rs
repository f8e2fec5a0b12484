//! What the first octets of a content tell of a message: its heading, short texts, names and sizes of files.
//!
//! Serves the commands that list and show messages whose contents are too large to be held in memory, and says
//! where in the content a file is so that it can be copied out.

use std::borrow::Cow;
use std::ops::Range;

use ber::{Oid, Reader, Tag, Tlv};

use super::body::{EXTENDED, IA5_TEXT, Instance, kind_of, registrations};
use super::charset;
use super::file_transfer::{FileTransferParameters, OCTET_ALIGNED};
use super::partial::{Element, Next, Partial};
use super::{BodyPart, Heading, IPM, Ipm, MAX_BODY_PARTS, oids};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::text;

/// A message as far as the first octets of its content tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The heading.
    pub heading: Heading,
    /// The body parts that begin in those octets.
    pub parts: Vec<PartSummary>,
    /// Whether there are, or may be, more parts than these.
    pub more: bool,
}

/// What is known of one body part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSummary {
    /// Its kind, by its name in X.420.
    pub kind: Cow<'static, str>,
    /// Octets of its whole encoding, if its length is known.
    pub octets: Option<u64>,
    /// The text, if it is a text part.
    pub text: Option<String>,
    /// Whether `text` is only the beginning of it.
    pub text_cut: bool,
    /// Name of the file, if it is a file.
    pub file_name: Option<String>,
    /// Where in the content the octets of the file are, if they are in one piece; otherwise the part must be
    /// decoded whole to get at the file.
    pub file_octets: Option<Range<u64>>,
    /// The part itself, if it lies whole within the octets.
    pub part: Option<BodyPart>,
}

impl Ipm {
    /// Reads as much of a message as `first_octets`, the beginning of its content, tell: for showing a message
    /// whose content is too large to be held.
    ///
    /// # Errors
    /// Not an IPM, malformed, or the heading does not end within `first_octets` ([`DecodeErrorKind::Incomplete`]).
    pub fn summary(first_octets: &[u8]) -> Result<Summary, DecodeError> {
        let ipm = Partial::new(first_octets).expect(IPM)?;
        let mut fields = ipm.elements();
        let heading = fields.expect(Tag::SET).field("heading")?;
        let raw =
            heading.raw.ok_or_else(|| DecodeError::at_offset(DecodeErrorKind::Incomplete, heading.start));
        let heading = decode_at(raw.field("heading")?, heading.start, Heading::decode).field("heading")?;
        let mut summary = Summary { heading, parts: Vec::new(), more: false };
        let mut body = fields.expect(Tag::SEQUENCE).field("body")?.elements();
        loop {
            let index = summary.parts.len();
            match body.next().field("body").index(index)? {
                Next::End => return Ok(summary),
                Next::Element(_) if index >= MAX_BODY_PARTS => {
                    summary.more = true;
                    return Ok(summary);
                }
                Next::Element(part) => {
                    summary.parts.push(PartSummary::read(&part).field("body").index(index)?)
                }
                Next::Cut => {
                    summary.more = true;
                    return Ok(summary);
                }
            }
        }
    }
}

impl PartSummary {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let part = match element.raw {
            Some(raw) => Some(decode_at(raw, element.start, |tlv| BodyPart::decode(tlv, 0))?),
            None => None,
        };
        let mut summary = PartSummary {
            kind: part.as_ref().map_or_else(|| kind_of(element.tag, None), BodyPart::kind),
            octets: element.end.map(|end| end - element.start),
            text: part.as_ref().and_then(BodyPart::text),
            text_cut: part.is_none(),
            file_name: None,
            file_octets: None,
            part,
        };
        // What is cut off is no error here, only unknown; what is whole has been decoded without one.
        if element.tag == EXTENDED {
            summary.read_extended(element);
        } else if element.tag == IA5_TEXT && summary.part.is_none() {
            summary.text = cut_ia5_text(element);
        }
        summary.text_cut = summary.text.is_some() && summary.part.is_none();
        Ok(summary)
    }

    /// Takes from an extended body part what its first octets tell. Gives up at the first thing that is missing.
    fn read_extended(&mut self, element: &Element<'_>) -> Option<()> {
        let mut fields = element.elements();
        let mut next = element_of(&mut fields)?;
        let mut parameters = None;
        if next.tag == Tag::context(0) {
            parameters = next.raw;
            next = element_of(&mut fields)?;
        }
        let mut data = next.elements();
        let id = oid_of(&element_of(&mut data)?)?;
        self.kind = kind_of(EXTENDED, Some(&id));
        let parameters = parameters.and_then(|raw| Reader::new(raw).any().ok());
        let value = element_of(&mut data).filter(|value| value.tag == Tag::context(0));
        let value = value.and_then(|value| element_of(&mut value.elements()));
        if id == oids::ET_GENERAL_TEXT && self.part.is_none() {
            let declared = parameters.and_then(|tlv| registrations(&tlv).ok()).unwrap_or_default();
            let octets = value.filter(|value| !value.constructed)?.contents;
            self.text = Some(charset::decode(octets, charset::right_set_of(&declared)));
        } else if id == oids::ET_FILE_TRANSFER {
            let parameters = parameters
                .and_then(|tlv| Instance::decode(&tlv).ok())
                .and_then(|instance| FileTransferParameters::decode(&instance.value).ok());
            self.file_name = parameters.and_then(|mut parameters| parameters.pathname.pop());
            self.file_octets = single_piece(&value?);
        }
        Some(())
    }
}

/// Where the file's octets are, if the data is one EXTERNAL with one primitive string.
fn single_piece(data: &Element<'_>) -> Option<Range<u64>> {
    let piece = element_of(&mut data.elements())?;
    if piece.end? != data.contents_start.checked_add(data.length?)? {
        return None;
    }
    let mut fields = piece.elements();
    loop {
        let field = element_of(&mut fields)?;
        if field.tag == OCTET_ALIGNED {
            let end = field.contents_start.checked_add(field.length?)?;
            return (!field.constructed).then_some(field.contents_start..end);
        }
    }
}

fn cut_ia5_text(element: &Element<'_>) -> Option<String> {
    let mut fields = element.elements();
    element_of(&mut fields).filter(|parameters| parameters.tag == Tag::SET)?;
    let data = element_of(&mut fields).filter(|data| data.tag == Tag::IA5_STRING && !data.constructed)?;
    Some(text::from_latin1(data.contents))
}

fn element_of<'a>(partial: &mut Partial<'a>) -> Option<Element<'a>> {
    match partial.next() {
        Ok(Next::Element(element)) => Some(element),
        Ok(Next::End | Next::Cut) | Err(_) => None,
    }
}

fn oid_of(element: &Element<'_>) -> Option<Oid> {
    let raw = element.raw.filter(|_| element.tag == Tag::OBJECT_IDENTIFIER)?;
    Reader::new(raw).any().ok()?.oid().ok()
}

/// Decodes an element that starts at `base`; errors tell offsets from the start of the content.
fn decode_at<T>(
    raw: &[u8],
    base: u64,
    decode: impl FnOnce(&Tlv<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let tlv = Reader::new(raw).any().map_err(|error| DecodeError::from(error).moved(base))?;
    decode(&tlv).map_err(|error| error.moved(base))
}
