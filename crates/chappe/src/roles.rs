//! Who may use the HTTP API: tokens, their names and their roles.

use agent::settings::Secret;
use serde::Serialize;

/// What somebody may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// See how the MTA stands and what became of messages, but not what is in them.
    Viewer,
    /// Read messages and recordings, submit, and work on queues and connections.
    Operator,
    /// Everything, the configuration included.
    Administrator,
}

impl Role {
    /// All, with their names in the configuration.
    pub(crate) const ALL: [(&'static str, Role); 3] =
        [("viewer", Role::Viewer), ("operator", Role::Operator), ("administrator", Role::Administrator)];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Administrator => "administrator",
        }
    }
}

/// A token of the API: who shows it is who it was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiToken {
    /// Who it was given to: the "who" of what is done with it.
    pub(crate) name: String,
    /// What may be done with it.
    pub(crate) role: Role,
    /// The token itself.
    pub(crate) secret: Secret,
}

impl ApiToken {
    /// The name of those who show the token of `api_token_file`, which has none of its own.
    pub(crate) const UNNAMED: &'static str = "administrator";
}
