//! Reliable transfer (X.228).

mod service;

pub use service::*;
