//! Presentation layer (X.226): kernel functional unit, normal mode, transfer syntax BER.
//!
//! [`ppdu`] knows the encodings, [`Ppm`] the procedure: it proposes or judges presentation contexts, carries user
//! data in them, and lets nothing pass that names a context which was not agreed. Context management, other
//! transfer syntaxes and the typed-data PPDUs do not exist here; neither does X.410 mode, in which the
//! presentation layer steps aside.

mod error;
mod machine;
mod mapping;
pub mod ppdu;
mod service;
mod user_data;

pub use error::PresentationError;
pub use machine::{Ppm, PpmAction, PpmConfig, PpmEvent, State, TRANSFER_SYNTAX_BER};
pub use service::{
    Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, SyncIndication, SyncRequest,
};
pub use user_data::{ContextId, Pdv, PdvValue, UserData};
