//! What can be wrong with restrictions: of links, of relaying and of mailboxes.

use crate::named_lists;

use super::validate::{MAX_ADDRESS_SPACES, Problems};
use super::{AgentSettings, ConnectorSettings, Originators, RelayTo};

/// Most restrictions of mailboxes: each is compared with every recipient.
const MAX_DELIVERY_RESTRICTIONS: usize = 256;
/// Most distribution lists that stand for their members.
const MAX_NAMED_LISTS: usize = 64;

pub(super) fn all(settings: &AgentSettings, found: &mut Problems) {
    for (index, connector) in settings.connectors.iter().enumerate() {
        relay(index, connector, settings, found);
        link(index, connector, found);
    }
    let mut lists: Vec<usize> = named_lists::named(settings).map(|(_, list)| list).collect();
    lists.sort_unstable();
    lists.dedup();
    if lists.len() > MAX_NAMED_LISTS {
        found.add(
            "distribution_list",
            format!("{} lists are named in accept_from and refuse_from", lists.len()),
            format!("name at most {MAX_NAMED_LISTS}: their members are held in memory once more"),
        );
    }
    if settings.restrictions.len() > MAX_DELIVERY_RESTRICTIONS {
        let count = settings.restrictions.len();
        found.add(
            "delivery_restriction",
            format!("there are {count} restrictions"),
            format!("use at most {MAX_DELIVERY_RESTRICTIONS}"),
        );
    }
    for (index, restriction) in settings.restrictions.iter().enumerate() {
        originators(&format!("delivery_restriction[{index}]"), &restriction.originators, found);
    }
}

fn relay(index: usize, connector: &ConnectorSettings, settings: &AgentSettings, found: &mut Problems) {
    let RelayTo::Connectors(names) = &connector.relay_to else { return };
    for (entry, name) in names.iter().enumerate() {
        if settings.connector(name).is_none() {
            found.add(
                format!("connector[{index}].relay_to[{entry}]"),
                format!("there is no connector `{}`", name.escape_default()),
                "name a connector of this file, or \"*\" alone for all of them",
            );
        }
    }
}

fn link(index: usize, connector: &ConnectorSettings, found: &mut Problems) {
    let path = format!("connector[{index}].restrictions");
    let restrictions = &connector.restrictions;
    originators(&path, &restrictions.originators, found);
    if restrictions.barred.len() > MAX_ADDRESS_SPACES {
        found.add(format!("{path}.barred"), "too many patterns", format!("use at most {MAX_ADDRESS_SPACES}"));
    }
    for (name, is_empty) in [
        ("priorities", restrictions.priorities.as_ref().is_some_and(Vec::is_empty)),
        ("kinds", restrictions.kinds.as_ref().is_some_and(Vec::is_empty)),
        ("content_types", restrictions.content_types.as_ref().is_some_and(Vec::is_empty)),
    ] {
        if is_empty {
            found.add(format!("{path}.{name}"), "nothing is allowed", "leave the setting out to allow all");
        }
    }
}

fn originators(path: &str, originators: &Originators, found: &mut Problems) {
    for (name, count) in [
        ("accept_from", originators.accept.as_ref().map_or(0, Vec::len)),
        ("refuse_from", originators.refuse.len()),
    ] {
        if count > MAX_ADDRESS_SPACES {
            found.add(
                format!("{path}.{name}"),
                "too many patterns",
                format!("use at most {MAX_ADDRESS_SPACES}"),
            );
        }
    }
}
