//! Requests in the forms that clients send them: encodings, places of the parameters, odd HTTP. And what a visitor sees.

use crate::support::client::FORM;
use crate::support::{Hub, Scene, TOPIC, form};

#[tokio::test]
async fn hub_01_form_values_are_utf_8() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let topic = "http://publisher.example/größe?tag=日本&x=%C3%A9";
    scene
        .hub
        .subscribe(topic, callback.url())
        .send()
        .await
        .expect(202);
    let asked = callback.verification(1).await;
    assert_eq!(asked.param("hub.topic").as_deref(), Some(topic));

    let latin = format!(
        "hub.mode=subscribe&hub.topic=http://publisher.example/gr%F6%DFe&{}",
        form(&[("hub.callback", callback.url())])
    );
    let answer = scene
        .hub
        .request("POST", "/", &[("Content-Type", FORM)], latin.as_bytes())
        .await;
    answer.refuses(&["hub.topic", "UTF-8"]);
}

#[tokio::test]
async fn q_21_a_multipart_body_is_a_form_too() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let mut body = String::new();
    for (name, value) in [
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", callback.url()),
    ] {
        body.push_str(&format!(
            "--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str("--limit--\r\n");
    let kind = [("Content-Type", "multipart/form-data; boundary=limit")];
    scene
        .hub
        .request("POST", "/", &kind, body.as_bytes())
        .await
        .expect(202);
    assert_eq!(
        callback.verification(1).await.param("hub.topic").as_deref(),
        Some(TOPIC)
    );

    let cut = &body.as_bytes()[..body.len() / 2];
    scene
        .hub
        .request("POST", "/", &kind, cut)
        .await
        .refuses(&["multipart"]);
    scene
        .hub
        .request(
            "POST",
            "/",
            &[("Content-Type", "multipart/form-data")],
            body.as_bytes(),
        )
        .await
        .refuses(&["multipart"]);
}

#[tokio::test]
async fn q_22_query_and_body_are_merged_and_the_body_wins() {
    let scene = Scene::start().await;
    let bodiless = scene.subscriber.callback("/bodiless");
    let query = form(&[
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", bodiless.url()),
    ]);
    scene
        .hub
        .request("POST", &format!("/?{query}"), &[], b"")
        .await
        .expect(202);
    bodiless.verification(1).await;

    let mixed = scene.subscriber.callback("/mixed");
    let query = form(&[("hub.mode", "unsubscribe"), ("hub.topic", TOPIC)]);
    let body = [("hub.mode", "subscribe"), ("hub.callback", mixed.url())];
    scene
        .hub
        .post(&format!("/hub?{query}"), &body)
        .await
        .expect(202);
    let asked = mixed.verification(1).await;
    assert_eq!(asked.param("hub.mode").as_deref(), Some("subscribe"));
    assert_eq!(asked.param("hub.topic").as_deref(), Some(TOPIC));
}

#[tokio::test]
async fn q_41_a_request_needs_no_user_agent() {
    let scene = Scene::start().await;
    let callback = scene.subscriber.callback("/cb");
    let fields = form(&[
        ("hub.mode", "subscribe"),
        ("hub.topic", TOPIC),
        ("hub.callback", callback.url()),
    ]);
    let bare = format!(
        "POST / HTTP/1.0\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{fields}",
        fields.len()
    );
    scene.hub.raw(bare.as_bytes()).await.expect(202);
    callback.verification(1).await;
}

#[tokio::test]
async fn q_45_a_tls_hello_is_turned_away_at_once() {
    let hub = Hub::start().await;
    // The beginning of a ClientHello of TLS 1.2.
    let hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    let begun = std::time::Instant::now();
    let mut stream = tokio::net::TcpStream::connect(hub.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, hello)
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Reading ends with the connection, be it with a reset.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    assert!(
        begun.elapsed().as_secs() < 3,
        "clients that try https first wait no longer"
    );
}

#[tokio::test]
async fn q_49_a_json_body_is_refused_in_words() {
    let hub = Hub::start().await;
    let json = br#"{"hub.mode": "subscribe", "hub.topic": "http://a.example/"}"#;
    for path in ["/", "/hub", "/subscribe"] {
        let answer = hub
            .request("POST", path, &[("Content-Type", "application/json")], json)
            .await;
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        assert!(!answer.text().is_empty());
    }
}

#[tokio::test]
async fn a_visitor_sees_a_page_and_a_misguided_get_is_told_so() {
    let hub = Hub::start().await;
    for path in ["/", "/hub"] {
        let page = hub.get(path).await.expect(200);
        assert!(
            page.header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
        assert!(page.text().contains(&hub.url), "names this hub's own URL");
        for mode in ["subscribe", "unsubscribe", "publish"] {
            hub.get(&format!("{path}?hub.mode={mode}"))
                .await
                .refuses(&["POST"]);
        }
    }
}
