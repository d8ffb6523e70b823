//! Encrypted receivers: whose certificates are trusted, and HTTP/2 where it is offered.

use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::{Barrier, Notify};
use tokio_rustls::server::TlsStream;

use super::super::super::testing::TestCa;
use super::*;

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

/// A sender that trusts `ca`.
fn sender_of(ca: &TestCa) -> Sender {
    sender_trusting(ca.trusted(), SenderLimits::default())
}

/// A receiver whose encrypted HTTP/2 connections, with their numbers, are handed to `serve`.
async fn receiver<S: Future<Output = ()> + Send + 'static>(
    ca: &TestCa,
    serve: impl Fn(usize, TlsStream<TcpStream>) -> S + Send + Sync + 'static,
) -> Receiver {
    let (acceptor, serve) = (ca.acceptor.clone(), Arc::new(serve));
    Receiver::start(move |visit| {
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        async move {
            let stream = acceptor.accept(visit.stream).await.unwrap();
            serve(visit.number, stream).await;
        }
    })
    .await
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
    let ca = TestCa::new(&[b"http/1.1"]);
    let acceptor = ca.acceptor.clone();
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
    let sender = sender_of(&ca);
    for _ in 0..3 {
        let outcome = sender.post_text(&encrypted(&receiver), "news").await;
        assert_eq!(outcome, answered(204, ""));
    }
    assert_eq!(receiver.connections(), 1);

    let stranger = sender_of(&TestCa::new(&[b"http/1.1"]));
    let outcome = stranger.post_text(&encrypted(&receiver), "news").await;
    assert_unanswered(outcome, Failure::Tls, "certificate");
    let other_name = callback(&format!("https://127.0.0.1:{}/", receiver.port));
    let outcome = sender_of(&ca).post_text(&other_name, "news").await;
    assert_unanswered(outcome, Failure::Tls, "certificate");
}

#[tokio::test]
async fn a_client_that_checks_nothing_takes_any_certificate() {
    let ca = TestCa::new(BOTH);
    let receiver = receiver(&ca, |_, stream| serve_http2(stream, 1, Arc::default())).await;
    // It does not trust this authority, as the test before shows.
    let tls = Tls::new(None).unwrap().unchecked();
    let sender = sender_trusting(tls, SenderLimits::default());
    let outcome = sender.post_text(&encrypted(&receiver), "news").await;
    assert_eq!(outcome, answered(204, ""));
}

#[tokio::test]
async fn http2_carries_many_posts_over_one_connection() {
    const TOGETHER: usize = 50;
    let ca = TestCa::new(BOTH);
    let receiver = receiver(&ca, |_, stream| {
        serve_http2(stream, TOGETHER, Arc::default())
    })
    .await;
    let (sender, callback) = (sender_of(&ca), encrypted(&receiver));
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
    let ca = TestCa::new(BOTH);
    let stop = Arc::new(Notify::new());
    let stopping = stop.clone();
    let receiver = receiver(&ca, move |_, stream| {
        serve_http2(stream, 1, stopping.clone())
    })
    .await;
    let (sender, callback) = (sender_of(&ca), encrypted(&receiver));
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
        let ca = TestCa::new(BOTH);
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let receiver = receiver(&ca, move |number, stream| {
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
        let (sender, callback) = (sender_of(&ca), encrypted(&receiver));
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
    let ca = TestCa::new(BOTH);
    let receiver = receiver(&ca, |_, stream| serve_http2(stream, 1, Arc::default())).await;
    let sender = sender_of(&ca);
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
