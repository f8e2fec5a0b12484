//! Simulations of whole networks: the shipped `runtime` and `agent` on a network, disks and clocks that a seed decides,
//! so that a run can be repeated exactly.
//!
//! A run has two phases. In the first, faults of all kinds happen while mail is submitted. Then every fault ends, and
//! everything must drain: [`check`] judges, by its own books, that each recipient was settled exactly once and that
//! nothing is held any more. Time is virtual (tokio's paused clock), there is one thread, and no socket, file or
//! clock of the system is touched.

pub mod check;
pub mod digest;
pub mod disk;
pub mod manner;
pub mod network;
pub mod peer;
pub mod random;
mod run;
pub mod scenario;
pub mod site;

pub use run::{Outcome, run, run_series};
pub use scenario::{Control, Scenario};
