//! Alternate recipients: of the settings, of the originator, and the dead letter mailbox.

use agent::record::Rank;
use agent::settings::{AgentSettings, Redirect, RedirectFrom, RedirectionClass, RelayTo};
use agent::{Effect, ReportRequest, Submission, TransferFailure, TransferFailureKind};
use mhs::codes::RedirectionReason;
use mhs::p1::{
    Criticality, ExtensionField, ExtensionType, MessageTransferEnvelope, PerRecipientFields, Priority,
    ReportType, StandardExtension,
};
use mhs::{ContentType, OrAddress};

use crate::bench::{Mta, envelope_of, foreign, mta_b, pattern, settings, user};

fn redirecting(mut settings: AgentSettings, from: OrAddress, to: OrAddress) -> AgentSettings {
    settings.redirections.push(Redirect::new(RedirectFrom::Address(from), to));
    settings
}

fn with_alternate(mut envelope: MessageTransferEnvelope, to: OrAddress) -> MessageTransferEnvelope {
    let number = StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
    for recipient in &mut envelope.per_recipient_fields {
        recipient.extensions.set_name(number, &to.clone().into());
    }
    envelope
}

fn history(recipient: &PerRecipientFields) -> Vec<(String, RedirectionReason)> {
    let history = recipient.extensions.redirection_history().unwrap();
    history.iter().map(|r| (r.intended_recipient.to_string(), r.reason)).collect()
}

fn a() -> AgentSettings {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    settings.mta.mailboxes = Some(vec![user("al", "A"), user("amy", "A"), user("alice", "A")]);
    settings
}

#[test]
fn an_assigned_alternate_receives_and_the_history_says_so() {
    let mut a = Mta::new(redirecting(a(), user("al", "A"), user("amy", "A")));
    a.receive_message("to-C", &foreign("1", &[(&user("al", "A"), 0xA8)]));
    a.work();
    assert!(a.messages_in(&user("al", "A")).is_empty());
    let seen = a.messages_in(&user("amy", "A")).remove(0);
    let expected = [(user("al", "A").to_string(), RedirectionReason::RECIPIENT_ASSIGNED)];
    assert_eq!(history(&seen.per_recipient_fields[0]), expected);
    assert!(a.effects.iter().any(|effect| matches!(effect, Effect::Redirected { .. })));
}

#[test]
fn a_pattern_redirects_all_that_match_but_the_alternate_itself() {
    let mut settings = a();
    let from = RedirectFrom::Pattern(pattern("O=Acme;P=A;A= ;C=GB"));
    settings.redirections.push(Redirect::new(from, user("amy", "A")));
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("1", &[(&user("al", "A"), 0xA8), (&user("gone", "A"), 0xA8)]));
    a.receive_message("to-C", &foreign("2", &[(&user("AMY", "a"), 0xA8)]));
    a.work();
    assert_eq!(a.messages_in(&user("amy", "A")).len(), 2, "one copy each, whoever it was for");
    assert_eq!(a.non_delivered(), []);
}

#[test]
fn a_redirection_may_lead_back_where_the_message_came_from() {
    let mut a = Mta::new(redirecting(a(), user("al", "A"), user("bob", "B")));
    let mut b = mta_b();
    b.submit(&Submission::new(user("ben", "B"), [user("al", "A")]));
    b.work();
    b.transfer("to-A", &mut a, "to-B");
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert!(sent.trace_information.last().unwrap().additional.other_actions.redirected());
    let internal = sent.extensions.internal_trace().unwrap();
    assert!(internal.last().unwrap().additional.other_actions.redirected());
    a.transfer("to-B", &mut b, "to-A");
    assert_eq!(b.messages_in(&user("bob", "B")).len(), 1, "the trace says redirected, so it is no loop");
}

#[test]
fn only_the_copy_of_a_redirected_recipient_is_marked_and_changed() {
    let mut a = Mta::new(redirecting(a(), user("al", "A"), user("bob", "B")));
    a.submit(&Submission::new(user("alice", "A"), [user("al", "A"), user("carl", "C")]));
    a.work();
    let copy = |connector: &str| envelope_of(&a.queue(connector)[0].1.item);
    for (connector, redirected, names) in [
        ("to-B", true, [user("bob", "B"), user("carl", "C")]),
        ("to-C", false, [user("al", "A"), user("carl", "C")]),
    ] {
        let sent = copy(connector);
        let last = sent.trace_information.last().unwrap();
        assert_eq!(last.additional.other_actions.redirected(), redirected, "{connector}");
        let found: Vec<_> = sent.per_recipient_fields.iter().map(|r| r.address().clone()).collect();
        assert_eq!(found, names);
    }
}

