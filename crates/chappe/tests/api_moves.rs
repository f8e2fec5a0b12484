//! A reload moves the API: to another address, behind TLS or tokens and back, away and in again.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use common::Service;

/// Another `[listen]`: `api` as a whole line, and what belongs to it.
fn rewrite(service: &Service, api: &str, more: &str) {
    Service::write_config(service.dir.path(), more, "");
    let file = service.dir.path().join("chappe.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("api = \"127.0.0.1:0\"", api);
    std::fs::write(&file, text).unwrap();
}

fn reload(service: &mut Service) {
    service.signal("-HUP");
    service.wait_for_log("configuration read again");
}

fn port(service: &Service) -> u16 {
    service.api.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the API answers on a port; `None` if nobody listens, or nobody who speaks HTTP.
fn ask(port: u16, request: &str, field: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\n{field}content-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // TLS that is not understood may end in a reset.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.starts_with("HTTP/1.1 ").then_some(answer)
}

fn status(port: u16, field: &str) -> Option<u16> {
    let answer = ask(port, "GET /api/v1/status", field)?;
    Some(answer[9..12].parse().unwrap())
}

fn watch(port: u16, field: &str) -> TcpStream {
    common::watch(&format!("127.0.0.1:{port}"), field)
}

/// Reads a stream to its end, which comes.
fn ends(mut stream: TcpStream) {
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
}

fn tls() -> String {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name);
    let (certificate, key) = (file("service.pem"), file("service.key"));
    format!("api_tls_certificate_file = {certificate:?}\napi_tls_key_file = {key:?}\n")
}

#[test]
fn the_api_moves_with_a_reload_and_what_asked_for_it_is_answered() {
    let mut service = Service::start("", "");
    let (old, new) = (port(&service), free_port());
    let stream = watch(old, "");
    rewrite(&service, &format!("api = \"127.0.0.1:{new}\""), "");
    let answer = ask(old, "POST /api/v1/config/reload", "").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    ends(stream);
    assert_eq!((status(old, ""), status(new, "")), (None, Some(200)));

    // An address that somebody else has: everything stays, streams as well.
    let mut stream = watch(new, "");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    rewrite(&service, &format!("api = \"{address}\""), "");
    let answer = ask(new, "POST /api/v1/config/reload", "").unwrap();
    assert!(answer.starts_with("HTTP/1.1 409 ") && answer.contains(&address.to_string()), "{answer}");
    service.wait_for_log("the configuration stays as it was");
    assert_ne!(stream.read(&mut [0; 100]).unwrap(), 0);

    // Away, and in again.
    rewrite(&service, "", "");
    reload(&mut service);
    ends(stream);
    assert_eq!(status(new, ""), None);
    rewrite(&service, &format!("api = \"127.0.0.1:{new}\""), "");
    reload(&mut service);
    assert_eq!(status(new, ""), Some(200));
    service.signal("-TERM");
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn an_address_that_contains_the_one_before_takes_its_port_with_tokens_and_gives_it_back() {
    let mut service = Service::start("", "");
    let port = free_port();
    rewrite(&service, &format!("api = \"127.0.0.1:{port}\""), "");
    reload(&mut service);
    let stream = watch(port, "");
    let token = service.file("token", b"t0ken\n");
    let more = format!("api_token_file = {token:?}\napi_without_tls = true\n");
    let bearer = "authorization: Bearer t0ken\r\n";
    rewrite(&service, &format!("api = \"0.0.0.0:{port}\""), &more);
    reload(&mut service);
    ends(stream);
    assert_eq!((status(port, ""), status(port, bearer)), (Some(401), Some(200)));
    // Back: tokens are asked for no more, and streams of those who had one have ended.
    let stream = watch(port, bearer);
    rewrite(&service, &format!("api = \"127.0.0.1:{port}\""), "");
    reload(&mut service);
    ends(stream);
    assert_eq!(status(port, ""), Some(200));
}

#[test]
fn tls_and_tokens_come_and_go_on_the_same_port() {
    let mut service = Service::start("", "");
    let port = port(&service);
    let same = "api = \"127.0.0.1:0\"";
    assert_eq!(status(port, ""), Some(200));
    rewrite(&service, same, &tls());
    reload(&mut service);
    assert_eq!(status(port, ""), None, "it is answered in the clear");
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/authority.pem");
    service.api = format!("https://127.0.0.1:{port}");
    let told = service.run(&["status", "--ca-file", authority.to_str().unwrap()]).ok();
    assert!(told.contains("MTA-A"), "{told}");
    rewrite(&service, same, "");
    reload(&mut service);
    assert_eq!(status(port, ""), Some(200));
    let token = service.file("token", b"t0ken\n");
    rewrite(&service, same, &format!("api_token_file = {token:?}\n"));
    reload(&mut service);
    assert_eq!(status(port, ""), Some(401));
    assert_eq!(status(port, "authorization: Bearer t0ken\r\n"), Some(200));
}
