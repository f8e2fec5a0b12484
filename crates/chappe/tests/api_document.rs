//! The API asked for everything that its OpenAPI document names, rightly and wrongly, by each role.
//!
//! Requests are made from the document alone: parameters of every kind and bodies, with values that fit and values that
//! don't. Whatever comes, it is answered in time and not with a failure of the service, the answer is as the document says,
//! and who may not change anything changes nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod common;
#[path = "support/random.rs"]
#[allow(dead_code, unreachable_pub, reason = "each test uses its own part of this")]
mod random;
#[path = "support/schema.rs"]
#[allow(unreachable_pub, reason = "it is written for any test")]
mod schema;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{ANNA, Service};
use random::Random;
use serde_json::Value;

const ROLES: [&str; 4] = ["", "viewer", "operator", "administrator"];
/// Requests for each operation and role.
const ROUNDS: usize = 25;
/// How long an answer may take. It is far above what any takes, so that only one that never comes is noticed.
const LIMIT: Duration = Duration::from_secs(50);
const BETA: &str = "S=operations;O=Acme;P=BETA;A= ;C=GB";
/// What no parameter is meant to be.
const ODD: [&str; 14] = [
    "",
    " ",
    "0",
    "-1",
    "18446744073709551616",
    "true",
    "null",
    "../../etc/passwd",
    "\u{0}",
    "\r\nx: y",
    "é\u{1f4e7}\u{202e}",
    "S=x;C=GB;C=GB",
    "%",
    "9999-99-99T99:99:99Z",
];
/// What no body is meant to be.
const ODD_BODIES: [&[u8]; 6] =
    [b"", b"\0", b"\xff\xfe\xfd", b"[mta", b"[mta]\nname = 7\n", b"{\"a\":[[[[[[[[]]]]]]]]}"];

fn service() -> Service {
    let dir = tempfile::tempdir().unwrap();
    let tokens: Vec<String> = ROLES[1..]
        .iter()
        .map(|role| {
            let file = dir.path().join(role);
            std::fs::write(&file, format!("{role}-token\n")).unwrap();
            format!("{{ name = \"{role}\", role = \"{role}\", token_file = {file:?} }}")
        })
        .collect();
    let connectors: String = ["to-b", "to-c"]
        .iter()
        .map(|name| {
            format!(
                "[[connector]]\nname = \"{name}\"\nremote_mta = \"{name}\"\nhosts = [\"127.0.0.1:1\"]\n\
                 address_space = [{{ address = \"P=BETA;A= ;C=GB\", cost = 3 }}]\n"
            )
        })
        .collect();
    let monitor = format!(
        "[[link_monitor]]\nname = \"round\"\nfrom = \"{ANNA}\"\nto = \"{BETA}\"\nevery_s = 3600\nlate_after_s = 60\n"
    );
    let listen = format!("api_tokens = [{}]\napi_requests_per_s = 10000", tokens.join(", "));
    Service::write_config(dir.path(), &listen, &[connectors, monitor].concat());
    Service::start_in(dir)
}

/// What to ask for.
#[derive(Clone, Debug, Default)]
struct Asked {
    verb: String,
    target: String,
    fields: String,
    body: Vec<u8>,
    /// Everything in it is what the document says.
    is_right: bool,
    /// A parameter is in it that nobody knows.
    is_unknown: bool,
}

impl Asked {
    fn get(target: &str) -> Asked {
        Asked { verb: "GET".to_owned(), target: target.to_owned(), ..Asked::default() }
    }
}

struct Answer {
    status: u16,
    kind: String,
    body: String,
}

/// One request with the token of `role`; of a stream, the head of the answer.
fn ask(service: &Service, asked: &Asked, role: &str) -> Answer {
    let Asked { verb, target, fields, body, .. } = asked;
    let token =
        if role.is_empty() { String::new() } else { format!("authorization: Bearer {role}-token\r\n") };
    let mut stream = TcpStream::connect(service.api.strip_prefix("http://").unwrap()).unwrap();
    let length = body.len();
    let head = format!(
        "{verb} {target} HTTP/1.1\r\nhost: localhost\r\n{token}{fields}connection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // In one piece: who is refused by the head alone may find the connection closed under the body.
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut octets = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        let read =
            stream.read(&mut piece).unwrap_or_else(|error| panic!("{verb} {target} by `{role}`: {error}"));
        octets.extend_from_slice(&piece[..read]);
        // It never ends; its head is all that is wanted.
        let head = octets.windows(4).position(|part| part == b"\r\n\r\n").map(|end| &octets[..end]);
        let is_stream = |head: &[u8]| head.windows(17).any(|part| part == b"text/event-stream");
        if read == 0 || head.is_some_and(is_stream) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&octets).into_owned();
    let (head, body) =
        text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{verb} {target}: no answer, but `{text}`"));
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.to_lowercase().strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    let body = if field("transfer-encoding").is_some() { unchunked(body) } else { body.to_owned() };
    Answer { status: head[9..12].parse().unwrap(), kind: field("content-type").unwrap_or_default(), body }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let Ok(length) = usize::from_str_radix(length, 16) else { break };
        // Octets that are no text were replaced, and then lengths don't fit; nobody looks at these.
        let Some(piece) = rest.get(..length).filter(|_| length > 0) else { break };
        whole.push_str(piece);
        body = rest.get(length + 2..).unwrap_or_default();
    }
    whole
}

