//! Networks of real `chappe` processes: sites that are started, killed and asked, and the waits of tests on them.
//!
//! Every wait names what it waits for and has a deadline; a failing test prints the log of every site it has.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test file is a program of its own and uses its own part of this"
)]

pub mod http;
pub mod network;
pub mod pair;
pub mod random;
pub mod site;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::Finished;

pub use pair::{Pair, Plan};
pub use random::Random;
pub use site::Site;

/// How long anything may take that needs a second on a machine with nothing else to do.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(20);

/// A mailbox at MTA-A.
pub const ANNA: &str = "S=anna;O=Acme;P=ALPHA;A= ;C=GB";
/// A mailbox at MTA-B.
pub const OPERATIONS: &str = "S=operations;O=Acme;P=BETA;A= ;C=GB";

/// The program under test. Cargo tells the tests of its own package where it is; tests of another package have it built
/// where they are themselves.
pub fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    match option_env!("CARGO_BIN_EXE_chappe") {
        Some(path) => Path::new(path),
        None => BUILT.get_or_init(build),
    }
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let output = test.ancestors().find(|path| path.ends_with("debug") || path.ends_with("release"));
    let output = output.expect("a test is in the directory of build output");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "-p", "chappe", "--target-dir"]);
    command.arg(output.parent().expect("it has a parent")).current_dir(repository());
    if output.ends_with("release") {
        command.arg("--release");
    }
    assert!(command.status().expect("cargo runs").success(), "the program can't be built");
    output.join("chappe")
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Runs a command that needs no service, from the repository root.
pub fn chappe(arguments: &[&str]) -> Finished {
    testkit::run(program(), arguments, &repository(), DEADLINE).expect("the program runs")
}

/// What a test asks of a command that has ended.
pub trait Outcome {
    /// Standard output of a command that must have succeeded.
    fn ok(self) -> String;
    /// Standard error of a command that must have ended with `code`.
    fn failed(self, code: i32) -> String;
}

impl Outcome for Finished {
    fn ok(self) -> String {
        assert_eq!(self.status.code(), Some(0), "{self:?}");
        self.stdout
    }

    fn failed(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        assert!(!self.stderr.is_empty(), "a failure that is not explained: {self:?}");
        self.stderr
    }
}

/// Looks until `look` finds something.
///
/// # Panics
/// It has found nothing when the deadline is over.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE, what, look)
}

/// [`wait_for`] with a deadline of its own.
///
/// # Panics
/// It has found nothing when the deadline is over.
pub fn wait_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        thread::sleep(POLL);
    }
}

/// Text that must be JSON.
///
/// # Panics
/// It is not.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The `items` of a page.
pub fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("a page without items: {page}")).clone()
}

/// A loopback port on which nothing listens. They lie below those which the system gives to outgoing connections,
/// so that a killed service finds its port free again.
pub fn port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        // Processes that test at the same time begin at different places.
        let start = (std::process::id() % 200) as u16 * 100;
        let port = FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
