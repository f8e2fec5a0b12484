//! Distribution lists: expansion, who may send to them, loops, and reports on their members.

use agent::record::{Item, OUTBOUND};
use agent::settings::{AgentSettings, DistributionList, Members};
use agent::{Discard, Effect, ReportRequest, Submission};
use mhs::OrAddress;
use mhs::codes::TypeOfMtsUser;
use mhs::p1::{
    Criticality, ExtensionField, ExtensionType, Extensions, MtsApdu, ProbeTransferEnvelope, Report,
    ReportType, StandardExtension,
};
use spool::Spool;

use crate::bench::{Mta, address, envelope_of, foreign, pattern, settings, user};

fn list(name: &str, prmd: &str) -> OrAddress {
    address(&format!("CN={name};O=Acme;P={prmd};A= ;C=GB"))
}

fn with_list(mut settings: AgentSettings, address: OrAddress, members: &[OrAddress]) -> AgentSettings {
    let list = DistributionList::new(address, members.iter().cloned().collect());
    settings.lists.push(list);
    settings
}

fn choice(number: i64, value: u8) -> ExtensionField {
    ExtensionField::new(ExtensionType::Standard(number), Criticality::NONE, vec![0x0A, 1, value])
}

fn names(extensions: &Extensions) -> Vec<String> {
    extensions.dl_expansion_history().unwrap().iter().map(|list| list.name.to_string()).collect()
}

/// A with a list of al at A and bob at B, and B.
fn a_with_staff() -> (Mta, Mta) {
    let members = [user("al", "A"), user("bob", "B")];
    let a = with_list(
        settings("A", &[("B", "P=B;A= ;C=GB"), ("X", "P=X;A= ;C=GB")]),
        list("staff", "A"),
        &members,
    );
    (Mta::new(a), Mta::new(settings("B", &[("A", "C=*")])))
}

fn report_of(item: &Item) -> Report {
    match item {
        Item::Report { apdu } => Report::from_octets(apdu).unwrap(),
        other => panic!("{other:?} is no report"),
    }
}

