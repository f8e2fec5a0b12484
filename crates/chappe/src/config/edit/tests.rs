//! What an edit changes, and above all what it leaves alone.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::parse;

const TEXT: &str = r#"# Ours.
[mta]
name = "MTA-A"
domain = { country = "GB", admd = " ", prmd = "ALPHA" }
data_dir = "data"

# To the sea.
[[connector]]
name = "to-b" # as everybody calls it
remote_mta = "MTA-B"
remote_password = "********"
hosts = ["b.example.net"]   # the new machine
address_space = [{ address = "P=BETA;A= ;C=GB", cost = 1 }]
[connector.retry]
# Short, for the tests.
open_interval_s = 5 # seconds

# To the hills.
[[connector]]
name = "to-c"
remote_mta = "MTA-C"
hosts = ["c.example.net"]
"#;

fn edit(text: &str, change: EditKind, connector: &str, values: Json) -> Result<String, EditError> {
    let Json::Object(values) = values else { panic!("values are an object") };
    Edit {
        text: text.to_owned(),
        change,
        connector: connector.to_owned(),
        values: values.into_iter().collect(),
    }
    .apply()
}

fn set(values: Json) -> String {
    edit(TEXT, EditKind::Set, "to-b", values).unwrap()
}

#[test]
fn only_what_is_edited_is_different() {
    assert_eq!(set(json!({})), TEXT);
    assert_eq!(set(json!({ "retry.open_interval_s": 60 })), TEXT.replace("_s = 5 #", "_s = 60 #"));
    assert_eq!(
        set(json!({ "hosts": ["c.example.net", "10.0.0.1:1102"] })),
        TEXT.replace("[\"b.example.net\"]", "[\"c.example.net\", \"10.0.0.1:1102\"]")
    );
    let more = set(json!({ "retry.max_open_retries": 3, "rts.window_size": 7, "two_way_alternate": true }));
    for part in [
        "two_way_alternate = true\n",
        "open_interval_s = 5 # seconds\nmax_open_retries = 3\n",
        "[connector.rts]\nwindow_size = 7\n",
    ] {
        assert!(more.contains(part), "no {part} in {more}");
    }
    let place = |part: &str| more.find(part).unwrap();
    assert!(place("[connector.rts]") < place("# To the hills."), "{more}");
    let less =
        set(json!({ "retry.open_interval_s": null, "remote_password": null, "max_message_size_kb": null }));
    assert!(!less.contains("open_interval_s") && !less.contains("[connector.retry]"), "{less}");
    assert!(!less.contains("remote_password") && less.contains("# To the hills."), "{less}");
}

#[test]
fn connectors_come_and_go() {
    let values = json!({ "remote_mta": "MTA-D", "hosts": ["d"], "rts.window_size": 2,
        "address_space": [{ "address": "P=DELTA;A= ;C=GB", "cost": 3 }, { "address": "P=D2;A= ;C=GB", "cost": 1 }, { "address": "P=D3;A= ;C=GB", "cost": 1 }] });
    let more = edit(TEXT, EditKind::Add, "to-d", values).unwrap();
    assert!(more.starts_with(TEXT), "{more}");
    assert!(more.contains("\n[[connector]]\nname = \"to-d\"\nremote_mta = \"MTA-D\"\nhosts = [\"d\"]\naddress_space = [\n    { address = \"P=DELTA;A= ;C=GB\", cost = 3 },\n"), "{more}");
    parse(Path::new("x"), &more).unwrap();
    assert_eq!(edit(&more, EditKind::Remove, "to-d", json!({})).unwrap(), TEXT);
    let less = edit(TEXT, EditKind::Remove, "to-b", json!({})).unwrap();
    assert!(
        !less.contains("to-b") && !less.contains("To the sea") && less.contains("# To the hills."),
        "{less}"
    );
    let none = edit(&less, EditKind::Remove, "to-c", json!({})).unwrap();
    assert!(!none.contains("connector"), "{none}");
    assert!(
        edit(&none, EditKind::Add, "to-e", json!({ "remote_mta": "E" }))
            .unwrap()
            .ends_with("remote_mta = \"E\"\n")
    );
}

