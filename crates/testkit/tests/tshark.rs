//! Another implementation's opinion: tshark on golden encodings and on what `mhs` makes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use mhs::ipm::{BilaterallyDefined, BodyPart, CONTENT_TYPE, Draft, FileTransfer};
use mhs::p1::{
    LastTraceInformation, Message, MessageTransferEnvelope, MtsApdu, OriginatingMtaReport, OriginatorReport,
    PerRecipientFields, PerRecipientIndicators, PerRecipientReportFields, ProbeTransferEnvelope, Report,
    TraceInformationElement, message_header,
};
use mhs::{EncodedInformationTypes, GlobalDomainIdentifier, Kept, MtsIdentifier, OrAddress, OrName, UtcTime};
use testkit::{Capture, GoldenVector, PcapBuilder, Tshark, hex, wrap_apdu};

/// Conversations of [`wrap_apdu`] use port 102, which tshark knows.
const PORT: &[u16] = &[];
const SENDER: &str = "S=sender;G=jo;O=Acme;P=ALPHA;A= ;C=GB";
const RECIPIENTS: [&str; 2] = ["S=receiver;G=al;O=Beta;P=BETA;A= ;C=GB", "CN=registry;P=BETA;A= ;C=GB"];

fn name(address: &str) -> OrName {
    OrName::new(address.parse::<OrAddress>().unwrap())
}

fn domain() -> GlobalDomainIdentifier {
    GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some("ALPHA".into()) }
}

fn time() -> UtcTime {
    UtcTime::from_octets(b"261122043000Z")
}

fn trace() -> mhs::p1::TraceInformation {
    vec![Kept::new(TraceInformationElement::relayed(domain(), time()))].into()
}

fn recipients() -> Vec<PerRecipientFields> {
    let indicators = || {
        PerRecipientIndicators::new(true, OriginatingMtaReport::NonDelivery, OriginatorReport::NonDelivery)
    };
    (1..).zip(RECIPIENTS).map(|(n, to)| PerRecipientFields::new(name(to), n, indicators())).collect()
}

fn identifier(local: &str) -> MtsIdentifier {
    MtsIdentifier::new(domain(), local).unwrap()
}

fn envelope(types: EncodedInformationTypes) -> MessageTransferEnvelope {
    let mut envelope = MessageTransferEnvelope::new(
        identifier("MSG 0001"),
        name(SENDER),
        CONTENT_TYPE,
        recipients(),
        trace(),
    );
    envelope.original_encoded_information_types = Some(types);
    envelope
}

fn draft(subject: &str) -> Draft {
    let draft = Draft::new(name(SENDER), "1 261122", subject).unwrap();
    draft.to(name(RECIPIENTS[0])).copy_to(name(RECIPIENTS[1]))
}

/// Has tshark judge an APDU and gives the values of `fields` in the frame that holds it.
fn judged(tshark: &Tshark, apdu: &[u8], fields: &[&str]) -> Vec<String> {
    let capture = wrap_apdu(apdu).into_vec();
    if let Err(complaints) = tshark.check_octets(&capture, PORT) {
        panic!("{complaints}\n{}", hex(apdu));
    }
    let mut rows = tshark.fields_of_octets(&capture, PORT, "p1.MTS_APDU", fields);
    assert_eq!(rows.len(), 1, "one APDU");
    rows.remove(0)
}

#[test]
fn golden_vectors_are_accepted() {
    let Some(tshark) = Tshark::required_by("golden_vectors_are_accepted") else { return };
    let apdu = GoldenVector::Message.octets();
    let values =
        judged(&tshark, &apdu, &["p22.subject", "p22.IA5TextData", "p22.ia5text.data", "p1.built_in"]);
    assert_eq!(values, ["Hello subject", "", "Hello body", "22"]);
    let report = tshark.check_octets(&wrap_apdu(&apdu).into_vec(), PORT).unwrap();
    let said = |info: &str| report.frames.iter().any(|frame| frame.info.contains(info));
    assert!(said("Bind-Argument MTA-A simple") && said("Bind-Result MTA-B simple"), "{report:?}");
    assert!(said("Release-Request") && said("Release-Response"), "{report:?}");
    assert_eq!(report.with_protocol("acse").count(), 4, "{report:?}");
}

