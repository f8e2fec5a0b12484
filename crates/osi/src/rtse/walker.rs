//! Finds the end of one BER encoding (X.690) in a stream of octets, without keeping any of them.
//!
//! Contents of definite length are counted off unseen; of the indefinite ones only their number is kept. So the
//! memory is constant whatever comes. Values are not looked at.

use ber::{ErrorKind, Header, Length, Tag};
use serde::{Deserialize, Serialize};

use crate::elements::HeaderBuffer;

/// Walks through one encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walker {
    header: HeaderBuffer,
    /// Contents octets of definite length that are still to come.
    skip: u64,
    /// Encodings of indefinite length that are open.
    open: u16,
    depth_max: u16,
    done: bool,
    /// Octets looked at.
    position: u64,
}

impl Walker {
    /// A walker at the start of an encoding, which allows `depth_max` indefinite lengths inside one another.
    pub fn new(depth_max: u16) -> Self {
        Walker { header: HeaderBuffer::default(), skip: 0, open: 0, depth_max, done: false, position: 0 }
    }

    /// Walks on through `octets` and tells how many of them belong to the encoding; fewer than all only when it
    /// has ended.
    ///
    /// # Errors
    /// A malformed header, end-of-contents octets out of place, or too much nesting.
    pub fn feed(&mut self, octets: &[u8]) -> Result<usize, ErrorKind> {
        let mut rest = octets;
        while !self.done {
            if self.skip > 0 {
                let now = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rest.len());
                rest = rest.get(now..).unwrap_or_default();
                self.skip -= now as u64;
                self.position += now as u64;
                self.done = self.skip == 0 && self.open == 0;
                if self.skip > 0 {
                    break;
                }
                continue;
            }
            let Some((&octet, tail)) = rest.split_first() else { break };
            rest = tail;
            self.position += 1;
            if let Some(header) = self.header.push(octet)? {
                self.enter(header)?;
            }
        }
        Ok(octets.len() - rest.len())
    }

    /// Octets walked through so far; after an error, up to and with the octet that was wrong.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether the encoding has ended.
    pub fn is_done(&self) -> bool {
        self.done
    }

    fn enter(&mut self, header: Header) -> Result<(), ErrorKind> {
        if header.tag == Tag::EOC {
            self.open = self.open.checked_sub(1).ok_or(ErrorKind::UnexpectedEoc)?;
        } else {
            match header.length {
                Length::Definite(length) => self.skip = length,
                Length::Indefinite if self.open < self.depth_max => self.open += 1,
                Length::Indefinite => return Err(ErrorKind::TooDeep),
            }
        }
        self.done = self.skip == 0 && self.open == 0;
        Ok(())
    }
}
