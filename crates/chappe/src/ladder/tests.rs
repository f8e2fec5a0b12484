use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use testkit::Tshark;

use super::page::{Part, Place, page};
use super::*;
use crate::decode::ladders;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/captures")
}

fn whole(name: &str) -> Vec<Whole> {
    let file = std::fs::read(captures().join(name)).unwrap();
    ladders(&file).unwrap().iter().zip(1..).map(|(ladder, number)| of_ladder(number, ladder)).collect()
}

/// Who sent what: `>` for the initiator.
fn outline(steps: &[LadderStep]) -> Vec<String> {
    let line = |step: &LadderStep| {
        let layers: Vec<&str> = step.layers.iter().map(|layer| layer.pdu.as_str()).collect();
        let what = if step.kind == "tpdu" { layers.join(" ") } else { step.kind.clone() };
        format!("{}{what}", if step.from == "initiator" { '>' } else { '<' })
    };
    steps.iter().map(line).collect()
}

#[test]
fn a_known_association_has_the_ladder_that_it_had() {
    let [(connection, steps)] = whole("pp-p1-88-bind-rejected-bad-password.pcap").try_into().unwrap();
    assert_eq!(
        outline(&steps),
        [
            ">opened",
            ">CR",
            "<CC",
            ">DT CN CP AARQ RTORQ bind",
            "<DT RF CPR AARE RTORJ bind error",
            ">DR",
            ">closed",
            "<closed",
        ]
    );
    assert!(connection.unfinished.is_empty() && connection.cut == 0);
    let times: Vec<&str> = steps.iter().map(|step| step.time.as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times.iter().all(|time| time.len() == 27 && time.ends_with('Z')), "{times:?}");

    let whole = whole("pp-p1-88-twa-transfer.pcap");
    let steps = whole.iter().flat_map(|(_, steps)| steps);
    let transferred: Vec<&str> = steps.filter_map(|step| step.completes.as_deref()).collect();
    assert_eq!(transferred, ["P1 message C=GB;A= ;P=TEST;L=t3"]);
}

/// The PDUs by the codes that tshark shows: COTP and session, and where an association is opened or ended those above.
fn codes(step: &LadderStep) -> (String, Vec<u64>) {
    let mut cotp = String::new();
    let mut session = Vec::new();
    for layer in &step.layers {
        match layer.protocol.as_str() {
            "COTP" => layer.pdu.as_str().clone_into(&mut cotp),
            // X.225 8.2: the SPDU identifiers.
            "session" => session.push(match layer.pdu.as_str() {
                "CN" => 13,
                "AC" => 14,
                "RF" => 12,
                "FN" => 9,
                "DN" => 10,
                "AB" => 25,
                "AA" => 26,
                "GT" | "DT" => 1,
                "PT" => 2,
                "GTC" => 21,
                "GTA" => 22,
                "AS" => 45,
                "AR" => 29,
                "AI" => 25,
                "AIA" => 26,
                "AD" => 57,
                "ADA" => 58,
                "AE" => 41,
                "AEA" => 42,
                "MIP" => 49,
                "MIA" => 50,
                "ED" => 48,
                other => panic!("no code for {other}"),
            }),
            _ => {}
        }
    }
    (cotp, session)
}

#[test]
fn tshark_sees_the_same_pdus_in_the_same_order() {
    let Some(tshark) = Tshark::required_by("ladders") else { return };
    for entry in std::fs::read_dir(captures()).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let whole = whole(name);
        let ports: Vec<u16> = whole
            .iter()
            .map(|(connection, _)| connection.responder.rsplit(':').next().unwrap().parse().unwrap())
            .collect();
        let fields = ["frame.number", "cotp.type", "ses.type"];
        let rows = tshark.fields(&file, &ports, "cotp", &fields);
        let list = |text: Option<&String>| -> Vec<u64> {
            let texts = text.map_or("", String::as_str).split(',').filter(|text| !text.is_empty());
            let number = |text: &str| match text.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
                None => text.parse().unwrap(),
            };
            texts.map(number).collect()
        };
        let theirs: Vec<(u64, Vec<u64>, Vec<u64>)> =
            rows.iter().map(|row| (row[0].parse().unwrap(), list(row.get(1)), list(row.get(2)))).collect();
        let mut frames: BTreeMap<u64, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
        for step in whole.iter().flat_map(|(_, steps)| steps).filter(|step| step.kind == "tpdu") {
            let (cotp, session) = codes(step);
            let frame = frames.entry(step.number).or_default();
            frame.0.push(match cotp.as_str() {
                "CR" => 0x0E,
                "CC" => 0x0D,
                "DR" => 0x08,
                "DT" => 0x0F,
                other => panic!("{name}: no code for {other}"),
            });
            frame.1.extend(session);
        }
        let ours: Vec<(u64, Vec<u64>, Vec<u64>)> =
            frames.into_iter().map(|(number, (cotp, session))| (number, cotp, session)).collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn what_is_long_is_cut_and_what_is_many_is_counted() {
    let mut tree = Tree::leaf("long", "ü".repeat(MAX_VALUE + 3));
    for number in 0..MAX_NODES + 5 {
        tree.add("child", number);
    }
    let mut room = MAX_NODES;
    let [node] = nodes(&[tree], &mut room).try_into().unwrap();
    let value = node.value.unwrap();
    assert!(value.ends_with("üü and 3 more characters"), "{value}");
    assert_eq!(node.children.len(), MAX_NODES);
    let last = node.children.last().unwrap();
    assert_eq!((last.name.as_str(), last.value.as_deref()), ("and", Some("6 more are not shown")));
}

