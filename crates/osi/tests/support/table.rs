//! A table of states and events in text: what a machine does with each event in each state, events with the same outcome
//! in one line.
#![allow(dead_code, reason = "each test uses its part")]

/// One block of a table: a state, and the outcome of each event in it.
pub(crate) struct Block {
    pub(crate) state: String,
    pub(crate) cells: Vec<(String, String)>,
}

/// Longest line, in characters.
const WIDTH: usize = 118;

/// The table as it is written in the file.
pub(crate) fn render(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        text.push_str(&format!("{}\n", block.state));
        let mut outcomes: Vec<(&str, Vec<&str>)> = Vec::new();
        for (event, outcome) in &block.cells {
            match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, events)) => events.push(event),
                None => outcomes.push((outcome, vec![event])),
            }
        }
        for (outcome, events) in outcomes {
            let mut line = String::from("  ");
            for event in events {
                if line.len() + event.len() + 1 > WIDTH {
                    text.push_str(line.trim_end());
                    text.push('\n');
                    line = String::from("  ");
                }
                line.push_str(event);
                line.push(' ');
            }
            text.push_str(&format!("{}\n      => {outcome}\n", line.trim_end()));
        }
        text.push('\n');
    }
    text
}

/// Compares a table with the one that was written down.
pub(crate) fn assert_is(blocks: &[Block], expected: &str) {
    let rendered = render(blocks);
    let written: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
    let written = written.join("\n");
    let mut state = "";
    for (line, (found, expected)) in rendered.trim().lines().zip(written.trim().lines()).enumerate() {
        if !found.starts_with(' ') {
            state = found;
        }
        assert_eq!(found, expected, "line {line}, state {state}; the whole table is\n{rendered}");
    }
    assert_eq!(rendered.trim().lines().count(), written.trim().lines().count(), "{rendered}");
}
