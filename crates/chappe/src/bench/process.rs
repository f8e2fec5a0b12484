//! The MTA under test as a process of its own, so that its processor time can be told from the generator's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{BenchError, io};

/// How long the process may take to listen.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long its API may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A running `chappe serve`; killed when dropped.
pub(super) struct MtaProcess {
    child: Child,
}

impl MtaProcess {
    /// Writes `configuration` into `dir` and starts this very program on it; returns once `p1` answers.
    pub(super) fn start(dir: &Path, configuration: &str, p1: SocketAddr) -> Result<MtaProcess, BenchError> {
        Self::start_within(READY_TIMEOUT, dir, configuration, p1)
    }

    /// The same with another time to listen.
    pub(super) fn start_within(
        patience: Duration,
        dir: &Path,
        configuration: &str,
        p1: SocketAddr,
    ) -> Result<MtaProcess, BenchError> {
        let file = dir.join("mta.toml");
        std::fs::write(&file, configuration).map_err(io("write the configuration"))?;
        let program = std::env::current_exe().map_err(io("find this program"))?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .env("CHAPPE_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(io("start the MTA"))?;
        let stderr = child.stderr.take();
        let log = std::thread::spawn(move || {
            let mut last = String::new();
            for line in stderr.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok)
            {
                last = line;
            }
            last
        });
        let mut process = MtaProcess { child };
        let deadline = Instant::now() + patience;
        loop {
            // Asked first: somebody else may answer where the MTA could not listen.
            let answers = TcpStream::connect(p1).is_ok();
            if process.child.try_wait().map_err(io("watch the MTA"))?.is_some() {
                return Err(BenchError::Mta(log.join().unwrap_or_default()));
            }
            if answers {
                return Ok(process);
            }
            if Instant::now() >= deadline {
                return Err(BenchError::Mta(format!("does not listen after {} s", patience.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processor time used so far, user and system.
    pub(super) fn cpu(&self) -> Result<Duration, BenchError> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).map_err(io("read the MTA's processor time"))?;
        // Fields are counted behind the command name, which ends with the last parenthesis.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|&n| fields.get(n)?.parse::<u64>().ok()).sum();
        // The kernel counts in USER_HZ, which is 100 on every Linux that Rust's std supports.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Largest resident memory so far, in KiB.
    pub(super) fn memory_kib(&self) -> Result<u64, BenchError> {
        self.status("VmHWM:")
    }

    /// Resident memory now, in KiB.
    pub(super) fn resident_kib(&self) -> Result<u64, BenchError> {
        self.status("VmRSS:")
    }

    /// Threads.
    pub(super) fn threads(&self) -> Result<u64, BenchError> {
        self.status("Threads:")
    }

    /// Open file descriptors.
    pub(super) fn descriptors(&self) -> Result<u64, BenchError> {
        let path = format!("/proc/{}/fd", self.child.id());
        Ok(std::fs::read_dir(path).map_err(io("count the MTA's descriptors"))?.count() as u64)
    }

    /// Those of them that are sockets. The others are mostly files of the store, as many as its index has tables.
    pub(super) fn sockets(&self) -> Result<u64, BenchError> {
        let path = format!("/proc/{}/fd", self.child.id());
        let entries = std::fs::read_dir(path).map_err(io("count the MTA's descriptors"))?;
        // One that is closed meanwhile has no target any more.
        let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        Ok(targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count() as u64)
    }

    fn status(&self, field: &str) -> Result<u64, BenchError> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).map_err(io("read the MTA's memory"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        Ok(line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0))
    }
}

impl Drop for MtaProcess {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that was free a moment ago.
pub(super) fn free_address() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("find a free port"))?;
    listener.local_addr().map_err(io("find a free port"))
}

/// Asks the API for something, and leaves the answer to be read.
pub(super) fn ask(api: SocketAddr, path: &str) -> std::io::Result<TcpStream> {
    let mut socket = TcpStream::connect(api)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    // Another name for the host would be refused.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes())?;
    Ok(socket)
}

/// The whole answer of the API, with its head.
pub(super) fn get(api: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut answer = String::new();
    ask(api, path)?.read_to_string(&mut answer)?;
    Ok(answer)
}
