//! Keys of the written form and the attributes they stand for.

/// An attribute that has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Country,
    Admd,
    Prmd,
    Organization,
    /// 1 to 4.
    OrganizationalUnit(u8),
    /// The next one that is not given.
    NextOrganizationalUnit,
    CommonName,
    Surname,
    GivenName,
    Initials,
    Generation,
    NetworkAddress,
    TerminalIdentifier,
    NumericUserIdentifier,
    DomainDefined,
    /// Telephone or ISDN number: first part of extension attribute 22.
    E163,
    /// Its sub-address.
    E163SubAddress,
    /// Extension attribute 23.
    TerminalType,
    /// A line of extension attribute 16, 1 to 6.
    PostalLine(u8),
    /// An extension attribute of one text, by number.
    Extension(u8),
    /// `EXT:n`: any extension attribute, by number.
    AnyExtension,
}

/// Keys as they are written, then other spellings that are understood.
const KEYS: &[(&str, Key)] = &[
    ("C", Key::Country),
    ("A", Key::Admd),
    ("ADMD", Key::Admd),
    ("P", Key::Prmd),
    ("PRMD", Key::Prmd),
    ("O", Key::Organization),
    ("OU1", Key::OrganizationalUnit(1)),
    ("OU2", Key::OrganizationalUnit(2)),
    ("OU3", Key::OrganizationalUnit(3)),
    ("OU4", Key::OrganizationalUnit(4)),
    ("OU", Key::NextOrganizationalUnit),
    ("CN", Key::CommonName),
    ("S", Key::Surname),
    ("G", Key::GivenName),
    ("I", Key::Initials),
    ("Q", Key::Generation),
    ("GQ", Key::Generation),
    ("X.121", Key::NetworkAddress),
    ("X121", Key::NetworkAddress),
    ("T-ID", Key::TerminalIdentifier),
    ("N-ID", Key::NumericUserIdentifier),
    ("UA-ID", Key::NumericUserIdentifier),
    ("DDA", Key::DomainDefined),
    ("DD", Key::DomainDefined),
    ("E.164", Key::E163),
    ("ISDN", Key::E163),
    ("NET-NUM", Key::E163),
    ("NET-SUB", Key::E163SubAddress),
    ("T-TY", Key::TerminalType),
    ("PD-A1", Key::PostalLine(1)),
    ("PD-A2", Key::PostalLine(2)),
    ("PD-A3", Key::PostalLine(3)),
    ("PD-A4", Key::PostalLine(4)),
    ("PD-A5", Key::PostalLine(5)),
    ("PD-A6", Key::PostalLine(6)),
    ("PD-SN", Key::Extension(7)),
    ("PD-SERVICE", Key::Extension(7)),
    ("PD-C", Key::Extension(8)),
    ("PD-PC", Key::Extension(9)),
    ("PD-CODE", Key::Extension(9)),
    ("PD-OF", Key::Extension(10)),
    ("PD-OFFICE", Key::Extension(10)),
    ("PD-OFN", Key::Extension(11)),
    ("PD-OFFICE NUMBER", Key::Extension(11)),
    ("PD-OFFICE-NUM", Key::Extension(11)),
    ("PD-EA", Key::Extension(12)),
    ("PD-EXT.ADDRESS", Key::Extension(12)),
    ("PD-PN", Key::Extension(13)),
    ("PD-PERSON", Key::Extension(13)),
    ("PD-O", Key::Extension(14)),
    ("PD-ORGANIZATION", Key::Extension(14)),
    ("PD-ED", Key::Extension(15)),
    ("PD-EXT.DELIVERY", Key::Extension(15)),
    ("PD-S", Key::Extension(17)),
    ("PD-STREET", Key::Extension(17)),
    ("PD-B", Key::Extension(18)),
    ("PD-BOX", Key::Extension(18)),
    ("PD-R", Key::Extension(19)),
    ("PD-RESTANTE", Key::Extension(19)),
    ("PD-U", Key::Extension(20)),
    ("PD-UNIQUE", Key::Extension(20)),
    ("PD-L", Key::Extension(21)),
    ("PD-LOCAL", Key::Extension(21)),
    ("EXT", Key::AnyExtension),
];

/// The key with this spelling, which must be in upper case.
pub(crate) fn find(spelling: &str) -> Option<Key> {
    KEYS.iter().find(|(known, _)| *known == spelling).map(|(_, key)| *key)
}

/// The spelling of a key in what is printed.
pub(crate) fn spelling(key: Key) -> &'static str {
    KEYS.iter().find(|(_, known)| *known == key).map_or("", |(spelling, _)| spelling)
}

/// Terminal types by name (X.411 TerminalType).
pub(crate) const TERMINAL_TYPES: &[(&str, i64)] =
    &[("tlx", 3), ("ttx", 4), ("g3fax", 5), ("g4fax", 6), ("ia5", 7), ("vtx", 8)];
