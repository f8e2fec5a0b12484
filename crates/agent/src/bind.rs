//! Who may connect: the MTA-bind, seen from both sides (X.411 MTA-bind).
//!
//! Names are compared octet for octet: foreign MTAs tell upper from lower case. A refusal tells the operator of
//! this MTA what did not agree; the peer only learns `authentication-error`. No password is ever part of an error.

use std::cmp::Reverse;

use mhs::p1::bind::{Authentication, Credentials, MtaBindArgument, MtaBindError, MtaBindResult, Password};
use thiserror::Error;

use crate::agent::Agent;
use crate::settings::{BindErrorCoding, CallSelectors, ConnectorSettings, Secret};

/// Why a bind, or the answer to ours, is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindRefusal {
    /// The peer says nothing about itself.
    #[error("the peer gave no name; it has to be configured to bind with the name of its MTA")]
    Anonymous,
    /// No connector has this MTA as its `remote_mta`.
    #[error("no connector has remote_mta `{name}` (upper and lower case count)")]
    UnknownMta {
        /// The name it gave.
        name: String,
    },
    /// Several connectors are to this MTA, and none has the selectors of the call.
    #[error(
        "none of the connectors to `{name}` has these selectors: called {}, calling {}; compare calling_selectors and \
         called_selectors here",
        .call.called, .call.calling
    )]
    OtherSelectors {
        /// The name it gave.
        name: String,
        /// The selectors of the call.
        call: Box<CallSelectors>,
    },
    /// The answer comes from another MTA than the one called.
    #[error(
        "connector {connector} expects `{expected}`, the peer says it is `{name}` (upper and lower case count)"
    )]
    WrongName {
        /// The connector.
        connector: String,
        /// Its `remote_mta`.
        expected: String,
        /// The name the peer gave.
        name: String,
    },
    /// The password is not the one configured, or there is none.
    #[error("the password of `{name}` is not the remote_password of connector {connector}")]
    WrongPassword {
        /// The connector.
        connector: String,
        /// The name the peer gave.
        name: String,
    },
    /// Strong or protected credentials where a password is expected.
    #[error("`{name}` gave credentials other than a password, which connector {connector} can't check")]
    OtherCredentials {
        /// The connector.
        connector: String,
        /// The name the peer gave.
        name: String,
    },
}

impl BindRefusal {
    /// What the peer is told.
    pub fn bind_error(&self) -> MtaBindError {
        match self {
            BindRefusal::Anonymous
            | BindRefusal::UnknownMta { .. }
            | BindRefusal::OtherSelectors { .. }
            | BindRefusal::WrongName { .. }
            | BindRefusal::WrongPassword { .. }
            | BindRefusal::OtherCredentials { .. } => MtaBindError::AUTHENTICATION_ERROR,
        }
    }
}

impl Agent {
    /// Checks who calls, and finds the connector that the association belongs to: by the name alone if only one has
    /// it, else by the selectors as well.
    ///
    /// # Errors
    /// What did not agree; the peer is told [`BindRefusal::bind_error`].
    pub fn check_bind_argument(
        &self,
        argument: &MtaBindArgument,
        call: &CallSelectors,
    ) -> Result<&ConnectorSettings, BindRefusal> {
        let authentication = argument.authentication.as_ref().ok_or(BindRefusal::Anonymous)?;
        let connector = self.connector_for_call(authentication.name.as_str(), call)?;
        check_password(connector, authentication)?;
        Ok(connector)
    }

