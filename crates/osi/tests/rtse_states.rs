//! Every state of the reliable transfer machine meets every event, and what each of them answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/rtpm.rs"]
mod rtpm;

use core::time::Duration;

use clock::MonoTime;
use osi::acse::ARequest;
use osi::rtse::apdu::{Rtab, RtseApdu};
use osi::rtse::{AbortReason, Aborted, Mode, RtIndication, Rtpm, RtpmAction, RtpmEvent, RtseError};
use rtpm::{NORMAL, NOW, X410, events, kept, requests, states};

#[test]
fn every_state_meets_every_event() {
    for mode in [NORMAL, X410] {
        every_state_meets_every_event_in(mode);
    }
}

fn every_state_meets_every_event_in(mode: Mode) {
    let (mut cells, mut allowed, mut refused, mut errors, mut resumable) = (0, 0, 0, 0, 0);
    for (name, association, rtpm) in states(mode, Some(kept(mode))) {
        assert_eq!(rtpm.state_name(), name);
        for request in requests(kept(mode)) {
            cells += 1;
            let mut rtpm = rtpm.clone();
            let before = format!("{rtpm:?}");
            let mut out = Vec::new();
            match rtpm.request(NOW, request, &mut out) {
                Ok(()) => {
                    allowed += 1;
                    resumable += usize::from(ends_resumable(&mut rtpm, &out));
                }
                Err(_) => {
                    refused += 1;
                    assert!(out.is_empty());
                    assert_eq!(format!("{rtpm:?}"), before);
                }
            }
        }
        for event in events(mode) {
            cells += 1;
            let mut rtpm = rtpm.clone();
            let mut out = Vec::new();
            match rtpm.handle(NOW, event, &mut out) {
                Ok(()) => {
                    allowed += 1;
                    resumable += usize::from(ends_resumable(&mut rtpm, &out));
                }
                Err(error) => {
                    errors += 1;
                    resumable += usize::from(rtpm.take_interrupted().is_some());
                    assert_eq!(rtpm.take_interrupted(), None, "it is given once");
                    assert!(!matches!(error, RtseError::Timeout { .. }));
                    assert_eq!(rtpm.state_name(), "ended");
                    assert!(rtpm.deadline().is_none());
                    let crossed = matches!(error, RtseError::GivenUpTooLate | RtseError::AcceptedAfterAll);
                    if let RtseError::AcceptedAfterAll = error {
                        let confirm = RtpmAction::Indication(RtIndication::TransferConfirm);
                        assert_eq!(out.remove(0), confirm);
                    }
                    let aborts = match &out[..] {
                        [RtpmAction::Association(ARequest::Abort { user_information })] => {
                            let reason = if crossed {
                                Some(AbortReason::TRANSFER_COMPLETED)
                            } else {
                                Some(AbortReason::PROTOCOL_ERROR)
                            };
                            let rtab = Rtab { reason, user_data: Vec::new() };
                            // Which mode it would have been is not known before anything has come.
                            let own = match (mode, association) {
                                (Mode::Normal1988, _) => mode,
                                (Mode::X410 { .. }, true) => mode,
                                (Mode::X410 { .. }, false) => NORMAL,
                            };
                            let expected = RtseApdu::Rtab(rtab).encode_in(own.presentation());
                            assert_eq!(user_information, &expected, "{name}");
                            true
                        }
                        [] => false,
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(aborts, association || name.contains("to be opened"), "{name}: {error}");
                }
            }
        }
    }
    let expected = match mode {
        Mode::Normal1988 => (1911, 521, 551, 839, 266),
        // Without an EXTERNAL an APDU may end anywhere: at once, or with another octet.
        Mode::X410 { .. } => (1911, 530, 551, 830, 266),
    };
    assert_eq!((cells, allowed, refused, errors, resumable), expected);
}

/// Whether this was the end of a transfer that can be resumed.
fn ends_resumable(rtpm: &mut Rtpm, out: &[RtpmAction]) -> bool {
    let ended = out.iter().any(|action| {
        matches!(action, RtpmAction::Indication(RtIndication::Aborted(Aborted { interrupted: Some(_), .. })))
    });
    if rtpm.state_name() == "ended" {
        assert_eq!(rtpm.take_interrupted(), None, "it is given once");
    }
    ended
}

#[test]
fn every_wait_for_the_peer_has_an_end() {
    let waits = states(NORMAL, None).into_iter().filter(|(name, _, _)| name.starts_with("waiting")).count();
    assert_eq!(waits, 19);
    for (name, _, mut rtpm) in states(NORMAL, None) {
        let Some(deadline) = rtpm.deadline() else {
            assert!(!name.starts_with("waiting"), "{name}");
            continue;
        };
        let mut out = Vec::new();
        let early = deadline.since_start() - Duration::from_nanos(1);
        rtpm.handle(MonoTime::after_start(early), RtpmEvent::Deadline, &mut out).unwrap();
        assert!(out.is_empty());
        let error = rtpm.handle(deadline, RtpmEvent::Deadline, &mut out).unwrap_err();
        assert!(matches!(error, RtseError::Timeout { .. }));
        assert_eq!(error.blame(), osi::failure::Blame::PeerGone);
        assert_eq!(rtpm.state_name(), "ended");
    }
}
