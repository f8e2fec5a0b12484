//! P1 objects of our own making, and streams that no real MTA would send.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use ber::{Tag, Writer};
use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use mhs::p1::{
    ApduPart, ApduReader, ApduReaderState, Attempted, Criticality, ExtensionField, ExtensionType,
    InternalTraceInformationElement, LastTraceInformation, Limits, Message, MessageTransferEnvelope, MtsApdu,
    OriginatingMtaReport, OriginatorReport, P1Error, PerRecipientFields, PerRecipientIndicators,
    PerRecipientReportFields, Priority, ProbeTransferEnvelope, Report, RoutingAction, StandardExtension,
    TraceInformation, TraceInformationElement,
};
use mhs::{
    ContentType, DecodeErrorKind, EncodedInformationTypes, GlobalDomainIdentifier, MtaName, MtsIdentifier,
    OrName, UtcTime,
};
use proptest::prelude::*;

fn domain() -> GlobalDomainIdentifier {
    "C=GB;A= ;P=ALPHA".parse().unwrap()
}

fn identifier(local: &str) -> MtsIdentifier {
    MtsIdentifier::new(domain(), local).unwrap()
}

fn time() -> UtcTime {
    UtcTime::from_wall(clock::WallTime::from_unix(1_795_321_800))
}

fn name(text: &str) -> OrName {
    OrName::new(text.parse().unwrap())
}

fn trace() -> TraceInformation {
    vec![TraceInformationElement::relayed(domain(), time()).into()].into()
}

fn recipient(number: i64) -> PerRecipientFields {
    let indicators =
        PerRecipientIndicators::new(true, OriginatingMtaReport::NonDelivery, OriginatorReport::Report);
    PerRecipientFields::new(name(&format!("S=r{number};P=BETA;A= ;C=GB")), number, indicators)
}

fn envelope() -> MessageTransferEnvelope {
    let originator = name("S=operations;O=Acme;P=ALPHA;A= ;C=GB");
    let mut envelope = MessageTransferEnvelope::new(
        identifier("m1"),
        originator,
        ContentType::P22,
        vec![recipient(1), recipient(2)],
        trace(),
    );
    envelope.original_encoded_information_types =
        Some(EncodedInformationTypes::ia5_text().with_general_text(&[1, 6, 100]).with_file_transfer());
    envelope.priority.set(Priority::Urgent);
    envelope.per_message_indicators.edit().set(3, true);
    envelope.deferred_delivery_time = Some(time().into());
    envelope.content_identifier = Some(mhs::p1::ContentIdentifier("ref".to_owned()).into());
    let mta = MtaName::new("MTA-A").unwrap();
    envelope
        .extensions
        .push_internal_trace(InternalTraceInformationElement::relayed(domain(), mta, time()))
        .unwrap();
    envelope
}

fn stream(octets: &[u8], limits: Limits) -> Result<Vec<ApduPart>, P1Error> {
    let mut reader = ApduReader::new(limits);
    let mut parts = Vec::new();
    for chunk in octets.chunks(5) {
        reader.push(chunk, &mut parts)?;
    }
    reader.finish()?;
    Ok(parts)
}

