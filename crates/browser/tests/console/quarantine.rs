//! Quarantine: what is there and why, exported, released and deleted, each after a word on what will happen.

use std::fs;

use crate::support::{ANNA, OPERATIONS, Outcome, Pair, Site, chappe, items, wait_for};
use crate::{Test, console, has_no_complaints, patient};

/// A text that is found again in the store.
const MARK: &[u8] = b"the text that rots on the disk";

/// Turns over a bit of the stored content, as a bad disk does; done twice it is whole again.
fn rot(site: &Site) {
    // The first octet is the one that is turned, so it is looked for without that.
    let (_, rest) = MARK.split_first().expect("there is a text");
    let mut found = 0;
    for segment in fs::read_dir(site.data().join("segments")).expect("the store has segments") {
        let path = segment.expect("an entry").path();
        let mut octets = fs::read(&path).expect("a segment");
        let windows = octets.windows(rest.len()).enumerate();
        let places: Vec<usize> =
            windows.filter(|(_, window)| *window == rest).map(|(at, _)| at - 1).collect();
        places.iter().for_each(|at| octets[*at] ^= 0x20);
        found += places.len();
        fs::write(&path, octets).expect("the segment can be written");
    }
    assert!(found > 0, "the content is in no segment");
}

fn quarantined(site: &Site) -> Vec<serde_json::Value> {
    items(&site.ask("/api/v1/quarantine"))
}

#[test]
fn what_could_not_be_dealt_with_is_told_exported_released_and_deleted() -> Test {
    let Pair { mut a, mut b } = patient().build();
    a.start();
    let text = std::str::from_utf8(MARK).expect("it is text");
    let id = a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "Fog", "--text", text]);
    wait_for("the message in its queue", || (a.waiting().len() == 1).then_some(()));
    a.stop();
    rot(&a);
    let data = a.data();
    let repaired = chappe(&["check", "--repair", data.to_str().expect("a plain path")]);
    assert!(repaired.stdout.contains("put into quarantine"), "{repaired:?}");
    a.start();
    let Some(browser) = console("quarantine", &a)? else { return Ok(()) };

    browser.visit("/console/#/quarantine")?;
    let row = browser.see("#quarantine tbody tr", "to-b")?;
    for part in [ANNA, "message", "is damaged", "not told", "ago", "Export"] {
        assert!(row.contains(part), "no {part} in {row}");
    }
    browser.picture("quarantine")?;
    // The disk is mended: it goes on as if nothing had been.
    rot(&a);
    let export = "const link = document.querySelector('#quarantine a[download]'); \
                  return fetch(link.href).then((answer) => answer.status + ' ' + link.download)";
    let exported = browser.script(export, Vec::new())?;
    assert!(exported.as_str().is_some_and(|text| text.ends_with(".ber")), "{exported}");
    b.start();
    browser.press("#quarantine [data-do='release']")?;
    browser.see("#dialog", "from quarantine?")?;
    browser.see("#dialog", "goes back into the work queue")?;
    browser.picture("dialog-release-quarantine")?;
    assert_eq!(quarantined(&a).len(), 1, "nothing happens before it is confirmed");
    browser.press("#dialog [data-do='confirm']")?;
    browser.see(".empty", "Nothing is in quarantine")?;
    assert_eq!(quarantined(&a).len(), 0);
    a.run(&["queue", "retry", "to-b"]).ok();
    let mail = b.wait_for_mail(OPERATIONS, 1);
    assert_eq!(mail[0]["mts_id"], id.as_str());

    // Another one is deleted.
    b.stop();
    a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", "Fog", "--text", text]);
    wait_for("the second in its queue", || (a.waiting().len() == 1).then_some(()));
    a.stop();
    rot(&a);
    chappe(&["check", "--repair", data.to_str().expect("a plain path")]);
    a.start();
    browser.visit("/console/")?;
    browser.see("h1", "all is well")?;
    browser.keys("gu")?;
    browser.press("#quarantine [data-do='delete']")?;
    browser.see("#dialog", "for good?")?;
    browser.see("#dialog", "was not told")?;
    browser.picture("dialog-delete-quarantine")?;
    browser.press("#dialog [data-do='close']")?;
    assert_eq!(quarantined(&a).len(), 1);
    browser.press("#quarantine [data-do='delete']")?;
    browser.press("#dialog [data-do='confirm']")?;
    browser.see(".empty", "Nothing is in quarantine")?;
    assert_eq!(quarantined(&a).len(), 0);
    browser.picture("quarantine-empty")?;
    has_no_complaints(&browser)
}
