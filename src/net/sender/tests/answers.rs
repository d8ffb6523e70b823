//! What is sent, and what becomes of each kind of answer.

use super::*;

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn the_request_is_what_the_callback_and_the_caller_say() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let port = receiver.port;
    let targets = [
        ("", "/"),
        ("/", "/"),
        ("?", "/?"),
        ("?a=1", "/?a=1"),
        (
            "/push/4711?hub=a%2Fb&x[]=1&&=|~^`{}",
            "/push/4711?hub=a%2Fb&x[]=1&&=|~^`{}",
        ),
        ("/a//b/./c/../d;e=f|g/%7Euser", "/a//b/d;e=f|g/%7Euser"),
        ("/h\u{e4}user?\u{e4}", "/h%C3%A4user?%C3%A4"),
    ];
    let sender = sender();
    for (written, target) in targets {
        let callback = callback(&format!("http://LOCALHOST:{port}{written}"));
        let headers = [
            ("content-type", "text/plain"),
            ("x-hub-signature", "sha1=00"),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let body = Bytes::from_static(b"news");
        let outcome = sender
            .post(&callback, headers.into_iter().collect(), body, PLENTY)
            .await;
        assert_eq!(outcome, answered(204, ""));
        assert_eq!(
            receiver.requests.lock().unwrap().pop().unwrap(),
            format!(
                "POST {target} HTTP/1.1\r\ncontent-type: text/plain\r\nx-hub-signature: sha1=00\r\n\
                 host: localhost:{port}\r\ncontent-length: 4\r\n\r\nnews"
            )
        );
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn an_empty_body_has_its_length_too() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    sender().post_text(&receiver.callback(), "").await;
    let request = receiver.requests.lock().unwrap().pop().unwrap();
    assert!(request.contains("\r\ncontent-length: 0\r\n"), "{request}");
    assert!(!request.contains("transfer-encoding"), "{request}");
}

#[tokio::test]
async fn a_body_larger_than_every_buffer_arrives() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let body = Bytes::from(vec![b'x'; 3_000_000]);
    let outcome = sender()
        .post(&receiver.callback(), HeaderMap::new(), body, PLENTY)
        .await;
    assert_eq!(outcome, answered(204, ""));
    assert!(receiver.requests.lock().unwrap()[0].len() > 3_000_000);
}

