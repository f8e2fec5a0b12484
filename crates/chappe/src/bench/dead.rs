//! Peers that fail, each in one of the ways in which connections fail: what an MTA must be able to stand, however often.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mhs::MtaName;
use mhs::p1::bind::{MtaBindError, MtaBindResult, Password};
use osi::rtse::{RefuseReason, RtRequest};
use osi::stack::StackConfig;
use runtime::p1_application;
use socket2::SockRef;

use super::peer::{PASSWORD, Peer};
use super::{BenchError, io};

/// How a peer that is called fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    /// Nothing listens.
    Refused,
    /// The SYN is swallowed.
    Swallowed,
    /// Accepts, and says nothing.
    Silent,
    /// Answers with octets that are no TPKT.
    Garbage,
    /// COTP DR in place of CC.
    Disconnect,
    /// The session layer refuses (RF).
    SessionRefuse,
    /// The presentation layer refuses (CPR).
    PresentationReject,
    /// Accepts the bind under another name.
    BindName,
    /// Accepts the bind with another password.
    BindPassword,
    /// Refuses the bind as busy.
    Busy,
    /// Accepts the bind and aborts when a message comes.
    AbortInTransfer,
    /// Accepts the bind and resets the connection when a message comes.
    ResetInTransfer,
    /// Resets the connection.
    Reset,
    /// Closes its half of the connection and keeps the other one.
    HalfOpen,
    /// Accepts the bind and then reads nothing.
    SlowReader,
    /// Sends one octet a second.
    OneOctet,
}

impl Failing {
    /// Every way in which an attempt fails by itself, of those that need no message.
    pub(super) const AT_OPEN: [Failing; 11] = [
        Failing::Refused,
        Failing::Silent,
        Failing::Garbage,
        Failing::Disconnect,
        Failing::SessionRefuse,
        Failing::PresentationReject,
        Failing::BindName,
        Failing::BindPassword,
        Failing::Busy,
        Failing::Reset,
        Failing::HalfOpen,
    ];

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Failing::Refused => "TCP refused",
            Failing::Swallowed => "SYN swallowed",
            Failing::Silent => "accepted, then silent",
            Failing::Garbage => "TPKT garbage",
            Failing::Disconnect => "COTP DR",
            Failing::SessionRefuse => "session refuse",
            Failing::PresentationReject => "presentation reject",
            Failing::BindName => "bind: wrong name",
            Failing::BindPassword => "bind: wrong password",
            Failing::Busy => "bind error: busy",
            Failing::AbortInTransfer => "abort in transfer",
            Failing::ResetInTransfer => "reset in transfer",
            Failing::Reset => "RST",
            Failing::HalfOpen => "half-open",
            Failing::SlowReader => "slow reader",
            Failing::OneOctet => "one octet a second",
        }
    }
}

/// A peer that fails, on a port of its own, until it is dropped.
pub(super) struct DeadPeer {
    address: SocketAddr,
    /// Connections that have failed.
    failed: Arc<AtomicU64>,
    /// What keeps a swallowed SYN unanswered: a listener that accepts nothing, and what fills its queue.
    _full: Option<(TcpListener, Vec<TcpStream>)>,
}

