//! What a message transfer agent decides (X.411, procedures of the MTA): acceptance, trace and loops, routing,
//! fan-out, reports, expiry, and when a connector opens and closes associations.
//!
//! Everything here is pure: an event and the time go in, a [`spool::Batch`] and a list of [`Effect`]s come out.
//! There are no sockets, files, tasks, clocks or random numbers; the runtime supplies the time, unique numbers and
//! a durable commit. An effect is announced only after the batch it came with is committed.
//!
//! One message in the order of its life: [`Agent::transfer_in`] or [`Agent::submit`] puts it into the work queue,
//! [`Agent::process`] takes it from there to mailboxes, outbound queues and reports, and
//! [`Agent::transferred`], [`Agent::transfer_failed`], [`Agent::without_connector`] or [`Agent::expired`] end
//! its stay in an outbound queue. [`Agent::operate`] is what an operator may do to it before. The records and keys of all these are in [`record`].
//!
//! ```
//! use agent::settings::{AgentSettings, MtaSettings};
//! use agent::{Agent, Effect, Sequence, Submission};
//! use clock::WallTime;
//! use mhs::{AddressPattern, MtaName};
//! use spool::{MemorySpool, Spool};
//!
//! struct Counter(std::sync::atomic::AtomicU64);
//! impl Sequence for Counter {
//!     fn next(&self) -> u64 {
//!         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
//!     }
//! }
//!
//! let mut mta = MtaSettings::new(MtaName::new("MTA-A")?, "C=GB;A= ;P=ALPHA".parse()?);
//! mta.local = vec![AddressPattern::parse("P=ALPHA;A= ;C=GB")?];
//! let agent = Agent::new(AgentSettings::new(mta, Vec::new())).map_err(|problems| problems[0].to_string())?;
//!
//! let (spool, counter, now) = (MemorySpool::new(), Counter(1.into()), WallTime::from_unix(1_795_321_800));
//! let mut content = spool.begin_body()?;
//! content.write(b"an interpersonal message")?;
//! let submission = Submission::new("S=alice;P=ALPHA;A= ;C=GB".parse()?, ["S=bob;P=ALPHA;A= ;C=GB".parse()?]);
//! let (identifier, step) = agent.submit(now, &counter, &submission, content.finish()?)?;
//! spool.commit(step.batch).wait()?;
//! // Committed: now the user may be told the identifier, and the work queue be looked at.
//! assert_eq!(identifier.to_string(), "C=GB;A= ;P=ALPHA;L=MTA-A-261122043000Z-1");
//! assert!(step.effects.iter().any(|effect| matches!(effect, Effect::WorkAdded { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately not done here: conversion of contents.

mod about;
mod accept;
mod agent;
mod bind;
mod choice;
pub mod connector;
mod duplicate;
mod effect;
mod form;
mod interruption;
mod links;
mod named_lists;
mod operation;
mod outbound;
mod process;
mod quarantine;
pub mod record;
mod report;
mod reroute;
mod routing;
mod selection;
pub mod settings;
mod spaces;
mod submission;
mod submit;
mod trace;
mod track;
mod transfer;

pub use about::{About, Telling};
pub use accept::{IncomingApdu, Refusal};
pub use agent::Agent;
pub use bind::BindRefusal;
pub use effect::{Departure, Discard, Effect, Kind, Sequence, Step};
pub use form::{FormError, OnWire, asks_for_p2};
pub use interruption::apdu_digest;
pub use links::{AllWell, Links, Moment};
pub use operation::{CopyRecord, Operated, Operation, OperationRefused, QueuedCopy};
pub use outbound::{Failed, NotCarried, TransferFailure, TransferFailureKind};
pub use process::Processed;
pub use quarantine::{
    Quarantined, aside_key, delete_quarantined, poisonous, quarantine, release_quarantined,
};
pub use routing::{Route, RouteDecision, RouteFailure, RouteQuestion};
pub use selection::Restricted;
pub use settings::{AgentSettings, Secret, SettingsProblem};
pub use submission::{ReportRequest, Submission, SubmissionRecipient, SubmitError, SubmitProblem};
pub use track::{Traced, TrackEvent, TrackRecord};
