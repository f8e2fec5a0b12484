//! The sending side of one transfer: how the APDU is cut, and when the next piece may go.

use alloc::vec::Vec;

use super::config::RtseConfig;
use super::error::RequestError;
use super::service::Agreed;

/// Checkpoints of one activity: their serial numbers begin with 1, have six digits (X.225), and the end of the activity
/// takes one, too.
const CHECKPOINTS_MAX: u64 = 999_998;

/// An APDU on its way out, from the activity start to its last segment.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// Octets in front of the APDU, until they went with the first segment.
    head: Vec<u8>,
    /// Octets of the APDU that the user has not given yet.
    remaining: u64,
    /// Most octets of the stream in one segment.
    chunk: u64,
    /// Segments that the user was asked for; at most one, with its length.
    wanted: Option<usize>,
    window: u32,
    /// Checkpoints sent.
    sent: u32,
    /// Checkpoints that the peer confirmed.
    confirmed: u32,
}

/// What goes out for one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The octets, and a checkpoint after them.
    Checkpointed(Vec<u8>),
    /// The last octets.
    Last(Vec<u8>),
}

impl Sender {
    /// A transfer of `length` octets behind those of `head`.
    pub(super) fn new(
        config: &RtseConfig,
        agreed: &Agreed,
        head: Vec<u8>,
        length: u64,
    ) -> Result<Self, RequestError> {
        let chunk = if agreed.checkpoint_size_kb == 0 {
            let limit = config.max_unchecked_apdu;
            if length > limit {
                return Err(RequestError::TooLong { length, limit });
            }
            length.saturating_add(head.len() as u64)
        } else {
            // The agreed size may be whatever the peer proposed; ours bounds what is held in memory.
            let chunk =
                (u64::from(agreed.checkpoint_size_kb) * 1024).min(config.segment_octets_max.max(1024) as u64);
            // There is no checkpoint after the last segment.
            let limit = (chunk * (CHECKPOINTS_MAX + 1)).saturating_sub(head.len() as u64);
            if length > limit {
                return Err(RequestError::TooLong { length, limit });
            }
            chunk
        };
        Ok(Sender {
            head,
            remaining: length,
            chunk,
            wanted: None,
            window: agreed.window_size.max(1),
            sent: 0,
            confirmed: 0,
        })
    }

    /// The next number of octets to ask for; `None` while the window is closed or a segment is on order.
    pub(super) fn want(&mut self) -> Option<usize> {
        if self.wanted.is_some() || self.sent.saturating_sub(self.confirmed) >= self.window {
            return None;
        }
        // The head is shorter than the smallest chunk, so there is always room for some of the APDU.
        let room = self.chunk.saturating_sub(self.head.len() as u64);
        self.wanted = usize::try_from(self.remaining.min(room)).ok();
        self.wanted
    }

    /// Whether the peer's confirmation is what holds the transfer up.
    pub(super) fn is_blocked(&self) -> bool {
        self.wanted.is_none()
    }

    /// Takes the segment that was wanted.
    pub(super) fn segment(&mut self, octets: &[u8]) -> Result<Sent, RequestError> {
        if self.wanted != Some(octets.len()) {
            let wanted = self.wanted.unwrap_or(0);
            return Err(RequestError::SegmentLength { wanted, given: octets.len() });
        }
        self.wanted = None;
        self.remaining = self.remaining.saturating_sub(octets.len() as u64);
        let mut data = core::mem::take(&mut self.head);
        data.extend_from_slice(octets);
        if self.remaining == 0 {
            return Ok(Sent::Last(data));
        }
        self.sent = self.sent.saturating_add(1);
        Ok(Sent::Checkpointed(data))
    }

    /// Everything up to this checkpoint is confirmed.
    pub(super) fn confirm(&mut self, serial: u32) {
        self.confirmed = self.confirmed.max(serial.min(self.sent));
    }
}
