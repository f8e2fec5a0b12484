//! Other forms of the same BER encoding: whatever one form is read as, the others must be.
#![allow(dead_code, reason = "each test uses another part of it")]

use ber::{Reader, Tag, Tlv};

/// A form that X.690 leaves to the sender.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Constructed encodings of indefinite length.
    Indefinite,
    /// Lengths in four octets, whatever they are.
    LongLengths,
    /// Lengths in eight octets.
    LongestLengths,
    /// Tag numbers in octets of their own, whatever they are.
    LongTags,
    /// Universal strings of octets and bits in pieces.
    Pieces,
}

pub(crate) const FORMS: [Form; 5] =
    [Form::Indefinite, Form::LongLengths, Form::LongestLengths, Form::LongTags, Form::Pieces];

/// The encodings in `octets` in another form.
pub(crate) fn reform(octets: &[u8], form: Form) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Reader::new(octets);
    while let Some(element) = reader.next().unwrap() {
        out.extend(reform_element(&element, form));
    }
    out
}

fn reform_element(element: &Tlv<'_>, form: Form) -> Vec<u8> {
    if element.constructed {
        let contents = reform(element.contents, form);
        return encode(element.tag, true, &contents, form);
    }
    if matches!(form, Form::Pieces) && !element.contents.is_empty() {
        if element.tag == Tag::OCTET_STRING {
            return in_pieces(element.tag, element.contents, &[]);
        }
        if element.tag == Tag::BIT_STRING {
            let (unused, bits) = element.contents.split_first().unwrap();
            assert_eq!(*unused, 0);
            return in_pieces(element.tag, bits, &[0]);
        }
    }
    encode(element.tag, false, element.contents, form)
}

/// A string in segments of one octet or none, one of them in segments itself.
pub(crate) fn in_pieces(tag: Tag, contents: &[u8], before: &[u8]) -> Vec<u8> {
    let universal = if before.is_empty() { Tag::OCTET_STRING } else { Tag::BIT_STRING };
    let piece = |octets: &[u8]| encode(universal, false, &[before, octets].concat(), Form::Indefinite);
    let mut inner = piece(&[]);
    for octet in contents {
        inner.extend(piece(&[*octet]));
    }
    let nested = encode(universal, true, &inner, Form::LongLengths);
    encode(tag, true, &nested, Form::Indefinite)
}

fn encode(tag: Tag, constructed: bool, contents: &[u8], form: Form) -> Vec<u8> {
    let class = match tag.class {
        ber::Class::Universal => 0,
        ber::Class::Application => 0x40,
        ber::Class::Context => 0x80,
        ber::Class::Private => 0xC0,
    };
    let first = class | if constructed { 0x20 } else { 0 };
    let mut out = match u8::try_from(tag.number) {
        Ok(number @ 0..31) if !matches!(form, Form::LongTags) => vec![first | number],
        _ => {
            let mut octets = vec![first | 0x1F];
            let digits = (0..5).rev().map(|digit| (tag.number >> (7 * digit)) as u8 & 0x7F);
            let digits: Vec<_> = digits.skip_while(|digit| *digit == 0).collect();
            let (last, rest) = digits.split_last().unwrap_or((&0, &[]));
            octets.extend(rest.iter().map(|digit| digit | 0x80));
            octets.push(*last);
            octets
        }
    };
    match form {
        Form::Indefinite if constructed => {
            out.push(0x80);
            out.extend(contents);
            out.extend([0, 0]);
            return out;
        }
        Form::LongLengths => {
            out.push(0x84);
            out.extend(u32::try_from(contents.len()).unwrap().to_be_bytes());
        }
        Form::LongestLengths => {
            out.push(0x88);
            out.extend((contents.len() as u64).to_be_bytes());
        }
        Form::Indefinite | Form::LongTags | Form::Pieces => match u8::try_from(contents.len()) {
            Ok(length @ 0..0x80) => out.push(length),
            _ => {
                out.push(0x82);
                out.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
            }
        },
    }
    out.extend(contents);
    out
}
