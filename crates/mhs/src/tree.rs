//! A decoded value as a tree of names and texts: what the decode tool prints, as text or as JSON.

use core::fmt;

/// A named node with a value, children, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The component's name in its Recommendation.
    pub name: String,
    /// Its value in words, if it has one of its own.
    pub value: Option<String>,
    /// Its components, in the order in which they stand.
    pub children: Vec<Tree>,
}

impl Tree {
    /// A node without value or children.
    pub fn new(name: impl Into<String>) -> Self {
        Tree { name: name.into(), value: None, children: Vec::new() }
    }

    /// A node with a value.
    pub fn leaf(name: impl Into<String>, value: impl fmt::Display) -> Self {
        Tree { name: name.into(), value: Some(value.to_string()), children: Vec::new() }
    }

    /// Adds a child.
    pub fn push(&mut self, child: Tree) {
        self.children.push(child);
    }

    /// Adds a child with a value.
    pub fn add(&mut self, name: &str, value: impl fmt::Display) {
        self.push(Tree::leaf(name, value));
    }

    /// This node with children.
    #[must_use]
    pub fn with(mut self, children: impl IntoIterator<Item = Tree>) -> Self {
        self.children.extend(children);
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, level: usize) -> fmt::Result {
        write!(f, "{:1$}{2}", "", level * 2, self.name)?;
        if let Some(value) = &self.value {
            f.write_str(": ")?;
            value.chars().try_for_each(|c| write_visible(f, c))?;
        }
        writeln!(f)?;
        self.children.iter().try_for_each(|child| child.write(f, level + 1))
    }
}

/// Values come from the network: control characters must not reach a terminal.
fn write_visible(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
}

/// One line a node, two spaces a level. Control characters in values are escaped.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_line_and_control_characters_are_escaped() {
        let mut tree = Tree::new("envelope");
        tree.add("name", "a\nb\u{1b}[2Jü");
        tree.push(Tree::new("list").with([Tree::leaf("number", 1)]));
        assert_eq!(tree.to_string(), "envelope\n  name: a\\nb\\u{1b}[2Jü\n  list\n    number: 1\n");
    }
}
