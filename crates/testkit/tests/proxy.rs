//! The proxy passes, records and breaks connections as told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use testkit::{Break, Capture, Fault, Proxy, Side};

const LIMIT: Duration = Duration::from_secs(20);

/// A server that sends back what it receives, each connection in a thread of its own.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

#[test]
fn untouched_connections_pass_and_are_recorded() {
    let proxy = Proxy::start(echo_server()).unwrap();
    let mut stream = connect(&proxy);
    stream.write_all(b"over and back").unwrap();
    let mut back = [0; 13];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"over and back");
    drop(stream);
    let recordings = proxy.wait(LIMIT, |all| all.iter().all(|one| one.ended)).unwrap();
    assert_eq!(recordings.len(), 1);
    assert!(!recordings[0].broken);
    let capture = Capture::parse(&proxy.to_pcap().into_vec()).unwrap();
    assert_eq!(capture.connections[0].octets(Side::Initiator), b"over and back");
    assert_eq!(capture.connections[0].octets(Side::Responder), b"over and back");
}

#[test]
fn refused_connections_are_reset() {
    let proxy = Proxy::start(echo_server()).unwrap();
    proxy.plan(Fault::Refuse);
    let mut stream = connect(&proxy);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut next = connect(&proxy);
    next.write_all(b"y").unwrap();
    let mut back = [0; 1];
    next.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"y", "the plan is used up");
}

#[test]
fn a_cut_lets_exactly_so_many_octets_through() {
    for (how, side) in
        [(Break::Close, Side::Initiator), (Break::Reset, Side::Initiator), (Break::Close, Side::Responder)]
    {
        let proxy = Proxy::start(echo_server()).unwrap();
        proxy.plan(Fault::Cut { side, octets: 7, how });
        let mut stream = connect(&proxy);
        stream.write_all(b"0123456789").unwrap();
        let mut back = Vec::new();
        let result = stream.read_to_end(&mut back);
        match how {
            Break::Close => assert_eq!(result.map_err(|error| error.kind()), Ok(back.len())),
            Break::Reset => {
                assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
            }
            Break::Silence => unreachable!("not in the list"),
        }
        let recordings = proxy.wait(LIMIT, |all| all.iter().any(|one| one.ended)).unwrap();
        assert!(recordings[0].broken);
        let passed = |of: Side| -> usize {
            recordings[0].segments.iter().filter(|one| one.side == of).map(|one| one.octets.len()).sum()
        };
        assert_eq!(passed(side), 7, "{how:?} {side:?}");
        assert!(back.len() <= 7);
    }
}

#[test]
fn silence_keeps_the_connection_open() {
    let proxy = Proxy::start(echo_server()).unwrap();
    proxy.plan(Fault::Cut { side: Side::Initiator, octets: 3, how: Break::Silence });
    let mut stream = connect(&proxy);
    stream.write_all(b"abc").unwrap();
    proxy.wait(LIMIT, |all| all.iter().any(|one| one.broken)).unwrap();
    stream.write_all(b"def").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut back = Vec::new();
    let error = stream.read_to_end(&mut back).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert!(!back.contains(&b'd'));
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    drop(proxy);
    assert_eq!(stream.read(&mut [0; 8]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[test]
fn connections_can_be_broken_at_will() {
    let proxy = Proxy::start(echo_server()).unwrap();
    let mut stream = connect(&proxy);
    stream.write_all(b"a").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    proxy.break_all(Break::Reset);
    assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}
