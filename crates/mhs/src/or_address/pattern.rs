//! Address spaces: partial addresses for routing.

use core::fmt;
use std::str::FromStr;

use super::OrAddress;
use super::error::{AddressError, AddressErrorKind};
use super::keys::{self, Key};
use super::parse::key_of;
use super::text_form::{doubled_type, split, write_component};
use crate::text;

/// A partial address that stands for all addresses that agree with it, as in `P=BETA;A= ;C=GB` or
/// `O=*;C=GB`.
///
/// An attribute that is not given agrees with anything; `*` agrees with any value that is there, and as the
/// ADMD with any or none. A blank ADMD agrees with a blank, empty or absent one only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPattern {
    /// In the order of `LEVELS`.
    levels: [Option<Wanted>; LEVELS.len()],
    domain_defined: Vec<(String, Wanted)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    Exactly(String),
}

/// How closely a pattern describes an address: the larger, the closer. Attributes count in the order
/// country, ADMD, PRMD, organization, organizational units, common name, personal name, terminal
/// attributes, domain-defined attributes; in each, a value counts more than `*`, and `*` more than nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Specificity {
    levels: [u8; LEVELS.len()],
    domain_defined: (u8, u8),
}

/// Attributes that a pattern may have, the most significant first.
const LEVELS: [Key; 16] = [
    Key::Country,
    Key::Admd,
    Key::Prmd,
    Key::Organization,
    Key::OrganizationalUnit(1),
    Key::OrganizationalUnit(2),
    Key::OrganizationalUnit(3),
    Key::OrganizationalUnit(4),
    Key::CommonName,
    Key::Surname,
    Key::GivenName,
    Key::Initials,
    Key::Generation,
    Key::NetworkAddress,
    Key::TerminalIdentifier,
    Key::NumericUserIdentifier,
];

const ANY: u8 = 1;
const EXACT: u8 = 2;

impl AddressPattern {
    /// Reads the written form of a partial address.
    ///
    /// # Errors
    /// What is wrong and where. Postal attributes and other extension attributes can't be routed on.
    pub fn parse(text: &str) -> Result<AddressPattern, AddressError> {
        let mut pattern = AddressPattern::default();
        for component in split(text, |key| keys::find(key).is_some())? {
            let (mut key, rest) = key_of(&component)?;
            let wanted = match component.value.as_str() {
                "*" => Wanted::Any,
                // Folding makes a blank ADMD empty, which is what it is compared as.
                value => Wanted::Exactly(text::fold(value)),
            };
            if component.value.is_empty() && key != Key::Admd {
                continue;
            }
            if let (Key::DomainDefined, Some(attribute_type)) = (key, rest) {
                pattern.domain_defined.push((text::fold(attribute_type), wanted));
                continue;
            }
            if key == Key::NextOrganizationalUnit {
                let free = (1..=4).find(|&n| pattern.level(Key::OrganizationalUnit(n)).is_none());
                key = Key::OrganizationalUnit(free.unwrap_or(4));
            }
            let slot = LEVELS.iter().position(|level| *level == key);
            let slot = slot.and_then(|index| pattern.levels.get_mut(index));
            let slot = slot.ok_or_else(|| component.error(AddressErrorKind::UnknownKey))?;
            if slot.is_some() {
                return Err(component.error(AddressErrorKind::DuplicateKey));
            }
            *slot = Some(wanted);
        }
        // Attributes without values ask for nothing, and a pattern that asks for nothing would agree with everything.
        if pattern == AddressPattern::default() {
            return Err(AddressError { position: 0, key: String::new(), kind: AddressErrorKind::Empty });
        }
        Ok(pattern)
    }

    fn level(&self, key: Key) -> Option<&Wanted> {
        let index = LEVELS.iter().position(|level| *level == key)?;
        self.levels.get(index)?.as_ref()
    }

    /// How closely this pattern describes the addresses it agrees with.
    pub fn specificity(&self) -> Specificity {
        let mut specificity = Specificity::default();
        for (weight, wanted) in specificity.levels.iter_mut().zip(&self.levels) {
            *weight = match wanted {
                None => 0,
                Some(Wanted::Any) => ANY,
                Some(Wanted::Exactly(_)) => EXACT,
            };
        }
        for (_, wanted) in &self.domain_defined {
            let (exact, any) = &mut specificity.domain_defined;
            match wanted {
                Wanted::Exactly(_) => *exact = exact.saturating_add(1),
                Wanted::Any => *any = any.saturating_add(1),
            }
        }
        specificity
    }

