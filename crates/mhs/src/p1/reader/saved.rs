//! The state of an [`ApduReader`] as a value that can be stored, for an APDU whose transfer is interrupted and
//! goes on later, perhaps in another process.
//!
//! What a reader has given out already (the envelope, content) is not part of it.

use serde::{Deserialize, Serialize};

use super::{ApduReader, Collect, Level, Limits, MAX_SEGMENT_DEPTH, State, What};

/// Octets of an identifier and a length that can be incomplete; what is longer the header parser refuses.
const MAX_HEADER: usize = 15;
/// No APDU is longer, so arithmetic with positions can't overflow.
const MAX_POSITION: u64 = 1 << 62;

/// Where an [`ApduReader`] stands. As large as what the reader holds: a part of an envelope, a probe or a report.
///
/// Its encoding by serde is what is stored: a changed member is a new format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApduReaderState {
    position: u64,
    header: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Start,
    Collect { what: What, octets: Vec<u8>, start: u64, skip: u64, open: u16 },
    ContentHeader(Level),
    Content { levels: Vec<Level>, left: u64, total: u64 },
    Trailer,
    Done,
}

impl ApduReader {
    /// The state to store; `None` after an error, since nothing can follow.
    pub fn save(&self) -> Option<ApduReaderState> {
        let stage = match &self.state {
            State::Start => Stage::Start,
            State::Collect(Collect { what, octets, start, limit: _, skip, open }) => Stage::Collect {
                what: *what,
                octets: octets.clone(),
                start: *start,
                skip: *skip,
                open: *open,
            },
            State::ContentHeader(apdu) => Stage::ContentHeader(*apdu),
            State::Content(levels, left, total) => {
                Stage::Content { levels: levels.clone(), left: *left, total: *total }
            }
            State::Trailer => Stage::Trailer,
            State::Done => Stage::Done,
            State::Failed(_) => return None,
        };
        Some(ApduReaderState { position: self.position, header: self.header.clone(), stage })
    }

    /// A reader that goes on where another one stood, under the limits of today; `None` if no reader can stand
    /// there.
    pub fn restore(limits: Limits, state: ApduReaderState) -> Option<ApduReader> {
        let ApduReaderState { position, header, stage } = state;
        if position > MAX_POSITION || header.len() > MAX_HEADER || header.len() as u64 > position {
            return None;
        }
        let state = match stage {
            Stage::Start => State::Start,
            Stage::Collect { what, octets, start, skip, open } => {
                let limit = match what {
                    What::Envelope(_) | What::Probe => limits.max_envelope_octets,
                    What::Report => limits.max_report_octets,
                };
                let held = octets.len() as u64;
                if held.saturating_add(skip) > limit || start > position || open > ber::DEFAULT_DEPTH {
                    return None;
                }
                State::Collect(Collect { what, octets, start, limit, skip, open })
            }
            Stage::ContentHeader(apdu) => State::ContentHeader(apdu),
            Stage::Content { levels, left, total } => {
                let fits = (1..=MAX_SEGMENT_DEPTH + 1).contains(&levels.len());
                if !fits || left > MAX_POSITION - position || total > limits.max_content_octets {
                    return None;
                }
                State::Content(levels, left, total)
            }
            Stage::Trailer => State::Trailer,
            Stage::Done => State::Done,
        };
        Some(ApduReader { limits, position, header, state })
    }
}
