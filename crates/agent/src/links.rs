//! What a decision has to know of the moment in which it is made: time, numbers, and the state of the links.

use clock::WallTime;

use crate::effect::Sequence;

/// The state of the links, for the choice among several that take an address.
pub trait Links {
    /// Whether this connector has failed to open and waits before it tries again.
    fn is_waiting(&self, connector: &str) -> bool;
}

/// No link waits: for an MTA without a network.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllWell;

impl Links for AllWell {
    fn is_waiting(&self, _: &str) -> bool {
        false
    }
}

/// The moment of a decision.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The time.
    pub now: WallTime,
    /// Where numbers come from.
    pub sequence: &'a dyn Sequence,
    /// The state of the links.
    pub links: &'a dyn Links,
}
