//! Session layer (X.225), versions 1 and 2, as far as RTSE uses it.
//!
//! [`Spm`] is the session protocol machine with the functional units half-duplex, minor synchronize, activity
//! management and exceptions, or with duplex alone; [`spdu`] is the codec of the SPDUs. The tokens move together, as
//! "the turn", or are taken one by one until all are there: S-TOKEN-GIVE request, major synchronization, resynchronization, expedited data, typed data and
//! capability data are not spoken. A transport connection carries one session connection and is not reused.

mod error;
mod service;
pub mod spdu;
mod spm;

pub use error::{ProviderAbort, ProviderAbortCause, SessionError};
pub use service::*;
pub use spm::{SessionConfig, SessionState, Spm, SpmAction, SpmEvent, Version};
