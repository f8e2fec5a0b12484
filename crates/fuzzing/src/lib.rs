//! What the fuzz targets check, as functions of octets.
//!
//! `fuzz/` gives each of them to libFuzzer, which needs a nightly toolchain; `tests/replay.rs` gives them the seeds, all
//! that was ever found and some mutations of both on any toolchain, so that no law below is only looked at when somebody
//! fuzzes. Decoders take their input as it is. Machines take a [`Script`]: a list of operations, in a
//! form of its own rather than a derived one, so that a capture can be turned into a seed and a find keeps its meaning.
//!
//! A target panics where a law is broken and returns nothing. `docs/fuzzing.md` says what each one checks.
#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a target fails")]

mod access;
mod acse;
mod ber_reader;
mod bind;
mod config_file;
mod cotp;
mod decode;
mod ipm;
mod legal;
mod line;
mod or_address;
mod p1;
mod presentation;
mod report;
mod rose;
mod rtse;
mod rtse_codec;
mod script;
mod seeds;
mod session;
mod session_codec;
mod stack;
mod stack_pair;
mod tpkt;

pub use script::{Script, ScriptWriter};
pub use seeds::{Seed, seeds};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its binary in `fuzz/`, of its finds and of its corpus.
    pub name: &'static str,
    /// What is called with each input.
    pub run: fn(&[u8]),
}

/// All targets, in the order of the layers.
pub const TARGETS: &[Target] = &[
    Target { name: "ber", run: ber_reader::run },
    Target { name: "tpkt", run: tpkt::run },
    Target { name: "cotp", run: cotp::run },
    Target { name: "session_codec", run: session_codec::run },
    Target { name: "session", run: session::run },
    Target { name: "presentation_codec", run: presentation::codec },
    Target { name: "presentation", run: presentation::run },
    Target { name: "acse_codec", run: acse::codec },
    Target { name: "acse", run: acse::run },
    Target { name: "rtse_codec", run: rtse_codec::run },
    Target { name: "rtse", run: rtse::run },
    Target { name: "rose", run: rose::run },
    Target { name: "stack", run: stack::run },
    Target { name: "stack_pair", run: stack_pair::run },
    Target { name: "access", run: access::run },
    Target { name: "p1", run: p1::run },
    Target { name: "report", run: report::run },
    Target { name: "bind", run: bind::run },
    Target { name: "ipm", run: ipm::run },
    Target { name: "or_address", run: or_address::run },
    Target { name: "decode", run: decode::run },
    Target { name: "config", run: config_file::run },
];

/// Calls the target called `name`.
///
/// # Panics
/// There is none, or it found something.
pub fn run(name: &str, octets: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("there is no target {name}"));
    (target.run)(octets);
}
