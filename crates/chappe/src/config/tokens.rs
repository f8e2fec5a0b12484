//! `listen.api_token_file` and `listen.api_tokens`: who may use the API.

use super::mta::secret_file;
use super::section::Section;
use crate::roles::{ApiToken, Role};

/// Most tokens: every request with a wrong one is compared with all of them.
const MAX_TOKENS: usize = 100;
/// Longest name of a token.
const MAX_NAME: usize = 64;

/// All tokens of `[listen]`.
pub(super) fn read(section: &mut Section<'_>) -> Vec<ApiToken> {
    let mut tokens: Vec<ApiToken> = Vec::new();
    if let Some(text) = section.string("api_token_file") {
        let secret = secret_file(section, &text);
        let (name, role) = (ApiToken::UNNAMED.to_owned(), Role::Administrator);
        tokens.extend(secret.map(|secret| ApiToken { name, role, secret }));
    }
    let (tables, at) = (section.sections("api_tokens"), section.at());
    if tables.is_empty() && section.has("api_tokens") {
        section.problems().wrong(at, "there is no token in `api_tokens`", "add one, or remove the line");
    }
    if tables.len() > MAX_TOKENS {
        section.problems().wrong(
            tables.first().map_or(0, Section::at),
            format!("there are {} api_tokens", tables.len()),
            format!("keep {MAX_TOKENS} at most"),
        );
    }
    for table in tables.into_iter().take(MAX_TOKENS) {
        let (at, problems) = (table.at(), table.problems());
        let Some(token) = token(table) else { continue };
        // Who is told apart in the event log must be told apart here.
        if tokens.iter().any(|other| other.name == token.name) {
            let what = format!("two tokens have the name `{}`", token.name);
            problems.wrong(at, what, "give each a name of its own");
        } else if let Some(other) = tokens.iter().find(|other| other.secret == token.secret) {
            let what = format!("`{}` and `{}` have the same token", other.name, token.name);
            problems.wrong(at, what, "give each a token of its own, as from `openssl rand -hex 32`");
        } else {
            tokens.push(token);
        }
    }
    tokens
}

fn token(mut section: Section<'_>) -> Option<ApiToken> {
    let name = section.required_string("name", "\"anna\"").and_then(|text| {
        let fits =
            (1..=MAX_NAME).contains(&text.value.len()) && text.value.bytes().all(|b| b.is_ascii_graphic());
        if !fits {
            section.problems().wrong(
                text.at,
                format!("{}: `{}` can't be a name", text.path, text.value),
                format!("use 1 to {MAX_NAME} visible ASCII characters without blanks"),
            );
        }
        fits.then_some(text.value)
    });
    if !section.has("role") {
        section.missing("role", "\"operator\"");
    }
    let role = section.choice("role", &Role::ALL, Role::Viewer);
    let secret = section
        .required_string("token_file", "\"secrets/api-anna\"")
        .and_then(|text| secret_file(&section, &text));
    section.finish();
    Some(ApiToken { name: name?, role, secret: secret? })
}