#[test]
fn pages_forwards_and_backwards_show_each_step_once() {
    let all = whole("pp-p1-88-3msgs-and-ndr-std-extensions.pcap");
    let expected: Vec<LadderStep> = all.iter().flat_map(|(_, steps)| steps.clone()).collect();
    assert!(expected.len() > 20);
    for limit in [1, 2, 7, 1_000] {
        let (mut forwards, mut backwards) = (Vec::new(), Vec::new());
        let mut part = Part::After(Place::parse("0.0").unwrap());
        loop {
            let page = page(all.clone(), part, limit);
            forwards.extend(page.items);
            let Some(next) = page.next else { break };
            part = Part::After(Place::parse(&next).unwrap());
        }
        assert_eq!(forwards, expected);
        part = Part::Newest;
        loop {
            let page = page(all.clone(), part, limit);
            backwards.splice(0..0, page.items);
            let Some(previous) = page.previous else { break };
            part = Part::Before(Place::parse(&previous).unwrap());
        }
        assert_eq!(backwards, expected);
    }
    for wrong in ["", "1", "1.", ".1", "1.x", "1.2.3", "-1.2"] {
        assert_eq!(Place::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_page_is_bounded_whatever_the_steps_hold() {
    let mut all = whole("pp-p1-88-bind-rejected-bad-password.pcap");
    let [(_, steps)] = all.as_mut_slice() else { panic!("one connection") };
    for step in steps.iter_mut() {
        let value = Some("x".repeat(MAX_VALUE));
        step.details =
            vec![LadderNode { name: "many".to_owned(), value, children: Vec::new() }; MAX_NODES / 4];
    }
    let page = page(all, Part::Newest, 1_000);
    assert_eq!(page.items.len(), 1, "each is more than a page takes");
    assert!(page.previous.is_some() && page.next.is_none());
}

#[test]
fn a_drawing_has_a_line_for_each_step_and_nothing_that_a_terminal_obeys() {
    let mut whole = whole("pp-p1-88-bind-rejected-bad-password.pcap");
    let [(connection, steps)] = whole.as_mut_slice() else { panic!("one connection") };
    connection.role = Some("responder".to_owned());
    connection.lost_tpdus = 3;
    let gap = LadderStep {
        kind: "gap".to_owned(),
        octets: 17,
        details: vec![LadderNode {
            name: "hostile".to_owned(),
            value: Some("\u{1b}[2J\u{202e}".to_owned()),
            children: Vec::new(),
        }],
        ..steps[3].clone()
    };
    steps.push(gap);
    let page = page(whole, Part::Newest, 100);
    let brief = text::draw(&page, true);
    for part in [
        "this MTA is the responder",
        "3 TPDUs are not at hand",
        "|-- DT / CN / CP / AARQ / RTORQ / bind ------->| ",
        "<---",
        "|.. 17 octets are missing",
    ] {
        assert!(brief.contains(part), "no {part} in\n{brief}");
    }
    assert_eq!(brief.lines().filter(|line| line.contains('|')).count(), page.items.len());
    let text = text::draw(&page, false);
    assert!(text.contains("MTA name: "), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

proptest! {
    #[test]
    fn a_damaged_capture_has_a_ladder_all_the_same(at in 24..2_000_usize, value: u8, cut in 24..4_000_usize) {
        let mut file = std::fs::read(captures().join("pp-p1-88-bind-rejected-bad-password.pcap")).unwrap();
        if let Some(octet) = file.get_mut(at) {
            *octet = value;
        }
        file.truncate(cut);
        let whole: Vec<Whole> = ladders(&file).unwrap_or_default().iter().map(|ladder| of_ladder(1, ladder)).collect();
        let text = text::draw(&page(whole, Part::Newest, 1_000), false);
        prop_assert!(text.len() < 1_000_000);
    }
}
