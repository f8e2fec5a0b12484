//! A line between two stacks that carries what a script says, when it says it, and that may be cut or disturbed.
//!
//! Always: each stack ends, once, in bounded time; nothing follows the last indication or Close; a deadline that was
//! told passes. What the users know, and what must hold of it, is for the targets to say.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use clock::MonoTime;
use osi::access::{AccessAction, AccessIndication, AccessStack};
use osi::rtse::RtIndication;
use osi::stack::{Stack, StackAction};

use crate::Script;
use crate::stack::{is_last, is_packet};

/// Two ends and the line between them. `U` is what the user at an end knows.
pub(crate) struct Line<S: Layers, U> {
    pub(crate) now: MonoTime,
    pub(crate) ends: [End<S, U>; 2],
    /// The line has changed nothing.
    pub(crate) honest: bool,
    /// Somebody cut the line, aborted or let time run out.
    pub(crate) disturbed: bool,
}

/// One end.
pub(crate) struct End<S: Layers, U> {
    pub(crate) stack: S,
    pub(crate) user: U,
    /// Sent and not carried.
    wire: VecDeque<u8>,
    pub(crate) last: Option<S::Indication>,
    pub(crate) closed: bool,
    /// The transport connection has ended here.
    gone: bool,
    /// Octets that came, and those that were sent.
    pub(crate) came: usize,
    pub(crate) sent: usize,
}

/// All layers of one end, down to the transport connection.
pub(crate) trait Layers {
    type Action: Debug;
    type Indication: Debug + Clone;

    fn start(&mut self, now: MonoTime, out: &mut Vec<Self::Action>);
    fn receive(&mut self, now: MonoTime, octets: &[u8], out: &mut Vec<Self::Action>);
    fn transport_closed(&mut self, now: MonoTime, reset: bool, out: &mut Vec<Self::Action>);
    fn tick(&mut self, now: MonoTime, out: &mut Vec<Self::Action>);
    fn deadline(&self) -> Option<MonoTime>;
    fn is_finished(&self) -> bool;
    fn effect(action: Self::Action) -> Effect<Self::Indication>;
    fn is_last(indication: &Self::Indication) -> bool;
}

/// What a stack wants done.
pub(crate) enum Effect<I> {
    Transmit(Vec<u8>),
    Indication(I),
    Close,
}

/// What the user at an end knows.
pub(crate) trait User<S: Layers>: Sized {
    /// It is told something; `peer` is the one at the other end, `honest` whether the line has changed nothing.
    fn indicated(&mut self, peer: &mut Self, honest: bool, indication: S::Indication);

    /// What has to hold whenever its stack has done something.
    fn holds(_end: &End<S, Self>) {}
}

/// Two users who can be left alone.
pub(crate) trait Conversation {
    /// Changes with everything that happens at either end.
    type Progress: PartialEq;

    /// Each does what it was asked for.
    fn cooperate(&mut self, side: usize);
    /// Nobody has anything to do: the one that opened closes, if it may; whether anything came of it.
    fn close(&mut self) -> bool;
    fn abort(&mut self, side: usize);
    fn progress(&self) -> Self::Progress;
    /// Whether an end was aborted as two honest users can bring it about without a disturbance.
    fn excused(&self) -> bool;
    /// Whether this is how an aborted association ends.
    fn is_abort(&self, side: usize) -> bool;
}

impl<S: Layers, U: User<S>> Line<S, U> {
    /// A line that is quiet, between two ends that have been started.
    pub(crate) fn between(ends: [(S, U); 2]) -> Self {
        let ends = ends.map(|(stack, user)| End {
            stack,
            user,
            wire: VecDeque::new(),
            last: None,
            closed: false,
            gone: false,
            came: 0,
            sent: 0,
        });
        let mut line = Line { now: MonoTime::START, ends, honest: true, disturbed: false };
        for side in [0, 1] {
            let mut out = Vec::new();
            line.ends[side].stack.start(line.now, &mut out);
            line.check(side, out);
        }
        line
    }

