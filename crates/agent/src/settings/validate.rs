//! Finds everything that is wrong with the settings, not just the first thing.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use super::{
    Activation, AgentSettings, ConnectorSettings, MtaSettings, Secret, Selectors, ServedSelectors, split_host,
};

/// Most hosts of one connector.
const MAX_HOSTS: usize = 32;
/// Most further names of one peer.
const MAX_ALIASES: usize = 32;
/// Most addresses of our own.
const MAX_SERVED: usize = 64;
/// Most address spaces of one connector, or of the MTA.
pub(super) const MAX_ADDRESS_SPACES: usize = 4096;
/// Longest password; the bound of X.411 is 62 octets, peers are known to take 64.
const MAX_PASSWORD: usize = 64;
/// Longest connector name: it is part of keys.
const MAX_CONNECTOR_NAME: usize = 64;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// Where, in the words of the configuration file: `connector[1].hosts[0]`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What the operator can do about it.
    pub remedy: String,
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.problem, self.remedy)
    }
}

pub(super) struct Problems(Vec<SettingsProblem>);

impl Problems {
    pub(super) fn add(
        &mut self,
        path: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(SettingsProblem { path: path.into(), problem: problem.into(), remedy: remedy.into() });
    }

    fn range(&mut self, path: impl Into<String>, value: impl Into<u64>, low: u64, high: u64) {
        let value = value.into();
        if value < low || value > high {
            self.add(path, format!("{value} is out of range"), format!("use a value from {low} to {high}"));
        }
    }

    fn password(&mut self, path: impl Into<String>, password: Option<&Secret>) {
        let Some(password) = password else { return };
        let path = path.into();
        if password.expose().is_empty() {
            self.add(&path, "the password is empty", "leave the setting out for no password");
        }
        let length = password.expose().chars().count();
        if length > MAX_PASSWORD {
            self.add(
                &path,
                format!("the password has {length} characters"),
                format!("use at most {MAX_PASSWORD} characters"),
            );
        }
        // Bind passwords travel as IA5String.
        if !password.expose().is_ascii() {
            self.add(&path, "the password has characters outside IA5", "use ASCII characters only");
        }
    }
}

pub(super) fn problems(settings: &AgentSettings) -> Vec<SettingsProblem> {
    let mut found = Problems(Vec::new());
    mta(&settings.mta, &mut found);
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, settings) in settings.connectors.iter().enumerate() {
        connector(index, settings, &mut found);
        if let Some(first) = names.get(settings.name.as_str()) {
            found.add(
                format!("connector[{index}].name"),
                format!("`{}` is the name of connector[{first}] already", settings.name),
                "give every connector a name of its own",
            );
        } else {
            names.insert(&settings.name, index);
        }
    }
    peers(&settings.connectors, &mut found);
    super::validate_restrictions::all(settings, &mut found);
    super::validate_recipients::lists(settings, &mut found);
    super::validate_recipients::redirections(settings, &mut found);
    found.0
}

fn mta(settings: &MtaSettings, found: &mut Problems) {
    found.password("mta.password", settings.password.as_ref());
    if let Err(error) = settings.domain.validate() {
        found.add("mta.domain", error.to_string(), "correct the global domain identifier");
    }
    if let Some(limit) = settings.message_size_limit_kb {
        found.range("mta.message_size_limit_kb", limit, 1, u64::MAX / 1024);
    }
    found.range("mta.message_timeout.urgent_min", settings.message_timeout.urgent_min, 1, 65_536);
    found.range("mta.message_timeout.normal_min", settings.message_timeout.normal_min, 1, 65_536);
    found.range("mta.message_timeout.non_urgent_min", settings.message_timeout.non_urgent_min, 1, 65_536);
    found.range("mta.hop_limit", settings.hop_limit, 1, MtaSettings::DEFAULT_HOP_LIMIT.into());
    found.range("mta.duplicate_history_days", settings.duplicate_history_days, 1, 365);
    found.range("mta.tracking_days", settings.tracking_days, 0, 365);
    found.range("mta.tracking_entries", settings.tracking_entries, 1_000, 100_000_000);
    found.range("mta.max_recipients", settings.max_recipients, 1, MtaSettings::DEFAULT_MAX_RECIPIENTS.into());
    served(&settings.served_selectors, found);
    found.range("mta.return_content_kb", settings.return_content_kb, 0, 1024);
    if settings.local.len() > MAX_ADDRESS_SPACES {
        found.add("mta.local", "too many address spaces", format!("use at most {MAX_ADDRESS_SPACES}"));
    }
    for (index, mailbox) in settings.mailboxes.iter().flatten().enumerate() {
        if !settings.local.iter().any(|space| space.matches(mailbox).is_some()) {
            found.add(
                format!("mta.mailboxes[{index}]"),
                format!("`{mailbox}` is in none of the local address spaces"),
                "add its address space to mta.local or remove the mailbox",
            );
        }
    }
}

