//! Two stacks joined in memory, with virtual time, any chunking, and a line that can be cut at any octet.
#![allow(dead_code, reason = "each test uses another part of it")]

use std::collections::VecDeque;
use std::time::Duration;

use ber::Oid;
use clock::{MonoTime, WallTime};
use osi::rtse::{
    AbortReason, DialogueMode, Interrupted, Mode, OpenData, RefuseReason, RequestError, RtIndication,
    RtRequest,
};
use osi::stack::{ApplicationContext, SessionReference, Stack, StackAction, StackConfig};

/// What the user of an end does when it has the turn and nothing to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Close,
    GiveTurn,
}

/// One end: the stack and a user which answers what it is told.
pub(crate) struct End {
    pub(crate) stack: Stack,
    /// All indications but the octets of APDUs.
    pub(crate) log: Vec<RtIndication>,
    pub(crate) send: VecDeque<Vec<u8>>,
    pub(crate) then: Then,
    /// `Some(transient)` rejects the bind.
    pub(crate) reject_bind: Option<bool>,
    /// What an accepted bind is answered with.
    pub(crate) bind_result: Vec<u8>,
    /// For each APDU that comes: `Some(transient)` refuses it; accepted when the list is at its end.
    pub(crate) refuse: VecDeque<Option<bool>>,
    /// Refuses at the first octets rather than at the end.
    pub(crate) refuse_early: bool,
    pub(crate) received: Vec<Vec<u8>>,
    /// Octets on their way to the other end.
    pub(crate) wire: VecDeque<u8>,
    /// Everything this end ever sent.
    pub(crate) sent: Vec<u8>,
    pub(crate) close_seen: bool,
    /// Longest segment that was asked for.
    pub(crate) segment_max: usize,
    sending: Vec<u8>,
    arriving: Vec<u8>,
    refusing: bool,
}

/// What happens to the line when it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Reset,
    Silence,
}

pub(crate) struct Pair {
    pub(crate) now: MonoTime,
    pub(crate) a: End,
    pub(crate) b: End,
    /// Octets delivered at once.
    pub(crate) chunk: usize,
    /// After so many octets from A, or from B, the line is cut.
    pub(crate) cut: Option<(bool, usize, Cut)>,
    /// What was carried, in order, with who sent it.
    pub(crate) turns: Vec<(testkit::Side, Vec<u8>)>,
    cut_done: bool,
    carried: (usize, usize),
}

pub(crate) fn application() -> ApplicationContext {
    ApplicationContext {
        application_context: Oid::from_arcs(&[2, 6, 0, 1, 6]).unwrap(),
        bind_and_rtse_syntax: Oid::from_arcs(&[2, 6, 0, 2, 12]).unwrap(),
        apdu_syntax: Oid::from_arcs(&[2, 6, 0, 2, 7]).unwrap(),
    }
}

pub(crate) fn config() -> StackConfig {
    StackConfig::new(application())
}

pub(crate) fn two_way() -> StackConfig {
    let mut config = config();
    config.rtse.dialogue_mode = DialogueMode::TwoWayAlternate;
    config
}

/// The same in X.410 mode, for an application protocol that a responder takes.
pub(crate) fn x410(mut config: StackConfig) -> StackConfig {
    config.rtse.mode = Mode::X410 { application_protocol: 12 };
    config.rtse.application_protocols = vec![12, 1];
    config
}

pub(crate) const BIND: &[u8] = &[0xB0, 0x02, 0x05, 0x00];
pub(crate) const BIND_RESULT: &[u8] = &[0xB1, 0x02, 0x05, 0x00];
pub(crate) const BIND_ERROR: &[u8] = &[0xB2, 0x03, 0x02, 0x01, 0x02];

/// An APDU of about this many octets: any octets do, as long as they are one encoding.
pub(crate) fn apdu(octets: usize) -> Vec<u8> {
    ber::Writer::encode(|w| {
        let contents: Vec<u8> = (0..octets).map(|i| (i * 7 + i / 256) as u8).collect();
        w.primitive(ber::Tag::OCTET_STRING, &contents);
    })
}

impl End {
    pub(crate) fn new(stack: Stack) -> Self {
        End {
            stack,
            log: Vec::new(),
            send: VecDeque::new(),
            then: Then::Nothing,
            reject_bind: None,
            bind_result: BIND_RESULT.to_vec(),
            refuse: VecDeque::new(),
            refuse_early: false,
            received: Vec::new(),
            wire: VecDeque::new(),
            sent: Vec::new(),
            close_seen: false,
            segment_max: 0,
            sending: Vec::new(),
            arriving: Vec::new(),
            refusing: false,
        }
    }

