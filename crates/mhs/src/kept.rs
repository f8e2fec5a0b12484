//! Values that remember the encoding they came in.
//!
//! An MTA relays what it does not change octet for octet: signatures may cover it, and the next MTA may
//! be particular. So [`Kept`] holds a decoded value beside its encoding, [`List`] an ordered list with
//! the header it had, and a layout the order and unknown members of a SET. Encoding one of them again without
//! having changed it gives the same octets, indefinite or over-long lengths included; a change costs only the
//! encoding of what changed and, if their lengths change, the headers around it.

use core::ops::{Deref, DerefMut};

use ber::{Octets, Tag, Tlv, Writer};

use crate::error::{DecodeError, DecodeErrorKind, Within};

/// A decoded value and, if it was received, its encoding.
///
/// Equality is that of the values. Reading goes through `Deref`.
#[derive(Clone, Debug, Default)]
pub struct Kept<T> {
    value: T,
    raw: Option<Octets>,
}

impl<T> Kept<T> {
    /// A value of our own making.
    pub fn new(value: T) -> Self {
        Kept { value, raw: None }
    }

    pub(crate) fn received(value: T, tlv: &Tlv<'_>) -> Self {
        Kept { value, raw: Some(tlv.raw.into()) }
    }

    /// The encoding the value came in; `None` once it has been changed or if it never had one.
    pub fn raw(&self) -> Option<&[u8]> {
        self.raw.as_deref()
    }

    /// Replaces the value; the encoding it came in is forgotten unless the value is the same.
    pub fn set(&mut self, value: T)
    where
        T: PartialEq,
    {
        if self.value != value {
            *self = Kept::new(value);
        }
    }

    /// The value for changing; the encoding it came in is forgotten.
    pub fn edit(&mut self) -> &mut T {
        self.raw = None;
        &mut self.value
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }

    pub(crate) fn write(&self, w: &mut Writer, encode: impl FnOnce(&T, &mut Writer)) {
        match &self.raw {
            Some(raw) => w.raw(raw),
            None => encode(&self.value, w),
        }
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for Kept<T> {
    fn from(value: T) -> Self {
        Kept::new(value)
    }
}

impl<T: PartialEq> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Kept<T> {}

/// Identifier and length octets of a constructed encoding as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Of our own making: definite length in the shortest form.
    #[default]
    New,
    /// Received, in the form that this MTA would have given it.
    Shortest,
    /// Received in any other form.
    Other(Box<OtherFrame>),
}

/// Identifier and length octets that this MTA would have written in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherFrame {
    tag: Tag,
    header: Octets,
    /// Length of the contents; `None` if it was indefinite.
    length: Option<usize>,
}

impl Frame {
    pub(crate) fn of(tlv: &Tlv<'_>) -> Frame {
        let (size, length) = (tlv.header_size(), tlv.contents.len());
        if !tlv.is_indefinite() && shortest_header(tlv.tag, length) == Some(size) {
            return Frame::Shortest;
        }
        Frame::Other(Box::new(OtherFrame {
            tag: tlv.tag,
            header: tlv.raw.get(..size).unwrap_or_default().into(),
            length: (!tlv.is_indefinite()).then_some(length),
        }))
    }

    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Frame::New)
    }

    /// Writes the encoding whose contents `contents` writes, as it was framed if that still is possible.
    pub(crate) fn write(&self, w: &mut Writer, tag: Tag, contents: impl FnOnce(&mut Writer)) {
        let other = match self {
            Frame::Other(other) if other.tag == tag => other,
            Frame::New | Frame::Shortest | Frame::Other(_) => return w.constructed(tag, contents),
        };
        let Some(length) = other.length else {
            w.raw(&other.header);
            contents(w);
            w.raw(&[0, 0]);
            return;
        };
        let octets = Writer::encode(contents);
        if octets.len() == length {
            w.raw(&other.header);
        } else {
            w.header(tag, true, octets.len() as u64);
        }
        w.raw(&octets);
    }
}

/// Number of identifier and length octets in the shortest form of a definite length; `None` for tag numbers that take
/// more than one octet, of which P1 has none. A header of this size can be nothing else.
fn shortest_header(tag: Tag, length: usize) -> Option<usize> {
    if tag.number >= 0x1F {
        return None;
    }
    let significant = (usize::BITS - length.leading_zeros()).div_ceil(8) as usize;
    Some(if length < 0x80 { 2 } else { 2 + significant })
}

/// Checks the tag of an element that has been read without one being asked for.
pub(crate) fn expect(tlv: &Tlv<'_>, expected: Tag) -> Result<(), DecodeError> {
    if tlv.tag == expected {
        return Ok(());
    }
    Err(tlv.error(ber::ErrorKind::UnexpectedTag { expected, found: tlv.tag }).into())
}

/// Elements of a list for which memory is taken before they are there.
const EXPECTED_MAX: usize = 16;

/// An ordered list (SEQUENCE OF or SET OF) that keeps the header it came with.
///
/// Order is never changed: elements are added at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T> {
    frame: Frame,
    items: Vec<T>,
}

impl<T> List<T> {
    /// A list of our own making.
    pub fn new(items: Vec<T>) -> Self {
        List { frame: Frame::New, items }
    }

