//! The fetcher: conditional requests, redirects, caps, encodings.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn brings_the_content_and_all_that_describes_it() {
    let server = Server::start(|_| {
        let head = [
            "200 OK",
            "Content-Type: application/atom+xml",
            "Link: <https://hub.example/>; rel=hub",
            "ETag: \"v1\"",
            "Link: <https://a.example/feed>; rel=self",
            "Last-Modified: Sun, 22 Nov 2026 12:00:00 GMT",
            "Date: Sun, 22 Nov 2026 12:00:02 GMT",
        ];
        reply(&head, b"<feed>\0</feed>\xff")
    })
    .await;
    let url = server.url("/feed?x=1");
    let expected = Content {
        final_url: url.clone(),
        permanent_url: None,
        content_type: Some("application/atom+xml".to_owned()),
        link_headers: vec![
            Bytes::from("<https://hub.example/>; rel=hub"),
            Bytes::from("<https://a.example/feed>; rel=self"),
        ],
        validators: Validators {
            url: Some(url.to_string()),
            etag: Some("\"v1\"".to_owned()),
            last_modified: Some("Sun, 22 Nov 2026 12:00:00 GMT".to_owned()),
        },
        body: Bytes::from_static(b"<feed>\0</feed>\xff"),
    };
    assert_eq!(content(url).await, expected);
    let head = server.last_head();
    assert!(head.starts_with("get /feed?x=1 http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nuser-agent: fanfare (3 subscribers)\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\naccept-encoding: gzip\r\n"), "{head}");
    assert!(
        !head.contains("if-none-match") && !head.contains("if-modified-since"),
        "{head}"
    );
}

#[tokio::test]
async fn content_that_may_change_again_within_the_second_is_not_asked_for_conditionally() {
    for date in [
        "Date: Sun, 22 Nov 2026 12:00:01 GMT",
        "Date: Sun, 22 Nov 2026 11:59:59 GMT",
        "Date: today",
    ] {
        let modified = "Last-Modified: Sun, 22 Nov 2026 12:00:00 GMT";
        let head = ["200 OK", "ETag: \"v1\"", modified, date];
        let server = Server::start(move |_| reply(&head, "new")).await;
        let got = content(server.url("/feed")).await;
        assert_eq!(got.validators, Validators::default(), "{date}");
    }
}

#[tokio::test]
async fn asks_conditionally_only_the_url_that_gave_the_validators() {
    let server = Server::start(|head| match path(head) {
        "/moved" => reply(&["302 Found", "Location: /feed"], ""),
        "/feed" if head.contains("if-none-match: \"v1\"") => {
            whole("HTTP/1.1 304 Not Modified\r\n\r\n")
        }
        _ => reply(&["200 OK"], "new"),
    })
    .await;
    let validators = |path| {
        let url = server.url(path);
        Validators {
            url: Some(url.to_string()),
            etag: Some("\"v1\"".to_owned()),
            last_modified: Some("then".to_owned()),
        }
    };

    let same = FetchRequest {
        validators: validators("/feed"),
        ..request(server.url("/moved"))
    };
    assert_eq!(fetcher().fetch(&same).await, Ok(Fetched::NotModified));
    assert!(server.last_head().contains("if-modified-since: then\r\n"));
    let first = server.heads.lock().unwrap()[0].clone();
    assert!(!first.contains("if-none-match"), "{first}");

    let other = FetchRequest {
        validators: validators("/elsewhere"),
        ..request(server.url("/feed"))
    };
    assert!(matches!(
        fetcher().fetch(&other).await,
        Ok(Fetched::Content(_))
    ));
}

#[tokio::test]
async fn a_304_that_was_not_asked_for_is_no_content() {
    let server = Server::start(|_| whole("HTTP/1.1 304 Not Modified\r\n\r\n")).await;
    let error = fetch(server.url("/")).await.unwrap_err();
    assert_eq!(
        error,
        FetchError::Status {
            status: 304,
            retry_after: None
        }
    );
}

#[tokio::test]
async fn reads_chunked_and_compressed_content() {
    let compressed = gzip(b"feed in gzip");
    let server = Server::start(move |head| match path(head) {
        "/chunked" => whole(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfeed \r\n9\r\nin chunks\r\n0\r\n\r\n",
        ),
        "/gzip" => reply(&["200 OK", "Content-Encoding: gzip"], &compressed),
        _ => reply(&["200 OK", "Content-Encoding: gzip"], "not gzip"),
    })
    .await;
    assert_eq!(content(server.url("/chunked")).await.body, "feed in chunks");
    assert_eq!(content(server.url("/gzip")).await.body, "feed in gzip");
    let error = fetch(server.url("/broken")).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Call(CallError::Protocol { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn cuts_a_400_megabyte_body_at_the_cap() {
    let server = Server::start(|_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            400 * MEGABYTE
        );
        let chunks = stream::repeat(vec![b'x'; 64 * 1024]).take(400 * 16);
        stream::iter([head.into_bytes()]).chain(chunks).boxed()
    })
    .await;
    let error = fetch(server.url("/")).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge { limit: MEGABYTE });
    let sent = server.sent.load(Ordering::Relaxed);
    assert!(sent < 40 * MEGABYTE as u64, "{sent} bytes were taken");
}

