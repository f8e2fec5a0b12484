//! 1984 P1 made of 1988 P1, against what an independent MTA sends as 1984 P1, and the other forms of what goes out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use ber::{BitString, Oid, Tag, Writer};
use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use mhs::p1::{
    ApduPart, ApduReader, ContentCoding, Criticality, ExtensionCoding, ExtensionField, ExtensionType,
    LastTraceInformation, Limits, Message, MessageTransferEnvelope, MtsApdu, Obstacle, OtherActions,
    OutgoingMessage, PerRecipientFields, PerRecipientIndicators, PerRecipientReportFields, Priority,
    ProbeTransferEnvelope, Report, ReportType, RoutingAction, Stretch, TraceInformation,
    TraceInformationElement,
};
use mhs::{
    ContentType, EncodedInformationTypes, ExtensionAttribute, ExtensionValue, MtsIdentifier, OrAddress,
    OrName, UtcTime,
};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn vector(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/vectors/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    hex(&std::fs::read_to_string(path).unwrap())
}

fn message(octets: &[u8]) -> Message {
    match MtsApdu::from_octets(octets).unwrap() {
        MtsApdu::Message(message) => *message,
        MtsApdu::Report(_) | MtsApdu::Probe(_) => panic!("no message"),
    }
}

fn replaced(octets: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = tail;
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out
}

/// What an MTA of 1984 can read, by the tags of X.411 of 1984.
fn assert_is_1984(apdu: &[u8]) {
    let parsed = MtsApdu::from_octets(apdu).unwrap();
    let names = |name: &OrName| assert!(name.is_1984(), "{name}");
    let trace = |trace: &TraceInformation| {
        for element in trace {
            assert_eq!(element.additional.other_actions, OtherActions::default());
            let types = &element.additional.converted_encoded_information_types;
            assert!(types.as_ref().is_none_or(|types| types.extended().is_empty()));
        }
    };
    let recipients = |list: &[PerRecipientFields]| {
        for recipient in list {
            names(&recipient.recipient_name);
            assert!(recipient.extensions.is_empty());
            assert_eq!(recipient.per_recipient_indicators.0.octets.len(), 1);
            assert_eq!(recipient.unknown_members().count(), 0);
        }
    };
    match parsed {
        MtsApdu::Message(message) => {
            let envelope = message.envelope;
            names(&envelope.originator_name);
            assert!([ContentType::P2, ContentType::UNIDENTIFIED].contains(&envelope.content_type));
            assert!(!matches!(*envelope.priority, Priority::Other(_)));
            assert!((4..16).all(|bit| !envelope.per_message_indicators.0.bit(bit)));
            assert!(envelope.extensions.is_empty() && envelope.unknown_members().count() == 0);
            let types = envelope.original_encoded_information_types;
            assert!(types.is_none_or(|types| types.extended().is_empty()));
            recipients(&envelope.per_recipient_fields);
            trace(&envelope.trace_information);
        }
        MtsApdu::Probe(probe) => {
            names(&probe.originator_name);
            assert!(probe.extensions.is_empty() && probe.unknown_members().count() == 0);
            recipients(&probe.per_recipient_fields);
            trace(&probe.trace_information);
        }
        MtsApdu::Report(report) => {
            names(&report.envelope.report_destination_name);
            assert!(report.envelope.extensions.is_empty() && report.content.extensions.is_empty());
            assert_eq!(report.content.content_type, None);
            assert_eq!(report.content.original_encoded_information_types, None);
            trace(&report.envelope.trace_information);
            for fields in &report.content.per_recipient_fields {
                names(&fields.actual_recipient_name);
                assert!(fields.extensions.is_empty());
                match &fields.last_trace_information.report_type {
                    ReportType::Delivery(delivery) => assert!(delivery.type_of_mts_user.0 <= 1),
                    ReportType::NonDelivery(non_delivery) => {
                        assert!(non_delivery.reason.0 <= 2);
                        assert!(non_delivery.diagnostic.is_none_or(|code| code.0 <= 11));
                    }
                }
            }
        }
    }
}

#[test]
fn recorded_1984_apdus_need_no_change() {
    for name in ["pp-p1-84-message-and-report-1", "pp-p1-84-message-report-over-88-1"] {
        let octets = vector(name);
        let original = message(&octets);
        let old = original.envelope.to_1984(false).unwrap();
        assert_eq!(old.to_octets(), original.envelope.to_octets(), "{name}");
        assert_is_1984(&octets);
    }
    let octets = vector("pp-p1-84-message-and-report-2");
    let report = Report::from_octets(&octets).unwrap();
    assert_eq!(report.to_1984().unwrap().to_octets(), octets);
    assert_is_1984(&octets);
}

