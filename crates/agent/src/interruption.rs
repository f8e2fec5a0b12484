//! A transfer that was interrupted and is to be resumed (X.218, recovery): what is remembered of it, durably, and how
//! the octets already sent are known to be the same.
//!
//! What a point to resume from is made of is the business of whoever drives associations.

use sha2::{Digest, Sha256};

use crate::agent::Agent;
use crate::effect::Step;
use crate::record::{Item, OUTBOUND, RESUME};

impl Agent {
    /// A transfer was interrupted; `point` is what is remembered of it. The item stays in its queue as it is: nothing
    /// has failed yet. When it leaves the queue, in whatever way, the point goes with it.
    pub fn transfer_interrupted(&self, key: &[u8], point: Vec<u8>) -> Step {
        let mut step = Step::default();
        step.batch.assert_present(OUTBOUND, key).put(RESUME, key, point);
        step
    }

    /// What is remembered of an interrupted transfer is of no use any more: the next begins at the first octet.
    pub fn interruption_forgotten(&self, key: &[u8]) -> Step {
        let mut step = Step::default();
        step.batch.delete(RESUME, key);
        step
    }
}

/// Digest of what the octets of an APDU follow from: a transfer may be resumed only if it is the same.
///
/// `form` names how the APDU is put on the wire, `header` is what stands in front of the content (of a probe or
/// report, everything). Bodies never change and their names are never used again, so the name stands for the content.
pub fn apdu_digest(form: &[u8], header: &[u8], item: &Item) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut add = |octets: &[u8]| {
        // The length in front of each field keeps neighbours apart.
        digest.update(u64::try_from(octets.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(octets);
    };
    add(form);
    add(header);
    match item {
        Item::Message { envelope: _, body, content_length } => {
            add(&body.0.to_be_bytes());
            add(&content_length.to_be_bytes());
        }
        Item::Report { .. } | Item::Probe { .. } => {}
    }
    digest.finalize().into()
}
