//! The EXTERNAL around an APDU (X.690 8.18): its head for sending, and a reader that takes it off a stream.
//!
//! P1 in normal mode transfers each MTS-APDU as one EXTERNAL whose indirect reference is the presentation context
//! of the MTS-APDUs. What is inside is handed on unread.

use alloc::vec::Vec;

use ber::{DEFAULT_DEPTH, ErrorKind, Header, Length, Oid, Tag, Writer};
use serde::{Deserialize, Serialize};

use super::walker::Walker;
use crate::elements::HeaderBuffer;
use crate::presentation::{ContextId, TRANSFER_SYNTAX_BER};

/// The octets in front of an APDU of `length` octets: EXTERNAL with indirect reference and single-ASN1-type.
pub fn head(context: ContextId, length: u64) -> Vec<u8> {
    let mut inner = Writer::new();
    inner.integer(Tag::INTEGER, context.0);
    inner.header(Tag::context(0), true, length);
    let mut outer = Writer::new();
    outer.header(Tag::EXTERNAL, true, (inner.len() as u64).saturating_add(length));
    outer.raw(inner.as_slice());
    outer.into_vec()
}

/// What is wrong with an EXTERNAL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalError {
    /// The encoding is no BER.
    #[error("{kind} at octet {offset} of the EXTERNAL")]
    Encoding {
        /// What is wrong.
        kind: ErrorKind,
        /// Offset in the stream.
        offset: u64,
    },
    /// Another element than an EXTERNAL has at this place.
    #[error("unexpected element {found} at octet {offset} of the EXTERNAL")]
    Element {
        /// The tag found.
        found: Tag,
        /// Offset in the stream.
        offset: u64,
    },
    /// A reference longer than any in use.
    #[error("reference of {octets} octets in the EXTERNAL")]
    Reference {
        /// Its length.
        octets: u64,
    },
    /// The EXTERNAL does not say which context its value is in.
    #[error("EXTERNAL without indirect reference")]
    NoContext,
    /// The value is in a context which is not that of the APDUs.
    #[error("EXTERNAL is in context {0}, which is not that of the APDUs")]
    Context(ContextId),
    /// The direct reference names a transfer syntax other than BER.
    #[error("EXTERNAL in transfer syntax {0}")]
    TransferSyntax(Oid),
    /// A bit string that is no whole number of octets.
    #[error("EXTERNAL holds bits that make no whole octets")]
    UnusedBits,
    /// A part reaches beyond the end of the whole.
    #[error("value reaches beyond the end of the EXTERNAL at octet {offset}")]
    Overrun {
        /// Offset in the stream.
        offset: u64,
    },
    /// More octets than the EXTERNAL has.
    #[error("octets after the end of the EXTERNAL at octet {offset}")]
    Trailing {
        /// Offset in the stream.
        offset: u64,
    },
    /// The stream ended inside the EXTERNAL.
    #[error("APDU ends inside its EXTERNAL, after {octets} octets")]
    Incomplete {
        /// Octets that came.
        octets: u64,
    },
}

/// Longest object identifier or integer accepted as a reference, in octets.
const REFERENCE_OCTETS_MAX: u64 = 64;
/// Longest data-value-descriptor passed over, in octets.
const DESCRIPTOR_OCTETS_MAX: u64 = 1024;

/// Takes the EXTERNAL off a stream that comes in pieces of any size. Holds a few dozen octets at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalReader {
    /// Contexts in which an APDU may be; one, unless the peer proposed the abstract syntax twice.
    allowed: Vec<ContextId>,
    header: HeaderBuffer,
    step: Step,
    position: u64,
    /// Where the EXTERNAL ends; `None` for end-of-contents octets.
    outer_end: Option<u64>,
    context: Option<ContextId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    /// The header of the EXTERNAL itself.
    Outer,
    /// The header of a reference, the descriptor or the value.
    Field,
    /// Contents of a reference.
    Reference { which: Reference, missing: u64, value: Vec<u8> },
    /// Contents of the descriptor.
    Descriptor { missing: u64 },
    /// Octets of the APDU up to a known length, then what `after` says.
    Value { missing: u64, after: After },
    /// The unused-bits octet in front of octets of a bit string.
    UnusedBits { missing: u64, after: After },
    /// An APDU of unknown length.
    Walk(Walker),
    /// The header of a segment of a constructed string.
    Segment { bits: bool, end: Option<u64> },
    /// End-of-contents octets of an indefinite `[0]`.
    InnerEnd,
    /// The end of the EXTERNAL.
    OuterEnd,
    /// Ended.
    Done,
}

