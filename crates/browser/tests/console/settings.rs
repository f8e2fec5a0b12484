//! Settings: edited on the property pages and as a text, compared with what is in force, and only then applied.

use crate::support::{OPERATIONS, Pair, Plan, Site, http, wait_for};
use crate::{Test, console, has_no_complaints, patient};

/// A setting as it is in force.
fn setting(site: &Site, connector: &str, key: &str) -> String {
    let settings = site.ask(&format!("/api/v1/connectors/{connector}/settings"));
    let pages = settings["pages"].as_array().expect("pages").iter();
    let mut all = pages.flat_map(|page| page["settings"].as_array().expect("settings").iter());
    let found = all.find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key} in {settings}"));
    found["value"].as_str().expect("a text").to_owned()
}

fn file(site: &Site) -> String {
    std::fs::read_to_string(site.config()).expect("the file is there")
}

#[test]
fn a_connector_is_edited_field_by_field_compared_and_applied() -> Test {
    let Pair { mut a, b } = patient().build();
    let text =
        file(&a).replace("open_interval_s = 3600", "# We are patient.\nopen_interval_s = 3600 # an hour");
    a.configure(&text);
    a.start();
    let Some(browser) = console("a connector's settings", &a)? else { return Ok(()) };

    browser.visit("/console/#/connectors/to-b?page=Override")?;
    let field = "[data-field='retry.open_interval_s']";
    browser.fill(field, "77")?;
    browser.see("#edits", "1 setting edited")?;
    browser.see("[data-setting='retry.open_interval_s']", "edited")?;
    browser.resize(1280, 1300)?;
    browser.picture("settings-override")?;
    browser.resize(1280, 800)?;
    browser.press("#edits [data-do='review']")?;
    browser.see("#dialog", "Apply 1 difference?")?;
    browser.see("#review", "retry.open_interval_s is 77 instead of 3600")?;
    browser.picture("settings-review")?;
    assert_eq!(
        setting(&a, "to-b", "retry.open_interval_s"),
        "3600",
        "nothing happens before it is confirmed"
    );
    assert_eq!(file(&a), text);
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog [data-step='over']", "Applied")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!(setting(&a, "to-b", "retry.open_interval_s"), "77");
    assert_eq!(file(&a), text.replace("open_interval_s = 3600 #", "open_interval_s = 77 #"), "comments stay");

    // What is wrong is told, and given up.
    browser.fill(field, "0")?;
    browser.press("#edits [data-do='review']")?;
    browser.see("#dialog", "The edit has mistakes")?;
    browser.see("#review", "out of range")?;
    browser.picture("settings-mistake")?;
    browser.press("#dialog [data-do='discardedit']")?;
    browser.gone("#draft *")?;
    assert_eq!(setting(&a, "to-b", "retry.open_interval_s"), "77");

    // A password can be replaced, and is never shown.
    browser.go("/connectors/to-b?page=General")?;
    browser.see("[data-setting='remote_password']", "clear")?;
    let shown = "return document.querySelector(\"[data-field='remote_password']\").value";
    assert_eq!(browser.script(shown, Vec::new())?, "");
    browser.press("[data-field='two_way_alternate']")?;
    browser.see("#edits", "1 setting edited")?;
    browser.press("#edits [data-do='undo']")?;
    browser.gone("#edits")?;
    browser.resize(1280, 1500)?;
    browser.picture("settings-general")?;
    browser.resize(1280, 800)?;
    drop(b);
    has_no_complaints(&browser)
}

#[test]
fn times_of_the_week_are_painted() -> Test {
    let Pair { mut a, b } = patient().build();
    a.start();
    let Some(browser) = console("selected times", &a)? else { return Ok(()) };
    browser.visit("/console/#/connectors/to-b?page=Schedule")?;
    browser.choose("[data-field='activation']", "selected-times")?;
    browser.press("[data-times-set='work']")?;
    browser.see("[data-setting='selected_times']", "Mon-Fri 08:00-18:00")?;
    // From the keyboard: one more quarter of an hour before Monday's eight o'clock.
    let focus = "document.querySelector('[data-times]').focus()";
    browser.script(focus, Vec::new())?;
    browser.keys("\u{e012}")?;
    browser.keys(" ")?;
    browser.see("[data-setting='selected_times']", "Mon 07:45-18:00")?;
    browser.resize(1280, 1300)?;
    browser.picture("settings-schedule")?;
    browser.resize(1280, 800)?;
    browser.press("#edits [data-do='review']")?;
    browser.see("#review", "selected_times is set to")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog [data-step='over']", "Applied")?;
    browser.press("#dialog [data-do='close']")?;
    let times = setting(&a, "to-b", "selected_times");
    assert!(times.contains("Mon 07:45-18:00") && times.contains("Fri 08:00-18:00"), "{times}");
    assert_eq!(setting(&a, "to-b", "activation"), "selected-times");
    drop(b);
    has_no_complaints(&browser)
}

