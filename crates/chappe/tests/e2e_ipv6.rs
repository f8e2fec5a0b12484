//! Two MTAs over IPv6: literals, a listener for both families, and a name with several addresses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use support::{ANNA, OPERATIONS, Pair, Plan, items, port, wait_for};

/// Whether this machine has ::1; says so if not.
fn has_ipv6() -> bool {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => true,
        Err(error) => {
            println!("SKIPPED: no IPv6 loopback on this machine: {error}");
            false
        }
    }
}

#[test]
fn two_mtas_exchange_mail_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let v6 = || SocketAddr::from((Ipv6Addr::LOCALHOST, port()));
    let [a_p1, b_p1] = [v6(), v6()];
    let plan = Plan { a_p1, b_p1, a_connects_to: b_p1, b_connects_to: a_p1, ..Plan::default() };
    let Pair { a, b } = plan.start();
    a.send(ANNA, OPERATIONS, "there");
    b.wait_for_mail(OPERATIONS, 1);
    b.send(OPERATIONS, ANNA, "and back");
    a.wait_for_mail(ANNA, 1);
    let peers = items(&a.json(&["association", "list"]));
    assert!(
        !peers.is_empty() && peers.iter().all(|p| p["peer"].as_str().unwrap().starts_with("[::1]:")),
        "{peers:?}"
    );
}

/// `[::]` alone takes both families; a peer that comes over IPv4 is shown with its IPv4 address.
#[test]
fn the_unspecified_ipv6_address_takes_ipv4_too() {
    if !has_ipv6() {
        return;
    }
    let port = port();
    let plan = Plan {
        b_p1: SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        a_connects_to: SocketAddr::from(([127, 0, 0, 1], port)),
        ..Plan::default()
    };
    let Pair { a, b } = plan.start();
    a.send(ANNA, OPERATIONS, "over IPv4");
    b.wait_for_mail(OPERATIONS, 1);
    let peers = items(&b.json(&["association", "list"]));
    assert!(peers.iter().any(|p| p["peer"].as_str().unwrap().starts_with("127.0.0.1:")), "{peers:?}");
}

/// Both unspecified addresses on one port: neither is in the other's way.
#[test]
fn both_families_can_be_listed_with_one_port() {
    if !has_ipv6() {
        return;
    }
    let port = port();
    let plan = Plan {
        b_p1: SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        a_connects_to: SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        ..Plan::default()
    };
    let Pair { mut a, mut b } = plan.build();
    let text = std::fs::read_to_string(b.config()).unwrap();
    let both = format!("p1 = [\"[::]:{port}\", \"0.0.0.0:{port}\"]");
    b.configure(&text.replacen(&format!("p1 = [\"[::]:{port}\"]"), &both, 1));
    b.start();
    // Nobody is at the first host; the next one is of the other family.
    let text = std::fs::read_to_string(a.config()).unwrap();
    let hosts = format!("hosts = [\"127.0.0.1:{}\", \"[::1]:{port}\"]", support::port());
    a.configure(&text.replacen(&format!("hosts = [\"[::1]:{port}\"]"), &hosts, 1));
    a.start();
    a.send(ANNA, OPERATIONS, "over IPv6");
    b.wait_for_mail(OPERATIONS, 1);
    let peers = items(&b.json(&["association", "list"]));
    assert!(peers.iter().any(|p| p["peer"].as_str().unwrap().starts_with("[::1]:")), "{peers:?}");
}

/// A name with an address of each family, where nobody listens on either: each is tried once in a round, and so is an
/// address that the list of hosts repeats.
#[test]
fn each_address_of_a_name_is_tried_once_in_a_round() {
    let (used, other) = (port(), port());
    let plan = Plan { retry: "open_interval_s = 3600\n".to_owned(), ..Plan::default() };
    let Pair { mut a, b } = plan.build();
    let text = std::fs::read_to_string(a.config()).unwrap();
    let hosts = format!(
        "hosts = [\"localhost:{used}\", \"127.0.0.1:{used}\", \"localhost:{used}\", \"[fe80::1%nowhere]:{used}\", \
         \"127.0.0.1:{other}\"]"
    );
    a.configure(&text.replacen(&format!("hosts = [\"{}\"]", b.p1), &hosts, 1));
    a.start();
    a.send(ANNA, OPERATIONS, "nobody there");
    let failure = wait_for("a failed round", || {
        let shown = a.json(&["connector", "show", "to-b"]);
        shown["last_failure"].as_str().map(str::to_owned)
    });
    for address in [format!("127.0.0.1:{used}"), format!("127.0.0.1:{other}"), "[fe80::1%nowhere]".to_owned()]
    {
        assert_eq!(failure.matches(&address).count(), 1, "{address}: {failure}");
    }
    assert!(failure.matches(&format!("[::1]:{used}")).count() <= 1, "{failure}");
    // In the order of the hosts.
    assert!(failure.find(&format!(":{used}")) < failure.find(&format!(":{other}")), "{failure}");
}
