//! Ladders as the API tells them: what the decoder made of a recording, in pages, with all sizes bounded.
//!
//! The decoder is that of `chappe decode`; this module hands it recordings, and brings what it made into the form of
//! the JSON, from which [`text`] draws.

pub(crate) mod page;
pub(crate) mod text;

use clock::WallTime;
use mhs::Tree;
use runtime::{RecordedConnection, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::dialogue;
use crate::decode::ladder::{Ladder, Step};
use crate::decode::pcap::{Connection, Flag, Mark, Piece, Side};

/// Longest value that is told, in characters.
const MAX_VALUE: usize = 2_048;
/// Most nodes of one step that are told.
const MAX_NODES: usize = 4_000;

/// Some steps of the connections of one association, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LadderPage {
    /// The connections that are recorded; more than one if several addresses were tried.
    pub(crate) connections: Vec<LadderConnection>,
    /// The steps.
    pub(crate) items: Vec<LadderStep>,
    /// If there are newer ones: what to give as `after` to get them.
    pub(crate) next: Option<String>,
    /// If there are older ones: what to give as `before` to get them.
    pub(crate) previous: Option<String>,
}

/// One TCP connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LadderConnection {
    /// Its number among all that were recorded, or in the file.
    pub(crate) number: u64,
    /// Connector, if it became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connector: Option<String>,
    /// `initiator` if this MTA opened it, else `responder`; absent for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    /// The end that opened it.
    pub(crate) initiator: String,
    /// The end that accepted it.
    pub(crate) responder: String,
    /// When it was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) began: Option<String>,
    /// When it ended, RFC 3339, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    /// TPDUs that are not at hand any more.
    pub(crate) lost_tpdus: u64,
    /// Octets of long TPDUs that are not kept; they were read as zeros.
    pub(crate) cut: u64,
    /// The ends that are in the middle of a TSDU or an activity.
    pub(crate) unfinished: Vec<String>,
}

/// One step: a TPDU, a gap, or begin or end of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LadderStep {
    /// Where it stands, as `after` and `before` take it.
    pub(crate) place: String,
    /// Number of the connection.
    pub(crate) connection: u64,
    /// Number of the TPDU among all of the connection, or of the packet in the file.
    pub(crate) number: u64,
    /// When, RFC 3339 with microseconds.
    pub(crate) time: String,
    /// `initiator` or `responder`: who sent it.
    pub(crate) from: String,
    /// `opened`, `tpdu`, `gap`, `foreign`, `closed` or `reset`.
    pub(crate) kind: String,
    /// Octets on the wire, TPKT header included; of a gap, those that are missing.
    pub(crate) octets: u64,
    /// Octets of these that are not kept; they were read as zeros.
    pub(crate) cut: u64,
    /// Protocols from the outside to the inside.
    pub(crate) layers: Vec<LadderLayer>,
    /// The APDU of P1 that is complete with this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completes: Option<String>,
    /// What is in it.
    pub(crate) details: Vec<LadderNode>,
}

/// One protocol in a TPDU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LadderLayer {
    /// `COTP`, `session`, `presentation`, `ACSE`, `RTSE` or `P1`.
    pub(crate) protocol: String,
    /// Its PDU.
    pub(crate) pdu: String,
}

/// A name with a value, parts, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LadderNode {
    /// The name.
    pub(crate) name: String,
    /// The value, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) value: Option<String>,
    /// The parts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) children: Vec<LadderNode>,
}

/// A connection with all of its steps.
pub(crate) type Whole = (LadderConnection, Vec<LadderStep>);

