//! Transfers in that were interrupted, until they are resumed or their time is over; and which ones have completed, for
//! a peer that did not hear of it.
//!
//! A table and nothing else: what is kept of a transfer is the caller's, and what is dropped is handed back to it.

use std::collections::{BTreeMap, VecDeque};

use clock::MonoTime;
use osi::rtse::SessionConnectionIdentifier;

/// Parked transfers of one connector. An association has one at most, and a peer with more of them than this has
/// broken off more often than it resumes.
const MOST_OF_ONE_CONNECTOR: usize = 16;
/// Parked transfers of all connectors. Each may hold an open file, an envelope, and octets of its body in memory.
const MOST: usize = 128;
/// Completed transfers that are remembered.
const COMPLETED: usize = 1_024;

/// Names a transfer for the peer that makes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransferName {
    /// The connector over which it came: nobody else can ask for it.
    pub(crate) connector: String,
    /// The session connection on which it was interrupted.
    pub(crate) connection: SessionConnectionIdentifier,
    /// The activity.
    pub(crate) activity: Vec<u8>,
}

/// Interrupted and completed transfers.
#[derive(Debug)]
pub(crate) struct ParkedTransfers<T> {
    next: u64,
    /// By the order in which they were parked.
    entries: BTreeMap<u64, Entry<T>>,
    completed: VecDeque<(TransferName, MonoTime)>,
}

#[derive(Debug)]
struct Entry<T> {
    /// What the peer may call it; never empty.
    names: Vec<TransferName>,
    until: MonoTime,
    kept: T,
}

/// What is known of a transfer that a peer wants to resume.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// It was interrupted. It is not in the table any more.
    Parked(T),
    /// It had completed.
    Completed,
    /// Nothing.
    Unknown,
}

/// What was dropped from the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dropped<T> {
    pub(crate) connector: String,
    pub(crate) kept: T,
}

impl<T> Default for ParkedTransfers<T> {
    fn default() -> Self {
        ParkedTransfers { next: 0, entries: BTreeMap::new(), completed: VecDeque::new() }
    }
}

impl<T> ParkedTransfers<T> {
    /// Takes a transfer in until `until`, and gives what had to go to make room: the oldest of the connector, or of
    /// all. A transfer without a name can't be asked for and is given back at once.
    pub(crate) fn park(&mut self, names: Vec<TransferName>, until: MonoTime, kept: T) -> Vec<Dropped<T>> {
        let Some(connector) = names.first().map(|name| name.connector.clone()) else {
            return vec![Dropped { connector: String::new(), kept }];
        };
        // A peer that uses a name again has given up what had it before.
        let mut dropped = self.drop_if(|entry| entry.names.iter().any(|name| names.contains(name)));
        self.completed.retain(|(name, _)| !names.contains(name));
        self.entries.insert(self.next, Entry { names, until, kept });
        self.next += 1;
        let of_connector = |entry: &&Entry<T>| entry.connector() == connector;
        let excess = self.entries.values().filter(of_connector).count() > MOST_OF_ONE_CONNECTOR;
        let oldest = if excess {
            self.entries.iter().find(|(_, entry)| entry.connector() == connector).map(|(number, _)| *number)
        } else if self.entries.len() > MOST {
            self.entries.keys().next().copied()
        } else {
            None
        };
        dropped.extend(oldest.and_then(|number| self.entries.remove(&number)).map(Entry::into_dropped));
        dropped
    }

    /// A transfer has completed; the peer may ask for it until `until` if it does not hear of that.
    pub(crate) fn complete(&mut self, name: TransferName, until: MonoTime) {
        if self.completed.len() >= COMPLETED {
            self.completed.pop_front();
        }
        self.completed.push_back((name, until));
    }

    /// A transfer begins under this name: what had it before is not what the peer means by it from now on.
    pub(crate) fn begin(&mut self, name: &TransferName) -> Vec<Dropped<T>> {
        self.completed.retain(|(completed, _)| completed != name);
        self.drop_if(|entry| entry.names.contains(name))
    }

