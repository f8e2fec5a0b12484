//! What is wrong with a configuration file, and where.
//!
//! Reading never stops at the first mistake: every reader adds to one [`Problems`] and goes on with a default, so
//! that an operator sees all of them at once. Positions are octet offsets until the end, when [`ConfigError`] turns
//! them into lines and columns.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One mistake in a configuration file, ready to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What the operator can do about it.
    pub fix: String,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file can't be read at all.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file was read and is wrong in at least one place.
    Invalid {
        /// The file.
        file: PathBuf,
        /// Every mistake, in the order of the file.
        problems: Vec<Located>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable { file, source } => write!(
                f,
                "{}: cannot read the configuration: {source}; name a readable file, or write one with `chappe config init FILE`",
                file.display()
            ),
            ConfigError::Invalid { file, problems } => {
                for (n, p) in problems.iter().enumerate() {
                    if n > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{}:{}:{}: {}; {}", file.display(), p.line, p.column, p.what, p.fix)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Unreadable { source, .. } => Some(source),
            ConfigError::Invalid { .. } => None,
        }
    }
}

/// What kind of mistake it is, as far as reporting depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The text is not TOML.
    Syntax,
    /// Something required is not there. Meaningless where the text around it was not TOML.
    Missing,
    /// Something is there and wrong.
    Wrong,
}

#[derive(Clone, Debug)]
struct Problem {
    at: usize,
    kind: Kind,
    what: String,
    fix: String,
}

/// Collects mistakes while a file is read, and remembers where each setting stands in it.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: RefCell<Vec<Problem>>,
    places: RefCell<Vec<(String, usize)>>,
}

impl Problems {
    /// The text at offset `at` is not TOML.
    pub(crate) fn syntax(&self, at: usize, what: impl Into<String>) {
        self.add(at, Kind::Syntax, what.into(), "correct the TOML syntax here".to_owned());
    }

    /// Something required is missing from the table at offset `at`.
    pub(crate) fn missing(&self, at: usize, what: impl Into<String>, fix: impl Into<String>) {
        self.add(at, Kind::Missing, what.into(), fix.into());
    }

    /// The value at offset `at` is wrong.
    pub(crate) fn wrong(&self, at: usize, what: impl Into<String>, fix: impl Into<String>) {
        self.add(at, Kind::Wrong, what.into(), fix.into());
    }

    fn add(&self, at: usize, kind: Kind, what: String, fix: String) {
        self.found.borrow_mut().push(Problem { at, kind, what, fix });
    }

    /// Remembers that the setting `path` (as in `connector[1].hosts[0]`) stands at offset `at`.
    pub(crate) fn place(&self, path: String, at: usize) {
        self.places.borrow_mut().push((path, at));
    }

    /// Adds a mistake that was found in the finished settings, where the file's spans are no longer known: it is
    /// reported at the longest known prefix of `path`, and dropped if reading already complained about that very
    /// setting.
    pub(crate) fn at_path(&self, path: &str, what: impl Into<String>, fix: impl Into<String>) {
        let places = self.places.borrow();
        let nearest = places
            .iter()
            .filter(|(known, _)| is_path_prefix(known, path))
            .max_by_key(|(known, _)| known.len());
        let (exact, at) = nearest.map_or((false, 0), |(known, at)| (known == path, *at));
        if !exact || !self.found.borrow().iter().any(|p| p.at == at) {
            self.wrong(at, format!("{path}: {}", what.into()), fix);
        }
    }

    /// True while nothing wrong was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Every mistake in the order of `text`, with lines and columns.
    ///
    /// After a syntax error the rest of the tree is a guess: what then seems to be missing, and what seems to be
    /// wrong on the very line of a syntax error, is left out.
    pub(crate) fn locate(self, file: &Path, text: &str) -> ConfigError {
        let mut found = self.found.into_inner();
        let broken: Vec<usize> =
            found.iter().filter(|p| p.kind == Kind::Syntax).map(|p| position(text, p.at).0).collect();
        if !broken.is_empty() {
            found.retain(|p| match p.kind {
                Kind::Syntax => true,
                Kind::Missing => false,
                Kind::Wrong => !broken.contains(&position(text, p.at).0),
            });
        }
        found.sort_by_key(|p| p.at);
        let problems = found
            .into_iter()
            .map(|p| {
                let (line, column) = position(text, p.at);
                Located { line, column, what: p.what, fix: p.fix }
            })
            .collect();
        ConfigError::Invalid { file: file.to_owned(), problems }
    }
}

fn is_path_prefix(known: &str, path: &str) -> bool {
    path.strip_prefix(known)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
}

/// Line and column of the octet offset `at`, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_stay_inside_the_text() {
        assert_eq!(position("", 5), (1, 1));
        assert_eq!(position("a\nbé=x", 0), (1, 1));
        assert_eq!(position("a\nbé=x", 2), (2, 1));
        assert_eq!(position("a\nbé=x", 5), (2, 3));
        // In the middle of the two octets of é.
        assert_eq!(position("a\nbé=x", 4), (2, 2));
    }

    #[test]
    fn a_late_finding_lands_on_the_nearest_known_place_and_does_not_repeat() {
        let problems = Problems::default();
        problems.place("connector[1]".into(), 10);
        problems.place("connector[1].hosts".into(), 20);
        problems.place("connector[10].hosts".into(), 90);
        problems.wrong(20, "not a list", "write a list");
        problems.at_path("connector[1].hosts", "there is no host", "name one");
        problems.at_path("connector[10].hosts", "there is no host", "name one");
        problems.at_path("connector[1].retry.open_interval_s", "too short", "wait longer");
        let found: Vec<usize> = problems.found.borrow().iter().map(|p| p.at).collect();
        assert_eq!(found, [20, 90, 10]);
    }
}
