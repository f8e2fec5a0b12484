//! O/R addresses on the wire (X.411 ORAddress).

use ber::{Class, Reader, Tag, Tlv, Writer};

use super::extension::{Composite, Shape, shape};
use super::{DomainDefinedAttribute, ExtensionAttribute, ExtensionValue, OrAddress, PersonalName};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::text;

const COUNTRY: Tag = Tag::application(1);
const ADMD: Tag = Tag::application(2);
const PRMD: Tag = Tag::context(2);

/// Elements of one list inside an address; far above every legal number.
const MAX_ELEMENTS: usize = 256;

/// Reads the components of an ORAddress from `reader`, which may stand inside an O/R name: what follows is
/// left.
pub(crate) fn decode_address(reader: &mut Reader<'_>) -> Result<OrAddress, DecodeError> {
    let Components { standard, domain_defined, extensions } =
        decode_components(reader, text::decode, decode_extension)?;
    Ok(OrAddress {
        country: standard.country,
        admd: standard.admd,
        network_address: standard.network_address,
        terminal_identifier: standard.terminal_identifier,
        prmd: standard.prmd,
        organization: standard.organization,
        numeric_user_identifier: standard.numeric_user_identifier,
        personal_name: standard.personal_name.map(PersonalName::from),
        organizational_units: standard.organizational_units,
        domain_defined: domain_defined.into_iter().map(DomainDefinedAttribute::from).collect(),
        extensions,
    })
}

/// Checks that [`decode_address`] would read the components, by the same rules and without taking them apart.
pub(crate) fn check_address(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    decode_components(reader, text::check, |_, _| ()).map(drop)
}

/// The components of an ORAddress: `T` is what is made of a string, `E` what is made of an extension attribute. Where
/// both are nothing, lists of them take no memory.
struct Components<T, E> {
    standard: Standard<T>,
    domain_defined: Vec<DomainDefined<T>>,
    extensions: Vec<E>,
}

/// What is made of the built-in standard attributes.
struct Standard<T> {
    country: Option<T>,
    admd: Option<T>,
    network_address: Option<T>,
    terminal_identifier: Option<T>,
    prmd: Option<T>,
    organization: Option<T>,
    numeric_user_identifier: Option<T>,
    personal_name: Option<Name<T>>,
    organizational_units: Vec<T>,
}

/// What is made of a personal name. The surname is mandatory, but may be absent in what was received.
struct Name<T> {
    surname: Option<T>,
    given_name: Option<T>,
    initials: Option<T>,
    generation_qualifier: Option<T>,
}

/// What is made of a domain-defined attribute.
struct DomainDefined<T> {
    attribute_type: T,
    value: T,
}

impl From<Name<String>> for PersonalName {
    fn from(name: Name<String>) -> Self {
        PersonalName {
            surname: name.surname.unwrap_or_default(),
            given_name: name.given_name,
            initials: name.initials,
            generation_qualifier: name.generation_qualifier,
        }
    }
}

impl From<DomainDefined<String>> for DomainDefinedAttribute {
    fn from(attribute: DomainDefined<String>) -> Self {
        DomainDefinedAttribute { attribute_type: attribute.attribute_type, value: attribute.value }
    }
}

fn decode_components<T, E>(
    reader: &mut Reader<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<T, DecodeError> + Copy,
    extension: impl Fn(i64, &Tlv<'_>) -> E,
) -> Result<Components<T, E>, DecodeError> {
    let standard = reader.expect(Tag::SEQUENCE).field("built-in-standard-attributes")?;
    let standard = decode_standard(&standard, string).field("built-in-standard-attributes")?;
    let mut components = Components { standard, domain_defined: Vec::new(), extensions: Vec::new() };
    if let Some(list) = reader.optional(Tag::SEQUENCE)? {
        components.domain_defined = decode_list(&list, |tlv| decode_domain_defined(tlv, string))
            .field("built-in-domain-defined-attributes")?;
    }
    if let Some(set) = reader.optional(Tag::SET)? {
        components.extensions = decode_list(&set, |tlv| {
            let (number, value) = extension_members(tlv)?;
            Ok(extension(number, &value))
        })
        .field("extension-attributes")?;
    }
    Ok(components)
}

fn decode_standard<T>(
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<T, DecodeError> + Copy,
) -> Result<Standard<T>, DecodeError> {
    let mut standard = Standard {
        country: None,
        admd: None,
        network_address: None,
        terminal_identifier: None,
        prmd: None,
        organization: None,
        numeric_user_identifier: None,
        personal_name: None,
        organizational_units: Vec::new(),
    };
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        let (place, name) = match (member.tag.class, member.tag.number) {
            (Class::Application, 1) => (&mut standard.country, "country-name"),
            (Class::Application, 2) => (&mut standard.admd, "administration-domain-name"),
            (Class::Context, 0) => (&mut standard.network_address, "network-address"),
            (Class::Context, 1) => (&mut standard.terminal_identifier, "terminal-identifier"),
            (Class::Context, 2) => (&mut standard.prmd, "private-domain-name"),
            (Class::Context, 3) => (&mut standard.organization, "organization-name"),
            (Class::Context, 4) => (&mut standard.numeric_user_identifier, "numeric-user-identifier"),
            (Class::Context, 5) => {
                standard.personal_name = Some(decode_personal_name(&member, string).field("personal-name")?);
                continue;
            }
            (Class::Context, 6) => {
                standard.organizational_units =
                    decode_list(&member, string).field("organizational-unit-names")?;
                continue;
            }
            // Not an attribute of X.411: kept in the encoding of the name, of no use in the address.
            _ => continue,
        };
        let value = match member.tag {
            COUNTRY | ADMD | PRMD => decode_choice(&member, string),
            _ => string(&member),
        };
        *place = Some(value.field(name)?);
    }
    Ok(standard)
}

