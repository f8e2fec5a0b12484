//! Two whole stacks and their users, and a line between them that carries what the script says, when it says it, and
//! that may be cut or disturbed.
//!
//! Always: each stack ends, once, in bounded time; nothing follows the last indication or Close; refused requests have
//! no effect. As long as the line changes nothing: what is accepted is what was sent; a transfer is confirmed only if
//! the receiver has accepted it, once; one that failed was not accepted; both never hold the turn; neither accuses the
//! other. If nobody cuts the line either, cooperating users bring every association to its end in order.

use std::collections::VecDeque;

use ber::{Tag, Writer};
use osi::failure::Blame;
use osi::rtse::{
    AbortReason, Interrupted, ReceiverState, RefuseReason, RequestError, ResumePoint, RtIndication, RtRequest,
};
use osi::stack::Stack;

use crate::Script;
use crate::line::{Conversation, Line, User};
use crate::stack::{config, initiator};

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let (a, b) = (config(script.octet()), config(script.octet()));
    let ends = [initiator(a), Stack::responder(b)].map(|stack| (stack, StackUser::default()));
    let mut pair = Pair::between(ends);
    script.each_operation(|code, script| {
        pair.act(usize::from(code >> 7), code & 0x7F, script);
        if pair.honest {
            assert!(!pair.ends.iter().all(|end| end.stack.has_turn()), "both have the turn");
        }
    });
    pair.finish();
}

/// What the user at an end knows.
#[derive(Default)]
struct StackUser {
    /// The user was asked to answer an open.
    asked: bool,
    opened: bool,
    /// APDUs that were begun; the last may be under way.
    begun: u16,
    /// The one that a Transfer request will begin.
    next: Vec<u8>,
    sending: Option<Sending>,
    confirmed: Vec<Vec<u8>>,
    arriving: Option<Vec<u8>>,
    complete: bool,
    checkpoints: VecDeque<u32>,
    /// A transfer of ours that was interrupted: the APDU, and from where it can go on.
    paused: Option<(Vec<u8>, ResumePoint)>,
    /// One of the peer's, with what has come of it.
    kept: Option<(ReceiverState, Vec<u8>)>,
    /// The user was asked to go on with this activity, from this checkpoint.
    resuming: Option<(Vec<u8>, u32)>,
    accepted: Vec<Vec<u8>>,
}

struct Sending {
    apdu: Vec<u8>,
    given: usize,
    wanted: Option<usize>,
}

type Pair = Line<Stack, StackUser>;

/// An APDU like no other.
fn apdu(side: usize, number: u16, length: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let contents: Vec<u8> = [side as u8, high, low]
        .into_iter()
        .chain((0..length % 9_000).map(|place| (place / 7) as u8 ^ low))
        .collect();
    Writer::encode(|w| w.primitive(Tag::OCTET_STRING, &contents))
}

impl Pair {
    fn act(&mut self, side: usize, code: u8, script: &mut Script<'_>) {
        match code {
            code if self.operation(side, code, script) => {}
            0x18..=0x1F => {
                for _ in 0..20 {
                    self.cooperate(0);
                    self.cooperate(1);
                    self.carry_all();
                }
            }
            0x20..=0x2F => self.cooperate(side),
            0x3E | 0x3F => self.ends[side].stack.wrote(self.now),
            code => {
                let request = self.made(side, code, script);
                let _ = self.request(side, request);
            }
        }
    }

    fn made(&mut self, side: usize, code: u8, script: &mut Script<'_>) -> RtRequest {
        match code % 16 {
            0 => RtRequest::OpenAccept { user_data: vec![0xB1, 0x02, 0x05, 0x00] },
            1 => RtRequest::OpenReject {
                user_data: vec![0xB2, 0x02, 0x05, 0x00],
                refuse_reason: RefuseReason::RTS_BUSY,
                transient: script.one_in(2),
            },
            2..=5 => self.begin(side, script.number()),
            6 => self.segment(side),
            7 => RtRequest::TransferCancel,
            8 => RtRequest::TransferInterrupt,
            9 => RtRequest::CheckpointSecured { serial: u32::from(script.octet()) },
            10 => RtRequest::TransferAccept,
            11 => RtRequest::TransferRefuse { transient: script.one_in(2) },
            12 => RtRequest::TurnPlease { priority: u32::from(script.octet()) },
            13 => RtRequest::TurnGive,
            14 => RtRequest::Close,
            _ if script.one_in(4) => {
                self.disturbed = true;
                RtRequest::Abort(AbortReason::USER_ERROR)
            }
            _ if script.one_in(4) => RtRequest::Segment(script.octets().to_vec()),
            _ => match &self.ends[side].user.paused {
                Some((_, from)) => RtRequest::Resume { from: from.clone(), connection: None },
                None => RtRequest::ResumeRefuse,
            },
        }
    }

