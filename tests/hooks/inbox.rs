//! The inbox: the webhooks of every dialect, as they stand byte for byte in `src/dialect/golden`, come in from elsewhere. They are
//! raised if their signature is right, or with a token where the source has no secret; each once.

use std::collections::BTreeMap;

use serde_json::json;

use crate::golden::Golden;
use crate::raising::assert_refused;
use crate::support::client::bearer;
use crate::support::{Hub, PUBLISHER, Response, Scene};

impl Golden {
    /// The header with the strongest signature.
    fn signature(&self) -> Option<&'static str> {
        ["x-hub-signature-256", "x-hub-signature", "x-muut-signature"]
            .into_iter()
            .find(|name| self.headers.contains_key(*name))
    }

    async fn send(
        &self,
        hub: &Hub,
        body: &str,
        change: impl Fn(&mut BTreeMap<String, String>),
    ) -> Response {
        let mut headers = self.headers.clone();
        headers.remove("user-agent");
        change(&mut headers);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let path = format!("/{}/inbox", self.source);
        hub.request("POST", &path, &headers, body.as_bytes()).await
    }
}

/// A hub with the source of a request.
async fn declared(hub: &Hub, golden: &Golden, secret: Option<&str>) {
    let source = json!({ "dialect": golden.dialect, "inbound_secret": secret });
    let mut source = source;
    if golden.dialect == "websub" {
        source["events"] = json!([golden.event]);
    }
    let declared = hub.declare(&golden.source, &source).await;
    assert!([200, 201].contains(&declared.status), "{}", declared.text());
}

#[tokio::test]
async fn every_dialect_comes_in_under_its_signature_and_under_no_other() {
    let hub = Hub::start().await;
    for (file, golden) in Golden::all() {
        let Some(signature) = golden.signature() else {
            continue;
        };
        declared(&hub, &golden, golden.secret.as_deref()).await;
        // Each file has the same id; the event shall not be taken for the one before.
        let unique = |headers: &mut BTreeMap<String, String>| {
            for (name, value) in headers
                .iter_mut()
                .filter(|(name, _)| name.ends_with("-delivery"))
            {
                *value = format!("{file}-{name}");
            }
        };
        let unsigned = |headers: &mut BTreeMap<String, String>| {
            headers.retain(|name, _| !name.contains("signature"));
        };
        let missing = golden.send(&hub, &golden.body, unsigned).await;
        assert_refused(&missing, 401, &["not signed", signature]);
        let token = bearer(PUBLISHER);
        let with_token = golden
            .send(&hub, &golden.body, |headers| {
                unsigned(headers);
                headers.insert("authorization".into(), token.clone());
            })
            .await;
        assert_refused(&with_token, 401, &["not signed"]);
        let other = golden
            .send(&hub, &format!("{} ", golden.body), unique)
            .await;
        assert_refused(&other, 403, &["signature is not that of the body"]);
        let wrong = golden
            .send(&hub, &golden.body, |headers| {
                for (_, value) in headers
                    .iter_mut()
                    .filter(|(name, _)| name.contains("signature"))
                {
                    value.replace_range(value.len() - 4.., "0000");
                }
            })
            .await;
        assert_refused(&wrong, 403, &["signature is not that of the body"]);

        let taken = golden.send(&hub, &golden.body, unique).await;
        assert_eq!(taken.status, 202, "{file}: {}", taken.text());
        assert!(taken.json()["receipt"] == taken.location());
        let again = golden.send(&hub, &golden.body, unique).await.expect(202);
        assert_eq!(again.location(), taken.location(), "{file}: a repeat");

        let path = format!("/{}/events/{}", golden.source, golden.event);
        let latest = hub.get(&path).await.expect(200);
        let expected = match golden.dialect.as_str() {
            "muut" => golden.body.clone(),
            "socialgateway" | "websub" => golden.raise.clone(),
            _ if golden.type_key => golden.body.replacen("\"type\"", "\"event\"", 1),
            _ => golden.body.clone(),
        };
        assert_eq!(latest.text(), expected, "{file}");
    }
}

