//! Session layer (X.225).

mod service;

pub use service::*;

/// Why the session provider aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAbort;
