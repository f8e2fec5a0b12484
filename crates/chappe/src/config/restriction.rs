//! `relay_to` and `[connector.restrictions]` of a connector, and `[[delivery_restriction]]`: who and what may be sent
//! where.

use agent::Kind;
use agent::record::Rank;
use agent::settings::{DeliveryRestriction, LinkRestrictions, Originators, RelayTo, WhenBarred};
use ber::Oid;
use mhs::{AddressPattern, ContentType};

use super::mta::address_space;
use super::section::{Section, Text};

const PRIORITIES: [(&str, Rank); 3] =
    [("urgent", Rank::Urgent), ("normal", Rank::Normal), ("non-urgent", Rank::NonUrgent)];

const KINDS: [(&str, Kind); 3] =
    [("messages", Kind::Message), ("probes", Kind::Probe), ("reports", Kind::Report)];

const WHEN_BARRED: [(&str, WhenBarred); 2] =
    [("report", WhenBarred::Report), ("discard", WhenBarred::Discard)];

const CONTENT_TYPES: [(&str, ContentType); 7] = [
    ("unidentified", ContentType::UNIDENTIFIED),
    ("external", ContentType::EXTERNAL),
    ("p2", ContentType::P2),
    ("p22", ContentType::P22),
    ("edi", ContentType::EDI),
    ("voice", ContentType::VOICE),
    ("p772", ContentType::P772),
];

/// `relay_to` of a connector: names of others, or `"*"`.
pub(super) fn relay_to(section: &mut Section<'_>) -> RelayTo {
    let names = section.strings("relay_to").unwrap_or_default();
    match names.as_slice() {
        [] => RelayTo::Nowhere,
        [one] if one.value == "*" => RelayTo::Anywhere,
        names => RelayTo::Connectors(names.iter().map(|text| text.value.clone()).collect()),
    }
}

/// `[connector.restrictions]`.
pub(super) fn link(mut section: Section<'_>) -> LinkRestrictions {
    let priorities = priorities(&mut section);
    let kinds = words(&mut section, "kinds", |word| {
        KINDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    });
    let content_types = content_types(&mut section);
    let restrictions = LinkRestrictions {
        originators: originators(&mut section),
        priorities,
        kinds,
        content_types,
        barred: patterns(&mut section, "barred").unwrap_or_default(),
        when_barred: section.choice("when_barred", &WHEN_BARRED, WhenBarred::default()),
    };
    section.finish();
    restrictions
}

/// `[[delivery_restriction]]`; `None` without recipients, which has been complained about.
pub(super) fn delivery(mut section: Section<'_>) -> Option<DeliveryRestriction> {
    let recipients = section.required_string("recipients", "\"OU=Board;O=Acme;P=ALPHA;A= ;C=GB\"");
    let recipients = recipients.and_then(|text| address_space(&section, &text));
    let originators = originators(&mut section);
    section.finish();
    Some(DeliveryRestriction { recipients: recipients?, originators })
}

fn originators(section: &mut Section<'_>) -> Originators {
    Originators {
        accept: patterns(section, "accept_from"),
        refuse: patterns(section, "refuse_from").unwrap_or_default(),
    }
}

fn patterns(section: &mut Section<'_>, key: &'static str) -> Option<Vec<AddressPattern>> {
    let texts = section.strings(key)?;
    Some(texts.iter().filter_map(|text| address_space(section, text)).collect())
}

/// `priorities`: those meant.
pub(super) fn priorities(section: &mut Section<'_>) -> Option<Vec<Rank>> {
    words(section, "priorities", |word| {
        PRIORITIES.iter().find(|(name, _)| *name == word).map(|(_, rank)| *rank)
    })
}

/// `content_types`: those meant.
pub(super) fn content_types(section: &mut Section<'_>) -> Option<Vec<ContentType>> {
    words(section, "content_types", content_type)
}

/// A list of words, each of which `read` knows.
fn words<T>(
    section: &mut Section<'_>,
    key: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let texts = section.strings(key)?;
    let one = |text: &Text| {
        let value = read(&text.value);
        if value.is_none() {
            section.problems().wrong(
                text.at,
                format!("{}: `{}` is not known", text.path, text.value),
                "`chappe config init` lists what may stand here",
            );
        }
        value
    };
    let known: Vec<Option<T>> = texts.iter().map(one).collect();
    // One that is wrong has been complained about; without the others nothing more is wrong.
    known.into_iter().collect()
}

/// A name, a number of X.411 or an object identifier with dots.
fn content_type(word: &str) -> Option<ContentType> {
    if let Some((_, known)) = CONTENT_TYPES.iter().find(|(name, _)| *name == word) {
        return Some(known.clone());
    }
    if let Ok(number) = word.parse::<u16>() {
        return Some(ContentType::BuiltIn(number.into()));
    }
    let arcs = word.split('.').map(|arc| arc.parse().ok()).collect::<Option<Vec<u32>>>()?;
    Oid::from_arcs(&arcs).map(ContentType::Extended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_have_names_numbers_and_identifiers() {
        assert_eq!(content_type("p22"), Some(ContentType::P22));
        assert_eq!(content_type("22"), Some(ContentType::P22));
        assert_eq!(content_type("1.3.26.0.4406.0.4.1"), Some(ContentType::P772));
        for nonsense in ["", "p23", "-1", "1..2", "9.9.9"] {
            assert_eq!(content_type(nonsense), None, "{nonsense}");
        }
    }
}
