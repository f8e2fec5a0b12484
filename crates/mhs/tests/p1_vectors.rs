//! P1 APDUs of independent implementations: each is read in full and leaves with the octets it came with.
//!
//! `vectors/golden-message.hex` was accepted by two independent decoders; the others were taken from the
//! captures of the same names, of which those with `p1-84` are 1984 P1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use mhs::p1::{
    ApduPart, ApduReader, ApduReaderState, Attempted, ExtensionCoding, ExtensionType, Limits, MtsApdu,
    OriginatorReport, Priority, ReportType, RoutingAction, StandardExtension, message_header,
};
use mhs::{ContentType, OrAddress};

fn vectors() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                hex(&std::fs::read_to_string(path).unwrap()),
            )
        })
        .collect();
    all.sort();
    assert!(all.len() > 40, "vectors are missing");
    all
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn vector(name: &str) -> MtsApdu {
    let (_, octets) = vectors().into_iter().find(|(known, _)| known == name).unwrap();
    MtsApdu::from_octets(&octets).unwrap()
}

/// What a streaming reader makes of the octets in chunks of `size`, contents joined.
fn stream(octets: &[u8], size: usize) -> Result<Vec<ApduPart>, mhs::DecodeError> {
    let mut reader = ApduReader::new(Limits::default());
    let mut parts = Vec::new();
    for chunk in octets.chunks(size) {
        reader.push(chunk, &mut parts)?;
    }
    reader.finish()?;
    Ok(join(parts))
}

fn join(parts: Vec<ApduPart>) -> Vec<ApduPart> {
    let mut joined: Vec<ApduPart> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(ApduPart::Content(content)), ApduPart::Content(more)) => content.extend(more),
            (_, part) => joined.push(part),
        }
    }
    joined
}

fn parts_of(apdu: &MtsApdu) -> Vec<ApduPart> {
    match apdu.clone() {
        MtsApdu::Message(message) => {
            let mut parts = vec![ApduPart::MessageEnvelope(Box::new(message.envelope))];
            if !message.content.is_empty() {
                parts.push(ApduPart::Content(message.content.into_value()));
            }
            parts.push(ApduPart::End);
            parts
        }
        MtsApdu::Probe(probe) => vec![ApduPart::Probe(probe), ApduPart::End],
        MtsApdu::Report(report) => vec![ApduPart::Report(report), ApduPart::End],
    }
}

/// Stores a reader's state and takes it up again, as another process would.
fn stored(reader: &ApduReader) -> ApduReader {
    let octets = postcard::to_allocvec(&reader.save().unwrap()).unwrap();
    let state: ApduReaderState = postcard::from_bytes(&octets).unwrap();
    assert_eq!(Some(&state), reader.save().as_ref());
    ApduReader::restore(Limits::default(), state).unwrap()
}

#[test]
fn a_reader_that_is_stored_at_any_octet_gives_the_same() {
    for (name, octets) in vectors() {
        let whole = stream(&octets, octets.len()).unwrap();
        // Of a long one the ends, where everything but content is.
        let cuts = (0..=octets.len()).filter(|cut| *cut < 3_000 || octets.len() - cut < 100);
        let mut before = ApduReader::new(Limits::default());
        let mut given = Vec::new();
        let mut taken = 0;
        for cut in cuts {
            before.push(&octets[taken..cut], &mut given).unwrap();
            taken = cut;
            let mut after = stored(&before);
            assert_eq!(after.position(), cut as u64);
            let mut parts = given.clone();
            after.push(&octets[cut..], &mut parts).unwrap();
            after.finish().unwrap();
            assert!(join(parts) == whole, "{name} stored after {cut} octets");
        }
    }
}

#[test]
fn every_apdu_is_encoded_again_octet_for_octet() {
    for (name, octets) in vectors() {
        let apdu = MtsApdu::from_octets(&octets).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(apdu.to_octets(), octets, "{name}");
    }
}

#[test]
fn a_stream_gives_the_same_whatever_the_chunks() {
    for (name, octets) in vectors() {
        let whole = parts_of(&MtsApdu::from_octets(&octets).unwrap());
        for size in [1, 2, 3, 7, 64, 1024, octets.len()] {
            assert_eq!(stream(&octets, size).unwrap(), whole, "{name} in chunks of {size}");
        }
    }
}

