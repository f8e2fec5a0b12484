//! Strict checks of an address that a user of this MTA submits (X.402, MTSUpperBounds).

use super::extension::{ExtensionValue, Shape, shape};
use super::{OrAddress, PersonalName};
use crate::text;

/// Something that makes an address unfit for submission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Not of one of the four forms of X.402.
    #[error("the address is incomplete: {0}")]
    Incomplete(&'static str),
    /// A value that is too long, or too short.
    #[error("{attribute} has {length} characters; {min} to {max} are allowed")]
    Length {
        /// The attribute's name in X.411.
        attribute: &'static str,
        /// Its length.
        length: usize,
        /// The shortest allowed.
        min: usize,
        /// The longest allowed.
        max: usize,
    },
    /// A character that the attribute's string type does not have.
    #[error("{attribute} can't contain {character:?}")]
    Character {
        /// The attribute's name in X.411.
        attribute: &'static str,
        /// The first such character.
        character: char,
    },
    /// Too many values of one attribute.
    #[error("{attribute} has {count} values; {max} are allowed")]
    Count {
        /// The attribute's name in X.411.
        attribute: &'static str,
        /// How many there are.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
}

impl OrAddress {
    /// Checks that the address is of one of the forms of X.402 (mnemonic, numeric, postal or terminal) and
    /// within the upper bounds of X.411.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn validate_for_submission(&self) -> Result<(), Vec<AddressProblem>> {
        let mut check = Check { problems: Vec::new() };
        if let Some(what) = self.incompleteness() {
            check.problems.push(AddressProblem::Incomplete(what));
        }
        self.check_standard(&mut check);
        self.check_extensions(&mut check);
        if check.problems.is_empty() { Ok(()) } else { Err(check.problems) }
    }

    /// What is missing for each of the forms; `None` if the address is of one of them.
    fn incompleteness(&self) -> Option<&'static str> {
        let terminal = self.network_address.is_some() || self.extension(22).is_some();
        let domain = self.country.is_some() && self.admd.is_some();
        let mnemonic = self.prmd.is_some()
            || self.organization_name().is_some()
            || !self.all_organizational_units().is_empty()
            || self.any_personal_name().is_some()
            || self.common_name().is_some()
            || !self.all_domain_defined().is_empty();
        let postal = self.extension(8).is_some() && self.extension(9).is_some();
        if terminal || (domain && (mnemonic || self.numeric_user_identifier.is_some() || postal)) {
            return None;
        }
        Some(if self.country.is_none() {
            "country (C) is missing"
        } else if self.admd.is_none() {
            "administration domain (A) is missing; a blank one is written `A= `"
        } else {
            "only the administration domain is given; add at least one of P, O, OU1, S, CN, N-ID or DDA"
        })
    }

    fn check_standard(&self, check: &mut Check) {
        if let Some(country) = &self.country {
            check.length("country-name", country, 2, 3);
            let legal = match country.len() {
                3 => country.bytes().all(|c| c.is_ascii_digit()),
                _ => country.bytes().all(|c| c.is_ascii_alphabetic()),
            };
            if let (false, Some(character)) = (legal, country.chars().next()) {
                check.problems.push(AddressProblem::Character { attribute: "country-name", character });
            }
        }
        check.printable("administration-domain-name", self.admd.as_deref(), 0, 16);
        check.printable("private-domain-name", self.prmd.as_deref(), 1, 16);
        check.numeric("network-address", self.network_address.as_deref(), 16);
        check.printable("terminal-identifier", self.terminal_identifier.as_deref(), 1, 24);
        check.numeric("numeric-user-identifier", self.numeric_user_identifier.as_deref(), 32);
        check.printable("organization-name", self.organization.as_deref(), 1, 64);
        if let Some(name) = &self.personal_name {
            check.personal_name(name, false);
        }
        check.count("organizational-unit-names", self.organizational_units.len(), 4);
        for unit in &self.organizational_units {
            check.printable("organizational-unit-name", Some(unit), 1, 32);
        }
        check.count("domain-defined-attributes", self.domain_defined.len(), 4);
        for dda in &self.domain_defined {
            check.printable("domain-defined-attribute-type", Some(&dda.attribute_type), 1, 8);
            check.printable("domain-defined-attribute-value", Some(&dda.value), 1, 128);
        }
    }

    fn check_extensions(&self, check: &mut Check) {
        for extension in &self.extensions {
            let is_printable =
                matches!(shape(extension.number), Shape::Printable | Shape::NumericOrPrintable);
            let (attribute, max) = bound(extension.number);
            match &extension.value {
                ExtensionValue::Text(text) if is_printable => check.printable(attribute, Some(text), 1, max),
                ExtensionValue::Text(text) => check.length(attribute, text, 1, max),
                ExtensionValue::PersonalName(name) => check.personal_name(name, extension.number == 26),
                ExtensionValue::Names(names) => {
                    check.count(attribute, names.len(), 4);
                    names.iter().for_each(|name| check.length(attribute, name, 1, max));
                }
                ExtensionValue::DomainDefined(list) => {
                    check.count(attribute, list.len(), 4);
                    for dda in list {
                        check.length("domain-defined-attribute-type", &dda.attribute_type, 1, 8);
                        check.length("domain-defined-attribute-value", &dda.value, 1, 128);
                    }
                }
                ExtensionValue::Postal { printable, teletex } => {
                    check.printable(attribute, printable.as_deref(), 1, 30);
                    teletex.iter().for_each(|text| check.length(attribute, text, 1, 30));
                }
                ExtensionValue::PostalLines { printable, teletex } => {
                    let lines = printable.as_deref().unwrap_or_default();
                    check.count(attribute, lines.len(), 6);
                    lines.iter().for_each(|line| check.printable(attribute, Some(line), 1, 30));
                    teletex.iter().for_each(|text| check.length(attribute, text, 1, 180));
                }
                ExtensionValue::E163 { number, sub_address } => {
                    check.numeric(attribute, Some(number), 15);
                    check.numeric("sub-address", sub_address.as_deref(), 40);
                }
                ExtensionValue::Integer(_) | ExtensionValue::Opaque(_) => {}
            }
        }
    }
}

