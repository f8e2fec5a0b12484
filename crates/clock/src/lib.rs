//! Time as a value.
//!
//! Protocol machines and the agent are told the time; only the runtime reads a clock. Two kinds exist and are
//! never converted into one another: [`MonoTime`] orders deadlines, [`WallTime`] is written into trace
//! information, reports and file names. Nothing here reads a clock.
#![no_std]

mod mono;
mod wall;

pub use mono::MonoTime;
pub use wall::{Civil, WallTime};
