//! One TCP connection of a capture as a ladder: transport, session, and inside it the association, its binds and the
//! APDUs that were transferred.
//!
//! A listener, not a peer: it follows both directions without the machines of [`osi`], and goes on after what it does
//! not understand. It knows normal mode and X.410 mode, in which RTSE stands on the session directly.

use mhs::Tree;
use mhs::p1::MtsApdu;
use osi::cotp::Tpdu;
use osi::presentation::ppdu::{Abort, ByMode, Cp, Cpa, Cpr};
use osi::presentation::{ContextId, UserData};
use osi::rtse::apdu::{Rtab, Rtoac, Rtorj, Rtorq, RtseApdu};
use osi::rtse::external::ExternalReader;
use osi::session::spdu::{Enclosure, Spdu, decode_tsdu};
use osi::tpkt::{Deframer, HEADER_OCTETS, MAX_TPDU_OCTETS};

use super::apdu_tree;
use super::inside::{acse_trees, encodings, hex, rtse_or_hex, rtse_tree, user_tree, values, x410_tree};
use super::ladder::{Ladder, Layers, Step, StepKind};
use super::pcap::{Connection, Event, Flag, Mark, Piece, Side};

/// The connection as a ladder.
pub(crate) fn ladder(connection: &Connection) -> Ladder {
    let mut dialogue = Dialogue {
        steps: Vec::new(),
        layers: Layers::default(),
        completes: None,
        details: Vec::new(),
        x410: false,
        contexts: Vec::new(),
        ends: [End::new(), End::new()],
    };
    for event in connection.events() {
        match event {
            Event::Mark(mark) => dialogue.mark(mark),
            Event::Piece(piece) => {
                if piece.lost > 0 {
                    dialogue.lost(piece);
                }
                dialogue.take(piece);
            }
        }
    }
    let mut unfinished = Vec::new();
    for side in [Side::Initiator, Side::Responder] {
        if dialogue.end(side).is_unfinished() {
            unfinished.push(side);
        }
    }
    Ladder {
        initiator: connection.initiator,
        responder: connection.responder,
        steps: dialogue.steps,
        cut: connection.cut,
        unfinished,
    }
}

struct Dialogue {
    steps: Vec<Step>,
    /// Of the TPDU that is taken apart: its layers, what it completes and what is in it.
    layers: Layers,
    completes: Option<String>,
    details: Vec<Tree>,
    /// Whether the connection was opened in X.410 mode.
    x410: bool,
    /// Presentation contexts which were proposed.
    contexts: Vec<ContextId>,
    ends: [End; 2],
}

/// What one side has sent so far of something that is not complete.
struct End {
    frames: Option<Deframer>,
    tsdu: Vec<u8>,
    ssdu: Vec<u8>,
    activity: Option<Activity>,
    /// Octets of the TPDU that goes on which are not kept.
    cut: u64,
}

/// An activity that goes on: what it has transferred so far.
#[derive(Default)]
struct Activity {
    octets: Vec<u8>,
    /// Whether it was resumed, so that what went before was seen elsewhere, if at all.
    resumed: bool,
}

impl End {
    fn new() -> End {
        End {
            frames: Some(Deframer::new(MAX_TPDU_OCTETS)),
            tsdu: Vec::new(),
            ssdu: Vec::new(),
            activity: None,
            cut: 0,
        }
    }

    fn is_unfinished(&self) -> bool {
        !self.tsdu.is_empty() || self.activity.is_some()
    }
}

impl Dialogue {
    fn end(&mut self, side: Side) -> &mut End {
        let [initiator, responder] = &mut self.ends;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }

    fn add(&mut self, tree: Tree) {
        self.details.push(tree);
    }

