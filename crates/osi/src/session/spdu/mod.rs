//! Session protocol data units (X.225 clause 8): codec.

mod error;

pub use error::SpduError;

/// Values of the transport disconnect item (PI 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportDisconnect(pub u8);

impl TransportDisconnect {
    /// Bit: the sender found a protocol error.
    pub const PROTOCOL_ERROR: u8 = 0x04;
}
