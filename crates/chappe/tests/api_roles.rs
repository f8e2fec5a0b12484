//! Who may ask the API for what: every route, with each role.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{ANNA, BERT, Service, chappe};

/// What each request takes. A new one has to be thought about here.
const ROUTES: &[(&str, &str)] = &[
    ("GET /", "viewer"),
    ("GET /console", "everyone"),
    ("GET /console/", "everyone"),
    ("GET /console/{*file}", "everyone"),
    ("GET /healthz", "everyone"),
    ("GET /readyz", "everyone"),
    ("GET /health", "everyone"),
    ("GET /metrics", "viewer"),
    ("GET /api/v1/openapi.json", "viewer"),
    ("GET /api/v1/session", "viewer"),
    ("POST /api/v1/session", "viewer"),
    ("DELETE /api/v1/session", "viewer"),
    ("GET /api/v1/info", "viewer"),
    ("GET /api/v1/status", "viewer"),
    ("GET /api/v1/resources", "viewer"),
    ("POST /api/v1/messages", "operator"),
    ("POST /api/v1/probes", "operator"),
    ("GET /api/v1/messages", "viewer"),
    ("GET /api/v1/messages/{reference}", "viewer"),
    ("DELETE /api/v1/messages/{reference}", "operator"),
    ("POST /api/v1/messages/{reference}/hold", "operator"),
    ("POST /api/v1/messages/{reference}/release", "operator"),
    ("POST /api/v1/messages/{reference}/move", "operator"),
    ("POST /api/v1/messages/{reference}/priority", "operator"),
    ("POST /api/v1/selection/delete", "operator"),
    ("POST /api/v1/selection/hold", "operator"),
    ("POST /api/v1/selection/release", "operator"),
    ("POST /api/v1/selection/move", "operator"),
    ("POST /api/v1/selection/priority", "operator"),
    ("GET /api/v1/queues", "viewer"),
    ("GET /api/v1/queues/{connector}", "viewer"),
    ("POST /api/v1/queues/{connector}/freeze", "operator"),
    ("POST /api/v1/queues/{connector}/thaw", "operator"),
    ("POST /api/v1/queues/{connector}/retry", "operator"),
    ("POST /api/v1/queues/{connector}/drain", "operator"),
    ("GET /api/v1/quarantine", "viewer"),
    ("GET /api/v1/quarantine/{number}", "operator"),
    ("DELETE /api/v1/quarantine/{number}", "operator"),
    ("POST /api/v1/quarantine/{number}/release", "operator"),
    ("GET /api/v1/connectors", "viewer"),
    ("GET /api/v1/connectors/{connector}", "viewer"),
    ("POST /api/v1/connectors/{connector}/connect", "operator"),
    ("GET /api/v1/associations", "viewer"),
    ("GET /api/v1/associations/{number}/recording", "operator"),
    ("GET /api/v1/associations/{number}/ladder", "operator"),
    ("GET /api/v1/recordings", "viewer"),
    ("GET /api/v1/monitors", "viewer"),
    ("GET /api/v1/monitors/{monitor}", "viewer"),
    ("GET /api/v1/route", "viewer"),
    ("POST /api/v1/what-if/route", "administrator"),
    ("GET /api/v1/config", "administrator"),
    ("PUT /api/v1/config", "administrator"),
    ("POST /api/v1/config/check", "administrator"),
    ("POST /api/v1/config/form", "administrator"),
    ("POST /api/v1/config/edit", "administrator"),
    ("POST /api/v1/config/reload", "administrator"),
    ("GET /api/v1/tracking", "viewer"),
    ("GET /api/v1/tracking/{mts_id}", "viewer"),
    ("GET /api/v1/messages/{reference}/envelope", "viewer"),
    ("GET /api/v1/messages/{reference}/content", "operator"),
    ("GET /api/v1/connectors/{connector}/settings", "viewer"),
    ("GET /api/v1/events", "viewer"),
    ("GET /api/v1/event-kinds", "viewer"),
    ("GET /api/v1/stream", "viewer"),
    ("GET /api/v1/mailboxes", "viewer"),
    ("GET /api/v1/mailboxes/{address}", "operator"),
    ("GET /api/v1/mailboxes/{address}/{number}", "operator"),
    ("GET /api/v1/mailboxes/{address}/{number}/content", "operator"),
    ("GET /api/v1/mailboxes/{address}/{number}/parts/{part}", "operator"),
];

const ROLES: [&str; 3] = ["viewer", "operator", "administrator"];

