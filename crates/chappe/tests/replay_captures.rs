//! Conversations recorded between instances of another MTA (PP 6.0): their initiators, octet for octet, against a
//! real service in the responder's place.
//!
//! What the service answers need not be what PP answered. What the initiator had recorded itself to send must still
//! be legal after it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod peer;

use peer::replay::{Replayed, recorded, replay};
use peer::{Mta, wait_for};

const ALICE: &str = "S=alice;O=A;P=TEST;A= ;C=GB";
const BOB: &str = "S=bob;O=B;P=TEST;A= ;C=GB";
const BENCH: &str = "S=bench;O=B;P=TEST;A= ;C=GB";
const CAROL: &str = "S=carol;O=X;P=TEST;A= ;C=GB";

/// Ports of the recorded responders.
const PP_A: u16 = 20101;
const PP_B: u16 = 20102;
const SCRIPT: u16 = 20103;

/// Configuration of an MTA of the recorded domain in the place of the recorded responder `mta`. What it says about
/// itself in trace information is what the recorded one said, so that loops are loops.
fn in_place_of(mta: u16) -> String {
    let (name, bind, password) = match mta {
        PP_A => ("mta-a.test", "PP-A", "secret-a"),
        PP_B => ("mta-b.test", "PP-B", "secret-b"),
        SCRIPT => ("mta-x.test", "EXT", "secret-x"),
        other => panic!("no recorded responder has port {other}"),
    };
    let mut config = format!(
        "[mta]\nname = {name:?}\ndomain = {{ country = \"GB\", admd = \" \", prmd = \"TEST\" }}\n\
         local = [\"P=TEST;A= ;C=GB\"]\nmailboxes = [{ALICE:?}, {BOB:?}, {BENCH:?}, {CAROL:?}]\n"
    );
    for (peer, secret) in [("PP-A", "secret-a"), ("PP-B", "secret-b"), ("EXT", "secret-x")] {
        config += &format!(
            "[[connector]]\nname = \"from-{peer}\"\nremote_mta = {peer:?}\nremote_password = {secret:?}\n\
             local_mta = {bind:?}\nlocal_password = {password:?}\nhosts = [\"127.0.0.1:1\"]\n"
        );
    }
    config
}

/// Replays all connections of a capture to one recorded responder, one after the other.
fn replay_to(mta: &Mta, name: &str, responder: u16) -> Vec<Replayed> {
    let connections = recorded(name, responder);
    assert!(!connections.is_empty(), "{name} has no connection to port {responder}");
    let replayed = connections.iter().map(|connection| replay(mta.connect(), connection)).collect();
    mta.wait_until_quiet();
    replayed
}

/// Replays a capture to a fresh MTA. On each connection so many transfers must be acknowledged, in the end each mailbox
/// must hold this, and nothing may have been taken for a fault of ours.
fn expect(name: &str, responder: u16, accepted: &[usize], mailboxes: &[(&str, &[&str])]) -> Mta {
    expect_with(&in_place_of(responder), name, responder, accepted, mailboxes)
}

fn expect_with(
    config: &str,
    name: &str,
    responder: u16,
    accepted: &[usize],
    mailboxes: &[(&str, &[&str])],
) -> Mta {
    let mta = Mta::start(config);
    let replayed = replay_to(&mta, name, responder);
    let found: Vec<usize> = replayed.iter().map(Replayed::accepted).collect();
    assert_eq!(found, accepted, "{replayed:#?}\n{}", mta.log());
    assert!(replayed.iter().all(|one| !one.cut_short), "{replayed:#?}\n{}", mta.log());
    for who in [ALICE, BOB, BENCH, CAROL] {
        let expected = mailboxes.iter().find(|(address, _)| *address == who).map_or(&[][..], |(_, ids)| ids);
        mta.wait_for_mailbox(who, expected);
    }
    assert_eq!(mta.count_events(0, "internal-error"), 0, "{}", mta.log());
    mta
}

fn answered_release(mta: &Mta, name: &str, responder: u16) -> bool {
    replay_to(mta, name, responder).iter().all(|one| one.answers.iter().any(|answer| answer == "DN"))
}

#[test]
fn three_messages_on_one_association_and_a_report() {
    let name = "pp-p1-88-3msgs-and-ndr-std-extensions.pcap";
    let mta = expect(
        name,
        PP_B,
        &[3],
        &[
            (BOB, &["C=GB;A= ;P=TEST;L=t3", "C=GB;A= ;P=TEST;L=big"]),
            (ALICE, &["report about C=GB;A= ;P=TEST;L=nob"]),
        ],
    );
    mta.wait_for_event(0, "non-delivery", &["L=nob to S=nobody;", "unrecognised-OR-name (0)"]);
    // The same octets once more are the same transfers: acknowledged and not delivered again.
    assert!(answered_release(&mta, name, PP_B));
    assert_eq!(mta.count_events(0, "duplicate-suppressed"), 3);
    assert_eq!(mta.mailbox(BOB).len(), 2);
    expect(name, PP_A, &[1], &[(ALICE, &["report about C=GB;A= ;P=TEST;L=nob"])]);
}