/// What follows octets of a known length.
/// Which reference is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Reference {
    TransferSyntax,
    Context,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum After {
    OuterEnd,
    Segment { bits: bool, end: Option<u64> },
}

impl ExternalReader {
    /// A reader at the start of an EXTERNAL whose value must be in one of the contexts `allowed`.
    pub fn new(allowed: Vec<ContextId>) -> Self {
        ExternalReader {
            allowed,
            header: HeaderBuffer::default(),
            step: Step::Outer,
            position: 0,
            outer_end: None,
            context: None,
        }
    }

    /// The same reader on another association, which has its own contexts.
    pub(super) fn among(self, other: &ExternalReader) -> Self {
        ExternalReader { allowed: other.allowed.clone(), ..self }
    }

    /// Takes the next octets of the stream and appends those of the APDU to `out`.
    ///
    /// # Errors
    /// This is no EXTERNAL, or not one with an APDU. The reader is of no use after that.
    pub fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), ExternalError> {
        let mut rest = octets;
        while let Some((&octet, tail)) = rest.split_first() {
            // Nothing inside is looked for behind the end, so that where an error is seen does not depend on the pieces.
            let inside = self.inside(rest);
            if inside.is_empty() && !matches!(self.step, Step::Done) {
                return Err(ExternalError::Overrun { offset: self.position });
            }
            // Every step takes one octet at least, so the loop ends.
            let taken = match &mut self.step {
                Step::Done => return Err(ExternalError::Trailing { offset: self.position }),
                Step::Outer | Step::Field | Step::Segment { .. } | Step::InnerEnd | Step::OuterEnd => {
                    let header = self.header.push(octet).map_err(|kind| self.encoding(kind))?;
                    self.advance(1)?;
                    if let Some(header) = header {
                        self.on_header(header)?;
                    }
                    rest = tail;
                    continue;
                }
                Step::Reference { missing, value, .. } => {
                    let now = take(inside, *missing);
                    value.extend_from_slice(now);
                    *missing -= now.len() as u64;
                    now.len()
                }
                Step::Descriptor { missing } => {
                    let now = take(inside, *missing);
                    *missing -= now.len() as u64;
                    now.len()
                }
                Step::Value { missing, .. } => {
                    let now = take(inside, *missing);
                    out.extend_from_slice(now);
                    *missing -= now.len() as u64;
                    now.len()
                }
                Step::UnusedBits { missing, after } => {
                    if octet != 0 {
                        return Err(ExternalError::UnusedBits);
                    }
                    self.step = Step::Value { missing: *missing, after: *after };
                    1
                }
                Step::Walk(walker) => {
                    let before = walker.position();
                    let now = walker.feed(inside).map_err(|kind| {
                        // The octet that was wrong, whichever piece it came in.
                        let walked = walker.position().saturating_sub(before + 1);
                        ExternalError::Encoding { kind, offset: self.position.saturating_add(walked) }
                    })?;
                    out.extend_from_slice(inside.get(..now).unwrap_or_default());
                    if walker.is_done() {
                        self.step = Step::InnerEnd;
                    }
                    now
                }
            };
            self.advance(taken as u64)?;
            rest = rest.get(taken..).unwrap_or_default();
            self.settle()?;
        }
        Ok(())
    }

    /// Checks that the EXTERNAL has ended.
    ///
    /// # Errors
    /// [`ExternalError::Incomplete`].
    pub fn finish(&self) -> Result<(), ExternalError> {
        match self.step {
            Step::Done => Ok(()),
            Step::Outer
            | Step::Field
            | Step::Reference { .. }
            | Step::Descriptor { .. }
            | Step::Value { .. }
            | Step::UnusedBits { .. }
            | Step::Walk(_)
            | Step::Segment { .. }
            | Step::InnerEnd
            | Step::OuterEnd => Err(ExternalError::Incomplete { octets: self.position }),
        }
    }

    fn on_header(&mut self, header: Header) -> Result<(), ExternalError> {
        match self.step {
            Step::Outer => {
                if header.tag != Tag::EXTERNAL || !header.constructed {
                    return Err(self.element(header.tag));
                }
                self.outer_end = self.end_of(header.length)?;
                self.step = Step::Field;
            }
            Step::Field => self.on_field(header)?,
            Step::Segment { end: None, .. } if header.tag == Tag::EOC => {
                self.end_of_contents(header)?;
                self.step = Step::OuterEnd;
            }
            Step::Segment { bits, end } => {
                let expected = if bits { Tag::BIT_STRING } else { Tag::OCTET_STRING };
                let (Length::Definite(length), false) = (header.length, header.constructed) else {
                    return Err(self.element(header.tag));
                };
                if header.tag != expected {
                    return Err(self.element(header.tag));
                }
                self.value(bits, length, After::Segment { bits, end })?;
            }
            Step::InnerEnd => {
                self.end_of_contents(header)?;
                self.step = Step::OuterEnd;
            }
            Step::OuterEnd => {
                self.end_of_contents(header)?;
                self.step = Step::Done;
            }
            Step::Reference { .. }
            | Step::Descriptor { .. }
            | Step::Value { .. }
            | Step::UnusedBits { .. }
            | Step::Walk(_)
            | Step::Done => {}
        }
        self.settle()
    }

    fn on_field(&mut self, header: Header) -> Result<(), ExternalError> {
        let definite = match header.length {
            Length::Definite(length) if !header.constructed => Some(length),
            Length::Definite(_) | Length::Indefinite => None,
        };
        self.end_of(header.length)?;
        match (header.tag, definite) {
            (Tag::OBJECT_IDENTIFIER | Tag::INTEGER, Some(octets)) => {
                if octets > REFERENCE_OCTETS_MAX {
                    return Err(ExternalError::Reference { octets });
                }
                let which =
                    if header.tag == Tag::INTEGER { Reference::Context } else { Reference::TransferSyntax };
                self.step = Step::Reference { which, missing: octets, value: Vec::new() };
            }
            (Tag::OBJECT_DESCRIPTOR, Some(octets)) => {
                if octets > DESCRIPTOR_OCTETS_MAX {
                    return Err(ExternalError::Reference { octets });
                }
                self.step = Step::Descriptor { missing: octets };
            }
            (tag, definite) => {
                let (Some(context), Tag { class: ber::Class::Context, number: number @ 0..=2 }) =
                    (self.context, tag)
                else {
                    return Err(if self.context.is_none() && tag.class == ber::Class::Context {
                        ExternalError::NoContext
                    } else {
                        self.element(tag)
                    });
                };
                if !self.allowed.contains(&context) {
                    return Err(ExternalError::Context(context));
                }
                let bits = number == 2;
                match (number, definite, header.length) {
                    (0, Some(_), _) => return Err(self.encoding(ErrorKind::NotConstructed(tag))),
                    (0, None, Length::Definite(length)) => {
                        self.step = Step::Value { missing: length, after: After::OuterEnd };
                    }
                    (0, None, Length::Indefinite) => self.step = Step::Walk(Walker::new(DEFAULT_DEPTH)),
                    (_, Some(length), _) => self.value(bits, length, After::OuterEnd)?,
                    (_, None, length) => {
                        self.step = Step::Segment { bits, end: self.end_of(length)? };
                    }
                }
            }
        }
        Ok(())
    }

    /// Octets of a primitive string, with the octet in front that a bit string has.
    fn value(&mut self, bits: bool, length: u64, after: After) -> Result<(), ExternalError> {
        self.end_of(Length::Definite(length))?;
        self.step = if bits {
            let missing = length.checked_sub(1).ok_or(ExternalError::UnusedBits)?;
            Step::UnusedBits { missing, after }
        } else {
            Step::Value { missing: length, after }
        };
        Ok(())
    }

    /// Makes the moves that take no octet: nothing is missing any more, or the known end is reached.
    fn settle(&mut self) -> Result<(), ExternalError> {
        // Each turn leaves a step that is not returned to: Value, Segment, OuterEnd, Done. Three are enough.
        for _ in 0..4 {
            let next = match &mut self.step {
                Step::Reference { which, missing: 0, value } => {
                    let (which, value) = (*which, core::mem::take(value));
                    self.reference(which, &value)?;
                    Step::Field
                }
                Step::Descriptor { missing: 0 } => Step::Field,
                Step::Value { missing: 0, after: After::OuterEnd } => Step::OuterEnd,
                Step::Value { missing: 0, after: After::Segment { bits, end } } => {
                    Step::Segment { bits: *bits, end: *end }
                }
                Step::Segment { end: Some(end), .. } if self.position >= *end => {
                    if self.position > *end {
                        return Err(ExternalError::Overrun { offset: self.position });
                    }
                    Step::OuterEnd
                }
                Step::OuterEnd => match self.outer_end {
                    Some(end) if self.position < end => {
                        return Err(ExternalError::Trailing { offset: self.position });
                    }
                    Some(_) => Step::Done,
                    None => return Ok(()),
                },
                Step::Outer
                | Step::Field
                | Step::Reference { .. }
                | Step::Descriptor { .. }
                | Step::Value { .. }
                | Step::UnusedBits { .. }
                | Step::Walk(_)
                | Step::Segment { .. }
                | Step::InnerEnd
                | Step::Done => return Ok(()),
            };
            self.step = next;
        }
        Ok(())
    }

    fn reference(&mut self, which: Reference, value: &[u8]) -> Result<(), ExternalError> {
        match which {
            Reference::Context => {
                let bad = ExternalError::Reference { octets: value.len() as u64 };
                let encoding = Writer::encode(|w| w.primitive(Tag::INTEGER, value));
                let number = ber::Reader::new(&encoding).any().and_then(|element| element.integer());
                self.context = Some(ContextId(number.map_err(|_| bad)?));
                Ok(())
            }
            Reference::TransferSyntax => match Oid::from_contents(value) {
                Some(syntax) if syntax == TRANSFER_SYNTAX_BER => Ok(()),
                Some(syntax) => Err(ExternalError::TransferSyntax(syntax)),
                None => Err(self.encoding(ErrorKind::BadContents(Tag::OBJECT_IDENTIFIER))),
            },
        }
    }

    /// Where contents of this length end, which must not be beyond the end of the whole.
    fn end_of(&self, length: Length) -> Result<Option<u64>, ExternalError> {
        let Length::Definite(length) = length else { return Ok(None) };
        let overrun = ExternalError::Overrun { offset: self.position };
        let end = self.position.checked_add(length).ok_or(overrun.clone())?;
        match self.outer_end {
            Some(outer) if end > outer => Err(overrun),
            Some(_) | None => Ok(Some(end)),
        }
    }

    fn end_of_contents(&self, header: Header) -> Result<(), ExternalError> {
        if header.tag != Tag::EOC || header.constructed || header.length != Length::Definite(0) {
            return Err(self.element(header.tag));
        }
        Ok(())
    }

    fn advance(&mut self, octets: u64) -> Result<(), ExternalError> {
        self.position = self.position.saturating_add(octets);
        match self.outer_end {
            Some(end) if self.position > end => Err(ExternalError::Overrun { offset: self.position }),
            Some(_) | None => Ok(()),
        }
    }

    /// What of `octets` is before the end of the EXTERNAL, if that is known.
    fn inside<'o>(&self, octets: &'o [u8]) -> &'o [u8] {
        match self.outer_end {
            Some(end) => take(octets, end.saturating_sub(self.position)),
            None => octets,
        }
    }

    fn encoding(&self, kind: ErrorKind) -> ExternalError {
        ExternalError::Encoding { kind, offset: self.position }
    }

    fn element(&self, found: Tag) -> ExternalError {
        ExternalError::Element { found, offset: self.position }
    }
}

fn take(octets: &[u8], missing: u64) -> &[u8] {
    let count = usize::try_from(missing).unwrap_or(usize::MAX).min(octets.len());
    octets.get(..count).unwrap_or_default()
}
