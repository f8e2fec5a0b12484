//! A configuration text, edited setting by setting: comments, order and layout of what is not edited stay as they are.
//!
//! Nothing is validated here beyond the kind of each value; the text that comes out is checked like any other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, TomlError, Value};

use super::fields::{FIELDS, Kind, find};

/// Items in an array from which on each has a line of its own.
const LONG: usize = 3;

/// One change of a configuration text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// The text.
    pub(crate) text: String,
    /// What is to be done.
    pub(crate) change: EditKind,
    /// Name of the connector.
    pub(crate) connector: String,
    /// Settings by their keys; `null` for one that is to be left out, so that its default holds.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, Json>,
}

/// What is done to a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EditKind {
    /// Settings of it are changed.
    Set,
    /// It is new.
    Add,
    /// It is taken out.
    Remove,
}

/// What a text says of one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Written {
    /// Its name.
    pub(crate) name: String,
    /// The settings that are written down, by their keys; passwords are only said to be there.
    pub(crate) values: BTreeMap<String, Json>,
}

/// Why a text can't be edited so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// It is no TOML.
    #[error("{0}")]
    Syntax(#[from] TomlError),
    /// `connector` is something else than a list of tables.
    #[error("`connector` is not a list of tables in this text")]
    NoList,
    /// There is no such connector.
    #[error("there is no connector `{0}` in this text")]
    NoSuchConnector(String),
    /// There is one of this name.
    #[error("there is a connector `{0}` in this text already")]
    Taken(String),
    /// No such setting.
    #[error("a connector has no setting `{0}`")]
    NoSuchSetting(String),
    /// A value of another kind than the setting has.
    #[error("`{key}` is {wanted}")]
    WrongKind {
        /// The setting.
        key: String,
        /// What it holds.
        wanted: &'static str,
    },
    /// The table that a setting is in is something else in this text.
    #[error("`{0}` is not a table in this text")]
    NoTable(String),
}

/// What the text says of its connectors.
pub(crate) fn written(text: &str) -> Result<Vec<Written>, EditError> {
    let document: DocumentMut = text.parse()?;
    let tables: Vec<&dyn TableLike> = match document.get("connector") {
        None => Vec::new(),
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Some(Item::Value(Value::Array(items))) => items
            .iter()
            .map(|item| item.as_inline_table().map(|table| table as &dyn TableLike))
            .collect::<Option<_>>()
            .ok_or(EditError::NoList)?,
        Some(Item::None | Item::Value(_) | Item::Table(_)) => return Err(EditError::NoList),
    };
    Ok(tables.into_iter().map(of_connector).collect())
}

/// What the text says of all connectors that do not say otherwise, by the keys of the settings.
pub(crate) fn written_defaults(text: &str) -> Result<BTreeMap<String, Json>, EditError> {
    let document: DocumentMut = text.parse()?;
    let table = document.get("messaging_defaults").and_then(Item::as_table_like);
    Ok(table.map(|table| of_connector(table).values).unwrap_or_default())
}

fn of_connector(table: &dyn TableLike) -> Written {
    let values = FIELDS.iter().filter_map(|field| {
        let item = field.key.split('.').try_fold(None, |at: Option<&Item>, part| {
            let inside = match at {
                None => table.get(part),
                Some(item) => item.as_table_like().and_then(|table| table.get(part)),
            };
            inside.map(Some)
        })??;
        let value = if field.kind == Kind::Secret { Json::Bool(true) } else { json(item)? };
        Some((field.key.to_owned(), value))
    });
    Written { name: name_of(table).unwrap_or_default().to_owned(), values: values.collect() }
}

fn name_of(table: &dyn TableLike) -> Option<&str> {
    table.get("name").and_then(Item::as_str)
}

fn json(item: &Item) -> Option<Json> {
    match item {
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of_table(table)).collect(),
        Item::None => None,
    }
}

