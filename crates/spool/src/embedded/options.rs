//! Settings of the embedded engine, and why it may refuse to open.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::SpoolError;

/// Settings of an [`crate::EmbeddedSpool`]. The defaults suit a transfer agent on a machine of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Largest body, in octets, which is held in memory until its commit and then shares a segment file with
    /// others. A larger one streams to a file of its own. At most 16 MiB counts. Default 256 KiB.
    pub inline_limit: usize,
    /// Size in octets at which a shared segment file is closed and a new one begun. Default 64 MiB.
    pub segment_size: u64,
    /// Free octets on the file system below which the store reports itself unhealthy. Default 256 MiB.
    pub reserve_bytes: u64,
    /// Octets of batches which may wait for the committer before commits have to wait for room. Default 16 MiB.
    pub queue_bytes: usize,
    /// How long a batch that may wait ([`crate::Batch::may_wait`]) does so for one that doesn't, so that both share a
    /// synchronization. It is done only while such batches keep coming. Zero for never. Default 1 ms.
    pub commit_delay: Duration,
    /// Memory for the newest part of the index, in octets. Default 8 MiB.
    pub index_memtable_bytes: u64,
    /// Memory for blocks of the index read back, in octets. Default 32 MiB.
    pub index_cache_bytes: u64,
    /// How many body names are set aside with one durable step. Names left over at a restart are not used again.
    /// Default 1,000,000.
    pub body_id_step: u64,
    /// When the owner of the store looks through it before it works on it. The store itself doesn't. Default
    /// [`CheckOnStart::AfterUncleanStop`].
    pub check_on_start: CheckOnStart,
    /// How long that may take. Default 10 s.
    pub check_limit: Duration,
}

/// At which starts a store is looked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckOnStart {
    /// When the process before did not end in order.
    #[default]
    AfterUncleanStop,
    /// At each.
    Always,
    /// At none.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            inline_limit: 256 << 10,
            segment_size: 64 << 20,
            reserve_bytes: 256 << 20,
            queue_bytes: 16 << 20,
            commit_delay: Duration::from_millis(1),
            index_memtable_bytes: 8 << 20,
            index_cache_bytes: 32 << 20,
            body_id_step: 1_000_000,
            check_on_start: CheckOnStart::default(),
            check_limit: Duration::from_secs(10),
        }
    }
}

/// A store could not be opened. No record and no body of it was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another program, or another part of this one, has the store open.
    #[error("the store in {directory} is in use{}", holder_text(*.holder))]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The process which has it open, if it could be learnt.
        holder: Option<u32>,
    },
    /// The store was written by a newer version of the program.
    #[error("the store in {directory} has format {found}; this program knows formats up to {supported}")]
    NewerFormat {
        /// The directory.
        directory: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this program knows.
        supported: u32,
    },
    /// The file which tells the format doesn't.
    #[error("{path} does not tell the format of a store")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The directory holds something that is no part of a new store, and no store.
    #[error("{directory} holds {entry} but no store; a new store wants an empty directory")]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// An entry that doesn't belong.
        entry: String,
    },
    /// There is no store.
    #[error("{directory} holds no store")]
    NoStore {
        /// The directory.
        directory: PathBuf,
    },
    /// The store lost its index. Its bodies are left untouched.
    #[error("the store in {directory} has lost its index; restore it from a copy")]
    IndexMissing {
        /// The directory.
        directory: PathBuf,
    },
    /// The system gives no more threads.
    #[error("could not start a thread of the store: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// Storage failed.
    #[error("could not open the store: {source}")]
    Storage {
        /// What failed.
        #[from]
        source: SpoolError,
    },
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" by process {pid}"))
}
