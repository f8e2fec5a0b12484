//! Traffic of networks of our own MTAs, kept as it was when tshark had judged it: each APDU is read, and leaves with the
//! octets it came with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};

use mhs::p1::{MtsApdu, ReportType};
use testkit::{Capture, Side, Tshark};

fn captures() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/networks");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = entries.collect();
    all.sort();
    all
}

#[test]
fn every_apdu_of_our_networks_is_read_and_written_alike() {
    let (mut messages, mut delivered, mut failed, mut probes) = (0, 0, 0, 0);
    for path in captures() {
        let capture = Capture::open(&path).unwrap();
        let sides = [Side::Initiator, Side::Responder];
        let transfers = capture.connections.iter().flat_map(|one| sides.map(|side| one.transfers(side)));
        for transfer in transfers.flatten() {
            let apdu = transfer.apdu().unwrap();
            let decoded =
                MtsApdu::from_octets(&apdu).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(decoded.to_octets(), apdu, "{}", path.display());
            match decoded {
                MtsApdu::Message(_) => messages += 1,
                MtsApdu::Probe(_) => probes += 1,
                MtsApdu::Report(report) => {
                    for recipient in &report.content.per_recipient_fields {
                        match recipient.last_trace_information.report_type {
                            ReportType::Delivery(_) => delivered += 1,
                            ReportType::NonDelivery(_) => failed += 1,
                        }
                    }
                }
            }
        }
    }
    assert!(messages > 30 && delivered > 10 && failed > 10, "{messages} {delivered} {failed}");
    assert_eq!(probes, 8, "two over four hops");
}

#[test]
fn tshark_still_accepts_what_our_networks_have_sent() {
    let Some(tshark) = Tshark::required_by("captures of networks") else { return };
    for path in captures() {
        tshark.check(&path, &[102]).unwrap_or_else(|complaints| panic!("{}: {complaints}", path.display()));
    }
}
