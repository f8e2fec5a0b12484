//! What went over one TCP connection, in the order in which it went: the steps of a ladder diagram.
//!
//! A step is a TPDU with the layers in it, a gap, or the connection's begin or end. Both the tree that `chappe decode`
//! prints and the ladder are made of these steps, so the two can't tell different things.

use std::net::SocketAddr;

use mhs::Tree;

use super::pcap::Side;

/// One connection as a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// The end that opened it.
    pub initiator: SocketAddr,
    /// The end that accepted it.
    pub responder: SocketAddr,
    /// Oldest first.
    pub steps: Vec<Step>,
    /// Octets that are not kept and were read as zeros.
    pub cut: u64,
    /// Sides that are in the middle of a TSDU or an activity where the steps end.
    pub unfinished: Vec<Side>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the packet that completed it; of a recording, the number of the TPDU.
    pub number: u64,
    /// When, in microseconds since 1970.
    pub micros: u64,
    /// Who sent it.
    pub side: Side,
    /// What it is.
    pub kind: StepKind,
    /// Octets on the wire, with the TPKT header; of a gap, those that are missing.
    pub octets: u64,
    /// Octets of these that are not kept and were read as zeros.
    pub cut: u64,
    /// The protocols in it from the outside to the inside, each with its PDU.
    pub layers: Vec<Layer>,
    /// What was transferred as a whole when this had come: the APDU of P1 in an activity that ends here.
    pub completes: Option<String>,
    /// What is in it.
    pub details: Vec<Tree>,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// The TCP connection was opened.
    Opened,
    /// One TPDU.
    Tpdu,
    /// Octets that are not at hand.
    Gap,
    /// Octets that are no RFC 1006; what follows them is not looked at.
    Foreign,
    /// This side closed the TCP connection.
    Closed,
    /// This side reset the TCP connection.
    Reset,
}

impl StepKind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Opened => "opened",
            StepKind::Tpdu => "tpdu",
            StepKind::Gap => "gap",
            StepKind::Foreign => "foreign",
            StepKind::Closed => "closed",
            StepKind::Reset => "reset",
        }
    }
}

/// One protocol in a TPDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The protocol: `COTP`, `session`, `presentation`, `ACSE`, `RTSE`, `P1`.
    pub protocol: &'static str,
    /// Its PDU, by the name that its Recommendation gives it.
    pub pdu: &'static str,
}

/// The layers of a TPDU, while it is taken apart.
#[derive(Debug, Default)]
pub(super) struct Layers(Vec<Layer>);

impl Layers {
    pub(super) fn push(&mut self, protocol: &'static str, pdu: &'static str) {
        self.0.push(Layer { protocol, pdu });
    }

    pub(super) fn into_vec(self) -> Vec<Layer> {
        self.0
    }
}

impl Side {
    /// The name of the end.
    pub fn name(self) -> &'static str {
        match self {
            Side::Initiator => "initiator",
            Side::Responder => "responder",
        }
    }
}

impl Ladder {
    /// The connection as one tree, without what has nothing to show but itself.
    pub(super) fn tree(&self) -> Tree {
        let mut tree = Tree::leaf("connection", format!("{} to {}", self.initiator, self.responder));
        for step in &self.steps {
            for detail in &step.details {
                tree.push(by(step.side, detail.clone()));
            }
        }
        if self.cut > 0 {
            tree.add("not captured of long packets", format!("{} octets; they are read as zeros", self.cut));
        }
        for side in &self.unfinished {
            tree.push(by(*side, Tree::new("the capture ends in the middle of something")));
        }
        tree
    }
}

fn by(side: Side, mut tree: Tree) -> Tree {
    tree.name = format!("{}: {}", side.name(), tree.name);
    tree
}