/// A service with a token of each role, named after the role with `-token` behind.
fn service() -> Service {
    let dir = tempfile::tempdir().unwrap();
    let tokens: Vec<String> = ROLES
        .iter()
        .map(|role| {
            let file = dir.path().join(role);
            std::fs::write(&file, format!("{role}-token\n")).unwrap();
            format!("{{ name = \"{role}-1\", role = \"{role}\", token_file = {file:?} }}")
        })
        .collect();
    let connector = "[[connector]]\nname = \"to-b\"\nremote_mta = \"MTA-B\"\nhosts = [\"127.0.0.1:1\"]\n\
                     address_space = [{ address = \"P=BETA;A= ;C=GB\", cost = 3 }]\n";
    let listen = format!("api_requests_per_s = 1000\napi_tokens = [{}]", tokens.join(", "));
    Service::write_config(dir.path(), &listen, connector);
    Service::start_in(dir)
}

/// Status and whole answer to a request with the token of `role`.
fn ask(service: &Service, request: &str, role: &str) -> (u16, String) {
    let token =
        if role.is_empty() { String::new() } else { format!("authorization: Bearer {role}-token\r\n") };
    let answer = service.raw(&format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\n{token}content-length: 0\r\nconnection: close\r\n\r\n"
    ));
    (answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_default(), answer)
}

#[test]
fn every_route_is_for_those_whose_role_it_says_and_for_nobody_else() {
    let service = service();
    let listed = ask(&service, "GET /", "viewer").1;
    let listed: BTreeMap<String, String> = listed
        .lines()
        .filter(|line| ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|verb| line.starts_with(verb)))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (format!("{} {}", words[0], words[1]), words[2].to_owned())
        })
        .collect();
    let expected = ROUTES.iter().map(|(route, role)| ((*route).to_owned(), (*role).to_owned()));
    assert_eq!(listed, expected.collect());
    let rank = |role: &str| ROLES.iter().position(|known| *known == role);
    for (route, needed) in ROUTES {
        // None of these finds anything, so that nothing is changed for those who come after.
        let mut request = (*route).to_owned();
        for (name, value) in [
            ("{reference}", "999999"),
            ("{connector}", "to-z"),
            ("{monitor}", "none"),
            ("{number}", "999999"),
            ("{mts_id}", "x"),
            ("{address}", "S%3Danna%3BO%3DAcme%3BP%3DALPHA%3BA%3D%20%3BC%3DGB"),
            ("{part}", "1"),
            ("{*file}", "index.html"),
            // Its body never ends.
            ("GET /api/v1/stream", "HEAD /api/v1/stream"),
        ] {
            request = request.replace(name, value);
        }
        let (status, answer) = ask(&service, &request, "");
        assert_eq!(status == 401, rank(needed).is_some(), "{request} by nobody: {answer}");
        for role in ROLES {
            let (status, answer) = ask(&service, &request, role);
            assert_eq!(status == 403, rank(role) < rank(needed), "{request} by a {role}: {answer}");
            assert!(status != 401 && status < 500, "{request} by a {role}: {answer}");
            if status == 403 {
                assert!(answer.contains(&format!("needs the role {needed}")), "{answer}");
            }
            let head = request.replacen("GET ", "HEAD ", 1);
            assert_eq!(ask(&service, &head, role).0, ask(&service, &request, role).0, "{head} by a {role}");
        }
    }
    assert_eq!(ask(&service, "GET /api/v1/info", "wrong").0, 401);
    assert_eq!(ask(&service, "GET /healthz", "wrong").0, 200);
    assert_eq!(ask(&service, "GET /api/v1/nothing", "").0, 401);
    assert_eq!(ask(&service, "GET /api/v1/nothing", "viewer").0, 404);
    assert_eq!(ask(&service, "DELETE /api/v1/queues", "viewer").0, 405);
}

