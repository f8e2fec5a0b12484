//! O/R addresses on the wire (X.411 ORAddress).

use ber::{Reader, Tag, Tlv, Writer};

use super::extension::{Composite, Shape, shape};
use super::{DomainDefinedAttribute, ExtensionAttribute, ExtensionValue, OrAddress, PersonalName};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::text;

const COUNTRY: Tag = Tag::application(1);
const ADMD: Tag = Tag::application(2);

/// Elements of one list inside an address; far above every legal number.
const MAX_ELEMENTS: usize = 256;

/// Reads the components of an ORAddress from `reader`, which may stand inside an O/R name: what follows is
/// left.
pub(crate) fn decode_address(reader: &mut Reader<'_>) -> Result<OrAddress, DecodeError> {
    let mut address = OrAddress::default();
    let standard = reader.expect(Tag::SEQUENCE).field("built-in-standard-attributes")?;
    decode_standard(&standard, &mut address).field("built-in-standard-attributes")?;
    if let Some(list) = reader.optional(Tag::SEQUENCE)? {
        address.domain_defined = decode_list(&list, |tlv| decode_domain_defined(tlv, text::decode))
            .field("built-in-domain-defined-attributes")?;
    }
    if let Some(set) = reader.optional(Tag::SET)? {
        address.extensions = decode_list(&set, decode_extension).field("extension-attributes")?;
    }
    Ok(address)
}

fn decode_standard(tlv: &Tlv<'_>, address: &mut OrAddress) -> Result<(), DecodeError> {
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        match member.tag {
            COUNTRY => address.country = Some(decode_choice(&member).field("country-name")?),
            ADMD => address.admd = Some(decode_choice(&member).field("administration-domain-name")?),
            tag if tag == Tag::context(0) => {
                address.network_address = Some(text::decode(&member).field("network-address")?);
            }
            tag if tag == Tag::context(1) => {
                address.terminal_identifier = Some(text::decode(&member).field("terminal-identifier")?);
            }
            tag if tag == Tag::context(2) => {
                address.prmd = Some(decode_choice(&member).field("private-domain-name")?);
            }
            tag if tag == Tag::context(3) => {
                address.organization = Some(text::decode(&member).field("organization-name")?);
            }
            tag if tag == Tag::context(4) => {
                address.numeric_user_identifier =
                    Some(text::decode(&member).field("numeric-user-identifier")?);
            }
            tag if tag == Tag::context(5) => {
                let name = decode_personal_name(&member, text::decode).field("personal-name")?;
                address.personal_name = Some(name);
            }
            tag if tag == Tag::context(6) => {
                address.organizational_units =
                    decode_list(&member, text::decode).field("organizational-unit-names")?;
            }
            // Not an attribute of X.411: kept in the encoding of the name, of no use in the address.
            _ => {}
        }
    }
    Ok(())
}

/// A CHOICE of strings under an explicit tag; tolerated without the inner tag.
fn decode_choice(tlv: &Tlv<'_>) -> Result<String, DecodeError> {
    if tlv.constructed { text::decode(&tlv.explicit()?) } else { text::decode(tlv) }
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

fn decode_personal_name(
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<String, DecodeError>,
) -> Result<PersonalName, DecodeError> {
    let mut name = PersonalName::default();
    let mut reader = tlv.reader()?;
    while let Some(member) = reader.next()? {
        let value = string(&member)?;
        match member.tag {
            tag if tag == Tag::context(0) => name.surname = value,
            tag if tag == Tag::context(1) => name.given_name = Some(value),
            tag if tag == Tag::context(2) => name.initials = Some(value),
            tag if tag == Tag::context(3) => name.generation_qualifier = Some(value),
            _ => {}
        }
    }
    Ok(name)
}

fn decode_domain_defined(
    tlv: &Tlv<'_>,
    string: impl Fn(&Tlv<'_>) -> Result<String, DecodeError>,
) -> Result<DomainDefinedAttribute, DecodeError> {
    let mut reader = tlv.reader()?;
    let attribute_type = string(&reader.any().field("type")?).field("type")?;
    let value = string(&reader.any().field("value")?).field("value")?;
    Ok(DomainDefinedAttribute { attribute_type, value })
}

fn decode_extension(tlv: &Tlv<'_>) -> Result<ExtensionAttribute, DecodeError> {
    let mut reader = tlv.reader()?;
    let number = reader.expect(Tag::context(0)).field("extension-attribute-type")?;
    let number = number.integer().field("extension-attribute-type")?;
    let value = reader.expect(Tag::context(1)).field("extension-attribute-value")?;
    let value = value.explicit().field("extension-attribute-value")?;
    // A value that is not of the shape its number promises is relayed, not refused.
    let value =
        decode_value(shape(number), &value).unwrap_or_else(|_| ExtensionValue::Opaque(value.raw.to_vec()));
    Ok(ExtensionAttribute { number, value })
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
        Composite::PersonalName => ExtensionValue::PersonalName(decode_personal_name(tlv, string)?),
        Composite::Names => ExtensionValue::Names(decode_list(tlv, string)?),
        Composite::DomainDefined => {
            ExtensionValue::DomainDefined(decode_list(tlv, |tlv| decode_domain_defined(tlv, &string))?)
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
