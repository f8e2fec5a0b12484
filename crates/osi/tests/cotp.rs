//! COTP class 0: codec vectors, negotiation, two machines back to back. Every state with every event is in
//! `cotp_states.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use clock::MonoTime;
use osi::cotp::tpdu::{Connect, DrReason, encode_dt};
use osi::cotp::{
    Cotp, CotpAction, CotpConfig, CotpError, CotpEvent, TDisconnect, TDisconnectReason, TIndication,
    TRequest, Tpdu, TpduError, TpduSize,
};
use osi::failure::Blame;
use proptest::prelude::*;

const NOW: MonoTime = MonoTime::START;

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
    for bad in [&b"\x09\xE0\0\0\0\x01\0\xC0\x01\x06"[..], b"\x09\xE0\0\0\0\x01\0\xC0\x01\x11"] {
        let error = TpduError::Parameter { tpdu: "CR", code: 0xC0, octets: 1 };
        assert_eq!(Tpdu::decode(bad), Err(error));
    }
    assert_eq!(Tpdu::decode(b"\x02\x20\0"), Err(TpduError::Code { code: 0x20 }));
    assert_eq!(Tpdu::decode(b"\xFF\xF0\x80"), Err(TpduError::Truncated { needed: 255, left: 2 }));
    for size in [&b""[..], b"\0", b"\0\0\0\0\x01"] {
        let mut bad = vec![8, 0xE0, 0, 0, 0, 1, 0, 0xF0, size.len() as u8];
        bad.extend_from_slice(size);
        bad[0] += size.len() as u8;
        let error = TpduError::Parameter { tpdu: "CR", code: 0xF0, octets: size.len() };
        assert_eq!(Tpdu::decode(&bad), Err(error));
    }
    // RFC 1006 lets user data ride on these, which nobody here reads.
    for with_data in
        [&b"\x06\x80\0\x01\0\x02\x80\x55"[..], b"\x06\xD0\0\x01\0\x02\0hello", b"\x04\x70\0\x01\0x"]
    {
        let header = usize::from(with_data[0]) + 1;
        assert_eq!(Tpdu::decode(with_data).unwrap().encode().unwrap(), with_data[..header]);
    }
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

#[test]
fn sizes_over_8192_octets_are_offered_as_preferred_and_agreed_in_either_form() {
    let size = |octets: usize| TpduSize::at_most(octets).unwrap();
    let longest =
        |out: Vec<CotpAction>| out.iter().map(|action| only_tpdu(core::slice::from_ref(action)).len()).max();
    // What a caller configures, what stands in its CR, what a called side agrees to, what a TPDU of each is then.
    for (ours, offer, theirs, agreed) in [
        (2048, (Some(2048), None), 65_531, 2048),
        (8192, (Some(8192), None), 65_531, 8192),
        (16_384, (Some(8192), Some(128)), 65_531, 16_384),
        (65_531, (Some(8192), Some(511)), 65_531, 65_408),
        (65_531, (Some(8192), Some(511)), 32_768, 32_768),
        (65_531, (Some(8192), Some(511)), 128, 128),
        (128, (Some(128), None), 65_531, 128),
    ] {
        let mut initiator = Cotp::initiator(CotpConfig { tpdu_size: size(ours), ..config() });
        let mut responder = Cotp::responder(CotpConfig { tpdu_size: size(theirs), ..config() });
        let cr = only_tpdu(&ok(&mut initiator, CotpEvent::Start)).to_vec();
        let Ok(Tpdu::Cr(offered)) = Tpdu::decode(&cr) else { panic!("no CR") };
        assert_eq!((offered.tpdu_size, offered.preferred_size), (offer.0.map(size), offer.1));
        ok(&mut responder, CotpEvent::Tpdu(&cr));
        let cc = only_tpdu(&ok(&mut responder, CotpEvent::Request(TRequest::Accept))).to_vec();
        ok(&mut initiator, CotpEvent::Tpdu(&cc));
        for machine in [&mut initiator, &mut responder] {
            let out = ok(machine, CotpEvent::Request(TRequest::Data(vec![1; 200_000])));
            assert_eq!(longest(out), Some(agreed), "{ours} {theirs}");
        }
    }
    // The extension of the older parameter that some send: 16 stands for as much as a packet holds.
    let mut responder = Cotp::responder(CotpConfig { tpdu_size: TpduSize::RFC_1006, ..config() });
    ok(&mut responder, CotpEvent::Tpdu(b"\x09\xE0\0\0\0\x01\0\xC0\x01\x10"));
    let out = ok(&mut responder, CotpEvent::Request(TRequest::Accept));
    assert_eq!(only_tpdu(&out), b"\x09\xD0\0\x01\0\x01\0\xC0\x01\x10");
    let out = ok(&mut responder, CotpEvent::Request(TRequest::Data(vec![1; 200_000])));
    assert_eq!(longest(out), Some(65_531));
    // A caller that prefers more than a packet holds, and one that is answered what it did not ask for.
    let mut responder = Cotp::responder(CotpConfig { tpdu_size: TpduSize::RFC_1006, ..config() });
    ok(&mut responder, CotpEvent::Tpdu(b"\x0A\xE0\0\0\0\x01\0\xF0\x02\xFF\xFF"));
    let out = ok(&mut responder, CotpEvent::Request(TRequest::Accept));
    assert_eq!(only_tpdu(&out), b"\x0A\xD0\0\x01\0\x01\0\xF0\x02\x01\xFF");
    let mut initiator = Cotp::initiator(CotpConfig { tpdu_size: TpduSize::OCTETS_2048, ..config() });
    ok(&mut initiator, CotpEvent::Start);
    ok(&mut initiator, CotpEvent::Tpdu(b"\x0A\xD0\0\x01\0\x09\0\xF0\x02\x01\xFF"));
    let out = ok(&mut initiator, CotpEvent::Request(TRequest::Data(vec![1; 200_000])));
    assert_eq!(longest(out), Some(2048));
}

