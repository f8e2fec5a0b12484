//! Settings of an access association, and what the layers make of them.

use alloc::vec::Vec;
use core::time::Duration;

use ber::Oid;

use crate::acse::apdu::AeTitle;
use crate::acse::{ABSTRACT_SYNTAX_ACSE, AcpmConfig};
use crate::cotp::{CotpConfig, TpduSize};
use crate::lower::{LowerConfig, OPENING_TSDU_MAX, ServedSelectors};
use crate::presentation::PpmConfig;
use crate::rose::{AssociationClass, Role, RoseConfig};
use crate::rtse::{DialogueMode, Mode, RtseConfig};
use crate::session::SessionConfig;
use crate::session::spdu::FunctionalUnits;
use crate::stack::SelectorSet;

/// What carries the remote operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// P-DATA in duplex, bind and unbind in ACSE (mts-access, ms-access).
    Direct,
    /// RTSE, two-way alternate (mts-reliable-access, ms-reliable-access). Its mode and dialogue mode are not used: it is
    /// always the normal mode, and a monologue is refused.
    Reliable(RtseConfig),
}

/// Names of what rides in the association; this crate knows none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessContext {
    /// Application context name: proposed, and the only one accepted.
    pub application_context: Oid,
    /// Abstract syntax of bind and unbind, and over RTSE of its APDUs.
    pub bind_syntax: Oid,
    /// Abstract syntaxes of the operations. A peer may lack any of them; [`AccessStack::context`] tells.
    ///
    /// [`AccessStack::context`]: super::AccessStack::context
    pub operation_syntaxes: Vec<Oid>,
}

/// Settings of one access association through all layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessConfig {
    /// This end. An initiator calls from these selectors, a responder answers with the presentation selector.
    pub local: SelectorSet,
    /// The end that an initiator calls.
    pub remote: SelectorSet,
    /// The addresses that a responder serves: a call must fit one of them. None listed: every call is served.
    pub served: Vec<ServedSelectors>,
    /// What rides in the association.
    pub context: AccessContext,
    /// What carries it. Both ends must have the same; their application contexts say which.
    pub form: Form,
    /// Who may invoke operations.
    pub association_class: AssociationClass,
    /// Most invocations of ours that may be outstanding.
    pub outgoing_max: usize,
    /// Most invocations of the peer's that may be outstanding.
    pub incoming_max: usize,
    /// Longest APDU sent or taken, in octets. A longer one of the peer's is refused over RTSE and ends a direct
    /// association, whose data can't be refused.
    pub apdu_octets_max: usize,
    /// Called titles to send in the AARQ; none by default.
    pub called_title: AeTitle,
    /// Calling titles to send in the AARQ; none by default.
    pub calling_title: AeTitle,
    /// Settings of the session layer. Functional units and longest SSDU follow from the form and the longest APDU; the
    /// times to open and to release are the two below.
    pub session: SessionConfig,
    /// Largest TPDU to agree to as a responder.
    pub tpdu_size: TpduSize,
    /// TPDU size to offer as an initiator.
    pub tpdu_size_offered: TpduSize,
    /// Time for each step of the opening: the transport connection, and the answer to the bind.
    pub open_timeout: Duration,
    /// Time for the peer to answer the release.
    pub release_timeout: Duration,
}

impl AccessConfig {
    /// The default settings: no selectors, every call served, both ends invoke, APDUs of 4 MiB.
    pub fn new(context: AccessContext, form: Form) -> Self {
        let rose = RoseConfig::new(Role::Initiator);
        AccessConfig {
            local: SelectorSet::default(),
            remote: SelectorSet::default(),
            served: Vec::new(),
            context,
            form,
            association_class: rose.association_class,
            outgoing_max: rose.outgoing_max,
            incoming_max: rose.incoming_max,
            apdu_octets_max: 4 * 1024 * 1024,
            called_title: AeTitle::default(),
            calling_title: AeTitle::default(),
            session: SessionConfig::default(),
            tpdu_size: TpduSize::MAX,
            tpdu_size_offered: TpduSize::OCTETS_2048,
            open_timeout: Duration::from_secs(60),
            release_timeout: Duration::from_secs(60),
        }
    }
}

/// What presentation and session put around an APDU, generously.
const AROUND_APDU: usize = 1024;

impl AccessConfig {
    /// Longest TSDU while the association is open. Over RTSE there must be room for a segment of any APDU, however long: it
    /// is refused, and the association goes on.
    fn max_tsdu(&self) -> usize {
        let segment = match &self.form {
            Form::Direct => 0,
            Form::Reliable(rtse) => (rtse.checkpoint_size_kb as usize).saturating_mul(1024),
        };
        self.apdu_octets_max.max(segment).saturating_add(AROUND_APDU)
    }

    /// All abstract syntaxes, in the order in which they are proposed.
    pub(super) fn syntaxes(&self) -> Vec<Oid> {
        let mut all = Vec::from([ABSTRACT_SYNTAX_ACSE, self.context.bind_syntax.clone()]);
        // One syntax may hold everything (X.882, AllValues).
        let apart = |syntax: &&Oid| **syntax != self.context.bind_syntax;
        all.extend(self.context.operation_syntaxes.iter().filter(apart).cloned());
        all
    }

    /// What the layers up to ACSE are given, at an end that asks for this TPDU size or agrees to it.
    pub(super) fn lower(&self, tpdu_size: TpduSize) -> LowerConfig {
        LowerConfig {
            cotp: self.cotp(tpdu_size),
            session: self.session(),
            ppm: PpmConfig {
                syntaxes: Vec::from([ABSTRACT_SYNTAX_ACSE, self.context.bind_syntax.clone()]),
                optional_syntaxes: self.context.operation_syntaxes.clone(),
                local_selector: self.local.presentation.clone(),
            },
            acpm: AcpmConfig {
                application_context: self.context.application_context.clone(),
                user_syntax: self.context.bind_syntax.clone(),
                called: self.called_title.clone(),
                calling: self.calling_title.clone(),
            },
            served: self.served.clone(),
            // The access protocols have no X.410 mode.
            x410_served: false,
            max_tsdu: self.max_tsdu(),
            pass_on_above: None,
        }
    }

    fn cotp(&self, tpdu_size: TpduSize) -> CotpConfig {
        CotpConfig {
            calling_selector: self.local.transport.clone(),
            called_selector: self.remote.transport.clone(),
            tpdu_size,
            max_tsdu: self.max_tsdu().min(OPENING_TSDU_MAX),
            connect_timeout: self.open_timeout,
        }
    }

    fn session(&self) -> SessionConfig {
        SessionConfig {
            max_ssdu: self.max_tsdu(),
            connect_timeout: self.open_timeout,
            release_timeout: self.release_timeout,
            functional_units: match &self.form {
                Form::Direct => FunctionalUnits::DUPLEX,
                Form::Reliable(_) => FunctionalUnits::RTSE,
            },
            ..self.session.clone()
        }
    }

    pub(super) fn rtse(&self, config: &RtseConfig) -> RtseConfig {
        RtseConfig {
            mode: Mode::Normal1988,
            application_protocols: Vec::new(),
            dialogue_mode: DialogueMode::TwoWayAlternate,
            open_timeout: self.open_timeout,
            release_timeout: self.release_timeout,
            ..config.clone()
        }
    }

    pub(super) fn rose(&self, role: Role) -> RoseConfig {
        RoseConfig {
            association_class: self.association_class,
            outgoing_max: self.outgoing_max,
            incoming_max: self.incoming_max,
            ..RoseConfig::new(role)
        }
    }
}
