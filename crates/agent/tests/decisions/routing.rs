use agent::settings::{Activation, AddressSpaceEntry, AgentSettings};
use agent::{Agent, RouteDecision, RouteFailure, RouteQuestion};

use crate::bench::{address, pattern, settings, user};

fn decide(settings: &AgentSettings, to: &str, incoming: Option<&str>) -> RouteDecision {
    Agent::new(settings.clone()).unwrap().route(&address(to), from(incoming)).decision
}

fn from(incoming: Option<&str>) -> RouteQuestion<'_> {
    RouteQuestion { incoming, ..RouteQuestion::default() }
}

fn connectors(names: &[&str]) -> RouteDecision {
    RouteDecision::Connectors(names.iter().map(|&name| name.to_owned()).collect())
}

#[test]
fn the_most_specific_address_space_wins_whatever_it_costs() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB"), ("D", "O=Acme;P=B;A= ;C=GB")]);
    settings.connectors[2].address_space[0].cost = 100;
    assert_eq!(decide(&settings, "S=x;O=Acme;P=B;A= ;C=GB", None), connectors(&["to-D"]));
    assert_eq!(decide(&settings, "S=x;O=Other;P=B;A= ;C=GB", None), connectors(&["to-B"]));
    assert_eq!(decide(&settings, "S=x;O=Acme;P=Q;A= ;C=GB", None), connectors(&["to-C"]));
}

#[test]
fn an_exact_value_beats_a_wildcard_and_a_wildcard_beats_nothing() {
    let settings = settings("A", &[("B", "P=B;A=*;C=GB"), ("C", "P=*;A=*;C=GB"), ("D", "A=*;C=GB")]);
    assert_eq!(decide(&settings, "S=x;P=B;A= ;C=GB", None), connectors(&["to-B"]));
    assert_eq!(decide(&settings, "S=x;P=Q;A= ;C=GB", None), connectors(&["to-C"]));
}

#[test]
fn equal_matches_are_ordered_by_activation_then_cost_then_the_file() {
    let space = "P=Z;A= ;C=GB";
    let mut settings = settings("A", &[("B", space), ("C", space), ("D", space), ("E", space), ("F", space)]);
    settings.connectors[0].activation = Activation::Never;
    settings.connectors[1].activation = Activation::RemoteInitiated;
    settings.connectors[1].two_way_alternate = true;
    settings.connectors[2].address_space[0].cost = 2;
    let order = connectors(&["to-E", "to-F", "to-D", "to-C", "to-B"]);
    assert_eq!(decide(&settings, "S=x;P=Z;A= ;C=GB", None), order);
}

#[test]
fn a_connector_in_use_for_the_message_is_preferred_among_equals() {
    let mut a = crate::bench::Mta::new(settings("A", &[("B", "P=Z;A= ;C=GB"), ("C", "C=GB")]));
    let mut settings = a.agent.settings().clone();
    // Z is reached over both at the same cost, Q over C alone.
    let both = AddressSpaceEntry { space: pattern("P=Z;A= ;C=GB"), cost: 1 };
    settings.connectors[1].address_space.push(both);
    a.agent = Agent::new(settings).unwrap();
    let one = agent::Submission::new(user("alice", "A"), [user("q", "Q"), user("z", "Z")]);
    a.submit(&one);
    a.work();
    assert_eq!((a.queue("to-B").len(), a.queue("to-C").len()), (0, 1));
    assert_eq!(a.queue("to-C")[0].1.recipients, 2);
}

#[test]
fn local_and_connector_spaces_compete_by_specificity_and_local_wins_a_draw() {
    let mut settings = settings("A", &[("B", "P=A;A= ;C=GB"), ("C", "O=Moved;P=A;A= ;C=GB")]);
    settings.mta.mailboxes = None;
    assert!(matches!(decide(&settings, "S=x;O=Acme;P=A;A= ;C=GB", None), RouteDecision::Local { .. }));
    assert_eq!(decide(&settings, "S=x;O=Moved;P=A;A= ;C=GB", None), connectors(&["to-C"]));
}

#[test]
fn listed_mailboxes_are_found_whatever_the_case_and_the_rest_is_unknown() {
    let mut settings = settings("A", &[]);
    settings.mta.mailboxes = Some(vec![user("alice", "A")]);
    assert!(matches!(decide(&settings, "S=ALICE;O=acme;P=a;C=gb", None), RouteDecision::Local { .. }));
    let unknown = RouteDecision::Unknown(RouteFailure::NoMailbox);
    assert_eq!(decide(&settings, "S=bob;O=Acme;P=A;A= ;C=GB", None), unknown);
}