fn json(service: &Service, target: &str) -> Value {
    serde_json::from_str(&ask(service, &Asked::get(target), "administrator").body).unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Makes requests from the document.
struct Maker {
    random: Random,
    /// Values that parameters of this name may have.
    known: Vec<(&'static str, String)>,
    /// The same of what comes and goes.
    found: Vec<(&'static str, String)>,
    configuration: String,
}

impl Maker {
    /// Finds what there is to ask about.
    fn look(&mut self, service: &Service) {
        let mailbox = format!("/api/v1/mailboxes/{}?limit=3", encoded(ANNA));
        self.found.clear();
        for (parameter, list, field) in [
            ("reference", "/api/v1/messages?limit=3", "number"),
            ("reference", "/api/v1/messages?limit=3", "mts_id"),
            ("number", mailbox.as_str(), "number"),
        ] {
            let page = json(service, list);
            let items = page["items"].as_array().unwrap().iter();
            self.found.extend(items.map(|item| {
                let value = &item[field];
                (parameter, value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }));
        }
    }

    fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.random.below(choices.len() as u64) as usize]
    }

    fn odds(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    /// A value for the parameter `name` with this schema; now and then one that does not fit it, and then `is_right` is no
    /// more.
    fn value(&mut self, name: &str, schema: &Value, is_right: &mut bool) -> String {
        if self.odds(6) {
            *is_right = false;
            return if self.odds(20) { "x".repeat(5_000) } else { (*self.pick(&ODD)).to_owned() };
        }
        let known = self.known.iter().chain(&self.found).filter(|(known, _)| *known == name);
        let known: Vec<String> = known.map(|(_, value)| value.clone()).collect();
        if !known.is_empty() {
            return self.pick(&known).clone();
        }
        if let Some(names) = schema["enum"].as_array() {
            return self.pick(names).as_str().unwrap().to_owned();
        }
        let choices: &[&str] = match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("boolean"), _) => &["true", "false"],
            (Some("integer"), _) => {
                let least = schema["minimum"].as_u64().unwrap_or(0);
                return (least + self.random.below(3)).to_string();
            }
            (_, Some("or-address")) => &[ANNA, BETA],
            (_, Some("or-address-space")) => &[ANNA, "P=BETA;A= ;C=GB", "C=*"],
            (_, Some("date-time")) => &["2026-12-24T18:00:00Z", "2030-01-01T00:00:00Z"],
            _ => &["text"],
        };
        (*self.pick(choices)).to_owned()
    }

    fn request(&mut self, verb: &str, path: &str, operation: &Value, is_unknown: bool) -> Asked {
        let mut asked = Asked {
            verb: verb.to_uppercase(),
            target: path.to_owned(),
            is_right: true,
            is_unknown,
            ..Asked::default()
        };
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().unwrap() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let is_required = parameter["required"] == true;
            if parameter["in"] != "path" {
                if !is_required && !self.odds(3) {
                    continue;
                }
                if is_required && self.odds(10) {
                    asked.is_right = false;
                    continue;
                }
            }
            if parameter["in"] == "path" {
                let value = self.value(name, schema, &mut asked.is_right);
                let value = encoded(if value.is_empty() { "-" } else { &value });
                asked.target = asked.target.replace(&format!("{{{name}}}"), &value);
            } else if parameter["in"] == "header" {
                let value = self.value(name, schema, &mut asked.is_right);
                // What can't stand in a field at all is the affair of whoever reads fields.
                let value: String = value.chars().filter(char::is_ascii_graphic).collect();
                asked.fields.push_str(&format!("{name}: {value}\r\n"));
            } else {
                let times = if schema["type"] == "array" { 1 + self.random.below(3) } else { 1 };
                let schema = schema.get("items").unwrap_or(schema);
                for _ in 0..times {
                    let value = self.value(name, schema, &mut asked.is_right);
                    query.push(format!("{name}={}", encoded(&value)));
                }
            }
        }
        if let Some(what) = operation["requestBody"]["description"].as_str() {
            asked.body = self.body(what, &mut asked.is_right);
        }
        // Of a selection something has to be given, and of two directions one at most.
        let has = |name: &str| query.iter().any(|field: &String| field.starts_with(name));
        asked.is_right &= !path.contains("/selection/");
        asked.is_right &= !(has("after=") && (has("before=") || has("newest=")));
        if is_unknown {
            asked.is_right = false;
            query.push("colour=red".to_owned());
        }
        if !query.is_empty() {
            asked.target.push('?');
            asked.target.push_str(&query.join("&"));
        }
        asked
    }

    fn body(&mut self, what: &str, is_right: &mut bool) -> Vec<u8> {
        if self.odds(4) {
            *is_right = false;
            return match self.random.below(8) {
                0 => self.random.octets(10_000),
                _ => self.pick(&ODD_BODIES).to_vec(),
            };
        }
        if what.contains("JSON") || what.contains("edit") {
            let edit = serde_json::json!({
                "text": self.configuration, "change": "set", "connector": "to-b", "values": {},
            });
            // What may be in it is not in the document.
            *is_right = false;
            return edit.to_string().into_bytes();
        }
        if what != "the configuration" {
            return b"Good morning.\r\n".to_vec();
        }
        if self.odds(2) {
            return self.configuration.clone().into_bytes();
        }
        // A piece is missing, or twice.
        *is_right = false;
        let mut edited = self.configuration.clone().into_bytes();
        let from = self.random.below(edited.len() as u64) as usize;
        let piece = edited.split_off(from);
        let cut = self.random.below(piece.len() as u64) as usize;
        match self.odds(2) {
            true => edited.extend_from_slice(&piece[cut..]),
            false => edited.extend_from_slice(&[&piece[..cut], &piece].concat()),
        }
        edited
    }
}

