//! Values that other implementations could not stomach: each is the trouble of whoever has it, and of nobody else.

use agent::record::Item;
use ber::{Oid, Tag, Writer};
use mhs::p1::{
    ContentIdentifier, Criticality, ExtensionField, ExtensionType, MessageTransferEnvelope, Report,
};
use mhs::{ContentType, OrName};

use crate::bench::{Mta, envelope_of, foreign, mta_a, user};

fn name(octets: &[u8]) -> OrName {
    OrName::decode(&ber::Reader::new(octets).any().unwrap()).unwrap()
}

/// An O/R name with these standard attributes, behind them what `more` writes.
fn odd_name(attributes: impl Fn(&mut Writer), more: impl Fn(&mut Writer)) -> OrName {
    name(&Writer::encode(|w| {
        w.constructed(Tag::application(0), |w| {
            w.constructed(Tag::SEQUENCE, &attributes);
            more(w);
        });
    }))
}

/// `C=GB;A= ;P=prmd` as attributes.
fn domain_of(prmd: &'static str) -> impl Fn(&mut Writer) {
    move |w| {
        w.constructed(Tag::application(1), |w| w.primitive(Tag::PRINTABLE_STRING, b"GB"));
        w.constructed(Tag::application(2), |w| w.primitive(Tag::PRINTABLE_STRING, b" "));
        w.constructed(Tag::context(2), |w| w.primitive(Tag::PRINTABLE_STRING, prmd.as_bytes()));
    }
}

/// Given name and initials, and no surname.
fn without_surname(w: &mut Writer) {
    w.constructed(Tag::context(5), |w| {
        w.primitive(Tag::context(1), b"Given");
        w.primitive(Tag::context(2), b"G");
    });
}

/// To the odd name, to somebody here and to somebody at B.
fn envelope_to(odd: &OrName) -> MessageTransferEnvelope {
    let to = [user("odd", "A"), user("al", "A"), user("bob", "B")];
    let mut envelope = foreign("1", &to.each_ref().map(|to| (to, 0xA8)));
    envelope.per_recipient_fields[0].recipient_name = odd.clone();
    envelope
}

fn reports(mta: &Mta, connector: &str) -> Vec<Report> {
    let queue = mta.queue(connector).into_iter();
    queue
        .filter_map(|(_, record)| match record.item {
            Item::Report { apdu } => Some(Report::from_octets(&apdu).unwrap()),
            Item::Message { .. } | Item::Probe { .. } => None,
        })
        .collect()
}

/// The other two have it; the odd one is delivered, passed on or reported, and nothing is left.
fn harms_nobody(odd: &OrName) -> Mta {
    let mut a = mta_a();
    a.receive_message("to-C", &envelope_to(odd));
    assert_eq!(a.work(), []);
    assert_eq!(a.quarantined(), 0);
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    assert_eq!(a.queue("to-B").len(), 1);
    // All of it leaves in octets that others can read.
    for (connector, count) in [("to-B", 1), ("to-C", reports(&a, "to-C").len())] {
        assert_eq!(a.queue(connector).len(), count);
        a.queue(connector).iter().for_each(|(_, record)| assert!(!a.apdu(connector, record).is_empty()));
    }
    a
}

#[test]
fn a_given_name_without_surname_holds_up_neither_the_queue_nor_its_report() {
    let unknown = odd_name(
        |w| {
            domain_of("Q")(w);
            without_surname(w);
        },
        |_| {},
    );
    let a = harms_nobody(&unknown);
    let reports = reports(&a, "to-C");
    assert_eq!(reports.len(), 1);
    let reported = &reports[0].content.per_recipient_fields[0].actual_recipient_name;
    assert_eq!(reported.raw().unwrap()[1..], unknown.raw().unwrap()[1..], "as it came");
    // At B they may know what to do with it.
    let at_b = odd_name(
        |w| {
            domain_of("B")(w);
            without_surname(w);
        },
        |_| {},
    );
    let a = harms_nobody(&at_b);
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(sent.per_recipient_fields[0].recipient_name.raw(), at_b.raw());
    assert!(sent.per_recipient_fields[0].responsibility());
}

