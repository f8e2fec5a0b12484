//! Parameters of SPDUs (X.225 8.2): PI and PGI units, read and written.

use alloc::vec::Vec;

use super::SpduError;

pub(super) const CONNECTION_IDENTIFIER: u8 = 1;
pub(super) const CONNECT_ITEM: u8 = 5;
pub(super) const CALLED_REFERENCE: u8 = 9;
pub(super) const CALLING_REFERENCE: u8 = 10;
pub(super) const COMMON_REFERENCE: u8 = 11;
pub(super) const ADDITIONAL_REFERENCE: u8 = 12;
pub(super) const SYNC_TYPE: u8 = 15;
pub(super) const TOKEN_ITEM: u8 = 16;
pub(super) const TRANSPORT_DISCONNECT: u8 = 17;
pub(super) const PROTOCOL_OPTIONS: u8 = 19;
pub(super) const USER_REQUIREMENTS: u8 = 20;
pub(super) const TSDU_MAX: u8 = 21;
pub(super) const VERSION: u8 = 22;
pub(super) const INITIAL_SERIAL: u8 = 23;
pub(super) const ENCLOSURE: u8 = 25;
pub(super) const TOKEN_SETTING: u8 = 26;
pub(super) const LINKING: u8 = 33;
pub(super) const ACTIVITY: u8 = 41;
pub(super) const SERIAL: u8 = 42;
pub(super) const MIA_USER_DATA: u8 = 46;
pub(super) const REFLECTED: u8 = 49;
pub(super) const REASON: u8 = 50;
pub(super) const CALLING_SELECTOR: u8 = 51;
pub(super) const CALLED_SELECTOR: u8 = 52;
pub(super) const DATA_OVERFLOW: u8 = 60;
pub(super) const USER_DATA: u8 = 193;
pub(super) const EXTENDED_USER_DATA: u8 = 194;

pub(super) const REFERENCE_OCTETS_MAX: usize = 64;
pub(super) const ADDITIONAL_REFERENCE_OCTETS_MAX: usize = 4;
pub(super) const SELECTOR_OCTETS_MAX: usize = 16;
pub(super) const ACTIVITY_OCTETS_MAX: usize = 6;
pub(super) const SERIAL_DIGITS_MAX: usize = 6;
/// User data that does not need the extended parameter.
pub(super) const USER_DATA_OCTETS_MAX: usize = 512;

/// Reads a length indicator: one octet, or 255 and two octets. The long form of a short length is taken.
pub(super) fn length(input: &mut &[u8]) -> Option<usize> {
    match *input {
        [255, high, low, rest @ ..] => {
            *input = rest;
            Some(usize::from(u16::from_be_bytes([*high, *low])))
        }
        [255, ..] | [] => None,
        [short, rest @ ..] => {
            *input = rest;
            Some(usize::from(*short))
        }
    }
}

/// The units of an SPDU or of a PGI, one after the other.
pub(super) struct Parameters<'a> {
    spdu: &'static str,
    rest: &'a [u8],
    /// One bit for each code that came.
    seen: [u64; 4],
}

/// One PI or PGI unit.
#[derive(Clone, Copy)]
pub(super) struct Parameter<'a> {
    spdu: &'static str,
    pub(super) code: u8,
    pub(super) value: &'a [u8],
}

impl<'a> Parameters<'a> {
    pub(super) fn new(spdu: &'static str, octets: &'a [u8]) -> Self {
        Parameters { spdu, rest: octets, seen: [0; 4] }
    }

    pub(super) fn next(&mut self) -> Result<Option<Parameter<'a>>, SpduError> {
        let spdu = self.spdu;
        let Some((&code, mut rest)) = self.rest.split_first() else { return Ok(None) };
        let left = rest.len();
        let needed = length(&mut rest).ok_or(SpduError::Truncated { spdu, needed: left + 1, left })?;
        let cut_off = SpduError::Truncated { spdu, needed, left: rest.len() };
        let (value, rest) = rest.split_at_checked(needed).ok_or(cut_off)?;
        self.rest = rest;
        let bit = 1_u64 << (code % 64);
        if let Some(seen) = self.seen.get_mut(usize::from(code / 64)) {
            if *seen & bit != 0 {
                return Err(SpduError::Duplicate { spdu, code });
            }
            *seen |= bit;
        }
        Ok(Some(Parameter { spdu, code, value }))
    }
}

