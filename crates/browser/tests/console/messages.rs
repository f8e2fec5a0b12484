//! Messages: found, looked at, and each operation on one, on some, and on all that match.

use crate::support::pair::loopback;
use crate::support::{ANNA, OPERATIONS, Pair, Site, http, items, wait_for};
use crate::{Test, console, has_no_complaints, patient};

/// A site whose messages to BETA wait, and can be moved.
fn waiting(messages: usize) -> Site {
    let mut plan = patient();
    plan.more_of_a = plan.link("C", "GAMMA", loopback());
    let Pair { mut a, .. } = plan.build();
    a.start();
    let path =
        format!("/api/v1/messages?from={}&to={}&subject=Fog", http::encode(ANNA), http::encode(OPERATIONS));
    for number in 0..messages {
        let text = format!("number {number}");
        let answer = http::request(a.api, "POST", &path, text.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    wait_for("the messages in their queue", || {
        (in_queue(&a, "to-b").len() == messages.min(1000)).then_some(())
    });
    a
}

fn in_queue(site: &Site, queue: &str) -> Vec<serde_json::Value> {
    items(&site.ask(&format!("/api/v1/queues/{queue}?limit=1000")))
}

/// Values of a field in a queue.
fn fields(site: &Site, queue: &str, field: &str) -> Vec<String> {
    in_queue(site, queue).iter().map(|copy| copy[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn some_and_all_that_match_are_operated_on_after_a_look_at_what_would_happen() -> Test {
    let a = waiting(4);
    let Some(browser) = console("operations on messages", &a)? else { return Ok(()) };
    browser.go("/messages?queue=to-b")?;
    browser.see("#messages tbody", "waiting")?;
    assert_eq!(browser.count("#messages tbody tr")?, 4);
    browser.picture("messages")?;

    // One that is selected is held.
    browser.press("#messages tbody tr:first-child input")?;
    browser.see(".bulk", "1 selected")?;
    browser.press(".bulk [data-do='hold']")?;
    browser.see("#dialog", "Hold 1 message?")?;
    assert_eq!(fields(&a, "to-b", "state").iter().filter(|state| *state == "held").count(), 0);
    browser.picture("dialog-hold")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "1 message held")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!(fields(&a, "to-b", "state").iter().filter(|state| *state == "held").count(), 1);
    browser.see("#messages", "held")?;

    // All that match: the one that is held already is not asked about, and nothing is done without a word.
    browser.press(".bulk [data-do='hold']")?;
    browser.see("#dialog", "Hold 3 messages?")?;
    browser.press("#dialog [data-do='close']")?;
    browser.go("/messages?queue=to-b&state=held")?;
    browser.wait("one message", |browser| Ok((browser.count("#messages tbody tr")? == 1).then_some(())))?;
    browser.press(".bulk [data-do='release']")?;
    browser.see("#dialog", "Release 1 message?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "1 message released")?;
    browser.press("#dialog [data-do='close']")?;
    assert!(!fields(&a, "to-b", "state").contains(&"held".to_owned()));

    browser.go("/messages?queue=to-b")?;
    browser.wait("all four", |browser| Ok((browser.count("#messages tbody tr")? == 4).then_some(())))?;
    browser.choose(".bulk select", "urgent")?;
    browser.see("#dialog", "Change priority of 4 messages?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "4 messages changed")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!(fields(&a, "to-b", "priority"), ["urgent"; 4]);

    // Two are moved.
    browser.see("#messages", "urgent")?;
    for row in [1, 2] {
        browser.press(&format!("#messages tbody tr:nth-child({row}) input"))?;
    }
    browser.see(".bulk", "2 selected")?;
    browser.press(".bulk [data-do='move']")?;
    browser.choose("#move-to", "to-c")?;
    browser.press("#dialog [data-do='choose']")?;
    browser.see("#dialog", "Move 2 messages?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "2 messages moved")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!((in_queue(&a, "to-b").len(), in_queue(&a, "to-c").len()), (2, 2));

    // What is deleted silently leaves no trace with its originator; what is not, does.
    browser.go("/messages?queue=to-c")?;
    browser.see("#messages tbody", "to-c")?;
    browser.press(".bulk [data-report='false']")?;
    browser.see("#dialog", "Delete 2 messages?")?;
    browser.see("#dialog", "Nobody is told")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "2 messages deleted")?;
    browser.press("#dialog [data-do='close']")?;
    browser.go("/messages?queue=to-b")?;
    browser.see("#messages tbody", "to-b")?;
    browser.press(".bulk [data-report='true']")?;
    browser.see("#dialog", "Delete 2 messages?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "2 messages deleted")?;
    browser.press("#dialog [data-do='close']")?;
    browser.see(".empty", "No message is like that")?;
    a.wait_until_empty();
    assert_eq!(a.wait_for_mail(ANNA, 2).len(), 2, "reports on the two that were deleted with a report");
    browser.go("/messages")?;
    browser.see(".empty", "The queues are empty")?;
    browser.picture("messages-empty")?;
    has_no_complaints(&browser)
}

#[test]
fn a_message_shows_its_way_its_recipients_its_content_and_its_octets() -> Test {
    let a = waiting(1);
    let Some(browser) = console("one message", &a)? else { return Ok(()) };
    let number = in_queue(&a, "to-b")[0]["number"].as_u64().expect("a number");
    browser.visit("/console/")?;
    browser.see("#condition", "degraded")?;
    // Found by its number, from the keyboard.
    browser.keys("/")?;
    browser.fill("#find", &format!("{number}\u{e007}"))?;
    browser.see("h1", &format!("Message {number}"))?;
    let way = browser.see(".path", "MTA-B")?;
    assert!(way.contains("MTA-A") && way.contains("by to-b"), "{way}");
    browser.see("main", "Fog")?;
    browser.see("main", "number 0")?;
    browser.see("main", "S=operations")?;
    browser.see(".history", "message-submitted")?;
    browser.press("[data-do='octets']")?;
    browser.see("#hex", "00000000")?;
    browser.resize(1280, 1900)?;
    browser.picture("message")?;
    browser.resize(1280, 800)?;
    for (operation, state) in [("hold", "held"), ("release", "waiting")] {
        browser.press(&format!(".head [data-do='{operation}']"))?;
        browser.press("#dialog [data-do='confirm']")?;
        browser.press("#dialog [data-step='over'] [data-do='close']")?;
        wait_for("the new state", || (fields(&a, "to-b", "state") == [state]).then_some(()));
        browser.see("main table", state)?;
    }
    browser.press(".head [data-report='false']")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.press("#dialog [data-step='over'] [data-do='close']")?;
    browser.see(".alarm", "It has left the queues")?;
    a.wait_until_empty();
    browser.see(".history", "message-deleted")?;
    Ok(())
}

#[test]
fn long_lists_are_paged_by_the_service() -> Test {
    let a = waiting(120);
    let Some(browser) = console("long lists", &a)? else { return Ok(()) };
    browser.go("/messages")?;
    browser.see(".pager", "Page 1 · 50 shown")?;
    browser.press("[data-do='next']")?;
    browser.see(".pager", "Page 2 · 50 shown")?;
    browser.press("[data-do='next']")?;
    browser.see(".pager", "Page 3 · 20 shown")?;
    browser.press("[data-do='previous']")?;
    browser.see(".pager", "Page 2 · 50 shown")?;
    browser.press(".bulk [data-do='hold']")?;
    browser.see("#dialog", "Hold 120 messages?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "120 messages held")?;
    assert_eq!(fields(&a, "to-b", "state").iter().filter(|state| *state == "held").count(), 120);
    has_no_complaints(&browser)
}