#[test]
fn extension_types_as_unpatched_pp_codes_them() {
    let name = "pp-p1-88-transfer-legacy-extensions.pcap";
    let mta = expect(name, PP_B, &[1], &[(BOB, &["C=GB;A= ;P=TEST;L=t2"])]);
    // The content is malformed. That is between the users: it is delivered, and showing it tells what is wrong.
    let shown = mta.get("/api/v1/mailboxes/S%3Dbob%3BO%3DB%3BP%3DTEST%3BA%3D%20%3BC%3DGB");
    assert!(shown["items"][0]["problem"].is_string(), "{shown}");
}

#[test]
fn two_way_alternate() {
    let name = "pp-p1-88-twa-transfer.pcap";
    let mta = expect(name, PP_B, &[1], &[(BOB, &["C=GB;A= ;P=TEST;L=t3"])]);
    assert!(answered_release(&mta, name, PP_B));
}

#[test]
fn twenty_kilobytes_in_one_segment_without_checkpoints() {
    let name = "pp-p1-88-external-initiator-20k-no-checkpoints.pcap";
    expect(name, PP_B, &[1], &[(BOB, &["C=GB;A= ;P=TEST;L=big"])]);
}

/// `1261122045411Z` as UTCTime. PP aborted on it; here the time is kept as it came and the message goes on.
#[test]
fn utc_times_with_a_three_digit_year_do_not_stop_a_message() {
    let name = "pp-p1-88-y2k-malformed-utctime-abort.pcap";
    let ids: &[&str] = &["C=GB;A= ;P=TEST;L=t1", "C=GB;A= ;P=TEST;L=t2"];
    expect(name, PP_B, &[1, 1], &[(BOB, ids)]);
}

#[test]
fn a_checkpoint_each_kilobyte_though_thirty_were_agreed() {
    let name = "pp-300k-window.pcap";
    let report: &[&str] = &["report about C=GB;A= ;P=TEST;L=c2-big-001"];
    let mta = expect(name, PP_B, &[1], &[(BOB, &["C=GB;A= ;P=TEST;L=c2-big-001"]), (ALICE, report)]);
    mta.wait_for_event(0, "object-received", &["L=c2-big-001 (300166 octets)"]);
    expect(name, PP_A, &[1], &[(ALICE, report)]);
}

#[test]
fn a_transfer_that_broke_off_begins_again_from_the_start() {
    let name = "pp-broken-300k-restart.pcap";
    let report: &[&str] = &["report about C=GB;A= ;P=TEST;L=c2-big-002"];
    let mta = expect(name, PP_B, &[0, 1], &[(BOB, &["C=GB;A= ;P=TEST;L=c2-big-002"]), (ALICE, report)]);
    mta.wait_for_event(0, "association-ended-abnormally", &["from-PP-A", "127.0.0.1:", "TCP layer"]);
    expect(name, PP_A, &[1], &[(ALICE, report)]);
}

#[test]
fn one_of_three_recipients_is_unknown() {
    let name = "pp-dr-and-ndr-3recipients.pcap";
    let (id, report) = ("C=GB;A= ;P=TEST;L=c2-m3-001", "report about C=GB;A= ;P=TEST;L=c2-m3-001");
    let mta = expect(name, PP_B, &[1], &[(BOB, &[id]), (BENCH, &[id]), (ALICE, &[report])]);
    mta.wait_for_event(0, "report-generated", &["2 delivered, 1 not delivered"]);
    // PP made two reports of it.
    expect(name, PP_A, &[1, 1], &[(ALICE, &[report, report])]);
}

#[test]
fn as_many_hops_as_the_configuration_says() {
    let name = "pp-odd-27-trace-hops.pcap";
    let (id, report) = ("C=GB;A= ;P=TEST;L=c2-x-hops", "report about C=GB;A= ;P=TEST;L=c2-x-hops");
    expect(name, PP_B, &[1], &[(BOB, &[id]), (ALICE, &[report])]);
    let strict = in_place_of(PP_B).replacen("local =", "hop_limit = 25\nlocal =", 1);
    let mta = expect_with(&strict, name, PP_B, &[1], &[(ALICE, &[report])]);
    mta.wait_for_event(
        0,
        "non-delivery",
        &["unable-to-transfer (1), loop-detected (3)", "too many transfers"],
    );
    expect(name, PP_A, &[1], &[(ALICE, &[report])]);
}

