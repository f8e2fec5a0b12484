//! The command line without a service: usage, exit statuses, configuration files, decoding.

mod common;

use std::path::Path;

use common::{ANNA, Service, chappe, command};

const COMMANDS: &[&[&str]] = &[
    &["serve"],
    &["config", "check"],
    &["config", "init"],
    &["submit"],
    &["probe"],
    &["mailbox", "list"],
    &["mailbox", "show"],
    &["mailbox", "export"],
    &["queue", "list"],
    &["queue", "show"],
    &["message", "list"],
    &["message", "show"],
    &["quarantine", "list"],
    &["quarantine", "export"],
    &["quarantine", "release"],
    &["quarantine", "delete"],
    &["connector", "list"],
    &["connector", "show"],
    &["connector", "connect"],
    &["association", "list"],
    &["association", "record"],
    &["association", "recordings"],
    &["route"],
    &["decode"],
    &["track"],
    &["events"],
    &["status"],
    &["top"],
    &["monitor", "list"],
    &["monitor", "show"],
    &["completions"],
    &["man"],
    &["bench", "relay"],
    &["bench", "spool"],
    &["bench", "idle"],
    &["bench", "isolation"],
    &["bench", "failures"],
    &["bench", "stack"],
];

const GROUPS: [&str; 8] =
    ["config", "mailbox", "queue", "message", "connector", "association", "monitor", "bench"];

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in COMMANDS {
        let help = chappe(&[*command, &["--help"]].concat()).ok();
        assert!(help.contains("Example"), "{command:?}:\n{help}");
        let examples = help.split("Example").nth(1).unwrap();
        assert!(examples.contains(&format!("chappe {}", command.join(" "))), "{command:?}:\n{help}");
    }
    for group in GROUPS {
        let help = chappe(&[group, "--help"]).ok();
        let examples = help.split("Example").nth(1).unwrap_or_default();
        assert!(examples.contains(&format!("chappe {group} ")), "{group}:\n{help}");
    }
    let help = chappe(&["--help"]).ok();
    assert!(
        help.contains("Example")
            && help.contains("Measure relay, spool, decisions, layers and memory on this machine"),
        "{help}"
    );
}

#[test]
fn every_command_that_prints_data_can_print_json() {
    for command in COMMANDS {
        if matches!(command, ["serve"] | ["config", "init"] | ["completions"] | ["man"]) {
            continue;
        }
        let help = chappe(&[*command, &["--help"]].concat()).ok();
        assert!(help.contains("--json"), "{command:?}:\n{help}");
    }
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [
        &[][..],
        &["nonsense"],
        &["submit", "--from", ANNA, "--text", "x"],
        &["submit", "--from", ANNA, "--to", ANNA],
        &["submit", "--from", ANNA, "--to", ANNA, "--text", "x", "--file", "y"],
        &["submit", "--from", "nonsense", "--to", ANNA, "--text", "x"],
        &["submit", "--from", ANNA, "--to", ANNA, "--text", "x", "--deferred", "tomorrow"],
        &["submit", "--from", ANNA, "--to", ANNA, "--text", "x", "--latest-delivery", "tomorrow"],
        &["submit", "--from", "S=x;C=GB", "--to", ANNA, "--text", "x"],
        &["submit", "--from", ANNA, "--to", "A= ;C=GB", "--text", "x"],
        &["submit", "--from", ANNA, "--to", ANNA, "--subject", "a\nb", "--text", "x"],
        &["probe", "--from", ANNA],
        &["probe", "--from", ANNA, "--to", ANNA, "--content-length", "many"],
        &["probe", "--from", ANNA, "--to", ANNA, "--content-type", "p3"],
        &["submit", "--from", ANNA, "--bcc", "nonsense", "--text", "x"],
        &["mailbox", "show", "nonsense"],
        &["mailbox", "list", "nonsense"],
        &["mailbox", "export", "nonsense", "1"],
        &["route", "nonsense"],
        &["queue", "list", "--api", "ftp://x"],
        &["queue", "list", "--token-file", "/no/such/file"],
        &["queue", "show", "x", "--limit", "0"],
        &["decode", "/no/such/file"],
        &["config", "check", "/no/such/file"],
        &["serve", "--config", "/no/such/file"],
        &["serve", "--config", "/no/such/file", "--log", "a=b=c"],
        &["serve", "--config", "/no/such/file", "--log", "frobnicate"],
        &["serve", "--config", "/no/such/file", "--log", "info,osi=frobnicate"],
    ] {
        chappe(arguments).failed(2);
    }
}

#[test]
fn options_before_a_command_that_has_no_use_for_them_are_wrong_usage() {
    for arguments in [
        &["--api", "http://127.0.0.1:1", "config", "init"][..],
        &["--token-file", "x", "decode", "/no/such/file"],
        &["--json", "serve", "--config", "/no/such/file"],
    ] {
        let text = chappe(arguments).failed(2);
        assert!(text.contains(arguments[0]) && text.contains("leave it out"), "{text}");
    }
}

