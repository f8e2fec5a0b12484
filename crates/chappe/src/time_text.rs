//! Times as people write them: RFC 3339.

use clock::{Civil, WallTime};

/// Reads `2026-11-22T04:30:00Z`, `2026-11-22 04:30+01:00` and the like; fractions of a second are dropped.
pub(crate) fn parse(text: &str) -> Option<WallTime> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let mut time = time.split(':');
    let (hour, minute) = (number(time.next()?, 2)?, number(time.next()?, 2)?);
    let second = match time.next() {
        Some(seconds) => number(seconds.split_once('.').map_or(seconds, |(whole, _)| whole), 2)?,
        None => 0,
    };
    if date.next().is_some() || time.next().is_some() {
        return None;
    }
    let octet = |n: u16| u8::try_from(n).ok();
    let civil = Civil {
        year,
        month: octet(month)?,
        day: octet(day)?,
        hour: octet(hour)?,
        minute: octet(minute)?,
        second: octet(second)?,
    };
    Some(WallTime::from_civil(civil)?.plus_seconds(-offset_seconds(zone)?))
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = match zone.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// A number of exactly `digits` decimal digits.
fn number(text: &str, digits: usize) -> Option<u16> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_counted_back_to_utc() {
        let utc = parse("2026-11-22T04:30:00Z");
        assert_eq!(utc.map(|t| t.to_string()).as_deref(), Some("2026-11-22T04:30:00Z"));
        assert_eq!(parse("2026-11-22T05:30:00.75+01:00"), utc);
        assert_eq!(parse("2026-11-21 23:00-05:30"), utc);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T04:30:00",
            "2026-13-22T04:30Z",
            "2026-11-22T24:00Z",
            "2026-11-22T04:30:00+1",
            "2026-11-22T04:30:00+24:00",
            "26-11-22T04:30Z",
            "2026-11-22-01T04:30Z",
            "2026-11-22T04:30:00:00Z",
            "2026-11-22T+4:30Z",
            "2026-11-22T04:30é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
