//! Segmenting of SSDUs into DT SPDUs (X.225), where a maximum TSDU size was settled.

use alloc::vec::Vec;

use super::SpmAction;
use super::state::Open;
use crate::session::SessionError;
use crate::session::spdu::{Enclosure, dt_tsdu};

/// Octets of a TSDU with GT and DT before the user information, enclosure item included.
const OVERHEAD: usize = 7;
/// The smallest maximum TSDU size that lets data through.
pub(super) const TSDU_MAX_FLOOR: u16 = OVERHEAD as u16 + 1;

/// The maximum that holds in one direction: the lower of both proposals; none if either side leaves it open.
pub(super) fn agreed(ours: u16, theirs: u16) -> u16 {
    if ours == 0 || theirs == 0 { 0 } else { ours.min(theirs) }
}

/// Refuses a maximum that lets no data through.
pub(super) fn check_size(octets: u16) -> Result<(), SessionError> {
    if octets != 0 && octets < TSDU_MAX_FLOOR { Err(SessionError::TsduSize { octets }) } else { Ok(()) }
}

/// Cuts user data into pieces so that an SPDU which has nothing else but an enclosure item is `max` octets long at most,
/// and says of each whether it is the last one. There is one piece at least.
pub(super) fn pieces(octets: &[u8], max: usize) -> impl Iterator<Item = (&[u8], bool)> {
    // Identifier and length, enclosure item, code and length of the user data. Lengths from 255 on take three octets.
    let short = max.saturating_sub(2 + 3 + 2).min(254 - 5);
    let room = max.saturating_sub(4 + 3 + 4).max(short).clamp(1, 65_535 - 7);
    let mut rest = Some(octets);
    core::iter::from_fn(move || {
        let (now, later) = rest.map(|rest| rest.split_at(rest.len().min(room)))?;
        rest = (!later.is_empty()).then_some(later);
        Some((now, later.is_empty()))
    })
}

impl Open {
    /// Sends an SSDU.
    pub(super) fn send_ssdu(&self, ssdu: &[u8], out: &mut Vec<SpmAction>) {
        let Some(max) = self.settled.send_max else {
            out.push(SpmAction::Tsdu(dt_tsdu(None, ssdu)));
            return;
        };
        let room = max.saturating_sub(OVERHEAD).max(1);
        let mut rest = ssdu;
        let mut first = true;
        loop {
            let (now, later) = rest.split_at(rest.len().min(room));
            let enclosure = Enclosure::of(first, later.is_empty());
            out.push(SpmAction::Tsdu(dt_tsdu(Some(enclosure), now)));
            if later.is_empty() {
                return;
            }
            rest = later;
            first = false;
        }
    }

    /// Takes the data of a DT; gives the SSDU that it completes. Whether segmenting was settled does not matter: a peer
    /// may read what was settled in another way, and the segments say for themselves what they are.
    pub(super) fn take_segment(
        &mut self,
        enclosure: Option<Enclosure>,
        data: Vec<u8>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        let enclosure = enclosure.unwrap_or(Enclosure::WHOLE);
        let misfit = |problem| SessionError::Enclosure { spdu: "DT", enclosure: enclosure.0, problem };
        let mut ssdu = match (self.assembly.take(), enclosure.begins()) {
            (None, true) => Vec::new(),
            (Some(begun), false) => begun,
            (None, false) => return Err(misfit("no SSDU has begun")),
            (Some(_), true) => return Err(misfit("the SSDU before has not ended")),
        };
        if ssdu.len().saturating_add(data.len()) > limit {
            return Err(SessionError::SsduTooLong { limit });
        }
        if ssdu.is_empty() {
            ssdu = data;
        } else {
            ssdu.extend_from_slice(&data);
        }
        if enclosure.ends() {
            return Ok(Some(ssdu));
        }
        self.assembly = Some(ssdu);
        Ok(None)
    }

    /// Refuses what may not stand between the segments of an SSDU: a synchronization point, a release.
    pub(super) fn needs_whole_ssdu(&self) -> Result<(), SessionError> {
        if self.assembly.is_none() {
            return Ok(());
        }
        let problem = "an SPDU that may not stand in an SSDU came before its end";
        Err(SessionError::Enclosure { spdu: "DT", enclosure: Enclosure::MIDDLE.0, problem })
    }
}