/// A CHOICE of strings under an explicit tag; tolerated without the inner tag.
fn decode_choice<T>(
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    if tlv.constructed { string(&tlv.explicit()?) } else { string(tlv) }
}

fn decode_list<T>(
    tlv: &Tlv<'_>,
    decode: impl Fn(&Tlv<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut reader = tlv.reader()?;
    let mut items = Vec::new();
    while let Some(item) = reader.next()? {
        if items.len() >= MAX_ELEMENTS {
            let kind = DecodeErrorKind::TooMany { limit: MAX_ELEMENTS };
            return Err(DecodeError::new(kind, item.offset()));
        }
        items.push(decode(&item).index(items.len())?);
    }
    Ok(items)
}

fn decode_personal_name<T>(
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<T, DecodeError>,
) -> Result<Name<T>, DecodeError> {
    let mut name = Name { surname: None, given_name: None, initials: None, generation_qualifier: None };
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        let value = string(&member)?;
        match member.tag {
            tag if tag == Tag::context(0) => name.surname = Some(value),
            tag if tag == Tag::context(1) => name.given_name = Some(value),
            tag if tag == Tag::context(2) => name.initials = Some(value),
            tag if tag == Tag::context(3) => name.generation_qualifier = Some(value),
            _ => {}
        }
    }
    Ok(name)
}

fn decode_domain_defined<T>(
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<T, DecodeError>,
) -> Result<DomainDefined<T>, DecodeError> {
    let mut reader = tlv.reader()?;
    let attribute_type = string(&reader.any().field("type")?).field("type")?;
    let value = string(&reader.any().field("value")?).field("value")?;
    Ok(DomainDefined { attribute_type, value })
}

/// Number and value of an extension attribute.
fn extension_members<'a>(tlv: &Tlv<'a>) -> Result<(i64, Tlv<'a>), DecodeError> {
    let mut reader = tlv.reader()?;
    let number = reader.expect(Tag::context(0)).field("extension-attribute-type")?;
    let number = number.integer().field("extension-attribute-type")?;
    let value = reader.expect(Tag::context(1)).field("extension-attribute-value")?;
    Ok((number, value.explicit().field("extension-attribute-value")?))
}

fn decode_extension(number: i64, value: &Tlv<'_>) -> ExtensionAttribute {
    // A value that is not of the shape its number promises is relayed, not refused.
    let value =
        decode_value(shape(number), value).unwrap_or_else(|_| ExtensionValue::Opaque(value.raw.to_vec()));
    ExtensionAttribute { number, value }
}

