//! The API over TLS, with the command line and with a client of its own.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Service, chappe};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A service that speaks TLS, with the token `t0ken` of an administrator in `token`.
fn service() -> Service {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    std::fs::write(file("token"), "t0ken\n").unwrap();
    std::fs::copy(fixture("service.pem"), file("service.pem")).unwrap();
    std::fs::copy(fixture("service.key"), file("service.key")).unwrap();
    let listen = format!(
        "api_token_file = {:?}\napi_tls_certificate_file = {:?}\napi_tls_key_file = {:?}",
        file("token"),
        file("service.pem"),
        file("service.key")
    );
    Service::write_config(dir.path(), &listen, "");
    Service::start_in(dir)
}

/// What a request is answered with, and the certificate that the service showed.
fn ask(service: &Service, request: &str) -> (String, CertificateDer<'static>) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture("authority.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(service.api.strip_prefix("https://").unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    let request = format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t0ken\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // The end may come without the word that TLS has for it; the tests look at what was sent before.
    let _ = stream.read_to_string(&mut answer);
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    (answer, shown)
}

#[test]
fn commands_trust_the_authority_they_are_given_and_no_other() {
    let service = service();
    assert!(service.api.starts_with("https://127.0.0.1:"), "{}", service.api);
    let token = service.dir.path().join("token");
    let token = ["--token-file", token.to_str().unwrap()];
    let authority = fixture("authority.pem");
    let trust = ["--ca-file", authority.to_str().unwrap()];
    let status = service.run(&[&["status"][..], &token, &trust].concat()).ok();
    assert!(status.contains("MTA-A"), "{status}");
    // A file that is longer than what a connection holds, up and down.
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = service.file("big", &content);
    let submit = ["submit", "--from", common::ANNA, "--to", common::BERT, "--file", file.to_str().unwrap()];
    service.run(&[&submit[..], &token, &trust].concat()).ok();
    let other = fixture("renewed.pem");
    for (authority, why) in
        [(other, "cannot trust"), (service.dir.path().join("token"), "has no certificate")]
    {
        let refused = chappe(
            &[&["status", "--api", &service.api, "--ca-file", authority.to_str().unwrap()][..], &token]
                .concat(),
        );
        let text = refused.stderr.clone();
        assert!(refused.code != Some(0) && text.contains(why) && text.contains("--ca-file"), "{text}");
    }
    let plain = service.api.replace("https", "http");
    let refused = chappe(&[&["status", "--api", &plain][..], &token].concat());
    assert_ne!(refused.code, Some(0), "{refused:?}");
}

#[test]
fn a_session_over_tls_stays_there_and_a_page_of_the_same_name_without_it_is_foreign() {
    let service = service();
    let (begun, _) = ask(&service, "POST /api/v1/session");
    let cookie = begun.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.starts_with("__Host-chappe-") && cookie.contains("; Secure"), "{cookie}");
    let (own, _) = ask(&service, "GET /api/v1/session HTTP/1.1\r\norigin: https://localhost\r\nx:");
    assert!(own.starts_with("HTTP/1.1 200 "), "{own}");
    let (foreign, _) = ask(&service, "GET /api/v1/session HTTP/1.1\r\norigin: http://localhost\r\nx:");
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload_and_a_bad_one_is_not() {
    let mut service = service();
    let certificate = |name: &str| CertificateDer::from_pem_file(fixture(name)).unwrap();
    assert_eq!(ask(&service, "GET /healthz").1, certificate("service.pem"));
    let own = |name: &str| service.dir.path().join(name);
    let (own_certificate, own_key) = (own("service.pem"), own("service.key"));
    std::fs::copy(fixture("renewed.pem"), &own_certificate).unwrap();
    // Certificate and key that don't fit each other: half of a renewal.
    service.signal("-HUP");
    service.wait_for_log("the configuration stays as it was");
    assert_eq!(ask(&service, "GET /healthz").1, certificate("service.pem"));
    std::fs::copy(fixture("renewed.key"), &own_key).unwrap();
    service.signal("-HUP");
    service.wait_for_log("configuration read again");
    assert_eq!(ask(&service, "GET /healthz").1, certificate("renewed.pem"));
}

#[test]
fn what_would_go_over_the_network_in_the_clear_is_refused_unless_that_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let check = |listen: &str| {
        let listen = listen
            .replace("PEM", &format!("{:?}", fixture("service.pem")))
            .replace("OTHER", &format!("{:?}", fixture("renewed.key")))
            .replace("KEY", &format!("{:?}", fixture("service.key")));
        Service::write_config(dir.path(), &format!("api_token_file = {:?}\n{listen}", fixture("token")), "");
        let file = dir.path().join("chappe.toml");
        let text =
            std::fs::read_to_string(&file).unwrap().replace("api = \"127.0.0.1:0\"", "api = \"0.0.0.0:0\"");
        let token = dir.path().join("token");
        std::fs::write(&token, "t0ken").unwrap();
        std::fs::write(&file, text.replace(fixture("token").to_str().unwrap(), token.to_str().unwrap()))
            .unwrap();
        chappe(&["config", "check", file.to_str().unwrap()])
    };
    check("api_tls_certificate_file = PEM\napi_tls_key_file = KEY").ok();
    check("api_without_tls = true").ok();
    for (listen, why) in [
        ("", "in the clear"),
        ("api_without_tls = false", "in the clear"),
        ("api_tls_certificate_file = PEM", "of no use alone"),
        ("api_tls_key_file = KEY", "of no use alone"),
        ("api_tls_certificate_file = PEM\napi_tls_key_file = OTHER", "can't be used together"),
        ("api_tls_certificate_file = PEM\napi_tls_key_file = PEM", "the key can't be read"),
        ("api_tls_certificate_file = KEY\napi_tls_key_file = KEY", "has no certificate"),
        ("api_tls_certificate_file = \"/nowhere\"\napi_tls_key_file = KEY", "cannot read the file"),
    ] {
        let told = check(listen).failed(2);
        assert!(told.contains(why), "{listen}: {told}");
    }
}
