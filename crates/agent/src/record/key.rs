//! Keys of the spaces: built and taken apart here and nowhere else.
//!
//! Sequence numbers and times are big-endian, so that the order of the keys is the order of the queue.

use clock::WallTime;
use sha2::{Digest, Sha256};

use spool::Space;

use super::{OUTBOUND, Rank, WORK};

const SEPARATOR: u8 = 0;

/// Key in [`super::WORK`]: rank octet, sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkKey {
    /// Priority.
    pub rank: Rank,
    /// Unique number.
    pub sequence: u64,
}

impl WorkKey {
    /// The key as octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut key = vec![self.rank.octet()];
        key.extend_from_slice(&self.sequence.to_be_bytes());
        key
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<WorkKey> {
        let (&rank, sequence) = key.split_first()?;
        let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
        Some(WorkKey { rank: Rank::from_octet(rank)?, sequence })
    }
}

/// Key in [`super::OUTBOUND`]: connector name, zero octet, rank octet, sequence number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboundKey {
    /// Name of the connector.
    pub connector: String,
    /// Priority.
    pub rank: Rank,
    /// Unique number.
    pub sequence: u64,
}

/// Start of every key of this connector; with the octet of a [`Rank`] behind it, of this connector and rank.
pub fn outbound_prefix(connector: &str) -> Vec<u8> {
    let mut key = connector.as_bytes().to_vec();
    key.push(SEPARATOR);
    key
}

impl OutboundKey {
    /// The key as octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut key = outbound_prefix(&self.connector);
        key.push(self.rank.octet());
        key.extend_from_slice(&self.sequence.to_be_bytes());
        key
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<OutboundKey> {
        let (rest, sequence) = key.split_last_chunk::<8>()?;
        let (&rank, rest) = rest.split_last()?;
        let (&SEPARATOR, connector) = rest.split_last()? else { return None };
        Some(OutboundKey {
            connector: str::from_utf8(connector).ok()?.to_owned(),
            rank: Rank::from_octet(rank)?,
            sequence: u64::from_be_bytes(*sequence),
        })
    }
}

/// Key in [`super::HELD`]: octet of the space that it was in, key that it had there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeldKey {
    /// From the work queue.
    Work(WorkKey),
    /// From the queue of a connector.
    Outbound(OutboundKey),
}

/// Start of the key of everything that is held of the queue of this connector.
pub fn held_prefix(connector: &str) -> Vec<u8> {
    let mut key = vec![OUTBOUND.0];
    key.extend(outbound_prefix(connector));
    key
}

impl HeldKey {
    /// The key as octets.
    pub fn encode(&self) -> Vec<u8> {
        let (space, key) = match self {
            HeldKey::Work(key) => (WORK, key.encode()),
            HeldKey::Outbound(key) => (OUTBOUND, key.encode()),
        };
        let mut held = vec![space.0];
        held.extend(key);
        held
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<HeldKey> {
        let (&space, key) = key.split_first()?;
        match Space(space) {
            WORK => WorkKey::parse(key).map(HeldKey::Work),
            OUTBOUND => OutboundKey::parse(key).map(HeldKey::Outbound),
            _ => None,
        }
    }
}

/// Key in [`super::MAILBOX`]: canonical key of the address, zero octet, sequence number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxKey {
    /// [`mhs::OrAddress::canonical_key`] of the mailbox.
    pub mailbox: String,
    /// Unique number; it names the entry within the mailbox.
    pub sequence: u64,
}

/// Start of every key of this mailbox.
pub fn mailbox_prefix(mailbox: &str) -> Vec<u8> {
    let mut key = mailbox.as_bytes().to_vec();
    key.push(SEPARATOR);
    key
}

impl MailboxKey {
    /// The key as octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut key = mailbox_prefix(&self.mailbox);
        key.extend_from_slice(&self.sequence.to_be_bytes());
        key
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<MailboxKey> {
        let (rest, sequence) = key.split_last_chunk::<8>()?;
        let (&SEPARATOR, mailbox) = rest.split_last()? else { return None };
        Some(MailboxKey {
            mailbox: str::from_utf8(mailbox).ok()?.to_owned(),
            sequence: u64::from_be_bytes(*sequence),
        })
    }
}

/// Key in [`super::PARKED`]: connector name, zero octet, sequence number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParkedKey {
    /// Name of the connector over which it was coming in.
    pub connector: String,
    /// Unique number.
    pub sequence: u64,
}

impl ParkedKey {
    /// The key as octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut key = outbound_prefix(&self.connector);
        key.extend_from_slice(&self.sequence.to_be_bytes());
        key
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<ParkedKey> {
        let (rest, sequence) = key.split_last_chunk::<8>()?;
        let (&SEPARATOR, connector) = rest.split_last()? else { return None };
        Some(ParkedKey {
            connector: str::from_utf8(connector).ok()?.to_owned(),
            sequence: u64::from_be_bytes(*sequence),
        })
    }
}

/// Key in [`super::DUPLICATE_AGE`]: time of acceptance, digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateAgeKey {
    /// When the transfer was accepted.
    pub accepted: WallTime,
    /// Key in [`super::DUPLICATE`].
    pub digest: [u8; 32],
}

