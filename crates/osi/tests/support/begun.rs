//! A transfer that is under way, for tests that interrupt it.
#![allow(dead_code, reason = "each test uses another part of it")]

use osi::rtse::{
    Aborted, Interrupted, ReceiverState, ResumePoint, RtIndication, RtRequest, SessionConnectionIdentifier,
};
use osi::session::spdu::{Spdu, decode_tsdu};
use osi::stack::StackConfig;
use testkit::tsdus_of;

use crate::manual::{A, B, Manual};
use crate::pair::apdu;

/// Checkpoints of 1,024 octets, two of which may stand unconfirmed.
pub(crate) fn small(mut config: StackConfig) -> StackConfig {
    config.rtse.checkpoint_size_kb = 1;
    config.rtse.window_size = 2;
    config
}

/// What was wanted last.
pub(crate) fn wanted(told: &[RtIndication]) -> usize {
    let wanted = |told: &RtIndication| match told {
        RtIndication::SegmentWanted { octets } => Some(*octets),
        _ => None,
    };
    told.iter().rev().find_map(wanted).unwrap()
}

pub(crate) fn aborted(told: &[RtIndication]) -> &Aborted {
    match told.last() {
        Some(RtIndication::Aborted(aborted)) => aborted,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn sending(interrupted: &Interrupted) -> ResumePoint {
    match interrupted {
        Interrupted::Sending(point) => point.clone(),
        Interrupted::Receiving(_) => panic!("{interrupted:?}"),
    }
}

pub(crate) fn receiving(interrupted: &Interrupted) -> ReceiverState {
    match interrupted {
        Interrupted::Receiving(state) => state.clone(),
        Interrupted::Sending(_) => panic!("{interrupted:?}"),
    }
}

/// The octets of the APDU that the user was given.
pub(crate) fn octets(told: &[RtIndication]) -> Vec<u8> {
    told.iter()
        .filter_map(|told| match told {
            RtIndication::TransferData(octets) => Some(octets.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

/// The SPDUs that `end` has sent and that were not carried yet.
pub(crate) fn spdus(pair: &Manual, end: usize) -> Vec<Spdu> {
    let octets: Vec<u8> = pair.sent[end].iter().flatten().copied().collect();
    tsdus_of(&octets).iter().flat_map(|tsdu| decode_tsdu(tsdu).unwrap()).collect()
}

/// The TSDUs that `end` has sent and that were not carried yet.
pub(crate) fn tsdus(pair: &Manual, end: usize) -> Vec<Vec<u8>> {
    let octets: Vec<u8> = pair.sent[end].iter().flatten().copied().collect();
    tsdus_of(&octets)
}

/// An APDU on its way from A to B, of which two segments were sent and the first checkpoint is confirmed.
pub(crate) struct Begun {
    pub(crate) pair: Manual,
    pub(crate) apdu: Vec<u8>,
    pub(crate) offset: usize,
}

impl Begun {
    pub(crate) fn new(config: StackConfig) -> Self {
        let apdu = apdu(4000);
        let mut pair = Manual::open(small(config.clone()), small(config));
        pair.ask(A, RtRequest::Transfer { length: apdu.len() as u64 });
        let mut begun = Begun { pair, apdu, offset: 0 };
        begun.feed(A);
        begun.feed(A);
        begun.pair.settle();
        begun.pair.ask(B, RtRequest::CheckpointSecured { serial: 1 });
        begun.pair.settle();
        begun
    }

    /// Gives the segment that `end` wants.
    pub(crate) fn feed(&mut self, end: usize) {
        let length = wanted(&self.pair.told[end]);
        let segment = self.apdu[self.offset..self.offset + length].to_vec();
        self.offset += length;
        self.pair.ask(end, RtRequest::Segment(segment));
    }

    /// The transfer goes on to its end from this point.
    pub(crate) fn finish(&mut self, point: &ResumePoint) {
        self.offset = usize::try_from(point.offset).unwrap();
        loop {
            self.feed(A);
            self.pair.settle();
            let told = self.pair.take(B);
            let ended = told.contains(&RtIndication::TransferEnd);
            let checkpoint = told.iter().rev().find_map(|told| match told {
                RtIndication::Checkpoint { serial } => Some(*serial),
                _ => None,
            });
            self.pair.told[B].extend(told);
            if ended {
                return;
            }
            if let Some(serial) = checkpoint {
                self.pair.ask(B, RtRequest::CheckpointSecured { serial });
                self.pair.settle();
                self.pair.told[B].retain(|told| !matches!(told, RtIndication::Checkpoint { .. }));
            }
        }
    }
}

/// The connection under `begun` is gone.
pub(crate) fn cut(begun: &mut Begun) -> (ResumePoint, ReceiverState, SessionConnectionIdentifier) {
    let connection = begun.pair.stacks[A].session_connection().cloned().unwrap();
    assert_eq!(begun.pair.stacks[B].session_connection(), Some(&connection));
    for end in [A, B] {
        let mut out = Vec::new();
        begun.pair.stacks[end].transport_closed(begun.pair.now, true, &mut out);
        let told = out.into_iter().filter_map(|action| match action {
            osi::stack::StackAction::Indication(indication) => Some(indication),
            _ => None,
        });
        begun.pair.told[end].extend(told);
    }
    let point = sending(aborted(&begun.pair.told[A]).interrupted.as_ref().unwrap());
    let state = receiving(aborted(&begun.pair.told[B]).interrupted.as_ref().unwrap());
    (point, state, connection)
}

/// A has resumed the transfer of [`Begun`] on another association, B has been asked.
pub(crate) fn resumed(config: StackConfig) -> (Begun, ResumePoint, ReceiverState) {
    let mut begun = Begun::new(config.clone());
    let (point, state, connection) = cut(&mut begun);
    begun.pair = Manual::open(small(config.clone()), small(config));
    begun.pair.ask(A, RtRequest::Resume { from: point.clone(), connection: Some(connection) });
    begun.offset = usize::try_from(point.offset).unwrap();
    begun.pair.carry(A);
    (begun, point, state)
}
