//! What opening and ending an association have to say: negotiation, and the words for refusals and aborts.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ber::Oid;

use super::apdu::{Rtab, Rtoac, Rtorj, Rtorq, RtseApdu};
use super::error::RtseError;
use super::external::{self, ExternalReader};
use super::receiver::Form;
use super::service::{AbortReason, Aborted, Agreed, OpenRefused, RefuseReason};
use crate::acse::apdu::Diagnostic;
use crate::acse::{AReject, ARequest};
use crate::failure::{Blame, Layer};
use crate::presentation::{ContextId, Contexts, PAbortCause, PresentationMode};
use crate::session::{ProviderAbortCause, SRefuse};

/// What both ends have settled for an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) agreed: Agreed,
    mode: PresentationMode,
    /// Nothing is put around an APDU here, nor taken off.
    bare_apdus: bool,
    /// Contexts of the RTSE APDUs; the first is used for sending.
    rtse: Vec<ContextId>,
    /// Contexts of the APDUs transferred; the first is used for sending.
    apdu: Vec<ContextId>,
    /// Number of the last activity that we started.
    activities: u32,
}

impl Settled {
    pub(super) fn new(agreed: Agreed, contexts: Contexts, rtse_syntax: &Oid, apdu_syntax: &Oid) -> Self {
        let mode = PresentationMode::Normal;
        let of = |syntax: &Oid| {
            contexts.iter().filter(|(_, name)| name == syntax).map(|(context, _)| *context).collect()
        };
        let (rtse, apdu) = (of(rtse_syntax), of(apdu_syntax));
        Settled { agreed, mode, bare_apdus: false, rtse, apdu, activities: 0 }
    }

    /// Of X.410 mode, where everything is in the default context.
    pub(super) fn x410(agreed: Agreed) -> Self {
        let default = || Vec::from([ContextId::DEFAULT]);
        let mode = PresentationMode::X410;
        Settled { agreed, mode, bare_apdus: true, rtse: default(), apdu: default(), activities: 0 }
    }

    pub(super) fn with_bare_apdus(self) -> Self {
        Settled { bare_apdus: true, ..self }
    }

    /// How RTSE APDUs are encoded.
    pub(super) fn mode(&self) -> PresentationMode {
        self.mode
    }

    /// What goes in front of an APDU of `length` octets.
    pub(super) fn head(&self, length: u64) -> Vec<u8> {
        if self.bare_apdus { Vec::new() } else { external::head(self.apdu_context(), length) }
    }

    /// What the peer puts around an APDU, at its start.
    pub(super) fn form(&self) -> Form {
        if self.bare_apdus { Form::Bare } else { Form::External(ExternalReader::new(self.apdu.clone())) }
    }

    /// Identifier of the next activity: a number, as a BER encoding of at most 6 octets.
    pub(super) fn next_activity(&mut self) -> Vec<u8> {
        // 31 bits, so that the encoding stays short.
        self.activities = self.activities.wrapping_add(1) & 0x7FFF_FFFF;
        ber::Writer::encode(|w| w.integer(ber::Tag::INTEGER, i64::from(self.activities)))
    }

    /// The context to send RTSE APDUs in. The presentation layer settles no connection without one.
    pub(super) fn rtse_context(&self) -> ContextId {
        self.rtse.first().copied().unwrap_or(ContextId(0))
    }

    /// The context to send APDUs in.
    fn apdu_context(&self) -> ContextId {
        self.apdu.first().copied().unwrap_or(ContextId(0))
    }

    pub(super) fn is_rtse(&self, context: ContextId) -> bool {
        self.rtse.contains(&context)
    }

    /// Takes over what the acceptor answered, as far as it is not more than what was proposed.
    pub(super) fn answered(&mut self, checkpoint_size_kb: u32, window_size: u32) {
        // PP answers a checkpoint size where none was proposed; smaller pieces than necessary harm nobody.
        self.agreed.checkpoint_size_kb = match (self.agreed.checkpoint_size_kb, checkpoint_size_kb) {
            (0, answered) => answered,
            (_, 0) => 0,
            (proposed, answered) => proposed.min(answered),
        };
        self.agreed.window_size = self.agreed.window_size.min(window_size).max(1);
    }
}

