//! Transport protocol data units of class 0 (X.224 clause 13): codec.
//!
//! Decoding is lenient where X.224 lets a receiver be, and a little beyond: unknown parameters are skipped in CC
//! too, and user data of a TPDU other than DT, which RFC 1006 knows and nothing here has a use for, is not looked at.

use alloc::vec::Vec;

use crate::failure::Blame;
use crate::tpkt::MAX_TPDU_OCTETS;

/// Octets of a DT TPDU before its user data.
pub const DT_HEADER_OCTETS: usize = 3;

const CR: u8 = 0xE0;
const CC: u8 = 0xD0;
const DR: u8 = 0x80;
const DT: u8 = 0xF0;
const ER: u8 = 0x70;

const P_TPDU_SIZE: u8 = 0xC0;
const P_CALLING: u8 = 0xC1;
const P_CALLED: u8 = 0xC2;
const P_ALTERNATIVE_CLASS: u8 = 0xC7;
const P_ADDITIONAL_INFORMATION: u8 = 0xE0;
const P_PREFERRED_TPDU_SIZE: u8 = 0xF0;
const P_INVALID_TPDU: u8 = 0xC1;

const EOT: u8 = 0x80;
/// LI is one octet and 255 is reserved.
const HEADER_OCTETS_MAX: usize = 254;

/// A TPDU of class 0. References name the two ends of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tpdu {
    /// Connection request.
    Cr(Connect),
    /// Connection confirm.
    Cc(Connect),
    /// Disconnect request.
    Dr {
        /// Reference of the receiver; 0 when it is not known.
        destination: u16,
        /// Reference of the sender; 0 when it has none.
        source: u16,
        /// Reason, see [`DrReason`].
        reason: u8,
        /// Additional information in the clear.
        information: Vec<u8>,
    },
    /// Data.
    Dt {
        /// Whether this ends the TSDU.
        end_of_tsdu: bool,
        /// User data.
        data: Vec<u8>,
    },
    /// TPDU error.
    Er {
        /// Reference of the receiver.
        destination: u16,
        /// Cause, see [`ErCause`].
        cause: u8,
        /// Copy of the header of the rejected TPDU.
        invalid: Vec<u8>,
    },
}

/// Contents of CR and CC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Reference of the receiver; 0 in CR.
    pub destination: u16,
    /// Reference of the sender.
    pub source: u16,
    /// Protocol class (0 to 4) preferred in CR, chosen in CC.
    pub class: u8,
    /// CR: whether class 0 is among the alternative classes.
    pub class_0_alternative: bool,
    /// Maximum TPDU size.
    pub tpdu_size: Option<TpduSize>,
    /// Preferred maximum TPDU size, in units of 128 octets; never 0. In CC it takes the place of the other.
    pub preferred_size: Option<u32>,
    /// Calling transport selector.
    pub calling_selector: Option<Vec<u8>>,
    /// Called transport selector.
    pub called_selector: Option<Vec<u8>>,
}

/// Reasons of DR (X.224 13.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrReason;

#[allow(missing_docs, reason = "the names are those of X.224")]
impl DrReason {
    pub const NOT_SPECIFIED: u8 = 0;
    pub const CONGESTION_AT_TSAP: u8 = 1;
    pub const SESSION_ENTITY_NOT_ATTACHED: u8 = 2;
    pub const ADDRESS_UNKNOWN: u8 = 3;
    pub const NORMAL: u8 = 0x80;
    pub const REMOTE_CONGESTION: u8 = 0x81;
    pub const NEGOTIATION_FAILED: u8 = 0x82;
    pub const PROTOCOL_ERROR: u8 = 0x85;
    pub const CONNECTION_REFUSED: u8 = 0x88;
    pub const LENGTH_INVALID: u8 = 0x8A;
}

/// Causes of ER (X.224 13.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErCause;

