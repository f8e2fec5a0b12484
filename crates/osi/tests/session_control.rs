//! User data of SPDUs other than CN and DT: bounds of each version in both directions, and segments.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use osi::failure::Blame;
use osi::session::spdu::{
    Ac, ConnectItem, Enclosure, FunctionalUnits, Segmented, Spdu, TransportDisconnect, UserData, decode_tsdu,
};
use osi::session::{
    ConnectionIdentifier, ReasonCode, SAccept, SConnect, SRefuse, SessionConfig, SessionError, SessionState,
    Spm, SpmEvent, SsIndication, SsRequest, Version,
};
use proptest::prelude::*;

#[path = "support/session_pair.rs"]
mod session_pair;
use session_pair::{INITIATOR, Pair, RESPONDER, Wire, only};

fn config() -> SessionConfig {
    SessionConfig::default()
}

fn version_1() -> SessionConfig {
    SessionConfig { version_max: Version::V1, ..config() }
}

fn octets(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(length).collect()
}

fn segment(bits: u8, length: usize) -> UserData {
    UserData { enclosure: Some(Enclosure(bits)), octets: octets(length) }
}

fn tsdu(spdu: &Spdu) -> Vec<u8> {
    spdu.to_tsdu().unwrap()
}

#[test]
fn version_1_sends_and_takes_512_octets() {
    for (length, fits) in [(512, true), (513, false)] {
        // Sent.
        let mut pair = Pair::new(version_1(), config(), SConnect::default());
        pair.settle();
        let accept = SsRequest::ConnectAccept(SAccept { user_data: octets(length), ..SAccept::default() });
        assert_eq!(pair.event(RESPONDER, SpmEvent::Request(accept)).is_ok(), fits);
        let refuse = SsRequest::ConnectRefuse(SRefuse { reason: 2, user_data: octets(length) });
        if !fits {
            assert!(pair.event(RESPONDER, SpmEvent::Request(refuse)).is_err());
        }
        let mut pair = Pair::connected(version_1(), config());
        let release = SsRequest::Release { user_data: octets(length) };
        assert_eq!(pair.event(INITIATOR, SpmEvent::Request(release)).is_ok(), fits);
        let please = SsRequest::TokenPlease { user_data: octets(length) };
        assert_eq!(pair.event(RESPONDER, SpmEvent::Request(please)).is_ok(), fits);

        // Taken.
        let mut pair = Pair::new(config(), config(), SConnect::default());
        let ac = Spdu::Ac(Ac {
            item: ConnectItem { version: Some(1), ..ConnectItem::default() },
            user_requirements: Some(FunctionalUnits::RTSE),
            user: UserData::whole(octets(length)),
            ..Ac::default()
        });
        assert_eq!(pair.event(INITIATOR, SpmEvent::Tsdu(&tsdu(&ac))).is_ok(), fits);
        let mut pair = Pair::connected(version_1(), config());
        let fin = Spdu::Fn { transport_disconnect: None, user: UserData::whole(octets(length)) };
        let result = pair.event(RESPONDER, SpmEvent::Tsdu(&tsdu(&fin)));
        assert_eq!(result.is_ok(), fits);
        if let Err(error) = result {
            assert_eq!(error, SessionError::UserDataTooLong { spdu: "FN", octets: 513, limit: 512 });
            assert_eq!(error.blame(), Blame::PeerMisbehaved);
        }
    }
}

#[test]
fn version_2_sends_and_takes_what_the_settings_allow() {
    let small = SessionConfig { max_user_data: 2000, ..config() };
    for (length, fits) in [(2000, true), (2001, false)] {
        let mut pair = Pair::connected(small.clone(), config());
        let release = SsRequest::Release { user_data: octets(length) };
        assert_eq!(pair.event(INITIATOR, SpmEvent::Request(release)).is_ok(), fits);
        let mut pair = Pair::connected(config(), small.clone());
        pair.ask(INITIATOR, SsRequest::Release { user_data: octets(length) });
        pair.arrive(RESPONDER);
        let state = pair.spms[RESPONDER].state();
        assert_eq!(state == SessionState::AwaitReleaseResponse, fits, "{state}");
        // An abort is sent in any case, without the data that does not fit.
        let mut pair = Pair::connected(small.clone(), config());
        pair.ask(INITIATOR, SsRequest::Abort { user_data: octets(length) });
        pair.settle();
        let user_data = if fits { octets(length) } else { vec![] };
        assert_eq!(pair.take(RESPONDER), [SsIndication::Abort { user_data }]);
    }
}

