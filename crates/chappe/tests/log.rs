//! What the service says on standard error and to syslog.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::Service;

const LIMIT: Duration = Duration::from_secs(60);

/// The next message that says `part`.
fn message(receiver: &UdpSocket, part: &str) -> String {
    loop {
        let mut buffer = [0; 4096];
        let length = receiver.recv(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if text.contains(part) {
            return text;
        }
    }
}

#[test]
fn events_are_objects_on_standard_error_and_messages_of_rfc_5424_besides() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(LIMIT)).unwrap();
    let syslog = receiver.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = format!("[log]\nformat = \"json\"\nsyslog = \"udp://{syslog}\"\nfacility = \"local0\"\n");
    Service::write_config(dir.path(), "", &log);
    let mut service = Service::start_in(dir);
    let started = message(&receiver, "startup-complete");
    assert!(started.starts_with("<134>1 20") && started.contains(" chappe "), "{started}");
    let data = "[event@32473 id=\"9298\" category=\"X.400 Service\" subject=\"MTA-A\"]";
    assert!(started.contains(data), "{started}");
    service.signal("-TERM");
    let line = service.wait_for_log("stopping");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "information");
    assert_eq!(line["module"], "chappe::service");
    // Said at the very end, and still sent.
    message(&receiver, "closedown-complete");
    let (code, dir) = service.wait();
    assert_eq!(code, Some(0));
    drop(dir);
}

#[test]
fn level_and_format_of_the_log_follow_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    Service::write_config(dir.path(), "", "[log]\nlevel = \"info\"\n");
    let path = dir.path().to_owned();
    let mut service = Service::start_in(dir);
    let text = std::fs::read_to_string(path.join("chappe.toml")).unwrap();
    let changed = text.replace("level = \"info\"\n", "format = \"json\"\n");
    assert_ne!(text, changed);
    std::fs::write(path.join("chappe.toml"), &changed).unwrap();
    service.signal("-HUP");
    let line = service.wait_for_log("configuration read again");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "information");
    // Where the lines go is not changed.
    let elsewhere = changed.replace("format = \"json\"\n", "syslog = \"unix:/no/such\"\n");
    std::fs::write(path.join("chappe.toml"), elsewhere).unwrap();
    service.signal("-HUP");
    service.wait_for_log("of [log] take effect at the next start only");
    let line = service.wait_for_log("configuration read again");
    assert!(!line.starts_with('{'), "text again: {line}");
    service.signal("-TERM");
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn a_syslog_that_nobody_reads_is_told_once_and_stops_nothing() {
    let log = "[log]\nsyslog = \"unix:/no/such/socket\"\n";
    let dir = tempfile::tempdir().unwrap();
    Service::write_config(dir.path(), "", log);
    let config = dir.path().join("chappe.toml");
    let mut child = common::command(&["serve", "--config", config.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told: Vec<String> = {
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        // In whichever order they come.
        let mut told = Vec::new();
        let (mut is_up, mut is_told) = (false, false);
        while !(is_up && is_told) {
            let line = lines.next().unwrap_or_else(|| panic!("the service has ended: {told:#?}"));
            is_up |= line.contains("API on http://");
            is_told |=
                line.contains("WARNING") && line.contains("syslog at unix:/no/such/socket can't be reached");
            told.push(line);
        }
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        told.into_iter().chain(lines).collect()
    };
    assert_eq!(child.wait().unwrap().code(), Some(0), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.contains("can't be reached")).count(), 1, "{told:#?}");
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    const LINES: usize = 3_000;
    let connector = "[[connector]]\nname = \"to-b\"\nremote_mta = \"MTA-B\"\nhosts = [\"127.0.0.1:1\"]\n\
                     address_space = [{ address = \"P=BETA;A= ;C=GB\" }]\n";
    let mut service = Service::start("", connector);
    // Each of these is a line, and a pipe holds 64 KB.
    let mut stream = TcpStream::connect(service.api.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    for n in 0..LINES {
        let request =
            "POST /api/v1/queues/to-b/freeze HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            answers.read_line(&mut head).unwrap_or_else(|error| panic!("{n}: no answer: {error}"));
            if let Some(value) = head[from..].strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{n}: {head}");
        answers.read_exact(&mut vec![0; length]).unwrap();
    }
    // Whoever reads again hears how many there are not.
    service.wait_for_log("lines of the log were lost");
    service.signal("-TERM");
    assert_eq!(service.wait().0, Some(0));
}

#[test]
fn mistakes_in_the_log_s_settings_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = "[log]\nformat = \"jsn\"\nlevel = \"loud\"\nsyslog = \"tcp://x\"\nfacility = \"post\"\n";
    Service::write_config(dir.path(), "", log);
    let told =
        common::chappe(&["config", "check", dir.path().join("chappe.toml").to_str().unwrap()]).failed(2);
    for part in ["did you mean \"json\"", "`loud` is no level", "`tcp://x` is no address", "`facility`"] {
        assert!(told.contains(part), "{told}");
    }
}
