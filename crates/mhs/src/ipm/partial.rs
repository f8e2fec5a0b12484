//! A reader of BER for values whose end is not at hand.
//!
//! The reader of `ber` refuses an element that runs past its input. This one tells how far it would run, which is
//! enough to find one's way in the beginning of a huge content whose lengths are definite.

use ber::{DEFAULT_DEPTH, Header, Length, Reader, Tag};

use crate::error::{DecodeError, DecodeErrorKind};

/// Reads the elements of a value of which only the first octets are at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partial<'a> {
    /// Octets at hand, from `at` on.
    octets: &'a [u8],
    /// Offset of `octets` in the value.
    at: u64,
    /// Offset behind the container's contents; `None` if its length is indefinite or the value's end is not known.
    end: Option<u64>,
    /// Whether end-of-contents octets are what ends the container.
    indefinite: bool,
}

/// An element that begins in the octets at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    pub(super) constructed: bool,
    /// Offset of the identifier octets.
    pub(super) start: u64,
    /// Offset of the contents.
    pub(super) contents_start: u64,
    /// Length of the contents; `None` if it is indefinite and the end is not at hand.
    pub(super) length: Option<u64>,
    /// As much of the contents as is at hand.
    pub(super) contents: &'a [u8],
    /// The whole encoding, if it is at hand.
    pub(super) raw: Option<&'a [u8]>,
    /// Offset behind the whole encoding, if it is known.
    pub(super) end: Option<u64>,
    indefinite: bool,
}

/// What a [`Partial`] finds next.
pub(super) enum Next<'a> {
    Element(Element<'a>),
    /// The container has no more elements.
    End,
    /// The octets at hand do not say.
    Cut,
}

impl<'a> Partial<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Partial { octets, at: 0, end: None, indefinite: false }
    }

    /// The next element; steps over it if its end is known.
    pub(super) fn next(&mut self) -> Result<Next<'a>, DecodeError> {
        if self.end.is_some_and(|end| self.at >= end) {
            return Ok(Next::End);
        }
        if self.indefinite && self.octets.starts_with(&[0, 0]) {
            return Ok(Next::End);
        }
        let error = |kind| DecodeError::at_offset(DecodeErrorKind::Encoding(kind), self.at);
        let Some(header) = Header::parse(self.octets).map_err(error)? else { return Ok(Next::Cut) };
        let after_header = self.octets.get(header.size..).unwrap_or_default();
        let contents_start = self.at.saturating_add(header.size as u64);
        let (contents, raw, length, end) = match header.length {
            Length::Definite(length) => {
                let end = contents_start.saturating_add(length);
                if self.end.is_some_and(|container| end > container) {
                    return Err(error(ber::ErrorKind::Truncated));
                }
                let contents = usize::try_from(length).ok().and_then(|length| after_header.get(..length));
                let raw = contents.and_then(|contents| self.octets.get(..header.size + contents.len()));
                (contents.unwrap_or(after_header), raw, Some(length), Some(end))
            }
            Length::Indefinite => match Reader::with_depth(self.octets, DEFAULT_DEPTH).next() {
                Ok(Some(tlv)) => {
                    let end = self.at.saturating_add(tlv.raw.len() as u64);
                    (tlv.contents, Some(tlv.raw), Some(tlv.contents.len() as u64), Some(end))
                }
                Err(ber::Error { kind: ber::ErrorKind::Truncated, .. }) | Ok(None) => {
                    (after_header, None, None, None)
                }
                Err(other) => return Err(DecodeError::from(other).moved(self.at)),
            },
        };
        let element = Element {
            tag: header.tag,
            constructed: header.constructed,
            start: self.at,
            contents_start,
            length,
            contents,
            raw,
            end,
            indefinite: header.length == Length::Indefinite && raw.is_none(),
        };
        // Without a known end there is nothing behind this element that could be read.
        let skip = end.and_then(|end| usize::try_from(end - self.at).ok()).unwrap_or(usize::MAX);
        self.octets = self.octets.get(skip..).unwrap_or_default();
        self.at = end.unwrap_or(u64::MAX);
        Ok(Next::Element(element))
    }

    /// The next element, which must be there and have `tag`.
    pub(super) fn expect(&mut self, tag: Tag) -> Result<Element<'a>, DecodeError> {
        let at = self.at;
        match self.next()? {
            Next::Element(element) if element.tag == tag => Ok(element),
            Next::Element(element) => {
                let kind = ber::ErrorKind::UnexpectedTag { expected: tag, found: element.tag };
                Err(DecodeError::at_offset(DecodeErrorKind::Encoding(kind), element.start))
            }
            Next::End => {
                let kind = ber::ErrorKind::Missing { expected: tag };
                Err(DecodeError::at_offset(DecodeErrorKind::Encoding(kind), at))
            }
            Next::Cut => Err(DecodeError::at_offset(DecodeErrorKind::Incomplete, at)),
        }
    }
}

impl<'a> Element<'a> {
    /// The elements inside this one.
    pub(super) fn elements(&self) -> Partial<'a> {
        Partial {
            octets: self.contents,
            at: self.contents_start,
            end: self.length.map(|length| self.contents_start.saturating_add(length)),
            indefinite: self.indefinite,
        }
    }
}
