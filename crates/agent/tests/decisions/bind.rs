use agent::settings::{AgentSettings, Secret};
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

#[test]
fn a_peer_is_known_by_its_name_octet_for_octet() {
    let agent = Agent::new(two()).unwrap();
    assert_eq!(agent.check_bind_argument(&argument("MTA-B", "from-b")).map(|c| c.name.as_str()), Ok("to-B"));
    let refused = agent.check_bind_argument(&argument("mta-b", "from-b")).unwrap_err();
    assert_eq!(refused, BindRefusal::UnknownMta { name: "mta-b".into() });
    assert_eq!(refused.bind_error(), MtaBindError::AUTHENTICATION_ERROR);
    assert!(agent.connector_for_peer("MTA-C").is_some());
    assert!(agent.connector_for_peer("").is_none());
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let agent = Agent::new(two()).unwrap();
    for password in ["", "from-B", "from-b ", "from-"] {
        let refused = agent.check_bind_argument(&argument("MTA-B", password)).unwrap_err();
        assert_eq!(refused, BindRefusal::WrongPassword { connector: "to-B".into(), name: "MTA-B".into() });
        assert!(!format!("{refused} {refused:?}").contains("from"));
    }
    assert!(!format!("{:?}", agent.settings()).contains("from-b"));
}

#[test]
fn without_a_configured_password_the_name_is_enough() {
    let agent = Agent::new(two()).unwrap();
    assert!(agent.check_bind_argument(&argument("MTA-C", "whatever")).is_ok());
    assert!(agent.check_bind_argument(&argument("MTA-C", "")).is_ok());
}

#[test]
fn a_peer_that_says_nothing_about_itself_is_refused() {
    let agent = Agent::new(two()).unwrap();
    let refused = agent.check_bind_argument(&MtaBindArgument { authentication: None }).unwrap_err();
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
    assert!(matches!(agent.check_bind_argument(&strong("MTA-B")), Err(BindRefusal::OtherCredentials { .. })));
    assert!(agent.check_bind_argument(&strong("MTA-C")).is_ok());
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