fn connector(index: usize, settings: &ConnectorSettings, found: &mut Problems) {
    let at = |field: &str| format!("connector[{index}].{field}");
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if settings.name.is_empty()
        || settings.name.len() > MAX_CONNECTOR_NAME
        || !settings.name.chars().all(legal)
    {
        found.add(
            at("name"),
            format!("`{}` is not a connector name", settings.name.escape_default()),
            format!("use 1 to {MAX_CONNECTOR_NAME} letters, digits, `.`, `_` or `-`"),
        );
    }
    found.password(at("remote_password"), settings.remote_password.as_ref());
    found.password(at("local_password"), settings.local_password.as_ref());
    aliases(index, settings, found);
    hosts(index, settings, found);
    local_address(index, settings, found);
    selectors(&at("called_selectors"), &settings.called_selectors, found);
    selectors(&at("calling_selectors"), &settings.calling_selectors, found);
    let tpdu_size = settings.form.tpdu_size;
    if !(128..=8192).contains(&tpdu_size) || !tpdu_size.is_power_of_two() {
        found.add(
            at("form.tpdu_size"),
            format!("{tpdu_size} is no TPDU size"),
            "use 128, 256, 512, 1024, 2048, 4096 or 8192",
        );
    }
    if settings.address_space.len() > MAX_ADDRESS_SPACES {
        found.add(
            at("address_space"),
            "too many address spaces",
            format!("use at most {MAX_ADDRESS_SPACES}"),
        );
    }
    for (entry, space) in settings.address_space.iter().enumerate() {
        found.range(at(&format!("address_space[{entry}].cost")), space.cost, 1, 100);
    }
    if settings.activation == Activation::RemoteInitiated && !settings.two_way_alternate {
        found.add(
            at("activation"),
            "a remote-initiated connector can send only when the peer passes the turn",
            "set two_way_alternate = true here and at the peer, or use another activation",
        );
    }
    schedule(index, settings, found);
    if let Some(domain) = &settings.remote_domain
        && let Err(error) = domain.validate()
    {
        found.add(at("remote_domain"), error.to_string(), "correct the global domain identifier of the peer");
    }
    if let Some(limit) = settings.max_message_size_kb {
        found.range(at("max_message_size_kb"), limit, 1, u64::MAX / 1024);
    }
    numbers(index, settings, found);
}

fn schedule(index: usize, settings: &ConnectorSettings, found: &mut Problems) {
    let at = |field: &str| format!("connector[{index}].{field}");
    match settings.activation {
        Activation::SelectedTimes(times) if times.is_empty() => found.add(
            at("selected_times"),
            "no time is selected",
            "name times as in \"Mon-Fri 08:00-18:00\", or set activation to never",
        ),
        Activation::SelectedTimes(_) => {}
        Activation::Always | Activation::Never | Activation::RemoteInitiated
            if settings.urgent_ignores_schedule =>
        {
            found.add(
                at("urgent_ignores_schedule"),
                "there is no schedule to be ignored",
                "set activation to selected-times, or leave the setting out",
            );
        }
        Activation::Always | Activation::Never | Activation::RemoteInitiated => {}
    }
}

fn hosts(index: usize, settings: &ConnectorSettings, found: &mut Problems) {
    let path = format!("connector[{index}].hosts");
    if settings.hosts.is_empty() {
        match settings.activation {
            Activation::Always | Activation::SelectedTimes(_) => found.add(
                path,
                "there is no host to connect to",
                "name at least one `host` or `host:port`, or set activation to never or remote-initiated",
            ),
            Activation::Never | Activation::RemoteInitiated => {}
        }
        return;
    }
    if settings.hosts.len() > MAX_HOSTS {
        found.add(
            &path,
            format!("there are {} hosts", settings.hosts.len()),
            format!("use at most {MAX_HOSTS}"),
        );
    }
    for (host, text) in settings.hosts.iter().enumerate() {
        if let Err(error) = split_host(text) {
            found.add(
                format!("{path}[{host}]"),
                error.to_string(),
                "write `host`, `host:port` or `[IPv6]:port`",
            );
        }
    }
}

fn local_address(index: usize, settings: &ConnectorSettings, found: &mut Problems) {
    let Some(address) = settings.local_address else { return };
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || is_broadcast {
        found.add(
            format!("connector[{index}].local_address"),
            format!("`{address}` is no address of one machine"),
            "name an address of this machine, or leave the setting out and the system chooses",
        );
    }
    // Whether a name has addresses of this family is known when it is resolved.
    let hosts = settings.hosts.iter().filter_map(|host| split_host(host).ok());
    let known: Vec<Option<IpAddr>> = hosts.map(|(host, _)| host_address(host)).collect();
    let is_other = |host: &Option<IpAddr>| host.is_some_and(|host| host.is_ipv4() != address.is_ipv4());
    if !known.is_empty() && known.iter().all(is_other) {
        found.add(
            format!("connector[{index}].local_address"),
            format!("none of the hosts can be reached from `{address}`: all are of the other address family"),
            "name an address of this machine that is of the family of the hosts",
        );
    }
}