#[test]
fn an_apdu_cut_anywhere_is_incomplete() {
    for (name, octets) in vectors() {
        if octets.len() > 3000 {
            continue;
        }
        for end in 0..octets.len() {
            let mut reader = ApduReader::new(Limits::default());
            let mut parts = Vec::new();
            reader
                .push(&octets[..end], &mut parts)
                .unwrap_or_else(|error| panic!("{name} at {end}: {error}"));
            assert!(!reader.is_complete(), "{name} at {end}");
            let error = reader.finish().expect_err("incomplete");
            assert_eq!(error.kind, mhs::DecodeErrorKind::Incomplete, "{name} at {end}");
            assert!(MtsApdu::from_octets(&octets[..end]).is_err(), "{name} at {end}");
        }
    }
}

#[test]
fn nothing_may_follow_an_apdu() {
    for (name, mut octets) in vectors() {
        octets.push(0);
        assert!(stream(&octets, 100).is_err(), "{name}");
        assert!(MtsApdu::from_octets(&octets).is_err(), "{name}");
    }
}

#[test]
fn a_changed_octet_never_panics() {
    for (name, octets) in vectors() {
        // A message, a report and a probe of each kind are enough, and take a second.
        if !["golden-message", "pp-dr-and-ndr-3recipients-2", "pp-probe-no-report-1"].contains(&name.as_str())
        {
            continue;
        }
        for position in 0..octets.len() {
            for value in [0x00, 0x80, 0xFF, octets[position] ^ 0x20, octets[position].wrapping_add(1)] {
                let mut changed = octets.clone();
                changed[position] = value;
                if let Ok(apdu) = MtsApdu::from_octets(&changed) {
                    assert_eq!(apdu.to_octets(), changed);
                    let _ = mhs::render::apdu(&apdu).to_string();
                }
                let _ = stream(&changed, 50);
            }
        }
    }
}

#[test]
fn a_header_of_definite_lengths_and_the_content_are_the_message() {
    for (name, octets) in vectors() {
        let MtsApdu::Message(message) = MtsApdu::from_octets(&octets).unwrap() else { continue };
        let mut again = message_header(&message.envelope, message.content.len() as u64);
        again.extend_from_slice(&message.content);
        let MtsApdu::Message(read) = MtsApdu::from_octets(&again).unwrap() else { panic!("{name}") };
        assert_eq!(read.envelope, message.envelope, "{name}");
        assert_eq!(read.content, message.content, "{name}");
        if name == "golden-message" {
            assert_eq!(again, octets);
        }
    }
}

#[test]
fn responsibility_changes_one_bit_only() {
    for (name, octets) in vectors() {
        let MtsApdu::Message(mut message) = MtsApdu::from_octets(&octets).unwrap() else { continue };
        for recipient in &mut message.envelope.per_recipient_fields {
            let before = recipient.responsibility();
            recipient.set_responsibility(!before);
            assert_eq!(recipient.responsibility(), !before);
        }
        let recipients = message.envelope.per_recipient_fields.len();
        let changed = MtsApdu::Message(message).to_octets();
        assert_eq!(changed.len(), octets.len(), "{name}");
        let different: Vec<u8> =
            changed.iter().zip(&octets).map(|(a, b)| a ^ b).filter(|difference| *difference != 0).collect();
        assert_eq!(different, vec![0x80; recipients], "{name}");
    }
}

