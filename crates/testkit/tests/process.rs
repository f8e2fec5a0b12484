//! Services start, are found ready, and end by signal; commands are run to their end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::{Service, ServiceError, TempDir, free_port, run};

const LIMIT: Duration = Duration::from_secs(20);
const SHELL: &str = "/bin/sh";

#[test]
fn commands_give_status_and_output() {
    let directory = TempDir::new().unwrap();
    let script = "echo out; echo err >&2; exit 3";
    let finished = run(Path::new(SHELL), &["-c", script], directory.path(), LIMIT).unwrap();
    assert_eq!(finished.status.code(), Some(3));
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    // More than a pipe holds.
    let much = run(Path::new(SHELL), &["-c", "head -c 300000 /dev/zero"], directory.path(), LIMIT).unwrap();
    assert_eq!(much.stdout.len(), 300_000);
}

#[test]
fn commands_that_hang_are_killed() {
    let directory = TempDir::new().unwrap();
    let hanging = run(Path::new("/bin/sleep"), &["600"], directory.path(), Duration::from_millis(50));
    assert!(matches!(hanging, Err(ServiceError::TimedOut { what: "finished", .. })), "{hanging:?}");
    let absent = run(Path::new("/nonexistent/program"), &["x"], directory.path(), LIMIT);
    assert!(matches!(absent, Err(ServiceError::Start { .. })), "{absent:?}");
}

fn wait_for_ready(service: &Service, times: usize) {
    let end = Instant::now() + LIMIT;
    while service.log().matches("ready").count() < times {
        assert!(Instant::now() < end, "{}", service.log());
        std::thread::yield_now();
    }
}

#[test]
fn services_end_by_signal() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let service = Service::start(Path::new(SHELL), &["-c", script], directory.path(), &log).unwrap();
    wait_for_ready(&service, 1);
    assert_eq!(service.terminate(LIMIT).unwrap().code(), Some(7));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "ready\nbye\n");
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let service = Service::start(Path::new(SHELL), &["-c", stubborn], directory.path(), &log).unwrap();
    wait_for_ready(&service, 2);
    let refused = service.terminate(Duration::from_millis(50));
    assert!(matches!(refused, Err(ServiceError::TimedOut { what: "ended", .. })), "{refused:?}");
}

#[test]
fn readiness_is_an_open_port() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let start =
        |arguments: &[&str]| Service::start(Path::new(SHELL), arguments, directory.path(), &log).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut service = start(&["-c", "exec sleep 600"]);
    service.wait_for_port(listener.local_addr().unwrap(), LIMIT).unwrap();
    let closed = ([127, 0, 0, 1], free_port()).into();
    let early = service.wait_for_port(closed, Duration::from_millis(50));
    assert!(matches!(early, Err(ServiceError::TimedOut { what: "listening", .. })), "{early:?}");
    service.kill();
    let mut dead = start(&["-c", "echo broken; exit 1"]);
    match dead.wait_for_port(closed, LIMIT) {
        Err(ServiceError::Ended { status, log }) => {
            assert_eq!(status.code(), Some(1));
            assert!(log.contains("broken"), "{log}");
        }
        other => panic!("{other:?}"),
    }
}
