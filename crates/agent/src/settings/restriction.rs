//! Who and what may be sent where.

use mhs::{AddressPattern, ContentType};

use crate::effect::Kind;
use crate::record::Rank;

/// Where an MTA passes on what comes in over a link, besides to its own users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RelayTo {
    /// Over no other link: the peer reaches this MTA's users only. The default: an MTA that carries mail between third
    /// parties does so because its operator wants it to.
    #[default]
    Nowhere,
    /// Over every other link.
    Anywhere,
    /// Over the connectors with these names.
    Connectors(Vec<String>),
}

impl RelayTo {
    /// Whether it may go out over this connector.
    pub fn includes(&self, connector: &str) -> bool {
        match self {
            RelayTo::Nowhere => false,
            RelayTo::Anywhere => true,
            RelayTo::Connectors(names) => names.iter().any(|name| name == connector),
        }
    }
}

/// Originators that are accepted. The address of a distribution list of this MTA stands for all its members, those of
/// lists inside it included, and for the list itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Originators {
    /// Only these. Default `None`: all.
    pub accept: Option<Vec<AddressPattern>>,
    /// Not these, even if they are accepted otherwise. Default none.
    pub refuse: Vec<AddressPattern>,
}

impl Originators {
    /// Whether an originator is accepted who is one of those that `is_meant` tells.
    pub(crate) fn include_if(&self, is_meant: impl Fn(&AddressPattern) -> bool) -> bool {
        self.accept.as_ref().is_none_or(|patterns| patterns.iter().any(&is_meant))
            && !self.refuse.iter().any(&is_meant)
    }

    /// All that are named.
    pub(crate) fn named(&self) -> impl Iterator<Item = &AddressPattern> {
        self.accept.iter().flatten().chain(&self.refuse)
    }
}

/// What may pass a link. Reports always may, unless `kinds` leaves them out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkRestrictions {
    /// Whose messages and probes are sent over it.
    pub originators: Originators,
    /// Messages of these priorities are sent over it. Default `None`: of all.
    pub priorities: Option<Vec<Rank>>,
    /// What is sent over it at all: messages, probes, reports. A report that no connector takes is dropped, since nothing
    /// is reported about it. Default `None`: all.
    pub kinds: Option<Vec<Kind>>,
    /// Messages and probes with these content types are sent over it. Default `None`: with any.
    pub content_types: Option<Vec<ContentType>>,
    /// Whose messages and probes are not taken from it. Default none.
    pub barred: Vec<AddressPattern>,
    /// What becomes of them.
    pub when_barred: WhenBarred,
}

/// What becomes of a message whose originator is barred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBarred {
    /// It is non-delivered.
    #[default]
    Report,
    /// It is dropped, and nobody but the operator is told.
    Discard,
}

/// Who may send to mailboxes here.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRestriction {
    /// The mailboxes. The first restriction that matches an address counts.
    pub recipients: AddressPattern,
    /// Who may send to them.
    pub originators: Originators,
}
