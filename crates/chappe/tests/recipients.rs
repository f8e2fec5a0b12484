//! Lists, redirection and what the originator may ask for, from the configuration file to the mailboxes.

mod common;

use common::{ANNA, BERT, Service, chappe};
use serde_json::Value;

const CARL: &str = "S=carl;O=Acme;P=ALPHA;A= ;C=GB";
const STAFF: &str = "CN=staff;O=Acme;P=ALPHA;A= ;C=GB";
const NOWHERE: &str = "S=x;O=Acme;P=GAMMA;A= ;C=GB";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn items(service: &Service, mailbox: &str) -> Vec<Value> {
    let page = json(&service.run(&["mailbox", "show", mailbox, "--json"]).ok());
    page["items"].as_array().cloned().unwrap_or_default()
}

fn service() -> Service {
    let lists = format!(
        "[[distribution_list]]\naddress = \"{STAFF}\"\nmembers = [\"{BERT}\", \"{CARL}\"]\n\
         [[redirection]]\naddress = \"S=dora;O=Acme;P=ALPHA;A= ;C=GB\"\nto = \"{STAFF}\"\n"
    );
    Service::start("", &lists)
}

#[test]
fn a_list_sends_it_to_its_members_and_their_reports_come_back() {
    let mut service = service();
    let id = service.submit(&["--to", STAFF, "--subject", "all", "--text", "x", "--report", "delivery"]);
    service.wait_for_log("goes to its 2 members");
    service.wait_for_log("report C=GB");
    for mailbox in [BERT, CARL] {
        assert_eq!(items(&service, mailbox)[0]["subject"], "all");
    }
    // By way of the list, of which anna knows nothing but the name.
    service.wait_for_log(&format!("delivered to {ANNA}"));
    let reports = items(&service, ANNA);
    assert_eq!((reports.len(), &reports[0]["subject_mts_id"]), (1, &Value::from(id)));
    assert_eq!(reports[0]["recipients"].as_array().map(Vec::len), Some(2));
    let kinds = json(&service.run(&["events", "--json"]).ok());
    let kinds: Vec<&Value> = kinds["items"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    for kind in ["list-expanded", "report-passed-on"] {
        assert!(kinds.iter().any(|k| *k == kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn a_route_follows_redirections_to_a_list() {
    let service = service();
    let route = service.run(&["route", "S=dora;O=Acme;P=ALPHA;A= ;C=GB"]).ok();
    assert!(route.contains(&format!("a redirection gives it to `{STAFF}` instead")), "{route}");
    assert!(route.contains(&format!("sent to the 2 members of distribution list {STAFF}")), "{route}");
    assert!(service.run(&["route", STAFF, "--incoming", "to-z"]).failed(1).contains("no connector to-z"));
    assert!(service.run(&["mailbox", "show", STAFF]).failed(1).contains("distribution list"));
}

#[test]
fn the_content_comes_back_with_the_report_if_it_was_asked_for() {
    let mut service = service();
    let text = ["--to", NOWHERE, "--subject", "s", "--text", "please come back"];
    service.submit(&[&text[..], &["--request", "return-content"]].concat());
    service.wait_for_log(&format!("delivered to {ANNA}"));
    service.submit(&text);
    service.wait_for_log(&format!("delivered to {ANNA}"));
    let returned: Vec<bool> = items(&service, ANNA)
        .iter()
        .map(|item| {
            let number = item["number"].to_string();
            let file = service.dir.path().join(&number);
            let output = file.to_str().unwrap();
            service.run(&["mailbox", "export", ANNA, &number, "--output", output]).ok();
            assert!(chappe(&["decode", output]).ok().contains("reporting-MTA-name (39)"));
            let apdu = std::fs::read(&file).unwrap();
            apdu.windows(16).any(|window| window == b"please come back")
        })
        .collect();
    assert_eq!(returned, [true, false]);
}

#[test]
fn an_alternate_recipient_receives_what_the_recipient_can_not() {
    let mut service = service();
    service.submit(&["--to", NOWHERE, "--alternate", CARL, "--subject", "for somebody", "--text", "x"]);
    service.wait_for_log(&format!("{NOWHERE} redirected to {CARL}"));
    service.wait_for_log(&format!("delivered to {CARL}"));
    assert_eq!(items(&service, CARL)[0]["subject"], "for somebody");
    service.submit(&["--to", STAFF, "--request", "prohibit-expansion", "--subject", "s", "--text", "x"]);
    service.wait_for_log("dl-expansion-prohibited (28)");
}
