//! Characters of TeletexString, GeneralString and IA5String values (T.61, ISO 2022, ISO 8859-1, ISO 10646).
//!
//! Reading is lenient: what a set does not define is read as ISO 8859-1, which is what senders that ignore T.61
//! mean, and an escape sequence nobody here knows is skipped whole. Writing is strict: only registered sets,
//! announced as ISO 2022 wants. Registered sets other than 6, 100, 102, 103 and 196 are not read; their
//! right-hand characters show as U+FFFD.

/// Number of the ISO register for ASCII's control characters.
pub const IR_C0: u16 = 1;
/// Number of the ISO register for ASCII.
pub const IR_ASCII: u16 = 6;
/// Number of the ISO register for the right-hand part of ISO 8859-1.
pub const IR_LATIN1: u16 = 100;
/// Number of the ISO register for the supplementary set of T.61.
pub const IR_TELETEX: u16 = 103;
/// Number of the ISO register for UTF-8.
pub const IR_UTF8: u16 = 196;

const ESC: u8 = 0x1B;
/// ESC 2/8 4/2: ASCII becomes G0.
const DESIGNATE_ASCII: &[u8] = b"\x1b(B";
/// ESC 2/13 4/1: the right-hand part of ISO 8859-1 becomes G1.
const DESIGNATE_LATIN1: &[u8] = b"\x1b-A";
/// ESC 2/5 4/7: UTF-8 until [`LEAVE_UTF8`].
const ENTER_UTF8: &[u8] = b"\x1b%G";
/// ESC 2/5 4/0: back to ISO 2022.
const LEAVE_UTF8: &[u8] = b"\x1b%@";
/// Shown in place of an escape character that would end the UTF-8 in which it stands.
const SYMBOL_FOR_ESCAPE: &str = "\u{241B}";

/// The set that octets A0 to FF are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightSet {
    /// ISO 8859-1.
    Latin1,
    /// The supplementary set of T.61, whose C1 to CF are accents in front of a letter.
    Teletex,
    /// A set that is not known here.
    Unknown,
}

/// The text of a string value that starts out with `right` in its upper half.
pub fn decode(octets: &[u8], mut right: RightSet) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&octet, tail)) = rest.split_first() {
        let here = rest;
        rest = tail;
        match octet {
            ESC => {
                if let Some(utf8) = here.strip_prefix(ENTER_UTF8) {
                    let end = find(utf8, LEAVE_UTF8);
                    let (inside, after) = utf8.split_at_checked(end).unwrap_or((utf8, &[]));
                    text.push_str(&String::from_utf8_lossy(inside));
                    rest = after.get(LEAVE_UTF8.len()..).unwrap_or_default();
                } else {
                    (right, rest) = escape(tail, right);
                }
            }
            0x00..=0x9F => text.push(char::from(octet)),
            0xA0..=0xFF => match right {
                RightSet::Latin1 => text.push(char::from(octet)),
                RightSet::Unknown => text.push(char::REPLACEMENT_CHARACTER),
                RightSet::Teletex => match accented(octet, tail.first().copied()) {
                    Some(letter) => {
                        text.push(letter);
                        rest = tail.get(1..).unwrap_or_default();
                    }
                    None => text.push(teletex_single(octet).unwrap_or(char::from(octet))),
                },
            },
        }
    }
    text
}

/// Where `needle` starts, or the length of `octets`.
fn find(octets: &[u8], needle: &[u8]) -> usize {
    octets.windows(needle.len()).position(|window| window == needle).unwrap_or(octets.len())
}

/// Reads an escape sequence (ISO 2022: intermediate octets 2/0 to 2/15, one final octet) behind its escape
/// character; gives the upper set that is in force behind it and what follows it.
fn escape(tail: &[u8], right: RightSet) -> (RightSet, &[u8]) {
    let intermediates = tail.iter().take_while(|octet| (0x20..=0x2F).contains(*octet)).count();
    let (head, rest) = tail.split_at_checked(intermediates).unwrap_or((tail, &[]));
    let Some((&last @ 0x30..=0x7E, after)) = rest.split_first() else { return (right, rest) };
    let set = match (head, last) {
        (b"-", b'A') => RightSet::Latin1,
        (b")", b'v') => RightSet::Teletex,
        // Any other 94- or 96-character set, of one or more octets, designated as G1.
        (b")" | b"-" | b"$)" | b"$-", _) => RightSet::Unknown,
        _ => right,
    };
    (set, after)
}

