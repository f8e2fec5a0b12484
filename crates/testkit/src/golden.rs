//! Encodings that were made by hand and found clean by independent decoders, in `fixtures/golden`.

/// One of the golden encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoldenVector {
    /// TSDU: CN with CP, AARQ, RTORQ and MTABindArgument of MTA-A.
    Connect,
    /// TSDU: AC with CPA, AARE, RTOAC and MTABindResult of MTA-B.
    Accept,
    /// TSDU: FN with RLRQ.
    Finish,
    /// TSDU: DN with RLRE.
    Disconnect,
    /// TSDU: CN in X.410-1984 mode, application protocol 12.
    ConnectX410,
    /// MTS-APDU: a message with two recipients and a P22 content.
    Message,
}

impl GoldenVector {
    /// Its octets.
    pub fn octets(self) -> Vec<u8> {
        unhex(match self {
            GoldenVector::Connect => include_str!("../fixtures/golden/connect.hex"),
            GoldenVector::Accept => include_str!("../fixtures/golden/accept.hex"),
            GoldenVector::Finish => include_str!("../fixtures/golden/finish.hex"),
            GoldenVector::Disconnect => include_str!("../fixtures/golden/disconnect.hex"),
            GoldenVector::ConnectX410 => include_str!("../fixtures/golden/connect-x410.hex"),
            GoldenVector::Message => include_str!("../fixtures/golden/message.hex"),
        })
    }
}

/// The octets that a text in hexadecimal says; white space is skipped.
///
/// # Panics
/// Anything else in it, or half an octet.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("{c:?} is no hexadecimal digit")) as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "half an octet at the end");
    digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect()
}

/// `octets` in hexadecimal, for messages of failed tests.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
