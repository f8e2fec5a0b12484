//! What can be wrong with distribution lists, redirections and the dead letter mailbox.

use std::collections::{HashMap, HashSet};

use mhs::OrAddress;

use super::validate::{MAX_ADDRESS_SPACES, Problems};
use super::{AgentSettings, DistributionList, Members, RedirectFrom};

/// Most distribution lists.
const MAX_LISTS: usize = 4096;
/// Most redirections.
const MAX_REDIRECTIONS: usize = 100_000;
/// Most redirections by pattern: each is compared with every recipient.
const MAX_REDIRECTION_PATTERNS: usize = 256;

pub(super) fn lists(settings: &AgentSettings, found: &mut Problems) {
    if settings.lists.len() > MAX_LISTS {
        found.add("distribution_list", "too many distribution lists", format!("use at most {MAX_LISTS}"));
    }
    let mailboxes = settings.mta.mailboxes.iter().flatten().map(OrAddress::canonical_key);
    let mailboxes: HashSet<String> = mailboxes.collect();
    let mut addresses = HashMap::new();
    for (index, list) in settings.lists.iter().enumerate() {
        let path = format!("distribution_list[{index}].address");
        usable(&path, &list.address, found);
        let key = list.address.canonical_key();
        if mailboxes.contains(&key) {
            found.add(
                &path,
                "it is a mailbox, too",
                "take it out of mta.mailboxes or choose another address",
            );
        }
        if let Some(first) = addresses.insert(key, index) {
            found.add(
                path,
                format!("it is the address of distribution_list[{first}] already"),
                "give every list an address of its own",
            );
        }
    }
    for (index, list) in settings.lists.iter().enumerate() {
        members(index, list, found);
        owner(index, list, &addresses, found);
    }
}

fn members(index: usize, list: &DistributionList, found: &mut Problems) {
    let path = format!("distribution_list[{index}].members");
    let (count, octets) = (list.members.len(), list.members.octets());
    if count == 0 {
        found.add(&path, "there is no member", "name at least one address");
    }
    if count > Members::MAX || octets > Members::MAX_OCTETS {
        let limits = (Members::MAX, Members::MAX_OCTETS >> 20);
        found.add(
            &path,
            format!("there are {count} members, who take {octets} octets"),
            format!("use at most {} members and {} MB; a member may be a list itself", limits.0, limits.1),
        );
    }
    if list.submit.as_ref().is_some_and(|patterns| patterns.len() > MAX_ADDRESS_SPACES) {
        found.add(
            format!("distribution_list[{index}].submit"),
            "too many patterns",
            format!("use at most {MAX_ADDRESS_SPACES}"),
        );
    }
}

fn owner(index: usize, list: &DistributionList, lists: &HashMap<String, usize>, found: &mut Problems) {
    let path = format!("distribution_list[{index}].owner");
    match &list.owner {
        Some(owner) => {
            usable(&path, owner, found);
            // Reports are for one reader: a list would send them to its members or to its own owner.
            if lists.contains_key(&owner.canonical_key()) {
                found.add(path, "the owner is a distribution list", "name a mailbox");
            }
        }
        None if list.reports_to_owner => {
            found.add(path, "reports go to the owner and there is none", "name the owner");
        }
        None => {}
    }
}

pub(super) fn redirections(settings: &AgentSettings, found: &mut Problems) {
    if settings.redirections.len() > MAX_REDIRECTIONS {
        found.add("redirection", "too many redirections", format!("use at most {MAX_REDIRECTIONS}"));
    }
    let mut addresses = HashMap::new();
    let mut patterns = 0;
    for (index, redirect) in settings.redirections.iter().enumerate() {
        usable(&format!("redirection[{index}].to"), &redirect.to, found);
        let class = &redirect.class;
        for (name, is_empty) in [
            ("priorities", class.priorities.as_ref().is_some_and(Vec::is_empty)),
            ("content_types", class.content_types.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                let path = format!("redirection[{index}].{name}");
                found.add(path, "nothing is redirected", "leave the setting out to redirect all");
            }
        }
        match &redirect.from {
            RedirectFrom::Address(from) => {
                let path = format!("redirection[{index}].address");
                if from.canonical_key() == redirect.to.canonical_key() {
                    found.add(&path, "it is redirected to itself", "name another recipient in `to`");
                }
                // Behind one that takes everything no other is ever looked at.
                let key = from.canonical_key();
                if let Some(first) = addresses.get(&key) {
                    found.add(path, format!("redirection[{first}] redirects it already"), "keep one of them");
                } else if redirect.class.is_all() {
                    addresses.insert(key, index);
                }
            }
            RedirectFrom::Pattern(_) => patterns += 1,
        }
    }
    if patterns > MAX_REDIRECTION_PATTERNS {
        found.add(
            "redirection",
            format!("there are {patterns} redirections by pattern"),
            format!("use at most {MAX_REDIRECTION_PATTERNS}"),
        );
    }
    let mta = &settings.mta;
    if let Some(address) = &mta.dead_letter {
        usable("mta.dead_letter", address, found);
        let is_local = mta.local.iter().any(|space| space.matches(address).is_some());
        let mailboxes = mta.mailboxes.as_ref();
        let key = address.canonical_key();
        let is_mailbox =
            mailboxes.is_none_or(|list| list.iter().any(|mailbox| mailbox.canonical_key() == key));
        if is_local && !is_mailbox {
            found.add("mta.dead_letter", "there is no such mailbox", "add it to mta.mailboxes");
        }
    }
}

fn usable(path: &str, address: &OrAddress, found: &mut Problems) {
    for problem in address.validate_for_submission().err().unwrap_or_default() {
        found.add(path, format!("`{address}`: {problem}"), "write a complete O/R address");
    }
}
