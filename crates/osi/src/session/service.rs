//! Service primitives of the session layer (X.215), as far as RTSE uses them.
//!
//! The user (RTSE by way of presentation) puts [`SsRequest`]s in and gets [`SsIndication`]s out. Responses are
//! requests too; confirms are indications too.

use alloc::vec::Vec;

/// Parameters of S-CONNECT request and indication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SConnect {
    /// Calling session selector, at most 16 octets; `None` when absent on the wire.
    pub calling_selector: Option<Vec<u8>>,
    /// Called session selector, at most 16 octets.
    pub called_selector: Option<Vec<u8>>,
    /// Session connection identifier of the caller.
    pub identifier: ConnectionIdentifier,
    /// Who has all the tokens at the start.
    pub initial_turn: InitialTurn,
    /// Whether the responder may take the turn in any case, see [`SAccept::take_turn`].
    pub responder_may_take_turn: bool,
    /// In an indication: longest user data that the response may have in the version that was settled.
    pub response_limit: Option<usize>,
    /// SS-user data: the CP PPDU.
    pub user_data: Vec<u8>,
}

/// Initial assignment of the tokens, which RTSE keeps together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitialTurn {
    /// All tokens are with the initiator of the connection.
    #[default]
    Initiator,
    /// All tokens are with the responder.
    Responder,
}

/// Session connection identifier (X.225 PGI 1). The values are kept as they are on the wire, which for RTSE
/// means that each is a BER encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionIdentifier {
    /// Calling or called SS-user reference, at most 64 octets.
    pub user_reference: Option<Vec<u8>>,
    /// Common reference, at most 64 octets.
    pub common_reference: Option<Vec<u8>>,
    /// Additional reference information, at most 4 octets.
    pub additional_reference: Option<Vec<u8>>,
}

/// Parameters of S-CONNECT response and confirm (positive).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SAccept {
    /// Responding (called) session selector; `None` when absent.
    pub responding_selector: Option<Vec<u8>>,
    /// The connection identifier that the acceptor returns.
    pub identifier: ConnectionIdentifier,
    /// Whether the responder takes the turn, where the initiator left that to it
    /// ([`SConnect::responder_may_take_turn`]); without effect elsewhere. The initiator called because it has something
    /// to send, so this is usually not so.
    pub take_turn: bool,
    /// SS-user data: the CPA PPDU.
    pub user_data: Vec<u8>,
}

/// Reason of a refused connection (X.225 PI 50 of RF).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SRefuse {
    /// Reason code: 0 to 2 from the user, 128 and above from the provider.
    pub reason: u8,
    /// User data; allowed with reason 2 only (the CPR PPDU).
    pub user_data: Vec<u8>,
}

/// Reason of an exception report, activity interrupt or discard (X.225 PI 50).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCode(pub u8);

#[allow(missing_docs, reason = "the names are those of X.225")]
impl ReasonCode {
    pub const NON_SPECIFIC: ReasonCode = ReasonCode(0);
    pub const RECEIVING_ABILITY_JEOPARDIZED: ReasonCode = ReasonCode(1);
    pub const USER_SEQUENCE_ERROR: ReasonCode = ReasonCode(3);
    pub const LOCAL_SS_USER_ERROR: ReasonCode = ReasonCode(5);
    pub const UNRECOVERABLE_PROCEDURAL_ERROR: ReasonCode = ReasonCode(6);
    pub const DEMAND_DATA_TOKEN: ReasonCode = ReasonCode(128);
}

/// Linking information of S-ACTIVITY-RESUME (X.225 PGI 33).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityResume {
    /// Identifier of the new activity.
    pub new_activity: Vec<u8>,
    /// Identifier of the interrupted activity.
    pub old_activity: Vec<u8>,
    /// Last confirmed synchronization point.
    pub serial: u32,
    /// Connection on which the activity was interrupted, when it was another one: (called, calling) user
    /// references and the rest.
    pub old_connection: Option<OldConnection>,
}

/// Identifier of an earlier session connection, in an activity resume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldConnection {
    /// Called SS-user reference.
    pub called_reference: Option<Vec<u8>>,
    /// Calling SS-user reference.
    pub calling_reference: Option<Vec<u8>>,
    /// Common reference.
    pub common_reference: Option<Vec<u8>>,
    /// Additional reference information.
    pub additional_reference: Option<Vec<u8>>,
}

