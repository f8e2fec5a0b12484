//! Links that speak 1984 P1, and links whose peers want another form: real processes, and the octets between them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::fs;

use mhs::ContentType;
use mhs::p1::{MtsApdu, ReportType};
use support::{ANNA, OPERATIONS, Pair, Plan, Site};
use testkit::{Capture, Proxy, Side};

const NOBODY: &str = "S=nobody;O=Acme;P=BETA;A= ;C=GB";

/// Every APDU that was transferred through a proxy, and both directions of every connection.
struct Seen {
    apdus: Vec<Vec<u8>>,
    initiator: Vec<u8>,
    responder: Vec<u8>,
}

fn seen(proxies: &[&Proxy]) -> Seen {
    let mut seen = Seen { apdus: Vec::new(), initiator: Vec::new(), responder: Vec::new() };
    for proxy in proxies {
        let capture = Capture::parse(&proxy.to_pcap().into_vec()).unwrap();
        for connection in &capture.connections {
            for side in [Side::Initiator, Side::Responder] {
                let transfers = connection.transfers(side);
                seen.apdus.extend(transfers.iter().map(|transfer| transfer.apdu().expect("a whole APDU")));
            }
            seen.initiator.extend(connection.octets(Side::Initiator));
            seen.responder.extend(connection.octets(Side::Responder));
        }
    }
    seen
}

fn count(octets: &[u8], pattern: &[u8]) -> usize {
    octets.windows(pattern.len()).filter(|window| *window == pattern).count()
}

/// Only one mailbox at B, so that there is somebody to non-deliver to.
fn one_mailbox(b: &Site) {
    let text = fs::read_to_string(b.config()).unwrap();
    b.configure(&text.replacen("[mta]\n", &format!("[mta]\nmailboxes = [\"{OPERATIONS}\"]\n"), 1));
}

/// Sends a message with a delivery report and one with a non-delivery report; what arrives arrives once.
fn exchange(a: &Site, b: &Site) {
    let to = ["--from", ANNA, "--to"];
    a.submit(
        &[&to[..], &[OPERATIONS, "--subject", "good", "--text", "Semaphore is up.", "--report", "delivery"]]
            .concat(),
    );
    a.submit(&[&to[..], &[NOBODY, "--subject", "bad", "--text", "x"]].concat());
    b.wait_for_mail(OPERATIONS, 1);
    a.wait_for_mail(ANNA, 2);
    a.wait_until_empty();
    b.wait_until_empty();
    assert_eq!(b.subjects(OPERATIONS), ["good"]);
    let reports = a.mailbox(ANNA);
    let mut outcomes: Vec<_> =
        reports.iter().map(|report| report["recipients"][0]["outcome"].clone()).collect();
    outcomes.sort_by_key(ToString::to_string);
    assert_eq!(outcomes, ["delivered", "non-delivered"]);
    for site in [a, b] {
        assert_eq!(site.logged("transfer-failed"), 0, "{}", site.log());
    }
}

/// With `two_way` MTA-B never opens: what it sends goes over what MTA-A has opened.
fn over_1984(two_way: bool) {
    let mut plan = Plan {
        connector: format!("conformance = \"1984\"\ntwo_way_alternate = {two_way}\n"),
        association: "max_associations = 1\n".to_owned(),
        ..Plan::default()
    };
    let to_b = Proxy::start(plan.b_p1).unwrap();
    let to_a = Proxy::start(plan.a_p1).unwrap();
    plan.a_connects_to = to_b.address();
    plan.b_connects_to = to_a.address();
    let Pair { mut a, mut b } = plan.build();
    one_mailbox(&b);
    if two_way {
        let text = fs::read_to_string(b.config()).unwrap();
        let waits = "two_way_alternate = true\nactivation = \"remote-initiated\"\n";
        b.configure(&text.replacen("two_way_alternate = true\n", waits, 1));
    }
    b.start();
    a.start();
    exchange(&a, &b);
    assert_eq!(to_a.recordings().is_empty(), two_way);

    let seen = seen(&[&to_b, &to_a]);
    let (mut messages, mut delivered, mut failed) = (0, 0, 0);
    for apdu in &seen.apdus {
        // No extensions, whichever APDU: internal trace would be the first.
        assert_eq!(count(apdu, &[0x80, 1, 38]), 0);
        match MtsApdu::from_octets(apdu).unwrap() {
            MtsApdu::Message(message) => {
                messages += 1;
                assert_eq!(*message.envelope.content_type, ContentType::P2);
                assert!(message.envelope.extensions.is_empty());
            }
            MtsApdu::Report(report) => {
                assert!(report.envelope.extensions.is_empty() && report.content.content_type.is_none());
                match report.content.per_recipient_fields[0].last_trace_information.report_type {
                    ReportType::Delivery(_) => delivered += 1,
                    ReportType::NonDelivery(_) => failed += 1,
                }
            }
            MtsApdu::Probe(_) => panic!("nobody sent a probe"),
        }
    }
    assert_eq!((messages, delivered, failed), (2, 1, 1));
    // X.410 mode with application protocol 1, as PP has it in its recordings.
    assert!(count(&seen.initiator, &[0x84, 1, 1]) > 0);

    // What 1984 can't read is reported by MTA-A itself and never leaves it.
    let before = seen.apdus.len();
    a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "new", "--text", "кириллица"]);
    let reports = a.wait_for_mail(ANNA, 3);
    let recipient = &reports[2]["recipients"][0];
    assert_eq!(recipient["outcome"], "non-delivered", "{recipient}");
    let text = recipient.to_string();
    assert!(text.contains("conversion-not-performed") && text.contains("unable-to-downgrade"), "{text}");
    a.wait_until_empty();
    assert_eq!(self::seen(&[&to_b, &to_a]).apdus.len(), before);
    assert_eq!(b.mailbox_size(OPERATIONS), 1);
}

