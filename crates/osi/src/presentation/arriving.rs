//! User-data of a TD (X.226 8.4) that comes in pieces: finds the values in it and hands their octets on. Holds a few dozen
//! octets at most.

use alloc::vec::Vec;

use ber::{Class, Error, ErrorKind, Header, Oid, Reader, Tag, Writer};

use super::error::PresentationError;
use super::machine::TRANSFER_SYNTAX_BER;
use super::service::{Contexts, PPart, PresentationMode};
use super::user_data::{ContextId, UserData, VALUES_MAX};
use crate::elements::{Element, Elements};

const PPDU: &str = "TD";
/// Longest object identifier or integer accepted as a reference, in octets.
const REFERENCE_OCTETS_MAX: usize = 64;

/// User data that is arriving.
#[derive(Clone, Debug)]
pub(super) struct Arriving {
    mode: PresentationMode,
    contexts: Contexts,
    elements: Elements,
    step: Step,
    /// Of the PDV-list that is being read.
    list: List,
    /// PDV-lists so far.
    lists: usize,
    parts: Vec<PPart>,
}

/// Where the reader stands.
#[derive(Clone, Debug)]
enum Step {
    /// Before the User-data.
    Outer,
    /// Between PDV-lists.
    Lists,
    /// Between the components of a PDV-list.
    Fields,
    /// In a component that says how the value is to be read.
    Reference { tag: Tag, value: Vec<u8> },
    /// In a single-ASN1-type, which lies at this depth.
    Single { depth: usize, begun: bool },
    /// In octets or bits, at this depth.
    Octets { bits: bool, depth: usize, unused_due: bool, simple: bool },
    /// Behind the User-data.
    Done,
}

#[derive(Clone, Debug, Default)]
struct List {
    syntax: Option<Oid>,
    context: Option<ContextId>,
    has_value: bool,
}

impl Arriving {
    /// The start of user data among these contexts.
    pub(super) fn new(mode: PresentationMode, contexts: &Contexts) -> Self {
        Arriving {
            mode,
            contexts: contexts.clone(),
            elements: Elements::default(),
            step: Step::Outer,
            list: List::default(),
            lists: 0,
            parts: Vec::new(),
        }
    }

    /// Takes the next octets; gives what there is of values in them.
    pub(super) fn take(&mut self, octets: Vec<u8>, last: bool) -> Result<Vec<PPart>, PresentationError> {
        match self.mode {
            PresentationMode::Normal => {}
            PresentationMode::X410 => {
                return Ok(Vec::from([PPart { context: ContextId::DEFAULT, octets, last }]));
            }
        }
        let mut input = octets.as_slice();
        while let Some(element) = self.elements.next(&mut input).map_err(malformed)? {
            match element {
                Element::Begin(header) => self.begin(header)?,
                Element::Contents(octets) => self.contents(octets)?,
                Element::End { eoc } => self.end(eoc)?,
            }
        }
        if last && !(matches!(self.step, Step::Done) && self.elements.is_between()) {
            return Err(self.wrong(ErrorKind::Truncated));
        }
        Ok(core::mem::take(&mut self.parts))
    }

    fn begin(&mut self, header: Header) -> Result<(), PresentationError> {
        let Header { tag, constructed, .. } = header;
        match &mut self.step {
            Step::Outer => match tag {
                UserData::SIMPLE => {
                    let contexts = self.contexts.len();
                    let Some((context, _)) = self.contexts.iter().next().filter(|_| contexts == 1) else {
                        return Err(PresentationError::SimplyEncoded { ppdu: PPDU, contexts });
                    };
                    self.list.context = Some(*context);
                    self.octets(false, true, constructed);
                }
                UserData::FULL if constructed => self.step = Step::Lists,
                UserData::FULL => return Err(self.wrong(ErrorKind::NotConstructed(tag))),
                found => return Err(self.unexpected(UserData::FULL, found)),
            },
            Step::Lists => {
                if tag != Tag::SEQUENCE {
                    return Err(self.unexpected(Tag::SEQUENCE, tag));
                }
                if !constructed {
                    return Err(self.wrong(ErrorKind::NotConstructed(tag)));
                }
                if self.lists == VALUES_MAX {
                    return Err(self.wrong(ErrorKind::TooMany { limit: VALUES_MAX }));
                }
                self.lists += 1;
                self.list = List::default();
                self.step = Step::Fields;
            }
            Step::Fields => self.field(header)?,
            Step::Reference { tag: outer, .. } => {
                let outer = *outer;
                return Err(self.wrong(ErrorKind::NotPrimitive(outer)));
            }
            Step::Single { depth, begun } => {
                if self.elements.depth() == *depth + 1 && core::mem::replace(begun, true) {
                    return Err(self.wrong(ErrorKind::Trailing));
                }
                let octets = self.elements.header(header).to_vec();
                self.give(&octets);
            }
            Step::Octets { bits, unused_due, .. } => {
                let expected = if *bits { Tag::BIT_STRING } else { Tag::OCTET_STRING };
                *unused_due = *bits && !constructed;
                if tag != expected {
                    return Err(self.unexpected(expected, tag));
                }
            }
            Step::Done => return Err(self.wrong(ErrorKind::Trailing)),
        }
        Ok(())
    }

