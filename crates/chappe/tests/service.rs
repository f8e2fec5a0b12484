//! The service with its commands: what a person at the terminal sees.

mod common;

use common::{ANNA, BERT, Service, chappe, command};
use serde_json::Value;

fn json(text: &str) -> Value {
    // What is no JSON has none of the values that the tests look for.
    serde_json::from_str(text).unwrap_or(Value::Null)
}

#[test]
fn a_text_goes_from_the_command_line_into_the_mailbox_and_the_report_back() {
    let mut service = Service::start("", "");
    let text = ["--to", BERT, "--subject", "Grüße", "--text", "Zeile 1\nZeile 2", "--report", "delivery"];
    let id = service.submit(&text);
    service.wait_for_log("report C=GB");
    let shown = service.run(&["mailbox", "show", BERT]).ok();
    for part in ["From            S=anna;", &id, "Subject         Grüße", "\nZeile 1\nZeile 2\n"] {
        assert!(shown.contains(part), "no {part} in\n{shown}");
    }
    let report = service.run(&["mailbox", "show", ANNA]).ok();
    assert!(report.contains(&format!("delivery report for {id}")), "{report}");
    assert!(report.contains(&format!("{BERT} delivered at 20")), "{report}");

    let page = json(&service.run(&["mailbox", "show", BERT, "--json"]).ok());
    assert_eq!(page["next"], Value::Null);
    let item = &page["items"][0];
    assert_eq!((&item["kind"], &item["mts_id"]), (&Value::from("message"), &Value::from(id.as_str())));
    let number = item["number"].to_string();
    assert_eq!(service.run(&["mailbox", "show", BERT, &number]).ok(), shown);
    let boxes = json(&service.run(&["mailbox", "list", "--json"]).ok());
    assert_eq!(boxes["items"].as_array().unwrap().len(), 2);
    service.run(&["mailbox", "show", BERT, "999999"]).failed(1);
}

#[test]
fn the_newest_entries_are_shown_and_the_older_ones_counted() {
    let mut service = Service::start("", "");
    for n in 0..3 {
        service.submit(&["--to", BERT, "--subject", &format!("mail {n}"), "--text", "x"]);
        service.wait_for_log("delivered to");
    }
    for command in ["list", "show"] {
        let shown = service.run(&["mailbox", command, BERT, "--limit", "2"]).ok();
        assert!(shown.contains("1 older entry is not shown; --after 0"), "{shown}");
        assert!(!shown.contains("mail 0"), "{shown}");
        assert!(shown.find("mail 1").unwrap() < shown.find("mail 2").unwrap(), "{shown}");
        let from_start = service.run(&["mailbox", command, BERT, "--limit", "2", "--after", "0"]).ok();
        assert!(from_start.contains("mail 0") && !from_start.contains("mail 2"), "{from_start}");
        assert!(from_start.contains("More follows"), "{from_start}");
        let all = service.run(&["mailbox", command, BERT]).ok();
        assert!(all.contains("mail 0") && !all.contains("older"), "{all}");
    }
    let page = json(&service.run(&["mailbox", "list", BERT, "--limit", "1", "--json"]).ok());
    assert_eq!((&page["older"], &page["items"][0]["subject"]), (&Value::from(2), &Value::from("mail 2")));
    let end = page["items"][0]["number"].to_string();
    assert!(service.run(&["mailbox", "list", BERT, "--after", &end]).ok().contains("Nothing follows"));
    let events = json(&service.run(&["events", "--json"]).ok());
    let two = json(&service.run(&["events", "--limit", "2", "--json"]).ok());
    let events = events["items"].as_array().unwrap();
    assert_eq!(two["items"].as_array().unwrap()[..], events[events.len() - 2..]);
}

#[test]
fn what_is_no_mailbox_here_is_told_from_an_empty_one() {
    let service = Service::start("", CONNECTOR);
    assert!(service.run(&["mailbox", "show", BERT]).ok().contains("is empty"));
    for (address, why) in [
        ("S=x;P=BETA;A= ;C=GB", "no mailbox of this MTA: it is reached over to-b"),
        ("S=x;P=GAMMA;A= ;C=GB", "no mailbox of this MTA: no address space matches"),
    ] {
        for arguments in [
            &["mailbox", "show", address][..],
            &["mailbox", "show", address, "--after", "0", "7"],
            &["mailbox", "list", address],
            &["mailbox", "list", address, "--after", "0"],
            &["mailbox", "export", address, "7"],
        ] {
            let text = service.run(arguments).failed(1);
            assert!(text.contains(why), "{text}");
        }
    }
}

