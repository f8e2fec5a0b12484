//! The gate of the API: which tokens open it, and who comes in.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use mhs::MtsIdentifier;
use tokio_rustls::rustls::ServerConfig;

use super::Api;
use super::paces::Limits;
use super::sessions::Sessions;
use crate::roles::{ApiToken, Role};
use crate::tls::{TlsError, TlsIdentity};

/// Says who asks, where no token does.
pub(crate) const OPERATOR: &str = "chappe-operator";
/// Longest name of an operator.
const MAX_OPERATOR: usize = 64;

/// Shared by the API and whoever reloads the configuration.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    tokens: RwLock<Arc<[ApiToken]>>,
    sessions: Sessions,
    tls: RwLock<Option<Arc<ServerConfig>>>,
    /// How fast somebody may go on.
    pub(super) limits: Limits,
    requests_per_s: AtomicU32,
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name that events tell.
    pub(super) who: String,
    /// What it may do.
    pub(super) role: Role,
    /// What tells who it is.
    pub(super) shown: Shown,
}

/// What a caller has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing: the name is only what the client says of itself.
    Nothing,
    /// A token.
    Token,
    /// The cookie of a session, which goes on for so long.
    Session(Duration),
}

impl Gate {
    /// A gate that opens to those who show one of these tokens. If there are none a listener begins that asks for none.
    pub(crate) fn new(tokens: Vec<ApiToken>) -> Gate {
        Gate { tokens: RwLock::new(tokens.into()), ..Gate::default() }
    }

    /// Puts other tokens in place of those before. A listener that has begun with some does not open to all if there are none:
    /// it may be reached by anybody.
    pub(crate) fn replace_tokens(&self, tokens: &[ApiToken]) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens.into();
    }

    /// Puts another certificate in place of the one before. A listener that has begun with one accepts nobody if this is none.
    ///
    /// # Errors
    /// It can't be used; then the one before stays.
    pub(crate) fn replace_tls(&self, identity: Option<&TlsIdentity>) -> Result<(), TlsError> {
        let server = identity.map(TlsIdentity::server).transpose()?;
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = server;
        Ok(())
    }

    /// Sets how many requests one token may make in a second.
    pub(crate) fn limit_requests(&self, per_second: u32) {
        self.requests_per_s.store(per_second, Ordering::Relaxed);
    }

    /// How many requests one token may make in a second.
    pub(super) fn requests_per_s(&self) -> u32 {
        self.requests_per_s.load(Ordering::Relaxed)
    }

    /// How TLS is spoken, if it is.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tokens(&self) -> Arc<[ApiToken]> {
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are any.
    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens().is_empty()
    }

    /// Whose token this is. It is compared with all of them, so that the time tells nothing.
    pub(super) fn owner(&self, given: &[u8]) -> Option<Caller> {
        let mut owner = None;
        for token in &*self.tokens() {
            if token.secret.matches(given) {
                owner = Some(Caller::of(token, Shown::Token));
            }
        }
        owner
    }

    /// Begins a session for the token of this name; gives its secret, if there is such a token.
    ///
    /// # Errors
    /// The system gives no random octets.
    pub(super) fn begin_session(&self, name: &str, now: Instant) -> io::Result<Option<String>> {
        let tokens = self.tokens();
        let token = tokens.iter().find(|token| token.name == name);
        token.map(|token| self.sessions.begin(token, now)).transpose()
    }

    /// Whose session this is. Its token must still be there; the role is what the token has now.
    pub(super) fn session(&self, given: &[u8], now: Instant) -> Option<Caller> {
        let (token, left) = self.sessions.token(given, now)?;
        let tokens = self.tokens();
        let token = tokens.iter().find(|now| now.name == token.name && now.secret == token.secret)?;
        Some(Caller::of(token, Shown::Session(left)))
    }

    /// Ends a session.
    pub(super) fn end_session(&self, given: &[u8]) {
        self.sessions.end(given);
    }
}

impl Caller {
    fn of(token: &ApiToken, shown: Shown) -> Caller {
        Caller { who: token.name.clone(), role: token.role, shown }
    }

