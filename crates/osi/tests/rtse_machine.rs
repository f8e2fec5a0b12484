//! What the reliable transfer machine settles, refuses and confirms.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/rtpm.rs"]
mod rtpm;

use osi::acse::{AIndication, ARequest};
use osi::presentation::{PIndication, PRequest, SyncIndication, SyncRequest};
use osi::rtse::apdu::{Rtorj, Rtorq, RtseApdu};
use osi::rtse::{
    AbortReason, Aborted, Agreed, DialogueMode, Mode, OpenData, RequestError, RtIndication, RtRequest, Rtpm,
    RtpmAction, RtpmEvent, RtseConfig, RtseError,
};
use rtpm::{NORMAL, NOW, X410, associate, config, connect, data, mtse, rtoac, rtorq, rtse, states};

fn open_by(mode: Mode, rtorq: Rtorq, config: RtseConfig) -> (Result<(), RtseError>, Vec<RtpmAction>) {
    let mut rtpm = Rtpm::responder(config, rtse(), mtse());
    let mut out = Vec::new();
    rtpm.start(NOW, &mut out);
    (rtpm.handle(NOW, RtpmEvent::Association(associate(mode, rtorq)), &mut out), out)
}

#[test]
fn sizes_are_only_ever_reduced() {
    // Proposed and own checkpoint size, and the answer.
    for (proposed, own, answer) in [(63, 30, 30), (1, 30, 1), (0, 30, 0), (63, 0, 63), (0, 0, 0)] {
        let config = RtseConfig { checkpoint_size_kb: own, ..config(DialogueMode::TwoWayAlternate) };
        let (_, out) =
            open_by(NORMAL, Rtorq { checkpoint_size_kb: proposed, window_size: 9, ..rtorq() }, config);
        let [RtpmAction::Indication(RtIndication::Open(open))] = &out[..] else { panic!("{out:?}") };
        assert_eq!((open.agreed.checkpoint_size_kb, open.agreed.window_size), (answer, 1));
    }
    // Proposed, the peer's answer, and what holds.
    for (own, answered, holds) in [(30, 1, 1), (30, 63, 30), (0, 1, 1), (30, 0, 0)] {
        let config = RtseConfig { checkpoint_size_kb: own, window_size: 5, ..RtseConfig::default() };
        let mut rtpm = Rtpm::initiator(config, rtse(), mtse(), connect(), OpenData::Open(vec![5, 0]));
        let mut out = Vec::new();
        rtpm.start(NOW, &mut out);
        rtpm.handle(NOW, RtpmEvent::Association(rtoac(NORMAL, answered, 9)), &mut out).unwrap();
        let agreed =
            Agreed { checkpoint_size_kb: holds, window_size: 5, dialogue_mode: DialogueMode::Monologue };
        assert_eq!(rtpm.agreed(), Some(agreed));
    }
}

#[test]
fn sizes_are_reduced_again_when_the_bind_has_told_who_the_peer_is() {
    // Proposed, own and then wanted checkpoint size; wanted window; what is answered.
    let cases =
        [(63, 0, 30, 5, (30, 5)), (63, 30, 40, 0, (30, 1)), (63, 0, 0, 9, (63, 9)), (0, 0, 30, 99, (0, 9))];
    for (proposed, own, wanted, window, answer) in cases {
        let mut rtpm = Rtpm::responder(
            RtseConfig {
                checkpoint_size_kb: own,
                window_size: u32::MAX,
                ..config(DialogueMode::TwoWayAlternate)
            },
            rtse(),
            mtse(),
        );
        let mut out = Vec::new();
        rtpm.start(NOW, &mut out);
        let rtorq = Rtorq { checkpoint_size_kb: proposed, window_size: 9, ..rtorq() };
        rtpm.handle(NOW, RtpmEvent::Association(associate(NORMAL, rtorq)), &mut out).unwrap();
        rtpm.agree_at_most(wanted, window);
        rtpm.request(NOW, RtRequest::OpenAccept { user_data: vec![5, 0] }, &mut out).unwrap();
        let agreed = rtpm.agreed().unwrap();
        assert_eq!((agreed.checkpoint_size_kb, agreed.window_size), answer);
        let sent = out.iter().find_map(|action| match action {
            RtpmAction::Association(ARequest::AssociateAccept { user_information }) => Some(user_information),
            _ => None,
        });
        let Ok(RtseApdu::Rtoac(rtoac)) = RtseApdu::decode(sent.unwrap()) else { panic!("no RTOAC") };
        assert_eq!((rtoac.checkpoint_size_kb, rtoac.window_size), answer);
    }
}

#[test]
fn an_unwanted_dialogue_mode_is_rejected() {
    for (mode, refuse_reason) in [(NORMAL, None), (X410, Some(3))] {
        let (result, out) = open_by(mode, rtorq(), config(DialogueMode::Monologue));
        assert_eq!(result, Err(RtseError::TwoWayAlternate));
        assert_eq!(out, [rejection(mode, refuse_reason)]);
    }
}

