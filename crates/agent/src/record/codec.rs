//! Records as octets: one version octet, then postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{MailboxRecord, OutboundRecord, TriedRecord, WorkRecord};
use crate::track::TrackRecord;

/// Why octets are no record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// No octets at all.
    #[error("the record is empty")]
    Empty,
    /// Written by a newer program.
    #[error("format version {found} is newer than this program, which reads up to {known}")]
    Version {
        /// What the record says.
        found: u8,
        /// The newest version this program reads.
        known: u8,
    },
    /// The octets after the version are not such a record.
    #[error("damaged record: {0}")]
    Damaged(postcard::Error),
    /// Octets are left after the record.
    #[error("{0} octets are left after the record")]
    Trailing(usize),
}

/// A record of the spool.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that [`Record::encode`] writes.
    const VERSION: u8;
    /// What the octets of the version before lack at their end, if that is readable: the encoding of what was added.
    const ADDED: Option<&'static [u8]> = None;

    /// The record as octets.
    fn encode(&self) -> Vec<u8> {
        let version = vec![Self::VERSION];
        // Writing into a vector has no way to fail: postcard refuses only sequences of unknown length, and records
        // have none. Were it to, the version octet alone is a record which nobody takes for a whole one.
        postcard::to_extend(self, version).unwrap_or_else(|_| vec![Self::VERSION])
    }

    /// The record in `octets`.
    ///
    /// # Errors
    /// Not such a record, or one of a later version.
    fn decode(octets: &[u8]) -> Result<Self, RecordError> {
        let (&version, rest) = octets.split_first().ok_or(RecordError::Empty)?;
        let completed = match Self::ADDED {
            Some(added) if version.checked_add(1) == Some(Self::VERSION) => [rest, added].concat(),
            Some(_) | None if version == Self::VERSION => Vec::new(),
            Some(_) | None => return Err(RecordError::Version { found: version, known: Self::VERSION }),
        };
        let rest = if completed.is_empty() { rest } else { &completed };
        let (record, left) = postcard::take_from_bytes(rest).map_err(RecordError::Damaged)?;
        if left.is_empty() { Ok(record) } else { Err(RecordError::Trailing(left.len())) }
    }
}

/// No tries: an empty list.
const NO_TRIES: &[u8] = &[0];

impl Record for WorkRecord {
    const VERSION: u8 = 2;
    const ADDED: Option<&'static [u8]> = Some(NO_TRIES);
}

impl Record for OutboundRecord {
    const VERSION: u8 = 2;
    const ADDED: Option<&'static [u8]> = Some(NO_TRIES);
}

impl Record for MailboxRecord {
    const VERSION: u8 = 1;
}

impl Record for TriedRecord {
    const VERSION: u8 = 1;
}

/// No subject of a message.
const NO_SUBJECT: &[u8] = &[0];

impl Record for TrackRecord {
    const VERSION: u8 = 2;
    const ADDED: Option<&'static [u8]> = Some(NO_SUBJECT);
}

/// A [`clock::WallTime`] as seconds since 1970.
pub(crate) mod wall {
    use clock::WallTime;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &WallTime, to: S) -> Result<S::Ok, S::Error> {
        time.unix().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallTime, D::Error> {
        i64::deserialize(from).map(WallTime::from_unix)
    }
}

/// A [`spool::BodyId`] as its number.
pub(super) mod body {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use spool::BodyId;

    pub(crate) fn serialize<S: Serializer>(body: &BodyId, to: S) -> Result<S::Ok, S::Error> {
        body.0.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BodyId, D::Error> {
        u64::deserialize(from).map(BodyId)
    }
}

#[cfg(test)]
mod tests {
    use clock::WallTime;
    use spool::BodyId;

    use super::*;
    use crate::record::{Failure, Item, MailboxItem, Source, Tries};

    fn work() -> WorkRecord {
        WorkRecord {
            item: Item::Message { envelope: vec![0x31, 0x80], body: BodyId(7), content_length: 300 },
            source: Source::Connector("to-b".into()),
            arrived: WallTime::from_unix(1_795_321_800),
            exhausted: vec!["x".into()],
            failure: Some(Failure { reason: 0, diagnostic: 2, text: "t".into() }),
            tries: Tries::default(),
        }
    }

