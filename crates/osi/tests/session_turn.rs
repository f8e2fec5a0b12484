//! Who has the turn: first, after tokens were given in any way, and with SPDUs that are concatenated in any way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use osi::session::spdu::{Ac, ConnectItem, FunctionalUnits, Spdu, UserData, decode_tsdu};
use osi::session::{
    InitialTurn, ReasonCode, SAccept, SConnect, SessionConfig, SessionError, SessionState, SpmEvent,
    SsIndication, SsRequest,
};

#[path = "support/session_pair.rs"]
mod session_pair;
use session_pair::{INITIATOR, Pair, RESPONDER, Wire};

fn config() -> SessionConfig {
    SessionConfig::default()
}

fn first(pair: &Pair, to: usize) -> Spdu {
    match pair.wires[to].front() {
        Some(Wire::Tsdu(tsdu)) => decode_tsdu(tsdu).unwrap().pop().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_caller_may_ask_for_each_assignment_of_the_tokens() {
    let (initiator, responder) = (InitialTurn::Initiator, InitialTurn::Responder);
    for (initial_turn, may_take, take_turn, offered, answered, ours) in [
        (initiator, false, false, 0x00, 0x00, true),
        (initiator, false, true, 0x00, 0x00, true),
        (responder, false, false, 0x15, 0x15, false),
        (responder, false, true, 0x15, 0x15, false),
        (initiator, true, false, 0x2A, 0x00, true),
        (initiator, true, true, 0x2A, 0x15, false),
    ] {
        let connect = SConnect { initial_turn, responder_may_take_turn: may_take, ..SConnect::default() };
        let mut pair = Pair::new(config(), config(), connect.clone());
        let Spdu::Cn(cn) = first(&pair, RESPONDER) else { panic!("no CN") };
        assert_eq!(cn.item.token_setting, Some(offered));
        pair.settle();
        let indicated = SConnect { response_limit: Some(65_536), ..connect };
        assert_eq!(pair.take(RESPONDER), [SsIndication::Connect(indicated)]);
        pair.ask(RESPONDER, SsRequest::ConnectAccept(SAccept { take_turn, ..SAccept::default() }));
        let Spdu::Ac(ac) = first(&pair, INITIATOR) else { panic!("no AC") };
        assert_eq!(ac.item.token_setting, Some(answered));
        pair.settle();
        let taken = may_take && take_turn;
        let confirm = SAccept { take_turn: taken, ..SAccept::default() };
        assert_eq!(pair.take(INITIATOR), [SsIndication::ConnectConfirm(confirm)]);
        assert_eq!([pair.spms[0].has_turn(), pair.spms[1].has_turn()], [ours, !ours]);
        let sender = if ours { INITIATOR } else { RESPONDER };
        pair.ask(sender, SsRequest::ActivityStart { activity: vec![1] });
        pair.settle();
        assert_eq!(pair.take(1 - sender).len(), 1);
    }
}

#[test]
fn a_token_setting_puts_all_tokens_on_one_side_or_is_refused() {
    for (setting, result) in [
        (0x00, Some((InitialTurn::Initiator, false))),
        (0x15, Some((InitialTurn::Responder, false))),
        (0x2A, Some((InitialTurn::Initiator, true))),
        // The release token is not there, wherever it is put.
        (0x55, Some((InitialTurn::Responder, false))),
        (0xC0, Some((InitialTurn::Initiator, false))),
        // A choice for some has to follow the others.
        (0x29, Some((InitialTurn::Responder, false))),
        (0x20, Some((InitialTurn::Initiator, false))),
        (0x01, None),
        (0x04, None),
        (0x11, None),
        (0x03, None),
        (0x3F, None),
    ] {
        let mut pair = Pair::new(config(), config(), SConnect::default());
        let Some(Wire::Tsdu(tsdu)) = pair.wires[RESPONDER].pop_front() else { panic!("no CN") };
        let Some(Spdu::Cn(mut cn)) = decode_tsdu(&tsdu).unwrap().pop() else { panic!("no CN") };
        cn.item.token_setting = Some(setting);
        let outcome = pair.event(RESPONDER, SpmEvent::Tsdu(&Spdu::Cn(cn).to_tsdu().unwrap()));
        match (result, pair.take(RESPONDER).as_slice()) {
            (Some((initial_turn, may_take)), [SsIndication::Connect(connect)]) => {
                assert_eq!(connect.initial_turn, initial_turn, "{setting:#04x}");
                assert_eq!(connect.responder_may_take_turn, may_take, "{setting:#04x}");
                pair.ask(RESPONDER, SsRequest::ConnectAccept(SAccept::default()));
                assert_eq!(pair.spms[RESPONDER].has_turn(), initial_turn == InitialTurn::Responder);
                let Spdu::Ac(ac) = first(&pair, INITIATOR) else { panic!("no AC") };
                let answered = ac.item.token_setting.unwrap();
                for shift in [0, 2, 4] {
                    assert!(answered >> shift & 3 < 2, "{setting:#04x}: every choice is made");
                }
            }
            (None, [SsIndication::ProviderAbort(_)]) => {
                assert_eq!(outcome, Err(SessionError::TokenSetting { setting }));
                assert!(matches!(first(&pair, INITIATOR), Spdu::Rf(rf) if rf.reason == 134));
            }
            other => panic!("{setting:#04x}: {other:?}"),
        }
    }
}

#[test]
fn an_acceptor_that_has_the_choice_has_to_make_it() {
    let ac = |token_setting| {
        let item = ConnectItem { version: Some(2), token_setting, ..ConnectItem::default() };
        Spdu::Ac(Ac { item, user_requirements: Some(FunctionalUnits::RTSE), ..Ac::default() })
            .to_tsdu()
            .unwrap()
    };
    for (setting, turn) in [
        (None, Some(true)),
        (Some(0), Some(true)),
        (Some(0x15), Some(false)),
        (Some(0x2A), None),
        (Some(1), None),
    ] {
        let connect = SConnect { responder_may_take_turn: true, ..SConnect::default() };
        let mut pair = Pair::new(config(), config(), connect);
        let result = pair.event(INITIATOR, SpmEvent::Tsdu(&ac(setting)));
        match turn {
            Some(turn) => assert_eq!((result, pair.spms[0].has_turn()), (Ok(()), turn)),
            None => assert!(matches!(result, Err(SessionError::TokenSetting { .. }))),
        }
        // Where it has none, what it says does not matter.
        let mut pair = Pair::new(config(), config(), SConnect::default());
        pair.event(INITIATOR, SpmEvent::Tsdu(&ac(setting))).unwrap();
        assert!(pair.spms[0].has_turn());
    }
}

#[test]
fn tokens_may_come_one_by_one() {
    let gt = |tokens| Spdu::Gt { tokens }.to_tsdu().unwrap();
    for order in [[0x01, 0x04, 0x10], [0x10, 0x01, 0x04], [0x11, 0x00, 0x04]] {
        let mut pair = Pair::connected(config(), config());
        for (index, tokens) in order.into_iter().enumerate() {
            assert!(!pair.spms[RESPONDER].has_turn());
            pair.event(RESPONDER, SpmEvent::Tsdu(&gt(tokens))).unwrap();
            let told = pair.take(RESPONDER);
            assert_eq!(told, if index == 2 { vec![SsIndication::ControlGive] } else { vec![] });
        }
        assert!(pair.spms[RESPONDER].has_turn());
        pair.ask(RESPONDER, SsRequest::ActivityStart { activity: vec![1] });
    }
    // Who has given some of them away has no turn to use.
    let mut pair = Pair::connected(config(), config());
    pair.event(RESPONDER, SpmEvent::Tsdu(&gt(1))).unwrap();
    assert_eq!(pair.spms[RESPONDER].state(), SessionState::TokensArriving);
    let start = Spdu::As { activity: vec![1], user: UserData::default() }.to_tsdu().unwrap();
    assert!(pair.event(RESPONDER, SpmEvent::Tsdu(&start)).is_err());
}

/// The sender still had the tokens for what it sent in the same TSDU.
#[test]
fn tokens_given_ahead_of_another_spdu_go_over_after_it() {
    let mut pair = Pair::connected(config(), config());
    let discard = b"\x01\x03\x10\x01\x15\x39\x00";
    let error = pair.event(RESPONDER, SpmEvent::Tsdu(discard)).unwrap_err();
    assert_eq!(error, SessionError::TokensGiven { tokens: 0x15 }, "not while the discard is answered");
    assert!(matches!(pair.take(RESPONDER).first(), Some(SsIndication::ActivityDiscard(_))));

    let mut pair = Pair::connected(config(), config());
    pair.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
    pair.ask(INITIATOR, SsRequest::ActivityEnd);
    pair.settle();
    // PT with the data token asked for, and AEA behind it.
    let both = b"\x02\x08\x10\x01\x01\xC1\x03\x02\x01\x00\x2A\x03\x2A\x01\x31";
    pair.event(INITIATOR, SpmEvent::Tsdu(both)).unwrap();
    assert_eq!(
        pair.take(INITIATOR),
        [SsIndication::ActivityEndConfirm, SsIndication::TokenPlease { user_data: vec![2, 1, 0] }]
    );
}

#[test]
fn either_leader_and_several_spdus_in_a_tsdu_are_taken() {
    let activity = || {
        let mut pair = Pair::connected(config(), config());
        pair.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
        pair.settle();
        pair.take(RESPONDER);
        pair
    };
    for leader in [&b"\x01\0"[..], b"\x02\0", b"\x01\0\x02\0"] {
        let mut pair = activity();
        let point = [leader, b"\x31\x03\x2A\x011"].concat();
        pair.event(RESPONDER, SpmEvent::Tsdu(&point)).unwrap();
        assert_eq!(pair.take(RESPONDER), [SsIndication::SyncMinor { serial: 1, confirm: true }]);
        // What belongs behind the other leader.
        pair.ask(INITIATOR, SsRequest::SyncMinor);
        let answer = [leader, b"\x32\x03\x2A\x011"].concat();
        pair.event(INITIATOR, SpmEvent::Tsdu(&answer)).unwrap();
        assert_eq!(pair.take(INITIATOR), [SsIndication::SyncMinorConfirm { serial: 1 }]);
        // Extended concatenation: two points, then data, which takes the rest.
        let mut pair = activity();
        let several = [leader, b"\x31\x03\x2A\x011\x31\x06\x0F\x01\x01\x2A\x012\x01\0data"].concat();
        pair.event(RESPONDER, SpmEvent::Tsdu(&several)).unwrap();
        assert_eq!(
            pair.take(RESPONDER),
            [
                SsIndication::SyncMinor { serial: 1, confirm: true },
                SsIndication::SyncMinor { serial: 2, confirm: false },
                SsIndication::Data(b"data".to_vec()),
            ]
        );
    }
    // A whole transfer in one TSDU.
    let mut pair = Pair::connected(config(), config());
    let start = b"\x01\0\x2D\x03\x29\x011\x31\x03\x2A\x011\x29\x03\x2A\x012";
    pair.event(RESPONDER, SpmEvent::Tsdu(start)).unwrap();
    assert_eq!(pair.take(RESPONDER).len(), 3);
    assert_eq!(pair.spms[RESPONDER].state(), SessionState::AwaitEndResponse);
    // An abort hides in none of them: what looks like AB behind a leader is AI.
    let mut pair = activity();
    pair.event(RESPONDER, SpmEvent::Tsdu(b"\x01\0\x19\x03\x32\x01\x01")).unwrap();
    assert_eq!(
        pair.take(RESPONDER),
        [SsIndication::ActivityInterrupt(ReasonCode::RECEIVING_ABILITY_JEOPARDIZED)]
    );
}

#[test]
fn extended_concatenation_is_offered_when_the_settings_say_so() {
    for offered in [false, true] {
        let config = SessionConfig { extended_concatenation: offered, ..config() };
        let mut pair = Pair::new(config.clone(), config, SConnect::default());
        let Spdu::Cn(cn) = first(&pair, RESPONDER) else { panic!("no CN") };
        assert_eq!(cn.item.protocol_options, Some(u8::from(offered)));
        pair.settle();
        pair.ask(RESPONDER, SsRequest::ConnectAccept(SAccept::default()));
        let Spdu::Ac(ac) = first(&pair, INITIATOR) else { panic!("no AC") };
        assert_eq!(ac.item.protocol_options, Some(u8::from(offered)));
    }
}

#[test]
fn absent_items_stand_for_their_defaults() {
    // A CN with nothing but user data: version 1, RTSE's functional units and capability data, tokens with the caller.
    let mut spm = osi::session::Spm::responder(config());
    let mut out = Vec::new();
    let now = clock::MonoTime::START;
    spm.handle(now, SpmEvent::TConnectIndication, &mut out).unwrap();
    spm.handle(now, SpmEvent::Tsdu(b"\x0D\x03\xC1\x01A"), &mut out).unwrap();
    assert_eq!(spm.version(), Some(osi::session::Version::V1));
    spm.handle(now, SpmEvent::Request(SsRequest::ConnectAccept(SAccept::default())), &mut out).unwrap();
    assert!(!spm.has_turn());
    let Some(osi::session::SpmAction::Tsdu(ac)) = out.last() else { panic!("{out:?}") };
    let Some(Spdu::Ac(ac)) = decode_tsdu(ac).unwrap().pop() else { panic!("no AC") };
    assert_eq!(ac.item.version, Some(1));
    assert_eq!(ac.user_requirements, Some(FunctionalUnits::RTSE));
    // And an AC with nothing at all.
    let mut pair = Pair::new(config(), config(), SConnect::default());
    pair.event(INITIATOR, SpmEvent::Tsdu(b"\x0E\x00")).unwrap();
    assert_eq!(pair.spms[INITIATOR].version(), Some(osi::session::Version::V1));
    assert!(pair.spms[INITIATOR].has_turn());
}