#[test]
fn the_environment_is_no_part_of_the_usage() {
    let usage = |value: &str| {
        let output = command(&["mailbox", "show"]).env("CHAPPE_API", value).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = usage("http://127.0.0.1:1");
    assert!(text.contains("Usage:") && !text.contains("--api"), "{text}");
    assert_eq!(usage(""), text);
    let output = command(&["queue", "list", "--api", "http://127.0.0.1:1"]).env("CHAPPE_API", "").output();
    assert_eq!(output.unwrap().status.code(), Some(3));
    let output = command(&["serve", "--config", "/no/such/file"]).env("CHAPPE_LOG", "frobnicate").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CHAPPE_LOG"), "{output:?}");
    let help = chappe(&["queue", "list", "--help"]).ok();
    assert!(help.contains("CHAPPE_API") && help.contains("127.0.0.1:8400"), "{help}");
}

#[test]
fn a_service_that_is_not_there_is_status_3() {
    // Port 1 is reserved and nothing listens there.
    let api = "http://127.0.0.1:1";
    // Each waits a moment for a service that is starting, so all at the same time.
    std::thread::scope(|scope| {
        for arguments in [
            &["queue", "list"][..],
            &["route", ANNA],
            &["submit", "--from", ANNA, "--to", ANNA, "--text", "x"],
        ] {
            scope.spawn(move || {
                let text = chappe(&[arguments, &["--api", api]].concat()).failed(3);
                assert!(text.contains(api) && text.contains("chappe serve"), "{text}");
                assert_eq!(text.lines().count(), 1, "{text}");
            });
        }
    });
}

#[test]
fn the_starting_file_is_written_once_and_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chappe.toml");
    let name = file.to_str().unwrap();
    chappe(&["config", "init", name]).ok();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(chappe(&["config", "init"]).ok(), text);
    assert!(chappe(&["config", "check", name]).ok().starts_with(&format!("{name}: ok\n")));
    let refused = chappe(&["config", "init", name]).failed(1);
    assert!(refused.contains("left as it is"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_wrong_file_names_every_mistake_and_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chappe.toml");
    let name = file.to_str().unwrap();
    std::fs::write(&file, "[mta]\nname = 7\ndata_dirr = \"x\"\n[listen]\np1 = [\"nowhere\"]\n").unwrap();
    let errors = chappe(&["config", "check", name]).failed(2);
    for place in [":1:1: ", ":2:8: ", ":3:1: ", ":5:7: "] {
        assert!(errors.contains(&format!("{name}{place}")), "{place} in\n{errors}");
    }
    // The service refuses the same file in the same words.
    assert_eq!(chappe(&["serve", "--config", name]).failed(2), errors);
    let json = chappe(&["config", "check", name, "--json"]);
    assert_eq!(json.code, Some(2));
    let verdict: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(verdict["ok"], false);
    assert_eq!(verdict["problems"].as_array().unwrap().len(), errors.lines().count());
    let number = errors.lines().count();
    assert_eq!(json.stderr, format!("chappe: {name}: {number} problems, which the JSON names\n"));
}

#[test]
fn a_data_directory_that_is_a_file_is_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chappe.toml");
    let name = file.to_str().unwrap();
    let text = format!(
        "[mta]\nname = \"MTA-A\"\ndomain = {{ country = \"GB\", admd = \" \", prmd = \"ALPHA\" }}\ndata_dir = {name:?}\n"
    );
    std::fs::write(&file, &text).unwrap();
    let errors = chappe(&["config", "check", name]).failed(2);
    assert!(errors.contains(&format!("{name}:4:12: ")) && errors.contains("not a directory"), "{errors}");
    // One that is not there yet is made at the start.
    std::fs::write(&file, text.replace(&format!("{name:?}"), &format!("{:?}", dir.path().join("new"))))
        .unwrap();
    chappe(&["config", "check", name]).ok();
}

#[test]
fn a_capture_is_decoded_to_text_and_to_json() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/captures");
    let file = fixtures.join("pp-p1-88-twa-transfer.pcap");
    let file = file.to_str().unwrap();
    let text = chappe(&["decode", file]).ok();
    assert!(text.contains("dialogue mode: TwoWayAlternate"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&chappe(&["decode", file, "--json"]).ok()).unwrap();
    assert_eq!(json["kind"], "capture");
    assert_eq!(json["items"][0]["name"], "connection");
    let cargo = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(chappe(&["decode", cargo]).failed(1).contains("no P1 APDU"));
}

/// The figure is the machine's; that it comes from as many associations as were asked for, and that there is one, is not.
#[test]
fn the_memory_of_idle_associations_can_be_measured() {
    let text = chappe(&["bench", "idle", "--associations", "120", "--json"]).ok();
    let figures: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("no {name} in {figures}"));
    assert_eq!(number("associations") as u64, 120);
    let each = (number("after_kib") - number("before_kib")) / 120.0;
    assert!(each > 0.0 && (number("kib_per_association") - each).abs() < 0.1, "{figures}");
    assert!((number("ratio_to_limit") - each / 64.0).abs() < 0.01, "{figures}");
}

#[test]
fn completions_know_the_commands_and_the_manual_has_a_page_for_each() {
    for shell in ["bash", "zsh", "fish"] {
        let script = chappe(&["completions", shell]).ok();
        for word in ["chappe", "mailbox", "freeze", "token-file"] {
            assert!(script.contains(word), "{shell}: {word} is missing");
        }
    }
    chappe(&["completions", "csh"]).failed(2);
    let page = chappe(&["man"]).ok();
    assert!(page.contains(".TH chappe 1"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    assert_eq!(chappe(&["man", pages.to_str().unwrap()]).ok(), "");
    for name in ["chappe.1", "chappe-queue.1", "chappe-queue-freeze.1", "chappe-serve.1"] {
        assert!(pages.join(name).is_file(), "{name} is missing");
    }
    chappe(&["man", "/proc/nowhere"]).failed(1);
}

#[test]
fn a_frame_of_top_goes_to_a_pipe_and_its_data_are_json() {
    let service = Service::start("", "");
    let frame = service.run(&["top"]).ok();
    assert!(frame.starts_with(" MTA-A in ") && frame.contains("There are no connectors."), "{frame}");
    assert!(!frame.contains('\u{1b}'), "{frame}");
    let data: serde_json::Value = serde_json::from_str(&service.run(&["top", "--json"]).ok()).unwrap();
    assert_eq!(data["status"]["condition"], "ready");
}
