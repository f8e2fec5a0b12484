//! The client against services that are slow, absent or break off.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::model::Submitted;

fn patience(refused_ms: u64, answer_ms: u64) -> Patience {
    Patience {
        refused: Duration::from_millis(refused_ms),
        connect: Duration::from_secs(5),
        answer: Duration::from_millis(answer_ms),
    }
}

/// A service that does `serve` with its one connection.
fn service(serve: impl FnOnce(TcpStream) + Send + 'static) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    (api, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

fn post(client: &Client, length: u64) -> Result<Submitted, Failure> {
    client.post("/x", &[], "text/plain", length, &mut io::repeat(7).take(length))
}

/// Reads up to the end of the request's head, and tells the client to go on.
fn head(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut octet = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        seen.extend(octet);
    }
    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
}

fn read(stream: &mut TcpStream, octets: u64) {
    assert_eq!(io::copy(&mut stream.take(octets), &mut io::sink()).unwrap(), octets);
}

#[test]
fn an_address_fits_into_a_path_segment() {
    assert_eq!(segment("S=a;A= /é"), "S%3Da%3BA%3D%20%2F%C3%A9");
}

#[test]
fn only_addresses_of_services_are_taken() {
    assert!(Client::new("http://127.0.0.1:1/", None, None).is_ok());
    // Nobody is trusted without somebody who vouches for him.
    let none = Client::new("https://mta", None, Some(Path::new("/nowhere")));
    assert!(matches!(none, Err(Failure::Usage(text)) if text.contains("--ca-file /nowhere")));
    for bad in ["", "127.0.0.1:8400", "ftp://mta", "http://", "https://"] {
        assert!(matches!(Client::new(bad, None, None), Err(Failure::Usage(_))), "{bad}");
    }
}

#[test]
fn a_service_that_is_silent_is_not_waited_for_for_ever() {
    let (api, serving) = service(|mut stream| {
        // Until the client gives up.
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let client = Client::with_patience(&api, None, None, patience(0, 200)).unwrap();
    let failure = client.get::<Submitted>("/x", &[]).unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    assert!(failure.to_string().contains("does not answer within 0.2 s"), "{failure}");
    drop(client);
    serving.join().unwrap();
}

#[test]
fn an_answer_that_comes_during_the_upload_is_read() {
    const SENT: u64 = 50 << 20;
    let (api, serving) = service(|mut stream| {
        head(&mut stream);
        read(&mut stream, 100_000);
        let body = r#"{"error":{"what":"the message store failed","why":"no space left"}}"#;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        // Closed with octets unread: the client's next write fails.
    });
    let client = Client::with_patience(&api, None, None, patience(0, 10_000)).unwrap();
    let failure = post(&client, SENT).unwrap_err();
    assert!(matches!(failure, Failure::Failed(_)), "{failure:?}");
    assert_eq!(failure.to_string(), "the message store failed: no space left");
    serving.join().unwrap();
}

#[test]
fn a_connection_that_breaks_before_the_answer_leaves_the_outcome_open() {
    for read_first in [1000, 500] {
        let (api, serving) = service(move |mut stream| {
            head(&mut stream);
            read(&mut stream, read_first);
        });
        let client = Client::with_patience(&api, None, None, patience(0, 10_000)).unwrap();
        let failure = post(&client, 1000).unwrap_err();
        assert!(matches!(failure, Failure::Failed(_)), "{failure:?}");
        assert!(failure.to_string().contains("it may have been accepted"), "{failure}");
        serving.join().unwrap();
    }
}

#[test]
fn a_file_that_can_not_be_read_is_no_broken_connection() {
    struct Damaged;
    impl Read for Damaged {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("bad sector"))
        }
    }
    let (api, serving) = service(|mut stream| {
        head(&mut stream);
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let client = Client::with_patience(&api, None, None, patience(0, 10_000)).unwrap();
    let failure = client.post::<Submitted>("/x", &[], "text/plain", 1000, &mut Damaged).unwrap_err();
    assert!(failure.to_string().contains("bad sector; nothing was accepted"), "{failure}");
    drop(client);
    serving.join().unwrap();
}

#[test]
fn a_service_that_is_just_starting_is_waited_for() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let client =
        Client::with_patience(&format!("http://{address}"), None, None, patience(20_000, 10_000)).unwrap();
    let asking = thread::spawn(move || post(&client, 3));
    let listener = TcpListener::bind(address).unwrap();
    let mut stream = listener.accept().unwrap().0;
    head(&mut stream);
    read(&mut stream, 3);
    let body = r#"{"mts_id":"C=GB","content_octets":3}"#;
    write!(stream, "HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    assert_eq!(asking.join().unwrap().unwrap().content_octets, 3);
}
