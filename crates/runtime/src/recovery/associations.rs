//! Associations by the names of their session connections: the live ones, and those that may be recovered.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use clock::MonoTime;
use osi::rtse::SessionConnectionIdentifier;
use tokio::sync::watch;

use super::{Recoverable, TransferName};

/// Broken associations that are remembered.
const MOST_BROKEN: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Associations {
    live: BTreeMap<SessionConnectionIdentifier, Live>,
    /// The transfers in that are under way, and on which of the live ones: there may be thousands of these.
    receiving: BTreeMap<TransferName, SessionConnectionIdentifier>,
    /// Oldest first.
    broken: VecDeque<(SessionConnectionIdentifier, Recoverable, MonoTime)>,
}

#[derive(Debug)]
struct Live {
    /// The host that may recover it.
    peer: Option<IpAddr>,
    /// Tells it to end; closed when it has.
    cut: watch::Sender<bool>,
    /// How many associations have this name now.
    holders: usize,
    /// More than one had it: then it is nobody's.
    ambiguous: bool,
    /// What the peer may call the transfer in that is under way on it.
    receiving: Vec<TransferName>,
}

impl Associations {
    /// Enters a live one. If there is one of the same name, neither has it from now on.
    pub(super) fn enter(
        &mut self,
        connection: &SessionConnectionIdentifier,
        peer: Option<IpAddr>,
    ) -> watch::Receiver<bool> {
        self.broken.retain(|(broken, _, _)| broken != connection);
        if let Some(live) = self.live.get_mut(connection) {
            live.ambiguous = true;
            live.holders += 1;
            return live.cut.subscribe();
        }
        let (cut, receiver) = watch::channel(false);
        let live = Live { peer, cut, holders: 1, ambiguous: false, receiving: Vec::new() };
        self.live.insert(connection.clone(), live);
        receiver
    }

    pub(super) fn is_unique(&self, connection: &SessionConnectionIdentifier) -> bool {
        self.live.get(connection).is_some_and(|live| !live.ambiguous)
    }

    /// Whether one that is live has this name and is not the only one, or is another than the one called `own`.
    pub(super) fn is_of_another(
        &self,
        connection: &SessionConnectionIdentifier,
        own: &SessionConnectionIdentifier,
    ) -> bool {
        self.live.get(connection).is_some_and(|live| live.ambiguous || connection != own)
    }

    /// The transfer in that is under way on it now; no names if there is none.
    pub(super) fn receives(&mut self, connection: &SessionConnectionIdentifier, names: Vec<TransferName>) {
        let Some(live) = self.live.get_mut(connection).filter(|live| !live.ambiguous) else { return };
        let before = std::mem::replace(&mut live.receiving, names.clone());
        self.receive_no_more(connection, before);
        self.receiving.extend(names.into_iter().map(|name| (name, connection.clone())));
    }

    pub(super) fn leave(&mut self, connection: &SessionConnectionIdentifier) {
        if let Some(live) = self.live.get_mut(connection) {
            live.holders -= 1;
            if live.holders == 0
                && let Some(live) = self.live.remove(connection)
            {
                self.receive_no_more(connection, live.receiving);
            }
        }
    }

    fn receive_no_more(&mut self, connection: &SessionConnectionIdentifier, names: Vec<TransferName>) {
        for name in names {
            // Another one may have taken the name over.
            if self.receiving.get(&name) == Some(connection) {
                self.receiving.remove(&name);
            }
        }
    }

    /// A live one that a peer at this host may recover.
    pub(super) fn alive_from(
        &self,
        connection: &SessionConnectionIdentifier,
        host: IpAddr,
    ) -> Option<watch::Sender<bool>> {
        let live = self.live.get(connection)?;
        (live.peer == Some(host) && !live.ambiguous).then(|| live.cut.clone())
    }

    /// A live one on which this transfer is under way.
    pub(super) fn receiving(&self, name: &TransferName) -> Option<watch::Sender<bool>> {
        let live = self.live.get(self.receiving.get(name)?)?;
        (!live.ambiguous).then(|| live.cut.clone())
    }

    /// One has ended that may be recovered.
    pub(super) fn broken(
        &mut self,
        connection: SessionConnectionIdentifier,
        recoverable: Recoverable,
        until: MonoTime,
    ) {
        if self.broken.len() >= MOST_BROKEN {
            self.broken.pop_front();
        }
        self.broken.push_back((connection, recoverable, until));
    }

    /// Hands out, once, what the peer at this host may recover.
    pub(super) fn claim(
        &mut self,
        now: MonoTime,
        connection: &SessionConnectionIdentifier,
        host: IpAddr,
    ) -> Option<Recoverable> {
        let is_it = |(broken, recoverable, until): &(SessionConnectionIdentifier, Recoverable, MonoTime)| {
            broken == connection && recoverable.peer == host && now < *until
        };
        let position = self.broken.iter().position(is_it)?;
        self.broken.remove(position).map(|(_, recoverable, _)| recoverable)
    }

    pub(super) fn expire(&mut self, now: MonoTime) {
        self.broken.retain(|(_, _, until)| now < *until);
    }