    fn begin(&mut self, side: usize, length: u16) -> RtRequest {
        let end = &mut self.ends[side].user;
        end.next = apdu(side, end.begun, length);
        RtRequest::Transfer { length: end.next.len() as u64 }
    }

    /// The segment that is wanted.
    fn segment(&self, side: usize) -> RtRequest {
        RtRequest::Segment(self.ends[side].user.sending.as_ref().map_or_else(Vec::new, |sending| {
            let end = sending.given + sending.wanted.unwrap_or(0);
            sending.apdu.get(sending.given..end).unwrap_or_default().to_vec()
        }))
    }

    fn request(&mut self, side: usize, request: RtRequest) -> Result<(), RequestError> {
        let kept = request.clone();
        let mut out = Vec::new();
        let result = self.ends[side].stack.request(self.now, request, &mut out);
        if let Err(error) = result {
            assert!(out.is_empty(), "a refused request has an effect: {error}");
            return Err(error);
        }
        let end = &mut self.ends[side].user;
        match kept {
            RtRequest::OpenAccept { .. } => {
                assert!(end.asked);
                end.asked = false;
                end.opened = true;
            }
            RtRequest::OpenReject { .. } => end.asked = false,
            RtRequest::Transfer { length } => {
                let apdu = std::mem::take(&mut end.next);
                assert_eq!(apdu.len() as u64, length);
                end.sending = Some(Sending { apdu, given: 0, wanted: None });
                end.begun += 1;
            }
            RtRequest::Segment(octets) => {
                if let Some(sending) = &mut end.sending {
                    sending.wanted = None;
                    sending.given += octets.len();
                    if !sending.apdu.starts_with(&octets) && sending.given == octets.len() {
                        self.honest = false;
                    }
                }
            }
            RtRequest::CheckpointSecured { serial } => {
                end.checkpoints.retain(|&other| other > serial);
            }
            RtRequest::TransferAccept => {
                assert!(end.complete, "accepted before it was whole");
                end.complete = false;
                end.accepted.extend(end.arriving.take());
                end.checkpoints.clear();
            }
            // Whether it is given up or interrupted is for the sender to say.
            RtRequest::TransferRefuse { .. } => {
                end.complete = false;
                end.checkpoints.clear();
            }
            RtRequest::Resume { from, .. } => {
                let (apdu, _) = end.paused.take().expect("resumed, but nothing was interrupted");
                let given = usize::try_from(from.offset).unwrap_or(usize::MAX);
                end.sending = Some(Sending { apdu, given, wanted: None });
            }
            RtRequest::ResumeAccept(_) => {
                end.resuming = None;
                end.arriving = end.kept.take().map(|(_, octets)| octets);
            }
            RtRequest::ResumeRefuse => end.resuming = None,
            RtRequest::ResumeCompleted => {
                end.resuming = None;
                self.honest = false;
            }
            RtRequest::TransferCancel
            | RtRequest::TransferInterrupt
            | RtRequest::TurnPlease { .. }
            | RtRequest::TurnGive
            | RtRequest::Close
            | RtRequest::Abort(_) => {}
        }
        self.check(side, out);
        Ok(())
    }
}

