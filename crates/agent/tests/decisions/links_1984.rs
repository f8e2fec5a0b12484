//! Links that speak 1984 P1, and the other forms of what goes over a link.

use agent::settings::{AgentSettings, Conformance};
use agent::{Effect, Failed, NotCarried, ReportRequest, Submission, TransferFailure, TransferFailureKind};
use mhs::ContentType;
use mhs::ipm::Draft;
use mhs::p1::{
    ContentCoding, Criticality, ExtensionCoding, ExtensionField, ExtensionType, Message,
    MessageTransferEnvelope, MtsApdu, ReportType,
};

use crate::bench::{Mta, envelope_of, foreign, mta_a, mta_b, settings, user};

/// MTA-A with a 1984 link to B and a 1988 link to C, which takes the rest.
fn settings_1984() -> AgentSettings {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    settings.connectors[0].conformance = Conformance::Mode1984;
    settings
}

/// MTA-B with a 1984 link to A for everything else.
fn old_mta_b() -> Mta {
    let mut settings = settings("B", &[("A", "C=*")]);
    settings.connectors[0].conformance = Conformance::Mode1984;
    Mta::new(settings)
}

fn of_type(content_type: ContentType, recipients: &[(&mhs::OrAddress, u8)]) -> MessageTransferEnvelope {
    let mut envelope = foreign("1", recipients);
    envelope.content_type = content_type.into();
    envelope
}

fn critical() -> ExtensionField {
    let criticality = Criticality { for_delivery: true, ..Criticality::NONE };
    // Conversion with loss prohibited: known here, and so no hindrance on a 1988 link.
    ExtensionField::new(ExtensionType::Standard(4), criticality, vec![0x0A, 1, 1])
}

fn interpersonal(text: &str) -> Vec<u8> {
    Draft::new(user("origin", "X").into(), "1", "Subject").unwrap().text(text).content
}

fn receive(mta: &mut Mta, envelope: &MessageTransferEnvelope, content: Vec<u8>) {
    let message = Message::new(envelope.clone(), content);
    mta.receive("to-C", &MtsApdu::Message(Box::new(message)).to_octets()).unwrap();
}

#[test]
fn what_goes_over_a_1984_link_is_1984_p1() {
    let mut a = Mta::new(settings_1984());
    receive(&mut a, &of_type(ContentType::P22, &[(&user("bob", "B"), 0xA8)]), interpersonal("plain"));
    assert_eq!(a.work(), []);
    // It waits as it was made, and takes the form of the link when it leaves.
    let waiting = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!((waiting.extensions.len(), &*waiting.content_type), (1, &ContentType::P22));
    let sent = a.sent("to-B", 0);
    assert_eq!((sent.extensions.len(), &*sent.content_type), (0, &ContentType::P2));
    assert_eq!(sent.trace_information, waiting.trace_information);
}

#[test]
fn what_1984_cant_say_is_reported_for_each_recipient_alone() {
    let mut settings = settings_1984();
    // Nothing else leads to B.
    settings.connectors[1].address_space[0].space = crate::bench::pattern("P=X;A= ;C=GB");
    let mut a = Mta::new(settings);
    let unwritable = crate::bench::address("CN=größe;P=B;A= ;C=GB");
    let mut envelope = of_type(
        ContentType::P2,
        &[(&user("bob", "B"), 0xA8), (&unwritable, 0xA8), (&user("carol", "B"), 0xA8)],
    );
    envelope.per_recipient_fields[2].extensions.set(critical());
    receive(&mut a, &envelope, b"content".to_vec());
    a.work();
    let failed: Vec<_> =
        a.non_delivered().into_iter().map(|(reason, diagnostic, _)| (reason, diagnostic)).collect();
    assert_eq!(failed, [(1, 47), (1, 47)], "unable-to-transfer, unable-to-downgrade");
    let sent = a.sent("to-B", 0);
    let responsible: Vec<bool> = sent.per_recipient_fields.iter().map(|one| one.responsibility()).collect();
    assert_eq!(responsible, [true, false, false]);
    // One report about both, to where the message came from.
    assert_eq!(a.queue("to-C").len(), 1);
}

