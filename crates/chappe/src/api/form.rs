//! The configuration of connectors as forms: what can be set, what a text says, and a text with one change more.
//!
//! Both requests are about texts that the client holds. Nothing is in force by them, and nothing is written: that is what
//! `config` does.

use std::collections::BTreeMap;

use agent::settings::ConnectorSettings;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use mhs::MtaName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::text;
use super::error::ApiError;
use super::query::Query;
use super::settings::pages;
use super::{Answer, Api};
use crate::config::{Edit, EditError, FIELDS, Field, Kind, Written, written, written_defaults};

/// What can be set of a connector, and what a configuration says of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigForm {
    /// All settings, in the order of the property pages.
    pub(crate) fields: Vec<FormField>,
    /// What the text says.
    pub(crate) connectors: Vec<Written>,
}

/// One setting of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FormField {
    /// The property page that it is on.
    pub(crate) page: String,
    /// As in `[[connector]]`, as in `rts.window_size`.
    pub(crate) key: String,
    /// `text`, `secret`, `number`, `truth`, `choice`, `size` (one of some numbers), `texts`, `words` (some of them),
    /// `spaces`, `times` or `domain`.
    pub(crate) kind: String,
    /// Least number.
    pub(crate) low: Option<u64>,
    /// Greatest number.
    pub(crate) high: Option<u64>,
    /// Unit of the number, if it has one.
    pub(crate) unit: String,
    /// What can be chosen from.
    pub(crate) choices: Vec<String>,
    /// What holds if it is left out, in words.
    pub(crate) default: String,
    /// What it is for.
    pub(crate) about: String,
}

/// A configuration with one change more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigEdited {
    /// The text.
    pub(crate) text: String,
}

/// What can be set, and what this text says.
pub(super) async fn form(State(_): State<Api>, query: Query, body: Body) -> Answer<ConfigForm> {
    query.only(&[])?;
    let text = text(body).await?;
    let connectors = written(&text)?;
    let defaults = defaults_in(&text)?;
    let fields = FIELDS.iter().map(|field| told(field, &defaults)).collect();
    Ok(Json(ConfigForm { fields, connectors }))
}

/// A text with one change more.
pub(super) async fn edit(State(_): State<Api>, query: Query, body: Body) -> Answer<ConfigEdited> {
    query.only(&[])?;
    let edit: Edit = serde_json::from_str(&text(body).await?).map_err(|error| {
        ApiError::bad_request(
            format!("this is no edit: {error}"),
            "give JSON with `text`, `change` (`set`, `add`, `remove`), `connector` and `values`",
        )
    })?;
    Ok(Json(ConfigEdited { text: edit.apply()? }))
}

/// What holds where nothing is set, by the keys of the settings.
fn defaults() -> BTreeMap<String, String> {
    let Ok(nobody) = MtaName::new("-") else { return BTreeMap::new() };
    let pages = pages(&ConnectorSettings::new(String::new(), nobody)).pages.into_iter();
    pages.flat_map(|page| page.settings).map(|setting| (setting.key, setting.value)).collect()
}

/// The same in this text, which may say otherwise for all connectors.
fn defaults_in(text: &str) -> Result<BTreeMap<String, String>, EditError> {
    let mut defaults = defaults();
    defaults.extend(written_defaults(text)?.into_iter().map(|(key, value)| (key, value.to_string())));
    Ok(defaults)
}

fn told(field: &Field, defaults: &BTreeMap<String, String>) -> FormField {
    let (kind, low, high, unit, choices) = match field.kind {
        Kind::Text => ("text", None, None, "", Vec::new()),
        Kind::Secret => ("secret", None, None, "", Vec::new()),
        Kind::Number(low, high, unit) => ("number", Some(low), Some(high), unit, Vec::new()),
        Kind::Truth => ("truth", None, None, "", Vec::new()),
        Kind::Choice(words) => ("choice", None, None, "", names(words)),
        Kind::Size(sizes) => ("size", None, None, "octets", names(sizes)),
        Kind::Texts => ("texts", None, None, "", Vec::new()),
        Kind::Words(words) => ("words", None, None, "", names(words)),
        Kind::Spaces => ("spaces", None, None, "", Vec::new()),
        Kind::Times => ("times", None, None, "", Vec::new()),
        Kind::Domain => ("domain", None, None, "", Vec::new()),
    };
    FormField {
        page: field.page.to_owned(),
        key: field.key.to_owned(),
        kind: kind.to_owned(),
        low,
        high,
        unit: unit.to_owned(),
        choices,
        default: defaults.get(field.key).cloned().unwrap_or_default(),
        about: field.about().to_owned(),
    }
}

fn names<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        let why = error.to_string();
        match error {
            EditError::NoSuchConnector(_) => ApiError::not_found("the text can't be edited so", why),
            EditError::Taken(_) => ApiError::conflict("the text can't be edited so", why),
            EditError::Syntax(_)
            | EditError::NoList
            | EditError::NoSuchSetting(_)
            | EditError::WrongKind { .. }
            | EditError::NoTable(_) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the text can't be edited so", why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messaging_defaults_hold_where_nothing_is_set() {
        let text = "[messaging_defaults.retry]\nopen_interval_s = 31\n[[connector]]\nname = \"a\"\n";
        let defaults = defaults_in(text).unwrap_or_default();
        let told = |key: &str| defaults.get(key).map(String::as_str);
        assert_eq!((told("retry.open_interval_s"), told("rts.window_size")), (Some("31"), Some("5")));
    }

    #[test]
    fn what_holds_where_nothing_is_set_is_told_for_each_number_and_choice() {
        let defaults = defaults();
        for field in FIELDS.iter().map(|field| told(field, &defaults)) {
            let has_one = matches!(field.kind.as_str(), "number" | "truth" | "choice" | "size");
            assert!(!has_one || !field.default.is_empty(), "{field:?}");
            let is_choice = field.kind == "choice" || field.kind == "size";
            assert!(!is_choice || field.choices.contains(&field.default), "{field:?}");
            if let Some(low) = field.low
                && let Ok(number) = field.default.parse::<u64>()
            {
                assert!(low <= number && Some(number) <= field.high, "{field:?}");
            }
        }
    }
}
