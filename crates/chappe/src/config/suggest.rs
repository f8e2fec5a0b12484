//! "Did you mean": the known word nearest to a mistyped one.

/// The word of `known` nearest to `typed`, if it is near enough to be what was meant: at most a third of the letters
/// (and at least one) may differ.
pub(crate) fn nearest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // An absurdly long key would cost quadratic time and resembles nothing.
    if typed.len() > 64 {
        return None;
    }
    known
        .map(|word| (distance(&typed.to_ascii_lowercase(), word), word))
        .filter(|(d, word)| *d <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

/// How many letters must be added, removed or replaced to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut last = i + 1;
        for ((cb, above_left), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            last = (above_left + usize::from(ca != *cb)).min(above + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_nonsense_finds_none() {
        let known = ["open_interval_s", "max_open_retries", "hosts", "name"];
        assert_eq!(nearest("open_intervall_s", known.into_iter()), Some("open_interval_s"));
        assert_eq!(nearest("host", known.into_iter()), Some("hosts"));
        assert_eq!(nearest("Name", known.into_iter()), Some("name"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!(nearest(&"n".repeat(1000), known.into_iter()), None);
    }

    #[test]
    fn distance_is_symmetric() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("sitting", "kitten"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
