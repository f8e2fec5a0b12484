//! RTTR APDUs that come in pieces: finds the octets of the user's APDU in them. Holds nothing of them.

use alloc::vec::Vec;

use ber::{Error, ErrorKind, Tag};

use super::apdu::RtseApdu;
use super::error::RtseError;
use crate::elements::{Element, Elements};

const PRIMITIVE: &str = "P-DATA indication";

/// The RTTR APDUs of one P-DATA, which are octet strings.
#[derive(Clone, Debug, Default)]
pub(super) struct RttrReader(Elements);

impl RttrReader {
    /// Adds to `segment` what `octets`, the next ones, have of octets of the user's APDU. With `last` an RTTR ends
    /// after them.
    pub(super) fn take(&mut self, octets: &[u8], last: bool, segment: &mut Vec<u8>) -> Result<(), RtseError> {
        let mut input = octets;
        while let Some(element) = self.0.next(&mut input).map_err(malformed)? {
            match element {
                Element::Begin(header) if header.tag == Tag::OCTET_STRING => {}
                Element::Begin(header) => return Err(self.other(header.tag)),
                Element::Contents(octets) => segment.extend_from_slice(octets),
                Element::End { .. } => {}
            }
        }
        if last && !self.0.is_between() {
            return Err(malformed(self.0.error(ErrorKind::Truncated)));
        }
        Ok(())
    }

    fn other(&self, found: Tag) -> RtseError {
        // The element that begins is counted.
        match RtseApdu::name_by_tag(found) {
            Some(found) if self.0.depth() == 1 => {
                RtseError::WrongApdu { primitive: PRIMITIVE, found, expected: "RTTR" }
            }
            Some(_) | None => {
                malformed(self.0.error(ErrorKind::UnexpectedTag { expected: Tag::OCTET_STRING, found }))
            }
        }
    }
}

fn malformed(source: Error) -> RtseError {
    RtseError::Malformed { primitive: PRIMITIVE, source }
}
