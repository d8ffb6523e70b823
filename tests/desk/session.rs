//! Sessions, from outside: a token is shown once, and then a cookie opens what the token would; another site can do nothing with it.

use serde_json::{Value, json};

use crate::scene::admin;
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PUBLISHER, Response};

const SESSION: &str = "/api/v1/session";
const PAGE: (&str, &str) = ("X-Fanfare-Page", "1");

async fn sign_in(hub: &Hub, token: &str) -> Response {
    let body = json!({ "token": token }).to_string();
    let headers = [("Content-Type", "application/json")];
    hub.request("POST", SESSION, &headers, body.as_bytes())
        .await
}

/// The cookie of somebody who has signed in.
async fn session(hub: &Hub, token: &str) -> String {
    let answer = sign_in(hub, token).await.expect(200);
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn with(
    hub: &Hub,
    cookie: &str,
    method: &str,
    path: &str,
    more: &[(&str, &str)],
) -> Response {
    let mut headers = vec![("Cookie", cookie)];
    headers.extend(more);
    hub.request(method, path, &headers, b"").await
}

#[tokio::test]
async fn a_cookie_opens_what_its_token_would_and_no_more() {
    let hub = Hub::start().await;
    let answer = sign_in(&hub, ADMIN).await.expect(200);
    let cookie = answer.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        !cookie.contains("Secure"),
        "this hub is reached without https"
    );
    assert!(!cookie.contains(ADMIN) && !answer.text().contains(ADMIN));
    assert_eq!(answer.json()["role"], "admin");

    let admin = session(&hub, ADMIN).await;
    let publisher = session(&hub, PUBLISHER).await;
    with(&hub, &admin, "GET", "/api/v1/topics", &[])
        .await
        .expect(200);
    with(&hub, &publisher, "GET", "/api/v1/topics", &[])
        .await
        .expect(403);
    let who = with(&hub, &publisher, "GET", SESSION, &[])
        .await
        .expect(200)
        .json();
    assert_eq!(who["role"], "publisher");
    // Whoever shows a token is who the token says, whatever the cookie.
    let token = bearer(PUBLISHER);
    let shown = [("Authorization", token.as_str())];
    with(&hub, &admin, "GET", "/api/v1/topics", &shown)
        .await
        .expect(403);
    let forged = "fanfare_session=0000000000000000000000000000000000000000000000000000000000000000";
    with(&hub, forged, "GET", "/api/v1/topics", &[])
        .await
        .expect(401);
}

#[tokio::test]
async fn a_wrong_token_begins_nothing() {
    let hub = Hub::start().await;
    for token in ["", "wrong-token-of-someone"] {
        let refused = sign_in(&hub, token).await.expect(403);
        assert!(refused.header("set-cookie").is_none());
    }
    for body in [
        "",
        "{}",
        "[]",
        r#"{"token":7}"#,
        r#"{"token":"a","more":1}"#,
    ] {
        let answer = hub.request("POST", SESSION, &[], body.as_bytes()).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    hub.get(SESSION).await.expect(401);
}

#[tokio::test]
async fn who_signs_out_is_out_and_so_is_who_held_a_revoked_token() {
    let hub = Hub::start().await;
    let one = session(&hub, ADMIN).await;
    let other = session(&hub, ADMIN).await;
    let out = with(&hub, &one, "DELETE", SESSION, &[PAGE])
        .await
        .expect(204);
    assert!(
        out.header("set-cookie")
            .expect("a cookie")
            .contains("Max-Age=0")
    );
    with(&hub, &one, "GET", SESSION, &[]).await.expect(401);
    with(&hub, &other, "GET", SESSION, &[]).await.expect(200);

    let wish = json!({ "name": "for a day", "role": "admin", "sources": ["*"] });
    let given = admin(&hub, "POST", "/api/v1/tokens", &wish)
        .await
        .expect(201)
        .json();
    let held = session(&hub, given["token"].as_str().expect("a token")).await;
    with(&hub, &held, "GET", "/api/v1/topics", &[])
        .await
        .expect(200);
    let path = format!("/api/v1/tokens/{}", given["id"].as_str().expect("an id"));
    admin(&hub, "DELETE", &path, &Value::Null).await.expect(204);
    with(&hub, &held, "GET", "/api/v1/topics", &[])
        .await
        .expect(401);
}

#[tokio::test]
async fn who_opens_an_address_of_the_inspector_shows_its_owner_no_session() {
    let hub = Hub::start().await;
    let made = admin(&hub, "POST", "/api/v1/inspector", &json!({})).await;
    let made = made.expect(201).json();
    let id = made["id"].as_str().expect("an id");
    let cookie = session(&hub, ADMIN).await;
    let cookies = format!("theme=dark; {cookie}; lang=en");
    with(&hub, &cookies, "GET", &format!("/inspect/{id}"), &[])
        .await
        .expect(200);
    let requests = format!("/api/v1/inspector/{id}/requests");
    let caught = admin(&hub, "GET", &requests, &Value::Null).await;
    let caught = caught.expect(200).text();
    assert!(caught.contains("theme=dark; lang=en"), "{caught}");
    assert!(!caught.contains("fanfare_session"), "{caught}");
}

#[tokio::test]
async fn another_site_changes_nothing_with_a_session() {
    let hub = Hub::start().await;
    let cookie = session(&hub, ADMIN).await;
    let wish = json!({ "name": "mine", "role": "admin", "sources": ["*"] }).to_string();
    let own = hub.url.trim_end_matches('/').to_owned();
    let post = async |more: &[(&str, &str)]| {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend(more);
        let answer = hub
            .request("POST", "/api/v1/tokens", &headers, wish.as_bytes())
            .await;
        answer.status
    };
    for (headers, status) in [
        (&[][..], 403),
        (&[("Sec-Fetch-Site", "same-origin")], 403),
        (&[PAGE, ("Sec-Fetch-Site", "cross-site")], 403),
        (&[PAGE, ("Sec-Fetch-Site", "same-site")], 403),
        (&[PAGE, ("Origin", "https://evil.example")], 403),
        (&[PAGE, ("Origin", "null")], 403),
        (&[PAGE, ("Origin", own.as_str())], 201),
        (&[PAGE, ("Sec-Fetch-Site", "same-origin")], 201),
        (&[PAGE], 201),
    ] {
        assert_eq!(post(headers).await, status, "{headers:?}");
    }
    let body = json!({ "token": ADMIN }).to_string();
    let elsewhere = [("Sec-Fetch-Site", "cross-site")];
    hub.request("POST", SESSION, &elsewhere, body.as_bytes())
        .await
        .expect(403);
    // A token is shown on purpose: it needs no more.
    let authorization = bearer(ADMIN);
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    hub.request("POST", "/api/v1/tokens", &headers, wish.as_bytes())
        .await
        .expect(201);
}
