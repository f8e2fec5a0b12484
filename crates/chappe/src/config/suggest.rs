//! "Did you mean": the known word nearest to a mistyped one.

/// The word of `known` nearest to `typed`, if it is near enough to be what was meant: at most a third of the letters
/// (and at least one) may differ. Where `typed` is the beginning of known words, it is the one that goes on from there;
/// of several none is better than the others, and a similar word would mislead.
pub(crate) fn nearest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // An absurdly long key would cost quadratic time and resembles nothing.
    if typed.len() > 64 {
        return None;
    }
    let typed = typed.to_ascii_lowercase();
    let known: Vec<&str> = known.collect();
    let mut going_on = known.iter().filter(|word| !typed.is_empty() && word.starts_with(&typed));
    match (going_on.next(), going_on.next()) {
        (Some(word), None) => return Some(word),
        (Some(_), Some(_)) => return None,
        (None, _) => {}
    }
    known
        .into_iter()
        .map(|word| (distance(&typed, word), word))
        .filter(|(d, word)| *d <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

/// How many letters must be added, removed, replaced or swapped with their neighbour to make `b` of `a` (optimal
/// string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&above, j) + usize::from(ca != cb);
            best = best.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            if let (Some(i), Some(j)) = (i.checked_sub(1), j.checked_sub(1))
                && (a.get(i), b.get(j)) == (Some(cb), Some(ca))
            {
                best = best.min(at(&two_above, j) + 1);
            }
            row.push(best);
        }
        two_above = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
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
        assert_eq!(nearest("", known.into_iter()), None);
    }

    #[test]
    fn the_beginning_of_several_words_is_not_taken_for_a_similar_one() {
        let known = ["1988-normal", "1988-x410", "1984"];
        assert_eq!(nearest("1988", known.into_iter()), None);
        assert_eq!(nearest("1988-n", known.into_iter()), Some("1988-normal"));
        assert_eq!(nearest("1994", known.into_iter()), Some("1984"));
    }

    #[test]
    fn distance_is_symmetric() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("sitting", "kitten"), 3);
        assert_eq!(distance("nmae", "name"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
