//! Reliable transfer (X.228), normal mode and X.410-1984 mode.
//!
//! [`apdu`] knows the encodings, [`Rtpm`] the procedure. An APDU of the user is a stream here: the sender asks its
//! user for each next segment when the window allows it, the receiver hands every segment on as it comes, and
//! neither holds a whole APDU. The EXTERNAL in which P1 wraps its APDUs in normal mode is put around and taken off
//! here ([`external`]), since it names a presentation context. X.410 mode has nothing around an APDU.
//!
//! A transfer that is interrupted, by either user or by the end of the association, can be resumed from its last
//! confirmed checkpoint, on the same association or on another one, and an association can be recovered. What is
//! needed for that outlives the machine and is its user's to keep ([`Interrupted`]); names and points in the stream are all
//! that is known here, and a transfer is never resumed unasked.

pub mod apdu;
mod association;
mod config;
mod connection;
mod error;
mod event;
pub mod external;
mod machine;
mod names;
mod negotiate;
mod open;
mod receiver;
mod resume;
mod segment;
mod sender;
mod service;
mod state;
mod transfer;
pub mod walker;

pub use config::RtseConfig;
pub use connection::SessionConnectionIdentifier;
pub use error::{RequestError, RtseError};
pub use event::{RtpmAction, RtpmEvent};
pub use machine::Rtpm;
pub(crate) use names::request_name;
pub(crate) use open::{aborted_by_provider, refused_by_presentation, refused_by_session};
pub use resume::{Interrupted, OpenData, ReceiverState, ResumePoint};
pub use service::*;
