//! What lets somebody in is shown to nobody by the log of deliveries and by receipts: whichever of the ways to them is taken.

use fanfare::domain::source::Dialect;
use serde_json::{Value, json};

use crate::declared::{ask, hub_with};
use crate::hooking::receiver;
use crate::support::{Hub, PUBLISHER, Reply, eventually};

const HOOKS: &str = "/repos/octocat/hello/hooks";

async fn repository() -> Hub {
    hub_with(&[("octocat/hello", Dialect::SocialGateway)]).await
}

/// The latest delivery of a hook as SocialGateway's API shows it.
async fn latest(hub: &Hub, hook: u64) -> Value {
    let path = format!("{HOOKS}/{hook}/deliveries");
    let id = eventually("a delivery", async || {
        let list = hub.admin_get(&path).await.expect(200).json();
        list.get(0).map(|item| item["id"].clone())
    })
    .await;
    let path = format!("{path}/{id}");
    hub.admin_get(&path).await.expect(200).json()
}

#[tokio::test]
async fn socialgateways_deliveries_show_no_keys() {
    let hub = repository().await;
    let reply = Reply::status(200).header("Set-Cookie", "session=hush");
    let server = receiver(reply).await;
    let url = server.url("/plain");
    let headers = json!({ "Authorization": "Bearer hush", "X-Api-Key": "hush", "X-Env": "test" });
    for wish in [
        json!({ "source": "octocat/hello", "events": ["push"], "url": url, "headers": headers }),
        json!({ "source": "octocat/hello", "events": ["push"], "name": "mattermost",
            "config": { "url": server.url("/hooks/hush") } }),
        json!({ "source": "octocat/hello", "events": ["push"], "name": "matrix",
            "config": { "homeserver": server.url(""), "room": "!abc:matrix.example", "token": "hush" } }),
    ] {
        let made = ask(&hub, "POST", "/api/v1/hooks", &wish).await;
        let id = made.expect(201).json()["id"].to_string();
        let ping = format!("/api/v1/hooks/{id}/ping");
        ask(&hub, "POST", &ping, &Value::Null).await.expect(202);
    }
    let plain = latest(&hub, 1).await;
    assert_eq!(plain["url"], json!(url));
    let headers = &plain["request"]["headers"];
    assert_eq!(headers["authorization"], "********");
    assert_eq!(headers["x-api-key"], "********");
    assert_eq!(headers["x-env"], "test");
    let origin = server.url("");
    for hook in [2, 3] {
        let service = latest(&hub, hook).await;
        assert_eq!(service["url"], json!(origin));
        assert!(!service.to_string().contains("hush"), "{service}");
    }
    assert!(!plain.to_string().contains("hush"), "{plain}");
    let arrived = server.log().matching(|request| {
        request.header("X-Api-Key") == Some("hush") || request.target.contains("hush")
    });
    assert_eq!(arrived.len(), 2, "and yet they are sent");
}

#[tokio::test]
async fn receipts_name_a_hook_by_its_number_and_its_origin() {
    let hub = repository().await;
    let server = receiver(Reply::status(500)).await;
    for (name, path) in [("slack", "/services/hush"), ("web", "/hush")] {
        let config = json!({ "url": server.url(path) });
        let wish = json!({ "name": name, "events": ["push"], "config": config });
        ask(&hub, "POST", HOOKS, &wish).await.expect(201);
    }
    let raised = hub.raise("/octocat/hello/events/push", &json!({})).await;
    let id = raised.expect(202).json()["id"].clone();
    let path = format!("/api/v1/receipts/{}/missing", id.as_str().expect("an id"));
    let items = eventually("both hooks", async || {
        let page = hub.get_as(PUBLISHER, &path).await.expect(200).json();
        let items = page["items"].as_array().expect("items").clone();
        (items.len() == 2).then_some(items)
    })
    .await;
    let mut hooks: Vec<_> = items.iter().map(|item| item["hook"].as_u64()).collect();
    hooks.sort_unstable();
    assert_eq!(hooks, [Some(1), Some(2)]);
    for item in items {
        assert_eq!(item["callback"], json!(server.url("")));
        assert!(!item.to_string().contains("hush"), "{item}");
    }
}
