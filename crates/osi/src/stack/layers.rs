//! How the layers of one connection stand, for people who look on from outside.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Stack;
use crate::presentation::PresentationMode;

/// The states of the layers in words, from the outside to the inside. Cheap to make and to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerStates {
    /// Transport (X.224 class 0).
    pub transport: &'static str,
    /// Session (X.225).
    pub session: &'static str,
    /// Presentation (X.226).
    pub presentation: &'static str,
    /// Association control (X.227).
    pub association: &'static str,
    /// Reliable transfer (X.228).
    pub reliable_transfer: &'static str,
    /// Whether this side holds the turn.
    pub has_turn: bool,
}

/// What the layers below RTSE have settled with the peer; what RTSE has is [`Stack::agreed`]. Nothing is there before the
/// layer has settled it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Size of TPDUs in octets.
    pub tpdu_octets: Option<usize>,
    /// Session version, 1 or 2.
    pub session_version: Option<u8>,
    /// Longest TSDU of ours in octets, if the peer wants data in segments.
    pub segment_octets: Option<usize>,
    /// Whether presentation is in X.410-1984 mode.
    pub is_x410: bool,
    /// Presentation contexts: identifier and abstract syntax.
    pub contexts: Vec<(i64, String)>,
    /// The name of the session connection.
    pub connection: Option<String>,
}

impl Stack {
    /// How the layers stand.
    pub fn layers(&self) -> LayerStates {
        LayerStates {
            has_turn: self.has_turn(),
            reliable_transfer: self.rtpm.state_name(),
            ..self.lower.layers()
        }
    }

    /// What the layers have settled.
    pub fn settlement(&self) -> Settlement {
        let connection = self.rtpm.session_connection().map(|name| format!("{name}"));
        let is_x410 = self.rtpm.presentation_mode() == PresentationMode::X410;
        let contexts = self.lower.contexts().into_iter().flat_map(|contexts| contexts.iter());
        let contexts = contexts.map(|(context, syntax)| (context.0, syntax.to_string())).collect();
        Settlement { is_x410, contexts, connection, ..self.lower.settlement() }
    }
}
