use agent::settings::{AgentSettings, CallSelectors, Secret, Selectors};
use agent::{Agent, BindRefusal};
use mhs::MtaName;
use mhs::p1::bind::{Authentication, Credentials, MtaBindArgument, MtaBindError, MtaBindResult, Password};

use crate::bench::settings;

fn two() -> AgentSettings {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    settings.connectors[0].remote_password = Some(Secret::new("from-b"));
    settings.connectors[0].local_password = Some(Secret::new("to-b"));
    settings.connectors[0].local_mta = Some(MtaName::new("OTHER-A").unwrap());
    settings
}

fn argument(name: &str, password: &str) -> MtaBindArgument {
    MtaBindArgument::simple(MtaName::new(name).unwrap(), Password::new(password))
}

/// A call without selectors.
fn plain() -> CallSelectors {
    CallSelectors::default()
}

/// A call of `called` from `calling`, transport selectors both.
fn call(called: &str, calling: &str) -> CallSelectors {
    let transport = |text: &str| Selectors { transport: text.into(), ..Selectors::default() };
    CallSelectors { called: transport(called), calling: transport(calling) }
}

#[test]
fn an_mta_with_several_names_is_known_by_each() {
    let mut settings = two();
    settings.connectors[0].remote_mta_aliases = vec![MtaName::new("MTA-B2").unwrap()];
    let agent = Agent::new(settings).unwrap();
    for name in ["MTA-B", "MTA-B2"] {
        let connector = agent.check_bind_argument(&argument(name, "from-b"), &plain()).unwrap();
        assert_eq!(connector.name, "to-B");
        let result = MtaBindResult::simple(MtaName::new(name).unwrap(), Password::new("from-b"));
        assert_eq!(agent.check_bind_result(connector, &result), Ok(()));
    }
    assert!(agent.check_bind_argument(&argument("MTA-B3", "from-b"), &plain()).is_err());
}

#[test]
fn selectors_tell_connectors_to_one_mta_apart() {
    let mut settings = two();
    settings.connectors[1].remote_mta = MtaName::new("MTA-B").unwrap();
    settings.connectors[0].calling_selectors.transport = b"ours-1".to_vec();
    settings.connectors[0].called_selectors.transport = b"theirs-1".to_vec();
    settings.connectors[1].calling_selectors.transport = b"ours-2".to_vec();
    settings.connectors[1].remote_password = Some(Secret::new("from-b-2"));
    let agent = Agent::new(settings).unwrap();
    let found = |call: &CallSelectors, password: &str| {
        agent.check_bind_argument(&argument("MTA-B", password), call).map(|connector| connector.name.clone())
    };
    assert_eq!(found(&call("ours-1", ""), "from-b"), Ok("to-B".into()));
    assert_eq!(found(&call("ours-2", "whatever"), "from-b-2"), Ok("to-C".into()));
    assert_eq!(found(&call("", "theirs-1"), "from-b"), Ok("to-B".into()));
    // Our selector was not called: the one that expects least.
    assert_eq!(found(&plain(), "from-b-2"), Ok("to-C".into()));
    // The password never chooses.
    assert!(matches!(found(&call("ours-1", ""), "from-b-2"), Err(BindRefusal::WrongPassword { .. })));
    let refused = found(&call("ours-3", "x"), "from-b").unwrap_err();
    assert!(matches!(refused, BindRefusal::OtherSelectors { .. }), "{refused}");
    assert!(refused.to_string().contains("called transport ours-3, calling transport x"), "{refused}");
}

#[test]
fn selectors_of_an_only_connector_are_not_looked_at() {
    let mut settings = two();
    settings.connectors[0].calling_selectors.transport = b"ours".to_vec();
    settings.connectors[0].called_selectors.transport = b"theirs".to_vec();
    let agent = Agent::new(settings).unwrap();
    assert!(agent.check_bind_argument(&argument("MTA-B", "from-b"), &call("x", "y")).is_ok());
}

