//! Selectors in tables: `called_selectors`, `calling_selectors`, `listen.selectors`.

use agent::settings::{Selectors, ServedSelectors, parse_selector};

use super::section::Section;

/// Selectors of one end; what is left out is absent.
pub(super) fn read(mut section: Section<'_>) -> Selectors {
    let selectors = Selectors {
        transport: selector(&mut section, "transport").unwrap_or_default(),
        session: selector(&mut section, "session").unwrap_or_default(),
        presentation: selector(&mut section, "presentation").unwrap_or_default(),
    };
    section.finish();
    selectors
}

/// An address that is served; what is left out may be anything.
pub(super) fn read_served(mut section: Section<'_>) -> ServedSelectors {
    let selectors = ServedSelectors {
        transport: selector(&mut section, "transport"),
        session: selector(&mut section, "session"),
        presentation: selector(&mut section, "presentation"),
    };
    section.finish();
    selectors
}

fn selector(section: &mut Section<'_>, key: &'static str) -> Option<Vec<u8>> {
    let text = section.string(key)?;
    match parse_selector(&text.value) {
        Ok(octets) => Some(octets),
        Err(error) => {
            section.problems().wrong(
                text.at,
                format!("{}: {error}", text.path),
                "write visible ASCII characters, or two hexadecimal digits for each octet as in \"0x7473\"",
            );
            // A stand-in, so that nothing else is said of it.
            Some(b"?".to_vec())
        }
    }
}
