//! The receiving side of one transfer: the stream with its EXTERNAL taken off, if there is one, and which checkpoints stand open.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::error::RequestError;
use super::external::{ExternalError, ExternalReader};
use crate::presentation::ContextId;

/// An APDU on its way in.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    form: Form,
    /// The last checkpoint that wants a confirmation.
    received: u32,
    /// The last that the user has secured.
    secured: u32,
}

/// What there is around the APDU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    External(ExternalReader),
    Bare,
}

impl Receiver {
    /// Of an APDU of normal mode, in one of the contexts `allowed`.
    pub(super) fn of_external(allowed: Vec<ContextId>) -> Self {
        Receiver::new(Form::External(ExternalReader::new(allowed)))
    }

    /// Of an APDU of X.410 mode, or one whose EXTERNAL is the user's business.
    pub(super) fn of_bare_octets() -> Self {
        Receiver::new(Form::Bare)
    }

    fn new(form: Form) -> Self {
        Receiver { form, received: 0, secured: 0 }
    }

    /// Adds to `apdu` the octets of the APDU among the next octets of the stream.
    pub(super) fn data(&mut self, octets: &[u8], apdu: &mut Vec<u8>) -> Result<(), ExternalError> {
        match &mut self.form {
            Form::External(external) => external.feed(octets, apdu),
            Form::Bare => {
                apdu.extend_from_slice(octets);
                Ok(())
            }
        }
    }

    /// The stream has ended. Whether octets without anything around them are complete is the user's to see.
    pub(super) fn finish(&self) -> Result<(), ExternalError> {
        match &self.form {
            Form::External(external) => external.finish(),
            Form::Bare => Ok(()),
        }
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