/// The address that a host is, if it is no name; of one in a zone, the address without it.
fn host_address(host: &str) -> Option<IpAddr> {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn aliases(index: usize, settings: &ConnectorSettings, found: &mut Problems) {
    let path = format!("connector[{index}].remote_mta_aliases");
    if settings.remote_mta_aliases.len() > MAX_ALIASES {
        found.add(&path, "too many names", format!("use at most {MAX_ALIASES}"));
    }
    for (n, alias) in settings.remote_mta_aliases.iter().enumerate() {
        if settings.peer_names().take(n + 1).any(|earlier| earlier == alias) {
            found.add(format!("{path}[{n}]"), format!("`{alias}` is named twice"), "remove one");
        }
    }
}

fn selectors(path: &str, selectors: &Selectors, found: &mut Problems) {
    for (name, value) in ["transport", "session", "presentation"].into_iter().zip(selectors.each()) {
        selector(path, name, value, found);
    }
}

fn selector(path: &str, name: &str, value: &[u8], found: &mut Problems) {
    let limit = if name == "transport" { 32 } else { 16 };
    if value.len() > limit {
        found.add(
            format!("{path}.{name}"),
            format!("the selector has {} octets", value.len()),
            format!("use at most {limit} octets"),
        );
    }
}

fn served(served: &[ServedSelectors], found: &mut Problems) {
    if served.len() > MAX_SERVED {
        found.add("listen.selectors", "too many addresses", format!("use at most {MAX_SERVED}"));
    }
    for (n, address) in served.iter().enumerate() {
        let path = format!("listen.selectors[{n}]");
        if *address == ServedSelectors::default() {
            found.add(
                &path,
                "an address without any selector takes every call, whatever else is listed",
                "name a selector, or leave listen.selectors out",
            );
        }
        for (name, value) in [
            ("transport", &address.transport),
            ("session", &address.session),
            ("presentation", &address.presentation),
        ] {
            selector(&path, name, value.as_deref().unwrap_or_default(), found);
        }
    }
}

fn numbers(index: usize, settings: &ConnectorSettings, found: &mut Problems) {
    const DAY_S: u64 = 86_400;
    let mut check = |field: &str, value: u32, low: u64, high: u64| {
        found.range(format!("connector[{index}].{field}"), value, low, high);
    };
    check("rts.checkpoint_size_kb", settings.rts.checkpoint_size_kb, 0, 65_535);
    check("rts.recovery_timeout_s", settings.rts.recovery_timeout_s, 0, DAY_S);
    check("rts.window_size", settings.rts.window_size, 1, 255);
    check("retry.max_open_retries", settings.retry.max_open_retries, 1, 10_000);
    check("retry.max_transfer_retries", settings.retry.max_transfer_retries, 0, 100);
    check("retry.open_interval_s", settings.retry.open_interval_s, 1, DAY_S);
    check("retry.transfer_interval_s", settings.retry.transfer_interval_s, 0, DAY_S);
    check("association.lifetime_s", settings.association.lifetime_s, 0, DAY_S);
    check("association.disconnect_s", settings.association.disconnect_s, 1, 3_600);
    check("association.threshold_messages", settings.association.threshold_messages, 1, 100_000);
    check("association.max_associations", settings.association.max_associations, 1, 100);
    check("hold.until_kb", settings.hold.until_kb, 0, 1_000_000);
    check("hold.until_messages", settings.hold.until_messages, 0, 4_000);
    check("transfer_timeout.urgent_s_per_kb", settings.transfer_timeout.urgent_s_per_kb, 1, 100_000);
    check("transfer_timeout.normal_s_per_kb", settings.transfer_timeout.normal_s_per_kb, 1, 100_000);
    check("transfer_timeout.non_urgent_s_per_kb", settings.transfer_timeout.non_urgent_s_per_kb, 1, 100_000);
}

/// An association that a peer opens has to belong to exactly one connector. Connectors with a peer's name in common
/// are told apart by selectors, so they can't have the same.
fn peers(connectors: &[ConnectorSettings], found: &mut Problems) {
    for (index, later) in connectors.iter().enumerate() {
        let same = |earlier: &&ConnectorSettings| {
            earlier.shared_name(later).is_some()
                && earlier.calling_selectors == later.calling_selectors
                && earlier.called_selectors == later.called_selectors
        };
        let Some(earlier) = connectors.iter().take(index).find(same) else { continue };
        let Some(name) = earlier.shared_name(later) else { continue };
        found.add(
            format!("connector[{index}].remote_mta"),
            format!(
                "connectors `{}` and `{}` are both to `{name}` with the same selectors, so an association that this \
                 peer opens could belong to either",
                earlier.name, later.name
            ),
            "give one of them other called_selectors or calling_selectors, or list the hosts of both in one connector",
        );
    }
}
