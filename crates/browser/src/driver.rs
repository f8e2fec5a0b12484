//! The process between a test and the browser, and the commands of its own that it has besides WebDriver's.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Value, json};

/// Chromium's driver.
const PROGRAM: &str = "chromedriver";
/// How often it is started at most.
const ATTEMPTS: usize = 5;
/// What it says when it can be talked to.
const STARTED: &str = "started successfully on port ";

/// A running driver, on a port that it has chosen itself.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Whether there is one on this machine.
    pub fn is_there() -> bool {
        let found = |directory: &Path| directory.join(PROGRAM).is_file();
        std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|directory| found(&directory)))
    }

    pub(crate) fn start() -> io::Result<Driver> {
        // The port that it chooses may be taken by another before it listens.
        let mut last = io::Error::other("it was not tried");
        for _ in 0..ATTEMPTS {
            match Driver::start_once() {
                Ok(driver) => return Ok(driver),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_once() -> io::Result<Driver> {
        let mut process = Command::new(PROGRAM)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().ok_or_else(|| io::Error::other("no output to read"))?;
        let mut lines = BufReader::new(output).lines();
        let port = loop {
            match lines.next() {
                Some(line) => {
                    let line = line?;
                    let port = line.split_once(STARTED).map(|(_, port)| port.trim_end_matches('.').parse());
                    if let Some(Ok(port)) = port {
                        break port;
                    }
                }
                None => {
                    // It has ended, or will when nobody reads.
                    let _ = process.kill();
                    let status = process.wait()?;
                    return Err(io::Error::other(format!("it ended: {status}")));
                }
            }
        };
        // A pipe that nobody reads would stop it in the end.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Driver { process, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It has ended if these fail.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The directory of build output in which the running test is: `target/debug`, say.
pub(crate) fn output() -> io::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let directory = test.ancestors().find(|path| path.ends_with("debug") || path.ends_with("release"));
    directory
        .map(Path::to_owned)
        .ok_or_else(|| io::Error::other("the test is in no directory of build output"))
}

/// A command of the developer tools.
#[derive(Debug)]
pub(crate) struct Devtools(Value);

impl Devtools {
    pub(crate) fn new(command: &str, parameters: &Value) -> Devtools {
        Devtools(json!({ "cmd": command, "params": parameters }))
    }
}

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

/// The browser's log since it was last read.
#[derive(Debug)]
pub(crate) struct Log;

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
