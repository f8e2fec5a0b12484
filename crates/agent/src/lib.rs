//! What a message transfer agent decides (X.411, procedures of the MTA): acceptance, trace and loops, routing,
//! fan-out, reports, expiry, and when a connector opens and closes associations.
//!
//! Everything here is pure: an event and the time go in, a [`spool::Batch`] and a list of [`Effect`]s come out.
//! There are no sockets, files, tasks, clocks or random numbers; the runtime supplies the time, unique numbers and
//! a durable commit. An effect is announced only after the batch it came with is committed.

pub mod connector;
mod effect;
pub mod record;
pub mod settings;
mod submission;

pub use effect::{Departure, Discard, Effect, Kind, Sequence, Step};
pub use settings::{AgentSettings, Secret, SettingsProblem};
pub use submission::{ReportRequest, Submission, SubmissionRecipient, SubmitError, SubmitProblem};
