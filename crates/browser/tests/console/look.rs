//! How it is used: the keyboard, day and night, a phone, and a service that is gone for a while.

use crate::support::{Pair, Plan};
use crate::{Test, console, has_no_complaints};

#[test]
fn the_keyboard_is_enough_and_a_phone_is_wide_enough() -> Test {
    let Pair { a, .. } = Plan::default().start();
    let Some(browser) = console("keyboard and phone", &a)? else { return Ok(()) };
    browser.visit("/console/")?;
    browser.see("h1", "all is well")?;
    for (key, title) in [
        ("q", "Queues"),
        ("m", "Messages"),
        ("t", "Where is my message?"),
        ("c", "Connectors"),
        ("a", "Associations"),
        ("l", "Link monitors"),
        ("e", "Events"),
        ("b", "Mailboxes"),
        ("u", "Quarantine"),
        ("r", "Where would it go?"),
        ("o", "All is well"),
    ] {
        browser.keys(&format!("g{key}"))?;
        browser.see("h1", title)?;
    }
    browser.keys("?")?;
    browser.see("#dialog[open]", "Keyboard")?;
    browser.picture("keyboard")?;
    browser.keys("\u{e00c}")?;
    browser.gone("#dialog[open]")?;
    browser.keys("/")?;
    let focus = browser.script("return document.activeElement.id", Vec::new())?;
    assert_eq!(focus, "find");
    browser.press("h1")?;
    for theme in ["light", "dark"] {
        browser.press("[data-do='theme']")?;
        browser.wait(theme, |browser| {
            let now = browser.script("return document.documentElement.dataset.theme", Vec::new())?;
            Ok((now == theme).then_some(()))
        })?;
    }
    browser.press("[data-do='theme']")?;

    browser.resize(390, 844)?;
    for (place, title) in [
        ("/", "All is well"),
        ("/queues", "Queues"),
        ("/messages", "Messages"),
        ("/events", "Events"),
        ("/quarantine", "Quarantine"),
        ("/monitors", "Link monitors"),
        ("/associations", "Associations"),
        ("/connectors/to-b", "to-b"),
    ] {
        browser.go(place)?;
        browser.see("h1", title)?;
        let overflow = "return document.documentElement.scrollWidth - innerWidth";
        assert_eq!(browser.script(overflow, Vec::new())?, 0, "{place} is wider than a phone");
    }
    browser.go("/")?;
    browser.see("h1", "All is well")?;
    browser.picture("phone")?;
    browser.press("[data-do='menu']")?;
    browser.press("#side a[href='#/queues']")?;
    browser.see("h1", "Queues")?;
    has_no_complaints(&browser)
}

#[test]
fn a_service_that_is_gone_is_said_to_be_gone_and_found_again() -> Test {
    let Pair { mut a, b } = Plan::default().start();
    let Some(browser) = console("a lost connection", &a)? else { return Ok(()) };
    browser.visit("/console/#/queues")?;
    browser.see("[data-queue='to-b']", "ready")?;
    a.kill();
    browser.see("#banner", "Connection lost")?;
    browser.see("#banner", "as of")?;
    browser.see("#condition", "unknown")?;
    browser.picture("connection-lost")?;
    a.start();
    browser.gone(".is-stale")?;
    browser.see("[data-queue='to-b']", "ready")?;
    drop(b);
    Ok(())
}
