//! Written form to address.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::error::{AddressError, AddressErrorKind};
use super::extension::{Composite, Shape, shape};
use super::keys::{self, Key, TERMINAL_TYPES};
use super::text_form::{self, Component};
use super::{DomainDefinedAttribute, ExtensionAttribute, ExtensionValue, OrAddress, PersonalName};
use crate::text;

impl OrAddress {
    /// Reads the written form; see [`OrAddress`].
    ///
    /// # Errors
    /// What is wrong and where. Bounds and completeness are not checked: see
    /// [`OrAddress::validate_for_submission`].
    pub fn parse(text: &str) -> Result<OrAddress, AddressError> {
        let mut builder = Builder::default();
        for component in text_form::split(text, |key| keys::find(key).is_some())? {
            builder.add(&component)?;
        }
        builder.finish()
    }
}

impl FromStr for OrAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        OrAddress::parse(text)
    }
}

/// Looks up the key of a component and its part behind the colon.
pub(super) fn key_of(component: &Component) -> Result<(Key, Option<&str>), AddressError> {
    let (name, rest) = match component.key.split_once(':') {
        Some((name, rest)) => (name, Some(rest.trim())),
        None => (component.key.as_str(), None),
    };
    let key = keys::find(&name.trim().to_ascii_uppercase());
    let key = key.ok_or_else(|| component.error(AddressErrorKind::UnknownKey))?;
    match (key, rest) {
        (Key::DomainDefined, None | Some("")) => Err(component.error(AddressErrorKind::NoDomainDefinedType)),
        (Key::DomainDefined | Key::AnyExtension, Some(_)) => Ok((key, rest)),
        (_, None) if key != Key::AnyExtension => Ok((key, None)),
        _ => Err(component.error(AddressErrorKind::UnknownKey)),
    }
}

#[derive(Default)]
struct Builder {
    address: OrAddress,
    seen: BTreeSet<(Key, Option<String>)>,
    name: PersonalName,
    name_at: Option<Component>,
    units: [Option<String>; 4],
    units_at: Option<Component>,
    lines: [Option<String>; 6],
    number: Option<String>,
    sub_address: Option<String>,
    domain_defined: Vec<DomainDefinedAttribute>,
    organization: Option<String>,
    common_name: Option<String>,
}

impl Builder {
    fn add(&mut self, component: &Component) -> Result<(), AddressError> {
        let (mut key, rest) = key_of(component)?;
        let value = component.value.clone();
        // An attribute without value is an absent one, but for the ADMD, which may be empty.
        if value.is_empty() && key != Key::Admd && key != Key::DomainDefined && key != Key::AnyExtension {
            return Ok(());
        }
        if key == Key::NextOrganizationalUnit {
            let free = (1..=4).find(|n| self.units.get(usize::from(n - 1)).is_some_and(Option::is_none));
            key = Key::OrganizationalUnit(free.unwrap_or(4));
        }
        if key != Key::DomainDefined && !self.seen.insert((key, rest.map(str::to_owned))) {
            return Err(component.error(AddressErrorKind::DuplicateKey));
        }
        let text = Some(value.clone());
        match key {
            Key::Country => self.address.country = text,
            Key::Admd => self.address.admd = text,
            Key::Prmd => self.address.prmd = text,
            Key::Organization => self.organization = text,
            Key::OrganizationalUnit(n) => {
                if let Some(unit) = self.units.get_mut(usize::from(n).saturating_sub(1)) {
                    *unit = text;
                }
                self.units_at = Some(component.clone());
            }
            // Has become one of the numbered ones.
            Key::NextOrganizationalUnit => {}
            Key::CommonName => self.common_name = text,
            Key::Surname => self.name.surname = value,
            Key::GivenName => self.name.given_name = text,
            Key::Initials => self.name.initials = text,
            Key::Generation => self.name.generation_qualifier = text,
            Key::NetworkAddress => self.address.network_address = text,
            Key::TerminalIdentifier => self.address.terminal_identifier = text,
            Key::NumericUserIdentifier => self.address.numeric_user_identifier = text,
            Key::DomainDefined => {
                let attribute_type = rest.unwrap_or_default().to_owned();
                self.domain_defined.push(DomainDefinedAttribute { attribute_type, value });
            }
            Key::E163 => self.number = text,
            Key::E163SubAddress => self.sub_address = text,
            Key::TerminalType => {
                let number = terminal_type(&value);
                let number =
                    number.ok_or_else(|| component.error(AddressErrorKind::Value("a terminal type")))?;
                self.extend(23, ExtensionValue::Integer(number));
            }
            Key::PostalLine(n) => {
                if let Some(line) = self.lines.get_mut(usize::from(n).saturating_sub(1)) {
                    *line = text;
                }
            }
            Key::Extension(number) => self.extend_text(number, value),
            Key::AnyExtension => self.any_extension(component, rest.unwrap_or_default())?,
        }
        if matches!(key, Key::Surname | Key::GivenName | Key::Initials | Key::Generation) {
            self.name_at.get_or_insert_with(|| component.clone());
        }
        Ok(())
    }

    fn extend(&mut self, number: i64, value: ExtensionValue) {
        self.address.extensions.push(ExtensionAttribute { number, value });
    }

    /// One of the attributes with a key of their own: 7 to 15 and 17 to 21.
    fn extend_text(&mut self, number: u8, value: String) {
        let number = i64::from(number);
        let value = match shape(number) {
            Shape::PdsParameter if text::is_printable(&value) => {
                ExtensionValue::Postal { printable: Some(value), teletex: None }
            }
            Shape::PdsParameter if text::is_teletex(&value) => {
                ExtensionValue::Postal { printable: None, teletex: Some(value) }
            }
            Shape::PdsParameter => {
                // The universal variant of n is n + 19: 10 and 29, 21 and 40.
                return self.extend(number + 19, ExtensionValue::Text(value));
            }
            Shape::Printable
            | Shape::NumericOrPrintable
            | Shape::Teletex(_)
            | Shape::Universal(_)
            | Shape::UnformattedPostal
            | Shape::NetworkAddress
            | Shape::Integer
            | Shape::Unknown => ExtensionValue::Text(value),
        };
        self.extend(number, value);
    }