/// Accents of T.61 that stand in front of their letter, each with its letters: plain, composed, plain, composed…
const ACCENTS: [(u8, &str); 14] = [
    (0xC1, "AÀEÈIÌOÒUÙaàeèiìoòuù"),
    (0xC2, "AÁCĆEÉIÍLĹNŃOÓRŔSŚUÚYÝZŹaácćeéiílĺnńoórŕsśuúyýzź ´"),
    (0xC3, "AÂCĈEÊGĜHĤIÎJĴOÔSŜUÛWŴYŶaâcĉeêgĝhĥiîjĵoôsŝuûwŵyŷ"),
    (0xC4, "AÃIĨNÑOÕUŨaãiĩnñoõuũ"),
    (0xC5, "AĀEĒIĪOŌUŪaāeēiīoōuū ¯"),
    (0xC6, "AĂGĞUŬaăgğuŭ ˘"),
    (0xC7, "CĊEĖGĠIİZŻcċeėgġzż ˙"),
    (0xC8, "AÄEËIÏOÖUÜYŸaäeëiïoöuüyÿ ¨"),
    // T.61 has a second code for the diaeresis, meant for the German umlaut. Read, never written.
    (0xC9, "AÄOÖUÜaäoöuü"),
    (0xCA, "AÅUŮaåuů ˚"),
    (0xCB, "CÇGĢKĶLĻNŅRŖSŞTŢcçgģkķlļnņrŗsştţ ¸"),
    (0xCD, "OŐUŰoőuű ˝"),
    (0xCE, "AĄEĘIĮUŲaąeęiįuų ˛"),
    (0xCF, "CČDĎEĚLĽNŇRŘSŠTŤZŽcčdďeělľnňrřsštťzž ˇ"),
];

/// Characters of the supplementary set of T.61 that take one octet.
const SINGLES: &str = "\
    ¡\u{A1}¢\u{A2}£\u{A3}$\u{A4}¥\u{A5}#\u{A6}§\u{A7}¤\u{A8}«\u{AB}°\u{B0}±\u{B1}²\u{B2}³\u{B3}×\u{B4}µ\u{B5}\
    ¶\u{B6}·\u{B7}÷\u{B8}»\u{BB}¼\u{BC}½\u{BD}¾\u{BE}¿\u{BF}\
    Ω\u{E0}Æ\u{E1}Đ\u{E2}ª\u{E3}Ħ\u{E4}Ĳ\u{E6}Ŀ\u{E7}Ł\u{E8}Ø\u{E9}Œ\u{EA}º\u{EB}Þ\u{EC}Ŧ\u{ED}Ŋ\u{EE}ŉ\u{EF}\
    ĸ\u{F0}æ\u{F1}đ\u{F2}ð\u{F3}ħ\u{F4}ı\u{F5}ĳ\u{F6}ŀ\u{F7}ł\u{F8}ø\u{F9}œ\u{FA}ß\u{FB}þ\u{FC}ŧ\u{FD}ŋ\u{FE}";

/// The pairs of characters which a table spells out.
fn pairs(table: &str) -> impl Iterator<Item = (char, char)> {
    let mut characters = table.chars();
    core::iter::from_fn(move || Some((characters.next()?, characters.next()?)))
}

/// The character that an accent and the octet behind it make up.
fn accented(accent: u8, letter: Option<u8>) -> Option<char> {
    let letter = char::from(letter?);
    let (_, table) = ACCENTS.iter().find(|(octet, _)| *octet == accent)?;
    pairs(table).find(|(plain, _)| *plain == letter).map(|(_, composed)| composed)
}

fn teletex_single(octet: u8) -> Option<char> {
    pairs(SINGLES).find(|(_, code)| *code == char::from(octet)).map(|(character, _)| character)
}

/// T.61 coding of one character, if it has one that needs no change of sets.
fn teletex_octets(character: char) -> Option<TeletexCode> {
    match character {
        // Positions which T.61's primary set shares with ASCII. 2/4 is the currency sign there, and 5/12, 5/14,
        // 6/0, 7/11, 7/13 and 7/14 are empty.
        ' '..='#' | '%'..='[' | ']' | '_' | 'a'..='z' | '|' => Some(TeletexCode::One(character as u8)),
        '\\' | '^' | '`' | '{' | '}' | '~' => Some(TeletexCode::Ascii(character as u8)),
        _ => pairs(SINGLES)
            .find(|(single, _)| *single == character)
            .map(|(_, code)| TeletexCode::One(code as u8))
            .or_else(|| {
                ACCENTS.iter().find_map(|&(accent, table)| {
                    pairs(table)
                        .find(|(_, composed)| *composed == character)
                        .map(|(plain, _)| TeletexCode::Two(accent, plain as u8))
                })
            }),
    }
}