/// What the session user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SsRequest {
    /// S-CONNECT request (initiator, first request of all).
    Connect(SConnect),
    /// S-CONNECT response, positive.
    ConnectAccept(SAccept),
    /// S-CONNECT response, negative.
    ConnectRefuse(SRefuse),
    /// S-DATA request; segmented as negotiated.
    Data(Vec<u8>),
    /// S-DATA request, of which these are the next octets. Between the first and the last of them nothing can be asked
    /// for but the end of the activity without success, and of the connection.
    DataPart {
        /// The octets.
        octets: Vec<u8>,
        /// Whether the SSDU ends with them.
        last: bool,
    },
    /// S-SYNC-MINOR request, explicit confirmation expected. The machine numbers it.
    SyncMinor,
    /// S-SYNC-MINOR response: confirms every point up to `serial`.
    SyncMinorResponse {
        /// Serial number of the point.
        serial: u32,
    },
    /// S-ACTIVITY-START request.
    ActivityStart {
        /// Activity identifier, at most 6 octets.
        activity: Vec<u8>,
    },
    /// S-ACTIVITY-RESUME request.
    ActivityResume(ActivityResume),
    /// S-ACTIVITY-END request.
    ActivityEnd,
    /// S-ACTIVITY-END response.
    ActivityEndResponse,
    /// S-ACTIVITY-INTERRUPT request.
    ActivityInterrupt(ReasonCode),
    /// S-ACTIVITY-INTERRUPT response.
    ActivityInterruptResponse,
    /// S-ACTIVITY-DISCARD request.
    ActivityDiscard(ReasonCode),
    /// S-ACTIVITY-DISCARD response.
    ActivityDiscardResponse,
    /// S-U-EXCEPTION-REPORT request.
    ExceptionReport(ReasonCode),
    /// S-TOKEN-PLEASE request for the data token.
    TokenPlease {
        /// SS-user data: for RTSE the RTTP APDU.
        user_data: Vec<u8>,
    },
    /// S-CONTROL-GIVE request: all tokens, outside an activity.
    ControlGive,
    /// S-RELEASE request.
    Release {
        /// SS-user data.
        user_data: Vec<u8>,
    },
    /// S-RELEASE response, affirmative.
    ReleaseResponse {
        /// SS-user data.
        user_data: Vec<u8>,
    },
    /// S-U-ABORT request.
    Abort {
        /// SS-user data.
        user_data: Vec<u8>,
    },
}

/// What the session layer tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SsIndication {
    /// S-CONNECT indication.
    Connect(SConnect),
    /// S-CONNECT confirm, positive.
    ConnectConfirm(SAccept),
    /// S-CONNECT confirm, negative: the peer or the provider refused.
    ConnectRefused(SRefuse),
    /// S-DATA indication: a whole SSDU.
    Data(Vec<u8>),
    /// S-DATA indication of an SSDU that is longer than [`super::SessionConfig::pass_on_above`]: its next octets. There may
    /// be no last ones if an exception was reported meanwhile, or the activity stopped.
    DataPart {
        /// The octets.
        octets: Vec<u8>,
        /// Whether the SSDU begins with them.
        first: bool,
        /// Whether the SSDU ends with them.
        last: bool,
    },
    /// S-SYNC-MINOR indication.
    SyncMinor {
        /// Serial number of the point.
        serial: u32,
        /// Whether the sender wants a confirmation.
        confirm: bool,
    },
    /// S-SYNC-MINOR confirm.
    SyncMinorConfirm {
        /// Every point up to here is confirmed.
        serial: u32,
    },
    /// S-ACTIVITY-START indication.
    ActivityStart {
        /// Activity identifier as sent.
        activity: Vec<u8>,
    },
    /// S-ACTIVITY-RESUME indication.
    ActivityResume(ActivityResume),
    /// S-ACTIVITY-END indication.
    ActivityEnd {
        /// Serial number that the end carries.
        serial: u32,
    },
    /// S-ACTIVITY-END confirm. It may come after S-ACTIVITY-DISCARD request, too, before the confirm of that.
    ActivityEndConfirm,
    /// S-ACTIVITY-INTERRUPT indication.
    ActivityInterrupt(ReasonCode),
    /// S-ACTIVITY-INTERRUPT confirm.
    ActivityInterruptConfirm,
    /// S-ACTIVITY-DISCARD indication.
    ActivityDiscard(ReasonCode),
    /// S-ACTIVITY-DISCARD confirm.
    ActivityDiscardConfirm,
    /// S-U-EXCEPTION-REPORT indication.
    ExceptionReport(ReasonCode),
    /// S-P-EXCEPTION-REPORT indication.
    ProviderExceptionReport,
    /// S-TOKEN-PLEASE indication.
    TokenPlease {
        /// SS-user data.
        user_data: Vec<u8>,
    },
    /// S-CONTROL-GIVE indication: all tokens are here now.
    ControlGive,
    /// The peer acknowledged S-CONTROL-GIVE (GTA); a local indication.
    ControlGiven,
    /// S-RELEASE indication.
    Release {
        /// SS-user data.
        user_data: Vec<u8>,
    },
    /// S-RELEASE confirm, affirmative.
    ReleaseConfirm {
        /// SS-user data.
        user_data: Vec<u8>,
    },
    /// S-U-ABORT indication.
    Abort {
        /// SS-user data.
        user_data: Vec<u8>,
    },
    /// S-P-ABORT indication: the session layer, ours or the peer's, ended the connection.
    ProviderAbort(super::ProviderAbort),
}
