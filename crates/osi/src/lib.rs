//! The OSI layers under P1, over RFC 1006: TPKT, COTP class 0, session, presentation, ACSE, RTSE.
//!
//! Each layer is a state machine: events and the time go in, actions come out. There are no sockets, no clocks
//! and no tasks here, and nothing of X.400: what rides in an association is octets. Layers do not know one
//! another; only `lower` knows their order up to ACSE, and [`stack`] what is on top of that.
//!
//! ```text
//! octets ─► tpkt ─► cotp ─► session ─► presentation ─► acse ─► rtse ─► RtIndication
//! octets ◄─ tpkt ◄─ cotp ◄─ session ◄─ presentation ◄─ acse ◄─ rtse ◄─ RtRequest
//! ```
//!
//! [`rose`], remote operations, stands beside this order, with RTSE or without: [`access`] composes both for the access
//! protocols.

extern crate alloc;

pub mod access;
pub mod acse;
pub mod cotp;
mod elements;
pub mod failure;
mod lower;
pub mod presentation;
pub mod rose;
pub mod rtse;
pub mod session;
pub mod stack;
pub mod tpkt;
