//! Who may connect: the MTA-bind, seen from both sides (X.411 MTA-bind).
//!
//! Names are compared octet for octet: foreign MTAs tell upper from lower case. A refusal tells the operator of
//! this MTA what did not agree; the peer only learns `authentication-error`. No password is ever part of an error.

use mhs::p1::bind::{Authentication, Credentials, MtaBindArgument, MtaBindError, MtaBindResult, Password};
use thiserror::Error;

use crate::agent::Agent;
use crate::settings::{ConnectorSettings, Secret};

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
            | BindRefusal::WrongName { .. }
            | BindRefusal::WrongPassword { .. }
            | BindRefusal::OtherCredentials { .. } => MtaBindError::AUTHENTICATION_ERROR,
        }
    }
}

impl Agent {
    /// Checks who calls.
    ///
    /// # Errors
    /// What did not agree; the peer is told [`BindRefusal::bind_error`].
    pub fn check_bind_argument(&self, argument: &MtaBindArgument) -> Result<&ConnectorSettings, BindRefusal> {
        let authentication = argument.authentication.as_ref().ok_or(BindRefusal::Anonymous)?;
        let name = authentication.name.as_str();
        let unknown = || BindRefusal::UnknownMta { name: name.to_owned() };
        let connector = self.connector_for_peer(name).ok_or_else(unknown)?;
        check_password(connector, authentication)?;
        Ok(connector)
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
        if authentication.name != connector.remote_mta {
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