#[test]
fn the_golden_message_means_what_it_should() {
    let MtsApdu::Message(message) = vector("golden-message") else { panic!("no message") };
    let envelope = &message.envelope;
    assert_eq!(envelope.message_identifier.to_string(), "C=GB;A=GOLD 400;P=ACME;L=MTA-A 20261122 0001");
    assert_eq!(
        envelope.originator_name.to_string(),
        "G=Joe;S=Sender;CN=Snd;O=Acme Widgets;OU1=Sales;OU2=North;DDA:RFC-822=joe(a)acme.example;P=ACME;A=GOLD 400;C=GB"
    );
    assert_eq!(*envelope.content_type, ContentType::P22);
    assert_eq!(*envelope.priority, Priority::Urgent);
    assert_eq!(envelope.content_identifier.as_ref().unwrap().0, "CID 1");
    assert_eq!(envelope.original_encoded_information_types.as_ref().unwrap().to_string(), "ia5-text");
    assert_eq!(
        envelope.per_message_indicators.names(),
        ["disclosure-of-other-recipients", "content-return-request"]
    );
    assert_eq!(envelope.trace_information.len(), 1);
    assert_eq!(envelope.trace_information[0].arrival_time.to_string(), "2026-11-22T04:30:00Z");
    assert_eq!(envelope.trace_information[0].routing_action, RoutingAction::Relayed);
    let numbers: Vec<_> = envelope.extensions.iter().map(|e| e.extension_type().clone()).collect();
    assert_eq!(numbers, [ExtensionType::Standard(1), ExtensionType::Standard(38)]);
    assert!(envelope.extensions.standard(1).unwrap().criticality().for_delivery);
    let internal = envelope.extensions.internal_trace().unwrap();
    assert_eq!(internal[0].mta_name.as_str(), "MTA-A");
    assert_eq!(internal[0].attempted, None::<Attempted>);
    let [first, second] = &envelope.per_recipient_fields[..] else { panic!("not two recipients") };
    assert_eq!(first.address().common_name(), Some("Common Name"));
    assert!(first.responsibility());
    assert_eq!(first.per_recipient_indicators.originator_report(), OriginatorReport::NonDelivery);
    assert_eq!(first.extensions.len(), 2);
    assert_eq!(*second.originally_specified_recipient_number, 2);
    let address: OrAddress = first.address().to_string().parse().unwrap();
    assert_eq!(&address, first.address());
}

#[test]
fn reports_of_another_mta_are_understood() {
    let MtsApdu::Report(report) = vector("pp-dr-and-ndr-3recipients-2") else { panic!("no report") };
    let [recipient] = &report.content.per_recipient_fields[..] else { panic!("not one recipient") };
    let ReportType::NonDelivery(why) = &recipient.last_trace_information.report_type else {
        panic!("delivered")
    };
    assert_eq!(why.reason.to_string(), "unable-to-transfer (1)");
    assert_eq!(why.diagnostic.unwrap().to_string(), "unrecognised-OR-name (0)");
    assert!(recipient.supplementary_information.is_some());
    assert_eq!(*recipient.originally_specified_recipient_number, 3);
    assert_eq!(report.content.subject_intermediate_trace_information.as_ref().unwrap().len(), 3);
    assert!(report.envelope.extensions.standard(StandardExtension::INTERNAL_TRACE_INFORMATION).is_some());
    let MtsApdu::Report(report) = vector("pp-dr-and-ndr-3recipients-3") else { panic!("no report") };
    assert_eq!(report.content.per_recipient_fields.len(), 2);
    for recipient in &report.content.per_recipient_fields {
        let ReportType::Delivery(delivery) = &recipient.last_trace_information.report_type else {
            panic!("not")
        };
        assert_eq!(delivery.type_of_mts_user.to_string(), "private (1)");
    }
}

#[test]
fn both_codings_of_the_extension_type_are_understood() {
    let MtsApdu::Message(old) = vector("pp-p1-88-transfer-legacy-extensions-1") else { panic!("no message") };
    let MtsApdu::Message(new) = vector("pp-p1-88-3msgs-and-ndr-std-extensions-1") else {
        panic!("no message")
    };
    let number = StandardExtension::INTERNAL_TRACE_INFORMATION;
    for message in [&old, &new] {
        assert!(!message.envelope.extensions.internal_trace().unwrap().is_empty());
    }
    let field = new.envelope.extensions.standard(number).unwrap().with_coding(ExtensionCoding::Legacy);
    let mut envelope = new.envelope.clone();
    envelope.extensions.set(field);
    let octets = envelope.to_octets();
    assert!(octets.windows(5).any(|five| five == [0xa0, 3, 2, 1, 38]));
    assert!(old.envelope.to_octets().windows(5).any(|five| five == [0xa0, 3, 2, 1, 38]));
}

#[test]
fn a_malformed_time_is_relayed_but_is_no_time() {
    let MtsApdu::Message(message) = vector("pp-p1-88-y2k-malformed-utctime-abort-1") else {
        panic!("no message")
    };
    let trace = &message.envelope.trace_information;
    let malformed: Vec<_> = trace.iter().filter(|element| element.arrival_time.to_wall().is_none()).collect();
    assert!(!malformed.is_empty());
    assert!(malformed.iter().all(|element| element.arrival_time.octets().starts_with(b"126")));
    assert!(malformed[0].arrival_time.to_string().ends_with("(malformed)"));
}
