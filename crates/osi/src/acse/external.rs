//! EXTERNAL (X.690 8.18): how user information of ACSE and, over RTSE, an APDU say what they are.

use alloc::vec::Vec;

use ber::{Error, Oid, Reader, Tag, Tlv, Writer};

use crate::presentation::{ContextId, PdvValue};

/// A value with the name of its syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Direct reference: here the transfer syntax.
    pub direct_reference: Option<Oid>,
    /// Indirect reference: the presentation context.
    pub indirect_reference: Option<ContextId>,
    /// The encoding; sent as single-ASN1-type, received in any form.
    pub encoding: Vec<u8>,
}

impl External {
    /// A value in a presentation context.
    pub fn new(context: ContextId, encoding: Vec<u8>) -> Self {
        External { direct_reference: None, indirect_reference: Some(context), encoding }
    }

    /// Reads an EXTERNAL that is all of `octets`.
    ///
    /// # Errors
    /// No EXTERNAL, or octets after it.
    pub fn decode(octets: &[u8]) -> Result<Self, Error> {
        let mut top = Reader::new(octets);
        let element = top.expect(Tag::EXTERNAL)?;
        top.finish()?;
        External::from_element(&element)
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    pub(super) fn from_element(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut fields = element.reader()?;
        let direct_reference = fields.optional(Tag::OBJECT_IDENTIFIER)?.map(|oid| oid.oid()).transpose()?;
        let indirect_reference =
            fields.optional(Tag::INTEGER)?.map(|context| context.integer().map(ContextId)).transpose()?;
        fields.optional(Tag::OBJECT_DESCRIPTOR)?;
        let value = PdvValue::decode(fields.any()?)?;
        fields.finish()?;
        Ok(External { direct_reference, indirect_reference, encoding: value.into_octets() })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.constructed(Tag::EXTERNAL, |w| {
            if let Some(syntax) = &self.direct_reference {
                w.oid(Tag::OBJECT_IDENTIFIER, syntax);
            }
            if let Some(context) = self.indirect_reference {
                w.integer(Tag::INTEGER, context.0);
            }
            w.constructed(Tag::context(0), |w| w.raw(&self.encoding));
        });
    }
}
