//! What is settled when a peer opens an association (X.228): mode, sizes, dialogue.

use alloc::vec::Vec;

use super::apdu::ConnectionData;
use super::connection::SessionConnectionIdentifier;
use super::error::RtseError;
use super::event::RtpmAction;
use super::machine::Rtpm;
use super::open::{self, Settled};
use super::resume::OpenData;
use super::service::{Agreed, DialogueMode, Mode, OpenIndication, RtIndication, Selectors};
use super::state::State;
use crate::acse::AAssociate;
use crate::presentation::{Contexts, PresentationMode};

impl Rtpm {
    pub(super) fn opened_by_peer(
        &mut self,
        associate: AAssociate,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let connect = associate.connect;
        self.mode = connect.mode;
        let rtorq = open::rtorq(self.mode, &associate.user_information)?;
        let mode = match self.mode {
            PresentationMode::Normal => Mode::Normal1988,
            PresentationMode::X410 => Mode::X410 {
                application_protocol: open::application_protocol(
                    rtorq.application_protocol,
                    &self.config.application_protocols,
                )?,
            },
        };
        let (data, recover) = match rtorq.connection_data {
            ConnectionData::Open(user_data) => (OpenData::Open(user_data), None),
            ConnectionData::Recover(old) => (OpenData::Recover(old.clone()), Some(old)),
        };
        let connection = SessionConnectionIdentifier::from(connect.identifier);
        self.connection = Some(connection.clone());
        match (rtorq.dialogue_mode, self.config.dialogue_mode) {
            (DialogueMode::TwoWayAlternate, DialogueMode::Monologue) => {
                return Err(RtseError::TwoWayAlternate);
            }
            (DialogueMode::Monologue, DialogueMode::Monologue | DialogueMode::TwoWayAlternate)
            | (DialogueMode::TwoWayAlternate, DialogueMode::TwoWayAlternate) => {}
        }
        let agreed = Agreed {
            checkpoint_size_kb: open::reduce(rtorq.checkpoint_size_kb, self.config.checkpoint_size_kb),
            window_size: rtorq.window_size.min(self.config.window_size).max(1),
            dialogue_mode: rtorq.dialogue_mode,
        };
        let settled = self.settled(agreed, connect.contexts);
        self.state = State::AwaitResponse { settled, recover, initial_turn: connect.initial_turn };
        // The transport selectors are not known at this layer.
        let selectors = Selectors {
            calling_session: connect.calling_session_selector.unwrap_or_default(),
            called_session: connect.called_session_selector.unwrap_or_default(),
            calling_presentation: connect.calling_selector.unwrap_or_default(),
            called_presentation: connect.called_selector.unwrap_or_default(),
            ..Selectors::default()
        };
        let open = OpenIndication { data, connection, agreed, mode, selectors };
        out.push(RtpmAction::Indication(RtIndication::Open(Box::new(open))));
        Ok(())
    }

    /// Lowers checkpoint size and window before an association is accepted: who the peer is, and what is wanted of it, came
    /// out with the bind. A checkpoint size of 0 is no wish, since an acceptor may only reduce (X.228). Without effect at
    /// any other time.
    pub fn agree_at_most(&mut self, checkpoint_size_kb: u32, window_size: u32) {
        if let State::AwaitResponse { settled, .. } = &mut self.state {
            let agreed = &mut settled.agreed;
            agreed.checkpoint_size_kb = open::reduce(agreed.checkpoint_size_kb, checkpoint_size_kb);
            agreed.window_size = agreed.window_size.min(window_size).max(1);
        }
    }

    pub(super) fn settled(&self, agreed: Agreed, contexts: Contexts) -> Settled {
        match self.mode {
            PresentationMode::Normal => {
                let settled = Settled::new(agreed, contexts, &self.rtse_syntax, &self.apdu_syntax);
                if self.bare_apdus { settled.with_bare_apdus() } else { settled }
            }
            PresentationMode::X410 => Settled::x410(agreed),
        }
    }
}