/// PP reported twice about the same kind of message: once over 1988 P1, once over 1984 P1. The one made of the other
/// is octet for octet what PP sends, but for names and times of the day and two strings of bits, which PP pads.
#[test]
fn a_1988_report_becomes_what_pp_sends_in_1984() {
    let report = Report::from_octets(&vector("pp-p1-84-message-report-over-88-2")).unwrap();
    assert!(!report.envelope.extensions.is_empty() && report.content.content_type.is_some());
    let old = report.to_1984().unwrap().to_octets();
    assert_is_1984(&old);
    let mut expected = vector("pp-p1-84-message-and-report-2");
    for (from, to) in [
        (&b"mta-b.test.614:22.10.26.06.17.50"[..], &b"mta-b.test.163:22.10.26.06.17.15"[..]),
        (b"261122061750Z", b"261122061715Z"),
        (b"c2-84-002", b"c2-84-001"),
        // ia5-text as ten bits, here as three; the lengths of what is around it.
        (&hex("65058003062000"), &hex("650480020520")),
        (&hex("a320800d"), &hex("a31f800d")),
        (&hex("a06c316a"), &hex("a06b3169")),
    ] {
        expected = replaced(&expected, from, to);
    }
    assert_eq!(old, expected);
}

/// The whole way: a recorded 1988 message, downgraded, read by 1988 again, tells the same but for what 1984 lacks.
#[test]
fn recorded_1988_messages_survive_the_way_through_1984() {
    for name in ["pp-p1-88-transfer-legacy-extensions-1", "pp-p1-88-twa-transfer-1"] {
        let original = message(&vector(name));
        assert!(!original.envelope.extensions.is_empty(), "{name}");
        let old = original.envelope.to_1984(true).unwrap();
        let apdu = MtsApdu::Message(Box::new(Message::new(old.clone(), vec![1]))).to_octets();
        assert_is_1984(&apdu);
        let again = message(&apdu).envelope;
        assert_eq!(again.to_octets(), old.to_octets(), "{name}");
        assert_eq!(again.message_identifier, original.envelope.message_identifier);
        assert_eq!(again.originator_name, original.envelope.originator_name);
        assert_eq!(again.trace_information, original.envelope.trace_information);
        assert_eq!(again.content_identifier, original.envelope.content_identifier);
        assert_eq!(again.per_recipient_fields.len(), original.envelope.per_recipient_fields.len());
        assert_eq!(*again.content_type, ContentType::P2);
        let twice = again.to_1984(false).unwrap();
        assert_eq!(twice.to_octets(), again.to_octets(), "downgrading twice changes nothing");
    }
}

fn name(text: &str) -> OrName {
    OrName::new(text.parse().unwrap())
}

fn trace() -> TraceInformation {
    let time = UtcTime::from_wall(clock::WallTime::from_unix(1_795_321_800));
    vec![TraceInformationElement::relayed("C=GB;A= ;P=ALPHA".parse().unwrap(), time).into()].into()
}

fn recipient(number: i64, address: &str, bits: u8) -> PerRecipientFields {
    let indicators = PerRecipientIndicators(BitString { unused: 0, octets: vec![bits].into() });
    PerRecipientFields::new(name(address), number, indicators)
}

fn identifier() -> MtsIdentifier {
    MtsIdentifier::new("C=GB;A= ;P=ALPHA".parse().unwrap(), "1").unwrap()
}

fn envelope(content_type: ContentType, recipients: Vec<PerRecipientFields>) -> MessageTransferEnvelope {
    MessageTransferEnvelope::new(
        identifier(),
        name("S=a;P=ALPHA;A= ;C=GB"),
        content_type,
        recipients,
        trace(),
    )
}

fn plain() -> MessageTransferEnvelope {
    envelope(ContentType::P2, vec![recipient(1, "S=b;P=BETA;A= ;C=GB", 0xA8)])
}

fn critical(for_transfer: bool, for_delivery: bool) -> ExtensionField {
    let criticality = Criticality { for_submission: true, for_transfer, for_delivery };
    ExtensionField::new(ExtensionType::Standard(4), criticality, vec![])
}