#[test]
fn tables_in_one_line_stay_so() {
    let text = "connector = [{ name = \"to-b\", remote_mta = \"B\", rts = { window_size = 1 } }]\n";
    let edited =
        edit(text, EditKind::Set, "to-b", json!({ "rts.window_size": 2, "hold.until_kb": 9 })).unwrap();
    assert_eq!(
        edited,
        "connector = [{ name = \"to-b\", remote_mta = \"B\", rts = { window_size = 2 }, hold = { until_kb = 9 } }]\n"
    );
    let more =
        edit(&edited, EditKind::Add, "to-c", json!({ "remote_mta": "C", "rts.window_size": 4 })).unwrap();
    assert_eq!(written(&more).unwrap().len(), 2);
    assert_eq!(written(&more).unwrap()[1].values["rts.window_size"], 4);
}

#[test]
fn what_is_written_is_read_and_secrets_are_not() {
    let [b, c] = <[Written; 2]>::try_from(written(TEXT).unwrap()).unwrap();
    assert_eq!((b.name.as_str(), c.name.as_str()), ("to-b", "to-c"));
    assert_eq!(b.values["remote_password"], true);
    assert_eq!(b.values["retry.open_interval_s"], 5);
    assert_eq!(b.values["address_space"], json!([{ "address": "P=BETA;A= ;C=GB", "cost": 1 }]));
    assert!(!b.values.contains_key("rts.window_size"));
    // What was read can be written again.
    let values: serde_json::Map<_, _> =
        b.values.into_iter().filter(|(key, _)| key != "remote_password").collect();
    assert_eq!(set(Json::Object(values)), TEXT);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused =
        |change, connector: &str, values| edit(TEXT, change, connector, values).unwrap_err().to_string();
    assert!(refused(EditKind::Set, "to-x", json!({})).contains("no connector `to-x`"));
    assert!(refused(EditKind::Remove, "to-x", json!({})).contains("no connector `to-x`"));
    assert!(refused(EditKind::Add, "to-b", json!({})).contains("already"));
    assert!(refused(EditKind::Set, "to-b", json!({ "colour": 1 })).contains("no setting `colour`"));
    for (key, value) in [
        ("hosts", json!("b")),
        ("rts.window_size", json!("5")),
        ("name", json!(5)),
        ("remote_domain", json!({ "c": "GB" })),
        ("address_space", json!(["P=B"])),
        ("two_way_alternate", json!("yes")),
    ] {
        assert!(
            refused(EditKind::Set, "to-b", json!({ key: value })).starts_with(&format!("`{key}` is ")),
            "{key}"
        );
    }
    assert!(matches!(edit("= 1", EditKind::Set, "to-b", json!({})), Err(EditError::Syntax(_))));
    assert!(matches!(edit("connector = 1", EditKind::Set, "to-b", json!({})), Err(EditError::NoList)));
    let odd = "[[connector]]\nname = \"b\"\nrts = 1\n";
    assert!(matches!(
        edit(odd, EditKind::Set, "b", json!({ "rts.window_size": 1 })),
        Err(EditError::NoTable(_))
    ));
}

/// A value that a field takes.
fn example(kind: Kind) -> Json {
    match kind {
        Kind::Text | Kind::Secret => json!("abc"),
        Kind::Number(low, _, _) => json!(low),
        Kind::Size(sizes) => json!(sizes[0]),
        Kind::Truth => json!(true),
        Kind::Choice(words) => json!(words[0]),
        Kind::Words(words) => json!(words),
        Kind::Texts => json!([]),
        Kind::Times => json!(["Mon-Fri 08:00-18:00"]),
        Kind::Spaces => json!([{ "address": "P=X;A= ;C=GB", "cost": 2 }]),
        Kind::Domain => json!({ "country": "GB", "admd": " ", "prmd": "X" }),
    }
}

