use alloc::string::String;
use alloc::vec::Vec;

use ber::{Oid, Tag, Writer};
use clock::WallTime;

use crate::acse::apdu::AeTitle;
use crate::acse::{ABSTRACT_SYNTAX_ACSE, AcpmConfig};
use crate::cotp::{CotpConfig, TpduSize};
use crate::lower::{LowerConfig, OPENING_TSDU_MAX, ServedSelectors};
use crate::presentation::PpmConfig;
use crate::rtse::{Mode, RtseConfig};
use crate::session::{ConnectionIdentifier, SessionConfig, Version};

/// Selectors of one end; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectorSet {
    /// Transport selector.
    pub transport: Vec<u8>,
    /// Session selector, at most 16 octets.
    pub session: Vec<u8>,
    /// Presentation selector.
    pub presentation: Vec<u8>,
}

/// Names of what rides in the association; this crate knows none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationContext {
    /// Application context name: proposed, and the only one accepted.
    pub application_context: Oid,
    /// Abstract syntax of the bind and of the RTSE APDUs.
    pub bind_and_rtse_syntax: Oid,
    /// Abstract syntax of the APDUs transferred.
    pub apdu_syntax: Oid,
}

impl ApplicationContext {
    /// All abstract syntaxes that are needed, in the order in which they are proposed.
    pub(super) fn syntaxes(&self) -> Vec<Oid> {
        Vec::from([ABSTRACT_SYNTAX_ACSE, self.bind_and_rtse_syntax.clone(), self.apdu_syntax.clone()])
    }
}

/// Settings of one connection through all layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackConfig {
    /// This end. An initiator calls from these selectors, a responder answers with the presentation selector.
    pub local: SelectorSet,
    /// The end that an initiator calls.
    pub remote: SelectorSet,
    /// The addresses that a responder serves: a call must fit one of them. None listed: every call is served.
    pub served: Vec<ServedSelectors>,
    /// What rides in the association, in normal mode. In X.410 mode [`RtseConfig::mode`] and
    /// [`RtseConfig::application_protocols`] say it with a number.
    pub application: ApplicationContext,
    /// Called titles to send in the AARQ; none by default.
    pub called_title: AeTitle,
    /// Calling titles to send in the AARQ; none by default.
    pub calling_title: AeTitle,
    /// Settings of RTSE, among them all timers of an open association.
    pub rtse: RtseConfig,
    /// Settings of the session layer. Four of them are not used: [`StackConfig::max_tsdu`] and
    /// `StackConfig::pass_on_above` hold for SSDUs as well, and the times to open and to release are those of [`StackConfig::rtse`]. An initiator in X.410 mode uses version 1
    /// alone.
    pub session: SessionConfig,
    /// Largest TPDU to agree to as a responder.
    pub tpdu_size: TpduSize,
    /// TPDU size to offer as an initiator.
    pub tpdu_size_offered: TpduSize,
    /// Longest TSDU taken that carries no data, in octets. Until the association is open it is 16 KiB at most, and as long
    /// as [`SessionConfig::max_user_data`] makes it once a peer has announced so much or answers a call.
    pub max_tsdu: usize,
    /// Longest TSDU and SSDU that is put together before it is looked at, in octets, once the association is open. Longer
    /// ones are taken in pieces as they arrive, so that an APDU without checkpoints may have any length.
    pub pass_on_above: usize,
}

impl StackConfig {
    /// The default settings for this application: no selectors, any transport selector served.
    pub fn new(application: ApplicationContext) -> Self {
        StackConfig {
            local: SelectorSet::default(),
            remote: SelectorSet::default(),
            served: Vec::new(),
            application,
            called_title: AeTitle::default(),
            calling_title: AeTitle::default(),
            rtse: RtseConfig::default(),
            session: SessionConfig::default(),
            tpdu_size: TpduSize::MAX,
            // X.224 has no more in class 0; RFC 1006 has, but not every implementation of it.
            tpdu_size_offered: TpduSize::OCTETS_2048,
            max_tsdu: 256 * 1024,
            pass_on_above: 64 * 1024,
        }
    }
}

impl StackConfig {
    /// What the layers below RTSE are given, at an end that asks for this TPDU size or agrees to it.
    pub(super) fn lower(&self, tpdu_size: TpduSize) -> LowerConfig {
        LowerConfig {
            cotp: self.cotp(tpdu_size),
            session: self.session(),
            ppm: PpmConfig {
                syntaxes: self.application.syntaxes(),
                optional_syntaxes: Vec::new(),
                local_selector: self.local.presentation.clone(),
            },
            acpm: AcpmConfig {
                application_context: self.application.application_context.clone(),
                user_syntax: self.application.bind_and_rtse_syntax.clone(),
                called: self.called_title.clone(),
                calling: self.calling_title.clone(),
            },
            served: self.served.clone(),
            x410_served: true,
            max_tsdu: self.max_tsdu,
            pass_on_above: Some(self.pass_on_above()),
        }
    }

    fn cotp(&self, tpdu_size: TpduSize) -> CotpConfig {
        CotpConfig {
            calling_selector: self.local.transport.clone(),
            called_selector: self.remote.transport.clone(),
            tpdu_size,
            max_tsdu: self.max_tsdu.min(OPENING_TSDU_MAX),
            connect_timeout: self.rtse.open_timeout,
        }
    }

    /// No more than may come of a TSDU that carries no data, which is told apart only then.
    fn pass_on_above(&self) -> usize {
        self.pass_on_above.min(self.max_tsdu)
    }

    fn session(&self) -> SessionConfig {
        let (version_min, version_max) = match self.rtse.mode {
            Mode::Normal1988 => (self.session.version_min, self.session.version_max),
            // X.410 knows no other.
            Mode::X410 { .. } => (Version::V1, Version::V1),
        };
        SessionConfig {
            max_ssdu: self.max_tsdu,
            pass_on_above: Some(self.pass_on_above()),
            connect_timeout: self.rtse.open_timeout,
            release_timeout: self.rtse.release_timeout,
            version_min,
            version_max,
            ..self.session.clone()
        }
    }
}

/// What an initiator names its session connection with (X.228: user reference and time).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReference {
    /// Calling SS-user reference; cut to 62 octets.
    pub user_reference: String,
    /// Common reference.
    pub time: WallTime,
}

/// Octets of a reference that X.225 allows, less the BER header.
const USER_REFERENCE_OCTETS_MAX: usize = 62;

impl SessionReference {
    pub(crate) fn identifier(&self, mode: Mode) -> ConnectionIdentifier {
        let user = self.user_reference.as_bytes();
        let user = user.get(..user.len().min(USER_REFERENCE_OCTETS_MAX)).unwrap_or_default();
        let c = self.time.civil();
        let time = alloc::format!(
            "{:02}{:02}{:02}{:02}{:02}{:02}Z",
            c.year % 100,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second
        );
        // X.228: each mode has its own kind of string.
        let string = match mode {
            Mode::Normal1988 => Tag::OCTET_STRING,
            Mode::X410 { .. } => Tag::TELETEX_STRING,
        };
        ConnectionIdentifier {
            user_reference: Some(Writer::encode(|w| w.primitive(string, user))),
            common_reference: Some(Writer::encode(|w| w.primitive(Tag::UTC_TIME, time.as_bytes()))),
            additional_reference: None,
        }
    }
}
