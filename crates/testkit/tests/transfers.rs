//! APDUs and contents of another MTA's traffic are read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use mhs::ContentType;
use mhs::ipm::{InformationObject, Ipm};
use mhs::p1::{Message, MtsApdu};
use testkit::{Capture, GoldenVector, Side, wrap_apdu};

#[test]
fn a_wrapped_apdu_comes_out_again() {
    let apdu = GoldenVector::Message.octets();
    let capture = Capture::parse(&wrap_apdu(&apdu).into_vec()).unwrap();
    let transfers = capture.connections[0].transfers(Side::Initiator);
    assert_eq!(transfers.len(), 1);
    assert!(transfers[0].ended);
    assert_eq!(transfers[0].apdu(), Some(apdu));
    assert!(capture.connections[0].transfers(Side::Responder).is_empty());
}

/// Contents that a generator made wrong, by capture.
const MALFORMED: [&str; 2] =
    ["pp-p1-88-transfer-legacy-extensions.pcap", "pp-p1-88-y2k-malformed-utctime-abort.pcap"];

#[test]
fn every_transfer_of_every_capture_is_read() {
    let (mut messages, mut reports, mut probes, mut broken) = (0, 0, 0, 0);
    for name in fixtures() {
        let capture = Capture::fixture(&name);
        for transfer in capture.connections.iter().flat_map(|one| one.transfers(Side::Initiator)) {
            let Some(apdu) = transfer.apdu() else {
                assert!(!transfer.ended, "{name}");
                broken += 1;
                continue;
            };
            let decoded = MtsApdu::from_octets(&apdu).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(decoded.to_octets() == apdu, "{name}");
            match decoded {
                MtsApdu::Report(_) => reports += 1,
                MtsApdu::Probe(_) => probes += 1,
                MtsApdu::Message(message) => {
                    messages += 1;
                    judge_content(&name, &message);
                }
            }
        }
    }
    assert_eq!((messages, reports, probes, broken), (32, 16, 2, 1));
}

fn judge_content(capture: &str, message: &Message) {
    assert!([ContentType::P2, ContentType::P22].contains(&message.envelope.content_type), "{capture}");
    let object = InformationObject::decode(&message.content);
    if MALFORMED.contains(&capture) {
        let expected = "ipm.heading.primary-recipients[0].recipient: mandatory member is absent at octet 93";
        assert_eq!(object.unwrap_err().to_string(), expected, "{capture}");
        assert!(Ipm::summary(&message.content).is_err());
        return;
    }
    let Ok(InformationObject::Ipm(ipm)) = object else { panic!("{capture}: {object:?}") };
    assert_eq!(ipm.heading.subject_text().as_deref(), Some("test message"));
    assert_eq!(ipm.heading.primary_recipients.len(), 1);
    let text = ipm.body[0].text().unwrap();
    assert!(text.starts_with("The quick brown fox jumps over the lazy dog"), "{capture}");
    let beginning = Ipm::summary(&message.content[..500]).unwrap();
    assert_eq!(beginning.heading, ipm.heading);
    let part = &beginning.parts[0];
    assert!(part.text_cut && text.starts_with(part.text.as_deref().unwrap()), "{capture}");
}

fn fixtures() -> Vec<String> {
    let entries = std::fs::read_dir(Capture::fixture_dir()).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".pcap"))
        .collect()
}