#[test]
fn a_content_that_1984_cant_read_is_reported() {
    for (content_type, content, expected) in [
        (ContentType::P22, interpersonal("кириллица"), (2, 47)),
        (ContentType::P22, b"no interpersonal message".to_vec(), (2, 47)),
        (ContentType::EDI, b"edi".to_vec(), (1, 15)),
        (ContentType::P772, b"military".to_vec(), (1, 15)),
    ] {
        let mut settings = settings_1984();
        settings.connectors[1].address_space[0].space = crate::bench::pattern("P=X;A= ;C=GB");
        let mut a = Mta::new(settings);
        receive(&mut a, &of_type(content_type.clone(), &[(&user("bob", "B"), 0xA8)]), content);
        a.work();
        let failed = a.non_delivered();
        assert_eq!(failed.len(), 1, "{content_type}");
        assert_eq!((failed[0].0, failed[0].1), expected, "{content_type}");
        assert!(a.queue("to-B").is_empty());
        assert_eq!(a.queue("to-C").len(), 1, "the report");
    }
}

#[test]
fn another_connector_takes_what_1984_cant_say() {
    let mut settings = settings_1984();
    let mut dearer = settings.connectors[0].clone();
    dearer.name = "to-B-88".into();
    dearer.conformance = Conformance::Normal1988;
    dearer.called_selectors.transport = b"88".to_vec();
    dearer.address_space[0].cost = 50;
    settings.connectors.push(dearer);
    let mut a = Mta::new(settings);
    let mut envelope = of_type(ContentType::P2, &[(&user("bob", "B"), 0xA8), (&user("carol", "B"), 0xA8)]);
    envelope.per_recipient_fields[1].extensions.set(critical());
    receive(&mut a, &envelope, b"content".to_vec());
    a.work();
    assert!(a.non_delivered().is_empty());
    assert_eq!(a.queue("to-B").len(), 1);
    let by_1988 = a.sent("to-B-88", 0);
    assert!(by_1988.per_recipient_fields[1].responsibility());
    assert_eq!(by_1988.per_recipient_fields[1].extensions.len(), 1);
}

#[test]
fn a_copy_that_is_rerouted_from_a_1984_link_has_lost_nothing() {
    let mut settings = settings_1984();
    let mut dearer = settings.connectors[0].clone();
    dearer.name = "to-B-88".into();
    dearer.conformance = Conformance::Normal1988;
    dearer.called_selectors.transport = b"88".to_vec();
    dearer.address_space[0].cost = 50;
    settings.connectors.push(dearer);
    let mut a = Mta::new(settings);
    let mut envelope = of_type(ContentType::P22, &[(&user("bob", "B"), 0xA8)]);
    envelope.extensions.set(ExtensionField::new(
        ExtensionType::Standard(23),
        Criticality::NONE,
        vec![0x04, 1, 7],
    ));
    receive(&mut a, &envelope, interpersonal("plain"));
    a.work();
    let (key, record) = a.queue("to-B").remove(0);
    let step = a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::OpenRetriesExhausted);
    a.commit(step);
    a.work();
    let sent = a.sent("to-B-88", 0);
    assert_eq!(*sent.content_type, ContentType::P22);
    assert!(sent.extensions.standard(23).is_some() && sent.extensions.standard(38).is_some());
}

#[test]
fn settings_that_change_to_1984_hold_for_what_waits_already() {
    let mut settings = settings_1984();
    settings.connectors[0].conformance = Conformance::Normal1988;
    settings.connectors[1].address_space[0].space = crate::bench::pattern("P=X;A= ;C=GB");
    let mut a = Mta::new(settings.clone());
    receive(&mut a, &of_type(ContentType::EDI, &[(&user("bob", "B"), 0xA8)]), b"edi".to_vec());
    a.work();
    settings.connectors[0].conformance = Conformance::Mode1984;
    a.agent = agent::Agent::new(settings).unwrap();
    let (key, record) = a.queue("to-B").remove(0);
    let connector = a.agent.settings().connector("to-B").unwrap();
    assert!(connector.on_wire(&record.item, false, false).is_err());
    let failure = TransferFailure { kind: TransferFailureKind::WrongForm, text: "1984".into() };
    let Failed::Settled(step) = a.agent.transfer_failed(a.now, &a.counter, &key, &record, &failure) else {
        panic!("it is tried again as it is")
    };
    a.commit(step);
    assert!(a.queue("to-B").is_empty());
    a.work();
    let failed = a.non_delivered();
    assert_eq!((failed.len(), failed[0].0, failed[0].1), (1, 1, 15));
}