/// The acceptor's checkpoint size: not above the proposal, where 0 (no checkpoints) is above everything.
pub(super) fn reduce(proposed: u32, own: u32) -> u32 {
    match (proposed, own) {
        (0, _) => 0,
        (proposed, 0) => proposed,
        (proposed, own) => proposed.min(own),
    }
}

pub(super) fn abort(mode: PresentationMode, reason: AbortReason) -> ARequest {
    let rtab = RtseApdu::Rtab(Rtab { reason: Some(reason), user_data: Vec::new() });
    ARequest::Abort { user_information: rtab.encode_in(mode) }
}

/// The answer to an RTORQ that is not taken.
pub(super) fn reject(mode: PresentationMode, error: &RtseError) -> ARequest {
    let refuse_reason = match mode {
        PresentationMode::Normal => None,
        PresentationMode::X410 => Some(error.refuse_reason().0),
    };
    let rtorj = RtseApdu::Rtorj(Rtorj { refuse_reason, user_data: Vec::new() });
    ARequest::AssociateReject { transient: false, user_information: rtorj.encode_in(mode) }
}

fn apdu(primitive: &'static str, expected: &'static str, octets: &[u8]) -> Result<RtseApdu, RtseError> {
    if octets.is_empty() {
        return Err(RtseError::Missing { primitive, expected });
    }
    RtseApdu::decode(octets).map_err(|source| RtseError::Malformed { primitive, source })
}

/// An RTSE APDU of X.410 mode, which is whatever has its place there.
fn x410<T>(
    primitive: &'static str,
    expected: &'static str,
    octets: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, ber::Error>,
) -> Result<T, RtseError> {
    if octets.is_empty() {
        return Err(RtseError::Missing { primitive, expected });
    }
    decode(octets).map_err(|source| RtseError::Malformed { primitive, source })
}

/// Which of the application protocols that are `offered` the peer means.
pub(super) fn application_protocol(found: Option<i64>, offered: &[i64]) -> Result<i64, RtseError> {
    offered
        .iter()
        .copied()
        // PP sends 12 as the two octets 0C 00.
        .find(|offered| found == Some(*offered) || found == offered.checked_shl(8))
        .ok_or(RtseError::ApplicationProtocol { found })
}

pub(super) fn rtorq(mode: PresentationMode, octets: &[u8]) -> Result<Rtorq, RtseError> {
    let (primitive, expected) = ("A-ASSOCIATE indication", "RTORQ");
    match mode {
        PresentationMode::Normal => {}
        PresentationMode::X410 => return x410(primitive, expected, octets, Rtorq::decode_x410),
    }
    match apdu(primitive, expected, octets)? {
        RtseApdu::Rtorq(rtorq) => Ok(rtorq),
        found @ (RtseApdu::Rtoac(_)
        | RtseApdu::Rtorj(_)
        | RtseApdu::Rttp(_)
        | RtseApdu::Rttr(_)
        | RtseApdu::Rtab(_)) => Err(RtseError::WrongApdu { primitive, found: found.name(), expected }),
    }
}

pub(super) fn rtoac(mode: PresentationMode, octets: &[u8]) -> Result<Rtoac, RtseError> {
    let (primitive, expected) = ("A-ASSOCIATE confirm", "RTOAC");
    match mode {
        PresentationMode::Normal => {}
        PresentationMode::X410 => return x410(primitive, expected, octets, Rtoac::decode_x410),
    }
    match apdu(primitive, expected, octets)? {
        RtseApdu::Rtoac(rtoac) => Ok(rtoac),
        found @ (RtseApdu::Rtorq(_)
        | RtseApdu::Rtorj(_)
        | RtseApdu::Rttp(_)
        | RtseApdu::Rttr(_)
        | RtseApdu::Rtab(_)) => Err(RtseError::WrongApdu { primitive, found: found.name(), expected }),
    }
}

