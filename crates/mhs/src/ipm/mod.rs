//! Interpersonal messages and notifications (X.420): the content that P1 carries with content type 22, and 2.
//!
//! An MTA never looks in here: it relays contents as octets. These types serve the two ends, the commands that
//! submit a message and show one. Reading is lenient: heading fields and body parts which are not known are kept as
//! they came, and no character set stops a message from being shown. A notification (IPN) is read, not made.
//!
//! What is not done: no conversion between kinds of body part, no encryption, no checks of signatures.

use ber::{Reader, Tag, Tlv, Writer};

use crate::error::{DecodeError, DecodeErrorKind, Within};

mod body;
pub mod charset;
mod compose;
mod file_transfer;
mod heading;
mod ipn;
pub mod oids;
mod p2_check;
mod partial;
mod render;
mod subject_finder;
mod summary;

pub use body::encoded_information_types;
pub use body::{BilaterallyDefined, BodyPart, ForwardedIpm, GeneralText, Ia5Text, OtherPart, TeletexText};
pub use compose::{CONTENT_TYPE, ComposeError, ComposedFile, ComposedText, Draft};
pub use file_transfer::{FilePiece, FileTransfer, FileTransferParameters};
pub use heading::{
    Heading, Importance, IpmIdentifier, IpmsExtension, OrDescriptor, RecipientSpecifier, Sensitivity,
};
pub use ipn::{Ipn, IpnChoice, NonReceiptFields, ReceiptFields};
pub use p2_check::{P2Check, P2Verdict};
pub use render::{render, render_object};
pub use subject_finder::SubjectFinder;
pub use summary::{PartSummary, Summary};

/// Messages inside messages that are taken apart; what is nested deeper is kept as it came.
pub const MAX_FORWARDED_DEPTH: u8 = 6;

/// Body parts of one message that are read.
pub const MAX_BODY_PARTS: usize = 4096;

/// An O/R name where no implicit tag replaces its own.
const OR_NAME: Tag = Tag::application(0);

const IPM: Tag = Tag::context(0);
const IPN: Tag = Tag::context(1);

/// What a P2 or P22 content is (X.420 InformationObject).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InformationObject {
    /// A message.
    Ipm(Box<Ipm>),
    /// A notification about one.
    Ipn(Box<Ipn>),
}

impl InformationObject {
    /// Reads a content of type 2 or 22.
    ///
    /// # Errors
    /// Neither IPM nor IPN, malformed, or octets left over.
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(content);
        let object = reader.any()?;
        reader.finish()?;
        match object.tag {
            IPM => Ok(InformationObject::Ipm(Box::new(Ipm::decode_fields(&object, 0).field("ipm")?))),
            IPN => Ok(InformationObject::Ipn(Box::new(Ipn::decode(&object).field("ipn")?))),
            other => Err(DecodeError::new(DecodeErrorKind::Choice(other), object.offset())),
        }
    }
}

/// An interpersonal message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipm {
    /// Who, to whom, about what.
    pub heading: Heading,
    /// The body parts in order.
    pub body: Vec<BodyPart>,
}

impl Ipm {
    /// Reads a content of type 2 or 22 that must be a message.
    ///
    /// # Errors
    /// Not an IPM, malformed, or octets left over.
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(content);
        let object = reader.expect(IPM)?;
        reader.finish()?;
        Ipm::decode_fields(&object, 0).field("ipm")
    }

    /// The content: what goes into the content OCTET STRING of P1.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| w.constructed(IPM, |w| self.write_fields(w)))
    }

    /// Reads the members of an IPM that stands `depth` messages deep inside another.
    fn decode_fields(tlv: &Tlv<'_>, depth: u8) -> Result<Self, DecodeError> {
        let mut fields = tlv.reader()?;
        let heading = fields.expect(Tag::SET).field("heading")?;
        let heading = Heading::decode(&heading).field("heading")?;
        let body = fields.expect(Tag::SEQUENCE).field("body")?;
        let body = list(&body, MAX_BODY_PARTS, |part| BodyPart::decode(part, depth)).field("body")?;
        Ok(Ipm { heading, body })
    }

    fn write_fields(&self, w: &mut Writer) {
        self.heading.write(w);
        w.constructed(Tag::SEQUENCE, |w| self.body.iter().for_each(|part| part.write(w)));
    }
}

/// Reads a SEQUENCE OF or SET OF of at most `limit` elements.
fn list<T>(
    tlv: &Tlv<'_>,
    limit: usize,
    mut decode: impl FnMut(&Tlv<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut reader = tlv.reader()?;
    let mut items = Vec::new();
    while let Some(item) = reader.next().index(items.len())? {
        if items.len() >= limit {
            return Err(DecodeError::new(DecodeErrorKind::TooMany { limit }, item.offset()));
        }
        items.push(decode(&item).index(items.len())?);
    }
    Ok(items)
}