/// 1988 to 1984 and back, with a report each way.
#[test]
fn a_message_and_its_reports_find_their_way_through_1984() {
    let (mut a, mut b) = (Mta::new(settings_1984()), old_mta_b());
    // A common name has to survive as the address that the reports go to.
    let originator = crate::bench::address("CN=Duty Officer;O=Acme;P=A;A= ;C=GB");
    let mut submission =
        Submission::new(originator.clone(), [user("bob", "B"), crate::bench::address("S=x;P=Z;A= ;C=GB")]);
    submission.content_type = ContentType::P2;
    for recipient in &mut submission.recipients {
        recipient.report = ReportRequest::Delivery;
    }
    a.submit(&submission);
    a.work();
    assert_eq!(a.transfer("to-B", &mut b, "to-A"), 1);
    let got = b.messages_in(&user("bob", "B"));
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].originator_name.address().common_name(), Some("Duty Officer"));
    assert!(got[0].originator_name.address().extensions.is_empty());
    assert_eq!(b.transfer("to-A", &mut a, "to-B"), 1);
    let reports = a.reports_in(&originator);
    assert_eq!(reports.len(), 1, "{:?}", a.effects);
    assert!(reports[0].content.content_type.is_none(), "1984 reports do not say it");
    let delivered = &reports[0].content.per_recipient_fields[0].last_trace_information.report_type;
    assert!(matches!(delivered, ReportType::Delivery(_)));
}

#[test]
fn a_1984_message_is_relayed_to_1988() {
    let (mut a, mut b) = (mta_a(), mta_b());
    let mut envelope = of_type(ContentType::P2, &[(&user("bob", "B"), 0xA8)]);
    envelope.per_message_indicators.edit().set(2, true);
    a.receive_message("to-C", &envelope);
    a.work();
    let sent = a.sent("to-B", 0);
    assert_eq!(*sent.content_type, ContentType::P2);
    assert_eq!(sent.extensions.internal_trace().unwrap().len(), 1);
    assert_eq!(a.transfer("to-B", &mut b, "to-A"), 1);
    assert_eq!(b.messages_in(&user("bob", "B")).len(), 1);
}

#[test]
fn a_report_whose_destination_1984_cant_write_is_dropped_with_that_reason() {
    let mut settings = settings("A", &[("X", "P=X;A= ;C=GB"), ("C", "C=GB")]);
    settings.connectors[0].conformance = Conformance::Mode1984;
    let mut a = Mta::new(settings);
    let mut envelope = of_type(ContentType::P2, &[(&crate::bench::address("S=x;P=Z;A= ;C=FR"), 0xA8)]);
    envelope.originator_name = crate::bench::address("CN=größe;P=X;A= ;C=GB").into();
    receive(&mut a, &envelope, b"content".to_vec());
    a.work();
    let discarded: Vec<String> = a
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Discarded { why, .. } => Some(why.to_string()),
            _ => None,
        })
        .collect();
    assert!(discarded.len() == 1 && discarded[0].contains("common name"), "{discarded:?}");
}

#[test]
fn each_form_is_seen_in_the_octets() {
    let count =
        |octets: &[u8], pattern: &[u8]| octets.windows(pattern.len()).filter(|w| *w == pattern).count();
    let send = |change: &dyn Fn(&mut AgentSettings)| {
        let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
        change(&mut settings);
        let mut a = Mta::new(settings);
        let mut envelope = of_type(ContentType::P2, &[(&user("bob", "B"), 0xA8)]);
        envelope.per_message_indicators.edit().set(3, true);
        envelope.per_message_indicators.edit().set(0, true);
        receive(&mut a, &envelope, vec![7; 5000]);
        a.work();
        let apdu = a.apdu("to-B", &a.queue("to-B")[0].1);
        (apdu, a.sent("to-B", 0))
    };
    let (plain, envelope) = send(&|_| {});
    assert_eq!(count(&plain, &[0x80, 1, 38]), 1);
    assert_eq!(count(&plain, &[0x04, 0x82, 0x13, 0x88]), 1, "5000 octets in one piece");
    assert!(envelope.per_message_indicators.content_return_request());

    let (legacy, _) = send(&|s| s.connectors[0].form.extension_coding = ExtensionCoding::Legacy);
    assert_eq!((count(&legacy, &[0xA0, 3, 2, 1, 38]), count(&legacy, &[0x80, 1, 38])), (1, 0));

    for conformance in [Conformance::Normal1988, Conformance::Mode1984] {
        let (pieces, _) = send(&|s| {
            s.connectors[0].conformance = conformance;
            s.connectors[0].form.content_coding = ContentCoding::Pieces;
        });
        assert_eq!(count(&pieces, &[0x04, 0x82, 0x08, 0x00]), 2);
        assert_eq!(count(&pieces, &[0x04, 0x82, 0x03, 0x88]), 1, "the remaining 904 octets");
    }

    let (_, unreturned) = send(&|s| s.connectors[0].strip_content_return_request = true);
    assert!(!unreturned.per_message_indicators.content_return_request());
    assert!(unreturned.per_message_indicators.disclosure_of_other_recipients());
}
