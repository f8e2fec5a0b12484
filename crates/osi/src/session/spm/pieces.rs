//! TSDUs that arrive in pieces, because they are longer than the transport layer wants to hold. Data is passed on as it
//! comes, each piece as a segment of its SSDU; every other TSDU is put together.

use alloc::vec::Vec;

use clock::MonoTime;

use super::state::State;
use super::{Spm, SpmAction, moves_tokens};
use crate::session::SessionError;
use crate::session::spdu::{DataStart, Enclosure, Spdu, decode_data_start};

/// What a TSDU that is arriving has turned out to be.
#[derive(Clone, Debug, Default)]
pub(super) enum Arriving {
    /// There is none.
    #[default]
    Nothing,
    /// Not data.
    Collected(Vec<u8>),
    /// Data. What moves tokens takes effect after it.
    Data { enclosure: Enclosure, later: Vec<Spdu> },
    /// Nobody wants it any more.
    Dropped,
}

impl Arriving {
    /// Octets held.
    pub(super) fn octets(&self) -> usize {
        match self {
            Arriving::Collected(octets) => octets.len(),
            Arriving::Nothing | Arriving::Data { .. } | Arriving::Dropped => 0,
        }
    }
}

impl Spm {
    /// Takes the next octets of a TSDU.
    pub(super) fn tsdu_part(
        &mut self,
        now: MonoTime,
        octets: &[u8],
        last: bool,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let arriving = core::mem::take(&mut self.arriving);
        // These states have nothing more to say to the peer. What they wait for is short.
        let over = matches!(
            self.state,
            State::AwaitTDisconnect { .. } | State::AwaitAbortAccept { .. } | State::Closed
        );
        let result = match arriving {
            _ if over => Ok(Arriving::Dropped),
            Arriving::Nothing => match decode_data_start(octets) {
                Some(start) => self.data_start(now, start, octets, last, out),
                None => self.collect(Vec::new(), octets),
            },
            Arriving::Collected(begun) => self.collect(begun, octets),
            Arriving::Data { enclosure, later } => {
                let piece = Enclosure::of(false, last && enclosure.ends());
                self.data_piece(now, piece, octets, out)
                    .and_then(|()| self.moved_tokens(now, enclosure, later, last, out))
            }
            Arriving::Dropped => Ok(Arriving::Dropped),
        };
        match result {
            Ok(Arriving::Collected(tsdu)) if last => self.tsdu(now, &tsdu, out),
            Ok(arriving) => {
                self.arriving = if last { Arriving::Nothing } else { arriving };
                Ok(())
            }
            Err(error) => {
                self.arriving = if last { Arriving::Nothing } else { Arriving::Dropped };
                Err(self.fail(now, error, octets, out))
            }
        }
    }

    fn data_start(
        &mut self,
        now: MonoTime,
        start: DataStart,
        octets: &[u8],
        last: bool,
        out: &mut Vec<SpmAction>,
    ) -> Result<Arriving, SessionError> {
        let DataStart { leaders, enclosure, header_octets } = start;
        let enclosure = enclosure.unwrap_or(Enclosure::WHOLE);
        let (later, before): (Vec<_>, Vec<_>) = leaders.into_iter().partition(moves_tokens);
        for spdu in before {
            self.spdu(now, spdu, out)?;
        }
        let piece = Enclosure::of(enclosure.begins(), last && enclosure.ends());
        self.data_piece(now, piece, octets.get(header_octets..).unwrap_or_default(), out)?;
        self.moved_tokens(now, enclosure, later, last, out)
    }

    fn data_piece(
        &mut self,
        now: MonoTime,
        enclosure: Enclosure,
        octets: &[u8],
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        self.spdu(now, Spdu::Dt { enclosure: Some(enclosure), data: octets.to_vec() }, out)
    }

    /// After the last piece, what moves tokens.
    fn moved_tokens(
        &mut self,
        now: MonoTime,
        enclosure: Enclosure,
        later: Vec<Spdu>,
        last: bool,
        out: &mut Vec<SpmAction>,
    ) -> Result<Arriving, SessionError> {
        if !last {
            return Ok(Arriving::Data { enclosure, later });
        }
        for spdu in later {
            self.spdu(now, spdu, out)?;
        }
        Ok(Arriving::Nothing)
    }

    fn collect(&self, mut begun: Vec<u8>, octets: &[u8]) -> Result<Arriving, SessionError> {
        let limit = self.config.max_ssdu;
        if begun.len().saturating_add(octets.len()) > limit {
            return Err(SessionError::TsduTooLong { limit });
        }
        begun.extend_from_slice(octets);
        Ok(Arriving::Collected(begun))
    }
}