    /// Ends the step of which layers and details are at hand.
    fn step(&mut self, piece: &Piece, kind: StepKind, octets: u64, cut: u64) {
        self.steps.push(Step {
            number: piece.number,
            micros: piece.micros,
            side: piece.side,
            kind,
            octets,
            cut,
            layers: std::mem::take(&mut self.layers).into_vec(),
            completes: self.completes.take(),
            details: std::mem::take(&mut self.details),
        });
    }

    fn mark(&mut self, mark: &Mark) {
        let kind = match mark.what {
            Flag::Opened => StepKind::Opened,
            Flag::Closed => StepKind::Closed,
            Flag::Reset => StepKind::Reset,
        };
        self.steps.push(Step {
            number: mark.number,
            micros: mark.micros,
            side: mark.side,
            kind,
            octets: 0,
            cut: 0,
            layers: Vec::new(),
            completes: None,
            details: Vec::new(),
        });
    }

    /// Octets are not in the capture; what comes next begins anew.
    fn lost(&mut self, piece: &Piece) {
        *self.end(piece.side) = End::new();
        self.add(Tree::leaf("not in the capture (octets)", piece.lost));
        self.step(piece, StepKind::Gap, piece.lost, 0);
    }

    fn take(&mut self, piece: &Piece) {
        let length = piece.octets.len();
        let kept = length.saturating_sub(piece.cut);
        let mut octets = piece.octets.as_slice();
        loop {
            let before = length - octets.len();
            let end = self.end(piece.side);
            let Some(frames) = &mut end.frames else { return };
            let next = frames.next(&mut octets);
            let behind = length - octets.len();
            // The zeros are at the end of a piece, and so in the last TPDU of it.
            end.cut += behind.saturating_sub(before.max(kept)) as u64;
            match next {
                Ok(Some(tpdu)) => {
                    let cut = std::mem::take(&mut end.cut);
                    self.tpdu(piece.side, &tpdu);
                    self.step(piece, StepKind::Tpdu, (tpdu.len() + HEADER_OCTETS) as u64, cut);
                }
                Ok(None) => return,
                Err(error) => {
                    end.frames = None;
                    self.add(Tree::leaf("not RFC 1006 from here on", error));
                    return self.step(piece, StepKind::Foreign, (length - before) as u64, 0);
                }
            }
        }
    }

    fn tpdu(&mut self, side: Side, octets: &[u8]) {
        let tpdu = Tpdu::decode(octets);
        if let Ok(tpdu) = &tpdu {
            self.layers.push("COTP", tpdu.name());
        }
        match tpdu {
            Ok(Tpdu::Dt { end_of_tsdu, data }) => {
                let end = self.end(side);
                end.tsdu.extend_from_slice(&data);
                if end_of_tsdu {
                    let tsdu = std::mem::take(&mut end.tsdu);
                    self.tsdu(side, &tsdu);
                }
            }
            Ok(Tpdu::Cr(connect) | Tpdu::Cc(connect)) => {
                let name = if octets.get(1).is_some_and(|code| code >> 4 == 0xE) {
                    "T-CONNECT request"
                } else {
                    "T-CONNECT confirm"
                };
                let mut tree = Tree::new(name);
                if let Some(size) = connect.tpdu_size {
                    tree.add("TPDU size", size.octets());
                }
                selector(&mut tree, "calling T-selector", connect.calling_selector.as_deref());
                selector(&mut tree, "called T-selector", connect.called_selector.as_deref());
                self.add(tree);
            }
            Ok(Tpdu::Dr { reason, .. }) => self.add(Tree::leaf("T-DISCONNECT, reason", reason)),
            Ok(Tpdu::Er { cause, .. }) => self.add(Tree::leaf("TPDU error, cause", cause)),
            Err(error) => self.add(Tree::leaf("malformed TPDU", error)),
        }
    }

    fn tsdu(&mut self, side: Side, octets: &[u8]) {
        match decode_tsdu(octets) {
            Ok(spdus) => spdus.into_iter().for_each(|spdu| self.spdu(side, spdu)),
            Err(error) => self.add(Tree::leaf("malformed SPDU", error)),
        }
    }

