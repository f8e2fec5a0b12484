//! Runs the program as a user does: commands to their end, and a service until it is told to stop.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test that called it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// An address that the service delivers to.
pub(crate) const ANNA: &str = "S=anna;O=Acme;P=ALPHA;A= ;C=GB";
/// Another one.
pub(crate) const BERT: &str = "S=bert;O=Acme;P=ALPHA;A= ;C=GB";

/// Longer than anything takes that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command that ended left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output of a command that must have succeeded.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Standard error of a command that must have ended with `code`.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.is_empty(), "{self:?}");
        self.stderr
    }
}

/// Runs `chappe` with these arguments.
pub(crate) fn chappe(arguments: &[&str]) -> Outcome {
    let output = command(arguments).output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
    command.args(arguments).env_remove("CHAPPE_API").env_remove("CHAPPE_TOKEN_FILE").env_remove("CHAPPE_LOG");
    command
}

/// A running service with a directory of its own. It is killed when the value is dropped.
pub(crate) struct Service {
    pub(crate) dir: TempDir,
    pub(crate) api: String,
    child: Child,
    /// Until nobody wants to know.
    log: Option<Receiver<String>>,
}

/// The lines of a log. It is not read further than somebody listens, but to its end when nobody will any more.
fn lines_of(log: ChildStderr) -> Receiver<String> {
    let (lines, listener) = mpsc::sync_channel(0);
    std::thread::spawn(move || {
        let (mut log, mut line) = (BufReader::new(log), Vec::new());
        while log.read_until(b'\n', &mut line).is_ok_and(|octets| octets > 0) {
            let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    listener
}

impl Service {
    /// Starts a service of domain ALPHA; `listen` and `rest` are added to its configuration.
    pub(crate) fn start(listen: &str, rest: &str) -> Service {
        let dir = tempfile::tempdir().unwrap();
        Service::write_config(dir.path(), listen, rest);
        Service::start_in(dir)
    }

    /// Starts a service on a directory that has its configuration already.
    pub(crate) fn start_in(dir: TempDir) -> Service {
        let config = dir.path().join("chappe.toml");
        let mut child =
            command(&["serve", "--config", config.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap();
        let log = lines_of(child.stderr.take().unwrap());
        let mut service = Service { dir, api: String::new(), child, log: Some(log) };
        let line = service.wait_for_log("API on http");
        let address = &line[line.find("http").unwrap()..];
        // Whatever the format of the log, what follows is white space or the end of a string.
        let end = address.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(address.len());
        service.api = address[..end].to_owned();
        service
    }

    pub(crate) fn write_config(dir: &Path, listen: &str, rest: &str) {
        let text = format!(
            "[mta]\nname = \"MTA-A\"\ndomain = {{ country = \"GB\", admd = \" \", prmd = \"ALPHA\" }}\n\
             data_dir = {:?}\nlocal = [\"P=ALPHA;A= ;C=GB\"]\n\
             [listen]\np1 = [\"127.0.0.1:0\"]\napi = \"127.0.0.1:0\"\n{listen}\n{rest}\n",
            dir.join("data")
        );
        std::fs::write(dir.join("chappe.toml"), text).unwrap();
    }

    /// Reads the service's log up to a line with `part`. Fails when the service ends without writing one, or goes on for
    /// long without one.
    pub(crate) fn wait_for_log(&mut self, part: &str) -> String {
        let (until, mut seen) = (Instant::now() + PATIENCE, String::new());
        let log = self.log.as_ref().unwrap();
        loop {
            match log.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen += &line,
                Err(RecvTimeoutError::Disconnected) => panic!("the service ended without `{part}`:\n{seen}"),
                Err(RecvTimeoutError::Timeout) => panic!("the service has not said `{part}`, but:\n{seen}"),
            }
        }
    }

    /// Listens to the log no more, however much the service goes on writing.
    pub(crate) fn forget_log(&mut self) {
        self.log = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for the end; gives the exit status and the directory.
    pub(crate) fn wait(mut self) -> (Option<i32>, TempDir) {
        // What is said at the end has room.
        self.forget_log();
        let code = self.child.wait().unwrap().code();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        (code, dir)
    }

    /// Runs an online command against this service.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        chappe(&[arguments, &["--api", &self.api]].concat())
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Sends octets to the API as they are and gives the whole answer.
    pub(crate) fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.api.strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may close before it has read all of it.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Submits a text and waits until it is in a mailbox or a queue; gives its MTS-identifier.
    pub(crate) fn submit(&mut self, more: &[&str]) -> String {
        self.run(&[&["submit", "--from", ANNA], more].concat()).ok().trim().to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail if it has ended, which is all that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A live stream of the API at `address` that has begun. `field` is a line of the request's head, or nothing.
pub(crate) fn watch(address: &str, field: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request =
        format!("GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{field}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("event: state") {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&piece[..length]);
    }
    stream
}
