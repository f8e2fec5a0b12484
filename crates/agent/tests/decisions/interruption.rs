use agent::record::{Item, RESUME};
use agent::{Failed, NotCarried, Submission, TransferFailure, TransferFailureKind, apdu_digest};
use spool::BodyId;

use crate::bench::{Mta, mta_a, user};

fn interrupted() -> (Mta, Vec<u8>, agent::record::OutboundRecord) {
    let mut a = mta_a();
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    a.work();
    let (key, record) = a.queue("to-B").remove(0);
    let step = a.agent.transfer_interrupted(&key, b"after 5 of 9".to_vec());
    a.commit(step);
    assert_eq!(a.scan(RESUME, b""), [(key.clone(), b"after 5 of 9".to_vec())]);
    (a, key, record)
}

#[test]
fn the_point_to_resume_from_goes_with_the_item_whichever_way_it_leaves() {
    let failed = |kind| TransferFailure { kind, text: "refused".into() };
    for way in 0..5 {
        let (mut a, key, record) = interrupted();
        let step = match way {
            0 => a.agent.transferred(&key, &record, None),
            1 => a.agent.expired(record.expires, &a.counter, &key, &record).unwrap(),
            2 => a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::Removed),
            3 => {
                a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::OpenRetriesExhausted)
            }
            _ => {
                let failure = failed(TransferFailureKind::RefusedPermanent);
                match a.agent.transfer_failed(a.now, &a.counter, &key, &record, &failure) {
                    Failed::Settled(step) => step,
                    Failed::Retry { .. } => panic!("it was to leave"),
                }
            }
        };
        a.commit(step);
        assert_eq!(a.scan(RESUME, b""), [], "way {way}");
        // Told too late, an interruption leaves nothing behind.
        let step = a.agent.transfer_interrupted(&key, b"late".to_vec());
        assert!(a.try_commit(step).is_err());
        assert_eq!(a.scan(RESUME, b""), []);
    }
}

#[test]
fn a_failed_transfer_keeps_the_point_until_it_is_forgotten() {
    let (mut a, key, record) = interrupted();
    let failure = TransferFailure { kind: TransferFailureKind::Interrupted, text: "broken".into() };
    let Failed::Retry { step, .. } = a.agent.transfer_failed(a.now, &a.counter, &key, &record, &failure)
    else {
        panic!("one failure is none")
    };
    a.commit(step);
    assert_eq!(a.scan(RESUME, b"").len(), 1);
    for _ in 0..2 {
        let step = a.agent.interruption_forgotten(&key);
        a.commit(step);
        assert_eq!(a.scan(RESUME, b""), []);
    }
    assert_eq!(a.queue("to-B").len(), 1);
}

#[test]
fn a_digest_tells_apart_what_would_be_other_octets() {
    let message =
        |body, content_length| Item::Message { envelope: vec![1], body: BodyId(body), content_length };
    let first = apdu_digest(b"normal", b"header", &message(1, 9));
    assert_eq!(first, apdu_digest(b"normal", b"header", &message(1, 9)));
    for other in [
        apdu_digest(b"x410", b"header", &message(1, 9)),
        apdu_digest(b"normal", b"headers", &message(1, 9)),
        apdu_digest(b"normalh", b"eader", &message(1, 9)),
        apdu_digest(b"normal", b"header", &message(2, 9)),
        apdu_digest(b"normal", b"header", &message(1, 8)),
        apdu_digest(b"normal", b"header", &Item::Report { apdu: b"header".to_vec() }),
    ] {
        assert_ne!(first, other);
    }
}