#[test]
fn mail_and_reports_cross_a_1984_link() {
    over_1984(false);
}

#[test]
fn mail_and_reports_cross_a_1984_link_on_which_the_turn_passes() {
    over_1984(true);
}

#[test]
fn the_forms_that_a_peer_wants_are_seen_on_the_wire() {
    let mut plan = Plan {
        connector: "strip_content_return_request = true\n[connector.form]\nextension_coding = \"legacy\"\n\
                    content_in_pieces = true\ntpdu_size = 128\n"
            .to_owned(),
        rts: "checkpoint_size_kb = 0\n".to_owned(),
        ..Plan::default()
    };
    let to_b = Proxy::start(plan.b_p1).unwrap();
    plan.a_connects_to = to_b.address();
    let Pair { mut a, mut b } = plan.build();
    one_mailbox(&b);
    b.start();
    a.start();
    let text = "Semaphore is up. ".repeat(600);
    a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "long", "--text", &text]);
    let mail = b.wait_for_mail(OPERATIONS, 1);
    assert_eq!(mail[0]["parts"][0]["text"].as_str().map(str::trim_end), Some(text.trim_end()));
    a.wait_until_empty();

    let seen = seen(&[&to_b]);
    let [apdu] = &seen.apdus[..] else { panic!("{} APDUs", seen.apdus.len()) };
    assert_eq!((count(apdu, &[0xA0, 3, 2, 1, 38]), count(apdu, &[0x80, 1, 38])), (1, 0));
    assert_eq!(count(apdu, &[0x04, 0x82, 0x08, 0x00]), 5, "10 KB in pieces of 2 KB and a rest");
    let MtsApdu::Message(message) = MtsApdu::from_octets(apdu).unwrap() else { panic!("no message") };
    assert!(!message.envelope.per_message_indicators.content_return_request());
    // The CR proposes 128 octets, and no TPDU is longer: TPKT header and TPDU.
    assert_eq!(count(&seen.initiator, &[0xC0, 1, 7]), 1);
    let mut rest = &seen.initiator[..];
    while let [3, 0, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        assert!(length <= 4 + 128, "a TPDU of {length} octets");
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    assert_eq!(minor_points(&to_b), 0, "no checkpoints were wanted");
}

/// Minor synchronization points that the initiator sent.
fn minor_points(proxy: &Proxy) -> usize {
    let capture = Capture::parse(&proxy.to_pcap().into_vec()).unwrap();
    let tsdus = capture.connections.iter().flat_map(|one| testkit::tsdus_of(&one.octets(Side::Initiator)));
    tsdus.filter(|tsdu| matches!(tsdu[..], [0x01, 0x00, 49, ..])).count()
}

#[test]
fn a_bind_is_refused_in_the_coding_that_the_peer_wants() {
    for (coding, bare) in [("tagged", false), ("bare", true)] {
        let mut plan =
            Plan { connector: format!("[connector.form]\nbind_error = \"{coding}\"\n"), ..Plan::default() };
        let to_b = Proxy::start(plan.b_p1).unwrap();
        plan.a_connects_to = to_b.address();
        let Pair { mut a, mut b } = plan.build();
        let text = fs::read_to_string(b.config()).unwrap();
        b.configure(&text.replacen("remote_password = \"password of A\"", "remote_password = \"other\"", 1));
        b.start();
        a.start();
        a.send(ANNA, OPERATIONS, "never");
        support::wait_for("a refused bind", || (a.logged("refused our name or password") > 0).then_some(()));
        let answers = seen(&[&to_b]).responder;
        // RTORJ: user data in [1].
        assert_eq!(count(&answers, &[0xA1, 3, 2, 1, 2]) > 0, bare, "{coding}");
        assert_eq!(count(&answers, &[0xB2, 3, 2, 1, 2]) > 0, !bare, "{coding}");
    }
}
