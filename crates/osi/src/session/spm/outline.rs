//! The states of the session machine in outline, for messages and for those who look at it from outside.

use core::fmt;

/// Where a session connection stands, see [`super::Spm::state`]. The numbers are those of the state tables of X.225.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Initiator, before the transport connection (STA 01B).
    AwaitTransport,
    /// Responder, before the transport connection (STA 01).
    AwaitTransportIndication,
    /// Responder, CN is due (STA 01C).
    AwaitCn,
    /// Responder, the rest of the user data of CN is due (STA 01D).
    AwaitCdo,
    /// Initiator, CN sent with the first part of its user data (STA 02B).
    AwaitOa,
    /// Initiator, CN sent (STA 02A).
    AwaitAc,
    /// Responder, the user has to answer CN (STA 08).
    AwaitConnectResponse,
    /// Established, no activity, the turn is ours (STA 713).
    OpenWithTurn,
    /// Established, no activity, the turn is the peer's (STA 713).
    OpenWithoutTurn,
    /// Established in duplex, without tokens (STA 713).
    OpenInDuplex,
    /// Established, the turn is the peer's, which has begun to give its tokens one by one (STA 713).
    TokensArriving,
    /// GTC sent (STA 18).
    AwaitGta,
    /// Our activity is going on (STA 713).
    Sending,
    /// The peer's activity is going on (STA 713).
    Receiving,
    /// AE sent (STA 04B).
    AwaitAea,
    /// The user has to answer AE (STA 10B).
    AwaitEndResponse,
    /// AI sent (STA 05B).
    AwaitAia,
    /// AD sent (STA 05C).
    AwaitAda,
    /// The user has to answer AI (STA 11B).
    AwaitInterruptResponse,
    /// The user has to answer AD (STA 11C).
    AwaitDiscardResponse,
    /// ED sent (STA 20): what the peer sends is dropped until it ends the activity.
    ExceptionSent,
    /// ED or ER received (STA 19): the user has to end the activity.
    ExceptionReceived,
    /// FN sent (STA 03).
    AwaitDn,
    /// The user has to answer FN (STA 09).
    AwaitReleaseResponse,
    /// DN or RF sent: the peer ends the transport connection (STA 16).
    AwaitTDisconnect,
    /// AB sent: the peer answers AA or ends the transport connection (STA 01A, STA 16).
    AwaitAbortAccept,
    /// Over.
    Closed,
}

impl SessionState {
    /// The state in words.
    pub fn name(self) -> &'static str {
        match self {
            SessionState::AwaitTransport => "awaiting the transport connection",
            SessionState::AwaitTransportIndication => "awaiting a transport connection",
            SessionState::AwaitCn => "awaiting CN",
            SessionState::AwaitCdo => "awaiting CDO",
            SessionState::AwaitOa => "awaiting OA",
            SessionState::AwaitAc => "awaiting AC",
            SessionState::AwaitConnectResponse => "awaiting the user's answer to CN",
            SessionState::OpenWithTurn => "open with the turn",
            SessionState::OpenWithoutTurn => "open without the turn",
            SessionState::OpenInDuplex => "open in duplex",
            SessionState::TokensArriving => "open, getting the turn token by token",
            SessionState::AwaitGta => "awaiting GTA",
            SessionState::Sending => "sending in an activity",
            SessionState::Receiving => "receiving in an activity",
            SessionState::AwaitAea => "awaiting AEA",
            SessionState::AwaitEndResponse => "awaiting the user's answer to AE",
            SessionState::AwaitAia => "awaiting AIA",
            SessionState::AwaitAda => "awaiting ADA",
            SessionState::AwaitInterruptResponse => "awaiting the user's answer to AI",
            SessionState::AwaitDiscardResponse => "awaiting the user's answer to AD",
            SessionState::ExceptionSent => "awaiting AI or AD after ED",
            SessionState::ExceptionReceived => "awaiting the user's answer to ED",
            SessionState::AwaitDn => "awaiting DN",
            SessionState::AwaitReleaseResponse => "awaiting the user's answer to FN",
            SessionState::AwaitTDisconnect => "awaiting the end of the transport connection",
            SessionState::AwaitAbortAccept => "awaiting AA",
            SessionState::Closed => "closed",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