#[test]
fn a_short_tsdu_size_cuts_user_data_into_segments() {
    let sized = SessionConfig { tsdu_max: 100, ..config() };
    let mut pair = Pair::new(sized.clone(), sized, SConnect::default());
    pair.settle();
    pair.take(RESPONDER);
    let identifier = ConnectionIdentifier { user_reference: Some(vec![4; 30]), ..Default::default() };
    let accept = SAccept {
        identifier,
        responding_selector: Some(vec![5; 16]),
        user_data: octets(300),
        take_turn: false,
    };
    pair.ask(RESPONDER, SsRequest::ConnectAccept(accept.clone()));
    let sent: Vec<Spdu> = pair.wires[INITIATOR]
        .iter()
        .map(|wire| match wire {
            Wire::TsduPart(..) => panic!("nobody sends in parts here"),
            Wire::Tsdu(tsdu) => {
                assert!(tsdu.len() <= 100);
                decode_tsdu(tsdu).unwrap().pop().unwrap()
            }
            Wire::TDisconnect => panic!("the connection ended"),
        })
        .collect();
    let Some(Spdu::Ac(first)) = sent.first() else { panic!("{sent:?}") };
    assert_eq!(first.user.enclosure, Some(Enclosure::BEGINNING));
    for (index, later) in sent.iter().enumerate().skip(1) {
        let Spdu::Segment { of: Segmented::Ac, user } = later else { panic!("{later:?}") };
        assert_eq!(user.enclosure, Some(Enclosure::of(false, index + 1 == sent.len())));
    }
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectConfirm(accept)]);

    // The others that carry user data of ours.
    pair.ask(RESPONDER, SsRequest::TokenPlease { user_data: octets(200) });
    assert!(pair.wires[INITIATOR].len() > 1);
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::TokenPlease { user_data: octets(200) }]);
    let mut other = pair.clone();
    other.ask(INITIATOR, SsRequest::Abort { user_data: octets(1000) });
    other.settle();
    assert_eq!(other.take(RESPONDER), [SsIndication::Abort { user_data: octets(1000) }]);
    assert!(other.spms.iter().all(Spm::is_closed));
    pair.ask(INITIATOR, SsRequest::Release { user_data: octets(400) });
    pair.settle();
    assert_eq!(pair.take(RESPONDER), [SsIndication::Release { user_data: octets(400) }]);
    pair.ask(RESPONDER, SsRequest::ReleaseResponse { user_data: octets(500) });
    pair.settle();
    assert_eq!(pair.take(INITIATOR), [SsIndication::ReleaseConfirm { user_data: octets(500) }]);
}

/// An acceptor may repeat the other parameters in each segment.
#[test]
fn later_segments_are_taken_with_other_parameters_too() {
    let mut pair = Pair::new(config(), config(), SConnect::default());
    let first = Spdu::Ac(Ac {
        item: ConnectItem { version: Some(2), ..ConnectItem::default() },
        user_requirements: Some(FunctionalUnits::RTSE),
        user: segment(1, 3),
        ..Ac::default()
    });
    let mut later = b"\x0E\x0C\x05\x03\x16\x01\x02\x19\x01\x02\xC1\x02".to_vec();
    later[1] = 14;
    later.splice(7..7, *b"\x14\x02\x02\x49");
    later[1] = (later.len() - 2 + 2) as u8;
    later.extend_from_slice(&[9, 9]);
    pair.event(INITIATOR, SpmEvent::Tsdu(&tsdu(&first))).unwrap();
    pair.event(INITIATOR, SpmEvent::Tsdu(&later)).unwrap();
    let Some(SsIndication::ConnectConfirm(accept)) = only(pair.take(INITIATOR)) else { panic!("no confirm") };
    assert_eq!(accept.user_data, [0, 0, 0, 9, 9]);
}