/// A rejection by the peer's ACSE or RTSE, or by the application, which put its data into the RTORJ.
pub(super) fn rejected(mode: PresentationMode, reject: AReject) -> OpenRefused {
    match mode {
        PresentationMode::Normal => {}
        PresentationMode::X410 => return rejected_x410(&reject.user_information),
    }
    let rtorj = match RtseApdu::decode(&reject.user_information) {
        Ok(RtseApdu::Rtorj(rtorj)) => Some(rtorj),
        Ok(
            RtseApdu::Rtorq(_)
            | RtseApdu::Rtoac(_)
            | RtseApdu::Rttp(_)
            | RtseApdu::Rttr(_)
            | RtseApdu::Rtab(_),
        )
        | Err(_) => None,
    };
    let code = reject.diagnostic.and_then(|diagnostic| u32::try_from(diagnostic.code()).ok());
    let why = match reject.diagnostic {
        Some(Diagnostic::APPLICATION_CONTEXT) => String::from("application context not supported"),
        Some(Diagnostic::NO_COMMON_VERSION) => String::from("no common version of ACSE"),
        Some(Diagnostic::User(code)) => format!("user diagnostic {code}"),
        Some(Diagnostic::Provider(code)) => format!("provider diagnostic {code}"),
        None => String::from("no reason given"),
    };
    let lasting = if reject.transient { "rejected for now" } else { "rejected" };
    match rtorj {
        Some(rtorj) if !rtorj.user_data.is_empty() => OpenRefused {
            layer: Layer::Application,
            code,
            transient: reject.transient,
            user_data: rtorj.user_data,
            text: format!("association {lasting} by the peer's application, {why}"),
        },
        Some(rtorj) => OpenRefused {
            layer: Layer::Rtse,
            code: rtorj.refuse_reason.and_then(|reason| u32::try_from(reason).ok()).or(code),
            transient: reject.transient,
            user_data: Vec::new(),
            text: format!("association {lasting} by the peer's RTSE, {why}"),
        },
        None => OpenRefused {
            layer: Layer::Acse,
            code,
            transient: reject.transient,
            user_data: Vec::new(),
            text: format!("association {lasting} by the peer's ACSE, {why}"),
        },
    }
}

fn rejected_x410(octets: &[u8]) -> OpenRefused {
    let reason = Rtorj::decode_x410(octets).ok().and_then(|rtorj| rtorj.refuse_reason).map(RefuseReason);
    let why = match reason {
        Some(RefuseReason::RTS_BUSY) => "busy",
        Some(RefuseReason::CANNOT_RECOVER) => "cannot recover",
        Some(RefuseReason::VALIDATION_FAILURE) => "validation failure",
        Some(RefuseReason::UNACCEPTABLE_DIALOGUE_MODE) => "unacceptable dialogue mode",
        Some(RefuseReason(_)) => "unknown reason",
        None => "no reason given",
    };
    OpenRefused {
        layer: Layer::Rtse,
        code: reason.and_then(|reason| u32::try_from(reason.0).ok()),
        transient: reason == Some(RefuseReason::RTS_BUSY),
        user_data: Vec::new(),
        text: format!("association refused by the peer's RTSE, {why}"),
    }
}

pub(crate) fn refused_by_presentation(reason: i64) -> OpenRefused {
    let why = match reason {
        0 => "no reason given",
        1 => "temporary congestion",
        2 => "local limit exceeded",
        3 => "called presentation address unknown",
        4 => "protocol version not supported",
        5 => "default context not supported",
        6 => "user data not readable",
        7 => "no PSAP available",
        _ => "unknown reason",
    };
    OpenRefused {
        layer: Layer::Presentation,
        code: u32::try_from(reason).ok(),
        transient: matches!(reason, 1 | 2),
        user_data: Vec::new(),
        text: format!("refused by the peer's presentation layer, reason {reason}: {why}"),
    }
}

