//! Two session machines with a wire between them. Nothing arrives before it is told to, so what crosses can
//! be made to cross.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::VecDeque;

use clock::MonoTime;
use osi::session::{
    SAccept, SConnect, SessionConfig, SessionError, Spm, SpmAction, SpmEvent, SsIndication, SsRequest,
};

pub(crate) const INITIATOR: usize = 0;
pub(crate) const RESPONDER: usize = 1;
/// Later than any deadline.
pub(crate) const NEVER: MonoTime = MonoTime::after_start(core::time::Duration::from_secs(1 << 40));

/// What is on its way to a side.
#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Tsdu(Vec<u8>),
    TsduPart(Vec<u8>, bool),
    TDisconnect,
}

#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) now: MonoTime,
    pub(crate) spms: [Spm; 2],
    /// To each side.
    pub(crate) wires: [VecDeque<Wire>; 2],
    /// From each side, not yet taken.
    pub(crate) indications: [Vec<SsIndication>; 2],
}

impl Pair {
    /// CN is on its way.
    pub(crate) fn new(initiator: SessionConfig, responder: SessionConfig, connect: SConnect) -> Self {
        let mut pair = Pair {
            now: MonoTime::START,
            spms: [Spm::initiator(initiator, connect), Spm::responder(responder)],
            wires: Default::default(),
            indications: Default::default(),
        };
        pair.event(RESPONDER, SpmEvent::TConnectIndication).unwrap();
        pair.event(INITIATOR, SpmEvent::TConnectConfirm).unwrap();
        pair
    }

    /// Connected; nothing under way.
    pub(crate) fn connected(initiator: SessionConfig, responder: SessionConfig) -> Self {
        let mut pair = Pair::new(initiator, responder, SConnect::default());
        pair.settle();
        pair.ask(RESPONDER, SsRequest::ConnectAccept(SAccept::default()));
        pair.settle();
        pair.take(INITIATOR);
        pair.take(RESPONDER);
        pair
    }

    pub(crate) fn event(&mut self, side: usize, event: SpmEvent<'_>) -> Result<(), SessionError> {
        let mut out = Vec::new();
        let result = self.spms[side].handle(self.now, event, &mut out);
        for action in out {
            match action {
                SpmAction::Tsdu(tsdu) => self.wires[1 - side].push_back(Wire::Tsdu(tsdu)),
                SpmAction::TsduPart { octets, last } => {
                    self.wires[1 - side].push_back(Wire::TsduPart(octets, last));
                }
                SpmAction::TDisconnect => self.wires[1 - side].push_back(Wire::TDisconnect),
                SpmAction::Indication(indication) => self.indications[side].push(indication),
            }
        }
        result
    }

    /// A request that has to be taken.
    pub(crate) fn ask(&mut self, side: usize, request: SsRequest) {
        self.event(side, SpmEvent::Request(request)).unwrap();
    }

    /// Lets the next thing arrive at `side`; whether there was one.
    pub(crate) fn arrive(&mut self, side: usize) -> bool {
        match self.wires[side].pop_front() {
            None => return false,
            Some(Wire::Tsdu(tsdu)) => {
                // What is wrong shows in the indications.
                let _ = self.event(side, SpmEvent::Tsdu(&tsdu));
            }
            Some(Wire::TsduPart(octets, last)) => {
                let _ = self.event(side, SpmEvent::TsduPart { octets: &octets, last });
            }
            Some(Wire::TDisconnect) => self.event(side, SpmEvent::TDisconnect).unwrap(),
        }
        true
    }

    /// Lets everything arrive.
    pub(crate) fn settle(&mut self) {
        while self.arrive(INITIATOR) | self.arrive(RESPONDER) {}
    }

    pub(crate) fn take(&mut self, side: usize) -> Vec<SsIndication> {
        core::mem::take(&mut self.indications[side])
    }

    /// Lets everything arrive and lets time pass until both are closed.
    pub(crate) fn run_out(&mut self) {
        for _ in 0..4 {
            self.settle();
            for side in [INITIATOR, RESPONDER] {
                if let Some(deadline) = self.spms[side].deadline() {
                    self.now = self.now.max(deadline);
                    let _ = self.event(side, SpmEvent::Deadline);
                }
            }
        }
        self.settle();
    }
}

/// The one thing there is in a list.
pub(crate) fn only<T>(list: Vec<T>) -> Option<T> {
    assert_eq!(list.len(), 1);
    list.into_iter().next()
}