#[allow(missing_docs, reason = "the names are those of X.224")]
impl ErCause {
    pub const NOT_SPECIFIED: u8 = 0;
    pub const INVALID_PARAMETER_CODE: u8 = 1;
    pub const INVALID_TPDU_TYPE: u8 = 2;
    pub const INVALID_PARAMETER_VALUE: u8 = 3;
}

/// Octets of a unit of the preferred maximum TPDU size.
const PREFERRED_UNIT: usize = 128;

/// Maximum TPDU size. It counts the TPDU with its header.
///
/// The parameter of X.224 says powers of two from 128 to 8192 octets. Implementations of RFC 1006 have extended it up to
/// the 65,531 octets that a packet can hold, which X.224 says in another way since: in units of 128 octets, by a
/// parameter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TpduSize(u8);

impl TpduSize {
    /// 128 octets.
    pub const MIN: TpduSize = TpduSize(7);
    /// 2048 octets.
    pub const OCTETS_2048: TpduSize = TpduSize(11);
    /// 8192 octets: the most that the parameter of X.224 says.
    pub const MAX: TpduSize = TpduSize(13);
    /// 65,531 octets: the most that a packet of RFC 1006 holds.
    pub const RFC_1006: TpduSize = TpduSize(16);

    /// The largest size that is not above `octets`, or `None` below 128.
    pub fn at_most(octets: usize) -> Option<TpduSize> {
        (7..=16).rev().map(TpduSize).find(|size| size.octets() <= octets)
    }

    /// The size in octets.
    pub fn octets(self) -> usize {
        (1_usize << self.0).min(MAX_TPDU_OCTETS)
    }

    /// The largest preferred size, in its units, that is not above this size.
    pub fn preferred(self) -> u32 {
        u32::try_from(self.octets() / PREFERRED_UNIT).unwrap_or(1)
    }

    /// The octets of a preferred size, as far as a packet can hold them.
    pub fn preferred_octets(units: u32) -> usize {
        usize::try_from(units).unwrap_or(usize::MAX).saturating_mul(PREFERRED_UNIT).min(MAX_TPDU_OCTETS)
    }
}

/// Why octets are no TPDU of class 0, or why a TPDU can't be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TpduError {
    /// The TPDU ends inside its header.
    #[error("TPDU header is cut off: {needed} octets needed, {left} left")]
    Truncated {
        /// Octets that are needed.
        needed: usize,
        /// Octets that are there.
        left: usize,
    },
    /// The TPDU code is none of class 0.
    #[error("TPDU code {code:#04x} is unknown in class 0")]
    Code {
        /// The code.
        code: u8,
    },
    /// A parameter has a length or value that X.224 does not allow.
    #[error("parameter {code:#04x} of the {tpdu} TPDU is invalid ({octets} octets)")]
    Parameter {
        /// Abbreviation of the TPDU.
        tpdu: &'static str,
        /// Parameter code.
        code: u8,
        /// Length of its value in octets.
        octets: usize,
    },
    /// The header would be longer than its length indicator can say.
    #[error("{tpdu} TPDU header of {octets} octets, 254 at most")]
    HeaderTooLong {
        /// Abbreviation of the TPDU.
        tpdu: &'static str,
        /// Length of the header in octets.
        octets: usize,
    },
}

impl TpduError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            TpduError::Truncated { .. } | TpduError::Code { .. } | TpduError::Parameter { .. } => {
                Blame::PeerMisbehaved
            }
            TpduError::HeaderTooLong { .. } => Blame::Local,
        }
    }

    /// The cause that an ER TPDU gives for it.
    pub fn er_cause(&self) -> u8 {
        match self {
            TpduError::Code { .. } => ErCause::INVALID_TPDU_TYPE,
            TpduError::Parameter { .. } => ErCause::INVALID_PARAMETER_VALUE,
            TpduError::Truncated { .. } | TpduError::HeaderTooLong { .. } => ErCause::NOT_SPECIFIED,
        }
    }
}