#[test]
fn connectors_come_and_go_and_routes_are_tried_before() -> Test {
    let Pair { a, b } = Plan::default().start();
    let Some(browser) = console("adding and removing connectors", &a)? else { return Ok(()) };
    browser.visit("/console/#/connectors")?;
    browser.press("[data-do='add']")?;
    browser.picture("dialog-add-connector")?;
    let fields =
        [("name", "to-d"), ("remote_mta", "MTA-D"), ("host", "127.0.0.1:9"), ("address", "P=DELTA;A= ;C=GB")];
    for (name, value) in fields {
        browser.fill(&format!("#new-{name}"), value)?;
    }
    browser.press("#dialog footer .primary")?;
    browser.see("#review", "connector to-d is added")?;
    browser.press("#dialog [data-do='close']")?;
    browser.see("#draft", "not applied")?;

    // Before it is applied: where would mail for it go?
    let delta = "S=x;P=DELTA;A= ;C=GB";
    browser.go(&format!("/route?to={}", http::encode(delta)))?;
    browser.see("#whatif", "would be different")?;
    browser.see("#route", "unknown")?;
    browser.see("#then", "Transferred over connector to-d")?;
    browser.picture("route-what-if")?;
    browser.go(&format!("/route?to={}", http::encode(OPERATIONS)))?;
    browser.see("#whatif", "Nothing would be different")?;
    browser.press("[data-do='draftreview']")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog [data-step='over']", "Applied")?;
    browser.press("#dialog [data-do='close']")?;
    wait_for("the new connector", || a.get("/api/v1/connectors/to-d").map(drop));
    browser.go("/connectors")?;
    browser.see("main table", "to-d")?;

    browser.go("/connectors/to-d?page=Address%20Space")?;
    browser.press("[data-do='morespace']")?;
    browser.fill("[data-part='address'][data-n='1']", "P=D2;A= ;C=GB")?;
    browser.picture("settings-address-space")?;
    browser.press("#edits [data-do='review']")?;
    browser.see("#review", "P=D2")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.press("#dialog [data-step='over'] [data-do='close']")?;
    let spaces = a.ask("/api/v1/connectors/to-d/settings").to_string();
    assert!(spaces.contains("P=D2"), "{spaces}");

    browser.press("[data-do='remove']")?;
    browser.see("#review", "connector to-d is removed")?;
    browser.see("#review", "Nothing waits in its queue")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.press("#dialog [data-step='over'] [data-do='close']")?;
    browser.gone("a[href='#/connectors/to-d']")?;
    assert!(a.get("/api/v1/connectors/to-d").is_none());
    assert!(!file(&a).contains("to-d"));
    drop(b);
    has_no_complaints(&browser)
}

#[test]
fn the_configuration_is_edited_as_a_text_validated_and_applied() -> Test {
    let Pair { a, b } = Plan::default().start();
    let Some(browser) = console("the configuration as a text", &a)? else { return Ok(()) };
    browser.visit("/console/")?;
    browser.see("h1", "all is well")?;
    browser.keys("gn")?;
    browser.wait("the text", |browser| Ok((browser.count("#configuration")? == 1).then_some(())))?;
    let edit = "const field = document.getElementById('configuration'); \
                field.value = field.value.replace(arguments[0], arguments[1]); \
                field.dispatchEvent(new Event('input', { bubbles: true })); return field.value";
    let change = |from: &str, to: &str| browser.script(edit, vec![from.into(), to.into()]);
    let text = change("cost = 1", "cost = 0")?;
    assert!(text.as_str().is_some_and(|text| text.contains("********") && !text.contains("password of")));
    browser.press("[data-do='check']")?;
    browser.see("#verdict", "1 mistake")?;
    browser.picture("configuration-mistake")?;
    change("cost = 0", "cost = 7")?;
    browser.press("[data-do='check']")?;
    browser.see("#verdict", "1 difference")?;
    browser.picture("configuration")?;
    // The edit is there when one comes back.
    browser.go("/queues")?;
    browser.see("#draft", "not applied")?;
    browser.go("/configuration")?;
    browser.press("[data-do='check']")?;
    browser.press("[data-do='apply']")?;
    browser.see("#dialog", "Apply 1 difference?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see(".toast", "Applied")?;
    assert!(file(&a).contains("cost = 7"));
    browser.gone("#draft *")?;
    drop(b);
    has_no_complaints(&browser)
}
