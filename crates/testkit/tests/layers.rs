//! The direction of dependencies, as ARCHITECTURE.md has it: a crate uses only crates above it in the table.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;

/// From the bottom of the protocol to the program.
const ORDER: [&str; 8] = ["clock", "ber", "osi", "mhs", "spool", "agent", "runtime", "chappe"];
/// For tests alone.
const DEVELOPMENT: [&str; 4] = ["testkit", "fuzzing", "sim", "browser"];
/// Allowed to read clocks, open sockets and start tasks.
const IMPURE: [&str; 3] = ["spool", "runtime", "chappe"];
/// Words that only those crates may use in their sources.
/// (`std::net` has addresses too, which are only values.)
const IO_WORDS: [&str; 9] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::fs",
    "Instant::now",
    "SystemTime::now",
    "tokio::",
    "std::thread",
];

fn crates() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path.join("Cargo.toml")).unwrap())
        })
        .collect()
}

#[test]
fn a_crate_depends_only_on_crates_above_it() {
    let crates = crates();
    for (rank, name) in ORDER.iter().enumerate() {
        let manifest = &crates[*name];
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        for later in &ORDER[rank + 1..] {
            let uses = dependencies.lines().any(|line| line.split([' ', '.', '=']).next() == Some(later));
            assert!(!uses, "{name} depends on {later}, which stands below it");
        }
        for development in DEVELOPMENT {
            assert!(!dependencies.contains(development), "{name} depends on {development}");
        }
    }
}

#[test]
fn every_crate_is_in_the_order_and_in_the_architecture() {
    let architecture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let architecture = std::fs::read_to_string(architecture).unwrap();
    for name in crates().keys() {
        let known = ORDER.contains(&name.as_str()) || DEVELOPMENT.contains(&name.as_str());
        assert!(known, "{name} has no place in the order");
        assert!(architecture.contains(&format!("`{name}`")), "ARCHITECTURE.md does not mention {name}");
    }
}

#[test]
fn pure_crates_do_no_input_or_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let mut seen = 0;
    for name in ORDER.iter().filter(|name| !IMPURE.contains(name)) {
        let mut folders = vec![root.join(name).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = std::fs::read_to_string(&path).unwrap();
                seen += 1;
                for word in IO_WORDS {
                    assert!(!source.contains(word), "{} uses {word}", path.display());
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} sources were found");
}
