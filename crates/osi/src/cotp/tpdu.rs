//! Transport protocol data units of class 0 (X.224 clause 13): codec.
//!
//! Decoding is lenient where X.224 lets a receiver be: unknown parameters are skipped, in CC too.

use alloc::vec::Vec;

use crate::failure::Blame;

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
    pub const NEGOTIATION_FAILED: u8 = 0x82;
    pub const PROTOCOL_ERROR: u8 = 0x85;
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

/// Maximum TPDU size, a power of two of octets from 128 to 8192. It counts the TPDU with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TpduSize(u8);

impl TpduSize {
    /// 128 octets.
    pub const MIN: TpduSize = TpduSize(7);
    /// 2048 octets.
    pub const OCTETS_2048: TpduSize = TpduSize(11);
    /// 8192 octets.
    pub const MAX: TpduSize = TpduSize(13);

    /// The largest size that is not above `octets`, or `None` below 128.
    pub fn at_most(octets: usize) -> Option<TpduSize> {
        (7..=13).rev().map(TpduSize).find(|size| size.octets() <= octets)
    }

    /// The size in octets.
    pub fn octets(self) -> usize {
        1 << self.0
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
    /// Octets follow a TPDU that carries no user data in class 0.
    #[error("{octets} octets follow the header of the {tpdu} TPDU")]
    Trailing {
        /// Abbreviation of the TPDU.
        tpdu: &'static str,
        /// Number of octets.
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
            TpduError::Truncated { .. }
            | TpduError::Code { .. }
            | TpduError::Parameter { .. }
            | TpduError::Trailing { .. } => Blame::PeerMisbehaved,
            TpduError::HeaderTooLong { .. } => Blame::Local,
        }
    }

    /// The cause that an ER TPDU gives for it.
    pub fn er_cause(&self) -> u8 {
        match self {
            TpduError::Code { .. } => ErCause::INVALID_TPDU_TYPE,
            TpduError::Parameter { .. } => ErCause::INVALID_PARAMETER_VALUE,
            TpduError::Truncated { .. } | TpduError::Trailing { .. } | TpduError::HeaderTooLong { .. } => {
                ErCause::NOT_SPECIFIED
            }
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
            code if code & 0xF0 == CR => {
                // Not held to be empty: a CR that prefers a higher class may carry data, and class 0 can still
                // be chosen where it is an alternative.
                connect("CR", header).map(Tpdu::Cr)
            }
            code if code & 0xF0 == CC => {
                no_data("CC", data)?;
                connect("CC", header).map(Tpdu::Cc)
            }
            DR => {
                no_data("DR", data)?;
                disconnect(header)
            }
            DT => {
                let end_of_tsdu = octet(&mut header)? & EOT != 0;
                Ok(Tpdu::Dt { end_of_tsdu, data: data.to_vec() })
            }
            ER => {
                no_data("ER", data)?;
                error(header)
            }
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

/// Class 0 carries user data in DT only.
fn no_data(tpdu: &'static str, data: &[u8]) -> Result<(), TpduError> {
    if data.is_empty() { Ok(()) } else { Err(TpduError::Trailing { tpdu, octets: data.len() }) }
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
                    7..=13 => Some(TpduSize(exponent)),
                    _ => return Err(invalid),
                }
            }
            (P_TPDU_SIZE, _) => return Err(invalid),
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
}

/// A value over 255 octets makes the header too long, which [`Tpdu::encode`] finds.
fn put_parameter(code: u8, value: &[u8], header: &mut Vec<u8>) {
    header.extend_from_slice(&[code, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
    header.extend_from_slice(value);
}
