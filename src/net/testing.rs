//! Servers on loopback for the tests of this folder: a request head comes in, raw bytes as the test wrote them go out.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::guard::Guard;
use super::resolve::Resolver;
use super::tls::Tls;

/// A resolver that asks the system and admits loopback addresses.
pub fn open_resolver() -> Arc<Resolver> {
    let loopback = ["127.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap());
    Arc::new(Resolver::new(Arc::new(Guard::topics(loopback.to_vec()))))
}

/// A resolver that asks the system and admits public addresses only.
pub fn closed_resolver() -> Arc<Resolver> {
    Arc::new(Resolver::new(Arc::new(Guard::topics(vec![]))))
}

/// The bytes of an answer, as they come.
pub type Answer = BoxStream<'static, Vec<u8>>;

/// An answer in one piece.
pub fn whole(bytes: impl Into<Vec<u8>>) -> Answer {
    stream::iter([bytes.into()]).boxed()
}

/// An answer with a `Content-Length`: `head` is the status line and headers, each without its line end.
pub fn reply(head: &[&str], body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n",
        head.join("\r\n"),
        body.len()
    );
    whole([head.as_bytes(), body].concat())
}

/// An HTTP server that stops when it is dropped.
pub struct Server {
    pub port: u16,
    /// The request heads so far.
    pub heads: Arc<Mutex<Vec<String>>>,
    /// Bytes that the clients took so far.
    pub sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves one request for each connection; `answer` gets its head.
    pub async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Server {
        Server::start_with(None, answer).await
    }

    pub async fn start_with(
        acceptor: Option<TlsAcceptor>,
        answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(AtomicU64::new(0));
        let (seen, taken) = (Arc::clone(&heads), Arc::clone(&sent));
        let task = tokio::spawn(async move {
            let serve = |stream: TcpStream| async {
                match &acceptor {
                    None => one_request(stream, &answer, &seen, &taken).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => one_request(stream, &answer, &seen, &taken).await,
                        Err(_) => None,
                    },
                };
            };
            let connections = stream::unfold(listener, async |listener| {
                let (stream, _) = listener.accept().await.ok()?;
                Some((stream, listener))
            });
            connections.for_each_concurrent(None, serve).await;
        });
        Server {
            port,
            heads,
            sent,
            task,
        }
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.port)).unwrap()
    }

    pub fn last_head(&self) -> String {
        self.heads
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn one_request(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &impl Fn(&str) -> Answer,
    heads: &Mutex<Vec<String>>,
    sent: &AtomicU64,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let mut chunks = answer(&head);
    heads.lock().unwrap().push(head);
    while let Some(chunk) = chunks.next().await {
        stream.write_all(&chunk).await.ok()?;
        sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    stream.shutdown().await.ok()
}

/// A certificate authority and a server certificate for `localhost`, made for one test.
pub struct TestCa {
    pub ca_file: PathBuf,
    pub acceptor: TlsAcceptor,
    _folder: TempDir,
}

impl TestCa {
    /// `alpn` are the protocols that the server speaks.
    pub fn new(alpn: &[&[u8]]) -> TestCa {
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();

        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, ca.pem()).unwrap();

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TestCa {
            ca_file,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            _folder: folder,
        }
    }

    /// The client side that trusts it.
    pub fn trusted(&self) -> Tls {
        Tls::new(Some(&self.ca_file)).unwrap()
    }
}