#[test]
fn texts_may_begin_with_a_dash_and_files_come_from_standard_input() {
    let mut service = Service::start("", "");
    service.submit(&["--to", BERT, "--subject", "-s", "--text", "-dash"]);
    service.wait_for_log("delivered to");
    let shown = service.run(&["mailbox", "show", BERT]).ok();
    assert!(shown.contains("Subject         -s\n") && shown.contains("\n-dash\n"), "{shown}");
    let arguments = ["submit", "--api", &service.api, "--from", ANNA, "--to", BERT, "--file", "-"];
    let mut child = command(&arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let content = vec![b'x'; 300_000];
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &content).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    service.wait_for_log("delivered to");
    let page = json(&service.run(&["mailbox", "list", BERT, "--limit", "1", "--json"]).ok());
    let number = page["items"][0]["number"].to_string();
    let file = service.run(&["mailbox", "export", BERT, &number, "--attachment", "1"]).ok();
    assert!(file.as_bytes() == content, "the file differs");
}

#[test]
fn options_may_stand_before_the_command() {
    let service = Service::start("", "");
    let behind = service.run(&["mailbox", "show", BERT, "--json"]).ok();
    assert_eq!(chappe(&["--api", &service.api, "--json", "mailbox", "show", BERT]).ok(), behind);
    assert_eq!(chappe(&["mailbox", "--json", "--api", &service.api, "show", BERT]).ok(), behind);
    // The one behind wins, and an address that is given wins over the environment.
    let wrong = "http://127.0.0.1:1";
    assert_eq!(
        chappe(&["--api", wrong, "--json", "mailbox", "show", BERT, "--api", &service.api]).ok(),
        behind
    );
    let with = |value: &str, arguments: &[&str]| {
        let output = command(arguments).env("CHAPPE_API", value).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
    };
    assert_eq!(with(wrong, &["--api", &service.api, "--json", "mailbox", "show", BERT]).1, behind);
    assert_eq!(with(&service.api, &["--json", "mailbox", "show", BERT]).1, behind);
    let token = service.file("token", b"unasked");
    let token = token.to_str().unwrap();
    chappe(&["--api", &service.api, "--token-file", token, "mailbox", "show", BERT]).ok();
}

#[test]
fn an_unknown_recipient_is_reported_to_the_originator() {
    let mut service = Service::start("", "");
    service.submit(&["--to", "S=x;O=Acme;P=NOWHERE;A= ;C=GB", "--subject", "x", "--text", "y"]);
    service.wait_for_log("report C=GB");
    let report = service.run(&["mailbox", "show", ANNA]).ok();
    assert!(
        report.contains("non-delivery: unable-to-transfer (1), diagnostic unrecognised-OR-name (0)"),
        "{report}"
    );
}

