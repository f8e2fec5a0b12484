//! Records: order inside a batch, assertions, limits, scans.

use super::{A, B, Make, commit, get, keys};
use crate::{
    BatchLimit, CommitError, Expected, MAX_KEY_OCTETS, MAX_VALUE_OCTETS, Space, SpoolError, block_on,
};

pub(super) fn in_order(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    commit(spool, |_| {}).expect("an empty batch succeeds");
    commit(spool, |batch| {
        batch.put(A, b"k", b"1").put(A, b"k", b"2").put(B, b"k", b"other space");
        batch.put(A, b"gone", b"x").delete(A, b"gone").delete(A, b"never there");
        batch.put(A, b"", b"empty key").put(A, b"empty value", b"");
    })
    .unwrap();
    assert_eq!(get(spool, A, b"k").as_deref(), Some(&b"2"[..]), "the last of two puts counts");
    assert_eq!(get(spool, B, b"k").as_deref(), Some(&b"other space"[..]), "spaces are apart");
    assert_eq!(get(spool, A, b"gone"), None, "a delete undoes a put before it");
    assert_eq!(get(spool, A, b"").as_deref(), Some(&b"empty key"[..]));
    assert_eq!(get(spool, A, b"empty value").as_deref(), Some(&b""[..]));
    commit(spool, |batch| {
        batch.delete(A, b"k").put(A, b"k", b"3");
        batch.delete(A, b"");
    })
    .unwrap();
    assert_eq!(get(spool, A, b"k").as_deref(), Some(&b"3"[..]), "a put follows a delete");
    assert_eq!(get(spool, A, b""), None);
}

pub(super) fn assertions(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    commit(spool, |batch| {
        batch.assert_absent(A, b"k").put(A, b"k", b"1").assert_present(A, b"k");
        batch.delete(A, b"k").assert_absent(A, b"k").put(A, b"k", b"2");
    })
    .expect("assertions see what the batch did before them");
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", b"x").delete(A, b"k").put(A, b"k", b"y").assert_absent(A, b"k");
    });
    assert!(
        matches!(
            refused,
            Err(CommitError::AssertionFailed { index: 3, space: A, expected: Expected::Absent })
        ),
        "{refused:?}"
    );
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", b"x").assert_present(B, b"k").delete(A, b"k");
    });
    assert!(
        matches!(
            refused,
            Err(CommitError::AssertionFailed { index: 1, space: B, expected: Expected::Present })
        ),
        "{refused:?}"
    );
    assert_eq!(get(spool, A, b"half"), None, "nothing of a refused batch is there");
    assert_eq!(get(spool, A, b"k").as_deref(), Some(&b"2"[..]), "a refused batch deletes nothing");
    assert_eq!(spool.stats().batches_refused, 2);
    assert_eq!(spool.stats().batches_applied, 1);
}

pub(super) fn limits(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    let longest = vec![7; MAX_KEY_OCTETS];
    commit(spool, |batch| {
        batch.put(Space::LAST, &longest[..], vec![1; MAX_VALUE_OCTETS]);
    })
    .expect("the limits themselves are allowed");
    assert_eq!(get(spool, Space::LAST, &longest).map(|value| value.len()), Some(MAX_VALUE_OCTETS));
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", b"x").put(A, vec![7; MAX_KEY_OCTETS + 1], b"");
    });
    assert!(
        matches!(refused, Err(CommitError::Limit { index: 1, limit: BatchLimit::KeyOctets, .. })),
        "{refused:?}"
    );
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", vec![0; MAX_VALUE_OCTETS + 1]);
    });
    assert!(
        matches!(refused, Err(CommitError::Limit { index: 0, limit: BatchLimit::ValueOctets, .. })),
        "{refused:?}"
    );
    let reserved = Space(Space::LAST.0 + 1);
    let refused = commit(spool, |batch| {
        batch.put(A, b"half", b"x").delete(reserved, b"k");
    });
    assert!(matches!(refused, Err(CommitError::ReservedSpace { index: 1, .. })), "{refused:?}");
    assert!(matches!(block_on(spool.get(reserved, b"")), Err(SpoolError::ReservedSpace { .. })));
    assert!(matches!(block_on(spool.scan(reserved, b"", None, 1)), Err(SpoolError::ReservedSpace { .. })));
    assert_eq!(get(spool, A, b"half"), None, "nothing of a refused batch is there");
}

pub(super) fn scans(make: Make<'_>) {
    let harness = make();
    let spool = harness.spool();
    let stored: [&[u8]; 8] = [b"", b"a", b"a\x00", b"a\xff", b"a\xff\xff", b"b", b"b\x01", b"\xff\xff"];
    commit(spool, |batch| {
        for key in stored.iter().rev() {
            batch.put(A, *key, [b"value of ", *key].concat());
        }
        batch.put(B, b"a", b"").put(Space(0), b"a", b"").put(Space::LAST, b"\xff", b"");
    })
    .unwrap();
    assert_eq!(keys(spool, A, b"", None, usize::MAX), stored, "keys come in order of octets");
    assert_eq!(keys(spool, A, b"a", None, 100), stored[1..5], "a prefix includes itself");
    assert_eq!(keys(spool, A, b"a\xff", None, 100), stored[3..5]);
    assert_eq!(keys(spool, A, b"\xff", None, 100), stored[7..]);
    assert_eq!(keys(spool, A, b"c", None, 100), stored[..0]);
    assert_eq!(keys(spool, A, b"", None, 3), stored[..3], "a limit holds");
    assert_eq!(keys(spool, A, b"", None, 0), stored[..0]);
    assert_eq!(keys(spool, A, b"a", Some(b"a"), 100), stored[2..5], "'after' itself is left out");
    assert_eq!(keys(spool, A, b"a", Some(b"a\x01"), 100), stored[3..5], "'after' need not exist");
    assert_eq!(keys(spool, A, b"b", Some(b"a"), 100), stored[5..7], "'after' may precede the prefix");
    assert_eq!(keys(spool, A, b"a", Some(b"b"), 100), stored[..0], "'after' may follow the prefix");
    assert_eq!(keys(spool, Space::LAST, b"\xff", None, 100), [b"\xff"], "a space ends at its end");
    let (mut walked, mut after) = (Vec::new(), None);
    while let [next] = &keys(spool, A, b"", after.as_deref(), 1)[..] {
        walked.push(next.clone());
        after = Some(next.clone());
    }
    assert_eq!(walked, stored, "a walk in steps sees everything once");
    for (key, value) in block_on(spool.scan(A, b"", None, 100)).unwrap() {
        assert_eq!(value, [b"value of ", &key[..]].concat());
    }
    commit(spool, |batch| {
        batch.delete(A, b"a").delete(A, b"b\x01");
    })
    .unwrap();
    assert_eq!(keys(spool, A, b"a", None, 2), stored[2..4], "a deleted key is passed over");
}
