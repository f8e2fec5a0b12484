//! Several ways to one domain, and settings that change while mail flows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, Site, items, wait_for};

/// A second connector of A to B, cheaper than the first, at an address where nothing listens.
fn cheaper(plan: &Plan, host: SocketAddr) -> String {
    let link = plan.link("B", "BETA", host).replace("\"to-b\"", "\"cheap\"");
    link.replacen("[connector.rts]", "called_selectors = { transport = \"CHEAP\" }\n[connector.rts]", 1)
}

fn connector(site: &Site, name: &str) -> serde_json::Value {
    let all = items(&site.json(&["connector", "list"]));
    all.into_iter().find(|connector| connector["name"] == name).unwrap()
}

#[test]
fn mail_is_rerouted_as_soon_as_a_connector_fails_and_comes_back_when_it_works() {
    let mut plan = Plan::default();
    let other = support::pair::loopback();
    plan.retry = "open_interval_s = 3\n".to_owned();
    let Pair { mut a, mut b } = plan.build();
    let text = fs::read_to_string(a.config()).unwrap().replace("cost = 1 ", "cost = 50 ");
    a.configure(&(text + &cheaper(&plan, other)));
    b.start();
    a.start();
    let id = a.send(ANNA, OPERATIONS, "detour");
    b.wait_for_mail(OPERATIONS, 1);
    assert!(a.log().contains(&format!("{id} rerouted to to-b")), "not by way of the failed connector");
    // While it waits, new mail does not even try it.
    let steps = a.run(&["route", OPERATIONS]).ok();
    if connector(&a, "cheap")["consecutive_failures"] == 1
        && steps.contains("waiting after a failed open: drops cheap")
    {
        assert!(steps.contains("transferred over connector to-b"), "{steps}");
    }
    // B listens there as well now.
    assert_eq!(b.stop().code(), Some(0));
    let listening = format!("p1 = [\"{}\"", b.p1);
    let text = fs::read_to_string(b.config()).unwrap();
    b.configure(&text.replace(&listening, &format!("{listening}, \"{other}\"")));
    b.start();
    wait_for("the cheaper way to be the first again", || {
        let route = a.json(&["route", OPERATIONS]);
        (route["connectors"][0] == "cheap").then_some(())
    });
    a.send(ANNA, OPERATIONS, "straight");
    b.wait_for_mail(OPERATIONS, 2);
    assert_eq!(b.subjects(OPERATIONS), ["detour", "straight"]);
    assert_eq!(connector(&a, "cheap")["state"], "active");
    a.wait_until_empty();
}

#[test]
fn a_connector_outside_its_times_keeps_what_waits_and_urgent_mail_may_pass() {
    let mut plan = Plan::default();
    // A quarter of an hour that is at least half a day away.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let hour = (now / 3600 + 12) % 24;
    plan.connector = format!(
        "activation = \"selected-times\"\nselected_times = \"daily {hour:02}:00-{hour:02}:15\"\nurgent_ignores_schedule = true\n"
    );
    let pair = plan.start();
    pair.a.send(ANNA, OPERATIONS, "later");
    wait_for("a queue that waits for its time", || {
        (connector(&pair.a, "to-b")["state"] == "scheduled").then_some(())
    });
    let arguments =
        ["--from", ANNA, "--to", OPERATIONS, "--subject", "now", "--text", "x", "--priority", "urgent"];
    pair.a.submit(&arguments);
    pair.b.wait_for_mail(OPERATIONS, 1);
    assert_eq!(pair.b.subjects(OPERATIONS), ["now"]);
    assert_eq!(pair.a.waiting().len(), 1, "what is not urgent does not go with it");
    // Always, by a reload: it goes.
    let text = fs::read_to_string(pair.a.config()).unwrap();
    let mut a = pair.a;
    a.configure(&text.replace(&plan.connector, ""));
    a.signal("HUP");
    pair.b.wait_for_mail(OPERATIONS, 2);
}

