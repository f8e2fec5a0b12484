//! A configuration file full of mistakes: every one is told at once, by both commands that read it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::fs;
use std::time::Duration;

use testkit::{Finished, TempDir, run};

const FILE: &str = "\
[mta]
name = \"a name that is longer than 32 characters\"
domain = { country = \"Britain\", admd = \" \" }
data_dir = \"data\"
local = [\"P=ALPHA;A= ;C=GB\", \"P=ALPHA;COLOUR=red\"]
hop_limit = 1000
hop_limt = 10
[listen]
p1 = [\"localhost:10102\"]
api = \"0.0.0.0:0\"
[limits]
bind_timeout_s = \"short\"
[[connector]]
name = \"to-b\"
hosts = [\"127.0.0.1:0\"]
conformance = \"1988-norml\"
[[connector]]
name = \"to-b\"
remote_mta = \"MTA-C\"
hosts = [\"c\"]
remote_password_file = \"no/such/file\"
[connector.rts]
window_size = -1
";

/// Line, column, words of the mistake, words of the remedy.
const MISTAKES: [(usize, usize, &str, &str); 14] = [
    (2, 8, "mta.name", "use 1 to 32"),
    (3, 10, "mta.domain", "2 letters or 3 digits"),
    (5, 30, "mta.local[1]", "P=BETA;A= ;C=GB"),
    (6, 13, "hop_limit: 1000", "use a value from 1 to 512"),
    (7, 1, "hop_limt", "`hop_limit`"),
    (9, 7, "localhost", "0.0.0.0:102"),
    (10, 7, "open to everyone", "api_token_file"),
    (12, 18, "bind_timeout_s", "write a whole number"),
    (13, 1, "remote_mta", "MTA-B"),
    (15, 10, "connector[0].hosts[0]", "port"),
    (16, 15, "1988-norml", "\"1988-normal\""),
    (18, 8, "`to-b` is the name", "a name of its own"),
    (21, 24, "no/such/file", "readable file"),
    (23, 15, "window_size", "choose a number from 1 to 255"),
];

fn chappe(dir: &TempDir, arguments: &[&str]) -> Finished {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_chappe"));
    run(program, arguments, dir.path(), Duration::from_secs(60)).unwrap()
}

#[test]
fn every_mistake_is_told_with_its_place_and_remedy_before_anything_starts() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("bad.toml"), FILE).unwrap();
    for arguments in [&["config", "check", "bad.toml"][..], &["serve", "--config", "bad.toml"]] {
        let finished = chappe(&dir, arguments);
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        let told: Vec<&str> = finished.stderr.lines().collect();
        for (line, column, what, remedy) in MISTAKES {
            let place = format!("bad.toml:{line}:{column}: ");
            let found: Vec<&&str> = told.iter().filter(|text| text.contains(&place)).collect();
            let [text] = found[..] else {
                panic!("{} lines about {place}in\n{}", found.len(), finished.stderr);
            };
            let (at_what, at_remedy) = (text.find(what), text.find(remedy));
            // The remedy stands behind the mistake.
            assert!(at_what.is_some() && at_remedy > at_what, "{what}, {remedy}: {text}");
        }
        assert_eq!(told.len(), MISTAKES.len(), "{}", finished.stderr);
    }
    assert!(!dir.path().join("data").exists(), "nothing is made of a wrong configuration");
}