#[test]
fn what_is_done_with_a_token_is_told_of_its_owner() {
    let mut service = service();
    let dir = service.dir.path().to_owned();
    let token = |role: &str| dir.join(role).to_str().unwrap().to_owned();
    let (viewer, operator) = (token("viewer"), token("operator"));
    let far = "S=operations;O=Acme;P=BETA;A= ;C=GB";
    service.run(&["queue", "freeze", "to-b", "--token-file", &operator]).ok();
    for n in ["1", "2", "3"] {
        let submit = ["submit", "--from", ANNA, "--to", far, "--subject", n, "--text", "x"];
        service.run(&[&submit[..], &["--token-file", &operator]].concat()).ok();
    }
    // What is still being routed may slip through an operator's fingers.
    let end = Instant::now() + Duration::from_secs(60);
    while ask(&service, "GET /api/v1/queues/to-b", "viewer").1.matches("\"mts_id\"").count() < 3 {
        assert!(Instant::now() < end, "three messages in the queue of to-b");
        std::thread::sleep(Duration::from_millis(20));
    }
    service.run(&["message", "hold", "--all", "--yes", "--token-file", &operator]).ok();
    let refused = service.run(&["queue", "thaw", "to-b", "--token-file", &viewer]).failed(1);
    assert!(refused.contains("the token of viewer-1 has the role viewer"), "{refused}");
    service.run(&["mailbox", "show", BERT, "--token-file", &viewer]).failed(1);
    let events = service.run(&["events", "--json", "--token-file", &viewer]).ok();
    // What the client says of itself is not what counts, and each page of a selection is one event.
    for part in [
        "operator-1: freeze the queue: done",
        "operator-1: submit C=GB;A= ;P=ALPHA;L=",
        "operator-1: hold: all: 3 copies done",
        "viewer-1: POST /api/v1/queues/to-b/thaw: needs the role operator",
    ] {
        assert!(events.contains(part), "no `{part}` in {events}");
    }
    assert_eq!(events.matches("operator-1: hold").count(), 1, "{events}");

    // A reload takes a token away, and asks for none any more if none is named.
    let config = std::fs::read_to_string(dir.join("chappe.toml")).unwrap();
    std::fs::write(dir.join("operator"), "another\n").unwrap();
    service.signal("-HUP");
    service.wait_for_log("configuration read again");
    assert_eq!(ask(&service, "GET /api/v1/info", "operator").0, 401);
    service.run(&["queue", "list", "--token-file", &operator]).ok();
    let open: Vec<&str> = config.lines().filter(|line| !line.starts_with("api_tokens")).collect();
    std::fs::write(dir.join("chappe.toml"), open.join("\n")).unwrap();
    service.signal("-HUP");
    service.wait_for_log("configuration read again");
    assert_eq!(ask(&service, "GET /api/v1/info", "").0, 200);
}

#[test]
fn tokens_that_can_not_be_told_apart_are_mistakes_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    std::fs::write(&one, "1111\n").unwrap();
    std::fs::write(&two, "2222\n").unwrap();
    let check = |tokens: &str| {
        let tokens = tokens.replace("ONE", &format!("{one:?}")).replace("TWO", &format!("{two:?}"));
        Service::write_config(dir.path(), &format!("api_tokens = [{tokens}]"), "");
        chappe(&["config", "check", dir.path().join("chappe.toml").to_str().unwrap()])
    };
    let good = "{ name = \"a\", role = \"viewer\", token_file = ONE }";
    check(good).ok();
    for (tokens, why) in [
        (
            format!("{good}, {{ name = \"a\", role = \"viewer\", token_file = TWO }}"),
            "two tokens have the name `a`",
        ),
        (format!("{good}, {{ name = \"b\", role = \"viewer\", token_file = ONE }}"), "have the same token"),
        ("{ name = \"a b\", role = \"viewer\", token_file = ONE }".to_owned(), "can't be a name"),
        ("{ name = \"a\", token_file = ONE }".to_owned(), "has no `role`"),
        ("{ name = \"a\", role = \"viewr\", token_file = ONE }".to_owned(), "did you mean \"viewer\"?"),
        ("{ name = \"a\", role = \"viewer\" }".to_owned(), "has no `token_file`"),
        ("{ name = \"a\", role = \"viewer\", token_file = \"/nowhere\" }".to_owned(), "cannot read the file"),
    ] {
        let told = check(&tokens).failed(2);
        assert!(told.contains(why), "{tokens}: {told}");
    }
}

#[test]
fn who_guesses_tokens_or_asks_too_often_has_to_wait() {
    let mut service = service();
    let guesses: Vec<u16> = (0..40).map(|_| ask(&service, "GET /api/v1/info", "wrong").0).collect();
    assert!(guesses.iter().filter(|status| **status == 401).count() >= 20, "{guesses:?}");
    assert!(guesses.contains(&429), "{guesses:?}");
    // A right one that might be guessed is no way to find out either.
    let (status, answer) = ask(&service, "GET /api/v1/info", "viewer");
    assert!(status == 200 || answer.to_lowercase().contains("retry-after: "), "{answer}");
    assert_eq!(ask(&service, "GET /healthz", "").0, 200);
    // One that can't be guessed is held up by nobody's guesses.
    std::fs::write(service.dir.path().join("viewer"), "long-enough-viewer-token").unwrap();
    service.signal("-HUP");
    service.wait_for_log("configuration read again");
    for _ in 0..20 {
        assert!([401, 429].contains(&ask(&service, "GET /api/v1/info", "wrong").0));
        assert_eq!(ask(&service, "GET /api/v1/info", "long-enough-viewer").0, 200);
    }

    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "viewer-token").unwrap();
    Service::write_config(dir.path(), &format!("api_requests_per_s = 1\napi_token_file = {token:?}"), "");
    let service = Service::start_in(dir);
    let asked: Vec<u16> = (0..8).map(|_| ask(&service, "GET /api/v1/info", "viewer").0).collect();
    assert!(asked.starts_with(&[200, 200]) && asked.contains(&429), "{asked:?}");
}
