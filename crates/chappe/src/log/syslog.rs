//! Syslog, as RFC 5424 messages in UDP (RFC 5426) or to a local socket, where the short form of syslog(3) is usual.
//!
//! A thread of its own sends; the rest of the program only puts lines into its queue and never waits.

use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::line::Line;
use super::outlet::{Far, Flush, Outlet};

/// Longest datagram, in octets: what RFC 5426 says each receiver should take.
const MAX_OCTETS: usize = 2_048;
/// Wait after a socket could not be opened, and time for which one datagram may wait for a local receiver.
const PAUSE: Duration = Duration::from_secs(1);
/// Who we are.
const APPLICATION: &str = "chappe";
/// Private enterprise number in names of structured data: the one that RFC 5612 sets aside for those without their own.
const ENTERPRISE: u32 = 32_473;

/// Facilities by the names they have in the configuration.
pub(crate) const FACILITIES: [(&str, u8); 12] = [
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// Where lines go, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyslogSettings {
    /// Where.
    pub(crate) address: SyslogAddress,
    /// Number of the facility.
    pub(crate) facility: u8,
    /// How messages are written.
    pub(crate) form: Form,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// RFC 5424.
    Rfc5424,
    /// As syslog(3) writes to a local socket, which the journal and rsyslog expect there.
    Local,
}

/// Where a syslog receiver listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyslogAddress {
    /// `udp://host:port`.
    Udp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
}

impl SyslogAddress {
    /// Reads `udp://host`, `udp://host:port` or `unix:PATH`.
    pub(crate) fn parse(text: &str) -> Option<SyslogAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| SyslogAddress::Unix(path.into()));
        }
        let host = text.strip_prefix("udp://")?;
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse().ok()?),
            Some(_) | None => (host, 514_u16),
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        (!bare.is_empty() && !bare.contains(['/', ' '])).then(|| SyslogAddress::Udp(format!("{name}:{port}")))
    }
}

impl std::fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SyslogAddress::Udp(host) => write!(f, "udp://{host}"),
            SyslogAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The near end of the queue.
#[derive(Debug)]
pub(super) struct Syslog {
    queue: Outlet,
    settings: SyslogSettings,
    host: String,
}

impl Syslog {
    /// Starts the thread that sends.
    pub(super) fn start(settings: SyslogSettings) -> io::Result<Syslog> {
        let queue = Outlet::start("syslog", Sender::new(settings.address.clone()))?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Syslog { queue, settings, host })
    }

    /// For the end of the program.
    pub(super) fn flush(&self) -> Flush {
        self.queue.flush()
    }

    /// Queues a line, or counts it as lost. Never waits.
    pub(super) fn send(&self, line: &Line) {
        self.queue.send(datagram(&self.settings, &self.host, std::process::id(), line));
    }
}

/// The far end of the queue.
struct Sender {
    address: SyslogAddress,
    socket: Option<Socket>,
    closed_until: Option<Instant>,
    is_out: bool,
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Sender {
    fn new(address: SyslogAddress) -> Sender {
        Sender { address, socket: None, closed_until: None, is_out: false }
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        // A receiver that was restarted shows as an error of the next datagram, which it could have had.
        let had_socket = self.socket.is_some();
        match self.try_send(octets) {
            Err(_) if had_socket => self.try_send(octets),
            sent => sent,
        }
    }

    fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                if self.closed_until.is_some_and(|until| Instant::now() < until) {
                    return Err(io::ErrorKind::NotConnected.into());
                }
                open(&self.address).inspect_err(|_| self.closed_until = Some(Instant::now() + PAUSE))?
            }
        };
        match &socket {
            Socket::Udp(socket) => socket.send(octets)?,
            Socket::Unix(socket) => socket.send(octets)?,
        };
        self.socket = Some(socket);
        Ok(())
    }
}

impl Far for Sender {
    fn pass_on(&mut self, octets: &[u8]) -> bool {
        match self.send(octets) {
            Ok(()) => self.is_out = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_out, true) {
                    tracing::warn!("syslog at {} can't be reached: {error}; lines are lost", self.address);
                }
            }
        }
        !self.is_out
    }

    fn tell_lost(&mut self, lost: u64) {
        tracing::warn!("{lost} lines of the log did not get to syslog at {}", self.address);
    }
}