    /// A peer asks for a transfer. What was parked is handed out once.
    pub(crate) fn find(&mut self, now: MonoTime, name: &TransferName) -> Found<T> {
        let found = self.entries.iter().find(|(_, entry)| entry.names.contains(name) && now < entry.until);
        if let Some(number) = found.map(|(number, _)| *number)
            && let Some(entry) = self.entries.remove(&number)
        {
            return Found::Parked(entry.kept);
        }
        if self.completed.iter().any(|(completed, until)| completed == name && now < *until) {
            return Found::Completed;
        }
        Found::Unknown
    }

    /// Drops what has waited too long.
    pub(crate) fn expire(&mut self, now: MonoTime) -> Vec<Dropped<T>> {
        self.completed.retain(|(_, until)| now < *until);
        self.drop_if(|entry| entry.until <= now)
    }

    /// Drops what is of a connector.
    pub(crate) fn forget_connector(&mut self, connector: &str) -> Vec<Dropped<T>> {
        self.completed.retain(|(name, _)| name.connector != connector);
        self.drop_if(|entry| entry.connector() == connector)
    }

    /// Drops what was on this session connection: another one has the same name.
    pub(crate) fn forget_connection(
        &mut self,
        connector: &str,
        connection: &SessionConnectionIdentifier,
    ) -> Vec<Dropped<T>> {
        let is_of = |name: &TransferName| name.connector == connector && name.connection == *connection;
        self.completed.retain(|(name, _)| !is_of(name));
        self.drop_if(|entry| entry.names.iter().any(is_of))
    }

    /// Takes all out, oldest first, with their names and when they expire.
    pub(crate) fn take_all(&mut self) -> Vec<(Vec<TransferName>, MonoTime, T)> {
        let entries = std::mem::take(&mut self.entries).into_values();
        entries.map(|entry| (entry.names, entry.until, entry.kept)).collect()
    }

    fn drop_if(&mut self, is_over: impl Fn(&Entry<T>) -> bool) -> Vec<Dropped<T>> {
        let over: Vec<u64> =
            self.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(number, _)| *number).collect();
        over.into_iter().filter_map(|number| self.entries.remove(&number)).map(Entry::into_dropped).collect()
    }
}

impl<T> Entry<T> {
    fn connector(&self) -> &str {
        self.names.first().map_or("", |name| &name.connector)
    }

    fn into_dropped(self) -> Dropped<T> {
        let connector = self.names.into_iter().next().map_or_else(String::new, |name| name.connector);
        Dropped { connector, kept: self.kept }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::after_start(Duration::from_secs(seconds))
    }

    fn connection(name: &str) -> SessionConnectionIdentifier {
        osi::session::ConnectionIdentifier {
            user_reference: Some(name.into()),
            common_reference: Some(b"now".to_vec()),
            additional_reference: None,
        }
        .into()
    }

    fn name(connector: &str, on: &str, activity: u8) -> TransferName {
        TransferName { connector: connector.into(), connection: connection(on), activity: vec![activity] }
    }

    fn dropped(connector: &str, kept: u32) -> Dropped<u32> {
        Dropped { connector: connector.into(), kept }
    }

    #[test]
    fn a_parked_transfer_is_found_once_and_by_its_own_peer_only() {
        let mut table = ParkedTransfers::default();
        assert_eq!(table.park(vec![name("a", "x", 1), name("a", "y", 2)], at(60), 7), []);
        for other in [name("b", "x", 1), name("a", "y", 1), name("a", "x", 2), name("a", "z", 1)] {
            assert_eq!(table.find(at(1), &other), Found::Unknown);
        }
        assert_eq!(table.find(at(1), &name("a", "y", 2)), Found::Parked(7));
        assert_eq!(table.find(at(1), &name("a", "x", 1)), Found::Unknown);
        assert_eq!(table.entries.len(), 0);
    }

    #[test]
    fn nothing_is_found_after_its_time() {
        let mut table = ParkedTransfers::default();
        table.park(vec![name("a", "x", 1)], at(60), 7);
        table.complete(name("a", "x", 2), at(60));
        assert_eq!(table.expire(at(59)), []);
        assert_eq!(table.find(at(59), &name("a", "x", 2)), Found::Completed);
        assert_eq!(table.find(at(60), &name("a", "x", 1)), Found::Unknown);
        assert_eq!(table.find(at(60), &name("a", "x", 2)), Found::Unknown);
        assert_eq!(table.expire(at(60)), [dropped("a", 7)]);
        assert_eq!((table.entries.len(), table.completed.len()), (0, 0));
    }

