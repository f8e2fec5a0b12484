//! Another implementation's opinion: tshark on every kind of message, report and probe that agents make.

use agent::record::Item;
use agent::settings::{DistributionList, Redirect, RedirectFrom};
use agent::{AgentSettings, ReportRequest, Submission};
use mhs::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode};
use mhs::p1::{
    LastTraceInformation, MtsApdu, PerRecipientReportFields, ProbeTransferEnvelope, Report, StandardExtension,
};
use testkit::{Tshark, wrap_apdu};

use crate::bench::{Mta, address, foreign, settings, user};

/// Values of these fields, one line each; fails if tshark complains about anything.
fn judged(tshark: &Tshark, what: &str, apdu: &[u8], fields: &[&str]) -> Vec<String> {
    let capture = wrap_apdu(apdu).into_vec();
    if let Err(complaints) = tshark.check_octets(&capture, &[]) {
        panic!("{what}: {complaints}");
    }
    tshark.fields_of_octets(&capture, &[], "p1.MTS_APDU", fields).concat()
}

/// A between X, from where everything comes, and B; al is redirected to amy, staff is a list.
fn a() -> AgentSettings {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("X", "P=X;A= ;C=GB")]);
    settings.mta.mailboxes = Some(vec![user("amy", "A"), user("owner", "A")]);
    let from = RedirectFrom::Address(user("al", "A"));
    settings.redirections.push(Redirect::new(from, user("amy", "A")));
    let members = [user("amy", "A"), user("bob", "B"), user("gone", "A")].into_iter().collect();
    let mut list = DistributionList::new(address("CN=staff;P=A;A= ;C=GB"), members);
    list.owner = Some(user("olga", "B"));
    list.reports_to_owner = true;
    settings.lists.push(list);
    settings
}

fn queued(mta: &Mta, connector: &str, kind: &str) -> Vec<Vec<u8>> {
    let queue = mta.queue(connector);
    queue
        .iter()
        .filter(|(_, record)| record.item.kind() == kind)
        .map(|(_, record)| mta.apdu(connector, record))
        .collect()
}

#[test]
fn reports_on_redirected_expanded_and_unknown_recipients_are_accepted() {
    let Some(tshark) =
        Tshark::required_by("reports_on_redirected_expanded_and_unknown_recipients_are_accepted")
    else {
        return;
    };
    let mut a = Mta::new(a());
    let to = [user("al", "A"), address("CN=staff;P=A;A= ;C=GB"), user("unknown", "A")];
    // Audited, and the originator wants all reports.
    let mut envelope = foreign("1", &to.each_ref().map(|to| (to, 0xF0)));
    envelope.per_message_indicators.edit().set(3, true);
    a.receive_message("to-X", &envelope);
    a.work();
    let reports = queued(&a, "to-X", "report");
    assert_eq!(
        reports.len(),
        2,
        "on al and the unknown; on members of the list, amy and the one who is gone"
    );
    let fields =
        ["p1.delivery_element", "p1.non_delivery_diagnostic_code", "p1.redirection_reason", "p1.mta_name"];
    let seen: Vec<Vec<String>> =
        reports.iter().map(|apdu| judged(&tshark, "report", apdu, &fields)).collect();
    assert!(seen.iter().all(|values| !values.is_empty()), "{seen:?}");
    let history = |apdu: &Vec<u8>| {
        let report = Report::from_octets(apdu).unwrap();
        report.envelope.extensions.originator_and_dl_expansion_history().unwrap().len()
    };
    let histories: Vec<usize> = reports.iter().map(history).collect();
    assert_eq!(histories, [0, 2]);
    // The copies for the owner of the list.
    let owners = queued(&a, "to-B", "report");
    assert!(!owners.is_empty());
    for apdu in &owners {
        let report = Report::from_octets(apdu).unwrap();
        assert!(report.envelope.extensions.standard(StandardExtension::REPORTING_DL_NAME).is_some());
        judged(&tshark, "report to the owner", apdu, &["p1.MTS_APDU"]);
    }
    // What was expanded, on its way to a member.
    let messages = queued(&a, "to-B", "message");
    assert_eq!(messages.len(), 1);
    judged(&tshark, "expanded message", &messages[0], &["p1.MTS_APDU"]);
}

#[test]
fn redirected_messages_are_accepted() {
    let Some(tshark) = Tshark::required_by("redirected_messages_are_accepted") else { return };
    let mut settings = a();
    settings.redirections[0].to = user("bob", "B");
    let mut a = Mta::new(settings);
    a.submit(
        &Submission::new(user("amy", "A"), [user("al", "A")]).with_report_request(ReportRequest::Delivery),
    );
    a.work();
    let messages = queued(&a, "to-B", "message");
    judged(&tshark, "redirected message", &messages[0], &["p1.MTS_APDU"]);
}

#[test]
fn probes_and_their_reports_are_accepted() {
    let Some(tshark) = Tshark::required_by("probes_and_their_reports_are_accepted") else { return };
    let mut a = Mta::new(a());
    let to = [user("amy", "A"), address("CN=staff;P=A;A= ;C=GB"), user("bob", "B"), user("unknown", "A")];
    let message = foreign("1", &to.each_ref().map(|to| (to, 0xF0)));
    let mut probe = ProbeTransferEnvelope::new(
        (*message.message_identifier).clone(),
        message.originator_name.clone(),
        mhs::ContentType::P22,
        message.per_recipient_fields.to_vec(),
        message.trace_information.clone(),
    );
    probe.content_length = Some(1000.into());
    a.receive("to-X", &MtsApdu::Probe(Box::new(probe)).to_octets()).unwrap();
    a.work();
    let probes = queued(&a, "to-B", "probe");
    assert_eq!(judged(&tshark, "probe", &probes[0], &["p1.MTS_APDU"]), ["2"]);
    let reports = queued(&a, "to-X", "report");
    assert_eq!(judged(&tshark, "report on a probe", &reports[0], &["p1.MTS_APDU"]), ["1"]);
    let Item::Report { apdu } = &a.queue("to-X")[0].1.item else { panic!("no report") };
    assert_eq!(Report::from_octets(apdu).unwrap().content.per_recipient_fields.len(), 3);
}

#[test]
fn every_reason_and_diagnostic_is_known_to_others() {
    let Some(tshark) = Tshark::required_by("every_reason_and_diagnostic_is_known_to_others") else { return };
    let subject = foreign("1", &[(&user("x", "B"), 0xA8)]);
    let time = mhs::UtcTime::from_wall(crate::bench::NOW);
    let fields = (0..=78_i64).map(|code| {
        let (reason, diagnostic) = (NonDeliveryReasonCode(code % 9), NonDeliveryDiagnosticCode(code));
        assert!(reason.name().is_some() && diagnostic.name().is_some());
        let last = LastTraceInformation::not_delivered(time.clone(), reason, Some(diagnostic));
        PerRecipientReportFields::about(&subject.per_recipient_fields[0], last)
            .with_supplementary_information(diagnostic.name().unwrap_or_default())
    });
    let report = Report::about_message(
        (*subject.message_identifier).clone(),
        subject.trace_information.clone(),
        &subject,
        fields.collect(),
    );
    let apdu = MtsApdu::Report(Box::new(report)).to_octets();
    let values = judged(&tshark, "all codes", &apdu, &["p1.non_delivery_diagnostic_code"]);
    let expected: Vec<String> = (0..=78).map(|code: i64| code.to_string()).collect();
    assert_eq!(values, [expected.join(",")]);
}