fn discards(mta: &Mta) -> Vec<Discard> {
    let effects = mta.effects.iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Discarded { why, .. } => Some(why.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_list_is_replaced_by_its_members_with_its_number_and_history() {
    let (mut a, mut b) = a_with_staff();
    a.receive_message("to-X", &foreign("1", &[(&user("amy", "A"), 0xA8), (&list("staff", "A"), 0xA8)]));
    a.work();
    let seen = a.messages_in(&user("al", "A")).remove(0);
    assert_eq!(names(&seen.extensions), [list("staff", "A").to_string()]);
    assert_eq!(*seen.per_recipient_fields[0].originally_specified_recipient_number, 2);
    assert!(names(&a.messages_in(&user("amy", "A"))[0].extensions).is_empty(), "she is no member");
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    let recipients: Vec<_> = sent.per_recipient_fields.iter().map(|r| r.address().clone()).collect();
    assert_eq!(
        recipients,
        [user("al", "A"), user("bob", "B")],
        "the other recipients are not told to members"
    );
    assert!(sent.trace_information.last().unwrap().additional.other_actions.dl_operation());
    let internal = sent.extensions.internal_trace().unwrap();
    assert!(internal.last().unwrap().additional.other_actions.dl_operation());
    a.transfer("to-B", &mut b, "to-A");
    assert_eq!(b.messages_in(&user("bob", "B")).len(), 1);
}

#[test]
fn members_are_not_shown_to_one_another() {
    let (mut a, _) = a_with_staff();
    let mut envelope = foreign("1", &[(&list("staff", "A"), 0xA8)]);
    envelope.per_message_indicators.edit().set(0, true);
    a.receive_message("to-X", &envelope);
    a.work();
    assert_eq!(a.messages_in(&user("al", "A"))[0].per_recipient_fields.len(), 1);
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert!(!sent.per_message_indicators.disclosure_of_other_recipients());
}

#[test]
fn a_member_may_be_back_where_the_message_came_from() {
    // bob is behind the very connector that the message comes in on.
    let (mut a, mut b) = a_with_staff();
    b.submit(&Submission::new(user("ben", "B"), [list("staff", "A")]));
    b.work();
    b.transfer("to-A", &mut a, "to-B");
    assert_eq!(a.non_delivered(), []);
    a.transfer("to-B", &mut b, "to-A");
    assert_eq!(b.messages_in(&user("bob", "B")).len(), 1, "its trace says dl-operation, so it is no loop");
    assert_eq!(b.non_delivered(), []);
}

#[test]
fn lists_inside_lists_are_expanded_one_after_the_other() {
    let (outer, inner) = (list("all", "A"), list("staff", "A"));
    let all = with_list(settings("A", &[]), outer.clone(), &[inner.clone(), user("amy", "A")]);
    let mut a = Mta::new(with_list(all, inner.clone(), &[user("al", "A")]));
    a.submit(&Submission::new(user("alice", "A"), [outer.clone()]));
    a.work();
    assert_eq!(a.messages_in(&user("amy", "A")).len(), 1);
    let seen = a.messages_in(&user("al", "A")).remove(0);
    assert_eq!(names(&seen.extensions), [outer.to_string(), inner.to_string()]);
    assert_eq!(a.spool.stats().bodies, 1);
}

#[test]
fn lists_that_contain_each_other_end_by_their_history() {
    let (one, two) = (list("one", "A"), list("two", "B"));
    let mut a =
        Mta::new(with_list(settings("A", &[("B", "C=*")]), one.clone(), &[two.clone(), user("al", "A")]));
    let mut b =
        Mta::new(with_list(settings("B", &[("A", "C=*")]), two.clone(), &[one.clone(), user("bob", "B")]));
    a.submit(&Submission::new(user("alice", "A"), [one.clone()]));
    a.work();
    for _ in 0..10 {
        a.transfer("to-B", &mut b, "to-A");
        b.transfer("to-A", &mut a, "to-B");
    }
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    assert_eq!(b.messages_in(&user("bob", "B")).len(), 1);
    assert_eq!((a.non_delivered(), b.non_delivered()), (vec![], vec![]));
    assert!(a.scan(OUTBOUND, b"").is_empty() && b.scan(OUTBOUND, b"").is_empty());
    // A foreign MTA which expands by another name for the history sends it back: dropped, and told to the operator.
    let mut again = foreign("1", &[(&one, 0xA8)]);
    again.extensions = envelope_with_history(&[&one, &two]);
    a.receive_message("to-B", &again);
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    assert!(a.effects.iter().any(|effect| matches!(effect, Effect::ExpansionLoop { .. })));
    assert_eq!(a.spool.stats().bodies, 1, "the content of the dropped one is released");
}

#[test]
fn a_list_that_is_named_twice_is_expanded_once() {
    let (mut a, _) = a_with_staff();
    let staff = list("staff", "A");
    a.receive_message("to-X", &foreign("1", &[(&staff, 0xF0), (&user("bea", "B"), 0xA8), (&staff, 0xF0)]));
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    let to_b: usize = (0..a.queue("to-B").len())
        .map(|place| a.sent("to-B", place).per_recipient_fields.iter().filter(|r| r.responsibility()).count())
        .sum();
    assert_eq!(to_b, 2, "bea and bob");
    // Members are reported on for the first; the second has been served by that as well.
    let reports = a.queue("to-X").into_iter().map(|(_, record)| report_of(&record.item));
    let numbers = reports.flat_map(|report| {
        let fields = report.content.per_recipient_fields.iter();
        fields.map(|fields| *fields.originally_specified_recipient_number).collect::<Vec<_>>()
    });
    let mut numbers: Vec<i64> = numbers.collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 3]);
}

fn envelope_with_history(lists: &[&OrAddress]) -> Extensions {
    let mut extensions = Extensions::new();
    for list in lists {
        let (name, time) = ((*list).clone().into(), mhs::UtcTime::from_wall(crate::bench::NOW));
        extensions.push_dl_expansion(mhs::p1::DlExpansion { name, time }).unwrap();
    }
    extensions
}

#[test]
fn expansion_can_be_prohibited_by_the_originator() {
    let (mut a, _) = a_with_staff();
    for (value, refused) in [(0, 0), (1, 1)] {
        let mut envelope = foreign(&value.to_string(), &[(&list("staff", "A"), 0xA8)]);
        envelope.extensions.set(choice(StandardExtension::DL_EXPANSION_PROHIBITED, value));
        a.receive_message("to-X", &envelope);
        a.work();
        assert_eq!(a.non_delivered().len(), refused);
    }
    assert_eq!(a.non_delivered(), [(1, 28, list("staff", "A").to_string())]);
}

