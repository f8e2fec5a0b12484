//! Two whole stacks and their users, and a line between them that carries what the script says, when it says it, and
//! that may be cut or disturbed.
//!
//! Always: each stack ends, once, in bounded time; nothing follows the last indication or Close; refused requests have
//! no effect. As long as the line changes nothing: what is accepted is what was sent; a transfer is confirmed only if
//! the receiver has accepted it, once; one that failed was not accepted; both never hold the turn; neither accuses the
//! other. If nobody cuts the line either, cooperating users bring every association to its end in order.

use std::collections::VecDeque;
use std::time::Duration;

use ber::{Tag, Writer};
use clock::MonoTime;
use osi::failure::Blame;
use osi::rtse::{
    AbortReason, Interrupted, ReceiverState, RefuseReason, RequestError, ResumePoint, RtIndication, RtRequest,
};
use osi::stack::{Stack, StackAction};

use crate::Script;
use crate::stack::{config, initiator, is_last, is_packet};

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let (a, b) = (config(script.octet()), config(script.octet()));
    let mut pair = Pair {
        now: MonoTime::START,
        ends: [End::new(initiator(a)), End::new(Stack::responder(b))],
        honest: true,
        disturbed: false,
    };
    for end in [0, 1] {
        let mut out = Vec::new();
        pair.ends[end].stack.start(pair.now, &mut out);
        pair.check(end, out);
    }
    script.each_operation(|code, script| {
        pair.operation(usize::from(code >> 7), code & 0x7F, script);
        if pair.honest {
            assert!(!pair.ends.iter().all(|end| end.stack.has_turn()), "both have the turn");
        }
    });
    pair.finish();
}

/// An end and what its user knows.
struct End {
    stack: Stack,
    /// Sent and not carried.
    wire: VecDeque<u8>,
    last: Option<RtIndication>,
    closed: bool,
    /// The transport connection has ended here.
    gone: bool,
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

struct Pair {
    now: MonoTime,
    ends: [End; 2],
    /// The line has changed nothing.
    honest: bool,
    /// Somebody cut the line, aborted or let time run out.
    disturbed: bool,
}

impl End {
    fn new(stack: Stack) -> Self {
        End {
            stack,
            wire: VecDeque::new(),
            last: None,
            closed: false,
            gone: false,
            asked: false,
            opened: false,
            begun: 0,
            next: Vec::new(),
            sending: None,
            confirmed: Vec::new(),
            arriving: None,
            complete: false,
            checkpoints: VecDeque::new(),
            paused: None,
            kept: None,
            resuming: None,
            accepted: Vec::new(),
        }
    }
}

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
    fn operation(&mut self, side: usize, code: u8, script: &mut Script<'_>) {
        match code {
            0..=0x0F => self.carry(side, usize::from(script.number())),
            0x10..=0x17 => self.carry_all(),
            0x18..=0x1F => {
                for _ in 0..20 {
                    self.cooperate(0);
                    self.cooperate(1);
                    self.carry_all();
                }
            }
            0x20..=0x2F => self.cooperate(side),
            0x30..=0x33 => {
                self.disturbed = true;
                self.expire();
            }
            0x34..=0x37 => {
                // Less than any timer, but several of them are not.
                self.disturbed = true;
                self.now = self.now + Duration::from_secs(u64::from(script.octet() % 50));
                self.tick();
            }
            0x38 => {
                self.disturbed = true;
                let reset = script.one_in(2);
                self.lost(side, reset);
            }
            0x39 | 0x3A => {
                self.honest = false;
                let octets = script.octets().to_vec();
                self.ends[side].wire.extend(octets);
            }
            0x3B..=0x3D => {
                self.honest = false;
                let (at, to) = (usize::from(script.number()), script.octet());
                let wire = &mut self.ends[side].wire;
                let length = wire.len().max(1);
                if let Some(octet) = wire.get_mut(at % length) {
                    *octet = to;
                }
            }
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
            _ => match &self.ends[side].paused {
                Some((_, from)) => RtRequest::Resume { from: from.clone(), connection: None },
                None => RtRequest::ResumeRefuse,
            },
        }
    }

    fn begin(&mut self, side: usize, length: u16) -> RtRequest {
        let end = &mut self.ends[side];
        end.next = apdu(side, end.begun, length);
        RtRequest::Transfer { length: end.next.len() as u64 }
    }

    /// The segment that is wanted.
    fn segment(&self, side: usize) -> RtRequest {
        RtRequest::Segment(self.ends[side].sending.as_ref().map_or_else(Vec::new, |sending| {
            let end = sending.given + sending.wanted.unwrap_or(0);
            sending.apdu.get(sending.given..end).unwrap_or_default().to_vec()
        }))
    }

