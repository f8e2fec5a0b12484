//! Why a text is no O/R address.

/// A text that is no O/R address: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: `{key}`: {kind}", position + 1)]
pub struct AddressError {
    /// Characters in front of the component at fault.
    pub position: usize,
    /// The component's key as written, or as much of it as there is.
    pub key: String,
    /// What is wrong with it.
    pub kind: AddressErrorKind,
}

/// The ways in which a written address can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressErrorKind {
    /// Nothing is there.
    #[error("no attribute is given")]
    Empty,
    /// A component without `=`.
    #[error("`=` is missing; an attribute is written key=value")]
    NoEquals,
    /// A key that this notation does not have.
    #[error("there is no such attribute key")]
    UnknownKey,
    /// An attribute given twice.
    #[error("the attribute is given twice")]
    DuplicateKey,
    /// A quotation mark that is not closed, or something between the closing one and the separator.
    #[error("the quoted value is not closed by `\"` before the separator")]
    Quote,
    /// A lower organizational unit without the one above it.
    #[error("OU{0} is missing; organizational units are numbered without gaps")]
    OrganizationalUnitGap(usize),
    /// Given name, initials or generation without a surname.
    #[error("a personal name needs a surname (S)")]
    NoSurname,
    /// A domain-defined attribute without a type.
    #[error("the type is missing; a domain-defined attribute is written DDA:type=value")]
    NoDomainDefinedType,
    /// A value of digits or hexadecimal that is none.
    #[error("the value is not {0}")]
    Value(&'static str),
}