impl<'a> Parameter<'a> {
    pub(super) fn invalid(&self) -> SpduError {
        SpduError::Parameter { spdu: self.spdu, code: self.code, octets: self.value.len() }
    }

    pub(super) fn nested(&self) -> Parameters<'a> {
        Parameters::new(self.spdu, self.value)
    }

    pub(super) fn octet(&self) -> Result<u8, SpduError> {
        match *self.value {
            [octet] => Ok(octet),
            _ => Err(self.invalid()),
        }
    }

    pub(super) fn u16(&self) -> Result<u16, SpduError> {
        match *self.value {
            [high, low] => Ok(u16::from_be_bytes([high, low])),
            _ => Err(self.invalid()),
        }
    }

    pub(super) fn octets(&self, max: usize) -> Result<Vec<u8>, SpduError> {
        if self.value.len() > max { Err(self.invalid()) } else { Ok(self.value.to_vec()) }
    }

    /// A serial number: one to six decimal digits.
    pub(super) fn serial(&self) -> Result<u32, SpduError> {
        if self.value.is_empty() || self.value.len() > SERIAL_DIGITS_MAX {
            return Err(self.invalid());
        }
        self.value.iter().try_fold(0, |number, digit| match digit {
            b'0'..=b'9' => Ok(number * 10 + u32::from(digit - b'0')),
            _ => Err(self.invalid()),
        })
    }
}

/// Collects the units of an SPDU or of a PGI.
pub(super) struct Writer {
    spdu: &'static str,
    octets: Vec<u8>,
}

impl Writer {
    pub(super) fn new(spdu: &'static str) -> Self {
        Writer { spdu, octets: Vec::new() }
    }

    /// Writes a unit whose value has at most `max` octets.
    pub(super) fn put(&mut self, code: u8, value: &[u8], max: usize) -> Result<(), SpduError> {
        let octets = value.len();
        if octets > max {
            return Err(SpduError::TooLong { spdu: self.spdu, code, octets, limit: max });
        }
        self.octets.push(code);
        put_length(self.spdu, code, octets, &mut self.octets)?;
        self.octets.extend_from_slice(value);
        Ok(())
    }

    pub(super) fn put_octet(&mut self, code: u8, value: u8) -> Result<(), SpduError> {
        self.put(code, &[value], 1)
    }

    pub(super) fn put_optional(
        &mut self,
        code: u8,
        value: Option<&Vec<u8>>,
        max: usize,
    ) -> Result<(), SpduError> {
        value.map_or(Ok(()), |value| self.put(code, value, max))
    }

    pub(super) fn put_serial(&mut self, code: u8, serial: u32) -> Result<(), SpduError> {
        let digits = alloc::format!("{serial}");
        self.put(code, digits.as_bytes(), SERIAL_DIGITS_MAX)
    }

    /// Writes a PGI unit; nothing if it would be empty.
    pub(super) fn put_group(
        &mut self,
        code: u8,
        fill: impl FnOnce(&mut Writer) -> Result<(), SpduError>,
    ) -> Result<(), SpduError> {
        let mut group = Writer::new(self.spdu);
        fill(&mut group)?;
        if group.octets.is_empty() {
            return Ok(());
        }
        self.put(code, &group.octets, usize::from(u16::MAX))
    }

    /// Appends identifier, length and units of the SPDU to `out`.
    pub(super) fn finish(self, si: u8, out: &mut Vec<u8>) -> Result<(), SpduError> {
        let mut header = alloc::vec![si];
        put_length(self.spdu, si, self.octets.len(), &mut header)?;
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.octets);
        Ok(())
    }
}

fn put_length(spdu: &'static str, code: u8, octets: usize, out: &mut Vec<u8>) -> Result<(), SpduError> {
    match u8::try_from(octets) {
        Ok(short) if short < 255 => out.push(short),
        Ok(_) | Err(_) => {
            let limit = usize::from(u16::MAX);
            let long = u16::try_from(octets).map_err(|_| SpduError::TooLong { spdu, code, octets, limit })?;
            out.push(255);
            out.extend_from_slice(&long.to_be_bytes());
        }
    }
    Ok(())
}