    fn spdu(&mut self, side: Side, spdu: Spdu) {
        let layers = &mut self.layers;
        layers.push("session", spdu.name());
        match spdu {
            Spdu::Cn(cn) => {
                let mut tree = Tree::new("CONNECT");
                selector(&mut tree, "calling S-selector", cn.calling_selector.as_deref());
                selector(&mut tree, "called S-selector", cn.called_selector.as_deref());
                match Cp::decode(&cn.user_data) {
                    Ok(ByMode::Normal(cp)) => {
                        layers.push("presentation", "CP");
                        selector(&mut tree, "calling P-selector", cp.calling_selector.as_deref());
                        selector(&mut tree, "called P-selector", cp.called_selector.as_deref());
                        self.contexts = cp.contexts.iter().map(|context| context.context).collect();
                        for context in &cp.contexts {
                            tree.add(
                                "presentation context",
                                format!("{} {}", context.context, context.abstract_syntax),
                            );
                        }
                        values(cp.user_data.as_ref(), &mut tree, layers);
                    }
                    Ok(ByMode::X410(set)) => {
                        self.x410 = true;
                        layers.push("presentation", "CP");
                        tree.add("mode", "X.410");
                        tree.push(x410_tree(Rtorq::decode_x410(&set).map(RtseApdu::Rtorq), &set, layers));
                    }
                    Ok(ByMode::Other(mode)) => tree.add("mode", format!("{mode:?}")),
                    Err(_) => {
                        // 1984 MTAs have no presentation layer at all.
                        self.x410 = true;
                        tree.push(rtse_or_hex(&cn.user_data, layers));
                    }
                }
                self.add(tree);
            }
            Spdu::Ac(ac) => {
                let mut tree = Tree::new("ACCEPT");
                match Cpa::decode(&ac.user.octets) {
                    Ok(ByMode::Normal(cpa)) => {
                        layers.push("presentation", "CPA");
                        values(cpa.user_data.as_ref(), &mut tree, layers);
                    }
                    Ok(ByMode::X410(set)) => {
                        layers.push("presentation", "CPA");
                        tree.add("mode", "X.410");
                        tree.push(x410_tree(Rtoac::decode_x410(&set).map(RtseApdu::Rtoac), &set, layers));
                    }
                    Ok(ByMode::Other(mode)) => tree.add("mode", format!("{mode:?}")),
                    Err(_) => tree.push(rtse_or_hex(&ac.user.octets, layers)),
                }
                self.add(tree);
            }
            Spdu::Rf(rf) => {
                let tree = Tree::leaf("REFUSE, reason", rf.reason);
                let inside = match Cpr::decode(&rf.user_data) {
                    Ok(Some(Cpr { user_data: Some(values), .. })) => {
                        layers.push("presentation", "CPR");
                        acse_trees(&values, layers)
                    }
                    Ok(Some(_)) => {
                        layers.push("presentation", "CPR");
                        Vec::new()
                    }
                    Ok(None) => {
                        let rtorj = Rtorj::decode_x410(&rf.user_data).map(RtseApdu::Rtorj);
                        vec![x410_tree(rtorj, &rf.user_data, layers)]
                    }
                    Err(_) => user_tree(&rf.user_data, layers),
                };
                self.add(tree.with(inside));
            }
            Spdu::Fn { user, .. } => {
                let inside = user_tree(&user.octets, layers);
                self.add(Tree::new("FINISH").with(inside));
            }
            Spdu::Dn { user } => {
                let inside = user_tree(&user.octets, layers);
                self.add(Tree::new("DISCONNECT").with(inside));
            }
            Spdu::Nf { user } => {
                let inside = user_tree(&user.octets, layers);
                self.add(Tree::new("NOT FINISHED").with(inside));
            }
            Spdu::Ab { user, .. } => {
                for end in &mut self.ends {
                    end.activity = None;
                }
                let inside = match Abort::decode(&user.octets) {
                    Ok(Abort::Aru(Some(values))) => {
                        layers.push("presentation", "ARU");
                        acse_trees(&values, layers)
                    }
                    Ok(Abort::Aru(None)) => {
                        layers.push("presentation", "ARU");
                        Vec::new()
                    }
                    Ok(Abort::X410) => {
                        layers.push("presentation", "ARU");
                        let rtab = Rtab::decode_x410(&user.octets).map(RtseApdu::Rtab);
                        vec![x410_tree(rtab, &user.octets, layers)]
                    }
                    Ok(Abort::Arp { reason, event }) => {
                        layers.push("presentation", "ARP");
                        vec![Tree::leaf("ARP", format!("reason {reason:?}, event {event:?}"))]
                    }
                    Err(_) => user_tree(&user.octets, layers),
                };
                self.add(Tree::new("ABORT").with(inside));
            }
            Spdu::Aa => self.add(Tree::new("ABORT ACCEPT")),
            Spdu::Gt { tokens: 0 } | Spdu::Pt { tokens: 0, .. } => {
                // The empty ones that go in front of every category 2 SPDU.
            }
            Spdu::Gt { tokens } => self.add(Tree::leaf("GIVE TOKENS", tokens)),
            Spdu::Pt { tokens, user } => {
                let inside = user_tree(&user.octets, layers);
                self.add(Tree::leaf("PLEASE TOKENS", tokens).with(inside));
            }
            Spdu::Gtc => self.add(Tree::new("GIVE TOKENS CONFIRM")),
            Spdu::Gta => self.add(Tree::new("GIVE TOKENS ACK")),
            Spdu::Pr => self.add(Tree::new("PREPARE")),
            Spdu::Cdo { user } => {
                self.add(Tree::leaf("CONNECT DATA OVERFLOW, octets", user.octets.len()));
            }
            Spdu::Oa { .. } => self.add(Tree::new("OVERFLOW ACCEPT")),
            Spdu::Segment { of, user } => {
                self.add(Tree::leaf(format!("more of {}, octets", of.name()), user.octets.len()));
            }
            Spdu::Dt { enclosure, data } => self.data(side, enclosure, &data),
            Spdu::As { activity, .. } => {
                self.end(side).activity = Some(Activity::default());
                self.add(Tree::leaf("ACTIVITY START", hex(&activity)));
            }
            Spdu::Ar { resume, .. } => {
                self.end(side).activity = Some(Activity { octets: Vec::new(), resumed: true });
                self.add(Tree::leaf("ACTIVITY RESUME", format!("{resume:?}")));
            }
            Spdu::Ai { reason } => {
                self.end(side).activity = None;
                self.add(Tree::leaf("ACTIVITY INTERRUPT", format!("{reason:?}")));
            }
            Spdu::Aia => self.add(Tree::new("ACTIVITY INTERRUPT ACK")),
            Spdu::Ad { reason } => {
                self.end(side).activity = None;
                self.add(Tree::leaf("ACTIVITY DISCARD", format!("{reason:?}")));
            }
            Spdu::Ada => self.add(Tree::new("ACTIVITY DISCARD ACK")),
            Spdu::Ae { serial, .. } => {
                let mut tree = Tree::leaf("ACTIVITY END", serial);
                match self.end(side).activity.take() {
                    Some(Activity { octets, resumed: false }) => {
                        tree.add("octets transferred", octets.len());
                        tree.push(self.transferred(&octets));
                    }
                    Some(Activity { octets, resumed: true }) => {
                        tree.add("octets transferred since it was resumed", octets.len());
                    }
                    None => tree.push(Tree::new("what it transferred is not in the capture as a whole")),
                }
                self.add(tree);
            }
            Spdu::Map { serial } => self.add(Tree::leaf("MAJOR SYNC POINT", serial)),
            Spdu::Aea { serial, .. } => self.add(Tree::leaf("ACTIVITY END ACK", serial)),
            Spdu::Mip { serial, .. } => self.add(Tree::leaf("MINOR SYNC POINT", serial)),
            Spdu::Mia { serial, .. } => self.add(Tree::leaf("MINOR SYNC ACK", serial)),
            Spdu::Ed { reason, user } => {
                let inside = user_tree(&user.octets, layers);
                self.add(Tree::leaf("EXCEPTION DATA", format!("{reason:?}")).with(inside));
            }
            Spdu::Er { .. } => self.add(Tree::new("EXCEPTION REPORT")),
        }
    }

