//! The sending side of one transfer: how the APDU is cut, when the next piece may go, and how far the peer has it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::config::RtseConfig;
use super::error::RequestError;
use super::resume::ResumePoint;
use super::service::Agreed;

/// Checkpoints of one activity: their serial numbers begin with 1, have six digits (X.225), and the end of the activity
/// takes one, too.
const CHECKPOINTS_MAX: u32 = 999_998;
/// Octets that an activity identifier may have (X.225).
const ACTIVITY_OCTETS_MAX: usize = 6;

/// An APDU on its way out, from the activity start or resume until its fate is known.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    activity: Vec<u8>,
    /// Whether the activity takes the place of one that was interrupted.
    resumed: bool,
    /// Octets in front of the APDU, until they went with the first segment.
    head: Vec<u8>,
    /// Octets of the APDU.
    length: u64,
    /// How many of them the user has given.
    offset: u64,
    /// Most octets of the stream that the user is asked for at once; with checkpoints they are a segment.
    chunk: u64,
    /// Whether all goes in one segment, because there are no checkpoints.
    unchecked: bool,
    /// Whether a part of it has gone.
    in_segment: bool,
    /// Segments that the user was asked for; at most one, with its length.
    wanted: Option<usize>,
    window: u32,
    /// The last checkpoint sent.
    sent: u32,
    /// The last checkpoint that the peer confirmed. Number 0 stands for the start.
    confirmed: Checkpoint,
    /// Those between the two.
    unconfirmed: VecDeque<Checkpoint>,
}

/// A checkpoint, with the octets of the APDU before it.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    serial: u32,
    offset: u64,
}

/// What goes out for one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The octets, and a checkpoint after them.
    Checkpointed(Vec<u8>),
    /// The last octets.
    Last(Vec<u8>),
    /// Octets of a segment that goes in parts.
    Part {
        /// With the first part, the octets that all parts have.
        start: Option<u64>,
        /// The octets.
        octets: Vec<u8>,
        /// Whether the segment, and the APDU, ends with them.
        last: bool,
    },
}

impl Sender {
    /// A transfer of `length` octets behind those of `head`.
    pub(super) fn new(
        config: &RtseConfig,
        agreed: &Agreed,
        head: Vec<u8>,
        length: u64,
    ) -> Result<Self, RequestError> {
        Sender::from(config, agreed, head, length, Checkpoint { serial: 0, offset: 0 })
    }

    /// The rest of a transfer that was interrupted.
    pub(super) fn resume(
        config: &RtseConfig,
        agreed: &Agreed,
        point: &ResumePoint,
    ) -> Result<Self, RequestError> {
        let ResumePoint { activity, serial, offset, length } = point;
        if !(1..=ACTIVITY_OCTETS_MAX).contains(&activity.len())
            || !(1..=CHECKPOINTS_MAX).contains(serial)
            || offset >= length
        {
            return Err(RequestError::NotResumable { problem: "this is no resume point" });
        }
        let from = Checkpoint { serial: *serial, offset: *offset };
        let sender = Sender::from(config, agreed, Vec::new(), *length, from)?;
        Ok(Sender { resumed: true, ..sender })
    }

    fn from(
        config: &RtseConfig,
        agreed: &Agreed,
        head: Vec<u8>,
        length: u64,
        from: Checkpoint,
    ) -> Result<Self, RequestError> {
        let rest = length.saturating_sub(from.offset);
        let most = config.segment_octets_max.max(1024) as u64;
        let unchecked = agreed.checkpoint_size_kb == 0;
        let chunk = if unchecked {
            most
        } else {
            // The agreed size may be whatever the peer proposed; ours bounds what is held in memory.
            let chunk = (u64::from(agreed.checkpoint_size_kb) * 1024).min(most);
            // There is no checkpoint after the last segment.
            let segments = u64::from((CHECKPOINTS_MAX + 1).saturating_sub(from.serial));
            let limit = chunk.saturating_mul(segments).saturating_sub(head.len() as u64);
            if rest > limit {
                return Err(RequestError::TooLong { length: rest, limit });
            }
            chunk
        };
        Ok(Sender {
            activity: Vec::new(),
            resumed: false,
            head,
            length,
            offset: from.offset,
            chunk,
            unchecked,
            in_segment: false,
            wanted: None,
            window: agreed.window_size.max(1),
            sent: from.serial,
            confirmed: from,
            unconfirmed: VecDeque::new(),
        })
    }

    /// The same, as this activity.
    pub(super) fn named(self, activity: Vec<u8>) -> Self {
        Sender { activity, ..self }
    }

    /// The next number of octets to ask for; `None` while the window is closed or a segment is on order.
    pub(super) fn want(&mut self) -> Option<usize> {
        if self.wanted.is_some() || self.sent.saturating_sub(self.confirmed.serial) >= self.window {
            return None;
        }
        // The head is shorter than the smallest chunk, so there is always room for some of the APDU.
        let room = self.chunk.saturating_sub(self.head.len() as u64);
        self.wanted = usize::try_from(self.length.saturating_sub(self.offset).min(room)).ok();
        self.wanted
    }

    /// Whether the peer's confirmation is what holds the transfer up.
    pub(super) fn is_blocked(&self) -> bool {
        self.wanted.is_none()
    }

    /// Whether a segment has gone in part.
    pub(super) fn is_in_segment(&self) -> bool {
        self.in_segment
    }

    /// Whether the activity takes the place of one that was interrupted.
    pub(super) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Takes the segment that was wanted.
    pub(super) fn segment(&mut self, octets: &[u8]) -> Result<Sent, RequestError> {
        if self.wanted != Some(octets.len()) {
            let wanted = self.wanted.unwrap_or(0);
            return Err(RequestError::SegmentLength { wanted, given: octets.len() });
        }
        self.wanted = None;
        self.offset = self.offset.saturating_add(octets.len() as u64);
        let mut data = core::mem::take(&mut self.head);
        data.extend_from_slice(octets);
        let last = self.offset >= self.length;
        if self.in_segment || self.unchecked && !last {
            let all = (data.len() as u64).saturating_add(self.length.saturating_sub(self.offset));
            let start = (!self.in_segment).then_some(all);
            self.in_segment = !last;
            return Ok(Sent::Part { start, octets: data, last });
        }
        if last {
            return Ok(Sent::Last(data));
        }
        self.sent = self.sent.saturating_add(1);
        // No more than the window has room for.
        self.unconfirmed.push_back(Checkpoint { serial: self.sent, offset: self.offset });
        Ok(Sent::Checkpointed(data))
    }

    /// Everything up to this checkpoint is confirmed.
    pub(super) fn confirm(&mut self, serial: u32) {
        while let Some(checkpoint) = self.unconfirmed.front().filter(|next| next.serial <= serial) {
            self.confirmed = *checkpoint;
            self.unconfirmed.pop_front();
        }
    }

    /// From where the transfer can go on, if it is interrupted now.
    pub(super) fn point(&self) -> Option<ResumePoint> {
        let Checkpoint { serial, offset } = self.confirmed;
        (serial > 0).then(|| ResumePoint {
            activity: self.activity.clone(),
            serial,
            offset,
            length: self.length,
        })
    }
}
