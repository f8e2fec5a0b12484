//! Service primitives of the presentation layer (X.216), as far as ACSE and RTSE use them.

use alloc::vec::Vec;

use ber::Oid;

use super::user_data::ContextId;
use crate::session::{ActivityResume, ConnectionIdentifier, InitialTurn, ProviderAbort, ReasonCode, SRefuse};

/// One presentation data value: a BER encoding in a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PValue {
    /// The context, one of [`Contexts`].
    pub context: ContextId,
    /// The encoding.
    pub encoding: Vec<u8>,
}

/// Defined context set: which identifier stands for which abstract syntax.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts(Vec<(ContextId, Oid)>);

impl Contexts {
    /// The proposal of an initiator: identifiers 1, 3, 5, … in the order of the syntaxes.
    pub fn propose(syntaxes: &[Oid]) -> Self {
        Contexts((1..).step_by(2).map(ContextId).zip(syntaxes.iter().cloned()).collect())
    }

    /// A set of these pairs.
    pub fn new(pairs: Vec<(ContextId, Oid)>) -> Self {
        Contexts(pairs)
    }

    /// A context for this abstract syntax: the first, if a peer proposed several.
    pub fn of(&self, syntax: &Oid) -> Option<ContextId> {
        self.0.iter().find(|(_, name)| name == syntax).map(|(context, _)| *context)
    }

    /// The abstract syntax of this context.
    pub fn syntax(&self, context: ContextId) -> Option<&Oid> {
        self.0.iter().find(|(id, _)| *id == context).map(|(_, name)| name)
    }

    /// All pairs, in the order of the proposal.
    pub fn iter(&self) -> impl Iterator<Item = &(ContextId, Oid)> {
        self.0.iter()
    }

    /// Number of contexts.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Mode of a presentation connection (X.226), which association control and RTSE share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PresentationMode {
    /// Normal mode: values in contexts.
    #[default]
    Normal,
    /// X.410-1984 mode: each user data is one value in [`ContextId::DEFAULT`], on the wire as it is. With a connection
    /// it is the encoding of a SET.
    X410,
}

/// Parameters of P-CONNECT; those of the session connection pass through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PConnect {
    /// Mode. In X.410 mode there are neither presentation selectors nor contexts.
    pub mode: PresentationMode,
    /// Calling presentation selector; `None` when absent.
    pub calling_selector: Option<Vec<u8>>,
    /// Called presentation selector.
    pub called_selector: Option<Vec<u8>>,
    /// Calling session selector.
    pub calling_session_selector: Option<Vec<u8>>,
    /// Called session selector.
    pub called_session_selector: Option<Vec<u8>>,
    /// Session connection identifier.
    pub identifier: ConnectionIdentifier,
    /// Who has the tokens at the start.
    pub initial_turn: InitialTurn,
    /// Contexts: proposed in the request, usable in the indication.
    pub contexts: Contexts,
    /// Values: the AARQ.
    pub user_data: Vec<PValue>,
}

/// Synchronization and activity primitives, which the presentation layer passes on unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncRequest {
    /// P-SYNC-MINOR request.
    Minor,
    /// P-SYNC-MINOR response.
    MinorResponse {
        /// Every point up to here is confirmed.
        serial: u32,
    },
    /// P-ACTIVITY-START request.
    ActivityStart {
        /// Activity identifier, at most 6 octets.
        activity: Vec<u8>,
    },
    /// P-ACTIVITY-RESUME request.
    ActivityResume(ActivityResume),
    /// P-ACTIVITY-END request.
    ActivityEnd,
    /// P-ACTIVITY-END response.
    ActivityEndResponse,
    /// P-ACTIVITY-INTERRUPT request.
    ActivityInterrupt(ReasonCode),
    /// P-ACTIVITY-INTERRUPT response.
    ActivityInterruptResponse,
    /// P-ACTIVITY-DISCARD request.
    ActivityDiscard(ReasonCode),
    /// P-ACTIVITY-DISCARD response.
    ActivityDiscardResponse,
    /// P-U-EXCEPTION-REPORT request.
    ExceptionReport(ReasonCode),
    /// P-CONTROL-GIVE request.
    ControlGive,
}

