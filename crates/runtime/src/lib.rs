//! Runs an MTA: listeners, associations, queues, timers, events, start and stop.
//!
//! The only crate with sockets, tasks, clocks and the choice of a store. Protocol machines ([`osi`]) and decisions
//! ([`agent`]) are called from here and know nothing of it; how an MTA is shown to people is not known here.
//!
//! ```text
//! listener ──► association (responder) ─┐
//!                                       ├─► spool ──► work ──► spool ──► connector ──► association (initiator)
//! Handle::submit ───────────────────────┘
//! ```
//!
//! Each arrow into the spool is one durable commit (`shared.rs`); each queue is a bounded window over durable keys
//! (`backlog.rs`).

mod alarms;
mod application;
mod aside;
mod association;
mod audit;
mod backlog;
mod bind;
mod carried_on;
mod clocks;
mod connector;
mod connectors;
mod content;
mod depth;
mod events;
mod handle;
mod housekeeping;
mod layers;
mod ledger;
mod limits;
mod line;
mod link;
mod listener;
mod listeners;
mod loss;
mod monitor;
mod mta;
mod operations;
mod outage;
mod pages;
mod pool;
mod queues;
mod recorder;
mod recovery;
mod registry;
mod retries;
mod sequence;
mod shared;
mod shelter;
mod signal;
mod start_check;
pub mod status;
mod submission;
mod supervisor;
mod taken;
mod times;
mod tracking;
mod tracking_index;
mod tracking_search;
mod traffic;
mod trials;
mod work;
mod world;

#[cfg(test)]
#[allow(unreachable_pub, reason = "the tests of the crate as a whole have it as well")]
#[path = "../tests/support/store.rs"]
mod test_store;

pub use alarms::QueueAlarm;
pub use application::p1_application;
pub use aside::{QuarantinePage, QuarantineStatus, QuarantinedOctets};
pub use bind::listen;
pub use connectors::{OrphansError, ReloadError, ReloadSummary};
pub use events::{Category, Event, EventDigest, EventKind, EventLog, EventNews, Severity};
pub use handle::{AdminError, Handle, MailboxEntry};
pub use limits::RuntimeLimits;
pub use listeners::ListenError;
pub use monitor::{MonitorKind, MonitorSettings};
pub use mta::{Mta, RuntimeConfig, StartError};
pub use operations::{Outcome, OutcomePage, Performed};
pub use queues::{MessagePage, Selection};
pub use recorder::{RecordedConnection, RecordedEnd, RecordedTpdu, RecorderSettings};
pub use recovery::parked_body;
pub use sequence::SequenceError;
pub use status::*;
pub use submission::SubmitFailure;
pub use tracking::{Tracked, Tracking};
pub use tracking_index::{QueryError, TrackingIndexStatus, TrackingQuery};
pub use tracking_search::{TrackingPage, TrackingSpan};
pub use world::{Connection, Incoming, World, WorldFuture};

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
