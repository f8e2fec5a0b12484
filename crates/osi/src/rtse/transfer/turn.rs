//! The turn, and how long the peer may keep it once it was asked for.

use alloc::vec::Vec;

use clock::MonoTime;

use super::super::apdu::RtseApdu;
use super::super::config::RtseConfig;
use super::super::machine::RtpmAction;
use super::super::open::Settled;
use crate::presentation::{PRequest, PValue};

/// Who holds the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtse) enum Turn {
    Ours,
    Theirs(Theirs),
}

/// What is known of the turn while the peer holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::rtse) struct Theirs {
    /// Priority of a request that can't be sent yet: the session layer takes none between an exception report and the
    /// end of its activity.
    held: Option<u32>,
    /// When the peer must have given the turn. Only counts while the peer transfers nothing, and begins anew after
    /// each transfer.
    until: Option<MonoTime>,
    /// We accepted an APDU and the peer has begun nothing since, so that it may still try to give that one up.
    pub(super) completed: bool,
}

impl Turn {
    /// With the peer, and not asked for.
    pub(in crate::rtse) fn theirs() -> Self {
        Turn::Theirs(Theirs::default())
    }

    pub(in crate::rtse) fn is_ours(self) -> bool {
        match self {
            Turn::Ours => true,
            Turn::Theirs(_) => false,
        }
    }

    /// When the peer must have given it, if it does nothing else.
    pub(in crate::rtse) fn until(self) -> Option<MonoTime> {
        match self {
            Turn::Ours => None,
            Turn::Theirs(theirs) => theirs.until,
        }
    }

    /// A transfer of the peer's begins.
    pub(super) fn transfer_begins(&mut self) {
        if let Turn::Theirs(theirs) = self {
            theirs.completed = false;
        }
    }

    /// A transfer of the peer's is over.
    pub(super) fn transfer_ended(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &Settled,
        completed: bool,
        out: &mut Vec<RtpmAction>,
    ) {
        let Turn::Theirs(theirs) = self else { return };
        theirs.completed = completed;
        match theirs.held.take() {
            Some(priority) => theirs.ask(now, config, settled, priority, out),
            None => theirs.until = theirs.until.map(|_| now + config.turn_timeout),
        }
    }
}

impl Theirs {
    /// Asks for it. Asking again, more urgently, gives the peer no more time.
    pub(super) fn ask(
        &mut self,
        now: MonoTime,
        config: &RtseConfig,
        settled: &Settled,
        priority: u32,
        out: &mut Vec<RtpmAction>,
    ) {
        let encoding = RtseApdu::Rttp(i64::from(priority)).encode();
        let user_data = Vec::from([PValue { context: settled.rtse_context(), encoding }]);
        out.push(RtpmAction::Presentation(PRequest::TokenPlease { user_data }));
        self.until.get_or_insert(now + config.turn_timeout);
    }

    /// Asks for it as soon as that is possible.
    pub(super) fn ask_later(&mut self, priority: u32) {
        self.held = Some(self.held.map_or(priority, |held| held.min(priority)));
    }
}