/// Somebody looks on all the time: events and streams are in each other's way if anything is.
fn watch(service: &Service) {
    let mut stream = TcpStream::connect(service.api.strip_prefix("http://").unwrap()).unwrap();
    let head = "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer viewer-token\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
}

/// What has been deleted is there again, and one queue moves.
fn stir(service: &Service) {
    let to = encoded(BETA);
    let submit = format!("/api/v1/messages?from={}&to={to}&report=none", encoded(ANNA));
    for target in [submit.as_str(), "/api/v1/queues/to-c/thaw"] {
        let asked = Asked { verb: "POST".to_owned(), ..Asked::get(target) };
        let answer = ask(service, &asked, "administrator");
        assert!([200, 201].contains(&answer.status), "{}", answer.body);
    }
}

/// What a change would change.
fn state(service: &Service) -> String {
    let part = |path: &str, fields: &[&str]| {
        let page = json(service, path);
        let items = page["items"].as_array().unwrap().iter();
        let items = items
            .map(|item| fields.iter().map(|field| item[*field].to_string()).collect::<Vec<_>>().join(" "));
        items.collect::<Vec<_>>().join("\n")
    };
    let configuration = std::fs::read_to_string(service.dir.path().join("chappe.toml")).unwrap();
    [
        part("/api/v1/messages?limit=1000", &["number", "queue", "state", "priority"]),
        part("/api/v1/queues", &["connector", "state", "messages", "held"]),
        part("/api/v1/mailboxes?limit=1000", &["address", "entries"]),
        part("/api/v1/quarantine?limit=1000", &["number"]),
        json(service, "/api/v1/config")["digest"].to_string(),
        configuration,
    ]
    .join("\n")
}