#[test]
fn a_message_is_read_as_it_was_built() {
    let built = envelope();
    let octets = MtsApdu::Message(Box::new(Message::new(built.clone(), b"content".to_vec()))).to_octets();
    let MtsApdu::Message(read) = MtsApdu::from_octets(&octets).unwrap() else { panic!("no message") };
    assert_eq!(*read.content, b"content");
    let read = read.envelope;
    assert_eq!(read.message_identifier, built.message_identifier);
    assert_eq!(read.originator_name, built.originator_name);
    assert_eq!(*read.priority, Priority::Urgent);
    assert!(read.per_message_indicators.content_return_request());
    assert_eq!(read.deferred_delivery_time, built.deferred_delivery_time);
    assert_eq!(read.content_identifier, built.content_identifier);
    assert_eq!(read.trace_information[0], built.trace_information[0]);
    assert_eq!(
        read.original_encoded_information_types.unwrap().to_string(),
        "ia5-text, 1.0.10021.7.1.0.1, 1.0.10021.7.1.0.6, 1.0.10021.7.1.0.100, 2.6.1.12.0"
    );
    assert!(read.extensions.iter().eq(built.extensions.iter()));
    let internal = read.extensions.internal_trace().unwrap();
    assert_eq!(internal[0].mta_name.as_str(), "MTA-A");
    assert_eq!(read.per_recipient_fields.len(), 2);
    let recipient = &read.per_recipient_fields[1];
    assert_eq!(*recipient.originally_specified_recipient_number, 2);
    assert!(recipient.responsibility());
    assert_eq!(recipient.per_recipient_indicators.originator_report(), OriginatorReport::Report);
    assert_eq!(
        recipient.per_recipient_indicators.originating_mta_report(),
        OriginatingMtaReport::NonDelivery
    );
    assert_eq!(*recipient.per_recipient_indicators.0.octets, [0b1011_0000]);
}

#[test]
fn defaults_are_not_encoded() {
    let plain = MessageTransferEnvelope::new(
        identifier("m1"),
        name("S=a;A= ;C=GB"),
        ContentType::P2,
        vec![recipient(1)],
        trace(),
    );
    let octets = plain.to_octets();
    let tags: Vec<Tag> = {
        let mut reader = ber::Reader::new(&octets).any().unwrap().reader().unwrap();
        std::iter::from_fn(|| reader.next().unwrap().map(|tlv| tlv.tag)).collect()
    };
    let application = Tag::application;
    assert_eq!(tags, [application(4), application(0), application(6), application(9), Tag::context(2)]);
}

#[test]
fn a_report_about_a_message_echoes_it() {
    let subject = envelope();
    let delivered = LastTraceInformation::delivered(time(), time(), TypeOfMtsUser::PRIVATE);
    let failed = LastTraceInformation::not_delivered(
        time(),
        NonDeliveryReasonCode::UNABLE_TO_TRANSFER,
        Some(NonDeliveryDiagnosticCode::UNRECOGNISED_OR_NAME),
    );
    let recipients = vec![
        PerRecipientReportFields::about(&subject.per_recipient_fields[0], delivered),
        PerRecipientReportFields::about(&subject.per_recipient_fields[1], failed)
            .with_supplementary_information("Kein Müller here!"),
    ];
    let report = Report::about_message(identifier("r1"), trace(), &subject, recipients);
    let octets = report.to_octets();
    let read = Report::from_octets(&octets).unwrap();
    assert_eq!(MtsApdu::from_octets(&octets), Ok(MtsApdu::Report(Box::new(read.clone()))));
    assert_eq!(read.envelope.report_destination_name, subject.originator_name);
    assert_eq!(read.content.subject_identifier, subject.message_identifier);
    assert_eq!(read.content.content_identifier, subject.content_identifier);
    assert_eq!(**read.content.content_type.as_ref().unwrap(), ContentType::P22);
    assert_eq!(
        read.content.original_encoded_information_types.unwrap().to_string(),
        subject.original_encoded_information_types.unwrap().to_string()
    );
    let [first, second] = &read.content.per_recipient_fields[..] else { panic!("not two") };
    assert_eq!(first.last_trace_information, report.content.per_recipient_fields[0].last_trace_information);
    assert_eq!(second.last_trace_information, report.content.per_recipient_fields[1].last_trace_information);
    assert_eq!(second.actual_recipient_name, subject.per_recipient_fields[1].recipient_name);
    assert_eq!(*second.originally_specified_recipient_number, 2);
    assert_eq!(**second.supplementary_information.as_ref().unwrap(), "Kein M?ller here?");
    // The context tag replaces that of the O/R name: `A0 {30 ...}`, never `A0 {60 ...}`.
    let name = subject.per_recipient_fields[0].recipient_name.encode();
    let mut implicit = name.clone();
    implicit[0] = 0xA0;
    assert!(octets.windows(implicit.len()).any(|window| window == implicit));
}

