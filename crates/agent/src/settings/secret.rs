//! A password that does not show itself.

use std::fmt;

/// A password. Printing shows `***`, comparing takes the same time whatever differs.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The password itself, for the bind and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if `given` is this password. The time taken depends on the lengths only.
    pub fn matches(&self, given: &[u8]) -> bool {
        let mine = self.0.as_bytes();
        let differing = mine.iter().zip(given).fold(0_u8, |seen, (a, b)| seen | (a ^ b));
        // `black_box` keeps the comparison from being turned into one that stops at the first difference.
        std::hint::black_box(differing) == 0 && mine.len() == given.len()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }

    #[test]
    fn only_the_same_octets_match() {
        let secret = Secret::new("secret");
        assert!(secret.matches(b"secret"));
        for other in ["", "secre", "secret1", "Secret", "secreT"] {
            assert!(!secret.matches(other.as_bytes()), "{other}");
        }
    }
}
