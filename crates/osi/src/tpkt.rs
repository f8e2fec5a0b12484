//! TPKT: the packets of RFC 1006, which carry one TPDU each over TCP.
//!
//! [`Deframer`] takes octets in pieces of any size and gives whole TPDUs; [`frame`] puts a TPDU into a packet.
//! It looks at nothing inside the TPDU. The reserved octet is sent as zero and not looked at on arrival.

use alloc::vec::Vec;

use crate::failure::Blame;

/// Octets of the packet header.
pub const HEADER_OCTETS: usize = 4;
/// The longest TPDU that a packet can carry, in octets.
pub const MAX_TPDU_OCTETS: usize = 65_535 - HEADER_OCTETS;
/// The shortest TPDU that X.224 class 0 knows: an empty DT, in octets.
const MIN_TPDU_OCTETS: usize = 3;
const VERSION: u8 = 3;

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TpktError {
    /// The first octet is not the version of RFC 1006: what talks here is another protocol.
    #[error("not a TPKT: first octet is {found:#04x}, RFC 1006 wants 0x03")]
    Version {
        /// The octet found.
        found: u8,
    },
    /// The length field is too small for any TPDU.
    #[error("TPKT length {length} is too small, RFC 1006 wants 7 at least")]
    TooShort {
        /// The length field.
        length: u16,
    },
    /// The TPDU is longer than this end takes, or than a packet can hold.
    #[error("TPDU of {octets} octets exceeds the limit of {limit}")]
    TooLong {
        /// Length of the TPDU in octets.
        octets: usize,
        /// The limit in octets.
        limit: usize,
    },
}

impl TpktError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            TpktError::Version { .. } | TpktError::TooShort { .. } => Blame::PeerMisbehaved,
            TpktError::TooLong { .. } => Blame::LimitReached,
        }
    }
}

/// Takes a stream of octets apart into TPDUs.
///
/// Holds at most one incomplete packet. After an error the stream has no more packet boundaries: every later
/// call gives the same error.
#[derive(Clone, Debug)]
pub struct Deframer {
    max_tpdu: usize,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Header { octets: [u8; HEADER_OCTETS], filled: usize },
    Body { tpdu: Vec<u8>, missing: usize },
    Failed(TpktError),
}

impl State {
    const START: State = State::Header { octets: [0; HEADER_OCTETS], filled: 0 };
}

impl Deframer {
    /// A deframer at the start of a stream, which takes TPDUs of at most `max_tpdu` octets (never more than
    /// [`MAX_TPDU_OCTETS`]).
    pub fn new(max_tpdu: usize) -> Self {
        Deframer { max_tpdu: max_tpdu.min(MAX_TPDU_OCTETS), state: State::START }
    }

    /// Takes octets off the front of `input` until a TPDU is complete or `input` is empty.
    ///
    /// Call it until it gives `None`; then all of `input` is taken.
    ///
    /// # Errors
    /// The stream is no sequence of packets, or a packet is too long. The check is made on the header, before
    /// any of the TPDU is stored.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, TpktError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Header { octets, filled } => {
                    let Some((&octet, rest)) = input.split_first() else { return Ok(None) };
                    *input = rest;
                    if let Some(slot) = octets.get_mut(*filled) {
                        *slot = octet;
                    }
                    *filled += 1;
                    match check_header(octets, *filled, self.max_tpdu) {
                        Ok(None) => {}
                        Ok(Some(missing)) => self.state = State::Body { tpdu: Vec::new(), missing },
                        Err(error) => self.state = State::Failed(error),
                    }
                }
                State::Body { tpdu, missing } => {
                    let (now, later) = input.split_at(input.len().min(*missing));
                    *input = later;
                    *missing -= now.len();
                    tpdu.extend_from_slice(now);
                    if *missing > 0 {
                        return Ok(None);
                    }
                    let tpdu = core::mem::take(tpdu);
                    self.state = State::START;
                    return Ok(Some(tpdu));
                }
            }
        }
    }

    /// Whether the stream stands between two packets, so that its end here loses nothing.
    pub fn is_at_boundary(&self) -> bool {
        matches!(self.state, State::Header { filled: 0, .. })
    }
}

/// Judges the first `filled` octets of a header; with all four gives the length of the TPDU.
fn check_header(
    octets: &[u8; HEADER_OCTETS],
    filled: usize,
    max_tpdu: usize,
) -> Result<Option<usize>, TpktError> {
    let [version, _reserved, high, low] = *octets;
    // Told at the first octet: a peer that speaks another protocol may never send four.
    if version != VERSION {
        return Err(TpktError::Version { found: version });
    }
    if filled < HEADER_OCTETS {
        return Ok(None);
    }
    let length = u16::from_be_bytes([high, low]);
    let octets = usize::from(length).saturating_sub(HEADER_OCTETS);
    if octets < MIN_TPDU_OCTETS {
        return Err(TpktError::TooShort { length });
    }
    if octets > max_tpdu {
        return Err(TpktError::TooLong { octets, limit: max_tpdu });
    }
    Ok(Some(octets))
}

/// Appends to `out` the packet that carries `tpdu`.
///
/// # Errors
/// [`TpktError::TooLong`] if no packet can hold it; nothing is appended then.
pub fn frame(tpdu: &[u8], out: &mut Vec<u8>) -> Result<(), TpktError> {
    let too_long = TpktError::TooLong { octets: tpdu.len(), limit: MAX_TPDU_OCTETS };
    let length = u16::try_from(tpdu.len().saturating_add(HEADER_OCTETS)).map_err(|_| too_long)?;
    let [high, low] = length.to_be_bytes();
    out.reserve(usize::from(length));
    out.extend_from_slice(&[VERSION, 0, high, low]);
    out.extend_from_slice(tpdu);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_protocol_is_told_at_its_first_octet() {
        let mut input: &[u8] = b"E";
        let error = Deframer::new(100).next(&mut input).unwrap_err();
        assert_eq!(error, TpktError::Version { found: b'E' });
        assert!(error.to_string().starts_with("not a TPKT"));
    }

    #[test]
    fn length_is_judged_before_the_body_is_stored() {
        let mut short: &[u8] = &[3, 0, 0, 6];
        assert_eq!(Deframer::new(100).next(&mut short), Err(TpktError::TooShort { length: 6 }));
        let mut long: &[u8] = &[3, 0, 0xFF, 0xFF];
        let mut deframer = Deframer::new(100);
        let error = TpktError::TooLong { octets: 65_531, limit: 100 };
        assert_eq!(deframer.next(&mut long), Err(error));
        let mut more: &[u8] = &[3, 0, 0, 7, 2, 0xF0, 0x80];
        assert_eq!(deframer.next(&mut more), Err(error), "a broken stream stays broken");
    }

    #[test]
    fn frame_refuses_what_no_packet_holds() {
        let mut out = Vec::new();
        assert!(frame(&[0; MAX_TPDU_OCTETS + 1], &mut out).is_err());
        assert!(out.is_empty());
        frame(&[0; MAX_TPDU_OCTETS], &mut out).unwrap();
        assert_eq!(out.get(..4), Some(&[3, 0, 0xFF, 0xFF][..]));
    }
}
