//! What outlives a restart: where a transfer out was interrupted, and a transfer in as far as it has come.
//!
//! Both are good for as long as an interrupted transfer may be resumed, a minute or so. A record that this program can't
//! read is dropped: the transfer then begins anew.

use agent::record::Record;
use agent::settings::RtsSettings;
use clock::WallTime;
use mhs::p1::ApduReaderState;
use osi::rtse::{ReceiverState, ResumePoint, SessionConnectionIdentifier};
use serde::{Deserialize, Serialize};

/// In [`agent::record::RESUME`]: what is remembered of the interrupted transfers of one queued item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResumeRecord {
    /// From where it can go on; nothing if the peer did not know it any more, or had all of it and did not answer.
    pub(crate) interruption: Option<Interruption>,
    /// Octets that were confirmed at most before an interruption. One that gets no further is a failed transfer: thus a
    /// transfer that never gets through comes to an end. It holds for as long as the item is queued.
    pub(crate) furthest: u64,
    /// When it last got further; seconds since 1970.
    pub(crate) at: i64,
    /// The connection was lost when it was last tried to resume it. Not remembered over a restart.
    #[serde(skip)]
    pub(crate) in_vain: bool,
}

/// An interrupted transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interruption {
    /// The session connection on which it was.
    pub(crate) connection: SessionConnectionIdentifier,
    /// From where it goes on.
    pub(crate) point: ResumePoint,
    /// [`agent::apdu_digest`] of what was being sent.
    pub(crate) digest: [u8; 32],
}

impl ResumeRecord {
    /// How many seconds are left of `timeout_s`.
    pub(crate) fn seconds_left(&self, now: WallTime, timeout_s: u32) -> u32 {
        // A clock that was set back must not make it last longer than it may.
        let age = now.unix().saturating_sub(self.at).max(0);
        u32::try_from(age).map_or(0, |age| timeout_s.saturating_sub(age))
    }

    /// Of an item all of whose octets were sent, and not answered before the association was lost; nothing to resume.
    pub(crate) fn unanswered(before: Option<&ResumeRecord>, now: WallTime) -> ResumeRecord {
        let furthest = before.map_or(0, |before| before.furthest);
        ResumeRecord { interruption: None, furthest, at: now.unix(), in_vain: false }
    }

    /// Whether the peer may have everything. More than a window beyond what was confirmed is never sent, and what was
    /// agreed with the peer is no more than the settings propose (X.228). Where nothing can be resumed, the peer did not
    /// know the transfer any more, and may have had it.
    pub(crate) fn may_be_complete(&self, rts: &RtsSettings) -> bool {
        let Some(Interruption { point, .. }) = &self.interruption else { return true };
        let checkpoint = u64::from(rts.checkpoint_size_kb) * 1024;
        // One more segment may be under way behind the last checkpoint.
        let ahead = checkpoint * (u64::from(rts.window_size) + 1);
        // Nothing is ever confirmed of a transfer for which a peer wanted no checkpoints.
        checkpoint == 0 || point.offset == 0 || point.offset.saturating_add(ahead) >= point.length
    }
}

/// The body to which a record in [`agent::record::PARKED`] refers, if it does.
///
/// # Errors
/// The octets are no such record.
pub fn parked_body(value: &[u8]) -> Result<Option<spool::BodyId>, agent::record::RecordError> {
    Ok(ParkedRecord::decode(value)?.body.map(|(name, _)| spool::BodyId(name)))
}

impl Record for ResumeRecord {
    const VERSION: u8 = 1;
}

/// In [`agent::record::PARKED`]: an interrupted transfer in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParkedRecord {
    /// What the peer may call it: session connection and activity.
    pub(crate) names: Vec<(SessionConnectionIdentifier, Vec<u8>)>,
    /// RTSE's part of it.
    pub(crate) receiver: ReceiverState,
    /// Whether its association was in normal mode: in X.410 mode the stream is another.
    pub(crate) normal_mode: bool,
    /// P1's part of it.
    pub(crate) reader: ApduReaderState,
    /// What was read before the content.
    pub(crate) head: Option<ParkedHead>,
    /// Name and length of the content so far.
    pub(crate) body: Option<(u64, u64)>,
    /// Everything has come but the end of the transfer.
    pub(crate) complete: bool,
    /// When it was interrupted; seconds since 1970.
    pub(crate) at: i64,
}

/// Encoded, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ParkedHead {
    /// The envelope of a message.
    Message(Vec<u8>),
    /// A probe.
    Probe(Vec<u8>),
    /// A report.
    Report(Vec<u8>),
}

impl Record for ParkedRecord {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ResumeRecord {
        let connection = osi::session::ConnectionIdentifier {
            user_reference: Some(b"\x04\x01a".to_vec()),
            common_reference: Some(b"\x17\x02bc".to_vec()),
            additional_reference: None,
        };
        let point = ResumePoint { activity: vec![2, 1, 9], serial: 3, offset: 92_160, length: 300_000 };
        ResumeRecord {
            interruption: Some(Interruption { connection: connection.into(), point, digest: [7; 32] }),
            furthest: 92_160,
            at: 1_795_321_800,
            in_vain: false,
        }
    }

    /// The octets of version 1.
    #[test]
    fn a_resume_record_stays_readable() {
        let octets = [
            &[1, 1, 3, 4, 1, b'a', 4, 0x17, 2, b'b', b'c', 0, 3, 2, 1, 9, 3, 0x80, 0xD0, 5, 0xE0, 0xA7, 0x12]
                [..],
            &[7; 32],
            &[0x80, 0xD0, 5, 0x90, 0xBF, 0x93, 0xB0, 0x0D],
        ]
        .concat();
        assert_eq!(record().encode(), octets);
        assert_eq!(ResumeRecord::decode(&octets), Ok(record()));
    }

    #[test]
    fn what_is_further_from_its_end_than_a_window_can_not_be_complete() {
        let rts = |checkpoint_size_kb, window_size| RtsSettings {
            checkpoint_size_kb,
            window_size,
            ..RtsSettings::default()
        };
        let at = |offset| {
            let mut record = record();
            if let Some(interruption) = &mut record.interruption {
                interruption.point.offset = offset;
            }
            record
        };
        // Of 300,000 octets; a window of five times 30 KB and the segment behind it are 184,320.
        assert!(!at(115_679).may_be_complete(&rts(30, 5)));
        assert!(at(115_680).may_be_complete(&rts(30, 5)));
        assert!(at(0).may_be_complete(&rts(30, 5)), "without checkpoints nothing limits what is sent");
        assert!(at(30_720).may_be_complete(&rts(0, 5)), "the settings have changed since");
        assert!(
            ResumeRecord::unanswered(Some(&record()), WallTime::from_unix(7)).may_be_complete(&rts(30, 5))
        );
    }

    #[test]
    fn a_record_is_good_for_its_time_whatever_the_clock() {
        let record = record();
        for (passed, left) in [(0, 60), (59, 1), (60, 0), (61, 0), (1 << 40, 0), (-1_000_000, 60)] {
            let now = WallTime::from_unix(record.at).plus_seconds(passed);
            assert_eq!(record.seconds_left(now, 60), left, "{passed} s later");
        }
        assert_eq!(record.seconds_left(WallTime::from_unix(record.at), 0), 0);
    }
}
