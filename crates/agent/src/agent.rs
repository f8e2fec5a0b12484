//! The agent: settings and what follows from them. Its decisions are in the modules named after them.

use std::collections::HashSet;

use clock::WallTime;
use mhs::{MtsIdentifier, OrAddress};
use sha2::{Digest, Sha256};

use crate::effect::Sequence;
use crate::settings::{AgentSettings, SettingsProblem};

/// Decides what happens to messages, reports and probes. Immutable: changed settings make a new one.
#[derive(Clone, Debug)]
pub struct Agent {
    settings: AgentSettings,
    /// Canonical keys of the mailboxes, if they are listed.
    mailboxes: Option<HashSet<String>>,
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
        Ok(Agent { settings, mailboxes })
    }

    /// What it was made with.
    pub fn settings(&self) -> &AgentSettings {
        &self.settings
    }

    /// Whether an address of the local address spaces is a mailbox, by its canonical key.
    pub(crate) fn is_mailbox(&self, canonical_key: &str) -> bool {
        self.mailboxes.as_ref().is_none_or(|keys| keys.contains(canonical_key))
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
