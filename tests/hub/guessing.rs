//! Who shows tokens that are none: the operator sees it in the metrics and in the log, and the log does not grow with it.

use serde_json::Value;

use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PUBLISHER, eventually};

const COUNTER: &str = "fanfare_refused_tokens_total";

async fn refused(hub: &Hub) -> Option<u64> {
    let text = hub.get("/metrics").await.expect(200).text();
    let line = text.lines().find(|line| line.starts_with(COUNTER))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn tokens_that_are_none_are_counted_and_their_client_is_named_once() {
    let hub = Hub::with(&[("log.format", "json")]).await;
    assert_eq!(refused(&hub).await, Some(0), "it is there from the start");
    let guess = bearer("a-guess-of-mine");
    let json = ("Content-Type", "application/json");
    let guessing = [("Authorization", guess.as_str()), json];
    for path in [
        "/api/v1/about",
        "/api/v1/live",
        "/api/v1/subscriptions",
        "/repos/octocat/hello/hooks",
        "/api/v1/pleroma/admin/webhooks",
    ] {
        let answer = hub.request("GET", path, &guessing, b"").await;
        let said = answer.expect(403).text();
        assert!(said.contains("does not know this token"), "{path}: {said}");
    }
    let sign_in = br#"{"token":"another-guess"}"#;
    let answer = hub.request("POST", "/api/v1/session", &guessing[1..], sign_in);
    answer.await.expect(403);
    assert_eq!(refused(&hub).await, Some(6));

    // No token, and one that may not, are no guesses.
    hub.get("/api/v1/about").await.expect(401);
    let publisher = bearer(PUBLISHER);
    let weak = [("Authorization", publisher.as_str())];
    hub.request("GET", "/api/v1/about", &weak, b"")
        .await
        .expect(403);
    let admin = bearer(ADMIN);
    let right = [("Authorization", admin.as_str())];
    hub.request("GET", "/api/v1/about", &right, b"")
        .await
        .expect(200);
    assert_eq!(refused(&hub).await, Some(6));

    let lines = || {
        let output = hub.output();
        let events = output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let its = events.filter(|event: &Value| {
            let message = event["message"].as_str();
            message.is_some_and(|message| message.starts_with("refused: "))
        });
        its.collect::<Vec<_>>()
    };
    let line = eventually("the line", async || lines().pop()).await;
    assert_eq!(
        (&line["level"], &line["tokens"]),
        (&"WARN".into(), &1.into())
    );
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(lines().len(), 1, "one in a minute");
    assert!(
        !hub.output().contains("guess-of-mine"),
        "the token is not told"
    );
}
