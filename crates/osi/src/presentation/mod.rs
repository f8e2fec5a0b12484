//! Presentation layer (X.226): kernel functional unit, normal mode and X.410-1984 mode, transfer syntax BER.
//!
//! [`ppdu`] knows the encodings, [`Ppm`] the procedure: it proposes or judges presentation contexts, carries user
//! data in them, and lets nothing pass that names a context which was not agreed. In X.410 mode it steps aside: user
//! data goes as it is, but for the CP and the CPA. Context management, other transfer syntaxes and the typed-data PPDUs
//! do not exist here.

mod arriving;
mod connect;
mod error;
mod machine;
mod mapping;
pub mod ppdu;
mod service;
mod user_data;
mod wire;

pub use error::PresentationError;
pub use machine::{Ppm, PpmAction, PpmConfig, PpmEvent, State, TRANSFER_SYNTAX_BER};
pub use service::{
    Contexts, PAbortCause, PConnect, PIndication, PPart, PRequest, PValue, PresentationMode, SyncIndication,
    SyncRequest,
};
pub use user_data::{ContextId, Pdv, PdvValue, UserData};
