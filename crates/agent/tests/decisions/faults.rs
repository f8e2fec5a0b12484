//! What other MTAs were known to get wrong: each test is a fault that administrators had to live with.

use agent::record::Item;
use agent::{Discard, Effect};
use mhs::p1::{
    Criticality, ExtensionField, ExtensionType, MtsApdu, ProbeTransferEnvelope, Report, StandardExtension,
};

use crate::bench::{Mta, address, envelope_of, foreign, mta_a, settings, user};

fn report_of(item: &Item) -> Report {
    match item {
        Item::Report { apdu } => Report::from_octets(apdu).unwrap(),
        other => panic!("{other:?} is no report"),
    }
}

#[test]
fn blind_recipients_are_named_to_nobody_else() {
    let mut a = mta_a();
    let to = [user("bob", "B"), user("spy", "B"), user("al", "A"), user("mole", "A")];
    let mut envelope = foreign("1", &to.each_ref().map(|to| (to, 0xA8)));
    envelope.per_message_indicators.edit().set(0, true);
    let number = ExtensionType::Standard(StandardExtension::BLIND_COPY_RECIPIENTS);
    for place in [1, 3] {
        let blind = ExtensionField::new(number.clone(), Criticality::NONE, vec![0x30, 0]);
        envelope.per_recipient_fields[place].extensions.set(blind);
    }
    a.receive_message("to-C", &envelope);
    a.work();
    let names = |envelope: &mhs::p1::MessageTransferEnvelope| {
        envelope.per_recipient_fields.iter().map(|r| r.address().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&a.messages_in(&to[2])[0]), [to[0].clone(), to[2].clone()]);
    assert_eq!(names(&a.messages_in(&to[3])[0]), [to[0].clone(), to[2].clone(), to[3].clone()]);
    // Both at B are the responsibility of the next MTA, who must know them; mole is none of its business.
    assert_eq!(
        names(&envelope_of(&a.queue("to-B")[0].1.item)),
        [to[0].clone(), to[1].clone(), to[2].clone()]
    );
}

#[test]
fn an_empty_arrival_time_holds_nothing_up_and_is_not_sent_for_ever() {
    let mut a = mta_a();
    let envelope = foreign("1", &[(&user("al", "A"), 0xA8), (&user("bob", "B"), 0xA8)]);
    let mut octets = envelope.to_octets();
    // The arrival time, [0], is the only element of the trace with these octets; it becomes empty.
    let time = [&[0x80, 0x0D][..], envelope.trace_information[0].arrival_time.octets()].concat();
    let at = octets.windows(time.len()).position(|window| window == time).unwrap();
    octets.splice(at..at + time.len(), [0x80, 0x00]);
    for at in lengths_around(&octets, at) {
        octets[at] -= 13;
    }
    let empty = mhs::p1::MessageTransferEnvelope::from_octets(&octets).unwrap();
    assert_eq!(empty.trace_information[0].arrival_time.octets(), b"");
    a.receive_message("to-C", &empty);
    a.work();
    assert_eq!(a.quarantined(), 0);
    let settled = a.messages_in(&user("al", "A")).len() + a.non_delivered().len() + a.queue("to-B").len();
    assert_eq!(settled, 2);
}

/// Where the lengths, of one octet or of two in the form 81, stand whose values contain the octet at `place`.
fn lengths_around(octets: &[u8], place: usize) -> Vec<usize> {
    let (mut found, mut start, mut end) = (Vec::new(), 0, octets.len());
    'deeper: loop {
        let mut at = start;
        while at < end {
            let short = octets[at + 1] < 0x80;
            let length_at = if short { at + 1 } else { at + 2 };
            let (first, length) = (length_at + 1, usize::from(octets[length_at]));
            if first > place {
                return found;
            }
            if place < first + length {
                found.push(length_at);
                (start, end) = (first, first + length);
                continue 'deeper;
            }
            at = first + length;
        }
        return found;
    }
}

#[test]
fn all_legal_forms_of_time_are_taken_for_deferred_delivery() {
    for form in ["2611220500Z", "261122050000Z", "2611220600+0100", "261122040000-0100"] {
        let mut a = mta_a();
        let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
        envelope.deferred_delivery_time = Some(mhs::UtcTime::from_octets(form.as_bytes()).into());
        a.receive_message("to-C", &envelope);
        // 04:30 now; it is for 05:00.
        assert_eq!(a.work(), [a.now.plus_seconds(1800)], "{form}");
    }
}

#[test]
fn a_country_of_one_letter_is_the_trouble_of_one_recipient() {
    let mut a = mta_a();
    a.receive_message("to-C", &foreign("1", &[(&address("S=x;C=G"), 0xA8), (&user("al", "A"), 0xA8)]));
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    assert_eq!(a.non_delivered().len(), 1);
}

