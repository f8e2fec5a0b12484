//! User data of SPDUs other than CN and DT, in version 2: it may be longer than one SPDU or one TSDU, and then comes
//! and goes in segments (X.225 6.3.5, 7.37).

use alloc::vec::Vec;

use super::segment::pieces;
use super::state::Settled;
use super::{SpmAction, Version};
use crate::session::SessionError;
use crate::session::spdu::{Enclosure, Segmented, Spdu, SpduError, UserData};

/// Octets that an SPDU can have with its identifier and its length (X.225).
const SPDU_OCTETS_MAX: usize = 65_539;
/// Octets of user data that version 1 allows.
pub(super) const USER_DATA_OCTETS_V1: usize = 512;

/// An SPDU whose user data is arriving in segments.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    of: Segmented,
    spdu: Spdu,
    octets: Vec<u8>,
}

/// Puts segments together.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembly(Option<Partial>);

impl Assembly {
    /// Takes an SPDU; gives one whose user data is whole, if there is one now.
    pub(super) fn take(&mut self, mut spdu: Spdu, limit: usize) -> Result<Option<Spdu>, SessionError> {
        let name = spdu.name();
        let segment = spdu.user().map(|(of, user)| (of, user.clone()));
        match (self.0.take(), segment) {
            (None, Some((_, user))) if user.is_later_segment() => {
                Err(misfit(name, user.enclosure, "no user data has begun"))
            }
            (Some(partial), Some((of, user))) if user.is_later_segment() && of == partial.of => {
                self.go_on(partial, &user, limit)
            }
            // The empty SPDUs of category 0 that stand before segments of category 2.
            (Some(partial), _) if is_empty_leader(&spdu) => {
                self.0 = Some(partial);
                Ok(None)
            }
            // Nothing holds an abort up.
            (Some(partial), segment) if !matches!(spdu, Spdu::Ab { .. }) => {
                let enclosure = segment.and_then(|(_, user)| user.enclosure);
                let problem = "the user data of another SPDU has not ended";
                Err(misfit(partial.of.name(), enclosure, problem))
            }
            (_, Some((of, user))) if user.is_segment() => {
                let octets = spdu.user_mut().map(core::mem::take).unwrap_or_default().octets;
                if octets.len() > limit {
                    return Err(SessionError::SsduTooLong { limit });
                }
                self.0 = Some(Partial { of, spdu, octets });
                Ok(None)
            }
            (_, Some(_) | None) => Ok(Some(spdu)),
        }
    }

    fn go_on(
        &mut self,
        mut partial: Partial,
        user: &UserData,
        limit: usize,
    ) -> Result<Option<Spdu>, SessionError> {
        if partial.octets.len().saturating_add(user.octets.len()) > limit {
            return Err(SessionError::SsduTooLong { limit });
        }
        partial.octets.extend_from_slice(&user.octets);
        if !user.enclosure.is_none_or(Enclosure::ends) {
            self.0 = Some(partial);
            return Ok(None);
        }
        let Partial { mut spdu, octets, .. } = partial;
        if let Some(user) = spdu.user_mut() {
            *user = UserData::whole(octets);
        }
        Ok(Some(spdu))
    }

    /// Octets that are here of user data which is not whole yet.
    pub(super) fn octets(&self) -> usize {
        self.0.as_ref().map_or(0, |partial| partial.octets.len())
    }
}

fn is_empty_leader(spdu: &Spdu) -> bool {
    let empty = UserData::default();
    matches!(spdu, Spdu::Gt { tokens: 0 }) || *spdu == Spdu::Pt { tokens: 0, user: empty }
}

fn misfit(spdu: &'static str, enclosure: Option<Enclosure>, problem: &'static str) -> SessionError {
    let enclosure = enclosure.unwrap_or(Enclosure::WHOLE).0;
    SessionError::Enclosure { spdu, enclosure, problem }
}

/// What bounds the user data that we send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    version: Version,
    send_max: Option<usize>,
    user_data: usize,
}

impl Bounds {
    pub(super) fn new(settled: Settled, max_user_data: usize) -> Self {
        let user_data = match settled.version {
            Version::V1 => USER_DATA_OCTETS_V1,
            Version::V2 => max_user_data,
        };
        Bounds { version: settled.version, send_max: settled.send_max, user_data }
    }

    /// Whether AB may carry so much.
    pub(super) fn lets_abort_carry(&self, octets: usize) -> bool {
        match self.version {
            Version::V1 => octets <= ABORT_OCTETS_V1,
            Version::V2 => octets <= self.user_data,
        }
    }

    /// The TSDUs in which `spdu` travels: more than one where the version and its length ask for segments.
    pub(super) fn encode(self, request: &'static str, spdu: &Spdu) -> Result<Vec<SpmAction>, SessionError> {
        let octets = spdu.user().map_or(0, |(_, user)| user.octets.len());
        let tsdus = if octets > self.user_data {
            Err(SpduError::TooLong { spdu: spdu.name(), code: 193, octets, limit: self.user_data })
        } else {
            self.tsdus(spdu)
        };
        match tsdus {
            Ok(tsdus) => Ok(tsdus.into_iter().map(SpmAction::Tsdu).collect()),
            Err(problem) => Err(SessionError::RequestInvalid { request, problem }),
        }
    }

    fn tsdus(self, spdu: &Spdu) -> Result<Vec<Vec<u8>>, SpduError> {
        let max = self.send_max.unwrap_or(SPDU_OCTETS_MAX).min(SPDU_OCTETS_MAX);
        match spdu.user() {
            Some((of, user)) if self.version == Version::V2 && !user.octets.is_empty() => {
                let mut first = spdu.clone();
                let alone = replace_user(&mut first, UserData::default())?.len();
                if alone + OVERHEAD + user.octets.len() <= max {
                    return Ok(Vec::from([spdu.to_tsdu()?]));
                }
                let room = max.saturating_sub(alone + OVERHEAD);
                segments(first, of, user.octets.split_at(room.min(user.octets.len())), max)
            }
            Some(_) | None => Ok(Vec::from([spdu.to_tsdu()?])),
        }
    }
}

/// Octets of user data that AB can carry in version 1.
const ABORT_OCTETS_V1: usize = 9;
/// What user data adds to an SPDU: an enclosure item, code and length, and a longer length of the SPDU.
const OVERHEAD: usize = 3 + 4 + 2;

/// The first segment with all other parameters, and as much as there is room for beside them; then the others.
fn segments(
    mut first: Spdu,
    of: Segmented,
    (now, later): (&[u8], &[u8]),
    max: usize,
) -> Result<Vec<Vec<u8>>, SpduError> {
    let begun = UserData { enclosure: Some(Enclosure::BEGINNING), octets: now.to_vec() };
    let mut tsdus = Vec::from([replace_user(&mut first, begun)?]);
    // Segments of category 2 have an SPDU of category 0 before them.
    for (piece, last) in pieces(later, max.saturating_sub(2)) {
        let user = UserData { enclosure: Some(Enclosure::of(false, last)), octets: piece.to_vec() };
        tsdus.push(Spdu::Segment { of, user }.to_tsdu()?);
    }
    Ok(tsdus)
}

/// The TSDU of an SPDU with other user data.
fn replace_user(spdu: &mut Spdu, user: UserData) -> Result<Vec<u8>, SpduError> {
    if let Some(place) = spdu.user_mut() {
        *place = user;
    }
    spdu.to_tsdu()
}