#[test]
fn the_way_back_is_no_way() {
    let settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    let back = RouteDecision::Unknown(RouteFailure::WayBack("to-B".into()));
    assert_eq!(decide(&settings, "S=x;P=B;A= ;C=GB", Some("to-B")), back);
    assert_eq!(decide(&settings, "S=x;P=B;A= ;C=GB", Some("to-C")), connectors(&["to-B"]));
}

#[test]
fn another_connector_to_the_mta_it_came_from_is_the_way_back_too() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "P=B;A= ;C=GB")]);
    settings.connectors[1].remote_mta = settings.connectors[0].remote_mta.clone();
    settings.connectors[1].called_selectors.transport = b"other".to_vec();
    let back = RouteDecision::Unknown(RouteFailure::WayBack("to-B".into()));
    assert_eq!(decide(&settings, "S=x;P=B;A= ;C=GB", Some("to-B")), back);
}

#[test]
fn the_explanation_names_each_step_that_was_taken_and_what_it_dropped() {
    let space = "P=B;A= ;C=GB";
    let mut settings =
        settings("A", &[("B", space), ("C", "C=GB"), ("D", space), ("E", space), ("F", space)]);
    settings.connectors[2].max_message_size_kb = Some(1);
    settings.connectors[3].restrictions.originators.refuse = vec![pattern("P=A;C=GB")];
    settings.connectors[1].relay_to =
        agent::settings::RelayTo::Connectors(vec!["to-B".into(), "to-D".into()]);
    let agent = Agent::new(settings).unwrap();
    let submitted = agent.route(&user("x", "B"), RouteQuestion::default()).steps;
    assert_eq!(
        submitted,
        [
            "connector to-B: address space `P=B;A= ;C=GB` matches, cost 1",
            "connector to-C: address space `C=GB` matches, cost 1",
            "connector to-D: address space `P=B;A= ;C=GB` matches, cost 1",
            "connector to-E: address space `P=B;A= ;C=GB` matches, cost 1",
            "connector to-F: address space `P=B;A= ;C=GB` matches, cost 1",
            "only the most specific matches count",
            "not back to where it came from: it was submitted here, drops none",
            "not given up for it: it is new, drops none",
            "activation: drops none",
            "failed opens seen by it: drops none",
            "waiting after a failed open: drops none",
            "cost: drops none",
            "connectors of this MTA before those of others: all are of this MTA, drops none",
            "used for another recipient of it already: drops none",
            "messages are shared out among to-B, to-D, to-E, to-F",
            "in this order: to-B (active, cost 1), to-D (active, cost 1), to-E (active, cost 1), to-F (active, cost 1)",
        ]
    );
    let originator = user("alice", "A");
    let question =
        RouteQuestion { incoming: Some("to-C"), originator: Some(&originator), content_length: 2000 };
    let relayed = agent.route(&user("x", "B"), question).steps;
    assert_eq!(
        relayed[6..],
        [
            "not back to where it came from over to-C: drops none",
            "relay from to-C allowed: drops to-E, to-F",
            "originator accepted: drops none",
            "content not longer than it takes: drops to-D",
            "not given up for it: it is new, drops none",
            "activation: drops none",
            "failed opens seen by it: drops none",
            "waiting after a failed open: drops none",
            "cost: drops none",
            "connectors of this MTA before those of others: all are of this MTA, drops none",
            "used for another recipient of it already: drops none",
            "in this order: to-B (active, cost 1)",
        ]
    );
    let steps = agent.route(&address("C=FR"), RouteQuestion::default()).steps;
    assert_eq!(steps, ["no address space matches: non-delivery"]);
}

#[test]
fn the_explanation_follows_redirections_and_names_lists() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB")]);
    let staff = address("CN=staff;P=A;A= ;C=GB");
    let from = agent::settings::RedirectFrom::Address(user("x", "B"));
    settings.redirections.push(agent::settings::Redirect::new(from, staff.clone()));
    let members = [user("al", "A"), user("bob", "B")].into_iter().collect();
    settings.lists.push(agent::settings::DistributionList::new(staff.clone(), members));
    let route = Agent::new(settings).unwrap().route(&user("x", "B"), RouteQuestion::default());
    assert_eq!((route.decision, route.recipient), (RouteDecision::List { members: 2 }, staff.clone()));
    let expected = [
        format!("a redirection gives it to `{staff}` instead"),
        "it is a distribution list with 2 members, expanded here".to_owned(),
    ];
    assert_eq!(route.steps, expected);
}

#[test]
fn an_address_too_long_for_a_key_is_no_mailbox() {
    let settings = settings("A", &[]);
    let mut long = user("x", "A");
    long.organization = Some("o".repeat(5000));
    let decision = Agent::new(settings).unwrap().route(&long, from(None)).decision;
    assert_eq!(decision, RouteDecision::Unknown(RouteFailure::NoMailbox));
}
