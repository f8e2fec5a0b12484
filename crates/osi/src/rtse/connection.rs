//! The name of a session connection (X.228 SessionConnectionIdentifier).

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use ber::{Error, ErrorKind, Reader, Tag, Tlv, Writer};
use serde::{Deserialize, Serialize};

use crate::session::{ConnectionIdentifier, OldConnection};

/// Octets of the calling SS-user reference and of the common reference that X.225 has room for.
const REFERENCE_OCTETS_MAX: usize = 64;
/// The same for the additional reference information.
const ADDITIONAL_OCTETS_MAX: usize = 4;

/// Names a session connection for as long as anything of it may be taken up again: an association that is recovered, an
/// activity that is resumed on another connection.
///
/// The parts are kept as they are in the SPDUs that carry them (X.225 PGI 1 and PGI 33), which for RTSE means that each
/// is a BER encoding. Two are the same if the values in the encodings are, whatever kind of string holds them: X.410
/// mode and normal mode differ in that, and so do implementations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SessionConnectionIdentifier {
    /// Calling SS-user reference; empty when absent, as are the others.
    user: Vec<u8>,
    common: Vec<u8>,
    additional: Vec<u8>,
}

impl SessionConnectionIdentifier {
    /// Whether the parts that X.228 requires are there. What lacks them is no name: a peer may call all its connections
    /// the same.
    pub fn is_complete(&self) -> bool {
        !self.user.is_empty() && !self.common.is_empty()
    }

    /// Reads the SEQUENCE of "recover" in an RTORQ or RTOAC.
    pub(super) fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut fields = element.reader()?;
        let user = fields.any()?;
        if user.tag != Tag::OCTET_STRING && user.tag != Tag::TELETEX_STRING {
            return Err(user.error(ErrorKind::UnexpectedTag { expected: Tag::OCTET_STRING, found: user.tag }));
        }
        let common = fields.expect(Tag::UTC_TIME)?;
        let additional = fields.optional(Tag::context(0))?;
        let additional = additional.as_ref().map(|field| part(field, Tag::TELETEX_STRING)).transpose()?;
        fields.finish()?;
        let sci = SessionConnectionIdentifier {
            user: part(&user, user.tag)?,
            common: part(&common, Tag::UTC_TIME)?,
            additional: additional.unwrap_or_default(),
        };
        if sci.fits() { Ok(sci) } else { Err(element.error(ErrorKind::BadContents(element.tag))) }
    }

    /// Writes it under `tag`.
    pub(super) fn encode(&self, tag: Tag, w: &mut Writer) {
        w.constructed(tag, |w| {
            match string(&self.user) {
                Some(_) => w.raw(&self.user),
                None => w.primitive(Tag::OCTET_STRING, &self.user),
            }
            w.primitive(Tag::UTC_TIME, value(&self.common));
            if !self.additional.is_empty() {
                w.primitive(Tag::context(0), value(&self.additional));
            }
        });
    }

    /// As linking information of an activity resume (X.225 PGI 33); `None` if nobody could know it by that.
    pub(super) fn to_old_connection(&self) -> Option<OldConnection> {
        (self.is_complete() && self.fits()).then(|| OldConnection {
            called_reference: None,
            calling_reference: Some(self.user.clone()),
            common_reference: Some(self.common.clone()),
            additional_reference: (!self.additional.is_empty()).then(|| self.additional.clone()),
        })
    }

    /// Whether the SPDUs have room for it.
    fn fits(&self) -> bool {
        self.user.len() <= REFERENCE_OCTETS_MAX
            && self.common.len() <= REFERENCE_OCTETS_MAX
            && self.additional.len() <= ADDITIONAL_OCTETS_MAX
    }

    fn values(&self) -> (&[u8], &[u8], &[u8]) {
        (value(&self.user), value(&self.common), value(&self.additional))
    }
}

impl From<ConnectionIdentifier> for SessionConnectionIdentifier {
    fn from(identifier: ConnectionIdentifier) -> Self {
        SessionConnectionIdentifier {
            user: identifier.user_reference.unwrap_or_default(),
            common: identifier.common_reference.unwrap_or_default(),
            additional: identifier.additional_reference.unwrap_or_default(),
        }
    }
}

impl From<OldConnection> for SessionConnectionIdentifier {
    /// Without a calling reference the called one stands in for it: some fill in that alone.
    fn from(old: OldConnection) -> Self {
        SessionConnectionIdentifier {
            user: old.calling_reference.or(old.called_reference).unwrap_or_default(),
            common: old.common_reference.unwrap_or_default(),
            additional: old.additional_reference.unwrap_or_default(),
        }
    }
}

impl PartialEq for SessionConnectionIdentifier {
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values()
    }
}

impl Eq for SessionConnectionIdentifier {}

impl PartialOrd for SessionConnectionIdentifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SessionConnectionIdentifier {
    fn cmp(&self, other: &Self) -> Ordering {
        self.values().cmp(&other.values())
    }
}

impl Hash for SessionConnectionIdentifier {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.values().hash(state);
    }
}

impl fmt::Display for SessionConnectionIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, common, additional) = self.values();
        write!(f, "{} {}", user.escape_ascii(), common.escape_ascii())?;
        if additional.is_empty() { Ok(()) } else { write!(f, " {}", additional.escape_ascii()) }
    }
}

/// The field as a string in one piece with this tag.
fn part(field: &Tlv<'_>, tag: Tag) -> Result<Vec<u8>, Error> {
    let octets = field.octets()?;
    Ok(Writer::encode(|w| w.primitive(tag, &octets)))
}

/// The contents of a part that is one primitive encoding, as it should be.
fn string(part: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(part);
    let element = reader.any().ok()?;
    let whole = reader.finish().is_ok() && !element.constructed;
    whole.then_some(element.contents)
}

/// What is compared and shown: of a part that is no encoding, all of it.
fn value(part: &[u8]) -> &[u8] {
    string(part).unwrap_or(part)
}
