//! Recipients in whose place somebody else receives.

use mhs::{AddressPattern, ContentType, OrAddress};

use crate::record::Rank;

/// An alternate recipient that stands in for others (X.411 recipient-assigned-alternate-recipient).
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// Whose mail is redirected.
    pub from: RedirectFrom,
    /// Which of it. Default all.
    pub class: RedirectionClass,
    /// To whom.
    pub to: OrAddress,
}

impl Redirect {
    /// Redirects all mail.
    pub fn new(from: RedirectFrom, to: OrAddress) -> Self {
        Redirect { from, class: RedirectionClass::default(), to }
    }
}

/// Whose mail is redirected.
#[derive(Clone, Debug, PartialEq)]
pub enum RedirectFrom {
    /// One address.
    Address(OrAddress),
    /// All addresses that match.
    Pattern(AddressPattern),
}

/// Which messages and probes are redirected (X.411 redirection-classes). A probe has the class of a normal message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RedirectionClass {
    /// Those of these priorities. Default `None`: of all.
    pub priorities: Option<Vec<Rank>>,
    /// Those with these content types. Default `None`: with any.
    pub content_types: Option<Vec<ContentType>>,
}

impl RedirectionClass {
    /// Whether everything is in it.
    pub fn is_all(&self) -> bool {
        self.priorities.is_none() && self.content_types.is_none()
    }

    /// Whether a message or probe is in it.
    pub fn includes(&self, priority: Rank, content_type: &ContentType) -> bool {
        self.priorities.as_ref().is_none_or(|priorities| priorities.contains(&priority))
            && self.content_types.as_ref().is_none_or(|types| types.contains(content_type))
    }
}
