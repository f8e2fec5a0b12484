//! What looks like a secret in the comments of a configuration: a setting that somebody has commented out, or a note.
//!
//! It is covered like a secret of the tree, with a number, by which it is found again when an edited text comes back: comments
//! have no place in a tree, and may be moved, deleted or made settings.

use std::ops::Range;

use super::source::COVER;

/// Words behind which `=` or `:` begins a secret.
const WORDS: [&str; 6] = ["password", "passwd", "passphrase", "pwd", "secret", "token"];

/// What stands in place of the secret with this index.
pub(super) fn cover(index: usize) -> String {
    format!("\"{COVER}({})\"", index + 1)
}

/// The index that a covered value has, if it comes from a comment.
pub(super) fn index_of(value: &str) -> Option<usize> {
    let number = value.strip_prefix(COVER)?.strip_prefix('(')?.strip_suffix(')')?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

/// Where secrets stand in comments, each up to the end of its line.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    comments(text).into_iter().filter_map(|comment| secret(text, comment)).collect()
}

/// Where covers stand in comments, and which.
pub(super) fn covers(text: &str) -> Vec<(Range<usize>, usize)> {
    let mut found = Vec::new();
    for Range { start, end } in secrets(text) {
        let value = text.get(start..end).unwrap_or_default();
        // More may have been written behind it.
        let literal = value.strip_prefix('"').and_then(|rest| Some(rest.split_once('"')?.0));
        if let Some((literal, index)) = literal.and_then(|literal| Some((literal, index_of(literal)?))) {
            found.push((start..start + literal.len() + 2, index));
        }
    }
    found
}

/// Where the first secret stands in a comment.
fn secret(text: &str, comment: Range<usize>) -> Option<Range<usize>> {
    let words = text.get(comment.clone())?;
    // Case matters to no word of these, and has no influence on where they stand.
    let lower = words.to_ascii_lowercase();
    let found = lower.match_indices(['=', ':']).find(|(at, _)| {
        let before = lower.get(..*at).unwrap_or_default().trim_end().trim_end_matches(['"', '\'']);
        WORDS.iter().any(|word| before.ends_with(word))
    });
    let behind = comment.start + found?.0 + 1;
    let value = text.get(behind..comment.end)?;
    let start = behind + (value.len() - value.trim_start().len());
    let end = behind + value.trim_end().len();
    (start < end).then_some(start..end)
}

/// The comments of a text, without their line ends. A text that is no TOML is read as far as it goes.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(next) = rest.find(['#', '"', '\'']) else { break };
        at += next;
        let rest = rest.get(next..).unwrap_or_default();
        if rest.starts_with('#') {
            let length = rest.find('\n').unwrap_or(rest.len());
            found.push(at..at + length);
            at += length;
            continue;
        }
        at += ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| rest.starts_with(quote))
            .map_or(1, |quote| string(rest, quote));
    }
    found
}

/// How long the string is that `text` begins with.
fn string(text: &str, quote: &str) -> usize {
    let mut at = quote.len();
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if rest.starts_with(quote) {
            // Of four or five quotes the last three end it.
            let more = rest.chars().take_while(|c| quote.starts_with(*c)).count();
            return at + if quote.len() == 3 { more.min(5) } else { 1 };
        }
        if c == '\n' && quote.len() == 1 {
            break;
        }
        at += c.len_utf8();
        if c == '\\' && quote.starts_with('"') {
            at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_found_in_comments_and_nowhere_else() {
        let text = "# remote_password = \"one\" # two\n\
                    password = \"# pwd = no\" # Old Password:  hunter2 \n\
                    a = 'x # secret = no' # token_file = \"no\"\n\
                    b = \"\"\"\n# token = no \\\"\"\"\" # \"token\"= \"three\"\n\
                    c = '''# pwd: no'''' # password =\n# the password is long\n\
                    d = \"\\\"# pwd = no\"# SECRET=é";
        let found: Vec<&str> = secrets(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["\"one\" # two", "hunter2", "\"three\"", "é"]);
    }

    #[test]
    fn covers_are_known_by_their_number() {
        assert_eq!(
            (index_of("********(3)"), index_of("********(0)"), index_of("********"), index_of("x")),
            (Some(2), None, None, None)
        );
        let text = format!("# password = {} # more\n# pwd: {}\n# pwd = \"x\"", cover(4), cover(0));
        let found = covers(&text);
        let found: Vec<(&str, usize)> =
            found.into_iter().map(|(range, index)| (&text[range], index)).collect();
        assert_eq!(found, [("\"********(5)\"", 4), ("\"********(1)\"", 0)]);
    }
}
