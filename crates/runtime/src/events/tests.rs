#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use super::*;

fn at(seconds: i64) -> WallTime {
    WallTime::from_unix(1_700_000_000 + seconds)
}

/// Records one event every `interval` seconds and gives what is told.
fn every(log: &EventLog, interval: i64, times: i64, text: impl Fn(i64) -> String) -> Vec<Event> {
    for n in 0..times {
        log.record(at(n * interval), EventKind::ConnectError, "to-b", text(n));
    }
    log.since(0)
}

#[test]
fn a_day_of_failures_is_a_handful_of_events_with_counts() {
    let log = EventLog::default();
    let told = every(&log, 600, 144, |n| format!("try {n} failed"));
    assert_eq!(
        told.iter().map(|event| event.count).collect::<Vec<_>>(),
        [Some(1), Some(3), Some(7), Some(15), Some(31), Some(63), Some(127), Some(144)]
            .map(|count| count.filter(|&n| n > 1))
    );
    assert!(told[1].text.ends_with(&format!("(2 times since {})", at(0))), "{}", told[1].text);
    assert_eq!(told[7].since, Some(at(0).to_string()));
}

#[test]
fn who_has_heard_of_news_holds_up_nobody() {
    let log = std::sync::Arc::new(EventLog::default());
    let mut news = log.news();
    let (done, finished) = std::sync::mpsc::channel();
    // A thread, since what would be wrong here never ends.
    std::thread::spawn(move || {
        let tell = |from: u64| {
            log.record(at(0), EventKind::Delivered, "", "x");
            log.since(from).len()
        };
        done.send(tell(news.latest())).unwrap();
    });
    assert_eq!(finished.recv_timeout(std::time::Duration::from_secs(60)), Ok(1));
}

#[test]
fn a_month_of_failures_is_told_daily_at_least() {
    let log = EventLog::default();
    let told = every(&log, 600, 144 * 30, |_| "down".to_owned());
    assert!((30..45).contains(&told.len()), "{} events", told.len());
}

#[test]
fn another_cause_another_kind_and_another_subject_are_news() {
    let log = EventLog::default();
    for cause in ["refused", "no answer", "refused", "no answer"] {
        log.record_caused(at(0), EventKind::ConnectError, "to-b", cause, "try 1".to_owned());
    }
    log.record(at(0), EventKind::ConnectionNotOpened, "to-b", "refused");
    log.record(at(0), EventKind::ConnectError, "to-c", "refused");
    assert_eq!(log.since(0).len(), 6);
}

#[test]
fn a_peer_is_known_by_its_host_whatever_its_port() {
    let log = EventLog::default();
    for port in 1..=1_000 {
        log.record(at(0), EventKind::UnknownMta, &format!("10.0.0.1:{port}"), "bind refused");
    }
    assert_eq!(log.since(0).len(), 10);
    assert_eq!(log.since(0).last().unwrap().count, Some(1_000));
}

#[test]
fn what_was_over_or_quiet_for_long_is_news() {
    let log = EventLog::default();
    every(&log, 1, 3, |_| "down".to_owned());
    log.is_over("to-b");
    log.record(at(10), EventKind::ConnectError, "to-b", "down");
    log.record(at(10 + 3_601), EventKind::ConnectError, "to-b", "down");
    let counts: Vec<_> = log.since(0).into_iter().map(|event| event.count).collect();
    assert_eq!(counts, [None, Some(3), None, None]);
}

#[test]
fn each_message_has_its_own_events() {
    let log = EventLog::default();
    (0..10).for_each(|n| log.record(at(0), EventKind::TransferFailed, "to-b", format!("message {n}")));
    assert_eq!(log.since(0).len(), 10);
}

#[test]
fn what_goes_well_pushes_no_trouble_out_and_order_is_kept() {
    let log = EventLog::default();
    log.record(at(0), EventKind::TransferFailed, "to-b", "the first");
    (0..5_000).for_each(|n| log.record(at(n), EventKind::ObjectSent, "to-c", format!("message {n}")));
    log.record(at(5_000), EventKind::StoreFailed, "", "the last");
    let told = log.since(0);
    assert_eq!(told.len(), KEPT + 2);
    assert!(told.is_sorted_by_key(|event| event.number));
    assert_eq!((told[0].text.as_str(), told[KEPT + 1].text.as_str()), ("the first", "the last"));
    assert_eq!(log.since(5_000).len(), 2);
}

#[test]
fn a_digest_has_every_trouble_and_a_few_of_the_rest_and_says_how_many_more_there_were() {
    let log = EventLog::default();
    for n in 0..3_000 {
        log.record(at(n), EventKind::ObjectSent, "to-b", format!("message {n}"));
        if n % 1_000 == 0 {
            log.record(at(n), EventKind::TransferFailed, "to-b", format!("message {n}"));
        }
    }
    let digest = log.digest(0, 5, 10);
    let troubles = |digest: &EventDigest| digest.events.len() - digest.information;
    assert_eq!((digest.information, troubles(&digest), digest.left_out), (5, 3, 3_003 - 8));
    assert!(digest.events.is_sorted_by_key(|event| event.number));
    // Of troubles the newest, when there are more than asked for.
    let fewer = log.digest(0, 0, 2);
    assert_eq!((fewer.information, fewer.left_out), (0, 3_003 - 2));
    assert_eq!(fewer.events[0].text, "message 1000");
    let nothing = log.digest(digest.next, 5, 10);
    assert_eq!((nothing.events.len(), nothing.left_out, nothing.next), (0, 0, 3_003));
}

/// Whoever caused ever new events takes no more memory than some.
#[test]
fn different_events_are_remembered_up_to_a_bound() {
    let log = EventLog::default();
    (0..5_000)
        .for_each(|n| log.record_caused(at(n), EventKind::UnknownMta, "x", &n.to_string(), String::new()));
    assert_eq!(log.since(0).len(), KEPT);
}

#[test]
fn names_are_those_of_the_kinds_and_each_is_documented() {
    let documentation = include_str!("../../../../docs/events.md");
    for kind in EventKind::ALL {
        let words = format!("{kind:?}").chars().fold(String::new(), |mut words, c| {
            if c.is_uppercase() && !words.is_empty() {
                words.push('-');
            }
            words.extend(c.to_lowercase());
            words
        });
        assert_eq!(kind.name(), words);
        let heading = format!("### {}\n", kind.name());
        let section = documentation.split(&heading).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/events.md has no section {heading}"));
        let section = section.split("\n#").next().unwrap_or_default();
        let id = kind.exchange_id().map_or_else(|| "no number".to_owned(), |id| id.to_string());
        let category = kind.category().name();
        let severity = format!("{:?}", kind.severity()).to_lowercase();
        let facts = format!("{id} · {category} · {severity}");
        assert!(section.contains(&facts), "{}: `{facts}` is not in its section", kind.name());
        let (_, after) = section.split_once(&facts).unwrap();
        let meaning = after.trim_start_matches('.').split("**Cause.**").next().unwrap_or_default();
        assert!(meaning.trim().len() > 10, "{}: it does not say what it means", kind.name());
        for part in ["**Cause.**", "**To do.**"] {
            assert!(section.contains(part), "{}: no {part}", kind.name());
        }
    }
    let sections = documentation.matches("\n### ").count();
    assert_eq!(sections, EventKind::ALL.len(), "a section about nothing");
}
