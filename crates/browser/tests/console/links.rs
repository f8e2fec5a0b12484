//! Links: one that is cut is seen, explained and tried again; queues are frozen, thawed and drained.

use testkit::{Break, Fault, Proxy};

use crate::support::pair::loopback;
use crate::support::{ANNA, OPERATIONS, Pair, Plan, wait_for};
use crate::{Test, console, has_no_complaints, patient, queue};

#[test]
fn a_cut_link_is_seen_explained_and_tried_again() -> Test {
    let mut plan = patient();
    let wire = Proxy::start(plan.b_p1).expect("a proxy starts");
    plan.a_connects_to = wire.address();
    let Pair { a, b } = plan.start();
    let Some(browser) = console("a cut link", &a)? else { return Ok(()) };
    browser.visit("/")?;
    browser.see("#condition", "ready")?;
    browser.see("h1", "all is well")?;
    a.send(ANNA, OPERATIONS, "before the cut");
    b.wait_for_mail(OPERATIONS, 1);
    browser.see(".map", "1 open")?;
    browser.picture("overview-well")?;

    // The link is cut, and what is tried next is cut too.
    wire.plan(Fault::Refuse);
    wire.break_all(Break::Reset);
    a.send(ANNA, OPERATIONS, "during the cut");
    let alarm = browser.see(".alarm[data-link='to-b']", "down for")?;
    for part in ["to-b", "MTA-B", "since", "1 waiting", "next try", "reset", "breaks off"] {
        assert!(alarm.contains(part), "no {part} in {alarm}");
    }
    browser.see("#condition", "degraded")?;
    browser.see(".map", "1 waiting")?;
    browser.see(".events", "connection-not-opened")?;
    browser.picture("overview-down")?;
    browser.go("/connectors/to-b")?;
    browser.see(".alarm", "down for")?;
    browser.picture("connector-down")?;

    browser.go("/")?;
    browser.press(".alarm[data-link='to-b'] [data-do='retry']")?;
    b.wait_for_mail(OPERATIONS, 2);
    browser.gone(".alarm")?;
    browser.see("#condition", "ready")?;
    browser.go("/events")?;
    browser.see(".events", "link-recovered")?;
    has_no_complaints(&browser)
}

#[test]
fn queues_are_frozen_thawed_drained_and_tried() -> Test {
    let mut plan: Plan = patient();
    plan.more_of_a = plan.link("C", "BETA", loopback()).replace("cost = 1", "cost = 2");
    let Pair { a, b } = plan.start();
    let Some(browser) = console("queues", &a)? else { return Ok(()) };
    browser.go("/queues")?;
    browser.press("[data-queue='to-b'] [data-do='freeze']")?;
    browser.see("#dialog", "Freeze to-b?")?;
    browser.picture("dialog-freeze")?;
    assert_ne!(queue(&a, "to-b")["state"], "frozen", "nothing happens before it is confirmed");
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("[data-queue='to-b']", "frozen")?;
    assert_eq!(queue(&a, "to-b")["state"], "frozen");

    a.send(ANNA, OPERATIONS, "waits in the frozen queue");
    browser.see("[data-queue='to-b'] td:nth-child(4)", "1")?;
    browser.press("[data-queue='to-b'] [data-do='drain']")?;
    browser.see("#dialog", "Route again 1 message?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "1 message routed again")?;
    browser.press("#dialog [data-do='close']")?;
    wait_for("the message in the other queue", || (queue(&a, "to-c")["messages"] == 1).then_some(()));
    assert_eq!(queue(&a, "to-b")["messages"], 0);
    browser.see("[data-queue='to-c'] td:nth-child(4)", "1")?;
    browser.picture("queues")?;

    browser.press("[data-queue='to-b'] [data-do='thaw']")?;
    wait_for("a thawed queue", || (queue(&a, "to-b")["state"] != "frozen").then_some(()));
    let before = a.ask("/api/v1/connectors/to-b")["traffic"]["associations_out"].as_u64();
    browser.press("[data-queue='to-b'] [data-do='retry']")?;
    wait_for("an association", || {
        let now = a.ask("/api/v1/connectors/to-b")["traffic"]["associations_out"].as_u64();
        (now > before).then_some(())
    });
    browser.go("/connectors/to-b")?;
    browser.see("h1", "to-b")?;
    browser.press(".head [data-do='connect']")?;
    browser.see(".toast", "an association is being opened")?;
    drop(b);
    has_no_complaints(&browser)
}

#[test]
fn some_queues_and_all_that_match_are_operated_on() -> Test {
    let mut plan: Plan = patient();
    plan.more_of_a = plan.link("C", "GAMMA", loopback()) + &plan.link("D", "DELTA", loopback());
    let Pair { a, b } = plan.start();
    let Some(browser) = console("several queues", &a)? else { return Ok(()) };
    let frozen = || ["to-b", "to-c", "to-d"].map(|name| queue(&a, name)["state"] == "frozen");
    browser.go("/queues")?;
    for name in ["to-c", "to-d"] {
        browser.press(&format!("[data-queue='{name}'] input"))?;
    }
    browser.see(".bulk", "2 selected")?;
    browser.press(".bulk [data-name='freeze']")?;
    browser.see("#dialog", "Freeze 2 queues?")?;
    browser.picture("dialog-freeze-queues")?;
    assert_eq!(frozen(), [false; 3], "nothing happens before it is confirmed");
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "2 queues frozen")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!(frozen(), [false, true, true]);

    // Those that are frozen, by the filter: one is thawed, the other stays.
    browser.see("[data-queue='to-d']", "frozen")?;
    browser.press("[data-state='frozen']")?;
    browser.wait("two queues", |browser| Ok((browser.count("#queues tbody tr")? == 2).then_some(())))?;
    browser.fill("[data-input='filter']", "MTA-D")?;
    browser.see(".bulk", "With all 1")?;
    browser.press(".bulk [data-name='thaw']")?;
    browser.see("#dialog", "Thaw 1 queue?")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "1 queue thawed")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!(frozen(), [false, true, false]);
    browser.see(".empty", "No queue is like that")?;

    // All that can be: the frozen one can't be tried, and that is said.
    browser.fill("[data-input='filter']", " \u{e003}")?;
    browser.press("[data-state='all']")?;
    browser.see(".bulk", "With all 3")?;
    browser.press(".bulk [data-name='retry']")?;
    let asked = browser.see("#dialog", "Retry 2 queues?")?;
    assert!(asked.contains("1 other stays as it is"), "{asked}");
    let before = a.ask("/api/v1/connectors/to-b")["traffic"]["associations_out"].as_u64();
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("#dialog", "2 queues tried")?;
    browser.press("#dialog [data-do='close']")?;
    wait_for("an association", || {
        let now = a.ask("/api/v1/connectors/to-b")["traffic"]["associations_out"].as_u64();
        (now > before).then_some(())
    });
    browser.press(".bulk [data-name='connect']")?;
    browser.see("#dialog", "Connect 3 queues?")?;
    browser.press("#dialog [data-do='close']")?;
    drop(b);
    has_no_complaints(&browser)
}
