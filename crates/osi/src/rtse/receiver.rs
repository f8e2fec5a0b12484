//! The receiving side of one transfer: the stream with its EXTERNAL taken off, if there is one, which checkpoints stand
//! open, and what of it was there before an interruption.
//!
//! Nothing that has been given to the user is ever taken back. A sender that goes on from an earlier checkpoint sends
//! some octets again; those are passed over.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::error::RequestError;
use super::external::{ExternalError, ExternalReader};
use super::resume::{Checkpoint, ReceiverState};
use super::segment::RttrReader;

/// An APDU on its way in.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    activity: Vec<u8>,
    form: Form,
    /// The P-DATA that arrives in pieces.
    pub(super) arriving: RttrReader,
    /// Octets of the stream that the user has been given.
    position: u64,
    /// How many of them are still to come once more.
    again: u64,
    /// Up to where everything was confirmed before the transfer was resumed.
    known: Option<u64>,
    /// The last checkpoints, oldest first.
    checkpoints: VecDeque<Checkpoint>,
    /// How many of them to keep.
    keep: usize,
    /// The last checkpoint that wants a confirmation.
    received: u32,
    /// The last that is confirmed.
    secured: u32,
}

/// What there is around the APDU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    External(ExternalReader),
    Bare,
}

/// Who has to answer for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The user, when it has secured what is new.
    User,
    /// Nobody need be asked: all before it was confirmed once.
    Known,
}

impl Receiver {
    /// The start of an APDU of this form, in a window of so many checkpoints.
    pub(super) fn new(activity: Vec<u8>, form: Form, window: u32) -> Self {
        Receiver {
            activity,
            form,
            arriving: RttrReader::default(),
            position: 0,
            again: 0,
            known: None,
            checkpoints: VecDeque::new(),
            keep: keep(window),
            received: 0,
            secured: 0,
        }
    }

    /// What follows this checkpoint of a transfer that was interrupted, as another activity. `form` is that of the
    /// association.
    pub(super) fn resume(
        state: ReceiverState,
        serial: u32,
        activity: Vec<u8>,
        form: &Form,
        window: u32,
    ) -> Result<Self, RequestError> {
        let not = |problem| RequestError::NotResumable { problem };
        let from = state.checkpoint(serial).ok_or(not("the checkpoint is not one of those that are kept"))?;
        let again =
            state.position.checked_sub(from.position).ok_or(not("the checkpoint is beyond what has come"))?;
        let form = match (state.form, form) {
            (Form::External(reader), Form::External(here)) => Form::External(reader.among(here)),
            (Form::Bare, Form::Bare) => Form::Bare,
            (Form::External(_), Form::Bare) | (Form::Bare, Form::External(_)) => {
                return Err(not("it began on an association of the other mode"));
            }
        };
        let known = state.checkpoints.iter().map(|checkpoint| checkpoint.position).max();
        // The sender numbers anew what follows.
        let mut checkpoints: VecDeque<_> = state.checkpoints.into();
        checkpoints.retain(|checkpoint| checkpoint.serial <= serial);
        Ok(Receiver {
            activity,
            form,
            arriving: RttrReader::default(),
            position: state.position,
            again,
            known,
            checkpoints,
            keep: keep(window),
            received: serial,
            secured: serial,
        })
    }

    /// Identifier of the activity, as on the wire.
    pub(super) fn activity(&self) -> &[u8] {
        &self.activity
    }

    /// Adds to `apdu` the octets of the APDU among the next octets of the stream.
    pub(super) fn data(&mut self, octets: &[u8], apdu: &mut Vec<u8>) -> Result<(), ExternalError> {
        let again = usize::try_from(self.again).unwrap_or(usize::MAX).min(octets.len());
        self.again = self.again.saturating_sub(again as u64);
        let new = octets.get(again..).unwrap_or_default();
        self.position = self.position.saturating_add(new.len() as u64);
        match &mut self.form {
            Form::External(external) => external.feed(new, apdu),
            Form::Bare => {
                apdu.extend_from_slice(new);
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
    pub(super) fn checkpoint(&mut self, serial: u32) -> Answer {
        let position = self.position.saturating_sub(self.again);
        self.received = self.received.max(serial);
        self.checkpoints.push_back(Checkpoint { serial, position });
        if self.checkpoints.len() > self.keep {
            self.checkpoints.pop_front();
        }
        if self.known.is_some_and(|known| position <= known) {
            self.secured = self.received;
            return Answer::Known;
        }
        Answer::User
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

    /// What is needed to go on if the transfer is interrupted now. Nothing, if no checkpoint is confirmed: then the
    /// sender can only begin anew.
    pub(super) fn state(&self) -> Option<ReceiverState> {
        let confirmed = |checkpoint: &&Checkpoint| checkpoint.serial <= self.secured;
        let checkpoints: Vec<_> = self.checkpoints.iter().filter(confirmed).copied().collect();
        (!checkpoints.is_empty()).then(|| ReceiverState {
            activity: self.activity.clone(),
            checkpoints,
            position: self.position,
            form: self.form.clone(),
        })
    }
}

/// The sender may not have heard of the confirmations of a whole window, and of one more checkpoint if it is PP. The last
/// that it has heard of is the one before them.
fn keep(window: u32) -> usize {
    usize::try_from(window).unwrap_or(usize::MAX).saturating_add(2)
}