#[test]
fn the_judge_does_find_faults() {
    let Some(tshark) = Tshark::required_by("the_judge_does_find_faults") else { return };
    let mut apdu = GoldenVector::Message.octets();
    // Another tag for the message identifier: one mandatory member missing, an unknown one too many.
    assert_eq!(apdu[8], 0x64);
    apdu[8] = 0x7E;
    let complaints = tshark.check_octets(&wrap_apdu(&apdu).into_vec(), PORT).unwrap_err();
    assert!(complaints.to_string().contains("BER Error"), "{complaints}");
    assert!(tshark.check_octets(&PcapBuilder::new().into_vec(), PORT).is_err(), "nothing to judge");
}

#[test]
fn captures_on_other_ports_are_dissected() {
    let Some(tshark) = Tshark::required_by("captures_on_other_ports_are_dissected") else { return };
    let path = Capture::fixture_dir().join("pp-dr-and-ndr-3recipients.pcap");
    let rows = tshark.fields(&path, &[20101, 20102], "p1.MTS_APDU", &["p1.MTS_APDU"]);
    // One message (alternative 0) and two reports (alternative 1).
    assert_eq!(rows.concat(), ["0", "1", "1"]);
    let probe = Capture::fixture_dir().join("pp-probe-no-report.pcap");
    assert!(tshark.check(&probe, &[20102]).is_err(), "its first probe has an explicit tag too many");
}

#[test]
fn composed_text_messages_are_accepted() {
    let Some(tshark) = Tshark::required_by("composed_text_messages_are_accepted") else { return };
    let fields = [
        "p22.subject",
        "p22.ia5text.data",
        "p22.GeneralTextParameters",
        "p1.built_in",
        "p1.BuiltInEncodedInformationTypes.ia5.text",
        "p1.ExtendedEncodedInformationType",
    ];
    let general = |number: u32| format!("1.0.10021.7.1.0.1,1.0.10021.7.1.0.6,1.0.10021.7.1.0.{number}");
    let judge = |subject: &str, text: &str| {
        let composed = draft(subject).text(text);
        let message = Message::new(envelope(composed.encoded_information_types), composed.content);
        judged(&tshark, &MtsApdu::Message(Box::new(message)).to_octets(), &fields)
    };
    // tshark shows a line end as its escape, and the number of character sets.
    let plain = judge("Hello subject", "Hello body\n");
    assert_eq!(plain, ["Hello subject", r"Hello body\r\n", "", "22", "1", ""]);
    let latin = judge("Grüße", "Größe: 5 µm\n");
    assert_eq!(latin, ["Grüße", "", "3", "22", "", &general(100)]);
    let wide = judge("Жук", "Жук €\n");
    assert_eq!(wide, ["U+0416U+0443U+043A", "", "3", "22", "", &general(196)]);
    let long = judge(&"x".repeat(200), "");
    assert_eq!(long, [&"x".repeat(128), "", "", "22", "1", ""]);
}

