//! Character strings of X.400: lenient reading, and which string type can hold a text.
//!
//! The octets of what was received are kept elsewhere, so nothing is lost by showing a string slightly wrong.

use ber::{Tag, Tlv};

use crate::error::DecodeError;
use crate::ipm::charset::{self, RightSet};

/// The text of a string of any type. Never fails on characters, only on an encoding that is no string.
pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<String, DecodeError> {
    let octets = tlv.octets()?;
    Ok(match tlv.tag {
        Tag::BMP_STRING => {
            let units: Vec<u16> =
                octets.chunks(2).map(|pair| pair.iter().fold(0, |sum, &o| sum << 8 | u16::from(o))).collect();
            String::from_utf16_lossy(&units)
        }
        Tag::UNIVERSAL_STRING => octets
            .chunks(4)
            .map(|four| four.iter().fold(0u32, |sum, &o| sum << 8 | u32::from(o)))
            .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        Tag::TELETEX_STRING => from_teletex(&octets),
        Tag::UTF8_STRING => String::from_utf8_lossy(&octets).into_owned(),
        _ => from_latin1(&octets),
    })
}

/// Checks that an encoding is a string: what [`decode`] would say of it, without its text.
#[inline]
pub(crate) fn check(tlv: &Tlv<'_>) -> Result<(), DecodeError> {
    if tlv.constructed { Ok(tlv.octets().map(drop)?) } else { Ok(()) }
}

/// The text of a TeletexString under an implicit tag.
pub(crate) fn decode_teletex(tlv: &Tlv<'_>) -> Result<String, DecodeError> {
    Ok(from_teletex(&tlv.octets()?))
}

/// T.61 octets as text; what T.61 does not define is taken for ISO 8859-1.
pub(crate) fn from_teletex(octets: &[u8]) -> String {
    charset::decode(octets, RightSet::Teletex)
}

/// Text as TeletexString contents, if [`is_teletex`]; else with the nearest spelling of what can't be coded.
pub(crate) fn to_teletex(text: &str) -> Vec<u8> {
    charset::encode_teletex(text, usize::MAX).octets
}

/// ISO 8859-1 octets as text; total.
pub(crate) fn from_latin1(octets: &[u8]) -> String {
    match str::from_utf8(octets) {
        // Beyond ASCII the same octets mean something else in the two.
        Ok(text) if text.is_ascii() => return text.to_owned(),
        Ok(_) | Err(_) => {}
    }
    octets.iter().map(|&octet| char::from(octet)).collect()
}

/// Text as ISO 8859-1; a character beyond it becomes `?`.
pub(crate) fn to_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// Text as BMPString contents (UTF-16, as it is used in practice).
pub(crate) fn to_bmp(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Whether every character is one of PrintableString (X.680).
pub fn is_printable(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c))
}

/// Whether every character is one of NumericString (X.680).
pub fn is_numeric(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == ' ')
}

/// Whether every character can be coded in TeletexString (T.61).
pub fn is_teletex(text: &str) -> bool {
    charset::encode_teletex(text, usize::MAX).exact
}

/// Lower case, runs of white space as one space, none at the ends: the form in which O/R address values are
/// compared (X.402: case and superfluous spaces do not matter).
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

/// Whether `text` folds to `folded`, without making it: routing asks so of one address for every address space there is.
pub(crate) fn folds_to(text: &str, folded: &str) -> bool {
    let is_plain = |octet: &u8| octet.is_ascii_graphic();
    if text.as_bytes().iter().all(is_plain) {
        // One word, of which each octet folds by itself: most values are.
        let octets = text.bytes().map(|octet| octet.to_ascii_lowercase());
        return octets.eq(folded.bytes());
    }
    fold(text) == folded
}

/// Octets as lower-case hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    use core::fmt::Write;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut out, octet| {
        // Writing to a String can't fail.
        let _ = write!(out, "{octet:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_type_are_read() {
        let read = |octets: &[u8]| decode(&ber::Reader::new(octets).any().unwrap()).unwrap();
        assert_eq!(read(&[0x13, 2, b'a', b'b']), "ab");
        assert_eq!(read(&[0x13, 2, b'a', 0xFC]), "aü");
        assert_eq!(read(&[0x14, 2, 0xC8, b'u']), "ü");
        assert_eq!(read(&[0x14, 2, b'a', 0xFF]), "aÿ");
        assert_eq!(read(&[0x34, 8, 0x04, 2, b'a', b'b', 0x04, 2, b'c', b'd']), "abcd");
        assert_eq!(read(&[0x1E, 4, 0, b'a', 0x8A, 0x9E]), "a語");
        assert_eq!(read(&[0x1E, 3, 0, b'a', 0]), "a\0");
        assert_eq!(read(&[0x1C, 4, 0, 0x01, 0xF6, 0]), "\u{1F600}");
        assert_eq!(read(&[0x1C, 4, 0xFF, 0, 0, 0]), "\u{FFFD}");
        assert_eq!(read(&[0x0C, 3, 0xC3, 0xBC, 0xFF]), "ü\u{FFFD}");
    }

    #[test]
    fn alphabets_are_those_of_the_standard() {
        assert!(is_printable("Az09 '()+,-./:=?"));
        assert!("@_&*;\"!%#<>[]ü".chars().all(|c| !is_printable(&c.to_string())));
        assert!(is_numeric("0 9") && !is_numeric("a"));
        assert!(is_teletex("Größe @_&") && !is_teletex("語"));
    }

    #[test]
    fn folding_sees_neither_case_nor_superfluous_spaces() {
        assert_eq!(fold("  Acme   LTD "), "acme ltd");
        assert_eq!(fold(" "), "");
        assert_eq!(fold(&fold("ÄÖ  ẞ")), fold("ÄÖ  ẞ"));
    }

    #[test]
    fn what_folds_to_a_text_is_told_without_folding() {
        let texts = [
            "",
            " ",
            "Acme",
            "ACME",
            "acme",
            "acm",
            "acmee",
            " Acme",
            "Acme LTD",
            "acme  ltd",
            "Ä",
            "ä",
            "\0",
        ];
        for text in texts {
            for other in texts {
                assert_eq!(folds_to(text, &fold(other)), fold(text) == fold(other), "{text:?} {other:?}");
            }
        }
    }
}
