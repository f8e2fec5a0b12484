//! User-data of a PPDU (X.226 8.4): presentation data values, each in its context.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use ber::{Error, ErrorKind, Oid, Reader, Tag, Tlv, Writer};

/// Most presentation data values that one User-data may have. RTSE has one in each; a value in memory takes many times
/// the octets that the smallest one takes on the wire.
pub(super) const VALUES_MAX: usize = 1024;

/// Presentation-context-identifier. Chosen by the initiator of the connection, which uses odd ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ContextId(pub i64);

impl ContextId {
    /// Stands for the default context, which has no identifier on the wire: the one that all values of X.410 mode are
    /// in.
    pub const DEFAULT: ContextId = ContextId(0);
}

impl core::fmt::Display for ContextId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// Presentation data values of one PPDU, each with its context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserData<'a> {
    /// `[APPLICATION 0]`: octets of the only context there is.
    Simple(Cow<'a, [u8]>),
    /// `[APPLICATION 1]`: values that name their contexts.
    Full(Vec<Pdv<'a>>),
}

/// PDV-list: values of one presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdv<'a> {
    /// Transfer-syntax-name; needed only where several were proposed.
    pub transfer_syntax: Option<Oid>,
    /// The context.
    pub context: ContextId,
    /// The values.
    pub value: PdvValue<'a>,
}

/// How a value is embedded. The same choice is found in EXTERNAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PdvValue<'a> {
    /// `[0]`: one BER encoding. This is what is sent.
    SingleAsn1Type(Cow<'a, [u8]>),
    /// `[1]`: the octets of encodings.
    OctetAligned(Cow<'a, [u8]>),
    /// `[2]`: the same as bits, a multiple of eight.
    Arbitrary(Cow<'a, [u8]>),
}

impl<'a> PdvValue<'a> {
    /// The octets of the encoding, however it was embedded.
    pub fn octets(&self) -> &[u8] {
        match self {
            PdvValue::SingleAsn1Type(octets)
            | PdvValue::OctetAligned(octets)
            | PdvValue::Arbitrary(octets) => octets,
        }
    }

    /// The same, owned.
    pub fn into_octets(self) -> Vec<u8> {
        match self {
            PdvValue::SingleAsn1Type(octets)
            | PdvValue::OctetAligned(octets)
            | PdvValue::Arbitrary(octets) => octets.into_owned(),
        }
    }

    /// The encodings, one or more: only a single-ASN1-type is one by its form (X.226 8.4.2).
    ///
    /// # Errors
    /// Octets that are no encodings, or more of them than `limit`.
    pub(crate) fn into_encodings(self, limit: usize) -> Result<Vec<Vec<u8>>, Error> {
        let octets = match self {
            PdvValue::SingleAsn1Type(octets) => return Ok(Vec::from([octets.into_owned()])),
            PdvValue::OctetAligned(octets) | PdvValue::Arbitrary(octets) => octets,
        };
        let mut reader = Reader::new(&octets);
        let mut encodings = Vec::new();
        while let Some(encoding) = reader.next()? {
            if encodings.len() == limit {
                return Err(reader.error(ErrorKind::TooMany { limit }));
            }
            if encoding.raw.len() == octets.len() {
                return Ok(Vec::from([octets.into_owned()]));
            }
            encodings.push(encoding.raw.to_vec());
        }
        Ok(encodings)
    }

    /// Reads the element, if it is one of the three alternatives.
    pub(crate) fn decode(element: Tlv<'a>) -> Result<Self, Error> {
        match element.tag {
            Tag { class: ber::Class::Context, number: 0 } => {
                Ok(PdvValue::SingleAsn1Type(Cow::Borrowed(element.explicit()?.raw)))
            }
            Tag { class: ber::Class::Context, number: 1 } => Ok(PdvValue::OctetAligned(element.octets()?)),
            Tag { class: ber::Class::Context, number: 2 } => {
                let bits = element.bit_string()?;
                if bits.unused != 0 {
                    return Err(element.error(ErrorKind::BadContents(element.tag)));
                }
                Ok(PdvValue::Arbitrary(Cow::Owned(bits.octets.into())))
            }
            found => Err(element.error(ErrorKind::UnexpectedTag { expected: Tag::context(0), found })),
        }
    }

    /// Writes the alternative.
    pub(crate) fn encode(&self, w: &mut Writer) {
        match self {
            PdvValue::SingleAsn1Type(octets) => w.constructed(Tag::context(0), |w| w.raw(octets)),
            PdvValue::OctetAligned(octets) => w.primitive(Tag::context(1), octets),
            PdvValue::Arbitrary(octets) => {
                w.header(Tag::context(2), false, octets.len() as u64 + 1);
                w.raw(&[0]);
                w.raw(octets);
            }
        }
    }
}

impl<'a> Pdv<'a> {
    /// One BER encoding in `context`, as it is sent.
    pub fn new(context: ContextId, encoding: impl Into<Cow<'a, [u8]>>) -> Self {
        Pdv { transfer_syntax: None, context, value: PdvValue::SingleAsn1Type(encoding.into()) }
    }

    fn decode(element: Tlv<'a>) -> Result<Self, Error> {
        let mut fields = element.reader()?;
        let transfer_syntax = fields.optional(Tag::OBJECT_IDENTIFIER)?.map(|oid| oid.oid()).transpose()?;
        let context = ContextId(fields.expect(Tag::INTEGER)?.integer()?);
        let value = PdvValue::decode(fields.any()?)?;
        fields.finish()?;
        Ok(Pdv { transfer_syntax, context, value })
    }
}

impl<'a> UserData<'a> {
    /// `[APPLICATION 0]`.
    pub const SIMPLE: Tag = Tag::application(0);
    /// `[APPLICATION 1]`.
    pub const FULL: Tag = Tag::application(1);

    /// Reads User-data that is all of `octets`: the SS-user data of a data transfer or token request.
    ///
    /// # Errors
    /// Not a User-data, octets after it, or more than 1,024 values.
    pub fn decode(octets: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let element = reader.any()?;
        reader.finish()?;
        UserData::from_element(element)
    }

    /// Reads a User-data whose element has been found.
    pub(crate) fn from_element(element: Tlv<'a>) -> Result<Self, Error> {
        match element.tag {
            UserData::SIMPLE => Ok(UserData::Simple(element.octets()?)),
            UserData::FULL => {
                let mut values = element.reader()?;
                let mut list = Vec::new();
                while !values.is_empty() {
                    if list.len() == VALUES_MAX {
                        return Err(values.error(ErrorKind::TooMany { limit: VALUES_MAX }));
                    }
                    list.push(Pdv::decode(values.expect(Tag::SEQUENCE)?)?);
                }
                Ok(UserData::Full(list))
            }
            found => Err(element.error(ErrorKind::UnexpectedTag { expected: UserData::FULL, found })),
        }
    }

    /// Writes the User-data.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            UserData::Simple(octets) => w.primitive(UserData::SIMPLE, octets),
            UserData::Full(list) => w.constructed(UserData::FULL, |w| {
                for pdv in list {
                    w.constructed(Tag::SEQUENCE, |w| {
                        if let Some(syntax) = &pdv.transfer_syntax {
                            w.oid(Tag::OBJECT_IDENTIFIER, syntax);
                        }
                        w.integer(Tag::INTEGER, pdv.context.0);
                        pdv.value.encode(w);
                    });
                }
            }),
        }
    }
}