    pub(super) fn forget_connector(&mut self, connector: &str) {
        self.broken.retain(|(_, recoverable, _)| recoverable.connector != connector);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

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

    fn recoverable() -> Recoverable {
        Recoverable { connector: "a".into(), peer: HOST, normal_mode: true }
    }

    #[test]
    fn a_broken_association_is_recovered_once_in_time_and_by_its_own_peer() {
        let mut table = Associations::default();
        table.broken(connection("x"), recoverable(), at(60));
        assert_eq!(table.claim(at(1), &connection("y"), HOST), None);
        assert_eq!(table.claim(at(1), &connection("x"), OTHER), None);
        assert_eq!(table.claim(at(60), &connection("x"), HOST), None);
        assert_eq!(table.claim(at(59), &connection("x"), HOST), Some(recoverable()));
        assert_eq!(table.claim(at(59), &connection("x"), HOST), None);
    }

    #[test]
    fn what_was_bound_under_other_settings_is_not_recovered() {
        let mut table = Associations::default();
        table.broken(connection("x"), recoverable(), at(60));
        table.forget_connector("b");
        assert_eq!(table.broken.len(), 1);
        table.forget_connector("a");
        assert_eq!(table.claim(at(1), &connection("x"), HOST), None);
    }

    fn name(connector: &str, of: &str, activity: u8) -> TransferName {
        TransferName {
            connector: connector.to_owned(),
            connection: connection(of),
            activity: vec![2, 1, activity],
        }
    }

    #[test]
    fn a_live_association_is_told_to_go_by_its_own_peer_only() {
        let mut table = Associations::default();
        let cut = table.enter(&connection("x"), Some(HOST));
        assert!(table.is_unique(&connection("x")));
        assert!(table.alive_from(&connection("x"), OTHER).is_none());
        table.alive_from(&connection("x"), HOST).unwrap().send_replace(true);
        assert!(*cut.borrow());
        // One that we opened is ours to recover.
        table.enter(&connection("y"), None);
        assert!(table.alive_from(&connection("y"), HOST).is_none());
    }

    #[test]
    fn a_live_association_goes_for_the_transfer_that_is_under_way_on_it_and_for_no_other() {
        let mut table = Associations::default();
        let cut = table.enter(&connection("x"), Some(HOST));
        table.enter(&connection("y"), Some(HOST));
        assert!(table.receiving(&name("a", "x", 1)).is_none(), "it has nothing to do with that");
        // It was resumed, and the peer may call it by what it was before.
        table.receives(&connection("x"), vec![name("a", "x", 2), name("a", "w", 1)]);
        for other in [name("b", "x", 2), name("a", "x", 1), name("a", "y", 2), name("b", "w", 1)] {
            assert!(table.receiving(&other).is_none(), "{other:?}");
        }
        assert!(table.receiving(&name("a", "x", 2)).is_some());
        table.receiving(&name("a", "w", 1)).unwrap().send_replace(true);
        assert!(*cut.borrow());
        table.receives(&connection("x"), Vec::new());
        assert!(table.receiving(&name("a", "w", 1)).is_none());
        table.receives(&connection("x"), vec![name("a", "x", 3)]);
        table.enter(&connection("x"), Some(HOST));
        assert!(table.receiving(&name("a", "x", 3)).is_none(), "a name that two have");
        table.leave(&connection("x"));
        table.leave(&connection("x"));
        table.leave(&connection("y"));
        assert_eq!((table.live.len(), table.receiving.len()), (0, 0));
    }

    #[test]
    fn a_transfer_that_went_on_elsewhere_is_not_lost_with_where_it_was() {
        let mut table = Associations::default();
        table.enter(&connection("x"), Some(HOST));
        let cut = table.enter(&connection("y"), Some(HOST));
        table.receives(&connection("x"), vec![name("a", "x", 1)]);
        table.receives(&connection("y"), vec![name("a", "y", 1), name("a", "x", 1)]);
        table.leave(&connection("x"));
        table.receiving(&name("a", "x", 1)).unwrap().send_replace(true);
        assert!(*cut.borrow());
    }

    #[test]
    fn a_name_is_of_another_if_one_lives_that_is_not_the_only_one_or_not_this_one() {
        let mut table = Associations::default();
        let (own, old) = (connection("own"), connection("old"));
        table.enter(&own, Some(HOST));
        assert!(!table.is_of_another(&own, &own));
        assert!(!table.is_of_another(&old, &own), "nobody has it now");
        table.enter(&old, Some(HOST));
        assert!(table.is_of_another(&old, &own));
        table.enter(&own, Some(HOST));
        assert!(table.is_of_another(&own, &own));
    }

    #[test]
    fn a_name_that_two_have_is_none() {
        let mut table = Associations::default();
        table.enter(&connection("x"), Some(HOST));
        table.enter(&connection("x"), Some(HOST));
        assert!(!table.is_unique(&connection("x")));
        table.leave(&connection("x"));
        assert!(!table.is_unique(&connection("x")), "the one that is left is not known for what it is");
        assert!(table.alive_from(&connection("x"), HOST).is_none());
        table.leave(&connection("x"));
        table.enter(&connection("x"), Some(HOST));
        assert!(table.is_unique(&connection("x")));
        // Nor is one that was recoverable before it was used again.
        table.broken(connection("z"), recoverable(), at(60));
        table.enter(&connection("z"), Some(HOST));
        assert_eq!(table.claim(at(1), &connection("z"), HOST), None);
    }

    #[test]
    fn broken_associations_are_remembered_within_bounds_and_time() {
        let mut table = Associations::default();
        for n in 0..3_000 {
            table.broken(connection(&n.to_string()), recoverable(), at(60));
        }
        assert_eq!(table.broken.len(), MOST_BROKEN);
        assert_eq!(table.claim(at(1), &connection("2999"), HOST), Some(recoverable()));
        table.expire(at(60));
        assert_eq!(table.broken.len(), 0);
    }
}