/// Indications and confirms of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncIndication {
    /// P-SYNC-MINOR indication.
    Minor {
        /// Serial number of the point.
        serial: u32,
        /// Whether the sender wants a confirmation.
        confirm: bool,
    },
    /// P-SYNC-MINOR confirm.
    MinorConfirm {
        /// Every point up to here is confirmed.
        serial: u32,
    },
    /// P-ACTIVITY-START indication.
    ActivityStart {
        /// Activity identifier.
        activity: Vec<u8>,
    },
    /// P-ACTIVITY-RESUME indication.
    ActivityResume(ActivityResume),
    /// P-ACTIVITY-END indication.
    ActivityEnd {
        /// Serial number of the end.
        serial: u32,
    },
    /// P-ACTIVITY-END confirm.
    ActivityEndConfirm,
    /// P-ACTIVITY-INTERRUPT indication.
    ActivityInterrupt(ReasonCode),
    /// P-ACTIVITY-INTERRUPT confirm.
    ActivityInterruptConfirm,
    /// P-ACTIVITY-DISCARD indication.
    ActivityDiscard(ReasonCode),
    /// P-ACTIVITY-DISCARD confirm.
    ActivityDiscardConfirm,
    /// P-U-EXCEPTION-REPORT indication.
    ExceptionReport(ReasonCode),
    /// P-P-EXCEPTION-REPORT indication.
    ProviderExceptionReport,
    /// P-CONTROL-GIVE indication.
    ControlGive,
    /// The peer has taken the tokens that were given.
    ControlGiven,
}

/// What the presentation user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PRequest {
    /// P-CONNECT request.
    Connect(PConnect),
    /// P-CONNECT response, positive.
    ConnectAccept {
        /// Values: the AARE.
        user_data: Vec<PValue>,
    },
    /// P-CONNECT response, negative.
    ConnectReject {
        /// Values: the AARE.
        user_data: Vec<PValue>,
    },
    /// P-CONNECT response, negative, in the name of the provider: nobody is told but the peer. In X.410 mode, which has
    /// no such reasons, the session connection is refused without one.
    ConnectRefuseByProvider {
        /// Provider-reason 0 to 7.
        reason: i64,
    },
    /// P-DATA request.
    Data(Vec<PValue>),
    /// P-DATA request with one value, of which these are the next octets.
    DataPart {
        /// With the first of them, the context of the value and the octets that its encoding has in all.
        start: Option<(ContextId, u64)>,
        /// The octets.
        octets: Vec<u8>,
        /// Whether the value ends with them.
        last: bool,
    },
    /// Activities and synchronization.
    Sync(SyncRequest),
    /// P-TOKEN-PLEASE request.
    TokenPlease {
        /// Values.
        user_data: Vec<PValue>,
    },
    /// P-RELEASE request.
    Release {
        /// Values: the RLRQ.
        user_data: Vec<PValue>,
    },
    /// P-RELEASE response.
    ReleaseResponse {
        /// Values: the RLRE.
        user_data: Vec<PValue>,
    },
    /// P-U-ABORT request.
    Abort {
        /// Values: the ABRT.
        user_data: Vec<PValue>,
    },
}

/// A piece of a presentation data value, or of several that are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PPart {
    /// Its context.
    pub context: ContextId,
    /// The next octets.
    pub octets: Vec<u8>,
    /// Whether an encoding ends with them.
    pub last: bool,
}

/// Why the presentation provider, or a layer under it, ended the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PAbortCause {
    /// The peer sent an ARP.
    Arp {
        /// Abort-reason.
        reason: Option<i64>,
        /// Event-identifier.
        event: Option<i64>,
    },
    /// The peer aborted with user data that is no PPDU of this mode.
    Unreadable,
    /// The session layer ended it.
    Session(ProviderAbort),
}

/// What the presentation layer tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PIndication {
    /// P-CONNECT indication.
    Connect(PConnect),
    /// P-CONNECT confirm, positive.
    ConnectConfirm {
        /// Values: the AARE.
        user_data: Vec<PValue>,
    },
    /// P-CONNECT confirm, negative, by the peer's presentation user.
    ConnectRejected {
        /// Values: the AARE, if there is one.
        user_data: Vec<PValue>,
    },
    /// P-CONNECT confirm, negative, by the peer's presentation provider (CPR provider-reason).
    ConnectRefusedByProvider {
        /// Provider-reason 0 to 7.
        reason: i64,
    },
    /// P-CONNECT confirm, negative, by the session layer or with nothing readable.
    ConnectRefusedBySession(SRefuse),
    /// P-DATA indication.
    Data(Vec<PValue>),
    /// P-DATA indication that the session layer gives in pieces: what is in the next of them. There may be no last one if
    /// an exception was reported meanwhile, or the activity stopped.
    DataPart {
        /// Pieces of values, in order.
        parts: Vec<PPart>,
        /// Whether the primitive begins here.
        first: bool,
        /// Whether it ends here.
        last: bool,
    },
    /// Activities and synchronization.
    Sync(SyncIndication),
    /// P-TOKEN-PLEASE indication.
    TokenPlease {
        /// Values.
        user_data: Vec<PValue>,
    },
    /// P-RELEASE indication.
    Release {
        /// Values: the RLRQ.
        user_data: Vec<PValue>,
    },
    /// P-RELEASE confirm.
    ReleaseConfirm {
        /// Values: the RLRE.
        user_data: Vec<PValue>,
    },
    /// P-U-ABORT indication.
    UAbort {
        /// Values: the ABRT, if there is one.
        user_data: Vec<PValue>,
    },
    /// P-P-ABORT indication.
    PAbort(PAbortCause),
}
