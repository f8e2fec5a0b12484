//! `chappe decode`: a P1 APDU, a P2/P22 content or a packet capture as a tree of names and values.
//!
//! What a file is, is found out from the file. Nothing is sent, stored or asked of a service.

pub(crate) mod dialogue;
mod inside;
pub mod ladder;
pub(crate) mod pcap;

use mhs::Tree;
use mhs::ipm::{InformationObject, render_object};
use mhs::p1::MtsApdu;
use mhs::{ContentType, DecodeError};

use ladder::Ladder;
pub use pcap::{PcapError, Side};

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An APDU of P1.
    Apdu,
    /// A content of type P2 or P22.
    Content,
    /// A packet capture.
    Capture,
}

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeFailure {
    /// Neither APDU nor content.
    #[error("it is no P1 APDU ({apdu}) and no P2 or P22 content ({content})")]
    Neither {
        /// Why it is no APDU.
        apdu: DecodeError,
        /// Why it is no content.
        content: DecodeError,
    },
    /// A capture that can't be read.
    #[error(transparent)]
    Capture(#[from] PcapError),
    /// An empty file.
    #[error("it is empty")]
    Empty,
    /// Something else than a capture, where only that will do.
    #[error("it is no packet capture; a ladder can be drawn of one only")]
    NoCapture,
}

/// Decodes the contents of a file: octets, or the same in hexadecimal.
///
/// # Errors
/// It can't be.
pub fn decode(file: &[u8]) -> Result<(Kind, Vec<Tree>), DecodeFailure> {
    if file.is_empty() {
        return Err(DecodeFailure::Empty);
    }
    if pcap::is_capture(file) {
        let capture = pcap::Capture::read(file)?;
        let mut trees: Vec<Tree> =
            capture.connections.iter().map(|connection| dialogue::ladder(connection).tree()).collect();
        if let Some(packet) = capture.ends_in {
            trees.push(Tree::leaf("the capture ends in the middle of packet", packet));
        }
        return Ok((Kind::Capture, trees));
    }
    match from_hex(file) {
        Some(octets) => decode_octets(&octets),
        None => decode_octets(file),
    }
}

/// The connections of a capture as ladders.
///
/// # Errors
/// It is no capture, or can't be read.
pub fn ladders(file: &[u8]) -> Result<Vec<Ladder>, DecodeFailure> {
    if file.is_empty() {
        return Err(DecodeFailure::Empty);
    }
    if !pcap::is_capture(file) {
        return Err(DecodeFailure::NoCapture);
    }
    Ok(pcap::Capture::read(file)?.connections.iter().map(dialogue::ladder).collect())
}

fn decode_octets(octets: &[u8]) -> Result<(Kind, Vec<Tree>), DecodeFailure> {
    let apdu = match MtsApdu::from_octets(octets) {
        Ok(apdu) => return Ok((Kind::Apdu, vec![apdu_tree(&apdu)])),
        Err(error) => error,
    };
    match InformationObject::decode(octets) {
        Ok(object) => Ok((Kind::Content, vec![render_object(&object)])),
        Err(content) => Err(DecodeFailure::Neither { apdu, content }),
    }
}

/// An APDU with its content, if that is an interpersonal one.
fn apdu_tree(apdu: &MtsApdu) -> Tree {
    let mut tree = mhs::render::apdu(apdu);
    if let MtsApdu::Message(message) = apdu
        && [ContentType::P2, ContentType::P22].contains(&message.envelope.content_type)
    {
        tree.push(match InformationObject::decode(&message.content) {
            Ok(object) => render_object(&object),
            Err(error) => Tree::leaf("content can't be understood", error),
        });
    }
    tree
}

/// The octets that `text` writes in hexadecimal digits and blanks, if it is nothing else.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut high = None;
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = u8::try_from(char::from(*byte).to_digit(16)?).ok()?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => octets.push(high << 4 | digit),
        }
    }
    (high.is_none() && !octets.is_empty()).then_some(octets)
}

#[cfg(test)]
mod tests;