fn of_value(value: &Value) -> Option<Json> {
    match value {
        Value::String(text) => Some(Json::from(text.value().as_str())),
        Value::Integer(number) => Some(Json::from(*number.value())),
        Value::Boolean(truth) => Some(Json::from(*truth.value())),
        Value::Array(items) => items.iter().map(of_value).collect(),
        Value::InlineTable(table) => of_table(table),
        // No setting of a connector is one.
        Value::Float(_) | Value::Datetime(_) => None,
    }
}

fn of_table(table: &dyn TableLike) -> Option<Json> {
    let entries = table.iter().map(|(key, item)| Some((key.to_owned(), json(item)?)));
    entries.collect::<Option<serde_json::Map<_, _>>>().map(Json::Object)
}

impl Edit {
    /// The text with the change.
    ///
    /// # Errors
    /// See [`EditError`].
    pub(crate) fn apply(&self) -> Result<String, EditError> {
        let mut document: DocumentMut = self.text.parse()?;
        let is_there = written(&self.text)?.iter().position(|one| one.name == self.connector);
        match (self.change, is_there) {
            (EditKind::Add, Some(_)) => return Err(EditError::Taken(self.connector.clone())),
            (EditKind::Add, None) => add(&mut document, &self.connector, &self.values)?,
            (EditKind::Set | EditKind::Remove, None) => {
                return Err(EditError::NoSuchConnector(self.connector.clone()));
            }
            (EditKind::Set, Some(place)) => change(&mut document, place, &self.values)?,
            (EditKind::Remove, Some(place)) => remove(&mut document, place)?,
        }
        Ok(document.to_string())
    }
}

fn add(document: &mut DocumentMut, name: &str, values: &BTreeMap<String, Json>) -> Result<(), EditError> {
    let list = document.entry("connector").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let mut table = Table::new();
    // In the order of the pages, with the name first.
    put(&mut table, "name", &Json::from(name), false)?;
    known(values)?;
    for field in FIELDS.iter().filter(|field| field.key != "name") {
        if let Some(value) = values.get(field.key) {
            put(&mut table, field.key, value, false)?;
        }
    }
    match list {
        Item::ArrayOfTables(tables) => {
            table.decor_mut().set_prefix("\n");
            tables.push(table);
        }
        Item::Value(Value::Array(items)) => items.push(table.into_inline_table()),
        Item::None | Item::Value(_) | Item::Table(_) => return Err(EditError::NoList),
    }
    Ok(())
}

fn change(
    document: &mut DocumentMut,
    place: usize,
    values: &BTreeMap<String, Json>,
) -> Result<(), EditError> {
    known(values)?;
    let (table, is_inline): (&mut dyn TableLike, bool) = match document.get_mut("connector") {
        Some(Item::ArrayOfTables(tables)) => (tables.get_mut(place).ok_or(EditError::NoList)?, false),
        Some(Item::Value(Value::Array(items))) => {
            let item = items.get_mut(place).and_then(Value::as_inline_table_mut);
            (item.ok_or(EditError::NoList)?, true)
        }
        Some(Item::None | Item::Value(_) | Item::Table(_)) | None => return Err(EditError::NoList),
    };
    for (key, value) in values {
        put(table, key, value, is_inline)?;
    }
    Ok(())
}

fn remove(document: &mut DocumentMut, place: usize) -> Result<(), EditError> {
    let is_last = match document.get_mut("connector") {
        Some(Item::ArrayOfTables(tables)) => {
            tables.remove(place);
            tables.is_empty()
        }
        Some(Item::Value(Value::Array(items))) => {
            items.remove(place);
            items.is_empty()
        }
        Some(Item::None | Item::Value(_) | Item::Table(_)) | None => return Err(EditError::NoList),
    };
    if is_last {
        document.remove("connector");
    }
    Ok(())
}

fn known(values: &BTreeMap<String, Json>) -> Result<(), EditError> {
    match values.keys().find(|key| find(key).is_none()) {
        Some(key) => Err(EditError::NoSuchSetting(key.clone())),
        None => Ok(()),
    }
}

