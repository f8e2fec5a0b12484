//! `[listen]`: where peers and administrators reach the program.

use std::net::{IpAddr, SocketAddr};

use agent::settings::{ServedSelectors, split_host};

use super::section::{Section, Text};
use super::{Listen, selectors, tls, tokens};

/// Requests that one token may make in a second, if nothing else is said.
const REQUESTS_PER_S: u32 = 100;

impl Listen {
    /// No listener at all: an MTA which only opens associations itself and has no API.
    pub(crate) fn nothing() -> Listen {
        Listen {
            p1: Vec::new(),
            api: None,
            api_tokens: Vec::new(),
            api_tls: None,
            api_requests_per_s: REQUESTS_PER_S,
        }
    }
}

/// The listeners, and the selectors that peers have to call on them.
pub(super) fn read(mut section: Section<'_>) -> (Listen, Vec<ServedSelectors>) {
    let mut p1 = Vec::new();
    for text in section.strings("p1").unwrap_or_default() {
        if let Some(address) = address(&section, &text) {
            // Port 0 is the system's choice and so never the same twice.
            if address.port() != 0 && p1.contains(&address) {
                section.problems().wrong(text.at, format!("`{}` is listed twice", text.value), "remove one");
            } else {
                p1.push(address);
            }
        }
    }
    let api_text = section.string("api");
    let api = api_text.as_ref().and_then(|text| address(&section, text));
    let api_tokens = tokens::read(&mut section);
    let api_tls = tls::read(&mut section);
    let without_tls = section.boolean("api_without_tls", false);
    if let (Some(text), Some(address)) = (&api_text, api)
        && !address.ip().to_canonical().is_loopback()
    {
        let no_tls = !section.has("api_tls_certificate_file") && !section.has("api_tls_key_file");
        let tls = "api_tls_certificate_file and api_tls_key_file (or api_without_tls = true if something in front of it \
                   speaks TLS)";
        if !section.has("api_token_file") && !section.has("api_tokens") {
            section.problems().wrong(
                text.at,
                format!("the API would be open to everyone who can reach {address}"),
                format!("add api_token_file = \"FILE\" with a secret, or api_tokens, and {tls}; or listen on 127.0.0.1"),
            );
        } else if no_tls && !without_tls {
            section.problems().wrong(
                text.at,
                format!("tokens and mail would cross the network to {address} in the clear"),
                format!("add {tls}, or listen on 127.0.0.1"),
            );
        }
    }
    let api_requests_per_s = section.number_in("api_requests_per_s", 1..=10_000);
    let api_requests_per_s =
        api_requests_per_s.and_then(|number| u32::try_from(number).ok()).unwrap_or(REQUESTS_PER_S);
    let served = section.sections("selectors").into_iter().map(selectors::read_served).collect();
    section.finish();
    (Listen { p1, api, api_tokens, api_tls, api_requests_per_s }, served)
}

/// An IP address with or without a port. Port 0 lets the system choose.
fn address(section: &Section<'_>, text: &Text) -> Option<SocketAddr> {
    if let Ok(address) = text.value.parse::<SocketAddr>() {
        return Some(address);
    }
    let problem = match split_host(&text.value) {
        Ok((host, port)) => match host.parse::<IpAddr>() {
            Ok(ip) => return Some(SocketAddr::new(ip, port)),
            Err(_) if host.contains('%') => {
                format!(
                    "`{host}` names its zone; here it is a number, that of the interface (`ip link` shows it)"
                )
            }
            Err(_) => format!("`{host}` is not an IP address"),
        },
        Err(error) => error.to_string(),
    };
    let fix = "listen on an address of this machine, as in \"0.0.0.0:102\" or \"[::]:102\"";
    section.problems().wrong(text.at, format!("{}: {problem}", text.path), fix);
    None
}
