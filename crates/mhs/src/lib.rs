//! X.400 information objects: O/R addresses, P1 and interpersonal messages.
//!
//! Octets in, values out, and back. Nothing here opens a socket, reads a clock or keeps a file. What an MTA
//! relays without changing leaves with the octets it came with: see [`Kept`].
//!
//! Strings are read leniently, whatever their characters and sizes; [`OrAddress::validate_for_submission`]
//! and the constructors of names are strict.

pub mod codes;
mod content_type;
mod eit;
mod error;
pub mod ipm;
mod kept;
mod names;
mod or_address;
pub mod p1;
pub mod render;
pub mod text;
mod tree;
mod utc_time;

pub use content_type::ContentType;
pub use eit::EncodedInformationTypes;
pub use error::{DecodeError, DecodeErrorKind, PathStep};
pub use kept::{Kept, List};
pub use names::{GlobalDomainIdentifier, MtaName, MtsIdentifier, NameError};
pub use or_address::{
    AddressError, AddressErrorKind, AddressPattern, AddressProblem, DomainDefinedAttribute,
    ExtensionAttribute, ExtensionValue, LostAttribute, OrAddress, OrName, PersonalName, Specificity,
    private_domain,
};
pub use tree::Tree;
pub use utc_time::UtcTime;
