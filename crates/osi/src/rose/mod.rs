//! Remote operations (X.880 and X.881; X.219 and X.229 before them): what the access protocols P3 and P7 ride on.
//!
//! [`apdu`] knows the encodings, [`bind`] those of bind and unbind, [`Ropm`] the procedure: which invocations are
//! outstanding, which answer belongs to which, and what of the peer's must be rejected. Which operations there are,
//! what their arguments look like and who may call for them is the user's knowledge: arguments, results and parameters
//! are encodings here, kept octet for octet.
//!
//! The machine does not open or close the association. Its user puts the bind into the opening of the association,
//! makes a machine when that has succeeded, and tells it of the end.
//!
//! # What it rides on
//!
//! Each [`RoAction::Transfer`] is one APDU in one presentation context, to be transferred in the order given. Whoever
//! composes the layers reports each one, in the same order, by [`RopmEvent::Transferred`] or
//! [`RopmEvent::NotTransferred`]. The machine bounds what may wait in between, so a peer that never lets us speak
//! cannot make a queue grow.
//!
//! * **P-DATA** (mts-access, ms-access): an APDU is one value of a P-DATA request. It counts as transferred at once,
//!   or when the transport connection has room again. A P-DATA indication is [`RopmEvent::Received`].
//! * **RTSE** (mts-reliable-access, ms-reliable-access): an APDU is one RT-TRANSFER and needs the turn, so the
//!   association must be two-way alternate. Without the turn the composer asks for it (RT-TURN-PLEASE) and keeps the
//!   APDU; with RT-TURN-GIVE the transfers begin. RT-TRANSFER confirm is `Transferred`, its negative form
//!   `NotTransferred`. An APDU that arrives may be accepted as soon as it is complete: to take responsibility for what
//!   it carries is the business of the result, not of the transfer.
//!
//! The end of the association, in order or not, is [`RopmEvent::Ended`] in both cases. [`access`](crate::access) composes
//! both.

pub mod apdu;
pub mod bind;
mod config;
mod error;
mod machine;
mod problem;
mod received;
mod service;

pub use config::{AssociationClass, Role, RoseConfig};
pub use error::{DecodeError, Fault, RequestError, RoseError};
pub use machine::{Ropm, RopmEvent, State};
pub use problem::{GeneralProblem, InvokeProblem, Problem, ReturnErrorProblem, ReturnResultProblem};
pub use service::{Invocation, OperationClass, Outcome, Reply, ReplyProblem, RoAction, RoIndication};
