//! A picture of the screen: lines of styled text, cut to a width. What becomes of it (a terminal, a pipe, a test) is not known
//! here.

use super::super::output::one_line;

/// What a piece of text tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    /// Nothing.
    #[default]
    Plain,
    /// A title, or what is selected.
    Inverse,
    /// A heading.
    Bold,
    /// All is well.
    Good,
    /// Something waits or is tried again.
    Doubtful,
    /// Something is wrong.
    Bad,
}

/// One line: pieces of text, each in its style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line(pub(super) Vec<(Style, String)>);

impl Line {
    pub(super) fn styled(style: Style, text: &str) -> Line {
        Line(vec![(style, one_line(text))])
    }

    pub(super) fn plain(text: &str) -> Line {
        Line::styled(Style::Plain, text)
    }

    /// The same with one more piece.
    pub(super) fn and(mut self, style: Style, text: &str) -> Line {
        self.0.push((style, one_line(text)));
        self
    }

    /// At most `width` characters of it.
    fn cut(self, width: usize) -> Line {
        let mut left = width;
        let pieces = self.0.into_iter().filter_map(|(style, text)| {
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            (!text.is_empty()).then_some((style, text))
        });
        Line(pieces.collect())
    }

    /// All of it in inverse, as wide as the screen.
    pub(super) fn inverse(self, width: usize) -> Line {
        let text = self.text();
        Line::styled(Style::Inverse, &format!("{text:width$}"))
    }

    /// Without styles.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// A screen full of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) lines: Vec<Line>,
}

impl Frame {
    /// Lines cut to a width and to a number.
    pub(super) fn new(lines: Vec<Line>, width: usize, height: usize) -> Frame {
        Frame { lines: lines.into_iter().take(height).map(|line| line.cut(width)).collect() }
    }

    /// Without styles, for what is no terminal.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect()
    }
}