fn codes(obstacle: &Obstacle) -> (i64, i64) {
    let (reason, diagnostic) = obstacle.codes();
    (reason.0, diagnostic.0)
}

#[test]
fn content_types_of_1984_are_p2_and_unidentified() {
    let of = |content_type, is_p2| {
        let recipients = vec![recipient(1, "S=b;P=BETA;A= ;C=GB", 0xA8)];
        let old = envelope(content_type, recipients).to_1984(is_p2);
        old.map(|old| old.content_type.clone().into_value()).map_err(|obstacle| codes(&obstacle))
    };
    assert_eq!(of(ContentType::P2, false), Ok(ContentType::P2));
    assert_eq!(of(ContentType::UNIDENTIFIED, false), Ok(ContentType::UNIDENTIFIED));
    assert_eq!(of(ContentType::P22, true), Ok(ContentType::P2));
    assert_eq!(of(ContentType::P22, false), Err((2, 47)));
    for other in [ContentType::EXTERNAL, ContentType::EDI, ContentType::P772, ContentType::BuiltIn(99)] {
        assert_eq!(of(other, true), Err((1, 15)));
    }
}

#[test]
fn critical_extensions_are_an_obstacle_others_are_left_out() {
    for (for_transfer, for_delivery) in [(true, false), (false, true)] {
        let field = critical(for_transfer, for_delivery);
        let mut whole = plain();
        whole.extensions.set(field.clone());
        assert_eq!(codes(&whole.to_1984(false).unwrap_err()), (1, 47));
        assert!(whole.obstacle_in_1984(false).is_some());
        let mut one = plain();
        one.per_recipient_fields[0].extensions.set(field.clone());
        assert_eq!(one.obstacle_in_1984(false), None);
        assert_eq!(codes(&one.to_1984(false).unwrap_err()), (1, 47));
        // Somebody else's recipient is no obstacle.
        one.per_recipient_fields[0].set_responsibility(false);
        assert!(one.to_1984(false).unwrap().per_recipient_fields[0].extensions.is_empty());
        // A report goes through.
        let mut report = report(LastTraceInformation::delivered(
            UtcTime::from_octets(b"2611220430Z"),
            UtcTime::from_octets(b"2611220430Z"),
            TypeOfMtsUser(2),
        ));
        report.envelope.extensions.set(field);
        assert_is_1984(&report.to_1984().unwrap().to_octets());
    }
    let mut submission_only = plain();
    submission_only.extensions.set(critical(false, false));
    assert!(submission_only.to_1984(false).unwrap().extensions.is_empty());
}

fn report(last: LastTraceInformation) -> Report {
    let fields = PerRecipientReportFields::about(&plain().per_recipient_fields[0], last);
    Report::about_message(identifier(), trace(), &plain(), vec![fields])
}

#[test]
fn codes_and_users_of_1988_become_those_of_1984() {
    let time = || UtcTime::from_octets(b"2611220430Z");
    let failed = |reason, diagnostic| {
        let last = LastTraceInformation::not_delivered(
            time(),
            NonDeliveryReasonCode(reason),
            Some(NonDeliveryDiagnosticCode(diagnostic)),
        );
        let old = report(last).to_1984().unwrap();
        assert_is_1984(&old.to_octets());
        let fields = &old.content.per_recipient_fields[0];
        let ReportType::NonDelivery(non_delivery) = &fields.last_trace_information.report_type else {
            panic!("delivered")
        };
        let text = fields.supplementary_information.as_deref().cloned();
        (non_delivery.reason.0, non_delivery.diagnostic.map(|code| code.0), text)
    };
    assert_eq!(failed(1, 0), (1, Some(0), None));
    assert_eq!(failed(2, 11), (2, Some(11), None));
    assert_eq!(failed(5, 3), (1, Some(3), Some("restricted-delivery".to_owned())));
    assert_eq!(failed(1, 47), (1, None, Some("unable-to-downgrade".to_owned())));
    let mut long = report(LastTraceInformation::delivered(time(), time(), TypeOfMtsUser(3)));
    let fields = long.content.per_recipient_fields[0].clone();
    long.content.per_recipient_fields[0] = fields.with_supplementary_information(&"x".repeat(200));
    let old = long.to_1984().unwrap();
    assert_is_1984(&old.to_octets());
    assert_eq!(old.content.per_recipient_fields[0].supplementary_information.as_ref().unwrap().len(), 64);
}

