//! The two clients against real servers on loopback: what holds for both, and the caller.

mod fetch;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use url::Url;

use super::*;
use crate::domain::topic::Validators;
use crate::net::guard::Guard;
use crate::net::testing::{Answer, Server, TestCa, closed_resolver, open_resolver, reply, whole};

const MEGABYTE: usize = 1024 * 1024;
const LIMITS: FetchLimits = FetchLimits {
    timeout: Duration::from_secs(20),
    max_body: MEGABYTE,
    max_redirects: 3,
};

fn no_tls() -> Tls {
    Tls::new(None).unwrap()
}

fn fetcher() -> Fetcher {
    Fetcher::new(open_resolver(), &no_tls(), LIMITS).unwrap()
}

fn caller(timeout: Duration) -> Caller {
    Caller::new(
        open_resolver(),
        &no_tls(),
        timeout,
        8192,
        "fanfare-test".to_owned(),
    )
    .unwrap()
}

fn request(url: Url) -> FetchRequest {
    FetchRequest {
        url,
        validators: Validators::default(),
        user_agent: "fanfare (3 subscribers)".to_owned(),
    }
}

async fn fetch(url: Url) -> Result<Fetched, FetchError> {
    fetcher().fetch(&request(url)).await
}

async fn content(url: Url) -> Content {
    match fetch(url).await.unwrap() {
        Fetched::Content(content) => *content,
        Fetched::NotModified => panic!("nothing was asked conditionally"),
    }
}

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

/// A server that redirects by `hops` (path, status, location) and has content everywhere else.
async fn redirecting(hops: &'static [(&'static str, &'static str, &'static str)]) -> Server {
    Server::start(
        |head| match hops.iter().find(|(from, ..)| *from == path(head)) {
            Some((_, status, to)) => reply(&[status, &format!("Location: {to}")], "moved"),
            None => reply(&["200 OK"], "arrived"),
        },
    )
    .await
}

/// An answer that never ends: a head, then a byte now and then.
fn dripping() -> Answer {
    let drops = stream::repeat(()).then(async |()| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        b"x".to_vec()
    });
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n".to_vec();
    stream::iter([head]).chain(drops).boxed()
}

#[tokio::test]
async fn a_dripping_body_and_a_silent_server_hit_the_deadline() {
    let after = Duration::from_millis(300);
    let server = Server::start(|head| match path(head) {
        "/drip" => dripping(),
        _ => stream::pending().boxed(),
    })
    .await;
    let limits = FetchLimits {
        timeout: after,
        ..LIMITS
    };
    let fetcher = Fetcher::new(open_resolver(), &no_tls(), limits).unwrap();
    for path in ["/drip", "/silent"] {
        let error = fetcher.fetch(&request(server.url(path))).await.unwrap_err();
        assert_eq!(
            error,
            FetchError::Call(CallError::Timeout { after }),
            "{path}"
        );
        let error = caller(after).get(&server.url(path)).await.unwrap_err();
        assert_eq!(error, CallError::Timeout { after }, "{path}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn refuses_loopback_by_address_and_by_name_unless_it_is_allowed() {
    let server = redirecting(&[]).await;
    let by_name = Url::parse(&format!("http://localhost:{}/", server.port)).unwrap();
    let closed = Fetcher::new(closed_resolver(), &no_tls(), LIMITS).unwrap();
    let closed_caller = Caller::new(
        closed_resolver(),
        &no_tls(),
        LIMITS.timeout,
        8192,
        String::new(),
    )
    .unwrap();
    for url in [server.url("/"), by_name.clone()] {
        let error = closed.fetch(&request(url.clone())).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("127.0.0.1 is a loopback address"),
            "{error}"
        );
        let error = closed_caller.get(&url).await.unwrap_err();
        assert!(error.is_refused() && !error.is_retryable(), "{error}");
    }
    assert!(
        server.heads.lock().unwrap().is_empty(),
        "nothing may have reached the server"
    );
    assert_eq!(content(by_name).await.body, "arrived");
}

#[tokio::test]
async fn says_whether_nobody_listens_or_nobody_speaks_http() {
    let server = Server::start(|_| whole("SSH-2.0-OpenSSH_9.9\r\n")).await;
    let caller = caller(LIMITS.timeout);
    let error = caller.get(&server.url("/")).await.unwrap_err();
    assert!(matches!(error, CallError::Protocol { .. }), "{error}");

    let url = server.url("/?hub.challenge=secret");
    drop(server);
    // The listener closes when its task has been dropped, which may be a moment after the abort.
    let error = loop {
        match caller.get(&url).await.unwrap_err() {
            CallError::Protocol { .. } => tokio::task::yield_now().await,
            error => break error,
        }
    };
    assert!(
        matches!(&error, CallError::Connect { host, .. } if host == "127.0.0.1"),
        "{error}"
    );
    assert!(
        error.is_retryable() && !error.to_string().contains("secret"),
        "{error}"
    );

    let unknown = Resolver::with_lookup(Arc::new(Guard::callbacks(vec![])), |_| {
        Err(std::io::Error::other("no such name"))
    });
    let caller = Caller::new(
        Arc::new(unknown),
        &no_tls(),
        LIMITS.timeout,
        8192,
        String::new(),
    )
    .unwrap();
    let error = caller
        .get(&Url::parse("http://gone.example/").unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot find the address of gone.example: no such name"
    );
}

#[tokio::test]
async fn a_callback_answers_with_whatever_status_and_the_first_bytes() {
    let server = Server::start(|head| match path(head) {
        "/echo?hub.challenge=abc" => reply(&["200 OK"], "abc"),
        "/moved" => reply(&["302 Found", "Location: /echo?hub.challenge=abc"], ""),
        "/nul" => reply(&["404 Not Found"], "a\0b\0"),
        _ => reply(&["200 OK"], vec![b'x'; 100_000]),
    })
    .await;
    let caller = caller(LIMITS.timeout);
    for (path, status, body) in [
        ("/echo?hub.challenge=abc", 200, b"abc".to_vec()),
        ("/moved", 302, vec![]),
        ("/nul", 404, b"a\0b\0".to_vec()),
        ("/long", 200, vec![b'x'; 8192]),
    ] {
        let answer = caller.get(&server.url(path)).await.unwrap();
        assert_eq!(
            answer,
            CallbackAnswer {
                status,
                body: body.into()
            },
            "{path}"
        );
    }
    assert_eq!(
        server.heads.lock().unwrap().len(),
        4,
        "the redirect was not followed"
    );
    assert!(server.last_head().contains("user-agent: fanfare-test\r\n"));
}

#[tokio::test]
async fn trusts_the_authorities_of_its_file_and_no_others() {
    let ca = TestCa::new(&[b"http/1.1"]);
    let server = Server::start_with(Some(ca.acceptor.clone()), |_| {
        reply(&["200 OK"], "over TLS")
    })
    .await;
    let url = Url::parse(&format!("https://localhost:{}/", server.port)).unwrap();

    let trusting = Fetcher::new(open_resolver(), &ca.trusted(), LIMITS).unwrap();
    let Fetched::Content(content) = trusting.fetch(&request(url.clone())).await.unwrap() else {
        panic!("nothing was asked conditionally");
    };
    assert_eq!(content.body, "over TLS");

    let error = fetch(url).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Call(CallError::Connect { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("certificate"), "{error}");
}
