//! Takes passwords out of what opened an association, where it is read.
//!
//! The bind is looked for as its reader would: through session, presentation, ACSE and RTSE (or without some of them,
//! as 1984 has it). What can't be read that far is not shown at all, since a password may stand in it; refusals and
//! aborts carry none.

use std::ops::Range;

use ber::{Reader, Tag};
use osi::acse::apdu::AcseApdu;
use osi::presentation::UserData;
use osi::presentation::ppdu::{ByMode, Cp, Cpa};
use osi::rtse::apdu::{ConnectionData, Rtoac, Rtorq, RtseApdu};
use osi::session::spdu::{Spdu, decode_tsdu};

use super::Direction;
use super::ring::Frame;

/// What stands in place of each octet that is not shown.
const MASK: u8 = b'*';
/// Octets in front of a DT's own: TPKT header and length indicator.
const BEFORE_DT: usize = 5;

/// SPDU identifiers of X.225 without credentials: REFUSE, ABORT, ABORT ACCEPT.
const HARMLESS: [u8; 3] = [12, 25, 26];

/// Masks the passwords in the frames of an opening, in place.
pub(super) fn passwords(frames: &mut [Frame]) {
    for direction in [Direction::Received, Direction::Sent] {
        let mut tsdu = Vec::new();
        let mut places: Vec<(usize, usize)> = Vec::new();
        for index in 0..frames.len() {
            let Some(frame) = frames.get(index).filter(|frame| frame.direction == direction) else {
                continue;
            };
            let Some(start) = payload(frame) else { continue };
            places.extend((start..frame.octets.len()).map(|offset| (index, offset)));
            tsdu.extend(frame.octets.iter().skip(start));
            if !frame.continues() {
                apply(frames, &std::mem::take(&mut places), &secrets(&tsdu));
                tsdu.clear();
            }
        }
        // A TSDU that never ended.
        apply(frames, &places, &everything(places.len()));
    }
}

fn apply(frames: &mut [Frame], places: &[(usize, usize)], secrets: &[Range<usize>]) {
    for (frame, offset) in secrets.iter().flat_map(|secret| places.get(secret.clone())).flatten() {
        if let Some(octet) = frames.get_mut(*frame).and_then(|frame| frame.octets.get_mut(*offset)) {
            *octet = MASK;
        }
    }
}

/// Where user data begins. Connecting and disconnecting have none that could be a bind; what is no TPDU of class 0 may
/// be anything.
fn payload(frame: &Frame) -> Option<usize> {
    match frame.octets.as_slice() {
        [3, _, _, _, _, code, ..] if [0xE0, 0xD0, 0x80, 0x70].contains(&(code & 0xF0)) => None,
        [3, _, _, _, length, 0xF0, ..] => Some(BEFORE_DT + usize::from(*length)),
        _ => Some(0),
    }
}

/// What is not to be shown of a TSDU.
fn secrets(tsdu: &[u8]) -> Vec<Range<usize>> {
    if tsdu.first().is_some_and(|code| HARMLESS.contains(code)) {
        return Vec::new();
    }
    match bind(tsdu) {
        None => everything(tsdu.len()),
        Some(bind) if bind.is_empty() => Vec::new(),
        Some(bind) => match (tsdu.windows(bind.len()).position(|part| part == bind), credentials(&bind)) {
            (Some(at), Some(found)) => {
                found.into_iter().map(|secret| at + secret.start..at + secret.end).collect()
            }
            (None, _) | (_, None) => everything(tsdu.len()),
        },
    }
}

fn everything(length: usize) -> Vec<Range<usize>> {
    std::iter::once(0..length).collect()
}

/// The encoding of the bind in a CONNECT or ACCEPT; empty if there is none.
fn bind(tsdu: &[u8]) -> Option<Vec<u8>> {
    let [spdu] = <[Spdu; 1]>::try_from(decode_tsdu(tsdu).ok()?).ok()?;
    let data = match spdu {
        Spdu::Cn(cn) => match Cp::decode(&cn.user_data) {
            Ok(ByMode::Normal(cp)) => normal(cp.user_data.as_ref()?)?,
            Ok(ByMode::X410(set)) => Rtorq::decode_x410(&set).ok()?.connection_data,
            Ok(ByMode::Other(_)) => return None,
            Err(_) => Rtorq::decode_x410(&cn.user_data).ok()?.connection_data,
        },
        Spdu::Ac(ac) => match Cpa::decode(&ac.user.octets) {
            Ok(ByMode::Normal(cpa)) => normal(cpa.user_data.as_ref()?)?,
            Ok(ByMode::X410(set)) => Rtoac::decode_x410(&set).ok()?.connection_data,
            Ok(ByMode::Other(_)) => return None,
            Err(_) => Rtoac::decode_x410(&ac.user.octets).ok()?.connection_data,
        },
        _ => return None,
    };
    match data {
        ConnectionData::Open(bind) => Some(bind),
        // It names an association instead of binding anew.
        ConnectionData::Recover(_) => Some(Vec::new()),
    }
}

/// The one RTORQ or RTOAC in the one AARQ or AARE.
fn normal(data: &UserData<'_>) -> Option<ConnectionData> {
    let values: Vec<&[u8]> = match data {
        UserData::Simple(octets) => vec![octets],
        UserData::Full(values) => values.iter().map(|value| value.value.octets()).collect(),
    };
    let [value] = values.as_slice() else { return None };
    let information = match AcseApdu::decode(value).ok()? {
        AcseApdu::Aarq(aarq) => aarq.user_information,
        AcseApdu::Aare(aare) => aare.user_information,
        AcseApdu::Abrt(_) | AcseApdu::Rlrq(_) | AcseApdu::Rlre(_) => return None,
    };
    let [external] = information.as_slice() else { return None };
    match RtseApdu::decode(&external.encoding).ok()? {
        RtseApdu::Rtorq(rtorq) => Some(rtorq.connection_data),
        RtseApdu::Rtoac(rtoac) => Some(rtoac.connection_data),
        // An error of the bind says what is wrong with a password, not the password.
        RtseApdu::Rtorj(_) => Some(ConnectionData::Open(Vec::new())),
        RtseApdu::Rttp(_) | RtseApdu::Rttr(_) | RtseApdu::Rtab(_) => None,
    }
}

/// Where the password stands in an MTA-bind argument or result (X.411). `None` if that can't be told.
fn credentials(bind: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut top = Reader::new(bind).any().ok()?;
    if [Tag::context(16), Tag::context(17)].contains(&top.tag) {
        top = top.explicit().ok()?;
    }
    let mut found = Vec::new();
    if top.tag == Tag::NULL {
        return Some(found);
    }
    let mut members = top.reader().ok()?;
    while let Some(member) = members.next().ok()? {
        if member.tag != Tag::context(1) {
            continue;
        }
        let value = member.explicit().ok()?;
        if ![Tag::IA5_STRING, Tag::OCTET_STRING].contains(&value.tag) {
            // Strong credentials: a token, which is no secret.
            continue;
        }
        if value.constructed {
            return None;
        }
        let end = value.offset() + value.raw.len();
        found.push(end - value.contents.len()..end);
    }
    Some(found)
}
