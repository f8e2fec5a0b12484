use std::path::Path;

use super::*;

fn mistakes(text: &str) -> Vec<(usize, usize, String)> {
    match parse(Path::new("x.toml"), text) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid { problems, .. }) => problems
            .into_iter()
            .map(|p| {
                assert!(!p.fix.is_empty(), "{} has no remedy", p.what);
                (p.line, p.column, format!("{}; {}", p.what, p.fix))
            })
            .collect(),
        Err(error @ ConfigError::Unreadable { .. }) => panic!("{error}"),
    }
}

const GOOD: &str = r#"[mta]
name = "MTA-A"
domain = { country = "GB", admd = " ", prmd = "ALPHA" }
data_dir = "data/a"
local = ["P=ALPHA;A= ;C=GB"]
[listen]
p1 = ["127.0.0.1:10102"]
api = "127.0.0.1:8401"
[[connector]]
name = "to-b"
remote_mta = "MTA-B"
remote_password = "b"
hosts = ["127.0.0.1:10103", "mta-b"]
address_space = [{ address = "P=BETA;A= ;C=GB", cost = 7 }]
[connector.retry]
open_interval_s = 2
"#;

#[test]
fn a_good_file_gives_its_settings_and_the_defaults_of_the_rest() {
    let config = parse(Path::new("x.toml"), GOOD).unwrap();
    assert_eq!(config.settings.mta.name.as_str(), "MTA-A");
    assert_eq!(config.data_dir, Path::new("data/a"));
    assert_eq!(config.listen.p1, ["127.0.0.1:10102".parse().unwrap()]);
    assert_eq!(config.stop_timeout, Duration::from_secs(10));
    assert_eq!(config.limits.max_associations, RuntimeLimits::default().max_associations);
    let [connector] = config.settings.connectors.as_slice() else { panic!("one connector") };
    assert_eq!(connector.retry.open_interval_s, 2);
    assert_eq!(connector.retry.max_open_retries, 144);
    assert_eq!(connector.address_space[0].cost, 7);
    assert!(connector.remote_password.as_ref().unwrap().matches(b"b"));
}