#[tokio::test]
async fn an_answer_is_its_status_and_the_beginning_of_its_body() {
    let long = format!(
        "HTTP/1.1 500 Oops\r\ncontent-length: 9000\r\n\r\n{}",
        "x".repeat(9000)
    );
    let cases = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            answered(200, "ok"),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n",
            answered(200, "ok!"),
        ),
        (
            "HTTP/1.1 404 N\r\ncontent-length: 4\r\n\r\na\0b\0",
            answered(404, "a\0b\0"),
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 A\r\n\r\n",
            answered(202, ""),
        ),
        (
            "HTTP/1.1 304 N\r\ncontent-length: 7\r\n\r\n",
            answered(304, ""),
        ),
        (
            "HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            answered(101, ""),
        ),
        (&long, answered(500, &"x".repeat(1024))),
    ];
    for (answer, expected) in cases {
        let receiver = Receiver::answering_once(answer).await;
        assert_eq!(
            sender().post_text(&receiver.callback(), "news").await,
            expected
        );
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Receiver::answering(NO_CONTENT).await;
    let answer = format!(
        "HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n",
        target.port
    );
    let receiver = Receiver::answering(answer).await;
    let outcome = sender().post_text(&receiver.callback(), "news").await;
    assert_eq!(outcome, answered(307, ""));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_understood() {
    let answer = "HTTP/1.1 503 S\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(answer).await;
    let outcome = sender().post_text(&receiver.callback(), "news").await;
    let expected = Outcome::Answered {
        status: 503,
        retry_after: Some(120),
        excerpt: String::new(),
    };
    assert_eq!(outcome, expected);
}

#[tokio::test]
async fn an_endless_body_costs_nothing() {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let receiver = Receiver::start(move |mut visit| {
        let counter = counter.clone();
        async move {
            visit.request().await;
            visit
                .answer(b"HTTP/1.1 200 OK\r\ncontent-length: 400000000\r\n\r\n")
                .await;
            while visit.stream.write_all(&[b'x'; 65536]).await.is_ok() {
                counter.fetch_add(65536, Ordering::SeqCst);
            }
        }
    })
    .await;
    let sender = sender();
    for _ in 0..3 {
        let outcome = sender.post_text(&receiver.callback(), "news").await;
        assert_eq!(outcome, answered(200, &"x".repeat(1024)));
    }
    // What the kernel's buffers take in, but not the 400 MB.
    assert!(written.load(Ordering::SeqCst) < 60_000_000);
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn a_body_that_drips_or_breaks_off_is_an_answer_all_the_same() {
    for hang in [true, false] {
        let receiver = Receiver::start(move |mut visit| async move {
            visit.request().await;
            visit
                .answer(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\ndrip")
                .await;
            if hang {
                visit.request().await;
            }
        })
        .await;
        let body = Bytes::from_static(b"news");
        let outcome = sender()
            .post(&receiver.callback(), HeaderMap::new(), body, SHORT)
            .await;
        assert_eq!(outcome, answered(200, "drip"));
        assert_eq!(receiver.requests(), 1);
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_the_deadline() {
    let receiver = Receiver::start(|mut visit| async move {
        visit.request().await;
        visit.answer(b"HTTP/1.1 200").await;
        visit.request().await;
    })
    .await;
    let began = Instant::now();
    let body = Bytes::from_static(b"news");
    let outcome = sender()
        .post(&receiver.callback(), HeaderMap::new(), body, SHORT)
        .await;
    assert_unanswered(
        outcome,
        Failure::Timeout,
        "connected, but no answer after 150ms",
    );
    assert!((SHORT..SHORT * 20).contains(&began.elapsed()));
}

#[tokio::test]
async fn what_is_not_http_or_too_much_of_it_is_a_protocol_failure() {
    let long_header = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(500));
    let cases = [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "",
        "HTTP/1.1 200 OK\r\nhalf",
        "HTTP/1.1 200 OK\r\ncontent-length: nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\0\r\n\r\n",
        &long_header,
        &many_headers,
    ];
    for answer in cases {
        let receiver = Receiver::answering_once(answer).await;
        let outcome = sender().post_text(&receiver.callback(), "news").await;
        assert_unanswered(outcome, Failure::Protocol, "");
        assert_eq!(receiver.requests(), 1, "{answer:.40}");
    }
}

#[tokio::test]
async fn each_way_of_not_connecting_has_its_name() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let plain = Receiver::start(|mut visit| async move {
        visit.answer(b"220 mail.example.org ESMTP\r\n").await;
    });
    let plain = plain.await.port;
    let cases = [
        (
            format!("http://127.0.0.1:{port}/"),
            Failure::Connect,
            "refused",
        ),
        (
            format!("http://10.1.2.3:{port}/"),
            Failure::Refused,
            "private address",
        ),
        (
            format!("http://[::1]:{port}/"),
            Failure::Refused,
            "loopback address",
        ),
        (
            "http://nowhere.example/".to_owned(),
            Failure::Resolve,
            "no such host",
        ),
        (
            format!("https://127.0.0.1:{plain}/"),
            Failure::Tls,
            "no TLS",
        ),
        (
            format!("http://localhost/{}", "x".repeat(70_000)),
            Failure::Connect,
            "",
        ),
    ];
    for (url, failure, words) in cases {
        let outcome = sender().post_text(&callback(&url), "news").await;
        assert_unanswered(outcome, failure, words);
    }
}

#[tokio::test]
async fn a_callback_too_long_for_a_request_is_a_failure_of_its_own() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let url = format!("http://127.0.0.1:{}/{}", receiver.port, "x".repeat(70_000));
    let outcome = sender().post_text(&callback(&url), "news").await;
    assert_unanswered(
        outcome,
        Failure::Protocol,
        "the callback cannot be put into a request",
    );
}

#[tokio::test]
async fn the_deadline_covers_connecting() {
    // It accepts, and then never begins the TLS handshake.
    let receiver = Receiver::start(|visit| async move {
        let _open = visit.stream;
        std::future::pending().await
    })
    .await;
    let callback = callback(&format!("https://127.0.0.1:{}/", receiver.port));
    let outcome = sender()
        .post(&callback, HeaderMap::new(), Bytes::new(), SHORT)
        .await;
    assert_unanswered(outcome, Failure::Timeout, "not connected after 150ms");
}

#[test]
fn the_port_is_the_named_one_or_the_schemes() {
    let cases = [
        ("http://example.org/", 80),
        ("https://example.org/", 443),
        ("http://example.org:8080/a:1", 8080),
        ("https://[2001:db8::1]/", 443),
        ("https://[2001:db8::1]:8443/", 8443),
    ];
    for (url, expected) in cases {
        assert_eq!(port(&callback(url)), expected, "{url}");
    }
}