#[test]
fn a_diversion_in_the_trace_is_not_forgotten() {
    for bit in [0, 1] {
        let mut message = plain();
        message.trace_information[0].edit().additional.other_actions.set(bit, true);
        let old = message.to_1984(false).unwrap();
        assert_eq!(old.trace_information[0].routing_action, RoutingAction::Rerouted);
        assert_is_1984(&MtsApdu::Message(Box::new(Message::new(old, vec![]))).to_octets());
    }
}

#[test]
fn types_beyond_1984_are_undefined_there() {
    let mut message = plain();
    let oid = Oid::from_arcs(&[2, 6, 1, 12, 0]).unwrap();
    let types = EncodedInformationTypes::ia5_text().with_extended(oid);
    message.original_encoded_information_types = Some(types);
    let old = message.to_1984(false).unwrap().original_encoded_information_types.unwrap();
    assert!(old.has_built_in(0) && old.has_built_in(EncodedInformationTypes::IA5_TEXT));
    assert!(old.extended().is_empty());
    assert_eq!(old, old.to_1984());
}

#[test]
fn what_is_meant_for_private_domains_and_unknown_members_stay_behind() {
    let element =
        |domain: &str| hex(&format!("30{:02x}61041302 4742 {domain}0500", 6 + domain.len() / 2 + 2));
    let administration = element("6203130120");
    let private = element("3008620313012013 0158".replace(' ', "").as_str());
    let list = |elements: &[&[u8]]| {
        Writer::encode(|w| w.constructed(Tag::context(1), |w| w.raw(&elements.concat())))
    };
    let through = |raw: Vec<u8>| {
        let mut message = plain();
        message.per_domain_bilateral_information = Some(raw);
        message.to_1984(false).unwrap().per_domain_bilateral_information
    };
    let kept = list(&[&administration]);
    assert_eq!(through(kept.clone()), Some(kept.clone()));
    assert_eq!(through(list(&[&private, &administration])), Some(kept));
    assert_eq!(through(list(&[&private])), None);

    let octets = plain().to_octets();
    let inside = &ber::Reader::new(&octets).any().unwrap().contents.to_vec();
    let strange =
        Writer::encode(|w| w.constructed(Tag::SET, |w| w.raw(&[&inside[..], &[0x8F, 1, 7]].concat())));
    let strange = MessageTransferEnvelope::from_octets(&strange).unwrap();
    assert_eq!(strange.unknown_members().count(), 1);
    assert_eq!(strange.to_1984(false).unwrap().to_octets(), octets);
}

#[test]
fn a_probe_is_downgraded_like_a_message() {
    let mut probe = ProbeTransferEnvelope::new(
        identifier(),
        name("CN=a;P=ALPHA;A= ;C=GB"),
        ContentType::P22,
        vec![recipient(1, "S=b;P=BETA;A= ;C=GB", 0xA8)],
        trace(),
    );
    probe.extensions.set(ExtensionField::new(ExtensionType::Standard(23), Criticality::NONE, vec![]));
    probe.content_length = Some(1000.into());
    let old = probe.to_1984().unwrap();
    assert_is_1984(&old.to_octets());
    assert_eq!((old.content_length, &*old.content_type), (Some(1000.into()), &ContentType::P2));
    assert_eq!(old.originator_name.address().common_name(), Some("a"));
    probe.originator_name = name("CN=ä;P=ALPHA;A= ;C=GB");
    assert_eq!(codes(&probe.to_1984().unwrap_err()), (1, 47));
}

#[test]
fn extension_codings_change_into_each_other() {
    let legacy = message(&vector("pp-p1-88-transfer-legacy-extensions-1"));
    let count =
        |octets: &[u8], pattern: &[u8]| octets.windows(pattern.len()).filter(|w| *w == pattern).count();
    let octets = legacy.envelope.to_octets();
    let fields = count(&octets, &[0xA0, 3, 2, 1, 38]);
    assert!(fields > 0);
    let mut same = legacy.envelope.clone();
    same.recode_extensions(ExtensionCoding::Legacy);
    assert_eq!(same.to_octets(), octets);
    let mut standard = legacy.envelope.clone();
    standard.recode_extensions(ExtensionCoding::Standard);
    assert_eq!(standard, legacy.envelope);
    assert_eq!(count(&standard.to_octets(), &[0xA0, 3, 2, 1, 38]), 0);
    assert_eq!(count(&standard.to_octets(), &[0x80, 1, 38]), fields);
    // What we make of it is what PP itself sends.
    let ours = standard.extensions.iter().map(|field| {
        let field = field.with_coding(ExtensionCoding::Legacy);
        ExtensionField::with_coding(&field, ExtensionCoding::Legacy)
    });
    standard.extensions = ours.collect();
    let mut again = MessageTransferEnvelope::from_octets(&standard.to_octets()).unwrap();
    assert_eq!(count(&again.to_octets(), &[0xA0, 3, 2, 1, 38]), fields);
    again.recode_extensions(ExtensionCoding::Legacy);
    assert_eq!(again.extensions, legacy.envelope.extensions);
}