    #[test]
    fn a_connector_keeps_its_newest_and_takes_nothing_from_another_until_all_are_too_many() {
        let mut table = ParkedTransfers::default();
        assert_eq!(table.park(vec![name("other", "x", 0)], at(60), 1_000), []);
        for n in 0..16 {
            assert_eq!(table.park(vec![name("a", &n.to_string(), 0)], at(60), n), []);
        }
        for n in 16..100 {
            assert_eq!(table.park(vec![name("a", &n.to_string(), 0)], at(60), n), [dropped("a", n - 16)]);
        }
        for n in table.entries.len()..MOST {
            assert_eq!(table.park(vec![name(&format!("c{n}"), "x", 0)], at(60), 0), []);
        }
        assert_eq!(table.park(vec![name("last", "x", 0)], at(60), 0), [dropped("other", 1_000)]);
        assert_eq!(table.entries.len(), MOST);
    }

    #[test]
    fn a_name_that_is_used_again_means_the_later_transfer() {
        let mut table = ParkedTransfers::default();
        table.park(vec![name("a", "x", 1)], at(60), 1);
        assert_eq!(table.park(vec![name("a", "x", 1)], at(60), 2), [dropped("a", 1)]);
        table.complete(name("a", "x", 1), at(60));
        assert_eq!(table.find(at(1), &name("a", "x", 1)), Found::Parked(2));
        assert_eq!(table.find(at(1), &name("a", "x", 1)), Found::Completed);
        table.park(vec![name("a", "x", 1)], at(60), 3);
        assert_eq!(table.find(at(1), &name("a", "x", 1)), Found::Parked(3));
        assert_eq!(table.find(at(1), &name("a", "x", 1)), Found::Unknown);
    }

    #[test]
    fn a_name_that_is_used_again_is_not_what_it_was() {
        let mut table = ParkedTransfers::default();
        table.complete(name("a", "x", 1), at(60));
        table.park(vec![name("a", "x", 3), name("a", "x", 2)], at(60), 7);
        assert_eq!(table.begin(&name("a", "x", 4)), []);
        assert_eq!(table.begin(&name("b", "x", 2)), []);
        assert_eq!(table.begin(&name("a", "x", 1)), []);
        assert_eq!(table.find(at(1), &name("a", "x", 1)), Found::Unknown, "not the one that had completed");
        assert_eq!(table.begin(&name("a", "x", 2)), [Dropped { connector: "a".into(), kept: 7 }]);
        assert_eq!(table.find(at(1), &name("a", "x", 3)), Found::Unknown);
    }

    #[test]
    fn connectors_and_connections_are_forgotten() {
        let mut table = ParkedTransfers::default();
        for (n, connector) in ["a", "b"].into_iter().enumerate() {
            table.park(vec![name(connector, "x", 1)], at(60), n);
            table.complete(name(connector, "x", 2), at(60));
        }
        table.park(vec![name("a", "y", 1)], at(60), 9);
        let gone = |connector: &str, kept| Dropped { connector: connector.to_owned(), kept };
        assert_eq!(table.forget_connection("a", &connection("x")), [gone("a", 0)]);
        assert_eq!(table.find(at(1), &name("a", "x", 2)), Found::Unknown);
        assert_eq!(table.find(at(1), &name("b", "x", 2)), Found::Completed);
        assert_eq!(table.forget_connector("b"), [gone("b", 1)]);
        assert_eq!(table.find(at(1), &name("b", "x", 2)), Found::Unknown);
        assert_eq!(table.entries.len(), 1);
        assert_eq!(table.take_all(), [(vec![name("a", "y", 1)], at(60), 9)]);
    }

    #[test]
    fn what_has_completed_is_remembered_within_bounds() {
        let mut table = ParkedTransfers::<()>::default();
        for n in 0..3_000_u32 {
            table.complete(TransferName { activity: n.to_be_bytes().to_vec(), ..name("a", "x", 0) }, at(60));
        }
        assert_eq!(table.completed.len(), COMPLETED);
        let last = TransferName { activity: 2_999_u32.to_be_bytes().to_vec(), ..name("a", "x", 0) };
        assert_eq!(table.find(at(1), &last), Found::Completed);
        assert_eq!(table.park(Vec::new(), at(60), ()), [Dropped { connector: String::new(), kept: () }]);
    }
}