fn decode_value(shape: Shape, tlv: &Tlv<'_>) -> Result<ExtensionValue, DecodeError> {
    match shape {
        Shape::Printable | Shape::NumericOrPrintable => Ok(ExtensionValue::Text(text::decode(tlv)?)),
        Shape::Teletex(composite) => decode_composite(composite, tlv, text::decode_teletex),
        Shape::Universal(composite) => decode_composite(composite, tlv, decode_universal),
        Shape::PdsParameter => {
            let (mut printable, mut teletex) = (None, None);
            for_each_member(tlv, |member| match member.tag {
                Tag::PRINTABLE_STRING => text::decode(member).map(|text| printable = Some(text)),
                Tag::TELETEX_STRING => text::decode(member).map(|text| teletex = Some(text)),
                tag => Err(DecodeError::new(DecodeErrorKind::Choice(tag), member.offset())),
            })?;
            Ok(ExtensionValue::Postal { printable, teletex })
        }
        Shape::UnformattedPostal => {
            let (mut printable, mut teletex) = (None, None);
            for_each_member(tlv, |member| match member.tag {
                Tag::SEQUENCE => decode_list(member, text::decode).map(|lines| printable = Some(lines)),
                Tag::TELETEX_STRING => text::decode(member).map(|text| teletex = Some(text)),
                tag => Err(DecodeError::new(DecodeErrorKind::Choice(tag), member.offset())),
            })?;
            Ok(ExtensionValue::PostalLines { printable, teletex })
        }
        Shape::NetworkAddress => {
            let mut reader = tlv.reader()?;
            if tlv.tag != Tag::SEQUENCE {
                return Ok(ExtensionValue::Opaque(tlv.raw.to_vec()));
            }
            let number = text::decode(&reader.expect(Tag::context(0))?)?;
            let sub_address = reader.optional(Tag::context(1))?.map(|tlv| text::decode(&tlv)).transpose()?;
            reader.finish()?;
            Ok(ExtensionValue::E163 { number, sub_address })
        }
        Shape::Integer => Ok(ExtensionValue::Integer(tlv.integer()?)),
        Shape::Unknown => Ok(ExtensionValue::Opaque(tlv.raw.to_vec())),
    }
}

fn for_each_member(
    tlv: &Tlv<'_>,
    mut take: impl FnMut(&Tlv<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        take(&member)?;
    }
    Ok(())
}

fn decode_composite(
    composite: Composite,
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<String, DecodeError>,
) -> Result<ExtensionValue, DecodeError> {
    Ok(match composite {
        Composite::Text => ExtensionValue::Text(string(tlv)?),
        Composite::PersonalName => ExtensionValue::PersonalName(decode_personal_name(tlv, string)?.into()),
        Composite::Names => ExtensionValue::Names(decode_list(tlv, string)?),
        Composite::DomainDefined => {
            let list = decode_list(tlv, |tlv| decode_domain_defined(tlv, &string))?;
            ExtensionValue::DomainDefined(list.into_iter().map(DomainDefinedAttribute::from).collect())
        }
    })
}

/// UniversalOrBMPString: a SET of the string and, optionally, a language code.
fn decode_universal(tlv: &Tlv<'_>) -> Result<String, DecodeError> {
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        if [Tag::BMP_STRING, Tag::UNIVERSAL_STRING].contains(&member.tag) {
            return text::decode(&member);
        }
    }
    Err(DecodeError::missing("character-encoding", tlv.offset()))
}

/// Writes the components of an ORAddress.
pub(crate) fn write_address(address: &OrAddress, w: &mut Writer) {
    w.constructed(Tag::SEQUENCE, |w| write_standard(address, w));
    if !address.domain_defined.is_empty() {
        w.constructed(Tag::SEQUENCE, |w| {
            address.domain_defined.iter().for_each(|dda| write_domain_defined(dda, w, printable));
        });
    }
    if !address.extensions.is_empty() {
        w.constructed(Tag::SET, |w| address.extensions.iter().for_each(|e| write_extension(e, w)));
    }
}

fn write_standard(address: &OrAddress, w: &mut Writer) {
    let string = |w: &mut Writer, number, value: &Option<String>| {
        if let Some(value) = value {
            w.primitive(Tag::context(number), &text::to_latin1(value));
        }
    };
    if let Some(country) = &address.country {
        write_country(w, COUNTRY, country);
    }
    if let Some(admd) = &address.admd {
        w.constructed(ADMD, |w| write_domain_name(w, admd));
    }
    string(w, 0, &address.network_address);
    string(w, 1, &address.terminal_identifier);
    if let Some(prmd) = &address.prmd {
        w.constructed(Tag::context(2), |w| write_domain_name(w, prmd));
    }
    string(w, 3, &address.organization);
    string(w, 4, &address.numeric_user_identifier);
    if let Some(name) = &address.personal_name {
        write_personal_name(name, Tag::context(5), w, implicit);
    }
    if !address.organizational_units.is_empty() {
        w.constructed(Tag::context(6), |w| {
            address.organizational_units.iter().for_each(|unit| printable(unit, None, w));
        });
    }
}

/// Country: NumericString for an X.121 code, else PrintableString.
pub(crate) fn write_country(w: &mut Writer, tag: Tag, country: &str) {
    let digits = country.len() == 3 && country.bytes().all(|c| c.is_ascii_digit());
    let string = if digits { Tag::NUMERIC_STRING } else { Tag::PRINTABLE_STRING };
    w.constructed(tag, |w| w.primitive(string, &text::to_latin1(country)));
}

/// Domain names are sent as PrintableString even if all digits, which every implementation reads.
pub(crate) fn write_domain_name(w: &mut Writer, name: &str) {
    w.primitive(Tag::PRINTABLE_STRING, &text::to_latin1(name));
}

