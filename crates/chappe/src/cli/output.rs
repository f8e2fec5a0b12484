//! Printing for people and for programs.
//!
//! What peers sent (subjects, names, diagnostic texts) reaches a terminal here, so control characters never do.

use std::io::{self, Write as _};

use serde::Serialize;

use super::failure::Failure;
use crate::style::{self, Paint};

/// Writes `text` to standard output. A reader that went away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Failure::Failed(format!("cannot write to standard output: {e}"))),
    }
}

/// Writes `value` to standard output as indented JSON.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::Failed(format!("cannot write the answer as JSON: {e}")))?;
    text.push('\n');
    print(&text)
}

/// `text` on one line without anything that a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi(c) { '\u{fffd}' } else { c }).collect()
}

/// Like [`one_line`], but line breaks and tabs stay.
pub(crate) fn many_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if (c.is_control() && c != '\n' && c != '\t') || is_bidi(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Characters that reorder what stands around them and so can make a line lie.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A table of left-aligned columns under capital headings; numbers are right-aligned.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Table { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// The table as text, one line per row, without trailing blanks; with colours if standard output is a terminal.
    pub(crate) fn text(&self) -> String {
        self.render(style::on_stdout())
    }

    fn render(&self, colours: bool) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain(self.headings.get(column).map(|h| h.len())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let mut text = String::new();
        let headings: Vec<String> = self.headings.iter().map(|h| (*h).to_owned()).collect();
        for (n, row) in std::iter::once(&headings).chain(&self.rows).enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line.push_str("  ");
                }
                let right = n > 0 && !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit())
                    || n == 0 && self.is_numeric(column);
                let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
                let heading = self.headings.get(column).copied().unwrap_or_default();
                let paint = if n == 0 { Some(Paint::Heading) } else { paint_of(heading, cell) };
                let cell = match paint.filter(|_| colours) {
                    Some(paint) => paint.on(cell),
                    None => cell.clone(),
                };
                let (first, second) = if right { (&blanks, &cell) } else { (&cell, &blanks) };
                line.push_str(first);
                line.push_str(second);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some()
            && cells.all(|cell| !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit()))
    }
}

/// Named values, one per line, lined up.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let colours = style::on_stdout();
    let line = |(name, value): &(&str, String)| {
        let value = one_line(value);
        let value = match paint_of(name, &value).filter(|_| colours) {
            Some(paint) => paint.on(&value),
            None => value,
        };
        format!("{name:width$}  {value}\n")
    };
    fields.iter().map(line).collect()
}

/// The colour of a word that says how something stands; what merely is has none.
pub(crate) fn paint_of(heading: &str, word: &str) -> Option<Paint> {
    if !["STATE", "SEVERITY"].iter().any(|of_words| heading.eq_ignore_ascii_case(of_words)) {
        return None;
    }
    match word {
        "ready" | "active" | "on time" => Some(Paint::Good),
        "retry" | "frozen" | "held" | "pending reroute" | "disabled" | "stopping" | "stopped"
        | "degraded" | "warning" | "late" => Some(Paint::Doubtful),
        "error" | "alarm" => Some(Paint::Bad),
        _ => None,
    }
}

/// Octets as a person reads them: `17 B`, `4.2 KB`, `1.0 GB` (1 KB is 1,024 octets).
pub(crate) fn size(octets: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if octets < 1024 {
        return format!("{octets} B");
    }
    // A display value: losing the low bits of a huge number is what rounding is for.
    let mut value = octets as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in UNITS.iter().skip(1) {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `text`, or a dash where there is nothing.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.filter(|t| !t.is_empty()).unwrap_or("-").to_owned()
}

/// `1 message`, `2 messages`.
pub(crate) fn count(n: u64, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let mut table = Table::new(&["NAME", "WAITING"]);
        table.row(["to-b".to_owned(), "7".to_owned()]);
        table.row(["to-everyone".to_owned(), "12345678".to_owned()]);
        assert_eq!(
            table.render(false),
            "NAME          WAITING\nto-b                7\nto-everyone  12345678\n"
        );
    }

    #[test]
    fn colours_say_how_something_stands_and_move_nothing() {
        let mut table = Table::new(&["NAME", "STATE", "WAITING"]);
        table.row(["ready".to_owned(), "ready".to_owned(), "7".to_owned()]);
        table.row(["to-b".to_owned(), "retry".to_owned(), "123".to_owned()]);
        let coloured = table.render(true);
        assert_eq!(coloured.lines().nth(1), Some("ready  \u{1b}[32mready\u{1b}[0m        7"));
        assert_eq!(coloured.lines().nth(2), Some("to-b   \u{1b}[33mretry\u{1b}[0m      123"));
        let mut plain = coloured;
        for code in ["1", "31", "32", "33", "0"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, table.render(false));
    }

    #[test]
    fn a_subject_can_not_drive_the_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(many_lines("a\u{1b}[2Jb\r\nc\t\u{202e}"), "a\u{fffd}[2Jb\nc\t\u{fffd}");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(4301), "4.2 KB");
        assert_eq!(size(1 << 20), "1.0 MB");
        assert_eq!(size(u64::MAX), "16384.0 PB");
    }
}