impl DeadPeer {
    /// Starts one which answers binds, if it does, as `name`.
    pub(super) fn start(how: Failing, name: &str) -> Result<DeadPeer, BenchError> {
        let failed = Arc::new(AtomicU64::new(0));
        if how == Failing::Swallowed {
            let (listener, filling) = full_listener()?;
            let address = listener.local_addr().map_err(io("find a dead peer's port"))?;
            return Ok(DeadPeer { address, failed, _full: Some((listener, filling)) });
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("listen as a dead peer"))?;
        let address = listener.local_addr().map_err(io("find a dead peer's port"))?;
        if how != Failing::Refused {
            let (failed, name) = (Arc::clone(&failed), name.to_owned());
            thread::spawn(move || {
                for socket in listener.incoming().map_while(Result::ok) {
                    let (failed, name) = (Arc::clone(&failed), name.clone());
                    thread::spawn(move || {
                        // However it ends, it has failed; the other side is what is looked at.
                        let _ = fail(how, socket, &name);
                        failed.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
        }
        Ok(DeadPeer { address, failed, _full: None })
    }

    /// Where it can be called.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have failed here.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// A listener whose queue is full: Linux answers no further SYN.
fn full_listener() -> Result<(TcpListener, Vec<TcpStream>), BenchError> {
    let what = "listen as a dead peer";
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let domain = socket2::Domain::IPV4;
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).map_err(io(what))?;
    socket.bind(&address.into()).map_err(io(what))?;
    socket.listen(0).map_err(io(what))?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().map_err(io(what))?;
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        filling.push(stream);
        if filling.len() > 16 {
            return Err(BenchError::Association("this system answers SYNs whatever the queue".to_owned()));
        }
    }
    Ok((listener, filling))
}

/// Lets one connection fail.
fn fail(how: Failing, socket: TcpStream, name: &str) -> Result<(), BenchError> {
    match how {
        Failing::Refused | Failing::Swallowed => Ok(()),
        Failing::Silent => until_closed(socket),
        Failing::Garbage => {
            send(&socket, b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
            until_closed(socket)
        }
        Failing::Disconnect => {
            let [a, b] = caller_reference(&socket)?;
            send(&socket, &[3, 0, 0, 11, 6, 0x80, a, b, 0, 0, 0x81])?;
            until_closed(socket)
        }
        Failing::SessionRefuse => refuse(socket, &[0]),
        // Reason 2 with user data: CPR of normal mode, whose provider reason is not specified.
        Failing::PresentationReject => refuse(socket, &[2, 0x30, 3, 0x8a, 1, 0]),
        Failing::BindName => accepted(socket, "SOMEBODY", PASSWORD)?.drain(),
        Failing::BindPassword => accepted(socket, name, "not the password")?.drain(),
        Failing::Busy => {
            let mut peer = called(socket)?;
            let user_data = MtaBindError::BUSY.to_octets();
            peer.request(RtRequest::OpenReject {
                user_data,
                refuse_reason: RefuseReason::RTS_BUSY,
                transient: true,
            })?;
            peer.drain()
        }
        Failing::AbortInTransfer => {
            let mut peer = accepted(socket, name, PASSWORD)?;
            peer.wait_for_transfer()?;
            peer.request(RtRequest::Abort(osi::rtse::AbortReason::TEMPORARY_PROBLEM))?;
            peer.drain()
        }
        Failing::ResetInTransfer => {
            let kept = socket.try_clone().map_err(io("keep a socket"))?;
            accepted(socket, name, PASSWORD)?.wait_for_transfer()?;
            reset(&kept)
        }
        Failing::Reset => reset(&socket),
        Failing::HalfOpen => {
            socket.shutdown(Shutdown::Write).map_err(io("close half a connection"))?;
            until_closed(socket)
        }
        Failing::SlowReader => {
            let peer = accepted(socket, name, PASSWORD)?;
            loop {
                // As long as the process lives: what is in the socket's buffers is never taken out of them.
                thread::park();
                let _ = &peer;
            }
        }
        Failing::OneOctet => {
            // The head of a long TPKT, and its content for as long as somebody listens.
            for octet in [3, 0, 0x10, 0].into_iter().chain(std::iter::repeat(0)) {
                send(&socket, &[octet])?;
                thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        }
    }
}

/// The reference in the CR of the caller.
fn caller_reference(mut socket: &TcpStream) -> Result<[u8; 2], BenchError> {
    let mut head = [0; 10];
    socket.read_exact(&mut head).map_err(io("read a CR"))?;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])).saturating_sub(head.len())];
    socket.read_exact(&mut rest).map_err(io("read a CR"))?;
    Ok([head[8], head[9]])
}

/// Refuses at the session layer, with this reason code parameter.
fn refuse(socket: TcpStream, reason: &[u8]) -> Result<(), BenchError> {
    let [a, b] = caller_reference(&socket)?;
    send(&socket, &[3, 0, 0, 11, 6, 0xd0, a, b, 0, 1, 0])?;
    // The whole CONNECT SPDU is in one TPDU; only that it has come matters.
    let mut connect = [0; 4_096];
    (&socket).read(&mut connect).map_err(io("read a CONNECT SPDU"))?;
    let length = u8::try_from(reason.len()).unwrap_or(0);
    let spdu = [&[12, length + 2, 50, length], reason].concat();
    let total = u8::try_from(spdu.len() + 7).unwrap_or(0);
    send(&socket, &[&[3, 0, 0, total, 2, 0xf0, 0x80], spdu.as_slice()].concat())?;
    until_closed(socket)
}

fn called(socket: TcpStream) -> Result<Peer, BenchError> {
    Peer::called(socket, StackConfig::new(p1_application()))
}

fn accepted(socket: TcpStream, name: &str, password: &str) -> Result<Peer, BenchError> {
    let name = MtaName::new(name).map_err(|error| BenchError::Association(error.to_string()))?;
    let mut peer = called(socket)?;
    let user_data = MtaBindResult::simple(name, Password::new(password)).to_octets();
    peer.request(RtRequest::OpenAccept { user_data })?;
    Ok(peer)
}

fn send(mut socket: &TcpStream, octets: &[u8]) -> Result<(), BenchError> {
    socket.write_all(octets).map_err(io("write as a dead peer"))
}

fn until_closed(mut socket: TcpStream) -> Result<(), BenchError> {
    let mut octets = [0; 4_096];
    while socket.read(&mut octets).map_err(io("read as a dead peer"))? > 0 {}
    Ok(())
}

/// Closes with a reset in place of an orderly end. The socket's other copies must be gone by then.
fn reset(socket: &TcpStream) -> Result<(), BenchError> {
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).map_err(io("reset a connection"))
}