#[test]
fn limits_take_effect_with_a_reload_and_what_waits_follows_its_address() {
    let plan = Plan::default();
    let Pair { mut a, mut b } = plan.build();
    a.start();
    let id = a.send(ANNA, OPERATIONS, "moved");
    wait_for("the message in the queue", || items(&a.json(&["queue", "show", "to-b"])).pop());
    // Another connector takes over the addresses of the first, and binds may take a second.
    let text = fs::read_to_string(a.config()).unwrap().replace("P=BETA;A= ;C=GB", "P=DELTA;A= ;C=GB");
    a.configure(&(text + &cheaper(&plan, b.p1) + "[limits]\nbind_timeout_s = 1\nmax_associations = 999\n"));
    a.signal("HUP");
    wait_for("the reload", || (a.logged("configuration read again") == 1).then_some(()));
    assert_eq!(a.logged("take effect at the next start only"), 1, "max_associations does");
    let moved =
        wait_for("the message in the other queue", || items(&a.json(&["queue", "show", "cheap"])).pop());
    assert_eq!(moved["mts_id"], id, "{moved}");
    let began = std::time::Instant::now();
    let mut silent = std::net::TcpStream::connect(a.p1).unwrap();
    // The default is a minute.
    silent.set_read_timeout(Some(std::time::Duration::from_secs(40))).unwrap();
    assert_eq!(std::io::Read::read(&mut silent, &mut [0; 1]).unwrap(), 0, "not closed");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    b.start();
    b.wait_for_mail(OPERATIONS, 1);
    assert_eq!(a.stop().code(), Some(0));
}

/// Connectors are added, changed and removed, domains and address spaces too, while mail flows both ways.
#[test]
fn nothing_is_lost_or_doubled_while_settings_change() {
    const MESSAGES: usize = 200;
    let plan = Plan::default();
    let Pair { mut a, mut b } = plan.start();
    let original = fs::read_to_string(a.config()).unwrap();
    let variants = [
        // Another setting: the connector is replaced.
        original.replace("open_interval_s = 1", "open_interval_s = 2"),
        // A second way at the same cost, to nowhere.
        original.clone() + &cheaper(&plan, support::pair::loopback()),
        // Another address space and domain.
        original.replace("P=BETA;A= ;C=GB", "C=GB").replace("admd = \" \"", "admd = \"0\""),
        original.clone(),
    ];
    let url = (a.url(), b.url());
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            for n in 0..MESSAGES {
                let (url, from, to) =
                    if n % 2 == 0 { (&url.0, ANNA, OPERATIONS) } else { (&url.1, OPERATIONS, ANNA) };
                let subject = n.to_string();
                let arguments = [
                    "submit",
                    "--from",
                    from,
                    "--to",
                    to,
                    "--subject",
                    &subject,
                    "--text",
                    "x",
                    "--api",
                    url,
                ];
                support::chappe(&arguments).ok();
            }
        });
        let mut reloads = 0;
        while !sending.is_finished() || reloads % variants.len() != 0 {
            a.configure(&variants[reloads % variants.len()]);
            a.signal("HUP");
            reloads += 1;
            wait_for("the reload", || (a.logged("configuration read again") == reloads).then_some(()));
        }
        assert!(reloads >= 4, "only {reloads} reloads");
        sending.join().unwrap();
    });
    a.wait_until_empty();
    b.wait_until_empty();
    for (site, mailbox, rest) in [(&b, OPERATIONS, 0), (&a, ANNA, 1)] {
        site.wait_for_mail(mailbox, MESSAGES / 2);
        let mut seen = BTreeMap::new();
        for subject in site.subjects(mailbox) {
            *seen.entry(subject.parse::<usize>().unwrap()).or_insert(0) += 1;
        }
        let expected: BTreeMap<usize, i32> =
            (0..MESSAGES).filter(|n| n % 2 == rest).map(|n| (n, 1)).collect();
        assert_eq!(seen, expected, "in mailbox {mailbox}");
    }
    assert_eq!((a.stop().code(), b.stop().code()), (Some(0), Some(0)));
}
