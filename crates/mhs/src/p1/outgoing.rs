//! The octets of a message on their way out, content included, without the content being held.
//!
//! Every length is definite and known before the first octet leaves. The content goes in one piece, or in segments of
//! 2,048 octets for MTAs that can't take longer strings.

use std::borrow::Cow;

use ber::{Tag, Writer};

use super::apdu::MESSAGE;
use super::envelope::MessageTransferEnvelope;

/// How the content of a message is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentCoding {
    /// One primitive OCTET STRING.
    #[default]
    Whole,
    /// A constructed OCTET STRING of pieces of [`ContentCoding::PIECE`] octets, if the content is longer than one.
    Pieces,
}

impl ContentCoding {
    /// Octets of a piece.
    pub const PIECE: u64 = 2048;
}

/// The octets of one message: what stands around the content, and where the content goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// In front of the content: everything up to it, or up to the header of its first piece.
    header: Vec<u8>,
    content_length: u64,
    in_pieces: bool,
}

/// What stands at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// These octets.
    Octets(Cow<'a, [u8]>),
    /// So many octets of the content from this offset.
    Content {
        /// Offset in the content.
        offset: u64,
        /// Number of octets; not 0.
        length: u64,
    },
}

impl OutgoingMessage {
    /// A message with a content of `content_length` octets.
    pub fn new(envelope: &MessageTransferEnvelope, content_length: u64, coding: ContentCoding) -> Self {
        let in_pieces = match coding {
            ContentCoding::Whole => false,
            ContentCoding::Pieces => content_length > ContentCoding::PIECE,
        };
        let inside = if in_pieces { octets_in_pieces(content_length) } else { content_length };
        let body = Writer::encode(|w| {
            envelope.write(w);
            w.header(Tag::OCTET_STRING, in_pieces, inside);
        });
        let mut header = Writer::new();
        header.header(MESSAGE, true, inside.saturating_add(body.len() as u64));
        header.raw(&body);
        OutgoingMessage { header: header.into_vec(), content_length, in_pieces }
    }

    /// What stands in front of the content. With the content it settles every octet: how the rest is coded is said in it.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Octets of the whole APDU.
    pub fn length(&self) -> u64 {
        let inside = if self.in_pieces { octets_in_pieces(self.content_length) } else { self.content_length };
        inside.saturating_add(self.header.len() as u64)
    }

    /// What stands at `position`, up to where something else begins; `None` at the end.
    pub fn at(&self, position: u64) -> Option<Stretch<'_>> {
        let header = usize::try_from(position).ok().and_then(|position| self.header.get(position..));
        if let Some(header) = header.filter(|header| !header.is_empty()) {
            return Some(Stretch::Octets(Cow::Borrowed(header)));
        }
        let position = position.saturating_sub(self.header.len() as u64);
        let (piece_start, within, piece_header, piece_length) = if self.in_pieces {
            // All pieces but the last are alike.
            let stride = ContentCoding::PIECE + piece_header(ContentCoding::PIECE).len() as u64;
            let number = (position / stride).min(self.content_length / ContentCoding::PIECE);
            let start = number * ContentCoding::PIECE;
            let length = (self.content_length - start).min(ContentCoding::PIECE);
            (start, position - number * stride, piece_header(length), length)
        } else {
            (0, position, Vec::new(), self.content_length)
        };
        if piece_length == 0 {
            return None;
        }
        let header = usize::try_from(within).ok().and_then(|within| piece_header.get(within..));
        if let Some(header) = header.filter(|header| !header.is_empty()) {
            return Some(Stretch::Octets(Cow::Owned(header.to_vec())));
        }
        let inside = within - piece_header.len() as u64;
        let length = piece_length.checked_sub(inside).filter(|&length| length > 0)?;
        Some(Stretch::Content { offset: piece_start + inside, length })
    }
}

fn piece_header(length: u64) -> Vec<u8> {
    let mut header = Writer::new();
    header.header(Tag::OCTET_STRING, false, length);
    header.into_vec()
}

/// Octets of all pieces with their headers.
fn octets_in_pieces(content_length: u64) -> u64 {
    let encoded = |length: u64| if length == 0 { 0 } else { length + piece_header(length).len() as u64 };
    let full = content_length / ContentCoding::PIECE;
    full.saturating_mul(encoded(ContentCoding::PIECE))
        .saturating_add(encoded(content_length % ContentCoding::PIECE))
}
