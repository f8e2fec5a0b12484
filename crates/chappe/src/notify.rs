//! Tells systemd how the service stands (sd_notify): one datagram to the socket that `NOTIFY_SOCKET` names.

use std::env;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// States that the service manager is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything listens.
    Ready,
    /// The configuration is being read again.
    Reloading,
    /// The service is stopping.
    Stopping,
    /// The service is alive; told again and again where the manager watches.
    Alive,
}

/// Sends `state`, if there is a service manager that wants to know. A failure is logged and otherwise ignored: the
/// service works without.
pub(crate) fn notify(state: State) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    let message = match state {
        State::Ready => "READY=1".to_owned(),
        // The manager tells by the time which reload this is.
        State::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()),
        State::Stopping => "STOPPING=1".to_owned(),
        State::Alive => "WATCHDOG=1".to_owned(),
    };
    if let Err(error) = send(socket.as_encoded_bytes(), &message) {
        tracing::warn!("cannot tell the service manager {message}: {error}");
    }
}

/// How often the service manager wants to hear that the service is alive: half of the time after which it gives it up.
/// Nothing if it does not watch, or watches another process.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    interval(env::var("WATCHDOG_USEC").ok().as_deref(), env::var("WATCHDOG_PID").ok().as_deref())
}

fn interval(micros: Option<&str>, process: Option<&str>) -> Option<Duration> {
    if process.is_some_and(|id| id.parse() != Ok(std::process::id())) {
        return None;
    }
    let micros: u64 = micros?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros / 2))
}

/// The clock that the manager compares with.
fn monotonic_micros() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
}

fn send(socket: &[u8], message: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;

    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(socket))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_gets_the_state_as_one_datagram() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str().as_encoded_bytes(), "READY=1").unwrap();
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_and_only_our_own() {
        let own = std::process::id().to_string();
        assert_eq!(interval(Some("30000000"), None), Some(Duration::from_secs(15)));
        assert_eq!(interval(Some("30000000"), Some(&own)), Some(Duration::from_secs(15)));
        assert_eq!(interval(Some("30000000"), Some("1")), None);
        for none in [None, Some("0"), Some("soon")] {
            assert_eq!(interval(none, None), None);
        }
        assert!(monotonic_micros() > 0);
    }

    #[test]
    fn a_missing_manager_is_an_error_not_a_panic() {
        assert!(send(b"/no/such/socket", "READY=1").is_err());
        assert!(send(b"", "READY=1").is_err());
    }
}
