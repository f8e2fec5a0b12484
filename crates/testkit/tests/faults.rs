//! The list of known faults (docs/faults.md) names tests: each of them exists, and each fault has one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names of all functions marked as tests, in every crate.
fn tests() -> HashSet<String> {
    let mut found = HashSet::new();
    let mut waiting = vec![root().join("crates")];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names(&std::fs::read_to_string(path).unwrap(), &mut found);
            }
        }
    }
    found
}

fn names(source: &str, found: &mut HashSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        // Between the mark and the function there may be other attributes and comments.
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        }
        let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        if let Some(name) = function.and_then(|rest| rest.split('(').next())
            && std::mem::take(&mut is_test)
        {
            found.insert(name.to_owned());
        }
    }
}

/// The cells of each row of a table, without head and rule.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| article "));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_known_fault_has_tests_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/faults.md")).unwrap();
    let tests = tests();
    let rows = rows(&text);
    assert!(rows.len() > 25, "{} rows", rows.len());
    let mut articles = HashSet::new();
    for row in &rows {
        let [article, fault, what_happens, named] = row[..] else { panic!("not four cells: {row:?}") };
        assert!(!fault.is_empty() && !what_happens.is_empty(), "{row:?}");
        for article in article.split(", ") {
            assert!(articles.insert(article), "{article} is there twice");
        }
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{article}: no test");
        for name in named {
            assert!(tests.contains(name), "{article}: there is no test {name}");
        }
    }
}

#[test]
fn a_function_that_is_no_test_does_not_count() {
    let mut found = HashSet::new();
    names(
        "#[test]\n#[ignore]\nfn one() {}\nfn helper() {}\n    #[tokio::test]\n    async fn two() {}",
        &mut found,
    );
    assert_eq!(found, ["one", "two"].map(str::to_owned).into());
}
