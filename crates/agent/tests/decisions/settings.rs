use agent::settings::{Activation, Conformance, ConnectorSettings, MtaSettings, Secret, ServedSelectors};
use mhs::MtaName;

use crate::bench::{settings, user};

#[test]
fn the_defaults_are_those_that_operators_know() {
    let mta = MtaSettings::new(MtaName::new("M").unwrap(), "C=GB;A= ".parse().unwrap());
    let timeouts = mta.message_timeout;
    assert_eq!((timeouts.urgent_min, timeouts.normal_min, timeouts.non_urgent_min), (2880, 10080, 14400));
    assert_eq!((mta.hop_limit, mta.duplicate_history_days, mta.message_size_limit_kb), (512, 15, None));
    assert_eq!((mta.tracking_days, mta.tracking_entries), (7, 2_000_000));
    let connector = ConnectorSettings::new("c", MtaName::new("N").unwrap());
    let rts = connector.rts;
    assert_eq!((rts.checkpoint_size_kb, rts.recovery_timeout_s, rts.window_size), (30, 60, 5));
    let retry = connector.retry;
    assert_eq!((retry.max_open_retries, retry.max_transfer_retries), (144, 2));
    assert_eq!((retry.open_interval_s, retry.transfer_interval_s), (600, 120));
    let association = connector.association;
    assert_eq!((association.lifetime_s, association.disconnect_s), (300, 120));
    assert_eq!((association.threshold_messages, association.max_associations), (50, 10));
    let transfer = connector.transfer_timeout;
    assert_eq!(transfer.urgent_s_per_kb, 1000);
    assert_eq!((transfer.normal_s_per_kb, transfer.non_urgent_s_per_kb), (2000, 3000));
    assert_eq!((connector.two_way_alternate, connector.activation), (false, Activation::Always));
    assert_eq!(connector.local_address, None);
}

#[test]
fn good_settings_have_no_problem() {
    let mut good = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    assert_eq!(good.validate(), []);
    for conformance in [Conformance::X410In1988, Conformance::Mode1984] {
        good.connectors[0].conformance = conformance;
        assert_eq!(good.validate(), []);
    }
    for power in 7..=13 {
        good.connectors[0].form.tpdu_size = 1 << power;
        assert_eq!(good.validate(), []);
    }
}

#[test]
fn every_problem_is_found_and_placed() {
    let mut bad = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    bad.mta.hop_limit = 0;
    bad.mta.message_timeout.urgent_min = 65_537;
    bad.mta.duplicate_history_days = 366;
    bad.mta.tracking_days = 366;
    bad.mta.tracking_entries = 999;
    bad.mta.max_recipients = 40_000;
    bad.mta.message_size_limit_kb = Some(0);
    bad.mta.password = Some(Secret::new("p".repeat(65)));
    bad.mta.mailboxes = Some(vec![user("x", "ELSEWHERE")]);
    bad.mta.domain.country = "GBRITAIN".into();
    let first = &mut bad.connectors[0];
    first.hosts = vec!["good".into(), "bad host".into()];
    first.address_space[0].cost = 101;
    first.rts.window_size = 0;
    first.called_selectors.session = vec![0; 17];
    first.form.tpdu_size = 1000;
    first.remote_password = Some(Secret::new(""));
    let second = &mut bad.connectors[1];
    second.name = "to-B".into();
    second.hosts.clear();
    second.remote_mta = MtaName::new("MTA-B").unwrap();
    second.called_selectors.session = vec![0; 17];
    let mut third = ConnectorSettings::new("a b", MtaName::new("MTA-D").unwrap());
    third.activation = Activation::RemoteInitiated;
    bad.connectors.push(third);
    let paths: Vec<String> = bad.validate().into_iter().map(|problem| problem.path).collect();
    assert_eq!(
        paths,
        [
            "mta.password",
            "mta.domain",
            "mta.message_size_limit_kb",
            "mta.message_timeout.urgent_min",
            "mta.hop_limit",
            "mta.duplicate_history_days",
            "mta.tracking_days",
            "mta.tracking_entries",
            "mta.max_recipients",
            "mta.mailboxes[0]",
            "connector[0].remote_password",
            "connector[0].hosts[1]",
            "connector[0].called_selectors.session",
            "connector[0].form.tpdu_size",
            "connector[0].address_space[0].cost",
            "connector[0].rts.window_size",
            "connector[1].hosts",
            "connector[1].called_selectors.session",
            "connector[1].name",
            "connector[2].name",
            "connector[2].activation",
            "connector[1].remote_mta",
        ]
    );
    assert!(agent::Agent::new(bad).is_err());
}

