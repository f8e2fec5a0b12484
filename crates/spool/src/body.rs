//! Bodies: large octet strings which are written once, in order, then shared by reference count.

use std::any::Any;
use std::fmt;

use crate::SpoolError;

/// Stable name of a stored body. A store never gives out the same name twice, restarts included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyId(pub u64);

impl fmt::Display for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyId({self})")
    }
}

/// Receives the octets of one reserved body. Dropping it gives the space back.
///
/// The calls may block on the disk for as long as a write takes; memory per writer is bounded by the engine.
pub trait BodyWriter: Send {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// The octets could not be stored, or an earlier call failed; the body can't be finished any more.
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError>;

    /// Octets written so far.
    fn len(&self) -> u64;

    /// True as long as nothing was written. An empty body is a valid body.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether writing so many octets more may have to wait for the disk.
    fn write_may_block(&self, octets: usize) -> bool;

    /// Whether completing the body may have to wait for the disk.
    fn finish_may_block(&self) -> bool;

    /// Completes the body. It is still invisible, and gone after a crash, until a batch links it.
    ///
    /// # Errors
    /// The body could not be made durable as far as its engine does so here; its space is given back.
    fn finish(self: Box<Self>) -> Result<FinishedBody, SpoolError>;
}

/// A complete body that no batch has linked yet. Dropping it gives the space back.
pub struct FinishedBody {
    id: BodyId,
    len: u64,
    memory_octets: usize,
    reservation: Box<dyn Any + Send>,
}

impl FinishedBody {
    /// For engines: wraps what the engine needs to link the body, whose `Drop` gives the space back.
    /// `memory_octets` is what it holds in memory until then, which counts against the limits of a batch.
    pub fn new(id: BodyId, len: u64, memory_octets: usize, reservation: Box<dyn Any + Send>) -> Self {
        FinishedBody { id, len, memory_octets, reservation }
    }

    /// The name under which the body can be read once it is linked.
    pub fn id(&self) -> BodyId {
        self.id
    }

    /// Length in octets.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a body of no octets.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Octets that it holds in memory until it is committed.
    pub fn memory_octets(&self) -> usize {
        self.memory_octets
    }

    /// For engines: what was given to [`FinishedBody::new`].
    pub fn into_reservation(self) -> Box<dyn Any + Send> {
        self.reservation
    }
}

impl fmt::Debug for FinishedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedBody").field("id", &self.id).field("len", &self.len).finish_non_exhaustive()
    }
}
