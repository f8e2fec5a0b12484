//! The receiving side of one transfer: the stream with its EXTERNAL taken off, and which checkpoints stand open.

use alloc::vec::Vec;

use super::error::RequestError;
use super::external::{ExternalError, ExternalReader};
use crate::presentation::ContextId;

/// An APDU on its way in.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    external: ExternalReader,
    /// The last checkpoint that wants a confirmation.
    received: u32,
    /// The last that the user has secured.
    secured: u32,
}

impl Receiver {
    pub(super) fn new(allowed: Vec<ContextId>) -> Self {
        Receiver { external: ExternalReader::new(allowed), received: 0, secured: 0 }
    }

    /// Adds to `apdu` the octets of the APDU among the next octets of the stream.
    pub(super) fn data(&mut self, octets: &[u8], apdu: &mut Vec<u8>) -> Result<(), ExternalError> {
        self.external.feed(octets, apdu)
    }

    /// The stream has ended.
    pub(super) fn finish(&self) -> Result<(), ExternalError> {
        self.external.finish()
    }

    /// A checkpoint came. More of them than the window allows are taken too: PP sends one more.
    pub(super) fn checkpoint(&mut self, serial: u32) {
        self.received = self.received.max(serial);
    }

    /// The user has secured everything up to this checkpoint.
    pub(super) fn secure(&mut self, serial: u32) -> Result<(), RequestError> {
        if serial <= self.secured || serial > self.received {
            let (secured, received) = (self.secured, self.received);
            return Err(RequestError::Checkpoint { serial, secured, received });
        }
        self.secured = serial;
        Ok(())
    }

    /// Whether the peer may be waiting for us.
    pub(super) fn owes_confirmation(&self) -> bool {
        self.secured < self.received
    }
}