/// All octets of a message, the content filled in, asked for in stretches of at most `most`.
fn assembled(outgoing: &OutgoingMessage, content: &[u8], most: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    while let Some(stretch) = outgoing.at(octets.len() as u64) {
        match stretch {
            Stretch::Octets(part) => octets.extend_from_slice(&part[..part.len().min(most)]),
            Stretch::Content { offset, length } => {
                let (offset, length) = (usize::try_from(offset).unwrap(), usize::try_from(length).unwrap());
                octets.extend_from_slice(&content[offset..][..length.min(most)]);
            }
        }
    }
    octets
}

#[test]
fn a_content_in_pieces_is_the_same_content() {
    for length in [0, 1, 127, 128, 2047, 2048, 2049, 2048 + 127, 2048 + 128, 4096, 6144, 10_000, 300_000] {
        let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        for coding in [ContentCoding::Whole, ContentCoding::Pieces] {
            let outgoing = OutgoingMessage::new(&plain(), length as u64, coding);
            let octets = assembled(&outgoing, &content, usize::MAX);
            assert_eq!(octets.len() as u64, outgoing.length(), "{length}");
            for most in [1, 1000] {
                assert_eq!(assembled(&outgoing, &content, most), octets, "{length} by {most}");
            }
            assert_eq!(*message(&octets).content, content, "{length}");
            let mut parts = Vec::new();
            let mut reader = ApduReader::new(Limits::default());
            reader.push(&octets, &mut parts).unwrap();
            reader.finish().unwrap();
            let sizes: Vec<usize> = parts
                .iter()
                .filter_map(|part| match part {
                    ApduPart::Content(piece) => Some(piece.len()),
                    _ => None,
                })
                .collect();
            assert_eq!(sizes.iter().sum::<usize>(), length);
            let whole = MtsApdu::Message(Box::new(Message::new(plain(), content.clone()))).to_octets();
            match coding {
                ContentCoding::Whole => assert_eq!(octets, whole),
                ContentCoding::Pieces => {
                    assert!(sizes.iter().all(|&size| size <= 2048), "{sizes:?}");
                    assert_eq!(octets == whole, length <= 2048);
                }
            }
        }
    }
}

prop_compose! {
    fn any_address()(
        surname in "[A-Za-z]{1,40}",
        organization in proptest::option::of("[A-Za-zä ]{1,20}[a-z]"),
        common in proptest::option::of("[ -~]{1,70}"),
        types in proptest::collection::vec("[A-Za-z]{1,8}", 0..5),
        extra in proptest::option::of((1_i64..45, "[a-z]{1,9}")),
    ) -> OrAddress {
        let mut address: OrAddress = "P=BETA;A= ;C=GB".parse().unwrap();
        address.personal_name = Some(mhs::PersonalName { surname, ..Default::default() });
        let text = |number, value: String| ExtensionAttribute { number, value: ExtensionValue::Text(value) };
        if let Some(organization) = organization {
            if organization.is_ascii() {
                address.organization = Some(organization);
            } else {
                address.extensions.push(text(3, organization));
            }
        }
        address.extensions.extend(common.map(|common| text(1, common)));
        address.extensions.extend(extra.map(|(number, value)| text(number, value)));
        let attribute = |attribute_type| mhs::DomainDefinedAttribute { attribute_type, value: "x".into() };
        address.domain_defined = types.into_iter().map(attribute).collect();
        address
    }
}

