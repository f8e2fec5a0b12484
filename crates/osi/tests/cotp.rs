//! COTP class 0: codec vectors, negotiation, every state with every event, two machines back to back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use core::time::Duration;

use clock::MonoTime;
use osi::cotp::tpdu::{Connect, DrReason, encode_dt};
use osi::cotp::{
    Cotp, CotpAction, CotpConfig, CotpError, CotpEvent, TDisconnect, TDisconnectReason, TIndication,
    TRequest, Tpdu, TpduError, TpduSize,
};
use osi::failure::Blame;
use proptest::prelude::*;

const NOW: MonoTime = MonoTime::START;
const LATER: MonoTime = MonoTime::after_start(Duration::from_secs(3600));

fn config() -> CotpConfig {
    CotpConfig {
        calling_selector: b"tsA".to_vec(),
        called_selector: b"tsB".to_vec(),
        max_tsdu: 100_000,
        ..CotpConfig::default()
    }
}

fn step(machine: &mut Cotp, event: CotpEvent<'_>) -> (Result<(), CotpError>, Vec<CotpAction>) {
    let mut out = Vec::new();
    let result = machine.handle(NOW, event, &mut out);
    (result, out)
}

fn ok(machine: &mut Cotp, event: CotpEvent<'_>) -> Vec<CotpAction> {
    let (result, out) = step(machine, event);
    result.unwrap();
    out
}

fn only_tpdu(out: &[CotpAction]) -> &[u8] {
    match out {
        [CotpAction::Tpdu(tpdu)] => tpdu,
        other => panic!("one TPDU expected, not {other:?}"),
    }
}

fn confirmed(size: Option<TpduSize>) -> Vec<u8> {
    let cc = Connect { destination: 1, source: 9, tpdu_size: size, ..Connect::default() };
    Tpdu::Cc(cc).encode().unwrap()
}

#[test]
fn golden_connection_request_both_ways() {
    let golden = b"\x13\xE0\0\0\0\x01\0\xC0\x01\x0D\xC1\x03tsA\xC2\x03tsB";
    let mut initiator = Cotp::initiator(config());
    assert_eq!(only_tpdu(&ok(&mut initiator, CotpEvent::Start)), golden);
    let decoded = Tpdu::decode(golden).unwrap();
    assert_eq!(decoded.encode().unwrap(), golden);
    let Tpdu::Cr(cr) = decoded else { panic!("no CR") };
    assert_eq!(cr.tpdu_size, Some(TpduSize::MAX));
    assert_eq!(cr.calling_selector.as_deref(), Some(&b"tsA"[..]));
    assert_eq!(cr.called_selector.as_deref(), Some(&b"tsB"[..]));
}

#[test]
fn unknown_parameters_are_skipped_and_known_ones_checked() {
    let cr = b"\x0E\xE0\0\0\0\x01\0\xC4\x01\x01\xF0\x01\x40\x99\x00";
    assert!(matches!(Tpdu::decode(cr), Ok(Tpdu::Cr(_))));
    for bad in [&b"\x09\xE0\0\0\0\x01\0\xC0\x01\x06"[..], b"\x09\xE0\0\0\0\x01\0\xC0\x01\x0E"] {
        let error = TpduError::Parameter { tpdu: "CR", code: 0xC0, octets: 1 };
        assert_eq!(Tpdu::decode(bad), Err(error));
    }
    assert_eq!(Tpdu::decode(b"\x02\x20\0"), Err(TpduError::Code { code: 0x20 }));
    assert_eq!(Tpdu::decode(b"\xFF\xF0\x80"), Err(TpduError::Truncated { needed: 255, left: 2 }));
    let trailing = TpduError::Trailing { tpdu: "DR", octets: 1 };
    assert_eq!(Tpdu::decode(b"\x06\x80\0\x01\0\x02\x80\x55"), Err(trailing));
}

