//! MTS-APDU as a whole (X.419): for what is small enough to be held in memory, and for tools.

use ber::{Reader, Tag, Tlv, Writer};

use super::envelope::MessageTransferEnvelope;
use super::probe::{PROBE, ProbeTransferEnvelope};
use super::report::{REPORT, Report};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::kept::{Frame, Kept};

/// What one RTSE transfer carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MtsApdu {
    /// `[0]`.
    Message(Box<Message>),
    /// `[2]`.
    Probe(Box<ProbeTransferEnvelope>),
    /// `[1]`.
    Report(Box<Report>),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Envelope.
    pub envelope: MessageTransferEnvelope,
    /// Content.
    pub content: Kept<Vec<u8>>,
    frame: Frame,
}

/// Tag of a message in an MTS-APDU.
pub(super) const MESSAGE: Tag = Tag::context(0);

impl MtsApdu {
    /// Reads an APDU from its whole encoding.
    ///
    /// # Errors
    /// The octets are no MTS-APDU, or something follows it.
    pub fn from_octets(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let tlv = reader.any()?;
        let apdu = match tlv.tag {
            MESSAGE => MtsApdu::Message(Box::new(Message::decode(&tlv).field("message")?)),
            REPORT => MtsApdu::Report(Box::new(Report::decode(&tlv).field("report")?)),
            PROBE => MtsApdu::Probe(Box::new(ProbeTransferEnvelope::decode(&tlv).field("probe")?)),
            other => return Err(DecodeError::new(DecodeErrorKind::Choice(other), tlv.offset())),
        };
        reader.finish()?;
        Ok(apdu)
    }

    /// The whole encoding.
    pub fn to_octets(&self) -> Vec<u8> {
        Writer::encode(|w| match self {
            MtsApdu::Message(message) => message.write(w),
            MtsApdu::Probe(probe) => probe.write(w),
            MtsApdu::Report(report) => report.write(w),
        })
    }
}

impl Message {
    /// A message of our own making.
    pub fn new(envelope: MessageTransferEnvelope, content: Vec<u8>) -> Self {
        Message { envelope, content: Kept::new(content), frame: Frame::New }
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let envelope = reader.expect(Tag::SET).field("envelope")?;
        let envelope = MessageTransferEnvelope::decode(&envelope).field("envelope")?;
        let content = reader.expect(Tag::OCTET_STRING).field("content")?;
        let octets = content.octets().field("content")?.into_owned();
        reader.finish()?;
        Ok(Message { envelope, content: Kept::received(octets, &content), frame: Frame::of(tlv) })
    }

    fn write(&self, w: &mut Writer) {
        self.frame.write(w, MESSAGE, |w| {
            self.envelope.write(w);
            self.content.write(w, |octets, w| w.primitive(Tag::OCTET_STRING, octets));
        });
    }
}

/// The octets of a message in front of `content_length` octets of content: both together are the APDU, with
/// definite lengths, so that a content of any size can be sent without being held in memory.
pub fn message_header(envelope: &MessageTransferEnvelope, content_length: u64) -> Vec<u8> {
    let body = Writer::encode(|w| {
        envelope.write(w);
        w.header(Tag::OCTET_STRING, false, content_length);
    });
    let mut header = Writer::new();
    header.header(MESSAGE, true, content_length.saturating_add(body.len() as u64));
    header.raw(&body);
    header.into_vec()
}
