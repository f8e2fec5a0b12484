//! Address to written form.

use core::fmt::{self, Write};

use super::extension::{Composite, Shape, shape};
use super::keys::{self, Key, TERMINAL_TYPES};
use super::text_form::{doubled_type, write_component};
use super::{DomainDefinedAttribute, ExtensionAttribute, ExtensionValue, OrAddress, PersonalName};
use crate::text;

/// Order as recommended in F.401 Annex F: the person first, the country last. Reading it again gives an
/// address with the same [`OrAddress::canonical_key`], and the same address if all its strings are of the
/// types that [`OrAddress::parse`] chooses.
impl fmt::Display for OrAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Out { out: f, first: true };
        let name = self.any_personal_name();
        if let Some(name) = name {
            out.personal_name(name)?;
        }
        // Not the one that stands in a domain-defined attribute, which is written as such.
        out.optional(Key::CommonName, self.extension_text(&[1, 2, 24]))?;
        out.optional(Key::NetworkAddress, self.network_address.as_deref())?;
        out.optional(Key::TerminalIdentifier, self.terminal_identifier.as_deref())?;
        out.optional(Key::NumericUserIdentifier, self.numeric_user_identifier.as_deref())?;
        out.optional(Key::Organization, self.organization_name())?;
        for (number, unit) in (1u8..).zip(self.all_organizational_units()) {
            match number {
                1..=4 => out.write(Key::OrganizationalUnit(number), unit)?,
                _ => out.write(Key::NextOrganizationalUnit, unit)?,
            }
        }
        for (index, extension) in self.extensions.iter().enumerate() {
            if !self.is_printed_elsewhere(extension) {
                let again = self.extensions.iter().take(index).any(|e| is_same_key(e, extension));
                out.extension(extension, again)?;
            }
        }
        for dda in self.all_domain_defined() {
            out.domain_defined(dda)?;
        }
        out.optional(Key::Prmd, self.prmd.as_deref())?;
        out.optional(Key::Admd, self.admd.as_deref())?;
        out.optional(Key::Country, self.country.as_deref())
    }
}

impl OrAddress {
    /// Whether one of the accessors over all variants shows this attribute.
    fn is_printed_elsewhere(&self, extension: &ExtensionAttribute) -> bool {
        let chosen = |variants: &[i64], built_in: bool| {
            !built_in && variants.iter().find_map(|&n| self.extension(n)) == Some(extension)
        };
        match (extension.number, &extension.value) {
            (1 | 2 | 24, ExtensionValue::Text(_)) => chosen(&[1, 2, 24], false),
            (3 | 25, ExtensionValue::Text(_)) => chosen(&[3, 25], self.organization.is_some()),
            (4 | 26, ExtensionValue::PersonalName(_)) => chosen(&[4, 26], self.personal_name.is_some()),
            (5 | 27, ExtensionValue::Names(_)) => chosen(&[5, 27], !self.organizational_units.is_empty()),
            (6 | 28, ExtensionValue::DomainDefined(_)) => chosen(&[6, 28], !self.domain_defined.is_empty()),
            _ => false,
        }
    }
}

/// The number whose key stands for the attribute too: the universal postal attributes share those of the
/// others.
pub(super) fn base_number(number: i64) -> i64 {
    if (29..=40).contains(&number) { number - 19 } else { number }
}

fn is_same_key(a: &ExtensionAttribute, b: &ExtensionAttribute) -> bool {
    base_number(a.number) == base_number(b.number)
}

struct Out<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    first: bool,
}

impl Out<'_, '_> {
    fn raw(&mut self, key: &str, value: &str) -> fmt::Result {
        let first = core::mem::replace(&mut self.first, false);
        write_component(self.out, key, value, first)
    }

    fn write(&mut self, key: Key, value: &str) -> fmt::Result {
        self.raw(keys::spelling(key), value)
    }

    fn optional(&mut self, key: Key, value: Option<&str>) -> fmt::Result {
        match value {
            Some(value) if !value.is_empty() || key == Key::Admd => self.write(key, value),
            Some(_) | None => Ok(()),
        }
    }

    fn personal_name(&mut self, name: &PersonalName) -> fmt::Result {
        self.optional(Key::GivenName, name.given_name.as_deref())?;
        self.optional(Key::Initials, name.initials.as_deref())?;
        self.optional(Key::Surname, Some(&name.surname))?;
        self.optional(Key::Generation, name.generation_qualifier.as_deref())
    }

    fn domain_defined(&mut self, dda: &DomainDefinedAttribute) -> fmt::Result {
        let key = format!("{}:{}", keys::spelling(Key::DomainDefined), doubled_type(&dda.attribute_type));
        self.raw(&key, &dda.value)
    }

    /// `again`: a variant of the attribute has its key already.
    fn extension(&mut self, extension: &ExtensionAttribute, again: bool) -> fmt::Result {
        let number = extension.number;
        let key = u8::try_from(base_number(number)).ok().map(Key::Extension);
        let key = key.filter(|key| !again && !keys::spelling(*key).is_empty());
        match (&extension.value, key) {
            (ExtensionValue::Text(text), Some(key)) if !text.is_empty() && fits(number, text) => {
                self.write(key, text)
            }
            (ExtensionValue::Postal { printable: Some(p), teletex: None }, Some(key))
                if !p.is_empty() && text::is_printable(p) =>
            {
                self.write(key, p)
            }
            (ExtensionValue::Postal { printable: None, teletex: Some(t) }, Some(key))
                if !text::is_printable(t) =>
            {
                self.write(key, t)
            }
            (ExtensionValue::PostalLines { printable: Some(lines), teletex: None }, _)
                if !again
                    && lines.len() <= 6
                    && lines.iter().all(|l| !l.is_empty() && text::is_printable(l)) =>
            {
                (1u8..).zip(lines).try_for_each(|(n, line)| self.write(Key::PostalLine(n), line))
            }
            (ExtensionValue::E163 { number, sub_address }, _) if !again && !number.is_empty() => {
                self.write(Key::E163, number)?;
                self.optional(Key::E163SubAddress, sub_address.as_deref())
            }
            (ExtensionValue::Integer(value), _) if number == 23 && !again => {
                match TERMINAL_TYPES.iter().find(|(_, known)| known == value) {
                    Some((name, _)) => self.write(Key::TerminalType, name),
                    None => self.write(Key::TerminalType, &value.to_string()),
                }
            }
            (ExtensionValue::Text(text), _) if !text.starts_with('#') && is_text(number) => {
                self.raw(&format!("EXT:{number}"), text)
            }
            _ => {
                let mut value = String::from("#");
                value.write_str(&text::hex(&super::codec::encode_value(extension)))?;
                self.raw(&format!("EXT:{number}"), &value)
            }
        }
    }
}

/// Whether reading the text under the shared key chooses this variant again.
fn fits(number: i64, text: &str) -> bool {
    match shape(number) {
        Shape::Printable | Shape::NumericOrPrintable => true,
        Shape::Universal(Composite::Text) => !text::is_teletex(text),
        Shape::Universal(_)
        | Shape::Teletex(_)
        | Shape::PdsParameter
        | Shape::UnformattedPostal
        | Shape::NetworkAddress
        | Shape::Integer
        | Shape::Unknown => false,
    }
}

fn is_text(number: i64) -> bool {
    matches!(
        shape(number),
        Shape::Printable
            | Shape::NumericOrPrintable
            | Shape::Teletex(Composite::Text)
            | Shape::Universal(Composite::Text)
    )
}