    /// What an activity transferred: an APDU of P1, in normal mode inside an EXTERNAL.
    fn transferred(&mut self, octets: &[u8]) -> Tree {
        let mut inside = Vec::new();
        let mut external = ExternalReader::new(self.contexts.clone());
        let is_external = octets.first() == Some(&0x28);
        let apdu =
            match is_external.then(|| external.feed(octets, &mut inside).and_then(|()| external.finish())) {
                None => octets,
                Some(Ok(())) => inside.as_slice(),
                Some(Err(error)) => return Tree::leaf("malformed EXTERNAL", error),
            };
        match MtsApdu::from_octets(apdu) {
            Ok(apdu) => {
                self.completes = Some(match &apdu {
                    MtsApdu::Message(message) => {
                        format!("P1 message {}", &*message.envelope.message_identifier)
                    }
                    MtsApdu::Probe(probe) => format!("P1 probe {}", &*probe.probe_identifier),
                    MtsApdu::Report(report) => format!("P1 report {}", &*report.envelope.report_identifier),
                });
                apdu_tree(&apdu)
            }
            Err(error) => Tree::leaf("no APDU of P1", error),
        }
    }

    /// Data of an activity: the octets of RTTRs, or in X.410 mode of the APDU itself.
    fn data(&mut self, side: Side, enclosure: Option<Enclosure>, data: &[u8]) {
        let x410 = self.x410;
        let layers = &mut self.layers;
        let [initiator, responder] = &mut self.ends;
        let end = match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        };
        end.ssdu.extend_from_slice(data);
        let is_whole = enclosure.is_none_or(|enclosure| enclosure.0 & Enclosure::END.0 != 0);
        if !is_whole {
            return;
        }
        let ssdu = std::mem::take(&mut end.ssdu);
        if x410 {
            layers.push("P1", "octets of an APDU");
            if let Some(activity) = &mut end.activity {
                activity.octets.extend_from_slice(&ssdu);
            }
            return;
        }
        let mut other = Vec::new();
        match UserData::decode(&ssdu) {
            Ok(values) => {
                layers.push("presentation", "TD");
                for octets in encodings(&values) {
                    match (RtseApdu::decode(octets), &mut end.activity) {
                        (Ok(RtseApdu::Rttr(part)), Some(activity)) => {
                            layers.push("RTSE", "RTTR");
                            activity.octets.extend_from_slice(&part);
                        }
                        (Ok(apdu), _) => other.push(rtse_tree(&apdu, layers)),
                        (Err(_), None) => other.push(Tree::leaf("data of another application", hex(octets))),
                        (Err(error), Some(_)) => other.push(Tree::leaf("malformed APDU of RTSE", error)),
                    }
                }
            }
            Err(error) => other.push(Tree::leaf("malformed PPDU", error)),
        }
        self.details.extend(other);
    }
}

fn selector(tree: &mut Tree, name: &str, selector: Option<&[u8]>) {
    if let Some(octets) = selector.filter(|octets| !octets.is_empty()) {
        let readable = octets.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ');
        let text = if readable { String::from_utf8_lossy(octets).into_owned() } else { hex(octets) };
        tree.add(name, text);
    }
}
