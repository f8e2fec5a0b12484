//! The `key=value` notation of F.401 Annex F, without knowledge of what the keys mean.
//!
//! Components are separated by `;`, or by `/` if the text starts with one. A separator inside a value is
//! doubled. An empty component is skipped, so a separator may also stand at the end. As an extension a
//! value may be enclosed in quotation marks, inside which only the quotation mark is doubled; values that
//! would be ambiguous otherwise are written so.

use core::fmt;

use super::error::{AddressError, AddressErrorKind};

/// One `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// As written, white space around it removed.
    pub(crate) key: String,
    /// Unescaped. White space around it is removed unless it was quoted; a value of white space alone is
    /// one space.
    pub(crate) value: String,
    /// Characters in front of the component.
    pub(crate) position: usize,
}

impl Component {
    pub(crate) fn error(&self, kind: AddressErrorKind) -> AddressError {
        AddressError { position: self.position, key: self.key.clone(), kind }
    }
}

/// Takes `text` apart. `is_key` is asked with upper-case keys.
pub(crate) fn split(text: &str, is_key: impl Fn(&str) -> bool) -> Result<Vec<Component>, AddressError> {
    let mut scanner = Scanner { rest: text, position: 0, separator: ';' };
    scanner.skip_white_space();
    let slashes = !text.contains(';')
        && text.split('/').skip(1).any(|part| {
            part.split_once('=').is_some_and(|(key, _)| is_key(&key.trim().to_ascii_uppercase()))
        });
    if scanner.rest.starts_with('/') || slashes {
        scanner.separator = '/';
    }
    let mut components = Vec::new();
    while let Some(component) = scanner.component(&is_key)? {
        components.push(component);
    }
    if components.is_empty() {
        return Err(AddressError { position: 0, key: String::new(), kind: AddressErrorKind::Empty });
    }
    Ok(components)
}

struct Scanner<'a> {
    rest: &'a str,
    position: usize,
    separator: char,
}

impl Scanner<'_> {
    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        self.position += 1;
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip_white_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    fn component(&mut self, is_key: &impl Fn(&str) -> bool) -> Result<Option<Component>, AddressError> {
        self.skip_white_space();
        while self.peek() == Some(self.separator) {
            self.bump();
            self.skip_white_space();
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let position = self.position;
        let mut key = String::new();
        loop {
            match self.bump() {
                // The type of a domain-defined attribute is part of the key; `=` in it is doubled.
                Some('=') if key.contains(':') && self.peek() == Some('=') => {
                    self.bump();
                    key.push('=');
                }
                Some('=') => break,
                Some(c) if c == self.separator && key.contains(':') && self.peek() == Some(c) => {
                    self.bump();
                    key.push(c);
                }
                Some(c) if c != self.separator => key.push(c),
                Some(_) | None => {
                    let kind = AddressErrorKind::NoEquals;
                    return Err(AddressError { position, key: key.trim().to_owned(), kind });
                }
            }
        }
        let key = key.trim().to_owned();
        let name = key.split(':').next().unwrap_or_default().trim().to_ascii_uppercase();
        if !is_key(&name) {
            return Err(AddressError { position, key, kind: AddressErrorKind::UnknownKey });
        }
        let value = match self.value() {
            Some(value) => value,
            None => return Err(AddressError { position, key, kind: AddressErrorKind::Quote }),
        };
        Ok(Some(Component { key, value, position }))
    }

    /// `None` if quotation marks are wrong.
    fn value(&mut self) -> Option<String> {
        if self.rest.trim_start().starts_with('"') {
            self.skip_white_space();
            return self.quoted();
        }
        let mut value = String::new();
        while let Some(c) = self.bump() {
            if c == self.separator {
                if self.peek() != Some(c) {
                    break;
                }
                self.bump();
            }
            value.push(c);
        }
        let trimmed = value.trim();
        // A blank ADMD is one space, and must stay one.
        Some(if trimmed.is_empty() && !value.is_empty() { " ".to_owned() } else { trimmed.to_owned() })
    }

    fn quoted(&mut self) -> Option<String> {
        self.bump();
        let mut value = String::new();
        loop {
            match self.bump()? {
                '"' if self.peek() == Some('"') => {
                    self.bump();
                    value.push('"');
                }
                '"' => break,
                c => value.push(c),
            }
        }
        self.skip_white_space();
        match self.bump() {
            Some(c) if c == self.separator => Some(value),
            None => Some(value),
            Some(_) => None,
        }
    }
}

/// Writes one component, a separator in front of it unless it is the first.
pub(crate) fn write_component(
    f: &mut (impl fmt::Write + ?Sized),
    key: &str,
    value: &str,
    first: bool,
) -> fmt::Result {
    // Nothing is in front of an empty component; it shows that a slash in the type of a domain-defined attribute
    // separates nothing, even if no other component comes.
    if !first || key.contains('/') {
        f.write_char(';')?;
    }
    f.write_str(key)?;
    f.write_char('=')?;
    let blank = value == " ";
    // A slash could be taken for a separator where no semicolon shows which one is meant.
    let ambiguous = value.starts_with(['"', '='])
        || value.contains('/') && value.contains('=')
        || value.trim() != value && !blank;
    if ambiguous {
        f.write_char('"')?;
        write_doubled(f, value, '"')?;
        f.write_char('"')
    } else {
        write_doubled(f, value, ';')
    }
}

/// Writes the type of a domain-defined attribute as part of a key.
pub(crate) fn doubled_type(attribute_type: &str) -> String {
    attribute_type.replace('=', "==").replace(';', ";;")
}

fn write_doubled(f: &mut (impl fmt::Write + ?Sized), value: &str, special: char) -> fmt::Result {
    value.chars().try_for_each(|c| {
        if c == special {
            f.write_char(c)?;
        }
        f.write_char(c)
    })
}
