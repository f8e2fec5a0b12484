//! Service primitives of RTSE (X.218), with the transfer of an APDU taken apart so that neither side ever holds
//! a whole message: the user is asked for each next piece and is given each piece as it comes.

use alloc::vec::Vec;

use super::connection::SessionConnectionIdentifier;
use super::resume::{Interrupted, OpenData, ReceiverState, ResumePoint};
use crate::failure::{Blame, Layer};
use crate::presentation::PresentationMode;
pub use crate::session::InitialTurn;

/// Dialogue mode (X.218): who may send APDUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DialogueMode {
    /// Only the association initiator sends.
    #[default]
    Monologue,
    /// The turn may be given to the other side.
    TwoWayAlternate,
}

/// Mode in which an association is, or is to be, opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Normal mode: contexts name what rides in the association.
    #[default]
    Normal1988,
    /// X.410-1984 mode: a number does.
    X410 {
        /// applicationProtocol.
        application_protocol: i64,
    },
}

impl Mode {
    /// The mode of the layers under RTSE.
    pub fn presentation(self) -> PresentationMode {
        match self {
            Mode::Normal1988 => PresentationMode::Normal,
            Mode::X410 { .. } => PresentationMode::X410,
        }
    }
}

/// RefuseReason of an RTORJ in X.410 mode (X.228). Open: a peer may send others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefuseReason(pub i64);

#[allow(missing_docs, reason = "the names are those of X.228")]
impl RefuseReason {
    pub const RTS_BUSY: RefuseReason = RefuseReason(0);
    pub const CANNOT_RECOVER: RefuseReason = RefuseReason(1);
    pub const VALIDATION_FAILURE: RefuseReason = RefuseReason(2);
    pub const UNACCEPTABLE_DIALOGUE_MODE: RefuseReason = RefuseReason(3);
}

/// What the user asks of RTSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtRequest {
    /// RT-OPEN response, positive (responder). `user_data` is one BER encoding (for P1 the MTABindResult inside
    /// its `[17]`, that is, whatever the application puts into "open"). An association that is recovered is accepted
    /// without any.
    OpenAccept {
        /// Encoded bind result; not sent where an association is recovered.
        user_data: Vec<u8>,
    },
    /// RT-OPEN response, negative. `user_data` is one BER encoding (for P1 the bind error).
    OpenReject {
        /// Encoded bind error; empty for none. Not sent in X.410 mode.
        user_data: Vec<u8>,
        /// What X.410 mode says in place of `user_data` and `transient`.
        refuse_reason: RefuseReason,
        /// Whether trying again later may help (AARE rejected-transient) or not (rejected-permanent).
        transient: bool,
    },
    /// RT-TRANSFER request: an APDU of `length` octets is ready. Needs the turn and no transfer in progress.
    /// The machine asks for the octets by [`RtIndication::SegmentWanted`].
    Transfer {
        /// Length of the APDU in octets.
        length: u64,
    },
    /// The next octets of the APDU, answering [`RtIndication::SegmentWanted`]; exactly as many as wanted.
    Segment(Vec<u8>),
    /// The sender gives up the transfer in progress (activity discard).
    ///
    /// What became of the APDU is known only by what follows, which is exactly one of these:
    /// [`RtIndication::TransferConfirm`], if the peer had accepted it before it heard of the cancelling (the
    /// association is aborted after that); [`RtIndication::TransferFailed`]; or [`RtIndication::Aborted`] without a
    /// confirm before it, which leaves it open whether the peer has the APDU.
    TransferCancel,
    /// RT-TRANSFER request for an APDU whose transfer was interrupted: what follows the resume point is sent, and
    /// [`RtIndication::SegmentWanted`] asks for the octets from there on. Needs the turn and no transfer in progress.
    ///
    /// A peer that does not know the transfer any more answers so that [`RtIndication::TransferFailed`] follows, or
    /// [`RtIndication::Aborted`] with [`AbortReason::UNRECOGNIZED_ACTIVITY`].
    Resume {
        /// From where.
        from: ResumePoint,
        /// The session connection on which it was interrupted; `None` for this one.
        connection: Option<SessionConnectionIdentifier>,
    },
    /// The sender interrupts the transfer in progress (activity interrupt). [`RtIndication::TransferInterrupted`]
    /// follows, or [`RtIndication::TransferConfirm`] and the end of the association if the peer had accepted the APDU
    /// before. As long as no checkpoint is confirmed there is nothing to resume, and this is
    /// [`RtRequest::TransferCancel`].
    TransferInterrupt,
    /// The receiver has what is asked for by [`RtIndication::Resume`], and takes the rest.
    ResumeAccept(Box<ReceiverState>),
    /// The receiver does not have it (any more). The sender will begin anew.
    ResumeRefuse,
    /// The receiver has accepted the whole APDU before, which the sender does not know. What is sent again is passed
    /// over and the end confirmed, without another word to the user.
    ResumeCompleted,
    /// The receiver has secured everything up to this checkpoint ([`RtIndication::Checkpoint`]).
    CheckpointSecured {
        /// Serial number of the checkpoint.
        serial: u32,
    },
    /// RT-TRANSFER response: the receiver has taken responsibility for the APDU. Only after
    /// [`RtIndication::TransferEnd`], and only when it is durable.
    TransferAccept,
    /// The receiver can't take the APDU (any time between TransferStart and TransferAccept): exception report.
    TransferRefuse {
        /// True if the same APDU may succeed later (a local problem); false if the APDU itself is the problem.
        transient: bool,
    },
    /// RT-TURN-PLEASE request; two-way alternate only. It is sent as soon as the session layer allows, which is not
    /// before a refused APDU has been discarded. A peer that does not give the turn in time is aborted.
    TurnPlease {
        /// 0 is the most urgent.
        priority: u32,
    },
    /// RT-TURN-GIVE request; only with the turn and outside a transfer.
    TurnGive,
    /// RT-CLOSE request; association initiator with the turn, outside a transfer.
    Close,
    /// RT-U-ABORT request.
    Abort(AbortReason),
}