#[test]
fn a_file_comes_out_as_it_went_in() {
    let mut service = Service::start("", "");
    // Larger than what is read to show a message, and than any buffer on the way.
    let content: Vec<u8> = (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = service.file("photo.bin", &content);
    service.submit(&["--to", BERT, "--subject", "file", "--file", file.to_str().unwrap()]);
    service.wait_for_log("delivered to");
    let shown = json(&service.run(&["mailbox", "show", BERT, "--json"]).ok());
    let item = &shown["items"][0];
    assert_eq!(item["parts"][0]["file_name"], "photo.bin");
    assert_eq!(item["parts"][0]["octets"], 6_000_000);
    let number = item["number"].to_string();
    let out = service.dir.path().join("out.bin");
    let out = out.to_str().unwrap();
    service.run(&["mailbox", "export", BERT, &number, "--attachment", "1", "--output", out]).ok();
    assert!(std::fs::read(out).unwrap() == content, "the file differs");
    // Nothing is overwritten.
    service.run(&["mailbox", "export", BERT, &number, "--output", out]).failed(1);
    let whole = service.dir.path().join("content.p22");
    let whole = whole.to_str().unwrap();
    service.run(&["mailbox", "export", BERT, &number, "--output", whole]).ok();
    let length = std::fs::metadata(whole).unwrap().len();
    assert_eq!(item["content_octets"], length);
    assert!(chappe(&["decode", whole]).ok().contains("photo.bin"));
    let none = service.run(&["mailbox", "export", BERT, &number, "--attachment", "2"]).failed(1);
    assert!(none.contains("the message has one part, number 1"), "{none}");
    let none = service.run(&["mailbox", "export", BERT, &number, "--attachment", "0"]).failed(1);
    assert!(none.contains("counted from 1"), "{none}");
}

/// Nobody listens on port 1 of loopback.
const CONNECTOR: &str = "[[connector]]\nname = \"to-b\"\nremote_mta = \"MTA-B\"\nhosts = [\"127.0.0.1:1\"]\n\
                         address_space = [{ address = \"P=BETA;A= ;C=GB\", cost = 3 }]\n";

#[test]
fn what_waits_for_a_peer_is_shown_page_by_page() {
    let mut service = Service::start("", CONNECTOR);
    let far = "S=operations;O=Acme;P=BETA;A= ;C=GB";
    let ids: Vec<String> =
        (0..3).map(|n| service.submit(&["--to", far, "--subject", &n.to_string(), "--text", "x"])).collect();
    // A local one that comes last has passed the work queue, and so have those before it.
    service.submit(&["--to", BERT, "--subject", "last", "--text", "x"]);
    service.wait_for_log("delivered to");
    let first = json(&service.run(&["queue", "show", "to-b", "--limit", "2", "--json"]).ok());
    let next = first["next"].as_str().unwrap().to_owned();
    let second =
        json(&service.run(&["queue", "show", "to-b", "--limit", "2", "--after", &next, "--json"]).ok());
    let seen: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["mts_id"].as_str().unwrap())
        .collect();
    assert_eq!(seen, ids);
    assert_eq!(second["next"], Value::Null);
    assert!(
        service.run(&["queue", "show", "to-b", "--limit", "2"]).ok().contains(&format!("--after '{next}'"))
    );

    let all = json(&service.run(&["message", "list", "--limit", "2", "--json"]).ok());
    let next = all["next"].as_str().unwrap();
    let rest = json(&service.run(&["message", "list", "--after", next, "--json"]).ok());
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);

    let shown = service.run(&["message", "show", &ids[1]]).ok();
    assert!(shown.contains(&format!("Recipient         {far}")), "{shown}");
    let queues = json(&service.run(&["queue", "list", "--json"]).ok());
    assert_eq!(queues["items"][0]["messages"], 3);
    let connectors = service.run(&["connector", "list"]).ok();
    assert!(connectors.contains("to-b") && connectors.contains("MTA-B"), "{connectors}");
    assert!(service.run(&["connector", "show", "to-b"]).ok().contains("P=BETA;A= ;C=GB (cost 3)"));
    service.run(&["connector", "connect", "to-b"]).ok();
    service.run(&["association", "list"]).ok();
    for command in [["queue", "show"], ["connector", "show"], ["connector", "connect"]] {
        service.run(&[&command[..], &["to-z"]].concat()).failed(1);
    }
    service.run(&["message", "show", "no-such-message"]).failed(1);
    let events = json(&service.run(&["events", "--json"]).ok());
    assert!(events["items"].as_array().unwrap().iter().any(|event| event["kind"] == "submitted"), "{events}");
}

#[test]
fn a_route_is_explained_without_sending() {
    let service = Service::start("", CONNECTOR);
    let far = service.run(&["route", "S=x;P=BETA;A= ;C=GB"]).ok();
    assert!(far.contains("cost 3") && far.contains("transferred over connector to-b"), "{far}");
    let here = service.run(&["route", BERT]).ok();
    assert!(here.contains(&format!("delivered here to mailbox {BERT}\n")), "{here}");
    let here = json(&service.run(&["route", BERT, "--json"]).ok());
    assert_eq!(here["summary"], format!("delivered here to mailbox {BERT}"));
    let nowhere = json(&service.run(&["route", "S=x;P=GAMMA;A= ;C=GB", "--json"]).ok());
    assert_eq!(nowhere["decision"], "unknown");
}