#[test]
fn each_field_is_a_setting_and_each_setting_a_field() {
    // What the reader does not know it complains about, and lists what it knows.
    let nonsense = "zzzzzzzzzzzzzzzz = 1\n";
    let mut text = TEXT.replace("name = \"to-c\"\n", &format!("name = \"to-c\"\n{nonsense}"));
    for table in [
        "rts",
        "retry",
        "association",
        "hold",
        "form",
        "restrictions",
        "transfer_timeout",
        "called_selectors",
        "calling_selectors",
    ] {
        text.push_str(&format!("[connector.{table}]\n{nonsense}"));
    }
    let problems = match parse(Path::new("x"), &text) {
        Err(crate::config::ConfigError::Invalid { problems, .. }) => problems,
        other => panic!("{other:?}"),
    };
    let mut known = BTreeSet::new();
    for problem in problems.iter().filter(|problem| problem.what.contains("zzzz")) {
        let keys = problem.fix.strip_prefix("remove it; known here: ").unwrap();
        let place = problem.what.split('`').find(|part| !part.is_empty()).unwrap_or_default().to_owned();
        let table = text
            .lines()
            .take(problem.line)
            .filter_map(|line| line.strip_prefix("[connector.")?.strip_suffix(']'))
            .last();
        let is_first = !text
            .lines()
            .take(problem.line)
            .skip_while(|line| !line.contains("to-c"))
            .any(|line| line.starts_with("[connector."));
        let prefix = if is_first { String::new() } else { format!("{}.", table.unwrap_or(&place)) };
        known.extend(keys.split(", ").map(|key| format!("{prefix}{key}")));
    }
    let tables: BTreeSet<&str> =
        FIELDS.iter().filter_map(|field| Some(field.key.split_once('.')?.0)).collect();
    known.retain(|key| !tables.contains(key.as_str()));
    let fields: BTreeSet<String> = FIELDS.iter().map(|field| field.key.to_owned()).collect();
    assert_eq!(fields, known);
}

#[test]
fn the_ranges_of_numbers_are_those_of_the_reader() {
    let whole = TEXT.replace("\"********\"", "\"secret\"");
    let check = |key: &str, value: Json| {
        let text = edit(&whole, EditKind::Set, "to-b", json!({ key: value })).unwrap();
        parse(Path::new("x"), &text)
    };
    for field in FIELDS {
        if let Kind::Number(low, high, _) = field.kind {
            let high = high.min(u64::from(u32::MAX));
            for right in [low, high] {
                check(field.key, json!(right))
                    .unwrap_or_else(|error| panic!("{} = {right}: {error}", field.key));
            }
            let mut wrong = vec![low.checked_sub(1)];
            wrong.push((high < u64::from(u32::MAX)).then_some(high + 1));
            for wrong in wrong.into_iter().flatten() {
                assert!(check(field.key, json!(wrong)).is_err(), "{} = {wrong} is taken", field.key);
            }
        }
        if let Kind::Choice(words) = field.kind {
            for word in words {
                let lacks = match check(field.key, json!(word)) {
                    Ok(_) => String::new(),
                    Err(error) => error.to_string(),
                };
                assert!(!lacks.contains("not known"), "{} = {word}: {lacks}", field.key);
            }
        }
        if let Kind::Size(sizes) = field.kind {
            sizes.iter().for_each(|size| drop(check(field.key, json!(size)).unwrap()));
        }
    }
}

proptest! {
    #[test]
    fn no_text_and_no_values_make_it_panic(
        cut in 0..600_usize,
        tail in "[a-z\\[\\]{}=\"'\\n. #]{0,30}",
        n in 0..FIELDS.len(),
        other in 0..FIELDS.len(),
        name in "to-[bcx]",
    ) {
        let text: String = TEXT.chars().take(cut).chain(tail.chars()).collect();
        let _ = written(&text);
        for value in [Json::Null, example(FIELDS[n].kind), example(FIELDS[other].kind)] {
            let values = json!({ (FIELDS[n].key): value });
            for change in [EditKind::Set, EditKind::Add, EditKind::Remove] {
                if let Ok(edited) = edit(&text, change, &name, values.clone()) {
                    prop_assert!(edited.parse::<DocumentMut>().is_ok(), "{edited}");
                }
            }
        }
    }
}
