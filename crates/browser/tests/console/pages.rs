//! What is only looked at: connectors and their settings, associations, tracking, events, routes, mailboxes.

use crate::support::{ANNA, OPERATIONS, Pair, Plan, http};
use crate::{Test, console};

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