#[test]
fn every_tpdu_as_it_is_on_the_wire() {
    let connect = |tpdu_size, preferred_size, calling: Option<&[u8]>, called: Option<&[u8]>| Connect {
        destination: 0x1234,
        source: 0x5678,
        tpdu_size,
        preferred_size,
        calling_selector: calling.map(<[u8]>::to_vec),
        called_selector: called.map(<[u8]>::to_vec),
        ..Connect::default()
    };
    for (octets, tpdu) in [
        (&b"\x06\xE0\x12\x34\x56\x78\0"[..], Tpdu::Cr(connect(None, None, None, None))),
        (
            b"\x13\xD0\x12\x34\x56\x78\0\xC0\x01\x07\xC1\x01\0\xC2\x00\xF0\x01\x10",
            Tpdu::Cc(connect(Some(TpduSize::MIN), Some(16), Some(b"\0"), Some(b""))),
        ),
        (
            b"\x07\xE0\0\0\0\0\x40\xC7\x01\0",
            Tpdu::Cr(Connect { class: 4, class_0_alternative: true, ..Connect::default() }),
        ),
        (
            b"\x06\x80\x12\x34\0\0\x88",
            Tpdu::Dr {
                destination: 0x1234,
                source: 0,
                reason: DrReason::CONNECTION_REFUSED,
                information: vec![],
            },
        ),
        (
            b"\x0A\x80\x12\x34\x56\x78\x03\xE0\x02no",
            Tpdu::Dr {
                destination: 0x1234,
                source: 0x5678,
                reason: DrReason::ADDRESS_UNKNOWN,
                information: b"no".to_vec(),
            },
        ),
        (b"\x02\xF0\x80", Tpdu::Dt { end_of_tsdu: true, data: vec![] }),
        (b"\x02\xF0\x00\x02\xF0", Tpdu::Dt { end_of_tsdu: false, data: vec![2, 0xF0] }),
        (b"\x04\x70\x12\x34\x02", Tpdu::Er { destination: 0x1234, cause: 2, invalid: vec![] }),
        (
            b"\x09\x70\x12\x34\x03\xC1\x03\x02\x20\0",
            Tpdu::Er { destination: 0x1234, cause: 3, invalid: vec![2, 0x20, 0] },
        ),
    ] {
        let mut golden = octets.to_vec();
        // The length of a header is what its octets are, less this one and user data.
        if !matches!(tpdu, Tpdu::Dt { .. }) {
            golden[0] = (octets.len() - 1) as u8;
        }
        assert_eq!(tpdu.encode().unwrap(), golden, "{tpdu:?}");
        assert_eq!(Tpdu::decode(&golden).unwrap(), tpdu);
    }
}

/// A machine in the state of this name.
fn states() -> Vec<Cotp> {
    let not_started = Cotp::initiator(config());
    let mut await_cc = not_started.clone();
    ok(&mut await_cc, CotpEvent::Start);
    let mut open = await_cc.clone();
    ok(&mut open, CotpEvent::Tpdu(&confirmed(None)));
    let mut await_cr = Cotp::responder(config());
    ok(&mut await_cr, CotpEvent::Start);
    let mut closed = open.clone();
    ok(&mut closed, CotpEvent::Request(TRequest::Disconnect));
    vec![not_started, await_cc, await_cr, open, closed]
}

proptest! {
    #[test]
    fn tsdus_survive_any_tpdu_size(exponent in 7u32..=13, tsdu in prop::collection::vec(any::<u8>(), 1..5000)) {
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
        destination: u16, source: u16, reason: u8, preferred: Option<u32>,
        calling in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        octets in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let connect = Connect {
            destination, source, class: 0, class_0_alternative: false, tpdu_size: None,
            preferred_size: preferred.filter(|units| *units > 0),
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
        for mut machine in states() {
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