/// Name and upper bound of an extension attribute's strings.
fn bound(number: i64) -> (&'static str, usize) {
    match number {
        1 | 2 | 24 => ("common-name", 64),
        3 | 25 => ("organization-name", 64),
        5 | 27 => ("organizational-unit-name", 32),
        6 | 28 => ("domain-defined-attributes", 128),
        7 => ("pds-name", 16),
        8 => ("physical-delivery-country-name", 3),
        9 => ("postal-code", 16),
        16 | 35 => ("unformatted-postal-address", 180),
        22 => ("extended-network-address", 15),
        _ => ("postal attribute", 30),
    }
}

struct Check {
    problems: Vec<AddressProblem>,
}

impl Check {
    fn length(&mut self, attribute: &'static str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min || length > max {
            self.problems.push(AddressProblem::Length { attribute, length, min, max });
        }
    }

    fn count(&mut self, attribute: &'static str, count: usize, max: usize) {
        if count > max {
            self.problems.push(AddressProblem::Count { attribute, count, max });
        }
    }

    fn characters(&mut self, attribute: &'static str, value: &str, legal: fn(&str) -> bool) {
        let wrong = value.chars().find(|c| !legal(c.encode_utf8(&mut [0; 4])));
        if let Some(character) = wrong {
            self.problems.push(AddressProblem::Character { attribute, character });
        }
    }

    fn printable(&mut self, attribute: &'static str, value: Option<&str>, min: usize, max: usize) {
        if let Some(value) = value {
            self.length(attribute, value, min, max);
            self.characters(attribute, value, text::is_printable);
        }
    }

    fn numeric(&mut self, attribute: &'static str, value: Option<&str>, max: usize) {
        if let Some(value) = value {
            self.length(attribute, value, 1, max);
            self.characters(attribute, value, text::is_numeric);
        }
    }

    fn personal_name(&mut self, name: &PersonalName, universal: bool) {
        let bounds = if universal { [64, 40, 16, 16] } else { [40, 16, 5, 3] };
        let values = [
            ("surname", Some(&name.surname)),
            ("given-name", name.given_name.as_ref()),
            ("initials", name.initials.as_ref()),
            ("generation-qualifier", name.generation_qualifier.as_ref()),
        ];
        for ((attribute, value), max) in values.into_iter().zip(bounds) {
            if let Some(value) = value {
                self.length(attribute, value, 1, max);
            }
        }
    }
}
