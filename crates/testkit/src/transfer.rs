//! APDUs out of a recorded association, by a reader of its own: what is under test must not judge itself.

use ber::{Reader, Tag, Tlv};

use crate::{Connection, Side, tsdus_of};

/// What one activity transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// The segments of the RT-TRANSFER one after the other.
    pub octets: Vec<u8>,
    /// Whether the activity was ended, not broken off.
    pub ended: bool,
}

const ACTIVITY_INTERRUPT: u8 = 0x19;
const ACTIVITY_RESUME: u8 = 0x1D;
const ACTIVITY_END: u8 = 0x29;
const ACTIVITY_START: u8 = 0x2D;
const ACTIVITY_DISCARD: u8 = 0x39;
const DATA_TRANSFER: u8 = 0x01;

impl Connection {
    /// The transfers of `side`, complete ones and broken ones, in normal mode and in X.410-1984 mode. A resumed one
    /// is two.
    ///
    /// # Panics
    /// The connection does not carry TPKTs.
    pub fn transfers(&self, side: Side) -> Vec<Transfer> {
        let mut transfers: Vec<Transfer> = Vec::new();
        let mut open = false;
        for tsdu in tsdus_of(&self.octets(side)) {
            // SPDUs of category 2 follow a give or please tokens SPDU without parameters.
            let [0x01 | 0x02, 0x00, identifier, rest @ ..] = tsdu.as_slice() else { continue };
            match *identifier {
                ACTIVITY_START | ACTIVITY_RESUME => {
                    transfers.push(Transfer::default());
                    open = true;
                }
                DATA_TRANSFER if open => {
                    let user_information = parameters_end(rest).and_then(|end| rest.get(end..));
                    if let (Some(data), Some(transfer)) = (user_information, transfers.last_mut()) {
                        transfer.octets.extend(segment_of(data));
                    }
                }
                ACTIVITY_END if open => {
                    if let Some(transfer) = transfers.last_mut() {
                        transfer.ended = true;
                    }
                    open = false;
                }
                ACTIVITY_INTERRUPT | ACTIVITY_DISCARD => open = false,
                _ => {}
            }
        }
        transfers
    }
}

impl Transfer {
    /// The MTS-APDU, if all of it was transferred.
    pub fn apdu(&self) -> Option<Vec<u8>> {
        let outer = Reader::new(&self.octets).next().ok()??;
        if outer.tag != Tag::EXTERNAL {
            return Some(outer.raw.to_vec());
        }
        let value = member(&outer, Tag::context(0))?;
        Some(value.explicit().ok()?.raw.to_vec())
    }
}

/// Offset of what follows the length indicator and the parameters of an SPDU.
fn parameters_end(rest: &[u8]) -> Option<usize> {
    match rest {
        [0xFF, high, low, ..] => Some(3 + usize::from(u16::from_be_bytes([*high, *low]))),
        [length, ..] => Some(1 + usize::from(*length)),
        [] => None,
    }
}

/// The RTSE segment in the user data of a data transfer SPDU. In X.410-1984 mode there is no presentation protocol.
fn segment_of(data: &[u8]) -> Vec<u8> {
    presentation_data(data).unwrap_or_else(|| data.to_vec())
}

fn presentation_data(data: &[u8]) -> Option<Vec<u8>> {
    let fully_encoded = Reader::new(data).next().ok()??;
    if fully_encoded.tag != Tag::application(1) {
        return None;
    }
    let pdv_list = fully_encoded.reader().ok()?.next().ok()??;
    let value = member(&pdv_list, Tag::context(0))?.explicit().ok()?;
    Some(value.octets().ok()?.into_owned())
}

fn member<'a>(tlv: &Tlv<'a>, tag: Tag) -> Option<Tlv<'a>> {
    let mut members = tlv.reader().ok()?;
    while let Some(member) = members.next().ok()? {
        if member.tag == tag {
            return Some(member);
        }
    }
    None
}
