//! The command line's side of the HTTP API: blocking, streamed both ways, errors sorted by exit status.

mod steadfast;

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio_rustls::rustls;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, RustlsConnector, TcpConnector};
use ureq::{Agent, Body, SendBody, Timeout};

use crate::api::OPERATOR;
use crate::cli::failure::Failure;
use crate::model::ErrorBody;
use crate::tls;
use steadfast::SteadfastConnector;

/// Longest JSON answer that is read; lists come in pages far smaller than this.
const MAX_JSON_OCTETS: u64 = 64 << 20;
/// Longest token in a token file, with its line end.
const MAX_TOKEN_OCTETS: u64 = 4096;

/// Time between two attempts to connect.
const PACE: Duration = Duration::from_millis(100);
/// Octets of an upload for which the service gets a second more to bring them to the disk.
const OCTETS_PER_SECOND: u64 = 8 << 20;

/// How long the client waits for what.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For a service that refuses connections, as one does that is starting.
    refused: Duration,
    /// For a connection.
    connect: Duration,
    /// For the head of the answer, and for any octet of a body in either direction. Bodies as such have no limit:
    /// 1 GiB takes what it takes.
    answer: Duration,
}

const PATIENCE: Patience = Patience {
    refused: Duration::from_secs(2),
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(30),
};

/// A connection to one service.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    patience: Patience,
    base: String,
    authorization: Option<String>,
    /// Name of the system's user, for the service's event log.
    operator: String,
}

impl Client {
    /// A client of the service at `api` (as in `http://127.0.0.1:8400`), with the token in `token_file` if given. With
    /// `https`, the service's certificate must be from an authority in `ca_file`, or from one that the system trusts.
    pub(crate) fn new(
        api: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Client, Failure> {
        Client::with_patience(api, token_file, ca_file, PATIENCE)
    }

    fn with_patience(
        api: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
        patience: Patience,
    ) -> Result<Client, Failure> {
        let base = api.trim_end_matches('/').to_owned();
        let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
        if host.is_none_or(str::is_empty) {
            return Err(Failure::Usage(format!(
                "--api {api}: not the address of a service; write it as http://HOST:PORT or https://HOST:PORT"
            )));
        }
        let authorization = token_file.map(read_token).transpose()?.map(|token| format!("Bearer {token}"));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The service is named by the operator and is near; a proxy from the environment is not meant for it.
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(patience.connect))
            .timeout_per_write(Some(patience.answer));
        let config = if base.starts_with("https:") {
            config.tls_config(trust(ca_file)?).build()
        } else {
            config.build()
        };
        let connector = TcpConnector::default().chain(SteadfastConnector).chain(RustlsConnector::default());
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Client { agent, patience, base, authorization, operator: operator() })
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
        let mut body = Source { inner: body, failure: None };
        let wait = self.patience.answer + Duration::from_secs(length / OCTETS_PER_SECOND);
        let sent = self.patiently(|| {
            let mut request = self.agent.post(format!("{}{path}", self.base));
            request = request.query_pairs(query.iter().map(|(k, v)| (*k, v.as_str())));
            request = request.header("content-type", content_type).header("content-length", length);
            if length > 0 {
                // A refusal then comes before the body is sent.
                request = request.header("expect", "100-continue");
            }
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization);
            }
            request = request.header(OPERATOR, &self.operator);
            let request = request.config().timeout_recv_response(Some(wait)).build();
            request.send(SendBody::from_reader(&mut body))
        });
        let response = sent.map_err(|error| match body.failure.take() {
            // The length was announced, so a body that ends early is never accepted.
            Some(why) => {
                Failure::Failed(format!("what is to be sent can't be read: {why}; nothing was accepted"))
            }
            None => self.outcome(&error, wait),
        })?;
        let response = self.accept(response)?;
        self.json(response)
    }

    /// The answer to a POST without a body, from JSON.
    pub(crate) fn order<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        self.post(path, query, "text/plain", 0, &mut io::empty())
    }

    /// The answer to a DELETE, from JSON.
    pub(crate) fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let wait = self.patience.answer;
        let sent = self.patiently(|| {
            let mut request = self.agent.delete(format!("{}{path}", self.base));
            request = request.query_pairs(query.iter().map(|(k, v)| (*k, v.as_str())));
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization);
            }
            request = request.header(OPERATOR, &self.operator);
            request.config().timeout_recv_response(Some(wait)).timeout_per_read(Some(wait)).build().call()
        });
        let response = sent.map_err(|error| self.outcome(&error, wait))?;
        let response = self.accept(response)?;
        self.json(response)
    }

    fn send_get(&self, path: &str, query: &[(&str, String)]) -> Result<Response<Body>, Failure> {
        let wait = self.patience.answer;
        let sent = self.patiently(|| {
            let mut request = self.agent.get(format!("{}{path}", self.base));
            request = request.query_pairs(query.iter().map(|(k, v)| (*k, v.as_str())));
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization);
            }
            request.config().timeout_recv_response(Some(wait)).timeout_per_read(Some(wait)).build().call()
        });
        let response = sent.map_err(|error| self.transport(&error, wait))?;
        self.accept(response)
    }

    /// Tries again for a while when the connection is refused. Nothing of the request has been sent then.
    fn patiently<T>(&self, mut attempt: impl FnMut() -> Result<T, ureq::Error>) -> Result<T, ureq::Error> {
        let until = Instant::now() + self.patience.refused;
        loop {
            match attempt() {
                Err(error) if is_refused(&error) && Instant::now() < until => thread::sleep(PACE),
                other => return other,
            }
        }
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

    /// A request without consequences failed.
    fn transport(&self, error: &ureq::Error, wait: Duration) -> Failure {
        let base = &self.base;
        let remedy = "start it with `chappe serve --config FILE`, or name another with --api";
        Failure::Unreachable(match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                return Failure::Usage(format!("--api {base}: {error}; write it as http://HOST:PORT"));
            }
            _ if is_distrust(error) => format!(
                "cannot trust the service at {base}: {error}; name the file of the authority that made its certificate \
                 with --ca-file, and the service as its certificate does"
            ),
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                let wait = self.patience.connect.as_secs_f64();
                format!("cannot reach the service at {base}: no connection within {wait} s; {remedy}")
            }
            ureq::Error::Timeout(_) => {
                let wait = wait.as_secs_f64();
                format!("the service at {base} does not answer within {wait} s; look at its log")
            }
            _ => format!("cannot reach the service at {base}: {error}; {remedy}"),
        })
    }

    /// A request that changes something failed. Once there was a connection, the service may have got all of it.
    fn outcome(&self, error: &ureq::Error, wait: Duration) -> Failure {
        let open = "the outcome is unknown: it may have been accepted";
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) | ureq::Error::HostNotFound => {
                self.transport(error, wait)
            }
            ureq::Error::Timeout(_) => {
                Failure::Unreachable(format!("{}; {open}", self.transport(error, wait)))
            }
            ureq::Error::Io(cause)
                if cause.kind() != ErrorKind::ConnectionRefused
                    && !is_no_way(cause.kind())
                    && !is_distrust(error) =>
            {
                Failure::Failed(format!(
                    "the connection to the service at {} broke before its answer ({cause}); {open}",
                    self.base
                ))
            }
            ureq::Error::Protocol(cause) => Failure::Failed(format!(
                "the answer of the service at {} can't be understood ({cause}); {open}",
                self.base
            )),
            _ => self.transport(error, wait),
        }
    }
}