#[test]
fn odd_additional_information_in_a_report_blocks_nothing() {
    let mut a = mta_a();
    let mut b = Mta::new(settings("B", &[("A", "C=*")]));
    b.receive_message("to-A", &foreign("1", &[(&user("nobody", "Q"), 0xA8)]));
    b.work();
    let mut report = report_of(&b.queue("to-A")[0].1.item);
    report.content.additional_information = Some(vec![0xA2, 0x03, 0x04, 0x01, 0x00]);
    a.receive("to-B", &MtsApdu::Report(Box::new(report)).to_octets()).unwrap();
    a.work();
    let passed = report_of(&a.queue("to-C")[0].1.item);
    assert_eq!(passed.content.additional_information.as_deref(), Some(&[0xA2, 0x03, 0x04, 0x01, 0x00][..]));
}

#[test]
fn reports_that_mtas_send_round_end() {
    // Each believes that the next is nearer to X.
    let mut a = Mta::new(settings("A", &[("B", "C=*"), ("C", "P=C;A= ;C=GB")]));
    let mut b = Mta::new(settings("B", &[("C", "C=*"), ("A", "P=A;A= ;C=GB")]));
    let mut c = Mta::new(settings("C", &[("A", "C=*"), ("B", "P=B;A= ;C=GB")]));
    a.receive_message("to-C", &foreign("1", &[(&address("C=FR"), 0xA8)]));
    a.work();
    for _ in 0..10 {
        a.transfer("to-B", &mut b, "to-A");
        b.transfer("to-C", &mut c, "to-B");
        c.transfer("to-A", &mut a, "to-C");
    }
    let waiting = a.queue("to-B").len() + b.queue("to-C").len() + c.queue("to-A").len();
    assert_eq!(waiting, 0);
    let looped = [&a, &b, &c].iter().flat_map(|mta| &mta.effects).any(|effect| {
        matches!(effect, Effect::Discarded { why: Discard::Loop | Discard::Unroutable(_), .. })
    });
    assert!(looped, "it is dropped, and the operator is told");
}

#[test]
fn every_extension_of_the_recommendation_is_known_even_if_it_is_critical() {
    let critical = Criticality { for_submission: true, for_transfer: true, for_delivery: true };
    for number in 1..=46_i64 {
        for per_recipient in [false, true] {
            let mut a = mta_a();
            let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8), (&user("bob", "B"), 0xA8)]);
            // The values are nonsense: most of them are none of the MTA's business, and the others do no harm.
            let field = ExtensionField::new(ExtensionType::Standard(number), critical, vec![5, 0]);
            if per_recipient {
                envelope.per_recipient_fields.iter_mut().for_each(|r| r.extensions.set(field.clone()));
            } else {
                envelope.extensions.set(field);
            }
            a.receive_message("to-C", &envelope);
            a.work();
            let relayed = a.queue("to-B").len();
            assert_eq!((relayed, a.quarantined()), (1, 0), "{number}");
            let delivered = a.messages_in(&user("al", "A")).len();
            // A proof that this MTA can't give is the one thing that it refuses to deliver without.
            assert_eq!(delivered == 1, number != StandardExtension::PROOF_OF_DELIVERY_REQUEST, "{number}");
        }
    }
}

#[test]
fn a_probe_goes_through_several_mtas_and_its_report_comes_back() {
    let mut a = Mta::new(settings("A", &[("B", "C=*"), ("X", "P=X;A= ;C=GB")]));
    let mut b = Mta::new(settings("B", &[("A", "C=*"), ("C", "P=C;A= ;C=GB")]));
    let mut with_mailboxes = settings("C", &[("B", "C=*")]);
    with_mailboxes.mta.mailboxes = Some(vec![user("carl", "C")]);
    let mut c = Mta::new(with_mailboxes);
    let message = foreign("1", &[(&user("carl", "C"), 0xD0), (&user("gone", "C"), 0xD0)]);
    let probe = ProbeTransferEnvelope::new(
        (*message.message_identifier).clone(),
        message.originator_name.clone(),
        mhs::ContentType::P22,
        message.per_recipient_fields.to_vec(),
        message.trace_information.clone(),
    );
    a.receive("to-X", &MtsApdu::Probe(Box::new(probe)).to_octets()).unwrap();
    a.work();
    assert_eq!(a.transfer("to-B", &mut b, "to-A"), 1);
    assert_eq!(b.transfer("to-C", &mut c, "to-B"), 1);
    assert!(c.mailbox(&user("carl", "C")).is_empty());
    assert_eq!(c.transfer("to-B", &mut b, "to-C"), 1);
    assert_eq!(b.transfer("to-A", &mut a, "to-B"), 1);
    let report = report_of(&a.queue("to-X")[0].1.item);
    assert_eq!(report.content.subject_identifier, message.message_identifier);
    assert_eq!(report.content.per_recipient_fields.len(), 2);
    let trace: Vec<String> = report.envelope.trace_information.iter().map(|e| e.domain.to_string()).collect();
    assert_eq!(trace, ["C=GB;A= ;P=C", "C=GB;A= ;P=B", "C=GB;A= ;P=A"]);
}
