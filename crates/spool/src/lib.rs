//! The durable store of a store-and-forward message transfer agent.
//!
//! It knows keys, values and bodies: what a message or a recipient is, its callers know. A body (the content of
//! a message, of any size) is reserved with [`Spool::begin_body`], written as it arrives, and becomes part of the
//! store when a [`Batch`] links it. A batch is one atomic step over small records and the reference counts of
//! bodies; when its [`Commit`] resolves, the step is on stable storage, and only then may responsibility for a
//! message be accepted or given up.
//!
//! Two engines stand behind the trait. [`EmbeddedSpool`] keeps bodies in segment files and records in an ordered
//! index, in one directory of one machine. [`MemorySpool`] keeps everything in memory, tells apart what was
//! synced from what was not, and is for tests and simulation. Every engine passes the module `conformance`
//! (cargo feature of that name).
//!
//! No asynchronous runtime is needed: futures here are woken by the engine's own thread, and a thread of its own
//! may wait with [`Commit::wait`] or [`block_on`].
//!
//! ```
//! use spool::{Batch, MemorySpool, Space, Spool, block_on};
//!
//! const QUEUE: Space = Space(1);
//! let store = MemorySpool::new();
//! let mut writer = store.begin_body()?;
//! writer.write(b"content of the message")?;
//! let mut batch = Batch::default();
//! let body = batch.link_body(writer.finish()?);
//! batch.assert_absent(QUEUE, b"0001").put(QUEUE, b"0001", body.0.to_be_bytes());
//! store.commit(batch).wait()?;
//! assert_eq!(block_on(store.read_body(body, 0, 7))?, b"content");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod bench;
mod block_on;
mod body;
mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod embedded;
mod error;
mod memory;
mod side;
mod spool;
mod staging;
mod sync;

pub use batch::{Batch, MAX_BATCH_OCTETS, MAX_BATCH_OPS, MAX_KEY_OCTETS, MAX_VALUE_OCTETS, Op, Space};
pub use bench::{MeasureError, Throughput, measure};
pub use block_on::block_on;
pub use body::{BodyId, BodyWriter, FinishedBody};
pub use commit::{Commit, Completer};
pub use embedded::DiskCall;
#[cfg(feature = "conformance")]
pub use embedded::DiskJudge;
pub use embedded::{
    BodyEntry, CheckOnStart, CheckStage, EmbeddedSpool, Examined, Finding, Gravity, LastStop, OnProgress,
    OpenError, Options,
};
pub use error::{BatchLimit, CommitError, Damage, Expected, SpoolError, Unhealthy};
pub use memory::{Fault, MemorySpool};
pub use side::{SideIndex, Walk};
pub use spool::{BoxFuture, MAX_READ_OCTETS, Spool, Stats};
