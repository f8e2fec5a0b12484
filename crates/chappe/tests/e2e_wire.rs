//! tshark judges whole conversations between two MTAs: every frame decodes, nothing is malformed, nothing warned of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::fs;

use support::{ANNA, OPERATIONS, Pair, Plan, Random, wait_for};
use testkit::{Proxy, Tshark};

const FILE_OCTETS: usize = 5 << 20;
const NOBODY: &str = "S=nobody;O=Acme;P=BETA;A= ;C=GB";
/// Captures that proxies write have this port.
const PORT: &[u16] = &[102];

/// SPDU identifiers of X.225.
const ACTIVITY_START: &str = "45";
const ACTIVITY_END: &str = "41";

/// What tshark found in the captures of one run, over all connections.
#[derive(Debug, Default)]
struct Seen {
    frames: usize,
    apdus: Vec<String>,
    subjects: Vec<String>,
    texts: Vec<String>,
    starts: usize,
    ends: usize,
    binds: usize,
    releases: usize,
}

impl Seen {
    fn of(tshark: &Tshark, proxies: &[&Proxy]) -> Seen {
        let mut seen = Seen::default();
        for proxy in proxies {
            if proxy.recordings().is_empty() {
                continue;
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            proxy.to_pcap().write_to(file.path()).unwrap();
            let report = tshark.check(file.path(), PORT).unwrap_or_else(|complaints| panic!("{complaints}"));
            seen.frames += report.frames.len();
            let column = |filter: &str, field: &str| -> Vec<String> {
                let rows = tshark.fields(file.path(), PORT, filter, &[field]);
                rows.iter().flat_map(|row| row[0].split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
            };
            seen.apdus.extend(column("p1.MTS_APDU", "p1.MTS_APDU"));
            seen.subjects.extend(column("p22.subject", "p22.subject"));
            seen.texts.extend(column("p22.ia5text.data", "p22.ia5text.data"));
            let types = column("ses", "ses.type");
            seen.starts += types.iter().filter(|kind| *kind == ACTIVITY_START).count();
            seen.ends += types.iter().filter(|kind| *kind == ACTIVITY_END).count();
            seen.binds += column("rtse.rtorq_apdu_element", "frame.number").len();
            seen.releases += column("acse.rlre_element", "frame.number").len();
        }
        seen
    }
}

/// Sends one message of each kind through proxies in both directions, with a delivery and a non-delivery report back,
/// and has tshark judge it all. Gives the messages and reports that each of the proxies saw.
fn run(connector: &str, dialogue: &str) -> Option<[usize; 2]> {
    let tshark = Tshark::required_by(&format!("whole conversations, {dialogue}"))?;
    let mut plan = Plan {
        connector: connector.to_owned(),
        association: "lifetime_s = 2\nmax_associations = 1\n".to_owned(),
        ..Plan::default()
    };
    let to_b = Proxy::start(plan.b_p1).unwrap();
    let to_a = Proxy::start(plan.a_p1).unwrap();
    plan.a_connects_to = to_b.address();
    plan.b_connects_to = to_a.address();
    let Pair { mut a, mut b } = plan.build();
    let text = fs::read_to_string(b.config()).unwrap();
    b.configure(&text.replacen("[mta]\n", &format!("[mta]\nmailboxes = [\"{OPERATIONS}\"]\n"), 1));
    b.start();
    a.start();

    let content = Random::new().octets(FILE_OCTETS);
    let file = a.file("plan.bin", &content);
    let from = ["--from", ANNA];
    let to = ["--to", OPERATIONS];
    a.submit(
        &[&from[..], &to, &["--subject", "plain", "--text", "Semaphore is up.", "--report", "delivery"]]
            .concat(),
    );
    a.submit(&[&from[..], &to, &["--subject", "latin", "--text", "Grüße aus Köln"]].concat());
    a.submit(&[&from[..], &to, &["--subject", "large", "--file", file.to_str().unwrap()]].concat());
    a.submit(&[&from[..], &["--to", NOBODY, "--subject", "nobody", "--text", "x"]].concat());
    let association = wait_for("an association in the agreed dialogue mode", || {
        let associations = a.json(&["association", "list"]);
        support::items(&associations).into_iter().find(|association| !association["dialogue"].is_null())
    });
    assert_eq!(association["dialogue"], dialogue, "{association}");
    b.wait_for_mail(OPERATIONS, 3);
    a.wait_for_mail(ANNA, 2);
    a.wait_until_empty();
    b.wait_until_empty();
    // The idle associations are released, so that all of a conversation is there to be judged.
    wait_for("the release of all associations", || {
        let ended = |proxy: &Proxy| proxy.recordings().iter().all(|recording| recording.ended);
        (ended(&to_b) && ended(&to_a)).then_some(())
    });

    let seen = Seen::of(&tshark, &[&to_b, &to_a]);
    let mut subjects = seen.subjects.clone();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects, ["large", "latin", "nobody", "plain"], "{seen:?}");
    assert!(seen.texts.iter().any(|text| text.contains("Semaphore is up.")), "{seen:?}");
    // MTS-APDU: 0 is a message, 1 a report.
    let of_kind = |kind: &str| seen.apdus.iter().filter(|apdu| *apdu == kind).count();
    assert_eq!((of_kind("0"), of_kind("1"), seen.apdus.len()), (4, 2, 6), "{seen:?}");
    assert_eq!((seen.starts, seen.ends), (6, 6), "{seen:?}");
    assert_eq!(seen.binds, seen.releases, "{seen:?}");
    assert_eq!(seen.binds, to_b.recordings().len() + to_a.recordings().len(), "{seen:?}");
    // 5 MB in pieces of 30 KB: a run that small would not have been segmented.
    assert!(seen.frames > FILE_OCTETS / (30 << 10), "{seen:?}");
    Some([&to_b, &to_a].map(|proxy| Seen::of(&tshark, &[proxy]).apdus.len()))
}

#[test]
fn tshark_accepts_a_run_in_monologue() {
    if let Some(apdus) = run("", "monologue") {
        assert_eq!(apdus, [4, 2], "in monologue only the initiator of an association sends");
    }
}

#[test]
fn tshark_accepts_a_run_in_two_way_alternate() {
    run("two_way_alternate = true", "two-way-alternate");
}