    /// `EXT:n=text` for attributes of one text, `EXT:n=#hexadecimal` for the encoding of any value.
    fn any_extension(&mut self, component: &Component, number: &str) -> Result<(), AddressError> {
        let number: i64 = number
            .parse()
            .map_err(|_| component.error(AddressErrorKind::Value("numbered: EXT:number=value")))?;
        let is_text = matches!(
            shape(number),
            Shape::Printable
                | Shape::NumericOrPrintable
                | Shape::Teletex(Composite::Text)
                | Shape::Universal(Composite::Text)
        );
        let value = match component.value.strip_prefix('#') {
            Some(hex) => {
                let octets = from_hex(hex).filter(|octets| is_one_encoding(octets));
                let wrong =
                    || component.error(AddressErrorKind::Value("the hexadecimal form of one encoding"));
                super::codec::decode_any_value(number, &octets.ok_or_else(wrong)?)
            }
            None if is_text => ExtensionValue::Text(component.value.clone()),
            None => return Err(component.error(AddressErrorKind::Value("`#` and hexadecimal digits"))),
        };
        self.extend(number, value);
        Ok(())
    }

    fn finish(mut self) -> Result<OrAddress, AddressError> {
        self.finish_names()?;
        if let Some(name) = self.organization.take() {
            if text::is_printable(&name) {
                self.address.organization = Some(name);
            } else {
                self.variant(text::is_teletex(&name), 3, 25, ExtensionValue::Text(name));
            }
        }
        if let Some(name) = self.common_name.take() {
            if text::is_printable(&name) {
                self.extend(1, ExtensionValue::Text(name));
            } else {
                self.variant(text::is_teletex(&name), 2, 24, ExtensionValue::Text(name));
            }
        }
        let list = core::mem::take(&mut self.domain_defined);
        let texts: Vec<String> =
            list.iter().flat_map(|dda| [dda.attribute_type.clone(), dda.value.clone()]).collect();
        if texts.iter().all(|text| text::is_printable(text)) {
            self.address.domain_defined = list;
        } else {
            self.variant(all_teletex(&texts), 6, 28, ExtensionValue::DomainDefined(list));
        }
        if let Some(number) = self.number.take() {
            let sub_address = self.sub_address.take();
            self.extend(22, ExtensionValue::E163 { number, sub_address });
        }
        let lines: Vec<String> = core::mem::take(&mut self.lines).into_iter().flatten().collect();
        if !lines.is_empty() {
            let value = if lines.iter().all(|line| text::is_printable(line)) {
                ExtensionValue::PostalLines { printable: Some(lines), teletex: None }
            } else {
                ExtensionValue::PostalLines { printable: None, teletex: Some(lines.join("\r\n")) }
            };
            self.extend(16, value);
        }
        // The order is of no meaning; a fixed one makes equal texts equal addresses.
        self.address.extensions.sort_by_key(|extension| extension.number);
        // Attributes without values, as in `S=`, are none.
        if self.address.is_empty() {
            return Err(AddressError { position: 0, key: String::new(), kind: AddressErrorKind::Empty });
        }
        Ok(self.address)
    }

    fn finish_names(&mut self) -> Result<(), AddressError> {
        if let Some(at) = self.name_at.take() {
            if self.name.surname.is_empty() {
                return Err(at.error(AddressErrorKind::NoSurname));
            }
            let name = core::mem::take(&mut self.name);
            let mut texts = vec![name.surname.clone()];
            texts.extend(
                [&name.given_name, &name.initials, &name.generation_qualifier].into_iter().flatten().cloned(),
            );
            if texts.iter().all(|text| text::is_printable(text)) {
                self.address.personal_name = Some(name);
            } else {
                self.variant(all_teletex(&texts), 4, 26, ExtensionValue::PersonalName(name));
            }
        }
        if let Some(at) = self.units_at.take() {
            let gap = self.units.iter().position(Option::is_none);
            let last = self.units.iter().rposition(Option::is_some);
            if let (Some(gap), Some(last)) = (gap, last)
                && gap < last
            {
                return Err(at.error(AddressErrorKind::OrganizationalUnitGap(gap + 1)));
            }
            let units: Vec<String> = core::mem::take(&mut self.units).into_iter().flatten().collect();
            if units.iter().all(|text| text::is_printable(text)) {
                self.address.organizational_units = units;
            } else {
                self.variant(all_teletex(&units), 5, 27, ExtensionValue::Names(units));
            }
        }
        Ok(())
    }

    /// Adds the teletex variant if it can hold the value, else the universal one.
    fn variant(&mut self, can_be_teletex: bool, teletex: i64, universal: i64, value: ExtensionValue) {
        self.extend(if can_be_teletex { teletex } else { universal }, value);
    }
}

fn all_teletex(texts: &[String]) -> bool {
    texts.iter().all(|text| text::is_teletex(text))
}

fn terminal_type(value: &str) -> Option<i64> {
    let named = TERMINAL_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
    named.map(|(_, number)| *number).or_else(|| value.parse().ok())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect())
}

fn is_one_encoding(octets: &[u8]) -> bool {
    let mut reader = ber::Reader::new(octets);
    matches!(reader.next(), Ok(Some(_))) && reader.is_empty()
}
