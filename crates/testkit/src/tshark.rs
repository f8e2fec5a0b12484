//! tshark as an oracle.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Wireshark's command line dissector: an independent judge of what we put on the wire.
///
/// What it can't judge (seen with 4.0.17): user data in X.410-1984 mode; a message whose activity follows a discarded
/// or resumed one in the same connection. It shows activity interrupt as activity abort's code pair and activity end
/// as major synchronization point, which share their codes.
#[derive(Clone, Debug)]
pub struct Tshark {
    program: PathBuf,
}

/// What tshark made of a capture it had nothing to complain about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// All frames in order.
    pub frames: Vec<Frame>,
}

/// One line of tshark's packet list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number of the frame, from 1.
    pub number: u32,
    /// All protocols that were found in it, separated by colons.
    pub protocols: String,
    /// The Info column.
    pub info: String,
}

/// Why tshark does not accept a capture, one complaint a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaints(pub Vec<String>);

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tshark complains:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Complaints {}

impl Tshark {
    /// tshark, if it is installed.
    pub fn find() -> Option<Self> {
        let program = PathBuf::from("tshark");
        let answer = Command::new(&program).arg("--version").output().ok()?;
        answer.status.success().then_some(Tshark { program })
    }

    /// tshark for the test called `test`. Where it is missing the test is skipped, which is said on standard error
    /// even if the test runner hides a test's output, unless the environment variable `CHAPPE_REQUIRE_TSHARK` is 1.
    ///
    /// # Panics
    /// tshark is missing and required.
    pub fn required_by(test: &str) -> Option<Self> {
        let found = Tshark::find();
        if found.is_none() {
            let required = std::env::var_os("CHAPPE_REQUIRE_TSHARK").is_some_and(|value| value == "1");
            assert!(!required, "{test}: tshark is not installed, and CHAPPE_REQUIRE_TSHARK=1");
            // Not eprintln: that would be captured. A failed write can't be told to anyone.
            let _ = writeln!(std::io::stderr(), "SKIPPED: tshark is not installed ({test})");
        }
        found
    }

    /// Has a capture dissected in which `ports` carry TPKT, and collects every complaint: malformed packets and expert
    /// information of warning or above, which is where BER errors show.
    ///
    /// # Errors
    /// The complaints.
    ///
    /// # Panics
    /// tshark can't be run.
    pub fn check(&self, capture: &Path, ports: &[u16]) -> Result<Report, Complaints> {
        let mut frames = Vec::new();
        let mut complaints = Vec::new();
        let fields = ["frame.number", "frame.protocols", "_ws.col.Info", "_ws.expert.message"];
        for row in self.fields(capture, ports, "frame", &fields) {
            let [number, protocols, info, _] = row.as_slice() else { continue };
            frames.push(Frame {
                number: number.parse().unwrap_or_default(),
                protocols: protocols.clone(),
                info: info.clone(),
            });
        }
        // 6291456 is the severity "warning".
        let bad = "_ws.malformed || _ws.expert.severity >= 6291456";
        for row in self.fields(capture, ports, bad, &fields) {
            complaints.push(format!("frame {}", row.join(" | ")));
        }
        if frames.is_empty() {
            complaints.push("no frame could be read".to_owned());
        }
        if complaints.is_empty() { Ok(Report { frames }) } else { Err(Complaints(complaints)) }
    }

    /// [`Tshark::check`] for a capture in memory.
    ///
    /// # Errors
    /// The complaints.
    ///
    /// # Panics
    /// tshark can't be run, or there is no place for a temporary file.
    pub fn check_octets(&self, capture: &[u8], ports: &[u16]) -> Result<Report, Complaints> {
        let file = temporary(capture);
        self.check(file.path(), ports)
    }

    /// Values of `fields` in every frame that `filter` selects; a field that occurs several times in a frame has its
    /// values separated by commas.
    ///
    /// # Panics
    /// tshark can't be run or refuses its arguments.
    pub fn fields(&self, capture: &Path, ports: &[u16], filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new(&self.program);
        command.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields", "-E", "separator=/t"]);
        for port in ports {
            command.arg("-d").arg(format!("tcp.port=={port},tpkt"));
        }
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.output().expect("tshark was found and must run");
        assert!(
            output.status.success(),
            "tshark on {}: {}",
            capture.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// [`Tshark::fields`] for a capture in memory.
    ///
    /// # Panics
    /// As there, or there is no place for a temporary file.
    pub fn fields_of_octets(
        &self,
        capture: &[u8],
        ports: &[u16],
        filter: &str,
        fields: &[&str],
    ) -> Vec<Vec<String>> {
        let file = temporary(capture);
        self.fields(file.path(), ports, filter, fields)
    }
}

impl Report {
    /// The frames in which `protocol` was found.
    pub fn with_protocol(&self, protocol: &str) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |frame| frame.protocols.split(':').any(|name| name == protocol))
    }
}

fn temporary(capture: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(capture).expect("a temporary file takes the capture");
    file
}
