//! Which certificates are trusted, and the TLS handshake. A file of extra authorities comes in, encrypted streams go out.
//!
//! Invariant: one configuration, built once and shared by every client, so that sessions resume across them. The
//! cryptography provider is named here and nowhere installed globally.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The client side of TLS: Mozilla's authorities, the operating system's, and those of the operator's own file.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

/// Why the operator's file of certificate authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read the certificate file {path}: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("the certificate file {path} holds no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    Empty { path: PathBuf },
    #[error("certificate {position} of {path} cannot be an authority: {reason}")]
    Unusable {
        path: PathBuf,
        position: usize,
        reason: String,
    },
}

impl Tls {
    /// Trusts the common authorities and every certificate in the PEM file `ca_file`. Reads files, once.
    pub fn new(ca_file: Option<&Path>) -> Result<Tls, TlsError> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        // A machine without a certificate store, or with odd entries in it, still has Mozilla's.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            add_file(&mut roots, path)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Tls {
            config: Arc::new(config),
        })
    }

    /// The same, but for whoever the far end is: for hooks whose owner has switched the check of certificates off.
    pub fn unchecked(&self) -> Tls {
        let mut config = ClientConfig::clone(&self.config);
        let provider = Arc::clone(config.crypto_provider());
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(AnyCertificate(provider)));
        Tls {
            config: Arc::new(config),
        }
    }

    /// The same trust for another protocol than HTTP: none is named in the handshake, as a server that knows other names
    /// than HTTP's would refuse it.
    pub fn without_http(&self) -> Tls {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols.clear();
        Tls {
            config: Arc::new(config),
        }
    }

    /// The configuration, for a client that makes its own connections. It offers HTTP/2 and HTTP/1.1.
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Encrypts `stream`, whose far end must have a certificate for `host` (a name or a literal address).
    pub async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.config))
            .connect(name, stream)
            .await
    }
}

/// Whether the far end chose HTTP/2 in the handshake; if not, it is spoken to in HTTP/1.1.
pub fn chose_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

/// Takes every certificate; that the far end holds its key is still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let unreadable = |error: &dyn std::fmt::Display| TlsError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        count += 1;
        roots.add(certificate).map_err(|error| TlsError::Unusable {
            path: path.to_owned(),
            position: count,
            reason: error.to_string(),
        })?;
    }
    if count == 0 {
        return Err(TlsError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_for(content: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        let error = Tls::new(Some(&path)).err().unwrap().to_string();
        error.replace(&path.display().to_string(), "ca.pem")
    }

    #[test]
    fn names_the_file_that_it_cannot_use() {
        assert_eq!(
            error_for("no certificate here\n"),
            "the certificate file ca.pem holds no PEM certificate (-----BEGIN CERTIFICATE-----)"
        );
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(error_for(garbage).starts_with("certificate 1 of ca.pem cannot be an authority"));
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(error_for(cut).starts_with("cannot read the certificate file ca.pem"));
        let missing = Tls::new(Some(Path::new("/nowhere/ca.pem")))
            .err()
            .unwrap()
            .to_string();
        assert!(
            missing.starts_with("cannot read the certificate file /nowhere/ca.pem: "),
            "{missing}"
        );
    }

    #[test]
    fn works_without_a_file_of_its_own() {
        assert!(Tls::new(None).is_ok());
    }
}