    /// The connector for a call of the MTA of this name.
    ///
    /// Selectors are looked at only where the name does not tell enough: many MTAs give none of their own. Of several
    /// connectors those are out which have another selector than the call where both have one; then most equal
    /// selectors win, then fewest that the call does not have, then the order of the file.
    fn connector_for_call(
        &self,
        name: &str,
        call: &CallSelectors,
    ) -> Result<&ConnectorSettings, BindRefusal> {
        let mut known = self.settings().connectors.iter().filter(|connector| connector.is_peer(name));
        let first = known.next().ok_or_else(|| BindRefusal::UnknownMta { name: name.to_owned() })?;
        let Some(second) = known.next() else { return Ok(first) };
        [first, second]
            .into_iter()
            .chain(known)
            .filter_map(|connector| Some((fit(connector, call)?, connector)))
            // The first of equals.
            .min_by_key(|(fit, _)| *fit)
            .map(|(_, connector)| connector)
            .ok_or_else(|| BindRefusal::OtherSelectors {
                name: name.to_owned(),
                call: Box::new(call.clone()),
            })
    }

    /// The coding of the error with which a caller is refused: that of its connector, going by the name it gives.
    pub fn bind_error_coding(&self, argument: &MtaBindArgument, call: &CallSelectors) -> BindErrorCoding {
        let name = argument.authentication.as_ref().map(|authentication| authentication.name.as_str());
        let connector = name.and_then(|name| self.connector_for_call(name, call).ok());
        connector.map(|connector| connector.form.bind_error).unwrap_or_default()
    }

    /// Checks who answered. A peer which says nothing about itself is accepted where no password is expected.
    ///
    /// # Errors
    /// What did not agree; the association is then released at once.
    pub fn check_bind_result(
        &self,
        connector: &ConnectorSettings,
        result: &MtaBindResult,
    ) -> Result<(), BindRefusal> {
        let Some(authentication) = &result.authentication else {
            return if connector.remote_password.is_none() { Ok(()) } else { Err(BindRefusal::Anonymous) };
        };
        if !connector.is_peer(authentication.name.as_str()) {
            return Err(BindRefusal::WrongName {
                connector: connector.name.clone(),
                expected: connector.remote_mta.to_string(),
                name: authentication.name.to_string(),
            });
        }
        check_password(connector, authentication)
    }

    /// What we say when we call. The password is empty if none is configured.
    pub fn bind_argument_for(&self, connector: &ConnectorSettings) -> MtaBindArgument {
        let (name, password) = self.identity(connector);
        MtaBindArgument::simple(name, password)
    }

    /// What we answer.
    pub fn bind_result_for(&self, connector: &ConnectorSettings) -> MtaBindResult {
        let (name, password) = self.identity(connector);
        MtaBindResult::simple(name, password)
    }

    fn identity(&self, connector: &ConnectorSettings) -> (mhs::MtaName, Password) {
        let mta = &self.settings().mta;
        let name = connector.local_mta.as_ref().unwrap_or(&mta.name).clone();
        let password = connector.local_password.as_ref().or(mta.password.as_ref());
        (name, Password::new(password.map_or("", Secret::expose)))
    }
}

/// How well a call fits a connector, the least being the best; `None` if it contradicts.
fn fit(connector: &ConnectorSettings, call: &CallSelectors) -> Option<(Reverse<usize>, usize)> {
    let ours = connector.calling_selectors.each().into_iter().zip(call.called.each());
    let theirs = connector.called_selectors.each().into_iter().zip(call.calling.each());
    let (mut equal, mut missing) = (0, 0);
    for (configured, given) in ours.chain(theirs).filter(|(configured, _)| !configured.is_empty()) {
        if given.is_empty() {
            missing += 1;
        } else if configured == given {
            equal += 1;
        } else {
            return None;
        }
    }
    Some((Reverse(equal), missing))
}

fn check_password(connector: &ConnectorSettings, given: &Authentication) -> Result<(), BindRefusal> {
    let Some(expected) = &connector.remote_password else { return Ok(()) };
    let (connector, name) = (connector.name.clone(), given.name.to_string());
    match &given.credentials {
        // `Password` compares in a time that does not depend on where the two differ.
        Credentials::Simple(password) if Password::new(expected.expose()) == *password => Ok(()),
        Credentials::Simple(_) => Err(BindRefusal::WrongPassword { connector, name }),
        Credentials::Other(_) => Err(BindRefusal::OtherCredentials { connector, name }),
    }
}
