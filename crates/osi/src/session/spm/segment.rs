//! Segmenting of SSDUs into DT SPDUs (X.225), where a maximum TSDU size was settled.

use alloc::vec::Vec;

use super::SpmAction;
use super::state::{Held, Open, Outgoing};
use crate::session::spdu::{Enclosure, dt_tsdu};
use crate::session::{SessionError, SsIndication};

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
    /// Sends the next octets of an SSDU. The segments are the same however it comes.
    pub(super) fn send_ssdu(&mut self, octets: &[u8], last: bool, out: &mut Vec<SpmAction>) {
        let outgoing = self.outgoing.take();
        let Some(max) = self.settled.send_max else {
            out.push(match (outgoing, last) {
                (None, true) => SpmAction::Tsdu(dt_tsdu(None, octets)),
                (None, false) => SpmAction::TsduPart { octets: dt_tsdu(None, octets), last },
                (Some(_), last) => SpmAction::TsduPart { octets: octets.to_vec(), last },
            });
            self.outgoing = (!last).then_some(Outgoing::Tsdu);
            return;
        };
        let (mut begun, mut pending) = match outgoing {
            Some(Outgoing::Segments { begun, unsent }) => (begun, unsent),
            Some(Outgoing::Tsdu) | None => (false, Vec::new()),
        };
        pending.extend_from_slice(octets);
        let room = max.saturating_sub(OVERHEAD).max(1);
        let mut rest = pending.as_slice();
        while rest.len() > room {
            let (now, later) = rest.split_at(room);
            out.push(SpmAction::Tsdu(dt_tsdu(Some(Enclosure::of(!begun, false)), now)));
            rest = later;
            begun = true;
        }
        if last {
            out.push(SpmAction::Tsdu(dt_tsdu(Some(Enclosure::of(!begun, true)), rest)));
        } else {
            self.outgoing = Some(Outgoing::Segments { begun, unsent: rest.to_vec() });
        }
    }

    /// Ends the TSDU that has been sent in part, if there is one, so that something else can be sent: its SSDU stays
    /// incomplete.
    pub(super) fn cut_ssdu(&mut self, out: &mut Vec<SpmAction>) {
        if let Some(Outgoing::Tsdu) = self.outgoing.take() {
            out.push(SpmAction::TsduPart { octets: Vec::new(), last: true });
        }
    }

    /// Takes the data of a DT; gives what the user is told of now. Whether segmenting was settled does not matter: a peer
    /// may read what was settled in another way, and the segments say for themselves what they are. With `above`, an
    /// SSDU that is longer is given in pieces; without it, `limit` holds.
    pub(super) fn take_segment(
        &mut self,
        enclosure: Option<Enclosure>,
        data: Vec<u8>,
        limit: usize,
        above: Option<usize>,
    ) -> Result<Option<SsIndication>, SessionError> {
        let enclosure = enclosure.unwrap_or(Enclosure::WHOLE);
        let misfit = |problem| SessionError::Enclosure { spdu: "DT", enclosure: enclosure.0, problem };
        let last = enclosure.ends();
        let mut ssdu = match (self.assembly.take(), enclosure.begins()) {
            (None, true) => Vec::new(),
            (Some(Held::Octets(begun)), false) => begun,
            (Some(Held::PassedOn), false) => {
                self.assembly = (!last).then_some(Held::PassedOn);
                let gives = last || !data.is_empty();
                return Ok(gives.then_some(SsIndication::DataPart { octets: data, first: false, last }));
            }
            (None, false) => return Err(misfit("no SSDU has begun")),
            (Some(_), true) => return Err(misfit("the SSDU before has not ended")),
        };
        let octets = ssdu.len().saturating_add(data.len());
        if above.is_none() && octets > limit {
            return Err(SessionError::SsduTooLong { limit });
        }
        if ssdu.is_empty() {
            ssdu = data;
        } else {
            ssdu.extend_from_slice(&data);
        }
        if above.is_some_and(|above| octets > above) {
            self.assembly = (!last).then_some(Held::PassedOn);
            return Ok(Some(SsIndication::DataPart { octets: ssdu, first: true, last }));
        }
        if last {
            return Ok(Some(SsIndication::Data(ssdu)));
        }
        self.assembly = Some(Held::Octets(ssdu));
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
