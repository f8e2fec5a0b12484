//! A whole stack on either side of a connection: any octets in any pieces, any requests, any time. It always ends, once.
#![no_main]

use ber::Oid;
use clock::{MonoTime, WallTime};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use osi::rtse::{AbortReason, DialogueMode, OpenData, RtIndication, RtRequest};
use osi::stack::{ApplicationContext, SessionReference, Stack, StackAction, StackConfig};
use testkit::{GoldenVector, split_tsdu};

/// What happens to the stack.
#[derive(Arbitrary, Debug)]
enum Event {
    /// Octets from the peer.
    Octets(Vec<u8>),
    /// One TPKT with a data TPDU that ends a TSDU, so that the upper layers are reached.
    Tsdu(Vec<u8>),
    /// A legal connect TPDU.
    Connect,
    /// A legal TSDU, of which one octet may be changed.
    Legal { which: u8, change: Option<(u16, u8)> },
    /// The deadline passes.
    Wait,
    /// The user answers the open.
    OpenAccept,
    /// The user has something to send.
    Transfer(u16),
    /// The user gives a segment.
    Segment(Vec<u8>),
    /// The user answers a transfer.
    TransferAccept,
    /// The user refuses a transfer.
    TransferRefuse(bool),
    /// The user asks for the turn.
    TurnPlease,
    /// The user gives the turn away.
    TurnGive,
    /// The user closes.
    Close,
    /// The user aborts.
    Abort,
}

fn config() -> StackConfig {
    let oid = |arcs: &[u32]| Oid::from_arcs(arcs).expect("a legal object identifier");
    let mut config = StackConfig::new(ApplicationContext {
        application_context: oid(&[2, 6, 0, 1, 6]),
        bind_and_rtse_syntax: oid(&[2, 6, 0, 2, 12]),
        apdu_syntax: oid(&[2, 6, 0, 2, 7]),
    });
    config.rtse.dialogue_mode = DialogueMode::TwoWayAlternate;
    config.rtse.application_protocols = vec![12];
    config
}

/// What a peer sends in the course of an association, from either side.
fn legal() -> Vec<Vec<u8>> {
    let mut tsdus: Vec<Vec<u8>> =
        [
            GoldenVector::Connect,
            GoldenVector::ConnectX410,
            GoldenVector::Accept,
            GoldenVector::Finish,
            GoldenVector::Disconnect,
        ]
        .map(GoldenVector::octets)
        .into();
    let data = [
        0x01, 0x00, 0x01, 0x00, 0x61, 0x16, 0x30, 0x14, 0x02, 1, 3, 0xA0, 0x0F, 0x04, 0x0D, 0x28, 0x0B, 0x02,
        1, 5, 0xA0, 6, 0xA0, 4, 0x31, 2, 0x05, 0,
    ];
    let others: [&[u8]; 10] = [
        // GT + AS, GT + MIP, GT + AE, with PT: MIA, AEA, ED; then GT and PT alone, AI and AD.
        &[0x01, 0x00, 0x2D, 0x05, 0x29, 0x03, 0x02, 0x01, 0x01],
        &data,
        &[0x01, 0x00, 0x31, 0x03, 0x2A, 0x01, b'1'],
        &[0x01, 0x00, 0x29, 0x03, 0x2A, 0x01, b'1'],
        &[0x02, 0x00, 0x32, 0x03, 0x2A, 0x01, b'1'],
        &[0x02, 0x00, 0x2A, 0x03, 0x2A, 0x01, b'1'],
        &[0x02, 0x00, 0x30, 0x03, 0x32, 0x01, 5],
        &[0x01, 0x03, 0x10, 0x01, 0x15],
        &[0x02, 0x03, 0x10, 0x01, 0x15],
        &[0x01, 0x00, 0x39, 0x00],
    ];
    tsdus.extend(others.iter().map(|tsdu| tsdu.to_vec()));
    tsdus
}

fn is_last(indication: &RtIndication) -> bool {
    matches!(indication, RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_))
}

fuzz_target!(|input: (bool, Vec<Event>)| {
    let (initiator, events) = input;
    let mut stack = if initiator {
        let time = WallTime::from_unix(1_700_000_000);
        let reference = SessionReference { user_reference: "fuzz".to_owned(), time };
        Stack::initiator(config(), OpenData::Open(vec![0xB0, 0x02, 0x05, 0x00]), reference)
    } else {
        Stack::responder(config())
    };
    let legal = legal();
    let mut now = MonoTime::START;
    let mut out = Vec::new();
    stack.start(now, &mut out);
    let request = |stack: &mut Stack, out: &mut Vec<StackAction>, now, request| {
        let before = out.len();
        if stack.request(now, request, out).is_err() {
            assert_eq!(out.len(), before, "a refused request has an effect");
        }
    };
    for event in events {
        match event {
            Event::Octets(octets) => stack.receive(now, &octets, &mut out),
            Event::Tsdu(tsdu) => stack.receive(now, &split_tsdu(&tsdu), &mut out),
            Event::Legal { which, change } => {
                let mut tsdu = legal[usize::from(which) % legal.len()].clone();
                if let Some((at, to)) = change {
                    let at = usize::from(at) % tsdu.len();
                    tsdu[at] = to;
                }
                stack.receive(now, &split_tsdu(&tsdu), &mut out);
            }
            Event::Connect => {
                let code = if initiator { 0xD0 } else { 0xE0 };
                stack.receive(now, &[3, 0, 0, 11, 6, code, 0, 1, 0, 1, 0], &mut out);
            }
            Event::Wait => {
                if let Some(deadline) = stack.deadline() {
                    now = now.max(deadline);
                    stack.tick(now, &mut out);
                }
            }
            Event::OpenAccept => {
                let accept = RtRequest::OpenAccept { user_data: vec![0xB1, 0x02, 0x05, 0x00] };
                request(&mut stack, &mut out, now, accept);
            }
            Event::Transfer(length) => {
                request(&mut stack, &mut out, now, RtRequest::Transfer { length: u64::from(length) });
            }
            Event::Segment(octets) => {
                request(&mut stack, &mut out, now, RtRequest::Segment(octets));
            }
            Event::TransferAccept => request(&mut stack, &mut out, now, RtRequest::TransferAccept),
            Event::TransferRefuse(transient) => {
                request(&mut stack, &mut out, now, RtRequest::TransferRefuse { transient });
            }
            Event::TurnPlease => request(&mut stack, &mut out, now, RtRequest::TurnPlease { priority: 1 }),
            Event::TurnGive => request(&mut stack, &mut out, now, RtRequest::TurnGive),
            Event::Close => request(&mut stack, &mut out, now, RtRequest::Close),
            Event::Abort => {
                request(&mut stack, &mut out, now, RtRequest::Abort(AbortReason::USER_ERROR));
            }
        }
    }
    stack.transport_closed(now, false, &mut out);
    for _ in 0..100 {
        let Some(deadline) = stack.deadline() else { break };
        now = now.max(deadline);
        stack.tick(now, &mut out);
    }
    assert!(stack.is_finished());
    assert_eq!(out.iter().filter(|action| **action == StackAction::Close).count(), 1);
    let mut indications = out.iter().filter_map(|action| match action {
        StackAction::Indication(indication) => Some(indication),
        StackAction::Transmit(_) | StackAction::Close => None,
    });
    assert!(indications.by_ref().any(is_last), "no end is indicated");
    assert!(indications.next().is_none(), "something is indicated after the end");
});