pub(crate) fn refused_by_session(refuse: &SRefuse) -> OpenRefused {
    let why = match refuse.reason {
        0 => "rejected by the called user",
        1 => "temporary congestion of the called user",
        2 => "rejected by the called user, with data that is not readable",
        129 => "session selector unknown",
        130 => "no user attached to the session selector",
        131 => "congestion of the session layer",
        132 => "session protocol versions not supported",
        133 => "rejected by the session layer",
        134 => "implementation restriction",
        _ => "unknown reason",
    };
    OpenRefused {
        layer: Layer::Session,
        code: Some(u32::from(refuse.reason)),
        transient: matches!(refuse.reason, 1 | 131),
        user_data: Vec::new(),
        text: format!("refused at the session layer, reason {}: {why}", refuse.reason),
    }
}

/// An ABRT, with the RTAB if there is a readable one.
pub(super) fn aborted_by_peer(mode: PresentationMode, by_provider: bool, user_information: &[u8]) -> Aborted {
    let rtab = match mode {
        PresentationMode::Normal => match RtseApdu::decode(user_information) {
            Ok(RtseApdu::Rtab(rtab)) => Some(rtab),
            Ok(
                RtseApdu::Rtorq(_)
                | RtseApdu::Rtoac(_)
                | RtseApdu::Rtorj(_)
                | RtseApdu::Rttp(_)
                | RtseApdu::Rttr(_),
            )
            | Err(_) => None,
        },
        PresentationMode::X410 => Rtab::decode_x410(user_information).ok(),
    };
    let reason = rtab.and_then(|rtab| rtab.reason);
    let why = match reason.map(|reason| reason.0) {
        Some(0) => "local system problem",
        Some(1) => "invalid parameter",
        Some(2) => "unrecognized activity",
        Some(3) => "temporary problem",
        Some(4) => "protocol error",
        Some(5) => "permanent problem",
        Some(6) => "user error",
        Some(7) => "transfer completed",
        Some(_) => "unknown reason",
        None => "no reason given",
    };
    // A peer that names an error of ours may be right.
    let blame = match reason.map(|reason| reason.0) {
        Some(1 | 4) => Blame::Local,
        Some(5 | 6) => Blame::PeerIncompatible,
        Some(_) | None => Blame::PeerGone,
    };
    let (layer, who) = if by_provider { (Layer::Acse, "ACSE") } else { (Layer::Rtse, "RTSE") };
    let code = reason.map(|reason| format!(" {}", reason.0)).unwrap_or_default();
    Aborted {
        layer,
        blame,
        by_peer: true,
        reason,
        interrupted: None,
        text: format!("peer's {who} aborted, reason{code}: {why}"),
    }
}

/// An abort of the presentation or the session layer.
pub(crate) fn aborted_by_provider(cause: &PAbortCause) -> Aborted {
    match cause {
        PAbortCause::Arp { reason, event } => {
            let number = |value: &Option<i64>| value.map(|value| format!(" {value}")).unwrap_or_default();
            Aborted {
                layer: Layer::Presentation,
                blame: Blame::Local,
                by_peer: true,
                reason: None,
                interrupted: None,
                text: format!(
                    "peer's presentation layer aborted, reason{}, event{}",
                    number(reason),
                    number(event)
                ),
            }
        }
        PAbortCause::Unreadable => Aborted {
            layer: Layer::Presentation,
            blame: Blame::PeerGone,
            by_peer: true,
            reason: None,
            interrupted: None,
            text: String::from("peer aborted with user data that is no PPDU of this mode"),
        },
        PAbortCause::Session(abort) => Aborted {
            layer: match abort.cause {
                ProviderAbortCause::TransportDisconnect => Layer::Cotp,
                ProviderAbortCause::AbortSpdu { .. } | ProviderAbortCause::Detected(_) => Layer::Session,
            },
            blame: abort.blame(),
            by_peer: abort.by_peer,
            reason: None,
            interrupted: None,
            text: format!("{abort}"),
        },
    }
}
