//! Who may use the API.
//!
//! With tokens configured, whoever shows one, as far as its role goes. Without any the API listens on loopback only, and
//! then the danger is a web page in a browser of this machine: a request that another page caused (it has an `Origin`
//! which is not ours) or that came through a name which an attacker's DNS points at loopback is refused.
//!
//! A browser that has logged in shows the cookie of its session instead, and sends it whatever made it ask. So a change by
//! cookie takes a sign that a page of ours asks for it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::gate::{Caller, Shown};
use super::patience::Progress;
use super::routes::{self, Access};
use super::{Api, console};

/// Octets of a token that nobody finds by trying, however fast.
const LONG_TOKEN: usize = 16;

/// The address that a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Lets a request pass, or answers it.
pub(super) async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if path == Some("/") && console::is_browser(request.headers()) {
        // Whoever has no token yet is asked for it there.
        return console::entrance().await.into_response();
    }
    let access = routes::access(request.method(), path);
    match admit(&api, &request, access) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            let (head, body) = request.into_parts();
            let (progress, body) = Progress::watch(body);
            let answer = next.run(Request::from_parts(head, body));
            progress.answered(answer).await.unwrap_or_else(IntoResponse::into_response)
        }
        Err(error) => {
            let unauthorized = error.status() == StatusCode::UNAUTHORIZED;
            let mut response = error.into_response();
            if unauthorized {
                let scheme = header::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            response
        }
    }
}

fn admit(api: &Api, request: &Request, access: Access) -> Result<Caller, ApiError> {
    let changes = !request.method().is_safe();
    let (from, now) = (request.extensions().get::<Peer>().map(|Peer(address)| *address), Instant::now());
    let caller = identify(api, request.headers(), access == Access::Everyone, changes, from)?;
    if caller.shown != Shown::Nothing {
        let allowed = api.gate.limits.request(&caller.who, api.gate.requests_per_s(), now);
        allowed.map_err(|wait| too_many("too many requests of this token", wait))?;
    }
    match access {
        Access::From(role) if caller.role < role => {
            let what = format!("{} {}", request.method(), request.uri().path());
            api.handle.access_refused(&caller.who, &format!("{what}: needs the role {}", role.name()));
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                format!("this needs the role {}", role.name()),
                format!("the token of {} has the role {}", caller.who, caller.role.name()),
            ))
        }
        Access::From(_) | Access::Everyone => Ok(caller),
    }
}

/// Whether who made a request with these headers might still see what everybody with a role may see: sessions end, and
/// tokens are taken away.
pub(super) fn still_admits(api: &Api, headers: &HeaderMap) -> bool {
    identify(api, headers, false, false, None).is_ok()
}

/// Who makes a request with these headers.
fn identify(
    api: &Api,
    headers: &HeaderMap,
    public: bool,
    changes: bool,
    from: Option<IpAddr>,
) -> Result<Caller, ApiError> {
    let Api { gate, site, .. } = api;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if let Some(origin) = headers.get(header::ORIGIN)
        && !host.is_some_and(|host| site.is_ours(origin.as_bytes(), host))
    {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "the request comes from another web page",
            "only pages of this service may use it",
        ));
    }
    if site.is_open && !gate.has_tokens() {
        return if host.is_none_or(is_local) {
            Ok(Caller::unknown(headers))
        } else {
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "the request names another host",
                "address the service by its IP address or as localhost, or configure listen.api_tokens",
            ))
        };
    }
    let given = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let given = given.and_then(|value| value.strip_prefix(b"Bearer "));
    let cookie = site.cookie_in(headers).filter(|_| given.is_none());
    let now = Instant::now();
    let found = match (given, cookie, from) {
        (Some(given), _, Some(from)) => {
            let owner = gate.owner(given);
            // A long one is not guessed, so there is nothing to hold up. Where a short one might be, too many guesses are
            // answered alike, right or wrong.
            if owner.is_none() || given.len() < LONG_TOKEN {
                let allowed = gate.limits.try_token(from, now);
                allowed
                    .map_err(|wait| too_many("too many wrong tokens have come from this address", wait))?;
            }
            if owner.is_none() {
                gate.limits.wrong_token(from, now);
            }
            owner
        }
        (Some(given), _, None) => gate.owner(given),
        (None, Some(cookie), _) => gate.session(cookie.as_bytes(), now),
        (None, None, _) => None,
    };
    match found {
        // A browser sends the cookie by itself, whoever made it ask.
        Some(caller) if caller.shown != Shown::Token && changes && !is_own_page(headers) => {
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "it is not certain that a page of this service asks for this",
                "send the header X-Chappe-CSRF with any value, or a token in place of the cookie",
            ))
        }
        Some(caller) => Ok(caller),
        None if public => Ok(Caller::nobody()),
        None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            match (given, cookie) {
                (Some(_), _) => "the token is wrong",
                (None, Some(_)) => "the session is over",
                (None, None) => "the service asks for a token",
            },
            "name the file that holds it with --token-file, or log in",
        )),
    }
}

fn too_many(what: &str, wait: Duration) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        what,
        format!("try again in {} s", wait.as_secs().saturating_add(1)),
    )
    .retry_after(wait)
}

/// Whether a request that a browser makes comes from a page of this service: the browser says so, or there is a header that
/// pages of others can't send without asking first, which nobody here allows.
fn is_own_page(headers: &HeaderMap) -> bool {
    headers.contains_key("x-chappe-csrf")
        || headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"same-origin")
}

/// True for `localhost` and IP addresses, with or without a port.
fn is_local(host: &str) -> bool {
    if host.starts_with('[') {
        return true;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_points_at_loopback_is_not_local() {
        for local in ["127.0.0.1:8400", "127.0.0.1", "localhost:8400", "LOCALHOST", "[::1]:8400"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in ["evil.example:8400", "localhost.evil.example", ""] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
