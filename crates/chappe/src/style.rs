//! Colours, for terminals only.

use std::io::{self, IsTerminal};

/// What a piece of text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// All is well.
    Good,
    /// Something waits or is tried again.
    Doubtful,
    /// Something is wrong.
    Bad,
    /// A heading.
    Heading,
}

impl Paint {
    /// `text` in this colour.
    pub(crate) fn on(self, text: &str) -> String {
        let code = match self {
            Paint::Good => "32",
            Paint::Doubtful => "33",
            Paint::Bad => "31",
            Paint::Heading => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether colours are wanted at all: the variable `NO_COLOR`, if it is not empty, says no, and so does a terminal that
/// calls itself dumb.
pub(crate) fn wanted() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Whether what goes to standard output is coloured.
pub(crate) fn on_stdout() -> bool {
    io::stdout().is_terminal() && wanted()
}
