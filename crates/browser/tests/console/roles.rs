//! Who may do what: a token opens the console, and its role says what can be pressed.

use crate::support::{ANNA, OPERATIONS, Pair, Plan, http, wait_for};
use crate::{Test, console};

#[test]
fn a_token_opens_the_console_as_far_as_its_role_goes() -> Test {
    let plan = Plan::default();
    let Pair { mut a, b } = plan.build();
    let tokens: Vec<String> = [("anna", "operator"), ("bert", "viewer")]
        .into_iter()
        .map(|(name, role)| {
            let file = a.file(name, format!("token-of-{name}\n").as_bytes());
            format!("{{ name = \"{name}\", role = \"{role}\", token_file = {file:?} }}")
        })
        .collect();
    let text = plan.text(&a, "ALPHA") + &format!("api_tokens = [{}]\n", tokens.join(", "));
    a.configure(&(text + &plan.link("B", "BETA", plan.a_connects_to)));
    a.start();
    // It waits, since nobody listens.
    let token = a.path("anna");
    let id = a.submit(&[
        "--token-file",
        token.to_str().expect("a plain path"),
        "--from",
        ANNA,
        "--to",
        OPERATIONS,
        "--subject",
        "Plain secret",
        "--text",
        "x",
    ]);
    let Some(browser) = console("roles", &a)? else { return Ok(()) };
    browser.visit("/")?;
    browser.see("h1", "Chappe")?;
    browser.picture("login")?;
    assert_eq!(browser.count("#side a")?, 0, "nothing is shown to nobody");
    browser.fill("#token", "a guess\u{e007}")?;
    browser.see(".problem", "token is wrong")?;
    browser.fill("#token", "token-of-bert\u{e007}")?;
    browser.see("#side", "bert")?;
    browser.go("/queues")?;
    browser.see("[data-queue='to-b']", "retry")?;
    let freeze = "[data-queue='to-b'] [data-do='freeze']";
    assert_eq!(browser.count(&format!("{freeze}:disabled"))?, 1, "a viewer presses nothing");
    // Who may not edit settings reads them, but for secrets.
    browser.go("/connectors/to-b")?;
    let general = browser.see("#settings", "set (not shown)")?;
    assert!(general.contains("MTA-B") && !general.contains("password of"), "{general}");
    assert_eq!(browser.count("#settings input")?, 0);
    // Nor does he see what a message is about, whatever names it, and he can't ask for it.
    let secret = "return document.body.innerText.includes('Plain secret')";
    browser.go(&format!("/tracking?id={}", http::encode(&id)))?;
    browser.see(".history", "message-submitted")?;
    assert_eq!(browser.script(secret, Vec::new())?, false, "a subject is shown to a viewer");
    assert_eq!(browser.count("input[name='subject']:disabled")?, 1);
    browser.go("/tracking?subject=secret")?;
    browser.see(".problem", "not for viewers")?;
    browser.go(&format!("/messages/{}", http::encode(&id)))?;
    browser.see("main", OPERATIONS)?;
    assert_eq!(browser.script(secret, Vec::new())?, false, "a subject is shown to a viewer");
    browser.picture("message-for-viewer")?;
    browser.press("[data-do='logout']")?;
    browser.fill("#token", "token-of-anna\u{e007}")?;
    browser.see("#side", "anna, operator")?;
    browser.go(&format!("/tracking?id={}", http::encode(&id)))?;
    browser.see(".history", "Plain secret")?;
    browser.go("/tracking?subject=secret")?;
    browser.see(".history", "Plain secret")?;
    browser.go("/queues")?;
    browser.press(freeze)?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see("[data-queue='to-b']", "frozen")?;
    browser.go("/events")?;
    wait_for("the event of what anna did", || browser.see(".events", "anna").ok());
    drop(b);
    Ok(())
}
