//! A recording TPDU by TPDU, for those who take them apart.

use std::net::SocketAddr;

use super::recording::{Closed, Recording, Shown};
use super::{Direction, status};
use crate::status::{RecordingStatus, Role};

/// What is recorded of one connection, with passwords masked as in a packet capture.
#[derive(Clone, Debug)]
pub struct RecordedConnection {
    /// What it is a recording of.
    pub status: RecordingStatus,
    /// Its number among all connections that were recorded; later ones have higher numbers.
    pub serial: u64,
    /// The end that opened it.
    pub initiator: SocketAddr,
    /// The end that accepted it.
    pub responder: SocketAddr,
    /// When it was made, in microseconds since 1970.
    pub began: u64,
    /// When it ended, in microseconds since 1970, and how, if it has.
    pub ended: Option<(u64, RecordedEnd)>,
    /// The TPDUs at hand, oldest first. Each direction goes on behind a gap with the beginning of a TSDU.
    pub tpdus: Vec<RecordedTpdu>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedEnd {
    /// Whether the initiator ended it.
    pub by_initiator: bool,
    /// Whether it was reset or lost, instead of closed.
    pub reset: bool,
}

/// One recorded TPDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedTpdu {
    /// Its place among all TPDUs of the connection, from 1. It stays the same when older ones go.
    pub number: u64,
    /// When it was queued for TCP, or was here as a whole, in microseconds since 1970.
    pub micros: u64,
    /// Whether the initiator sent it.
    pub by_initiator: bool,
    /// Octets that went before it the same way and are not at hand.
    pub missing: u64,
    /// Its length on the wire, with its TPKT header.
    pub length: usize,
    /// Its first octets, as many as are kept.
    pub octets: Vec<u8>,
}

impl RecordedConnection {
    pub(super) fn of(recording: &Recording, mask_passwords: bool) -> RecordedConnection {
        let initiates =
            |direction: Direction| (direction == Direction::Sent) == (recording.role == Role::Initiator);
        let (initiator, responder) = match recording.role {
            Role::Initiator => (recording.local, recording.peer),
            Role::Responder => (recording.peer, recording.local),
        };
        let ended = recording.closed.map(|(micros, how)| {
            let (by, reset) = match how {
                Closed::ByPeer => (Direction::Received, false),
                Closed::Reset => (Direction::Received, true),
                Closed::Here => (Direction::Sent, false),
            };
            (micros, RecordedEnd { by_initiator: initiates(by), reset })
        });
        let tpdus = recording.shown(mask_passwords).into_iter().map(|Shown { number, missing, frame }| {
            RecordedTpdu {
                number,
                micros: frame.micros,
                by_initiator: initiates(frame.direction),
                missing,
                length: frame.length,
                octets: frame.octets,
            }
        });
        RecordedConnection {
            status: status(recording),
            serial: recording.serial,
            initiator,
            responder,
            began: recording.began,
            ended,
            tpdus: tpdus.collect(),
        }
    }
}
