//! What is different between two configurations, in words: connector by connector and setting by setting.
//!
//! Compared are the texts and not what they mean, so that an operator finds his own edit again: a default that is written
//! down now is a change here. The order of settings and tables is none. Secrets are told to be different, not what they are.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use super::source::{COVER, is_secret, name_in_list};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Difference {
    /// Of what: `connector to-b`, or a table as in `mta`.
    pub(crate) item: String,
    /// What happened to it.
    pub(crate) change: Change,
    /// Which setting of it, if not the whole of it came or went.
    pub(crate) setting: Option<String>,
    /// The value before, as it is written in the file.
    pub(crate) before: Option<String>,
    /// The value after.
    pub(crate) after: Option<String>,
}

/// What happened to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It is new.
    Added,
    /// It is another.
    Changed,
    /// It is no more.
    Removed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { item, setting, before, after, .. } = self;
        let Some(setting) = setting else {
            return match self.change {
                Change::Added => write!(f, "{item} is added"),
                Change::Changed => write!(f, "{item} is changed"),
                Change::Removed => write!(f, "{item} is removed"),
            };
        };
        match (before, after) {
            (Some(before), Some(after)) if before == after => write!(f, "{item}: {setting} is another"),
            (Some(before), Some(after)) => write!(f, "{item}: {setting} is {after} instead of {before}"),
            (None, Some(after)) => write!(f, "{item}: {setting} is set to {after}"),
            (Some(before), None) => write!(f, "{item}: {setting} is no longer set (it was {before})"),
            (None, None) => write!(f, "{item}: {setting}"),
        }
    }
}

/// A value, and how it may be shown.
#[derive(PartialEq, Eq)]
struct Value {
    exact: String,
    shown: String,
}

type Items = BTreeMap<String, BTreeMap<String, Value>>;

/// What is different in `new`.
pub(crate) fn differences(old: &str, new: &str) -> Vec<Difference> {
    let (old, new) = (items(old), items(new));
    let mut found = Vec::new();
    let whole = |item: &str, change| Difference {
        item: item.to_owned(),
        change,
        setting: None,
        before: None,
        after: None,
    };
    for (item, before) in &old {
        let Some(after) = new.get(item) else {
            found.push(whole(item, Change::Removed));
            continue;
        };
        let mut settings: Vec<&String> = before.keys().chain(after.keys()).collect();
        settings.sort();
        settings.dedup();
        for setting in settings {
            let (before, after) = (before.get(setting), after.get(setting));
            if before == after {
                continue;
            }
            let change = match (before, after) {
                (None, _) => Change::Added,
                (Some(_), None) => Change::Removed,
                (Some(_), Some(_)) => Change::Changed,
            };
            found.push(Difference {
                item: item.clone(),
                change,
                setting: Some(setting.clone()),
                before: before.map(|value| value.shown.clone()),
                after: after.map(|value| value.shown.clone()),
            });
        }
    }
    found.extend(new.keys().filter(|item| !old.contains_key(*item)).map(|item| whole(item, Change::Added)));
    found
}

/// Tables of the file and of its lists, with all that is in them.
fn items(text: &str) -> Items {
    let (tree, _) = DeTable::parse_recoverable(text);
    let mut items = Items::new();
    for (key, value) in tree.get_ref().iter() {
        let key: &str = key.get_ref();
        match value.get_ref() {
            DeValue::Table(table) => settings(table, "", items.entry(key.to_owned()).or_default()),
            DeValue::Array(list) => {
                for (n, item) in list.iter().enumerate() {
                    let Some(table) = item.get_ref().as_table() else { continue };
                    let name = format!("{key} {}", name_in_list(table, n));
                    settings(table, "", items.entry(name).or_default());
                }
            }
            other => {
                let settings = items.entry("the file".to_owned()).or_default();
                settings.insert(key.to_owned(), value_of(key, other));
            }
        }
    }
    items
}

fn settings(table: &DeTable<'_>, path: &str, found: &mut BTreeMap<String, Value>) {
    for (key, value) in table.iter() {
        let key: &str = key.get_ref();
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value.get_ref() {
            DeValue::Table(table) => settings(table, &path, found),
            DeValue::Array(list)
                if !list.is_empty() && list.iter().all(|item| item.get_ref().as_table().is_some()) =>
            {
                for (n, item) in list.iter().enumerate() {
                    let Some(table) = item.get_ref().as_table() else { continue };
                    settings(table, &format!("{path} {}", name_in_list(table, n)), found);
                }
            }
            other => {
                found.insert(path, value_of(key, other));
            }
        }
    }
}

fn value_of(key: &str, value: &DeValue<'_>) -> Value {
    let exact = written(value);
    let shown = if is_secret(key) { format!("\"{COVER}\"") } else { exact.clone() };
    Value { exact, shown }
}

/// A value as a file has it.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.to_string(), |n| n.to_string()),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| {
                let key: &str = key.get_ref();
                format!("{key} = {}", value_of(key, value.get_ref()).shown)
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<String> {
        differences(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_edit_is_told_in_words_and_nothing_else() {
        let old = "[mta]\nname = \"A\"\nhop_limit = 20\n[[connector]]\nname = \"to-b\"\nhosts = [\"b\"]\nremote_password = \"x\"\nretry = { open_interval_s = 600 }\n[[connector]]\nname = \"to-c\"\n";
        let new = "[[connector]]\nname = \"to-d\"\n[[connector]]\nretry.open_interval_s = 300\nremote_password = \"y\"\nhosts = [\"b\", \"b2\"]\nname = \"to-b\"\n[mta]\nhop_limit = 0x14\nname = \"A\"\nleast_cost_only = true\n";
        assert_eq!(
            told(old, new),
            [
                "connector to-b: hosts is [\"b\", \"b2\"] instead of [\"b\"]",
                "connector to-b: remote_password is another",
                "connector to-b: retry.open_interval_s is 300 instead of 600",
                "connector to-c is removed",
                "mta: least_cost_only is set to true",
                "connector to-d is added",
            ]
        );
        assert_eq!(told(new, new), Vec::<String>::new());
        assert_eq!(told(new, old).len(), 6);
    }

    #[test]
    fn lists_in_a_connector_go_by_their_addresses() {
        let old = "[[connector]]\nname = \"b\"\naddress_space = [{ address = \"P=B;A= ;C=GB\" }, { address = \"P=C;A= ;C=GB\", cost = 2 }]\n";
        let new = "[[connector]]\nname = \"b\"\naddress_space = [{ address = \"P=C;A= ;C=GB\", cost = 3 }, { address = \"P=B;A= ;C=GB\" }]\n";
        assert_eq!(told(old, new), ["connector b: address_space P=C;A= ;C=GB.cost is 3 instead of 2"]);
    }

    #[test]
    fn secrets_in_tables_of_mixed_lists_stay_covered() {
        let text = "[x]\nlist = [1, { password = \"deep\" }]\n";
        assert!(!told("[x]\nlist = []\n", text).concat().contains("deep"));
    }
}
