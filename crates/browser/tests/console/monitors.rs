//! Link monitors: on time while the path works, late and an alarm when it is cut, and remembered afterwards.

use testkit::{Break, Fault, Proxy};

use crate::support::{Pair, Plan};
use crate::{Test, console, has_no_complaints};

const MONITOR: &str = "[[link_monitor]]\nname = \"beta\"\nfrom = \"S=monitor;P=ALPHA;A= ;C=GB\"\n\
                       to = \"S=monitor;P=BETA;A= ;C=GB\"\nevery_s = 10\nlate_after_s = 10\nalarm_after_s = 20\n";

#[test]
fn a_path_that_is_cut_is_late_then_an_alarm_and_remembered() -> Test {
    let retry = "open_interval_s = 2\ntransfer_interval_s = 1\n".to_owned();
    let mut plan = Plan { retry, more_of_a: MONITOR.to_owned(), ..Plan::default() };
    let wire = Proxy::start(plan.b_p1).expect("a proxy starts");
    plan.a_connects_to = wire.address();
    let Pair { a, b } = plan.start();
    let Some(browser) = console("link monitors", &a)? else { return Ok(()) };
    browser.visit("/console/")?;
    browser.see("h1", "all is well")?;
    browser.keys("gl")?;
    let row = browser.see("[data-monitor='beta']", "On time")?;
    for part in ["a probe every 10 s", "delivery report", "P=BETA", "late after 10 s"] {
        assert!(row.contains(part), "no {part} in {row}");
    }
    browser.see(".empty", "Never late")?;
    browser.picture("monitors")?;

    // Tried every two seconds, so for some forty.
    (0..20).for_each(|_| wire.plan(Fault::Refuse));
    wire.break_all(Break::Reset);
    browser.see("[data-alarm='beta']", "does not come back")?;
    browser.see("[data-monitor='beta'] .state", "Alarm")?;
    browser.see("#late", "not yet")?;
    browser.picture("monitors-alarm")?;

    browser.see("[data-monitor='beta'] .state", "On time")?;
    let late = browser.see("#late", "alarm")?;
    assert!(!late.contains("not yet"), "{late}");
    browser.gone("[data-alarm='beta']")?;
    drop(b);
    has_no_complaints(&browser)
}