#[test]
fn a_report_may_carry_everything() {
    let subject = envelope();
    let last = LastTraceInformation {
        converted_encoded_information_types: Some(EncodedInformationTypes::ia5_text()),
        ..LastTraceInformation::delivered(time(), time(), TypeOfMtsUser::PUBLIC)
    };
    let mut recipient = PerRecipientReportFields::about(&subject.per_recipient_fields[0], last);
    recipient.originally_intended_recipient_name = Some(name("S=intended;A= ;C=GB"));
    recipient.extensions.set(ExtensionField::new(
        ExtensionType::Standard(25),
        Criticality::NONE,
        vec![0x30, 0],
    ));
    let mut report = Report::about_message(identifier("r1"), trace(), &subject, vec![recipient]);
    report.content.subject_intermediate_trace_information = Some(subject.trace_information.clone());
    report.content.returned_content = Some(b"content".to_vec().into());
    report.content.additional_information = Some(vec![0xA2, 2, 5, 0]);
    let read = Report::from_octets(&report.to_octets()).unwrap();
    assert_eq!(read.to_octets(), report.to_octets());
    assert_eq!(**read.content.returned_content.as_ref().unwrap(), *b"content");
    assert_eq!(read.content.additional_information, report.content.additional_information);
    let [read] = &read.content.per_recipient_fields[..] else { panic!("not one") };
    assert_eq!(read.originally_intended_recipient_name, Some(name("S=intended;A= ;C=GB")));
    assert_eq!(
        read.last_trace_information.converted_encoded_information_types.as_ref().unwrap().to_string(),
        "ia5-text"
    );
    let tree = mhs::render::apdu(&MtsApdu::Report(Box::new(report))).to_string();
    for line in [
        "returned-content: 7 octets: 636f6e74656e74",
        "type-of-MTS-user: public (0)",
        "redirection-history (25): not critical",
    ] {
        assert!(tree.contains(line), "{line} in {tree}");
    }
}

#[test]
fn a_probe_is_read_as_it_was_built() {
    let mut probe = ProbeTransferEnvelope::new(
        identifier("p1"),
        name("S=a;A= ;C=GB"),
        ContentType::Extended(ber::Oid::from_arcs(&[1, 2, 3]).unwrap()),
        vec![recipient(1)],
        trace(),
    );
    probe.content_length = Some(70_000.into());
    let octets = probe.to_octets();
    let read = ProbeTransferEnvelope::from_octets(&octets).unwrap();
    assert_eq!(read.probe_identifier, probe.probe_identifier);
    assert_eq!(read.content_type, probe.content_type);
    assert_eq!(read.content_length, probe.content_length);
    assert_eq!(
        stream(&octets, Limits::default()),
        Ok(vec![ApduPart::Probe(Box::new(read.clone())), ApduPart::End])
    );
    let report = Report::about_probe(identifier("r"), trace(), &read, Vec::new());
    assert_eq!(report.content.subject_identifier, probe.probe_identifier);
}

#[test]
fn a_change_leaves_its_surroundings_octet_for_octet() {
    // Indefinite lengths, members in an unusual order, an over-long length, unknown members.
    let octets = unusual(&envelope());
    let read = MessageTransferEnvelope::from_octets(&octets).unwrap();
    assert_eq!(read.to_octets(), octets);
    assert_eq!(read.unknown_members().count(), 1);

    let mut changed = read.clone();
    changed.trace_information.push(TraceInformationElement::relayed(domain(), time()).into());
    changed.priority.set(Priority::NonUrgent);
    let element = Writer::encode(|w| w.raw(&trace_octets()));
    let after = changed.to_octets();
    let again = MessageTransferEnvelope::from_octets(&after).unwrap();
    assert_eq!(again.trace_information.len(), 2);
    assert_eq!(*again.priority, Priority::NonUrgent);
    // One octet of the priority, one element more: everything else stands as it stood.
    assert_eq!(after.len(), octets.len() + element.len());

    // Setting the same value again changes nothing.
    let mut same = read.clone();
    same.priority.set(Priority::Urgent);
    same.per_recipient_fields[0].set_responsibility(true);
    assert_eq!(same.to_octets(), octets);

    // What was absent is added at the end, what is removed leaves no trace.
    let mut without = read.clone();
    without.deferred_delivery_time = None;
    without.content_identifier = None;
    let without = without.to_octets();
    let gone = MessageTransferEnvelope::from_octets(&without).unwrap();
    assert_eq!(gone.deferred_delivery_time, None);
    assert_eq!(gone.unknown_members().count(), 1);
}

