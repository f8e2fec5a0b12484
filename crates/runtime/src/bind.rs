//! Listening sockets. What IPv6 sockets do about IPv4 is always said, never left to the system's default.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on `address`, one of `all`.
///
/// `[::]` takes IPv4 as well, unless `0.0.0.0` is listed with the same port and takes it; any other IPv6 address
/// takes IPv6 alone.
///
/// # Errors
/// The address can't be listened on.
pub fn listen(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!takes_ipv4(address, all))?;
    }
    // A port whose old connections still linger can be listened on again, as after a restart.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn takes_ipv4(address: SocketAddr, all: &[SocketAddr]) -> bool {
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !all.contains(&v4)
}

/// The address of a peer as its operator knows it: one of IPv4 that came in over an IPv6 socket is shown as IPv4.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, peer.port()),
        // As it is: a link-local address has its zone.
        IpAddr::V6(_) => peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_unspecified_address_takes_ipv4_and_only_if_nobody_else_does() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap_or_else(|e| panic!("{text}: {e}"));
        let any6 = address("[::]:102");
        assert!(takes_ipv4(any6, &[any6]));
        assert!(takes_ipv4(any6, &[any6, address("0.0.0.0:103"), address("127.0.0.1:102")]));
        assert!(!takes_ipv4(any6, &[any6, address("0.0.0.0:102")]));
        assert!(!takes_ipv4(address("[::1]:102"), &[]));
        assert_eq!(canonical(address("[::ffff:10.0.0.1]:5")), address("10.0.0.1:5"));
        assert_eq!(canonical(address("[fe80::1%3]:5")), address("[fe80::1%3]:5"));
    }
}
