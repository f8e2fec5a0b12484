//! A running MTA and the foreign end of its wires: what hostile and recorded peers are played with.
//!
//! The peers here write octets themselves; only what comes back is read with the product's decoders.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
#![allow(unreachable_pub, reason = "a module of a test has no crate to be public in")]

pub mod answers;
pub mod replay;
pub mod wire;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Service, TempDir};

/// For everything that happens soon or not at all.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that gives no signal.
const POLL: Duration = Duration::from_millis(20);

/// A service with a directory of its own. It is killed when the value is dropped.
pub struct Mta {
    /// Where peers connect.
    pub p1: SocketAddr,
    api: String,
    service: Service,
    dir: TempDir,
}

impl Mta {
    /// Starts a service. `config` is its configuration but for `mta.data_dir`, which must be left out of `[mta]`, and
    /// `[listen]`; the file's first table must be `[mta]`.
    pub fn start(config: &str) -> Mta {
        let dir = TempDir::new().unwrap();
        let data = dir.path().join("data");
        let rest = config.trim_start().strip_prefix("[mta]").expect("the file begins with [mta]");
        let text = format!(
            "[mta]\ndata_dir = {data:?}\n{rest}\n[listen]\np1 = [\"127.0.0.1:0\"]\napi = \"127.0.0.1:0\"\n"
        );
        let file = dir.path().join("chappe.toml");
        fs::write(&file, text).unwrap();
        let arguments = ["serve".as_ref(), "--config".as_ref(), file.as_os_str()];
        let log = dir.path().join("log");
        let mut service = Service::start(program(), &arguments, dir.path(), &log).unwrap();
        let mut addresses = (None, None);
        wait_for("the service to listen", || {
            assert!(service.ended().is_none(), "the service ended:\n{}", service.log());
            addresses =
                (after(&service.log(), "listening for peers on "), after(&service.log(), "API on http://"));
            addresses.0.is_some() && addresses.1.is_some()
        });
        let (p1, api) = (addresses.0.unwrap(), addresses.1.unwrap());
        Mta { p1: p1.parse().unwrap(), api: format!("http://{api}"), service, dir }
    }

    /// A new connection to it.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.p1).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What the API answers to a GET of `path`.
    pub fn get(&self, path: &str) -> Value {
        self.find(path).unwrap()
    }

    /// The same; `None` if there is no such thing.
    fn find(&self, path: &str) -> Option<Value> {
        match ureq::get(format!("{}{path}", self.api)).call() {
            Ok(mut answer) => {
                Some(serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
            }
            Err(ureq::Error::StatusCode(404)) => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// The items of the list that the API has at `path`.
    pub fn items(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().unwrap().clone()
    }

    /// Events from the one with this number on.
    pub fn events(&self, from: u64) -> Vec<Value> {
        match from.checked_sub(1) {
            Some(last) => self.items(&format!("/api/v1/events?after={last}")),
            None => self.items("/api/v1/events"),
        }
    }

    /// The number that the next event will have.
    pub fn next_event(&self) -> u64 {
        self.events(0).last().map_or(0, |event| event["number"].as_u64().unwrap() + 1)
    }

    /// Waits for an event, from number `from` on, of this kind whose subject and text together have all `parts`.
    pub fn wait_for_event(&self, from: u64, kind: &str, parts: &[&str]) -> Value {
        let mut found = None;
        let what = format!("an event {kind} with {parts:?}");
        wait_or(
            &what,
            || {
                found = self.events(from).into_iter().find(|event| is_event(event, kind, parts));
                found.is_some()
            },
            || format!("{:#?}", self.events(from)),
        );
        found.unwrap()
    }

    /// Events from number `from` on of this kind.
    pub fn count_events(&self, from: u64, kind: &str) -> usize {
        let events = self.events(from);
        let of_kind = events.iter().filter(|event| event["kind"] == kind);
        // The first of a kind is an event of its own; of its repetitions not each is, but the last tells how many there were.
        let mut repeated = std::collections::BTreeMap::new();
        let mut first = 0;
        for event in of_kind {
            let Some(count) = event["count"].as_u64() else {
                first += 1;
                continue;
            };
            let like: String =
                event["text"].as_str().unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).collect();
            repeated.insert((event["since"].to_string(), like), usize::try_from(count).unwrap() - 1);
        }
        first + repeated.values().sum::<usize>()
    }

    /// MTS-identifiers of what is in a mailbox, oldest first; of reports, `report about` and the subject's. Nothing
    /// is in one that is none.
    pub fn mailbox(&self, address: &str) -> Vec<String> {
        let address = address.replace(' ', "%20").replace('=', "%3D").replace(';', "%3B");
        let mut found = Vec::new();
        let mut path = format!("/api/v1/mailboxes/{address}");
        loop {
            let Some(page) = self.find(&path) else { return found };
            for item in page["items"].as_array().unwrap() {
                found.push(match item["subject_mts_id"].as_str() {
                    Some(subject) => format!("report about {subject}"),
                    None => item["mts_id"].as_str().unwrap().to_owned(),
                });
            }
            match page["next"].as_str() {
                Some(next) => path = format!("/api/v1/mailboxes/{address}?after={next}"),
                None => return found,
            }
        }
    }

    /// Waits until a mailbox holds exactly this, in any order.
    pub fn wait_for_mailbox(&self, address: &str, expected: &[&str]) {
        let mut expected: Vec<String> = expected.iter().map(|id| (*id).to_owned()).collect();
        expected.sort();
        let look = || {
            let mut found = self.mailbox(address);
            found.sort();
            found
        };
        wait_or(
            &format!("{expected:?} in {address}"),
            || look() == expected,
            || format!("{:?}\n{}", look(), self.log()),
        );
    }

    /// Waits until no association is open.
    pub fn wait_until_quiet(&self) {
        self.wait_for_associations(0);
    }

    /// Waits until so many associations are open.
    pub fn wait_for_associations(&self, count: usize) {
        let look = || self.items("/api/v1/associations");
        wait_or(&format!("{count} associations"), || look().len() == count, || format!("{:#?}", look()));
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.service.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What the service has printed.
    pub fn log(&self) -> String {
        self.service.log()
    }

    /// Fails if it has ended.
    pub fn assert_alive(&mut self) {
        assert!(self.service.ended().is_none(), "the service ended:\n{}", self.service.log());
    }
}

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chappe"))
}

/// Whether an event is of this kind and its subject and text together have all `parts`.
pub fn is_event(event: &Value, kind: &str, parts: &[&str]) -> bool {
    let words = format!("{} {}", event["subject"], event["text"]);
    event["kind"] == kind && parts.iter().all(|part| words.contains(part))
}

/// Waits until `happened` says so.
pub fn wait_for(what: &str, happened: impl FnMut() -> bool) {
    wait_or(what, happened, String::new);
}

fn wait_or(what: &str, mut happened: impl FnMut() -> bool, instead: impl Fn() -> String) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}; instead:\n{}", instead());
        std::thread::sleep(POLL);
    }
}

/// The word that follows `mark` in a log.
fn after(log: &str, mark: &str) -> Option<String> {
    let rest = log.split_once(mark)?.1;
    let (line, _) = rest.split_once('\n')?;
    line.split_whitespace().next().map(str::to_owned)
}