enum TeletexCode {
    One(u8),
    /// Accent and letter.
    Two(u8, u8),
    /// Needs ASCII as G0.
    Ascii(u8),
}

/// A text coded as TeletexString.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teletex {
    /// Contents octets.
    pub octets: Vec<u8>,
    /// Whether they say all that the text says: nothing was replaced and nothing cut off.
    pub exact: bool,
}

/// Codes `text` as TeletexString of at most `max_octets` octets.
///
/// Characters of T.61 are coded so; the six ASCII characters which T.61 lacks are coded after ASCII has been
/// designated as G0 (registration 6, which X.680 allows in TeletexString). What is left over becomes its nearest
/// spelling in ASCII where there is a usual one (quotation marks, dashes, spaces), and its code point as `U+20AC`
/// otherwise: a reader can tell what was there, which a question mark would not let him.
pub fn encode_teletex(text: &str, max_octets: usize) -> Teletex {
    let mut out = Teletex { octets: Vec::new(), exact: true };
    let mut ascii = false;
    for character in text.chars() {
        let mut coded = Vec::new();
        match teletex_octets(character) {
            Some(TeletexCode::One(octet)) => coded.push(octet),
            Some(TeletexCode::Two(accent, letter)) => coded.extend([accent, letter]),
            Some(TeletexCode::Ascii(octet)) => {
                if !ascii {
                    coded.extend_from_slice(DESIGNATE_ASCII);
                    ascii = true;
                }
                coded.push(octet);
            }
            None => {
                out.exact = false;
                match spelling(character) {
                    Some(plain) => coded.extend_from_slice(plain.as_bytes()),
                    None => coded.extend(format!("U+{:04X}", u32::from(character)).into_bytes()),
                }
            }
        }
        if out.octets.len() + coded.len() > max_octets {
            out.exact = false;
            break;
        }
        out.octets.extend(coded);
    }
    out
}

/// Nearest ASCII spelling of punctuation that T.61 lacks, in characters which T.61 shares with ASCII.
fn spelling(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{A0}' | '\u{2002}'..='\u{200A}' | '\u{202F}' => " ",
        '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{FE0F}' | '\u{FEFF}' => "",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2018}'..='\u{201B}' | '\u{2032}' => "'",
        '\u{201C}'..='\u{201F}' | '\u{2033}' => "\"",
        '\u{2022}' => "*",
        '\u{2026}' => "...",
        '\u{20AC}' => "EUR",
        '\u{2122}' => "(TM)",
        '©' => "(C)",
        '®' => "(R)",
        '¦' => "|",
        '¹' => "1",
        _ => return None,
    })
}

/// A text coded as GeneralString, with the registrations to declare for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct General {
    /// Numbers in the ISO register, ascending.
    pub registrations: Vec<u16>,
    /// Contents octets.
    pub octets: Vec<u8>,
}

/// Codes `text` as GeneralString: ISO 8859-1 if it fits (sets 1, 6, 100), else UTF-8 (sets 1, 6, 196).
///
/// UTF-8 inside general text, announced by its registered escape sequence, keeps the text a text: it is declared by
/// number in the parameters and in the envelope's encoded information types, so that a recipient which can't read
/// it is known before delivery, where a file of UTF-8 would be an opaque attachment to everyone.
pub fn encode_general(text: &str) -> General {
    let latin1: Option<Vec<u8>> = text
        .chars()
        .map(|character| match character {
            // Escape and the shifts would change the meaning of what follows them; C1 is not declared.
            '\u{0E}' | '\u{0F}' | '\u{1B}' | '\u{80}'..='\u{9F}' => None,
            other => u8::try_from(other).ok(),
        })
        .collect();
    if let Some(latin1) = latin1 {
        let octets = [DESIGNATE_LATIN1, &latin1].concat();
        return General { registrations: vec![IR_C0, IR_ASCII, IR_LATIN1], octets };
    }
    let escaped;
    let utf8 = if text.contains("\x1b%@") {
        escaped = text.replace("\x1b%@", &format!("{SYMBOL_FOR_ESCAPE}%@"));
        &escaped
    } else {
        text
    };
    let octets = [ENTER_UTF8, utf8.as_bytes(), LEAVE_UTF8].concat();
    General { registrations: vec![IR_C0, IR_ASCII, IR_UTF8], octets }
}

