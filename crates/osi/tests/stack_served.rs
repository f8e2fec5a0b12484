//! Which called selectors are answered, and which layer refuses the others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/pair.rs"]
mod pair;

use osi::failure::{Blame, Layer};
use osi::rtse::{Mode, RtIndication};
use osi::stack::{ServedSelectors, StackConfig};
use pair::{Pair, config};

fn served(transport: Option<&str>, session: Option<&str>, presentation: Option<&str>) -> ServedSelectors {
    let octets = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    ServedSelectors {
        transport: octets(transport),
        session: octets(session),
        presentation: octets(presentation),
    }
}

fn calling(transport: &str, session: &str, presentation: &str) -> StackConfig {
    let mut a = config();
    a.remote.transport = transport.into();
    a.remote.session = session.into();
    a.remote.presentation = presentation.into();
    a
}

/// The layer, the code on the wire and what the called side says of it; nothing if the bind went through.
fn outcome(a: StackConfig, served: &[ServedSelectors]) -> Option<(Layer, Option<u32>, String)> {
    let mut b = config();
    b.served = served.to_vec();
    b.rtse.application_protocols = vec![12];
    let mut pair = Pair::new(a, b);
    pair.start();
    if pair.b.log.iter().any(|indication| matches!(indication, RtIndication::Open(_))) {
        assert!(!pair.b.stack.was_called_in_vain());
        return None;
    }
    pair.run_to_end();
    assert!(pair.b.stack.was_called_in_vain());
    let Some(RtIndication::OpenRefused(refused)) = pair.a.last() else { panic!("{:?}", pair.a.log) };
    let [RtIndication::Aborted(aborted)] = pair.b.log.as_slice() else { panic!("{:?}", pair.b.log) };
    assert_eq!(
        (aborted.layer, aborted.blame, aborted.by_peer),
        (refused.layer, Blame::PeerIncompatible, false)
    );
    assert!(!refused.transient);
    Some((refused.layer, refused.code, aborted.text.clone()))
}

#[test]
fn the_lowest_layer_that_knows_better_refuses_and_says_what_was_called() {
    let ours = [served(Some("T"), Some("S"), Some("P"))];
    assert_eq!(outcome(calling("T", "S", "P"), &ours), None);
    let wrong = |t, s, p| outcome(calling(t, s, p), &ours).unwrap();
    let (layer, code, text) = wrong("t", "S", "P");
    assert_eq!((layer, code), (Layer::Cotp, Some(3)));
    assert_eq!(text, "called transport selector `t` is not served here");
    let (layer, code, text) = wrong("T", "\u{0}\u{1}", "P");
    assert_eq!((layer, code), (Layer::Session, Some(129)));
    assert_eq!(text, "called session selector 0x0001 is not served here");
    let (layer, code, text) = wrong("T", "S", "");
    assert_eq!((layer, code), (Layer::Presentation, Some(3)));
    assert_eq!(text, "called without a presentation selector, which is not served here");
}

#[test]
fn a_call_must_fit_one_address_as_a_whole() {
    let ours = [served(Some("T1"), Some("S1"), None), served(Some("T2"), None, Some("P2"))];
    assert_eq!(outcome(calling("T1", "S1", "whatever"), &ours), None);
    assert_eq!(outcome(calling("T2", "", "P2"), &ours), None);
    let layer = |a| outcome(a, &ours).map(|(layer, ..)| layer);
    assert_eq!(layer(calling("T1", "S2", "P2")), Some(Layer::Session));
    assert_eq!(layer(calling("T2", "S1", "P1")), Some(Layer::Presentation));
    assert_eq!(layer(calling("", "S1", "P2")), Some(Layer::Cotp));
}

#[test]
fn without_a_list_every_call_is_served_and_the_user_learns_the_selectors() {
    let mut a = calling("592", "S", "P");
    a.local.session = b"s".to_vec();
    a.local.presentation = b"p".to_vec();
    let mut pair = Pair::new(a, config());
    pair.start();
    let RtIndication::Open(open) = &pair.b.log[0] else { panic!("{:?}", pair.b.log) };
    assert_eq!(open.selectors.called_transport, b"592");
    assert_eq!(
        (open.selectors.called_session.as_slice(), open.selectors.calling_session.as_slice()),
        (&b"S"[..], &b"s"[..])
    );
    assert_eq!(open.selectors.calling_presentation, b"p");
}

#[test]
fn x410_mode_has_no_presentation_selectors_to_miss() {
    let ours = [served(Some("T"), Some("S"), Some("P"))];
    let mut a = calling("T", "S", "");
    a.rtse.mode = Mode::X410 { application_protocol: 12 };
    assert_eq!(outcome(a.clone(), &ours), None);
    a.remote.session = b"s".to_vec();
    assert_eq!(outcome(a, &ours).map(|(layer, code, _)| (layer, code)), Some((Layer::Session, Some(129))));
}
