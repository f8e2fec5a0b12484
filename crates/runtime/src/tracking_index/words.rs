//! By which words an entry of message tracking is found, and what somebody looks for.
//!
//! A word is a run of letters and digits, in lower case. A subject is its words. An O/R address is its attributes, and
//! these have words. What is looked for is words, each of which has to be there, in any order; one that ends in `*`
//! stands for all that begin so. In an address `KEY=value` is an attribute that has to be there as it is written.

use agent::TrackRecord;
use agent::record::track_digest;

/// Longest word, octets; what is longer is cut.
const MAX_WORD: usize = 64;
/// Octets of the digest of an identifier: enough to tell hours.
const IDENTIFIER_OCTETS: usize = 6;
/// Most words of one thing that is looked for.
const MAX_WORDS: usize = 32;
/// Attributes that half the world has: looking for these alone is all that is left where there is nothing else.
const COMMON: [&str; 3] = ["c", "a", "p"];

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    Subject,
    Originator,
    Recipient,
    /// The digest of an MTS-identifier: of what an entry is of, and of what a report is about.
    Identifier,
}

impl Field {
    fn octet(self) -> u8 {
        match self {
            Field::Subject => b's',
            Field::Originator => b'o',
            Field::Recipient => b'r',
            Field::Identifier => b'i',
        }
    }

    /// What the index has for a word.
    pub(crate) fn term(self, word: &str) -> Vec<u8> {
        let mut term = Vec::with_capacity(word.len().saturating_add(1));
        term.push(self.octet());
        term.extend_from_slice(word.as_bytes());
        term
    }
}

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Whether longer ones will do.
    pub(crate) is_prefix: bool,
}

impl Word {
    /// What stands for an MTS-identifier as it is printed.
    pub(crate) fn of_identifier(identifier: &str) -> Word {
        let digest = track_digest(identifier);
        let halves = digest.iter().take(IDENTIFIER_OCTETS).flat_map(|octet| [octet >> 4, octet & 0xF]);
        let text = halves.filter_map(|half| char::from_digit(half.into(), 16)).collect();
        Word { text, is_prefix: false }
    }

    fn fits(&self, word: &str) -> bool {
        if self.is_prefix { word.starts_with(&self.text) } else { word == self.text }
    }
}

/// A part of an address that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Words of any attribute.
    Words(Vec<Word>),
    /// An attribute: its key, its value or the start of it, and the words of that.
    Attribute { key: String, value: String, is_prefix: bool, words: Vec<Word> },
}

/// What somebody looks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackingQuery {
    subject: Vec<Word>,
    originator: Vec<Part>,
    recipient: Vec<Part>,
}

/// Why something can't be looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is no letter and no digit in it.
    #[error("there is no word in `{0}`")]
    NoWord(String),
    /// More words than are looked for at once.
    #[error("`{0}` has more than {MAX_WORDS} words")]
    TooLong(String),
}

impl TrackingQuery {
    /// Looks for `text` in the subjects as well.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn subject(mut self, text: &str) -> Result<Self, QueryError> {
        self.subject = checked(text, asked(text))?;
        Ok(self)
    }

    /// Looks for `text` in the originators as well.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn originator(mut self, text: &str) -> Result<Self, QueryError> {
        self.originator = checked(text, parts(text))?;
        Ok(self)
    }

    /// Looks for `text` in the recipients as well; all of it has to be in one of them.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn recipient(mut self, text: &str) -> Result<Self, QueryError> {
        self.recipient = checked(text, parts(text))?;
        Ok(self)
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.subject.is_empty() && self.originator.is_empty() && self.recipient.is_empty()
    }

    /// Whether an entry is what is looked for.
    pub fn fits(&self, entry: &TrackRecord) -> bool {
        let subject = || entry.ipm_subject.as_deref().is_some_and(|text| has_all(&self.subject, text));
        let originator =
            || entry.originator.as_deref().is_some_and(|text| is_address(&self.originator, text));
        let recipient = || entry.recipients.iter().any(|text| is_address(&self.recipient, text));
        (self.subject.is_empty() || subject())
            && (self.originator.is_empty() || originator())
            && (self.recipient.is_empty() || recipient())
    }

    /// The words by which the index finds whatever fits, and perhaps more.
    pub(crate) fn words(&self) -> Vec<(Field, Word)> {
        let mut words: Vec<_> = self.subject.iter().map(|word| (Field::Subject, word.clone())).collect();
        let mut common = Vec::new();
        for (field, parts) in [(Field::Originator, &self.originator), (Field::Recipient, &self.recipient)] {
            for part in parts {
                match part {
                    Part::Words(of_any) => words.extend(of_any.iter().map(|word| (field, word.clone()))),
                    Part::Attribute { key, words: of_value, .. } => {
                        let to = if COMMON.contains(&key.as_str()) { &mut common } else { &mut words };
                        to.extend(of_value.iter().map(|word| (field, word.clone())));
                    }
                }
            }
        }
        if words.is_empty() { common } else { words }
    }
}