#[test]
fn segments_that_make_no_user_data_are_refused() {
    let open = Pair::connected(config(), config());
    let mut activity = open.clone();
    activity.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
    activity.settle();
    let fin = |user| Spdu::Fn { transport_disconnect: None, user };
    let ed = |user| Spdu::Ed { reason: None, user };
    let later = |of, bits| Spdu::Segment { of, user: segment(bits, 5) };
    let misfit = |spdu, enclosure, problem| SessionError::Enclosure { spdu, enclosure, problem };
    let begun = "the user data of another SPDU has not ended";
    let none = "no user data has begun";
    let limit = 64 * 1024;
    for (pair, side, spdus, error) in [
        (&open, RESPONDER, vec![later(Segmented::Fn, 2)], misfit("FN", 2, none)),
        (&activity, INITIATOR, vec![later(Segmented::Ed, 0)], misfit("ED", 0, none)),
        (&open, RESPONDER, vec![fin(segment(1, 9)), fin(segment(1, 9))], misfit("FN", 1, begun)),
        (&open, RESPONDER, vec![fin(segment(1, 9)), later(Segmented::Dn, 2)], misfit("FN", 2, begun)),
        (&open, RESPONDER, vec![fin(segment(1, 9)), Spdu::Gtc], misfit("FN", 3, begun)),
        (
            &activity,
            INITIATOR,
            vec![ed(segment(1, 9)), Spdu::Mia { serial: 1, user: UserData::default() }],
            misfit("ED", 3, begun),
        ),
        (
            &open,
            RESPONDER,
            vec![fin(segment(1, 40_000)), Spdu::Segment { of: Segmented::Fn, user: segment(0, 40_000) }],
            SessionError::SsduTooLong { limit },
        ),
        (
            &open,
            RESPONDER,
            vec![
                fin(segment(1, 65_500)),
                later(Segmented::Fn, 0),
                later(Segmented::Fn, 0),
                Spdu::Segment { of: Segmented::Fn, user: segment(0, 27) },
            ],
            SessionError::SsduTooLong { limit },
        ),
    ] {
        let mut pair = pair.clone();
        let (last, before) = spdus.split_last().unwrap();
        for spdu in before {
            pair.event(side, SpmEvent::Tsdu(&tsdu(spdu))).unwrap();
        }
        assert_eq!(pair.event(side, SpmEvent::Tsdu(&tsdu(last))), Err(error), "{spdus:?}");
        assert_eq!(pair.spms[side].partial_octets(), 0);
    }
    let mut old = Pair::connected(version_1(), config());
    let error = old.event(RESPONDER, SpmEvent::Tsdu(&tsdu(&fin(segment(1, 9))))).unwrap_err();
    assert_eq!(error, SessionError::SegmentedSpdu { spdu: "FN" });
}

#[test]
fn an_abort_ends_what_is_in_segments() {
    let mut pair = Pair::connected(config(), config());
    let fin = Spdu::Fn { transport_disconnect: None, user: segment(1, 9) };
    pair.event(RESPONDER, SpmEvent::Tsdu(&tsdu(&fin))).unwrap();
    let bits = TransportDisconnect(TransportDisconnect::RELEASE | TransportDisconnect::USER_ABORT);
    let ab = |user| Spdu::Ab { transport_disconnect: Some(bits), reflected: vec![], user };
    let mut other = pair.clone();
    other.event(RESPONDER, SpmEvent::Tsdu(&tsdu(&ab(UserData::whole(vec![1]))))).unwrap();
    assert_eq!(other.take(RESPONDER), [SsIndication::Abort { user_data: vec![1] }]);
    pair.event(RESPONDER, SpmEvent::Tsdu(&tsdu(&ab(segment(1, 4))))).unwrap();
    let last = Spdu::Segment { of: Segmented::Ab, user: segment(2, 4) };
    pair.event(RESPONDER, SpmEvent::Tsdu(&tsdu(&last))).unwrap();
    assert_eq!(pair.take(RESPONDER), [SsIndication::Abort { user_data: [octets(4), octets(4)].concat() }]);
}

