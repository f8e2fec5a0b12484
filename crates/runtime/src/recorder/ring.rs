//! TPDUs in bounded memory: appended at the end, whole ones dropped at the beginning.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Direction;
use super::budget::Budget;

/// Octets in front of each TPDU: time, direction, its length on the wire, octets kept.
const HEADER: usize = 8 + 1 + 2 + 2;
/// Memory is taken in pieces of so many octets.
const STEP: usize = 4096;

/// One TPDU with its TPKT header, or what was kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Microseconds since 1970.
    pub(super) micros: u64,
    /// Which way it went.
    pub(super) direction: Direction,
    /// Its length on the wire.
    pub(super) length: usize,
    /// Its first octets.
    pub(super) octets: Vec<u8>,
}

impl Frame {
    /// Octets by which it is known what it is.
    const BEGINNING: usize = 7;

    /// Whether it is a DT that does not end its TSDU (X.224 13.7).
    pub(super) fn continues(&self) -> bool {
        matches!(self.octets.as_slice(), [_, _, _, _, _, 0xF0, number, ..] if number & 0x80 == 0)
    }
}

/// The newest frames, within a limit of its own and the budget of all.
#[derive(Debug)]
pub(super) struct Ring {
    octets: VecDeque<u8>,
    /// What was taken of the budget.
    taken: usize,
    limit: usize,
    frames: usize,
    budget: Arc<Budget>,
}

impl Ring {
    /// An empty ring, which holds no memory.
    pub(super) fn new(limit: usize, budget: Arc<Budget>) -> Ring {
        Ring { octets: VecDeque::new(), taken: 0, limit, frames: 0, budget }
    }

    /// Number of frames.
    pub(super) fn len(&self) -> usize {
        self.frames
    }

    /// Octets of memory in use.
    pub(super) fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Appends a frame of which `kept` is stored, after `evicted` has been told of each one that had to go. `false`
    /// if there is no room even so.
    pub(super) fn push(
        &mut self,
        micros: u64,
        direction: Direction,
        length: u16,
        kept: &[u8],
        mut evicted: impl FnMut(&Frame),
    ) -> bool {
        let Ok(count) = u16::try_from(kept.len()) else { return false };
        let needed = HEADER + kept.len();
        while self.octets.len() + needed > self.taken {
            let more = STEP.max(self.octets.len() + needed - self.taken).min(self.limit - self.taken);
            let enough = self.octets.len() + needed <= self.taken + more;
            if enough && self.budget.take(more) {
                self.taken += more;
                self.octets.reserve_exact(self.taken - self.octets.len());
            } else {
                match self.pop() {
                    Some(frame) => evicted(&frame),
                    None => return false,
                }
            }
        }
        self.octets.extend(micros.to_le_bytes());
        self.octets.push_back(u8::from(direction == Direction::Sent));
        self.octets.extend(length.to_le_bytes());
        self.octets.extend(count.to_le_bytes());
        self.octets.extend(kept);
        self.frames += 1;
        true
    }

    /// The frames, oldest first.
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame> {
        let mut rest = self.octets.iter().copied();
        std::iter::from_fn(move || Some(read(&mut rest, usize::MAX)?.0))
    }

    /// Drops the oldest frame and tells its beginning. At a steady load each new one needs it, so it is not read whole.
    fn pop(&mut self) -> Option<Frame> {
        let (frame, kept) = read(&mut self.octets.iter().copied(), Frame::BEGINNING)?;
        self.octets.drain(..HEADER + kept);
        self.frames -= 1;
        Some(frame)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.budget.give(self.taken);
    }
}

/// The next frame with at most so many of its octets, and how many were kept; `None` at the end.
fn read(octets: &mut impl Iterator<Item = u8>, most: usize) -> Option<(Frame, usize)> {
    let mut head = [0; HEADER];
    for octet in &mut head {
        *octet = octets.next()?;
    }
    let [micros @ .., direction, l0, l1, k0, k1] = head;
    let kept = usize::from(u16::from_le_bytes([k0, k1]));
    let frame = Frame {
        micros: u64::from_le_bytes(micros),
        direction: if direction == 1 { Direction::Sent } else { Direction::Received },
        length: usize::from(u16::from_le_bytes([l0, l1])),
        octets: octets.take(kept.min(most)).collect(),
    };
    Some((frame, kept))
}
