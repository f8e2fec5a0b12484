//! The flight recorder of real services: what it has of live, ended and refused associations, as tshark and
//! `chappe decode` read it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::fs;
use std::net::SocketAddr;

use serde_json::Value;
use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, Site, items, port, wait_for};
use testkit::Tshark;

/// Two MTAs at different addresses: with equal ones tshark takes both directions for one.
fn plan() -> Plan {
    let b_p1 = SocketAddr::from(([127, 0, 0, 2], port()));
    Plan { b_p1, a_connects_to: b_p1, ..Plan::default() }
}

fn recordings(site: &Site) -> Vec<Value> {
    items(&site.json(&["association", "recordings"]))
}

/// Writes the recording of an association to a file.
fn record(site: &Site, number: u64) -> std::path::PathBuf {
    let file = site.path(&format!("{number}.pcap"));
    site.run(&["association", "record", &number.to_string(), "--output", file.to_str().unwrap()]).ok();
    file
}

fn decoded(file: &std::path::Path) -> String {
    support::chappe(&["decode", file.to_str().unwrap()]).ok()
}

#[test]
fn tshark_and_decode_read_live_and_ended_associations() {
    let tshark = Tshark::required_by("recordings of a service");
    let Pair { a, b } = Plan { association: "lifetime_s = 2\n".to_owned(), ..plan() }.start();
    for subject in ["first", "second"] {
        a.send(ANNA, OPERATIONS, subject);
    }
    b.wait_for_mail(OPERATIONS, 2);
    a.wait_until_empty();
    let live = recordings(&b);
    assert!(live.iter().any(|recording| recording["connector"] == "to-a"), "{live:?}");
    wait_for("the end of every association", || {
        let ended = |site: &Site| recordings(site).iter().all(|recording| recording["ended"].is_string());
        (ended(&a) && ended(&b)).then_some(())
    });
    for site in [&a, &b] {
        let mut all = String::new();
        for recording in recordings(site) {
            assert_eq!(recording["lost_tpdus"], 0, "{recording}");
            let file = record(site, recording["association"].as_u64().unwrap());
            let text = decoded(&file);
            for part in ["T-CONNECT request", "RTORQ", "MTA name: MTA-A", "RTOAC", "MTA name: MTA-B", "RLRE"]
            {
                assert!(text.contains(part), "{}: no {part} in\n{text}", site.name);
            }
            assert!(!text.contains("malformed") && !text.contains("not in the capture"), "{text}");
            all += &text;
            let octets = fs::read(&file).unwrap();
            assert!(!octets.windows(11).any(|part| part == b"password of"), "a password is shown");
            let Some(tshark) = &tshark else { continue };
            let report =
                tshark.check(&file, &[b.p1.port()]).unwrap_or_else(|complaints| panic!("{complaints}"));
            assert!(report.with_protocol("ses").count() > 4);
            let subjects = tshark.fields(&file, &[b.p1.port()], "p1 && p22", &["p22.subject"]);
            assert!(!subjects.is_empty(), "P1 is not visible");
            // No retransmission, gap or doubt about TCP.
            assert!(tshark.fields(&file, &[], "tcp.analysis.flags", &["frame.number"]).is_empty());
        }
        assert!(all.contains("first") && all.contains("second"), "{all}");
    }
    let said = a.run(&["association", "record", "4711"]).failed(1);
    assert!(said.contains("no recording of association 4711"), "{said}");
}

/// What a ladder tells that doesn't depend on where it was read: of whom, what, with which layers and what in it.
fn told(steps: &[Value]) -> Vec<Value> {
    let fields = ["from", "kind", "octets", "cut", "layers", "completes", "details"];
    let told = |step: &Value| fields.iter().map(|field| step[field].clone()).collect::<Vec<_>>().into();
    // tshark and `decode` see the acknowledgements of a handshake; none of them is a step.
    steps.iter().map(told).collect()
}

