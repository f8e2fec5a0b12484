//! Settings: those of a connector, routes, and the configuration as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Difference;

/// The settings of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConnectorSettingsPages {
    /// The connector.
    pub(crate) connector: String,
    /// By property page.
    pub(crate) pages: Vec<SettingsPage>,
}

/// The settings on one property page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SettingsPage {
    /// Name of the page.
    pub(crate) page: String,
    /// What is on it.
    pub(crate) settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Setting {
    /// As it is called in `[[connector]]`; on the page of address spaces, the space.
    pub(crate) key: String,
    /// What it is, defaults included; of several, one a line. Secrets are not shown.
    pub(crate) value: String,
    /// Its unit, if it has one.
    pub(crate) unit: String,
}

/// A connector was told to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Connecting {
    /// The connector.
    pub(crate) connector: String,
}

/// Where a message for an address would go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Route {
    /// The address asked about.
    pub(crate) address: String,
    /// `local`, `list`, `connector` or `unknown`.
    pub(crate) decision: String,
    /// Connectors in the order of preference.
    pub(crate) connectors: Vec<String>,
    /// How the decision came about.
    pub(crate) steps: Vec<String>,
    /// The decision in one sentence.
    pub(crate) summary: String,
}

/// Where a message would go now, and with an edited configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RouteComparison {
    /// The recipient that was asked for.
    pub(crate) address: String,
    /// Whether anything is different, a step on the way included.
    pub(crate) changed: bool,
    /// As it is; absent if the connector that it would come in over is not there.
    pub(crate) now: Option<Route>,
    /// With the edited configuration.
    pub(crate) then: Option<Route>,
}

/// The configuration of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigText {
    /// Its file.
    pub(crate) file: String,
    /// SHA-256 of what was read from it, in hexadecimal.
    pub(crate) digest: String,
    /// Whether the file holds something else by now.
    pub(crate) changed_on_disk: bool,
    /// What was read, with asterisks in place of secrets.
    pub(crate) text: String,
}

/// What another configuration would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigVerdict {
    /// Whether it can be put into force.
    pub(crate) ok: bool,
    /// What is wrong with it.
    pub(crate) problems: Vec<ConfigProblem>,
    /// What is different.
    pub(crate) differences: Vec<Difference>,
    /// The same in words, one sentence each.
    pub(crate) words: Vec<String>,
    /// What takes effect at the next start only.
    pub(crate) restart: Vec<String>,
}

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigProblem {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) fix: String,
}

/// A configuration was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigReplaced {
    /// Digest of the new one.
    pub(crate) digest: String,
    /// What is different, in words.
    pub(crate) words: Vec<String>,
    /// What takes effect at the next start only.
    pub(crate) restart: Vec<String>,
    /// Connectors that are new.
    pub(crate) added: Vec<String>,
    /// Connectors with other settings.
    pub(crate) changed: Vec<String>,
    /// Connectors that are no more.
    pub(crate) removed: Vec<String>,
    /// Addresses at which peers are accepted now and were not.
    pub(crate) listens: Vec<String>,
    /// Addresses at which they were and are no longer.
    pub(crate) listens_no_more: Vec<String>,
    /// What is not done yet, and why; the service goes on trying.
    pub(crate) outstanding: Vec<String>,
}

/// The file was read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigReloaded {
    /// Connectors that are new.
    pub(crate) added: Vec<String>,
    /// Connectors with other settings.
    pub(crate) changed: Vec<String>,
    /// Connectors that are no more.
    pub(crate) removed: Vec<String>,
    /// Addresses at which peers are accepted now and were not.
    pub(crate) listens: Vec<String>,
    /// Addresses at which they were and are no longer.
    pub(crate) listens_no_more: Vec<String>,
    /// What is not done yet, and why; the service goes on trying.
    pub(crate) outstanding: Vec<String>,
}
