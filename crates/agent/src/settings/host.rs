//! Where a peer listens, as text: `host`, `host:port`, `[v6]`, `[v6]:port`.
//!
//! A link-local IPv6 address has its zone behind it, `[fe80::1%eth0]`: it means nothing without the interface.

use std::net::Ipv6Addr;

use thiserror::Error;

/// The port of RFC 1006 when none is written.
pub const DEFAULT_PORT: u16 = 102;

/// Why a host can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// Nothing in front of the port.
    #[error("the host is missing")]
    Empty,
    /// Not a number from 1 to 65535.
    #[error("port `{0}` is not a number from 1 to 65535")]
    Port(String),
    /// A character which no host name has, or a name longer than 253 characters.
    #[error("`{0}` is not a host name or address")]
    Name(String),
    /// An IPv6 address without brackets, or brackets around something else.
    #[error("`{0}` is not an IPv6 address in brackets")]
    Brackets(String),
    /// A zone behind an address that is not link-local, or one that is no interface's name or number.
    #[error(
        "`{0}` is not a zone of this address: only link-local addresses (fe80::) have one, the interface"
    )]
    Zone(String),
    /// A link-local address without zone.
    #[error("`{0}` is link-local and does not say on which interface")]
    NoZone(String),
}

/// Takes a host apart into name or address (without brackets, with the zone) and port.
///
/// # Errors
/// What is wrong with the text.
pub fn split_host(text: &str) -> Result<(&str, u16), HostError> {
    if let Some(rest) = text.strip_prefix('[') {
        let brackets = || HostError::Brackets(text.to_owned());
        let (address, after) = rest.split_once(']').ok_or_else(brackets)?;
        let (plain, zone) = address.split_once('%').map_or((address, None), |(a, z)| (a, Some(z)));
        let link_local = plain.parse::<Ipv6Addr>().map_err(|_| brackets())?.is_unicast_link_local();
        match zone {
            Some(zone) if !link_local || !is_zone(zone) => return Err(HostError::Zone(zone.to_owned())),
            None if link_local => return Err(HostError::NoZone(address.to_owned())),
            Some(_) | None => {}
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, parse_port(port)?)),
            None if after.is_empty() => Ok((address, DEFAULT_PORT)),
            None => Err(brackets()),
        };
    }
    let (host, port) = match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => return Err(HostError::Brackets(text.to_owned())),
        Some((host, port)) => (host, parse_port(port)?),
        None => (text, DEFAULT_PORT),
    };
    if host.is_empty() {
        return Err(HostError::Empty);
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.len() > 253 || !host.chars().all(legal) {
        return Err(HostError::Name(host.to_owned()));
    }
    Ok((host, port))
}

/// Whether this can be the name or the number of an interface. The longest that Linux allows has 15 characters.
fn is_zone(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=15).contains(&text.len()) && text.chars().all(legal)
}

fn parse_port(text: &str) -> Result<u16, HostError> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(HostError::Port(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        assert_eq!(split_host("mta.example"), Ok(("mta.example", 102)));
        assert_eq!(split_host("127.0.0.1:10103"), Ok(("127.0.0.1", 10103)));
        assert_eq!(split_host("[::1]"), Ok(("::1", 102)));
        assert_eq!(split_host("[2001:db8::1]:1102"), Ok(("2001:db8::1", 1102)));
        assert_eq!(split_host("[fe80::1%eth0]:1102"), Ok(("fe80::1%eth0", 1102)));
        assert_eq!(split_host("[fe80::1%2]"), Ok(("fe80::1%2", 102)));
    }

    #[test]
    fn a_zone_belongs_to_a_link_local_address_and_such_an_address_needs_one() {
        assert_eq!(split_host("[::1%lo]"), Err(HostError::Zone("lo".into())));
        for zone in ["", "eth0:1", "no such interface", "abcdefghijklmnop"] {
            assert_eq!(split_host(&format!("[fe80::1%{zone}]")), Err(HostError::Zone(zone.into())));
        }
        assert_eq!(split_host("[fe80::1]:102"), Err(HostError::NoZone("fe80::1".into())));
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(split_host(""), Err(HostError::Empty));
        assert_eq!(split_host(":102"), Err(HostError::Empty));
        assert_eq!(split_host("a:0"), Err(HostError::Port("0".into())));
        assert_eq!(split_host("a:65536"), Err(HostError::Port("65536".into())));
        assert_eq!(split_host("a b"), Err(HostError::Name("a b".into())));
        assert_eq!(split_host("::1"), Err(HostError::Brackets("::1".into())));
        assert_eq!(split_host("[mta]:102"), Err(HostError::Brackets("[mta]:102".into())));
        assert_eq!(split_host("[::1]102"), Err(HostError::Brackets("[::1]102".into())));
    }
}
