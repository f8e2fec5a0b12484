//! What a message transfer agent decides (X.411, procedures of the MTA): acceptance, trace and loops, routing,
//! fan-out, reports, expiry, and when a connector opens and closes associations.
//!
//! Everything here is pure: an event and the time go in, a [`spool::Batch`] and a list of [`Effect`]s come out.
//! There are no sockets, files, tasks, clocks or random numbers; the runtime supplies the time, unique numbers and
//! a durable commit. An effect is announced only after the batch it came with is committed.
//!
//! One message in the order of its life: [`Agent::transfer_in`] or [`Agent::submit`] puts it into the work queue,
//! [`Agent::process`] takes it from there to mailboxes, outbound queues and reports, and
//! [`Agent::transferred`], [`Agent::transfer_failed`], [`Agent::open_retries_exhausted`] or [`Agent::expired`] end
//! its stay in an outbound queue. The records and keys of all these are in [`record`].
//!
//! Deliberately not done here: expansion of distribution lists, redirection, conversion, 1984 downgrading.

mod accept;
mod agent;
mod bind;
pub mod connector;
mod duplicate;
mod effect;
mod outbound;
mod process;
pub mod record;
mod report;
mod routing;
pub mod settings;
mod submission;
mod submit;
mod trace;
mod transfer;

pub use accept::{IncomingApdu, Refusal};
pub use agent::Agent;
pub use bind::BindRefusal;
pub use effect::{Departure, Discard, Effect, Kind, Sequence, Step};
pub use outbound::{Failed, TransferFailure, TransferFailureKind};
pub use process::Processed;
pub use routing::{Route, RouteDecision, RouteFailure};
pub use settings::{AgentSettings, Secret, SettingsProblem};
pub use submission::{ReportRequest, Submission, SubmissionRecipient, SubmitError, SubmitProblem};