#[test]
fn every_mistake_is_found_in_one_go_with_its_line_and_column() {
    let text = r#"[mta]
nmae = "MTA-A"
domain = { country = "Britain", admd = " " }
local = ["P=ALPHA;A= ;C=GB", "P=ALPHA;COLOUR=red"]
hop_limit = 1000
[listen]
p1 = ["localhost:10102"]
api = "0.0.0.0:8401"
[[connector]]
name = "to-b"
remote_mta = "MTA-B"
hosts = ["127.0.0.1:0"]
two_way_alternate = "yes"
address_space = [{ address = "P=BETA;A= ;C=GB", cost = 101 }]
[connector.retry]
open_intervall_s = 5
[[connector]]
name = "to-b"
remote_mta = "MTA-C"
remote_password_file = "no/such/file"
conformance = "1988-norml"
hosts = ["c"]
[connector.rts]
window_size = -1
[console]
"#;
    let found = mistakes(text);
    let expected = [
        (1, "[mta] has no `name`"),
        (1, "[mta] has no `data_dir`"),
        (2, "did you mean `name`?"),
        (3, "mta.domain"),
        (4, "mta.local[1]"),
        (5, "use a value from 1 to 512"),
        (7, "`localhost` is not an IP address"),
        (8, "the API would be open"),
        (12, "connector[0].hosts[0]"),
        (13, "`two_way_alternate` is a string, not true or false"),
        (14, "connector[0].address_space[0].cost"),
        (16, "did you mean `open_interval_s`?"),
        (18, "is the name of connector[0] already"),
        (20, "no/such/file"),
        (21, "did you mean \"1988-normal\"?"),
        (24, "`window_size` = -1 is out of range"),
        (25, "the file knows no `console`"),
    ];
    for (line, part) in expected {
        let matching = found.iter().filter(|(l, _, text)| *l == line && text.contains(part)).count();
        assert_eq!(matching, 1, "line {line}: {part}\nfound: {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(found.is_sorted_by_key(|(line, column, _)| (*line, *column)), "{found:#?}");
    // The column is that of the value.
    assert!(found.iter().any(|(line, column, _)| (*line, *column) == (5, 13)), "{found:#?}");
}

#[test]
fn a_queue_alarm_ends_at_half_of_its_length_unless_told_and_never_above() {
    let alarms = |limits: &str| {
        let limits = parse(Path::new("x.toml"), &format!("{GOOD}\n[limits]\n{limits}")).unwrap().limits;
        let alarm = |alarm: QueueAlarm| (alarm.on, alarm.off);
        (alarm(limits.work_queue_alarm), alarm(limits.outbound_queue_alarm))
    };
    assert_eq!(alarms(""), ((0, 0), (0, 0)));
    assert_eq!(alarms("work_queue_alarm_on = 9"), ((9, 4), (0, 0)));
    assert_eq!(
        alarms("outbound_queue_alarm_on = 1000\noutbound_queue_alarm_off = 999"),
        ((0, 0), (1_000, 999))
    );
    assert_eq!(alarms("work_queue_alarm_on = 0\nwork_queue_alarm_off = 5").0.0, 0, "switched off");
    for (wrong, part) in [
        ("work_queue_alarm_on = 9\nwork_queue_alarm_off = 9", "9 is not less than work_queue_alarm_on = 9"),
        (
            "work_queue_alarm_on = 100001\nwork_queue_alarm_off = 9",
            "`work_queue_alarm_on` = 100001 is out of range",
        ),
    ] {
        let found = mistakes(&format!("{GOOD}\n[limits]\n{wrong}\n"));
        assert!(found.len() == 1 && found[0].2.contains(part), "{wrong}: {found:?}");
    }
}

#[test]
fn a_connector_has_the_messaging_defaults_that_it_does_not_override() {
    let text = format!(
        "{GOOD}\n[messaging_defaults.retry]\nopen_interval_s = 31\nmax_transfer_retries = 9\n\
         [messaging_defaults.rts]\nwindow_size = 7\n[messaging_defaults.association]\nlifetime_s = 8\n\
         [messaging_defaults.transfer_timeout]\nurgent_s_per_kb = 6\n"
    );
    let own = parse(Path::new("x.toml"), GOOD).unwrap().settings.connectors.remove(0);
    let connector = parse(Path::new("x.toml"), &text).unwrap().settings.connectors.remove(0);
    assert_eq!(connector.retry.open_interval_s, own.retry.open_interval_s, "its own");
    assert_ne!(own.retry.open_interval_s, 31);
    assert_eq!((own.retry.max_transfer_retries, connector.retry.max_transfer_retries), (2, 9));
    assert_eq!((connector.rts.window_size, connector.rts.checkpoint_size_kb), (7, 30));
    assert_eq!(connector.association.lifetime_s, 8);
    let timeouts = connector.transfer_timeout;
    assert_eq!((timeouts.urgent_s_per_kb, timeouts.normal_s_per_kb), (6, 2_000));
    // What is wrong with them is said of them, once, and not of each connector.
    for (wrong, part) in [
        ("[messaging_defaults.rts]\nwindow_size = 0", "`window_size` = 0 is out of range"),
        ("[messaging_defaults.rts]\nwindow = 1", "[messaging_defaults.rts] knows no `window`"),
        ("[messaging_defaults.hold]\nuntil_kb = 1", "`hold`"),
    ] {
        let found = mistakes(&format!("{GOOD}\n{wrong}\n"));
        assert!(found.len() == 1 && found[0].2.contains(part), "{wrong}: {found:?}");
    }
}

#[test]
fn a_field_has_the_bounds_that_the_settings_check() {
    for field in FIELDS {
        let Kind::Number(low, high, _) = field.kind else { continue };
        // A number that the settings can't hold is refused as well; no limit on size has a highest value that matters.
        let beyond = [low.checked_sub(1), (field.key != "max_message_size_kb").then_some(high + 1)];
        let within = [Some(low), (field.key != "max_message_size_kb").then_some(high)];
        let (table, key) = field.key.split_once('.').map_or(("", field.key), |(table, key)| (table, key));
        let with = |number: u64| {
            let header = if table.is_empty() { String::new() } else { format!("[connector.{table}]\n") };
            let without = GOOD.split("[connector.retry]").next().unwrap_or_default();
            mistakes(&format!("{without}{header}{key} = {number}\n"))
        };
        for number in beyond.into_iter().flatten() {
            assert_eq!(with(number).len(), 1, "{} = {number}", field.key);
        }
        for number in within.into_iter().flatten() {
            assert!(with(number).is_empty(), "{} = {number}: {:?}", field.key, with(number));
        }
    }
}

#[test]
fn the_local_address_of_a_connector_is_an_address_without_a_port() {
    let with = |line: &str| GOOD.replace("[connector.retry]", &format!("{line}\n[connector.retry]"));
    let connector = |text: &str| parse(Path::new("x.toml"), text).unwrap().settings.connectors.remove(0);
    assert_eq!(connector(GOOD).local_address, None);
    let set = connector(&with("local_address = \"127.0.0.2\"")).local_address;
    assert_eq!(set, Some("127.0.0.2".parse().unwrap()));
    for (wrong, part) in [
        ("local_address = \"127.0.0.2:102\"", "is not an IP address"),
        ("local_address = \"localhost\"", "is not an IP address"),
        ("local_address = \"0.0.0.0\"", "is no address of one machine"),
        ("local_adress = \"127.0.0.2\"", "did you mean `local_address`?"),
    ] {
        let found = mistakes(&with(wrong));
        assert!(found.len() == 1 && found[0].2.contains(part), "{wrong}: {found:?}");
    }
}

#[test]
fn the_form_of_a_link_is_read_and_typos_in_it_are_found() {
    let with = |form: &str| {
        GOOD.replace("[connector.retry]", &format!("conformance = \"1984\"\n{form}\n[connector.retry]"))
    };
    let text = with(
        "strip_content_return_request = true\n[connector.form]\nextension_coding = \"legacy\"\n\
         bind_error = \"bare\"\ncontent_in_pieces = true\ntpdu_size = 128",
    );
    let config = parse(Path::new("x.toml"), &text).unwrap();
    let connector = &config.settings.connectors[0];
    assert_eq!(connector.conformance, agent::settings::Conformance::Mode1984);
    assert!(connector.strip_content_return_request);
    let form = agent::settings::FormSettings {
        extension_coding: mhs::p1::ExtensionCoding::Legacy,
        bind_error: agent::settings::BindErrorCoding::Bare,
        content_coding: mhs::p1::ContentCoding::Pieces,
        tpdu_size: 128,
    };
    assert_eq!(connector.form, form);
    for (wrong, remedy) in [
        ("[connector.form]\nextension_coding = \"legasy\"", "did you mean \"legacy\"?"),
        ("[connector.form]\nbind_error = \"bar\"", "did you mean \"bare\"?"),
        ("[connector.form]\ncontent_in_piece = true", "did you mean `content_in_pieces`?"),
        ("[connector.form]\ntpdu_size = 1000", "use 128, 256, 512, 1024, 2048, 4096 or 8192"),
        ("[connector.from]\ntpdu_size = 1024", "did you mean `form`?"),
    ] {
        let found = mistakes(&with(wrong));
        assert!(found.len() == 1 && found[0].2.contains(remedy), "{wrong}: {found:?}");
    }
}

#[test]
fn the_times_of_a_connector_are_read_and_what_is_wrong_with_them_is_placed() {
    let with = |lines: &str| GOOD.replace("[connector.retry]", &format!("{lines}\n[connector.retry]"));
    let text = with(
        "activation = \"selected-times\"\nselected_times = [\"Mon-Fri 08:00-18:00\", \"Sat 10:00-10:15\"]\n\
         urgent_ignores_schedule = true\ncall_at_selected_times = false\n\
         remote_domain = { country = \"GB\", admd = \" \", prmd = \"BETA\" }\n\
         [connector.hold]\nuntil_kb = 64\nuntil_messages = 7\nurgent_overrides = true\n\
         [connector.restrictions]\nkinds = [\"messages\", \"reports\"]",
    );
    let config = parse(Path::new("x.toml"), &text).unwrap_or_else(|e| panic!("{e}"));
    let connector = &config.settings.connectors[0];
    let agent::settings::Activation::SelectedTimes(times) = connector.activation else { panic!("{text}") };
    assert!(times.to_string().ends_with("Fri 08:00-18:00, Sat 10:00-10:15"), "{times}");
    assert!(connector.urgent_ignores_schedule && !connector.call_at_selected_times);
    let hold = agent::settings::HoldSettings { until_kb: 64, until_messages: 7, urgent_overrides: true };
    assert_eq!(connector.hold, hold);
    assert_eq!(connector.restrictions.kinds, Some(vec![agent::Kind::Message, agent::Kind::Report]));
    assert!(connector.remote_domain.is_some());
    for (wrong, place, what) in [
        ("activation = \"selected-times\"", (9, 1), "no time is selected"),
        ("activation = \"selected-times\"\nselected_times = \"Mon 08:10-09:00\"", (16, 18), "HH:15"),
        (
            "activation = \"selected-times\"\nselected_times = [\"daily 00:00-24:00\", \"Noday 08:00-09:00\"]",
            (16, 40),
            "a day is none of",
        ),
        ("selected_times = [\"Mon 08:00-09:00\"]", (15, 19), "only with activation"),
        ("urgent_ignores_schedule = true", (15, 27), "no schedule to be ignored"),
        ("activation = \"selected\"", (15, 14), "did you mean \"selected-times\"?"),
        ("[connector.hold]\nuntil_messages = 4001", (16, 18), "from 0 to 4000"),
        ("[connector.restrictions]\nkinds = [\"mail\", \"probes\"]", (16, 10), "`mail` is not known"),
    ] {
        let found = mistakes(&with(wrong));
        let [(line, column, text)] = found.as_slice() else { panic!("{wrong}: {found:?}") };
        assert!((*line, *column) == place && text.contains(what), "{wrong}: {found:?}");
    }
}

#[test]
fn broken_syntax_does_not_hide_other_mistakes_nor_invent_any() {
    let text = GOOD.replace("open_interval_s = 2", "open_interval_s = 0").replace("api = \"127", "api = 127");
    let found = mistakes(&text);
    assert!(found.iter().any(|(line, ..)| *line == 8), "{found:#?}");
    assert!(found.iter().any(|(line, _, text)| *line == 16 && text.contains("1 to 86400")), "{found:#?}");
    assert!(found.iter().all(|(line, ..)| *line == 8 || *line == 16), "{found:#?}");
}

#[test]
fn an_empty_file_says_what_to_start_from() {
    let found = mistakes("");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].2.contains("chappe config init"), "{found:?}");
}

#[test]
fn a_secret_is_one_line_and_stands_in_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let with = |content: &str, extra: &str| {
        fs::write(&file, content).unwrap();
        let line = format!("remote_password_file = {:?}\n{extra}", file.to_str().unwrap());
        parse(Path::new("x.toml"), &GOOD.replace("remote_password = \"b\"", &line))
    };
    let config = with("geheim\r\n", "").unwrap();
    assert!(config.settings.connectors[0].remote_password.as_ref().unwrap().matches(b"geheim"));
    for (content, extra) in [("", ""), ("a\nb\n", ""), ("a\n", "remote_password = \"b\"\n")] {
        assert!(with(content, extra).is_err(), "{content:?} {extra:?}");
    }
    // Too long: found by the settings' own checks, told at the line that names the file.
    match with(&"x".repeat(65), "") {
        Err(ConfigError::Invalid { problems, .. }) => assert_eq!(problems[0].line, 12),
        other => panic!("{other:?}"),
    }
}