impl User<Stack> for StackUser {
    fn indicated(&mut self, peer: &mut Self, honest: bool, indication: RtIndication) {
        let end = self;
        match indication {
            RtIndication::Open(_) => end.asked = true,
            RtIndication::OpenConfirm { .. } => {
                assert!(peer.opened || !honest, "opened without the peer");
                end.opened = true;
            }
            RtIndication::SegmentWanted { octets } => {
                // The one that follows a Transfer request is seen once the request has been taken down.
                if let Some(sending) = &mut end.sending {
                    assert!(sending.wanted.is_none(), "two segments are wanted at once");
                    assert!(sending.given + octets <= sending.apdu.len(), "more is wanted than there is");
                    sending.wanted = Some(octets);
                }
            }
            RtIndication::TransferConfirm => {
                let sent = end.sending.take().expect("confirmed, but nothing was sent").apdu;
                if honest {
                    assert!(peer.accepted.contains(&sent), "confirmed, but not accepted");
                    assert!(!end.confirmed.contains(&sent), "confirmed twice");
                }
                end.confirmed.push(sent);
            }
            RtIndication::TransferFailed { .. } => {
                let sent = end.sending.take().expect("failed, but nothing was sent").apdu;
                assert!(!honest || !peer.accepted.contains(&sent), "failed, but accepted");
            }
            RtIndication::TransferStart => {
                assert!(end.arriving.is_none() && !end.complete);
                end.arriving = Some(Vec::new());
                end.checkpoints.clear();
            }
            RtIndication::TransferData(octets) => {
                let arriving = end.arriving.as_mut().expect("data outside a transfer");
                arriving.extend(octets);
                let sent = peer.sending.as_ref().map_or(&[][..], |sending| &sending.apdu);
                assert!(!honest || sent.starts_with(arriving), "what arrives is not what was sent");
            }
            RtIndication::Checkpoint { serial } => end.checkpoints.push_back(serial),
            RtIndication::TransferEnd => {
                let arrived = end.arriving.as_ref().expect("the end of no transfer");
                let sent = peer.sending.as_ref().map(|sending| &sending.apdu);
                assert!(!honest || sent == Some(arrived), "what is whole is not what was sent");
                end.complete = true;
            }
            RtIndication::Resume { activity, serial, .. } => end.resuming = Some((activity, serial)),
            RtIndication::TransferInterrupted { interrupted, .. } => match *interrupted {
                Interrupted::Sending(point) => {
                    let sending = end.sending.take().expect("interrupted, but nothing was sent");
                    assert!(!honest || !peer.accepted.contains(&sending.apdu), "interrupted, but accepted");
                    assert_eq!(point.length, sending.apdu.len() as u64);
                    assert!(point.offset <= sending.given as u64 && point.serial > 0);
                    end.paused = Some((sending.apdu, point));
                }
                Interrupted::Receiving(state) => {
                    let arrived = end.arriving.take().expect("interrupted outside a transfer");
                    end.kept = Some((state, arrived));
                    end.complete = false;
                    end.checkpoints.clear();
                }
            },
            RtIndication::TransferDiscarded => {
                end.resuming = None;
                end.arriving = None;
                end.complete = false;
                end.checkpoints.clear();
            }
            RtIndication::Aborted(aborted) => {
                let accused = aborted.blame == Blame::PeerMisbehaved;
                assert!(!honest || !accused, "accused an honest peer: {aborted:?}");
                end.asked = false;
            }
            RtIndication::Closed | RtIndication::OpenRefused(_) => end.asked = false,
            RtIndication::TurnPlease { .. } | RtIndication::TurnGive | RtIndication::TurnGiven => {}
        }
    }
}

impl Conversation for Pair {
    type Progress = [(usize, usize, usize, bool, bool); 2];

    fn cooperate(&mut self, side: usize) {
        if self.ends[side].last.is_some() {
            return;
        }
        let end = &self.ends[side].user;
        let request = if let Some((activity, serial)) = &end.resuming {
            match &end.kept {
                Some((state, _)) if state.activity() == activity && state.knows(*serial) => {
                    RtRequest::ResumeAccept(Box::new(state.clone()))
                }
                Some(_) | None => RtRequest::ResumeRefuse,
            }
        } else if end.asked {
            RtRequest::OpenAccept { user_data: vec![0xB1, 0x02, 0x05, 0x00] }
        } else if end.sending.as_ref().is_some_and(|sending| sending.wanted.is_some()) {
            self.segment(side)
        } else if let Some(&serial) = end.checkpoints.front() {
            RtRequest::CheckpointSecured { serial }
        } else if end.complete {
            RtRequest::TransferAccept
        } else {
            return;
        };
        let name = format!("{request:.20?}");
        let taken = self.request(side, request);
        assert!(
            taken.is_ok() || self.ends[side].last.is_some(),
            "what was asked for is refused: {taken:?} {name}"
        );
    }

    fn close(&mut self) -> bool {
        // The one that opened may close if it has the turn.
        self.request(0, RtRequest::Close).is_ok()
            || self.request(0, RtRequest::TurnPlease { priority: 0 }).is_ok()
                && self.request(1, RtRequest::TurnGive).is_ok()
    }

    fn abort(&mut self, side: usize) {
        let _ = self.request(side, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
    }

    fn is_abort(&self, side: usize) -> bool {
        matches!(self.ends[side].last, Some(RtIndication::Aborted(_)))
    }

    fn excused(&self) -> bool {
        self.ends.iter().any(|end| match &end.last {
            // What does not fit or does not go together, and what crossed.
            Some(RtIndication::Aborted(aborted)) => {
                matches!(aborted.blame, Blame::LimitReached | Blame::PeerIncompatible)
                    || aborted.reason == Some(AbortReason::TRANSFER_COMPLETED)
            }
            Some(_) | None => false,
        })
    }

    fn progress(&self) -> Self::Progress {
        [&self.ends[0], &self.ends[1]].map(|end| {
            let user = &end.user;
            let given = user.sending.as_ref().map_or(0, |sending| sending.given + 1);
            let arrived = user.arriving.as_ref().map_or(0, |arriving| arriving.len() + 1);
            (given, arrived + user.accepted.len(), user.checkpoints.len(), user.opened, end.closed)
        })
    }
}
