use crate::{Class, Error, ErrorKind, Header, Length, Tag};

/// Levels of nesting that a reader allows unless told otherwise.
pub const DEFAULT_DEPTH: u16 = 64;

/// Reads the elements of one container (or of the top level) in order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) offset: usize,
    pub(crate) depth: u16,
}

/// One element: tag, form, contents and its whole encoding.
#[derive(Clone, Copy, Debug)]
pub struct Tlv<'a> {
    /// Class and number.
    pub tag: Tag,
    /// Whether the contents are themselves encodings.
    pub constructed: bool,
    /// Contents octets, without end-of-contents.
    pub contents: &'a [u8],
    /// The whole encoding as it came, header and end-of-contents included.
    pub raw: &'a [u8],
    pub(crate) offset: usize,
    pub(crate) depth: u16,
}

impl<'a> Reader<'a> {
    /// A reader over encodings that follow one another in `input`, with [`DEFAULT_DEPTH`].
    #[inline]
    pub fn new(input: &'a [u8]) -> Self {
        Reader::with_depth(input, DEFAULT_DEPTH)
    }

    /// A reader that allows `depth` levels of nesting.
    #[inline]
    pub fn with_depth(input: &'a [u8], depth: u16) -> Self {
        Reader { rest: input, offset: 0, depth }
    }

    /// Whether all elements have been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The octets that have not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Offset of the next element from the start of the outermost reader's input.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The next element, or `None` at the end.
    ///
    /// # Errors
    /// The next element is no complete encoding.
    #[allow(clippy::should_implement_trait, reason = "fallible, so no Iterator")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Tlv<'a>>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        // Nearly all elements have a header of two octets; what is left of the checks for those is one comparison.
        if let [_, length, ..] = *self.rest
            && let Some(header) = Header::short(self.rest)
            && let Some((raw, rest)) = self.rest.split_at_checked(2 + usize::from(length))
            && let [_, _, contents @ ..] = raw
        {
            return Ok(Some(self.take(header, contents, raw, rest)));
        }
        self.next_any().map(Some)
    }

    #[inline]
    fn take(&mut self, header: Header, contents: &'a [u8], raw: &'a [u8], rest: &'a [u8]) -> Tlv<'a> {
        let tlv = Tlv {
            tag: header.tag,
            constructed: header.constructed,
            contents,
            raw,
            offset: self.offset,
            depth: self.depth,
        };
        self.rest = rest;
        self.offset += raw.len();
        tlv
    }

    #[cold]
    fn next_any(&mut self) -> Result<Tlv<'a>, Error> {
        let header = self.header(self.rest, self.offset)?;
        if header.tag == Tag::EOC {
            return Err(self.error(ErrorKind::UnexpectedEoc));
        }
        let after_header = self.rest.get(header.size..).unwrap_or_default();
        let (contents, size) = match header.length {
            Length::Definite(length) => {
                let contents = usize::try_from(length)
                    .ok()
                    .and_then(|length| after_header.get(..length))
                    .ok_or_else(|| self.error(ErrorKind::Truncated))?;
                (contents, header.size + contents.len())
            }
            Length::Indefinite => {
                let length = self.indefinite_length(after_header)?;
                let contents = after_header.get(..length).unwrap_or_default();
                (contents, header.size + length + 2)
            }
        };
        let (raw, rest) = self.rest.split_at_checked(size).ok_or_else(|| self.error(ErrorKind::Truncated))?;
        Ok(self.take(header, contents, raw, rest))
    }

    /// The next element, whatever its tag.
    ///
    /// # Errors
    /// At the end ([`ErrorKind::Truncated`]), or no complete encoding.
    #[inline]
    pub fn any(&mut self) -> Result<Tlv<'a>, Error> {
        self.next()?.ok_or_else(|| self.error(ErrorKind::Truncated))
    }

    /// The tag of the next element without reading it; `None` at the end.
    ///
    /// # Errors
    /// The identifier or length octets are malformed.
    #[inline]
    pub fn peek(&self) -> Result<Option<Tag>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.header(self.rest, self.offset).map(|header| Some(header.tag))
    }

    /// The next element, which must have `tag`.
    ///
    /// # Errors
    /// Another tag, the end, or no complete encoding.
    #[inline]
    pub fn expect(&mut self, tag: Tag) -> Result<Tlv<'a>, Error> {
        if self.is_next(tag) {
            return self.any();
        }
        match self.peek()? {
            Some(found) if found == tag => self.any(),
            Some(found) => Err(self.error(ErrorKind::UnexpectedTag { expected: tag, found })),
            None => Err(self.error(ErrorKind::Missing { expected: tag })),
        }
    }

    /// The next element if it has `tag`.
    ///
    /// # Errors
    /// The next element is no complete encoding.
    #[inline]
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, Error> {
        if self.is_next(tag) || self.peek()? == Some(tag) { self.next() } else { Ok(None) }
    }

    /// Whether the first octet alone says that the next element has `tag`, as it does for all numbers below 31.
    #[inline]
    fn is_next(&self, tag: Tag) -> bool {
        let class = match tag.class {
            Class::Universal => 0,
            Class::Application => 0x40,
            Class::Context => 0x80,
            Class::Private => 0xC0,
        };
        tag.number < 0x1F
            && self.rest.first().is_some_and(|first| u32::from(first & 0xDF) == class | tag.number)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`ErrorKind::Trailing`].
    #[inline]
    pub fn finish(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(ErrorKind::Trailing)) }
    }

    /// An error at the place of the next element.
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error { kind, offset: self.offset }
    }

    #[inline]
    fn header(&self, octets: &[u8], offset: usize) -> Result<Header, Error> {
        match Header::parse(octets) {
            Ok(Some(header)) => Ok(header),
            Ok(None) => Err(Error { kind: ErrorKind::Truncated, offset }),
            Err(kind) => Err(Error { kind, offset }),
        }
    }

    /// Length of contents that run up to end-of-contents octets. Iterative: nesting costs a counter, not stack.
    fn indefinite_length(&self, contents: &[u8]) -> Result<usize, Error> {
        let start = self.offset;
        let mut position = 0;
        let mut open = 1u16;
        loop {
            let here = contents.get(position..).unwrap_or_default();
            let header = self.header(here, start + position)?;
            if header.tag == Tag::EOC {
                open -= 1;
                if open == 0 {
                    return Ok(position);
                }
                position += header.size;
                continue;
            }
            position += header.size;
            match header.length {
                Length::Indefinite => {
                    open += 1;
                    if open > self.depth {
                        return Err(Error { kind: ErrorKind::TooDeep, offset: start + position });
                    }
                }
                Length::Definite(length) => {
                    position = usize::try_from(length)
                        .ok()
                        .and_then(|length| position.checked_add(length))
                        .filter(|&end| end <= contents.len())
                        .ok_or(Error { kind: ErrorKind::Truncated, offset: start + position })?;
                }
            }
        }
    }
}

