//! Extension attributes of an O/R address (X.411 ExtensionAttributeTable).

use super::{DomainDefinedAttribute, PersonalName};

/// An extension attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionAttribute {
    /// Number in X.411, 1 to 40 so far.
    pub number: i64,
    /// Its value; the number says in which string type it stands on the wire.
    pub value: ExtensionValue,
}

/// Value of an extension attribute, by shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionValue {
    /// One string: names and, in the universal variant, postal parameters.
    Text(String),
    /// 4 and 26.
    PersonalName(PersonalName),
    /// Organizational units: 5 and 27.
    Names(Vec<String>),
    /// 6 and 28.
    DomainDefined(Vec<DomainDefinedAttribute>),
    /// PDSParameter: one text in one or two variants.
    Postal {
        /// As PrintableString.
        printable: Option<String>,
        /// As TeletexString.
        teletex: Option<String>,
    },
    /// Unformatted postal address: 16.
    PostalLines {
        /// Lines as PrintableString, six at most; `None` if that member is absent.
        printable: Option<Vec<String>>,
        /// All lines as TeletexString.
        teletex: Option<String>,
    },
    /// Telephone or ISDN number: 22, first alternative.
    E163 {
        /// Number.
        number: String,
        /// Sub-address.
        sub_address: Option<String>,
    },
    /// Terminal type: 23.
    Integer(i64),
    /// A value that this MTA does not take apart, as its encoding.
    Opaque(Vec<u8>),
}

impl ExtensionValue {
    /// The text, if the value is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            ExtensionValue::Text(text) => Some(text),
            ExtensionValue::Postal { printable, teletex } => printable.as_deref().or(teletex.as_deref()),
            ExtensionValue::PersonalName(_)
            | ExtensionValue::Names(_)
            | ExtensionValue::DomainDefined(_)
            | ExtensionValue::PostalLines { .. }
            | ExtensionValue::E163 { .. }
            | ExtensionValue::Integer(_)
            | ExtensionValue::Opaque(_) => None,
        }
    }

    pub(crate) fn as_names(&self) -> Option<&[String]> {
        if let ExtensionValue::Names(names) = self { Some(names) } else { None }
    }

    pub(crate) fn as_domain_defined(&self) -> Option<&[DomainDefinedAttribute]> {
        if let ExtensionValue::DomainDefined(list) = self { Some(list) } else { None }
    }
}

/// Shape of an extension attribute's value on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// PrintableString.
    Printable,
    /// CHOICE of NumericString and PrintableString.
    NumericOrPrintable,
    Teletex(Composite),
    Universal(Composite),
    PdsParameter,
    UnformattedPostal,
    NetworkAddress,
    Integer,
    Unknown,
}

/// What is made of strings of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Composite {
    Text,
    PersonalName,
    Names,
    DomainDefined,
}

/// The shape of attribute `number`.
pub(crate) fn shape(number: i64) -> Shape {
    match number {
        1 | 7 => Shape::Printable,
        2 | 3 => Shape::Teletex(Composite::Text),
        4 => Shape::Teletex(Composite::PersonalName),
        5 => Shape::Teletex(Composite::Names),
        6 => Shape::Teletex(Composite::DomainDefined),
        8 | 9 => Shape::NumericOrPrintable,
        10..=15 | 17..=21 => Shape::PdsParameter,
        16 => Shape::UnformattedPostal,
        22 => Shape::NetworkAddress,
        23 => Shape::Integer,
        24 | 25 | 29..=40 => Shape::Universal(Composite::Text),
        26 => Shape::Universal(Composite::PersonalName),
        27 => Shape::Universal(Composite::Names),
        28 => Shape::Universal(Composite::DomainDefined),
        _ => Shape::Unknown,
    }
}
