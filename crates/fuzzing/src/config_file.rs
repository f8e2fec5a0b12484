//! The configuration file: any text is loaded, or refused in words that name a line and a column of it and say what to
//! do. What is loaded is loaded again and is the same, with a comment at its end as well. What is said of a text is in
//! proportion to it. The file that `chappe config init` writes is loaded.

use std::path::Path;
use std::sync::Once;

use chappe::config::{self as program, ConfigError};

/// The file that `chappe config init` writes.
pub(crate) fn starting_file() -> &'static str {
    program::starting_file()
}

pub(crate) fn run(octets: &[u8]) {
    static STARTING: Once = Once::new();
    STARTING.call_once(|| {
        program::parse(Path::new("x"), starting_file()).expect("the file to start with");
    });
    // What is no text is refused by whoever reads the file. A secret that is read from a device may never come.
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if text.contains("/dev") || text.contains("/proc") {
        return;
    }
    match program::parse(Path::new("x"), text) {
        Ok(config) => {
            assert_eq!(config.settings.validate(), Vec::new());
            let shown = meaning(&config);
            for same in [text.to_owned(), format!("{text}\n# the end")] {
                let again = program::parse(Path::new("x"), &same).expect("it was loaded before");
                assert_eq!(meaning(&again), shown);
            }
        }
        Err(error) => refused(text, &error),
    }
}

/// All of a configuration but the digest of its text, which stands last.
fn meaning(config: &program::Config) -> String {
    let shown = format!("{config:?}");
    let (meaning, _) = shown.rsplit_once("source: ").expect("a configuration knows its text");
    meaning.to_owned()
}

fn refused(text: &str, error: &ConfigError) {
    let ConfigError::Invalid { problems, .. } = error else { panic!("nothing was read: {error}") };
    assert!(!problems.is_empty(), "refused for nothing");
    let said = error.to_string();
    assert!(said.len() <= 3_000 * (text.len() + 1), "{} octets of words for {}", said.len(), text.len());
    let lines: Vec<&str> = text.split('\n').collect();
    for problem in problems {
        assert!(!problem.what.is_empty() && !problem.fix.is_empty());
        assert!(said.contains(&format!("x:{}:{}: {}; ", problem.line, problem.column, problem.what)));
        let line = lines.get(problem.line.wrapping_sub(1)).expect("a line of the text");
        assert!((1..=line.chars().count() + 1).contains(&problem.column), "no place in the line: {said}");
    }
    assert!(problems.is_sorted_by_key(|problem| problem.line), "not in the order of the file");
}
