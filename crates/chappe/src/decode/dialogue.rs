//! One TCP connection of a capture as a tree: transport, session, and inside it the association, its binds and the
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
use osi::tpkt::{Deframer, MAX_TPDU_OCTETS};

use super::apdu_tree;
use super::inside::{acse_tree, encodings, hex, rtse_or_hex, rtse_tree, user_tree, values, x410_tree};
use super::pcap::{Connection, Side};

/// The connection as a tree.
pub(super) fn tree(connection: &Connection) -> Tree {
    let mut dialogue = Dialogue {
        tree: Tree::leaf("connection", format!("{} to {}", connection.initiator, connection.responder)),
        x410: false,
        contexts: Vec::new(),
        ends: [End::new(), End::new()],
    };
    for piece in &connection.pieces {
        if piece.lost > 0 {
            dialogue.lost(piece.side, piece.lost);
        }
        dialogue.take(piece.side, &piece.octets);
    }
    if connection.cut > 0 {
        let text = format!("{} octets; they are read as zeros", connection.cut);
        dialogue.tree.add("not captured of long packets", text);
    }
    let (initiator, responder) = (Side::Initiator, Side::Responder);
    for side in [initiator, responder] {
        if dialogue.end(side).is_unfinished() {
            dialogue.add(side, Tree::new("the capture ends in the middle of something"));
        }
    }
    dialogue.tree
}

struct Dialogue {
    tree: Tree,
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

    fn add(&mut self, side: Side, mut tree: Tree) {
        let who = match side {
            Side::Initiator => "initiator",
            Side::Responder => "responder",
        };
        tree.name = format!("{who}: {}", tree.name);
        self.tree.push(tree);
    }

    /// Octets are not in the capture; what comes next begins anew.
    fn lost(&mut self, side: Side, octets: u32) {
        *self.end(side) = End::new();
        self.add(side, Tree::leaf("not in the capture (octets)", octets));
    }

    fn take(&mut self, side: Side, mut octets: &[u8]) {
        loop {
            let end = self.end(side);
            let Some(frames) = &mut end.frames else { return };
            match frames.next(&mut octets) {
                Ok(Some(tpdu)) => self.tpdu(side, &tpdu),
                Ok(None) => return,
                Err(error) => {
                    end.frames = None;
                    self.add(side, Tree::leaf("not RFC 1006 from here on", error));
                    return;
                }
            }
        }
    }

