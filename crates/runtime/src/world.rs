//! What an MTA has around it, and what may take its place: the network, the time of day, chance, and threads that may
//! block. The system's own by default; a simulation brings a [`World`] in which a run can be repeated exactly.
//!
//! Monotonic time is tokio's in either case: a simulation runs on a runtime whose clock is paused.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use clock::WallTime;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use crate::bind::{self, Place};
use crate::clocks;
use crate::limits::RuntimeLimits;

/// A boxed future, as the methods of [`World`] return it.
pub type WorldFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Everything that an MTA asks of the system, but for monotonic time and the store.
///
/// With a world in place work that might block is done where it stands.
pub trait World: Send + Sync {
    /// The time of day. It may jump, forward and back.
    fn wall(&self) -> WallTime;

    /// What makes the name of session connection `number` unguessable.
    fn secret(&self, number: u64) -> u64;

    /// Addresses of a host, in the order in which they are to be tried.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> WorldFuture<'a, Vec<SocketAddr>>;

    /// Connects to `address`, from an address of this host if one is named. May take for ever; the caller has its time
    /// limit.
    fn connect(&self, address: SocketAddr, from: Option<IpAddr>) -> WorldFuture<'_, Box<dyn Connection>>;

    /// Listens on `address`.
    ///
    /// # Errors
    /// The address can't be listened on.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Incoming>>;
}

/// One end of a connection in a [`World`]; closed when dropped. The calls mean what those of
/// [`tokio::net::TcpStream`] with the same names mean.
pub trait Connection: Send + Sync {
    /// Address of this end.
    ///
    /// # Errors
    /// The connection is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Waits until one of the things in `interest` can be tried.
    fn poll_ready(&self, context: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>>;

    /// Reads what is there; 0 once the peer has closed its direction.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is there; any other means that the connection is lost.
    fn try_read(&self, octets: &mut [u8]) -> io::Result<usize>;

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is no room; any other means that the connection is lost.
    fn try_write(&self, octets: &[u8]) -> io::Result<usize>;
}

/// A listening socket in a [`World`]; closed when dropped.
pub trait Incoming: Send + Sync {
    /// The address listened on.
    ///
    /// # Errors
    /// The socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The next connection and the address of its peer.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Connection>, SocketAddr)>>;
}

/// The system or a world.
#[derive(Clone)]
pub(crate) enum Surroundings {
    /// The system; its random state makes names unguessable.
    System(RandomState),
    /// Another in its place.
    World(Arc<dyn World>),
}

impl Default for Surroundings {
    fn default() -> Self {
        Surroundings::System(RandomState::new())
    }
}

impl Surroundings {
    pub(crate) fn wall(&self) -> WallTime {
        match self {
            Surroundings::System(_) => clocks::system_time(),
            Surroundings::World(world) => world.wall(),
        }
    }

    pub(crate) fn secret(&self, number: u64) -> u64 {
        match self {
            Surroundings::System(state) => state.hash_one(number),
            Surroundings::World(world) => world.secret(number),
        }
    }

    pub(crate) async fn resolve(&self, host: &str, port: u16, most: usize) -> io::Result<Vec<SocketAddr>> {
        match self {
            Surroundings::System(_) => Ok(lookup_host((host, port)).await?.take(most).collect()),
            Surroundings::World(world) => {
                let mut addresses = world.resolve(host, port).await?;
                addresses.truncate(most);
                Ok(addresses)
            }
        }
    }

    pub(crate) async fn connect(&self, address: SocketAddr, from: Option<IpAddr>) -> io::Result<Socket> {
        match self {
            Surroundings::System(_) => bind::connect(address, from).await.map(Socket::Tcp),
            Surroundings::World(world) => world.connect(address, from).await.map(Socket::Other),
        }
    }

    /// Listens at a place.
    pub(crate) fn listen(&self, place: Place) -> io::Result<Listener> {
        match self {
            Surroundings::System(_) => bind::listen_at(place).map(Listener::Tcp),
            Surroundings::World(world) => world.listen(place.address).map(Listener::Other),
        }
    }

    /// Whether work may go on in threads of its own; else it is done where it stands.
    pub(crate) fn has_threads(&self) -> bool {
        match self {
            Surroundings::System(_) => true,
            Surroundings::World(_) => false,
        }
    }

    /// Runs `work` where blocking on the disk is allowed, if it may block.
    pub(crate) async fn blocking<T, E>(
        &self,
        may_block: bool,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + From<spool::SpoolError> + 'static,
    {
        match self {
            Surroundings::System(_) if may_block => match tokio::task::spawn_blocking(work).await {
                Ok(result) => result,
                // Only when the process ends, or if the store itself panicked: either way nothing was made durable.
                Err(_) => Err(spool::SpoolError::Closed.into()),
            },
            Surroundings::System(_) | Surroundings::World(_) => work(),
        }
    }
}

/// One end of a connection.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Other(Box<dyn Connection>),
}

impl Socket {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Socket::Tcp(socket) => socket.local_addr(),
            Socket::Other(socket) => socket.local_addr(),
        }
    }

    /// Sets what [`RuntimeLimits`] say of TCP; there is nothing to set where there is no TCP.
    pub(crate) fn apply(&self, limits: &RuntimeLimits) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => limits.apply(socket),
            Socket::Other(_) => Ok(()),
        }
    }

    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Socket::Tcp(socket) => socket.ready(interest).await,
            Socket::Other(socket) => {
                std::future::poll_fn(|context| socket.poll_ready(context, interest)).await
            }
        }
    }

    pub(crate) fn try_read(&self, octets: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.try_read(octets),
            Socket::Other(socket) => socket.try_read(octets),
        }
    }

    pub(crate) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.try_write(octets),
            Socket::Other(socket) => socket.try_write(octets),
        }
    }
}

/// A listening socket.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Other(Box<dyn Incoming>),
}

impl Listener {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr(),
            Listener::Other(listener) => listener.local_addr(),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        match self {
            Listener::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                Ok((Socket::Tcp(socket), peer))
            }
            Listener::Other(listener) => {
                let (socket, peer) = std::future::poll_fn(|context| listener.poll_accept(context)).await?;
                Ok((Socket::Other(socket), peer))
            }
        }
    }
}