/// Takes a recording apart.
pub(crate) fn of_recording(recorded: &RecordedConnection) -> Whole {
    let side = |by_initiator: bool| if by_initiator { Side::Initiator } else { Side::Responder };
    let mut connection = Connection::new(recorded.initiator, recorded.responder);
    let mark = |what, number, micros, by| Mark { number, micros, side: side(by), what };
    connection.marks.push(mark(Flag::Opened, 0, recorded.began, true));
    let mut last = 0;
    for tpdu in &recorded.tpdus {
        let cut = tpdu.length.saturating_sub(tpdu.octets.len());
        let mut octets = tpdu.octets.clone();
        octets.resize(tpdu.length.max(octets.len()), 0);
        connection.cut += cut as u64;
        last = tpdu.number;
        connection.pieces.push(Piece {
            number: tpdu.number,
            micros: tpdu.micros,
            side: side(tpdu.by_initiator),
            lost: tpdu.missing,
            octets,
            cut,
        });
    }
    if let Some((micros, how)) = recorded.ended {
        let what = if how.reset { Flag::Reset } else { Flag::Closed };
        connection.marks.push(mark(what, last + 1, micros, how.by_initiator));
    }
    let (mut told, steps) = of_ladder(recorded.serial, &dialogue::ladder(&connection));
    let status = &recorded.status;
    told.connector.clone_from(&status.connector);
    told.role = Some(match status.role {
        Role::Initiator => Side::Initiator.name().to_owned(),
        Role::Responder => Side::Responder.name().to_owned(),
    });
    told.began = Some(time(recorded.began));
    told.ended = recorded.ended.map(|(micros, _)| time(micros));
    told.lost_tpdus = status.lost_tpdus;
    (told, steps)
}

/// Brings a ladder into the form of the JSON.
pub(crate) fn of_ladder(number: u64, ladder: &Ladder) -> Whole {
    let connection = LadderConnection {
        number,
        connector: None,
        role: None,
        initiator: ladder.initiator.to_string(),
        responder: ladder.responder.to_string(),
        began: None,
        ended: None,
        lost_tpdus: 0,
        cut: ladder.cut,
        unfinished: ladder.unfinished.iter().map(|side| side.name().to_owned()).collect(),
    };
    (connection, ladder.steps.iter().map(|step| told(number, step)).collect())
}

fn told(connection: u64, step: &Step) -> LadderStep {
    let mut room = MAX_NODES;
    LadderStep {
        place: format!("{connection}.{}", step.number),
        connection,
        number: step.number,
        time: time(step.micros),
        from: step.side.name().to_owned(),
        kind: step.kind.name().to_owned(),
        octets: step.octets,
        cut: step.cut,
        layers: step
            .layers
            .iter()
            .map(|layer| LadderLayer { protocol: layer.protocol.to_owned(), pdu: layer.pdu.to_owned() })
            .collect(),
        completes: step.completes.clone(),
        details: nodes(&step.details, &mut room),
    }
}

fn nodes(trees: &[Tree], room: &mut usize) -> Vec<LadderNode> {
    let mut nodes = Vec::new();
    for (n, tree) in trees.iter().enumerate() {
        let Some(less) = room.checked_sub(1) else {
            let value = Some(format!("{} more are not shown", trees.len() - n));
            nodes.push(LadderNode { name: "and".to_owned(), value, children: Vec::new() });
            break;
        };
        *room = less;
        let value = tree.value.as_deref().map(short);
        nodes.push(LadderNode { name: tree.name.clone(), value, children: nodes_of(tree, room) });
    }
    nodes
}

fn nodes_of(tree: &Tree, room: &mut usize) -> Vec<LadderNode> {
    nodes(&tree.children, room)
}

/// A value, of a long one only the beginning.
fn short(value: &str) -> String {
    match value.char_indices().nth(MAX_VALUE) {
        None => value.to_owned(),
        Some((at, _)) => {
            let (shown, rest) = value.split_at(at);
            format!("{shown} and {} more characters", rest.chars().count())
        }
    }
}

/// RFC 3339 with microseconds.
fn time(micros: u64) -> String {
    let seconds = WallTime::from_unix(i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX)).to_string();
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), micros % 1_000_000)
}

#[cfg(test)]
mod tests;
