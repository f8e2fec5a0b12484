use agent::record::{DUPLICATE, DUPLICATE_AGE};
use agent::{IncomingApdu, Refusal, Submission};
use mhs::UtcTime;
use mhs::p1::{DlExpansion, Message, MtsApdu};
use spool::{CommitError, Spool};

use crate::bench::{address, foreign, mta_a, mta_b, user};

#[test]
fn a_repeated_transfer_is_recognised_and_stored_once() {
    let (mut a, mut b) = (mta_a(), mta_b());
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    a.work();
    let apdu = a.apdu("to-B", &a.queue("to-B")[0].1);
    b.receive("to-A", &apdu).unwrap();
    assert!(matches!(b.receive("to-A", &apdu), Err(CommitError::AssertionFailed { .. })));
    b.work();
    // Not even after it was delivered.
    assert!(matches!(b.receive("to-A", &apdu), Err(CommitError::AssertionFailed { .. })));
    b.work();
    assert_eq!(b.mailbox(&user("bob", "B")).len(), 1);
    assert_eq!(b.spool.stats().bodies, 1);
}

#[test]
fn a_second_copy_for_other_recipients_is_no_repetition() {
    let mut a = mta_a();
    let (one, two) = (user("one", "A"), user("two", "A"));
    a.receive_message("to-C", &foreign("1", &[(&one, 0xA8), (&two, 0x28)]));
    a.receive_message("to-C", &foreign("1", &[(&one, 0x28), (&two, 0xA8)]));
    a.work();
    assert_eq!((a.mailbox(&one).len(), a.mailbox(&two).len()), (1, 1));
}

#[test]
fn a_copy_that_took_another_way_is_no_repetition() {
    let mut a = mta_a();
    let one = user("one", "A");
    let mut envelope = foreign("1", &[(&one, 0xA8)]);
    a.receive_message("to-C", &envelope);
    let domain: mhs::GlobalDomainIdentifier = "C=GB;A= ;P=Y".parse().unwrap();
    let element = mhs::p1::TraceInformationElement::relayed(domain, UtcTime::from_wall(a.now));
    envelope.trace_information.push(element.into());
    a.receive_message("to-C", &envelope);
}

#[test]
fn a_copy_that_came_by_way_of_another_list_is_no_repetition() {
    let mut a = mta_a();
    let members = ["one", "two"].map(|name| {
        let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
        let list = address(&format!("CN={name};P=X;A= ;C=GB"));
        let expansion = DlExpansion { name: list.into(), time: UtcTime::from_wall(a.now) };
        envelope.extensions.push_dl_expansion(expansion).unwrap();
        MtsApdu::Message(Box::new(Message::new(envelope, b"content".to_vec()))).to_octets()
    });
    for (apdu, count) in members.iter().zip([1, 2]) {
        a.receive("to-C", apdu).unwrap();
        assert!(a.receive("to-C", apdu).is_err(), "the same once more");
        a.work();
        assert_eq!(a.messages_in(&user("al", "A")).len(), count);
    }
}

#[test]
fn transfers_are_forgotten_after_the_configured_days() {
    let mut a = mta_a();
    let one = user("one", "A");
    let day = 86_400;
    for local in ["1", "2", "3"] {
        a.receive_message("to-C", &foreign(local, &[(&one, 0xA8)]));
        a.now = a.now.plus_seconds(day);
    }
    // 15 days after the first, 14 after the second.
    a.now = a.now.plus_seconds(12 * day + 1);
    let keys: Vec<Vec<u8>> = a.scan(DUPLICATE_AGE, b"").into_iter().map(|(key, _)| key).collect();
    let (step, more) = a.agent.forget_duplicates(a.now, keys.iter().map(Vec::as_slice));
    assert!(!more);
    a.commit(step);
    assert_eq!((a.scan(DUPLICATE_AGE, b"").len(), a.scan(DUPLICATE, b"").len()), (2, 2));
    a.receive_message("to-C", &foreign("1", &[(&one, 0xA8)]));
    let (step, more) = a.agent.forget_duplicates(a.now, keys.iter().take(1).map(Vec::as_slice));
    assert!(more, "all that was shown was old");
    drop(step);
}

#[test]
fn a_transfer_over_a_removed_connector_is_left_to_the_peer() {
    let a = mta_a();
    let body = a.body(b"content");
    let envelope = Box::new(foreign("1", &[(&user("one", "A"), 0xA8)]));
    let apdu = IncomingApdu::Message { envelope, body, subject: None };
    let refusal = a.agent.transfer_in(a.now, &a.counter, "gone", apdu).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownConnector { connector: "gone".into() });
    assert!(refusal.is_transient());
}

#[test]
fn a_submitting_domain_that_is_not_the_first_in_the_trace_is_told_and_let_through() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("one", "A"), 0xA8)]);
    envelope.message_identifier.edit().domain = "C=GB;A= ;P=Q".parse().unwrap();
    let message = Message::new(envelope, Vec::new());
    a.receive("to-C", &MtsApdu::Message(Box::new(message)).to_octets()).unwrap();
    a.work();
    assert_eq!(a.mailbox(&user("one", "A")).len(), 1);
    let told = |e: &agent::Effect| matches!(e, agent::Effect::SubmittingDomainInconsistent { .. });
    assert!(a.effects.iter().any(told));
}

/// PP 6.0 gives the reports that it makes in one second one identifier.
#[test]
fn reports_about_two_messages_are_two_whatever_their_identifiers() {
    let mut a = mta_a();
    let one = user("one", "A");
    let (first, nowhere) = (foreign("1", &[(&one, 0xA8)]), address("S=x;O=Acme;A= ;C=FR"));
    a.submit(&Submission::new(one.clone(), [nowhere]));
    a.work();
    let mut report = a.reports_in(&one).remove(0);
    assert!(a.receive("to-B", &MtsApdu::Report(Box::new(report.clone())).to_octets()).is_ok());
    *report.content.subject_identifier.edit() = (*first.message_identifier).clone();
    assert!(a.receive("to-B", &MtsApdu::Report(Box::new(report.clone())).to_octets()).is_ok());
    let again = a.receive("to-B", &MtsApdu::Report(Box::new(report)).to_octets());
    assert!(matches!(again, Err(CommitError::AssertionFailed { .. })));
}
