//! What has passed each link since the start, and when it was last used.
//!
//! Kept by the connector's name rather than by its task, so that a reload does not make the numbers go back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clock::WallTime;

use crate::status::{LinkTraffic, Role};

/// The counts of all links.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    links: Mutex<BTreeMap<String, Arc<LinkCounts>>>,
}

/// The counts of one link. Each is added to at its own moment; together they are no exact picture of any moment.
#[derive(Debug, Default)]
pub(crate) struct LinkCounts {
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    octets_in: AtomicU64,
    octets_out: AtomicU64,
    recipients_in: AtomicU64,
    recipients_out: AtomicU64,
    associations_in: AtomicU64,
    associations_out: AtomicU64,
    failed_opens: AtomicU64,
    last_transfer: Moment,
    last_association: Moment,
}

/// A time that may not have come yet.
#[derive(Debug)]
struct Moment(AtomicI64);

impl Default for Moment {
    fn default() -> Self {
        Moment(AtomicI64::new(i64::MIN))
    }
}

impl Moment {
    fn set(&self, now: WallTime) {
        self.0.store(now.unix(), Ordering::Relaxed);
    }

    fn get(&self) -> Option<String> {
        let seconds = self.0.load(Ordering::Relaxed);
        (seconds != i64::MIN).then(|| WallTime::from_unix(seconds).to_string())
    }
}

impl Traffic {
    /// The counts of this link, which are there from the first time that anybody asks.
    fn of(&self, connector: &str) -> Arc<LinkCounts> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = links.get(connector) {
            return Arc::clone(counts);
        }
        Arc::clone(links.entry(connector.to_owned()).or_default())
    }

    /// Something was transferred in.
    pub(crate) fn received(&self, connector: &str, octets: u64, recipients: u32, now: WallTime) {
        let counts = self.of(connector);
        counts.messages_in.fetch_add(1, Ordering::Relaxed);
        counts.octets_in.fetch_add(octets, Ordering::Relaxed);
        counts.recipients_in.fetch_add(recipients.into(), Ordering::Relaxed);
        counts.last_transfer.set(now);
    }

    /// Something was transferred out.
    pub(crate) fn sent(&self, connector: &str, octets: u64, recipients: u32, now: WallTime) {
        let counts = self.of(connector);
        counts.messages_out.fetch_add(1, Ordering::Relaxed);
        counts.octets_out.fetch_add(octets, Ordering::Relaxed);
        counts.recipients_out.fetch_add(recipients.into(), Ordering::Relaxed);
        counts.last_transfer.set(now);
    }

    /// An association was opened.
    pub(crate) fn opened(&self, connector: &str, role: Role, now: WallTime) {
        let counts = self.of(connector);
        let count = match role {
            Role::Initiator => &counts.associations_out,
            Role::Responder => &counts.associations_in,
        };
        count.fetch_add(1, Ordering::Relaxed);
        counts.last_association.set(now);
    }

    /// No association could be opened.
    pub(crate) fn failed_open(&self, connector: &str) {
        self.of(connector).failed_opens.fetch_add(1, Ordering::Relaxed);
    }

    /// What has passed this link.
    pub(crate) fn status(&self, connector: &str) -> LinkTraffic {
        let counts = self.of(connector);
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LinkTraffic {
            messages_in: now(&counts.messages_in),
            messages_out: now(&counts.messages_out),
            octets_in: now(&counts.octets_in),
            octets_out: now(&counts.octets_out),
            recipients_in: now(&counts.recipients_in),
            recipients_out: now(&counts.recipients_out),
            failed_opens: now(&counts.failed_opens),
            associations_in: now(&counts.associations_in),
            associations_out: now(&counts.associations_out),
            last_transfer: counts.last_transfer.get(),
            last_association: counts.last_association.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_has_its_own_counts_and_the_last_times() {
        let at = |seconds: i64| WallTime::from_unix(1_700_000_000 + seconds);
        let traffic = Traffic::default();
        assert_eq!(traffic.status("b"), LinkTraffic::default());
        traffic.opened("b", Role::Initiator, at(1));
        traffic.sent("b", 10, 2, at(2));
        traffic.sent("b", 5, 1, at(3));
        traffic.opened("c", Role::Responder, at(4));
        traffic.failed_open("b");
        traffic.received("c", 7, 4, at(5));
        let b = LinkTraffic {
            messages_out: 2,
            octets_out: 15,
            recipients_out: 3,
            failed_opens: 1,
            associations_out: 1,
            last_transfer: Some(at(3).to_string()),
            last_association: Some(at(1).to_string()),
            ..LinkTraffic::default()
        };
        let c = LinkTraffic {
            messages_in: 1,
            octets_in: 7,
            recipients_in: 4,
            associations_in: 1,
            last_transfer: Some(at(5).to_string()),
            last_association: Some(at(4).to_string()),
            ..LinkTraffic::default()
        };
        assert_eq!((traffic.status("b"), traffic.status("c")), (b, c));
    }
}