fn rejection(mode: Mode, refuse_reason: Option<i64>) -> RtpmAction {
    let rtorj = RtseApdu::Rtorj(Rtorj { refuse_reason, user_data: Vec::new() });
    let user_information = rtorj.encode_in(mode.presentation());
    RtpmAction::Association(ARequest::AssociateReject { transient: false, user_information })
}

#[test]
fn application_protocols_that_are_not_offered_are_refused_in_x410_mode_alone() {
    for (found, taken) in [
        (Some(12), Some(12)),
        (Some(1), Some(1)),
        // As PP encodes 12.
        (Some(0x0C00), Some(12)),
        (Some(2), None),
        (None, None),
    ] {
        let rtorq = || Rtorq { application_protocol: found, ..rtorq() };
        let (result, out) = open_by(X410, rtorq(), config(DialogueMode::TwoWayAlternate));
        match taken {
            Some(application_protocol) => {
                let [RtpmAction::Indication(RtIndication::Open(open))] = &out[..] else { panic!("{out:?}") };
                assert_eq!(open.mode, Mode::X410 { application_protocol });
            }
            None => {
                assert_eq!(result, Err(RtseError::ApplicationProtocol { found }));
                assert_eq!(out, [rejection(X410, Some(2))]);
            }
        }
        let (result, out) = open_by(NORMAL, rtorq(), config(DialogueMode::TwoWayAlternate));
        assert_eq!(result, Ok(()));
        let [RtpmAction::Indication(RtIndication::Open(open))] = &out[..] else { panic!("{out:?}") };
        assert_eq!(open.mode, NORMAL);
    }
    // By default none is offered.
    let config = RtseConfig { dialogue_mode: DialogueMode::TwoWayAlternate, ..RtseConfig::default() };
    let (result, out) = open_by(X410, rtorq(), config);
    assert_eq!(result, Err(RtseError::ApplicationProtocol { found: Some(12) }));
    assert_eq!(out, [rejection(X410, Some(2))]);
}

#[test]
fn checkpoints_are_confirmed_when_they_are_secured_and_not_twice() {
    let mut rtpm = states(NORMAL, None).swap_remove(10).2;
    let mut out = Vec::new();
    for serial in 1..=4 {
        // One more than any window of ours: taken all the same.
        let minor = SyncIndication::Minor { serial, confirm: true };
        rtpm.handle(NOW, RtpmEvent::Presentation(PIndication::Sync(minor)), &mut out).unwrap();
    }
    assert_eq!(rtpm.deadline(), None, "the peer waits for us");
    out.clear();
    rtpm.request(NOW, RtRequest::CheckpointSecured { serial: 2 }, &mut out).unwrap();
    assert_eq!(out, [RtpmAction::Presentation(PRequest::Sync(SyncRequest::MinorResponse { serial: 2 }))]);
    for serial in [0, 1, 2, 5] {
        let error = rtpm.request(NOW, RtRequest::CheckpointSecured { serial }, &mut out).unwrap_err();
        assert_eq!(error, RequestError::Checkpoint { serial, secured: 2, received: 4 });
    }
    rtpm.request(NOW, RtRequest::CheckpointSecured { serial: 4 }, &mut out).unwrap();
    assert!(rtpm.deadline().is_some(), "it is the peer's move");
}

#[test]
fn a_stream_that_is_no_external_or_ends_early_aborts() {
    for octets in [&[0x30, 0][..], &[0x28, 7, 2, 1, 7, 0xA0, 2, 4, 0], &[0x28, 7, 2, 1, 5, 0xA0, 2, 4, 0, 0]]
    {
        let mut rtpm = states(NORMAL, None).swap_remove(10).2;
        let error =
            rtpm.handle(NOW, RtpmEvent::Presentation(data(NORMAL, octets)), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, RtseError::External(_)), "{error}");
    }
    let mut rtpm = states(NORMAL, None).swap_remove(10).2;
    let end = PIndication::Sync(SyncIndication::ActivityEnd { serial: 1 });
    let mut out = Vec::new();
    let error = rtpm.handle(NOW, RtpmEvent::Presentation(end), &mut out).unwrap_err();
    assert!(matches!(error, RtseError::External(_)), "{error}");
    assert!(matches!(out[..], [RtpmAction::Association(ARequest::Abort { .. })]));
}

#[test]
fn an_abort_of_the_peer_is_put_into_words() {
    let mut rtpm = states(NORMAL, None).swap_remove(5).2;
    let mut out = Vec::new();
    let user_information = vec![0x36, 3, 0x80, 1, 3];
    let abort = AIndication::Abort { by_provider: false, user_information };
    rtpm.handle(NOW, RtpmEvent::Association(abort), &mut out).unwrap();
    let [RtpmAction::Indication(RtIndication::Aborted(aborted))] = &out[..] else { panic!("{out:?}") };
    let Aborted { by_peer, reason, text, .. } = aborted;
    assert_eq!((*by_peer, *reason), (true, Some(AbortReason::TEMPORARY_PROBLEM)));
    assert!(text.contains("temporary problem"), "{text}");
}
