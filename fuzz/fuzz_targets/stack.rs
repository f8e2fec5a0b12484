//! A whole stack on either side of a connection: any octets in any pieces, any requests, any time. It always ends, once.
#![no_main]

use ber::Oid;
use clock::{MonoTime, WallTime};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use osi::rtse::{AbortReason, DialogueMode, RtIndication, RtRequest};
use osi::stack::{ApplicationContext, SessionReference, Stack, StackAction, StackConfig};

/// What happens to the stack.
#[derive(Arbitrary, Debug)]
enum Event {
    /// Octets from the peer.
    Octets(Vec<u8>),
    /// One TPKT with a data TPDU that ends a TSDU, so that the upper layers are reached.
    Tsdu(Vec<u8>),
    /// The same as a whole conversation's beginning would send it: a legal connect TPDU.
    Connect,
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
    config
}

fn is_last(indication: &RtIndication) -> bool {
    matches!(indication, RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_))
}

fuzz_target!(|input: (bool, Vec<Event>)| {
    let (initiator, events) = input;
    let mut stack = if initiator {
        let time = WallTime::from_unix(1_700_000_000);
        let reference = SessionReference { user_reference: "fuzz".to_owned(), time };
        Stack::initiator(config(), vec![0xB0, 0x02, 0x05, 0x00], reference)
    } else {
        Stack::responder(config())
    };
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
            Event::Tsdu(tsdu) => {
                for (n, piece) in tsdu.chunks(8_000).enumerate() {
                    let end = if (n + 1) * 8_000 >= tsdu.len() { 0x80 } else { 0 };
                    let length = (piece.len() + 7) as u16;
                    let packet = [&[3, 0][..], &length.to_be_bytes(), &[2, 0xF0, end], piece].concat();
                    stack.receive(now, &packet, &mut out);
                }
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