    /// How closely this pattern describes `address`; `None` if they do not agree.
    pub fn matches(&self, address: &OrAddress) -> Option<Specificity> {
        let levels = LEVELS.iter().zip(&self.levels);
        for (key, wanted) in levels {
            let agrees = match wanted {
                None => true,
                Some(Wanted::Any) => *key == Key::Admd || value_of(address, *key).is_some(),
                Some(Wanted::Exactly(text)) => {
                    text::folds_to(value_of(address, *key).unwrap_or_default(), text)
                }
            };
            if !agrees {
                return None;
            }
        }
        let all_types = self.domain_defined.iter().all(|(attribute_type, wanted)| {
            address.all_domain_defined().iter().any(|dda| {
                text::folds_to(&dda.attribute_type, attribute_type)
                    && match wanted {
                        Wanted::Any => true,
                        Wanted::Exactly(value) => text::folds_to(&dda.value, value),
                    }
            })
        });
        all_types.then(|| self.specificity())
    }

    /// The one private domain whose addresses it agrees with, in the form of [`private_domain`]; `None` if it agrees with
    /// those of several, or of none.
    pub fn private_domain(&self) -> Option<&str> {
        match self.level(Key::Prmd)? {
            Wanted::Exactly(domain) => Some(domain),
            Wanted::Any => None,
        }
    }

    /// Whether there may be addresses with which both agree. False only if there are none.
    pub fn may_overlap(&self, other: &AddressPattern) -> bool {
        // Of domain-defined attributes an address may have several of one type, so they keep nothing apart.
        self.levels.iter().zip(&other.levels).all(|pair| match pair {
            (Some(Wanted::Exactly(one)), Some(Wanted::Exactly(another))) => one == another,
            (None | Some(Wanted::Any | Wanted::Exactly(_)), _) => true,
        })
    }
}

/// The private domain of an address in the form in which patterns compare it, if it has one.
pub fn private_domain(address: &OrAddress) -> Option<String> {
    value_of(address, Key::Prmd).map(text::fold)
}

/// The value of an attribute, whichever variant it is in; `None` if it is absent or empty.
fn value_of(address: &OrAddress, key: Key) -> Option<&str> {
    let name = || address.any_personal_name();
    let value = match key {
        Key::Country => address.country.as_deref(),
        Key::Admd => address.admd.as_deref(),
        Key::Prmd => address.prmd.as_deref(),
        Key::Organization => address.organization_name(),
        Key::OrganizationalUnit(n) => {
            let units = address.all_organizational_units();
            units.get(usize::from(n).saturating_sub(1)).map(String::as_str)
        }
        Key::CommonName => address.common_name(),
        Key::Surname => name().map(|name| name.surname.as_str()),
        Key::GivenName => name().and_then(|name| name.given_name.as_deref()),
        Key::Initials => name().and_then(|name| name.initials.as_deref()),
        Key::Generation => name().and_then(|name| name.generation_qualifier.as_deref()),
        Key::NetworkAddress => address.network_address.as_deref(),
        Key::TerminalIdentifier => address.terminal_identifier.as_deref(),
        Key::NumericUserIdentifier => address.numeric_user_identifier.as_deref(),
        Key::NextOrganizationalUnit
        | Key::DomainDefined
        | Key::E163
        | Key::E163SubAddress
        | Key::TerminalType
        | Key::PostalLine(_)
        | Key::Extension(_)
        | Key::AnyExtension => None,
    };
    value.filter(|value| !value.is_empty())
}

impl FromStr for AddressPattern {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        AddressPattern::parse(text)
    }
}

/// Upper case of a folded text, as far as it folds back to that text: `ß` and `µ` stay as they are.
fn upper_case(folded: &str) -> String {
    let mut out = String::with_capacity(folded.len());
    for c in folded.chars() {
        if c.to_uppercase().flat_map(char::to_lowercase).eq([c]) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// Values are shown as they are compared, but in upper case.
impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut write = |key: &str, wanted: &Wanted| {
            let value = match wanted {
                Wanted::Any => "*".to_owned(),
                Wanted::Exactly(value) if value.is_empty() => " ".to_owned(),
                Wanted::Exactly(value) => upper_case(value),
            };
            write_component(f, key, &value, core::mem::replace(&mut first, false))
        };
        for (attribute_type, wanted) in &self.domain_defined {
            let attribute_type = doubled_type(&upper_case(attribute_type));
            write(&format!("{}:{attribute_type}", keys::spelling(Key::DomainDefined)), wanted)?;
        }
        let mut levels: Vec<_> = LEVELS.iter().zip(&self.levels).collect();
        levels.reverse();
        for (key, wanted) in levels {
            if let Some(wanted) = wanted {
                write(keys::spelling(*key), wanted)?;
            }
        }
        Ok(())
    }
}
