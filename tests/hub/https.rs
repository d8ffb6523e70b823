//! Callbacks behind TLS: which certificates are trusted, and which HTTP is spoken (it is the callback's choice).

use hyper::Version;

use crate::support::receipts::assert_counts;
use crate::support::tls::{Authority, TlsCallback};
use crate::support::{Hub, TOPIC};

#[tokio::test]
async fn hub_49_a_callback_behind_tls_is_spoken_to_in_http_2_if_it_offers_that() {
    in_the_version_of_its_choice(&["h2", "http/1.1"], Version::HTTP_2).await;
}

#[tokio::test]
async fn hub_49_a_callback_behind_tls_is_spoken_to_in_http_1_1_if_it_offers_no_more() {
    in_the_version_of_its_choice(&["http/1.1"], Version::HTTP_11).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_failure_named_tls() {
    let (trusted, unknown) = (Authority::new(), Authority::new());
    let hub = hub_that_trusts(&trusted).await;
    let callback = TlsCallback::start(&unknown, &["h2"]).await;
    let request = hub.subscribe(TOPIC, callback.url());
    let request = request.field("hub.verify", "sync");
    request.send().await.refuses(&[callback.url()]);
    assert_eq!(request.known().await, None);

    callback.change_to(&trusted);
    request.send().await.expect(204);
    callback.change_to(&unknown);
    let answer = hub.push(TOPIC, "text/plain", b"news").await.expect(202);
    hub.receipt_when(&answer, |receipt| receipt["in_backlog"] == 1)
        .await;
    let missing = hub.missing(&answer).await;
    let [target] = &missing[..] else {
        panic!("one target: {missing:#?}");
    };
    let attempt = &target["last_attempt"];
    assert_eq!(attempt["failure"], "tls", "{attempt:#}");
    let detail = attempt["detail"].as_str().expect("words");
    assert!(detail.contains("certificate"), "{detail}");

    callback.change_to(&trusted);
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);
}

async fn in_the_version_of_its_choice(protocols: &[&'static str], version: Version) {
    let authority = Authority::new();
    let hub = hub_that_trusts(&authority).await;
    let callback = TlsCallback::start(&authority, protocols).await;
    let request = hub.subscribe(TOPIC, callback.url()).secret("hush");
    request.active().await;
    let (_, verification) = callback.request("GET").await;
    assert!(
        verification.target.starts_with("/cb?user=7&hub."),
        "{}",
        verification.target
    );

    assert_counts(&hub.publish_text(TOPIC, "news").await, [1, 1, 0, 0, 0]);
    let (spoken, delivery) = callback.request("POST").await;
    assert_eq!(spoken, version);
    assert_eq!(delivery.target, "/cb?user=7");
    assert_eq!(delivery.body, "news");
    assert_eq!(delivery.header("content-type"), Some("text/plain"));
    super::signature::assert_signed(&delivery, "sha1", "hush");
}

async fn hub_that_trusts(authority: &Authority) -> Hub {
    let file = authority.file();
    let file = file.to_str().expect("a plain path");
    Hub::with(&[("network.ca_file", file), ("delivery.retry", "300ms")]).await
}
