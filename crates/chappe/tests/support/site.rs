//! One MTA: a directory, a configuration file, and a `chappe serve` that may be running.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use testkit::{Finished, Service, TempDir};

use super::{DEADLINE, Outcome, http, items, json, program, repository, wait_for, wait_within};

/// How long a stop may take: longer than the stop timeout of any site.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// One MTA. It is killed when the value is dropped; its log is printed if that is because the test fails, else the
/// log must not tell of a defect.
#[derive(Debug)]
pub struct Site {
    pub name: String,
    pub p1: SocketAddr,
    pub api: SocketAddr,
    dir: TempDir,
    service: Option<Service>,
}

impl Site {
    /// A site with an empty directory and no configuration.
    pub fn new(name: &str, p1: SocketAddr, api: SocketAddr) -> Site {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Site { name: name.to_owned(), p1, api, dir, service: None }
    }

    /// A file in the site's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the store goes.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("chappe.toml")
    }

    /// Writes the configuration file.
    pub fn configure(&self, text: &str) {
        fs::write(self.config(), text).expect("the directory takes a file");
    }

    /// Writes a file to submit.
    pub fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, octets).expect("the directory takes a file");
        path
    }

    /// Starts the service and waits until it takes requests.
    ///
    /// # Panics
    /// It does not, or it is running already.
    pub fn start(&mut self) {
        assert!(self.service.is_none(), "{} is running", self.name);
        let config = self.config();
        let arguments = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
        let log = self.path("log");
        let mut service =
            Service::start(program(), &arguments, &repository(), &log).expect("the service starts");
        service.wait_for_port(self.api, DEADLINE).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.service = Some(service);
        // The API's port is open before the store is; an answer comes once there is an MTA behind it.
        wait_for("an answer of the started service", || self.get("/readyz"));
    }

    /// Ends the service at once, as SIGKILL does.
    pub fn kill(&mut self) {
        self.running();
        self.service.take().into_iter().for_each(Service::kill);
    }

    /// Ends the service in order.
    ///
    /// # Panics
    /// It is still there when the deadline is over.
    pub fn stop(&mut self) -> ExitStatus {
        self.running();
        let service = self.service.take().expect("it was running a moment ago");
        service.terminate(STOP_DEADLINE).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Sends a signal and does not wait for what it does.
    pub fn signal(&mut self, name: &str) {
        self.running().signal(name);
    }

    /// Waits for the end of a service that was told to end.
    ///
    /// # Panics
    /// It is still there when the deadline is over.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut service = self.service.take().expect("it was started");
        wait_within(STOP_DEADLINE, "the end of the service", || service.ended())
    }

    fn running(&mut self) -> &Service {
        let service = self.service.as_mut().expect("the service was started");
        if let Some(status) = service.ended() {
            panic!("{} ended by itself: {status}\n{}", self.name, service.log());
        }
        service
    }

    /// All that this site's services have logged.
    pub fn log(&self) -> String {
        let octets = fs::read(self.path("log")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// How often `part` is in the log.
    pub fn logged(&self, part: &str) -> usize {
        self.log().matches(part).count()
    }

    /// The address that commands are given.
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Runs an online command against this site.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let url = self.url();
        let arguments = [arguments, &["--api", &url]].concat();
        testkit::run(program(), &arguments, self.dir.path(), DEADLINE).expect("the program runs")
    }

    /// Runs an online command that prints JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        json(&self.run(&[arguments, &["--json"]].concat()).ok())
    }

    /// Submits with the command line; gives the MTS-identifier.
    pub fn submit(&self, arguments: &[&str]) -> String {
        self.run(&[&["submit"], arguments].concat()).ok().trim().to_owned()
    }

    /// Submits a short text from `from` to `to`; gives the MTS-identifier.
    pub fn send(&self, from: &str, to: &str, subject: &str) -> String {
        self.submit(&["--from", from, "--to", to, "--subject", subject, "--text", "x"])
    }

    /// Asks the API; nothing if there is no answer or a failure.
    pub fn get(&self, path: &str) -> Option<String> {
        let answer = http::request(self.api, "GET", path, &[]).ok()?;
        (answer.status == 200).then_some(answer.body)
    }

    /// Asks the API for JSON.
    ///
    /// # Panics
    /// There is no answer.
    pub fn ask(&self, path: &str) -> Value {
        json(&self.get(path).unwrap_or_else(|| panic!("{}: no answer to {path}", self.name)))
    }

    /// One of the MTA's counters since its start.
    pub fn counter(&self, name: &str) -> u64 {
        let info = self.ask("/api/v1/info");
        info["counters"][name].as_u64().unwrap_or_else(|| panic!("no counter {name} in {info}"))
    }

    /// Everything in a mailbox.
    pub fn mailbox(&self, address: &str) -> Vec<Value> {
        self.pages(&format!("/api/v1/mailboxes/{}", http::encode(address)))
    }

    /// How much is in a mailbox.
    pub fn mailbox_size(&self, address: &str) -> u64 {
        let boxes = items(&self.ask("/api/v1/mailboxes?limit=1000"));
        let found = boxes.iter().find(|mailbox| mailbox["address"] == address);
        found.and_then(|mailbox| mailbox["entries"].as_u64()).unwrap_or(0)
    }

    /// Subjects of the messages in a mailbox, in the order of delivery.
    pub fn subjects(&self, address: &str) -> Vec<String> {
        let subject = |item: &Value| item["subject"].as_str().map(str::to_owned);
        self.mailbox(address).iter().filter_map(subject).collect()
    }

    /// Everything that waits here, for whatever.
    pub fn waiting(&self) -> Vec<Value> {
        self.pages("/api/v1/messages")
    }

    fn pages(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.ask(&format!("{path}?limit=1000{after}"));
            all.extend(items(&page));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={}", http::encode(next)),
                None => return all,
            }
        }
    }

    /// Waits until `count` entries are in a mailbox, and gives them.
    pub fn wait_for_mail(&self, address: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} entries in mailbox {address} of {}", self.name), || {
            Some(self.mailbox(address)).filter(|found| found.len() >= count)
        })
    }

    /// Waits until nothing is waiting here.
    pub fn wait_until_empty(&self) {
        wait_for(&format!("empty queues at {}", self.name), || self.waiting().is_empty().then_some(()));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.service.take());
        if thread::panicking() {
            println!("--- log of {} ---\n{}", self.name, self.log());
            return;
        }
        // Whatever a test is about: a service that noticed a defect of its own has failed it.
        for defect in ["internal-error", "panicked at"] {
            assert_eq!(self.logged(defect), 0, "{defect} in the log of {}:\n{}", self.name, self.log());
        }
    }
}

/// The file's content.
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