    /// The octets of version 1 as first released: a program that can't read them has lost the queues.
    #[test]
    fn version_1_of_a_work_record_stays_readable() {
        let octets = [
            1, 0, 2, 0x31, 0x80, 7, 0xAC, 2, 1, 4, b't', b'o', b'-', b'b', 0x90, 0xBF, 0x93, 0xB0, 0x0D, 1,
            1, b'x', 1, 0, 4, 1, b't',
        ];
        assert_eq!(WorkRecord::decode(&octets), Ok(work()));
    }

    /// The same for version 2, which has the tries.
    #[test]
    fn version_2_of_a_work_record_stays_readable() {
        let octets = [
            2, 0, 2, 0x31, 0x80, 7, 0xAC, 2, 1, 4, b't', b'o', b'-', b'b', 0x90, 0xBF, 0x93, 0xB0, 0x0D, 1,
            1, b'x', 1, 0, 4, 1, b't', 1, 1, b'y', 3,
        ];
        let tried = WorkRecord { tries: Tries::default().after("y", 3), ..work() };
        assert_eq!(tried.encode(), octets);
        assert_eq!(WorkRecord::decode(&octets), Ok(tried));
    }

    /// An entry of tracking as it was before it had the subject of the message.
    #[test]
    fn version_1_of_an_entry_of_tracking_stays_readable() {
        let octets =
            [1, 0, 2, 2, b'i', b'd', 0, 1, 1, b'c', 1, 1, b'o', 1, 1, b'r', 1, 1, 7, 1, 1, 1, 1, b't'];
        let entry = TrackRecord {
            event: crate::TrackEvent::MessageIn,
            time: WallTime::from_unix(1),
            mts_identifier: "id".into(),
            subject: None,
            connector: Some("c".into()),
            originator: Some("o".into()),
            recipients: vec!["r".into()],
            recipient_count: 1,
            size: Some(7),
            rank: Some(1),
            text: Some("t".into()),
            ipm_subject: None,
        };
        assert_eq!(TrackRecord::decode(&octets), Ok(entry.clone()));
        let entry = TrackRecord { ipm_subject: Some("s".into()), ..entry };
        assert_eq!(TrackRecord::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn records_round_trip() {
        let outbound = OutboundRecord {
            item: Item::Report { apdu: vec![0xA1, 0] },
            source: Source::Agent,
            arrived: WallTime::from_unix(1),
            queued: WallTime::from_unix(2),
            expires: WallTime::from_unix(-3),
            attempts: 4,
            mts_identifier: "C=GB;A= ;L=1".into(),
            originator: "S=a".into(),
            size: u64::MAX,
            recipients: 5,
            exhausted: Vec::new(),
            last_failure: None,
            tries: Tries::default().after("z", 1),
        };
        assert_eq!(OutboundRecord::decode(&outbound.encode()), Ok(outbound));
        let mailbox = MailboxRecord {
            kind: MailboxItem::Message { envelope: vec![1], body: BodyId(u64::MAX), content_length: 0 },
            delivered: WallTime::from_unix(9),
            mts_identifier: String::new(),
            recipient: "S=b".into(),
        };
        assert_eq!(MailboxRecord::decode(&mailbox.encode()), Ok(mailbox));
    }

    #[test]
    fn a_damaged_record_is_refused_wherever_it_is_cut() {
        let whole = work().encode();
        for end in 0..whole.len() {
            assert!(WorkRecord::decode(&whole[..end]).is_err(), "cut at {end}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(WorkRecord::decode(&longer), Err(RecordError::Trailing(1)));
        let mut newer = whole;
        newer[0] = 3;
        assert_eq!(WorkRecord::decode(&newer), Err(RecordError::Version { found: 3, known: 2 }));
        newer[0] = 0;
        assert_eq!(WorkRecord::decode(&newer), Err(RecordError::Version { found: 0, known: 2 }));
        assert_eq!(WorkRecord::decode(&[]), Err(RecordError::Empty));
    }
}