#[test]
fn reassignment_can_be_prohibited_by_the_originator() {
    let mut a = Mta::new(redirecting(a(), user("al", "A"), user("amy", "A")));
    let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
    let number = ExtensionType::Standard(StandardExtension::RECIPIENT_REASSIGNMENT_PROHIBITED);
    envelope.extensions.set(ExtensionField::new(number, Criticality::NONE, vec![0x0A, 1, 1]));
    a.receive_message("to-C", &envelope);
    a.work();
    assert_eq!(a.non_delivered(), [(1, 26, user("al", "A").to_string())]);
    assert!(a.messages_in(&user("amy", "A")).is_empty());
}

#[test]
fn redirections_in_a_circle_are_found_within_one_mta_and_across_two() {
    let circle = redirecting(a(), user("al", "A"), user("amy", "A"));
    let mut a1 = Mta::new(redirecting(circle, user("amy", "A"), user("al", "A")));
    a1.receive_message("to-C", &foreign("1", &[(&user("al", "A"), 0xA8)]));
    a1.work();
    assert_eq!(a1.non_delivered(), [(1, 27, user("amy", "A").to_string())]);

    let mut a = Mta::new(redirecting(a(), user("al", "A"), user("bob", "B")));
    let mut b = Mta::new(redirecting(settings("B", &[("A", "C=*")]), user("bob", "B"), user("al", "A")));
    a.submit(&Submission::new(user("alice", "A"), [user("al", "A")]));
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    assert_eq!(b.non_delivered(), [(1, 27, user("bob", "B").to_string())]);
    b.transfer("to-A", &mut a, "to-B");
    let report = a.reports_in(&user("alice", "A")).remove(0);
    let fields = &report.content.per_recipient_fields[0];
    let intended = fields.originally_intended_recipient_name.as_ref().unwrap();
    assert_eq!(*intended.address(), user("al", "A"), "the name that the originator wrote");
    assert_eq!(fields.extensions.redirection_history().unwrap().len(), 1);
}

#[test]
fn a_chain_of_redirections_has_an_end() {
    let mut settings = a();
    for n in 0..40 {
        settings = redirecting(settings, user(&format!("r{n}"), "A"), user(&format!("r{}", n + 1), "A"));
    }
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("1", &[(&user("r0", "A"), 0xA8)]));
    a.work();
    assert_eq!(a.non_delivered(), [(1, 27, user("r16", "A").to_string())]);
}

#[test]
fn the_originators_alternate_receives_what_cannot_be_delivered() {
    let mut a = Mta::new(a());
    a.receive_message("to-C", &with_alternate(foreign("1", &[(&user("al", "A"), 0xA8)]), user("amy", "A")));
    a.receive_message("to-C", &with_alternate(foreign("2", &[(&user("gone", "A"), 0xA8)]), user("amy", "A")));
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1, "who can have it gets it");
    let seen = a.messages_in(&user("amy", "A"));
    assert_eq!(seen.len(), 1);
    let recipient = &seen[0].per_recipient_fields[0];
    let expected = [(user("gone", "A").to_string(), RedirectionReason::ORIGINATOR_REQUESTED)];
    assert_eq!(history(recipient), expected);
    let number = StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
    assert!(recipient.extensions.standard(number).is_none(), "it is used up");
}

#[test]
fn the_originators_alternate_receives_what_cannot_be_transferred() {
    let mut a = Mta::new(a());
    a.receive_message("to-C", &with_alternate(foreign("1", &[(&user("bob", "B"), 0xA8)]), user("al", "A")));
    a.work();
    let (key, record) = a.queue("to-B").remove(0);
    let kind = TransferFailureKind::RefusedPermanent;
    let failure = TransferFailure { kind, text: "no".into() };
    match a.agent.transfer_failed(a.now, &a.counter, &key, &record, &failure) {
        agent::Failed::Settled(step) => a.commit(step),
        agent::Failed::Retry { .. } => panic!("a permanent refusal is final"),
    }
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    assert_eq!(a.non_delivered(), []);
}

