//! TLS of the HTTP API: what the service shows, and whom the command line trusts. rustls, with ring.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::settings::Secret;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Where systems keep the certificates of the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What the service shows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsIdentity {
    /// PEM: its certificate, and those between it and an authority.
    pub(crate) certificates: Vec<u8>,
    /// PEM: the key of the first of them.
    pub(crate) key: Secret,
}

/// Why what is in the files can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// What should be a certificate is not.
    #[error("the certificate can't be read: {0}")]
    Certificate(pem::Error),
    /// There is no certificate in the file.
    #[error("the certificate file has no certificate")]
    NoCertificate,
    /// What should be a key is not.
    #[error("the key can't be read: {0}")]
    Key(pem::Error),
    /// Certificate and key don't go together, or the key is of a kind that is not known.
    #[error("certificate and key can't be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

impl TlsIdentity {
    /// What the service's listener is made from.
    ///
    /// # Errors
    /// Certificates or key are none, or don't fit each other.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Certificate)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes()).map_err(TlsError::Key)?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(server))
    }
}

/// The cryptography that both sides use.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates of the authorities in `file`; without one, of those that the system trusts. Gives the file as well.
///
/// # Errors
/// The file can't be read, or the system has none.
pub(crate) fn authorities(file: Option<&Path>) -> io::Result<(PathBuf, Vec<u8>)> {
    let file = match file {
        Some(file) => file,
        None => SYSTEM_AUTHORITIES.iter().map(Path::new).find(|file| file.exists()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the system has no file of certificate authorities")
        })?,
    };
    Ok((file.to_owned(), fs::read(file)?))
}