    fn tpdu(&mut self, side: Side, octets: &[u8]) {
        match Tpdu::decode(octets) {
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
                self.add(side, tree);
            }
            Ok(Tpdu::Dr { reason, .. }) => self.add(side, Tree::leaf("T-DISCONNECT, reason", reason)),
            Ok(Tpdu::Er { cause, .. }) => self.add(side, Tree::leaf("TPDU error, cause", cause)),
            Err(error) => self.add(side, Tree::leaf("malformed TPDU", error)),
        }
    }

    fn tsdu(&mut self, side: Side, octets: &[u8]) {
        match decode_tsdu(octets) {
            Ok(spdus) => spdus.into_iter().for_each(|spdu| self.spdu(side, spdu)),
            Err(error) => self.add(side, Tree::leaf("malformed SPDU", error)),
        }
    }

    fn spdu(&mut self, side: Side, spdu: Spdu) {
        match spdu {
            Spdu::Cn(cn) => {
                let mut tree = Tree::new("CONNECT");
                selector(&mut tree, "calling S-selector", cn.calling_selector.as_deref());
                selector(&mut tree, "called S-selector", cn.called_selector.as_deref());
                match Cp::decode(&cn.user_data) {
                    Ok(ByMode::Normal(cp)) => {
                        selector(&mut tree, "calling P-selector", cp.calling_selector.as_deref());
                        selector(&mut tree, "called P-selector", cp.called_selector.as_deref());
                        self.contexts = cp.contexts.iter().map(|context| context.context).collect();
                        for context in &cp.contexts {
                            tree.add(
                                "presentation context",
                                format!("{} {}", context.context, context.abstract_syntax),
                            );
                        }
                        values(cp.user_data.as_ref(), &mut tree);
                    }
                    Ok(ByMode::X410(set)) => {
                        self.x410 = true;
                        tree.add("mode", "X.410");
                        tree.push(x410_tree(Rtorq::decode_x410(&set).map(RtseApdu::Rtorq), &set));
                    }
                    Ok(ByMode::Other(mode)) => tree.add("mode", format!("{mode:?}")),
                    Err(_) => {
                        // 1984 MTAs have no presentation layer at all.
                        self.x410 = true;
                        tree.push(rtse_or_hex(&cn.user_data));
                    }
                }
                self.add(side, tree);
            }
            Spdu::Ac(ac) => {
                let mut tree = Tree::new("ACCEPT");
                match Cpa::decode(&ac.user.octets) {
                    Ok(ByMode::Normal(cpa)) => values(cpa.user_data.as_ref(), &mut tree),
                    Ok(ByMode::X410(set)) => {
                        tree.add("mode", "X.410");
                        tree.push(x410_tree(Rtoac::decode_x410(&set).map(RtseApdu::Rtoac), &set));
                    }
                    Ok(ByMode::Other(mode)) => tree.add("mode", format!("{mode:?}")),
                    Err(_) => tree.push(rtse_or_hex(&ac.user.octets)),
                }
                self.add(side, tree);
            }
            Spdu::Rf(rf) => {
                let tree = Tree::leaf("REFUSE, reason", rf.reason);
                let inside = match Cpr::decode(&rf.user_data) {
                    Ok(Some(Cpr { user_data: Some(values), .. })) => {
                        encodings(&values).into_iter().map(acse_tree).collect()
                    }
                    Ok(Some(_)) => Vec::new(),
                    Ok(None) => {
                        let rtorj = Rtorj::decode_x410(&rf.user_data).map(RtseApdu::Rtorj);
                        vec![x410_tree(rtorj, &rf.user_data)]
                    }
                    Err(_) => user_tree(&rf.user_data),
                };
                self.add(side, tree.with(inside));
            }
            Spdu::Fn { user, .. } => self.add(side, Tree::new("FINISH").with(user_tree(&user.octets))),
            Spdu::Dn { user } => self.add(side, Tree::new("DISCONNECT").with(user_tree(&user.octets))),
            Spdu::Nf { user } => self.add(side, Tree::new("NOT FINISHED").with(user_tree(&user.octets))),
            Spdu::Ab { user, .. } => {
                for end in &mut self.ends {
                    end.activity = None;
                }
                let inside = match Abort::decode(&user.octets) {
                    Ok(Abort::Aru(Some(values))) => encodings(&values).into_iter().map(acse_tree).collect(),
                    Ok(Abort::Aru(None)) => Vec::new(),
                    Ok(Abort::X410) => {
                        let rtab = Rtab::decode_x410(&user.octets).map(RtseApdu::Rtab);
                        vec![x410_tree(rtab, &user.octets)]
                    }
                    Ok(Abort::Arp { reason, event }) => {
                        vec![Tree::leaf("ARP", format!("reason {reason:?}, event {event:?}"))]
                    }
                    Err(_) => user_tree(&user.octets),
                };
                self.add(side, Tree::new("ABORT").with(inside));
            }
            Spdu::Aa => self.add(side, Tree::new("ABORT ACCEPT")),
            Spdu::Gt { tokens: 0 } | Spdu::Pt { tokens: 0, .. } => {
                // The empty ones that go in front of every category 2 SPDU.
            }
            Spdu::Gt { tokens } => self.add(side, Tree::leaf("GIVE TOKENS", tokens)),
            Spdu::Pt { tokens, user } => {
                self.add(side, Tree::leaf("PLEASE TOKENS", tokens).with(user_tree(&user.octets)));
            }
            Spdu::Gtc => self.add(side, Tree::new("GIVE TOKENS CONFIRM")),
            Spdu::Gta => self.add(side, Tree::new("GIVE TOKENS ACK")),
            Spdu::Pr => self.add(side, Tree::new("PREPARE")),
            Spdu::Cdo { user } => {
                self.add(side, Tree::leaf("CONNECT DATA OVERFLOW, octets", user.octets.len()));
            }
            Spdu::Oa { .. } => self.add(side, Tree::new("OVERFLOW ACCEPT")),
            Spdu::Segment { of, user } => {
                self.add(side, Tree::leaf(format!("more of {}, octets", of.name()), user.octets.len()));
            }
            Spdu::Dt { enclosure, data } => self.data(side, enclosure, &data),
            Spdu::As { activity, .. } => {
                self.end(side).activity = Some(Activity::default());
                self.add(side, Tree::leaf("ACTIVITY START", hex(&activity)));
            }
            Spdu::Ar { resume, .. } => {
                self.end(side).activity = Some(Activity { octets: Vec::new(), resumed: true });
                self.add(side, Tree::leaf("ACTIVITY RESUME", format!("{resume:?}")));
            }
            Spdu::Ai { reason } => {
                self.end(side).activity = None;
                self.add(side, Tree::leaf("ACTIVITY INTERRUPT", format!("{reason:?}")));
            }
            Spdu::Aia => self.add(side, Tree::new("ACTIVITY INTERRUPT ACK")),
            Spdu::Ad { reason } => {
                self.end(side).activity = None;
                self.add(side, Tree::leaf("ACTIVITY DISCARD", format!("{reason:?}")));
            }
            Spdu::Ada => self.add(side, Tree::new("ACTIVITY DISCARD ACK")),
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
                self.add(side, tree);
            }
            Spdu::Map { serial } => self.add(side, Tree::leaf("MAJOR SYNC POINT", serial)),
            Spdu::Aea { serial, .. } => self.add(side, Tree::leaf("ACTIVITY END ACK", serial)),
            Spdu::Mip { serial, .. } => self.add(side, Tree::leaf("MINOR SYNC POINT", serial)),
            Spdu::Mia { serial, .. } => self.add(side, Tree::leaf("MINOR SYNC ACK", serial)),
            Spdu::Ed { reason, user } => {
                let tree = Tree::leaf("EXCEPTION DATA", format!("{reason:?}"));
                self.add(side, tree.with(user_tree(&user.octets)));
            }
            Spdu::Er { .. } => self.add(side, Tree::new("EXCEPTION REPORT")),
        }
    }

    /// What an activity transferred: an APDU of P1, in normal mode inside an EXTERNAL.
    fn transferred(&self, octets: &[u8]) -> Tree {
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
            Ok(apdu) => apdu_tree(&apdu),
            Err(error) => Tree::leaf("no APDU of P1", error),
        }
    }

    /// Data of an activity: the octets of RTTRs, or in X.410 mode of the APDU itself.
    fn data(&mut self, side: Side, enclosure: Option<Enclosure>, data: &[u8]) {
        let x410 = self.x410;
        let end = self.end(side);
        end.ssdu.extend_from_slice(data);
        let is_whole = enclosure.is_none_or(|enclosure| enclosure.0 & Enclosure::END.0 != 0);
        if !is_whole {
            return;
        }
        let ssdu = std::mem::take(&mut end.ssdu);
        if x410 {
            if let Some(activity) = &mut end.activity {
                activity.octets.extend_from_slice(&ssdu);
            }
            return;
        }
        let mut other = Vec::new();
        match UserData::decode(&ssdu) {
            Ok(values) => {
                for octets in encodings(&values) {
                    match (RtseApdu::decode(octets), &mut end.activity) {
                        (Ok(RtseApdu::Rttr(part)), Some(activity)) => {
                            activity.octets.extend_from_slice(&part);
                        }
                        (Ok(apdu), _) => other.push(rtse_tree(&apdu)),
                        (Err(_), None) => other.push(Tree::leaf("data of another application", hex(octets))),
                        (Err(error), Some(_)) => other.push(Tree::leaf("malformed APDU of RTSE", error)),
                    }
                }
            }
            Err(error) => other.push(Tree::leaf("malformed PPDU", error)),
        }
        for tree in other {
            self.add(side, tree);
        }
    }
}

fn selector(tree: &mut Tree, name: &str, selector: Option<&[u8]>) {
    if let Some(octets) = selector.filter(|octets| !octets.is_empty()) {
        let readable = octets.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ');
        let text = if readable { String::from_utf8_lossy(octets).into_owned() } else { hex(octets) };
        tree.add(name, text);
    }
}
