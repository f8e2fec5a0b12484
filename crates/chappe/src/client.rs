//! The command line's side of the HTTP API: blocking, streamed both ways, errors sorted by exit status.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, SendBody};

use crate::cli::failure::Failure;
use crate::model::ErrorBody;

/// Longest JSON answer that is read; lists come in pages far smaller than this.
const MAX_JSON_OCTETS: u64 = 64 << 20;
/// Longest token in a token file, with its line end.
const MAX_TOKEN_OCTETS: u64 = 4096;

/// A connection to one service.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl Client {
    /// A client of the service at `api` (as in `http://127.0.0.1:8400`), with the token in `token_file` if given.
    pub(crate) fn new(api: &str, token_file: Option<&Path>) -> Result<Client, Failure> {
        let base = api.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") || base.len() == "http://".len() {
            return Err(Failure::Usage(format!(
                "--api {api}: not the address of a service; write it as http://HOST:PORT"
            )));
        }
        let authorization = token_file.map(read_token).transpose()?.map(|token| format!("Bearer {token}"));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The service is named by the operator and is near; a proxy from the environment is not meant for it.
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            // Covers the service's own work for one answer. Bodies have no limit: 1 GiB takes what it takes.
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .build();
        Ok(Client { agent: config.new_agent(), base, authorization })
    }

    /// The answer to a GET of `path` with `query`, from JSON.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        self.json(self.send_get(path, query)?)
    }

    /// The body of the answer to a GET, as a stream, and its length if the service tells it.
    pub(crate) fn stream(&self, path: &str) -> Result<(impl Read + use<>, Option<u64>), Failure> {
        let body = self.send_get(path, &[])?.into_body();
        let length = body.content_length();
        Ok((body.into_with_config().limit(u64::MAX).reader(), length))
    }

    /// The answer to a POST of `length` octets from `body`, from JSON.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        content_type: &str,
        length: u64,
        body: &mut dyn Read,
    ) -> Result<T, Failure> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        request = request.query_pairs(query.iter().map(|(k, v)| (*k, v.as_str())));
        request = request.header("content-type", content_type).header("content-length", length);
        if length > 0 {
            // A refusal then comes before the body is sent, and is read instead of being lost in a broken pipe.
            request = request.header("expect", "100-continue");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send(SendBody::from_reader(body)).map_err(|e| self.transport(&e))?;
        let response = self.accept(response)?;
        self.json(response)
    }

    fn send_get(&self, path: &str, query: &[(&str, String)]) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        request = request.query_pairs(query.iter().map(|(k, v)| (*k, v.as_str())));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.call().map_err(|e| self.transport(&e))?;
        self.accept(response)
    }

    fn json<T: DeserializeOwned>(&self, response: Response<Body>) -> Result<T, Failure> {
        let reader = response.into_body().into_with_config().limit(MAX_JSON_OCTETS).reader();
        serde_json::from_reader(reader).map_err(|e| {
            Failure::Failed(format!(
                "{}: the answer is not what this version expects ({e}); is it a chappe service of the same version?",
                self.base
            ))
        })
    }

    /// Turns an answer that tells of a failure into one.
    fn accept(&self, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let reader = response.into_body().into_with_config().limit(MAX_JSON_OCTETS).reader();
        let text = match serde_json::from_reader::<_, ErrorBody>(reader) {
            Ok(body) => format!("{}: {}", body.error.what, body.error.why),
            Err(_) => format!("{}: answered {status} without saying why; is it a chappe service?", self.base),
        };
        Err(if status == StatusCode::UNAUTHORIZED || status == StatusCode::BAD_REQUEST {
            Failure::Usage(text)
        } else {
            Failure::Failed(text)
        })
    }

    fn transport(&self, error: &ureq::Error) -> Failure {
        if let ureq::Error::BadUri(_) | ureq::Error::Http(_) = error {
            return Failure::Usage(format!("--api {}: {error}; write it as http://HOST:PORT", self.base));
        }
        Failure::Unreachable(format!(
            "cannot reach the service at {}: {error}; start it with `chappe serve --config FILE`, or name another with --api",
            self.base
        ))
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| {
        Failure::Usage(format!("--token-file {}: {why}; name the service's token file", path.display()))
    };
    let file = fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let mut text = String::new();
    file.take(MAX_TOKEN_OCTETS).read_to_string(&mut text).map_err(|e| wrong(e.to_string()))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("holds no token (one line of visible characters)".to_owned()));
    }
    Ok(token.to_owned())
}

/// `text` as one segment of a path: everything but letters, digits and `-._~` percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_into_a_path_segment() {
        assert_eq!(segment("S=a;A= /é"), "S%3Da%3BA%3D%20%2F%C3%A9");
    }

    #[test]
    fn only_plain_http_urls_are_taken() {
        assert!(Client::new("http://127.0.0.1:1/", None).is_ok());
        for bad in ["", "127.0.0.1:8400", "https://mta", "http://"] {
            assert!(matches!(Client::new(bad, None), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
