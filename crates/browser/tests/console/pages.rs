//! What is only looked at: connectors and their settings, associations, tracking, events, routes, mailboxes.

use browser::Browser;

use crate::support::{ANNA, OPERATIONS, Pair, Plan, http};
use crate::{Test, console, has_no_complaints};

const BERT: &str = "S=bert;O=Acme;P=ALPHA;A= ;C=GB";

/// Fills in one field of the search for messages, begins it, and waits for `there` in what is found, and `not` to be gone.
fn find(browser: &Browser, [field, words]: [&str; 2], [there, not]: [&str; 2]) -> Test {
    browser.go("/tracking")?;
    browser.see("h1", "Where is my message?")?;
    browser.fill(&format!("input[name='{field}']"), &format!("{words}\u{e007}"))?;
    browser.wait(&format!("{there} and not {not}, for {field} {words}"), |browser| {
        let asked = browser.script("return location.hash", Vec::new())?;
        let found = browser.text("main section:last-of-type")?.unwrap_or_default();
        let is_it = asked.as_str().is_some_and(|asked| asked.contains(&format!("{field}=")));
        Ok((is_it && found.contains(there) && !found.contains(not)).then_some(()))
    })
}

#[test]
fn a_message_is_found_by_what_somebody_knows_of_it() -> Test {
    let Pair { a, b } = Plan::default().start();
    let Some(browser) = console("tracking by words", &a)? else { return Ok(()) };
    let fog = a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "Fog at dawn", "--text", "x"]);
    a.submit(&["--from", BERT, "--to", ANNA, "--subject", "Invoice 4711", "--text", "x"]);
    b.wait_for_mail(OPERATIONS, 1);
    a.wait_for_mail(ANNA, 1);
    browser.visit("/console/")?;
    // What was looked for, what is found, and what is not.
    for (field, words, there, not) in [
        ("subject", "DAWN fog", "Fog at dawn", "Invoice"),
        ("subject", "invoi*", "Invoice 4711", "Fog"),
        ("originator", "bert", "Invoice 4711", "Fog"),
        ("originator", "S=anna;O=Acme", "Fog at dawn", "Invoice"),
        ("recipient", "operations beta", "Fog at dawn", "Invoice"),
        ("find", "S=bert", "Invoice 4711", "Fog"),
        ("subject", "nothing", "Nothing found", "Fog"),
    ] {
        find(&browser, [field, words], [there, not])?;
    }
    browser.picture("tracking-by-words")?;
    // An identifier leads to the whole story of that message, and a link in the story to itself.
    browser.go("/tracking")?;
    browser.fill("#track", &format!("{fog}\u{e007}"))?;
    browser.see(".head", &fog)?;
    browser.see(".history", "message-out")?;
    // Time: all was just now, so the last hour has it. What was in a field before, here the identifier, is forgotten.
    browser.go("/tracking?subject=dawn&span=3600")?;
    browser.see(".history", "Fog at dawn")?;
    browser.choose("select[name='event']", "non-delivered")?;
    browser.see(".empty", "Nothing found")?;
    browser.go("/tracking?event=message-out&connector=to-b")?;
    let out = browser.see(".history", "message-out")?;
    assert!(!out.contains("message-submitted"), "{out}");
    has_no_complaints(&browser)
}

#[test]
fn every_page_tells_what_the_service_holds() -> Test {
    let Pair { a, b } = Plan::default().start();
    let Some(browser) = console("every page", &a)? else { return Ok(()) };
    let id = a.submit(&[
        "--from",
        ANNA,
        "--to",
        OPERATIONS,
        "--subject",
        "Line open",
        "--text",
        "x",
        "--report",
        "delivery",
    ]);
    b.wait_for_mail(OPERATIONS, 1);
    a.wait_for_mail(ANNA, 1);

    browser.go("/connectors")?;
    browser.see("main table", "MTA-B")?;
    browser.picture("connectors")?;
    browser.go("/connectors/to-b")?;
    browser.see("#settings", "remote_mta")?;
    browser.see("[data-setting='remote_password']", "Clear")?;
    browser.see(".associations", "us")?;
    browser.picture("connector")?;
    for (page, part) in [
        ("Stack", "hosts"),
        ("Schedule", "activation"),
        ("Override", "retry.open_interval_s"),
        ("Address Space", "address_space"),
        ("Advanced", "strip_internal_trace"),
    ] {
        browser.go(&format!("/connectors/to-b?page={}", http::encode(page)))?;
        browser.see("#settings", part)?;
    }

    browser.go("/associations")?;
    let open = browser.see(".associations", "monologue")?;
    assert!(open.contains("to-b") && open.contains("checkpoint 30 KB"), "{open}");
    let capture = "const link = document.querySelector('.associations a[download]'); \
                   return fetch(link.href).then((answer) => answer.arrayBuffer()) \
                   .then((octets) => new DataView(octets).getUint32(0, true))";
    assert_eq!(browser.script(capture, Vec::new())?, 0xa1b2_c3d4_u32, "a capture is offered");
    browser.picture("associations")?;
    let layers = browser.see("tr.layers summary", "ACSE")?;
    for part in
        ["Transport open", "Session open with the turn", "Presentation connected", "ACSE associated", "RTSE"]
    {
        assert!(layers.contains(part), "no {part} in {layers}");
    }
    browser.press("tr.layers summary")?;
    let settled = browser.see("tr.layers details[open] table", "TPDU size")?;
    for part in ["2048 octets", "version", "contexts", "every 30 KB", "ours"] {
        assert!(settled.contains(part), "no {part} in {settled}");
    }
    browser.picture("association-layers")?;

    browser.go(&format!("/tracking?id={}", http::encode(&id)))?;
    for event in ["message-submitted", "message-out", "report-in"] {
        browser.see(".history", event)?;
    }
    browser.go("/tracking")?;
    browser.fill("#track", "s=OPERATIONS\u{e007}")?;
    browser.see(".history", "message-out")?;
    browser.picture("tracking")?;
    browser.go("/tracking?find=nobody")?;
    browser.see(".empty", "Nothing found")?;

    browser.go("/events")?;
    browser.see(".events", "association-opened")?;
    browser.choose("main select", "object-sent")?;
    browser.wait("nothing but one kind", |browser| {
        let kinds = browser.script(
            "return [...new Set([...document.querySelectorAll('.events li > div > b')].map((kind) => kind.innerText))].join()",
            Vec::new(),
        )?;
        Ok((kinds == "object-sent").then_some(()))
    })?;
    browser.press(".events details summary")?;
    browser.see(".events details[open]", "To do.")?;
    browser.picture("events")?;

    browser.go(&format!("/route?to={}", http::encode(OPERATIONS)))?;
    browser.see("#route", "Transferred over connector to-b")?;
    browser.see("#route .steps", "P=BETA")?;
    browser.picture("route")?;
    browser.go("/route?to=nonsense")?;
    browser.see(".problem", "nonsense")?;

    browser.go("/mailboxes")?;
    browser.see("main table", "S=anna")?;
    browser.picture("mailboxes")?;
    browser.go(&format!("/mailboxes/{}", http::encode(ANNA)))?;
    browser.see("main", "delivered")?;
    browser.see("main", &id)?;
    browser.picture("mailbox")?;
    browser.go("/nowhere")?;
    browser.see(".empty", "There is no such page")?;
    Ok(())
}