/// Refuses what has nothing in it, or too much.
fn checked<T>(text: &str, found: Vec<T>) -> Result<Vec<T>, QueryError> {
    match found.len() {
        0 => Err(QueryError::NoWord(text.to_owned())),
        1..=MAX_WORDS => Ok(found),
        _ => Err(QueryError::TooLong(text.to_owned())),
    }
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
    runs.map(|run| cut(run.to_lowercase()))
}

/// The words that a text asks for.
fn asked(text: &str) -> Vec<Word> {
    let mut asked = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let run = rest.get(start..).unwrap_or_default();
        let end = run.find(|c: char| !c.is_alphanumeric()).unwrap_or(run.len());
        let (word, behind) = run.split_at_checked(end).unwrap_or((run, ""));
        asked.push(Word { text: cut(word.to_lowercase()), is_prefix: behind.starts_with('*') });
        rest = behind;
    }
    asked
}

fn cut(mut word: String) -> String {
    if word.len() > MAX_WORD {
        let end = (0..=MAX_WORD).rev().find(|&end| word.is_char_boundary(end));
        word.truncate(end.unwrap_or(0));
    }
    word
}

/// The attributes of an address, and the parts of one without a key.
fn attributes(text: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
    text.split([';', '/']).map(str::trim).filter(|part| !part.is_empty()).map(|part| {
        match part.split_once('=') {
            Some((key, value)) => (Some(key.trim()), value.trim()),
            None => (None, part),
        }
    })
}

/// What a text asks of an address.
fn parts(text: &str) -> Vec<Part> {
    let parts = attributes(text).filter_map(|(key, value)| match key {
        Some(key) => {
            let open = value.strip_suffix('*');
            let (value, is_prefix) = open.map_or((value, false), |start| (start, true));
            let mut words: Vec<Word> = words(value).map(|text| Word { text, is_prefix: false }).collect();
            if let Some(last) = words.last_mut() {
                last.is_prefix = is_prefix && value.ends_with(char::is_alphanumeric);
            }
            let (key, value) = (named(&key.to_lowercase()).to_owned(), value.to_lowercase());
            // An ADMD that is one space is in most addresses, and in the words of none.
            (!words.is_empty()).then_some(Part::Attribute { key, value, is_prefix, words })
        }
        None => Some(asked(value)).filter(|words| !words.is_empty()).map(Part::Words),
    });
    parts.collect()
}

/// A key as addresses are printed.
fn named(key: &str) -> &str {
    match key {
        "prmd" => "p",
        "admd" => "a",
        "org" => "o",
        "ou1" => "ou",
        other => other,
    }
}

fn has_all(words: &[Word], text: &str) -> bool {
    words.iter().all(|wanted| self::words(text).any(|word| wanted.fits(&word)))
}

fn is_address(parts: &[Part], address: &str) -> bool {
    parts.iter().all(|part| match part {
        Part::Words(words) => words.iter().all(|wanted| {
            attributes(address).any(|(_, value)| self::words(value).any(|word| wanted.fits(&word)))
        }),
        Part::Attribute { key, value, is_prefix, .. } => attributes(address).any(|(k, v)| {
            let v = v.to_lowercase();
            k.is_some_and(|k| named(&k.to_lowercase()) == key)
                && (v == *value || *is_prefix && v.starts_with(value.as_str()))
        }),
    })
}

/// What the index has of a subject.
pub(super) fn of_subject(text: &str) -> impl Iterator<Item = Vec<u8>> {
    words(text).map(|word| Field::Subject.term(&word))
}

/// What the index has of an address.
pub(super) fn of_address(field: Field, address: &str) -> impl Iterator<Item = Vec<u8>> {
    attributes(address).flat_map(move |(_, value)| words(value).map(move |word| field.term(&word)))
}

