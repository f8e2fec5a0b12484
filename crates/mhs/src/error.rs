//! Why octets are no value of the type that was expected: field path, offset, cause.

use core::fmt;

use ber::Tag;

/// A value that can't be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// From the innermost field outwards; read it through [`DecodeError::path`].
    steps: Vec<PathStep>,
    /// Octets from the start of the value that was given to the decoder.
    pub offset: u64,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// One step of the path from the outermost value to the field at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// A component, by its name in the Recommendation.
    Field(&'static str),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// The ways in which a value can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// The Basic Encoding Rules are broken, or another type stands here.
    #[error("{0}")]
    Encoding(ber::ErrorKind),
    /// A member occurs twice in a SET.
    #[error("member occurs twice")]
    Duplicate,
    /// A mandatory member is absent.
    #[error("mandatory member is absent")]
    Missing,
    /// A CHOICE has no alternative with this tag.
    #[error("no alternative has the tag {0}")]
    Choice(Tag),
    /// More elements than the bound of the type or of this MTA.
    #[error("more than {limit} elements")]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// More octets than this MTA takes.
    #[error("longer than {limit} octets")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// The input ended before the value did.
    #[error("input ends before the value does")]
    Incomplete,
}

impl DecodeError {
    pub(crate) fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        DecodeError { steps: Vec::new(), offset: offset as u64, kind }
    }

    pub(crate) fn at_offset(kind: DecodeErrorKind, offset: u64) -> Self {
        DecodeError { steps: Vec::new(), offset, kind }
    }

    pub(crate) fn missing(name: &'static str, offset: usize) -> Self {
        DecodeError::new(DecodeErrorKind::Missing, offset).within(PathStep::Field(name))
    }

    #[cold]
    pub(crate) fn within(mut self, step: PathStep) -> Self {
        self.steps.push(step);
        self
    }

    /// The same error as seen from a value that starts `base` octets earlier.
    pub(crate) fn moved(mut self, base: u64) -> Self {
        self.offset = self.offset.saturating_add(base);
        self
    }

    /// From the outermost field to the one at fault.
    pub fn path(&self) -> impl Iterator<Item = PathStep> + '_ {
        self.steps.iter().rev().copied()
    }
}

impl From<ber::Error> for DecodeError {
    fn from(error: ber::Error) -> Self {
        DecodeError::new(DecodeErrorKind::Encoding(error.kind), error.offset)
    }
}

impl core::error::Error for DecodeError {}

/// `message.envelope.per-recipient-fields[3].recipient-name: mandatory member is absent at octet 812`
impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.path().enumerate() {
            match step {
                PathStep::Field(name) if n == 0 => f.write_str(name)?,
                PathStep::Field(name) => write!(f, ".{name}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if !self.steps.is_empty() {
            f.write_str(": ")?;
        }
        write!(f, "{} at octet {}", self.kind, self.offset)
    }
}

/// Adds the field to the path of an error on its way out.
pub(crate) trait Within<T> {
    fn field(self, name: &'static str) -> Result<T, DecodeError>;
    fn index(self, index: usize) -> Result<T, DecodeError>;
}

impl<T, E: Into<DecodeError>> Within<T> for Result<T, E> {
    #[inline]
    fn field(self, name: &'static str) -> Result<T, DecodeError> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into().within(PathStep::Field(name))),
        }
    }

    #[inline]
    fn index(self, index: usize) -> Result<T, DecodeError> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into().within(PathStep::Index(index))),
        }
    }
}
