//! O/R names as 1984 knows them: standard and domain-defined attributes alone.
//!
//! The names of 1988 that have a printable spelling go where 1984 has them; the common name becomes the
//! domain-defined attribute `common` (RFC 1328). The terminal type is left out, since 1984 takes it from the network
//! address. Postal attributes, telephone numbers as addresses and what nobody knows have no place in 1984.

use ber::{Reader, Tag};

use super::{DomainDefinedAttribute, ExtensionValue, OrAddress, OrName, PersonalName};
use crate::text;

/// An attribute that tells whom an address means and that 1984 can't express.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("1984 has no place for its {name}")]
pub struct LostAttribute {
    /// Number of the extension attribute in X.411.
    pub number: i64,
    /// Its name, as far as people know it.
    pub name: &'static str,
}

/// Type of the domain-defined attribute that holds a common name; case does not matter.
const COMMON: &str = "common";
/// ub-domain-defined-attributes.
const MAX_DOMAIN_DEFINED: usize = 4;
/// ub-domain-defined-attribute-value-length.
const MAX_VALUE: usize = 128;

impl OrAddress {
    /// The common name that stands in a domain-defined attribute, as it does after a way through 1984.
    pub(super) fn common_name_of_1984(&self) -> Option<&DomainDefinedAttribute> {
        self.all_domain_defined().iter().find(|dda| is_common(dda))
    }

    /// The same address as 1984 would write it.
    ///
    /// # Errors
    /// The first attribute without which it would be another address.
    pub fn to_1984(&self) -> Result<OrAddress, LostAttribute> {
        let (address, lost) = self.without_extensions();
        match lost {
            Some(lost) => Err(lost),
            None => Ok(address),
        }
    }

    /// The address in 1984 form, and the first attribute that was lost on the way.
    fn without_extensions(&self) -> (OrAddress, Option<LostAttribute>) {
        let mut address = OrAddress { extensions: Vec::new(), ..self.clone() };
        let mut lost = None;
        for extension in &self.extensions {
            let (name, kept) = match (extension.number, &extension.value) {
                (1 | 2 | 24, ExtensionValue::Text(_)) => {
                    ("common name", self.common_name().is_some_and(|common| address.add_common(common)))
                }
                (3 | 25, ExtensionValue::Text(organization)) => {
                    ("organization name", put(&mut address.organization, organization, 64))
                }
                (4 | 26, ExtensionValue::PersonalName(personal)) => {
                    let fits = address.personal_name.is_some() || is_1984_name(personal);
                    if fits && address.personal_name.is_none() {
                        address.personal_name = Some(personal.clone());
                    }
                    ("personal name", fits)
                }
                (5 | 27, ExtensionValue::Names(units)) => {
                    let has_units = !address.organizational_units.is_empty();
                    let fits =
                        has_units || units.len() <= 4 && units.iter().all(|unit| is_1984_text(unit, 32));
                    if fits && !has_units {
                        address.organizational_units.clone_from(units);
                    }
                    ("organizational unit names", fits)
                }
                (6 | 28, ExtensionValue::DomainDefined(list)) => {
                    ("domain-defined attributes", address.add_domain_defined(list))
                }
                (23, _) => ("terminal type", true),
                (7..=21 | 29..=40, _) => ("postal attributes", false),
                (22, _) => ("extended network address", false),
                _ => ("extension attribute", false),
            };
            if !kept && lost.is_none() {
                lost = Some(LostAttribute { number: extension.number, name });
            }
        }
        (address, lost)
    }

    /// Adds the common name as a domain-defined attribute, once; false if there is no place for it.
    fn add_common(&mut self, common: &str) -> bool {
        if let Some(there) = self.domain_defined.iter().find(|dda| is_common(dda)) {
            return text::fold(&there.value) == text::fold(common);
        }
        let fits = is_1984_text(common, MAX_VALUE) && self.domain_defined.len() < MAX_DOMAIN_DEFINED;
        if fits {
            let attribute = DomainDefinedAttribute { attribute_type: COMMON.into(), value: common.into() };
            self.domain_defined.push(attribute);
        }
        fits
    }

    /// Takes the domain-defined attributes of a variant if there are none but the common name yet.
    fn add_domain_defined(&mut self, list: &[DomainDefinedAttribute]) -> bool {
        if self.domain_defined.iter().any(|dda| !is_common(dda)) {
            return true;
        }
        let printable = |dda: &DomainDefinedAttribute| {
            is_1984_text(&dda.attribute_type, 8) && is_1984_text(&dda.value, MAX_VALUE)
        };
        let fits = list.iter().all(printable) && self.domain_defined.len() + list.len() <= MAX_DOMAIN_DEFINED;
        if fits {
            self.domain_defined.extend_from_slice(list);
        }
        fits
    }
}

fn is_common(dda: &DomainDefinedAttribute) -> bool {
    dda.attribute_type.trim().eq_ignore_ascii_case(COMMON)
}

fn is_1984_text(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text::is_printable(text)
}

