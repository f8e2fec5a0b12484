//! O/R addresses: written form, meaning, encoding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mhs::{
    AddressError, AddressErrorKind, AddressPattern, DomainDefinedAttribute, ExtensionAttribute,
    ExtensionValue, OrAddress, OrName, PersonalName,
};
use proptest::prelude::*;

fn parse(text: &str) -> OrAddress {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn kind(text: &str) -> AddressErrorKind {
    text.parse::<OrAddress>().expect_err(text).kind
}

/// The address after a journey over the wire.
fn sent(address: &OrAddress) -> OrAddress {
    let octets = OrName::new(address.clone()).encode();
    let tlv = ber::Reader::new(&octets).any().unwrap();
    let name = OrName::decode(&tlv).unwrap();
    assert_eq!(name.encode(), octets);
    name.address().clone()
}

#[test]
fn the_usual_form_is_read_and_printed() {
    let text = "S=operations;O=Acme;P=ALPHA;A= ;C=GB";
    let address = parse(text);
    assert_eq!(address.personal_name.as_ref().unwrap().surname, "operations");
    assert_eq!(address.organization.as_deref(), Some("Acme"));
    assert_eq!(address.prmd.as_deref(), Some("ALPHA"));
    assert_eq!(address.admd.as_deref(), Some(" "));
    assert_eq!(address.country.as_deref(), Some("GB"));
    assert_eq!(address.to_string(), text);
}

#[test]
fn case_of_keys_order_and_separator_are_free() {
    let address = parse("S=operations;O=Acme;P=ALPHA;A= ;C=GB");
    for text in [
        "c=GB;a= ;p=ALPHA;o=Acme;s=operations",
        "/C=GB/A= /P=ALPHA/O=Acme/S=operations/",
        "/C=GB/ADMD= /PRMD=ALPHA/O=Acme/S=operations",
        "C=GB/A= /P=ALPHA/O=Acme/S=operations",
        " C = GB ; A = ; P = ALPHA ; O = Acme ; S = operations ; ",
        "C=GB;A=\" \";P=ALPHA;O=\"Acme\";S=operations;OU1=",
    ] {
        assert_eq!(parse(text), address, "{text}");
    }
}

#[test]
fn every_key_goes_there_and_back() {
    for text in [
        "G=John;I=J;S=Smith;Q=Jr;CN=John Smith;O=Acme;OU1=a;OU2=b;OU3=c;OU4=d;P=P;A=ADMD;C=GB",
        "X.121=23421920;T-ID=abc;E.164=441234567890;NET-SUB=12;T-TY=tlx;A=ADMD;C=GB",
        "N-ID=12345;P=ALPHA;A= ;C=234",
        "DDA:RFC-822=joe(a)acme.example;DDA:X=y;P=ALPHA;A= ;C=GB",
        "PD-SN=x;PD-C=GB;PD-PC=12345;PD-OF=a;PD-OFN=b;PD-EA=c;PD-PN=d;PD-O=e;PD-ED=f;PD-A1=1;PD-A2=2;\
         PD-S=g;PD-B=h;PD-R=i;PD-U=j;PD-L=k;A= ;C=GB",
        "S=Müller;O=Größe;OU1=Köln;A= ;C=DE",
        "CN=Łódź;A= ;C=PL",
        "CN=a;;b;O=x/y;P=a=b;A= ;C=GB",
        "CN=\" lead\";A= ;C=GB",
        "CN=\"\"\"quoted\"\" thing\";A= ;C=GB",
        "T-TY=99;A= ;C=GB",
        "EXT:99=#0500;A= ;C=GB",
        "CN=a;EXT:24=ü;A= ;C=GB",
        "CN=Müller;EXT:24=Müller;A= ;C=DE",
        "A=;C=GB",
    ] {
        let address = parse(text);
        assert_eq!(address.to_string(), text);
        assert_eq!(sent(&address), address, "{text}");
    }
}

#[test]
fn other_spellings_of_keys_are_understood() {
    let address = parse("GQ=Jr;S=x;X121=1;UA-ID=2;DD:T=v;ISDN=3;PD-STREET=4;OU=a;OU=b;ADMD=X;PRMD=Y;C=GB");
    assert_eq!(
        address.to_string(),
        "S=x;Q=Jr;X.121=1;N-ID=2;OU1=a;OU2=b;PD-S=4;E.164=3;DDA:T=v;P=Y;A=X;C=GB"
    );
}

#[test]
fn variants_are_chosen_by_the_characters() {
    let number = |text: &str| parse(text).extensions.iter().map(|e| e.number).collect::<Vec<_>>();
    assert_eq!(number("CN=Mueller;C=DE"), [1]);
    assert_eq!(number("CN=Müller;C=DE"), [2]);
    assert_eq!(number("CN=Łódź;C=PL"), [2]);
    assert_eq!(number("CN=語;C=JP"), [24]);
    assert_eq!(number("S=語;O=ü;OU1=ü;C=PL;DDA:a=@"), [3, 5, 6, 26]);
    assert_eq!(number("PD-S=ü;PD-L=語;C=PL"), [17, 40]);
    // T.61: an accent stands in front of its letter.
    let name = OrName::new(parse("CN=Müller;C=DE")).encode();
    assert!(name.windows(7).any(|octets| octets == [b'M', 0xC8, b'u', b'l', b'l', b'e', b'r']));
}

#[test]
fn errors_name_position_key_and_cause() {
    let error = "C=GB;XY=1".parse::<OrAddress>().unwrap_err();
    let expected = AddressError { position: 5, key: "XY".to_owned(), kind: AddressErrorKind::UnknownKey };
    assert_eq!(error, expected);
    assert_eq!(error.to_string(), "at character 6: `XY`: there is no such attribute key");
    assert_eq!(kind(""), AddressErrorKind::Empty);
    assert_eq!(kind(" ; ; "), AddressErrorKind::Empty);
    assert_eq!(kind("C=GB;Acme"), AddressErrorKind::NoEquals);
    assert_eq!(kind("C=GB;c=DE"), AddressErrorKind::DuplicateKey);
    assert_eq!(kind("G=John;C=GB"), AddressErrorKind::NoSurname);
    assert_eq!(kind("OU2=a;C=GB"), AddressErrorKind::OrganizationalUnitGap(1));
    assert_eq!(kind("O=\"Acme;C=GB"), AddressErrorKind::Quote);
    assert_eq!(kind("O=\"Acme\"x;C=GB"), AddressErrorKind::Quote);
    assert_eq!(kind("DDA=x;C=GB"), AddressErrorKind::NoDomainDefinedType);
    assert!(matches!(kind("T-TY=fax machine"), AddressErrorKind::Value(_)));
    assert!(matches!(kind("EXT:99=#05"), AddressErrorKind::Value(_)));
    assert!(matches!(kind("EXT:99=abc"), AddressErrorKind::Value(_)));
    assert_eq!(kind("OU=a;OU=b;OU=c;OU=d;OU=e"), AddressErrorKind::DuplicateKey);
}

#[test]
fn addresses_that_mean_the_same_have_the_same_key() {
    let same = |a: &str, b: &str| {
        assert!(parse(a).is_same_address(&parse(b)), "{a} and {b}");
    };
    same("S=Smith;O=Acme Ltd;A= ;C=GB", "c=gb;a=;s=SMITH;o=acme   ltd");
    same("S=Smith;A= ;C=GB", "S=Smith;C=GB");
    let different = |a: &str, b: &str| {
        assert!(!parse(a).is_same_address(&parse(b)), "{a} and {b}");
    };
    different("S=Smith;A= ;C=GB", "S=Smith;A=X;C=GB");
    different("OU1=a;OU2=b;C=GB", "OU1=b;OU2=a;C=GB");
    different("S=a;C=GB", "CN=a;C=GB");
    different("DDA:a=b;C=GB", "DDA:a=c;C=GB");
    let with = |number, value: &str| {
        let value = ExtensionValue::Text(value.to_owned());
        OrAddress { extensions: vec![ExtensionAttribute { number, value }], ..OrAddress::default() }
    };
    assert!(with(1, "Smith").is_same_address(&with(2, "SMITH")));
    assert!(with(2, "Smith").is_same_address(&with(24, "smith")));
    assert!(!with(1, "Smith").is_same_address(&with(3, "Smith")));
}

#[test]
fn patterns_agree_with_the_addresses_they_describe() {
    let address = parse("S=Smith;O=Acme;OU1=Sales;P=BETA;A= ;C=GB");
    let matches = |pattern: &str| AddressPattern::parse(pattern).unwrap().matches(&address);
    for pattern in [
        "C=GB",
        "C=*",
        "A= ;C=gb",
        "A=*;C=GB",
        "P=beta;A= ;C=GB",
        "O=ACME;P=BETA;C=GB",
        "S=*",
        "OU1=sales",
        "/C=GB/A= /P=BETA",
    ] {
        assert!(matches(pattern).is_some(), "{pattern}");
    }
    for pattern in ["C=DE", "A=X;C=GB", "P=ALPHA;C=GB", "CN=*;C=GB", "OU2=*", "DDA:a=*", "O=Acme Ltd"] {
        assert!(matches(pattern).is_none(), "{pattern}");
    }
    assert_eq!(AddressPattern::parse("PD-S=x").unwrap_err().kind, AddressErrorKind::UnknownKey);
    assert_eq!(AddressPattern::parse("C=a;C=b").unwrap_err().kind, AddressErrorKind::DuplicateKey);
}

#[test]
fn patterns_overlap_unless_no_address_agrees_with_both() {
    let parse = |text| AddressPattern::parse(text).unwrap();
    for (one, other, overlap) in [
        ("P=BETA;C=GB", "P=beta;A= ;C=GB", true),
        ("P=BETA;C=GB", "O=Acme", true),
        ("P=BETA;C=GB", "P=*;C=GB", true),
        ("P=BETA;C=GB", "P=GAMMA;C=GB", false),
        ("A= ;C=GB", "A=X;C=GB", false),
        ("DDA:a=b;C=GB", "DDA:a=c;C=GB", true),
    ] {
        assert_eq!(parse(one).may_overlap(&parse(other)), overlap, "{one} and {other}");
        assert_eq!(parse(other).may_overlap(&parse(one)), overlap, "{other} and {one}");
    }
}

#[test]
fn the_closer_pattern_is_the_more_specific() {
    let ordered = [
        "S=x",
        "O=Acme",
        "C=*",
        "A=*;C=*",
        "C=GB",
        "O=Acme;C=GB",
        "A=*;C=GB",
        "A= ;C=GB",
        "P=*;A= ;C=GB",
        "P=BETA;A= ;C=GB",
        "DDA:a=*;P=BETA;A= ;C=GB",
        "DDA:a=b;P=BETA;A= ;C=GB",
        "S=x;P=BETA;A= ;C=GB",
        "O=*;P=BETA;A= ;C=GB",
        "O=Acme;P=BETA;A= ;C=GB",
        "OU1=a;O=Acme;P=BETA;A= ;C=GB",
    ];
    let specificities: Vec<_> =
        ordered.iter().map(|text| AddressPattern::parse(text).unwrap().specificity()).collect();
    for (pair, texts) in specificities.windows(2).zip(ordered.windows(2)) {
        assert!(pair[0] < pair[1], "{} before {}", texts[0], texts[1]);
    }
    for text in ordered {
        let pattern = AddressPattern::parse(text).unwrap();
        assert_eq!(pattern.to_string().parse(), Ok(pattern), "{text}");
    }
}

#[test]
fn submission_is_strict() {
    let problems = |text: &str| match parse(text).validate_for_submission() {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    for text in [
        "S=Smith;O=Acme;P=ALPHA;A= ;C=GB",
        "P=ALPHA;A= ;C=GB",
        "N-ID=123;A= ;C=234",
        "X.121=23421920",
        "PD-C=GB;PD-PC=12345;A= ;C=GB",
        "CN=Müller;A=DBP;C=DE",
        "DDA:RFC-822=a(a)b;A= ;C=GB",
    ] {
        assert_eq!(problems(text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(problems("S=Smith;A= "), ["the address is incomplete: country (C) is missing"]);
    assert_eq!(
        problems("S=Smith;C=GB"),
        ["the address is incomplete: administration domain (A) is missing; a blank one is written `A= `"]
    );
    assert_eq!(problems("A= ;C=GB").len(), 1);
    assert_eq!(
        problems("S=x;P=ABCDEFGHIJKLMNOPQ;A= ;C=GB"),
        ["private-domain-name has 17 characters; 1 to 16 are allowed"]
    );
    assert_eq!(problems("S=x;A= ;C=G").len(), 1);
    assert_eq!(problems("S=x;A= ;C=12").len(), 1);
    assert_eq!(problems("S=x;A= ;C=GBR").len(), 1);
    assert_eq!(problems("S=x;Q=Junior;I=ABCDEF;A= ;C=GB").len(), 2);
    assert_eq!(problems("N-ID=12a;A= ;C=GB"), ["numeric-user-identifier can't contain 'a'"]);
    assert_eq!(problems("DDA:TOOLONGTYPE=x;A= ;C=GB").len(), 1);
    assert_eq!(problems("DDA:a=x;DDA:b=x;DDA:c=x;DDA:d=x;DDA:e=x;A= ;C=GB").len(), 1);
    assert_eq!(problems(&format!("CN={};A= ;C=GB", "x".repeat(65))).len(), 1);
}

#[test]
fn an_address_of_the_wire_keeps_what_is_not_understood() {
    // An unknown standard attribute [9], an unknown extension attribute, a directory name.
    let standard: &[u8] = &[0x61, 4, 0x13, 2, b'G', b'B', 0x89, 1, b'x'];
    let mut contents = vec![0x30, standard.len() as u8];
    contents.extend_from_slice(standard);
    contents.extend_from_slice(&[0x31, 9, 0x30, 7, 0x80, 1, 99, 0xA1, 2, 5, 0]);
    contents.extend_from_slice(&[0xA0, 2, 0x30, 0]);
    let mut octets = vec![0x60, 0x80];
    octets.extend_from_slice(&contents);
    octets.extend_from_slice(&[0, 0]);
    let name = OrName::decode(&ber::Reader::new(&octets).any().unwrap()).unwrap();
    assert_eq!(name.encode(), octets);
    assert_eq!(name.directory_name(), Some(&[0x30, 0][..]));
    assert_eq!(name.address().extension(99).unwrap().value, ExtensionValue::Opaque(vec![5, 0]));
    // Under an implicit tag only the header is another one.
    let mut w = ber::Writer::new();
    name.write(ber::Tag::context(4), &mut w);
    let mut expected = vec![0xA4, contents.len() as u8];
    expected.extend_from_slice(&contents);
    assert_eq!(w.as_slice(), expected);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9'()+,./:=? -]{1,20}",
        "[ -~]{1,12}",
        "[;/=\"*# ]{1,6}",
        "[a-zäöüéß]{1,8}",
        "[a-złżΩ語]{1,8}",
    ]
}

/// Text that a value can be: one that is not blank.
fn value() -> impl Strategy<Value = String> {
    any_text().prop_filter("blank", |text| !text.trim().is_empty())
}

fn printable() -> impl Strategy<Value = String> {
    "[A-Za-z0-9'()+,./:=?-][A-Za-z0-9'()+,./:=? -]{0,12}"
}

fn latin1() -> impl Strategy<Value = String> {
    prop_oneof![printable(), "[!-~][ -~]{0,12}", "[a-zäöüéß]{1,8}"]
}

fn personal_name(value: fn() -> BoxedStrategy<String>) -> impl Strategy<Value = PersonalName> {
    let part = || proptest::option::of(value());
    (value(), part(), part(), part()).prop_map(|(surname, given_name, initials, generation_qualifier)| {
        PersonalName { surname, given_name, initials, generation_qualifier }
    })
}

/// An extension attribute with one of these numbers, its strings of one type.
fn extension_of(
    numbers: [i64; 5],
    value: fn() -> BoxedStrategy<String>,
) -> BoxedStrategy<ExtensionAttribute> {
    let [text, name, names, list, other] = numbers;
    let texts = prop_oneof![Just(text), Just(other)];
    let lists = (value(), value())
        .prop_map(|(attribute_type, value)| DomainDefinedAttribute { attribute_type, value });
    prop_oneof![
        (texts, value().prop_map(ExtensionValue::Text).boxed()),
        (Just(name), personal_name(value).prop_map(ExtensionValue::PersonalName).boxed()),
        (Just(names), proptest::collection::vec(value(), 1..4).prop_map(ExtensionValue::Names).boxed()),
        (Just(list), proptest::collection::vec(lists, 1..3).prop_map(ExtensionValue::DomainDefined).boxed()),
    ]
    .prop_map(|(number, value)| ExtensionAttribute { number, value })
    .boxed()
}

fn extension() -> impl Strategy<Value = ExtensionAttribute> {
    let printables = printable().prop_map(ExtensionValue::Text).boxed();
    let postal = (proptest::option::of(printable()), proptest::option::of(latin1()))
        .prop_map(|(printable, teletex)| ExtensionValue::Postal { printable, teletex })
        .boxed();
    let lines = proptest::option::of(proptest::collection::vec(printable(), 0..4));
    let lines = (lines, proptest::option::of(latin1()))
        .prop_map(|(printable, teletex)| ExtensionValue::PostalLines { printable, teletex })
        .boxed();
    let number = ("[0-9]{1,9}", proptest::option::of("[0-9]{1,9}"))
        .prop_map(|(number, sub_address)| ExtensionValue::E163 { number, sub_address })
        .boxed();
    let opaque = proptest::collection::vec(any::<u8>(), 0..9)
        .prop_map(|contents| {
            let mut w = ber::Writer::new();
            w.primitive(ber::Tag::OCTET_STRING, &contents);
            ExtensionValue::Opaque(w.into_vec())
        })
        .boxed();
    let others = prop_oneof![
        (proptest::sample::select(vec![1i64, 7, 8, 9]), printables),
        (proptest::sample::select(vec![10i64, 15, 17, 21]), postal),
        (Just(16i64), lines),
        (Just(22i64), number),
        (Just(23i64), any::<i64>().prop_map(ExtensionValue::Integer).boxed()),
        (41i64..300, opaque),
    ]
    .prop_map(|(number, value)| ExtensionAttribute { number, value });
    prop_oneof![
        others,
        extension_of([2, 4, 5, 6, 3], || latin1().boxed()),
        extension_of([24, 26, 27, 28, 25], || value().boxed()),
        extension_of([29, 26, 27, 28, 40], || value().boxed()),
    ]
}

/// Addresses as they come over the wire, several variants of an attribute included.
fn address() -> impl Strategy<Value = OrAddress> {
    let text = || proptest::option::of(printable());
    (
        (
            text(),
            proptest::option::of(prop_oneof![Just(" ".to_owned()), printable()]),
            text(),
            text(),
            text(),
        ),
        (text(), text(), proptest::option::of(personal_name(|| printable().boxed()))),
        proptest::collection::vec(printable(), 0..5),
        proptest::collection::vec((printable(), printable()), 0..3),
        proptest::collection::vec(extension(), 0..5),
    )
        .prop_map(|(first, second, organizational_units, domain_defined, mut extensions)| {
            // Each attribute once, as X.411 has it.
            extensions.sort_by_key(|extension| extension.number);
            extensions.dedup_by_key(|extension| extension.number);
            OrAddress {
                country: first.0,
                admd: first.1,
                prmd: first.2,
                organization: first.3,
                numeric_user_identifier: first.4,
                network_address: second.0,
                terminal_identifier: second.1,
                personal_name: second.2,
                organizational_units,
                domain_defined: domain_defined
                    .into_iter()
                    .map(|(attribute_type, value)| DomainDefinedAttribute { attribute_type, value })
                    .collect(),
                extensions,
            }
        })
}

/// Addresses as they come from parsing: the strings are of the types that parsing chooses.
fn written_address() -> impl Strategy<Value = OrAddress> {
    let text = || proptest::option::of(value());
    (
        (text(), text(), text(), text(), text(), text(), text()),
        proptest::collection::vec(value(), 0..5),
        proptest::collection::vec((value(), value()), 0..3),
        proptest::option::of(personal_name(|| value().boxed())),
    )
        .prop_map(|(texts, units, list, name)| {
            let mut address = OrAddress { country: texts.0, prmd: texts.1, ..OrAddress::default() };
            address.network_address = texts.2;
            address.terminal_identifier = texts.3;
            address.numeric_user_identifier = texts.4;
            address.organization = texts.5;
            address.personal_name = name;
            address.organizational_units = units;
            address.domain_defined = list
                .into_iter()
                .map(|(attribute_type, value)| DomainDefinedAttribute { attribute_type, value })
                .collect();
            if let Some(text) = texts.6 {
                address.extensions.push(ExtensionAttribute { number: 1, value: ExtensionValue::Text(text) });
            }
            address
        })
}

#[test]
fn attributes_without_values_make_no_address() {
    for text in ["S=", "S=;O=;", "C="] {
        let error = OrAddress::parse(text).unwrap_err();
        assert_eq!(error.kind, AddressErrorKind::Empty, "{text}");
        let error = AddressPattern::parse(text).unwrap_err();
        assert_eq!(error.kind, AddressErrorKind::Empty, "{text}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,60}") {
        let _ = text.parse::<OrAddress>();
        let _ = text.parse::<AddressPattern>();
        let _ = text.parse::<mhs::MtsIdentifier>();
    }

    #[test]
    fn parsing_of_keys_and_odd_values_never_panics(
        text in proptest::collection::vec(
            "(C|A|OU|OU2|DDA:x|DDA|S|G|EXT:3|T-TY|;|/|=|\"| |\\*){1,3}=?[;/=\" ä]{0,3}",
            0..6,
        )
    ) {
        let _ = text.concat().parse::<OrAddress>();
    }

    #[test]
    fn what_is_parsed_is_printed_and_parsed_again(address in written_address()) {
        prop_assume!(!address.is_empty());
        let parsed: OrAddress = address.to_string().parse().unwrap();
        let again: OrAddress = parsed.to_string().parse().unwrap();
        prop_assert_eq!(&again, &parsed);
        prop_assert_eq!(parsed.canonical_key(), address.canonical_key());
    }

    #[test]
    fn names_of_any_characters_are_the_same_after_a_journey(address in written_address()) {
        let names = OrAddress {
            country: None,
            prmd: None,
            network_address: None,
            terminal_identifier: None,
            numeric_user_identifier: None,
            ..address
        };
        prop_assume!(!names.is_empty());
        let parsed: OrAddress = names.to_string().parse().unwrap();
        prop_assert_eq!(sent(&parsed), parsed);
    }

    #[test]
    fn any_address_means_the_same_after_printing(address in address()) {
        prop_assume!(!address.is_empty());
        let text = address.to_string();
        let parsed: OrAddress = match text.parse() {
            Ok(parsed) => parsed,
            Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
        };
        prop_assert_eq!(parsed.canonical_key(), address.canonical_key(), "{}", text);
    }

    #[test]
    fn printable_addresses_are_the_same_after_a_journey(
        organization in printable(), surname in printable(), unit in printable(), name in printable()
    ) {
        let value = ExtensionValue::Text(name);
        let address = OrAddress {
            country: Some("GB".to_owned()),
            admd: Some(" ".to_owned()),
            organization: Some(organization),
            personal_name: Some(PersonalName { surname, ..PersonalName::default() }),
            organizational_units: vec![unit],
            extensions: vec![ExtensionAttribute { number: 1, value }],
            ..OrAddress::default()
        };
        prop_assert_eq!(sent(&address), address);
    }

    #[test]
    fn the_canonical_key_does_not_see_case_and_spaces(address in written_address()) {
        let spaced = |text: &mut Option<String>| {
            if let Some(text) = text {
                *text = format!("  {}  ", text.to_ascii_uppercase().replace(' ', "   "));
            }
        };
        let mut other = address.clone();
        spaced(&mut other.country);
        spaced(&mut other.prmd);
        spaced(&mut other.organization);
        prop_assert!(other.is_same_address(&address));
        prop_assert!(address.is_same_address(&address));
    }

    #[test]
    fn a_pattern_of_the_domain_agrees_with_the_address(address in written_address()) {
        let domain = OrAddress {
            country: address.country.clone(),
            prmd: address.prmd.clone(),
            organization: address.organization.clone(),
            ..OrAddress::default()
        };
        prop_assume!(!domain.is_empty());
        let text = domain.to_string();
        // A lone asterisk is a wildcard in a pattern.
        let mut values = [&domain.country, &domain.prmd, &domain.organization].into_iter().flatten();
        prop_assume!(!values.any(|value| value.trim() == "*"));
        let pattern: AddressPattern = text.parse().unwrap();
        prop_assert_eq!(pattern.matches(&address), Some(pattern.specificity()), "{}", text);
    }
}

/// Not every letter comes back from its upper case.
#[test]
fn a_printed_pattern_matches_what_the_pattern_matches() {
    for text in ["S=Strauß;O=Groß & Co;A= ;C=DE", "S=µ", "DDA:Größe=maß;C=DE"] {
        let pattern = AddressPattern::parse(text).unwrap();
        let again = AddressPattern::parse(&pattern.to_string()).unwrap();
        let address = OrAddress::parse(text).unwrap();
        assert!(pattern.matches(&address).is_some(), "{text}");
        assert_eq!(again.matches(&address), pattern.matches(&address), "{text} became {pattern}");
    }
}

/// A slash in front of what looks like a component separates components, unless there is a semicolon.
#[test]
fn a_slash_in_the_only_type_does_not_separate() {
    let text = ";DDA:a/P==b=c";
    let address = OrAddress::parse(text).unwrap();
    assert_eq!(address.to_string(), text);
    assert_eq!(OrAddress::parse(&address.to_string()), Ok(address));
    let pattern = AddressPattern::parse(text).unwrap();
    assert_eq!(AddressPattern::parse(&pattern.to_string()), Ok(pattern));
}
