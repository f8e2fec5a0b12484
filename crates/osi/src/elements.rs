//! Reads BER encodings (X.690) that come in pieces of any size, element by element, and keeps nothing of their contents.
//!
//! [`Elements`] knows where elements begin and end, and that each lies within the one around it; what they mean is for
//! those to say who read them.

use alloc::vec::Vec;

use ber::{DEFAULT_DEPTH, Error, ErrorKind, Header, Length, Tag};
use serde::{Deserialize, Serialize};

/// Octets of the longest header that [`Header::parse`] accepts.
const HEADER_OCTETS_MAX: usize = 16;

/// Identifier and length octets as they come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeaderBuffer {
    octets: [u8; HEADER_OCTETS_MAX],
    filled: usize,
}

impl HeaderBuffer {
    /// The header that was given last, as it came.
    pub(crate) fn last(&self, header: Header) -> &[u8] {
        self.octets.get(..header.size).unwrap_or_default()
    }

    /// Whether a header has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        self.filled > 0
    }

    /// Takes one octet; gives the header when it is complete, and is empty again then.
    pub(crate) fn push(&mut self, octet: u8) -> Result<Option<Header>, ErrorKind> {
        let Some(slot) = self.octets.get_mut(self.filled) else { return Err(ErrorKind::LengthTooLarge) };
        *slot = octet;
        self.filled += 1;
        let header = Header::parse(self.octets.get(..self.filled).unwrap_or_default())?;
        if header.is_some() {
            self.filled = 0;
        }
        Ok(header)
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element<'a> {
    /// An element begins.
    Begin(Header),
    /// Octets of a primitive one.
    Contents(&'a [u8]),
    /// It ends.
    End {
        /// By end-of-contents octets.
        eoc: bool,
    },
}

/// An element that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct Frame {
    constructed: bool,
    /// Where it ends; `None` for end-of-contents octets.
    end: Option<u64>,
    /// Where it ends, or what is around it.
    limit: u64,
}

/// Takes encodings apart that follow one another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elements {
    header: HeaderBuffer,
    frames: Vec<Frame>,
    position: u64,
}

impl Elements {
    /// What comes next in `input`, from whose front it is taken; `None` when more is needed. After the last octets there
    /// may be ends to come, so this is called until it gives `None`.
    ///
    /// # Errors
    /// No BER, or nested too deep. The reader is of no use after that.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Element<'a>>, Error> {
        loop {
            let frame = self.frames.last().copied();
            if let Some(Frame { end: Some(end), .. }) = frame
                && self.position == end
            {
                if self.header.is_partial() {
                    return Err(self.error(ErrorKind::Truncated));
                }
                self.frames.pop();
                return Ok(Some(Element::End { eoc: false }));
            }
            if let Some(Frame { constructed: false, limit, .. }) = frame {
                let missing = usize::try_from(limit - self.position).unwrap_or(usize::MAX);
                let (now, later) = input.split_at(input.len().min(missing));
                *input = later;
                self.position += now.len() as u64;
                return Ok((!now.is_empty()).then_some(Element::Contents(now)));
            }
            let Some((&octet, rest)) = input.split_first() else { return Ok(None) };
            let limit = frame.map_or(u64::MAX, |frame| frame.limit);
            if self.position >= limit {
                return Err(self.error(ErrorKind::Truncated));
            }
            *input = rest;
            let header = self.header.push(octet).map_err(|kind| self.error(kind))?;
            self.position += 1;
            if let Some(header) = header {
                return self.begin(header, frame, limit).map(Some);
            }
        }
    }

    /// The header of the element that began last, as it came.
    pub(crate) fn header(&self, header: Header) -> &[u8] {
        self.header.last(header)
    }

    /// Elements that have begun and not ended.
    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Whether all that has begun has ended.
    pub(crate) fn is_between(&self) -> bool {
        self.frames.is_empty() && !self.header.is_partial()
    }

    /// What is wrong here.
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error { kind, offset: usize::try_from(self.position).unwrap_or(usize::MAX) }
    }

    fn begin<'a>(&mut self, header: Header, frame: Option<Frame>, limit: u64) -> Result<Element<'a>, Error> {
        if header.tag == Tag::EOC {
            return match frame {
                Some(Frame { constructed: true, end: None, .. }) => {
                    self.frames.pop();
                    Ok(Element::End { eoc: true })
                }
                Some(_) | None => Err(self.error(ErrorKind::UnexpectedEoc)),
            };
        }
        if self.frames.len() >= usize::from(DEFAULT_DEPTH) {
            return Err(self.error(ErrorKind::TooDeep));
        }
        let end = match header.length {
            Length::Indefinite => None,
            Length::Definite(length) => match self.position.checked_add(length) {
                Some(end) if end <= limit => Some(end),
                Some(_) | None => return Err(self.error(ErrorKind::Truncated)),
            },
        };
        let limit = end.unwrap_or(limit);
        self.frames.push(Frame { constructed: header.constructed, end, limit });
        Ok(Element::Begin(header))
    }
}