/// The body of a request, which keeps apart its own failures from those of the connection.
struct Source<'b> {
    inner: &'b mut dyn Read,
    failure: Option<String>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        if let Err(error) = &read
            && error.kind() != ErrorKind::Interrupted
        {
            self.failure = Some(error.to_string());
        }
        read
    }
}

/// Trust in the authorities of `ca_file`, or of the system.
fn trust(ca_file: Option<&Path>) -> Result<TlsConfig, Failure> {
    let usage = |why: String| Failure::Usage(format!("{why}; name the authority's file with --ca-file"));
    let (file, pem) = tls::authorities(ca_file).map_err(|error| {
        usage(
            ca_file
                .map_or_else(|| error.to_string(), |file| format!("--ca-file {}: {error}", file.display())),
        )
    })?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            // Keys are nothing to trust, and what can't be read is as if it were not there.
            Ok(_) | Err(_) => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(usage(format!("{} has no certificate", file.display())));
    }
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(tls::provider()).build())
}

/// Who runs this command, as the system calls him. What can't stand in a header is left out.
fn operator() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|variable| std::env::var(variable).ok());
    let name: String = name.unwrap_or_default().chars().filter(char::is_ascii_graphic).collect();
    if name.is_empty() { format!("uid={}", rustix::process::getuid().as_raw()) } else { name }
}

fn is_refused(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(cause) if cause.kind() == ErrorKind::ConnectionRefused)
}

/// Whether there was a connection, but nobody to trust at its other end.
fn is_distrust(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        // What TLS finds wrong before the first octet of a request comes as this.
        ureq::Error::Io(cause) => cause.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()),
        _ => false,
    }
}

/// Whether a connection was not even begun.
fn is_no_way(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable)
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
mod tests;