/// Codes `text` as GraphicString: as it is if it is ASCII, else like [`encode_general`]. Control characters, which
/// the type has not, become spaces.
pub fn encode_graphic(text: &str) -> Vec<u8> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.is_ascii() { text.into_bytes() } else { encode_general(&text).octets }
}

/// The upper set with which a general text starts out that declares these registrations.
///
/// ISO 8859-1 is taken for granted unless another upper set is declared: many senders leave out its designation.
pub fn right_set_of(registrations: &[i64]) -> RightSet {
    let declares = |number: u16| registrations.contains(&i64::from(number));
    if declares(IR_LATIN1) {
        RightSet::Latin1
    } else if declares(IR_TELETEX) || declares(156) {
        RightSet::Teletex
    } else if registrations
        .iter()
        .any(|number| matches!(number, 101 | 109 | 110 | 126 | 127 | 138 | 144 | 148 | 203))
    {
        RightSet::Unknown
    } else {
        RightSet::Latin1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_teletex_code_decodes_to_the_character_it_was_made_of() {
        let mut count = 0;
        for character in '\u{20}'..'\u{3000}' {
            let coded = encode_teletex(&character.to_string(), 16);
            if coded.exact {
                count += 1;
                assert_eq!(decode(&coded.octets, RightSet::Teletex), character.to_string(), "{character}");
            }
        }
        // 95 of ASCII, 57 other single codes and the accented ones.
        assert!(count > 95 + 55 + 150, "{count}");
    }

    #[test]
    fn teletex_known_answers() {
        let exact = |text: &str| {
            let coded = encode_teletex(text, 128);
            assert!(coded.exact, "{text}");
            coded.octets
        };
        assert_eq!(exact("Hello #1"), b"Hello #1");
        assert_eq!(exact("Grüße"), b"Gr\xC8u\xFBe");
        assert_eq!(exact("5 $"), b"5 \xA4");
        assert_eq!(exact("a~b~"), b"a\x1b(B~b~");
        assert_eq!(decode(b"Gr\xC9u\xFBe", RightSet::Teletex), "Grüße");
        assert_eq!(decode(b"5 $", RightSet::Teletex), "5 $");
        // An accent that goes with no such letter is what a sender of ISO 8859-1 meant.
        assert_eq!(decode(b"\xC4rger", RightSet::Teletex), "Ärger");
        assert_eq!(decode(b"\x1b-AGr\xFC\xDFe", RightSet::Teletex), "Grüße");
    }

    #[test]
    fn what_t61_lacks_is_spelt_out() {
        let coded = encode_teletex("\u{201C}Ж\u{201D} \u{2013} 5 €", 128);
        assert!(!coded.exact);
        assert_eq!(coded.octets, b"\"U+0416\" - 5 EUR");
        let cut = encode_teletex(&"é".repeat(65), 129);
        assert!(!cut.exact);
        assert_eq!(cut.octets.len(), 128, "never cut between accent and letter");
    }

    #[test]
    fn general_text_known_answers() {
        let latin = encode_general("Café");
        assert_eq!(latin.registrations, [1, 6, 100]);
        assert_eq!(latin.octets, b"\x1b-ACaf\xE9");
        let wide = encode_general("Привет");
        assert_eq!(wide.registrations, [1, 6, 196]);
        assert!(wide.octets.starts_with(b"\x1b%G\xD0\x9F"));
    }

    #[test]
    fn foreign_escapes_are_skipped_and_unknown_sets_show() {
        assert_eq!(decode(b"a\x1b!@b\x1b(Bc", RightSet::Latin1), "abc");
        assert_eq!(decode(b"\x1b-L\xE9 \x1b-A\xE9", RightSet::Latin1), "\u{FFFD} é");
        assert_eq!(decode(b"end\x1b", RightSet::Latin1), "end");
        assert_eq!(decode(b"\x1b%Gabc", RightSet::Latin1), "abc");
        assert_eq!(right_set_of(&[1, 6, 144]), RightSet::Unknown);
    }
}
