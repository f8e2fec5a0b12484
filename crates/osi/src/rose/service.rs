//! Service primitives of remote operations (X.881; RO-INVOKE, RO-RESULT, RO-ERROR, RO-REJECT-U and -P of X.219).

use alloc::vec::Vec;
use core::time::Duration;

use super::apdu::{Code, InvokeId, Reject};
use super::error::Fault;
use super::problem::{InvokeProblem, Problem, ReturnErrorProblem, ReturnResultProblem};
use crate::presentation::ContextId;

/// Operation class (X.219): whether the invoker waits, and what is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationClass {
    /// Class 1: result or error is reported, and nothing but children is invoked before.
    Synchronous,
    /// Class 2: result or error is reported.
    Asynchronous,
    /// Class 3: only an error is reported.
    ReportsFailure,
    /// Class 4: only a result is reported.
    ReportsSuccess,
    /// Class 5: nothing is reported.
    Unreported,
}

impl OperationClass {
    /// Whether a ReturnResult may answer.
    pub fn reports_success(self) -> bool {
        match self {
            OperationClass::Synchronous | OperationClass::Asynchronous | OperationClass::ReportsSuccess => {
                true
            }
            OperationClass::ReportsFailure | OperationClass::Unreported => false,
        }
    }

    /// Whether a ReturnError may answer.
    pub fn reports_failure(self) -> bool {
        match self {
            OperationClass::Synchronous | OperationClass::Asynchronous | OperationClass::ReportsFailure => {
                true
            }
            OperationClass::ReportsSuccess | OperationClass::Unreported => false,
        }
    }
}

/// RO-INVOKE request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Presentation context of the abstract syntax that the operation belongs to.
    pub context: ContextId,
    /// The operation.
    pub operation: Code,
    /// Argument, one encoding; empty for none.
    pub argument: Vec<u8>,
    /// Operation class.
    pub class: OperationClass,
    /// The invocation of the peer's, still being performed here, which this one is a child of.
    pub linked_to: Option<i64>,
    /// Operations that the peer may invoke as children of this one.
    pub children: Vec<Code>,
    /// Time for the answer, from the request on: a wait for the turn is part of it.
    pub timeout: Duration,
}

/// How the performer answers an invocation. Each one ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// RO-RESULT request: one encoding, empty for a result without a value.
    Result(Vec<u8>),
    /// RO-ERROR request.
    Error {
        /// The error.
        code: Code,
        /// Parameter, one encoding; empty for none.
        parameter: Vec<u8>,
    },
    /// RO-REJECT-U request: the operation is unknown, its argument is mistyped, or the like.
    Reject(InvokeProblem),
    /// The operation is performed, and its class has it that nothing is reported.
    Silent,
}

/// Why the invoker rejects an answer that it has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyProblem {
    /// The answer was a result.
    Result(ReturnResultProblem),
    /// The answer was an error.
    Error(ReturnErrorProblem),
}

impl From<ReplyProblem> for Problem {
    fn from(problem: ReplyProblem) -> Self {
        match problem {
            ReplyProblem::Result(problem) => Problem::ReturnResult(problem),
            ReplyProblem::Error(problem) => Problem::ReturnError(problem),
        }
    }
}

/// What became of an invocation of ours. Each invocation has exactly one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// RO-RESULT indication: one encoding, empty for a result without a value.
    Result(Vec<u8>),
    /// RO-ERROR indication.
    Error {
        /// The error.
        code: Code,
        /// Parameter, one encoding; empty for none.
        parameter: Vec<u8>,
    },
    /// RO-REJECT indication: the peer rejected the Invoke.
    Rejected(Problem),
    /// An answer came that was malformed or that the operation class does not have; it was rejected. Whether the
    /// operation was performed is not known.
    BadReply(Problem),
    /// Nothing came in time. For the classes that need not report this is how it goes when all is well. An answer
    /// that comes later is rejected.
    Expired {
        /// Whether the transfer of the Invoke was confirmed. If not, it may still go.
        transferred: bool,
    },
    /// RO-REJECT-P indication: the Invoke could not be transferred.
    NotTransferred,
    /// The association ended first.
    Ended {
        /// Whether the transfer of the Invoke was confirmed. If not, the peer may have it all the same: the confirm
        /// may be what was lost.
        transferred: bool,
    },
}

/// What remote operations tell their user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoIndication {
    /// RO-INVOKE indication. Answer with [`Ropm::reply`](super::Ropm::reply), unless the identifier is absent.
    Invoke {
        /// The peer's identifier.
        invoke_id: InvokeId,
        /// The presentation context it came in.
        context: ContextId,
        /// The invocation of ours which it is a child of.
        linked_to: Option<i64>,
        /// The operation.
        operation: Code,
        /// Argument, one encoding; empty for none.
        argument: Vec<u8>,
    },
    /// An invocation of ours is over.
    Outcome {
        /// Our identifier.
        invoke_id: i64,
        /// What became of it.
        outcome: Outcome,
    },
    /// The peer rejected an answer of ours, or something that cannot be told. Nothing more will come of it.
    Rejected(Reject),
    /// An answer of ours, to this invocation of the peer's, could not be transferred.
    ReplyNotTransferred {
        /// The peer's identifier.
        invoke_id: i64,
    },
    /// The association ended before this invocation of the peer's was answered.
    Abandoned {
        /// The peer's identifier.
        invoke_id: i64,
    },
    /// The peer sent what it must not; for the log.
    Fault(Fault),
}

/// What the machine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoAction {
    /// An APDU to transfer, after those before it.
    Transfer {
        /// The presentation context to use.
        context: ContextId,
        /// The APDU.
        apdu: Vec<u8>,
    },
    /// To the user.
    Indication(RoIndication),
    /// The association must be aborted.
    Abort,
}
