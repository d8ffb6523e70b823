//! What leaves a hub in each dialect: the libraries of real receivers accept what arrives at a socket, and another Fanfare that gets
//! it at an inbox has the same event again.

use fanfare::domain::hook::Signing;
use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::ask;
use crate::deliveries::{Kind, SECRET};
use crate::golden::Golden;
use crate::hooking::receiver;
use crate::support::client::bearer;
use crate::support::{Hub, PUBLISHER, Reply, Response};

impl Hub {
    /// Raises an event, byte for byte.
    async fn raise_text(&self, path: &str, payload: &str) {
        let token = bearer(PUBLISHER);
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = self.request("POST", path, &headers, payload.as_bytes());
        answer.await.expect(202);
    }
}

#[tokio::test]
async fn what_arrives_is_accepted_by_the_libraries_of_real_receivers() {
    /// One of each content type and each way to sign.
    const HOOKS: usize = 4;
    for brand in ["SocialGateway", "GitHub"] {
        let hub = Hub::with(&[("hooks.brand", brand)]).await;
        for dialect in Dialect::ALL {
            let kind = Kind {
                brand,
                ..Kind::of(dialect)
            };
            let server = receiver(Reply::status(204)).await;
            let (event, payload) = kind.event();
            let name = format!("{}/it", dialect.name());
            let mut source = json!({ "dialect": dialect.name() });
            if dialect == Dialect::Websub {
                source["events"] = json!([event]);
            }
            hub.declare(&name, &source).await.expect(201);
            for content_type in ["json", "form"] {
                for signing in ["dialect", "both"] {
                    let url = server.url(&format!("/{content_type}/{signing}"));
                    let wish = json!({
                        "source": name, "content_type": content_type, "signing": signing,
                    });
                    hub.hook(&url, &wish).await;
                }
            }
            let path = format!("/{name}/events/{event}");
            hub.raise_text(&path, payload).await;
            let arrived = server.log().wait_for("a delivery", HOOKS, |_| true).await;
            assert_eq!(arrived.len(), HOOKS);
            for request in arrived {
                let signing = match request.path().ends_with("both") {
                    true => Signing::Both,
                    false => Signing::Dialect,
                };
                let verifiers = Kind { signing, ..kind }.verifiers();
                assert!(!verifiers.is_empty());
                for verifier in verifiers {
                    let verdict = verifier.scrutinize(SECRET, &request.headers, &request.body);
                    assert_eq!(verdict, Ok(()), "{request:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_one_hub_raises_another_one_has_again() {
    for brand in ["SocialGateway", "GitHub"] {
        let from = Hub::with(&[("hooks.brand", brand)]).await;
        let to = Hub::start().await;
        let golden = Golden::all();
        for (number, (_, golden)) in golden.iter().enumerate() {
            if golden.brand != brand {
                continue;
            }
            // Each has a source of its own, so that the latest event there is this one.
            let source = format!("{}/no-{number}", golden.dialect);
            let mut declared = json!({ "dialect": golden.dialect, "inbound_secret": SECRET });
            if golden.dialect == "websub" {
                declared["events"] = json!([golden.event]);
            }
            for hub in [&from, &to] {
                hub.declare(&source, &declared).await.expect(201);
            }
            let wish = json!({
                "source": source,
                "content_type": if golden.form { "form" } else { "json" },
                "type_key": golden.type_key,
            });
            let inbox = format!("{}{source}/inbox", to.url);
            let hook = from.hook(&inbox, &wish).await;
            let topic = format!("/{source}/events/{}", golden.event);
            from.raise_text(&topic, &golden.raise).await;
            let log = from.logged(hook, 1).await;
            assert_eq!(log[0]["status"], 202, "{golden:?}: {log:?}");
            let raised = from.get(&topic).await.expect(200);
            let arrived = to.get(&topic).await.expect(200);
            assert_eq!(raised.text(), arrived.text(), "{golden:?}");
            let kind = |answer: &Response| answer.header("content-type").map(str::to_owned);
            assert_eq!(kind(&raised), kind(&arrived), "{golden:?}");
        }
    }
}

#[tokio::test]
async fn what_is_signed_by_standard_webhooks_alone_comes_in_at_every_inbox() {
    let (from, to) = (Hub::start().await, Hub::start().await);
    for dialect in Dialect::ALL {
        let (event, payload) = Kind::of(dialect).event();
        let source = format!("{}/standard", dialect.name());
        let mut declared = json!({ "dialect": dialect.name(), "inbound_secret": SECRET });
        if dialect == Dialect::Websub {
            declared["events"] = json!([event]);
        }
        for hub in [&from, &to] {
            hub.declare(&source, &declared).await.expect(201);
        }
        let inbox = format!("{}{source}/inbox", to.url);
        let right = json!({ "source": source, "signing": "standard", "content_type": "json" });
        let mut wrong = right.clone();
        wrong["secret"] = json!("another secret of at least twenty");
        let right = from.hook(&inbox, &right).await;
        let topic = format!("/{source}/events/{event}");
        from.raise_text(&topic, payload).await;
        let log = from.logged(right, 1).await;
        assert_eq!(log[0]["status"], 202, "{log:?}");
        let sent = from.delivery(right, &log[0]["id"]).await;
        let sent = sent["request"]["headers"]
            .as_object()
            .expect("headers")
            .clone();
        assert!(
            sent["webhook-signature"]
                .as_str()
                .is_some_and(|it| it.starts_with("v1,"))
        );
        assert!(
            !sent
                .keys()
                .any(|name| name.contains("hub-signature") || name.contains("muut-signature"))
        );
        let raised = from.get(&topic).await.expect(200);
        let arrived = to.get(&topic).await.expect(200);
        assert_eq!(raised.text(), arrived.text(), "{}", dialect.name());

        let hook = format!("/api/v1/hooks/{right}");
        ask(&from, "DELETE", &hook, &Value::Null).await.expect(204);
        let wrong = from.hook(&inbox, &wrong).await;
        from.raise_text(&topic, payload).await;
        let log = from.logged(wrong, 1).await;
        assert_eq!(log[0]["status"], 403, "{log:?}");
        assert_eq!(to.get(&topic).await.expect(200).text(), arrived.text());
    }
}