#[test]
fn only_whom_the_list_permits_may_send_to_it() {
    let (mut a, _) = a_with_staff();
    let mut settings = a.agent.settings().clone();
    settings.lists[0].submit = Some(vec![pattern("P=A;A= ;C=GB")]);
    a.agent = agent::Agent::new(settings).unwrap();
    a.submit(&Submission::new(user("alice", "A"), [list("staff", "A")]));
    a.receive_message("to-X", &foreign("1", &[(&list("staff", "A"), 0xA8)]));
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    assert_eq!(a.non_delivered(), [(1, 29, list("staff", "A").to_string())]);
    // A list inside another one is asked about the other list, not about who wrote to that.
    let mut from_list = foreign("2", &[(&list("staff", "A"), 0xA8)]);
    from_list.extensions = envelope_with_history(&[&list("all", "A")]);
    a.receive_message("to-X", &from_list);
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 2);
}

#[test]
fn exempted_recipients_get_nothing() {
    let (mut a, _) = a_with_staff();
    let exempted = mhs::OrName::new(user("AL", "a")).encode();
    let value = ber::Writer::encode(|w| w.constructed(ber::Tag::SET, |w| w.raw(&exempted)));
    let mut envelope = foreign("1", &[(&list("staff", "A"), 0xA8)]);
    let number = ExtensionType::Standard(StandardExtension::DL_EXEMPTED_RECIPIENTS);
    envelope.extensions.set(ExtensionField::new(number, Criticality::NONE, value));
    a.receive_message("to-X", &envelope);
    a.work();
    assert!(a.messages_in(&user("al", "A")).is_empty());
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(sent.per_recipient_fields.len(), 1);
    assert!(sent.extensions.standard(StandardExtension::DL_EXEMPTED_RECIPIENTS).is_some());
}

#[test]
fn ten_thousand_members_get_it_in_envelopes_of_bounded_size() {
    let members: Vec<OrAddress> = (0..10_000).map(|n| user(&format!("m{n}"), "B")).collect();
    let mut a = Mta::new(with_list(settings("A", &[("B", "C=*")]), list("all", "A"), &members));
    a.submit(&Submission::new(user("alice", "A"), [list("all", "A")]));
    a.work();
    let mut seen = Vec::new();
    for (_, record) in a.queue("to-B") {
        let Item::Message { envelope, .. } = &record.item else { panic!("messages only") };
        assert!(envelope.len() < 100_000);
        let fields = envelope_of(&record.item).per_recipient_fields;
        seen.extend(fields.iter().filter(|r| r.responsibility()).map(|r| r.address().clone()));
    }
    assert_eq!(seen, members);
    assert_eq!(a.spool.stats().bodies, 1, "all of them share one content");
    for (key, record) in a.queue("to-B") {
        let step = a.agent.transferred(&key, &record, None);
        a.commit(step);
    }
    assert_eq!(a.spool.stats().bodies, 0);
}

#[test]
fn reports_walk_back_from_list_to_list_to_the_originator() {
    // alice at A, list one at B, list two at C, whose member dan at C does not exist.
    let (one, two) = (list("one", "B"), list("two", "C"));
    let mut a = Mta::new(settings("A", &[("B", "C=*")]));
    let mut b = Mta::new(with_list(
        settings("B", &[("A", "P=A;A= ;C=GB"), ("C", "P=C;A= ;C=GB")]),
        one.clone(),
        std::slice::from_ref(&two),
    ));
    let mut with_mailboxes = settings("C", &[("B", "C=*")]);
    with_mailboxes.mta.mailboxes = Some(vec![user("carl", "C")]);
    let mut c = Mta::new(with_list(with_mailboxes, two.clone(), &[user("carl", "C"), user("dan", "C")]));
    let submission =
        Submission::new(user("alice", "A"), [one.clone()]).with_report_request(ReportRequest::Delivery);
    let identifier = a.submit(&submission);
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    b.transfer("to-C", &mut c, "to-B");
    assert_eq!(c.messages_in(&user("carl", "C")).len(), 1);
    // C is the last list itself; what it sends goes to the list before it.
    let on_the_way = report_of(&c.queue("to-B")[0].1.item);
    assert_eq!(*on_the_way.envelope.report_destination_name.address(), one);
    let history = on_the_way.envelope.extensions.originator_and_dl_expansion_history().unwrap();
    let history: Vec<String> = history.iter().map(|element| element.name.to_string()).collect();
    assert_eq!(history, [user("alice", "A").to_string(), one.to_string(), two.to_string()]);
    assert_eq!(c.transfer("to-B", &mut b, "to-C"), 1);
    assert_eq!(b.transfer("to-A", &mut a, "to-B"), 1);
    let reports = a.reports_in(&user("alice", "A"));
    assert_eq!(reports.len(), 1);
    assert_eq!(*reports[0].content.subject_identifier, identifier);
    let about: Vec<(String, bool)> = reports[0]
        .content
        .per_recipient_fields
        .iter()
        .map(|fields| {
            assert_eq!(*fields.originally_specified_recipient_number, 1, "alice knows only the list");
            let failed = matches!(fields.last_trace_information.report_type, ReportType::NonDelivery(_));
            (fields.actual_recipient_name.to_string(), failed)
        })
        .collect();
    assert_eq!(about, [(user("carl", "C").to_string(), false), (user("dan", "C").to_string(), true)]);
}