    pub(crate) fn decode(
        tlv: &Tlv<'_>,
        element: Tag,
        limit: usize,
        mut decode: impl FnMut(&Tlv<'_>) -> Result<T, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let mut items = Vec::new();
        while let Some(item) = reader.next().index(items.len())? {
            if items.len() >= limit {
                return Err(DecodeError::new(DecodeErrorKind::TooMany { limit }, item.offset()));
            }
            expect(&item, element).index(items.len())?;
            let value = decode(&item).index(items.len())?;
            if items.is_empty() {
                // As many as there would be if they were all of a size; what a peer says in a few octets is not believed
                // without bound.
                items.reserve((tlv.contents.len() / item.raw.len().max(1)).clamp(1, EXPECTED_MAX));
            }
            items.push(value);
        }
        Ok(List { frame: Frame::of(tlv), items })
    }

    /// Adds an element at the end.
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Keeps only the elements that `keep` approves of.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }

    /// The elements alone.
    pub fn into_vec(self) -> Vec<T> {
        self.items
    }

    /// Whether the list neither has elements nor was received.
    pub(crate) fn is_absent(&self) -> bool {
        self.items.is_empty() && self.frame.is_new()
    }

    pub(crate) fn write(&self, w: &mut Writer, tag: Tag, mut encode: impl FnMut(&T, &mut Writer)) {
        self.frame.write(w, tag, |w| self.items.iter().for_each(|item| encode(item, w)));
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List::new(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        List::new(items)
    }
}

impl<T> Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut List<T> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter_mut()
    }
}

/// Most members of one SET that this MTA does not know. Each takes much more in memory than its two octets at least on
/// the wire.
const UNKNOWN_MAX: usize = 256;

/// Most members that a SET known here has.
const KNOWN_MAX: usize = 16;

/// The order in which the members of a SET came, and those members that this MTA does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout<F> {
    frame: Frame,
    /// The members that are known, in the order in which they came. None comes twice, so they are few.
    known: [Option<F>; KNOWN_MAX],
    unknown: Vec<Unknown>,
}

/// A member that this MTA does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unknown {
    /// How many of those that are known came before it.
    after: usize,
    raw: Octets,
}

impl<F: Copy> Default for Layout<F> {
    fn default() -> Self {
        Layout { frame: Frame::New, known: [None; KNOWN_MAX], unknown: Vec::new() }
    }
}

impl<F: Copy + PartialEq> Layout<F> {
    /// Reads the members of a SET: `field_of` names those that are known, `decode` takes them.
    pub(crate) fn decode(
        tlv: &Tlv<'_>,
        field_of: impl Fn(&Tlv<'_>) -> Option<(F, &'static str)>,
        mut decode: impl FnMut(F, &Tlv<'_>) -> Result<(), DecodeError>,
    ) -> Result<Self, DecodeError> {
        let mut layout = Layout { frame: Frame::of(tlv), ..Layout::default() };
        let mut reader = tlv.reader()?;
        let mut count = 0;
        while let Some(member) = reader.next()? {
            let Some((field, name)) = field_of(&member) else {
                if layout.unknown.len() == UNKNOWN_MAX {
                    let kind = DecodeErrorKind::TooMany { limit: UNKNOWN_MAX };
                    return Err(DecodeError::new(kind, member.offset()));
                }
                layout.unknown.push(Unknown { after: count, raw: member.raw.into() });
                continue;
            };
            let duplicate = layout.has(field);
            // With no member twice there is always room for another.
            let Some(slot) = layout.known.get_mut(count).filter(|_| !duplicate) else {
                return Err(DecodeError::new(DecodeErrorKind::Duplicate, member.offset())).field(name);
            };
            *slot = Some(field);
            count += 1;
            decode(field, &member).field(name)?;
        }
        Ok(layout)
    }

    /// Writes the members in the order in which they came, then those that are new in the order of `all`.
    /// `encode` writes nothing for a member that is absent.
    pub(crate) fn write(
        &self,
        w: &mut Writer,
        tag: Tag,
        all: &[F],
        mut encode: impl FnMut(F, Presence, &mut Writer),
    ) {
        self.frame.write(w, tag, |w| {
            let mut unknown = self.unknown.iter().peekable();
            for (count, field) in self.known.iter().flatten().enumerate() {
                while let Some(member) = unknown.next_if(|member| member.after <= count) {
                    w.raw(&member.raw);
                }
                encode(*field, Presence::Received, w);
            }
            unknown.for_each(|member| w.raw(&member.raw));
            for field in all {
                if !self.has(*field) {
                    encode(*field, Presence::Added, w);
                }
            }
        });
    }

    /// Leaves out the members that are not known.
    pub(crate) fn forget_unknown(&mut self) {
        self.unknown.clear();
    }

    /// Encodings of the members that are not known.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &[u8]> {
        self.unknown.iter().map(|member| &*member.raw)
    }

    fn has(&self, field: F) -> bool {
        self.known.iter().map_while(|known| *known).any(|known| known == field)
    }
}

/// Whether a member was there when the SET was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Received,
    Added,
}
