//! What outlives an interruption (X.228), so that a transfer can go on after it: of the association, of the sender and of
//! the receiver.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::connection::SessionConnectionIdentifier;
use super::receiver::Form;

/// What an association is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenData {
    /// A new association, with one BER encoding of the user (for P1 the bind argument); empty for none.
    Open(Vec<u8>),
    /// The association that was on this session connection goes on: nobody binds again.
    Recover(SessionConnectionIdentifier),
}

/// A transfer that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// Of ours: what a [`super::RtRequest::Resume`] needs.
    Sending(ResumePoint),
    /// Of the peer's: what a [`super::RtRequest::ResumeAccept`] needs. What the user has made of the octets so far is
    /// the user's to keep.
    Receiving(ReceiverState),
}

/// From where a transfer of ours can go on. It is good for the association on which the transfer was interrupted, and,
/// with the name of that session connection, for any other with the same peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePoint {
    /// Identifier of the activity that was interrupted, as on the wire.
    pub activity: Vec<u8>,
    /// The last checkpoint that the peer confirmed; at least 1.
    pub serial: u32,
    /// Octets of the APDU before that checkpoint.
    pub offset: u64,
    /// Octets of the whole APDU.
    pub length: u64,
}

/// A transfer of the peer's as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverState {
    /// Identifier of the activity that was interrupted, as on the wire.
    pub(super) activity: Vec<u8>,
    /// The last checkpoints that were confirmed, oldest first: one of them is the last that the peer knows to be
    /// confirmed.
    pub(super) checkpoints: Vec<Checkpoint>,
    /// Octets of the stream that the user has been given.
    pub(super) position: u64,
    /// What is around the APDU, and how far that has been read.
    pub(super) form: Form,
}

/// A checkpoint and its place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) serial: u32,
    pub(super) position: u64,
}

impl ReceiverState {
    /// Identifier of the activity that was interrupted, as on the wire.
    pub fn activity(&self) -> &[u8] {
        &self.activity
    }

    /// Octets of the stream that have come, the little that is around the APDU included.
    pub fn octets(&self) -> u64 {
        self.position
    }

    /// Whether the transfer can go on from this checkpoint.
    pub fn knows(&self, serial: u32) -> bool {
        self.checkpoint(serial).is_some()
    }

    pub(super) fn checkpoint(&self, serial: u32) -> Option<Checkpoint> {
        self.checkpoints.iter().find(|checkpoint| checkpoint.serial == serial).copied()
    }
}