#[test]
fn two_connectors_to_one_mta_are_fine_if_selectors_tell_them_apart() {
    let mut twice = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    twice.connectors[1].remote_mta = MtaName::new("MTA-B").unwrap();
    let [problem] = twice.validate().try_into().unwrap();
    assert_eq!(problem.path, "connector[1].remote_mta");
    assert!(problem.problem.contains("`to-B` and `to-C` are both to `MTA-B`"), "{problem}");
    for (n, selector) in [b"one", b"two"].into_iter().enumerate() {
        let mut apart = twice.clone();
        apart.connectors[n].called_selectors.transport = selector.to_vec();
        assert_eq!(apart.validate(), []);
        let mut apart = twice.clone();
        apart.connectors[n].calling_selectors.presentation = selector.to_vec();
        assert_eq!(apart.validate(), []);
    }
    // Another password tells nothing: it is checked once the connector is known.
    twice.connectors[1].remote_password = Some(Secret::new("other"));
    assert_eq!(twice.validate().len(), 1);
}

#[test]
fn an_alias_is_a_name_like_any_other() {
    let name = |text: &str| MtaName::new(text).unwrap();
    let mut aliased = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    aliased.connectors[0].remote_mta_aliases = vec![name("MTA-B2"), name("MTA-B"), name("MTA-B2")];
    let paths: Vec<String> = aliased.validate().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["connector[0].remote_mta_aliases[1]", "connector[0].remote_mta_aliases[2]"]);
    aliased.connectors[0].remote_mta_aliases = vec![name("MTA-C")];
    let [problem] = aliased.validate().try_into().unwrap();
    assert!(problem.problem.contains("`to-B` and `to-C` are both to `MTA-C`"), "{problem}");
}

#[test]
fn served_addresses_have_bounds_and_say_something() {
    let mut settings = settings("A", &[]);
    let address = |transport: Option<Vec<u8>>| ServedSelectors { transport, ..ServedSelectors::default() };
    settings.mta.served_selectors = vec![address(Some(vec![0; 32])), address(Some(Vec::new()))];
    assert_eq!(settings.validate(), []);
    settings.mta.served_selectors = vec![address(Some(vec![0; 33])), address(None)];
    let paths: Vec<String> = settings.validate().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["listen.selectors[0].transport", "listen.selectors[1]"]);
}

#[test]
fn a_problem_reads_as_what_is_wrong_and_what_to_do() {
    let mut bad = settings("A", &[("B", "P=B;A= ;C=GB")]);
    bad.connectors[0].rts.window_size = 256;
    let text = bad.validate()[0].to_string();
    assert_eq!(text, "connector[0].rts.window_size: 256 is out of range; use a value from 1 to 255");
}

#[test]
fn a_local_address_is_of_one_machine_and_of_the_family_of_a_host() {
    let with = |local: &str, hosts: &[&str]| {
        let mut connector = ConnectorSettings::new("to-b", MtaName::new("MTA-B").unwrap());
        connector.local_address = Some(local.parse().unwrap());
        connector.hosts = hosts.iter().map(ToString::to_string).collect();
        let mut all = settings("A", &[]);
        all.connectors = vec![connector];
        all.validate().into_iter().map(|problem| problem.path).collect::<Vec<_>>()
    };
    let wrong = ["connector[0].local_address"];
    for (local, hosts) in [
        ("192.0.2.1", &["192.0.2.9"][..]),
        ("192.0.2.1", &["[2001:db8::9]:102", "192.0.2.9:1102"]),
        ("192.0.2.1", &["[2001:db8::9]:102", "a-name"]),
        ("2001:db8::1", &["[fe80::9%eth0]"]),
        ("192.0.2.1", &["[::ffff:192.0.2.9]"]),
    ] {
        assert_eq!(with(local, hosts), [""; 0], "{local} {hosts:?}");
    }
    for (local, hosts) in [
        ("0.0.0.0", &["b"][..]),
        ("::", &["b"]),
        ("224.0.0.1", &["b"]),
        ("ff02::1", &["b"]),
        ("255.255.255.255", &["b"]),
        ("192.0.2.1", &["[2001:db8::9]:102"]),
        ("2001:db8::1", &["192.0.2.9", "198.51.100.9:1102"]),
    ] {
        assert_eq!(with(local, hosts), wrong, "{local} {hosts:?}");
    }
}