#[tokio::test]
async fn a_source_without_a_secret_believes_who_holds_a_publishers_token() {
    let hub = Hub::start().await;
    let (_, golden) = Golden::all()
        .into_iter()
        .find(|(file, _)| file == "mastodon-account.created.json")
        .expect("the file");
    declared(&hub, &golden, None).await;
    let accounts = hub.token("publisher", &["social"], &["account.*"]).await;
    let reports = hub.token("publisher", &["social"], &["report.*"]).await;
    let reader = hub.token("reader", &["*"], &[]).await;
    for (token, status) in [
        (None, 401),
        (Some("wrong".to_owned()), 403),
        (Some(reader), 403),
        (Some(reports), 403),
        (Some(accounts), 202),
        (Some(PUBLISHER.to_owned()), 202),
    ] {
        let answer = golden
            .send(&hub, &golden.body, |headers| {
                headers.extend(
                    token
                        .iter()
                        .map(|token| ("authorization".to_owned(), bearer(token))),
                );
            })
            .await;
        assert_eq!(answer.status, status, "{token:?}: {}", answer.text());
    }
    let path = format!("/{}/inbox?token={PUBLISHER}", golden.source);
    let in_url = hub
        .request("POST", &path, &[], golden.body.as_bytes())
        .await;
    assert_refused(&in_url, 401, &["header Authorization", "the same secret"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words() {
    let hub = Hub::start().await;
    hub.declare("social", &json!({ "dialect": "mastodon" }))
        .await
        .expect(201);
    hub.declare("octocat/x", &json!({ "dialect": "socialgateway" }))
        .await
        .expect(201);
    let token = bearer(PUBLISHER);
    for (path, event, body, status, words) in [
        ("/none/inbox", "", "{}", 404, &["no source none"][..]),
        ("/fanfare/inbox", "", "{}", 403, &["the hub itself"]),
        ("/social/inbox", "", "{", 400, &["not JSON"]),
        ("/social/inbox", "", "{}", 422, &["`event`"]),
        (
            "/social/inbox",
            "",
            "{\"event\":\"report.deleted\",\"object\":{}}",
            422,
            &["report.deleted", "report.updated"],
        ),
        (
            "/social/inbox",
            "",
            "{\"event\":\"report.created\",\"object\":{}}",
            422,
            &["id"],
        ),
        ("/octocat/x/inbox", "", "{}", 422, &["X-GitHub-Event"]),
        (
            "/octocat/x/inbox",
            "pish",
            "{}",
            422,
            &["did you mean push?"],
        ),
        ("/octocat/x/inbox", "push", "[]", 422, &["object"]),
    ] {
        let mut headers = vec![
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        headers.extend(Some(("X-GitHub-Event", event)).filter(|_| !event.is_empty()));
        let answer = hub.request("POST", path, &headers, body.as_bytes()).await;
        assert_refused(&answer, status, words);
    }
    let ping = [
        ("Authorization", token.as_str()),
        ("X-GitHub-Event", "ping"),
        ("X-GitHub-Delivery", "1"),
    ];
    let pong = hub
        .request("POST", "/octocat/x/inbox", &ping, b"{\"zen\":\"\"}")
        .await;
    assert!(pong.expect(200).text().contains("The ping has arrived"));
    let get = hub.get("/social/inbox").await.expect(405);
    assert_eq!(get.header("allow"), Some("POST"));
}

#[tokio::test]
async fn what_comes_in_goes_out_to_subscribers() {
    let scene = Scene::start().await;
    let source = json!({ "dialect": "socialgateway" });
    scene.hub.declare("octocat/x", &source).await.expect(201);
    let topic = format!("{}octocat/x/events/push", scene.hub.url);
    let callback = scene.subscribed(&topic, "/cb").await;
    let token = bearer(PUBLISHER);
    // Two hooks of one repository, one of which writes forms: one event.
    for (kind, body) in [
        ("application/json", "{\"ref\": \"a b\"}"),
        (
            "application/x-www-form-urlencoded",
            "payload=%7B%22ref%22%3A%22a+b%22%7D",
        ),
    ] {
        let headers = [
            ("Authorization", token.as_str()),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("Content-Type", kind),
        ];
        let answer = scene
            .hub
            .request("POST", "/octocat/X/inbox", &headers, body.as_bytes())
            .await;
        let receipt = scene.hub.ended(&answer.expect(202)).await;
        crate::support::receipts::assert_counts(&receipt, [1, 1, 0, 0, 0]);
    }
    assert_eq!(callback.delivery(1).await.body, "{\"ref\":\"a b\"}");
    assert_eq!(callback.deliveries().len(), 1);
}
