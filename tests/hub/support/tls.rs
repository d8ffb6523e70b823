//! A subscriber behind TLS: a callback with a certificate of an authority made for the test, in HTTP/2 or HTTP/1.1.
//! In: the protocols that it offers. Out: the requests, each with the version that it came in.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Version;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::http::Headers;
use super::{Request, eventually};

/// A certificate authority of one test.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder for the certificate");
        let authority = Self { issuer, folder };
        std::fs::write(authority.file(), authority.issuer.pem()).expect("a file");
        authority
    }

    /// The file with its certificate, for `network.ca_file`.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What a server for `localhost` needs that speaks these protocols.
    fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(["localhost".to_owned()])
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key fits");
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A callback that repeats challenges and answers deliveries with 200; it ends when it is
/// dropped.
pub struct TlsCallback {
    url: String,
    protocols: Vec<&'static str>,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    log: Log,
    task: JoinHandle<()>,
}

type Log = Arc<Mutex<Vec<(Version, Request)>>>;

impl TlsCallback {
    /// One with a certificate of this authority, which offers these protocols, such as `h2`.
    pub async fn start(authority: &Authority, protocols: &[&'static str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let acceptor = Arc::new(Mutex::new(authority.acceptor(protocols)));
        let log = Log::default();
        Self {
            url: format!("https://localhost:{port}/cb?user=7"),
            protocols: protocols.to_vec(),
            task: tokio::spawn(serve(listener, acceptor.clone(), log.clone())),
            acceptor,
            log,
        }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Shows a certificate of this authority from now on.
    pub fn change_to(&self, authority: &Authority) {
        *lock(&self.acceptor) = authority.acceptor(&self.protocols);
    }

    /// Waits for a request of this method; gives the first.
    pub async fn request(&self, method: &str) -> (Version, Request) {
        eventually("a request over TLS", async || {
            let log = lock(&self.log);
            log.iter()
                .find(|(_, request)| request.method == method)
                .cloned()
        })
        .await
    }
}

impl Drop for TlsCallback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, acceptor: Arc<Mutex<TlsAcceptor>>, log: Log) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = lock(&acceptor).clone();
        let log = log.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| answer(request, log.clone()));
            let server = auto::Builder::new(TokioExecutor::new());
            // What goes wrong here shows in what does not arrive.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    log: Log,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    });
    let target = head.uri.path_and_query();
    let request = Request {
        method: head.method.to_string(),
        target: target.map(ToString::to_string).unwrap_or_default(),
        headers: Headers(headers.collect()),
        body: body.collect().await?.to_bytes(),
        at: Instant::now(),
    };
    let challenge = request.param("hub.challenge").unwrap_or_default();
    lock(&log).push((head.version, request));
    Ok(hyper::Response::new(Full::new(challenge.into())))
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