/// Each SPDU that a peer may segment, in three pieces; RTSE has no use for most of this user data.
#[test]
fn every_spdu_with_user_data_may_come_in_segments() {
    let begin = || segment(1, 600);
    let open = Pair::connected(config(), config());
    let activity = |after: &[SsRequest]| {
        let mut pair = Pair::connected(config(), config());
        pair.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
        after.iter().for_each(|request| pair.ask(INITIATOR, request.clone()));
        pair.settle();
        pair.take(RESPONDER);
        pair
    };
    let resume = osi::session::ActivityResume::default();
    for (pair, side, first, of, state) in [
        (
            open.clone(),
            RESPONDER,
            Spdu::As { activity: vec![1], user: begin() },
            Segmented::As,
            SessionState::Receiving,
        ),
        (open.clone(), RESPONDER, Spdu::Ar { resume, user: begin() }, Segmented::Ar, SessionState::Receiving),
        (
            activity(&[]),
            RESPONDER,
            Spdu::Mip { confirm: true, serial: 1, user: begin() },
            Segmented::Mip,
            SessionState::Receiving,
        ),
        (
            activity(&[]),
            RESPONDER,
            Spdu::Ae { serial: 1, user: begin() },
            Segmented::Ae,
            SessionState::AwaitEndResponse,
        ),
        (
            activity(&[SsRequest::SyncMinor]),
            INITIATOR,
            Spdu::Mia { serial: 1, user: begin() },
            Segmented::Mia,
            SessionState::Sending,
        ),
        (
            activity(&[SsRequest::ActivityEnd]),
            INITIATOR,
            Spdu::Aea { serial: 1, user: begin() },
            Segmented::Aea,
            SessionState::OpenWithTurn,
        ),
        (
            activity(&[]),
            INITIATOR,
            Spdu::Ed { reason: Some(ReasonCode(1)), user: begin() },
            Segmented::Ed,
            SessionState::ExceptionReceived,
        ),
        (
            open.clone(),
            INITIATOR,
            Spdu::Pt { tokens: 1, user: begin() },
            Segmented::Pt,
            SessionState::OpenWithTurn,
        ),
    ] {
        let mut pair = pair;
        pair.event(side, SpmEvent::Tsdu(&tsdu(&first))).unwrap();
        assert_eq!(pair.take(side), [], "{of:?}");
        assert_eq!(pair.spms[side].partial_octets(), 600);
        for bits in [0, 2] {
            let later = Spdu::Segment { of, user: segment(bits, 5) };
            pair.event(side, SpmEvent::Tsdu(&tsdu(&later))).unwrap();
        }
        assert_eq!(pair.take(side).len(), 1, "{of:?}");
        assert_eq!(pair.spms[side].state(), state, "{of:?}");
        assert_eq!(pair.spms[side].partial_octets(), 0);
    }
}

proptest! {
    #[test]
    fn user_data_of_any_length_survives_any_tsdu_size(
        ours: u16, theirs: u16, small in 8u16..60, use_small: bool, length in 0usize..65_537
    ) {
        let ours = if use_small { small } else { ours };
        let sized = |tsdu_max| SessionConfig { tsdu_max, ..config() };
        let mut pair = Pair::connected(sized(ours), sized(theirs));
        pair.ask(INITIATOR, SsRequest::Release { user_data: octets(length) });
        let max = match (ours, theirs) {
            (0, _) | (_, 0) => 65_539,
            // The first of the segments has other parameters, so that it may be longer than that.
            _ => usize::from(ours.min(theirs)).max(16),
        };
        for wire in &pair.wires[RESPONDER] {
            let Wire::Tsdu(tsdu) = wire else { panic!("the connection ended") };
            prop_assert!(tsdu.len() <= max);
        }
        pair.settle();
        prop_assert_eq!(pair.take(RESPONDER), [SsIndication::Release { user_data: octets(length) }]);
    }
}
