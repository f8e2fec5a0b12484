//! How a browser begins and ends its session, and learns who it is.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use super::error::ApiError;
use super::gate::{Caller, Shown};
use super::query::Query;
use super::sessions::LIFETIME;
use super::{Answer, Api};
use crate::model::Session;

/// Who asks.
pub(super) async fn show(caller: Caller, query: Query) -> Answer<Session> {
    query.only(&[])?;
    Ok(Json(session(caller)))
}

/// Gives whoever shows a token a cookie in its place.
pub(super) async fn begin(
    State(api): State<Api>,
    caller: Caller,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    if caller.shown != Shown::Token {
        return Err(match caller.shown {
            Shown::Nothing => ApiError::conflict(
                "there is nothing to log in to",
                "no tokens are configured: whoever reaches this service may do everything",
            ),
            Shown::Token | Shown::Session(_) => {
                ApiError::conflict("there is a session already", "show a token to begin another")
            }
        });
    }
    let secret = api.gate.begin_session(&caller.who, Instant::now()).map_err(|error| {
        ApiError::internal("no session can begin", format!("the system gives no random octets: {error}"))
    })?;
    // The token may have been taken away since the guard saw it.
    let secret =
        secret.ok_or_else(|| ApiError::conflict("no session can begin", "the token is no longer known"))?;
    let cookie = cookie(&api, &secret, LIFETIME.as_secs())?;
    let caller = Caller { shown: Shown::Session(LIFETIME), ..caller };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(session(caller))))
}

/// Ends the session of the cookie.
pub(super) async fn end(
    State(api): State<Api>,
    caller: Caller,
    headers: axum::http::HeaderMap,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    if let Some(secret) = api.site.cookie_in(&headers) {
        api.gate.end_session(secret.as_bytes());
    }
    let cookie = cookie(&api, "", 0)?;
    Ok((
        [(header::SET_COOKIE, cookie)],
        Json(Session { how: "none".to_owned(), expires_in_s: None, ..session(caller) }),
    ))
}

fn session(caller: Caller) -> Session {
    let (how, expires_in_s) = match caller.shown {
        Shown::Nothing => ("none", None),
        Shown::Token => ("token", None),
        Shown::Session(left) => ("session", Some(left.as_secs())),
    };
    Session { name: caller.who, role: caller.role.name().to_owned(), how: how.to_owned(), expires_in_s }
}

fn cookie(api: &Api, secret: &str, seconds: u64) -> Result<HeaderValue, ApiError> {
    let secure = if api.site.is_secure { "; Secure" } else { "" };
    let name = &api.site.cookie;
    let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text)
        .map_err(|error| ApiError::internal("no session can begin", format!("its cookie: {error}")))
}
