//! What is wrong with an SPDU.

use crate::failure::Blame;

/// Why a TSDU is no valid sequence of SPDUs, or why an SPDU can't be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpduError {
    /// The TSDU ends inside an SPDU or a parameter.
    #[error("{spdu} SPDU is cut off: {needed} octets needed, {left} left")]
    Truncated {
        /// Abbreviation of the SPDU, or `"TSDU"` where it is not known yet.
        spdu: &'static str,
        /// Octets that the length field asks for.
        needed: usize,
        /// Octets that are there.
        left: usize,
    },
    /// The SPDU identifier is unknown, or out of place in a concatenation.
    #[error("SPDU identifier {si} is unknown or out of place at octet {offset} of the TSDU")]
    Identifier {
        /// The identifier.
        si: u8,
        /// Where it stands.
        offset: usize,
    },
    /// Octets follow an SPDU that must end its TSDU.
    #[error("{octets} octets follow the {spdu} SPDU in its TSDU")]
    Trailing {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// Number of octets.
        octets: usize,
    },
    /// A TSDU concatenates more SPDUs than this end takes.
    #[error("TSDU concatenates more than {limit} SPDUs")]
    TooManySpdus {
        /// The limit.
        limit: usize,
    },
    /// A parameter has a length or value that X.225 does not allow.
    #[error("parameter {code} of the {spdu} SPDU is invalid ({octets} octets)")]
    Parameter {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// PI or PGI code.
        code: u8,
        /// Length of the value in octets.
        octets: usize,
    },
    /// A parameter is there twice.
    #[error("parameter {code} of the {spdu} SPDU is there twice")]
    Duplicate {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// PI or PGI code.
        code: u8,
    },
    /// A mandatory parameter is missing.
    #[error("parameter {code} of the {spdu} SPDU is missing")]
    Missing {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// PI or PGI code.
        code: u8,
    },
    /// A value to be encoded is longer than its parameter can be.
    #[error("parameter {code} of the {spdu} SPDU can't hold {octets} octets, {limit} at most")]
    TooLong {
        /// Abbreviation of the SPDU.
        spdu: &'static str,
        /// PI or PGI code.
        code: u8,
        /// Length of the value in octets.
        octets: usize,
        /// The limit in octets.
        limit: usize,
    },
}

impl SpduError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            SpduError::Truncated { .. }
            | SpduError::Identifier { .. }
            | SpduError::Trailing { .. }
            | SpduError::Parameter { .. }
            | SpduError::Duplicate { .. }
            | SpduError::Missing { .. } => Blame::PeerMisbehaved,
            SpduError::TooManySpdus { .. } => Blame::LimitReached,
            SpduError::TooLong { .. } => Blame::Local,
        }
    }
}
