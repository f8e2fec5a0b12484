//! Service primitives of association control (X.217), as far as RTSE uses them.

use alloc::vec::Vec;

use super::apdu::Diagnostic;
use crate::presentation::{PAbortCause, PConnect};
use crate::session::SRefuse;

/// Parameters of A-ASSOCIATE request and indication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AAssociate {
    /// Parameters of the presentation connection. Its own user data is left empty here.
    pub connect: PConnect,
    /// User information: one encoding (for RTSE the RTORQ); empty when absent.
    pub user_information: Vec<u8>,
}

/// Parameters of a negative A-ASSOCIATE confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AReject {
    /// Whether the peer said rejected-transient.
    pub transient: bool,
    /// Source and diagnostic; `None` when the refusal carried no AARE.
    pub diagnostic: Option<Diagnostic>,
    /// User information (for RTSE the RTORJ); empty when absent.
    pub user_information: Vec<u8>,
}

/// What the association user asks for.
#[allow(clippy::large_enum_variant, reason = "moved a few times in the life of an association")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ARequest {
    /// A-ASSOCIATE request.
    Associate(AAssociate),
    /// A-ASSOCIATE response, positive.
    AssociateAccept {
        /// User information: one encoding.
        user_information: Vec<u8>,
    },
    /// A-ASSOCIATE response, negative.
    AssociateReject {
        /// rejected-transient rather than rejected-permanent.
        transient: bool,
        /// User information: one encoding, empty for none.
        user_information: Vec<u8>,
    },
    /// A-RELEASE request.
    Release {
        /// User information: one encoding (the unbind argument of remote operations), empty for none.
        user_information: Vec<u8>,
    },
    /// A-RELEASE response.
    ReleaseResponse {
        /// User information: one encoding, empty for none.
        user_information: Vec<u8>,
    },
    /// A-ABORT request.
    Abort {
        /// User information: one encoding, empty for none.
        user_information: Vec<u8>,
    },
}

/// What association control tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AIndication {
    /// A-ASSOCIATE indication.
    Associate(AAssociate),
    /// A-ASSOCIATE confirm, positive.
    AssociateConfirm {
        /// User information; empty when absent.
        user_information: Vec<u8>,
    },
    /// A-ASSOCIATE confirm, negative, by the peer's ACSE or its user.
    AssociateRejected(AReject),
    /// A-ASSOCIATE confirm, negative, by the peer's presentation provider.
    RefusedByPresentation {
        /// Provider-reason of the CPR.
        reason: i64,
    },
    /// A-ASSOCIATE confirm, negative, by the session layer.
    RefusedBySession(SRefuse),
    /// A-RELEASE indication.
    Release {
        /// User information; empty when absent.
        user_information: Vec<u8>,
    },
    /// A-RELEASE confirm.
    ReleaseConfirm {
        /// User information; empty when absent.
        user_information: Vec<u8>,
    },
    /// A-ABORT indication.
    Abort {
        /// Whether the peer's ACSE aborted rather than its user.
        by_provider: bool,
        /// User information (for RTSE the RTAB); empty when absent.
        user_information: Vec<u8>,
    },
    /// A-P-ABORT indication.
    PAbort(PAbortCause),
}
