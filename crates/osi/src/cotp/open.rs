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
}

/// The TSDU that is arriving.
#[derive(Clone, Debug)]
enum Assembly {
    Taking(Vec<u8>),
    /// It is too long.
    Dropping,
}

impl Open {
    /// `tpdu_octets` is the size agreed on.
    pub(super) fn new(peer_reference: u16, tpdu_octets: usize) -> Self {
        let data_octets = tpdu_octets.saturating_sub(DT_HEADER_OCTETS).max(1);
        Open { peer_reference, data_octets, assembly: Assembly::Taking(Vec::new()) }
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

    /// Octets that are here of a TSDU which is not whole yet.
    pub(super) fn partial_octets(&self) -> usize {
        match &self.assembly {
            Assembly::Taking(tsdu) => tsdu.len(),
            Assembly::Dropping => 0,
        }
    }

    /// Cuts a TSDU into DTs.
    pub(super) fn send(&self, tsdu: &[u8], out: &mut Vec<CotpAction>) {
        let mut rest = tsdu;
        loop {
            let (now, later) = rest.split_at(rest.len().min(self.data_octets));
            out.push(CotpAction::Tpdu(encode_dt(later.is_empty(), now)));
            if later.is_empty() {
                return;
            }
            rest = later;
        }
    }
}
