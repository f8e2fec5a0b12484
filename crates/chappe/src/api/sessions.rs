//! Sessions: what a browser has in place of a token, so that no page of it has to keep one.
//!
//! Who shows a token gets a cookie that scripts can't read and that other sites can't send. It stands for that token, with
//! the role that the token has at the moment, until it is given back, its time is over, or the token is no more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent::settings::Secret;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::roles::ApiToken;

/// How long a session lasts, however much it is used: a shift and a bit.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Sessions of one token at one time. One more ends the oldest of them; those of others are not touched.
const MAX_OF_ONE: usize = 20;
/// Octets of chance in a session's secret.
const SECRET_OCTETS: usize = 32;

/// All sessions. Their number is bounded by that of the tokens.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: Mutex<Vec<Session>>,
}

#[derive(Debug)]
struct Session {
    secret: Secret,
    token: ApiToken,
    ends: Instant,
}

impl Sessions {
    /// Begins a session of whoever has shown `token`; gives its secret.
    ///
    /// # Errors
    /// The system gives no random octets.
    pub(super) fn begin(&self, token: &ApiToken, now: Instant) -> std::io::Result<String> {
        let secret = secret()?;
        let mut all = self.lock();
        all.retain(|session| session.ends > now);
        if all.iter().filter(|session| session.token.name == token.name).count() >= MAX_OF_ONE
            && let Some(oldest) = all.iter().position(|session| session.token.name == token.name)
        {
            all.remove(oldest);
        }
        all.push(Session { secret: Secret::new(secret.clone()), token: token.clone(), ends: now + LIFETIME });
        Ok(secret)
    }

    /// The token for which the session with this secret stands, and how long it still does. The secret is compared with
    /// all of them, so that the time tells nothing.
    pub(super) fn token(&self, given: &[u8], now: Instant) -> Option<(ApiToken, Duration)> {
        let mut found = None;
        for session in &*self.lock() {
            if session.secret.matches(given) {
                found = Some((session.token.clone(), session.ends.saturating_duration_since(now)));
            }
        }
        found.filter(|(_, left)| !left.is_zero())
    }

    /// Ends the session with this secret.
    pub(super) fn end(&self, given: &[u8]) {
        self.lock().retain(|session| !session.secret.matches(given));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret() -> std::io::Result<String> {
    let mut octets = [0; SECRET_OCTETS];
    let mut filled = 0;
    while let Some(rest) = octets.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += getrandom(rest, GetRandomFlags::empty())?;
    }
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::Role;

    fn token(name: &str) -> ApiToken {
        ApiToken { name: name.to_owned(), role: Role::Viewer, secret: Secret::new(name) }
    }

    #[test]
    fn a_session_stands_for_its_token_until_its_time_is_over() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (anna, bert) = (token("anna"), token("bert"));
        let secret = sessions.begin(&anna, now).unwrap();
        let other = sessions.begin(&bert, now).unwrap();
        assert!(secret.len() == 64 && secret != other);
        assert_eq!(sessions.token(secret.as_bytes(), now), Some((anna, LIFETIME)));
        assert_eq!(sessions.token(b"", now), None);
        assert_eq!(sessions.token(secret.as_bytes(), now + LIFETIME), None);
        sessions.end(other.as_bytes());
        assert_eq!(sessions.token(other.as_bytes(), now), None);
        assert!(sessions.token(secret.as_bytes(), now).is_some());
    }

    #[test]
    fn who_begins_many_ends_his_own() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let anna = sessions.begin(&token("anna"), now).unwrap();
        let bert: Vec<String> =
            (0..=MAX_OF_ONE).map(|_| sessions.begin(&token("bert"), now).unwrap()).collect();
        assert!(sessions.token(anna.as_bytes(), now).is_some());
        let alive = bert.iter().filter(|secret| sessions.token(secret.as_bytes(), now).is_some()).count();
        assert_eq!(alive, MAX_OF_ONE);
        assert_eq!(sessions.token(bert[0].as_bytes(), now), None);
        sessions.begin(&token("carl"), now + LIFETIME).unwrap();
        assert_eq!(sessions.lock().len(), 1, "those whose time is over are forgotten");
    }
}
