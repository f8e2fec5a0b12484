//! A ladder as text: one line for each step, an arrow from one end to the other, and under it what is in it.

use super::{LadderConnection, LadderNode, LadderPage, LadderStep};

/// Characters between the two ends.
const WIDTH: usize = 46;
/// Where the left end stands, behind time and number.
const LEFT: usize = 23;

/// Draws a page; without what is in the steps if `brief`.
pub(crate) fn draw(page: &LadderPage, brief: bool) -> String {
    let mut text = String::new();
    for connection in &page.connections {
        heading(connection, &mut text);
        let mut steps = page.items.iter().filter(|step| step.connection == connection.number).peekable();
        if steps.peek().is_none() {
            text.push('\n');
            continue;
        }
        let (left, right) = ("initiator", "responder");
        text.push_str(&format!("\n{:LEFT$}{left}{right:>1$}\n", "", WIDTH + 2 - left.len()));
        for step in steps {
            self::step(step, &mut text);
            if !brief {
                step.details.iter().for_each(|node| detail(node, LEFT + 2, &mut text));
            }
        }
        text.push('\n');
    }
    text
}

fn heading(connection: &LadderConnection, text: &mut String) {
    let LadderConnection { number, initiator, responder, .. } = connection;
    text.push_str(&format!("Connection {number}: {initiator} to {responder}"));
    if let Some(role) = &connection.role {
        text.push_str(&format!("; this MTA is the {role}"));
    }
    if let Some(connector) = &connection.connector {
        text.push_str(&format!("; connector {connector}"));
    }
    text.push('\n');
    if let Some(began) = &connection.began {
        let ended =
            connection.ended.as_ref().map_or_else(|| "is open".to_owned(), |at| format!("ended {at}"));
        text.push_str(&format!("  began {began}, {ended}\n"));
    }
    if connection.lost_tpdus > 0 {
        text.push_str(&format!("  {} TPDUs are not at hand any more\n", connection.lost_tpdus));
    }
    if connection.cut > 0 {
        text.push_str(&format!(
            "  {} octets of long TPDUs are not kept and are read as zeros\n",
            connection.cut
        ));
    }
    for side in &connection.unfinished {
        text.push_str(&format!("  the {side} is in the middle of something where this ends\n"));
    }
}

fn step(step: &LadderStep, text: &mut String) {
    let label = match step.kind.as_str() {
        "opened" => "TCP opened".to_owned(),
        "closed" => "TCP closed".to_owned(),
        "reset" => "TCP reset".to_owned(),
        "gap" => format!("{} octets are missing", step.octets),
        "foreign" => "not RFC 1006".to_owned(),
        _ => layers(step),
    };
    let rule = if step.kind == "gap" { '.' } else { '-' };
    let arrow = arrow(&label, rule, step.from == "initiator");
    // The time of day; the date is in the heading.
    let time = step.time.get(11..26).unwrap_or(&step.time);
    text.push_str(&format!("{time:15} {:>6} {arrow}", step.number));
    if step.kind == "tpdu" {
        text.push_str(&format!(" {} octets", step.octets));
    }
    if step.cut > 0 {
        text.push_str(&format!(", {} not kept", step.cut));
    }
    text.push('\n');
    if let Some(completes) = &step.completes {
        text.push_str(&format!("{:LEFT$}  completes {completes}\n", ""));
    }
}

/// The PDUs from the outside to the inside; what follows itself is counted.
fn layers(step: &LadderStep) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for layer in &step.layers {
        match runs.last_mut() {
            Some((pdu, count)) if *pdu == layer.pdu => *count += 1,
            Some(_) | None => runs.push((&layer.pdu, 1)),
        }
    }
    let names = runs.into_iter().map(|(pdu, count)| match count {
        1 => pdu.to_owned(),
        count => format!("{pdu} x{count}"),
    });
    names.collect::<Vec<_>>().join(" / ")
}

/// `|-- LABEL ------>|`, or the other way; a label that is too long makes it longer.
fn arrow(label: &str, rule: char, to_the_right: bool) -> String {
    let room = WIDTH.saturating_sub(label.chars().count() + 5);
    let line: String = std::iter::repeat_n(rule, room).collect();
    if to_the_right {
        format!("|{rule}{rule} {label} {line}>|")
    } else {
        format!("|<{line} {label} {rule}{rule}|")
    }
}

fn detail(node: &LadderNode, indent: usize, text: &mut String) {
    text.push_str(&format!("{:indent$}{}", "", node.name));
    if let Some(value) = &node.value {
        let shown: String = value.chars().flat_map(visible).collect();
        text.push_str(&format!(": {shown}"));
    }
    text.push('\n');
    for child in &node.children {
        detail(child, indent + 2, text);
    }
}

/// Values come from the network: control characters must not reach a terminal.
fn visible(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}
