use crate::{Class, ErrorKind, Tag};

/// Length of an encoding's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many octets.
    Definite(u64),
    /// Up to the matching end-of-contents octets.
    Indefinite,
}

/// Identifier and length octets of one encoding, for callers that read a stream and do not have its contents yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Class and number.
    pub tag: Tag,
    /// Bit 6 of the identifier.
    pub constructed: bool,
    /// Length of the contents.
    pub length: Length,
    /// Number of identifier and length octets.
    pub size: usize,
}

impl Header {
    /// Reads the header at the start of `octets`; `Ok(None)` when it is incomplete.
    ///
    /// At most 5 tag-number octets and 8 length octets are accepted, so a caller never has to buffer more than
    /// 15 octets to get an answer.
    ///
    /// # Errors
    /// Tag or length not representable; primitive encoding of indefinite length; the tag of end-of-contents with anything
    /// but two zero octets.
    #[inline]
    pub fn parse(octets: &[u8]) -> Result<Option<Header>, ErrorKind> {
        match Header::short(octets) {
            Some(header) => Ok(Some(header)),
            None => Header::parse_any(octets),
        }
    }

    /// A header of two octets, as nearly all are, unless it is the tag of end-of-contents; `None` for any other.
    #[inline]
    pub(crate) fn short(octets: &[u8]) -> Option<Header> {
        match *octets {
            [first, length @ 0..=0x7F, ..] if first & 0x1F != 0x1F && first & 0xDF != 0 => Some(Header {
                tag: Tag { class: class(first), number: u32::from(first & 0x1F) },
                constructed: first & 0x20 != 0,
                length: Length::Definite(u64::from(length)),
                size: 2,
            }),
            _ => None,
        }
    }

    fn parse_any(octets: &[u8]) -> Result<Option<Header>, ErrorKind> {
        let Some((&first, mut rest)) = octets.split_first() else { return Ok(None) };
        let class = class(first);
        let constructed = first & 0x20 != 0;
        let mut number = u32::from(first & 0x1F);
        if number == 0x1F {
            number = 0;
            loop {
                let Some((&octet, tail)) = rest.split_first() else { return Ok(None) };
                rest = tail;
                if number > u32::MAX >> 7 {
                    return Err(ErrorKind::TagTooLarge);
                }
                number = number << 7 | u32::from(octet & 0x7F);
                if octet & 0x80 == 0 {
                    break;
                }
                // A number that stays zero would let leading 0x80 octets run on without bound.
                if number == 0 {
                    return Err(ErrorKind::TagTooLarge);
                }
            }
        }
        let Some((&first_length, tail)) = rest.split_first() else { return Ok(None) };
        rest = tail;
        let length = match first_length {
            0..=0x7F => Length::Definite(u64::from(first_length)),
            0x80 if constructed => Length::Indefinite,
            0x80 => return Err(ErrorKind::IndefinitePrimitive),
            0x81..=0x88 => {
                let count = usize::from(first_length & 0x7F);
                let Some((value, tail)) = rest.split_at_checked(count) else { return Ok(None) };
                rest = tail;
                Length::Definite(value.iter().fold(0, |sum, &octet| sum << 8 | u64::from(octet)))
            }
            0x89..=0xFF => return Err(ErrorKind::LengthTooLarge),
        };
        let tag = Tag { class, number };
        let size = octets.len() - rest.len();
        // X.690 8.1.5: two zero octets. The same tag or length in a longer form would end an encoding for one reader and
        // not for another.
        if tag == Tag::EOC && (constructed || length != Length::Definite(0) || size != 2) {
            return Err(ErrorKind::UnexpectedEoc);
        }
        Ok(Some(Header { tag, constructed, length, size }))
    }
}

#[inline]
fn class(identifier: u8) -> Class {
    match identifier >> 6 {
        0 => Class::Universal,
        1 => Class::Application,
        2 => Class::Context,
        _ => Class::Private,
    }
}