#[test]
fn size_is_negotiated_down_and_never_up() {
    for (offered, own, agreed) in
        [(Some(8192), 2048, Some(2048)), (Some(512), 2048, Some(512)), (None, 8192, None)]
    {
        let size = |octets: usize| TpduSize::at_most(octets).unwrap();
        let mut responder = Cotp::responder(CotpConfig { tpdu_size: size(own), ..config() });
        let cr = Connect { source: 7, tpdu_size: offered.map(size), ..Connect::default() };
        ok(&mut responder, CotpEvent::Tpdu(&Tpdu::Cr(cr).encode().unwrap()));
        let out = ok(&mut responder, CotpEvent::Request(TRequest::Accept));
        let Ok(Tpdu::Cc(cc)) = Tpdu::decode(only_tpdu(&out)) else { panic!("no CC") };
        assert_eq!((cc.destination, cc.tpdu_size), (7, agreed.map(size)));
        let out = ok(&mut responder, CotpEvent::Request(TRequest::Data(vec![1; 10_000])));
        let longest = out.iter().map(|action| only_tpdu(core::slice::from_ref(action)).len()).max();
        assert_eq!(longest, Some(agreed.unwrap_or(2048)), "whole TPDUs fill the size exactly");
    }
    let mut initiator = Cotp::initiator(CotpConfig { tpdu_size: TpduSize::OCTETS_2048, ..config() });
    ok(&mut initiator, CotpEvent::Start);
    // More than was offered: that much is sent, and no more.
    ok(&mut initiator, CotpEvent::Tpdu(&confirmed(Some(TpduSize::MAX))));
    let out = ok(&mut initiator, CotpEvent::Request(TRequest::Data(vec![0; 5000])));
    let longest = out.iter().map(|action| match action {
        CotpAction::Tpdu(tpdu) => tpdu.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(longest.max(), Some(2048));
}

#[test]
fn refusal_carries_the_reason_to_the_caller() {
    let mut initiator = Cotp::initiator(config());
    let mut responder = Cotp::responder(config());
    let cr = only_tpdu(&ok(&mut initiator, CotpEvent::Start)).to_vec();
    let asked = TIndication::Connect { calling: b"tsA".to_vec(), called: b"tsB".to_vec() };
    assert_eq!(ok(&mut responder, CotpEvent::Tpdu(&cr)), [CotpAction::Indication(asked)]);
    let refuse = TRequest::Refuse { reason: DrReason::ADDRESS_UNKNOWN };
    let out = ok(&mut responder, CotpEvent::Request(refuse));
    let [CotpAction::Tpdu(dr), CotpAction::Close] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(dr, &[6, 0x80, 0, 1, 0, 0, 3]);
    let disconnect = TDisconnect { established: false, reason: TDisconnectReason::Dr(3) };
    assert_eq!(
        ok(&mut initiator, CotpEvent::Tpdu(dr)),
        [CotpAction::Indication(TIndication::Disconnect(disconnect)), CotpAction::Close]
    );
    assert!(initiator.is_closed() && responder.is_closed());
}

#[test]
fn higher_class_is_refused_unless_class_0_is_an_alternative() {
    let cr = Connect { source: 0x1234, class: 4, ..Connect::default() };
    let (result, out) =
        step(&mut Cotp::responder(config()), CotpEvent::Tpdu(&Tpdu::Cr(cr.clone()).encode().unwrap()));
    assert_eq!(result, Err(CotpError::Class { class: 4 }));
    let [CotpAction::Tpdu(dr), CotpAction::Close] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(dr, &[6, 0x80, 0x12, 0x34, 0, 0, DrReason::NEGOTIATION_FAILED]);
    let cr = Connect { class_0_alternative: true, ..cr };
    ok(&mut Cotp::responder(config()), CotpEvent::Tpdu(&Tpdu::Cr(cr).encode().unwrap()));
}

#[test]
fn a_silent_peer_is_given_up() {
    let mut initiator = Cotp::initiator(config());
    ok(&mut initiator, CotpEvent::Start);
    let deadline = initiator.deadline().unwrap();
    assert_eq!(deadline, NOW + config().connect_timeout);
    assert_eq!(ok(&mut initiator, CotpEvent::Deadline), [], "too early");
    let mut out = Vec::new();
    let error = initiator.handle(deadline, CotpEvent::Deadline, &mut out).unwrap_err();
    assert_eq!((error.blame(), out.as_slice()), (Blame::PeerGone, &[CotpAction::Close][..]));
}

#[test]
fn assembly_is_bounded() {
    let mut machine = Cotp::initiator(CotpConfig { max_tsdu: 10, ..config() });
    ok(&mut machine, CotpEvent::Start);
    ok(&mut machine, CotpEvent::Tpdu(&confirmed(None)));
    let mut stranger = machine.clone();
    machine.user_is_open(10);
    let whole = ok(&mut machine, CotpEvent::Tpdu(&encode_dt(true, &[1; 10])));
    assert_eq!(whole, [CotpAction::Indication(TIndication::Data(vec![1; 10]))]);
    assert_eq!(ok(&mut machine, CotpEvent::Tpdu(&encode_dt(false, &[1; 6]))), []);
    assert_eq!(machine.partial_octets(), 6);
    let told = ok(&mut machine, CotpEvent::Tpdu(&encode_dt(false, &[1; 5])));
    assert_eq!(told, [CotpAction::Indication(TIndication::TooLong { limit: 10 })]);
    assert_eq!(machine.partial_octets(), 0);
    // The rest of it is dropped, the next one is taken.
    for end in [false, false, true] {
        assert_eq!(ok(&mut machine, CotpEvent::Tpdu(&encode_dt(end, &[1; 11]))), []);
    }
    let whole = ok(&mut machine, CotpEvent::Tpdu(&encode_dt(true, &[2])));
    assert_eq!(whole, [CotpAction::Indication(TIndication::Data(vec![2]))]);
    let both = ok(&mut machine, CotpEvent::Tpdu(&encode_dt(true, &[1; 11])));
    assert_eq!(both, [CotpAction::Indication(TIndication::TooLong { limit: 10 })]);
    // Before that there is nobody who could tell the peer.
    let (result, out) = step(&mut stranger, CotpEvent::Tpdu(&encode_dt(false, &[1; 11])));
    assert_eq!(result, Err(CotpError::TsduTooLong { limit: 10 }));
    let [CotpAction::Tpdu(er), CotpAction::Close] = out.as_slice() else { panic!("{out:?}") };
    assert!(matches!(Tpdu::decode(er), Ok(Tpdu::Er { cause: 0, .. })));
}

fn states() -> Vec<(&'static str, Cotp)> {
    let not_started = Cotp::initiator(config());
    let mut await_cc = not_started.clone();
    ok(&mut await_cc, CotpEvent::Start);
    let mut open = await_cc.clone();
    ok(&mut open, CotpEvent::Tpdu(&confirmed(None)));
    let mut await_cr = Cotp::responder(config());
    ok(&mut await_cr, CotpEvent::Start);
    let mut await_user = await_cr.clone();
    ok(&mut await_user, CotpEvent::Tpdu(&Tpdu::Cr(Connect::default()).encode().unwrap()));
    let mut closed = open.clone();
    ok(&mut closed, CotpEvent::Request(TRequest::Disconnect));
    vec![
        ("not started", not_started),
        ("awaiting CC", await_cc),
        ("awaiting CR", await_cr),
        ("awaiting user", await_user),
        ("open", open),
        ("closed", closed),
    ]
}

#[test]
fn every_state_takes_or_refuses_every_event() {
    let tpdus = [
        ("CR", Tpdu::Cr(Connect { source: 5, ..Connect::default() }).encode().unwrap()),
        ("CC", confirmed(None)),
        ("DR", Tpdu::Dr { destination: 1, source: 9, reason: 1, information: vec![] }.encode().unwrap()),
        ("DT", encode_dt(true, b"x")),
        ("ER", Tpdu::Er { destination: 1, cause: 2, invalid: vec![1] }.encode().unwrap()),
        ("nonsense", vec![1, 2, 3]),
    ];
    let mut events: Vec<(&str, CotpEvent<'_>)> = vec![
        ("start", CotpEvent::Start),
        ("accept", CotpEvent::Request(TRequest::Accept)),
        ("refuse", CotpEvent::Request(TRequest::Refuse { reason: 0 })),
        ("data", CotpEvent::Request(TRequest::Data(vec![1]))),
        ("disconnect", CotpEvent::Request(TRequest::Disconnect)),
        ("closed", CotpEvent::TransportClosed),
        ("deadline", CotpEvent::Deadline),
    ];
    events.extend(tpdus.iter().map(|(name, tpdu)| (*name, CotpEvent::Tpdu(tpdu))));
    let mut cells = 0;
    let mut table = Vec::new();
    for (state, machine) in states() {
        let mut taken = Vec::new();
        for (name, event) in &events {
            cells += 1;
            let mut machine = machine.clone();
            let before = format!("{machine:?}");
            let mut out = Vec::new();
            match machine.handle(LATER, event.clone(), &mut out) {
                Ok(()) => taken.push(*name),
                Err(error @ CotpError::RequestOutOfState { .. }) => {
                    assert_eq!(error.blame(), Blame::Local);
                    assert!(out.is_empty(), "{state} {name}: {out:?}");
                    assert_eq!(format!("{machine:?}"), before, "{state} {name}");
                }
                Err(error) => {
                    assert_ne!(error.blame(), Blame::Local, "{state} {name}");
                    assert!(machine.is_closed(), "{state} {name}");
                    assert_eq!(out.last(), Some(&CotpAction::Close), "{state} {name}");
                }
            }
        }
        table.push(format!("{state}: {}", taken.join(" ")));
    }
    assert_eq!(cells, 6 * 13);
    assert_eq!(
        table,
        [
            "not started: start disconnect closed deadline",
            "awaiting CC: disconnect closed CC DR ER",
            "awaiting CR: disconnect closed CR DR ER",
            "awaiting user: accept refuse disconnect closed deadline DR ER",
            "open: data disconnect closed deadline DR DT ER",
            "closed: closed deadline CR CC DR DT ER nonsense",
        ]
    );
}

proptest! {
    #[test]
    fn tsdus_survive_any_tpdu_size(exponent in 7u32..=13, tsdu in prop::collection::vec(any::<u8>(), 0..5000)) {
        let size = TpduSize::at_most(1 << exponent).unwrap();
        let mut initiator = Cotp::initiator(CotpConfig { tpdu_size: size, ..config() });
        let mut responder = Cotp::responder(config());
        let cr = only_tpdu(&ok(&mut initiator, CotpEvent::Start)).to_vec();
        ok(&mut responder, CotpEvent::Tpdu(&cr));
        let cc = only_tpdu(&ok(&mut responder, CotpEvent::Request(TRequest::Accept))).to_vec();
        prop_assert_eq!(
            ok(&mut initiator, CotpEvent::Tpdu(&cc)),
            [CotpAction::Indication(TIndication::Confirm)]
        );
        let mut arrived = Vec::new();
        for action in ok(&mut responder, CotpEvent::Request(TRequest::Data(tsdu.clone()))) {
            let CotpAction::Tpdu(tpdu) = action else { panic!("{action:?}") };
            prop_assert!(tpdu.len() <= size.octets());
            arrived.extend(ok(&mut initiator, CotpEvent::Tpdu(&tpdu)));
        }
        prop_assert_eq!(arrived, [CotpAction::Indication(TIndication::Data(tsdu))]);
    }

    #[test]
    fn codec_round_trips(
        destination: u16, source: u16, reason: u8,
        calling in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        octets in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let connect = Connect {
            destination, source, class: 0, class_0_alternative: false, tpdu_size: None,
            calling_selector: calling, called_selector: Some(octets.clone()),
        };
        for tpdu in [
            Tpdu::Cr(connect.clone()),
            Tpdu::Cc(connect),
            Tpdu::Dr { destination, source, reason, information: octets.clone() },
            Tpdu::Dt { end_of_tsdu: reason & 1 == 0, data: octets.clone() },
            Tpdu::Er { destination, cause: reason, invalid: octets },
        ] {
            let encoded = tpdu.encode().unwrap();
            let decoded = Tpdu::decode(&encoded);
            prop_assert_eq!(decoded.as_ref(), Ok(&tpdu));
            // A header that is cut off is no TPDU. User data has no length of its own.
            let header = usize::from(encoded[0]) + 1;
            for end in 0..header {
                prop_assert!(Tpdu::decode(&encoded[..end]).is_err());
            }
        }
    }

    #[test]
    fn garbage_closes_and_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, mut machine) in states() {
            let was_closed = machine.is_closed();
            let mut out = Vec::new();
            if machine.handle(NOW, CotpEvent::Tpdu(&garbage), &mut out).is_err() {
                prop_assert!(machine.is_closed());
                prop_assert_eq!(out.last(), Some(&CotpAction::Close));
                for action in &out {
                    if let CotpAction::Tpdu(tpdu) = action {
                        prop_assert!(Tpdu::decode(tpdu).is_ok(), "what goes back is valid");
                    }
                }
            }
            prop_assert!(!was_closed || out.is_empty());
        }
    }
}