#[test]
fn reports_to_the_owner_name_the_list_and_leave_the_originator_alone() {
    let (mut a, mut b) = a_with_staff();
    let mut settings = a.agent.settings().clone();
    settings.lists[0].owner = Some(user("owner", "A"));
    settings.lists[0].reports_to_owner = true;
    settings.lists[0].reports_to_originator = false;
    a.agent = agent::Agent::new(settings).unwrap();
    let mut refusing = b.agent.settings().clone();
    refusing.mta.mailboxes = Some(Vec::new());
    b.agent = agent::Agent::new(refusing).unwrap();
    let submission = Submission::new(user("alice", "A"), [list("staff", "A")])
        .with_report_request(ReportRequest::Delivery);
    a.submit(&submission);
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    b.transfer("to-A", &mut a, "to-B");
    let owners = a.reports_in(&user("owner", "A"));
    assert_eq!(owners.len(), 1);
    let reporting = owners[0].envelope.extensions.name(StandardExtension::REPORTING_DL_NAME);
    assert_eq!(reporting.map(|name| name.address().clone()), Some(list("staff", "A")));
    // The originator is told that the list has it, once and by the list.
    let originators = a.reports_in(&user("alice", "A"));
    assert_eq!(originators.len(), 1);
    let fields = &originators[0].content.per_recipient_fields;
    assert_eq!(*fields[0].actual_recipient_name.address(), list("staff", "A"));
    match &fields[0].last_trace_information.report_type {
        ReportType::Delivery(delivery) => assert_eq!(delivery.type_of_mts_user, TypeOfMtsUser::DL),
        ReportType::NonDelivery(_) => panic!("the list has it"),
    }
}

#[test]
fn reports_to_the_owner_and_the_originator_are_two() {
    let (mut a, mut b) = a_with_staff();
    let mut settings = a.agent.settings().clone();
    settings.lists[0].owner = Some(user("owner", "A"));
    settings.lists[0].reports_to_owner = true;
    a.agent = agent::Agent::new(settings).unwrap();
    let mut refusing = b.agent.settings().clone();
    refusing.mta.mailboxes = Some(Vec::new());
    b.agent = agent::Agent::new(refusing).unwrap();
    a.submit(&Submission::new(user("alice", "A"), [list("staff", "A")]));
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    b.transfer("to-A", &mut a, "to-B");
    assert_eq!(a.reports_in(&user("owner", "A")).len(), 1);
    assert_eq!(a.reports_in(&user("alice", "A")).len(), 1);
}

#[test]
fn a_list_that_reports_to_nobody_absorbs_reports() {
    let (mut a, mut b) = a_with_staff();
    let mut settings = a.agent.settings().clone();
    settings.lists[0].reports_to_originator = false;
    a.agent = agent::Agent::new(settings).unwrap();
    let mut refusing = b.agent.settings().clone();
    refusing.mta.mailboxes = Some(Vec::new());
    b.agent = agent::Agent::new(refusing).unwrap();
    a.submit(&Submission::new(user("alice", "A"), [list("staff", "A")]));
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    b.transfer("to-A", &mut a, "to-B");
    assert!(a.reports_in(&user("alice", "A")).is_empty());
    assert_eq!(discards(&a), [Discard::Absorbed(list("staff", "A").to_string())]);
}

