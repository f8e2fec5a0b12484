//! Values that remember the encoding they came in.
//!
//! An MTA relays what it does not change octet for octet: signatures may cover it, and the next MTA may
//! be particular. So [`Kept`] holds a decoded value beside its encoding, [`List`] an ordered list with
//! the header it had, and a layout the order and unknown members of a SET. Encoding one of them again without
//! having changed it gives the same octets, indefinite or over-long lengths included; a change costs only the
//! encoding of what changed and, if their lengths change, the headers around it.

use core::ops::{Deref, DerefMut};

use ber::{Tag, Tlv, Writer};

use crate::error::{DecodeError, DecodeErrorKind, Within};

/// A decoded value and, if it was received, its encoding.
///
/// Equality is that of the values. Reading goes through `Deref`.
#[derive(Clone, Debug, Default)]
pub struct Kept<T> {
    value: T,
    raw: Option<Box<[u8]>>,
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
    Definite {
        tag: Tag,
        header: Box<[u8]>,
        length: usize,
    },
    Indefinite {
        tag: Tag,
        header: Box<[u8]>,
    },
}

impl Frame {
    pub(crate) fn of(tlv: &Tlv<'_>) -> Frame {
        let header = tlv.raw.get(..header_size(tlv)).unwrap_or_default().into();
        if is_indefinite(tlv.raw) {
            Frame::Indefinite { tag: tlv.tag, header }
        } else {
            Frame::Definite { tag: tlv.tag, header, length: tlv.contents.len() }
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Frame::New)
    }

    /// Writes the encoding whose contents `contents` writes, as it was framed if that still is possible.
    pub(crate) fn write(&self, w: &mut Writer, tag: Tag, contents: impl FnOnce(&mut Writer)) {
        match self {
            Frame::Indefinite { tag: same, header } if *same == tag => {
                w.raw(header);
                contents(w);
                w.raw(&[0, 0]);
            }
            Frame::Definite { tag: same, header, length } if *same == tag => {
                let octets = Writer::encode(contents);
                if octets.len() == *length {
                    w.raw(header);
                } else {
                    w.header(tag, true, octets.len() as u64);
                }
                w.raw(&octets);
            }
            Frame::New | Frame::Definite { .. } | Frame::Indefinite { .. } => w.constructed(tag, contents),
        }
    }
}

/// Checks the tag of an element that has been read without one being asked for.
pub(crate) fn expect(tlv: &Tlv<'_>, expected: Tag) -> Result<(), DecodeError> {
    if tlv.tag == expected {
        return Ok(());
    }
    Err(tlv.error(ber::ErrorKind::UnexpectedTag { expected, found: tlv.tag }).into())
}

/// Number of identifier and length octets.
pub(crate) fn header_size(tlv: &Tlv<'_>) -> usize {
    let end_of_contents = if is_indefinite(tlv.raw) { 2 } else { 0 };
    tlv.raw.len().saturating_sub(tlv.contents.len() + end_of_contents)
}

fn is_indefinite(raw: &[u8]) -> bool {
    matches!(ber::Header::parse(raw), Ok(Some(header)) if header.length == ber::Length::Indefinite)
}

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
            items.push(decode(&item).index(items.len())?);
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

/// The order in which the members of a SET came, and those members that this MTA does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout<F> {
    frame: Frame,
    slots: Vec<Slot<F>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot<F> {
    Known(F),
    Unknown(Box<[u8]>),
}

impl<F> Default for Layout<F> {
    fn default() -> Self {
        Layout { frame: Frame::New, slots: Vec::new() }
    }
}

impl<F: Copy + PartialEq> Layout<F> {
    /// Reads the members of a SET: `field_of` names those that are known, `decode` takes them.
    pub(crate) fn decode(
        tlv: &Tlv<'_>,
        field_of: impl Fn(&Tlv<'_>) -> Option<(F, &'static str)>,
        mut decode: impl FnMut(F, &Tlv<'_>) -> Result<(), DecodeError>,
    ) -> Result<Self, DecodeError> {
        let mut layout = Layout { frame: Frame::of(tlv), slots: Vec::new() };
        let mut reader = tlv.reader()?;
        let mut unknown = 0;
        while let Some(member) = reader.next()? {
            let Some((field, name)) = field_of(&member) else {
                if unknown == UNKNOWN_MAX {
                    let kind = DecodeErrorKind::TooMany { limit: UNKNOWN_MAX };
                    return Err(DecodeError::new(kind, member.offset()));
                }
                unknown += 1;
                layout.slots.push(Slot::Unknown(member.raw.into()));
                continue;
            };
            if layout.slots.contains(&Slot::Known(field)) {
                return Err(DecodeError::new(DecodeErrorKind::Duplicate, member.offset())).field(name);
            }
            decode(field, &member).field(name)?;
            layout.slots.push(Slot::Known(field));
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
            for slot in &self.slots {
                match slot {
                    Slot::Known(field) => encode(*field, Presence::Received, w),
                    Slot::Unknown(raw) => w.raw(raw),
                }
            }
            for field in all {
                if !self.slots.contains(&Slot::Known(*field)) {
                    encode(*field, Presence::Added, w);
                }
            }
        });
    }

    /// Leaves out the members that are not known.
    pub(crate) fn forget_unknown(&mut self) {
        self.slots.retain(|slot| matches!(slot, Slot::Known(_)));
    }

    /// Encodings of the members that are not known.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &[u8]> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Known(_) => None,
            Slot::Unknown(raw) => Some(raw.as_ref()),
        })
    }
}

/// Whether a member was there when the SET was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Received,
    Added,
}
