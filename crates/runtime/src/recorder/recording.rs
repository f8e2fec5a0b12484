//! What is recorded of one connection: what opened it, for good, and the newest of what followed.
//!
//! The opening names the presentation contexts, without which nothing after it can be decoded. It is kept whole as
//! long as the recording lives; all that follows goes into a ring and may be cut to its first octets.

use std::net::SocketAddr;
use std::sync::Arc;

use osi::tpkt::HEADER_OCTETS;

use super::budget::Budget;
use super::pcap::{Capture, Conversation};
use super::ring::{Frame, Ring};
use super::{Direction, RecorderSettings, mask};
use crate::status::Role;

/// Octets of what opens an association: the longest TSDU that the stack takes at that time, each way, and their
/// headers in the smallest TPDUs. What is longer was never understood by anyone.
const OPENING: usize = 40 << 10;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The peer closed it.
    ByPeer,
    /// It was reset or lost.
    Reset,
    /// This side closed it.
    Here,
}

/// The recording of one connection.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Number of the association.
    pub(super) association: u64,
    /// Number of the connection among all that were recorded, rising.
    pub(super) serial: u64,
    /// Connector, once known.
    pub(super) connector: Option<String>,
    /// Which end we are.
    pub(super) role: Role,
    /// Our end.
    pub(super) local: SocketAddr,
    /// The peer's end.
    pub(super) peer: SocketAddr,
    /// Microseconds since 1970.
    pub(super) began: u64,
    /// When and how it ended, if it has.
    pub(super) closed: Option<(u64, Closed)>,
    snap: usize,
    is_open: bool,
    opening: Ring,
    rest: Ring,
    lost: Lost,
    incoming: Incoming,
}

/// What was between the opening and the oldest frame of the ring.
#[derive(Debug, Default)]
struct Lost {
    tpdus: u64,
    received: Gap,
    sent: Gap,
}

/// The part of it that went one way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gap {
    /// Octets on the wire.
    pub(super) octets: u64,
    /// Its last TPDU did not end a TSDU.
    pub(super) continues: bool,
}

/// A TPDU that can be shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// Its place among all TPDUs of the connection, from 1: the same whenever it is asked for.
    pub(super) number: u64,
    /// Octets that went before it the same way and are not at hand.
    pub(super) missing: u64,
    /// The TPDU.
    pub(super) frame: Frame,
}

/// A TPDU that has not come in as a whole yet.
#[derive(Debug, Default)]
struct Incoming {
    /// Its first octets, as many as are kept.
    kept: Vec<u8>,
    /// Octets of it that have come.
    count: usize,
    /// What came is no RFC 1006; from then on it is recorded as it comes.
    is_raw: bool,
}

impl Recording {
    pub(super) fn new(
        settings: &RecorderSettings,
        budget: Arc<Budget>,
        (association, serial): (u64, u64),
        role: Role,
        local: SocketAddr,
        peer: SocketAddr,
        began: u64,
    ) -> Recording {
        Recording {
            association,
            serial,
            connector: None,
            role,
            local,
            peer,
            began,
            closed: None,
            snap: settings.snap_octets,
            is_open: false,
            opening: Ring::new(OPENING, Arc::clone(&budget)),
            rest: Ring::new(settings.association_octets, budget),
            lost: Lost::default(),
            incoming: Incoming::default(),
        }
    }

    /// Takes octets from the peer, in any pieces.
    pub(super) fn received(&mut self, micros: u64, mut octets: &[u8]) {
        while !octets.is_empty() {
            if self.incoming.is_raw {
                // One read of the socket at a time, which is far below what a frame can be.
                return self.frame(micros, Direction::Received, octets, octets.len());
            }
            let Some(header) = self.header(octets) else {
                self.incoming.kept.extend_from_slice(octets);
                self.incoming.count += octets.len();
                return;
            };
            let [3, _, high, low] = header else {
                // The octets of a header that came before are lost; there are three at most.
                self.incoming = Incoming { is_raw: true, ..Incoming::default() };
                continue;
            };
            let length = usize::from(u16::from_be_bytes([high, low])).max(HEADER_OCTETS);
            let (now, behind) = octets.split_at(octets.len().min(length.saturating_sub(self.incoming.count)));
            octets = behind;
            if self.incoming.count == 0 && now.len() == length {
                self.frame(micros, Direction::Received, now, length);
                continue;
            }
            let kept = self.keep(length).saturating_sub(self.incoming.kept.len()).min(now.len());
            self.incoming.kept.extend(now.iter().take(kept));
            self.incoming.count += now.len();
            if self.incoming.count == length {
                let whole = std::mem::take(&mut self.incoming);
                self.frame(micros, Direction::Received, &whole.kept, length);
            }
        }
    }

