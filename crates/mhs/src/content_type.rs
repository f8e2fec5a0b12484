//! Content type of a message (X.411 ContentType).

use core::fmt;

use ber::{Oid, Tag, Tlv, Writer};

use crate::error::{DecodeError, DecodeErrorKind};

/// What the content is. The MTA does not look inside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// A number of X.411; unknown numbers are kept.
    BuiltIn(i64),
    /// Anything else.
    Extended(Oid),
}

const APPLICATION_6: Tag = Tag::application(6);

impl ContentType {
    /// 0.
    pub const UNIDENTIFIED: ContentType = ContentType::BuiltIn(0);
    /// 1: the content is an EXTERNAL.
    pub const EXTERNAL: ContentType = ContentType::BuiltIn(1);
    /// 2: interpersonal message of 1984 (P2).
    pub const P2: ContentType = ContentType::BuiltIn(2);
    /// 22: interpersonal message of 1988 (P22).
    pub const P22: ContentType = ContentType::BuiltIn(22);
    /// 35: EDI message (Pedi).
    pub const EDI: ContentType = ContentType::BuiltIn(35);
    /// 40: voice message.
    pub const VOICE: ContentType = ContentType::BuiltIn(40);
    /// 1.3.26.0.4406.0.4.1: military message (P772).
    pub const P772: ContentType =
        ContentType::Extended(Oid::from_static(&[0x2B, 0x1A, 0x00, 0xA2, 0x36, 0x00, 0x04, 0x01]));

    pub(crate) fn is_tag(tag: Tag) -> bool {
        [APPLICATION_6, Tag::OBJECT_IDENTIFIER, Tag::RELATIVE_OID].contains(&tag)
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        match tlv.tag {
            APPLICATION_6 => Ok(ContentType::BuiltIn(tlv.integer()?)),
            // The module of 1999 writes RELATIVE-OID, the wire has OBJECT IDENTIFIER.
            Tag::OBJECT_IDENTIFIER | Tag::RELATIVE_OID => Ok(ContentType::Extended(tlv.oid()?)),
            other => Err(DecodeError::new(DecodeErrorKind::Choice(other), tlv.offset())),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            ContentType::BuiltIn(number) => w.integer(APPLICATION_6, *number),
            ContentType::Extended(oid) => w.oid(Tag::OBJECT_IDENTIFIER, oid),
        }
    }
}

/// `interpersonal-messaging-1988 (22)`, or the object identifier.
impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContentType::BuiltIn(number) => {
                let name = match number {
                    0 => "unidentified",
                    1 => "external",
                    2 => "interpersonal-messaging-1984",
                    22 => "interpersonal-messaging-1988",
                    35 => "edi-messaging",
                    40 => "voice-messaging",
                    _ => "built-in",
                };
                write!(f, "{name} ({number})")
            }
            ContentType::Extended(oid) if *self == ContentType::P772 => write!(f, "P772 ({oid})"),
            ContentType::Extended(oid) => oid.fmt(f),
        }
    }
}
