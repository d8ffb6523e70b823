//! What the tests of sources say to a hub: declare, raise, ask. In: names and JSON. Out: the response.

use serde_json::{Value, json};

use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PUBLISHER, Response};

impl Hub {
    /// Sends JSON with a token.
    pub async fn send_json(&self, token: &str, method: &str, path: &str, body: &Value) -> Response {
        let token = bearer(token);
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.request(method, path, &headers, body.as_bytes()).await
    }

    /// Gets a path with a token.
    pub async fn get_as(&self, token: &str, path: &str) -> Response {
        let token = bearer(token);
        self.request("GET", path, &[("Authorization", &token)], b"")
            .await
    }

    /// Declares a source, as the administrator.
    pub async fn declare(&self, name: &str, source: &Value) -> Response {
        let path = format!("/api/v1/sources/{name}");
        self.send_json(ADMIN, "PUT", &path, source).await
    }

    /// Raises events as the publisher.
    pub async fn raise(&self, path: &str, body: &Value) -> Response {
        self.send_json(PUBLISHER, "POST", path, body).await
    }

    /// Raises as the publisher, with a key.
    pub async fn raise_once(&self, path: &str, key: &str, body: &Value) -> Response {
        let token = bearer(PUBLISHER);
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", key),
        ];
        self.request("POST", path, &headers, body.to_string().as_bytes())
            .await
    }

    /// Gives out a token for these sources and events.
    pub async fn token(&self, role: &str, sources: &[&str], events: &[&str]) -> String {
        let wish = json!({ "name": role, "role": role, "sources": sources, "events": events });
        let answer = self.send_json(ADMIN, "POST", "/api/v1/tokens", &wish).await;
        let token = answer.expect(201).json()["token"].clone();
        token.as_str().expect("a text").to_owned()
    }
}

/// Asserts a refusal in JSON: the status, and each of `words` named in the text.
#[track_caller]
pub fn assert_refused(answer: &Response, status: u16, words: &[&str]) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    let error = answer.json()["error"].as_str().map(str::to_owned);
    let error = error.unwrap_or_else(|| panic!("no error: {text}"));
    for word in words {
        assert!(error.contains(word), "does not name {word:?}: {error}");
    }
}
