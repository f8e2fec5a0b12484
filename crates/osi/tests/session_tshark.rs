//! Wireshark's opinion on the lower layers where they do what is rare: connect data overflow, segments, preferred TPDU
//! sizes. What rides inside is cut there, which its dissectors put together for DT only; so it is the session layer alone
//! that is asked.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/pair.rs"]
mod pair;

use clock::WallTime;
use osi::cotp::TpduSize;
use osi::rtse::OpenData;
use osi::stack::{SessionReference, Stack, StackConfig};
use pair::{End, Pair, Then, two_way};
use testkit::{GoldenVector, PcapBuilder, Ports, Tshark};

fn capture(pair: &Pair) -> Vec<u8> {
    let turns = pair.turns.iter().map(|(side, octets)| (*side, octets.as_slice()));
    PcapBuilder::new().conversation(Ports::default(), turns).into_vec()
}

/// A whole association with a transfer, whose bind argument is so long.
fn conversation(config: impl Fn() -> StackConfig, open_octets: usize) -> Pair {
    let mut argument = vec![0x04, 0x82];
    argument.extend_from_slice(&u16::try_from(open_octets).unwrap().to_be_bytes());
    argument.resize(open_octets + 4, b'x');
    let mut pair = Pair::new(config(), config());
    let reference =
        SessionReference { user_reference: "host-a".to_owned(), time: WallTime::from_unix(1_795_321_800) };
    pair.a = End::new(Stack::initiator(config(), OpenData::Open(argument.clone()), reference));
    pair.b.bind_result = argument;
    pair.a.send.push_back(GoldenVector::Message.octets());
    pair.a.then = Then::Close;
    pair.start();
    pair.run_to_end();
    assert_eq!(pair.b.received, [GoldenVector::Message.octets()]);
    pair
}

/// What the dissector says of frames in which the session layer is.
fn session_fields(tshark: &Tshark, capture: &[u8], fields: &[&str]) -> Vec<Vec<String>> {
    let bad = "ses.bad_length || ses.bad_parameter_length || ses.parameter_group_inside_parameter_group";
    assert_eq!(tshark.fields_of_octets(capture, &[102], bad, &["frame.number"]), Vec::<Vec<String>>::new());
    tshark.fields_of_octets(capture, &[102], "ses.type", fields)
}

#[test]
fn connect_data_overflow_and_segments_are_read_as_such() {
    let test = "connect_data_overflow_and_segments_are_read_as_such";
    let Some(tshark) = Tshark::required_by(test) else { return };
    for (tsdu_max, cdo, ac) in [
        (0, ("15,15", "0x00,0x02"), ("14", "")),
        (
            3000,
            ("15,15,15,15,15", "0x00,0x00,0x00,0x00,0x02"),
            ("14,14,14,14,14,14,14,14,14", "0x01,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x02"),
        ),
    ] {
        let config = || {
            let mut config = two_way();
            config.session.tsdu_max = tsdu_max;
            config.tpdu_size_offered = TpduSize::RFC_1006;
            config
        };
        let octets = capture(&conversation(config, 25_000));
        let rows = session_fields(&tshark, &octets, &["ses.type", "ses.enclosure.flags"]);
        let rows: Vec<(&str, &str)> = rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
        let in_transfer = if tsdu_max == 0 { "" } else { "0x03" };
        let transfer = ("1,45,1,1,1,41", in_transfer);
        assert_eq!(rows, [("13", ""), ("16", ""), cdo, ac, transfer, ("2,42", ""), ("9", ""), ("10", "")]);
        // The sizes that CN and AC name, and the preferred TPDU size in CR and CC.
        let sizes = session_fields(&tshark, &octets, &["ses.proposed_tsdu_maximum_size_i2r"]);
        let named = sizes.iter().filter(|row| row[0].contains(&tsdu_max.to_string())).count();
        assert!(tsdu_max == 0 || named == 3, "CN, OA and AC: {sizes:?}");
        let bad = "cotp && !(cotp.type == 0x0e || cotp.type == 0x0d || cotp.type == 0x0f)";
        assert_eq!(tshark.fields_of_octets(&octets, &[102], bad, &["cotp.type"]), Vec::<Vec<String>>::new());
    }
}

/// Without cut user data there is nothing to complain about in any layer.
#[test]
fn tpdus_of_any_size_are_not_complained_about() {
    let test = "tpdus_of_any_size_are_not_complained_about";
    let Some(tshark) = Tshark::required_by(test) else { return };
    for size in [TpduSize::MIN, TpduSize::MAX, TpduSize::RFC_1006] {
        let config = || {
            let mut config = two_way();
            config.tpdu_size_offered = size;
            config.rtse.checkpoint_size_kb = 1;
            config
        };
        let mut pair = Pair::new(config(), config());
        pair.a.send.push_back(GoldenVector::Message.octets());
        pair.a.then = Then::Close;
        pair.start();
        pair.run_to_end();
        assert_eq!(pair.b.received, [GoldenVector::Message.octets()]);
        tshark.check_octets(&capture(&pair), &[102]).unwrap_or_else(|error| panic!("{size:?}: {error}"));
    }
}
