//! Encrypted receivers: whose certificates are trusted, and HTTP/2 where it is offered.

use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::sync::{Barrier, Notify};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;

/// An authority made for this test, and the servers that it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    /// A sender that trusts it, by way of a file.
    fn trusted(&self) -> Sender {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.0.pem()).unwrap();
        sender_trusting(
            Tls::new(Some(file.path())).unwrap(),
            SenderLimits::default(),
        )
    }

    /// Accepts connections to `localhost` that speak one of `protocols`.
    fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A receiver whose encrypted HTTP/2 connections `serve` is given, with their numbers.
    async fn receiver<S: Future<Output = ()> + Send + 'static>(
        &self,
        serve: impl Fn(usize, TlsStream<TcpStream>) -> S + Send + Sync + 'static,
    ) -> Receiver {
        let (acceptor, serve) = (self.acceptor(&["h2", "http/1.1"]), Arc::new(serve));
        Receiver::start(move |visit| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            async move {
                let stream = acceptor.accept(visit.stream).await.unwrap();
                serve(visit.number, stream).await;
            }
        })
        .await
    }
}

fn encrypted(receiver: &Receiver) -> CallbackUrl {
    callback(&format!("https://localhost:{}/push?a=1", receiver.port))
}

/// Answers every request 204 once `together` of them have come, until told to stop.
async fn serve_http2(stream: TlsStream<TcpStream>, together: usize, stop: Arc<Notify>) {
    let gate = Arc::new(Barrier::new(together));
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let gate = gate.clone();
        async move {
            let port = request.uri().port_u16().unwrap();
            assert_eq!(
                request.uri().to_string(),
                format!("https://localhost:{port}/push?a=1")
            );
            assert_eq!(request.headers()["content-length"], "4");
            assert!(!request.headers().contains_key("host"));
            assert_eq!(request.version(), Version::HTTP_2);
            gate.wait().await;
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = hyper::StatusCode::NO_CONTENT;
            Ok::<_, hyper::Error>(response)
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = stop.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[tokio::test]
async fn an_authority_from_the_file_is_trusted_and_others_are_not() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["http/1.1"]);
    let receiver = Receiver::start(move |visit| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(visit.stream).await else {
                return;
            };
            let mut buffer = Vec::new();
            while stream
                .read_buf(&mut buffer)
                .await
                .is_ok_and(|length| length > 0)
            {
                if buffer.ends_with(b"news") {
                    buffer.clear();
                    stream.write_all(NO_CONTENT).await.unwrap();
                }
            }
        }
    })
    .await;
    let sender = authority.trusted();
    for _ in 0..3 {
        let outcome = sender.post_text(&encrypted(&receiver), "news").await;
        assert_eq!(outcome, answered(204, ""));
    }
    assert_eq!(receiver.connections(), 1);

    let stranger = Authority::new().trusted();
    let outcome = stranger.post_text(&encrypted(&receiver), "news").await;
    assert_unanswered(outcome, Failure::Tls, "certificate");
    let other_name = callback(&format!("https://127.0.0.1:{}/", receiver.port));
    let outcome = authority.trusted().post_text(&other_name, "news").await;
    assert_unanswered(outcome, Failure::Tls, "certificate");
}

#[tokio::test]
async fn http2_carries_many_posts_over_one_connection() {
    const TOGETHER: usize = 50;
    let authority = Authority::new();
    let receiver = authority
        .receiver(|_, stream| serve_http2(stream, TOGETHER, Arc::default()))
        .await;
    let (sender, callback) = (authority.trusted(), encrypted(&receiver));
    for _ in 0..2 {
        // None is answered before all have come: they are under way at once.
        let posts = (0..TOGETHER).map(|_| sender.post_text(&callback, "news"));
        let outcomes = futures_util::future::join_all(posts).await;
        assert!(
            outcomes.iter().all(|outcome| *outcome == answered(204, "")),
            "{outcomes:?}"
        );
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn after_a_goaway_comes_a_new_connection() {
    let authority = Authority::new();
    let stop = Arc::new(Notify::new());
    let stopping = stop.clone();
    let receiver = authority
        .receiver(move |_, stream| serve_http2(stream, 1, stopping.clone()))
        .await;
    let (sender, callback) = (authority.trusted(), encrypted(&receiver));
    for round in 1..=5 {
        for _ in 0..3 {
            let outcome = sender.post_text(&callback, "news").await;
            assert_eq!(outcome, answered(204, ""), "round {round}");
        }
        stop.notify_one();
        // The GOAWAY may come before, with or after the next request.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
    }
    assert!(receiver.connections() >= 2);
}

#[tokio::test]
async fn an_http2_request_is_repeated_only_if_it_was_refused() {
    for (reason, repeated) in [
        (h2::Reason::REFUSED_STREAM, true),
        (h2::Reason::INTERNAL_ERROR, false),
        (h2::Reason::CANCEL, false),
    ] {
        let authority = Authority::new();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let receiver = authority
            .receiver(move |number, stream| {
                let requests = counter.clone();
                async move {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    let mut served = 0;
                    while let Some(Ok((_, mut respond))) = connection.accept().await {
                        requests.fetch_add(1, Ordering::SeqCst);
                        served += 1;
                        // The first connection answers once, and then no more.
                        if number == 1 && served > 1 {
                            respond.send_reset(reason);
                        } else {
                            let response = Response::builder().status(204).body(()).unwrap();
                            respond.send_response(response, true).unwrap();
                        }
                    }
                }
            })
            .await;
        let (sender, callback) = (authority.trusted(), encrypted(&receiver));
        assert_eq!(sender.post_text(&callback, "news").await, answered(204, ""));
        let outcome = sender.post_text(&callback, "news").await;
        if repeated {
            assert_eq!(outcome, answered(204, ""));
            assert_eq!(
                (receiver.connections(), requests.load(Ordering::SeqCst)),
                (2, 3)
            );
        } else {
            assert_unanswered(outcome, Failure::Protocol, "stream");
            assert_eq!(
                (receiver.connections(), requests.load(Ordering::SeqCst)),
                (1, 2)
            );
        }
    }
}

#[tokio::test]
async fn the_tasks_of_http2_end_with_the_sender() {
    let authority = Authority::new();
    let receiver = authority
        .receiver(|_, stream| serve_http2(stream, 1, Arc::default()))
        .await;
    let sender = authority.trusted();
    assert_eq!(
        sender.post_text(&encrypted(&receiver), "news").await,
        answered(204, "")
    );
    let tracker = sender.tracker.clone();
    assert!(!tracker.is_empty());
    drop(sender);
    tracker.close();
    tokio::time::timeout(PLENTY, tracker.wait()).await.unwrap();
}
