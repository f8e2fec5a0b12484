//! `listen.api_tls_certificate_file` and `listen.api_tls_key_file`: TLS of the API.

use std::io::Read;

use agent::settings::Secret;

use super::regular;
use super::section::{Section, Text};
use crate::tls::TlsIdentity;

/// Longest file, in octets: some certificates, or one key.
const MAX_OCTETS: u64 = 256 << 10;

/// What the listener shows, if both files are named, readable, and fit each other.
pub(super) fn read(section: &mut Section<'_>) -> Option<TlsIdentity> {
    let (certificate, key) = (section.string("api_tls_certificate_file"), section.string("api_tls_key_file"));
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return None,
        (Some(text), None) => return alone(section, &text, "api_tls_key_file = \"FILE\" with its key"),
        (None, Some(text)) => {
            return alone(section, &text, "api_tls_certificate_file = \"FILE\" with its certificate");
        }
    };
    let (certificates, key) = (file(section, &certificate), file(section, &key));
    let identity = TlsIdentity { certificates: certificates?.into_bytes(), key: Secret::new(key?) };
    match identity.server() {
        Ok(_) => Some(identity),
        Err(error) => {
            section.problems().wrong(
                certificate.at,
                format!("TLS of the API: {error}"),
                "give the certificate of the service, those of the authorities between it and a root, and its key, in PEM",
            );
            None
        }
    }
}

fn alone(section: &Section<'_>, text: &Text, missing: &str) -> Option<TlsIdentity> {
    section.problems().wrong(text.at, format!("{} is of no use alone", text.path), format!("add {missing}"));
    None
}

fn file(section: &Section<'_>, text: &Text) -> Option<String> {
    let mut content = String::new();
    let read = regular::open(&text.value).and_then(|file| file.take(MAX_OCTETS).read_to_string(&mut content));
    match read {
        Ok(_) => Some(content),
        Err(error) => {
            let what = format!("{}: `{}`: cannot read the file: {error}", text.path, text.value);
            section.problems().wrong(
                text.at,
                what,
                "name a readable PEM file (relative to the working directory)",
            );
            None
        }
    }
}