#[test]
fn an_alternate_that_cannot_be_reached_either_gives_the_report() {
    let mut a = Mta::new(a());
    let nowhere = crate::bench::address("S=x;O=Acme;A= ;C=FR");
    a.receive_message("to-C", &with_alternate(foreign("1", &[(&user("gone", "A"), 0xA8)]), nowhere.clone()));
    a.receive_message(
        "to-C",
        &with_alternate(foreign("2", &[(&user("gone", "A"), 0xA8)]), user("gone", "A")),
    );
    a.work();
    let expected = [(1, 0, nowhere.to_string()), (1, 0, user("gone", "A").to_string())];
    assert_eq!(a.non_delivered(), expected);
}

#[test]
fn the_dead_letter_mailbox_takes_unknown_local_users_where_the_originator_allows_it() {
    let mut settings = a();
    settings.mta.dead_letter = Some(user("amy", "A"));
    let mut a = Mta::new(settings);
    for (local, allowed) in [("1", true), ("2", false)] {
        let mut envelope = foreign(local, &[(&user("gone", "A"), 0xA8)]);
        envelope.per_message_indicators.edit().set(2, allowed);
        a.receive_message("to-C", &envelope);
    }
    let mut elsewhere = foreign("3", &[(&crate::bench::address("C=FR"), 0xA8)]);
    elsewhere.per_message_indicators.edit().set(2, true);
    a.receive_message("to-C", &elsewhere);
    a.work();
    let seen = a.messages_in(&user("amy", "A"));
    assert_eq!(seen.len(), 1);
    let expected = [(user("gone", "A").to_string(), RedirectionReason::RECIPIENT_MD_ASSIGNED)];
    assert_eq!(history(&seen[0].per_recipient_fields[0]), expected);
    assert_eq!(a.non_delivered().len(), 2, "not allowed, and not a local user");
}

#[test]
fn a_delivery_report_is_about_the_alternate_alone() {
    let mut a = Mta::new(redirecting(a(), user("al", "A"), user("amy", "A")));
    let submission =
        Submission::new(user("alice", "A"), [user("al", "A")]).with_report_request(ReportRequest::Delivery);
    a.submit(&submission);
    a.work();
    let reports = a.reports_in(&user("alice", "A"));
    assert_eq!((reports.len(), reports[0].content.per_recipient_fields.len()), (1, 1));
    let fields = &reports[0].content.per_recipient_fields[0];
    assert_eq!(*fields.actual_recipient_name.address(), user("amy", "A"));
    assert_eq!(*fields.originally_intended_recipient_name.as_ref().unwrap().address(), user("al", "A"));
    assert!(matches!(fields.last_trace_information.report_type, ReportType::Delivery(_)));
}

#[test]
fn wrong_redirections_are_found_and_placed() {
    let bad = redirecting(a(), user("al", "A"), user("AL", "a"));
    let bad = redirecting(bad, user("al", "A"), user("amy", "A"));
    let mut bad = redirecting(bad, user("x", "A"), crate::bench::address("C=GB"));
    bad.mta.dead_letter = Some(user("nobody", "A"));
    let paths: Vec<String> = bad.validate().into_iter().map(|problem| problem.path).collect();
    let expected =
        ["redirection[0].address", "redirection[1].address", "redirection[2].to", "mta.dead_letter"];
    let found: Vec<&str> = paths.iter().map(String::as_str).filter(|path| expected.contains(path)).collect();
    assert_eq!(found, expected, "{paths:?}");
}