/// Sets one setting, or takes it out for `null`.
fn put(table: &mut dyn TableLike, key: &str, value: &Json, is_inline: bool) -> Result<(), EditError> {
    let field = find(key).ok_or_else(|| EditError::NoSuchSetting(key.to_owned()))?;
    let value = match value {
        Json::Null => None,
        value => {
            let wrong = || EditError::WrongKind { key: key.to_owned(), wanted: field.kind.wanted() };
            Some(field.kind.toml(value).ok_or_else(wrong)?)
        }
    };
    let Some((section, key)) = field.key.split_once('.') else {
        put_value(table, field.key, value);
        return Ok(());
    };
    if table.get(section).is_none() {
        if value.is_none() {
            return Ok(());
        }
        // Selectors are a line in the example, everything else a table of its own.
        let new = if is_inline || section.ends_with("_selectors") {
            Item::Value(Value::InlineTable(InlineTable::new()))
        } else {
            Item::Table(Table::new())
        };
        table.insert(section, new);
        if is_inline {
            table.fmt();
        }
    }
    let inside = table.get_mut(section).and_then(Item::as_table_like_mut);
    let inside = inside.ok_or_else(|| EditError::NoTable(section.to_owned()))?;
    put_value(inside, key, value);
    if inside.is_empty() {
        table.remove(section);
    }
    Ok(())
}

fn put_value(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    let Some(mut value) = value else {
        table.remove(key);
        return;
    };
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            // The comment behind it stays.
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Some(item) => *item = Item::Value(value),
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

impl Kind {
    fn wanted(self) -> &'static str {
        match self {
            Kind::Text | Kind::Secret | Kind::Choice(_) => "a text",
            Kind::Number(..) | Kind::Size(_) => "a whole number",
            Kind::Truth => "true or false",
            Kind::Texts | Kind::Words(_) | Kind::Times => "a list of texts",
            Kind::Spaces => "a list of address spaces, each with `address` and `cost`",
            Kind::Domain => "a domain with `country`, `admd` and perhaps `prmd`",
        }
    }

    /// The value as it is written; none if it is of another kind.
    fn toml(self, value: &Json) -> Option<Value> {
        match self {
            Kind::Text | Kind::Secret | Kind::Choice(_) => Some(Value::from(value.as_str()?)),
            Kind::Number(..) | Kind::Size(_) => Some(Value::from(value.as_i64()?)),
            Kind::Truth => Some(Value::from(value.as_bool()?)),
            Kind::Texts | Kind::Words(_) | Kind::Times => {
                let texts = value.as_array()?.iter().map(|text| text.as_str().map(Value::from));
                Some(list(texts.collect::<Option<_>>()?))
            }
            Kind::Spaces => {
                let spaces = value.as_array()?.iter().map(|space| members(space, &["address"], Some("cost")));
                Some(list(spaces.collect::<Option<_>>()?))
            }
            Kind::Domain => members(value, &["country", "admd", "prmd"], None),
        }
    }
}

/// A table in one line of these texts and this number, as far as they are there.
fn members(value: &Json, texts: &[&str], number: Option<&str>) -> Option<Value> {
    let given = value.as_object()?;
    let mut table = InlineTable::new();
    for key in texts {
        if let Some(text) = given.get(*key) {
            table.insert(*key, Value::from(text.as_str()?));
        }
    }
    if let Some(key) = number
        && let Some(value) = given.get(key)
    {
        table.insert(key, Value::from(value.as_i64()?));
    }
    let is_all_known = given.keys().all(|key| texts.contains(&key.as_str()) || number == Some(key));
    is_all_known.then_some(Value::InlineTable(table))
}

fn list(items: Vec<Value>) -> Value {
    let is_long = items.len() >= LONG;
    let mut array = Array::new();
    for mut item in items {
        if is_long {
            item.decor_mut().set_prefix("\n    ");
        }
        array.push_formatted(item);
    }
    if is_long {
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    } else {
        array.fmt();
    }
    Value::Array(array)
}

#[cfg(test)]
mod tests;
