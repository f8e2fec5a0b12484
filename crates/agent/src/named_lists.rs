//! Distribution lists that stand for their members where originators are accepted or refused.
//!
//! They are expanded once, when the settings are taken over, so that a check costs one look-up however many members
//! there are. A member is kept as a part of a digest: what is remembered grows by a few octets with each. Lists inside
//! a list count with their members if they are expanded here; lists that contain each other are no trouble.

use std::collections::{HashMap, HashSet};

use mhs::{AddressPattern, OrAddress};
use sha2::{Digest, Sha256};

use crate::settings::AgentSettings;

/// As many octets of a digest as nobody finds a second address for.
type Member = [u8; 16];

/// Members of the lists that restrictions name.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedLists(Vec<(AddressPattern, HashSet<Member>)>);

impl NamedLists {
    /// The lists that restrictions of links and mailboxes name by their addresses.
    pub(crate) fn of(settings: &AgentSettings) -> Self {
        let mut found = NamedLists::default();
        let mut places = None;
        for (pattern, index) in named(settings) {
            if found.0.iter().any(|(known, _)| known == pattern) {
                continue;
            }
            let places = places.get_or_insert_with(|| places_of(settings));
            found.0.push((pattern.clone(), members(settings, places, index)));
        }
        found
    }

    /// Whether a pattern is the address of a list with this member.
    pub(crate) fn has(&self, pattern: &AddressPattern, address: &OrAddress) -> bool {
        let list = self.0.iter().find(|(known, _)| known == pattern);
        list.is_some_and(|(_, members)| members.contains(&member(&address.canonical_key())))
    }
}

/// Addresses of lists among those who are accepted or refused, with the place of the list.
pub(crate) fn named(settings: &AgentSettings) -> impl Iterator<Item = (&AddressPattern, usize)> {
    let links = settings.connectors.iter().map(|connector| &connector.restrictions.originators);
    let mailboxes = settings.restrictions.iter().map(|restriction| &restriction.originators);
    let patterns = links.chain(mailboxes).flat_map(|originators| originators.named());
    let mut addresses = None;
    patterns.filter_map(move |pattern| {
        let addresses: &mut HashMap<String, usize> = addresses.get_or_insert_with(|| {
            let lists = settings.lists.iter().enumerate();
            // A postal address is no pattern, and nobody names it.
            let as_patterns = lists.filter_map(|(index, list)| {
                let pattern: AddressPattern = list.address.to_string().parse().ok()?;
                Some((pattern.to_string(), index))
            });
            as_patterns.collect()
        });
        if addresses.is_empty() {
            return None;
        }
        addresses.get(&pattern.to_string()).map(|index| (pattern, *index))
    })
}

fn places_of(settings: &AgentSettings) -> HashMap<String, usize> {
    let lists = settings.lists.iter().enumerate();
    lists.map(|(index, list)| (list.address.canonical_key(), index)).collect()
}

/// Members of a list and of the lists inside it.
fn members(settings: &AgentSettings, places: &HashMap<String, usize>, first: usize) -> HashSet<Member> {
    let mut all = HashSet::new();
    let mut seen = HashSet::from([first]);
    let mut waiting = vec![first];
    while let Some(index) = waiting.pop() {
        let Some(list) = settings.lists.get(index) else { continue };
        for name in list.members.iter() {
            let key = name.address().canonical_key();
            if let Some(&inner) = places.get(&key)
                && seen.insert(inner)
            {
                waiting.push(inner);
            }
            all.insert(member(&key));
        }
    }
    all
}

fn member(canonical_key: &str) -> Member {
    let digest: [u8; 32] = Sha256::digest(canonical_key.as_bytes()).into();
    digest.first_chunk().copied().unwrap_or_default()
}