#[test]
fn with_a_token_nothing_is_told_to_those_who_do_not_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let wrong = dir.path().join("wrong");
    std::fs::write(&wrong, "s3crex\n").unwrap();
    let service = Service::start(&format!("api_token_file = {token:?}"), "");
    service.run(&["queue", "list"]).failed(2);
    service.run(&["queue", "list", "--token-file", wrong.to_str().unwrap()]).failed(2);
    service.run(&["queue", "list", "--token-file", token.to_str().unwrap()]).ok();
    // The refusal arrives although the file is larger than what the connection holds.
    let file = service.file("big", &vec![0; 20_000_000]);
    let big = ["submit", "--from", ANNA, "--to", BERT, "--file", file.to_str().unwrap()];
    let refused = service.run(&big).failed(2);
    assert!(refused.contains("token"), "{refused}");
    let unauthorized = service.raw("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(unauthorized.starts_with("HTTP/1.1 401 "), "{unauthorized}");
    assert!(unauthorized.to_lowercase().contains("www-authenticate: bearer"), "{unauthorized}");
    // Whether it lives is no secret: what watches over it has no token.
    let alive = service.raw("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
}

#[test]
fn requests_that_are_wrong_are_told_apart() {
    let service = Service::start("", "");
    let submit = "/api/v1/messages?from=S%3Danna%3BO%3DAcme%3BP%3DALPHA%3BA%3D%20%3BC%3DGB&to=S%3Dx%3BA%3D%20%3BC%3DGB";
    let big =
        format!("POST {submit}#\r\ncontent-length: 5000000").replace('#', " HTTP/1.1\r\nhost: localhost");
    for (request, status) in [
        ("GET /nowhere HTTP/1.1\r\nhost: localhost", 404),
        ("DELETE /api/v1/queues HTTP/1.1\r\nhost: localhost", 405),
        ("GET /api/v1/queues?colour=red HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/v1/messages?limit=0 HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/v1/messages?limit=1001 HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/v1/messages?after=x HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/v1/mailboxes/nonsense HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/v1/route HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/v1/queues HTTP/1.1\r\nhost: evil.example", 403),
        ("POST /api/v1/messages HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example", 403),
        ("POST /api/v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0", 400),
        (&format!("POST {submit}&priority=high HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0"), 400),
        (&format!("POST {submit}&subject=a%0Ab HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0"), 422),
        (
            &format!("POST {submit}&file_name=x HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked"),
            411,
        ),
        (&format!("GET /{} HTTP/1.1\r\nhost: localhost", "x".repeat(300_000)), 431),
    ] {
        let answer = service.raw(&format!("{request}\r\nconnection: close\r\n\r\n"));
        let shown = request.get(..request.len().min(120));
        let got = answer.get(9..12).and_then(|code| code.parse::<u16>().ok());
        // hyper tells an endless request line from an endless head.
        let expected = [Some(status), (status == 431).then_some(414)];
        assert!(expected.contains(&got), "{shown:?}: {answer}");
        if status < 411 {
            let body: Value = json(answer.split("\r\n\r\n").nth(1).unwrap());
            assert!(body["error"]["what"].is_string() && body["error"]["why"].is_string(), "{body}");
        }
    }
    let answer = service.raw(&format!("{big}\r\nconnection: close\r\n\r\n{}", "x".repeat(5_000_000)));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn a_body_that_breaks_off_leaves_no_message() {
    let service = Service::start("", "");
    let from = "S%3Danna%3BO%3DAcme%3BP%3DALPHA%3BA%3D%20%3BC%3DGB";
    let path = format!("/api/v1/messages?from={from}&to={from}&file_name=x");
    {
        use std::io::Write as _;
        let mut stream = std::net::TcpStream::connect(service.api.strip_prefix("http://").unwrap()).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[0; 400_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        // The service may answer or hang up; both say that nothing was accepted.
        let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    let info = service.raw("GET /api/v1/info HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(info.contains("\"submitted\":0"), "{info}");
}

#[test]
fn a_refused_submission_names_every_reason() {
    let service = Service::start("", "");
    let foreign = "S=x;P=BETA;A= ;C=GB";
    let refused = service.run(&["submit", "--from", foreign, "--to", BERT, "--text", "x"]).failed(1);
    assert!(refused.contains(foreign), "{refused}");
    let query = "from=S%3Dx%3BP%3DBETA%3BA%3D%20%3BC%3DGB&to=S%3Dy%3BC%3DGB";
    let path = format!("POST /api/v1/messages?{query} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0");
    let refused = service.raw(&format!("{path}\r\nconnection: close\r\n\r\n"));
    assert!(refused.starts_with("HTTP/1.1 422 "), "{refused}");
    assert!(refused.contains(foreign) && refused.contains("S=y;C=GB"), "{refused}");
}

#[test]
fn a_reload_applies_a_good_file_and_ignores_a_bad_one() {
    let mut service = Service::start("", "");
    assert!(service.run(&["connector", "list"]).ok().contains("no connectors"));
    Service::write_config(service.dir.path(), "", "[[connector]]\nname = 7\n");
    service.signal("-HUP");
    service.wait_for_log("the configuration stays as it was");
    assert!(service.run(&["connector", "list"]).ok().contains("no connectors"));
    Service::write_config(service.dir.path(), "", CONNECTOR);
    service.signal("-HUP");
    service.wait_for_log("connectors added: to-b");
    assert!(service.run(&["connector", "list"]).ok().contains("MTA-B"));
}

#[test]
fn a_signal_stops_the_service_and_nothing_is_lost() {
    let mut service = Service::start("", "");
    let id = service.submit(&["--to", BERT, "--subject", "x", "--text", "y"]);
    service.wait_for_log("delivered to");
    service.signal("-TERM");
    let (code, dir) = service.wait();
    assert_eq!(code, Some(0));
    let service = Service::start_in(dir);
    assert!(service.run(&["mailbox", "list", BERT]).ok().contains(&id));
    service.signal("-INT");
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn what_can_not_be_listened_on_is_said_with_its_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    Service::write_config(dir.path(), "", "");
    let file = dir.path().join("chappe.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("api = \"127.0.0.1:0\"", &format!("api = \"{address}\""));
    std::fs::write(&file, text).unwrap();
    let error = chappe(&["serve", "--config", file.to_str().unwrap()]).failed(1);
    assert!(error.contains(&address), "{error}");
}