impl<'a> Tlv<'a> {
    /// A reader over the contents, one level deeper.
    ///
    /// # Errors
    /// Primitive form, or the nesting limit is reached.
    #[inline]
    pub fn reader(&self) -> Result<Reader<'a>, Error> {
        if !self.constructed {
            return Err(self.error(ErrorKind::NotConstructed(self.tag)));
        }
        let depth = self.depth.checked_sub(1).ok_or_else(|| self.error(ErrorKind::TooDeep))?;
        Ok(Reader { rest: self.contents, offset: self.offset + self.header_size(), depth })
    }

    /// Number of identifier and length octets.
    #[inline]
    pub fn header_size(&self) -> usize {
        // The header is everything in front of the contents; both are slices of the same input.
        self.contents.as_ptr() as usize - self.raw.as_ptr() as usize
    }

    /// Whether end-of-contents octets end the encoding.
    #[inline]
    pub fn is_indefinite(&self) -> bool {
        self.raw.len() > self.header_size() + self.contents.len()
    }

    /// The single element inside an explicit tag.
    ///
    /// # Errors
    /// Primitive form, no element or more than one.
    #[inline]
    pub fn explicit(&self) -> Result<Tlv<'a>, Error> {
        let mut reader = self.reader()?;
        let inner = reader.any()?;
        reader.finish()?;
        Ok(inner)
    }

    /// Offset of this element from the start of the outermost reader's input.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// An error at the place of this element.
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error { kind, offset: self.offset }
    }
}
