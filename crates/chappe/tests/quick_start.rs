//! The commands of docs/quick-start.md, run as they stand there; only the ports are others.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use support::{port, program, repository};

const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn the_quick_start_does_what_it_says() {
    let text = std::fs::read_to_string(repository().join("docs/quick-start.md")).unwrap();
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() > 5, "the blocks are not found: {blocks:?}");
    for block in blocks {
        writeln!(script, "{block}").unwrap();
    }
    for known in ["10102", "10103", "8401", "8402"] {
        assert!(script.contains(known), "{known} is not used any more");
        script = script.replace(known, &port().to_string());
    }
    // It ends by itself, not with a wait for something that never comes.
    assert!(script.trim_end().ends_with("wait $MTA_A $MTA_B"), "{script}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("script"), &script).unwrap();
    let path = format!("{}:{}", program().parent().unwrap().display(), std::env::var("PATH").unwrap());
    // Whatever hangs is ended with all that it has started.
    let (path, limit) = (format!("PATH={path}"), LIMIT.as_secs().to_string());
    let arguments =
        ["-u", "CHAPPE_API", "-u", "CHAPPE_TOKEN_FILE", &path, "timeout", &limit, "bash", "script"];
    let done = testkit::run(Path::new("/usr/bin/env"), &arguments, dir.path(), LIMIT * 2).unwrap();
    let logs = ["a.log", "b.log"].map(|log| std::fs::read_to_string(dir.path().join("chappe-try").join(log)));
    assert!(done.status.success(), "{done:#?}\n{logs:#?}");
    assert_eq!(done.stdout.matches("Line open").count(), 1, "{}", done.stdout);
    assert_eq!(done.stdout.matches("Line down").count(), 1, "{}", done.stdout);
}