fn trace_octets() -> Vec<u8> {
    let mut envelope = envelope();
    envelope.trace_information = trace();
    let octets = envelope.to_octets();
    let mut reader = ber::Reader::new(&octets).any().unwrap().reader().unwrap();
    while let Some(member) = reader.next().unwrap() {
        if member.tag == Tag::application(9) {
            return member.contents.to_vec();
        }
    }
    panic!("no trace");
}

/// The same envelope with its members in reverse order and unusual lengths.
fn unusual(envelope: &MessageTransferEnvelope) -> Vec<u8> {
    let octets = envelope.to_octets();
    let mut members = Vec::new();
    let mut reader = ber::Reader::new(&octets).any().unwrap().reader().unwrap();
    while let Some(member) = reader.next().unwrap() {
        members.push(if member.constructed {
            let mut unusual = vec![member.raw[0], 0x80];
            unusual.extend_from_slice(member.contents);
            unusual.extend_from_slice(&[0, 0]);
            unusual
        } else {
            member.raw.to_vec()
        });
    }
    members.reverse();
    members.insert(2, vec![0x9F, 0x50, 0x82, 0, 1, 42]);
    let mut octets = vec![0x31, 0x80];
    octets.extend(members.concat());
    octets.extend_from_slice(&[0, 0]);
    octets
}

#[test]
fn errors_name_the_field_and_the_place() {
    let mut octets = envelope().to_octets();
    let error = MessageTransferEnvelope::from_octets(&octets[..octets.len() - 1]).unwrap_err();
    assert_eq!(error.to_string(), "envelope: element runs past the end of its container at octet 0");
    // The tag of the second recipient.
    let at = (0..octets.len()).rfind(|&n| octets[n..].starts_with(&[0x31])).unwrap();
    octets[at] = 0x04;
    let error = MessageTransferEnvelope::from_octets(&octets).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "envelope.per-recipient-fields[1]: expected [UNIVERSAL 17], found [UNIVERSAL 4] at octet {at}"
        )
    );
    let empty = MessageTransferEnvelope::from_octets(&[0x31, 0]).unwrap_err();
    assert_eq!(empty.kind, DecodeErrorKind::Missing);
    assert_eq!(empty.to_string(), "envelope.message-identifier: mandatory member is absent at octet 0");
    let twice = MessageTransferEnvelope::from_octets(&[0x31, 6, 0x46, 1, 2, 0x46, 1, 2]).unwrap_err();
    assert_eq!(twice.to_string(), "envelope.content-type: member occurs twice at octet 5");
}

#[test]
fn unknown_members_of_a_set_are_bounded() {
    // What is wrong with an envelope that has nothing but unknown members.
    let fault = |members: usize| {
        let octets = Writer::encode(|w| {
            w.constructed(Tag::SET, |w| (0..members).for_each(|_| w.primitive(Tag::context(30), &[])));
        });
        MessageTransferEnvelope::from_octets(&octets).unwrap_err().kind
    };
    assert_eq!(fault(256), DecodeErrorKind::Missing);
    assert_eq!(fault(257), DecodeErrorKind::TooMany { limit: 256 });
}

