//! What a browser takes this service for: its scheme, and the name of its cookie.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// It speaks TLS.
    pub(super) is_secure: bool,
    /// Nobody has to show a token.
    pub(super) is_open: bool,
    /// Name of the session's cookie.
    pub(super) cookie: Arc<str>,
}

impl Site {
    /// The service at `address`. Cookies are common to all ports of a host, so the port is in the name; the prefix has
    /// browsers take it from this host over TLS only.
    pub(super) fn new(address: Option<SocketAddr>, is_secure: bool, is_open: bool) -> Site {
        let prefix = if is_secure { "__Host-" } else { "" };
        let port = address.map_or(0, |address| address.port());
        Site { is_secure, is_open, cookie: format!("{prefix}chappe-{port}").into() }
    }

    /// Whether a page from `origin` is one of the service that is addressed as `host`.
    pub(super) fn is_ours(&self, origin: &[u8], host: &str) -> bool {
        let scheme = if self.is_secure { "https" } else { "http" };
        origin == format!("{scheme}://{host}").as_bytes()
    }

    /// What a request has as this service's cookie.
    pub(super) fn cookie_in<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let fields = headers.get_all(header::COOKIE).into_iter().filter_map(|field| field.to_str().ok());
        let mut cookies =
            fields.flat_map(|field| field.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.find(|(name, _)| *name == &*self.cookie).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let site = Site::new(Some(([127, 0, 0, 1], 8400).into()), false, true);
        let mut headers = HeaderMap::new();
        assert_eq!(site.cookie_in(&headers), None);
        headers.append(header::COOKIE, "a=b; chappe-84000=x".parse().unwrap());
        assert_eq!(site.cookie_in(&headers), None);
        headers.append(header::COOKIE, "c;chappe-8400=abc; d=e".parse().unwrap());
        assert_eq!(site.cookie_in(&headers), Some("abc"));
        assert!(site.is_ours(b"http://x:8400", "x:8400") && !site.is_ours(b"https://x:8400", "x:8400"));
    }
}
