//! O/R addresses and names (X.402, X.411) and their written form (F.401 Annex F, known as RFC 1685).
//!
//! [`OrAddress`] is the address taken apart; [`OrName`] is what stands on the wire and keeps its octets.
//! Values are text whatever string type they came in, since that is how addresses are compared and written.

mod canonical;
pub(crate) mod codec;
mod downgrade;
mod error;
mod extension;
mod keys;
mod name;
mod parse;
mod pattern;
mod print;
pub(crate) mod text_form;
mod validate;

pub use downgrade::LostAttribute;
pub use error::{AddressError, AddressErrorKind};
pub use extension::{ExtensionAttribute, ExtensionValue};
pub(crate) use name::OR_NAME;
pub use name::OrName;
pub use pattern::{AddressPattern, Specificity, private_domain};
pub use validate::AddressProblem;

/// An O/R address taken apart into its attributes.
///
/// Written as in F.401 Annex F: `S=operations;O=Acme;P=ALPHA;A= ;C=GB`. [`str::parse`] takes the attributes
/// in any order, keys in any case, `;` or a leading `/` as the separator. A value that is no
/// PrintableString is put into the teletex variant of the attribute, or the universal one if T.61 lacks a
/// character of it.
///
/// `==` compares attribute by attribute; [`OrAddress::canonical_key`] says whether two addresses mean the
/// same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrAddress {
    /// Two letters (ISO 3166) or three digits (X.121).
    pub country: Option<String>,
    /// Administration domain; a single space stands for any.
    pub admd: Option<String>,
    /// X.121 network address.
    pub network_address: Option<String>,
    /// Terminal identifier.
    pub terminal_identifier: Option<String>,
    /// Private domain.
    pub prmd: Option<String>,
    /// Organization.
    pub organization: Option<String>,
    /// Numeric user identifier.
    pub numeric_user_identifier: Option<String>,
    /// Personal name.
    pub personal_name: Option<PersonalName>,
    /// Organizational units, the most significant first; four at most are legal.
    pub organizational_units: Vec<String>,
    /// Domain-defined attributes, in order; four at most are legal.
    pub domain_defined: Vec<DomainDefinedAttribute>,
    /// Extension attributes, in the order in which they stand.
    pub extensions: Vec<ExtensionAttribute>,
}

/// A personal name; the surname is mandatory but may be empty in what was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalName {
    /// Surname.
    pub surname: String,
    /// Given name.
    pub given_name: Option<String>,
    /// Initials, all but the surname's.
    pub initials: Option<String>,
    /// Generation qualifier, such as `Jr`.
    pub generation_qualifier: Option<String>,
}

/// A domain-defined attribute, such as type `RFC-822` with an Internet address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainDefinedAttribute {
    /// Type; the domain says which there are.
    pub attribute_type: String,
    /// Value.
    pub value: String,
}

impl OrAddress {
    /// The common name, whichever variant it is in: also as the domain-defined attribute `common`, which it becomes on
    /// its way through 1984 (RFC 1328).
    pub fn common_name(&self) -> Option<&str> {
        self.extension_text(&[1, 2, 24])
            .or_else(|| self.common_name_of_1984().map(|attribute| attribute.value.as_str()))
    }

    /// The organization, whichever variant it is in.
    pub fn organization_name(&self) -> Option<&str> {
        self.organization.as_deref().or_else(|| self.extension_text(&[3, 25]))
    }

    /// The personal name, whichever variant it is in.
    pub fn any_personal_name(&self) -> Option<&PersonalName> {
        self.personal_name.as_ref().or_else(|| {
            [4, 26].into_iter().find_map(|number| match &self.extension(number)?.value {
                ExtensionValue::PersonalName(name) => Some(name),
                ExtensionValue::Text(_)
                | ExtensionValue::Names(_)
                | ExtensionValue::DomainDefined(_)
                | ExtensionValue::Postal { .. }
                | ExtensionValue::PostalLines { .. }
                | ExtensionValue::E163 { .. }
                | ExtensionValue::Integer(_)
                | ExtensionValue::Opaque(_) => None,
            })
        })
    }

    /// The organizational units, whichever variant they are in.
    pub fn all_organizational_units(&self) -> &[String] {
        if !self.organizational_units.is_empty() {
            return &self.organizational_units;
        }
        let variants = [5, 27].into_iter();
        variants.filter_map(|n| self.extension(n)?.value.as_names()).next().unwrap_or_default()
    }

    /// The domain-defined attributes, whichever variant they are in.
    pub fn all_domain_defined(&self) -> &[DomainDefinedAttribute] {
        if !self.domain_defined.is_empty() {
            return &self.domain_defined;
        }
        let variants = [6, 28].into_iter();
        variants.filter_map(|n| self.extension(n)?.value.as_domain_defined()).next().unwrap_or_default()
    }

    /// The first extension attribute with this number.
    pub fn extension(&self, number: i64) -> Option<&ExtensionAttribute> {
        self.extensions.iter().find(|extension| extension.number == number)
    }

    fn extension_text(&self, numbers: &[i64]) -> Option<&str> {
        numbers.iter().find_map(|&number| self.extension(number)?.value.as_text())
    }

    /// Whether no attribute is there at all.
    pub fn is_empty(&self) -> bool {
        *self == OrAddress::default()
    }
}