#[test]
fn lists_are_bounded() {
    let mut many = envelope();
    for _ in 0..512 {
        many.trace_information.push(TraceInformationElement::relayed(domain(), time()).into());
    }
    let error = MessageTransferEnvelope::from_octets(&many.to_octets()).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooMany { limit: 512 });
    let mut many = envelope();
    for number in 0..257 {
        let value =
            ExtensionField::new(ExtensionType::Standard(1000 + number), Criticality::NONE, Vec::new());
        many.extensions.set(value);
    }
    let error = MessageTransferEnvelope::from_octets(&many.to_octets()).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooMany { limit: 256 });
}

#[test]
fn a_stream_is_bounded_before_it_is_held() {
    let limits = Limits { max_envelope_octets: 1000, max_report_octets: 100, max_content_octets: 50 };
    let octets = MtsApdu::Message(Box::new(Message::new(envelope(), vec![0; 51]))).to_octets();
    let error = stream(&octets, limits).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLarge { limit: 50 });
    assert!(stream(&octets, Limits { max_content_octets: 51, ..limits }).is_ok());
    // A length that can't be true, and an envelope without end: neither makes the reader hold more than the
    // limit.
    for start in [
        vec![0xA0, 0x80, 0x31, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
        vec![0xA2, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
        vec![0xA1, 0x80, 0x31, 0x82, 0xFF, 0xFF],
    ] {
        let mut reader = ApduReader::new(limits);
        let error = reader.push(&start, &mut Vec::new()).unwrap_err();
        assert!(matches!(error.kind, DecodeErrorKind::TooLarge { .. }), "{error}");
        assert_eq!(reader.save(), None, "nothing can follow an error");
        // The same again, whatever comes.
        assert_eq!(reader.push(&[0], &mut Vec::new()), Err(error.clone()));
        assert_eq!(reader.finish(), Err(error));
    }
    let mut reader = ApduReader::new(limits);
    reader.push(&[0xA0, 0x80, 0x31, 0x80], &mut Vec::new()).unwrap();
    let endless = (0..1000).find_map(|_| reader.push(&[5, 0], &mut Vec::new()).err());
    assert_eq!(endless.unwrap().kind, DecodeErrorKind::TooLarge { limit: 1000 });
    let mut reader = ApduReader::new(Limits::default());
    reader.push(&[0xA0, 0x80], &mut Vec::new()).unwrap();
    let nested = (0..100).find_map(|_| reader.push(&[0x31, 0x80], &mut Vec::new()).err());
    assert_eq!(nested.unwrap().kind, DecodeErrorKind::Encoding(ber::ErrorKind::TooDeep));
}

#[test]
fn what_is_no_apdu_is_refused() {
    for octets in [&[0xA3, 0][..], &[0x80, 0], &[0x30, 0], &[0xA0, 2, 0x30, 0], &[0xA0, 2, 0x31, 4], &[0, 0]]
    {
        assert!(stream(octets, Limits::default()).is_err(), "{octets:02x?}");
        assert!(MtsApdu::from_octets(octets).is_err(), "{octets:02x?}");
    }
}

#[test]
fn attempted_domains_and_actions_are_kept() {
    let mut element = TraceInformationElement::relayed(domain(), time());
    element.routing_action = RoutingAction::Rerouted;
    element.attempted_domain = Some("C=DE;A=DBP".parse().unwrap());
    element.additional.deferred_time = Some(time());
    element.additional.converted_encoded_information_types = Some(EncodedInformationTypes::ia5_text());
    element.additional.other_actions.set(1, true);
    let mut internal = InternalTraceInformationElement::relayed(domain(), MtaName::new("B").unwrap(), time());
    internal.routing_action = RoutingAction::Other(7);
    internal.attempted = Some(Attempted::Mta(MtaName::new("C").unwrap()));
    let mut built = envelope();
    built.trace_information.push(element.clone().into());
    built.extensions.push_internal_trace(internal.clone()).unwrap();
    let read = MessageTransferEnvelope::from_octets(&built.to_octets()).unwrap();
    let trace = &read.trace_information[1];
    assert_eq!(trace.attempted_domain, element.attempted_domain);
    assert_eq!(trace.routing_action, RoutingAction::Rerouted);
    assert!(trace.additional.other_actions.dl_operation());
    assert!(!trace.additional.other_actions.redirected());
    assert_eq!(trace.additional.deferred_time, Some(time()));
    let internal_trace = read.extensions.internal_trace().unwrap();
    assert_eq!(internal_trace.len(), 2);
    assert_eq!(*internal_trace[1], internal);
}

#[test]
fn an_extension_is_replaced_where_it_stands() {
    let field = |number, value: &[u8]| {
        ExtensionField::new(ExtensionType::Standard(number), Criticality::NONE, value.to_vec())
    };
    let mut built = envelope();
    built.extensions = [field(1, &[10, 1, 1]), field(3, &[]), field(99, &[5, 0])].into_iter().collect();
    let mut read = MessageTransferEnvelope::from_octets(&built.to_octets()).unwrap();
    read.extensions.set(field(3, &[10, 1, 1]));
    read.extensions.remove(&ExtensionType::Standard(1));
    let private = ExtensionType::Private(ber::Oid::from_arcs(&[1, 2, 3]).unwrap());
    let critical = Criticality { for_transfer: true, for_delivery: true, for_submission: false };
    read.extensions.set(ExtensionField::new(private.clone(), critical, Vec::new()));
    let read = MessageTransferEnvelope::from_octets(&read.to_octets()).unwrap();
    let types: Vec<_> = read.extensions.iter().map(|field| field.extension_type().to_string()).collect();
    assert_eq!(types, ["dl-expansion-prohibited (3)", "unknown-extension (99)", "1.2.3"]);
    assert_eq!(
        read.extensions.standard(StandardExtension::DL_EXPANSION_PROHIBITED).unwrap().value(),
        [10, 1, 1]
    );
    assert_eq!(read.extensions.get(&private).unwrap().criticality(), critical);
    assert_eq!(read.extensions.get(&private).unwrap().value(), [5, 0]);
}

/// The content as a constructed string: each element is a segment or, if it is large, segments in a segment.
fn segmented(content: &[u8], size: usize, indefinite: bool) -> Vec<u8> {
    let mut octets = Vec::new();
    for chunk in content.chunks(size.max(1)) {
        let inner = Writer::encode(|w| {
            w.primitive(Tag::OCTET_STRING, &[]);
            w.primitive(Tag::OCTET_STRING, chunk);
        });
        octets.push(0x24);
        if indefinite {
            octets.push(0x80);
            octets.extend_from_slice(&inner);
            octets.extend_from_slice(&[0, 0]);
        } else {
            octets.extend_from_slice(&[0x82, (inner.len() >> 8) as u8, inner.len() as u8]);
            octets.extend_from_slice(&inner);
        }
    }
    let mut outer = vec![0x24, 0x80];
    outer.extend_from_slice(&octets);
    outer.extend_from_slice(&[0, 0]);
    outer
}

fn any_octets() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..20)
}

