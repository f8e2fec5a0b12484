//! Data on an established transport connection of class 0 (X.224): TSDUs into DTs and back.

use alloc::vec::Vec;

use super::tpdu::{DT_HEADER_OCTETS, encode_dt};
use super::{CotpAction, TIndication};

/// An established transport connection.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) peer_reference: u16,
    /// Octets of user data that a DT of ours may carry.
    data_octets: usize,
    assembly: Assembly,
    /// Octets of the TSDU of ours that is being sent in pieces. They wait for the next ones, since the TPDU with the
    /// last octet says so: there is one at least until then.
    unsent: Vec<u8>,
}

/// The TSDU that is arriving.
#[derive(Clone, Debug)]
enum Assembly {
    Taking(Vec<u8>),
    /// Its beginning has been given.
    PassingOn,
    /// It is too long.
    Dropping,
}

impl Open {
    /// `tpdu_octets` is the size agreed on.
    pub(super) fn new(peer_reference: u16, tpdu_octets: usize) -> Self {
        let data_octets = tpdu_octets.saturating_sub(DT_HEADER_OCTETS).max(1);
        Open { peer_reference, data_octets, assembly: Assembly::Taking(Vec::new()), unsent: Vec::new() }
    }

    /// The size of TPDUs that was agreed on.
    pub(super) fn tpdu_octets(&self) -> usize {
        self.data_octets + DT_HEADER_OCTETS
    }

    /// Takes a DT; whether the TSDU is within the limit, or was not before. DTs of any size are taken: what was agreed
    /// bounds what we send, TPKT bounds what arrives.
    pub(super) fn take(
        &mut self,
        end_of_tsdu: bool,
        data: Vec<u8>,
        limit: usize,
        out: &mut Vec<CotpAction>,
    ) -> bool {
        let mut within = true;
        if let Assembly::Taking(tsdu) = &mut self.assembly {
            if tsdu.len().saturating_add(data.len()) > limit {
                self.assembly = Assembly::Dropping;
                within = false;
            } else if tsdu.is_empty() {
                *tsdu = data;
            } else {
                tsdu.extend_from_slice(&data);
            }
        }
        if end_of_tsdu
            && let Assembly::Taking(tsdu) =
                core::mem::replace(&mut self.assembly, Assembly::Taking(Vec::new()))
            // X.214 knows no TSDU without octets; whoever sends one says nothing by it.
            && !tsdu.is_empty()
        {
            out.push(CotpAction::Indication(TIndication::Data(tsdu)));
        }
        within
    }

    /// Takes a DT of a TSDU that is given in pieces once it is longer than `above`.
    pub(super) fn pass_on(
        &mut self,
        end_of_tsdu: bool,
        data: Vec<u8>,
        above: usize,
        out: &mut Vec<CotpAction>,
    ) {
        match &mut self.assembly {
            Assembly::Taking(tsdu) => {
                if tsdu.len().saturating_add(data.len()) <= above {
                    self.take(end_of_tsdu, data, above, out);
                    return;
                }
                let mut octets = core::mem::take(tsdu);
                octets.extend_from_slice(&data);
                out.push(CotpAction::Indication(TIndication::DataPart { octets, last: end_of_tsdu }));
                self.assembly = Assembly::PassingOn;
            }
            Assembly::PassingOn if data.is_empty() && !end_of_tsdu => {}
            Assembly::PassingOn => {
                out.push(CotpAction::Indication(TIndication::DataPart { octets: data, last: end_of_tsdu }));
            }
            Assembly::Dropping => {}
        }
        if end_of_tsdu {
            self.assembly = Assembly::Taking(Vec::new());
        }
    }

    /// Whether a TSDU of ours has been sent in part.
    pub(super) fn is_in_tsdu(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Octets that are here of a TSDU which is not whole yet.
    pub(super) fn partial_octets(&self) -> usize {
        match &self.assembly {
            Assembly::Taking(tsdu) => tsdu.len(),
            Assembly::PassingOn | Assembly::Dropping => 0,
        }
    }

    /// Cuts the next octets of a TSDU into DTs. What is left over waits for those that follow, so that the DTs are the
    /// same however the TSDU comes.
    pub(super) fn send(&mut self, octets: Vec<u8>, last: bool, out: &mut Vec<CotpAction>) {
        let mut pending = core::mem::take(&mut self.unsent);
        if pending.is_empty() {
            pending = octets;
        } else {
            pending.extend_from_slice(&octets);
        }
        let mut rest = pending.as_slice();
        while rest.len() > self.data_octets {
            let (now, later) = rest.split_at(self.data_octets);
            out.push(CotpAction::Tpdu(encode_dt(false, now)));
            rest = later;
        }
        if last {
            out.push(CotpAction::Tpdu(encode_dt(true, rest)));
        } else {
            self.unsent = rest.to_vec();
        }
    }
}
