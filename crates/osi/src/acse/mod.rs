//! Association control (X.227): kernel functional unit, in normal mode and X.410-1984 mode.
//!
//! [`apdu`] knows the encodings, [`Acpm`] the procedure. The application context is a setting; an AARQ that names
//! another is rejected for good. Titles of application entities are sent if they are set and otherwise passed
//! over. Authentication and the negotiation of application contexts are not spoken. In X.410 mode there are no APDUs: the
//! procedure is the same, and user information is the user data of the presentation layer.

pub mod apdu;
mod error;
mod external;
mod machine;
mod service;
mod user_data;

pub use error::AcseError;
pub use machine::{ABSTRACT_SYNTAX_ACSE, Acpm, AcpmAction, AcpmConfig, AcpmEvent, State};
pub use service::{AAssociate, AIndication, AReject, ARequest};