/// What RTSE tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtIndication {
    /// RT-OPEN indication (responder): answer with OpenAccept or OpenReject.
    Open(Box<OpenIndication>),
    /// RT-OPEN confirm, positive.
    OpenConfirm {
        /// The encoding inside "open": for P1 the bind result.
        user_data: Vec<u8>,
        /// What was settled.
        agreed: Agreed,
    },
    /// RT-OPEN confirm, negative: the peer refused. The association is over.
    OpenRefused(OpenRefused),
    /// The sender wants the next octets of the APDU: answer with `Segment` of exactly this many octets.
    SegmentWanted {
        /// Number of octets, at least 1 unless the APDU is empty.
        octets: usize,
    },
    /// RT-TRANSFER confirm, positive: the peer has taken responsibility. Also after
    /// [`RtRequest::TransferCancel`], where the acceptance was faster.
    TransferConfirm,
    /// RT-TRANSFER confirm, negative: the peer refused this APDU, or it was cancelled; the association goes on.
    TransferFailed {
        /// Reason code of the peer's exception report, if there was one.
        reason: Option<u8>,
    },
    /// The transfer in progress, of either side, was interrupted; the association goes on.
    TransferInterrupted {
        /// What is needed to resume it.
        interrupted: Box<Interrupted>,
        /// Reason code of the receiver's exception report, if that was the cause.
        reason: Option<u8>,
    },
    /// An interrupted transfer of the peer's is to go on: answer with ResumeAccept, ResumeRefuse or ResumeCompleted.
    Resume {
        /// Identifier of the activity that was interrupted.
        activity: Vec<u8>,
        /// The session connection on which it was; `None` for this one.
        connection: Option<SessionConnectionIdentifier>,
        /// The last checkpoint that the peer knows to be confirmed.
        serial: u32,
        /// Identifier of the activity that takes its place, on this session connection. If this one is interrupted, too,
        /// the peer will ask for it by this name, or by the old one if it is not sure that this one was understood.
        resumed_as: Vec<u8>,
    },
    /// An APDU begins to arrive.
    TransferStart,
    /// The next octets of the APDU, in order.
    TransferData(Vec<u8>),
    /// The sender wants to know that everything so far is secure: answer with `CheckpointSecured` when it is.
    Checkpoint {
        /// Serial number of the checkpoint.
        serial: u32,
    },
    /// The APDU is complete: answer with TransferAccept or TransferRefuse.
    TransferEnd,
    /// The sender gave the transfer up; forget what came of it.
    TransferDiscarded,
    /// RT-TURN-PLEASE indication.
    TurnPlease {
        /// 0 is the most urgent.
        priority: u32,
    },
    /// RT-TURN-GIVE indication: the turn is here.
    TurnGive,
    /// The peer has taken the turn that was given.
    TurnGiven,
    /// The association ended in order (both sides get this).
    Closed,
    /// The association ended abnormally; RT-P-ABORT, RT-U-ABORT and every failure below.
    Aborted(Aborted),
}