#[test]
fn a_message_with_a_deferred_delivery_time() {
    let name = "pp-odd-deferred-delivery.pcap";
    let id = "C=GB;A= ;P=TEST;L=c2-x-defer";
    let mta = Mta::start(&in_place_of(PP_B));
    let replayed = replay_to(&mta, name, PP_B);
    assert_eq!(replayed[0].accepted(), 1, "{replayed:?}");
    // Whether the time recorded has come depends on the clock of this machine.
    wait_for("the message in the mailbox or the queue", || {
        let waiting = mta.items("/api/v1/messages").iter().any(|message| message["mts_id"] == id);
        waiting || mta.mailbox(BOB) == [id]
    });
    expect(name, PP_A, &[1], &[(ALICE, &["report about C=GB;A= ;P=TEST;L=c2-x-defer"])]);
}

/// Where the recipient is local, an extension that is critical for transfer concerns nobody any more.
#[test]
fn unknown_extensions_at_the_end_of_the_way() {
    let [plain, transfer, delivery] =
        ["noncrit", "crittrans", "critdeliv"].map(|n| format!("C=GB;A= ;P=TEST;L=c2-x-{n}"));
    let reports = [&plain, &transfer, &delivery].map(|id| format!("report about {id}"));
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    // The first capture ends with the crash of the recorded responder, the second has the release as well.
    for name in ["pp-odd-input-crash-unknown-ext.pcap", "pp-odd-unknown-extensions.pcap"] {
        let mta = expect(name, PP_B, &[1, 1, 1], &[(BOB, &[&plain, &transfer]), (ALICE, &reports)]);
        mta.wait_for_event(0, "non-delivery", &[&delivery, "unsupported-critical-function (18)"]);
        assert_eq!(mta.count_events(0, "non-delivery"), 1);
    }
    expect("pp-odd-unknown-extensions.pcap", PP_A, &[1, 2], &[(ALICE, &reports)]);
}

/// On the way, one that is critical for delivery is the business of the MTA that delivers.
#[test]
fn unknown_extensions_on_the_way() {
    let relay = in_place_of(PP_B)
        .replacen("local = [\"P=TEST;A= ;C=GB\"]\n", "local = [\"O=A;P=TEST;A= ;C=GB\"]\n", 1)
        .replacen(&format!(", {BOB:?}, {BENCH:?}, {CAROL:?}"), "", 1)
        .replace("hosts = [\"127.0.0.1:1\"]\n", "hosts = [\"127.0.0.1:1\"]\nrelay_to = [\"onward\"]\n")
        + "[[connector]]\nname = \"onward\"\nremote_mta = \"ONWARD\"\nhosts = [\"127.0.0.1:1\"]\n\
           address_space = [{ address = \"O=B;P=TEST;A= ;C=GB\" }]\n";
    let report = ("report about C=GB;A= ;P=TEST;L=c2-x-crittrans", 18);
    let mta =
        expect_with(&relay, "pp-odd-unknown-extensions.pcap", PP_B, &[1, 1, 1], &[(ALICE, &[report.0])]);
    mta.wait_for_event(0, "non-delivery", &["crittrans", "unsupported-critical-function (18)"]);
    // The report may be made before the message that stands in front of it has been routed.
    wait_for("two messages on their way onward", || {
        let waiting = mta.items("/api/v1/queues/onward");
        let waiting: Vec<&str> = waiting.iter().filter_map(|message| message["mts_id"].as_str()).collect();
        waiting == ["C=GB;A= ;P=TEST;L=c2-x-noncrit", "C=GB;A= ;P=TEST;L=c2-x-critdeliv"]
    });
}

/// The message has been in this domain (loop1) or in this MTA (loop-mta0 to 2) before, and nobody had redirected it.
#[test]
fn what_comes_back_is_non_delivered() {
    let name = "pp-odd-trace-own-domain-and-mta.pcap";
    let reports = ["loop1", "loop-mta0", "loop-mta1", "loop-mta2"]
        .map(|n| format!("report about C=GB;A= ;P=TEST;L=c2-x-{n}"));
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    let mta = expect(name, PP_B, &[1, 1, 1, 1], &[(ALICE, &reports)]);
    for id in ["loop1", "loop-mta0", "loop-mta1", "loop-mta2"] {
        mta.wait_for_event(0, "non-delivery", &[&format!("L=c2-x-{id} to"), "loop-detected (3)"]);
    }
    // PP gave one identifier to its last two reports. Their contents differ, and so do the transfers.
    expect(name, PP_A, &[1, 1, 2], &[(ALICE, &reports)]);
}