/// The opening of a named pipe waits for somebody to write to it, and a device may go on for ever.
#[test]
fn a_pipe_a_device_and_a_directory_are_neither_secrets_nor_lists() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
        let (sender, loaded) = std::sync::mpsc::channel();
        let secret = GOOD.replace("remote_password = \"b\"", &format!("remote_password_file = {file:?}"));
        let list = "[[distribution_list]]\naddress = \"S=all;P=ALPHA;A= ;C=GB\"\nmembers_file";
        let list = format!("{GOOD}{list} = {file:?}\n");
        std::thread::spawn(move || sender.send([mistakes(&secret), mistakes(&list)]));
        for found in loaded.recv_timeout(Duration::from_secs(30)).unwrap() {
            assert!(found.iter().any(|(.., text)| text.contains("no regular file")), "{file:?}: {found:?}");
        }
    }
}

#[test]
fn the_starting_file_is_right_as_it_is_and_with_everything_uncommented() {
    parse(Path::new("init"), starting_file()).unwrap();
    let all = uncommented().concat();
    let config = parse(Path::new("init"), &all).unwrap();
    let [connector] = config.settings.connectors.as_slice() else { panic!("one connector: {all}") };
    assert_eq!(connector.called_selectors.session, [0, 1]);
    // What stands there as a default is one.
    assert_eq!(connector.form, Default::default());
    assert_eq!(connector.rts, Default::default());
    assert_eq!(connector.retry, Default::default());
    assert_eq!(connector.association, Default::default());
    assert_eq!(connector.hold, Default::default());
    assert_eq!(connector.transfer_timeout, Default::default());
    assert_eq!(config.settings.mta.message_timeout, Default::default());
    // These limits have no equality of their own.
    assert_eq!(format!("{:?}", config.limits), format!("{:?}", RuntimeLimits::default()));
    assert_eq!(config.spool, spool::Options::default());
    assert_eq!(config.recorder, RecorderSettings::default());
    assert_eq!(config.settings.mta.hop_limit, MtaSettings::DEFAULT_HOP_LIMIT);
}