    pub(crate) fn last(&self) -> Option<&RtIndication> {
        self.log.last()
    }

    /// The reasons with which transfers of this end failed or were interrupted.
    pub(crate) fn failures(&self) -> Vec<Option<u8>> {
        let reason = |told: &RtIndication| match told {
            RtIndication::TransferFailed { reason } | RtIndication::TransferInterrupted { reason, .. } => {
                Some(*reason)
            }
            _ => None,
        };
        self.log.iter().filter_map(reason).collect()
    }

    /// Number of indications which end a stack.
    pub(crate) fn endings(&self) -> usize {
        self.log
            .iter()
            .filter(|i| {
                matches!(i, RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_))
            })
            .count()
    }

    pub(crate) fn request(&mut self, now: MonoTime, request: RtRequest) {
        let mut out = Vec::new();
        let shown = format!("{request:.0?}");
        if let Err(error) = self.stack.request(now, request, &mut out) {
            // The end may come in the same batch as what the user answers here.
            if matches!(error, RequestError::Ended { .. }) {
                return;
            }
            panic!("{error}: {}", &shown[..shown.len().min(100)]);
        }
        self.perform(now, out);
    }

    pub(crate) fn perform(&mut self, now: MonoTime, actions: Vec<StackAction>) {
        for action in actions {
            match action {
                StackAction::Transmit(octets) => {
                    assert!(!self.close_seen, "nothing is sent after Close");
                    self.sent.extend(&octets);
                    self.wire.extend(octets);
                }
                StackAction::Close => {
                    assert!(!self.close_seen, "Close comes once");
                    self.close_seen = true;
                }
                StackAction::Indication(indication) => {
                    assert_eq!(self.endings(), 0, "{indication:?} after the end");
                    if let RtIndication::TransferData(octets) = &indication {
                        assert!(!octets.is_empty());
                        self.arriving.extend(octets);
                    } else {
                        self.log.push(indication.clone());
                    }
                    self.user(now, indication);
                }
            }
        }
    }

    fn user(&mut self, now: MonoTime, indication: RtIndication) {
        match indication {
            RtIndication::Open(_) => {
                let answer = match self.reject_bind {
                    Some(transient) => {
                        let refuse_reason =
                            if transient { RefuseReason::RTS_BUSY } else { RefuseReason::VALIDATION_FAILURE };
                        RtRequest::OpenReject { user_data: BIND_ERROR.to_vec(), refuse_reason, transient }
                    }
                    None => RtRequest::OpenAccept { user_data: self.bind_result.clone() },
                };
                self.request(now, answer);
            }
            RtIndication::OpenConfirm { .. } | RtIndication::TurnGive => self.next(now),
            RtIndication::TransferConfirm | RtIndication::TransferFailed { .. } => {
                assert!(self.sending.is_empty() || matches!(indication, RtIndication::TransferFailed { .. }));
                self.next(now);
            }
            RtIndication::SegmentWanted { octets } => {
                self.segment_max = self.segment_max.max(octets);
                let rest = self.sending.split_off(octets);
                let segment = std::mem::replace(&mut self.sending, rest);
                self.request(now, RtRequest::Segment(segment));
            }
            // This user keeps nothing for later.
            RtIndication::TransferInterrupted { interrupted, .. } => match *interrupted {
                Interrupted::Sending(_) => self.next(now),
                Interrupted::Receiving(_) => {}
            },
            RtIndication::Resume { .. } => self.request(now, RtRequest::ResumeRefuse),
            RtIndication::TransferStart => {
                self.arriving.clear();
                self.refusing = false;
            }
            RtIndication::TransferData(_) => {
                if self.refuse_early && !self.refusing && self.refuse.front().is_some_and(Option::is_some) {
                    self.refusing = true;
                    let transient = self.refuse.pop_front().flatten().unwrap();
                    self.request(now, RtRequest::TransferRefuse { transient });
                }
            }
            RtIndication::Checkpoint { serial } => {
                if !self.refusing {
                    self.request(now, RtRequest::CheckpointSecured { serial });
                }
            }
            RtIndication::TransferEnd => match self.refuse.pop_front().flatten() {
                Some(transient) => self.request(now, RtRequest::TransferRefuse { transient }),
                None => {
                    self.received.push(std::mem::take(&mut self.arriving));
                    self.request(now, RtRequest::TransferAccept);
                }
            },
            RtIndication::TurnGiven
            | RtIndication::TurnPlease { .. }
            | RtIndication::TransferDiscarded
            | RtIndication::OpenRefused(_)
            | RtIndication::Closed
            | RtIndication::Aborted(_) => {}
        }
    }

    /// Goes on with what the user wants, if it has the turn.
    pub(crate) fn next(&mut self, now: MonoTime) {
        if let Some(apdu) = self.send.pop_front() {
            let length = apdu.len() as u64;
            self.sending = apdu;
            self.request(now, RtRequest::Transfer { length });
            return;
        }
        match self.then {
            Then::Nothing => {}
            Then::Close => self.request(now, RtRequest::Close),
            Then::GiveTurn => {
                self.then = Then::Nothing;
                self.request(now, RtRequest::TurnGive);
            }
        }
    }

    fn closed(&mut self, now: MonoTime, reset: bool) {
        let mut out = Vec::new();
        self.stack.transport_closed(now, reset, &mut out);
        self.perform(now, out);
    }
}