    /// The user does what it was asked for.
    fn cooperate(&mut self, side: usize) {
        let end = &self.ends[side];
        if end.last.is_some() {
            return;
        }
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

    fn request(&mut self, side: usize, request: RtRequest) -> Result<(), RequestError> {
        let kept = request.clone();
        let mut out = Vec::new();
        let result = self.ends[side].stack.request(self.now, request, &mut out);
        if let Err(error) = result {
            assert!(out.is_empty(), "a refused request has an effect: {error}");
            return Err(error);
        }
        let end = &mut self.ends[side];
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

    fn carry(&mut self, from: usize, most: usize) {
        let count = self.ends[from].wire.len().min(most);
        let octets: Vec<u8> = self.ends[from].wire.drain(..count).collect();
        let to = 1 - from;
        if !octets.is_empty() && !self.ends[to].gone {
            let mut out = Vec::new();
            self.ends[to].stack.receive(self.now, &octets, &mut out);
            self.check(to, out);
        }
        if self.ends[from].closed && self.ends[from].wire.is_empty() {
            self.lost(to, false);
        }
    }

    fn carry_all(&mut self) {
        for _ in 0..100 {
            self.carry(0, usize::MAX);
            self.carry(1, usize::MAX);
            if self.ends.iter().all(|end| end.wire.is_empty()) {
                return;
            }
        }
        assert!(!self.honest, "the ends never fall silent");
    }

    /// The transport connection ends for this side.
    fn lost(&mut self, side: usize, reset: bool) {
        if !self.ends[side].gone {
            self.ends[side].gone = true;
            self.ends[1 - side].wire.clear();
            let mut out = Vec::new();
            self.ends[side].stack.transport_closed(self.now, reset, &mut out);
            self.check(side, out);
        }
    }

    /// Time passes up to the next deadline; whether there was one.
    fn expire(&mut self) -> bool {
        let deadline = self.ends.iter().filter_map(|end| end.stack.deadline()).min();
        self.now = deadline.map_or(self.now, |deadline| deadline.max(self.now));
        self.tick();
        deadline.is_some()
    }

    fn tick(&mut self) {
        for side in [0, 1] {
            let mut out = Vec::new();
            self.ends[side].stack.tick(self.now, &mut out);
            self.check(side, out);
            let later = self.ends[side].stack.deadline().is_none_or(|deadline| deadline > self.now);
            assert!(later, "a deadline stays in the past");
        }
    }

    fn check(&mut self, side: usize, out: Vec<StackAction>) {
        for action in out {
            assert!(!self.ends[side].closed, "{action:?} after Close");
            match action {
                StackAction::Transmit(packet) => {
                    is_packet(&packet);
                    if !self.ends[1 - side].gone {
                        self.ends[side].wire.extend(packet);
                    }
                }
                StackAction::Close => {
                    assert!(self.ends[side].last.is_some(), "closed without a word to the user");
                    self.ends[side].closed = true;
                    self.ends[side].gone = true;
                }
                StackAction::Indication(indication) => {
                    assert!(self.ends[side].last.is_none(), "{indication:?} after the end");
                    if is_last(&indication) {
                        self.ends[side].last = Some(indication.clone());
                    }
                    self.indicated(side, indication);
                }
            }
        }
    }

    fn indicated(&mut self, side: usize, indication: RtIndication) {
        let honest = self.honest;
        let (end, peer) = match &mut self.ends {
            [a, b] if side == 0 => (a, b),
            [a, b] => (b, a),
        };
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

    /// Users that do what they are asked for, and then close; time passes where nothing else can happen.
    fn finish(&mut self) {
        let undisturbed = self.honest && !self.disturbed;
        for _ in 0..2_000 {
            self.carry_all();
            if self.ends.iter().all(|end| end.stack.is_finished()) {
                break;
            }
            let before = self.progress();
            self.cooperate(0);
            self.cooperate(1);
            self.carry_all();
            if self.progress() != before {
                continue;
            }
            // Both users are idle: the one that opened closes, if it may; else it asks for the turn.
            let closing = self.request(0, RtRequest::Close).is_ok()
                || self.request(0, RtRequest::TurnPlease { priority: 0 }).is_ok()
                    && self.request(1, RtRequest::TurnGive).is_ok();
            self.carry_all();
            if closing || self.progress() != before || self.expire() {
                continue;
            }
            for side in [0, 1] {
                let _ = self.request(side, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
            }
        }
        for (side, end) in self.ends.iter().enumerate() {
            assert!(end.stack.is_finished(), "end {side} does not end");
            assert!(end.closed && end.last.is_some());
            assert_eq!(end.stack.deadline(), None);
            let ended = matches!(end.last, Some(RtIndication::Aborted(_)));
            assert!(
                !undisturbed || !ended || self.excused(),
                "aborted, though nothing went wrong: {:?}",
                end.last
            );
        }
    }

    /// Ends that two honest users can bring about without a disturbance.
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

    /// Changes with everything that happens at either end.
    fn progress(&self) -> [(usize, usize, usize, bool, bool); 2] {
        [&self.ends[0], &self.ends[1]].map(|end| {
            let given = end.sending.as_ref().map_or(0, |sending| sending.given + 1);
            let arrived = end.arriving.as_ref().map_or(0, |arriving| arriving.len() + 1);
            (given, arrived + end.accepted.len(), end.checkpoints.len(), end.opened, end.closed)
        })
    }
}
