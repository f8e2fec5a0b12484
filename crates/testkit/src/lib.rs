//! What tests of several crates share: real captures, an independent judge, faulty networks, service processes.
//!
//! - [`Capture`] reads the packet captures in `fixtures/captures` into TCP octet streams;
//! - [`PcapBuilder`] writes a conversation as a packet capture, [`wrap_apdu`] makes one around a single MTS-APDU;
//! - [`Tshark`] has Wireshark's dissectors judge a capture: another implementation's opinion on our encodings;
//! - [`Proxy`] stands between two ends of a TCP connection, records it and breaks it as told;
//! - [`Service`] runs the program under test as a process that can be killed.
//!
//! Nothing here is part of the product; everything is blocking and uses threads. Helpers panic with what went wrong
//! where a test could only do the same.
#![allow(clippy::expect_used, clippy::panic, reason = "only tests call this: a panic is how a test fails")]

mod capture;
mod golden;
mod pcap;
mod process;
mod proxy;
mod transfer;
mod tshark;
mod wrap;

pub use capture::{Capture, CaptureError, Connection, Segment};
pub use golden::{GoldenVector, hex, unhex};
pub use pcap::{PcapBuilder, Ports};
pub use process::{Finished, Service, ServiceError, free_port, run};
pub use proxy::{Break, Fault, Proxy, Recording};
pub use tempfile::TempDir;
pub use transfer::Transfer;
pub use tshark::{Complaints, Frame, Report, Tshark};
pub use wrap::{split_tsdu, tsdus_of, wrap_apdu};

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The end that opened the TCP connection.
    Initiator,
    /// The end that accepted it.
    Responder,
}

impl Side {
    /// The other end.
    pub fn other(self) -> Side {
        match self {
            Side::Initiator => Side::Responder,
            Side::Responder => Side::Initiator,
        }
    }
}