    /// A component of a PDV-list.
    fn field(&mut self, header: Header) -> Result<(), PresentationError> {
        let Header { tag, constructed, .. } = header;
        let List { syntax, context, has_value } = &self.list;
        match (tag, context) {
            _ if *has_value => return Err(self.wrong(ErrorKind::Trailing)),
            (Tag::OBJECT_IDENTIFIER, None) if syntax.is_none() => {
                self.step = Step::Reference { tag, value: Vec::new() };
            }
            (Tag::INTEGER, None) => self.step = Step::Reference { tag, value: Vec::new() },
            (_, None) => return Err(self.unexpected(Tag::INTEGER, tag)),
            (Tag { class: Class::Context, number: number @ 0..=2 }, Some(context)) => {
                let context = *context;
                if self.contexts.syntax(context).is_none() {
                    return Err(PresentationError::UnknownContext { ppdu: PPDU, context });
                }
                if let Some(syntax) = syntax.clone().filter(|syntax| *syntax != TRANSFER_SYNTAX_BER) {
                    return Err(PresentationError::TransferSyntax { ppdu: PPDU, syntax });
                }
                self.list.has_value = true;
                match number {
                    0 if constructed => {
                        self.step = Step::Single { depth: self.elements.depth(), begun: false };
                    }
                    0 => return Err(self.wrong(ErrorKind::NotConstructed(tag))),
                    _ => self.octets(number == 2, false, constructed),
                }
            }
            (found, Some(_)) => return Err(self.unexpected(Tag::context(0), found)),
        }
        Ok(())
    }

    fn octets(&mut self, bits: bool, simple: bool, constructed: bool) {
        let depth = self.elements.depth();
        self.step = Step::Octets { bits, depth, unused_due: bits && !constructed, simple };
    }

    fn contents(&mut self, octets: &[u8]) -> Result<(), PresentationError> {
        match &mut self.step {
            Step::Reference { tag, value } => {
                if value.len().saturating_add(octets.len()) > REFERENCE_OCTETS_MAX {
                    let tag = *tag;
                    return Err(self.wrong(ErrorKind::BadContents(tag)));
                }
                value.extend_from_slice(octets);
            }
            Step::Single { .. } => self.give(octets),
            Step::Octets { unused_due, .. } => {
                let octets = match octets.split_first() {
                    Some((0, rest)) if core::mem::take(unused_due) => rest,
                    _ if *unused_due => return Err(self.wrong(ErrorKind::BadContents(Tag::BIT_STRING))),
                    _ => octets,
                };
                self.give(octets);
            }
            // Only what is constructed gets here, and the start.
            Step::Outer | Step::Lists | Step::Fields | Step::Done => {}
        }
        Ok(())
    }

    fn end(&mut self, eoc: bool) -> Result<(), PresentationError> {
        let here = self.elements.depth();
        match &mut self.step {
            Step::Outer | Step::Done => {}
            Step::Lists => self.step = Step::Done,
            Step::Fields => {
                if !self.list.has_value {
                    let expected = if self.list.context.is_none() { Tag::INTEGER } else { Tag::context(0) };
                    return Err(self.wrong(ErrorKind::Missing { expected }));
                }
                self.step = Step::Lists;
            }
            Step::Reference { tag, value } => {
                let (tag, value) = (*tag, core::mem::take(value));
                self.reference(tag, &value)?;
                self.step = Step::Fields;
            }
            Step::Single { depth, begun } => {
                let (depth, begun) = (*depth, *begun);
                if here < depth {
                    if !begun {
                        return Err(self.wrong(ErrorKind::Truncated));
                    }
                    self.step = Step::Fields;
                    return Ok(());
                }
                if eoc {
                    self.give(&[0, 0]);
                }
                if here == depth {
                    self.ends();
                }
            }
            Step::Octets { depth, unused_due, simple, .. } => {
                if *unused_due {
                    return Err(self.wrong(ErrorKind::BadContents(Tag::BIT_STRING)));
                }
                if here < *depth {
                    self.step = if *simple { Step::Done } else { Step::Fields };
                    self.ends();
                }
            }
        }
        Ok(())
    }

    fn reference(&mut self, tag: Tag, value: &[u8]) -> Result<(), PresentationError> {
        let encoding = Writer::encode(|w| w.primitive(tag, value));
        let bad = |_| self.wrong(ErrorKind::BadContents(tag));
        let element = Reader::new(&encoding).any().map_err(bad)?;
        if tag == Tag::INTEGER {
            self.list.context = Some(ContextId(element.integer().map_err(bad)?));
        } else {
            self.list.syntax = Some(element.oid().map_err(bad)?);
        }
        Ok(())
    }

    /// Octets of the value of this list.
    fn give(&mut self, octets: &[u8]) {
        let Some(context) = self.list.context else { return };
        match self.parts.last_mut() {
            Some(part) if !part.last => part.octets.extend_from_slice(octets),
            Some(_) | None => self.parts.push(PPart { context, octets: octets.to_vec(), last: false }),
        }
    }

    /// The value of this list ends.
    fn ends(&mut self) {
        self.give(&[]);
        if let Some(part) = self.parts.last_mut() {
            part.last = true;
        }
    }

    fn unexpected(&self, expected: Tag, found: Tag) -> PresentationError {
        self.wrong(ErrorKind::UnexpectedTag { expected, found })
    }

    fn wrong(&self, kind: ErrorKind) -> PresentationError {
        malformed(self.elements.error(kind))
    }
}

fn malformed(source: Error) -> PresentationError {
    PresentationError::Malformed { ppdu: PPDU, source }
}