proptest! {
    #[test]
    fn segments_and_chunks_do_not_matter(
        content in proptest::collection::vec(any::<u8>(), 0..300),
        segment in 1usize..100,
        indefinite in any::<bool>(),
        outer_indefinite in any::<bool>(),
        chunk in 1usize..50,
    ) {
        let mut body = unusual(&envelope());
        body.extend(segmented(&content, segment, indefinite));
        let octets = if outer_indefinite {
            [&[0xA0, 0x80][..], &body, &[0, 0]].concat()
        } else {
            Writer::encode(|w| w.constructed(Tag::context(0), |w| w.raw(&body)))
        };
        let whole = MtsApdu::from_octets(&octets).unwrap();
        prop_assert_eq!(whole.to_octets(), octets.clone());
        let MtsApdu::Message(whole) = whole else { panic!("no message") };
        prop_assert_eq!(&*whole.content, &content);
        let mut reader = ApduReader::new(Limits::default());
        let mut parts = Vec::new();
        for piece in octets.chunks(chunk) {
            reader.push(piece, &mut parts).unwrap();
        }
        reader.finish().unwrap();
        let mut streamed = Vec::new();
        for part in &parts {
            if let ApduPart::Content(octets) = part {
                prop_assert!(!octets.is_empty());
                streamed.extend_from_slice(octets);
            }
        }
        prop_assert_eq!(streamed, content);
        prop_assert_eq!(&parts[0], &ApduPart::MessageEnvelope(Box::new(whole.envelope.clone())));
        prop_assert_eq!(parts.last(), Some(&ApduPart::End));
        let mut interrupted = ApduReader::new(Limits::default());
        let mut resumed = Vec::new();
        for piece in octets.chunks(chunk) {
            interrupted.push(piece, &mut resumed).unwrap();
            let stored = postcard::to_allocvec(&interrupted.save().unwrap()).unwrap();
            let state = postcard::from_bytes(&stored).unwrap();
            interrupted = ApduReader::restore(Limits::default(), state).unwrap();
        }
        interrupted.finish().unwrap();
        prop_assert_eq!(&resumed, &parts);
        for end in (0..octets.len()).step_by(7) {
            let mut reader = ApduReader::new(Limits::default());
            reader.push(&octets[..end], &mut Vec::new()).unwrap();
            prop_assert_eq!(reader.finish().unwrap_err().kind, DecodeErrorKind::Incomplete);
        }
    }

    /// Whatever is in the store: it is refused or it leads to an error, never to a panic.
    #[test]
    fn a_damaged_state_of_a_reader_is_harmless(
        octets in proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..4, Just(0xFF)], 1..80),
        apdu in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x04u8), Just(0x24), Just(0x80)], 0..60),
    ) {
        if let Ok((state, _)) = postcard::take_from_bytes::<ApduReaderState>(&octets)
            && let Some(mut reader) = ApduReader::restore(Limits::default(), state)
        {
            for piece in apdu.chunks(3) {
                let _ = reader.push(piece, &mut Vec::new());
            }
            let _ = reader.finish();
        }
    }

    #[test]
    fn unknown_members_and_extensions_go_through(
        members in proptest::collection::vec((30u32..1000, any_octets()), 0..5),
        fields in proptest::collection::vec((any::<i64>(), any::<u8>(), any_octets()), 0..5),
        private in proptest::collection::vec(any::<u32>(), 0..4),
    ) {
        let mut built = envelope();
        for (number, criticality, value) in &fields {
            let critical = Criticality {
                for_submission: criticality & 1 != 0,
                for_transfer: criticality & 2 != 0,
                for_delivery: criticality & 4 != 0,
            };
            let value = Writer::encode(|w| w.primitive(Tag::OCTET_STRING, value));
            built.extensions.set(ExtensionField::new(ExtensionType::Standard(*number), critical, value));
        }
        for arc in private {
            let oid = ber::Oid::from_arcs(&[2, 6, arc]).unwrap();
            let private = ExtensionType::Private(oid);
            built.extensions.set(ExtensionField::new(private, Criticality::NONE, Vec::new()));
        }
        let octets = built.to_octets();
        let contents = ber::Reader::new(&octets).any().unwrap().contents.to_vec();
        let octets = Writer::encode(|w| w.constructed(Tag::SET, |w| {
            for (number, value) in &members {
                w.primitive(Tag::context(*number), value);
            }
            w.raw(&contents);
        }));
        let read = MessageTransferEnvelope::from_octets(&octets).unwrap();
        prop_assert_eq!(read.to_octets(), octets);
        prop_assert_eq!(read.unknown_members().count(), members.len());
        prop_assert_eq!(
            read.extensions.iter().collect::<Vec<_>>(),
            built.extensions.iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn octets_are_refused_or_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = MtsApdu::from_octets(&octets);
        let _ = stream(&octets, Limits::default());
        let _ = mhs::p1::bind::MtaBindArgument::from_octets(&octets);
        let _ = mhs::p1::bind::MtaBindError::from_octets(&octets);
    }
}
