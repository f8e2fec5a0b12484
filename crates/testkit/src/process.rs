//! Programs as processes: started, found ready, stopped or killed, and commands run to their end.
//!
//! Every wait has a limit and ends as soon as what it waits for has happened.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a process or a port.
const POLL: Duration = Duration::from_millis(10);

/// A program that runs in the background until it is stopped or dropped (which kills it).
#[derive(Debug)]
pub struct Service {
    child: Child,
    log: PathBuf,
}

/// A program that does not run as it should.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The operating system refuses.
    #[error("{program}: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("ended before it was ready ({status}); it printed:\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        log: String,
    },
    /// It did what was asked too slowly, or not at all.
    #[error("not {what} after {limit:?}; it printed:\n{log}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// For so long.
        limit: Duration,
        /// What it printed.
        log: String,
    },
}

/// A program that has run to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Service {
    /// Starts `program` in the directory `directory`; what it prints goes to the file `log`, appended.
    ///
    /// # Errors
    /// The program or the log can't be started or opened.
    pub fn start<A: AsRef<std::ffi::OsStr>>(
        program: &Path,
        arguments: &[A],
        directory: &Path,
        log: &Path,
    ) -> Result<Self, ServiceError> {
        let failed = |source| ServiceError::Start { program: program.into(), source };
        let output = File::options().create(true).append(true).open(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        Ok(Service { child, log: log.into() })
    }

    /// Waits until something accepts connections at `address`.
    ///
    /// # Errors
    /// The program ended, or nothing does within `limit`.
    pub fn wait_for_port(&mut self, address: SocketAddr, limit: Duration) -> Result<(), ServiceError> {
        let end = Instant::now() + limit;
        loop {
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.ended() {
                return Err(ServiceError::Ended { status, log: self.log() });
            }
            if Instant::now() >= end {
                return Err(ServiceError::TimedOut { what: "listening", limit, log: self.log() });
            }
            thread::sleep(POLL);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its process identifier.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
    }

    /// Ends it at once (SIGKILL), as a power failure would but for what the operating system still holds.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// It still runs after `limit`; it has been killed then.
    pub fn terminate(mut self, limit: Duration) -> Result<ExitStatus, ServiceError> {
        self.signal("TERM");
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() >= end {
                return Err(ServiceError::TimedOut { what: "ended", limit, log: self.log() });
            }
            thread::sleep(POLL);
        }
    }

    /// Sends it the signal called `name`, for example `HUP`.
    ///
    /// # Panics
    /// There is no `kill` program.
    pub fn signal(&self, name: &str) {
        let arguments = [format!("-{name}"), self.child.id().to_string()];
        let status = Command::new("kill").args(arguments).status();
        status.expect("every POSIX system has a kill program");
    }

    fn end(&mut self) {
        // Both fail only for a process that has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs `program` to its end and takes what it prints.
///
/// # Errors
/// It can't be started, or still runs after `limit` (and is killed).
pub fn run<A: AsRef<std::ffi::OsStr>>(
    program: &Path,
    arguments: &[A],
    directory: &Path,
    limit: Duration,
) -> Result<Finished, ServiceError> {
    let failed = |source| ServiceError::Start { program: program.into(), source };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Both pipes are emptied at once, or a talkative program would stand still.
    let stdout = thread::spawn(reader(child.stdout.take()));
    let stderr = thread::spawn(reader(child.stderr.take()));
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break Some(status);
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(POLL);
    };
    let stdout = stdout.join().expect("the reading thread does not panic");
    let stderr = stderr.join().expect("the reading thread does not panic");
    match status {
        Some(status) => Ok(Finished { status, stdout, stderr }),
        None => Err(ServiceError::TimedOut { what: "finished", limit, log: stdout + &stderr }),
    }
}

fn reader(pipe: Option<impl Read>) -> impl FnOnce() -> String {
    move || {
        let mut octets = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is what there is to show.
            let _ = pipe.read_to_end(&mut octets);
        }
        String::from_utf8_lossy(&octets).into_owned()
    }
}

/// A loopback port that was free a moment ago.
///
/// # Panics
/// No port is free.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