    /// What a script does to the line and to time; whether `code` is that of such an operation.
    pub(crate) fn operation(&mut self, side: usize, code: u8, script: &mut Script<'_>) -> bool {
        match code {
            0..=0x0F => self.carry(side, usize::from(script.number())),
            0x10..=0x17 => self.carry_all(),
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
            _ => return false,
        }
        true
    }

    fn carry(&mut self, from: usize, most: usize) {
        let count = self.ends[from].wire.len().min(most);
        let octets: Vec<u8> = self.ends[from].wire.drain(..count).collect();
        let to = 1 - from;
        if !octets.is_empty() && !self.ends[to].gone {
            let mut out = Vec::new();
            self.ends[to].came += octets.len();
            self.ends[to].stack.receive(self.now, &octets, &mut out);
            self.check(to, out);
        }
        if self.ends[from].closed && self.ends[from].wire.is_empty() {
            self.lost(to, false);
        }
    }

    pub(crate) fn carry_all(&mut self) {
        for _ in 0..300 {
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

    /// Does what the stack of `side` wants done.
    pub(crate) fn check(&mut self, side: usize, out: Vec<S::Action>) {
        for action in out {
            assert!(!self.ends[side].closed, "{action:?} after Close");
            match S::effect(action) {
                Effect::Transmit(packet) => {
                    is_packet(&packet);
                    self.ends[side].sent += packet.len();
                    if !self.ends[1 - side].gone {
                        self.ends[side].wire.extend(packet);
                    }
                }
                Effect::Close => {
                    assert!(self.ends[side].last.is_some(), "closed without a word to the user");
                    self.ends[side].closed = true;
                    self.ends[side].gone = true;
                }
                Effect::Indication(indication) => {
                    let (end, peer) = match &mut self.ends {
                        [a, b] if side == 0 => (a, b),
                        [a, b] => (b, a),
                    };
                    assert!(end.last.is_none(), "{indication:?} after the end");
                    if S::is_last(&indication) {
                        end.last = Some(indication.clone());
                    }
                    end.user.indicated(&mut peer.user, self.honest, indication);
                }
            }
        }
        U::holds(&self.ends[side]);
    }

    /// Users that do what they are asked for, and then close; time passes where nothing else can happen.
    pub(crate) fn finish(&mut self)
    where
        Self: Conversation,
    {
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
            let closing = self.close();
            self.carry_all();
            if closing || self.progress() != before || self.expire() {
                continue;
            }
            self.abort(0);
            self.abort(1);
        }
        for (side, end) in self.ends.iter().enumerate() {
            assert!(end.stack.is_finished(), "end {side} does not end");
            assert!(end.closed && end.last.is_some());
            assert_eq!(end.stack.deadline(), None);
            let excused = !undisturbed || !self.is_abort(side) || self.excused();
            assert!(excused, "aborted, though nothing went wrong: {:?}", end.last);
        }
    }
}

macro_rules! layers {
    ($stack:ident, $action:ident, $indication:ident, $is_last:expr) => {
        impl Layers for $stack {
            type Action = $action;
            type Indication = $indication;

            fn start(&mut self, now: MonoTime, out: &mut Vec<$action>) {
                self.start(now, out);
            }

            fn receive(&mut self, now: MonoTime, octets: &[u8], out: &mut Vec<$action>) {
                self.receive(now, octets, out);
            }

            fn transport_closed(&mut self, now: MonoTime, reset: bool, out: &mut Vec<$action>) {
                self.transport_closed(now, reset, out);
            }

            fn tick(&mut self, now: MonoTime, out: &mut Vec<$action>) {
                self.tick(now, out);
            }

            fn deadline(&self) -> Option<MonoTime> {
                self.deadline()
            }

            fn is_finished(&self) -> bool {
                self.is_finished()
            }

            fn effect(action: $action) -> Effect<$indication> {
                match action {
                    $action::Transmit(packet) => Effect::Transmit(packet),
                    $action::Indication(indication) => Effect::Indication(indication),
                    $action::Close => Effect::Close,
                }
            }

            fn is_last(indication: &$indication) -> bool {
                $is_last(indication)
            }
        }
    };
}

layers!(Stack, StackAction, RtIndication, is_last);
layers!(AccessStack, AccessAction, AccessIndication, AccessIndication::is_last);
