//! Sockets and the addresses of this end. What listening IPv6 sockets do about IPv4 is always said, never left to the system's default.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address; with port 0 the system chooses one.
    pub(crate) address: SocketAddr,
    /// An IPv6 socket takes IPv4 as well.
    takes_ipv4: bool,
}

impl Place {
    /// Whether a socket at one of them may keep another from the other.
    pub(crate) fn shares_port(&self, other: &Place) -> bool {
        let (one, two) = (self.address, other.address);
        let overlap = one.ip() == two.ip() || one.ip().is_unspecified() || two.ip().is_unspecified();
        one.port() != 0 && one.port() == two.port() && overlap
    }
}

/// Where to listen for these addresses together.
///
/// `[::]` takes IPv4 as well, unless `0.0.0.0` is listed with the same port and takes it; any other IPv6 address
/// takes IPv6 alone.
pub(crate) fn places(addresses: &[SocketAddr]) -> Vec<Place> {
    let place = |&address| Place { address, takes_ipv4: takes_ipv4(address, addresses) };
    addresses.iter().map(place).collect()
}

/// Listens on `address`; on `[::]` for IPv4 as well.
///
/// # Errors
/// The address can't be listened on.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    listen_at(Place { address, takes_ipv4: takes_ipv4(address, &[]) })
}

pub(crate) fn listen_at(place: Place) -> io::Result<TcpListener> {
    let Place { address, takes_ipv4 } = place;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!takes_ipv4)?;
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

/// Connects to `address`, from this address of ours if one is named.
pub(crate) async fn connect(address: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(address).await };
    // One of IPv4 in the dress of IPv6 is one of IPv4.
    let address = canonical(address);
    let Some(local) = local_end(from, address) else {
        let family = if from.is_ipv4() { "IPv4" } else { "IPv6" };
        let why = format!("not tried: local_address {from} is of {family} and this is not");
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
    };
    let socket = if local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let unusable = |error: io::Error| {
        io::Error::new(error.kind(), format!("local_address {from} can't be used: {error}"))
    };
    socket.bind(local).map_err(unusable)?;
    socket.connect(address).await
}

/// Where a connection from `from` to `address` begins, with a port of the system's choice; nothing if their families differ.
fn local_end(from: IpAddr, address: SocketAddr) -> Option<SocketAddr> {
    match (from, address) {
        (IpAddr::V4(_), SocketAddr::V4(_)) => Some(SocketAddr::new(from, 0)),
        // A link-local address of ours is on the link of the peer's.
        (IpAddr::V6(v6), SocketAddr::V6(peer)) if v6.is_unicast_link_local() => {
            Some(SocketAddrV6::new(v6, 0, 0, peer.scope_id()).into())
        }
        (IpAddr::V6(_), SocketAddr::V6(_)) => Some(SocketAddr::new(from, 0)),
        (IpAddr::V4(_), SocketAddr::V6(_)) | (IpAddr::V6(_), SocketAddr::V4(_)) => None,
    }
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

    #[test]
    fn places_share_a_port_where_a_socket_at_one_keeps_another_from_the_other() {
        let place = |text: &str| {
            let address = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            places(&[address])[0]
        };
        let shared = |one: &str, two: &str| place(one).shares_port(&place(two));
        assert!(shared("0.0.0.0:102", "127.0.0.1:102") && shared("127.0.0.1:102", "[::]:102"));
        assert!(shared("127.0.0.1:102", "127.0.0.1:102"));
        assert!(!shared("127.0.0.1:102", "127.0.0.2:102") && !shared("0.0.0.0:102", "127.0.0.1:103"));
        assert!(!shared("0.0.0.0:0", "127.0.0.1:0"), "each has a port of its own");
    }

    #[test]
    fn a_connection_begins_at_an_address_of_the_family_of_the_peers() {
        let end = |from: &str, to: &str| {
            let from = from.parse().unwrap_or_else(|e| panic!("{from}: {e}"));
            local_end(from, to.parse().unwrap_or_else(|e| panic!("{to}: {e}"))).map(|end| end.to_string())
        };
        assert_eq!(end("192.0.2.1", "192.0.2.9:102").as_deref(), Some("192.0.2.1:0"));
        assert_eq!(end("2001:db8::1", "[2001:db8::9]:102").as_deref(), Some("[2001:db8::1]:0"));
        assert_eq!(end("fe80::1", "[fe80::9%3]:102").as_deref(), Some("[fe80::1%3]:0"));
        for (from, to) in [("192.0.2.1", "[2001:db8::9]:102"), ("2001:db8::1", "192.0.2.9:102")] {
            assert_eq!(end(from, to), None, "{from} {to}");
        }
    }

    #[tokio::test]
    async fn the_peer_sees_the_local_address_that_is_set_and_one_that_is_not_ours_is_named() {
        let any = "127.0.0.1:0".parse().unwrap_or_else(|e| panic!("{e}"));
        let listener = listen(any).unwrap_or_else(|e| panic!("{e}"));
        let address = listener.local_addr().unwrap_or_else(|e| panic!("{e}"));
        for from in ["127.0.0.2", "127.0.0.3"] {
            let from: IpAddr = from.parse().unwrap_or_else(|e| panic!("{e}"));
            let connection = connect(address, Some(from)).await.unwrap_or_else(|e| panic!("{from}: {e}"));
            let (_, peer) = listener.accept().await.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((peer.ip(), connection.local_addr().ok()), (from, Some(peer)));
        }
        for from in ["192.0.2.1", "2001:db8::1"] {
            let from = from.parse().unwrap_or_else(|e| panic!("{e}"));
            let refused = connect(address, Some(from)).await.err().map(|error| error.to_string());
            assert!(
                refused.as_ref().is_some_and(|text| text.contains(&format!("local_address {from}"))),
                "{refused:?}"
            );
        }
    }
}
