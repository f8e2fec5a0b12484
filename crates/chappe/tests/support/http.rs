//! One HTTP request at a time, which tells apart what was never sent and what was never answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::DEADLINE;

/// What the service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// There is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was sent: the service was not there.
    NotSent,
    /// Something was sent; whether it had an effect is not known.
    Unknown,
}

/// Sends one request and reads the whole answer.
pub fn request(to: SocketAddr, method: &str, path: &str, body: &[u8]) -> Result<Answer, NoAnswer> {
    request_with(to, method, path, "", body)
}

/// The same with more fields in the head, each with its line end.
pub fn request_with(
    to: SocketAddr,
    method: &str,
    path: &str,
    fields: &str,
    body: &[u8],
) -> Result<Answer, NoAnswer> {
    let mut stream = TcpStream::connect_timeout(&to, DEADLINE).map_err(|_| NoAnswer::NotSent)?;
    exchange(&mut stream, method, path, fields, body).ok_or(NoAnswer::Unknown)
}

fn exchange(stream: &mut TcpStream, method: &str, path: &str, fields: &str, body: &[u8]) -> Option<Answer> {
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\
         content-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).ok()?;
    let text = String::from_utf8(octets).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    // The service may have been killed while it answered.
    (body.len() == length).then(|| Answer { status, body: body.to_owned() })
}

/// `text` as a value in a query or a segment of a path.
pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}
