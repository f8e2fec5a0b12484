//! Selectors as text: `tsA`, `0x7473` or `'7473'H`.
//!
//! A selector is octets. Where all of them are visible characters people write and read those; anything else is
//! hexadecimal. What [`selector_text`] shows, [`parse_selector`] reads as the same octets.

use std::fmt;

use thiserror::Error;

/// Transport, session and presentation selector; empty means absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// At most 32 octets.
    pub transport: Vec<u8>,
    /// At most 16 octets.
    pub session: Vec<u8>,
    /// At most 16 octets.
    pub presentation: Vec<u8>,
}

impl Selectors {
    /// The three of them, from the bottom up.
    pub(crate) fn each(&self) -> [&[u8]; 3] {
        [&self.transport, &self.session, &self.presentation]
    }

    /// Whether none is there.
    pub fn is_empty(&self) -> bool {
        self.each().iter().all(|selector| selector.is_empty())
    }
}

impl fmt::Display for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = ["transport", "session", "presentation"].into_iter().zip(self.each());
        let mut shown = named.filter(|(_, selector)| !selector.is_empty());
        let Some((name, selector)) = shown.next() else { return f.write_str("none") };
        write!(f, "{name} {}", selector_text(selector))?;
        shown.try_for_each(|(name, selector)| write!(f, ", {name} {}", selector_text(selector)))
    }
}

/// One of our own addresses as peers have to call it. `None` takes any selector, and a call without one; an empty
/// selector takes only a call without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedSelectors {
    /// At most 32 octets.
    pub transport: Option<Vec<u8>>,
    /// At most 16 octets.
    pub session: Option<Vec<u8>>,
    /// At most 16 octets. Not looked at in X.410 mode, which has no presentation selectors.
    pub presentation: Option<Vec<u8>>,
}

/// The selectors of an association that a peer opens, as they were on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSelectors {
    /// Those that the peer called: ours.
    pub called: Selectors,
    /// Those that it gave as its own; many peers give none.
    pub calling: Selectors,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// Something else than pairs of hexadecimal digits where they belong.
    #[error("`{0}` is not hexadecimal: two digits for each octet")]
    Hexadecimal(String),
    /// A character that could mean different octets, or is not visible.
    #[error("`{0}` has a character that is not visible ASCII")]
    Text(String),
}

/// The octets that `text` stands for.
///
/// # Errors
/// What is wrong with it.
pub fn parse_selector(text: &str) -> Result<Vec<u8>, SelectorError> {
    if let Some(digits) = hexadecimal(text) {
        let octets = digits.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        return octets.collect::<Option<_>>().ok_or_else(|| SelectorError::Hexadecimal(text.to_owned()));
    }
    if text.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ') {
        Ok(text.as_bytes().to_vec())
    } else {
        Err(SelectorError::Text(text.escape_default().to_string()))
    }
}

/// The selector as an operator can write it.
pub fn selector_text(selector: &[u8]) -> String {
    // A space is easily lost at an end and easily mistaken anywhere.
    let visible = !selector.is_empty() && selector.iter().all(u8::is_ascii_graphic);
    match str::from_utf8(selector) {
        Ok(text) if visible && hexadecimal(text).is_none() => text.to_owned(),
        Ok(_) | Err(_) => {
            let digits: String = selector.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("0x{digits}")
        }
    }
}

/// What stands in a hexadecimal form: `0x…`, or `'…'H` as in ASN.1.
fn hexadecimal(text: &str) -> Option<&str> {
    let asn1 = || text.strip_prefix('\'')?.strip_suffix("'H");
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).or_else(asn1)
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn text_and_both_hexadecimal_forms_are_read() {
        for (text, octets) in [
            ("tsA", &b"tsA"[..]),
            ("", b""),
            ("0x7473", b"ts"),
            ("0X7473", b"ts"),
            ("'7473'H", b"ts"),
            ("0x", b""),
            ("0x00fF", &[0, 0xFF]),
            ("x 1", b"x 1"),
            ("'7473'", b"'7473'"),
        ] {
            assert_eq!(parse_selector(text).unwrap(), octets, "{text}");
        }
        for text in ["0x7", "0x7g", "'747'H", "0x 74", "ä", "a\tb", "0x+1"] {
            assert!(parse_selector(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_looks_like_hexadecimal_is_shown_as_hexadecimal() {
        assert_eq!(selector_text(b"tsA"), "tsA");
        assert_eq!(selector_text(b"0x74"), "0x30783734");
        assert_eq!(selector_text(b"'74'H"), "0x273734".to_owned() + "2748");
        assert_eq!(selector_text(&[0, 1]), "0x0001");
        assert_eq!(selector_text(b""), "0x");
        assert_eq!(selector_text(b"a b"), "0x612062");
        let selectors = Selectors { transport: b"T".to_vec(), session: vec![1], presentation: Vec::new() };
        assert_eq!(selectors.to_string(), "transport T, session 0x01");
        assert_eq!(Selectors::default().to_string(), "none");
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same(selector in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..33)) {
            assert_eq!(parse_selector(&selector_text(&selector)).unwrap(), selector);
        }

        #[test]
        fn what_is_read_is_shown_as_something_that_reads_the_same(text in "('|0x)?[ -~]{0,8}('H)?") {
            if let Ok(octets) = parse_selector(&text) {
                assert_eq!(parse_selector(&selector_text(&octets)).unwrap(), octets);
            }
        }
    }
}
