//! What leaves a hub in each dialect: the libraries of real receivers accept what arrives at a socket, and another Fanfare that gets
//! it at an inbox has the same event again.

use std::path::Path;

use fanfare::domain::hook::Signing;
use fanfare::domain::source::Dialect;
use serde::Deserialize;
use serde_json::json;

use crate::deliveries::{Kind, SECRET};
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

/// What is raised at one hub, of those that `src/dialect/golden` has.
#[derive(Debug, Deserialize)]
struct Golden {
    dialect: String,
    event: String,
    form: bool,
    type_key: bool,
    brand: String,
    raise: String,
}

impl Golden {
    fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect/golden");
        let files = std::fs::read_dir(folder).expect("the folder");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
            serde_json::from_str(&text).expect("a golden request")
        };
        files.map(read).collect()
    }
}

#[tokio::test]
async fn what_one_hub_raises_another_one_has_again() {
    for brand in ["SocialGateway", "GitHub"] {
        let from = Hub::with(&[("hooks.brand", brand)]).await;
        let to = Hub::start().await;
        let golden = Golden::all();
        for (number, golden) in golden.iter().enumerate() {
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