/// What the index has of an MTS-identifier.
pub(super) fn of_identifier(identifier: &str) -> Vec<u8> {
    Field::Identifier.term(&Word::of_identifier(identifier).text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
pub(super) mod tests {
    use agent::TrackEvent;
    use clock::WallTime;
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn entry(subject: &str, originator: &str, recipients: &[&str]) -> TrackRecord {
        TrackRecord {
            event: TrackEvent::MessageIn,
            time: WallTime::from_unix(0),
            mts_identifier: "id".into(),
            subject: None,
            connector: None,
            originator: Some(originator.to_owned()),
            recipients: recipients.iter().map(|&name| name.to_owned()).collect(),
            recipient_count: 1,
            size: None,
            rank: None,
            text: None,
            ipm_subject: Some(subject.to_owned()).filter(|subject| !subject.is_empty()),
        }
    }

    const ANNA: &str = "S=Müller;G=Anna;O=Acme Ltd;P=ALPHA;A= ;C=GB";
    const BOB: &str = "S=Bobson;P=BETA;A= ;C=DE";

    #[test]
    fn words_are_looked_for_whole_unless_they_end_in_a_star() {
        let entry = entry("Re: Invoice no. 4711/26", ANNA, &[BOB]);
        let fits = |text: &str| TrackingQuery::default().subject(text).unwrap().fits(&entry);
        for text in ["invoice", "4711 INVOICE", "inv*", "Invoice no. 4711/26", "26", "47* re"] {
            assert!(fits(text), "{text}");
        }
        for text in ["inv", "voice", "invoice 4712", "47", "anna"] {
            assert!(!fits(text), "{text}");
        }
        assert_eq!(
            TrackingQuery::default().subject(" *, ").unwrap_err(),
            QueryError::NoWord(" *, ".to_owned())
        );
        assert!(TrackingQuery::default().subject(&"x ".repeat(33)).is_err());
    }

    #[test]
    fn an_address_is_looked_for_by_words_and_by_attributes() {
        let entry = entry("", ANNA, &[BOB, "S=Other;O=Acme"]);
        let originator = |text: &str| TrackingQuery::default().originator(text).unwrap().fits(&entry);
        for text in ["anna", "müller acme", "S=MÜLLER", "S=Müller;P=alpha;A= ;C=gb", "PRMD=ALPHA", "O=Acme*"]
        {
            assert!(originator(text), "{text}");
        }
        for text in ["bobson", "S=Anna", "O=Acme", "mül", "S=Müll"] {
            assert!(!originator(text), "{text}");
        }
        let recipient = |text: &str| TrackingQuery::default().recipient(text).unwrap().fits(&entry);
        assert!(recipient("S=Bobson;C=DE") && recipient("acme other"));
        assert!(!recipient("S=Bobson;O=Acme"), "of two recipients");
    }

    #[test]
    fn common_attributes_are_asked_of_the_index_only_where_there_is_nothing_else() {
        let of = |text: &str| {
            let words = TrackingQuery::default().originator(text).unwrap().words();
            words.into_iter().map(|(_, word)| word.text).collect::<Vec<_>>()
        };
        assert_eq!(of("S=Smith;P=ALPHA;A= ;C=GB"), ["smith"]);
        assert_eq!(of("P=ALPHA;C=GB"), ["alpha", "gb"]);
        assert_eq!(of("O=Acme Ltd"), ["acme", "ltd"]);
    }

    proptest! {
        /// The index must find whatever fits.
        #[test]
        fn what_fits_has_the_words_that_the_index_is_asked_for(
            subject in "[a-cA-C*;=/. ]{0,12}",
            address in "([SOPCG]=[a-cA-C .]{0,4}[;/]){0,4}",
            asked_subject in "[a-cA-C*. ]{0,6}",
            asked_address in "(([SOPCG]=)?[a-cA-C.]{0,3}\\*?[;/ ]){0,3}",
        ) {
            let entry = entry(&subject, &address, &[&address]);
            let mut query = TrackingQuery::default();
            query = query.clone().subject(&asked_subject).unwrap_or(query);
            query = query.clone().originator(&asked_address).unwrap_or(query);
            query = query.clone().recipient(&asked_address).unwrap_or(query);
            if query.fits(&entry) {
                let of_address = |field| of_address(field, &address);
                let addresses = of_address(Field::Originator).chain(of_address(Field::Recipient));
                let terms: Vec<_> = of_subject(&subject).chain(addresses).collect();
                for (field, word) in query.words() {
                    let term = field.term(&word.text);
                    let is_there = terms.iter().any(|t| {
                        if word.is_prefix { t.starts_with(&term) } else { *t == term }
                    });
                    prop_assert!(is_there, "{word:?} of {query:?} in {entry:?}");
                }
            }
        }
    }
}
