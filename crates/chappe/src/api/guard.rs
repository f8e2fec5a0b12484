//! Who may use the API.
//!
//! With tokens configured, whoever shows one, as far as its role goes. Without any the API listens on loopback only, and
//! then the danger is a web page in a browser of this machine: a request that another page caused (it has an `Origin`
//! which is not ours) or that came through a name which an attacker's DNS points at loopback is refused.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::ApiError;
use super::gate::{Caller, Gate};
use super::routes::{self, Access};

/// Lets a request pass, or answers it.
pub(super) async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let access = routes::access(request.method(), path);
    match admit(&api, &request, access) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
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
    let caller = identify(&api.gate, request.headers(), access == Access::Everyone)?;
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

/// Who makes a request with these headers.
fn identify(gate: &Gate, headers: &HeaderMap, public: bool) -> Result<Caller, ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if let Some(origin) = headers.get(header::ORIGIN) {
        let ours = host.is_some_and(|host| origin.as_bytes() == format!("http://{host}").as_bytes());
        if !ours {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "the request comes from another web page",
                "only pages of this service may use it",
            ));
        }
    }
    if gate.is_open() {
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
    match given.and_then(|given| gate.owner(given)) {
        Some(caller) => Ok(caller),
        None if public => Ok(Caller::nobody()),
        None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            if given.is_some() { "the token is wrong" } else { "the service asks for a token" },
            "name the file that holds it with --token-file",
        )),
    }
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
