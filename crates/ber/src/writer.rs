use alloc::vec::Vec;

use crate::{BitString, Class, Oid, Tag};

/// Builds encodings: definite lengths in the shortest form, primitive strings.
///
/// The length of a constructed encoding is put in once its contents are there, so nothing is encoded twice.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Writer::default()
    }

    /// The encoding of one element that `write` writes.
    pub fn encode(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.out
    }

    /// The octets written.
    pub fn into_vec(self) -> Vec<u8> {
        self.out
    }

    /// The octets written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.out
    }

    /// Number of octets written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Octets that are an encoding already, or parts of one.
    pub fn raw(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// A constructed encoding whose contents `write` writes.
    pub fn constructed(&mut self, tag: Tag, write: impl FnOnce(&mut Writer)) {
        self.identifier(tag, true);
        let length_at = self.out.len();
        self.out.push(0);
        let start = self.out.len();
        write(self);
        let length = self.out.len() - start;
        if let Ok(short @ 0..=0x7F) = u8::try_from(length) {
            if let Some(octet) = self.out.get_mut(length_at) {
                *octet = short;
            }
        } else {
            let mut octets = Writer::new();
            octets.length(length as u64);
            self.out.splice(length_at..start, octets.out);
        }
    }

    /// A primitive encoding with these contents.
    pub fn primitive(&mut self, tag: Tag, contents: &[u8]) {
        self.header(tag, false, contents.len() as u64);
        self.raw(contents);
    }

    /// Identifier and length octets of an encoding whose `length` contents octets follow by other means.
    pub fn header(&mut self, tag: Tag, constructed: bool, length: u64) {
        self.identifier(tag, constructed);
        self.length(length);
    }

    /// INTEGER or ENUMERATED.
    pub fn integer(&mut self, tag: Tag, value: i64) {
        let octets = value.to_be_bytes();
        let redundant = octets
            .windows(2)
            .take_while(|pair| {
                matches!(pair, [0, next] if next & 0x80 == 0)
                    || matches!(pair, [0xFF, next] if next & 0x80 != 0)
            })
            .count();
        self.primitive(tag, octets.get(redundant..).unwrap_or_default());
    }

    /// BOOLEAN.
    pub fn boolean(&mut self, tag: Tag, value: bool) {
        self.primitive(tag, &[if value { 0xFF } else { 0 }]);
    }

    /// NULL.
    pub fn null(&mut self, tag: Tag) {
        self.primitive(tag, &[]);
    }

    /// OBJECT IDENTIFIER.
    pub fn oid(&mut self, tag: Tag, value: &Oid) {
        self.primitive(tag, value.contents());
    }

    /// BIT STRING.
    pub fn bit_string(&mut self, tag: Tag, value: &BitString) {
        self.header(tag, false, value.octets.len() as u64 + 1);
        self.out.push(value.unused);
        self.raw(&value.octets);
    }

    fn identifier(&mut self, tag: Tag, constructed: bool) {
        let class = match tag.class {
            Class::Universal => 0,
            Class::Application => 0x40,
            Class::Context => 0x80,
            Class::Private => 0xC0,
        };
        let first = class | if constructed { 0x20 } else { 0 };
        if tag.number < 0x1F {
            self.out.push(first | tag.number as u8);
            return;
        }
        self.out.push(first | 0x1F);
        for shift in (1..5).rev() {
            if tag.number >> (7 * shift) != 0 {
                self.out.push((tag.number >> (7 * shift)) as u8 | 0x80);
            }
        }
        self.out.push(tag.number as u8 & 0x7F);
    }

    fn length(&mut self, length: u64) {
        if length < 0x80 {
            self.out.push(length as u8);
            return;
        }
        let octets = length.to_be_bytes();
        let skip = (length.leading_zeros() / 8) as usize;
        self.out.push(0x80 | (octets.len() - skip) as u8);
        self.raw(octets.get(skip..).unwrap_or_default());
    }
}