impl Pair {
    pub(crate) fn new(a: StackConfig, b: StackConfig) -> Self {
        let reference = SessionReference {
            user_reference: "host-a".to_owned(),
            time: WallTime::from_unix(1_795_321_800),
        };
        Pair {
            now: MonoTime::START,
            a: End::new(Stack::initiator(a, OpenData::Open(BIND.to_vec()), reference)),
            b: End::new(Stack::responder(b)),
            chunk: usize::MAX,
            cut: None,
            turns: Vec::new(),
            cut_done: false,
            carried: (0, 0),
        }
    }

    pub(crate) fn start(&mut self) {
        for end in [&mut self.a, &mut self.b] {
            let mut out = Vec::new();
            end.stack.start(self.now, &mut out);
            end.perform(self.now, out);
        }
        self.pump();
    }

    /// Carries octets both ways until there are none.
    pub(crate) fn pump(&mut self) {
        for _ in 0..10_000_000 {
            let moved_a = self.carry(true);
            let moved_b = self.carry(false);
            if !moved_a && !moved_b {
                return;
            }
        }
        panic!("the ends never fall silent");
    }

    fn carry(&mut self, from_a: bool) -> bool {
        if self.cut_done {
            self.a.wire.clear();
            self.b.wire.clear();
            return false;
        }
        let carried = if from_a { &mut self.carried.0 } else { &mut self.carried.1 };
        let (from, to) = if from_a { (&mut self.a, &mut self.b) } else { (&mut self.b, &mut self.a) };
        let mut count = from.wire.len().min(self.chunk);
        if let Some((cut_from_a, at, _)) = self.cut
            && cut_from_a == from_a
        {
            count = count.min(at - *carried);
        }
        let octets: Vec<u8> = from.wire.drain(..count).collect();
        *carried += count;
        if !octets.is_empty() {
            let side = if from_a { testkit::Side::Initiator } else { testkit::Side::Responder };
            self.turns.push((side, octets.clone()));
            let mut out = Vec::new();
            to.stack.receive(self.now, &octets, &mut out);
            to.perform(self.now, out);
        }
        if let Some((cut_from_a, at, how)) = self.cut
            && cut_from_a == from_a
            && at == *carried
        {
            self.cut_done = true;
            if how == Cut::Reset {
                self.a.closed(self.now, true);
                self.b.closed(self.now, true);
            }
            return true;
        }
        let (from, to) = if from_a { (&mut self.a, &mut self.b) } else { (&mut self.b, &mut self.a) };
        if from.close_seen && from.wire.is_empty() && !to.close_seen {
            to.closed(self.now, false);
            return true;
        }
        count > 0
    }

    /// Lets time pass until both ends are finished. An end which would wait for ever is aborted by its user, as a
    /// driver does with an idle association. Gives how long it took.
    pub(crate) fn run_to_end(&mut self) -> Duration {
        let start = self.now;
        for _ in 0..1000 {
            self.pump();
            if self.a.stack.is_finished() && self.b.stack.is_finished() {
                return self.now.saturating_since(start);
            }
            let deadlines = [&self.a, &self.b]
                .into_iter()
                .filter(|end| !end.stack.is_finished())
                .map(|end| end.stack.deadline());
            match deadlines.flatten().min() {
                Some(deadline) => {
                    assert!(deadline >= self.now, "a deadline in the past was not met");
                    self.now = deadline;
                    for end in [&mut self.a, &mut self.b] {
                        let mut out = Vec::new();
                        end.stack.tick(self.now, &mut out);
                        end.perform(self.now, out);
                        let after = end.stack.deadline();
                        assert!(after.is_none_or(|after| after > self.now), "a deadline stays in the past");
                    }
                }
                None => {
                    for end in [&mut self.a, &mut self.b] {
                        if !end.stack.is_finished() && end.endings() == 0 {
                            end.request(self.now, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
                        }
                    }
                }
            }
        }
        panic!("the ends do not come to an end: {:?} / {:?}", self.a.last(), self.b.last());
    }
}