#[test]
fn a_peer_is_known_by_its_name_octet_for_octet() {
    let agent = Agent::new(two()).unwrap();
    assert_eq!(
        agent.check_bind_argument(&argument("MTA-B", "from-b"), &plain()).map(|c| c.name.as_str()),
        Ok("to-B")
    );
    let refused = agent.check_bind_argument(&argument("mta-b", "from-b"), &plain()).unwrap_err();
    assert_eq!(refused, BindRefusal::UnknownMta { name: "mta-b".into() });
    assert_eq!(refused.bind_error(), MtaBindError::AUTHENTICATION_ERROR);
    assert!(agent.check_bind_argument(&argument("MTA-C", ""), &plain()).is_ok());
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let agent = Agent::new(two()).unwrap();
    for password in ["", "from-B", "from-b ", "from-"] {
        let refused = agent.check_bind_argument(&argument("MTA-B", password), &plain()).unwrap_err();
        assert_eq!(refused, BindRefusal::WrongPassword { connector: "to-B".into(), name: "MTA-B".into() });
        assert!(!format!("{refused} {refused:?}").contains("from"));
    }
    assert!(!format!("{:?}", agent.settings()).contains("from-b"));
}

#[test]
fn without_a_configured_password_the_name_is_enough() {
    let agent = Agent::new(two()).unwrap();
    assert!(agent.check_bind_argument(&argument("MTA-C", "whatever"), &plain()).is_ok());
    assert!(agent.check_bind_argument(&argument("MTA-C", ""), &plain()).is_ok());
}

#[test]
fn a_peer_that_says_nothing_about_itself_is_refused() {
    let agent = Agent::new(two()).unwrap();
    let refused = agent.check_bind_argument(&MtaBindArgument { authentication: None }, &plain()).unwrap_err();
    assert_eq!(refused, BindRefusal::Anonymous);
}

#[test]
fn strong_credentials_do_not_pass_for_a_password() {
    let agent = Agent::new(two()).unwrap();
    let strong = |name: &str| MtaBindArgument {
        authentication: Some(Authentication {
            name: MtaName::new(name).unwrap(),
            credentials: Credentials::Other(vec![0xA0, 0]),
        }),
    };
    assert!(matches!(
        agent.check_bind_argument(&strong("MTA-B"), &plain()),
        Err(BindRefusal::OtherCredentials { .. })
    ));
    assert!(agent.check_bind_argument(&strong("MTA-C"), &plain()).is_ok());
}

#[test]
fn the_answer_to_our_bind_is_checked_too() {
    let agent = Agent::new(two()).unwrap();
    let (b, c) = (agent.settings().connector("to-B").unwrap(), agent.settings().connector("to-C").unwrap());
    let result = |name: &str, password: &str| {
        MtaBindResult::simple(MtaName::new(name).unwrap(), Password::new(password))
    };
    assert_eq!(agent.check_bind_result(b, &result("MTA-B", "from-b")), Ok(()));
    assert!(matches!(
        agent.check_bind_result(b, &result("MTA-C", "from-b")),
        Err(BindRefusal::WrongName { .. })
    ));
    assert!(matches!(
        agent.check_bind_result(b, &result("MTA-B", "x")),
        Err(BindRefusal::WrongPassword { .. })
    ));
    let silent = MtaBindResult { authentication: None };
    assert_eq!(agent.check_bind_result(b, &silent), Err(BindRefusal::Anonymous));
    assert_eq!(agent.check_bind_result(c, &silent), Ok(()));
}

#[test]
fn we_give_the_name_and_password_of_the_link_or_of_the_mta() {
    let mut settings = two();
    settings.mta.password = Some(Secret::new("general"));
    let agent = Agent::new(settings).unwrap();
    let (b, c) = (agent.settings().connector("to-B").unwrap(), agent.settings().connector("to-C").unwrap());
    assert_eq!(agent.bind_argument_for(b), argument("OTHER-A", "to-b"));
    assert_eq!(agent.bind_argument_for(c), argument("MTA-A", "general"));
    let result = MtaBindResult::simple(MtaName::new("OTHER-A").unwrap(), Password::new("to-b"));
    assert_eq!(agent.bind_result_for(b), result);
}

#[test]
fn a_peer_that_echoes_our_bind_is_taken_for_nobody() {
    let agent = Agent::new(two()).unwrap();
    let connector = &agent.settings().connectors[0];
    // It gives back what it was given: our name and our password for it.
    let echoed = MtaBindResult::simple(MtaName::new("OTHER-A").unwrap(), Password::new("to-b"));
    assert!(matches!(agent.check_bind_result(connector, &echoed), Err(BindRefusal::WrongName { .. })));
    assert!(agent.check_bind_argument(&argument("OTHER-A", "to-b"), &plain()).is_err());
}
