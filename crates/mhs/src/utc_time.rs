//! UTCTime (X.680): the time in every P1 field.
//!
//! The characters are kept as they came, because some MTAs omit the seconds, give an offset or write a
//! malformed year, and a relay has to pass that on.

use core::fmt;

use ber::{Octets, Tag, Tlv, Writer};
use clock::{Civil, WallTime};

use crate::error::DecodeError;
use crate::text;

/// A UTCTime as its characters. Order and equality are those of the characters; compare [`UtcTime::to_wall`]
/// for times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UtcTime(Octets);

impl UtcTime {
    /// The time in the form YYMMDDhhmmssZ. The century is lost: [`UtcTime::to_wall`] assumes 1950 to 2049.
    pub fn from_wall(time: WallTime) -> Self {
        let c = time.civil();
        let text = format!(
            "{:02}{:02}{:02}{:02}{:02}{:02}Z",
            c.year % 100,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second
        );
        UtcTime(text.into_bytes().into())
    }

    /// The characters as they came, whatever they are.
    pub fn from_octets(octets: &[u8]) -> Self {
        UtcTime(octets.into())
    }

    /// The characters.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The time, or `None` if the characters are no legal UTCTime: YYMMDDhhmm, optional ss, then Z or ±hhmm.
    /// Years 50 to 99 are taken for 1950 to 1999, the rest for 2000 to 2049.
    pub fn to_wall(&self) -> Option<WallTime> {
        let split = self.0.iter().position(|&c| !c.is_ascii_digit())?;
        let (digits, zone) = self.0.split_at(split);
        let pair = |from: usize| digits.get(from..from + 2).and_then(number);
        let second = match digits.len() {
            10 => 0,
            12 => pair(10)?,
            _ => return None,
        };
        let year = u16::from(pair(0)?);
        let civil = Civil {
            year: if year >= 50 { 1900 + year } else { 2000 + year },
            month: pair(2)?,
            day: pair(4)?,
            hour: pair(6)?,
            minute: pair(8)?,
            second,
        };
        let offset = match zone {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
                let hours = number(&[*h1, *h2]).filter(|&h| h < 24)?;
                let minutes = number(&[*m1, *m2]).filter(|&m| m < 60)?;
                let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
                if *sign == b'+' { seconds } else { -seconds }
            }
            _ => return None,
        };
        Some(WallTime::from_civil(civil)?.plus_seconds(-offset))
    }

    pub(crate) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        Ok(UtcTime((*tlv.octets()?).into()))
    }

    pub(crate) fn write(&self, tag: Tag, w: &mut Writer) {
        w.primitive(tag, &self.0);
    }
}

fn number(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0u8, |sum, &digit| {
        let value = digit.checked_sub(b'0').filter(|&v| v < 10)?;
        sum.checked_mul(10)?.checked_add(value)
    })
}

impl From<WallTime> for UtcTime {
    fn from(time: WallTime) -> Self {
        UtcTime::from_wall(time)
    }
}

/// RFC 3339 if the time is legal, else the characters with a remark.
impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_wall() {
            Some(time) => time.fmt(f),
            None => write!(f, "{} (malformed)", text::from_latin1(&self.0).escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Option<String> {
        UtcTime::from_octets(text.as_bytes()).to_wall().map(|time| time.to_string())
    }

    #[test]
    fn every_legal_form_is_understood() {
        for (text, time) in [
            ("261122043000Z", "2026-11-22T04:30:00Z"),
            ("2611220430Z", "2026-11-22T04:30:00Z"),
            ("261122053000+0100", "2026-11-22T04:30:00Z"),
            ("2611220000-0430", "2026-11-22T04:30:00Z"),
            ("500101000000Z", "1950-01-01T00:00:00Z"),
            ("991231235959Z", "1999-12-31T23:59:59Z"),
            ("000101000000Z", "2000-01-01T00:00:00Z"),
            ("491231235959Z", "2049-12-31T23:59:59Z"),
        ] {
            assert_eq!(wall(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn other_characters_are_kept_but_are_no_time() {
        for text in [
            "",
            "Z",
            "1261122045411Z",
            "26112204300Z",
            "261122043000",
            "261322043000Z",
            "261122043060Z",
            "261122043000+01",
            "261122043000+2500",
            "261122043000z",
            "2611220430 0Z",
            "26112204300\u{e4}Z",
        ] {
            let time = UtcTime::from_octets(text.as_bytes());
            assert_eq!(time.to_wall(), None, "{text}");
            assert_eq!(time.octets(), text.as_bytes());
            assert!(time.to_string().ends_with("(malformed)"));
        }
    }

    #[test]
    fn what_this_mta_writes_is_what_it_reads() {
        let time = WallTime::from_unix(1_795_321_800);
        assert_eq!(UtcTime::from_wall(time).octets(), b"261122043000Z");
        assert_eq!(UtcTime::from(time).to_wall(), Some(time));
    }
}