impl Tpdu {
    /// Abbreviation as in X.224.
    pub fn name(&self) -> &'static str {
        match self {
            Tpdu::Cr(_) => "CR",
            Tpdu::Cc(_) => "CC",
            Tpdu::Dr { .. } => "DR",
            Tpdu::Dt { .. } => "DT",
            Tpdu::Er { .. } => "ER",
        }
    }

    /// Decodes the TPDU that `octets` are.
    ///
    /// # Errors
    /// `octets` are no TPDU of class 0.
    pub fn decode(octets: &[u8]) -> Result<Tpdu, TpduError> {
        let mut input = octets;
        let li = usize::from(octet(&mut input)?);
        if li > HEADER_OCTETS_MAX || li > input.len() {
            return Err(TpduError::Truncated { needed: li, left: input.len() });
        }
        let (mut header, data) = input.split_at(li);
        let code = octet(&mut header)?;
        match code {
            // The low four bits of CR and CC are the initial credit, meaningless in class 0.
            code if code & 0xF0 == CR => connect("CR", header).map(Tpdu::Cr),
            code if code & 0xF0 == CC => connect("CC", header).map(Tpdu::Cc),
            DR => disconnect(header),
            DT => {
                let end_of_tsdu = octet(&mut header)? & EOT != 0;
                Ok(Tpdu::Dt { end_of_tsdu, data: data.to_vec() })
            }
            ER => error(header),
            code => Err(TpduError::Code { code }),
        }
    }

    /// The encoding of the TPDU.
    ///
    /// # Errors
    /// [`TpduError::HeaderTooLong`] when the parameters do not fit.
    pub fn encode(&self) -> Result<Vec<u8>, TpduError> {
        let mut header = Vec::new();
        match self {
            Tpdu::Cr(connect) => put_connect(CR, connect, &mut header),
            Tpdu::Cc(connect) => put_connect(CC, connect, &mut header),
            Tpdu::Dr { destination, source, reason, information } => {
                header.push(DR);
                header.extend_from_slice(&destination.to_be_bytes());
                header.extend_from_slice(&source.to_be_bytes());
                header.push(*reason);
                if !information.is_empty() {
                    put_parameter(P_ADDITIONAL_INFORMATION, information, &mut header);
                }
            }
            Tpdu::Dt { end_of_tsdu, data } => return Ok(encode_dt(*end_of_tsdu, data)),
            Tpdu::Er { destination, cause, invalid } => {
                header.push(ER);
                header.extend_from_slice(&destination.to_be_bytes());
                header.push(*cause);
                if !invalid.is_empty() {
                    put_parameter(P_INVALID_TPDU, invalid, &mut header);
                }
            }
        }
        let too_long = TpduError::HeaderTooLong { tpdu: self.name(), octets: header.len() };
        if header.len() > HEADER_OCTETS_MAX {
            return Err(too_long);
        }
        let li = u8::try_from(header.len()).map_err(|_| too_long)?;
        header.insert(0, li);
        Ok(header)
    }
}

/// The DT TPDU that carries `data`.
pub fn encode_dt(end_of_tsdu: bool, data: &[u8]) -> Vec<u8> {
    let mut tpdu = Vec::with_capacity(DT_HEADER_OCTETS + data.len());
    tpdu.extend_from_slice(&[2, DT, if end_of_tsdu { EOT } else { 0 }]);
    tpdu.extend_from_slice(data);
    tpdu
}

fn octet(input: &mut &[u8]) -> Result<u8, TpduError> {
    let (&first, rest) = input.split_first().ok_or(TpduError::Truncated { needed: 1, left: 0 })?;
    *input = rest;
    Ok(first)
}

fn u16_field(input: &mut &[u8]) -> Result<u16, TpduError> {
    Ok(u16::from_be_bytes([octet(input)?, octet(input)?]))
}

/// The next parameter: code and value.
fn parameter<'a>(input: &mut &'a [u8]) -> Result<Option<(u8, &'a [u8])>, TpduError> {
    if input.is_empty() {
        return Ok(None);
    }
    let code = octet(input)?;
    let length = usize::from(octet(input)?);
    let truncated = TpduError::Truncated { needed: length, left: input.len() };
    let (value, rest) = input.split_at_checked(length).ok_or(truncated)?;
    *input = rest;
    Ok(Some((code, value)))
}

