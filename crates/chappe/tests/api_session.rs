//! How a browser is logged in, and what its cookie is not good for.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::io::Read;
use std::net::TcpStream;

use common::Service;
use serde_json::Value;

/// A service with one token, `anna-token`, of an operator.
fn service() -> Service {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("anna");
    std::fs::write(&file, "anna-token\n").unwrap();
    let tokens = format!("api_tokens = [{{ name = \"anna\", role = \"operator\", token_file = {file:?} }}]");
    let connector = "[[connector]]\nname = \"to-b\"\nremote_mta = \"MTA-B\"\nhosts = [\"127.0.0.1:1\"]\n\
                     address_space = [{ address = \"P=BETA;A= ;C=GB\" }]\n";
    Service::write_config(dir.path(), &tokens, connector);
    Service::start_in(dir)
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

fn ask(service: &Service, request: &str, fields: &[&str]) -> Answer {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\n{fields}content-length: 0\r\nconnection: close\r\n\r\n"
    );
    let answer = service.raw(&request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_owned(),
        // What is no JSON has none of the values that the tests look for.
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

const TOKEN: &str = "authorization: Bearer anna-token";

/// The cookie that a login gives, as a header field.
fn log_in(service: &Service) -> String {
    let begun = ask(service, "POST /api/v1/session", &[TOKEN]);
    assert_eq!(begun.status, 201, "{}", begun.head);
    let cookie = begun.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!begun.head.contains("Secure") && !begun.head.contains("anna-token"), "{}", begun.head);
    format!("cookie: {}", cookie.split(';').next().unwrap())
}

#[test]
fn a_cookie_stands_for_the_token_until_it_is_given_back() {
    let service = service();
    let cookie = log_in(&service);
    assert_eq!(ask(&service, "POST /api/v1/session", &[]).status, 401);
    assert_eq!(ask(&service, "POST /api/v1/session", &["authorization: Bearer wrong"]).status, 401);
    let by_token = ask(&service, "GET /api/v1/session", &[TOKEN]).body;
    assert_eq!((&by_token["name"], &by_token["how"]), (&"anna".into(), &"token".into()));
    let shown = ask(&service, "GET /api/v1/session", &[&cookie]).body;
    assert_eq!(
        (&shown["name"], &shown["role"], &shown["how"]),
        (&"anna".into(), &"operator".into(), &"session".into())
    );
    assert!((1..=43_200).contains(&shown["expires_in_s"].as_u64().unwrap()), "{shown}");
    assert_eq!(ask(&service, "GET /api/v1/queues", &[&cookie]).status, 200);
    // A token that is wrong is not made good by a cookie.
    assert_eq!(ask(&service, "GET /api/v1/queues", &[&cookie, "authorization: Bearer wrong"]).status, 401);
    let own = "x-chappe-csrf: 1";
    let ended = ask(&service, "DELETE /api/v1/session", &[&cookie, own]);
    assert!(ended.status == 200 && ended.head.contains("Max-Age=0"), "{}", ended.head);
    let over = ask(&service, "GET /api/v1/queues", &[&cookie]);
    assert_eq!((over.status, &over.body["error"]["what"]), (401, &"the session is over".into()));
}

#[test]
fn a_change_by_cookie_takes_a_sign_that_our_own_page_asks() {
    let service = service();
    let cookie = log_in(&service);
    let freeze = "POST /api/v1/queues/to-b/freeze";
    for foreign in [
        &[][..],
        &["sec-fetch-site: same-site"],
        &["sec-fetch-site: cross-site"],
        &["sec-fetch-site: none"],
        &["origin: http://evil.example", "x-chappe-csrf: 1"],
        &["origin: http://localhost:9", "sec-fetch-site: same-origin"],
        &["origin: https://localhost", "x-chappe-csrf: 1"],
        &["origin: null", "x-chappe-csrf: 1"],
    ] {
        let refused = ask(&service, freeze, &[&[cookie.as_str()], foreign].concat());
        assert_eq!(refused.status, 403, "{foreign:?}: {}", refused.body);
    }
    let state = ask(&service, "GET /api/v1/queues", &[&cookie]).body;
    assert_ne!(state["items"][0]["state"], "frozen", "{state}");
    for own in [&["x-chappe-csrf: 1"][..], &["sec-fetch-site: same-origin", "origin: http://localhost"]] {
        let done = ask(&service, freeze, &[&[cookie.as_str()], own].concat());
        assert_eq!(done.status, 200, "{own:?}: {}", done.body);
    }
    // A token is never sent by itself.
    assert_eq!(ask(&service, freeze, &[TOKEN]).status, 200);
    assert_eq!(ask(&service, freeze, &[TOKEN, "origin: http://evil.example"]).status, 403);
    let events =
        service.run(&["events", "--token-file", service.dir.path().join("anna").to_str().unwrap()]).ok();
    assert!(events.contains("anna: freeze the queue: done"), "{events}");
}

fn watch(service: &Service, field: &str) -> TcpStream {
    common::watch(service.api.strip_prefix("http://").unwrap(), &format!("{field}\r\n"))
}

/// Whether it goes on, as it does by itself every second: more comes than what may be on its way.
fn goes_on(stream: &mut TcpStream) -> bool {
    let mut frames = Vec::new();
    let mut piece = [0; 4096];
    while frames.iter().filter(|octet| **octet == b'\n').count() < 10 {
        match stream.read(&mut piece).unwrap() {
            0 => return false,
            length => frames.extend_from_slice(&piece[..length]),
        }
    }
    true
}

#[test]
fn a_stream_ends_with_what_let_it_in() {
    let mut service = service();
    let cookie = log_in(&service);
    let (mut by_cookie, mut by_token) = (watch(&service, &cookie), watch(&service, TOKEN));
    let ended = ask(&service, "DELETE /api/v1/session", &[&cookie, "x-chappe-csrf: 1"]);
    assert_eq!(ended.status, 200, "{}", ended.head);
    assert!(!goes_on(&mut by_cookie));
    assert!(goes_on(&mut by_token));
    std::fs::write(service.dir.path().join("anna"), "another-token\n").unwrap();
    service.signal("-HUP");
    service.wait_for_log("configuration read again");
    assert!(!goes_on(&mut by_token));
}

#[test]
fn without_tokens_there_is_nothing_to_log_in_to() {
    let service = Service::start("", "");
    let shown = ask(&service, "GET /api/v1/session", &["chappe-operator: carl"]).body;
    assert_eq!(
        shown,
        serde_json::json!({ "name": "carl", "role": "administrator", "how": "none", "expires_in_s": null })
    );
    assert_eq!(ask(&service, "POST /api/v1/session", &[]).status, 409);
}
