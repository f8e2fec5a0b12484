//! O/R names: an address as it stands on the wire, with an optional directory name.

use core::fmt;
use core::ops::Range;

use ber::{Tag, Tlv, Writer};

use super::{OrAddress, codec};
use crate::error::{DecodeError, Within};
use crate::kept::header_size;

/// An O/R name (X.411 ORName). Keeps the octets it came in; they can't be changed, only replaced by a new
/// name.
///
/// `==` compares addresses and directory names, not encodings.
#[derive(Clone, Debug, Default)]
pub struct OrName {
    address: OrAddress,
    directory_name: Option<Box<[u8]>>,
    received: Option<Received>,
}

/// The encoding as it came, and where its contents are in it.
#[derive(Clone, Debug)]
struct Received {
    tag: Tag,
    raw: Box<[u8]>,
    contents: Range<usize>,
}

/// `[APPLICATION 0]`: the tag of an O/R name unless an implicit one replaces it.
pub(crate) const OR_NAME: Tag = Tag::application(0);

impl OrName {
    /// A name without directory name.
    pub fn new(address: OrAddress) -> Self {
        OrName { address, directory_name: None, received: None }
    }

    /// The address.
    pub fn address(&self) -> &OrAddress {
        &self.address
    }

    /// Encoding of the directory name (X.501 Name), if there is one.
    pub fn directory_name(&self) -> Option<&[u8]> {
        self.directory_name.as_deref()
    }

    /// The encoding it came in; `None` if it was made here.
    pub fn raw(&self) -> Option<&[u8]> {
        self.received.as_ref().map(|received| received.raw.as_ref())
    }

    /// Reads a name of any tag: in P1 implicit tags replace `[APPLICATION 0]`.
    ///
    /// # Errors
    /// The encoding is no O/R name. Attributes are not checked.
    pub fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let address = codec::decode_address(&mut reader)?;
        let mut directory_name = None;
        while let Some(member) = reader.next()? {
            if member.tag == Tag::context(0) && directory_name.is_none() {
                directory_name = Some(member.explicit().field("directory-name")?.raw.into());
            }
        }
        let start = header_size(tlv);
        let contents = start..start + tlv.contents.len();
        let received = Received { tag: tlv.tag, raw: tlv.raw.into(), contents };
        Ok(OrName { address, directory_name, received: Some(received) })
    }

    /// Writes the name under `tag`: octet for octet as it came, but for the header if the tag is another one.
    pub fn write(&self, tag: Tag, w: &mut Writer) {
        match &self.received {
            Some(received) if received.tag == tag => w.raw(&received.raw),
            Some(received) => {
                let contents = received.raw.get(received.contents.clone()).unwrap_or_default();
                w.header(tag, true, contents.len() as u64);
                w.raw(contents);
            }
            None => w.constructed(tag, |w| codec::write_address(&self.address, w)),
        }
    }

    /// The encoding under `[APPLICATION 0]`.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(OR_NAME, w))
    }
}

impl PartialEq for OrName {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address && self.directory_name == other.directory_name
    }
}

impl Eq for OrName {}

impl From<OrAddress> for OrName {
    fn from(address: OrAddress) -> Self {
        OrName::new(address)
    }
}

/// The address in its written form.
impl fmt::Display for OrName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