/// The lines of the starting file with every setting in force, but no secret files, which are not there.
fn uncommented() -> Vec<String> {
    starting_file()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_setting(rest) => format!("{rest}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .filter(|line| !line.contains("_file = "))
        .collect()
}

#[test]
fn the_ranges_in_the_starting_file_are_those_which_are_checked() {
    let lines = uncommented();
    let mut range = None;
    let mut checked = 0;
    for (n, line) in lines.iter().enumerate() {
        if line.starts_with('#') {
            range = range_in(line);
            continue;
        }
        let Some((low, high)) = range else { continue };
        let Some((key, value)) = line.trim().split_once(" = ") else { continue };
        if value.parse::<u64>().is_err() {
            continue;
        }
        let with = |value: u64| {
            let mut lines = lines.clone();
            lines[n] = format!("{key} = {value}\n");
            parse(Path::new("init"), &lines.concat())
        };
        assert!(with(low).is_ok() && with(high).is_ok(), "{key}: {low} or {high} is refused");
        assert!(with(high + 1).is_err(), "{key}: {} is taken", high + 1);
        assert!(low == 0 || with(low - 1).is_err(), "{key}: {} is taken", low - 1);
        checked += 1;
    }
    assert!(checked >= 25, "only {checked} ranges were found");
}

/// The numbers around the first ` to ` which stands between two of them.
fn range_in(line: &str) -> Option<(u64, u64)> {
    line.match_indices(" to ").find_map(|(at, to)| {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        // "0 (none) to 65535"
        let before = line[..at].trim_end_matches(" (none)");
        let low: String = before
            .chars()
            .rev()
            .take_while(char::is_ascii_digit)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        Some((low.parse().ok()?, digits(&line[at + to.len()..]).parse().ok()?))
    })
}

fn is_setting(line: &str) -> bool {
    let word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    line.starts_with('[') && line.ends_with(']') || line.split_once(" = ").is_some_and(|(key, _)| word(key))
}

#[test]
fn the_example_pair_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["a", "b"] {
        let file = root.join(format!("examples/pair/{name}.toml"));
        parse(&file, &fs::read_to_string(&file).unwrap()).unwrap();
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]a-z=\"0-9{}., \n]{0,200}") {
        let _ = parse(Path::new("x.toml"), &text);
    }
}