#[test]
fn an_originator_without_surname_gets_his_report_as_far_as_there_is_a_way() {
    for (prmd, left) in [("C", 1), ("A", 0)] {
        let originator = odd_name(
            |w| {
                domain_of(prmd)(w);
                without_surname(w);
            },
            |_| {},
        );
        let mut a = mta_a();
        let mut envelope = envelope_to(&user("nobody", "Q").into());
        envelope.originator_name = originator.clone();
        a.receive_message("to-C", &envelope);
        a.work();
        let reports = reports(&a, "to-C");
        assert_eq!((reports.len(), a.quarantined()), (left, 0), "{prmd}");
        for report in reports {
            let to = report.envelope.report_destination_name.raw().unwrap();
            assert_eq!(to[1..], originator.raw().unwrap()[1..]);
        }
        assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    }
}

#[test]
fn an_attribute_given_twice_holds_nobody_up() {
    let twice = odd_name(
        |w| {
            domain_of("Q")(w);
            w.primitive(Tag::context(3), b"First");
            w.primitive(Tag::context(3), b"Second");
        },
        |_| {},
    );
    assert_eq!(reports(&harms_nobody(&twice), "to-C").len(), 1);
}

#[test]
fn a_directory_name_of_any_length_and_characters_is_passed_on_as_it_came() {
    let long = vec![0xFF; 300];
    let odd = odd_name(
        |w| {
            domain_of("B")(w);
            w.constructed(Tag::context(5), |w| w.primitive(Tag::context(0), b"odd"));
        },
        |w| {
            w.constructed(Tag::context(0), |w| {
                w.constructed(Tag::SEQUENCE, |w| {
                    w.constructed(Tag::SET, |w| {
                        w.constructed(Tag::SEQUENCE, |w| {
                            w.primitive(Tag::OBJECT_IDENTIFIER, &[0x55, 4, 3]);
                            w.primitive(Tag::PRINTABLE_STRING, &long);
                        });
                    });
                });
            });
        },
    );
    assert!(odd.directory_name().unwrap().len() > 300);
    let a = harms_nobody(&odd);
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(sent.per_recipient_fields[0].recipient_name.raw(), odd.raw());
}

#[test]
fn object_identifiers_of_any_length_pass_and_are_reported_on() {
    let arcs: Vec<u32> = [1, 3].into_iter().chain((0..60).map(|n| u32::MAX - n)).collect();
    let long = Oid::from_arcs(&arcs).unwrap();
    assert!(long.contents().len() > 250);
    let mut a = mta_a();
    let mut envelope = envelope_to(&user("nobody", "Q").into());
    envelope.content_type = ContentType::Extended(long.clone()).into();
    let private = ExtensionType::Private(long.clone());
    envelope.extensions.set(ExtensionField::new(private.clone(), Criticality::NONE, vec![5, 0]));
    a.receive_message("to-C", &envelope);
    a.work();
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(*sent.content_type, ContentType::Extended(long.clone()));
    assert!(sent.extensions.get(&private).is_some());
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    let report = &reports(&a, "to-C")[0];
    assert_eq!(report.content.content_type.as_deref(), Some(&ContentType::Extended(long)));
}

#[test]
fn an_empty_content_identifier_passes_and_comes_back_in_reports() {
    let mut a = mta_a();
    let mut envelope = envelope_to(&user("nobody", "Q").into());
    envelope.content_identifier = Some(ContentIdentifier(String::new()).into());
    a.receive_message("to-C", &envelope);
    a.work();
    let sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(sent.content_identifier.as_deref(), Some(&ContentIdentifier(String::new())));
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1);
    let report = &reports(&a, "to-C")[0];
    assert_eq!(report.content.content_identifier.as_deref(), Some(&ContentIdentifier(String::new())));
}
