//! The text of a configuration, with its secrets covered where people are to see it.
//!
//! A covered secret that comes back in an edited text stands for the one that is there: it is found again by its place,
//! in which tables of a list go by their names and not by their order. So does what looks like one in a comment.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use super::comments;
use super::problem::{ConfigError, Problems};

/// What stands in place of a secret.
pub(crate) const COVER: &str = "********";

/// The text of a configuration.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Source(Arc<str>);

/// Secrets stay out of logs.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.digest())
    }
}

impl Source {
    pub(crate) fn new(text: &str) -> Source {
        Source(text.into())
    }

    /// The text as it is.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the text in hexadecimal: two texts with the same one are the same.
    pub(crate) fn digest(&self) -> String {
        Sha256::digest(self.0.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// The text without its secrets.
    pub(crate) fn covered(&self) -> String {
        let covers = secrets(&self.0).into_iter().map(|secret| (secret.range, format!("\"{COVER}\"")));
        let in_comments = comments::secrets(&self.0).into_iter().enumerate();
        let covers = covers.chain(in_comments.map(|(n, range)| (range, comments::cover(n))));
        replaced(&self.0, covers.collect())
    }

    /// An edited text with the secrets of this one where it has covered ones.
    ///
    /// # Errors
    /// A covered secret that is not in this text.
    pub(crate) fn uncover(&self, file: &Path, edited: &str) -> Result<String, ConfigError> {
        let known = secrets(&self.0);
        let in_comments = comments::secrets(&self.0);
        let own = |range: &Range<usize>| self.0.get(range.clone()).unwrap_or_default().to_owned();
        let problems = Problems::default();
        let mut found = Vec::new();
        for (range, index) in comments::covers(edited) {
            // Of a comment that never was nothing depends.
            found.extend(in_comments.get(index).map(|known| (range, own(known))));
        }
        for secret in secrets(edited).into_iter().filter(|secret| secret.value.starts_with(COVER)) {
            let in_comment = comments::index_of(&secret.value).map(|index| in_comments.get(index));
            let known = match in_comment {
                // It was a comment before.
                Some(known) => known,
                None if secret.value == COVER => {
                    known.iter().find(|known| known.path == secret.path).map(|known| &known.range)
                }
                None => continue,
            };
            match known {
                Some(known) => found.push((secret.range, own(known))),
                None => problems.wrong(
                    secret.range.start,
                    format!("there is no `{}` to keep", secret.path),
                    "write the password itself; asterisks stand for the one that is in force",
                ),
            }
        }
        let text = replaced(edited, found);
        if problems.is_empty() { Ok(text) } else { Err(problems.locate(file, edited)) }
    }
}

/// A text with other pieces in these places, which do not overlap.
fn replaced(text: &str, mut pieces: Vec<(Range<usize>, String)>) -> String {
    pieces.sort_by_key(|(range, _)| range.start);
    let mut text = text.to_owned();
    for (range, piece) in pieces.into_iter().rev() {
        if text.get(range.clone()).is_some() {
            text.replace_range(range, &piece);
        }
    }
    text
}

/// A secret in a text.
struct Secret {
    /// Where it belongs, as in `connector to-b.password`.
    path: String,
    value: String,
    /// The literal, quotes included.
    range: Range<usize>,
}

/// Whether a setting holds a secret itself.
pub(super) fn is_secret(key: &str) -> bool {
    key == "password" || key.ends_with("_password")
}

/// The name by which a table in a list is told from the others; its number if it has none.
pub(super) fn name_in_list(table: &DeTable<'_>, index: usize) -> String {
    let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    ["name", "address", "from"].into_iter().find_map(text).unwrap_or_else(|| format!("number {}", index + 1))
}

fn secrets(text: &str) -> Vec<Secret> {
    let (tree, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    collect(tree.get_ref(), "", &mut found);
    // A damaged text is read as far as it goes: what is not where it seems to be is left alone.
    found.retain(|secret: &Secret| text.get(secret.range.clone()).is_some());
    found.sort_by_key(|secret| secret.range.start);
    found
}

fn collect(table: &DeTable<'_>, path: &str, found: &mut Vec<Secret>) {
    for (key, value) in table.iter() {
        let key: &str = key.get_ref();
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value.get_ref() {
            DeValue::String(text) if is_secret(key) => {
                found.push(Secret { path, value: text.to_string(), range: value.span() });
            }
            DeValue::Table(table) => collect(table, &path, found),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    if let Some(table) = item.get_ref().as_table() {
                        collect(table, &format!("{path} {}", name_in_list(table, n)), found);
                    }
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"# ours
[mta]
name = "A" # password = "fifth"
password = "first \" one"
[[connector]]
name = "to-b"
remote_password = 'second'   # kept
password_file = "not/a/secret"
[[connector]]
name = "to-c"
local_password = """third"""
remote = { password = "fourth" }
"#;

    #[test]
    fn no_secret_is_shown_and_all_come_back() {
        let source = Source::new(TEXT);
        let covered = source.covered();
        for secret in ["first", "second", "third", "fourth", "fifth"] {
            assert!(!covered.contains(secret), "{covered}");
        }
        assert!(covered.contains("not/a/secret") && covered.contains("# kept"), "{covered}");
        assert_eq!(covered.matches(COVER).count(), 5);
        assert_eq!(source.uncover(Path::new("x"), &covered).unwrap(), TEXT);
        assert!(!format!("{source:?}").contains("second"));
    }

    #[test]
    fn a_secret_goes_with_the_name_and_not_with_the_place() {
        let source = Source::new(TEXT);
        let edited = "[[connector]]\nlocal_password = \"********\"\nname = \"to-c\"\n[[connector]]\nname = \"to-b\"\nremote_password = \"new\"\n";
        let whole = source.uncover(Path::new("x"), edited).unwrap();
        assert_eq!(whole, edited.replace("\"********\"", "\"\"\"third\"\"\""));

        let edited = "[[connector]]\nname = \"to-d\"\nremote_password = \"********\"\n";
        let ConfigError::Invalid { problems, .. } = source.uncover(Path::new("x"), edited).unwrap_err()
        else {
            panic!("the text was read")
        };
        let [problem] = problems.as_slice() else { panic!("one problem") };
        assert_eq!((problem.line, problem.column), (3, 19));
        assert!(problem.what.contains("connector to-d.remote_password"), "{}", problem.what);
    }

    #[test]
    fn a_comment_may_become_a_setting_and_be_gone() {
        let source = Source::new(TEXT);
        let covered = source.covered();
        let edited =
            covered.replace("# password = \"********(1)\"", "\nlocal_password = \"********(1)\" # in force");
        let whole = source.uncover(Path::new("x"), &edited).unwrap();
        assert_eq!(whole, TEXT.replace("# password = \"fifth\"", "\nlocal_password = \"fifth\" # in force"));
        let edited = covered.replace("# password = \"********(1)\"", "# password = \"********(2)\"");
        let whole = source.uncover(Path::new("x"), &edited).unwrap();
        assert_eq!(whole, TEXT.replace("fifth", "********(2)"), "it stands for nothing");
        let edited = covered.replace("# password = \"********(1)\"", "\nlocal_password = \"********(2)\"");
        assert!(source.uncover(Path::new("x"), &edited).is_err());
    }

    #[test]
    fn texts_differ_by_digest() {
        assert_eq!(
            Source::new("").digest(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_ne!(Source::new("a").digest(), Source::new("b").digest());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(head in "[a-z\\[\\]{}=\"'\\n. ü*]{0,40}", at in 0..400_usize) {
            let cut: String = TEXT.chars().take(at).collect();
            for text in [format!("{head}{cut}"), format!("{cut}{head}")] {
                let source = Source::new(&text);
                let covered = source.covered();
                let _ = Source::new(TEXT).uncover(Path::new("x"), &covered);
                let _ = source.uncover(Path::new("x"), &covered);
            }
        }
    }
}
