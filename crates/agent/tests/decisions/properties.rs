use std::collections::{HashMap, HashSet};

use agent::Processed;
use agent::record::{Item, MailboxItem, Record, WorkRecord};
use mhs::OrAddress;
use mhs::p1::{MessageTransferEnvelope, MtsApdu};
use proptest::prelude::*;
use spool::Spool;

use crate::bench::{Mta, address, envelope_of, foreign, mta_a, settings, user};

fn anyone() -> impl Strategy<Value = OrAddress> {
    // Here, over B, over C, the way back, nowhere, twice the same.
    prop_oneof![
        (0..3_u8).prop_map(|n| user(&format!("local{n}"), "A")),
        (0..3_u8).prop_map(|n| user(&format!("b{n}"), "B")),
        (0..3_u8).prop_map(|n| user(&format!("c{n}"), "C")),
        Just(address("S=nowhere;O=Acme;A= ;C=FR")),
        Just(OrAddress::default()),
    ]
}

/// How often each recipient, by its number, is taken care of.
fn taken_care_of(a: &Mta) -> HashMap<i64, usize> {
    let mut count = HashMap::new();
    let mut add = |envelope: &MessageTransferEnvelope| {
        for recipient in envelope.per_recipient_fields.iter().filter(|r| r.responsibility()) {
            *count.entry(*recipient.originally_specified_recipient_number).or_default() += 1;
        }
    };
    for connector in ["to-B", "to-C"] {
        for (_, record) in a.queue(connector) {
            if matches!(record.item, Item::Message { .. }) {
                add(&envelope_of(&record.item));
            }
        }
    }
    for (_, value) in a.scan(agent::record::MAILBOX, b"") {
        let record = agent::record::MailboxRecord::decode(&value).unwrap();
        if let MailboxItem::Message { envelope, .. } = record.kind {
            add(&MessageTransferEnvelope::from_octets(&envelope).unwrap());
        }
    }
    for (_, record) in a.queue("to-X") {
        if let Item::Report { apdu } = &record.item {
            let report = mhs::p1::Report::from_octets(apdu).unwrap();
            for recipient in &report.content.per_recipient_fields {
                *count.entry(*recipient.originally_specified_recipient_number).or_default() += 1;
            }
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_recipient_is_taken_care_of_exactly_once(
        recipients in prop::collection::vec((anyone(), any::<bool>()), 1..20),
        disclose in any::<bool>(),
        from in prop_oneof![Just("to-B"), Just("to-C"), Just("to-X")],
    ) {
        let mut a = Mta::new(settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB"), ("X", "P=X;A= ;C=GB")]));
        let listed: Vec<(&OrAddress, u8)> =
            recipients.iter().map(|(address, ours)| (address, if *ours { 0xA8 } else { 0x28 })).collect();
        let mut envelope = foreign("1", &listed);
        envelope.per_message_indicators.edit().set(0, disclose);
        a.receive_message(from, &envelope);
        prop_assert_eq!(a.work(), []);
        let count = taken_care_of(&a);
        let mut served = HashSet::new();
        for ((address, ours), number) in recipients.iter().zip(1_i64..) {
            // A mailbox named twice gets one copy, for the first of its names.
            let again = *ours && address.prmd.as_deref() == Some("A") && !served.insert(address.canonical_key());
            let expected = usize::from(*ours && !again);
            prop_assert_eq!(count.get(&number).copied().unwrap_or(0), expected, "recipient {}", number);
        }
        // The content is kept as long as a copy or a mailbox refers to it, and no longer.
        for connector in ["to-B", "to-C"] {
            for (key, record) in a.queue(connector) {
                prop_assert_eq!(a.spool.stats().bodies, 1);
                let step = a.agent.transferred(&key, &record, None);
                a.commit(step);
            }
        }
        for (_, value) in a.scan(agent::record::MAILBOX, b"") {
            prop_assert_eq!(a.spool.stats().bodies, 1);
            let record = agent::record::MailboxRecord::decode(&value).unwrap();
            let MailboxItem::Message { body, .. } = record.kind else { panic!("only messages are delivered here") };
            let mut batch = spool::Batch::default();
            batch.release(body);
            a.spool.commit(batch).wait().unwrap();
        }
        prop_assert_eq!(a.spool.stats().bodies, 0);
    }

    #[test]
    fn no_envelope_that_can_be_read_is_too_much(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        exhausted in any::<bool>(),
    ) {
        let mut a = mta_a();
        let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8), (&user("bob", "B"), 0xF8)]);
        envelope.deferred_delivery_time = Some(mhs::UtcTime::from_wall(a.now).into());
        let time = mhs::UtcTime::from_wall(a.now);
        let mta = mhs::MtaName::new("MTA-X").unwrap();
        let domain = "C=GB;A= ;P=X".parse().unwrap();
        let element = mhs::p1::InternalTraceInformationElement::relayed(domain, mta, time);
        envelope.extensions.push_internal_trace(element).unwrap();
        let mut octets = envelope.to_octets();
        for (place, value) in changes {
            let place = place.index(octets.len());
            octets[place] = value;
        }
        if let Ok(envelope) = MessageTransferEnvelope::from_octets(&octets) {
            let message = mhs::p1::Message::new(envelope, b"content".to_vec());
            if let Ok(MtsApdu::Message(message)) = MtsApdu::from_octets(&MtsApdu::Message(Box::new(message)).to_octets()) {
                a.receive_message("to-C", &message.envelope);
                a.work();
                prop_assert_eq!(a.quarantined(), 0, "what was accepted must be processed");
            }
        }
        // Straight from the work queue, readable or not.
        let body = a.body(b"content");
        let mut batch = spool::Batch::default();
        let body = batch.link_body(body);
        let record = WorkRecord {
            item: Item::Message { envelope: octets, body, content_length: 7 },
            source: agent::record::Source::Connector("to-C".into()),
            arrived: a.now,
            exhausted: if exhausted { vec!["to-B".into()] } else { Vec::new() },
            failure: None,
            tries: Default::default(),
        };
        let key = [1, 0, 0, 0, 0, 0, 0, 0, 0];
        batch.put(agent::record::WORK, key, record.encode());
        a.spool.commit(batch).wait().unwrap();
        if let Processed::Done(step) = a.agent.process(a.moment(), &key, &record, false) {
            a.commit(step);
        }
    }
}
