//! The decisions of MTAs on a store in memory: one or several of them, mail carried between them by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod bench;
mod bind;
mod choice;
mod duplicates;
mod faults;
mod interruption;
mod judge;
mod links_1984;
mod lists;
mod loops;
mod network;
mod odd_values;
mod operations;
mod outbound;
mod properties;
mod redirection;
mod relay;
mod reports;
mod restrictions;
mod routing;
mod settings;
mod submission;
mod time_limits;
mod tracking;
