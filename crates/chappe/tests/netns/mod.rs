//! MTAs in network namespaces of their own, joined by a cable that can be cut in every way in which cables are cut.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use testkit::{Service, TempDir};

use crate::support::{DEADLINE, items, json, program, repository, wait_within};

/// How long a stop may take that is bounded by five seconds.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// What is done to the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The interface goes down: the kernels know at once.
    LinkDown,
    /// Everything vanishes without a word.
    Drop,
    /// What A sends vanishes; what B sends arrives.
    DropToB,
    /// What B sends vanishes; what A sends arrives.
    DropToA,
    /// Every segment is answered by a reset.
    Reset,
}

/// Two namespaces with a cable between them; gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    a: String,
    b: String,
}

impl Network {
    /// Lays the cable. Nothing where this process may not do that: then the test says so and ends.
    ///
    /// # Panics
    /// It may not, but the environment says that it must.
    pub(crate) fn lay(test: &str) -> Option<Network> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Network { a: format!("chappe-{id}-a"), b: format!("chappe-{id}-b") };
        if let Err(why) = network.try_lay(&id) {
            assert!(std::env::var_os("CHAPPE_REQUIRE_NETNS").is_none(), "{test} needs namespaces: {why}");
            eprintln!("\n*** SKIPPED: {test}: no network namespaces here ({why}) ***\n");
            return None;
        }
        Some(network)
    }

    fn try_lay(&self, id: &str) -> Result<(), String> {
        let (a, b) = (self.a.as_str(), self.b.as_str());
        let (left, right) = (format!("va{id}"), format!("vb{id}"));
        // An interface's name has 15 characters at most.
        let [left, right] = [&left, &right].map(|name| name.chars().take(15).collect::<String>());
        run("ip", &["netns", "add", a])?;
        run("ip", &["netns", "add", b])?;
        run("ip", &["-n", a, "link", "add", &left, "type", "veth", "peer", "name", &right])?;
        run("ip", &["-n", a, "link", "set", &right, "netns", b])?;
        for (space, interface, name, address) in
            [(a, &left, "cable", "10.99.0.1/24"), (b, &right, "cable", "10.99.0.2/24")]
        {
            run("ip", &["-n", space, "link", "set", interface, "name", name])?;
            run("ip", &["-n", space, "address", "add", address, "dev", name])?;
            run("ip", &["-n", space, "link", "set", "lo", "up"])?;
            run("ip", &["-n", space, "link", "set", name, "up"])?;
        }
        run("ip", &["netns", "exec", b, "nft", "add", "table", "inet", "faults"]).map(|_| ())
    }

    /// Does something to the cable.
    pub(crate) fn fault(&self, fault: Fault) {
        let rule = |hook: &str, what: &str| {
            let chain = format!("add chain inet faults {hook} {{ type filter hook {hook} priority 0; }}");
            self.nft(&chain);
            self.nft(&format!("add rule inet faults {hook} meta iifname != lo meta oifname != lo {what}"));
        };
        match fault {
            Fault::LinkDown => self.ip_b(&["link", "set", "cable", "down"]),
            Fault::Drop => {
                rule("input", "drop");
                rule("output", "drop");
            }
            Fault::DropToB => rule("input", "drop"),
            Fault::DropToA => rule("output", "drop"),
            Fault::Reset => rule("input", "meta l4proto tcp reject with tcp reset"),
        }
    }

    /// Repairs it.
    pub(crate) fn heal(&self) {
        self.nft("flush table inet faults");
        self.nft("delete table inet faults");
        self.nft("add table inet faults");
        self.ip_b(&["link", "set", "cable", "up"]);
    }

    fn nft(&self, command: &str) {
        run("ip", &["netns", "exec", &self.b, "nft", command]).unwrap();
    }

    fn ip_b(&self, arguments: &[&str]) {
        run("ip", &[&["-n", &self.b], arguments].concat()).unwrap();
    }

    /// MTA-A, whose connector goes to B, with more connectors and these lines in [mta].
    pub(crate) fn a(&self, mta: &str, hosts: &str, more: &str) -> Mta {
        Mta::new(&self.a, ["A", "ALPHA", "10.99.0.1"], ["B", "BETA"], hosts, mta, more)
    }

    /// MTA-B, whose connector goes to A.
    pub(crate) fn b(&self) -> Mta {
        Mta::new(&self.b, ["B", "BETA", "10.99.0.2"], ["A", "ALPHA"], "\"10.99.0.1:1102\"", "", "")
    }

    /// Starts a program in B's namespace.
    pub(crate) fn in_b(&self, program: &str, arguments: &[&str]) -> std::process::Child {
        let arguments = [&["netns", "exec", &self.b, program], arguments].concat();
        Command::new("ip").args(arguments).stdout(Stdio::null()).spawn().unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in [&self.a, &self.b] {
            // It may never have been there.
            let _ = run("ip", &["netns", "delete", space]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// One MTA in a namespace.
#[derive(Debug)]
pub(crate) struct Mta {
    space: String,
    name: &'static str,
    dir: TempDir,
    service: Option<Service>,
}

impl Mta {
    fn new(
        space: &str,
        [name, prmd, address]: [&'static str; 3],
        [peer, peer_prmd]: [&str; 2],
        hosts: &str,
        mta: &str,
        more: &str,
    ) -> Mta {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        // Every time as short as it may be: a fault of some seconds is then a long one.
        let text = format!(
            "[mta]\nname = \"MTA-{name}\"\npassword = \"secret\"\nstop_timeout_s = 5\n\
             domain = {{ country = \"GB\", admd = \" \", prmd = \"{prmd}\" }}\ndata_dir = {data:?}\n\
             local = [\"P={prmd};A= ;C=GB\"]\n{mta}\n\
             [listen]\np1 = [\"{address}:1102\"]\napi = \"127.0.0.1:8400\"\n\
             [limits]\nconnect_timeout_s = 2\nbind_timeout_s = 3\ntcp_keepalive_s = 5\ntcp_user_timeout_s = 5\n\
             progress_timeout_s = 10\n\
             [[connector]]\nname = \"link\"\nremote_mta = \"MTA-{peer}\"\nremote_password = \"secret\"\n\
             hosts = [{hosts}]\naddress_space = [{{ address = \"P={peer_prmd};A= ;C=GB\" }}]\n\
             [connector.retry]\nopen_interval_s = 2\ntransfer_interval_s = 1\nmax_transfer_retries = 100\n\
             [connector.association]\nlifetime_s = 2\n{more}"
        );
        fs::write(dir.path().join("chappe.toml"), text).unwrap();
        Mta { space: space.to_owned(), name, dir, service: None }
    }

    /// Changes its configuration, before it starts.
    pub(crate) fn change(&self, from: &str, to: &str) {
        let file = self.dir.path().join("chappe.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    }

    pub(crate) fn start(&mut self) {
        let config = self.dir.path().join("chappe.toml");
        let arguments = [
            "netns",
            "exec",
            &self.space,
            program().to_str().unwrap(),
            "serve",
            "--config",
            config.to_str().unwrap(),
        ];
        let log = self.dir.path().join("log");
        let service = Service::start(Path::new("ip"), &arguments, &repository(), &log).unwrap();
        self.service = Some(service);
        wait_within(DEADLINE, "the service", || self.try_ask(&["status"]));
    }

    pub(crate) fn kill(&mut self) {
        self.service.take().into_iter().for_each(Service::kill);
    }

    /// Ends it in order, which has to take no longer than was promised.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let service = self.service.take().unwrap();
        service.terminate(STOP_DEADLINE).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap_or_default()).into_owned()
    }

    fn cli(&self, arguments: &[&str]) -> Result<String, String> {
        let program = program().to_str().unwrap();
        run("ip", &[&["netns", "exec", &self.space, program], arguments].concat())
    }

    fn try_ask(&self, arguments: &[&str]) -> Option<Value> {
        self.cli(&[arguments, &["--json"]].concat()).ok().map(|text| json(&text))
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        self.try_ask(arguments)
            .unwrap_or_else(|| panic!("{}: {arguments:?} failed\n{}", self.name, self.log()))
    }

    pub(crate) fn send(&self, from: &str, to: &str, subject: &str) {
        let text = ["submit", "--from", from, "--to", to, "--subject", subject, "--text", "x"];
        self.cli(&text).unwrap();
    }

    pub(crate) fn send_file(&self, from: &str, to: &str, subject: &str, octets: &[u8]) {
        let file = self.dir.path().join("file.bin");
        fs::write(&file, octets).unwrap();
        let file =
            ["submit", "--from", from, "--to", to, "--subject", subject, "--file", file.to_str().unwrap()];
        self.cli(&file).unwrap();
    }

    /// Subjects in a mailbox, in order of the alphabet.
    pub(crate) fn subjects(&self, mailbox: &str) -> Vec<String> {
        // A mailbox without anything in it is no failure.
        let Some(page) = self.try_ask(&["mailbox", "list", mailbox, "--limit", "1000"]) else {
            return Vec::new();
        };
        let mut subjects: Vec<String> =
            items(&page).iter().filter_map(|item| item["subject"].as_str().map(str::to_owned)).collect();
        subjects.sort();
        subjects
    }

    pub(crate) fn connector(&self, name: &str) -> Value {
        self.ask(&["connector", "show", name])
    }

    /// Waits until the connector has failed to open so often since it last worked.
    pub(crate) fn wait_for_failures(&self, connector: &str, failures: u64) {
        wait_within(DEADLINE, "failed attempts", || {
            (self.connector(connector)["failed_attempts"].as_u64()? >= failures).then_some(())
        });
    }

    /// Waits until a connector holds nothing at all.
    pub(crate) fn wait_until_free(&self, connector: &str) {
        let free = |held: &Value| held.as_object().is_some_and(|held| held.values().all(|n| n == 0));
        wait_within(DEADLINE, "a ledger at zero", || free(&self.connector(connector)["held"]).then_some(()));
    }
}

impl Drop for Mta {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of MTA-{}:\n{}", self.name, self.log());
        }
    }
}
