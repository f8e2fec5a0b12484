//! Tells systemd how the service stands (sd_notify): one datagram to the socket that `NOTIFY_SOCKET` names.

use std::env;
use std::io;
use std::os::unix::net::UnixDatagram;

/// States that the service manager is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything listens.
    Ready,
    /// The configuration is being read again.
    Reloading,
    /// The service is stopping.
    Stopping,
}

/// Sends `state`, if there is a service manager that wants to know. A failure is logged and otherwise ignored: the
/// service works without.
pub(crate) fn notify(state: State) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    let message = match state {
        State::Ready => "READY=1",
        State::Reloading => "RELOADING=1",
        State::Stopping => "STOPPING=1",
    };
    if let Err(error) = send(socket.as_encoded_bytes(), message) {
        tracing::warn!("cannot tell the service manager {message}: {error}");
    }
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
    fn a_missing_manager_is_an_error_not_a_panic() {
        assert!(send(b"/no/such/socket", "READY=1").is_err());
        assert!(send(b"", "READY=1").is_err());
    }
}