#[test]
fn composed_files_are_accepted() {
    let Some(tshark) = Tshark::required_by("composed_files_are_accepted") else { return };
    let fields = [
        "p22.subject",
        "p22.ia5text.data",
        "ftam.Pathname_item",
        "ftam.actual_values7",
        "p22.FileTransferData",
        "p1.ExtendedEncodedInformationType",
    ];
    let file: Vec<u8> = (0..100_000u32).map(|n| (n / 7) as u8).collect();
    let composed = draft("With a file").file(Some("See the file."), "report.txt", 100_000).unwrap();
    let content = [composed.prefix, file, composed.suffix].concat();
    let mut apdu = message_header(&envelope(composed.encoded_information_types), content.len() as u64);
    apdu.extend(content);
    let values = judged(&tshark, &apdu, &fields);
    assert_eq!(values, ["With a file", "See the file.", "report.txt", "100000", "1", "2.6.1.12.0"]);

    let mut pieces = FileTransfer::new("a é.bin", vec![1, 2, 3]);
    pieces.data.push(mhs::ipm::FilePiece::Octets(vec![4]));
    let parts = vec![
        BodyPart::text_part("é"),
        BodyPart::FileTransfer(Box::new(pieces)),
        BodyPart::BilaterallyDefined(BilaterallyDefined(vec![0; 9])),
        BodyPart::text_part("plain"),
    ];
    let composed = draft("Four parts").parts(parts);
    let message = Message::new(envelope(composed.encoded_information_types), composed.content);
    let apdu = MtsApdu::Message(Box::new(message)).to_octets();
    let values = judged(&tshark, &apdu, &["p22.body", "p22.FileTransferData", "p22.ia5text.data"]);
    assert_eq!(values, ["4", "2", "plain"]);
}

#[test]
fn reports_are_accepted() {
    let Some(tshark) = Tshark::required_by("reports_are_accepted") else { return };
    let subject = envelope(EncodedInformationTypes::ia5_text());
    let delivered = LastTraceInformation::delivered(time(), time(), TypeOfMtsUser::PRIVATE);
    let refused = LastTraceInformation::not_delivered(
        time(),
        NonDeliveryReasonCode::UNABLE_TO_TRANSFER,
        Some(NonDeliveryDiagnosticCode::UNRECOGNISED_OR_NAME),
    );
    let recipients = vec![
        PerRecipientReportFields::about(&subject.per_recipient_fields[0], delivered),
        PerRecipientReportFields::about(&subject.per_recipient_fields[1], refused)
            .with_supplementary_information("No such user"),
    ];
    let report = Report::about_message(identifier("REP 0001"), trace(), &subject, recipients);
    let fields = [
        "p1.local_identifier",
        "p1.non_delivery_reason_code",
        "p1.non_delivery_diagnostic_code",
        "p1.supplementary_information",
        "p1.type_of_MTS_user",
        "p1.message_delivery_time",
        "p1.built_in",
    ];
    let values = judged(&tshark, &MtsApdu::Report(Box::new(report)).to_octets(), &fields);
    let expected = ["REP 0001,MSG 0001", "1", "0", "No such user", "1", "26-11-22 04:30:00 (UTC)", "22"];
    assert_eq!(values, expected);
}

#[test]
fn probes_are_accepted() {
    let Some(tshark) = Tshark::required_by("probes_are_accepted") else { return };
    let mut probe =
        ProbeTransferEnvelope::new(identifier("PRB 0001"), name(SENDER), CONTENT_TYPE, recipients(), trace());
    probe.content_length = Some(Kept::new(4096));
    let apdu = MtsApdu::Probe(Box::new(probe)).to_octets();
    let fields = ["p1.MTS_APDU", "p1.local_identifier", "p1.built_in", "p1.content_length"];
    assert_eq!(judged(&tshark, &apdu, &fields), ["2", "PRB 0001", "22", "4096"]);
}

#[test]
fn names_are_read_alike() {
    let Some(tshark) = Tshark::required_by("names_are_read_alike") else { return };
    let composed = draft("s").text("t");
    let message = Message::new(envelope(composed.encoded_information_types), composed.content);
    let apdu = MtsApdu::Message(Box::new(message)).to_octets();
    let row = judged(&tshark, &apdu, &["p1.country_name", "p1.organization_name", "p1.CommonName"]);
    assert!(row[1].contains("Acme") && row[1].contains("Beta"), "{row:?}");
    assert!(row[2].contains("registry"), "{row:?}");
}