#[tokio::test]
async fn the_cap_counts_what_comes_out_of_compression() {
    let bomb = gzip(&vec![0; 8 * MEGABYTE]);
    assert!(bomb.len() < MEGABYTE / 8);
    let exact = gzip(&vec![0; MEGABYTE]);
    let server = Server::start(move |head| {
        let body = if path(head) == "/bomb" { &bomb } else { &exact };
        reply(&["200 OK", "Content-Encoding: gzip"], body)
    })
    .await;
    let error = fetch(server.url("/bomb")).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge { limit: MEGABYTE });
    assert_eq!(content(server.url("/exact")).await.body.len(), MEGABYTE);
}

#[tokio::test]
async fn follows_redirects_and_tells_where_the_topic_moved_for_good() {
    let server = redirecting(&[
        ("/old", "301 Moved Permanently", "/newer"),
        ("/newer", "308 Permanent Redirect", "/today"),
        ("/today", "302 Found", "/mirror"),
        ("/soon", "307 Temporary Redirect", "/newest"),
        ("/newest", "301 Moved Permanently", "/there"),
        ("/other", "303 See Other", "there?x#part"),
    ])
    .await;
    for (from, end, permanent) in [
        ("/old", "/mirror", Some("/today")),
        ("/soon", "/there", None),
        ("/other", "/there?x#part", None),
        ("/there", "/there", None),
    ] {
        let content = content(server.url(from)).await;
        assert_eq!(content.final_url, server.url(end), "{from}");
        assert_eq!(
            content.permanent_url,
            permanent.map(|path| server.url(path)),
            "{from}"
        );
        assert_eq!(content.body, "arrived");
    }
}

#[tokio::test]
async fn ends_loops_and_redirects_to_nowhere() {
    let server = redirecting(&[
        ("/loop", "302 Found", "/loop"),
        ("/file", "302 Found", "file:///etc/passwd"),
        ("/empty", "301 Moved Permanently", ""),
        ("/broken", "301 Moved Permanently", "http://["),
    ])
    .await;
    let error = fetch(server.url("/loop")).await.unwrap_err();
    assert_eq!(error, FetchError::TooManyRedirects { limit: 3 });
    assert_eq!(server.heads.lock().unwrap().len(), 4);
    for (path, location) in [
        ("/file", "file:///etc/passwd"),
        ("/empty", ""),
        ("/broken", "http://["),
    ] {
        let error = fetch(server.url(path)).await.unwrap_err();
        assert_eq!(
            error,
            FetchError::BadRedirect {
                location: location.to_owned()
            }
        );
        assert!(error.is_permanent());
    }
}

#[tokio::test]
async fn a_redirect_to_a_refused_address_is_refused() {
    let server = redirecting(&[
        ("/metadata", "302 Found", "http://169.254.169.254/latest/"),
        ("/hex", "302 Found", "http://0x0a.1/"),
        ("/mapped", "302 Found", "http://[::ffff:10.0.0.1]/"),
    ])
    .await;
    for path in ["/metadata", "/hex", "/mapped"] {
        let error = fetch(server.url(path)).await.unwrap_err();
        assert!(
            matches!(&error, FetchError::Call(call) if call.is_refused()),
            "{path}: {error}"
        );
        assert!(error.is_permanent());
    }
}

#[tokio::test]
async fn a_status_without_content_is_an_error_with_the_wait_it_asks_for() {
    let server = Server::start(|head| match path(head) {
        "/busy" => reply(&["503 Service Unavailable", "Retry-After: 120"], ""),
        "/gone" => reply(&["410 Gone"], ""),
        "/part" => reply(&["206 Partial Content"], "part"),
        _ => whole("HTTP/1.1 204 No Content\r\n\r\n"),
    })
    .await;
    for (path, status, wait, permanent) in [
        ("/busy", 503, Some(120), false),
        ("/gone", 410, None, true),
        ("/part", 206, None, false),
        ("/", 204, None, false),
    ] {
        let error = fetch(server.url(path)).await.unwrap_err();
        let retry_after = wait.map(Duration::from_secs);
        assert_eq!(
            error,
            FetchError::Status {
                status,
                retry_after
            }
        );
        assert_eq!(
            (error.retry_after(), error.is_permanent()),
            (retry_after, permanent)
        );
    }
}
