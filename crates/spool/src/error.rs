//! What can go wrong, for readers ([`SpoolError`]), for committers ([`CommitError`]) and for the store as a whole
//! ([`Unhealthy`]).

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::batch::{MAX_BATCH_OCTETS, MAX_BATCH_OPS, MAX_KEY_OCTETS, MAX_VALUE_OCTETS};
use crate::{BodyId, Space};

/// A read, or the writing of a body, failed.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The body was never linked, or its last reference is gone.
    #[error("no body {body} in the store")]
    NoSuchBody {
        /// The name asked for.
        body: BodyId,
    },
    /// The body is there but its octets can't be trusted. The store keeps what is left of it.
    #[error("body {body} in {location} is damaged: {damage}")]
    Damaged {
        /// The body.
        body: BodyId,
        /// Where its engine keeps it.
        location: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The file system refused.
    #[error("could not {action} {path}: {source}")]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no space left, or no more of a quota. Nothing is damaged, and it may be tried again.
    #[error("no space to {action} {path}: {source}")]
    NoSpace {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A journal of the index, or a segment of the log, is damaged where changes were that had been acknowledged, and
    /// they are nowhere else.
    #[error("{path} is damaged at octet {valid}, and acknowledged changes are lost with it")]
    IndexDamaged {
        /// The file.
        path: PathBuf,
        /// Octets before the damage.
        valid: u64,
    },
    /// The index lacks steps that had been acknowledged.
    #[error("the index {path} ends with step {step}, but step {acknowledged} was acknowledged")]
    IndexBehind {
        /// The directory of the index.
        path: PathBuf,
        /// The last step in it.
        step: u64,
        /// The last one that is known to have been acknowledged.
        acknowledged: u64,
    },
    /// The index refused.
    #[error("the index of the store could not {action}: {source}")]
    Index {
        /// What was tried, as a verb.
        action: &'static str,
        /// What the index said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An entry of the index does not have the form this version writes.
    #[error("the index entry of {what} can't be understood ({octets} octets)")]
    BadEntry {
        /// Whose entry.
        what: String,
        /// Its length.
        octets: usize,
    },
    /// Callers can't read the spaces of the engines.
    #[error("space {:#04x} belongs to the store itself", space.0)]
    ReservedSpace {
        /// The space.
        space: Space,
    },
    /// The writer of this body failed before; the body can't be completed.
    #[error("body {body} can't be completed after an earlier failure")]
    Abandoned {
        /// The body.
        body: BodyId,
    },
    /// The store stopped writing after an error whose effect on the disk is unknown.
    #[error("the store takes no more writes until it is opened again: {cause}")]
    Stopped {
        /// The error that stopped it.
        cause: Arc<SpoolError>,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// How a body is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// The file which should hold it isn't there.
    #[error("the file is missing")]
    Missing,
    /// The file ends before the body does.
    #[error("the file is cut short")]
    Truncated,
    /// What stands before the body is not its header.
    #[error("the header is not that of this body")]
    Header,
    /// What stands after the body is not its trailer.
    #[error("the trailer is not that of this body")]
    Trailer,
    /// The disk can't read it.
    #[error("the disk can't read it")]
    Unreadable,
    /// The octets are not those which were stored.
    #[error("the checksum is {found:08x} instead of {expected:08x}")]
    Checksum {
        /// CRC-32C when stored.
        expected: u32,
        /// CRC-32C when read.
        found: u32,
    },
}

/// Which bound of a batch was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchLimit {
    /// [`MAX_KEY_OCTETS`]
    KeyOctets,
    /// [`MAX_VALUE_OCTETS`]
    ValueOctets,
    /// [`MAX_BATCH_OPS`]
    Operations,
    /// [`MAX_BATCH_OCTETS`]
    BatchOctets,
}

impl BatchLimit {
    /// The most that is allowed.
    pub fn max(self) -> usize {
        match self {
            BatchLimit::KeyOctets => MAX_KEY_OCTETS,
            BatchLimit::ValueOctets => MAX_VALUE_OCTETS,
            BatchLimit::Operations => MAX_BATCH_OPS,
            BatchLimit::BatchOctets => MAX_BATCH_OCTETS,
        }
    }
}

/// What an assertion asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The key should not have been there.
    Absent,
    /// The key should have been there.
    Present,
}

/// A batch was not applied, or (only [`CommitError::Io`]) it is unknown whether it was.
///
/// `index` is the position of the operation at fault, counted from 0.
#[derive(Clone, Debug, Error)]
pub enum CommitError {
    /// An assertion did not hold; nothing of the batch was applied.
    #[error("operation {index}: a key in space {} should be {expected:?}", space.0)]
    AssertionFailed {
        /// Position of the assertion.
        index: usize,
        /// Space of its key.
        space: Space,
        /// What it asked for.
        expected: Expected,
    },
    /// A reference count was to change of a body which isn't there.
    #[error("operation {index}: no body {body} in the store")]
    NoSuchBody {
        /// Position of the operation.
        index: usize,
        /// The body.
        body: BodyId,
    },
    /// The linked body was reserved from another store.
    #[error("operation {index}: body {body} was reserved from another store")]
    ForeignBody {
        /// Position of the operation.
        index: usize,
        /// The body.
        body: BodyId,
    },
    /// A reference count would pass 2³²-1.
    #[error("operation {index}: too many references to body {body}")]
    TooManyReferences {
        /// Position of the operation.
        index: usize,
        /// The body.
        body: BodyId,
    },
    /// The batch is larger than a store takes.
    #[error("operation {index}: {limit:?} is {actual}, more than {}", limit.max())]
    Limit {
        /// Position of the operation.
        index: usize,
        /// The bound.
        limit: BatchLimit,
        /// What the batch has.
        actual: usize,
    },
    /// The space belongs to the engines.
    #[error("operation {index}: space {:#04x} belongs to the store itself", space.0)]
    ReservedSpace {
        /// Position of the operation.
        index: usize,
        /// The space.
        space: Space,
    },
    /// There is no space left. The batch was not applied; it may be tried again when there is.
    #[error("the commit was refused: {cause}")]
    NoSpace {
        /// What had no space.
        cause: Arc<SpoolError>,
    },
    /// Storage failed. Whether the batch is applied is known only after the store is opened again.
    #[error("the commit failed: {cause}")]
    Io {
        /// What failed.
        cause: Arc<SpoolError>,
    },
    /// The store had stopped writing before; the batch was not applied.
    #[error("the store takes no more writes until it is opened again: {cause}")]
    Stopped {
        /// The error that stopped it.
        cause: Arc<SpoolError>,
    },
    /// The store was closed before the batch was taken.
    #[error("the store is closed")]
    Closed,
}

/// Why a store should not take on new responsibility.
#[derive(Clone, Debug, Error)]
pub enum Unhealthy {
    /// Free space is below the reserve. Commits still work: queues can drain.
    #[error("{available_bytes} octets of disk are free, less than the reserve of {reserve_bytes}")]
    DiskReserve {
        /// Free octets, as last measured.
        available_bytes: u64,
        /// Octets which should stay free.
        reserve_bytes: u64,
    },
    /// A write found no space. Commits that store nothing of size may still work; as soon as there is space again
    /// all do.
    #[error("{cause}")]
    NoSpace {
        /// What had no space.
        cause: Arc<SpoolError>,
    },
    /// Free space can't be measured.
    #[error("free space is unknown: {cause}")]
    SpaceUnknown {
        /// Why.
        cause: Arc<SpoolError>,
    },
    /// A write failed; no more are tried until the store is opened again. Reads go on.
    ///
    /// After a failed sync nobody knows what of it is on the disk, and the system, whose memory of it may read
    /// well, tries no second time. Only opening the store again finds out.
    #[error("writing has stopped until the store is opened again: {cause}")]
    Stopped {
        /// The error that stopped it.
        cause: Arc<SpoolError>,
    },
}