    /// Somebody who has shown nothing where something is asked for.
    pub(super) fn nobody() -> Caller {
        Caller { who: "nobody".to_owned(), role: Role::Viewer, shown: Shown::Nothing }
    }

    /// Somebody who need not show a token.
    pub(super) fn unknown(headers: &HeaderMap) -> Caller {
        let name = headers.get(OPERATOR).and_then(|name| name.to_str().ok());
        let name = name.map(|name| name.chars().filter(char::is_ascii_graphic).take(MAX_OPERATOR).collect());
        let name = name.filter(|name: &String| !name.is_empty());
        let who = name.unwrap_or_else(|| "a client of the API".to_owned());
        Caller { who, role: Role::Administrator, shown: Shown::Nothing }
    }

    /// Tells what somebody who is known has submitted; the event of the submission itself does not name him.
    pub(super) fn tell_submission(&self, api: &Api, what: &str, identifiers: &[MtsIdentifier]) {
        if self.shown != Shown::Nothing {
            let identifiers: Vec<String> = identifiers.iter().map(ToString::to_string).collect();
            api.handle.audit("", &self.who, &format!("{what} {}", identifiers.join(", ")), None);
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The guard has put it there.
        Ok(parts.extensions.get::<Caller>().cloned().unwrap_or_else(Caller::nobody))
    }
}

#[cfg(test)]
mod tests {
    use agent::settings::Secret;

    use super::*;

    fn token(name: &str, role: Role, secret: &str) -> ApiToken {
        ApiToken { name: name.to_owned(), role, secret: Secret::new(secret) }
    }

    #[test]
    fn a_token_tells_who_comes_until_it_is_replaced() {
        let gate = Gate::new(vec![token("anna", Role::Operator, "a1"), token("bert", Role::Viewer, "b2")]);
        let anna = gate.owner(b"a1").unwrap();
        assert_eq!((anna.who.as_str(), anna.role, anna.shown), ("anna", Role::Operator, Shown::Token));
        assert_eq!(gate.owner(b"b2").unwrap().role, Role::Viewer);
        for wrong in ["", "a", "a11", "A1"] {
            assert_eq!(gate.owner(wrong.as_bytes()), None, "{wrong}");
        }
        gate.replace_tokens(&[token("bert", Role::Operator, "b2")]);
        assert_eq!(gate.owner(b"a1"), None);
        assert_eq!(gate.owner(b"b2").unwrap().role, Role::Operator);
        gate.replace_tokens(&[]);
        assert_eq!((gate.owner(b"b2"), gate.owner(b"")), (None, None));
        assert!(!gate.has_tokens());
    }

    #[test]
    fn a_session_has_the_role_that_its_token_has_now_and_ends_with_it() {
        let (gate, now) = (Gate::new(vec![token("anna", Role::Operator, "a1")]), Instant::now());
        assert_eq!(gate.begin_session("bert", now).unwrap(), None);
        let secret = gate.begin_session("anna", now).unwrap().unwrap();
        assert_eq!(gate.session(secret.as_bytes(), now).unwrap().role, Role::Operator);
        assert_eq!(gate.owner(secret.as_bytes()), None, "a session is no token");
        gate.replace_tokens(&[token("anna", Role::Viewer, "a1")]);
        assert_eq!(gate.session(secret.as_bytes(), now).unwrap().role, Role::Viewer);
        gate.replace_tokens(&[token("anna", Role::Viewer, "a2")]);
        assert_eq!(gate.session(secret.as_bytes(), now), None);
    }

    #[test]
    fn what_a_client_says_of_itself_is_cut_to_what_a_log_can_show() {
        let mut headers = HeaderMap::new();
        assert_eq!(Caller::unknown(&headers).who, "a client of the API");
        headers.insert(OPERATOR, "a b\tc".parse().unwrap());
        assert_eq!(Caller::unknown(&headers).who, "abc");
        headers.insert(OPERATOR, "x".repeat(100).parse().unwrap());
        assert_eq!(Caller::unknown(&headers).who.len(), 64);
    }
}