fn connect(tpdu: &'static str, mut header: &[u8]) -> Result<Connect, TpduError> {
    let mut connect = Connect {
        destination: u16_field(&mut header)?,
        source: u16_field(&mut header)?,
        class: octet(&mut header)? >> 4,
        ..Connect::default()
    };
    while let Some((code, value)) = parameter(&mut header)? {
        let invalid = TpduError::Parameter { tpdu, code, octets: value.len() };
        match (code, value) {
            (P_TPDU_SIZE, &[exponent]) => {
                connect.tpdu_size = match exponent {
                    7..=16 => Some(TpduSize(exponent)),
                    _ => return Err(invalid),
                }
            }
            (P_TPDU_SIZE, _) => return Err(invalid),
            (P_PREFERRED_TPDU_SIZE, value) => {
                connect.preferred_size = Some(preferred_size(value).ok_or(invalid)?);
            }
            (P_CALLING, value) => connect.calling_selector = Some(value.to_vec()),
            (P_CALLED, value) => connect.called_selector = Some(value.to_vec()),
            (P_ALTERNATIVE_CLASS, value) => {
                connect.class_0_alternative = value.iter().any(|class| class >> 4 == 0);
            }
            _ => {}
        }
    }
    Ok(connect)
}

/// One to four octets, high order first. No TPDU has a size of 0.
fn preferred_size(value: &[u8]) -> Option<u32> {
    if value.len() > 4 {
        return None;
    }
    let units = value.iter().fold(0, |units, octet| units << 8 | u32::from(*octet));
    (units > 0).then_some(units)
}

fn disconnect(mut header: &[u8]) -> Result<Tpdu, TpduError> {
    let destination = u16_field(&mut header)?;
    let source = u16_field(&mut header)?;
    let reason = octet(&mut header)?;
    let mut information = Vec::new();
    while let Some((code, value)) = parameter(&mut header)? {
        if code == P_ADDITIONAL_INFORMATION {
            information = value.to_vec();
        }
    }
    Ok(Tpdu::Dr { destination, source, reason, information })
}

fn error(mut header: &[u8]) -> Result<Tpdu, TpduError> {
    let destination = u16_field(&mut header)?;
    let cause = octet(&mut header)?;
    let mut invalid = Vec::new();
    while let Some((code, value)) = parameter(&mut header)? {
        if code == P_INVALID_TPDU {
            invalid = value.to_vec();
        }
    }
    Ok(Tpdu::Er { destination, cause, invalid })
}

fn put_connect(code: u8, connect: &Connect, header: &mut Vec<u8>) {
    header.push(code);
    header.extend_from_slice(&connect.destination.to_be_bytes());
    header.extend_from_slice(&connect.source.to_be_bytes());
    header.push(connect.class << 4);
    if let Some(TpduSize(exponent)) = connect.tpdu_size {
        put_parameter(P_TPDU_SIZE, &[exponent], header);
    }
    if let Some(selector) = &connect.calling_selector {
        put_parameter(P_CALLING, selector, header);
    }
    if let Some(selector) = &connect.called_selector {
        put_parameter(P_CALLED, selector, header);
    }
    if connect.class_0_alternative {
        put_parameter(P_ALTERNATIVE_CLASS, &[0], header);
    }
    if let Some(units) = connect.preferred_size {
        let octets = units.to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        put_parameter(P_PREFERRED_TPDU_SIZE, octets.get(zeros..).unwrap_or_default(), header);
    }
}

/// A value over 255 octets makes the header too long, which [`Tpdu::encode`] finds.
fn put_parameter(code: u8, value: &[u8], header: &mut Vec<u8>) {
    header.extend_from_slice(&[code, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
    header.extend_from_slice(value);
}
