//! MTS-APDU from a stream: the content passes through, only the envelope is held.
//!
//! Definite and indefinite lengths may be mixed at every level, and the content may come in segments.
//! Memory is bounded by [`Limits`] whatever the lengths in the stream claim.

mod saved;

use ber::{Header, Length, Tag};
use serde::{Deserialize, Serialize};

pub use saved::ApduReaderState;

use super::apdu::MESSAGE;
use super::envelope::MessageTransferEnvelope;
use super::probe::{PROBE, ProbeTransferEnvelope};
use super::report::{REPORT, Report};
use crate::error::{DecodeError, DecodeErrorKind, Within};

/// How much of one APDU is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the envelope of a message; whole size of a probe.
    pub max_envelope_octets: u64,
    /// Octets of a report, which may hold a returned content.
    pub max_report_octets: u64,
    /// Octets of the content of a message.
    pub max_content_octets: u64,
}

impl Default for Limits {
    /// 1 MiB of envelope, 16 MiB of report, any length of content.
    fn default() -> Self {
        Limits { max_envelope_octets: 1 << 20, max_report_octets: 16 << 20, max_content_octets: u64::MAX }
    }
}

/// A part of an APDU, in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApduPart {
    /// The envelope of a message; content follows.
    MessageEnvelope(Box<MessageTransferEnvelope>),
    /// Octets of the content: its value, without the headers of segments. Never empty.
    Content(Vec<u8>),
    /// A probe.
    Probe(Box<ProbeTransferEnvelope>),
    /// A report.
    Report(Box<Report>),
    /// The APDU is complete. Nothing may follow.
    End,
}

/// Reads one APDU piece by piece. After an error it takes nothing more and gives the same error again.
#[derive(Clone, Debug)]
pub struct ApduReader {
    limits: Limits,
    /// Octets taken so far.
    position: u64,
    /// Identifier and length octets that are not complete yet; at most 15.
    header: Vec<u8>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// The outermost header is awaited.
    Start,
    /// An element is collected until it is complete.
    Collect(Collect),
    /// The header of the content is awaited, inside the APDU.
    ContentHeader(Level),
    /// Inside the content: the levels from the APDU to the innermost segment, and the octets that are left of
    /// a primitive one.
    Content(Vec<Level>, u64, u64),
    /// Everything has been read but the APDU's end-of-contents octets.
    Trailer,
    Done,
    Failed(DecodeError),
}

/// An element that is collected whole.
#[derive(Clone, Debug)]
struct Collect {
    what: What,
    octets: Vec<u8>,
    start: u64,
    limit: u64,
    /// Octets that belong to the element whatever they are.
    skip: u64,
    /// Indefinite lengths that are open.
    open: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    /// The envelope of a message, inside the APDU.
    Envelope(Level),
    Probe,
    Report,
}

/// Where a constructed encoding ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Level {
    /// After so many octets of the APDU.
    At(u64),
    /// At end-of-contents octets.
    Indefinite,
}

/// Levels of segments within segments.
const MAX_SEGMENT_DEPTH: usize = 16;

impl ApduReader {
    /// A reader for one APDU.
    pub fn new(limits: Limits) -> Self {
        ApduReader { limits, position: 0, header: Vec::new(), state: State::Start }
    }

    /// Takes the next octets of the APDU and appends what they complete to `out`.
    ///
    /// # Errors
    /// The octets are no MTS-APDU, go on after its end, or exceed a limit. Parts that were complete before
    /// are in `out` nevertheless.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<ApduPart>) -> Result<(), DecodeError> {
        let mut rest = octets;
        let result = loop {
            match self.step(&mut rest, out) {
                Ok(Progress::More) => {}
                Ok(Progress::NeedOctets) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
        }
        result
    }