/// Whether the answer is one that the document has; of its body, what is wrong.
fn judge(document: &Value, operation: &Value, asked: &Asked, answer: &Answer, role: &str) -> Option<String> {
    let told = || format!("{} {} by `{role}`: {} {}", asked.verb, asked.target, answer.status, answer.body);
    assert!(answer.status < 500, "{}", told());
    let needed = operation["x-role"].as_str().unwrap();
    let rank = |role: &str| ROLES.iter().position(|known| *known == role);
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let used = |name: &str| {
        let (_, query) = asked.target.split_once('?').unwrap_or_default();
        query.split('&').any(|part| part.split_once('=').is_some_and(|(used, _)| used == name))
    };
    let used = parameters.filter(|parameter| used(parameter["name"].as_str().unwrap()));
    // A parameter may take a higher role than the request itself; what else is wrong may be told first.
    if used.filter_map(|parameter| parameter["x-role"].as_str()).any(|least| rank(role) < rank(least)) {
        assert!((400..500).contains(&answer.status), "{}", told());
        return None;
    }
    let may = needed == "everyone" || rank(role) >= rank(needed);
    match needed {
        _ if may => assert!(![401, 403].contains(&answer.status), "{}", told()),
        _ if role.is_empty() => assert_eq!(answer.status, 401, "{}", told()),
        _ => assert_eq!(answer.status, 403, "{}", told()),
    }
    if may && asked.is_unknown && operation["x-role"] != "everyone" && asked.target.starts_with("/api/") {
        assert!((400..500).contains(&answer.status), "a parameter that is not known: {}", told());
    }
    assert!(asked.is_unknown || !answer.body.contains("there is no parameter"), "{}", told());
    let responses = &operation["responses"];
    let response = match responses.get(answer.status.to_string()) {
        Some(response) => response,
        None if answer.status >= 400 => &responses["default"],
        None => panic!("a status that is not documented: {}", told()),
    };
    if asked.is_right && may {
        // A place in a list is right if a page has named it, which the document can't say.
        assert!(answer.status != 400 || answer.body.contains("place"), "it was right: {}", told());
    }
    let (kind, content) = response["content"].as_object()?.iter().next()?;
    if kind != "*/*" {
        assert!(answer.kind.starts_with(kind.as_str()), "{kind} is not {}: {}", answer.kind, told());
    }
    if kind != "application/json" {
        return None;
    }
    let value: Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", told()));
    schema::check(document, &content["schema"], &value, "").err()
}

#[test]
fn whatever_is_asked_is_answered_as_the_document_says_and_changes_nothing_without_the_role() {
    let mut service = service();
    let token = service.dir.path().join("administrator").to_str().unwrap().to_owned();
    let token = ["--token-file", token.as_str()];
    let run = |arguments: &[&str]| service.run(&[arguments, &token].concat()).ok();
    for connector in ["to-b", "to-c"] {
        run(&["queue", "freeze", connector]);
    }
    let mut ids = Vec::new();
    for to in [BETA, BETA, ANNA] {
        let submit =
            ["submit", "--from", ANNA, "--to", to, "--subject", "x", "--text", "y", "--report", "delivery"];
        ids.push(run(&submit).trim().to_owned());
    }
    service.wait_for_log("report C=GB");
    service.forget_log();
    watch(&service);
    let document = json(&service, "/api/v1/openapi.json");
    let configuration = json(&service, "/api/v1/config");
    let names = |name: &'static str, values: &[&str]| {
        values.iter().map(|value| (name, (*value).to_owned())).collect::<Vec<_>>()
    };
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let known = [
        names("mts_id", &ids),
        names("connector", &["to-b", "to-c"]),
        names("from", &[ANNA]),
        names("queue", &["to-b", "work"]),
        names("incoming", &["to-b"]),
        names("address", &[ANNA]),
        names("file", &["app.js"]),
        names("monitor", &["round"]),
        names("If-Match", &[configuration["digest"].as_str().unwrap()]),
    ];
    let mut maker = Maker {
        random: Random::from(1_795_371_276_189_737_201),
        known: known.concat(),
        found: Vec::new(),
        configuration: configuration["text"].as_str().unwrap().to_owned(),
    };

    let (mut asked, mut done) = (0, 0);
    let mut undocumented = BTreeMap::new();
    for role in ROLES {
        let before = state(&service);
        let mut never = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (verb, operation) in operations.as_object().unwrap() {
                let mut fine = 0;
                if ["operator", "administrator"].contains(&role) {
                    stir(&service);
                }
                maker.look(&service);
                for round in 0..ROUNDS {
                    let request = maker.request(verb, path, operation, round == 0);
                    let answer = ask(&service, &request, role);
                    if let Some(why) = judge(&document, operation, &request, &answer, role) {
                        undocumented.insert(why, format!("{request:?} by `{role}`: {}", answer.body));
                    }
                    fine += usize::from(answer.status < 400);
                }
                if fine == 0 {
                    never.push(format!("{verb} {path}"));
                }
                asked += ROUNDS;
                done += fine;
            }
        }
        println!("never done by `{role}`: {never:#?}");
        if role.is_empty() || role == "viewer" {
            assert_eq!(state(&service), before, "changed by `{role}`");
        }
    }
    assert!(undocumented.is_empty(), "answers that the document does not have: {undocumented:#?}");
    println!("{asked} requests, {done} of them done");
    assert!(done * 5 > asked, "hardly anything was asked for that can be: {done} of {asked}");
    // A panic that somebody caught is one.
    let metrics = ask(&service, &Asked::get("/metrics"), "viewer").body;
    let caught = "chappe_events_total{kind=\"internal-error\",severity=\"error\"} ";
    assert!(metrics.contains(&format!("{caught}0\n")), "{metrics}");
    service.signal("-TERM");
    assert_eq!(service.wait().0, Some(0));
}
