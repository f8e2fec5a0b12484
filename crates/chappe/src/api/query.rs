//! Parameters of requests.

use mhs::OrAddress;

use super::error::ApiError;

/// Default length of a page.
const DEFAULT_LIMIT: usize = 50;
/// Longest page.
pub(super) const MAX_LIMIT: usize = 1000;

/// The decoded query of a request, every name as often as it was given.
#[derive(Debug)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    /// Refuses names that the request does not know: a mistyped one must not be ignored.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some((name, _)) => Err(ApiError::bad_request(
                format!("there is no parameter `{name}` here"),
                if known.is_empty() {
                    "none are known".to_owned()
                } else {
                    format!("known are {}", known.join(", "))
                },
            )),
        }
    }

    /// Every value of `name`.
    pub(crate) fn all<'q>(&'q self, name: &str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The only value of `name`, if there is one.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() {
            return Err(ApiError::bad_request(format!("`{name}` is given twice"), "give it once"));
        }
        Ok(value)
    }

    /// Length of the page asked for.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.one("limit")? else { return Ok(DEFAULT_LIMIT) };
        text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
            ApiError::bad_request(
                format!("limit `{text}` is out of range"),
                format!("choose 1 to {MAX_LIMIT}"),
            )
        })
    }

    /// Whether `name` is asked for: `true` or `false`, which is the default.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(ApiError::bad_request(
                format!("{name} `{text}` is not known"),
                "choose one of true, false",
            )),
        }
    }

    /// The number behind which the page begins.
    pub(crate) fn after(&self) -> Result<Option<u64>, ApiError> {
        self.one("after")?.map(|text| number(text, "after")).transpose()
    }
}

/// A number in a request.
pub(crate) fn number(text: &str, what: &str) -> Result<u64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::bad_request(format!("{what} `{text}` is not a number"), "give a number"))
}

/// An O/R address in a request.
pub(crate) fn address(text: &str, what: &str) -> Result<OrAddress, ApiError> {
    OrAddress::parse(text)
        .map_err(|error| ApiError::bad_request(format!("{what} `{text}`"), error.to_string()))
}