/// Writes a string: under an implicit tag if one is given, else under its own.
type WriteString = fn(&str, Option<Tag>, &mut Writer);

fn printable(value: &str, tag: Option<Tag>, w: &mut Writer) {
    w.primitive(tag.unwrap_or(Tag::PRINTABLE_STRING), &text::to_latin1(value));
}

fn teletex(value: &str, tag: Option<Tag>, w: &mut Writer) {
    w.primitive(tag.unwrap_or(Tag::TELETEX_STRING), &text::to_teletex(value));
}

fn implicit(value: &str, tag: Option<Tag>, w: &mut Writer) {
    printable(value, tag, w);
}

fn universal(value: &str, tag: Option<Tag>, w: &mut Writer) {
    w.constructed(tag.unwrap_or(Tag::SET), |w| w.primitive(Tag::BMP_STRING, &text::to_bmp(value)));
}

fn write_personal_name(name: &PersonalName, tag: Tag, w: &mut Writer, string: WriteString) {
    w.constructed(tag, |w| {
        string(&name.surname, Some(Tag::context(0)), w);
        let rest = [&name.given_name, &name.initials, &name.generation_qualifier];
        for (number, value) in (1..).zip(rest) {
            if let Some(value) = value {
                string(value, Some(Tag::context(number)), w);
            }
        }
    });
}

fn write_domain_defined(dda: &DomainDefinedAttribute, w: &mut Writer, string: WriteString) {
    w.constructed(Tag::SEQUENCE, |w| {
        string(&dda.attribute_type, None, w);
        string(&dda.value, None, w);
    });
}

fn write_extension(extension: &ExtensionAttribute, w: &mut Writer) {
    w.constructed(Tag::SEQUENCE, |w| {
        w.integer(Tag::context(0), extension.number);
        w.constructed(Tag::context(1), |w| write_value(extension, w));
    });
}

fn write_value(extension: &ExtensionAttribute, w: &mut Writer) {
    let shape = shape(extension.number);
    let string: WriteString = match shape {
        Shape::Teletex(_) => teletex,
        Shape::Universal(_) => universal,
        Shape::Printable
        | Shape::NumericOrPrintable
        | Shape::PdsParameter
        | Shape::UnformattedPostal
        | Shape::NetworkAddress
        | Shape::Integer
        | Shape::Unknown => printable,
    };
    match &extension.value {
        ExtensionValue::Text(value)
            if shape == Shape::NumericOrPrintable && text::is_numeric(value) && !value.is_empty() =>
        {
            w.primitive(Tag::NUMERIC_STRING, &text::to_latin1(value));
        }
        ExtensionValue::Text(value) => string(value, None, w),
        ExtensionValue::PersonalName(name) => write_personal_name(name, Tag::SET, w, string),
        ExtensionValue::Names(names) => {
            w.constructed(Tag::SEQUENCE, |w| names.iter().for_each(|name| string(name, None, w)));
        }
        ExtensionValue::DomainDefined(list) => {
            w.constructed(Tag::SEQUENCE, |w| {
                list.iter().for_each(|dda| write_domain_defined(dda, w, string));
            });
        }
        ExtensionValue::Postal { printable: p, teletex: t } => w.constructed(Tag::SET, |w| {
            p.iter().for_each(|value| printable(value, None, w));
            t.iter().for_each(|value| teletex(value, None, w));
        }),
        ExtensionValue::PostalLines { printable: p, teletex: t } => w.constructed(Tag::SET, |w| {
            if let Some(lines) = p {
                w.constructed(Tag::SEQUENCE, |w| lines.iter().for_each(|line| printable(line, None, w)));
            }
            t.iter().for_each(|value| teletex(value, None, w));
        }),
        ExtensionValue::E163 { number, sub_address } => w.constructed(Tag::SEQUENCE, |w| {
            printable(number, Some(Tag::context(0)), w);
            sub_address.iter().for_each(|value| printable(value, Some(Tag::context(1)), w));
        }),
        ExtensionValue::Integer(value) => w.integer(Tag::INTEGER, *value),
        ExtensionValue::Opaque(raw) => w.raw(raw),
    }
}

/// The encoding of an extension attribute's value.
pub(super) fn encode_value(extension: &ExtensionAttribute) -> Vec<u8> {
    Writer::encode(|w| write_value(extension, w))
}

/// A value from its encoding, opaque if it is not of the shape that `number` promises.
pub(super) fn decode_any_value(number: i64, octets: &[u8]) -> ExtensionValue {
    let value = Reader::new(octets).any().map_err(DecodeError::from);
    let value = value.and_then(|tlv| decode_value(shape(number), &tlv));
    value.unwrap_or_else(|_| ExtensionValue::Opaque(octets.to_vec()))
}
