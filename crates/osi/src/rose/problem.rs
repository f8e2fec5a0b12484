//! Why an APDU is rejected (X.880, Reject): four lists of numbers, one for each kind of APDU and one for all.

use core::fmt;

/// The problem of a Reject. It also tells what kind of APDU is rejected, unless it is a general one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// `[0]`: with the APDU as such.
    General(GeneralProblem),
    /// `[1]`: with an Invoke.
    Invoke(InvokeProblem),
    /// `[2]`: with a ReturnResult.
    ReturnResult(ReturnResultProblem),
    /// `[3]`: with a ReturnError.
    ReturnError(ReturnErrorProblem),
}

/// GeneralProblem. Other numbers than the named ones are possible and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GeneralProblem(pub i64);

#[allow(missing_docs, reason = "the names are those of X.880")]
impl GeneralProblem {
    pub const UNRECOGNIZED_PDU: GeneralProblem = GeneralProblem(0);
    pub const MISTYPED_PDU: GeneralProblem = GeneralProblem(1);
    pub const BADLY_STRUCTURED_PDU: GeneralProblem = GeneralProblem(2);
}

/// InvokeProblem. Other numbers than the named ones are possible and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvokeProblem(pub i64);

#[allow(missing_docs, reason = "the names are those of X.880")]
impl InvokeProblem {
    pub const DUPLICATE_INVOCATION: InvokeProblem = InvokeProblem(0);
    pub const UNRECOGNIZED_OPERATION: InvokeProblem = InvokeProblem(1);
    pub const MISTYPED_ARGUMENT: InvokeProblem = InvokeProblem(2);
    pub const RESOURCE_LIMITATION: InvokeProblem = InvokeProblem(3);
    pub const RELEASE_IN_PROGRESS: InvokeProblem = InvokeProblem(4);
    pub const UNRECOGNIZED_LINKED_ID: InvokeProblem = InvokeProblem(5);
    pub const LINKED_RESPONSE_UNEXPECTED: InvokeProblem = InvokeProblem(6);
    pub const UNEXPECTED_LINKED_OPERATION: InvokeProblem = InvokeProblem(7);
}

/// ReturnResultProblem. Other numbers than the named ones are possible and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReturnResultProblem(pub i64);

#[allow(missing_docs, reason = "the names are those of X.880")]
impl ReturnResultProblem {
    pub const UNRECOGNIZED_INVOCATION: ReturnResultProblem = ReturnResultProblem(0);
    pub const RESULT_RESPONSE_UNEXPECTED: ReturnResultProblem = ReturnResultProblem(1);
    pub const MISTYPED_RESULT: ReturnResultProblem = ReturnResultProblem(2);
}

/// ReturnErrorProblem. Other numbers than the named ones are possible and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReturnErrorProblem(pub i64);

#[allow(missing_docs, reason = "the names are those of X.880")]
impl ReturnErrorProblem {
    pub const UNRECOGNIZED_INVOCATION: ReturnErrorProblem = ReturnErrorProblem(0);
    pub const ERROR_RESPONSE_UNEXPECTED: ReturnErrorProblem = ReturnErrorProblem(1);
    pub const UNRECOGNIZED_ERROR: ReturnErrorProblem = ReturnErrorProblem(2);
    pub const UNEXPECTED_ERROR: ReturnErrorProblem = ReturnErrorProblem(3);
    pub const MISTYPED_PARAMETER: ReturnErrorProblem = ReturnErrorProblem(4);
}

const GENERAL: &[&str] = &["unrecognized PDU", "mistyped PDU", "badly structured PDU"];
const INVOKE: &[&str] = &[
    "duplicate invocation",
    "unrecognized operation",
    "mistyped argument",
    "resource limitation",
    "release in progress",
    "unrecognized linked id",
    "linked response unexpected",
    "unexpected linked operation",
];
const RETURN_RESULT: &[&str] = &["unrecognized invocation", "result response unexpected", "mistyped result"];
const RETURN_ERROR: &[&str] = &[
    "unrecognized invocation",
    "error response unexpected",
    "unrecognized error",
    "unexpected error",
    "mistyped parameter",
];

impl Problem {
    /// The number of its context tag, and the number on the wire.
    pub fn code(self) -> (u32, i64) {
        match self {
            Problem::General(GeneralProblem(code)) => (0, code),
            Problem::Invoke(InvokeProblem(code)) => (1, code),
            Problem::ReturnResult(ReturnResultProblem(code)) => (2, code),
            Problem::ReturnError(ReturnErrorProblem(code)) => (3, code),
        }
    }

    /// The problem with these numbers; `None` for a choice that there is not.
    pub fn from_code(choice: u32, code: i64) -> Option<Self> {
        match choice {
            0 => Some(Problem::General(GeneralProblem(code))),
            1 => Some(Problem::Invoke(InvokeProblem(code))),
            2 => Some(Problem::ReturnResult(ReturnResultProblem(code))),
            3 => Some(Problem::ReturnError(ReturnErrorProblem(code))),
            _ => None,
        }
    }
}

/// As in "invoke: duplicate invocation"; a number without a name is shown as it is.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, names) = match self {
            Problem::General(_) => ("general", GENERAL),
            Problem::Invoke(_) => ("invoke", INVOKE),
            Problem::ReturnResult(_) => ("return result", RETURN_RESULT),
            Problem::ReturnError(_) => ("return error", RETURN_ERROR),
        };
        let (_, code) = self.code();
        match usize::try_from(code).ok().and_then(|index| names.get(index)) {
            Some(name) => write!(f, "{kind}: {name}"),
            None => write!(f, "{kind}: problem {code}"),
        }
    }
}