proptest! {
    #[test]
    fn a_downgraded_message_is_1984_and_stays_what_it_is(
        from in any_address(),
        to in proptest::collection::vec((any_address(), any::<u8>(), 0_i64..10), 1..6),
        bits in proptest::collection::vec(any::<u8>(), 0..3),
        actions in proptest::collection::vec(any::<u8>(), 0..2),
        priority in -1_i64..5,
    ) {
        let fields = (1..).zip(&to).map(|(number, (address, bits, conversion))| {
            let indicators = PerRecipientIndicators(BitString { unused: 0, octets: vec![*bits, 0].into() });
            let mut fields = PerRecipientFields::new(address.clone().into(), number, indicators);
            fields.explicit_conversion = (*conversion < 3).then(|| (*conversion).into());
            fields
        });
        let mut original = envelope(ContentType::P22, fields.collect());
        original.originator_name = from.into();
        original.priority = Priority::from(priority).into();
        original.per_message_indicators.edit().0 = BitString { unused: 0, octets: bits.into() };
        let octets = BitString { unused: 0, octets: actions.into() };
        original.trace_information[0].edit().additional.other_actions = OtherActions(octets);
        // As it is after a transfer.
        let original = MessageTransferEnvelope::from_octets(&original.to_octets()).unwrap();
        match original.to_1984(true) {
            Ok(old) => {
                let apdu = MtsApdu::Message(Box::new(Message::new(old.clone(), vec![]))).to_octets();
                assert_is_1984(&apdu);
                let again = message(&apdu).envelope;
                prop_assert_eq!(again.to_octets(), old.to_octets());
                prop_assert_eq!(again.to_1984(false).unwrap().to_octets(), again.to_octets());
                prop_assert!(again.originator_name.address().is_same_address(
                    &original.originator_name.address().to_1984().unwrap()
                ));
                for (new, old) in original.per_recipient_fields.iter().zip(&again.per_recipient_fields) {
                    prop_assert_eq!(new.responsibility(), old.responsibility());
                    prop_assert_eq!(
                        &new.originally_specified_recipient_number,
                        &old.originally_specified_recipient_number
                    );
                }
            }
            Err(_) => {
                let recipients = original.per_recipient_fields.iter();
                let barred = recipients.filter(|one| one.responsibility()).any(|one| one.obstacle_in_1984().is_some());
                prop_assert!(barred || original.obstacle_in_1984(true).is_some());
            }
        }
    }

    #[test]
    fn an_address_that_is_downgraded_means_the_same(address in any_address()) {
        if let Ok(old) = address.to_1984() {
            prop_assert!(old.extensions.is_empty());
            let had_type = address.extension(23).is_some();
            prop_assert!(had_type || old.is_same_address(&address), "{} {}", old, address);
        }
    }
}

/// Every path of tags in an encoding, elements of lists taken together.
fn paths(octets: &[u8], above: &str, found: &mut std::collections::BTreeSet<String>) {
    let mut reader = ber::Reader::new(octets);
    while let Some(tlv) = reader.next().unwrap() {
        let path = format!("{above}/{}", tlv.tag);
        if tlv.constructed {
            paths(tlv.contents, &path, found);
        }
        found.insert(path);
    }
}

/// What we say about PP's 1984 message in a report of our own is nothing that PP does not say as well.
#[test]
fn our_own_1984_report_has_the_members_of_pps() {
    let subject = message(&vector("pp-p1-84-message-and-report-1")).envelope;
    let last = LastTraceInformation::not_delivered(
        UtcTime::from_octets(b"261122061750Z"),
        NonDeliveryReasonCode::UNABLE_TO_TRANSFER,
        Some(NonDeliveryDiagnosticCode::UNRECOGNISED_OR_NAME),
    );
    let fields = PerRecipientReportFields::about(&subject.per_recipient_fields[1], last);
    let fields = fields.with_supplementary_information("Unknown local user 'nobody'");
    let mut report = Report::about_message(identifier(), trace(), &subject, vec![fields]);
    report.content.subject_intermediate_trace_information = Some(subject.trace_information.clone());
    let (mut ours, mut theirs) = Default::default();
    paths(&report.to_1984().unwrap().to_octets(), "", &mut ours);
    paths(&vector("pp-p1-84-message-and-report-2"), "", &mut theirs);
    let converted = "/[3]/[APPLICATION 5]";
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    assert!(ours.is_subset(&theirs), "{:?}", ours.difference(&theirs).collect::<Vec<_>>());
    // PP names the types after conversion as well; nothing was converted.
    assert!(missing.iter().all(|path| path.contains(converted)), "{missing:?}");
    assert_eq!(missing.len(), 2, "{missing:?}");
}
