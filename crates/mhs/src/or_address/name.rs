//! O/R names: an address as it stands on the wire, with an optional directory name.

use core::fmt;
use std::sync::OnceLock;

use ber::{Reader, Tag, Tlv, Writer};

use super::{OrAddress, codec};
use crate::error::{DecodeError, Within};

/// An O/R name (X.411 ORName). Keeps the octets it came in; they can't be changed, only replaced by a new
/// name.
///
/// What is received is checked whole but taken apart only when somebody asks for the address: most names of a message
/// are passed on unread.
///
/// `==` compares addresses and directory names, not encodings.
#[derive(Clone, Debug, Default)]
pub struct OrName {
    /// The encoding as it came, which [`OrName::decode`] has checked.
    raw: Option<Box<[u8]>>,
    address: OnceLock<Box<OrAddress>>,
}

/// `[APPLICATION 0]`: the tag of an O/R name unless an implicit one replaces it.
pub(crate) const OR_NAME: Tag = Tag::application(0);

impl OrName {
    /// A name without directory name.
    pub fn new(address: OrAddress) -> Self {
        OrName { raw: None, address: OnceLock::from(Box::new(address)) }
    }

    /// The address.
    pub fn address(&self) -> &OrAddress {
        self.address.get_or_init(|| {
            let address = |raw| codec::decode_address(&mut Reader::new(raw).any()?.reader()?);
            // Never the default: the same rules have been applied to these octets when they were received.
            Box::new(self.raw().and_then(|raw| address(raw).ok()).unwrap_or_default())
        })
    }

    /// Encoding of the directory name (X.501 Name), if there is one.
    pub fn directory_name(&self) -> Option<&[u8]> {
        let mut members = Reader::new(self.raw()?).any().and_then(|name| name.reader()).ok()?;
        codec::check_address(&mut members).ok()?;
        directory_name(&mut members).ok()?
    }

    /// The encoding it came in; `None` if it was made here.
    pub fn raw(&self) -> Option<&[u8]> {
        self.raw.as_deref()
    }

    /// Reads a name of any tag: in P1 implicit tags replace `[APPLICATION 0]`.
    ///
    /// # Errors
    /// The encoding is no O/R name. Attributes are not checked.
    pub fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut members = tlv.reader()?;
        codec::check_address(&mut members)?;
        directory_name(&mut members)?;
        Ok(OrName { raw: Some(tlv.raw.into()), address: OnceLock::new() })
    }

    /// Writes the name under `tag`: octet for octet as it came, but for the header if the tag is another one.
    pub fn write(&self, tag: Tag, w: &mut Writer) {
        match self.raw().map(|raw| (raw, Reader::new(raw).any())) {
            Some((raw, Ok(name))) if name.tag == tag => w.raw(raw),
            Some((_, Ok(name))) => {
                w.header(tag, true, name.contents.len() as u64);
                w.raw(name.contents);
            }
            Some((_, Err(_))) | None => w.constructed(tag, |w| codec::write_address(self.address(), w)),
        }
    }

    /// The encoding under `[APPLICATION 0]`.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(OR_NAME, w))
    }
}

/// What follows the address: the directory name, if there is one. Other members are kept unread.
fn directory_name<'a>(members: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    let mut found = None;
    while let Some(member) = members.next()? {
        if member.tag == Tag::context(0) && found.is_none() {
            found = Some(member.explicit().field("directory-name")?.raw);
        }
    }
    Ok(found)
}

impl PartialEq for OrName {
    fn eq(&self, other: &Self) -> bool {
        if self.raw.is_some() && self.raw == other.raw {
            return true;
        }
        self.address() == other.address() && self.directory_name() == other.directory_name()
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
        self.address().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is checked when a name arrives is what is read when it is looked into: an error at once, or none ever.
    #[test]
    fn no_octet_is_checked_by_other_rules_than_it_is_read_by() {
        let text = "CN=Größe;S=Sales;G=Jo;OU1=North;O=Acme;P=ALPHA;A= ;C=GB;DDA:RFC-822=a(a)b.example";
        let name = OrName::new(text.parse().unwrap()).encode();
        let directory =
            Writer::encode(|w| w.constructed(Tag::context(0), |w| w.constructed(Tag::SEQUENCE, |_| {})));
        let header = usize::from(name[1] > 0x80) + 2;
        let whole = Writer::encode(|w| {
            w.constructed(OR_NAME, |w| {
                w.raw(&name[header..]);
                w.raw(&directory);
            });
        });
        let (mut read, mut refused) = (0, 0);
        for place in 0..whole.len() {
            for octet in 0..=u8::MAX {
                let mut octets = whole.clone();
                octets[place] = octet;
                let Ok(tlv) = Reader::new(&octets).any() else { continue };
                let at_once = || -> Result<OrAddress, DecodeError> {
                    let mut members = tlv.reader()?;
                    let address = codec::decode_address(&mut members)?;
                    directory_name(&mut members)?;
                    Ok(address)
                };
                match (OrName::decode(&tlv), at_once()) {
                    (Ok(name), Ok(address)) => {
                        assert_eq!(*name.address(), address, "octet {place} is {octet}");
                        read += 1;
                    }
                    (checked, read) => {
                        assert_eq!(checked.err(), read.err(), "octet {place} is {octet}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
    }

    #[test]
    fn a_directory_name_is_found_behind_the_address() {
        let name = OrName::new("S=Sales;A= ;C=GB".parse().unwrap());
        assert_eq!(name.directory_name(), None);
        let directory = [0x30, 0];
        let whole = Writer::encode(|w| {
            w.constructed(OR_NAME, |w| {
                codec::write_address(name.address(), w);
                w.constructed(Tag::context(0), |w| w.raw(&directory));
            });
        });
        let received = OrName::decode(&Reader::new(&whole).any().unwrap()).unwrap();
        assert_eq!(received.directory_name(), Some(&directory[..]));
        assert_ne!(received, name);
        assert_eq!(received.address(), name.address());
    }
}