#[test]
fn mail_of_each_class_goes_to_who_stands_in_for_it() {
    let mut settings = settings("A", &[("X", "P=X;A= ;C=GB")]);
    let from = || RedirectFrom::Address(user("al", "A"));
    let class = |priorities: Option<&[Rank]>, content_types: Option<&[ContentType]>| RedirectionClass {
        priorities: priorities.map(<[Rank]>::to_vec),
        content_types: content_types.map(<[ContentType]>::to_vec),
    };
    for (class, to) in [
        (class(Some(&[Rank::Urgent]), Some(&[ContentType::P22])), "night"),
        (class(None, Some(&[ContentType::EDI])), "machine"),
        (class(Some(&[Rank::NonUrgent]), None), "pile"),
    ] {
        settings.redirections.push(Redirect { from: from(), class, to: user(to, "A") });
    }
    assert_eq!(settings.validate(), []);
    let cases = [
        (Priority::Urgent, ContentType::P22, "night"),
        (Priority::Urgent, ContentType::EDI, "machine"),
        (Priority::NonUrgent, ContentType::EDI, "machine"),
        (Priority::NonUrgent, ContentType::P22, "pile"),
        (Priority::Normal, ContentType::P22, "al"),
        (Priority::Other(7), ContentType::P2, "al"),
    ];
    for (priority, content_type, receives) in cases {
        let mut a = Mta::new(settings.clone());
        let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
        envelope.priority = priority.into();
        envelope.content_type = content_type.clone().into();
        a.receive_message("to-X", &envelope);
        a.work();
        assert_eq!(a.messages_in(&user(receives, "A")).len(), 1, "{priority:?} {content_type:?}");
    }
    // What stands behind one that takes everything would never be looked at.
    settings.redirections.push(Redirect::new(from(), user("rest", "A")));
    assert_eq!(settings.validate(), []);
    settings.redirections.push(Redirect { from: from(), class: class(None, None), to: user("late", "A") });
    settings.redirections[0].class.priorities = Some(Vec::new());
    let problems: Vec<String> = settings.validate().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("nothing is redirected"), "{problems:?}");
    assert!(problems[1].contains("redirects it already"), "{problems:?}");
}

#[test]
fn a_probe_is_redirected_as_a_normal_message_would_be() {
    let mut settings = settings("A", &[("X", "P=X;A= ;C=GB")]);
    settings.mta.mailboxes = Some(vec![user("amy", "A")]);
    for (rank, to) in [(Rank::Urgent, "nobody"), (Rank::Normal, "amy")] {
        let class = RedirectionClass { priorities: Some(vec![rank]), content_types: None };
        let from = RedirectFrom::Address(user("al", "A"));
        settings.redirections.push(Redirect { from, class, to: user(to, "A") });
    }
    let mut a = Mta::new(settings);
    let message = foreign("1", &[(&user("al", "A"), 0xD0)]);
    let probe = mhs::p1::ProbeTransferEnvelope::new(
        (*message.message_identifier).clone(),
        message.originator_name.clone(),
        ContentType::P22,
        message.per_recipient_fields.to_vec(),
        message.trace_information.clone(),
    );
    a.receive("to-X", &mhs::p1::MtsApdu::Probe(Box::new(probe)).to_octets()).unwrap();
    a.work();
    assert_eq!(a.non_delivered(), []);
    assert_eq!(a.queue("to-X").len(), 1, "the report that it would be delivered");
}

/// Whoever may name an alternate must not be served by it as nobody else is: what he wants is relayed by the same rules.
#[test]
fn the_originators_alternate_is_no_way_around_relaying_rules() {
    for (relay_to, expected) in [(RelayTo::Nowhere, 0), (RelayTo::Connectors(vec!["to-B".into()]), 1)] {
        let mut settings = a();
        settings.connectors[1].relay_to = relay_to;
        let mut a = Mta::new(settings);
        let envelope = with_alternate(foreign("1", &[(&user("gone", "A"), 0xA8)]), user("bob", "B"));
        a.receive_message("to-C", &envelope);
        a.work();
        assert_eq!(a.queue("to-B").len(), expected);
        let codes: Vec<_> = a.non_delivered().into_iter().map(|n| (n.0, n.1)).collect();
        assert_eq!(codes.len(), 1 - expected, "{codes:?}");
    }
}

#[test]
fn the_originators_alternate_may_be_where_the_message_came_from() {
    let mut settings = a();
    settings.connectors[1].relay_to = RelayTo::Nowhere;
    let mut a = Mta::new(settings);
    let envelope = with_alternate(foreign("1", &[(&user("gone", "A"), 0xA8)]), user("carl", "C"));
    a.receive_message("to-C", &envelope);
    a.work();
    assert_eq!((a.queue("to-C").len(), a.non_delivered().len()), (1, 0));
}
