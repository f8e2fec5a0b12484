//! Connection-oriented transport protocol, class 0 (X.224), over RFC 1006.
//!
//! [`Cotp`] is the machine of one transport connection, [`tpdu`] the codec. Class 0 has no flow control, no
//! checksum, no multiplexing and no orderly release: the TCP connection is the transport connection, and
//! closing it ends both. Whether a transport selector is served here is the user's decision.

mod error;
mod machine;
mod open;
mod service;
pub mod tpdu;

pub use error::CotpError;
pub use machine::Cotp;
pub use service::{
    CotpAction, CotpConfig, CotpEvent, CotpState, TDisconnect, TDisconnectReason, TIndication, TRequest,
};
pub use tpdu::{Tpdu, TpduError, TpduSize};