fn is_1984_name(name: &PersonalName) -> bool {
    let optional = |part: &Option<String>, max| part.as_ref().is_none_or(|part| is_1984_text(part, max));
    is_1984_text(&name.surname, 40)
        && optional(&name.given_name, 16)
        && optional(&name.initials, 5)
        && optional(&name.generation_qualifier, 3)
}

/// Fills an attribute that is not there yet; false if the text does not fit.
fn put(place: &mut Option<String>, text: &str, max: usize) -> bool {
    let fits = place.is_some() || is_1984_text(text, max);
    if fits && place.is_none() {
        *place = Some(text.to_owned());
    }
    fits
}

impl OrName {
    /// The same name as 1984 would write it, without the directory name. Octet for octet as it came if it has nothing
    /// that 1984 does not know.
    ///
    /// # Errors
    /// The first attribute without which it would be another name.
    pub fn to_1984(&self) -> Result<OrName, LostAttribute> {
        if self.is_1984() {
            return Ok(self.clone());
        }
        self.address().to_1984().map(OrName::new)
    }

    /// The same for a name that nothing is sent to: what 1984 can't express is left out.
    #[must_use]
    pub fn to_1984_in_part(&self) -> OrName {
        if self.is_1984() {
            return self.clone();
        }
        OrName::new(self.address().without_extensions().0)
    }

    /// Whether 1984 knows all there is in the name.
    pub fn is_1984(&self) -> bool {
        if !self.address().extensions.is_empty() || self.directory_name().is_some() {
            return false;
        }
        let Some(raw) = self.raw() else { return true };
        let mut top = Reader::new(raw);
        let Ok(mut members) = top.any().and_then(|name| name.reader()) else { return false };
        let standard = members.expect(Tag::SEQUENCE);
        standard.is_ok() && members.optional(Tag::SEQUENCE).is_ok() && members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn downgraded(text: &str) -> Result<String, i64> {
        let address: OrAddress = text.parse().unwrap();
        address.to_1984().map(|address| address.to_string()).map_err(|lost| lost.number)
    }

    #[test]
    fn attributes_of_1984_stay() {
        for text in [
            "S=operations;O=Acme;P=ALPHA;A= ;C=GB",
            "DDA:RFC-822=a(a)b.example;P=ALPHA;A= ;C=GB",
            "X.121=234123456;T-ID=X;C=GB;A=GOLD",
            "N-ID=123;A=GOLD;C=GB",
        ] {
            let address: OrAddress = text.parse().unwrap();
            assert_eq!(address.to_1984(), Ok(address.clone()), "{text}");
        }
    }

    #[test]
    fn what_has_a_printable_spelling_moves() {
        let address: OrAddress = "CN=Postmaster;O=A;A=B;C=GB".parse().unwrap();
        let old = address.to_1984().unwrap();
        assert!(old.extensions.is_empty());
        assert_eq!(old.domain_defined[0].attribute_type, "common");
        assert_eq!(old.domain_defined[0].value, "Postmaster");
        // Both are the same address, so a reply finds its way.
        assert_eq!(old.canonical_key(), address.canonical_key());
        assert_eq!(old.common_name(), Some("Postmaster"));
        // Doing it again changes nothing.
        assert_eq!(old.to_1984(), Ok(old.clone()));
        let both: OrAddress = "CN=Postmaster;DDA:Common=postmaster;A=B;C=GB".parse().unwrap();
        assert_eq!(both.to_1984().unwrap().domain_defined.len(), 1);
    }

    #[test]
    fn what_has_no_place_is_named() {
        assert_eq!(downgraded("CN=Größe;O=A;A=B;C=GB"), Err(2));
        assert_eq!(downgraded("O=Größe;A=B;C=GB"), Err(3));
        assert_eq!(downgraded("S=Müller;A=B;C=GB"), Err(4));
        let full = "CN=x;DDA:a=1;DDA:b=2;DDA:c=3;DDA:d=4;A=B;C=GB";
        assert_eq!(downgraded(full), Err(1));
        assert_eq!(downgraded("CN=x;DDA:common=y;A=B;C=GB"), Err(1));
        let mut postal: OrAddress = "S=x;A=B;C=GB".parse().unwrap();
        let value = ExtensionValue::Text("AB1 2CD".into());
        postal.extensions.push(super::super::ExtensionAttribute { number: 9, value });
        assert_eq!(postal.to_1984().unwrap_err().number, 9);
        // Where nothing is sent to it, the rest is good enough.
        assert_eq!(OrName::new(postal).to_1984_in_part().to_string(), "S=x;A=B;C=GB");
    }

    #[test]
    fn a_terminal_type_is_left_out() {
        let mut terminal: OrAddress = "X.121=234123456;A=B;C=GB".parse().unwrap();
        let plain = terminal.clone();
        let value = ExtensionValue::Integer(3);
        terminal.extensions.push(super::super::ExtensionAttribute { number: 23, value });
        assert_eq!(terminal.to_1984(), Ok(plain));
    }
}
