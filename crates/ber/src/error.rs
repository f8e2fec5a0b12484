use crate::Tag;

/// What is wrong with an encoding, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset}")]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Offset from the start of the outermost reader's input.
    pub offset: usize,
}

/// The ways in which an encoding can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The input ends inside an element.
    #[error("element runs past the end of its container")]
    Truncated,
    /// A tag number above 2^32 - 1.
    #[error("tag number too large")]
    TagTooLarge,
    /// A length that this machine can't address, or the reserved length octet FF.
    #[error("length not representable")]
    LengthTooLarge,
    /// X.690 8.1.3.2: a primitive encoding must have a definite length.
    #[error("indefinite length of a primitive encoding")]
    IndefinitePrimitive,
    /// Nested deeper than the reader allows.
    #[error("nested too deep")]
    TooDeep,
    /// End-of-contents octets outside an indefinite-length encoding.
    #[error("unexpected end-of-contents octets")]
    UnexpectedEoc,
    /// Another element than the type has here.
    #[error("expected {expected}, found {found}")]
    UnexpectedTag {
        /// The tag which the type has here.
        expected: Tag,
        /// The tag which is there.
        found: Tag,
    },
    /// The container ends where the type has another element.
    #[error("{expected} missing")]
    Missing {
        /// The tag of the missing element.
        expected: Tag,
    },
    /// More elements of a list than the reader of that type takes.
    #[error("more than {limit} elements")]
    TooMany {
        /// The most that are taken.
        limit: usize,
    },
    /// Octets after the last element of a type.
    #[error("trailing octets after the last element")]
    Trailing,
    /// A constructed type in primitive form.
    #[error("{0} must be constructed")]
    NotConstructed(Tag),
    /// A primitive type in constructed form.
    #[error("{0} must be primitive")]
    NotPrimitive(Tag),
    /// Contents octets that the type can't have.
    #[error("malformed contents of {0}")]
    BadContents(Tag),
    /// An integer outside 64 bits.
    #[error("integer does not fit 64 bits")]
    IntegerTooLarge,
}
