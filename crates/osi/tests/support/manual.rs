//! Two ends of an open association whose users do only what a test tells them, with a line that carries only when told.
#![allow(dead_code, reason = "each test uses another part of it")]

use std::collections::VecDeque;

use clock::{MonoTime, WallTime};
use osi::rtse::{OpenData, RequestError, RtIndication, RtRequest};
use osi::stack::{SessionReference, Stack, StackAction, StackConfig};

use crate::pair::{BIND, BIND_RESULT};

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;

#[derive(Clone)]
pub(crate) struct Manual {
    pub(crate) now: MonoTime,
    pub(crate) stacks: [Stack; 2],
    /// Packets sent by each end and not carried yet.
    pub(crate) sent: [VecDeque<Vec<u8>>; 2],
    /// What was carried, with who sent it.
    pub(crate) turns: Vec<(testkit::Side, Vec<u8>)>,
    /// What each end's user was told.
    pub(crate) told: [Vec<RtIndication>; 2],
}

impl Manual {
    /// The association is open, nothing is under way, A has the turn.
    pub(crate) fn open(a: StackConfig, b: StackConfig) -> Self {
        let mut manual = Manual::connect(a, b, OpenData::Open(BIND.to_vec()), "host-a");
        manual.accept();
        manual
    }

    /// B has been asked, A waits for its answer.
    pub(crate) fn connect(a: StackConfig, b: StackConfig, data: OpenData, name: &str) -> Self {
        let reference =
            SessionReference { user_reference: name.to_owned(), time: WallTime::from_unix(1_795_321_800) };
        let mut manual = Manual {
            now: MonoTime::START,
            stacks: [Stack::initiator(a, data, reference), Stack::responder(b)],
            sent: Default::default(),
            turns: Vec::new(),
            told: Default::default(),
        };
        for end in [A, B] {
            let mut out = Vec::new();
            manual.stacks[end].start(manual.now, &mut out);
            manual.absorb(end, out);
        }
        manual.settle();
        manual
    }

    pub(crate) fn accept(&mut self) {
        self.ask(B, RtRequest::OpenAccept { user_data: BIND_RESULT.to_vec() });
        self.settle();
        self.told = Default::default();
    }

    fn absorb(&mut self, end: usize, actions: Vec<StackAction>) {
        for action in actions {
            match action {
                StackAction::Transmit(packet) => self.sent[end].push_back(packet),
                StackAction::Indication(indication) => self.told[end].push(indication),
                StackAction::Close => {}
            }
        }
    }

    pub(crate) fn request(&mut self, end: usize, request: RtRequest) -> Result<(), RequestError> {
        let mut out = Vec::new();
        let result = self.stacks[end].request(self.now, request, &mut out);
        self.absorb(end, out);
        result
    }

    /// A request that has to be taken.
    pub(crate) fn ask(&mut self, end: usize, request: RtRequest) {
        self.request(end, request).unwrap();
    }

    /// Carries the first packet that `end` has sent; whether there was one.
    pub(crate) fn carry(&mut self, end: usize) -> bool {
        let Some(packet) = self.sent[end].pop_front() else { return false };
        let side = if end == A { testkit::Side::Initiator } else { testkit::Side::Responder };
        self.turns.push((side, packet.clone()));
        let mut out = Vec::new();
        self.stacks[1 - end].receive(self.now, &packet, &mut out);
        self.absorb(1 - end, out);
        true
    }

    pub(crate) fn settle(&mut self) {
        while self.carry(A) | self.carry(B) {}
    }

    /// Lets time pass up to the deadline of `end`, which must have one.
    pub(crate) fn expire(&mut self, end: usize) {
        self.now = self.stacks[end].deadline().unwrap();
        let mut out = Vec::new();
        self.stacks[end].tick(self.now, &mut out);
        self.absorb(end, out);
    }

    pub(crate) fn take(&mut self, end: usize) -> Vec<RtIndication> {
        core::mem::take(&mut self.told[end])
    }
}