#[test]
fn a_report_whose_history_turns_in_circles_ends() {
    // Both lists are here; a foreign MTA claims that they have expanded each other again and again.
    let (one, two) = (list("one", "A"), list("two", "A"));
    let all = with_list(settings("A", &[("X", "P=X;A= ;C=GB")]), one.clone(), &[user("al", "A")]);
    let mut a = Mta::new(with_list(all, two.clone(), &[user("al", "A")]));
    let subject = foreign("1", &[(&user("dan", "X"), 0xA8)]);
    let reason = mhs::codes::NonDeliveryReasonCode::TRANSFER_FAILURE;
    let time = mhs::UtcTime::from_wall(a.now);
    for (n, history) in [[&one, &two, &one, &two], [&two, &one, &two, &one]].into_iter().enumerate() {
        let last = mhs::p1::LastTraceInformation::not_delivered(time.clone(), reason, None);
        let about = mhs::p1::PerRecipientReportFields::about(&subject.per_recipient_fields[0], last);
        let mut report = Report::about_message(
            mhs::MtsIdentifier::new("C=GB;A= ;P=X".parse().unwrap(), &n.to_string()).unwrap(),
            subject.trace_information.clone(),
            &subject,
            vec![about],
        );
        report.envelope.report_destination_name = one.clone().into();
        let claimed = envelope_with_history(&history).dl_expansion_history().unwrap();
        report.envelope.extensions.set_originator_and_dl_expansion_history(&claimed);
        a.receive("to-X", &MtsApdu::Report(Box::new(report)).to_octets()).unwrap();
        a.work();
    }
    // From one to two, from there nowhere; and the other way round.
    let absorbed: Vec<_> = discards(&a).into_iter().map(|why| why.to_string()).collect();
    assert_eq!(absorbed, [&one, &two].map(|list| Discard::Absorbed(list.to_string()).to_string()));
}

#[test]
fn a_probe_is_answered_for_the_list_and_not_expanded() {
    let (mut a, _) = a_with_staff();
    for (value, expected) in [(0, None), (1, Some(28))] {
        let message = foreign(&value.to_string(), &[(&list("staff", "A"), 0xD0)]);
        let mut probe = ProbeTransferEnvelope::new(
            (*message.message_identifier).clone(),
            message.originator_name.clone(),
            mhs::ContentType::P22,
            message.per_recipient_fields.to_vec(),
            message.trace_information.clone(),
        );
        probe.extensions.set(choice(StandardExtension::DL_EXPANSION_PROHIBITED, value));
        a.receive("to-X", &MtsApdu::Probe(Box::new(probe)).to_octets()).unwrap();
        a.work();
        assert!(a.queue("to-B").is_empty() && a.mailbox(&user("al", "A")).is_empty());
        let (key, record) = a.queue("to-X").remove(0);
        let report = report_of(&record.item);
        assert_eq!(report.content.per_recipient_fields.len(), 1);
        match &report.content.per_recipient_fields[0].last_trace_information.report_type {
            ReportType::Delivery(delivery) => {
                assert_eq!((delivery.type_of_mts_user, expected), (TypeOfMtsUser::DL, None));
            }
            ReportType::NonDelivery(failed) => assert_eq!(failed.diagnostic.map(|code| code.0), expected),
        }
        let step = a.agent.transferred(&key, &record, None);
        a.commit(step);
    }
}

#[test]
fn wrong_lists_are_found_and_placed() {
    let mut bad = with_list(settings("A", &[]), list("staff", "A"), &[]);
    bad.mta.mailboxes = Some(vec![list("both", "A")]);
    let mut second = DistributionList::new(list("staff", "A"), Members::from_iter([user("al", "A")]));
    second.reports_to_owner = true;
    bad.lists.push(second);
    let mut third = DistributionList::new(list("both", "A"), Members::from_iter([user("al", "A")]));
    third.owner = Some(list("staff", "A"));
    bad.lists.push(third);
    let paths: Vec<String> = bad.validate().into_iter().map(|problem| problem.path).collect();
    assert_eq!(
        paths,
        [
            "distribution_list[1].address",
            "distribution_list[2].address",
            "distribution_list[0].members",
            "distribution_list[1].owner",
            "distribution_list[2].owner",
        ]
    );
}