    /// The TPKT header of the TPDU that `octets` belong to, once all of it is there.
    fn header(&self, octets: &[u8]) -> Option<[u8; HEADER_OCTETS]> {
        let mut both = self.incoming.kept.iter().chain(octets).copied();
        Some([both.next()?, both.next()?, both.next()?, both.next()?])
    }

    /// Octets kept of a TPDU of this length.
    fn keep(&self, length: usize) -> usize {
        if self.is_open { length.min(self.snap) } else { length }
    }

    /// Takes one TPDU with its TPKT header, of which `octets` are at hand.
    pub(super) fn frame(&mut self, micros: u64, direction: Direction, octets: &[u8], length: usize) {
        let kept = octets.get(..self.keep(octets.len())).unwrap_or(octets);
        // A TPKT is not longer than 65,535 octets.
        let wire = u16::try_from(length).unwrap_or(u16::MAX);
        let lost = &mut self.lost;
        let taken = if self.is_open {
            self.rest.push(micros, direction, wire, kept, |frame| lost.add(frame))
        } else {
            // Nothing of the opening gives way: what does not fit is lost.
            self.opening.octets() + kept.len() + 64 <= OPENING
                && self.opening.push(micros, direction, wire, kept, |frame| lost.add(frame))
        };
        if !taken {
            let octets = kept.get(..kept.len().min(16)).unwrap_or_default().to_vec();
            lost.add(&Frame { micros, direction, length: usize::from(wire), octets });
        }
    }

    /// What follows belongs to the open association.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// The connection has ended; the first word counts.
    pub(super) fn close(&mut self, micros: u64, how: Closed) {
        self.closed.get_or_insert((micros, how));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tpdus() == 0
    }

    /// TPDUs at hand.
    pub(super) fn tpdus(&self) -> u64 {
        (self.opening.len() + self.rest.len()) as u64
    }

    /// Memory in use.
    pub(super) fn octets(&self) -> u64 {
        (self.opening.octets() + self.rest.octets()) as u64
    }

    /// TPDUs that are lost between the opening and the oldest of the others.
    pub(super) fn lost_tpdus(&self) -> u64 {
        self.lost.tpdus
    }

    /// Adds the connection to a packet capture.
    pub(super) fn write_to(&self, capture: &mut Capture, mask_passwords: bool) {
        let mut conversation = Conversation::begin(capture, self.role, self.local, self.peer, self.began);
        for shown in self.shown(mask_passwords) {
            conversation.skip(shown.frame.direction, shown.missing);
            conversation.frame(&shown.frame);
        }
        if let Some((micros, how)) = self.closed {
            conversation.end(micros, how);
        }
    }

    /// The TPDUs that a reader can follow, oldest first.
    pub(super) fn shown(&self, mask_passwords: bool) -> Vec<Shown> {
        let mut opening: Vec<Frame> = self.opening.frames().collect();
        if mask_passwords {
            mask::passwords(&mut opening);
        }
        let mut numbers = 1..;
        let mut shown: Vec<Shown> = opening
            .into_iter()
            .zip(&mut numbers)
            .map(|(frame, number)| Shown { number, missing: 0, frame })
            .collect();
        // What is lost went between the opening and the rest: each frame gives way to the one behind it.
        let numbers = numbers.skip(usize::try_from(self.lost.tpdus).unwrap_or(usize::MAX));
        let (mut received, mut sent) = (self.lost.received, self.lost.sent);
        for (frame, number) in self.rest.frames().zip(numbers) {
            let gap = match frame.direction {
                Direction::Received => &mut received,
                Direction::Sent => &mut sent,
            };
            if gap.continues {
                // The rest of a TSDU whose beginning is lost would be taken for a beginning.
                *gap = Gap { octets: gap.octets + frame.length as u64, continues: frame.continues() };
                continue;
            }
            shown.push(Shown { number, missing: std::mem::take(&mut gap.octets), frame });
        }
        shown
    }
}

impl Lost {
    fn add(&mut self, frame: &Frame) {
        self.tpdus += 1;
        let gap = match frame.direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        };
        *gap = Gap { octets: gap.octets + frame.length as u64, continues: frame.continues() };
    }
}
