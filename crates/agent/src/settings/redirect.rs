//! Recipients in whose place somebody else receives.

use mhs::{AddressPattern, OrAddress};

/// An alternate recipient that stands in for others (X.411 recipient-assigned-alternate-recipient).
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// Whose mail is redirected.
    pub from: RedirectFrom,
    /// To whom.
    pub to: OrAddress,
}

/// Whose mail is redirected.
#[derive(Clone, Debug, PartialEq)]
pub enum RedirectFrom {
    /// One address.
    Address(OrAddress),
    /// All addresses that match.
    Pattern(AddressPattern),
}
