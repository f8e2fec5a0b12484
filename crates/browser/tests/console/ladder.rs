//! The ladder of an association: drawn while it is open, with all fields, up to the cut that ends it.

use testkit::{Break, Proxy};

use crate::support::{ANNA, OPERATIONS, Pair};
use crate::{Test, console, has_no_complaints, patient};

#[test]
fn an_association_is_drawn_pdu_by_pdu_up_to_the_cut() -> Test {
    let mut plan = patient();
    let wire = Proxy::start(plan.b_p1).expect("a proxy starts");
    plan.a_connects_to = wire.address();
    let Pair { a, b } = plan.start();
    let Some(browser) = console("the ladder", &a)? else { return Ok(()) };
    a.send(ANNA, OPERATIONS, "on the ladder");
    b.wait_for_mail(OPERATIONS, 1);
    browser.go("/associations")?;
    browser.press(".associations a[href^='#/associations/']")?;
    browser.see("h1", "Association 1")?;
    for pdu in ["CR", "CC", "CN", "AC", "AARQ", "AARE", "RTORQ", "AS", "AE", "complete"] {
        browser.see(".ladder", pdu)?;
    }
    browser.picture("ladder")?;
    browser.press(".ladder details summary")?;
    browser.see(".ladder details[open] .tree", "TPDU size")?;
    let secret = browser.text("main")?.unwrap_or_default();
    assert!(!secret.contains("password of"), "passwords are masked");
    browser.picture("ladder-details")?;
    let capture = "const link = document.querySelector('.head a[download]'); \
                   return fetch(link.href).then((answer) => answer.arrayBuffer()) \
                   .then((octets) => [link.download, new DataView(octets).getUint32(0, true), octets.byteLength])";
    let capture = browser.script(capture, Vec::new())?;
    assert_eq!(
        (&capture[0], &capture[1]),
        (&"association-1.pcap".into(), &0xa1b2_c3d4_u32.into()),
        "{capture}"
    );
    assert!(capture[2].as_u64() > Some(1_000), "{capture}");

    wire.break_all(Break::Reset);
    browser.see(".ladder", "TCP reset")?;
    browser.see("section header", "Ended")?;
    browser.picture("ladder-reset")?;
    has_no_complaints(&browser)
}