fn open(address: &SyslogAddress) -> io::Result<Socket> {
    match address {
        SyslogAddress::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_write_timeout(Some(PAUSE))?;
            Ok(Socket::Unix(socket))
        }
        SyslogAddress::Udp(host) => {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for to in host.to_socket_addrs()? {
                let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let opened = UdpSocket::bind(own).and_then(|socket| socket.connect(to).map(|()| socket));
                match opened {
                    Ok(socket) => return Ok(Socket::Udp(socket)),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

/// One message as it is sent.
fn datagram(settings: &SyslogSettings, host: &str, process: u32, line: &Line) -> Vec<u8> {
    let priority = u32::from(settings.facility) * 8 + u32::from(line.severity());
    let mut text = match settings.form {
        Form::Local => format!("<{priority}>{APPLICATION}[{process}]: {}", line.said()),
        Form::Rfc5424 => {
            let message_id = line.event.as_deref().map_or_else(|| "-".to_owned(), |name| name_of(name, 32));
            let (time, host) = (&line.time, name_of(host, 255));
            let data = structured(line);
            // The mark in front of the text says that it is UTF-8.
            let said = line.said();
            format!("<{priority}>1 {time} {host} {APPLICATION} {process} {message_id} {data} \u{feff}{said}")
        }
    };
    let mut end = text.len().min(MAX_OCTETS);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into_bytes()
}

/// Number, category and subject of an event as structured data (RFC 5424 6.3).
fn structured(line: &Line) -> String {
    if line.event.is_none() {
        return "-".to_owned();
    }
    let id = line.id.map(|id| id.to_string());
    let all = [
        ("id", id.as_deref()),
        ("category", line.category.as_deref()),
        ("subject", Some(line.subject.as_str()).filter(|subject| !subject.is_empty())),
    ];
    let mut data = format!("[event@{ENTERPRISE}");
    for (name, value) in all {
        let Some(value) = value else { continue };
        data.push_str(&format!(" {name}=\""));
        for c in value.chars() {
            if matches!(c, '"' | '\\' | ']') {
                data.push('\\');
            }
            data.push(c);
        }
        data.push('"');
    }
    data.push(']');
    data
}

/// What the header has room for: printable ASCII without blanks, a dash if nothing is left.
fn name_of(text: &str, longest: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::super::outlet::QUEUE;
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            time: "2026-11-22T04:30:00.000001Z".to_owned(),
            level: "warning",
            severity: 4,
            event: Some("connect-error".to_owned()),
            id: Some(4284),
            category: Some("X.400 Service".to_owned()),
            subject: "a]\"b".to_owned(),
            text: text.to_owned(),
            ..Line::default()
        }
    }

    fn settings(address: SyslogAddress, form: Form) -> SyslogSettings {
        SyslogSettings { address, facility: 2, form }
    }

    #[test]
    fn addresses_have_a_port_or_514() {
        let udp = |host: &str| Some(SyslogAddress::Udp(host.to_owned()));
        assert_eq!(SyslogAddress::parse("udp://log.example"), udp("log.example:514"));
        assert_eq!(SyslogAddress::parse("udp://127.0.0.1:5514"), udp("127.0.0.1:5514"));
        assert_eq!(SyslogAddress::parse("udp://[::1]:514"), udp("[::1]:514"));
        assert_eq!(SyslogAddress::parse("udp://[::1]"), udp("[::1]:514"));
        assert_eq!(SyslogAddress::parse("unix:/dev/log"), Some(SyslogAddress::Unix("/dev/log".into())));
        for wrong in ["", "/dev/log", "unix:log", "udp://", "udp://:514", "udp://h:x", "tcp://h:1"] {
            assert_eq!(SyslogAddress::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_message_is_that_of_rfc_5424() {
        let to = settings(SyslogAddress::Udp(String::new()), Form::Rfc5424);
        let sent = String::from_utf8(datagram(&to, "host", 7, &line("no answer"))).unwrap();
        assert_eq!(
            sent,
            "<20>1 2026-11-22T04:30:00.000001Z host chappe 7 connect-error \
             [event@32473 id=\"4284\" category=\"X.400 Service\" subject=\"a\\]\\\"b\"] \
             \u{feff}connect-error 4284 a]\"b: no answer"
        );
        let to = settings(SyslogAddress::Udp(String::new()), Form::Local);
        let sent = String::from_utf8(datagram(&to, "host", 7, &line("no answer"))).unwrap();
        assert_eq!(sent, "<20>chappe[7]: connect-error 4284 a]\"b: no answer");
        assert!(datagram(&to, "host", 7, &line(&"é".repeat(9_000))).len() <= MAX_OCTETS);
    }

    #[test]
    fn a_receiver_gets_what_is_sent() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let address = SyslogAddress::Udp(receiver.local_addr().unwrap().to_string());
        let syslog = Syslog::start(settings(address, Form::Rfc5424)).unwrap();
        syslog.send(&line("one"));
        let mut buffer = [0; MAX_OCTETS];
        let length = receiver.recv(&mut buffer).unwrap();
        assert!(String::from_utf8_lossy(&buffer[..length]).ends_with(": one"));
    }

    #[test]
    fn a_receiver_that_hangs_delays_nobody_and_losses_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // It never reads: the system's queue for it fills up, then ours.
        let _receiver = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::start(settings(SyslogAddress::Unix(path), Form::Local)).unwrap();
        let enough = 4 * QUEUE;
        for _ in 0..enough {
            syslog.send(&line("one"));
        }
        assert!(syslog.queue.lost() > 0, "{enough} lines can't all be queued");
    }

    #[test]
    fn a_receiver_that_comes_late_gets_what_is_said_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut sender = Sender::new(SyslogAddress::Unix(path.clone()));
        assert!(!sender.pass_on(b"early"));
        let receiver = UnixDatagram::bind(&path).unwrap();
        sender.closed_until = None;
        assert!(sender.pass_on(b"late"));
        let mut buffer = [0; 16];
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 4);
        // The receiver is restarted: the first datagram after it is not lost.
        drop(receiver);
        std::fs::remove_file(&path).unwrap();
        let receiver = UnixDatagram::bind(&path).unwrap();
        assert!(sender.pass_on(b"again"));
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 5);
    }
}
