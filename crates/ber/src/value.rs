use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::reader::{Reader, Tlv};
use crate::{Error, ErrorKind, Header, Length, Octets, Oid, Tag};

/// A BIT STRING. Bit 0 is the most significant bit of the first octet, as ASN.1 numbers them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BitString {
    /// Number of bits at the end of the last octet that are not part of the value, 0 to 7.
    pub unused: u8,
    /// The bits, eight to an octet.
    pub octets: Octets,
}

impl BitString {
    /// Bit `n`; bits beyond the end are zero, as a named-bit list has it (X.680 22.7).
    pub fn bit(&self, n: usize) -> bool {
        self.octets.get(n / 8).is_some_and(|octet| octet & (0x80 >> (n % 8)) != 0)
    }

    /// Sets or clears bit `n`, growing the string if it is too short.
    pub fn set(&mut self, n: usize, on: bool) {
        if self.octets.len() <= n / 8 {
            let mut octets = self.octets.to_vec();
            octets.resize(n / 8 + 1, 0);
            self.octets = octets.into();
            self.unused = 7 - (n % 8) as u8;
        } else if n / 8 == self.octets.len() - 1 {
            self.unused = self.unused.min(7 - (n % 8) as u8);
        }
        if let Some(octet) = self.octets.get_mut(n / 8) {
            let mask = 0x80 >> (n % 8);
            *octet = if on { *octet | mask } else { *octet & !mask };
        }
    }
}

/// A constructed encoding among the segments of a string that has not ended.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Where its contents end, or for an indefinite length, where they end at the latest.
    end: usize,
    indefinite: bool,
}