/// What an RT-OPEN indication carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIndication {
    /// The encoding inside "open", for P1 the bind argument; or which association is to be recovered.
    pub data: OpenData,
    /// The name of this session connection, which the peer gave it.
    pub connection: SessionConnectionIdentifier,
    /// What will be settled if it is accepted.
    pub agreed: Agreed,
    /// The mode that the peer chose.
    pub mode: Mode,
    /// The selectors that the peer called and called from.
    pub selectors: Selectors,
}

/// Selectors of one connection, as they are on the wire; empty when absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Calling transport selector.
    pub calling_transport: Vec<u8>,
    /// Called transport selector.
    pub called_transport: Vec<u8>,
    /// Calling session selector.
    pub calling_session: Vec<u8>,
    /// Called session selector.
    pub called_session: Vec<u8>,
    /// Calling presentation selector.
    pub calling_presentation: Vec<u8>,
    /// Called presentation selector.
    pub called_presentation: Vec<u8>,
}

/// What both ends have settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Checkpoint size in units of 1,024 octets; 0 for no checkpoints.
    pub checkpoint_size_kb: u32,
    /// Checkpoints that may stand unconfirmed.
    pub window_size: u32,
    /// Who may send.
    pub dialogue_mode: DialogueMode,
}

/// Why the peer refused an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRefused {
    /// The layer which refused.
    pub layer: Layer,
    /// Refusal code of that layer, as on the wire.
    pub code: Option<u32>,
    /// Whether the peer said that trying later may help.
    pub transient: bool,
    /// The encoding inside the refusal: for P1 the bind error; empty for none.
    pub user_data: Vec<u8>,
    /// In words, for the operator.
    pub text: String,
}

/// Reason of an abort (X.228 RTAB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortReason(pub i64);

#[allow(missing_docs, reason = "the names are those of X.228")]
impl AbortReason {
    pub const LOCAL_SYSTEM_PROBLEM: AbortReason = AbortReason(0);
    pub const INVALID_PARAMETER: AbortReason = AbortReason(1);
    pub const UNRECOGNIZED_ACTIVITY: AbortReason = AbortReason(2);
    pub const TEMPORARY_PROBLEM: AbortReason = AbortReason(3);
    pub const PROTOCOL_ERROR: AbortReason = AbortReason(4);
    pub const PERMANENT_PROBLEM: AbortReason = AbortReason(5);
    pub const USER_ERROR: AbortReason = AbortReason(6);
    pub const TRANSFER_COMPLETED: AbortReason = AbortReason(7);
}

/// Why an association ended abnormally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// The layer that saw it.
    pub layer: Layer,
    /// Whose fault it is.
    pub blame: Blame,
    /// Whether the peer ended it (an abort was received, the connection was closed) rather than we.
    pub by_peer: bool,
    /// The RTAB reason, if one was sent or received.
    pub reason: Option<AbortReason>,
    /// The transfer that was in progress, if it can be resumed.
    pub interrupted: Option<Box<Interrupted>>,
    /// In words, for the operator: what was wrong and where.
    pub text: String,
}