#[test]
fn the_ladder_is_that_of_the_capture_and_grows_while_it_is_looked_at() {
    let Pair { a, b } = Plan { association: "lifetime_s = 600\n".to_owned(), ..plan() }.start();
    a.send(ANNA, OPERATIONS, "first");
    b.wait_for_mail(OPERATIONS, 1);
    a.wait_until_empty();
    let [recording] = recordings(&b).try_into().unwrap();
    let number = recording["association"].as_u64().unwrap();
    let of = |arguments: &[&str]| -> Value {
        let number = number.to_string();
        b.json(&[&["association", "ladder", &number, "--limit", "1000"], arguments].concat())
    };
    let early = of(&[]);
    let steps = items(&early);
    assert_eq!(early["connections"][0]["role"], "responder", "{early}");
    assert_eq!(early["connections"][0]["connector"], "to-a", "{early}");
    assert!(early["connections"][0]["ended"].is_null() && early["next"].is_null(), "{early}");
    assert!(
        steps
            .iter()
            .any(|step| step["completes"].as_str().is_some_and(|text| text.starts_with("P1 message")))
    );
    // What comes later is behind the last place, and nothing else is.
    let last = steps.last().unwrap()["place"].as_str().unwrap();
    assert!(items(&of(&["--after", last])).is_empty());
    a.send(ANNA, OPERATIONS, "second");
    b.wait_for_mail(OPERATIONS, 2);
    a.wait_until_empty();
    let newer = wait_for("the second message in the ladder", || {
        let newer = items(&of(&["--after", last]));
        newer.iter().any(|step| step["completes"].is_string()).then_some(newer)
    });
    let all = items(&of(&[]));
    assert_eq!(told(&all[..steps.len()]), told(&steps));
    assert_eq!(told(&all[steps.len()..][..newer.len()]), told(&newer));

    let file = record(&b, number);
    let file = file.to_str().unwrap();
    let decoded = support::chappe(&["decode", file, "--ladder", "--json"]).ok();
    let decoded: Value = serde_json::from_str(&decoded).unwrap();
    let whole = items(&of(&[]));
    assert_eq!(told(&items(&decoded)), told(&whole));
    let text = b.run(&["association", "ladder", &number.to_string()]).ok();
    for part in [
        "this MTA is the responder",
        "|-- CR -----",
        "/ RTORQ / bind",
        "MTA name: MTA-A",
        "completes P1 message",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(!text.contains("password of"), "{text}");
    assert!(support::chappe(&["decode", file, "--ladder", "--brief"]).ok().contains("|-- CR -----"));
    let said = b.run(&["association", "ladder", "4711"]).failed(1);
    assert!(said.contains("no recording of association 4711"), "{said}");
    let said = b.run(&["association", "ladder", "1", "--after", "x"]).failed(2);
    assert!(said.contains("no place in a ladder"), "{said}");
}

#[test]
fn a_long_transfer_leaves_its_opening_and_its_end() {
    let Pair { a, b } = Plan { association: "lifetime_s = 600\n".to_owned(), ..plan() }.start();
    let file = a.file("long.bin", &vec![b'x'; 1 << 20]);
    a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "long", "--file", file.to_str().unwrap()]);
    b.wait_for_mail(OPERATIONS, 1);
    a.wait_until_empty();
    let [recording] = recordings(&b).try_into().unwrap();
    assert!(recording["lost_tpdus"].as_u64().unwrap() > 100, "{recording}");
    assert!(recording["octets"].as_u64().unwrap() <= 104 << 10, "{recording}");
    let number = recording["association"].as_u64().unwrap();
    let text = decoded(&record(&b, number));
    for part in ["RTORQ", "MTA name: MTA-A", "not in the capture", "ACTIVITY END"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let ladder = b.json(&["association", "ladder", &number.to_string(), "--limit", "1000"]);
    assert_eq!(ladder["connections"][0]["lost_tpdus"], recording["lost_tpdus"]);
    assert!(
        items(&ladder).iter().any(|step| step["kind"] == "gap" && step["octets"].as_u64() > Some(500_000))
    );
    assert!(!text.contains("malformed TPDU") && !text.contains("malformed SPDU"), "{text}");
}

#[test]
fn a_refused_bind_can_be_looked_at_afterwards() {
    let Pair { mut a, mut b } = plan().build();
    let text = fs::read_to_string(a.config()).unwrap();
    a.configure(&text.replacen("password of A", "wrong one", 1));
    b.start();
    a.start();
    a.run(&["connector", "connect", "to-b"]).ok();
    let recording = wait_for("a recording of the refusal", || {
        recordings(&b).into_iter().find(|recording| recording["ended"].is_string())
    });
    let file = record(&b, recording["association"].as_u64().unwrap());
    let text = decoded(&file);
    for part in ["MTA name: MTA-A", "REFUSE", "bind error"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(!fs::read(&file).unwrap().windows(9).any(|part| part == b"wrong one"));
}

#[test]
fn what_is_cut_to_its_first_octets_can_still_be_followed_and_off_is_off() {
    let Pair { mut a, mut b } = plan().build();
    for (site, recorder) in [(&a, "association_kb = 0"), (&b, "snap_octets = 64\nmask_passwords = false")] {
        let text = fs::read_to_string(site.config()).unwrap();
        site.configure(&format!("{text}[recorder]\n{recorder}\n"));
    }
    b.start();
    a.start();
    a.send(ANNA, OPERATIONS, "short");
    b.wait_for_mail(OPERATIONS, 1);
    a.wait_until_empty();
    assert!(recordings(&a).is_empty());
    let said = a.run(&["association", "record", "1"]).failed(1);
    assert!(said.contains("[recorder]"), "{said}");
    let [recording] = recordings(&b).try_into().unwrap();
    let file = record(&b, recording["association"].as_u64().unwrap());
    let text = decoded(&file);
    for part in ["RTORQ", "ACTIVITY START", "ACTIVITY END ACK", "they are read as zeros"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(fs::read(&file).unwrap().windows(13).any(|part| part == b"password of A"), "masking is off");
}