/// Values of primitive types. The tag is not looked at: implicit tagging has replaced it by then.
impl<'a> Tlv<'a> {
    /// Contents of a primitive encoding.
    ///
    /// # Errors
    /// The encoding is constructed.
    #[inline]
    pub fn primitive(&self) -> Result<&'a [u8], Error> {
        if self.constructed { Err(self.error(ErrorKind::NotPrimitive(self.tag))) } else { Ok(self.contents) }
    }

    /// INTEGER or ENUMERATED (X.690 8.3). Leading octets beyond the minimum are accepted.
    ///
    /// # Errors
    /// No contents, constructed, or outside 64 bits.
    #[inline]
    pub fn integer(&self) -> Result<i64, Error> {
        let contents = self.primitive()?;
        // Nearly all integers are small.
        if let [octet] = *contents {
            return Ok(i64::from(octet.cast_signed()));
        }
        self.long_integer(contents)
    }

    fn long_integer(&self, contents: &[u8]) -> Result<i64, Error> {
        let Some(&first) = contents.first() else { return Err(self.bad()) };
        let sign: u8 = if first & 0x80 != 0 { 0xFF } else { 0 };
        let excess = contents.len().saturating_sub(8);
        let (padding, value) = contents.split_at(excess);
        if padding.iter().any(|&octet| octet != sign)
            || (excess > 0 && value.first().is_some_and(|&octet| (octet ^ sign) & 0x80 != 0))
        {
            return Err(self.error(ErrorKind::IntegerTooLarge));
        }
        let start = if sign == 0 { 0 } else { -1i64 };
        Ok(value.iter().fold(start, |sum, &octet| sum << 8 | i64::from(octet)))
    }

    /// BOOLEAN (X.690 8.2): any value but zero is TRUE.
    ///
    /// # Errors
    /// Constructed, or not exactly one octet.
    pub fn boolean(&self) -> Result<bool, Error> {
        match self.primitive()? {
            [octet] => Ok(*octet != 0),
            [] | [_, ..] => Err(self.bad()),
        }
    }

    /// OBJECT IDENTIFIER (X.690 8.19).
    ///
    /// # Errors
    /// Constructed, empty, or ending inside an arc.
    pub fn oid(&self) -> Result<Oid, Error> {
        Oid::from_contents(self.primitive()?).ok_or_else(|| self.bad())
    }

    /// BIT STRING (X.690 8.6), primitive or constructed.
    ///
    /// # Errors
    /// A segment without its initial octet, more than 7 unused bits, or unused bits before the last segment.
    #[inline]
    pub fn bit_string(&self) -> Result<BitString, Error> {
        if self.constructed {
            return self.segmented_bits();
        }
        let (unused, bits) = self.bits()?;
        Ok(BitString { unused, octets: bits.into() })
    }

    fn segmented_bits(&self) -> Result<BitString, Error> {
        let (mut last_unused, mut octets) = (0, Vec::new());
        self.for_each_segment(Tag::BIT_STRING, &mut |segment| {
            if last_unused != 0 {
                return Err(segment.bad());
            }
            let (unused, bits) = segment.bits()?;
            last_unused = unused;
            octets.extend_from_slice(bits);
            Ok(())
        })?;
        Ok(BitString { unused: last_unused, octets: octets.into() })
    }

    /// OCTET STRING or any character string (X.690 8.7, 8.23); borrowed unless it is constructed of several
    /// segments.
    ///
    /// # Errors
    /// A segment that is no OCTET STRING or not a segment of this tag; nesting.
    #[inline]
    pub fn octets(&self) -> Result<Cow<'a, [u8]>, Error> {
        if self.constructed { self.segmented() } else { Ok(Cow::Borrowed(self.contents)) }
    }

    fn segmented(&self) -> Result<Cow<'a, [u8]>, Error> {
        let mut value = Cow::Borrowed(&[][..]);
        self.for_each_segment(Tag::OCTET_STRING, &mut |segment| {
            if value.is_empty() {
                value = Cow::Borrowed(segment.contents);
            } else {
                value.to_mut().extend_from_slice(segment.contents);
            }
            Ok(())
        })?;
        Ok(value)
    }

    /// Hands the primitive segments of a string to `take`, in order. One pass over the octets, whatever the nesting:
    /// the levels that are open are kept in a list, which the depth of the reader bounds.
    fn for_each_segment(
        &self,
        segment_tag: Tag,
        take: &mut dyn FnMut(&Tlv<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.constructed {
            return take(self);
        }
        let Reader { rest: contents, offset: start, depth } = self.reader()?;
        // The end of the contents of this encoding is known, whichever way it was told.
        let mut open = Vec::from([Level { end: contents.len(), indefinite: false }]);
        let mut position = 0;
        while let Some(&Level { end, indefinite }) = open.last() {
            if position == end && !indefinite {
                open.pop();
                continue;
            }
            let error = |kind| Error { kind, offset: start + position };
            let here = contents.get(position..end).unwrap_or_default();
            let header = Header::parse(here).map_err(error)?.ok_or_else(|| error(ErrorKind::Truncated))?;
            let inside = position + header.size;
            if header.tag == Tag::EOC {
                if !indefinite {
                    return Err(error(ErrorKind::UnexpectedEoc));
                }
                open.pop();
                position = inside;
                continue;
            }
            if header.tag != segment_tag && header.tag != self.tag {
                let found = header.tag;
                return Err(error(ErrorKind::UnexpectedTag { expected: segment_tag, found }));
            }
            let level = match header.length {
                Length::Indefinite => Level { end, indefinite: true },
                Length::Definite(length) => Level {
                    end: usize::try_from(length)
                        .ok()
                        .and_then(|length| inside.checked_add(length))
                        .filter(|&inner| inner <= end)
                        .ok_or_else(|| error(ErrorKind::Truncated))?,
                    indefinite: false,
                },
            };
            // A level below this encoding's own for each that is open.
            let below = u16::try_from(open.len()).unwrap_or(u16::MAX);
            if header.constructed {
                if below > depth {
                    return Err(error(ErrorKind::TooDeep));
                }
                open.push(level);
                position = inside;
                continue;
            }
            take(&Tlv {
                tag: header.tag,
                constructed: false,
                contents: contents.get(inside..level.end).unwrap_or_default(),
                raw: contents.get(position..level.end).unwrap_or_default(),
                offset: start + position,
                depth: depth.saturating_sub(below - 1),
            })?;
            position = level.end;
        }
        Ok(())
    }

    /// Number of unused bits and octets of a primitive BIT STRING or a segment of one.
    #[inline]
    fn bits(&self) -> Result<(u8, &'a [u8]), Error> {
        match self.contents.split_first() {
            Some((&unused @ 0..=7, bits)) if unused == 0 || !bits.is_empty() => Ok((unused, bits)),
            Some(_) | None => Err(self.bad()),
        }
    }

    #[cold]
    fn bad(&self) -> Error {
        self.error(ErrorKind::BadContents(self.tag))
    }
}