    /// Whether the APDU is complete.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Octets taken so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Checks that the APDU is complete.
    ///
    /// # Errors
    /// It is not, or [`ApduReader::push`] had failed.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match &self.state {
            State::Done => Ok(()),
            State::Failed(error) => Err(error.clone()),
            State::Start
            | State::Collect(_)
            | State::ContentHeader(_)
            | State::Content(..)
            | State::Trailer => Err(self.error(DecodeErrorKind::Incomplete)),
        }
    }

    fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::at_offset(kind, self.position)
    }

    fn encoding(&self, kind: ber::ErrorKind) -> DecodeError {
        self.error(DecodeErrorKind::Encoding(kind))
    }

    fn step(&mut self, rest: &mut &[u8], out: &mut Vec<ApduPart>) -> Result<Progress, DecodeError> {
        match core::mem::replace(&mut self.state, State::Start) {
            State::Start => {
                let Some((header, octets)) = self.next_header(rest)? else { return Ok(Progress::NeedOctets) };
                self.start(header, octets)?;
                Ok(Progress::More)
            }
            State::Collect(collect) => self.collect(collect, rest, out),
            State::ContentHeader(apdu) => {
                let Some((header, _)) = self.next_header(rest)? else {
                    self.state = State::ContentHeader(apdu);
                    return Ok(Progress::NeedOctets);
                };
                if header.tag != Tag::OCTET_STRING {
                    let kind =
                        ber::ErrorKind::UnexpectedTag { expected: Tag::OCTET_STRING, found: header.tag };
                    return Err(self.encoding(kind)).field("content").field("message");
                }
                self.enter(vec![apdu], header, 0)?;
                Ok(Progress::More)
            }
            State::Content(levels, left, total) => self.content(levels, left, total, rest, out),
            State::Trailer => {
                let Some((header, _)) = self.next_header(rest)? else {
                    self.state = State::Trailer;
                    return Ok(Progress::NeedOctets);
                };
                if !is_eoc(&header) {
                    return Err(self.encoding(ber::ErrorKind::Trailing));
                }
                out.push(ApduPart::End);
                self.state = State::Done;
                Ok(Progress::More)
            }
            State::Done => {
                self.state = State::Done;
                if rest.is_empty() {
                    Ok(Progress::NeedOctets)
                } else {
                    Err(self.encoding(ber::ErrorKind::Trailing))
                }
            }
            State::Failed(error) => Err(error),
        }
    }

    /// The outermost header has been read.
    fn start(&mut self, header: Header, octets: Vec<u8>) -> Result<(), DecodeError> {
        if !header.constructed {
            return Err(self.encoding(ber::ErrorKind::NotConstructed(header.tag)));
        }
        let (what, limit) = match header.tag {
            MESSAGE => {
                let apdu = self.level(header.length, None)?;
                self.state = State::Collect(Collect {
                    what: What::Envelope(apdu),
                    octets: Vec::new(),
                    start: self.position,
                    limit: self.limits.max_envelope_octets,
                    skip: 0,
                    open: 0,
                });
                return Ok(());
            }
            PROBE => (What::Probe, self.limits.max_envelope_octets),
            REPORT => (What::Report, self.limits.max_report_octets),
            other => return Err(self.error(DecodeErrorKind::Choice(other))),
        };
        let mut collect =
            Collect { what, start: self.position - octets.len() as u64, octets, limit, skip: 0, open: 0 };
        collect.take_header(&header).map_err(|kind| self.error(kind))?;
        self.state = State::Collect(collect);
        Ok(())
    }

    fn level(&self, length: Length, outer: Option<Level>) -> Result<Level, DecodeError> {
        match length {
            Length::Indefinite => Ok(Level::Indefinite),
            Length::Definite(length) => {
                let end = self.position.checked_add(length);
                let end = end.ok_or_else(|| self.encoding(ber::ErrorKind::LengthTooLarge))?;
                match outer {
                    Some(Level::At(limit)) if end > limit => Err(self.encoding(ber::ErrorKind::Truncated)),
                    Some(Level::At(_) | Level::Indefinite) | None => Ok(Level::At(end)),
                }
            }
        }
    }

    /// The next header, once it is complete, with its octets.
    fn next_header(&mut self, rest: &mut &[u8]) -> Result<Option<(Header, Vec<u8>)>, DecodeError> {
        while let Some((&octet, tail)) = rest.split_first() {
            *rest = tail;
            self.header.push(octet);
            self.position += 1;
            match Header::parse(&self.header) {
                Ok(Some(header)) => return Ok(Some((header, core::mem::take(&mut self.header)))),
                Ok(None) => {}
                Err(kind) => return Err(self.encoding(kind)),
            }
        }
        Ok(None)
    }

    fn collect(
        &mut self,
        mut collect: Collect,
        rest: &mut &[u8],
        out: &mut Vec<ApduPart>,
    ) -> Result<Progress, DecodeError> {
        loop {
            if collect.skip > 0 {
                let count = usize::try_from(collect.skip).unwrap_or(usize::MAX).min(rest.len());
                let (taken, tail) = rest.split_at(count);
                collect.octets.extend_from_slice(taken);
                collect.skip -= count as u64;
                self.position += count as u64;
                *rest = tail;
            }
            if collect.skip == 0 && collect.open == 0 && !collect.octets.is_empty() {
                return self.collected(collect, out);
            }
            if collect.skip > 0 {
                self.state = State::Collect(collect);
                return Ok(Progress::NeedOctets);
            }
            let Some((header, octets)) = self.next_header(rest)? else {
                self.state = State::Collect(collect);
                return Ok(Progress::NeedOctets);
            };
            if let (What::Envelope(Level::At(end)), Length::Definite(length)) = (collect.what, header.length)
                && length > end.saturating_sub(self.position)
            {
                return Err(self.encoding(ber::ErrorKind::Truncated)).field("message");
            }
            collect.octets.extend_from_slice(&octets);
            collect.take_header(&header).map_err(|kind| self.error(kind))?;
        }
    }

    fn collected(&mut self, collect: Collect, out: &mut Vec<ApduPart>) -> Result<Progress, DecodeError> {
        let octets = &collect.octets;
        match collect.what {
            What::Envelope(apdu) => {
                let envelope = MessageTransferEnvelope::from_octets(octets).field("message");
                let envelope = envelope.map_err(|error| error.moved(collect.start))?;
                out.push(ApduPart::MessageEnvelope(Box::new(envelope)));
                self.state = State::ContentHeader(apdu);
            }
            What::Probe => {
                let probe = ProbeTransferEnvelope::from_octets(octets);
                out.push(ApduPart::Probe(Box::new(probe.map_err(|error| error.moved(collect.start))?)));
                out.push(ApduPart::End);
                self.state = State::Done;
            }
            What::Report => {
                let report = Report::from_octets(octets);
                out.push(ApduPart::Report(Box::new(report.map_err(|error| error.moved(collect.start))?)));
                out.push(ApduPart::End);
                self.state = State::Done;
            }
        }
        Ok(Progress::More)
    }

    /// The header of the content or of a segment has been read; `levels` leads to it.
    fn enter(&mut self, mut levels: Vec<Level>, header: Header, total: u64) -> Result<(), DecodeError> {
        let level = self.level(header.length, levels.last().copied()).field("content").field("message")?;
        if header.constructed {
            if levels.len() > MAX_SEGMENT_DEPTH {
                return Err(self.encoding(ber::ErrorKind::TooDeep)).field("content").field("message");
            }
            levels.push(level);
            self.state = State::Content(levels, 0, total);
            return Ok(());
        }
        // A primitive encoding has a definite length: the header parser has seen to that.
        let left = match level {
            Level::At(end) => end - self.position,
            Level::Indefinite => 0,
        };
        let total = total.saturating_add(left);
        if total > self.limits.max_content_octets {
            let kind = DecodeErrorKind::TooLarge { limit: self.limits.max_content_octets };
            return Err(self.error(kind)).field("content").field("message");
        }
        self.state = State::Content(levels, left, total);
        Ok(())
    }

    fn content(
        &mut self,
        mut levels: Vec<Level>,
        left: u64,
        total: u64,
        rest: &mut &[u8],
        out: &mut Vec<ApduPart>,
    ) -> Result<Progress, DecodeError> {
        if left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let (taken, tail) = rest.split_at(count);
            if !taken.is_empty() {
                out.push(ApduPart::Content(taken.to_vec()));
            }
            *rest = tail;
            self.position += count as u64;
            let left = left - count as u64;
            self.state = State::Content(levels, left, total);
            return Ok(if left > 0 { Progress::NeedOctets } else { Progress::More });
        }
        // The first level is the APDU itself: with nothing inside it open, the content is complete.
        if let [apdu] = levels.as_slice() {
            self.state = match *apdu {
                Level::Indefinite => State::Trailer,
                Level::At(end) if end == self.position => {
                    out.push(ApduPart::End);
                    State::Done
                }
                Level::At(_) => return Err(self.encoding(ber::ErrorKind::Trailing)).field("message"),
            };
            return Ok(Progress::More);
        }
        if levels.last() == Some(&Level::At(self.position)) {
            levels.pop();
            self.state = State::Content(levels, 0, total);
            return Ok(Progress::More);
        }
        let Some((header, _)) = self.next_header(rest)? else {
            self.state = State::Content(levels, 0, total);
            return Ok(Progress::NeedOctets);
        };
        if is_eoc(&header) && levels.last() == Some(&Level::Indefinite) {
            levels.pop();
            self.state = State::Content(levels, 0, total);
            return Ok(Progress::More);
        }
        if header.tag != Tag::OCTET_STRING {
            let kind = ber::ErrorKind::UnexpectedTag { expected: Tag::OCTET_STRING, found: header.tag };
            return Err(self.encoding(kind)).field("content").field("message");
        }
        self.enter(levels, header, total)?;
        Ok(Progress::More)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    More,
    NeedOctets,
}

impl Collect {
    /// Accounts for a header inside the element, or for its own.
    fn take_header(&mut self, header: &Header) -> Result<(), DecodeErrorKind> {
        if is_eoc(header) {
            self.open =
                self.open.checked_sub(1).ok_or(DecodeErrorKind::Encoding(ber::ErrorKind::UnexpectedEoc))?;
        } else {
            match header.length {
                Length::Indefinite => {
                    self.open += 1;
                    if self.open > ber::DEFAULT_DEPTH {
                        return Err(DecodeErrorKind::Encoding(ber::ErrorKind::TooDeep));
                    }
                }
                Length::Definite(length) => self.skip = length,
            }
        }
        if self.skip.saturating_add(self.octets.len() as u64) > self.limit {
            return Err(DecodeErrorKind::TooLarge { limit: self.limit });
        }
        Ok(())
    }
}

fn is_eoc(header: &Header) -> bool {
    header.tag == Tag::EOC && !header.constructed && header.length == Length::Definite(0)
}