impl DuplicateAgeKey {
    /// The key as octets. Times before 1970 count as 1970.
    pub fn encode(&self) -> Vec<u8> {
        let seconds = u64::try_from(self.accepted.unix()).unwrap_or(0);
        let mut key = seconds.to_be_bytes().to_vec();
        key.extend_from_slice(&self.digest);
        key
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<DuplicateAgeKey> {
        let (seconds, digest) = key.split_first_chunk::<8>()?;
        let seconds = i64::try_from(u64::from_be_bytes(*seconds)).ok()?;
        Some(DuplicateAgeKey { accepted: WallTime::from_unix(seconds), digest: digest.try_into().ok()? })
    }
}

/// Octets of a digest in a [`TrackKey`].
const TRACK_DIGEST: usize = 16;

/// Key in [`super::TRACK`]: hour, digest of the MTS-identifier, sequence number. What is old stands in front, and what
/// one hour knows of one identifier stands together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    /// Hours since 1970.
    pub hour: u32,
    /// [`track_digest`] of the identifier under which it is found.
    pub digest: [u8; TRACK_DIGEST],
    /// Unique number, growing with time.
    pub sequence: u64,
}

/// By what an MTS-identifier in text form is found.
pub fn track_digest(mts_identifier: &str) -> [u8; TRACK_DIGEST] {
    let digest = Sha256::digest(mts_identifier.as_bytes());
    let mut short = [0; TRACK_DIGEST];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}

/// What no key of this hour is greater than.
pub fn track_hour_end(hour: u32) -> Vec<u8> {
    TrackKey { hour, digest: [u8::MAX; TRACK_DIGEST], sequence: u64::MAX }.encode()
}

impl TrackKey {
    /// The hour of a time. Times before 1970 count as 1970.
    pub fn hour_of(time: WallTime) -> u32 {
        u32::try_from(time.unix().div_euclid(3_600).max(0)).unwrap_or(u32::MAX)
    }

    /// Start of every key of this hour and identifier.
    pub fn prefix(&self) -> Vec<u8> {
        let mut key = self.hour.to_be_bytes().to_vec();
        key.extend_from_slice(&self.digest);
        key
    }

    /// The key as octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut key = self.prefix();
        key.extend_from_slice(&self.sequence.to_be_bytes());
        key
    }

    /// Takes a key apart; `None` if it is not of this form.
    pub fn parse(key: &[u8]) -> Option<TrackKey> {
        let (hour, rest) = key.split_first_chunk::<4>()?;
        let (digest, sequence) = rest.split_first_chunk::<TRACK_DIGEST>()?;
        let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
        Some(TrackKey { hour: u32::from_be_bytes(*hour), digest: *digest, sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_rank_then_sequence() {
        let mut keys = Vec::new();
        for rank in Rank::ALL {
            for sequence in [0, 1, 255, 256, u64::MAX] {
                keys.push(WorkKey { rank, sequence }.encode());
            }
        }
        assert!(keys.is_sorted());
        for key in keys {
            assert_eq!(WorkKey::parse(&key).map(|k| k.encode()), Some(key));
        }
    }

    #[test]
    fn a_connector_never_sees_the_queue_of_one_whose_name_starts_alike() {
        let key = OutboundKey { connector: "to-b2".into(), rank: Rank::Urgent, sequence: 1 };
        assert!(!key.encode().starts_with(&outbound_prefix("to-b")));
        assert!(key.encode().starts_with(&outbound_prefix("to-b2")));
        assert_eq!(OutboundKey::parse(&key.encode()), Some(key));
    }

    #[test]
    fn parked_mailbox_and_age_keys_come_apart_again() {
        let key = ParkedKey { connector: "to-b".into(), sequence: 7 };
        assert_eq!(ParkedKey::parse(&key.encode()), Some(key));
        let key = MailboxKey { mailbox: "c=gb;p=alpha;s=m\u{fc}ller".into(), sequence: 0 };
        assert_eq!(MailboxKey::parse(&key.encode()), Some(key));
        let key = DuplicateAgeKey { accepted: WallTime::from_unix(1_795_321_800), digest: [9; 32] };
        assert_eq!(DuplicateAgeKey::parse(&key.encode()), Some(key));
        let key = TrackKey { hour: 498_696, digest: track_digest("C=GB;A= ;L=1"), sequence: 7 };
        assert_eq!(TrackKey::parse(&key.encode()), Some(key));
        assert!(key.encode() < track_hour_end(498_696));
        assert!(TrackKey { hour: 498_697, digest: [0; 16], sequence: 0 }.encode() > track_hour_end(498_696));
    }

    #[test]
    fn octets_which_are_no_key_are_told_so() {
        for key in [&b""[..], b"\x03\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(WorkKey::parse(key), None, "{key:?}");
        }
        assert_eq!(OutboundKey::parse(b"name\x01\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(ParkedKey::parse(b"\x01\0\0\0\0\0\0\0\0"), None);
        assert_eq!(MailboxKey::parse(b"\0\0\0\0\0\0\0\0"), None);
        assert_eq!(DuplicateAgeKey::parse(&[0; 39]), None);
        assert_eq!(TrackKey::parse(&[0; 27]), None);
        assert_eq!(TrackKey::parse(&[0; 29]), None);
    }
}
