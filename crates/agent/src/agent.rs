//! The agent: settings and what follows from them. Its decisions are in the modules named after them.

use std::collections::{HashMap, HashSet};

use clock::WallTime;
use mhs::{MtsIdentifier, OrAddress};
use sha2::{Digest, Sha256};

use crate::effect::Sequence;
use crate::named_lists::NamedLists;
use crate::settings::{
    AgentSettings, ConnectorSettings, DistributionList, Originators, RedirectFrom, RedirectionClass,
    SettingsProblem,
};
use crate::spaces::Spaces;

/// Decides what happens to messages, reports and probes. Immutable: changed settings make a new one.
#[derive(Clone, Debug)]
pub struct Agent {
    settings: AgentSettings,
    /// Canonical keys of the mailboxes, if they are listed.
    mailboxes: Option<HashSet<String>>,
    /// Places of the distribution lists in the settings, by canonical key.
    lists: HashMap<String, usize>,
    /// Places of the redirections of single addresses, by canonical key; of each in the order of the file.
    redirected: HashMap<String, Vec<usize>>,
    /// Places of the redirections by pattern, in the order of the file.
    redirected_patterns: Vec<usize>,
    /// Lists that stand for their members where originators are named.
    named_lists: NamedLists,
    /// The connectors that an address may concern.
    spaces: Spaces,
}

/// ub-local-id-length.
const LOCAL_IDENTIFIER: usize = 32;

impl Agent {
    /// An agent with these settings.
    ///
    /// # Errors
    /// Every problem that [`AgentSettings::validate`] finds.
    pub fn new(settings: AgentSettings) -> Result<Agent, Vec<SettingsProblem>> {
        let problems = settings.validate();
        if !problems.is_empty() {
            return Err(problems);
        }
        let keys = |mailboxes: &Vec<OrAddress>| mailboxes.iter().map(OrAddress::canonical_key).collect();
        let mailboxes = settings.mta.mailboxes.as_ref().map(keys);
        let lists = settings.lists.iter().enumerate();
        let lists = lists.map(|(index, list)| (list.address.canonical_key(), index)).collect();
        let named_lists = NamedLists::of(&settings);
        let mut redirected: HashMap<String, Vec<usize>> = HashMap::new();
        let mut redirected_patterns = Vec::new();
        for (index, redirect) in settings.redirections.iter().enumerate() {
            match &redirect.from {
                RedirectFrom::Address(from) => {
                    redirected.entry(from.canonical_key()).or_default().push(index);
                }
                RedirectFrom::Pattern(_) => redirected_patterns.push(index),
            }
        }
        let spaces = Spaces::of(&settings.connectors);
        Ok(Agent { settings, mailboxes, lists, redirected, redirected_patterns, named_lists, spaces })
    }

    /// What it was made with.
    pub fn settings(&self) -> &AgentSettings {
        &self.settings
    }

    /// The connectors of which an address space may match the address, in the order of the file.
    pub(crate) fn concerned(&self, address: &OrAddress) -> impl Iterator<Item = &ConnectorSettings> {
        self.spaces.concerned(address).into_iter().filter_map(|place| self.settings.connectors.get(place))
    }

    /// Whether an address of the local address spaces is a mailbox, by its canonical key.
    pub(crate) fn is_mailbox(&self, canonical_key: &str) -> bool {
        self.mailboxes.as_ref().is_none_or(|keys| keys.contains(canonical_key))
    }

    /// The distribution list with this address, if it is expanded here.
    pub(crate) fn list(&self, address: &OrAddress) -> Option<&DistributionList> {
        if self.lists.is_empty() {
            return None;
        }
        self.settings.lists.get(*self.lists.get(&address.canonical_key())?)
    }

    /// Who is to receive in place of this address, by the first redirection of the settings whose class is `taken`.
    pub(crate) fn assigned_alternate(
        &self,
        address: &OrAddress,
        mut taken: impl FnMut(&RedirectionClass) -> bool,
    ) -> Option<&OrAddress> {
        if self.settings.redirections.is_empty() {
            return None;
        }
        let key = address.canonical_key();
        let own = self.redirected.get(&key).into_iter().flatten();
        let mut redirections = own.chain(&self.redirected_patterns).filter_map(|&index| {
            let redirect = self.settings.redirections.get(index)?;
            let matches = match &redirect.from {
                RedirectFrom::Pattern(pattern) => pattern.matches(address).is_some(),
                RedirectFrom::Address(_) => true,
            };
            matches.then_some(redirect)
        });
        let first = redirections.find(|redirect| taken(&redirect.class))?;
        // A pattern may well match the one who stands in for the others.
        Some(&first.to).filter(|to| to.canonical_key() != key)
    }

    /// Whether these restrictions accept this originator, himself or as a member of a list.
    pub(crate) fn accepts(&self, originators: &Originators, originator: &OrAddress) -> bool {
        originators.include_if(|pattern| {
            pattern.matches(originator).is_some() || self.named_lists.has(pattern, originator)
        })
    }

    /// A new MTS-identifier, in the form MTA-yymmddhhmmssZ-number that operators know. The number alone makes it
    /// unique for this MTA, so a name too long for the rest is shortened, with a few digits of its digest.
    pub(crate) fn new_identifier(&self, now: WallTime, sequence: &dyn Sequence) -> MtsIdentifier {
        let time = now.civil();
        let tail = format!(
            "-{:02}{:02}{:02}{:02}{:02}{:02}Z-{:x}",
            time.year % 100,
            time.month,
            time.day,
            time.hour,
            time.minute,
            time.second,
            sequence.next()
        );
        let name = self.settings.mta.name.as_str();
        let room = LOCAL_IDENTIFIER.saturating_sub(tail.len());
        let head = if name.len() <= room {
            name.to_owned()
        } else {
            let digest = Sha256::digest(name.as_bytes());
            let digits: String = digest.iter().take(2).map(|octet| format!("{octet:02x}")).collect();
            let kept = name.chars().take(room.saturating_sub(digits.len()));
            kept.chain(digits.chars()).take(room).collect()
        };
        MtsIdentifier { domain: self.settings.mta.domain.clone(), local: format!("{head}{tail}") }
    }
}