/// Six times the same message, since its sender saw each transfer aborted: delivered once. The recorded responder had
/// aborted in the middle; ours has answered by then, and the initiator's reaction must not be taken for more than
/// the end of an association.
#[test]
fn an_initiator_that_thinks_it_was_aborted() {
    let name = "pp-out-responder-aborts.pcap";
    let mta = Mta::start(&in_place_of(SCRIPT));
    let replayed = replay_to(&mta, name, SCRIPT);
    assert_eq!(replayed.len(), 6);
    assert_eq!(replayed[0].accepted(), 1, "{replayed:#?}");
    mta.wait_for_mailbox(CAROL, &["C=GB;A= ;P=TEST;L=c2-e-a"]);
    mta.wait_for_mailbox(ALICE, &["report about C=GB;A= ;P=TEST;L=c2-e-a"]);
    assert_eq!(mta.count_events(0, "object-received"), 1);
    assert_eq!(mta.count_events(0, "association-ended-abnormally"), 6, "{}", mta.log());
    assert_eq!(mta.count_events(0, "internal-error"), 0, "{}", mta.log());
}

#[test]
fn probes_are_answered_with_reports() {
    let reports: &[&str] =
        &["report about C=GB;A= ;P=TEST;L=c2-p-003", "report about C=GB;A= ;P=TEST;L=c2-p-004"];
    let mta = expect("pp-probe-no-report.pcap", PP_B, &[1, 1], &[(ALICE, reports)]);
    mta.wait_for_event(0, "report-generated", &["L=c2-p-003: 1 delivered, 1 not delivered"]);
}

#[test]
fn a_report_about_a_message_that_went_as_1984_p1() {
    let name = "pp-p1-84-message-report-over-88.pcap";
    expect(name, PP_A, &[1], &[(ALICE, &["report about C=GB;A= ;P=TEST;L=c2-84-001"])]);
}

#[test]
fn a_wrong_password_is_refused_layer_by_layer() {
    let name = "pp-p1-88-bind-rejected-bad-password.pcap";
    let config =
        in_place_of(PP_B).replacen("remote_password = \"secret-a\"", "remote_password = \"other\"", 1);
    let mta = Mta::start(&config);
    let replayed = replay_to(&mta, name, PP_B);
    // RF refused by the SS-user, CPR, AARE, RTORJ with the bind error authentication-error.
    let refusal = "RF 2 CPR AARE RejectedPermanent User(1) RTORJ b203020102";
    assert_eq!(replayed[0].answers, ["CC", refusal]);
    let event = mta.wait_for_event(
        0,
        "credentials-failed",
        &["127.0.0.1:", "bind refused", "PP-A", "remote_password"],
    );
    assert!(!event.to_string().contains("secret-a"), "{event}");
    assert_eq!(mta.count_events(0, "association-opened"), 0);
}

/// X.410 mode with 1988 P1, and with 1984 P1, which is received like it.
#[test]
fn messages_arrive_in_x410_mode_too() {
    for (name, delivered) in [
        ("pp-p1-88-x410mode-transfer.pcap", "C=GB;A= ;P=TEST;L=t3"),
        ("pp-p1-84-message-and-report.pcap", "C=GB;A= ;P=TEST;L=c2-84-002"),
        ("pp-p1-84-message-report-over-88.pcap", "C=GB;A= ;P=TEST;L=c2-84-001"),
    ] {
        let connection = testkit::Capture::fixture(name).to_port(PP_B).next().cloned().unwrap();
        let mta = Mta::start(&in_place_of(PP_B));
        let replayed = replay(mta.connect(), &connection);
        assert_eq!(
            (replayed.accepted(), replayed.cut_short),
            (1, false),
            "{name} {replayed:#?}\n{}",
            mta.log()
        );
        assert!(replayed.answers.iter().any(|answer| answer == "DN"), "{replayed:#?}");
        mta.wait_until_quiet();
        mta.wait_for_mailbox(BOB, &[delivered]);
    }
}

#[test]
fn a_wrong_password_is_refused_in_x410_mode_by_rtse_alone() {
    let name = "pp-p1-88-x410mode-transfer.pcap";
    let mta = Mta::start(&in_place_of(PP_B).replacen("\"secret-a\"", "\"other\"", 1));
    let connection = testkit::Capture::fixture(name).to_port(PP_B).next().cloned().unwrap();
    let replayed = replay(mta.connect(), &connection);
    // RF refused by the SS-user, CPR of X.410 mode with validation failure.
    assert_eq!(replayed.answers, ["CC", "RF 2 RTORJ-X410 2"]);
    mta.wait_for_event(0, "credentials-failed", &["127.0.0.1:", "bind refused", "PP-A", "remote_password"]);
}
