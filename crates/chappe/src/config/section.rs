//! Typed reading of one TOML table, with every mistake noted and none fatal.
//!
//! A [`Section`] knows which keys were asked for, so [`Section::finish`] can name those which nobody knows.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use super::suggest::nearest;

/// A string of the file and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The string.
    pub(crate) value: String,
    /// Offset in the file.
    pub(crate) at: usize,
    /// Full name of the setting, as in `connector[1].hosts[0]`.
    pub(crate) path: String,
}

/// One table of the file.
pub(crate) struct Section<'t> {
    path: String,
    at: usize,
    table: &'t DeTable<'t>,
    asked: Vec<&'static str>,
    problems: &'t Problems,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub(crate) fn root(table: &'t DeTable<'t>, problems: &'t Problems) -> Self {
        Section { path: String::new(), at: 0, table, asked: Vec::new(), problems }
    }

    /// Where the table stands.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Full name of the table, as in `connector[1].rts`; empty for the file itself.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where mistakes go.
    pub(crate) fn problems(&self) -> &'t Problems {
        self.problems
    }

    /// The name that the table has in messages.
    fn title(&self) -> String {
        if self.path.is_empty() { "the file".to_owned() } else { format!("[{}]", self.path) }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of `key`, if it is there; notes that `key` is a known one.
    fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(key);
        let value = self.table.get(key)?;
        self.problems.place(self.full(key), value.span().start);
        Some(value)
    }

    /// True if `key` is in the file.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'t>>, wanted: &str) {
        self.problems.wrong(
            value.span().start,
            format!("`{key}` is {}, not {wanted}", type_name(value.get_ref())),
            format!("write {wanted}"),
        );
    }

    /// A string.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<Text> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string in quotes");
            return None;
        };
        Some(Text { value: text.to_owned(), at: value.span().start, path: self.full(key) })
    }

    /// A string that must be there; `example` shows one.
    pub(crate) fn required_string(&mut self, key: &'static str, example: &str) -> Option<Text> {
        if !self.has(key) {
            self.asked.push(key);
            self.missing(key, example);
            return None;
        }
        self.string(key)
    }

    /// Notes that the required `key` is not there.
    pub(crate) fn missing(&self, key: &str, example: &str) {
        self.problems.missing(
            self.at,
            format!("{} has no `{key}`", self.title()),
            format!("add {key} = {example}"),
        );
    }

    /// A whole number inside `range`, if it is there.
    pub(crate) fn number_in(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let (value, number, shown) = self.number(key)?;
        if let Some(n) = number.filter(|n| range.contains(n)) {
            return Some(n);
        }
        self.problems.wrong(
            value,
            format!("`{key}` = {shown} is out of range"),
            format!("choose a number from {} to {}", range.start(), range.end()),
        );
        None
    }

    /// A whole number whose range the settings themselves check, if it is there.
    pub(crate) fn number_of<N: TryFrom<u64>>(&mut self, key: &'static str) -> Option<N> {
        let (value, number, shown) = self.number(key)?;
        let number = number.and_then(|n| N::try_from(n).ok());
        if number.is_none() {
            self.problems.wrong(
                value,
                format!("`{key}` = {shown} is out of range"),
                "`chappe config init` lists the range of every setting",
            );
        }
        number
    }

    /// Offset, value (none if negative or huge) and text of a whole number.
    fn number(&mut self, key: &'static str) -> Option<(usize, Option<u64>, String)> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        Some((value.span().start, number, integer.to_string()))
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.value(key) else { return default };
        let Some(truth) = value.get_ref().as_bool() else {
            self.wrong_type(key, value, "true or false");
            return default;
        };
        truth
    }

    /// One of a fixed list of words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.string(key) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text.value) {
            return *choice;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let fix = match nearest(&text.value, names.iter().copied()) {
            Some(name) => format!("did you mean \"{name}\"? Choices: {}", names.join(", ")),
            None => format!("choose one of {}", names.join(", ")),
        };
        self.problems.wrong(text.at, format!("`{key}` = \"{}\" is not known", text.value), fix);
        default
    }

    /// A list of strings; a single string counts as a list of one.
    pub(crate) fn strings(&mut self, key: &'static str) -> Option<Vec<Text>> {
        let value = self.value(key)?;
        if let Some(text) = value.get_ref().as_str() {
            let at = value.span().start;
            return Some(vec![Text { value: text.to_owned(), at, path: self.full(key) }]);
        }
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of strings");
            return None;
        };
        let mut texts = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let path = format!("{}[{n}]", self.full(key));
            self.problems.place(path.clone(), item.span().start);
            match item.get_ref().as_str() {
                Some(text) => texts.push(Text { value: text.to_owned(), at: item.span().start, path }),
                None => self.wrong_type(&path, item, "a string in quotes"),
            }
        }
        Some(texts)
    }

    /// The table `key`, if it is there.
    pub(crate) fn section(&mut self, key: &'static str) -> Option<Section<'t>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        Some(self.child(self.full(key), value, table))
    }

    /// The list of tables `key`: `[[key]]` or `key = [{..}, {..}]`.
    pub(crate) fn sections(&mut self, key: &'static str) -> Vec<Section<'t>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let path = format!("{}[{n}]", self.full(key));
            self.problems.place(path.clone(), item.span().start);
            match item.get_ref().as_table() {
                Some(table) => tables.push(self.child(path, item, table)),
                None => self.wrong_type(&path, item, "a table"),
            }
        }
        tables
    }

    fn child(&self, path: String, value: &Spanned<DeValue<'t>>, table: &'t DeTable<'t>) -> Section<'t> {
        Section { path, at: value.span().start, table, asked: Vec::new(), problems: self.problems }
    }

    /// Complains about every key that nothing asked for.
    pub(crate) fn finish(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let mut known = self.asked.clone();
            known.sort_unstable();
            let fix = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it; known here: {}", known.join(", ")),
            };
            self.problems.wrong(key.span().start, format!("{} knows no `{name}`", self.title()), fix);
        }
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
