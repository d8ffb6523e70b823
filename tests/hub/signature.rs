//! Signatures (checklist 1C): which header, which method, over which bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::support::{Request, Scene, TOPIC};

/// Asserts that a delivery carries both headers, the standard one of this method, under this secret.
#[track_caller]
pub fn assert_signed(delivery: &Request, method: &str, secret: &str) {
    let expected = signature(method, secret, &delivery.body);
    assert_eq!(delivery.headers.all("x-hub-signature"), [expected.as_str()]);
    let expected = signature("sha256", secret, &delivery.body);
    assert_eq!(
        delivery.headers.all("x-hub-signature-256"),
        [expected.as_str()]
    );
}

/// Asserts that a delivery carries no signature at all.
#[track_caller]
pub fn assert_unsigned(delivery: &Request) {
    let signed = delivery
        .headers
        .0
        .iter()
        .find(|(name, _)| name.to_ascii_lowercase().contains("signature"));
    assert_eq!(signed, None);
}

#[tokio::test]
async fn hub_02_hub_50_hub_60_q_08_the_default_is_sha1_with_sha256_beside_it() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("hush")
        .active()
        .await;
    scene.hub.publish_text(TOPIC, "news").await;
    let delivery = callback.delivery(1).await;
    assert_signed(&delivery, "sha1", "hush");
    let value = delivery.header("x-hub-signature").unwrap();
    assert_eq!(value.len(), "sha1=".len() + 40);
    assert_eq!(value, value.to_ascii_lowercase());
}

#[tokio::test]
async fn hub_51_a_subscriber_asks_for_a_stronger_method() {
    let scene = Scene::start().await;
    for method in ["sha1", "sha256", "sha384", "sha512"] {
        let callback = scene.subscriber.callback(&format!("/{method}"));
        let request = scene.hub.subscribe(TOPIC, callback.url()).secret("hush");
        let subscription = request.field("hub.signature", method).active().await;
        assert_eq!(subscription["signature"], method);
        scene.hub.publish_text(TOPIC, method).await;
        assert_signed(&callback.delivery(1).await, method, "hush");
    }
}

#[tokio::test]
async fn hub_51_the_hub_is_set_to_a_stronger_method() {
    let scene = Scene::with(&[("subscriptions.signature", "sha512")]).await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("hush")
        .active()
        .await;
    scene.hub.publish_text(TOPIC, "news").await;
    assert_signed(&callback.delivery(1).await, "sha512", "hush");
}

#[tokio::test]
async fn hub_50_the_signature_is_over_the_very_bytes_of_the_body() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("hush")
        .active()
        .await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let answer = scene
        .hub
        .push(TOPIC, "application/octet-stream", &bytes)
        .await;
    scene.hub.ended(&answer).await;
    let delivery = callback.delivery(1).await;
    assert_eq!(delivery.body, bytes);
    assert_signed(&delivery, "sha1", "hush");
}

#[tokio::test]
async fn hub_52_hub_53_no_secret_no_signature_and_a_renewal_decides_anew() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let subscribe = || scene.hub.subscribe(TOPIC, callback.url());
    subscribe().active().await;
    scene.hub.publish_text(TOPIC, "without").await;
    assert_unsigned(&callback.delivery(1).await);
    subscribe().secret("one").active().await;
    scene.hub.publish_text(TOPIC, "with").await;
    assert_signed(&callback.delivery(2).await, "sha1", "one");
    subscribe().secret("two").active().await;
    scene.hub.publish_text(TOPIC, "with another").await;
    assert_signed(&callback.delivery(3).await, "sha1", "two");
    subscribe().active().await;
    scene.hub.publish_text(TOPIC, "without again").await;
    assert_unsigned(&callback.delivery(4).await);
}

#[tokio::test]
async fn hub_52_an_empty_secret_is_none() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    scene
        .hub
        .subscribe(TOPIC, callback.url())
        .secret("")
        .active()
        .await;
    scene.hub.publish_text(TOPIC, "news").await;
    assert_unsigned(&callback.delivery(1).await);
}

#[tokio::test]
async fn q_07_a_secret_is_decoded_exactly() {
    let scene = Scene::start().await;
    for (number, secret) in [
        "x7b)2(q5@_=k+s#%d!w-e^&r$t*y",
        "with blanks  and + plus",
        "%41 is not decoded twice",
        "größe 日本",
        "line\nbreak\ttab",
    ]
    .into_iter()
    .enumerate()
    {
        let callback = scene.subscriber.callback(&format!("/{number}"));
        scene
            .hub
            .subscribe(TOPIC, callback.url())
            .secret(secret)
            .active()
            .await;
        scene.hub.publish_text(TOPIC, secret).await;
        assert_signed(&callback.delivery(1).await, "sha1", secret);
    }
}

fn signature(method: &str, secret: &str, body: &[u8]) -> String {
    let digest = match method {
        "sha1" => digest::<Hmac<Sha1>>(secret, body),
        "sha256" => digest::<Hmac<Sha256>>(secret, body),
        "sha384" => digest::<Hmac<Sha384>>(secret, body),
        "sha512" => digest::<Hmac<Sha512>>(secret, body),
        other => panic!("no method: {other}"),
    };
    format!("{method}={digest}")
}

fn digest<M: Mac + KeyInit>(secret: &str, body: &[u8]) -> String {
    let mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).expect("any length");
    hex::encode(mac.chain_update(body).finalize().into_bytes())
}
